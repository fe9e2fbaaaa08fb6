"""From a property to the provers, the cheapest first.

A theorem, where the declaration carries its structure and the terms of the rule bear it out; on
finite type spaces potentials, the dual of cycles of every length, and exhaustion; expectations over
a uniform prior by exact integration; a cut-off, where a rule sees the others through order
statistics alone; else every real type at the number of agents declared, by written-out case splits
that a checker without a solver has checked, or by two SMT solvers that read the same text; then
Myerson's lemma, where that gave up. A case that a prover finds is no verdict: it goes through the
exact replay like any other.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import numpy as np

from mechkit import deviations as d
from mechkit.errors import RuleTimeout
from mechkit.mechanism import Mechanism
from mechkit.properties import Property
from mechkit.prove import duality, every, lemma, theorem
from mechkit.prove.attempt import Attempt, Found, GaveUp, Proved
from mechkit.prove.exhaustive import exhaust
from mechkit.prove.interim import prove as prove_interim
from mechkit.prove.piecewise import prove as prove_piecewise
from mechkit.prove.problem import inhabited
from mechkit.replay import margins, negative
from mechkit.sampling import Sampler
from mechkit.spaces import repair
from mechkit.views import Case
from proofs import Undecided, exact, stable_orders_only, values

__all__ = ["Attempt", "Found", "GaveUp", "Proved", "prove"]


def prove(
    mechanism: Mechanism, prop: Property, *, seconds: float = 10.0, coalition: int = 2
) -> Attempt:
    """Prove a property, find a case that violates it, or say why neither was possible."""
    deadline = time.monotonic() + seconds
    if not inhabited(mechanism):
        return GaveUp("no type meets the constraints: everything would hold")
    with stable_orders_only():
        attempt = _first(mechanism, prop, deadline, coalition)
    if isinstance(attempt, Proved) and (why := arithmetics_differ(mechanism)) is not None:
        return GaveUp(why)
    # Ties are in the domain of the provers; a property claimed away from them does not fail there.
    tied = prop.tie_free and isinstance(attempt, Found)
    if tied and not negative(margins(mechanism, prop, attempt.check, attempt.case)[0]):  # type: ignore[union-attr]
        return GaveUp("it fails at a tie, where it is not claimed; away from ties no proof")
    return attempt


def _first(mechanism: Mechanism, prop: Property, deadline: float, coalition: int) -> Attempt:
    by_theorem = theorem.prove(mechanism, prop, coalition=coalition)
    if isinstance(by_theorem, Proved):
        return by_theorem
    attempt = _by_cases(mechanism, prop, deadline, coalition)
    if isinstance(attempt, GaveUp) and mechanism.structure is not None:
        return GaveUp(f"{attempt.reason}; by theorem: {by_theorem.reason}")
    return attempt


def _by_cases(mechanism: Mechanism, prop: Property, deadline: float, coalition: int) -> Attempt:
    interim = any(check.family == "interim" for check in prop.checks(mechanism.setting))
    if duality.applies(mechanism, prop):
        attempt = duality.prove(mechanism, prop, deadline=deadline, coalition=coalition)
        if not isinstance(attempt, GaveUp) or attempt.final:
            return attempt
    if mechanism.setting.types.finite and mechanism.setting.report_space.finite:
        attempt = exhaust(mechanism, prop, deadline=deadline, coalition=coalition)
        if interim or not isinstance(attempt, GaveUp):
            return attempt
    left = max(0.5, deadline - time.monotonic())
    if interim:
        return prove_interim(mechanism, prop, seconds=left)
    if every.obstacle(mechanism, prop) is None:
        attempt = every.prove(mechanism, prop, seconds=0.5 * left, coalition=coalition)
        if isinstance(attempt, Proved):
            return attempt
        left = max(0.5, deadline - time.monotonic())
    attempt = prove_piecewise(mechanism, prop, seconds=left, coalition=coalition)
    if isinstance(attempt, GaveUp) and (left := deadline - time.monotonic()) > 0:
        by_lemma = lemma.prove(mechanism, prop, seconds=left, coalition=coalition)
        return by_lemma if isinstance(by_lemma, Proved) else attempt
    return attempt


ROWS, NUMBERS, QUARTERS = 64, 800, 4
"""At most so many profiles, about so many numbers in all, in steps of a quarter of the range."""


@lru_cache(maxsize=64)
def arithmetics_differ(mechanism: Mechanism) -> str | None:
    """Where the rules do something else on floats than in rationals, on profiles full of ties.

    An unstable sort, integers that wrap around, or a rule that asks what it is run on: what is
    proved of the rationals would then not hold of the floats that the rule is used with. Proofs
    play one profile at a time, so a profile must not fare otherwise in a batch than alone.
    """
    setting = mechanism.setting
    rng, space = np.random.default_rng(5), setting.types
    count = max(8, min(ROWS, NUMBERS // space.low.size))
    steps = rng.integers(0, QUARTERS + 1, size=(count, *space.shape))
    types = space.low_float + space.span * steps / QUARTERS
    types = repair(space, types)
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


def _row_that_differs_alone(mechanism: Mechanism, together: Any) -> int | None:
    """The first row of a float view whose outcome is another when it is played by itself."""
    for row in range(ROWS):
        alone = d.view(mechanism, together.case.rows(slice(row, row + 1)))
        for what in ("allocation", "payments"):
            left = np.asarray(getattr(together.before, what), dtype=float)[row]
            right = np.asarray(getattr(alone.before, what), dtype=float)[0]
            if (np.abs(left - right) > 1e-6 * max(1.0, float(np.abs(left).max(initial=0.0)))).any():
                return row
    return None
