"""What the constructors share: checks of arguments, constraints, lists of outcomes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from mechkit.errors import require
from mechkit.priors import Prior
from mechkit.settings import Array

MAX_OUTCOMES = 200_000
TOO_MANY = f"more than {MAX_OUTCOMES} outcomes: too many to list; take fewer agents or items"


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


def grown(
    steps: list[tuple[np.ndarray, np.ndarray]], low: list[np.ndarray], high: list[np.ndarray]
) -> np.ndarray:
    """All rows of one choice per step whose running sums stay within bounds, in lexicographic
    order; only beginnings that can be completed are kept, so that none is listed in vain.

    steps: for each step the choices (c, width) and what each adds to the sums (c, k). low, high:
    the bounds on the sums after each step, (k,). Every beginning within bounds must have an end.
    """
    width = steps[0][0].shape[1]
    rows, totals = np.zeros((1, 0), dtype=np.int64), np.zeros((1, steps[0][1].shape[1]), dtype=int)
    for (choices, adds), least, most in zip(steps, low, high, strict=True):
        sums = totals[:, None] + adds
        start, choice = np.nonzero(((sums >= least) & (sums <= most)).all(axis=-1))
        require(len(start) <= MAX_OUTCOMES, TOO_MANY)
        rows = np.concatenate([rows[start], choices[choice]], axis=1)
        totals = sums[start, choice]
    return rows.reshape(len(rows), -1, width)


def sums(agents: int, most: int, total: int) -> np.ndarray:
    """Whole numbers from 0 to `most`, one per agent, that sum to at most `total`."""
    step = np.arange(min(most, total) + 1)[:, None]
    bounds = [np.array([b]) for b in (0, total)]
    return grown([(step, step)] * agents, [bounds[0]] * agents, [bounds[1]] * agents)[..., 0]


def balanced(buyers: int, sellers: int) -> np.ndarray:
    """Who trades, 0 or 1, buyers first: as many sellers as buyers."""
    step = np.array([[0], [1]])
    left = [sellers] * buyers + list(range(sellers - 1, -1, -1))
    zero = np.array([0])
    steps = [(step, step)] * buyers + [(step, -step)] * sellers
    return grown(steps, [zero] * len(left), [np.array([k]) for k in left])[..., 0]


def matchings(agents: int, items: int) -> np.ndarray:
    """Each agent one item or none, each item to one agent at most."""
    eye = np.vstack([np.eye(items, dtype=np.int64), np.zeros((1, items), dtype=np.int64)])
    bounds = np.zeros(items, dtype=int), np.ones(items, dtype=int)
    return grown([(eye, eye)] * agents, [bounds[0]] * agents, [bounds[1]] * agents)


def assignments(agents: int, items: int) -> np.ndarray:
    """Every item to some agent or to nobody."""
    require((agents + 1) ** items <= MAX_OUTCOMES, TOO_MANY)
    eye = np.vstack([np.eye(agents, dtype=np.int64), np.zeros((1, agents), dtype=np.int64)])
    rows = [eye[list(c)].T for c in itertools.product(range(agents + 1), repeat=items)]
    return np.array(rows, dtype=np.int64)
