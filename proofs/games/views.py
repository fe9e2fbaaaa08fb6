"""What a mover faces: its problem once later replies are put in, in its own terms.

A member of a family splits a sum over all members into its own term and the rest, which it takes
as given; after differentiation the rest is put back ("closing"), for members that decide alike
(size - 1) times the own term.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp
from sympy.logic.boolalg import Boolean

from proofs.games.corners import NoClosedForm, Problem, Side, relation
from proofs.games.domains import Domain, Range
from proofs.games.families import Members
from proofs.games.forms import neat
from proofs.games.game import Family, Mover
from proofs.games.inner import Inner, sides
from proofs.games.sums import apart, put, sums_over, term, without


@dataclass(frozen=True)
class Regime:
    """Decisions of this and later stages where `conditions`, on earlier ones, are nonnegative.

    when: a condition that is no conjunction of inequalities, or true. members: of the family whose
    members must all be inside their bounds here, so that the conditions are for every member.
    """

    name: str
    conditions: tuple[sp.Expr, ...]
    decisions: dict[sp.Basic, sp.Expr]
    when: Boolean = sp.true
    members: Members | None = None

    @property
    def formula(self) -> Boolean:
        return sp.And(self.when, *(relation(c) for c in self.conditions))


@dataclass(frozen=True)
class View:
    """What a mover faces in one regime of later replies.

    conditions: of the regime, in the mover's own terms. rests: see `sums.apart`. fewer: the
    utility when a member of the regime's family has dropped out.
    """

    problem: Problem
    conditions: tuple[sp.Expr, ...]
    rests: dict[sp.Basic, sp.Sum]
    fewer: sp.Expr | None


def with_rests(domain: Domain, seen: View) -> Domain:
    low = {True: sp.S.Zero, None: -sp.oo, False: -sp.oo}
    return domain.adding({R: Range(low[R.is_nonnegative], closed=True) for R in seen.rests})


def view(mover: Mover, at: Inner, regime: Regime, movers: Sequence[Mover]) -> View:
    def later_in(expression: sp.Expr) -> sp.Expr:
        return put(expression, regime.decisions, at.indices)

    variables = tuple(at.inward(d.symbol) for d in mover.decisions)
    utility = at.inward(mover.utility)
    slacks = [replace(side, slack=later_in(side.slack)) for side in sides(mover, at)]
    texts = [later_in(utility), *(side.slack for side in slacks), *regime.conditions]
    fewer = None
    if regime.members is not None:
        texts.append(_fewer(utility, regime, at))
    for other in movers:
        if isinstance(other, Family):
            _whole_sums_only(mover, other, texts, at)
    rests: dict[sp.Basic, sp.Sum] = {}
    closing: dict[sp.Basic, sp.Expr] = {}
    if isinstance(mover, Family):
        index, size = at.index(mover), at.size(mover)
        texts, rests = apart(texts, variables, index)
        closing = {rest: (size - 1) * term(total, index) for rest, total in rests.items()}
    for other in movers:
        if other is not mover and isinstance(other, Family):
            theirs = [at.inward(d.symbol) for d in other.decisions]
            for total in sums_over(texts, theirs):
                closing[total] = at.size(other) * term(total, at.index(other))
    if regime.members is not None:
        fewer = texts.pop()
    conditions = tuple(texts[1 + len(slacks) :])
    named = [
        replace(side, slack=slack)
        for side, slack in zip(slacks, texts[1 : 1 + len(slacks)], strict=True)
    ]
    edges = [
        Side(f"the edge of {regime.name!r}", c, edge=True, for_all=regime.members is not None)
        for c in conditions
    ]
    problem = Problem(mover.name, texts[0], variables, (*named, *edges), tuple(closing.items()))
    return View(problem, conditions, rests, fewer)


def _whole_sums_only(mover: Mover, family: Family, texts: Sequence[sp.Expr], at: Inner) -> None:
    """Simultaneous decisions of a family enter as sums over all members, or as one's own."""
    decisions = [at.inward(d.symbol) for d in family.decisions]
    bases = {x.base for x in decisions}
    for text in texts:
        sums = {s for s in text.atoms(sp.Sum) if bases & {x.base for x in s.atoms(sp.Indexed)}}
        outside = text.xreplace({s: sp.Dummy() for s in sums})
        single = {x for x in outside.atoms(sp.Indexed) if x.base in bases} - set(decisions)
        partial = [s for s in sums if s.limits[0][1:] != (1, at.size(family))]
        for found in (*partial, *single):
            raise NoClosedForm(
                f"{mover.name} looks at {at.outward(found)}, which is no sum over all of "
                f"{family.name}: write the members as players"
            )
        if mover is not family and any(x in outside.atoms(sp.Indexed) for x in decisions):
            raise NoClosedForm(f"{mover.name} has the index of {family.name} in its problem")


def _fewer(utility: sp.Expr, regime: Regime, at: Inner) -> sp.Expr:
    """The utility when the member `index` of the regime's family has dropped out."""
    members = regime.members
    assert members is not None
    dropped = {
        total: without(put(total, regime.decisions, at.indices), members.size, members.index)
        for total in sums_over([utility], members.problem.variables)
    }
    return put(utility.xreplace(dropped), regime.decisions, at.indices)


def put_all(
    values: Mapping[sp.Basic, sp.Expr], decisions: Mapping[sp.Basic, sp.Expr], at: Inner
) -> dict[sp.Basic, sp.Expr]:
    return {x: neat(put(value, decisions, at.indices)) for x, value in values.items()}
