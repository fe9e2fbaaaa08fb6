"""The smallest witness: fewest agents involved, then fewest non-zero numbers, then the simplest.

A case is simplified coordinate by coordinate (and in pairs) as long as it still violates: floats
propose, the exact replay decides. What is smallest is one order, `size`, and the search for it ends
when no move makes the case smaller.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from mechkit import deviations as d
from mechkit.deviations import Case, Slot
from mechkit.errors import MechkitError, RuleTimeout
from mechkit.mechanism import Mechanism
from mechkit.properties import Property
from mechkit.replay import OPAQUE_GAIN, float_margin, margins, negative, valid

Point = tuple[Fraction, ...]
EXACT_TRIES = 12
PAIR_VALUES = 9
DENOMINATORS = (1, 2, 3, 4, 5, 6, 8, 10)


@lru_cache(maxsize=1 << 16)
def cost(x: Fraction) -> int:
    """How simple a number is: 0 is simplest, then 1, 1/2, 2, …; denominators weigh most."""
    return 0 if x == 0 else 4 * (x.denominator - 1) + abs(x.numerator)


class Shape:
    """How a case's arrays flatten to a tuple of coordinates, each owned by an agent."""

    def __init__(self, mechanism: Mechanism, case: Case) -> None:
        self.mechanism, self.case = mechanism, case
        self.slots: Mapping[str, Slot] = d.slots(mechanism, case)
        self.keys = list(case.arrays)
        owners: list[tuple[str, int]] = []
        lows: list[Fraction] = []
        highs: list[Fraction] = []
        for key in self.keys:
            slot = self.slots[key]
            for owner in slot.owners:
                group = "public" if key.startswith("public.") or key == "factor" else "agent"
                owners += [(group, owner)] * slot.space.size
                lows += slot.space.low[[owner]].reshape(-1).tolist()
                highs += slot.space.high[[owner]].reshape(-1).tolist()
        self.owners, self.lows, self.highs = owners, lows, highs
        # The number that counts as nothing: zero, or the bound nearest to it; no scaling is 1.
        self.rest = tuple(
            min(max(Fraction(0), low), high) for low, high in zip(lows, highs, strict=True)
        )
        if "factor" in case.arrays:
            self.rest = (*self.rest[:-1], Fraction(1)) if self.keys[-1] == "factor" else self.rest

    def point(self, case: Case) -> Point:
        return tuple(x for key in self.keys for x in case.arrays[key].reshape(-1))

    def cases(self, points: list[Point]) -> Case:
        """A batch of points as an exact case."""
        flat = np.empty((len(points), len(self.owners)), dtype=object)
        for k, point in enumerate(points):
            flat[k] = point
        arrays, at = {}, 0
        for key in self.keys:
            shape = self.case.arrays[key].shape[1:]
            size = int(np.prod(shape, dtype=int))
            arrays[key] = flat[:, at : at + size].reshape(len(points), *shape)
            at += size
        return Case(self.case.family, self.case.who, arrays)

    def size(self, point: Point) -> tuple[Any, ...]:
        """The order of witnesses, smaller first."""
        moved = [x != r for x, r in zip(point, self.rest, strict=True)]
        involved = {owner for owner, m in zip(self.owners, moved, strict=True) if m}
        # Two types that differ by an order alone are settled by where the numbers stand.
        return (
            len(involved),
            sum(moved),
            sum(cost(x) for x, m in zip(point, moved, strict=True) if m),
            tuple(-x for x in point),
        )


def shrink(
    mechanism: Mechanism,
    prop: Property,
    check: int,
    case: Case,
    arithmetic: str,
    *,
    deadline: float | None = None,
) -> Case:
    """The smallest exact case (one row) reachable by moves that keep the violation.

    Other agents of the same roles are tried in the place of those who act, lowest index first.
    deadline: on the clock of time.monotonic; what is smallest by then is returned.
    """
    if arithmetic == "float64":
        case = Case(
            case.family,
            case.who,
            {k: _fractions(a) for k, a in case.arrays.items()},
        )
    best = _simplified(mechanism, prop, check, case, arithmetic, deadline)
    for renamed in _renamed(mechanism, best):
        shape = Shape(mechanism, renamed)
        judge = _Judge(mechanism, prop, check, shape, arithmetic)
        if valid(renamed, mechanism).all() and judge.violates(renamed):
            other = _simplified(mechanism, prop, check, renamed, arithmetic, deadline)
            if _rank(mechanism, other) < _rank(mechanism, best):
                best = other
    if arithmetic == "float64":
        arrays = {k: a.astype(float) for k, a in best.arrays.items()}
        return Case(best.family, best.who, arrays)
    return best


