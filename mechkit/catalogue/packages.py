"""Bundles of items: single-minded bidders and combinatorial auctions.

A single-minded bidder values one bundle S_i (or anything that contains it) at v_i; rules here give
a winner exactly the bundle it asked for. Efficient allocation is set packing; the greedy rule of
Lehmann, O'Callaghan & Shoham (2002) ranks by v_i / √|S_i| and charges the least v_i that wins.
Scores are compared as v_i² |S_j| against v_j² |S_i|, which needs no root.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np

from mechkit.catalogue.entry import Entry
from mechkit.catalogue.parts import entry
from mechkit.constructors import bundle_table, combinatorial, single_minded
from mechkit.mechanism import Mechanism
from mechkit.settings import Array, Setting

LOCAL_GLOBAL = [[1, 0], [0, 1], [1, 1]]
"""Two local bidders for an item each, and a global one for both."""


# Single-minded bidders ----------------------------------------------------------------------------


def clashes(wants: Array) -> Array:
    """Which pairs of agents want a common item, bool (..., agents, agents)."""
    common = (wants[..., :, None, :] & wants[..., None, :, :]).any(axis=-1)
    return common & ~np.eye(wants.shape[-2], dtype=bool)


def packing(values: Array, wants: Array) -> tuple[Array, Array]:
    """The best set of agents that do not clash, and Clarke's payments."""
    n = values.shape[-1]
    teams = np.array(list(product((1, 0), repeat=n))) > 0
    pairs = teams[:, :, None] & teams[:, None, :]
    clash = (pairs & clashes(wants)[..., None, :, :]).any(axis=(-1, -2))
    welfare = np.where(clash, -1, (teams * values[:, None, :]).sum(axis=-1))
    best = np.argmax(welfare, axis=-1)
    wins = (teams & (np.arange(len(teams)) == best[:, None])[..., None]).any(axis=1)
    without = np.where(teams, -1, welfare[..., None])
    others = np.max(welfare, axis=-1, keepdims=True) - wins * values
    return wins, np.max(without, axis=1) - others


def scores(values: Array, wants: Array, by_size: bool = True) -> tuple[Array, Array]:
    """Numerators v_i² and denominators |S_i| of the squared score (1 where size is no matter)."""
    size = wants.sum(axis=-1) if by_size else wants.any(axis=-1) * 1
    return values * values, size + np.zeros_like(values)


def accept(values: Array, wants: Array, *, by_size: bool = True, ties: bool = True) -> Array:
    """Accept in order of score whoever clashes with nobody accepted before; bool (batch, n).

    Bids of −1 take no part. An agent is in unless one before it is in and clashes; n rounds of
    this settle everybody, because the k-th in order is settled after k. ties: the lower index comes
    first; without, equal scores do not see each other.
    """
    n = values.shape[-1]
    square, size = scores(values, wants, by_size)
    left, right = square[:, :, None] * size[:, None, :], square[:, None, :] * size[:, :, None]
    before = left > right
    if ties:
        before = before | ((left == right) & (np.arange(n)[:, None] < np.arange(n)))
    blocks = before & clashes(wants) & (values >= 0)[:, :, None]
    granted = values >= 0
    for _ in range(n):
        granted = (values >= 0) & ~(blocks & granted[:, :, None]).any(axis=1)
    return granted


def critical_bids(
    values: Array, wants: Array, *, by_size: bool = True, own_size: bool = True
) -> Array:
    """√|S_i| times the best score that is accepted without i and clashes with i."""
    n = values.shape[-1]
    square, size = scores(values, wants, by_size)
    clash = clashes(wants) & (values >= -1)[..., None]
    prices = []
    for i in range(n):
        absent = np.where(np.arange(n) == i, -1, values)
        rivals = accept(absent, wants, by_size=by_size) & clash[:, i]
        per_item = np.where(rivals, square / np.maximum(size, 1), 0)
        worst = np.max(per_item, axis=-1)
        prices.append(np.sqrt(worst * size[:, i] if own_size else worst))
    return np.stack(prices, axis=-1)


def next_in_line(values: Array, wants: Array) -> Array:
    """√|S_i| times the next score in the list, whether or not that bidder is in the way."""
    square, size = scores(values, wants)
    per_item = square / np.maximum(size, 1)
    below = per_item[:, None, :] < per_item[:, :, None]
    return np.sqrt(np.max(np.where(below, per_item[:, None, :], 0), axis=-1) * size)


