"""The clocks under any step policy, for a whole batch of auctions at once, one move at a time.

In every round the auctioneer announces the active side's clock to its k participants. If the next
agent of that side accepts, its regret is v − g or k − c (eqs. 13, 14) and the other side's clock
becomes active; otherwise the policy chooses a step > 0 and the clock moves. A policy sees what the
auctioneer sees: S = (Ψ, t, C_B, C_S, |M_B|, |N_S|).

Eq. 17 rewards each round with −regret where somebody accepts and with −ζ k where nobody does; in
the second reading with both. k counts everybody who takes part (they hear the clock), or those who
have not accepted yet: `calls` and `calls_left` say how often somebody was told that nobody had
accepted, `announced` how often anybody was told a price.

Between two moves acceptances take turns, one each, and have a closed form. Let b buyers have values
of at least C_B and s sellers costs of at most C_S. If b ≤ s the chain ends where no buyer is left
who accepts, with b on either side and Ψ = 0; otherwise where no seller is left, with s sellers,
s + 1 buyers and Ψ = 1. Wherever it began: both numbers only grow.

Sellers are buyers of the opposite sign: a cost c is a value of −c, and the sellers' clock shows
−C_S. Then both clocks fall, whoever is worth at least its clock accepts, and regret is the worth
less the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mechkit.book import ranks
from mechkit.errors import InputError, require
from mechkit.papers.madda.mechanism import HALF, HIGHEST, LOWEST, Clocks, clear

MOST_MOVES = 1_000_000


@dataclass(frozen=True, eq=False)
class State:
    """What a policy sees, each (B,). active: Ψ, 0 where the buyers' clock runs. round: t.

    bought, sold: how many of each side have accepted. moves: how often a clock has moved.
    """

    active: np.ndarray
    round: np.ndarray
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


# Auctions under way -------------------------------------------------------------------------------


@dataclass(eq=False)
class Auctions:
    """A batch of auctions, each waiting for a move or ended; changed in place.

    The batch is the last axis, and what belongs to a side has an axis before it: side 0 are buyers,
    side 1 sellers with the opposite sign (see above). agents (2, 2, n, B): `worth`, each side's
    agents, the best first, −∞ for nobody; and `prices`, the clock at which they accepted, −∞ where
    they have not. counts (5, B): `crowd`, how many of each side take part; `accepted`, how many
    have; `moves` of either clock. sums (5, B): `clock` of each side; `regret`, `calls` and
    `calls_left` so far. ended (B,): the last step made the clocks cross; they show the prices
    before it.
    """

    agents: np.ndarray
    counts: np.ndarray
    sums: np.ndarray
    ended: np.ndarray

    worth = property(lambda self: self.agents[0])
    prices = property(lambda self: self.agents[1])
    crowd = property(lambda self: self.counts[:2])
    accepted = property(lambda self: self.counts[2:4])
    moves = property(lambda self: self.counts[4])
    clock = property(lambda self: self.sums[:2])
    regret = property(lambda self: self.sums[2])
    calls = property(lambda self: self.sums[3])
    calls_left = property(lambda self: self.sums[4])

    @property
    def active(self) -> np.ndarray:
        """Ψ = 1: buyers begin, and one more of them has accepted."""
        return np.asarray(self.accepted[0] > self.accepted[1])

    @property
    def rounds(self) -> np.ndarray:
        """t, (B,): rounds so far, one for each move and each acceptance."""
        return np.asarray(self.counts[2:].sum(axis=0))

    @property
    def announced(self) -> np.ndarray:
        return np.asarray(self.calls + (self.crowd * self.accepted).sum(axis=0))

    def seen(self) -> State:
        (buy, sell), (bought, sold) = self.clock.copy(), self.accepted.copy()
        return State(bought - sold, self.rounds, buy, -sell, bought, sold, self.moves.copy())


def begin(
    values: np.ndarray, costs: np.ndarray, *, low: float = LOWEST, high: float = HIGHEST
) -> Auctions:
    """Auctions at the opening prices, which some may accept: values (B, m), costs (B, n).

    Who is below `low` or above `high` is absent.
    """
    batch, most = len(values), max(values.shape[1], costs.shape[1])
    opened = Auctions(
        agents=np.full((2, 2, most, batch), -np.inf),
        counts=np.zeros((5, batch), dtype=int),
        sums=np.zeros((5, batch)),
        ended=np.zeros(batch, dtype=bool),
    )
    for side, of in enumerate((values, -costs)):
        opened.worth[side, : of.shape[1]] = -np.sort(-of, axis=-1).T
    opened.crowd[:] = (values >= low).sum(axis=-1), (costs <= high).sum(axis=-1)
    opened.clock[:] = np.array([[high], [-low]])
    _accept(opened)
    return opened


def advance(auctions: Auctions, steps: np.ndarray) -> None:
    """The active clock of every auction that has not ended moves by its step, (B,), each > 0; then
    the clocks have crossed, or whoever now accepts does."""
    a, active, waits = auctions, auctions.active, ~auctions.ended
    told, done = (np.where(active, of[1], of[0]) for of in (a.crowd, a.accepted))
    a.sums[3:] += (told * waits, (told - done) * waits)
    a.counts[4] += waits
    moved = a.clock - (steps * ~active, steps * active)
    a.ended = a.ended | (moved[0] < -moved[1])
    np.copyto(a.clock, moved, where=~a.ended)
    _accept(a)


def _accept(auctions: Auctions) -> None:
    """Everybody who accepts at these clocks, in turns."""
    a = auctions
    willing = (a.worth >= a.clock[:, None]).sum(axis=1)
    pairs = np.minimum(willing[0], willing[1])
    many = (pairs + (willing[0] > willing[1]), pairs) - a.accepted
    sides, rows = many.nonzero()
    if len(rows):
        first, many = a.accepted[sides, rows], many[sides, rows]
        a.accepted[sides, rows] += many
        sides, rows = sides.repeat(many), rows.repeat(many)
        place = np.arange(len(rows)) - (many.cumsum() - many - first).repeat(many)
        price = a.clock[sides, rows]
        a.prices[sides, place, rows] = price
        regret = a.worth[sides, place, rows] - price
        a.sums[2] += np.bincount(rows, regret, minlength=len(pairs))


def renew(auctions: Auctions, rows: np.ndarray, source: Auctions, picked: np.ndarray) -> None:
    """Puts the auctions `picked` of source (k,) in the place of those in `rows` (k,)."""
    for field in fields(Auctions):
        old, new = getattr(auctions, field.name), getattr(source, field.name)
        old = old.reshape(-1, old.shape[-1])  # a view
        old[:, rows] = new.reshape(-1, new.shape[-1]).take(picked, axis=1)


def played(
    auctions: Auctions, values: np.ndarray, costs: np.ndarray, *, weight: float = HALF
) -> tuple[Clocks, Exchange]:
    """What the auctions did so far; values (B, m), costs (B, n): as they began."""
    a, ((bids, asks), (buy, sell)) = auctions, (auctions.prices, auctions.clock)

    def listed(prices: np.ndarray, like: np.ndarray) -> np.ndarray:
        found = np.full(like.shape, -np.inf)
        most = min(len(prices), like.shape[1])
        found[:, :most] = prices[:most].T
        return found

    clocks = Clocks(
        buy_rank=ranks(-values),
        sell_rank=ranks(costs),
        buy_clock=listed(bids, values),
        sell_clock=-listed(asks, costs),
        k=a.accepted[1][:, None].copy(),
        by_buyer=a.active[:, None],
        price=(weight * buy + (1 - weight) * -sell)[:, None],
    )
    sums = (a.regret.copy(), a.rounds, a.calls.copy(), a.calls_left.copy(), a.announced)
    return clocks, Exchange(*sums)


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
    auctions = begin(values, costs, low=low, high=high)
    for _ in range(MOST_MOVES):
        if auctions.ended.all():
            return played(auctions, values, costs, weight=weight)
        advance(auctions, _steps(policy(auctions.seen()), len(values)))
    raise InputError(f"clocks that have not crossed after {MOST_MOVES:,} moves: larger steps")


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
