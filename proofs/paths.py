"""A piecewise-linear program is proved path by path, and the proof is written down.

A NumPy program runs unchanged on affine forms of m unknown reals (`proofs.affine`). Whenever it
needs to know which of a row of forms is the first largest one, the points split into one convex
polyhedron for each answer. Linear programming in rationals finds the answers that are possible, and
the program runs again from its start for each of them. Where it ends, its results, the *margins*,
are affine forms; the claim that they are ≥ 0 there is one more system of linear inequalities for
each.

The proof is plain data: the list of the nodes of this tree in the order of the search, in the
format that `proofs.checker` states and checks. Its sums are positive integer multipliers of the
inequalities of a path. An unknown with low = high is no unknown but the number.

Source: King, "Symbolic execution and program testing" (Communications of the ACM 19, 1976).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import mul
from typing import Any

import numpy as np

from proofs.affine import NotLinear, Paths
from proofs.algebra import Term
from proofs.arrays import Array, algebra_of, lift
from proofs.conversion import exact, values
from proofs.errors import Signal, Undecided, UndefinedNumber, Unsupported
from proofs.farkas import Contradiction, Point, Row, System
from proofs.forms import Affine, Number, constant, needed, slopes, written
from proofs.recall import Question
from proofs.terms import Undefined

__all__ = ["GaveUp", "Pieces", "Proof", "Violation", "explore", "pieces"]

Program = Callable[[Array], Any]
Box = Sequence[tuple[Number, Number]]
Constraints = tuple[Sequence[Sequence[Number]], Sequence[Number]]
Inequality = tuple[dict[int, Number], Number, bool]
Form = tuple[dict[int, Number], Number]


@dataclass(frozen=True)
class Proof:
    """Every margin is ≥ 0 at every point.

    Attributes:
        tree: the nodes, lists of strings, for `proofs.checker.check`.
        leaves: how many polyhedra the program was followed through.
        vacuous: whether there is no point at all, so that anything would hold.
    """

    tree: list[list[str]]
    leaves: int
    vacuous: bool = False


@dataclass(frozen=True)
class Violation:
    """A point at which a margin is negative, confirmed by running the program there in rationals.

    Attributes:
        point: one Fraction per unknown.
        margin: the least margin there, below 0; a Fraction unless the program takes exp, log or
            roots of constants.
        entry: its position among the margins, flattened.
    """

    point: tuple[Fraction, ...]
    margin: Any
    entry: int


@dataclass(frozen=True)
class Pieces:
    """The polyhedra through which a program was followed: disjoint, and together all points.

    Attributes:
        tree: the nodes, for `proofs.checker.pieces`.
        parts: for each polyhedron its inequalities beside the box, (slopes by unknown, constant,
            strict), and the program's results there, flattened: (slopes by unknown, constant).
    """

    tree: list[list[str]]
    parts: list[tuple[list[Inequality], list[Form]]]


@dataclass(frozen=True)
class GaveUp:
    """Neither proved nor refuted, for this ``reason``, after so many ``leaves``."""

    reason: str
    leaves: int


class _Stopped(Signal, Exception):
    """The search has to give up, for the reason that it carries."""


@dataclass
class _Split:
    """A question on the present path: its row, the answer that is being followed, how many rows
    the system had before, and the point that was known then."""

    key: Any
    row: list[Term]
    answer: int
    length: int
    point: Point


class _Search:
    def __init__(self, box: Box, constraints: Constraints | None, leaves: int, end: float) -> None:
        self.box = [(_rational(low), _rational(high)) for low, high in box]
        for k, (low, high) in enumerate(self.box):
            if low > high:
                raise ValueError(f"x{k} lies in [{low}, {high}]; give its lower bound first")
        self.system = System(
            [(low, high) if low < high else (Fraction(0), Fraction(0)) for low, high in self.box]
        )
        self.unknowns: list[Term] = [
            Affine({k: 1}, 0) if low < high else low for k, (low, high) in enumerate(self.box)
        ]
        matrix, bounds = constraints or ((), ())
        for number, (coefficients, bound) in enumerate(zip(matrix, bounds, strict=True)):
            if len(coefficients) != len(self.box):
                raise ValueError(
                    f"constraint {number} has {len(coefficients)} coefficients; "
                    f"give {len(self.box)}, one for each unknown"
                )
            terms = map(mul, map(_rational, coefficients), self.unknowns)
            self._push(_rational(bound) - sum(terms, Fraction(0)))
        self.leaf_limit, self.end = leaves, end
        self.algebra = Paths(self.ask)
        self.tree: list[list[str]] = []
        self.leaves = 0
        self.path: list[_Split] = []
        self.depth = 0
        self.answers: dict[Any, int] = {}
        self.point = Point((), 1, ())

    def run(self, program: Program) -> Proof | Violation:
        start = self.system.decide()
        if isinstance(start, Contradiction):
            return Proof([["no", _sum(start)]], leaves=0, vacuous=True)
        for margins in self.paths(program, start):
            violated = self._leaf(margins)
            if violated is not None:
                return self._confirmed(program, violated)
        return Proof(self.tree, self.leaves)

    def pieces(self, program: Program) -> Pieces:
        start = self.system.decide()
        if isinstance(start, Contradiction):
            return Pieces([["no", _sum(start)]], [])
        parts: list[tuple[list[Inequality], list[Form]]] = []
        for results in self.paths(program, start):
            rows = self.system.rows(2 * len(self.box))
            parts.append(
                (
                    [(dict(row.slopes), row.constant, row.strict) for row in rows],
                    [(slopes(term), _rational_constant(term)) for term in results],
                )
            )
            self.tree.append(["so"])
        return Pieces(self.tree, parts)

    def paths(self, program: Program, start: Point) -> Iterator[list[Term]]:
        """The results of the program, worked out, on one path after the other."""
        self.point = start
        while True:
            self.depth = 0
            self.answers.clear()
            self.algebra.path.number += 1
            terms = np.empty(len(self.unknowns), dtype=object)
            terms[:] = self.unknowns
            margins = _margins(program(Array(terms, "real", self.algebra)))
            self.leaves += 1
            if self.leaves > self.leaf_limit:
                raise _Stopped(f"more than {self.leaf_limit} paths; raise leaves= to go on")
            yield [needed(margin) for margin in margins.terms.flat]
            if not self._next_path():
                return

    def ask(self, question: Question) -> int:
        key: Any = question[0]
        row: list[Term] = question[1]
        answer = self.answers.get(key)
        if answer is None:
            if self.depth == len(self.path):
                self._check_time()
                self.path.append(_Split(key, row, 0, len(self.system), self.point))
                self.tree.append(["max", *key])
                self._follow(self.path[-1], 0)
            split = self.path[self.depth]
            if split.key != key:
                raise _Stopped(
                    "the program is not deterministic: it asks something else when rerun"
                )
            self.depth += 1
            answer = self.answers[key] = split.answer
        return answer

    def _follow(self, split: _Split, first: int) -> bool:
        """Go on with the first possible answer from ``first`` on, if there is one."""
        known = self._largest_at(split.point, split.row)
        for answer in range(first, len(split.row)):
            for i, term in enumerate(split.row):
                if i != answer:
                    self._push(split.row[answer] - term, strict=i < answer)
            split.answer = answer
            if answer == known:
                found: Point | Contradiction = split.point
            else:
                found = self.system.decide(split.point.basis, fresh=split.length)
            if isinstance(found, Point):
                self.point = found
                return True
            self.tree.append(["no", _sum(found)])
            self.system.cut(split.length)
        return False

    def _next_path(self) -> bool:
        while self.path:
            split = self.path[-1]
            self.system.cut(split.length)
            if self._follow(split, split.answer + 1):
                return True
            self.path.pop()
        return False

    def _leaf(self, margins: list[Term]) -> Point | None:
        """A point of this path with a negative margin, or None and a leaf of the tree."""
        leaf, seen = ["so"], set()
        for margin in margins:
            if not isinstance(margin, Affine):
                if _known_margin(margin) < 0:
                    return self.point
                continue
            text = written(margin)
            if text in seen:
                continue
            seen.add(text)
            self._check_time()
            length = len(self.system)
            self._push(-margin, strict=True)
            found = self.system.decide(self.point.basis, fresh=length)
            self.system.cut(length)
            if isinstance(found, Point):
                return found
            leaf.append(_sum(found))
        self.tree.append(leaf)
        return None

    def _push(self, term: Term, *, strict: bool = False) -> None:
        self.system.push(Row(slopes(term), constant(term), strict))

    def _largest_at(self, point: Point, row: list[Term]) -> int:
        at = [point.scaled(slopes(term), constant(term)) for term in row]
        return max(range(len(row)), key=at.__getitem__)

    def _confirmed(self, program: Program, violated: Point) -> Violation:
        point = tuple(
            value if low < high else low
            for value, (low, high) in zip(violated.at, self.box, strict=True)
        )
        numbers = values(_margins(program(exact(list(point))))).ravel().tolist()
        entry = min(range(len(numbers)), key=numbers.__getitem__)
        if not numbers[entry] < 0:
            raise ArithmeticError(
                f"at {point} the margins are {numbers}, none negative, although a path said so; "
                "make the program depend on its argument only"
            )
        least = numbers[entry]
        return Violation(point, Fraction(least) if isinstance(least, int) else least, entry)

    def _check_time(self) -> None:
        if time.monotonic() > self.end:
            raise _Stopped("the time limit is reached; raise seconds= to go on")


def explore(
    program: Program,
    box: Box,
    constraints: Constraints | None = None,
    *,
    leaves: int = 5000,
    seconds: float = 20.0,
) -> Proof | Violation | GaveUp:
    """Prove that a NumPy program's results are ≥ 0 at every point of a box, or find one where not.

    Args:
        program: takes an Array of shape (m,) and gives an array of any shape, the margins. It is
            run many times and must give the same for the same argument.
        box: the bounds (low, high) of each of the m unknowns, as Fractions or integers; both
            belong to the box.
        constraints: (A, b), rows and right-hand sides, further restricts the points to A x ≤ b.
        leaves: how many paths through the program are followed at most.
        seconds: how long it may take.

    Raises:
        ValueError: bounds in the wrong order, numbers that are no rationals, or truth values
            instead of margins. What the program raises itself is passed on.
    """
    search = _Search(box, constraints, leaves, time.monotonic() + seconds)
    try:
        return search.run(program)
    except (_Stopped, NotLinear, Unsupported, Undecided, UndefinedNumber) as error:
        return GaveUp(str(error), search.leaves)


def pieces(
    program: Program,
    box: Box,
    constraints: Constraints | None = None,
    *,
    leaves: int = 5000,
    seconds: float = 20.0,
) -> Pieces | GaveUp:
    """The polyhedra on which a NumPy program is affine, and what it gives there.

    The arguments and the errors are those of `explore`; what the program gives are any numbers.
    """
    search = _Search(box, constraints, leaves, time.monotonic() + seconds)
    try:
        return search.pieces(program)
    except (_Stopped, NotLinear, Unsupported, Undecided, UndefinedNumber) as error:
        return GaveUp(str(error), search.leaves)


def _rational_constant(term: Term) -> Number:
    found = constant(term)
    if isinstance(found, Undefined):
        found.refuse("is a result")
    if not isinstance(found, (int, Fraction)):
        raise Unsupported(f"{found} is no rational number; its integral would not be exact")
    return found


def _margins(margins: Any) -> Array:
    array = lift(margins, algebra_of(margins))
    if array.kind == "bool":
        raise ValueError(
            "the program gives truth values; give margins, numbers that are ≥ 0 where the claim "
            "holds: np.where(claim, 0, -1)"
        )
    return array


def _known_margin(margin: Term) -> Any:
    if isinstance(margin, Undefined):
        margin.refuse("is a margin")
    return margin


def _rational(number: Any) -> Fraction:
    if not isinstance(number, (int, Fraction)):
        raise ValueError(
            f"{number!r} is a {type(number).__name__}; give bounds and constraints as Fractions"
        )
    return Fraction(number)


def _sum(contradiction: Contradiction) -> str:
    return " ".join(f"{row}*{weight}" for row, weight in contradiction.multipliers.items())
