"""Deviations that a search has to see: across ridges, to other peaks, far away; and whose replies
are found by Newton's method and kept only where search confirms them."""

import numpy as np
import pytest
import sympy as sp

from proofs.games import (
    Branch,
    Decision,
    Equilibrium,
    Family,
    Game,
    Parameter,
    Player,
    Status,
    check,
    numerical_equilibrium,
)
from proofs.games.deviations import deviation
from proofs.games.formulas import Unaligned
from proofs.games.lowered import lowered, placed
from proofs.games.numeric import respond
from proofs.games.stationary import marginal, stationary
from tests.games import a, b, c, cournot, q1, q2, q3

u, v, y = sp.symbols("u v y", real=True)
i, j = sp.symbols("i j", integer=True)
x, w = sp.IndexedBase("x"), sp.IndexedBase("w")


def alone(utility, *decisions, constraints=()):
    return Game(stages=((Player("player", utility, decisions, constraints),),), name="alone")


def claimed(game, **decisions):
    values = {sp.Symbol(name, real=True): sp.sympify(x) for name, x in decisions.items()}
    branch = Branch("claimed", sp.true, values)
    return Equilibrium(game, Status.CHECKED, (branch,), (), {}, (), (), None)


# Several decisions at once

SQUARE = (Decision(u, low=0, high=1), Decision(v, low=0, high=1))
FIFTH = sp.Rational(1, 5)


def peak(at):
    return sp.exp(-50 * ((u - at) ** 2 + (v - at) ** 2))


@pytest.mark.parametrize(
    ("utility", "wrong", "right"),
    [
        # No line along a coordinate leaves the ridge u = v upwards.
        (u + v - 10 * sp.Abs(u - v), sp.Rational(3, 10), 1),
        # Lines along the coordinates pass the higher peak by.
        (peak(FIFTH) + 2 * peak(4 * FIFTH), None, None),
        (-sp.Max(10 * sp.Abs(u - v), sp.Abs(u + v - 1)), sp.Rational(1, 4), sp.Rational(1, 2)),
    ],
)
def test_better_decisions_across_all_lines_are_found(utility, wrong, right):
    game = alone(utility, *SQUARE)
    if wrong is None:
        found = check(game, claimed(game, u=FIFTH, v=FIFTH), draws=1)
        assert found.gain == pytest.approx(0.5, rel=1e-6)
        better = found.failures[0].better
        assert [better[u], better[v]] == pytest.approx([0.8, 0.8], rel=1e-6)
        return
    assert not check(game, claimed(game, u=wrong, v=wrong), draws=1).holds
    assert check(game, claimed(game, u=right, v=right), draws=1).holds
    found = numerical_equilibrium(game, {})
    assert found.holds
    assert not found.others
    assert [found.decisions[u], found.decisions[v]] == pytest.approx([right, right], rel=1e-6)


def test_the_top_of_a_curved_constraint_is_found_to_its_digits():
    """max log u + v on u² + v² ≤ 4: v = u², and so u⁴ + u² = 4."""
    game = alone(sp.log(u) + v, Decision(u, low=0), Decision(v), constraints=(u**2 + v**2 <= 4,))
    found = numerical_equilibrium(game, {}, starts=1)
    square = (np.sqrt(17) - 1) / 2
    assert found.holds
    assert found.decisions[u] == pytest.approx(np.sqrt(square), rel=1e-9)
    assert found.decisions[v] == pytest.approx(square, rel=1e-9)


# Far away


@pytest.mark.parametrize(
    ("utility", "words"),
    [
        (sp.log(1 + u), "no upper bound: it tends to ∞ as u grows"),
        (1 - 1 / (1 + u), "towards 1.00000 as u grows"),
    ],
)
def test_what_rises_for_ever_is_told_by_its_limit(utility, words):
    found = numerical_equilibrium(alone(utility, Decision(u, low=0)), {}, starts=2)
    assert not found.holds
    assert words in found.reason


def test_a_maximum_far_away_is_not_called_unbounded():
    far = sp.Integer(10) ** 14
    utility = -((u / far - 1) ** 2)
    game = alone(utility, Decision(u, low=0))
    assert check(game, claimed(game, u=far), draws=1).holds
    near = check(game, claimed(game, u=far / 2), draws=1)
    assert near.gain == pytest.approx(0.25 / 1.25, rel=1e-6)
    assert numerical_equilibrium(game, {}).decisions[u] == pytest.approx(1e14, rel=1e-6)
    bounded = alone(u / far, Decision(u, low=0, high=far))
    assert numerical_equilibrium(bounded, {}).decisions[u] == 1e14


# Values that are infinite, or no numbers; warnings are errors


