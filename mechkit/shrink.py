"""The smallest witness: fewest agents involved, then fewest non-zero numbers, then the simplest.

A case is simplified coordinate by coordinate (and in pairs) as long as it still violates: floats
propose, the exact replay decides. What is smallest is one order, `Here.after`, and the search for
it ends when no move makes the case smaller.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache

import numpy as np

from mechkit import deviations as d
from mechkit.errors import MechkitError, RuleTimeout
from mechkit.mechanism import Mechanism
from mechkit.properties import Property
from mechkit.replay import float_margin, margins, negative, valid
from mechkit.views import Case, Slot

Move = Mapping[int, Fraction]
"""New values for some coordinates."""
Size = tuple[int, int, int, int]
EXACT_TRIES = 12
CANDIDATES = 4096
PAIR_VALUES = 9
RENAMINGS = 3
DENOMINATORS = (1, 2, 3, 4, 5, 6, 8, 10)


def shrink(
    mechanism: Mechanism,
    prop: Property,
    check: int,
    case: Case,
    arithmetic: str,
    deadline: float | None = None,
) -> Case:
    """The smallest exact case (one row) reachable by moves that keep the violation.

    Other agents of the same roles are tried in the place of those who act, lowest index first.
    deadline: on the clock of time.monotonic; what is smallest by then is returned.
    """
    if arithmetic == "float64":
        case = Case(case.family, case.who, {k: _fractions(a) for k, a in case.arrays.items()})
    judge = _Judge(mechanism, prop, check, arithmetic, deadline)
    best = _simplified(judge, case)
    for renamed in _renamed(mechanism, best.case()):
        if judge.late():
            break
        if valid(renamed, mechanism).all() and judge.violates(renamed):
            other = _simplified(judge, renamed)
            if (other.size, other.shape.case.who) < (best.size, best.shape.case.who):
                best = other
    found = best.case()
    if arithmetic == "float64":
        arrays = {k: a.astype(float) for k, a in found.arrays.items()}
        return Case(found.family, found.who, arrays)
    return found


def _fractions(array: np.ndarray) -> np.ndarray:
    made = np.empty(array.shape, dtype=object)
    for at, x in np.ndenumerate(array):
        made[at] = Fraction(float(x))
    return made


def _simplified(judge: _Judge, case: Case) -> Here:
    shape = Shape(judge.mechanism, case)
    here = Here(shape, [x for key in shape.keys for x in case.arrays[key].reshape(-1)])
    while True:
        better = None
        for moves in _stages(here):
            if judge.late():
                return here
            if (better := judge.best(here, moves)) is not None:
                break
        if better is None:
            return here
        here = better


def _renamed(mechanism: Mechanism, case: Case) -> Iterator[Case]:
    """The case with the agents who act exchanged for others of their roles, lowest first."""
    roles, agents = mechanism.setting.roles, mechanism.setting.agents
    if agents > 64:
        return
    acting = [
        who
        for who in d.FAMILIES[case.family].targets(mechanism.setting)
        if len(who) == len(case.who)
        and who != case.who
        and [roles[i] for i in who] == [roles[i] for i in case.who]
    ]
    for who in acting[:RENAMINGS]:
        order = list(range(agents))
        for mine, other in zip(case.who, who, strict=True):
            a, b = order.index(mine), order.index(other)
            order[a], order[b] = order[b], order[a]
        arrays = {
            key: array[:, order] if key in ("types", "others") else array
            for key, array in case.arrays.items()
        }
        yield Case(case.family, who, arrays)


# The order of witnesses --------------------------------------------------------------------------


@lru_cache(maxsize=1 << 16)
def cost(x: Fraction) -> int:
    """How simple a number is: 0 is simplest, then 1, 2, …, 1/2, …; denominators weigh most."""
    return 0 if x == 0 else 4 * (x.denominator - 1) + abs(x.numerator)


class Shape:
    """How a case's arrays flatten to coordinates, each owned by an agent."""

    def __init__(self, mechanism: Mechanism, case: Case) -> None:
        self.case, self.keys = case, list(case.arrays)
        slots: Mapping[str, Slot] = d.slots(mechanism, case)
        self.owners: list[tuple[str, int]] = []
        self.lows: list[Fraction] = []
        self.highs: list[Fraction] = []
        self.rest: list[Fraction] = []
        for key in self.keys:
            space, owners = slots[key].space, slots[key].owners
            group = "public" if key.startswith("public.") or key == "factor" else "agent"
            for owner in owners:
                low = space.low[[owner]].reshape(-1).tolist()
                high = space.high[[owner]].reshape(-1).tolist()
                self.owners += [(group, owner)] * space.size
                self.lows += low
                self.highs += high
                # What counts as nothing: zero or the bound nearest to it; scaling by 1.
                nothing = Fraction(1 if key == "factor" else 0)
                self.rest += [min(max(nothing, a), b) for a, b in zip(low, high, strict=True)]

    def split(self, flat: np.ndarray) -> Case:
        """Coordinates (batch, all of them) as a case."""
        arrays, at = {}, 0
        for key in self.keys:
            shape = self.case.arrays[key].shape[1:]
            size = int(np.prod(shape, dtype=int))
            arrays[key] = flat[:, at : at + size].reshape(len(flat), *shape)
            at += size
        return Case(self.case.family, self.case.who, arrays)


