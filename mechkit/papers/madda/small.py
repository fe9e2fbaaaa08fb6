"""The auction on settings of a few agents, where the search and the provers reach.

Buyer i and seller i are partners in Γ. Values and costs lie on the ticks of the clocks or, between
them, anywhere: a clock auction's truthful strategy is to accept at the first price at or below the
value, so a report is the value at which an agent would begin to accept.

In `requirements` buyers report what they require beside what it is worth. One seller offers
O = 3 of one resource at a cost of 2; Γ gives it to the buyer with the largest R_m · O among those
with R_m ≤ O, and the clocks run for the two of them. Being served is worth something only where
the seller has what the buyer truly requires.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mechkit.book import Sides, market
from mechkit.constructors import double_auction
from mechkit.mechanism import Mechanism
from mechkit.papers.madda.matching import VIRTUAL, compatible, edge_weight
from mechkit.papers.madda.mechanism import (
    HIGHEST,
    LOWEST,
    Winners,
    as_printed,
    by_rank,
    clear,
    double_dutch,
    setter_left_out,
)
from mechkit.settings import Array, Setting
from mechkit.spaces import box

TICKS = 5
"""Values and costs are 1 … 5."""


def on_ticks(
    winners: Winners, name: str, *, step: int = 1, pairs: int = 3, between: bool = False
) -> Callable[[], Mechanism]:
    """Some pairs of Γ on ticks; between: on the paper's clocks, values anywhere in between.

    With a step of 2 the buyers' clock starts a tick higher, so that the step does not divide the
    range of the clocks.
    """
    high = HIGHEST if between else TICKS
    levels = None if between else list(range(LOWEST, TICKS + 1))

    def rule(values: Array, costs: Array) -> Sides:
        return double_dutch(values, costs, winners=winners, step=step, high=high + step - 1)

    def made() -> Mechanism:
        setting = double_auction(pairs, pairs, low=LOWEST, high=high, levels=levels)
        return market(rule, setting, name)

    return made


# Reported requirements ----------------------------------------------------------------------------

OFFERED, COST = 3, 2
Matching = Callable[[Array], Array]
"""Reported requirements (batch, buyers) -> who is matched with the one seller, bool."""


def one_seller(required: Array) -> Array:
    """Γ with a single seller, by eqs. 10 and 11: buyers are alike in all else."""
    wanted, offered = required[..., None], np.array([OFFERED])
    alike = np.zeros((1, 2))
    fits = compatible(wanted, offered, 0, 1, 1, 0)
    weight = edge_weight(alike, 0, 1, wanted, offered, 1)
    best = np.argmax(np.where(fits, weight, VIRTUAL), axis=-1)
    return fits & (np.arange(required.shape[-1]) == best[..., None])


def with_requirements(matching: Matching = one_seller, *, buyers: int = 2) -> Mechanism:
    """Buyers report (value, requirement), (batch, buyers, 2); the seller's cost is known."""

    def value(types: Array, allocation: Array) -> Array:
        return np.where(types[..., 1] <= OFFERED, types[..., 0], 0) * allocation

    def slack(allocation: Array) -> Array:
        x = allocation * 1
        return np.concatenate([x, 1 - x.sum(axis=-1, keepdims=True)], axis=-1)

    def outcome(reports: Array) -> tuple[Array, Array]:
        matched = matching(reports[..., 1])
        values = np.where(matched, reports[..., 0], LOWEST - 1)
        clocks = clear(values, COST + np.zeros_like(values[..., :1]), high=TICKS)
        buys, _ = by_rank(clocks)
        return buys, np.where(buys, clocks.price, 0)

    ticks: list[Any] = [list(range(LOWEST, TICKS + 1)), list(range(1, OFFERED + 2))]
    setting = Setting(
        name="a value and a requirement",
        types=box(buyers, 2, low=1, high=[TICKS, OFFERED + 1], levels=ticks),
        allocation_shape=(buyers,),
        value=value,
        slack=slack,
        roles=("buyer",) * buyers,
    )
    return Mechanism.from_outcome(setting, outcome, name="MADDA with reported requirements")


MECHANISMS: dict[str, Callable[[], Mechanism]] = {
    "unit-step": on_ticks(as_printed, "MADDA as printed, unit step"),
    "step-2": on_ticks(as_printed, "MADDA as printed, steps of 2", step=2),
    "setter-out": on_ticks(setter_left_out, "MADDA, price setter left out, unit step"),
    "setter-out-step-2": on_ticks(
        setter_left_out, "MADDA, price setter left out, steps of 2", step=2
    ),
    "setter-out-between": on_ticks(
        setter_left_out,
        "MADDA, price setter left out, unit step, values between ticks",
        pairs=2,
        between=True,
    ),
    "requirements": with_requirements,
}
