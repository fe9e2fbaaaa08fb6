"""What a price earns: the revenue curve of one buyer's prior, and its ironed virtual values.

A price v sells with probability S(v) = P(V ≥ v) and earns v·S(v). Over quantiles q = S(v) these are
the points (q, R(q)), and lotteries over prices reach their concave hull R̄, from (0, 0) on. The
slope of R̄ at the quantile of v is the *ironed virtual value* φ̄(v): on the hull of a smooth curve

    φ(v) = v − S(v) / f(v),

and constant where the hull leaves the curve or where v has positive probability. Nothing but prices
enters, so atoms, gaps and missing densities need no case of their own: every point is the revenue
of a price, and every chord that of a lottery over two.

Source: Myerson (1981), section 6; Bulow & Roberts, "The simple economics of optimal auctions"
(1989), for the reading as marginal revenue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Curve", "level", "price", "revenue_curve", "support"]

# Cells are halved while the curve rises above its chord by more than this share of its maximum.
CHORD = 1e-8
# Slopes nearer to zero than this share of the maximum are the rounding of a flat top.
FLAT = 1e-11
# A cell is smooth where the density predicts its probability to this accuracy.
PREDICTED = 0.05
# What float arithmetic loses, as a share of the maximum.
ROUNDING = 1e-13
MOST_ATOMS = 1_000_000


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve:
    """A revenue curve on a grid of prices: its hull's edges, values ascending (E,).

    prices: at which the edges begin; mass: the probability of each edge; slope: its marginal
    revenue, ascending; total: E[V; V on the edge]. outer_mass, outer_slope: mass and slope of the
    polygon of tangents, which lies above the curve where that is concave between neighbouring
    prices. knots, heights: φ̄ as a piecewise linear function, vertical at jumps, heights ascending;
    φ̄ is −inf below the first knot. excess: by how much the true hull may rise above the polygon
    beside what the tangents say.
    """

    prices: np.ndarray
    mass: np.ndarray
    slope: np.ndarray
    total: np.ndarray
    outer_mass: np.ndarray
    outer_slope: np.ndarray
    knots: np.ndarray
    heights: np.ndarray
    excess: float


def level(curve: Curve, values: np.ndarray) -> np.ndarray:
    """φ̄ at values of any shape, non-decreasing, continuous from the right."""
    values = np.asarray(values, dtype=float)
    x, y = curve.knots, curve.heights
    if not len(x):
        return np.full(values.shape, -np.inf)
    at = np.searchsorted(x, values, side="right") - 1
    a, b = np.clip(at, 0, len(x) - 1), np.clip(at + 1, 0, len(x) - 1)
    width = np.where(x[b] > x[a], x[b] - x[a], 1.0)
    share = np.where(b > a, (values - x[a]) / width, 0.0)
    found = np.minimum(y[a] + share * (y[b] - y[a]), y[b])
    return np.where(at < 0, -np.inf, found)


def price(curve: Curve, height: np.ndarray, strict: np.ndarray) -> np.ndarray:
    """inf {v : φ̄(v) ≥ height}, or > height where strict; inf where there is no such v."""
    height, strict = np.broadcast_arrays(np.asarray(height, dtype=float), np.asarray(strict))
    x, y = curve.knots, curve.heights
    if not len(x):
        return np.full(height.shape, np.inf)
    at = np.where(
        strict, np.searchsorted(y, height, side="right"), np.searchsorted(y, height, side="left")
    )
    a, b = np.clip(at - 1, 0, len(x) - 1), np.clip(at, 0, len(x) - 1)
    rise = np.where(y[b] > y[a], y[b] - y[a], 1.0)
    share = np.where(b > a, (np.clip(height, y[a], y[b]) - y[a]) / rise, 0.0)
    return np.where(at >= len(x), np.inf, x[a] + share * (x[b] - x[a]))


def revenue_curve(prior: Any, name: str = "the prior") -> Curve:
    """The curve of a frozen scipy.stats distribution, one-dimensional, with a finite mean.

    Values below 0 are never served and have φ̄ = −inf. Raises ValueError where the prior is no
    frozen distribution, has invalid parameters, or has an infinite mean.
    """
    low, high = support(prior, name)
    discrete = hasattr(prior.dist, "pmf")
    if discrete:
        values, sales = _atoms(prior, low, high, name)
    else:
        values = _prices(prior, low, high, name)
        sales = _sales(prior, values)
    if not len(values):
        return _nothing()
    if discrete:
        area = np.diff(values) * sales[1:]
        density, excess = np.zeros_like(values), ROUNDING
    else:
        middle = _sales(prior, (values[:-1] + values[1:]) / 2)
        area = np.diff(values) * (sales[:-1] + 4 * middle + sales[1:]) / 6
        density, excess = np.asarray(prior.pdf(values), dtype=float), CHORD
    curve = _ironed(values, sales, area, density, unbounded=bool(np.isinf(high)), excess=excess)
    if np.isinf(high) and low >= 0:
        curve.total[-1] += max(float(prior.mean()) - float(curve.total.sum()), 0.0)
    return curve


def support(prior: Any, name: str) -> tuple[float, float]:
    """The least and the greatest value of a prior, or a ValueError that says what is wrong."""
    if not all(hasattr(prior, need) for need in ("dist", "sf", "isf", "support")):
        raise ValueError(
            f"{name} is {prior!r}: expected a frozen scipy.stats distribution; "
            "give the parameters at once, for example scipy.stats.uniform(0, 1)"
        )
    low, high = map(float, prior.support())
    if np.isnan(low) or np.isnan(high):
        raise ValueError(
            f"{name} has no support: its parameters {prior.args} {prior.kwds} are invalid for "
            f"scipy.stats.{prior.dist.name}; check shapes and scale > 0"
        )
    if np.isinf(high) and not np.isfinite(mean := float(prior.mean())):
        raise ValueError(
            f"{name} has mean {mean}: expected a finite mean. Under so heavy a tail ever higher "
            "prices keep earning, so the optimal revenue may be infinite or not attained; "
            "truncate the distribution"
        )
    return low, high


def _sales(prior: Any, values: np.ndarray) -> np.ndarray:
    """P(V ≥ v) of a continuous prior or one with atoms, non-increasing along ascending values."""
    sales = np.asarray(prior.sf(np.nextafter(values, -np.inf)), dtype=float)
    if np.isnan(sales).any():
        raise ValueError(f"{prior.dist.name}.sf is NaN at {values[np.isnan(sales)][0]}")
    return np.minimum.accumulate(np.clip(sales, 0.0, 1.0))


def _atoms(prior: Any, low: float, high: float, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The values ≥ 0 of a discrete prior, up to a tail of 1e-14, and their P(V ≥ v)."""
    chances = getattr(prior.dist, "pk", None)
    if chances is not None:
        chances = np.asarray(chances, dtype=float)
        values = np.unique(prior.ppf(np.cumsum(chances) - chances / 2))
    else:
        first = low if np.isfinite(low) else float(prior.ppf(1e-15))
        count = 1
        while first + count - 1 < high and count <= MOST_ATOMS and prior.sf(first + count) > 1e-14:
            count *= 2
        if count > MOST_ATOMS:
            raise ValueError(
                f"{name} has more than {MOST_ATOMS:,} values that matter, which is too many to "
                "list; truncate it, or approximate it by a continuous distribution"
            )
        values = first + np.arange(int(min(count, high - first)) + 1)
    mass = np.asarray(prior.pmf(values), dtype=float)
    sales = np.cumsum(mass[::-1])[::-1] + float(prior.sf(values[-1]))
    return values[values >= 0], np.minimum(sales, 1.0)[values >= 0]


