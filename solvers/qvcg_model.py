"""The quantised VCG program as it is written, variable by variable: for small M, and to compare.

    maximise   Σ_i Σ_b v_i(b) x_ib
    subject to Σ_b x_ib ≤ 1              each bidder gets at most one bundle
               Σ_i Σ_b b_r x_ib ≤ M      each resource r has M quanta
               x ≥ 0                     (or x ∈ {0, 1})

b runs over {1…M}³ (as the paper prints it, N × M³ variables; a bidder may get nothing) or over
{0…M}³. v_i(nothing) counts for a bidder that gets no bundle.

Source: the quantised VCG benchmark of the dual-currency VCG paper, after Jia et al. (2010).
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from scipy import sparse

from solvers.optimum import Optimum, Status
from solvers.program import Program

__all__ = ["full_program", "model", "solve_model"]


def _grid(quanta: int, levels: str) -> np.ndarray:
    """(k, 3) the bundles other than nothing."""
    first = 1 if levels == "printed" else 0
    bundles = np.array(list(product(range(first, quanta + 1), repeat=3)))
    return bundles[bundles.max(axis=1) > 0]


def model(values: np.ndarray, *, levels: str = "full", integer: bool = False) -> Any:
    """The Pyomo model of values (N, M+1, M+1, M+1)."""
    import pyomo.environ as pyo

    agents, quanta = len(values), values.shape[1] - 1
    bundles = [tuple(b) for b in _grid(quanta, levels).tolist()]
    m = pyo.ConcreteModel("quantised VCG")
    m.agents = pyo.RangeSet(0, agents - 1)
    m.bundles = pyo.Set(initialize=bundles, dimen=3)
    m.resources = pyo.RangeSet(0, 2)
    m.x = pyo.Var(m.agents, m.bundles, domain=pyo.Binary if integer else pyo.NonNegativeReals)
    empty = [float(v) for v in values[:, 0, 0, 0]]
    m.welfare = pyo.Objective(
        expr=sum(empty)
        + sum((float(values[(i, *b)]) - empty[i]) * m.x[i, b] for i in m.agents for b in bundles),
        sense=pyo.maximize,
    )
    m.one_bundle = pyo.Constraint(m.agents, rule=lambda m, i: sum(m.x[i, b] for b in bundles) <= 1)
    m.capacity = pyo.Constraint(
        m.resources,
        rule=lambda m, r: (
            sum(b[r] * m.x[i, b] for i in m.agents for b in bundles if b[r]) <= quanta
        ),
    )
    return m


def solve_model(
    values: np.ndarray, *, levels: str = "full", integer: bool = False, seconds: float | None = None
) -> Optimum:
    """Solve `model` by HiGHS: value, bound (HiGHS's word), allocation (N, M+1, M+1, M+1) of x."""
    from pyomo.contrib.appsi.base import TerminationCondition
    from pyomo.contrib.appsi.solvers import Highs

    m = model(values, levels=levels, integer=integer)
    solver = Highs()
    if not solver.available():
        raise ImportError("highspy is not installed; install it: pip install 'mechkit-econ[solve]'")
    solver.config.load_solution = False
    solver.config.time_limit = seconds
    solver.highs_options = {"mip_rel_gap": 1e-9, "mip_abs_gap": 0.0}
    found = solver.solve(m)
    value, bound = found.best_feasible_objective, found.best_objective_bound
    method = "HiGHS on the Pyomo model"
    if value is None or not np.isfinite(value):
        return Optimum(
            value=None, bound=np.inf if bound is None else bound, status=Status.UNSOLVED,
            method=method, notes=(f"HiGHS ended with {found.termination_condition}",),
        )  # fmt: skip
    found.solution_loader.load_vars()
    x = np.zeros(values.shape)
    for (i, *b), variable in m.x.items():
        x[(i, *b)] = variable.value
    x[:, 0, 0, 0] = 1 - x.sum(axis=(1, 2, 3))
    done = found.termination_condition == TerminationCondition.optimal
    return Optimum(
        value=value,
        bound=bound if bound is not None and np.isfinite(bound) else value if done else np.inf,
        status=Status.OPTIMAL if done else Status.FEASIBLE,
        allocation=x,
        method=method,
        notes=() if done else (f"HiGHS ended with {found.termination_condition}",),
    )


def full_program(values: np.ndarray, *, levels: str = "full", integer: bool = False) -> Program:
    """The same program as matrices, columns by agent, then bundle; without Σ v_i(nothing)."""
    agents, quanta = len(values), values.shape[1] - 1
    bundles = _grid(quanta, levels)
    k = len(bundles)
    gains = values[:, bundles[:, 0], bundles[:, 1], bundles[:, 2]] - values[:, 0, 0, 0][:, None]
    one = sparse.kron(sparse.eye_array(agents), np.ones((1, k)))
    use = sparse.hstack([sparse.csr_array(bundles.T)] * agents)
    return Program(
        objective=np.asarray(gains, dtype=float).ravel(),
        matrix=sparse.vstack([one, use]),
        row_low=-np.inf * np.ones(agents + 3),
        row_high=np.r_[np.ones(agents), np.full(3, float(quanta))],
        low=np.zeros(agents * k),
        high=np.ones(agents * k),
        whole=integer,
    )
