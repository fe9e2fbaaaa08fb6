"""NumPy on affine forms of unknown reals: the arithmetic of a program that is proved path by path.

A program runs on forms Σ_k a_k x_k + b with rational a_k and b. All that it can want to know about
them comes down to one question: which of a row of forms is the largest, the first of them on a tie?
a < b asks whether b is the largest of a, b; sorting asks it of what is left. Somebody answers (an
explorer that follows each possible answer in turn), so the algebra is concrete: Python's ``if``
works, and so do computed indices.

Numbers and truth values are worked out when they are needed. Of ``np.sort(bids)[..., -2]`` only the
second largest is, in n (n − 1) cases instead of n!, and only where somebody pays it; of ``wins &
(bids >= reserve)`` only the winner's comparison. So what a program never uses is not looked at: it
may be a product of unknowns. Positions (arg-maxima, counts) are worked out at once.

Source: Henderson & Morris, "A lazy evaluator" (1976), for the order of work; King, "Symbolic
execution and program testing" (1976), for running programs on unknowns.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from fractions import Fraction
from functools import partial, reduce
from typing import Any, cast

import numpy as np

from proofs.algebra import Algebra, Kind, Term
from proofs.arrays import Array
from proofs.concrete import Exact
from proofs.errors import Signal, user_line
from proofs.forms import (
    OWN,
    Affine,
    Asked,
    Delayed,
    Number,
    Path,
    constant,
    needed,
    slopes,
    written,
)
from proofs.recall import Memory, Question
from proofs.terms import Infinity, Undefined, undefined

__all__ = ["NotLinear", "Paths"]


class NotLinear(Signal, ArithmeticError):
    """A number that is not piecewise linear in the unknowns was needed."""


def _settled(term: Term) -> Term:
    return bool(term) if isinstance(term, Asked) else term


class Paths(Exact):
    """Exact arithmetic on affine forms, concrete because somebody answers each of its questions.

    Args:
        ask: given the texts of two or more worked-out terms and the terms, forms or rationals no
            two of which differ by a constant only, the position of the first largest.

    Attributes:
        path: to be counted on whenever the answers may be others than before.
    """

    def __init__(self, ask: Callable[[Question], int]) -> None:
        super().__init__()
        self.path = Path()
        self._memory = Memory(ask)

    def recall(self, parts: Sequence[Any], work: Callable[[], Any]) -> Any:
        told = [_told(part) for part in parts]
        return work() if None in told else self._memory.recall(tuple(told), work)

    def kind_of(self, term: Term) -> Kind | None:
        return "real" if isinstance(term, OWN) else None

    # Questions

    def argmax(self, row: list[Term]) -> Term:
        if not _of_unknowns(row):
            return super().argmax(row)
        terms = [needed(term) for term in row]
        # Of terms that differ by a constant, only the largest can be the answer.
        best: dict[frozenset[tuple[int, Number]], int] = {}
        for i, term in enumerate(terms):
            if not isinstance(term, (Affine, Fraction, int, Infinity)):
                if isinstance(term, Undefined):
                    term.refuse("is compared")
                raise _not_linear(f"{term} is only enclosed and meets an unknown in a comparison")
            if isinstance(term, Infinity):
                if term.sign > 0:
                    return i
                continue
            j = best.setdefault(frozenset(slopes(term).items()), i)
            if constant(terms[j]) < constant(term):
                best[frozenset(slopes(term).items())] = i
        places = sorted(best.values())
        if len(places) == 1:
            return places[0]
        asked = [terms[i] for i in places]
        return places[self._memory.ask((tuple(map(written, asked)), asked))]

    def argmin(self, row: list[Term]) -> Term:
        return self.argmax([-term for term in row]) if _of_unknowns(row) else super().argmin(row)

    def less(self, a: Term, b: Term) -> Term:
        if _of_unknowns((a, b)):
            return Asked(lambda: self.argmax([a, b]) == 1, self.path)
        return super().less(_settled(a), _settled(b))

    def less_equal(self, a: Term, b: Term) -> Term:
        if _of_unknowns((a, b)):
            return Asked(lambda: self.argmax([b, a]) == 0, self.path)
        return super().less_equal(_settled(a), _settled(b))

    def equal(self, a: Term, b: Term) -> Term:
        if _of_unknowns((a, b)):
            return Asked(lambda: self.argmax([b, a]) == 0 and self.argmax([a, b]) == 0, self.path)
        return super().equal(_settled(a), _settled(b))

    def not_equal(self, a: Term, b: Term) -> Term:
        return self.invert(self.equal(a, b))

    # Truth values

    def both(self, a: Term, b: Term) -> Term:
        if a is False or b is False:
            return False
        if a is True or b is True:
            return b if a is True else a
        return Asked(lambda: bool(a) and bool(b), self.path)

    def invert(self, a: Term) -> Term:
        return Asked(lambda: not a, self.path) if isinstance(a, Asked) else not a

    def either(self, a: Term, b: Term) -> Term:
        return Algebra.either(self, a, b)

    def exclusive(self, a: Term, b: Term) -> Term:
        return super().exclusive(_settled(a), _settled(b))

    def scale(self, condition: Term, number: Term, zero: Term) -> Term:
        if isinstance(condition, Asked) and isinstance(number, (Fraction, *OWN)):
            return Delayed(lambda: number if condition else zero, self.path)
        return super().scale(condition, number, zero)

    def cast(self, term: Term, old: Kind, new: Kind) -> Term:
        if isinstance(term, Asked) and new == "real":
            return self.scale(term, Fraction(1), Fraction(0))
        return super().cast(term, old, new)

    # Rows

    def argsort(self, row: list[Term]) -> list[Term]:
        if not _of_unknowns(row):
            return super().argsort(row)
        rest, order = list(range(len(row))), []
        while rest:
            order.append(rest.pop(self.argmin([row[i] for i in rest])))
        return order

    def sort(self, row: list[Term]) -> list[Term]:
        if not _of_unknowns(row):
            return super().sort(row)
        return [self._delayed(row, partial(self._ranked, row, k)) for k in range(len(row))]

    def _ranked(self, row: list[Term], k: int) -> Term:
        """The k-th term in ascending order, by taking away the largest or the smallest ones."""
        rest = list(row)
        if 2 * k >= len(row):
            for _ in range(len(row) - 1 - k):
                del rest[self.argmax(rest)]
            return rest[self.argmax(rest)]
        for _ in range(k):
            del rest[self.argmin(rest)]
        return rest[self.argmin(rest)]

    def largest(self, row: list[Term]) -> Term:
        return self._extreme_term(row, super().largest, self.argmax)

    def smallest(self, row: list[Term]) -> Term:
        return self._extreme_term(row, super().smallest, self.argmin)

    def _extreme_term(self, row: list[Term], known: Any, position: Any) -> Term:
        if not _of_unknowns(row):
            return known(row)
        for term in row:
            if isinstance(term, Undefined):
                return term
        return self._delayed(row, lambda: row[position(row)])

    def _delayed(self, row: list[Term], work: Callable[[], Term]) -> Term:
        """Later, if the result is certain to be a number."""
        finite = all(isinstance(term, (Fraction, int, *OWN)) for term in row)
        return Delayed(work, self.path) if finite else work()

    def product(self, row: list[Term]) -> Term:
        return reduce(self.multiply, row)

    # Arithmetic

    def absolute(self, a: Term) -> Term:
        return self.largest([a, -a]) if isinstance(a, OWN) else super().absolute(a)

    def multiply(self, a: Term, b: Term) -> Term:
        if isinstance(a, OWN) and isinstance(b, OWN):
            line = user_line()
            return Delayed(lambda: self._product(a, b, line), self.path)
        if _of_unknowns((a, b)) and (isinstance(a, Infinity) or isinstance(b, Infinity)):
            raise _not_linear("an infinity times an unknown")
        return super().multiply(a, b)

    def _product(self, a: Term, b: Term, line: str) -> Term:
        x, y = needed(a), needed(b)
        if isinstance(x, Affine) and isinstance(y, Affine):
            raise NotLinear(f"{line}: the product of ({x}) and ({y}) is not linear")
        return x * y

    def divide(self, a: Term, b: Term) -> Term:
        if not _of_unknowns((a, b)):
            return super().divide(a, b)
        if isinstance(a, Infinity):
            raise _not_linear("an infinity over an unknown")
        if isinstance(b, (Undefined, Infinity)):
            return a / b
        if self.equal(b, 0):
            return undefined("division by zero", nan=None)
        divisor = needed(b)
        if not isinstance(divisor, Affine):
            return a / divisor
        line = user_line()
        return Delayed(lambda: self._quotient(divisor, line), self.path)

    def _quotient(self, divisor: Affine, line: str) -> Term:
        raise NotLinear(f"{line}: a quotient by ({divisor}) is not linear")

    def power(self, a: Term, b: Term) -> Term:
        return super().power(self._only_known(a, "a power of"), self._only_known(b, "a power by"))

    def exp(self, a: Term) -> Term:
        return super().exp(self._only_known(a, "exp of"))

    def log(self, a: Term) -> Term:
        return super().log(self._only_known(a, "log of"))

    def sqrt(self, a: Term) -> Term:
        return super().sqrt(self._only_known(a, "sqrt of"))

    def _only_known(self, a: Term, name: str) -> Term:
        a = needed(a)
        if isinstance(a, Affine):
            raise _not_linear(f"{name} {a}")
        return a

    def floor(self, a: Term) -> Term:
        a = needed(a)
        if not isinstance(a, Affine):
            return super().floor(a)
        whole = 0
        while self.less(a, whole):
            whole -= 1
        while not self.less(a, whole + 1):
            whole += 1
        return Fraction(whole)

    def truncate(self, a: Term) -> Term:
        if not isinstance(a, OWN):
            return super().truncate(a)
        return self.ceil(a) if self.less(a, 0) else self.floor(a)

    def nearest(self, a: Term) -> Term:
        return Algebra.nearest(self, a) if isinstance(a, OWN) else super().nearest(a)

    def floor_divide(self, a: Term, b: Term) -> Term:
        if _of_unknowns((a, b)):
            return self.floor(self.divide(a, b))
        return super().floor_divide(a, b)

    def remainder(self, a: Term, b: Term) -> Term:
        if _of_unknowns((a, b)):
            return Algebra.remainder(self, a, b)
        return super().remainder(a, b)


def _told(part: Any) -> Hashable | None:
    """All that there is to know of an argument, or None; what is no array stands for itself."""
    if isinstance(part, Array):
        terms = part.terms.ravel().tolist()
        if not all(isinstance(term, (Affine, Fraction, int)) for term in terms):
            return None
        return part.kind, part.terms.shape, tuple(map(written, terms))
    if isinstance(part, np.ndarray):
        plain = part.dtype != object
        return (part.shape, part.dtype.str, part.tobytes()) if plain else None
    try:
        hash(part)
    except TypeError:
        return None
    return cast(Hashable, part)


def _of_unknowns(terms: Sequence[Term]) -> bool:
    return any(isinstance(term, OWN) for term in terms)


def _not_linear(what: str) -> NotLinear:
    return NotLinear(f"{user_line()}: {what} is not piecewise linear")
