"""Symmetric equilibria of single-item auctions, derived with SymPy and checked with numbers.

n bidders draw values independently from F on [low, high], with a density f > 0; each sees its own.
Where the others follow an increasing b, a bidder of value v who bids like the type w wins if all
others have lower values, with probability G(w) = F(w)^(n−1), g = G'. It expects

    first price  (v − b(w)) G(w),             all pay  v G(w) − b(w).

The first order condition at w = v is a differential equation,

    b'(v) F(v) / ((n−1) f(v)) + b(v) = v,     b'(v) = v g(v),

whose solutions are, with A' = G and a constant C,

    b(v) = v − (A(v) + C) / G(v),             b(v) = v G(v) − A(v) − C.

The lowest type s that bids expects nothing, which fixes C = −A(s): without a reserve s = low (in a
first-price auction every other solution is unbounded there); with a reserve r, s = r where the
winner pays, and s G(s) = r where all pay. Then ∂u/∂w = (v − w) g(w): utility rises up to the own
type and falls after it (it is pseudo-concave), so the first order condition suffices; and b' > 0.

No formula is handed over unchecked: `deviations` looks for better bids with numbers alone.

Sources: Vickrey (1961); Riley & Samuelson, "Optimal auctions" (1981); Krishna, *Auction Theory*
(2009), propositions 2.2 and 3.1, and section 2.5 for reserve prices.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from proofs.bidding.derivation import BidStep, Limit, derived, lowest_type, solves
from proofs.bidding.deviations import Check, checked
from proofs.bidding.question import Prior, Problem, count, whole
from proofs.bidding.sale import Sale, instance, integral_bid

__all__ = ["BidStatus", "BiddingEquilibrium", "check_bid", "equilibrium_bid"]


class BidStatus(enum.Enum):
    """How far it came; the value is the word that people read."""

    CHECKED = "closed form, checked"
    """It solves the differential equation and the boundary condition, and no bid was better."""
    UNREFUTED = "closed form, not refuted"
    """No bid was better, but SymPy did not show that it solves the differential equation."""
    REJECTED = "closed form, rejected by the check"
    """Somebody would rather bid something else: `check.failures` says who, what and by how much."""
    NUMERICAL = "integral formula, checked"
    """No closed form within the time; `at` integrates."""
    FAILED = "integral formula, rejected by the check"
    """The integral could not be evaluated well enough; see `check.failures`."""


@dataclass(frozen=True, kw_only=True)
class BiddingEquilibrium:
    """A bid function and how sure it is; by `equilibrium_bid` or `check_bid`.

    bid: b, a SymPy expression in prior.value, the bidders and the parameters, for values from
    `start` on (lower types do not bid); None where there is none that passed the check. claim: the
    expression that was checked. start: s, None where it is not known in closed form. conditions:
    under which this holds. check: what was tried, and failures. notes: what a reader must know.
    """

    status: BidStatus
    auction: str
    prior: Prior
    bidders: Any
    reserve: Any | None
    bid: Any | None
    claim: Any | None
    start: Any | None
    steps: tuple[BidStep, ...]
    conditions: tuple[str, ...]
    check: Check
    notes: tuple[str, ...] = ()
    _symbols: tuple[Any, ...] = field(repr=False, default=())
    _sale: Sale | None = field(repr=False, default=None)

    def at(
        self, values: Any, *, bidders: int, parameters: Mapping[Any, float] | None = None
    ) -> Any:
        """The equilibrium bids of values (...), integrated numerically whatever `bid` is; NaN for
        those that do not bid. parameters: a number for each symbol, or its name.

        Raises ValueError for values outside the support and numbers that are missing.
        """
        known = {str(k): float(x) for k, x in (parameters or {}).items()}
        names = [str(s) for s in self._symbols]
        if set(known) != set(names):
            raise ValueError(f"parameters = {sorted(known)}: expected numbers for {names}")
        n = count(self.bidders)
        if whole(bidders) < 2 or (n is not None and n != bidders):
            raise ValueError(f"bidders = {bidders!r}: expected {'at least 2' if n is None else n}")
        assert self._sale is not None
        case = instance(self._sale, int(bidders), [float(bidders), *(known[k] for k in names)])
        v = np.asarray(values, dtype=float)
        if not ((v >= case.low) & (v <= case.high)).all():
            raise ValueError(f"values outside [{case.low:g}, {case.high:g}]: expected types")
        return np.where(v >= case.start, integral_bid(case, v), np.nan)[()]

    def __str__(self) -> str:
        lines = [f"{self.auction} auction: {self.status.value}"]
        for step in self.steps:
            lines += [f"{step.title}: {step.text}", *(f"    {f}" for f in step.formulas)]
        return "\n".join(lines)


def equilibrium_bid(
    prior: Prior,
    bidders: Any,
    *,
    auction: str = "first-price",
    reserve: Any | None = None,
    parameters: Mapping[Any, tuple[float, float]] | None = None,
    draws: int = 300,
    seed: int = 0,
    seconds: float = 20.0,
) -> BiddingEquilibrium:
    """The symmetric equilibrium, with the steps that lead to it.

    bidders: n, a number of at least 2 or a symbol that is integer and positive. auction:
    "first-price" or "all-pay". reserve: the least bid that is accepted, a number or an expression.
    parameters: (low, high) of the intervals from which symbols are drawn for the check; positive
    symbols have one by default, and so has a reserve price that is a symbol. seconds: for SymPy;
    then the integral formula is evaluated numerically, and the notes say so.

    Raises ValueError for a prior with an atom, a flat part or an unbounded support, fewer than two
    bidders, a reserve outside the support, symbols of which nothing is known.
    """
    problem = Problem.read(prior, bidders, auction, reserve, parameters)
    cases = problem.draw(draws, seed)
    limit = Limit(seconds)
    claim, start, steps, notes = derived(problem, limit)
    shown = claim is not None and solves(problem, claim, start, limit)
    return _judged(problem, claim, start, steps, notes, cases, seed, shown)


def check_bid(
    bid: Any,
    prior: Prior,
    bidders: Any,
    *,
    auction: str = "first-price",
    reserve: Any | None = None,
    parameters: Mapping[Any, tuple[float, float]] | None = None,
    draws: int = 300,
    seed: int = 0,
    seconds: float = 20.0,
) -> BiddingEquilibrium:
    """Is this bid function, from a paper or a guess, the symmetric equilibrium?

    bid: a SymPy expression in prior.value, the bidders and parameters. The other arguments and
    errors are those of `equilibrium_bid`. CHECKED: it solves the differential equation with its
    boundary condition, and no bid was better; UNREFUTED: only the latter; REJECTED otherwise.
    """
    import sympy as sp

    claim = sp.sympify(bid)
    problem = Problem.read(prior, bidders, auction, reserve, parameters, extra=claim)
    cases = problem.draw(draws, seed)
    limit = Limit(seconds)
    start = problem.start()
    start = limit(lowest_type, problem) if start is None else start
    shown = solves(problem, claim, start, limit)
    return _judged(problem, claim, start, (), tuple(limit.notes), cases, seed, shown)


def _judged(
    problem: Problem, claim: Any, start: Any, steps: tuple[BidStep, ...], notes: tuple[str, ...],
    cases: list[tuple[int, dict[str, float]]], seed: int, shown: bool,
) -> BiddingEquilibrium:  # fmt: skip
    sale = problem.sale(claim)
    check = checked(sale, cases, seed=seed)
    if claim is None:
        status = BidStatus.NUMERICAL if check.holds else BidStatus.FAILED
    elif not check.holds:
        status = BidStatus.REJECTED
    else:
        status = BidStatus.CHECKED if shown else BidStatus.UNREFUTED
    if claim is not None and not shown and check.holds:
        notes = (
            *notes,
            "SymPy did not show that it solves the differential equation: it stands where it was "
            "tried, which for a symbolic number of bidders is from 2 to 10",
        )
    return BiddingEquilibrium(
        status=status, auction=problem.auction, prior=problem.prior, bidders=problem.bidders,
        reserve=problem.reserve, bid=claim if check.holds else None, claim=claim, start=start,
        steps=steps, conditions=problem.conditions(), check=check, notes=notes,
        _symbols=tuple(problem.ranges), _sale=sale,
    )  # fmt: skip
