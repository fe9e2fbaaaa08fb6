"""The optimal auction of one item, or of k identical units, for independent private values.

An agent of value v brings the marginal revenue φ̄_i(v), its ironed virtual value (see `curves`).
In every Bayesian incentive compatible and interim individually rational auction the expected
revenue is at most the expectation of the k largest non-negative φ̄_i(v_i), and this is reached by

    the units go to the k highest φ̄_i(v_i) ≥ 0, ties to the lower index;
    a winner pays the least value with which it would still have won,

which is even dominant-strategy incentive compatible and ex post individually rational.

Source: Myerson, "Optimal auction design" (1981); k units: Maskin & Riley (1989).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from solvers.curves import Curve, level, price, revenue_curve
from solvers.marginal import MarginalRevenue

__all__ = ["Auction", "myerson", "second_price_revenue"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Auction:
    """An optimal auction.

    revenue: expected, of an auction on a fine grid of prices, hence reached (up to rounding).
    error: no auction has more than revenue + error; the part of it that is due to the grid rests
    on the density, as far as the prior has one. welfare: the expected value of the winners.
    reserves (n,): the price for agent i alone, inf where it is never served. virtual: φ̄_i as
    functions of arrays. certificate: the curves and the priors, from which revenue and bound are
    computed again. `allocate` and `pay` map values (..., n) to who wins, bool (..., n), and
    to payments (..., n).
    """

    revenue: float
    error: float
    welfare: float
    units: int
    reserves: np.ndarray
    virtual: tuple[Callable[[np.ndarray], np.ndarray], ...]
    certificate: MarginalRevenue
    _curves: tuple[Curve, ...] = field(repr=False)

    def _levels(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values checked, their φ̄, and the agents from the highest to the lowest."""
        values = np.asarray(values, dtype=float)
        n = len(self.virtual)
        if values.ndim == 0 or values.shape[-1] != n:
            raise ValueError(
                f"values have shape {values.shape}: expected (..., {n}), one column per agent"
            )
        if np.isnan(values).any():
            raise ValueError("values hold NaN: expected numbers")
        columns = [virtual(values[..., i]) for i, virtual in enumerate(self.virtual)]
        levels = np.stack(columns, axis=-1)
        return values, levels, np.argsort(-levels, axis=-1, kind="stable")

    def allocate(self, values: np.ndarray) -> np.ndarray:
        _, levels, order = self._levels(values)
        ahead = np.argsort(order, axis=-1, kind="stable") < self.units
        return ahead & (levels >= 0)

    def pay(self, values: np.ndarray, allocation: np.ndarray | None = None) -> np.ndarray:
        """allocation: as `allocate` gives it, computed where it is left out."""
        values, levels, order = self._levels(values)
        won = self.allocate(values) if allocation is None else np.asarray(allocation)
        n, k = len(self.virtual), self.units
        if n > k:
            first_loser = order[..., k : k + 1]
            hurdle = np.take_along_axis(levels, first_loser, axis=-1)
        else:
            first_loser, hurdle = np.full((*values.shape[:-1], 1), n), np.array(-np.inf)
        strict = (first_loser < np.arange(n)) & (hurdle >= 0)
        hurdle = np.broadcast_to(np.maximum(hurdle, 0.0), values.shape)
        columns = [
            price(curve, hurdle[..., i], strict[..., i]) for i, curve in enumerate(self._curves)
        ]
        return np.where(won, np.stack(columns, axis=-1), 0.0)


