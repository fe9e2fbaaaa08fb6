"""Symmetric equilibria of auctions: textbook formulas, theorems about revenue, planted wrong bids
that are all rejected, and questions that make no sense."""

from __future__ import annotations

import doctest
import threading
from fractions import Fraction as F

import numpy as np
import pytest
import sympy as sp

import proofs.bidding
from proofs import BidStatus, Prior, check_bid, equilibrium_bid

v = sp.Symbol("v")
n = sp.Symbol("n", integer=True, positive=True)
a, h, r = sp.symbols("a h r", positive=True)
low = sp.Symbol("low", real=True)
UNIFORM = Prior(v, v)
EXPONENTIAL = Prior((1 - sp.exp(-v)) / (1 - sp.exp(-1)), v)


def test_the_examples_run():
    assert doctest.testmod(proofs.bidding).attempted >= 6
    assert doctest.testmod(proofs.bidding).failed == 0


def same(found, textbook):
    return sp.simplify(found - textbook) == 0


def test_first_price_with_symmetric_uniform_bidders():
    found = equilibrium_bid(UNIFORM, n, draws=500)
    assert found.status is BidStatus.CHECKED
    assert same(found.bid, (n - 1) * v / n)
    check = found.check
    assert (check.draws, check.values, check.failures) == (500, 2000, ())
    assert check.gain <= 1e-8
    assert check.difference <= 1e-5
    assert found.conditions[0] == "n ≥ 2"
    assert [step.title for step in found.steps] == [
        "prior", "expected utility", "first order condition", "differential equation",
        "general solution", "boundary condition", "bid function", "second order condition",
    ]  # fmt: skip
    # The differential equation that is printed is solved by the formula that is printed.
    (equation,) = found.steps[3].formulas
    cdf, b = sp.Function("F"), sp.Function("b")
    put = equation.subs(cdf(v), v).doit().subs(b(v), found.bid).doit()
    assert put == sp.true or same(put.lhs, put.rhs)
    assert "b(v)" in str(found)


TEXTBOOK = {
    "three bidders": (UNIFORM, 3, {}, 2 * v / 3),
    "reserve": (UNIFORM, n, {"reserve": r}, (n - 1) * v / n + r**n / (n * v ** (n - 1))),
    "half reserve": (UNIFORM, 2, {"reserve": sp.Rational(1, 2)}, v / 2 + 1 / (8 * v)),
    "all-pay": (UNIFORM, n, {"auction": "all-pay"}, (n - 1) * v**n / n),
    "all-pay, reserve": (
        UNIFORM, n, {"auction": "all-pay", "reserve": r}, (n - 1) * v**n / n + r / n,
    ),
    "power": (Prior(v**a, v), n, {}, a * (n - 1) * v / (a * (n - 1) + 1)),
    "power, all-pay": (
        Prior(v**a, v), n, {"auction": "all-pay"},
        a * (n - 1) * v ** (a * (n - 1) + 1) / (a * (n - 1) + 1),
    ),
    "to h": (Prior(v / h, v, 0, h), n, {}, (n - 1) * v / n),
    "from low to h": (
        Prior((v - low) / (h - low), v, low, h), n, {"parameters": {low: (-2, 0.2)}},
        low + (n - 1) * (v - low) / n,
    ),
    "negative values": (Prior((v + 1) / 2, v, -1, 1), 4, {}, v - (v + 1) / 4),
    "exponential": (EXPONENTIAL, 2, {}, 1 - v * sp.exp(-v) / (1 - sp.exp(-v))),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTBOOK)
def test_textbook_formulas(name):
    prior, bidders, options, textbook = TEXTBOOK[name]
    found = equilibrium_bid(prior, bidders, draws=30, **options)
    assert found.status is BidStatus.CHECKED, (found.notes, found.check)
    assert same(found.bid, textbook)
    assert found.check.gain <= 1e-8
    assert found.check.difference <= 1e-5
    claimed = check_bid(textbook, prior, bidders, draws=10, **options)
    assert claimed.status in (BidStatus.CHECKED, BidStatus.UNREFUTED)


def test_where_bidding_starts():
    assert equilibrium_bid(UNIFORM, n, draws=8).start == 0
    assert equilibrium_bid(UNIFORM, n, reserve=r, draws=8).start == r
    found = equilibrium_bid(UNIFORM, n, reserve=r, auction="all-pay", draws=8)
    assert same(found.start, r ** (1 / n))
    assert "0 ≤ r < 1" in found.conditions


