"""One stage of a game: the reply of its players, given what later stages reply.

Later replies come in regimes, each with conditions on earlier decisions. With one regime (or one
for each of several simultaneous movers' deviations, if their utilities are concave across all of
them) the first order conditions decide; one mover with several regimes chooses among them
(`selection`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import sympy as sp
from sympy.logic.boolalg import Boolean

from proofs.games.corners import (
    Candidate,
    Candidates,
    NoClosedForm,
    candidates,
    interior_empty,
    irredundant,
)
from proofs.games.coverage import covered
from proofs.games.domains import Domain
from proofs.games.envelope import envelope, named_after
from proofs.games.factors import NEGATIVE, POSITIVE
from proofs.games.families import Members, covering, differ, family_reply, stays
from proofs.games.game import Family, Mover, Player
from proofs.games.inner import Inner, decided
from proofs.games.integers import integer_regimes
from proofs.games.second_order import concave
from proofs.games.selection import Piece, concave_in_all, selected
from proofs.games.signs import signs
from proofs.games.solution import Branch, Fact, Reply, Step
from proofs.games.trail import Apart, Indifferent, Trail, answered, branch, outward, posed
from proofs.games.unbounded import NoEquilibrium, ends
from proofs.games.uniqueness import unique, unique_in_family
from proofs.games.views import Regime, View, put_all, view, with_rests
from proofs.limits import Clock

# Whose derivatives do not tell whether a function rises or is concave.
_KINKED = (
    sp.Piecewise,
    sp.Abs,
    sp.Max,
    sp.Min,
    sp.sign,
    sp.Heaviside,
    sp.floor,
    sp.ceiling,
    sp.Mod,
    sp.DiracDelta,
)


@dataclass(frozen=True)
class Stage:
    """One stage under way. domain: parameters and earlier decisions; everyone: these and its own.

    facts: found about this stage so far.
    """

    at: Inner
    number: int
    domain: Domain
    everyone: Domain
    trail: Trail
    clock: Clock
    facts: list[Fact] = field(default_factory=list)

    @property
    def movers(self) -> tuple[Mover, ...]:
        return self.at.game.stages[self.number]

    @property
    def names(self) -> str:
        return " and ".join(mover.name for mover in self.movers)


def stage_reply(
    at: Inner,
    number: int,
    later: Sequence[Regime],
    domain: Domain,
    trail: Trail,
    clock: Clock,
) -> list[Regime]:
    """The regimes of a stage: its decisions and later ones, by conditions on earlier ones."""
    movers = at.game.stages[number]
    everyone = domain
    for mover in movers:
        everyone = decided(mover, at, everyone)
    stage = Stage(at, number, domain, everyone, trail, clock)
    if any(regime.when is not sp.true for regime in later):
        raise NoClosedForm(
            f"what follows on {stage.names} has conditions that are no conjunction of inequalities"
        )
    views = [[view(mover, at, regime, movers) for mover in movers] for regime in later]
    _indifferent(stage, views)
    different = [m.name for m, v in zip(movers, views[0], strict=True) if _differ(m, v, at)]
    mover = movers[0]
    shown: tuple[Branch, ...] | None = None
    if not different:
        answer = _largest(stage, later, views) or _alike(stage, later, views)
    elif len(movers) == len(later) == 1 and isinstance(mover, Family):
        answer, shown = _unlike(stage, mover, views[0][0], later[0])
    else:
        raise NoClosedForm(
            f"the members of {different[0]} differ, and it does not move alone in its stage"
        )
    if not answer:
        raise NoClosedForm(f"no solution of the first order conditions of {stage.names}")
    branches = shown or tuple(branch(at, regime, _own(movers, at)) for regime in answer)
    reply = Reply(number, tuple(m.name for m in movers), branches, tuple(stage.facts))
    trail.facts += stage.facts
    trail.replies.insert(0, reply)
    trail.steps.append(answered(number, branches))
    return answer


def _unlike(
    stage: Stage, family: Family, seen: View, after: Regime
) -> tuple[list[Regime], tuple[Branch, ...] | None]:
    """A family of members that differ: all inside their bounds."""
    at = stage.at
    shape = _shape(stage, seen, "")
    if not shape.concave:
        raise NoClosedForm(f"the utility of {family.name} is not shown to be concave")
    members = Members(seen.problem, at.index(family), at.size(family), seen.rests)
    reply = family_reply(members, stage.domain, stage.clock)
    inside = with_rests(stage.everyone, seen)
    stage.facts.append(outward(at, unique_in_family(seen.problem, seen.rests, inside)))
    decisions = {**reply.decisions, **put_all(after.decisions, reply.decisions, at)}
    answer = Regime(
        "interior", reply.conditions, decisions, members=members if reply.conditions else None
    )
    if reply.everywhere is not None:
        return [answer], (branch(at, Regime("every member", (), reply.everywhere)),)
    if reply.conditions:
        statement = f"the branches for {family.name} cover all cases"
        how = "only the case in which no member is at a bound is in closed form"
        stage.trail.partial = True
        stage.facts.append(Fact(statement, None, how))
    return [answer], None


def _largest(
    stage: Stage, later: Sequence[Regime], views: Sequence[Sequence[View]]
) -> list[Regime] | None:
    """One player whose utility is the largest of those of several regimes; None for others."""
    (mover, *more) = stage.movers
    if more or isinstance(mover, Family) or any(d.integer for d in mover.decisions):
        return None
    if any(regime.members is not None for regime in later):
        return None
    seen = [view for (view,) in views]
    if any(f.has(*v.problem.variables) for v in seen for f in v.problem.utility.atoms(*_KINKED)):
        return None
    # A share of the time: where it is not enough, the regimes are compared as any others are.
    found = stage.clock.limited(
        envelope,
        [each.problem for each in seen],
        [each.conditions for each in seen],
        stage.domain,
        stage.everyone,
        stage.clock,
        seconds=0.75 * stage.clock.left,
    )
    if found is None:
        return None
    for regime, each in zip(later, seen, strict=True):
        stage.trail.steps.append(posed(stage.at, each.problem, f" in the regime {regime.name!r}"))
    stage.facts.extend(outward(stage.at, fact) for fact in found.facts)
    how = "two regimes may be equally good"
    stage.facts.append(Fact(f"the reply of {stage.names} is unique", None, how))
    choices, names = named_after(found.choices, stage.at.symbols)
    stage.trail.names |= {x: stage.at.outward(value) for x, value in names.items()}
    if names:
        how = "Each formula at its best over all feasible decisions, and what that is worth."
        formulas = tuple(sp.Eq(x, stage.trail.names[x], evaluate=False) for x in names)
        stage.trail.steps.append(Step(f"The choices of {stage.names}", how, formulas))
    answer = [_continued(c.candidate, later[c.piece], c.when, stage.at) for c in choices]
    if found.covers:
        how = "one of finitely many values is the largest"
        statement = f"the branches for {stage.names} cover all cases"
        stage.facts.append(Fact(statement, True, how))
    else:
        _coverage(stage, answer, complete=False)
    return answer


def _alike(stage: Stage, later: Sequence[Regime], views: Sequence[Sequence[View]]) -> list[Regime]:
    """Players, and families whose members are alike and are taken to decide alike."""
    at, domain, movers = stage.at, stage.domain, stage.movers
    pieces: dict[str, list[Piece]] = {mover.name: [] for mover in movers}
    together: list[Candidates] = []
    needed: list[sp.Expr] = []
    for regime, seen in zip(later, views, strict=True):
        where = f" in the regime {regime.name!r}" if len(later) > 1 else ""
        shapes = [_shape(stage, each, where) for each in seen]
        problems = [each.problem for each in seen]
        found = candidates(problems, domain, stage.clock)
        together.append(found)
        for shape in shapes:
            pieces[shape.problem.player].append(
                replace(shape, found=found.found, exhaustive=found.complete)
            )
        if regime.members is not None:
            for each in seen:
                needed += _kept_whole(stage, each, regime, regime.members)
    if len(movers) == 1 and isinstance(movers[0], Player):
        (own,) = pieces.values()
        chosen = selected(own, domain, stage.clock, stage.facts)
        if any(decision.integer for decision in movers[0].decisions):
            if not concave_in_all(own, stage.everyone, stage.clock):
                raise NoClosedForm(
                    f"the utility of {stage.names} is not shown to be concave, and its decision "
                    "is an integer"
                )
            answer = integer_regimes(movers[0], at, chosen, own, later, domain)
        else:
            answer = [_continued(c.candidate, later[c.piece], c.when, at) for c in chosen]
    else:
        answer = _simultaneous(stage, later, pieces, together)
    if needed:
        answer = [
            replace(regime, conditions=irredundant((*regime.conditions, *needed), domain))
            for regime in answer
        ]
        answer = [r for r in answer if not interior_empty(r.conditions, domain)]
    _uniqueness(stage, views, pieces)
    complete = all(found.complete for found in together)
    _coverage(stage, answer, complete=complete and not needed)
    return answer


def _simultaneous(
    stage: Stage,
    later: Sequence[Regime],
    pieces: Mapping[str, list[Piece]],
    together: Sequence[Candidates],
) -> list[Regime]:
    """First order conditions of all movers together; each utility must be concave throughout."""
    for mover in stage.movers:
        if any(decision.integer for decision in mover.decisions):
            raise NoClosedForm(f"{mover.name} decides on integers together with others")
        if not concave_in_all(pieces[mover.name], stage.everyone, stage.clock):
            raise NoClosedForm(
                f"the utility of {mover.name} is not shown to be concave, and with several "
                "movers at once the first order conditions do not decide"
            )
    return [
        _continued(candidate, regime, sp.true, stage.at)
        for regime, found in zip(later, together, strict=True)
        for candidate in found.found
        if not interior_empty(candidate.conditions, stage.domain)
    ]


def _indifferent(stage: Stage, views: Sequence[Sequence[View]]) -> None:
    """Raise Indifferent for a player whose utility depends on none of its decisions."""
    for column, mover in enumerate(stage.movers):
        problems = [row[column].problem for row in views]
        if isinstance(mover, Player) and all(
            sp.simplify(sp.diff(problem.utility, x)) == 0
            for problem in problems
            for x in problem.variables
        ):
            raise Indifferent(mover.name, stage.number)


def _uniqueness(
    stage: Stage, views: Sequence[Sequence[View]], pieces: Mapping[str, list[Piece]]
) -> None:
    """State what is known about the uniqueness of the stage's reply."""
    movers = stage.movers
    inside = stage.everyone
    for row in views:
        for each in row:
            inside = with_rests(inside, each)
    concave_throughout = all(
        concave_in_all(own, inside, stage.clock) and all(piece.strict for piece in own)
        for own in pieces.values()
    )
    if any(decision.integer for mover in movers for decision in mover.decisions):
        statement = f"the reply of {stage.names} is unique"
        fact = Fact(statement, None, "two integers may be equally good")
    elif len(movers) == 1 and isinstance(movers[0], Family):
        found = [
            unique_in_family(r[0].problem, r[0].rests, inside.where(*r[0].conditions))
            for r in views
        ]
        fact = next((f for f in found if not f.holds), found[0])
        if fact.holds and not concave_throughout:
            fact = replace(fact, holds=None, how="utilities are not shown to be concave")
    elif len(movers) > 1 and (len(views) > 1 or any(isinstance(m, Family) for m in movers)):
        statement = f"the reply of {stage.names} is unique"
        fact = Fact(statement, None, "no criterion for several movers across regimes is tried")
    else:
        fact = unique([each.problem for each in views[0]], concave_throughout, inside)
    stage.facts.append(outward(stage.at, fact))


