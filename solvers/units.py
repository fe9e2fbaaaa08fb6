"""Welfare of identical units.

    maximise Σ_i Σ_t v_it x_it   subject to   Σ_i Σ_t x_it ≤ k,   x_it ∈ {0, 1},

where v_i1 ≥ v_i2 ≥ … is what further units are worth to agent i, so that the best x takes an
agent's units in order. The k highest positive marginal values win, and the next one clears the
market: at that price everybody who wants a unit has it. Nobody must take a unit: values below zero
stay out.

Source: Vickrey, "Counterspeculation, auctions, and competitive sealed tenders" (1961).
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from solvers import prices
from solvers.arrays import numbers, whole
from solvers.certificate import certified
from solvers.optimum import Optimum

__all__ = ["clear", "falling", "market", "model", "multi_unit"]


def multi_unit(values: Any, units: int) -> Optimum:
    """The best allocation of `units` identical units.

    values: (..., agents, demand), marginal values that do not increase from unit to unit.
    allocation (..., agents): how many units each gets; ties go to the lowest index. The
    certificate is a clearing price for each instance, (..., 1).

    Raises ValueError where values rise, are not finite, or units is not a whole number ≥ 0.
    """
    started = time.perf_counter()
    v, k = falling(values), whole(units, 0, "units")
    bought, price = clear(v, k)
    return certified(
        market(v[..., None, :, :], k, bought[..., None, :], price[..., None]),
        allocation=bought,
        method="sorting, with a clearing price",
        seconds=time.perf_counter() - started,
    )


def falling(values: Any) -> np.ndarray:
    """Marginal values, checked not to rise from unit to unit."""
    v = numbers(values, 2, "values")
    rises = v[..., 1:] > v[..., :-1]
    if rises.any():
        at = tuple(int(k) for k in np.argwhere(rises)[0])
        raise ValueError(
            f"values{list(at[:-1])}: unit {at[-1] + 2} is worth {v[at[:-1]][at[-1] + 1]}, more "
            f"than unit {at[-1] + 1} at {v[at]}: expected values that do not increase; for units "
            "that are worth more together, bid for bundles (solvers.packages)"
        )
    return v


def clear(marginals: np.ndarray, units: int) -> tuple[np.ndarray, np.ndarray]:
    """(bought (..., agents), price (...)): the highest marginals win, and the next is the price."""
    *batch, agents, demand = marginals.shape
    flat = marginals.reshape(*batch, agents * demand)
    first = min(units, flat.shape[-1])
    order = np.argsort(-flat, axis=-1, kind="stable")[..., : first + 1]
    top = np.take_along_axis(flat, order, axis=-1)
    chosen = np.zeros(flat.shape, dtype=bool)
    np.put_along_axis(chosen, order[..., :first], top[..., :first] > 0, axis=-1)
    bought = chosen.reshape(marginals.shape).sum(axis=-1)
    rejected = top[..., first:]
    price = prices.positive(rejected[..., 0]) if rejected.shape[-1] else np.zeros(batch, flat.dtype)
    return bought, price


def market(v: np.ndarray, units: int, bought: np.ndarray, price: np.ndarray) -> prices.Clearing:
    """The certificate of markets (..., goods, agents, demand) with so many units in each."""
    total = bought.sum(axis=-1, keepdims=True)
    return prices.Clearing(
        marginals=v,
        costs=np.zeros(total.shape, dtype=v.dtype),
        amounts=np.full((1,), units),
        bought=bought,
        sold=total,
        price=price,
    )


def model(values: Any, units: int) -> Any:
    """The program above in Pyomo, for one instance: values (agents, demand)."""
    from solvers.modelling import at_most, pyomo

    pyo = pyomo()
    v = falling(values)
    m = pyo.ConcreteModel()
    m.agents, m.steps = pyo.RangeSet(0, v.shape[0] - 1), pyo.RangeSet(0, v.shape[1] - 1)
    m.x = pyo.Var(m.agents, m.steps, domain=pyo.Binary)
    m.welfare = pyo.Objective(
        expr=sum(float(v[i, t]) * m.x[i, t] for i in m.agents for t in m.steps),
        sense=pyo.maximize,
    )
    m.supply = pyo.Constraint(
        rule=lambda m: at_most((m.x[i, t] for i in m.agents for t in m.steps), units)
    )
    return m
