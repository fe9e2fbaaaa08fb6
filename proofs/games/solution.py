"""What a derivation returns: replies, conditions, the steps that led there, and the check.

A `Fact` is True (proved, and how), False (refuted, and where) or None (undecided, and why); an
`Equilibrium` is CHECKED only when its formulas agreed with independent optimisation everywhere
that was tried.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from sympy.logic.boolalg import Boolean

from proofs.games.game import Family, Game

Values = Mapping[sp.Basic, Any]
"""Numbers by symbol: parameters (`a`, `w[3]`) or decisions."""


class Status(enum.Enum):
    """How far a derivation came; the value is the word that people read."""

    CHECKED = "closed form, checked"
    """Derived, and no player could gain at any draw of the parameters."""
    REJECTED = "closed form, rejected by the check"
    """Derived or claimed, and wrong at a draw: `check.failures` says where and by how much."""
    NUMERICAL = "numerical"
    """No closed form was found (within the time); `numerical_equilibrium` finds numbers."""
    NONE = "no equilibrium"
    """Shown: a utility is unbounded, or no best reply exists; `reason` says which."""


@dataclass(frozen=True)
class Fact:
    """A statement about the game and how strong the evidence for it is."""

    statement: str
    holds: bool | None
    how: str
    at: Values | None = None
    """Where it fails, for a refuted one."""


@dataclass(frozen=True)
class Step:
    """One step of a derivation: a sentence and its formulas, for printing."""

    title: str
    text: str
    formulas: tuple[sp.Basic, ...] = ()


@dataclass(frozen=True)
class Branch:
    """Decisions that are optimal where a condition holds: interior, or at some bound.

    For a family, a decision is a formula in its index, and a condition with the index in it must
    hold for every member; `written_out` gives the members one by one.
    """

    name: str
    when: Boolean
    decisions: Mapping[sp.Basic, sp.Expr]


def written_out(branch: Branch, game: Game, sizes: Mapping[sp.Symbol, int] | None = None) -> Branch:
    """The branch in the decisions of `expanded(game, sizes)`: members and sums written out."""
    numbers = dict(sizes or {})

    def plain(expression: sp.Basic) -> sp.Basic:
        return sp.sympify(expression).subs(numbers).doit()

    # Sums first: what is left of an index then is the member's own.
    clauses = [plain(clause) for clause in sp.And.make_args(branch.when)]
    decisions = {x: plain(value) for x, value in branch.decisions.items()}
    for family in (player for player in game.players if isinstance(player, Family)):
        members = [{family.index: sp.Integer(k)} for k in range(1, int(plain(family.size)) + 1)]
        clauses = [
            clause.xreplace(member)
            for clause in clauses
            for member in (members if family.index in clause.free_symbols else [{}])
        ]
        for decision in family.decisions:
            if decision.symbol in decisions:
                value = decisions.pop(decision.symbol)
                for member in members:
                    decisions[decision.symbol.xreplace(member)] = value.xreplace(member)
    return Branch(branch.name, sp.And(*clauses), decisions)


@dataclass(frozen=True)
class Reply:
    """A stage's decisions as functions of parameters and of the stages before.

    branches: their conditions cover the assumptions and overlap on boundaries only, where they
    agree or, if the player is indifferent, `facts` says so.
    """

    stage: int
    players: tuple[str, ...]
    branches: tuple[Branch, ...]
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Failure:
    """A draw of the parameters at which a player does better than the formula says.

    gain: relative to 1 + |utility|. decision: what the formula chooses; better: what does better.
    """

    player: str
    parameters: Values
    decision: Values
    better: Values
    utility: float
    gain: float
    reason: str = ""
    """What is wrong, in words: it gains, it is not feasible, it is not a number, no branch."""


@dataclass(frozen=True)
class Check:
    """Independent optimisation against closed forms, at `draws` draws of the parameters."""

    draws: int
    seed: int
    gain: float
    """The largest relative gain of any player's deviation, at most `tolerance` if it holds."""
    difference: float
    """The largest relative difference of decisions from the independent optimum's."""
    branches: Mapping[str, int]
    """How many draws fell into each branch: one that none reached was not checked."""
    failures: tuple[Failure, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.failures and self.draws > 0


@dataclass(frozen=True)
class Equilibrium:
    """The answer to `derive`; `decisions` maps every decision to an expression in parameters."""

    game: Game
    status: Status
    branches: tuple[Branch, ...]
    replies: tuple[Reply, ...]
    utilities: Mapping[str, sp.Expr]
    facts: tuple[Fact, ...]
    """Existence, uniqueness, interiority: each with the strength of its evidence."""
    steps: tuple[Step, ...]
    check: Check | None
    reason: str = ""
    seconds: float = 0.0
    names: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)
    """What recurs in conditions and decisions, for printing: each formula by its name, in terms of
    parameters and of names before it. Branches, replies and utilities are without names."""
