"""Mechanisms that see more than reports, or other things than types.

Prices in a public scale, public coins, estimates that the platform has of everybody's type, values
that depend on what others know, bids that are not types, and agents who all sell. Where a rule or
a value sees the types beside the reports, truth can be a best reply to truth without being one
to lies: `ex_post_nash` and `ic` part.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from mechkit.catalogue.entry import Entry
from mechkit.catalogue.parts import entry, without
from mechkit.constructors import single_item
from mechkit.mechanism import Mechanism
from mechkit.settings import Array, Lottery, Public, Setting
from mechkit.spaces import Space, box

GAMMA = 0.5
"""How much an agent's value moves with the mean of the others' types."""


def one_item_slack(allocation: Array) -> Array:
    """No negative share, and one item at most."""
    x = allocation * 1
    return np.concatenate([x, 1 - x.sum(axis=-1, keepdims=True)], axis=-1)


def placed_slack(allocation: Array) -> Array:
    """No negative share, and exactly one contract in all."""
    x = allocation * 1
    return np.concatenate([x, -np.abs(1 - x.sum(axis=-1, keepdims=True))], axis=-1)


def winner(bids: Array, **shown: Public) -> Array:
    """The highest bid wins; the lowest index among equals."""
    return np.arange(bids.shape[-1]) == np.argmax(bids, axis=-1)[..., None]


def second(bids: Array, kth: int = 2) -> Array:
    """The kth highest bid, (batch, 1)."""
    return np.sort(bids, axis=-1)[..., bids.shape[-1] - kth, None]


def pay_second(bids: Array, allocation: Array, **shown: Public) -> Array:
    return allocation * second(bids)


# Values that depend on the others' types ----------------------------------------------------------


def mean_of_others(types: Array) -> Array:
    return (types.sum(axis=-1, keepdims=True) - types) / (types.shape[-1] - 1)


def interdependent(agents: int = 3) -> Setting:
    """One item worth θ_i + γ · mean of the others' θ to agent i."""
    return Setting(
        name=f"single item, interdependent values, {agents} agents",
        types=box(agents),
        allocation_shape=(agents,),
        value=lambda types, allocation: (types + GAMMA * mean_of_others(types)) * allocation,
        slack=one_item_slack,
        first_best=lambda types: np.max(types + GAMMA * mean_of_others(types), axis=-1),
        interdependent=True,
    )


def wallet() -> Setting:
    """Two bidders, each knowing one half of a common value θ_1 + θ_2; reports are bids in [0, 2],
    and the truth is to bid twice one's half (Klemperer 1998)."""
    return Setting(
        name="wallet game",
        types=box(2),
        allocation_shape=(2,),
        value=lambda types, allocation: types.sum(axis=-1, keepdims=True) * allocation,
        slack=one_item_slack,
        first_best=lambda types: types.sum(axis=-1),
        reports=box(2, high=2),
        truthful=lambda types: 2 * types,
        interdependent=True,
    )


def generalised_vickrey(reports: Array, allocation: Array) -> Array:
    """What the item would be worth to the winner at the least report that still wins."""
    return allocation * (second(reports) + GAMMA * mean_of_others(reports))


def with_own_signal(reports: Array, allocation: Array) -> Array:
    """As `generalised_vickrey`, but the mean is taken over everybody."""
    return allocation * (second(reports) + GAMMA * np.mean(reports, axis=-1, keepdims=True))


# Public information -------------------------------------------------------------------------------


def scaled(agents: int = 3) -> Setting:
    """One item worth scale · θ_i, the scale in [1, 2] public; reports are bids in money."""

    def value(types: Array, allocation: Array, *, public: Public) -> Array:
        return public["scale"] * types * allocation

    def truthful(types: Array, *, public: Public) -> Array:
        return public["scale"] * types

    def first_best(types: Array, *, public: Public) -> Array:
        return np.max(public["scale"] * types, axis=-1)

    return Setting(
        name=f"single item, scaled values, {agents} agents",
        types=box(agents),
        allocation_shape=(agents,),
        value=value,
        slack=one_item_slack,
        first_best=first_best,
        reports=box(agents, high=2),
        truthful=truthful,
        public={"scale": box(1, low=1, high=2)},
    )


