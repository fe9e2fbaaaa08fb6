"""A property on a mechanism as a program: unknown numbers in, margins out.

Each check of a property and each `who` that it ranges over is one problem: all coordinates of the
case's arrays are unknowns in a box (with linear constraints, and levels where there are any), and
the unchanged margin of the unchanged rules is the program, in any arithmetic of `proofs`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit import deviations as d
from mechkit.mechanism import Mechanism
from mechkit.properties import Property
from mechkit.settings import Lottery
from mechkit.spaces import Space, contains
from mechkit.views import Case, Slot

Level = tuple[Fraction, ...] | None


@dataclass(frozen=True, eq=False)
class Problem:
    """One check for one `who`: show that every margin is ≥ 0 for all values of the unknowns.

    lows, highs, levels: for each unknown coordinate, in the order of the slots' arrays. picks:
    the coordinates that number the draws of a lottery, which are taken one by one.
    """

    mechanism: Mechanism
    prop: Property
    check: int
    family: str
    who: tuple[int, ...]
    slots: dict[str, Slot]
    lows: tuple[Fraction, ...]
    highs: tuple[Fraction, ...]
    levels: tuple[Level, ...]
    picks: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many unknowns there are."""
        return len(self.lows)

    def case(self, unknowns: Any) -> Case:
        """The one-row case whose coordinates are the unknowns (size,), in their arithmetic."""
        arrays, at = {}, 0
        for key, slot in self.slots.items():
            shape = (1, len(slot.owners), *slot.space.coordinates)
            count = int(np.prod(shape, dtype=int))
            arrays[key] = np.reshape(unknowns[at : at + count], shape)
            at += count
        return Case(self.family, self.who, arrays)

    def margins(self, unknowns: Any) -> Any:
        """The margins at the unknowns, flattened."""
        view = d.view(self.mechanism, self.case(unknowns))
        margin = self.prop.checks(self.mechanism.setting)[self.check].margin(view)
        return np.reshape(margin, (-1,))

    def constraints(self) -> tuple[list[list[Fraction]], list[Fraction]]:
        """A and b with A x ≤ b for all unknowns x together."""
        rows: list[list[Fraction]] = []
        bounds: list[Fraction] = []
        at = 0
        for slot in self.slots.values():
            size = slot.space.size
            for _ in slot.owners:
                if slot.space.constraints is not None:
                    a, b = slot.space.constraints
                    for row, bound in zip(a, b, strict=True):
                        full = [Fraction(0)] * self.size
                        full[at : at + size] = [Fraction(x) for x in row]
                        rows.append(full)
                        bounds.append(Fraction(bound))
                at += size
        return rows, bounds

    def draws(self) -> Iterator[dict[int, Fraction]]:
        """Every choice of the lotteries' draws, by coordinate."""
        sets = [level for k in self.picks if (level := self.levels[k])]
        assert len(sets) == len(self.picks)
        for choice in itertools.product(*sets):
            yield dict(zip(self.picks, choice, strict=True))

    def boxes(self, most: int) -> Iterator[list[tuple[Fraction, Fraction]]]:
        """The box once for each choice of the levels, which are then constants in it.

        Raises ValueError where there are more than `most` choices.
        """
        discrete = [k for k, level in enumerate(self.levels) if level is not None]
        sets = [
            [v for v in self.levels[k] or () if self.lows[k] <= v <= self.highs[k]]
            for k in discrete
        ]
        count = int(np.prod([len(s) for s in sets], dtype=float))
        if count > most:
            raise ValueError(f"{count} choices of the discrete types, more than {most}")
        for choice in itertools.product(*sets):
            box = list(zip(self.lows, self.highs, strict=True))
            for k, value in zip(discrete, choice, strict=True):
                box[k] = (value, value)
            yield box


def problems(mechanism: Mechanism, prop: Property, coalition: int = 2) -> list[Problem]:
    """Every problem that must be solved for a property to hold."""
    found = []
    for k, check in enumerate(prop.sought(mechanism.setting)):
        family = d.FAMILIES[check.family]
        for who in d.every_target(family, mechanism.setting, coalition):
            slots = family.slots(mechanism, who)
            known = coordinates(mechanism, slots)
            found.append(Problem(mechanism, prop, k, check.family, who, slots, *known))
    return found


def coordinates(
    mechanism: Mechanism, slots: Mapping[str, Slot]
) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...], tuple[Level, ...], tuple[int, ...]]:
    """What is known of each coordinate of some slots: lows, highs, levels; and the picks."""
    lows: list[Fraction] = []
    highs: list[Fraction] = []
    levels: list[Level] = []
    picks: list[int] = []
    for key, slot in slots.items():
        name = key.removeprefix("public.")
        source = mechanism.setting.public.get(name) if name != key else None
        for owner in slot.owners:
            if isinstance(source, Lottery):
                picks.append(len(lows))
            lows += slot.space.low[[owner]].reshape(-1).tolist()
            highs += slot.space.high[[owner]].reshape(-1).tolist()
            levels += slot.space.levels or (None,) * slot.space.size
    return tuple(lows), tuple(highs), tuple(levels), tuple(picks)


def inhabited(mechanism: Mechanism) -> bool:
    """Whether every space of the setting has a member, found exactly: else all would hold."""
    setting = mechanism.setting
    spaces = [setting.types, setting.report_space]
    spaces += [source for source in setting.public.values() if isinstance(source, Space)]
    return all(space.constraints is None or _member(space) for space in spaces)


def _member(space: Space) -> bool:
    inside = space.member if space.levels is not None else space.centre
    for most in (10, 1000, 10**6, 10**12):
        exact = np.empty((1, *space.shape), dtype=object)
        for at, x in np.ndenumerate(inside.reshape(space.shape)):
            exact[(0, *at)] = Fraction(float(x)).limit_denominator(most)
        if contains(space, exact).all():
            return True
    return False
