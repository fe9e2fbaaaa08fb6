"""The market for twins migration: formulas by hand, the empty market as printed, the matching."""

from __future__ import annotations

import itertools
import math
from dataclasses import fields, replace

import numpy as np
import pytest
from vehicles import drawn

from mechkit.errors import InputError
from mechkit.papers import paper_of
from mechkit.papers.madda import clocks, market, matching

# Formulas, from the paper's own numbers -----------------------------------------------------------


def test_feedback_and_its_weights():
    # min(40, 30) / 40, min(80, 100) / 80, min(50, 50) / 50.
    parts = market.feedback(np.array([40.0, 80, 50]), np.array([30.0, 100, 50]))
    assert parts.tolist() == [0.75, 1, 1]
    # 0.75 / 2 + 1 / 4 + 1 / 4.
    assert market.weighted_evaluation(parts, np.array([0.5, 0.25, 0.25])) == 0.875


def test_freshness_halves_and_is_normalised():
    # ξ = 1/2: after 2 ln 2 units of time a half is left.
    times = np.array([10 - 2 * math.log(2), 10.0])
    fresh = market.freshness(times, 10.0, 0.5)
    assert fresh == pytest.approx([0.5, 1])
    assert market.normalised(fresh) == pytest.approx([1 / 3, 2 / 3])
    # 0.6 / 3 + 2 · 0.9 / 3; as printed, 0.3 + 0.9 exceeds 1.
    assert market.reputation(market.normalised(fresh), np.array([0.6, 0.9])) == pytest.approx(0.8)
    assert market.reputation(fresh, np.array([0.6, 0.9])) == pytest.approx(1.2)


def test_sellers_value_by_hand():
    # 0.001 · 40² = 1.6, 0.1 · 60 = 6, 0.6 · 80 = 48, each with weight 1/3.
    assert market.seller_value(np.array([40.0, 60, 80])) == pytest.approx((1.6 + 6 + 48) / 3)


def test_buyers_value_by_hand():
    # d = 1: 500 · 1 / 10⁻⁹ = 5 · 10¹¹, whose log2 is 11 log2 10 + log2 5.
    bits = 11 * math.log2(10) + math.log2(5)
    rate = market.transmission_rate(np.array(40.0), np.array(1.0))
    assert rate == pytest.approx(40 * bits)
    assert market.expected_latency(np.array(80.0), rate) == pytest.approx(2 / bits)
    # 0.3 lg(0.15 / (2 / bits)): 0.3 lg(0.075 · 38.86) = 0.1394.
    value = market.buyer_value(np.array(40.0), np.array(80.0), np.array(1.0))
    assert value == pytest.approx(0.3 * math.log10(0.075 * bits))
    assert value == pytest.approx(0.1394, abs=1e-4)
    # Nearer, 0.8³ = 0.512.
    assert market.transmission_rate(np.array(1.0), np.array(0.8)) == pytest.approx(
        bits - math.log2(0.512)
    )


def test_distance():
    assert matching.distance(np.array([0.1, 0.2]), np.array([0.4, 0.6])) == pytest.approx(0.5)


def test_maps_onto_the_clocks():
    assert market.onto_clock(np.array([0.1, 0.2, 0.15]), (0.1, 0.2)) == pytest.approx(
        [1, 100, 50.5]
    )
    rng = np.random.default_rng(0)
    ends = np.concatenate(
        [np.array(list(itertools.product([0, 1], repeat=3))), rng.random((99, 3))]
    )
    a, b, c = ends.T
    for found, span in (
        (market.seller_value(40 + 40 * ends), market.cost_range()),
        (market.buyer_value(40 + 40 * a, 40 + 40 * b, 0.8 + 0.2 * c), market.value_range()),
    ):
        assert (found.min(), found.max()) == pytest.approx(span)


# The market as printed is empty -------------------------------------------------------------------


