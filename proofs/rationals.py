"""The rational number that a float constant means.

A float x stands for every real number that rounds to it: the interval between the midpoints to its
two neighbours. Of the rationals in there, the simplest (the least denominator, then the least
absolute numerator) is what an author who writes ``0.3`` or ``1 / 3`` has in mind: 3/10 and 1/3.

The simplest rational of an interval is the first one met on the way down the Stern-Brocot tree; the
path is the common beginning of the continued fractions of the end points.

Source: Graham, Knuth & Patashnik, *Concrete Mathematics* (2nd ed., 1994), sections 4.5 and 6.7.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

__all__ = ["simplest", "simplest_between"]


def simplest_between(low: Fraction | int, high: Fraction | int) -> Fraction:
    """The rational of least denominator, then least absolute value, in the closed interval [low,
    high].

    Raises:
        ValueError: the interval is empty.
    """
    low, high = Fraction(low), Fraction(high)
    if low > high:
        raise ValueError(f"the interval [{low}, {high}] is empty; give the lower end point first")
    if low <= 0 <= high:
        return Fraction(0)
    if high < 0:
        return -simplest_between(-high, -low)
    return _between(low.numerator, low.denominator, high.numerator, high.denominator)


def _between(a: int, b: int, c: int, d: int) -> Fraction:
    """The simplest rational in [a/b, c/d], where 0 < a/b."""
    p, q, last_p, last_q = 1, 0, 0, 1  # the last two convergents of the common beginning
    while True:
        whole = a // b
        if whole * b != a and (whole + 1) * d > c:
            # Both ends share this integer part: go on with the reciprocals of what remains.
            p, last_p = whole * p + last_p, p
            q, last_q = whole * q + last_q, q
            a, b, c, d = d, c - whole * d, b, a - whole * b
            continue
        term = whole if whole * b == a else whole + 1
        return Fraction(term * p + last_p, term * q + last_q)


@lru_cache(maxsize=1 << 14)
def _simplest_fraction(x: float) -> Fraction:
    if x < 0:
        return -_simplest_fraction(-x)
    ratios = [y.as_integer_ratio() for y in (math.nextafter(x, 0), x, math.nextafter(x, math.inf))]
    common = 2 * max(denominator for _, denominator in ratios)  # all are powers of two
    below, exact, above = (n * (common // denominator) for n, denominator in ratios)
    # A midpoint has a larger denominator than x itself, so it is never the simplest, and it need
    # not be excluded although it may round to the neighbour.
    return _between((below + exact) // 2, common, (exact + above) // 2, common)


def simplest(x: float) -> Fraction:
    """The simplest rational that rounds to the float ``x``; integers, of any size, are themselves.

    >>> simplest(0.3), simplest(1 / 3), simplest(2.0)
    (Fraction(3, 10), Fraction(1, 3), Fraction(2, 1))

    Raises:
        ValueError: ``x`` is NaN or infinite, which no rational number is.
    """
    if isinstance(x, int):
        return Fraction(int(x))
    x = float(x)
    if not math.isfinite(x):
        raise ValueError(
            f"{x} is not a number that a rational can stand for; "
            "mask it first, for example np.where(np.isfinite(x), x, 0)"
        )
    return Fraction(int(x)) if x.is_integer() else _simplest_fraction(x)
