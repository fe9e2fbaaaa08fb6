"""Offers that an agent cannot move: posted prices, and thresholds made of the others' reports.

Agent i wins iff r_i ≥ t_i and c_i (for a strict threshold: r_i > t_i), and pays t_i if it wins and
nothing if it loses, where t_i and c_i do not depend on r_i; winning is worth θ_i (Vickrey 1961;
Myerson 1981; Nisan et al. 2007, theorem 9.36). For a threshold c_i is always true. At posted prices
t_i is a constant and c_i says that fewer than k of the agents before i want to buy.

- ic, ir: u_i = θ_i − t_i if it wins, else 0. Where c_i fails no report wins. Where it holds the
  agent can have the better of θ_i − t_i and 0, and the truth gets it, since it wins iff θ_i ≥ t_i.
- monotone: with r_i wins r_i ≥ t_i and c_i, so a higher report does, too.
- critical_payment: every report that wins is at least t_i; one that loses although c_i holds is at
  most t_i; and where c_i fails nothing wins. A loser pays nothing.
- no_positive_transfers, weak_budget_balance: where t_i ≥ 0 throughout, for payments are t_i or 0.

At posted prices also, with k units sold to the first who want one:
- feasible: the winners are among the first k who want to buy, and every choice of at most k winners
  keeps the constraints.
- group_ic, coalitions of any size: whether the first of them is offered a unit hangs on the agents
  before it, who do not change their reports. So it is alone, and does not gain (ic).
- non_bossy: an agent who is offered a unit and whose outcome stays the same wants to buy as before,
  and nothing changes for those behind it; if it is offered none, k units are gone already, and
  those behind it are offered none either.

Feasibility does not follow for thresholds, and neither does what others do to one another.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit.mechanism import Mechanism
from mechkit.prove.reading import Reading, need, read, unread
from mechkit.settings import Array
from proofs import symbols
from proofs.nodes import Linear, Variable

MOST = 250
"""How many agents there may be: each is compared with those before it."""

SOURCE = "Vickrey 1961; Myerson 1981"
STATEMENT = (
    "An agent wins if and only if its report reaches a price that its report does not move (and, "
    "at posted prices, a unit is left, which its report does not change either), and then pays "
    "that price. It is offered the unit at that price, and the truth takes the offer exactly where "
    "it is worth taking."
)
_EXPECTED = "It holds at every profile, and so in expectation under any prior."
BECAUSE = {
    "ic": "The truth wins exactly where the type reaches the price, and no report changes the "
    "price.",
    "ex_post_nash": "Truth is best against all reports of the others, so also against the truth.",
    "bic": _EXPECTED,
    "ir": "A winner's type is at least its price, and a loser pays nothing.",
    "interim_ir": _EXPECTED,
    "monotone": "A report above one that wins reaches the same price.",
    "critical_payment": "Winning reports are at or above the price, losing ones at or below it, "
    "unless no report wins.",
    "no_positive_transfers": "No price is below 0.",
    "weak_budget_balance": "No price is below 0, so no payment is.",
    "feasible": "The winners are among the first who want to buy, as many as there are units.",
    "group_ic": "Whether the first agent of a coalition is offered a unit hangs on agents before "
    "it, who report as they did: it faces the same offer, and truth is best. So for any size.",
    "non_bossy": "Whoever still buys or still declines an offer leaves the same units to those "
    "behind it; whoever is offered none has none but such agents behind it.",
}


def _read(mechanism: Mechanism) -> Reading:
    need(mechanism.setting.agents <= MOST, f"more than {MOST} agents, too many for terms")
    return read(mechanism)


class Offers:
    """The terms of a rule that was declared to make offers, seen to make them."""

    what = ""

    def __init__(self, reading: Reading, prices: Array, wins: Array) -> None:
        setting = reading.setting
        self.reading, self.setting, self.prices = reading, setting, prices
        need(setting.types.coordinates == (), "types are not single numbers")
        need(setting.allocation_shape == (setting.agents,), "allocations are not one per agent")
        need(not setting.sellers.any(), "there are sellers")
        need(reading.same(reading.allocation, wins), "who wins is not what is declared")
        need(
            reading.same(reading.payments, wins * prices),
            "the payments are not the declared prices of those who win",
        )

    def unmoved(self, terms: Array, what: str) -> None:
        """Need that entry i of (1, agents) terms does not see agent i's report."""
        for i in range(self.setting.agents):
            need(i not in self.reading.seen([terms.terms[0, i]]), f"{what} {i} sees its own report")

    def form(self) -> str:
        return (
            f"the rule's terms are those of {self.what} for {self.setting.agents} agents, none of "
            "whom has an influence on its own price"
        )

    def worth(self) -> str:
        need(
            self.reading.proportional(self.reading.allocation * 1),
            "winning is not worth the type, or losing is not worth 0",
        )
        return "winning is worth an agent's type and losing nothing, whatever the others' types are"

    def counted(self) -> str:
        need(self.setting.quantity is not None, "the setting has several parameters")
        wins = self.reading.allocation
        need(
            self.reading.same(self.setting.quantity(wins), wins),  # type: ignore[misc]
            "the quantity is not 1 for winners and 0 for losers",
        )
        return "the quantity is 1 for winners and 0 for losers"

    def charged(self) -> str:
        for i, price in enumerate(self.reading.reals(self.prices)):
            need(self.reading.bounds(price)[0] >= 0, f"the price of agent {i} may be negative")
        return "no price is below 0 anywhere in the box of types"

    def bounded(self) -> str:
        for price in self.reading.reals(self.prices):
            self.reading.bounds(price)
        return "prices are bounded, so that expectations exist"


