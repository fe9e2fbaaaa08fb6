"""Does a utility have a maximum at all, where decisions are not bounded?

A continuous utility attains its maximum on a compact set (Weierstrass). Where a decision may grow
without bound, what the utility tends to is compared with what it attains: +∞ means that no best
reply exists, -∞ that the maximum is at a finite decision.
"""

from __future__ import annotations

import sympy as sp

from proofs.games.corners import Problem
from proofs.games.domains import Domain
from proofs.games.factors import NONNEGATIVE, POSITIVE
from proofs.games.signs import signs
from proofs.limits import Clock


class NoEquilibrium(Exception):
    """Shown: some player has no best reply, and the message says who and why."""


def ends(problem: Problem, inside: Domain, clock: Clock) -> list[sp.Expr | None]:
    """What the utility tends to at every unbounded end of a decision; None: not known.

    -∞ is left out. Raises NoEquilibrium where the utility tends to +∞.
    """
    found: list[sp.Expr | None] = []
    for x in problem.variables:
        for direction in (sp.oo, -sp.oo):
            if _stopped(problem, x, direction, inside):
                continue
            limit = _limit(problem.utility, x, direction, inside, clock)
            if limit == sp.oo and not _free(problem, x, direction, inside):
                limit = None
            if limit == sp.oo:
                where = "grows" if direction == sp.oo else "falls"
                raise NoEquilibrium(
                    f"the utility of {problem.player} is unbounded: it tends to ∞ as {x} {where} "
                    "without bound; bound the decision"
                )
            if limit != -sp.oo:
                found.append(limit)
    return found


def _stopped(problem: Problem, x: sp.Basic, direction: sp.Expr, inside: Domain) -> bool:
    """Some side keeps x from going that way: affine in x, with the other decisions bounded."""
    for side in problem.sides:
        slope = sp.diff(side.slack, x)
        others = [y for y in problem.variables if y != x and side.slack.has(y)]
        if slope.has(x) or others:
            continue
        if side.equality and 0 not in signs(slope, inside):
            return True
        if signs(slope * (1 if direction == sp.oo else -1), inside) == frozenset({-1}):
            return True
    return False


def _free(problem: Problem, x: sp.Basic, direction: sp.Expr, inside: Domain) -> bool:
    """Whatever the other decisions are, x may go that way for ever: no side gets less slack."""
    way = 1 if direction == sp.oo else -1
    for side in problem.sides:
        slope = sp.diff(side.slack, x)
        if slope.has(x) or not signs(slope * way, inside) <= NONNEGATIVE:
            return False
        if side.equality and slope != 0:
            return False
    return True


def _limit(
    utility: sp.Expr, x: sp.Basic, direction: sp.Expr, inside: Domain, clock: Clock
) -> sp.Expr | None:
    t = sp.Dummy("t", positive=True)
    along = sp.expand(utility.subs(x, t if direction == sp.oo else -t))
    if not along.has(t):
        return utility
    if along.is_polynomial(t):
        leading = signs(sp.Poly(along, t).LC(), inside)
        if leading == POSITIVE:
            return sp.oo
        return -sp.oo if leading == frozenset({-1}) else None
    limit = clock.limited(sp.limit, along, t, sp.oo, seconds=5.0)
    if limit is None or limit.has(sp.Limit, sp.nan, sp.AccumBounds, sp.zoo):
        return None
    if limit.has(sp.oo, -sp.oo):
        finite = limit.subs(sp.oo, 1) if limit not in (sp.oo, -sp.oo) else None
        if finite is None:
            return limit
        found = signs(finite, inside)
        return sp.oo if found == POSITIVE else -sp.oo if found == frozenset({-1}) else None
    return limit
