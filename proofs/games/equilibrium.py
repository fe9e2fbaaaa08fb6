"""The equilibrium in numbers, for games without a closed form.

Backward induction by search (`proofs.games.numeric`), from several starts at once, the replies of
the last movers guessed by Newton's method (`proofs.games.stationary`). What is found is tested once
more, by SciPy's search (`proofs.games.deviations`): how much could any player gain by deviating,
with later movers replying anew?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from proofs.games.deviations import deviation
from proofs.games.formulas import Array, Arrays, rows
from proofs.games.game import Family, Game
from proofs.games.growth import growth
from proofs.games.lowered import LoweredGame, lowered, numbers, placed, symbols
from proofs.games.numeric import Hint, best_reply, respond
from proofs.games.solution import Values
from proofs.games.stationary import stationary

_SAME = 1e-5
_TOLERANCE = 1e-6
"""Gains up to it, relative to 1 + |utility|, count as none."""


@dataclass(frozen=True)
class NumericalEquilibrium:
    """Decisions from which no player gains, as far as search can tell.

    gains: by player (for a family its member with the largest), relative to 1 + |utility|.
    others: further equilibria that other starts led to. holds: whether best replies settled and
    all gains are at most 1e-6; `reason` says what is wrong if not.
    """

    decisions: Values
    utilities: Mapping[str, float]
    gains: Mapping[str, float]
    holds: bool
    reason: str
    others: tuple[Values, ...] = ()


def numerical_equilibrium(
    game: Game, values: Mapping[Any, Any], *, seed: int = 0, starts: int = 6
) -> NumericalEquilibrium:
    """The equilibrium at given numbers for all parameters (`w[3]` for members).

    starts: how many first guesses, drawn by `seed`. Raises ValueError for missing parameters.
    """
    if starts < 1:
        raise ValueError(f"starts is {starts}: give a positive number")
    values = {sp.sympify(s): v for s, v in values.items()}
    sizes = {
        m.size: int(values[m.size])
        for m in game.players
        if isinstance(m, Family) and m.size in values
    }
    low = lowered(game, sizes)
    at = placed(low, [values] * starts)
    _scatter(low, at, np.random.default_rng(seed))
    hints = [stationary(low, stage) if stage else None for stage in range(len(low.stages))]
    try:
        # Later stages first without hints: of several equilibria, Newton's method is as likely to
        # find one that best replies lead away from, unless it begins near one that they lead to.
        for stage in range(len(low.stages) - 1, 0, -1):
            at, _ = respond(low, stage, at, [*[None] * (stage + 1), *hints[stage + 1 :]])
        at, settled = respond(low, 0, at, hints)
        if len(low.stages) == 1 and (exact := stationary(low, 0)):
            # What best replies led to, to the last digits.
            near, also = respond(low, 0, at, [exact])
            at = {s: np.concatenate([near[s], at[s]]) for s in at}
            settled = np.concatenate([also, settled])
    except KeyError as error:
        raise ValueError(f"game {game.name!r}: {error.args[0]}; give it in `values`") from error
    picked = _distinct(low, at, settled)
    at, settled = rows(at, picked), settled[picked]
    gains, unbounded, payoffs = _gains(low, at, hints, seed)
    worst = np.max(list(gains.values()), axis=0)
    if len(low.stages) == 1:
        # Nobody replies later, so that gains alone tell whether this is an equilibrium.
        settled = settled | (worst <= 1e-8)
    order = np.lexsort((np.where(worst <= _TOLERANCE, 0.0, worst), ~settled))
    best = int(order[0])
    others = [
        numbers({s: at[s][k : k + 1] for s in symbols(low)})
        for k in map(int, order[1:])
        if settled[k] and worst[k] <= _TOLERANCE
    ]
    reason = ""
    if any(u[best] for u in unbounded.values()):
        point = {**values, **numbers({s: at[s][best : best + 1] for s in symbols(low)})}
        reason = "; ".join(
            growth(mover, point, last=stage == len(low.stages) - 1)
            for stage, movers in enumerate(low.stages)
            for mover in movers
            if unbounded[mover.name][best]
        )
    elif wrong := [name for name, v in payoffs.items() if not np.isfinite(v[best])]:
        reason = (
            f"the utility of {', '.join(wrong)} is not a finite number, or no decision is "
            "feasible, wherever search went"
        )
    elif not settled[best]:
        reason = _cycle(low, rows(at, slice(best, best + 1)))
    elif not worst[best] <= _TOLERANCE:
        name = max(gains, key=lambda n: gains[n][best])
        reason = f"{name} gains {gains[name][best]:.2g} (relative) by deviating"
    return NumericalEquilibrium(
        numbers({s: at[s][best : best + 1] for s in symbols(low)}),
        {name: float(v[best]) for name, v in payoffs.items()},
        {name: float(v[best]) for name, v in gains.items()},
        not reason,
        reason,
        tuple(others),
    )


def _scatter(low: LoweredGame, at: dict[sp.Basic, Array], rng: np.random.Generator) -> None:
    """Random first guesses between the bounds; the first of them 1 or in the middle.

    The members of a family of more than ten start alike, which is much faster where they are.
    """
    for stage in low.stages:
        for mover in stage:
            for choice in mover.choices:
                bottom, top = mover.bounds(choice, at)
                bottom, top = np.asarray(bottom), np.asarray(top)
                bounded = np.isfinite(bottom) & np.isfinite(top)
                share = rng.random(bottom.shape)
                share[0] = 0.5
                away = 10.0 ** rng.uniform(-2, 2, bottom.shape)
                if bottom.shape[1] > 10:
                    share[:], away[:] = share[:, :1], away[:, :1]
                away[0] = 1.0
                with np.errstate(invalid="ignore"):
                    inside = bottom + share * (top - bottom)
                    free = np.where(np.isfinite(bottom), bottom + away, away)
                    free = np.where(np.isfinite(top), np.minimum(free, top - away), free)
                x = np.where(bounded, inside, free)
                at[choice.symbol] = (np.round(x) if choice.integer else x)[..., None]


def _distinct(low: LoweredGame, at: Arrays, settled: Array) -> list[int]:
    """Numbers of points that differ from one another, settled ones first."""
    picked: list[int] = []
    for k in map(int, np.argsort(~settled, kind="stable")):
        point = _point(low, at, k)
        olds = [_point(low, at, old) for old in picked]
        if all(np.any(np.abs(point - old) > _SAME * (1 + np.abs(old))) for old in olds):
            picked.append(k)
    return picked


def _gains(
    low: LoweredGame, at: Arrays, hints: Sequence[Hint | None], seed: int
) -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
    """By player: gains, whether a utility still rises at 1e13, and utilities, each (games,).

    The larger of what two searches gain: the one that led here, and another one
    (`proofs.games.deviations`).
    """
    gains: dict[str, Array] = {}
    unbounded: dict[str, Array] = {}
    payoffs: dict[str, Array] = {}
    games = range(max(len(v) for v in at.values()))
    for stage, movers in enumerate(low.stages):
        for mover in movers:
            best = best_reply(low, stage, mover, at, hints)
            with np.errstate(all="ignore"):
                value = np.broadcast_to(mover.payoff(at), (*best.value.shape, 1))[..., 0]
                gain = (best.value - value) / (1 + np.abs(value))
            gain = np.where(np.isfinite(value), gain, np.inf).max(axis=1)
            second = [
                deviation(low, stage, mover, rows(at, slice(k, k + 1)), seed=seed)[0] for k in games
            ]
            gains[mover.name] = np.maximum(gain, second)
            unbounded[mover.name] = np.asarray(best.unbounded.any(axis=1))
            payoffs[mover.name] = value.mean(axis=1)
    return gains, unbounded, payoffs


def _point(low: LoweredGame, at: Arrays, k: int) -> Array:
    return np.concatenate([at[s][k].ravel() for s in symbols(low)])


def _cycle(low: LoweredGame, at: Arrays) -> str:
    """Plain best replies of the first stage, one player after another, until a state returns."""
    here = dict(at)
    path: list[Array] = []
    for _ in range(40):
        for mover in low.stages[0]:
            here.update(best_reply(low, 0, mover, here).at)
        state = np.concatenate([here[s].ravel() for s in low.symbols(0)])
        for length, old in enumerate(reversed(path), 1):
            if np.all(np.abs(old - state) <= 1e-6 * (1 + np.abs(state))):
                if length == 1:
                    return "best replies of a later stage did not settle"
                return f"best replies go round a cycle of {length}: no equilibrium in pure choices"
        path.append(state)
    return "best replies did not settle"
