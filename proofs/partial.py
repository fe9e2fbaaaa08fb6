"""Real entries that may be missing: infinities as bounds, quotients that may not exist.

A rule writes ``np.where(mask, x, -np.inf)`` before a maximum and ``np.where(s > 0, a / s, 0)``
around a division. Such an entry is a `Partial`: a number, and the conditions under which it is no
number, or infinite. Each operation below says when its result is missing or infinite, as floats
would (∞ − ∞, 0 · ∞, 0 / 0 and 1 / 0 are no numbers), so that `np.where` can discard what is not
there, and nothing is assumed to be defined.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from proofs.algebra import Term
from proofs.errors import user_line
from proofs.nodes import NEGATIVE, POSITIVE, ZERO, Bool, Linear, Real
from proofs.store import Store
from proofs.terms import Infinity, Undefined, infinity

__all__ = ["Partial", "Partials", "is_partial", "joined", "parts", "real"]

_ZERO, _ONE = Fraction(0), Fraction(1)


@dataclass(frozen=True, eq=False)
class Partial:
    """No number where ``undefined`` holds, else infinite where ``plus`` or ``minus`` holds, else
    ``value``, which is None if the entry is never finite. ``cause`` says why it may be missing;
    ``strict``: floats would hold NaN or an infinity where it is undefined."""

    value: Real | None
    undefined: Bool
    plus: Bool
    minus: Bool
    cause: str
    strict: bool = True

    @property
    def conditions(self) -> tuple[Bool, Bool, Bool]:
        """Undefined, plus, minus."""
        return self.undefined, self.plus, self.minus


def real(term: Any) -> Real:
    """A number as a real term."""
    return term if isinstance(term, (Fraction, Linear)) else Fraction(term)


def is_partial(*terms: Any) -> bool:
    """Whether one of the terms may be missing or infinite."""
    return any(isinstance(term, (Partial, Infinity, Undefined)) for term in terms)


def parts(term: Any) -> Partial:
    """Any real term, with its conditions."""
    if isinstance(term, Partial):
        return term
    if isinstance(term, Undefined):
        return Partial(None, True, False, False, term.cause, term.nan is not None)
    if isinstance(term, Infinity):
        return Partial(None, False, term.sign > 0, term.sign < 0, "")
    return Partial(real(term), False, False, False, "")


def joined(
    value: Real | None, missing: Bool, plus: Bool, minus: Bool, cause: str, strict: bool = False
) -> Term:
    """The simplest term with these parts."""
    if missing is True:
        return Undefined(cause, nan=None)
    if missing is False and (plus is True or minus is True):
        return infinity(1 if plus is True else -1)
    if missing is False and plus is False and minus is False:
        assert value is not None
        return value
    return Partial(value, missing, plus, minus, cause, strict)


class Partials:
    """Arithmetic on any real terms of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def _infinite(self, x: Partial) -> Bool:
        return self.store.either(x.plus, x.minus)

    def _signs(self, x: Partial) -> tuple[Bool, Bool, Bool]:
        """Whether an entry is below, at or above 0."""
        if x.value is None:
            return x.minus, False, x.plus
        s, finite = self.store, self.store.negate(self._infinite(x))
        low, zero, high = (
            s.both(finite, s.sign(x.value, sign)) for sign in (NEGATIVE, ZERO, POSITIVE)
        )
        return s.either(low, x.minus), zero, s.either(high, x.plus)

    def add(self, a: Term, b: Term) -> Term:
        x, y, s = parts(a), parts(b), self.store
        value = None
        if x.value is not None and y.value is not None:
            value = s.plus(x.value, y.value)
        clash = s.either(s.both(x.plus, y.minus), s.both(x.minus, y.plus))
        return joined(
            value,
            s.either(x.undefined, y.undefined, clash),
            s.either(x.plus, y.plus),
            s.either(x.minus, y.minus),
            x.cause or y.cause or "infinity minus infinity",
            x.strict and y.strict,
        )

    def negative(self, a: Term) -> Term:
        x = parts(a)
        value = None if x.value is None else self.store.scale(x.value, -_ONE)
        return joined(value, x.undefined, x.minus, x.plus, x.cause, x.strict)

    def multiply(self, a: Term, b: Term) -> Term:
        x, y, s = parts(a), parts(b), self.store
        value = None
        if x.value is not None and y.value is not None:
            value = s.times(x.value, y.value)
        (x_low, x_zero, x_high), (y_low, y_zero, y_high) = self._signs(x), self._signs(y)
        x_infinite, y_infinite = self._infinite(x), self._infinite(y)
        missing = s.either(
            x.undefined, y.undefined, s.both(x_infinite, y_zero), s.both(y_infinite, x_zero)
        )
        infinite = s.either(x_infinite, y_infinite)
        same = s.either(s.both(x_low, y_low), s.both(x_high, y_high))
        other = s.either(s.both(x_low, y_high), s.both(x_high, y_low))
        return joined(
            value,
            missing,
            s.both(infinite, same),
            s.both(infinite, other),
            x.cause or y.cause or "zero times infinity",
            x.strict and y.strict,
        )

    def scale(self, condition: Bool, number: Term) -> Term:
        """A condition times a number; False times an infinity is no number."""
        x, s = parts(number), self.store
        value = None if x.value is None else s.choose(condition, x.value, _ZERO)
        off = s.both(s.negate(condition), self._infinite(x))
        return joined(
            value,
            s.either(x.undefined, off),
            s.both(condition, x.plus),
            s.both(condition, x.minus),
            x.cause or "zero times infinity",
            x.strict,
        )

    def divide(self, a: Term, b: Term) -> Term:
        x, y, s = parts(a), parts(b), self.store
        cause, value = x.cause or y.cause, None
        zero: Bool = False
        if y.value is not None:
            finite = s.negate(self._infinite(y))
            zero = s.both(finite, s.sign(y.value, ZERO))
            if zero is not False:
                cause = cause or f"division by zero at {user_line()}"
            if x.value is not None:
                value = s.choose(finite, self._quotient(x.value, y.value), _ZERO)
        elif x.value is not None:
            value = _ZERO
        low, _, high = self._signs(y)
        return joined(
            value,
            s.either(x.undefined, y.undefined, zero, s.both(self._infinite(x), self._infinite(y))),
            s.either(s.both(x.plus, high), s.both(x.minus, low)),
            s.either(s.both(x.plus, low), s.both(x.minus, high)),
            cause or "infinity over infinity",
            x.strict and y.undefined is False,
        )

    def _quotient(self, a: Real, b: Real) -> Real:
        if isinstance(a, Linear) and isinstance(b, Linear):
            ratio = a.items[0][1] / b.items[0][1]
            if self.store.plus(a, b, -ratio) == 0:
                return ratio
        return self.store.times(a, self.store.inverse(b))

    def less(self, a: Term, b: Term) -> Bool:
        """Whether a < b, where both are defined."""
        x, y, s = parts(a), parts(b), self.store
        finite: Bool = False
        if x.value is not None and y.value is not None:
            finite = s.sign(s.plus(x.value, y.value, -_ONE), NEGATIVE)
        return s.both(s.negate(x.plus), s.negate(y.minus), s.either(x.minus, y.plus, finite))

    def equal(self, a: Term, b: Term) -> Bool:
        """Whether a = b, where both are defined."""
        x, y, s = parts(a), parts(b), self.store
        finite: Bool = False
        if x.value is not None and y.value is not None:
            neither = s.negate(s.either(x.plus, x.minus, y.plus, y.minus))
            finite = s.both(neither, s.sign(s.plus(x.value, y.value, -_ONE), ZERO))
        return s.either(s.both(x.plus, y.plus), s.both(x.minus, y.minus), finite)

    def choose(self, condition: Bool, then: Term, otherwise: Term) -> Term:
        x, y, s = parts(then), parts(otherwise), self.store
        if x.value is None or y.value is None:
            # The side that is never finite leaves its value open: no choice is needed.
            value = y.value if x.value is None else x.value
        else:
            value = s.choose(condition, x.value, y.value)
        missing, plus, minus = (
            s.if_then(condition, at_x, at_y)
            for at_x, at_y in zip(x.conditions, y.conditions, strict=True)
        )
        return joined(value, missing, plus, minus, x.cause or y.cause, x.strict and y.strict)

    def extreme(self, a: Term, b: Term, *, smallest: bool) -> Term:
        """The smaller or the larger one; no number if one of them is none."""
        x, y, s = parts(a), parts(b), self.store
        swap = self.less(b, a) if smallest else self.less(a, b)
        chosen = parts(self.choose(swap, _present(y), _present(x)))
        missing = s.either(x.undefined, y.undefined)
        return joined(chosen.value, missing, chosen.plus, chosen.minus, x.cause or y.cause)


def _present(x: Partial) -> Term:
    """The entry without the condition that it is undefined."""
    value = _ZERO if x.undefined is True else x.value
    return joined(value, False, x.plus, x.minus, x.cause)
