"""What a derivation leaves behind on its way, and how it leaves a game that it cannot take as given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy as sp

from proofs.games.game import Family
from proofs.games.solution import Fact, Reply, Step


@dataclass
class Trail:
    """What a derivation has found so far; it is kept when the derivation ends early.

    partial: there are parameters, or earlier decisions, for which it has no formula. whole:
    families may not be written out member by member. names: for formulas that recur, each in
    terms of parameters and of names before it.
    """

    replies: list[Reply] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    partial: bool = False
    whole: bool = True
    names: dict[sp.Symbol, sp.Expr] = field(default_factory=dict)


class Indifferent(Exception):
    """A player whose utility depends on nothing that it decides, in the stage of that number."""

    def __init__(self, player: str, stage: int) -> None:
        super().__init__(player, stage)
        self.player, self.stage = player, stage


class Apart(Exception):
    """A family of a given size, each member with a problem of its own, that an earlier mover's one
    decision drives to their bound 0 one by one.

    In the symbols of the game and the family's index: a member decides as `inside` says where
    `edge` ≥ 0 and 0 elsewhere; edge is 0 where the mover's decision is at the member's threshold
    and rises in that decision for every member, or falls for every member.
    """

    def __init__(
        self,
        family: Family,
        *,
        threshold: sp.Expr,
        edge: sp.Expr,
        rising: bool,
        inside: Mapping[sp.Basic, sp.Expr],
    ) -> None:
        super().__init__(family.name)
        self.family, self.threshold, self.edge = family, threshold, edge
        self.rising, self.inside = rising, inside
