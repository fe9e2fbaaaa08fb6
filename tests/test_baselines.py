"""The baselines of Stable-Baselines3: they learn, resume exactly, and stop where they diverge."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from learners.baselines import DDPG, PPO, SAC, DDPGConfig, PPOConfig, SACConfig
from learners.evaluate import evaluate
from learners.known import Arms, Clock, FirstPrice, Reserve, best
from learners.learner import Diverged, learner

SMALL = {
    "ppo": PPOConfig(rows=64, length=2, minibatch=64, width=32),
    "ppo-continuous": PPOConfig(rows=64, length=2, minibatch=64, width=32, continuous=True),
    "sac": SACConfig(rows=64, updates=4, minibatch=64, width=32, warmup=256, capacity=500),
    "ddpg": DDPGConfig(rows=64, updates=4, minibatch=64, width=32, warmup=256, capacity=500),
}
LARGE = {
    "ppo": {"rows": 1024, "length": 1, "minibatch": 1024, "rate": 1e-2, "entropy": 0.01},
    "ppo-continuous": {"rows": 1024, "length": 1, "minibatch": 1024, "rate": 1e-2},
    "sac": {"rows": 512, "updates": 8, "minibatch": 512, "rate": 3e-3, "capacity": 50_000},
    "ddpg": {"rows": 512, "updates": 8, "minibatch": 512, "rate": 3e-3, "capacity": 50_000},
}
"""Enough rows to tell prices apart: 0.55 earns 1 % less than the best, and the revenue of one row
spreads by as much as its mean."""
every = pytest.mark.parametrize("name", SMALL)


def start(name, environment, seed=0, **changes):
    found = learner(name.removesuffix("-continuous"))
    return found.start(environment, replace(SMALL[name], **changes), np.random.SeedSequence(seed))


def weights(trainer):
    return {k: v for k, v in trainer.save()[0].items() if k.startswith("policy/")}


def same(one, other):
    assert set(one) == set(other)
    return all(np.array_equal(one[name], other[name]) for name in one)


@every
def test_each_finds_the_reserve_price(name):
    """Within 2 % of the best policy's exact revenue: r (1 − r) ≥ 0.98/4."""
    market = Reserve()
    trainer = start(name, market, **LARGE[name])
    trainer.advance(20_000 if name.startswith("ppo") else 10_000)
    reserve = trainer.policy().act(np.ones((1, 1), dtype=np.float32))[0]
    assert market.revenue(reserve) >= 0.98 * best(market)


def test_ppo_finds_the_best_arm_of_every_context():
    market = Arms(arms=4, contexts=3)
    trainer = start("ppo", market, rate=1e-2)
    trainer.advance(4_000)
    instances = market.draw(np.random.default_rng(1), 2_000)
    played = evaluate(trainer.policy(), market, instances, np.random.default_rng(0))
    assert played.returns.mean() >= 0.98 * market.optimum(instances).mean()


@every
def test_a_restored_run_goes_on_as_if_nothing_had_happened(name):
    whole = start(name, Clock(), seed=3)
    whole.advance(700)  # more than the buffer remembers
    arrays, numbers = whole.save()
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in arrays.values())
    numbers, counted = json.loads(json.dumps(numbers)), (whole.steps, whole.updates)
    first = whole.advance(500)

    torch.manual_seed(99)  # nothing of a process that is gone
    np.random.seed(99)  # noqa: NPY002
    other = start(name, Clock(), seed=4)
    other.advance(200)
    other.load(arrays, numbers)
    assert (other.steps, other.updates) == counted
    assert other.advance(500) == first
    assert (other.steps, other.updates) == (whole.steps, whole.updates)
    ours, theirs = whole.save(), other.save()
    assert same(ours[0], theirs[0])
    assert ours[1] == theirs[1]


class Long(Reserve):
    """Episodes of 10 steps; `latest` is the latest step that any policy was asked about."""

    latest = 0

    def __init__(self):
        super().__init__()
        self.spec = replace(self.spec, observation=1, horizon=10)

    def start(self, instances):
        super().start(instances)
        self.count = np.zeros(len(instances))
        return self.seen()

    def restart(self, rows, rng):
        super().restart(rows, rng)
        self.count[rows] = 0
        return self.seen()

    def seen(self):
        Long.latest = max(Long.latest, int(self.count.max()))
        return (self.count[:, None] / 10).astype(np.float32)

    def step(self, actions):
        self._done[:] = False
        step = super().step(actions)
        self.count += 1
        ended = self.count >= 10
        return replace(
            step, observation=self.seen(), terminated=ended, truncated=np.zeros_like(ended)
        )


