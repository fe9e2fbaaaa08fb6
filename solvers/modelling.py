"""Pyomo models solved by HiGHS, and what HiGHS's termination says of them.

The models are the mathematics in code, and what the fast algorithms are compared with. Pyomo takes
seconds to build 10⁵ terms; where size matters, matrices go to HiGHS (`solvers.highs`).

Source: Hart, Watson & Woodruff, "Pyomo: modeling and solving mathematical programs in Python"
(2011).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Any

from solvers.optimum import Optimum, Status

__all__ = ["at_most", "pyomo", "solved"]


def pyomo() -> Any:
    """The module pyomo.environ; ImportError that names the extra where it is missing."""
    try:
        import pyomo.environ as pyo
    except ImportError as error:
        raise ImportError(
            "pyomo is needed for this model and is not installed; "
            "install it: pip install 'mechkit-econ[solve]'",
            name=error.name,
        ) from error
    return pyo


def at_most(terms: Iterable[Any], most: int = 1) -> Any:
    """The relation Σ terms ≤ most; where there are no terms it holds, and is left out."""
    pyo = pyomo()
    summed = list(terms)
    return pyo.quicksum(summed) <= most if summed else pyo.Constraint.Feasible


def solved(model: Any, *, seconds: float | None = None, gap: float = 1e-9) -> Optimum:
    """Solve a Pyomo model with one objective by HiGHS; its variables then hold the solution.

    seconds: a time limit. value and bound are the model's own, in the sense of its objective; the
    bound is HiGHS's word. A limit gives FEASIBLE or UNSOLVED, never OPTIMAL.

    HiGHS's tolerances are absolute, so it sees the objective divided by a power of two that brings
    the largest coefficient near 1: values of 1e-9 and of 1e12 are solved alike.
    """
    pyo = pyomo()
    from pyomo.common.modeling import unique_component_name
    from pyomo.contrib.appsi.base import TerminationCondition
    from pyomo.contrib.appsi.solvers import Highs

    started = time.perf_counter()
    solver = Highs()
    if not solver.available():
        raise ImportError(
            "highspy is needed to solve Pyomo models and is not installed; "
            "install it: pip install 'mechkit-econ[solve]'",
            name="highspy",
        )
    solver.config.load_solution = False
    solver.config.mip_gap = gap
    solver.highs_options = {"mip_abs_gap": 0.0}
    if seconds is not None:
        solver.config.time_limit = seconds
    (objective,) = model.component_data_objects(pyo.Objective, active=True)
    if not any(True for _ in model.component_data_objects(pyo.Var)):
        return _without_variables(pyo, model, objective)
    unit = _size(objective.expr)
    scaled = pyo.Objective(expr=objective.expr / unit, sense=objective.sense)
    name = unique_component_name(model, "scaled")
    objective.deactivate()
    model.add_component(name, scaled)
    try:
        result = solver.solve(model)
    finally:
        model.del_component(name)
        objective.activate()
    ended = result.termination_condition
    value, bound = result.best_feasible_objective, result.best_objective_bound
    bound = None if bound is None else bound * unit
    ends = {
        TerminationCondition.optimal: Status.OPTIMAL,
        TerminationCondition.infeasible: Status.INFEASIBLE,
        TerminationCondition.unbounded: Status.UNBOUNDED,
    }
    status = ends.get(ended, Status.UNSOLVED if value is None else Status.FEASIBLE)
    if status in (Status.INFEASIBLE, Status.UNBOUNDED):
        value = None
    if value is not None:
        result.solution_loader.load_vars()
        value = float(pyo.value(objective))
    return Optimum(
        value=value,
        bound=bound,
        status=status,
        method="Pyomo and HiGHS",
        seconds=time.perf_counter() - started,
        notes=() if status is Status.OPTIMAL else (f"HiGHS ended with: {ended.name}",),
    )


def _without_variables(pyo: Any, model: Any, objective: Any) -> Optimum:
    """HiGHS calls such a model empty, whatever its constraints say of numbers."""
    constraints = model.component_data_objects(pyo.Constraint, active=True)
    holds = all(pyo.value(c.expr) for c in constraints)
    value = float(pyo.value(objective)) if holds else None
    return Optimum(
        value=value,
        bound=value,
        status=Status.OPTIMAL if holds else Status.INFEASIBLE,
        method="Pyomo, without variables",
    )


def _size(expression: Any) -> float:
    """The power of two next to the largest coefficient of a linear expression; 1 for none."""
    from pyomo.repn import generate_standard_repn

    linear = generate_standard_repn(expression)
    largest = max((abs(float(c)) for c in linear.linear_coefs), default=0.0)
    return 2.0 ** min(math.frexp(largest)[1], 1023) if largest else 1.0
