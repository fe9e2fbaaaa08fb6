"""Would a bidder rather bid something else? Numbers against a bid function, formula or not.

The others follow b. Whoever bids y then wins with probability P(y) = F(b⁻¹(y))^(n−1), b⁻¹ found by
bisection, and gets (v − y) P(y) in a first-price auction, v P(y) − y where everybody pays. At many
draws of n, the parameters and v, bids y are searched for one that is worth more than b(v). Nothing
here knows how b was derived, or its differential equation.

Where b is flat or falls, the probability of winning is bounded by counting cells of types, from
below for the deviation and from above for b(v): a gain that is found is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from proofs.bidding.sale import Instance, Sale, instance, integral_bid

__all__ = ["Check", "Deviation", "checked"]

GAIN, DIFFERENCE = 1e-8, 1e-5  # of the length of the prior's support
BIDS, CELLS, BISECTIONS = 240, 4000, 30


@dataclass(frozen=True)
class Deviation:
    """Where a bid function fails: a bidder of this value, among so many, with these parameters,
    gets `gain` (money) more by bidding `better` instead of `bid`, None for no bid at all.

    replayed: recomputed with 50 digits. reason: what is wrong, in words.
    """

    value: float
    bidders: int
    parameters: Mapping[str, float]
    bid: float | None
    better: float | None
    gain: float
    replayed: bool
    reason: str


@dataclass(frozen=True)
class Check:
    """What was tried: draws of (bidders, parameters), values in all, and what came of it.

    gain: the largest of any deviation, difference: the largest from the integral formula, both
    relative to the length of the support. failures: the worst first, of at most one per draw.
    """

    draws: int
    values: int
    seed: int
    gain: float
    difference: float
    failures: tuple[Deviation, ...] = ()

    @property
    def holds(self) -> bool:
        return self.draws > 0 and not self.failures


def checked(
    sale: Sale, cases: Sequence[tuple[int, dict[str, float]]], *, seed: int, values: int = 4
) -> Check:
    """Search each case (bidders, parameters by name, in order) for a better bid than `sale.bid`.

    values: how many values are tried per case, the highest among them. A sale without a bid
    function is checked with the integral formula, and that against the differential equation.
    """
    rng = np.random.default_rng(seed)
    failures: list[Deviation] = []
    most = apart = 0.0
    for n, parameters in cases:
        p = [float(n), *parameters.values()]
        at = instance(sale, n, p)
        scale = at.high - at.low
        v = at.start + (at.high - at.start) * np.append(rng.uniform(0.02, 1, values - 1), 1.0)
        bid = _bids(sale, at, p)
        found = _search(at, bid, v, rng.uniform(at.low, at.start, 2))
        if sale.bid is None:
            difference = _off_the_equation(at, v) / scale
        else:
            true = integral_bid(at, v)
            # Not the formula's fault is by how much a rule of fewer nodes differs.
            gaps = np.abs(bid(v) - true) - np.abs(true - integral_bid(at, v, nodes=8))
            difference = float(np.max(np.where(np.isfinite(gaps), gaps, np.inf), initial=0)) / scale
        gain, value, own, better, reason = found
        replayed = False
        if gain > GAIN * scale and sale.precise and not reason:
            gain, replayed = _replay(sale, at, p, value, own, better), True
        most, apart = max(most, gain / scale), max(apart, difference)
        if gain > GAIN * scale or difference > DIFFERENCE or reason:
            words = reason or (
                "another bid is worth more"
                if gain > GAIN * scale
                else f"it differs from the integral formula by {difference * scale:.3g}"
            )
            failures.append(
                Deviation(
                    value=value, bidders=n, parameters=dict(parameters), bid=own, better=better,
                    gain=gain, replayed=replayed, reason=words,
                )
            )  # fmt: skip
    failures.sort(key=lambda d: -d.gain)
    return Check(
        draws=len(cases), values=values * len(cases), seed=seed, gain=most, difference=apart,
        failures=tuple(failures),
    )  # fmt: skip


def _bids(sale: Sale, at: Instance, p: Sequence[float]) -> Callable[[Any], np.ndarray]:
    def bid(v: Any) -> np.ndarray:
        v = np.asarray(v, dtype=float)
        if sale.bid is None:
            return integral_bid(at, v)
        with np.errstate(all="ignore"):
            raw = np.broadcast_to(np.asarray(sale.bid(v, *p)), v.shape)
        real = np.where(np.abs(np.imag(raw)) > 1e-12, np.nan, np.real(raw))
        # At the start a formula may be 0/0; what it tends to is the boundary condition.
        first = (np.abs(v - at.start) <= 1e-12 * (at.high - at.low)) & ~np.isfinite(real)
        return np.where(first, _first_bid(at), real) if first.any() else real

    return bid


def _first_bid(at: Instance) -> float:
    return float(integral_bid(at, np.asarray(at.start)))


Found = tuple[float, float, float | None, float | None, str]
"""Gain, value, own bid, better bid, and what is wrong with the bids themselves."""


def _search(
    at: Instance, bid: Callable[[Any], np.ndarray], v: np.ndarray, idle: np.ndarray
) -> Found:
    scale = at.high - at.low
    grid = at.start + (at.high - at.start) * np.linspace(0, 1, CELLS + 1)
    placed = bid(grid)
    if not np.isfinite(placed).all():
        k = int(np.argmin(np.isfinite(placed)))
        return 0.0, float(grid[k]), None, None, f"b({grid[k]:.6g}) is not a real number"
    floor = at.reserve if at.reserve is not None else (0.0 if at.kind == "all-pay" else None)
    if floor is not None and placed.min() < floor - 1e-9 * scale:
        k = int(np.argmin(placed))
        why = f"b({grid[k]:.6g}) = {placed[k]:.6g} is below the least bid {floor:.6g}"
        return 0.0, float(grid[k]), float(placed[k]), None, why
    falls = np.diff(placed) < -1e-12 * scale
    rising = not falls.any()
    ascending = np.maximum.accumulate(placed)
    mass = np.diff(at.cdf(grid))
    base = float(at.cdf(at.start))

    def share(y: np.ndarray, equal: bool = False) -> np.ndarray:
        """That another bids less than y, or no more than y if `equal`; where b is not increasing,
        a bound from below, or from above if `equal`."""
        if rising:
            below = at.cdf(_inverse(bid, y, equal, grid, ascending))
            # A bid below all others' wins only where none of them bids.
            below = np.where((y < placed[0]) if equal else (y <= placed[0]), base, below)
        else:
            pick = np.minimum if equal else np.maximum
            ends = pick(placed[:-1], placed[1:])
            cells = (ends <= y[..., None]) if equal else (ends < y[..., None])
            below = base + (mass * cells).sum(axis=-1)
        return np.asarray(np.clip(below, 0, 1))

    def chance(y: np.ndarray) -> np.ndarray:
        return np.asarray(share(y) ** (at.bidders - 1))

    least = placed.min() if floor is None else floor
    most = placed.max() + 0.05 * scale
    bids = np.concatenate([np.linspace(least, most, BIDS), placed[:: CELLS // 60] + 1e-9 * scale])
    bids = bids[bids >= least]
    wins = chance(bids)
    if not rising:
        k = int(np.argmin(np.diff(placed)))
        reason = f"b falls from {placed[k]:.6g} to {placed[k + 1]:.6g} near {grid[k]:.6g}"
    else:
        reason = ""
    types = np.concatenate([v, idle])
    bidding = types >= at.start
    own = np.where(bidding, bid(np.where(bidding, types, at.high)), np.nan)
    tied = share(own, equal=True)
    fair = _among_equals(share(own) if rising else tied, tied, at.bidders)
    now = np.where(bidding, at.worth(types, own, fair), 0.0)
    # For every type the best of all bids, and then of ever narrower neighbourhoods of it.
    near = np.broadcast_to(bids, (len(types), len(bids)))
    worths, width = at.worth(types[:, None], near, wins), (most - least) / BIDS
    rows = np.arange(len(types))
    for step in range(3):
        k = worths.argmax(axis=1)
        better, top = near[rows, k], worths[rows, k]
        if step < 2:
            around = better[:, None] + width * np.linspace(-1, 1, 41)
            near = np.maximum(np.column_stack([better, around]), least)
            worths = at.worth(types[:, None], near, chance(near))
            width /= 18
    gains = np.maximum(top, 0.0) - now
    i = int(np.argmax(gains))
    return (
        max(float(gains[i]), 0.0), float(types[i]), float(own[i]) if bidding[i] else None,
        float(better[i]) if top[i] >= 0 else None, reason,
    )  # fmt: skip


def _among_equals(less: Any, most: Any, n: int) -> Any:
    """The chance to win against n − 1 others, each of whom bids less with probability `less` and no
    more with probability `most`, where equal bids draw lots: (most^n − less^n) / (n (most − less)).
    """
    return sum(most**i * less ** (n - 1 - i) for i in range(n)) / n


def _inverse(
    bid: Callable[[Any], np.ndarray],
    y: np.ndarray,
    equal: bool,
    grid: np.ndarray,
    known: np.ndarray,
) -> np.ndarray:
    """The highest type that bids less than y (at most y, if equal), by bisection of the cell of the
    grid, with the bids `known` on it in ascending order, in which it must lie."""
    cell = np.searchsorted(known, y, side="right" if equal else "left")
    low = grid[np.maximum(cell - 1, 0)]
    high = grid[np.minimum(cell, len(grid) - 1)]
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        placed = bid(middle)
        below = (placed <= y) if equal else (placed < y)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low


def _replay(
    sale: Sale, at: Instance, p: Sequence[float], value: float, own: float | None,
    better: float | None,
) -> float:  # fmt: skip
    """The gain again with 50 digits: the bid function, its inverse, and the distribution."""
    import mpmath

    assert sale.precise is not None
    cdf, bid = sale.precise
    with mpmath.workdps(50):
        numbers = [mpmath.mpf(q) for q in p]

        def share(y: Any, equal: bool) -> Any:
            low, high = mpmath.mpf(at.start), mpmath.mpf(at.high)
            for _ in range(150):
                middle = (low + high) / 2
                placed = mpmath.re(bid(middle, *numbers))
                below = placed <= y if equal else placed < y
                low, high = (middle, high) if below else (low, middle)
            return mpmath.re(cdf(low, *numbers))

        def worth(y: Any, chance: Any) -> Any:
            return (v - y) * chance if at.kind == "first-price" else v * chance - y

        v = mpmath.mpf(value)
        now = then = mpmath.mpf(0)
        if own is not None:
            y = mpmath.re(bid(v, *numbers))
            now = worth(y, _among_equals(share(y, False), share(y, True), at.bidders))
        if better is not None:
            y = mpmath.mpf(better)
            then = worth(y, share(y, False) ** (at.bidders - 1))
        return float(then - now)


def _off_the_equation(at: Instance, v: np.ndarray) -> float:
    """How far the integral formula is from a solution of its differential equation that starts
    where a fiftieth of the way is done, with F' by differences."""
    from scipy.integrate import solve_ivp

    length = at.high - at.start
    step = 1e-6 * length
    begin = at.start + 0.02 * length

    def slope(t: float, b: np.ndarray) -> np.ndarray:
        a, c = max(t - step, at.start), min(t + step, at.high)
        f, k = (at.cdf(c) - at.cdf(a)) / (c - a), at.bidders - 1
        if at.kind == "all-pay":
            return np.asarray([t * k * at.cdf(t) ** (k - 1) * f])
        return np.asarray((t - b) * k * f / at.cdf(t))

    points = np.sort(v[v > begin])
    solved = solve_ivp(
        slope, (begin, at.high), [float(integral_bid(at, np.asarray(begin)))],
        method="LSODA", t_eval=points, rtol=1e-8, atol=1e-10 * length,
    )  # fmt: skip
    if not solved.success or solved.y.shape[1] != len(points):
        return float("inf")
    return float(np.abs(solved.y[0] - integral_bid(at, points)).max(initial=0.0))
