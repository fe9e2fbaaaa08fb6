"""Ties are equal values with different gradients, wherever a rule compares.

Gradients are compared with difference quotients, ties with a plain search for equal bids.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs import Interval, Ties, Undecided, UndefinedNumber, exact, values
from proofs.ties import Dual

bids = st.lists(
    st.lists(st.sampled_from([F(0), F(1, 2), F(1), F(3)]), min_size=3, max_size=3),
    min_size=1,
    max_size=4,
)


def rows_tied(rule: Callable[[Any], Any], profiles: Any) -> set[int]:
    """The rows in which ``rule`` meets a tie; watching does not change its result."""
    algebra = Ties()
    watched = rule(exact(profiles, algebra=algebra))
    assert values(watched).tolist() == values(rule(exact(profiles))).tolist()
    assert algebra.tied == bool(algebra.tied_rows)
    return set(algebra.tied_rows)


def any_equal(row: list[F]) -> bool:
    return len(set(row)) < len(row)


def top_equal(row: list[F]) -> bool:
    return row.count(max(row)) > 1


@pytest.mark.parametrize(
    ("rule", "tied"),
    [
        (lambda x: np.sort(x, axis=1), any_equal),
        (lambda x: np.argsort(x, axis=1), any_equal),
        (lambda x: np.median(x, axis=1), any_equal),
        (lambda x: x[:, :, None] > x[:, None, :], any_equal),
        (lambda x: x[:, :, None] >= x[:, None, :], any_equal),
        (lambda x: x[:, :, None] == x[:, None, :], any_equal),
        (lambda x: x[:, :, None] != x[:, None, :], any_equal),
        (lambda x: np.argmax(x, axis=1), top_equal),
        (lambda x: np.max(x, axis=1), top_equal),
        (lambda x: np.argmin(-x, axis=1), top_equal),
        (lambda x: np.min(-x, axis=1), top_equal),
        (lambda x: np.argmax(2 * x + 1, axis=1), top_equal),
        (lambda x: np.argmax(x / 3 - x.sum(axis=1, keepdims=True), axis=1), top_equal),
        (lambda x: np.where(x > 1, x, 0), lambda row: 1 in row),
        (lambda x: np.maximum(x, 1), lambda row: 1 in row),
        (lambda x: np.clip(x, None, F(1, 2)), lambda row: F(1, 2) in row),
        (lambda x: np.abs(x - 1), lambda row: 1 in row),
        (lambda x: np.sign(x - 1), lambda row: 1 in row),
        (lambda x: np.floor(x / 3), lambda row: 0 in row or 3 in row),
        (lambda x: np.ceil(x + F(1, 2)), lambda row: F(1, 2) in row),
        (lambda x: np.trunc(x), lambda row: 1 in row or 3 in row),
        (lambda x: np.rint(x), lambda row: F(1, 2) in row),
        (lambda x: x // 2, lambda row: 0 in row),
        (lambda x: x % 2, lambda row: 0 in row),
        (lambda x: x.astype(int), lambda row: 1 in row or 3 in row),
        (lambda x: x.astype(bool), lambda row: 0 in row),
        (lambda x: np.searchsorted([F(1)], x), lambda row: 1 in row),
        (lambda x: np.isin(x, [3]), lambda row: 3 in row),
        (lambda x: x.sum(axis=1) > 3, lambda row: sum(row) == 3),
    ],
)
@given(profiles=bids)
def test_ties_are_where_a_search_finds_them(
    rule: Callable[[Any], Any], tied: Callable[[list[F]], bool], profiles: list[list[F]]
) -> None:
    assert rows_tied(rule, profiles) == {i for i, row in enumerate(profiles) if tied(row)}


@pytest.mark.parametrize(
    "rule",
    [
        lambda x: x > x,
        lambda x: np.maximum(x, x),
        lambda x: x - x > 0,
        lambda x: x + x == 2 * x,
        lambda x: np.sort(np.stack([x, x], axis=-1), axis=-1),
        lambda x: np.argmax(x * 0 + np.array([1, 1, 1]), axis=1),
        lambda x: np.sort(np.zeros_like(x), axis=1),
        lambda x: x * (x + 1) <= x * x + x,
        lambda x: (x + 1) / (x + 1) > 1,
        lambda x: x[:, :1] < np.inf,
        lambda x: np.max(np.where(np.array([True, False, False]), x, -np.inf), axis=1),
        lambda x: x.sum(axis=1) + x[:, 0],
        lambda x: np.cumsum(x, axis=1) @ np.array([1, 2, 3]),
    ],
)
@given(profiles=bids)
def test_a_number_and_itself_or_two_constants_do_not_tie(
    rule: Callable[[Any], Any], profiles: list[list[F]]
) -> None:
    assert rows_tied(rule, profiles) == set()


RULES: list[Callable[[Any], Any]] = [
    lambda x: 3 * x[:, 0] - x[:, 1] / 4 + 1,
    lambda x: x[:, 0] * x[:, 1] - x[:, 2] * 2,
    lambda x: x[:, 0] / (x[:, 1] + x[:, 2]),
    lambda x: 1 / x[:, 0] + x[:, 1] ** 3,
    lambda x: x[:, 0] ** -2,
    lambda x: np.max(x, axis=1) - np.min(x, axis=1),
    lambda x: np.sort(x, axis=1)[:, 1],
    lambda x: abs(x[:, 0] - x[:, 1]),
    lambda x: np.where(x[:, 0] > x[:, 1], x[:, 2], -x[:, 0]),
    lambda x: np.mean(x, axis=1) - np.prod(x, axis=1),
    lambda x: x[:, 0] % 1 + x[:, 1] - np.floor(x[:, 2]),
    lambda x: np.sqrt(x[:, 0]) * 2 + x[:, 1] ** 1.5,
    lambda x: np.exp(x[:, 0] / 2) - np.log(x[:, 1]),
    lambda x: x[:, 0] ** x[:, 1],
]


@pytest.mark.parametrize("rule", RULES)
def test_gradients_are_limits_of_difference_quotients(rule: Callable[[Any], Any]) -> None:
    point, step = [F(7, 5), F(9, 4), F(1, 3)], F(1, 10**12)
    (term,) = rule(exact([point], algebra=Ties())).terms
    gradient = term.gradient if isinstance(term, Dual) else {}
    (base,) = values(rule(exact([point])))
    for i in range(3):
        moved = [x + step * (j == i) for j, x in enumerate(point)]
        (value,) = values(rule(exact([moved])))
        quotient = (value - base) / step
        slope = gradient.get(i, F(0))
        assert abs(float(quotient) - float(slope)) < 1e-9
        assert isinstance(slope, (F, Interval))


def test_separate_report_arrays_have_separate_coordinates() -> None:
    algebra = Ties()
    first, second = exact([[1.0], [2.0]], algebra=algebra), exact([[5.0], [2.0]], algebra=algebra)
    assert values(first < second).tolist() == [[True], [False]]
    assert algebra.tied_rows == {1}


def test_integer_reports_and_counts_are_no_coordinates() -> None:
    algebra = Ties()
    x = exact([[1, 1]], algebra=algebra)
    np.argmax(x, axis=1)
    np.sort(x > 0, axis=1)
    assert not algebra.tied


def test_rank_from_counts_records_the_comparison_of_bids() -> None:
    algebra = Ties()
    x = exact([[3, 1, 1], [3, 2, 1.5]], algebra=algebra)
    rank = (x[:, None, :] > x[:, :, None]).sum(axis=-1)
    assert values(rank).tolist() == [[0, 1, 1], [0, 1, 2]]
    assert algebra.tied_rows == {0}


def test_infinite_slopes_are_not_taken_for_equal_ones() -> None:
    algebra = Ties()
    x = exact([[0.0, 0.0], [0.0, 1.0]], algebra=algebra)
    roots = np.sqrt(x)
    assert values(roots >= roots).all()
    assert not algebra.tied
    assert values(np.argmax(roots, axis=1)).tolist() == [0, 1]
    assert algebra.tied_rows == {0}


def test_enclosures_tie_only_if_they_are_one_number() -> None:
    algebra = Ties()
    x = exact([[2.0, 2.0, 3.0]], algebra=algebra)
    assert values(np.argmax(np.log(x), axis=1)).tolist() == [2]
    assert not algebra.tied
    assert values(np.argmin(np.log(x), axis=1)).tolist() == [0]
    assert algebra.tied
    with pytest.raises(Undecided):
        np.argmin(np.log(x) + 1, axis=1)


def test_undefined_numbers_pass_and_raise_as_in_exact_arithmetic() -> None:
    algebra = Ties()
    x = exact([[0.0, 1.0]], algebra=algebra)
    quotient = x / x
    assert values(np.where(np.array([False, True]), quotient, 0)).tolist() == [[0, 1]]
    assert values(np.where(np.array([False, True]), np.maximum(quotient, 0), 2)).tolist() == [
        [2, 1]
    ]
    with pytest.raises(UndefinedNumber, match="is compared"):
        np.argmax(quotient, axis=1)


def test_infinite_masks_leave_values_as_they_are() -> None:
    algebra = Ties()
    x = exact([[1.0, 2.0]], algebra=algebra)
    masked = np.where(np.array([True, False]), x, -np.inf)
    assert values(np.max(masked, axis=1)).tolist() == [1]
    assert values(masked * 2 + x).tolist() == [[3, -np.inf]]
    assert not algebra.tied
