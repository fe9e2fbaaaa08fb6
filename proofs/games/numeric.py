"""Equilibria by numbers: best replies by search, and fixed points of best replies.

Nothing here differentiates a formula or knows a closed form. A player's problem is searched
globally (`maximise`; several decisions by a population, `evolved`, and then along lines, Powell
1964); players who move at once are iterated to a fixed point of their best replies, accelerated
(Anderson 1965); whoever moves before others is searched over what the others, solved anew at every
candidate, reply.

A first guess of the later replies (`hints`) may come from anywhere: it is where the search begins,
and it stays only where no search finds anything better. What the search confirms to six digits it
takes as it is: found anew at every candidate it would have errors, which whoever moves first would
see a thousandfold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from proofs.games.formulas import Array, Arrays, rows
from proofs.games.lowered import Lowered, LoweredGame
from proofs.games.maximise import maximise
from proofs.games.population import evolved

Hint = Callable[[Arrays], Mapping[sp.Basic, Array]]
"""A guess of a stage's decisions, given parameters and the decisions of the stages before."""

_CHUNK = 40_000
_ITERATIONS = 60
_SAME = 1e-9
_GENERATIONS = (30, 8)
"""Of a population, for the last movers and for those whom others reply to."""
_FLAT = 1e-10
"""A population gains more than this part of the utility, or it has found nothing."""
_NESTED = 13
"""Points of the grid for replies that are solved anew at every candidate of an earlier mover."""


@dataclass(frozen=True)
class Best:
    """A mover's best reply: at, by decision, (games, members, 1); value (games, members).

    before: the value of the decisions from which the search began.
    """

    at: dict[sp.Basic, Array]
    value: Array
    before: Array
    unbounded: Array


