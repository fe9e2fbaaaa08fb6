"""Corners, integers, ties and indifference, each against a value worked out by hand."""

from dataclasses import replace

import pytest
import sympy as sp

from proofs.games import Decision, Game, Parameter, Player, Status
from tests.games import a, c, cournot, decisions_at, derive, k, p, q1, q2, same, w, x, y


def fact(found, words):
    (one,) = (fact for fact in found.facts if words in fact.statement)
    return one


POSITIVE_K = (Parameter(k, low=0),)


def alone(utility, *decisions, parameters=POSITIVE_K, constraints=()):
    player = Player("one", utility, decisions, constraints)
    return Game(name="alone", stages=((player,),), parameters=parameters)


def test_a_budget_is_spent_on_one_good_or_on_both():
    """log(1+x) + w log(1+y) on x + y ≤ k: 1/(1+x) = w/(1+y) inside."""
    game = alone(
        sp.log(1 + x) + w * sp.log(1 + y),
        Decision(x, low=0),
        Decision(y, low=0),
        parameters=(Parameter(k, low=0), Parameter(w, low=0)),
        constraints=(x + y <= k,),
    )
    found = derive(game)
    assert decisions_at(found, {k: 2, w: 3}) == {x: 0, y: 2}
    assert decisions_at(found, {k: 4, w: 2}) == {x: 1, y: 3}
    assert decisions_at(found, {k: 2, w: sp.Rational(1, 4)}) == {x: 2, y: 0}


@pytest.mark.parametrize(("demand", "best"), [(10, 4), (11, 4), ("11.1", 5), (2, 0), ("3.1", 1)])
def test_an_integer_monopolist(demand, best):
    """(a - 2 - q) q: the best integer by trying all."""
    demand = sp.Rational(demand)
    game = Game(
        name="integers",
        stages=((Player("one", (a - c - x) * x, (Decision(x, low=0, integer=True),)),),),
        parameters=(Parameter(a, low=0), Parameter(c, low=0)),
        assumptions=(a >= c,),
    )
    found = derive(game)
    at = {a: demand, c: 2}
    values = {q: (demand - 2 - q) * q for q in range(20)}
    chosen = decisions_at(found, at)[x]
    assert values[chosen] == max(values.values()) == values[best]


def test_an_integer_follower_leaves_the_leader_to_numbers():
    game = cournot("integer follower", (q1,), (q2,))
    follower = replace(game.stages[1][0], decisions=(Decision(q2, low=0, integer=True),))
    found = derive(replace(game, stages=(game.stages[0], (follower,))))
    assert found.status is Status.NUMERICAL
    assert "no conjunction" in found.reason
    assert len(found.replies) == 1


def test_an_integer_with_a_fractional_bound_is_refused():
    found = derive(alone(k * x - x**2, Decision(x, low=0, high=sp.Rational(5, 2), integer=True)))
    assert found.status is Status.NUMERICAL
    assert "is no integer" in found.reason


def test_an_indifferent_follower_gives_both_commitments():
    """The leader gets -(p-y)² + k p; y = p if the follower helps, and p = 1; else y far away."""
    game = Game(
        name="indifferent",
        stages=(
            (Player("leader", -((p - y) ** 2) + k * p, (Decision(p, low=0, high=1),)),),
            (Player("follower", p**2, (Decision(y, low=0, high=1),)),),
        ),
        parameters=(Parameter(k, low=0, high=1),),
    )
    found = derive(game)
    assert fact(found, "does not depend on y").holds
    assert "leader gets k" in fact(found, "optimistic").statement
    # Against it, y is as far from p as can be: -max(p, 1-p)² + k p is largest at 1/2.
    assert "leader gets k/2 - 1/4" in fact(found, "pessimistic").statement
    assert found.utilities["follower"] == 1
    assert found.game is game


def test_a_follower_who_matters_to_nobody_may_do_anything():
    game = Game(
        name="unimportant",
        stages=(
            (Player("leader", k * p - p**2, (Decision(p, low=0),)),),
            (Player("follower", p, (Decision(y, low=2, high=3),)),),
        ),
        parameters=(Parameter(k, low=0),),
    )
    found = derive(game)
    assert found.branches[0].decisions == {p: k / 2, y: 2}
    assert fact(found, "does not depend on y").holds


def test_a_tie_at_the_leader_s_optimum_is_told():
    """The follower buys y ≤ 1 at a price up to k; at k it is indifferent, and buys."""
    game = Game(
        name="tie",
        stages=(
            (Player("leader", p * y - p**2 / 4, (Decision(p, low=0, high=4),)),),
            (Player("follower", (k - p) * y, (Decision(y, low=0, high=1),)),),
        ),
        parameters=(Parameter(k, low=0, high=2),),
    )
    found = derive(game)
    (branch,) = found.branches
    assert branch.decisions == {p: k, y: 1}
    told = fact(found, "optimistic commitment")
    assert "without attaining it" in told.statement


