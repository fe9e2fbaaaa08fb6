"""Exact arithmetic under NumPy's protocols.

A rule is a plain NumPy function. Called with arrays of `exact`, the same unchanged function
computes with rationals instead of floats:

>>> import numpy as np
>>> from proofs import exact, values
>>> def price(bids):
...     return np.sort(bids, axis=-1)[..., -2]
>>> values(price(exact([[0.1, 0.3, 1 / 3]])))
array([Fraction(3, 10)], dtype=object)

A float constant means the simplest rational that rounds to it. exp, log and roots give
outward-rounded enclosures, and a comparison that they leave open raises `Undecided`. What would
round, or what has no exact counterpart, raises `Unsupported` and names the line of the rule. Other
arithmetics are other `Algebra`s under the same `Array`: `Ties` finds out whether a profile ties,
and `Symbolic` runs the rule once on unknowns, so that a solver may decide about all of them:

>>> from proofs import Symbolic, decide, symbols
>>> bids = symbols("bid", (1, 3), algebra=Symbolic())
>>> decide([bids], np.max(bids, axis=-1) - price(bids)).status
'proved'

`bidding` derives the symmetric equilibria of auctions with SymPy and checks them with numbers:
`equilibrium_bid` finds one, `check_bid` judges a claimed one.
"""

from proofs import folds, ordering, products, reductions, shaping, ufuncs  # noqa: F401
from proofs.algebra import Algebra, Kind
from proofs.arrays import FUNCTIONS, UFUNCS, Array
from proofs.bidding import (
    BiddingEquilibrium,
    BidStatus,
    Prior,
    check_bid,
    equilibrium_bid,
)
from proofs.checker import Rejected, check, from_json, to_json
from proofs.concrete import Exact
from proofs.conversion import arithmetic, exact, values
from proofs.errors import Undecided, UndefinedNumber, Unsupported, signals
from proofs.evaluation import assignment, evaluate
from proofs.interval import Interval, precision
from proofs.ordering import stable_orders_only
from proofs.paths import GaveUp, Proof, Violation, explore
from proofs.rationals import simplest, simplest_between
from proofs.smt import Answer, Decision, SolversDisagree, ask, decide
from proofs.smtlib import smtlib
from proofs.symbolic import Symbolic, symbols
from proofs.ties import Ties

__all__ = [
    "Algebra",
    "Answer",
    "Array",
    "BidStatus",
    "BiddingEquilibrium",
    "Decision",
    "Exact",
    "GaveUp",
    "Interval",
    "Kind",
    "Prior",
    "Proof",
    "Rejected",
    "SolversDisagree",
    "Symbolic",
    "Ties",
    "Undecided",
    "UndefinedNumber",
    "Unsupported",
    "Violation",
    "arithmetic",
    "ask",
    "assignment",
    "check",
    "check_bid",
    "decide",
    "equilibrium_bid",
    "evaluate",
    "exact",
    "explore",
    "from_json",
    "handled",
    "precision",
    "signals",
    "simplest",
    "simplest_between",
    "smtlib",
    "stable_orders_only",
    "symbols",
    "to_json",
    "values",
]


def handled() -> list[str]:
    """The names of the NumPy functions that work on an `Array`."""
    return sorted({function.__name__ for function in (*UFUNCS, *FUNCTIONS)})
