"""One mover's decisions, at many games at once, against the best that search finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from proofs.games.formulas import Array, Arrays
from proofs.games.game import Family, Game
from proofs.games.growth import RISING
from proofs.games.lowered import FEASIBLE, Lowered, LoweredGame
from proofs.games.numeric import Hint, best_reply
from proofs.games.solution import Branch

_DECISIONS = 1e-5
"""Relative difference from the searched optimum that a decision may have."""
_FLAT = (1e-13, 3e-11)
"""Gains below this part of the utility are rounding: of the last movers, and of others."""
_ROUNDINGS = 100
"""Roundings of the utility (`proofs.games.rounding`) that two values may differ by."""
_INSIDE = 1e-9


@dataclass
class Trouble:
    """For each game: the worst member's gain and difference, and what is wrong, if anything."""

    gain: Array
    difference: Array
    reason: list[str]
    member: Array
    better: dict[sp.Basic, Array]
    utility: Array

    @property
    def wrong(self) -> Array:
        return np.array([bool(reason) for reason in self.reason], dtype=bool)

    def clear(self, k: int, second: Trouble) -> None:
        self.gain[k], self.difference[k] = second.gain[0], second.difference[0]
        self.reason[k] = ""

    def row(self, k: int) -> Trouble:
        part = slice(k, k + 1)
        better = {s: v[part] for s, v in self.better.items()}
        return Trouble(
            self.gain[part],
            self.difference[part],
            self.reason[part],
            self.member[part],
            better,
            self.utility[part],
        )


def examined(
    low: LoweredGame,
    stage: int,
    mover: Lowered,
    at: Arrays,
    hints: Sequence[Hint | None],
    tolerance: float,
) -> Trouble:
    games, count = at[mover.choices[0].symbol].shape[:2]
    value = np.broadcast_to(mover.utility(at), (games, count, 1))[..., 0]
    number = np.isfinite(value)
    feasible = np.ones((games, count), dtype=bool)
    for choice in mover.choices:
        x = at[choice.symbol][..., 0]
        bottom, top = mover.bounds(choice, at)
        size = _INSIDE * np.maximum(np.abs(x), 1e-6)
        number &= np.isfinite(x)
        feasible &= (x >= bottom - size) & (x <= top + size)
        if choice.integer:
            feasible &= np.abs(x - np.round(x)) <= size
    for constraint in mover.constraints:
        gap, scale = constraint(at)
        feasible &= (gap >= -_INSIDE * scale)[..., 0]
    # The search begins at numbers: the mover's own decisions, and those of later movers.
    free = {c.symbol for c in mover.choices}
    free |= {s for later in range(stage + 1, len(low.stages)) for s in low.symbols(later)}
    safe = {s: np.where(np.isfinite(at[s]), at[s], 0.0) for s in free}
    best = best_reply(low, stage, mover, {**at, **safe}, hints)
    with np.errstate(all="ignore"):
        gain = np.where(number, (best.value - value) / (1 + np.abs(value)), np.inf)
        apart = np.zeros((games, count))
        for choice in mover.choices:
            x, y = at[choice.symbol][..., 0], best.at[choice.symbol][..., 0]
            apart = np.maximum(apart, np.abs(x - y) / np.maximum(np.maximum(abs(x), abs(y)), 1e-6))
        flat = _FLAT[0] if stage == len(low.stages) - 1 else _FLAT[1]
        rise = best.value - np.where(feasible, np.maximum(best.before, value), best.before)
        # What meets in the utility, and not its value, says how large rounding is.
        terms = np.maximum(mover.rounding(at), mover.rounding({**at, **best.at}))[..., 0]
        level = flat * np.abs(best.value) + _ROUNDINGS * terms
        if stage == len(low.stages) - 1:
            level = level + _scatter(mover, at)
        apart = np.where(rise > level, apart, 0.0)
        apart = np.where(np.isnan(apart), np.inf, apart)
    kinds = [
        (~number, "not a real number"),
        (~feasible, "not feasible"),
        (best.unbounded, RISING),
        (gain > tolerance, "another decision is better"),
        (apart > _DECISIONS, "another decision is better"),
    ]
    reason = [""] * games
    for mask, words in reversed(kinds):
        for k in np.flatnonzero(mask.any(axis=1)):
            reason[k] = words
    bad = np.max([mask * (len(kinds) - n) for n, (mask, _) in enumerate(kinds)], axis=0)
    gain = np.where(feasible & number, gain, np.inf)
    worst = np.argmax(bad * 1e6 + np.minimum(np.nan_to_num(gain, nan=0, posinf=1e3), 1e3), axis=1)
    lines = np.arange(games)
    return Trouble(gain.max(axis=1), apart.max(axis=1), reason, worst, best.at, value[lines, worst])


