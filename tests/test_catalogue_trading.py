"""Rules of trade, assignment, packages, informed and papers against numbers worked by hand."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from mechkit.catalogue import assignment, informed, packages, papers, trade
from mechkit.constructors import combinatorial, double_auction, unit_demand
from mechkit.mechanism import Mechanism, play
from mechkit.settings import truth, values

ENTRIES = {
    e.key: e for file in (trade, assignment, packages, informed, papers) for e in file.ENTRIES
}


def run(mechanism: Mechanism | str, reports, **public):
    """Allocation and payments at one profile."""
    if isinstance(mechanism, str):
        mechanism = ENTRIES[mechanism].make()
    shown = {k: np.asarray(v)[None] for k, v in public.items()}
    outcome = play(mechanism, np.asarray(reports, dtype=float)[None], shown)
    return (np.asarray(outcome.allocation)[0] * 1).tolist(), np.asarray(outcome.payments)[0]


def gain(key: str, agent: int, types, lie, others=None, **public) -> float:
    """What the agent gains by a lie, against the others' truth or the reports given."""
    mechanism = ENTRIES[key].make()
    setting = mechanism.setting
    shown = {k: np.asarray(v)[None] for k, v in public.items()}
    theta = np.asarray(types, dtype=float)[None]
    honest = np.array(truth(setting, theta, shown), dtype=float)
    if others is not None:
        kept = honest[:, agent].copy()
        honest = np.asarray(others, dtype=float)[None].copy()
        honest[:, agent] = kept
    lying = honest.copy()
    lying[:, agent] = lie
    utilities = []
    for reports in (honest, lying):
        outcome = play(mechanism, reports, shown)
        worth = values(setting, theta, outcome.allocation, shown)
        utilities.append(float((worth - outcome.payments)[0, agent]))
    return utilities[1] - utilities[0]


def revenue(key: str, reports, **public) -> float:
    return float(run(key, reports, **public)[1].sum())


# Trade --------------------------------------------------------------------------------------------


def test_mcafee_trades_three_pairs_at_four_and_a_half():
    market = trade.market(trade.mcafee, double_auction(4, 4, high=10), "McAfee")
    values_, costs = [9, 8, 7, 4], [2, 3, 4, 5]
    x, p = run(market, values_ + costs)
    assert x == [1, 1, 1, 0, 1, 1, 1, 0]
    np.testing.assert_allclose(p, [4.5, 4.5, 4.5, 0, -4.5, -4.5, -4.5, 0])
    assert np.dot(x, values_ + [-c for c in costs]) == 15


def test_mcafee_reduces_when_the_price_does_not_suit_the_last_pair():
    reports = [0.9, 0.4, 0.1, 0.2]
    x, p = run("mcafee", reports)
    assert x == [1, 0, 1, 0]
    np.testing.assert_allclose(p, [0.4, 0, -0.2, 0])
    # Without the reduction the second buyer pays 1/2 for what is worth 0.4 to it.
    x, p = run("mcafee-no-reduction", reports)
    assert x == [1, 1, 1, 1]
    np.testing.assert_allclose(p, [0.5, 0.5, -0.5, -0.5])
    # At the wrong neighbour there is no first pair to look at: everybody's own bid.
    np.testing.assert_allclose(run("mcafee-wrong-neighbour", reports)[1], [0.9, 0, -0.1, 0])


def test_trade_reduction_and_the_forgotten_seller():
    reports = [0.9, 0.6, 0.1, 0.3]
    x, p = run("trade-reduction", reports)
    assert x == [1, 0, 1, 0]
    np.testing.assert_allclose(p, [0.6, 0, -0.3, 0])
    assert run("reduction-one-sided", reports)[0] == [1, 0, 1, 1]


def test_vcg_market_runs_the_deficit_of_the_price_window():
    x, p = run("vcg-market", [0.9, 0.6, 0.1, 0.7])
    assert x == [1, 0, 1, 0]
    np.testing.assert_allclose(p, [0.6, 0, -0.7, 0])
    np.testing.assert_allclose(run("vcg-bilateral", [0.8, 0.3])[1], [0.3, -0.8])


def test_vcg_bilateral_deficit_is_one_sixth_on_uniform_types():
    axis = (np.arange(200) + 0.5) / 200
    grid = np.array(list(product(axis, axis)))
    revenue = play(ENTRIES["vcg-bilateral"].make(), grid).payments.sum(axis=-1)
    assert revenue.mean() == pytest.approx(-1 / 6, abs=1e-3)


def test_careless_pivot_leaves_the_seller_unpaid():
    np.testing.assert_allclose(run("vcg-bilateral-pivot", [1, 0.5])[1], [0.5, 0])


