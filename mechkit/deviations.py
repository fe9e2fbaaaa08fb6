"""What properties range over: families of cases.

A case is a batch of instances of one *family*. "deviation", for one, holds profiles of types and a
misreport of agent `who[0]` for each; its view plays the mechanism at the truth and at the lie.
Search, exact replay, shrinking and proofs all build the same cases from arrays of their own kind
(floats, rationals, symbols) and hand the same views to the same margins.

Every array of a case has shape (batch, k, *coordinates): one column for each of the k agents in the
`owners` of its slot, whose space says what values it may take. The slot "types" is the profile of
true types. "others" holds the reports of those who do not deviate, in settings where these are not
determined by the types that matter (`Setting.apart`). "public.NAME" holds public arrays.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit.expectations import Interim
from mechkit.mechanism import Mechanism
from mechkit.settings import Lottery, Setting
from mechkit.spaces import Space, box
from mechkit.views import (
    Case,
    Cycle,
    Deviation,
    Newcomer,
    Scaling,
    Slot,
    Split,
    Swap,
    View,
)

Slots = Callable[[Mechanism, tuple[int, ...]], dict[str, Slot]]
Targets = Callable[[Setting], Iterator[tuple[int, ...]]]


@dataclass(frozen=True)
class Family:
    """A kind of case. plays: how often the mechanism runs per row, beside the shared profile."""

    name: str
    view: type[View]
    targets: Targets
    slots: Slots
    plays: int
    shares: bool = True


def _public(setting: Setting) -> dict[str, Slot]:
    found: dict[str, Slot] = {}
    for name, source in setting.public.items():
        if isinstance(source, Space):
            found[f"public.{name}"] = Slot(source, tuple(range(source.agents)))
        elif isinstance(source, Lottery) and source.every:
            picks = box(1, low=0, high=len(source.draws) - 1, levels=range(len(source.draws)))
            found[f"public.{name}"] = Slot(picks, (0,))
    return found


def _profile(mechanism: Mechanism, who: tuple[int, ...]) -> dict[str, Slot]:
    setting = mechanism.setting
    return {"types": Slot(setting.types, tuple(range(setting.agents))), **_public(setting)}


def _any_reports(mechanism: Mechanism, who: tuple[int, ...]) -> dict[str, Slot]:
    slots, setting = _profile(mechanism, who), mechanism.setting
    if setting.apart:
        slots["others"] = Slot(setting.report_space, tuple(range(setting.agents)))
    return slots


def _lies(mechanism: Mechanism, who: tuple[int, ...]) -> dict[str, Slot]:
    return {**_any_reports(mechanism, who), "lies": Slot(mechanism.setting.report_space, who)}


def _nash(mechanism: Mechanism, who: tuple[int, ...]) -> dict[str, Slot]:
    return {**_profile(mechanism, who), "lies": Slot(mechanism.setting.report_space, who)}


def _split(mechanism: Mechanism, who: tuple[int, ...]) -> dict[str, Slot]:
    space = mechanism.setting.report_space
    return {**_any_reports(mechanism, who), "lies": Slot(space, (who[0], who[0]))}


def _cycle(length: int) -> Slots:
    def slots(mechanism: Mechanism, who: tuple[int, ...]) -> dict[str, Slot]:
        types = mechanism.setting.types
        return {**_profile(mechanism, who), "cycle": Slot(types, who * (length - 1))}

    return slots


LONGEST_CYCLE = 8
"""The longest cycles that are cases, and so witnesses; those beyond 3 are found by duality only."""


def _newcomer(mechanism: Mechanism, who: tuple[int, ...]) -> dict[str, Slot]:
    return {**_profile(mechanism, who), "newcomer": Slot(mechanism.setting.types, who)}


FACTORS = box(1, low=Fraction(1, 64), high=64)


def _scaling(mechanism: Mechanism, who: tuple[int, ...]) -> dict[str, Slot]:
    return {**_profile(mechanism, who), "factor": Slot(FACTORS, (0,))}


def _nobody(setting: Setting) -> Iterator[tuple[int, ...]]:
    yield ()


def _everybody(setting: Setting) -> Iterator[tuple[int, ...]]:
    return ((i,) for i in range(setting.agents))


def _bidders(setting: Setting) -> Iterator[tuple[int, ...]]:
    return ((i,) for i in range(setting.agents) if not setting.sellers[i])


def _pairs(setting: Setting) -> Iterator[tuple[int, ...]]:
    return itertools.combinations(range(setting.agents), 2)


def _peers(setting: Setting) -> Iterator[tuple[int, ...]]:
    return ((i, j) for i, j in _pairs(setting) if setting.roles[i] == setting.roles[j])


def _one_per_role(setting: Setting) -> Iterator[tuple[int, ...]]:
    roles = setting.roles
    return ((roles.index(r),) for r in dict.fromkeys(roles) if r != "seller")


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("profile", View, _nobody, _profile, 0),
        Family("reports", View, _nobody, _any_reports, 0, shares=False),
        Family("deviation", Deviation, _everybody, _lies, 1),
        Family("nash", Deviation, _everybody, _nash, 1),
        Family("coalition", Deviation, _pairs, _lies, 1),
        Family("swap", Swap, _peers, _profile, 1),
        Family("scaling", Scaling, _nobody, _scaling, 1),
        *(
            Family(f"cycle {length}", Cycle, _everybody, _cycle(length), length - 1)
            for length in range(2, LONGEST_CYCLE + 1)
        ),
        Family("split", Split, _bidders, _split, 1),
        Family("newcomer", Newcomer, _one_per_role, _newcomer, 1),
        Family("interim", Interim, _everybody, _nash, 2, shares=False),
    )
}


def every_target(family: Family, setting: Setting, coalition: int = 2) -> Iterator[tuple[int, ...]]:
    """All the `who` that a family ranges over; coalition: the largest one, where it has any."""
    yield from family.targets(setting)
    if family.targets is _pairs:
        for size in range(3, min(coalition, setting.agents) + 1):
            yield from itertools.combinations(range(setting.agents), size)


def targets(
    family: Family, setting: Setting, rng: np.random.Generator, most: int, coalition: int = 2
) -> list[tuple[int, ...]]:
    """Up to `most` of the `who` that a family ranges over: all of them, or a random sample."""
    n = setting.agents
    largest = min(coalition, n) if family.targets is _pairs else 2
    sizes = range(2, largest + 1)
    if family.targets in (_pairs, _peers) and sum(math.comb(n, k) for k in sizes) > most:
        # Too many to list in a large setting: they are drawn instead.
        drawn = (rng.choice(n, size=int(rng.choice(sizes)), replace=False) for _ in range(most))
        found = [tuple(sorted(int(i) for i in who)) for who in drawn]
        if family.targets is _peers:
            found = [(i, j) for i, j in found if setting.roles[i] == setting.roles[j]]
        return found
    every = list(every_target(family, setting, coalition))
    if len(every) <= most:
        return every
    return [every[k] for k in sorted(rng.choice(len(every), size=most, replace=False))]


def view(mechanism: Mechanism, case: Case, base: View | None = None) -> Any:
    """The view of a case's family; `base` shares the truthful profile if it was played before."""
    return FAMILIES[case.family].view(mechanism, case, base)


def slots(mechanism: Mechanism, case: Case) -> dict[str, Slot]:
    """Where the arrays of a case live."""
    return FAMILIES[case.family].slots(mechanism, case.who)
