"""The properties of a mechanism on a frame, as excesses that are positive where they fail.

Each is written from its definition: a deviation is another row of the table, a coalition's are the
rows that differ in what its members say, and a newcomer asks for the table of a larger mechanism.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from mechkit.errors import InputError
from mechkit.mechanism import Mechanism
from mechkit.settings import Setting
from tests.oracle_frames import (
    TOLERANCE,
    CannotJudgeError,
    Frame,
    Scene,
    expected,
    keys,
    product,
    revealing,
    run,
    scenes,
    within,
    worth,
)


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


@lru_cache(maxsize=64)
def possible(setting: Setting) -> np.ndarray:
    """Every feasible allocation whose entries are on a small grid, halves among them where there
    are few entries, found by trying all."""
    cells = int(np.prod(setting.allocation_shape, dtype=int))
    if cells > 12:
        raise CannotJudgeError("too many allocations to try")
    entries = (0, 0.5, 1, 1.5, 2) if cells <= 4 else (0, 0.5, 1) if cells <= 6 else (0, 1)
    tried = np.array(list(itertools.product(entries, repeat=cells)), dtype=float)
    tried = tried.reshape(-1, *setting.allocation_shape)
    slack = np.asarray(setting.slack(tried), dtype=float).reshape(len(tried), -1)
    found = tried[(slack >= -TOLERANCE).all(axis=1)]
    assert len(found) > 0
    return found


def efficient(t: Frame) -> Findings:
    types, lost = t.profiles_of_types, np.zeros(len(t.theta))
    for w, public, x, _ in t.outcomes:
        best = np.full(len(types), -np.inf)
        for y in possible(t.setting):
            every = np.broadcast_to(y, (len(types), *y.shape))
            best = np.maximum(best, worth(t.setting, types, every, public).sum(axis=1))
        lost += w * (best - worth(t.setting, types, x[t.truth], public).sum(axis=1))
    yield Finding(lost, t.truth, types=np.arange(len(types)))


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
    keep = within(space, drawn).all(axis=1)
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
