"""Optimal mechanisms over finite types: textbook numbers, incentives by enumeration in Fractions,
a second formulation, and failures that say what they are."""

import itertools
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest

import solvers
from solvers.design_lp import design
from solvers.design_model import design_model
from solvers.optimum import Status
from solvers.question import winner_values

HALF = [F(1, 2), F(1, 2)]


def bilateral(k, values_up, costs_up):
    """Outcomes: no trade, trade; k cells of U[0, 1], each moved to one of its ends."""
    v = [F(j + values_up, k) for j in range(k)]
    c = [F(j + costs_up, k) for j in range(k)]
    return [np.array([[F(0), x] for x in v]), np.array([[F(0), -x] for x in c])]


def utility(values, found, i, t, theta):
    return (
        sum(v * x for v, x in zip(values[i][t], found.allocation[theta], strict=True))
        - (found.payments[theta][i])
    )


def check_by_enumeration(values, joint, found, *, ic, ir, budget):
    """Every constraint of the mechanism, exactly, from its tables alone."""
    shape = joint.shape
    for theta in np.ndindex(shape):
        assert sum(found.allocation[theta]) == 1
        assert min(found.allocation[theta]) >= 0
        if budget == "expost":
            assert sum(found.payments[theta]) >= 0
        if budget == "strong":
            assert sum(found.payments[theta]) == 0
    if budget == "exante":
        assert sum(joint[t] * sum(found.payments[t]) for t in np.ndindex(shape)) >= 0
    for i, k in enumerate(shape):
        for t, r in itertools.product(range(k), repeat=2):
            truth, lie = [], []
            for theta in np.ndindex(shape):
                if theta[i] == t:
                    other = (*theta[:i], r, *theta[i + 1 :])
                    truth.append((joint[theta], utility(values, found, i, t, theta)))
                    lie.append(utility(values, found, i, t, other))
            if ic == "dsic":
                assert all(u >= w for (_, u), w in zip(truth, lie, strict=True))
            assert sum(f * (u - w) for (f, u), w in zip(truth, lie, strict=True)) >= 0
            if ir == "expost":
                assert all(u >= 0 for _, u in truth)
            assert sum(f * u for f, u in truth) >= 0


@pytest.mark.parametrize("ic", ["dsic", "bic"])
@pytest.mark.parametrize("ir", ["expost", "interim"])
@pytest.mark.parametrize(("types", "revenue"), [([0, 1], F(3, 4)), ([1, 2], F(3, 2))])
def test_two_bidders_with_two_types(types, revenue, ic, ir):
    values = winner_values([types, types])
    found = design(values, [HALF, HALF], ic=ic, ir=ir)
    assert found.value == found.bound == revenue
    assert isinstance(found.value, F)
    assert found.status is Status.OPTIMAL
    checked = solvers.check(found.certificate)
    assert (checked.value, checked.bound) == (revenue, revenue)
    check_by_enumeration(values, np.full((2, 2), F(1, 4)), found, ic=ic, ir=ir, budget=None)


@pytest.mark.parametrize("budget", ["exante", "expost", "strong"])
def test_under_independence_a_budget_on_average_is_a_budget_at_every_profile(budget):
    values, k = bilateral(5, 0, 1), 5
    chances = [[F(1, k)] * k] * 2
    options = {"ic": "bic", "ir": "interim", "budget": budget}
    found = design(values, chances, objective="gains", **options)
    assert found.value == found.bound == F(2, 25)
    check_by_enumeration(values, np.full((k, k), F(1, k * k)), found, **options)


def test_myerson_satterthwaite_as_the_grid_grows():
    """Rounding types for the worse keeps a mechanism a mechanism on [0, 1]², which gains more;
    rounding for the better turns one on [0, 1]² into one on the grid. So these are bounds."""
    low, high = [], []
    for k in (10, 20, 40, 80):
        chances = [np.full(k, 1 / k)] * 2
        for ends, into in (((0, 1), low), ((1, 0), high)):
            values = [v.astype(float) for v in bilateral(k, *ends)]
            found = design(
                values, chances, ic="bic", ir="interim", budget="exante", objective="gains"
            )
            assert found.bound == pytest.approx(found.value, abs=1e-9)
            into.append(found.value)
    assert low == sorted(low)
    assert high == sorted(high, reverse=True)
    assert low[-1] < 9 / 64 < high[-1]
    once = [2 * b - a for a, b in itertools.pairwise(low)]
    assert (4 * once[-1] - once[-2]) / 3 == pytest.approx(9 / 64, abs=1e-4)


def two_items(k, up):
    levels = [F(j + up, k) for j in range(k)]
    return [np.array([[F(0), a, b, a + b] for a in levels for b in levels])]


def test_two_items_approach_the_known_optimum_from_above():
    """Types moved up within their cells: the optimal mechanism, with what it gives charged the
    difference, serves them, so that the program's value is no less than (12 + 2√2)/27."""
    known = (12 + 2 * np.sqrt(2)) / 27
    found = []
    for k in (3, 5, 8):
        values = [v.astype(float) for v in two_items(k, 1)]
        found.append(design(values, [np.full(k * k, 1 / k**2)]).value)
    assert found == sorted(found, reverse=True)
    assert known < found[-1] < known + 1.1 / 8


