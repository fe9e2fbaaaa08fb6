"""Path by path: known answers from textbooks, and random programs against plain rationals.

Every proof that is found is also put before the checker, which shares no code with the search.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction as F
from itertools import count, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs import GaveUp, Proof, Violation, check, exact, explore, from_json, to_json, values
from proofs.algebra import comparators

Program = Callable[[Any], Any]
UNIT = (F(0), F(1))


def proved(program: Program, box: Any, constraints: Any = None, **limits: Any) -> Proof:
    """The proof, which the checker accepts after a journey through JSON."""
    result = explore(program, box, constraints, **limits)
    assert isinstance(result, Proof), result
    check(program, box, constraints, from_json(to_json(result.tree)))
    return result


def violated(program: Program, box: Any, constraints: Any = None) -> Violation:
    """The violation: a point of the box that satisfies the constraints, and a negative margin."""
    result = explore(program, box, constraints)
    assert isinstance(result, Violation), result
    assert all(low <= x <= high for x, (low, high) in zip(result.point, box, strict=True))
    for row, bound in zip(*(constraints or ((), ())), strict=True):
        assert sum(a * x for a, x in zip(row, result.point, strict=True)) <= bound
    margins = values(program(exact(list(result.point)))).ravel()
    assert margins[result.entry] == result.margin == min(margins) < 0
    return result


def network(x: Any) -> Any:
    wires = [x[i] for i in range(len(x))]
    for i, j in comparators(len(wires)):
        wires[i], wires[j] = np.minimum(wires[i], wires[j]), np.maximum(wires[i], wires[j])
    return np.stack(wires)


def branching(x: Any) -> Any:
    if x[0] > x[1]:
        return x[0] - x[1]
    return x[1] - x[0] if x[0] != x[1] else x[2]


IDENTITIES: list[tuple[Program, int]] = [
    (lambda x: np.maximum(x[0], x[1]) + np.minimum(x[0], x[1]) - x[0] - x[1], 2),
    (lambda x: np.abs(x[0] - x[1]) - np.maximum(x[0], x[1]) + np.minimum(x[0], x[1]), 2),
    (lambda x: np.maximum(x[0], np.minimum(x[1], x[2])) - np.median(x), 3),
    (lambda x: np.minimum(np.sort(x) - network(x), network(x) - np.sort(x)), 3),
    (lambda x: np.minimum(np.sort(x) - network(x), network(x) - np.sort(x)), 4),
    (lambda x: x[np.argsort(x)] - np.sort(x), 3),
    (lambda x: np.sort(-x) + np.sort(x)[::-1], 4),
    (lambda x: np.max(x) - np.take_along_axis(x, np.argmax(x, keepdims=True), 0), 4),
    (lambda x: np.where(np.argmin(x) == np.argsort(x, kind="stable")[0], 0, -1), 3),
    (lambda x: np.where(x[0] == x[1], x[0] - x[1], 1), 2),
    (lambda x: np.clip(x, 0.25, 0.75) - np.maximum(np.minimum(x, 0.75), 0.25), 2),
    (lambda x: np.sign(x[0] - x[1]) * (x[0] - x[1]) if x[0] > 2 else np.abs(x[0] - x[1]), 2),
    (lambda x: x - np.floor(3 * x) / 3, 2),
    (lambda x: x % 0.5, 2),
    (lambda x: 0.5 - np.abs(np.rint(2 * x) - 2 * x), 2),
    (lambda x: (2 * x).astype(int) - 2 * x + 1, 2),
    (lambda x: -np.abs(x // 0.5 - np.trunc(2 * x)), 2),
    (lambda x: np.where(x > 0.5, (x - x + 1) / 2, np.where(x < 2, 1 / 2, x * x)), 2),
    (lambda x: np.where(x[0] > 1, x[0] / x[1], 1), 2),
    (lambda x: x[0] * (x[1] > x[0]) + x[1] * (x[1] <= x[0]) - np.minimum(x[0], x[1]), 2),
    (lambda x: (x[:, None] > x[None, :]).sum(axis=1)[np.argmax(x)] - (x < np.max(x)).sum(), 3),
    (lambda x: np.max(np.where(np.array([True, False, True]), x, -np.inf)) - x[2], 3),
    (branching, 3),
]


@pytest.mark.parametrize(("program", "unknowns"), IDENTITIES, ids=count())
def test_identities_are_proved(program: Program, unknowns: int) -> None:
    proof = proved(program, [UNIT] * unknowns)
    assert not proof.vacuous
    assert proof.leaves == sum(node[0] == "so" for node in proof.tree)


FALSE: list[tuple[Program, int]] = [
    (lambda x: x[0] - x[1], 2),
    (lambda x: np.where(x[0] == x[1], -1, 0), 2),
    (lambda x: np.where((x[0] == x[1]) & (x[1] == 0.75), -1, 1), 2),
    (lambda x: np.where(x[0] >= 1, -1, 0), 1),
    (lambda x: np.where(np.argmax(x) == 0, x[0] - x[1], 1) - np.where(x[0] == x[1], F(1, 9), 0), 2),
    (lambda x: np.argsort(x)[0] - np.argmin(x) - (x[0] == x[2]), 3),
    (lambda x: np.median(x) - np.mean(x), 3),
    (lambda x: F(1, 2) - x % 1, 1),
    (lambda x: np.floor(x) - 0 * x - np.where(x == 1, 2, 0), 1),
    (lambda x: 1 - (x > 0.5).sum(), 3),
]


@pytest.mark.parametrize(("program", "unknowns"), FALSE, ids=count())
def test_false_claims_are_refuted(program: Program, unknowns: int) -> None:
    violated(program, [UNIT] * unknowns)


# Mechanisms, as raw programs: an agent's utility with the truth minus that with another report.


def truthful(rule: Program, n: int, agents: Any = None, sellers: Any = ()) -> Program:
    """Unknowns: n types, then the report that an agent considers instead of its type."""

    def program(x: Any) -> Any:
        margins = []
        for i in range(n) if agents is None else agents:
            lie = x[:n].copy()
            lie[i] = x[n]
            utilities = []
            for reports in (x[:n], lie):
                allocation, payments = rule(reports)
                value = allocation[i] * x[i]
                utilities.append((-value if i in sellers else value) - payments[i])
            margins.append(utilities[0] - utilities[1])
        return np.stack(margins)

    return program


def second_price(bids: Any, reserve: Any = 0) -> Any:
    wins = (np.arange(len(bids)) == np.argmax(bids)) & (bids >= reserve)
    return wins, wins * np.maximum(np.sort(bids)[-2], reserve)


def first_price(bids: Any) -> Any:
    wins = np.arange(len(bids)) == np.argmax(bids)
    return wins, wins * bids


def split_price(reports: Any) -> Any:
    """The 1/2-double auction of a buyer and a seller (Chatterjee & Samuelson 1983)."""
    trade = reports[0] >= reports[1]
    price = (reports[0] + reports[1]) / 2
    return np.stack([trade, trade]), np.stack([trade * price, -(trade * price)])


def posted_price(reports: Any) -> Any:
    trade = (reports[0] >= 0.5) & (reports[1] <= 0.5)
    return np.stack([trade, trade]), np.stack([trade * 0.5, trade * -0.5])


@pytest.mark.parametrize("n", [2, 3, 4])
def test_second_price_is_truthful(n: int) -> None:
    assert proved(truthful(second_price, n), [UNIT] * (n + 1)).leaves > n


def test_paths_grow_with_what_is_used_and_not_with_what_is_sorted() -> None:
    proof = proved(truthful(second_price, 12, [0]), [UNIT] * 13)
    assert proof.leaves < 100
    reserve = truthful(lambda bids: second_price(bids, 0.3), 8, [7])
    assert proved(reserve, [UNIT] * 9).leaves < 200


@pytest.mark.parametrize("n", [2, 3])
def test_a_reserve_price_is_truthful_and_a_first_price_is_not(n: int) -> None:
    proved(truthful(lambda bids: second_price(bids, 0.3), n), [UNIT] * (n + 1))
    violated(truthful(first_price, n), [UNIT] * (n + 1))


def test_a_winner_who_pays_nothing_on_a_tie_lies_to_tie() -> None:
    def rule(bids: Any) -> Any:
        wins, payments = second_price(bids)
        return wins, np.where(bids[0] == bids[1], 0, payments)

    found = violated(truthful(rule, 2, [0]), [UNIT] * 3)
    assert found.point[2] == found.point[1]


def test_trade_at_the_mean_of_the_reports_is_not_truthful_and_at_a_fixed_price_it_is() -> None:
    violated(truthful(split_price, 2, [0], sellers=[1]), [UNIT] * 3)
    violated(truthful(split_price, 2, [1], sellers=[1]), [UNIT] * 3)
    proved(truthful(posted_price, 2, sellers=[1]), [UNIT] * 3)


@pytest.mark.parametrize(("outcome", "holds"), [(np.median, True), (np.mean, False)])
def test_the_median_is_truthful_for_single_peaked_agents_and_the_mean_is_not(
    outcome: Any, holds: bool
) -> None:
    def program(x: Any) -> Any:
        lie = np.stack([x[3], x[1], x[2]])
        return np.abs(outcome(lie) - x[0]) - np.abs(outcome(x[:3]) - x[0])

    (proved if holds else violated)(program, [UNIT] * 4)


# Random programs, against an interpreter on plain Fractions

Expression = tuple[Any, ...]
constants = st.sampled_from([F(-1), F(-1, 2), F(0), F(1, 3), F(1), F(2)])


def deeper(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    pair, triple = st.tuples(inner, inner), st.tuples(inner, inner, inner)
    return st.one_of(
        st.tuples(st.sampled_from(["add", "subtract", "max", "min"]), pair),
        st.tuples(st.just("scale"), st.tuples(constants, inner)),
        st.tuples(st.sampled_from(["abs", "floor", "int"]), st.tuples(inner)),
        st.tuples(st.sampled_from(["less", "equal", "if"]), st.tuples(inner, inner, inner, inner)),
        st.tuples(st.sampled_from(["sort0", "sort1", "sort2", "argmax", "order"]), triple),
    )


expressions = st.recursive(
    st.one_of(
        st.tuples(st.just("x"), st.sampled_from([(0,), (1,)])),
        st.tuples(st.just("constant"), st.tuples(constants)),
    ),
    deeper,
    max_leaves=6,
)


def run(expression: Expression, x: Any) -> Any:
    """In NumPy."""
    name, parts = expression
    if name in ("x", "constant"):
        return x[parts[0]] if name == "x" else parts[0] + 0 * x[0]
    if name == "scale":
        return parts[0] * run(parts[1], x)
    args = [run(part, x) for part in parts]
    if name == "if":
        return args[2] if args[0] >= args[1] else args[3]
    functions: dict[str, Callable[..., Any]] = {
        "add": np.add,
        "subtract": np.subtract,
        "max": np.maximum,
        "min": np.minimum,
        "abs": np.abs,
        "floor": np.floor,
        "int": lambda a: a.astype(int) + 0.0,
        "less": lambda a, b, c, d: np.where(a < b, c, d),
        "equal": lambda a, b, c, d: np.where(a == b, c, d),
        "argmax": lambda *row: np.argmax(np.stack(row)) + 0.0,
        "order": lambda *row: np.stack(row)[np.argsort(np.stack(row), kind="stable")[1]],
    }
    if name.startswith("sort"):
        return np.sort(np.stack(args))[int(name[-1])]
    return functions[name](*args)


def plainly(expression: Expression, x: tuple[F, ...]) -> F:
    """In Python."""
    name, parts = expression
    if name in ("x", "constant"):
        return x[parts[0]] if name == "x" else parts[0]
    if name == "scale":
        return parts[0] * plainly(parts[1], x)
    a, *others = args = [plainly(part, x) for part in parts]
    if name in ("less", "equal", "if"):
        b, c, d = others
        return c if {"less": a < b, "equal": a == b, "if": a >= b}[name] else d
    results = {
        "add": lambda: a + others[0],
        "subtract": lambda: a - others[0],
        "max": lambda: max(args),
        "min": lambda: min(args),
        "abs": lambda: abs(a),
        "floor": lambda: F(a.__floor__()),
        "int": lambda: F(int(a)),
        "argmax": lambda: F(args.index(max(args))),
        "order": lambda: sorted(args)[1],
    }
    return sorted(args)[int(name[-1])] if name.startswith("sort") else results[name]()


@settings(deadline=None)
@given(expressions, st.sampled_from([F(0), F(1, 5), F(2)]))
def test_random_programs_agree_with_a_grid(expression: Expression, room: F) -> None:
    box = [(F(-1), F(1)), (F(0), F(1))]
    grid = [(F(i, 6), F(j, 6)) for i, j in product(range(-6, 7), range(7))]
    least = min(plainly(expression, point) for point in grid)

    def program(x: Any) -> Any:
        return run(expression, x) - (least - room)

    result = explore(program, box)
    assert not isinstance(result, GaveUp), result
    if isinstance(result, Proof):
        check(program, box, None, result.tree)
    else:
        assert plainly(expression, result.point) - (least - room) == result.margin < 0
    tight = explore(lambda x: run(expression, x) - least - F(1, 100), box)
    assert isinstance(tight, Violation)


# Boxes, constraints and limits


def test_constraints_restrict_the_claim() -> None:
    box = [UNIT] * 2
    proved(lambda x: x[0] - x[1], box, ([[-1, 1]], [0]))
    proved(lambda x: np.where(x[0] == x[1], -1, 0), box, ([[1, -1]], [F(-1, 10)]))
    found = violated(lambda x: x[0] - x[1], box, ([[-1, 1], [1, 1]], [F(1, 3), F(1, 3)]))
    assert found.margin >= F(-1, 3)


def test_an_unknown_whose_bounds_coincide_is_a_number() -> None:
    box = [(F(1, 3), F(1, 3)), UNIT]
    proof = proved(lambda x: x[1] - x[0] * x[1] * np.exp(0 * x[0]), box)
    assert proof.leaves == 1
    assert violated(lambda x: x[1] * x[0] - F(1, 4), box).point[0] == F(1, 3)
    proved(lambda x: x[1] - x[0], box, ([[1, -1]], [0]))


def test_contradictory_constraints_prove_everything_and_say_so() -> None:
    contradictory = ([[1], [-1]], [F(1, 3), F(-1, 2)])
    proof = proved(lambda x: x - 2, [UNIT], contradictory)
    assert proof.vacuous
    assert proof.leaves == 0
    assert proved(lambda x: x, [(F(1), F(1))], ([[1]], [0])).vacuous


def test_no_unknowns_and_no_margins() -> None:
    assert proved(lambda x: np.sum(x), []).leaves == 1
    assert proved(lambda x: x[:0], [UNIT]).leaves == 1


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (lambda x: x[0] * x[1], "test_paths.py:.* the product of .*x0.* and .*x1.* is not linear"),
        (lambda x: x[0] / (x[1] + 1), "test_paths.py:.* a quotient by"),
        (lambda x: np.exp(x), "test_paths.py:.* exp of .* is not piecewise linear"),
        (lambda x: np.sqrt(x), "test_paths.py:.* sqrt of"),
        (lambda x: x**2, "test_paths.py:.* a power of"),
        (lambda x: np.where(x > 0.5, x[0] * x[1], 1), "the product of"),
        (lambda x: 1 / (x - x), "division by zero"),
        (lambda x: np.linalg.norm(x), "test_paths.py:.* np.linalg.norm is not available"),
        (lambda x: x - float(x[0]), "a Python float was asked"),
    ],
)
def test_what_is_not_piecewise_linear_is_given_up_with_its_line(
    program: Program, reason: str
) -> None:
    result = explore(program, [UNIT] * 2)
    assert isinstance(result, GaveUp)
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(result.reason)


def test_limits_are_kept_and_named() -> None:
    def many(x: Any) -> Any:
        return np.argsort(x)

    few = explore(many, [UNIT] * 4, leaves=10)
    assert isinstance(few, GaveUp)
    assert "more than 10 paths; raise leaves=" in few.reason
    assert proved(many, [UNIT] * 4, leaves=24).leaves == 24
    none = explore(many, [UNIT] * 4, seconds=0)
    assert isinstance(none, GaveUp)
    assert "raise seconds=" in none.reason


def test_a_program_that_changes_its_mind_is_given_up() -> None:
    calls = count()
    result = explore(lambda x: np.abs(x - F(1, 2 + next(calls))), [UNIT])
    assert isinstance(result, GaveUp)
    assert "not deterministic" in result.reason


@pytest.mark.parametrize(
    ("program", "box", "constraints", "message"),
    [
        (lambda x: x, [(F(1), F(0))], None, r"x0 lies in \[1, 0\]"),
        (lambda x: x, [(0.0, F(1))], None, "0.0 is a float"),
        (lambda x: x, [UNIT], ([[F(1), F(1)]], [F(1)]), "2 coefficients; give 1"),
        (lambda x: x >= 0, [UNIT], None, r"np.where\(claim, 0, -1\)"),
    ],
)
def test_bad_input_is_named(program: Program, box: Any, constraints: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explore(program, box, constraints)


def test_errors_of_the_program_are_passed_on() -> None:
    with pytest.raises(KeyError, match="missing"):
        explore(lambda x: {}["missing"] if x[0] > 0.5 else x, [UNIT])
