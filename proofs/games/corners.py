"""Best replies by active sets: interior and corner solutions, each with the conditions for it.

A player maximises U(x) subject to sides g_k(x) ≥ 0 (bounds, constraints). With multipliers λ,

    ∇U + Σ_k λ_k ∇g_k = 0,   λ_k ≥ 0,   g_k ≥ 0,   λ_k g_k = 0

are necessary where the sides are affine, and sufficient where U is concave and the feasible set
convex (Karush 1939, Kuhn & Tucker 1951). The multipliers can be chosen on sides with linearly
independent gradients (Carathéodory), so at most as many sides as variables are taken as active.
For each active set the equations are solved and the inequalities left over are the conditions.
Players who move at once are solved together: a choice of active sides for each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import sympy as sp

from proofs.games.domains import Domain
from proofs.games.equations import Solution, solved
from proofs.games.factors import NONNEGATIVE, POSITIVE
from proofs.games.forms import factored, neat
from proofs.games.signs import empty, proved, signs
from proofs.limits import Clock

MOST_ACTIVE_SETS = 256


class NoClosedForm(Exception):
    """The derivation ends here, and the message says why."""


@dataclass(frozen=True)
class Side:
    """slack ≥ 0 (or = 0); name: of the corner at which the slack is 0.

    edge: not a bound of the player's but the border of a regime of later replies; for_all: it must
    hold for every member of a family, so that no single point has it at zero.
    """

    name: str
    slack: sp.Expr
    equality: bool = False
    edge: bool = False
    for_all: bool = False


@dataclass(frozen=True)
class Problem:
    """One player's: maximise utility over variables on sides.

    closing: put in after differentiation, what the player takes as given and is decided at the
    same time: the sum over the other members of a family.
    """

    player: str
    utility: sp.Expr
    variables: tuple[sp.Basic, ...]
    sides: tuple[Side, ...]
    closing: tuple[tuple[sp.Basic, sp.Expr], ...] = ()

    def closed(self, expression: sp.Expr) -> sp.Expr:
        return expression.xreplace(dict(self.closing)) if self.closing else expression


@dataclass(frozen=True)
class Candidate:
    """Decisions that may be optimal where all `conditions` (expressions) are nonnegative."""

    name: str
    decisions: dict[sp.Basic, sp.Expr]
    conditions: tuple[sp.Expr, ...]
    active: tuple[Side, ...] = ()


@dataclass(frozen=True)
class Candidates:
    """complete: every point that meets the conditions of optimality is among them."""

    found: tuple[Candidate, ...]
    complete: bool


def candidates(problems: Sequence[Problem], domain: Domain, clock: Clock) -> Candidates:
    """The points that meet every player's first order conditions, by active set."""
    if len(problems) > 1 and _separate(problems):
        return _together(problems, domain, clock)
    alone = len(problems) == 1 and not problems[0].closing
    choices = [list(_active_sets(problem, edges=alone)) for problem in problems]
    count = 1
    for sets in choices:
        count *= len(sets)
    if count > MOST_ACTIVE_SETS:
        raise NoClosedForm(
            f"{count} combinations of active bounds and constraints, more than {MOST_ACTIVE_SETS}"
        )
    found: list[Candidate] = []
    complete = True
    for chosen in product(*choices):
        some, all_found = _at(problems, chosen, domain, clock)
        complete &= all_found
        found += some
    return Candidates(tuple(found), complete)


def _separate(problems: Sequence[Problem]) -> bool:
    """No player's problem depends on what another decides."""
    return all(
        not problem.closing
        and not any(side.edge for side in problem.sides)
        and not any(
            text.has(*other.variables)
            for other in problems
            if other is not problem
            for text in (problem.utility, *(side.slack for side in problem.sides))
        )
        for problem in problems
    )


def _together(problems: Sequence[Problem], domain: Domain, clock: Clock) -> Candidates:
    """Separate problems one after the other: what contradicts itself is dropped on the way.

    Thresholds in a known order leave nested active sets, one more for each player and not twice
    as many.
    """
    found, complete = [Candidate("interior", {}, ())], True
    for problem in problems:
        own = candidates([problem], domain, clock)
        complete &= own.complete
        found = [
            both
            for one in found
            for other in own.found
            if (both := _both(one, other, domain)) is not None
        ]
        if len(found) > MOST_ACTIVE_SETS:
            raise NoClosedForm(f"more than {MOST_ACTIVE_SETS} combinations of active bounds")
    return Candidates(tuple(found), complete)


