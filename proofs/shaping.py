"""NumPy functions that move entries about, make arrays like others, and join and split them."""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs.algebra import highest_kind
from proofs.arrays import FUNCTIONS, Array, algebra_of, implements, kind_of_dtype, lift
from proofs.errors import unsupported
from proofs.folds import store
from proofs.ufuncs import choose_between, promote, subtract, to_kind

__all__: list[str] = []


def _plain(x: Any) -> Any:
    """An option (a shift, a count of repeats) as NumPy takes it."""
    return np.asarray(x) if isinstance(x, Array) else x


def _moving(function: Any) -> Any:
    """A function that only moves the entries of its first argument."""

    def moved(a: Any, *args: Any, **options: Any) -> Any:
        a = lift(a, algebra_of(a, *args, *options.values()))
        options = {name: _plain(option) for name, option in options.items()}
        result = function(a.terms, *map(_plain, args), **options)
        if isinstance(result, (list, tuple)):
            return type(result)(Array(part, a.kind, a.algebra) for part in result)
        return Array(result, a.kind, a.algebra)

    return moved


_MOVING: tuple[Any, ...] = (
    np.array_split, np.atleast_1d, np.atleast_2d, np.atleast_3d, np.broadcast_to, np.copy,
    np.delete, np.diagonal, np.dsplit, np.expand_dims, np.flip, np.fliplr, np.flipud, np.hsplit,
    np.matrix_transpose, np.moveaxis, np.permute_dims, np.ravel, np.repeat, np.reshape, np.resize,
    np.roll, np.rollaxis, np.rot90, np.split, np.squeeze, np.swapaxes, np.tile, np.transpose,
    np.vsplit,
)  # fmt: skip
for _function in _MOVING:
    FUNCTIONS[_function] = _moving(_function)


def _joining(function: Any) -> Any:
    """A function that joins the arrays of a sequence."""

    def joined(arrays: Any, *args: Any, **options: Any) -> Array:
        out, dtype = options.pop("out", None), options.pop("dtype", None)
        algebra = algebra_of(arrays)
        parts, kind = promote(*(lift(array, algebra) for array in arrays))
        result = Array(function([part.terms for part in parts], *args, **options), kind, algebra)
        return store(result if dtype is None else result.astype(dtype), out)

    return joined


for _function in (np.column_stack, np.concatenate, np.dstack, np.hstack, np.stack, np.vstack):
    FUNCTIONS[_function] = _joining(_function)
_concatenate, _stack, _moveaxis = (
    FUNCTIONS[function] for function in (np.concatenate, np.stack, np.moveaxis)
)


@implements(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Array:
    algebra = algebra_of(arr, values)
    arr, values = lift(arr, algebra), lift(values, algebra)
    if axis is None:
        arr, values, axis = arr.ravel(), values.ravel(), 0
    return _concatenate([arr, values], axis=axis)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Array:
    algebra = algebra_of(arr, obj, values)
    arr, values = lift(arr, algebra), to_kind(lift(values, algebra), lift(arr, algebra).kind)
    return Array(np.insert(arr.terms, _plain(obj), values.terms, axis=axis), arr.kind, algebra)


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Array:
    a = lift(array, algebra_of(array, *options.values()))
    if mode == "constant":
        fill = lift(options.pop("constant_values", 0), a.algebra)
        if fill.ndim:
            raise unsupported(
                "np.pad with several constants is not available", "pad once for each of them"
            )
        options["constant_values"] = to_kind(fill, a.kind).terms[()]
    elif mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise unsupported(
            f"np.pad(..., mode={mode!r}) is not available", "use mode='constant' or 'edge'"
        )
    return Array(np.pad(a.terms, pad_width, mode=mode, **options), a.kind, a.algebra)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Array, ...]:
    algebra = algebra_of(*args)
    arrays = [lift(array, algebra) for array in args]
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    return tuple(Array(np.broadcast_to(a.terms, shape), a.kind, algebra) for a in arrays)


@implements(np.meshgrid)
def meshgrid(*xi: Any, **options: Any) -> tuple[Array, ...]:
    algebra = algebra_of(*xi)
    arrays = [lift(array, algebra) for array in xi]
    grids = np.meshgrid(*(a.terms for a in arrays), **options)
    return tuple(Array(grid, a.kind, algebra) for grid, a in zip(grids, arrays, strict=True))


# Arrays like others


def _filled(a: Array, value: Any, dtype: Any, shape: Any) -> Array:
    kind = a.kind if dtype is None else kind_of_dtype(dtype)
    size: Any = a.shape if shape is None else shape
    result = Array(np.empty(size, dtype=object), kind, a.algebra)
    result[...] = value
    return result


@implements(np.zeros_like)
def zeros_like(
    a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, **_: Any
) -> Array:
    return _filled(a, 0, dtype, shape)


@implements(np.ones_like)
def ones_like(
    a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, **_: Any
) -> Array:
    return _filled(a, 1, dtype, shape)


