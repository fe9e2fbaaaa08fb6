"""Markets at roadside units: systems against a slow simulation, conservation, the optimum."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from roadside import drawn

from mechkit.errors import InputError
from mechkit.papers import paper_of
from mechkit.papers.aigc import market, systems
from mechkit.papers.aigc.mechanism import cost_as_reserve, mcafee_as_printed

MARKET = paper_of("aigc").market


# The rules, against numbers and a slow simulation written from the paper --------------------------


def test_mcafee_of_the_textbook():
    # McAfee 1992: buyers 9, 8, 7, 4 and sellers 2, 3, 4, 5: three trades at 4.5.
    buys, sells, pays, gets = mcafee_as_printed(
        np.array([[9, 8, 7, 4.0]]), np.array([[2, 3, 4, 5.0]])
    )
    assert buys.tolist() == [[True] * 3 + [False]]
    assert sells.tolist() == [[True] * 3 + [False]]
    assert pays.tolist() == gets.tolist() == [[4.5]]


def test_absent_buyers_do_not_count_as_a_next_pair():
    values, costs = np.array([[1, 0.75, 0.25]]), np.array([[0, 0.5, 0.5]])
    # With the third buyer p = 3/8 < 1/2; without it there is no third pair. One trade either way.
    for present in ([True, True, True], [True, True, False]):
        buys, sells, pays, gets = mcafee_as_printed(values, costs, present=np.array([present]))
        assert buys.tolist() == sells.tolist() == [[True, False, False]]
        assert (pays.tolist(), gets.tolist()) == ([[0.75]], [[0.5]])
    alone = np.array([[True, True, False]])
    buys, *_ = mcafee_as_printed(values, costs, present=alone, reduces_alone=False)
    assert not buys.any()
    # K = 1 and a second pair: p = (1/4 + 1/2) / 2 suits both.
    buys, _, pays, _ = mcafee_as_printed(values, costs, present=np.array([[True, False, True]]))
    assert (buys.tolist(), pays.tolist()) == ([[True, False, False]], [[0.375]])


def test_second_price_with_a_reserve():
    for bids, cost, wins, price in (
        ([1, 0.5, 0], 0.25, 0, 0.5),
        ([1, 0.5, 0], 0.75, 0, 0.75),
        ([0.5, 0.5, 0], 0.5, 0, 0.5),
        ([0.25, 0.5, 0.75], 0.8, None, None),
    ):
        buys, sells, pays, gets = cost_as_reserve(np.array([bids]), np.array([[cost]]))
        assert buys[0].tolist() == [i == wins for i in range(3)]
        assert sells[0, 0] == (wins is not None)
        if wins is not None:
            assert pays[0, 0] == gets[0, 0] == price
    *_, kept = cost_as_reserve(np.array([[1, 0.5]]), np.array([[0.25]]), passes_on=False)
    assert kept.tolist() == [[0.25]]


def slow_mcafee(buyers, sellers, asked):
    """buyers, sellers: {index: valuation}. Returns trades (buyer, seller, pays, gets)."""
    v = sorted(buyers, key=lambda i: (-buyers[i], i))
    m = sorted(sellers, key=lambda j: (sellers[j], j))
    pairs = min(len(v), len(m))
    k = max((i for i in range(1, pairs + 1) if buyers[v[i - 1]] >= sellers[m[i - 1]]), default=0)
    if k < pairs:
        p = (buyers[v[k]] + sellers[m[k]]) / 2
        if sum(b >= p for b in buyers.values()) == k == sum(a <= p for a in sellers.values()):
            return [(v[i], m[i], p, p) for i in range(k)]
    return [(v[i], m[i], buyers[v[k - 1]], sellers[m[k - 1]]) for i in range(k - 1)]


def slow_pairs(buyers, sellers, asked):
    v = sorted(buyers, key=lambda i: (-buyers[i], i))
    m = sorted(sellers, key=lambda j: (sellers[j], j))
    trades = [(i, j) for i, j in zip(v, m, strict=False) if buyers[i] >= sellers[j]]
    if not trades:
        return []
    price = (buyers[trades[-1][0]] + sellers[trades[-1][1]]) / 2
    return [(i, j, price, price) for i, j in trades]


def slow_second_price(buyers, sellers, asked):
    left, trades = dict(buyers), []
    for j, cost in sorted(sellers.items()):
        here = {i: b for i, b in left.items() if asked is None or asked[i] == j}
        ranked = sorted(here, key=lambda i: (-here[i], i))
        if ranked and here[ranked[0]] >= cost:
            second = here[ranked[1]] if len(ranked) > 1 else 0
            trades.append((ranked[0], j, max(second, cost), max(second, cost)))
            del left[ranked[0]]
    return trades


def slow_in_turn(buyers, sellers, asked):
    return slow_second_price(buyers, sellers, None)


SLOW = {
    "McAfee as printed": (slow_mcafee, False),
    "second price": (slow_second_price, False),
    "second price in turn": (slow_in_turn, False),
    "efficient pairs": (slow_pairs, False),
    "random bids": (slow_mcafee, True),
}


def slow_system(found, b, rule, random):
    """One instance, slot by slot and unit by unit; what a `Result` says of it."""
    slots, units, machines = found.costs.shape[1:]
    waiting, alphas = set(range(found.values.shape[1])), (0, 0.1, 1)
    total = dict.fromkeys(("welfare", "trades", "budget", "sw", "gains", "late", "loss"), 0.0)
    reward, second = dict.fromkeys(alphas, 0.0), dict.fromkeys(alphas, 0.0)
    for t in range(slots):
        sw = gains = late = beta = 0.0
        served = set()
        for n in range(units):
            bids = found.dice[b, t] if random else found.values[b]
            buyers = {v: bids[v] for v in waiting if found.unit[b, t, v] == n}
            sellers = {m: found.costs[b, t, n, m] for m in range(machines)}
            for v, m, pays, gets in rule(buyers, sellers, found.asked[b]):
                u, c = found.values[b, v], sellers[m]
                sw, gains = sw + u + c, gains + u - c
                late += 8000 * found.sizes[b, v] / found.rates[b, t, v, m]
                beta += pays - gets
                total["loss"] += pays > u
                served.add(v)
        waiting -= served
        total["welfare"] += gains - late
        total["trades"] += len(served)
        total["budget"] += beta
        total["sw"] += sw
        total["gains"] += gains
        total["late"] += late
        for alpha in alphas:
            reward[alpha] += sw - alpha * beta**2 - late
            second[alpha] += gains - beta - alpha * beta**2 - late
    return total, reward, second


@pytest.mark.parametrize("name", SLOW)
@pytest.mark.parametrize("coarse", [False, True])
def test_systems_do_what_a_slow_simulation_does(name, coarse):
    rule, random = SLOW[name]
    for seed, vehicles, machines in ((0, 12, 2), (1, 20, 6), (2, 1, 1)):
        found = drawn(seed, vehicles=vehicles, machines=machines, coarse=coarse)
        result = MARKET.systems[name](found)
        measured = result.measured
        for b in range(len(found.values)):
            total, reward, second = slow_system(found, b, rule, random)
            assert result.trades[b] == total["trades"]
            assert measured["buyers at a loss"][b] == total["loss"]
            near = {"abs": 1e-9}
            assert result.welfare[b] == pytest.approx(total["welfare"], **near)
            assert result.budget[b] == pytest.approx(total["budget"], **near)
            assert measured["social welfare (eq. 1)"][b] == pytest.approx(total["sw"], **near)
            assert measured["gains from trade"][b] == pytest.approx(total["gains"], **near)
            assert measured["latency, ms (eq. 2)"][b] == pytest.approx(total["late"], **near)
            assert measured["budget cost (eq. 4)"][b] == pytest.approx(total["budget"], **near)
            for alpha in reward:
                printed = measured[f"reward, α = {alpha} (eq. 6)"][b]
                assert printed == pytest.approx(reward[alpha], **near)
                utilities = measured[f"reward of utilities, α = {alpha}"][b]
                assert utilities == pytest.approx(second[alpha], **near)
    assert set(SLOW) == set(MARKET.systems)


# Conservation and capacity ------------------------------------------------------------------------

CLEARINGS = (
    systems.mcafee,
    systems.second_price,
    systems.second_price_in_turn,
    systems.efficient_pairs,
)


def shares_a_machine(found, played):
    """Whether some machine serves two vehicles in one slot."""
    for b in range(len(found.values)):
        used = [
            (t, found.unit[b, t, v], played.machine[b, v])
            for v, t in enumerate(played.served[b])
            if t >= 0
        ]
        if len(set(used)) < len(used):
            return True
    return False


@pytest.mark.parametrize("clearing", CLEARINGS)
@pytest.mark.parametrize("bidding", [systems.truthful, systems.at_random])
def test_money_and_machines_are_conserved(clearing, bidding):
    found = drawn(3, vehicles=30, machines=4, coarse=True)
    played = systems.play(found, clearing, bidding)
    result = systems.measure(found, played)
    done = played.served >= 0
    assert done.any()
    assert np.array_equal(done, played.machine >= 0)
    assert not played.pays[~done].any()
    assert not shares_a_machine(found, played)
    # Only machines that serve are paid.
    paid = np.argwhere(played.gets > 0)
    used = {
        (b, t, found.unit[b, t, v], played.machine[b, v])
        for (b, v), t in np.ndenumerate(played.served)
        if t >= 0
    }
    assert {tuple(row) for row in paid.tolist()} <= used
    kept = played.pays.sum(axis=1) - played.gets.sum(axis=(1, 2, 3))
    assert result.budget == pytest.approx(kept)
    m = result.measured
    parts = m["buyers' utility"] + m["sellers' utility"] + result.budget
    assert m["gains from trade"] == pytest.approx(parts)
    assert result.welfare == pytest.approx(m["gains from trade"] - m["latency, ms (eq. 2)"])
    if bidding is systems.truthful:
        assert not m["buyers at a loss"].any()


def test_a_machine_that_serves_two_is_noticed():
    found = drawn(4, vehicles=40, machines=1, slots=1)
    found = replace(found, values=found.values + 5)

    def at_once(bids, costs, present, asked):
        here = present.any(axis=1)
        return systems.Cleared(np.where(here, 0, -1), np.zeros(bids.shape), np.zeros(costs.shape))

    played = systems.play(found, at_once)
    assert shares_a_machine(found, played)
    assert (systems.measure(found, played).welfare > MARKET.optimum(found)).all()


def test_who_is_in_no_market_is_not_served():
    far = market.Parameters(coverage=100.0)
    found = drawn(5, vehicles=40, parameters=far)
    assert (found.unit < 0).any()
    assert np.isinf(found.latency[found.unit < 0]).all()
    assert not found.rates[found.unit < 0].any()
    for name, system in MARKET.systems.items():
        result = system(found)
        assert np.isfinite(result.welfare).all(), name
        assert (result.welfare <= MARKET.optimum(found) + 1e-9).all(), name
    served = systems.play(found, systems.efficient_pairs).served
    b, v = np.nonzero(served >= 0)
    assert (found.unit[b, served[b, v], v] >= 0).all()


@pytest.mark.parametrize("wrong", [-0.1, np.nan, np.inf])
def test_bad_bids_are_explained(wrong):
    found = drawn()
    with pytest.raises(InputError, match="expected finite bids of at least 0"):
        systems.play(found, systems.mcafee, lambda i, t, w, p: np.full(i.values.shape, wrong))
    with pytest.raises(InputError, match="expected finite bids"):
        systems.play(found, systems.mcafee, lambda i, t, w, p: i.values[0])


def test_bidders_see_eq_5():
    found = drawn(9, 6, vehicles=30, machines=4, slots=3)
    seen = []

    def watching(instances, slot, waits, last_price):
        seen.append((waits, last_price, systems.observation(instances, slot, waits, last_price)))
        return instances.values

    played = systems.play(found, systems.second_price, watching)
    for slot, (waits, last_price, view) in enumerate(seen):
        assert view.shape == (6, 30, 4 + 1 + 4)
        for b in range(6):
            there = [
                sum(waits[b, v] and found.unit[b, slot, v] == n for v in range(30)) + 4
                for n in range(4)
            ]
            before = [t for t in played.served[b] if 0 <= t < slot]
            paid = played.pays[b, played.served[b] == max(before, default=-2)]
            price = paid.mean() if before else 0
            assert last_price[b] == pytest.approx(price)
            for v in range(30):
                assert view[b, v, :4].tolist() == there
                assert view[b, v, 4] == pytest.approx(price)
                assert view[b, v, 5:].tolist() == found.rates[b, slot, v].tolist()
        assert np.array_equal(waits, ~((played.served >= 0) & (played.served < slot)))
    assert seen[1][1].all()


def test_the_printed_reward_pays_for_overbidding():
    """Eq. 1 adds costs, so that eq. 6 rewards the trades that truthful bids prevent."""
    found = drawn(10, 100, vehicles=80, machines=10, slots=5)

    def doubled(instances, slot, waits, last_price):
        return 2 * instances.values

    truth = systems.measure(found, systems.play(found, systems.mcafee))
    lies = systems.measure(found, systems.play(found, systems.mcafee, doubled))
    for alpha in (0, 0.1):
        printed = f"reward, α = {alpha} (eq. 6)"
        assert lies.measured[printed].mean() > 1.2 * truth.measured[printed].mean()
        utilities = f"reward of utilities, α = {alpha}"
        assert lies.measured[utilities].mean() < truth.measured[utilities].mean() / 2
    assert lies.welfare.mean() < truth.welfare.mean() / 2
    assert lies.measured["buyers at a loss"].mean() > 0.8 * lies.trades.mean()
    assert not truth.measured["buyers at a loss"].any()


# The optimum --------------------------------------------------------------------------------------


def brute_force(found, b):
    """The largest welfare over every way to serve each vehicle once, or not, and no machine twice
    in a slot."""
    slots, _, machines = found.costs.shape[1:]
    options = []
    for v in range(found.values.shape[1]):
        mine = [(None, 0.0)]
        for t, m in itertools.product(range(slots), range(machines)):
            n = found.unit[b, t, v]
            delay = 8000 * found.sizes[b, v] / found.rates[b, t, v, m]
            mine.append(((t, n, m), found.values[b, v] - found.costs[b, t, n, m] - delay))
        options.append(mine)
    best = 0.0
    for way in itertools.product(*options):
        used = [cell for cell, _ in way if cell is not None]
        if len(set(used)) == len(used):
            best = max(best, sum(gain for _, gain in way))
    return best


@pytest.mark.parametrize(("vehicles", "machines", "slots"), [(4, 1, 2), (3, 2, 2), (4, 3, 1)])
def test_the_optimum_is_that_of_brute_force(vehicles, machines, slots):
    # One unit, so that few vehicles compete.
    one = market.Parameters(units_per_side=1, coverage=800.0)
    found = drawn(
        6,
        60,
        vehicles=vehicles,
        machines=machines,
        slots=slots,
        parameters=one,
        content=np.array([800.0, 1500.0, 4000.0]),
    )
    expected = [brute_force(found, b) for b in range(60)]
    assert np.ptp(expected) > 0
    assert MARKET.optimum(found) == pytest.approx(np.array(expected), abs=1e-9)


@pytest.mark.parametrize("vehicles", [20, 80])
def test_no_system_beats_the_optimum(vehicles):
    found = drawn(7, 30, vehicles=vehicles, machines=10, slots=5)
    best = MARKET.optimum(found)
    for name, system in MARKET.systems.items():
        result = system(found)
        assert (result.welfare <= best + 1e-9).all(), name
        assert (result.trades > 0).all(), name


def test_the_optimum_does_not_depend_on_how_many_are_solved_at_once(monkeypatch):
    found = drawn(8, 17, vehicles=10)
    best = MARKET.optimum(found)
    monkeypatch.setattr(systems, "CELLS", 10 * 24 * 4)
    assert np.array_equal(MARKET.optimum(found), best)
