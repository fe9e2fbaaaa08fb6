"""A Stackelberg game, written down in SymPy: who moves when, on what, and for what.

A game is a sequence of stages, the leaders' first. The players of one stage move at once, each
seeing what the stages before did; everybody knows everything. A solution is found from the last
stage backwards (backward induction; von Stackelberg 1934, Selten 1965).

>>> import sympy as sp
>>> a, b, c = sp.symbols("a b c", positive=True)
>>> q1, q2 = sp.symbols("q1 q2", real=True)
>>> price = a - b * (q1 + q2)
>>> duopoly = Game(
...     name="duopoly",
...     stages=(
...         (Player("leader", (price - c) * q1, (Decision(q1, low=0),)),),
...         (Player("follower", (price - c) * q2, (Decision(q2, low=0),)),),
...     ),
...     parameters=(Parameter(a, low=0), Parameter(b, low=0), Parameter(c, low=0)),
...     assumptions=(a > c,),
... )
>>> [player.name for player in duopoly.players]
['leader', 'follower']

A `Family` is a number of players alike but for an index: decisions and parameters are then
`Indexed` (`x[i]`, `w[i]`), sums over all members `Sum(x[j], (j, 1, n))`, and the number n an
integer or an integer parameter. `expanded` writes the members out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import sympy as sp
from sympy.core.relational import Relational


@dataclass(frozen=True)
class Decision:
    """What a player chooses: a symbol (`x`, or `x[i]` in a family) between two bounds.

    The bounds may depend on parameters and on what was decided in earlier stages.
    """

    symbol: sp.Expr
    low: sp.Expr = field(default=-sp.oo, kw_only=True)
    high: sp.Expr = field(default=sp.oo, kw_only=True)
    integer: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        _require(
            isinstance(self.symbol, sp.Symbol | sp.Indexed),
            f"decision {self.symbol!r} is a {type(self.symbol).__name__}: "
            "give a SymPy Symbol, or x[i] of an IndexedBase in a family",
        )
        for name in ("low", "high"):
            object.__setattr__(self, name, sp.sympify(getattr(self, name)))
        _require(
            (self.high - self.low).is_negative is not True,
            f"decision {self.symbol}: low {self.low} is above high {self.high}",
        )


@dataclass(frozen=True)
class Player:
    """Maximises `utility` over `decisions`, subject to `constraints` (relations that must hold)."""

    name: str
    utility: sp.Expr
    decisions: tuple[Decision, ...]
    constraints: tuple[Relational, ...] = ()

    def __post_init__(self) -> None:
        _check_player(self)


@dataclass(frozen=True)
class Family:
    """`size` players alike but for the index, which runs from 1 to `size`."""

    name: str
    utility: sp.Expr
    decisions: tuple[Decision, ...]
    constraints: tuple[Relational, ...] = ()
    index: sp.Symbol = field(kw_only=True)
    size: sp.Expr = field(kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", sp.sympify(self.size))
        _require(
            (self.size.is_Integer and self.size >= 1) or isinstance(self.size, sp.Symbol),
            f"family {self.name!r} has size {self.size}: give an integer of at least 1, or the "
            "symbol of an integer parameter",
        )
        _check_player(self)
        for decision in self.decisions:
            _require(
                isinstance(decision.symbol, sp.Indexed)
                and decision.symbol.indices == (self.index,),
                f"family {self.name!r}: decision {decision.symbol} must be indexed by {self.index}",
            )

    def member(self, number: int) -> Player:
        """The player that the family has at an index from 1 to its size."""
        return Player(
            f"{self.name} {number}",
            self.utility.subs(self.index, number),
            tuple(
                Decision(
                    d.symbol.subs(self.index, number),
                    low=d.low.subs(self.index, number),
                    high=d.high.subs(self.index, number),
                    integer=d.integer,
                )
                for d in self.decisions
            ),
            tuple(relation.subs(self.index, number) for relation in self.constraints),
        )


@dataclass(frozen=True)
class Parameter:
    """A number that everybody knows: a symbol, or an `IndexedBase` with one value for each member.

    low, high: finite numbers or infinities, the open interval that the parameter lies in (for an
    integer, the bounds belong to it).
    """

    symbol: sp.Symbol | sp.IndexedBase
    low: sp.Expr = field(default=-sp.oo, kw_only=True)
    high: sp.Expr = field(default=sp.oo, kw_only=True)
    integer: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            bound = sp.sympify(getattr(self, name))
            object.__setattr__(self, name, bound)
            _require(
                bound.is_number and bound.is_extended_real is True,
                f"parameter {self.symbol}: {name} is {bound}, and must be a real number or ±oo; "
                "relations between parameters belong to the game's `assumptions`",
            )
        empty = self.low > self.high if self.integer else self.low >= self.high
        _require(
            not empty,
            f"parameter {self.symbol}: no number lies between {self.low} and {self.high}",
        )


Mover = Player | Family


@dataclass(frozen=True)
class Game:
    """Stages of movers, the first mover's first; parameters; relations assumed among them."""

    stages: tuple[tuple[Mover, ...], ...]
    parameters: tuple[Parameter, ...] = ()
    assumptions: tuple[Relational, ...] = ()
    name: str = "game"

    def __post_init__(self) -> None:
        _check_game(self)

    @property
    def players(self) -> tuple[Mover, ...]:
        """Everybody, in the order of the stages."""
        return tuple(player for stage in self.stages for player in stage)

    def parameter(self, symbol: sp.Basic) -> Parameter | None:
        """The declaration of a symbol, or None."""
        base = symbol.base if isinstance(symbol, sp.Indexed) else symbol
        return next((p for p in self.parameters if p.symbol == base), None)


