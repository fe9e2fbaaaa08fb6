"""Enclosures contain the numbers they stand for, and say so where they cannot decide.

The reference is exact arithmetic of series and powers in Fractions, independent of mpmath.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs import Interval, Undecided, UndefinedNumber, arithmetic, exact, precision, values
from proofs.interval import exp, log, root, sqrt

rationals = st.fractions(-4, 4, max_denominator=50)
positive = st.fractions(F(1, 50), 8, max_denominator=50)


@st.composite
def enclosed(draw: st.DrawFn, point: st.SearchStrategy[F] = rationals) -> tuple[Interval, F]:
    """An interval and a number in it."""
    low, high = sorted((draw(point), draw(point)))
    return Interval(low, high), low + (high - low) * draw(st.fractions(0, 1, max_denominator=9))


def contains(enclosure: Any, number: F) -> bool:
    if isinstance(enclosure, F):
        return enclosure == number
    return enclosure.low <= number <= enclosure.high


def exp_bounds(x: F, terms: int = 60) -> tuple[F, F]:
    """e^x by its series at x/2^k in [-1/2, 1/2], Lagrange's remainder, and k squarings."""
    halvings = 0
    while abs(x) > F(1, 2):
        x, halvings = x / 2, halvings + 1
    total, term = F(0), F(1)
    for n in range(1, terms):
        total, term = total + term, term * x / n
    low, high = total - 2 * abs(term), total + 2 * abs(term)
    for _ in range(halvings):
        low, high = low * low, high * high
        low, high = (low.limit_denominator(10**70) for low in (low, high))
    return low - F(1, 10**60), high + F(1, 10**60)


@given(st.fractions(-6, 6, max_denominator=30))
@settings(max_examples=40, deadline=None)
def test_exp_and_log_enclose_the_series(x: F) -> None:
    low, high = exp_bounds(x)
    enclosure = exp(x)
    if isinstance(enclosure, F):
        assert x == 0
        assert enclosure == 1
        return
    assert enclosure.low <= high
    assert low <= enclosure.high
    assert enclosure.width <= F(1, 2**120) * enclosure.high
    back = log(enclosure)
    assert isinstance(back, Interval)
    assert contains(back, x)
    assert back.width < F(1, 2**115)


@given(positive, st.integers(1, 5))
def test_roots_enclose_by_powers_and_are_exact_where_rational(x: F, degree: int) -> None:
    found = root(x, degree)
    low, high = (found, found) if isinstance(found, F) else (found.low, found.high)
    assert low**degree <= x <= high**degree
    assert high - low <= F(1, 2**120) * high
    assert root(x**degree, degree) == x
    assert sqrt(F(0)) == 0


@given(enclosed(), enclosed())
def test_arithmetic_encloses(first: tuple[Interval, F], second: tuple[Interval, F]) -> None:
    (a, x), (b, y) = first, second
    assert contains(a + b, x + y)
    assert contains(a - b, x - y)
    assert contains(a * b, x * y)
    assert contains(-a, -x)
    assert contains(abs(a), abs(x))
    assert contains(a + y, x + y)
    assert contains(y - a, y - x)
    assert contains(a * y, x * y)
    for exponent in range(5):
        assert contains(a**exponent, x**exponent)
    if b.low > 0 or b.high < 0:
        assert contains(a / b, x / y)
        assert contains(1 / b, 1 / y)
        assert contains(b**-3, y**-3)


@given(enclosed(), enclosed())
def test_a_comparison_is_right_or_undecided(
    first: tuple[Interval, F], second: tuple[Interval, F]
) -> None:
    (a, x), (b, y) = first, second
    questions: list[Callable[[Any, Any], bool]] = [
        lambda p, q: p < q,
        lambda p, q: p <= q,
        lambda p, q: p > q,
        lambda p, q: p >= q,
        lambda p, q: p == q,
        lambda p, q: p != q,
    ]
    for question in questions:
        for left, right in ((a, b), (a, y), (x, b)):
            try:
                answer = question(left, right)
            except Undecided:
                assert a.low <= b.high
                assert b.low <= a.high
            else:
                assert answer == question(x, y)


def test_end_points_stay_short() -> None:
    x: Any = sqrt(F(2))
    for _ in range(200):
        x = (x + 1 / x) * F(7, 11)
    assert x.low.numerator.bit_length() <= 129
    assert x.high.numerator.bit_length() <= 129


def test_precision_decides_what_fewer_bits_leave_open() -> None:
    def gap() -> Any:
        return sqrt(F(2) + F(1, 10**50)) - sqrt(F(2))

    with pytest.raises(Undecided, match=r"128 bits; repeat it within precision\(bits\)"):
        assert gap() > 0
    with precision(400):
        assert gap() > 0
    with pytest.raises(Undecided):
        assert gap() > 0
    with pytest.raises(ValueError, match=r"precision\(2\): at least 8"), precision(2):
        pass


def test_one_number_equals_itself() -> None:
    x: Any = log(F(3))
    assert x - x == 0
    assert x <= x
    assert not x < x
    assert x == log(F(3))
    with pytest.raises(Undecided, match="test_intervals"):
        assert x + 1 == log(F(3)) + 1


