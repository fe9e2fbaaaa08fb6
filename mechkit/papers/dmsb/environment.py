"""The price scaling factor as a decision of one step: an auctioneer sees the bids and chooses ρ.

The action is the exponent e in [0, 1] of ρ = 10^e, of which a learner with finitely many actions
takes k/20, k = 0…20. The reward is the surplus (12a), ζ S_UAV + S_BS, of true values. Rounds are
independent of one another and of the actions, so that each is an episode of one step.

With b_(1) the best station and r its rival, eq. 14 gives the station the task exactly for
ρ < b_(1) / r. So all that any ρ in [1, 10] attains is attained by ρ = 1 or by ρ = 10, and

    optimum     max(surplus at 1, surplus at 10), with a factor that may read the bids;
    first best  max(ζ v_0, max_n v_n): larger where b_(1) > 10 r, though ζ v_0 > b_(1), or where no
                station is ahead (ties; or v_0 ≥ b_(1), if eq. 14 compares with the UAV and ζ < 1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from learners.environment import Array, Rule, Spec, Step, checked_actions, checked_rows
from mechkit.errors import require
from mechkit.papers.dmsb import market, rules, systems
from mechkit.papers.dmsb.market import PRINTED, Instances, Parameters
from mechkit.papers.paper import Result, changed

LOG_BID, LOG_LATENCY = 1.0, 2.5
"""Near the means of the logarithms of bids and of latencies in seconds, as the paper's market draws
them; both spread by less than 1 about them."""
LEAST = 1e-6
"""What lower numbers look like: a bid of 0 has no logarithm."""
LEVELS = tuple(k / systems.ACTIONS for k in range(systems.ACTIONS + 1))
BLOCK = 256
PAST_SEED = 0x646D7362
"""Of the rounds that say what a typical return is."""


class Dmsb:
    """A batch of rounds with one task each.

    stations: ground stations beside the UAV. zeta: ζ. bandwidth, task: bounds of the uniform draws,
    MHz and MB. everybody: eq. 14 compares a station with the UAV, too. parameters: all of them; the
    three before override it. periods: as `market.draw` has it. pool: how many rounds `reset` draws,
    from which episodes begin at random; None: every episode begins on a round of its own.

    Observations are what the auctioneer sees of market and bids: the logarithms of all bids, the
    UAV's first, and of the expected latencies in the same order, each less its typical value.
    """

    spec: Spec
    _values: Array
    _latency: Array
    _observation: Array
    _exponent: Array  # of the last action
    _done: Array

    def __init__(
        self,
        *,
        stations: int = 6,
        zeta: float | None = None,
        bandwidth: tuple[float, float] | None = None,
        task: tuple[float, float] | None = None,
        everybody: bool = False,
        periods: int = 10,
        pool: int | None = None,
        parameters: Parameters = PRINTED,
    ) -> None:
        whole = isinstance(pool, int | np.integer) and not isinstance(pool, bool) and pool >= 1
        require(
            pool is None or whole, f"pool = {pool!r}: expected None or an integer of at least 1"
        )
        require(isinstance(everybody, bool), f"everybody = {everybody!r}: expected true or false")
        require(
            isinstance(parameters, Parameters),
            f"parameters = {parameters!r}: expected a record `Parameters` of the market; on the "
            "command line give zeta, bandwidth and task",
        )
        given = {"zeta": zeta, "bandwidth": bandwidth, "task": task}
        chosen = {name: value for name, value in given.items() if value is not None}
        self.parameters = replace(parameters, **chosen)  # type: ignore[arg-type]
        self.stations, self.everybody, self.periods, self.pool = stations, everybody, periods, pool
        self._held = self.draw(np.random.default_rng(PAST_SEED), 1)
        self._begin(self._held.values[:0], self._held.latency[:0])
        typical = self.optimum(replace(self._held, values=self._held.history)).mean()
        self.spec = Spec(
            name="dmsb",
            version=1,
            observation=2 * (1 + stations),
            levels=LEVELS,
            low=0.0,
            high=1.0,
            horizon=1,
            sizes={
                "stations": stations,
                "zeta": self.parameters.zeta,
                "everybody": str(everybody),
                "periods": periods,
                **({} if pool is None else {"pool": int(pool)}),
                **changed(replace(self.parameters, zeta=PRINTED.zeta), PRINTED),
            },
            scale=float(f"{typical:.2g}"),
        )

    # Episodes -------------------------------------------------------------------------------------

    def draw(self, rng: np.random.Generator, batch: int) -> Instances:
        return market.draw(
            rng, batch, stations=self.stations, periods=self.periods, parameters=self.parameters
        )

    def start(self, instances: Instances) -> Array:
        mine = (1 + self.stations, self.parameters.zeta)
        given = (instances.values.shape[1], instances.zeta)
        require(
            given == mine,
            f"(providers, zeta) of the instances = {given}: expected {mine}, as they are here; "
            "draw them from this environment",
        )
        self._held = instances
        return self._begin(instances.values, instances.latency)

    def reset(self, rng: np.random.Generator, batch: int) -> Array:
        require(batch >= 1, f"batch = {batch}: expected at least 1 episode")
        if self.pool is None:
            return self.start(self.draw(rng, batch))
        self._held = self.draw(rng, self.pool)
        return self._begin(*self._more(rng, batch))

    def restart(self, rows: Array, rng: np.random.Generator) -> Array:
        """On rounds of their own, or on others of the pool. What is known of the past stays."""
        rows = checked_rows(rows, len(self._done))
        fresh = self._more(rng, int(np.count_nonzero(rows)))
        if rows.all():
            return self._begin(*fresh)
        values, latency = self._values.copy(), self._latency.copy()
        values[rows], latency[rows] = fresh
        done = self._done & ~rows
        return self._begin(values, latency, np.where(done, self._exponent, 0), done)

    def step(self, actions: Array) -> Step:
        exponent = checked_actions(actions, len(self._done), self.spec)
        attained = systems.taken(*self._leaders, self._uav, 10**exponent)
        reward = np.where(self._done, 0, attained)
        self._exponent = np.where(self._done, self._exponent, exponent)
        self._done = np.ones(len(exponent), dtype=bool)
        return Step(self._observation, reward, self._done, np.zeros(len(exponent), dtype=bool))

    def _more(self, rng: np.random.Generator, count: int) -> tuple[Array, Array]:
        """Values and latencies of that many rounds."""
        if self.pool is None:
            # In blocks that stay in the cache, and in memory that is not given back in between.
            blocks = [
                market.values(
                    rng, min(BLOCK, count - k), self.stations, self.periods, self.parameters
                )
                for k in range(0, count, BLOCK)
            ]
            none = (self._values[:0], self._latency[:0])
            values, latency = zip(*(blocks or [none]), strict=True)
            return np.concatenate(values), np.concatenate(latency)
        picked = rng.integers(len(self._held.values), size=count)
        return self._held.values[picked], self._held.latency[picked]

    def _begin(
        self,
        values: Array,
        latency: Array,
        exponent: Array | None = None,
        done: Array | None = None,
    ) -> Array:
        self._values, self._latency = values, latency
        self._leaders = systems.leaders(values, everybody=self.everybody)
        self._uav = self._held.zeta * values[:, 0]
        self._exponent = np.zeros(len(values)) if exponent is None else exponent
        self._done = np.zeros(len(values), dtype=bool) if done is None else done
        self._observation = observed(values, latency)
        return self._observation

    # What it comes to -----------------------------------------------------------------------------

    @property
    def instances(self) -> Instances:
        """The rounds under way, with the past that was drawn at first; no draws for a policy."""
        none = np.zeros(len(self._values))
        return replace(self._held, values=self._values, latency=self._latency, actions=none)

    def measures(self) -> Mapping[str, Array]:
        """By the auction itself, "welfare" being (12a) at ζ; zeros for rows not played yet."""
        won, paid = rules.modified_second_bid(
            self._values, rho=10 ** self._exponent[:, None], everybody=self.everybody
        )
        done = self._done[:, None]
        found = systems.result(self.instances, won & done, np.where(done, paid, 0))
        return {
            "welfare": found.welfare,
            "trades": found.trades,
            "budget": found.budget,
            **found.measured,
        }

    def optimum(self, instances: Instances) -> Array:
        """Of every ρ in [1, 10], knowing the bids."""
        ends = np.array([[1.0], [rules.HIGHEST_RHO]])
        both = systems.surplus(instances.values, ends, instances.zeta, everybody=self.everybody)
        return np.asarray(both.max(axis=0))

    def first_best(self, instances: Instances) -> Array:
        return systems.first_best(instances)

    # Rules and systems ----------------------------------------------------------------------------

    @property
    def rules(self) -> Mapping[str, Rule]:
        """By name. best constant: of the levels, on the past rounds. greedy: see `greedy`. myopic
        and optimal MSB: the paper's, with u_0 and u_(2) the two highest bids of all providers, or
        the UAV's bid and the stations' second, as far as they are at most 10. best from bids: the
        factor max(1, ζ b_0 / b_(2)) in one line, which attains the first best where it is at most
        10, and looks at nothing that a learner does not see. oracle: the optimum.
        """
        return {
            "random": lambda env, rng: rng.choice(LEVELS, size=len(env._done)),
            "greedy": lambda env, rng: env._constantly(env._greedy()),
            "best constant": lambda env, rng: env._constantly(env._best_constant()),
            "myopic": lambda env, rng: exponents(rules.myopic_of_highest(env._values)),
            "myopic, UAV": lambda env, rng: exponents(rules.myopic_of_uav(env._values)),
            "optimal MSB": lambda env, rng: env._constantly(
                exponents(rules.optimal_of_highest(env._held.history))
            ),
            "optimal MSB, UAV": lambda env, rng: env._constantly(
                exponents(rules.optimal_of_uav(env._held.history))
            ),
            "best from bids": lambda env, rng: exponents(
                rules.first_best_factor(env._values, zeta=env._held.zeta, everybody=env.everybody)
            ),
            "oracle": lambda env, rng: env._oracle(),
        }

    @property
    def systems(self) -> Mapping[str, Callable[[Instances], Result]]:
        """The market's other mechanisms and factors; the second price auction is one."""
        end = ", over everybody"
        return {
            name.removesuffix(end): system
            for name, system in systems.SYSTEMS.items()
            if name == "second price" or name.endswith(end) == self.everybody
        }

    def _constantly(self, exponent: Array | float) -> Array:
        return np.full(len(self._done), exponent)

    def _best_constant(self) -> float:
        past = self._held
        rho = systems.best_on_grid(past.history, past.zeta, everybody=self.everybody)
        return LEVELS[int(np.argmin(np.abs(systems.GRID - rho)))]

    def _greedy(self) -> float:
        """Each action is tried on as many of the past rounds, in turn; then the one with the best
        mean reward so far is taken, and bids are not looked at."""
        past = self._held
        turn = np.arange(len(past.history)) % len(LEVELS)
        earned = systems.surplus(
            past.history, systems.GRID[turn], past.zeta, everybody=self.everybody
        )
        tried = np.bincount(turn, minlength=len(LEVELS))
        mean = np.bincount(turn, earned, len(LEVELS)) / np.maximum(tried, 1)
        return LEVELS[int(np.argmax(np.where(tried > 0, mean, -np.inf)))]

    def _oracle(self) -> Array:
        """1 where the largest factor is better than the least, else 0."""
        least, most = (
            systems.taken(*self._leaders, self._uav, rho) for rho in (1.0, rules.HIGHEST_RHO)
        )
        return np.where(most > least, 1.0, 0.0)


def observed(bids: Array, latency: Array) -> Array:
    """What the auctioneer sees of bids and expected latencies (batch, providers), float32."""
    seen = np.concatenate([bids, latency], axis=-1).astype(np.float32)
    np.log(np.maximum(seen, np.float32(LEAST), out=seen), out=seen)
    seen[:, : bids.shape[1]] -= np.float32(LOG_BID)
    seen[:, bids.shape[1] :] -= np.float32(LOG_LATENCY)
    return seen


def exponents(factor: rules.Quotient) -> Array:
    """e of ρ = 10^e = top / per, (batch,), at most 1.

    Where a factor makes a threshold equal to a bid, eq. 14 gives the station nothing; so that this
    is so whatever 10^e rounds to, exponents above 0 are larger by 1e-12.
    """
    top, per = factor
    ratio = np.ravel(np.asarray(top / np.asarray(per, dtype=float)))
    return np.minimum(np.where(ratio > 1, np.log10(ratio) + 1e-12, 0), 1)
