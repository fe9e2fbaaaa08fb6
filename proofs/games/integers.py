"""Decisions in integers: floor and ceiling of the continuous optimum, compared by utility.

A concave function rises up to its maximiser x* and falls after it, so among the integers the best
is ⌊x*⌋ or ⌈x*⌉ (which of them, rounding does not tell: it depends on the curvature on both sides).
This needs concavity over the whole feasible interval, and bounds that are integers themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import sympy as sp

from proofs.games.corners import NoClosedForm, relation, settled_all
from proofs.games.domains import Domain, Range
from proofs.games.game import Player
from proofs.games.inner import Inner
from proofs.games.selection import Choice, Piece
from proofs.games.views import Regime, put_all

# What rounding takes off or adds.
_PART = sp.Dummy("part", nonnegative=True)


def integer_regimes(
    mover: Player,
    at: Inner,
    choices: Sequence[Choice],
    pieces: Sequence[Piece],
    later: Sequence[Regime],
    domain: Domain,
) -> list[Regime]:
    """The optimal integers, from the optima among the reals (`choices`) of a concave utility.

    Raises NoClosedForm where there are several decisions, or bounds that are no integers.
    """
    if len(mover.decisions) > 1:
        raise NoClosedForm(f"{mover.name} has an integer decision beside another one")
    (decision,) = mover.decisions
    for bound in (decision.low, decision.high):
        if not (at.inward(bound).is_integer or bound.is_infinite):
            raise NoClosedForm(f"the bound {bound} of the integer {decision.symbol} is no integer")
    x = at.inward(decision.symbol)
    found = []
    for choice in choices:
        best, candidate = choice.candidate.decisions[x], choice.candidate
        if best.is_integer:
            after = put_all(later[choice.piece].decisions, {x: best}, at)
            found.append(Regime(candidate.name, candidate.conditions, {x: best, **after}))
            continue
        part = {_PART: Range(sp.S.Zero, sp.S.One, closed=True)}
        inside = domain.where(*candidate.conditions).adding(part)
        down = ("down", sp.floor(best), _reachable(best - _PART, x, pieces, inside))
        up = ("up", sp.ceiling(best), _reachable(best + _PART, x, pieces, inside))
        for (way, here, near), (_, there, far) in ((down, up), (up, down)):
            for mine, other in product(near, far):
                when = sp.And(
                    *(relation(c.subs(x, here)) for c in pieces[mine].conditions),
                    *(relation(c.subs(x, there)) for c in pieces[other].conditions),
                    sp.Ge(
                        pieces[mine].problem.utility.subs(x, here),
                        pieces[other].problem.utility.subs(x, there),
                    ),
                )
                if when is not sp.false:
                    name = f"{candidate.name}, rounded {way}"
                    if len(near) * len(far) > 1:
                        name += f" ({later[mine].name}; rounded otherwise: {later[other].name})"
                    decisions = {x: here, **put_all(later[mine].decisions, {x: here}, at)}
                    found.append(Regime(name, candidate.conditions, decisions, when))
    return found


def _reachable(place: sp.Expr, x: sp.Basic, pieces: Sequence[Piece], inside: Domain) -> list[int]:
    """The pieces in which a place less than one away from the real optimum may be."""
    return [
        k
        for k, piece in enumerate(pieces)
        if settled_all([c.subs(x, place) for c in piece.conditions], inside) is not None
    ]
