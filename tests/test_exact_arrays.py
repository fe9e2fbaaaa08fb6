"""The traps on the way from NumPy to exact numbers, and what an Array is.

A trap is a place where a NumPy habit would round a Fraction, misread an index or compare structures
instead of numbers. Each must work exactly or raise an error that names the rule's line.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from arithmetics import Generic, every_algebra

from proofs import Array, Exact, Ties, Unsupported, exact, handled, values


def reports() -> Array:
    return exact([[F(1, 3), F(1, 2), F(1, 2)], [F(2), F(0), F(1)]])


def where(rule: Callable[..., Any]) -> str:
    """The place that an error must name: the line of a one-line rule."""
    return f"{__file__}:{rule.__code__.co_firstlineno}"


def test_equality_is_of_numbers_and_not_of_structures() -> None:
    x = reports()
    assert values(x == x[:, ::-1]).tolist() == [[False, True, False], [False, True, False]]
    assert isinstance(x[0, 0] == F(1, 3), Array)
    assert bool(x[0, 1] == 0.5)
    assert bool(np.array([0.5])[0] == x[0, 1])


def test_reductions_to_one_number_are_arrays_of_no_dimensions() -> None:
    for algebra in every_algebra():
        x = exact(values(reports()), algebra=algebra)
        for result in (x.sum(), x.max(), x.argmax(), x.any(), x.mean(), x[0, 0], np.median(x)):
            assert isinstance(result, Array)
            assert result.shape == ()
            assert result[..., None].shape == (1,)


def test_truth_value_decides_one_number_and_names_the_remedy_for_more() -> None:
    x = reports()
    assert [("high" if x[i, 0] > 1 else "low") for i in range(2)] == ["low", "high"]
    assert not x[1, 1]
    with pytest.raises(ValueError, match=r"shape \(2, 3\) is ambiguous; use np.any"):
        bool(x > 0)


def test_boolean_times_number_stays_exact_and_linear() -> None:
    x = reports()
    won = x == x.max(axis=-1, keepdims=True)
    assert (won * x).kind == "real"
    assert values(won * x).tolist() == [[0, F(1, 2), F(1, 2)], [2, 0, 0]]
    assert (won * 2).kind == "int"
    assert (won * won).kind == "bool"
    assert all(type(value) is F for value in values(won * x).flat)


PLAIN = np.zeros((2, 3))
ROWS = np.arange(2)


@pytest.mark.parametrize(
    "rule",
    [
        lambda x: PLAIN.copy().__setitem__((ROWS, np.argmax(x, axis=-1)), x[:, 0]),
        lambda x: PLAIN.copy().__setitem__(slice(None), x),
        lambda x: PLAIN.copy().__setitem__(0, x[0]),
        lambda x: PLAIN.copy().__iadd__(x),
        lambda x: np.add(PLAIN, x, out=PLAIN.copy()),
        lambda x: np.sum(x, axis=0, out=PLAIN[0]),
        lambda x: np.copyto(PLAIN.copy(), x),
        lambda x: np.fill_diagonal(PLAIN.copy(), x[0]),
        lambda x: np.put_along_axis(PLAIN.copy(), np.argsort(x), x, axis=-1),
        lambda x: np.array([x[:, 0], x[:, 1]]),
        lambda x: np.asarray(x),
        lambda x: np.asarray(x, dtype=object),
        lambda x: float(x[0, 0]),
        lambda x: math.sqrt(x[0, 0]),
        lambda x: complex(x[0, 0]),
        lambda x: f"{float(x[0, 0]):.2f}",
    ],
)
def test_floats_are_refused_with_the_line_and_the_remedy(rule: Callable[[Any], Any]) -> None:
    with pytest.raises(Unsupported) as error:
        rule(reports())
    assert where(rule) in str(error.value)
    assert "np.zeros_like(reports)" in str(error.value)


def test_one_number_written_into_a_plain_array_is_refused_too() -> None:
    """NumPy wraps the refusal in an error of its own."""
    rule = lambda x: PLAIN.copy().__setitem__((0, 0), x[0, 0])  # noqa: E731
    with pytest.raises(ValueError, match="setting an array element") as error:
        rule(reports())
    assert isinstance(error.value.__cause__, Unsupported)
    assert where(rule) in str(error.value.__cause__)


def test_plain_arrays_take_what_loses_nothing() -> None:
    """A computed index and constants are exact in a plain array, whose floats are read exactly."""
    x = reports()
    allocation = np.zeros(x.shape)
    allocation[np.arange(len(x)), np.argmax(x, axis=-1)] = 1
    assert values(allocation * x).tolist() == [[0, F(1, 2), 0], [2, 0, 0]]
    assert values(allocation).tolist() == [[0, 1, 0], [1, 0, 0]]
    winners = np.zeros(x.shape, dtype=bool)
    winners[:] = x > F(1, 2)
    assert winners.tolist() == [[False] * 3, [True, False, True]]


def test_symbolic_indices_do_not_become_plain_ones() -> None:
    x = exact([[1.0, 2.0]], algebra=Generic())
    with pytest.raises(Unsupported, match="take_along_axis"):
        np.array([5, 6])[np.argmax(x, axis=-1)]
    with pytest.raises(Unsupported, match="whose shape depends on the reports"):
        x[x > 1]
    with pytest.raises(Unsupported, match="whose shape depends on the reports"):
        np.nonzero(x > 1)
    with pytest.raises(Unsupported, match=r"np.where\(mask, values, x\)"):
        x[x > 1] = np.array([7.0, 8.0])
    with pytest.raises(Unsupported, match="Python integer"):
        int(np.argmax(x))
    with pytest.raises(IndexError, match="axis 1, which has size 2"):
        x[np.arange(1), np.argmax(x, axis=-1) + 1]


def test_float_constants_are_the_numbers_that_were_meant() -> None:
    x = exact([1.0])
    assert values(x * 0.3 + 1 / 3).tolist() == [F(19, 30)]
    assert values(np.full_like(x, 0.1) + np.array([0.2])).tolist() == [F(3, 10)]
    assert values(np.where(x > 0.1, 0.7, x)).tolist() == [F(7, 10)]


def test_ranks_are_permutations_and_stable_at_ties() -> None:
    for algebra in every_algebra():
        x = exact([[F(1, 2), F(2), F(1, 2), F(2)]], algebra=algebra)
        rank = np.argsort(np.argsort(-x, kind="stable"), kind="stable")
        assert values(rank).tolist() == [[2, 0, 3, 1]]
        assert rank.kind == "int"


@pytest.mark.parametrize("threshold", [F(0), F(1, 2), F(9)])
def test_counts_of_booleans_compare_and_index_also_where_nobody_trades(threshold: F) -> None:
    for algebra in every_algebra():
        x = exact([[F(2), F(1), F(1, 2)]], algebra=algebra)
        k = (x >= threshold).sum(axis=-1)
        expected = sum(value >= threshold for value in (2, 1, F(1, 2)))
        assert values(np.arange(3) == k[:, None] - 1).tolist() == [
            [i == expected - 1 for i in range(3)]
        ]
        assert values(np.argsort(-x) < k[:, None] - 1).tolist() == [
            [i < expected - 1 for i in range(3)]
        ]
        last = x[np.arange(1), k - 1]
        assert values(last).tolist() == [[2, 1, F(1, 2)][expected - 1]]


def test_a_result_may_be_concrete() -> None:
    assert values(np.array([[0.1, 1]])).tolist() == [[F(1, 10), 1]]
    assert values([True, False]).tolist() == [True, False]
    assert values(3).item() == 3
    assert values([reports()[0, 0], 1]).tolist() == [F(1, 3), 1]


def test_boolean_reports_want_a_cast_before_a_minus() -> None:
    b = exact([True, False])
    with pytest.raises(Unsupported, match=r"use ~b, or b.astype\(int\)"):
        np.negative(b)
    with pytest.raises(Unsupported, match="bools cannot be subtracted"):
        np.subtract(b, b)
    assert values(-b.astype(int)).tolist() == [-1, 0]


# What an Array is


@pytest.mark.parametrize(
    ("x", "kind", "numbers"),
    [
        ([1, 2], "int", [1, 2]),
        ([True, False], "bool", [True, False]),
        ([True, 2], "int", [1, 2]),
        ([1, F(1, 2)], "real", [1, F(1, 2)]),
        ([0.1, True], "real", [F(1, 10), 1]),
        ([10**30, 1], "int", [10**30, 1]),
        (np.array([1, 2], dtype=np.uint8), "int", [1, 2]),
        (np.array([F(1, 3), 2, True], dtype=object), "real", [F(1, 3), 2, 1]),
        (np.array([0.25, np.inf]), "real", [F(1, 4), math.inf]),
        ((F(3),), "real", [3]),
        (np.float64(0.1) * np.ones(1), "real", [F(1, 10)]),
    ],
)
def test_kinds_of_what_is_made_exact(x: Any, kind: str, numbers: list[Any]) -> None:
    array = exact(x)
    assert (array.kind, values(array).tolist()) == (kind, numbers)
    types = {"int": int, "bool": bool, "real": (F, float)}[kind]
    assert all(isinstance(value, types) for value in values(array))
    assert array.dtype == {"int": np.int64, "bool": np.bool_, "real": np.float64}[kind]
    assert exact(array) is array


def test_integers_do_not_overflow() -> None:
    big = exact(np.array([2**62, 2**62], dtype=np.int64))
    assert values(big.sum() * 8).item() == 2**66


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([[1, 2], [3]], ValueError, "inhomogeneous"),
        (["1"], ValueError, "not a rectangular array of numbers"),
        ([1j], Unsupported, "complex"),
        (np.array([1j]), Unsupported, "dtype complex128 has no exact counterpart"),
        (np.array(["2020-01-01"], dtype="datetime64"), Unsupported, "dtype datetime64"),
        ([None], Unsupported, "NoneType"),
    ],
)
def test_what_cannot_be_made_exact(x: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        exact(x)


def test_slices_are_views_and_fancy_indices_are_copies() -> None:
    x = exact([[1.0, 2.0], [3.0, 4.0]])
    row, column, picked = x[0], x[:, 1], x[[0, 1], [0, 1]]
    row[0] = 9
    column += 1
    picked[:] = 0
    assert values(x).tolist() == [[9, 3], [3, 5]]
    x.T[0, 1] = 7
    x.reshape(-1)[3] = 8
    assert values(x).tolist() == [[9, 3], [7, 8]]
    x.mT[0, 1] = 6
    duplicate, deep = copy.copy(x), copy.deepcopy(x)
    x.fill(0)
    assert values(duplicate).tolist() == values(deep).tolist() == [[9, 3], [6, 8]]


def test_writing_casts_up_and_refuses_to_cut() -> None:
    x, whole, flags = exact([1.0, 2.0]), exact([1, 2]), exact([True, False])
    x[0] = True
    flags[:] = whole - 1
    assert values(x).tolist() == [1, 2]
    assert values(flags).tolist() == [False, True]
    assert all(type(value) is F for value in values(x))
    with pytest.raises(Unsupported, match=r"would cut them; .*np.zeros_like\(x, dtype=float\)"):
        whole[0] = F(1, 2)
    with pytest.raises(Unsupported, match="kind 'real' does not fit into an array of kind 'int'"):
        whole += 0.5
    with pytest.raises(ValueError, match="broadcast"):
        x[:] = [1, 2, 3]
    with pytest.raises(ValueError, match="broadcast"):
        x[0] = [1, 2]


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (lambda x: np.linalg.norm(x), "np.linalg.norm"),
        (lambda x: np.fft.fft(x), "np.fft.fft"),
        (lambda x: np.sin(x), "np.sin"),
        (lambda x: np.histogram(x), "np.histogram"),
        (lambda x: np.add.reduceat(x, [0, 1]), "np.add.reduceat"),
        (lambda x: np.subtract.reduce(x), "np.subtract.reduce"),
        (lambda x: np.einsum("ij->i", x, casting="no"), r"np.einsum\(..., casting=\)"),
        (lambda x: np.take(x, 0, mode="wrap"), "mode='wrap'"),
        (lambda x: x & 1, "& combines bools"),
        (lambda x: x.astype(complex), "complex128"),
        (lambda x: np.interp(x, [0, 1], [0, 1], period=2), "period"),
    ],
)
def test_unsupported_functions_name_themselves_and_the_line(
    rule: Callable[[Any], Any], name: str
) -> None:
    with pytest.raises(Unsupported, match=name) as error:
        rule(reports())
    assert where(rule) in str(error.value)
    assert isinstance(error.value, TypeError)


def test_handled_functions_are_listed() -> None:
    assert {"argmax", "sort", "where", "add", "maximum", "einsum"} <= set(handled())
    assert "sin" not in handled()


def test_arrays_of_different_algebras_do_not_mix() -> None:
    with pytest.raises(ValueError, match="different algebras"):
        exact([1.0]) + exact([1.0], algebra=Exact())
    with pytest.raises(ValueError, match="different algebras"):
        exact(exact([1.0]), algebra=Ties())


def test_python_reads_integers_and_booleans() -> None:
    x = exact([[3, 1], [2, 2]])
    assert [int(v) for v in x[0]] == [3, 1]
    assert ["a", "b", "c", "d"][x[0, 0]] == "d"
    assert list(range(x[1, 0])) == [0, 1]
    assert x[0, 1] in {1, 5}
    assert np.asarray(x).dtype == np.int64
    assert np.asarray(x > 2).tolist() == [[True, False], [False, False]]
    assert x.item(2) == 2
    assert type(x.item(0, 1)) is int
    assert 3 in x
    assert 7 not in x
    half = exact([F(5, 2)])[0]
    assert (math.floor(half), math.ceil(half), round(half)) == (2, 3, 2)
    assert values(round(half / 10, 1)).item() == F(1, 5)
    assert [int(v) for v in x.flat] == [3, 1, 2, 2]
    with pytest.raises(Unsupported, match=r"np.floor or np.rint"):
        int(exact(F(1, 2)))
    with pytest.raises(TypeError, match="no dimensions"):
        iter(x[0, 0])
    with pytest.raises(TypeError, match="hash"):
        hash(x)
    with pytest.raises(IndexError, match="not of real numbers"):
        x[exact([0.0])]


def test_empty_reductions() -> None:
    empty = exact(np.zeros((2, 0)))
    assert values(empty.sum(axis=1)).tolist() == [0, 0]
    assert values(np.prod(empty, axis=1)).tolist() == [1, 1]
    assert values(empty.all(axis=1)).tolist() == [True, True]
    assert values(np.max(empty, axis=1, initial=2)).tolist() == [2, 2]
    assert np.sort(empty, axis=1).shape == (2, 0)
    for reduction in (np.max, np.min, np.argmax, np.argmin):
        with pytest.raises(ValueError, match=r"\(2, 0\)"):
            reduction(empty, axis=1)


def test_shapes_that_do_not_match_raise_as_in_numpy() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        reports() + exact([1, 2])
    with pytest.raises(ValueError, match="differ in length"):
        reports() @ reports()
    with pytest.raises(np.exceptions.AxisError):
        reports().sum(axis=2)
    with pytest.raises(IndexError):
        reports()[5]


def test_repr_shows_the_numbers() -> None:
    assert repr(exact([F(1, 3), 2])) == "Array([1/3 2], kind='real')"
