"""Global maxima of functions of one number, for many functions at once, from values alone.

A grid over the whole range (ends included, infinite ranges over many decades), then zooming into
the best peaks by nine points at a time, then Newton's steps on differences of fourth order, which
find a smooth maximum to about 1e-11 where comparing values finds it to 1e-8 only. No derivative
of a formula is taken, and nothing is assumed concave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from proofs.games.formulas import Array

Values = Callable[[Array, Any], Array]
"""`f(x, rows)`: x (games, members, candidates) to values of that shape, for the games `rows`."""

_ZOOM = 9
_DECADES = np.concatenate([[0.0], np.logspace(-6, 8, 43)])
_TINY = 1e-6
_FINE = 20
_FAR = 1e13
"""How far infinite ranges are searched; from a start s beyond 1e10, as far as 1000 s or 1e18."""
_CONFIRMED = 1e-6
"""Part of a guess by which Newton's step may differ from it: that far, the guess is confirmed."""


@dataclass(frozen=True)
class Maximum:
    """at, value: (games, members). before: the value at the start. unbounded: where the value
    still rises at 1e13, or at a thousand times a start that is farther than 1e10."""

    at: Array
    value: Array
    before: Array
    unbounded: Array


def maximise(
    function: Values,
    low: Array,
    high: Array,
    start: Array,
    *,
    integer: bool = False,
    grid: int = 33,
    peaks: int = 2,
    noise: Array | float = 0.0,
    guess: bool = False,
) -> Maximum:
    """The best x between low and high, at least as good as `start`; all are (games, members).

    grid: points across a bounded range; below 20, infinite ranges get one point a decade and not
    three. peaks: how many peaks of the grid are zoomed into. noise: the rounding of a value; the
    start is kept if nothing beats it by more. guess: the start may be exact, and is kept if
    Newton's step from it is less than 1e-6 of it: steps have errors, which add up where replies to
    replies are searched. A value that is not a number counts as -infinity (infeasible).
    """

    def evaluate(x: Array, chosen: Any = slice(None)) -> Array:
        values = np.broadcast_to(function(x, chosen), x.shape)
        return np.where(np.isnan(values), -np.inf, values)

    start = np.clip(start, low, high)
    points = _grid(low, high, start, grid, integer=integer)
    values = evaluate(points)
    before = values[..., -5]
    unbounded = _rising(points, values, start, low, high)
    if integer:
        return _integers(evaluate, points, values, before, unbounded, low, high)
    order = np.argsort(points, axis=2, kind="stable")
    points, values = np.take_along_axis(points, order, 2), np.take_along_axis(values, order, 2)
    pick = np.argmax(values, axis=2)[..., None]
    x, best = np.take_along_axis(points, pick, 2)[..., 0], values.max(axis=2)
    started = np.isclose(x, start, rtol=1e-12, atol=0) | (before >= best - noise)
    # Where the start is as good as any point of the grid, Newton's steps may settle it at once.
    x = np.where(started, start, x)
    best = np.where(started, before, best)
    near = _CONFIRMED * started if guess else 0.0 * started
    x, best, settled = _newton(evaluate, x, best, low, high, slice(None), noise, near)
    done = settled & started
    rest = ~done.all(axis=1)
    # A few rounds of zooming lead Newton's steps to a smooth top; a kink takes all of them.
    for rounds in (6, 14):
        if not rest.any():
            break
        some = np.flatnonzero(rest)
        better, value = _zoomed(evaluate, points[some], values[some], peaks, rounds, some)
        better, value, settled = _newton(evaluate, better, value, low[some], high[some], some)
        gain = (value >= best[some]) & ~done[some]
        x[some] = np.where(gain, better, x[some])
        best[some] = np.where(gain, value, best[some])
        rest[some] = ~settled.all(axis=1)
    return Maximum(x, best, before, unbounded)


