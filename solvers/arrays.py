"""Numbers as they enter: floats or rationals, finite, and of the shape that a solver states.

An object array (of Fractions, ints, or what `Fraction` reads) is solved exactly: the same NumPy
code runs on Fractions. Every other array becomes float64.
"""

from __future__ import annotations

from fractions import Fraction
from math import fsum, lcm
from typing import Any

import numpy as np

__all__ = [
    "integers",
    "is_exact",
    "limit",
    "numbers",
    "plain",
    "rational",
    "scaled_floats",
    "total",
    "whole",
]

_fraction = np.frompyfunc(Fraction, 1, 1)
_numerator = np.frompyfunc(lambda v, d: int(v * d), 2, 1)

# Float sums that cancel to less than this share of their terms are added again without rounding.
CANCELS = 2.0**-10
# Sums of a few such numbers stay within int64.
SAFE_BITS = 58


def numbers(values: Any, axes: int, what: str) -> np.ndarray:
    """values as float64, or as Fractions where they came as objects, with at least `axes` axes.

    Raises ValueError for another kind, too few axes, NaN or an infinity.
    """
    array = np.asarray(values)
    if array.ndim < axes:
        raise ValueError(
            f"{what} of shape {array.shape}: expected at least {axes} "
            f"{'axis' if axes == 1 else 'axes'}; see the shapes that the function states"
        )
    if array.dtype.kind not in "biufO":
        raise ValueError(f"{what} of dtype {array.dtype}: expected real numbers")
    if array.dtype == object:
        try:
            return np.asarray(_fraction(array), dtype=object).reshape(array.shape)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{what}: expected finite numbers ({error})") from error
    array = array.astype(float)
    finite = np.isfinite(array)
    if not finite.all():
        at = tuple(int(k) for k in np.argwhere(~finite)[0])
        raise ValueError(
            f"{what}{list(at)} = {array[at]}: expected finite numbers; leave out what cannot be "
            "had, or give it a value of 0"
        )
    return array


def whole(value: Any, least: int, what: str) -> int:
    """value as an int of at least `least`; ValueError otherwise, for 2.5 and True too."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{what} = {value!r}: expected a whole number of at least {least}")
    return int(value)


def limit(seconds: Any) -> None:
    """ValueError for a time limit that is neither None nor a number of at least 0."""
    number = isinstance(seconds, int | float | np.number) and not isinstance(seconds, bool)
    if seconds is not None and not (number and seconds >= 0):
        raise ValueError(f"seconds = {seconds!r}: expected a number of at least 0, or None")


def is_exact(*arrays: Any) -> bool:
    return all(np.asarray(a).dtype == object for a in arrays)


def rational(*arrays: Any) -> bool:
    """Whether all of the entries are Fractions or ints: whether their sums are not rounded."""
    return all(
        a.dtype == object and all(isinstance(v, Fraction | int) for v in a.ravel().tolist())
        for a in map(np.asarray, arrays)
    )


def total(terms: np.ndarray) -> np.ndarray:
    """Sums over the last axis; of floats to some twelve digits however much cancels, so that the
    sign of a sum is right."""
    sums = np.asarray(terms.sum(axis=-1))
    if terms.dtype == object:
        return sums
    reach = np.abs(terms).sum(axis=-1)
    doubtful = (np.abs(sums) < CANCELS * reach) & (reach < np.inf)
    for at in map(tuple, np.argwhere(doubtful)):
        sums[at] = fsum(terms[at].tolist())
    return sums


def plain(array: Any) -> Any:
    """An array without axes as the number in it; every other array as it is."""
    single = isinstance(array, np.generic | np.ndarray) and array.ndim == 0
    return array.item() if single else array


def integers(values: np.ndarray) -> tuple[np.ndarray, int]:
    """(whole, d) with values = whole / d exactly; int64 where it fits with room to add, else ints
    of any size. Floats count as the dyadic rationals that they are."""
    if values.dtype == object:
        d = lcm(*(v.denominator for v in values.ravel().tolist())) if values.size else 1
        big = np.asarray(_numerator(values, d), dtype=object).reshape(values.shape)
        largest = max((abs(v) for v in big.ravel().tolist()), default=0)
        return (big.astype(np.int64) if largest < 2**SAFE_BITS else big), d
    mantissa, exponent = np.frexp(values)
    digits = (mantissa * 2.0**53).astype(np.int64)
    used = digits != 0
    if not used.any():
        return np.zeros(values.shape, dtype=np.int64), 1
    # The exponent of the lowest bit that is set, over all of the numbers.
    trailing = np.log2((digits & -digits)[used].astype(float)).astype(np.int64)
    shift = max(0, -int((exponent[used] - 53 + trailing).min()))
    if int(exponent[used].max()) + shift <= SAFE_BITS:
        return np.ldexp(values, shift).astype(np.int64), 2**shift
    moves = np.where(used, exponent.astype(np.int64) - 53 + shift, 0)
    least = int(moves.min(initial=0))
    ups = np.array([1 << k for k in range(int(moves.max()) - least + 1)], dtype=object)
    big = digits.astype(object) * ups[moves - least]
    return np.asarray(big // (1 << -least), dtype=object), 2**shift


def scaled_floats(values: np.ndarray) -> np.ndarray:
    """values as floats, divided by the power of two that brings the largest near 1."""
    largest = np.abs(values).max(initial=0)
    if not largest:
        return np.zeros(values.shape)
    if values.dtype != object:
        return np.asarray(np.ldexp(values.astype(float), -np.frexp(float(largest))[1]))
    unit = Fraction(largest)
    near = np.frompyfunc(lambda v: float(Fraction(v) / unit), 1, 1)(values)
    return np.asarray(near, dtype=float).reshape(values.shape)
