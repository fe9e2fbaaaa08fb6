"""An auction in numbers: a draw of a question, its integral formula, and faults of its prior.

For values from s on, where bidding starts, the bids of the symmetric equilibrium are

    first price  v − ∫_s^v G / G(v),          all pay  v G(v) − ∫_s^v G,

with G = F^(n−1) (Krishna 2009, propositions 2.2 and 3.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

__all__ = ["KINDS", "Instance", "Sale", "instance", "integral_bid", "prior_fault"]

KINDS = ("first-price", "all-pay")


@dataclass(frozen=True, eq=False)
class Sale:
    """The auction as functions of numbers: cdf(v, p) and bid(v, p), v an array and p the numbers
    of a draw in the order of the symbols; low, high, reserve(p). precise: cdf and bid in mpmath."""

    kind: str
    cdf: Callable[..., Any]
    bid: Callable[..., Any] | None
    ends: Callable[..., tuple[float, float, float | None]]
    precise: tuple[Callable[..., Any], Callable[..., Any]] | None = None


@dataclass(frozen=True, eq=False)
class Instance:
    """One draw: F as a function of arrays, n, where bidding starts, and how bids are paid."""

    kind: str
    cdf: Callable[[Any], np.ndarray]
    bidders: int
    low: float
    high: float
    reserve: float | None
    start: float

    def chance(self, v: Any) -> np.ndarray:
        """G(v), that all others have lower values; 0 below where bidding starts."""
        return np.clip(self.cdf(v), 0.0, 1.0) ** (self.bidders - 1)

    def worth(self, v: Any, bid: Any, chance: Any) -> np.ndarray:
        return np.asarray((v - bid) * chance if self.kind == "first-price" else v * chance - bid)


def instance(sale: Sale, bidders: int, p: Sequence[float]) -> Instance:
    """Raises ValueError where the numbers make no auction."""
    low, high, reserve = sale.ends(*p)
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(f"values lie in [{low:g}, {high:g}]: expected low < high, both finite")
    if sale.kind == "all-pay" and low < 0:
        raise ValueError(
            f"values lie in [{low:g}, {high:g}]: expected low ≥ 0 where everybody pays"
        )

    def cdf(v: Any) -> np.ndarray:
        v = np.asarray(v, dtype=float)
        return np.broadcast_to(np.asarray(sale.cdf(v, *p), dtype=float), v.shape)

    start = low
    if reserve is not None:
        if not low <= reserve < high:
            raise ValueError(
                f"reserve = {reserve:g}, values in [{low:g}, {high:g}]: expected low ≤ reserve < "
                "high; leave out one that everybody exceeds"
            )
        start = reserve
        if sale.kind == "all-pay":
            # The lowest type that bids, v G(v) = r.
            ends = reserve, high
            for _ in range(200):
                middle = sum(ends) / 2
                enough = middle * float(cdf(middle)) ** (bidders - 1) >= reserve
                ends = (ends[0], middle) if enough else (middle, ends[1])
            start = ends[1]
    return Instance(sale.kind, cdf, bidders, low, high, reserve, start)


@cache
def _rule(panels: int, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes s⁶ and weights of ∫_0^1 h(s⁶) d(s⁶), on panels that halve in length towards 1."""
    ends = np.append(1 - 0.5 ** np.arange(panels), 1.0)
    x, w = np.polynomial.legendre.leggauss(nodes)
    half = np.diff(ends)[:, None] / 2
    s = (ends[:-1, None] + half * (x + 1)).ravel()
    return s**6, (half * w).ravel() * 6 * s**5


def integral_bid(at: Instance, v: Any, *, nodes: int = 12) -> np.ndarray:
    """v − ∫ G / G(v) or v G(v) − ∫ G, the integral from where bidding starts up to v (...).

    The substitution t = start + (v − start) s⁶ flattens what is steep at the start; with many
    bidders, G is steep at v.
    """
    v = np.asarray(v, dtype=float)
    s, w = _rule(3 + int(6 * at.bidders).bit_length(), nodes)
    length = v - at.start
    inner = at.cdf(at.start + length[..., None] * s)
    if at.kind == "all-pay":
        return np.asarray(
            v * at.chance(v) - length * (np.clip(inner, 0, 1) ** (at.bidders - 1) @ w)
        )
    # G(t)/G(v) as the power of a quotient: with many bidders both are too small for floats.
    own = at.cdf(v)[..., None]
    with np.errstate(all="ignore"):
        ratio = np.where(own > 0, inner / np.where(own > 0, own, 1.0), 1.0)
    return np.asarray(v - length * (np.clip(ratio, 0, 1) ** (at.bidders - 1) @ w))


def prior_fault(at: Instance) -> str:
    """What is wrong with the distribution on its support, "" if nothing was seen."""
    grid = np.linspace(at.low, at.high, 1001)
    f = at.cdf(grid)
    if not np.isfinite(f).all():
        return f"F({grid[~np.isfinite(f)][0]:.6g}) is not a finite number"
    for end, wanted, where in ((f[0], 0, "low"), (f[-1], 1, "high")):
        if abs(end - wanted) > 1e-9:
            return (
                f"F({where}) = {end:.6g}: expected {wanted}, since a prior with an atom has no "
                "equilibrium in strictly increasing bids; give a continuous distribution on its "
                "support"
            )
    if (np.diff(f) < -1e-12).any():
        return f"F falls near {grid[int(np.argmin(np.diff(f)))]:.6g}: expected a distribution"
    if (np.diff(f) <= 0).any():
        k = int(np.argmin(np.diff(f)))
        return f"F is flat near {grid[k]:.6g}: expected a density above 0 on the whole support"
    # A jump stays as high when the cell around it shrinks.
    k = int(np.argmax(np.diff(f)))
    a, b, coarse = grid[k], grid[k + 1], 0.0
    for step in range(30):
        middle = (a + b) / 2
        left, mid, right = at.cdf(np.array([a, middle, b]))
        a, b = (a, middle) if mid - left > right - mid else (middle, b)
        if step == 14:
            coarse = max(mid - left, right - mid)
    fine = float(np.diff(at.cdf(np.array([a, b])))[0])
    if fine > 1e-6 and fine > 0.95 * coarse:
        return f"F jumps by {fine:.3g} near {a:.6g}: expected a prior without atoms"
    return ""