def test_nobody_trades_in_the_market_as_printed():
    # At best R^com = 80, R^s = 40, d = 0.8 km: 0.3 lg(0.15 · 2 · (38.86 + 0.97)) = 0.323.
    bits = 11 * math.log2(10) + math.log2(5) - math.log2(0.512)
    assert market.value_range()[1] == pytest.approx(0.3 * math.log10(0.3 * bits))
    assert market.value_range()[1] < 0.33
    # At least f = B̂ = x = 40: 1.6, 4 and 24; no weights bring their mean below 1.6.
    for weights in np.eye(3):
        p = market.Parameters(cost_weights=tuple(weights))
        assert market.cost_range(p)[0] >= 1.6 - 1e-12
    rng = np.random.default_rng(0)
    required, offered = rng.uniform(40, 80, (2, 200, 50, 3))
    values = market.buyer_value(required[..., 1], required[..., 2], rng.uniform(0.8, 1, (200, 50)))
    costs = market.seller_value(offered)
    assert (values.max(axis=1) < 1).all()
    assert (values.max(axis=1) < costs.min(axis=1)).all()
    for step in (1, 20):
        assert not clocks.run(values, costs, lambda state, s=step: s)[0].k.any()
        assert not clocks.constant(values, costs, step)[0].k.any()
    # The mapped market is not empty.
    found = drawn(0, 20, buyers=50, sellers=50)
    assert paper_of("madda").market.systems["unit step"](found).trades.mean() > 4


def test_nobody_is_matched_with_first_reputations():
    p = market.Parameters(transactions=1, history=0.0, reliability=(0.5, 0.5), unsteady=0.0)
    found = drawn(0, parameters=p)
    assert found.reputation == pytest.approx(0.5)
    assert (found.partner < 0).all()
    assert not paper_of("madda").market.systems["unit step"](found).trades.any()


# What is drawn ------------------------------------------------------------------------------------


def test_what_is_drawn_lies_in_the_printed_ranges():
    found = drawn(1, 50, buyers=40, sellers=30)
    assert found.values.shape == (50, 40)
    assert found.costs.shape == (50, 30)
    for array, low, high in (
        (found.required, 40, 80),
        (found.offered, 40, 80),
        (found.farthest, 0.8, 1),
        (found.least_reputation, 0.6, 0.8),
        (found.values, 1, 100),
        (found.costs, 1, 100),
        (found.reputation, 0, 1),
    ):
        assert array.min() >= low
        assert array.max() <= high
        assert np.ptp(array) > 0.2 * (high - low)
    assert found.attribute_weights.sum(axis=-1) == pytest.approx(1)
    # The most reliable provide all that is asked for, the first 0.5 counts a little.
    assert 0.9 < found.reputation.max() < 1
    # E x = 60 of R^com and R^s alike.
    assert found.required.mean() == pytest.approx(60, abs=0.6)


def test_values_are_ordered_as_eq_9_orders_them():
    found = drawn(2, 5)
    raw = market.buyer_value(found.required[..., 1], found.required[..., 2], found.farthest)
    assert (np.argsort(raw, axis=-1) == np.argsort(found.values, axis=-1)).all()
    cost = market.seller_value(found.offered)
    assert (np.argsort(cost, axis=-1) == np.argsort(found.costs, axis=-1)).all()


def test_a_seed_says_what_is_drawn():
    one, two, other = drawn(1), drawn(1), drawn(2)
    for name in [*(field.name for field in fields(one)), "partner"]:
        assert np.array_equal(getattr(one, name), getattr(two, name))
        if name not in ("coverage", "heeded"):
            assert not np.array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("name", ["buyers", "sellers", "batch"])
@pytest.mark.parametrize("wrong", [0, 2.5, True, "3"])
def test_bad_counts_are_explained(name, wrong):
    counts = {"batch": 2, "buyers": 2, "sellers": 2, name: wrong}
    with pytest.raises(InputError, match=f"{name} = {wrong!r}: expected an integer"):
        market.draw(np.random.default_rng(0), **counts)