def expanded(game: Game, sizes: Mapping[sp.Symbol, int] | None = None) -> Game:
    """The game with every member of every family written out.

    sizes: the number for each family whose size is a symbol. Indexed parameters and decisions stay
    `Indexed` at numbers (`w[3]`), so that a member's symbols are those of the family.
    """
    sizes = dict(sizes or {})

    def written(value: Any) -> Any:
        return value.subs(sizes).doit() if isinstance(value, sp.Basic) else value

    def members(mover: Mover) -> Iterator[Player]:
        if isinstance(mover, Player):
            yield mover
            return
        count = written(mover.size)
        _require(
            bool(count.is_Integer) and count >= 1,
            f"family {mover.name!r} has size {mover.size}: say how many, sizes={{{mover.size}: 3}}",
        )
        for number in range(1, int(count) + 1):
            yield mover.member(number)

    stages = tuple(
        tuple(
            replace(
                player,
                utility=written(player.utility),
                decisions=tuple(
                    replace(d, low=written(d.low), high=written(d.high)) for d in player.decisions
                ),
                constraints=tuple(written(relation) for relation in player.constraints),
            )
            for mover in stage
            for player in members(mover)
        )
        for stage in game.stages
    )
    return replace(
        game,
        stages=stages,
        parameters=tuple(p for p in game.parameters if p.symbol not in sizes),
        assumptions=tuple(written(relation) for relation in game.assumptions),
    )


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _check_player(player: Mover) -> None:
    for name, kind in (("decisions", Decision), ("constraints", Relational)):
        given = getattr(player, name)
        _require(
            isinstance(given, tuple) and all(isinstance(x, kind) for x in given),
            f"player {player.name!r}: {name} is {given!r}, and must be a tuple of {kind.__name__}",
        )
    object.__setattr__(player, "utility", sp.sympify(player.utility))
    _require(bool(player.decisions), f"player {player.name!r} decides nothing: give `decisions`")
    _require(
        not player.utility.has(sp.nan, sp.zoo),
        f"player {player.name!r}: the utility {player.utility} is not a number",
    )
    for relation in player.constraints:
        _require(
            not isinstance(relation, sp.Ne),
            f"player {player.name!r}: the constraint {relation} leaves no closed set; use ≤, ≥, =",
        )