def members(utility, low, high, *, weights=False):
    family = Family("all", utility, (Decision(x[i], low=low, high=high),), index=i, size=3)
    return Game(stages=((family,),), parameters=(Parameter(w, low=0),) if weights else ())


def test_infinite_terms_of_a_sum_warn_of_nothing():
    total = sp.Sum(sp.exp(x[j]) - 1 / x[j], (j, 1, 3))
    found = numerical_equilibrium(members(total - x[i] ** 4, 0, 2), {}, starts=2)
    assert found.holds
    top = found.decisions[x[1]]
    assert np.exp(top) + top**-2 == pytest.approx(4 * top**3, rel=1e-9)


@pytest.mark.parametrize("utility", [sp.log(-u), sp.sqrt(u - 3)])
def test_a_utility_that_is_a_number_nowhere_is_no_equilibrium(utility):
    one = numerical_equilibrium(alone(utility, Decision(u, low=0, high=2)), {}, starts=1)
    two = alone(utility - (v - u) ** 2, Decision(u, low=0, high=2), Decision(v))
    assert not one.holds
    assert "not a finite number" in one.reason
    assert not numerical_equilibrium(two, {}, starts=1).holds


def test_functions_that_numpy_has_not():
    """∂/∂u: exp(-u²) 2/√π = 1/2; and log Γ has its minimum at 1.4616321449683623."""
    error = numerical_equilibrium(alone(sp.erf(u) - u / 2, Decision(u, low=0)), {}, starts=1)
    assert error.decisions[u] == pytest.approx(np.sqrt(np.log(4 / np.sqrt(np.pi))), rel=1e-9)
    gamma = numerical_equilibrium(alone(-sp.gamma(u), Decision(u, low=1, high=3)), {}, starts=1)
    assert gamma.decisions[u] == pytest.approx(1.4616321449683623, rel=1e-9)


# Replies by Newton's method


def oligopoly(leaders, followers):
    firsts = sp.symbols(f"q1:{leaders + 1}", real=True)
    price = a - b * (sum(firsts) + sp.Sum(x[j], (j, 1, followers)))
    first = tuple(Player(str(q), (price - c) * q, (Decision(q, low=0),)) for q in firsts)
    family = Family(
        "followers", (price - w[i]) * x[i], (Decision(x[i], low=0),), index=i, size=followers
    )
    parameters = tuple(Parameter(s, low=0) for s in (a, b, c, w))
    return Game(stages=(first, (family,)), parameters=parameters), firsts


def test_three_leaders_and_three_followers():
    """Leaders (a - c) / (b (m + 1)), followers the (n + 1)-th part of that (Sherali 1984)."""
    game, firsts = oligopoly(3, 3)
    found = numerical_equilibrium(game, {a: 10, b: 1, c: 2, **{w[k]: 2 for k in (1, 2, 3)}})
    assert found.holds
    assert [found.decisions[q] for q in firsts] == pytest.approx([2, 2, 2], rel=1e-9)
    assert found.decisions[x[2]] == pytest.approx(0.5, rel=1e-9)


def test_twenty_unequal_followers_of_whom_some_stay_out():
    """Given the leader, whoever is in makes (price - cost) / b; costs tell who is in."""
    costs = np.linspace(2, 9, 20)
    game, (first,) = oligopoly(1, 20)
    values = {a: 10, b: 2, c: 1, **{w[k + 1]: sp.Rational(cost) for k, cost in enumerate(costs)}}
    found = numerical_equilibrium(game, values, starts=1)
    assert found.holds
    rest = 10 - 2 * found.decisions[first]
    prices = [(rest + costs[:k].sum()) / (k + 1) for k in range(21)]
    inside = next(k for k in range(21) if k == 20 or prices[k] <= costs[k])
    expected = np.maximum(prices[inside] - costs, 0) / 2
    assert [found.decisions[x[k + 1]] for k in range(20)] == pytest.approx(
        list(expected), rel=1e-8, abs=1e-9
    )


def test_a_stationary_point_that_is_a_minimum_is_no_reply():
    """The follower's one stationary point is its worst decision; it goes to the far end."""
    follower = Player("follower", (v - u) ** 2, (Decision(v, low=0, high=1),))
    leader = Player(
        "leader", -((u - sp.Rational(1, 4)) ** 2) + v / 10, (Decision(u, low=0, high=1),)
    )
    game = Game(stages=((leader,), (follower,)))
    low = lowered(game)
    at = placed(low, [{}])
    at[u], at[v] = np.array([[[0.25]]]), np.array([[[0.5]]])
    assert stationary(low, 1)(at)[v].item() == pytest.approx(0.25)
    there, settled = respond(low, 1, at, [None, stationary(low, 1)])
    assert settled.all()
    assert there[v].item() == 1
    found = numerical_equilibrium(game, {}, starts=2)
    assert found.decisions[v] == 1
    assert found.decisions[u] == pytest.approx(0.25, rel=1e-8)


