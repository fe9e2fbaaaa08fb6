"""The concrete algebra: rationals, enclosures where a rule takes exp, log or roots.

Real terms are `Fraction`, `Interval`, `Infinity` or `Undefined`; integers are Python's, of any
size; booleans are Python's. Python's operators already mix these, so the primitives are Python's
own operators. Rows of fractions are compared as integers over their common denominator, which is
what makes sorting and arg-maxima fast.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from proofs import interval
from proofs.algebra import Algebra, Kind, Term
from proofs.errors import Undecided, handled
from proofs.interval import Interval
from proofs.terms import Infinity, Undefined, infinity, undefined

__all__ = ["Exact"]

_ZERO, _ONE = Fraction(0), Fraction(1)
# Beyond these, a rational power is taken through exp and log: roots of huge powers are slow and no
# narrower.
_LARGEST_DEGREE, _LARGEST_POWER = 64, 1024
_LARGEST_EXPONENT = 1 << 20


class Exact(Algebra):
    """Exact arithmetic: a / 0 is `Undefined`, and enclosures that overlap are `Undecided`."""

    concrete = True

    def known(self, terms: np.ndarray, kind: Kind) -> np.ndarray | None:
        if kind == "real":
            return None
        return terms.astype(np.int64 if kind == "int" else np.bool_)

    def decide(self, condition: Term) -> bool:
        return bool(condition)

    def cast(self, term: Term, old: Kind, new: Kind) -> Term:
        if isinstance(term, Undefined) or old == new:
            return term
        if new == "bool":
            return self.not_equal(term, 0)
        if new == "int":
            return int(term) if old == "bool" else int(self.truncate(term))
        if old == "bool":
            return _ONE if term else _ZERO
        return Fraction(term)

    # Primitives

    def add(self, a: Term, b: Term) -> Term:
        return a + b

    def subtract(self, a: Term, b: Term) -> Term:
        return a - b

    def multiply(self, a: Term, b: Term) -> Term:
        return a * b

    def negative(self, a: Term) -> Term:
        return -a

    def absolute(self, a: Term) -> Term:
        return abs(a)

    def less(self, a: Term, b: Term) -> Term:
        return a < b

    def less_equal(self, a: Term, b: Term) -> Term:
        return a <= b

    def equal(self, a: Term, b: Term) -> Term:
        return a == b

    def not_equal(self, a: Term, b: Term) -> Term:
        return a != b

    def divide(self, a: Term, b: Term) -> Term:
        try:
            return a / b
        except ZeroDivisionError:
            return _over_zero(a)

    def floor(self, a: Term) -> Term:
        if isinstance(a, (Infinity, Undefined)):
            return a
        return Fraction(math.floor(a))

    def floor_divide(self, a: Term, b: Term) -> Term:
        try:
            return a // b * _ONE
        except ZeroDivisionError:
            return _over_zero(a)

    def remainder(self, a: Term, b: Term) -> Term:
        try:
            return a % b
        except ZeroDivisionError:
            return undefined("remainder of a division by zero")

    def power(self, a: Term, b: Term) -> Term:
        if isinstance(a, Undefined) or isinstance(b, Undefined):
            return a if isinstance(a, Undefined) else b
        if isinstance(b, Fraction) and b.denominator == 1:
            b = b.numerator
        if isinstance(b, int):
            return self._integer_power(a, b)
        if isinstance(b, Infinity) or isinstance(a, Infinity):
            return self._infinite_power(a, b)
        try:
            if (
                isinstance(b, Fraction)
                and b.denominator <= _LARGEST_DEGREE
                and abs(b.numerator) <= _LARGEST_POWER
            ):
                base = self._integer_power(a, b.numerator)
                interval.require_sign(a, "non-integer power", zero=True)
                return base if isinstance(base, Undefined) else interval.root(base, b.denominator)
            if isinstance(a, Fraction) and a == 0:
                return _ZERO if b > 0 else undefined("negative power of zero", nan=False)
            return interval.exp(b * interval.log(a))
        except ZeroDivisionError as error:
            return undefined(str(error))

    def _integer_power(self, a: Term, exponent: int) -> Term:
        if abs(exponent) > _LARGEST_EXPONENT:
            raise OverflowError(
                f"the power {exponent} is too large for exact arithmetic; "
                f"exponents up to {_LARGEST_EXPONENT} are supported"
            )
        try:
            return a**exponent
        except ZeroDivisionError:
            return undefined("negative power of zero", nan=False)

    def _infinite_power(self, a: Term, b: Term) -> Term:
        if isinstance(a, Infinity) and not isinstance(b, Infinity):
            if a.sign < 0:
                return undefined("non-integer power of minus infinity")
            return infinity(1) if b > 0 else _ZERO
        size = abs(a)
        if size == 1:
            return _ONE
        return infinity(1) if (size > 1) == (b.sign > 0) else _ZERO

    def exp(self, a: Term) -> Term:
        if isinstance(a, Infinity):
            return a if a.sign > 0 else _ZERO
        return a if isinstance(a, Undefined) else interval.exp(a)

    def log(self, a: Term) -> Term:
        if isinstance(a, Fraction) and a == 0:
            return infinity(-1)
        return self._rooted(interval.log, a)

    def sqrt(self, a: Term) -> Term:
        return self._rooted(interval.sqrt, a)

    def _rooted(self, function: Any, a: Term) -> Term:
        if isinstance(a, Undefined) or (isinstance(a, Infinity) and a.sign > 0):
            return a
        if isinstance(a, Infinity):
            return undefined(f"{function.__name__} of minus infinity")
        try:
            return function(a)
        except ZeroDivisionError as error:
            return undefined(str(error))

    def both(self, a: Term, b: Term) -> Term:
        return bool(a) and bool(b)

    def either(self, a: Term, b: Term) -> Term:
        return bool(a) or bool(b)

    def invert(self, a: Term) -> Term:
        return not a

    def exclusive(self, a: Term, b: Term) -> Term:
        return a != b

    def ite(self, condition: Term, then: Term, otherwise: Term) -> Term:
        return then if condition else otherwise

    def scale(self, condition: Term, number: Term, zero: Term) -> Term:
        if condition:
            return number
        # As in floats, nothing times what is not a finite number is not a number.
        return number * 0 if isinstance(number, (Undefined, Infinity)) else zero

    def minimum(self, a: Term, b: Term) -> Term:
        return self.smallest([a, b])

    def maximum(self, a: Term, b: Term) -> Term:
        return self.largest([a, b])

    def truncate(self, a: Term) -> Term:
        if isinstance(a, (Infinity, Undefined)):
            return a
        return self.ceil(a) if a < 0 else self.floor(a)

    def nearest(self, a: Term) -> Term:
        if isinstance(a, (Infinity, Undefined)):
            return a
        return Fraction(round(a)) if isinstance(a, Fraction) else super().nearest(a)

    def finite(self, a: Term) -> Term:
        if isinstance(a, Undefined) and a.nan is None:
            a.refuse("is tested by isfinite, which depends on how it was used")
        return not isinstance(a, (Infinity, Undefined))

    def nan(self, a: Term) -> Term:
        if isinstance(a, Undefined) and a.nan is None:
            a.refuse("is tested by isnan, which depends on how it was used")
        return isinstance(a, Undefined) and bool(a.nan)

    # Rows

    def total(self, row: list[Term]) -> Term:
        if type(row[0]) is int or len(row) == 1:
            return sum(row[1:], row[0])
        scaled = _over_common_denominator(row)
        if scaled is None:
            return sum(row[1:], row[0])
        return Fraction(sum(scaled[0]), scaled[1])

    def product(self, row: list[Term]) -> Term:
        return math.prod(row[1:], start=row[0])

    def every(self, row: list[Term]) -> Term:
        return all(row)

    def some(self, row: list[Term]) -> Term:
        return any(row)

    def largest(self, row: list[Term]) -> Term:
        keys = _keys(row)
        if keys is not None:
            return row[max(range(len(row)), key=keys.__getitem__)]
        return self._extreme(row, max)

    def smallest(self, row: list[Term]) -> Term:
        keys = _keys(row)
        if keys is not None:
            return row[min(range(len(row)), key=keys.__getitem__)]
        return self._extreme(row, min)

    def _extreme(self, row: list[Term], extreme: Any) -> Term:
        for term in row:
            if isinstance(term, Undefined):
                return term
        try:
            return extreme(row)
        except Undecided:
            handled()
            # Which term is the extreme one is open, its value is enclosed all the same.
            return _enclosure(extreme, row)

    def argmax(self, row: list[Term]) -> Term:
        keys = _keys(row) or row
        return max(range(len(row)), key=keys.__getitem__)

    def argmin(self, row: list[Term]) -> Term:
        keys = _keys(row) or row
        return min(range(len(row)), key=keys.__getitem__)

    def sort(self, row: list[Term]) -> list[Term]:
        keys = _keys(row)
        if keys is not None:
            return [row[i] for i in sorted(range(len(row)), key=keys.__getitem__)]
        try:
            return sorted(row)
        except Undecided:
            handled()
            lows, highs = sorted(map(_low, row)), sorted(map(_high, row))
            return [_interval(low, high) for low, high in zip(lows, highs, strict=True)]

    def argsort(self, row: list[Term]) -> list[Term]:
        keys = _keys(row) or row
        return sorted(range(len(row)), key=keys.__getitem__)


def _over_zero(a: Term) -> Undefined:
    """a / 0: NaN in floats if a is 0, else an infinity."""
    try:
        return undefined("division by zero", nan=bool(a == 0))
    except Undecided:
        handled()
        return undefined("division by zero", nan=None)


def _over_common_denominator(row: list[Term]) -> tuple[list[int], int] | None:
    """Integers proportional to the terms, and the denominator; None unless all are rational."""
    try:
        denominators = [term.denominator for term in row]
    except AttributeError:
        return None
    common = math.lcm(*denominators)
    if common == 1:
        return [term.numerator for term in row], 1
    return [
        term.numerator * (common // denominator)
        for term, denominator in zip(row, denominators, strict=True)
    ], common


def _keys(row: list[Term]) -> list[int] | None:
    scaled = _over_common_denominator(row)
    return None if scaled is None else scaled[0]


def _low(term: Term) -> Term:
    return term.low if isinstance(term, Interval) else term


def _high(term: Term) -> Term:
    return term.high if isinstance(term, Interval) else term


def _interval(low: Term, high: Term) -> Term:
    return low if low == high else Interval(low, high)


def _enclosure(extreme: Any, row: list[Term]) -> Term:
    return _interval(extreme(map(_low, row)), extreme(map(_high, row)))
