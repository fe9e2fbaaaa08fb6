"""The independent brute force: every property judged by exhausting a small grid.

The rules run once on every profile of a grid of reports, as one float batch, and each property of
a mechanism is then a statement about that table, written here afresh from its definition: a
deviation is another row of the table. Nothing of the engine that this judges is used, only what a
setting declares (spaces, roles, value, slack, quantity, joint value, other sizes) and the rules.
Grid values are dyadic fractions of the range, so float sums are exact and ties are ties, unless a
rule or setting has constants that are not (a cost shared by three): rounding may break these ties.
A violation is conclusive up to the tolerance; no violation says so of the grid only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np

from mechkit.errors import InputError
from mechkit.mechanism import Mechanism
from mechkit.settings import Lottery, Setting
from mechkit.spaces import Space

TOLERANCE = 1e-9
CHUNK = 1 << 15
MAX_SCENES = 64
VARIANTS = 4


@dataclass(frozen=True)
class Judgement:
    """decided: "violated", "no violation on the grid", "vacuous" (nothing was ever allocated) or
    "cannot" (not applicable, or too large). cases: how many inequalities were evaluated."""

    decided: str
    witness: dict[str, Any] | None = None
    cases: int = 0
    reason: str = ""


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
        return rows[_inside(space, rows)].reshape(-1, *space.coordinates)


def _inside(space: Space, flat: np.ndarray) -> np.ndarray:
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


# The properties, as excesses that are positive where they fail ------------------------------------


@dataclass(frozen=True, eq=False)
class Finding:
    """excess: any shape. rows, then: the reports before and after a change, as rows of the table
    that broadcast to it; base, later: the profiles that they count, where these are not the
    table's; types: likewise rows of theta."""

    excess: np.ndarray
    rows: Any
    then: Any = None
    later: np.ndarray | None = None
    types: Any = None
    note: dict[str, Any] = field(default_factory=dict)
    base: np.ndarray | None = None

    def tell(self, t: Frame, at: tuple[int, ...]) -> dict[str, Any]:
        def pick(rows: Any) -> int:
            return int(np.broadcast_to(rows, self.excess.shape)[at])

        base = t.profiles if self.base is None else self.base
        told = {"excess": float(self.excess[at]), **self.note}
        told["reports"] = base[pick(self.rows)].tolist()
        if self.types is not None:
            told["types"] = t.profiles_of_types[pick(self.types)].tolist()
        if self.then is not None:
            later = t.profiles if self.later is None else self.later
            told["deviation"] = later[pick(self.then)].tolist()
        if t.setting.public:
            told["public"] = {k: np.asarray(v).tolist() for k, v in t.scene.draws[0][1].items()}
        return told


Findings = Iterator[Finding]


def feasible(t: Frame) -> Findings:
    for _, _, x, _ in t.outcomes:
        slack = np.asarray(t.setting.slack(x), dtype=float).reshape(t.rows, -1)
        yield Finding(-slack, np.arange(t.rows)[:, None])


