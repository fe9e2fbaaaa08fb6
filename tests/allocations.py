"""Welfare by listing every allocation: what the solvers are compared with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np


def unit_allocations(agents: int, units: int, demand: int) -> Iterator[tuple[int, ...]]:
    for x in itertools.product(range(demand + 1), repeat=agents):
        if sum(x) <= units:
            yield x


def owners(agents: int, items: int) -> Iterator[tuple[int, ...]]:
    """For each item its owner, −1 for nobody."""
    yield from itertools.product(range(-1, agents), repeat=items)


def vcg(
    agents: int, outcomes: Sequence[Any], worth: Callable[[Any, int], Any]
) -> tuple[Any, list[set[Any]]]:
    """(the largest welfare, for each agent the Clarke payments at the optima), all listed; ties
    between optima can give an agent several payments only where it receives different things."""
    table = np.array([[worth(x, i) for i in range(agents)] for x in outcomes], dtype=object)
    total = table.sum(axis=1)
    best = total.max()
    payments = []
    for i in range(agents):
        without = (total - table[:, i]).max()
        payments.append({without - (best - t) for t in table[total == best, i]})
    return best, payments


def bundle_value(row: Sequence[Any], held: int) -> Any:
    """The best named bundle inside `held`, a bit mask; 0 for nothing."""
    return max([0, *(v for b, v in enumerate(row, start=1) if b & held == b)])
