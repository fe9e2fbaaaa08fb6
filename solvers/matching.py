"""Maximum-weight matching on a sparse graph: prices from a matching, and a better matching.

Agents i and items j are joined by edges of weight w_ij > 0. Given a matching, the lowest prices
grow from p = 0 by passes over the edges (the dual of `assignment`, on a graph): an agent that holds
m(i) offers p_m(i) − w_im(i) + w_ij for item j, one that holds nothing offers w_ij. Three things
show that the matching is not optimal, and the chain of offers behind each improves it:

- an unsold item with a price: the chain ends in a new owner for it;
- an agent whose item costs more than it is worth to it: the chain takes the item from it;
- prices that rise for ever: the chain closes in a cycle, along which owners exchange.

Every step gains, so with whole numbers the search ends, at an optimum.

Source: Klein, "A primal method for minimal cost flows" (1967); Ahuja, Magnanti & Orlin, *Network
Flows* (1993), chapters 5 and 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

__all__ = ["Edges", "best_matching", "improved", "lowest_prices", "rationals"]

STILL = 2.0**-46


@dataclass(frozen=True, eq=False)
class Edges:
    """agent, item, weight (edges,), each pair once, weights > 0; counts: (agents, items)."""

    agent: np.ndarray
    item: np.ndarray
    weight: np.ndarray
    counts: tuple[int, int]

    @cached_property
    def by_item(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The order of the edges by item, where each item starts in it, and the items that have
        an edge."""
        order = np.argsort(self.item, kind="stable")
        items, starts = np.unique(self.item[order], return_index=True)
        return order, starts, items


def rationals(whole: np.ndarray, d: int) -> np.ndarray:
    """whole / d as Fractions, of the same shape."""
    found = np.empty(whole.size, dtype=object)
    found[:] = [Fraction(v, d) for v in whole.ravel().tolist()]
    return found.reshape(whole.shape)


def _worth(edges: Edges, held: np.ndarray) -> np.ndarray:
    """(agents,): what each holds is worth to it."""
    worth = np.zeros(edges.counts[0], dtype=edges.weight.dtype)
    own = held[edges.agent] == edges.item
    np.maximum.at(worth, edges.agent[own], edges.weight[own])
    return worth


def _rise(edges: Edges, held: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(prices, the agent behind each, −1 for none, items that rise for ever)."""
    agents, items = edges.counts
    p, by = np.zeros(items, dtype=edges.weight.dtype), np.full(items, -1)
    rose = np.zeros(items, dtype=bool)
    if not len(edges.weight):
        return p, by, rose
    floats = edges.weight.dtype == float
    still = STILL * edges.weight.max() if floats else 0
    order, starts, present = edges.by_item
    agent, weight, worth = edges.agent[order], edges.weight[order], _worth(edges, held)
    lengths = np.diff(np.append(starts, len(order)))
    for k in range(agents + 1):
        base = np.where(held >= 0, p[np.maximum(held, 0)], 0) - worth
        offers = weight + base[agent]
        best = np.maximum.reduceat(offers, starts)
        up = best > p[present] + still
        rose[:] = False
        rose[present[up]] = True
        if not up.any():
            break
        first = np.flatnonzero((offers == np.repeat(best, lengths)) & np.repeat(up, lengths))
        by[edges.item[order[first]]] = agent[first]
        p[present[up]] = best[up]
        if k % 32 == 31 and (around := _circling(held, by)).any():
            return p, by, around
    return p, by, rose


def _circling(held: np.ndarray, by: np.ndarray) -> np.ndarray:
    """The items whose chain of offers never ends, found by doubling the steps along it."""
    nowhere = len(by)
    before = np.append(np.where(by >= 0, held[np.maximum(by, 0)], -1), -1)
    ahead = np.where(before >= 0, before, nowhere)
    for _ in range(nowhere.bit_length()):
        ahead = ahead[ahead]
    return ahead[:-1] != nowhere


def lowest_prices(edges: Edges, held: np.ndarray) -> tuple[np.ndarray, bool]:
    """(prices (items,), whether they prove the matching optimal). held (agents,), −1 for none."""
    p, _, rose = _rise(edges, held)
    return p, not rose.any() and not _shows(edges, held, p).any()


def _shows(edges: Edges, held: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The items at which prices show the matching not to be optimal."""
    floats = edges.weight.dtype == float and len(edges.weight)
    still = STILL * edges.weight.max() if floats else 0
    wrong = p > still
    has = held >= 0
    wrong[held[has]] = p[held[has]] > _worth(edges, held)[has] + still
    return wrong


def improved(edges: Edges, held: np.ndarray) -> np.ndarray | None:
    """A matching that is worth more, or None where there is none. Weights: whole numbers."""
    p, by, rose = _rise(edges, held)
    wrong = rose if rose.any() else _shows(edges, held, p)
    if not wrong.any():
        return None
    owner = np.full(edges.counts[1], -1)
    owner[held[held >= 0]] = np.flatnonzero(held >= 0)
    start = int(np.argmax(wrong))
    moves: dict[int, int] = {}
    item, chain = start, []
    while by[item] >= 0 and item not in moves:
        moves[item] = int(by[item])
        chain.append(item)
        item = int(held[by[item]])
        if item < 0:
            break
    if item in moves:
        chain = chain[chain.index(item) :]
    better = held.copy()
    if item not in moves and owner[start] >= 0:
        better[owner[start]] = -1
    for j in chain:
        better[moves[j]] = j
    if not _worth(edges, better).sum() > _worth(edges, held).sum():
        raise ArithmeticError("an improving path does not improve: please report this")
    return better


def best_matching(edges: Edges) -> np.ndarray:
    """A matching of the largest weight in float arithmetic: (agents,), −1 for none.

    Every agent has an item of its own beside, worth almost nothing, so that all can be matched:
    SciPy reads an explicit zero as no edge, and the smallest positive float as an edge that adds
    nothing to any sum.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    from solvers.arrays import scaled_floats

    agents, items = edges.counts
    if not len(edges.weight):
        return np.full(agents, -1)
    real = scaled_floats(edges.weight)
    keep = real > 0
    own = np.arange(agents)
    weights = np.concatenate([real[keep], np.full(agents, 5e-324)])
    rows = np.concatenate([edges.agent[keep], own])
    columns = np.concatenate([edges.item[keep], items + own])
    graph = csr_array((weights, (rows, columns)), shape=(agents, items + agents))
    found: Any = min_weight_full_bipartite_matching(graph, maximize=True)
    held = np.full(agents, -1)
    held[found[0]] = np.where(found[1] < items, found[1], -1)
    return held
