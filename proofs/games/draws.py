"""Parameter values at which formulas are tried: inside the intervals, near their ends, at ties.

Values are short exact rationals, so that a failure can be replayed and read. Bounded intervals
are drawn uniformly and half-bounded ones log-uniformly over 10^-2 to 10^2 from their end (a tenth
of the draws over 10^-4 to 10^4); a tenth of the draws lies near an end, and in a fifth some
parameters with the same interval, or the members of one indexed parameter, have equal values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp

from proofs.games.formulas import Condition, Unaligned, arrays
from proofs.games.game import Family, Game, Parameter

_EFFORT = 100
"""Candidates tried for each draw that is asked for, before assumptions count as contradictory."""


def draw(game: Game, draws: int, *, seed: int = 0) -> list[dict[sp.Basic, Any]]:
    """Values of all parameters, meeting the assumptions: SymPy rationals by symbol (`w[3]`).

    May return fewer than `draws` where the assumptions are met rarely.
    Raises ValueError where no candidate meets them (they contradict one another).
    """
    if draws < 1:
        raise ValueError(f"draws is {draws}: give a positive number of draws")
    rng = np.random.default_rng(seed)
    sizes = _sizes(game)
    free, fixed = _solved(game)
    met: list[dict[sp.Basic, Any]] = []
    tried = 0
    limit = max(_EFFORT * draws, 4_000)
    while len(met) < draws and tried < limit:
        batch = [_candidate(game, free, fixed, sizes, rng) for _ in range(max(draws, 50))]
        tried += len(batch)
        batch = [_exchanged(game, values) for values in batch]
        met += [values for values in _plausible(game, batch) if _meets(game, values)]
        if not met and tried >= limit // 4 and len(game.assumptions) == 0:
            break
    if not met:
        relations = ", ".join(map(str, game.assumptions)) or "none"
        raise ValueError(
            f"game {game.name!r}: none of {tried} draws within the intervals meets the assumptions "
            f"({relations}); they are contradictory, or so tight that the intervals of the "
            "parameters should say so: narrow the intervals"
        )
    return met[:draws]


def _exchanged(game: Game, values: dict[sp.Basic, Any]) -> dict[sp.Basic, Any]:
    """Two parameters of one interval that are assumed in an order change places to meet it.

    Orders of many would hardly ever be met by chance.
    """
    pairs = []
    for relation in game.assumptions:
        if isinstance(relation, sp.Ge | sp.Gt | sp.Le | sp.Lt):
            more, less = game.parameter(relation.gts), game.parameter(relation.lts)
            if more is not None and less is not None and bounds(more) == bounds(less):
                pairs.append((relation.gts, relation.lts))
    for _ in range(len(pairs)):
        for more, less in pairs:
            if more in values and less in values and values[more] < values[less]:
                values[more], values[less] = values[less], values[more]
    return values


def nudged(
    game: Game, values: Mapping[sp.Basic, Any], count: int, rng: np.random.Generator
) -> list[dict[sp.Basic, Any]]:
    """Up to `count` draws near another that meet the assumptions; family sizes stay."""
    declared = {p.symbol: bounds(p) for p in game.parameters}
    _, fixed = _solved(game)
    batch = []
    for _ in range(count):
        size = 10.0 ** rng.uniform(-2, 0.5)
        one = rng.random() < 0.5
        pick = rng.integers(len(values))
        moved = dict(values)
        for number, (symbol, value) in enumerate(values.items()):
            low, high, integer = interval = declared[
                symbol.base if isinstance(symbol, sp.Indexed) else symbol
            ]
            if integer or (one and number != pick):
                continue
            # The distance from an end of the interval, or from 0, changes by a factor.
            ends = [end for end in (low, high) if np.isfinite(end)]
            end = float(rng.choice(ends)) if ends else 0.0
            new = end + (float(value) - end) * 10.0 ** (size * rng.standard_normal())
            if not ends:
                new += size * rng.standard_normal()
            if low < new < high:
                moved[symbol] = _short(new, interval)
        for symbol, expression in fixed.items():
            moved[symbol] = sp.nsimplify(expression.subs(moved), rational=True)
        batch.append(moved)
    return [found for found in _plausible(game, batch) if _meets(game, found)]


def bounds(parameter: Parameter) -> tuple[float, float, bool]:
    """The interval of a parameter and whether it is an integer, what its symbol says included."""
    symbol = parameter.symbol
    low, high = float(parameter.low), float(parameter.high)
    label = symbol.label if isinstance(symbol, sp.IndexedBase) else symbol
    if symbol.is_nonnegative or label.is_nonnegative:
        low = max(low, 0.0)
    if symbol.is_nonpositive or label.is_nonpositive:
        high = min(high, 0.0)
    integer = bool(parameter.integer or symbol.is_integer or label.is_integer)
    if integer and label.is_positive:
        low = max(low, 1.0)
    return low, high, integer


def _sizes(game: Game) -> dict[sp.Basic, sp.Expr]:
    """For each indexed parameter the number of its members, as an expression."""
    found: dict[sp.Basic, sp.Expr] = {}

    def note(base: sp.Basic, size: sp.Expr) -> None:
        old = found.get(base)
        if old is None or (old.is_Integer and size.is_Integer and size > old):
            found[base] = size

    def walk(expression: Any, known: Mapping[sp.Basic, sp.Expr]) -> None:
        if isinstance(expression, sp.Sum):
            known = {**known, **{limit[0]: limit[2] for limit in expression.limits}}
        if isinstance(expression, sp.Indexed):
            if game.parameter(expression) is None:
                return
            if len(expression.indices) != 1:
                raise ValueError(
                    f"{expression} has {len(expression.indices)} indices: a parameter has one "
                    "index, that of the members; give one parameter for each value of the other"
                )
            (position,) = expression.indices
            if position in known:
                note(expression.base, known[position])
            elif position.is_Integer:
                note(expression.base, position)
            return
        for part in expression.args:
            walk(part, known)

    for mover in game.players:
        known = {mover.index: mover.size} if isinstance(mover, Family) else {}
        for text in (
            mover.utility,
            *mover.constraints,
            *(b for d in mover.decisions for b in (d.low, d.high)),
        ):
            walk(text, known)
    indices = {m.index: m.size for m in game.players if isinstance(m, Family)}
    for relation in game.assumptions:
        walk(relation, indices)
    for parameter in game.parameters:
        if isinstance(parameter.symbol, sp.IndexedBase) and parameter.symbol not in found:
            families = [m.size for m in game.players if isinstance(m, Family)]
            found[parameter.symbol] = families[0] if families else sp.Integer(1)
    return found


def _solved(game: Game) -> tuple[list[Parameter], dict[sp.Symbol, sp.Expr]]:
    """Equations among the assumptions, each solved for one parameter that is then not drawn."""
    fixed: dict[sp.Symbol, sp.Expr] = {}
    for relation in game.assumptions:
        if not isinstance(relation, sp.Eq):
            continue
        for parameter in game.parameters:
            symbol = parameter.symbol
            if symbol in fixed or not isinstance(symbol, sp.Symbol) or not relation.has(symbol):
                continue
            slope = sp.diff(relation.lhs - relation.rhs, symbol)
            if slope.is_number and slope != 0 and not relation.has(sp.Sum):
                rest = (relation.lhs - relation.rhs).subs(symbol, 0)
                fixed[symbol] = -rest.subs(fixed) / slope
                break
    return [p for p in game.parameters if p.symbol not in fixed], fixed


def _candidate(
    game: Game,
    free: list[Parameter],
    fixed: Mapping[sp.Symbol, sp.Expr],
    sizes: Mapping[sp.Basic, sp.Expr],
    rng: np.random.Generator,
) -> dict[sp.Basic, Any]:
    values: dict[sp.Basic, Any] = {}
    lengths = {m.size for m in game.players if isinstance(m, Family)} | set(sizes.values())
    near = rng.random() < 0.1
    wide = rng.random() < 0.1
    for p in free:
        if not isinstance(p.symbol, sp.IndexedBase):
            counts = any(p.symbol in size.free_symbols for size in lengths)
            values[p.symbol] = _number(p, rng, near=near, wide=wide, counts=counts)
    for p in free:
        if isinstance(p.symbol, sp.IndexedBase):
            count = int(sizes[p.symbol].subs(values))
            numbers = [_number(p, rng, near=near, wide=wide) for _ in range(count)]
            tie = rng.random()
            if tie < 0.1:
                numbers = numbers[:1] * count
            elif tie < 0.2 and count > 1:
                numbers[1] = numbers[0]
            values |= {p.symbol[k + 1]: number for k, number in enumerate(numbers)}
    scalars = [p for p in free if isinstance(p.symbol, sp.Symbol) and not bounds(p)[2]]
    if len(scalars) > 1 and rng.random() < 0.1:
        one, other = rng.choice(len(scalars), 2, replace=False)
        if bounds(scalars[one]) == bounds(scalars[other]):
            values[scalars[one].symbol] = values[scalars[other].symbol]
    for symbol, expression in fixed.items():
        values[symbol] = sp.nsimplify(expression.subs(values), rational=True)
    return values


def _number(
    parameter: Parameter,
    rng: np.random.Generator,
    *,
    near: bool = False,
    wide: bool = False,
    counts: bool = False,
) -> sp.Rational:
    low, high, integer = interval = bounds(parameter)
    if integer:
        reach = 6 if counts else 12
        if np.isinf(low) and np.isinf(high):
            low, high = -reach, reach
        first = np.ceil(low) if np.isfinite(low) else np.floor(high) - reach
        last = np.floor(high) if np.isfinite(high) else first + reach
        if counts:
            last = min(last, first + reach)
        return sp.Integer(int(rng.integers(int(first), int(last) + 1)))
    decades = 4.0 if wide else 2.0
    if np.isfinite(low) and np.isfinite(high):
        share = rng.random()
        if near and rng.random() < 0.5:
            share = 10.0 ** rng.uniform(-4, -1)
            share = share if rng.random() < 0.5 else 1 - share
        return _short(low + share * (high - low), interval)
    away = 10.0 ** rng.uniform(-decades, decades)
    if np.isfinite(low):
        return _short(low + away, interval)
    if np.isfinite(high):
        return _short(high - away, interval)
    return _short(away if rng.random() < 0.5 else -away, interval)


def _short(number: float, interval: tuple[float, float, bool]) -> sp.Rational:
    """Four significant digits where those are inside the open interval, else all of them."""
    low, high, _ = interval
    for digits in (4, 7, 12):
        text = f"{number:.{digits}g}"
        if low < float(text) < high:
            return sp.Rational(text)
    return sp.Rational(number)


def _plausible(game: Game, batch: list[dict[sp.Basic, Any]]) -> list[dict[sp.Basic, Any]]:
    """Candidates that meet the assumptions up to rounding."""
    if not game.assumptions:
        return batch
    try:
        conditions = [Condition(r, _index(game, r)) for r in game.assumptions]
    except Unaligned:
        return batch
    groups: dict[tuple[Any, ...], list[dict[sp.Basic, Any]]] = {}
    for values in batch:
        groups.setdefault(tuple(values), []).append(values)
    kept = []
    for group in groups.values():
        at = arrays(group)
        good = np.all([np.broadcast_to(c(at) >= -1e-9, len(group)) for c in conditions], axis=0)
        kept += [values for values, ok in zip(group, good, strict=True) if ok]
    return kept


def _index(game: Game, relation: Any) -> sp.Symbol | None:
    for mover in game.players:
        if isinstance(mover, Family) and mover.index in relation.free_symbols:
            return mover.index
    return None


def _meets(game: Game, values: Mapping[sp.Basic, Any]) -> bool:
    """Exactly. A relation about `w[i]` is about every member."""
    ranges = {p.symbol: bounds(p) for p in game.parameters}
    for symbol, value in values.items():
        low, high, integer = ranges[symbol.base if isinstance(symbol, sp.Indexed) else symbol]
        number = float(value)
        if not (low <= number <= high if integer else low < number < high):
            return False
    for relation in game.assumptions:
        if not all(_true(r, values) for r in written(game, relation, values)):
            return False
    return True


def written(game: Game, expression: Any, values: Mapping[sp.Basic, Any]) -> list[Any]:
    """An expression about a member `i`, at every member of the family; else the expression."""
    for mover in game.players:
        if isinstance(mover, Family) and mover.index in expression.free_symbols:
            size = int(mover.size.subs(values))
            return [expression.subs(mover.index, k) for k in range(1, size + 1)]
    return [expression]


def _true(relation: Any, values: Mapping[sp.Basic, Any]) -> bool:
    if relation.has(sp.Sum):
        plain = {s: v for s, v in values.items() if not isinstance(s, sp.Indexed)}
        relation = relation.subs(plain).doit()
    if relation in (sp.true, sp.false):
        return relation is sp.true
    # Sides first and numbers compared: SymPy ponders the signs of a half-replaced relation.
    left, right = (side.xreplace(dict(values)) for side in (relation.lhs, relation.rhs))
    return relation.func(left, right) == True  # noqa: E712 (a SymPy truth value)