Rule = Callable[[Array, Array], tuple[Array, Array]]


def vcg(values: Array, wants: Array) -> tuple[Array, Array]:
    return packing(values, wants)


def greedy(by_size: bool = True, own_size: bool = True, ties: bool = True) -> Rule:
    """The greedy rule with critical payments, and ways to get it wrong."""

    def rule(values: Array, wants: Array) -> tuple[Array, Array]:
        wins = accept(values, wants, by_size=by_size, ties=ties)
        return wins, critical_bids(values, wants, by_size=by_size, own_size=own_size)

    return rule


def greedy_pays(price: Callable[[Array, Array], Array]) -> Rule:
    return lambda values, wants: (accept(values, wants), price(values, wants))


def packing_pays_bid(values: Array, wants: Array) -> tuple[Array, Array]:
    return packing(values, wants)[0], values


def overlooks_last_item(values: Array, wants: Array) -> tuple[Array, Array]:
    """VCG that looks for clashes on all items but the last."""
    return packing(values, wants & (np.arange(wants.shape[-1]) < wants.shape[-1] - 1))


def nearest_core(values: Array, wants: Array) -> tuple[Array, Array]:
    """Two locals and a global bidder: winning locals share what Clarke's payments fall short of the
    global bid, in equal parts (the quadratic rule of Day & Cramton 2012)."""
    wins, clarke = packing(values, wants)
    paid = np.where(wins, clarke, 0)
    missing = np.maximum(values[:, 2:] - paid[:, :2].sum(axis=-1, keepdims=True), 0)
    shared = np.where(wins[:, :2], missing / 2, 0)
    return wins, paid + np.concatenate([shared, np.zeros_like(missing)], axis=-1)


def known(rule: Rule, name: str) -> Callable[[], Mechanism]:
    """On bidders whose bundles are known."""
    wants = np.array(LOCAL_GLOBAL) > 0

    def outcome(reports: Array) -> tuple[Array, Array]:
        wins, price = rule(reports, wants)
        return wins[..., None] & wants, np.where(wins, price, 0)

    setting = single_minded(3, 2, LOCAL_GLOBAL)
    return lambda: Mechanism.from_outcome(setting, outcome, name=name)


def unknown(rule: Rule, name: str, agents: int = 3) -> Callable[[], Mechanism]:
    """On bidders who report their bundle too."""

    def outcome(reports: Array) -> tuple[Array, Array]:
        wants = reports[..., 1:] > 0.5
        wins, price = rule(reports[..., 0], wants)
        return wins[..., None] & wants, np.where(wins, price, 0)

    setting = single_minded(agents, 2)
    return lambda: Mechanism.from_outcome(setting, outcome, name=name)


# Any bundles --------------------------------------------------------------------------------------

BUNDLES = np.vstack([np.zeros((1, 2), dtype=int), bundle_table(2)])
"""The empty bundle, A, B, AB."""
INSIDE = (BUNDLES[None] <= BUNDLES[:, None]).all(axis=-1)
"""INSIDE[b, c]: bundle c lies in bundle b."""


def bids(reports: Array, adds_up: bool = False) -> Array:
    """What each agent bids for each row of BUNDLES, (batch, agents, 4): the best bundle inside.
    adds_up: bids for A and for B are read as bids for both together, too."""
    raw = np.concatenate([np.zeros_like(reports[..., :1]), reports], axis=-1)
    best = np.max(np.where(INSIDE, raw[..., None, :], 0), axis=-1)
    both = np.maximum(best[..., 3:], best[..., 1:2] + best[..., 2:3]) if adds_up else best[..., 3:]
    return np.concatenate([best[..., :3], both], axis=-1)


def auction(setting: Setting, adds_up: bool = False, first_price: bool = False) -> Mechanism:
    """VCG for two items over all assignments, written out."""
    listed = setting.outcomes()  # type: ignore[misc]
    held = (listed * np.array([1, 2])).sum(axis=-1)

    def outcome(reports: Array) -> tuple[Array, Array]:
        offers = bids(reports, adds_up)
        worth = np.stack([offers[:, i, held[:, i]] for i in range(held.shape[1])], axis=-1)
        welfare = worth.sum(axis=-1)
        others = welfare[..., None] - worth
        chosen = (np.arange(len(listed)) == np.argmax(welfare, axis=-1)[:, None])[..., None]
        allocation = np.where(chosen[..., None], listed, 0).sum(axis=1)
        reached = np.where(chosen, others, 0).sum(axis=1)
        own = np.where(chosen, worth, 0).sum(axis=1)
        return allocation, own if first_price else np.max(others, axis=1) - reached

    return Mechanism.from_outcome(
        setting,
        outcome,
        name="auction of bundles",
        rebuild=lambda other: auction(other, adds_up, first_price),
    )


