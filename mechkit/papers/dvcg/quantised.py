"""The quantised VCG auction (QVCG) among two VSPs, for search and proof.

Each of three resources is cut into M quanta; a VSP bids for every bundle, the division into bundles
that are worth most is taken, and each pays what the other loses by it (eqs. 1 and 2; Clarke 1971).
As printed a bundle has 1…M quanta of each resource, or there is nothing; "full" is 0…M of each.
`solvers.qvcg` solves the linear program of any size, whose optimum may be a lottery; here divisions
are whole, and all of them are listed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from mechkit.mechanism import Mechanism
from mechkit.settings import Array, Setting
from mechkit.spaces import box


def bundles(levels: str, quanta: int) -> np.ndarray:
    """(k, 3) the bundles that can be bid for: 1…M quanta of each resource ("printed"), or 0…M of
    each but not all 0 ("full")."""
    first = 1 if levels == "printed" else 0
    some = np.array(list(product(range(first, quanta + 1), repeat=3)))
    return np.asarray(some[some.any(axis=1)])


def growing(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(A, b): A v ≤ b says that of two bundles that differ by a quantum the larger is worth no
    less."""
    step = table[None] - table[:, None]
    below, above = np.nonzero((step >= 0).all(axis=-1) & (step.sum(axis=-1) == 1))
    each = np.eye(len(table), dtype=int)
    return each[below] - each[above], np.zeros(len(below), dtype=int)


def divisions(table: np.ndarray, quanta: int) -> np.ndarray:
    """(k, 2, bundles) every way to give each of two VSPs a bundle or nothing."""
    ways = []
    for pair in product(range(-1, len(table)), repeat=2):
        held = np.array([np.arange(len(table)) == b for b in pair]) * 1
        if ((held @ table).sum(axis=0) <= quanta).all():
            ways.append(held)
    return np.array(ways)


def qvcg(levels: str, quanta: int, *, grows: bool = False, among_all: bool = False) -> Mechanism:
    """The quantised auction among two VSPs: a value in [0, 1] for every bundle, the best division
    into whole bundles, Clarke payments.

    grows: larger bundles are worth no less, as with eq. 39; any values by default. among_all: a
    bundle may have nothing of some resource, but only the printed ones are sold.
    """
    table = bundles("full" if among_all else levels, quanta)
    ways = divisions(table, quanta)

    def slack(allocation: Array) -> Array:
        x = allocation * 1
        flat = np.reshape(x, (x.shape[0], -1))
        whole = -np.minimum(np.abs(flat), np.abs(1 - flat))
        used = (x.sum(axis=1)[..., None] * table).sum(axis=-2)
        return np.concatenate([whole, 1 - x.sum(axis=-1), quanta - used], axis=-1)

    setting = Setting(
        name=f"2 VSPs, bundles of {quanta} quanta",
        types=box(2, len(table), constraints=growing(table) if grows else None),
        allocation_shape=(2, len(table)),
        value=lambda types, allocation: (types * allocation).sum(axis=-1),
        slack=slack,
        roles=("VSP", "VSP"),
        outcomes=lambda: ways,
    )
    if among_all:
        lacking = (table == 0).any(axis=1)
        printed = ways[~ways[..., lacking].any(axis=(1, 2))]
        return Mechanism.groves(setting, outcomes=printed, name="QVCG, printed bundles among all")
    return Mechanism.groves(setting, name=f"QVCG, {levels} bundles")


QUANTISED: dict[str, Callable[[], Mechanism]] = {
    "qvcg": lambda: qvcg("printed", 2),
    "qvcg-full": lambda: qvcg("full", 1),
    "qvcg-grows": lambda: qvcg("printed", 2, grows=True),
    "qvcg-full-grows": lambda: qvcg("full", 1, grows=True),
    "qvcg-among-all": lambda: qvcg("printed", 1, grows=True, among_all=True),
}
