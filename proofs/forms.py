"""Affine forms of unknown reals, and what is worked out only when it is needed.

What a number or a truth value comes to may depend on answers (`proofs.affine`), and answers hold on
one path. So what was put off is worked out once on each path on which it is needed.

Source: Henderson & Morris, "A lazy evaluator" (1976).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from proofs.algebra import Term

__all__ = [
    "OWN",
    "Affine",
    "Asked",
    "Delayed",
    "Number",
    "Path",
    "constant",
    "needed",
    "slopes",
    "written",
]

Number = Fraction | int


class Affine:
    """Σ_k slopes[k] x_k + constant, without zero slopes and with at least one.

    It has arithmetic but no comparisons and no hash: these are for the algebra, which asks.
    """

    __slots__ = ("constant", "slopes")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, slopes: dict[int, Number], constant: Number) -> None:
        self.slopes = slopes
        self.constant = constant

    def __eq__(self, other: object) -> bool:
        raise TypeError("affine forms are compared by their algebra only")

    def __neg__(self) -> Term:
        return Affine({k: -slope for k, slope in self.slopes.items()}, -self.constant)

    def __add__(self, other: Any) -> Term:
        if isinstance(other, Affine):
            sums = dict(self.slopes)
            for k, slope in other.slopes.items():
                total = sums.get(k, 0) + slope
                if total:
                    sums[k] = total
                else:
                    del sums[k]
            return _affine(sums, self.constant + other.constant)
        if isinstance(other, (int, Fraction)):
            return _affine(self.slopes, self.constant + other)
        return NotImplemented

    __radd__ = __add__

    def __sub__(self, other: Any) -> Term:
        return self + -other if isinstance(other, (int, Fraction, Affine)) else NotImplemented

    def __rsub__(self, other: Any) -> Term:
        return -self + other

    def __mul__(self, other: Any) -> Term:
        if not isinstance(other, (int, Fraction)):
            return NotImplemented
        if other == 1:
            return self
        scaled = {k: slope * other for k, slope in self.slopes.items()} if other else {}
        return _affine(scaled, self.constant * other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Term:
        return (
            self * (1 / Fraction(other)) if isinstance(other, (int, Fraction)) else NotImplemented
        )

    def __repr__(self) -> str:
        return written(self)


@dataclass
class Path:
    """Which path is being followed: what is worked out holds on one path only."""

    number: int = 0


def _later(operation: Callable[[Term, Term], Term]) -> Callable[[Any, Any], Term]:
    def method(self: Any, other: Any) -> Term:
        if not isinstance(other, (int, Fraction, Affine, Delayed)):
            return NotImplemented
        return Delayed(lambda: operation(self.need(), needed(other)), self._path)

    return method


class Delayed:
    """A real number that is worked out when it is needed, questions included, once on each path."""

    __slots__ = ("_number", "_path", "_term", "_work")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, work: Callable[[], Term], path: Path) -> None:
        self._work, self._path, self._number = work, path, -1
        self._term: Term = None

    def need(self) -> Term:
        if self._number != self._path.number:
            self._term = needed(self._work())
            self._number = self._path.number
        return self._term

    def __eq__(self, other: object) -> bool:
        raise TypeError("delayed numbers are compared by their algebra only")

    def __neg__(self) -> Term:
        return Delayed(lambda: -self.need(), self._path)

    __add__ = __radd__ = _later(operator.add)
    __mul__ = __rmul__ = _later(operator.mul)
    __sub__ = _later(operator.sub)
    __rsub__ = _later(lambda a, b: b - a)
    __truediv__ = _later(operator.truediv)

    def __repr__(self) -> str:
        known = self._number == self._path.number
        return repr(self._term) if known else "not needed so far"


OWN = (Affine, Delayed)


class Asked:
    """A truth value that is worked out when it is needed, by asking, once on each path."""

    __slots__ = ("_number", "_path", "_truth", "_work")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, work: Callable[[], bool], path: Path) -> None:
        self._work, self._path, self._number = work, path, -1
        self._truth = False

    def __bool__(self) -> bool:
        if self._number != self._path.number:
            self._truth = bool(self._work())
            self._number = self._path.number
        return self._truth

    def __int__(self) -> int:
        return int(bool(self))

    def __eq__(self, other: object) -> bool:
        raise TypeError("delayed truth values are compared by their algebra only")


def needed(term: Term) -> Term:
    """The term, worked out if it was delayed."""
    return term.need() if isinstance(term, Delayed) else term


def _affine(slopes: dict[int, Number], constant: Number) -> Term:
    if not slopes:
        return Fraction(constant)
    # Sums of integers are faster, and most constants are whole.
    return Affine(slopes, constant.numerator if constant.denominator == 1 else constant)


def slopes(term: Term) -> dict[int, Number]:
    """The slopes of a term that was worked out, by unknown; none for a known number."""
    return term.slopes if isinstance(term, Affine) else {}


def constant(term: Term) -> Any:
    """What is left of a term that was worked out when its unknowns are 0."""
    return term.constant if isinstance(term, Affine) else term


def written(term: Term) -> str:
    """A term that was worked out as text: "2 x0 + -1/3 x4 + 1", the unknowns in ascending order."""
    parts = [f"{slope} x{k}" for k, slope in sorted(slopes(term).items())]
    return " + ".join([*parts, str(constant(term))])