def _prices(prior: Any, low: float, high: float, name: str) -> np.ndarray:
    """Prices so dense that the curve between neighbours is within CHORD of their chord."""
    low = max(low, 0.0)
    if high < low:
        return np.empty(0)
    with np.errstate(all="ignore"):
        tails = 2.0 ** -np.arange(1.0, 1001.0)
        quantiles = np.concatenate([np.arange(1, 128) / 128, tails])
        values = np.asarray(prior.isf(quantiles), dtype=float)
        keep = np.isfinite(values) & (values >= low)
        quantiles, values = quantiles[keep], values[keep]
        top = float((quantiles * values).max(initial=0.0))
        heavy = quantiles * values > 1e-3 * CHORD * top
        quantiles, values = quantiles[heavy], values[heavy]
    most = high if np.isfinite(high) else values.max(initial=low)
    bulk = values[quantiles >= 1e-4].max(initial=low)
    values = np.unique(np.concatenate([values, np.linspace(low, bulk, 385), [low, most]]))
    sales = _sales(prior, values)
    top = float((values * sales).max())
    cells = (values[:-1], values[1:], sales[:-1], sales[1:])
    found = [values]
    while len(cells[0]):
        a, b, at_a, at_b = cells
        middle = (a + b) / 2
        order = np.argsort(middle)
        at = np.empty_like(middle)
        at[order] = _sales(prior, middle[order])
        at = np.clip(at, at_b, at_a)
        width = np.where(at_a > at_b, at_a - at_b, 1.0)
        share = np.where(at_a > at_b, (at - at_b) / width, 0.0)
        chord = b * at_b + share * (a * at_a - b * at_b)
        split = (middle * at - chord > CHORD * top) & (b - a > 1e-14 * b)
        a, b, at_a, at_b, middle, at = (z[split] for z in (a, b, at_a, at_b, middle, at))
        found.append(middle)
        cells = (
            np.append(a, middle), np.append(middle, b), np.append(at_a, at), np.append(at, at_b)
        )  # fmt: skip
    return np.unique(np.concatenate(found))


