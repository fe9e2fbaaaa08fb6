"""What exact decisions share: rationals in, rationals out, and a replay that trusts nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import isqrt
from typing import Any

from mechkit.papers.claim import Finding
from mechkit.verdict import Status

Numbers = Mapping[str, Any]


def root(x: Fraction) -> Fraction | None:
    """√x where it is rational."""
    if x < 0:
        return None
    found = Fraction(isqrt(x.numerator), isqrt(x.denominator))
    return found if found * found == x else None


def refuted(evidence: str, exercised: int, numbers: Numbers, told: str) -> Finding:
    return Finding(Status.REFUTED, "exact arithmetic", evidence, exercised, numbers, told)


def unrefuted(tried: int) -> Finding:
    return Finding(Status.UNREFUTED, "exact arithmetic", f"{tried} cases, none against", tried)


def read(numbers: Numbers, *names: str) -> list[Fraction]:
    """Rationals by name; ValueError where one is missing or is none."""
    try:
        return [Fraction(numbers[name]) for name in names]
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ValueError(f"malformed numbers ({error!r}); save them again") from None


def rows(numbers: Numbers, name: str) -> list[list[Fraction]]:
    """A table of rationals by name."""
    try:
        return [[Fraction(x) for x in row] for row in numbers[name]]
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ValueError(f"malformed {name} ({error!r}); save them again") from None


def need(so: bool, why: str) -> None:
    if not so:
        raise ValueError(why)


def only_refuted(check: Callable[[Numbers], str]) -> Callable[[Status, Numbers], str]:
    """A replay of refutations alone."""

    def replay(status: Status, numbers: Numbers) -> str:
        need(status is Status.REFUTED, f"{status.value}: only a refutation can be replayed")
        return check(numbers)

    return replay
