"""The certificate of an optimal auction: revenue curves between two polygons.

Let R_i(q) be what agent i pays at the price that sells with probability q, and φ a polygon's slope,
its marginal revenue. Under a prior of independent values

- a concave polygon with its corners on R_i is reached: agents are told apart by the prices that
  they would pay, the units go to the k highest slopes ≥ 0, and a winner pays the least price of
  those with which it wins (Myerson 1981);
- no auction has more than concave polygons above the R_i say (Bulow & Roberts 1989).

Either expectation is that of the k highest of independent discrete numbers, those below 0 left out,

    E[Σ of the k highest] = ∫_0^∞ E[min(k, N(t))] dt,      N(t) = how many of them reach t.

The check asks the priors again how likely each price is to sell, and looks whether the curve lies
below its outer polygon at the prices, between them and at quantiles. For a discrete prior these are
all the prices there are; for another the curve between two places where it is looked at is believed
to be no higher than `excess` above the polygon.

Source: Myerson, "Optimal auction design" (1981); Bulow & Roberts, "The simple economics of optimal
auctions" (1989).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers.certificate import Checked, check, verdict
from solvers.curves import Curve

__all__ = ["MarginalRevenue", "expected_highest"]

# Revenue is known to the chord of a grid of prices, not to rounding.
GAP = 1e-6
# By how much rounding may lift the curve above the polygon, relative to its maximum.
ROUNDING = 1e-11
BETWEEN = (0.25, 0.5, 0.75)


@dataclass(frozen=True, eq=False, kw_only=True)
class MarginalRevenue:
    """Priors, one per agent (frozen scipy.stats distributions), and the curve of each: its prices
    (E,) ascending, whose points are the inner polygon's corners; outer_mass and outer_slope, the
    outer polygon's edges; excess, by how much the curve may rise above it. units: to be sold."""

    priors: tuple[Any, ...]
    curves: tuple[Curve, ...]
    units: int


@check.register
def _(certificate: MarginalRevenue, *, tolerance: float = GAP) -> Checked:
    units = certificate.units
    known: dict[tuple[int, int], tuple[Any, list[tuple[Any, str]]]] = {}
    inner, outer, faults = [], [], []
    for i, (prior, curve) in enumerate(zip(certificate.priors, certificate.curves, strict=True)):
        key = id(prior), id(curve)
        if key not in known:
            known[key] = _seen(prior, curve)
        edges, wrong = known[key]
        inner.append(edges)
        outer.append((curve.outer_slope, curve.outer_mass))
        faults += [(ok, f"agent {i}: {what}") for ok, what in wrong]
    if not all(np.all(ok) for ok, _ in faults):
        return verdict(None, np.inf, faults, exact=False, tolerance=tolerance)
    value = expected_highest(inner, units)
    excess = float(sum(curve.excess for curve in certificate.curves))
    bound = expected_highest(outer, units) + excess
    return verdict(value, bound, faults, exact=False, tolerance=tolerance)


def _seen(prior: Any, curve: Curve) -> tuple[tuple[np.ndarray, np.ndarray], list[tuple[Any, str]]]:
    """(the inner polygon's slopes and masses, by the prior alone; what is wrong with the curve)."""
    v = np.asarray(curve.prices, dtype=float)
    if not len(v):
        sold = float(_sales(prior, np.zeros(1))[0])
        nobody = sold * float(prior.support()[1]) <= 0
        return (v, v), [(nobody, "somebody would pay, and the curve says nobody")]
    if not (np.isfinite(v).all() and (v >= 0).all() and (np.diff(v) > 0).all()):
        return (v, v), [(False, "the prices do not ascend from 0 on")]
    q = _sales(prior, v)
    revenue = v * q
    top = float(revenue.max())
    mass = np.append(q[:-1] - q[1:], q[-1])
    gain = np.append(revenue[:-1] - revenue[1:], revenue[-1])
    slope = np.divide(gain, mass, out=np.full(len(v), v[-1]), where=mass > 0)
    # A slope of an edge as thin as rounding is rounding; what matters is the polygon's height.
    falls = np.maximum(slope[:-1] - slope[1:], 0) * np.minimum(mass[:-1], mass[1:])
    height = _polygon(curve)
    looked = np.unique(np.concatenate([v, *_between(v), _quantiles(prior)]))
    at = _sales(prior, looked)
    rises = looked * at - height(at) - curve.excess
    order = np.diff(curve.outer_slope)
    return (np.maximum.accumulate(slope), mass), [
        ((falls <= ROUNDING * top).all(), "the inner polygon is not concave"),
        ((curve.outer_mass >= 0).all(), "an edge of the outer polygon has a negative mass"),
        ((order >= -ROUNDING * max(top, v[-1])).all(), "the outer polygon is not concave"),
        (curve.excess >= 0, "an excess is negative"),
        (
            (rises <= ROUNDING * top).all(),
            f"the revenue curve rises above the outer polygon, by {float(rises.max(initial=0)):.3g}"
            f" at the price {looked[int(np.argmax(rises))]:.6g}",
        ),
    ]


def _sales(prior: Any, prices: np.ndarray) -> np.ndarray:
    """P(V ≥ price)."""
    sales = np.asarray(prior.sf(np.nextafter(prices, -np.inf)), dtype=float)
    return np.clip(sales, 0.0, 1.0)


def _between(v: np.ndarray) -> list[np.ndarray]:
    """Places in each cell, below the first price and above the last."""
    ends = np.concatenate([[0.0], v, [2 * v[-1]]])
    return [ends[:-1] + share * np.diff(ends) for share in BETWEEN]


def _quantiles(prior: Any) -> np.ndarray:
    shares = np.concatenate([np.arange(1, 1000) / 1000, 2.0 ** -np.arange(1.0, 200.0)])
    with np.errstate(all="ignore"):
        found = np.asarray(prior.isf(shares), dtype=float)
    return np.asarray(found[np.isfinite(found) & (found >= 0)])


def _polygon(curve: Curve) -> Any:
    """The outer polygon as a function of q: from (0, 0), the steepest edge first, and level beyond
    its end."""
    mass, slope = curve.outer_mass[::-1], curve.outer_slope[::-1]
    q = np.concatenate([[0.0], np.cumsum(mass)])
    r = np.concatenate([[0.0], np.cumsum(mass * slope)])
    return lambda at: np.interp(at, q, np.maximum.accumulate(r))


def expected_highest(numbers: list[tuple[np.ndarray, np.ndarray]], k: int) -> float:
    """E[Σ of the k highest of independent numbers, those below 0 left out]. numbers: for each its
    possible values, ascending, and their probabilities; what these lack to 1 counts as below 0."""
    steps = np.unique(np.concatenate([[0.0], *(levels[levels > 0] for levels, _ in numbers)]))
    reached, widths = steps[1:], np.diff(steps)
    k = min(k, len(numbers))
    # P(at least c numbers reach t), 0 ≤ c ≤ k: sums of products, so that small ones stay exact.
    least = np.zeros((k + 1, len(reached)))
    least[0] = 1.0
    for levels, mass in numbers:
        tail = np.append(np.cumsum(mass[::-1])[::-1], 0.0)
        p = tail[np.searchsorted(levels, reached, side="left")]
        least[1:] = least[1:] * (1 - p) + least[:-1] * p
    return float((widths * least[1:].sum(axis=0)).sum())
