"""NumPy's universal functions on arrays of terms: what each does to terms, and the methods that all
share.

Kinds follow NumPy's dtypes: a sum of two bools is a bool (logical or), a quotient is real, a
boolean times a number is a choice between the number and 0. The entries of a table that are one
operation of the algebra are one line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from proofs.algebra import Kind, as_array, highest_kind
from proofs.arrays import UFUNCS, Array, lift
from proofs.errors import unsupported

__all__ = ["choose_between", "constant_like", "handles", "promote", "to_kind"]

DTYPES: dict[Kind, Any] = {"bool": np.bool_, "int": np.int64, "real": np.float64}


def to_kind(x: Array, kind: Kind) -> Array:
    """The array in the given kind; itself where it is of that kind already."""
    return x if x.kind == kind else x.astype(DTYPES[kind])


def promote(*arrays: Array, at_least: Kind = "bool") -> tuple[list[Array], Kind]:
    """The arrays in the highest of their kinds."""
    kinds = [x.kind for x in arrays]
    kind: Kind = "real" if "real" in kinds else highest_kind(at_least, *kinds)
    return [x if x.kind == kind else x.astype(DTYPES[kind]) for x in arrays], kind


def constant_like(x: Array, value: int, kind: Kind) -> Array:
    """A constant of no dimensions in x's algebra and the given kind."""
    return to_kind(lift(value, x.algebra), kind)


def apply(name: str, kind: Kind, *arrays: Array) -> Array:
    """The algebra's operation on terms, entry by entry, with a result of the given kind."""
    algebra = arrays[0].algebra
    return Array(algebra.elementwise(name, *(x.terms for x in arrays)), kind, algebra)


def choose_between(condition: Array, then: Array, otherwise: Array) -> Array:
    """``np.where`` with three arrays; only the chosen entries are looked at."""
    condition = to_kind(condition, "bool")
    (then, otherwise), kind = promote(then, otherwise)
    known = condition.algebra.known(condition.terms, "bool")
    if known is not None:
        return Array(
            as_array(np.where(known, then.terms, otherwise.terms)), kind, condition.algebra
        )
    return apply("ite", kind, condition, then, otherwise)


# The table


