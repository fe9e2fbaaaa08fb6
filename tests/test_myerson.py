"""Myerson's auction against closed forms, simulation, other programs and its own promises."""

import itertools

import numpy as np
import pytest
from scipy import integrate, optimize, spatial, stats

from solvers.myerson import myerson, second_price_revenue

UNIFORM = stats.uniform(0, 1)
# Two humps, so that the middle is ironed.
BIMODAL = stats.rv_histogram((np.array([6.0, 1, 1, 4]), np.array([0.0, 1, 2, 3, 4])))()


class WithAtom(stats.rv_continuous):
    """Uniform on [0, 1] with probability 1/2, else exactly 1/2."""

    def _cdf(self, x):
        return np.where(x < 0.5, x / 2, 0.5 + x / 2)

    def _ppf(self, q):
        return np.where(q < 0.25, 2 * q, np.where(q <= 0.75, 0.5, 2 * q - 1))

    def _pdf(self, x):
        return np.full(np.shape(x), 0.5)


ATOM = WithAtom(a=0.0, b=1.0)()


@pytest.mark.parametrize(
    ("n", "revenue"), [(1, 1 / 4), (2, 5 / 12), (3, 17 / 32), (4, 49 / 80), (5, 43 / 64)]
)
def test_uniform_values(n, revenue):
    found = myerson([UNIFORM] * n)
    assert found.revenue == pytest.approx(revenue, abs=1e-8)
    assert found.revenue <= revenue + 1e-12 <= found.revenue + found.error + 2e-12
    assert found.error < 1e-7
    np.testing.assert_allclose(found.reserves, 0.5, atol=1e-9)
    np.testing.assert_allclose(found.virtual[0](np.array([0.1, 0.6, 1])), [-0.8, 0.2, 1], atol=1e-9)
    # E[max; max ≥ 1/2] of n uniform values.
    assert found.welfare == pytest.approx(n / (n + 1) * (1 - 0.5 ** (n + 1)), abs=1e-7)


def highest_of(chances, top):
    """∫_0^top (1 − Π P(φ_i ≤ t)) dt, the expectation of the highest non-negative virtual value."""
    return integrate.quad(lambda t: 1 - np.prod([p(t) for p in chances]), 0, top, epsabs=1e-12)[0]


@pytest.mark.parametrize(
    ("priors", "revenue"),
    [
        ([stats.expon()], np.exp(-1)),
        ([stats.expon()] * 2, 2 * np.exp(-1) - np.exp(-2) / 2),
        ([UNIFORM, stats.uniform(0, 2)], 31 / 48),
        # φ(v) = v (1 − 1/a) for a Pareto prior, positive everywhere: E[max] (1 − 1/a).
        ([stats.pareto(3)] * 2, 2 / 3 * 9 / 5),
        ([stats.pareto(1.5)] * 2, 1 / 3 * 9 / 2),
        # φ(v) = 2v − 2, positive everywhere.
        ([stats.uniform(1, 1)] * 2, 1 / 3 + 1),
        ([stats.randint(0, 2)] * 2, 3 / 4),
        ([stats.randint(1, 3)] * 2, 3 / 2),
        ([stats.uniform(-2, 1)] * 2, 0.0),
        ([stats.uniform(-1, 2)], 1 / 8),
        ([ATOM], 3 / 8),
    ],
)
def test_closed_forms(priors, revenue):
    found = myerson(priors)
    assert found.revenue == pytest.approx(revenue, abs=2e-8)
    assert found.revenue - 1e-12 <= revenue <= found.revenue + found.error + 1e-12


def test_equal_revenue_sells_for_one_at_every_price():
    found = myerson([stats.truncpareto(1, 10)])
    sales = stats.truncpareto(1, 10)
    best = optimize.minimize_scalar(
        lambda v: -v * sales.sf(v), bounds=(1, 10), method="bounded", options={"xatol": 1e-10}
    )
    assert found.revenue == pytest.approx(max(-best.fun, 1.0), abs=1e-8)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_the_unit_of_money_is_immaterial(scale):
    found = myerson([stats.uniform(0, scale)] * 3)
    assert found.revenue == pytest.approx(17 / 32 * scale, rel=1e-7)
    assert found.error < 1e-6 * scale