def _scatter(mover: Lowered, at: Arrays) -> Array:
    """What values differ by and should not, (games, members).

    They scatter about a line where a decision changes in the tenth digit; and on a constraint a
    deviation may leave it by rounding, which is worth so much of x ∂U/∂x.
    """
    steps = np.arange(-4.0, 5.0)
    found: Any = 0.0
    for choice in mover.choices:
        if not choice.integer:
            near = at[choice.symbol] * (1 + 1e-10 * steps)
            own = {c.symbol: at[c.symbol] for c in mover.choices} | {choice.symbol: near}
            values = mover.utility(at, own)
            values = np.nan_to_num(values - values.mean(axis=2, keepdims=True))
            slope = (values * steps).sum(axis=2, keepdims=True) / (steps**2).sum()
            found = found + 10 * np.ptp(values - slope * steps, axis=2)
            if mover.constraints:
                found = found + 10 * FEASIBLE * np.abs(slope[..., 0]) * 1e10
    return np.asarray(found)


class Exact:
    """The decisions of one game from exact parameters, 30 digits, rounded once."""

    def __init__(
        self,
        game: Game,
        low: LoweredGame,
        branches: Sequence[Branch],
        chosen: Array,
        group: list[dict[sp.Basic, Any]],
    ) -> None:
        self.game, self.low, self.branches = game, low, branches
        self.chosen, self.group = chosen, group

    def __call__(self, k: int, at: Arrays) -> dict[sp.Basic, Array] | None:
        """None where a formula depends on decisions off the path (floats in themselves)."""
        values = self.group[k]
        branch = self.branches[int(self.chosen[k])]
        found: dict[sp.Basic, Array] = {}
        parameters = {self.game.parameter(s) is not None for s in values}
        assert parameters == {True} or not values
        for symbol, expression in branch.decisions.items():
            known = set(values) | {s.base for s in values if isinstance(s, sp.Indexed)}
            known |= {s.base.label for s in values if isinstance(s, sp.Indexed)}
            bound = {f.index for f in self.game.players if isinstance(f, Family)}
            if not sp.sympify(expression).free_symbols - bound <= known | _bound(expression):
                return None
            for target, formula in self._each(symbol, sp.sympify(expression), at):
                numbers = [_digits(f, values) for f in formula]
                found[target] = np.array(numbers)[None, :, None]
        return found

    def _each(
        self, symbol: sp.Basic, expression: sp.Expr, at: Arrays
    ) -> Iterator[tuple[sp.Basic, list[sp.Expr]]]:
        if not isinstance(symbol, sp.Indexed) or symbol.indices[0].is_Integer:
            yield symbol, [expression]
            return
        (index,) = symbol.indices
        if symbol.base in at and self.low.whole:
            count = at[symbol.base].shape[1]
            yield symbol.base, [expression.subs(index, r) for r in range(1, count + 1)]
            return
        for target in at:
            if isinstance(target, sp.Indexed) and target.base == symbol.base:
                yield target, [expression.subs(index, target.indices[0])]


def _bound(expression: Any) -> set[sp.Basic]:
    return {limit[0] for total in sp.sympify(expression).atoms(sp.Sum) for limit in total.limits}


def _digits(expression: sp.Expr, values: Mapping[sp.Basic, Any]) -> float:
    plain = {s: v for s, v in values.items() if isinstance(s, sp.Symbol)}
    if expression.has(sp.Sum):
        expression = expression.subs(plain).doit()
    number = expression.xreplace(dict(values)).evalf(30)
    if not number.is_number or number.is_real is False:
        return float("nan")
    try:
        return float(number)
    except TypeError:
        return float("nan")