def handles(*ufuncs: np.ufunc) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Enter a function of Arrays in the table of universal functions."""

    def enter(function: Callable[..., Array]) -> Callable[..., Array]:
        for ufunc in ufuncs:
            UFUNCS[ufunc] = function
        return function

    return enter


@handles(np.add)
def add(a: Array, b: Array) -> Array:
    (a, b), kind = promote(a, b)
    return apply("either" if kind == "bool" else "add", kind, a, b)


@handles(np.subtract)
def subtract(a: Array, b: Array) -> Array:
    (a, b), kind = promote(a, b)
    if kind == "bool":
        raise unsupported(
            "bools cannot be subtracted, in NumPy neither", "use a ^ b, a & ~b or a.astype(int)"
        )
    return apply("subtract", kind, a, b)


@handles(np.multiply)
def multiply(a: Array, b: Array) -> Array:
    if a.kind == b.kind:
        return apply("both" if a.kind == "bool" else "multiply", a.kind, a, b)
    if b.kind == "bool":
        a, b = b, a
    if a.kind == "bool":
        return apply("scale", b.kind, a, b, constant_like(b, 0, b.kind))
    (a, b), kind = promote(a, b)
    return apply("multiply", kind, a, b)


@handles(np.divide)
def divide(a: Array, b: Array) -> Array:
    return apply("divide", "real", to_kind(a, "real"), to_kind(b, "real"))


@handles(np.floor_divide)
def floor_divide(a: Array, b: Array) -> Array:
    return _divided_as_reals("floor_divide", a, b)


@handles(np.remainder)
def remainder(a: Array, b: Array) -> Array:
    return _divided_as_reals("remainder", a, b)


def _divided_as_reals(name: str, a: Array, b: Array) -> Array:
    kind = highest_kind(a.kind, b.kind, "int")
    return to_kind(apply(name, "real", to_kind(a, "real"), to_kind(b, "real")), kind)


@handles(np.power)
def power(a: Array, b: Array) -> Array:
    (a, b), kind = promote(a, b, at_least="int")
    if kind == "int":
        for exponent in b.terms.flat:
            error = ValueError(
                f"the power {exponent} of an integer is no integer; make it real: x.astype(float)"
            )
            a.algebra.require(a.algebra.less_equal(0, exponent), error)
    return apply("power", kind, a, b)


@handles(np.float_power)
def float_power(a: Array, b: Array) -> Array:
    return power(to_kind(a, "real"), to_kind(b, "real"))


@handles(np.square)
def square(a: Array) -> Array:
    return multiply(a, a)


@handles(np.reciprocal)
def reciprocal(a: Array) -> Array:
    a = to_kind(a, highest_kind(a.kind, "int"))
    one = constant_like(a, 1, a.kind)
    return divide(one, a) if a.kind == "real" else trunc(divide(one, a)).astype(int)


@handles(np.negative)
def negative(a: Array) -> Array:
    if a.kind == "bool":
        raise unsupported(
            "a bool cannot be negated by -, in NumPy neither", "use ~b, or b.astype(int)"
        )
    return apply("negative", a.kind, a)


@handles(np.positive)
def positive(a: Array) -> Array:
    return a.copy()


@handles(np.absolute, np.fabs)
def absolute(a: Array) -> Array:
    return a.copy() if a.kind == "bool" else apply("absolute", a.kind, a)


@handles(np.sign)
def sign(a: Array) -> Array:
    zero, one = constant_like(a, 0, a.kind), constant_like(a, 1, a.kind)
    return choose_between(less(zero, a), one, choose_between(less(a, zero), negative(one), zero))


def _rounding(name: str) -> Callable[[Array], Array]:
    def rounded(a: Array) -> Array:
        return apply(name, "real", a) if a.kind == "real" else a.copy()

    return rounded


UFUNCS[np.floor] = _rounding("floor")
UFUNCS[np.ceil] = _rounding("ceil")
UFUNCS[np.trunc] = trunc = _rounding("truncate")
UFUNCS[np.rint] = _rounding("nearest")


def _transcendental(name: str) -> Callable[[Array], Array]:
    def function(a: Array) -> Array:
        return apply(name, "real", to_kind(a, "real"))

    return function


UFUNCS[np.exp] = exp = _transcendental("exp")
UFUNCS[np.log] = log = _transcendental("log")
UFUNCS[np.sqrt] = _transcendental("sqrt")


@handles(np.exp2)
def exp2(a: Array) -> Array:
    return power(constant_like(a, 2, "real"), to_kind(a, "real"))


@handles(np.expm1)
def expm1(a: Array) -> Array:
    return subtract(exp(a), constant_like(a, 1, "real"))


@handles(np.log1p)
def log1p(a: Array) -> Array:
    return log(add(a, constant_like(a, 1, "real")))


@handles(np.log2)
def log2(a: Array) -> Array:
    return divide(log(a), log(constant_like(a, 2, "real")))


@handles(np.log10)
def log10(a: Array) -> Array:
    return divide(log(a), log(constant_like(a, 10, "real")))


def _comparison(name: str, name_of_bools: str | None = None) -> Callable[[Array, Array], Array]:
    def compare(a: Array, b: Array) -> Array:
        (a, b), kind = promote(a, b, at_least="bool" if name_of_bools else "int")
        return apply(name_of_bools if kind == "bool" and name_of_bools else name, "bool", a, b)

    return compare


UFUNCS[np.less] = less = _comparison("less")
UFUNCS[np.less_equal] = less_equal = _comparison("less_equal")
UFUNCS[np.greater] = lambda a, b: less(b, a)
UFUNCS[np.greater_equal] = lambda a, b: less_equal(b, a)
UFUNCS[np.equal] = _comparison("equal", "equal")
UFUNCS[np.not_equal] = _comparison("not_equal", "exclusive")


def _logical(name: str) -> Callable[..., Array]:
    def combine(*arrays: Array) -> Array:
        return apply(name, "bool", *(to_kind(x, "bool") for x in arrays))

    return combine


UFUNCS[np.logical_and] = logical_and = _logical("both")
UFUNCS[np.logical_or] = logical_or = _logical("either")
UFUNCS[np.logical_xor] = logical_xor = _logical("exclusive")
UFUNCS[np.logical_not] = logical_not = _logical("invert")


def _bitwise(logical: Callable[..., Array], symbol: str) -> Callable[..., Array]:
    def combine(*arrays: Array) -> Array:
        if any(x.kind != "bool" for x in arrays):
            raise unsupported(
                f"{symbol} combines bools, not arrays of kind "
                + " and ".join(repr(x.kind) for x in arrays),
                "compare first: (x > 0) & (y > 0)",
            )
        return logical(*arrays)

    return combine


UFUNCS[np.bitwise_and] = _bitwise(logical_and, "&")
UFUNCS[np.bitwise_or] = _bitwise(logical_or, "|")
UFUNCS[np.bitwise_xor] = _bitwise(logical_xor, "^")
UFUNCS[np.invert] = _bitwise(logical_not, "~")


@handles(np.maximum)
def maximum(a: Array, b: Array) -> Array:
    (a, b), kind = promote(a, b)
    return apply("either" if kind == "bool" else "maximum", kind, a, b)


@handles(np.minimum)
def minimum(a: Array, b: Array) -> Array:
    (a, b), kind = promote(a, b)
    return apply("both" if kind == "bool" else "minimum", kind, a, b)


def _ignoring_nan(extreme: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    def function(a: Array, b: Array) -> Array:
        a_or_b = choose_between(isnan(a), b, a)
        b_or_a = choose_between(isnan(b), a, b)
        return extreme(a_or_b, b_or_a)

    return function


UFUNCS[np.fmax] = _ignoring_nan(maximum)
UFUNCS[np.fmin] = _ignoring_nan(minimum)


@handles(np.isfinite)
def isfinite(a: Array) -> Array:
    return apply("finite", "bool", a)


@handles(np.isnan)
def isnan(a: Array) -> Array:
    return apply("nan", "bool", a)


@handles(np.isinf)
def isinf(a: Array) -> Array:
    return logical_not(logical_or(isfinite(a), isnan(a)))
