"""The reply of a family whose members differ, without writing the members out.

Member i's utility depends on its own decision x_i and on sums A = Σ_j f(x_j) over all members
(an aggregative game: Selten 1970, Corchón 1994). Its first order condition, with the other
members' part of A given, is solved for x_i = φ_i(A); summed over the members this is an equation
for A alone, A = Σ_j f(φ_j(A)), which is solved if it is linear. Where utilities contain no such
sum, every member's problem is its own, corners included.

The formulas are for the case that no member is at a bound; the condition for it has the family's
index in it and must hold for every member. `whole` shows when an earlier mover, who could drive
members to a bound, does not want to.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from proofs.games.corners import (
    NoClosedForm,
    Problem,
    candidates,
    relation,
    settled,
    settled_all,
)
from proofs.games.domains import Domain, Range
from proofs.games.equations import solved
from proofs.games.factors import NEGATIVE, NONNEGATIVE, NONPOSITIVE, POSITIVE
from proofs.games.forms import neat
from proofs.games.signs import proved, signs
from proofs.games.sums import member, summed, term
from proofs.limits import Clock


@dataclass(frozen=True)
class Members:
    """A family's problem: member i's, in terms of x[i] and of the rests R of the sums."""

    problem: Problem
    index: sp.Basic
    size: sp.Expr
    rests: dict[sp.Basic, sp.Sum]

    @property
    def drop_out(self) -> bool:
        """The members' one bound is x_i ≥ 0, where they add nothing to the sums."""
        x, *more = self.problem.variables
        return (
            not more
            and [side.slack for side in self.problem.sides] == [x]
            and all(term(total, self.index).subs(x, 0) == 0 for total in self.rests.values())
        )


@dataclass(frozen=True)
class FamilyReply:
    """decisions of member i where `conditions` hold for all members; `every` corner where known."""

    decisions: dict[sp.Basic, sp.Expr]
    conditions: tuple[sp.Expr, ...]
    everywhere: dict[sp.Basic, sp.Expr] | None


def differ(problem: Problem, index: sp.Basic, rests: dict[sp.Basic, sp.Sum]) -> bool:
    """Do the members of a family have parameters of their own?"""
    bases = {x.base for x in problem.variables}
    texts = [problem.utility, *(side.slack for side in problem.sides)]
    texts += [term(total, index) for total in rests.values()]
    for text in texts:
        indexed = text.atoms(sp.Indexed)
        if any(x.base not in bases and x.indices == (index,) for x in indexed):
            return True
        if text.xreplace({x: sp.Dummy() for x in indexed}).has(index):
            return True
    return False


def family_reply(members: Members, domain: Domain, clock: Clock) -> FamilyReply:
    """All members' decisions, none of them at a bound (and at bounds, if they are independent)."""
    problem, index = members.problem, members.index
    if not members.rests:
        return _independent(members, domain, clock)
    aggregates = {rest: sp.Dummy("A", real=True) for rest in members.rests}
    others = {rest: aggregates[rest] - term(total, index) for rest, total in members.rests.items()}
    slopes = [sp.diff(problem.utility, x).xreplace(others) for x in problem.variables]
    answer = solved(slopes, problem.variables, domain, clock)
    if len(answer.found) != 1:
        raise NoClosedForm(
            f"the first order condition of {problem.player} has no single solution for a member"
        )
    alone = answer.found[0].values
    equations = []
    for rest, total in members.rests.items():
        mine = term(total, index).subs(alone)
        equations.append(aggregates[rest] - summed(member(mine, index), members.size))
    if any(
        total.has(A) for e in equations for total in e.atoms(sp.Sum) for A in aggregates.values()
    ):
        raise NoClosedForm(f"the sums over {problem.player} are no linear function of themselves")
    sums = solved(equations, list(aggregates.values()), domain, clock)
    if len(sums.found) != 1:
        raise NoClosedForm(f"the sums over {problem.player} are not determined in closed form")
    decisions = {x: neat(value.subs(sums.found[0].values)) for x, value in alone.items()}
    conditions = settled_all([s.slack.subs(decisions) for s in problem.sides], domain)
    if conditions is None:
        raise NoClosedForm(f"some member of {problem.player} is always at a bound")
    return FamilyReply(decisions, conditions, None)


