"""Symmetric equilibria of single-item auctions: derived, and never handed over unchecked.

>>> from sympy import Symbol
>>> from proofs.bidding import Prior, check_bid, equilibrium_bid
>>> v, n = Symbol("v"), Symbol("n", integer=True, positive=True)
>>> found = equilibrium_bid(Prior(v, v), n, draws=20)
>>> found.bid, found.status.value
(v*(1 - 1/n), 'closed form, checked')
>>> check_bid(v * n / (n + 1), Prior(v, v), n, draws=20).status.value
'closed form, rejected by the check'
"""

from proofs.bidding.derivation import BidStep
from proofs.bidding.deviations import Check, Deviation
from proofs.bidding.equilibrium import BiddingEquilibrium, BidStatus, check_bid, equilibrium_bid
from proofs.bidding.question import Prior

__all__ = [
    "BidStatus",
    "BidStep",
    "BiddingEquilibrium",
    "Check",
    "Deviation",
    "Prior",
    "check_bid",
    "equilibrium_bid",
]
