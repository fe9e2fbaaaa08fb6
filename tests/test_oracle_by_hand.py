"""The brute force on textbook mechanisms, against numbers worked out by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from mechkit.constructors import (
    additive,
    combinatorial,
    double_auction,
    multi_unit,
    positions,
    public_project,
    single_item,
    single_minded,
    unit_demand,
)
from mechkit.mechanism import Mechanism
from tests.oracle import CHECKS, excess, fractions, judge, run, table
from tests.rules import highest, second_price


def violated(mechanism: Mechanism, **options: Any) -> set[str]:
    return {k for k in CHECKS if judge(mechanism, k, **options).decided == "violated"}


def test_second_price() -> None:
    found = table(second_price())
    fails = {"strong_budget_balance", "non_bossy", "strong_group_ic", "collusion_proof"}
    assert {k for k, j in found.items() if j.decided == "violated"} == fails
    silent = {"bic", "interim_ir", "cyclic_monotone"}
    assert {k for k, j in found.items() if j.decided == "cannot"} == silent
    # 3 agents, 5 types of one and 125 profiles of reports.
    assert found["ic"].cases == 3 * 5 * 125
    # Values 1 and 1: the loser bids 0, and the winner keeps 1.
    assert excess(found["collusion_proof"]) == 1


def test_first_price() -> None:
    mechanism = Mechanism(single_item(2), highest, lambda bids, x: x * bids, name="first price")
    # Values (1, 0): agent 0 wins ties, so a bid of 0 wins for nothing instead of 1.
    assert judge(mechanism, "ic").witness == {
        "excess": 1.0,
        "agents": (0,),
        "reports": [1.0, 0.0],
        "types": [1.0, 0.0],
        "deviation": [0.0, 0.0],
    }
    assert judge(mechanism, "ir").decided == "no violation on the grid"


def test_midpoint_double_auction() -> None:
    def trades(r: np.ndarray) -> np.ndarray:
        return np.repeat(r[:, :1] >= r[:, 1:], 2, axis=1)

    mechanism = Mechanism(
        double_auction(1, 1, high=100),
        trades,
        lambda r, x: x * r.mean(axis=1, keepdims=True) * np.array([1, -1]),
        name="midpoint",
    )
    # Value 50, cost 30: truth trades at 40 for 10, a report of 30 at 30 for 20.
    judgement = judge(mechanism, "ic", axis=(30, 50))
    assert excess(judgement) == 10
    assert judgement.witness is not None
    assert judgement.witness["reports"] == [50, 30]
    coarse = judge(mechanism, "ic", axis=(0, 100))
    assert excess(coarse) == 50  # value 100, cost 0: from 50 to 0
    assert judge(mechanism, "strong_budget_balance").decided == "no violation on the grid"


def test_generalised_second_price() -> None:
    rates = [200, 199]

    def outcome(bids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(-bids, axis=-1, kind="stable")
        shown = order[:, None, :2] == np.arange(bids.shape[-1])[:, None]
        following = -np.sort(-bids, axis=-1)[:, 1:3]
        return shown, (shown * (following * np.array(rates))[:, None, :]).sum(axis=-1)

    mechanism = Mechanism.from_outcome(positions(3, rates, high=10), outcome, name="GSP")
    values, bids = np.array([10.0, 4, 2]), np.array([[10.0, 4, 2], [3, 4, 2]])
    x, p = run(mechanism, bids, {})
    assert ((x * rates).sum(axis=-1) * values - p)[:, 0].tolist() == [1200, 1592]
    # With bids 2, 3, 4 and 10 the most is gained at a value of 10 against 10 and 2: from
    # 200 · (10 − 10) to 199 · (10 − 2).
    assert excess(judge(mechanism, "ic", axis=(2, 3, 4, 10))) == 1592
    assert judge(mechanism, "ic", axis=(2,)).decided == "no violation on the grid"


def test_vcg_is_not_false_name_proof() -> None:
    pair = combinatorial(2, 2, high=10)
    # Bundles A, B, AB. AB at 9 loses to AB at 10; as A at 9 and B at 9 it wins both, for 1 each.
    lost, _ = run(Mechanism.groves(pair), np.array([[[0.0, 0, 9], [0, 0, 10]]]), {})
    assert lost[0].tolist() == [[0, 0], [1, 1]]
    three = Mechanism.groves(pair.resized(3))
    won, paid = run(three, np.array([[[9.0, 0, 9], [0, 0, 10], [0, 9, 9]]]), {})
    assert won[0].tolist() == [[1, 0], [0, 0], [0, 1]]
    assert paid[0].tolist() == [1, 0, 1]
    # At most the whole 10 is gained: AB at 10 ties with AB at 10 and pays 10, A and B at 10 win
    # both for nothing, since each alone would have left the other identity's 10 in place.
    assert excess(judge(Mechanism.groves(pair), "false_name_proof", axis=(0, 9, 10))) == 10
    assert judge(second_price(2), "false_name_proof").decided == "no violation on the grid"


def test_vcg_of_additive_and_unit_demand() -> None:
    # Assignment: VCG prices are competitive (Leonard 1983), no coalition of buyers gains strictly
    # (Demange and Gale 1985); an own lower bid for the other item can raise revenue.
    found = violated(Mechanism.groves(unit_demand(3, 2)), points=3)
    assert found == {
        "strong_budget_balance",
        "non_bossy",
        "strong_group_ic",
        "collusion_proof",
        "revenue_monotone",
    }
    # Non-increasing marginal values: 15 of the 25 pairs of grid values.
    ic = judge(Mechanism.groves(multi_unit(2, 3, 2)), "ic")
    assert (ic.decided, ic.cases) == ("no violation on the grid", 2 * 15 * 15**2)


def test_public_project() -> None:
    mechanism = Mechanism.groves(public_project(3, 1))
    # Built against (0, 1/2, 1): agent 0 bears a third of the cost for nothing, and is no pivot.
    assert excess(judge(mechanism, "ir")) == pytest.approx(1 / 3)
    assert judge(mechanism, "ic").decided == "no violation on the grid"
    assert judge(mechanism, "envy_free").decided == "cannot"


def test_finite_priors() -> None:
    # Values 0 or 1, each with chance 1/2. First price, tie to agent 0. Agent 0 at value 1: bidding
    # 1 gives 0, bidding 0 wins against 0, for 1/2. Agent 1 must bid 1 to win at all.
    mechanism = Mechanism(
        single_item(2, levels=(0, 1)), highest, lambda bids, x: x * bids, name="first price"
    )
    assert excess(judge(mechanism, "bic")) == 0.5
    assert judge(mechanism, "interim_ir").decided == "no violation on the grid"
    # Second price with an entry fee of 1/3: at value 1 either expects 1/2 of the item, at value 0
    # nothing.
    fee = Mechanism(
        single_item(2, levels=(0, 1)),
        highest,
        lambda bids, x: x * bids.min(axis=1, keepdims=True) + 1 / 3,
        name="entry fee",
    )
    assert excess(judge(fee, "interim_ir")) == pytest.approx(1 / 3)
    assert judge(fee, "bic").decided == "no violation on the grid"


def test_anonymity_is_asked_off_ties_only() -> None:
    assert judge(second_price(), "anonymous").decided == "no violation on the grid"

    def favoured(bids: np.ndarray) -> np.ndarray:
        return highest(bids + np.array([1 / 64, 0, 0]))

    biased = Mechanism(single_item(3), favoured, lambda bids, x: x * 0, name="biased")
    assert excess(judge(biased, "anonymous")) == 1
    vcg = Mechanism.groves(unit_demand(2, 2))
    assert judge(vcg, "anonymous").decided == "no violation on the grid"
    tilted = Mechanism.affine_maximiser(unit_demand(2, 2), weights=(2, 1))
    assert judge(tilted, "anonymous").decided == "violated"
    assert judge(second_price(low=[0, 0, 0.5]), "anonymous").decided == "cannot"


def test_scaling() -> None:
    assert judge(second_price(), "adverse_selection_free").decided == "no violation on the grid"
    reserve = Mechanism(
        single_item(2),
        lambda bids: highest(bids) & (bids >= 0.5),
        lambda bids, x: x * np.maximum(bids.min(axis=1, keepdims=True), 0.5),
        name="reserve",
    )
    assert excess(judge(reserve, "adverse_selection_free")) == 1
    # A brand that wins whenever performance bids are low is adversely selected; one that wins
    # whenever they are close to each other is not (Arnosti, Beck and Milgrom 2016).
    roles = ("brand", "performance", "performance")

    def close(bids: np.ndarray) -> np.ndarray:
        top = bids[:, 1:].max(axis=1) > 1.5 * bids[:, 1:].min(axis=1)
        ours = highest(bids[:, 1:]) & top[:, None]
        return np.concatenate([~top[:, None], ours], axis=1)

    fair = Mechanism(single_item(3, roles=roles), close, lambda bids, x: bids * 0, name="ratio")
    assert judge(fair, "adverse_selection_free").decided == "no violation on the grid"


def test_vacuous_and_not_applicable() -> None:
    nothing = Mechanism(
        single_item(2), lambda bids: bids * 0, lambda bids, x: bids * 0, name="nothing"
    )
    found = table(nothing)
    assert excess(found.pop("efficient")) == 1
    assert {j.decided for j in found.values()} == {"vacuous", "cannot"}
    fee = Mechanism(single_item(2), lambda bids: bids * 0, lambda bids, x: bids * 0 + 1, name="fee")
    assert excess(judge(fee, "ir")) == 1
    known = single_minded(2, 2, [[1, 1], [0, 1]])
    fixed = Mechanism.groves(known)
    assert judge(fixed, "false_name_proof").decided == "cannot"
    assert judge(fixed, "critical_payment").decided == "no violation on the grid"
    stuck = Mechanism(
        single_item(2),
        highest,
        lambda bids, x: x * bids[:, ::-1] * np.ones(2),
        name="two agents only",
    )
    assert "one more agent" in judge(stuck, "false_name_proof").reason


def test_losers_pay_nothing() -> None:
    fee = Mechanism(
        single_item(2),
        highest,
        lambda bids, x: np.where(x, bids.min(axis=1, keepdims=True), 1 / 8),
        name="losers pay",
    )
    assert excess(judge(fee, "critical_payment")) == 1 / 8


def test_raising_one_coordinate_is_raising() -> None:
    """The only revenue is 1/2 from (1, 0), which can be raised in its second coordinate alone."""

    def wins(bids: np.ndarray) -> np.ndarray:
        return ((bids[..., 0] == 1) & (bids[..., 1] == 0))[..., None] * np.array([1, 0])

    mechanism = Mechanism(additive(1, 2), wins, lambda bids, x: x[..., 0] / 2, name="corner")
    assert excess(judge(mechanism, "revenue_monotone")) == 1 / 2


def test_grid() -> None:
    assert fractions(5) == [Fraction(k, 4) for k in range(5)]
    assert fractions(9) == [Fraction(k, 8) for k in range(9)]
    assert fractions(3) == [0, Fraction(1, 2), 1]
    # 9 points would take 3 · 9 · 9³ inequalities: points are given up until the limit is met.
    # Thinned grids come in four versions.
    fine, coarse = (judge(second_price(), "ic", points=9, limit=k) for k in (10_000, 500))
    assert (fine.cases, coarse.cases) == (3 * 9 * 729, 4 * 3 * 4 * 64)
    assert "more than 10" in judge(second_price(), "ic", limit=10).reason


def test_a_rule_that_misbehaves_is_not_judged() -> None:
    nan = Mechanism(single_item(2), highest, lambda bids, x: bids * np.nan, name="nan")
    with pytest.raises(ValueError, match="not finite"):
        judge(nan, "ir")
    flat = Mechanism(
        single_item(2), lambda bids: bids.sum(axis=1), lambda bids, x: bids, name="flat"
    )
    with pytest.raises(ValueError, match="shapes"):
        judge(flat, "ir")