def unscaled_price(bids: Array, allocation: Array, *, public: Public) -> Array:
    """Charges in types what was bid in money."""
    return allocation * second(bids) / public["scale"]


def over_reserve(bids: Array, *, public: Public) -> Array:
    return winner(bids) & (bids >= public["reserve"])


def pay_reserve(bids: Array, allocation: Array, *, public: Public) -> Array:
    return allocation * np.maximum(second(bids), public["reserve"])


def pay_second_despite_reserve(bids: Array, allocation: Array, *, public: Public) -> Array:
    """Keeps the item below the reserve, but forgets it in the price."""
    return allocation * second(bids)


def pay_coin(bids: Array, allocation: Array, *, public: Public) -> Array:
    """Double or nothing."""
    return allocation * second(bids) * public["coin"]


def estimated(types: Array) -> Array:
    """The platform's estimates, which happen to be right."""
    return types


def pay_estimate(bids: Array, allocation: Array, *, public: Public) -> Array:
    """The winner pays the highest estimate among the others."""
    n = bids.shape[-1]
    others = np.where(np.eye(n, dtype=bool), 0, public["estimate"][:, None, :])
    return allocation * np.max(others, axis=-1)


def pay_own_estimate(bids: Array, allocation: Array, *, public: Public) -> Array:
    """The winner pays half of what the platform thinks the item is worth to it."""
    return allocation * public["estimate"] / 2


def offered(bids: Array, *, public: Public) -> Array:
    """Each agent in turn may take the item at its own quote."""
    takes = bids >= public["quote"][:, : bids.shape[-1]]
    return takes & (np.cumsum(takes, axis=-1) == 1)


def pay_quote(bids: Array, allocation: Array, *, public: Public) -> Array:
    return allocation * public["quote"][:, : bids.shape[-1]]


def highest_pays_quote(bids: Array, allocation: Array, *, public: Public) -> Array:
    return pay_quote(bids, allocation, public=public)


# Everybody sells ----------------------------------------------------------------------------------


def procurement(agents: int = 3) -> Setting:
    """One contract, which must be placed with one of several sellers (or by lot among them). Types:
    costs; a payment is negative."""
    return Setting(
        name=f"procurement, {agents} sellers",
        types=box(agents),
        allocation_shape=(agents,),
        value=lambda types, allocation: -types * allocation,
        slack=placed_slack,
        first_best=lambda types: -np.min(types, axis=-1),
        roles=("seller",) * agents,
        quantity=lambda allocation: allocation * 1,
        binary=True,
    )


def cheapest(asks: Array) -> Array:
    return winner(-asks)


def receive(kth: int) -> Callable[[Array, Array], Array]:
    """The contractor receives the kth lowest ask."""
    return lambda asks, allocation: allocation * -np.sort(asks, axis=-1)[..., kth - 1 : kth]


def on(
    setting: Setting, allocate: Callable[..., Array], pay: Callable[..., Array], name: str
) -> Callable[[], Mechanism]:
    return lambda: Mechanism(setting, allocate, pay, name=name)


def item_with(**public: Space | Lottery | Callable[[Array], Array]) -> Setting:
    return single_item(3).with_public(**public)


RESERVES = [[0.25], [0.5], [0.75]]
COIN = [[0], [2]]


# The truth ----------------------------------------------------------------------------------------

