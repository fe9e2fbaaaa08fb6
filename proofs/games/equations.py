"""Solving first order conditions, and saying whether all solutions were found.

Denominators are cleared (they do not vanish where the utility is defined). A linear system is
solved as such; one equation in one unknown that is a polynomial is factored, and factors of degree
one and two are solved by formula; everything else is SymPy's `solve`, of whose answer nobody knows
whether it is complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sympy as sp
from sympy.solvers.solveset import NonlinearError

from proofs.games.domains import Domain
from proofs.games.factors import NEGATIVE, NONNEGATIVE
from proofs.games.forms import neat
from proofs.games.signs import signs
from proofs.limits import Clock


@dataclass(frozen=True)
class Solution:
    """Values of the unknowns, real where every expression of `real_if` is nonnegative."""

    values: dict[sp.Basic, sp.Expr]
    real_if: tuple[sp.Expr, ...] = ()


@dataclass(frozen=True)
class Solutions:
    """complete: these are all. free: a whole line (or more) of solutions, which none describes."""

    found: tuple[Solution, ...]
    complete: bool
    free: bool = False


def numerator(expression: sp.Expr) -> sp.Expr:
    """An expression that vanishes where the given one does."""
    return sp.expand(sp.fraction(sp.together(sp.powsimp(expression)))[0])


def solved(
    equations: Sequence[sp.Expr], unknowns: Sequence[sp.Basic], domain: Domain, clock: Clock
) -> Solutions:
    """Real solutions of `equations` = 0."""
    if not unknowns:
        return Solutions((Solution({}),), True)
    tops = [numerator(equation) for equation in equations]
    tops = [top for top in tops if top != 0]
    if any(not top.has(*unknowns) for top in tops):
        # An equation among parameters: at most a set of measure zero of them meets it.
        return Solutions((), True)
    if len(tops) < len(unknowns):
        return Solutions((), False, free=True)
    try:
        matrix, right = sp.linear_eq_to_matrix(tops, list(unknowns))
    except NonlinearError:
        return _nonlinear(tops, unknowns, domain, clock)
    return _linear(matrix, right, unknowns, domain)


def _linear(
    matrix: sp.Matrix, right: sp.Matrix, unknowns: Sequence[sp.Basic], domain: Domain
) -> Solutions:
    if matrix.rows != matrix.cols:
        return Solutions((), False)
    determinant = sp.factor(matrix.det(method="berkowitz"))
    if determinant == 0:
        return Solutions((), False, free=True)
    # Where the determinant vanishes there may be none or many solutions.
    complete = 0 not in signs(determinant, domain)
    values = matrix.LUsolve(right) if matrix.rows > 1 else right / matrix[0, 0]
    written = {x: neat(v) for x, v in zip(unknowns, values, strict=True)}
    return Solutions((Solution(written),), complete)


def _nonlinear(
    tops: Sequence[sp.Expr], unknowns: Sequence[sp.Basic], domain: Domain, clock: Clock
) -> Solutions:
    if len(tops) == len(unknowns) == 1 and tops[0].is_polynomial(unknowns[0]):
        return _polynomial(tops[0], unknowns[0], domain)
    try:
        found = clock.limited(sp.solve, list(tops), list(unknowns), dict=True, seconds=10.0)
    except NotImplementedError:
        found = None
    if found is None:
        return Solutions((), False)
    kept = []
    for values in found:
        if set(values) != set(unknowns) or any(v.has(*unknowns) for v in values.values()):
            return Solutions((), False, free=True)
        simple = {x: _simple(v, clock) for x, v in values.items()}
        kept.append(Solution(simple, _reality(simple.values(), domain)))
    return Solutions(tuple(kept), False)


def _polynomial(top: sp.Expr, x: sp.Basic, domain: Domain) -> Solutions:
    """Roots of the factors of degree one and two."""
    found: list[Solution] = []
    complete = True
    for factor, _ in sp.factor_list(top, x)[1]:
        coefficients = sp.Poly(factor, x).all_coeffs()
        leading = signs(coefficients[0], domain)
        if len(coefficients) > 3:
            complete = False
            continue
        complete &= 0 not in leading
        if len(coefficients) == 2:
            found.append(Solution({x: neat(-coefficients[1] / coefficients[0])}))
            continue
        a, b, c = coefficients
        under = sp.factor(b**2 - 4 * a * c)
        known = signs(under, domain)
        if known == NEGATIVE:
            continue
        root = sp.sqrt(under)
        for sign in (1, -1):
            value = neat((-b + sign * root) / (2 * a))
            found.append(Solution({x: value}, () if known <= NONNEGATIVE else (under,)))
    return Solutions(tuple(found), complete)


def _simple(value: sp.Expr, clock: Clock) -> sp.Expr:
    return clock.limited(sp.simplify, value, seconds=3.0) or value


def _reality(values: Iterable[sp.Expr], domain: Domain) -> tuple[sp.Expr, ...]:
    """What must be nonnegative for even roots in the values to be real."""
    roots = {
        power.base
        for value in values
        for power in value.atoms(sp.Pow)
        if power.exp.is_Rational and power.exp.q % 2 == 0
    }
    return tuple(base for base in roots if not signs(base, domain) <= NONNEGATIVE)
