"""What every learner offers: training in pieces, a policy, and a state that can be saved.

A learner is trained by asking its trainer to `advance`; between two calls the trainer can be saved
as tensors and JSON, and restored so that it goes on as if nothing had happened. No pickle.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from learners.environment import Array, Environment

INSTALL = "pip install torch==2.13.0, then pip install 'mechkit-econ[learn]'"
"""What is told where a library is missing: torch first, or a resolver brings another one."""


class Policy(Protocol):
    """Acts on a batch of episodes. May remember; `begin` makes it forget.

    A subclass says how it acts; the rest does nothing unless it says otherwise. One that draws lots
    may offer `settled()`: itself with lots drawn once, so that equal observations mean equal
    actions.
    """

    def begin(self, batch: int, rng: np.random.Generator) -> None:
        """New episodes. rng: for policies that draw lots."""
        return None

    def act(self, observation: Array) -> Array:
        """Observations (batch, size) -> actions (batch,), numbers in [low, high]."""

    def observe(self, reward: Array, ended: Array) -> None:
        """What followed, (batch,) each; rows that have ended no longer matter."""
        return None


class Diverged(RuntimeError):
    """A loss, a weight or an action is no longer finite; the message says at which step."""


class Trainer(Protocol):
    """One learner on one environment under one seed. steps: environment steps; updates: gradient
    steps, both so far. One that plays further steps to choose what `policy` deploys, a target
    return say, offers `selection_steps`: those behind the last choice, outside the budget."""

    steps: int
    updates: int

    def advance(self, steps: int) -> Mapping[str, float]:
        """Trains for at least that many environment steps more (a whole number of batches).

        Returns losses and other numbers by name. Raises `Diverged` where one is not finite.
        """

    def policy(self) -> Policy:
        """As it would be deployed: without exploration. Discrete SAC, diffusion and those that
        learn from offline data deploy averaged weights; PPO, SAC and DDPG, as Stable-Baselines3
        has them, their last ones."""

    def save(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Everything that the rest of the run depends on: arrays by name, and JSON."""

    def load(self, arrays: Mapping[str, np.ndarray], numbers: Mapping[str, Any]) -> None:
        """The inverse of `save`; ValueError where names or shapes do not fit."""


@dataclass(frozen=True)
class Learner:
    """name; about: one line; config: a frozen dataclass of numbers, flat, all with defaults;
    start(environment, config, seed) -> Trainer."""

    name: str
    about: str
    config: type
    start: Callable[[Environment, Any, np.random.SeedSequence], Trainer]


LEARNERS: Mapping[str, str] = {
    "ppo": "learners.baselines:PPO",
    "sac": "learners.baselines:SAC",
    "ddpg": "learners.baselines:DDPG",
    "discrete-sac": "learners.discrete_sac:LEARNER",
    "diffusion": "learners.diffusion:BOUNDED",
    "diffusion-printed": "learners.diffusion:PRINTED",
    "gpt": "learners.gpt:LEARNER",
    "cloning": "learners.cloning:LEARNER",
    "percentile-cloning": "learners.cloning:PERCENTILE",
}
"""By name: the module, which is imported when the learner is first wanted, and the record in it."""


def learner(name: str) -> Learner:
    """The learner of that name. ValueError for an unknown one; ImportError says what to install."""
    if name not in LEARNERS:
        raise ValueError(f"learner {name!r}: expected one of {', '.join(LEARNERS)}")
    module, attribute = LEARNERS[name].split(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        if (error.name or "learners").partition(".")[0] == "learners":
            raise  # a fault of our own is no missing library
        raise ImportError(f"the learner {name!r} needs {error.name}: {INSTALL}") from error
    assert isinstance(found, Learner)
    return found