@pytest.mark.parametrize("units", [1, 2, 3, 5])
def test_units(units):
    found = myerson([UNIFORM] * 3, units=units)
    served = stats.binom(3, 0.5)
    truth = integrate.quad(
        lambda t: sum(
            min(units, k) * stats.binom.pmf(k, 3, (1 - t) / 2) for k in range(served.args[0] + 1)
        ),
        0,
        1,
    )[0]
    assert found.revenue == pytest.approx(truth, abs=2e-8)


def test_a_heavy_tail_says_how_little_is_known_of_it():
    found = myerson([stats.pareto(1.01)])
    assert found.revenue == pytest.approx(1)
    assert 1e-6 < found.error < 1e-2


def test_ironing_against_a_hull_in_quantiles():
    quantiles = np.linspace(0, 1, 200_001)
    revenue = quantiles * BIMODAL.isf(quantiles)
    hull = spatial.ConvexHull(np.column_stack([quantiles, revenue]))
    corners = np.sort(hull.vertices)
    upper = [k for k in corners if revenue[k] >= -1e-12 + quantiles[k] * revenue[-1]]
    q, r = quantiles[upper], revenue[upper]
    slopes = np.diff(r) / np.diff(q)
    found = myerson([BIMODAL])
    values = np.array([0.3, 0.9, 1.5, 2.5, 3.5, 3.9])
    at = np.clip(np.searchsorted(q, BIMODAL.sf(values), side="right") - 1, 0, len(slopes) - 1)
    np.testing.assert_allclose(found.virtual[0](values), slopes[at], atol=2e-4)
    ironed = found.virtual[0](np.linspace(1.5, 2.7, 9))
    assert np.ptp(ironed) == 0
    assert np.ptp(values[2:4] - BIMODAL.sf(values[2:4]) / BIMODAL.pdf(values[2:4])) > 0.1
    # By hand: reserve 3, sold above it with φ(v) = 2v − 4 ≥ 2; 10/9 + 16/27.
    two = myerson([BIMODAL] * 2).revenue
    assert two == pytest.approx(46 / 27, abs=2e-8)
    assert two > second_price_revenue([BIMODAL] * 2, reserve=2.0)


CASES = {
    "uniform": ([UNIFORM] * 3, 1),
    "asymmetric": ([UNIFORM, stats.expon(), stats.uniform(1, 2)], 1),
    "ironed": ([BIMODAL, BIMODAL, stats.uniform(0, 4)], 1),
    "two units": ([BIMODAL, UNIFORM, stats.uniform(0, 4), stats.expon()], 2),
    "discrete": ([stats.binom(3, 0.4), stats.randint(0, 4), UNIFORM], 1),
    "atom": ([ATOM, ATOM, UNIFORM], 1),
    "plenty": ([UNIFORM, stats.expon()], 3),
}


@pytest.mark.parametrize("priors_units", CASES.values(), ids=CASES)
def test_simulation(priors_units):
    priors, units = priors_units
    rng = np.random.default_rng(7)
    values = np.stack([p.rvs(size=60_000, random_state=rng) for p in priors], axis=-1)
    found = myerson(priors, units=units)
    for sample, truth in (
        (found.pay(values).sum(-1), found.revenue),
        ((values * found.allocate(values)).sum(-1), found.welfare),
    ):
        assert abs(sample.mean() - truth) < 4.5 * sample.std() / np.sqrt(len(sample))


@pytest.mark.parametrize("priors_units", CASES.values(), ids=CASES)
def test_no_lie_pays_and_nobody_loses(priors_units):
    priors, units = priors_units
    found = myerson(priors, units=units)
    rng = np.random.default_rng(3)
    levels = np.array([0, 0.2, 0.5, 0.5, 1, 1.5, 2, 3, 3.99])
    values = rng.choice(levels, size=(400, len(priors)))
    values[200:] += rng.random((200, len(priors)))
    won, paid = found.allocate(values), found.pay(values)
    assert won.sum(-1).max() == min(units, len(priors))
    assert (paid[~won] == 0).all()
    utility = values * won - paid
    assert utility.min() >= -1e-12
    for i, lie in itertools.product(range(len(priors)), np.concatenate([levels, rng.random(20)])):
        reports = values.copy()
        reports[:, i] = lie
        gained = (values * found.allocate(reports) - found.pay(reports))[:, i]
        assert (gained - utility[:, i]).max() <= 1e-9


