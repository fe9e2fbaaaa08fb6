"""Where violations hide: profiles and misreports worth trying.

Uniform draws almost never tie and almost never meet a reserve, and mechanisms break exactly there.
Each batch is cut into stretches of rows, one tactic to a stretch: the prior, coarse rational grids,
ties, corners and zeros, scaled-down and very unequal profiles, the constants that occur in the
rule's own code, near-ties; for misreports also the other agents' reports and one unit beside them,
where allocations and payments have their breakpoints.
"""

from __future__ import annotations

import functools
import inspect
import types as python_types
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit.deviations import Family
from mechkit.lazy import lazy
from mechkit.mechanism import Mechanism
from mechkit.spaces import Space, repair
from mechkit.views import Case, Slot

DENOMINATORS = (1, 2, 3, 4, 5, 8, 10)
MAX_HINTS = 24


def hints(mechanism: Mechanism) -> np.ndarray:
    """Numbers in the code and closures of the rules and the setting: reserves, rates, costs."""
    found: dict[float, None] = {}
    seen: set[int] = set()

    def note(value: Any, depth: int) -> None:
        if id(value) in seen or depth > 4:
            return
        if isinstance(value, bool | str | bytes | complex) or value is None:
            return
        if isinstance(value, int | float | Fraction | np.number):
            if np.isfinite(float(value)):
                found.setdefault(float(value))
            return
        seen.add(id(value))
        if isinstance(value, np.ndarray):
            if value.dtype.kind in "if" and value.size <= 64:
                for entry in value.ravel():
                    note(entry, depth)
        elif isinstance(value, list | tuple | set | frozenset):
            for entry in list(value)[:64]:
                note(entry, depth + 1)
        elif isinstance(value, Mapping):
            for entry in list(value.values())[:64]:
                note(entry, depth + 1)
        elif isinstance(value, functools.partial):
            for part in (value.func, value.args, value.keywords):
                note(part, depth + 1)
        elif isinstance(value, python_types.MethodType):
            note(value.__func__, depth + 1)
        elif isinstance(value, python_types.FunctionType):
            code = value.__code__
            for constant in _constants(code):
                note(constant, depth + 1)
            for cell in value.__closure__ or ():
                try:
                    note(cell.cell_contents, depth + 1)
                except ValueError:  # a cell that is not filled yet
                    continue
            note(value.__defaults__ or (), depth + 1)
            note(value.__kwdefaults__ or {}, depth + 1)
            for name in code.co_names:
                held = value.__globals__.get(name)
                plain = isinstance(held, int | float | Fraction | tuple | list | np.ndarray)
                if plain or inspect.isfunction(held):
                    note(held, depth + 1)

    for rule in (mechanism.allocate, mechanism.pay, mechanism.outcome):
        note(rule, 0)
    note(mechanism.setting.constants, 0)
    space = mechanism.setting.report_space
    low, high = space.low_float.min(), space.high_float.max()
    inside = [v for v in found if low <= v <= high]
    return np.array(inside[:MAX_HINTS], dtype=float)


def _constants(code: python_types.CodeType) -> Iterator[Any]:
    for constant in code.co_consts:
        if isinstance(constant, python_types.CodeType):
            yield from _constants(constant)
        else:
            yield constant


