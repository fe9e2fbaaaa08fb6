"""What the bidding entries share: truth tables by exception, and the parts that rules are made of.

A truth table names what fails; everything else that applies to the setting holds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import numpy as np

from mechkit.catalogue.entry import Entry
from mechkit.errors import require
from mechkit.mechanism import Mechanism
from mechkit.settings import Array, Setting

ANY = (
    "feasible ir ic ex_post_nash weak_budget_balance strong_budget_balance no_positive_transfers "
    "efficient anonymous non_bossy group_ic strong_group_ic collusion_proof revenue_monotone"
)
SHARES = f"{ANY} monotone envy_free false_name_proof adverse_selection_free"
"""What applies to bidders with one number each and a part of their own: shares, clicks."""
UNIT_DEMAND = f"{SHARES} critical_payment"
MARGINALS = f"{ANY} cyclic_monotone envy_free false_name_proof"
"""What applies to bidders with a number for every unit."""
PROJECT = f"{ANY} monotone adverse_selection_free"
"""What applies to one decision for all."""

# What no second price has: the price is a loser's report, which costs it nothing to change.
VICKREY = "strong_budget_balance non_bossy strong_group_ic collusion_proof"
# What goes with dominant strategies: a fictitious bidder who reports 0 and loses changes nothing.
UNTRUTHFUL = "ic ex_post_nash critical_payment false_name_proof"
ONE_WINNER = "at most one of a pair wins, and a loser has utility 0, as little as at the truth"


def without(names: str, *gone: str) -> str:
    """Property names less some of them."""
    return " ".join(name for name in names.split() if name not in gone)


def entry(
    key: str,
    make: Callable[[], Mechanism],
    fails: str,
    source: str,
    *,
    of: str = UNIT_DEMAND,
    faulty: bool = False,
    **because: str,
) -> Entry:
    """An entry for which the properties named in `of` apply and hold, save those in `fails`.

    because: reasons and smallest counterexamples, by property.
    """
    failing = fails.split()
    unknown = (set(failing) | set(because)) - set(of.split())
    require(not unknown, f"{key}: {sorted(unknown)} do not apply; choose among {of.split()}")
    return Entry(key, make, without(of, *failing), " ".join(failing), source, because, faulty)


def ruled(
    key: str,
    on: Callable[[], Setting],
    allocate: Callable[[Array], Array],
    pay: Callable[[Array, Array], Array],
    fails: str,
    source: str,
    *,
    of: str = UNIT_DEMAND,
    faulty: bool = False,
    **because: str,
) -> Entry:
    """An entry for a pair of rules on the setting on()."""

    # What pins an entry down is the file in which it is declared, where on() is, and not this one.
    @wraps(on)
    def make() -> Mechanism:
        return Mechanism(on(), allocate, pay, name=key.replace("-", " "))

    return entry(key, make, fails, source, of=of, faulty=faulty, **because)


def one_hot(index: Array, size: int) -> Array:
    """(batch,) -> bool (batch, size)."""
    return np.arange(size) == index[..., None]


def highest(reports: Array) -> Array:
    """Who reports most, bool (batch, agents): one agent, the first of equals."""
    return one_hot(np.argmax(reports, axis=-1), reports.shape[-1])


def falling(reports: Array) -> Array:
    """The reports in decreasing order."""
    return np.flip(np.sort(reports, axis=-1), axis=-1)


def order(reports: Array, k: int) -> Array:
    """The k-th highest report, (batch, 1)."""
    return falling(reports)[..., k - 1 : k]


def second(reports: Array) -> Array:
    """The second highest report, (batch, 1)."""
    return order(reports, 2)


def ranks(reports: Array) -> Array:
    """0 for the highest report, 1 for the next; the lower index first among equals."""
    best_first = np.argsort(-reports, axis=-1, kind="stable")
    return np.argsort(best_first, axis=-1, kind="stable")


def winner_pays(price: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    """The payment rule allocation · price(reports), a price of shape (batch, 1 or agents)."""
    return lambda reports, allocation: allocation * price(reports)
