"""Whether linear inequalities have a common solution, with an exact witness either way.

Given rows g_i(x) = Σ_k a_ik x_k + b_i, each wanted ≥ 0 or, if strict, > 0, exactly one of these
exists (Farkas' lemma with strict rows, Motzkin's transposition theorem):

- a *point* that satisfies all rows;
- *multipliers* λ ≥ 0 under which the x_k cancel, Σ_i λ_i g_i = c, with c < 0, or with c = 0 and
  λ_i > 0 on some strict row: a contradiction, since the sum is ≥ 0, and > 0 if a strict row is in.

Both come out of one linear program, max t ≤ 1 subject to g_i(x) ≥ t on strict rows and g_i(x) ≥ 0
on the others: t > 0 gives a point, t ≤ 0 or no solution gives multipliers. The rows include a box,
so the dual simplex method starts at its lower corner; from there on, or from the basis of a system
with fewer rows, it takes in one violated row at a time.

The method runs twice. Floats guess; the guess is rounded to simple rationals and checked in integer
arithmetic. Only where the check fails does the method run on rationals, with Bland's rule, under
which it ends. So no answer rests on a float.

Sources: Farkas, "Theorie der einfachen Ungleichungen" (1902); Motzkin, *Beiträge zur Theorie der
linearen Ungleichungen* (1936); Bland, "New finite pivoting rules for the simplex method" (1977).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

__all__ = ["Contradiction", "Point", "Row", "System"]

Number = Fraction | int
# Floats closer to a bound than this are left to rational arithmetic to tell apart.
_CLOSE = 1e-9
# Rounding to denominators up to this is unique for floats that are right to ten digits.
_DENOMINATOR = 10_000
_PIVOTS = 60


@dataclass(frozen=True)
class Row:
    """The inequality Σ_k slopes[k] x_k + constant ≥ 0, or > 0 if strict."""

    slopes: Mapping[int, Number]
    constant: Number
    strict: bool = False


@dataclass(frozen=True)
class Point:
    """A solution of all rows, x_k = numerators[k] / denominator; and a basis to start from next
    time."""

    numerators: tuple[int, ...]
    denominator: int
    basis: tuple[int, ...]

    @property
    def at(self) -> tuple[Fraction, ...]:
        """The solution, one rational per unknown."""
        return tuple(Fraction(numerator, self.denominator) for numerator in self.numerators)

    def scaled(self, slopes: Mapping[int, Number], constant: Number) -> Number:
        """The denominator, which is positive, times Σ_k slopes[k] x_k + constant."""
        total = constant * self.denominator
        for k, slope in slopes.items():
            total += slope * self.numerators[k]
        return total


@dataclass(frozen=True)
class Contradiction:
    """Positive integers by row number, under which the rows add up to a contradiction."""

    multipliers: dict[int, int]


@dataclass(frozen=True)
class _Scaled:
    """A row times ``factor``, which makes it integral, with the scale of its float copy; equal
    rows have one and the same number as their ``name``."""

    slopes: tuple[tuple[int, int], ...]
    constant: int
    factor: int
    scale: int
    strict: bool
    name: int


class System:
    """Rows over the unknowns of a box, to which rows are added and from which the last are cut.

    Args:
        box: for each unknown its bounds, low ≤ high, rational. Rows 0 … m−1 say x_k ≥ low_k, rows m
            … 2m−1 say x_k ≤ high_k; rows that are pushed have the numbers from 2m on.
    """

    def __init__(self, box: Sequence[tuple[Number, Number]]) -> None:
        self._unknowns = len(box)
        # Row −1, kept at place 0 of the table, is t ≤ 1. Columns: the slopes, that of t, constant.
        self._table = np.zeros((64, self._unknowns + 2))
        self._filled = 1
        self._table[0, -2:] = -1, 1
        self._rows: list[_Scaled] = []
        self._names: dict[Any, int] = {}
        # By name: where a row is, and the contradictions that it was in, as multipliers by name.
        self._places: dict[int, int] = {}
        self._contradictions: dict[int, list[dict[int, int]]] = {}
        for k, (low, _) in enumerate(box):
            self.push(Row({k: 1}, -low))
        for k, (_, high) in enumerate(box):
            self.push(Row({k: -1}, high))

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self, first: int = 0) -> list[Row]:
        """Positive multiples of the rows from number ``first`` on."""
        return [Row(dict(row.slopes), row.constant, row.strict) for row in self._rows[first:]]

    def push(self, row: Row) -> None:
        """Add a row at the end."""
        numbers = [*row.slopes.values(), row.constant]
        factor = math.lcm(*[number.denominator for number in numbers])
        if factor == 1:
            whole = [number.numerator for number in numbers]
        else:
            whole = [number.numerator * (factor // number.denominator) for number in numbers]
        constant = whole.pop()
        slopes = tuple(zip(row.slopes, whole, strict=True))
        content = (slopes, constant, factor, row.strict)
        name = self._names.setdefault(content, len(self._names))
        self._places.setdefault(name, len(self._rows))
        scale = max(map(abs, whole), default=0) or abs(constant) or 1
        self._rows.append(_Scaled(slopes, constant, factor, scale, row.strict, name))

    def cut(self, length: int) -> None:
        """Keep the first ``length`` rows."""
        for number in reversed(range(length, len(self._rows))):
            name = self._rows[number].name
            if self._places[name] == number:
                del self._places[name]
        del self._rows[length:]
        self._filled = min(self._filled, length + 1)

    def decide(
        self, start: tuple[int, ...] | None = None, *, fresh: int | None = None
    ) -> Point | Contradiction:
        """A point that satisfies all rows, or multipliers that show that there is none.

        Args:
            start: the basis of a `Point` that was found when the system had only some first part of
                its present rows.
            fresh: the number of the first row that the system did not have then. The rows from
                there on are looked up in the contradictions that were found before.
        """
        if fresh is not None and (known := self._known(fresh)) is not None:
            return known
        corner = (*range(self._unknowns), -1)
        found = self._guess(list(start or corner)) or self._decide_exactly(list(corner))
        if isinstance(found, Contradiction):
            self._keep(found)
        return found

    # Contradictions that were found before: of one and the same rows, wherever they stand

    def _known(self, fresh: int) -> Contradiction | None:
        places = self._places
        for row in self._rows[fresh:]:
            for multipliers in self._contradictions.get(row.name, ()):
                if multipliers.keys() <= places.keys():
                    return Contradiction(
                        dict(sorted((places[n], w) for n, w in multipliers.items()))
                    )
        return None

    def _keep(self, contradiction: Contradiction) -> None:
        multipliers: dict[int, int] = {}
        for number, weight in contradiction.multipliers.items():
            name = self._rows[number].name
            multipliers[name] = multipliers.get(name, 0) + weight
        for number in contradiction.multipliers:
            if number >= 2 * self._unknowns:
                self._contradictions.setdefault(self._rows[number].name, []).append(multipliers)

    # The guess and its check

    def _guess(self, basis: list[int]) -> Point | Contradiction | None:
        """The dual simplex method in floats; None unless its answer holds exactly."""
        table = self._floats()
        columns, constants = table[:, :-1], table[:, -1]
        places = np.array(basis) + 1
        for _ in range(_PIVOTS + 2 * len(places)):
            try:
                inverse = np.linalg.inv(columns[places])
            except np.linalg.LinAlgError:
                return None
            vertex, weights = -inverse @ constants[places], -inverse[-1]
            if vertex[-1] <= _CLOSE:
                return self._rounded_multipliers(places, weights)
            slack = columns @ vertex + constants
            entering = int(np.argmin(slack))
            if slack[entering] >= -_CLOSE:
                at = [_simple(value) for value in vertex[:-1].tolist()]
                point = _point(at, (places - 1).tolist())
                return point if self._satisfied(point) else None
            direction = columns[entering] @ inverse
            ratios = np.full(len(places), np.inf)
            np.divide(weights, direction, out=ratios, where=direction > _CLOSE)
            leaving = int(np.argmin(ratios))
            if ratios[leaving] == np.inf:
                ray = np.append(-direction, 1.0)
                return self._rounded_multipliers(np.append(places, entering), ray)
            places[leaving] = entering
        return None

    def _floats(self) -> np.ndarray:
        """The rows in floats, t ≤ 1 before them."""
        size = len(self._rows) + 1
        while size > len(self._table):
            self._table = np.concatenate([self._table, np.zeros_like(self._table)])
        for place in range(self._filled, size):
            row, floats = self._rows[place - 1], self._table[place]
            floats[:] = 0
            for k, slope in row.slopes:
                floats[k] = slope / row.scale
            floats[-2:] = -1 if row.strict else 0, row.constant / row.scale
        self._filled = size
        return self._table[:size]

    def _rounded_multipliers(self, places: np.ndarray, weights: np.ndarray) -> Contradiction | None:
        sizes = {
            place - 1: weight / self._rows[place - 1].scale
            for place, weight in zip(places.tolist(), weights.tolist(), strict=True)
            if place and weight > _CLOSE
        }
        largest = max(sizes.values(), default=1.0)
        return self._contradiction(
            (number, _simple(size / largest)) for number, size in sizes.items()
        )

    def _satisfied(self, point: Point) -> bool:
        at, common = point.numerators, point.denominator
        for row in self._rows:
            slack = row.constant * common
            for k, slope in row.slopes:
                slack += slope * at[k]
            if slack < 0 or (row.strict and slack == 0):
                return False
        return True

    def _contradiction(self, weights: Iterable[tuple[int, Number]]) -> Contradiction | None:
        """The weights of the integral rows, as multipliers of the rows; None unless they are."""
        given = {number: weight for number, weight in weights if weight > 0}
        common = math.lcm(*(weight.denominator for weight in given.values()))
        positive: dict[int, int] = {}
        total: dict[int, int] = {}
        constant, strict = 0, False
        for number, weight in given.items():
            row, whole = self._rows[number], weight.numerator * (common // weight.denominator)
            positive[number] = whole * row.factor
            constant += whole * row.constant
            strict = strict or row.strict
            for k, slope in row.slopes:
                total[k] = total.get(k, 0) + whole * slope
        if any(total.values()) or constant > 0 or (constant == 0 and not strict):
            return None
        divisor = math.gcd(*positive.values())
        return Contradiction({number: positive[number] // divisor for number in sorted(positive)})

    # Rational arithmetic

    def _decide_exactly(self, basis: list[int]) -> Point | Contradiction:
        """The dual simplex method in rationals by Bland's rule, from the corner of the box."""
        last = self._unknowns
        size = last + 1
        inverse = [[Fraction(0)] * size for _ in range(size)]
        for k in range(last):
            inverse[k][k] = 1 / Fraction(self._rows[k].slopes[0][1])
        inverse[last][last] = Fraction(-1)
        while True:
            constants = [self._rows[number].constant if number >= 0 else 1 for number in basis]
            vertex = [-sum(map(operator.mul, line, constants), Fraction(0)) for line in inverse]
            if vertex[last] <= 0:
                weights = [(n, -w) for n, w in zip(basis, inverse[last], strict=True) if n >= 0]
                return self._certain(weights)
            entering = self._first_violated(vertex)
            if entering is None:
                return _point(vertex[:last], basis)
            slopes = [*self._rows[entering].slopes, (last, -int(self._rows[entering].strict))]
            direction = [
                sum((slope * inverse[k][i] for k, slope in slopes), Fraction(0))
                for i in range(size)
            ]
            ratios = [
                (-inverse[last][i] / direction[i], basis[i], i)
                for i in range(size)
                if direction[i] > 0
            ]
            if not ratios:
                ray = [(n, -d) for n, d in zip(basis, direction, strict=True) if n >= 0]
                return self._certain([*ray, (entering, 1)])
            leaving = min(ratios)[2]
            for line in inverse:
                line[leaving] /= direction[leaving]
                if line[leaving]:
                    for i, step in enumerate(direction):
                        if i != leaving and step:
                            line[i] -= line[leaving] * step
            basis[leaving] = entering

    def _first_violated(self, vertex: Sequence[Number]) -> int | None:
        t = vertex[self._unknowns]
        for number, row in enumerate(self._rows):
            slack = sum((slope * vertex[k] for k, slope in row.slopes), Fraction(row.constant))
            if slack < (t if row.strict else 0):
                return number
        return None

    def _certain(self, weights: Sequence[tuple[int, Number]]) -> Contradiction:
        found = self._contradiction(weights)
        if found is None:
            raise ArithmeticError(
                f"the simplex method ended with multipliers {weights} that contradict nothing; "
                "this is a defect of proofs.farkas: please report the system"
            )
        return found


def _simple(value: float) -> Number:
    whole = round(value)
    if abs(value - whole) < _CLOSE:
        return whole
    return Fraction(value).limit_denominator(_DENOMINATOR)


def _point(at: Sequence[Number], basis: Iterable[int]) -> Point:
    common = math.lcm(*(value.denominator for value in at))
    numerators = tuple(value.numerator * (common // value.denominator) for value in at)
    return Point(numerators, common, tuple(basis))
