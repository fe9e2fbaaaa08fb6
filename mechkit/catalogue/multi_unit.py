"""Several identical units: one each, or as many as one wants, and what to do with the proceeds.

With unit demand the k + 1-st report is what every winner displaces: the Vickrey price. With
non-increasing marginal values agent i displaces the k_i highest rejected bids of the others: prices
that the own bids do not touch (Vickrey 1961). A uniform price is touched by them.
Proceeds can be given back if nobody's rebate depends on its own report (Cavallo 2006).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np

from mechkit.catalogue.entry import Entry
from mechkit.catalogue.parts import (
    MARGINALS,
    UNIT_DEMAND,
    UNTRUTHFUL,
    VICKREY,
    entry,
    falling,
    highest,
    order,
    ranks,
    ruled,
    second,
    winner_pays,
    without,
)
from mechkit.constructors import multi_unit, single_item
from mechkit.mechanism import Mechanism
from mechkit.settings import Array, Lottery, Public, Setting

UNITS = 2


def two_units() -> Setting:
    return multi_unit(3, UNITS)


def one_unit() -> Setting:
    return single_item(3)


def top(units: int) -> Callable[[Array], Array]:
    """The `units` highest bidders win one unit each."""
    return lambda reports: ranks(reports) < units


# Giving the proceeds back -------------------------------------------------------------------------


def cavallo(units: int) -> Callable[[Array, Array], Array]:
    """Vickrey payments less units/n times the price that would be if the agent were absent.

    Without agent i the k + 1-st report is s_{k+2} if i is among the first k + 1, else s_{k+1}.
    """

    def pay(reports: Array, allocation: Array) -> Array:
        price, below = order(reports, units + 1), order(reports, units + 2)
        absent = np.where(reports >= price, below, price)
        return allocation * price - absent * units / reports.shape[-1]

    return pay


def shared_out(rebate: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    """Second price, and rebate(reports)/n to everybody."""
    return lambda reports, allocation: (
        allocation * second(reports) - rebate(reports) / reports.shape[-1]
    )


# Goods without limit ------------------------------------------------------------------------------


def mean_of_others(others: Array, agent: int) -> Array:
    return np.mean(others, axis=-1)


def best_prices(reports: Array, side: Array) -> Array:
    """For each agent the report on its own side that earns most as a price there, (batch, agents).

    side: (batch, agents), 0 or 1. A report r_j on the same side earns r_j for every r_k ≥ r_j.
    """
    together = side[..., :, None] == side[..., None, :]
    buys = together & (reports[..., None, :] >= reports[..., :, None])
    earned = np.where(buys, reports[..., :, None], 0).sum(axis=-1)
    best = np.argmax(np.where(together, earned[..., None, :], -1), axis=-1)
    return np.take_along_axis(reports, best, axis=-1)


def other_side(reports: Array, side: Array) -> Array:
    """The best price of the other side, whose agents all have the same one."""
    prices = best_prices(reports, side)
    left, right = (np.max(np.where(side == s, prices, 0), axis=-1, keepdims=True) for s in (0, 1))
    return np.where(side == 0, right, left)


def sampled(price: Callable[[Array, Array], Array], name: str) -> Mechanism:
    """Random sampling: a public coin splits the agents, price(reports, side) is offered to each."""
    sides = [np.isin(range(3), alone) * 1 for alone in combinations(range(3), 1)]
    setting = replace(multi_unit(3, 3), resize=None).with_public(
        side=Lottery(draws=np.array(sides), every=True)
    )

    def outcome(reports: Array, public: Public) -> tuple[Array, Array]:
        offer = price(reports, public["side"])
        wins = reports >= offer
        return wins, wins * offer

    return Mechanism.from_outcome(setting, outcome, name=name)


UNIT = (
    ruled(
        "uniform-price", two_units, top(UNITS), winner_pays(lambda r: order(r, UNITS + 1)),
        VICKREY, "Vickrey 1961: k units, the k + 1-st price",
        group_ic="winners do not set the price; a loser who buys pays the bid displaced",
        collusion_proof="(1, 1, 1/2): agents 0 and 2: agent 2 reports 0",
    ),
    ruled(
        "pay-as-bid", two_units, top(UNITS), winner_pays(lambda r: r),
        without(f"{VICKREY} {UNTRUTHFUL} envy_free group_ic", "non_bossy"),
        "Friedman 1960; Ausubel et al. 2014: discriminatory", faulty=True,
        ic="(1, 0, 0): agent 0 reports 1/2", group_ic="(1, 1, 0): agents 0 and 1 report 1/2",
        envy_free="(1, 1/2, 0): agent 1 pays half as much as agent 0 for the same",
    ),
    ruled(
        "lowest-winning-bid", two_units, top(UNITS), winner_pays(lambda r: order(r, UNITS)),
        without(f"{VICKREY} {UNTRUTHFUL} group_ic", "non_bossy"),
        "planted in uniform-price: the k-th price for the k + 1-st", faulty=True,
        ic="(1, 1/2, 0): agent 1, and only the lowest winner, reports 0 and pays 0, not 1/2",
        non_bossy="a loser who still loses moves nothing; the lowest winner moves its own price",
    ),
    ruled(
        "bailey-cavallo", one_unit, highest, cavallo(1),
        f"{VICKREY} no_positive_transfers critical_payment envy_free group_ic false_name_proof "
        "revenue_monotone",
        "Bailey 1997; Cavallo 2006: one item",
        weak_budget_balance="the surplus is 2 (s_2 − s_3)/3",
        envy_free="(1, 1, 0): agent 2 gets back 1/3, agent 1 nothing",
        group_ic="(1, 1/2, 0): agents 1 and 2 raise each other's rebate",
        false_name_proof="(1, 1, 0): agent 2 gets back 1/3, as two of four 1/2",
        revenue_monotone="(1, 1/2, 0) keeps 1/3, (1, 1/2, 1/2) nothing",
    ),
    ruled(
        "cavallo-two-units", lambda: multi_unit(4, UNITS), top(UNITS), cavallo(UNITS),
        f"{VICKREY} no_positive_transfers critical_payment envy_free group_ic false_name_proof "
        "revenue_monotone",
        "Cavallo 2006: two units, four agents",
        weak_budget_balance="the surplus is 3 (s_3 − s_4)/2",
        false_name_proof="(1, 1, 1, 0): agent 3 gets back 1/2, as two of five 4/5",
    ),
    ruled(
        "proceeds-split-equally", one_unit, highest, shared_out(second),
        without(f"{VICKREY} {UNTRUTHFUL} no_positive_transfers group_ic",
                "strong_budget_balance", "non_bossy"),
        "planted in bailey-cavallo: everybody gets an equal part of the price, own bid or not",
        faulty=True, ic="(1, 1/2, 0): agent 1 reports 3/4: its rebate grows",
        envy_free="all rebates are equal", revenue_monotone="the sum of the payments is 0",
        non_bossy="all payments hang on the second report alone",
    ),
    ruled(
        "third-bid-split-equally", one_unit, highest, shared_out(lambda r: order(r, 3)),
        f"{VICKREY} {UNTRUTHFUL} no_positive_transfers group_ic revenue_monotone",
        "planted in bailey-cavallo: the third report of all, not of the others", faulty=True,
        ic="(1, 1/2, 0): agent 2, and only the third, reports 1/2: its rebate grows",
        revenue_monotone="the surplus is s_2 − s_3",
    ),
    entry(
        "mean-of-others",
        lambda: Mechanism.threshold(multi_unit(3, 4), mean_of_others, name="mean of the others"),
        f"{VICKREY} envy_free group_ic false_name_proof revenue_monotone efficient",
        "Goldberg, Hartline, Karlin, Saks & Wright 2006: bid-independent prices, ample supply",
        group_ic="(1, 1, 0): agents 0 and 1 report 1/2: both pay 1/4, not 1/2",
        false_name_proof="a false report of 0 lowers the mean",
        revenue_monotone="(1/2, 1/2, 1/2) earns 3/2; agent 0 reports 1: it alone buys, for 1/2",
        efficient="(1/4, 1, 0): agent 0 gets none of the ample supply",
    ),
    entry(
        "random-sampling", lambda: sampled(other_side, "random sampling optimal price"),
        f"{VICKREY} envy_free anonymous group_ic revenue_monotone efficient",
        "Goldberg et al. 2006: at every split into sides each pays the best price of the other",
        of=without(UNIT_DEMAND, "false_name_proof"),
        anonymous="at a given split agents on different sides differ",
        group_ic="agents on different sides lower each other's price",
        efficient="(1/4, 1, 1): agent 0 is left out at every split, of ample supply",
    ),
    entry(
        "random-sampling-own-side", lambda: sampled(best_prices, "best price of the own side"),
        without(f"{VICKREY} {UNTRUTHFUL} envy_free anonymous group_ic efficient",
                "non_bossy", "false_name_proof"),
        "planted in random-sampling: the price comes from the own side", faulty=True,
        of=without(UNIT_DEMAND, "false_name_proof"),
        ic="who is alone on its side pays its own report",
        non_bossy="who sets the price pays it, and who does not moves nothing but its own sale",
        efficient="(1/4, 1, 1), agents 0 and 1 on one side: agent 0 is left out",
    ),
)  # fmt: skip


# Two units each -----------------------------------------------------------------------------------


def marginals() -> Setting:
    return multi_unit(3, UNITS, demand=UNITS)


def bids(reports: Array) -> Array:
    """All marginal values of all agents in one row, (batch, agents · units)."""
    return np.reshape(reports, (reports.shape[0], -1))


def best_bids(reports: Array) -> Array:
    """How many of the agent's bids are among the highest, (batch, agents)."""
    wins = ranks(bids(reports)) < UNITS
    return (np.reshape(wins, reports.shape) * 1).sum(axis=-1)