def test_serving_ties_sells_one_unit_too_many():
    x, _ = run("vcg-market-ties", [0.5, 0.5, 0, 1])
    assert x == [1, 1, 1, 0]
    assert not ENTRIES["vcg-market-ties"].make().setting.feasible(np.array([x]))[0]


def test_midpoint_double_auction_pays_to_shade():
    np.testing.assert_allclose(run("midpoint", [0.5, 0.3])[1], [0.4, -0.4])
    assert gain("midpoint", 0, [0.5, 0.3], 0.3) == pytest.approx(0.1)
    assert gain("buyers-bid", 0, [0.5, 0.3], 0.3) == pytest.approx(0.2)
    assert gain("buyers-bid", 1, [0.5, 0.3], 0.5) == 0
    assert gain("sellers-offer", 1, [0.5, 0.3], 0.5) == pytest.approx(0.2)


def test_posted_price_serves_the_longer_side_by_index():
    x, p = run("posted-market", [0.6, 0.9, 0.7, 0.2])
    assert x == [1, 0, 0, 1]
    np.testing.assert_allclose(p, [0.5, 0, 0, -0.5])


def test_balanced_market_leaves_out_the_last_buyer_and_a_seller_by_index():
    x, p = run("balanced-market", [0.9, 0.6, 0.4, 0.1])
    assert x == [1, 0, 1, 0]
    np.testing.assert_allclose(p, [0.6, 0, -0.6, 0])
    x, _ = run("balanced-drops-dearest", [0.9, 0.6, 0.4, 0.1])
    assert x == [1, 0, 0, 1]
    assert gain("balanced-drops-dearest", 2, [0.9, 0.6, 0.4, 0.1], 0.05) == pytest.approx(0.2)
    # With a third ask that the k-th bid meets, both trade at it.
    wide = trade.market(trade.balanced, double_auction(2, 3), "balanced")
    np.testing.assert_allclose(run(wide, [0.9, 0.6, 0.4, 0.1, 0.5])[1], [0.5, 0.5, -0.5, -0.5, 0])


def test_muda_trades_each_half_at_the_other_halfs_price():
    half = [0, 1, 0, 0, 1]  # buyers 0 | 1, sellers 0 | 1
    reports = [0.8, 1.0, 0.2, 0.4]  # windows [0.2, 0.8] and [0.4, 1.0]: prices 0.5 and 0.7
    x, p = run("muda", reports, half=half)
    assert x == [1, 1, 1, 1]
    np.testing.assert_allclose(p, [0.7, 0.5, -0.7, -0.5])
    np.testing.assert_allclose(run("muda-own-half", reports, half=half)[1], [0.5, 0.7, -0.5, -0.7])


# Assignment ---------------------------------------------------------------------------------------


def test_vcg_assignment_agrees_with_brute_force_on_fractions():
    rng = np.random.default_rng(3)
    reports = rng.integers(0, 9, size=(40, 3, 2)) / 8
    matchings = [
        m
        for m in product((0, 1, None), repeat=3)
        if len([j for j in m if j is not None]) == len({j for j in m if j is not None})
    ]
    hand = play(assignment.by_hand(unit_demand(3, 2)), reports)
    groves = play(ENTRIES["vcg-assignment"].make(), reports)
    for row, profile in enumerate(reports):
        v = [[Fraction(float(w)) for w in agent] for agent in profile]

        def welfare(m, without=None, v=v):
            return sum(v[i][j] for i, j in enumerate(m) if j is not None and i != without)

        best = max(welfare(m) for m in matchings)
        # Clarke: harm done to the others, whichever of several best matchings is chosen.
        total = sum(max(welfare(m, i) for m in matchings) - best for i in range(3)) + best
        for outcome in (hand, groves):
            value = (outcome.allocation[row] * profile).sum()
            assert value == best
            assert outcome.payments[row].sum() == total


def test_serial_dictatorship_and_its_charge():
    reports = [[0.5, 1], [0.25, 0.75], [1, 1]]
    assert run("serial-dictatorship", reports)[0] == [[0, 1], [1, 0], [0, 0]]
    np.testing.assert_allclose(run("dictatorship-charged", reports)[1], [1, 0.25, 0])


def test_random_priority_halves_a_common_favourite():
    x, p = run("random-priority", [[1, 0.25], [1, 0]])
    np.testing.assert_allclose(x, [[0.5, 0.5], [0.5, 0.5]])
    assert not p.any()
    assert run("random-priority-drawn", [[1, 0.25], [1, 0]], turn=[2, 0, 1])[0] == [[0, 1], [1, 0]]


