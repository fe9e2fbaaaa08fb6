"""What a derivation leaves behind on its way, in the symbols of the game, and how it may end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import sympy as sp

from proofs.games.corners import Problem
from proofs.games.game import Family
from proofs.games.inner import Inner
from proofs.games.solution import Branch, Fact, Reply, Step
from proofs.games.views import Regime


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


def outward(at: Inner, fact: Fact) -> Fact:
    if fact.at is None:
        return fact
    return replace(fact, at={at.outward(x): value for x, value in fact.at.items()})


def posed(at: Inner, problem: Problem, where: str) -> Step:
    slopes = [sp.Eq(sp.diff(problem.utility, x), 0) for x in problem.variables]
    return Step(
        f"First order conditions of {problem.player}",
        f"{problem.player} maximises{where}; an interior maximum is stationary.",
        tuple(at.outward(e) for e in (problem.utility, *slopes) if e not in (sp.true, sp.false)),
    )


def answered(stage: int, branches: Sequence[Branch]) -> Step:
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
