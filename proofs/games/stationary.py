"""Replies of the last movers by Newton's method on all their first order conditions at once.

With λ the multipliers of a mover's constraints g(x) ≥ 0, a reply satisfies, for every decision,

    x = clip(x + G(x, λ) / c, low, high),  G = ∂U/∂x + Σ λ ∂g/∂x,   and   0 ≤ λ ⊥ g(x) ≥ 0

for any c > 0: a system that is smooth but where a bound begins to bind, and is solved by Newton's
method with the side that holds now (semismooth Newton; Qi & Sun 1993; as a primal-dual active set,
Hintermüller, Ito & Kunisch 2003). Derivatives of the utilities are SymPy's; those of G are
differences of them, which costs steps and no digits.

What comes out is a hint and no more. It may be a minimum, or a local maximum: `numeric` keeps it
where search finds nothing better, and begins there where it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from proofs.games.formulas import Array, Arrays, Formula, Unaligned, rows
from proofs.games.game import Family
from proofs.games.lowered import Lowered, LoweredGame

_STEPS = 40
_HALVINGS = 8
_CLOSE = 1e-9
"""A step this small, relative to the decision, is the last: the next would be its square."""
_SOLVED = 1e-9
_CELLS = 1_000_000


def stationary(game: LoweredGame, stage: int) -> Stationary | None:
    """A hint for a stage after which nobody moves; None where there are no derivatives."""
    if stage != len(game.stages) - 1:
        return None
    if any(choice.integer for mover in game.stages[stage] for choice in mover.choices):
        return None
    try:
        return Stationary(game, stage)
    except Unaligned:
        return None


@dataclass(frozen=True)
class _Side:
    """A constraint g ≥ 0 (or = 0) of a mover, and its slopes in the mover's decisions."""

    gap: Formula
    slopes: tuple[Formula, ...]
    equality: bool


@dataclass(frozen=True)
class _Conditions:
    mover: Lowered
    slopes: tuple[Formula, ...]
    sides: tuple[_Side, ...]