class Thresholds(Offers):
    """t_i made of the others' reports."""

    what = "thresholds made of the others' reports"

    def __init__(self, mechanism: Mechanism, structure: Mapping[str, Any]) -> None:
        threshold, strict = structure["threshold"], structure["strict"]
        if not callable(threshold) or not isinstance(strict, bool):
            unread("no threshold function, or not whether it is strict")
        reading = _read(mechanism)
        reports = reading.reports
        prices = np.stack(
            [
                reading.constant(
                    threshold(np.concatenate([reports[:, :i], reports[:, i + 1 :]], axis=1), i)
                )
                for i in range(reading.setting.agents)
            ],
            axis=-1,
        )
        reading.reals(prices)
        super().__init__(reading, prices, reports > prices if strict else reports >= prices)
        self.unmoved(prices, "the threshold of agent")


class Posted(Offers):
    """Constant t_i, while units last."""

    what = "posted prices in turn, while units last,"

    def __init__(self, mechanism: Mechanism, structure: Mapping[str, Any]) -> None:
        reading = _read(mechanism)
        prices, units = reading.constant(structure["prices"]), structure["units"]
        n, reports = reading.setting.agents, reading.reports
        if prices.shape != (n,) or type(units) is not int or units < 0:
            unread(f"prices of shape {prices.shape} and {units!r} units")
        reading.numbers(prices)
        self.units = units
        wants = reports >= prices
        before = np.concatenate([wants[:, :1] & False, wants[:, :-1]], axis=1)
        offered = np.cumsum(before * 1, axis=-1) < units
        super().__init__(reading, prices[None], wants & offered)
        self.unmoved(offered, "the unit offered to agent")

    def enough(self) -> str:
        unknown = symbols("x", (1, self.setting.agents), algebra=self.reading.algebra)
        for slack in self.reading.reals(self.setting.slack(unknown)):
            need(
                isinstance(slack, Fraction) or all(isinstance(a, Variable) for a, _ in slack.items),
                "a constraint is not linear in the allocation",
            )
            constant = slack if isinstance(slack, Fraction) else slack.constant
            slopes = sorted(k for _, k in slack.items) if isinstance(slack, Linear) else []
            worst = sum((k for k in slopes[: self.units] if k < 0), constant)
            need(worst >= 0, f"some choice of {self.units} winners breaks a constraint")
        return (
            f"every choice of at most {self.units} winners keeps every constraint of the setting, "
            "all of which are linear"
        )


_BOTH: dict[str, tuple[Any, ...]] = {
    "ic": (Offers.worth,),
    "ex_post_nash": (Offers.worth,),
    "bic": (Offers.worth, Offers.bounded),
    "ir": (Offers.worth,),
    "interim_ir": (Offers.worth, Offers.bounded),
    "monotone": (Offers.counted,),
    "critical_payment": (Offers.counted,),
    "no_positive_transfers": (Offers.charged,),
    "weak_budget_balance": (Offers.charged,),
}
THRESHOLD_CONSEQUENCES: dict[str, tuple[Any, ...]] = _BOTH
POSTED_CONSEQUENCES: dict[str, tuple[Any, ...]] = {
    **_BOTH,
    "feasible": (Posted.enough,),
    "group_ic": (Offers.worth,),
    "non_bossy": (),
}
"""By property: the conditions to be checked beyond the form of the rule."""
