"""What every proof takes for granted, tried on profiles full of ties.

A proof speaks of the rules in rationals, one profile at a time, and takes the setting at its word.
A mechanism that does something else on floats, or in a batch, or whose setting declares an optimum
that is none, is not the one that was proved; so neither a prover nor the check of a certificate may
pass over it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from mechkit import deviations as d
from mechkit.errors import InputError, RuleTimeout
from mechkit.first_best import refuse_false_at_draws
from mechkit.mechanism import Mechanism
from mechkit.sampling import Sampler
from mechkit.spaces import Space, contains, repair
from mechkit.views import Case
from proofs import Undecided, exact, values

ROWS, NUMBERS, QUARTERS = 64, 800, 4
"""At most so many profiles, about so many numbers in all, in steps of a quarter of the range."""
POOL, BITS, INWARDS = 256, 20, 2.0**-6
"""How many points are tried against linear constraints, how many binary places they have, and how
far those that were outside are moved from the edge towards the centre."""


@lru_cache(maxsize=64)
def shaken(mechanism: Mechanism) -> str | None:
    """Where the rules do something else on floats than in rationals, or a declared optimum
    is none, on profiles full of ties; None where that is not seen.

    An unstable sort, integers that wrap around, or a rule that asks what it is run on: what is
    proved of the rationals would then not hold of the floats that the rule is used with. Proofs
    play one profile at a time, so a profile must not fare otherwise in a batch than alone.
    """
    setting = mechanism.setting
    rng, space = np.random.default_rng(5), setting.types
    count = max(8, min(ROWS, NUMBERS // space.low.size))
    types = tied(space, rng, count)
    slots = d.FAMILIES["profile"].slots(mechanism, ())
    shared = Sampler(mechanism).publics(slots, rng, count)
    floats = {"types": types, **shared}
    exactly = {key: exact(array) for key, array in floats.items()}
    views = [d.view(mechanism, Case("profile", (), arrays)) for arrays in (floats, exactly)]
    with np.errstate(all="ignore"):
        try:
            if (row := _row_that_differs_alone(mechanism, views[0])) is not None:
                reports = np.asarray(views[0].reports)[row].tolist()
                return (
                    "the rule does something else in a batch than on a profile alone, at the "
                    f"reports {reports}; each row must depend on its own profile only"
                )
            refuse_false_at_draws(setting, types, views[0].before.draws)
            pairs = [
                (
                    np.asarray(getattr(views[0].before, what), dtype=float),
                    values(exact(getattr(views[1].before, what))),
                )
                for what in ("allocation", "payments")
            ]
        except Undecided:
            return None
        except (RuleTimeout, MemoryError):
            raise
        except InputError as error:
            return str(error)
        except Exception as error:
            return f"the rule does not run in rationals: {type(error).__name__}: {error}"
    for left, right in pairs:
        gap = np.abs(left - right.astype(float)).reshape(count, -1).max(axis=-1)
        scale = max(1.0, float(np.abs(left).max(initial=0.0)))
        if (gap > 1e-6 * scale).any():
            reports = np.asarray(views[0].reports)[int(np.argmax(gap))].tolist()
            return (
                "the rule does something else on floats than in rationals, at the reports "
                f"{reports}; sort stably, use plain integers, do not ask what the reports are"
            )
    return None


def tied(space: Space, rng: np.random.Generator, count: int) -> np.ndarray:
    """Float profiles full of ties, (count, *shape), at numbers of few binary places.

    Sums of a few such numbers are the same in floats and in rationals, so that what is tied in one
    is tied in the other. A point that is pulled inside linear constraints would make ties that only
    rounding decides: instead each agent has types of the grid that meet the constraints, some with
    equality, and types well inside. Levels stay what they are, and so do points of a space that is
    too thin for both.
    """
    steps = rng.integers(0, QUARTERS + 1, size=(count, *space.shape))
    types = _rounded(space, space.low_float + space.span * steps / QUARTERS)
    if space.constraints is None:
        return repair(space, types)
    grid = rng.integers(0, QUARTERS + 1, size=(POOL, *space.shape)) / QUARTERS
    raw = _rounded(space, space.low_float + space.span * grid)
    edge, types = repair(space, raw.copy()), repair(space, types)
    centre = space.centre.reshape(space.shape)
    inner = np.where(_discrete(space), edge, edge + (centre - edge) * INWARDS)
    rounded, (a, b) = _rounded(space, inner), space.floats  # type: ignore[misc]
    for i in range(space.agents):
        on, well = (p[contains(space, p[:, [i]], [i]), i] for p in (raw, rounded))
        tight = on[(on.reshape(len(on), space.size) @ a.T >= b).any(axis=-1)]
        # A whole profile is of one kind, since ties are of points of one kind.
        kinds = [kind for kind in (well, on, tight, on) if len(kind)]
        for turn, kind in enumerate(kinds):
            rows = np.arange(turn, count, len(kinds))
            types[rows, i] = kind[rng.integers(len(kind), size=len(rows))]
    return types


def _discrete(space: Space) -> np.ndarray:
    """Which coordinates have levels, bool, (*coordinates)."""
    levels = space.levels or (None,) * space.size
    found = np.array([level is not None for level in levels])
    return found.reshape(space.coordinates)


def _rounded(space: Space, points: np.ndarray) -> np.ndarray:
    """The points in `BITS` binary places of the largest bound, inside the box; levels, and what has
    no such number in its range, as they are."""
    unit = 2.0 ** (np.ceil(np.log2(space.scale)) - BITS)
    low, high = space.low_float, space.high_float
    inside = np.clip(np.round(points / unit), np.ceil(low / unit), np.floor(high / unit)) * unit
    kept = _discrete(space) | (inside < low) | (inside > high)
    found: np.ndarray = np.where(kept, points, inside)
    return found


def _row_that_differs_alone(mechanism: Mechanism, together: Any) -> int | None:
    """The first row of a float view whose outcome is another when it is played by itself."""
    for row in range(together.case.batch):
        alone = d.view(mechanism, together.case.rows(slice(row, row + 1)))
        for what in ("allocation", "payments"):
            left = np.asarray(getattr(together.before, what), dtype=float)[row]
            right = np.asarray(getattr(alone.before, what), dtype=float)[0]
            if (np.abs(left - right) > 1e-6 * max(1.0, float(np.abs(left).max(initial=0.0)))).any():
                return row
    return None
