"""The clock auction's environment: against a slow simulation, round by round."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from vehicles import drawn, slow_auction

from learners.evaluate import Ruled, evaluate
from mechkit.errors import InputError
from mechkit.papers.madda.environment import Madda
from mechkit.papers.madda.market import PAPER

FEE = 0.01


def dense(found, *, scale=0.5):
    """The same instances with smaller requirements, so that most are matched."""
    return replace(found, required=found.required * scale)


def slow_episode(found, b, chosen, **clock):
    """What the paper's auction among those in Γ does under the steps chosen, one by one."""
    pairs = {m: int(n) for m, n in enumerate(found.partner[b]) if n >= 0}
    buyers = {m: found.values[b, m] for m in pairs}
    sellers = {m: found.costs[b, n] for m, n in pairs.items()}
    used = []

    def steps(moves):
        used.append(chosen[moves])
        return chosen[moves]

    return pairs, slow_auction(buyers, sellers, steps, **clock), len(used)


def tied(found):
    """Values and costs that meet one another, the ticks and the ends of the clocks."""
    rng = np.random.default_rng(0)
    values = np.clip(np.round(found.values / 10) * 10, 1, 100)
    costs = np.clip(np.round(found.costs / 10) * 10, 1, 100)
    values[rng.random(values.shape) < 0.3] = 100  # accept at the opening price
    costs[rng.random(costs.shape) < 0.3] = 1
    return replace(found, values=values, costs=costs)


