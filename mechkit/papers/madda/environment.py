"""The clock auction as a Markov decision process: an auctioneer chooses how far the clock moves.

A step is one move of the active clock and all acceptances that follow before the next move. The
paper's rounds are these single events; in a round in which somebody accepts, its auctioneer's
action is ignored, so that nothing is chosen there and nothing is lost by leaving these rounds out.
The reward is the sum of eq. 17 over the rounds of the step: −ζ k for the round in which nobody
accepted and the clock moved, and −regret of everybody who accepts after it. What is accepted at the
opening prices, before anything is chosen, counts in the first step. So the sum of an episode's
rewards is the sum of eq. 17 over its rounds.

An episode ends (`terminated`) with the step that makes the clocks cross. With steps of at least the
smallest level that takes at most `spec.horizon` moves, where anything else would be truncated.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial

import numpy as np

from learners.environment import Rule, Spec, Step, checked_actions, checked_rows
from mechkit.errors import require, whole
from mechkit.lazy import lazy
from mechkit.papers.madda import market, matching, systems
from mechkit.papers.madda.clocks import Auctions, advance, begin, played, renew
from mechkit.papers.madda.market import PAPER, Instances, Parameters
from mechkit.papers.madda.mechanism import (
    HIGHEST,
    LOWEST,
    Winners,
    as_printed,
    setter_left_out,
)
from mechkit.papers.madda.planning import Plan, plan
from mechkit.papers.paper import Result, changed

PAIRED: Mapping[str, Winners] = {"as printed": as_printed, "setter left out": setter_left_out}
WINNERS = (*PAIRED, "by rank")
"""Who trades: readings of `mechanism`."""
POOL, PAST = 1024, 256
PAST_SEED = 0x6D61646461
"""Of the past instances from which constants are learned: the same for everybody."""
Array = np.ndarray


class Madda:
    """A batch of clock auctions among those in Γ.

    buyers, sellers: sizes of the market. levels: the steps of a discrete learner, rising; a
    continuous one takes any number between the least and the largest. winners: who trades, of
    `WINNERS`. reward: a reading of eq. 17, of `systems.REWARDS`. pool: how many instances `reset`
    draws, each with its matching, which takes far longer than an episode; episodes begin on them at
    random. past: instances from which constants learn. computing, reputation: of `parameters`,
    which they override.

    Observations are S = (Ψ, t, C_B, C_S, |M_B|, |N_S|): t in hundreds, prices from 0 at p_min to
    1 at p_max, counts as shares of the smaller side.
    """

    spec: Spec
    _seen: Array  # the last observations

    def __init__(
        self,
        *,
        buyers: int = 20,
        sellers: int = 20,
        levels: Sequence[float] = systems.ACTIONS,
        winners: str = "as printed",
        reward: str = "reward (eq. 17)",
        pool: int = POOL,
        past: int = PAST,
        computing: tuple[float, float] | None = None,
        reputation: bool | None = None,
        parameters: Parameters = PAPER,
    ) -> None:
        for name, count in (("pool", pool), ("past", past)):
            whole(count, 1, name)
        require(winners in WINNERS, f"winners = {winners!r}: expected one of {', '.join(WINNERS)}")
        readings = ", ".join(map(repr, systems.REWARDS))
        require(reward in systems.REWARDS, f"reward = {reward!r}: expected one of {readings}")
        numbers = np.asarray(levels)
        require(
            numbers.ndim == 1 and numbers.dtype.kind in "iuf",
            f"levels = {levels!r}: expected several steps, rising, such as 1,5,10",
        )
        require(
            isinstance(parameters, Parameters),
            f"parameters = {parameters!r}: expected a record `Parameters` of the market; on the "
            "command line give computing and reputation",
        )
        steps = tuple(float(step) for step in levels)
        require(
            len(steps) > 0
            and all(np.isfinite(steps))
            and steps[0] > 0
            and all(a < b for a, b in itertools.pairwise(steps)),
            f"levels = {levels!r}: expected positive steps, rising",
        )
        require(
            (parameters.low, parameters.high) == (LOWEST, HIGHEST),
            f"clocks from {parameters.low} to {parameters.high}: expected {LOWEST} to {HIGHEST}",
        )
        self.buyers, self.sellers, self.winners, self.reward = buyers, sellers, winners, reward
        given = {"computing": computing, "reputation": reputation}
        chosen = {name: value for name, value in given.items() if value is not None}
        parameters = replace(parameters, **chosen)  # type: ignore[arg-type]
        self.parameters, self.pool, self._past = parameters, pool, past
        self._smaller = min(buyers, sellers)
        self._earned, self._truncated = np.zeros(0), np.zeros(0, dtype=bool)
        self.spec = Spec(
            name="madda",
            version=1,
            observation=6,
            levels=steps,
            low=steps[0],
            high=steps[-1],
            horizon=most_moves(steps[0]),
            sizes={
                "buyers": buyers,
                "sellers": sellers,
                "winners": winners,
                "reward": reward,
                **({} if pool == POOL else {"pool": int(pool)}),
                **({} if past == PAST else {"past": int(past)}),
                **changed(parameters, PAPER),
            },
            scale=self._typical(),
            unit="ticks",
        )

    def _typical(self) -> float:
        """The mean size of the unit step's return, two digits."""
        instances = self.draw(np.random.default_rng(PAST_SEED), 16)
        _, exchange = systems.steps_of(1)(instances, *systems.traders(instances))
        mean = abs(float(systems.REWARDS[self.reward](exchange, self.parameters.fee).mean()))
        return float(f"{max(mean, 1.0):.2g}")

    # Episodes -------------------------------------------------------------------------------------

    def draw(self, rng: np.random.Generator, batch: int) -> Instances:
        return market.draw(
            rng, batch, buyers=self.buyers, sellers=self.sellers, parameters=self.parameters
        )

    def start(self, instances: Instances) -> Array:
        """Later restarts begin on these instances, at random."""
        given = (instances.values.shape[1], instances.costs.shape[1])
        require(
            given == (self.buyers, self.sellers),
            f"(buyers, sellers) of the instances = {given}: expected {self.buyers, self.sellers}, "
            "as they are here; draw them from this environment",
        )
        self._hold(instances)
        return self._begin(np.arange(len(instances.values)))

    def reset(self, rng: np.random.Generator, batch: int) -> Array:
        """Draws a pool, from which this and later restarts take instances at random."""
        require(batch >= 1, f"batch = {batch}: expected at least 1 episode")
        self._hold(self.draw(rng, self.pool))
        return self._begin(rng.integers(self.pool, size=batch))

    def restart(self, rows: Array, rng: np.random.Generator) -> Array:
        places = np.flatnonzero(checked_rows(rows, len(self._earned)))
        picked = rng.integers(len(self._held.values), size=len(places))
        self._picked[places] = picked
        renew(self._auctions, places, self._opened, picked)
        self._earned[places] = 0
        self._truncated[places] = False
        self._seen = self._seen.copy()
        self._seen[places] = self._openings[picked]
        return self._seen

    def step(self, actions: Array) -> Step:
        steps = checked_actions(actions, len(self._earned), self.spec)
        auctions = self._auctions
        advance(auctions, steps)
        earned = self._returns(auctions)
        reward, self._earned = earned - self._earned, earned
        late = auctions.moves >= self.spec.horizon
        if late.any():
            # What is truncated stands still like what has ended.
            self._truncated |= late & ~auctions.ended
            auctions.ended = auctions.ended | self._truncated
        terminated = auctions.ended & ~self._truncated
        self._seen = observed(auctions, self._smaller)
        return Step(self._seen, reward, terminated, self._truncated.copy())

    def _hold(self, instances: Instances) -> None:
        self._held = instances
        self._opened = opened(*systems.traders(instances))
        self._openings = observed(self._opened, self._smaller)
        self._plans: dict[str, Plan] = {}

    def _begin(self, picked: Array) -> Array:
        self._picked = picked
        self._auctions = taken(self._opened, picked)
        self._earned = np.zeros(len(picked))
        self._truncated = np.zeros(len(picked), dtype=bool)
        self._seen = self._openings[picked]
        return self._seen

    def _returns(self, auctions: Auctions) -> Array:
        return systems.REWARDS[self.reward](auctions, self.parameters.fee)

    # What it comes to -----------------------------------------------------------------------------

    def measures(self) -> Mapping[str, Array]:
        """Of every row as if it cleared at its present prices; "welfare" by the chosen winners,
        and by the others beside it."""
        results = {name: self.result(name) for name in WINNERS}
        chosen = results[self.winners]
        return {
            "welfare": chosen.welfare,
            "trades": chosen.trades,
            "budget": chosen.budget,
            **chosen.measured,
            **{f"welfare, {name}": of.welfare for name, of in results.items()},
        }

    def result(self, winners: str) -> Result:
        """The same by one reading of who trades."""
        instances, fee = selected(self._held, self._picked), self.parameters.fee
        if winners in PAIRED:
            done = self.clocks(*systems.traders(instances))
            return systems.paired(instances, done, PAIRED[winners], fee=fee)
        sides = systems.matched_sides(instances)
        return systems.served(instances, *sides, self.clocks(*sides), fee=fee)

    def clocks(self, values: Array, costs: Array) -> systems.Played:
        """What the clocks did so far, for sides given in the order of their agents, (batch, n)."""
        return played(self._auctions, values, costs, weight=self.parameters.weight)

    # Optima ---------------------------------------------------------------------------------------

    def optimum(self, instances: Instances) -> Array:
        """Of all who choose among the levels, which must be whole ticks, knowing every value.

        A continuous step can stop between ticks and save the regret within a tick: see `finer`.
        """
        return self._plan(opened(*systems.traders(instances)), "reward").value

    def finer(self, instances: Instances) -> Array:
        """The same where every whole step between the least and the largest level may be chosen."""
        ticks = range(int(np.ceil(self.spec.low)), int(self.spec.high) + 1)
        return self._plan(opened(*systems.traders(instances)), "reward", levels=ticks).value

    def first_best(self, instances: Instances) -> Array:
        return matching.optimum(instances)

    def best_welfare(self, instances: Instances) -> Array:
        """The largest welfare under any steps among the levels, whatever the reward; by pairs of Γ,
        so not for winners by rank."""
        return self._plan(opened(*systems.traders(instances)), "welfare", instances).value

    def _plan(
        self,
        auctions: Auctions,
        objective: str,
        instances: Instances | None = None,
        *,
        levels: Sequence[float] | None = None,
    ) -> Plan:
        steps = self.spec.levels if levels is None else levels
        ends = None
        if objective == "welfare":
            require(self.winners in PAIRED, "winners by rank: their welfare is not planned for")
            assert instances is not None
            ends = welfare_by_end(instances, PAIRED[self.winners], len(auctions.worth[0]))
        return plan(auctions, steps, reward=self.reward, fee=self.parameters.fee, ends=ends)

    # Rules and systems ----------------------------------------------------------------------------

    @lazy
    def past(self) -> Instances:
        """What constants learn from."""
        return self.draw(np.random.default_rng(PAST_SEED), self._past)

    @lazy
    def rules(self) -> dict[str, Rule]:
        """By name. unit step: the least level. best constant: over levels, or over all steps of
        `FINE` that are allowed, with the largest mean return on past instances. greedy: see
        `greedy`. oracle: the optimum's steps; welfare oracle: the steps of the largest welfare."""
        levels, (low, high) = self.spec.levels, (self.spec.low, self.spec.high)
        fine = sorted({step for step in (*systems.FINE, *levels) if low <= step <= high})
        return {
            "random": lambda env, rng: rng.choice(levels, size=len(env._earned)),
            "unit step": constantly(lambda: low),
            **{f"step {step:g}": constantly(partial(float, step)) for step in levels[1:]},
            "best constant": constantly(lambda: self._best_constant(fine)),
            "best constant level": constantly(lambda: self._best_constant(levels)),
            "greedy": lambda env, rng: greedy(env._auctions, levels, env.parameters.fee),
            "oracle": lambda env, rng: env._planned("reward"),
            "welfare oracle": lambda env, rng: env._planned("welfare"),
        }

    @property
    def systems(self) -> Mapping[str, Callable[[Instances], Result]]:
        """The market's other mechanisms."""
        return systems.SYSTEMS

    @lazy
    def _constants(self) -> dict[float, float]:
        return {}

    def _best_constant(self, steps: Sequence[float]) -> float:
        for step in steps:
            if step not in self._constants:
                _, exchange = systems.steps_of(step)(self.past, *systems.traders(self.past))
                total = systems.REWARDS[self.reward](exchange, self.parameters.fee)
                self._constants[step] = float(total.mean())
        return max(steps, key=lambda step: self._constants[step])

    def _planned(self, objective: str) -> Array:
        if objective not in self._plans:
            self._plans[objective] = self._plan(self._opened, objective, self._held)
        a = self._auctions
        which = self._plans[objective].best(a.clock[0], -a.clock[1], self._picked)
        return np.asarray(self.spec.levels)[which]