@implements(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: Any = "K",
    subok: bool = True,
    shape: Any = None,
    **_: Any,
) -> Array:
    algebra = algebra_of(a, fill_value)
    return _filled(lift(a, algebra), fill_value, dtype, shape)


@implements(np.empty_like)
def empty_like(
    prototype: Any,
    dtype: Any = None,
    order: Any = "K",
    subok: bool = True,
    shape: Any = None,
    **_: Any,
) -> Array:
    """Entries that raise if they are used before they are written."""
    result = _filled(prototype, 0, dtype, shape)
    result.terms[...] = prototype.algebra.undefined(
        "an entry of np.empty_like that is never written,"
    )
    return result


# Small functions


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    algebra = algebra_of(dst, src, where)
    source = lift(src, algebra)
    store(to_kind(source, highest_kind(source.kind, "bool")), dst, where)


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    if not isinstance(a, Array):
        store(lift(a, algebra_of(a, val)), a)
    if a.ndim < 2 or wrap:
        raise unsupported(
            "np.fill_diagonal with wrap or below two dimensions is not available", "index instead"
        )
    diagonal = np.arange(min(a.shape))
    a[(diagonal,) * a.ndim] = val


def _triangle(function: Any) -> Any:
    def triangle(m: Any, k: int = 0) -> Array:
        kept = function(np.ones(m.shape, dtype=bool), k)
        return choose_between(lift(kept, m.algebra), m, to_kind(lift(0, m.algebra), m.kind))

    return triangle


FUNCTIONS[np.tril] = _triangle(np.tril)
FUNCTIONS[np.triu] = _triangle(np.triu)


@implements(np.trace)
def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
) -> Array:
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype, out=out)


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Array:
    algebra = algebra_of(a, prepend, append)
    a = _moveaxis(lift(a, algebra), axis, -1)
    for extra, in_front in ((prepend, True), (append, False)):
        if extra is not None and extra is not np._NoValue:
            extra = lift(extra, algebra)
            extra = (
                _moveaxis(extra, axis, -1)
                if extra.ndim
                else np.broadcast_to(extra, (*a.shape[:-1], 1))
            )
            a = _concatenate([extra, a] if in_front else [a, extra], axis=-1)
    for _ in range(n):
        a = a[..., 1:] != a[..., :-1] if a.kind == "bool" else subtract(a[..., 1:], a[..., :-1])
    return _moveaxis(a, -1, axis)


@implements(np.round, np.around)
def round_(a: Any, decimals: int = 0, out: Any = None) -> Array:
    """To ``decimals`` decimal places, halves to even."""
    a = lift(a, algebra_of(a))
    if a.kind != "real" and decimals >= 0:
        return store(a.copy(), out)
    unit = lift(10 ** abs(decimals), a.algebra)
    rounded = np.rint(a * unit) / unit if decimals >= 0 else np.rint(a / unit) * unit
    return store(rounded if a.kind == "real" else rounded.astype(int), out)


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Array:
    """The k-th diagonal of a matrix, or the matrix with this k-th diagonal."""
    v = lift(v, algebra_of(v))
    if v.ndim == 2:
        return v.diagonal(k)
    if v.ndim != 1:
        raise ValueError(f"np.diag of shape {v.shape}; give a vector or a matrix")
    places = np.arange(len(v))
    matrix = _filled(v, 0, None, (len(v) + abs(k),) * 2)
    matrix[places + max(-k, 0), places + max(k, 0)] = v
    return matrix


@implements(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    return lift(a, algebra_of(a)).shape


@implements(np.ndim)
def ndim(a: Any) -> int:
    return lift(a, algebra_of(a)).ndim


@implements(np.size)
def size(a: Any, axis: Any = None) -> int:
    return np.size(lift(a, algebra_of(a)).terms, axis)


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> np.dtype:
    return np.result_type(*(x.dtype if isinstance(x, Array) else x for x in arrays_and_dtypes))


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    return False


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    return True


@implements(np.may_share_memory, np.shares_memory)
def shares_memory(a: Any, b: Any, max_work: Any = None) -> bool:
    first, second = (x.terms if isinstance(x, Array) else x for x in (a, b))
    return np.may_share_memory(first, second)


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **options: Any) -> Array:
    """``func1d`` of every vector along ``axis``, called with Arrays."""
    rows = _moveaxis(arr, axis, -1)
    lengths = rows.shape[:-1]
    results = [
        lift(func1d(rows[place], *args, **options), arr.algebra) for place in np.ndindex(*lengths)
    ]
    if not results:
        raise ValueError(
            f"np.apply_along_axis on an array of shape {arr.shape}: there is no vector"
        )
    together = _stack(results).reshape(lengths + results[0].shape)
    inner = range(len(lengths), together.ndim)
    return _moveaxis(together, list(inner), [axis % arr.ndim + i for i in range(len(inner))])
