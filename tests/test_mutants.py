"""Rules changed in one place by program: no proof of them is wrong, and wrong proofs would show.

Here a slice: SLICE, the first mutants of some entries. `make mutants` judges 10 of each of 21.
"""

import ast
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest

import mechkit as mk
import mechkit.prove.exhaustive as exhaustive
import mechkit.prove.piecewise as piecewise
from benchmarks.mutants import SOUND
from mechkit.catalogue import entry_of
from mechkit.properties import PROPERTIES
from mechkit.prove import Found, GaveUp, Proved
from mechkit.views import Deviation
from proofs import checker, paths
from proofs.affine import Paths
from tests import mutant_verdicts
from tests.mutant_verdicts import asked, cell, contradictions, same_as, tally, verdict
from tests.mutated import (
    Mutant,
    NoRuleError,
    axis_of,
    build,
    mutants,
    original,
    outcomes,
    played,
)
from tests.mutation import apply, mutations, source
from tests.rules import highest, pay_second

# The mutator ------------------------------------------------------------------------------------

PARTS = "mechkit.catalogue.parts"


def changed(mutation):
    tree = ast.parse(source(mutation.file))
    apply(tree, mutation)
    return ast.unparse(ast.fix_missing_locations(tree))


def test_every_mutation_changes_one_line_and_no_two_are_the_same():
    before = ast.unparse(ast.parse(source(PARTS))).splitlines()
    texts = [changed(m) for m in mutations(PARTS)]
    assert len(texts) == len(set(texts)) > 20
    for text in texts:
        compile(text, PARTS, "exec")
        after = text.splitlines()
        assert len(after) == len(before)
        assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


def test_the_changes_of_a_rule_are_those_that_one_would_make_by_hand():
    lines = source(PARTS).splitlines()
    (at,) = (k for k, line in enumerate(lines, 1) if "argsort(-reports" in line)
    found = [(m.kind, m.change) for m in mutations(PARTS) if m.line == at]
    assert sorted(found) == [("sign", "-reports → −-reports"), ("sign", "−reports → reports")]
    (at,) = (k for k, line in enumerate(lines, 1) if "k - 1 : k" in line)
    assert {m.change for m in mutations(PARTS) if m.line == at} == {
        "k → k + 1", "k → k − 1", "k - 1 → k - 1 + 1", "k - 1 → k - 1 − 1",
        "k - 1:k → both + 1", "k - 1:k → both − 1", "− → +", "1 → 2", "1 → 0",
    }  # fmt: skip


@pytest.mark.parametrize("key", SOUND)
def test_rules_compiled_again_without_a_change_are_the_rules(key):
    axis = axis_of(key)
    for (x, p), (y, q) in zip(
        outcomes(original(key), axis), outcomes(entry_of(key).make(), axis), strict=True
    ):
        np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(p, q)


def test_mutants_are_the_same_in_every_run_and_drawn_by_the_seed():
    names = [[str(m.mutation) for m in mutants("uniform-price", 4, seed=s)[0]] for s in (0, 0, 1)]
    assert names[0] == names[1] != names[2]
    assert all(len(set(of)) == 4 for of in names)


def test_what_is_no_rule_is_told_from_what_is_one():
    wide = next(m for m in mutations(PARTS) if m.change == "k → k + 1")
    with pytest.raises(NoRuleError, match="broadcast"):
        played(build("second-price", wide), axis_of("second-price"))

    def mixed(bids):
        return highest(bids) & (np.arange(bids.shape[0]) % 2 == 0)[:, None]

    rule = mk.Mechanism(mk.single_item(3), mixed, pay_second)
    with pytest.raises(NoRuleError, match="mixed"):
        played(rule, axis_of("second-price"))


# The slice --------------------------------------------------------------------------------------

# How many mutants of each, and how many at least are refuted: by brute force, if not by a prover,
# so that no time limit matters.
SLICE = {
    "second-price": (4, 3),
    "eager-reserves": (3, 2),
    "boosted-clarke": (2, 1),
    "bailey-cavallo": (2, 1),
    "position-vcg-reserve": (2, 1),
    "clarke-project": (3, 2),
    "second-price-levels": (3, 2),
    "trade-reduction": (2, 1),
    "second-price-items": (2, 1),
    "vcg-known-bundles": (3, 1),
}


@pytest.mark.parametrize("key", SLICE)
def test_the_judges_agree_on_mutants(key):
    count, least = SLICE[key]
    found = tally(key, count, seconds=1.0)
    assert not contradictions([found])
    assert len(found.verdicts) == count
    assert found.counts()["refuted"] >= least
    cells = [c for v in found.verdicts for c in v.cells]
    assert len(cells) == count * (len(asked(key)) + 1)
    # The provers themselves decide, both ways, and not brute force for them.
    boxes = [c.box for c in cells]
    assert boxes.count("proved") >= count
    assert boxes.count("found") >= count