# The matching -------------------------------------------------------------------------------------


def test_each_condition_of_eq_10_counts():
    required, offered = np.array([50.0, 60, 70]), np.array([50.0, 60, 70])
    fits = {"away": 0.9, "farthest": 0.9, "reputation": 0.7, "least": 0.7}
    assert matching.compatible(required, offered, **fits)
    for k in range(3):
        less = offered.copy()
        less[k] -= 1
        assert not matching.compatible(required, less, **fits)
    assert not matching.compatible(required, offered, **{**fits, "away": 0.91})
    assert not matching.compatible(required, offered, **{**fits, "reputation": 0.69})


def test_eq_11_by_hand():
    # 0.25 (1 − 0.6) + 0.75 · 0.8 + 40 · 50 + 50 · 60 + 60 · 70 = 0.1 + 0.6 + 9200.
    found = matching.edge_weight(
        np.array([0.25, 0.75]), 0.6, 0.8, np.array([40.0, 50, 60]), np.array([50.0, 60, 70]), 1
    )
    assert found == pytest.approx(9200.7)


def slow_edges(found, b):
    """{(m, n): weight} of one instance, number by number."""
    edges = {}
    for m in range(found.values.shape[1]):
        for n in range(found.costs.shape[1]):
            away = math.dist(found.leaves[b, m], found.sites[b, n])
            enough = all(found.offered[b, n, k] >= found.required[b, m, k] for k in range(3))
            heeded = found.heeded[b]
            trusted = found.reputation[b, n] >= found.least_reputation[b, m] or not heeded
            if enough and trusted and away <= found.farthest[b, m]:
                near, known = found.attribute_weights[b, m]
                product = sum(found.offered[b, n, k] * found.required[b, m, k] for k in range(3))
                known *= found.reputation[b, n] if heeded else 0
                edges[m, n] = near * (1 - away) + known + product
    return edges


def all_matchings(edges, buyers, used=()):
    """Every set of edges without a common vertex, as lists, buyers in order."""
    if not buyers:
        yield []
        return
    first, *rest = buyers
    yield from all_matchings(edges, rest, used)
    for m, n in edges:
        if m == first and n not in used:
            for more in all_matchings(edges, rest, (*used, n)):
                yield [(m, n), *more]


@pytest.mark.parametrize(
    ("buyers", "sellers", "heeded"), [(4, 4, True), (5, 3, True), (3, 5, True), (4, 4, False)]
)
def test_the_matching_is_that_of_brute_force(buyers, sellers, heeded):
    # Smaller requirements, so that edges compete.
    chosen = market.Parameters(reputation=heeded)
    found = drawn(3, 60, buyers=buyers, sellers=sellers, parameters=chosen)
    found = replace(found, required=found.required * 0.75)
    partner = found.partner
    sizes = set()
    for b in range(60):
        edges = slow_edges(found, b)
        # In the balanced graph max(M, N) − |matching| virtual edges weigh −1 each.
        worth = [
            sum(edges[edge] for edge in way) - (max(buyers, sellers) - len(way))
            for way in all_matchings(edges, list(range(buyers)))
        ]
        mine = [(m, n) for m, n in enumerate(partner[b]) if n >= 0]
        assert set(mine) <= set(edges)
        assert len({n for _, n in mine}) == len(mine)
        total = sum(edges[edge] for edge in mine) - (max(buyers, sellers) - len(mine))
        assert total == pytest.approx(max(worth))
        sizes.add(len(mine))
        # The optimum: the largest gains of any matching of pairs that can trade.
        allowed = slow_edges(replace(found, heeded=np.ones(60, dtype=bool)), b)
        gains = [
            sum(max(found.values[b, m] - found.costs[b, n], 0) for m, n in way)
            for way in all_matchings(allowed, list(range(buyers)))
        ]
        one = replace(found, **{f.name: getattr(found, f.name)[b : b + 1] for f in fields(found)})
        assert matching.optimum(one)[0] == pytest.approx(max(gains))
    assert len(sizes) > 1


