"""Reading and writing by indices that are themselves terms.

``x[rows, winner]`` with a computed ``winner`` is a choice among the cells that ``winner`` may mean:
plain indexing once for every position, and an ``ite`` chain over the results. ``x[mask] = v`` is a
choice cell by cell. Both work for any key that NumPy accepts. What depends on NumPy's rules for
combining indices, namely which entry of an index belongs to which entry of the result, is asked of
NumPy itself, by indexing an array that holds the numbers of the entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from proofs.algebra import Algebra, Kind, Term, as_array
from proofs.errors import unsupported

__all__ = ["Computed", "read", "write"]

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Computed:
    """Part of a key whose entries are terms: an index ("int") or a mask ("bool")."""

    terms: np.ndarray
    kind: Kind


@dataclass(frozen=True)
class _Part:
    """A computed part, its place in the key, the (first) axis that it indexes, and which of its
    entries every entry of the result takes."""

    terms: np.ndarray
    position: int
    axis: int
    entries: np.ndarray


def read(terms: np.ndarray, key: Key, algebra: Algebra) -> np.ndarray:
    """``terms[key]`` as a new array, for a key with `Computed` parts."""
    if any(isinstance(part, Computed) and part.kind == "bool" for part in key):
        raise unsupported(
            "reading x[mask] gives an array whose shape depends on the reports",
            "keep the shape: np.where(mask, x, 0)",
        )
    chosen: np.ndarray | None = None
    for plain, guard in _cases(terms.shape, *_parts(terms.shape, key), algebra):
        candidate = as_array(terms[plain])
        if chosen is not None:
            candidate = algebra.elementwise("ite", guard, candidate, chosen)
        chosen = candidate
    if chosen is None:
        raise IndexError(f"an array of shape {terms.shape} has no entry that an index could mean")
    return chosen


def write(terms: np.ndarray, key: Key, value: np.ndarray, algebra: Algebra) -> None:
    """``terms[key] = value`` for a key with `Computed` parts; of two writes to a cell, the last."""
    cells = np.arange(terms.size).reshape(terms.shape)
    indices, masks, plain = _parts(terms.shape, key)
    for mask in masks:
        _refuse_one_value_per_selected_entry(mask, value)
    target: Term
    for case, guard in _cases(terms.shape, indices, masks, plain, algebra):
        targets = cells[case]
        written = np.broadcast_to(value, targets.shape)
        for target, condition, new in zip(targets.flat, guard.flat, written.flat, strict=True):
            terms.flat[target] = algebra.ite(condition, new, terms.flat[target])


def _cases(
    shape: tuple[int, ...],
    indices: list[_Part],
    masks: list[_Part],
    plain: list[Any],
    algebra: Algebra,
) -> Iterator[tuple[Key, np.ndarray]]:
    """Every plain key that a key may mean, with the condition on each entry that it does."""
    result_shape = np.empty(shape, dtype=np.bool_)[tuple(plain)].shape
    everywhere = np.full(result_shape, True, dtype=object)
    for mask in masks:
        everywhere = algebra.elementwise("both", everywhere, mask.terms.reshape(-1)[mask.entries])
    for index in indices:
        _require_range(index, shape[index.axis], algebra)
    for cells in product(*(range(shape[index.axis]) for index in indices)):
        guard, case = everywhere, list(plain)
        for index, cell in zip(indices, cells, strict=True):
            here = algebra.elementwise("points_at", index.terms, cell, shape[index.axis])
            guard = algebra.elementwise("both", guard, here.reshape(-1)[index.entries])
            case[index.position] = np.full(index.terms.shape, cell)
        yield tuple(case), guard


def _parts(shape: tuple[int, ...], key: Key) -> tuple[list[_Part], list[_Part], list[Any]]:
    """The computed indices, the computed masks, and the key with plain stand-ins for both."""
    stand_in: list[Any] = []
    found: list[tuple[Computed, int, int]] = []
    axis = 0
    for part in key:
        if isinstance(part, Computed):
            found.append((part, len(stand_in), axis))
            if part.kind == "bool":
                expected = shape[axis : axis + part.terms.ndim]
                if part.terms.shape != expected:
                    raise IndexError(
                        f"a mask of shape {part.terms.shape} indexes axes of shape {expected}"
                    )
                stand_in += np.nonzero(np.ones(part.terms.shape, dtype=bool))
            else:
                stand_in.append(np.zeros(part.terms.shape, dtype=np.int64))
        else:
            stand_in.append(part)
        axis += len(shape) - _axes(key) if part is Ellipsis else _axes((part,))
    indices, masks = [], []
    for part, position, axis in found:
        numbers = np.arange(part.terms.size)
        if part.kind == "bool":
            following = len(shape) - axis - part.terms.ndim
            numbers = numbers.reshape((1,) * axis + part.terms.shape + (1,) * following)
            entries = np.broadcast_to(numbers, shape)[tuple(stand_in)]
            masks.append(_Part(part.terms, position, axis, entries))
        else:
            stretched = (*shape[:axis], part.terms.size, *shape[axis + 1 :])
            numbers = numbers.reshape((-1,) + (1,) * (len(shape) - axis - 1))
            probe = list(stand_in)
            probe[position] = np.arange(part.terms.size).reshape(part.terms.shape)
            entries = np.broadcast_to(numbers, stretched)[tuple(probe)]
            indices.append(_Part(part.terms, position, axis, entries))
    return indices, masks, stand_in


def _axes(key: Key) -> int:
    """How many axes the parts of a key, but for an ellipsis, index."""
    count = 0
    for part in key:
        if isinstance(part, Computed):
            count += part.terms.ndim if part.kind == "bool" else 1
        elif isinstance(part, (np.ndarray, bool, np.bool_)) and np.asarray(part).dtype == bool:
            count += np.ndim(part)
        elif part is not None and part is not Ellipsis:
            count += 1
    return count


def _require_range(index: _Part, length: int, algebra: Algebra) -> None:
    for entry in index.terms.flat:
        inside = algebra.both(algebra.less_equal(-length, entry), algebra.less(entry, length))
        algebra.require(
            inside,
            IndexError(f"a computed index leaves axis {index.axis}, which has size {length}"),
        )


def _refuse_one_value_per_selected_entry(mask: _Part, value: np.ndarray) -> None:
    for axis in range(mask.entries.ndim):
        from_the_right = axis - mask.entries.ndim
        if (
            np.any(np.diff(mask.entries, axis=axis))
            and -from_the_right <= value.ndim
            and value.shape[from_the_right] != 1
        ):
            raise unsupported(
                f"x[mask] = values of shape {value.shape} takes one value for every entry selected",
                "keep the shape: x = np.where(mask, values, x)",
            )
