"""A family written out, its members numbered in the order of their thresholds.

Members alike but for their parameters may be numbered in any order, as the game stays the same
when two of them change places with their parameters. They are numbered so that thresholds fall:
then the sets of members that are in at some decision of an earlier mover are nested.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import sympy as sp

from proofs.games.game import Family, Game, Mover, Parameter, Player, expanded
from proofs.games.inner import inner
from proofs.games.solution import Fact
from proofs.games.trail import Apart
from proofs.games.views import Regime

MOST_MEMBERS = 10
"""There are as many regimes, each compared with every other: more take minutes, and pages."""


@dataclass(frozen=True)
class Ordered:
    """The game with all members as players. names: `w_3` for `w[3]`."""

    game: Game
    fact: Fact
    family: Family
    names: Mapping[sp.Basic, sp.Symbol]

    def member(self, expression: sp.Expr, k: int) -> sp.Expr:
        """A formula in the family's index, of member k."""
        return expression.subs(self.family.index, k).xreplace(dict(self.names))


def in_order(game: Game, members: Apart) -> Ordered | None:
    """The game written out and the order assumed; None for many members, or different roles."""
    family, threshold = members.family, members.threshold
    size = int(family.size)
    families = sum(isinstance(mover, Family) for mover in game.players)
    if size > MOST_MEMBERS or families > 1 or not _interchangeable(game, family):
        return None
    falling = [threshold.subs(family.index, k) for k in range(1, size + 1)]
    order = tuple(sp.Ge(a, b) for a, b in pairwise(falling))
    assumptions = [
        relation.subs(family.index, k)
        for relation in game.assumptions
        for k in (range(1, size + 1) if relation.has(family.index) else [1])
    ]
    written = expanded(replace(game, assumptions=(*assumptions, *order)))
    names = _plain(written)
    given = set().union(*(text.free_symbols for text in _texts(written)))
    if {str(new) for new in names.values()} & {str(s) for s in given}:
        return None  # `w_1` is there beside `w[1]`

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
        own = [new for old, new in names.items() if old.base == parameter.symbol]
        parameters += [replace(parameter, symbol=new) for new in own] or [parameter]
    found = Game(
        stages=tuple(tuple(player(each) for each in stage) for stage in written.stages),
        parameters=tuple(parameters),
        assumptions=tuple(put(relation) for relation in written.assumptions),
        name=game.name,
    )
    falls = " ≥ ".join(
        str(threshold.subs(family.index, k).xreplace(names)) for k in range(1, size + 1)
    )
    statement = f"members of {family.name} are numbered so that {falls}"
    how = "no loss: two that change places with their parameters leave the game as it is"
    return Ordered(found, Fact(statement, True, how), family, names)


def nested(ordered: Ordered, members: Apart) -> list[Regime]:
    """The members' replies: the first k of them inside their bounds, for k from all to none.

    Each member's problem is its own and its reply is `inside` where its edge is nonnegative, else
    0, so all that the order of thresholds leaves to ask is how many are inside.
    """
    at, size = inner(ordered.game), int(ordered.family.size)
    joining = list(range(1, size + 1))
    if members.rising:
        joining.reverse()  # where the decision rises past the lowest threshold, its member joins
    edges = [at.inward(ordered.member(members.edge, k)) for k in joining]
    found = []
    for count in reversed(range(size + 1)):
        out = joining[count:]
        decisions = {
            at.inward(ordered.member(x, k)): at.inward(
                sp.S.Zero if k in out else ordered.member(value, k)
            )
            for k in range(1, size + 1)
            for x, value in members.inside.items()
        }
        zero = [str(ordered.member(x, k)) for k in sorted(out) for x in members.inside]
        name = ", ".join(f"{x} = 0" for x in zero)
        if len(zero) > 2:
            name = f"{zero[0]} = … = {zero[-1]} = 0"
        conditions = (*edges[count - 1 : count], *(-edge for edge in edges[count : count + 1]))
        found.append(Regime(name or "interior", conditions, decisions))
    return found


def _interchangeable(game: Game, family: Family) -> bool:
    """No member is named, no number of a member counts as a number, and every sum is over all."""
    for text in _texts(game):
        sums = text.atoms(sp.Sum)
        if any(total.limits != ((total.limits[0][0], 1, family.size),) for total in sums):
            return False
        free = {family.index, *(total.limits[0][0] for total in sums)}
        indexed = text.atoms(sp.Indexed)
        if any(one.indices[0] not in free for one in indexed):
            return False
        plain = text.xreplace({one: sp.Dummy() for one in indexed})
        if any(limit.function.has(limit.limits[0][0]) for limit in plain.atoms(sp.Sum)):
            return False
        if plain.xreplace({total: sp.Dummy() for total in plain.atoms(sp.Sum)}).has(family.index):
            return False
    return True


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
