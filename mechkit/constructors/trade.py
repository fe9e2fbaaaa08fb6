"""Double auctions: buyers and sellers of single units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mechkit.constructors.common import (
    balanced,
    resizable_prior,
)
from mechkit.constructors.optima import of_trade
from mechkit.errors import whole
from mechkit.priors import Prior
from mechkit.settings import Array, Setting
from mechkit.spaces import box


def double_auction(
    buyers: int,
    sellers: int,
    *,
    low: Any = 0,
    high: Any = 1,
    levels: Any = None,
    prior: Prior = None,
) -> Setting:
    """Buyers and sellers of single units, buyers first.

    Types (batch, buyers + sellers): a buyer's value, a seller's cost. Allocation, same shape: 1
    where the agent trades. A seller's payment is negative: it is paid. Every unit bought is sold.

    First best: Σ_k max(0, b_k − s_k), bids in falling and costs in rising order. Fractions add
    nothing: values are linear, and the best of a flow from sellers to buyers is a whole one.
    """
    buyers, sellers = whole(buyers, 1, "buyers"), whole(sellers, 1, "sellers")
    agents = buyers + sellers
    sign = np.array([1] * buyers + [-1] * sellers)

    def slack(allocation: Array) -> Array:
        x = allocation * 1
        gap = (x * sign).sum(axis=-1, keepdims=True)
        return np.concatenate([x, 1 - x, -np.abs(gap)], axis=-1)

    pairs = min(buyers, sellers)

    def first_best(types: Array) -> Array:
        bids = np.flip(np.sort(types[..., :buyers], axis=-1), axis=-1)
        costs = np.sort(types[..., buyers:], axis=-1)
        return np.maximum(bids[..., :pairs] - costs[..., :pairs], 0).sum(axis=-1)

    def resize(counts: Mapping[str, int]) -> Setting:
        return double_auction(
            counts["buyer"], counts["seller"], low=low, high=high, levels=levels, prior=prior
        )

    return Setting(
        name=f"double auction, {buyers} × {sellers}",
        types=box(agents, low=low, high=high, levels=levels),
        allocation_shape=(agents,),
        value=lambda types, allocation: types * allocation * sign,
        slack=slack,
        roles=("buyer",) * buyers + ("seller",) * sellers,
        prior=prior,
        quantity=lambda allocation: allocation * 1,
        binary=True,
        joint_value=lambda types, parts: types * np.minimum((parts * 1).sum(axis=-1), 1),
        resize=None if np.ndim(low) or np.ndim(high) or not resizable_prior(prior) else resize,
        outcomes=lambda: balanced(buyers, sellers),
        first_best=first_best,
        solve=of_trade(buyers),
    )
