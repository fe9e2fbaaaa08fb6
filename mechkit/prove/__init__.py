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

from mechkit.mechanism import Mechanism
from mechkit.properties import Property
from mechkit.prove import duality, every, lemma, theorem
from mechkit.prove.attempt import Attempt, Found, GaveUp, Proved
from mechkit.prove.exhaustive import exhaust
from mechkit.prove.grounds import shaken
from mechkit.prove.interim import prove as prove_interim
from mechkit.prove.piecewise import prove as prove_piecewise
from mechkit.prove.problem import inhabited
from mechkit.replay import margins, negative
from proofs import stable_orders_only

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
    if isinstance(attempt, Proved) and (why := shaken(mechanism)) is not None:
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
