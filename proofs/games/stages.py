"""One stage of a game: the reply of its players, given what later stages reply.

Later replies come in regimes, each with conditions on earlier decisions. With one regime (or one
for each of several simultaneous movers' deviations, if their utilities are concave across all of
them) the first order conditions decide; one mover with several regimes chooses among them
(`selection`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import sympy as sp
from sympy.logic.boolalg import Boolean

from proofs.games.corners import (
    Candidate,
    Candidates,
    NoClosedForm,
    Problem,
    candidates,
    interior_empty,
    irredundant,
)
from proofs.games.domains import Domain
from proofs.games.families import Members, covering, differ, family_reply, stays
from proofs.games.game import Family, Mover, Player
from proofs.games.inner import Inner, decided
from proofs.games.limits import Clock
from proofs.games.second_order import concave
from proofs.games.selection import Piece, concave_in_all, selected
from proofs.games.solution import Branch, Fact, Reply, Step
from proofs.games.unbounded import ends
from proofs.games.views import Regime, View, put_all, view, with_rests


@dataclass
class Trail:
    """What a derivation has found so far; it is kept when the derivation ends early."""

    replies: list[Reply] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


def stage_reply(
    at: Inner,
    stage: int,
    later: Sequence[Regime],
    domain: Domain,
    trail: Trail,
    clock: Clock,
) -> list[Regime]:
    """The regimes of a stage: its decisions and later ones, by conditions on earlier ones."""
    movers = at.game.stages[stage]
    if any(regime.when is not sp.true for regime in later):
        raise NoClosedForm(
            f"the reply to stage {stage + 1} has conditions that are no conjunction of inequalities"
        )
    everyone = domain
    for mover in movers:
        everyone = decided(mover, at, everyone)
    views = [[view(mover, at, regime, movers) for mover in movers] for regime in later]
    facts: list[Fact] = []
    answer: list[Regime] = []
    shown: Branch | None = None
    first, mover = views[0][0], movers[0]
    different = [m for m, v in zip(movers, views[0], strict=True) if _differ(m, v, at)]
    if different and len(movers) == len(later) == 1 and isinstance(mover, Family):
        _shape(at, first, everyone, domain, facts, trail, clock, "")
        members = Members(first.problem, at.index(mover), at.size(mover), first.rests)
        reply = family_reply(members, domain, clock)
        name = "interior"
        answer = [
            Regime(
                name,
                reply.conditions,
                {**reply.decisions, **put_all(later[0].decisions, reply.decisions, at)},
                members=members if reply.conditions else None,
            )
        ]
        if reply.everywhere is not None:
            shown = branch(at, Regime("every member", (), reply.everywhere))
    elif different:
        raise NoClosedForm(
            f"{different[0].name} has members that differ and does not move alone in its stage"
        )
    else:
        answer = _alike(at, later, movers, views, domain, everyone, facts, trail, clock)
    trail.facts += facts
    if not answer:
        raise NoClosedForm(f"no solution of the first order conditions of stage {stage + 1}")
    branches = tuple(branch(at, regime, _own(movers, at)) for regime in answer)
    if shown is not None:
        branches = (shown,)
    trail.replies.insert(
        0, Reply(stage, tuple(mover.name for mover in movers), branches, tuple(facts))
    )
    trail.steps.append(_answered(at, stage, branches))
    return answer


def _alike(
    at: Inner,
    later: Sequence[Regime],
    movers: Sequence[Mover],
    views: Sequence[Sequence[View]],
    domain: Domain,
    everyone: Domain,
    facts: list[Fact],
    trail: Trail,
    clock: Clock,
) -> list[Regime]:
    """Players, and families whose members are alike and are taken to decide alike."""
    pieces: dict[str, list[Piece]] = {mover.name: [] for mover in movers}
    together: list[Candidates] = []
    extra: list[tuple[sp.Expr, ...]] = []
    for regime, seen in zip(later, views, strict=True):
        found = candidates([each.problem for each in seen], domain, clock)
        together.append(found)
        needed: tuple[sp.Expr, ...] = ()
        where = f" in the regime {regime.name!r}" if len(later) > 1 else ""
        for each in seen:
            shape = _shape(at, each, everyone, domain, facts, trail, clock, where)
            pieces[each.problem.player].append(
                replace(shape, found=found.found, exhaustive=found.complete or shape.exhaustive)
            )
            if regime.members is not None:
                needed += _kept_whole(each, regime.members, everyone, facts, clock)
        extra.append(needed)
    answer: list[Regime] = []
    if len(movers) == 1 and isinstance(movers[0], Player):
        (own,) = pieces.values()
        for choice in selected(own, domain, clock, facts):
            answer.append(_continued(choice.candidate, later[choice.piece], choice.when, at))
    else:
        for mover in movers:
            if not concave_in_all(pieces[mover.name], everyone, clock):
                raise NoClosedForm(
                    f"the utility of {mover.name} is not shown to be concave, and with several "
                    "movers at once the first order conditions do not decide"
                )
        for regime, found in zip(later, together, strict=True):
            answer += [
                _continued(candidate, regime, sp.true, at)
                for candidate in found.found
                if not interior_empty(candidate.conditions, domain)
            ]
    if any(extra):
        answer = [
            replace(regime, conditions=irredundant((*regime.conditions, *extra[0]), domain))
            for regime in answer
        ]
        answer = [r for r in answer if not interior_empty(r.conditions, domain)]
    return answer


def _kept_whole(
    view: View, members: Members, everyone: Domain, facts: list[Fact], clock: Clock
) -> tuple[sp.Expr, ...]:
    """What ensures that a mover does not want to drive members of a family to their bounds."""
    problem = view.problem
    inside = with_rests(everyone, view)
    statement = f"{problem.player} does not gain by driving members of {members.problem.player} out"
    if view.fewer is not None and stays(
        problem, view.conditions, members, view.fewer, inside, clock
    ):
        how = "its utility is concave over all sets of members that stay in"
        facts.append(Fact(statement, True, how))
        return ()
    needed = covering(problem, view.conditions, everyone)
    if needed is None:
        raise NoClosedForm(
            f"{problem.player} may gain by driving members of {members.problem.player} to their "
            "bounds, and which of them is not known in closed form"
        )
    how = "no feasible decision does so under the stated condition, for every member"
    facts.append(Fact(statement, True, how))
    return needed


def _shape(
    at: Inner,
    view: View,
    everyone: Domain,
    domain: Domain,
    facts: list[Fact],
    trail: Trail,
    clock: Clock,
    where: str,
) -> Piece:
    """Second order conditions and boundedness of one mover's problem."""
    problem = view.problem
    inside = with_rests(everyone, view).where(*view.conditions)
    trail.steps.append(_posed(at, problem, where))
    limits = tuple(ends(problem, inside, clock))
    fact, strict = concave(problem.player, problem.utility, problem.variables, inside)
    facts.append(_outward(at, replace(fact, statement=fact.statement + where)))
    return Piece(problem, view.conditions, (), bool(fact.holds), strict, limits)