class Here:
    """A point of the descent, with the bookkeeping that makes a move's size cheap."""

    def __init__(self, shape: Shape, point: list[Fraction]) -> None:
        self.shape, self.point = shape, point
        self.moved = [x != r for x, r in zip(point, shape.rest, strict=True)]
        self.involved = Counter(o for o, m in zip(shape.owners, self.moved, strict=True) if m)
        self.size: Size = (
            len(self.involved),
            sum(self.moved),
            sum(cost(x) for x, m in zip(point, self.moved, strict=True) if m),
            sum(k for k, m in enumerate(self.moved) if m),
        )

    def after(self, move: Move) -> Size:
        """The size of the point after a move: agents involved, numbers that are not at rest, how
        simple these are, and (of equals) how early they stand."""
        _, count, price, place = self.size
        change: dict[tuple[str, int], int] = {}
        for k, x in move.items():
            owner = self.shape.owners[k]
            if self.moved[k]:
                count, price, place = count - 1, price - cost(self.point[k]), place - k
                change[owner] = change.get(owner, 0) - 1
            if x != self.shape.rest[k]:
                count, price, place = count + 1, price + cost(x), place + k
                change[owner] = change.get(owner, 0) + 1
        involved = len(self.involved)
        for owner, step in change.items():
            before = self.involved[owner]
            involved += (before + step > 0) - (before > 0)
        return (involved, count, price, place)

    def moving(self, move: Move) -> Here:
        """The point that a move leads to."""
        point = list(self.point)
        for k, x in move.items():
            point[k] = x
        return Here(self.shape, point)

    def case(self) -> Case:
        """The point as an exact case of one row."""
        flat = np.empty((1, len(self.point)), dtype=object)
        flat[0] = self.point
        return self.shape.split(flat)


class _Judge:
    """Which of many moves still violate: floats first, then exactly."""

    def __init__(
        self,
        mechanism: Mechanism,
        prop: Property,
        check: int,
        arithmetic: str,
        deadline: float | None,
    ) -> None:
        self.mechanism, self.prop, self.check = mechanism, prop, check
        self.arithmetic, self.deadline = arithmetic, deadline

    def best(self, here: Here, moves: Iterable[Move]) -> Here | None:
        """The smallest point below `here` that a move reaches and that still violates, or None."""
        sized = [
            (size, k, move)
            for k, move in enumerate(moves)
            if (size := here.after(move)) < here.size
        ]
        sized.sort(key=lambda triple: triple[:2])
        del sized[CANDIDATES:]
        if not sized:
            return None
        at, width = 0, 64
        while at < len(sized):
            if self.late():
                return None
            began = time.monotonic()
            chunk = sized[at : at + width]
            if (found := self._first(here, [move for _, _, move in chunk])) is not None:
                return found
            at, width = at + width, 4 * width
            if self.deadline is not None:
                # No more than a slow rule is through with in time.
                each = max(1e-9, time.monotonic() - began) / len(chunk)
                width = int(min(width, max(16, (self.deadline - time.monotonic()) / each)))
        return None

    def late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def _first(self, here: Here, moves: list[Move]) -> Here | None:
        """The first of some moves, smallest first, that still violates."""
        flat = np.tile(np.array(here.point, dtype=float), (len(moves), 1))
        for row, move in zip(flat, moves, strict=True):
            for k, x in move.items():
                row[k] = x
        # Floats propose: what they call a violation of any size is worth an exact look.
        hopeful = np.flatnonzero(self._floats(here.shape.split(flat)) < 0)
        for k in hopeful[:EXACT_TRIES]:
            if self.late():
                return None
            there = here.moving(moves[int(k)])
            case = there.case()
            if valid(case, self.mechanism).all() and self.violates(case):
                return there
        return None

    def _floats(self, case: Case) -> np.ndarray:
        try:
            with np.errstate(all="ignore"):
                view = d.view(self.mechanism, case)
                check = self.prop.checks(self.mechanism.setting)[self.check]
                margin = np.asarray(check.margin(view), dtype=float)
        except RuleTimeout:
            raise
        except MechkitError:
            return np.zeros(case.batch)
        return margin.reshape(case.batch, -1).min(axis=1)

    def violates(self, case: Case) -> bool:
        """Whether a one-row exact case violates, in the arithmetic of the witness."""
        try:
            if self.arithmetic == "float64":
                return float_margin(self.mechanism, self.prop, self.check, case) < 0
            return bool(negative(margins(self.mechanism, self.prop, self.check, case)[0]))
        except (RuleTimeout, MemoryError):
            raise
        except Exception:
            # A candidate on which the rule fails is no witness.
            return False