CASES = {
    "as drawn": lambda: drawn(0, 25, buyers=20, sellers=20),
    "dense": lambda: dense(drawn(1, 25, buyers=9, sellers=12)),
    "on ticks": lambda: dense(drawn(2, 25, buyers=9, sellers=8, coarse=True)),
    "ties and openings": lambda: tied(dense(drawn(3, 25, buyers=9, sellers=9))),
    "reputations unheeded": lambda: dense(
        drawn(5, 25, buyers=9, sellers=9, parameters=replace(PAPER, reputation=False))
    ),
    "hardly anybody": lambda: drawn(4, 25, buyers=2, sellers=1),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("whole", [True, False])
def test_madda_does_what_the_rounds_do(case, whole):
    found = CASES[case]()
    batch, (_, many) = len(found.values), found.values.shape
    env = Madda(buyers=many, sellers=found.costs.shape[1], pool=4, past=4)
    rng = np.random.default_rng(1)
    chosen = rng.uniform(1, 20, (100, batch)) ** rng.choice([0.3, 1], (1, batch))
    chosen = np.round(chosen) if whole else chosen
    env.start(found)
    rewards, ends = [], np.full(batch, -1)
    for t in range(100):
        step = env.step(chosen[t])
        rewards.append(step.reward)
        ends[(ends < 0) & step.ended] = t + 1
        assert not step.truncated.any()
        if step.ended.all():
            break
    measures, total = env.measures(), np.sum(rewards, axis=0)
    traded = 0
    for b in range(batch):
        pairs, slow, moves = slow_episode(found, b, chosen[:, b])
        assert moves == ends[b]
        regret, idle = slow["regret"], FEE * sum(slow["idle"])
        assert total[b] == pytest.approx(-regret - idle, abs=1e-9)
        assert measures["reward (eq. 17)"][b] == pytest.approx(-regret - idle, abs=1e-9)
        assert measures["regret (eqs. 13, 14)"][b] == pytest.approx(regret, abs=1e-9)
        assert measures["information exchange cost"][b] == pytest.approx(idle, abs=1e-9)
        assert measures["rounds"][b] == len(slow["told"])
        assert measures["matched pairs"][b] == len(pairs)
        bought, sold = dict(slow["buyers"]), dict(slow["sellers"])
        both = [m for m in bought if m in sold]
        setter = list(bought)[-1] if slow["psi"] else None
        for reading, wins in (
            ("as printed", both[:-1] if slow["psi"] else both),
            ("setter left out", [m for m in both if m != setter]),
        ):
            # Trades with whom one does not trust fail.
            least = found.least_reputation[b]
            wins = [m for m in wins if found.reputation[b, pairs[m]] >= least[m]]
            gains = sum(found.values[b, m] - found.costs[b, pairs[m]] for m in wins)
            assert measures[f"welfare, {reading}"][b] == pytest.approx(gains, abs=1e-9)
            if reading == "as printed":
                assert measures["welfare"][b] == measures[f"welfare, {reading}"][b]
                assert measures["trades"][b] == len(wins)
                buy = sum(found.values[b, m] - slow["price"] for m in wins)
                sell = sum(slow["price"] - found.costs[b, pairs[m]] for m in wins)
                assert measures["buyers' utility"][b] == pytest.approx(buy, abs=1e-9)
                assert measures["sellers' utility"][b] == pytest.approx(sell, abs=1e-9)
                at_clocks = sum(bought[m] - sold[m] for m in wins)
                key = "social welfare (eqs. 15, 16)"
                assert measures[key][b] == pytest.approx(at_clocks, abs=1e-9)
                share = len(wins) / max(len(sold), 1)
                assert measures["trade success rate"][b] == pytest.approx(share)
                traded += len(wins)
    # Conservation: nobody is at a loss, all gains are somebody's, no more than there is to gain.
    parts = measures["buyers' utility"] + measures["sellers' utility"] + measures["budget"]
    assert measures["welfare"] == pytest.approx(parts, abs=1e-9)
    assert (measures["buyers' utility"] >= -1e-9).all()
    assert (measures["sellers' utility"] >= -1e-9).all()
    assert not measures["budget"].any()
    assert (measures["welfare"] <= measures["optimum within Γ"] + 1e-9).all()
    assert (measures["optimum within Γ"] <= env.first_best(found) + 1e-9).all()
    assert traded > 10 or case == "hardly anybody"


@pytest.mark.parametrize(
    ("reading", "key"),
    [
        ("reward, cost in every round", "told"),
        ("reward, those left are told", "left"),
        ("reward (eq. 17)", "idle"),
    ],
)
def test_madda_rewards_in_other_readings(reading, key):
    found = tied(dense(drawn(5, 20, buyers=8, sellers=8)))
    # Beyond the opening price: regret before anything is chosen.
    found = replace(found, values=np.where(found.values == 100, 103.5, found.values))
    env = Madda(buyers=8, sellers=8, pool=4, past=4, reward=reading)
    env.start(found)
    total = np.zeros(20)
    chosen = np.random.default_rng(2).choice([1.0, 2, 5, 10, 20], (100, 20))
    for t in range(100):
        total += env.step(chosen[t]).reward
    for b in range(20):
        _, slow, _ = slow_episode(found, b, chosen[:, b])
        assert total[b] == pytest.approx(-slow["regret"] - FEE * sum(slow[key]), abs=1e-9)
    assert env.measures()[reading] == pytest.approx(total)
    assert total.min() < -3.5


def test_madda_s_measures_are_at_the_fee_of_its_parameters():
    p = replace(PAPER, fee=0.5, weight=0.25)
    env = Madda(buyers=8, sellers=8, pool=4, past=4, parameters=p)
    assert env.spec.sizes["fee"] == "0.5"
    found = dense(drawn(11, 20, buyers=8, sellers=8))
    for name in ("step 10", "oracle"):
        played = evaluate(Ruled(env, env.rules[name]), env, found, np.random.default_rng(0))
        assert played.measures["reward (eq. 17)"] == pytest.approx(played.returns)
        assert (played.returns <= env.optimum(found) + 1e-9).all()
    assert played.returns == pytest.approx(env.optimum(found))
    env.start(found)
    for _ in range(10):
        env.step(np.full(20, 10.0))
    measures = env.measures()
    for b in range(20):
        _, slow, _ = slow_episode(found, b, [10.0] * 100, alpha=0.25)
        assert measures["information exchange cost"][b] == 0.5 * sum(slow["idle"])
        both = [m for m, _ in slow["buyers"] if m in dict(slow["sellers"])]
        wins = both[:-1] if slow["psi"] else both
        gains = sum(found.values[b, m] - slow["price"] for m in wins)
        assert measures["buyers' utility"][b] == pytest.approx(gains, abs=1e-9)
    with pytest.raises(InputError, match="clocks from 0 to 100: expected 1 to 100"):
        Madda(parameters=replace(PAPER, low=0))


def test_madda_observes_what_the_auctioneer_sees():
    found = tied(dense(drawn(6, 10, buyers=7, sellers=9)))
    env = Madda(buyers=7, sellers=9, pool=4, past=4)
    seen = [env.start(found)]
    chosen = np.random.default_rng(3).choice([1.0, 2, 5], (100, 10))
    for t in range(100):
        seen.append(env.step(chosen[t]).observation)
    for b in range(10):
        pairs = {m: int(n) for m, n in enumerate(found.partner[b]) if n >= 0}
        buyers = sorted((found.values[b, m] for m in pairs), reverse=True)
        sellers = sorted(found.costs[b, n] for n in pairs.values())
        clock, taken, psi, t = [100.0, 1.0], [0, 0], 0, 0
        for k in range(100):
            while taken[psi] < len(pairs) and (
                buyers[taken[0]] >= clock[0] if psi == 0 else sellers[taken[1]] <= clock[1]
            ):
                taken[psi] += 1
                psi, t = 1 - psi, t + 1
            shown = [psi, t / 100, (clock[0] - 1) / 99, (clock[1] - 1) / 99]
            shown += [taken[0] / 7, taken[1] / 7]
            assert seen[k][b] == pytest.approx(shown, abs=1e-6)
            clock[psi] += chosen[k, b] * (1 if psi else -1)
            t += 1
            if clock[0] < clock[1]:
                break


def test_madda_by_rank_is_the_market_s_system():
    found = dense(drawn(7, 40, buyers=10, sellers=12))
    env = Madda(buyers=10, sellers=12, pool=4, past=4, winners="by rank")
    played = evaluate(Ruled(env, env.rules["unit step"]), env, found, np.random.default_rng(0))
    for name, system in (
        ("by rank", "unit step, by rank"),
        ("as printed", "unit step"),
        ("setter left out", "unit step, setter left out"),
    ):
        expected = env.systems[system](found)
        assert played.measures[f"welfare, {name}"] == pytest.approx(expected.welfare)
    by_rank = env.systems["unit step, by rank"](found)
    assert np.array_equal(played.measures["welfare"], played.measures["welfare, by rank"])
    assert np.array_equal(played.measures["trades"], by_rank.trades)
    assert by_rank.trades.sum() > 40
    with pytest.raises(InputError, match="winners by rank"):
        env.best_welfare(found)


def test_madda_constant_rules_are_the_market_s_systems():
    env = Madda(buyers=12, sellers=12, pool=4, past=32)
    found = drawn(8, 40)
    for name in ("unit step", "step 2", "step 5", "step 10", "step 20"):
        played = evaluate(Ruled(env, env.rules[name]), env, found, np.random.default_rng(0))
        expected = env.systems[name](found)
        assert played.returns == pytest.approx(expected.measured["reward (eq. 17)"])
        assert played.measures["welfare"] == pytest.approx(expected.welfare)
    # The best constants are those of the past, whatever is played.
    means = {}
    for step in (1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 5, 7, 10, 20):
        env.start(env.past)
        total = np.zeros(32)
        for _ in range(100):
            total += env.step(np.full(32, float(step))).reward
        means[step] = total.mean()
    env.start(found)
    best = env.rules["best constant"](env, np.random.default_rng(0))
    assert set(best) == {max(means, key=means.get)}
    level = env.rules["best constant level"](env, np.random.default_rng(0))
    assert set(level) == {max((1, 2, 5, 10, 20), key=means.get)}


def test_madda_greedy_expects_what_a_simulation_finds():
    # r agents uniform on R ticks, a step a: the regret of the best, by simulation.
    env = Madda(buyers=5, sellers=5, pool=4, past=4, levels=(1, 2, 5, 10, 20))
    found = dense(drawn(9, 40, buyers=5, sellers=5))
    env.start(found)
    rng = np.random.default_rng(0)
    for _ in range(6):
        seen = env.step(rng.choice([1.0, 2, 5, 10], 40)).observation
    acts = env.rules["greedy"](env, rng)
    sure = 0
    for b in range(40):
        k = int((found.partner[b] >= 0).sum())
        psi = seen[b, 0] > 0.5
        r = k - round(float(seen[b, 5 if psi else 4]) * 5)
        ticks = 99 * ((1 - seen[b, 3]) if psi else seen[b, 2])
        first = (rng.uniform(0, ticks, (20_000, r)).min(axis=1)) if r else np.array([np.inf])
        cost = {
            a: (FEE * k + np.maximum(min(a, ticks) - first, 0).mean()) / a
            for a in (1, 2, 5, 10, 20)
        }
        best = min(cost, key=cost.get)
        second = sorted(cost.values())[1]
        if second > cost[best] * 1.05 + 1e-3:
            assert acts[b] == best
            sure += 1
    assert sure > 5


def test_madda_is_truncated_at_its_horizon_only():
    env = Madda(buyers=6, sellers=6, pool=4, past=4)
    assert env.spec.horizon == 100
    found = dense(drawn(10, 8, buyers=6, sellers=6))
    env.start(found)
    for t in range(100):
        step = env.step(np.ones(8))
        assert not step.truncated.any()
        assert t == 99 or not step.terminated.all()
    assert step.terminated.all()
    # Were the horizon nearer, episodes would stand still there, not ended but cut off.
    env.spec = replace(env.spec, horizon=3)
    env.start(found)
    steps = [env.step(np.ones(8)) for _ in range(5)]
    assert [step.truncated.all() for step in steps] == [False, False, True, True, True]
    assert not any(step.terminated.any() for step in steps)
    assert not steps[3].reward.any()
    assert np.array_equal(steps[2].observation, steps[4].observation)
    env.restart(np.arange(8) < 4, np.random.default_rng(0))
    step = env.step(np.ones(8))
    assert step.truncated.tolist() == [False] * 4 + [True] * 4
    assert not step.terminated.any()


def test_madda_restarts_on_instances_of_its_pool():
    env, rng = Madda(buyers=8, sellers=8, pool=5, past=4), np.random.default_rng(1)
    env.reset(rng, 300)
    assert len(set(env.measures()["optimum within Γ"])) <= 5
    env.start(tied(dense(drawn(12, 300, buyers=8, sellers=8))))  # some accept at the opening
    matched = set(env.measures()["optimum within Γ"])
    for _ in range(3):
        while not env.step(np.full(300, 20.0)).ended.all():
            pass
        rows = rng.random(300) < 0.5
        seen = env.restart(rows, rng)
        assert set(env.measures()["optimum within Γ"]) <= matched
        # Every row is played as if it were alone, wherever the others are.
        picked = env._picked.copy()
        pool = env._held
        alone = Madda(buyers=8, sellers=8, pool=5, past=4)
        alone.start(
            type(pool)(**{field.name: getattr(pool, field.name)[picked] for field in fields(pool)})
        )
        assert np.array_equal(seen[rows], alone._seen[rows])
        total, expected = np.zeros(300), np.zeros(300)
        for _ in range(60):
            total += env.step(np.full(300, 2.0)).reward
            expected += alone.step(np.full(300, 2.0)).reward
        assert total[rows] == pytest.approx(expected[rows])
        assert not total[~rows].any()


def test_madda_plans_for_the_welfare_of_trades_that_do_not_fail():
    env = Madda(buyers=9, sellers=9, pool=4, past=4, reputation=False, computing=(60, 80))
    assert env.spec.sizes["computing"] == "(60, 80)"
    assert env.spec.sizes["reputation"] == "False"
    found = dense(env.draw(np.random.default_rng(0), 60))
    played = evaluate(Ruled(env, env.rules["welfare oracle"]), env, found, np.random.default_rng(0))
    best = env.best_welfare(found)
    assert played.measures["welfare"] == pytest.approx(best, abs=1e-9)
    unit = evaluate(Ruled(env, env.rules["unit step"]), env, found, np.random.default_rng(0))
    assert (unit.measures["welfare"] <= best + 1e-9).all()
    heard = Madda(buyers=9, sellers=9, pool=4, past=4, computing=(60, 80))
    trusted = replace(found, heeded=np.ones(60, dtype=bool))
    assert heard.best_welfare(trusted).sum() > best.sum()
