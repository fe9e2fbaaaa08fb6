"""Pyomo models solved by HiGHS, and what HiGHS's termination says of them.

The models are the mathematics in code, and what the fast algorithms are compared with. Pyomo takes
seconds to build 10⁵ terms; where size matters, matrices go to HiGHS (`solvers.highs`).

Source: Hart, Watson & Woodruff, "Pyomo: modeling and solving mathematical programs in Python"
(2011).
"""

from __future__ import annotations

import time
from typing import Any

from solvers.optimum import Optimum, Status

__all__ = ["pyomo", "solved"]


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


def solved(model: Any, *, seconds: float | None = None, gap: float = 1e-9) -> Optimum:
    """Solve a Pyomo model with one objective by HiGHS; its variables then hold the solution.

    seconds: a time limit. value and bound are the model's own, in the sense of its objective; the
    bound is HiGHS's word. A limit gives FEASIBLE or UNSOLVED, never OPTIMAL.
    """
    pyo = pyomo()
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
    if seconds is not None:
        solver.config.time_limit = seconds
    result = solver.solve(model)
    ended = result.termination_condition
    value, bound = result.best_feasible_objective, result.best_objective_bound
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
        (objective,) = model.component_data_objects(pyo.Objective, active=True)
        value = float(pyo.value(objective))
    return Optimum(
        value=value,
        bound=bound,
        status=status,
        method="Pyomo and HiGHS",
        seconds=time.perf_counter() - started,
        notes=() if status is Status.OPTIMAL else (f"HiGHS ended with: {ended.name}",),
    )
