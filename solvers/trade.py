"""Gains from trade: one good in a double auction, and pairs that may trade.

One good, single units, buyers' values v and sellers' costs c:

    maximise Σ_b v_b x_b − Σ_s c_s y_s   subject to   Σ x = Σ y,   x, y ∈ {0, 1}.

Sort values down and costs up, and trade while the value exceeds the cost. Every price between the
marginal pair that trades and the one that does not clears the market, and proves it.

Pairs (b, s) that may trade, each with a gain g_bs, the buyer's value less the seller's cost of
serving it: a matching of the largest weight (Shapley & Shubik 1971), in which gains of 0 or less
are left alone, on a graph that may be sparse. A price for each seller's profit proves it.

Sources: McAfee, "A dominant strategy double auction" (1992); Shapley & Shubik, "The assignment
game I: the core" (1971).
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from solvers import prices
from solvers.arrays import integers, is_exact, numbers, whole
from solvers.certificate import certified
from solvers.matching import Edges, best_matching, improved, lowest_prices, rationals
from solvers.optimum import Optimum

__all__ = [
    "clearing",
    "double_auction",
    "edges_of",
    "matched_trade",
    "model",
    "pair_model",
    "ranked_at",
]


def double_auction(values: Any, costs: Any) -> Optimum:
    """The trades of the largest gain. values (..., buyers), costs (..., sellers).

    allocation (..., buyers + sellers): 1 where the agent trades, buyers first; ties go to the
    lowest index, and a pair that gains nothing does not trade. Certificate: a clearing price.
    """
    started = time.perf_counter()
    v, c = _sides(values, costs)
    buys, sells, price = clearing(v, c)
    return certified(
        prices.Clearing(
            marginals=v[..., None, :, None],
            costs=c[..., None, :],
            amounts=np.ones(1, dtype=np.int64),
            bought=buys[..., None, :],
            sold=sells[..., None, :],
            price=price[..., None],
        ),
        allocation=np.concatenate([buys, sells], axis=-1),
        method="sorting, with a clearing price",
        seconds=time.perf_counter() - started,
    )


def _sides(values: Any, costs: Any) -> tuple[np.ndarray, np.ndarray]:
    v, c = numbers(values, 1, "values"), numbers(costs, 1, "costs")
    if v.shape[:-1] != c.shape[:-1]:
        raise ValueError(
            f"values of shape {v.shape} and costs of shape {c.shape}: expected the same batch"
        )
    if is_exact(v) != is_exact(c) and v.size and c.size:
        raise ValueError("values and costs: give both as Fractions or both as floats")
    return v, c


def clearing(v: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(buys (..., buyers) 0/1, sells (..., sellers) 0/1, the lowest clearing price (...))."""
    down, up = (
        np.argsort(-v, axis=-1, kind="stable"),
        np.argsort(c, axis=-1, kind="stable"),
    )
    high, low = np.take_along_axis(v, down, axis=-1), np.take_along_axis(c, up, axis=-1)
    pairs = min(v.shape[-1], c.shape[-1])
    trades = (high[..., :pairs] > low[..., :pairs]).sum(axis=-1)[..., None]
    buys, sells = (np.zeros(a.shape, dtype=np.int64) for a in (v, c))
    for order, one in ((down, buys), (up, sells)):
        np.put_along_axis(one, order, (np.arange(order.shape[-1]) < trades) * 1, axis=-1)
    # The first buyer left out and the last seller in: the price may not be below either.
    out, someone_out = ranked_at(high, trades)
    last, someone_in = ranked_at(low, trades - 1)
    # Nobody is in or out only where there are no buyers: then every price up to the lowest cost.
    lone = low[..., :1] if low.shape[-1] else np.zeros(trades.shape, dtype=c.dtype)
    price = np.where(someone_out, out, np.where(someone_in, last, lone))
    price = np.where(someone_out & someone_in, np.maximum(out, last), price)
    return buys, sells, price[..., 0]


