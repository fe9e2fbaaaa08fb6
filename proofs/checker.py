"""A proof is checked by whoever doubts it: in rationals, by adding and comparing, with no solver.

A proof is a tree of case distinctions, written as the list of its nodes in the order of a walk.
Each branch collects inequalities, from those of the box and the constraints on.

- ``["max", form, form, …]`` distinguishes which form is the first largest one. At every point one
  of them is, so nothing is left out when each case is followed. In the j-th case, the j-th form is
  > each form before it and ≥ each form after it.
- ``["no", sum]`` ends a branch: its inequalities contradict one another.
- ``["so", sum, …]`` ends a branch: the program, run on linear forms of the unknowns, makes no
  comparison that matters and that the branch leaves open. For each margin that it gives, the
  inequalities together with "margin < 0" contradict one another.

A form reads "2 x0 + -1/3 x4 + 1". A sum "0*3 7*1" is 3 times row 0 plus row 7. Positive multiples
of inequalities in which the unknowns cancel contradict one another if less than 0 remains, or 0 and
a strict one is among them. Rows 0 … m−1 say x_k ≥ low_k, rows m … 2m−1 say x_k ≤ high_k; the
constraints follow, the cases of the branch, and last "margin < 0".

`proofs.paths` finds such trees. Both files build on the arrays and on the arithmetic of constants,
and have nothing else in common.

Source: Farkas, "Theorie der einfachen Ungleichungen" (1902): such sums are all that is ever needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from proofs.algebra import Algebra
from proofs.arrays import Array, algebra_of, lift
from proofs.concrete import Exact
from proofs.errors import Signal
from proofs.terms import Undefined

__all__ = ["Rejected", "check", "from_json", "pieces", "to_json"]

# A number that may be anything: reading it is an error, passing it on is not.
_OPEN = Undefined("a number that the branch leaves open, or that is not linear,", nan=None)


class Rejected(Signal, ValueError):
    """The tree proves nothing about this program, this box and these constraints."""


class _Form:
    """A sum of multiples of the unknowns, at least one of them, and a constant, kept at −1; whole
    numbers as integers, which are faster, and no zeros."""

    __slots__ = ("_direction", "parts")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, parts: dict[int, Fraction | int]) -> None:
        self.parts = parts
        self._direction: _Direction | None = None

    def direction(self) -> _Direction:
        """The slopes and the constant, divided by the size of the slope of the last unknown."""
        if self._direction is None:
            self._direction = _direction(dict(self.parts))
        return self._direction

    def __add__(self, other: Any) -> Any:
        return _sum(self, other, 1)

    def __sub__(self, other: Any) -> Any:
        return _sum(self, other, -1)

    def __rsub__(self, other: Any) -> Any:
        return _sum(other, self, -1)

    def __mul__(self, factor: Any) -> Any:
        return _sum(0, self, factor) if isinstance(factor, (int, Fraction)) else NotImplemented

    def __neg__(self) -> Any:
        return _Form({k: -part for k, part in self.parts.items()})

    __radd__, __rmul__ = __add__, __mul__


_Parts = dict[int, Fraction | int]
_Direction = tuple[frozenset[tuple[int, Fraction | int]], Fraction | int]


def _direction(parts: _Parts) -> _Direction:
    last = parts[max(parts)]
    scale = last if last > 0 else -last
    if scale != 1:
        parts = {k: _whole(Fraction(part) / scale) for k, part in parts.items()}
    constant = parts.pop(-1, 0)
    return frozenset(parts.items()), constant


def _whole(number: Fraction | int) -> Fraction | int:
    """The number, as an integer where it is one."""
    return number.numerator if number.denominator == 1 else number


def _parts(number: Any) -> _Parts | None:
    """The parts of a form or a rational; None of anything else."""
    if type(number) is _Form:
        return number.parts
    if not isinstance(number, (int, Fraction)):
        return None
    return {-1: _whole(number)} if number else {}


def _total(a: _Parts, b: _Parts, times: int | Fraction) -> _Parts:
    """The parts of a + times · b."""
    total = dict(a)
    for k, part in b.items():
        rest = total.get(k, 0) + times * part
        if rest:
            total[k] = _whole(rest)
        else:
            total.pop(k, None)
    return total


def _number(parts: _Parts) -> Any:
    """A form, or a Fraction where the unknowns have cancelled."""
    return Fraction(parts.get(-1, 0)) if _known(parts) else _Form(parts)


def _known(parts: _Parts) -> bool:
    """Whether the unknowns have cancelled."""
    return not parts or (len(parts) == 1 and -1 in parts)


def _sum(a: Any, b: Any, times: int | Fraction) -> Any:
    """a + times · b: a form, or a Fraction where the unknowns cancel."""
    x, y = _parts(a), _parts(b)
    return NotImplemented if x is None or y is None else _number(_total(x, y, _whole(times)))


Slopes = dict[int, Fraction]
Inequality = tuple[Any, bool]  # a form or number that is ≥ 0, or > 0 if True


class _Branch(Exact):
    """Exact arithmetic on forms; of their order it knows the inequalities of a branch only."""

    def __init__(self, rows: Sequence[Inequality]) -> None:
        super().__init__()
        self.facts: dict[Any, tuple[Fraction | int, bool]] = {}
        for row, strict in rows:
            if isinstance(row, _Form):
                slopes, constant = row.direction()
                fact = (constant, not strict)
                self.facts[slopes] = min(fact, self.facts.get(slopes, fact))

    def above(self, a: Any, b: Any, *, strict: bool) -> bool:
        """Whether a > b, or a ≥ b, is known."""
        if a is b:
            return not strict
        x, y = _parts(a), _parts(b)
        if x is None or y is None:
            difference = a - b
        else:
            parts = _total(x, y, -1)
            if not _known(parts):
                slopes, constant = _direction(parts)
                fact = self.facts.get(slopes)
                return fact is not None and fact <= (constant, not strict)
            difference = parts.get(-1, 0)
        return bool(difference > 0 or (difference == 0 and not strict))

    def first_largest(self, row: list[Any]) -> int | None:
        if not any(isinstance(term, Undefined) for term in row):
            for j, term in enumerate(row):
                if all(self.above(term, x, strict=i < j) for i, x in enumerate(row) if i != j):
                    return j
        return None

    def descending(self, row: list[Any]) -> list[int]:
        """The places in descending order, as far as it is known; of equals, the first first."""
        left, order = list(range(len(row))), []
        while left and (place := self.first_largest([row[i] for i in left])) is not None:
            order.append(left.pop(place))
        return order

    # Positions must be known; numbers and truth values may be left open.

    def argsort(self, row: list[Any]) -> list[Any]:
        order = self.descending([-term for term in row])
        if len(order) < len(row):
            raise Rejected("the branch leaves an order open on which a position depends")
        return order

    def argmax(self, row: list[Any]) -> Any:
        place = self.first_largest(row)
        if place is None:
            raise Rejected("the branch leaves open which number of a row is the largest")
        return place

    def argmin(self, row: list[Any]) -> Any:
        return self.argmax([-term for term in row])

    def sort(self, row: list[Any]) -> list[Any]:
        # Where numbers are equal, the forms differ: the upper half is found from above.
        result, opposite = [_OPEN] * len(row), [-term for term in row]
        for k, i in enumerate(self.descending(opposite)[: len(row) - len(row) // 2]):
            result[k] = row[i]
        for k, i in enumerate(self.descending(row)[: len(row) // 2]):
            result[-1 - k] = row[i]
        return result

    def largest(self, row: list[Any]) -> Any:
        place = self.first_largest(row)
        return _OPEN if place is None else row[place]

    def smallest(self, row: list[Any]) -> Any:
        return -self.largest([-term for term in row])

    def absolute(self, a: Any) -> Any:
        return self.largest([a, -a])

    def less(self, a: Any, b: Any) -> Any:
        place = self.first_largest([a, b])
        return _OPEN if place is None else place == 1

    def equal(self, a: Any, b: Any) -> Any:
        if isinstance(a, int) and isinstance(b, int):
            return a == b
        return self.both(self.less_equal(a, b), self.less_equal(b, a))

    def both(self, a: Any, b: Any) -> Any:
        return False if a is False or b is False else a if b is True else b

    def invert(self, a: Any) -> Any:
        return a if isinstance(a, Undefined) else not a

    less_equal, not_equal, either = Algebra.less_equal, Algebra.not_equal, Algebra.either

    def scale(self, condition: Any, number: Any, zero: Any) -> Any:
        if isinstance(condition, Undefined):
            return condition
        if isinstance(number, Undefined) and number.cause is _OPEN.cause and not condition:
            return zero
        return super().scale(condition, number, zero)

    # Arithmetic that is linear on some branches only

    def multiply(self, a: Any, b: Any) -> Any:
        return _OPEN if isinstance(a, _Form) and isinstance(b, _Form) else super().multiply(a, b)

    product = Algebra.product

    def divide(self, a: Any, b: Any) -> Any:
        if not (isinstance(a, _Form) or isinstance(b, _Form)):
            return super().divide(a, b)
        if self.equal(b, 0) is True:
            return Undefined("a division by zero", nan=None)
        return self.multiply(a, 1 / Fraction(b)) if isinstance(b, (int, Fraction)) else _OPEN

    def floor(self, a: Any) -> Any:
        if not isinstance(a, _Form):
            return super().floor(a)
        whole = 0
        while self.less(a, whole):
            whole -= 1
        while not self.less(a, whole + 1):
            whole += 1
        return Fraction(whole)

    def truncate(self, a: Any) -> Any:
        return self.ceil(a) if self.less(a, 0) else self.floor(a)

    floor_divide, remainder = Algebra.floor_divide, Algebra.remainder


def check(
    program: Callable[[Array], Any],
    box: Sequence[tuple[Fraction | int, Fraction | int]],
    constraints: tuple[Sequence[Sequence[Fraction | int]], Sequence[Fraction | int]] | None,
    tree: list[list[str]],
) -> None:
    """Check a proof that every margin of a program is ≥ 0 at every point; returns if so.

    Args:
        program: takes an Array of m unknowns and gives an array of margins, of any shape.
        box: (low, high) of each unknown, rational, both belonging to it.
        constraints: (A, b), for A x ≤ b, or None.
        tree: the nodes, from `proofs.explore` or from a file.

    Raises:
        Rejected: the tree is no such proof, whatever the reason.
    """
    try:
        _walk(program, box, constraints, tree, _nonnegative)
    except Rejected:
        raise
    except Exception as error:
        raise Rejected(f"{type(error).__name__}: {error}") from error


def pieces(
    program: Callable[[Array], Any],
    box: Sequence[tuple[Fraction | int, Fraction | int]],
    constraints: tuple[Sequence[Sequence[Fraction | int]], Sequence[Fraction | int]] | None,
    tree: list[list[str]],
) -> list[tuple[list[tuple[Slopes, Fraction, bool]], list[tuple[Slopes, Fraction]]]]:
    """The polyhedra into which a tree divides a box, and the program's results on each of them.

    The arguments are those of `check`; a branch that is no contradiction ends in ``["so"]``.

    Returns:
        for each such branch its inequalities beside those of the box, (slopes by unknown, constant,
        strict), and the results, flattened: (slopes by unknown, constant). The branches are
        disjoint, and together they are the box.

    Raises:
        Rejected: a branch that is left out is possible, or leaves a result open.
    """
    found: list[Any] = []

    def keep(results: Any, rows: list[Inequality], texts: list[str]) -> None:
        if texts:
            raise Rejected("there is nothing to add up where a branch ends in results")
        terms = lift(results, algebra_of(results)).terms.flat
        kept = [(*_split(row), strict) for row, strict in rows[2 * len(box) :]]
        found.append((kept, [_split(term) for term in terms]))

    try:
        _walk(program, box, constraints, tree, keep)
    except Rejected:
        raise
    except Exception as error:
        raise Rejected(f"{type(error).__name__}: {error}") from error
    return found


def _split(term: Any) -> tuple[Slopes, Fraction]:
    """Slopes and constant of a form, or of a number."""
    if not isinstance(term, (int, Fraction, _Form)):
        raise Rejected(f"a result is {term!r}, no number and not linear in the unknowns")
    known = term.parts if isinstance(term, _Form) else {-1: term}
    parts = {k: Fraction(part) for k, part in known.items()}
    constant = parts.pop(-1, Fraction(0))
    return parts, constant


def _walk(program: Any, box: Any, constraints: Any, tree: list[list[str]], end: Any) -> None:
    x = np.empty(len(box), dtype=object)
    for k, (low, high) in enumerate(box):
        x[k] = _Form({k: 1}) if low != high else Fraction(low)
    rows: list[Inequality] = [(x[k] - low, False) for k, (low, _) in enumerate(box)]
    rows += [(high - x[k], False) for k, (_, high) in enumerate(box)]
    for coefficients, bound in zip(*(constraints or ((), ())), strict=True):
        sides = [Fraction(c) * term for c, term in zip(coefficients, x, strict=True)]
        rows.append((bound - sum(sides, Fraction(0)), False))
    branches = [rows]
    for node in tree:
        if not branches:
            raise Rejected("there are nodes after the end of the last branch")
        rows = branches.pop()
        match node:
            case ["max", _, *_]:
                forms = [_read(text) for text in node[1:]]
                for j, largest in reversed(list(enumerate(forms))):
                    case = [(largest - form, i < j) for i, form in enumerate(forms) if i != j]
                    branches.append(rows + case)
            case ["no", text]:
                _contradiction(rows, text)
            case ["so", *texts]:
                algebra = _Branch(rows)
                end(program(Array(x.copy(), "real", algebra)), rows, texts)
            case _:
                raise Rejected(f"{node!r} is no node")
    if branches:
        raise Rejected(f"the tree ends before {len(branches)} of its branches")


def _nonnegative(margins: Any, rows: list[Inequality], texts: list[str]) -> None:
    array = lift(margins, algebra_of(margins))
    if array.kind == "bool":
        raise Rejected("the program gives truth values instead of margins")
    distinct: dict[Any, _Form] = {}
    for margin in array.terms.flat:
        if isinstance(margin, _Form):
            distinct.setdefault(frozenset(margin.parts.items()), margin)
        elif not margin >= 0:
            raise Rejected(f"a margin is {margin} on some branch")
    for margin, text in zip(distinct.values(), texts, strict=True):
        _contradiction([*rows, (-margin, True)], text)


def _contradiction(rows: list[Inequality], text: str) -> None:
    total: _Parts = {}
    strict = False
    for part in text.split():
        number, multiplier = map(int, part.split("*"))
        if multiplier <= 0 or not 0 <= number < len(rows):
            raise Rejected(f"{part}: a positive multiple of one of {len(rows)} rows is expected")
        row = _parts(rows[number][0])
        assert row is not None
        total = _total(total, row, multiplier)
        strict |= rows[number][1]
    constant = total.get(-1, 0)
    if not _known(total) or constant > 0 or (constant == 0 and not strict):
        raise Rejected(f"the sum {text!r} is no contradiction")


def _read(text: str) -> Any:
    """The form, or the number, that is written as "2 x0 + -1/3 x4 + 1"."""
    *terms, constant = text.split(" + ")
    form: Any = Fraction(constant)
    for term in terms:
        slope, k = term.split(" x")
        form += _Form({int(k): 1}) * Fraction(slope)
    return form


def to_json(tree: list[list[str]]) -> str:
    """The tree as one line of JSON."""
    return json.dumps(tree, separators=(",", ":"))


def from_json(text: str) -> list[list[str]]:
    """The tree of a line that `to_json` wrote. `check` looks at what is in it.

    Raises:
        Rejected: the text is no JSON list.
    """
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"the tree is not JSON: {error}") from error
    if not isinstance(tree, list):
        raise Rejected(f"the tree is a {type(tree).__name__}; a list of nodes is expected")
    return tree
