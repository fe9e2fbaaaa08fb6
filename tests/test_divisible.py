"""Divisible resources: prices against Clarabel, closed forms against theorems, bad input."""

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize

import solvers
from solvers import Concave, Linear, Logarithmic, Saturating
from solvers.tangents import Utility


def eq39(agents, seed=0, resources=3):
    rng = np.random.default_rng(seed)
    return Saturating(rng.uniform(100, 200, agents), rng.uniform(0, 10, (agents, resources)))


def dual(utilities, prices, capacities):
    """λ·C + Σ_i max_s u_i(s) − λ·s, each maximum by a scan of t = ξ·s."""
    total = float(prices @ capacities)
    for beta, xi in zip(utilities.heights, utilities.rates, strict=True):
        cost = min(p / x for p, x in zip(prices, xi, strict=True) if x > 0)
        found = optimize.minimize_scalar(
            lambda t, b=beta, c=cost: c * t - b * (1 - np.exp(-t)), bounds=(0, 60),
            method="bounded", options={"xatol": 1e-9},
        )  # fmt: skip
        total += max(0.0, -found.fun)
    return total


@pytest.mark.parametrize("agents", [1, 2, 10, 60])
@pytest.mark.parametrize("capacities", [1.0, [2.0, 0.5, 1.0], [1.0, 0.0, 3.0]])
def test_prices_meet_clarabel(agents, capacities):
    utilities = eq39(agents)
    found = solvers.divisible(utilities, capacities)
    conic = solvers.divisible(utilities, capacities, method="clarabel")
    limits = np.broadcast_to(capacities, (3,))
    assert found.status == "optimal"
    assert found.value == pytest.approx(conic.value, rel=1e-6)
    assert found.gap <= 1e-9
    # Feasible, and the bound follows from the prices by other code.
    assert (found.allocation >= 0).all()
    assert (found.allocation.sum(axis=0) <= limits * (1 + 1e-12)).all()
    worth = utilities.heights * (1 - np.exp(-(utilities.rates * found.allocation).sum(axis=1)))
    assert worth.sum() == pytest.approx(found.value, rel=1e-12)
    assert dual(utilities, found.certificate.prices, limits) == pytest.approx(found.bound, rel=1e-7)


def test_the_dual_bounds_at_any_prices():
    utilities = eq39(8)
    found = solvers.divisible(utilities)
    rng = np.random.default_rng(1)
    for _ in range(30):
        found.certificate.prices[:] = rng.uniform(0, 300, 3)
        assert found.certificate.bound() >= found.value * (1 - 1e-12)


def test_payments_are_those_of_problems_solved_one_by_one():
    utilities = eq39(6)
    found = solvers.divisible(utilities, payments=True)
    own = utilities.utilities(found.allocation)
    for i in range(6):
        keep = np.arange(6) != i
        rest = Saturating(utilities.heights[keep], utilities.rates[keep])
        alone = solvers.divisible(rest, method="clarabel")
        paid = alone.value - own[keep].sum()
        assert found.payments[i] == pytest.approx(paid, abs=1e-4)
        assert 0 <= found.payments[i] <= own[i]


def test_one_resource_is_water_filling():
    # Equal rates: β exp(−ξ s) = λ for all who get something.
    utilities = Saturating([1.0, 2.0, 0.001], [[3.0], [3.0], [3.0]])
    s = solvers.divisible(utilities, tolerance=1e-13).allocation[:, 0]
    assert s == pytest.approx([(3 - np.log(2)) / 6, (3 + np.log(2)) / 6, 0], abs=1e-6)


def test_identical_bidders_pay_alike_and_zero_values_nothing():
    found = solvers.divisible(Saturating(np.ones(5), np.ones((5, 3))), payments=True)
    assert found.value == pytest.approx(5 * (1 - np.exp(-3 / 5)))
    assert found.payments == pytest.approx(np.full(5, found.payments[0]), abs=1e-5)
    nothing = solvers.divisible(Saturating(np.zeros(3), np.ones((3, 2))), payments=True)
    assert (nothing.value, nothing.bound, nothing.status) == (0, 0, "optimal")
    assert (nothing.payments == 0).all()
    assert solvers.divisible(eq39(3), 0.0).value == 0


@pytest.mark.parametrize("scale", [1e-9, 1e12])
def test_values_of_any_size(scale):
    plain = eq39(20)
    scaled = solvers.divisible(Saturating(plain.heights * scale, plain.rates))
    assert scaled.value == pytest.approx(solvers.divisible(plain).value * scale, rel=1e-9)
    rng = np.random.default_rng(0)
    mixed = Saturating(10.0 ** rng.uniform(-9, 12, 200), rng.uniform(0, 10, (200, 3)))
    assert solvers.divisible(mixed).gap <= 1e-7


