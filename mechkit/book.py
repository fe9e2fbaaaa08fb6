"""The order book of a two-sided market: bids falling, asks rising, and where the two cross.

Let b_1 ≥ b_2 ≥ … be the bids and s_1 ≤ s_2 ≤ … the asks, and k the largest i with b_i ≥ s_i: the
efficient number of trades. b_0 = 1 and s_0 = 0 stand before the first, b_{m+1} = 0 and s_{n+1} = 1
after the last (values and costs in [0, 1]). Ties go to the lowest index.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mechkit.mechanism import Mechanism
from mechkit.settings import Array, Setting

Sides = tuple[Array, Array, Array, Array]
"""Who buys (batch, m) and sells (batch, n), what a buyer pays and what a seller receives."""


def market(rule: Callable[..., Sides], setting: Setting, name: str) -> Mechanism:
    """A mechanism from rule(values, costs) -> Sides, for any number of buyers and sellers."""
    m = setting.role_counts()["buyer"]

    def outcome(reports: Array, **shown: Array) -> tuple[Array, Array]:
        buys, sells, pays, gets = rule(reports[..., :m], reports[..., m:], **shown)
        return (
            np.concatenate([buys, sells], axis=-1),
            np.concatenate([np.where(buys, pays, 0), np.where(sells, -gets, 0)], axis=-1),
        )

    return Mechanism.from_outcome(
        setting, outcome, name=name, rebuild=lambda other: market(rule, other, name)
    )


@dataclass(frozen=True)
class Book:
    """The two sides in order; k is (batch, 1)."""

    bids: Array
    asks: Array
    buy_rank: Array
    sell_rank: Array
    k: Array

    def bid(self, i: Array) -> Array:
        """b_i, (batch, 1)."""
        return np.take_along_axis(self.bids, i, axis=-1)

    def ask(self, i: Array) -> Array:
        """s_i, (batch, 1)."""
        return np.take_along_axis(self.asks, i, axis=-1)

    def first(self, trades: Array) -> tuple[Array, Array]:
        """Who is among the first `trades` buyers and sellers."""
        return self.buy_rank < trades, self.sell_rank < trades

    def window(self) -> tuple[Array, Array]:
        """The lowest and the highest price at which demand meets supply."""
        k = self.k
        return (
            np.maximum(self.ask(k), self.bid(k + 1)),
            np.minimum(self.bid(k), self.ask(k + 1)),
        )


def ranks(keys: Array) -> Array:
    """Position in increasing order, from 0; the lower index first among equals."""
    order = np.argsort(keys, axis=-1, kind="stable")
    return np.argsort(order, axis=-1, kind="stable")


def order(values: Array, costs: Array) -> Book:
    falling, rising = -np.sort(-values, axis=-1), np.sort(costs, axis=-1)
    low, high = np.zeros_like(values[..., :1]), np.ones_like(values[..., :1])
    pairs = min(values.shape[-1], costs.shape[-1])
    met = falling[..., :pairs] >= rising[..., :pairs]
    return Book(
        bids=np.concatenate([high, falling, low], axis=-1),
        asks=np.concatenate([low, rising, high], axis=-1),
        buy_rank=ranks(-values),
        sell_rank=ranks(costs),
        k=met.sum(axis=-1, keepdims=True),
    )
