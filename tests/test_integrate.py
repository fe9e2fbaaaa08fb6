"""Integrals of piecewise-linear programs: by elimination, by simplices, by scipy and by hand."""

import itertools
import math
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate as quadrature

from proofs import checker, paths
from proofs.integrate import Curves, curves, fixed, mean
from proofs.polynomials import add, at, derivative, made, multiply, negative_at
from proofs.polytopes import corners, integrals

UNIT = (F(0), F(1))


def highest(x):
    """A second-price auction seen by agent 0: whether it wins, and what it pays."""
    wins = np.argmax(x) == 0
    return np.stack([np.where(wins, 1, 0), np.where(wins, np.sort(x)[-2], 0)])


def reserve(x):
    wins = (np.argmax(x) == 0) & (x[0] >= 0.5)
    return np.stack([np.where(wins, 1, 0), np.where(wins, np.maximum(np.sort(x)[-2], 0.5), 0)])


def above(x):
    """The reserve must be exceeded: at 1/2 itself nothing is won."""
    return np.where((x[0] > 0.5) & (x[0] >= x[1]), 1, 0)


def knapsack(x):
    """Something crooked: slanted regions, and heights that slope."""
    a, b = x[0] + 2 * x[1] - 1, x[1] - 3 * x[0] / 2 + 1 / 3
    return np.stack(
        [np.maximum(a, b) - x[1], np.where(a > b, np.abs(a), x[0] - b), np.minimum(a, 0)]
    )


def parts(program, box):
    found = paths.pieces(program, box)
    assert isinstance(found, paths.Pieces)
    return found


@pytest.mark.parametrize("agents", [2, 3, 4])
def test_the_second_price_by_hand(agents):
    # Pr(win) = r^(n−1); the expected payment is (n−1)/n r^n.
    box = [UNIT] * agents
    found = curves(parts(highest, box).parts, box)
    wins = made([0] * (agents - 1) + [1])
    pays = made([0] * agents + [F(agents - 1, agents)])
    assert found == Curves((F(0), F(1)), ((wins, pays),), ((F(0), F(0)), (F(1), pays[-1])))


def test_a_reserve_belongs_to_the_side_that_the_rule_says():
    box = [UNIT] * 2
    at_least, more_than = (curves(parts(p, box).parts, box) for p in (reserve, above))
    assert at_least.knots == more_than.knots == (0, F(1, 2), 1)
    assert at_least.at[1][0] == F(1, 2)
    assert more_than.at[1][0] == 0
    # E[max(y, 1/2); y ≤ r] = 1/4 + (r² − 1/4)/2.
    assert at_least.between[1][1] == made([F(1, 8), 0, F(1, 2)])
    assert at_least.between[0] == ((), ())


def test_a_single_value_inside_a_gap_is_a_knot():
    def needle(x):
        return np.where(x[0] == 1 / 3, x[1], 0)

    box = [UNIT] * 2
    found = curves(parts(needle, box).parts, box)
    assert found.knots == (0, F(1, 3), 1)
    assert found.at == ((0,), (F(1, 2),), (0,))
    assert found.between == (((),), ((),))
    assert found(F(1, 3)) == (F(1, 2),)
    with pytest.raises(ValueError, match="outside"):
        found(F(2))


def test_numbers_and_single_unknowns():
    # One agent: nothing is integrated out. A type that is known is no unknown.
    alone = curves(parts(lambda x: np.where(x >= 0.5, x, 0), [UNIT]).parts, [UNIT])
    assert alone.between == (((),), ((0, 1),))
    assert alone.at == ((0,), (F(1, 2),), (1,))
    box = [UNIT, (F(1, 4), F(1, 4)), (F(1), F(3))]
    known = curves(parts(lambda x: np.where(x[0] > x[1], x[2], 0)[None], box).parts, box)
    assert known.knots == (0, F(1, 4), 1)
    assert known.at == ((0,), (0,), (2,))
    box = [(F(1, 2), F(1, 2)), UNIT]
    assert curves(parts(highest, box).parts, box) == Curves((F(1, 2),), (), ((F(1, 2), F(1, 8)),))


