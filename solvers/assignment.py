"""Welfare of unit demand: maximum-weight matching of agents and items.

    maximise Σ_i Σ_j v_ij x_ij   subject to   Σ_j x_ij ≤ 1,   Σ_i x_ij ≤ 1,   x_ij ∈ {0, 1},

whose relaxation has whole vertices. The dual is a price p_j ≥ 0 for each item and a utility u_i ≥ 0
for each agent with u_i + p_j ≥ v_ij. SciPy's shortest augmenting paths give a matching; its prices
come from the matching alone: the lowest ones satisfy

    p_j = max(0, max_i (v_ij − u_i)),    u_i = v_im(i) − p_m(i)  of the item m(i) held, else 0,

longest paths in the graph of who would rather have what, found by Bellman and Ford's passes from
p = 0. They converge, with unsold items at 0 and utilities ≥ 0, exactly when the matching is
optimal; otherwise the path that shows it also improves the matching (`matching.improved`). The
lowest prices are also every agent's VCG payment.

Sources: Shapley & Shubik (1971); Leonard, "Elicitation of honest preferences for the assignment of
individuals to positions" (1983); Crouse, "On implementing 2D rectangular assignment algorithms"
(2016).
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from solvers import prices
from solvers.arrays import integers, is_exact, numbers, scaled_floats
from solvers.certificate import certified
from solvers.matching import Edges, improved, rationals
from solvers.optimum import Optimum

__all__ = ["lowest_prices", "model", "unit_demand"]

# Float prices rise by more than rounding, or not at all.
STILL = 2.0**-46


def unit_demand(values: Any, *, exact: bool = False) -> Optimum:
    """The best assignment of items to agents, at most one each.

    values: (..., agents, items), Fractions or floats; a pair worth 0 or less is left alone.
    allocation (..., agents, items) 0/1. exact: take floats as the rationals that they are, and
    return Fractions with a gap of 0 (always so where values are Fractions). The certificate holds
    the lowest prices that clear every market.
    """
    started = time.perf_counter()
    v = numbers(values, 2, "values")
    *batch, agents, items = v.shape
    flat = v.reshape(int(np.prod(batch)), agents, items)
    whole, d = integers(flat) if exact or is_exact(v) else (flat, 0)
    w = prices.positive(whole)
    held = _matchings(w)
    p, settled = lowest_prices(w, held)
    if d:
        for k in np.flatnonzero(~settled):
            held[k] = _repaired(w[k], held[k])
            p[k : k + 1], _ = lowest_prices(w[k : k + 1], held[k : k + 1])
    allocation = (held[..., None] == np.arange(items)).astype(np.int64).reshape(v.shape)
    found = rationals(whole, d).reshape(v.shape) if d else v
    return certified(
        prices.Assignment(
            values=found,
            allocation=allocation,
            prices=(rationals(p, d) if d else p).reshape(*batch, items),
        ),
        allocation=allocation,
        method="shortest augmenting paths, with the lowest clearing prices",
        seconds=time.perf_counter() - started,
    )


def _matchings(w: np.ndarray) -> np.ndarray:
    """(batch, agents): the item of each agent, −1 for none; weights ≥ 0."""
    from scipy.optimize import linear_sum_assignment

    held = np.full(w.shape[:2], -1)
    floats = scaled_floats(w) if w.dtype == object else w
    for k in range(len(w)):
        rows, columns = linear_sum_assignment(floats[k], maximize=True)
        worth = w[k][rows, columns] > 0
        held[k, rows[worth]] = columns[worth]
    return held


def lowest_prices(w: np.ndarray, held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(prices (batch, items), whether they prove the matching optimal (batch,)).

    w (batch, agents, items) ≥ 0; held (batch, agents): the item of each agent, −1 for none. Only
    agents whose price rose in the last pass are looked at again.
    """
    batch, agents, items = w.shape
    p = np.zeros((batch, items), dtype=w.dtype)
    if not agents or not items:
        return p, np.ones(batch, dtype=bool)
    still = STILL * w.max(axis=(1, 2), initial=0) if w.dtype == float else np.zeros(batch, w.dtype)
    at = np.maximum(held, 0)
    worth = np.where(held >= 0, np.take_along_axis(w, at[..., None], axis=2)[..., 0], 0)
    owner = np.full((batch, items), -1)
    k, i = np.nonzero(held >= 0)
    owner[k, held[k, i]] = i
    where, who = np.nonzero(np.ones((batch, agents), dtype=bool))
    for _ in range(agents + 1):
        base = np.where(held >= 0, np.take_along_axis(p, at, axis=1), 0) - worth
        if len(who) == batch * agents:
            offers = (w + base[..., None]).max(axis=1)
        else:
            offers = np.zeros_like(p)
            instances, starts = np.unique(where, return_index=True)
            rows = w[where, who] + base[where, who][:, None]
            offers[instances] = np.maximum.reduceat(rows, starts, axis=0)
        rose = offers > p + still[:, None]
        p = np.where(rose, offers, p)
        where, item = np.nonzero(rose & (owner >= 0))
        who = owner[where, item]
        if not len(who):
            break
    else:
        # Prices that still rise after so many passes go round a cycle that gains.
        return p, ~(rose & (owner >= 0)).any(axis=1)
    utility = worth - np.where(held >= 0, np.take_along_axis(p, at, axis=1), 0)
    slack = still[:, None]
    sold = (owner >= 0) | (p <= slack)
    return p, np.asarray(sold.all(axis=1) & (utility >= -slack).all(axis=1))


def _repaired(w: np.ndarray, held: np.ndarray) -> np.ndarray:
    """The matching, improved until no path or cycle gains; for whole numbers."""
    agents, items = w.shape
    i, j = np.nonzero(w > 0)
    edges = Edges(i, j, w[i, j], (agents, items))
    while (better := improved(edges, held)) is not None:
        held = better
    return held


def model(values: Any) -> Any:
    """The program above in Pyomo, for one instance: values (agents, items)."""
    from solvers.modelling import at_most, pyomo

    pyo = pyomo()
    v = numbers(values, 2, "values")
    m = pyo.ConcreteModel()
    m.agents, m.goods = pyo.RangeSet(0, v.shape[0] - 1), pyo.RangeSet(0, v.shape[1] - 1)
    m.x = pyo.Var(m.agents, m.goods, domain=pyo.Binary)
    m.welfare = pyo.Objective(
        expr=pyo.quicksum(float(v[i, j]) * m.x[i, j] for i in m.agents for j in m.goods),
        sense=pyo.maximize,
    )
    m.one_item = pyo.Constraint(m.agents, rule=lambda m, i: at_most(m.x[i, j] for j in m.goods))
    m.one_agent = pyo.Constraint(m.goods, rule=lambda m, j: at_most(m.x[i, j] for i in m.agents))
    return m
