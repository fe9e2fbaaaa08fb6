"""Models trained together: systems against a slow simulation, conservation, the optimum."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from trained import drawn

from mechkit.papers import paper_of
from mechkit.papers.pmsam import game, market, mechanism, systems

MARKET = paper_of("pmsam").market

# The rules, by hand -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own_next", "pays"), [(True, [8.0, 7, 4, 0]), (False, [4.0, 4, 4, 0])], ids=["own", "losing"]
)
def test_three_winners_of_one_seller(own_next, pays):
    # 9 ≥ 2, 8 ≥ 3, 7 ≥ 5, 4 < 6: three buyers win, the cheapest seller sells at 3.
    buys, sells, paid, gets = mechanism.multi_winner(
        np.array([[9.0, 8, 7, 4]]), np.array([[6.0, 2, 3, 5]]), own_next=own_next
    )
    assert buys.tolist() == [[True, True, True, False]]
    assert sells.tolist() == [[False, True, False, False]]
    assert np.where(buys, paid, 0).tolist() == [pays]
    assert gets.tolist() == [[3.0]]


def test_what_is_missing():
    # One buyer, one seller: no next bid, no next ask.
    _, sells, paid, gets = mechanism.multi_winner(
        np.array([[5.0]]), np.array([[2.0]]), own_next=True
    )
    assert (sells.tolist(), paid.tolist(), gets.tolist()) == ([[True]], [[0.0]], [[2.0]])
    # Three sellers of which one is there; nobody there to buy.
    here = np.array([[False, True, False]])
    args = np.array([[5.0, 4.0]]), np.array([[1.0, 2.0, 1.5]])
    buys, sells, paid, gets = mechanism.multi_winner(*args, own_next=False, sellers=here)
    assert (buys.tolist(), sells.tolist()) == ([[True, False]], here.tolist())
    assert (np.where(buys, paid, 0).tolist(), gets.tolist()) == ([[4.0, 0]], [[2.0]])
    nobody = np.zeros((1, 2), dtype=bool)
    buys, sells, *_ = mechanism.multi_winner(*args, own_next=False, buyers=nobody)
    assert not buys.any()
    assert not sells.any()


def test_the_vote_needs_half_of_all_users():
    # Eq. 34: Σ v ≥ N / 2 among the others.
    assert mechanism.counted(np.ones((1, 3)), np.array([[0, 1, 2]])).tolist() == [[0, 0, 1]]
    assert mechanism.counted(np.ones((1, 4)), np.array([[1, 2, 3, 0]])).tolist() == [[0, 1, 1, 0]]
    assert mechanism.shares(np.array([[6.0]]), np.array([[1.0, 0, 2]])).tolist() == [[2, 0, 4]]
    assert mechanism.shares(np.array([[6.0]]), np.zeros((1, 2))).tolist() == [[0, 0]]


# A slow simulation written from the paper ---------------------------------------------------------


def slow_auction(bids, asks, own_next):
    """bids, asks: {who: amount}. Returns (pays by winner, the seller, what it gets)."""
    buyers = sorted(bids, key=lambda j: (-bids[j], j))
    sellers = sorted(asks, key=lambda h: (asks[h], h))
    k = 0
    for i in range(min(len(buyers), len(sellers))):
        if bids[buyers[i]] >= asks[sellers[i]]:
            k = i + 1
    if k == 0:
        return {}, None, 0
    pays = {}
    for i in range(k):
        following = i + 1 if own_next else k
        pays[buyers[i]] = bids[buyers[following]] if following < len(buyers) else 0
    gets = asks[sellers[1]] if len(sellers) > 1 else asks[sellers[0]]
    return pays, sellers[0], gets


def slow_system(found, b, own_next, equilibrium):
    organisations, users = found.costs.shape[1:]
    asks, counts = {}, {}
    for h in range(organisations):
        mine = found.costs[b, h]
        counts[h] = []
        for i in range(users):
            votes = sum(mine[i] <= 1.08 * mine[o] for o in range(users) if o != i)
            counts[h].append(mine[i] if votes >= users / 2 else 0)
        asks[h] = sum(counts[h])
    total = dict.fromkeys(
        ("welfare", "trades", "budget", "sold", "providers", "users", "p-loss", "u-loss"), 0.0
    )
    total["down"] = sum(c == 0 for row in counts.values() for c in row)
    for kind in (0, 1):
        sellers = {h: asks[h] for h in range(organisations) if found.offers[b, h] == kind}
        bids = {}
        for j in range(found.wants.shape[1]):
            if found.wants[b, j] == kind:
                each = [
                    equilibrium[b, h, j].sum() if equilibrium is not None else found.values[b, j, h]
                    for h in sellers
                ]
                bids[j] = min(sum(each) / len(each), found.budgets[b, j]) if each else 0
        pays, seller, gets = slow_auction(bids, sellers, own_next)
        if seller is None:
            continue
        total["sold"] += 1
        total["trades"] += len(pays)
        total["budget"] += sum(pays.values()) - gets
        total["welfare"] -= found.costs[b, seller].sum()
        for j, paid in pays.items():
            total["welfare"] += found.values[b, j, seller]
            total["providers"] += found.values[b, j, seller] - paid
            total["p-loss"] += paid > found.values[b, j, seller] + 1e-9
        for i in range(users):
            share = gets * counts[seller][i] / asks[seller] if asks[seller] else 0
            total["users"] += share - found.costs[b, seller, i]
            total["u-loss"] += share - found.costs[b, seller, i] < -1e-9
    return total


@pytest.mark.parametrize("own_next", [True, False], ids=["own next", "first losing"])
@pytest.mark.parametrize("played", [False, True], ids=["truthful", "equilibrium"])
@pytest.mark.parametrize("coarse", [False, True])
def test_systems_do_what_a_slow_simulation_does(own_next, played, coarse):
    name = ("own next" if own_next else "first losing") + (", game bids" if played else "")
    for seed, users, providers, organisations in ((0, 4, 5, 4), (1, 3, 9, 6), (2, 5, 1, 1)):
        found = drawn(
            seed,
            30,
            users=users,
            providers=providers,
            organisations=organisations,
            coarse=coarse,
        )
        equilibrium = game.equilibrium(found).bids if played else None
        result = MARKET.systems[name](found)
        keys = {
            "sold": "models sold",
            "providers": "providers' utility",
            "users": "users' utility",
            "p-loss": "providers at a loss",
            "u-loss": "users at a loss",
            "down": "users voted down",
        }
        for b in range(30):
            slow = slow_system(found, b, own_next, equilibrium)
            near = {"abs": 1e-6}
            assert result.welfare[b] == pytest.approx(slow["welfare"], **near)
            assert result.trades[b] == slow["trades"]
            assert result.budget[b] == pytest.approx(slow["budget"], **near)
            for short, long in keys.items():
                assert result.measured[long][b] == pytest.approx(slow[short], **near), long


# Conservation and capacity ------------------------------------------------------------------------

CLEARINGS = {
    "own next": lambda x: systems.auction(x, own_next=True),
    "first losing": lambda x: systems.auction(x, own_next=False),
    "clairvoyant": systems.clairvoyant,
    "random winners": systems.at_random,
}


@pytest.mark.parametrize("name", CLEARINGS)
@pytest.mark.parametrize("coarse", [False, True])
def test_money_and_capacity(name, coarse):
    found = drawn(3, 200, users=6, providers=8, coarse=coarse)
    cleared = CLEARINGS[name](found)
    result = systems.measure(found, cleared)
    assert cleared.sells.any()
    assert cleared.buys.any()
    # At most one organisation sells a kind, and only those who want a kind that is sold are served.
    for kind in (0, 1):
        offers, wants = found.offers == kind, found.wants == kind
        sold = (cleared.sells & offers).sum(axis=1)
        assert (sold <= 1).all()
        assert (((cleared.buys & wants).sum(axis=1) > 0) == (sold == 1)).all()
    # Who does not trade neither pays nor receives.
    assert not cleared.pays[~cleared.buys].any()
    assert not cleared.gets[~cleared.sells].any()
    # What buyers pay is what sellers get and what is kept; welfare is everybody's utility.
    kept = cleared.pays.sum(axis=1) - cleared.gets.sum(axis=1)
    assert result.budget == pytest.approx(kept)
    assert result.welfare == pytest.approx(
        result.measured["providers' utility"] + result.measured["users' utility"] + result.budget
    )
    assert result.measured["models sold"] == pytest.approx(cleared.sells.sum(axis=1))


@pytest.mark.parametrize("own_next", [True, False])
def test_budgets_of_eqs_2_and_17(own_next):
    found = drawn(4, 300, users=6)
    bids, (_, asked) = systems.truthful(found), systems.asks(found)
    cleared = systems.auction(found, own_next=own_next)
    assert (bids <= found.budgets).all()
    assert (cleared.pays <= bids + 1e-9).all()
    spent = np.where(cleared.sells, found.costs.sum(axis=-1), 0)
    assert (spent.max(axis=1) <= found.budgets.sum(axis=1)).all()
    # A seller gets at least what it asks for.
    assert (cleared.gets >= np.where(cleared.sells, asked, 0) - 1e-9).all()


def test_nobody_trains_beyond_the_sum_of_budgets():
    """Eq. 2, with budgets that cover half of the costs."""
    found = drawn(4, 50, parameters=market.Parameters(budget=100.0))
    costs = found.costs.sum(axis=-1)
    within = costs <= 5 * found.budgets[0, 0]
    assert ((found.offers >= 0) == within).all()
    poor = drawn(4, 50, parameters=market.Parameters(budget=10.0))
    assert (poor.offers == -1).all()
    assert not MARKET.optimum(poor).any()
    for name, system in MARKET.systems.items():
        result = system(poor)
        assert not result.trades.any(), name
        assert not result.welfare.any(), name
        assert not result.budget.any(), name


def test_large_markets_are_not_empty():
    found = MARKET.draw(np.random.default_rng(9), 3, **MARKET.large)
    for name, system in MARKET.systems.items():
        assert (system(found).trades > 0).all(), name


def test_bids_above_the_budget_are_cut():
    found = drawn(4, 50)
    tight = replace(found, budgets=np.full_like(found.budgets, 300.0))
    assert systems.truthful(tight).max() == 300


# The optimum --------------------------------------------------------------------------------------


def brute_force(found, b):
    """Every choice of a seller or none for each kind, and of who is served."""
    best = 0.0
    for sellers in itertools.product([None, *range(found.offers.shape[1])], repeat=2):
        if any(h is not None and found.offers[b, h] != kind for kind, h in enumerate(sellers)):
            continue
        for served in itertools.product((0, 1), repeat=found.wants.shape[1]):
            ways = [(j, sellers[found.wants[b, j]]) for j, s in enumerate(served) if s]
            if any(h is None for _, h in ways):
                continue
            cost = sum(found.costs[b, h].sum() for h in sellers if h is not None)
            best = max(best, sum(found.values[b, j, h] for j, h in ways) - cost)
    return best


def test_the_optimum_is_that_of_brute_force():
    found = drawn(6, 60, users=9, providers=4, organisations=3)
    expected = np.array([brute_force(found, b) for b in range(60)])
    assert (expected == 0).any()
    assert np.ptp(expected) > 500
    assert MARKET.optimum(found) == pytest.approx(expected)


def test_no_system_beats_the_optimum_and_the_clairvoyant_reaches_it():
    found = MARKET.draw(np.random.default_rng(7), 300, **MARKET.sizes)
    best = MARKET.optimum(found)
    for name, system in MARKET.systems.items():
        result = system(found)
        assert (result.welfare <= best + 1e-6).all(), name
        assert (result.trades > 0).any(), name
    assert MARKET.systems["clairvoyant"](found).welfare == pytest.approx(best)


def test_the_auctioneer_loses_money_in_both_readings():
    """Lemma 1, in the market itself."""
    found = MARKET.draw(np.random.default_rng(8), 500, **MARKET.sizes)
    losing = MARKET.systems["first losing"](found)
    own = MARKET.systems["own next"](found)
    assert losing.budget.mean() < 0
    assert (own.measured["auctioneer at a loss"]).mean() > 0.2
    # The winners and the welfare are the same; only who pays what differs.
    assert np.array_equal(own.welfare, losing.welfare)
    assert (own.budget >= losing.budget - 1e-9).all()