def _grid(low: Array, high: Array, start: Array, grid: int, *, integer: bool) -> Array:
    """(games, members, candidates) over each range, the ends and the start among them."""
    share = np.linspace(0, 1, grid)
    with np.errstate(all="ignore"):
        inside = low[..., None] + share * (high - low)[..., None]
        reach = np.concatenate([_DECADES if grid >= _FINE else _DECADES[::3], [1e10, _FAR]])
        up = low[..., None] + reach
        down = high[..., None] - reach
        both = np.concatenate([-reach[:0:-1], reach])
    bounded_low, bounded_high = np.isfinite(low), np.isfinite(high)
    kinds = [
        (bounded_low & bounded_high, inside),
        (bounded_low & ~bounded_high, up),
        (~bounded_low & bounded_high, down),
        (~bounded_low & ~bounded_high, np.broadcast_to(both, (*low.shape, len(both)))),
    ]
    width = max(points.shape[2] for mask, points in kinds if mask.any())
    found = np.broadcast_to(start[..., None], (*start.shape, width)).copy()
    for mask, points in kinds:
        if mask.any():
            found[..., : points.shape[2]][mask] = points[mask]
    far = np.array([-1.0, 1.0]) * _farthest(start)[..., None]
    near = (
        start[..., None]
        + np.array([0.0, -1e-2, 1e-2, -1e-4, 1e-4]) * np.maximum(np.abs(start), 1e-6)[..., None]
    )
    more = np.clip(np.concatenate([far, near], axis=2), low[..., None], high[..., None])
    found = np.concatenate([found, more], axis=2)
    if integer:
        found = np.clip(np.round(found), np.ceil(low)[..., None], np.floor(high)[..., None])
    return found


def _farthest(start: Array) -> Array:
    return np.asarray(_FAR / 1e10 * np.clip(np.abs(start), 1e10, 1e15))


def _rising(points: Array, values: Array, start: Array, low: Array, high: Array) -> Array:
    """Whether the value at the farthest point of an infinite range is the best of all.

    And better than what is nearer than 1e9, by more than rounding.
    """
    far = 0.9 * _farthest(start)[..., None]
    free = np.where(points > 0, np.isposinf(high)[..., None], np.isneginf(low)[..., None])
    outer, inner = free & (np.abs(points) >= far), np.abs(points) < 1e9
    outside = np.where(outer, values, -np.inf).max(axis=2)
    inside = np.where(inner, values, -np.inf).max(axis=2)
    rest = np.where(outer, -np.inf, values).max(axis=2)
    size = np.where(np.isfinite(inside), np.abs(inside), 0.0)
    return np.asarray((outside >= rest) & (outside > inside + 1e-9 * (1 + size)))


def _integers(
    evaluate: Callable[..., Array],
    points: Array,
    values: Array,
    before: Array,
    unbounded: Array,
    low: Array,
    high: Array,
) -> Maximum:
    """Integers near the best point so far, closer and closer; a short range is enumerated."""
    first, last = np.ceil(low), np.floor(high)
    pick = np.argmax(values, axis=2)[..., None]
    x, best = np.take_along_axis(points, pick, 2)[..., 0], values.max(axis=2)
    span = last - first
    if np.isfinite(span).all() and span.max() <= 4096:
        steps = [np.arange(0, int(span.max()) + 1)]
        base = first
    else:
        reach = 10.0 ** np.arange(7, -1, -1)
        steps = [np.arange(-20, 21) * r for r in reach] + [np.arange(-20, 21)] * 2
        base = None
    for step in steps:
        tried = (x if base is None else base)[..., None] + step
        tried = np.clip(tried, first[..., None], last[..., None])
        value = evaluate(tried)
        pick = np.argmax(value, axis=2)[..., None]
        there = np.take_along_axis(tried, pick, 2)[..., 0]
        gain = value.max(axis=2) > best
        x, best = np.where(gain, there, x), np.maximum(best, value.max(axis=2))
    return Maximum(x, best, before, unbounded)


def _zoomed(
    evaluate: Callable[..., Array],
    points: Array,
    values: Array,
    peaks: int,
    rounds: int,
    some: Array,
) -> tuple[Array, Array]:
    """From the best `peaks` points of the grid that are no lower than their neighbours."""
    padded = np.pad(values, ((0, 0), (0, 0), (1, 1)), constant_values=-np.inf)
    local = (values >= padded[..., :-2]) & (values >= padded[..., 2:])
    height = np.where(local, values, -np.inf)
    tops, heights = [], []
    for _ in range(peaks):
        pick = np.argmax(height, axis=2)[..., None]
        tops.append(np.take_along_axis(points, pick, 2))
        heights.append(np.take_along_axis(values, pick, 2))
        # The next peak is another one: not this point, nor one equal to it.
        height = np.where(points == tops[-1], -np.inf, height)
    # All peaks of all games side by side, as that many games.
    left, right = (
        np.concatenate(ends)
        for ends in zip(*(_neighbours(points, top) for top in tops), strict=True)
    )
    x, value = np.concatenate(tops), np.concatenate(heights)
    chosen = np.tile(some, peaks)
    for _ in range(rounds):
        tried = left + (right - left) * np.linspace(0, 1, _ZOOM)
        tried = np.concatenate([tried, x], axis=2)
        found = evaluate(tried, chosen)
        at = np.argmax(found, axis=2)[..., None]
        x, value = np.take_along_axis(tried, at, 2), np.take_along_axis(found, at, 2)
        # A point that differs from x by rounding alone is no neighbour.
        below, above = _neighbours(tried, x, (right - left) / (4 * _ZOOM))
        left, right = np.where(below < x, below, left), np.where(above > x, above, right)
    x, value = (part[..., 0].reshape(peaks, *points.shape[:2]) for part in (x, value))
    best = np.argmax(value, axis=0)[None]
    return np.take_along_axis(x, best, 0)[0], np.take_along_axis(value, best, 0)[0]


