"""Polynomials in one unknown with rational coefficients, and whether one is ever negative.

A polynomial is the tuple of its coefficients, the constant first, the last one not zero; () is 0.

On [a, b] a polynomial has finitely many zeros, and between two neighbours its sign does not change:
one point of each gap decides whether it is ever negative. Gaps are found by bisection. How many
zeros an interval has is told by the changes of sign in the sequence p, p′, −(p mod p′), … (Sturm's
theorem), so that the bisection ends, and no step of it rounds.

Source: Sturm, "Mémoire sur la résolution des équations numériques" (1829).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise, zip_longest

__all__ = [
    "Polynomial",
    "add",
    "at",
    "derivative",
    "made",
    "multiply",
    "negative_at",
    "scaled",
]

Number = Fraction | int
Polynomial = tuple[Fraction, ...]


def made(coefficients: Sequence[Number]) -> Polynomial:
    """The polynomial of these coefficients, the constant first; zeros at the end are dropped."""
    found = [Fraction(c) for c in coefficients]
    while found and not found[-1]:
        found.pop()
    return tuple(found)


def at(p: Polynomial, x: Number) -> Fraction:
    """p(x)."""
    total = Fraction(0)
    for c in reversed(p):
        total = total * x + c
    return total


def add(p: Polynomial, q: Polynomial) -> Polynomial:
    """p + q."""
    return made([a + b for a, b in zip_longest(p, q, fillvalue=Fraction(0))])


def scaled(p: Polynomial, factor: Number) -> Polynomial:
    """factor · p."""
    return made([c * factor for c in p])


def multiply(p: Polynomial, q: Polynomial) -> Polynomial:
    """p · q."""
    product = [Fraction(0)] * max(0, len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            product[i + j] += a * b
    return made(product)


def derivative(p: Polynomial) -> Polynomial:
    """p′."""
    return made([k * c for k, c in enumerate(p)][1:])


def negative_at(p: Polynomial, low: Fraction, high: Fraction) -> Fraction | None:
    """A point of [low, high] at which p is negative, a rational; None if there is no such real."""
    if low > high:
        raise ValueError(f"[{low}, {high}] is empty; give the lower bound first")
    if not p:
        return None
    points = [low, high]
    if low < high:
        points += _in_every_gap(p, low, high)
    return next((x for x in points if at(p, x) < 0), None)


def _in_every_gap(p: Polynomial, low: Fraction, high: Fraction) -> list[Fraction]:
    """A point between any two neighbours among the zeros of p in (low, high), low and high."""
    simple = _divided(p, _common(p, derivative(p)))[0]
    for end in (low, high):
        if not at(simple, end):
            simple = _divided(simple, made([-end, 1]))[0]
    sturm = [simple, derivative(simple)]
    while sturm[-1]:
        sturm.append(scaled(_divided(sturm[-2], sturm[-1])[1], -1))

    def changes(x: Fraction) -> int:
        signs = [value > 0 for q in sturm if (value := at(q, x))]
        return sum(a != b for a, b in pairwise(signs))

    def middle(a: Fraction, b: Fraction) -> Fraction:
        """A point near the middle that is no zero: one of so many is not."""
        steps = 2 * len(simple) + 2
        order = sorted(range(1, steps), key=lambda k: abs(2 * k - steps))
        return next(x for k in order if at(simple, x := a + (b - a) * Fraction(k, steps)))

    found: list[Fraction] = []
    todo = [(low, high)]
    while todo:
        a, b = todo.pop()
        m = middle(a, b)
        found.append(m)
        for x, y in ((a, m), (m, b)):
            zeros = changes(x) - changes(y)
            # One zero between two points that were found already leaves no gap open.
            if zeros > 1 or (zeros == 1 and (x == low or y == high)):
                todo.append((x, y))
    return found


def _divided(p: Polynomial, by: Polynomial) -> tuple[Polynomial, Polynomial]:
    """Quotient and remainder."""
    rest = list(p)
    quotient = [Fraction(0)] * max(0, len(p) - len(by) + 1)
    for k in reversed(range(len(quotient))):
        quotient[k] = rest[k + len(by) - 1] / by[-1]
        for j, c in enumerate(by):
            rest[k + j] -= quotient[k] * c
    return made(quotient), made(rest)


def _common(p: Polynomial, q: Polynomial) -> Polynomial:
    """The greatest common divisor, with leading coefficient 1."""
    while q:
        p, q = q, _divided(p, q)[1]
    return scaled(p, 1 / p[-1])
