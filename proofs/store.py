"""Making terms: one of each, in a normal form that keeps linear arithmetic linear.

What is decided here is decided for every solver and every certificate, so each rule below is an
identity of real numbers:

- sums are collected by atom, so x − x is 0; x ≤ x is True;
- ``c · x`` for a condition c is the choice between x and 0, and products are pushed into choices:
  (c ? p : q) · x = c ? p·x : q·x. Only products of two variables are left over as nonlinear;
- (c ? p : q) = q + (p − q) · (c ? 1 : 0) for constants p, q; a choice is scaled to a first
  coefficient of 1, so that payments and receipts cancel;
- a choice inside a choice on the same condition is decided;
- the order statistics of a row do not depend on the order of the row, and are one node each; those
  of −x are the opposites of those of x.

An order statistic r, the k-th smallest of x_1 … x_n, is a new real number with two conditions: at
most k − 1 of the x lie below r, and at most n − k above. Together they say that some x equals r,
and which number it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

from proofs.errors import unsupported
from proofs.logic import ALL, Logic
from proofs.nodes import (
    NEGATIVE,
    POSITIVE,
    ZERO,
    And,
    Atom,
    Bool,
    Choice,
    Floor,
    Inverse,
    Linear,
    Not,
    Product,
    Rank,
    Real,
    Select,
    Sign,
)

__all__ = ["Store"]

_ZERO, _ONE = Fraction(0), Fraction(1)
_FLIPPED = [s & ZERO | (POSITIVE if s & NEGATIVE else 0) | (NEGATIVE if s & POSITIVE else 0)
            for s in range(ALL + 1)]  # fmt: skip
# An integer or a sum of constants with more values than this is not enumerated.
_MOST_VALUES = 128


class Store(Logic):
    """The terms of one arithmetic.

    Attributes:
        inverse_orders: by an order, the places that make it: see `Symbolic.argsort`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._products: dict[tuple[Linear, Linear], Real] = {}
        self.inverse_orders: dict[tuple[Any, ...], list[Any]] = {}

    def variable(self, name: str) -> Linear:
        """A new unknown number; the name must be free."""
        return self._of(self.unknown(name, boolean=False))

    def among(self, name: str, levels: Sequence[Fraction]) -> Real:
        """An unknown among the levels: the first whose boolean unknown is true, else the last."""
        cases: dict[Fraction, Bool] = {}
        here: Bool = True
        for k, level in enumerate(levels[:-1]):
            picked = self.unknown(f"{name}_is_{k}", boolean=True)
            cases[level] = self.both(here, picked)
            here = self.both(here, self.negate(picked))
        return self.spread({**cases, levels[-1]: here})

    def sign(self, a: Real, signs: int) -> Bool:
        """Whether the sign of a is in the set."""
        if isinstance(a, Fraction):
            return bool(signs & (ZERO if a == 0 else POSITIVE if a > 0 else NEGATIVE))
        values = self.values(a)
        if values is not None:
            return self.disjunction(c for v, c in values.items() if self.sign(v, signs))
        split = self.as_choice(a)
        if split is not None:
            condition, then, otherwise = split
            return self.if_then(condition, self.sign(then, signs), self.sign(otherwise, signs))
        lead = a.items[0][1]
        form = self.scale(a, 1 / lead)
        return self.one(Sign, form, signs if lead > 0 else _FLIPPED[signs])

    # Sums and products

    def _of(self, atom: Atom) -> Linear:
        return self.one(Linear, _ZERO, ((atom, _ONE),))

    def _linear(self, constant: Fraction, items: dict[Atom, Fraction]) -> Real:
        kept = sorted(
            ((atom, k) for atom, k in items.items() if k != 0), key=lambda item: item[0].serial
        )
        return self.one(Linear, constant, tuple(kept)) if kept else constant

    def plus(self, a: Real, b: Real, times: Fraction = _ONE) -> Real:
        """a + times · b."""
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return a + times * b
        if isinstance(b, Fraction):
            assert isinstance(a, Linear)
            return a if b == 0 else self.one(Linear, a.constant + times * b, a.items)
        if isinstance(a, Fraction):
            b = self.scale(b, times)
            assert isinstance(b, Linear)
            return b if a == 0 else self.one(Linear, b.constant + a, b.items)
        items = dict(a.items)
        for atom, k in b.items:
            items[atom] = items.get(atom, _ZERO) + times * k
        return self._linear(a.constant + times * b.constant, items)

    def total(self, terms: Iterable[Real]) -> Real:
        constant, items = _ZERO, dict[Atom, Fraction]()
        for a in terms:
            if isinstance(a, Fraction):
                constant += a
            else:
                constant += a.constant
                for atom, k in a.items:
                    items[atom] = items.get(atom, _ZERO) + k
        return self._linear(constant, items)

    def scale(self, a: Real, k: Fraction) -> Real:
        if isinstance(a, Fraction):
            return k * a
        if k == 1:
            return a
        if k == 0:
            return _ZERO
        return self.one(Linear, a.constant * k, tuple((atom, k * c) for atom, c in a.items))

    def times(self, a: Real, b: Real) -> Real:
        if isinstance(b, Fraction):
            a, b = b, a
        if isinstance(a, Fraction):
            return self.scale(b, a)
        assert isinstance(b, Linear)
        if a.serial > b.serial:
            a, b = b, a
        known = self._products.get((a, b))
        if known is None:
            parts = [self.scale(b, a.constant)]
            parts += [self.scale(self._atom_times(atom, b), k) for atom, k in a.items]
            known = self._products[a, b] = self.total(parts)
        return known

    def _atom_times(self, atom: Atom, b: Linear) -> Real:
        if isinstance(atom, Choice):
            return self.choose(
                atom.condition, self.times(atom.then, b), self.times(atom.otherwise, b)
            )
        parts = [self.scale(self._of(atom), b.constant)]
        for other, k in b.items:
            if isinstance(other, Choice):
                product = self._atom_times(other, self._of(atom))
            else:
                factors = sorted((*_factors(atom), *_factors(other)), key=lambda f: f.serial)
                product = self._of(self.one(Product, tuple(factors)))
            parts.append(self.scale(product, k))
        return self.total(parts)

    def inverse(self, a: Real) -> Real:
        """1 / a; an arbitrary number where a is 0."""
        if isinstance(a, Fraction):
            return 1 / a if a != 0 else _ZERO
        values = self.values(a)
        if values is not None:
            return self.map_values(values, self.inverse)  # type: ignore[arg-type]
        split = self.as_choice(a)
        if split is not None:
            condition, then, otherwise = split
            return self.choose(condition, self.inverse(then), self.inverse(otherwise))
        lead = a.items[0][1]
        divisor = self.scale(a, 1 / lead)
        node: Inverse = self.one(Inverse, divisor)
        if not node.axioms:
            node.axioms = (
                self.either(
                    self.sign(divisor, ZERO),
                    self.sign(self.plus(self.times(divisor, self._of(node)), -_ONE), ZERO),
                ),
            )
        return self.scale(self._of(node), 1 / lead)

    def floor(self, a: Real) -> Real:
        """The largest integer that does not exceed a."""
        if isinstance(a, Fraction):
            return Fraction(math.floor(a))
        values = self.values(a)
        if values is not None:
            return self.map_values(values, lambda x: Fraction(math.floor(x)))
        split = self.as_choice(a)
        if split is not None:
            condition, then, otherwise = split
            return self.choose(condition, self.floor(then), self.floor(otherwise))
        whole = Fraction(math.floor(a.constant))
        form = self.plus(a, -whole)
        node: Floor = self.one(Floor, form)
        if not node.axioms:
            gap = self.plus(form, self._of(node), -_ONE)
            node.axioms = (
                self.sign(gap, ZERO | POSITIVE),
                self.sign(self.plus(gap, -_ONE), NEGATIVE),
            )
        return self.plus(self._of(node), whole)

    # Choices

    def indicator(self, condition: Bool) -> Real:
        """1 where the condition holds, else 0."""
        return self.choose(condition, _ONE, _ZERO)

    def choose(self, condition: Bool, then: Real, otherwise: Real) -> Real:
        if isinstance(condition, bool):
            return then if condition else otherwise
        if then is otherwise or then == otherwise:
            return then
        if isinstance(condition, Not) or (
            isinstance(condition, Sign) and condition.signs not in (NEGATIVE, ZERO, POSITIVE)
        ):
            condition, then, otherwise = self.negate(condition), otherwise, then
        then = self._under(then, condition, True)
        otherwise = self._under(otherwise, condition, False)
        if then == otherwise:
            return then
        if isinstance(then, Fraction) and isinstance(otherwise, Fraction):
            indicator = self._of(self.one(Choice, condition, _ONE, _ZERO))
            return self.plus(otherwise, indicator, then - otherwise)
        merged = self._merged(condition, then, otherwise)
        if merged is not None:
            return merged
        lead = (then if isinstance(then, Linear) else otherwise).items[0][1]  # type: ignore[union-attr]
        then, otherwise = self.scale(then, 1 / lead), self.scale(otherwise, 1 / lead)
        return self.scale(self._of(self.one(Choice, condition, then, otherwise)), lead)

    def _merged(self, condition: Bool, then: Real, otherwise: Real) -> Real | None:
        """c ? (d ? a : b) : b is c and d ? a : b, and the like."""
        inner = self.as_choice(then) if isinstance(then, Linear) else None
        if inner is not None:
            d, a, b = inner
            if b == otherwise:
                return self.choose(self.both(condition, d), a, b)
            if a == otherwise:
                return self.choose(self.both(condition, self.negate(d)), b, a)
        inner = self.as_choice(otherwise) if isinstance(otherwise, Linear) else None
        if inner is not None:
            d, a, b = inner
            if a == then:
                return self.choose(self.either(condition, d), a, b)
            if b == then:
                return self.choose(self.either(condition, self.negate(d)), b, a)
        return None

    def _under(self, a: Real, condition: Bool, truth: bool) -> Real:
        """The term where the condition has this truth value: choices on it are decided."""
        if isinstance(a, Fraction):
            return a
        known = {condition: truth}
        if truth and isinstance(condition, And):
            known |= dict.fromkeys(condition.conditions, True)
        if not any(isinstance(atom, Choice) and atom.condition in known for atom, _ in a.items):
            return a
        parts: list[Real] = [a.constant]
        for atom, k in a.items:
            if isinstance(atom, Choice) and atom.condition in known:
                chosen = atom.then if known[atom.condition] else atom.otherwise
                parts.append(self.scale(chosen, k))
            else:
                parts.append(self.scale(self._of(atom), k))
        return self.total(parts)

    def as_choice(self, a: Linear) -> tuple[Bool, Real, Real] | None:
        """(condition, then, otherwise) where a single choice is all that a is made of."""
        choice, k = a.items[0]
        if len(a.items) > 1 or not isinstance(choice, Choice):
            return None
        return (
            choice.condition,
            self.plus(a.constant, choice.then, k),
            self.plus(a.constant, choice.otherwise, k),
        )

    def values(self, a: Real) -> dict[Fraction, Bool] | None:
        """The values of a term that is made of conditions and constants alone, each with the
        condition under which it is the one; None for other terms, or for too many values."""
        if isinstance(a, Fraction):
            return {a: True}
        if not all(isinstance(x, Choice) and isinstance(x.then, Fraction)
                   and isinstance(x.otherwise, Fraction) for x, _ in a.items):  # fmt: skip
            return None
        found: dict[Any, Bool] = {a.constant: True}
        for choice, k in a.items:
            assert isinstance(choice, Choice)
            found = self.combined(
                found,
                {k * choice.then: choice.condition,  # type: ignore[operator]
                 k * choice.otherwise: self.negate(choice.condition)},  # type: ignore[operator]
                lambda x, y: x + y,
            )  # fmt: skip
            if len(found) > _MOST_VALUES:
                return None
        return found

    def map_values(
        self, values: dict[Fraction, Bool], function: Callable[[Fraction], Fraction]
    ) -> Real:
        """The term with the function's value where the argument is the one."""
        images: dict[Fraction, list[Bool]] = {}
        for value, condition in values.items():
            images.setdefault(function(value), []).append(condition)
        return self.spread({v: self.disjunction(conditions) for v, conditions in images.items()})

    def spread(self, values: dict[Fraction, Bool]) -> Real:
        """Σ value · (condition ? 1 : 0), for conditions of which one holds."""
        return self.total(self.scale(self.indicator(c), v) for v, c in values.items())

    def combined(
        self, a: dict[Any, Bool], b: dict[Any, Bool], operation: Callable[[Any, Any], Any]
    ) -> dict[Any, Bool]:
        """The values of an operation on two integers or finite sums, with their conditions."""
        found: dict[Any, list[Bool]] = {}
        for x, at_x in a.items():
            for y, at_y in b.items():
                here = at_x if at_y is True else self.both(at_x, at_y)
                if here is not False:
                    found.setdefault(operation(x, y), []).append(here)
        return {
            value: conditions[0] if len(conditions) == 1 else self.disjunction(conditions)
            for value, conditions in found.items()
        }

    def select(self, cases: dict[int | None, Bool]) -> Any:
        """The integer with these values, of whose conditions one holds."""
        possible = {v: c for v, c in cases.items() if c is not False}
        if len(possible) > _MOST_VALUES:
            raise unsupported(
                f"an integer that depends on the reports has {len(possible)} possible values, "
                f"more than {_MOST_VALUES}",
                "use real numbers instead: x.astype(float)",
            )
        if len(possible) == 1:
            return next(iter(possible))
        ordered = sorted(possible.items(), key=lambda case: (case[0] is None, case[0] or 0))
        return self.one(Select, tuple(ordered))

    # Order statistics

    def rank(self, row: Sequence[Real], k: int) -> Real:
        """The k-th smallest of the row, k from 1."""
        if all(isinstance(a, Fraction) for a in row):
            return sorted(row)[k - 1]  # type: ignore[type-var]
        if all(a == row[0] for a in row):
            return row[0]
        first = min((a for a in row if isinstance(a, Linear)), key=lambda a: a.items[0][0].serial)
        if first.items[0][1] < 0:
            mirrored = self.rank([self.scale(a, -_ONE) for a in row], len(row) + 1 - k)
            return self.scale(mirrored, -_ONE)
        ordered = tuple(sorted(row, key=_order))
        node: Rank = self.one(Rank, ordered, k)
        term = self._of(node)
        if not node.axioms:
            gaps = [self.plus(a, term, -_ONE) for a in ordered]
            node.axioms = (
                self.at_most(k - 1, [self.sign(gap, NEGATIVE) for gap in gaps]),
                self.at_most(len(row) - k, [self.sign(gap, POSITIVE) for gap in gaps]),
                self.disjunction(self.sign(gap, ZERO) for gap in gaps),
            )
        return term


def _factors(atom: Atom) -> tuple[Atom, ...]:
    return atom.factors if isinstance(atom, Product) else (atom,)


def _order(a: Real) -> tuple[int, Fraction]:
    return (-1, a) if isinstance(a, Fraction) else (a.serial, _ZERO)
