"""Offline data: whole episodes of known behaviours, as arrays.

An episode is τ = (R_1, s_1, a_1, …, R_T, s_T, a_T) with returns-to-go R_t = Σ_{t' ≥ t} r_t' (madda,
eq. 18, after Chen et al. 2021, "Decision Transformer"): undiscounted sums, as returns are reported.
Actions are indices into `Spec.levels`.

What an offline learner can learn is bounded by what the data hold, so several behaviours play. All
are one family, with its own numbers for every episode: with probability ε a uniformly random level,
else one level where an entry of the observation is below a threshold and another where it is not.

    random     ε = 1
    constant   ε = 0, both levels the same, each level in turn
    mixture    a constant level with ε uniform on [0, 1]
    split      ε = 0, two levels drawn apart, an entry and a threshold within the range seen so far

None looks at what a policy does not see, and none depends on a learner. Any other policy, a rule of
the environment among them, is recorded by the same `collect`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from learners.environment import Array, Environment, Instances, Spec
from learners.learner import Diverged, Policy

KINDS = ("random", "constant", "mixture", "split")
FEWEST, MOST = 32, 1024
"""Episodes that are played together: with fewer the machine idles, with more rounds are coarse."""


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Episodes of different lengths, padded with zeros at the end.

    observations (episodes, time, size) float32; actions (episodes, time), indices of levels;
    rewards (episodes, time); lengths (episodes,), each ≥ 1; kinds (episodes,): who played, an index
    into `KINDS`, or −1 for other policies.
    """

    observations: Array
    actions: Array
    rewards: Array
    lengths: Array
    kinds: Array

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def steps(self) -> int:
        return int(self.lengths.sum())

    @property
    def valid(self) -> Array:
        """(episodes, time): where there was a step, and no padding."""
        return np.arange(self.actions.shape[1]) < self.lengths[:, None]

    @property
    def returns(self) -> Array:
        """(episodes,)."""
        return self.rewards.sum(axis=1)

    @property
    def returns_to_go(self) -> Array:
        """(episodes, time): the sum of this reward and all later ones; 0 in the padding."""
        return to_go(self.rewards)

    def select(self, rows: Array | slice) -> Trajectories:
        """Those episodes, of indices, booleans or a slice."""
        return Trajectories(*(getattr(self, entry.name)[rows] for entry in fields(self)))


def to_go(rewards: Array) -> Array:
    """(episodes, time) -> the same: this reward and all later ones."""
    return np.cumsum(rewards[:, ::-1], axis=1)[:, ::-1]


def empty(spec: Spec) -> Trajectories:
    """No episodes, to be joined with others."""
    return Trajectories(
        observations=np.zeros((0, 0, spec.observation), dtype=np.float32),
        actions=np.zeros((0, 0), dtype=np.int16),
        rewards=np.zeros((0, 0)),
        lengths=np.zeros(0, dtype=np.int64),
        kinds=np.zeros(0, dtype=np.int8),
    )


def joined(parts: Sequence[Trajectories]) -> Trajectories:
    """The episodes of all, in this order."""
    time = max(part.actions.shape[1] for part in parts)

    def wide(array: Array) -> Array:
        if array.ndim == 1 or array.shape[1] == time:
            return array
        return np.pad(array, [(0, 0), (0, time - array.shape[1]), *[(0, 0)] * (array.ndim - 2)])

    return Trajectories(
        *(
            np.concatenate([wide(getattr(part, entry.name)) for part in parts])
            for entry in fields(Trajectories)
        )
    )


# Behaviours --------------------------------------------------------------------------------------


