"""The best of a function that is the largest of its pieces: thresholds at which members drop out.

Followers who leave at thresholds of an earlier decision x (a buyer whose price is too high) give
the earlier mover's utility in pieces, π_k(x) in the regime R_k. Often it jumps down in slope
nowhere: whoever is in adds g(x) ≥ 0, and would add g(x) ≤ 0 where it is out, so that in R_j

    π_j(x) ≥ π_k(x) for every k,  and therefore  U(x) = max_k π_k(x)

on all feasible x, and max_x U = max_k max_x π_k: each formula is maximised over all feasible x,
its own regime forgotten, and the best of the finitely many values V_k is taken. Where also
π_j > π_k in R_j outside of R_k, a winning piece has its maximiser in its own regime; where that is
not shown it is a condition. What is feasible must be one set: with a constraint on what others
reply it is another set in every regime.

Regimes often form a chain: borders b_k(x), in order (b_k ≥ 0 wherever b_(k-1) ≥ 0), and R_k where
b_k ≥ 0 ≥ b_(k-1). Then neighbours suffice. Write π_k - π_(k+1) = r_k b_k. If r_k ≥ 0 for every k,
then in R_j, where b_k ≥ 0 for k ≥ j and b_k ≤ 0 for k < j,

    π_j - π_m = Σ_(j≤k<m) r_k b_k ≥ 0 for m > j,   π_j - π_m = -Σ_(m≤k<j) r_k b_k ≥ 0 for m < j.

And if V_k is the largest at x = s, then b_k(s) ≥ 0, or V_(k+1) ≥ π_(k+1)(s) > π_k(s) as soon as
r_k(s) > 0; likewise b_(k-1)(s) ≤ 0 from r_(k-1)(s) > 0. Other sets of regimes are compared in
pairs.

A concave π_k with a stationary point s has its maximum over [low, high] at s clipped to it.
(The pricing of one good to buyers with separate demands; the argument is an exchange of maxima.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import sympy as sp

from proofs.games.corners import Candidate, Problem, candidates, settled, settled_all
from proofs.games.domains import Domain
from proofs.games.factors import NEGATIVE, NONNEGATIVE, POSITIVE
from proofs.games.forms import neat
from proofs.games.second_order import concave
from proofs.games.selection import Choice
from proofs.games.signs import proved, signs
from proofs.games.solution import Fact
from proofs.limits import Clock


@dataclass(frozen=True)
class Envelope:
    """choices: a winner for each regime that may win, its value a formula in the decision.

    covers: one of them is the best, shown.
    """

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
    if any(set(problem.sides) != set(problems[0].sides) for problem in problems):
        return None  # a constraint on what others reply: what is feasible is not one set
    player = problems[0].player
    chain = _chain(problems, conditions, everyone)
    if chain is not None:
        largest = all(proved(r, NONNEGATIVE, everyone.about(r)) for r in chain.ratios)
    else:
        # There are many pairs, and where the lemma fails the time is needed elsewhere.
        share = clock.left / 4
        largest = bool(clock.limited(_in_pairs, problems, conditions, everyone, seconds=share))
    if not largest:
        return None
    facts, places = [], []
    for number, problem in enumerate(problems, 1):
        near = everyone.about(problem.utility)
        fact, strict = concave(player, problem.utility, problem.variables, near)
        near = domain.about(problem.utility, *(side.slack for side in problem.sides))
        place = _maximiser(problem, strict, near, clock) if fact.holds else None
        if place is None:
            return None
        statement = f"{fact.statement}, by the formula of regime {number} of {len(problems)}"
        facts.append(replace(fact, statement=statement))
        places.append(place)
    statement = f"the utility of {player} is the largest of {len(problems)} formulas everywhere"
    how = "in each regime its own formula is at least that of every other regime"
    if chain is not None:
        how = "neighbouring formulas differ by a nonnegative multiple of the border between them"
    facts.append(Fact(statement, True, how))
    if chain is not None:
        own = [
            _own_link(k, chain, problems, place, domain, everyone) for k, place in enumerate(places)
        ]
    else:
        own = [
            _own_regime(k, conditions, problems, place, domain, everyone)
            for k, place in enumerate(places)
        ]
    choices = _winners(conditions, problems, places, domain, own, chain)
    return Envelope(choices, all(own[choice.piece] for choice in choices), tuple(facts))


def _in_pairs(
    problems: Sequence[Problem], conditions: Sequence[tuple[sp.Expr, ...]], everyone: Domain
) -> bool:
    """In each regime its formula is at least every other one."""
    return all(
        proved(_gap(here, there), NONNEGATIVE, everyone.where(*inside))
        for inside, here in zip(conditions, problems, strict=True)
        for there in problems
        if there is not here
    )


@dataclass(frozen=True)
class Chain:
    """borders: b_k between regimes k and k+1. ratios: (π_k - π_(k+1)) / b_k."""

    borders: tuple[sp.Expr, ...]
    ratios: tuple[sp.Expr, ...]


def _chain(
    problems: Sequence[Problem], conditions: Sequence[tuple[sp.Expr, ...]], everyone: Domain
) -> Chain | None:
    """The borders of regimes that lie in a row, and are shown to; None for others."""
    borders: list[sp.Expr] = []
    for before, after in pairwise(conditions):
        shared = [b for b in before if any(sp.expand(b + c) == 0 for c in after)]
        if len(shared) != 1:
            return None
        borders += shared
    ends = [sp.S.Zero, *borders, sp.S.Zero]
    for inside, last, own in zip(conditions, ends[:-1], ends[1:], strict=True):
        wanted = {sp.expand(e) for e in (own, -last) if e != 0}
        if {sp.expand(e) for e in inside} != wanted:
            return None
    if not all(_implies(one, other, everyone) for one, other in pairwise(borders)):
        return None
    ratios = tuple(
        sp.factor(_gap(here, there) / border)
        for (here, there), border in zip(pairwise(problems), borders, strict=True)
    )
    return Chain(tuple(borders), ratios)


def _implies(one: sp.Expr, other: sp.Expr, everyone: Domain) -> bool:
    """Where `one` ≥ 0, `other` ≥ 0, and where `other` ≤ 0, `one` ≤ 0."""
    near = everyone.about(one, other)
    if signs(other - one, near) <= NONNEGATIVE:
        return True
    return proved(other, NONNEGATIVE, near.where(one)) and proved(
        -one, NONNEGATIVE, near.where(-other)
    )


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
    stationary = inside[0].decisions[x]
    place = stationary
    # On a compact interval the one corner that there is must be best where s is not feasible.
    only = len(corners) == 1 and len(problem.sides) == 2
    known: list[sp.Expr] = []
    for side in problem.sides:
        slope = sp.diff(side.slack, x)
        if slope not in (1, -1):
            return None
        room = settled(side.slack.subs(x, stationary), domain)
        if room is True:
            continue
        corner = corners.get(side)
        if room is False or corner is None:
            return None
        bound = corner.decisions[x]
        feasible = all(
            settled(other.slack.subs(x, bound), domain) is True
            for other in problem.sides
            if other is not side
        )
        start = stationary if slope == 1 else bound
        if not (feasible and (only or _falls(problem, start, domain))):
            return None
        known.append(room)
        place = (sp.Max if slope == 1 else sp.Min)(place, bound)
    return place if set(inside[0].conditions) == set(known) else None


def _falls(problem: Problem, start: sp.Expr, domain: Domain) -> bool:
    """The slope of the utility falls strictly from `start` on, with no pole there.

    Then a bound is best where the stationary point is beyond it: for a lower bound, `start` is the
    stationary point, and for an upper one it is the bound.
    """
    (x,) = problem.variables
    second = -sp.diff(problem.utility, x, 2).subs(x, start + sp.Dummy(nonnegative=True))
    second = sp.factor(sp.together(second))
    bases = (factor.as_base_exp()[0] for factor in sp.Mul.make_args(sp.fraction(second)[1]))
    return signs(second, domain) == POSITIVE and all(
        signs(base, domain) in (POSITIVE, NEGATIVE) for base in bases
    )


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


def _own_link(
    k: int,
    chain: Chain,
    problems: Sequence[Problem],
    place: sp.Expr,
    domain: Domain,
    everyone: Domain,
) -> bool:
    """Likewise for regime k of a chain, by its neighbours."""
    (x,) = problems[k].variables
    known = domain.about(place, *(side.slack for side in problems[k].sides))
    away = [
        sp.Gt(side.slack, 0) for side in problems[k].sides if _strictly(side.slack, x, place, known)
    ]
    return all(
        proved(ratio, POSITIVE, everyone.about(ratio, *away).where(*away))
        for ratio in chain.ratios[max(k - 1, 0) : k + 1]
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
    chain: Chain | None,
) -> tuple[Choice, ...]:
    """Every piece whose value may be the largest, where it is."""
    (x,) = problems[0].variables
    formulas = [sp.factor(sp.together(problem.utility)) for problem in problems]
    kept = list(range(len(problems)))
    for k in reversed(range(len(problems))):
        # Where m is as good at k's place, m wins wherever k does, and is in its own regime then.
        rivals = [m for m in kept if m != k and own[m]]
        if chain is not None:
            rivals = [m for m in rivals if abs(m - k) == 1]
        if any(_as_good(m, k, problems, places, domain) for m in rivals):
            kept.remove(k)
    found = []
    for k in kept:
        there = [] if own[k] else [c.subs(x, places[k]) for c in conditions[k]]
        needed = settled_all(there, domain)
        if needed is not None:
            candidate = Candidate("", {x: places[k]}, needed)
            found.append(Choice(k, candidate, formulas[k]))
    return tuple(found)


def _as_good(
    m: int, k: int, problems: Sequence[Problem], places: Sequence[sp.Expr], domain: Domain
) -> bool:
    """The best of formula m is at least that of formula k, whatever the parameters."""
    (x,) = problems[k].variables
    gap = _gap(problems[m], problems[k])
    # A minimum is one of its parts, and which of them is open.
    if all(_nonnegative(gap.subs(x, part), domain) for part in _parts(places[k])):
        return True
    if len(_parts(places[k])) > 1:
        return False
    value = problems[k].utility.subs(x, places[k])
    found = (problems[m].utility.subs(x, part) - value for part in _parts(places[m]))
    return all(_nonnegative(difference, domain) for difference in found)


def _parts(place: sp.Expr) -> tuple[sp.Expr, ...]:
    if isinstance(place, sp.Min | sp.Max):
        return tuple(part for each in place.args for part in _parts(each))
    return (place,)


def _nonnegative(expression: sp.Expr, domain: Domain) -> bool:
    return signs(expression, domain.about(expression)) <= NONNEGATIVE


def named_after(
    choices: Sequence[Choice], taken: Iterable[sp.Basic]
) -> tuple[tuple[Choice, ...], dict[sp.Symbol, sp.Expr]]:
    """The choices in names for what recurs, each the best where it is as good as every other.

    names: x_1 for the decision x of the first choice, V_1 for its value in terms of x_1. One
    choice alone needs none.
    """
    if len(choices) < 2:
        return tuple(choices), {}
    used = {str(symbol) for symbol in taken}

    def named(base: str, k: int, like: sp.Basic) -> sp.Symbol:
        while any(f"{base}_{n}" in used for n in range(1, len(choices) + 1)):
            base += "prime"
        return sp.Symbol(f"{base}_{k}", **like.assumptions0)

    names: dict[sp.Symbol, sp.Expr] = {}
    own: list[sp.Symbol] = []
    for k, choice in enumerate(choices, 1):
        ((x, value),) = choice.candidate.decisions.items()
        own.append(named(str(x), k, x))
        names[own[-1]] = value
    values = [named("V", k, sp.Dummy(real=True)) for k in range(1, len(choices) + 1)]
    found = []
    for k, (choice, at, value) in enumerate(zip(choices, own, values, strict=True)):
        ((x, _),) = choice.candidate.decisions.items()
        names[value] = neat(choice.value.subs(x, at))
        best = [sp.Ge(value, other) for j, other in enumerate(values) if j != k]
        candidate = replace(choice.candidate, decisions={x: at})
        found.append(replace(choice, candidate=candidate, when=sp.And(*best)))
    return tuple(found), names
