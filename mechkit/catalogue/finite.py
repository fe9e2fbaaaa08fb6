"""Finitely many types, where an expectation over the others is a finite sum, and so exact.

Truth is a Bayesian equilibrium if it is best in expectation over the others' types. Expected
externalities reach it with a balanced budget (d'Aspremont & Gérard-Varet 1979; Arrow 1979): agent i
is paid what the others can expect given its report, ξ_i(r_i), and the others pay for it equally,
    p_i = Σ_{j≠i} ξ_j(r_j) / (n − 1) − ξ_i(r_i).
So do the equilibria of other auctions, played for the bidders (Myerson 1981, revelation principle).
All hangs on the prior: the faults here are right for another one.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from mechkit.catalogue.entry import Entry
from mechkit.catalogue.parts import (
    ONE_WINNER,
    PROJECT,
    UNIT_DEMAND,
    UNTRUTHFUL,
    VICKREY,
    entry,
    highest,
    order,
    ruled,
    second,
    winner_pays,
    without,
)
from mechkit.constructors import public_project, single_item
from mechkit.mechanism import Mechanism
from mechkit.settings import Array, Setting

LEVELS = (0, 1, 2)
HALVES = (0, 0.5, 1)
COST = 1.5
ITEM = f"{UNIT_DEMAND} bic interim_ir"
BUILD = f"{PROJECT} bic interim_ir"


def item(agents: int = 3, levels: tuple[int, ...] = LEVELS, **options: Any) -> Setting:
    """One item and equally likely integer values."""
    return single_item(agents, low=levels[0], high=levels[-1], levels=levels, **options)


def mean_over_others(
    of: Callable[[Array, tuple[float, ...]], Array], reports: Array, levels: tuple[float, ...]
) -> Array:
    """The mean of of(own report, others' types) over equally likely types of the others."""
    profiles = list(product(levels, repeat=reports.shape[-1] - 1))
    total = np.zeros_like(reports)
    for others in profiles:
        total = total + of(reports, others)
    return total / len(profiles)


def fair(reports: Array) -> Array:
    """The highest bidders have equal chances: (batch, agents), fractions at ties."""
    best = (reports >= order(reports, 1)) * 1
    return best / best.sum(axis=-1, keepdims=True)


def others_get(own: Array, others: tuple[float, ...]) -> Array:
    """What `fair` is worth to the others."""
    best, equals = max(others), others.count(max(others))
    return np.where(own < best, best, np.where(own > best, 0, best * equals / (1 + equals)))


def second_price_paid(own: Array, others: tuple[float, ...]) -> Array:
    """What agent i pays by second price, equal bidders having equal chances."""
    best, equals = max(others), others.count(max(others))
    return np.where(own < best, 0, np.where(own > best, best, best / (1 + equals)))


def efficient(reports: Array) -> Array:
    return reports.sum(axis=-1) >= COST


def others_gain(own: Array, others: tuple[float, ...]) -> Array:
    """What the decision is worth to the others, their shares of the cost included."""
    n = len(others) + 1
    return np.where(own + sum(others) >= COST, sum(others) - COST * (n - 1) / n, 0)


def expected_externality(
    worth: Callable[[Array, tuple[float, ...]], Array], levels: tuple[float, ...]
) -> Callable[[Array, Array], Array]:
    """The balanced payments of d'Aspremont & Gérard-Varet for equally likely types."""

    def pay(reports: Array, allocation: Array) -> Array:
        paid = mean_over_others(worth, reports, levels)
        total = paid.sum(axis=-1, keepdims=True)
        return (total - paid) / (reports.shape[-1] - 1) - paid

    return pay


def pays_part(part: float) -> Callable[[Array, Array], Array]:
    """The winner pays a fixed part of its report: the first price with the bids shaded for it."""
    return winner_pays(lambda reports: part * reports)


balanced = expected_externality(others_get, LEVELS)
BALANCED = (
    "ic ex_post_nash no_positive_transfers critical_payment envy_free group_ic strong_group_ic "
    "collusion_proof false_name_proof"
)
FIRST_PRICE = without(f"{VICKREY} {UNTRUTHFUL}", "non_bossy")

ENTRIES: tuple[Entry, ...] = (
    ruled(
        "second-price-levels", item, highest, winner_pays(second), VICKREY,
        "Vickrey 1961, values 0, 1, 2", of=ITEM, bic="truth is dominant",
    ),
    entry(
        "optimal-two-levels",
        lambda: Mechanism.posted(item(2, (1, 2)), 2, name="posted at the higher of two values"),
        "strong_budget_balance efficient",
        "Myerson 1981; Vohra 2011: values 1 and 2, equally likely: revenue 3/2",
        of=without(ITEM, "adverse_selection_free"),
        strong_group_ic="nobody can have more than nothing: the price is the highest value",
        envy_free="who buys has nothing of it",
        efficient="(1, 1) is not sold",
    ),
    ruled(
        "expected-externality", item, fair, balanced, without(BALANCED, "critical_payment"),
        "d'Aspremont & Gérard-Varet 1979; Arrow 1979: one item",
        of=without(ITEM, "critical_payment"),
        ic="(0, 1, 2): agent 2 wins with 2, and as well with 1 against (0, 0), for less",
        ir="true of these three values: what losers are paid grows faster than what they pay",
        non_bossy="every change of a report changes the own payment",
        envy_free="(0, 1, 2): of the two losers agent 0 is paid more",
        group_ic="(2, 1, 1): agents 1 and 2 report 0 and are paid more for what they do not get",
        false_name_proof="(0, 2, 2): agent 0 is paid 23/27, as two of four 94/81",
        revenue_monotone="the sum of the payments is 0",
        efficient="it is shared at ties, between equal values",
    ),
    ruled(
        "expected-externality-project", lambda: public_project(3, COST, levels=HALVES), efficient,
        expected_externality(others_gain, HALVES),
        "ic ex_post_nash ir interim_ir no_positive_transfers group_ic strong_group_ic "
        "collusion_proof adverse_selection_free",
        "d'Aspremont & Gérard-Varet 1979: a project", of=BUILD,
        ic="(1, 1, 1/2): agent 0 reports 0: it is built all the same, and agent 0 is paid 1/9 more",
        interim_ir="type 0 expects 1/18 of welfare and pays 10/54 for the others: −7/54",
        revenue_monotone="the sum of the payments is 0",
        non_bossy="others pay for i's externality only, which is in i's own payment",
    ),
    ruled(
        "second-price-expected", item, fair,
        lambda r, x: mean_over_others(second_price_paid, r, LEVELS),
        without(
            f"{VICKREY} {UNTRUTHFUL} ir envy_free group_ic revenue_monotone",
            "non_bossy", "critical_payment",
        ),
        "Myerson 1981, lemma 2: everybody pays what the second price lets it expect",
        of=without(ITEM, "critical_payment"),
        bic="interim payments are those of the second price",
        interim_ir="as in the second price", ir="(0, 1, 2): agent 1 loses and pays 4/27",
        group_ic="(0, 1, 2): agents 1 and 2 report 0 and 1",
        revenue_monotone="(1, 1, 1) earns 12/27; with a fourth report of 0, 33/108",
        non_bossy="every change of a report changes the own payment",
    ),
    ruled(
        "first-price-shaded", lambda: item(2), highest, pays_part(0.5),
        f"{FIRST_PRICE} envy_free",
        "Vickrey 1961: v/2 is the equilibrium of two bidders, here played for them", of=ITEM,
        bic="agent 0 wins ties: (k − j/2)(j + 1)/3 for reporting j grows up to j = k − 1 and is "
        "the same at k; agent 1 loses them: (k − j/2) j/3 is largest at j = k",
        ic="(2, 0): agent 0 reports 0 and pays nothing", group_ic=ONE_WINNER,
        envy_free="(2, 2): agent 1 would like the item for 1",
    ),
    ruled(
        "first-price-shaded-for-two", lambda: item(3, (0, 1, 2, 3, 4)), highest, pays_part(0.5),
        f"{FIRST_PRICE} envy_free bic",
        "planted in first-price-shaded: a third bidder, for whom 2/3 would be right", of=ITEM,
        faulty=True, bic="agent 0 with value 3 gets 16 · 3/2 by the truth, 25 · 1 by reporting 4 "
        "(of 25); it is the only type of agent 0 to gain", group_ic=ONE_WINNER,
    ),
    ruled(
        "expected-externality-wrong-prior",
        lambda: item(prior=(0.25, 0.25, 0.5)), fair, balanced,
        without(f"{BALANCED} bic", "false_name_proof", "critical_payment"),
        "planted in expected-externality: types are not equally likely",
        of=without(ITEM, "false_name_proof", "critical_payment"), faulty=True,
        bic="an agent with value 1 wins with 7/48 instead of 1/48 if it says so: 1/8 more; "
        "reporting 0 it is paid 4/27 more",
        non_bossy="every change of a report changes the own payment",
        ir="as in expected-externality: it does not depend on the prior",
    ),
    ruled(
        "entry-fee-levels", item, highest, lambda r, x: x * second(r) + 0.25,
        f"{VICKREY} ir interim_ir critical_payment",
        "planted in second-price-levels: a fee of 1/4 from everybody", of=ITEM, faulty=True,
        interim_ir="a value of 0 pays 1/4 for nothing",
    ),
    ruled(
        "first-price-levels", item, highest, winner_pays(lambda r: r), f"{FIRST_PRICE} bic",
        "planted in first-price-shaded: the bids are not shaded", of=ITEM, faulty=True,
        bic="a value of 2 gains nothing by the truth", group_ic=ONE_WINNER,
    ),
    ruled(
        "all-pay-levels", item, highest, lambda r, x: r * 1,
        f"{FIRST_PRICE} bic interim_ir ir envy_free group_ic",
        "planted in second-price-expected: everybody pays its report", of=ITEM, faulty=True,
        interim_ir="a value of 1 pays 1 and may lose", bic="a value of 1 rather reports 0",
    ),
)  # fmt: skip
