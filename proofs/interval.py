"""Enclosures: what exact arithmetic knows of exp, log and roots.

An `Interval` is a pair of rationals that certainly contains the real number it stands for.
Arithmetic computes with the end points and rounds them outwards to the working precision, so that
they stay short and remain bounds. A comparison answers only when every pair of numbers in the two
enclosures agrees on the answer; otherwise it raises `Undecided`. So a sign that comes out is a
proof, as it is with fractions.

exp and log are evaluated by mpmath, whose results are good to a unit in the last place; they are
widened by sixteen such units before they are believed. Roots need integers only. Values that are
rational (the root of a perfect power, exp 0, log 1) stay fractions.

Source: Moore, Kearfott & Cloud, *Introduction to Interval Analysis* (2009); mpmath, F. Johansson
and others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, NoReturn, Union

from proofs.errors import Undecided, user_line

__all__ = ["Interval", "exp", "log", "precision", "root", "sqrt", "working_precision"]

_BITS: ContextVar[int] = ContextVar("bits", default=128)
_GUARD = 16
_LARGEST_EXPONENT = 1 << 14

Real = Union[Fraction, "Interval"]


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Work with ``bits`` significant bits inside the block; 128 outside.

    Raise it when a comparison is `Undecided`: twice the bits decide a difference that is the square
    of the smallest decided before.
    """
    if bits < 8:
        raise ValueError(f"precision({bits}): at least 8 bits are needed; the default is 128")
    token = _BITS.set(bits)
    try:
        yield
    finally:
        _BITS.reset(token)


def working_precision() -> int:
    """The significant bits of end points in the present context."""
    return _BITS.get()