def test_what_heeds_no_reputation_matches_more_and_fails_more():
    heard, unheard = (
        drawn(8, 40, parameters=market.Parameters(reputation=heeded)) for heeded in (True, False)
    )
    assert np.array_equal(heard.values, unheard.values)
    assert (heard.partner >= 0).sum() < (unheard.partner >= 0).sum()
    assert matching.sound(heard).sum() == (heard.partner >= 0).sum()
    assert 0 < matching.sound(unheard).sum() < (unheard.partner >= 0).sum()
    for b, m in np.ndindex(unheard.partner.shape):
        n = unheard.partner[b, m]
        trusted = n >= 0 and unheard.reputation[b, n] >= unheard.least_reputation[b, m]
        assert matching.sound(unheard)[b, m] == trusted


def test_computing_power_moves_one_resource_and_what_it_costs():
    plain, more = (
        drawn(9, 60, parameters=market.Parameters(computing=span)) for span in (None, (70.0, 80.0))
    )
    assert 70 <= more.offered[..., 0].min() < more.offered[..., 0].max() <= 80
    ranks = [np.argsort(found.offered[..., 0], axis=-1) for found in (plain, more)]
    assert np.array_equal(*ranks)
    assert np.array_equal(plain.offered[..., 1:], more.offered[..., 1:])
    assert np.array_equal(plain.values, more.values)
    assert (more.costs >= plain.costs).all()
    assert (plain.partner >= 0).sum() < (more.partner >= 0).sum()


@pytest.mark.parametrize("span", [(30.0, 50.0), (50.0, 90.0), (60.0, 50.0)])
def test_bad_computing_power_is_explained(span):
    with pytest.raises(InputError, match=r"computing = .*: expected bounds 40 ≤ low ≤ high ≤ 80"):
        market.Parameters(computing=span)


def test_bad_reputation_is_explained():
    with pytest.raises(InputError, match=r"reputation = 'no': expected true or false"):
        market.Parameters(reputation="no")


def test_the_matching_ignores_values_and_costs():
    one = drawn(4, parameters=market.Parameters())
    other = drawn(4, parameters=market.Parameters(cost_weights=(1.0, 0.0, 0.0), latency=0.5))
    assert not np.array_equal(one.costs, other.costs)
    assert np.array_equal(one.partner, other.partner)
    assert (one.partner >= 0).any()


def test_pairs_of_gamma_can_serve_and_pieces_are_put_together(monkeypatch):
    found = drawn(5, 30, buyers=10, sellers=14)
    assert matching.can_serve(found, found.partner)[found.partner >= 0].all()
    everybody = np.arange(14)[None, :10] + np.zeros((30, 1), dtype=int)
    fits = matching.can_serve(found, everybody)
    for b, m in np.ndindex(30, 10):
        assert fits[b, m] == ((m, m) in slow_edges(found, b))
    whole, partner = matching.optimum(found), found.partner
    monkeypatch.setattr(matching, "CELLS", 300)
    assert matching.optimum(found).tolist() == whole.tolist()
    assert np.array_equal(drawn(5, 30, buyers=10, sellers=14).partner, partner)


# The record ---------------------------------------------------------------------------------------


def test_the_paper_describes_itself():
    paper = paper_of("madda")
    assert paper.id == "madda"
    assert paper.market.large["buyers"] == 10 * paper.market.sizes["buyers"]
    assert "empty" in paper.readings[0]
    default = paper.market.draw(np.random.default_rng(0), 1)
    named = paper.market.draw(np.random.default_rng(0), 1, **paper.market.sizes)
    for name, array in vars(default).items():
        assert np.array_equal(array, getattr(named, name))
