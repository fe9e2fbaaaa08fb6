"""What the constructors share: checks of arguments, constraints, lists of outcomes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from mechkit.errors import require
from mechkit.priors import Prior
from mechkit.settings import Array

MAX_OUTCOMES = 200_000


def whole(value: Any, least: int, what: str) -> int:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    require(
        whole and int(value) >= least,
        f"{what} = {value!r}: expected an integer of at least {least}",
    )
    return int(value)


def listed(rows: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Stack an iterator of outcomes, refusing to list more than MAX_OUTCOMES."""
    found = list(itertools.islice(rows, MAX_OUTCOMES + 1))
    require(
        len(found) <= MAX_OUTCOMES,
        f"more than {MAX_OUTCOMES} outcomes: too many to list; take fewer agents or items",
    )
    return np.array(found, dtype=np.int64).reshape(len(found), *shape)


def resizer(make: Any, role: str, *bounds: Any) -> Any:
    """Resize by calling the constructor again; bounds given per agent leave no other size."""
    if any(np.ndim(b) > 0 for b in bounds):
        return None
    return lambda counts: make(counts[role])


def resizable_prior(prior: Prior) -> bool:
    return prior is None or hasattr(prior, "rvs")


def each_item_once(allocation: Array) -> Array:
    x = allocation * 1
    rows = (x.shape[0], -1)
    return np.concatenate([np.reshape(x, rows), 1 - x.sum(axis=1)], axis=-1)


def assignment_slack(allocation: Array) -> Array:
    """Each agent at most one item, each item at most one agent."""
    x = allocation * 1
    return np.concatenate(
        [np.reshape(x, (x.shape[0], -1)), 1 - x.sum(axis=1), 1 - x.sum(axis=2)], axis=-1
    )


def pure_slack(allocation: Array) -> Array:
    """Each item at most once, and no fractions: x (1 − x) ≤ 0."""
    x = np.reshape(allocation * 1, (allocation.shape[0], -1))
    return np.concatenate([each_item_once(allocation), -(x * (1 - x))], axis=-1)


def matchings(agents: int, items: int) -> np.ndarray:
    eye = np.vstack([np.eye(items, dtype=np.int64), np.zeros((1, items), dtype=np.int64)])
    rows = (
        eye[list(choice)]
        for choice in itertools.product(range(items + 1), repeat=agents)
        if len(taken := [c for c in choice if c < items]) == len(set(taken))
    )
    return listed(rows, (agents, items))


def assignments(agents: int, items: int) -> np.ndarray:
    """Every item to some agent or to nobody."""
    eye = np.vstack([np.eye(agents, dtype=np.int64), np.zeros((1, agents), dtype=np.int64)])
    rows = (eye[list(c)].T for c in itertools.product(range(agents + 1), repeat=items))
    return listed(rows, (agents, items))
