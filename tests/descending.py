"""A clock that descends to one buyer: steps cost a fee, and overshooting costs the overshoot.

The clock has to come down by x, uniform on [0, DEPTH]. Each announcement costs FEE; the first that
has come down by at least x ends the episode, at the cost of what it went too far. With a constant
step s the return is −FEE · ⌈x/s⌉ − (⌈x/s⌉ s − x), about −FEE · DEPTH/(2s) − s/2 on average, best
near s = √(FEE · DEPTH). An early large step is cheap while x is likely far: the optimum is not
constant, and is found by dynamic programming over how far the clock has come.
"""

from collections.abc import Mapping

import numpy as np

from learners.environment import Spec, Step, checked_actions

DEPTH, FEE = 60, 0.5
LEVELS = (1.0, 2.0, 5.0, 10.0, 20.0)


class Descending:
    spec = Spec(
        name="descending",
        version=0,
        observation=2,
        levels=LEVELS,
        low=1.0,
        high=20.0,
        horizon=DEPTH,
        scale=10.0,
    )
    rules: Mapping = {}

    def draw(self, rng, batch):
        return rng.uniform(0, DEPTH, size=batch)

    def start(self, instances):
        self.goal = np.array(instances)
        self.gone = np.zeros(len(self.goal))
        self.time = np.zeros(len(self.goal))
        self.over = np.zeros(len(self.goal), dtype=bool)
        return self.observed()

    def observed(self):
        return np.stack([self.gone / DEPTH, self.time / DEPTH], axis=1).astype(np.float32)

    def reset(self, rng, batch):
        return self.start(self.draw(rng, batch))

    def restart(self, rows, rng):
        raise NotImplementedError

    def step(self, actions):
        moved = np.where(self.over, 0, checked_actions(actions, len(self.goal), self.spec))
        self.gone = self.gone + moved
        self.time = self.time + ~self.over
        arrives = ~self.over & (self.gone >= self.goal)
        reward = np.where(self.over, 0, -FEE) - np.where(arrives, self.gone - self.goal, 0)
        self.over = self.over | arrives
        return Step(self.observed(), reward, self.over, np.zeros_like(self.over))

    def optimum(self, instances):
        raise NotImplementedError

    first_best = optimum

    def measures(self):
        return {"welfare": np.zeros(len(self.goal))}


def constant_return(goal, step):
    """In closed form, of each instance."""
    steps = np.ceil(goal / step)
    return -FEE * steps - (steps * step - goal)


def best_mean() -> float:
    """The largest expected return of any policy, by backward induction on whole positions.

    lost[p]/DEPTH is what is lost from p on by those x that are beyond p; a step to q costs all of
    them the fee, and those in (p, min(q, DEPTH)] the overshoot q − x.
    """
    lost = np.zeros(DEPTH + 1)  # times DEPTH, over x beyond p
    for p in range(DEPTH - 1, -1, -1):
        options = []
        for step in LEVELS:
            q, top = p + step, min(p + step, DEPTH)
            over = (q - p) ** 2 / 2 - (q - top) ** 2 / 2
            options.append(FEE * (DEPTH - p) + over + lost[int(top)])
        lost[p] = min(options)
    return -lost[0] / DEPTH
