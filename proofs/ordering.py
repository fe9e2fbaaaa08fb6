"""NumPy functions that compare, choose and look up: sorting, masks, computed positions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from proofs.algebra import Algebra, Term, highest_kind
from proofs.arrays import Array, algebra_of, implements, lift
from proofs.errors import unsupported
from proofs.folds import along_axis, store
from proofs.ufuncs import choose_between, maximum, minimum, promote, to_kind

__all__ = ["stable_orders_only"]

_stable_only: ContextVar[bool] = ContextVar("stable_only", default=False)


@contextmanager
def stable_orders_only() -> Iterator[None]:
    """Refuse orders that NumPy leaves to the machine: `np.argsort` of equal numbers, unless stable.

    On rationals every order here is stable. On floats an unstable sort orders equals as the
    processor's instructions have it, so nothing said of the stable one could be said of the rule.
    """
    token = _stable_only.set(True)
    try:
        yield
    finally:
        _stable_only.reset(token)


def _distinct_only(algebra: Algebra) -> Callable[[list[Term]], list[Term]]:
    def order(row: list[Term]) -> list[Term]:
        known = all(isinstance(term, int | Fraction) for term in row)
        if not (algebra.is_order(row) or (known and len(set(row)) == len(row))):
            raise unsupported(
                "np.argsort or np.argpartition puts equal numbers in an order that depends on the "
                "machine",
                'say which comes first: np.argsort(x, axis=-1, kind="stable")',
            )
        return algebra.argsort(row)

    return order


@implements(np.sort)
def sort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Array:
    a = lift(a, algebra_of(a))
    if axis is None:
        a, axis = a.ravel(), -1
    if a.kind == "bool":
        return sort(to_kind(a, "int"), axis).astype(bool)
    return along_axis(a, axis, a.algebra.sort, a.kind)


@implements(np.argsort)
def argsort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Array:
    """Stable whatever ``kind`` is asked for; see `stable_orders_only`."""
    a = lift(a, algebra_of(a))
    if axis is None:
        a, axis = a.ravel(), -1
    a = to_kind(a, highest_kind(a.kind, "int"))
    free = _stable_only.get() and not (stable or kind in ("stable", "mergesort"))
    if free and a.terms.size and a.shape[axis] > 1:
        return along_axis(a, axis, _distinct_only(a.algebra), "int")
    return along_axis(a, axis, a.algebra.argsort, "int")


@implements(np.partition)
def partition(
    a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Array:
    """Sorted throughout, which is a partition at every ``kth``."""
    return sort(a, axis)


@implements(np.argpartition)
def argpartition(
    a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Array:
    return argsort(a, axis)


@implements(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Array:
    """The stable order by the last key, ties by the one before, and so on."""
    keys = lift(keys, algebra_of(keys))
    order = argsort(keys[0], axis, stable=True)
    for key in list(keys)[1:]:
        again = argsort(take_along_axis(key, order, axis), axis, stable=True)
        order = take_along_axis(order, again, axis)
    return order


_MISSING: Any = object()


@implements(np.where)
def where(condition: Any, x: Any = _MISSING, y: Any = _MISSING) -> Any:
    if x is _MISSING and y is _MISSING:
        return nonzero(condition)
    algebra = algebra_of(condition, x, y)
    return choose_between(lift(condition, algebra), lift(x, algebra), lift(y, algebra))


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Array:
    """The choice of the first condition that holds, else ``default``."""
    if len(condlist) != len(choicelist):
        raise ValueError(
            f"np.select of {len(condlist)} conditions and {len(choicelist)} choices; give as many"
        )
    algebra = algebra_of(condlist, choicelist, default)
    result = lift(default, algebra)
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = choose_between(lift(condition, algebra), lift(choice, algebra), result)
    return result


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Array:
    if mode != "raise":
        raise unsupported(f"np.choose(..., mode={mode!r}) is not available", "clip the index first")
    algebra = algebra_of(a, choices)
    arrays, kind = promote(*(lift(choice, algebra) for choice in choices))
    index = lift(a, algebra)
    shape = np.broadcast_shapes(index.shape, *(x.shape for x in arrays))
    stacked = np.stack([np.broadcast_to(x.terms, shape) for x in arrays], axis=-1)
    places = Array(np.broadcast_to(index.terms, shape)[..., None], index.kind, algebra)
    chosen = take_along_axis(Array(stacked, kind, algebra), places, -1)[..., 0]
    return store(chosen, out)


@implements(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, **bounds: Any) -> Array:
    low, high = bounds.pop("min", a_min), bounds.pop("max", a_max)
    if any(option is not None for option in bounds.values()):
        raise unsupported(f"np.clip(..., {', '.join(bounds)}=) is not available", "leave it out")
    algebra = algebra_of(a, low, high)
    result = lift(a, algebra)
    if low is None and high is None:
        result = result.copy()
    if low is not None:
        result = maximum(result, lift(low, algebra))
    if high is not None:
        result = minimum(result, lift(high, algebra))
    return store(result, out)


@implements(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Array:
    x = lift(x, algebra_of(x))
    largest = np.finfo(float).max
    x = choose_between(np.isnan(x), lift(nan, x.algebra), x)
    infinite = np.isinf(x)
    positive = infinite & (choose_between(infinite, x, lift(0, x.algebra)) > 0)
    x = choose_between(positive, lift(largest if posinf is None else posinf, x.algebra), x)
    return choose_between(
        infinite & ~positive, lift(-largest if neginf is None else neginf, x.algebra), x
    )


# Positions


def _along(a: Array, indices: Array, axis: int) -> tuple[Any, ...]:
    if indices.ndim != a.ndim:
        raise ValueError(
            f"indices of shape {indices.shape} and an array of shape {a.shape} "
            "differ in their number of dimensions"
        )
    axis = normalize_axis_index(axis, a.ndim)
    grid: list[Any] = [
        np.arange(length).reshape((1,) * i + (-1,) + (1,) * (a.ndim - i - 1))
        for i, length in enumerate(a.shape)
    ]
    grid[axis] = indices
    return tuple(grid)


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Array:
    algebra = algebra_of(arr, indices)
    a, indices = lift(arr, algebra), lift(indices, algebra)
    if axis is None:
        a, axis = a.ravel(), 0
    return a[_along(a, indices, axis)]


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    algebra = algebra_of(arr, indices, values)
    if not isinstance(arr, Array):
        store(lift(arr, algebra), arr)
    if axis is None:
        put_along_axis(arr.reshape(-1), indices, values, 0)
    else:
        arr[_along(arr, lift(indices, algebra), axis)] = values


@implements(np.take)
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Array:
    if mode != "raise":
        raise unsupported(f"np.take(..., mode={mode!r}) is not available", "clip the index first")
    algebra = algebra_of(a, indices)
    a, indices = lift(a, algebra), lift(indices, algebra)
    if axis is None:
        a, axis = a.ravel(), 0
    key = (slice(None),) * normalize_axis_index(axis, a.ndim) + (indices,)
    return store(a[key], out)


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Array:
    """How many entries of the ascending ``a`` are below ``v`` ("left") or not above ("right")."""
    algebra = algebra_of(a, v, sorter)
    a, v = lift(a, algebra), lift(v, algebra)
    if sorter is not None:
        a = a[lift(sorter, algebra)]
    below = a < v[..., None] if side == "left" else a <= v[..., None]
    return np.sum(below, axis=-1)


@implements(np.isin)
def isin(
    element: Any,
    test_elements: Any,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    kind: Any = None,
) -> Array:
    algebra = algebra_of(element, test_elements)
    element, candidates = lift(element, algebra), lift(test_elements, algebra).ravel()
    found = np.any(element[..., None] == candidates, axis=-1)
    return ~found if invert else found


@implements(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Array:
    """Piecewise linear through the points (xp, fp), xp ascending; constant outside."""
    if period is not None:
        raise unsupported("np.interp(..., period=) is not available", "reduce x by np.mod first")
    algebra = algebra_of(x, xp, fp, left, right)
    x, xp, fp = (to_kind(lift(array, algebra), "real") for array in (x, xp, fp))
    if xp.ndim != 1 or xp.shape != fp.shape or xp.size == 0:
        raise ValueError(
            f"np.interp needs points in two vectors of equal length, got {xp.shape} and {fp.shape}"
        )
    result = fp[-1] if right is None else lift(right, algebra)
    result = choose_between(x <= xp[-1], fp[-1], result)
    for i in reversed(range(xp.size - 1)):
        line = fp[i] + (x - xp[i]) * ((fp[i + 1] - fp[i]) / (xp[i + 1] - xp[i]))
        result = choose_between(x < xp[i + 1], line, result)
    return choose_between(x < xp[0], fp[0] if left is None else lift(left, algebra), result)


# Results whose shape depends on the values


def _mask(a: Any, name: str) -> np.ndarray:
    a = to_kind(lift(a, algebra_of(a)), "bool")
    mask = a.algebra.known(a.terms, "bool")
    if mask is None:
        raise unsupported(
            f"np.{name} gives an array whose shape depends on the reports",
            "keep the shape: np.where(mask, x, 0) and sums",
        )
    return mask


@implements(np.nonzero)
def nonzero(a: Any) -> Any:
    return np.nonzero(_mask(a, "nonzero"))


@implements(np.flatnonzero)
def flatnonzero(a: Any) -> np.ndarray:
    return np.flatnonzero(_mask(a, "flatnonzero"))


@implements(np.argwhere)
def argwhere(a: Any) -> np.ndarray:
    return np.argwhere(_mask(a, "argwhere"))


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Array:
    return lift(arr, algebra_of(condition, arr)).ravel()[_mask(condition, "extract").ravel()]


@implements(np.compress)
def compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> Array:
    return take(a, np.flatnonzero(_mask(condition, "compress")), axis, out)


@implements(np.unique)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: Any = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    if axis is not None:
        raise unsupported(
            "np.unique(..., axis=) is not available", "use it on one column at a time"
        )
    a = lift(ar, algebra_of(ar))
    flat = a.ravel()
    order = np.asarray(argsort(flat, stable=True))
    ascending = flat[order]
    first = np.concatenate(
        [[True] * min(1, flat.size), _mask(ascending[1:] != ascending[:-1], "unique")]
    )
    results: list[Any] = [ascending[first]]
    if return_index:
        results.append(order[first])
    if return_inverse:
        inverse = np.empty(flat.size, dtype=np.intp)
        inverse[order] = np.cumsum(first) - 1
        results.append(inverse.reshape(a.shape))
    if return_counts:
        results.append(np.diff(np.append(np.flatnonzero(first), flat.size)))
    return results[0] if len(results) == 1 else tuple(results)
