"""Closed forms known from textbooks pass the check; the same with a planted fault do not."""

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
    Reply,
    Status,
    check,
)

a, b, c, g, cap = sp.symbols("a b c g cap", positive=True)
n = sp.Symbol("n", integer=True, positive=True)
q1, q2, p, u = sp.symbols("q1 q2 p u", real=True)
i, j = sp.symbols("i j", integer=True)
x, w = sp.IndexedBase("x"), sp.IndexedBase("w")
DEMAND = (Parameter(a, low=0), Parameter(b, low=0), Parameter(c, low=0))


def solution(game, *branches, replies=()):
    return Equilibrium(game, Status.CHECKED, branches, replies, {}, (), (), None)


def always(decisions, name="interior"):
    return Branch(name, sp.true, decisions)


def alone(utility, decision, *parameters):
    return Game(stages=((Player("player", utility, (decision,)),),), parameters=parameters)


PRICE = a - b * (q1 + q2)
DUOPOLY = Game(
    name="duopoly",
    stages=(
        (Player("leader", (PRICE - c) * q1, (Decision(q1, low=0),)),),
        (Player("follower", (PRICE - c) * q2, (Decision(q2, low=0),)),),
    ),
    parameters=DEMAND,
    assumptions=(a > c,),
)
ACTIVE = Branch("active", a - c >= b * q1, {q2: (a - c - b * q1) / (2 * b)})
OUT = Branch("out", a - c <= b * q1, {q2: sp.S.Zero})
RIGHT = {q1: (a - c) / (2 * b), q2: (a - c) / (4 * b)}
REPLY = Reply(1, ("follower",), (ACTIVE, OUT), ())

# Three buyers w log(1 + x) - p x who all buy at any price up to the cap, a seller with cost c.
DEMANDED = sp.Sum(x[j], (j, 1, 3))
BUYERS = Game(
    name="buyers",
    stages=(
        (Player("seller", (p - c) * DEMANDED, (Decision(p, low=c, high=cap),)),),
        (
            Family(
                "buyers",
                w[i] * sp.log(1 + x[i]) - p * x[i],
                (Decision(x[i], low=0),),
                index=i,
                size=3,
            ),
        ),
    ),
    parameters=(
        Parameter(c, low=0, high=2),
        Parameter(cap, low=2, high=8),
        Parameter(w, low=8, high=40),
    ),
)
WEIGHTS = sp.Sum(w[j], (j, 1, 3))
FREE = sp.sqrt(c * WEIGHTS / 3)
BUYING = Reply(1, ("buyers",), (always({x[i]: w[i] / p - 1}),), ())


def capped(free=FREE, cut=FREE):
    return solution(
        BUYERS,
        Branch("free", cut <= cap, {p: free, x[i]: w[i] / free - 1}),
        Branch("cap", cut >= cap, {p: cap, x[i]: w[i] / cap - 1}),
        replies=(BUYING,),
    )


# Right ones


def test_the_duopoly_passes_with_its_reply():
    found = check(DUOPOLY, solution(DUOPOLY, always(RIGHT), replies=(REPLY,)))
    assert found.holds, found.failures[:1]
    assert found.draws == 500
    assert found.gain <= 1e-8
    assert found.difference <= 1e-5
    assert found.branches["interior"] == 500
    assert found.branches["reply of stage 2: active"] > 100
    assert found.branches["reply of stage 2: out"] > 50


def test_the_duopoly_passes_without_its_reply():
    assert check(DUOPOLY, solution(DUOPOLY, always(RIGHT))).holds


def test_one_leader_and_n_followers_pass():
    price = a - b * (q1 + sp.Sum(x[j], (j, 1, n)))
    followers = Family("followers", (price - c) * x[i], (Decision(x[i], low=0),), index=i, size=n)
    game = Game(
        stages=((Player("leader", (price - c) * q1, (Decision(q1, low=0),)),), (followers,)),
        parameters=(*DEMAND, Parameter(n, low=1, integer=True)),
        assumptions=(a > c,),
    )
    left = a - c - b * q1
    reply = Reply(
        1,
        ("followers",),
        (
            Branch("active", left >= 0, {x[i]: left / (b * (n + 1))}),
            Branch("out", left <= 0, {x[i]: sp.S.Zero}),
        ),
        (),
    )
    right = {q1: (a - c) / (2 * b), x[i]: (a - c) / (2 * b * (n + 1))}
    found = check(game, solution(game, always(right), replies=(reply,)))
    assert found.holds, found.failures[:1]
    wrong = {q1: (a - c) / (2 * b), x[i]: (a - c) / (2 * b * n)}
    assert not check(game, solution(game, always(wrong), replies=(reply,)), draws=20).holds


