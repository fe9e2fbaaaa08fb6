"""Welfare of bundles where every bundle has a value: dense tables.

Agent i values every nonempty set T of items at v_i(T); what it does not use it throws away:

    maximise Σ_i Σ_T v_i(T) x_iT   subject to   Σ_T x_iT ≤ 1 for each agent i,
                                                Σ_i Σ_{T ∋ j} x_iT ≤ 1 for each item j,
                                                x_iT ∈ {0, 1}.

`packages` solves it by dynamic programming over the sets S of items and the agents in turn,

    f_i(S) = max_{T ⊆ S} f_{i−1}(S∖T) + v_i(T),   v_i(∅) = 0,      3^items steps for each agent,

for any batch of instances at once and in rationals too; f is its own certificate (`prices.Stages`).

Source: Rothkopf, Pekeč & Harstad, "Computationally manageable combinational auctions" (1998).
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from solvers import prices
from solvers.arrays import numbers
from solvers.certificate import certified
from solvers.optimum import Optimum

__all__ = ["model", "packages", "stages", "tables_of"]

# 3^12 subsets of subsets are half a million; beyond, bids are fewer than bundles.
MOST_ITEMS = 12


def packages(values: Any) -> Optimum:
    """The best bundles for agents who value every bundle.

    values (..., agents, 2^items − 1): row b − 1 is the bundle whose item j is bit j of b; a set of
    items is worth the best bundle inside it, and at least 0. Up to 12 items. allocation (...,
    agents, items) 0/1: of equally good allocations one without items that add nothing.
    """
    started = time.perf_counter()
    v, items = tables_of(values)
    f, chosen = stages(v, items)
    agents = v.shape[-2]
    left = np.full(v.shape[:-2], 2**items - 1)
    held = np.zeros(v.shape[:-1], dtype=np.int64)
    for i in range(agents - 1, -1, -1):
        held[..., i] = np.take_along_axis(chosen[i], left[..., None], axis=-1)[..., 0]
        left = left ^ held[..., i]
    allocation = held[..., None] >> np.arange(items) & 1
    return certified(
        prices.Stages(values=v, allocation=allocation, tables=f),
        allocation=allocation,
        method="dynamic programming over sets of items",
        seconds=time.perf_counter() - started,
    )


def tables_of(values: Any) -> tuple[np.ndarray, int]:
    """Dense values, checked, and how many items they are about."""
    v = numbers(values, 2, "values")
    items = (v.shape[-1] + 1).bit_length() - 1
    if v.shape[-1] != 2**items - 1:
        raise ValueError(
            f"values of shape {v.shape}: expected 2^items − 1 bundles on the last axis, "
            "such as 1, 3, 7, 15"
        )
    if items > MOST_ITEMS:
        raise ValueError(
            f"{items} items: tables go up to {MOST_ITEMS}; give bids to solvers.winners"
        )
    return v, items


def stages(v: np.ndarray, items: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """(f (..., agents + 1, 2^items), for each agent the bundle that it has of every set of items).

    The bundle is one that the agent named, not one around it: what it would not use stays free.
    """
    *batch, agents, _ = v.shape
    f = np.zeros((*batch, agents + 1, 2**items), dtype=v.dtype)
    chosen = [np.zeros((*batch, 2**items), dtype=np.int64) for _ in range(agents)]
    for whole_set in range(1, 2**items):
        inside = subsets(whole_set)
        for i in range(agents):
            worth = f[..., i, whole_set ^ inside]
            worth[..., 1:] = worth[..., 1:] + v[..., i, inside[1:] - 1]
            best = np.argmax(worth, axis=-1)[..., None]
            f[..., i + 1, whole_set] = np.take_along_axis(worth, best, axis=-1)[..., 0]
            chosen[i][..., whole_set] = inside[best[..., 0]]
    return f, chosen


def subsets(of: int) -> np.ndarray:
    """All subsets of a bit set, the empty one first."""
    found = np.zeros(1, dtype=np.int64)
    for j in range(of.bit_length()):
        if of >> j & 1:
            found = np.concatenate([found, found | 1 << j])
    return found


def model(values: Any) -> Any:
    """The program above in Pyomo, for one instance: values (agents, 2^items − 1)."""
    from solvers.modelling import at_most, pyomo

    pyo = pyomo()
    v, items = tables_of(values)
    m = pyo.ConcreteModel()
    m.agents, m.sets = pyo.RangeSet(0, v.shape[0] - 1), pyo.RangeSet(1, 2**items - 1)
    m.goods = pyo.RangeSet(0, items - 1)
    m.x = pyo.Var(m.agents, m.sets, domain=pyo.Binary)
    m.welfare = pyo.Objective(
        expr=pyo.quicksum(float(v[i, b - 1]) * m.x[i, b] for i in m.agents for b in m.sets),
        sense=pyo.maximize,
    )
    m.one_bundle = pyo.Constraint(m.agents, rule=lambda m, i: at_most(m.x[i, b] for b in m.sets))
    m.once = pyo.Constraint(
        m.goods,
        rule=lambda m, j: at_most(m.x[i, b] for i in m.agents for b in m.sets if b >> j & 1),
    )
    return m
