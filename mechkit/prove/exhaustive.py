"""Proof by exhaustion: every profile and every deviation of a finite type space, in rationals.

Where every slot of a property's cases takes finitely many values (levels, and the draws of
lotteries), the margin is computed exactly on each of them. No sampling, no floats, no tolerance:
nothing below zero anywhere is a proof on this domain, and the first case below zero refutes.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mechkit import deviations as d
from mechkit.errors import RuleTimeout
from mechkit.mechanism import Mechanism
from mechkit.properties import Property
from mechkit.prove.attempt import Attempt, Checked, Found, GaveUp, Proved
from mechkit.replay import margin_and_tie, margins, negative, robust
from mechkit.spaces import Space, grid
from mechkit.views import Case

MOST = 100_000
"""How many exact cases are played at most."""
CHUNK = 256


def exhaust(
    mechanism: Mechanism, prop: Property, *, deadline: float | None, coalition: int = 2
) -> Attempt:
    """Play every case of a property on a finite type space."""
    setting = mechanism.setting
    checks = prop.sought(setting)
    plans: list[tuple[int, str, tuple[int, ...], list[list[np.ndarray]]]] = []
    total = 0
    for k, check in enumerate(checks):
        family = d.FAMILIES[check.family]
        for who in d.every_target(family, setting, coalition):
            axes = []
            for slot in family.slots(mechanism, who).values():
                if not slot.space.finite:
                    return GaveUp("the type space is not finite")
                axes.append([grid(slot.space, owner) for owner in slot.owners])
            total += int(np.prod([len(g) for columns in axes for g in columns], dtype=float))
            if total > MOST:
                return GaveUp(f"more than {MOST} cases to play")
            plans.append((k, check.family, who, axes))
    if not total:
        return GaveUp("there is no case at all")
    try:
        for k, family_name, who, axes in plans:
            for case in cases(mechanism, family_name, who, axes):
                if deadline is not None and time.monotonic() > deadline:
                    return GaveUp("the time ran out")
                if (ended := _played(mechanism, prop, k, case)) is not None:
                    return ended
    except (RuleTimeout, MemoryError):
        raise
    except Exception as error:
        # The rule has no exact counterpart, or serves its own number of agents only.
        return GaveUp(f"{type(error).__name__}: {error}")
    return Proved(
        method="exhaustion",
        domain=domain(mechanism, prop, coalition),
        tool="rational arithmetic",
        argument={"kind": "exhaustive", "cases": total, "coalition": coalition},
    )


def check(
    mechanism: Mechanism, prop: Property, data: Mapping[str, Any], *, seconds: float
) -> Checked:
    """Play every case again, however long it takes."""
    argument = data["argument"]
    again = exhaust(mechanism, prop, deadline=None, coalition=argument["coalition"])
    stated = (data["method"], data["domain"], data["tool"])
    if not (isinstance(again, Proved) and again.argument == argument):
        return Checked(False, f"playing all cases again gives {type(again).__name__}")
    if stated != (again.method, again.domain, again.tool):
        return Checked(False, f"it says {stated} of itself, and is {again.domain!r}")
    return Checked(True, f"all {argument['cases']} cases were played again")


def explain(argument: Mapping[str, Any]) -> list[str]:
    """The argument in words."""
    return [
        f"All {argument.get('cases')} cases of the finite type space were played in rationals, "
        "and the margin was negative in none."
    ]


def domain(mechanism: Mechanism, prop: Property, coalition: int) -> str:
    """The domain of a proof by exhaustion in words."""
    return f"{finite_types(mechanism)}{beside(mechanism)}{sizes(prop, mechanism, coalition)}"


def finite_types(mechanism: Mechanism) -> str:
    """The setting and its finite type space in words."""
    return f"{mechanism.setting.name}, types in {extent(mechanism.setting.types)}"


def extent(space: Space) -> str:
    """Where a space lies: its finite sets, or the least and the largest of its bounds, and whether
    constraints leave out a part of that."""
    levels = space.levels or (None,)
    sets = {level for level in levels if level is not None}
    some = "" if space.constraints is None else ", with linear constraints"
    if None in levels:
        some = (", some of them discrete" if sets else "") + some
        return f"[{space.low.min()}, {space.high.max()}]{some}"
    shown = [f"{{{', '.join(str(v) for v in level)}}}" for level in sorted(sets)]
    return " × ".join(shown) + some


def beside(mechanism: Mechanism) -> str:
    """Where reports lie that are no types, and what is public."""
    setting = mechanism.setting
    shown: dict[str, Space] = {}
    if setting.reports is not None:
        shown["reports"] = setting.reports
    shown |= {name: of for name, of in setting.public.items() if isinstance(of, Space)}
    return "".join(f", {name} in {extent(space)}" for name, space in shown.items())


def sizes(prop: Property, mechanism: Mechanism, coalition: int) -> str:
    """How large coalitions are, how long cycles, and whose word the optimum is, for properties that
    speak of them."""
    if prop.name == "efficient":
        declared = mechanism.setting.first_best is not None
        return ", the first best being " + (
            "what the setting declares" if declared else "that of the outcomes that it lists"
        )
    checks = prop.sought(mechanism.setting)
    lengths = [c.family.removeprefix("cycle ") for c in checks if c.family.startswith("cycle ")]
    if lengths:
        return f", cycles of length {' and '.join(lengths)}"
    if not any(check.family == "coalition" for check in checks):
        return ""
    # One agent alone is no coalition here: of it speaks `ic`.
    largest = min(coalition, mechanism.setting.agents)
    return ", coalitions of 2" if largest == 2 else f", coalitions of 2 to {largest}"


def _played(mechanism: Mechanism, prop: Property, check: int, case: Case) -> Attempt | None:
    """What ends the proof in these cases: a violation, or a sign that stays open."""
    if prop.tie_free:
        rows = [case.rows(slice(k, k + 1)) for k in range(case.batch)]
        found = [margin_and_tie(mechanism, prop, check, row) for row in rows]
    else:
        found = [(margin, False) for margin in margins(mechanism, prop, check, case)]
    for row, (margin, tied) in enumerate(found):
        below = negative(margin)
        if below is None:
            return GaveUp("an enclosure of exp, log or a root leaves a sign open")
        if below:
            one = case.rows(slice(row, row + 1))
            if tied or (prop.tie_free and not robust(mechanism, prop, check, one)):
                return GaveUp("it fails at what may be a tie, where it is not claimed")
            return Found(check, one)
    return None


def cases(
    mechanism: Mechanism, family: str, who: tuple[int, ...], axes: list[list[np.ndarray]]
) -> Iterator[Case]:
    """All combinations of the columns' values, some hundred rows at a time."""
    slots = d.FAMILIES[family].slots(mechanism, who)
    columns = [(key, c) for key, axis in zip(slots, axes, strict=True) for c in range(len(axis))]
    choices = [range(len(g)) for axis in axes for g in axis]
    rows = itertools.product(*choices)
    tables = dict(zip(slots, axes, strict=True))
    while chunk := list(itertools.islice(rows, CHUNK)):
        arrays = {}
        for key, slot in slots.items():
            made = np.empty((len(chunk), len(slot.owners), *slot.space.coordinates), dtype=object)
            for at, (name, c) in enumerate(columns):
                if name == key:
                    picks = [row[at] for row in chunk]
                    made[:, c] = tables[key][c][picks]
            arrays[key] = made
        yield Case(family, who, arrays)
