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
    Side,
    candidates,
    interior_empty,
    relation,
)
from proofs.games.forms import neat
from proofs.games.game import Mover, Player
from proofs.games.inner import Inner, decided, sides
from proofs.games.limits import Clock
from proofs.games.second_order import concave
from proofs.games.selection import Piece, concave_in_all, selected
from proofs.games.signs import Domain
from proofs.games.solution import Branch, Fact, Reply, Step
from proofs.games.unbounded import ends


@dataclass(frozen=True)
class Regime:
    """Decisions of this and later stages where `conditions`, on earlier ones, are nonnegative.

    when: a condition that is no conjunction of inequalities, or true.
    """

    name: str
    conditions: tuple[sp.Expr, ...]
    decisions: dict[sp.Basic, sp.Expr]
    when: Boolean = sp.true

    @property
    def formula(self) -> Boolean:
        return sp.And(self.when, *(relation(c) for c in self.conditions))


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
    facts: list[Fact] = []
    pieces: dict[str, list[Piece]] = {mover.name: [] for mover in movers}
    together: list[Candidates] = []
    for regime in later:
        problems = [_problem(mover, at, regime) for mover in movers if isinstance(mover, Player)]
        inside = everyone.where(*regime.conditions)
        found = candidates(problems, domain, clock)
        together.append(found)
        for problem in problems:
            fact, strict = concave(problem.player, problem.utility, problem.variables, inside)
            where = f" in the regime {regime.name!r}" if len(later) > 1 else ""
            facts.append(_outward(at, replace(fact, statement=fact.statement + where)))
            trail.steps.append(_posed(at, problem, where))
            complete = found.complete or strict
            pieces[problem.player].append(
                Piece(
                    problem,
                    regime.conditions,
                    found.found,
                    bool(fact.holds),
                    complete,
                    tuple(ends(problem, inside, clock)),
                )
            )
    answer: list[Regime] = []
    if len(movers) == 1:
        (own,) = pieces.values()
        for choice in selected(own, domain, clock, facts):
            regime = later[choice.piece]
            answer.append(_continued(choice.candidate, regime, choice.when))
    else:
        for mover in movers:
            if not concave_in_all(pieces[mover.name], everyone, clock):
                raise NoClosedForm(
                    f"the utility of {mover.name} is not shown to be concave, and with several "
                    "movers at once the first order conditions do not decide"
                )
        for regime, found in zip(later, together, strict=True):
            answer += [
                _continued(candidate, regime, sp.true)
                for candidate in found.found
                if not interior_empty(candidate.conditions, domain)
            ]
    trail.facts += facts
    if not answer:
        raise NoClosedForm(f"no solution of the first order conditions of stage {stage + 1}")
    branches = tuple(branch(at, regime, _own(movers, at)) for regime in answer)
    trail.replies.insert(
        0, Reply(stage, tuple(mover.name for mover in movers), branches, tuple(facts))
    )
    trail.steps.append(_answered(at, stage, branches))
    return answer


def _own(movers: Sequence[Mover], at: Inner) -> set[sp.Basic]:
    return {at.inward(d.symbol) for mover in movers for d in mover.decisions}


def _problem(mover: Player, at: Inner, regime: Regime) -> Problem:
    utility = at.inward(mover.utility).subs(regime.decisions)
    edges = tuple(
        Side(f"the edge of {regime.name!r}", condition, edge=True)
        for condition in regime.conditions
    )
    own = tuple(at.inward(d.symbol) for d in mover.decisions)
    own_sides = tuple(
        replace(side, slack=side.slack.subs(regime.decisions)) for side in sides(mover, at)
    )
    return Problem(mover.name, sp.sympify(utility), own, (*own_sides, *edges))


def _continued(candidate: Candidate, regime: Regime, when: Boolean) -> Regime:
    """Decisions of the stage, and those of later stages at them."""
    decisions = {x: neat(value.subs(candidate.decisions)) for x, value in regime.decisions.items()}
    corners = [name for name in (candidate.name, regime.name) if name not in ("", "interior")]
    return Regime(
        ", ".join(corners) or "interior",
        candidate.conditions,
        {**candidate.decisions, **decisions},
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