def best_of(rows: Array) -> Array:
    """The sum of the `UNITS` highest numbers of each row."""
    return falling(rows)[..., :UNITS].sum(axis=-1)


def own_bids(reports: Array, allocation: Array) -> Array:
    """Σ of the agent's winning bids, (batch, agents)."""
    return np.where(np.arange(UNITS) < allocation[..., None], reports, 0).sum(axis=-1)


def displaced(reports: Array, allocation: Array) -> Array:
    """Clarke's pivot: what the others would get without the agent, less what they get."""
    n = reports.shape[-2]
    absent = np.where(np.eye(n, dtype=bool)[:, :, None], 0, reports[..., None, :, :])
    alone = best_of(np.reshape(absent, (reports.shape[0], n, -1)))
    return alone - (best_of(bids(reports))[..., None] - own_bids(reports, allocation))


def rejected(reports: Array, allocation: Array) -> Array:
    """The highest rejected bid of the others, (batch, agents)."""
    n = reports.shape[-2]
    lost = np.where(np.arange(UNITS) < allocation[..., None], 0, reports)
    others = np.where(np.eye(n, dtype=bool)[:, :, None], 0, lost[..., None, :, :])
    return np.max(np.reshape(others, (reports.shape[0], n, -1)), axis=-1)


SEVERAL = (
    ruled(
        "vickrey-multi-unit", marginals, best_bids, displaced,
        f"{VICKREY} envy_free group_ic", "Vickrey 1961; Ausubel & Milgrom 2006", of=MARGINALS,
        envy_free="(1, 1/4), (1, 3/4), (0, 0): agent 0 pays 3/4 for a unit, agent 1 pays 1/4",
        group_ic="(1, 1/4), (1, 3/4), (0, 0): without the second bids both units are free",
        revenue_monotone="units are substitutes, and where a unit changes hands both sides' "
        "payments meet",
        false_name_proof="Yokoo et al. 2004, concave surplus",
    ),
    ruled(
        "uniform-price-multi-unit", marginals, best_bids,
        lambda r, x: x * order(bids(r), UNITS + 1),
        f"{VICKREY} ic ex_post_nash group_ic false_name_proof",
        "Ausubel et al. 2014: the highest rejected bid for every unit", of=MARGINALS, faulty=True,
        ic="demand reduction: (1, 1), (1/2, 0), (0, 0): agent 0 pays 1 for two; reporting (1, 0) "
        "it pays 0 for one: as good; with (1, 3/4) it gains 1/4",
        envy_free="at the truth everybody buys what it demands at the price",
    ),
    ruled(
        "pay-as-bid-multi-unit", marginals, best_bids, own_bids,
        without(f"{VICKREY} ic ex_post_nash envy_free group_ic false_name_proof", "non_bossy"),
        "Ausubel et al. 2014: discriminatory", of=MARGINALS, faulty=True,
        ic="(1, 0), (0, 0), (0, 0): agent 0 reports less",
    ),
    ruled(
        "one-price-for-all-displaced", marginals, best_bids,
        lambda r, x: x * rejected(r, x),
        f"{VICKREY} ic ex_post_nash envy_free group_ic false_name_proof revenue_monotone",
        "planted in vickrey-multi-unit: each unit costs the highest rejected bid of the others, "
        "the second one, too", of=MARGINALS, faulty=True,
        ic="(1, 3/4), (1/2, 0), (0, 0): agent 0 pays 1 for two, 0 for one",
        revenue_monotone="(1, 3/4), (1/2, 0), (0, 0) earns 1; once agent 1 reports (1, 0) it is "
        "3/4",
    ),
)  # fmt: skip

ENTRIES: tuple[Entry, ...] = UNIT + SEVERAL
