"""Exact optimisation over arrays: how good could any mechanism be?

This room sees arrays of values, costs, capacities and priors, and never a mechanism. It imports
NumPy and SciPy, and, inside the function that needs them, Pyomo, highspy and CVXPY (the extra
`solve`). It imports neither `mechkit` nor `proofs` nor `learners`, so that it can be used alone.

Every function returns an `Optimum`: value, bound, allocation, status, and a certificate that
`check` verifies with none of the solver's code. Values that are Fractions are solved in rationals.
Axes written `...` are batches: many instances at once.

>>> import solvers
>>> found = solvers.unit_demand([[3, 1], [2, 4], [2, 0]])
>>> found.value, found.bound, found.status
(7.0, 7.0, <Status.OPTIMAL: 'optimal'>)
>>> solvers.check(found.certificate).holds
True
>>> solvers.vcg.unit_demand([[3, 1], [2, 4], [2, 0]]).payments
array([2., 0., 0.])

    welfare of                      function            allocation
    identical units                 multi_unit          (..., agents) units
    separate items                  additive            (..., agents, items) 0/1
    unit demand                     unit_demand         (..., agents, items) 0/1
    advertising positions           positions           (..., agents, positions) 0/1
    a public project                public_project      (...) 0/1
    buyers and sellers              double_auction      (..., buyers + sellers) 0/1
    pairs that may trade            matched_trade       (pairs,) 0/1
    every bundle, dense             packages            (..., agents, items) 0/1
    one bundle each                 single_minded       (..., agents, items) 0/1
    XOR bids                        winners             (bids,) 0/1

    commitment, watched by          function            allocation
    a follower                      commitment          (actions,) probabilities
    an attacker of targets          security            (targets,) probabilities

A `Commitment` has a follower's ties broken for the leader, and beside it against the leader;
`harsanyi` makes one follower of several types, `schedules` a lottery of a coverage.

`divisible` shares out resources among concave utilities, `divisions` does so for many instances of
saturating ones at once, and `qvcg` in quanta, with a bid for every bundle.

`vcg` holds the same names, with everybody's payment. Beneath: `Program` and `solve`, linear and
integer programs by HiGHS; `exact`, a linear program in rationals; `grow`, a proof of an integer
optimum as a tree.
"""

from solvers import prices, vcg
from solvers.additive import additive
from solvers.assignment import unit_demand
from solvers.bundles import Quantised
from solvers.certificate import Checked, check
from solvers.combinatorial import winners
from solvers.commitment import Commitment, commitment, harsanyi
from solvers.design_lp import design
from solvers.divisible import Concave, Linear, Logarithmic, Saturating, divisible
from solvers.divisions import divisions
from solvers.highs import Solution, solve
from solvers.myerson import myerson
from solvers.optimum import Optimum, Status, relative_gap
from solvers.program import Program
from solvers.project import public_project
from solvers.qvcg import quantisation, qvcg
from solvers.ranking import positions
from solvers.rational import exact
from solvers.security import schedules, security
from solvers.single_minded import single_minded
from solvers.tables import packages
from solvers.trade import double_auction, matched_trade
from solvers.trade_design import second_best
from solvers.tree import Tree, grow
from solvers.units import multi_unit

__all__ = [
    "Checked",
    "Commitment",
    "Concave",
    "Linear",
    "Logarithmic",
    "Optimum",
    "Program",
    "Quantised",
    "Saturating",
    "Solution",
    "Status",
    "Tree",
    "additive",
    "check",
    "commitment",
    "design",
    "divisible",
    "divisions",
    "double_auction",
    "exact",
    "grow",
    "harsanyi",
    "matched_trade",
    "multi_unit",
    "myerson",
    "packages",
    "positions",
    "prices",
    "public_project",
    "quantisation",
    "qvcg",
    "relative_gap",
    "schedules",
    "second_best",
    "security",
    "single_minded",
    "solve",
    "unit_demand",
    "vcg",
    "winners",
]