def _down(x: Fraction, bits: int) -> Fraction:
    """``x`` rounded down to ``bits`` significant bits (or one more)."""
    n, d = x.numerator, x.denominator
    if d & (d - 1) == 0 and n.bit_length() <= bits:
        return x
    shift = bits - n.bit_length() + d.bit_length()
    if shift >= 0:
        return Fraction((n << shift) // d, 1 << shift)
    return Fraction((n // (d << -shift)) << -shift)


def _up(x: Fraction, bits: int) -> Fraction:
    return -_down(-x, bits)


def _ends(x: Any) -> tuple[Fraction, Fraction] | None:
    """The enclosure of a term that arithmetic here understands, or None."""
    if isinstance(x, Interval):
        return x.low, x.high
    if isinstance(x, (Fraction, int)):
        return (Fraction(x),) * 2
    return None


def _outward(low: Fraction, high: Fraction) -> Interval:
    bits = _BITS.get()
    return Interval(_down(low, bits), _up(high, bits))


def _extremes(values: list[Fraction]) -> Interval:
    return _outward(min(values), max(values))


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """A real number of which the rationals ``low`` ≤ number ≤ ``high`` are known.

    Mixes with int and Fraction. An object equals itself (it stands for one number), so ``x - x`` is
    0 and ``x <= x`` holds however wide the enclosure is.
    """

    low: Fraction
    high: Fraction

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(
                f"Interval({self.low}, {self.high}): the lower end point exceeds the upper"
            )

    @property
    def width(self) -> Fraction:
        """The uncertainty, high − low."""
        return self.high - self.low

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    def __abs__(self) -> Interval:
        if self.low >= 0:
            return self
        if self.high <= 0:
            return -self
        return Interval(Fraction(0), max(-self.low, self.high))

    def __add__(self, other: Any) -> Interval:
        ends = _ends(other)
        if ends is None:
            return NotImplemented
        return _outward(self.low + ends[0], self.high + ends[1])

    __radd__ = __add__

    def __sub__(self, other: Any) -> Real:
        ends = _ends(other)
        if ends is None:
            return NotImplemented
        if other is self:
            return Fraction(0)
        return _outward(self.low - ends[1], self.high - ends[0])

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> Real:
        ends = _ends(other)
        if ends is None:
            return NotImplemented
        if ends[0] == 0 == ends[1]:
            return Fraction(0)
        if other is self:
            return self**2
        return _extremes([a * b for a in (self.low, self.high) for b in ends])

    __rmul__ = __mul__

    def _divide(self, ends: tuple[Fraction, Fraction]) -> Interval:
        low, high = ends
        if low == 0 == high:
            raise ZeroDivisionError("an interval divided by zero")
        if low <= 0 <= high:
            raise Undecided(
                f"{user_line()}: whether the divisor in [{float(low)}, {float(high)}] is zero is "
                "not decided; repeat it within precision(bits) for more bits"
            )
        return _extremes([a / b for a in (self.low, self.high) for b in ends])

    def __truediv__(self, other: Any) -> Real:
        ends = _ends(other)
        if ends is None:
            return NotImplemented
        return self._divide(ends)

    def __rtruediv__(self, other: Any) -> Real:
        ends = _ends(other)
        if ends is None:
            return NotImplemented
        return Interval(*ends)._divide((self.low, self.high))

    def __pow__(self, exponent: int) -> Real:
        """An integer power; `power` takes any exponent."""
        if not isinstance(exponent, int):
            return NotImplemented
        if exponent == 0:
            return Fraction(1)
        if exponent < 0:
            return 1 / self ** (-exponent)
        base = abs(self) if exponent % 2 == 0 else self
        return _outward(base.low**exponent, base.high**exponent)

    def __floordiv__(self, other: Any) -> Any:
        ends = _ends(other)
        if ends is None:
            return NotImplemented
        return Fraction(math.floor(self / other))

    def __rfloordiv__(self, other: Any) -> Any:
        return Fraction(math.floor(other / self))

    def __mod__(self, other: Any) -> Any:
        ends = _ends(other)
        if ends is None:
            return NotImplemented
        return self - self // other * other

    def __rmod__(self, other: Any) -> Any:
        return other - other // self * self

    def __floor__(self) -> int:
        low, high = math.floor(self.low), math.floor(self.high)
        if low != high:
            self._undecided("its integer part", high)
        return low

    def _undecided(self, question: str, other: object) -> NoReturn:
        raise Undecided(
            f"{user_line()}: {question} is not decided: {self} against {other}, enclosures of "
            f"{_BITS.get()} bits; repeat it within precision(bits) for more bits. Numbers that are "
            "equal stay undecided at every precision"
        )

    def _less(self, other: Any, *, strict: bool) -> bool:
        ends = _ends(other)
        if ends is None:
            return NotImplemented
        if other is self:
            return not strict
        low, high = ends
        if self.high < low or (not strict and self.high == low):
            return True
        if self.low > high or (strict and self.low == high):
            return False
        self._undecided("a comparison", other)

    def __lt__(self, other: Any) -> bool:
        return self._less(other, strict=True)

    def __le__(self, other: Any) -> bool:
        return self._less(other, strict=False)

    def __gt__(self, other: Any) -> bool:
        less = self._less(other, strict=False)
        return less if less is NotImplemented else not less

    def __ge__(self, other: Any) -> bool:
        less = self._less(other, strict=True)
        return less if less is NotImplemented else not less

    def __eq__(self, other: object) -> bool:
        ends = _ends(other)
        if ends is None:
            return NotImplemented
        if other is self or self.low == self.high == ends[0] == ends[1]:
            return True
        if self.high < ends[0] or ends[1] < self.low:
            return False
        self._undecided("an equality", other)

    __hash__ = None  # type: ignore[assignment]

    def __float__(self) -> float:
        return float((self.low + self.high) / 2)

    def __repr__(self) -> str:
        return f"Interval({float(self)!r} ± {float(self.width / 2):.1e})"


def _enclose(name: str, x: Fraction, bits: int) -> Interval:
    """mpmath's exp or log at a rational, widened so that its last units do not matter."""
    from mpmath import libmp

    functions: dict[str, Callable[..., Any]] = {"exp": libmp.mpi_exp, "log": libmp.mpi_log}
    working = bits + _GUARD
    argument = tuple(
        libmp.from_rational(x.numerator, x.denominator, working, direction) for direction in "fc"
    )
    low, high = (Fraction(*libmp.to_rational(end)) for end in functions[name](argument, working))
    slack = max(abs(low), abs(high)) / (1 << (working - 4))
    return Interval(_down(low - slack, bits), _up(high + slack, bits))


# The cache is also what makes log(b1) and log(b2) the same object, hence equal, where b1 = b2.
@lru_cache(maxsize=1 << 14)
def _exp(x: Fraction, bits: int) -> Real:
    if x == 0:
        return Fraction(1)
    if x < -_LARGEST_EXPONENT:
        return Interval(Fraction(0), Fraction(1, 1 << _LARGEST_EXPONENT))
    if x > _LARGEST_EXPONENT:
        raise Undecided(
            f"{user_line()}: exp({float(x):g}) is too large to enclose; "
            f"arguments up to {_LARGEST_EXPONENT} are supported: subtract the largest one first"
        )
    return _enclose("exp", x, bits)


@lru_cache(maxsize=1 << 14)
def _log(x: Fraction, bits: int) -> Real:
    return Fraction(0) if x == 1 else _enclose("log", x, bits)


def _integer_root(n: int, degree: int) -> int:
    """The integer part of the ``degree``-th root of ``n`` ≥ 0, by Newton's iteration from above."""
    if degree == 2 or n < 2:
        return math.isqrt(n) if degree == 2 else n
    guess = 1 << -(-n.bit_length() // degree)
    while True:
        better = ((degree - 1) * guess + n // guess ** (degree - 1)) // degree
        if better >= guess:
            return guess
        guess = better


@lru_cache(maxsize=1 << 14)
def _root(x: Fraction, degree: int, bits: int) -> Real:
    n, d = _integer_root(x.numerator, degree), _integer_root(x.denominator, degree)
    if n**degree == x.numerator and d**degree == x.denominator:
        return Fraction(n, d)
    # root(n/d) = root(n d^(degree-1)) / d, with the numerator's integer part taken after scaling by
    # 2^shift.
    radicand = x.numerator * x.denominator ** (degree - 1)
    shift = max(0, bits + _GUARD - radicand.bit_length() // degree)
    scaled = _integer_root(radicand << (degree * shift), degree)
    unit = x.denominator << shift
    return Interval(_down(Fraction(scaled, unit), bits), _up(Fraction(scaled + 1, unit), bits))


def _increasing(function: Callable[[Fraction, int], Real], x: Real) -> Real:
    """An increasing function of a term, from its values at the end points."""
    bits = _BITS.get()
    if isinstance(x, Fraction):
        return function(x, bits)
    low, high = function(x.low, bits), function(x.high, bits)
    return Interval(
        low if isinstance(low, Fraction) else low.low,
        high if isinstance(high, Fraction) else high.high,
    )


def exp(x: Real) -> Real:
    """e to the power x; exact at 0."""
    return _increasing(_exp, x)


def require_sign(x: Real, name: str, *, zero: bool) -> None:
    low, high = (x, x) if isinstance(x, Fraction) else (x.low, x.high)
    if high < 0 or (not zero and high == 0):
        raise ZeroDivisionError(f"{name} of {float(x):g}")
    if low < 0 or (not zero and low == 0):
        raise Undecided(
            f"{user_line()}: {name} of a number in [{float(low)}, {float(high)}], perhaps not "
            "positive; clip it first, or repeat it within precision(bits) for more bits"
        )


def log(x: Real) -> Real:
    """The natural logarithm; exact at 1.

    Raises:
        ZeroDivisionError: ``x`` ≤ 0, where there is none.
        Undecided: the enclosure of ``x`` reaches down to 0.
    """
    require_sign(x, "log", zero=False)
    return _increasing(_log, x)


def root(x: Real, degree: int) -> Real:
    """The ``degree``-th root (``degree`` ≥ 1) of ``x`` ≥ 0; exact for perfect powers.

    Raises:
        ZeroDivisionError: ``x`` < 0, which has no real root here.
        Undecided: the sign of ``x`` is not decided.
    """
    require_sign(x, "root", zero=True)
    return _increasing(lambda end, bits: _root(end, degree, bits), x)


def sqrt(x: Real) -> Real:
    """The square root of ``x`` ≥ 0; exact for squares of rationals."""
    return root(x, 2)