def _independent(members: Members, domain: Domain, clock: Clock) -> FamilyReply:
    found = candidates([members.problem], domain, clock)
    inside = [c for c in found.found if not c.active]
    if len(inside) != 1:
        raise NoClosedForm(f"{members.problem.player} has no single interior reply")
    corners = [c for c in found.found if c.active]
    everywhere = {
        x: sp.Piecewise(
            *(
                (c.decisions[x], sp.And(*(relation(e) for e in c.conditions)))
                for c in (*inside, *corners)
            )
        )
        if corners
        else value
        for x, value in inside[0].decisions.items()
    }
    return FamilyReply(inside[0].decisions, inside[0].conditions, everywhere)


# --- An earlier mover's view ---------------------------------------------------------------------


def stays(
    problem: Problem,
    conditions: tuple[sp.Expr, ...],
    members: Members,
    fewer: sp.Expr,
    domain: Domain,
    clock: Clock,
) -> bool:
    """Is the utility concave over all that members may do, those included that drop out?

    problem: the earlier mover's, all members inside their bounds. fewer: its utility when
    the member `index` has dropped out, at a bound at which it adds nothing to the sums. The set of
    active members is arbitrary here (its size and sums are any numbers), so what is shown for
    dropping one is shown for every order in which they drop.
    """
    if len(problem.variables) != 1 or len(conditions) != 1 or not members.drop_out:
        return False
    (x,) = problem.variables
    (edge,) = conditions
    arbitrary = _Arbitrary(members, domain)
    place = solved([edge], [x], domain, clock)
    if not place.complete or len(place.found) != 1:
        return False
    at = place.found[0].values
    whole, less, kink = (arbitrary.of(e) for e in (problem.utility, fewer, edge))
    there = {x: arbitrary.of(at[x])}
    allowed = settled_all(
        [arbitrary.of(side.slack).subs(there) for side in problem.sides if not side.edge],
        arbitrary.domain,
    )
    if allowed is None:
        return True
    inside = arbitrary.domain.where(*allowed)
    for piece in (whole, less):
        second = sp.factor(sp.together(-sp.diff(piece, x, 2)))
        if not proved(second, NONNEGATIVE, arbitrary.domain):
            return False
    if sp.simplify((whole - less).subs(there)) != 0:
        return False
    rising = signs(sp.diff(kink, x).subs(there), inside)
    gap = sp.factor(sp.together(sp.diff(whole - less, x).subs(there)))
    if rising == NEGATIVE:
        return bool(proved(gap, NONNEGATIVE, inside))
    if rising == POSITIVE:
        return bool(proved(gap, NONPOSITIVE, inside))
    return False


class _Arbitrary:
    """Any number of members and any sums over them, of which `index` is one."""

    def __init__(self, members: Members, domain: Domain) -> None:
        self.members = members
        self.more = sp.Dummy("m", nonnegative=True)
        self.sums: dict[sp.Sum, sp.Expr] = {}
        kept = tuple(
            (e, allowed)
            for e, allowed in domain.relations
            if not e.has(sp.Sum) and not e.has(members.size)
        )
        ranges = {s: span for s, span in domain.ranges.items() if s != members.size}
        ranges[members.index] = Range(sp.S.One, integer=True)
        self.domain = Domain({**ranges, self.more: Range(sp.S.Zero, closed=True)}, kept)

    def of(self, expression: sp.Expr) -> sp.Expr:
        for one in expression.atoms(sp.Sum):
            if one.limits[0][2] == self.members.size and one not in self.sums:
                mine = term(one, self.members.index)
                known = {"nonnegative": True} if mine.is_nonnegative else {"real": True}
                self.sums[one] = mine + sp.Dummy("T", **known)
        return expression.xreplace(self.sums).subs(self.members.size, 1 + self.more)


def covering(
    problem: Problem, conditions: tuple[sp.Expr, ...], domain: Domain
) -> tuple[sp.Expr, ...] | None:
    """Conditions under which no feasible decision of an earlier mover leaves the regime.

    Its one decision lies between two bounds, and each condition is concave in it: then it holds
    between them if it holds at both.
    """
    if len(problem.variables) != 1:
        return None
    (x,) = problem.variables
    ends: list[sp.Expr] = []
    for side in problem.sides:
        slope = sp.diff(side.slack, x)
        if not side.edge and slope in (1, -1):
            ends.append(x - side.slack / slope)
    if len(ends) < 2:
        return None
    needed = []
    for condition in conditions:
        second = sp.factor(sp.together(-sp.diff(condition, x, 2)))
        if settled(second, domain) is not True:
            return None
        needed += [condition.subs(x, end) for end in ends]
    return settled_all(needed, domain)