def _rank(mechanism: Mechanism, case: Case) -> tuple[Any, ...]:
    shape = Shape(mechanism, case)
    return (shape.size(shape.point(case))[:3], case.who)


RENAMINGS = 3


def _renamed(mechanism: Mechanism, case: Case) -> Iterator[Case]:
    """The case with the agents who act exchanged for others of their roles, lowest first."""
    roles = mechanism.setting.roles
    acting = [
        who
        for who in d.FAMILIES[case.family].targets(mechanism.setting)
        if len(who) == len(case.who)
        and who != case.who
        and [roles[i] for i in who] == [roles[i] for i in case.who]
    ] if mechanism.setting.agents <= 64 else []
    for who in acting[:RENAMINGS]:
        order = list(range(mechanism.setting.agents))
        for mine, other in zip(case.who, who, strict=True):
            a, b = order.index(mine), order.index(other)
            order[a], order[b] = order[b], order[a]
        arrays = {
            key: array[:, order] if key in ("types", "others") else array
            for key, array in case.arrays.items()
        }
        yield Case(case.family, who, arrays)


def _simplified(
    mechanism: Mechanism,
    prop: Property,
    check: int,
    case: Case,
    arithmetic: str,
    deadline: float | None,
) -> Case:
    shape = Shape(mechanism, case)
    judge = _Judge(mechanism, prop, check, shape, arithmetic)
    point = shape.point(case)
    while True:
        better = None
        for moves in _stages(shape, point):
            if deadline is not None and time.monotonic() > deadline:
                break
            better = judge.best(point, moves)
            if better is not None:
                break
        if better is None:
            break
        point = better
    return shape.cases([point])


def _fractions(array: np.ndarray) -> np.ndarray:
    made = np.empty(array.shape, dtype=object)
    for at, x in np.ndenumerate(array):
        made[at] = Fraction(float(x))
    return made


class _Judge:
    """Which of many candidate points still violate: floats first, then exactly."""

    def __init__(
        self, mechanism: Mechanism, prop: Property, check: int, shape: Shape, arithmetic: str
    ) -> None:
        self.mechanism, self.prop, self.check = mechanism, prop, check
        self.shape, self.arithmetic = shape, arithmetic
        self.least = OPAQUE_GAIN * mechanism.setting.types.scale

    def best(self, point: Point, moves: Iterable[Point]) -> Point | None:
        """The smallest candidate below `point` that still violates, or None."""
        bar = self.shape.size(point)
        sized = [(size, p) for p in dict.fromkeys(moves) if (size := self.shape.size(p)) < bar]
        if not sized:
            return None
        sized.sort(key=lambda pair: pair[0])
        case = self.shape.cases([p for _, p in sized])
        ok = valid(case, self.mechanism)
        margin = self._floats(case)
        hopeful = np.flatnonzero(ok & (margin < -1e-12))
        for k in hopeful[:EXACT_TRIES]:
            if self.violates(case.rows(slice(int(k), int(k) + 1))):
                return sized[int(k)][1]
        return None

    def _floats(self, case: Case) -> np.ndarray:
        arrays = {k: a.astype(float) for k, a in case.arrays.items()}
        try:
            with np.errstate(all="ignore"):
                view = d.view(self.mechanism, Case(case.family, case.who, arrays))
                check = self.prop.checks(self.mechanism.setting)[self.check]
                margin = np.asarray(check.margin(view), dtype=float)
        except RuleTimeout:
            raise
        except MechkitError:
            return np.zeros(case.batch)
        return margin.reshape(case.batch, -1).min(axis=1)

    def violates(self, case: Case) -> bool:
        try:
            if self.arithmetic == "float64":
                return float_margin(self.mechanism, self.prop, self.check, case) <= -self.least
            return bool(negative(margins(self.mechanism, self.prop, self.check, case)[0]))
        except (RuleTimeout, MemoryError):
            raise
        except Exception:  # noqa: BLE001  (a candidate on which the rule fails is no witness)
            return False


