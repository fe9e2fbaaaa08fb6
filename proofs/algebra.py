"""What an array needs of its terms, and what follows from it.

An `Algebra` knows how to add, compare and choose between *terms*: rationals, dual numbers, terms of
a solver. The primitives are few (arithmetic, ``less``, ``equal``, ``ite``, rounding down).
Everything that rules do with rows of numbers is derived from them here by data-oblivious networks:
which terms meet does not depend on their values, only which of two terms a choice ``ite(condition,
then, otherwise)`` keeps. So an algebra whose conditions are formulas gets sorting, arg-maxima and
computed indices for nothing, and a concrete algebra may replace them by something faster.

Terms come in three kinds, as NumPy's dtypes do: "bool" < "int" < "real". Both terms of an operation
have the same kind, cast by the array beforehand.

Source: Knuth, *The Art of Computer Programming* 3, algorithm 5.2.2M (merge exchange, after Batcher
1968).
"""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any, Literal

import numpy as np

from proofs.errors import unraised, unsupported
from proofs.interval import Interval
from proofs.rationals import simplest
from proofs.terms import Infinity, Undefined, infinity, undefined

__all__ = ["Algebra", "Kind", "Term", "as_array", "comparators", "highest_kind"]

Kind = Literal["bool", "int", "real"]
Term = Any
_RANK: dict[Kind, int] = {"bool": 0, "int": 1, "real": 2}


def highest_kind(*kinds: Kind) -> Kind:
    """The kind that holds all the others: "bool" < "int" < "real"."""
    return max(kinds, key=_RANK.__getitem__)


def comparators(n: int) -> Iterator[tuple[int, int]]:
    """The pairs (i, j), i < j, that a merge exchange of ``n`` wires compares, in order."""
    levels = (n - 1).bit_length()
    p = 1 << levels >> 1
    while p:
        q, r, d = 1 << levels >> 1, 0, p
        while True:
            yield from ((i, i + d) for i in range(n - d) if i & p == r)
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1


def as_array(result: Any) -> np.ndarray:
    """An object array, also where NumPy unpacked one of no dimensions to the term in it."""
    if isinstance(result, np.ndarray):
        return result
    array = np.empty((), dtype=object)
    array[()] = result
    return array


