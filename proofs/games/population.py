"""Maxima of functions of several numbers, for many functions at once, from values alone.

Lines through a point do not see a ridge that runs across them, nor a peak beside them. A
population does: differential evolution (Storn & Price 1997, best/1/bin) from points anywhere
between the bounds and near the start at all distances. It finds out where to look, and not where
the top is: the search along lines goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from proofs.games.formulas import Array

_SIZE = 16
"""Points for each decision, of at most four."""
_CROSS = 0.7
_SEED = 0
"""Every call has the same random numbers, and so has every game of it: what is found for a game
does not depend on the games beside it."""


def evolved(
    function: Callable[[Array], Array],
    low: Array,
    high: Array,
    start: Array,
    integer: Array,
    *,
    rounds: int,
) -> tuple[Array, Array]:
    """The best point found, (games, members, decisions), and its value, (games, members).

    function: of points (games, members, decisions, candidates), -infinity where infeasible.
    integer: (decisions,).
    """
    rng = np.random.default_rng(_SEED)
    decisions = start.shape[2]
    size = _SIZE * min(decisions, 4)
    low, high, whole = low[..., None], high[..., None], integer[:, None]
    scale = np.maximum(np.abs(start), 1e-3)[..., None]

    def placed(points: Array) -> Array:
        points = np.clip(points, low, high)
        rounded = np.clip(np.round(points), np.ceil(low), np.floor(high))
        return np.where(whole, rounded, points)

    share = rng.random((decisions, size))
    away = 10.0 ** rng.uniform(-3, 3, (decisions, size)) * np.maximum(scale, 1.0)
    sign = rng.choice((-1.0, 1.0), (decisions, size))
    with np.errstate(all="ignore"):
        inside = low + share * (high - low)
        free = np.where(np.isfinite(low), low + away, start[..., None] + sign * away)
        free = np.where(np.isfinite(high) & ~np.isfinite(low), high - away, free)
    anywhere = np.where(np.isfinite(low) & np.isfinite(high), inside, free)
    distance = 10.0 ** rng.uniform(-4, 0, (1, size))
    near = start[..., None] + distance * scale * rng.standard_normal((decisions, size))
    points = placed(np.concatenate([start[..., None], anywhere, near], axis=3))
    values = function(points)
    count = points.shape[3]
    for _ in range(rounds):
        top = np.argmax(values, axis=2)[:, :, None, None]
        first, second = rng.permutation(count), rng.permutation(count)
        strength = rng.uniform(0.5, 1.0)
        leader = np.take_along_axis(points, top, 3)
        mutant = leader + strength * (points[..., first] - points[..., second])
        crossed = rng.random((decisions, count)) < _CROSS
        crossed[rng.integers(decisions, size=count), np.arange(count)] = True
        trial = placed(np.where(crossed, mutant, points))
        found = function(trial)
        gain = found >= values
        points = np.where(gain[:, :, None, :], trial, points)
        values = np.where(gain, found, values)
    top = np.argmax(values, axis=2)[..., None]
    best = np.take_along_axis(points, top[..., None], 3)[..., 0]
    return best, np.take_along_axis(values, top, 2)[..., 0]
