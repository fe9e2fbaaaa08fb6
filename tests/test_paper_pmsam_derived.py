"""The game of trained models by backward induction in symbols, beside what its paper prints."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from mechkit.papers.pmsam import game
from proofs.games import Status, check_claim, derive, numerical_equilibrium


def named(made):
    """Every symbol of a game by its name."""
    decided = [d.symbol for player in made.players for d in player.decisions]
    return {s.name: s for s in (*decided, *(p.symbol for p in made.parameters))}


def chosen(found, values):
    """The decision of the branch that holds at these numbers."""
    for branch in found.branches:
        if branch.when.subs(values) == sp.true:
            (formula,) = branch.decisions.values()
            return float(formula.subs(values))
    raise AssertionError(f"no branch holds at {values}")


def test_users_train_as_much_as_the_corrected_eq_22_says():
    made = game.user_game(fairness=Fraction(1, 2))
    found = derive(made)
    assert found.status is Status.CHECKED
    s = named(made)
    rng = np.random.default_rng(0)
    for _ in range(40):
        delta, cost, most = (Fraction(int(n), 8) for n in rng.integers(1, 30, 3))
        values = {s["delta"]: delta, s["C"]: cost, s["K"]: most}
        own = game.training(np.array(float(delta)), np.array(float(cost)), 0.5, float(most))
        assert chosen(found, values) == pytest.approx(float(own))


def test_for_every_fairness():
    made = game.user_game()
    found = derive(made)
    assert found.status is Status.CHECKED
    s = named(made)
    inside = next(b for b in found.branches if b.name == "interior")
    right = (s["delta"] / s["C"]) ** (1 / s["sigma"])
    assert sp.simplify(inside.decisions[s["x"]] / right) == 1
    assert any("concave" in fact.statement and fact.holds for fact in found.facts)


def test_eq_22_is_refuted():
    made = game.user_game()
    s = named(made)
    report = check_claim(made, {s["x"]: -((s["C"] / s["delta"]) ** (1 / s["sigma"]))}, seconds=1)
    assert report.refuted
    (feasible,) = (fact for fact in report.facts if "is feasible" in fact.statement)
    assert feasible.holds is False


@pytest.mark.parametrize("rooted", [True, False])
def test_eq_29_is_refuted_and_solves_the_game_of_a_prize_of_1(rooted):
    made = game.provider_game()
    s = named(made)
    inside = (s["Delta"] ** 2 + s["Delta"]) / (s["A"] + 1)
    printed = (sp.sqrt(inside) if rooted else inside) - s["Delta"]
    report = check_claim(made, {s["q"]: printed})
    assert report.refuted
    q, prize = s["q"], (1 - s["q"]) * s["q"] / (s["q"] + s["Delta"]) - s["A"] * s["q"]
    near = next(n for n in report.nearby if sp.simplify(n.formulas[-1] - prize) == 0)
    assert near.maximum
    if not rooted:
        assert sp.simplify(near.formulas[0] - (sp.sqrt(inside) - s["Delta"])) == 0
    assert q in near.formulas[-1].free_symbols


def test_the_game_of_a_prize_of_1_is_solved_by_eq_29s_root():
    made = game.provider_game(pays_when_it_wins=True)
    found = derive(made)
    assert found.status is Status.CHECKED
    s = named(made)
    rng = np.random.default_rng(1)
    for rivals, charge in rng.integers(1, 40, (60, 2)):
        values = {s["Delta"]: Fraction(int(rivals), 16), s["A"]: Fraction(int(charge), 16)}
        delta, a = rivals / 16, charge / 16
        right = max(np.sqrt((delta**2 + delta) / (1 + a)) - delta, 0)
        assert chosen(found, values) == pytest.approx(right, abs=1e-12)


def test_a_provider_is_at_a_corner():
    """Derivation finds no concave utility; search finds nothing or everything."""
    made = game.provider_game()
    assert derive(made, draws=20).status is Status.NUMERICAL
    s = named(made)
    rng = np.random.default_rng(2)
    corners = set()
    for n in rng.integers(1, 24, (12, 3)):
        rivals, charge, budget = (Fraction(int(x), 8) for x in n)
        gain = budget / (budget + rivals) - charge
        if gain == 0:
            continue
        values = {s["Delta"]: rivals, s["A"]: charge, s["B"]: budget}
        found = numerical_equilibrium(made, values)
        assert found.holds
        assert found.decisions[s["q"]] == pytest.approx(float(budget) if gain > 0 else 0, abs=1e-9)
        corners.add(gain > 0)
    assert corners == {True, False}


@pytest.mark.parametrize(
    ("quality", "freshness", "count"),
    [("1/4", "1/4", 2), ("1/4", "3/8", 2), ("1/16", "15/16", 1), ("2", "3", 1)],
)
def test_search_finds_the_equilibria_of_two_rivals(quality, freshness, count):
    """The same as enumeration of vertices: two, one (both share the cheap one), or no bids."""
    made = game.rivals_game()
    s = named(made)
    charge = [Fraction(quality), Fraction(freshness)]
    values = {s["A_q"]: charge[0], s["A_f"]: charge[1], s["B"]: Fraction(1)}
    found = numerical_equilibrium(made, values, starts=10)
    assert found.holds
    points = {
        tuple(tuple(round(p[s[f"{n}{j}"]], 6) + 0.0 for n in "qf") for j in (1, 2))
        for p in (found.decisions, *found.others)
    }
    every = game.equilibria(charge, [Fraction(1)] * 2)
    assert points == {tuple(tuple(map(float, row)) for row in profile) for profile in every}
    assert len(points) == count
