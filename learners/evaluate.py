"""One policy on given instances, each to its end: what it earned, and what the market got."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from learners.environment import Array, Environment, Instances, Rule
from learners.learner import Diverged, Policy


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Of each instance, (batch,): returns (undiscounted sums of rewards), steps, measures."""

    returns: Array
    steps: Array
    measures: Mapping[str, Array]


@dataclass
class Ruled(Policy):
    """A rule of an environment as a policy: it looks at the environment, not at the observation."""

    environment: Environment
    rule: Rule
    rng: np.random.Generator | None = None

    def begin(self, batch: int, rng: np.random.Generator) -> None:
        self.rng = rng

    def act(self, observation: Array) -> Array:
        assert self.rng is not None
        return self.rule(self.environment, self.rng)


def evaluate(
    policy: Policy, environment: Environment, instances: Instances, rng: np.random.Generator
) -> Evaluation:
    """Plays every instance to its end, see `play`, and asks the market what it measures."""
    returns, steps = play(policy, environment, instances, rng)
    return Evaluation(returns, steps, environment.measures())


def play(
    policy: Policy, environment: Environment, instances: Instances, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Every instance to its end: (returns, steps), (batch,) each.

    What an observation means is the environment's business; how often it is asked is not: rows that
    have ended are asked for, too, and ignored. Raises `Diverged` where the policy's actions are no
    numbers.
    """
    observation = environment.start(instances)
    batch = len(observation)
    policy.begin(batch, rng)
    returns, steps = np.zeros(batch), np.zeros(batch, dtype=int)
    running = np.ones(batch, dtype=bool)
    while running.any():
        actions = policy.act(observation)
        if not np.isfinite(actions).all():
            raise Diverged("the policy's actions are not finite")
        step = environment.step(actions)
        returns += step.reward
        steps += running
        policy.observe(step.reward, step.ended)
        running = running & ~step.ended
        observation = step.observation
    return returns, steps
