"""Every public function of the room that finds an optimum: its certificate passes `solvers.check`,
which finds the value and the bound again; and what was changed does not pass."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from scipy import stats

import solvers
from solvers import vcg
from solvers.bundles import Quantised
from solvers.lottery import Draw, Lottery
from solvers.marginal import MarginalRevenue, expected_highest
from solvers.price_proof import PriceProof
from solvers.question import winner_values

TABLE = [[3.0, 1.0], [2.0, 4.0], [2.0, 0.0]]
WHOLE = [[F(3), F(1)], [F(2), F(4)], [F(2), F(0)]]
PAIRS = [[0, 0], [0, 1], [1, 1], [2, 0]]
BIDS = [(0, [0, 1], 10.0), (1, [1, 2], 9.0), (2, [0, 2], 8.0), (3, [0, 1, 2], 15.0), (3, [1], 4.0)]
WANTED = np.eye(4, 11, dtype=int) + np.eye(4, 11, k=1, dtype=int)
SMOOTH = solvers.Saturating([3.0, 2.0], [[1.0, 2.0, 0.5], [2.0, 1.0, 1.0]])
CUBES = np.random.default_rng(0).integers(0, 9, (3, 3, 3, 3)).astype(float)
PACKING = solvers.Program(
    objective=np.array([3.0, 2.0, 2.0]), matrix=np.array([[2.0, 1, 1], [1, 2, 1]]),
    row_low=np.full(2, -np.inf), row_high=np.array([2.0, 2.0]), low=np.zeros(3), high=np.ones(3),
)  # fmt: skip

LEADER, FOLLOWER = [[2.0, 4.0], [1.0, 3.0]], [[1.0, 0.0], [0.0, 1.0]]

ASKED: dict[str, list[Callable[[], Any]]] = {
    "additive": [lambda: solvers.additive(TABLE), lambda: solvers.additive(WHOLE)],
    "commitment": [
        lambda: solvers.commitment(LEADER, FOLLOWER),
        lambda: solvers.commitment(LEADER, FOLLOWER).pessimistic,
        lambda: solvers.commitment(LEADER, FOLLOWER, pure=True),
        lambda: solvers.commitment([[F(2), F(4)], [F(1), F(3)]], [[F(1), F(0)], [F(0), F(1)]]),
    ],
    "design": [
        lambda: solvers.design(winner_values([[1, 2], [1, 2]]), [[F(1, 2)] * 2] * 2),
        lambda: solvers.design(
            winner_values([[1.0, 2.0], [1.0, 2.5]]),
            [[0.5] * 2] * 2,
            ic="bic",
            ir="interim",
            budget="exante",
            objective="gains",
        ),
    ],
    "divisible": [
        lambda: solvers.divisible(SMOOTH),
        lambda: solvers.divisible(SMOOTH, [2.0, 0.0, 1.0], payments=True),
        lambda: solvers.divisible(SMOOTH, method="clarabel"),
        lambda: solvers.divisible(solvers.Linear([[1.0, 2.0], [3.0, 1.0]])),
        lambda: solvers.divisible(solvers.Logarithmic([[1.0, 2.0], [3.0, 1.0]]), 5.0),
        lambda: solvers.divisible(solvers.Logarithmic([[1.0]]), 0.0),
        lambda: solvers.divisible(solvers.Concave((lambda s: s[0] ** 0.5,) * 2, 1)),
    ],
    "divisions": [
        lambda: solvers.divisions([SMOOTH.heights] * 2, [SMOOTH.rates] * 2, payments=True),
        lambda: solvers.divisions([[3.0, 2.0]], [[[1.0], [4.0]]]),
    ],
    "double_auction": [
        lambda: solvers.double_auction([9.0, 8.0, 3.0], [2.0, 5.0]),
        lambda: solvers.double_auction([[F(9), F(8)]], [[F(2), F(10)]]),
    ],
    "exact": [lambda: solvers.exact(PACKING)],
    "matched_trade": [
        lambda: solvers.matched_trade([4.0, 5.0, 3.0, 2.0], [1.0, 1.0, 1.0, 1.5], PAIRS),
        lambda: solvers.matched_trade([4.0, 5.0, 3.0, 2.0], [0.0] * 4, PAIRS, exact=True),
    ],
    "multi_unit": [
        lambda: solvers.multi_unit(TABLE[:1], 2),
        lambda: solvers.multi_unit(TABLE[:1], 0),
    ],
    "myerson": [
        lambda: solvers.myerson([stats.uniform(0, 1)] * 3),
        lambda: solvers.myerson([stats.uniform(0, 1), stats.expon()], units=2),
        lambda: solvers.myerson([stats.randint(0, 4)] * 2),
        lambda: solvers.myerson([stats.uniform(-2, 1)]),
    ],
    "packages": [lambda: solvers.packages(CUBES.reshape(3, 27)[:, :7])],
    "positions": [lambda: solvers.positions([3.0, 1.0, 2.0], [1.0, 0.5])],
    "public_project": [lambda: solvers.public_project([3.0, 1.0], 3.5)],
    "quantisation": [lambda: solvers.quantisation(SMOOTH, 3)],
    "qvcg": [
        lambda: solvers.qvcg(CUBES),
        lambda: solvers.qvcg(CUBES, exact=True),
        lambda: solvers.qvcg(CUBES, integer=True),
        lambda: solvers.qvcg(CUBES, levels="printed"),
        lambda: solvers.qvcg(CUBES, levels="printed", integer=True),
        lambda: solvers.qvcg(Quantised(SMOOTH, 4)),
        lambda: solvers.qvcg(np.zeros((2, 3, 3, 3)), integer=True),
    ],
    "security": [
        lambda: solvers.security(
            resources=1,
            defender_covered=[1.0, 2.0, 0.0],
            defender_uncovered=[-2.0, -1.0, -4.0],
            attacker_covered=[-1.0, -1.0, 0.0],
            attacker_uncovered=[2.0, 1.0, 3.0],
        )
    ],
    "single_minded": [
        lambda: solvers.single_minded([3.0, 2.0], [[1, 1], [0, 1]]),
        lambda: solvers.single_minded([3.0, 2.0, 4.0, 1.0], WANTED),
    ],
    "unit_demand": [lambda: solvers.unit_demand(TABLE), lambda: solvers.unit_demand(WHOLE)],
    "winners": [lambda: solvers.winners(BIDS)],
}
"""Of each function that finds an optimum, calls of every kind of answer that it gives."""

WITH_PAYMENTS: dict[str, list[Callable[[], Any]]] = {
    "additive": [lambda: vcg.additive(TABLE)],
    "double_auction": [lambda: vcg.double_auction([9.0, 8.0, 3.0], [2.0, 5.0])],
    "matched_trade": [lambda: vcg.matched_trade([4.0, 5.0, 3.0, 2.0], [1.0] * 4, PAIRS)],
    "multi_unit": [lambda: vcg.multi_unit(TABLE[:1], 2)],
    "packages": [lambda: vcg.packages(CUBES.reshape(3, 27)[:, :7])],
    "positions": [lambda: vcg.positions([3.0, 1.0, 2.0], [1.0, 0.5])],
    "public_project": [lambda: vcg.public_project([3.0, 1.0], 3.5)],
    "single_minded": [
        lambda: vcg.single_minded([3.0, 2.0], [[1, 1], [0, 1]]),
        lambda: vcg.single_minded([3.0, 2.0, 4.0, 1.0], WANTED),
    ],
    "unit_demand": [lambda: vcg.unit_demand(TABLE, exact=True)],
    "winners": [lambda: vcg.winners(BIDS)],
}

NO_OPTIMA = {
    "check": "checks",
    "harsanyi": "makes one game of many",
    "schedules": "decomposes coverage that was found",
    "relative_gap": "arithmetic",
    "grow": "gives a tree, which is a certificate",
    "solve": "gives a Solution: HiGHS's answer, with the multipliers that `Linear` takes",
    "second_best": "integrals in closed form, with an estimate of their error and no dual",
}


def test_no_public_function_is_left_out():
    public = {name for name in solvers.__all__ if inspect.isfunction(getattr(solvers, name))}
    public.add("check")  # a single dispatch is no plain function
    assert public == set(ASKED) | set(NO_OPTIMA)
    assert not set(ASKED) & set(NO_OPTIMA)
    assert set(vcg.__all__) == set(WITH_PAYMENTS)


def ends(found: Any) -> list[tuple[Any, Any, Any]]:
    """(value, bound, certificate) of each optimum that an answer holds."""
    if isinstance(found, solvers.Optimum):
        assert found.status == "optimal"
        return [(found.value, found.bound, found.certificate)]
    if hasattr(found, "revenue"):
        return [(found.revenue, found.revenue + found.error, found.certificate)]
    return [*ends(found.continuous), *ends(found.quantised)]


@pytest.mark.parametrize("name", [*ASKED, *(f"vcg.{name}" for name in WITH_PAYMENTS)])
def test_every_optimum_is_certified(name):
    calls = WITH_PAYMENTS[name[4:]] if name.startswith("vcg.") else ASKED[name]
    for call in calls:
        found = call()
        if name.startswith("vcg."):
            assert found.payments is not None
        for value, bound, certificate in ends(found):
            checked = solvers.check(certificate)
            assert checked.holds, checked.reason
            size = {"rel": 1e-9, "abs": 1e-12}
            assert np.asarray(checked.value, float) == pytest.approx(
                np.asarray(value, float), **size
            )
            assert np.asarray(checked.bound, float) == pytest.approx(
                np.asarray(bound, float), **size
            )


def test_the_tree_and_the_multipliers_certify_too():
    whole = replace(PACKING, whole=True)
    tree, why = solvers.grow(whole, np.round(solvers.solve(whole).x))
    assert tree is not None, why
    assert solvers.check(tree).holds
    from solvers.certificate import Linear

    line = solvers.solve(PACKING)
    assert solvers.check(Linear(program=PACKING, x=line.x, y=line.y)).holds


# What was changed ---------------------------------------------------------------------------------


def rejected(changed: Any, reason: str) -> None:
    checked = solvers.check(changed)
    assert not checked.holds
    assert reason in checked.reason


def test_divisions_that_were_changed_are_rejected():
    honest = solvers.divisible(SMOOTH).certificate
    assert solvers.check(honest).holds
    for changed, reason in (
        (replace(honest, shares=honest.shares * 0.99), "differ"),
        (replace(honest, shares=honest.shares * 1.01), "a capacity is exceeded"),
        (replace(honest, shares=honest.shares - 1.0), "a share is negative"),
        (replace(honest, shares=honest.shares * np.nan), "no finite number"),
        (replace(honest, shares=honest.shares[:1]), "do not fit"),
        (replace(honest, prices=honest.prices * 1.01), "differ"),
        (replace(honest, prices=-honest.prices), "a price is negative"),
        (replace(honest, prices=honest.prices[:2]), "do not fit"),
        (replace(honest, capacities=honest.capacities * 2), "differ"),
        (
            replace(honest, utilities=solvers.Saturating(SMOOTH.heights * 1.01, SMOOTH.rates)),
            "differ",
        ),
    ):
        rejected(changed, reason)
    tiny = solvers.divisible(SMOOTH, 1e-9).certificate
    assert solvers.check(tiny).holds
    rejected(replace(tiny, shares=tiny.shares * 1.01), "a capacity is exceeded")


def test_batches_of_divisions_that_were_changed_are_rejected():
    honest = solvers.divisions([SMOOTH.heights] * 2, [SMOOTH.rates] * 2).certificate
    assert solvers.check(honest).holds
    for changed, reason in (
        (replace(honest, shares=honest.shares * 0.99), "differ"),
        (replace(honest, shares=honest.shares * 1.01), "exceeded"),
        (replace(honest, shares=honest.shares * np.nan), "no number"),
        (replace(honest, prices=honest.prices * 1.01), "differ"),
        (replace(honest, prices=-honest.prices), "negative"),
        (replace(honest, prices=honest.prices[:1]), "do not fit"),
        (replace(honest, heights=honest.heights * 1.01), "differ"),
    ):
        rejected(changed, reason)


@pytest.mark.parametrize(
    "prior", [stats.uniform(0, 1), stats.expon(), stats.randint(1, 6), stats.beta(0.5, 0.5)]
)
def test_auctions_that_were_changed_are_rejected(prior):
    found = solvers.myerson([prior] * 2)
    honest = found.certificate
    assert solvers.check(honest).holds
    assert isinstance(honest, MarginalRevenue)
    curve = honest.curves[0]
    better = solvers.myerson([stats.uniform(0, 2)] * 2).certificate

    def with_curve(**parts: Any) -> MarginalRevenue:
        return replace(honest, curves=(replace(curve, **parts),) * 2)

    for changed in (
        with_curve(outer_slope=curve.outer_slope - 1e-3),
        with_curve(outer_mass=curve.outer_mass * 0.999),
        with_curve(outer_mass=-curve.outer_mass),
        with_curve(outer_slope=curve.outer_slope + 1e-3),
        with_curve(outer_slope=curve.outer_slope[::-1]),
        with_curve(prices=curve.prices[::200]),
        with_curve(prices=curve.prices[::-1]),
        with_curve(prices=curve.prices[:0]),
        with_curve(prices=curve.prices[: len(curve.prices) // 2]),
        with_curve(excess=-1.0),
        with_curve(excess=1e-3),
        replace(honest, curves=better.curves),
        replace(honest, priors=better.priors),
    ):
        checked = solvers.check(changed)
        assert not checked.holds
        assert checked.reason


@pytest.mark.parametrize("prices", [[0.25, 0.75], [0.3, 0.4, 0.7], [0.45]])
def test_the_best_of_a_few_prices_is_not_the_best(prices):
    """Value and bound meet, as the outer polygon is the inner one; but other prices earn more."""
    honest = solvers.myerson([stats.uniform(0, 1)] * 2).certificate
    v = np.array(prices)
    q = 1 - v
    mass = np.append(-np.diff(q), q[-1])
    slope = -np.diff(np.append(v * q, 0.0)) / mass
    curve = replace(
        honest.curves[0], prices=v, outer_mass=mass, outer_slope=slope, mass=mass, slope=slope
    )
    rejected(replace(honest, curves=(curve, curve)), "rises above the outer polygon")


def test_the_expectation_of_the_highest_by_enumeration():
    rng = np.random.default_rng(0)
    numbers = []
    for _ in range(3):
        levels = np.sort(rng.integers(-3, 4, 4).astype(float))
        chances = rng.random(4)
        numbers.append((levels, chances / chances.sum()))
    for k in (1, 2, 3, 5):
        total = 0.0
        for at in np.ndindex(4, 4, 4):
            drawn = sorted((levels[j] for j, (levels, _) in zip(at, numbers, strict=True)))[::-1]
            weight = np.prod([mass[j] for j, (_, mass) in zip(at, numbers, strict=True)])
            total += weight * sum(max(v, 0) for v in drawn[:k])
        assert expected_highest(numbers, k) == pytest.approx(total, rel=1e-12)


def sure(drawn: Lottery, agent: int, bundle: tuple[int, int, int]) -> Lottery:
    bundles = drawn.bundles.copy()
    bundles[drawn.agents == agent] = bundle
    return replace(drawn, bundles=bundles)


def test_quantised_auctions_that_were_changed_are_rejected():
    honest = solvers.qvcg(CUBES).certificate
    assert solvers.check(honest).holds
    drawn = honest.lottery
    for changed, reason in (
        (replace(honest, lottery=None), "no allocation"),
        (replace(honest, prices=honest.prices * 1.05 + 0.01), "differ"),
        (replace(honest, prices=-1 - honest.prices), "no bound"),
        (replace(honest, prices=honest.prices * np.nan), "no bound"),
        (replace(honest, lottery=replace(drawn, probabilities=drawn.probabilities * 0.9)), "add"),
        (replace(honest, lottery=replace(drawn, probabilities=-drawn.probabilities)), "negative"),
        (replace(honest, lottery=replace(drawn, agents=drawn.agents + 1)), "there are not"),
        (replace(honest, lottery=replace(drawn, bundles=drawn.bundles + 1)), "is exceeded|on sale"),
        (replace(honest, lottery=replace(drawn, bundles=0 * drawn.bundles)), "differ"),
        (replace(honest, lottery=replace(drawn, bundles=drawn.bundles + 0.5)), "on sale"),
    ):
        assert any(reason in solvers.check(changed).reason for reason in reason.split("|"))
        assert not solvers.check(changed).holds
    printed = solvers.qvcg(CUBES, levels="printed").certificate
    rejected(replace(printed, lottery=sure(printed.lottery, 0, (1, 0, 1))), "on sale")


def test_lists_that_leave_a_bundle_out_are_rejected():
    """Each of three bidders wants all of two resources: worth 3/2 in lotteries, 1 for sure."""
    values = np.zeros((3, 3, 3, 3))
    for i, pair in enumerate([(1, 1, 0), (0, 1, 1), (1, 0, 1)]):
        a, b, c = (2 * k for k in pair)
        values[i, a:, b:, c:] = 1.0 + 0.01 * i
    found = solvers.qvcg(values, integer=True)
    assert found.value == pytest.approx(1.02)
    honest: PriceProof = found.certificate
    checked = solvers.check(honest)
    assert checked.holds
    assert honest.bound() > 1.5
    listed = honest.listed
    assert listed is not None
    rejected(replace(honest, listed=None), "differ")
    kept = np.arange(len(listed.agents)) != 0
    short = replace(listed, agents=listed.agents[kept], bundles=listed.bundles[kept])
    rejected(replace(honest, listed=short), "is not listed")
    rejected(
        replace(honest, listed=replace(listed, within=listed.within * 10 + 1)), "is not listed"
    )
    rejected(replace(honest, listed=replace(listed, within=0.0)), "differ")
    program = listed.tree.program
    cheap = replace(listed.tree, program=replace(program, objective=program.objective * 0.5))
    rejected(replace(honest, listed=replace(listed, tree=cheap)), "about other bundles")
    tight = replace(listed.tree, program=replace(program, row_high=program.row_high * 0.5))
    rejected(replace(honest, listed=replace(listed, tree=tight)), "about other bundles")
    # A lottery is no integer allocation, though it is worth more.
    lottery = solvers.qvcg(values)
    rejected(replace(honest, lottery=lottery.certificate.lottery), "draws lots")


def test_an_exact_proof_says_so_and_floats_do_not():
    exact = solvers.check(solvers.qvcg(CUBES, exact=True).certificate)
    assert exact.exact
    assert exact.gap == 0
    assert isinstance(exact.value, F)
    assert not solvers.check(solvers.qvcg(CUBES).certificate).exact
    drawn = solvers.qvcg(CUBES, exact=True).certificate
    off = drawn.lottery.probabilities.copy()
    off[0] += F(1, 10**12)
    rejected(replace(drawn, lottery=replace(drawn.lottery, probabilities=off)), "do not add to 1")
    assert isinstance(drawn.lottery.draws[0], Draw)