class Algebra(ABC):
    """Primitives to supply, and operations that follow from them.

    A constant of any kind is a term of every algebra, as the Fraction, int or bool that it is; so
    primitives accept constants beside terms, and conditions may be True or False.

    Attributes:
        concrete: whether every condition has a truth value now, so that Python's ``if``, ``int()``
            and results whose shape depends on the values are possible.
    """

    concrete = False

    def __init__(self) -> None:
        self._vectorised: dict[str, np.ufunc] = {}

    def elementwise(self, name: str, *arrays: Any) -> np.ndarray:
        """The operation ``name`` on every entry of object arrays, with broadcasting."""
        operation = self._vectorised.get(name)
        if operation is None:
            operation = np.frompyfunc(getattr(self, name), len(arrays), 1)
            self._vectorised[name] = operation
        # NumPy would report whatever the processor's float flags say after calls that make no
        # floats of ours.
        with np.errstate(all="ignore"):
            return as_array(operation(*arrays))

    def recall(self, parts: Sequence[Any], work: Callable[[], Any]) -> Any:
        """What ``work()`` gives, which depends on ``parts`` alone: arrays, and what is hashable.

        An algebra under which a program runs many times may remember it (`proofs.recall`).
        """
        return work()

    # Constants and conversions

    def constant(self, value: Any) -> tuple[Term, Kind]:
        """The term and kind of a number; a float is the simplest rational that rounds to it."""
        if type(value) is Fraction:
            return value, "real"
        if type(value) is int:
            return value, "int"
        if isinstance(value, (bool, np.bool_)):
            return bool(value), "bool"
        if isinstance(value, numbers.Integral):
            return int(value), "int"
        if isinstance(value, numbers.Rational):
            return Fraction(int(value.numerator), int(value.denominator)), "real"
        if isinstance(value, (float, np.floating)):
            number = float(value)
            if math.isfinite(number):
                return simplest(number), "real"
            return (self.undefined("nan") if math.isnan(number) else self.infinity(number)), "real"
        if isinstance(value, (Interval, Infinity, Undefined)):
            return value, "real"
        kind = self.kind_of(value)
        if kind is None:
            raise unsupported(
                f"a {type(value).__name__} ({value!r}) is not a real number, integer or boolean",
                "use numbers, booleans or arrays of them",
            )
        return value, kind

    def kind_of(self, term: Term) -> Kind | None:
        """The kind of a term of this algebra's own type; None for anything else."""
        return None

    def variables(self, terms: np.ndarray, kind: Kind) -> np.ndarray:
        """The terms of an array of reports; an algebra that tracks reports marks them here."""
        return terms

    def value(self, term: Term) -> Any:
        """The number that a term of the result stands for."""
        return term

    def known(self, terms: np.ndarray, kind: Kind) -> np.ndarray | None:
        """The int64 or bool ndarray that the terms equal, or None if not all of them are known."""
        plain = {"int": int, "bool": bool}.get(kind)
        if plain is None or any(type(term) is not plain for term in terms.flat):
            return None
        return terms.astype(np.int64 if kind == "int" else np.bool_)

    def infinity(self, sign: float) -> Term:
        """Plus or minus infinity."""
        return infinity(sign)

    def undefined(self, cause: str) -> Term:
        """The term of a number that does not exist."""
        return undefined(cause)

    @abstractmethod
    def cast(self, term: Term, old: Kind, new: Kind) -> Term:
        """The term in another kind.

        False and True are 0 and 1; reals are cut towards 0; a number is true where it is not 0.
        """

    @abstractmethod
    def decide(self, condition: Term) -> bool:
        """The truth value of a boolean term, where Python asks for one."""

    def require(self, condition: Term, error: Exception) -> None:
        """Insist on a condition without which an operation has no meaning (an index in range)."""
        if not self.decide(condition):
            raise error
        unraised(error)

    # Primitives on terms

    @abstractmethod
    def add(self, a: Term, b: Term) -> Term: ...

    @abstractmethod
    def subtract(self, a: Term, b: Term) -> Term: ...

    @abstractmethod
    def multiply(self, a: Term, b: Term) -> Term: ...

    @abstractmethod
    def divide(self, a: Term, b: Term) -> Term:
        """a / b of reals; an `Undefined` where b is 0."""

    @abstractmethod
    def power(self, a: Term, b: Term) -> Term: ...

    @abstractmethod
    def exp(self, a: Term) -> Term: ...

    @abstractmethod
    def log(self, a: Term) -> Term: ...

    @abstractmethod
    def sqrt(self, a: Term) -> Term: ...

    @abstractmethod
    def floor(self, a: Term) -> Term:
        """The largest integer that does not exceed the real a, as a real."""

    @abstractmethod
    def less(self, a: Term, b: Term) -> Term: ...

    @abstractmethod
    def equal(self, a: Term, b: Term) -> Term: ...

    @abstractmethod
    def both(self, a: Term, b: Term) -> Term: ...

    @abstractmethod
    def invert(self, a: Term) -> Term: ...

    @abstractmethod
    def ite(self, condition: Term, then: Term, otherwise: Term) -> Term: ...

    # Operations on terms that follow

    def scale(self, condition: Term, number: Term, zero: Term) -> Term:
        """A boolean times a number: a choice, so that linear rules stay linear."""
        return self.ite(condition, number, zero)

    def negative(self, a: Term) -> Term:
        return self.subtract(0, a)

    def less_equal(self, a: Term, b: Term) -> Term:
        return self.invert(self.less(b, a))

    def not_equal(self, a: Term, b: Term) -> Term:
        return self.invert(self.equal(a, b))

    def either(self, a: Term, b: Term) -> Term:
        return self.invert(self.both(self.invert(a), self.invert(b)))

    def exclusive(self, a: Term, b: Term) -> Term:
        return self.ite(a, self.invert(b), b)

    def minimum(self, a: Term, b: Term) -> Term:
        return self.ite(self.less(b, a), b, a)

    def maximum(self, a: Term, b: Term) -> Term:
        return self.ite(self.less(a, b), b, a)

    def absolute(self, a: Term) -> Term:
        return self.ite(self.less(a, 0), self.negative(a), a)

    def ceil(self, a: Term) -> Term:
        return self.negative(self.floor(self.negative(a)))

    def truncate(self, a: Term) -> Term:
        return self.ite(self.less(a, 0), self.ceil(a), self.floor(a))

    def nearest(self, a: Term) -> Term:
        """The nearest integer as a real, halves to even (NumPy's rint)."""
        half = Fraction(1, 2)
        up = self.floor(self.add(a, half))
        odd = self.equal(self.floor(self.multiply(up, half)), self.multiply(up, half))
        tied = self.equal(self.subtract(up, a), half)
        return self.ite(self.both(tied, self.invert(odd)), self.subtract(up, Fraction(1)), up)

    def floor_divide(self, a: Term, b: Term) -> Term:
        return self.floor(self.divide(a, b))

    def remainder(self, a: Term, b: Term) -> Term:
        """a − b⌊a/b⌋, which has the sign of b."""
        return self.subtract(a, self.multiply(b, self.floor_divide(a, b)))

    def finite(self, a: Term) -> Term:
        """Whether floats would hold a finite number here."""
        return True

    def nan(self, a: Term) -> Term:
        """Whether floats would hold NaN here."""
        return False

    # Operations on rows: lists of at least one term

    def total(self, row: list[Term]) -> Term:
        return reduce(self.add, row)

    def product(self, row: list[Term]) -> Term:
        return reduce(self.multiply, row)

    def every(self, row: list[Term]) -> Term:
        return reduce(self.both, row)

    def some(self, row: list[Term]) -> Term:
        return reduce(self.either, row)

    def largest(self, row: list[Term]) -> Term:
        return reduce(self.maximum, row)

    def smallest(self, row: list[Term]) -> Term:
        return reduce(self.minimum, row)

    def argmax(self, row: list[Term]) -> Term:
        """The lowest index of a largest term, by a tournament in which the left wins ties."""
        return self._tournament(row, lambda left, right: self.less(left, right))

    def argmin(self, row: list[Term]) -> Term:
        return self._tournament(row, lambda left, right: self.less(right, left))

    def _tournament(self, row: list[Term], right_wins: Any) -> Term:
        players = [(term, index) for index, term in enumerate(row)]
        while len(players) > 1:
            round_winners = []
            for left, right in zip(players[::2], players[1::2], strict=False):
                swap = right_wins(left[0], right[0])
                round_winners.append(
                    (self.ite(swap, right[0], left[0]), self.ite(swap, right[1], left[1]))
                )
            players = round_winners + players[len(round_winners) * 2 :]
        return players[0][1]

    def sort(self, row: list[Term]) -> list[Term]:
        """The terms in ascending order."""
        wires = list(row)
        for i, j in comparators(len(wires)):
            swap = self.less(wires[j], wires[i])
            wires[i], wires[j] = (
                self.ite(swap, wires[j], wires[i]),
                self.ite(swap, wires[i], wires[j]),
            )
        return wires

    def argsort(self, row: list[Term]) -> list[Term]:
        """The stable order: the network sorts the pairs (term, index), which never tie."""
        wires: list[tuple[Term, Term]] = [(term, index) for index, term in enumerate(row)]
        for i, j in comparators(len(wires)):
            (x, at_x), (y, at_y) = wires[i], wires[j]
            swap = self.either(self.less(y, x), self.both(self.equal(x, y), self.less(at_y, at_x)))
            wires[i] = self.ite(swap, y, x), self.ite(swap, at_y, at_x)
            wires[j] = self.ite(swap, x, y), self.ite(swap, at_x, at_y)
        return [index for _, index in wires]

    def is_order(self, row: list[Term]) -> bool:
        """Whether a row of terms is known to be a permutation, so that no two are equal."""
        return False

    def points_at(self, index: Term, position: int, length: int) -> Term:
        """Whether an index into an axis of ``length`` means ``position``; −1 is the last."""
        return self.either(self.equal(index, position), self.equal(index, position - length))
