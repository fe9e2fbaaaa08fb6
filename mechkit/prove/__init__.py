"""From a property to the provers, the cheapest first.

Exhaustion on finite type spaces; else every real type, by written-out case splits that a checker
without a solver has checked, or by two SMT solvers that read the same text. A case that a prover
finds is no verdict: it goes through the exact replay like any other.
"""

from __future__ import annotations

import time

from mechkit.mechanism import Mechanism
from mechkit.properties import Property
from mechkit.prove.attempt import Attempt, Found, GaveUp, Proved
from mechkit.prove.exhaustive import exhaust
from mechkit.prove.piecewise import prove as prove_piecewise
from mechkit.replay import margins, negative

__all__ = ["Attempt", "Found", "GaveUp", "Proved", "prove"]


def prove(
    mechanism: Mechanism, prop: Property, *, seconds: float = 10.0, coalition: int = 2
) -> Attempt:
    """Prove a property, find a case that violates it, or say why neither was possible."""
    deadline = time.monotonic() + seconds
    if mechanism.setting.types.finite and mechanism.setting.report_space.finite:
        attempt = exhaust(mechanism, prop, deadline=deadline, coalition=coalition)
        if not isinstance(attempt, GaveUp):
            return attempt
    if any(check.family == "interim" for check in prop.checks(mechanism.setting)):
        return GaveUp("an expectation over a continuous prior")
    left = max(0.5, deadline - time.monotonic())
    attempt = prove_piecewise(mechanism, prop, seconds=left, coalition=coalition)
    # Ties are in the domain of the provers; a property claimed away from them does not fail there.
    tied = prop.tie_free and isinstance(attempt, Found)
    if tied and not negative(margins(mechanism, prop, attempt.check, attempt.case)[0]):  # type: ignore[union-attr]
        return GaveUp("it fails at a tie, where it is not claimed; away from ties no proof")
    return attempt