def _coverage(stage: Stage, answer: Sequence[Regime], *, complete: bool) -> None:
    """State whether the branches cover everything.

    Raises NoEquilibrium where earlier players can bring about that there is no best reply, and
    NoClosedForm where there may be one that was not found.
    """
    statement = f"the branches for {stage.names} cover all cases"
    indices = set(stage.at.indices.values())
    if any(c.has(*indices) for regime in answer for c in regime.conditions if indices):
        stage.trail.partial = True
        stage.facts.append(Fact(statement, None, "conditions must hold for every member"))
        return
    found = covered([(regime.conditions, regime.when) for regime in answer], stage.domain)
    if found.holds is False and not (complete and stage.number == 0):
        assert found.at is not None
        point = {stage.at.outward(x): value for x, value in found.at.items()}
        if complete:
            raise NoEquilibrium(f"{stage.names} has no best reply at {point}")
        raise NoClosedForm(f"the reply of {stage.names} is not known at {point}")
    stage.trail.partial |= found.holds is False
    stage.facts.append(outward(stage.at, Fact(statement, found.holds, found.how, found.at)))


def _kept_whole(stage: Stage, seen: View, regime: Regime, members: Members) -> tuple[sp.Expr, ...]:
    """What ensures that a mover does not want to drive members of a family to their bounds."""
    problem = seen.problem
    inside = with_rests(stage.everyone, seen)
    statement = f"{problem.player} does not gain by driving members of {members.problem.player} out"
    if seen.fewer is not None and stays(
        problem, seen.conditions, members, seen.fewer, inside, stage.clock
    ):
        how = "its utility is concave over all sets of members that stay in"
        stage.facts.append(Fact(statement, True, how))
        return ()
    if not stage.trail.whole:
        _apart(stage, seen, regime)
    needed = covering(problem, seen.conditions, stage.everyone)
    if needed is None:
        raise NoClosedForm(
            f"{problem.player} may gain by driving members of {members.problem.player} to their "
            "bounds, and which of them is not known in closed form"
        )
    stage.trail.partial |= bool(needed)
    how = "no feasible decision does so under the stated condition, for every member"
    stage.facts.append(Fact(statement, True, how))
    return needed


