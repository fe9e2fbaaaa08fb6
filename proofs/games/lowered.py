"""A game in numbers: utilities, bounds and constraints of every mover as NumPy functions.

A family stays one mover whose arrays have a row for each member. Where its formulas do not allow
that (`x[i+1]`, a sum over pairs), the game is written out, one mover for each member.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from proofs.games.formulas import Array, Arrays, Formula, Slack, Unaligned, arrays, slack
from proofs.games.game import Family, Game, Mover, expanded
from proofs.games.rounding import Rounding

FEASIBLE = 1e-13
"""By how much of its size a constraint may fail in a deviation: rounding and no more."""


@dataclass(frozen=True)
class Choice:
    """A decision: `symbol` is a Symbol, `x[3]`, or the base of a family's decision."""

    symbol: sp.Basic
    low: Formula
    high: Formula
    integer: bool


@dataclass(frozen=True)
class Lowered:
    """One mover. size: how many members, an expression in parameters (1 for a player).

    rounding: how far the floats of `utility` may be from the formula's values.
    """

    mover: Mover
    size: sp.Expr
    utility: Formula
    rounding: Rounding
    choices: tuple[Choice, ...]
    constraints: tuple[Slack, ...]

    @property
    def name(self) -> str:
        return self.mover.name

    def payoff(self, at: Arrays, own: Arrays | None = None) -> Array:
        """(games, members, candidates); -infinity where a constraint fails."""
        value = self.utility(at, own)
        for constraint in self.constraints:
            gap, scale = constraint(at, own)
            with np.errstate(all="ignore"):
                value = np.where(gap >= -FEASIBLE * scale, value, -np.inf)
        return value

    def bounds(self, choice: Choice, at: Arrays) -> tuple[Array, Array]:
        """(games, members), of the shape of the decision's own array."""
        shape = at[choice.symbol].shape[:2]
        low, high = choice.low(at), choice.high(at)
        return tuple(np.broadcast_to(b[..., 0], shape) for b in (low, high))  # type: ignore[return-value]


@dataclass(frozen=True)
class LoweredGame:
    """stages: the movers of each. whole: whether families were kept as one mover each; if not,
    `sizes` are the numbers for which they were written out."""

    game: Game
    stages: tuple[tuple[Lowered, ...], ...]
    whole: bool
    sizes: Mapping[sp.Symbol, int]

    def symbols(self, stage: int) -> list[sp.Basic]:
        return [c.symbol for mover in self.stages[stage] for c in mover.choices]


def lowered(
    game: Game, sizes: Mapping[sp.Symbol, int] | None = None, *, whole: bool = True
) -> LoweredGame:
    """The game as functions.

    sizes: numbers for families whose size is a symbol, in case they must be written out.
    whole: False writes them out though they need not be.
    """
    if whole:
        try:
            return LoweredGame(game, _stages(game), True, {})
        except Unaligned:
            pass
    return LoweredGame(game, _stages(expanded(game, sizes)), False, dict(sizes or {}))


@lru_cache(maxsize=16)
def _stages(game: Game) -> tuple[tuple[Lowered, ...], ...]:
    return tuple(tuple(_lowered(mover) for mover in stage) for stage in game.stages)


def _lowered(mover: Mover) -> Lowered:
    index = mover.index if isinstance(mover, Family) else None
    if index is not None:
        own = {d.symbol.base for d in mover.decisions}
        for text in (mover.utility, *mover.constraints):
            for atom in text.atoms(sp.Indexed):
                if atom.base in own and atom.indices[0].is_Integer:
                    raise Unaligned(f"{atom} is the decision of one member of {mover.name!r}")
    return Lowered(
        mover,
        mover.size if isinstance(mover, Family) else sp.Integer(1),
        Formula(mover.utility, index),
        Rounding(mover.utility, index),
        tuple(
            Choice(
                d.symbol.base
                if index is not None and isinstance(d.symbol, sp.Indexed)
                else d.symbol,
                Formula(d.low, index),
                Formula(d.high, index),
                d.integer,
            )
            for d in mover.decisions
        ),
        tuple(slack(relation, index) for relation in mover.constraints if relation != True),  # noqa: E712
    )


def members(mover: Lowered, values: Mapping[Any, Any]) -> int:
    """How many members a mover has at given parameters."""
    return int(mover.size.subs({s: v for s, v in values.items() if isinstance(s, sp.Symbol)}))


def grouped(game: Game, draws: Sequence[Mapping[Any, Any]]) -> list[list[int]]:
    """Numbers of the draws, those together in which every family has the same size."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    families = [m for m in game.players if isinstance(m, Family)]
    for number, values in enumerate(draws):
        plain = {s: v for s, v in values.items() if isinstance(s, sp.Symbol)}
        key = (*(int(m.size.subs(plain)) for m in families), len(values))
        groups.setdefault(key, []).append(number)
    return list(groups.values())


def symbols(low: LoweredGame) -> list[sp.Basic]:
    return [s for stage in range(len(low.stages)) for s in low.symbols(stage)]


def placed(low: LoweredGame, group: Sequence[Mapping[Any, Any]]) -> dict[sp.Basic, Array]:
    """Arrays of the parameters, and of the decisions, of the right shapes and 1 everywhere."""
    at = arrays(group)
    for stage in low.stages:
        for mover in stage:
            for choice in mover.choices:
                at[choice.symbol] = np.ones((len(group), members(mover, group[0]), 1))
    return at


def numbers(decisions: Mapping[sp.Basic, Array]) -> dict[sp.Basic, float]:
    found: dict[sp.Basic, float] = {}
    for symbol, value in decisions.items():
        if isinstance(symbol, sp.IndexedBase):
            found |= {symbol[k + 1]: float(v) for k, v in enumerate(value[0, :, 0])}
        else:
            found[symbol] = float(value[0, 0, 0])
    return found


def of_member(symbol: sp.Basic, member: int) -> sp.Basic:
    """The decision of one member, counted from 0; the symbol itself where there are no members."""
    return symbol[member + 1] if isinstance(symbol, sp.IndexedBase) else symbol
