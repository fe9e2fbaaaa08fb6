"""The best of a function that is the largest of its pieces: thresholds at which members drop out.

Followers who leave at thresholds of an earlier decision x (a buyer whose price is too high) give
the earlier mover's utility in pieces, π_k(x) in the regime R_k. Often it jumps down in slope
nowhere: whoever is in adds g(x) ≥ 0, and would add g(x) ≤ 0 where it is out, so that in R_j

    π_j(x) ≥ π_k(x) for every k,  and therefore  U(x) = max_k π_k(x)

on all feasible x, and max_x U = max_k max_x π_k: each formula is maximised over all feasible x,
its own regime forgotten, and the best of the finitely many values V_k is taken. The inequalities
are proved for every pair of regimes. Where also π_j > π_k in R_j outside of R_k, a winning piece
has its maximiser in its own regime; where that is not shown it is a condition.

A concave π_k with a stationary point s has its maximum over [low, high] at s clipped to it.
(The pricing of one good to buyers with separate demands; the argument is an exchange of maxima.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy as sp

from proofs.games.corners import Candidate, Problem, candidates, settled, settled_all
from proofs.games.domains import Domain
from proofs.games.factors import NONNEGATIVE, POSITIVE
from proofs.games.second_order import concave
from proofs.games.selection import Choice
from proofs.games.signs import proved, signs
from proofs.games.solution import Fact
from proofs.limits import Clock


@dataclass(frozen=True)
class Envelope:
    """choices: a winner for each regime that may win. covers: one of them does, shown."""

    choices: tuple[Choice, ...]
    covers: bool
    facts: tuple[Fact, ...]


def envelope(
    regimes: Sequence[Problem],
    conditions: Sequence[tuple[sp.Expr, ...]],
    domain: Domain,
    everyone: Domain,
    clock: Clock,
) -> Envelope | None:
    """The best of every regime where it is the best of all; None where the lemma is not shown.

    regimes: the mover's problem in each, where the regime's conditions are nonnegative. domain:
    parameters; everyone: these and the mover's decision within its own bounds.
    """
    if len(regimes) < 3 or any(len(problem.variables) != 1 for problem in regimes):
        return None
    problems = [_free(problem) for problem in regimes]
    player = problems[0].player
    if not all(
        proved(_gap(here, there), NONNEGATIVE, everyone.where(*inside))
        for inside, here in zip(conditions, problems, strict=True)
        for there in problems
        if there is not here
    ):
        return None
    facts, places = [], []
    for number, problem in enumerate(problems, 1):
        fact, strict = concave(player, problem.utility, problem.variables, everyone)
        place = _maximiser(problem, strict, domain, clock) if fact.holds else None
        if place is None:
            return None
        statement = f"{fact.statement}, by the formula of regime {number} of {len(problems)}"
        facts.append(replace(fact, statement=statement))
        places.append(place)
    statement = f"the utility of {player} is the largest of {len(problems)} formulas everywhere"
    how = "in each regime its own formula is at least that of every other regime"
    facts.append(Fact(statement, True, how))
    own = [
        _own_regime(k, conditions, problems, place, domain, everyone)
        for k, place in enumerate(places)
    ]
    choices = _winners(conditions, problems, places, domain, own)
    return Envelope(choices, all(own[choice.piece] for choice in choices), tuple(facts))


def _free(problem: Problem) -> Problem:
    """The problem without the borders of its regime."""
    return replace(problem, sides=tuple(side for side in problem.sides if not side.edge))


def _gap(one: Problem, other: Problem) -> sp.Expr:
    return sp.factor(sp.together(one.utility - other.utility))


def _maximiser(problem: Problem, strict: bool, domain: Domain, clock: Clock) -> sp.Expr | None:
    """Where a concave utility is largest within the bounds: one formula, or None."""
    (x,) = problem.variables
    answer = candidates([problem], domain, clock)
    for candidate in answer.found:
        if not candidate.conditions:
            return candidate.decisions[x]
    inside = [c for c in answer.found if not c.active]
    if not (strict and answer.complete and len(inside) == 1):
        return None
    corners = {side: c for c in answer.found for side in c.active}
    place = inside[0].decisions[x]
    # On a compact interval the one corner that there is must be best where s is not feasible.
    only = len(corners) == 1 and len(problem.sides) == 2
    known: list[sp.Expr] = []
    for side in problem.sides:
        slope = sp.diff(side.slack, x)
        if slope not in (1, -1):
            return None
        room = settled(side.slack.subs(x, place), domain)
        if room is True:
            continue
        corner = corners.get(side)
        if room is False or corner is None or not (only or _beyond(corner, room, domain)):
            return None
        known.append(room)
        place = (sp.Max if slope == 1 else sp.Min)(place, corner.decisions[x])
    return place if set(inside[0].conditions) == set(known) else None


def _beyond(corner: Candidate, room: sp.Expr, domain: Domain) -> bool:
    """The corner is best where the stationary point is beyond it, by its one condition."""
    if len(corner.conditions) != 1:
        return False
    return signs(sp.cancel(-corner.conditions[0] / room), domain) == POSITIVE


def _own_regime(
    k: int,
    conditions: Sequence[tuple[sp.Expr, ...]],
    problems: Sequence[Problem],
    place: sp.Expr,
    domain: Domain,
    everyone: Domain,
) -> bool:
    """Is a winning maximiser of piece k in regime k, as π_k is too low in every other one?"""
    (x,) = problems[k].variables
    away = [
        sp.Gt(side.slack, 0)
        for side in problems[k].sides
        if _strictly(side.slack, x, place, domain)
    ]
    return all(
        proved(
            _gap(here, problems[k]),
            POSITIVE,
            everyone.where(*inside, *away, sp.Lt(edge, 0)),
        )
        for j, (inside, here) in enumerate(zip(conditions, problems, strict=True))
        if j != k
        for edge in conditions[k]
    )


def _strictly(slack: sp.Expr, x: sp.Basic, place: sp.Expr, domain: Domain) -> bool:
    """The slack of a bound at the place, which may be a minimum, is positive."""
    if isinstance(place, sp.Min):
        return all(_strictly(slack, x, part, domain) for part in place.args)
    return proved(slack.subs(x, place), POSITIVE, domain)


def _winners(
    conditions: Sequence[tuple[sp.Expr, ...]],
    problems: Sequence[Problem],
    places: Sequence[sp.Expr],
    domain: Domain,
    own: Sequence[bool],
) -> tuple[Choice, ...]:
    """Every piece whose value may be the largest, where it is."""
    (x,) = problems[0].variables
    values = [
        sp.factor(sp.together(p.utility)).subs(x, place)
        for p, place in zip(problems, places, strict=True)
    ]
    kept = list(range(len(problems)))
    for k in reversed(range(len(problems))):
        # Where m is as good at k's place, m wins wherever k does, and is in its own regime then.
        rivals = [problems[m].utility.subs(x, places[k]) for m in kept if m != k and own[m]]
        if any(settled(rival - values[k], domain) is True for rival in rivals):
            kept.remove(k)
    found = []
    for k in kept:
        there = [] if own[k] else [c.subs(x, places[k]) for c in conditions[k]]
        needed = settled_all(there, domain)
        if needed is not None:
            better = [sp.Ge(values[k], values[m], evaluate=False) for m in kept if m != k]
            candidate = Candidate("", {x: places[k]}, needed)
            found.append(Choice(k, candidate, values[k], sp.And(*better)))
    return tuple(found)
