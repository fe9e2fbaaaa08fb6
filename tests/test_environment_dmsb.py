"""The price factor's environment: against the equations, number by number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from learners.evaluate import Ruled, evaluate
from mechkit.papers.dmsb import market as tasks
from mechkit.papers.dmsb.environment import Dmsb
from mechkit.papers.dmsb.systems import SYSTEMS as FACTORS


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
    taken = []
    for _ in range(3):
        env.restart(np.ones(40, dtype=bool), rng)
        assert set(env.instances.values[:, 0]) == known
        taken.append(tuple(env.instances.values[:, 0]))
    assert len(set(taken)) == 3
