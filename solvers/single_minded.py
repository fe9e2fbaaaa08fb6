"""Welfare of single-minded agents: each wants one bundle, and nothing less.

Agent i has the value v_i for the set S_i of items, or for any set around it:

    maximise Σ_i v_i x_i   subject to   Σ_{i: j ∈ S_i} x_i ≤ 1 for each item j,   x_i ∈ {0, 1}.

Weighted set packing, NP-hard. Few items are a table in which an agent names one bundle (`tables`),
and many a list of as many bids as agents (`combinatorial`).

Source: Lehmann, O'Callaghan & Shoham, "Truth revelation in approximately efficient combinatorial
auctions" (2002).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from solvers.arrays import numbers
from solvers.combinatorial import winners
from solvers.optimum import Optimum
from solvers.tables import packages

__all__ = ["FEW_ITEMS", "as_bids", "model", "single_minded", "wanted_table", "wants_of"]

# Tables up to here: 3^8 steps for each agent.
FEW_ITEMS = 8


def single_minded(values: Any, bundles: Any, *, nodes: int = 2_000) -> Optimum:
    """Agents who want one bundle each. values (..., agents); bundles 0/1 (..., agents, items), or
    (agents, items) for all instances.

    allocation (..., agents, items) 0/1: what winners want. Up to 8 items in batches, more for one
    instance at a time. Raises ValueError for an empty bundle.
    """
    v, wanted = wants_of(values, bundles)
    items = wanted.shape[-1]
    if items <= FEW_ITEMS:
        return packages(wanted_table(v, wanted))
    if v.ndim > 1:
        raise ValueError(
            f"{items} items: batches go up to {FEW_ITEMS} items; give one instance at a time"
        )
    found = winners(as_bids(v, wanted), bidders=len(v), items=items, nodes=nodes)
    won = found.allocation
    return replace(found, allocation=None if won is None else wanted * won[:, None])


def wants_of(values: Any, bundles: Any) -> tuple[np.ndarray, np.ndarray]:
    v = numbers(values, 1, "values")
    wanted = np.asarray(bundles)
    fits = wanted.ndim >= 2 and wanted.shape[-2] == v.shape[-1]
    if not fits or wanted.shape[:-2] not in ((), v.shape[:-1]):
        raise ValueError(
            f"bundles of shape {wanted.shape} for values of shape {v.shape}: expected one 0/1 row "
            "of items for each agent"
        )
    wanted = np.broadcast_to(wanted, (*v.shape, wanted.shape[-1]))
    if not ((wanted == 0) | (wanted == 1)).all() or not (wanted == 1).any(axis=-1).all():
        raise ValueError("bundles: expected 0/1 with at least one item for each agent")
    return v, (wanted == 1).astype(np.int64)


def as_bids(v: np.ndarray, wanted: np.ndarray) -> list[tuple[int, list[int], Any]]:
    """One bid for each agent, (agent, items, value)."""
    return [(i, np.flatnonzero(w).tolist(), v[i]) for i, w in enumerate(wanted)]


def wanted_table(v: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Dense values in which each agent names one bundle."""
    items = wanted.shape[-1]
    mask = (wanted * (1 << np.arange(items))).sum(axis=-1)
    named = mask[..., None] == np.arange(1, 2**items)
    return np.where(named, v[..., None], 0 * v[..., None])


def model(values: Any, bundles: Any) -> Any:
    """The program above in Pyomo, for one instance: values (agents,), bundles (agents, items)."""
    from solvers.modelling import at_most, pyomo

    pyo = pyomo()
    v, wanted = wants_of(values, bundles)
    m = pyo.ConcreteModel()
    m.agents, m.goods = pyo.RangeSet(0, len(v) - 1), pyo.RangeSet(0, wanted.shape[-1] - 1)
    m.x = pyo.Var(m.agents, domain=pyo.Binary)
    m.welfare = pyo.Objective(
        expr=pyo.quicksum(float(v[i]) * m.x[i] for i in m.agents), sense=pyo.maximize
    )
    m.once = pyo.Constraint(
        m.goods, rule=lambda m, j: at_most(m.x[i] for i in m.agents if wanted[i, j])
    )
    return m
