"""The game in symbols that carry its assumptions, and the way back.

SymPy simplifies and solves by what symbols assume (√(x²) = x for x ≥ 0). A game declares its
assumptions in records, so the derivation works on symbols of the same names with the assumptions
that the records imply, and its answers are written back in the symbols of the game.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from proofs.games.corners import Side
from proofs.games.domains import Domain, Range
from proofs.games.game import Decision, Family, Game, Mover
from proofs.games.sums import canonical, named


@dataclass(frozen=True)
class Inner:
    """game: as given. symbols: from its symbols to those of the derivation. domain: parameters'.

    sizes: a symbol for the size of every family that is given as a number, so that formulas for
    families stay formulas in the number of members.
    """

    game: Game
    symbols: Mapping[sp.Basic, sp.Basic]
    domain: Domain
    sizes: Mapping[sp.Integer, sp.Basic]

    def inward(self, expression: Any) -> Any:
        written = sp.sympify(expression).xreplace(dict(self.symbols))
        for one in written.atoms(sp.Sum):
            index, low, high = one.limits[0]
            if high in self.sizes and len(one.limits) == 1:
                new = sp.Sum(one.function, (index, low, self.sizes[high]))
                written = written.xreplace({one: new})
        return canonical(written)

    def size(self, family: Family) -> sp.Expr:
        return self.sizes.get(family.size) or family.size.xreplace(dict(self.symbols))

    def index(self, family: Family) -> sp.Basic:
        return self.symbols[family.index]

    @property
    def indices(self) -> dict[sp.Basic, sp.Basic]:
        """The index of a family by the base of each of its decisions."""
        return {
            self.symbols[d.symbol.base]: self.symbols[mover.index]
            for mover in self.game.players
            if isinstance(mover, Family)
            for d in mover.decisions
        }

    def outward(self, expression: Any) -> Any:
        back = {new: old for old, new in (*self.symbols.items(), *self.sizes.items())}
        taken = {str(symbol) for symbol in self.symbols}
        name = next(name for name in "jlmrst" if name not in taken)
        return named(sp.sympify(expression).xreplace(back), sp.Symbol(name, integer=True))


def inner(game: Game) -> Inner:
    """Symbols with assumptions from the parameters' intervals and the decisions' bounds."""
    symbols: dict[sp.Basic, sp.Basic] = {}
    ranges: dict[sp.Basic, Range] = {}
    for parameter in game.parameters:
        given = parameter.symbol
        low, high = parameter.low, parameter.high
        if low == -sp.oo and given.is_nonnegative:
            low = sp.S.Zero
        if high == sp.oo and given.is_nonpositive:
            high = sp.S.Zero
        integer = bool(parameter.integer or given.is_integer)
        facts = _assumptions(low, high, integer=integer, strict=not integer)
        new = _renamed(given, facts)
        symbols[given] = new
        ranges[new] = Range(low, high, integer=integer)
    for mover in game.players:
        for decision in mover.decisions:
            base = decision.symbol
            base = base.base if isinstance(base, sp.Indexed) else base
            facts = _assumptions(decision.low, decision.high, integer=False, strict=False)
            symbols[base] = _renamed(base, facts)
        if isinstance(mover, Family):
            symbols[mover.index] = sp.Symbol(mover.index.name, integer=True, positive=True)
    names = [str(symbol) for symbol in symbols]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"game {game.name!r} has two symbols named {name!r}: rename one")
    sizes: dict[sp.Integer, sp.Basic] = {}
    found = Inner(game, symbols, Domain(ranges), sizes)
    for mover in game.players:
        if isinstance(mover, Family):
            if mover.size.is_Integer and mover.size not in sizes:
                number = sp.Dummy(f"n{mover.size}", integer=True, positive=True)
                sizes[mover.size] = number
                ranges[number] = Range(mover.size, mover.size, integer=True)
            ranges[symbols[mover.index]] = Range(sp.S.One, integer=True, members=found.size(mover))
    relations = [found.inward(assumption) for assumption in game.assumptions]
    return Inner(game, symbols, Domain(ranges).where(*relations), sizes)


def _assumptions(low: sp.Expr, high: sp.Expr, *, integer: bool, strict: bool) -> dict[str, bool]:
    facts: dict[str, bool] = {"integer": True} if integer else {"real": True}
    if low.is_positive or (low.is_nonnegative and strict):
        facts["positive"] = True
    elif low.is_nonnegative:
        facts["nonnegative"] = True
    if high.is_negative or (high.is_nonpositive and strict):
        facts["negative"] = True
    elif high.is_nonpositive:
        facts["nonpositive"] = True
    return facts


def _renamed(symbol: sp.Basic, facts: dict[str, bool]) -> sp.Basic:
    if isinstance(symbol, sp.IndexedBase):
        return sp.IndexedBase(str(symbol), **facts)
    return sp.Symbol(str(symbol), **facts)


def sides(mover: Mover, at: Inner) -> tuple[Side, ...]:
    """The bounds and constraints of a player as slacks that are nonnegative."""
    found: list[Side] = []
    for decision in mover.decisions:
        found += _bounds(decision, at)
    for constraint in mover.constraints:
        given = at.inward(constraint)
        if given in (True, sp.true):
            continue
        name = f"{constraint.lhs} = {constraint.rhs}"
        if isinstance(constraint, sp.Eq):
            found.append(Side(name, given.lhs - given.rhs, equality=True))
        else:
            found.append(Side(name, given.gts - given.lts))
    return tuple(found)


def _bounds(decision: Decision, at: Inner) -> list[Side]:
    symbol = at.inward(decision.symbol)
    low, high = at.inward(decision.low), at.inward(decision.high)
    found = []
    if low != -sp.oo:
        found.append(Side(f"{decision.symbol} = {decision.low}", symbol - low))
    if high != sp.oo:
        found.append(Side(f"{decision.symbol} = {decision.high}", high - symbol))
    return found


def decided(mover: Mover, at: Inner, domain: Domain) -> Domain:
    """The domain with the player's decisions in it, within their bounds and constraints."""
    ranges: dict[sp.Basic, Range] = {}
    relations: list[sp.Basic] = []
    for decision in mover.decisions:
        symbol = at.inward(decision.symbol)
        base = symbol.base if isinstance(symbol, sp.Indexed) else symbol
        ends = []
        for bound, infinite in ((decision.low, -sp.oo), (decision.high, sp.oo)):
            ends.append(bound if bound.is_number else infinite)
        ranges[base] = Range(ends[0], ends[1], closed=True)
        relations += [side.slack for side in _bounds(decision, at) if not _numeric(side, symbol)]
    for constraint in mover.constraints:
        relations.append(at.inward(constraint))
    return domain.adding(ranges).where(*relations)


def _numeric(side: Side, symbol: sp.Basic) -> bool:
    return bool(side.slack.subs(symbol, 0).is_number)