def test_uniform_is_second_price_with_a_reserve():
    found = myerson([UNIFORM] * 2)
    values = np.array([[0.3, 0.9], [0.7, 0.9], [0.5, 0.5], [0.2, 0.1], [0.8, 0.8]])
    allocation = found.allocate(values)
    assert allocation.tolist() == [
        [False, True], [False, True], [True, False], [False, False], [True, False]
    ]  # fmt: skip
    prices = found.pay(values, allocation).sum(-1)
    np.testing.assert_allclose(prices, [0.5, 0.7, 0.5, 0, 0.8], atol=1e-9)


@pytest.mark.parametrize(
    ("levels", "chances"),
    [([1, 2, 3], [0.5, 0.1, 0.4]), ([0, 1, 4, 5], [0.3, 0.4, 0.1, 0.2]), ([2], [1.0])],
)
def test_discrete_priors_against_a_program_over_all_auctions(levels, chances):
    """max Σ P p over x_i(θ), p_i(θ): Bayesian incentives and interim rationality in linprog."""
    k = len(levels)
    size = 2 * k * k
    prior = np.outer(chances, chances)
    cost = np.concatenate([np.zeros(size), -np.tile(prior.ravel(), 2)])
    index = np.arange(size).reshape(2, k, k)
    rows, limits = [], []
    for i, truth, report in itertools.product(range(2), range(k), [None, *range(k)]):
        row = np.zeros(2 * size)
        for other in range(k):
            at = index[i][(truth, other) if i == 0 else (other, truth)]
            row[at] -= levels[truth] * chances[other]
            row[size + at] += chances[other]
            if report is not None:
                to = index[i][(report, other) if i == 0 else (other, report)]
                row[to] += levels[truth] * chances[other]
                row[size + to] -= chances[other]
        rows.append(row)
        limits.append(0)
    for a, b in itertools.product(range(k), range(k)):
        row = np.zeros(2 * size)
        row[index[:, a, b]] = 1
        rows.append(row)
        limits.append(1)
    bounds = [(0, 1)] * size + [(None, None)] * size
    best = optimize.linprog(cost, np.array(rows), limits, bounds=bounds)
    prior_of_one = stats.rv_discrete(values=(levels, chances))()
    found = myerson([prior_of_one] * 2)
    assert found.revenue == pytest.approx(-best.fun, abs=1e-9)
    assert found.error < 1e-11


@pytest.mark.parametrize("n", [2, 3, 7])
def test_second_price(n):
    assert second_price_revenue([UNIFORM] * n) == pytest.approx((n - 1) / (n + 1), abs=1e-12)
    with_reserve = second_price_revenue([UNIFORM] * n, reserve=0.5)
    assert with_reserve == pytest.approx(myerson([UNIFORM] * n).revenue, abs=1e-7)


def test_more_bidders_beat_the_optimal_auction():
    """Bulow & Klemperer (1996): one more bidder is worth more than the optimal reserve."""
    prior = stats.expon()
    for n in (1, 2):
        assert second_price_revenue([prior] * (n + 1)) > myerson([prior] * n).revenue


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ([], "priors is empty"),
        (UNIFORM, "expected a list, one prior per agent"),
        ([UNIFORM, stats.uniform], r"priors\[1\] is .*expected a frozen"),
        ([0.3], r"priors\[0\] is 0.3: expected a frozen"),
        ([stats.uniform(0, -1)], "invalid for scipy.stats.uniform"),
        ([stats.uniform(0, np.nan)], "invalid for scipy.stats.uniform"),
        ([stats.pareto(1)], "mean inf: expected a finite mean"),
        ([stats.pareto(0.5)], "truncate the distribution"),
        ([stats.halfcauchy()], "finite mean"),
        ([stats.zipf(1.5)], "finite mean"),
        ([stats.zipf(2.5)], "more than 1,000,000 values"),
    ],
)
def test_refused_priors(priors, message):
    with pytest.raises(ValueError, match=message):
        myerson(priors)


@pytest.mark.parametrize("units", [0, -1, 1.5, True])
def test_refused_units(units):
    with pytest.raises(ValueError, match="expected a whole number of at least 1"):
        myerson([UNIFORM], units=units)


def test_refused_values():
    found = myerson([UNIFORM] * 2)
    with pytest.raises(ValueError, match="one column per agent"):
        found.allocate(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="NaN"):
        found.pay(np.array([[0.5, np.nan]]))
    with pytest.raises(ValueError, match="reserve = -1"):
        second_price_revenue([UNIFORM], reserve=-1)
