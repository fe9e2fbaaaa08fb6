"""What a learner sees of a market: a batch of episodes, stepped together.

An environment is a Markov decision process over arrays. Thousands of instances are stepped at once,
and nothing loops over them in Python. With several agents (`Spec.agents`) every array has an axis
of agents after the batch; with one it has none.

An action is the number that the mechanism itself takes (a step of a clock, an exponent of a price
factor), never an index. Learners that choose among finitely many actions choose among
`Spec.levels`, those with continuous actions anywhere in [low, high].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from learners.fields import whole_number

Array = np.ndarray
Instances = Any
"""What an environment draws for a batch: the market's own record of arrays, batch first."""


@dataclass(frozen=True)
class Spec:
    """What a policy must fit, and a checkpoint remembers.

    name, version: another reward, observation or dynamic is another version. sizes: what was chosen
    of the market, by name (numbers or strings). observation: the length of an observation vector,
    whose entries are of the order of 1. levels: the actions of a discrete learner, rising. low,
    high: the bounds of a continuous one. horizon: the most steps of an episode, at which it is
    truncated if it has not terminated. discount: of later rewards, 1 where returns are sums.
    scale: a typical size of a return, in the market's unit, by which learners may divide rewards.
    """

    name: str
    version: int
    observation: int
    levels: tuple[float, ...]
    low: float
    high: float
    horizon: int
    sizes: Mapping[str, Any] = field(default_factory=dict)
    discount: float = 1.0
    scale: float = 1.0
    unit: str = "money"
    agents: tuple[str, ...] = ("auctioneer",)


@dataclass(frozen=True, eq=False)
class Step:
    """After a step: observation (batch, size), reward, terminated, truncated, each (batch,).

    Rows that have ended stay as they are, with their last observation and a reward of 0, until they
    are restarted: nothing restarts by itself.
    """

    observation: Array
    reward: Array
    terminated: Array
    truncated: Array

    @property
    def ended(self) -> Array:
        return self.terminated | self.truncated


class Environment(Protocol):
    """A batch of episodes under way.

    rules: by name, rule(environment, rng) -> actions (batch,) in the present state; a rule may look
    at what no policy sees (the oracle does). Randomness is an argument everywhere.
    """

    spec: Spec
    rules: Mapping[str, Rule]

    def draw(self, rng: np.random.Generator, batch: int) -> Instances:
        """Instances of the market, to be started; everybody who is compared starts from these."""

    def start(self, instances: Instances) -> Array:
        """Begins one episode on each instance; returns observations (batch, size), float32."""

    def reset(self, rng: np.random.Generator, batch: int) -> Array:
        """start(draw(rng, batch)), or the same from a pool of instances drawn at once."""

    def restart(self, rows: Array, rng: np.random.Generator) -> Array:
        """Begins new episodes in those rows (batch,) of booleans; observations (batch, size)."""

    def step(self, actions: Array) -> Step:
        """Actions (batch,) are numbers in [low, high]; ValueError for others and for NaN."""

    def optimum(self, instances: Instances) -> Array:
        """The largest return that any policy attains, (batch,), of full information, exact."""

    def first_best(self, instances: Instances) -> Array:
        """The largest welfare of any feasible allocation, (batch,), exact, by `solvers`."""

    def measures(self) -> Mapping[str, Array]:
        """Of every row's episode so far, (batch,) each: "welfare" from true values, and others."""


Rule = Callable[[Any, np.random.Generator], Array]


def seeds(entropy: int, many: int) -> list[np.random.SeedSequence]:
    """That many independent seeds from one; the k-th does not depend on how many."""
    return np.random.SeedSequence(whole_number("seed", entropy, least=0)).spawn(many)


def shaped(batch: int, spec: Spec) -> tuple[int, ...]:
    """Of actions and rewards: with several agents there is an axis of them."""
    return (batch,) if len(spec.agents) == 1 else (batch, len(spec.agents))


def checked_actions(actions: Any, batch: int, spec: Spec) -> Array:
    """Actions as floats (batch,), or (batch, agents) where there are several; ValueError where one
    is not a number in [low, high]."""
    given = np.asarray(actions, dtype=float)
    expected = shaped(batch, spec)
    if given.shape != expected:
        raise ValueError(f"actions of shape {given.shape}: expected {expected}, one per episode")
    inside = (given >= spec.low) & (given <= spec.high)  # NaN is not inside
    if not inside.all():
        wrong = given[~inside][0]
        raise ValueError(
            f"action {wrong}: expected a number from {spec.low:g} to {spec.high:g}; clip it first"
        )
    return given


def checked_rows(rows: Any, batch: int) -> Array:
    """Booleans (batch,): which episodes begin anew; ValueError for anything else."""
    given = np.asarray(rows)
    if given.shape != (batch,) or given.dtype != bool:
        raise ValueError(
            f"rows of shape {given.shape} and type {given.dtype}: expected booleans ({batch},), "
            "one per episode that was started"
        )
    return given