@every
def test_episodes_go_on_between_pieces_and_evaluations(name):
    """Pieces of a few steps must not mean that nobody ever learns about late ones."""
    Long.latest = 0
    market = Long()
    trainer = start(name, market)
    for _ in range(10):
        trainer.advance(64)
        market.start(np.zeros((3, 1)))  # somebody else uses the environment that was given
    assert Long.latest == 10
    arrays, numbers = trainer.save()
    other = start(name, Long(), seed=9)
    other.load(arrays, numbers)
    np.testing.assert_array_equal(other.episodes.last[0], trainer.episodes.last[0])
    trainer.advance(64 * 80)
    assert len(trainer.episodes.played) > 80
    trainer.advance(64)
    assert len(trainer.episodes.played) <= 2  # begun anew: the record does not grow without end


@every
def test_the_same_seed_gives_the_same_run_and_disturbs_nobody(name):
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = torch.rand(3), np.random.rand(3)  # noqa: NPY002
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    seed = np.random.SeedSequence(7)
    runs = []
    for _ in range(2):
        found = learner(name.removesuffix("-continuous"))
        trainer = found.start(Reserve(), SMALL[name], seed)
        trainer.advance(600)
        trainer.policy()
        runs.append(weights(trainer))
    assert seed.n_children_spawned == 0
    assert same(*runs)
    assert not same(runs[0], weights(start(name, Reserve(), seed=8)))
    assert torch.equal(torch.rand(3), expected[0])
    np.testing.assert_array_equal(np.random.rand(3), expected[1])  # noqa: NPY002


@every
def test_a_policy_does_not_change_when_training_goes_on(name):
    trainer = start(name, Clock())
    trainer.advance(300)
    seen = Clock().reset(np.random.default_rng(0), 50)
    policy = trainer.policy()
    before = policy.act(seen)
    assert (before == policy.act(seen)).all()
    trainer.advance(400)
    np.testing.assert_array_equal(policy.act(seen), before)
    spec = trainer.spec
    assert ((before >= spec.low) & (before <= spec.high)).all()
    if name == "ppo":
        assert np.isin(before, spec.levels).all()


class Poisoned(Reserve):
    """Rewards are not numbers after the first 400 steps."""

    played = 0

    def step(self, actions):
        step = super().step(actions)
        self.played += len(actions)
        return replace(step, reward=step.reward * (np.nan if self.played > 400 else 1))


@every
def test_a_run_that_diverges_stops_with_its_step(name):
    trainer = start(name, Poisoned())
    with pytest.raises(Diverged, match=r"at step \d+"):
        trainer.advance(5_000)
    assert 256 < trainer.steps <= 1280


def test_what_does_not_fit_is_refused():
    arrays, numbers = start("ppo", Reserve()).save()
    with pytest.raises(ValueError, match="expected"):
        start("ppo", Clock()).load(arrays, numbers)
    with pytest.raises(ValueError, match="expected what save"):
        start("sac", Reserve()).load(arrays, numbers)
    with pytest.raises(ValueError, match="expected what save"):
        start("ppo", Reserve()).load(arrays, {})
    with pytest.raises(ValueError, match="agents"):
        start("ppo", FirstPrice())
    for steps in (0, True, 2.5):
        with pytest.raises(ValueError, match="expected a whole number"):
            start("ppo", Reserve()).advance(steps)
    for make in (
        lambda: PPOConfig(rows=0),
        lambda: PPOConfig(minibatch=1000),
        lambda: PPOConfig(rate=float("nan")),
        lambda: SACConfig(temperature=0),
        lambda: DDPGConfig(noise=-1),
        lambda: DDPGConfig(capacity=10),
    ):
        with pytest.raises(ValueError, match="expected"):
            make()


def test_the_records_are_those_of_the_table():
    assert [learner(name) for name in ("ppo", "sac", "ddpg")] == [PPO, SAC, DDPG]