def most_moves(least: float) -> int:
    """Of the clocks until they cross, with steps of at least that much. Whichever moves, they come
    closer by its step, from HIGHEST − LOWEST; and they have to be past one another. A quotient that
    is a whole number may be rounded to just below it."""
    return int((HIGHEST - LOWEST) / least + 1e-9) + 1


def constantly(step: Callable[[], float]) -> Rule:
    return lambda env, rng: np.full(len(env._earned), step())


def greedy(auctions: Auctions, levels: Sequence[float], fee: float) -> Array:
    """The step of the least expected cost per tick, one move ahead: (ζ k + E regret) / a.

    The r who have not accepted are taken as uniform over the R ticks that the clock has before it.
    The best of them is within x with probability 1 − (1 − x/R)^r, so that its regret, a less its
    distance, is on average a − R/(r + 1) · (1 − (1 − a/R)^(r+1)); a is no more than R.
    """
    a = auctions
    left, crowd = (np.where(a.active, of[1], of[0]) for of in (a.crowd - a.accepted, a.crowd))
    range_ = np.maximum(np.where(a.active, HIGHEST + a.clock[1], a.clock[0] - LOWEST), 1e-9)
    steps = np.asarray(levels)[:, None]
    within = np.minimum(steps, range_)
    regret = within - range_ / (left + 1) * (1 - (1 - within / range_) ** (left + 1))
    return np.asarray(levels)[np.argmin((fee * crowd + regret) / steps, axis=0)]