def test_log_utility_buyers_under_a_price_cap_pass():
    found = check(BUYERS, capped())
    assert found.holds, found.failures[:1]
    assert found.branches["free"] > 50
    assert found.branches["cap"] > 50


def test_a_quadratic_network_game_passes():
    """Ballester, Calvó-Armengol & Zenou (2006), everybody connected with everybody."""
    others = sp.Sum(x[j], (j, 1, 4)) - x[i]
    member = Family(
        "members",
        w[i] * x[i] - x[i] ** 2 / 2 + g * x[i] * others,
        (Decision(x[i]),),
        index=i,
        size=4,
    )
    game = Game(
        stages=((member,),),
        parameters=(Parameter(w, low=0), Parameter(g, low=0, high=sp.Rational(3, 10))),
    )
    total = sp.Sum(w[j], (j, 1, 4)) / (1 - 3 * g)
    assert check(game, solution(game, always({x[i]: (w[i] + g * total) / (1 + g)}))).holds
    wrong = always({x[i]: (w[i] + g * total) / (1 - g)})
    assert not check(game, solution(game, wrong), draws=20).holds


BOUNDED = alone(a * u - u**2 / 2, Decision(u, low=0, high=1), Parameter(a, low=0))


def test_a_bounded_corner_passes():
    inside, bound = Branch("inside", a <= 1, {u: a}), Branch("bound", a >= 1, {u: sp.S.One})
    found = check(BOUNDED, solution(BOUNDED, inside, bound))
    assert found.holds
    assert found.branches["inside"] + found.branches["bound"] == 500
    smooth = always({u: sp.Min(a, 1)})
    assert check(BOUNDED, solution(BOUNDED, smooth)).holds


def test_integer_decisions():
    game = alone((b - u) * u, Decision(u, low=0, integer=True), Parameter(b, low=0, high=30))
    assert check(game, solution(game, always({u: sp.floor(b / 2 + sp.Rational(1, 2))}))).holds
    for wrong in (b / 2, sp.floor(b / 2), sp.ceiling(b / 2)):
        assert not check(game, solution(game, always({u: wrong}))).holds


def test_indifference_is_no_failure():
    """Where every decision is as good, any formula is right."""
    game = alone(a + 0 * u, Decision(u, low=0, high=1), Parameter(a, low=0))
    assert check(game, solution(game, always({u: a / (1 + a)}))).holds


# Wrong ones


def planted(expression):
    """Faults of a formula, each a different function."""
    replaced = {a: c, c: a}
    yield -expression
    yield 1 / expression
    yield sp.sqrt(expression)
    yield expression**2
    yield expression * b
    yield expression / 2
    yield expression * sp.Rational(100002, 100000)
    yield expression + 1
    yield expression.subs(replaced, simultaneous=True)
    yield expression.subs(c, -c)
    yield expression.subs(b, b**2)
    yield expression.subs(a, 2 * a)


@pytest.mark.parametrize("decision", [q1, q2])
def test_planted_faults_in_the_duopoly_are_rejected(decision):
    for wrong in planted(RIGHT[decision]):
        claimed = solution(DUOPOLY, always({**RIGHT, decision: wrong}), replies=(REPLY,))
        found = check(DUOPOLY, claimed, draws=12)
        assert not found.holds, wrong
        assert found.failures[0].parameters
        assert found.failures[0].reason


@pytest.mark.parametrize(
    "wrong",
    [
        c * WEIGHTS / 3,
        sp.sqrt(c * WEIGHTS),
        sp.sqrt(WEIGHTS / (3 * c)),
        c + FREE,
        sp.sqrt(c * WEIGHTS / 2),
    ],
)
def test_planted_faults_in_the_price_are_rejected(wrong):
    assert not check(BUYERS, capped(free=wrong), draws=60).holds


@pytest.mark.parametrize("cut", [2 * FREE, FREE / 2, FREE * sp.Rational(21, 20)])
def test_a_wrong_condition_of_a_branch_is_rejected(cut):
    assert not check(BUYERS, capped(cut=cut)).holds