def test_what_is_equal_is_equivalent_and_a_changed_reserve_still_holds():
    key = "second-price-reserve"
    lines = source("mechkit.catalogue.single_item").splitlines()
    (at,) = (k for k, line in enumerate(lines, 1) if "RESERVES = np.array" in line)
    (change,) = (
        m
        for m in mutations("mechkit.catalogue.single_item")
        if m.line == at and m.change == "0.3 → 0.15"
    )
    eager = build("eager-reserves", change)
    reserve = Mutant("eager-reserves", change, eager, True)
    assert verdict(reserve, seconds=20).verdict == "holding"
    itself = Mutant(key, change, original(key), False)
    assert verdict(itself, seconds=20).verdict == "equivalent"


# Would it show? ---------------------------------------------------------------------------------


def everything_is_proved(monkeypatch):
    monkeypatch.setattr(mutant_verdicts, "prove", lambda *a, **k: Proved("", "", ""))


def nothing_is_a_deviation(monkeypatch):
    monkeypatch.setattr(Deviation, "lied", property(lambda self: self.reports))


def the_last_agent_stands_for_all(monkeypatch):
    monkeypatch.setattr(piecewise, "problems", lambda *a, of=piecewise.problems: of(*a)[-1:])


def the_box_is_smaller(monkeypatch):
    def shrunk(*a, of=piecewise.problems):
        return [replace(p, highs=tuple(h * F(2, 5) for h in p.highs)) for p in of(*a)]

    monkeypatch.setattr(piecewise, "problems", shrunk)


def search_and_checker_accept_anything(monkeypatch):
    monkeypatch.setattr(paths, "explore", lambda *a, **k: paths.Proof([["so"]], 1))
    monkeypatch.setattr(checker, "check", lambda *a: None)


def solvers_are_asked_half_of_it(monkeypatch):
    def half(problem, draws, of=piecewise.question):
        unknowns, assumptions, claims = of(problem, draws)
        return unknowns, assumptions, claims[:1]

    monkeypatch.setattr(piecewise, "_by_paths", lambda *a: GaveUp("not asked"))
    monkeypatch.setattr(piecewise, "question", half)


def exhaustion_leaves_out_a_level(monkeypatch):
    monkeypatch.setattr(exhaustive, "grid", lambda *a, of=exhaustive.grid: of(*a)[:-1])


FAULTS = [
    (everything_is_proved, "second-price", "ic", "proved, and violated"),
    (nothing_is_a_deviation, "second-price", "ic", "proved, and violated"),
    (the_last_agent_stands_for_all, "second-price", "ic", "proved, and violated"),
    (the_box_is_smaller, "clarke-project", "ic", "proved, and violated"),
    (search_and_checker_accept_anything, "second-price", "ic", "proved, and violated"),
    (solvers_are_asked_half_of_it, "second-price", "feasible", "proved, and violated"),
    (exhaustion_leaves_out_a_level, "clarke-project", "ic", "clean by exhaustion"),
]


@pytest.mark.parametrize(("plant", "key", "name", "message"), FAULTS)
def test_a_fault_of_the_engine_shows_on_mutants(plant, key, name, message, monkeypatch):
    found, holds = mutants(key, 4)[0], entry_of(key).truth[name]
    assert not any(cell(m, PROPERTIES[name], holds, seconds=1.0).wrong for m in found)
    plant(monkeypatch)
    wrong = [cell(m, PROPERTIES[name], holds, seconds=1.0).wrong for m in found]
    assert any(message in text for text in wrong), wrong


def test_a_case_that_is_none_shows(monkeypatch):
    (mutant,), _ = mutants("second-price", 1)
    truth = PROPERTIES["weak_budget_balance"]
    good = cell(mutant, PROPERTIES["ic"], True, seconds=5.0)
    assert (good.box, good.wrong) == ("found", "")
    case = mutant_verdicts.prove(mutant.mechanism, PROPERTIES["ic"], seconds=5.0).case
    monkeypatch.setattr(mutant_verdicts, "prove", lambda *a, **k: Found(0, case))
    assert "a case was found whose margin" in cell(mutant, truth, True, seconds=1.0).wrong


def test_a_fault_of_the_search_alone_is_stopped_by_the_checker(monkeypatch):
    """Reports that meet a threshold are taken not to: all tied bidders win, which is infeasible."""
    tied = entry_of("all-tied-bidders-win").make()
    monkeypatch.setattr(Paths, "less_equal", Paths.less)
    (problem,) = piecewise.problems(tied, PROPERTIES["feasible"])
    answer = piecewise._by_paths(problem, 10.0)
    assert isinstance(answer, GaveUp)
    assert "the checker rejects" in answer.reason


def test_the_same_outcomes_are_proved_of_the_same_rule_and_of_no_other():
    same = same_as(original("second-price"))
    again, other = entry_of("second-price").make(), entry_of("first-price").make()
    assert isinstance(mutant_verdicts.prove(again, same, seconds=10), Proved)
    assert isinstance(mutant_verdicts.prove(other, same, seconds=10), Found)
