"""What a player gains by deviating from given decisions, for the last word on an equilibrium.

Every player's own problem is solved once more, by SciPy's differential evolution (Storn & Price
1997) and a bounded local search from where that ends, neither of which led to the decisions. What
later movers reply to a deviation is found by search without the first guesses of Newton's method.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import sympy as sp

from proofs.games.formulas import Array, Arrays
from proofs.games.game import Family
from proofs.games.lowered import Lowered, LoweredGame, of_member
from proofs.games.numeric import respond

_POPULATION = 12
_ROUNDS = (30, 5)
"""Generations, for the last movers and for those to whom others reply."""
_REACH = 10.0
"""How far an unbounded decision goes, in its own size (and at least as far as this)."""


def deviation(
    game: LoweredGame, stage: int, mover: Lowered, at: Arrays, *, seed: int = 0
) -> tuple[float, dict[sp.Basic, float]]:
    """The largest gain of a member, relative to 1 + |utility|, and the decisions that have it.

    at: one game. Infinite where the utility is no number or a constraint fails.
    """
    count = at[mover.choices[0].symbol].shape[1]
    payoff = np.broadcast_to(mover.payoff(at), (1, count, 1))[0, :, 0]
    best: tuple[float, dict[sp.Basic, float]] = (-np.inf, {})
    for member in range(1 if _alike(mover, at) else count):
        if not np.isfinite(payoff[member]):
            return np.inf, {}
        x, value = _best(game, stage, mover, at, member, np.random.default_rng([seed, member]))
        gain = float((value - payoff[member]) / (1 + abs(payoff[member])))
        if gain > best[0]:
            symbols = [of_member(c.symbol, member) for c in mover.choices]
            best = gain, dict(zip(symbols, map(float, x), strict=True))
    return best


def _alike(mover: Lowered, at: Arrays) -> bool:
    """Whether all members have the same numbers, and so the same problem."""
    return isinstance(mover.mover, Family) and all(
        np.all(v == v[:, :1]) for s, v in at.items() if isinstance(s, sp.IndexedBase)
    )


def _best(
    game: LoweredGame,
    stage: int,
    mover: Lowered,
    at: Arrays,
    member: int,
    rng: np.random.Generator,
) -> tuple[Array, float]:
    """Decisions (decisions,) and their value, no worse than the member's own."""
    from scipy.optimize import differential_evolution

    value = _value(game, stage, mover, at, member)
    x = np.array([at[c.symbol][0, member, 0] for c in mover.choices])
    ends = [tuple(b[0, member] for b in mover.bounds(c, at)) for c in mover.choices]
    low, high = np.array(ends, dtype=float).T
    reach = _REACH * np.maximum(np.abs(x), 1.0)
    low = np.where(np.isfinite(low), low, np.minimum(x, high) - reach)
    high = np.where(np.isfinite(high), high, np.maximum(x, low) + reach)
    whole = np.array([c.integer for c in mover.choices])
    low, high = np.where(whole, np.ceil(low), low), np.where(whole, np.floor(high), high)
    start = np.clip(x, low, high)
    if np.all(high <= low):
        return start, float(value(start[:, None])[0])
    last = stage == len(game.stages) - 1
    found = differential_evolution(
        lambda points: -value(points),
        list(zip(low, np.maximum(high, low), strict=True)),
        init=_population(start, low, high, rng),
        maxiter=_ROUNDS[0 if last else 1],
        tol=0.0,
        polish=False,
        vectorized=True,
        updating="deferred",
        integrality=whole,
        rng=rng,
    )
    points = [start, found.x]
    if not whole.any():
        points.append(_polished(value, found.x, low, high))
    values = np.array([value(p[:, None])[0] for p in points])
    best = int(np.argmax(values))
    return points[best], float(values[best])


def _value(
    game: LoweredGame, stage: int, mover: Lowered, at: Arrays, member: int
) -> Callable[[Array], Array]:
    """The member's payoff at points (decisions, candidates), everybody after replying anew."""

    def value(points: Array) -> Array:
        size = points.shape[1]
        big = {s: np.repeat(v, size, axis=0) for s, v in at.items()}
        for choice, x in zip(mover.choices, points, strict=True):
            big[choice.symbol][:, member, 0] = x
        settled = np.ones(size, dtype=bool)
        if stage + 1 < len(game.stages):
            big, settled = respond(game, stage + 1, big)
        payoff = mover.payoff(big)
        payoff = np.broadcast_to(payoff, (size, max(payoff.shape[1], member + 1), 1))[:, member, 0]
        return np.where(settled & ~np.isnan(payoff), payoff, -np.inf)

    return value


def _population(start: Array, low: Array, high: Array, rng: np.random.Generator) -> Array:
    """(candidates, decisions): the start, some anywhere, some near it at all distances."""
    size = _POPULATION * min(len(start), 4)
    anywhere = low + rng.random((size, len(start))) * (high - low)
    distance = 10.0 ** rng.uniform(-4, 0, (size, 1)) * np.maximum(np.abs(start), 1e-3)
    near = start + distance * rng.standard_normal((size, len(start)))
    found = np.clip(np.vstack([start, anywhere, near]), low, high)
    return np.asarray(found)


def _polished(value: Callable[[Array], Array], start: Array, low: Array, high: Array) -> Array:
    """The end of a bounded quasi-Newton method, its differences taken all at once."""
    from scipy.optimize import minimize

    size = np.maximum(np.abs(start), 1e-3)
    step = 1e-5 * size

    def objective(t: Array) -> tuple[float, Array]:
        x = start + size * t
        up = np.minimum(x + step, high)
        down = np.maximum(x - step, low)
        points = np.repeat(x[:, None], 2 * len(x) + 1, axis=1)
        lines = np.arange(len(x))
        points[lines, 1 + lines] = up
        points[lines, 1 + len(x) + lines] = down
        values = value(points)
        ends = values[1 : 1 + len(x)], values[1 + len(x) :]
        width = np.where(up > down, up - down, np.inf)
        with np.errstate(invalid="ignore"):
            slope = (ends[0] - ends[1]) / width * size
        slope = np.where(np.isfinite(slope), slope, 0.0)
        return -max(float(values[0]), -1e300), -slope

    bounds = list(zip((low - start) / size, (high - start) / size, strict=True))
    found = minimize(
        objective,
        np.zeros(len(start)),
        jac=True,
        bounds=bounds,
        method="L-BFGS-B",
        options={"maxiter": 8, "maxfun": 12},
    )
    return np.asarray(np.clip(start + size * found.x, low, high))
