"""Where types and reports live: a box, thinned by finite levels or linear constraints.

A space describes one profile, an array of shape (agents, *coordinates). Bounds and levels are kept
as exact rationals, because every witness is checked against them exactly; the search uses their
float images. Linear constraints A·t ≤ b hold for each agent's own flattened type t (non-increasing
marginal values, say), never across agents: a type space is a product.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit.errors import InputError, require, whole
from mechkit.lazy import lazy
from proofs import simplest

Number = int | float | Fraction
MAX_GRID = 2_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Space:
    """A product of agents' type sets; made by `box`.

    shape: (agents, *coordinates). low, high: object arrays of Fractions of that shape.
    levels: for each flattened coordinate of one agent, the finite set of its values, or None.
    constraints: (A, b) in Fractions with A·t ≤ b for each agent's flattened type t, or None.
    """

    shape: tuple[int, ...]
    low: np.ndarray
    high: np.ndarray
    levels: tuple[tuple[Fraction, ...] | None, ...] | None = None
    constraints: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def agents(self) -> int:
        return self.shape[0]

    @property
    def coordinates(self) -> tuple[int, ...]:
        """The shape of one agent's type: () for a number."""
        return self.shape[1:]

    @lazy
    def size(self) -> int:
        """How many numbers one agent's type has."""
        return int(np.prod(self.coordinates, dtype=int))

    @lazy
    def low_float(self) -> np.ndarray:
        return self.low.astype(float)

    @lazy
    def high_float(self) -> np.ndarray:
        return self.high.astype(float)

    @lazy
    def span(self) -> np.ndarray:
        return self.high_float - self.low_float

    @lazy
    def scale(self) -> float:
        """The largest absolute bound: what a float margin is small or large against."""
        return float(max(np.abs(self.low_float).max(), np.abs(self.high_float).max())) or 1.0

    @lazy
    def finite(self) -> bool:
        """Whether every coordinate has finitely many values."""
        return self.levels is not None and all(level is not None for level in self.levels)

    @lazy
    def floats(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The constraints as float arrays."""
        if self.constraints is None:
            return None
        a, b = self.constraints
        return a.astype(float), b.astype(float)

    @lazy
    def choices(self) -> list[list[np.ndarray | None]]:
        """By agent and coordinate the levels inside the agent's own bounds, or None."""
        lows = self.low.reshape(self.agents, -1)
        highs = self.high.reshape(self.agents, -1)
        return [
            [
                None
                if level is None
                else np.array([v for v in level if low <= v <= high], dtype=float)
                for level, low, high in zip(self.levels or (), own_low, own_high, strict=True)
            ]
            for own_low, own_high in zip(lows, highs, strict=True)
        ]

    def alike(self, c: int) -> bool:
        """Whether every agent has the same levels of a coordinate (or none)."""
        first = self.choices[0][c]
        return first is None or all(np.array_equal(own[c], first) for own in self.choices)  # type: ignore[arg-type]

    @lazy
    def member(self) -> np.ndarray:
        """One type of each agent that meets levels and constraints, (agents, size)."""
        return np.array(
            [grid(self, i, 2).reshape(-1, self.size)[-1] for i in range(self.agents)]
        ).astype(float)

    @lazy
    def centre(self) -> np.ndarray:
        """A point well inside the constraints, (agents, size): the ball centre of Chebyshev."""
        middle = ((self.low_float + self.high_float) / 2).reshape(self.agents, -1)
        if self.floats is None:
            return middle
        from scipy.optimize import linprog

        a, b = self.floats
        norms = np.linalg.norm(a, axis=1)
        centres = []
        for low, high in zip(
            self.low_float.reshape(self.agents, -1),
            self.high_float.reshape(self.agents, -1),
            strict=True,
        ):
            eye = np.eye(self.size)
            rows = np.vstack([np.c_[a, norms], np.c_[eye, np.ones(self.size)]])
            rows = np.vstack([rows, np.c_[-eye, np.ones(self.size)]])
            found = linprog(
                np.r_[np.zeros(self.size), -1.0],
                A_ub=rows,
                b_ub=np.r_[b, high, -low],
                bounds=[(None, None)] * self.size + [(0, None)],
            )
            require(
                found.status == 0,
                f"the type space is empty: no type in [{low}, {high}] meets the constraints "
                f"A·t ≤ b with b = {b}; relax them or widen the box",
            )
            centres.append(found.x[:-1])
        return np.array(centres)


def box(
    agents: int,
    *coordinates: int,
    low: Any = 0,
    high: Any = 1,
    levels: Any = None,
    constraints: tuple[Any, Any] | None = None,
) -> Space:
    """A box [low, high] for each coordinate of each agent's type.

    low, high: numbers, or arrays that broadcast to (agents, *coordinates); finite, low ≤ high.
    levels: a finite set of values for every coordinate (numbers), or one entry per flattened
        coordinate, each a set of values or None for a continuous one.
    constraints: (A, b): A·t ≤ b for each agent's flattened type t.
    """
    for what, count in (("agents", agents), *(("coordinates", c) for c in coordinates)):
        whole(count, 1, what)
    shape = (int(agents), *(int(c) for c in coordinates))
    lows, highs = _fractions(low, shape, "low"), _fractions(high, shape, "high")
    bad = np.argwhere(lows > highs)
    if len(bad):
        at = tuple(int(k) for k in bad[0])
        raise InputError(
            f"low = {lows[at]} is above high = {highs[at]} at {at}: swap them or widen the box"
        )
    size = int(np.prod(shape[1:], dtype=int))
    return Space(
        shape=shape,
        low=lows,
        high=highs,
        levels=_levels(levels, size, lows, highs),
        constraints=_constraints(constraints, size),
    )


def rational(x: Any, what: str) -> Fraction:
    """A number as a rational, floats as the simplest that rounds to them; InputError otherwise."""
    try:
        return Fraction(x) if isinstance(x, int | Fraction | str) else simplest(float(x))
    except (TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise InputError(f"{what} = {x!r}: expected a finite number ({error})") from None


def _fractions(x: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    raw = np.asarray(x, dtype=object)
    exact = np.empty(raw.shape, dtype=object)
    for at, entry in np.ndenumerate(raw):
        exact[at] = rational(entry, what)
    try:
        return np.array(np.broadcast_to(exact, shape), dtype=object)
    except ValueError:
        raise InputError(
            f"{what} has shape {exact.shape}, which does not broadcast to {shape}: "
            "give a number, or one for every agent and coordinate"
        ) from None


def _levels(
    levels: Any, size: int, low: np.ndarray, high: np.ndarray
) -> tuple[tuple[Fraction, ...] | None, ...] | None:
    if levels is None:
        return None
    require(np.iterable(levels), f"levels = {levels!r}: expected a set of values, [0, 1] say")
    entries = list(levels)
    nested = any(entry is None or np.ndim(entry) > 0 for entry in entries)
    per = entries if nested else [entries] * size
    require(
        len(per) == size,
        f"levels has {len(per)} entries for {size} coordinates: give one set for all, or one each",
    )
    out: list[tuple[Fraction, ...] | None] = []
    for c, entry in enumerate(per):
        if entry is None:
            out.append(None)
            continue
        values = tuple(sorted({rational(v, "level") for v in entry}))
        require(bool(values), "an empty set of levels: give at least one value")
        require(
            values[0] >= low.min() and values[-1] <= high.max(),
            f"levels {[str(v) for v in values]} leave the box [{low.min()}, {high.max()}]: widen "
            "low and high",
        )
        for bottom, top in zip(
            low.reshape(-1, size)[:, c], high.reshape(-1, size)[:, c], strict=True
        ):
            require(
                any(bottom <= v <= top for v in values),
                f"no level of {[str(v) for v in values]} lies in [{bottom}, {top}]: an agent would "
                "have no type",
            )
        out.append(values)
    return tuple(out)


def _constraints(given: tuple[Any, Any] | None, size: int) -> tuple[np.ndarray, np.ndarray] | None:
    if given is None:
        return None
    a, b = np.asarray(given[0], dtype=object), np.asarray(given[1], dtype=object)
    require(
        a.ndim == 2 and a.shape[1] == size and b.shape == (a.shape[0],),
        f"constraints A of shape {a.shape} and b of shape {b.shape}: expected (k, {size}) and (k,)",
    )
    return _fractions(a, a.shape, "A"), _fractions(b, b.shape, "b")


def repair(space: Space, points: np.ndarray, agents: Sequence[int] | None = None) -> np.ndarray:
    """Move float points into the space: clip, snap to levels, pull towards the centre.

    points: (batch, k, *coordinates), one column for each of `agents` (all of them by default);
    columns may repeat an agent. Changed in place and returned.
    """
    index = slice(None) if agents is None else list(agents)
    low, high = space.low_float[index], space.high_float[index]
    np.clip(points, low, high, out=points)
    if space.levels is None and space.floats is None:
        return points
    flat = points.reshape(*points.shape[:2], space.size)
    if space.levels is not None:
        _snap(space, flat, range(space.agents) if agents is None else agents)
        if space.floats is not None:
            # A point of a grid cannot be pulled: its discrete coordinates come from a member.
            discrete = np.array([level is not None for level in space.levels])
            for keep in (~discrete, np.zeros_like(discrete)):
                outside = ~meets(space, flat)[..., None]
                flat[...] = np.where(outside & ~keep, space.member[index], flat)
    elif space.floats is not None:
        a, b = space.floats
        centre = space.centre[index]
        direction = flat - centre
        step = direction @ a.T
        room = b - centre @ a.T
        with np.errstate(divide="ignore", invalid="ignore"):
            most = np.where(step > room, room / step, 1.0).min(axis=-1)
        pulled = most < 1
        if pulled.any():
            # A hair inside, so that rounding does not leave the space.
            moved = centre + np.clip(most, 0, 1)[..., None] * (1 - 1e-12) * direction
            flat[pulled] = moved[pulled]
    points[...] = flat.reshape(points.shape)
    return points


def _snap(space: Space, flat: np.ndarray, agents: Sequence[int]) -> None:
    """Move coordinates with levels to the nearest of the agent's, in place; flat: (batch, k, c)."""
    for c in range(space.size):
        if space.alike(c):
            groups: list[tuple[Any, int]] = [(slice(None), agents[0])]
        else:
            groups = list(enumerate(agents))
        for column, agent in groups:
            values = space.choices[agent][c]
            if values is not None:
                middle = (values[1:] + values[:-1]) / 2
                flat[:, column, c] = values[np.searchsorted(middle, flat[:, column, c])]


def meets(space: Space, flat: np.ndarray) -> np.ndarray:
    """Which types of a float array (batch, k, size) keep the constraints, bool (batch, k)."""
    assert space.floats is not None
    a, b = space.floats
    return (flat @ a.T <= b + 1e-12 * space.scale).all(axis=-1)


def contains(
    space: Space, points: np.ndarray, agents: Sequence[int] | None = None, *, slack: float = 0.0
) -> np.ndarray:
    """Which rows lie in the space, exactly for Fractions (object arrays) and floats alike.

    points: (batch, k, *coordinates), one column for each of `agents` (all by default).
    slack: how far outside the bounds still counts, for float data.
    """
    index = slice(None) if agents is None else list(agents)
    exact = points.dtype == object
    low = (space.low if exact else space.low_float)[index]
    high = (space.high if exact else space.high_float)[index]
    # A slack of 0.0 would turn Fractions into floats: it is added only where there is one.
    reach = (low - slack, high + slack) if slack else (low, high)
    axes = tuple(range(1, points.ndim))
    within = (points >= reach[0]) & (points <= reach[1])
    inside = np.asarray(within.astype(bool).all(axis=axes))
    flat = points.reshape(*points.shape[:2], space.size)
    if space.levels is not None:
        for c, level in enumerate(space.levels):
            if level is not None:
                values = np.array(level, dtype=object if exact else float)
                near = np.abs(flat[..., c, None] - values) <= slack
                inside &= near.astype(bool).any(axis=-1).all(axis=-1)
    if space.constraints is not None:
        a, b = space.constraints if exact else space.floats  # type: ignore[misc]
        left = np.einsum("bkc,rc->bkr", flat, a) if not exact else _exact_dot(flat, a)
        inside &= (left <= (b + slack if slack else b)).astype(bool).all(axis=(1, 2))
    return inside


def _exact_dot(flat: np.ndarray, a: np.ndarray) -> np.ndarray:
    return (flat[:, :, None, :] * a).sum(axis=-1)


def grid(space: Space, agent: int, points: int = 5) -> np.ndarray:
    """All types of one agent on a grid, as Fractions, shape (k, *coordinates).

    Coordinates with levels take all of them; a continuous one takes `points` equally spaced values,
    the bounds included (the lower bound alone for points = 1).
    """
    require(points >= 1, f"points = {points}: a grid needs at least one point per coordinate")
    lows, highs = space.low[[agent]].reshape(-1), space.high[[agent]].reshape(-1)
    axes: list[list[Fraction]] = []
    for c in range(space.size):
        level = None if space.levels is None else space.levels[c]
        if level is not None:
            axes.append([v for v in level if lows[c] <= v <= highs[c]])
        elif points == 1 or lows[c] == highs[c]:
            axes.append([lows[c]])
        else:
            step = (highs[c] - lows[c]) / (points - 1)
            axes.append([lows[c] + k * step for k in range(points)])
    count = int(np.prod([len(axis) for axis in axes], dtype=float))
    require(
        count <= MAX_GRID,
        f"a grid of {count} types: more than {MAX_GRID}; take fewer points per coordinate",
    )
    rows = np.array(list(itertools.product(*axes)), dtype=object).reshape(count, space.size)
    if space.constraints is not None:
        a, b = space.constraints
        rows = rows[(_exact_dot(rows[:, None, :], a)[:, 0] <= b).astype(bool).all(axis=-1)]
    return rows.reshape(-1, *space.coordinates)
