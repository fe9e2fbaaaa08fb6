"""Several goods for agents who want one of them (unit demand) or any of them (additive values).

With money the best matching and Clarke's pivot give the lowest competitive prices (Leonard 1983);
without, agents pick in turn. Additive values separate: each item can be sold on its own, or all in
one bundle. Reports and allocations are (batch, agents, items).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import permutations

import numpy as np

from mechkit.catalogue.entry import Entry
from mechkit.catalogue.parts import entry
from mechkit.constructors import additive, unit_demand
from mechkit.mechanism import Mechanism
from mechkit.settings import Array, Lottery, Setting

# Matching with money ------------------------------------------------------------------------------


def by_hand(
    setting: Setting,
    choose: Callable[..., Array] = np.argmax,
    range_from: int = 0,
    pivot: Callable[[Array, Array], Array] = lambda others, welfare: np.max(others, axis=1),
    sign: int = 1,
) -> Mechanism:
    """VCG with unit demand, written out: what x* is worth to the others against what
    they could have had. `range_from`: the first matchings that are never chosen; pivot(others,
    welfare) sees (batch, matchings, agents) and (batch, matchings)."""
    listed = setting.outcomes()  # type: ignore[misc]

    def outcome(reports: Array) -> tuple[Array, Array]:
        worth = (reports[:, None] * listed).sum(axis=-1)
        welfare = worth.sum(axis=-1)
        best = choose(welfare[:, range_from:], axis=-1) + range_from
        others = welfare[..., None] - worth
        chosen = (np.arange(len(listed)) == best[:, None])[..., None]
        reached = np.where(chosen, others, 0).sum(axis=1)
        allocation = np.where(chosen[..., None], listed, 0).sum(axis=1)
        return allocation, (pivot(others, welfare) - reached) * sign

    return Mechanism.from_outcome(
        setting,
        outcome,
        name="assignment by enumeration",
        rebuild=lambda other: by_hand(other, choose, range_from, pivot, sign),
    )


def weighted(setting: Setting) -> Mechanism:
    """The first agent's welfare counts once, everybody else's twice."""
    weights = [1] + [2] * (setting.agents - 1)
    rule = Mechanism.affine_maximiser(setting, weights=weights, name="weighted assignment")
    return replace(rule, rebuild=weighted)


def greedy_matching(reports: Array) -> Array:
    """The best remaining agent and item, again and again; rows of −1 take no part."""
    agents, items = reports.shape[-2:]
    open_rows = reports[:, :, 0] >= 0
    open_items = reports[:, 0, :] >= -1
    allocation = reports < -1
    for _ in range(items):
        left = open_rows[:, :, None] & open_items[:, None, :]
        flat = np.reshape(np.where(left, reports, -2), (-1, agents * items))
        best = np.arange(agents * items) == np.argmax(flat, axis=-1)[:, None]
        pick = np.reshape(best, (-1, agents, items)) & left
        allocation = allocation | pick
        open_rows = open_rows & ~pick.any(axis=2)
        open_items = open_items & ~pick.any(axis=1)
    return allocation


def greedy_externality(reports: Array, allocation: Array) -> Array:
    """VCG's formula around a matching that is not optimal: what the greedy matching without i is
    worth to the others, minus what they get."""
    agents = reports.shape[1]
    got = (reports * allocation).sum(axis=-1)
    prices = []
    for i in range(agents):
        without = np.where(np.arange(agents)[:, None] == i, -1, reports)
        alone = (without * greedy_matching(without)).sum(axis=(1, 2))
        prices.append(alone - (got.sum(axis=-1) - got[:, i]))
    return np.stack(prices, axis=-1)


# Picking in turn ----------------------------------------------------------------------------------


def in_turn(reports: Array, turn: Array, prices: Array) -> Array:
    """Agents take, in their turn, the free item that is worth most net of its price, if ≥ 0."""
    agents, items = reports.shape[-2:]
    free = reports[:, 0, :] >= -1
    allocation = reports < -1
    for t in range(agents):
        mine = (turn == t)[..., None]
        gain = np.where(mine, reports - prices, 0).sum(axis=1)
        best = np.argmax(np.where(free, gain, -2), axis=-1)
        got = free & (np.arange(items) == best[:, None]) & (gain >= 0)
        free = free & ~got
        allocation = allocation | (mine & got[:, None, :])
    return allocation


def dictatorship(reports: Array) -> Array:
    return in_turn(reports, np.arange(reports.shape[1]), np.zeros(reports.shape[2]))


def by_priority(reports: Array, *, public: dict[str, Array]) -> Array:
    """The turns are drawn; with fewer agents than turns the missing ones are passed over."""
    drawn = public["turn"][:, : reports.shape[1]]
    turn = (drawn[:, :, None] > drawn[:, None, :]).sum(axis=-1)
    return in_turn(reports, turn, np.zeros(reports.shape[2]))


def boston(reports: Array) -> Array:
    """Everybody applies to its favourite free item, whose first applicant gets it for good."""
    items = reports.shape[-1]
    free = reports[:, 0, :] >= -1
    served = reports[:, :, 0] < -1
    allocation = reports < -1
    for _ in range(items):
        top = np.argmax(np.where(free[:, None, :], reports, -2), axis=-1)
        applies = (np.arange(items) == top[..., None]) & free[:, None, :] & ~served[..., None]
        got = applies & (np.cumsum(applies, axis=1) == 1)
        allocation = allocation | got
        served = served | got.any(axis=2)
        free = free & ~got.any(axis=1)
    return allocation


def free_of_charge(reports: Array, allocation: Array, **shown: Array) -> Array:
    return np.zeros_like(reports[..., 0])


def own_report(reports: Array, allocation: Array) -> Array:
    return (reports * allocation).sum(axis=-1)


PRICES = np.array([0.25, 0.5])


def posted(reports: Array) -> Array:
    return in_turn(reports, np.arange(reports.shape[1]), PRICES)


def posted_payments(reports: Array, allocation: Array) -> Array:
    return (allocation * PRICES).sum(axis=-1)


def turns(slots: int, *, every: bool) -> Lottery:
    return Lottery(draws=list(permutations(range(slots))), every=every)


# Item by item, or all in one bundle ---------------------------------------------------------------


def highest(reports: Array, reserve: float = 0.0) -> Array:
    """Each item to its highest bidder, the lowest index first, if the bid meets the reserve."""
    top = np.argmax(reports, axis=1)[:, None, :]
    return (np.arange(reports.shape[1])[:, None] == top) & (reports >= reserve)


def second_prices(
    reports: Array, allocation: Array, *, reserve: float = 0.0, kth: int = 2, axis: int = 1
) -> Array:
    """The sum over the items won of the kth highest bid for the item, or the reserve."""
    price = np.take(np.sort(reports, axis=axis), [-kth], axis=axis)
    return (allocation * np.maximum(price, reserve)).sum(axis=-1)


RESERVE = 0.5


def with_reserve(reports: Array) -> Array:
    return highest(reports, RESERVE)


def reserve_payments(reports: Array, allocation: Array) -> Array:
    return second_prices(reports, allocation, reserve=RESERVE)


def bundle(reports: Array) -> Array:
    """Everything to the agent with the highest sum."""
    best = np.argmax(reports.sum(axis=-1), axis=-1)
    return ((np.arange(reports.shape[1]) == best[:, None])[..., None]) & (reports >= 0)


def bundle_second(reports: Array, allocation: Array) -> Array:
    """The second highest sum."""
    second = np.sort(reports.sum(axis=-1), axis=-1)[:, -2:-1]
    return allocation[..., 0] * second


def third_prices(reports: Array, allocation: Array) -> Array:
    return second_prices(reports, allocation, kth=3)


def wrong_axis(reports: Array, allocation: Array) -> Array:
    return second_prices(reports, allocation, axis=2)


def selling(
    setting: Setting, allocate: Callable[..., Array], pay: Callable[..., Array], name: str
) -> Callable[[], Mechanism]:
    return lambda: Mechanism(setting, allocate, pay, name=name)


# The truth ----------------------------------------------------------------------------------------

GOODS = (
    "feasible ir ic ex_post_nash weak_budget_balance strong_budget_balance no_positive_transfers "
    "cyclic_monotone efficient anonymous envy_free non_bossy group_ic strong_group_ic "
    "collusion_proof false_name_proof revenue_monotone"
)
_goods = partial(entry, of=GOODS)
_matching, _pair, _values = unit_demand(3, 2), unit_demand(2, 2), additive(3, 2)

ENTRIES: tuple[Entry, ...] = (
    _goods(
        "vcg-assignment",
        lambda: Mechanism.groves(_matching, name="VCG assignment"),
        "strong_budget_balance non_bossy strong_group_ic collusion_proof revenue_monotone",
        "Leonard 1983; Demange, Gale & Sotomayor 1986",
        envy_free="the lowest competitive prices (Leonard 1983)",
        group_ic="Demange & Gale 1985, theorem 2",
        revenue_monotone="(1, 0) and (1/2, 0) bring 1/2; with (1/2, 3/4) for the second, nothing",
    ),
    _goods(
        "weighted-assignment",
        lambda: weighted(_pair),
        "strong_budget_balance anonymous envy_free non_bossy strong_group_ic collusion_proof "
        "false_name_proof revenue_monotone efficient",
        "Roberts 1979",
        false_name_proof="(0, 1), the one that counts once, against (0, 1/2): its second identity "
        "counts twice",
        efficient="(1, 0) against (3/4, 0): the second agent counts twice",
    ),
    _goods(
        "serial-dictatorship",
        selling(_matching, dictatorship, free_of_charge, "serial dictatorship"),
        "anonymous envy_free strong_group_ic collusion_proof efficient",
        "Satterthwaite & Sonnenschein 1981",
        strong_group_ic="an indifferent dictator takes the item that the next one does not want",
        efficient="(1/4, 0), (1, 0), (0, 0): agent 0 takes the first item",
    ),
    _goods(
        "random-priority",
        selling(
            _pair.with_public(turn=turns(3, every=False)),
            by_priority,
            free_of_charge,
            "random priority",
        ),
        "strong_group_ic collusion_proof false_name_proof efficient",
        "Abdulkadiroğlu & Sönmez 1998, in expectation over orders",
        false_name_proof="two of three turns come first more often than one of two",
        envy_free="two agents: who wants the same has the same chances",
        non_bossy="with two agents one's lottery fixes the other's",
    ),
    _goods(
        "random-priority-drawn",
        selling(
            _pair.with_public(turn=turns(3, every=True)),
            by_priority,
            free_of_charge,
            "random priority, at each order",
        ),
        "anonymous envy_free strong_group_ic collusion_proof false_name_proof efficient",
        "Abdulkadiroğlu & Sönmez 1998, at each order",
    ),
    _goods(
        "posted-items",
        selling(_matching, posted, posted_payments, "posted item prices"),
        "strong_budget_balance anonymous envy_free strong_group_ic collusion_proof "
        "revenue_monotone efficient",
        "Chawla, Hartline, Malec & Sivan 2010",
        revenue_monotone="(0, 3/4) pays 1/2 for the second item; (3/4, 3/4) pays 1/4",
    ),
    _goods(
        "second-price-items",
        selling(_values, highest, second_prices, "second price, item by item"),
        "strong_budget_balance non_bossy group_ic strong_group_ic collusion_proof",
        "Vickrey 1961, on additive values",
        group_ic="(1, 1/2) and (1/2, 1) pay 1/2 each; both drop the losing bid",
    ),
    _goods(
        "second-price-items-reserve",
        selling(_values, with_reserve, reserve_payments, "second price with reserves"),
        "strong_budget_balance non_bossy group_ic strong_group_ic collusion_proof efficient",
        "Myerson 1981, item by item",
    ),
    _goods(
        "second-price-bundle",
        selling(_values, bundle, bundle_second, "second price for the bundle"),
        "strong_budget_balance non_bossy strong_group_ic collusion_proof efficient",
        "Vickrey 1961, on the sum of values",
        efficient="(1, 0), (0, 1), (0, 0): one of them gets both",
    ),
    _goods(
        "vcg-pivot-forgets",
        lambda: by_hand(_matching, pivot=lambda others, welfare: np.max(others[:, 1:], axis=1)),
        "weak_budget_balance strong_budget_balance no_positive_transfers anonymous envy_free "
        "non_bossy group_ic strong_group_ic collusion_proof false_name_proof revenue_monotone",
        "vcg-assignment, the pivot overlooking the first matching; still a Groves payment",
        faulty=True,
        ic="the pivot does not see the own report",
    ),
    _goods(
        "vcg-choice-forgets",
        lambda: by_hand(_matching, range_from=1),
        "ir strong_budget_balance anonymous envy_free non_bossy group_ic strong_group_ic "
        "collusion_proof false_name_proof revenue_monotone efficient",
        "vcg-assignment, never choosing the first matching; still maximal in its range",
        faulty=True,
        ic="maximal in range (Nisan & Ronen 2007)",
        efficient="(1, 0), (0, 1), (0, 0): that matching is never chosen",
    ),
    _goods(
        "vcg-own-pivot",
        lambda: by_hand(_matching, pivot=lambda others, welfare: np.max(welfare, axis=1)[:, None]),
        "ic ex_post_nash strong_budget_balance envy_free group_ic strong_group_ic "
        "collusion_proof false_name_proof",
        "vcg-assignment, the pivot counting the own report: every agent pays its bid",
        faulty=True,
    ),
    _goods(
        "vcg-sign",
        lambda: by_hand(_matching, sign=-1),
        "ic ex_post_nash weak_budget_balance strong_budget_balance no_positive_transfers "
        "envy_free non_bossy group_ic strong_group_ic collusion_proof false_name_proof "
        "revenue_monotone",
        "vcg-assignment, payments negated",
        faulty=True,
    ),
    _goods(
        "assignment-minimiser",
        lambda: by_hand(_matching, choose=np.argmin),
        "ir ic ex_post_nash strong_budget_balance cyclic_monotone envy_free non_bossy "
        "group_ic strong_group_ic collusion_proof false_name_proof efficient",
        "vcg-assignment, matching by minimal cost where maximal value was meant",
        faulty=True,
    ),
    _goods(
        "greedy-assignment",
        selling(_matching, greedy_matching, greedy_externality, "greedy with externality prices"),
        "ic ex_post_nash strong_budget_balance cyclic_monotone envy_free non_bossy group_ic "
        "strong_group_ic collusion_proof false_name_proof revenue_monotone efficient",
        "vcg-assignment, around a greedy matching (Nisan & Ronen 2007)",
        faulty=True,
        efficient="(1, 3/4), (3/4, 0), (0, 0): 1, and not 3/2",
    ),
    _goods(
        "dictatorship-charged",
        selling(_matching, dictatorship, own_report, "dictatorship at the own report"),
        "ic ex_post_nash strong_budget_balance anonymous envy_free group_ic strong_group_ic "
        "collusion_proof false_name_proof revenue_monotone efficient",
        "serial-dictatorship, charging what was reported",
        faulty=True,
    ),
    _goods(
        "boston",
        selling(_matching, boston, free_of_charge, "Boston"),
        "ic ex_post_nash cyclic_monotone anonymous envy_free strong_group_ic collusion_proof "
        "false_name_proof efficient",
        "Abdulkadiroğlu & Sönmez 2003: immediate acceptance",
        faulty=True,
        ic="(1, 1/2), (1, 1/2), (1/4, 1/2): the second gets nothing; naming item 2 first, 1/2",
        efficient="(1/2, 0), (1, 0), (0, 0): the lower index is served",
    ),
    _goods(
        "items-off-by-one",
        selling(_values, highest, third_prices, "third price, item by item"),
        "ic ex_post_nash strong_budget_balance envy_free non_bossy group_ic strong_group_ic "
        "collusion_proof false_name_proof",
        "second-price-items, one order statistic too far",
        faulty=True,
    ),
    _goods(
        "items-wrong-axis",
        selling(_values, highest, wrong_axis, "second price along the wrong axis"),
        "ic ex_post_nash strong_budget_balance envy_free group_ic strong_group_ic "
        "collusion_proof false_name_proof revenue_monotone",
        "second-price-items, sorting each agent's bids over the items",
        faulty=True,
    ),
    _goods(
        "items-free-reserve",
        selling(_values, with_reserve, second_prices, "reserve in the allocation only"),
        "ic ex_post_nash strong_budget_balance non_bossy group_ic strong_group_ic "
        "collusion_proof false_name_proof efficient",
        "second-price-items-reserve, forgetting the reserve in the price",
        faulty=True,
        ic="(1/4, 0) against nobody gets nothing; reporting 1/2 it wins for 0",
    ),
    _goods(
        "bundle-at-item-prices",
        selling(_values, bundle, second_prices, "bundle at item prices"),
        "ic ex_post_nash strong_budget_balance envy_free non_bossy strong_group_ic "
        "collusion_proof false_name_proof efficient",
        "second-price-bundle, charging the sum of the items' second prices",
        faulty=True,
    ),
    _goods(
        "items-unit-demand",
        selling(_matching, highest, second_prices, "second price items, unit demand"),
        "feasible strong_budget_balance non_bossy group_ic strong_group_ic collusion_proof",
        "second-price-items, on agents who may have one item only",
        faulty=True,
        efficient="an agent with both items counts both: only `feasible` fails",
    ),
)
