"""The dual-currency auction: formulas against arithmetic by hand, and what is drawn."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from mechkit.errors import InputError
from mechkit.papers import paper_of
from mechkit.papers.dvcg import market, mechanism
from proofs import exact, values
from solvers import Status

PAPER = paper_of("dvcg")


def drawn(seed: int = 0, batch: int = 8, **sizes):
    return market.draw(np.random.default_rng(seed), batch, **{"vsps": 5, "quanta": 3, **sizes})


# Formulas of the model ----------------------------------------------------------------------------


def test_eq_39_by_hand():
    # β = 150, ξ = (2, 4, 6), s = (1/2, 1/4, 1/6): exponent 1 + 1 + 1 = 3.
    found = market.utility(
        np.array([150.0]), np.array([[2.0, 4, 6]]), np.array([[1 / 2, 1 / 4, 1 / 6]])
    )
    assert found == pytest.approx([150 * (1 - math.exp(-3))])
    assert market.utility(np.array([150.0]), np.array([[2.0, 4, 6]]), np.zeros((1, 3))) == [0]


def test_eqs_3_to_6_by_hand():
    # α = 1.2, U = 100, w = −5, Z = 30: G = 115, P = 85.
    gross = market.gross_profit(np.array([1.2]), np.array([100.0]), np.array([-5.0]))
    assert gross == pytest.approx([115])
    assert market.profit(gross, np.array([30.0])) == pytest.approx([85])
    assert market.social_welfare(np.array([[1.0, 2, 4], [8, 16, 32]])).tolist() == [7, 56]


def test_eq_13_by_hand():
    # F = 300, bids 1, 2, 3: loans 50, 100, 150; nobody bids: 100 each.
    bids = np.array([[1.0, 2, 3], [0, 0, 0], [0, 0, 5]])
    lent = mechanism.loans(bids, np.full((3, 1), 300.0))
    assert lent.tolist() == [[50, 100, 150], [100, 100, 100], [0, 0, 300]]


def test_eq_16_by_hand():
    # Bids of 140 in all against SW* = 100 among 4: Δ = 10; 90 against 100: 0.
    bids = np.array([[20.0, 30, 40, 50], [20, 30, 20, 20]])
    assert mechanism.spread(bids, np.full((2, 1), 100.0)).tolist() == [[10], [0]]


def test_eq_15_by_hand():
    # First resource: (0.5, 1.5, −1) to (0.5, 1.5, 0) / 2; second: (0.2, 0.3, 0.1) as it is.
    shares = np.array([[[0.5, 0.2], [1.5, 0.3], [-1.0, 0.1]]])
    assert mechanism.norm(shares)[0] == pytest.approx(
        np.array([[0.25, 0.2], [0.75, 0.3], [0, 0.1]])
    )


def test_eqs_17_and_18_by_hand():
    # u(s̃) = (10, 20, 30), W(−i) = (55, 42, 31): I = 55 − 50, 42 − 40, 31 − 30.
    harms = mechanism.harm(np.array([[55.0, 42, 31]]), np.array([[10.0, 20, 30]]))
    assert harms.tolist() == [[5, 2, 1]]
    # Loans 12, 20, 25 against U* = 10, 20, 30: interest 2, 0, 5; α = 1, 2, 1/2.
    due = mechanism.interest(np.array([[12.0, 20, 25]]), np.array([[10.0, 20, 30]]))
    assert due.tolist() == [[2, 0, 5]]
    assert mechanism.tax(np.array([1, 2, 0.5]), harms, due).tolist() == [[7, 4, 3]]


def test_an_auction_by_hand_in_rationals():
    # U* = (1, 2), F = 3, bids (1, 1/2): loans (2, 1), interest 1 each. u(s̃) = (1, 2), W(−i) = (5/2,
    # 1): harm 1/2 and 0.
    given = [[Fraction(1), Fraction(1, 2)], [1, 2], [Fraction(5, 2), 1], [1, 2]]
    found = mechanism.levy(*(exact([[Fraction(x) for x in row]]) for row in given))
    shown = [[Fraction(x) for x in values(part)[0]] for part in found]
    assert shown == [[2, 1], [1, 1], [Fraction(1, 2), 0], [Fraction(3, 2), 1]]
    kept = mechanism.levy(
        *(exact([[Fraction(x) for x in row]]) for row in given), with_interest=False
    )
    assert [Fraction(x) for x in values(kept.taxes)[0]] == [Fraction(1, 2), 0]


# What is drawn ------------------------------------------------------------------------------------


def test_laws_of_what_is_drawn():
    found = drawn(batch=2000, vsps=20)
    assert found.heights.shape == (2000, 20)
    assert found.rates.shape == (2000, 20, 3)
    assert (found.heights.min() >= 100, found.heights.max() <= 200) == (True, True)
    assert (found.rates.min() >= 0, found.rates.max() <= 10) == (True, True)
    # Standard errors: 28.9 / √40,000 = 0.14 and 2.89 / √120,000 = 0.008.
    assert found.heights.mean() == pytest.approx(150, abs=0.6)
    assert found.rates.mean() == pytest.approx(5, abs=0.035)
    assert found.rates.std() == pytest.approx(10 / math.sqrt(12), abs=0.03)
    assert found.alpha.mean() == pytest.approx(1, abs=0.01)
    assert found.extra.std() == pytest.approx(10, abs=0.15)
    assert found.noise.std() == pytest.approx(1, abs=0.01)
    assert found.errors.std() == pytest.approx(0.05, abs=0.001)
    # Resources of one VSP are drawn apart.
    assert np.corrcoef(found.rates.reshape(-1, 3).T)[0, 1] == pytest.approx(0, abs=0.025)


def test_a_seed_says_what_is_drawn():
    one, two, other = drawn(1), drawn(1), drawn(2)
    for name in ("heights", "rates", "alpha", "extra", "noise", "errors"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
        assert not np.array_equal(getattr(one, name), getattr(other, name))


def test_estimates_are_off_by_their_errors():
    found = drawn()
    seen = found.estimated
    assert seen.heights == pytest.approx(found.heights * (1 + found.errors[..., 0]))
    assert seen.rates == pytest.approx(found.rates * (1 + found.errors[..., 1:]))
    assert np.array_equal(seen.noise, found.noise)


@pytest.mark.parametrize("name", ["vsps", "quanta", "batch"])
@pytest.mark.parametrize("wrong", [0, 2.5, True, "3"])
def test_bad_counts_are_explained(name, wrong):
    counts = {"batch": 2, "vsps": 2, "quanta": 2, name: wrong}
    with pytest.raises(InputError, match=f"{name} = {wrong!r}: expected an integer"):
        market.draw(np.random.default_rng(0), **counts)


def test_a_gap_is_no_optimum(monkeypatch):
    """Nothing that is not solved passes for the optimum."""
    right = market.solvers.divisions

    def unsolved(*given, **more):
        return replace(right(*given, **more), status=Status.FEASIBLE, notes=("a gap of 0.1",))

    monkeypatch.setattr(market.solvers, "divisions", unsolved)
    with pytest.raises(InputError, match=r"a gap of 0.1: expected heights and rates"):
        market.optimum(drawn())
