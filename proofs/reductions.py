"""NumPy's reductions and running sums: many numbers to one."""

from __future__ import annotations

from math import prod as product_of
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from proofs.algebra import highest_kind
from proofs.arrays import FUNCTIONS, Array, algebra_of, implements, kind_of_dtype, lift
from proofs.folds import call, fold, store
from proofs.ufuncs import choose_between, to_kind

__all__: list[str] = []


def _reduction(ufunc: np.ufunc) -> Any:
    def reduction(
        a: Any, axis: Any = None, dtype: Any = None, out: Any = None, **options: Any
    ) -> Any:
        return ufunc.reduce(
            lift(a, algebra_of(a, out, *options.values())),
            axis=axis,
            dtype=dtype,
            out=out,
            **options,
        )

    return reduction


def _extreme(ufunc: np.ufunc) -> Any:
    def reduction(a: Any, axis: Any = None, out: Any = None, **options: Any) -> Any:
        return ufunc.reduce(
            lift(a, algebra_of(a, out, *options.values())), axis=axis, out=out, **options
        )

    return reduction


def _running(ufunc: np.ufunc) -> Any:
    def scan(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        a = lift(a, algebra_of(a, out))
        if axis is None:
            a, axis = a.ravel(), 0
        return ufunc.accumulate(a, axis=axis, dtype=dtype, out=out)

    return scan


FUNCTIONS[np.sum] = _total = _reduction(np.add)
FUNCTIONS[np.prod] = _reduction(np.multiply)
FUNCTIONS[np.max] = FUNCTIONS[np.amax] = _largest = _extreme(np.maximum)
FUNCTIONS[np.min] = FUNCTIONS[np.amin] = _smallest = _extreme(np.minimum)
FUNCTIONS[np.all] = _every = _extreme(np.logical_and)
FUNCTIONS[np.any] = _extreme(np.logical_or)
FUNCTIONS[np.cumsum] = _running(np.add)
FUNCTIONS[np.cumprod] = _running(np.multiply)


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Array:
    largest, smallest = (f(a, axis, keepdims=keepdims) for f in (_largest, _smallest))
    return store(largest - smallest, out)


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    return _total(to_kind(lift(a, algebra_of(a)), "bool"), axis=axis, keepdims=keepdims)


@implements(np.mean)
def mean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    *,
    where: Any = True,
) -> Array:
    a = to_kind(lift(a, algebra_of(a, where)), "real" if dtype is None else kind_of_dtype(dtype))
    return store(
        _total(a, axis, keepdims=keepdims, where=where) / _count(a, axis, keepdims, where), out
    )


def _count(a: Array, axis: Any, keepdims: bool, where: Any) -> Any:
    if where is True:
        return product_of(
            a.shape[i]
            for i in normalize_axis_tuple(range(a.ndim) if axis is None else axis, a.ndim)
        )
    return _total(np.broadcast_to(where, a.shape), axis, keepdims=keepdims)


@implements(np.average)
def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False
) -> Any:
    algebra = algebra_of(a, weights)
    a = to_kind(lift(a, algebra), "real")
    if weights is None:
        result = mean(a, axis, keepdims=keepdims)
        total = lift(_count(a, axis, keepdims, True), algebra)
    else:
        weights = to_kind(lift(weights, algebra), "real")
        if weights.shape != a.shape:
            if axis is None or weights.shape != tuple(
                a.shape[i] for i in normalize_axis_tuple(axis, a.ndim)
            ):
                raise ValueError(
                    f"average over axis {axis} of shape {a.shape} with weights of shape "
                    f"{weights.shape}; give weights of the shape of a, or of the axes"
                )
            axes = normalize_axis_tuple(axis, a.ndim)
            order = np.argsort(axes)
            shape = [a.shape[i] if i in axes else 1 for i in range(a.ndim)]
            weights = weights.transpose(*order).reshape(shape)
            weights = np.broadcast_to(weights, a.shape)
        total = _total(weights, axis=axis, keepdims=keepdims)
        result = _total(a * weights, axis=axis, keepdims=keepdims) / total
    return (result, np.broadcast_to(total, result.shape)) if returned else result


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = True,
    correction: Any = None,
) -> Array:
    a = to_kind(lift(a, algebra_of(a, where)), "real" if dtype is None else kind_of_dtype(dtype))
    squares = np.square(a - mean(a, axis, keepdims=True, where=where))
    count = _count(a, axis, keepdims, where) - (ddof if correction is None else correction)
    return store(_total(squares, axis, keepdims=keepdims, where=where) / count, out)


@implements(np.std)
def std(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, *args: Any, **options: Any
) -> Array:
    return store(np.sqrt(var(a, axis, dtype, None, *args, **options)), out)


@implements(np.median)
def median(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False
) -> Array:
    a = to_kind(lift(a, algebra_of(a)), "real")
    axes = normalize_axis_tuple(range(a.ndim) if axis is None else axis, a.ndim)
    length = product_of(a.shape[i] for i in axes)
    kept = [i for i in range(a.ndim) if i not in axes]
    rows = np.sort(a.transpose(*kept, *axes).reshape(*(a.shape[i] for i in kept), length), axis=-1)
    middle = (rows[..., (length - 1) // 2] + rows[..., length // 2]) / 2
    shape = [1 if i in axes else n for i, n in enumerate(a.shape)]
    return store(middle.reshape(shape) if keepdims else middle, out)


def _arg(name: str) -> Any:
    def position(a: Any, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Array:
        a = lift(a, algebra_of(a))
        a = to_kind(a, highest_kind(a.kind, "int"))
        if a.size == 0:
            raise ValueError(
                f"{name} of an empty array of shape {a.shape}; there is no entry to point at"
            )
        return store(fold(a, name, axis, "int", keepdims=keepdims), out)

    return position


FUNCTIONS[np.argmax] = _arg("argmax")
FUNCTIONS[np.argmin] = _arg("argmin")


@implements(np.allclose)
def allclose(
    a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Array:
    return _every(isclose(a, b, rtol, atol, equal_nan))


@implements(np.isclose)
def isclose(
    a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Array:
    """|a − b| ≤ atol + rtol |b|, where both are finite; infinities equal themselves."""
    algebra = algebra_of(a, b)
    a, b = lift(a, algebra), lift(b, algebra)
    finite = np.isfinite(a) & np.isfinite(b)
    x, y = choose_between(finite, a, lift(0, algebra)), choose_between(finite, b, lift(0, algebra))
    close = np.abs(x - y) <= atol + rtol * np.abs(y)
    infinite = np.isinf(a) & np.isinf(b)
    same = choose_between(infinite, a, lift(0, algebra)) == choose_between(
        infinite, b, lift(1, algebra)
    )
    both_nan = np.isnan(a) & np.isnan(b) & equal_nan
    return choose_between(finite, close, (infinite & same) | both_nan)


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Array:
    algebra = algebra_of(a1, a2)
    a, b = lift(a1, algebra), lift(a2, algebra)
    if a.shape != b.shape:
        return lift(False, algebra)
    equal = call(algebra, np.equal, a, b)
    return _every(equal)