def planted(bid):
    """Wrong formulas: a sign, an exponent, n for n − 1 and the like, a factor, a shift."""
    k = sp.Symbol("k", positive=True, integer=True)
    return {
        "sign": -bid,
        "exponent": bid**2,
        "root": sp.sqrt(bid),
        "n for n-1": bid.subs(n, k + 1).subs(k, n),
        "n-1 for n": bid.subs(n, n - 1),
        "factor": bid * sp.Rational(101, 100),
        "truth": v,
        "shift": bid + sp.Rational(1, 50),
        "constant": sp.Rational(1, 3) + 0 * v,
        "wrong variable": bid.subs(v, 1 - v),
    }


@pytest.mark.parametrize("fault", planted(v))
@pytest.mark.parametrize("name", ["uniform", "all-pay", "power", "reserve"])
def test_planted_faults_are_rejected(name, fault):
    prior, bidders, options, bid = {
        **TEXTBOOK, "uniform": (UNIFORM, n, {}, (n - 1) * v / n),
    }[name]  # fmt: skip
    wrong = planted(bid)[fault]
    found = check_bid(wrong, prior, bidders, draws=12, **options)
    assert found.status is BidStatus.REJECTED
    assert found.bid is None
    assert found.claim == wrong
    worst = found.check.failures[0]
    assert worst.reason
    if worst.better is not None:
        assert worst.gain > 1e-8
        assert worst.better != worst.bid


@pytest.mark.parametrize("share", [F(1), F(1, 3), F(9, 10)])
@pytest.mark.parametrize("bidders", [2, 5])
def test_witnesses_replay_in_rationals(share, bidders):
    # b = c v and uniform values: the bid y wins with probability (y / c)^(n−1).
    wrong = sp.Rational(share.numerator, share.denominator) * v
    found = check_bid(wrong, UNIFORM, bidders, draws=15)
    if share == F(bidders - 1, bidders):
        assert found.status is BidStatus.CHECKED
        return
    worst = found.check.failures[0]
    assert worst.replayed

    def worth(bid):
        return (F(worst.value) - bid) * min(F(bid) / share, F(1)) ** (bidders - 1)

    gain = worth(F(worst.better)) - worth(share * F(worst.value))
    assert float(gain) == pytest.approx(worst.gain, rel=1e-6)
    # The best reply to these bids, by hand: as if others' bids were uniform on [0, c].
    best = min(F(worst.value) * (bidders - 1) / bidders, share)
    assert worst.gain == pytest.approx(float(worth(best) - worth(share * F(worst.value))), rel=1e-4)


def test_bidders_that_tie_draw_lots():
    # All bid 0: with two bidders each wins half of the time, and the smallest bid wins for sure.
    worst = check_bid(0 * v, UNIFORM, 2, draws=5).check.failures[0]
    assert worst.value == 1
    assert worst.gain == pytest.approx(1 / 2, abs=1e-6)
    assert 0 < worst.better < 1e-6


def test_a_nearly_right_formula_is_not_called_derived():
    found = check_bid((n - 1) * v / n * (1 + sp.Rational(1, 10**7)), UNIFORM, n, draws=30)
    assert found.status is BidStatus.UNREFUTED
    assert any("did not show" in note for note in found.notes)


@pytest.mark.parametrize("bidders", [2, 4, 9])
@pytest.mark.parametrize("power", [0.5, 1, 3])
def test_revenue_equivalence(bidders, power):
    # Both auctions raise what the second price does: the mean of the second highest value.
    prior = Prior(v**a, v)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    # v = q^(1/power) has the quantile q; q = s⁴ for what is steep at 0.
    s, w = (nodes + 1) / 2, weights / 2
    quantile, density = s**4, 4 * s**3 * w
    values = quantile ** (1 / power)
    first, everybody = (
        equilibrium_bid(prior, n, auction=kind, draws=5).at(
            values, bidders=bidders, parameters={a: power}
        )
        for kind in ("first-price", "all-pay")
    )
    highest = bidders * quantile ** (bidders - 1)
    second = bidders * (bidders - 1) * quantile ** (bidders - 2) * (1 - quantile)
    raised = float((second * values) @ density)
    assert float((highest * first) @ density) == pytest.approx(raised, rel=1e-6)
    assert bidders * float(everybody @ density) == pytest.approx(raised, rel=1e-6)


def test_without_time_the_integral_is_evaluated():
    found = equilibrium_bid(UNIFORM, n, reserve=r, draws=8, seconds=0)
    assert found.status is BidStatus.NUMERICAL
    assert found.bid is None
    assert found.check.holds
    assert any("numerically" in note for note in found.notes)
    assert any("seconds" in note for note in found.notes)
    bids = found.at([0.1, 0.4, 1.0], bidders=3, parameters={"r": 0.4})
    assert np.isnan(bids[0])
    textbook = [2 * x / 3 + 0.4**3 / (3 * x**2) for x in (0.4, 1.0)]
    np.testing.assert_allclose(bids[1:], textbook, atol=1e-12)


