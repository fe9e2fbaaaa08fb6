"""The program of `design_lp` in Pyomo, as the mathematics is written: for small type spaces.

Expectations are sums over the others' types, nothing is eliminated and no payment is bounded, so
that the two formulations share no more than the question and can be compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from solvers.question import read

__all__ = ["design_model"]


def design_model(values: Sequence[Any], probabilities: Any, **options: Any) -> Any:
    """A pyomo.environ.ConcreteModel: x[θ, o], p[θ, i], objective `best`. Arguments: see `design`.

    Raises ValueError as `design` does, and ImportError without Pyomo.
    """
    try:
        import pyomo.environ as pyo
    except ImportError as error:
        raise ImportError(
            "pyomo is needed for this formulation and is not installed; "
            "install it: pip install 'mechkit-econ[solve]'",
            name=error.name,
        ) from error
    q = read(values, probabilities, **options)
    v = [array.astype(float) for array in q.values]
    f = q.joint.astype(float)
    agents, outcomes = range(len(v)), range(q.outcomes)
    types = [range(len(array)) for array in v]
    profiles = list(itertools.product(*types))

    m = pyo.ConcreteModel()
    m.x = pyo.Var(profiles, outcomes, bounds=(0, 1))
    m.p = pyo.Var(profiles, agents)

    def replaced(theta: tuple[int, ...], i: int, r: int) -> tuple[int, ...]:
        return (*theta[:i], r, *theta[i + 1 :])

    def u(i: int, t: int, theta: tuple[int, ...]) -> Any:
        """What agent i of type t gets where the reports are θ."""
        return sum(v[i][t, o] * m.x[theta, o] for o in outcomes) - m.p[theta, i]

    def expected(i: int, t: int, r: int) -> Any:
        """P(t) times what type t of agent i expects from the report r."""
        own = [theta for theta in profiles if theta[i] == t]
        return sum(f[theta] * u(i, t, replaced(theta, i, r)) for theta in own)

    m.one = pyo.Constraint(
        profiles, rule=lambda m, *theta: sum(m.x[theta, o] for o in outcomes) == 1
    )

    m.ic = pyo.ConstraintList()
    m.ir = pyo.ConstraintList()
    for i in agents:
        for t, r in itertools.permutations(types[i], 2):
            if q.ic == "bic":
                if f.take(t, axis=i).any():
                    m.ic.add(expected(i, t, t) >= expected(i, t, r))
            else:
                for theta in profiles:
                    if theta[i] == t:
                        m.ic.add(u(i, t, theta) >= u(i, t, replaced(theta, i, r)))
        if q.ir == "expost":
            for theta in profiles:
                m.ir.add(u(i, theta[i], theta) >= 0)
        elif q.ir == "interim":
            for t in types[i]:
                if f.take(t, axis=i).any():
                    m.ir.add(expected(i, t, t) >= 0)

    revenue = sum(f[theta] * m.p[theta, i] for theta in profiles for i in agents)
    m.budget = pyo.ConstraintList()
    if q.budget == "exante":
        m.budget.add(revenue >= 0)
    elif q.budget is not None:
        for theta in profiles:
            total = sum(m.p[theta, i] for i in agents)
            m.budget.add(total == 0 if q.budget == "strong" else total >= 0)

    w = q.worth().astype(float)
    welfare = sum(f[theta] * w[theta][o] * m.x[theta, o] for theta in profiles for o in outcomes)
    goal = revenue if q.objective == "revenue" else welfare
    m.best = pyo.Objective(expr=goal, sense=pyo.maximize)
    return m
