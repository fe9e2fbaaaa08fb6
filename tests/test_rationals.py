"""The simplest rational of a float, against searches over denominators and known constants."""

from __future__ import annotations

import math
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs import exact, simplest, simplest_between, values

finite = st.floats(allow_nan=False, allow_infinity=False)


def simplest_by_search(low: F, high: F) -> F:
    """Denominator by denominator, numerator by numerator, nearest to zero first."""
    denominator = 1
    while True:
        first, last = math.ceil(low * denominator), math.floor(high * denominator)
        if first <= last:
            numerator = 0 if first <= 0 <= last else min(abs(first), abs(last))
            return F(numerator if last >= 0 else -numerator, denominator)
        denominator += 1


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (0.3, F(3, 10)),
        (1 / 3, F(1, 3)),
        (-0.7, F(-7, 10)),
        (2 / 7, F(2, 7)),
        (0.5, F(1, 2)),
        (1e-3, F(1, 1000)),
        (355 / 113, F(355, 113)),
        (0.0, F(0)),
        (-0.0, F(0)),
        (7.0, F(7)),
        (1e22, F(10**22)),
        (1e300, F(int(1e300))),
        (7, F(7)),
        (True, F(1)),
        (np.float64(0.1), F(1, 10)),
        (np.float32(0.5), F(1, 2)),
    ],
)
def test_constants_mean_what_their_author_meant(x: float, expected: F) -> None:
    assert simplest(x) == expected
    assert type(simplest(x)) is F


@given(finite)
def test_rounds_to_the_float(x: float) -> None:
    assert float(simplest(x)) == x


@given(st.integers(1, 10**7), st.integers(1, 10**7))
def test_recovers_every_rational_of_moderate_size(p: int, q: int) -> None:
    """Two of them differ by 10⁻¹⁴ at least, far more than the rounding of a p/q ≤ 1."""
    p, q = min(p, q), max(p, q)
    assert simplest(p / q) == F(p, q)
    assert simplest(-p / q) == F(-p, q)


@given(finite)
def test_no_rational_with_a_smaller_denominator_rounds_to_the_float(x: float) -> None:
    """Python's best approximation below a denominator misses the float, so all others do."""
    found = simplest(x)
    if found.denominator > 1:
        assert float(F(x).limit_denominator(found.denominator - 1)) != x


@given(st.fractions(-5, 5, max_denominator=40), st.fractions(0, 2, max_denominator=40))
def test_simplest_of_an_interval_by_search(low: F, width: F) -> None:
    assert simplest_between(low, low + width) == simplest_by_search(low, low + width)


def test_intervals_are_closed() -> None:
    assert simplest_between(F(1, 3), F(2, 5)) == F(1, 3)
    assert simplest_between(F(3, 7), F(1, 2)) == F(1, 2)
    assert simplest_between(F(5, 7), F(5, 7)) == F(5, 7)


@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf])
def test_what_is_no_rational_raises_with_a_remedy(x: float) -> None:
    with pytest.raises(ValueError, match=rf"{x} is not a number .* mask it first"):
        simplest(x)


def test_empty_interval_raises() -> None:
    with pytest.raises(ValueError, match=r"\[2, 1\] is empty"):
        simplest_between(2, 1)


@given(finite, st.integers(-3, 3))
def test_float_constants_in_a_rule_are_their_simplest_rational(
    constant: float, report: int
) -> None:
    result = exact([report]) * 1.0 + np.array([constant]) + constant
    assert values(result).tolist() == [report + 2 * simplest(constant)]
