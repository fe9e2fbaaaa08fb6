"""Welfare of a public project that everybody shares.

    maximise (Σ_i v_i − c) x   subject to   x ∈ {0, 1}:

build where the values cover the cost c. With a cost of 0 in sum, not built.

Source: Clarke, "Multipart pricing of public goods" (1971).
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from solvers import prices
from solvers.arrays import numbers
from solvers.certificate import certified
from solvers.optimum import Optimum

__all__ = ["model", "project_cost", "public_project"]


def public_project(values: Any, cost: Any) -> Optimum:
    """Whether to build. values (..., agents): gross values, which may be negative; cost ≥ 0.

    allocation (...): 1 if built, which needs Σ values > cost. value: of the decision, net of cost.
    """
    started = time.perf_counter()
    v = numbers(values, 1, "values")
    c = project_cost(cost, v)
    built = np.asarray(prices.project_net(v, c) > 0) * 1
    return certified(
        prices.Project(values=v, cost=c, built=built),
        allocation=np.asarray(built),
        method="both decisions compared",
        seconds=time.perf_counter() - started,
    )


def project_cost(cost: Any, values: np.ndarray) -> Any:
    """cost as a Fraction beside Fractions and as a float beside floats."""
    boxed = np.array(cost, dtype=object) if values.dtype == object else cost
    array = numbers(boxed, 0, "cost")
    if array.ndim or array < 0:
        raise ValueError(f"cost = {cost!r}: expected one number of at least 0")
    return array[()]


def model(values: Any, cost: Any) -> Any:
    """The program above in Pyomo, for one instance: values (agents,)."""
    from solvers.modelling import pyomo

    pyo = pyomo()
    v = numbers(values, 1, "values")
    m = pyo.ConcreteModel()
    m.x = pyo.Var(domain=pyo.Binary)
    m.welfare = pyo.Objective(
        expr=(sum(float(w) for w in v) - float(project_cost(cost, v))) * m.x, sense=pyo.maximize
    )
    return m