def _check_game(game: Game) -> None:
    _require(
        bool(game.stages) and all(bool(stage) for stage in game.stages),
        f"game {game.name!r} has an empty stage: every stage needs a player",
    )
    names = [player.name for player in game.players]
    for name in names:
        _require(names.count(name) == 1, f"game {game.name!r} has two players named {name!r}")
    symbols = [d.symbol for player in game.players for d in player.decisions]
    decided = {_base(symbol) for symbol in symbols}
    for symbol in symbols:
        _require(
            symbols.count(symbol) == 1, f"game {game.name!r}: {symbol} is decided by two players"
        )
        _require(
            game.parameter(symbol) is None,
            f"game {game.name!r}: {symbol} is both a decision and a parameter",
        )
    sizes = [player.size for player in game.players if isinstance(player, Family)]
    for size in sizes:
        declared = game.parameter(size)
        _require(
            not size.is_Symbol or (declared is not None and declared.integer and declared.low >= 1),
            f"game {game.name!r}: the size {size} of a family must be declared, "
            f"Parameter({size}, low=1, integer=True)",
        )
    for mover in game.players:
        bound = {mover.index} if isinstance(mover, Family) else set()
        for symbol in _mentioned(mover):
            known = _base(symbol) in decided or game.parameter(symbol) is not None
            _require(
                known or symbol in bound,
                f"game {game.name!r}: {symbol}, used by {mover.name!r}, is neither a decision nor "
                f"a declared parameter: add Parameter({symbol}, low=..., high=...)",
            )
    _check_order(game)
    for relation in game.assumptions:
        _require(
            relation is not sp.false,
            f"game {game.name!r}: an assumption is contradictory, and no parameters meet it",
        )
        for symbol in relation.free_symbols if relation is not sp.true else ():
            _require(
                game.parameter(symbol) is not None or _base(symbol) not in decided,
                f"game {game.name!r}: the assumption {relation} is about {symbol}, a decision: "
                "make it a constraint of the player who decides",
            )


def _check_order(game: Game) -> None:
    """Bounds see earlier stages only; constraints see no simultaneous choice of another player."""
    later: set[sp.Basic] = set()
    for stage in reversed(game.stages):
        for player in stage:
            own = {d.symbol for d in player.decisions}
            rivals = {d.symbol for other in stage for d in other.decisions} - own
            for decision in player.decisions:
                seen = (decision.low.free_symbols | decision.high.free_symbols) & (
                    later | rivals | own
                )
                _require(
                    not seen,
                    f"player {player.name!r}: the bounds of {decision.symbol} depend on {seen}, "
                    "decided at the same time or later: make it a constraint",
                )
            for relation in player.constraints:
                seen = relation.free_symbols & rivals
                _require(
                    not seen,
                    f"player {player.name!r}: the constraint {relation} depends on {seen}, which "
                    "another player decides at the same time (a generalised Nash problem, which "
                    "has no unique answer); give each player its own constraint",
                )
        later |= {d.symbol for player in stage for d in player.decisions}


def _base(symbol: sp.Basic) -> sp.Basic:
    return symbol.base if isinstance(symbol, sp.Indexed) else symbol


def _mentioned(mover: Mover) -> Iterable[sp.Basic]:
    """Symbols and bases that a mover's records use freely (summation indices left out)."""
    texts: list[sp.Basic] = [mover.utility, *mover.constraints]
    texts += [bound for d in mover.decisions for bound in (d.low, d.high)]
    for text in texts:
        labels = {indexed.base.label for indexed in text.atoms(sp.Indexed)}
        for symbol in text.free_symbols:
            # A base and its label are both free in an Indexed; the base stands for the two.
            if isinstance(symbol, sp.Indexed):
                yield symbol.base
            elif symbol not in labels:
                yield symbol
