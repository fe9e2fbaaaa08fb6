"""The double Dutch auction after the matching: its clocks in closed form, and who trades.

Two clocks: the buyers' falls from p_max, the sellers' rises from p_min. They take turns, buyers
first. On its turn a side's clock moves step by step until the next agent of the side accepts (the
best one left, at the first price at or below its value, at or above its cost); then it is the other
side's turn. The auction ends with the step that makes the clocks cross, C_B < C_S, and everybody
who trades does so at p* = α C_B + (1 − α) C_S of the clocks before that step.

With a constant step s there is a closed form. B_i = p_max − s ⌈(p_max − v_i) / s⌉ is where the i-th
highest buyer accepts and S_i = p_min + s ⌈(c_i − p_min) / s⌉ where the i-th lowest seller does; K
is the number of i with B_i ≥ S_i. All of the first K on either side accept. If B_{K+1} ≥ S_K, then
buyer K + 1 accepts too, and the sellers' clock crosses C_B = B_{K+1} (Ψ = 1); otherwise the buyers'
clock crosses C_S = S_K (Ψ = 0; S_0 = p_min). Where s divides p_max − p_min both clocks show the
same prices, meet before they cross, and α does not matter: p* = max(B_{K+1}, S_K).

Who trades, with buyer i and seller i partners in Γ:

    as printed        the pairs of Γ of which both sides accepted; all but the last of them (in the
                      order of the buyers' acceptance) where Ψ = 1
    setter left out   the same pairs, and only the buyer who set the price (K + 1) is left out, as
                      the proof of Lemma 2 has it
    by rank           the first K of each side, whoever is whose partner: the double Dutch auction
                      that the paper builds on

Sources: McCabe, Rassenti & Smith, "Designing call auction institutions: is double Dutch the best?"
(1992); Xu et al., "Wireless edge-empowered metaverse" (2022).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mechkit.book import Sides, ranks
from mechkit.settings import Array

LOWEST, HIGHEST = 1, 100
"""Where the sellers' and the buyers' clocks start, in ticks of 1: p_min and p_max of section VI."""
HALF = 0.5
"""α of section VI."""


@dataclass(frozen=True, eq=False)
class Clocks:
    """What the clocks did.

    buy_rank (..., m), sell_rank (..., n): each agent's place in its side's order, from 0; equal
    reports in the order of their indices. buy_clock, sell_clock: the price that the i-th of each
    side would accept, in that order. k (..., 1): K, how many sellers accepted. by_buyer (..., 1):
    Ψ = 1, a buyer more accepted and the price is his. price (..., 1): p*.
    """

    buy_rank: Array
    sell_rank: Array
    buy_clock: Array
    sell_clock: Array
    k: Array
    by_buyer: Array
    price: Array


def clear(
    values: Array,
    costs: Array,
    *,
    step: Any = 1,
    weight: Any = HALF,
    low: Any = LOWEST,
    high: Any = HIGHEST,
) -> Clocks:
    """The closed form for a constant step. values (..., m), costs (..., n) in [low, high]; a buyer
    below `low` and a seller above `high` are not there."""
    falling, rising = -np.sort(-values, axis=-1), np.sort(costs, axis=-1)
    buy_clock = high - np.ceil((high - falling) / step) * step
    sell_clock = low + np.ceil((rising - low) / step) * step
    pairs = min(values.shape[-1], costs.shape[-1])
    k = (buy_clock[..., :pairs] >= sell_clock[..., :pairs]).sum(axis=-1, keepdims=True)
    opening = low + np.zeros_like(values[..., :1])
    next_buyer = np.take_along_axis(np.concatenate([buy_clock, opening - 1], axis=-1), k, axis=-1)
    last_seller = np.take_along_axis(np.concatenate([opening, sell_clock], axis=-1), k, axis=-1)
    by_buyer = next_buyer >= last_seller
    if (high - low) % step == 0:
        price = np.maximum(next_buyer, last_seller)
    else:
        last_ask = low + np.floor((next_buyer - low) / step) * step
        last_bid = high - np.floor((high - last_seller) / step) * step
        price = np.where(
            by_buyer,
            weight * next_buyer + (1 - weight) * last_ask,
            weight * last_bid + (1 - weight) * last_seller,
        )
    return Clocks(ranks(-values), ranks(costs), buy_clock, sell_clock, k, by_buyer, price)


def by_rank(clocks: Clocks) -> tuple[Array, Array]:
    """Who buys and who sells: the first K of each side."""
    return clocks.buy_rank < clocks.k, clocks.sell_rank < clocks.k


def setter_left_out(clocks: Clocks) -> tuple[Array, Array]:
    """The pairs of Γ among the first K of each side."""
    wins = (clocks.buy_rank < clocks.k) & (clocks.sell_rank < clocks.k)
    return wins, wins


def as_printed(clocks: Clocks) -> tuple[Array, Array]:
    """The pairs of Γ of which both sides accepted, less the last one where Ψ = 1."""
    bought = clocks.buy_rank < clocks.k + clocks.by_buyer
    both = bought & (clocks.sell_rank < clocks.k)
    last = np.max(np.where(both, clocks.buy_rank, -1), axis=-1, keepdims=True)
    wins = both & ~(clocks.by_buyer & (clocks.buy_rank == last))
    return wins, wins


Winners = Callable[[Clocks], tuple[Array, Array]]


def double_dutch(values: Array, costs: Array, *, winners: Winners = by_rank, **clock: Any) -> Sides:
    """The auction as a rule of an order book; clock: as `clear` takes it."""
    clocks = clear(values, costs, **clock)
    return *winners(clocks), clocks.price, clocks.price
