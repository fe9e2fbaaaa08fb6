"""Tiny environments of known answers, for tests of learners; vectorised, against the protocol."""

from dataclasses import dataclass, field

import numpy as np

from learners.environment import Spec, Step, checked_actions


@dataclass
class Arms:
    """One-shot: an instance is a context, an action an arm, the reward `table[context, arm]` and
    normal noise. The observation is the context's row of `seen`, one-hot unless given."""

    table: np.ndarray
    noise: float = 0.0
    seen: np.ndarray | None = None
    rules: dict = field(default_factory=dict)

    def __post_init__(self):
        contexts, arms = self.table.shape
        self.seen = np.eye(contexts, dtype=np.float32) if self.seen is None else self.seen
        levels = tuple(float(arm) for arm in range(arms))
        self.spec = Spec("arms", 0, self.seen.shape[1], levels, 0.0, float(arms - 1), 1)

    def draw(self, rng, batch):
        contexts = rng.integers(len(self.table), size=batch)
        return contexts, self.noise * rng.standard_normal(batch)

    def start(self, instances):
        self.contexts, self.shocks = instances
        return self.seen[self.contexts]

    def reset(self, rng, batch):
        return self.start(self.draw(rng, batch))

    def restart(self, rows, rng):
        fresh = self.draw(rng, len(rows))
        self.contexts = np.where(rows, fresh[0], self.contexts)
        self.shocks = np.where(rows, fresh[1], self.shocks)
        return self.seen[self.contexts]

    def step(self, actions):
        arms = checked_actions(actions, len(self.contexts), self.spec).astype(int)
        reward = self.table[self.contexts, arms] + self.shocks
        ended = np.ones(len(arms), dtype=bool)
        return Step(self.seen[self.contexts], reward, ended, np.zeros_like(ended))

    def optimum(self, instances):
        return self.table.max(axis=1)[instances[0]]

    def first_best(self, instances):
        return self.optimum(instances)

    def measures(self):
        return {}


@dataclass
class Corridor:
    """Cells 0…length, from cell 0: forward (1) or stay (0). Reaching the end pays 1 and terminates;
    after `horizon` steps the episode is truncated. Staying pays `idle`."""

    length: int = 3
    horizon: int = 8
    discount: float = 0.5
    idle: float = 0.0
    rules: dict = field(default_factory=dict)

    def __post_init__(self):
        self.spec = Spec(
            "corridor", 0, self.length + 1, (0.0, 1.0), 0.0, 1.0, self.horizon,
            discount=self.discount,
        )  # fmt: skip

    def draw(self, rng, batch):
        return np.zeros(batch, dtype=int)

    def start(self, instances):
        self.cell, self.time = instances.copy(), np.zeros(len(instances), dtype=int)
        return self._seen()

    def reset(self, rng, batch):
        return self.start(self.draw(rng, batch))

    def restart(self, rows, rng):
        self.cell[rows], self.time[rows] = 0, 0
        return self._seen()

    def step(self, actions):
        moves = checked_actions(actions, len(self.cell), self.spec).astype(int)
        running = (self.cell < self.length) & (self.time < self.horizon)
        self.cell = self.cell + moves * running
        self.time = self.time + running
        terminated = self.cell == self.length
        reward = running * np.where(terminated, 1.0, self.idle * (moves == 0))
        return Step(self._seen(), reward, terminated, ~terminated & (self.time >= self.horizon))

    def _seen(self):
        return np.eye(self.length + 1, dtype=np.float32)[self.cell]

    def optimum(self, instances):
        return np.ones(len(instances))

    def first_best(self, instances):
        return np.ones(len(instances))

    def measures(self):
        return {}
