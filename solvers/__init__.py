"""Exact optimisation over arrays: how good could any mechanism be?

This room sees arrays of values, costs, capacities and priors, and never a mechanism. It may import
NumPy and SciPy, and, inside the function that needs them, Pyomo, highspy and CVXPY (the extra
`solve`). It imports neither `mechkit` nor `proofs` nor `learners`, so that it can be used alone.
"""

from solvers.design_lp import design
from solvers.myerson import myerson
from solvers.trade_design import second_best

__all__ = ["design", "myerson", "second_best"]
