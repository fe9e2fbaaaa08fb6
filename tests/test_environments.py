"""The papers' environments: against slow simulations from the equations, and what they promise."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from vehicles import drawn, slow_auction

from learners.environment import Step
from learners.evaluate import Ruled, evaluate
from mechkit.environments import ENVIRONMENTS, environment
from mechkit.errors import InputError
from mechkit.papers.dmsb import market as tasks
from mechkit.papers.dmsb.environment import Dmsb
from mechkit.papers.dmsb.systems import SYSTEMS as FACTORS
from mechkit.papers.madda.environment import Madda
from mechkit.papers.madda.market import PAPER

FEE = 0.01


def small(name, **options):
    """An environment that is quickly made."""
    if name == "madda":
        options = {"buyers": 6, "sellers": 7, "pool": 16, "past": 16, **options}
    return environment(name, **options)


def dense(found, *, scale=0.5):
    """The same instances with smaller requirements, so that most are matched."""
    return replace(found, required=found.required * scale)


# What every environment promises ------------------------------------------------------------------


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_step_has_the_stated_shapes(name):
    env = small(name)
    seen = env.reset(np.random.default_rng(0), 5)
    assert (seen.shape, seen.dtype) == ((5, env.spec.observation), np.float32)
    step = env.step(np.full(5, env.spec.levels[0]))
    assert isinstance(step, Step)
    assert (step.observation.shape, step.observation.dtype) == (seen.shape, np.float32)
    for array, kind in ((step.reward, float), (step.terminated, bool), (step.truncated, bool)):
        assert (array.shape, array.dtype) == ((5,), kind)
    assert list(env.spec.levels) == sorted(set(env.spec.levels))
    assert (env.spec.low, env.spec.high) == (env.spec.levels[0], env.spec.levels[-1])
    assert set(env.measures()) >= {"welfare", "trades", "budget"}
    assert all(np.shape(of) == (5,) for of in env.measures().values())


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_observations_and_returns_are_of_order_one(name):
    env = environment(name)
    rng = np.random.default_rng(0)
    seen, earned = [env.reset(rng, 200)], np.zeros(200)
    while True:
        step = env.step(rng.uniform(env.spec.low, env.spec.high, 200))
        seen.append(step.observation)
        earned += step.reward
        if step.ended.all():
            break
    entries = np.concatenate(seen)
    assert np.isfinite(entries).all()
    assert (np.quantile(np.abs(entries), 0.99, axis=0) <= 4).all()
    assert (entries.std(axis=0) > 0.02).all()
    assert 0.1 <= abs(earned.mean()) / env.spec.scale <= 10


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_seed_fixes_a_long_run(name):
    def trace(seed, steps=60):
        env, rng = small(name), np.random.default_rng(seed)
        found = [env.reset(rng, 9)]
        for _ in range(steps):
            step = env.step(rng.uniform(env.spec.low, env.spec.high, 9))
            found += [step.observation, step.reward, step.terminated]
            found.append(env.restart(step.ended, rng))
        return np.concatenate([np.ravel(of) for of in found])

    one = trace(0)
    assert np.array_equal(one, trace(0))
    assert not np.array_equal(one, trace(1))


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_that_has_been_used_begins_like_a_new_one(name):
    used, new = small(name), small(name)
    used.reset(np.random.default_rng(5), 3)
    used.step(np.full(3, used.spec.high))
    instances = new.draw(np.random.default_rng(6), 7)
    assert np.array_equal(used.start(instances), new.start(instances))
    one, other = (used.reset(np.random.default_rng(7), 4), new.reset(np.random.default_rng(7), 4))
    assert np.array_equal(one, other)
    for rule in new.rules:
        played = [
            evaluate(Ruled(env, env.rules[rule]), env, instances, np.random.default_rng(8))
            for env in (used, new)
        ]
        assert np.array_equal(played[0].returns, played[1].returns)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_whatever_has_ended_stays_until_it_is_restarted(name):
    env, rng = small(name), np.random.default_rng(0)
    env.reset(rng, 12)
    while not (step := env.step(np.full(12, env.spec.high))).ended.all():
        pass
    before = {key: of.copy() for key, of in env.measures().items()}
    again = env.step(np.full(12, env.spec.levels[1]))
    assert not again.reward.any()
    assert again.terminated.all()
    assert np.array_equal(again.observation, step.observation)
    for key, of in env.measures().items():
        assert np.array_equal(of, before[key]), key
    rows = np.arange(12) % 3 == 0
    seen = env.restart(rows, rng)
    assert np.array_equal(seen[~rows], step.observation[~rows])
    step = env.step(np.full(12, env.spec.low))
    assert (step.reward[~rows] == 0).all()
    assert step.terminated[~rows].all()
    for key, of in env.measures().items():
        assert np.array_equal(of[~rows], before[key][~rows]), key


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_steps_do_not_change_what_was_returned_or_drawn(name):
    env, rng = small(name), np.random.default_rng(0)
    instances = env.draw(rng, 8)
    kept = {key: np.copy(of) for key, of in vars(instances).items()}
    held = [env.start(instances)]
    steps = [env.step(np.full(8, env.spec.low)) for _ in range(3)]
    copies = [(of.observation.copy(), of.reward.copy(), of.ended.copy()) for of in steps]
    first = held[0].copy()
    env.step(np.full(8, env.spec.high))
    env.restart(np.ones(8, dtype=bool), rng)
    env.step(np.full(8, env.spec.high))
    assert np.array_equal(held[0], first)
    for step, (seen, reward, ended) in zip(steps, copies, strict=True):
        assert np.array_equal(step.observation, seen)
        assert np.array_equal(step.reward, reward)
        assert np.array_equal(step.ended, ended)
    for key, of in kept.items():
        assert np.array_equal(getattr(instances, key), of), key


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_bad_actions_are_explained(name):
    env = small(name)
    env.reset(np.random.default_rng(0), 3)
    spec = env.spec
    good = [spec.low] * 3
    for wrong in (np.nan, np.inf, spec.low - 1e-9, spec.high + 1e-9):
        with pytest.raises(ValueError, match="expected a number from"):
            env.step(np.array([*good[:2], wrong]))
    for shape in (good[:2], [good], 1.0):
        with pytest.raises(ValueError, match=r"expected \(3,\)"):
            env.step(np.array(shape))
    for rows in (np.array([0, 1, 2]), np.ones(4, dtype=bool), True):
        with pytest.raises(ValueError, match=r"expected booleans \(3,\)"):
            env.restart(rows, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"expected \(0,\)"):
        small(name).step(np.array(good))
    # Nothing has moved.
    assert not np.any(env.measures()["trades"])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("madda", {"buyers": 0}, "buyers = 0: expected an integer"),
        ("madda", {"sellers": 2.5}, "sellers = 2.5: expected an integer"),
        ("madda", {"pool": 0}, "pool = 0: expected an integer"),
        ("madda", {"past": True}, "past = True: expected an integer"),
        ("madda", {"levels": ()}, "expected positive steps, rising"),
        ("madda", {"levels": (0, 1)}, "expected positive steps, rising"),
        ("madda", {"levels": (2, 1)}, "expected positive steps, rising"),
        ("madda", {"levels": (1, 1)}, "expected positive steps, rising"),
        ("madda", {"levels": (1, np.nan)}, "expected positive steps, rising"),
        ("madda", {"winners": "all"}, "winners = 'all': expected one of as printed"),
        ("madda", {"reward": "welfare"}, "reward = 'welfare': expected one of"),
        ("dmsb", {"stations": 1}, "stations = 1: expected an integer of at least 2"),
        ("dmsb", {"zeta": 0.0}, "zeta = 0.0: expected a positive"),
        ("dmsb", {"zeta": math.nan}, "zeta = nan: expected a positive"),
        ("dmsb", {"bandwidth": (3, 2)}, "bandwidth = "),
        ("dmsb", {"periods": 0}, "periods = 0"),
        ("dmsb", {"pool": 0}, "pool = 0: expected None or an integer"),
        ("other", {}, "'other': expected one of dmsb, madda"),
    ],
)
def test_bad_options_are_explained(name, options, message):
    with pytest.raises(InputError) as raised:
        environment(name, **options)
    assert message in str(raised.value)


@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("batch", [0, -1])
def test_bad_batches_are_explained(name, batch):
    with pytest.raises(InputError, match=f"batch = {batch}"):
        small(name).reset(np.random.default_rng(0), batch)


# dmsb, against the equations number by number -----------------------------------------------------


def slow_task(values, rho, zeta, everybody):
    """Eqs. 12a, 14 and 15 of one round: (reward, who has the task, what it pays)."""
    for n in range(1, len(values)):
        others = [values[m] for m in range(len(values)) if m != n and (m > 0 or everybody)]
        if values[n] > rho * max(others):
            return values[n], n, rho * max(others)
    return zeta * values[0], 0, values[0]


def with_ties(found):
    """The same rounds, values on quarters, and some with every pair of providers equal."""
    values = np.maximum(np.round(found.values / 4) * 4, 4)
    values[: len(values) // 4] = 4
    return replace(found, values=values)


@pytest.mark.parametrize("everybody", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_dmsb_does_what_the_equations_say(everybody, ties):
    env = Dmsb(stations=4, zeta=1.3, everybody=everybody)
    rng = np.random.default_rng(0)
    found = env.draw(rng, 300)
    found = with_ties(found) if ties else found
    winners = set()
    for k in range(0, 21, 4):
        seen = env.start(found)
        assert seen[:, :5] == pytest.approx(np.log(found.values) - 1, abs=1e-5)
        assert seen[:, 5:] == pytest.approx(np.log(found.latency) - 2.5, abs=1e-5)
        step = env.step(np.full(300, k / 20))
        assert step.terminated.all()
        assert not step.truncated.any()
        measures = env.measures()
        for b in range(300):
            reward, who, pays = slow_task(found.values[b], 10 ** (k / 20), 1.3, everybody)
            assert step.reward[b] == reward
            assert measures["welfare"][b] == reward
            assert measures["budget"][b] == pytest.approx(pays)
            assert measures["latency, s"][b] == found.latency[b, who]
            uav = found.values[b, 0] if who == 0 else 0
            assert measures["surplus of the UAV"][b] == uav
            winners.add(who)
        assert (measures["trades"] == 1).all()
    assert winners == set(range(5))


@pytest.mark.parametrize("everybody", [False, True])
@pytest.mark.parametrize("zeta", [0.5, 1.5])
def test_dmsb_optimum_is_that_of_a_fine_grid_of_factors(everybody, zeta):
    env = Dmsb(stations=3, zeta=zeta, everybody=everybody)
    found = env.draw(np.random.default_rng(1), 400)
    values = found.values.copy()
    values[:40] = np.round(values[:40])
    values[40:80, 2:] /= 50  # the best station is often more than 10 times ahead
    values[80:90, 1:3] = 50  # two are best
    values[90] = 0
    found = replace(found, values=values)
    best = env.optimum(found)
    for b in range(400):
        rest = np.sort(values[b])
        ratios = [x / y for x in rest for y in rest if 1 <= x / max(y, 1e-300) <= 10]
        near = [r * (1 + d) for r in ratios for d in (-1e-9, 1e-9)]
        rhos = [1.0, 10.0, *np.geomspace(1, 10, 40), *(r for r in near if 1 <= r <= 10)]
        assert best[b] == max(slow_task(values[b], rho, zeta, everybody)[0] for rho in rhos)
    first = env.first_best(found)
    assert first == pytest.approx(np.maximum(zeta * values[:, 0], values[:, 1:].max(axis=1)))
    assert (best <= first + 1e-12).all()
    assert (best < first - 1e-9).any()
    played = evaluate(Ruled(env, env.rules["oracle"]), env, found, np.random.default_rng(0))
    assert np.array_equal(played.returns, best)


@pytest.mark.parametrize("everybody", [False, True])
def test_dmsb_rules_are_the_systems_of_the_market(everybody):
    env = Dmsb(everybody=everybody)
    found = env.draw(np.random.default_rng(2), 5000)
    end = ", over everybody" if everybody else ""
    for rule, system in (
        ("best constant", "best constant"),
        ("myopic", "myopic"),
        ("myopic, UAV", "myopic, UAV"),
        ("optimal MSB", "optimal"),
        ("optimal MSB, UAV", "optimal, UAV"),
        ("oracle", "best from bids, rho <= 10"),
    ):
        played = evaluate(Ruled(env, env.rules[rule]), env, found, np.random.default_rng(0))
        expected = FACTORS[f"{system}{end}"](found)
        # Where a factor is above 10, the rule is held to 10, and the station may get the task.
        same = played.returns == expected.welfare
        values = np.sort(found.values[:, 1:], axis=1)
        far = values[:, -1] > 10 * values[:, -2]
        assert (same | far).all(), rule
        assert same.mean() > 0.97
    assert set(env.systems) >= {"second price", "myopic", "best from bids"}
    again = env.systems["second price"](found).welfare
    assert np.array_equal(again, FACTORS["second price"](found).welfare)


def test_dmsb_constants_read_the_past_and_not_the_round():
    env = Dmsb(stations=3)
    found = env.draw(np.random.default_rng(3), 50)
    other = replace(found, values=found.values[::-1] * 3)
    past = replace(found, history=found.history * np.array([100, 1, 1, 1]))
    for rule in ("best constant", "greedy", "optimal MSB"):
        acts = []
        for instances in (found, other, past):
            env.start(instances)
            acts.append(env.rules[rule](env, np.random.default_rng(0)))
        assert np.array_equal(acts[0], acts[1]), rule
        assert len(set(acts[0])) == 1
        assert rule == "greedy" or not np.array_equal(acts[0], acts[2])
    # Greedy by hand: level k is tried on the rounds k, k + 21, … of the past.
    mean = [
        np.mean([slow_task(v, 10 ** (k / 20), 1.5, False)[0] for v in found.history[k::21]])
        for k in range(21)
    ]
    env.start(found)
    assert env.rules["greedy"](env, np.random.default_rng(0))[0] == np.argmax(mean) / 20


def test_dmsb_draws_its_rounds_from_the_market():
    env = Dmsb(stations=5, bandwidth=(20, 30), task=(10, 15), zeta=2.0)
    found = env.draw(np.random.default_rng(4), 30)
    parameters = tasks.Parameters(bandwidth=(20, 30), task=(10, 15), zeta=2.0)
    expected = tasks.draw(np.random.default_rng(4), 30, stations=5, parameters=parameters)
    assert np.array_equal(found.values, expected.values)
    assert found.zeta == env.spec.sizes["zeta"] == 2.0
    assert env.spec.sizes["stations"] == 5
    # Restarted rounds follow the same law: means of logarithms, standard errors of 0.01.
    env.reset(np.random.default_rng(5), 20_000)
    first = env.instances.values
    env.restart(np.ones(20_000, dtype=bool), np.random.default_rng(6))
    second = env.instances.values
    assert not np.array_equal(first, second)
    assert np.log(second).mean() == pytest.approx(np.log(first).mean(), abs=0.03)
    assert np.log(second).std() == pytest.approx(np.log(first).std(), abs=0.03)


def test_dmsb_pools_repeat_their_rounds():
    env, rng = Dmsb(stations=2, pool=3), np.random.default_rng(7)
    env.reset(rng, 40)
    assert len(np.unique(env.instances.values[:, 0])) == 3
    known = set(env.instances.values[:, 0])
    env.restart(np.ones(40, dtype=bool), rng)
    assert set(env.instances.values[:, 0]) == known


# madda, against the slow simulation ---------------------------------------------------------------


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


def test_madda_restarts_on_instances_of_its_pool():
    env, rng = Madda(buyers=8, sellers=8, pool=5, past=4), np.random.default_rng(1)
    env.reset(rng, 300)
    matched = set(env.measures()["optimum within Γ"])
    assert len(matched) <= 5
    for _ in range(3):
        while not env.step(np.full(300, 20.0)).ended.all():
            pass
        rows = rng.random(300) < 0.5
        env.restart(rows, rng)
        assert set(env.measures()["optimum within Γ"]) <= matched
        # Every row is played as if it were alone, wherever the others are.
        picked = env._picked.copy()
        pool = env._held
        alone = Madda(buyers=8, sellers=8, pool=5, past=4)
        alone.start(
            type(pool)(**{field.name: getattr(pool, field.name)[picked] for field in fields(pool)})
        )
        total, expected = np.zeros(300), np.zeros(300)
        for _ in range(60):
            total += env.step(np.full(300, 2.0)).reward
            expected += alone.step(np.full(300, 2.0)).reward
        assert total[rows] == pytest.approx(expected[rows])
        assert not total[~rows].any()