def test_many_bidders():
    found = solvers.divisible(eq39(20_000))
    assert found.status == "optimal"
    assert found.gap <= 1e-9
    assert found.certificate.violation(found.allocation) <= 1e-12


def test_linear_the_highest_slope_takes_all_and_pays_the_second():
    found = solvers.divisible(Linear([[3, 1], [2, 5], [1, 4]]), [2, 1], payments=True)
    assert found.value == found.bound == 11
    assert found.allocation.tolist() == [[2, 0], [0, 1], [0, 0]]
    assert found.payments.tolist() == [4, 4, 0]


def test_proportional_fairness():
    weights = np.array([[1.0, 2], [3, 0], [2, 2]])
    found = solvers.divisible(Logarithmic(weights), [6, 8], payments=True)
    assert found.allocation == pytest.approx(np.array([[1, 4], [3, 0], [2, 4]]))
    assert found.gap <= 1e-12
    own = found.certificate.utilities.utilities(found.allocation)
    for i in range(3):
        keep = np.arange(3) != i
        rest = solvers.divisible(Logarithmic(weights[keep]), [6, 8]).value
        assert found.payments[i] == pytest.approx(rest - own[keep].sum())


def test_any_concave_utilities():
    import cvxpy as cp

    functions = [
        lambda s: cp.sqrt(s[0]),
        lambda s: 2 * cp.sqrt(s[0]),
        lambda s: cp.minimum(s[0], 1),
    ]
    found = solvers.divisible(Concave(functions[:2], 1), 5.0, payments=True)
    # √s and 2√s share 1 : 4, so W = √5 √5 = 5; each pays the other's gain from its absence.
    assert found.value == pytest.approx(5, rel=1e-6)
    assert found.allocation[:, 0] == pytest.approx([1, 4], abs=1e-3)
    assert found.payments == pytest.approx([2 * 5**0.5 - 4, 5**0.5 - 1], abs=1e-3)
    assert solvers.divisible(Concave(functions, 1), 5.0).gap <= 1e-6
    with pytest.raises(ValueError, match="concave CVXPY expression"):
        solvers.divisible(Concave([lambda s: cp.square(s[0])], 1))


