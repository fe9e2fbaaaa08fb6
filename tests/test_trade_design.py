"""The second best of bilateral trade against Myerson & Satterthwaite's numbers and simulation."""

import numpy as np
import pytest
from scipy import stats

from solvers.design_lp import design
from solvers.trade_design import second_best

UNIFORM = stats.uniform(0, 1)


def test_uniform_types():
    found = second_best(UNIFORM, UNIFORM)
    assert found.gains == pytest.approx(9 / 64, abs=1e-12)
    assert found.first_best == pytest.approx(1 / 6, abs=1e-12)
    assert found.posted == pytest.approx(1 / 8, abs=1e-12)
    assert found.price == pytest.approx(1 / 2, abs=1e-6)
    assert found.deficit == pytest.approx(1 / 6, abs=1e-12)
    assert found.alpha == pytest.approx(1 / 3, abs=1e-9)
    assert found.allocate(0.5, np.array([0.24, 0.26])).tolist() == [True, False]
    np.testing.assert_allclose(found.pay(0.9, 0.2), [0.45, -0.65], atol=1e-9)


def test_a_sure_trade_needs_no_subsidy():
    found = second_best(stats.uniform(2, 1), UNIFORM)
    assert found.gains == pytest.approx(found.first_best) == pytest.approx(2)
    assert found.alpha == 0
    assert found.deficit == pytest.approx(-1)
    never = second_best(UNIFORM, stats.uniform(2, 1))
    assert never.gains == never.first_best == never.posted == 0


@pytest.mark.parametrize(
    ("buyer", "seller"),
    [(stats.expon(), UNIFORM), (stats.beta(2, 2), stats.beta(2, 2)), (UNIFORM, stats.expon())],
    ids=["expon", "beta", "expon seller"],
)
def test_simulation(buyer, seller):
    found = second_best(buyer, seller)
    rng = np.random.default_rng(5)
    v, c = (p.rvs(size=40_000, random_state=rng) for p in (buyer, seller))
    trade, paid = found.allocate(v, c), found.pay(v, c).sum(-1)
    for sample, truth in (
        ((v - c) * trade, found.gains),
        (np.maximum(v - c, 0), found.first_best),
        ((v - c) * ((v >= found.price) & (c <= found.price)), found.posted),
        (paid, 0.0),
    ):
        assert abs(sample.mean() - truth) < 4.5 * sample.std() / np.sqrt(len(sample))
    assert found.posted < found.gains < found.first_best
    assert found.error < 1e-7


def test_against_programs_on_grids_rounded_for_better_and_for_worse():
    buyer, seller, k = stats.uniform(1, 1), stats.uniform(0.5, 1), 40
    bounds = []
    for up in (0, 1):
        v, c = 1 + (np.arange(k) + up) / k, 0.5 + (np.arange(k) + 1 - up) / k
        values = [np.column_stack([0 * v, v]), np.column_stack([0 * c, -c])]
        chances = [np.full(k, 1 / k)] * 2
        found = design(values, chances, ic="bic", ir="interim", budget="exante", objective="gains")
        bounds.append(found.value)
    assert bounds[0] < second_best(buyer, seller).gains < bounds[1]


@pytest.mark.parametrize(
    ("buyer", "seller", "message"),
    [
        (stats.uniform, UNIFORM, "buyer_prior is .*expected a frozen"),
        (UNIFORM, stats.randint(0, 2), "seller_prior is discrete"),
        (stats.pareto(1), UNIFORM, "finite mean"),
        (stats.uniform(0, -1), UNIFORM, "invalid"),
        (stats.beta(0.3, 0.3), UNIFORM, "buyer_prior is irregular"),
    ],
)
def test_refused(buyer, seller, message):
    with pytest.raises(ValueError, match=message):
        second_best(buyer, seller)
