"""Right formulas are not rejected for rounding, and small utilities excuse no wrong ones."""

import math
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

from proofs.games import (
    Branch,
    Decision,
    Equilibrium,
    Game,
    Parameter,
    Player,
    Reply,
    Status,
    check,
)
from proofs.games.formulas import Formula
from proofs.games.rounding import UNIT, Rounding
from tests.games import a, b, c, cournot, k, p, q1, q2, q3, w, x, y

BILLIONTH = sp.Rational(1, 10**9)


def solution(game, *branches, replies=()):
    return Equilibrium(game, Status.CHECKED, branches, replies, {}, (), (), None)


@pytest.mark.parametrize(
    "expression",
    [
        (10**9 + a) ** 2 - 10**18 - a**2,
        w * sp.log(1 + a) - b * a,
        (a + b - c) / (a - b),
        sp.sqrt(a**2 + b) - a,
        sp.exp(-a / b) * (b - a) ** 3,
        a**b - b**a,
    ],
)
def test_the_rounding_of_a_value_is_bounded_and_not_by_far(expression):
    """Against 40 digits at the same floats."""
    rng = np.random.default_rng(0)
    names = sorted(expression.free_symbols, key=str)
    points = rng.integers(1, 2**20, (200, len(names))) / 2.0**17
    at = {s: points[:, n, None, None] for n, s in enumerate(names)}
    found = Formula(expression)(at).ravel()
    bound = np.broadcast_to(Rounding(expression)(at), (200, 1, 1)).ravel()
    off = []
    for row, value in zip(points, found, strict=True):
        exact = expression.xreplace({s: sp.Float(v, 40) for s, v in zip(names, row, strict=True)})
        off.append(float(abs(exact.evalf(40) - sp.Float(value, 40))))
    assert np.all(np.array(off) <= 8 * bound)
    assert np.all(bound <= 1e4 * UNIT * (1e18 if expression.has(10**18) else 1e6 + found**2))


def test_the_rounding_has_the_units_of_the_value():
    at = {s: np.full((1, 1, 1), v) for s, v in ((w, 3.0), (p, 3.0), (x, 0.0))}
    utility = w * sp.log(1 + x) - p * x
    one, small = (Rounding(u)(at)[0, 0, 0] for u in (utility, utility * BILLIONTH))
    assert one >= 3 * UNIT
    assert math.isclose(small, one * 1e-9)


def one_buyer(scale=sp.S.One, factor=sp.S.One):
    """A seller of cost c and a buyer w log(1 + x) - p x: the price √(c w), and no trade if c ≥ w.

    factor: a fault in the price, to which the buyer replies.
    """
    game = Game(
        name="one buyer",
        stages=(
            (Player("seller", scale * (p - c) * x, (Decision(p, low=c),)),),
            (Player("buyer", scale * (w * sp.log(1 + x) - p * x), (Decision(x, low=0),)),),
        ),
        parameters=(Parameter(c, low=0), Parameter(w, low=0)),
    )
    price = factor * sp.sqrt(c * w)
    buys = Branch("buys", w >= p, {x: w / p - 1})
    reply = Reply(1, ("buyer",), (buys, Branch("out", w <= p, {x: sp.S.Zero})), ())
    trade = Branch("trade", w >= c, {p: price, x: w / price - 1})
    none = Branch("no trade", w <= c, {p: c, x: sp.S.Zero})
    return game, solution(game, trade, none, replies=(reply,))


@pytest.mark.parametrize("scale", [sp.S.One, BILLIONTH, 1 / BILLIONTH])
def test_a_seller_whom_nobody_buys_from_is_indifferent(scale):
    found = check(*one_buyer(scale), draws=200)
    assert found.holds, found.failures[:1]
    assert found.branches["no trade"] > 50


@pytest.mark.parametrize("scale", [BILLIONTH, 1 / BILLIONTH])
@pytest.mark.parametrize("factor", [sp.Rational(10001, 10000), sp.Rational(9, 10), sp.sqrt(c)])
def test_a_wrong_price_is_rejected_at_every_scale(scale, factor):
    found = check(*one_buyer(scale, factor), draws=40)
    assert any(failure.player == "seller" for failure in found.failures)


@pytest.mark.parametrize("wealth", [37, 200, 5658, 9999])
def test_a_flat_top_allows_what_its_curvature_does(wealth):
    """log(1 + x) + w log(1 + y), x + y ≤ k, where x is small against k, and a fault of it."""
    game = Game(
        stages=(
            (
                Player(
                    "one",
                    sp.log(1 + x) + w * sp.log(1 + y),
                    (Decision(x, low=0), Decision(y, low=0)),
                    (x + y <= k,),
                ),
            ),
        ),
        parameters=(
            Parameter(k, low=wealth, high=wealth + sp.Rational(1, 10)),
            Parameter(w, low=wealth, high=wealth + sp.Rational(1, 10)),
        ),
        assumptions=(k >= w,),
    )
    spent = (k + 1 - w) / (1 + w)
    assert check(
        game, solution(game, Branch("", sp.true, {x: spent, y: k - spent})), draws=20
    ).holds
    # Too much by d on x loses d²/2, of a utility of w log(w).
    wrong = spent + sp.Rational(wealth, 10**4) * (1 + 1 / sp.sqrt(w))
    claimed = solution(game, Branch("", sp.true, {x: wrong, y: k - wrong}))
    assert not check(game, claimed, draws=20).holds


THREE = cournot("three in turn", (q1,), (q2,), (q3,))
SECOND = Branch("", sp.true, {q2: sp.Max(0, (a - c - b * q1) / (2 * b))})
THIRD = Branch("", sp.true, {q3: sp.Max(0, (a - c - b * (q1 + q2)) / (2 * b))})


def three(first, second=SECOND):
    middle = second.decisions[q2].subs(q1, first)
    last = THIRD.decisions[q3].subs({q1: first, q2: middle})
    replies = (Reply(1, ("firm q2",), (second,), ()), Reply(2, ("firm q3",), (THIRD,), ()))
    path = Branch("", sp.true, {q1: first, q2: middle, q3: last})
    return solution(THREE, path, replies=replies)


def test_replies_to_replies_are_found_exactly_enough():
    """Quantities 1/2, 1/4, 1/8 of (a - c)/b: errors of the replies show a leader no gains."""
    found = check(THREE, three((a - c) / (2 * b)), draws=100)
    assert found.holds, found.failures[:1]
    assert found.gain < 1e-10


@pytest.mark.parametrize("parts", [1, -1])
def test_a_leader_s_formula_that_is_wrong_by_a_ten_thousandth_is_rejected(parts):
    """With replies to the wrong choice, so that nobody else is wrong."""
    found = check(THREE, three((a - c) / (2 * b) * (1 + parts * sp.Rational(1, 10**4))), draws=20)
    assert {failure.player for failure in found.failures} == {"firm q1"}
    assert len(found.failures) == 20


def test_a_wrong_reply_of_the_second_is_rejected():
    off = replace(SECOND, decisions={q2: SECOND.decisions[q2] * sp.Rational(10001, 10000)})
    found = check(THREE, three((a - c) / (2 * b), off), draws=20)
    assert "firm q2" in {failure.player for failure in found.failures}