def test_a_time_limit_is_no_optimum():
    found = solvers.divisible(eq39(50), seconds=0.0, payments=True)
    assert found.status == "feasible"
    assert 0 < found.value < found.bound < np.inf
    assert found.payments is None
    assert any("limit" in note for note in found.notes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Saturating([1, np.nan], np.ones((2, 3))), "heights holds nan at (1,)"),
        (lambda: Saturating([1, 1], -np.ones((2, 3))), "rates holds -1.0 at (0, 0)"),
        (lambda: Saturating([1], np.ones((2, 3))), "1 heights and 2 rows of rates"),
        (lambda: Saturating([[1]], np.ones((2, 3))), "heights has shape (1, 1)"),
        (lambda: Linear("no"), "slopes is 'no'"),
        (lambda: solvers.divisible(Linear(np.ones((0, 2)))), "0 bidders"),
        (lambda: solvers.divisible(eq39(2), [1, 2]), "2 capacities for 3 resources"),
        (lambda: solvers.divisible(eq39(2), -1), "capacities holds -1.0"),
        (lambda: solvers.divisible(np.ones(3)), "give Saturating, Linear"),
        (lambda: solvers.divisible(eq39(2), method="best"), "method is 'best'"),
        (lambda: Concave([3], 1), "functions[0] is 3"),
    ],
)
def test_bad_input_is_explained(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def families():
    import cvxpy as cp

    rng = np.random.default_rng(3)
    heights, rates = rng.uniform(1, 2, 3), rng.uniform(0, 4, (3, 2))
    return [
        Saturating(heights, rates),
        Linear(rates),
        Logarithmic(rates),
        Concave([lambda s, i=i: heights[i] * (1 - cp.exp(-(rates[i] @ s))) for i in range(3)], 2),
    ]


@pytest.mark.parametrize("k", range(4))
def test_the_certificate_is_checked_without_the_solver(k, monkeypatch):
    found = solvers.divisible(families()[k], [2.0, 0.5])
    for module, name in (("interior", "path"), ("conic", "_solve"), ("tangents", "_least")):
        monkeypatch.setattr(f"solvers.{module}.{name}", None)
    certificate = found.certificate
    checked = solvers.check(certificate)
    assert found.status == "optimal"
    assert checked.holds
    assert (checked.value, max(checked.value, checked.bound)) == (found.value, found.bound)
    shares, prices = certificate.shares, certificate.prices
    worse = shares[[1, 2, 0]]
    for changed in (
        {"shares": shares * 1.001},
        {"shares": worse},
        {"shares": shares * np.nan},
        {"shares": shares[:, :1]},
        {"shares": shares - shares.max()},
        {"prices": prices * 1.01},
        {"prices": prices * 0},
        {"prices": -prices},
        {"prices": prices[:1]},
        {"prices": prices * np.inf},
        {"capacities": certificate.capacities * 1.1},
    ):
        tampered = solvers.check(replace(certificate, **changed))
        assert not tampered.holds, changed
        assert tampered.reason


def test_tangents_bound_what_prices_leave():
    utilities = families()[3]
    limits = np.array([2.0, 0.5])
    found = solvers.divisible(utilities, limits)
    rng = np.random.default_rng(0)
    for _ in range(100):
        shares = rng.random((3, 2)) * limits
        prices = found.certificate.prices * rng.uniform(0, 2, 2)
        bound = replace(found.certificate, prices=prices).bound()
        assert utilities.utilities(shares).sum() + prices @ (limits - shares.sum(axis=0)) <= bound
    first, *rest = found.certificate.tangents
    weights = first.weights
    for other in (
        replace(first, weights=-weights),
        replace(first, weights=weights * 0),
        replace(first, weights=weights * np.nan),
        replace(first, points=first.points[:, :1]),
        replace(first, points=first.points * np.nan),
    ):
        assert replace(found.certificate, tangents=(other, *rest)).bound() == np.inf
    assert replace(found.certificate, tangents=tuple(rest)).bound() == np.inf
    # Other points, and other sums of the weights, only loosen the bound.
    for other in (replace(first, points=first.points / 2), replace(first, weights=weights / 3)):
        changed = replace(found.certificate, tangents=(other, *rest)).bound()
        assert changed >= found.value * (1 - 1e-12)


def test_a_slope_that_is_none_proves_nothing(monkeypatch):
    found = solvers.divisible(families()[3], [2.0, 0.5])
    honest = Utility.at

    def flat(self, point):
        value, slope = honest(self, point)
        return value, slope / 2

    monkeypatch.setattr(Utility, "at", flat)
    looks = [replace(t, points=np.vstack([t.points, np.zeros((1, 2))])) for t in
             found.certificate.tangents]  # fmt: skip
    wider = tuple(replace(t, weights=np.append(t.weights, 0.0)) for t in looks)
    assert replace(found.certificate, tangents=wider).bound() == np.inf


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_concave_utilities_of_any_size_with_kinks_and_roots(scale):
    import cvxpy as cp

    cases = [
        ([lambda s: scale * cp.sqrt(s[0]), lambda s: 2 * scale * cp.sqrt(s[0]),
          lambda s: scale * cp.minimum(s[0], 1)], 1, 5.0, 1 + 20**0.5),
        ([lambda s, i=i: scale * (1 + i) * cp.geo_mean(s) for i in range(5)], 3, [1, 2, 0.5], 5.0),
        ([lambda s, i=i: scale * (np.array([i, 1, 2 - i]) @ s) for i in range(3)], 3,
         [1, 2, 0.5], 5.0),
        ([lambda s, i=i: scale * (cp.sqrt(s[0]) + (1 + i) * cp.sqrt(s[1])) for i in range(3)], 2,
         [1, 0], 3**0.5),
    ]  # fmt: skip
    for functions, resources, capacities, best in cases:
        found = solvers.divisible(Concave(functions, resources), capacities)
        assert found.status == "optimal"
        assert found.value / scale == pytest.approx(best, rel=1e-7)
        assert solvers.check(found.certificate).holds


def test_clarabel_at_a_time_limit_leaves_value_and_bound():
    import cvxpy as cp

    functions = [lambda s, i=i: cp.log(1 + i * (s @ np.array([1, 2, 3.0]))) for i in range(8)]
    for utilities, method in ((Concave(functions, 3), "prices"), (eq39(300), "clarabel")):
        found = solvers.divisible(utilities, seconds=1e-4, method=method, payments=True)
        assert found.status == "feasible"
        assert found.value < found.bound
        assert found.payments is None
        assert any("limit" in note for note in found.notes)


def test_payments_where_somebody_is_left_at_minus_infinity():
    found = solvers.divisible(Logarithmic([[1, 2], [3, 0]]), [1, 0], payments=True)
    assert found.value == -np.inf
    # 3 log(4/3) is what the second bidder loses by the first, log 4 the first by the second.
    assert found.payments == pytest.approx([3 * np.log(4 / 3), np.log(4)])