def test_the_menu_of_two_items_earns_what_is_known():
    import sympy

    item, both = sympy.Rational(2, 3), (4 - sympy.sqrt(2)) / 3
    a = both - item
    alone = (1 - item) * a
    together = (1 - a) ** 2 - (both - 2 * a) ** 2 / 2
    revenue = sympy.simplify(2 * item * alone + both * together)
    assert sympy.simplify(revenue - (12 + 2 * sympy.sqrt(2)) / 27) == 0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ic", ["dsic", "bic"])
def test_against_the_pyomo_formulation(seed, ic):
    import pyomo.environ as pyo

    rng = np.random.default_rng(seed)
    sizes = [(2, 3), (3, 3), (2, 2, 2)][seed % 3]
    values = [rng.integers(0, 7, size=(k, 3)) for k in sizes]
    values = [
        np.hstack([np.zeros((k, 1), dtype=int), v]) for v, k in zip(values, sizes, strict=True)
    ]
    weights = [rng.integers(1, 5, size=k) for k in sizes]
    chances = [[F(int(w), int(z.sum())) for w in z] for z in weights]
    joint = np.array([F(1)])
    for p in chances:
        joint = np.multiply.outer(joint, np.array(p, dtype=object))
    joint = joint.reshape(sizes)
    options = {
        "ic": ic,
        "ir": ["expost", "interim"][seed % 2],
        "budget": [None, "exante", "expost", "strong"][(seed + (ic == "bic")) % 4],
        "objective": ["revenue", "welfare", "gains"][seed // 2],
    }
    found = design(values, chances, **options)
    assert found.status is Status.OPTIMAL
    assert found.value == found.bound
    asked = {name: option for name, option in options.items() if name != "objective"}
    check_by_enumeration(values, joint, found, **asked)
    model = design_model(values, chances, **options)
    solved = pyo.SolverFactory("appsi_highs").solve(model)
    assert solved.solver.termination_condition == pyo.TerminationCondition.optimal
    assert float(found.value) == pytest.approx(pyo.value(model.best), abs=1e-7)


def test_correlation_extracts_all_surplus():
    """Crémer & McLean 1988: with independent beliefs interim rationality leaves nothing."""
    joint = np.array([[F(3, 8), F(1, 8)], [F(1, 8), F(3, 8)]])
    found = design(winner_values([[1, 2], [1, 2]]), joint, ic="bic", ir="interim")
    assert found.value == found.bound == F(3, 8) + 2 * F(5, 8)


def test_what_no_finite_bound_shows_is_not_called_optimal():
    joint = np.array([[0.37, 0.13], [0.11, 0.39]])
    values = [v.astype(float) for v in winner_values([[1, 2], [1, 2]])]
    found = design(values, joint, ic="bic", ir="interim")
    assert (found.status is Status.OPTIMAL) == (found.gap < 1e-6)
    if np.isinf(found.bound):
        assert any("no natural bounds" in note for note in found.notes)


SCALES = [2.0**-30, 1e-9, 1.0, 1e12]


@pytest.mark.parametrize("ic", ["dsic", "bic"])
@pytest.mark.parametrize("budget", [None, "exante", "expost", "strong"])
def test_the_unit_of_money_is_immaterial(ic, budget):
    """Solved and certified in every unit, in floats and in Fractions."""
    rng = np.random.default_rng(1)
    whole = [
        np.hstack([np.zeros((3, 1), dtype=int), rng.integers(0, 9, size=(3, 2))]) for _ in range(2)
    ]
    thirds = [[F(1, 3)] * 3] * 2
    options = {"ic": ic, "ir": "interim", "budget": budget, "objective": "gains"}
    exactly = design(whole, thirds, **options)
    assert exactly.value == exactly.bound
    for scale in SCALES:
        floats = [v * scale for v in whole]
        found = design(floats, [np.full(3, 1 / 3)] * 2, **options)
        assert found.status is Status.OPTIMAL
        assert found.value == pytest.approx(float(exactly.value) * scale, rel=1e-7)
        assert found.bound == pytest.approx(found.value, rel=1e-9)
        checked = solvers.check(found.certificate)
        assert checked.holds
        assert float(checked.value) == pytest.approx(found.value, rel=1e-12)
        rationals = [v * F(scale) for v in whole]
        again = design(rationals, thirds, **options)
        assert again.value == again.bound == exactly.value * F(scale)
        assert solvers.check(again.certificate).gap == 0
        asked = {name: option for name, option in options.items() if name != "objective"}
        check_by_enumeration(rationals, np.full((3, 3), F(1, 9)), again, **asked)


@pytest.mark.parametrize("scale", SCALES)
def test_no_unit_is_too_small_to_be_checked(scale):
    """A mechanism that takes 1 % more than it may is rejected, however small its money is."""
    values = [v * scale for v in winner_values([[1.0, 2.0], [1.0, 2.0]])]
    honest = design(values, [np.full(2, 0.5)] * 2).certificate
    assert solvers.check(honest).holds
    money = honest.program.high != 1  # the bounds of payments; probabilities end at 1
    money |= honest.program.low != 0
    assert money.any()
    dearer = replace(honest, x=np.where(money, 1.01 * honest.x, honest.x))
    assert "breaks a constraint" in solvers.check(dearer).reason
    rest = np.flatnonzero(~money)
    doubled = honest.x.copy()
    doubled[rest] *= 1.01
    assert "breaks a constraint" in solvers.check(replace(honest, x=doubled)).reason


def test_agents_of_very_different_means():
    """The poor buyer decides nothing of the revenue, and is still told no lie."""
    rich, poor = 1e9 * np.array([1.0, 2.0, 3.0]), 1e-3 * np.array([1.0, 2.0, 5.0])
    # Outcome 1 serves the rich one, outcome 2 the poor one.
    values = [np.outer(rich, [0, 1, 0]), np.outer(poor, [0, 0, 1])]
    found = design(values, [np.full(3, 1 / 3)] * 2)
    assert found.status is Status.OPTIMAL
    assert solvers.check(found.certificate).holds
    x, p = found.allocation, found.payments
    utility = poor[None, :, None] * x[:, None, :, 2] - p[:, None, :, 1]
    truth = np.einsum("stt->st", utility)
    assert (utility <= truth[..., None] + 1e-9 * poor.max()).all()
    assert (truth >= -1e-9 * poor.max()).all()


def test_floats_whose_dual_needs_more_than_floats_are_certified_in_rationals():
    """Without natural bounds of payments, a float multiplier that is off by an ulp shows nothing:
    the program is solved in the rationals that the floats are."""
    joint = np.array([[0.375, 0.125], [0.125, 0.375]])
    values = [v.astype(float) for v in winner_values([[1, 2], [1, 2]])]
    found = design(values, joint, ic="bic", ir="interim")
    assert found.status is Status.OPTIMAL
    assert found.value == found.bound == 3 / 8 + 2 * 5 / 8
    assert isinstance(found.value, float)
    assert found.payments.dtype == float
    assert solvers.check(found.certificate).holds


@pytest.mark.parametrize(
    ("values", "chances", "options", "message"),
    [
        ([], [], {}, "values is empty"),
        ([np.zeros((0, 2))], [np.zeros(0)], {}, "at least one type"),
        ([[[0, 1]], [[0, 1, 2]]], [[1], [1]], {}, "2 outcomes|3 outcomes"),
        (winner_values([[0, 1]]), [[F(1, 2), F(1, 3)]], {}, "sums to 5/6: expected 1"),
        (winner_values([[0, 1]]), [[0.5, 0.6]], {}, "sums to 1.1"),
        (winner_values([[0, 1]]), [[F(3, 2), F(-1, 2)]], {}, "holds -1/2"),
        (winner_values([[0, 1]]), [[F(1)]], {}, "shapes"),
        (winner_values([[0.0, np.nan]]), [HALF], {}, "holds nan"),
        (winner_values([[0, 1]]), [HALF], {"ic": "nash"}, "ic = 'nash'"),
        (winner_values([[0, 1]]), [HALF], {"budget": "weak"}, "budget = 'weak'"),
    ],
)
def test_bad_questions(values, chances, options, message):
    with pytest.raises(ValueError, match=message):
        design(values, chances, **options)


def test_forced_trade_that_must_balance_is_infeasible():
    values = [np.array([[F(1)], [F(2)]]), np.array([[F(-3)], [F(-4)]])]
    found = design(values, [HALF, HALF], budget="strong", objective="welfare")
    assert found.status is Status.INFEASIBLE
    assert found.value is None


def test_without_rationality_revenue_is_unbounded():
    found = design(winner_values([[0, 1]]), [HALF], ir=None)
    assert found.status is Status.UNBOUNDED
    assert found.bound == np.inf


@pytest.mark.parametrize("seconds", [None, 60])
@pytest.mark.parametrize("ic", ["dsic", "bic"])
def test_unbounded_is_not_taken_for_infeasible(ic, seconds):
    """Presolve alone calls the dominant-strategy program of two bidders infeasible."""
    values = winner_values([[0, 1], [0, 1]])
    found = design(values, [HALF, HALF], ic=ic, ir=None, seconds=seconds)
    assert found.status is Status.UNBOUNDED


def test_a_time_limit_is_no_optimum():
    values = [v.astype(float) for v in bilateral(60, 0, 1)]
    chances = [np.full(60, 1 / 60)] * 2
    found = design(values, chances, ic="bic", ir="interim", budget="exante", seconds=1e-4)
    assert found.status in (Status.FEASIBLE, Status.UNSOLVED)
    assert any("ime limit" in note for note in found.notes)
