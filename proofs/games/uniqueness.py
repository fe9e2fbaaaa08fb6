"""Is the equilibrium of simultaneous movers the only one?

* One mover: strict concavity on a convex set leaves one maximum.
* Several players: with the pseudo-gradient g_i = ∂U_i/∂x_i and its Jacobian J, uniqueness follows
  if J + Jᵀ is negative definite (diagonal strict concavity, Rosen 1965, theorem 2), or if J is
  diagonally dominant, |J_ii| > Σ_j |J_ij|, which makes best replies a contraction (Gabay & Moulin
  1980).
* A family whose members care about one sum A of decisions: if the slope T(x_i, A) of a member
  falls in x_i for given A and does not rise in A, then every x_i(A) is unique and nonincreasing,
  and A = Σ x_i(A) has one solution (Corchón 1994, proposition 1). This holds for members that
  differ and for any number of them.

Each is sufficient and none is necessary: where they fail, uniqueness is undecided.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from proofs.games.corners import Problem
from proofs.games.domains import Domain
from proofs.games.factors import NEGATIVE, NONPOSITIVE, POSITIVE
from proofs.games.signs import proved, signs
from proofs.games.solution import Fact


def unique(problems: Sequence[Problem], strict: bool, inside: Domain) -> Fact:
    """The reply of simultaneous players, each of one problem (no kinks); strict: each concave."""
    names = " and ".join(problem.player for problem in problems)
    statement = f"the reply of {names} is unique"
    if not strict:
        return Fact(statement, None, "not every utility is shown to be strictly concave")
    if len(problems) == 1:
        return Fact(statement, True, "strict concavity")
    variables = [x for problem in problems for x in problem.variables]
    slopes = [sp.diff(problem.utility, x) for problem in problems for x in problem.variables]
    jacobian = sp.Matrix([[sp.diff(slope, x) for x in variables] for slope in slopes])
    if all(signs(_dominance(jacobian, row, inside), inside) == POSITIVE for row in _rows(jacobian)):
        return Fact(statement, True, "diagonal dominance (Gabay & Moulin 1980)")
    both = (-(jacobian + jacobian.T)).applyfunc(sp.factor)
    minors = [sp.factor(both[:k, :k].det()) for k in range(1, len(variables) + 1)]
    if all(proved(minor, POSITIVE, inside) for minor in minors):
        return Fact(statement, True, "diagonal strict concavity (Rosen 1965)")
    return Fact(
        statement, None, "neither diagonal strict concavity nor diagonal dominance is shown"
    )


def _rows(matrix: sp.Matrix) -> range:
    return range(matrix.rows)


def _dominance(jacobian: sp.Matrix, row: int, inside: Domain) -> sp.Expr:
    """|J_ii| - Σ |J_ij|, or 0 where a sign is not known."""
    total = -jacobian[row, row]
    for column in range(jacobian.cols):
        if column != row:
            known = signs(jacobian[row, column], inside)
            if known <= NONPOSITIVE:
                total += jacobian[row, column]
            elif known <= POSITIVE | {0}:
                total -= jacobian[row, column]
            else:
                return sp.S.Zero
    return sp.factor(total)


def unique_in_family(problem: Problem, rests: dict[sp.Basic, sp.Sum], inside: Domain) -> Fact:
    """The reply of a family in one regime; rests: see `sums.apart`."""
    statement = f"the reply of {problem.player} is unique"
    if len(problem.variables) != 1 or len(rests) > 1:
        return Fact(statement, None, "the members care about more than one sum")
    (x,) = problem.variables
    slope = sp.diff(problem.utility, x)
    if not rests:
        if proved(sp.factor(sp.diff(slope, x)), NEGATIVE, inside):
            return Fact(statement, True, "strict concavity of every member's problem")
        return Fact(statement, None, "a member's utility is not shown to be strictly concave")
    ((rest, total),) = rests.items()
    if total.function.subs(total.limits[0][0], x.indices[0]) != x:
        return Fact(statement, None, "the members care about a sum of functions of decisions")
    along = sp.factor(sp.diff(slope, x) - sp.diff(slope, rest))
    across = sp.factor(sp.diff(slope, rest))
    if proved(along, NEGATIVE, inside) and proved(across, NONPOSITIVE, inside):
        how = "slopes fall in the own decision and in the sum (Corchón 1994)"
        return Fact(statement, True, how)
    return Fact(statement, None, "slopes are not shown to fall in the sum of decisions")
