"""What the check reached, what it did not, and that an answer says so."""

from dataclasses import replace

import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from proofs.games import Decision, Family, Game, Parameter, Player, Status, check
from tests.games import DEMAND, a, b, c, cournot, derive, parameters, q1, q2, x

z = sp.Symbol("z", positive=True)
n = sp.Symbol("n", integer=True, positive=True)
i, j = sp.symbols("i j", integer=True)
X, k = sp.IndexedBase("X"), sp.IndexedBase("k")
SMALL = sp.Rational(1, 1000)

# The corner x = 0 is optimal on a millionth of the interval of z.
RARE = Game(
    name="rare",
    stages=((Player("one", (z - SMALL) * x - x**2, (Decision(x, low=0),)),),),
    parameters=(Parameter(z, low=0, high=1000),),
)


def test_draws_are_steered_into_a_branch_that_none_fell_into():
    found = derive(RARE)
    assert found.status is Status.CHECKED
    assert all(found.check.branches[branch.name] for branch in found.branches)
    assert found.reason == ""


def test_a_fault_in_a_branch_that_is_rarely_reached_is_rejected():
    found = derive(RARE)
    wrong = tuple(
        replace(branch, decisions={x: sp.Rational(1, 10)}) if branch.decisions[x] == 0 else branch
        for branch in found.branches
    )
    verdict = check(RARE, replace(found, branches=wrong), draws=40)
    assert not verdict.holds
    assert verdict.failures[0].parameters[z] <= SMALL


def test_a_branch_that_is_contradictory_is_said_to_be_unchecked():
    """A branch on a set without volume is reached by no draw."""
    found = derive(RARE)
    assert found.check is not None
    line = replace(found.branches[0], name="line", when=sp.Eq(z, 77))
    verdict = check(RARE, replace(found, branches=(*found.branches, line)), draws=40)
    assert verdict.holds
    assert verdict.branches["line"] == 0


def test_an_answer_for_a_part_of_the_parameters_says_so():
    """Followers of unequal costs: in closed form where all of them produce."""
    price = a - b * (q1 + sp.Sum(X[j], (j, 1, n)))
    followers = Family("f", (price - k[i]) * X[i], (Decision(X[i], low=0),), index=i, size=n)
    game = Game(
        name="unequal",
        stages=((Player("leader", (price - c) * q1, (Decision(q1, low=0),)),), (followers,)),
        parameters=(*DEMAND, Parameter(k, low=0), Parameter(n, low=1, integer=True)),
        assumptions=(a > c, a > k[i]),
    )
    found = derive(game)
    assert found.status is Status.CHECKED
    assert "not for all parameters" in found.reason
    assert f"of {found.check.draws} draws" in found.reason


DUOPOLY = cournot("duopoly", (q1,), (q2,))
ANSWER = derive(DUOPOLY).branches[0].decisions


@given(parameters(DUOPOLY), st.fractions(0, 2, max_denominator=50))
def test_no_quantity_of_the_leader_is_better_exactly(values, part):
    """In rationals: part of (a - c)/b, to which the follower replies."""
    room = (values[a] - values[c]) / values[b]

    def profit(quantity):
        rest = max(room - quantity, 0) / 2
        return values[b] * (room - quantity - rest) * quantity

    best = ANSWER[q1].subs(values)
    assert profit(best) >= profit(sp.Rational(part.numerator, part.denominator) * room)
    assert ANSWER[q2].subs(values) == (room - best) / 2