@pytest.mark.parametrize(
    ("program", "box"),
    [
        (highest, [UNIT] * 3),
        (reserve, [UNIT, (F(0), F(2)), (F(1, 3), F(1))]),
        (knapsack, [UNIT, (F(-1), F(2))]),
        (knapsack, [(F(-2), F(2)), (F(1, 7), F(5, 7))]),
    ],
)
def test_both_routes_agree_and_the_checker_finds_the_same_pieces(program, box):
    found = parts(program, box)
    of = curves(found.parts, box)
    again = checker.pieces(program, box, None, found.tree)
    assert len(again) == len(found.parts)
    bounds = [row for k, (low, high) in enumerate(box) for row in (({k: 1}, -low), ({k: -1}, high))]
    ends = set()
    for rows, _ in again:
        closed = [(slopes, constant) for slopes, constant, _ in rows]
        ends |= {corner[0] for corner in corners([*bounds, *closed], len(box))}
    assert set(of.knots) <= ends
    volume = math.prod(high - low for low, high in box[1:])
    low, high = box[0]
    inside = [low + (high - low) * F(k, 13) for k in range(1, 13)]
    for x in [x for x in inside if x not in ends]:
        total = np.zeros(len(of.at[0]), dtype=object)
        for piece in again:
            rows, forms = fixed(piece, x)
            closed = [(slopes, constant) for slopes, constant, _ in rows]
            side = [({k - 1: s}, c) for row, c in bounds for k, s in row.items() if k]
            total += integrals([*side, *closed], len(box) - 1, forms)
        assert tuple(total / volume) == of(x)


@pytest.mark.parametrize("x", [F(1, 5), F(1, 2), F(7, 9)])
def test_quadrature_agrees(x):
    box = [UNIT, (F(-1), F(2)), UNIT]

    def program(z):
        return np.where(z[0] + z[1] > 2 * z[2], np.maximum(z[0] - z[2], z[1] / 3), z[2])[None]

    def height(b, c):
        return np.where(float(x) + b > 2 * c, np.maximum(float(x) - c, b / 3), c)

    exact = curves(parts(program, box).parts, box)(x)[0]
    b, c = np.meshgrid((np.arange(1500) + 0.5) / 500 - 1, (np.arange(500) + 0.5) / 500)
    assert float(exact) == pytest.approx(height(b, c).mean(), abs=2e-4)
    inner = quadrature.quad(lambda t: float(height(t, 0.25)), -1, 2, points=[0.5 - float(x)])[0]
    sliced = curves(
        parts(lambda z: program(np.stack([z[0], z[1], 0.25 + 0 * z[0]])), box[:2]).parts, box[:2]
    )
    assert float(sliced(x)[0]) == pytest.approx(inner / 3, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(-3, 3)] * 4), min_size=1, max_size=3),
    st.tuples(*[st.integers(-3, 3)] * 4),
)
def test_random_programs_agree_with_simplices(lines, heights):
    """Maxima and thresholds of random forms in three unknowns, at points on no boundary."""

    def program(x):
        forms = [a * x[0] + b * x[1] + c * x[2] + F(d, 2) for a, b, c, d in lines]
        top = forms[0]
        for form in forms[1:]:
            top = np.maximum(top, form)
        a, b, c, d = heights
        return np.where(a * x[0] + b * x[1] + c * x[2] > F(d, 3), top, x[0] - top)[None]

    box = [UNIT] * 3
    found = parts(program, box)
    of = curves(found.parts, box)
    for x in (F(3, 17), F(11, 19)):
        inner = parts(lambda y, x=x: program([x, y[0], y[1]]), box[1:])
        assert mean(inner.parts, box[1:]) == of(x)
        bounds = [row for k in range(2) for row in (({k: 1}, 0), ({k: -1}, 1))]
        total = [
            integrals([*bounds, *[(s, c) for s, c, _ in rows]], 2, forms)[0]
            for rows, forms in inner.parts
        ]
        assert sum(total) == of(x)[0]