def _differ(mover: Mover, view: View, at: Inner) -> bool:
    return isinstance(mover, Family) and differ(view.problem, at.index(mover), view.rests)


def _own(movers: Sequence[Mover], at: Inner) -> set[sp.Basic]:
    return {at.inward(d.symbol) for mover in movers for d in mover.decisions}


def _continued(candidate: Candidate, regime: Regime, when: Boolean, at: Inner) -> Regime:
    """Decisions of the stage, and those of later stages at them."""
    corners = [name for name in (candidate.name, regime.name) if name not in ("", "interior")]
    return Regime(
        ", ".join(corners) or "interior",
        candidate.conditions,
        {**candidate.decisions, **put_all(regime.decisions, candidate.decisions, at)},
        when,
    )


def branch(at: Inner, regime: Regime, only: set[sp.Basic] | None = None) -> Branch:
    """The regime in the symbols of the game; only: the decisions to keep."""
    return Branch(
        regime.name,
        at.outward(regime.formula),
        {
            at.outward(x): at.outward(value)
            for x, value in regime.decisions.items()
            if only is None or x in only
        },
    )


def _outward(at: Inner, fact: Fact) -> Fact:
    if fact.at is None:
        return fact
    return replace(fact, at={at.outward(x): value for x, value in fact.at.items()})


def _posed(at: Inner, problem: Problem, where: str) -> Step:
    slopes = [sp.Eq(sp.diff(problem.utility, x), 0) for x in problem.variables]
    return Step(
        f"First order conditions of {problem.player}",
        f"{problem.player} maximises{where}; an interior maximum is stationary.",
        tuple(at.outward(e) for e in (problem.utility, *slopes) if e not in (True, False)),
    )


def _answered(at: Inner, stage: int, branches: Sequence[Branch]) -> Step:
    formulas: list[sp.Basic] = []
    for each in branches:
        formulas += [sp.Eq(x, value, evaluate=False) for x, value in each.decisions.items()]
        if each.when is not sp.true:
            formulas.append(each.when)
    return Step(
        f"Reply of stage {stage + 1}",
        "; ".join(each.name for each in branches),
        tuple(formulas),
    )