def test_boston_rewards_naming_the_second_choice_first():
    types = [[1, 0.5], [1, 0.5], [0.25, 0.5]]
    assert run("boston", types)[0] == [[1, 0], [0, 0], [0, 1]]
    assert gain("boston", 1, types, [0, 1]) == 0.5


def test_posted_items_can_lose_revenue_when_a_bid_rises():
    low, high = [[0, 0.75], [0, 0], [0, 0]], [[0.75, 0.75], [0, 0], [0, 0]]
    assert (revenue("posted-items", low), revenue("posted-items", high)) == (0.5, 0.25)


def test_item_prices_and_their_faults():
    bids = [[1, 0.25], [0.5, 0.75], [0.25, 0.5]]
    assert run("second-price-items", bids)[0] == [[1, 0], [0, 1], [0, 0]]
    np.testing.assert_allclose(run("second-price-items", bids)[1], [0.5, 0.5, 0])
    np.testing.assert_allclose(run("items-off-by-one", bids)[1], [0.25, 0.25, 0])
    np.testing.assert_allclose(run("items-wrong-axis", bids)[1], [0.25, 0.5, 0])
    # Sums 1.25, 1.25, 0.75: the first of equals takes both.
    np.testing.assert_allclose(run("second-price-bundle", bids)[1], [1.25, 0, 0])
    np.testing.assert_allclose(run("bundle-at-item-prices", bids)[1], [1, 0, 0])
    low = [[0.25, 0], [0.625, 0], [0, 0]]
    np.testing.assert_allclose(run("second-price-items-reserve", low)[1], [0, 0.5, 0])
    assert gain("items-free-reserve", 0, [[0.25, 0], [0, 0], [0, 0]], [0.5, 0]) == 0.25


def test_vcg_variants_that_forget_a_matching_or_a_pivot():
    reports = [[1, 0], [0, 1], [1, 1]]
    np.testing.assert_allclose(run("vcg-assignment", reports)[1], [1, 1, 0])
    # The first matching, item 1 to agent 1 and item 2 to agent 2, is left out of the pivot.
    assert run("vcg-pivot-forgets", reports)[1][2] == -1
    # Out of the range but not of the pivot: the third agent gets item 2, worth nothing to it, and
    # pays the 1 that the second loses.
    x, p = run("vcg-choice-forgets", [[1, 0], [0, 1], [0, 0]])
    assert x == [[1, 0], [0, 0], [0, 1]]
    np.testing.assert_allclose(p, [1, 0, 1])
    own = run("vcg-own-pivot", reports)
    np.testing.assert_allclose(own[1], (np.array(own[0]) * reports).sum(axis=-1))


def test_greedy_matching_is_not_a_best_reply():
    # Greedy gives item 1 to agent 1 (1) and item 2 to agent 2 (0); the best matching is worth 7/4.
    reports = [[1, 0.875], [0.875, 0], [0, 0]]
    assert run("greedy-assignment", reports)[0] == [[1, 0], [0, 1], [0, 0]]
    assert run("vcg-assignment", reports)[0] == [[0, 1], [1, 0], [0, 0]]


# Packages -----------------------------------------------------------------------------------------


def test_false_names_win_both_items_for_two():
    # Ninths of [0, 1]: AB at 0.9 loses to AB at 1; as A at 0.9 and B at 0.9 it pays 0.1 for each.
    split = ENTRIES["vcg-single-minded"].make().resized(3)
    x, p = run(split, [[1, 1, 1], [0.9, 1, 0], [0.9, 0, 1]])
    assert x == [[0, 0], [1, 0], [0, 1]]
    np.testing.assert_allclose(p, [0, 0.1, 0.1])
    assert run("vcg-single-minded", [[1, 1, 1], [0.9, 1, 1]])[0] == [[1, 1], [0, 0]]


def test_raising_a_local_bid_lowers_vcg_revenue():
    assert revenue("vcg-known-bundles", [0.75, 0.75, 1]) == 0.5
    assert revenue("vcg-known-bundles", [1, 0.75, 1]) == 0.25


def test_core_payments_share_the_shortfall():
    np.testing.assert_allclose(run("core-nearest-vcg", [1, 1, 1])[1], [0.5, 0.5, 0])
    np.testing.assert_allclose(run("core-nearest-vcg", [0.5, 1, 1])[1], [0.25, 0.75, 0])
    assert gain("core-nearest-vcg", 0, [1, 1, 1], 0.5) == 0.25


