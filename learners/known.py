"""Problems of known answers: what the best policy earns is a formula, not an estimate.

A learner that misses these has a fault; one that reaches them has passed the least of its tests.
Each states two optima. `optimum(instances)` knows every draw; `best_policy_value` is the expected
return of the best policy that sees what policies see, and is what a learner is held against.

    Arms        one choice among k. Mean rewards are 0, 1/(k−1), …, 1, shuffled anew in each
                context, which is seen. Best policy: 1.
    Reserve     a second price auction for n bidders, values uniform on [0, 1]; the action is the
                reserve r and the reward the revenue. R(r) = (n−1)/(n+1) + rⁿ − 2n/(n+1) rⁿ⁺¹,
                largest at r = 1/2 for every n (Myerson 1981); knowing the values, max v.
    Clock       a price descends from 1 to 0 and everybody buys at the first price announced that is
                at most their value; each announcement costs a fee c. Values are a Poisson process
                of n points on average, so that who bought says nothing about who is left. Steps
                a_1 … a_m, which add to 1, earn n/2 − n/2 Σ a_j² − c m: by convexity the steps are
                equal and m is the whole number with m (m−1) ≤ n/2c ≤ m (m+1), a constant step of
                about √(2c/n).
    FirstPrice  n bidders with uniform values; the highest bid wins and is paid. To bid (n−1)/n of
                one's value is an equilibrium (Vickrey 1961), in which each earns 1/(n (n+1)).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from learners.environment import Array, Rule, Spec, Step, checked_actions, checked_rows, shaped
from learners.fields import whole_number


class OneShot(ABC):
    """Episodes of one step. Instances are arrays (batch, ...) of what nature draws.

    A problem says what is drawn, what of it is seen, and what an action earns.
    """

    spec: Spec
    _drawn: Array
    _action: Array  # (batch,), or (batch, agents), like all that follow
    _done: Array

    @abstractmethod
    def draw(self, rng: np.random.Generator, batch: int) -> Array:
        """What nature draws, (batch, ...)."""

    @abstractmethod
    def _seen(self, drawn: Array) -> Array:
        """Observations (batch, size), or (batch, agents, size)."""

    @abstractmethod
    def _earned(self, drawn: Array, action: Array) -> Array:
        """Rewards, (batch,) or (batch, agents)."""

    def start(self, instances: Array) -> Array:
        self._drawn = np.array(instances, dtype=float)
        self._action = np.zeros(shaped(len(self._drawn), self.spec))
        self._done = np.zeros(self._action.shape, dtype=bool)
        return self._seen(self._drawn)

    def reset(self, rng: np.random.Generator, batch: int) -> Array:
        return self.start(self.draw(rng, whole_number("batch", batch)))

    def restart(self, rows: Array, rng: np.random.Generator) -> Array:
        rows = checked_rows(rows, len(self._drawn))
        self._drawn[rows] = self.draw(rng, int(np.count_nonzero(rows)))
        self._action[rows] = 0
        self._done[rows] = False
        return self._seen(self._drawn)

    def step(self, actions: Array) -> Step:
        given = checked_actions(actions, len(self._drawn), self.spec)
        reward = np.where(self._done, 0, self._earned(self._drawn, given))
        self._action = np.where(self._done, self._action, given)
        self._done = np.ones(given.shape, dtype=bool)
        return Step(
            self._seen(self._drawn), reward, self._done.copy(), np.zeros(given.shape, dtype=bool)
        )


class Arms(OneShot):
    """arms: how many. contexts: how many, drawn evenly. noise: the standard deviation of a normal
    draw that is added to the reward whatever the arm. table: seed of the shuffles.

    Observations are the context, one-hot. An action between two arms is the nearer one: nothing
    says that neighbouring arms are alike.
    """

    def __init__(
        self, *, arms: int = 10, contexts: int = 10, noise: float = 0.1, table: int = 0
    ) -> None:
        whole_number("arms", arms, least=2)
        whole_number("contexts", contexts)
        if not (np.isfinite(noise) and noise >= 0):
            raise ValueError(f"noise = {noise!r}: expected a number of at least 0")
        self.noise = float(noise)
        rng = np.random.default_rng([table, arms, contexts])
        self.means = np.stack([rng.permutation(arms) for _ in range(contexts)]) / (arms - 1)
        self.spec = Spec(
            name="arms",
            version=1,
            observation=contexts,
            levels=tuple(k / (arms - 1) for k in range(arms)),
            low=0.0,
            high=1.0,
            horizon=1,
            sizes={"arms": arms, "contexts": contexts, "noise": self.noise, "table": table},
        )
        self.rules: Mapping[str, Rule] = {
            "random": lambda env, rng: rng.choice(env.spec.levels, size=len(env._drawn)),
            "best constant": lambda env, rng: env._arm(
                np.full(len(env._drawn), env.means.mean(axis=0).argmax())
            ),
            "oracle": lambda env, rng: env._arm(env.means.argmax(axis=-1)[env._context]),
        }

    def _arm(self, which: Array) -> Array:
        return np.asarray(self.spec.levels)[which]

    @property
    def _context(self) -> Array:
        return self._drawn[:, 0].astype(int)

    def draw(self, rng: np.random.Generator, batch: int) -> Array:
        """(batch, 2): the context and the noise."""
        context = rng.integers(len(self.means), size=batch)
        return np.stack([context, self.noise * rng.standard_normal(batch)], axis=-1)

    def _seen(self, drawn: Array) -> Array:
        return np.eye(len(self.means), dtype=np.float32)[drawn[:, 0].astype(int)]

    def _mean(self, drawn: Array, action: Array) -> Array:
        arm = np.rint(action * (len(self.spec.levels) - 1)).astype(int)
        return self.means[drawn[:, 0].astype(int), arm]

    def _earned(self, drawn: Array, action: Array) -> Array:
        return self._mean(drawn, action) + drawn[:, 1]

    def optimum(self, instances: Array) -> Array:
        return 1 + np.asarray(instances)[:, 1]

    def first_best(self, instances: Array) -> Array:
        return np.ones(len(instances))

    def measures(self) -> Mapping[str, Array]:
        """welfare: the mean of the arm that was chosen, without noise."""
        return {"welfare": self._done * self._mean(self._drawn, self._action)}

    @property
    def best_policy_value(self) -> float:
        return 1.0


class Reserve(OneShot):
    """bidders: n. Observations are the constant 1: values are not seen."""

    def __init__(self, *, bidders: int = 1) -> None:
        self.bidders = whole_number("bidders", bidders)
        self.spec = Spec(
            name="reserve",
            version=1,
            observation=1,
            levels=tuple(k / 20 for k in range(21)),
            low=0.0,
            high=1.0,
            horizon=1,
            sizes={"bidders": bidders},
            scale=self.revenue(0.5),
        )
        self.rules: Mapping[str, Rule] = {
            "random": lambda env, rng: rng.choice(env.spec.levels, size=len(env._drawn)),
            "best constant": lambda env, rng: np.full(len(env._drawn), 0.5),
            "no reserve": lambda env, rng: np.zeros(len(env._drawn)),
            "oracle": lambda env, rng: env._drawn.max(axis=-1),
        }

    def draw(self, rng: np.random.Generator, batch: int) -> Array:
        """(batch, bidders) values."""
        return rng.random((batch, self.bidders))

    def _seen(self, drawn: Array) -> Array:
        return np.ones((len(drawn), 1), dtype=np.float32)

    def _earned(self, drawn: Array, action: Array) -> Array:
        highest = drawn.max(axis=-1)
        second = np.sort(drawn, axis=-1)[:, -2] if self.bidders > 1 else np.zeros(len(drawn))
        return np.where(highest >= action, np.maximum(second, action), 0)

    def optimum(self, instances: Array) -> Array:
        return np.asarray(instances).max(axis=-1)

    def first_best(self, instances: Array) -> Array:
        """The item goes to the highest value, at whatever price."""
        return self.optimum(instances)

    def measures(self) -> Mapping[str, Array]:
        highest = self._drawn.max(axis=-1)
        sold = self._done & (highest >= self._action)
        revenue = self._done * self._earned(self._drawn, self._action)
        return {"welfare": sold * highest, "trades": sold.astype(float), "revenue": revenue}

    def revenue(self, reserve: float) -> float:
        """R(r), in expectation."""
        n = self.bidders
        return (n - 1) / (n + 1) + reserve**n - 2 * n / (n + 1) * reserve ** (n + 1)

    @property
    def best_policy_value(self) -> float:
        return self.revenue(0.5)


class FirstPrice(OneShot):
    """bidders: n agents, each of whom sees its own value and bids. Bidders who tie share evenly."""

    def __init__(self, *, bidders: int = 3) -> None:
        self.bidders = whole_number("bidders", bidders, least=2)
        self.spec = Spec(
            name="first-price",
            version=1,
            observation=1,
            levels=tuple(k / 20 for k in range(21)),
            low=0.0,
            high=1.0,
            horizon=1,
            sizes={"bidders": bidders},
            scale=self.best_policy_value,
            agents=tuple(f"bidder_{k}" for k in range(bidders)),
        )
        self.rules: Mapping[str, Rule] = {
            "random": lambda env, rng: rng.choice(env.spec.levels, size=env._drawn.shape),
            "truthful": lambda env, rng: env._drawn.copy(),
            "equilibrium": lambda env, rng: env.equilibrium(env._drawn),
        }

    def equilibrium(self, values: Array) -> Array:
        return (self.bidders - 1) / self.bidders * np.asarray(values)

    def draw(self, rng: np.random.Generator, batch: int) -> Array:
        """(batch, bidders) values."""
        return rng.random((batch, self.bidders))

    def _seen(self, drawn: Array) -> Array:
        return drawn[..., None].astype(np.float32)

    def _share(self, action: Array) -> Array:
        ahead = action == action.max(axis=-1, keepdims=True)
        return ahead / ahead.sum(axis=-1, keepdims=True)

    def _earned(self, drawn: Array, action: Array) -> Array:
        return self._share(action) * (drawn - action)

    def optimum(self, instances: Array) -> Array:
        """(batch, agents): the least upper bound for each who knows that the others bid as in the
        equilibrium, and their values."""
        values = np.asarray(instances)
        others = np.stack(
            [np.delete(values, k, axis=-1).max(axis=-1) for k in range(self.bidders)], axis=-1
        )
        return np.maximum(values - self.equilibrium(others), 0)

    def first_best(self, instances: Array) -> Array:
        return np.asarray(instances).max(axis=-1)

    def measures(self) -> Mapping[str, Array]:
        share = self._share(self._action) * self._done
        return {
            "welfare": (share * self._drawn).sum(axis=-1),
            "revenue": (share * self._action).sum(axis=-1),
        }

    @property
    def best_policy_value(self) -> float:
        """Of each bidder, the others being in equilibrium."""
        return 1 / (self.bidders * (self.bidders + 1))


class Clock:
    """buyers: n, the mean of their Poisson number. fee: c, for each announcement.

    The action is how far the price falls, to 0 at the lowest. An episode ends (`terminated`) at 0,
    and is truncated after `spec.horizon` announcements. Observations are the price and the share of
    the announcements used. Instances are values (batch, places), −1 where there is nobody.
    """

    _values: Array
    _price: Array
    _moves: Array
    _paid: Array  # (batch, places): the price at which each bought, NaN who did not
    _ended: Array

    def __init__(self, *, buyers: int = 10, fee: float = 0.2, horizon: int = 40) -> None:
        whole_number("buyers", buyers)
        whole_number("horizon", horizon, least=2)
        if not (np.isfinite(fee) and fee > 0):
            raise ValueError(f"fee = {fee!r}: expected a positive number")
        self.buyers, self.fee = buyers, float(fee)
        # The number exceeds this with a probability below 1e-20.
        self._places = buyers + int(np.ceil(12 * np.sqrt(buyers))) + 20
        best = self.best_announcements
        if best > horizon:
            raise ValueError(
                f"horizon = {horizon}: expected at least the best number of announcements, {best}"
            )
        grid = {k / 20 for k in range(1, 21)}
        self.spec = Spec(
            name="clock",
            version=1,
            observation=2,
            levels=tuple(sorted(grid | {1 / best})),
            low=0.0,
            high=1.0,
            horizon=horizon,
            sizes={"buyers": buyers, "fee": self.fee},
            scale=max(abs(self.best_policy_value), self.fee),
        )
        self.rules: Mapping[str, Rule] = {
            "random": lambda env, rng: rng.choice(env.spec.levels, size=len(env._price)),
            "best constant": lambda env, rng: np.full(len(env._price), 1 / env.best_announcements),
            "oracle": lambda env, rng: env._informed(),
        }

    # Episodes -------------------------------------------------------------------------------------

    def draw(self, rng: np.random.Generator, batch: int) -> Array:
        count = np.minimum(rng.poisson(self.buyers, size=batch), self._places)
        values = rng.random((batch, self._places))
        return np.where(np.arange(self._places) < count[:, None], values, -1)

    def start(self, instances: Array) -> Array:
        self._values = np.array(instances, dtype=float)
        batch = len(self._values)
        self._price, self._moves = np.ones(batch), np.zeros(batch, dtype=int)
        self._paid = np.full(self._values.shape, np.nan)
        self._ended = np.zeros(batch, dtype=bool)
        return self._seen()

    def reset(self, rng: np.random.Generator, batch: int) -> Array:
        return self.start(self.draw(rng, whole_number("batch", batch)))

    def restart(self, rows: Array, rng: np.random.Generator) -> Array:
        rows = checked_rows(rows, len(self._price))
        self._values[rows] = self.draw(rng, int(np.count_nonzero(rows)))
        self._price[rows], self._moves[rows] = 1, 0
        self._paid[rows], self._ended[rows] = np.nan, False
        return self._seen()

    def step(self, actions: Array) -> Step:
        falls = checked_actions(actions, len(self._price), self.spec)
        live = ~self._ended
        price = np.where(live, np.maximum(self._price - falls, 0), self._price)
        # Twenty steps of 1/20 arrive at 0, whatever they round to.
        price[price < 1e-9] = 0
        buys = live[:, None] & np.isnan(self._paid) & (self._values >= price[:, None])
        self._paid = np.where(buys, price[:, None], self._paid)
        reward = np.where(live, buys.sum(axis=-1) * price - self.fee, 0)
        self._price, self._moves = price, self._moves + live
        terminated = price == 0
        truncated = ~terminated & (self._moves >= self.spec.horizon)
        self._ended = terminated | truncated
        return Step(self._seen(), reward, terminated, truncated)

    def _seen(self) -> Array:
        return np.stack([self._price, self._moves / self.spec.horizon], axis=-1).astype(np.float32)

    # What it comes to -----------------------------------------------------------------------------

    def measures(self) -> Mapping[str, Array]:
        """welfare: values of who bought, less the fees."""
        bought = ~np.isnan(self._paid)
        fees = self.fee * self._moves
        return {
            "welfare": np.where(bought, self._values, 0).sum(axis=-1) - fees,
            "trades": bought.sum(axis=-1).astype(float),
            "announcements": self._moves.astype(float),
            "revenue": np.nansum(self._paid, axis=-1) - fees,
        }

    def optimum(self, instances: Array) -> Array:
        """Knowing the values: by dynamic programming over who is served at one price."""
        return self._plan(instances)[0][:, 0]

    def first_best(self, instances: Array) -> Array:
        """Everybody is served by one announcement, of 0."""
        return np.maximum(np.asarray(instances), 0).sum(axis=-1) - self.fee

    def _plan(self, instances: Array) -> tuple[Array, Array, Array]:
        """(batch, places + 1): the best that follows when the i highest have bought, and whom the
        next price is for, counted from the highest, −1 for a price of 0; and values, falling."""
        values = -np.sort(-np.asarray(instances, dtype=float), axis=-1)
        batch, places = values.shape
        best = np.full((batch, places + 1), -self.fee)
        whom = np.full((batch, places + 1), -1)
        most = int((values >= 0).sum(axis=-1).max(initial=0))
        for i in range(most - 1, -1, -1):
            for j in range(i, most):
                worth = (j + 1 - i) * values[:, j] - self.fee + best[:, j + 1]
                better = (values[:, j] > 0) & (worth > best[:, i])
                best[better, i], whom[better, i] = worth[better], j
        return best, whom, values

    def _informed(self) -> Array:
        """The price falls to the value that is next by the plan, or as little below as rounding."""
        _, whom, values = self._plan(self._values)
        bought = (~np.isnan(self._paid)).sum(axis=-1)
        rows = np.arange(len(values))
        chosen = whom[rows, bought]
        goal = np.where(chosen >= 0, values[rows, chosen] - 1e-12, 0)
        return np.clip(self._price - goal, 0, 1)

    @property
    def best_announcements(self) -> int:
        """m of the best policy, whose steps are 1/m: the least with m (m+1) ≥ n/2c."""
        ratio = self.buyers / (2 * self.fee)
        m = max(1, int(np.ceil((np.sqrt(1 + 4 * ratio) - 1) / 2)) - 1)
        while m * (m + 1) < ratio:
            m += 1
        return m

    def value(self, announcements: int) -> float:
        """The expected return of that many equal steps."""
        return self.buyers / 2 - self.buyers / (2 * announcements) - self.fee * announcements

    @property
    def best_policy_value(self) -> float:
        return self.value(self.best_announcements)


def best(environment: Any) -> float:
    """The expected return of the best policy that sees what policies see, exact."""
    try:
        return float(environment.best_policy_value)
    except AttributeError:
        known = ", ".join(KNOWN)
        raise ValueError(
            f"{environment.spec.name}: its best policy has no formula; expected one of {known}"
        ) from None


KNOWN: Mapping[str, Any] = {
    "arms": Arms,
    "reserve": Reserve,
    "clock": Clock,
    "first-price": FirstPrice,
}