def ranked_at(ranked: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the entry of that rank, whether there is one)."""
    n = ranked.shape[-1]
    there = (rank >= 0) & (rank < n)
    if not n:
        return np.zeros(rank.shape, dtype=ranked.dtype), there
    return np.take_along_axis(ranked, np.clip(rank, 0, n - 1), axis=-1), there


def matched_trade(
    values: Any,
    costs: Any,
    pairs: Any,
    *,
    buyers: int | None = None,
    sellers: int | None = None,
    exact: bool = False,
) -> Optimum:
    """The trades of the largest gain where only some pairs may trade.

    pairs (edges, 2): buyer and seller, from 0. values (edges,): what the seller's unit is worth to
    that buyer; costs (edges,): what serving it costs that seller. buyers, sellers: how many, by
    default as many as the pairs name. allocation (edges,): 1 where the pair trades. exact: take
    floats as the rationals that they are; always so for Fractions.
    """
    started = time.perf_counter()
    v, c, pairs, counts = edges_of(values, costs, pairs, buyers, sellers)
    if exact and not is_exact(v):
        v, c = (rationals(*integers(a)) for a in (v, c))
    gains = v - c
    weights, d = integers(gains) if is_exact(gains) else (gains, 0)
    use = _best_of_pairs(pairs, weights)
    edges = Edges(pairs[use, 0], pairs[use, 1], weights[use], counts)
    held = best_matching(edges)
    p, optimal = lowest_prices(edges, held)
    if d and not optimal:
        while (better := improved(edges, held)) is not None:
            held = better
        p, _ = lowest_prices(edges, held)
    chosen = np.zeros(len(gains), dtype=np.int64)
    chosen[use[held[edges.agent] == edges.item]] = 1
    return certified(
        prices.Matching(
            pairs=pairs,
            gains=gains,
            chosen=chosen,
            counts=counts,
            prices=rationals(p, d) if d else p,
        ),
        allocation=chosen,
        method="sparse shortest augmenting paths, with prices",
        seconds=time.perf_counter() - started,
    )


def prices_of(
    gains: np.ndarray, pairs: np.ndarray, counts: tuple[int, int], chosen: np.ndarray
) -> np.ndarray:
    """The lowest prices (counts[1],) at which the first of each pair would trade as chosen."""
    weights, d = integers(gains) if is_exact(gains) else (gains, 0)
    use = _best_of_pairs(pairs, weights)
    held = np.full(counts[0], -1)
    won = np.flatnonzero(chosen == 1)
    held[pairs[won, 0]] = pairs[won, 1]
    p, _ = lowest_prices(Edges(pairs[use, 0], pairs[use, 1], weights[use], counts), held)
    return rationals(p, d) if d else p


def _best_of_pairs(pairs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The edges that gain, and of a pair that is named twice only the best."""
    gaining = np.flatnonzero(weights > 0)
    down = gaining[np.argsort(-weights[gaining], kind="stable")]
    _, first = np.unique(pairs[down], axis=0, return_index=True)
    return np.sort(down[first])


def edges_of(
    values: Any, costs: Any, pairs: Any, buyers: int | None, sellers: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int]]:
    """The arguments of `matched_trade`, checked."""
    v, c = _sides(values, costs)
    named = np.asarray(pairs)
    named = named.reshape(0, 2) if named.size == 0 else named
    if named.ndim != 2 or named.shape[1] != 2 or (named.dtype.kind not in "iu" and named.size):
        raise ValueError(
            f"pairs of shape {named.shape} and dtype {named.dtype}: expected whole numbers of "
            "shape (edges, 2), buyer and seller"
        )
    named = named.astype(np.int64)
    if not v.shape == c.shape == (len(named),):
        raise ValueError(
            f"values {v.shape}, costs {c.shape}, {len(named)} pairs: expected one value and one "
            "cost for each pair"
        )
    found = []
    for k, (count, what) in enumerate(((buyers, "buyers"), (sellers, "sellers"))):
        most = int(named[:, k].max(initial=-1)) + 1
        found.append(most if count is None else whole(count, 0, what))
        if named.size and (named[:, k].min() < 0 or most > found[k]):
            raise ValueError(
                f"pairs name {what} up to {most - 1} and below {found[k]} are expected"
            )
    return v, c, named, (found[0], found[1])


def model(values: Any, costs: Any) -> Any:
    """The double auction in Pyomo, for one instance."""
    from solvers.modelling import pyomo

    pyo = pyomo()
    v, c = _sides(values, costs)
    m = pyo.ConcreteModel()
    m.buyers, m.sellers = pyo.RangeSet(0, len(v) - 1), pyo.RangeSet(0, len(c) - 1)
    m.x, m.y = pyo.Var(m.buyers, domain=pyo.Binary), pyo.Var(m.sellers, domain=pyo.Binary)
    m.gains = pyo.Objective(
        expr=sum(float(v[b]) * m.x[b] for b in m.buyers)
        - sum(float(c[s]) * m.y[s] for s in m.sellers),
        sense=pyo.maximize,
    )
    m.balance = pyo.Constraint(expr=sum(m.x[b] for b in m.buyers) == sum(m.y[s] for s in m.sellers))
    return m


def pair_model(values: Any, costs: Any, pairs: Any) -> Any:
    """Matched trade in Pyomo."""
    from solvers.modelling import pyomo

    pyo = pyomo()
    v, c, pairs, counts = edges_of(values, costs, pairs, None, None)
    m = pyo.ConcreteModel()
    m.edges = pyo.RangeSet(0, len(pairs) - 1)
    m.x = pyo.Var(m.edges, domain=pyo.Binary)
    m.gains = pyo.Objective(
        expr=pyo.quicksum(float(v[e] - c[e]) * m.x[e] for e in m.edges), sense=pyo.maximize
    )
    m.once = pyo.ConstraintList()
    for side, count in enumerate(counts):
        for agent in range(count):
            own = [m.x[e] for e in m.edges if pairs[e, side] == agent]
            if own:
                m.once.add(pyo.quicksum(own) <= 1)
    return m
