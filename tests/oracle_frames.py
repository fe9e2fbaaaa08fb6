"""The table that the brute force reads: the rules, run on every profile of a small grid of reports.

A mesh lists what each agent may be and may say, a scene is one public situation, and a frame is
the grid of one scene with the outcomes, payments and values of all its rows, worked out when they
are first asked for. Of the engine that is judged only what a setting declares is used.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from mechkit.mechanism import Mechanism
from mechkit.settings import Lottery, Setting
from mechkit.spaces import Space

TOLERANCE = 1e-9
CHUNK = 1 << 15
MAX_SCENES = 64


class CannotJudgeError(Exception):
    """The property does not apply, or the grid is too large."""


# The grid -----------------------------------------------------------------------------------------


def fractions(points: int) -> list[Fraction]:
    """The first `points` of 0, 1, 1/2, 1/4, 3/4, 1/8, …, sorted: 5 and 9 are equally spaced."""
    found = [Fraction(0), Fraction(1)]
    depth = 2
    while len(found) < points:
        found += [Fraction(k, depth) for k in range(1, depth, 2)]
        depth *= 2
    return sorted(found[:points])


@dataclass(frozen=True)
class Mesh:
    """How fine a grid is: points per coordinate, equally spaced ones or those of axis.

    keep: how many of them, and of any levels, to keep of each coordinate, 0 for all; variant: which
    ones, evenly spread for 0, else drawn for each coordinate (the same for all agents).
    """

    points: int
    axis: tuple[Fraction, ...] = ()
    keep: int = 0
    variant: int = 0

    def of(
        self, low: Fraction, high: Fraction, levels: Sequence[Fraction] | None, coordinate: int
    ) -> list[float]:
        if levels is None and not self.axis:
            values = [low + f * (high - low) for f in fractions(self.points)]
        else:
            values = [v for v in levels or sorted(set(self.axis)) if low <= v <= high]
        values = sorted(set(values))
        if self.keep and len(values) > self.keep:
            last = len(values) - 1
            picks = [int(f * last) for f in fractions(self.keep)]
            if self.variant:
                rng = np.random.default_rng((self.variant, coordinate))
                picks = sorted(rng.choice(last + 1, size=self.keep, replace=False))
            values = [values[k] for k in dict.fromkeys(picks)]
        return [float(v) for v in values]

    def axes(self, space: Space, agent: int) -> list[list[float]]:
        low, high = (b.reshape(space.agents, -1)[agent] for b in (space.low, space.high))
        levels = space.levels or (None,) * len(low)
        bounds = zip(low, high, levels, range(len(low)), strict=True)
        return [self.of(*bound) for bound in bounds]

    def count(self, space: Space, agent: int) -> float:
        """How many types `types` would list, or more where constraints leave some out."""
        return float(np.prod([len(axis) for axis in self.axes(space, agent)], dtype=float))

    def types(self, space: Space, agent: int) -> np.ndarray:
        """All types of one agent, (k, *coordinates), in lexicographic order."""
        rows = np.array(list(itertools.product(*self.axes(space, agent))), dtype=float)
        return rows[within(space, rows)].reshape(-1, *space.coordinates)


def within(space: Space, flat: np.ndarray) -> np.ndarray:
    """Which types (..., size) meet the linear constraints."""
    if space.constraints is None:
        return np.ones(flat.shape[:-1], dtype=bool)
    a, b = (part.astype(float) for part in space.constraints)
    return (flat @ a.T <= b + 1e-12).all(axis=-1)


def product(*sizes: int) -> np.ndarray:
    """All index tuples, (∏ sizes, len(sizes)), last fastest."""
    return np.indices(sizes).reshape(len(sizes), -1).T


@dataclass(frozen=True, eq=False)
class Scene:
    """One public situation; draws: (weight, public arrays) over which expectations are taken;
    at: the profiles of types in which it arises, None for all."""

    draws: tuple[tuple[float, dict[str, np.ndarray]], ...]
    at: np.ndarray | None = None


def revealing(setting: Setting) -> list[str]:
    """The names of the public arrays that are functions of the types."""
    return [k for k, v in setting.public.items() if not isinstance(v, Lottery | Space)]


def scenes(setting: Setting, profiles: np.ndarray) -> list[Scene]:
    """Every draw of an every=True lottery, a grid of every public space, and whatever the profiles
    of types reveal, in all combinations."""
    fixed: list[list[tuple[str, np.ndarray]]] = []
    mixed: list[list[tuple[str, np.ndarray, Fraction]]] = []
    for name, source in setting.public.items():
        if isinstance(source, Space):
            fixed.append([(name, draw) for draw in _public_grid(source)])
        elif isinstance(source, Lottery) and source.every:
            fixed.append([(name, draw) for draw in source.draws])
        elif isinstance(source, Lottery):
            drawn = zip(source.draws, source.weights, strict=True)
            mixed.append([(name, draw, weight) for draw, weight in drawn])
    chances = []
    for chance in itertools.product(*mixed):
        weight = Fraction(1)
        for _, _, w in chance:
            weight *= w
        chances.append((float(weight), {name: draw for name, draw, _ in chance}))
    return [
        Scene(tuple((w, {**dict(known), **shown, **drawn}) for w, drawn in chances), at)
        for known in itertools.product(*fixed)
        for shown, at in _revealed(setting, profiles)
    ]


def _revealed(setting: Setting, profiles: np.ndarray) -> list[tuple[dict, np.ndarray | None]]:
    """What is revealed about the types, and in which of the profiles just this is."""
    if not (names := revealing(setting)):
        return [({}, None)]
    sources: dict[str, Any] = dict(setting.public)
    shown = {name: np.asarray(sources[name](profiles), dtype=float) for name in names}
    group = keys(np.concatenate([v.reshape(len(profiles), -1) for v in shown.values()], axis=1))
    found: list[tuple[dict, np.ndarray | None]] = []
    for k in range(group.max() + 1):
        at = np.flatnonzero(group == k)
        found.append(({name: v[at[0]] for name, v in shown.items()}, at))
    return found


def _public_grid(space: Space) -> list[np.ndarray]:
    """A few draws of a public space: 3 points per number, or MAX_SCENES picks out of 5 per number
    where these would be too many."""
    per = [Mesh(3).types(space, agent) for agent in range(space.agents)]
    if np.prod([len(rows) for rows in per], dtype=float) <= MAX_SCENES:
        picks = product(*(len(rows) for rows in per))
    else:
        per = [Mesh(5).types(space, agent) for agent in range(space.agents)]
        sizes = [len(rows) for rows in per]
        picks = np.random.default_rng(7).integers(0, sizes, size=(MAX_SCENES, len(sizes)))
    return [np.stack([rows[k] for rows, k in zip(per, pick, strict=True)]) for pick in picks]


# The rules on a batch -----------------------------------------------------------------------------


def _shown(public: dict[str, np.ndarray], batch: int) -> dict[str, Any]:
    if not public:
        return {}
    return {"public": {k: np.broadcast_to(v, (batch, *np.shape(v))) for k, v in public.items()}}


def run(mechanism: Mechanism, reports: np.ndarray, public: dict) -> tuple[np.ndarray, np.ndarray]:
    """Allocation (batch, *shape) and payments (batch, agents) in floats, chunk by chunk."""
    parts = []
    for start in range(0, len(reports), CHUNK):
        rows = reports[start : start + CHUNK].copy()
        more = _shown(public, len(rows))
        if mechanism.outcome is not None:
            x, p = mechanism.outcome(rows, **more)
        else:
            assert mechanism.allocate is not None
            assert mechanism.pay is not None
            x = mechanism.allocate(rows, **more)
            p = mechanism.pay(rows, x, **more)
        x, p = np.asarray(x, dtype=float), np.asarray(p, dtype=float)
        setting = mechanism.setting
        expected = (len(rows), *setting.allocation_shape), (len(rows), setting.agents)
        if (x.shape, p.shape) != expected:
            raise ValueError(f"{mechanism.name}: shapes {x.shape}, {p.shape}; expected {expected}")
        if not (np.isfinite(x).all() and np.isfinite(p).all()):
            raise ValueError(f"{mechanism.name}: an outcome is not finite")
        parts.append((x, p))
    return np.concatenate([x for x, _ in parts]), np.concatenate([p for _, p in parts])


def expected(mechanism: Mechanism, reports: np.ndarray, scene: Scene) -> tuple[Any, Any]:
    """The mean allocation and payments over the draws of a scene."""
    outs = [(w, *run(mechanism, reports, public)) for w, public in scene.draws]
    return sum(w * x for w, x, _ in outs), sum(w * p for w, _, p in outs)


def worth(setting: Setting, types: np.ndarray, x: np.ndarray, public: dict) -> np.ndarray:
    """v(θ, x), (batch, agents)."""
    return np.asarray(setting.value(types, x, **_shown(public, len(types))), dtype=float)


def truthful(setting: Setting, types: np.ndarray, scene: Scene) -> np.ndarray:
    """The truthful reports; they must not hang on a draw that nobody has seen yet."""
    if setting.truthful is None:
        return types
    said = [
        np.asarray(setting.truthful(types, **_shown(public, len(types))), dtype=float)
        for _, public in scene.draws
    ]
    if any(not np.array_equal(said[0], other) for other in said[1:]):
        raise CannotJudgeError("the truthful report depends on a lottery taken in expectation")
    return said[0]


def keys(x: np.ndarray) -> np.ndarray:
    """Equal integers for rows that are equal up to the tolerance.

    The odd offset keeps every short fraction away from the edges of the bins.
    """
    bins = np.floor(x.reshape(len(x), -1) / TOLERANCE + 0.3183098861837907).astype(np.int64)
    return np.unique(bins, axis=0, return_inverse=True)[1].reshape(-1)


@lru_cache(maxsize=256)
def interdependent(mechanism: Mechanism) -> bool:
    """Whether an agent's value, its truthful report or what is public moves with others' types."""
    setting, rng = mechanism.setting, np.random.default_rng(1)
    if setting.interdependent or revealing(setting):
        return True
    grid = [Mesh(5, keep=5).types(setting.types, i) for i in range(setting.agents)]
    asked = [Mesh(5, keep=5).types(setting.report_space, i) for i in range(setting.agents)]
    types, reports = (
        np.stack([rows[rng.integers(len(rows), size=256)] for rows in of], axis=1)
        for of in (grid, asked)
    )
    for scene in scenes(setting, types)[:4]:
        public = scene.draws[0][1]
        x, _ = run(mechanism, reports, public)
        value, truth = worth(setting, types, x, public), truthful(setting, types, scene)
        for shift, i in itertools.product(range(1, 17), range(setting.agents)):
            other = np.roll(types, shift, axis=0)
            other[:, i] = types[:, i]
            if np.abs(worth(setting, other, x, public)[:, i] - value[:, i]).max() > TOLERANCE:
                return True
            if np.abs(truthful(setting, other, scene)[:, i] - truth[:, i]).max() > TOLERANCE:
                return True
    return False


# The table ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Frame:
    """The grid of one scene. types[i], reports[i]: lists of what agent i may be, may say.

    theta: (profiles of types, agents), indices. world[i]: for each profile of types, what agent i's
    value depends on: its own index, or the profile's where values are interdependent.
    said: (profiles of types, agents), the indices of the truthful reports.
    """

    mechanism: Mechanism
    scene: Scene
    types: tuple[np.ndarray, ...]
    reports: tuple[np.ndarray, ...]
    theta: np.ndarray
    said: np.ndarray
    joint: bool
    number: int

    @property
    def setting(self) -> Setting:
        return self.mechanism.setting

    @property
    def agents(self) -> range:
        return range(self.setting.agents)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(r) for r in self.reports)

    @cached_property
    def rows(self) -> int:
        return int(np.prod(self.sizes, dtype=float))

    def world(self, i: int) -> np.ndarray:
        return np.arange(len(self.theta)) if self.joint else self.theta[:, i]

    def worlds(self, members: Sequence[int]) -> np.ndarray:
        """Profiles of types (indices into theta) that differ in what members' values depend on."""
        if self.joint:
            return np.arange(len(self.theta))
        return np.unique(self.theta[:, list(members)], axis=0, return_index=True)[1]

    @cached_property
    def profiles(self) -> np.ndarray:
        """All profiles of reports, (rows, agents, *coordinates)."""
        index = product(*self.sizes)
        return np.stack([r[index[:, i]] for i, r in enumerate(self.reports)], axis=1)

    @cached_property
    def profiles_of_types(self) -> np.ndarray:
        return np.stack([t[self.theta[:, i]] for i, t in enumerate(self.types)], axis=1)

    @cached_property
    def truth(self) -> np.ndarray:
        """The row of the table that each profile of types reports."""
        return np.ravel_multi_index(tuple(self.said.T), self.sizes)

    def moves(self, *members: int) -> np.ndarray:
        """Rows of the table, (what the members say, what the others say)."""
        others = [i for i in self.agents if i not in members]
        index = np.arange(self.rows).reshape(self.sizes).transpose(*members, *others)
        return index.reshape(int(np.prod([self.sizes[i] for i in members])), -1)

    @cached_property
    def outcomes(self) -> list[tuple[float, dict, np.ndarray, np.ndarray]]:
        return [
            (w, public, *run(self.mechanism, self.profiles, public))
            for w, public in self.scene.draws
        ]

    @cached_property
    def x(self) -> np.ndarray:
        return sum(w * x for w, _, x, _ in self.outcomes)  # type: ignore[return-value]

    @cached_property
    def p(self) -> np.ndarray:
        return sum(w * p for w, _, _, p in self.outcomes)  # type: ignore[return-value]

    @cached_property
    def q(self) -> np.ndarray:
        assert self.setting.quantity is not None
        return sum(w * self.setting.quantity(x) for w, _, x, _ in self.outcomes)

    @cached_property
    def v(self) -> list[np.ndarray]:
        """v[i][world, row]: what the outcome of that row is worth to agent i, in expectation."""
        if self.joint:
            types = self.profiles_of_types
        else:
            most = max(len(t) for t in self.types)
            pick = np.arange(most)
            types = np.stack([t[np.minimum(pick, len(t) - 1)] for t in self.types], axis=1)
        total: list[Any] = [0.0 for _ in self.agents]
        for w, public, x, _ in self.outcomes:
            _, first, back = np.unique(keys(x), return_index=True, return_inverse=True)
            distinct = x[first]
            step = max(1, CHUNK // len(distinct))
            blocks = [
                worth(
                    self.setting,
                    np.repeat(types[k : k + step], len(distinct), axis=0),
                    np.tile(distinct, (len(types[k : k + step]), *[1] * (x.ndim - 1))),
                    public,
                ).reshape(-1, len(distinct), len(self.agents))
                for k in range(0, len(types), step)
            ]
            table = np.concatenate(blocks)
            for i in self.agents:
                count = len(types) if self.joint else len(self.types[i])
                total[i] = total[i] + w * table[:count, :, i][:, back.reshape(-1)]
        return total

    @cached_property
    def trades(self) -> bool:
        return any(np.abs(x).max(initial=0) > 0 for _, _, x, _ in self.outcomes)


@lru_cache(maxsize=8)
def frames(mechanism: Mechanism, mesh: Mesh) -> tuple[Frame, ...]:
    """The grids of all scenes; the rules have not run yet."""
    setting = mechanism.setting
    types = tuple(mesh.types(setting.types, i) for i in range(setting.agents))
    asked = tuple(mesh.types(setting.report_space, i) for i in range(setting.agents))
    every, joint = product(*(len(t) for t in types)), interdependent(mechanism)
    profiles = np.stack([t[every[:, i]] for i, t in enumerate(types)], axis=1)
    found = []
    for number, scene in enumerate(scenes(setting, profiles)):
        here = np.arange(len(every)) if scene.at is None else scene.at
        reports, said = asked, every[here]
        if setting.truthful is not None:
            truth = truthful(setting, profiles[here], scene)
            lists = [_listed(grid, truth[:, i]) for i, grid in enumerate(asked)]
            reports = tuple(rows for rows, _ in lists)
            said = np.stack([index for _, index in lists], axis=1)
        found.append(Frame(mechanism, scene, types, reports, every[here], said, joint, number))
    return tuple(found)


def _listed(grid: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The reports of the grid and the truthful ones, sorted, and where the truthful ones are."""
    flat = np.concatenate([grid, truth]).reshape(len(grid) + len(truth), -1)
    rows, back = np.unique(flat, axis=0, return_inverse=True)
    return rows.reshape(-1, *grid.shape[1:]), back.reshape(-1)[len(grid) :]