def test_replies_without_a_jump_are_told_of_none():
    """x = max(u - p, 0) and y = max(v - p, 0) have none, though where u = v three regimes meet."""
    u, v = sp.symbols("u v", positive=True)
    parameters = (Parameter(u, low=0, high=10), Parameter(v, low=0, high=10))
    leader = Player("leader", p * x - y, (Decision(p, low=0, high=10),))
    followers = (
        Player("one", (u - p) * x - x**2 / 2, (Decision(x, low=0),)),
        Player("two", (v - p) * y - y**2 / 2, (Decision(y, low=0),)),
    )
    found = derive(Game(((leader,), followers), parameters, name="no jump"), draws=20)
    assert found.status is Status.CHECKED
    assert any(branch.decisions[p] == v for branch in found.branches)
    assert not any("indifferent" in told.statement for told in found.facts)


def test_a_follower_without_a_best_reply_leaves_no_equilibrium():
    game = Game(
        name="no reply",
        stages=(
            (Player("leader", p * y - p**2, (Decision(p, low=0, high=4),)),),
            (Player("follower", (k - p) * y, (Decision(y, low=0),)),),
        ),
        parameters=(Parameter(k, low=0, high=2),),
    )
    found = derive(game)
    assert found.status is Status.NONE
    assert "no best reply" in found.reason


def test_a_bounded_feasible_set_is_not_called_unbounded():
    """x + y grows with x, but x + y ≤ k; and x ≤ y with y ≤ k."""
    for constraints in ((x + y <= k,), (x <= y, y <= k)):
        found = derive(
            alone(x + 2 * y, Decision(x, low=0), Decision(y, low=0), constraints=constraints)
        )
        assert found.status is not Status.NONE


def test_conditions_are_stated_where_a_parameter_has_no_assumption():
    free = sp.Symbol("free")
    found = derive(alone(free * x - x**2, Decision(x, low=0), parameters=(Parameter(free),)))
    assert {(b.when, b.decisions[x]) for b in found.branches} == {
        (free >= 0, free / 2),
        (free <= 0, 0),
    }


def test_uniqueness_is_proved_or_left_open():
    pair = derive(cournot("pair", (q1, q2)))
    assert fact(pair, "is unique").holds
    assert "Rosen" in fact(pair, "is unique").how or "Gabay" in fact(pair, "is unique").how
    # Strong complements: slopes rise more in the other's decision than they fall in the own one.
    both = tuple(
        Player(f"player {s}", k * s - s**2 + 3 * s * t, (Decision(s, low=0, high=1),))
        for s, t in ((x, y), (y, x))
    )
    open_ = derive(Game(name="complements", stages=(both,), parameters=(Parameter(k, low=0),)))
    assert fact(open_, "is unique").holds is None


def test_a_price_war_at_cost_is_found_from_linear_utilities():
    """A leader sells capacity y ≤ 1 at a linear price; the follower takes all or nothing."""
    game = Game(
        name="linear",
        stages=(
            (Player("seller", (p - c) * y, (Decision(p, low=0, high=10),)),),
            (Player("buyer", (w - p) * y, (Decision(y, low=0, high=1),)),),
        ),
        parameters=(Parameter(w, low=0, high=10), Parameter(c, low=0, high=10)),
        assumptions=(w > c,),
    )
    found = derive(game)
    assert decisions_at(found, {w: 5, c: 2}) == {p: 5, y: 1}
    assert same(found.utilities["seller"], w - c)


def test_parameters_of_the_same_name_are_refused():
    other = sp.Symbol("a", integer=True)
    game = Game(
        name="twins",
        stages=((Player("one", (a - other) * x - x**2, (Decision(x, low=0),)),),),
        parameters=(Parameter(a, low=0), Parameter(other, low=1, integer=True)),
    )
    with pytest.raises(ValueError, match="two symbols named 'a'"):
        derive(game)


def test_a_utility_that_is_not_smooth_is_left_to_numbers():
    """|x - k| has second derivative 0 and is convex: derivatives alone would call it concave."""
    for utility in (sp.Abs(x - k), sp.Max(0, x - k), sp.Piecewise((0, x < k), (x - k, True))):
        found = derive(alone(utility, Decision(x, low=0, high=1)))
        assert found.status is Status.NUMERICAL
        assert "not smooth" in found.reason


def test_a_maximum_that_sympy_cannot_name_is_not_given_up_for_its_corners():
    """A root of a cubic with three real roots; and a concave utility with no solvable condition."""
    for utility in (k * x - 2 * x**2 + sp.sqrt(x + 1), k * sp.log(1 + x) - sp.exp(x) - x**3):
        found = derive(alone(utility, Decision(x, low=0)))
        assert found.status is Status.NUMERICAL
        assert found.reason