def _apart(stage: Stage, seen: View, regime: Regime) -> None:
    """Raise Apart where every member's own problem has one threshold in the mover's decision."""
    at, members = stage.at, regime.members
    assert members is not None
    family = next(mover for mover in at.game.players if mover.name == members.problem.player)
    assert isinstance(family, Family)
    if not (
        family.size.is_Integer
        and stage.number == len(at.game.stages) - 2
        and not members.rests
        and members.drop_out
        and len(seen.problem.variables) == len(seen.conditions) == 1
    ):
        return
    (x,), (edge,) = seen.problem.variables, seen.conditions
    (y,) = members.problem.variables
    decisions = {at.inward(d.symbol) for mover in at.game.players for d in mover.decisions}
    if edge.free_symbols & (decisions - {x}):
        return  # thresholds move with what others decide, and so may their order
    slope = sp.diff(edge, x)
    # A concave utility is largest at 0 where it does not rise there.
    rise = sp.diff(members.problem.utility, y).subs(y, 0)
    if signs(sp.cancel(rise / edge), stage.everyone) != POSITIVE:
        return
    if slope.has(x) or signs(slope, stage.domain) not in (POSITIVE, NEGATIVE):
        return
    raise Apart(
        family,
        threshold=at.outward(sp.simplify(-edge.subs(x, 0) / slope)),
        edge=at.outward(edge),
        rising=signs(slope, stage.domain) == POSITIVE,
        inside={at.outward(y): at.outward(regime.decisions[y])},
    )


def _shape(stage: Stage, seen: View, where: str) -> Piece:
    """Second order conditions and boundedness of one mover's problem."""
    problem = seen.problem
    kinks = [f for f in problem.utility.atoms(*_KINKED) if f.has(*problem.variables)]
    if kinks:
        raise NoClosedForm(
            f"the utility of {problem.player} is not smooth: {kinks[0]}; write a maximum or an "
            "absolute value as a decision with constraints"
        )
    inside = with_rests(stage.everyone, seen).where(*seen.conditions)
    stage.trail.steps.append(posed(stage.at, problem, where))
    limits = tuple(ends(problem, inside, stage.clock))
    fact, strict = concave(problem.player, problem.utility, problem.variables, inside)
    stage.facts.append(outward(stage.at, replace(fact, statement=fact.statement + where)))
    return Piece(problem, seen.conditions, (), bool(fact.holds), strict, False, limits)


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
