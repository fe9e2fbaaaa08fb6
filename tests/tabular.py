"""A tiny market and a tiny learner, so that saving, resuming and comparing are tested in moments.

One shot: the observation says which of four arms is best, and an arm k away from it earns
4 − k of at most 4. The learner keeps the mean reward of each arm under each observation, and tries
arms at random now and then.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field

import numpy as np

from learners.environment import Spec, Step, checked_actions
from learners.learner import Learner

ARMS = 4


class Market:
    """`sign` −1: costs instead of earnings, so that every optimum is negative. `claimed`: what is
    given as the optimum instead of what is one."""

    def __init__(self, version=1, sign=1, arms=ARMS, claimed=None):
        self.arms, self.sign, self.claimed = arms, sign, claimed
        self.spec = Spec(
            "tiny", version, arms, tuple(map(float, range(arms))), 0.0, arms - 1.0, 1,
            sizes={"arms": arms, "sign": sign},
        )  # fmt: skip
        self.rules = {
            "first": lambda e, rng: np.zeros(len(e.best)),
            "random": lambda e, rng: rng.integers(e.arms, size=len(e.best)).astype(float),
            "middle": lambda e, rng: np.full(len(e.best), 1.0),
            "oracle": lambda e, rng: e.best.astype(float),
        }

    def draw(self, rng, batch):
        return rng.integers(self.arms, size=batch)

    def start(self, instances):
        self.best, self.earned = np.array(instances), np.zeros(len(instances))
        return np.eye(self.arms, dtype=np.float32)[self.best]

    def reset(self, rng, batch):
        return self.start(self.draw(rng, batch))

    def restart(self, rows, rng):
        self.best = np.where(rows, self.draw(rng, len(rows)), self.best)
        return np.eye(self.arms, dtype=np.float32)[self.best]

    def step(self, actions):
        arms = checked_actions(actions, len(self.best), self.spec)
        away = np.abs(arms - self.best)
        self.earned = self.arms - away if self.sign > 0 else -1 - away
        ended = np.ones(len(arms), dtype=bool)
        seen = np.eye(self.arms, dtype=np.float32)[self.best]
        return Step(seen, self.earned, ended, np.zeros_like(ended))

    def optimum(self, instances):
        best = self.arms if self.sign > 0 else -1
        return np.full(len(instances), float(best if self.claimed is None else self.claimed))

    def first_best(self, instances):
        return np.full(len(instances), float(self.arms))

    def measures(self):
        return {"welfare": self.earned, "away": np.abs(self.earned - self.arms)}


@dataclass(frozen=True)
class Config:
    batch: int = 8
    explore: float = 0.5
    diverge: int = 0
    die: int = 0


@dataclass
class Greedy:
    means: np.ndarray

    def begin(self, batch, rng):
        pass

    def act(self, observation):
        return (observation @ self.means).argmax(axis=-1).astype(float)

    def observe(self, reward, ended):
        pass


@dataclass
class Tabular:
    """`die`: the step at which the process kills itself, where MECHKIT_TEST_DIE is set."""

    environment: Market
    config: Config
    seed: np.random.SeedSequence
    steps: int = 0
    updates: int = 0
    rng: np.random.Generator = field(init=False)

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)
        arms = self.environment.arms
        self.sums, self.counts = np.zeros((arms, arms)), np.ones((arms, arms))

    def advance(self, steps):
        until = self.steps + steps
        while self.steps < until:
            time.sleep(float(os.environ.get("MECHKIT_TEST_SLEEP", 0)))
            seen = self.environment.reset(self.rng, self.config.batch)
            tried = self.rng.integers(self.environment.arms, size=len(seen)).astype(float)
            lucky = self.rng.random(len(seen)) < self.config.explore
            actions = np.where(lucky, tried, self.policy().act(seen))
            reward = self.environment.step(actions).reward
            at = seen.argmax(axis=-1), actions.astype(int)
            np.add.at(self.sums, at, reward)
            np.add.at(self.counts, at, 1)
            self.steps += len(seen)
            self.updates += 1
            if self.config.diverge and self.steps >= self.config.diverge:
                return {"loss": float("nan")}
            if self.config.die == self.steps and "MECHKIT_TEST_DIE" in os.environ:
                os.kill(os.getpid(), signal.SIGKILL)
        return {"loss": float(self.sums.std())}

    def policy(self):
        return Greedy(self.sums / self.counts)

    def save(self):
        numbers = {"steps": self.steps, "updates": self.updates}
        return (
            {"sums": self.sums, "counts": self.counts, "tried": np.array(self.updates)},
            numbers | {"rng": self.rng.bit_generator.state},
        )

    def load(self, arrays, numbers):
        shapes = {name: array.shape for name, array in arrays.items()}
        if shapes != {"sums": self.sums.shape, "counts": self.sums.shape, "tried": ()}:
            raise ValueError(f"arrays {shapes}: expected those of {ARMS} arms")
        self.sums, self.counts = arrays["sums"].copy(), arrays["counts"].copy()
        self.steps, self.updates = numbers["steps"], numbers["updates"]
        self.rng.bit_generator.state = numbers["rng"]


LEARNER = Learner("tabular", "means of a table", Config, Tabular)


class Blind(Tabular):
    """Never learns: always the first arm, which the rule `middle` beats."""

    def policy(self):
        found = np.zeros_like(self.sums)
        found[:, 0] = 1
        return Greedy(found)


BLIND = Learner("blind", "the first arm", Config, Blind)