class Stationary:
    """The hint: decisions of the stage from those in `at`, NaN where Newton's method failed."""

    def __init__(self, game: LoweredGame, stage: int) -> None:
        self.movers = [_conditions(mover) for mover in game.stages[stage]]

    def __call__(self, at: Arrays) -> Mapping[sp.Basic, Array]:
        size = max(len(v) for v in at.values())
        found = {s: np.full(at[s].shape, np.nan) for s in self._symbols()}
        count = sum(at[s].shape[1] for s in found)
        step = max(1, _CELLS // (count * count))
        for first in range(0, size, step):
            part = slice(first, first + step)
            with np.errstate(all="ignore"):
                solved = self._solved(rows(at, part))
            for symbol, x in self._unpacked(solved, at).items():
                found[symbol][part] = x
        return found

    def _symbols(self) -> list[sp.Basic]:
        return [c.symbol for one in self.movers for c in one.mover.choices]

    def _unpacked(self, x: Array, at: Arrays) -> dict[sp.Basic, Array]:
        ends = np.cumsum([at[s].shape[1] for s in self._symbols()])
        parts = np.split(x, ends[:-1], axis=1)
        return {s: v[..., None] for s, v in zip(self._symbols(), parts, strict=True)}

    def _solved(self, at: Arrays) -> Array:
        """(games, decisions)."""
        ends = [one.mover.bounds(c, at) for one in self.movers for c in one.mover.choices]
        low, high = (np.concatenate([e[k] for e in ends], axis=1) for k in (0, 1))
        x = np.clip(np.concatenate([at[s][..., 0] for s in self._symbols()], axis=1), low, high)
        equal = self._equalities(at)
        dual = np.zeros((len(x), len(equal)))
        result = np.full(x.shape, np.nan)
        active = np.arange(len(x))
        terms = self.lagrangian(at, x, dual)
        for _ in range(_STEPS):
            here = rows(at, active)
            point = _Point(self, here, x, dual, low[active], high[active], equal, terms)
            dx, new_dual = point.step()
            size = np.ones((len(x), 1))
            old = point.residual(x, dual, terms)
            for halving in range(_HALVINGS):
                trial = np.clip(x + size * dx, low[active], high[active])
                trial_dual = dual + size * (new_dual - dual)
                terms = self.lagrangian(here, trial, trial_dual)
                residual = point.residual(trial, trial_dual, terms)
                fine = residual <= 2 * old + _SOLVED
                if fine.all() or halving == _HALVINGS - 1:
                    break
                size = np.where(fine[:, None], size, size / 2)
            moved = (np.abs(trial - x) / _scale(trial)).max(axis=1)
            done = (moved <= _CLOSE) & (residual <= _SOLVED)
            result[active[done]] = trial[done]
            going = ~done & np.isfinite(residual)
            if not going.any():
                break
            active, x, dual = active[going], trial[going], trial_dual[going]
            terms = tuple(term[going] for term in terms)
        return result

    def _equalities(self, at: Arrays) -> Array:
        found: list[bool] = []
        for one in self.movers:
            count = at[one.mover.choices[0].symbol].shape[1]
            found += [side.equality for side in one.sides for _ in range(count)]
        return np.array(found, dtype=bool)

    def lagrangian(self, at: Arrays, x: Array, dual: Array) -> tuple[Array, ...]:
        """G (games, decisions), g (games, sides), and ∂g/∂x (games, sides, decisions)."""
        at = {**at, **self._unpacked(x, at)}
        games, total = x.shape
        gradient = np.empty((games, total))
        gaps = np.empty((games, dual.shape[1]))
        slopes = np.zeros((games, dual.shape[1], total))
        column = side_row = 0
        for one in self.movers:
            count = at[one.mover.choices[0].symbol].shape[1]
            places = [column + k * count + np.arange(count) for k in range(len(one.slopes))]
            for place, slope in zip(places, one.slopes, strict=True):
                gradient[:, place] = np.broadcast_to(slope(at), (games, count, 1))[..., 0]
            for side in one.sides:
                line = side_row + np.arange(count)
                gaps[:, line] = np.broadcast_to(side.gap(at), (games, count, 1))[..., 0]
                for place, slope in zip(places, side.slopes, strict=True):
                    value = np.broadcast_to(slope(at), (games, count, 1))[..., 0]
                    slopes[:, line, place] = value
                    gradient[:, place] += dual[:, line] * value
                side_row += count
            column += count * len(one.slopes)
        return gradient, gaps, slopes


class _Point:
    """The linear system of one step of Newton's method, for many games."""

    def __init__(
        self,
        system: Stationary,
        at: Arrays,
        x: Array,
        dual: Array,
        low: Array,
        high: Array,
        equal: Array,
        terms: tuple[Array, ...],
    ) -> None:
        """terms: the system's `lagrangian` at x."""
        self.system, self.at, self.x, self.dual = system, at, x, dual
        self.low, self.high, self.equal = low, high, equal
        self.gradient, self.gaps, self.slopes = terms
        self.second, self.gap_slopes = self._differences()
        bend = np.abs(np.diagonal(self.second, axis1=1, axis2=2))
        self.bend = np.where(np.isfinite(bend) & (bend > 0), bend, 1.0)
        steep = np.linalg.norm(self.slopes, axis=2)
        self.steep = np.where(np.isfinite(steep) & (steep > 0), steep, 1.0)
        self.mean = self.bend.mean(axis=1, keepdims=True)

    def _differences(self) -> tuple[Array, Array]:
        """∂G/∂x (games, decisions, decisions) and ∂g/∂x, central."""
        games, total = self.x.shape
        h = 1e-6 * _scale(self.x)
        moves = np.concatenate([np.eye(total), -np.eye(total)])
        moved = self.x[:, None, :] + h[:, None, :] * moves
        moved = np.clip(moved, self.low[:, None, :], self.high[:, None, :])
        count = 2 * total
        big = {s: np.repeat(v, count, axis=0) for s, v in self.at.items()}
        gradient, gaps, _ = self.system.lagrangian(
            big, moved.reshape(games * count, total), np.repeat(self.dual, count, 0)
        )

        def change(values: Array) -> Array:
            values = values.reshape(games, 2, total, values.shape[-1])
            return np.swapaxes(values[:, 0] - values[:, 1], 1, 2)

        width = np.einsum("bkk->bk", change(moved))
        width = np.where(width > 0, width, np.inf)[:, None, :]
        return change(gradient) / width, change(gaps) / width

    def step(self) -> tuple[Array, Array]:
        """The change of x, and the new multipliers."""
        games, total = self.x.shape
        sides = len(self.equal)
        push = self.x + self.gradient / self.bend
        bound = np.where(push <= self.low, self.low, np.where(push >= self.high, self.high, np.nan))
        at_bound = ~np.isnan(bound)
        tight = self.equal | (self.dual * self.steep**2 > self.gaps * self.mean)
        matrix = np.zeros((games, total + sides, total + sides))
        right = np.empty((games, total + sides))
        matrix[:, :total, :total] = np.where(
            at_bound[..., None], np.eye(total), self.second / self.bend[..., None]
        )
        across = np.swapaxes(self.slopes, 1, 2) / self.bend[..., None]
        matrix[:, :total, total:] = np.where(at_bound[..., None], 0.0, across)
        # The unknowns are the step and the new multipliers, so that theirs leave the gradient.
        rest = self.gradient - np.einsum("bsx,bs->bx", self.slopes, self.dual)
        right[:, :total] = np.where(at_bound, bound - self.x, -rest / self.bend)
        matrix[:, total:, :total] = np.where(
            tight[..., None], self.gap_slopes / self.steep[..., None], 0.0
        )
        matrix[:, total:, total:] = np.where(tight, 0.0, 1.0)[..., None] * np.eye(sides)
        right[:, total:] = np.where(tight, -self.gaps / self.steep, 0.0)
        found = _solved(matrix, right)
        return found[:, :total], found[:, total:]

    def residual(self, x: Array, dual: Array, terms: tuple[Array, ...]) -> Array:
        """(games,): by how much of itself a decision would move; infinite where it is no number."""
        gradient, gaps, _ = terms
        off = np.abs(x - np.clip(x + gradient / self.bend, self.low, self.high)) / _scale(x)
        found = off.max(axis=1)
        if len(self.equal):
            gap = gaps / self.steep
            price = dual * self.steep / self.mean
            loose = np.where(self.equal, gap, np.minimum(gap, price))
            found = np.maximum(found, np.abs(loose).max(axis=1) / _scale(x).max(axis=1))
        return np.where(np.isfinite(found), found, np.inf)


def _solved(matrix: Array, right: Array) -> Array:
    """Solutions of many linear systems, the least squares' where one is singular."""
    wrong = np.flatnonzero(~(np.isfinite(matrix).all(axis=(1, 2)) & np.isfinite(right).all(axis=1)))
    matrix[wrong], right[wrong] = np.eye(matrix.shape[1]), np.nan
    try:
        return np.linalg.solve(matrix, right[..., None])[..., 0]
    except np.linalg.LinAlgError:
        inverse = np.linalg.pinv(matrix)
        return np.asarray(np.einsum("bij,bj->bi", inverse, right))


def _scale(x: Array) -> Array:
    return np.asarray(np.maximum(np.abs(x), 1e-6))


def _conditions(mover: Lowered) -> _Conditions:
    index = mover.mover.index if isinstance(mover.mover, Family) else None
    own = [d.symbol for d in mover.mover.decisions]

    def slopes(expression: sp.Expr) -> tuple[Formula, ...]:
        return tuple(Formula(marginal(expression, x, index), index) for x in own)

    sides = []
    for constraint in mover.constraints:
        gap = constraint.left.expression - constraint.right.expression
        equality = isinstance(constraint.relation, sp.Eq)
        sides.append(_Side(Formula(gap, index), slopes(gap), equality))
    return _Conditions(mover, slopes(mover.utility.expression), tuple(sides))


def marginal(expression: sp.Expr, x: sp.Expr, index: sp.Symbol | None = None) -> sp.Expr:
    """The derivative in a member's own decision `x`, which is one term of a sum over all members.

    Raises Unaligned where it is not a formula (the derivative of a step, sums within sums).
    """
    found = _marginal(sp.sympify(expression), x, index)
    if found.has(sp.Derivative, sp.Subs, sp.DiracDelta, sp.nan, sp.zoo):
        raise Unaligned(f"{expression} has no derivative in {x}")
    return found


def _marginal(expression: sp.Expr, x: sp.Expr, index: sp.Symbol | None) -> sp.Expr:
    base = x.base if isinstance(x, sp.Indexed) else x
    sums = list(_outermost(expression))
    names = {total: sp.Dummy(real=True) for total in sums}
    outer = expression.xreplace(names)
    # Real names for everything: the derivative of an absolute value is then a sign.
    plain = {s: sp.Dummy(real=True) for s in outer.atoms(sp.Indexed)}
    outer = outer.xreplace(plain)
    plain |= {s: sp.Dummy(real=True) for s in outer.free_symbols if not s.is_real}
    back = {new: old for old, new in (*plain.items(), *names.items())}
    outer = outer.xreplace(plain)
    own = plain.get(x, x)
    found = sp.diff(outer, own)
    for total, name in names.items():
        slope = sp.diff(outer, name)
        if slope == 0 or not total.has(base):
            continue
        if len(total.limits) != 1 or total.function.atoms(sp.Sum):
            raise Unaligned(f"{total} is no sum over members of a formula for each")
        term = total.function
        if index is not None and isinstance(x, sp.Indexed) and x.indices == (index,):
            term = term.xreplace({total.limits[0][0]: index})
            found += slope * _marginal(term, x, index)
        else:
            found += slope * sp.Sum(_marginal(term, x, index), total.limits[0])
    return found.xreplace(back)


def _outermost(expression: sp.Basic) -> Sequence[Any]:
    if isinstance(expression, sp.Sum):
        return [expression]
    return list(dict.fromkeys(s for part in expression.args for s in _outermost(part)))
