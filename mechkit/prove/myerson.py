"""When truth is best in expectation: Myerson's lemma on piecewise polynomials, decided exactly.

An agent whose type θ enters its value linearly expects θ Q(r) − T(r) from reporting r: Q is the
expected quantity, T the expected payment (less what the allocation is worth at θ = 0). With the
truth it expects U(θ) = θ Q(θ) − T(θ). Truth is best for all θ and r in an interval if and only if

- Q never falls, and
- U(θ) − U(r) = ∫ Q from r to θ: U is continuous, and U′ = Q between the knots.

For then θ Q(r) − T(r) = U(r) + (θ − r) Q(r) ≤ U(θ); and if truth is best, U is the maximum over r
of functions that are affine in θ, so convex, with the slope Q(r) at r.

Where a condition fails a lie pays nearby: two types between which Q falls cannot both prefer the
truth; at a jump of U one side envies the other; and where U′ ≠ Q a small lie pays to the first
order. So a witness in rationals is found by looking closer and closer at the place of the failure.

Source: Myerson, "Optimal auction design" (Mathematics of Operations Research 6, 1981), lemma 2.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from itertools import pairwise

from proofs.integrate import Curves
from proofs.polynomials import Polynomial, add, at, derivative, made, multiply, negative_at, scaled

EIGHTHS = 8
CLOSER = 400


def utility(curves: Curves, own: Fraction, report: Fraction) -> Fraction:
    """θ Q(r) − T(r)."""
    quantity, transfer = curves(report)
    return own * quantity - transfer


def lie(curves: Curves) -> tuple[Fraction, Fraction] | None:
    """(θ, r): a type that expects more from a lie than from the truth; None if no real one does.

    curves: Q and T. Of simple witnesses the one with the largest gain.
    """
    place = _failure(curves)
    if place is None:
        return None
    low, high = curves.knots[0], curves.knots[-1]
    some = {low + (high - low) * Fraction(k, EIGHTHS) for k in range(EIGHTHS + 1)}
    best = _best(curves, sorted(some | set(curves.knots)))
    step = (high - low) / 2
    for _ in range(CLOSER):
        if best is not None:
            return best
        near = (place - step, place, place + step)
        best = _best(curves, [x for x in near if low <= x <= high])
        step /= 2
    raise ArithmeticError(f"no lie pays near {place}, where truth is not best")


def loss(curves: Curves) -> Fraction | None:
    """A type with U(θ) < 0, or None if no real one has: at the worst of the knots if it can be."""
    knots = {knot: utility(curves, knot, knot) for knot in curves.knots}
    worst = min(knots, key=knots.__getitem__)
    if knots[worst] < 0:
        return worst
    for (low, high), polynomials in zip(pairwise(curves.knots), curves.between, strict=True):
        found = _negative_inside(_own(*polynomials), low, high)
        if found is not None:
            return found
    return None


def _negative_inside(p: Polynomial, low: Fraction, high: Fraction) -> Fraction | None:
    """A point of (low, high) at which p is negative; at its ends another formula holds."""
    found = negative_at(p, low, high)
    step = (high - low) / 2
    if found in (low, high):
        end, side = found, 1 if found == low else -1
        while at(p, found) >= 0 or found == end:
            found = end + side * step
            step /= 2
    return found


def _own(quantity: Polynomial, transfer: Polynomial) -> Polynomial:
    """U between two knots."""
    return add(multiply(made([0, 1]), quantity), scaled(transfer, -1))


def _failure(curves: Curves) -> Fraction | None:
    """A place at or next to which a condition fails; None if all hold."""
    for (low, high), (quantity, transfer) in zip(
        pairwise(curves.knots), curves.between, strict=True
    ):
        gap = add(derivative(_own(quantity, transfer)), scaled(quantity, -1))
        inside = [low + (high - low) * Fraction(k, len(gap) + 2) for k in range(1, len(gap) + 2)]
        if gap:
            # More points than it has zeros.
            return next(x for x in inside if at(gap, x))
        falls = _negative_inside(derivative(quantity), low, high)
        if falls is not None:
            return falls
        ends = ((low, curves(low)[0], 1), (high, curves(high)[0], -1))
        for knot, value, side in ends:
            own = utility(curves, knot, knot)
            if at(_own(quantity, transfer), knot) != own or side * (at(quantity, knot) - value) < 0:
                return knot
    return None


def _best(curves: Curves, points: list[Fraction]) -> tuple[Fraction, Fraction] | None:
    gains = {
        (own, report): utility(curves, own, report) - utility(curves, own, own)
        for own, report in itertools.permutations(points, 2)
    }
    best = max(gains, key=gains.__getitem__, default=None)
    return best if best is not None and gains[best] > 0 else None
