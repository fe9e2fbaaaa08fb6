"""The traps of symbolic arrays, what is folded without a solver, and unknowns."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

from proofs import (
    Array,
    Symbolic,
    UndefinedNumber,
    Unsupported,
    assignment,
    evaluate,
    exact,
    symbols,
    values,
)
from proofs.nodes import Product, reachable

Rule = Callable[[Any], Any]


def unknown(*shape: int, **options: Any) -> Array:
    return symbols("x", shape, algebra=Symbolic(), **options)


def highest(bids: Any) -> Any:
    return np.arange(bids.shape[-1]) == np.argmax(bids, axis=-1)[..., None]


# Traps


def where(rule: Rule) -> str:
    return f"{rule.__code__.co_filename}:{rule.__code__.co_firstlineno}"


def branch(x: Any) -> Any:
    return x[0] if x[0] > x[1] else x[1]


@pytest.mark.parametrize(
    "rule",
    [
        branch,
        lambda x: max(x[0], x[1]),
        lambda x: x[0] < 1 and x[1] < 1,
        lambda x: not x[0] > 1,
        lambda x: sorted(x),
        lambda x: x[0] in [0, 1],
    ],
)
def test_python_branches_name_the_line_and_where(rule: Rule) -> None:
    with pytest.raises(Unsupported, match=r"np\.where") as error:
        rule(unknown(2))
    assert f"{rule.__code__.co_filename}:" in str(error.value)
    assert str(rule.__code__.co_firstlineno + (rule is branch)) in str(error.value)


@pytest.mark.parametrize(
    "rule",
    [
        lambda x: float(x[0]),
        lambda x: np.asarray(x),
        lambda x: np.zeros(3).__setitem__(slice(None), x),
        lambda x: np.zeros((1, 3)).__setitem__((np.arange(1), np.argmax(x[None], axis=-1)), 1),
        lambda x: np.array([x[0], x[1]]),
    ],
)
def test_floats_and_plain_arrays_are_refused_with_the_remedy(rule: Rule) -> None:
    with pytest.raises(Unsupported, match=r"np\.zeros_like\(reports\)") as error:
        rule(unknown(3))
    assert where(rule) in str(error.value)


def test_equality_is_a_condition_and_not_identity() -> None:
    x = unknown(2)
    assert (x == x).terms.tolist() == [True, True]
    equal = x[0] == x[1]
    assert equal.kind == "bool"
    assert evaluate(equal, {"x_0": 1, "x_1": F(1)}).item() is True
    assert evaluate(equal, {"x_0": 1, "x_1": 2}).item() is False


def test_terms_have_no_truth_value() -> None:
    with pytest.raises(TypeError, match="no truth value"):
        bool(unknown(1).terms[0])


def test_reductions_to_no_dimensions_are_arrays() -> None:
    total = np.sum(unknown(2))
    assert isinstance(total, Array)
    assert total.shape == ()
    assert evaluate(total, {"x_0": 1, "x_1": 2}).item() == 3


def linear(array: Array) -> bool:
    return not any(isinstance(node, Product) for node in reachable(array.terms.flat))


def test_boolean_times_number_stays_linear() -> None:
    x = unknown(3)
    wins = highest(x)
    assert linear(wins * x)
    assert linear(x * wins * (x > 1))
    assert linear(np.einsum("i,i->", wins * 1.0, x))
    assert linear((wins * x) * (wins * 2 + 1))
    assert linear((np.cumsum(wins) / 3) * x)
    assert linear(x / np.maximum(np.sum(wins), 1))
    assert not linear(x * x)


def test_float_constants_are_the_numbers_that_were_meant() -> None:
    assert evaluate(unknown(1) * 0.3, {"x_0": 1}).tolist() == [F(3, 10)]
    assert evaluate(unknown(1) + 1 / 3, {"x_0": 0}).tolist() == [F(1, 3)]


def test_what_follows_without_a_solver_is_folded() -> None:
    x = unknown(3)
    assert (x <= x).terms.tolist() == [True] * 3
    assert (x - x).terms.tolist() == [F(0)] * 3
    assert (x / x[0])[0].terms[()].value == 1  # where x_0 is not 0
    assert ((x[0] < x[1]) & (x[1] < x[0])).terms[()] is False
    assert ((x[0] < x[1]) | (x[1] <= x[0])).terms[()] is True
    assert ((x > 0) & (x == 0)).terms.tolist() == [False] * 3
    assert (np.where(x > 0, 1, 0) > 2).terms.tolist() == [False] * 3
    assert (np.sum(x > 0) <= 3).terms[()] is True
    chosen = np.where(x > 0, np.where(x > 0, x, 7), 0)
    assert chosen.terms.tolist() == np.where(x > 0, x, 0).terms.tolist()
    assert np.where(x > 0, x, x).terms.tolist() == x.terms.tolist()


def test_order_statistics_are_shared() -> None:
    x = unknown(1, 4)
    top = np.sort(x)[0, -1]
    assert np.max(x).terms[()] is top.terms[()]
    assert np.sort(x[:, ::-1])[0, -1].terms[()] is top.terms[()]
    assert (-np.min(-x)).terms[()] is top.terms[()]
    assert (-np.sort(-x))[0, 0].terms[()] is top.terms[()]


def test_index_comparisons_are_conditions() -> None:
    x = unknown(1, 3)
    winner = np.argmax(x, axis=-1)
    assert not (winner == 5).terms.any()
    assert (winner < 3).terms.tolist() == [True]
    assert (winner >= 0).terms.tolist() == [True]
    rank = np.argsort(np.argsort(-x, axis=-1, kind="stable"), axis=-1)
    assert ((rank == 0) == highest(x)).shape == (1, 3)
    rows = unknown(1, 3).algebra.obligations  # type: ignore[attr-defined]
    assert rows == []


def test_a_count_of_zero_indexes_and_compares() -> None:
    x = unknown(1, 3)
    k = np.sum(x > 9, axis=-1, keepdims=True)
    last = np.arange(3) == k - 1
    price = np.take_along_axis(-np.sort(-x, axis=-1), np.maximum(k - 1, 0), axis=-1)
    at = assignment(x, [[1, 2, 3]])
    assert evaluate(last, at).tolist() == [[False] * 3]
    assert evaluate(price, at).tolist() == [[3]]


def test_a_rule_may_return_a_constant() -> None:
    x = unknown(1, 2)
    constant = exact(np.ones((1, 2), dtype=bool), algebra=x.algebra)
    assert evaluate(constant, {}).tolist() == [[True, True]]


def test_an_index_that_may_leave_the_axis_is_an_obligation() -> None:
    x = unknown(1, 2)
    algebra: Any = x.algebra
    chosen = x[np.arange(1), np.argmax(x, axis=-1) + (x[:, 0] > 1)]
    (owed,) = algebra.obligations
    assert "test_symbolic.py" in str(owed.error)
    assert evaluate(owed.condition, {"x_0_0": 1, "x_0_1": 2}) is True
    assert evaluate(owed.condition, {"x_0_0": 2, "x_0_1": 3}) is False
    assert evaluate(chosen, {"x_0_0": 2, "x_0_1": 1}).tolist() == [1]


def test_quotients_are_guarded_or_owed() -> None:
    x = unknown(2)
    algebra: Any = x.algebra
    guarded = np.where(x[1] > 0, x[0] / x[1], 0)
    assert evaluate(guarded, {"x_0": 1, "x_1": 0}).item() == 0
    assert evaluate(guarded, {"x_0": 1, "x_1": 2}).item() == F(1, 2)
    assert algebra.obligations == []
    bare = x[0] / x[1]
    with pytest.raises(UndefinedNumber, match="division by zero"):
        evaluate(bare, {"x_0": 1, "x_1": 0})
    assert algebra.obligations == []
    assert (bare > 1).kind == "bool"
    (owed,) = algebra.obligations
    assert "is compared" in str(owed.error)
    assert evaluate(owed.condition, {"x_0": 1, "x_1": 0}) is False
    assert evaluate(owed.condition, {"x_0": 1, "x_1": 2}) is True


def test_never_written_entries_are_not_used() -> None:
    x = unknown(2)
    partly = np.empty_like(x)
    partly[np.argmax(x)] = 1
    with pytest.raises(UndefinedNumber):
        evaluate(partly, {"x_0": 1, "x_1": 2})
    assert evaluate(partly[1], {"x_0": 1, "x_1": 2}).item() == 1


# Unknowns


def test_symbols_have_names_and_shapes() -> None:
    algebra = Symbolic()
    bids = symbols("bid", (1, 2), algebra=algebra)
    assert [repr(term) for term in bids.terms.flat] == ["bid_0_0", "bid_0_1"]
    assert repr(symbols("c", (), algebra=algebra).terms[()]) == "c"
    assert symbols("d", 2, algebra=algebra).shape == (2,)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("x", {}, "'x_0' is there already"),
        ("a b", {}, "letters, digits and underscores"),
        ("y", {"kind": "int"}, "unknown integers"),
        ("y", {"levels": []}, "0 levels"),
        ("y", {"levels": [1], "kind": "bool"}, "1 levels for kind 'bool'"),
    ],
)
def test_bad_symbols_are_refused(name: str, options: Any, message: str) -> None:
    algebra = Symbolic()
    symbols("x", (1,), algebra=algebra)
    with pytest.raises(ValueError, match=message):
        symbols(name, (1,), algebra=algebra, **options)


def test_levels_make_products_linear() -> None:
    algebra = Symbolic()
    wants = symbols("wants", (2,), algebra=algebra, levels=[0, 0.5, 1])
    worth = symbols("worth", (2,), algebra=algebra)
    product = wants * worth
    assert linear(product)
    for pair in np.ndindex(3, 3):
        numbers = [F(k, 2) for k in pair]
        at = assignment(wants, numbers) | assignment(worth, [3, 5])
        assert evaluate(wants, at).tolist() == numbers
        assert evaluate(product, at).tolist() == [3 * numbers[0], 5 * numbers[1]]
    with pytest.raises(ValueError, match="none of its levels"):
        assignment(wants, [F(1, 3), 0])
    with pytest.raises(ValueError, match="not an unknown"):
        assignment(worth + 1, [1, 1])


def test_values_for_all_variables_are_needed() -> None:
    with pytest.raises(ValueError, match="'x_1' has no value"):
        evaluate(unknown(2), {"x_0": 1})


def test_terms_of_different_algebras_do_not_mix() -> None:
    with pytest.raises(ValueError, match="different algebras"):
        unknown(1) + unknown(1)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_order_statistics_are_what_their_axioms_say(n: int) -> None:
    """By trying all numbers that the row has, and some between: the axioms fit one number alone."""
    rng = np.random.default_rng(3)
    for _ in range(40):
        row = [F(int(k), 2) for k in rng.integers(0, 4, size=n)]
        x = unknown(n)
        for k, term in enumerate(np.sort(x).terms):
            (rank, _), *_ = term.items
            gaps = [F(j, 4) for j in range(8)]
            fits = [
                g for g in gaps if all(_holds(a, rank, g, assignment(x, row)) for a in rank.axioms)
            ]
            assert fits == [sorted(row)[k]]


def _holds(axiom: Any, rank: Any, number: F, at: dict[str, Any]) -> bool:
    """An axiom at a profile, with a number in the place of the order statistic."""
    from proofs import evaluation

    found: dict[Any, Any] = {rank: number}
    for node in reachable([axiom]):
        if node is not rank:
            found[node] = evaluation._value(node, found, at)
    return bool(found[axiom])


def test_values_are_read_by_evaluate_alone() -> None:
    with pytest.raises(Unsupported, match="evaluate"):
        values(unknown(1))
