"""Parameters in a branch that few draws fall into, found by climbing the branch's own condition.

From the draws that come closest to meeting the condition, factors at random on some parameters,
the better ones kept: an evolution strategy on the margin of the condition (Rechenberg 1973). A
condition that holds on a set of no volume, as an equation does, is reached by nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp

from proofs.games.branches import Piecewise
from proofs.games.draws import draw, nudged
from proofs.games.formulas import Unaligned
from proofs.games.game import Game
from proofs.games.lowered import LoweredGame, grouped, placed
from proofs.games.solution import Branch

_ROUNDS = 25
_PARENTS = 6
_CHILDREN = 8
_WANTED = 12

Point = dict[sp.Basic, Any]


def steered(
    game: Game,
    low: LoweredGame,
    branches: Sequence[Branch],
    name: str,
    group: Sequence[Point],
    *,
    seed: int = 0,
) -> list[Point]:
    """Parameters at which the branch `name` is chosen: at most 12, none where none was found.

    group: draws to begin with, families of one size throughout.
    """
    whole = Piecewise(branches, low, game)
    number = whole.names.index(name)
    rng = np.random.default_rng([seed, number])
    kept = list(group)
    for _ in range(_ROUNDS):
        at = placed(low, kept)
        margin = whole.margin(number, at)
        inside = (margin > 0) & (whole(at).branch == number)
        if inside.any():
            return [kept[int(k)] for k in np.flatnonzero(inside)[:_WANTED]]
        best = np.argsort(-np.nan_to_num(margin, nan=-np.inf), kind="stable")[:_PARENTS]
        parents = [kept[int(k)] for k in best]
        children = [child for p in parents for child in nudged(game, p, _CHILDREN, rng)]
        kept = [*parents, *children]
    return []


def unreached(
    game: Game,
    branches: Sequence[Branch],
    counts: Mapping[str, int],
    lower: Callable[[Point, bool], LoweredGame],
    *,
    draws: int,
    seed: int,
) -> list[Point]:
    """Points for every branch that no draw fell into.

    lower: the game in numbers at a draw, families kept whole or written out.
    """
    missing = [b.name for b in branches if not counts.get(b.name)]
    if not missing:
        return []
    pool = draw(game, max(draws, 200), seed=seed + 1)
    found: list[Point] = []
    for together in grouped(game, pool)[:4]:
        group = [pool[k] for k in together]
        for name in list(missing):
            try:
                some = steered(game, lower(group[0], True), branches, name, group, seed=seed)
            except Unaligned:
                some = steered(game, lower(group[0], False), branches, name, group, seed=seed)
            if some:
                found += some
                missing.remove(name)
    return found