def test_replies_under_constraints():
    """min x² + y² with x + y ≥ s is (s / 2, s / 2), and 0 where s ≤ 0; with x + 2 y = s, s / 5."""
    p = sp.Symbol("p", real=True)
    choices = (Decision(u), Decision(v))
    leader = Player("leader", -(p**2), (Decision(p, low=-5, high=5),))
    for relation, expected in (
        (u + v >= p, lambda s: max(s, 0) * np.array([0.5, 0.5])),
        (sp.Eq(u + 2 * v, p), lambda s: s * np.array([0.2, 0.4])),
    ):
        follower = Player("follower", -(u**2) - v**2, choices, (relation,))
        low = lowered(Game(stages=((leader,), (follower,))))
        at = placed(low, [{}] * 4)
        at[p] = np.array([-2.0, 0.5, 1.0, 4.0])[:, None, None]
        found = stationary(low, 1)(at)
        for k, s in enumerate(at[p].ravel()):
            there = [found[u][k].item(), found[v][k].item()]
            assert there == pytest.approx(list(expected(s)), abs=1e-9)


def test_a_members_own_slope_in_a_sum():
    total = sp.Sum(w[j] * x[j] ** 3, (j, 1, 4))
    slope = marginal(total * sp.log(x[i]) + x[i], x[i], i)
    expected = 3 * w[i] * x[i] ** 2 * sp.log(x[i]) + total / x[i] + 1
    assert sp.simplify(slope - expected) == 0
    assert marginal(total, x[i], i) == 3 * w[i] * x[i] ** 2
    with pytest.raises(Unaligned):
        marginal(sp.Sum(x[j] * sp.Sum(x[j], (j, 1, 4)), (j, 1, 4)), x[i], i)


# The last word


def test_what_a_deviation_gains_is_what_theory_says():
    """A leader who leaves Cournot's quantity for Stackelberg's gains 1/8 - 1/9 of (a - c)² / b."""
    game = cournot("duopoly", (q1,), (q2,))
    low = lowered(game)
    at = placed(low, [{a: 10, b: 1, c: 1}])
    at[q1][:], at[q2][:] = 3.0, 3.0
    gain, better = deviation(low, 0, low.stages[0][0], at)
    assert gain == pytest.approx(81 * (1 / 8 - 1 / 9) / (1 + 9), rel=1e-6)
    assert better[q1] == pytest.approx(4.5, rel=1e-3)
    gain, _ = deviation(low, 1, low.stages[1][0], at)
    assert abs(gain) < 1e-12
    at[q2][:] = 2.0
    gain, better = deviation(low, 1, low.stages[1][0], at)
    assert gain == pytest.approx(1 / (1 + 8), rel=1e-9)
    assert better[q2] == pytest.approx(3, rel=1e-6)


def test_a_deviation_of_one_member():
    low = lowered(members(-((x[i] - w[i]) ** 2), 0, 1, weights=True))
    at = placed(low, [{w[k]: sp.Rational(k, 4) for k in (1, 2, 3)}])
    at[x][0, :, 0] = 1 / 4, 1 / 2, 3 / 4
    assert abs(deviation(low, 0, low.stages[0][0], at)[0]) < 1e-12
    at[x][0, :, 0] = 1 / 4, 1 / 2, 1 / 4
    gain, better = deviation(low, 0, low.stages[0][0], at)
    assert gain == pytest.approx((1 / 4) / (1 + 1 / 4), rel=1e-9)
    assert better == {x[3]: pytest.approx(3 / 4, rel=1e-6)}


def test_members_whose_number_counts_are_written_out():
    game = members(i * x[i] - x[i] ** 2, 0, 5)
    assert not lowered(game).whole
    found = numerical_equilibrium(game, {}, starts=1)
    assert [found.decisions[x[k]] for k in (1, 2, 3)] == pytest.approx([0.5, 1, 1.5], rel=1e-9)


def test_three_stages_are_checked_without_formulas_for_the_replies():
    """Half of what is left is the best quantity of each; errors of replies are no deviations."""
    game = cournot("three", (q1,), (q2,), (q3,))
    whole = (a - c) / b
    right = claimed(game, q1=whole / 2, q2=whole / 4, q3=whole / 8)
    verdict = check(game, right, draws=4)
    assert verdict.holds
    assert verdict.gain <= 1e-9
    first = whole / 2 * sp.Rational(1001, 1000)
    wrong = claimed(game, q1=first, q2=(whole - first) / 2, q3=(whole - first) / 4)
    found = check(game, wrong, draws=1)
    assert [failure.player for failure in found.failures] == ["firm q1"]
