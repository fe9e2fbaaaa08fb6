"""Published numbers of revenue and trade, each from the solver that answers such questions."""

from fractions import Fraction as F

import numpy as np
import pytest
import sympy
from scipy import stats

import mechkit as mk
import solvers
from solvers.myerson import second_price_revenue
from solvers.question import winner_values

UNIFORM = stats.uniform()


@pytest.mark.parametrize(
    ("n", "revenue"), [(1, F(1, 4)), (2, F(5, 12)), (3, F(17, 32)), (4, F(49, 80)), (5, F(43, 64))]
)
def test_the_optimal_auction_of_one_item(n, revenue):
    """Myerson 1981, U[0, 1]; without a reserve second price earns (n − 1)/(n + 1)."""
    found = solvers.myerson([UNIFORM] * n)
    assert found.revenue == pytest.approx(float(revenue), abs=1e-6)
    second = second_price_revenue([UNIFORM] * n)
    assert second == pytest.approx((n - 1) / (n + 1), abs=1e-6)


def test_two_items_and_one_additive_buyer():
    """Manelli & Vincent 2006: (12 + 2√2)/27 by the menu of prices 2/3 and (4 − √2)/3; 1/2 by
    selling separately (twice the monopoly's 1/4), so bundling is worth something."""
    item, both = sympy.Rational(2, 3), (4 - sympy.sqrt(2)) / 3
    corner = both - item  # whoever values one item less than this buys at most the other
    one = corner * (1 - item)
    none = item**2 - (2 * item - both) ** 2 / 2
    revenue = 2 * one * item + (1 - 2 * one - none) * both
    assert sympy.simplify(revenue - (12 + 2 * sympy.sqrt(2)) / 27) == 0
    separately = 2 * solvers.myerson([UNIFORM]).revenue
    assert separately == pytest.approx(1 / 2, abs=1e-6)
    assert separately < float(revenue) == pytest.approx(0.549201, abs=1e-6)


def test_two_items_and_two_bidders_item_by_item():
    assert 2 * solvers.myerson([UNIFORM] * 2).revenue == pytest.approx(5 / 6, abs=1e-6)


@pytest.mark.parametrize(("types", "revenue"), [([0, 1], F(3, 4)), ([1, 2], F(3, 2))])
@pytest.mark.parametrize("ic", ["dsic", "bic"])
def test_finite_types(types, revenue, ic):
    chances = [[F(1, 2), F(1, 2)]] * 2
    found = solvers.design(winner_values([types, types]), chances, ic=ic)
    assert found.value == found.bound == revenue


def test_bilateral_trade():
    """Myerson & Satterthwaite 1983, U[0, 1] values and costs."""
    found = solvers.second_best(UNIFORM, UNIFORM)
    assert found.first_best == pytest.approx(1 / 6, abs=1e-6)
    assert found.gains == pytest.approx(9 / 64, abs=1e-6)
    assert found.posted == pytest.approx(1 / 8, abs=1e-6)
    assert found.deficit == pytest.approx(1 / 6, abs=1e-6)


def test_mcafee_and_the_first_best():
    """McAfee 1992: buyers 9, 8, 7, 4 and sellers 2, 3, 4, 5: three trades at 4.5, gains 15."""
    types = np.array([9, 8, 7, 4, 2, 3, 4, 5])
    best = mk.optimum(mk.double_auction(4, 4, high=10), types)
    assert (best.value, best.bound) == (15, 15)
    assert best.allocation.tolist() == [1, 1, 1, 0, 1, 1, 1, 0]
    from mechkit.catalogue import entry_of

    mcafee = entry_of("mcafee").make().resized({"buyer": 4, "seller": 4})
    outcome = mk.play(mcafee, types[None] / 10)
    ((_, x, p, _),) = outcome.draws
    assert (np.asarray(x)[0] * 1).tolist() == best.allocation.tolist()
    assert np.asarray(p)[0][:3] == pytest.approx([0.45] * 3)
    assert np.asarray(p)[0][4:7] == pytest.approx([-0.45] * 3)
