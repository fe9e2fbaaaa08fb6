"""Corners of polytopes, and the mean of an affine form over one by cutting it into simplices.

A polytope in R^d is the set where some affine forms are ≥ 0; its corners are the points at which d
of them with independent slopes vanish and none is negative. A face is told by its corners. From one
corner of a face, take the sides that do not contain it, cut these into simplices, and join each
simplex to the corner: this cuts the face (Cohen & Hickey 1979). Over a simplex the integral of an
affine form is the volume times the mean of its values at the corners, and the volume is |det| / d!.

It says the same as `proofs.integrate` by another route, and shares no line with it: so one can
check the other.

Source: Cohen & Hickey, "Two algorithms for determining volumes of convex polyhedra" (Journal of the
ACM 26, 1979).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations, pairwise

__all__ = ["contradicts", "corners", "integrals"]

Number = Fraction | int
Form = tuple[Mapping[int, Number], Number]
"""Slopes by unknown, and a constant."""
Piece = tuple[Sequence[tuple[Mapping[int, Number], Number, bool]], Sequence[Form]]
"""A polyhedron, (slopes, constant, strict) for each inequality, and the results on it."""
Box = Sequence[tuple[Fraction, Fraction]]
Corner = tuple[Fraction, ...]
_Dense = tuple[tuple[Fraction, ...], Fraction]


def corners(rows: Sequence[Form], size: int) -> list[Corner]:
    """The corners of the polytope in R^size where every form is ≥ 0, each once.

    The rows must bound the polytope; () is the one point of R^0, if no row is a negative number.
    """
    return list(_active(_dense(rows, size), size))


def integrals(rows: Sequence[Form], size: int, forms: Sequence[Form]) -> list[Fraction]:
    """The integral of each form over the polytope in R^size where every row is ≥ 0."""
    dense = _dense(rows, size)
    active = _active(dense, size)
    total = [Fraction(0)] * len(forms)
    for simplex in _simplices(active, frozenset(active), len(dense), size):
        first, *others = simplex
        edges = [[x - y for x, y in zip(corner, first, strict=True)] for corner in others]
        volume = abs(_determinant(edges)) / math.factorial(size)
        for k, (slopes, constant) in enumerate(forms):
            heights = [
                constant + sum(s * corner[j] for j, s in slopes.items()) for corner in simplex
            ]
            total[k] += volume * sum(heights, Fraction(0)) / len(simplex)
    return total


def contradicts(
    pieces: Sequence[Piece],
    box: Box,
    knots: Sequence[Fraction],
    between: Sequence[Sequence[Sequence[Fraction]]],
    values: Sequence[Sequence[Fraction]],
    *,
    seconds: float = math.inf,
) -> str | None:
    """Why some curves are not the means of the pieces' results, or None if they are.

    The means are taken over all unknowns but x_0, as functions of x_0. At the corners of the pieces
    they are worked out one by one. From one corner to the next they are polynomials of degree m + 1
    at most, where m unknowns are integrated out: they are what they should be if they are at m + 2
    points.

    Args:
        pieces: polyhedra that are disjoint and together are the box.
        box: (low, high) of each unknown; one with low = high is a number.
        knots: ascending, from the low to the high of x_0.
        between: for each gap between knots the coefficients, constant first, of each mean.
        values: for each knot the value of each mean.
        seconds: how long it may take.

    Raises:
        TimeoutError: it takes longer.
    """
    end = time.monotonic() + seconds
    low, high = box[0]
    if not knots or (knots[0], knots[-1]) != (low, high) or list(knots) != sorted(set(knots)):
        return f"the knots {[str(x) for x in knots]} do not lead from {low} to {high}"
    if len(between) != len(knots) - 1 or len(values) != len(knots):
        return f"{len(between)} gaps and {len(values)} values for {len(knots)} knots"
    unknowns = [k for k, (a, b) in enumerate(box) if a < b]
    ends = {*knots, *(c for piece in pieces for c in _first_coordinates(piece, box, unknowns))}
    points = sorted(ends)
    more = len([k for k in unknowns if k]) + 2
    for a, b in pairwise(sorted(ends)):
        points += [a + (b - a) * Fraction(k, more + 1) for k in range(1, more + 1)]
    for x in points:
        if time.monotonic() > end:
            raise TimeoutError("integrating by simplices takes longer than it may")
        if x in knots:
            stated = list(values[list(knots).index(x)])
        else:
            gap = sum(knot < x for knot in knots) - 1
            powers = [[c * x**k for k, c in enumerate(poly)] for poly in between[gap]]
            stated = [sum(terms, Fraction(0)) for terms in powers]
        if stated != (means := _means(pieces, box, x)):
            shown = [[str(number) for number in numbers] for numbers in (stated, means)]
            return f"at {x} the means are said to be {shown[0]} and are {shown[1]}"
    return None


def _first_coordinates(piece: Piece, box: Box, unknowns: Sequence[int]) -> set[Fraction]:
    """x_0 at the corners of a piece."""
    if 0 not in unknowns:
        return set()
    rows = _bounded([(slopes, constant) for slopes, constant, _ in piece[0]], box, unknowns)
    return {corner[0] for corner in corners(rows, len(unknowns))}


def _bounded(rows: Sequence[Form], box: Box, unknowns: Sequence[int]) -> list[Form]:
    """The rows and those of the box, for the unknowns that are given, counted from 0 on; without
    those rows that hold in the whole box."""
    place = {k: number for number, k in enumerate(unknowns)}
    found: list[Form] = []
    for slopes, constant in rows:
        least = constant + sum(min(s * box[k][0], s * box[k][1]) for k, s in slopes.items())
        if least < 0:
            found.append(({place[k]: s for k, s in slopes.items()}, constant))
    for k in unknowns:
        found += [({place[k]: 1}, -box[k][0]), ({place[k]: -1}, box[k][1])]
    return found


def _means(pieces: Sequence[Piece], box: Box, x: Fraction) -> list[Fraction]:
    """The mean of each result at x_0 = x."""
    unknowns = [k for k, (a, b) in enumerate(box) if a < b and k]
    place = {k: number for number, k in enumerate(unknowns)}
    volume = math.prod((box[k][1] - box[k][0] for k in unknowns), start=Fraction(1))
    total = [Fraction(0)] * len(pieces[0][1])
    for rows, forms in pieces:
        cut: list[Form] = []
        for slopes, constant, strict in rows:
            rest = {k: s for k, s in slopes.items() if k}
            there = Fraction(constant + slopes.get(0, 0) * x)
            if not rest and (there < 0 or (strict and there == 0)):
                break
            cut.append((rest, there))
        else:
            heights = [
                ({place[k]: s for k, s in slopes.items() if k}, c + slopes.get(0, 0) * x)
                for slopes, c in forms
            ]
            if any(slopes or c for slopes, c in heights):
                parts = integrals(_bounded(cut, box, unknowns), len(unknowns), heights)
                total = [a + b / volume for a, b in zip(total, parts, strict=True)]
    return total


def _dense(rows: Sequence[Form], size: int) -> list[_Dense]:
    """The rows as vectors, parallel ones with the same bound once."""
    found: dict[_Dense, None] = {}
    for slopes, constant in rows:
        vector = [Fraction(slopes.get(k, 0)) for k in range(size)]
        scale = abs(next((s for s in vector if s), Fraction(1)))
        found[(tuple(s / scale for s in vector), Fraction(constant) / scale)] = None
    return list(found)


def _active(rows: Sequence[_Dense], size: int) -> dict[Corner, frozenset[int]]:
    """For each corner the rows that vanish there."""
    if any(not any(vector) and constant < 0 for vector, constant in rows):
        return {}
    found: dict[Corner, frozenset[int]] = {}
    for chosen in combinations([row for row in rows if any(row[0])], size):
        point = _solved(chosen)
        if point is None or point in found:
            continue
        heights = [
            constant + sum(s * x for s, x in zip(vector, point, strict=True) if s)
            for vector, constant in rows
        ]
        if all(height >= 0 for height in heights):
            found[point] = frozenset(k for k, height in enumerate(heights) if height == 0)
    return found


def _simplices(
    active: Mapping[Corner, frozenset[int]], face: frozenset[Corner], rows: int, dimension: int
) -> Iterator[list[Corner]]:
    """Simplices of the dimension that share out a face; none where the face is of a lower one."""
    if _rank(face) < dimension or not face:
        return
    apex = min(face)
    if dimension == 0:
        yield [apex]
        return
    sides = {
        frozenset(corner for corner in face if row in active[corner])
        for row in range(rows)
        if row not in active[apex]
    }
    for side in sorted(sides, key=sorted):
        for simplex in _simplices(active, side, rows, dimension - 1):
            yield [apex, *simplex]


def _rank(points: frozenset[Corner]) -> int:
    """The dimension of what the points span; −1 for no point."""
    if not points:
        return -1
    first, *others = sorted(points)
    edges = [[x - y for x, y in zip(point, first, strict=True)] for point in others]
    return len(_eliminated(edges)[1])


def _determinant(square: list[list[Fraction]]) -> Fraction:
    rows, pivots = _eliminated(square)
    if len(pivots) < len(square):
        return Fraction(0)
    return math.prod((rows[k][k] for k in range(len(rows))), start=Fraction(1))


def _solved(rows: Sequence[_Dense]) -> Corner | None:
    """The point at which all rows vanish, if there is exactly one; as many rows as unknowns."""
    size = len(rows)
    reduced, pivots = _eliminated([[*vector, -constant] for vector, constant in rows])
    if pivots != list(range(size)):
        return None
    point = [Fraction(0)] * size
    for k in reversed(range(size)):
        known = sum((reduced[k][j] * point[j] for j in range(k + 1, size)), Fraction(0))
        point[k] = (reduced[k][size] - known) / reduced[k][k]
    return tuple(point)


def _eliminated(matrix: list[list[Fraction]]) -> tuple[list[list[Fraction]], list[int]]:
    """The matrix in echelon form, up to the order and the signs of its rows, and the columns of its
    pivots."""
    rows = [list(row) for row in matrix]
    pivots: list[int] = []
    for column in range(len(rows[0]) if rows else 0):
        place = len(pivots)
        pivot = next((k for k in range(place, len(rows)) if rows[k][column]), None)
        if pivot is None:
            continue
        rows[place], rows[pivot] = rows[pivot], rows[place]
        for row in rows[place + 1 :]:
            if row[column]:
                factor = row[column] / rows[place][column]
                for j in range(column, len(row)):
                    row[j] -= factor * rows[place][j]
        pivots.append(column)
    return rows, pivots