def _both(one: Candidate, other: Candidate, domain: Domain) -> Candidate | None:
    kept = settled_all((*one.conditions, *other.conditions), domain)
    if kept is None or interior_empty(kept, domain):
        return None
    name = ", ".join(each.name for each in (one, other) if each.name != "interior") or "interior"
    return Candidate(
        name,
        {**one.decisions, **other.decisions},
        irredundant(kept, domain),
        (*one.active, *other.active),
    )


def _active_sets(problem: Problem, *, edges: bool) -> Iterator[tuple[Side, ...]]:
    """Sides that may hold with equality; edges: those of regimes among them."""
    always = tuple(side for side in problem.sides if side.equality)
    others = [
        s for s in problem.sides if not s.equality and not s.for_all and (edges or not s.edge)
    ]
    for size in range(len(problem.variables) - len(always) + 1):
        for some in combinations(others, size):
            active = (*always, *some)
            gradients = sp.Matrix(
                [[sp.diff(side.slack, x) for x in problem.variables] for side in active]
            )
            if not active or gradients.rank() == len(active):
                yield active


def _at(
    problems: Sequence[Problem],
    chosen: Sequence[tuple[Side, ...]],
    domain: Domain,
    clock: Clock,
) -> tuple[list[Candidate], bool]:
    """Candidates at which exactly the chosen sides are held at zero."""
    complete = True
    corners: list[list[dict[sp.Basic, sp.Expr]]] = []
    for problem, active in zip(problems, chosen, strict=True):
        places, every = _corners(problem, active, domain, clock)
        complete &= every
        corners.append(places)
    found = []
    for places_of_all in product(*corners):
        equations: list[sp.Expr] = []
        unknowns: list[sp.Basic] = []
        fixed: dict[sp.Basic, sp.Expr] = {}
        for problem, place in zip(problems, places_of_all, strict=True):
            free = [x for x in problem.variables if x not in place]
            utility = problem.utility.subs(place)
            equations += [problem.closed(sp.diff(utility, x)) for x in free]
            unknowns += free
            fixed.update({x: problem.closed(value) for x, value in place.items()})
            if any(fixed[x].has(x) for x in place):
                raise NoClosedForm(f"a constraint of {problem.player} is about its rivals too")
        equations = [_fixed(equation, fixed) for equation in equations]
        alone = len(problems) == 1 and not problems[0].closing
        if alone and unknowns and all(equation == 0 for equation in equations):
            # A flat piece: it is as good at its corners, which other active sets give.
            continue
        answer = solved(equations, unknowns, domain, clock)
        if answer.free:
            raise NoClosedForm(
                f"the first order conditions for {', '.join(map(str, unknowns))} leave a "
                "continuum of solutions"
            )
        complete &= answer.complete
        for solution in answer.found:
            if any(value.has(sp.I) for value in solution.values.values()):
                # Real only where complex parts cancel: such a root is left to numbers.
                complete = False
                continue
            candidate = _candidate(problems, chosen, fixed, solution, domain)
            if candidate is not None:
                found.append(candidate)
    return found, complete


def _fixed(expression: sp.Expr, fixed: dict[sp.Basic, sp.Expr]) -> sp.Expr:
    for _ in range(len(fixed)):
        if not expression.has(*fixed):
            break
        expression = expression.subs(fixed)
    return expression


def _corners(
    problem: Problem, active: Sequence[Side], domain: Domain, clock: Clock
) -> tuple[list[dict[sp.Basic, sp.Expr]], bool]:
    """Solutions of the active sides for as many variables as there are sides."""
    if not active:
        return [{}], True
    size = len(active)
    for variables in combinations(problem.variables, size):
        jacobian = sp.Matrix([[sp.diff(s.slack, x) for x in variables] for s in active])
        if sp.simplify(jacobian.det()) == 0:
            continue
        answer = solved([s.slack for s in active], variables, domain, clock)
        if not answer.free:
            return [dict(s.values) for s in answer.found], answer.complete
    return [], False