def observed(auctions: Auctions, smaller: int) -> Array:
    """S as numbers of order 1, (B, 6), float32. smaller: the size of the smaller side."""
    seen = np.empty((6, len(auctions.ended)), dtype=np.float32)
    seen[0], seen[1] = auctions.active, auctions.rounds
    seen[2:4], seen[4:] = auctions.clock, auctions.accepted
    # The sellers' clock is −C_S here.
    span, share = 1 / (HIGHEST - LOWEST), 1 / smaller
    seen *= np.array([[1], [0.01], [span], [-span], [share], [share]], dtype=np.float32)
    seen[2:4] -= np.float32(LOWEST * span)
    return np.ascontiguousarray(seen.T)


def opened(values: Array, costs: Array) -> Auctions:
    """Auctions at their opening, without places for more than ever take part."""
    auctions = begin(values, costs)
    most = max(1, int(auctions.crowd.max(initial=0)))
    return replace(auctions, agents=auctions.agents[:, :, :most].copy())


def taken(auctions: Auctions, picked: Array) -> Auctions:
    """A copy of the auctions `picked` (k,), in this order."""
    return Auctions(
        **{of.name: getattr(auctions, of.name).take(picked, axis=-1) for of in fields(Auctions)}
    )


def selected(instances: Instances, picked: Array) -> Instances:
    """The instances `picked` (k,), in this order, with their matching."""
    found = Instances(
        **{field.name: getattr(instances, field.name)[picked] for field in fields(Instances)}
    )
    return found.matched(instances.partner[picked])


def welfare_by_end(instances: Instances, winners: Winners, most: int) -> Array:
    """(2, most + 1, B): the welfare by Ψ and by how many sellers accepted, whatever the clocks."""
    values, costs = systems.traders(instances)
    clocks, _ = played(begin(values, costs), values, costs)
    gains = np.where(matching.sound(instances), values - costs, 0)
    ends = np.empty((2, most + 1, len(values)))
    for side in (0, 1):
        for k in range(most + 1):
            count = np.full((len(values), 1), k)
            end = replace(clocks, k=count, by_buyer=np.full((len(values), 1), side == 1))
            ends[side, k] = np.where(winners(end)[0], gains, 0).sum(axis=-1)
    return ends
