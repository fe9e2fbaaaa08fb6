"""The bidding half of the catalogue: outcomes worked by hand.

Numbers are from the literature or from arithmetic that fits on a card. `test_catalogue` compares
the truth tables with brute force.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

from mechkit.catalogue import finite, multi_unit, positions, shared, single_item
from mechkit.catalogue.entry import Entry
from mechkit.catalogue.parts import entry
from mechkit.errors import InputError
from mechkit.mechanism import Mechanism, examine, play
from mechkit.priors import uniform
from mechkit.settings import Lottery
from proofs import exact, values

ENTRIES: dict[str, Entry] = {
    declared.key: declared
    for module in (single_item, multi_unit, positions, shared, finite)
    for declared in module.ENTRIES
}
by_key = pytest.mark.parametrize("key", ENTRIES)


def outcome(key: str, *reports: Any, **public: Any) -> tuple[Any, Any]:
    """Allocation and payments on one profile, as lists."""
    shown = {name: np.array([value]) for name, value in public.items()}
    played = play(ENTRIES[key].make(), np.array([reports], dtype=float), shown)
    return (np.asarray(played.allocation)[0] * 1).tolist(), np.asarray(played.payments)[0].tolist()


def payments(key: str, *reports: Any) -> list[float]:
    return outcome(key, *reports)[1]


def utilities(key: str, types: Sequence[Any], reports: Sequence[Any]) -> list[float]:
    played = play(ENTRIES[key].make(), np.array([reports], dtype=float))
    return np.asarray(played.utility(np.array([types], dtype=float)))[0].tolist()


def draws(mechanism: Mechanism, rng: np.random.Generator, batch: int) -> dict[str, np.ndarray]:
    found = {}
    for name, source in mechanism.setting.public.items():
        assert isinstance(source, Lottery)
        found[name] = source.draws[rng.integers(len(source.draws), size=batch)]
    return found


# Truth tables -------------------------------------------------------------------------------------


PARTS = ("raffle", "expected-externality", "expected-externality-wrong-prior",
         "second-price-expected")  # fmt: skip
"""One draws by lot among all, the others share the item at ties."""


@by_key
def test_every_property_that_applies_is_declared(key: str) -> None:
    declared = ENTRIES[key]
    setting = declared.make().setting
    single = setting.types.coordinates == ()
    applies = {
        "feasible", "ir", "ic", "ex_post_nash", "weak_budget_balance", "strong_budget_balance",
        "no_positive_transfers", "efficient", "non_bossy", "group_ic", "strong_group_ic",
        "collusion_proof", "revenue_monotone",
    }  # fmt: skip
    conditional = {
        "anonymous": bool((setting.types.high == setting.types.high[0]).all()),
        "monotone": single,
        "cyclic_monotone": not single,
        # Where parts are handed out there is no report with which one wins or loses.
        "critical_payment": setting.binary and key not in PARTS,
        "envy_free": setting.personal,
        "false_name_proof": setting.joint_value is not None and setting.resize is not None,
        "adverse_selection_free": single and not setting.types.low.any(),
        "bic": setting.types.finite,
        "interim_ir": setting.types.finite,
    }
    assert set(declared.truth) == applies | {name for name, yes in conditional.items() if yes}
    assert set(declared.because) <= set(declared.truth)


def test_a_table_that_names_what_does_not_apply_is_refused() -> None:
    with pytest.raises(InputError, match=r"cyclic_monotone.*do not apply"):
        entry("x", ENTRIES["second-price"].make, "cyclic_monotone", "nobody")


# Rules behave -------------------------------------------------------------------------------------


@by_key
def test_rules_are_finite_deterministic_and_row_by_row(key: str) -> None:
    rng = np.random.default_rng(3)
    mechanism = ENTRIES[key].make()
    while True:
        space = mechanism.setting.types
        drawn = uniform(space, rng, 30)
        corners = np.stack([space.low_float, space.high_float])
        reports = np.concatenate([drawn, corners, drawn[:, :1].repeat(space.agents, axis=1)])
        examine(mechanism, reports, draws(mechanism, rng, len(reports)))
        if mechanism.setting.resize is None or space.agents > 3:
            return
        mechanism = mechanism.resized(space.agents + 1)


@by_key
def test_rules_run_unchanged_on_rationals(key: str) -> None:
    rng = np.random.default_rng(4)
    mechanism = ENTRIES[key].make()
    space = mechanism.setting.types
    reports = uniform(space, rng, 12)
    if not space.finite:
        # Eighths of the range, so that floats are exact and ties happen; order is kept.
        reports = space.low_float + space.span * np.floor(reports / space.span * 8) / 8
    public = draws(mechanism, rng, len(reports))
    fractions = np.vectorize(Fraction, otypes=[object])(reports)
    floats = play(mechanism, reports, public)
    rationals = play(mechanism, exact(fractions), public)
    for name in ("allocation", "payments"):
        told = values(exact(getattr(rationals, name) * 1))
        assert {type(v) for v in told.ravel()} <= {int, Fraction}
        np.testing.assert_allclose(told.astype(float), getattr(floats, name) * 1.0, atol=1e-12)


# One item -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "reports", "winner", "price"),
    [
        ("second-price", (0.25, 1, 0.5), 1, 0.5),
        ("second-price", (0.5, 0.5, 0), 0, 0.5),
        ("vcg-single-item", (0.25, 1, 0.5), 1, 0.5),
        ("second-price-reserve", (0.25, 1, 0.25), 1, 0.5),
        ("second-price-reserve", (0.25, 0.375, 0.25), None, 0),
        ("second-price-strict", (0.5, 0.5, 0), None, 0),
        ("posted-price", (0.25, 0.5, 1), 1, 0.5),
        ("sample-price", (0.25, 0.5, 0.5), 1, 0.5),
        ("modified-second-bid", (1, 0.25, 0), 0, 0.5),
        ("modified-second-bid", (1, 0.5, 0), None, 0),
        ("boosted-clarke", (0.375, 0.75, 0), 1, 0.625),
        ("boosted-clarke", (0.5, 0.75, 0), 0, 0.5),
        ("weighted-clarke", (0.45, 1, 0), 1, 0.9),
        ("weighted-clarke", (0.5, 1, 0), 0, 0.5),
        ("lazy-reserves", (0.4, 0.35, 0), None, 0),
        ("eager-reserves", (0.4, 0.35, 0), 1, 0.3),
        # φ = (0.8, −2, 0.2): agent 0 pays φ_0⁻¹(0.2) = 0.6; alone, agent 2 pays 3/2.
        ("myerson-unlike-bidders", (0.9, 0, 1.6), 0, 0.6),
        ("myerson-unlike-bidders", (0, 0, 1.6), 2, 1.5),
        ("myerson-unlike-bidders", (0.25, 0.75, 1.25), None, 0),
        ("first-price", (0.25, 1, 0.5), 1, 1),
        ("third-price", (0.25, 1, 0.5), 1, 0.25),
        ("half-price", (0.25, 1, 0.5), 1, 0.25),
        ("mean-of-first-and-second", (0.25, 1, 0.5), 1, 0.75),
        ("reserve-not-paid", (0.25, 1, 0.25), 1, 0.25),
        ("reserve-only-paid", (0, 0.25, 0.125), 1, 0.5),
        ("second-from-the-bottom", (0.25, 1, 0.5), 1, 0.5),
        ("second-distinct-bid", (0.75, 0.75, 0.25), 0, 0.25),
        ("price-up-to-a-tick", (25, 20, 50), 2, 30),
        ("price-up-to-a-tick", (70, 20, 80), 2, 70),
        ("incumbent-discount", (1, 0.5, 0), 0, 0.4),
        ("incumbent-discount", (0.5, 1, 0), 1, 0.5),
        ("outlier-struck-out", (1, 0.125, 0.0625), 1, 0.0625),
        ("outlier-struck-out", (0.5, 0.125, 0.0625), 0, 0.125),
        ("buy-now", (0.9, 0.7, 0), 0, 0.6),
        ("buy-now", (0.8, 0.7, 0), 0, 0.7),
        ("lowest-bid-wins", (0.25, 1, 0.5), 0, 0.5),
        ("virtual-price", (0.5, 0, 0), 0, 0),
        ("clear-winner-pays-second", (1, 0.25, 0), 0, 0.25),
    ],
)
def test_one_item(key: str, reports: Sequence[float], winner: int | None, price: float) -> None:
    allocation, paid = outcome(key, *reports)
    assert allocation == [int(i == winner) for i in range(3)]
    assert paid == pytest.approx([price * (i == winner) for i in range(3)])


def test_payments_of_those_who_lose() -> None:
    assert payments("all-pay", 0.25, 1, 0.5) == [0.25, 1, 0.5]
    assert payments("entry-fee", 1, 0.5, 0) == pytest.approx([0.55, 0.05, 0.05])
    assert payments("losers-pay-a-fee", 1, 0.5, 0) == pytest.approx([0.5, 0.02, 0.02])
    assert payments("groves-without-pivot", 0.5, 0.25, 0) == [0, -0.5, -0.5]
    assert payments("winner-is-paid", 1, 0.5, 0) == [-0.5, 0, 0]
    assert payments("lease-at-a-fee", 0, 1, 0) == [0.25, 0, 0]
    assert outcome("all-tied-bidders-win", 0.5, 0.5, 0) == ([1, 1, 0], [0.5, 0.5, 0])
    assert outcome("raffle", 0, 0.5, 1, ticket=1)[0] == pytest.approx([1 / 3] * 3)


def test_revenue_of_myersons_auction_on_unlike_uniform_values() -> None:
    """Σ max(φ, 0) averages to the revenue (Myerson 1981, lemma 3): midpoints of a fine grid."""
    cells = (np.arange(40) + 0.5) / 40
    profiles = np.stack(np.meshgrid(cells, 2 * cells, 3 * cells, indexing="ij"), axis=-1)
    reports = profiles.reshape(-1, 3)
    played = play(ENTRIES["myerson-unlike-bidders"].make(), reports)
    surplus = np.maximum(2 * reports - [1, 2, 3], 0).max(axis=-1).mean()
    assert played.payments.sum(axis=-1).mean() == pytest.approx(surplus, rel=5e-3)


# Several units ------------------------------------------------------------------------------------


def test_two_units() -> None:
    assert outcome("uniform-price", 0.25, 1, 0.5) == ([0, 1, 1], [0, 0.25, 0.25])
    assert outcome("pay-as-bid", 0.25, 1, 0.5) == ([0, 1, 1], [0, 1, 0.5])
    assert outcome("lowest-winning-bid", 0.25, 1, 0.5) == ([0, 1, 1], [0, 0.5, 0.5])


def test_rebates() -> None:
    """Cavallo 2006 at (1, 1/2, 1/4): absent agents 0, 1, 2 leave prices 1/4, 1/4, 1/2."""
    assert payments("bailey-cavallo", 1, 0.5, 0.25) == pytest.approx(
        [0.5 - 0.25 / 3, -0.25 / 3, -0.5 / 3]
    )
    assert payments("cavallo-two-units", 1, 0.75, 0.5, 0.25) == pytest.approx(
        [0.5 - 0.125, 0.5 - 0.125, -0.125, -0.25]
    )
    assert payments("proceeds-split-equally", 1, 0.75, 0) == [0.5, -0.25, -0.25]
    assert payments("third-bid-split-equally", 1, 1, 0.75) == [0.75, -0.25, -0.25]


def test_prices_from_the_others() -> None:
    assert outcome("mean-of-others", 1, 0.5, 0.5) == ([1, 0, 0], [0.5, 0, 0])
    assert outcome("mean-of-others", 0.5, 0.5, 0.5) == ([1, 1, 1], [0.5, 0.5, 0.5])
    # Agents 0 and 1 against agent 2: two sales at 1/2 earn more than one at 0.9.
    assert outcome("random-sampling", 0.9, 0.5, 0.4, side=[0, 0, 1]) == ([1, 1, 0], [0.4, 0.4, 0])
    assert outcome("random-sampling", 0.9, 0.5, 0.75, side=[0, 0, 1]) == ([1, 0, 1], [0.75, 0, 0.5])
    assert outcome("random-sampling-own-side", 0.9, 0.5, 0.4, side=[0, 0, 1]) == (
        [1, 1, 1],
        [0.5, 0.5, 0.4],
    )


def test_two_units_each() -> None:
    """Marginal values (1, 1/4), (1, 3/4), (1/2, 0): each of the first two wins one."""
    bids = [(1, 0.25), (1, 0.75), (0.5, 0)]
    assert outcome("vickrey-multi-unit", *bids) == ([1, 1, 0], [0.75, 0.5, 0])
    assert outcome("uniform-price-multi-unit", *bids) == ([1, 1, 0], [0.75, 0.75, 0])
    assert outcome("pay-as-bid-multi-unit", *bids) == ([1, 1, 0], [1, 1, 0])
    # Two units displace 1/2 and 1/4, or 1/2 twice where the fault is.
    bids = [(1, 0.75), (0.5, 0.25), (0, 0)]
    assert outcome("vickrey-multi-unit", *bids) == ([2, 0, 0], [0.75, 0, 0])
    assert outcome("one-price-for-all-displaced", *bids) == ([2, 0, 0], [1, 0, 0])


def test_demand_reduction() -> None:
    truth = [(1, 0.75), (0.5, 0), (0, 0)]
    reduced = [(1, 0), *truth[1:]]
    assert utilities("uniform-price-multi-unit", truth, truth)[0] == 0.75
    assert utilities("uniform-price-multi-unit", truth, reduced)[0] == 1


@pytest.mark.parametrize("seed", range(5))
def test_vickrey_is_the_groves_mechanism_with_clarkes_pivot(seed: int) -> None:
    mechanism = ENTRIES["vickrey-multi-unit"].make()
    reports = uniform(mechanism.setting.types, np.random.default_rng(seed), 50)
    groves = play(Mechanism.groves(mechanism.setting), reports)
    played = play(mechanism, reports)
    np.testing.assert_array_equal(played.allocation, groves.allocation)
    np.testing.assert_allclose(played.payments, groves.payments, atol=1e-12)


# Positions ----------------------------------------------------------------------------------------


def test_generalised_second_price_of_edelman_ostrovsky_and_schwarz() -> None:
    types = (10, 4, 2)
    assert utilities("gsp", types, types)[:2] == [1200, 398]
    assert utilities("gsp", types, (3, 4, 2))[0] == 1592
    # The pair of the truth table: both gain.
    assert utilities("gsp", types, (2.005, 4, 2))[:2] == pytest.approx([1592, 399])


def test_positions() -> None:
    assert payments("position-vcg", 10, 4, 2) == [4 + 398, 398, 0]
    assert payments("position-vcg", 2, 10, 4) == [0, 4 + 398, 398]
    assert payments("position-vcg-reserve", 10, 4, 2) == [4 + 597, 597, 0]
    assert outcome("position-vcg-reserve", 10, 2, 1) == (
        [[1, 0], [0, 0], [0, 0]],
        [3 + 597, 0, 0],
    )
    assert payments("generalised-first-price", 10, 4, 2) == [2000, 796, 0]
    assert payments("position-vcg-last-step-free", 10, 4, 2) == [4, 0, 0]


def test_the_ladder_is_clarkes_pivot() -> None:
    mechanism = ENTRIES["position-vcg"].make()
    reports = uniform(mechanism.setting.types, np.random.default_rng(1), 50)
    groves = play(Mechanism.groves(mechanism.setting), reports)
    np.testing.assert_allclose(play(mechanism, reports).payments, groves.payments, atol=1e-9)


# What is shared -----------------------------------------------------------------------------------


def test_shares() -> None:
    assert outcome("kelly-proportional", 0.75, 0.25, 0) == ([[0.75], [0.25], [0]], [0.75, 0.25, 0])
    assert outcome("proportional-for-free", 0, 0, 0) == ([[0], [0], [0]], [0, 0, 0])
    assert outcome("equal-shares", 1, 0, 0)[0] == pytest.approx(np.full((3, 1), 1 / 3))
    assert payments("quadratic-menu", 1, 0.5, 0) == pytest.approx([1 / 6, 1 / 24, 0])
    assert payments("own-part-pay-as-bid", 1, 0.5, 0) == pytest.approx([1 / 3, 1 / 12, 0])


def test_kelly_keeps_three_quarters_of_the_welfare_near_the_worst_equilibrium() -> None:
    """Johari & Tsitsiklis 2004: a value of 1 against many of little more than 1/2.

    Where all report positive sums, θ_i (1 − x_i) = Σ_j r_j: the price is P = (n − 1)/Σ 1/θ_j.
    """
    n = 41
    theta = np.array([1.0] + [0.52] * (n - 1))
    price = (n - 1) / (1 / theta).sum()
    assert (theta > price).all()
    reports = price * (1 - price / theta)
    mechanism = ENTRIES["kelly-proportional"].make().resized(n)
    played = play(mechanism, reports[None])
    utility = played.utility(theta[None])[0]
    for i in (0, 1):
        lies = np.repeat(reports[None], 200, axis=0)
        lies[:, i] = np.linspace(0, 1, 200)
        others = play(mechanism, lies).utility(np.repeat(theta[None], 200, axis=0))
        assert others[:, i].max() <= utility[i] + 1e-12
    welfare = played.values(theta[None]).sum()
    assert 0.75 <= welfare < 0.8


def test_projects() -> None:
    # Gross values 0.8, 0.6, 0.15 against shares of 1/2: net 0.3, 0.1, −0.35.
    assert outcome("clarke-project", 0.8, 0.6, 0.15)[0] == 1
    assert payments("clarke-project", 0.8, 0.6, 0.15) == pytest.approx([0.25, 0.05, 0])
    assert payments("clarke-project", 0.8, 1, 0.15) == pytest.approx([0, 0.05, 0])
    # Net −1/2, 1/4, 1/8: agent 0 prevents what is worth 3/8 to the others.
    assert outcome("clarke-project", 0, 0.75, 0.625) == (0, [0.375, 0, 0])
    assert payments("clarke-project-cost-twice", 0.8, 0.8, 0) == pytest.approx([0.7, 0.7, 0])
    assert outcome("majority-vote", 0.5, 0.5, 0) == (1, [0, 0, 0])
    assert outcome("unanimity", 0.5, 1, 0.25) == (0, [0, 0, 0])
    assert outcome("contributions", 1, 0.5, 0.25) == (1, [0.5, 0, -0.25])
    assert outcome("random-dictator", 1, 0.5, 0)[0] == pytest.approx(2 / 3)


def test_clarkes_tax_is_the_groves_mechanism() -> None:
    mechanism, groves = (ENTRIES[key].make() for key in ("clarke-project", "clarke-project-groves"))
    reports = uniform(mechanism.setting.types, np.random.default_rng(2), 200)
    left, right = play(mechanism, reports), play(groves, reports)
    np.testing.assert_array_equal(left.allocation, right.allocation)
    np.testing.assert_allclose(left.payments, right.payments, atol=1e-12)


# Finitely many types ------------------------------------------------------------------------------


def fair_win(own: int, others: Sequence[int]) -> Fraction:
    best = max(others)
    ties = list(others).count(best)
    return Fraction(own > best) if own != best else Fraction(1, 1 + ties)


def mean(
    of: Callable[[tuple[int, ...]], Fraction], agents: int, chances: Sequence[Fraction]
) -> Fraction:
    total = Fraction(0)
    for others in product(range(3), repeat=agents - 1):
        weight = Fraction(1)
        for level in others:
            weight *= chances[level]
        total += weight * of(others)
    return total


def externality(own: int, agents: int = 3) -> Fraction:
    """ξ(r): what the others get in expectation, by a loop over Fractions, types equally likely."""
    return mean(
        lambda others: max(others) * (1 - fair_win(own, others)), agents, [Fraction(1, 3)] * 3
    )


def test_expected_externalities() -> None:
    assert [externality(level) for level in range(3)] == [
        Fraction(39, 27), Fraction(35, 27), Fraction(16, 27),
    ]  # fmt: skip
    for reports in product(range(3), repeat=3):
        xi = [externality(r) for r in reports]
        expected = [float((sum(xi) - x) / 2 - x) for x in xi]
        assert payments("expected-externality", *reports) == pytest.approx(expected)


def test_two_identities_are_paid_more_than_one() -> None:
    """The numbers of the truth table: 23/27 alone, 94/81 as two."""
    alone = externality(0) - externality(2)
    xi = {level: externality(level, agents=4) for level in (0, 2)}
    together = 2 * (xi[0] - (xi[0] + 2 * xi[2]) / 3)
    assert (alone, together) == (Fraction(23, 27), Fraction(94, 81))


@pytest.mark.parametrize(
    ("chances", "gain"),
    [((1, 1, 1), Fraction(0)), ((1, 1, 2), Fraction(4, 27) - Fraction(1, 8))],
)
def test_externalities_are_right_for_one_prior_only(
    chances: tuple[int, ...], gain: Fraction
) -> None:
    weights = [Fraction(c, sum(chances)) for c in chances]
    best = Fraction(0)
    for own, said in product(range(3), repeat=2):

        def utility(report: int, own: int = own) -> Fraction:
            wins = mean(lambda others: fair_win(report, others), 3, weights)
            return own * wins + externality(report)

        best = max(best, utility(said) - utility(own))
    assert best == gain


def test_expected_second_prices() -> None:
    assert payments("second-price-expected", 0, 1, 2) == pytest.approx([0, 4 / 27, 23 / 27])


def test_optimal_revenue_of_two_levels() -> None:
    """Values 1 and 2, equally likely, two bidders: 3/2."""
    profiles = np.array(list(product((1.0, 2.0), repeat=2)))
    played = play(ENTRIES["optimal-two-levels"].make(), profiles)
    assert played.payments.sum(axis=-1).mean() == 1.5