def _ironed(
    values: np.ndarray,
    sales: np.ndarray,
    area: np.ndarray,
    density: np.ndarray,
    *,
    unbounded: bool,
    excess: float,
) -> Curve:
    """From points (sales, values·sales), values ascending, to the edges of their hull."""
    at = np.array(_hull(sales, values * sales), dtype=int)
    if not len(at):
        return _nothing()
    v, q = values[at], sales[at]
    top = float((v * q).max())
    inner = np.concatenate([[0.0], np.cumsum(area)])[at]
    # The last edge ends in (0, 0), with the value v[-1]; it is empty where nobody has that value.
    mass = np.append(q[:-1] - q[1:], q[-1])
    slope = np.append((v * q)[:-1] - (v * q)[1:], v[-1] * q[-1])
    total = slope + np.append(np.diff(inner), 0.0)
    slope = np.divide(slope, mass, out=np.full(len(mass), v[-1]), where=mass > 0)
    slope[np.abs(slope) <= FLAT * top] = 0.0
    slope = np.maximum.accumulate(slope)
    ends = np.append(v[1:], v[-1])

    with np.errstate(all="ignore"):
        exact = v - q / density[at]
        guess = np.append(np.diff(v) * (density[at][:-1] + density[at][1:]) / 2, np.nan)
        smooth = np.append(np.diff(at) == 1, False) & (abs(mass - guess) <= PREDICTED * mass)
    below = np.append(-np.inf, slope[:-1])
    exact = np.where(np.isfinite(exact), np.clip(exact, below, slope), slope)
    left = np.where(smooth, exact, slope)
    right = np.where(smooth, np.append(exact[1:], v[-1]), slope)
    rise = right - left
    share = np.divide(slope - left, rise, out=np.zeros_like(rise), where=rise > 0)
    last = len(mass) - 1
    if unbounded or mass[last] == 0:
        # Values beyond the last price are as good as unheard of: they count as that price.
        knots, heights = np.stack([v[:-1], ends[:-1]], 1), np.stack([left[:-1], right[:-1]], 1)
    else:
        knots, heights = np.stack([v, ends], 1), np.stack([left, right], 1)
    return Curve(
        prices=v,
        mass=mass,
        slope=slope,
        total=total,
        outer_mass=np.stack([mass * (1 - share), mass * share], 1).ravel(),
        outer_slope=np.stack([left, right], 1).ravel(),
        knots=knots.ravel(),
        heights=np.maximum.accumulate(heights.ravel()),
        excess=excess * top + (float(v[-1] * q[-1]) if unbounded else 0.0),
    )


def _hull(sales: np.ndarray, revenue: np.ndarray) -> list[int]:
    """Vertices of the upper hull of the points and (0, 0), by descending sales."""
    kept: list[int] = []
    x, y = sales.tolist(), revenue.tolist()
    for k in range(len(x) - 1, -1, -1):
        if kept and x[k] == x[kept[-1]]:
            if y[k] <= y[kept[-1]]:
                continue
            kept.pop()
        while kept:
            j = kept[-1]
            i = kept[-2] if len(kept) > 1 else -1
            before_x, before_y = (x[i], y[i]) if i >= 0 else (0.0, 0.0)
            turn = (x[j] - before_x) * (y[k] - before_y) - (y[j] - before_y) * (x[k] - before_x)
            if turn < 0 or (x[j] == 0 and i < 0):
                break
            kept.pop()
        kept.append(k)
    return kept[::-1]


def _nothing() -> Curve:
    empty = np.empty(0)
    return Curve(
        prices=empty, mass=empty, slope=empty, total=empty, outer_mass=empty, outer_slope=empty,
        knots=empty, heights=empty, excess=0.0,
    )  # fmt: skip