# Moves -------------------------------------------------------------------------------------------


def _stages(here: Here) -> Iterator[Iterable[Move]]:
    """Moves from the boldest to the finest."""
    yield _without_agents(here)
    yield _rounded(here)
    yield _one_by_one(here)
    yield _in_pairs(here)


def _without_agents(here: Here) -> Iterator[Move]:
    """Everything that some agents have put at rest: halves of the crowd, down to one agent; then
    single coordinates."""
    agents, rest = list(here.involved), here.shape.rest
    width = len(agents)
    groups: list[set[tuple[str, int]]] = []
    while width >= 1 and agents:
        groups += [set(agents[k : k + width]) for k in range(0, len(agents), width)][:64]
        width //= 2
    groups += [set(pair) for pair in itertools.combinations(agents[:8], 2)]
    for group in groups:
        yield {
            k: rest[k]
            for k, owner in enumerate(here.shape.owners)
            if owner in group and here.moved[k]
        }
    for k in _moving(here):
        yield {k: rest[k]}


def _moving(here: Here, most: int = 64) -> list[int]:
    return [k for k, m in enumerate(here.moved) if m][:most]


def _rounded(here: Here) -> Iterator[Move]:
    """Every number on one coarse grid; the profile scaled so that its largest number is simple."""
    moving, point = [k for k, m in enumerate(here.moved) if m], here.point
    lows, highs = here.shape.lows, here.shape.highs
    for q in DENOMINATORS:
        yield {k: Fraction(round(point[k] * q), q) for k in moving}
        yield {
            k: lows[k] + Fraction(round((point[k] - lows[k]) / span * q), q) * span
            for k in moving
            if (span := highs[k] - lows[k]) > 0
        }
    top = max((abs(point[k]) for k in moving), default=Fraction(0))
    if top:
        for target in {highs[0], Fraction(1)}:
            yield {k: point[k] / top * target for k in moving}


def _one_by_one(here: Here) -> Iterator[Move]:
    for k in range(min(len(here.point), 64)):
        for value in _simple(here, k, 60):
            yield {k: value}


def _in_pairs(here: Here) -> Iterator[Move]:
    """Two coordinates at once; equal coordinates together; a number handed to another place."""
    moving, point = _moving(here, 10), here.point
    for j, k in itertools.combinations(moving, 2):
        seconds = _simple(here, k, PAIR_VALUES)
        for a in _simple(here, j, PAIR_VALUES):
            for b in seconds:
                yield {j: a, k: b}
    for value in dict.fromkeys(point[k] for k in moving):
        for simple in _simple(here, point.index(value), 40):
            yield {k: simple for k in moving if point[k] == value}
    for k in moving:
        # A violation that needs one trader may not care which: the first one reads best.
        for j in range(min(k, 16)):
            yield {j: point[k], k: point[j]}


def _simple(here: Here, k: int, most: int) -> list[Fraction]:
    """Simple values for coordinate k, the simplest first."""
    low, high = here.shape.lows[k], here.shape.highs[k]
    near = {x for x in here.point[:64] if low <= x <= high}
    found = set(_ladder(low, high)) | near | {low, high, here.shape.rest[k]}
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