def replies(t: Frame, i: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and utilities (profiles of types, reports of i) while the others are truthful."""
    stride = int(np.prod(t.sizes[i + 1 :], dtype=int))
    rows = t.truth[:, None] + (np.arange(t.sizes[i]) - t.said[:, i, None]) * stride
    return rows, t.v[i][t.world(i)[:, None], rows] - t.p[rows, i]


def own(u: np.ndarray, t: Frame, i: int) -> np.ndarray:
    return np.take_along_axis(u, t.said[:, i, None], axis=1)


def ir(t: Frame) -> Findings:
    for i in t.agents:
        u = t.v[i][t.world(i), t.truth] - t.p[t.truth, i]
        yield Finding(-u, t.truth, types=np.arange(len(u)), note={"agents": (i,)})


def ex_post_nash(t: Frame) -> Findings:
    every = np.arange(len(t.theta))[:, None]
    for i in t.agents:
        rows, u = replies(t, i)
        yield Finding(u - own(u, t, i), t.truth[:, None], rows, types=every, note={"agents": (i,)})


def deviations(size: int, combine: Callable[[np.ndarray], np.ndarray], t: Frame) -> Findings:
    """combine(gains of the members, (size, joint reports, others' reports)) -> excess."""
    if len(t.agents) < size:
        raise CannotJudgeError("needs at least two agents")
    for members in itertools.combinations(t.agents, size):
        rows, dims = t.moves(*members), [t.sizes[i] for i in members]
        world = {i: t.world(i) for i in members}
        for k in t.worlds(members):
            truth = rows[np.ravel_multi_index([t.said[k, i] for i in members], dims)]
            u = [t.v[i][world[i][k]] - t.p[:, i] for i in members]
            gains = np.stack([of[rows] - of[truth] for of in u])
            yield Finding(combine(gains), truth, rows, types=k, note={"agents": members})


def strongly(gains: np.ndarray) -> np.ndarray:
    return np.where((gains >= -TOLERANCE).all(axis=0), gains.max(axis=0), -np.inf)


def prior(t: Frame, i: int) -> np.ndarray:
    given, count = t.setting.prior, len(t.types[i])
    if given is None:
        return np.full(count, 1 / count)
    if callable(given) or hasattr(given, "rvs") or any(hasattr(w, "rvs") for w in given):
        raise CannotJudgeError("the prior is not a list of weights")
    weights = [w if isinstance(w, Fraction) else Fraction(str(w)) for w in given]
    if len(weights) != count or abs(float(sum(weights)) - 1) > TOLERANCE:
        raise CannotJudgeError("the prior does not fit the levels of this agent")
    return np.array([float(w) for w in weights])


def interim(t: Frame, i: int, of: np.ndarray) -> np.ndarray:
    """The mean over the others' types of (profiles of types, k), as (types of i, k)."""
    weight = np.ones(len(t.theta))
    for j in t.agents:
        if j != i:
            weight = weight * prior(t, j)[t.theta[:, j]]
    mean = np.zeros((len(t.types[i]), of.shape[1]))
    np.add.at(mean, t.theta[:, i], of * weight[:, None])
    return mean


def bic(t: Frame) -> Findings:
    for i in t.agents:
        _, u = replies(t, i)
        stride = int(np.prod(t.sizes[i + 1 :], dtype=int))
        first = np.array([np.argmax(t.theta[:, i] == k) for k in range(len(t.types[i]))])
        gain = interim(t, i, u) - interim(t, i, own(u, t, i))
        there = np.arange(t.sizes[i]) * stride
        yield Finding(
            gain, t.truth[first][:, None], there, types=first[:, None], note={"agents": (i,)}
        )


def interim_ir(t: Frame) -> Findings:
    for i in t.agents:
        loss = -interim(t, i, own(replies(t, i)[1], t, i))
        first = np.array([np.argmax(t.theta[:, i] == k) for k in range(len(t.types[i]))])
        yield Finding(loss, t.truth[first][:, None], types=first[:, None], note={"agents": (i,)})


def weak_budget_balance(t: Frame) -> Findings:
    yield Finding(-t.p.sum(axis=1), np.arange(t.rows))


def strong_budget_balance(t: Frame) -> Findings:
    yield Finding(np.abs(t.p.sum(axis=1)), np.arange(t.rows))


def no_positive_transfers(t: Frame) -> Findings:
    for i in t.agents:
        if not t.setting.sellers[i]:
            yield Finding(-t.p[:, i], np.arange(t.rows), note={"agents": (i,)})


def monotone(t: Frame) -> Findings:
    for i in t.agents:
        rows, better = t.moves(i), t.reports[i][:, None] < t.reports[i][None, :]
        sign = -1 if t.setting.sellers[i] else 1
        q = t.q[rows, i] * sign
        drop = np.where(better[..., None], q[:, None] - q[None, :], -np.inf)
        yield Finding(drop, rows[:, None], rows[None, :], note={"agents": (i,)})


def critical_payment(t: Frame) -> Findings:
    for i in t.agents:
        rows, sign = t.moves(i), -1 if t.setting.sellers[i] else 1
        q, p = t.q[rows, i], t.p[rows, i]
        wins, loses = q > 1 - TOLERANCE, q < TOLERANCE
        # For sellers both the receipt −p and the order turn around: p − (−c) for p − v.
        over = p[:, None] - sign * t.reports[i][None, :, None]
        over = np.where(wins[None, :], over, np.where(loses[None, :], -over, -np.inf))
        over = np.where(wins[:, None], over, -np.inf)
        yield Finding(over, rows[:, None], rows[None, :], note={"agents": (i,)})
        yield Finding(np.where(loses, np.abs(p), -np.inf), rows, note={"agents": (i,)})


def cyclic_monotone(t: Frame) -> Findings:
    """Among types that lead to the same outcome only the best first step of a cycle matters."""
    for i in t.agents:
        rows = t.moves(i)[t.said[t.worlds((i,)), i]]
        ids = keys(np.concatenate([x.reshape(t.rows, -1) for _, _, x, _ in t.outcomes], axis=1))
        for column in rows.T:
            _, first, group = np.unique(ids[column], return_index=True, return_inverse=True)
            leave = t.v[i][np.arange(len(column)), column][:, None] - t.v[i][:, column[first]]
            step = np.full((len(first), len(first)), np.inf)
            np.minimum.at(step, group.reshape(-1), leave)
            here = column[first]
            note = {"agents": (i,), "cycle": "through these outcomes"}
            yield Finding(-(step + step.T), here[:, None], here[None, :], note=note)
            three = step[:, :, None] + step[None, :, :] + step.T[:, None, :]
            yield Finding(-three, here[:, None, None], here[None, :, None], note=note)


def envy_free(t: Frame) -> Findings:
    types = t.profiles_of_types
    for i, j in same_role(t):
        for a, b in ((i, j), (j, i)):
            envy: Any = 0.0
            for w, public, x, p in t.outcomes:
                held, swapped = x[t.truth], x[t.truth]
                swapped[:, [a, b]] = held[:, [b, a]]
                ours = worth(t.setting, types, held, public)[:, a] - p[t.truth, a]
                theirs = worth(t.setting, types, swapped, public)[:, a] - p[t.truth, b]
                envy = envy + w * (theirs - ours)
            every = np.arange(len(types))
            yield Finding(envy, t.truth, types=every, note={"agents": (a, b)})


def same_role(t: Frame) -> list[tuple[int, int]]:
    roles = t.setting.roles
    pairs = [(i, j) for i, j in itertools.combinations(t.agents, 2) if roles[i] == roles[j]]
    if not pairs:
        raise CannotJudgeError("no two agents have the same role")
    return pairs


def generic(t: Frame) -> np.ndarray:
    """Profiles without coincidences that any agents of a role may permute.

    Each number is jittered inside its own cell by a random multiple of 2^−30, so that a relation
    with small coefficients among the numbers (a sum, a mean, a ratio) holds by chance once in about
    10^9. A space that is finite gives what it has: profiles of pairwise different numbers.
    """
    space, n = t.setting.report_space, len(t.agents)
    low, high = space.low.reshape(n, -1), space.high.reshape(n, -1)
    for i, j in same_role(t):
        if (low[i] != low[j]).any() or (high[i] != high[j]).any():
            raise CannotJudgeError("agents of one role have different reports")
    rng = np.random.default_rng(2)
    points = next(k for k in range(9, 0, -1) if k**low.size <= 20_000 or k == 1)
    cells = product(*[points] * low.size) if points > 1 else np.zeros((20_000, low.size), dtype=int)
    u = rng.integers(1, 2**30, size=cells.shape) / 2.0**30
    share = ((cells + u) / points).reshape(-1, *low.shape)
    drawn = low.astype(float) + share * (high - low).astype(float)
    levels = space.levels or (None,) * space.size
    for c, level in enumerate(levels):
        if level is not None:
            for i in t.agents:
                inside = np.array([float(v) for v in level if low[i, c] <= v <= high[i, c]])
                drawn[:, i, c] = inside[(share[:, i, c] * len(inside)).astype(int)]
    keep = _inside(space, drawn).all(axis=1)
    if all(level is not None for level in levels):
        flat = np.sort(drawn.reshape(len(drawn), -1), axis=1)
        keep &= (np.diff(flat, axis=1) > 0).all(axis=1)
    return drawn[keep].reshape(-1, *space.shape)


def anonymous(t: Frame) -> Findings:
    profiles = generic(t)
    if not len(profiles):
        raise CannotJudgeError("no profile of pairwise different reports")
    x, p = expected(t.mechanism, profiles, t.scene)
    for i, j in same_role(t):
        change = np.arange(len(t.agents))
        change[[i, j]] = j, i
        y, s = expected(t.mechanism, profiles[:, change], t.scene)
        y = y[:, change] if t.setting.personal else y
        gap = np.abs(np.concatenate([(y - x).reshape(len(x), -1), s[:, change] - p], axis=1))
        yield Finding(gap.max(axis=1), np.arange(len(x)), note={"swapped": (i, j)}, base=profiles)


def non_bossy(t: Frame) -> Findings:
    if len(t.agents) < 2:
        raise CannotJudgeError("needs at least two agents")
    whole = np.concatenate([t.x.reshape(t.rows, -1), t.p], axis=1)
    for i in t.agents:
        mine = t.x[:, i] if t.setting.personal else t.x
        part = keys(np.concatenate([mine.reshape(t.rows, -1), t.p[:, i : i + 1]], axis=1))
        rows, all_of = t.moves(i), keys(whole)
        same = part[rows][:, None] == part[rows][None, :]
        moved = all_of[rows][:, None] != all_of[rows][None, :]
        excess = np.where(same, moved * 1.0, -np.inf)
        yield Finding(excess, rows[:, None], rows[None, :], note={"agents": (i,)})


def enlarged(t: Frame, role: str) -> tuple[Mechanism, Scene, list[int], int]:
    """The mechanism with one more agent of this role: where the old ones are, and the new one."""
    try:
        bigger = t.mechanism.resized({role: t.setting.roles.count(role) + 1})
    except InputError as error:
        raise CannotJudgeError(str(error)) from error
    roles = bigger.setting.roles
    new = max(k for k, other in enumerate(roles) if other == role)
    free = {r: [k for k, other in enumerate(roles) if other == r and k != new] for r in roles}
    old = [free[r].pop(0) for r in t.setting.roles]
    here, there = (scenes(s, np.empty(0)) for s in (t.setting, bigger.setting))
    if len(here) != len(there) or not all(map(_alike, here, there)):
        raise CannotJudgeError("what is public changes with the number of agents")
    return bigger, there[t.number], old, new


def _alike(a: Scene, b: Scene) -> bool:
    """Whether what does not vary within a scene is the same in both."""
    (_, public), *_ = a.draws
    fixed = [k for k, v in public.items() if all(np.array_equal(d[k], v) for _, d in a.draws)]
    return all(k in d and np.array_equal(public[k], d[k]) for k in fixed for _, d in b.draws)


@lru_cache(maxsize=1)
def joined(t: Frame, i: int) -> tuple[np.ndarray, list[tuple], list[int], int]:
    """The enlarged mechanism on (row of the table, report of a newcomer like i), flattened; where
    in it the old agents are, and the newcomer."""
    bigger, scene, old, new = enlarged(t, t.setting.roles[i])
    profiles = np.empty((t.rows * t.sizes[i], len(old) + 1, *t.profiles.shape[2:]))
    profiles[:, old] = np.repeat(t.profiles, t.sizes[i], axis=0)
    profiles[:, new] = np.tile(t.reports[i], (t.rows, *[1] * (t.profiles.ndim - 2)))
    try:
        outs = [(w, *run(bigger, profiles, public)) for w, public in scene.draws]
    except (ArithmeticError, IndexError, ValueError) as error:
        raise CannotJudgeError(f"the rules do not serve one more agent: {error}") from error
    return profiles, outs, old, new


def false_name_proof(t: Frame) -> Findings:
    assert t.setting.joint_value is not None
    for i in (i for i in t.agents if not t.setting.sellers[i]):
        alike = (j for j in t.agents if t.setting.roles[j] == t.setting.roles[i])
        like = next(j for j in alike if np.array_equal(t.reports[j], t.reports[i]))
        profiles, outs, old, new = joined(t, like)
        pair = [old[i], new]
        split = np.zeros((len(t.types[i]), len(profiles)))
        for w, x, p in outs:
            parts = x[:, pair]
            _, first, back = np.unique(keys(parts), return_index=True, return_inverse=True)
            for k, kind in enumerate(t.types[i]):
                same = np.broadcast_to(kind, (len(first), *kind.shape))
                value = np.asarray(t.setting.joint_value(same, parts[first]), dtype=float)
                split[k] += w * (value[back.reshape(-1)] - p[:, pair].sum(axis=1))
        rows = t.moves(i)
        both = rows[:, None] * t.sizes[i] + np.arange(t.sizes[i])[:, None]
        for k in t.worlds((i,)):
            kind, truth = t.theta[k, i], rows[t.said[k, i]]
            alone = t.v[i][kind, truth] - t.p[truth, i]
            gain = split[kind][both] - alone
            yield Finding(gain, truth, both, profiles, k, note={"agents": (i,)})


def revenue_monotone(t: Frame) -> Findings:
    revenue = t.p.sum(axis=1)
    bidders = [i for i in t.agents if not t.setting.sellers[i]]
    for i in bidders:
        rows, flat = t.moves(i), t.reports[i].reshape(t.sizes[i], -1)
        above = np.all(flat[:, None] <= flat[None, :], axis=-1)
        drop = revenue[rows][:, None] - revenue[rows][None, :]
        excess = np.where(above[..., None], drop, -np.inf)
        yield Finding(excess, rows[:, None], rows[None, :], note={"agents": (i,)})
    if t.setting.resize is None or revealing(t.setting):
        return
    for i in {t.setting.roles[i]: i for i in bidders}.values():
        profiles, outs, *_ = joined(t, i)
        more = sum(w * p.sum(axis=1) for w, _, p in outs)
        rows = np.repeat(np.arange(t.rows), t.sizes[i])
        yield Finding(revenue[rows] - more, rows, np.arange(len(rows)), profiles)


def adverse_selection_free(t: Frame) -> Findings:
    roles = np.array(t.setting.roles)
    scaled = roles == "performance" if "performance" in roles else np.ones(len(roles), dtype=bool)
    high = t.setting.report_space.high.astype(float)
    level = (t.setting.report_space.levels or [None])[0]
    for factor in (0.25, 0.5, 0.75, 1.25, 1.5, 2.0, 3.0, 4.0):
        later = np.where(scaled, t.profiles * factor, t.profiles)
        keep = (later <= high).all(axis=1)
        if level is not None:
            keep &= np.isin(later, np.array(level, dtype=float)).all(axis=1)
        rows = np.flatnonzero(keep)
        if len(rows):
            x, _ = expected(t.mechanism, later[rows], t.scene)
            gap = np.abs((x - t.x[rows]).reshape(len(rows), -1)).max(axis=1)
            yield Finding(gap, rows, np.arange(len(rows)), later[rows], note={"factor": factor})


# Judging ------------------------------------------------------------------------------------------

CHECKS: dict[str, Callable[[Frame], Findings]] = {
    "feasible": feasible,
    "ir": ir,
    "ic": partial(deviations, 1, lambda gains: gains[0]),
    "ex_post_nash": ex_post_nash,
    "bic": bic,
    "interim_ir": interim_ir,
    "weak_budget_balance": weak_budget_balance,
    "strong_budget_balance": strong_budget_balance,
    "no_positive_transfers": no_positive_transfers,
    "monotone": monotone,
    "critical_payment": critical_payment,
    "cyclic_monotone": cyclic_monotone,
    "anonymous": anonymous,
    "envy_free": envy_free,
    "non_bossy": non_bossy,
    "group_ic": partial(deviations, 2, lambda gains: gains.min(axis=0)),
    "strong_group_ic": partial(deviations, 2, strongly),
    "collusion_proof": partial(deviations, 2, lambda gains: gains.sum(axis=0)),
    "false_name_proof": false_name_proof,
    "revenue_monotone": revenue_monotone,
    "adverse_selection_free": adverse_selection_free,
}


def inapplicable(mechanism: Mechanism, name: str) -> str:
    """Why the property does not apply; empty if it does."""
    s = mechanism.setting
    elsewhere = s.reports is not None or s.truthful is not None
    scalar, single = not s.types.coordinates, s.quantity is not None
    finite = s.types.levels is not None and all(v is not None for v in s.types.levels)
    joint, only_sellers = interdependent(mechanism), bool(s.sellers.all())
    averaged = not joint and set(s.public) == set(s.lotteries) and s.reports is None
    few = not (scalar and finite and averaged), "no exact expectation over finitely many numbers"
    reasons = {
        "bic": few,
        "interim_ir": few,
        "no_positive_transfers": (only_sellers, "everybody sells"),
        "revenue_monotone": (only_sellers, "everybody sells"),
        "monotone": (not single or bool(s.report_space.coordinates), "not single-parameter"),
        "critical_payment": (not (single and s.binary and not elsewhere), "not a 0/1 quantity"),
        "cyclic_monotone": (scalar or joint, "types are numbers, or values interdependent"),
        "envy_free": (not s.personal, "one outcome for all"),
        "anonymous": (
            any(isinstance(v, Space) and v.agents == s.agents for v in s.public.values())
            or bool(revealing(s)),
            "what is public tells the agents apart",
        ),
        "false_name_proof": (
            s.joint_value is None or s.resize is None or joint or s.reports is not None,
            "identities are fixed",
        ),
        "adverse_selection_free": (
            not single or elsewhere or bool(s.sellers.any()) or bool((s.types.low != 0).any()),
            "not a single-parameter setting of bids from 0",
        ),
    }
    applies_not, reason = reasons.get(name, (False, ""))
    return reason if applies_not else ""


def cost(t: Frame, name: str) -> float:
    """About how many numbers a check runs through, per agent or coalition."""
    rows, most = float(np.prod(t.sizes, dtype=float)), max(t.sizes)
    kinds = max(len(k) for k in t.types)
    each = len(t.theta) if t.joint else kinds
    if name in ("group_ic", "strong_group_ic", "collusion_proof"):
        return rows * (len(t.theta) if t.joint else kinds**2)
    if name == "false_name_proof":
        return rows * kinds * most
    if name in ("ex_post_nash", "bic", "interim_ir"):
        return max(rows * each, len(t.theta) * most)
    if name in ("ic", "ir", "cyclic_monotone"):
        return rows * each
    if name in ("monotone", "critical_payment", "non_bossy"):
        return rows * most
    if name == "revenue_monotone":
        return rows * most * 8  # the rules run again on all of these, with a newcomer
    return rows


def grids(
    mechanism: Mechanism, name: str, points: int, limit: int, axis: tuple[Fraction, ...]
) -> list[tuple[Frame, ...]]:
    """The finest grid on which the check stays within the limit; several where it is thinned."""
    keeps = [0] if name in ("bic", "interim_ir") else [0, *range(len(axis) or points, 1, -1)]
    spaces = (mechanism.setting.types, mechanism.setting.report_space)
    for keep in keeps:
        mesh = Mesh(points, axis, keep)
        counts = [np.prod([mesh.count(s, i) for i in range(s.agents)]) for s in spaces]
        if max(counts) <= limit:
            found = frames(mechanism, mesh)
            largest = max(cost(t, name) for t in found)
            if largest <= limit and largest * len(found) <= 20 * limit:
                more = range(1, VARIANTS) if keep else ()
                return [found, *(frames(mechanism, replace(mesh, variant=v)) for v in more)]
    raise CannotJudgeError(f"even the coarsest grid needs more than {limit} numbers")


def judge(
    mechanism: Mechanism,
    name: str,
    *,
    points: int = 5,
    limit: int = 3_000_000,
    axis: Sequence[Fraction | int] = (),
) -> Judgement:
    """Judge one property on a grid of `points` values per continuous coordinate, and all levels.

    Where a check would run through more than `limit` numbers per agent or coalition, some of the
    values are kept only (never for bic and interim_ir), in VARIANTS different ways. axis: values to
    take instead of equally spaced ones, those that lie in the box. A rule that raises is not
    caught.
    """
    tolerance = TOLERANCE * max(1.0, mechanism.setting.types.scale)
    worst, witness, cases, trades = tolerance, None, 0, False
    try:
        if reason := inapplicable(mechanism, name):
            raise CannotJudgeError(reason)
        for grid in grids(mechanism, name, points, limit, tuple(Fraction(v) for v in axis)):
            for t, finding in ((frame, f) for frame in grid for f in CHECKS[name](frame)):
                cases += int(np.count_nonzero(finding.excess > -np.inf))
                if finding.excess.size and finding.excess.max() > worst:
                    at = np.unravel_index(np.argmax(finding.excess), finding.excess.shape)
                    worst = float(finding.excess[at])
                    witness = finding.tell(t, tuple(int(k) for k in at))
            trades = trades or any(t.trades for t in grid)
            if witness is not None:
                break
    except CannotJudgeError as error:
        if witness is None:
            return Judgement("cannot", reason=str(error))
    if witness is not None:
        return Judgement("violated", witness, cases)
    return Judgement("no violation on the grid" if trades and cases else "vacuous", None, cases)


def table(mechanism: Mechanism, points: int = 5) -> dict[str, Judgement]:
    """Every property judged, by name."""
    return {name: judge(mechanism, name, points=points) for name in CHECKS}
