"""The clocks run round by round under any step policy, for a whole batch of auctions at once.

In every round the auctioneer announces the active side's clock to its k participants. If the next
agent of that side accepts, its regret is v − g or k − c (eqs. 13, 14) and the other side's clock
becomes active; otherwise the policy chooses a step > 0 and the clock moves. A policy sees what the
auctioneer sees: S = (Ψ, t, C_B, C_S, |M_B|, |N_S|).

Eq. 17 rewards each round with −regret where somebody accepts and with −ζ k where nobody does; in
the second reading with both. k counts everybody who takes part (they hear the clock), or those who
have not accepted yet: `calls` and `calls_left` say how often somebody was told that nobody had
accepted, `announced` how often anybody was told a price.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mechkit.book import ranks
from mechkit.errors import InputError, require
from mechkit.papers.madda.mechanism import HALF, HIGHEST, LOWEST, Clocks, clear

MOST_ROUNDS = 1_000_000


@dataclass(frozen=True, eq=False)
class State:
    """What a policy sees: `round` t, the others (B,). active: Ψ, 0 where the buyers' clock runs.

    bought, sold: how many of each side have accepted. moves: how often a clock has moved.
    """

    active: np.ndarray
    round: int
    buy_clock: np.ndarray
    sell_clock: np.ndarray
    bought: np.ndarray
    sold: np.ndarray
    moves: np.ndarray


Policy = Callable[[State], Any]
"""State -> steps, a number or (B,), each > 0."""


@dataclass(frozen=True, eq=False)
class Exchange:
    """What the auction took, each (B,): regret of all who accepted; rounds; and how many messages
    in which sense (see above)."""

    regret: np.ndarray
    rounds: np.ndarray
    calls: np.ndarray
    calls_left: np.ndarray
    announced: np.ndarray

    def cost(self, fee: float) -> np.ndarray:
        """Eq. 17: Σ ζ k over the rounds in which nobody accepts."""
        return fee * self.calls


def run(
    values: np.ndarray,
    costs: np.ndarray,
    policy: Policy,
    *,
    weight: float = HALF,
    low: float = LOWEST,
    high: float = HIGHEST,
) -> tuple[Clocks, Exchange]:
    """Every auction to its end. values, costs (B, n): who is below `low` or above `high` is absent.

    Raises InputError for steps that are not positive and finite.
    """
    batch, rows = len(values), np.arange(len(values))
    falling = np.concatenate([-np.sort(-values, axis=-1), np.full((batch, 1), -np.inf)], axis=-1)
    rising = np.concatenate([np.sort(costs, axis=-1), np.full((batch, 1), np.inf)], axis=-1)
    buyers, sellers = (values >= low).sum(axis=-1), (costs <= high).sum(axis=-1)
    clock_b, clock_s = np.full(batch, float(high)), np.full(batch, float(low))
    bought, sold = np.zeros(batch, dtype=int), np.zeros(batch, dtype=int)
    bids, asks = np.full(values.shape, -np.inf), np.full(costs.shape, np.inf)
    active, moves, rounds = (np.zeros(batch, dtype=int) for _ in range(3))
    regret, price = np.zeros(batch), np.zeros(batch)
    calls, calls_left, announced = (np.zeros(batch) for _ in range(3))
    running = np.ones(batch, dtype=bool)
    for t in range(MOST_ROUNDS):
        if not running.any():
            break
        selling = active == 1
        next_value, next_cost = falling[rows, bought], rising[rows, sold]
        crowd = np.where(selling, sellers, buyers)
        accepts = running & np.where(selling, next_cost <= clock_s, next_value >= clock_b)
        buys, sells = accepts & ~selling, accepts & selling
        bids[rows[buys], bought[buys]] = clock_b[buys]
        asks[rows[sells], sold[sells]] = clock_s[sells]
        regret[buys] += (next_value - clock_b)[buys]
        regret[sells] += (clock_s - next_cost)[sells]
        rounds += running
        announced += np.where(running, crowd, 0)
        waits = running & ~accepts
        calls += np.where(waits, crowd, 0)
        calls_left += np.where(waits, crowd - np.where(selling, sold, bought), 0)
        state = State(active, t, clock_b, clock_s, bought, sold, moves)
        step = np.where(waits, _steps(policy(state), batch), 0)
        then_b = clock_b - np.where(selling, 0, step)
        then_s = clock_s + np.where(selling, step, 0)
        crossed = waits & (then_b < then_s)
        price = np.where(crossed, weight * clock_b + (1 - weight) * clock_s, price)
        running = running & ~crossed
        clock_b, clock_s = then_b, then_s
        moves = moves + waits
        bought, sold = bought + buys, sold + sells
        active = np.where(accepts, 1 - active, active)
    else:
        raise InputError(f"clocks that have not crossed after {MOST_ROUNDS:,} rounds: larger steps")
    clocks = Clocks(
        buy_rank=ranks(-values),
        sell_rank=ranks(costs),
        buy_clock=bids,
        sell_clock=asks,
        k=sold[:, None],
        by_buyer=(bought > sold)[:, None],
        price=price[:, None],
    )
    return clocks, Exchange(regret, rounds, calls, calls_left, announced)


def _steps(given: Any, batch: int) -> np.ndarray:
    step = np.broadcast_to(np.asarray(given, dtype=float), (batch,))
    require(
        bool((np.isfinite(step) & (step > 0)).all()),
        f"steps from {step.min()} to {step.max()}: expected positive finite steps of the clock",
    )
    return step


def constant(
    values: np.ndarray,
    costs: np.ndarray,
    step: float,
    *,
    weight: float = HALF,
    low: float = LOWEST,
    high: float = HIGHEST,
) -> tuple[Clocks, Exchange]:
    """`run` with a constant step, in closed form.

    Each who accepted heard its side's clock move from its start to the price accepted, and whoever
    did not heard all of it.
    """
    _steps(step, 1)
    clocks = clear(values, costs, step=step, weight=weight, low=low, high=high)
    sold, by_buyer = clocks.k[:, 0], clocks.by_buyer[:, 0]
    bought = sold + by_buyer
    some = np.arange(values.shape[1]) < bought[:, None]
    more = np.arange(costs.shape[1]) < sold[:, None]
    falling, rising = -np.sort(-values, axis=-1), np.sort(costs, axis=-1)
    regret = np.where(some, falling - clocks.buy_clock, 0).sum(axis=-1)
    regret += np.where(more, clocks.sell_clock - rising, 0).sum(axis=-1)
    buyers, sellers = (values >= low).sum(axis=-1), (costs <= high).sum(axis=-1)

    # How often a clock had moved when an agent accepted, and how often in all.
    before_b = np.where(some, (high - clocks.buy_clock) / step, 0)
    before_s = np.where(more, (clocks.sell_clock - low) / step, 0)
    # The clock that crosses moves once beyond the last price at which the clocks have not crossed.
    meets_b = np.floor((high - _last(clocks.sell_clock, more, low)) / step) + 1
    meets_s = np.floor((_last(clocks.buy_clock, some, high) - low) / step) + 1
    moves_b = np.where(by_buyer, before_b.max(axis=-1, initial=0), meets_b)
    moves_s = np.where(by_buyer, meets_s, before_s.max(axis=-1, initial=0))
    calls = buyers * moves_b + sellers * moves_s
    left = before_b.sum(axis=-1) + (buyers - bought) * moves_b
    left += before_s.sum(axis=-1) + (sellers - sold) * moves_s
    return clocks, Exchange(
        regret=regret,
        rounds=(moves_b + moves_s + bought + sold).astype(int),
        calls=calls,
        calls_left=left,
        announced=calls + buyers * bought + sellers * sold,
    )


def _last(clock: np.ndarray, accepted: np.ndarray, start: float) -> np.ndarray:
    """(B,): the price of the last who accepted, `start` where nobody did."""
    count = accepted.sum(axis=-1)
    at = np.maximum(count - 1, 0)[:, None]
    return np.where(count > 0, np.take_along_axis(clock, at, axis=-1)[:, 0], start)