PACKAGE_PRICES = np.array([0, 0.25, 0.5, 0.625])
"""Of the empty bundle, A, B and AB, which is cheaper than its parts."""


def package_shop(reports: Array) -> Array:
    """Agents in turn take the free bundle that is worth most net of its posted price."""
    offered = bids(reports) - PACKAGE_PRICES
    free = reports[:, 0, :2] >= -1
    rows = []
    for i in range(reports.shape[1]):
        possible = (free[:, None, :] | (BUNDLES == 0)).all(axis=-1)
        best = np.argmax(np.where(possible, offered[:, i], -2), axis=-1)
        got = ((np.arange(4) == best[:, None])[..., None] & (BUNDLES > 0)).any(axis=1)
        free = free & ~got
        rows.append(got)
    return np.stack(rows, axis=1)


def package_payments(reports: Array, allocation: Array) -> Array:
    a, b = allocation[..., 0] * 1, allocation[..., 1] * 1
    single = a * PACKAGE_PRICES[1] + b * PACKAGE_PRICES[2]
    return np.where(a + b > 1, PACKAGE_PRICES[3], single)


# The truth ----------------------------------------------------------------------------------------

KNOWN = (
    "feasible ir ic ex_post_nash weak_budget_balance strong_budget_balance no_positive_transfers "
    "monotone critical_payment efficient anonymous envy_free non_bossy group_ic strong_group_ic "
    "collusion_proof revenue_monotone adverse_selection_free"
)
ANY = (
    "feasible ir ic ex_post_nash weak_budget_balance strong_budget_balance no_positive_transfers "
    "cyclic_monotone efficient anonymous envy_free non_bossy group_ic strong_group_ic "
    "collusion_proof false_name_proof revenue_monotone"
)
_known, _any = partial(entry, of=KNOWN), partial(entry, of=ANY)

