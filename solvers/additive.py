"""Welfare of separate items whose values add up.

    maximise Σ_i Σ_j v_ij x_ij   subject to   Σ_i x_ij ≤ 1 for each item j,   x_ij ∈ {0, 1}.

The items have nothing to do with one another: each is a market with one unit (`units`), goes to
whoever values it most, and clears at the next highest value.

Source: Vickrey, "Counterspeculation, auctions, and competitive sealed tenders" (1961).
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from solvers.arrays import numbers
from solvers.certificate import certified
from solvers.optimum import Optimum
from solvers.units import clear, market

__all__ = ["additive", "model"]


def additive(values: Any) -> Optimum:
    """The best allocation of separate items: each to whoever values it most.

    values (..., agents, items). allocation (..., agents, items) 0/1; ties go to the lowest index,
    and an item that nobody values above 0 goes to nobody. Certificate: a price for each item.
    """
    started = time.perf_counter()
    v = numbers(values, 2, "values")
    by_item = np.swapaxes(v, -1, -2)[..., None]
    bought, price = clear(by_item, 1)
    return certified(
        market(by_item, 1, bought, price),
        allocation=np.swapaxes(bought, -1, -2),
        method="the highest value of each item, with the next one as its price",
        seconds=time.perf_counter() - started,
    )


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
    m.once = pyo.Constraint(m.goods, rule=lambda m, j: at_most(m.x[i, j] for i in m.agents))
    return m
