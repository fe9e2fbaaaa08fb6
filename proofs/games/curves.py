"""The neighbourhood of an equilibrium in numbers: utilities and best replies along one decision.

A utility is drawn against its player's own decision, the others of the stage as in equilibrium and
later stages replying anew; a reply against a decision that its player sees, or that is made at the
same time. Everything is searched (`numeric`), nothing is taken from a closed form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from proofs.games.formulas import Array
from proofs.games.game import Family, Game, expanded
from proofs.games.lowered import Choice, Lowered, LoweredGame, lowered, placed
from proofs.games.numeric import best_reply, respond
from proofs.games.solution import Values


@dataclass(frozen=True)
class Curve:
    """A function of one decision. kind: "utility" of a player, or its "reply".

    along: the decision that varies; at: its values (points,); value: (points,). here: the point of
    the equilibrium on it. name: the player, or the decision that replies.
    """

    kind: str
    name: str
    along: sp.Basic
    at: Array
    value: Array
    here: tuple[float, float]


def curves(
    game: Game, values: Mapping[Any, Any], decisions: Values, *, points: int = 61, most: int = 3
) -> tuple[Curve, ...]:
    """Curves around `decisions` at parameter `values`: for each of the first `most` players of a
    stage its utility along each decision, and its replies to what moves it.

    Raises ValueError for decisions that are missing or parameters that are not given.
    """
    values = {sp.sympify(s): v for s, v in values.items()}
    sizes = {
        m.size: int(values[m.size])
        for m in game.players
        if isinstance(m, Family) and m.size in values
    }
    low = lowered(expanded(game, sizes))
    base = placed(low, [values] * points)
    for stage in range(len(low.stages)):
        for symbol in low.symbols(stage):
            if symbol not in decisions:
                raise ValueError(f"game {game.name!r}: the decision {symbol} has no value")
            base[symbol] = np.full((points, 1, 1), float(decisions[symbol]))
    found: list[Curve] = []
    for stage, movers in enumerate(low.stages):
        for mover in movers[:most]:
            for choice in mover.choices:
                found.append(_utility(low, stage, mover, choice, base))
    for stage, movers in enumerate(low.stages):
        for mover in movers[:most]:
            if len(mover.choices) == 1:
                found += _replies(low, stage, mover, base, most)
    return tuple(found)


def _grid(mover: Lowered, choice: Choice, base: Mapping[sp.Basic, Array]) -> Array:
    """Points around the equilibrium, within the bounds of the decision."""
    here = float(base[choice.symbol][0, 0, 0])
    bottom, top = (float(b[0, 0]) for b in mover.bounds(choice, dict(base)))
    reach = max(abs(here), 1e-3 if not np.isfinite(top - bottom) else 0.1 * (top - bottom))
    low, high = max(bottom, here - reach), min(top, here + reach)
    count = len(base[choice.symbol])
    at = np.linspace(low, high, count)
    return np.unique(np.round(at)) if choice.integer else at


def _placed(base: Mapping[sp.Basic, Array], symbol: sp.Basic, at: Array) -> dict[sp.Basic, Array]:
    """The equilibrium with one decision at each of these values."""
    moved = {name: array[: len(at)] for name, array in base.items()}
    moved[symbol] = at[:, None, None]
    return moved


def _utility(
    low: LoweredGame, stage: int, mover: Lowered, choice: Choice, base: Mapping[sp.Basic, Array]
) -> Curve:
    at = _grid(mover, choice, base)
    whole = np.append(at, base[choice.symbol][0, 0, 0])
    moved = _placed({k: np.concatenate([v, v[:1]]) for k, v in base.items()}, choice.symbol, whole)
    if stage + 1 < len(low.stages):
        moved, _ = respond(low, stage + 1, moved)
    value = np.broadcast_to(mover.payoff(moved), (len(whole), 1, 1))[:, 0, 0]
    here = (float(whole[-1]), float(value[-1]))
    return Curve("utility", mover.name, choice.symbol, at, value[:-1], here)


def _replies(
    low: LoweredGame, stage: int, mover: Lowered, base: Mapping[sp.Basic, Array], most: int
) -> list[Curve]:
    """The mover's reply to each decision of its own stage and of the one before."""
    (own,) = (choice.symbol for choice in mover.choices)
    found = []
    for earlier in range(max(0, stage - 1), stage + 1):
        for other in low.stages[earlier][:most]:
            for choice in other.choices:
                if other is mover or not mover.utility.uses(choice.symbol):
                    continue
                at = _grid(other, choice, base)
                moved = _placed(base, choice.symbol, at)
                if earlier < stage:
                    moved, _ = respond(low, stage, moved)
                    value = moved[own][:, 0, 0]
                else:
                    value = best_reply(low, stage, mover, moved).at[own][:, 0, 0]
                here = (float(base[choice.symbol][0, 0, 0]), float(base[own][0, 0, 0]))
                found.append(Curve("reply", str(own), choice.symbol, at, value, here))
    return found
