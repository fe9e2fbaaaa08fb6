"""The double Dutch auction on batches: against a slow simulation, conservation, the optimum."""

from __future__ import annotations

import numpy as np
import pytest
from vehicles import drawn, slow_auction

from mechkit.errors import InputError
from mechkit.papers import paper_of
from mechkit.papers.madda import clocks, matching, mechanism, systems

MARKET = paper_of("madda").market
FEE = 0.01


# One auction by hand ------------------------------------------------------------------------------


def test_two_auctions_by_hand():
    # Unit steps. Buyer 80 accepts at 80 after 20 moves, seller 30 at 30 after 29, buyer 60 at 60
    # after 20 more; then the sellers' clock rises to 60 and crosses it at 61: 31 moves.
    values, costs = np.array([[60.0, 80]]), np.array([[30.0, 70]])
    played, exchange = clocks.constant(values, costs, 1)
    assert (played.k.item(), played.by_buyer.item(), played.price.item()) == (1, True, 60)
    assert exchange.regret.item() == 0
    assert exchange.calls.item() == 2 * (20 + 29 + 20 + 31)
    assert exchange.calls_left.item() == 2 * 20 + 2 * 29 + 1 * 20 + 1 * 31
    assert exchange.rounds.item() == 100 + 3
    assert exchange.announced.item() == 2 * 103
    # Steps of 20: 80 accepts at 80, 30 at 41; 60 at 60; the sellers' clock moves to 61 > 60.
    played, exchange = clocks.constant(values, costs, 20)
    assert (played.k.item(), played.by_buyer.item()) == (1, True)
    assert played.price.item() == (60 + 41) / 2
    assert exchange.regret.item() == 11
    assert exchange.rounds.item() == 1 + 2 + 1 + 1 + 3
    # α = 1 is the buyers' clock, α = 0 the sellers'.
    for alpha, price in ((1, 60), (0, 41)):
        assert clocks.constant(values, costs, 20, weight=alpha)[0].price.item() == price


def test_printed_and_intended_winners_by_hand():
    # K = 2, buyer 2 accepts at 50 and sets the price; pairs 0 and 1 both accepted.
    played = mechanism.clear(np.array([[60.0, 55, 50]]), np.array([[10.0, 20, 90]]))
    assert played.price.item() == 50
    assert mechanism.as_printed(played)[0].tolist() == [[True, False, False]]
    assert mechanism.setter_left_out(played)[0].tolist() == [[True, True, False]]
    # The buyer who sets the price is in a pair of which both accepted: both readings agree.
    played = mechanism.clear(np.array([[60.0, 55, 50]]), np.array([[10.0, 90, 20]]))
    for rule in (mechanism.as_printed, mechanism.setter_left_out):
        assert rule(played)[0].tolist() == [[True, False, False]]
    assert mechanism.by_rank(played)[1].tolist() == [[True, False, True]]


# The closed form and the rounds -------------------------------------------------------------------


def same(one, other):
    for name in ("k", "by_buyer", "price", "buy_rank", "sell_rank"):
        assert np.array_equal(getattr(one[0], name), getattr(other[0], name)), name
    for name in ("regret", "rounds", "calls", "calls_left", "announced"):
        assert getattr(one[1], name) == pytest.approx(getattr(other[1], name)), name
    bought = np.arange(one[0].buy_clock.shape[1]) < one[0].k + one[0].by_buyer
    assert np.array_equal(
        np.where(bought, one[0].buy_clock, 0), np.where(bought, other[0].buy_clock, 0)
    )
    sold = np.arange(one[0].sell_clock.shape[1]) < one[0].k
    assert np.array_equal(
        np.where(sold, one[0].sell_clock, 0), np.where(sold, other[0].sell_clock, 0)
    )


