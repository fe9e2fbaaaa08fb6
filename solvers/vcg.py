"""VCG: the best allocation, and what everybody's presence costs the others.

    p_i = max_x Σ_{j≠i} v_j(x)  −  Σ_{j≠i} v_j(x*)  =  v_i(x*) − (W − W_−i)        (Clarke's pivot)

for x* of the largest welfare W; for a seller, W_−i is the welfare without its unit, and its payment
is negative: it is paid. None of this solves N + 1 problems from nothing:

    units           the next marginal values that others offered and did not get
    positions       the clicks that everybody below would gain
    unit demand     the lowest clearing prices of the one matching (Leonard 1983)
    pairs           the lowest prices of either side: buyers' and sellers' contributions
    packages        tables of the agents before and of those after each one
    XOR bids        HiGHS again for each winner, started from what the others won

Each function takes what the function of the same name in `solvers` takes, and gives its Optimum
with payments (..., agents), positive where the agent pays.

What is certified: everywhere the allocation. For XOR bids, and single-minded bidders beyond a few
items, every payment too (`clarke.Pivots`), as each is the difference of two optima of an integer
program. The other payments follow from the values and the allocation by the formula named above,
without a solver, and in rationals where the values are rational.

Sources: Vickrey (1961); Clarke (1971); Groves (1973); Leonard, "Elicitation of honest preferences
for the assignment of individuals to positions" (1983).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from solvers import assignment, combinatorial, project, ranking, tables, trade, units
from solvers.additive import additive as best_additive
from solvers.arrays import integers, is_exact
from solvers.clarke import Pivots
from solvers.matching import rationals
from solvers.optimum import Optimum, Status
from solvers.prices import positive
from solvers.single_minded import FEW_ITEMS, as_bids, wanted_table, wants_of
from solvers.single_minded import single_minded as best_single_minded

__all__ = [
    "additive",
    "double_auction",
    "matched_trade",
    "multi_unit",
    "packages",
    "positions",
    "public_project",
    "single_minded",
    "unit_demand",
    "winners",
]


def multi_unit(values: Any, units_: int) -> Optimum:
    """See `units.multi_unit`. Who gets q units pays the q highest marginal values that the others
    offered without getting a unit for them."""
    found = units.multi_unit(values, units_)
    market = found.certificate
    return replace(found, payments=_rejected(market.marginals, market.bought, units_)[..., 0, :])


def additive(values: Any) -> Optimum:
    """See `solvers.additive`. An item costs its winner the next highest value for it."""
    found = best_additive(values)
    market = found.certificate
    return replace(found, payments=_rejected(market.marginals, market.bought, 1).sum(axis=-2))


def _rejected(marginals: np.ndarray, bought: np.ndarray, k: int) -> np.ndarray:
    """(..., agents): the bought-th highest sums of others' marginals beyond the k that won."""
    *batch, agents, demand = marginals.shape
    flat = marginals.reshape(*batch, agents * demand)
    # Of the first `demand` that lost, an agent's own are at most those it wanted and did not get.
    order = np.argsort(-flat, axis=-1, kind="stable")[..., k : k + demand]
    lost = positive(np.take_along_axis(flat, order, axis=-1))[..., None, :]
    others = (order // max(demand, 1))[..., None, :] != np.arange(agents)[:, None]
    counted = others & (np.cumsum(others, axis=-1) <= bought[..., None])
    return np.where(counted, lost, 0).sum(axis=-1)


def positions(values: Any, rates: Any) -> Optimum:
    """See `ranking.positions`. A position costs the clicks that those below lose by it."""
    found = ranking.positions(values, rates)
    shown, p = found.certificate.allocation, found.certificate.prices
    return replace(found, payments=np.where(shown == 1, p[..., None, :], 0).sum(axis=-1))


def public_project(values: Any, cost: Any) -> Optimum:
    """See `project.public_project`. Payments are transfers on top of equal shares of the cost."""
    found = project.public_project(values, cost)
    v, c = found.certificate.values, found.certificate.cost
    net = v - c / v.shape[-1] if v.shape[-1] else v
    others = net.sum(axis=-1, keepdims=True) - net
    reached = np.where(found.certificate.built[..., None] == 1, others, 0)
    return replace(found, payments=positive(others) - reached)


def unit_demand(values: Any, *, exact: bool = False) -> Optimum:
    """See `assignment.unit_demand`. An item costs its lowest clearing price."""
    found = assignment.unit_demand(values, exact=exact)
    x, p = found.certificate.allocation, found.certificate.prices
    return replace(found, payments=np.where(x == 1, p[..., None, :], 0).sum(axis=-1))


def double_auction(values: Any, costs: Any) -> Optimum:
    """See `trade.double_auction`. With q trades, a buyer pays max(v_(q+1), c_(q)) and a seller is
    paid min(c_(q+1), v_(q)): the lowest and the highest clearing price."""
    found = trade.double_auction(values, costs)
    v, c = found.certificate.marginals[..., 0, :, 0], found.certificate.costs[..., 0, :]
    trades = found.certificate.bought.sum(axis=-1)
    high, low = -np.sort(-v, axis=-1), np.sort(c, axis=-1)
    out, someone = trade.ranked_at(high, trades)
    last, _ = trade.ranked_at(low, trades - 1)
    buyers_pay = np.where(someone, np.maximum(out, last), last)
    out, someone = trade.ranked_at(low, trades)
    last, _ = trade.ranked_at(high, trades - 1)
    sellers_get = np.where(someone, np.minimum(out, last), last)
    price = np.concatenate(
        [np.broadcast_to(buyers_pay, v.shape), np.broadcast_to(-sellers_get, c.shape)], axis=-1
    )
    return replace(found, payments=np.where(found.allocation == 1, price, 0))


def matched_trade(
    values: Any,
    costs: Any,
    pairs: Any,
    *,
    buyers: int | None = None,
    sellers: int | None = None,
    exact: bool = False,
) -> Optimum:
    """See `trade.matched_trade`. payments (buyers + sellers,): a buyer pays the seller's cost and
    the seller's least share of the gain; a seller is paid its cost and its largest share."""
    found = trade.matched_trade(values, costs, pairs, buyers=buyers, sellers=sellers, exact=exact)
    v, c, named, counts = trade.edges_of(values, costs, pairs, buyers, sellers)
    if exact and not is_exact(v):
        v, c = (rationals(*integers(a)) for a in (v, c))
    payments = np.zeros(sum(counts), dtype=v.dtype)
    won = np.flatnonzero(found.allocation == 1)
    b, s = named[won, 0], named[won, 1]
    payments[b] = c[won] + found.certificate.prices[s]
    # The lowest prices of the buyers' side leave the sellers their largest shares.
    turned = trade.prices_of(v - c, named[:, ::-1], counts[::-1], found.certificate.chosen)
    payments[counts[0] + s] = -(v[won] - turned[b])
    return replace(found, payments=payments)


def packages(values: Any) -> Optimum:
    """See `tables.packages`. Without agent i, the agents before it and those after it share
    the items: tables of both give every W_−i."""
    found = tables.packages(values)
    v, items = tables.tables_of(values)
    before = found.certificate.tables
    after = tables.stages(v[..., ::-1, :], items)[0]
    agents = v.shape[-2]
    total = before[..., -1, -1]
    payments = np.zeros(v.shape[:-1], dtype=v.dtype)
    held = (found.certificate.allocation * (1 << np.arange(items))).sum(axis=-1)
    for i in range(agents if items else 0):
        without = (before[..., i, :] + after[..., agents - 1 - i, ::-1]).max(axis=-1)
        row = np.take_along_axis(v[..., i, :], np.maximum(held[..., i, None] - 1, 0), axis=-1)
        worth = np.where(held[..., i] > 0, row[..., 0], 0)
        # Rounding apart, nobody is paid and nobody pays more than the bundle is worth.
        payments[..., i] = np.minimum(positive(without - (total - worth)), positive(worth))
    return replace(found, payments=payments)


def single_minded(values: Any, bundles: Any, *, nodes: int = 2_000) -> Optimum:
    """See `solvers.single_minded`; payments of more than a few items as in `winners`."""
    v, wanted = wants_of(values, bundles)
    items = wanted.shape[-1]
    if items <= FEW_ITEMS:
        return packages(wanted_table(v, wanted))
    if v.ndim > 1:
        best_single_minded(v, wanted)  # which explains that batches do not go so far
    found = winners(as_bids(v, wanted), bidders=len(v), items=items, nodes=nodes)
    won = found.allocation
    return replace(found, allocation=None if won is None else wanted * won[:, None])


def winners(
    bids: Sequence[tuple[int, Any, Any]],
    *,
    bidders: int | None = None,
    items: int | None = None,
    seconds: float | None = None,
    nodes: int = 2_000,
) -> Optimum:
    """See `combinatorial.winners`. Bidders who win nothing pay nothing, and are not solved for.

    The certificate is `clarke.Pivots`: of the optimum and of the optimum without each winner, and
    of every payment. Where one of them has no proof of at most `nodes` leaves, the certificate is
    that of the welfare alone, and a note says whose payments rest on HiGHS's word. payment_error
    comes from the bounds, proved or not.

    payments are None where a limit came before all of the optima were found, since a difference
    of bounds is no payment.
    """
    checked = combinatorial.bids_of(bids, bidders=bidders, items=items)
    found = combinatorial.solve_bids(checked, seconds=seconds, nodes=nodes)
    if found.status is not Status.OPTIMAL or found.allocation is None:
        return replace(found, notes=(*found.notes, "no payments without the optimum"))
    x = found.allocation
    payments, error = np.zeros(checked.bidders), np.zeros(checked.bidders)
    without: dict[int, Any] = {}
    # Where the optimum is too hard to prove, so are those beside it.
    tried = nodes if found.certificate is not None else 0
    for k in np.flatnonzero(x):
        i = int(checked.bidder[k])
        kept = np.where(checked.bidder == i, 0, x)
        rest = combinatorial.solve_bids(
            checked, seconds=seconds, nodes=tried, without=i, start=kept.astype(float)
        )
        if rest.status is not Status.OPTIMAL:
            why = f"no payments: without bidder {i}, {'; '.join(rest.notes)}"
            return replace(found, notes=(*found.notes, why))
        payments[i] = rest.value - float(checked.values @ kept)
        error[i] = max(rest.bound - rest.value, 0.0)
        without[i] = rest.certificate
    found = replace(found, payments=payments, payment_error=error)
    unproved = [str(i) for i, proof in without.items() if proof is None]
    if unproved:
        note = f"no certificate of the payments of bidders {', '.join(unproved)}: HiGHS's word"
        return replace(found, notes=(*found.notes, note))
    if found.certificate is None:
        return found
    return replace(
        found,
        certificate=Pivots(
            optimum=found.certificate, without=without, bidder=checked.bidder, payments=payments
        ),
    )
