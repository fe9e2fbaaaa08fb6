"""Exact optimisation over arrays: how good could any mechanism be?

This room sees arrays of values, costs, capacities and priors, and never a mechanism. It may import
NumPy and SciPy, and, inside the function that needs them, Pyomo, highspy and CVXPY (the extra
`solve`). It imports neither `mechkit` nor `proofs` nor `learners`, so that it can be used alone.

No solver is here yet. Assignment, combinatorial allocation, trade, divisible resources, VCG,
Myerson's optimal auction, optimal mechanisms by linear programming, and the certificates that a
second program checks are still to come.
"""

from solvers.bundles import Quantised
from solvers.divisible import Concave, Linear, Logarithmic, Saturating, divisible
from solvers.qvcg import quantisation, qvcg

__all__ = [
    "Concave",
    "Linear",
    "Logarithmic",
    "Quantised",
    "Saturating",
    "divisible",
    "quantisation",
    "qvcg",
]