def _candidate(
    problems: Sequence[Problem],
    chosen: Sequence[tuple[Side, ...]],
    fixed: dict[sp.Basic, sp.Expr],
    solution: Solution,
    domain: Domain,
) -> Candidate | None:
    """The solution with its conditions, or None where one of them never holds."""
    decisions = {
        x: neat(_fixed(value, solution.values)) for x, value in {**fixed, **solution.values}.items()
    }
    conditions: list[sp.Expr] = list(solution.real_if)
    for problem, active in zip(problems, chosen, strict=True):
        inactive = [side for side in problem.sides if side not in active]
        conditions += [problem.closed(side.slack).subs(decisions) for side in inactive]
        conditions += [
            problem.closed(multiplier).subs(decisions)
            for side, multiplier in _multipliers(problem, active)
            if not side.equality
        ]
    kept = settled_all(conditions, domain)
    if kept is None:
        return None
    name = ", ".join(side.name for active in chosen for side in active) or "interior"
    return Candidate(name, decisions, kept, tuple(side for active in chosen for side in active))


def _multipliers(problem: Problem, active: Sequence[Side]) -> list[tuple[Side, sp.Expr]]:
    """λ from ∇U + Σ λ ∇g = 0, by rows in which the gradients of the sides are independent."""
    if not active:
        return []
    gradients = sp.Matrix([[sp.diff(side.slack, x) for side in active] for x in problem.variables])
    gradient = sp.Matrix([sp.diff(problem.utility, x) for x in problem.variables])
    for rows in combinations(range(len(problem.variables)), len(active)):
        square = gradients.extract(list(rows), list(range(len(active))))
        if sp.simplify(square.det()) != 0:
            values = square.LUsolve(-gradient.extract(list(rows), [0]))
            return list(zip(active, values, strict=True))
    raise NoClosedForm(f"the active sides of {problem.player} have dependent gradients")


# --- Conditions ----------------------------------------------------------------------------------


def settled_all(conditions: Sequence[sp.Expr], domain: Domain) -> tuple[sp.Expr, ...] | None:
    """Conditions without those that always hold; None where one never does."""
    kept: list[sp.Expr] = []
    for condition in conditions:
        left = settled(condition, domain)
        if left is False:
            return None
        if left is not True and left not in kept:
            kept.append(left)
    return tuple(kept)


def settled(condition: sp.Expr, domain: Domain) -> sp.Expr | bool:
    """`condition` ≥ 0: True if it always holds, False if never, else without positive factors."""
    condition = sp.sympify(condition)
    found = signs(condition, domain)
    if found <= NONNEGATIVE:
        return True
    if 0 not in found and 1 not in found:
        return False
    if condition.has(sp.I, sp.zoo, sp.nan):
        return False
    left = sp.Integer(1)
    for factor in sp.Mul.make_args(factored(condition)):
        known = signs(factor, domain)
        if known == POSITIVE:
            continue
        left *= -1 if known == frozenset({-1}) else factor
    left = sp.expand(left)
    if proved(left, NONNEGATIVE, domain):
        return True
    if proved(left, frozenset({-1}), domain):
        return False
    return left


def relation(condition: sp.Expr) -> sp.Basic:
    """`condition` ≥ 0 with positive terms on the left and negative terms on the right."""
    terms = sp.Add.make_args(sp.expand(condition))
    left = sp.Add(*(term for term in terms if not term.could_extract_minus_sign()))
    right = sp.Add(*(-term for term in terms if term.could_extract_minus_sign()))
    if left.is_positive and right.is_positive and not (left.is_Add or right.is_Add):
        # √u ≥ v is u ≥ v² for positive sides.
        degree = sp.ilcm(
            1, 1, *(p.exp.q for p in (left * right).atoms(sp.Pow) if p.exp.is_Rational)
        )
        left, right = left**degree, right**degree
        common = sp.gcd(left, right)
        left, right = left / common, right / common
    return sp.Le(right, left) if left.is_number else sp.Ge(left, right)


def irredundant(conditions: Sequence[sp.Expr], domain: Domain) -> tuple[sp.Expr, ...]:
    """Conditions without those that the others imply."""
    kept = list(conditions)
    for condition in list(conditions):
        others = [c for c in kept if c is not condition]
        if others and proved(condition, NONNEGATIVE, domain.where(*others)):
            kept = others
    return tuple(kept)


def interior_empty(conditions: Sequence[sp.Expr], domain: Domain) -> bool:
    """No point of the domain makes every condition strictly positive (proved)."""
    return empty(domain.where(*(sp.Gt(c, 0) for c in conditions))).holds is True