def best_reply(
    game: LoweredGame,
    stage: int,
    mover: Lowered,
    at: Arrays,
    hints: Sequence[Hint | None] = (),
    *,
    grid: int = 33,
    guess: bool = False,
) -> Best:
    """The mover's best decisions where all others of the stage keep to `at`, and later ones reply.

    Starts from the mover's own decisions in `at` and is never worse than they are, rounding aside.
    guess: they may be exact, and are kept where the search confirms them to six digits.
    """
    last = stage == len(game.stages) - 1

    def value(own: Mapping[sp.Basic, Array], chosen: Any) -> Array:
        here = rows(at, chosen)
        if last:
            return mover.payoff(here, own)
        return _ahead(game, stage, mover, here, own, hints)

    if len(mover.choices) == 1:
        (choice,) = mover.choices
        low, high = mover.bounds(choice, at)
        count = low.shape[1]
        if count > 1 and last and _alike(mover, at, low, high):
            low, high = low[:, :1], high[:, :1]
        noise = _noise(mover, at)[:, : low.shape[1]] if last else 0.0
        found = maximise(
            lambda x, chosen: value({choice.symbol: x}, chosen),
            low,
            high,
            at[choice.symbol][:, : low.shape[1], 0],
            integer=choice.integer,
            grid=grid,
            peaks=2 if grid > _NESTED else 1,
            noise=noise,
            guess=guess,
        )
        x, value_, before, unbounded = (
            np.repeat(part, count // low.shape[1], axis=1)
            for part in (found.at, found.value, found.before, found.unbounded)
        )
        return Best({choice.symbol: x[..., None]}, value_, before, unbounded)
    return _along_lines(mover, at, value, grid, last=last, guess=guess)


def _noise(mover: Lowered, at: Arrays) -> Array:
    """The rounding of the mover's utility, (games, members); four times, as values are compared."""
    shape = at[mover.choices[0].symbol].shape
    return np.asarray(np.broadcast_to(4 * mover.rounding(at), shape)[..., 0])


def _alike(mover: Lowered, at: Arrays, low: Array, high: Array) -> bool:
    """Whether all members of the family have the same problem and stand at the same decision."""
    own = [at[s] for s in at if isinstance(s, sp.IndexedBase) and mover.utility.uses(s)]
    own += [low, high] if not mover.constraints else []
    return not mover.constraints and all(np.all(v == v[:, :1]) for v in own)


def _ahead(
    game: LoweredGame,
    stage: int,
    mover: Lowered,
    at: Arrays,
    own: Mapping[sp.Basic, Array],
    hints: Sequence[Hint | None],
) -> Array:
    """The mover's payoff at candidates when later stages reply to each of them."""
    games, count, candidates = next(iter(own.values())).shape
    cost = count * candidates * max(v.shape[1] for v in at.values())
    step = max(1, _CHUNK // cost)
    found = np.empty((games, count, candidates))
    for first in range(0, games, step):
        part = slice(first, min(first + step, games))
        size = part.stop - part.start
        big = {s: np.repeat(v[part], count * candidates, axis=0) for s, v in at.items()}
        who = np.tile(np.repeat(np.arange(count), candidates), size)
        lines = np.arange(len(who))
        for symbol, x in own.items():
            changed = big[symbol].copy()
            changed[lines, who, 0] = x[part].reshape(-1)
            big[symbol] = changed
        big, settled = respond(game, stage + 1, big, hints, grid=_NESTED)
        payoff = mover.payoff(big)
        payoff = np.broadcast_to(payoff, (len(who), count, 1))[lines, who, 0]
        payoff = np.where(settled, payoff, np.nan)
        found[part] = payoff.reshape(size, count, candidates)
    return found


def respond(
    game: LoweredGame,
    stage: int,
    at: Arrays,
    hints: Sequence[Hint | None] = (),
    *,
    grid: int = 33,
) -> tuple[dict[sp.Basic, Array], Array]:
    """The decisions of `stage` and later ones, given those before, and where they settled.

    `at` holds a first guess of all decisions. Best replies are iterated until none changes by
    1e-9 of its size; (games,) says for which games they did.
    """
    at = dict(at)
    size = max(len(v) for v in at.values())
    if stage == len(game.stages):
        return at, np.ones(size, dtype=bool)
    movers = game.stages[stage]
    hinted = _guess(game, stage, at, hints)
    if len(movers) == 1 and at[movers[0].choices[0].symbol].shape[1] == 1:
        at.update(best_reply(game, stage, movers[0], at, hints, grid=grid, guess=hinted).at)
        return _finished(game, stage, at, hints, np.ones(size, dtype=bool), grid)
    settled = np.zeros(size, dtype=bool)
    active = np.arange(size)
    history: list[tuple[Array, Array]] = []
    here = dict(at)
    for attempt in range(_ITERATIONS):
        before = _vector(game, stage, here)
        low, high, whole = _box(game, stage, here)
        for mover in movers:
            guess = hinted and attempt == 0
            here.update(best_reply(game, stage, mover, here, hints, grid=grid, guess=guess).at)
        after = _vector(game, stage, here)
        moved = np.abs(after - before) / np.maximum(np.abs(after), 1e-6)
        done = moved.max(axis=1) <= _SAME
        if done.any():
            # The point that replies to itself: replies to it repeat its errors n-fold where n
            # players answer the same sum.
            pairs = [*history[-4:], (before, after)] if history else [(before, before)]
            final = np.clip(_anderson(pairs), low, high)
            final = np.where(whole | (after == low) | (after == high), after, final)
            end = dict(here)
            _unpack(game, stage, end, final)
            for symbol in game.symbols(stage):
                at[symbol][active[done]] = end[symbol][done]
            settled[active[done]] = True
        if done.all():
            break
        going = ~done
        active = active[going]
        here = rows(here, going)
        before, after = before[going], after[going]
        history = [(x[going], f[going]) for x, f in history[-4:]] + [(before, after)]
        following = np.where(whole, after, np.clip(_anderson(history), low[going], high[going]))
        _unpack(game, stage, here, following)
    else:
        for symbol in game.symbols(stage):
            at[symbol][active] = here[symbol]
    return _finished(game, stage, at, hints, settled, grid)


def _guess(
    game: LoweredGame, stage: int, at: dict[sp.Basic, Array], hints: Sequence[Hint | None]
) -> bool:
    """Put the hint into `at` (fresh arrays), where it is a number, and keep within bounds.

    Says whether there is one.
    """
    hint = hints[stage] if stage < len(hints) else None
    given = hint(at) if hint is not None else {}
    for mover in game.stages[stage]:
        for choice in mover.choices:
            x = at[choice.symbol]
            if choice.symbol in given:
                new = np.broadcast_to(given[choice.symbol], x.shape)
                x = np.where(np.isfinite(new), new, x)
            low, high = mover.bounds(choice, at)
            at[choice.symbol] = np.clip(x, low[..., None], high[..., None])
    return bool(given)


def _finished(
    game: LoweredGame,
    stage: int,
    at: dict[sp.Basic, Array],
    hints: Sequence[Hint | None],
    settled: Array,
    grid: int,
) -> tuple[dict[sp.Basic, Array], Array]:
    if stage == len(game.stages) - 1:
        return at, settled
    later, also = respond(game, stage + 1, at, hints, grid=grid)
    return later, settled & also


def _vector(game: LoweredGame, stage: int, at: Arrays) -> Array:
    return np.concatenate([at[s][..., 0] for s in game.symbols(stage)], axis=1)


def _unpack(game: LoweredGame, stage: int, at: dict[sp.Basic, Array], vector: Array) -> None:
    first = 0
    for symbol in game.symbols(stage):
        count = at[symbol].shape[1]
        at[symbol] = vector[:, first : first + count, None].copy()
        first += count


def _box(game: LoweredGame, stage: int, at: Arrays) -> tuple[Array, Array, Array]:
    """Bounds of all decisions of a stage, and which of them are integers."""
    lows, highs, whole = [], [], []
    for mover in game.stages[stage]:
        for choice in mover.choices:
            low, high = mover.bounds(choice, at)
            lows.append(low)
            highs.append(high)
            whole += [choice.integer] * low.shape[1]
    return np.concatenate(lows, axis=1), np.concatenate(highs, axis=1), np.array(whole)


def _anderson(history: Sequence[tuple[Array, Array]]) -> Array:
    """The next point from pairs (x, best reply to x): the combination that replies to itself.

    Anderson (1965); one step suffices for linear replies of as many dimensions as there are pairs.
    """
    x, f = history[-1]
    if len(history) == 1:
        return np.asarray(x + 0.5 * (f - x))
    dx = np.stack([x - y for y, _ in history[:-1]], axis=2)
    dg = np.stack([(f - x) - (g - y) for y, g in history[:-1]], axis=2)
    gram = np.einsum("bij,bik->bjk", dg, dg)
    trace = np.trace(gram, axis1=1, axis2=2)[:, None, None]
    gram = gram + (1e-13 * trace + 1e-300) * np.eye(gram.shape[1])
    weight = np.linalg.solve(gram, np.einsum("bij,bi->bj", dg, f - x)[..., None])
    step = (f - x) - np.einsum("bij,bj->bi", dx + dg, weight[..., 0])
    return np.where(np.isfinite(step), x + step, f)


def _along_lines(
    mover: Lowered,
    at: Arrays,
    value: Callable[[Mapping[sp.Basic, Array], Any], Array],
    grid: int,
    *,
    last: bool,
    guess: bool = False,
) -> Best:
    """Several decisions: each in turn, pairs along constraints, and along the way gone so far.

    From the mover's own decisions, or from the best of a population where that is better.
    """
    symbols = [c.symbol for c in mover.choices]
    integer = np.array([c.integer for c in mover.choices])
    ends = [mover.bounds(c, at) for c in mover.choices]
    low, high = (np.stack([np.asarray(e[k]) for e in ends], axis=2) for k in (0, 1))
    x = np.concatenate([at[s] for s in symbols], axis=2)
    x = np.clip(x, low, high)

    def at_point(points: Array, chosen: Any) -> Array:
        """points: (games, members, decisions, candidates)."""
        own = {s: points[:, :, k, :] for k, s in enumerate(symbols)}
        found = np.broadcast_to(value(own, chosen), points[:, :, 0, :].shape)
        return np.where(np.isnan(found), -np.inf, found)

    best = at_point(x[..., None], slice(None))[..., 0]
    before = best
    unbounded = np.zeros(best.shape, dtype=bool)
    if grid > _NESTED:
        rounds = _GENERATIONS[0 if last else 1]
        there, value_there = evolved(
            lambda points: at_point(points, slice(None)), low, high, x, integer, rounds=rounds
        )
        here = {s: x[:, :, k, None] for k, s in enumerate(symbols)}
        rounding = mover.rounding({**at, **here})
        noise = _FLAT * np.abs(best) + 100 * rounding[..., 0]
        gain = value_there > best + np.where(np.isfinite(noise), noise, 0.0)
        x = np.where(gain[..., None], there, x)
        best = np.where(gain, value_there, best)

    def search(direction: Array, whole: bool) -> None:
        nonlocal x, best, unbounded
        with np.errstate(all="ignore"):
            ratios = np.stack([(low - x) / direction, (high - x) / direction])
            free = direction == 0
            first = np.where(free, -np.inf, ratios.min(axis=0)).max(axis=2)
            last = np.where(free, np.inf, ratios.max(axis=0)).min(axis=2)
        still = free.all(axis=2)
        first, last = np.where(still, 0.0, first), np.where(still, 0.0, last)
        first, last = np.minimum(first, 0), np.maximum(last, 0)
        origin = x
        # Along a coordinate the decision itself is the variable, so that grids and steps have
        # its size; along other lines the way from here.
        shift = np.where((direction != 0).sum(axis=2) == 1, (origin * direction).sum(axis=2), 0.0)

        def on_line(t: Array, chosen: Any) -> Array:
            way = (t - shift[chosen][..., None])[:, :, None, :]
            points = origin[chosen][..., None] + way * direction[chosen][..., None]
            points = np.clip(points, low[chosen][..., None], high[chosen][..., None])
            return at_point(points, chosen)

        found = maximise(
            on_line,
            first + shift,
            last + shift,
            shift,
            integer=whole,
            grid=grid,
            peaks=1,
            guess=guess,
        )
        better = found.value >= best
        unbounded |= found.unbounded
        moved = np.clip(x + (found.at - shift)[..., None] * direction, low, high)
        x = np.where(better[..., None], moved, x)
        best = np.where(better, found.value, best)

    for _ in range(40):
        old_x, old = x, best
        for k, whole in enumerate(integer):
            direction = np.zeros(x.shape)
            direction[:, :, k] = 1.0
            search(direction, bool(whole))
        for direction in _tangents(mover, at, symbols, x, integer):
            search(direction, False)
        gone = np.where(integer, 0.0, x - old_x)
        size = np.abs(gone).max(axis=2, keepdims=True)
        if not np.any(_more(best, old)) and np.all(
            size <= 1e-10 * np.maximum(np.abs(x).max(axis=2, keepdims=True), 1e-6)
        ):
            break
        search(np.where(size > 0, gone / np.where(size > 0, size, 1), 0), False)
    return Best({s: x[:, :, k, None] for k, s in enumerate(symbols)}, best, before, unbounded)


def _more(new: Array, old: Array) -> Array:
    """Where a value is larger than before by more than rounding; both may be infinite."""
    with np.errstate(invalid="ignore"):
        return np.asarray((new > old) & ~(new - old <= 1e-15 * (1 + np.abs(new))))


def _tangents(
    mover: Lowered, at: Arrays, symbols: list[sp.Basic], x: Array, integer: Array
) -> list[Array]:
    """For each constraint and pair of decisions, the direction in which it does not change."""
    found = []
    for constraint in mover.constraints:
        slopes = []
        for k in range(len(symbols)):
            h = 1e-4 * np.maximum(np.abs(x[:, :, k, None]), 1e-3)
            ends = []
            for sign in (1, -1):
                own = {
                    s: x[:, :, j, None] + (sign * h if j == k else 0) for j, s in enumerate(symbols)
                }
                gap, _ = _signed(constraint, at, own)
                ends.append(gap)
            with np.errstate(all="ignore"):
                slope = (ends[0] - ends[1]) / (2 * h)
            slopes.append(np.broadcast_to(np.where(np.isfinite(slope), slope, 0), h.shape)[..., 0])
        for a in range(len(symbols)):
            for b in range(a + 1, len(symbols)):
                if integer[a] or integer[b]:
                    continue
                direction = np.zeros(x.shape)
                direction[:, :, a], direction[:, :, b] = slopes[b], -slopes[a]
                size = np.abs(direction).max(axis=2, keepdims=True)
                found.append(np.where(size > 0, direction / np.where(size > 0, size, 1), 0))
    return found


def _signed(constraint: Any, at: Arrays, own: Arrays) -> tuple[Array, Array]:
    """The slack with its sign, of an equation too."""
    left, right = constraint.left(at, own), constraint.right(at, own)
    return left - right, np.abs(left) + np.abs(right)
