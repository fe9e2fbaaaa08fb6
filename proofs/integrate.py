"""Exact integrals of piecewise-linear programs over boxes, all unknowns but one integrated out.

A program that is piecewise linear in x_0, …, x_m is a list of *pieces*: polyhedra that share out
the box between them, and on each the program's results, affine forms. The mean of a result over
x_1, …, x_m, drawn independently and uniformly, is then a piecewise polynomial in x_0 of degree at
most m + 1, and comes out exactly.

On a polyhedron the unknown x_k lies between the largest of the forms that bound it from below and
the smallest of those that bound it from above. For each choice of which these two are, the others
give inequalities in which x_k does not occur (Fourier 1826), and the integral over x_k of a
polynomial is a polynomial in what is left (Fubini). Once all but x_0 are gone, an interval and a
polynomial in x_0 remain.

At single values of x_0 the mean may jump: where a piece ends at x_0 = c, whether c belongs to it is
a matter of the program's own comparison, strict or not. So the mean at the ends of the intervals is
worked out separately, with x_0 a number; everywhere else an inequality may be strict or not without
changing an integral.

Sources: Fourier, "Solution d'une question particulière du calcul des inégalités" (1826); Fubini,
"Sugli integrali multipli" (1907).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from proofs.farkas import Contradiction, Row, System
from proofs.polynomials import Polynomial, add, at, made

__all__ = ["Curves", "Halfspace", "Piece", "curves", "fixed", "mean"]

Number = Fraction | int
Form = tuple[Mapping[int, Number], Number]
"""Slopes by unknown, and a constant."""
Halfspace = tuple[Mapping[int, Number], Number, bool]
"""Σ slopes[k] x_k + constant ≥ 0, or > 0 if True."""
Piece = tuple[Sequence[Halfspace], Sequence[Form]]
"""Where, beside the bounds of the box, and which results."""
Box = Sequence[tuple[Fraction, Fraction]]

_Terms = dict[tuple[int, ...], Fraction]
"""A polynomial in several unknowns: coefficients by exponents."""


@dataclass(frozen=True)
class Curves:
    """Functions of one real on [knots[0], knots[-1]], polynomials between neighbouring knots.

    Attributes:
        knots: ascending; at least one.
        between: for each gap between knots one polynomial per function.
        at: for each knot the value of each function.
    """

    knots: tuple[Fraction, ...]
    between: tuple[tuple[Polynomial, ...], ...]
    at: tuple[tuple[Fraction, ...], ...]

    def __call__(self, x: Fraction) -> tuple[Fraction, ...]:
        """The values at x.

        Raises:
            ValueError: x lies outside the knots.
        """
        for knot, values in zip(self.knots, self.at, strict=True):
            if x == knot:
                return values
        for (low, high), polynomials in zip(pairwise(self.knots), self.between, strict=True):
            if low < x < high:
                return tuple(at(p, x) for p in polynomials)
        raise ValueError(f"{x} lies outside [{self.knots[0]}, {self.knots[-1]}]")


def curves(pieces: Sequence[Piece], box: Box, *, seconds: float = math.inf) -> Curves:
    """The means of the results over all unknowns but the first, as functions of the first.

    Args:
        pieces: polyhedra that are disjoint and together are the box; at least one result each, and
            the same number of them.
        box: (low, high) of each unknown. One with low = high is a number: no piece mentions it.
        seconds: how long it may take.

    Raises:
        TimeoutError: it takes longer.
    """
    end = time.monotonic() + seconds
    count = len(pieces[0][1])
    low, high = box[0]
    knots = {low, high}
    found: list[tuple[Fraction, Fraction, list[Polynomial]]] = []
    if low < high:
        for rows, forms in pieces:
            _in_time(end)
            for slopes, constant, _ in rows:
                if set(slopes) == {0}:
                    knots.add(-Fraction(constant) / slopes[0])
            for a, b, polynomials in _over(rows, forms, box, kept=1):
                _in_time(end)
                found.append((a, b, [made(_univariate(p)) for p in polynomials]))
                knots |= {a, b}
    ordered = sorted(x for x in knots if low <= x <= high)
    between = []
    for a, b in pairwise(ordered):
        total: list[Polynomial] = [()] * count
        for first, last, parts in found:
            if first <= a and b <= last:
                total = [add(p, q) for p, q in zip(total, parts, strict=True)]
        between.append(tuple(total))
    values = []
    for x in ordered:
        _in_time(end)
        values.append(mean([fixed(piece, x) for piece in pieces], box[1:]))
    return _joined(ordered, between, values)


def _in_time(end: float) -> None:
    if time.monotonic() > end:
        raise TimeoutError("the integrals take longer than they may; raise seconds= to go on")


def mean(pieces: Sequence[Piece], box: Box) -> tuple[Fraction, ...]:
    """The mean of each result over the box, all unknowns drawn independently and uniformly."""
    total = [Fraction(0)] * len(pieces[0][1])
    for rows, forms in pieces:
        for _, _, polynomials in _over(rows, forms, box, kept=0):
            for k, terms in enumerate(polynomials):
                total[k] += sum(terms.values(), Fraction(0))
    return tuple(total)


def fixed(piece: Piece, x: Fraction) -> Piece:
    """The piece with its first unknown put to x, and the others counted from 0 on."""

    def at_x(slopes: Mapping[int, Number], constant: Number) -> Form:
        rest = {k - 1: slope for k, slope in slopes.items() if k}
        return rest, constant + slopes.get(0, 0) * x

    rows, forms = piece
    return [(*at_x(s, c), strict) for s, c, strict in rows], [at_x(s, c) for s, c in forms]


def _joined(
    knots: list[Fraction],
    between: list[tuple[Polynomial, ...]],
    values: list[tuple[Fraction, ...]],
) -> Curves:
    """Without the knots at which nothing changes."""
    kept = [
        k
        for k in range(len(knots))
        if k in (0, len(knots) - 1)
        or between[k - 1] != between[k]
        or tuple(at(p, knots[k]) for p in between[k]) != values[k]
    ]
    return Curves(
        tuple(knots[k] for k in kept),
        tuple(between[k] for k in kept[:-1]),
        tuple(values[k] for k in kept),
    )


def _over(
    rows: Sequence[Halfspace], forms: Sequence[Form], box: Box, *, kept: int
) -> Iterator[tuple[Fraction, Fraction, list[_Terms]]]:
    """What the integrals over a piece are sums of, over the volume of what is integrated out.

    kept: 1: intervals of x_0 and polynomials in it; 0: (0, 0) and constants.
    """
    moving = [k for k, (low, high) in enumerate(box) if low < high]
    gone = [k for k in moving if k >= kept]
    volume = math.prod((box[k][1] - box[k][0] for k in gone), start=Fraction(1))
    integrands = [
        {_exponents(k, len(box)): Fraction(slope) / volume for k, slope in slopes.items()}
        | ({(0,) * len(box): Fraction(constant) / volume} if constant else {})
        for slopes, constant in forms
    ]
    if not any(integrands):
        return
    start = [(dict(slopes), Fraction(constant), strict) for slopes, constant, strict in rows]
    for k in moving:
        start.append(({k: Fraction(1)}, -box[k][0], False))
        start.append(({k: Fraction(-1)}, box[k][1], False))
    yield from _without(_tidied(start), integrands, gone, box, kept)


def _without(
    rows: list[Halfspace] | None,
    integrands: list[_Terms],
    gone: Sequence[int],
    box: Box,
    kept: int,
) -> Iterator[tuple[Fraction, Fraction, list[_Terms]]]:
    """Integrate the last of the unknowns that have to go out, and then the rest."""
    if rows is None:
        return
    if not gone:
        ends = [(-Fraction(c) / s[0], s[0] > 0) for s, c, _ in rows]
        start = max((x for x, lower in ends if lower), default=Fraction(0))
        end = min((x for x, lower in ends if not lower), default=Fraction(0))
        if start < end or not kept:
            yield start, end, integrands
        return
    if _flat(rows, box):
        return
    *rest, k = gone
    lower: list[Form] = []
    upper: list[Form] = []
    others: list[Halfspace] = []
    for slopes, constant, strict in rows:
        if k not in slopes:
            others.append((slopes, constant, strict))
            continue
        side: Form = (
            {j: -Fraction(s) / slopes[k] for j, s in slopes.items() if j != k},
            -Fraction(constant) / slopes[k],
        )
        (lower if slopes[k] > 0 else upper).append(side)
    primitives = [_primitive(terms, k) for terms in integrands]
    for low in lower:
        largest = [_above(low, other) for other in lower if other is not low]
        for high in upper:
            smallest = [_above(other, high) for other in upper if other is not high]
            cut = _tidied([*others, *largest, *smallest, _above(high, low)])
            if cut is None:
                continue
            inner = [_minus(_put(p, k, high), _put(p, k, low)) for p in primitives]
            yield from _without(cut, inner, rest, box, kept)


def _above(a: Form, b: Form) -> Halfspace:
    """a ≥ b."""
    slopes = dict(a[0])
    for k, slope in b[0].items():
        slopes[k] = slopes.get(k, 0) - slope
    return {k: s for k, s in slopes.items() if s}, a[1] - b[1], False


def _tidied(rows: Sequence[Halfspace]) -> list[Halfspace] | None:
    """Without the rows that are true of all numbers, and of parallel ones the tightest alone; None
    where a row is false."""
    tightest: dict[frozenset[tuple[int, Number]], Halfspace] = {}
    for slopes, constant, strict in rows:
        if not slopes:
            if constant < 0 or (strict and constant == 0):
                return None
            continue
        size = abs(Fraction(slopes[min(slopes)]))
        row = ({k: s / size for k, s in slopes.items()}, constant / size, strict)
        key = frozenset(row[0].items())
        if key not in tightest or row[1] < tightest[key][1]:
            tightest[key] = row
    return list(tightest.values())


def _flat(rows: Sequence[Halfspace], box: Box) -> bool:
    """Whether the rows have no common point in the inside of all of them."""
    system = System([bounds if bounds[0] < bounds[1] else (0, 0) for bounds in box])
    for slopes, constant, _ in rows:
        system.push(Row(slopes, constant, strict=True))
    return isinstance(system.decide(), Contradiction)


# Polynomials in several unknowns


def _exponents(k: int, size: int, power: int = 1) -> tuple[int, ...]:
    return tuple(power if j == k else 0 for j in range(size))


def _univariate(terms: _Terms) -> list[Fraction]:
    found = [Fraction(0)] * (1 + max((e[0] for e in terms), default=0))
    for exponents, coefficient in terms.items():
        found[exponents[0]] += coefficient
    return found


def _primitive(terms: _Terms, k: int) -> _Terms:
    """The antiderivative by x_k."""
    return {
        tuple(e + (j == k) for j, e in enumerate(exponents)): c / (exponents[k] + 1)
        for exponents, c in terms.items()
    }


def _put(terms: _Terms, k: int, form: Form) -> _Terms:
    """The polynomial with x_k replaced by an affine form of the others."""
    size = len(next(iter(terms), ()))
    affine: _Terms = {_exponents(j, size): Fraction(slope) for j, slope in form[0].items()}
    if form[1]:
        affine[(0,) * size] = Fraction(form[1])
    powers: list[_Terms] = [{(0,) * size: Fraction(1)}]
    for _ in range(max((e[k] for e in terms), default=0)):
        powers.append(_times(powers[-1], affine))
    total: _Terms = {}
    for exponents, c in terms.items():
        rest = {tuple(0 if j == k else e for j, e in enumerate(exponents)): c}
        for key, value in _times(rest, powers[exponents[k]]).items():
            total[key] = total.get(key, Fraction(0)) + value
    return total


def _times(p: _Terms, q: _Terms) -> _Terms:
    product: _Terms = {}
    for a, x in p.items():
        for b, y in q.items():
            key = tuple(map(sum, zip(a, b, strict=True)))
            product[key] = product.get(key, Fraction(0)) + x * y
    return product


def _minus(p: _Terms, q: _Terms) -> _Terms:
    difference = dict(p)
    for key, value in q.items():
        difference[key] = difference.get(key, Fraction(0)) - value
    return {key: value for key, value in difference.items() if value}
