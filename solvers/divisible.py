"""Divisible resources: the welfare maximum of bidders with concave utilities, and Clarke payments.

    maximise Σ_i u_i(s_i)   subject to   Σ_i s_i ≤ C,   s ≥ 0        (N bidders, R resources)

The dual lives in the R prices of the resources,

    D(λ) = λ·C + Σ_i max over 0 ≤ s_i ≤ C of u_i(s_i) − λ·s_i,

and D(λ) ≥ welfare for every λ ≥ 0: the certificate is λ alone. Saturating utilities (equation 39 of
the quantised VCG benchmark) are solved by an interior point whose Newton step is a system of R
equations in the prices, so that a million bidders take seconds; linear and logarithmic ones in
closed form; anything else concave by CVXPY and Clarabel.

Clarke payments: p_i = W(without i) − Σ_{j≠i} u_j(s_j), with the N problems without one bidder
solved together in batches. For logarithms they are in closed form.

Sources: Clarke, "Multipart pricing of public goods" (1971); Kelly, Maulloo & Tan, "Rate control for
communication networks" (1998); see also the sources of `interior` and `utilities`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers.arrays import limit
from solvers.certificate import Checked, check, verdict
from solvers.conic import Division, divide
from solvers.interior import path
from solvers.optimum import Optimum, Status, relative_gap
from solvers.tangents import Tangents
from solvers.utilities import Concave, Linear, Logarithmic, Saturating, numbers

__all__ = ["Concave", "Linear", "Logarithmic", "Prices", "Saturating", "divisible"]

FEASIBLE = 1e-12  # by how much sums of shares may exceed a capacity, relative: rounding
GAP = 1e-7  # a conic optimum: value and bound agree to this, relative
FEASIBILITY = 1e-9  # of a capacity: by how much shares may exceed it
CELLS = 3_000_000  # numbers in one array of a batch of payment problems
Utilities = Saturating | Linear | Logarithmic | Concave


@dataclass(frozen=True, eq=False)
class Prices:
    """A certificate: shares (N, R) of capacities (R,), and prices (R,) ≥ 0 at which no division
    beats `bound()`; of utilities without a closed form, tangents for each bidder."""

    utilities: Utilities
    capacities: np.ndarray
    prices: np.ndarray
    shares: np.ndarray
    tangents: tuple[Tangents, ...] = ()

    def bound(self) -> float:
        """D(λ), from the prices alone; inf where one is negative."""
        if not (self.prices >= 0).all():
            return np.inf
        if isinstance(self.utilities, Concave):
            leaves = self.utilities.surplus(self.prices, self.capacities, self.tangents)
        else:
            leaves = self.utilities.surplus(self.prices, self.capacities)
        return float(self.prices @ self.capacities + leaves.sum())

    def violation(self, shares: np.ndarray) -> float:
        """By how much shares (N, R) exceed a capacity at most, or fall below 0."""
        over = shares.sum(axis=0) - self.capacities
        return float(max(0.0, over.max(initial=0.0), (-shares).max(initial=0.0)))


@check.register
def _(certificate: Prices, *, tolerance: float = GAP) -> Checked:
    """Conic optima are said to 1e-7 of their size."""
    agents, resources = certificate.utilities.shape
    shares, prices, limits = (
        np.asarray(a, dtype=float)
        for a in (certificate.shares, certificate.prices, certificate.capacities)
    )
    if not (shares.shape == (agents, resources) and prices.shape == limits.shape == (resources,)):
        unfit = [(False, "shares, prices and capacities do not fit together")]
        return verdict(None, np.inf, unfit, exact=False, tolerance=tolerance)
    over = (shares >= 0) & (shares.sum(axis=0) <= limits * (1 + FEASIBLE))
    faults = [
        (np.isfinite(shares).all(), "a share is no finite number"),
        (np.isfinite(prices).all() and (prices >= 0).all(), "a price is negative, or none"),
        (np.isfinite(limits).all() and (limits >= 0).all(), "a capacity is negative, or none"),
        (over.all(), "a capacity is exceeded, or a share is negative"),
    ]
    if not all(ok for ok, _ in faults):
        return verdict(None, np.inf, faults, exact=False, tolerance=tolerance)
    value, bound = float(certificate.utilities.utilities(shares).sum()), certificate.bound()
    if value == bound == -np.inf:
        # Without capacity, whoever wants a share is at −inf whatever is done.
        return Checked(holds=True, value=value, bound=bound, gap=0.0, exact=False)
    return verdict(value, bound, faults, exact=False, tolerance=tolerance)


def divisible(
    utilities: Utilities,
    capacities: Any = 1.0,
    *,
    payments: bool = False,
    tolerance: float = 1e-10,
    seconds: float | None = None,
    method: str = "prices",
) -> Optimum:
    """The best division of R resources among N bidders.

    utilities: Saturating, Linear, Logarithmic or Concave. capacities: one number or (R,), ≥ 0.
    payments: Clarke's, too (N further problems), for the allocation returned: near an optimum the
    welfare is flat, so shares and payments are known to about the root of the gap, and what is
    asked for payments is solved as far as rounding allows. tolerance: the relative gap to stop at,
    for saturating utilities. seconds: a time limit; at it, value and bound stand with their gap.
    method: "prices", or "clarabel" for saturating utilities by CVXPY.

    Returns value, bound, allocation (N, R) of shares, payments (N,) (positive: the bidder pays) and
    the certificate `Prices`; status OPTIMAL where the gap is at most 1e-7.

    Raises ValueError for numbers that are negative or not finite, shapes that do not match, no
    bidder; ImportError where CVXPY is needed and missing.
    """
    started = time.monotonic()
    limit(seconds)
    if not isinstance(utilities, Utilities):
        raise ValueError(
            f"utilities is {utilities!r}; give Saturating, Linear, Logarithmic or Concave"
        )
    if method not in ("prices", "clarabel"):
        raise ValueError(f"method is {method!r}; give 'prices' or 'clarabel'")
    agents, resources = utilities.shape
    if not (agents and resources):
        raise ValueError(f"{agents} bidders and {resources} resources; give at least one of each")
    limits = numbers("capacities", capacities, (0, 1))
    if limits.ndim and len(limits) != resources:
        raise ValueError(f"{len(limits)} capacities for {resources} resources; give one of each")
    limits = np.broadcast_to(limits, (resources,)).copy()

    if payments:
        tolerance = min(tolerance, 1e-14)
    conic = isinstance(utilities, Concave) or (
        isinstance(utilities, Saturating) and method == "clarabel"
    )
    try:
        shares, prices, steps, ended = (
            _by_clarabel(utilities, limits, seconds)
            if conic
            else (*_SOLVED_BY[type(utilities)](utilities, limits, tolerance, seconds), True)
        )
    except Division as failed:
        taken = time.monotonic() - started
        return Optimum(
            value=None, bound=np.inf, status=Status.UNSOLVED, method="Clarabel", seconds=taken,
            notes=(str(failed),),
        )  # fmt: skip
    worth = utilities.utilities(shares)
    value = float(worth.sum())
    proof: tuple[Tangents, ...] = ()
    if isinstance(utilities, Concave):
        left = None if seconds is None else started + seconds
        size = max(abs(value), float(prices @ limits))
        proof = utilities.prove(
            prices, limits, shares, within=1e-2 * GAP * size / agents, deadline=left
        )
    certificate = Prices(utilities, limits, prices, shares, proof)
    bound = max(value, certificate.bound())  # rounding may leave the two crossed by an ulp
    notes = []
    if not np.isfinite(value):
        notes.append("somebody who wants a resource without capacity is left at −inf")
    status = Status.OPTIMAL if value == bound or _gap(value, bound) <= GAP else Status.FEASIBLE
    if status is Status.FEASIBLE:
        late = "at the time limit" if not ended else "by Clarabel"
        how = late if conic else f"after {steps} steps"
        notes.append(f"stopped {how} with a relative gap of {_gap(value, bound):.2g}")
    paid = None
    if payments:
        left = None if seconds is None else seconds - (time.monotonic() - started)
        paid, remark = _clarke(utilities, limits, worth, tolerance, left, conic)
        notes += remark
    return Optimum(
        value=value,
        bound=bound,
        status=status,
        allocation=shares,
        payments=paid,
        certificate=certificate,
        method="Clarabel (exponential cone)" if conic else _METHODS[type(utilities)],
        seconds=time.monotonic() - started,
        notes=tuple(notes),
    )


def _gap(value: float, bound: float) -> float:
    return float(relative_gap(value, bound))


def _by_clarabel(utilities: Any, limits: np.ndarray, seconds: float | None) -> Any:
    shares, prices, ended = divide(utilities, limits, seconds=seconds)
    return shares, prices, 0, ended


def _scaled(utilities: Saturating, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """β at most 1 and capacities 1: what `path` wants. Resources without capacity are left out."""
    there = limits > 0
    xi = np.ascontiguousarray((utilities.rates[:, there] * limits[there]).T)
    top = float(utilities.heights.max())
    return utilities.heights / (top or 1.0), xi, top


def _saturating(
    utilities: Saturating, limits: np.ndarray, tolerance: float, seconds: float | None
) -> tuple[np.ndarray, np.ndarray, int]:
    beta, xi, top = _scaled(utilities, limits)
    there = limits > 0
    shares = np.zeros(utilities.shape)
    # At these prices nobody buys: right for a resource that is not there.
    prices = (utilities.heights[:, None] * utilities.rates).max(axis=0)
    if not (there.any() and top > 0 and xi.any()):
        return shares, np.where(there, 0.0, prices), 0
    found = path(beta[None], xi, tolerance=tolerance, seconds=seconds)
    shares[:, there] = found.shares[0].T * limits[there]
    prices[there] = found.prices[0] * top / limits[there]
    shares *= np.minimum(1.0, limits / np.maximum(shares.sum(axis=0), np.finfo(float).tiny))
    return shares, prices, found.steps


def _linear(
    utilities: Linear, limits: np.ndarray, tolerance: float, seconds: float | None
) -> tuple[np.ndarray, np.ndarray, int]:
    shares = np.zeros(utilities.shape)
    shares[utilities.slopes.argmax(axis=0), np.arange(len(limits))] = limits
    return shares, utilities.slopes.max(axis=0), 0


def _logarithmic(
    utilities: Logarithmic, limits: np.ndarray, tolerance: float, seconds: float | None
) -> tuple[np.ndarray, np.ndarray, int]:
    total = utilities.weights.sum(axis=0)
    shares = utilities.weights * limits / np.where(total > 0, total, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        prices = np.where(limits > 0, total / limits, 0.0)
    return shares, prices, 0


_SOLVED_BY: dict[type, Any] = {
    Saturating: _saturating,
    Linear: _linear,
    Logarithmic: _logarithmic,
}
_METHODS: dict[type, str] = {
    Saturating: "interior point, Newton steps in the prices",
    Linear: "the highest slope takes all",
    Logarithmic: "shares in proportion to the weights",
}


def _clarke(
    utilities: Utilities,
    limits: np.ndarray,
    worth: np.ndarray,
    tolerance: float,
    seconds: float | None,
    conic: bool,
) -> tuple[np.ndarray | None, list[str]]:
    """Clarke payments (N,), or None with the reason."""
    if isinstance(utilities, Linear):
        slopes = utilities.slopes
        winner = slopes.argmax(axis=0), np.arange(len(limits))
        rest = slopes.copy()
        rest[winner] = 0.0
        paid = np.zeros(slopes.shape)
        paid[winner] = rest.max(axis=0) * limits
        return paid.sum(axis=1), []
    if isinstance(utilities, Logarithmic):
        # Without i the others' shares grow by S/(S − w_i), S the sum of the weights.
        w = utilities.weights
        rest = np.maximum(w.sum(axis=0) - w, 0.0)
        rest[(w > 0).sum(axis=0) - (w > 0) == 0] = 0.0  # nobody else wants it, whatever rounding
        ratio = np.divide(w, rest, out=np.zeros(w.shape), where=rest > 0)
        return (rest * np.log1p(ratio)).sum(axis=1), []
    if conic or not isinstance(utilities, Saturating):
        return _clarke_by_clarabel(utilities, limits, worth, seconds)
    others = worth.sum() - worth
    beta, xi, top = _scaled(utilities, limits)
    without = np.zeros(len(worth))
    matters = (worth > 0) & (np.count_nonzero(worth) > 1)
    if not matters.any():
        return without, []
    worst, chunk = 0.0, max(1, CELLS // xi.size)
    started = time.monotonic()
    for some in np.array_split(np.flatnonzero(matters), -(-matters.sum() // chunk)):
        left = None if seconds is None else seconds - (time.monotonic() - started)
        rest = np.repeat(beta[None], len(some), axis=0)
        rest[np.arange(len(some)), some] = 0.0
        found = path(rest, xi, tolerance=tolerance, seconds=left)
        if found.stopped:
            return None, ["no payments: the time limit came first"]
        without[some] = found.value * top
        worst = max(worst, float(np.max((found.bound - found.value) / found.bound)))
    note = [f"a welfare without one bidder has a gap of {worst:.2g}"] if worst > GAP else []
    return np.where(matters, np.maximum(0.0, without - others), 0.0), note


def _clarke_by_clarabel(
    utilities: Any, limits: np.ndarray, worth: np.ndarray, seconds: float | None
) -> tuple[np.ndarray | None, list[str]]:
    agents = len(worth)
    paid = np.zeros(agents)
    started = time.monotonic()
    for i in range(agents if agents > 1 else 0):
        left = None if seconds is None else seconds - (time.monotonic() - started)
        if left is not None and left <= 0:
            return None, ["no payments: the time limit came first"]
        keep = np.arange(agents) != i
        if isinstance(utilities, Saturating):
            rest: Any = Saturating(utilities.heights[keep], utilities.rates[keep])
        else:
            functions = tuple(f for f, k in zip(utilities.functions, keep, strict=True) if k)
            rest = Concave(functions, utilities.resources)
        try:
            shares, _, ended = divide(rest, limits, seconds=left)
        except Division as failed:
            return None, [f"no payments: without bidder {i}, {failed}"]
        if not ended:
            return None, ["no payments: the time limit came first"]
        paid[i] = max(0.0, rest.utilities(shares).sum() - worth[keep].sum())
    return paid, []
