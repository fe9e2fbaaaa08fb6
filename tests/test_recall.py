"""A rule that is remembered gives what it would give if it ran again, and only then."""

from __future__ import annotations

from fractions import Fraction as F
from itertools import count
from typing import Any

import numpy as np
import pytest

import mechkit as mk
from mechkit.catalogue import entry_of
from mechkit.properties import PROPERTIES
from mechkit.prove import Proved, piecewise, prove
from mechkit.prove.problem import problems
from proofs import Proof, check, explore
from proofs.affine import Paths
from proofs.algebra import Algebra
from proofs.recall import Memory
from tests.rules import highest, order, pay_second, second_price

UNIT = (F(0), F(1))


class Part:
    """A part that asks the questions of a tree, and counts its runs."""

    def __init__(self, memory: Memory, tree: Any) -> None:
        self.memory, self.tree, self.runs = memory, tree, 0

    def __call__(self) -> Any:
        self.runs += 1
        place = self.tree
        while isinstance(place, tuple):
            place = place[1][self.memory.ask((place[0], place[0]))]
        return place


TREE = ("a", {0: "end", 1: ("b", {0: ("a", {1: "left"}), 1: "right"})})


def test_a_part_runs_once_for_each_way_in_which_its_questions_are_answered() -> None:
    answers = {}
    part = Part(memory := Memory(lambda question: answers[question[1]]), TREE)
    expected = {(0, 0): "end", (0, 1): "end", (1, 0): "left", (1, 1): "right"}
    for _ in range(3):
        for (a, b), result in expected.items():
            answers |= {"a": a, "b": b}
            assert memory.recall("part", part) == result
    assert part.runs == 3


def test_parts_are_told_apart_and_inner_questions_belong_to_the_outer_part() -> None:
    answers = {"a": 0, "b": 0}
    memory = Memory(lambda question: answers[question[1]])
    inner = Part(memory, TREE)
    runs = count()

    def outer() -> Any:
        next(runs)
        return "outer", memory.recall("inner", inner)

    assert memory.recall("outer", outer) == ("outer", "end")
    answers["a"] = 1
    # The inner part comes from memory in neither run: its answers are others.
    assert memory.recall("outer", outer) == ("outer", "left")
    answers["a"] = 0
    assert memory.recall("outer", outer) == ("outer", "end")
    assert (next(runs), inner.runs) == (2, 2)


def test_what_asks_something_else_when_run_again_is_not_kept() -> None:
    answers = {"a": 0, "b": 1, "c": 0}
    memory = Memory(lambda question: answers[question[1]])
    assert memory.recall("part", Part(memory, ("a", {0: "first"}))) == "first"
    answers["a"] = 1
    assert memory.recall("part", other := Part(memory, ("b", {1: "second"}))) == "second"
    assert memory.recall("part", other) == "second"
    assert other.runs == 2


def test_an_error_is_no_result() -> None:
    memory = Memory(lambda question: 0)
    with pytest.raises(KeyError):
        memory.recall("part", lambda: {}["missing"])
    assert memory.recall("part", lambda: "result") == "result"


# In the search ------------------------------------------------------------------------------------

CELLS = [
    ("second-price-reserve", "ic"),
    ("second-price-reserve", "non_bossy"),
    ("uniform-price", "group_ic"),
    ("mcafee", "strong_budget_balance"),
    ("clarke-project", "ic"),
    ("vcg-assignment", "ir"),
    ("random-reserve", "ic"),
    ("random-sampling", "ir"),
    ("double-or-nothing-drawn", "monotone"),
    ("posted-price", "false_name_proof"),
    ("position-vcg-reserve", "critical_payment"),
    ("second-price", "cyclic_monotone"),
]