ENTRIES: tuple[Entry, ...] = (
    _known(
        "vcg-known-bundles",
        known(vcg, "VCG, known bundles"),
        "strong_budget_balance anonymous non_bossy group_ic strong_group_ic collusion_proof "
        "revenue_monotone",
        "Clarke 1971; Ausubel & Milgrom 2006",
        revenue_monotone="locals 3/4, 3/4 and global 1 pay 1/4 each; a local at 1: 1/4 in all",
        group_ic="locals 3/4, 3/4 and global 1: both report 1 and pay nothing",
    ),
    _any(
        "vcg-single-minded",
        unknown(vcg, "VCG, single-minded", agents=2),
        "strong_budget_balance non_bossy strong_group_ic collusion_proof false_name_proof "
        "revenue_monotone",
        "Clarke 1971; Yokoo, Sakurai & Matsubara 2004",
        false_name_proof="AB at 9 loses to AB at 10; as A at 9 and B at 9 it wins both for 2",
    ),
    _any(
        "vcg-packages",
        lambda: Mechanism.groves(combinatorial(2, 2), name="VCG, any bundles"),
        "strong_budget_balance envy_free non_bossy group_ic strong_group_ic collusion_proof "
        "false_name_proof revenue_monotone",
        "Clarke 1971; Ausubel & Milgrom 2006",
    ),
    _any(
        "greedy-single-minded",
        unknown(greedy(), "greedy by v / √|S|"),
        "strong_budget_balance non_bossy group_ic strong_group_ic collusion_proof "
        "revenue_monotone false_name_proof efficient",
        "Lehmann, O'Callaghan & Shoham 2002, theorem 11.2",
        efficient="A at 1/2 against AB at 0.7: 1/4 > 0.49/2",
    ),
    _known(
        "greedy-known-bundles",
        known(greedy(), "greedy by v / √|S|, known bundles"),
        "strong_budget_balance anonymous non_bossy group_ic strong_group_ic collusion_proof "
        "revenue_monotone efficient",
        "Lehmann, O'Callaghan & Shoham 2002; Mu'alem & Nisan 2008",
        efficient="locals 1/2, 0 and global 0.7: 1/4 > 0.49/2, the local wins",
    ),
    _known(
        "greedy-by-value",
        known(greedy(by_size=False), "greedy by value, known bundles"),
        "strong_budget_balance anonymous non_bossy group_ic strong_group_ic collusion_proof "
        "revenue_monotone efficient",
        "Mu'alem & Nisan 2008",
        efficient="locals 3/4, 3/4 and global 1: the global bidder wins",
    ),
    _any(
        "package-shop",
        lambda: Mechanism(
            combinatorial(2, 2), package_shop, package_payments, name="posted package prices"
        ),
        "strong_budget_balance anonymous envy_free strong_group_ic collusion_proof "
        "revenue_monotone efficient",
        "posted prices in turn",
    ),
    _any(
        "greedy-pays-bid",
        unknown(greedy_pays(lambda values, wants: values), "greedy, pay as bid"),
        "ic ex_post_nash strong_budget_balance group_ic strong_group_ic collusion_proof "
        "false_name_proof revenue_monotone efficient",
        "greedy-single-minded, charging the bid",
        faulty=True,
        envy_free="a bundle that covers another's and costs less ranks below it",
    ),
    _any(
        "greedy-next-in-line",
        unknown(greedy_pays(next_in_line), "greedy, next in line"),
        "ic ex_post_nash strong_budget_balance envy_free non_bossy group_ic strong_group_ic "
        "collusion_proof false_name_proof revenue_monotone efficient",
        "greedy-single-minded, charging by the next score even where it is not in the way",
        faulty=True,
    ),
    _any(
        "greedy-forgets-size",
        unknown(greedy(own_size=False), "greedy, price without size"),
        "ic ex_post_nash strong_budget_balance envy_free non_bossy group_ic strong_group_ic "
        "collusion_proof false_name_proof revenue_monotone efficient",
        "greedy-single-minded, the rival's score not multiplied by √|S_i|",
        faulty=True,
    ),
    _known(
        "greedy-ties",
        known(greedy(ties=False), "greedy that serves ties"),
        "feasible strong_budget_balance anonymous non_bossy group_ic strong_group_ic "
        "collusion_proof revenue_monotone efficient",
        "greedy-known-bundles, without the tie-break: equal scores both win",
        faulty=True,
    ),
    _known(
        "core-nearest-vcg",
        known(nearest_core, "core payments nearest to VCG"),
        "ic ex_post_nash strong_budget_balance critical_payment anonymous non_bossy "
        "strong_group_ic collusion_proof",
        "Day & Cramton 2012: not truthful",
        faulty=True,
        ic="locals 1, 1 and global 1 pay 1/2 each; a local at 1/2 pays 1/4",
    ),
    _known(
        "packing-pays-bid",
        known(packing_pays_bid, "pay as bid for known bundles"),
        "ic ex_post_nash strong_budget_balance critical_payment anonymous group_ic "
        "strong_group_ic collusion_proof",
        "vcg-known-bundles, charging the bid (Bernheim & Whinston 1986)",
        faulty=True,
    ),
    _any(
        "vcg-overlooks-item",
        unknown(overlooks_last_item, "VCG that overlooks an item", agents=2),
        "feasible strong_budget_balance non_bossy strong_group_ic collusion_proof",
        "vcg-single-minded, looking for clashes on all items but the last",
        faulty=True,
        efficient="it maximises over more sets than are feasible: only `feasible` fails",
    ),
    _any(
        "first-price-packages",
        lambda: auction(combinatorial(2, 2), first_price=True),
        "ic ex_post_nash strong_budget_balance envy_free group_ic strong_group_ic "
        "collusion_proof false_name_proof",
        "vcg-packages, charging the bid (Bernheim & Whinston 1986)",
        faulty=True,
    ),
    _any(
        "vcg-adds-up",
        lambda: auction(combinatorial(2, 2), adds_up=True),
        "ir ic ex_post_nash strong_budget_balance cyclic_monotone envy_free non_bossy "
        "group_ic strong_group_ic collusion_proof false_name_proof revenue_monotone efficient",
        "vcg-packages, reading exclusive bids for A and for B as bids that add up",
        faulty=True,
        ir="(1, 1, 1) against (3/4, 3/4, 3/4): it gets both, and pays 3/2",
        efficient="(1, 1, 1) against (3/4, 3/4, 3/4): 1, and not 7/4",
    ),
)
