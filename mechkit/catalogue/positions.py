"""Advertising positions: who is shown where, and what a click costs.

Bidders are ranked by report; the j-th gets the j-th position with click rate α_j. Vickrey's payment
is the ladder Σ_{s ≥ j} (α_s − α_{s+1}) b_{s+1} with α_{m+1} = 0: each position further up costs the
next bid for the additional clicks only. The generalised second price charges b_{j+1} for all clicks
(Edelman, Ostrovsky & Schwarz 2007; Varian 2007). Payments are per round, not per click.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mechkit.catalogue.entry import Entry
from mechkit.catalogue.parts import SHARES, VICKREY, falling, ranks, ruled, without
from mechkit.constructors import positions
from mechkit.settings import Array, Setting

RATES = np.array([200, 199])
RESERVE = 3


def clicks() -> Setting:
    """Three bidders, two positions; values per click in [0, 10]."""
    return positions(3, RATES.tolist(), high=10)


def ranked(reports: Array) -> Array:
    """The j-th highest bidder in the j-th position, bool (batch, agents, positions)."""
    return ranks(reports)[..., None] == np.arange(len(RATES))


def above_reserve(reports: Array) -> Array:
    return ranked(reports) & (reports >= RESERVE)[..., None]


def next_bids(reports: Array) -> Array:
    """b_{j+1} for every position j, (batch, positions)."""
    return falling(reports)[..., 1 : len(RATES) + 1]


def by_position(prices: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    """Whoever holds position j pays prices(reports)[..., j]."""
    return lambda reports, allocation: (allocation * prices(reports)[..., None, :]).sum(axis=-1)


def ladder(bids: Array, steps: Array) -> Array:
    """Σ_{s ≥ j} steps_s · bids_s for every position j."""
    rungs = bids * steps
    return np.flip(np.cumsum(np.flip(rungs, axis=-1), axis=-1), axis=-1)


STEPS = RATES - np.append(RATES[1:], 0)
# The fault: the last position is compared with itself, not with no position at all.
FORGOT = RATES - np.append(RATES[1:], RATES[-1])

CLASSIC = f"{VICKREY} ic ex_post_nash false_name_proof"

ENTRIES: tuple[Entry, ...] = (
    ruled(
        "position-vcg", clicks, ranked, by_position(lambda r: ladder(next_bids(r), STEPS)),
        VICKREY, "Edelman, Ostrovsky & Schwarz 2007: Vickrey-Clarke-Groves", of=SHARES,
        envy_free="its prices are the lowest of all that leave no envy",
        group_ic="Demange & Gale 1985: lowest competitive prices",
        revenue_monotone="the revenue is a sum of order statistics with weights ≥ 0",
    ),
    ruled(
        "position-vcg-reserve", clicks, above_reserve,
        by_position(lambda r: ladder(np.maximum(next_bids(r), RESERVE), STEPS)),
        f"{VICKREY} efficient adverse_selection_free",
        "Edelman & Schwarz 2010: a reserve per click",
        of=SHARES, adverse_selection_free="(2, 0, 0) shows nobody, (4, 0, 0) does",
    ),
    ruled(
        "gsp", clicks, ranked, by_position(lambda r: next_bids(r) * RATES),
        f"{CLASSIC} envy_free group_ic", "Edelman, Ostrovsky & Schwarz 2007",
        of=SHARES, faulty=True,
        ic="(10, 4, 2): agent 0 gets 1200, and 1592 when it reports 3",
        envy_free="(10, 4, 2): the second position at 2 a click is worth 1592 to agent 0",
        group_ic="(10, 4, 2): agents 0 and 1 report 2.005 and 4: 1592 and 399, not 1200 and 398",
        revenue_monotone="the revenue is α_1 b_2 + α_2 b_3",
    ),
    ruled(
        "generalised-first-price", clicks, ranked,
        lambda r, x: r * (x * RATES).sum(axis=-1),
        without(f"{CLASSIC} envy_free group_ic", "non_bossy"),
        "Edelman & Ostrovsky 2007: the own bid for every click", of=SHARES, faulty=True,
        ic="(10, 0, 0): agent 0 reports 1", group_ic="(10, 5, 0): agents 0 and 1 report 5 and 1",
        envy_free="(10, 5, 0): agent 0 would rather pay 5 a click",
        non_bossy="a report moves others only together with the own price or position",
    ),
    ruled(
        "position-vcg-last-step-free", clicks, ranked,
        by_position(lambda r: ladder(next_bids(r), FORGOT)),
        f"{CLASSIC} envy_free",
        "planted in position-vcg: α_{m+1} = α_m, so that nobody pays for the bidder left out",
        of=SHARES, faulty=True, ic="(10, 5, 4): agent 2 reports 6 and gets 199 clicks for nothing",
        envy_free="(10, 5, 4): agent 2 would take the second position, which is free",
        group_ic="who gains a position drives another out; two winners hold the best they can",
    ),
)  # fmt: skip