COMMON = (
    "feasible ir ic ex_post_nash weak_budget_balance strong_budget_balance no_positive_transfers "
    "efficient anonymous envy_free non_bossy group_ic strong_group_ic collusion_proof "
    "revenue_monotone"
)
"""What applies to one item whatever it is worth."""
BID = " monotone critical_payment adverse_selection_free"
ONE_ITEM = COMMON + BID + " false_name_proof"
SELLING = (
    without(COMMON, "no_positive_transfers", "revenue_monotone") + " monotone critical_payment"
)
_worth, _item = partial(entry, of=COMMON), partial(entry, of=ONE_ITEM)
_selling = partial(entry, of=SELLING)
_seen = partial(entry, of=without(COMMON, "anonymous") + BID)

ENTRIES: tuple[Entry, ...] = (
    _worth(
        "generalised-vickrey",
        on(interdependent(), winner, generalised_vickrey, "generalised Vickrey"),
        "ic strong_budget_balance envy_free non_bossy group_ic strong_group_ic collusion_proof",
        "Maskin 1992; Dasgupta & Maskin 2000",
        ic="worth a little, against reports of nothing by others who know of much: win for free",
        ex_post_nash="the price is one's value at the least winning report",
        envy_free="the second bidder would pay less than the item is worth to it",
        efficient="the value θ_i (1 − γ/2) + γ/2 Σ θ grows in the own signal",
    ),
    _worth(
        "wallet-game",
        on(wallet(), winner, pay_second, "wallet game"),
        "ic strong_budget_balance non_bossy strong_group_ic collusion_proof envy_free",
        "Klemperer 1998; Milgrom & Weber 1982",
        ic="the other holds 1 and bids 0: bid anything",
        efficient="whoever has it, it is worth θ_1 + θ_2",
    ),
    _worth(
        "scaled-second-price",
        on(scaled(), winner, pay_second, "second price in money"),
        "strong_budget_balance non_bossy strong_group_ic collusion_proof",
        "Vickrey 1961, bids in a public currency",
    ),
    _seen(
        "second-price-on-estimates",
        on(
            item_with(estimate=estimated),
            lambda bids, public: winner(bids),
            pay_estimate,
            "second price on estimates",
        ),
        "ic strong_budget_balance critical_payment strong_group_ic collusion_proof "
        "revenue_monotone",
        "Vickrey 1961, the price read from right estimates of the others' types",
        ex_post_nash="when the others are truthful the estimates are their reports",
        ic="value 1/2, the others worth 1 but reporting 0: truth wins and pays 1",
    ),
    _item(
        "public-reserve",
        on(item_with(reserve=box(1)), over_reserve, pay_reserve, "second price, public reserve"),
        "strong_budget_balance efficient non_bossy strong_group_ic collusion_proof "
        "adverse_selection_free",
        "Myerson 1981, at every reserve",
    ),
    _item(
        "random-reserve",
        on(
            item_with(reserve=Lottery(draws=RESERVES)),
            over_reserve,
            pay_reserve,
            "second price, random reserve",
        ),
        "strong_budget_balance efficient non_bossy strong_group_ic collusion_proof "
        "adverse_selection_free",
        "Myerson 1981, in expectation over reserves",
        # In expectation the highest bidder has a share of the item: it neither wins nor loses.
        of=without(ONE_ITEM, "critical_payment"),
    ),
    _item(
        "double-or-nothing",
        on(
            item_with(coin=Lottery(draws=COIN)),
            lambda bids, public: winner(bids),
            pay_coin,
            "double or nothing",
        ),
        "strong_budget_balance non_bossy strong_group_ic collusion_proof",
        "second price, paid twice or not at all, in expectation",
    ),
    _item(
        "public-quotes",
        on(item_with(quote=box(4)), offered, pay_quote, "quotes in turn"),
        "strong_budget_balance anonymous envy_free strong_group_ic collusion_proof "
        "false_name_proof revenue_monotone adverse_selection_free efficient",
        "posted prices, quoted from public estimates",
        false_name_proof="the second identity has a lower quote",
        efficient="the first who accepts its quote takes the item",
    ),
    _selling(
        "reverse-vickrey",
        on(procurement(), cheapest, receive(2), "reverse Vickrey"),
        "weak_budget_balance strong_budget_balance non_bossy strong_group_ic collusion_proof",
        "Vickrey 1961, buying",
        efficient="the contract must be placed: the cheapest is the best",
    ),
    _worth(
        "signal-second-price",
        on(interdependent(), winner, pay_second, "second price on signals"),
        "ic ex_post_nash strong_budget_balance envy_free non_bossy strong_group_ic collusion_proof",
        "generalised-vickrey, charging the second signal for a value that is more",
        faulty=True,
        ex_post_nash="a bidder just below the highest would gain the others' part of the value",
    ),
    _worth(
        "vickrey-own-signal",
        on(interdependent(), winner, with_own_signal, "generalised Vickrey, own signal"),
        "ir ic ex_post_nash strong_budget_balance envy_free non_bossy group_ic "
        "strong_group_ic collusion_proof",
        "generalised-vickrey, the mean taken over everybody",
        faulty=True,
    ),
    _worth(
        "unscaled-price",
        on(scaled(), winner, unscaled_price, "second price in types"),
        "ic ex_post_nash strong_budget_balance envy_free non_bossy strong_group_ic collusion_proof",
        "scaled-second-price, charging in units of types",
        faulty=True,
        ic="only where the scale is not 1",
    ),
    _item(
        "reserve-not-charged",
        on(
            item_with(reserve=box(1)),
            over_reserve,
            pay_second_despite_reserve,
            "public reserve, not charged",
        ),
        "ic ex_post_nash strong_budget_balance critical_payment non_bossy strong_group_ic "
        "collusion_proof false_name_proof adverse_selection_free efficient",
        "public-reserve, the price forgetting the reserve",
        faulty=True,
    ),
    _item(
        "double-or-nothing-drawn",
        on(
            item_with(coin=Lottery(draws=COIN, every=True)),
            lambda bids, public: winner(bids),
            pay_coin,
            "double or nothing, at each coin",
        ),
        "ir ic ex_post_nash strong_budget_balance critical_payment envy_free non_bossy "
        "group_ic strong_group_ic collusion_proof false_name_proof",
        "double-or-nothing, claimed for each coin",
        faulty=True,
    ),
    _seen(
        "pays-own-estimate",
        on(
            item_with(estimate=estimated),
            lambda bids, public: winner(bids),
            pay_own_estimate,
            "half the own estimate",
        ),
        "ic ex_post_nash strong_budget_balance critical_payment envy_free strong_group_ic "
        "collusion_proof revenue_monotone",
        "second-price-on-estimates, charging half the winner's own estimate",
        faulty=True,
    ),
    _item(
        "highest-pays-quote",
        on(
            item_with(quote=box(4)),
            lambda bids, public: winner(bids),
            highest_pays_quote,
            "highest bid pays its quote",
        ),
        "ir ic ex_post_nash strong_budget_balance critical_payment anonymous envy_free "
        "group_ic strong_group_ic collusion_proof false_name_proof revenue_monotone",
        "public-quotes, selling to the highest bid whatever its quote",
        faulty=True,
    ),
    _selling(
        "reverse-first-price",
        on(procurement(), cheapest, receive(1), "reverse first price"),
        "ic ex_post_nash weak_budget_balance strong_budget_balance critical_payment "
        "strong_group_ic collusion_proof",
        "reverse-vickrey, paying what was asked",
        faulty=True,
    ),
    _selling(
        "reverse-third-price",
        on(procurement(), cheapest, receive(3), "reverse third price"),
        "ic ex_post_nash weak_budget_balance strong_budget_balance critical_payment envy_free "
        "non_bossy strong_group_ic collusion_proof",
        "reverse-vickrey, one ask too far",
        faulty=True,
    ),
)