def _neighbours(points: Array, peak: Array, apart: Any = 0.0) -> tuple[Array, Array]:
    """The nearest points on both sides that are more than `apart` away."""
    below = np.where(points < peak - apart, points, -np.inf).max(axis=2, keepdims=True)
    above = np.where(points > peak + apart, points, np.inf).min(axis=2, keepdims=True)
    return np.where(np.isfinite(below), below, peak), np.where(np.isfinite(above), above, peak)


def _newton(
    evaluate: Callable[..., Array],
    x: Array,
    best: Array,
    low: Array,
    high: Array,
    some: Any,
    noise: Array | float = 0.0,
    near: Array | float = 0.0,
) -> tuple[Array, Array, Array]:
    """Steps to where differences of fourth order vanish, kept where they lose nothing.

    Also says where x is settled: the last step was below 1e-7 of it, or x is at an end of its
    range and the function falls from there. near: a first step that is a smaller part of x than
    this is not taken, and x is settled; so it is where a constraint cuts the function off and all
    values around are lower.
    """
    x, best = x.copy(), best.copy()
    settled = np.zeros(x.shape, dtype=bool)
    confirmed = np.zeros(x.shape, dtype=bool)
    with np.errstate(all="ignore"):
        for attempt in range(3):
            h = 1e-3 * np.maximum(np.abs(x), _TINY)
            room = np.minimum(x - low, high - x) / 2
            edge = room <= 1e-7 * h
            h = np.where(edge, h, np.minimum(h, room))
            offsets = np.where(
                edge[..., None],
                np.where((x - low <= high - x)[..., None], 1, -1) * np.array([1e-6, 1e-3, 1.0, 8]),
                np.array([-2.0, -1.0, 1.0, 2.0]),
            )
            tried = np.clip(x[..., None] + h[..., None] * offsets, low[..., None], high[..., None])
            f = evaluate(tried, some)
            fm2, fm1, fp1, fp2 = np.moveaxis(f, 2, 0)
            slope = (fm2 - 8 * fm1 + 8 * fp1 - fp2) / (12 * h)
            bend = (-fm2 + 16 * fm1 - 30 * best + 16 * fp1 - fp2) / (12 * h * h)
            step = np.where(bend < 0, -slope / bend, np.inf)
            smooth = ~edge & (np.abs(step) <= 2 * h) & np.isfinite(f).all(axis=2)
            new = np.where(smooth, np.clip(x + step, low, high), x)
            value = evaluate(new[..., None], some)[..., 0]
            # Differences see the top of a smooth function better than single values, of which the
            # highest is the luckiest rounding: a step may lose what moving h / 1000 would.
            loss = 1e-14 * (np.abs(best) + np.abs(f).max(axis=2)) + 5e-7 * np.abs(bend) * h * h
            kept = smooth & (value >= best - loss)
            small = np.abs(step) <= 1e-7 * np.maximum(np.abs(x), _TINY)
            settled = (kept & small) | (edge & (f.max(axis=2) <= best + noise))
            if attempt == 0:
                confirmed = smooth & (np.abs(step) <= near * np.maximum(np.abs(x), _TINY))
                # A guess on a constraint, beyond which nothing is feasible, has no slope of 0.
                cut = (np.asarray(near) > 0) & ~smooth & np.isneginf(f).any(axis=2)
                cut &= f.max(axis=2) <= best + noise
                if cut.any():
                    around = x[..., None] * (1 + _CONFIRMED * np.array([-1.0, 1.0]))
                    around = evaluate(np.clip(around, low[..., None], high[..., None]), some)
                    confirmed |= cut & (around.max(axis=2) <= best + noise)
            kept, settled = kept & ~confirmed, settled | confirmed
            x, best = np.where(kept, new, x), np.where(kept, value, best)
            if settled.all():
                break
    return x, best, settled