@pytest.mark.parametrize(("key", "name"), CELLS)
def test_the_trees_are_those_of_a_search_without_memory(
    key: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Margins and questions are the same to the letter, lotteries and late questions included."""
    mechanism = entry_of(key).make()
    problem = problems(mechanism, PROPERTIES[name])[-1]
    box = next(iter(problem.boxes(64)))
    found = explore(problem.margins, box, leaves=150)
    with monkeypatch.context() as patch:
        patch.setattr(Paths, "recall", Algebra.recall)
        expected = explore(problem.margins, box, leaves=150)
    assert found == expected


def test_a_late_number_is_worked_out_again_on_another_path() -> None:
    """The rule asks nothing itself: who is second is asked by whoever needs the price."""
    runs = count()

    def program(x: Any) -> Any:
        def rule() -> Any:
            next(runs)
            return np.sort(x[:3])[1]

        return x.algebra.recall((x[:3],), rule) - np.sort(x[:3])[0]

    proof = explore(program, [UNIT] * 3)
    assert isinstance(proof, Proof)
    assert proof.leaves >= 3
    check(program, [UNIT] * 3, None, proof.tree)
    # Once in the search, and once at each leaf that was checked.
    assert next(runs) == 1 + proof.leaves


# Rules that are not what the search takes them for ------------------------------------------------


def of_three(pay: Any) -> mk.Mechanism:
    return mk.Mechanism(mk.single_item(3), highest, pay)


def in_rationals(mechanism: mk.Mechanism) -> Any:
    return piecewise.prove(mechanism, PROPERTIES["ic"], seconds=60.0)


def test_the_checker_runs_the_rule_itself() -> None:
    """A rule that is second price to all but the checker: a first price there."""

    def pay(bids: Any, allocation: Any) -> Any:
        checked = type(getattr(bids, "algebra", None)).__name__ == "_Branch"
        return allocation * bids if checked else pay_second(bids, allocation)

    attempt = in_rationals(of_three(pay))
    assert not isinstance(attempt, Proved) or "case splits" not in attempt.method
    assert "case splits" in in_rationals(second_price()).method


@pytest.mark.parametrize("calls", [20, 60, 100])
def test_a_rule_that_changes_after_some_calls_is_not_proved(calls: int) -> None:
    """Second price so many times, then a first price: the search may not see it, others do."""
    made = count()

    def pay(bids: Any, allocation: Any) -> Any:
        late = isinstance(bids, np.ndarray) or next(made) < calls
        return pay_second(bids, allocation) if late else allocation * bids

    assert not isinstance(in_rationals(of_three(pay)), Proved)


def test_proofs_play_one_profile_at_a_time() -> None:
    """So no proof rests on what a rule does with the other rows of a batch."""
    rows = set()

    def pay(bids: Any, allocation: Any) -> Any:
        if not isinstance(bids, np.ndarray):
            rows.add(bids.shape[0])
        return pay_second(bids, allocation)

    assert isinstance(in_rationals(of_three(pay)), Proved)
    assert rows == {1}


def by_size(bids: Any) -> Any:
    """Free in batches of two or more."""
    return bids.shape[0] > 1


def by_size_two(bids: Any) -> Any:
    """Free in batches of two, which nothing but a proof would play."""
    return bids.shape[0] == 2


def by_the_other_row(bids: Any) -> Any:
    """Free for all rows but the first."""
    return np.arange(bids.shape[0])[:, None] > 0


def by_a_tie_with_the_other_row(bids: Any) -> Any:
    """Free where the row before has the same first bid, as a profile and a deviation have."""
    return (bids[:, :1] == np.roll(bids[:, :1], 1, axis=0)) & (bids.shape[0] > 1)


@pytest.mark.parametrize(
    "free", [by_size, by_size_two, by_the_other_row, by_a_tie_with_the_other_row]
)
def test_what_a_rule_does_to_the_rows_of_a_batch_proves_nothing_of_a_profile(free: Any) -> None:
    """Alone a first price; in some batch nothing is paid, and nobody would gain by a lie."""

    def pay(bids: Any, allocation: Any) -> Any:
        return allocation * np.where(free(bids), 0, bids)

    assert not isinstance(prove(of_three(pay), PROPERTIES["ic"], seconds=60.0), Proved)
    assert not isinstance(in_rationals(of_three(pay)), Proved)


@pytest.mark.parametrize("free", [by_size, by_the_other_row, by_a_tie_with_the_other_row])
def test_a_rule_that_is_right_alone_and_wrong_in_a_batch_is_noticed(free: Any) -> None:
    def pay(bids: Any, allocation: Any) -> Any:
        charge = np.where(free(bids), 0, order(bids, 2))
        return allocation * charge

    attempt = prove(of_three(pay), PROPERTIES["ic"], seconds=60.0)
    assert not isinstance(attempt, Proved)
    assert "in a batch" in attempt.reason
