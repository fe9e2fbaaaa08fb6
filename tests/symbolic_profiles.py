"""Concrete profiles put into the symbolic result of a rule, against the exact run of the rule.

A symbolic run is right if, at every profile, it gives what the exact run gives, or fails where the
exact run fails: a quotient by zero that is used, an index out of range. A symbolic run may fail in
one more case: an obligation that it took on for an entry that the exact run never looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from proofs import Array, UndefinedNumber, exact, values
from proofs.arrays import lift
from proofs.evaluation import Evaluator
from proofs.symbolic import Symbolic

FAILED = "failed"


def flattened(result: Any) -> list[Any]:
    """The arrays of a result that may be nested in tuples and lists."""
    if isinstance(result, (tuple, list)):
        return [array for part in result for array in flattened(part)]
    return [result]


class Run:
    """A rule's symbolic result, ready for profiles."""

    def __init__(self, result: Any, algebra: Symbolic) -> None:
        self.arrays = [lift(array, algebra) for array in flattened(result)]
        self._results = Evaluator([term for array in self.arrays for term in array.terms.flat])
        self._owed = Evaluator([obligation.condition for obligation in algebra.obligations])

    def at(self, values_of: dict[str, Any]) -> list[Any] | str:
        """The numbers of all entries where the variables have these values, or FAILED."""
        try:
            return self._results(values_of) if all(self._owed(values_of)) else FAILED
        except UndefinedNumber:
            return FAILED


def exactly(rule: Callable[[], Any]) -> tuple[list[Any], list[tuple[int, ...]]] | str:
    """The exact numbers of all entries, and the shapes, or FAILED."""
    try:
        arrays = [exact(array) for array in flattened(rule())]
        return [x for array in arrays for x in values(array).flat], [a.shape for a in arrays]
    except (UndefinedNumber, IndexError):
        return FAILED


def assert_agree(run: Run, values_of: dict[str, Any], rule: Callable[[], Any]) -> None:
    """The symbolic result at one profile is the exact one, in numbers, kinds and shapes."""
    expected, found = exactly(rule), run.at(values_of)
    if isinstance(expected, str) or isinstance(found, str):
        assert found == expected, values_of
        return
    numbers, shapes = expected
    assert [array.shape for array in run.arrays] == shapes
    assert found == numbers, values_of
    assert [type(x) for x in found] == [type(x) for x in numbers]


def reals(rng: np.random.Generator, shape: Sequence[int], choices: Sequence[Any]) -> np.ndarray:
    """An object array of choices, few enough that ties are frequent."""
    flat = np.empty(int(np.prod(shape)), dtype=object)
    flat[:] = [choices[k] for k in rng.integers(0, len(choices), size=flat.size)]
    return flat.reshape(shape)


def unknowns(array: Array, numbers: Any) -> dict[str, Any]:
    """The values of the variables of a plain array of symbols."""
    names = [repr(term) for term in array.terms.flat]
    return dict(zip(names, np.asarray(numbers, dtype=object).flat, strict=True))