def _stages(shape: Shape, point: Point) -> Iterator[Iterable[Point]]:
    """Moves from the boldest to the finest."""
    yield _without_agents(shape, point)
    yield _rounded(shape, point)
    yield _one_by_one(shape, point)
    yield _in_pairs(shape, point)


def _without_agents(shape: Shape, point: Point) -> Iterator[Point]:
    """All that one agent, or two, has at rest; then single coordinates."""
    agents = list(dict.fromkeys(shape.owners))
    groups = [{a} for a in agents] + [set(pair) for pair in itertools.combinations(agents[:8], 2)]
    for group in groups:
        yield tuple(
            r if owner in group else x
            for x, r, owner in zip(point, shape.rest, shape.owners, strict=True)
        )
    for k, r in enumerate(shape.rest):
        yield (*point[:k], r, *point[k + 1 :])


def _rounded(shape: Shape, point: Point) -> Iterator[Point]:
    """Every number on one coarse grid; the profile scaled so that its largest number is simple."""
    for q in DENOMINATORS:
        yield tuple(Fraction(round(x * q), q) for x in point)
    top = max((abs(x) for x in point), default=Fraction(0))
    if top:
        for target in dict.fromkeys((*shape.highs[:1], Fraction(1))):
            yield tuple(x / top * target for x in point)
    for q in DENOMINATORS:
        yield tuple(
            low + Fraction(round((x - low) / (high - low) * q), q) * (high - low)
            if high > low
            else x
            for x, low, high in zip(point, shape.lows, shape.highs, strict=True)
        )


def _one_by_one(shape: Shape, point: Point) -> Iterator[Point]:
    for k in range(min(len(point), 64)):
        for value in _simple(shape, point, k, 60):
            yield (*point[:k], value, *point[k + 1 :])


def _in_pairs(shape: Shape, point: Point) -> Iterator[Point]:
    """Two coordinates at once; equal coordinates together."""
    moving = [k for k, r in enumerate(shape.rest) if point[k] != r][:10]
    for j, k in itertools.combinations(moving, 2):
        for a in _simple(shape, point, j, PAIR_VALUES):
            for b in _simple(shape, point, k, PAIR_VALUES):
                yield (*point[:j], a, *point[j + 1 : k], b, *point[k + 1 :])
    for value in dict.fromkeys(point[k] for k in moving):
        for simple in _simple(shape, point, point.index(value), 40):
            yield tuple(simple if x == value else x for x in point)
    for k in moving:
        # Hand a number over to a coordinate at rest: a violation that needs one trader may not
        # care which, and the first one reads best.
        for j in range(min(len(point), 16)):
            if j != k:
                moved = list(point)
                moved[j], moved[k] = point[k], point[j]
                yield tuple(moved)


def _simple(shape: Shape, point: Point, k: int, most: int) -> list[Fraction]:
    """Simple values for coordinate k, the simplest first."""
    low, high = shape.lows[k], shape.highs[k]
    near = {x for x in point if low <= x <= high}
    found = set(_ladder(low, high)) | near | {low, high, shape.rest[k]}
    between = [(x + y) / 2 for x, y in itertools.pairwise(sorted(near))]
    found.update(x for x in between if low <= x <= high)
    return sorted(found, key=lambda x: (cost(x), x))[:most]


@lru_cache(maxsize=256)
def _ladder(low: Fraction, high: Fraction) -> tuple[Fraction, ...]:
    """Numbers with small denominators in [low, high], a few dozen at most."""
    found: set[Fraction] = set()
    for q in DENOMINATORS:
        first, last = -(-low * q // 1), high * q // 1
        count = last - first + 1
        step = max(1, int(count) // 12)
        found.update(Fraction(p, q) for p in range(int(first), int(last) + 1, step))
    found.update(x for x in (Fraction(1), Fraction(2), Fraction(10)) if low <= x <= high)
    return tuple(sorted(found, key=lambda x: (cost(x), x))[:80])
