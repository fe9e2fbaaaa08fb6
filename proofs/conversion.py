"""Into exact arrays, and out of them: what a rule is given, and what is read from its results."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from proofs.algebra import Algebra
from proofs.arrays import Array, algebra_of, lift
from proofs.interval import Interval
from proofs.terms import Infinity, Undefined

__all__ = ["arithmetic", "exact", "values"]


def exact(x: Any, *, algebra: Algebra | None = None) -> Array:
    """An Array of exact numbers: the reports on which a NumPy rule runs exactly.

    Args:
        x: nested lists or an ndarray of Fractions, ints, floats or bools; any shape. A float means
            the simplest rational that rounds to it; infinities and NaN stay what they are. An Array
            is returned as it is.
        algebra: the arithmetic; by default exact rationals, shared by all arrays made without this
            argument.

    Returns:
        An array of x's shape. All bools make kind "bool", bools and ints "int", everything else
        "real".

    Raises:
        ValueError: ``x`` is ragged, or an Array of another algebra.
        Unsupported: an entry is no real number.
    """
    if isinstance(x, Array) and algebra is None:
        return x
    algebra = algebra or algebra_of()
    lifted = lift(x, algebra)
    if lifted is x:
        return lifted
    return Array(algebra.variables(lifted.terms, lifted.kind), lifted.kind, algebra)


def values(array: Any) -> np.ndarray:
    """The numbers of an Array as an object ndarray of the same shape.

    Real arrays give `Fraction`, or `Interval` where exp, log or a root was taken, or ±``math.inf``;
    integer arrays give int; boolean ones bool. A rule may also return a plain array or number; it
    is made exact first.

    Raises:
        UndefinedNumber: an entry is the result of a division by zero, or of something else without
        a result.
    """
    lifted = lift(array, algebra_of(array))
    numbers = np.empty(lifted.size, dtype=object)
    for place, term in enumerate(lifted.terms.flat):
        number = lifted.algebra.value(term)
        if isinstance(number, Undefined):
            number.refuse(
                f"is entry {tuple(map(int, np.unravel_index(place, lifted.shape)))} of the result"
            )
        numbers[place] = float(number) if isinstance(number, Infinity) else number
    return numbers.reshape(lifted.shape)


def arithmetic(array: Any) -> Literal["exact", "interval"]:
    """ "interval" if some entry is only enclosed, else "exact"."""
    lifted = lift(array, algebra_of(array))
    enclosed = any(isinstance(lifted.algebra.value(term), Interval) for term in lifted.terms.flat)
    return "interval" if enclosed else "exact"
