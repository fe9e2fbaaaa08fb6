"""What every environment of a paper promises: shapes, seeds, bad input, and nothing by itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from learners.environment import Step
from learners.evaluate import Ruled, evaluate
from mechkit.environments import environment
from mechkit.errors import InputError

PAPERS = ("dmsb", "madda")


def small(name, **options):
    """An environment that is quickly made."""
    if name == "madda":
        options = {"buyers": 6, "sellers": 7, "pool": 16, "past": 16, **options}
    return environment(name, **options)


# What every environment promises ------------------------------------------------------------------


@pytest.mark.parametrize("name", PAPERS)
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


@pytest.mark.parametrize("name", PAPERS)
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


@pytest.mark.parametrize("name", PAPERS)
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


@pytest.mark.parametrize("name", PAPERS)
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


@pytest.mark.parametrize("name", PAPERS)
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


@pytest.mark.parametrize("name", PAPERS)
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


@pytest.mark.parametrize("name", PAPERS)
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


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize("batch", [0, -1])
def test_bad_batches_are_explained(name, batch):
    with pytest.raises(InputError, match=f"batch = {batch}"):
        small(name).reset(np.random.default_rng(0), batch)


@pytest.mark.parametrize(
    ("name", "options", "other"),
    [
        ("dmsb", {"stations": 3}, {"stations": 4}),
        ("dmsb", {"zeta": 1.0}, {"zeta": 2.0}),
        ("madda", {"buyers": 4}, {"buyers": 5}),
        ("madda", {"sellers": 4}, {"sellers": 5}),
    ],
)
def test_instances_of_another_size_are_refused(name, options, other):
    found = small(name, **other).draw(np.random.default_rng(0), 3)
    with pytest.raises(InputError, match="of the instances"):
        small(name, **options).start(found)
