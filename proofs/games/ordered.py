"""A family written out, its members numbered in the order of their thresholds.

Members alike but for their parameters may be numbered in any order, as the game stays the same
when two of them change places with their parameters. They are numbered so that thresholds fall:
then the sets of members that are in at some decision of an earlier mover are nested.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import sympy as sp

from proofs.games.game import Family, Game, Mover, Parameter, Player, expanded
from proofs.games.solution import Fact


def in_order(game: Game, family: Family, threshold: sp.Expr) -> tuple[Game, Fact]:
    """The game with all members as players, symbols `w_3` for `w[3]`, and the order assumed.

    threshold: in the family's index. Where members are not interchangeable no order is assumed.
    """
    size = int(family.size)
    families = [mover for mover in game.players if isinstance(mover, Family)]
    order: tuple[Any, ...] = ()
    numbered = any(s.indices[0].is_Integer for text in _texts(game) for s in text.atoms(sp.Indexed))
    if len(families) == 1 and not numbered:
        falling = [threshold.subs(family.index, k) for k in range(1, size + 1)]
        order = tuple(sp.Ge(a, b) for a, b in pairwise(falling))
    assumptions = [
        relation.subs(each.index, k)
        for relation in game.assumptions
        for each in [next((f for f in families if relation.has(f.index)), family)]
        for k in (range(1, int(each.size) + 1) if relation.has(each.index) else [1])
    ]
    written = expanded(replace(game, assumptions=(*assumptions, *order)))
    names = _plain(written)

    def put(value: Any) -> Any:
        return value.xreplace(names) if isinstance(value, sp.Basic) else value

    def player(each: Mover) -> Player:
        decisions = tuple(
            replace(d, symbol=put(d.symbol), low=put(d.low), high=put(d.high))
            for d in each.decisions
        )
        constraints = tuple(put(relation) for relation in each.constraints)
        return Player(each.name, put(each.utility), decisions, constraints)

    parameters: list[Parameter] = []
    for parameter in game.parameters:
        members = [new for old, new in names.items() if old.base == parameter.symbol]
        parameters += [replace(parameter, symbol=new) for new in members] or [parameter]
    found = Game(
        stages=tuple(tuple(player(each) for each in stage) for stage in written.stages),
        parameters=tuple(parameters),
        assumptions=tuple(put(relation) for relation in written.assumptions),
        name=game.name,
    )
    if not order:
        return found, Fact(f"members of {family.name} are written out", True, "in no order")
    falls = " ≥ ".join(str(put(threshold.subs(family.index, k))) for k in range(1, size + 1))
    statement = f"members of {family.name} are numbered so that {falls}"
    how = "no loss: two that change places with their parameters leave the game as it is"
    return found, Fact(statement, True, how)


def _texts(game: Game) -> Iterator[sp.Basic]:
    yield from game.assumptions
    for mover in game.players:
        yield from (mover.utility, *mover.constraints)
        yield from (bound for d in mover.decisions for bound in (d.low, d.high))


def _plain(game: Game) -> dict[sp.Indexed, sp.Symbol]:
    """A symbol of its own for each member's parameters and decisions."""
    found = {d.symbol for player in game.players for d in player.decisions}
    for text in _texts(game):
        found |= text.atoms(sp.Indexed)
    return {
        old: sp.Symbol(f"{old.base}_{old.indices[0]}", real=True)
        for old in sorted((s for s in found if isinstance(s, sp.Indexed)), key=sp.default_sort_key)
    }
