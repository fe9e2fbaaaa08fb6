"""The checker accepts proofs, some written by hand, and nothing that only looks like one."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from fractions import Fraction as F
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs import Proof, Rejected, check, checker, explore, from_json, to_json

Tree = list[list[str]]
Program = Callable[[Any], Any]
UNIT = (F(0), F(1))


def larger(x: Any) -> Any:
    return np.maximum(x[0], x[1]) - x[0]


# Rows 0 to 3 are x0 ≥ 0, x1 ≥ 0, x0 ≤ 1, x1 ≤ 1. In the first case x0 ≥ x1 is row 4 and the margin
# is the constant 0. In the second, x1 > x0 is row 4, and "x1 − x0 < 0" is row 5; they add up to 0.
LARGER: Tree = [["max", "1 x0 + 0", "1 x1 + 0"], ["so"], ["so", "4*1 5*1"]]


def truthful(rule: Program) -> Program:
    """Second-price or first-price bidding of two agents; the third unknown is the lie of the
    first."""

    def program(x: Any) -> Any:
        truth, lie = np.stack([x[0], x[1]]), np.stack([x[2], x[1]])
        return rule(truth, x[0]) - rule(lie, x[0])

    return program


def second_price(bids: Any, value: Any) -> Any:
    return (np.argmax(bids) == 0) * (value - np.sort(bids)[0])


def first_price(bids: Any, value: Any) -> Any:
    return (np.argmax(bids) == 0) * (value - bids[0])


def with_reserve(bids: Any, value: Any) -> Any:
    price = np.maximum(bids[1], 0.5)
    return ((np.argmax(bids) == 0) & (bids[0] >= 0.5)) * (value - price)


def median(x: Any) -> Any:
    return np.maximum(np.median(x) - np.min(x), 0) + np.where(x[0] == x[1], 1, 0)


CASES: list[tuple[Program, int]] = [
    (larger, 2),
    (truthful(second_price), 3),
    (truthful(with_reserve), 3),
    (median, 3),
    (lambda x: x - np.floor(2 * x) / 2, 1),
    (lambda x: x[np.argsort(x)] - np.sort(x), 3),
]


def tree_of(program: Program, unknowns: int) -> Tree:
    proof = explore(program, [UNIT] * unknowns)
    assert isinstance(proof, Proof)
    check(program, [UNIT] * unknowns, None, proof.tree)
    return proof.tree


def rejected(program: Program, unknowns: int, tree: Any, constraints: Any = None) -> str:
    with pytest.raises(Rejected) as caught:
        check(program, [UNIT] * unknowns, constraints, tree)
    return str(caught.value)


def test_a_proof_by_hand_is_accepted() -> None:
    check(larger, [UNIT] * 2, None, LARGER)
    check(larger, [UNIT] * 2, None, from_json(to_json(LARGER)))


def test_a_case_by_hand_may_be_closed_by_the_box_and_the_constraints() -> None:
    # Rows 0 and 1 are the box, row 2 is 2 x0 ≤ 1, and row 3 what comes after.
    constraints = ([[2]], [F(1)])
    check(lambda x: 1 - 2 * x[0], [UNIT], constraints, [["so", "2*1 3*1"]])
    rejected(lambda x: 1 - 2 * x[0], 1, [["so", "1*2 3*1"]], constraints)
    tree = [["max", "1/2", "1 x0 + 0"], ["so"], ["no", "2*1 3*2"]]
    check(lambda x: np.minimum(x[0], 0.5) - x[0], [UNIT], constraints, tree)
    rejected(lambda x: np.minimum(x[0], 0.5) - x[0], 1, tree)


@pytest.mark.parametrize("form", ["2 x0 + -2 x1 + 0", "1/3 x0 + -1/3 x1 + 0", "1 x0 + -1 x1 + 0"])
def test_a_comparison_may_be_stated_up_to_a_positive_factor(form: str) -> None:
    zero_second = [["max", form, "0"], ["so"], ["so", "4*1 5*1"]]
    factor = F(form.split()[0])
    zero_second[2] = ["so", f"4*{factor.denominator} 5*{factor.numerator}"]
    check(larger, [UNIT] * 2, None, zero_second)


def test_more_cases_than_needed_do_no_harm() -> None:
    tree = [["max", "1 x0 + 0", "-1"], LARGER[0], ["so"], ["so", "5*1 6*1"], ["no", "0*1 4*1"]]
    check(larger, [UNIT] * 2, None, tree)
    rejected(larger, 2, [["max", "1 x0 + 0", "1"], *tree[1:]])


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ([], "ends before 1"),
        ([["so"]], "zip|shorter|leaves|open"),
        ([["max"]], "no node"),
        ([["no"]], "no node"),
        ([["no", ""]], "no contradiction"),
        ([["no", "0*1 2*1"]], "no contradiction"),
        ([["no", "9*1"]], "one of 4 rows"),
        ([["no", "-1*1"]], "one of 4 rows"),
        ([["no", "0*0"]], "positive multiple"),
        ([["no", "0*1/2"]], "invalid literal"),
        ([["perhaps"]], "no node"),
        (["so"], "no node"),
        (["max", "1 x0 + 0"], "no node"),
        ([3], "no node"),
        ("so", "no node"),
        (None, "NoneType"),
        ([["max", "1 x0 + 0", 3], ["so"], ["so"]], "int"),
        ([["max", "1 x0", "1 x1 + 0"], ["so"], ["so"]], "Fraction|zip"),
        ([LARGER[0], ["so"], ["so"]], "zip|shorter"),
        ([LARGER[0], ["so"], ["so", "4*1 5*1", "4*1 5*1"]], "zip|longer"),
        ([LARGER[0], ["so"], ["so", "4*1 5*2"]], "no contradiction"),
        ([LARGER[0], ["so"], ["so", "4*1 5*-1"]], "positive multiple"),
        ([LARGER[0], ["so", "4*1 5*1"], ["so"]], "zip|longer"),
        ([LARGER[0], ["no", "4*1 5*1"], ["so", "4*1 5*1"]], "one of 5 rows"),
        ([*LARGER, ["so"]], "after the end"),
        (LARGER[:2], "ends before 1"),
        ([["max", "1 x0 + 0"], ["so"]], "zip|leaves|open"),
        ([["max", "1 x0 + 0", "1 x1 + 1/9"], ["so"], ["so", "4*1 5*1"]], "leaves"),
        ([["max", "1 x1 + 0", "1 x0 + 0"], ["so", "4*1 5*1"], ["so"]], "leaves|no contra|zip"),
    ],
)
def test_what_proves_nothing_is_rejected(tree: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(rejected(larger, 2, tree))


def changed_sums(tree: Tree) -> Iterator[Tree]:
    """One multiplier more, one less, a negative one, one left out, or that of another row."""
    for place, node in enumerate(tree):
        if node[0] == "max":
            continue
        for position, text in enumerate(node[1:], start=1):
            parts = text.split()
            assert len(parts) > 1
            for i, part in enumerate(parts):
                row, weight = map(int, part.split("*"))
                for new in (f"{row}*{weight + 1}", f"{row}*{weight - 1}", f"{row}*-{weight}", ""):
                    words = [*parts[:i], new, *parts[i + 1 :]]
                    changed = [*node[:position], " ".join(words), *node[position + 1 :]]
                    yield [*tree[:place], changed, *tree[place + 1 :]]


@pytest.mark.parametrize(("program", "unknowns"), CASES)
def test_a_changed_multiplier_is_rejected(program: Program, unknowns: int) -> None:
    changed = list(changed_sums(tree_of(program, unknowns)))
    assert changed
    for tree in changed:
        rejected(program, unknowns, tree)


@pytest.mark.parametrize(("program", "unknowns"), CASES)
def test_a_dropped_doubled_or_cut_branch_is_rejected(program: Program, unknowns: int) -> None:
    tree = tree_of(program, unknowns)
    for place in range(len(tree)):
        rejected(program, unknowns, tree[:place])
        rejected(program, unknowns, tree[:place] + tree[place + 1 :])
        rejected(program, unknowns, tree[: place + 1] + tree[place:])


@pytest.mark.parametrize(("program", "unknowns"), CASES)
def test_exchanged_branches_are_rejected(program: Program, unknowns: int) -> None:
    tree = tree_of(program, unknowns)
    exchanged = 0
    for place, (node, following) in enumerate(pairwise(tree)):
        if node[0] != following[0]:
            exchanged += 1
            rejected(program, unknowns, [*tree[:place], following, node, *tree[place + 2 :]])
    assert exchanged


@pytest.mark.parametrize(("program", "unknowns"), CASES[:3])
def test_a_case_that_the_program_does_not_ask_for_is_rejected(
    program: Program, unknowns: int
) -> None:
    tree = tree_of(program, unknowns)
    for place, node in enumerate(tree):
        if node[0] == "max":
            *forms, last = node[1:]
            *rest, constant = last.split(" + ")
            moved = " + ".join([*rest, str(F(constant) + F(1, 7))])
            turned = ["max", *reversed(node[1:])]
            for wrong in (["max", *forms, moved], turned, ["max", *forms, forms[0]]):
                rejected(program, unknowns, [*tree[:place], wrong, *tree[place + 1 :]])


def test_a_proof_of_one_program_is_no_proof_of_another() -> None:
    tree = tree_of(truthful(second_price), 3)
    rejected(truthful(first_price), 3, tree)
    rejected(truthful(with_reserve), 3, tree)
    rejected(lambda x: -truthful(second_price)(x), 3, tree)
    rejected(lambda x: truthful(second_price)(x) - F(1, 10**9), 3, tree)
    rejected(lambda x: truthful(second_price)(x[::-1]), 3, tree)
    rejected(lambda x: truthful(second_price)(x) >= 0, 3, tree)
    rejected(lambda x: [][1], 3, tree)


def test_a_proof_holds_for_its_box_and_its_constraints_only() -> None:
    def program(x: Any) -> Any:
        return x[0] - x[1]

    box, constraints = [UNIT] * 2, ([[-1, 1]], [F(0)])
    proof = explore(program, box, constraints)
    assert isinstance(proof, Proof)
    check(program, box, constraints, proof.tree)
    for other in (None, ([[-1, 1]], [F(1, 100)]), ([[1, -1]], [F(0)]), ([[-1, 2]], [F(0)])):
        rejected(program, 2, proof.tree, other)
    low = explore(lambda x: x[0] - F(1, 2), [(F(1, 2), F(1))])
    assert isinstance(low, Proof)
    rejected(lambda x: x[0] - F(1, 2), 1, low.tree)


def test_nothing_follows_from_constraints_that_do_not_contradict_one_another() -> None:
    vacuous = explore(lambda x: -x - 1, [UNIT], ([[1]], [F(-1)]))
    assert isinstance(vacuous, Proof)
    assert vacuous.vacuous
    check(lambda x: -x - 1, [UNIT], ([[1]], [F(-1)]), vacuous.tree)
    rejected(lambda x: -x - 1, 1, vacuous.tree, ([[1]], [F(0)]))


@st.composite
def edited(draw: st.DrawFn) -> Tree:
    """A true proof, cut up and put together again."""
    tree = [list(node) for node in TRUE_TREE]
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(tree) - 1))
        match draw(st.sampled_from(["copy", "drop", "so", "no", "swap", "word"])):
            case "copy":
                tree.insert(place, draw(st.sampled_from(tree)))
            case "drop" if len(tree) > 1:
                del tree[place]
            case "so" | "no" as end:
                tree[place] = [end, *tree[place][1:]]
            case "swap":
                other = draw(st.integers(0, len(tree) - 1))
                tree[place], tree[other] = tree[other], tree[place]
            case "word" if len(tree[place]) > 1:
                tree[place][-1] = draw(st.sampled_from(tree))[-1]
    return tree


TRUE_TREE = tree_of(truthful(second_price), 3)


@given(edited())
def test_no_edited_proof_makes_a_false_claim_true(tree: Tree) -> None:
    rejected(truthful(first_price), 3, tree)
    rejected(lambda x: truthful(second_price)(x) - F(1, 4), 3, tree)


def test_json_that_is_no_list_is_rejected() -> None:
    for text in ("", "[", "{}", "3", "[" * 100_000):
        with pytest.raises(Rejected, match="the tree is"):
            from_json(text)


def test_the_checker_shares_no_code_with_the_search_and_uses_no_solver() -> None:
    parsed = ast.parse(Path(checker.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(parsed) if isinstance(node, ast.Import)]
    reached = {alias.name for node in imports for alias in node.names}
    reached |= {str(node.module) for node in ast.walk(parsed) if isinstance(node, ast.ImportFrom)}
    ours = {"proofs.algebra", "proofs.arrays", "proofs.concrete", "proofs.errors", "proofs.terms"}
    others = {"__future__", "collections.abc", "fractions", "json", "numpy", "typing"}
    assert reached <= ours | others