def test_a_gap_and_an_overlap_are_rejected():
    inside, bound = Branch("inside", a <= 1, {u: a}), Branch("bound", a >= 1, {u: sp.S.One})
    gap = check(BOUNDED, solution(BOUNDED, inside))
    assert not gap.holds
    assert "no branch" in gap.failures[0].reason
    assert check(BOUNDED, solution(BOUNDED, inside), partial=True).holds
    wide = Branch("bound", a >= sp.Rational(1, 2), {u: sp.S.One})
    assert not check(BOUNDED, solution(BOUNDED, inside, wide)).holds
    assert check(BOUNDED, solution(BOUNDED, inside, bound)).holds


def test_a_reply_that_is_right_on_the_path_alone_is_rejected():
    constant = Reply(1, ("follower",), (always({q2: RIGHT[q2]}),), ())
    found = check(DUOPOLY, solution(DUOPOLY, always(RIGHT), replies=(constant,)), draws=50)
    assert not found.holds
    assert any("after other choices" in failure.reason for failure in found.failures)


def test_a_leader_who_ignores_the_replies_is_rejected():
    """Cournot's quantities: every first order condition of one's own holds, but nobody leads."""
    cournot = {q1: (a - c) / (3 * b), q2: (a - c) / (3 * b)}
    found = check(DUOPOLY, solution(DUOPOLY, always(cournot), replies=(REPLY,)), draws=50)
    assert {failure.player for failure in found.failures} == {"leader"}
    # The leader's profit is 1/8 instead of 1/9, the gain relative to 1 + utility below 1/8.
    assert 0.12 < found.gain < 0.125 + 1e-6


def test_a_local_maximum_is_rejected():
    utility = -((u**2 - 1) ** 2) + a * u
    game = alone(utility, Decision(u, low=-3, high=3), Parameter(a, low=0, high=1))
    slope = sp.Poly(sp.diff(utility, u), u)
    for number, right in ((2, True), (0, False), (1, False)):
        # Roots in ascending order: the lower maximum, the minimum, the upper maximum.
        fixed = alone(utility.subs(a, sp.Rational(1, 2)), Decision(u, low=-3, high=3))
        root = sp.CRootOf(slope.as_expr().subs(a, sp.Rational(1, 2)), number)
        found = check(fixed, solution(fixed, always({u: root.evalf(30)})), draws=3)
        assert found.holds is right
    assert not check(game, solution(game, always({u: sp.S.One})), draws=20).holds


def test_an_unbounded_utility_is_rejected():
    game = alone(sp.log(1 + a * u), Decision(u, low=0), Parameter(a, low=0))
    found = check(game, solution(game, always({u: sp.S.One})), draws=20)
    assert "no upper bound" in found.failures[0].reason


@pytest.mark.parametrize("wrong", [sp.sqrt(-a), sp.log(a - a), 1 / (a - a + 0 * u), sp.I * a])
def test_values_that_are_no_real_numbers_are_rejected(wrong):
    found = check(BOUNDED, solution(BOUNDED, always({u: sp.sympify(wrong)})), draws=20)
    assert not found.holds
    assert "not a real number" in found.failures[0].reason


def test_a_formula_that_loses_digits_is_not_rejected_for_it():
    """(1 + ε) - 1 in floats has few digits of ε; the formula is right and is read exactly."""
    game = alone(a * u - u**2 / 2, Decision(u), Parameter(a, low=0, high=1))
    lossy = ((10**9 + a) ** 2 - 10**18 - a**2) / (2 * 10**9)
    assert check(game, solution(game, always({u: lossy})), draws=10).holds


def test_a_decision_without_a_formula_is_an_error():
    with pytest.raises(ValueError, match="no formula for q2"):
        check(DUOPOLY, solution(DUOPOLY, always({q1: RIGHT[q1]})))


def test_a_formula_of_unknown_symbols_is_an_error():
    with pytest.raises(ValueError, match="neither a parameter"):
        check(BOUNDED, solution(BOUNDED, always({u: sp.Symbol("z")})), draws=5)


def test_the_check_repeats_by_seed():
    one, two = (check(BOUNDED, solution(BOUNDED, always({u: a})), draws=40) for _ in range(2))
    assert one.failures
    assert one == two