@pytest.mark.parametrize("step", [0.5, 1, 1.5, 2, 3, 5, 10, 20, 99, 200])
@pytest.mark.parametrize("parts", [1, 4])
def test_the_closed_form_is_what_the_rounds_do(step, parts):
    rng = np.random.default_rng(0)
    values = rng.integers(parts, 100 * parts + 1, (200, 9)) / parts
    costs = rng.integers(parts, 100 * parts + 1, (200, 7)) / parts
    values[rng.random(values.shape) < 0.2] = 0
    costs[rng.random(costs.shape) < 0.2] = 101
    values[0], costs[1] = 0, 101
    run = clocks.run(values, costs, lambda state: step)
    assert run[0].k.max() >= (3 if step < 50 else 0)
    same(run, clocks.constant(values, costs, step))


def test_policies_see_what_the_auctioneer_sees():
    rng = np.random.default_rng(1)
    values, costs = rng.uniform(1, 100, (2, 50, 6))
    seen = []

    def policy(state):
        seen.append(state)
        # Halve the distance of the clocks, a tick at least.
        return np.maximum((state.buy_clock - state.sell_clock) // 2, 1)

    played, exchange = clocks.run(values, costs, policy)
    assert seen[0].active.tolist() == [0] * 50
    assert (seen[0].buy_clock == 100).all()
    assert (seen[0].sell_clock == 1).all()
    for k, state in enumerate(seen):
        assert (state.moves <= k).all()
        assert (state.round == state.moves + state.bought + state.sold).all()
        assert (state.active == state.bought - state.sold).all()
    assert exchange.rounds.max() == seen[-1].round.max() + 1
    assert (exchange.rounds[seen[-1].moves == len(seen) - 1] == seen[-1].round.max() + 1).any()
    for b in range(50):
        slow = slow_policy(values[b], costs[b])
        assert len(slow["sellers"]) == played.k[b, 0]
        assert slow["price"] == played.price[b, 0]


def slow_policy(values, costs):
    """The halving policy in the slow simulation: it needs the clocks, which it follows itself."""
    clock, state = {0: 100.0, 1: 1.0}, {"psi": 0, "taken": [0, 0]}
    ranked = (sorted(values, reverse=True), sorted(costs))

    def advance():
        psi, taken = state["psi"], state["taken"]
        while taken[psi] < len(ranked[psi]) and (
            clock[0] <= ranked[0][taken[0]] if psi == 0 else clock[1] >= ranked[1][taken[1]]
        ):
            taken[psi] += 1
            psi = state["psi"] = 1 - psi

    def steps(moves):
        advance()
        step = max((clock[0] - clock[1]) // 2, 1)
        clock[state["psi"]] += step * (-1 if state["psi"] == 0 else 1)
        return step

    return slow_auction(dict(enumerate(values)), dict(enumerate(costs)), steps)


@pytest.mark.parametrize("wrong", [0, -1, np.nan, np.inf])
def test_bad_steps_are_explained(wrong):
    values, costs = np.array([[60.0]]), np.array([[30.0]])
    with pytest.raises(InputError, match="expected positive finite steps"):
        clocks.run(values, costs, lambda state: wrong)
    with pytest.raises(InputError, match="expected positive finite steps"):
        clocks.constant(values, costs, wrong)


def test_clocks_that_hardly_move_are_stopped(monkeypatch):
    monkeypatch.setattr(clocks, "MOST_MOVES", 50)
    with pytest.raises(InputError, match="not crossed after 50 moves"):
        clocks.run(np.array([[60.0]]), np.array([[30.0]]), lambda state: 0.1)


# Systems ------------------------------------------------------------------------------------------


def slow_system(found, b, steps, rule):
    """Welfare, trades and measures of one instance. rule: printed, setter, rank or everybody."""
    values, costs = found.values[b], found.costs[b]
    pairs = {m: int(n) for m, n in enumerate(found.partner[b]) if n >= 0}
    if rule == "everybody":
        buyers, sellers = dict(enumerate(values)), dict(enumerate(costs))
    else:
        buyers = {m: values[m] for m in pairs}
        sellers = {n: costs[n] for n in pairs.values()}
        if rule != "rank":  # sellers in the order of their buyers, which decides ties
            sellers = {m: costs[n] for m, n in pairs.items()}
    run = slow_auction(buyers, sellers, steps)
    if rule in ("printed", "setter"):
        bought = [m for m, _ in run["buyers"]]
        sold = {m for m, _ in run["sellers"]}
        candidates = [m for m in bought if m in sold]
        if rule == "printed":
            winners = candidates[:-1] if run["psi"] == 1 else candidates
        else:
            winners = [m for m in candidates if run["psi"] == 0 or m != bought[-1]]
        trades = [(m, pairs[m], m) for m in winners]
    else:
        trades = []
        for (m, _), (n, _) in zip(run["buyers"], run["sellers"], strict=False):
            fits = (found.offered[b, n] >= found.required[b, m]).all()
            fits &= np.hypot(*(found.leaves[b, m] - found.sites[b, n])) <= found.farthest[b, m]
            if fits and found.reputation[b, n] >= found.least_reputation[b, m]:
                trades.append((m, n, n))
    bids, asks = dict(run["buyers"]), dict(run["sellers"])
    p = run["price"]
    return {
        "welfare": sum(values[m] - costs[n] for m, n, _ in trades),
        "trades": len(trades),
        "social welfare (eqs. 15, 16)": sum(bids[m] - asks[key] for m, _, key in trades),
        "buyers' utility": sum(values[m] - p for m, _, _ in trades),
        "sellers' utility": sum(p - costs[n] for _, n, _ in trades),
        "regret (eqs. 13, 14)": run["regret"],
        "information exchange cost": FEE * sum(run["idle"]),
        "information exchange cost, those left": FEE * sum(run["left"]),
        "rounds": len(run["told"]),
        "reward (eq. 17)": -run["regret"] - FEE * sum(run["idle"]),
        "reward, cost in every round": -run["regret"] - FEE * sum(run["told"]),
        "reward, those left are told": -run["regret"] - FEE * sum(run["left"]),
    }


def fixed(step):
    return lambda found, b: lambda moves: step


def random_steps(found, b):
    return lambda moves: systems.ACTIONS[int(found.dice[b, moves % 128] * 5)]


def best_steps(found, b):
    step = systems.best_step(found)
    return lambda moves: step


SLOW = {
    "unit step": (fixed(1), "printed"),
    "step 2": (fixed(2), "printed"),
    "step 5": (fixed(5), "printed"),
    "step 10": (fixed(10), "printed"),
    "step 20": (fixed(20), "printed"),
    "best constant step": (best_steps, "printed"),
    "random step": (random_steps, "printed"),
    "unit step, setter left out": (fixed(1), "setter"),
    "unit step, by rank": (fixed(1), "rank"),
    "no matching": (fixed(1), "everybody"),
}


@pytest.mark.parametrize("name", SLOW)
@pytest.mark.parametrize("coarse", [False, True])
def test_systems_do_what_a_slow_simulation_does(name, coarse):
    steps, rule = SLOW[name]
    traded = 0
    for seed, buyers, sellers in ((0, 24, 24), (1, 30, 12), (2, 9, 30), (3, 1, 1)):
        found = drawn(seed, 8, buyers=buyers, sellers=sellers, coarse=coarse)
        result = MARKET.systems[name](found)
        traded += result.trades.sum()
        for b in range(8):
            slow = slow_system(found, b, steps(found, b), rule)
            assert result.trades[b] == slow.pop("trades")
            assert result.welfare[b] == pytest.approx(slow.pop("welfare"), abs=1e-9)
            for what, number in slow.items():
                assert result.measured[what][b] == pytest.approx(number, abs=1e-9), what
    assert traded > 10
    assert set(MARKET.systems) - set(SLOW) == {"McAfee", "every gain within Γ"}


def slow_mcafee(found, b):
    """(welfare, trades, budget) of McAfee 1992 among those in Γ, pairs of Γ served."""
    pairs = {m: int(n) for m, n in enumerate(found.partner[b]) if n >= 0}
    v = sorted(pairs, key=lambda m: (-found.values[b, m], m))
    c = sorted(pairs, key=lambda m: (found.costs[b, pairs[m]], m))
    value = [found.values[b, m] for m in v]
    cost = [found.costs[b, pairs[m]] for m in c]
    k = sum(x >= y for x, y in zip(value, cost, strict=True))
    if k == 0:
        return 0, 0, 0
    n, pays, gets = k - 1, value[k - 1], cost[k - 1]
    if k < len(pairs):
        middle = (value[k] + cost[k]) / 2
        if sum(x >= middle for x in value) == k == sum(y <= middle for y in cost):
            n, pays, gets = k, middle, middle
    both = set(v[:n]) & set(c[:n])
    gain = sum(found.values[b, m] - found.costs[b, pairs[m]] for m in both)
    return gain, len(both), len(both) * (pays - gets)


@pytest.mark.parametrize("coarse", [False, True])
def test_mcafee_on_the_same_values(coarse):
    found = drawn(6, 60, buyers=30, sellers=30, coarse=coarse)
    result = MARKET.systems["McAfee"](found)
    for b in range(60):
        welfare, trades, budget = slow_mcafee(found, b)
        assert result.trades[b] == trades
        assert result.welfare[b] == pytest.approx(welfare, abs=1e-9)
        assert result.budget[b] == pytest.approx(budget, abs=1e-9)
    assert result.trades.sum() > 60


@pytest.mark.parametrize("sizes", [{"buyers": 50, "sellers": 50}, {"buyers": 30, "sellers": 60}])
def test_no_system_beats_the_optimum_and_money_is_conserved(sizes):
    found = drawn(7, 25, **sizes)
    best = MARKET.optimum(found)
    within = matching.optimum_in_matching(found)
    assert (within <= best + 1e-9).all()
    assert (best <= matching.optimum_without_attributes(found) + 1e-9).all()
    assert (within < best).any()
    for name, system in MARKET.systems.items():
        result = system(found)
        assert (result.welfare <= best + 1e-9).all(), name
        if "rank" not in name and name != "no matching":
            assert (result.welfare <= within + 1e-9).all(), name
        parts = result.measured["buyers' utility"] + result.measured["sellers' utility"]
        assert result.welfare == pytest.approx(parts + result.budget, abs=1e-9), name
        assert (result.measured["buyers' utility"] >= -1e-9).all(), name
        assert (result.measured["sellers' utility"] >= -1e-9).all(), name
        assert (result.budget >= 0).all(), name
        if name != "McAfee":
            assert not result.budget.any(), name
    assert MARKET.systems["every gain within Γ"](found).welfare == pytest.approx(within)


def test_rewards_are_never_positive_and_the_best_step_is_the_best():
    found = drawn(8, 40, buyers=50, sellers=50)
    mean = {}
    for step in systems.FINE:
        result = systems.in_matching(systems.steps_of(step))(found)
        reward = result.measured["reward (eq. 17)"]
        assert (reward <= 0).all()
        mean[step] = reward.mean()
    best = max(mean, key=mean.get)
    assert systems.best_step(found) == best
    found_best = MARKET.systems["best constant step"](found).measured["reward (eq. 17)"]
    assert found_best.mean() == mean[best]
    assert 1 <= best <= 3


def test_the_best_step_of_uniform_values_is_near_the_rule_of_thumb():
    # Regret s / 2 of about k / 2 agents a side, cost ζ k · 99 / (2 s): √(2 ζ · 99) = 1.41.
    rng = np.random.default_rng(9)
    values, costs = rng.uniform(1, 100, (2, 300, 200))
    mean = {
        step: systems.rewards(clocks.constant(values, costs, step)[1])["reward (eq. 17)"].mean()
        for step in systems.FINE
    }
    assert max(mean, key=mean.get) in (1.25, 1.5)


def test_the_random_step_takes_every_action_as_often():
    found = drawn(10, 200)
    policy = systems.at_random(found)
    state = clocks.State(*(np.zeros(200, dtype=int),) * 6, moves=np.arange(200))
    assert set(np.unique(policy(state))) == set(systems.ACTIONS)
    counts = np.bincount((found.dice * 5).astype(int).ravel()) / found.dice.size
    # 25,600 dice: a standard error of 0.0025.
    assert counts == pytest.approx([0.2] * 5, abs=0.01)