class Sampler:
    """Draws cases of a mechanism; holds what every draw needs: spaces, hints, the prior."""

    def __init__(self, mechanism: Mechanism) -> None:
        self.mechanism = mechanism
        self.setting = mechanism.setting
        self.hints = hints(mechanism)
        self._pool = np.empty(0)

    def profiles(self, rng: np.random.Generator, batch: int) -> np.ndarray:
        """Profiles of true types (batch, agents, *coordinates), one tactic to a stretch."""
        return _spread(self.setting.types, self._profile_tactics, rng, batch)

    @lazy
    def _profile_tactics(self) -> list[tuple[float, Callable[..., np.ndarray]]]:
        tactics: list[tuple[float, Callable[..., np.ndarray]]] = [
            (0.22, lambda space, rng, batch: self.setting.sample(rng, batch)),
            (0.25, coarse),
            (0.18, tied),
            (0.12, corners),
            (0.12, unequal),
            (0.05, beside),
        ]
        if len(self.hints):
            tactics.append((0.06, self._at_hints))
        return tactics

    def _at_hints(self, space: Space, rng: np.random.Generator, batch: int) -> np.ndarray:
        points = coarse(space, rng, batch)
        at = rng.random(points.shape) < 0.4
        drawn = rng.choice(self.hints, size=points.shape)
        drawn = drawn + rng.choice([0.0, 0.0, -1.0, 1.0], size=points.shape) * _unit(
            space, rng, points.shape[0]
        )
        return np.where(at, drawn, points)

    def complete(
        self,
        family: Family,
        who: tuple[int, ...],
        types: np.ndarray,
        reports: np.ndarray,
        shared: Mapping[str, np.ndarray],
        rng: np.random.Generator,
        turn: int,
    ) -> Case:
        """A case on these profiles: the arrays that its family asks for beside the types.

        reports: what the agents report truthfully, from which misreports take their cue. shared:
        public arrays that were drawn with the profiles.
        """
        arrays: dict[str, np.ndarray] = {"types": types, **shared}
        for key, slot in family.slots(self.mechanism, who).items():
            if key in arrays:
                continue
            if key == "factor":
                arrays[key] = _factors(rng, len(types))
            elif key == "others":
                arrays[key] = _spread(slot.space, PUBLIC_TACTICS, rng, len(types))
            else:
                cue = types if key in ("cycle", "newcomer") else reports
                arrays[key] = self.lies(slot, cue, rng, turn)
        return Case(family.name, who, arrays)

    def publics(
        self, slots: Mapping[str, Slot], rng: np.random.Generator, batch: int
    ) -> dict[str, np.ndarray]:
        """The public arrays of a batch."""
        drawn = {}
        for key, slot in slots.items():
            if key.startswith("public."):
                drawn[key] = _spread(slot.space, PUBLIC_TACTICS, rng, batch)
        return drawn

    def lies(self, slot: Slot, cue: np.ndarray, rng: np.random.Generator, turn: int) -> np.ndarray:
        """Misreports (batch, k, *coordinates) for the owners of a slot, given a profile.

        One tactic serves a whole batch: the first owner's goes by turns, the others' are random.
        """
        owners, space = list(slot.owners), slot.space
        out = np.empty((len(cue), len(owners), *space.coordinates))
        for c, owner in enumerate(owners):
            tactic = LIE_TACTICS[(turn if c == 0 else rng.integers(64)) % len(LIE_TACTICS)]
            out[:, c] = self._lie(tactic, space, owner, cue, rng)
        if space.levels is None and space.floats is None:
            low, high = space.low_float[owners], space.high_float[owners]
            return np.clip(out, low, high, out=out)
        return repair(space, out, owners)

    def _uniforms(self, rng: np.random.Generator, rows: int, size: int) -> np.ndarray:
        """Uniform numbers (rows · size,) out of a pool: fresh ones cost as much as a rule."""
        if len(self._pool) < 4 * rows * size:
            self._pool = rng.random(4 * rows * size)
        at = int(rng.integers(0, len(self._pool) - rows * size + 1))
        return self._pool[at : at + rows * size].copy()

    def _lie(
        self, tactic: str, space: Space, owner: int, cue: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        low, span = space.low_float[owner], space.span[owner]
        mine = cue[:, owner]
        if tactic in ("own", "others"):
            near = mine
            if tactic == "others" and cue.shape[1] > 1:
                near = cue[:, (owner + rng.integers(1, cue.shape[1])) % cue.shape[1]]
            if tactic == "own" and rng.random() < 0.4:
                near = near * rng.choice([0.0, 0.5, 2.0])
            lie = near + rng.integers(-1, 2) * rng.choice(_units(space))
        else:
            lie = self._uniforms(rng, len(cue), space.size).reshape(len(cue), *space.coordinates)
            if tactic == "coarse":
                d = rng.choice(DENOMINATORS)
                np.round(lie * d, out=lie)
                lie /= d
            elif tactic == "corners":
                np.round(lie, out=lie)
            if tactic == "hints" and len(self.hints):
                lie = self.hints[(lie * len(self.hints)).astype(int)]
                lie = lie + rng.integers(-1, 2) * rng.choice(_units(space))
            else:
                lie = low + span * lie
        if space.size > 1 and rng.random() < 0.5:
            # Half the time one coordinate alone is moved.
            only = np.arange(space.size).reshape(space.coordinates) == rng.integers(space.size)
            lie = np.where(only, lie, mine)
        return lie


LIE_TACTICS = ("others", "uniform", "own", "others", "corners", "coarse", "others", "hints")


@functools.cache
def _cuts(batch: int, weights: tuple[float, ...]) -> tuple[slice, ...]:
    edges = np.round(np.cumsum(np.array(weights) / sum(weights)) * batch).astype(int)
    return tuple(slice(int(a), int(b)) for a, b in zip([0, *edges[:-1]], edges, strict=True))


def _stretches(batch: int, tactics: list[tuple[float, Any]]) -> Iterator[tuple[slice, Any]]:
    cuts = _cuts(batch, tuple(weight for weight, _ in tactics))
    for rows, (_, tactic) in zip(cuts, tactics, strict=True):
        if rows.stop > rows.start:
            yield rows, tactic


def _spread(
    space: Space,
    tactics: list[tuple[float, Callable[..., np.ndarray]]],
    rng: np.random.Generator,
    batch: int,
) -> np.ndarray:
    """Points of a space (batch, *space.shape), one tactic to a stretch of rows."""
    points = np.empty((batch, *space.shape))
    for rows, tactic in _stretches(batch, tactics):
        points[rows] = tactic(space, rng, rows.stop - rows.start)
    return repair(space, points)


def _units(space: Space) -> list[float]:
    """Steps from a thousandth of the range to a quarter, and whole units where they fit."""
    span = float(space.span.max()) or 1.0
    whole = [1.0, 0.5] if span >= 4 else []
    return [span / 1000, span / 100, span / 10, span / 8, span / 4, *whole]


def _unit(space: Space, rng: np.random.Generator, batch: int) -> np.ndarray:
    """A step per row."""
    return rng.choice(_units(space), size=(batch, *[1] * len(space.shape)))


def _coarse_in_place(
    part: np.ndarray, low: np.ndarray, span: np.ndarray, rng: np.random.Generator
) -> None:
    parts = np.array(DENOMINATORS, dtype=float)
    d = rng.choice(parts, size=(len(part), *[1] * (part.ndim - 1)))
    np.round(part * d, out=part)
    part /= d
    part *= span
    part += low


def coarse(space: Space, rng: np.random.Generator, batch: int) -> np.ndarray:
    """Each profile on a grid of a small denominator."""
    points = rng.random((batch, *space.shape))
    _coarse_in_place(points, space.low_float, space.span, rng)
    return points


def tied(space: Space, rng: np.random.Generator, batch: int) -> np.ndarray:
    """Some agents copy another's type, in full or in one coordinate."""
    points = coarse(space, rng, batch)
    half = batch // 2
    points[:half] = space.low_float + space.span * rng.random((half, *space.shape))
    source = rng.integers(0, space.agents, size=(batch, space.agents))
    copies = np.take_along_axis(
        points, source.reshape(batch, space.agents, *[1] * len(space.coordinates)), axis=1
    )
    follows = rng.random(points.shape) < 0.5
    return np.where(follows, copies, points)


def corners(space: Space, rng: np.random.Generator, batch: int) -> np.ndarray:
    """Coordinates at the bounds, some in between."""
    points = coarse(space, rng, batch)
    u = rng.random(points.shape)
    points = np.where(u < 0.4, space.low_float, points)
    return np.where(u > 0.75, space.high_float, points)


def unequal(space: Space, rng: np.random.Generator, batch: int) -> np.ndarray:
    """Scaled-down profiles, and types of very different sizes."""
    points = space.span * rng.random((batch, *space.shape))
    flat = [1] * (points.ndim - 1)
    whole = 10.0 ** -(4 * rng.random((batch, *flat)))
    each = 10.0 ** -(4 * rng.random(points.shape))
    return space.low_float + points * np.where(rng.random((batch, *flat)) < 0.5, whole, each)


def beside(space: Space, rng: np.random.Generator, batch: int) -> np.ndarray:
    """Every type one unit beside another's."""
    points = tied(space, rng, batch)
    step = rng.integers(-1, 2, size=points.shape)
    return points + step * _unit(space, rng, batch)


def plain(space: Space, rng: np.random.Generator, batch: int) -> np.ndarray:
    """Uniform in the box."""
    return space.low_float + space.span * rng.random((batch, *space.shape))


PUBLIC_TACTICS: list[tuple[float, Callable[..., np.ndarray]]] = [
    (0.4, plain),
    (0.25, coarse),
    (0.15, corners),
    (0.2, tied),
]


def _factors(rng: np.random.Generator, batch: int) -> np.ndarray:
    """Common factors: small rationals and anything between 1/64 and 64."""
    simple = rng.choice([0.5, 2.0, 0.25, 4.0, 1.5, 2 / 3, 0.1, 10.0], size=(batch, 1))
    spread = 2.0 ** (12 * rng.random((batch, 1)) - 6)
    return np.where(rng.random((batch, 1)) < 0.5, simple, spread)


def mutate(case: Case, slots: Mapping[str, Slot], rng: np.random.Generator, step: float) -> Case:
    """Every row of a case changed a little: a step, a copy, a rounding of some coordinates."""
    arrays: dict[str, np.ndarray] = {}
    for key, array in case.arrays.items():
        slot = slots[key]
        shape = (1, -1, *slot.space.coordinates)
        span = slot.space.span[list(slot.owners)].reshape(shape)
        low = slot.space.low_float[list(slot.owners)].reshape(shape)
        u = rng.random(array.shape)
        moved = array + np.where(u < 0.3, rng.normal(size=array.shape) * step, 0.0) * span
        d = rng.choice(
            np.array(DENOMINATORS, dtype=float) * 4, size=(len(array), *[1] * (array.ndim - 1))
        )
        snapped = low + np.round((moved - low) / np.where(span > 0, span, 1) * d) / d * span
        moved = np.where((u > 0.3) & (u < 0.4), snapped, moved)
        if array.shape[1] > 1:
            moved = np.where((u > 0.4) & (u < 0.47), np.roll(moved, 1, axis=1), moved)
        arrays[key] = repair(slot.space, np.ascontiguousarray(moved), slot.owners)
    if "lies" in arrays and arrays["lies"].shape[2:] == arrays["types"].shape[2:]:
        # Misreports that sit on somebody's type are where rules break.
        u = rng.random(arrays["lies"].shape[:1])
        pick = rng.integers(0, arrays["types"].shape[1], size=len(u))
        copied = arrays["types"][np.arange(len(u)), pick][:, None]
        wide = (u < 0.15).reshape(-1, *[1] * (arrays["lies"].ndim - 1))
        space, owners = slots["lies"].space, slots["lies"].owners
        arrays["lies"] = repair(space, np.where(wide, copied, arrays["lies"]), owners)
    return Case(case.family, case.who, arrays)