def myerson(priors: Sequence[Any], *, units: int = 1) -> Auction:
    """The revenue-optimal auction for independent values drawn from the priors, one per agent.

    priors: frozen scipy.stats distributions, continuous, discrete or with atoms, regular or not,
    not necessarily the same. units: how many identical units there are, each agent wanting one.
    Raises ValueError for an empty list, a prior that is not frozen or has an infinite mean, and
    units < 1.
    """
    priors = _list(priors)
    if isinstance(units, bool) or int(units) != units or units < 1:
        raise ValueError(f"units = {units!r}: expected a whole number of at least 1")
    known: dict[int, Curve] = {}
    for i, prior in enumerate(priors):
        if id(prior) not in known:
            known[id(prior)] = revenue_curve(prior, f"priors[{i}]")
    curves = tuple(known[id(prior)] for prior in priors)
    revenue, welfare = _expected([(c.slope, c.mass, c.total) for c in curves], units)
    above, _ = _expected([(c.outer_slope, c.outer_mass, c.outer_mass) for c in curves], units)
    return Auction(
        revenue=revenue,
        error=max(above - revenue, 0.0) + sum(c.excess for c in curves),
        welfare=welfare,
        units=int(units),
        reserves=np.array([float(price(c, np.array(0.0), np.array(False))) for c in curves]),
        virtual=tuple(partial(level, c) for c in curves),
        certificate=MarginalRevenue(priors=tuple(priors), curves=curves, units=int(units)),
        _curves=curves,
    )


def _list(priors: Any) -> list[Any]:
    if hasattr(priors, "sf"):
        raise ValueError(f"priors = {priors!r}: expected a list, one prior per agent: [prior] * 3")
    priors = list(priors)
    if not priors:
        raise ValueError("priors is empty: expected one frozen scipy.stats distribution per agent")
    return priors


def _expected(
    steps: list[tuple[np.ndarray, np.ndarray, np.ndarray]], units: int
) -> tuple[float, float]:
    """Σ_i E[φ̄_i; i wins] and Σ_i E[v_i; i wins], where a level φ̄ ≥ 0 wins.

    steps: per agent levels ascending (E,), their probabilities, and E[v; level]. Agent i wins where
    fewer than `units` others are ahead, an equal level being ahead where its agent has the lower
    index; the number ahead is a sum of independent indicators.
    """
    first = [int(np.searchsorted(levels, 0.0)) for levels, _, _ in steps]
    steps = [tuple(z[k:] for z in step) for step, k in zip(steps, first, strict=True)]  # type: ignore[misc]
    tails = [np.append(np.cumsum(mass[::-1])[::-1], 0.0) for _, mass, _ in steps]
    revenue = welfare = 0.0
    for i, (levels, mass, total) in enumerate(steps):
        count = np.zeros((units, len(levels)))  # P(exactly c others are ahead), c < units
        count[0] = 1.0
        for j, (others, _, _) in enumerate(steps):
            if j != i:
                p = tails[j][np.searchsorted(others, levels, side="left" if j < i else "right")]
                count[1:] = count[1:] * (1 - p) + count[:-1] * p
                count[0] *= 1 - p
        wins = count.sum(axis=0)
        revenue += float((levels * mass) @ wins)
        welfare += float(total @ wins)
    return revenue, welfare


def second_price_revenue(priors: Sequence[Any], *, reserve: float = 0.0) -> float:
    """Expected revenue of the second-price auction with one reserve price for all agents.

    The revenue exceeds t ≥ reserve iff two values do, and is the reserve where one value does:

        E = r·P(max ≥ r) + ∫_r^∞ P(second ≥ t) dt.

    Raises ValueError as `myerson` does, and for a reserve below 0.
    """
    priors = _list(priors)
    if not 0 <= reserve < np.inf:
        raise ValueError(f"reserve = {reserve!r}: expected a price of at least 0")
    grids = [revenue_curve(p, f"priors[{i}]").knots for i, p in enumerate(priors)]
    times = np.unique(np.concatenate([[reserve, 0.0], *grids]))
    times = times[times >= reserve]

    def chances(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """P(no value ≥ t) and P(exactly one value ≥ t)."""
        none, one = np.ones_like(t), np.zeros_like(t)
        for prior in priors:
            above = np.asarray(prior.sf(np.nextafter(t, -np.inf)), dtype=float)
            none, one = none * (1 - above), one * (1 - above) + none * above
        return none, one

    none, _ = chances(times[:1])
    nodes, weights = np.polynomial.legendre.leggauss(3)
    left, width = times[:-1, None], np.diff(times)[:, None]
    none_in, one_in = chances(left + width * (nodes + 1) / 2)
    both = float(((1 - none_in - one_in) * weights * width / 2).sum())
    return reserve * float(1 - none[0]) + both
