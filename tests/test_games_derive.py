"""Equilibria derived by backward induction, against the closed forms of textbooks."""

from dataclasses import replace

import pytest
import sympy as sp

from proofs.games import Decision, Game, Parameter, Player, Status
from tests.games import DEMAND, a, b, c, cournot, decisions_at, derive, k, p, q1, q2, q3, same, w, x


def only(found):
    (branch,) = found.branches
    assert branch.when == True  # noqa: E712
    return branch.decisions


def test_the_stackelberg_duopoly():
    found = derive(cournot("duopoly", (q1,), (q2,)))
    assert found.status is Status.CHECKED
    decisions = only(found)
    assert same(decisions[q1], (a - c) / (2 * b))
    assert same(decisions[q2], (a - c) / (4 * b))
    assert same(found.utilities["firm q1"], (a - c) ** 2 / (8 * b))
    assert same(found.utilities["firm q2"], (a - c) ** 2 / (16 * b))
    interior, corner = found.replies[1].branches
    assert same(interior.decisions[q2], (a - c - b * q1) / (2 * b))
    assert interior.when == (a >= b * q1 + c)
    assert corner.decisions[q2] == 0
    assert all(fact.holds for fact in found.facts if "strictly concave" in fact.statement)


def test_three_firms_in_sequence_halve_what_is_left():
    decisions = only(derive(cournot("sequence", (q1,), (q2,), (q3,))))
    for share, q in ((2, q1), (4, q2), (8, q3)):
        assert same(decisions[q], (a - c) / (share * b))


def test_two_leaders_and_one_follower():
    """Sherali (1984): m leaders produce (a-c)/b(m+1) each, n followers 1/(n+1) of that."""
    decisions = only(derive(cournot("two leaders", (q1, q2), (q3,))))
    assert same(decisions[q1], (a - c) / (3 * b))
    assert same(decisions[q2], (a - c) / (3 * b))
    assert same(decisions[q3], (a - c) / (6 * b))


def test_two_followers_at_once():
    decisions = only(derive(cournot("two followers", (q1,), (q2, q3))))
    assert same(decisions[q1], (a - c) / (2 * b))
    assert same(decisions[q2], (a - c) / (6 * b))
    assert same(decisions[q3], (a - c) / (6 * b))


def test_unequal_costs_give_entry_deterrence_and_blockaded_entry():
    """A follower of cost k is kept out at q1 = (a-k)/b, where the follower's reply is just 0."""
    found = derive(cournot("costs", (q1,), (q2,), cost={q2: k}))
    at = {a: 10, b: 1, c: 2}
    assert decisions_at(found, {**at, k: 2}) == {q1: 4, q2: 2}
    assert decisions_at(found, {**at, k: 5}) == {q1: 5, q2: 0}
    assert decisions_at(found, {**at, k: 8}) == {q1: 4, q2: 0}
    assert decisions_at(found, {a: 10, b: 1, c: 8, k: 2}) == {q1: 0, q2: 4}
    assert len(found.branches) == 4


def test_a_capacity_that_binds():
    price = a - b * (q1 + q2) - c
    game = Game(
        name="capacity",
        stages=(
            (Player("leader", price * q1, (Decision(q1, low=0, high=k),)),),
            (Player("follower", price * q2, (Decision(q2, low=0),)),),
        ),
        parameters=(*DEMAND, Parameter(k, low=0)),
        assumptions=(a > c,),
    )
    free, bound = derive(game).branches
    assert same(free.decisions[q1], (a - c) / (2 * b))
    assert bound.decisions[q1] == k
    assert same(bound.decisions[q2], (a - c - b * k) / (2 * b))
    assert bound.when == (a >= 2 * b * k + c)


def test_a_price_for_one_buyer_with_log_utility_under_a_cap():
    """The buyer takes w/p - 1; the seller's price √(cw), cut at the cap, if anybody buys."""
    cap = sp.Symbol("cap", positive=True)
    game = Game(
        name="price",
        stages=(
            (Player("seller", (p - c) * x, (Decision(p, low=c, high=cap),)),),
            (Player("buyer", w * sp.log(1 + x) - p * x, (Decision(x, low=0),)),),
        ),
        parameters=(Parameter(w, low=0), Parameter(c, low=0), Parameter(cap, low=0)),
        assumptions=(cap > c,),
    )
    found = derive(game)
    assert decisions_at(found, {w: 9, c: 4, cap: 8}) == {p: 6, x: 0.5}
    assert decisions_at(found, {w: 9, c: 4, cap: 5}) == {p: 5, x: 0.8}
    assert decisions_at(found, {w: 3, c: 4, cap: 5})[x] == 0


def test_a_convex_utility_is_maximal_at_the_better_end():
    game = Game(
        name="convex",
        stages=((Player("one", x**2 - k * x, (Decision(x, low=0, high=1),)),),),
        parameters=(Parameter(k, low=0, high=3),),
    )
    found = derive(game)
    assert {(branch.when, branch.decisions[x]) for branch in found.branches} == {
        (k >= 1, 0),
        (k <= 1, 1),
    }


def test_a_quartic_with_two_wells_is_left_to_numbers():
    game = Game(
        name="wells",
        stages=((Player("one", -(x**4) + 2 * x**2 + k * x, (Decision(x),)),),),
        parameters=(Parameter(k, low=0, high=3),),
    )
    found = derive(game)
    assert found.status is Status.NUMERICAL
    assert "stationary points" in found.reason
    assert not found.branches


def test_an_unbounded_utility_has_no_equilibrium():
    game = Game(
        name="unbounded",
        stages=((Player("one", k * x, (Decision(x, low=0),)),),),
        parameters=(Parameter(k, low=0),),
    )
    found = derive(game)
    assert found.status is Status.NONE
    assert "unbounded" in found.reason


def test_contradictory_assumptions_are_an_error():
    game = cournot("contradiction", (q1,), (q2,))
    with pytest.raises(ValueError, match="no parameters meet all the assumptions"):
        derive(replace(game, assumptions=(a > c, c > a + b)))


def test_a_derivation_has_a_time_limit():
    found = derive(cournot("hasty", (q1,), (q2,), (q3,)), seconds=0.05)
    assert found.status is Status.NUMERICAL
    assert "0.05 s" in found.reason
