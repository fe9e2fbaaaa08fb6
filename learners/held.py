"""The instances that everybody is tested on: the same for all, and seen by nobody in training.

They are drawn from the evaluation seed under keys of their own, which no training seed leads to.
Beside each stand the return of the best policy and the first best, both exact.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from learners import store
from learners.environment import Array, Environment, Instances
from learners.fields import whole_number
from learners.saved import RUN

HELD, WATCHED, PLAYED = 101, 102, 103
"""Keys of the streams that evaluation draws from; training has those of `spawn`, 0, 1, …"""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Instances that everybody is tested on, the return of the best policy and the first best of
    each, (count,)."""

    seed: int
    count: int
    instances: Instances
    optimum: Array
    first_best: Array


def stream(seed: int, key: int) -> np.random.Generator:
    """A stream of its own for each seed and key."""
    return np.random.default_rng(
        np.random.SeedSequence(whole_number("seed", seed, least=0), spawn_key=(key,))
    )


def held_out(
    environment: Environment, *, seed: int, count: int, key: int = HELD, file: Path | None = None
) -> HeldOut:
    """`count` instances of the evaluation seed, with their exact optima; those are read from
    `file` where they were found before, and kept there unless other runs need what is there.

    Raises ValueError for a count below 1."""
    if count < 1:
        raise ValueError(f"instances = {count}: expected at least 1")
    instances = environment.draw(stream(seed, key), count)
    about = {"environment": spec_of(environment), "seed": seed, "count": count, "key": key}
    if file is not None and file.exists():
        with contextlib.suppress(store.Damaged):  # it can be found again
            columns, known = store.read_table(file)
            if known == about:
                return HeldOut(seed, count, instances, columns["optimum"], columns["first_best"])
            if any(file.parent.rglob(RUN)):
                file = None  # runs that were tested on others are there, and will be refused
    optimum = np.asarray(environment.optimum(instances), dtype=float)
    first_best = np.asarray(environment.first_best(instances), dtype=float)
    for name, found in (("optimum", optimum), ("first_best", first_best)):
        if found.shape != (count,) or not np.isfinite(found).all():
            raise ValueError(
                f"{name} of {environment.spec.name}: expected a finite number for each of {count} "
                f"instances, got shape {found.shape}"
            )
    if file is not None:
        store.write_table(file, {"optimum": optimum, "first_best": first_best}, about)
    return HeldOut(seed, count, instances, optimum, first_best)


def spec_of(environment: Environment) -> dict[str, Any]:
    """The environment's spec as JSON has it, what was chosen of the market first."""
    names = sorted(
        (f.name for f in fields(environment.spec)),
        key=lambda name: name not in ("name", "version", "sizes"),
    )
    spec: dict[str, Any] = store.plain({name: getattr(environment.spec, name) for name in names})
    return spec