@pytest.mark.parametrize("auction", ["first-price", "all-pay"])
def test_many_bidders(auction):
    # F(v)^(n−1) is too small for floats at low values.
    found = equilibrium_bid(UNIFORM, 200, auction=auction, draws=3)
    assert found.status is BidStatus.CHECKED, found.check
    numbers = equilibrium_bid(UNIFORM, 200, auction=auction, draws=3, seconds=0)
    assert numbers.status is BidStatus.NUMERICAL, numbers.check
    x = np.array([0.01, 0.6, 1.0])
    textbook = 199 * x / 200 if auction == "first-price" else 199 * x**200 / 200
    np.testing.assert_allclose(numbers.at(x, bidders=200), textbook, atol=1e-9)


def test_an_integral_without_closed_form_does_not_hang():
    found = equilibrium_bid(EXPONENTIAL, n, draws=8, seconds=2)
    assert found.status in (BidStatus.NUMERICAL, BidStatus.CHECKED)
    assert found.check.holds
    two = equilibrium_bid(EXPONENTIAL, 2, draws=5).bid
    x = np.array([0.2, 0.7, 1.0])
    np.testing.assert_allclose(
        found.at(x, bidders=2), [float(two.subs(v, y)) for y in x], atol=1e-10
    )


def test_it_works_outside_the_main_thread():
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(equilibrium_bid(UNIFORM, n, draws=5).status)
    )
    thread.start()
    thread.join()
    assert answers == [BidStatus.CHECKED]


def test_the_same_seed_the_same_check():
    wrong = [check_bid(v / 3, UNIFORM, n, draws=10, seed=seed).check for seed in (4, 4, 5)]
    assert wrong[0] == wrong[1] != wrong[2]


q = sp.Symbol("q")
half = sp.Rational(1, 2)


@pytest.mark.parametrize(
    ("prior", "bidders", "options", "message"),
    [
        (Prior(half + v / 2, v), n, {}, r"F\(low\) = 0.5: expected 0, since a prior with an atom"),
        (Prior(v / 2, v), n, {}, r"F\(high\) = 0.5: expected 1"),
        (
            Prior(sp.Piecewise((v / 2, v < half), (half + v / 2, True)), v), n, {},
            r"F jumps by 0.5 near 0\.5",
        ),
        (Prior(sp.Heaviside(v - half), v), n, {}, "without atoms"),
        (
            Prior(sp.Piecewise((v, v < half), (half, v < 1), (v - half, True)), v, 0, 1.5), n, {},
            "F is flat near",
        ),
        (Prior(1 - sp.exp(-v), v, 0, sp.oo), n, {}, "expected a bounded support; truncate"),
        (Prior(4 * v * (1 - v) + v, v), n, {}, "F falls near"),
        (Prior(v, v, 1, 0), n, {}, "expected low < high"),
        (UNIFORM, 1, {}, "bidders = 1: expected at least 2"),
        (UNIFORM, 2.5, {}, "bidders = 2.5"),
        (UNIFORM, q, {}, "not known that it is a positive integer"),
        (Prior(v**q, v), n, {}, "nothing is known of q"),
        (Prior(v**a, v), n, {"parameters": {a: (2, 1)}}, "expected an interval"),
        (UNIFORM, n, {"parameters": {a: (1, 2)}}, r"holds \['a'\]: expected symbols that occur"),
        (UNIFORM, n, {"reserve": 2}, "reserve = 2, values in .* expected low ≤ reserve <"),
        (UNIFORM, n, {"auction": "second-price"}, "auction = 'second-price': expected one of"),
        (UNIFORM, n, {"draws": 0}, "draws = 0"),
        (Prior(v, 3), n, {}, "expected the symbol"),
        (Prior((v + 1) / 2, v, -1, 1), n, {"auction": "all-pay"}, "low ≥ 0 where everybody pays"),
    ],
)  # fmt: skip
def test_questions_without_sense(prior, bidders, options, message):
    with pytest.raises(ValueError, match=message):
        equilibrium_bid(prior, bidders, **{"draws": 10, **options})


def test_numbers_that_are_missing():
    found = equilibrium_bid(Prior(v**a, v), n, draws=5)
    with pytest.raises(ValueError, match=r"expected numbers for \['a'\]"):
        found.at(0.5, bidders=2)
    with pytest.raises(ValueError, match="bidders = 1: expected at least 2"):
        found.at(0.5, bidders=1, parameters={a: 1})
    with pytest.raises(ValueError, match=r"values outside \[0, 1\]"):
        found.at(1.5, bidders=2, parameters={a: 1})