def test_wide_enclosures_do_not_guess() -> None:
    wide = Interval(F(-1), F(1))
    with pytest.raises(Undecided, match="divisor"):
        F(1) / wide
    with pytest.raises(Undecided, match="integer part"):
        math.floor(wide)
    with pytest.raises(Undecided, match="log of a number"):
        log(wide)
    with pytest.raises(Undecided, match="root of a number"):
        sqrt(wide)
    with pytest.raises(ZeroDivisionError):
        F(1) / Interval(F(0), F(0))
    with pytest.raises(ValueError, match="lower end point"):
        Interval(F(1), F(0))
    with pytest.raises(Undecided, match="too large to enclose"):
        exp(F(10**6))
    assert exp(F(-(10**6))).low >= 0
    assert exp(F(-(10**6))).high < F(1, 10**1000)


def test_rules_with_roots_and_logarithms_say_that_they_are_enclosed() -> None:
    bids = exact([[4, 9, 2]])
    assert values(np.sqrt(bids))[0, :2].tolist() == [2, 3]
    assert arithmetic(np.sqrt(bids)[:, :2]) == "exact"
    assert arithmetic(np.sqrt(bids)) == "interval"
    assert arithmetic(bids) == "exact"
    assert arithmetic(np.zeros(3)) == "exact"
    assert values(bids ** F(1, 2))[0, :2].tolist() == [2, 3]
    assert values(exact([F(8, 27)]) ** F(-2, 3)).tolist() == [F(9, 4)]


def test_log_welfare_is_decided_between_close_numbers() -> None:
    """Products decide the same question without logarithms."""
    third, little = F(1, 3), F(1, 10**9)
    shares = exact([[third, third, third], [third, third + little, third - little]])
    welfare = np.log(shares).sum(axis=1)
    assert bool(welfare[0] > welfare[1])
    assert np.argmax(welfare).item() == 0
    assert bool(np.prod(shares, axis=1)[0] > np.prod(shares, axis=1)[1])


def test_ties_under_one_function_stay_ties() -> None:
    winner = np.argmax(np.log(exact([[2, 3, 3]])), axis=-1)
    assert winner.item() == 1


def test_extremes_are_enclosed_where_the_order_is_open() -> None:
    """√2 + √3 = √(5 + 2√6): no precision orders the two, yet their maximum is enclosed."""
    sides = [sqrt(F(2)) + sqrt(F(3)), sqrt(5 + 2 * sqrt(F(6))), F(3)]
    row = exact(sides)
    for largest in (np.max(row), np.sort(row)[2], np.maximum(row[0], row[1])):
        bound = values(largest).item()
        assert 9.89 < float(bound) ** 2 < 9.9
        assert bound.width < F(1, 2**100)
    with pytest.raises(Undecided):
        np.argmax(row)


@pytest.mark.parametrize(
    ("rule", "cause"),
    [
        (lambda x: np.log(x - 2), "log of -1"),
        (lambda x: np.sqrt(x - 2), "root of -1"),
        (lambda x: (x - 2) ** 0.5, "non-integer power of -1"),
        (lambda x: (x - 1) ** -1, "negative power of zero"),
        (lambda x: (x - 1) ** -0.5, "negative power of zero"),
        (lambda x: np.log(x * -np.inf), "log of minus infinity"),
    ],
)
def test_what_has_no_value_names_its_cause(rule: Callable[[Any], Any], cause: str) -> None:
    result = rule(exact([1]) * F(1))
    with pytest.raises(UndefinedNumber, match=rf"{cause} at .*test_intervals.py:\d+"):
        values(result)
    assert values(np.where(np.array([False]), result, 0)).tolist() == [0]


def test_integer_parts_of_enclosed_numbers() -> None:
    """√10 = 3.16…, √200 = 14.14… and their quotients, rounded by hand."""
    x = np.sqrt(exact([10.0, 200.0]))
    assert values(np.floor(x)).tolist() == [3, 14]
    assert values(np.ceil(x)).tolist() == [4, 15]
    assert values(np.rint(x)).tolist() == [3, 14]
    assert values(np.trunc(-x)).tolist() == [-3, -14]
    assert values(x // 2).tolist() == [1, 7]
    assert values(30 // x).tolist() == [9, 2]
    assert values(x[1] // x[0]).item() == 4
    remainders = [math.sqrt(10) % 2, math.sqrt(200) % 2]
    assert [float(v) for v in values(x % 2)] == pytest.approx(remainders)
    assert [float(v) for v in values(30 % x)] == pytest.approx(
        [30 % math.sqrt(10), 30 % math.sqrt(200)]
    )
    assert values(np.where(x > 0, 1, x / 0)).tolist() == [1, 1]


def test_infinities_under_functions() -> None:
    x = exact([1.0])
    assert values(np.log(x - 1)).tolist() == [-math.inf]
    assert values(np.exp(x * -np.inf)).tolist() == [0]
    assert values(np.exp(x * np.inf)).tolist() == [math.inf]
    assert values(np.sqrt(x * np.inf)).tolist() == [math.inf]
    assert values((x * np.inf) ** 0.5).tolist() == [math.inf]
    assert values((x / 2) ** np.inf).tolist() == [0]