@dataclass
class Behaviours(Policy):
    """The family above as a policy. low, high (size,): the range of observations seen so far, if
    any; without it nobody plays "split" and the rest do so more often. kinds (batch,) after
    `begin`."""

    spec: Spec
    low: Array | None = None
    high: Array | None = None
    kinds: Array = field(default_factory=lambda: np.zeros(0, dtype=np.int8))

    def begin(self, batch: int, rng: np.random.Generator) -> None:
        rows, count, self.rng = np.arange(batch), len(self.spec.levels), rng
        played = len(KINDS) if self.low is not None and count > 1 else len(KINDS) - 1
        self.kinds = ((rows + rng.integers(played)) % played).astype(np.int8)
        self.below = (rows // played + rng.integers(count)) % count
        chance = np.where(self.kinds == KINDS.index("mixture"), rng.random(batch), 0)
        self.epsilon = np.where(self.kinds == KINDS.index("random"), 1.0, chance)
        # Another level for those who split: 1 to count − 1 further on.
        split = self.kinds == KINDS.index("split")
        other = (self.below + rng.integers(1, max(count, 2), size=batch)) % count
        self.above = np.where(split, other, self.below)
        self.entry = rng.integers(self.spec.observation, size=batch)
        share = rng.random(batch)
        if self.low is None or self.high is None:
            self.threshold = share
        else:
            low, high = self.low[self.entry], self.high[self.entry]
            self.threshold = low + share * (high - low)

    def act(self, observation: Array) -> Array:
        rows, levels = np.arange(len(observation)), np.asarray(self.spec.levels, dtype=float)
        seen = observation[rows, self.entry]
        level = np.where(seen < self.threshold, self.below, self.above)
        drawn = self.rng.integers(len(levels), size=len(rows))
        return levels[np.where(self.rng.random(len(rows)) < self.epsilon, drawn, level)]


def collect(
    policy: Policy, environment: Environment, instances: Instances, rng: np.random.Generator
) -> Trajectories:
    """Plays every instance to its end and keeps all of it.

    ValueError for a policy whose actions are not among the levels; `Diverged` where a reward is no
    number.
    """
    levels = np.asarray(environment.spec.levels, dtype=float)
    observation = environment.start(instances)
    batch = len(observation)
    policy.begin(batch, rng)
    running, lengths = np.ones(batch, dtype=bool), np.zeros(batch, dtype=np.int64)
    kept: list[tuple[Array, Array, Array]] = []
    while running.any():
        actions = np.asarray(policy.act(observation), dtype=float)
        index = np.minimum(np.searchsorted(levels, actions), len(levels) - 1)
        odd = running & (levels[index] != actions)
        if odd.any():
            raise ValueError(
                f"action {actions[odd][0]:g}: expected one of the levels, {levels.tolist()}"
            )
        step = environment.step(levels[index])
        if not np.isfinite(step.reward[running]).all():
            raise Diverged(f"a reward is not finite at step {len(kept)} of an episode")
        kept.append(
            (
                np.where(running[:, None], observation, 0).astype(np.float32),
                np.where(running, index, 0).astype(np.int16),
                np.where(running, step.reward, 0.0),
            )
        )
        lengths += running
        policy.observe(step.reward, step.ended)
        running = running & ~step.ended
        observation = step.observation
    kinds = policy.kinds if isinstance(policy, Behaviours) else np.full(batch, -1, dtype=np.int8)
    observations, actions, rewards = (np.stack(part, axis=1) for part in zip(*kept, strict=True))
    return Trajectories(observations, actions, rewards, lengths, kinds)


def grown(
    data: Trajectories, environment: Environment, steps: int, rng: np.random.Generator
) -> Trajectories:
    """The data and at least that many steps more of `Behaviours`, in whole episodes.

    Instances are drawn afresh, never from a pool that the environment keeps, so that what is played
    depends on the state of `rng` alone.
    """
    if len(environment.spec.agents) != 1:
        raise ValueError(f"agents {environment.spec.agents}: expected a single one")
    parts, last, missing = [data], data, steps
    while missing > 0:
        typical = last.steps / len(last) if len(last) else environment.spec.horizon
        batch = int(np.clip(math.ceil(missing / typical), FEWEST, MOST))
        low, high = extremes(last.select(slice(-MOST, None))) if len(last) else (None, None)
        policy = Behaviours(environment.spec, low, high)
        last = collect(policy, environment, environment.draw(rng, batch), rng)
        missing -= last.steps
        parts.append(last)
    return joined(parts)


# What a network is fed ---------------------------------------------------------------------------


def extremes(data: Trajectories) -> tuple[Array, Array]:
    """The smallest and the largest of every entry of the observations, (size,) each."""
    seen = data.observations[data.valid]
    return seen.min(axis=0), seen.max(axis=0)


@dataclass(frozen=True, eq=False)
class Units:
    """Mean and deviation of every entry of a state, (size,); median of whole returns and the mean
    distance from it of those above."""

    mean: Array
    deviation: Array
    median: float
    above: float

    def states(self, observation: Array) -> Array:
        """(..., size) -> the same, of mean 0 and deviation 1 over the data."""
        return ((observation - self.mean) / self.deviation).astype(np.float32)

    def returns(self, amount: Array) -> Array:
        """Returns-to-go, from 0 at the median to 1 at the mean of the better half.

        What will be asked for lies there; the worse half may lie far below, and in deviations of
        all data the better half would be told apart badly.
        """
        return ((amount - self.median) / self.above).astype(np.float32)


def units(data: Trajectories) -> Units:
    """An entry or a return that never varies has unit 1, so that it becomes 0."""
    seen, returns = data.observations[data.valid].astype(float), data.returns
    deviation, median = seen.std(axis=0), float(np.median(returns))
    above = float(np.maximum(returns - median, 0).mean() * 2)
    varies = deviation > 1e-9 * (1 + np.abs(seen).max(axis=0))
    some = above > 1e-9 * (1 + np.abs(returns).max())
    return Units(
        seen.mean(axis=0), np.where(varies, deviation, 1.0), median, above if some else 1.0
    )


# Arrays and back ---------------------------------------------------------------------------------


def arrays(data: Trajectories) -> dict[str, Array]:
    """By name and without the padding, for a file."""
    valid = data.valid
    return {
        entry.name: kept[valid] if (kept := getattr(data, entry.name)).ndim > 1 else kept.copy()
        for entry in fields(data)
    }


def from_arrays(given: Mapping[str, Array], spec: Spec) -> Trajectories:
    """The inverse of `arrays`; ValueError where names, shapes or actions do not fit the spec."""
    names = {entry.name for entry in fields(Trajectories)}
    if set(given) != names:
        raise ValueError(f"arrays {sorted(given)}: expected {sorted(names)}")
    lengths = np.asarray(given["lengths"], dtype=np.int64)
    if lengths.ndim != 1 or (len(lengths) and not 1 <= lengths.min() <= lengths.max()):
        raise ValueError(f"lengths of shape {lengths.shape}: expected whole numbers of at least 1")
    steps = int(lengths.sum())
    like = empty(spec)
    shapes = {"observations": (steps, spec.observation), "actions": (steps,), "rewards": (steps,)}
    valid = np.arange(lengths.max(initial=0)) < lengths[:, None]

    def padded(name: str) -> Array:
        kept, shape = np.asarray(given[name]), shapes.get(name, lengths.shape)
        if kept.shape != shape:
            raise ValueError(f"{name} of shape {kept.shape}: expected {shape}, of another spec?")
        if name not in shapes:
            return kept.astype(getattr(like, name).dtype)
        wide = np.zeros((*valid.shape, *shape[1:]), dtype=getattr(like, name).dtype)
        wide[valid] = kept
        return wide

    data = Trajectories(*(padded(entry.name) for entry in fields(Trajectories)))
    if steps and not 0 <= data.actions.min() <= data.actions.max() < len(spec.levels):
        raise ValueError(f"actions up to {data.actions.max()}: expected {len(spec.levels)} levels")
    return data
