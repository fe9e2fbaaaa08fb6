"""Which of several candidates is best: one player, whose utility is given in pieces.

Once later stages reply differently in different regimes, the utility of an earlier player is in
pieces, and a maximum is a maximum of one of them: an interior point, a corner, or a kink where two
meet. If every piece is concave and the slope does not rise at any kink, the whole is concave and
first order conditions on both sides suffice. Otherwise candidates are compared by their utility,
which is enough if the list of candidates is complete and a maximum exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy as sp
from sympy.logic.boolalg import Boolean

from proofs.games.corners import (
    Candidate,
    NoClosedForm,
    Problem,
    interior_empty,
    irredundant,
    relation,
    settled,
    settled_all,
)
from proofs.games.domains import Domain
from proofs.games.equations import solved
from proofs.games.factors import NEGATIVE, NONNEGATIVE, POSITIVE
from proofs.games.forms import neat
from proofs.games.signs import empty, proved, signs
from proofs.games.solution import Fact
from proofs.limits import Clock


@dataclass(frozen=True)
class Piece:
    """The player's problem in one regime (`conditions` nonnegative) and what solves it there.

    strict: strictly concave. exhaustive: all points that meet the first order conditions are known.
    ends: what it tends to where a decision is unbounded (see `unbounded`).
    """

    problem: Problem
    conditions: tuple[sp.Expr, ...]
    found: tuple[Candidate, ...]
    concave: bool
    strict: bool
    exhaustive: bool
    ends: tuple[sp.Expr | None, ...]


@dataclass(frozen=True)
class Choice:
    """A candidate of piece number `piece`, optimal where its conditions and `when` hold."""

    piece: int
    candidate: Candidate
    value: sp.Expr
    when: Boolean = sp.true


def selected(
    pieces: Sequence[Piece], domain: Domain, clock: Clock, facts: list[Fact]
) -> list[Choice]:
    """The candidates that are optimal somewhere, with the conditions under which they are."""
    choices = _merged(
        [
            Choice(k, candidate, _value(piece.problem, candidate))
            for k, piece in enumerate(pieces)
            for candidate in piece.found
        ],
        domain,
    )
    if len(pieces[0].problem.variables) == 1:
        kept = [_both_sides(choice, pieces, domain) for choice in choices]
        choices = [choice for choice in kept if choice is not None]
    choices = [
        replace(
            c,
            candidate=replace(c.candidate, conditions=irredundant(c.candidate.conditions, domain)),
        )
        for c in choices
        if not interior_empty(c.candidate.conditions, domain)
    ]
    player = pieces[0].problem.player
    if concave_in_all(pieces, domain, clock):
        if len(pieces) > 1:
            facts.append(
                Fact(
                    f"the utility of {player} is concave across the regimes",
                    True,
                    "concave in each, continuous, and its slope does not rise at a kink",
                )
            )
        return choices
    if not all(piece.exhaustive for piece in pieces):
        raise NoClosedForm(
            f"the utility of {player} is not shown to be concave, and not all its stationary "
            "points are known"
        )
    facts.append(
        Fact(
            f"the utility of {player} is concave",
            None,
            "not shown; its candidates for a maximum are all known and were compared",
        )
    )
    choices = _compared(_above_ends(choices, pieces, domain), domain)
    facts += [fact for choice in choices for fact in _jumps(choice, pieces, domain)]
    return choices


def _jumps(choice: Choice, pieces: Sequence[Piece], domain: Domain) -> list[Fact]:
    """Where a later player is indifferent at the edge that is chosen, and its choice matters."""
    if not _on_edge(choice):
        return []
    decisions = choice.candidate.decisions
    inside = domain.where(*choice.candidate.conditions)
    player = pieces[choice.piece].problem.player
    found = []
    for piece in pieces:
        conditions = [sp.simplify(c.subs(decisions)) for c in piece.conditions]
        other = neat(piece.problem.utility.subs(decisions))
        # A piece that comes this far for parameters at a tie alone does not meet the others here.
        if 0 not in conditions or interior_empty([c for c in conditions if c != 0], inside):
            continue
        if sp.simplify(other - choice.value) != 0:
            found.append(
                Fact(
                    f"at {choice.candidate.name} a later player is indifferent and taken to side "
                    f"with {player} (optimistic commitment: {choice.value}); against it, {player} "
                    f"gets {other} there, and approaches the optimistic value without attaining it",
                    True,
                    "the utility jumps where two branches of the reply meet",
                )
            )
    return found


def _value(problem: Problem, candidate: Candidate) -> sp.Expr:
    return sp.factor(sp.together(problem.utility.subs(candidate.decisions)))


def _merged(choices: list[Choice], domain: Domain) -> list[Choice]:
    """One choice for each place: where two pieces meet, the conditions of both."""
    merged: list[Choice] = []
    for choice in choices:
        for k, other in enumerate(merged):
            if _same(choice, other):
                conditions = settled_all(
                    (*other.candidate.conditions, *choice.candidate.conditions), domain
                )
                merged[k] = replace(
                    other, candidate=replace(other.candidate, conditions=conditions or ())
                )
                break
        else:
            merged.append(choice)
    return merged


def _same(one: Choice, other: Choice) -> bool:
    """The same place on the edges of two pieces, and no jump there."""
    here, there = one.candidate.decisions, other.candidate.decisions
    return (
        one.piece != other.piece
        and _on_edge(one)
        and _on_edge(other)
        and here.keys() == there.keys()
        and all(sp.simplify(here[x] - there[x]) == 0 for x in here)
        and sp.simplify(one.value - other.value) == 0
    )


def _on_edge(choice: Choice) -> bool:
    return any(side.edge for side in choice.candidate.active)


def _both_sides(choice: Choice, pieces: Sequence[Piece], domain: Domain) -> Choice | None:
    """At an edge, the neighbouring piece must not rise away from it either."""
    if not _on_edge(choice):
        return choice
    (x,) = pieces[choice.piece].problem.variables
    place = choice.candidate.decisions[x]
    conditions = list(choice.candidate.conditions)
    inside = domain.where(*conditions)
    for k, piece in enumerate(pieces):
        if k == choice.piece:
            continue
        at_place = [sp.simplify(c.subs(x, place)) for c in piece.conditions]
        touching = [c for c, v in zip(piece.conditions, at_place, strict=True) if v == 0]
        elsewhere = any(settled(v, inside) is False for v in at_place if v != 0)
        if len(touching) != 1 or elsewhere:
            continue
        if sp.simplify(piece.problem.utility.subs(x, place) - choice.value) != 0:
            continue  # a jump: the two values are compared
        inward = sp.diff(touching[0], x).subs(x, place)
        outward_slope = -sp.diff(piece.problem.utility, x).subs(x, place) * inward
        left = settled(outward_slope, inside)
        if left is False:
            return None
        if left is not True:
            conditions.append(left)
    return replace(choice, candidate=replace(choice.candidate, conditions=tuple(conditions)))


def concave_in_all(pieces: Sequence[Piece], domain: Domain, clock: Clock) -> bool:
    """Concave in each piece, and across the kinks (for one decision)."""
    if not all(piece.concave for piece in pieces):
        return False
    if len(pieces) == 1:
        return True
    if len(pieces[0].problem.variables) != 1:
        return False
    (x,) = pieces[0].problem.variables
    for left in pieces:
        for edge in left.conditions:
            if not edge.has(x):
                continue
            answer = solved([edge], [x], domain, clock)
            if not answer.complete:
                return False
            for solution in answer.found:
                if not _falls(left, edge, x, solution.values[x], pieces, domain):
                    return False
    return True


def _falls(
    left: Piece,
    edge: sp.Expr,
    x: sp.Basic,
    place: sp.Expr,
    pieces: Sequence[Piece],
    domain: Domain,
) -> bool:
    """If the piece ends on the left of a place: the slope does not rise there."""
    sides = [s.slack.subs(x, place) for s in left.problem.sides if not s.edge]
    others = [c.subs(x, place) for c in left.conditions if c != edge]
    allowed = settled_all([*sides, *others], domain)
    if allowed is None:
        return True  # not within the player's bounds
    inside = domain.where(*allowed)
    rising = signs(sp.diff(edge, x).subs(x, place), inside)
    if rising == POSITIVE:
        return True  # it begins here, and is the right one of another pair
    if rising != NEGATIVE:
        return False
    met = False
    for right in pieces:
        if right is left:
            continue
        at_place = [sp.simplify(c.subs(x, place)) for c in right.conditions]
        if 0 not in at_place or settled_all(at_place, inside) is None:
            continue
        met = True
        jump = sp.simplify(
            left.problem.utility.subs(x, place) - right.problem.utility.subs(x, place)
        )
        gap = sp.diff(left.problem.utility - right.problem.utility, x).subs(x, place)
        if jump != 0 or not proved(sp.factor(sp.together(gap)), NONNEGATIVE, inside):
            return False
    return met


def _above_ends(choices: list[Choice], pieces: Sequence[Piece], domain: Domain) -> list[Choice]:
    """A maximum exists only where it is not below what the utility tends to at infinity."""
    found = []
    for choice in choices:
        conditions = list(choice.candidate.conditions)
        for piece in pieces:
            for end in piece.ends:
                if end is None:
                    raise NoClosedForm(
                        f"what the utility of {piece.problem.player} tends to for unbounded "
                        "decisions is not known; bound them"
                    )
                conditions.append(choice.value - end)
        kept = settled_all(conditions, domain)
        if kept is not None:
            found.append(replace(choice, candidate=replace(choice.candidate, conditions=kept)))
    return found


def _compared(choices: list[Choice], domain: Domain) -> list[Choice]:
    """Every candidate where it is admissible and no other admissible one is better.

    For each rival there is a clause, one alternative of which must hold: a condition of the rival
    does not, or the rival is not better. Of two that are always equally good the first is kept.
    """
    clauses: list[list[list[sp.Basic]]] = [[] for _ in choices]
    for k, one in enumerate(choices):
        for m, other in enumerate(choices[:k]):
            both = (*one.candidate.conditions, *other.candidate.conditions)
            if interior_empty(both, domain):
                continue
            gap = sp.simplify(one.value - other.value)
            better = False if gap == 0 else settled(gap, domain.where(*both))
            for here, rival, left in ((k, other, better), (m, one, _opposite(better))):
                if left is not True:
                    absent = [sp.Lt(c, 0) for c in rival.candidate.conditions]
                    clauses[here].append(absent if left is False else [*absent, sp.Ge(left, 0)])
    found = [
        _under(choice, alternatives, domain)
        for choice, alternatives in zip(choices, clauses, strict=True)
    ]
    return [choice for choice in found if choice is not None]


def _opposite(gap: sp.Expr | bool) -> sp.Expr | bool:
    return not gap if isinstance(gap, bool) else -gap


def _under(choice: Choice, clauses: list[list[sp.Basic]], domain: Domain) -> Choice | None:
    """The choice under the clauses; None where it is optimal nowhere."""
    conditions = list(choice.candidate.conditions)
    left: list[list[sp.Basic]] = []
    for clause in clauses:
        inside = domain.where(*conditions)
        possible = [a for a in clause if empty(inside.where(_strict(a))).holds is not True]
        weakest = next((a for a in possible if _covers(a, possible, inside)), None)
        if weakest is not None:
            conditions.append(weakest.gts - weakest.lts)
        elif possible:
            left.append(possible)
        else:
            return None
    kept = settled_all(conditions, domain)
    if kept is None or interior_empty(kept, domain):
        return None
    candidate = replace(choice.candidate, conditions=irredundant(kept, domain))
    when = sp.And(*(sp.Or(*(_written(a) for a in clause)) for clause in left))
    return replace(choice, candidate=candidate, when=when)


def _strict(alternative: sp.Basic) -> sp.Basic:
    return sp.Gt(alternative.gts, alternative.lts)


def _written(alternative: sp.Basic) -> sp.Basic:
    tidy = relation(alternative.gts - alternative.lts)
    return tidy if isinstance(alternative, sp.Ge) else sp.Gt(tidy.gts, tidy.lts)


def _covers(alternative: sp.Basic, others: Sequence[sp.Basic], inside: Domain) -> bool:
    """Whenever one of the others holds, the alternative does."""
    gap = alternative.gts - alternative.lts
    return all(
        other is alternative or proved(gap, NONNEGATIVE, inside.where(other)) for other in others
    )
