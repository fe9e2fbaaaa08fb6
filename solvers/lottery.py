"""A fractional optimum of the quantised program is a lottery: who gets which bundle, how likely.

The linear program's capacities hold in expectation. A basic solution leaves at most as many extra
columns as there are resources, so at most three bidders draw at all. One number u, uniform on
[0, 1], decides for all of them at once: bidder i gets the bundle in whose interval of its own
distribution u falls. So there are few draws, and the orders of the intervals are chosen such that
the worst draw exceeds the capacities by as little as possible.

Where no draw exceeds them, every draw is an optimal integer allocation. Where the integer optimum
is worth less than the linear one, no lottery over feasible integer allocations has the linear
program's value: its mean would be above their maximum.

Sources: Shapley & Folkman (in Starr, 1969), for the number of bidders that draw; Budish et al.,
"Designing random allocation mechanisms" (2013), for what can be implemented.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, permutations, product
from typing import Any

import numpy as np

__all__ = ["Draw", "Lottery", "lottery"]

ORDERS = 20_000  # combinations of orders that are tried
LEAST = 1e-12  # a probability below this is none


@dataclass(frozen=True, eq=False)
class Draw:
    """One outcome of the lottery: its probability, and every bidder's bundle (N, 3)."""

    probability: Any
    bundles: np.ndarray


@dataclass(frozen=True, eq=False)
class Lottery:
    """Bidder agents_k gets bundles_k (3,) with probabilities_k; for each bidder they add to one.

    draws: a joint lottery with these marginals. overuse: by how many quanta some draw exceeds a
    capacity at most; 0 where every draw is feasible.
    """

    agents: np.ndarray
    bundles: np.ndarray
    probabilities: np.ndarray
    draws: tuple[Draw, ...]
    overuse: int

    @property
    def expected(self) -> np.ndarray:
        """(N, 3) quanta that each bidder gets on average."""
        mean = np.zeros((int(self.agents.max()) + 1, 3), dtype=self.probabilities.dtype)
        np.add.at(mean, self.agents, self.bundles * self.probabilities[:, None])
        return mean


def lottery(
    agents: np.ndarray, bundles: np.ndarray, weights: np.ndarray, count: int, quanta: int
) -> Lottery:
    """The lottery of column weights (k,), floats or Fractions; what lacks to one is nothing."""
    chances: list[dict[tuple[int, ...], Any]] = [{} for _ in range(count)]
    for i, b, w in zip(agents.tolist(), bundles.tolist(), weights.tolist(), strict=True):
        if w > LEAST:
            chances[i][tuple(b)] = chances[i].get(tuple(b), 0) + w
    for chance in chances:
        rest = 1 - sum(chance.values())
        if rest > LEAST or not chance:
            chance[(0, 0, 0)] = chance.get((0, 0, 0), 0) + rest
        elif rest:  # rounding: the likeliest bundle takes it
            chance[max(chance, key=lambda b: chance[b])] += rest
    who = [i for i, chance in enumerate(chances) for _ in chance]
    what = [b for chance in chances for b in chance]
    how = [p for chance in chances for p in chance.values()]
    draws, overuse = _draws(chances, quanta)
    exact = weights.dtype == object
    return Lottery(
        np.array(who),
        np.array(what, dtype=int),
        np.array(how, dtype=object if exact else float),
        draws,
        overuse,
    )


def _draws(chances: list[dict[tuple[int, ...], Any]], quanta: int) -> tuple[tuple[Draw, ...], int]:
    bundles = np.array([next(iter(chance)) for chance in chances])
    mixed = [i for i, chance in enumerate(chances) if len(chance) > 1]
    if not mixed:
        return (Draw(1, bundles),), _excess(bundles, quanta)
    sure = np.delete(bundles, mixed, axis=0).sum(axis=0)
    best: tuple[int, Any] | None = None
    orders = product(*(permutations(chances[i].items()) for i in mixed))
    for order in islice(orders, ORDERS):
        outcomes = _outcomes(order)
        worst = max(int((sure + sum(map(np.array, got)) - quanta).max()) for _, got in outcomes)
        if best is None or worst < best[0]:
            best = worst, outcomes
        if worst <= 0:
            break
    assert best is not None
    draws = []
    for probability, got in best[1]:
        drawn = bundles.copy()
        drawn[mixed] = got
        draws.append(Draw(probability, drawn))
    return tuple(draws), max(0, best[0])


def _outcomes(order: Any) -> list[tuple[Any, list[tuple[int, ...]]]]:
    """Walk u from 0 to 1: (length, bundles) between one end of an interval and the next."""
    place, left = [0] * len(order), [intervals[0][1] for intervals in order]
    outcomes = []
    while True:
        step = min(left)
        if step > LEAST:
            got = [intervals[k][0] for intervals, k in zip(order, place, strict=True)]
            outcomes.append((step, got))
        for j, intervals in enumerate(order):
            left[j] -= step
            if left[j] <= LEAST:
                place[j] += 1
                if place[j] == len(intervals):
                    return outcomes
                left[j] += intervals[place[j]][1]


def _excess(bundles: np.ndarray, quanta: int) -> int:
    return max(0, int((bundles.sum(axis=0) - quanta).max()))
