"""The multi-winner sealed-bid auction and the vote before it, and small markets for the claims.

Sellers are organisations (MU-DAOs) of users who have trained a model together; buyers are service
providers (MSPs). Access to a model is not rival: one seller serves every buyer who wins. Section
5.2, in a matched group, bids b_1 ≥ b_2 ≥ …, asks s_1 ≤ s_2 ≤ …: k is the largest i with b_i ≥ s_i;
the first k buyers win, and so does the seller who asks s_1, if k ≥ 1. It receives "the next
smallest sell-bid" s_2. The winners pay "the next largest buy-bid", which can be read in two ways:

    own next        the i-th winner pays b_{i+1}, the bid just below its own
    first losing    every winner pays b_{k+1}, the highest bid that does not win

What happens where the next bid is missing is not printed: b_{m+1} = 0, and a seller without a rival
receives its own ask. Bids and asks are ≥ 0; ties go to the lowest index.

A seller's ask is the sum of what its users propose, a proposal that fewer than half of all users
support counting as 0 (eq. 34), and its users share what it receives in proportion to what counts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from mechkit.book import Sides, market, order
from mechkit.mechanism import Mechanism
from mechkit.settings import Array, Public, Setting
from mechkit.spaces import box

ABSENT = -1
"""The bid of a buyer who is not in a group: below every ask."""


def multi_winner(
    values: Array,
    costs: Array,
    *,
    own_next: bool,
    buyers: Array | None = None,
    sellers: Array | None = None,
) -> Sides:
    """One group. values (..., m), costs (..., n). buyers, sellers: who is there, all by default."""
    rivals: Array = costs.shape[-1]
    if buyers is not None:
        values = np.where(buyers, values, ABSENT)
    if sellers is not None:
        rivals = (sellers * 1).sum(axis=-1, keepdims=True)
        highest = np.maximum(np.max(values, axis=-1), np.max(costs, axis=-1))
        beyond = highest[..., None] + 1
        costs = np.where(sellers, costs, beyond)
    book = order(values, costs)
    buys, _ = book.first(book.k)
    sells = (book.sell_rank == 0) & (book.k >= 1)
    price = book.bid(book.buy_rank + 2) if own_next else book.bid(book.k + 1)
    one = np.ones_like(book.k)
    asked = np.where(rivals >= 2, book.ask(2 * one), book.ask(one))
    return buys, sells, np.maximum(price, 0), asked


def grouped(
    values: Array, costs: Array, wants: Array, offers: Array, *, groups: int, own_next: bool
) -> Sides:
    """χ: the buyers who want a kind of model are matched with the sellers who offer it, and every
    group clears by itself. wants (B, m), offers (B, n): kinds 0 … groups − 1."""
    kinds = np.arange(groups)[:, None]
    buys, sells, pays, gets = multi_winner(
        np.broadcast_to(values[:, None], (len(values), groups, values.shape[-1])),
        np.broadcast_to(costs[:, None], (len(costs), groups, costs.shape[-1])),
        own_next=own_next,
        buyers=wants[:, None] == kinds,
        sellers=offers[:, None] == kinds,
    )
    return (
        buys.any(axis=1),
        sells.any(axis=1),
        np.where(buys, pays, 0).sum(axis=1),
        np.where(sells, gets, 0).sum(axis=1),
    )


# The vote -----------------------------------------------------------------------------------------


def counted(proposals: Array, support: Array) -> Array:
    """Eq. 34: what counts of each user's proposal, (..., N): all of it where at least N/2 others
    support it, 0 otherwise. support (..., N): how many others do."""
    return np.where(2 * support >= proposals.shape[-1], proposals, 0)


def shares(received: Array, counts: Array) -> Array:
    """What each user gets of what its organisation receives (..., 1), in proportion to what counts;
    nobody anything where nothing does."""
    total = counts.sum(axis=-1, keepdims=True)
    return np.where(total > 0, received * counts / np.where(total > 0, total, 1), 0)


# Small markets, for search and proof --------------------------------------------------------------


def access(buyers: int, sellers: int) -> Setting:
    """Sellers who could each serve all buyers at a fixed cost, one of whom does; types in [0, 1].

    Types (batch, buyers + sellers): a buyer's value of access, a seller's cost of having made what
    is sold. Allocation, same shape: 1 where a buyer is served, where a seller sells. At most one
    sells, and nobody is served if nobody does. First best: everybody by the cheapest, or nobody.
    """
    sign = np.array([1] * buyers + [-1] * sellers)

    def slack(allocation: Array) -> Array:
        x = allocation * 1
        sold = x[..., buyers:].sum(axis=-1, keepdims=True)
        return np.concatenate([x, 1 - x, 1 - sold, sold - x[..., :buyers]], axis=-1)

    def first_best(types: Array) -> Array:
        worth = types[..., :buyers].sum(axis=-1) - np.min(types[..., buyers:], axis=-1)
        return np.maximum(worth, 0)

    return Setting(
        name=f"access, {buyers} × {sellers}",
        types=box(buyers + sellers),
        allocation_shape=(buyers + sellers,),
        value=lambda types, allocation: types * allocation * sign,
        slack=slack,
        roles=("buyer",) * buyers + ("seller",) * sellers,
        quantity=lambda allocation: allocation * 1,
        binary=True,
        first_best=first_best,
    )


def auction(*, own_next: bool, buyers: int = 3, sellers: int = 2) -> Mechanism:
    """`multi_winner` in one matched group."""
    reading = "the bid below one's own" if own_next else "the first losing bid"
    return market(
        partial(multi_winner, own_next=own_next),
        access(buyers, sellers),
        f"multi-winner auction, winners pay {reading}",
    )


def organisation(users: int = 3, *, buyers: int = 2) -> Setting:
    """The users of one organisation: a type is a user's cost of the training, in [0, 1], borne if
    the model is sold. Public: who supports whose proposal (users, users), row i' of user i', column
    i the proposal; the buyers' bids and the rival's ask, between 0 and the number of users."""

    def slack(allocation: Array) -> Array:
        x = allocation * 1
        return np.concatenate([x, 1 - x, x - x[..., :1], x[..., :1] - x], axis=-1)

    return Setting(
        name=f"an organisation of {users} users",
        types=box(users),
        allocation_shape=(users,),
        value=lambda types, allocation, *, public: -types * allocation,
        slack=slack,
        roles=("seller",) * users,
        public={
            "support": box(users, users, levels=(0, 1)),
            "bids": box(buyers, high=users),
            "rival": box(1, high=users),
        },
        quantity=lambda allocation: allocation * 1,
        binary=True,
    )


def vote() -> Mechanism:
    """Users propose, vote (eq. 34), sell in the auction beside one rival, and share what they get.

    What buyers pay plays no role for them.
    """
    setting = organisation()
    others = 1 - np.eye(setting.agents, dtype=int)

    def outcome(reports: Array, *, public: Public) -> tuple[Array, Array]:
        support = (public["support"] * others).sum(axis=-2)
        counts = counted(reports, support)
        asks = np.concatenate([counts.sum(axis=-1, keepdims=True), public["rival"]], axis=-1)
        _, sells, _, gets = multi_winner(public["bids"], asks, own_next=False)
        sold = sells[..., :1]
        return (
            np.where(sold, np.ones_like(others[0]), 0),
            np.where(sold, -shares(gets, counts), 0),
        )

    return Mechanism.from_outcome(setting, outcome, name="bid voting and sharing")


MECHANISMS: dict[str, Callable[[], Mechanism]] = {
    "own-next": partial(auction, own_next=True),
    "first-losing": partial(auction, own_next=False),
    "vote": vote,
}