# Polytopes and polynomials ------------------------------------------------------------------------


def cube(size):
    return [row for k in range(size) for row in (({k: 1}, 0), ({k: -1}, 1))]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4])
def test_cubes_and_simplices(size):
    assert len(corners(cube(size), size)) == 2**size
    ones = (dict.fromkeys(range(size), 1), F(0))
    assert integrals(cube(size), size, [({}, 1), ones]) == [1, F(size, 2)]
    corner = [*cube(size), (dict.fromkeys(range(size), -1), 1)]
    assert integrals(corner, size, [({}, 1)]) == [F(1, math.factorial(size))]
    # Flat, or empty: nothing to integrate.
    if size:
        assert integrals([*cube(size), ({0: -1}, 0)], size, [({}, 1)]) == [0]
        assert integrals([*cube(size), ({0: 1}, -2)], size, [({}, 1)]) == [0]


def test_an_octahedron():
    rows = [(dict(enumerate(signs)), 1) for signs in itertools.product((1, -1), repeat=3)]
    assert len(corners(rows, 3)) == 6
    assert integrals(rows, 3, [({}, 1), ({0: 1}, 5)]) == [F(4, 3), F(20, 3)]


roots = st.lists(st.fractions(-2, 2, max_denominator=6), max_size=5)


@given(roots, st.integers(-2, 2), st.booleans())
def test_the_sign_of_a_polynomial_with_known_roots(zeros, factor, squared):
    p = made([factor])
    for zero in zeros:
        p = multiply(p, made([-zero, 1]))
    if squared:
        p = multiply(p, made([1, 0, 1]))
    found = negative_at(p, F(-1), F(1))
    if found is not None:
        assert -1 <= found <= 1
        assert at(p, found) < 0
        return
    ends = sorted({F(-1), F(1), *(z for z in zeros if -1 < z < 1)})
    middles = [(a + b) / 2 for a, b in itertools.pairwise(ends)]
    assert all(at(p, x) >= 0 for x in [*ends, *middles])


@pytest.mark.parametrize(
    ("coefficients", "negative"),
    [
        ([2, 0, -4, 0, 1], True),  # x⁴ − 4x² + 2
        ([4, 0, -4, 0, 1], False),  # (x² − 2)²: irrational double roots
        ([F(-1, 10**12), 0, 1], True),
        ([F(1, 10**12), 0, 1], False),
        ([F(1, 10**12), F(-2, 10**6), 1], False),  # (x − 10⁻⁶)²
        ([F(99, 10**14), F(-2, 10**6), 1], True),  # negative on (0.9, 1.1)·10⁻⁶ only
        ([], False),
        ([-1], True),
    ],
)
def test_irrational_double_and_narrow_zeros(coefficients, negative):
    found = negative_at(made(coefficients), F(-2), F(2))
    assert (found is not None) is negative


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-5, 5), max_size=5))
def test_sympy_counts_the_same(coefficients):
    import sympy

    p = made(coefficients)
    x = sympy.Symbol("x")
    of = sum(sympy.Rational(c.numerator, c.denominator) * x**k for k, c in enumerate(p))
    sympified = sympy.Poly(of, x)
    least = (
        min(
            (
                sympified.eval(v)
                for v in [-1, 1, *(r for r in sympified.diff(x).real_roots() if -1 < r < 1)]
            ),
            key=lambda v: sympy.N(v, 30),
        )
        if p and len(p) > 1
        else (p[0] if p else 0)
    )
    assert (negative_at(p, F(-1), F(1)) is not None) == bool(sympy.N(least, 30) < -1e-25)


def test_polynomial_arithmetic():
    p, q = made([1, 2]), made([0, 0, 3])
    assert add(p, q) == (1, 2, 3)
    assert add(p, made([-1, -2])) == ()
    assert multiply(p, q) == (0, 0, 3, 6)
    assert derivative(multiply(p, q)) == (0, 6, 18)
    with pytest.raises(ValueError, match="lower bound first"):
        negative_at(p, F(1), F(0))
