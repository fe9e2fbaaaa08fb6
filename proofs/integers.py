"""Integers that depend on the reports: counts and positions.

Such an integer has finitely many values, each with the condition under which it is the one. Sums
and comparisons go through all pairs of values, so that ``rank < k`` and ``winner == i`` are
conditions and no arithmetic. An entry of an integer array that was never written has the value
None, which must not be used.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from proofs.algebra import Term
from proofs.errors import UndefinedNumber
from proofs.nodes import Bool, Select
from proofs.partial import Partial, is_partial, joined
from proofs.store import Store
from proofs.terms import Undefined

__all__ = ["Integers", "is_integer"]

_UNWRITTEN = "an entry that was never written"


def is_integer(*terms: Any) -> bool:
    """Whether all terms are integers."""
    return all(type(term) is int or isinstance(term, Select) for term in terms)


class Integers:
    """Integers over a store. ``require(condition, error)`` is told what their use depends on."""

    def __init__(self, store: Store, require: Callable[[Bool, Exception], None]) -> None:
        self.store = store
        self.require = require

    def _cases(self, term: Term) -> dict[Any, Bool]:
        if isinstance(term, Undefined):
            return {None: True}
        return {term: True} if isinstance(term, int) else dict(term.cases)

    def _written(self, term: Term) -> dict[int, Bool]:
        """The values of an integer that is used, which it must have."""
        if isinstance(term, Undefined):
            term.refuse("is compared")
        cases = self._cases(term)
        missing = cases.pop(None, False)
        self.require(self.store.negate(missing), UndefinedNumber(f"{_UNWRITTEN}, is compared"))
        return cases

    def apply(self, a: Term, b: Term, operation: Callable[[int, int], int]) -> Term:
        """An operation on two integers."""
        if isinstance(a, int) and isinstance(b, int):
            return operation(a, b)
        if is_partial(a, b):
            return a if is_partial(a) else b

        def defined(x: int | None, y: int | None) -> int | None:
            return None if x is None or y is None else operation(x, y)

        return self.store.select(self.store.combined(self._cases(a), self._cases(b), defined))

    def compare(self, a: Term, b: Term, holds: Callable[[int, int], bool]) -> Bool:
        """Whether two integers compare."""
        found = self.store.combined(self._written(a), self._written(b), holds)
        # Where every pair of values says the same, that is known without its conditions.
        return next(iter(found)) if len(found) == 1 else found[True]

    def choose(self, condition: Bool, then: Term, otherwise: Term) -> Term:
        s = self.store
        cases: dict[Any, list[Bool]] = {}
        for term, here in ((then, condition), (otherwise, s.negate(condition))):
            for value, c in self._cases(term).items():
                cases.setdefault(value, []).append(s.both(here, c))
        return s.select({value: s.disjunction(several) for value, several in cases.items()})

    def of_condition(self, condition: Bool) -> Term:
        """1 where the condition holds, else 0."""
        return self.store.select({1: condition, 0: self.store.negate(condition)})

    def of_real(self, entry: Partial) -> Term | None:
        """A whole real as an integer, without a value where it is none or infinite; None if it has
        too many values, or is made of more than conditions and constants."""
        s = self.store
        values = None if entry.value is None else s.values(entry.value)
        if values is None:
            return None
        missing = s.either(*entry.conditions)
        cases: dict[int | None, Bool] = {
            int(v): s.both(c, s.negate(missing)) for v, c in values.items()
        }
        return s.select({**cases, None: missing})

    def to_real(self, term: Term) -> Term:
        """An integer as a real."""
        cases = self._cases(term)
        missing = cases.pop(None, False)
        value = self.store.spread({Fraction(v): c for v, c in cases.items()})
        return joined(value, missing, False, False, _UNWRITTEN)
