"""Whether a profile ties: exact arithmetic that watches its own comparisons.

Some properties hold "at every profile without a tie": an auction that breaks ties by the lowest
index treats bidders alike except where two bids are equal. Whether a profile ties cannot be read
off the reports, because a rule may compare anything that it computes from them. So the rule runs on
dual numbers, each a value with its gradient in the report coordinates. A comparison of two numbers
of equal value is a *tie* if their gradients differ: an arbitrarily small change of the reports then
separates them, in either direction. If the gradients agree, the two are the same number as far as
the first order tells (a number and itself, two constants), and the comparison says nothing about
the profile.

Limit: numbers that are equal to the first order and differ only beyond, such as (x − y)² and 0 at x
= y, count as the same.

Source: Griewank & Walther, *Evaluating Derivatives* (2nd ed., 2008), forward mode, chapters 3 and
14.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from proofs.algebra import Algebra, Kind, Term
from proofs.concrete import Exact
from proofs.interval import Interval
from proofs.terms import Infinity, Undefined

__all__ = ["Dual", "Ties"]

Gradient = dict[int, Any]
_NONE: Gradient = {}


def _combine(a: Term, b: Term, at_a: Any, at_b: Any) -> Gradient:
    """The gradient of f(a, b), from the partial derivatives of f; zero entries are left out."""
    gradient: Gradient = {}
    for term, slope in ((a, at_a), (b, at_b)):
        for coordinate, derivative in _gradient(term).items():
            total = gradient.get(coordinate, 0) + slope * derivative
            # A slope without a finite value (the root of 0) is not known to vanish.
            if isinstance(total, (Interval, Infinity, Undefined)) or total != 0:
                gradient[coordinate] = total
            else:
                gradient.pop(coordinate, None)
    return gradient


def _value(term: Term) -> Any:
    return term.value if isinstance(term, Dual) else term


def _gradient(term: Term) -> Gradient:
    return term.gradient if isinstance(term, Dual) else _NONE


class Dual:
    """A number that depends on the reports: its value, and its gradient by report coordinate (no
    zero entries).

    It has arithmetic but no comparisons: these are for the algebra, which records ties.
    """

    __slots__ = ("gradient", "value")

    def __init__(self, value: Any, gradient: Gradient) -> None:
        self.value = value
        self.gradient = gradient

    def __neg__(self) -> Any:
        return _dual(-self.value, {k: -g for k, g in self.gradient.items()})

    def __add__(self, other: Any) -> Any:
        return _dual(self.value + _value(other), _combine(self, other, 1, 1))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return _dual(self.value - _value(other), _combine(self, other, 1, -1))

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, (Infinity, Undefined)):
            return self.value * other
        return _dual(self.value * _value(other), _combine(self, other, _value(other), self.value))

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return f"{self.value} with gradient {self.gradient}"


def _dual(value: Any, gradient: Gradient) -> Term:
    """A dual number; a plain term where there is nothing to differentiate."""
    if not gradient or isinstance(value, (Infinity, Undefined)):
        return value
    return Dual(value, gradient)


class Ties(Exact):
    """Exact arithmetic that records whether the reports tie in any comparison that a rule makes.

    >>> import numpy as np
    >>> from proofs import exact
    >>> algebra = Ties()
    >>> winner = np.argmax(exact([[2, 1, 2], [3, 1, 2.0]], algebra=algebra), axis=-1)
    >>> algebra.tied, algebra.tied_rows
    (True, frozenset({0}))

    Every real array that `exact` makes over this algebra holds new report coordinates. A largest or
    least entry that is attained twice is a tie; equal entries below the largest decide nothing and
    are none, except where they are sorted.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[int] = []
        self._tied: set[int] = set()

    @property
    def tied(self) -> bool:
        """Whether some comparison so far was a tie."""
        return bool(self._tied)

    @property
    def tied_rows(self) -> frozenset[int]:
        """The positions, along the first axis of the reports, of the profiles with a tie."""
        return frozenset(self._tied)

    def variables(self, terms: np.ndarray, kind: Kind) -> np.ndarray:
        if kind != "real":
            return terms
        duals = np.empty_like(terms)
        for place in np.ndindex(terms.shape):
            duals[place] = _dual(terms[place], {len(self._rows): Fraction(1)})
            self._rows.append(place[0] if place else 0)
        return duals

    def value(self, term: Term) -> Any:
        return _value(term)

    def kind_of(self, term: Term) -> Kind | None:
        return "real" if isinstance(term, Dual) else None

    # Comparisons

    def _note(self, a: Term, b: Term) -> tuple[Any, Any]:
        """Record a tie between two terms that are about to be compared; their values."""
        x, y = _value(a), _value(b)
        if a is not b and (isinstance(a, Dual) or isinstance(b, Dual)):
            difference = _combine(a, b, 1, -1)
            if difference and x == y:
                self._tied.update(self._rows[coordinate] for coordinate in difference)
        return x, y

    def less(self, a: Term, b: Term) -> Any:
        x, y = self._note(a, b)
        return x < y

    def less_equal(self, a: Term, b: Term) -> Any:
        x, y = self._note(a, b)
        return x <= y

    def equal(self, a: Term, b: Term) -> Any:
        x, y = self._note(a, b)
        return x == y

    def not_equal(self, a: Term, b: Term) -> Any:
        x, y = self._note(a, b)
        return x != y

    def argmax(self, row: list[Term]) -> Term:
        return self._position(row, super().argmax)

    def argmin(self, row: list[Term]) -> Term:
        return self._position(row, super().argmin)

    def _position(self, row: list[Term], position: Callable[[list[Any]], int]) -> int:
        values = [_value(term) for term in row]
        best = position(values)
        for i, value in enumerate(values):
            if i != best and value == values[best]:
                self._note(row[i], row[best])
        return best

    def largest(self, row: list[Term]) -> Term:
        return self._first_undefined(row, self.argmax)

    def smallest(self, row: list[Term]) -> Term:
        return self._first_undefined(row, self.argmin)

    @staticmethod
    def _first_undefined(row: list[Term], position: Callable[[list[Term]], int]) -> Term:
        """The first entry that is no number, as that spoils the row; else the one at a position."""
        for term in row:
            if isinstance(term, Undefined):
                return term
        return row[position(row)]

    def argsort(self, row: list[Term]) -> list[Term]:
        values = [_value(term) for term in row]
        order = super().argsort(values)
        # Equal gradients is an equivalence, so unequal ones among equal values meet somewhere side
        # by side.
        for i, j in pairwise(order):
            if values[i] == values[j]:
                self._note(row[i], row[j])
        return order

    def sort(self, row: list[Term]) -> list[Term]:
        return [row[i] for i in self.argsort(row)]

    # Functions with kinks and jumps

    def absolute(self, a: Term) -> Term:
        if not isinstance(a, Dual):
            return abs(a)
        return -a if self.less(a, 0) else a

    def floor(self, a: Term) -> Term:
        if not isinstance(a, Dual):
            return super().floor(a)
        whole = Fraction(math.floor(a.value))
        self._note(a, whole)
        return whole

    def truncate(self, a: Term) -> Term:
        value = _value(a)
        if not isinstance(value, (Infinity, Undefined)) and -1 < value < 1:
            return Fraction(0)
        return super().truncate(value) if value is a else self._truncate(a)

    def _truncate(self, a: Dual) -> Term:
        return self.ceil(a) if a.value < 0 else self.floor(a)

    def nearest(self, a: Term) -> Term:
        return Algebra.nearest(self, a) if isinstance(a, Dual) else super().nearest(a)

    def floor_divide(self, a: Term, b: Term) -> Term:
        if isinstance(a, Dual) or isinstance(b, Dual):
            return self.floor(self.divide(a, b))
        return super().floor_divide(a, b)

    def remainder(self, a: Term, b: Term) -> Term:
        if isinstance(a, Dual) or isinstance(b, Dual):
            return Algebra.remainder(self, a, b)
        return super().remainder(a, b)

    # Smooth functions

    def divide(self, a: Term, b: Term) -> Term:
        quotient = super().divide(_value(a), _value(b))
        if isinstance(quotient, (Infinity, Undefined)):
            return quotient
        y = _value(b)
        return _dual(quotient, _combine(a, b, 1 / y, -quotient / y))

    def power(self, a: Term, b: Term) -> Term:
        x, y = _value(a), _value(b)
        result = super().power(x, y)
        if isinstance(result, (Infinity, Undefined)) or result is a:
            return result
        at_a = at_b = Fraction(0)
        if isinstance(a, Dual) and not (isinstance(y, Fraction) and y == 0):
            at_a = y * super().power(x, y - 1)
        if isinstance(b, Dual):
            at_b = result * super().log(x)
        return _dual(result, _combine(a, b, at_a, at_b))

    def exp(self, a: Term) -> Term:
        result = super().exp(_value(a))
        return _dual(result, _combine(a, 0, result, 0))

    def log(self, a: Term) -> Term:
        result = super().log(_value(a))
        if isinstance(result, (Infinity, Undefined)):
            return result
        return _dual(result, _combine(a, 0, 1 / _value(a), 0))

    def sqrt(self, a: Term) -> Term:
        result = super().sqrt(_value(a))
        if isinstance(result, (Infinity, Undefined)) or not isinstance(a, Dual):
            return result
        return _dual(result, _combine(a, 0, super().divide(Fraction(1, 2), result), 0))
