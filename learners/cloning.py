"""Behaviour cloning: what was done in states like this one, and what was done where it paid.

A perceptron maps the normalised state to logits over `Spec.levels` and is trained by cross-entropy
to predict the action that was taken, on the offline data of `trajectories`; the most likely level
is played (Pomerleau 1991, "Efficient training of artificial neural networks for autonomous
navigation"). Percentile cloning does so on the best episodes by return only: Chen et al. 2021,
section 5.1, show that with the right percentage it comes close to a Decision Transformer, so a
transformer should be seen beside it.

Both are offline learners, and count steps as such (`offline`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from learners.environment import Array, Environment, Spec
from learners.fields import positive, whole
from learners.learner import Diverged, Learner, Policy
from learners.networks import MLP
from learners.offline import Offline
from learners.trajectories import Units


@dataclass(frozen=True, kw_only=True)
class Config:
    """best: the share of episodes, by return, that is imitated; all of them by default.
    width, depth: of the hidden layers.
    batch: states in an update, as many as the transformer's windows hold.
    every: steps of data for one update, as the transformer's.
    rate: of Adam, reached linearly in `warmup` updates. clip: the gradient's largest norm.
    average: share of the newest weights in those that act, so that one minibatch does not decide.
    threads: of torch; 1 is fastest at this width.
    """

    best: float = 1.0
    width: int = 64
    depth: int = 2
    batch: int = 256
    every: int = 50
    rate: float = 1e-3
    warmup: int = 100
    clip: float = 1.0
    average: float = 0.01
    threads: int = 1

    def __post_init__(self) -> None:
        whole(self, "width", "depth", "batch", "every", "warmup", "threads")
        positive(self, "rate", "clip")
        positive(self, "best", "average", most=1)


@dataclass(frozen=True, kw_only=True)
class Percentile(Config):
    """As `Config`; best: a tenth, the share that did best in Chen et al. 2021."""

    best: float = 0.1


@dataclass
class Cloned(Policy):
    """The most likely level in each state."""

    network: MLP
    spec: Spec
    units: Units

    def act(self, observation: Array) -> Array:
        with torch.inference_mode():
            logits = self.network(torch.from_numpy(self.units.states(observation)))[0].numpy()
        if not np.isfinite(logits).all():
            raise Diverged("logits are not finite")
        return np.asarray(self.spec.levels, dtype=float)[logits.argmax(axis=1)]


class Trainer(Offline[MLP]):
    """chosen: the episodes that are imitated."""

    def __init__(
        self, environment: Environment, config: Config, seed: np.random.SeedSequence
    ) -> None:
        hidden = [config.width] * config.depth
        sizes = [environment.spec.observation, *hidden, len(environment.spec.levels)]
        super().__init__(environment, config, seed, lambda draw: MLP(sizes, draw=draw))

    def prepare(self) -> None:
        # Of equal returns the earlier episode is taken.
        order = np.argsort(-self.data.returns, kind="stable")
        self.chosen = np.sort(order[: math.ceil(self.config.best * len(self.data))])
        self.ends = np.cumsum(self.data.lengths[self.chosen])

    def loss(self) -> Tensor:
        drawn = self.sampling.integers(self.ends[-1], size=self.config.batch)
        which = np.searchsorted(self.ends, drawn, side="right")
        rows = self.chosen[which]
        at = (rows, drawn - (self.ends[which] - self.data.lengths[rows]))
        states = torch.from_numpy(self.units.states(self.data.observations[at]))
        taken = torch.from_numpy(self.data.actions[at].astype(np.int64))
        return functional.cross_entropy(self.network(states)[0], taken)

    def policy(self) -> Cloned:
        return Cloned(self.trained(), self.environment.spec, self.units)


LEARNER = Learner("cloning", "what the data did most often in such a state", Config, Trainer)
PERCENTILE = Learner(
    "percentile-cloning", "what the best tenth of the data did", Percentile, Trainer
)