def test_greedy_ranks_by_root_of_size_and_charges_the_critical_bid():
    # 0.7 / √1 beats 0.9 / √2 = 0.636…, so A blocks AB; it pays 0.9 / √2. B enters free.
    x, p = run("greedy-single-minded", [[0.7, 1, 0], [0.9, 1, 1], [0.1, 0, 1]])
    assert x == [[1, 0], [0, 0], [0, 1]]
    np.testing.assert_allclose(p, [0.9 / np.sqrt(2), 0, 0], atol=1e-12)
    # The other way round AB pays √2 times the single bid; forgetting the size, the bid itself.
    wide = [[0.5, 1, 0], [0.9, 1, 1], [0, 0, 1]]
    np.testing.assert_allclose(run("greedy-single-minded", wide)[1], [0, 0.5 * np.sqrt(2), 0])
    np.testing.assert_allclose(run("greedy-forgets-size", wide)[1], [0, 0.5, 0])
    # By value, 0.9 for AB goes before 0.7 for A.
    assert run("greedy-by-value", [0.7, 0.1, 0.9])[0] == [[0, 0], [0, 0], [1, 1]]
    assert run("greedy-known-bundles", [0.7, 0.1, 0.9])[0] == [[1, 0], [0, 1], [0, 0]]


def test_greedy_without_tie_break_grants_both():
    x, _ = run("greedy-ties", [0, 0, 0])
    assert x == [[1, 0], [0, 1], [1, 1]]
    assert not ENTRIES["greedy-ties"].make().setting.feasible(np.array([x]))[0]


def test_bundles_written_out_agree_with_groves():
    reports = np.random.default_rng(5).random((50, 2, 3))
    hand = play(packages.auction(combinatorial(2, 2)), reports)
    groves = play(ENTRIES["vcg-packages"].make(), reports)
    np.testing.assert_array_equal(hand.allocation, groves.allocation)
    np.testing.assert_allclose(hand.payments, groves.payments, atol=1e-12)


def test_exclusive_bids_read_as_a_sum_overcharge():
    x, p = run("vcg-adds-up", [[1, 1, 1], [0.75, 0.75, 0.75]])
    assert x == [[1, 1], [0, 0]]
    np.testing.assert_allclose(p, [1.5, 0])


def test_package_shop_sells_the_pair_below_its_parts():
    x, p = run("package-shop", [[0.5, 0.5, 1], [1, 1, 1]])
    assert x == [[1, 1], [0, 0]]
    np.testing.assert_allclose(p, [0.625, 0])


# Informed -----------------------------------------------------------------------------------------


def test_generalised_vickrey_charges_the_value_at_the_least_winning_signal():
    # Signals 0.8, 0.6, 0.2: 0.6 + ½ · (0.6 + 0.2) / 2.
    np.testing.assert_allclose(run("generalised-vickrey", [0.8, 0.6, 0.2])[1], [0.8, 0, 0])
    for lie in (0, 0.5, 0.7, 1):
        for agent in range(3):
            assert gain("generalised-vickrey", agent, [0.8, 0.6, 0.2], lie) <= 1e-12
    # Against others who hide what they know, winning is a bargain.
    hidden = gain("generalised-vickrey", 0, [0.25, 1, 1], 1, others=[0.25, 0.5, 0])
    assert hidden == pytest.approx(0.25 + 0.5 - (0.5 + 0.125))
    assert gain("signal-second-price", 1, [0.8, 0.6, 0.2], 1) == pytest.approx(0.6 + 0.25 - 0.8)


def test_wallet_game_truth_is_twice_the_signal():
    x, p = run("wallet-game", [2 * 0.5, 2 * 0.25])
    assert x == [1, 0]
    assert p[0] == 0.5
    assert all(gain("wallet-game", 0, [0.5, 0.25], lie) <= 0 for lie in (0, 0.4, 2))
    assert gain("wallet-game", 0, [0, 1], 2, others=[0, 0.5]) == 0.5


def test_scale_and_estimates():
    assert gain("unscaled-price", 0, [0.75, 1, 0], 2, scale=[2]) == 0.5
    assert gain("scaled-second-price", 0, [0.75, 1, 0], 2, scale=[2]) == -0.5
    others = [0.5, 0.25, 0]
    lie = gain("second-price-on-estimates", 0, [0.5, 1, 0], 0, others=others, estimate=[0.5, 1, 0])
    assert lie == 0.5


