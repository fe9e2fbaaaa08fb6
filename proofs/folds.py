"""Rows to terms, rows to rows, and the methods of universal functions.

Every reduction of an array is an operation of the algebra on rows, lists of terms, along one or
more axes.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate as running
from math import prod
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from proofs.algebra import Algebra, Kind, Term, as_array, highest_kind
from proofs.arrays import UFUNC_METHODS, UFUNCS, Array, kind_of_dtype, lift
from proofs.errors import unsupported
from proofs.ufuncs import choose_between, constant_like, to_kind

__all__ = ["along_axis", "call", "fold", "store"]


def along_axis(
    x: Array, axis: int, operation: Callable[[list[Term]], list[Term]], kind: Kind
) -> Array:
    """An operation from rows to rows of the same length, on all rows along an axis."""
    axis = normalize_axis_index(axis, x.ndim)
    last = axis == x.ndim - 1
    moved = x.terms if last else np.moveaxis(x.terms, axis, -1)
    result = np.empty((prod(moved.shape[:-1]), moved.shape[-1]), dtype=object)
    if moved.size:
        for number, row in enumerate(moved.reshape(result.shape).tolist()):
            result[number] = operation(row)
    shaped = result.reshape(moved.shape)
    return Array(shaped if last else np.moveaxis(shaped, -1, axis), kind, x.algebra)


_NEUTRAL: dict[str, int] = {"total": 0, "product": 1, "every": 1, "some": 0}


def fold(
    x: Array,
    name: str,
    axis: Any,
    kind: Kind,
    *,
    keepdims: bool = False,
    first: Array | None = None,
) -> Array:
    """The algebra's operation ``name``, from a row to a term, on all rows along one or more axes.

    ``first``, of no dimensions and the same kind, is put before every row.
    """
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    shape = tuple(x.shape[axis] for axis in kept)
    length = prod(x.shape[axis] for axis in axes)
    if first is None and length == 0 and name in _NEUTRAL:
        first = constant_like(x, _NEUTRAL[name], kind)
    rows = x.terms.transpose(*kept, *axes).reshape(prod(shape), length).tolist()
    if first is not None:
        rows = [[first.terms[()], *row] for row in rows]
    elif rows and length == 0:
        raise ValueError(f"the {name} entry of none: the reduced axes of shape {x.shape} are empty")
    operation = getattr(x.algebra, name)
    result = np.empty(len(rows), dtype=object)
    result[:] = [operation(row) for row in rows]
    if keepdims:
        shape = tuple(1 if axis in axes else x.shape[axis] for axis in range(x.ndim))
    return Array(result.reshape(shape), kind, x.algebra)


# The methods of universal functions


def store(result: Array, out: Any, where: Any = True) -> Array:
    """The result, written into ``out=`` where that was given."""
    target = out[0] if isinstance(out, tuple) else out
    if where is not True:
        unwritten: Any = target
        if target is None:
            missing = result.algebra.undefined(
                "an entry that where= leaves out, without out=, is never written,"
            )
            unwritten = Array(as_array(missing), result.kind, result.algebra)
        elif not isinstance(target, Array):
            unwritten = result
        result = choose_between(lift(where, result.algebra), result, unwritten)
    if target is None:
        return result
    if not isinstance(target, Array):
        raise unsupported(
            "exact numbers cannot be written into a plain NumPy array "
            "(out=, or x += ... with x = np.zeros(shape))",
            "use np.zeros_like(reports) instead of np.zeros(shape)",
        )
    if highest_kind(result.kind, target.kind) != target.kind:
        raise unsupported(
            f"a result of kind {result.kind!r} does not fit into an array of kind {target.kind!r}",
            "make the array with the higher dtype: np.zeros_like(x, dtype=float)",
        )
    target[...] = result
    return target


def _refuse_options(ufunc: np.ufunc, options: dict[str, Any]) -> None:
    for name, value in options.items():
        if name not in ("casting", "order", "subok") and value is not None:
            raise unsupported(
                f"np.{ufunc.__name__}(..., {name}=) is not available", f"leave {name}= out"
            )


def _method(
    name: str,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        UFUNC_METHODS[name] = function
        return function

    return enter


@_method("__call__")
def call(
    algebra: Algebra,
    ufunc: np.ufunc,
    *inputs: Any,
    out: Any = None,
    where: Any = True,
    dtype: Any = None,
    **options: Any,
) -> Array:
    if options:
        _refuse_options(ufunc, options)
    result = UFUNCS[ufunc](
        *[x if type(x) is Array and x.algebra is algebra else lift(x, algebra) for x in inputs]
    )
    if dtype is not None:
        result = to_kind(result, kind_of_dtype(dtype))
    return result if out is None and where is True else store(result, out, where)


@_method("outer")
def outer(algebra: Algebra, ufunc: np.ufunc, a: Any, b: Any, **options: Any) -> Array:
    a, b = lift(a, algebra), lift(b, algebra)
    return call(algebra, ufunc, a.reshape(a.shape + (1,) * b.ndim), b, **options)


def _row_operation(ufunc: np.ufunc, kind: Kind) -> tuple[str, Kind]:
    """The operation on rows that folds a ufunc, and the kind in which it works."""
    number = highest_kind(kind, "int")
    table: dict[np.ufunc, tuple[str, Kind]] = {
        np.add: ("total", number),
        np.multiply: ("product", number),
        np.maximum: ("some", "bool") if kind == "bool" else ("largest", kind),
        np.minimum: ("every", "bool") if kind == "bool" else ("smallest", kind),
        np.logical_and: ("every", "bool"),
        np.logical_or: ("some", "bool"),
    }
    if kind == "bool":
        table |= {np.bitwise_and: ("every", "bool"), np.bitwise_or: ("some", "bool")}
    if ufunc not in table:
        raise unsupported(
            f"np.{ufunc.__name__}.reduce is not available for kind {kind!r}",
            "use sums, products, maxima, minima, any or all",
        )
    return table[ufunc]


@_method("reduce")
def reduce(
    algebra: Algebra,
    ufunc: np.ufunc,
    x: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Array:
    x = lift(x, algebra)
    if dtype is not None:
        x = to_kind(x, kind_of_dtype(dtype))
    name, kind = _row_operation(ufunc, x.kind)
    first = None
    if initial is not None and initial is not np._NoValue:
        first = lift(initial, algebra)
        kind = highest_kind(kind, first.kind) if name not in ("every", "some") else kind
        first = to_kind(first, kind)
    x = to_kind(x, kind)
    if where is not True and where is not np._NoValue:
        neutral = constant_like(x, _NEUTRAL[name], kind) if name in _NEUTRAL else first
        if neutral is None:
            raise ValueError(
                f"np.{ufunc.__name__} over the entries that where= selects needs initial="
            )
        x = choose_between(lift(where, algebra), x, neutral)
    return store(fold(x, name, axis, kind, keepdims=bool(keepdims), first=first), out)


@_method("accumulate")
def accumulate(
    algebra: Algebra, ufunc: np.ufunc, x: Any, axis: int = 0, dtype: Any = None, out: Any = None
) -> Array:
    x = lift(x, algebra)
    if dtype is not None:
        x = to_kind(x, kind_of_dtype(dtype))
    name, kind = _row_operation(ufunc, x.kind)
    operation = getattr(algebra, _PAIRWISE[name])
    x = to_kind(x, kind)
    return store(along_axis(x, axis, lambda row: list(running(row, operation)), kind), out)


_PAIRWISE = {
    "total": "add",
    "product": "multiply",
    "largest": "maximum",
    "smallest": "minimum",
    "every": "both",
    "some": "either",
}


@_method("at")
def at(algebra: Algebra, ufunc: np.ufunc, x: Any, index: Any, *operands: Any) -> None:
    """The ufunc in place, on one indexed entry after the other: an entry may occur repeatedly."""
    if not isinstance(x, Array):
        store(lift(x, algebra), x)
    numbers = lift(np.arange(x.size).reshape(x.shape), algebra)[index]
    values = [lift(operand, algebra) for operand in operands]
    flat = x.reshape(-1)
    for place in np.ndindex(numbers.shape):
        entry = numbers[place]
        others = [
            Array(as_array(np.broadcast_to(v.terms, numbers.shape)[place]), v.kind, algebra)
            for v in values
        ]
        flat[entry] = call(algebra, ufunc, flat[entry], *others)
    x[...] = flat.reshape(x.shape)
