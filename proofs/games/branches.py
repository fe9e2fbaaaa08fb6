"""Piecewise formulas at numbers: which branch holds, and what it says.

A condition is compared with rounding in mind: of the branches that hold within 1e-9 of the size
of their relations' sides, the one that holds by the widest margin is taken. Two that both hold by
more than that and disagree contradict each other (`overlap`); where none does there is a `gap`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from proofs.games.formulas import Array, Arrays, Condition, Formula, Unaligned, compiled
from proofs.games.game import Family, Game
from proofs.games.lowered import LoweredGame
from proofs.games.solution import Branch

_ROUNDING = 1e-9
_AGREE = 1e-7


@dataclass(frozen=True)
class Chosen:
    """branch: number of the branch for each game, -1 in a gap. decisions: its formulas' values.

    overlap: the second of two contradicting branches, -1 if there is none.
    """

    branch: Array
    decisions: dict[sp.Basic, Array]
    overlap: Array


class Piecewise:
    """The branches of a solution or reply, as functions of the arrays of a lowered game."""

    def __init__(self, branches: Sequence[Branch], game: LoweredGame, whole: Game) -> None:
        self.names = [branch.name for branch in branches]
        self._game = game
        self._when: list[list[Condition]] = []
        self._decisions: list[dict[sp.Basic, Formula]] = []
        for branch in branches:
            self._when.append(
                [_condition(part, whole, game) for part in _clauses(branch, whole, game)]
            )
            self._decisions.append(_decisions(branch, whole, game))

    def decisions(self, number: int, at: Arrays) -> dict[sp.Basic, Array]:
        """The values of one branch, (games, members, 1)."""
        size = max(len(v) for v in at.values())
        found = {}
        for symbol, formula in self._decisions[number].items():
            shape = (size, at[symbol].shape[1] if symbol in at else 1, 1)
            found[symbol] = np.broadcast_to(formula(at), shape)
        return found

    def __call__(self, at: Arrays) -> Chosen:
        size = max(len(v) for v in at.values())
        margins = np.stack([self.margin(number, at) for number in range(len(self.names))])
        holds = margins >= -_ROUNDING
        branch = np.where(holds.any(axis=0), np.argmax(margins, axis=0), -1)
        values = [self.decisions(number, at) for number in range(len(self.names))]
        found: dict[sp.Basic, Array] = {}
        for number, decisions in enumerate(values):
            for symbol, value in decisions.items():
                old = found.get(symbol, np.full(value.shape, np.nan))
                found[symbol] = np.where((branch == number)[:, None, None], value, old)
        overlap = np.full(size, -1)
        for number, decisions in enumerate(values):
            rival = (
                (margins[number] > _ROUNDING)
                & (branch != number)
                & (margins.max(axis=0) > _ROUNDING)
            )
            for symbol, value in decisions.items():
                with np.errstate(invalid="ignore"):
                    apart = np.abs(value - found[symbol]) > _AGREE * (1 + np.abs(value))
                overlap = np.where(rival & apart.any(axis=(1, 2)), number, overlap)
        return Chosen(branch, found, overlap)

    def hint(self, at: Arrays) -> Mapping[sp.Basic, Array]:
        return self(at).decisions if self.names else {}

    def margin(self, number: int, at: Arrays) -> Array:
        """By how much the condition of a branch holds, (games,)."""
        size = max(len(v) for v in at.values())
        parts = [np.broadcast_to(c(at), size) for c in self._when[number]]
        return np.minimum.reduce(parts) if parts else np.full(size, np.inf)


def _clauses(branch: Branch, whole: Game, game: LoweredGame) -> list[Any]:
    clauses = list(sp.And.make_args(sp.sympify(branch.when)))
    if game.whole:
        return clauses
    found = []
    for clause in clauses:
        found += _written(clause, whole, game)
    return found


def _condition(clause: Any, whole: Game, game: LoweredGame) -> Condition:
    index = next((f.index for f in _families(whole) if clause.has(f.index)), None)
    return Condition(clause, index if game.whole else None)


def _decisions(branch: Branch, whole: Game, game: LoweredGame) -> dict[sp.Basic, Formula]:
    found: dict[sp.Basic, Formula] = {}
    decided = {s for stage in range(len(game.stages)) for s in game.symbols(stage)}
    for symbol, expression in branch.decisions.items():
        expression = sp.sympify(expression)
        if isinstance(symbol, sp.Indexed) and game.whole:
            if symbol.base not in decided or symbol.indices[0].is_Integer:
                raise Unaligned(f"{symbol} is the decision of one member")
            found[symbol.base] = compiled(expression, symbol.indices[0])
        elif isinstance(symbol, sp.Indexed) and not symbol.indices[0].is_Integer:
            for number in range(1, _size(symbol, whole, game) + 1):
                member = symbol.subs(symbol.indices[0], number)
                found[member] = compiled(_plain(expression, game).subs(symbol.indices[0], number))
        else:
            found[symbol] = compiled(expression if game.whole else _plain(expression, game))
    for symbol in found:
        if symbol not in decided:
            raise ValueError(f"{symbol} has a formula, and nobody in {whole.name!r} decides it")
    return found


def _families(game: Game) -> list[Family]:
    return [player for player in game.players if isinstance(player, Family)]


def _size(symbol: sp.Indexed, whole: Game, game: LoweredGame) -> int:
    prefix = [s for k in range(len(game.stages)) for s in game.symbols(k)]
    return sum(1 for s in prefix if isinstance(s, sp.Indexed) and s.base == symbol.base)


def _plain(expression: sp.Basic, game: LoweredGame) -> sp.Basic:
    return expression.subs(dict(game.sizes)).doit()


def _written(clause: Any, whole: Game, game: LoweredGame) -> list[Any]:
    plain = _plain(clause, game)
    for family in _families(whole):
        if plain.has(family.index):
            count = int(family.size.subs(dict(game.sizes)))
            return [plain.subs(family.index, k) for k in range(1, count + 1)]
    return [plain]
