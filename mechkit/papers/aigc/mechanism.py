"""The rules of a local market at a roadside unit, and the small mechanisms that claims are about.

Bids in falling order v_1 ≥ v_2 ≥ …, asks in rising order m_1 ≤ m_2 ≤ …, K the largest k with
v_k ≥ m_k. As printed (section III.A, after McAfee 1992): p = (v_{K+1} + m_{K+1}) / 2; if exactly K
buyers bid p or more and exactly K sellers ask p or less, the first K pairs trade at p; otherwise
the first K − 1 trade, buyers paying v_K and sellers receiving m_K. What happens where no K+1st pair
exists is not printed; read here as the reduction.

The second price auction has one seller. Run for each machine, its reported cost is the reserve.
With several machines a vehicle bids at the one whose service it asks for, or at one machine after
the other until it wins.

Every rule takes values (..., buyers) and costs (..., sellers) ≥ 0, and who of the buyers is
`present`, and returns `book.Sides`. Ties go to the lowest index.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mechkit.book import Sides, market, order
from mechkit.constructors import double_auction
from mechkit.mechanism import Mechanism
from mechkit.settings import Array, Setting
from mechkit.spaces import box

ABSENT = -1
"""The bid of a buyer who is not there: below every cost."""


def mcafee_as_printed(
    values: Array, costs: Array, *, present: Array | None = None, reduces_alone: bool = True
) -> Sides:
    """The price between the K+1st pair serves if exactly K on each side accept it.

    reduces_alone: where there is no K+1st pair, the first K − 1 trade; False: nobody does.
    """
    pairs: Any = min(values.shape[-1], costs.shape[-1])
    if present is not None:
        pairs = np.minimum((present * 1).sum(axis=-1, keepdims=True), costs.shape[-1])
        values = np.where(present, values, ABSENT)
    book = order(values, costs)
    k = book.k
    price = (book.bid(k + 1) + book.ask(k + 1)) / 2
    accepted = [side.sum(axis=-1, keepdims=True) == k for side in (values >= price, costs <= price)]
    fits = accepted[0] & accepted[1] & (k < pairs)
    less = k - 1 if reduces_alone else np.where(k < pairs, k - 1, 0)
    return (
        *book.first(np.where(fits, k, less)),
        np.where(fits, price, book.bid(k)),
        np.where(fits, price, book.ask(k)),
    )


def cost_as_reserve(
    values: Array, costs: Array, *, present: Array | None = None, passes_on: bool = True
) -> Sides:
    """One machine: the highest bid wins if it meets the machine's reported cost, and pays the
    greater of the second bid and the cost.

    passes_on: the seller receives what the buyer pays; False: its reported cost, the auctioneer
    keeping the rest.
    """
    if present is not None:
        values = np.where(present, values, ABSENT)
    book = order(values, costs)
    price = np.maximum(book.bid(np.full_like(book.k, 2)), costs)
    return *book.first(book.k), price, price if passes_on else costs


def each_machine(
    values: Array, costs: Array, *, present: Array | None = None, asked: Array | None = None
) -> tuple[Array, Array, Array]:
    """`cost_as_reserve` at one machine after the other; whoever wins leaves.

    asked (..., buyers): the machine at which a buyer bids; by default it bids at every one in turn.
    Returns who wins (..., buyers, machines), what each buyer pays there, and what each machine is
    paid (..., machines).
    """
    waits = np.ones(np.shape(values), dtype=bool) if present is None else present
    wins, pays, gets = [], [], []
    for machine in range(costs.shape[-1]):
        here = waits if asked is None else waits & (asked == machine)
        buys, sells, paid, got = cost_as_reserve(
            values, costs[..., machine : machine + 1], present=here
        )
        waits = waits & np.logical_not(buys)
        wins.append(buys)
        pays.append(np.where(buys, paid, 0))
        gets.append(np.where(sells, got, 0)[..., 0])
    return np.stack(wins, axis=-1), np.stack(pays, axis=-1), np.stack(gets, axis=-1)


def in_turn(values: Array, costs: Array) -> Sides:
    """`each_machine`, every buyer bidding at one machine after the other."""
    wins, pays, gets = each_machine(values, costs)
    return (
        wins.any(axis=-1),
        wins.any(axis=-2),
        pays.sum(axis=-1),
        gets,
    )


# Two slots ----------------------------------------------------------------------------------------


def two_slots(bids: tuple[Array, Array], asks: tuple[Array, Array]) -> tuple[Array, Array]:
    """McAfee as printed in two slots: who has bought leaves, and sellers serve again.

    bids, asks: of either slot. Returns who trades (..., agents, 2) and payments (..., agents).
    """
    bought = np.zeros(np.shape(bids[0]), dtype=bool)
    trades, payments = [], []
    for values, costs in zip(bids, asks, strict=True):
        buys, sells, pays, gets = mcafee_as_printed(values, costs, present=np.logical_not(bought))
        bought = bought | buys
        trades.append(np.concatenate([buys, sells], axis=-1))
        payments.append(
            np.concatenate([np.where(buys, pays, 0), np.where(sells, -gets, 0)], axis=-1)
        )
    return np.stack(trades, axis=-1), payments[0] + payments[1]


def two_slot_setting(buyers: int, sellers: int, *, bids: int) -> Setting:
    """Buyers of one unit in all, sellers of one unit in each slot; types in [0, 1].

    Allocation (batch, agents, 2): 1 where the agent trades in that slot; a buyer's first purchase
    is worth its value and a second one nothing. bids: 1, one report for both slots, or 2, one for
    each, the truth being the type twice.
    """
    agents = buyers + sellers
    sign = np.array([1] * buyers + [-1] * sellers)

    def value(types: Array, allocation: Array) -> Array:
        units = (allocation * 1).sum(axis=-1)
        first = np.minimum(units[..., :buyers], 1)
        return types * sign * np.concatenate([first, units[..., buyers:]], axis=-1)

    def slack(allocation: Array) -> Array:
        x = allocation * 1
        gap = (x * sign[:, None]).sum(axis=-2)
        flat = np.reshape(x, (x.shape[0], -1))
        once = 1 - x[:, :buyers].sum(axis=-1)
        return np.concatenate([flat, 1 - flat, once, -np.abs(gap)], axis=-1)

    return Setting(
        name=f"two slots, {buyers} × {sellers}",
        types=box(agents, low=0, high=1),
        allocation_shape=(agents, 2),
        value=value,
        slack=slack,
        roles=("buyer",) * buyers + ("seller",) * sellers,
        reports=None if bids == 1 else box(agents, 2, low=0, high=1),
        truthful=None if bids == 1 else lambda types: np.stack([types, types], axis=-1),
    )


def two_slot_market(buyers: int, sellers: int, *, bids: int) -> Mechanism:
    """`two_slots` on its setting."""

    def outcome(reports: Array) -> tuple[Array, Array]:
        slots = (reports, reports) if bids == 1 else (reports[..., 0], reports[..., 1])
        return two_slots(
            (slots[0][..., :buyers], slots[1][..., :buyers]),
            (slots[0][..., buyers:], slots[1][..., buyers:]),
        )

    name = "McAfee in two slots, one bid" if bids == 1 else "McAfee in two slots, a bid in each"
    return Mechanism.from_outcome(two_slot_setting(buyers, sellers, bids=bids), outcome, name=name)


# Small markets, for search and proof --------------------------------------------------------------


def _nobody_alone(values: Array, costs: Array) -> Sides:
    return mcafee_as_printed(values, costs, reduces_alone=False)


def _kept(values: Array, costs: Array) -> Sides:
    return cost_as_reserve(values, costs, passes_on=False)


MECHANISMS: dict[str, Callable[[], Mechanism]] = {
    "mcafee": lambda: market(mcafee_as_printed, double_auction(3, 3), "McAfee as printed"),
    "mcafee-next-pair": lambda: market(
        _nobody_alone, double_auction(3, 3), "McAfee as printed, nobody trading without a next pair"
    ),
    "second-price": lambda: market(
        cost_as_reserve, double_auction(3, 1), "second price, cost as reserve"
    ),
    "second-price-kept": lambda: market(
        _kept, double_auction(3, 1), "second price, cost as reserve, the difference kept"
    ),
    "second-price-in-turn": lambda: market(
        in_turn, double_auction(2, 2), "second price at two machines in turn"
    ),
    "two-slots-one-bid": lambda: two_slot_market(3, 2, bids=1),
    "two-slots-two-bids": lambda: two_slot_market(3, 2, bids=2),
}