def test_reserves_coins_and_quotes():
    np.testing.assert_allclose(run("public-reserve", [0.9, 0.5, 0], reserve=[0.6])[1], [0.6, 0, 0])
    # Reserves 1/4, 1/2, 3/4: a bid of 0.6 against 0.3 wins twice, at 0.3 and 0.5.
    x, p = run("random-reserve", [0.6, 0.3, 0])
    np.testing.assert_allclose(x, [2 / 3, 0, 0])
    np.testing.assert_allclose(p, [0.8 / 3, 0, 0])
    np.testing.assert_allclose(run("double-or-nothing", [0.9, 0.5, 0])[1], [0.5, 0, 0])
    x, p = run("public-quotes", [0.5, 0.9, 1], quote=[0.6, 0.7, 0.1, 0])
    assert x == [0, 1, 0]
    np.testing.assert_allclose(p, [0, 0.7, 0])


def test_reverse_auctions_pay_the_kth_ask():
    for key, paid in (
        ("reverse-vickrey", 0.5),
        ("reverse-first-price", 0.25),
        ("reverse-third-price", 0.75),
    ):
        x, p = run(key, [0.5, 0.25, 0.75])
        assert x == [0, 1, 0]
        np.testing.assert_allclose(p, [0, -paid, 0])


# Papers -------------------------------------------------------------------------------------------


def test_double_dutch_price_follows_the_ticks():
    np.testing.assert_allclose(run("madda-double-dutch", [50.5, 50.9, 10, 90])[1], [0, 50, -50, 0])
    assert gain("madda-double-dutch", 0, [50.5, 50.9, 10, 90], 51) == pytest.approx(0.5)
    assert gain("madda-double-dutch", 2, [50, 1, 30, 100], 50) == pytest.approx(20)


def double_dutch_clock(bids: list[float], asks: list[float]) -> tuple[int, float]:
    """How many pairs trade and at what price, by running both clocks tick by tick."""
    buyers, sellers = sorted(bids, reverse=True), sorted(asks)
    clock, taken, side = [100, 1], [0, 0], 0
    while True:
        waiting = (buyers, sellers)[side][taken[side] :]
        if waiting and (clock[0] <= waiting[0] if side == 0 else clock[1] >= waiting[0]):
            taken[side] += 1
            side = 1 - side
            continue
        step = -1 if side == 0 else 1
        clock[side] += step
        if clock[0] < clock[1]:
            clock[side] -= step
            return min(taken), sum(clock) / 2


@pytest.mark.parametrize("seed", range(5))
def test_double_dutch_agrees_with_running_the_clocks(seed):
    rng = np.random.default_rng(seed)
    for scale in (1, 4):
        types = np.clip(rng.integers(1, 100 * scale, size=4) / scale, 1, 100)
        trades, price = double_dutch_clock(types[:2].tolist(), types[2:].tolist())
        x, p = run("madda-double-dutch", types)
        assert sum(x[:2]) == sum(x[2:]) == trades
        np.testing.assert_allclose(p, np.where(x, [price, price, -price, -price], 0))


def test_printed_mcafee_reduces_where_there_is_no_next_pair():
    np.testing.assert_allclose(run("aigc-mcafee", [1, 0.75, 0, 0.5])[1], [0.75, 0, -0.5, 0])
    np.testing.assert_allclose(run("mcafee", [1, 0.75, 0, 0.5])[1], [0.5, 0.5, -0.5, -0.5])


def test_cost_as_reserve_rewards_the_seller_for_asking_more():
    np.testing.assert_allclose(run("aigc-second-price", [1, 0.5, 0, 0.25])[1], [0.5, 0, 0, -0.5])
    assert gain("aigc-second-price", 3, [1, 0.5, 0, 0.25], 1) == 0.5


def test_modified_second_bid_thresholds():
    x, p = run("dmsb-second-bid", [0.1, 1, 0.4, 0])
    assert x == [0, 1, 0, 0]
    np.testing.assert_allclose(p, [0, 0.8, 0, 0])
    assert revenue("dmsb-second-bid", [0.1, 1, 0.6, 0]) == pytest.approx(0.1)
    # Over everybody, scaling the stations' bids by two turns the winner around.
    assert run("dmsb-second-bid-all", [0.375, 0.5, 0.125, 0])[0] == [1, 0, 0, 0]
    assert run("dmsb-second-bid-all", [0.375, 1, 0.25, 0])[0] == [0, 1, 0, 0]
    assert gain("dmsb-myopic", 1, [1, 0.8, 0.2, 0], 1) == pytest.approx(0.05)


# The records --------------------------------------------------------------------------------------


def test_every_entry_is_judged_and_named_once():
    files = (trade, assignment, packages, informed, papers)
    assert sum(len(file.ENTRIES) for file in files) == len(ENTRIES)
    for entry in ENTRIES.values():
        assert entry.make().setting.agents <= 4
        assert not set(entry.holds.split()) & set(entry.fails.split())
        assert set(entry.because) <= set(entry.truth)
