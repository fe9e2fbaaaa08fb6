"""The symbolic algebra: a rule, run once on unknowns, gives the terms of all its results.

The unchanged NumPy rule runs on arrays of variables, and what comes out says in one term what the
rule does at every profile, ties included. The terms are our own (`nodes`, `store`); a solver sees
them only as text.

Beyond real numbers a rule meets infinities and quotients that may not exist (`partial`). Nothing is
ever assumed to be defined: comparing an entry, or indexing with it, adds an *obligation* to the
algebra, and a claim about the results holds only together with the obligations.

Positions and counts are finitely many integers, each with its condition, so that ``winner == i`` is
a condition and no arithmetic. An arg-maximum is i where x_i exceeds all entries before it and is
not exceeded by those behind it; the position of x_i in the stable order is the number of entries
that come before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import numpy as np

from proofs.algebra import Algebra, Kind, Term
from proofs.arrays import Array
from proofs.concrete import Exact
from proofs.errors import UndefinedNumber, Unsupported, unraised, unsupported, user_line
from proofs.integers import Integers, is_integer
from proofs.interval import Interval
from proofs.nodes import And, Bool, Linear, Node, Not, Real, Select, Sign
from proofs.nodes import Variable as VariableNode
from proofs.partial import Partial, Partials, is_partial, joined, parts, real
from proofs.store import Store
from proofs.terms import Infinity, Undefined, undefined

__all__ = ["Obligation", "Symbolic", "symbols"]

_ZERO, _ONE = Fraction(0), Fraction(1)
_EXACT = Exact()
_LARGEST_POWER = 16


@dataclass(frozen=True)
class Obligation:
    """A condition without which a rule has no result, and the error that it raises there."""

    condition: Bool
    error: Exception


class Symbolic(Algebra):
    """Arithmetic on unknowns.

    Attributes:
        store: the terms.
        obligations: what must hold for the rules that were run to have a result at all.
        unknowns: the name and the levels (none for a continuum) of every unknown.
    """

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self.partials = Partials(self.store)
        self.integers = Integers(self.store, self.require)
        self.obligations: list[Obligation] = []
        self.unknowns: dict[Any, tuple[str, tuple[Fraction, ...]]] = {}

    # Constants and conversions

    def kind_of(self, term: Term) -> Kind | None:
        if isinstance(term, (Linear, Partial)):
            return "real"
        if isinstance(term, (And, Not, Sign, VariableNode)):
            return "bool"
        return "int" if isinstance(term, Select) else None

    def constant(self, value: Any) -> tuple[Term, Kind]:
        if isinstance(value, Interval):
            raise unsupported(
                "an enclosure of an irrational number is no term", "use a rational number"
            )
        return super().constant(value)

    def value(self, term: Term) -> Any:
        if isinstance(term, (Node, Partial)):
            raise unsupported(
                "a number was asked of a term that depends on the reports",
                "put numbers in: evaluate(array, {name: number})",
            )
        return term

    def decide(self, condition: Term) -> bool:
        if isinstance(condition, bool):
            return condition
        raise unsupported(
            "Python asked for the truth value of a condition that depends on the reports "
            "(if, while, and, or, not, min, max)",
            "write np.where(condition, a, b), &, |, ~, np.minimum or np.maximum",
        )

    def require(self, condition: Term, error: Exception) -> None:
        if condition is False:
            raise error
        unraised(error)
        if condition is not True:
            later = type(error)(f"{user_line()}: {error}")
            unraised(later)
            self.obligations.append(Obligation(condition, later))

    def cast(self, term: Term, old: Kind, new: Kind) -> Term:
        if old == new or isinstance(term, Undefined):
            return term
        if new == "bool":
            return self.not_equal(term, 0)
        if old == "bool":
            if new == "real":
                return self.store.indicator(term)
            return self.integers.of_condition(term)
        if new == "int":
            return self._whole(term)
        return Fraction(term) if isinstance(term, int) else self.integers.to_real(term)

    def _whole(self, term: Term) -> Term:
        """A real, cut towards 0, as an integer."""
        entry = parts(self.truncate(term))
        if entry.value is None:
            return undefined("an infinity made an integer")
        whole = self.integers.of_real(entry)
        if whole is None:
            raise unsupported(
                "an integer made of a real number that depends on the reports is not available",
                "keep it real: np.floor(x), without astype(int)",
            )
        return whole

    # Arithmetic

    def add(self, a: Term, b: Term) -> Term:
        if is_integer(a, b):
            return self.integers.apply(a, b, lambda x, y: x + y)
        if not is_partial(a, b):
            return self.store.plus(real(a), real(b))
        return self.partials.add(a, b)

    def negative(self, a: Term) -> Term:
        if is_integer(a):
            return self.integers.apply(a, 0, lambda x, _: -x)
        if not is_partial(a):
            return self.store.scale(real(a), -_ONE)
        return self.partials.negative(a)

    def subtract(self, a: Term, b: Term) -> Term:
        if is_integer(a, b):
            return self.integers.apply(a, b, lambda x, y: x - y)
        if not is_partial(a, b):
            return self.store.plus(real(a), real(b), -_ONE)
        return self.add(a, self.negative(b))

    def multiply(self, a: Term, b: Term) -> Term:
        if is_integer(a, b):
            return self.integers.apply(a, b, lambda x, y: x * y)
        if not is_partial(a, b):
            return self.store.times(real(a), real(b))
        return self.partials.multiply(a, b)

    def scale(self, condition: Term, number: Term, zero: Term) -> Term:
        if is_partial(number):
            return self.partials.scale(_condition(condition), number)
        return self.ite(condition, number, zero)

    def divide(self, a: Term, b: Term) -> Term:
        return self.partials.divide(a, b)

    def power(self, a: Term, b: Term) -> Term:
        if isinstance(b, Fraction) and b.denominator == 1:
            b = b.numerator
        if isinstance(a, (int, Fraction)) and isinstance(b, (int, Fraction)):
            return self._constant("power", a, b)
        if not isinstance(b, int) or abs(b) > _LARGEST_POWER:
            if isinstance(a, Undefined):
                return a
            raise unsupported(
                "np.power of numbers that depend on the reports is available for constant whole "
                f"exponents up to {_LARGEST_POWER} only",
                "use products, or verify by search",
            )
        if b == 0:
            return 1 if isinstance(a, Select) else _ONE
        result = a
        for _ in range(abs(b) - 1):
            result = self.multiply(result, a)
        return result if b > 0 else self.divide(_ONE, result)

    def _constant(self, name: str, *arguments: Any) -> Term:
        value = getattr(_EXACT, name)(*arguments)
        if isinstance(value, Interval):
            raise unsupported(
                f"np.{name} of {', '.join(map(str, arguments))} is no rational number",
                "write a rational number in its place",
            )
        return value

    def _function(self, name: str, a: Term) -> Term:
        """A function that is not piecewise linear: of constants, and of choices among constants."""
        if isinstance(a, (Fraction, int, Infinity, Undefined)):
            return self._constant(name, a)
        entry = parts(a)
        values = None if entry.value is None else self.store.values(entry.value)
        images = {value: self._constant(name, value) for value in values or ()}
        if (
            values is None
            or entry.plus is not False
            or entry.minus is not False
            or not all(isinstance(image, Fraction) for image in images.values())
        ):
            raise unsupported(
                f"np.{name} of a number that depends on the reports has no symbolic counterpart",
                "verify by search, or write the rule with arithmetic and comparisons",
            )
        value = self.store.map_values(values, images.__getitem__)
        return joined(value, entry.undefined, False, False, entry.cause)

    def exp(self, a: Term) -> Term:
        return self._function("exp", a)

    def log(self, a: Term) -> Term:
        return self._function("log", a)

    def sqrt(self, a: Term) -> Term:
        return self._function("sqrt", a)

    def floor(self, a: Term) -> Term:
        return self._where_finite(self.store.floor, a)

    def truncate(self, a: Term) -> Term:
        return self._where_finite(super().truncate, a)

    def nearest(self, a: Term) -> Term:
        return self._where_finite(super().nearest, a)

    def _where_finite(self, function: Callable[[Real], Real], a: Term) -> Term:
        x = parts(a)
        value = None if x.value is None else function(x.value)
        return joined(value, x.undefined, x.plus, x.minus, x.cause, x.strict)

    # Comparisons

    def _defined(self, *terms: Term) -> None:
        for term in terms:
            if isinstance(term, Undefined):
                term.refuse("is compared")
            if isinstance(term, Partial) and term.undefined is not False:
                error = UndefinedNumber(
                    f"{term.cause}; the result, which is not a number, is compared. "
                    "Guard it: np.where(s > 0, a / s, 0)"
                )
                self.require(self.store.negate(term.undefined), error)

    def less(self, a: Term, b: Term) -> Bool:
        if is_integer(a, b):
            return self.integers.compare(a, b, lambda x, y: x < y)
        self._defined(a, b)
        return self.partials.less(a, b)

    def less_equal(self, a: Term, b: Term) -> Bool:
        return self.store.negate(self.less(b, a))

    def equal(self, a: Term, b: Term) -> Bool:
        s = self.store
        if self._is_bool(a) or self._is_bool(b):
            return s.if_then(a, b, s.negate(b))
        if is_integer(a, b):
            return self.integers.compare(a, b, lambda x, y: x == y)
        self._defined(a, b)
        return self.partials.equal(a, b)

    def _is_bool(self, term: Term) -> bool:
        return isinstance(term, bool) or self.kind_of(term) == "bool"

    def finite(self, a: Term) -> Bool:
        if isinstance(a, Undefined):
            return _EXACT.finite(a)
        if isinstance(a, Partial) and not a.strict and a.undefined is not False:
            raise _untestable("isfinite", a)
        return self.store.negate(self.store.either(*parts(a).conditions)) if is_partial(a) else True

    def nan(self, a: Term) -> Bool:
        if isinstance(a, Undefined):
            return _EXACT.nan(a)
        if isinstance(a, Partial) and a.undefined is not False:
            raise _untestable("isnan", a)
        return False

    # Conditions and choices

    def both(self, a: Term, b: Term) -> Bool:
        return self.store.both(_condition(a), _condition(b))

    def either(self, a: Term, b: Term) -> Bool:
        return self.store.either(_condition(a), _condition(b))

    def invert(self, a: Term) -> Bool:
        return self.store.negate(_condition(a))

    def every(self, row: list[Term]) -> Bool:
        return self.store.conjunction(map(_condition, row))

    def some(self, row: list[Term]) -> Bool:
        return self.store.disjunction(map(_condition, row))

    def ite(self, condition: Term, then: Term, otherwise: Term) -> Term:
        if isinstance(condition, bool):
            return then if condition else otherwise
        condition = _condition(condition)
        s = self.store
        if then is otherwise:
            return then
        if self._is_bool(then) or self._is_bool(otherwise):
            return s.if_then(condition, _condition(then), _condition(otherwise))
        if is_integer(then) or is_integer(otherwise):
            return self.integers.choose(condition, then, otherwise)
        if is_partial(then, otherwise):
            return self.partials.choose(condition, then, otherwise)
        return s.choose(condition, real(then), real(otherwise))

    def minimum(self, a: Term, b: Term) -> Term:
        return self._extreme(a, b, smallest=True)

    def maximum(self, a: Term, b: Term) -> Term:
        return self._extreme(a, b, smallest=False)

    def _extreme(self, a: Term, b: Term, *, smallest: bool) -> Term:
        if is_integer(a, b):
            return self.integers.apply(a, b, min if smallest else max)
        return self.partials.extreme(a, b, smallest=smallest)

    # Rows

    def total(self, row: list[Term]) -> Term:
        if any(is_integer(a) or is_partial(a) for a in row):
            return super().total(row)
        return self.store.total(map(real, row))

    def _ranked(self, row: list[Term], k: int) -> Term | None:
        """The k-th smallest of a row of reals; None if one is an integer or may be missing."""
        if len(row) < 2 or any(is_integer(a) or is_partial(a) for a in row):
            return row[0] if len(row) == 1 else None
        return self.store.rank([real(a) for a in row], k)

    def largest(self, row: list[Term]) -> Term:
        ranked = self._ranked(row, len(row))
        return super().largest(row) if ranked is None else ranked

    def smallest(self, row: list[Term]) -> Term:
        ranked = self._ranked(row, 1)
        return super().smallest(row) if ranked is None else ranked

    def sort(self, row: list[Term]) -> list[Term]:
        if self._ranked(row, 1) is None:
            return super().sort(row)
        return [self._ranked(row, k) for k in range(1, len(row) + 1)]

    def argmax(self, row: list[Term]) -> Term:
        return self._position(row, self.less)

    def argmin(self, row: list[Term]) -> Term:
        return self._position(row, lambda a, b: self.less(b, a))

    def _position(self, row: list[Term], below: Callable[[Term, Term], Bool]) -> Term:
        cases: dict[int | None, Bool] = {}
        for i, a in enumerate(row):
            before = [below(b, a) for b in row[:i]]
            after = [self.store.negate(below(a, b)) for b in row[i + 1 :]]
            cases[i] = self.store.conjunction([*before, *after])
        return self.store.select(cases)

    def is_order(self, row: list[Term]) -> bool:
        return tuple(row) in self.store.inverse_orders

    def argsort(self, row: list[Term]) -> list[Term]:
        known = self.store.inverse_orders.get(tuple(row))
        if known is not None:
            return known
        places = []
        for i, a in enumerate(row):
            ahead = [self.store.negate(self.less(a, b)) for b in row[:i]]
            ahead += [self.less(b, a) for b in row[i + 1 :]]
            places.append(self.total([self.cast(c, "bool", "int") for c in ahead] or [0]))
        order = [
            self.store.select({i: self.equal(place, k) for i, place in enumerate(places)})
            for k in range(len(row))
        ]
        # The order of a permutation is its inverse: argsort(argsort(x)) is where each entry goes.
        self.store.inverse_orders[tuple(order)] = places
        return order


def _untestable(name: str, entry: Partial) -> Unsupported:
    return unsupported(
        f"np.{name} of a number that may not exist ({entry.cause}) is not available",
        "test the divisor instead: np.where(s > 0, a / s, 0)",
    )


def _condition(term: Any) -> Bool:
    if isinstance(term, Undefined):
        term.refuse("is used as a condition")
    return cast(Bool, term)


def symbols(
    name: str,
    shape: int | Sequence[int],
    *,
    algebra: Symbolic,
    kind: Kind = "real",
    levels: Sequence[Any] | None = None,
) -> Array:
    """An Array of new unknowns, ``name_0_0``, ``name_0_1``, …

    Args:
        name: letters, digits and underscores; new to the algebra.
        shape: the array's shape; without dimensions, the one unknown is called ``name``.
        algebra: the arithmetic that the unknowns belong to.
        kind: "real" or "bool".
        levels: the finitely many values that a real unknown may have. It is then a choice among
            them, by boolean unknowns ``name_0_0_is_k``, and products with it stay linear.

    Raises:
        ValueError: the name is taken or malformed, the kind is "int", or there are no levels.
    """
    if not name.isidentifier() or not name.isascii():
        raise ValueError(f"symbols are called {name!r}; use letters, digits and underscores")
    if kind == "int":
        raise ValueError("unknown integers are not available; use kind='real' and levels=")
    if levels is not None and (kind != "real" or len(levels) == 0):
        raise ValueError(f"{len(levels)} levels for kind {kind!r}; give values of a real unknown")
    lengths = (shape,) if isinstance(shape, int) else tuple(shape)
    steps = tuple(sorted({Fraction(algebra.constant(level)[0]) for level in levels or ()}))
    terms = np.empty(lengths, dtype=object)
    for place in np.ndindex(*lengths):
        full = "_".join([name, *map(str, place)])
        if steps:
            terms[place] = algebra.store.among(full, steps)
        elif kind == "bool":
            terms[place] = algebra.store.unknown(full, boolean=True)
        else:
            terms[place] = algebra.store.variable(full)
        algebra.unknowns.setdefault(terms[place], (full, steps))
    return Array(terms, kind, algebra)
