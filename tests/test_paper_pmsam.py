"""Models trained together: formulas by hand from the paper's parameters, laws of what is drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from trained import drawn

from mechkit.errors import InputError
from mechkit.papers import paper_of
from mechkit.papers.pmsam import market


def test_computation_costs():
    # 4 GHz: 1e-28 · 2e7 · 64 · 1.6e19 = 2.048; 0.3 · 2.048 + 0.7 · 0.5 · 8.
    assert market.energy(np.array(4.0)) == pytest.approx(2.048)
    assert market.computation_cost(np.array(4.0)) == pytest.approx(0.6144 + 2.8)


def test_privacy_costs_and_totals():
    assert market.privacy_cost(np.array(1.0)) == pytest.approx(0.5 * math.log(2))
    # Five providers, five iterations and a budget of 2 for each.
    total = market.total_cost(np.array(3.0), np.array(5), np.array(0.25), np.array(2.0), 5)
    assert total == 5 * (15 + 0.5)


def test_contributions():
    # A tenth of the data, loss 1/2: 10 · 0.1 / (2 + 0.5).
    assert market.quality_contribution(np.array(0.1), np.array(0.5)) == pytest.approx(0.4)
    # log(1 / H) = 1; 5,000 samples of 2e7 / 64 cycles at 5 GHz: 1.5625e9 / 5e9 s.
    assert market.training_time(np.exp(-1.0), 1.5625e9, np.array(5e9)) == pytest.approx(0.3125)
    # 10 Mbit at 2 MHz · log2(1 + 3).
    assert market.uploading_time(1e7, np.array(2e6), np.array(3.0)) == pytest.approx(2.5)
    assert market.freshness_contribution(np.array([1.0, math.e, 0.5])) == pytest.approx(
        [0, -1, math.log(2)]
    )


def test_satisfaction_and_benefits():
    assert market.satisfaction(np.array(4.0), np.array(3.0), 0.5) == 5
    # Q = 4, τ^Q = (1/4, 3/4), Q^(1/2) = 2; F = 3, τ^F = (1/3, 2/3).
    found = market.benefit(
        np.array(10.0), np.array(6.0), np.array([1.0, 3.0]), np.array([1.0, 2.0]), 0.5
    )
    assert found == pytest.approx([10 * 2 / 4 + 6 * 1, 10 * 2 * 3 / 4 + 6 * 2])


def test_the_time_that_is_left_bounds_iterations():
    # z s / b = 1.28 s of 10; 8.72 · 2.048.
    assert market.most_iterations(np.array(4.0)) == pytest.approx(8.72 * 2.048)


def test_budgets_cover_costs_of_eq_2():
    costs = np.array([[[1.0, 2.0], [2.0, 2.5]]])
    assert market.affordable(costs, np.array([[1.0, 2.0]])).tolist() == [[True, False]]


def test_supporters_are_those_whose_proposals_nearly_reach():
    assert market.supporters(np.array([[1.0, 1.0, 1.25, 2.0]]), 0.25).tolist() == [[3, 3, 3, 0]]
    rng = np.random.default_rng(0)
    proposals = rng.integers(1, 9, (200, 3, 7)) / 4
    for tolerance in (0.0, 0.25, 1.0):
        found = market.supporters(proposals, tolerance)
        for at in np.ndindex(200, 3):
            mine = proposals[at]
            slow = [
                sum(mine[j] * (1 + tolerance) >= mine[i] for j in range(7) if j != i)
                for i in range(7)
            ]
            assert found[at].tolist() == slow


def test_what_is_drawn_fits_together():
    found = drawn(batch=60, users=10)
    p = found.parameters
    assert found.clock.min() >= 3
    assert found.clock.max() <= 5
    assert found.privacy.min() >= 1
    assert found.privacy.max() <= 5
    assert (found.budgets == 1000).all()
    assert (drawn(users=4, providers=10).budgets == 800).all()
    by_hand = 0.3 * 1.28e-19 * (1e9 * found.clock) ** 2 + 2.8
    assert found.computing == pytest.approx(by_hand)
    costs = 5 * (by_hand * 5 + 0.5 * np.log(1 + found.gradient) * found.privacy)
    assert found.costs == pytest.approx(costs)
    assert found.quality == pytest.approx(1 / (2 + found.loss))
    # Training, uploading and consensus take less than a period: fresh.
    assert found.freshness.min() > 0
    # No less than consensus (1 s of 10), and training at the pace of eq. 11.
    training = np.log(1 / found.loss) * 1.5625e9 / (1e9 * found.clock)
    assert (np.exp(-found.freshness) * 10 >= training + 1 + 1e7 / (5e6 * math.log2(101))).all()
    pleased = found.quality.sum(axis=-1) ** p.elasticity + found.freshness.sum(axis=-1)
    worth = np.minimum(found.worth[..., None] * pleased[:, None], 1000)
    assert found.values == pytest.approx(worth)


def test_laws_of_what_is_drawn():
    found = drawn(batch=3000)
    # Standard errors of a mean of uniforms: width · 0.289 / √n.
    assert found.clock.mean() == pytest.approx(4, abs=0.012)
    assert found.worth.mean() == pytest.approx(50, abs=1)
    assert found.wants.mean() == pytest.approx(0.5, abs=0.02)
    assert found.offers.mean() == pytest.approx(0.5, abs=0.02)
    assert (found.support < 2).mean() > 0.05  # some are voted down by 4 users
    assert (found.support >= 2).mean() > 0.5


def test_a_seed_says_what_is_drawn():
    one, two, other = drawn(1), drawn(1), drawn(2)
    for name, array in vars(one).items():
        assert np.array_equal(array, getattr(two, name))
        fixed = name in ("budgets", "parameters")
        assert fixed or not np.array_equal(array, getattr(other, name))


@pytest.mark.parametrize("name", ["users", "providers", "organisations", "batch"])
@pytest.mark.parametrize("wrong", [0, 2.5, True, "3"])
def test_bad_counts_are_explained(name, wrong):
    counts = {"batch": 2, "users": 2, "providers": 2, "organisations": 2, name: wrong}
    with pytest.raises(InputError, match=f"{name} = {wrong!r}: expected an integer"):
        market.draw(np.random.default_rng(0), **counts)


def test_the_paper_describes_itself():
    paper = paper_of("pmsam")
    assert paper.id == "pmsam"
    first = paper.market.draw(np.random.default_rng(0), 2)
    named = paper.market.draw(np.random.default_rng(0), 2, **paper.market.sizes)
    for name, array in vars(first).items():
        assert np.array_equal(array, getattr(named, name))
    for name, size in paper.market.sizes.items():
        assert paper.market.large[name] == 10 * size
