"""Welfare of bundles: winner determination.

Bids k, each of a bidder i(k) for a bundle S_k at value w_k, of which a bidder wins one at most
(XOR), with free disposal:

    maximise Σ_k w_k x_k   subject to   Σ_{k: j ∈ S_k} x_k ≤ 1 for each item j,
                                        Σ_{k: i(k) = i} x_k ≤ 1 for each bidder i,   x_k ∈ {0, 1}.

`winners` gives it to HiGHS, and certifies the answer: by the multipliers of the relaxation where
that is whole, else by a tree of branches (`tree`) while one of moderate size does it; where not,
the notes say that the bound is HiGHS's word. `packages` reads dense tables, a value for every
bundle, by dynamic programming over the sets S of items and the agents in turn,

    f_i(S) = max_{T ⊆ S} f_{i−1}(S∖T) + v_i(T),      3^items steps for each agent,

for any batch of instances at once and in rationals too; f is its own certificate (`prices.Stages`).

Sources: Rothkopf, Pekeč & Harstad, "Computationally manageable combinational auctions" (1998);
Sandholm, "Algorithm for optimal winner determination in combinatorial auctions" (2002).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers import prices
from solvers.arrays import numbers, whole
from solvers.certificate import Linear, certified
from solvers.optimum import Optimum, Status
from solvers.program import Program
from solvers.tree import grow

__all__ = ["Bids", "bids_of", "model", "packages", "program_of", "single_minded", "winners"]

# 3^12 subsets of subsets are half a million; beyond, bids are fewer than bundles.
MOST_ITEMS = 12
WHOLE = 1e-6


@dataclass(frozen=True, eq=False)
class Bids:
    """bidder (k,), values (k,), bundles 0/1 (k, items) sparse, how many bidders."""

    bidder: np.ndarray
    values: np.ndarray
    bundles: Any
    bidders: int


def bids_of(
    bids: Sequence[tuple[int, Any, Any]], *, bidders: int | None = None, items: int | None = None
) -> Bids:
    """XOR bids (bidder, bundle, value), checked. A bundle is a collection of items from 0, or an
    int whose bits are the items. bidders, items: how many, by default as many as the bids name."""
    from scipy import sparse

    sets: list[list[int]] = []
    for k, (_, bundle, _) in enumerate(bids):
        if isinstance(bundle, int | np.integer) and not isinstance(bundle, bool):
            if bundle < 0:
                raise ValueError(f"bid {k}: bundle {bundle}: expected a bitmask of at least 0")
            found = [j for j in range(int(bundle).bit_length()) if int(bundle) >> j & 1]
        elif isinstance(bundle, Iterable):
            found = sorted({whole(j, 0, f"bid {k}: item") for j in bundle})
        else:
            raise ValueError(f"bid {k}: bundle {bundle!r}: expected items or a bitmask")
        if not found:
            raise ValueError(f"bid {k}: the bundle is empty; leave the bid out")
        sets.append(found)
    who = np.array([whole(b, 0, f"bid {k}: bidder") for k, (b, _, _) in enumerate(bids)], dtype=int)
    counts = []
    for count, most, what in (
        (bidders, int(who.max(initial=-1)) + 1, "bidders"),
        (items, max((s[-1] + 1 for s in sets), default=0), "items"),
    ):
        counts.append(most if count is None else whole(count, 0, what))
        if counts[-1] < most:
            raise ValueError(f"{what} = {count}: the bids name {most}; give at least as many")
    rows = np.repeat(np.arange(len(sets)), [len(s) for s in sets])
    columns = np.array([j for s in sets for j in s], dtype=int)
    shape = (len(sets), counts[1])
    bundles = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    values = numbers([float(value) for _, _, value in bids], 1, "values")
    return Bids(who, values, bundles, counts[0])


def program_of(bids: Bids) -> Program:
    """The program above: rows for items, then for bidders. Bids of 0 or less are held at 0."""
    from scipy import sparse

    k = len(bids.values)
    own = sparse.csr_array((np.ones(k), (bids.bidder, np.arange(k))), shape=(bids.bidders, k))
    return Program(
        objective=bids.values,
        matrix=sparse.vstack([bids.bundles.T.tocsr(), own]).tocsr(),
        row_low=-np.inf,  # type: ignore[arg-type]
        row_high=1.0,  # type: ignore[arg-type]
        low=0.0,  # type: ignore[arg-type]
        high=np.where(bids.values > 0, 1.0, 0.0),
        whole=True,
    )


def winners(
    bids: Sequence[tuple[int, Any, Any]],
    *,
    bidders: int | None = None,
    items: int | None = None,
    seconds: float | None = None,
    nodes: int = 2_000,
) -> Optimum:
    """The best set of XOR bids to accept. bids: (bidder, bundle, value), see `bids_of`.

    allocation (bids,) 0/1. seconds: a limit for each of HiGHS and the proof. nodes: the largest
    tree that is tried as a proof; 0 tries none. Certificate: `Linear`, `tree.Tree` or None.
    """
    return solve_bids(bids_of(bids, bidders=bidders, items=items), seconds=seconds, nodes=nodes)


def solve_bids(
    bids: Bids, *, seconds: float | None = None, nodes: int = 2_000, without: int | None = None,
    start: np.ndarray | None = None,
) -> Optimum:  # fmt: skip
    """`winners` for checked bids. without: a bidder who is left out. start: bids to begin with."""
    from dataclasses import replace

    from solvers.highs import solve

    started = time.perf_counter()
    program = program_of(bids)
    if without is not None:
        program = replace(program, high=np.where(bids.bidder == without, 0.0, program.high))
    relaxed = solve(replace(program, whole=False), seconds=seconds)
    if relaxed.x is not None and relaxed.y is not None:
        x = np.round(relaxed.x)
        if np.abs(relaxed.x - x).max(initial=0) <= WHOLE:
            proved = certified(
                Linear(program=program, x=x, y=relaxed.y),
                allocation=x.astype(np.int64),
                method="HiGHS, whole relaxation",
                seconds=time.perf_counter() - started,
            )
            if proved.status is Status.OPTIMAL:
                return proved
    found = solve(program, seconds=seconds, start=start)
    # A limit may come before any point; nobody wins, or what was begun with, is one.
    nobody = np.zeros(len(bids.values)) if start is None else np.round(start)
    won = nobody if found.x is None else np.round(found.x)
    optimal = found.status is Status.OPTIMAL
    notes: tuple[str, ...] = (found.note,) if found.note else ()
    if optimal and nodes:
        tree, why = grow(program, won, nodes=nodes, seconds=seconds)
        if tree is not None:
            proved = certified(
                tree,
                allocation=np.round(tree.x).astype(np.int64),
                method="HiGHS, branch and bound",
            )
            return replace(
                proved,
                value=float(proved.value),
                bound=float(proved.bound),
                seconds=time.perf_counter() - started,
            )
        notes = (f"no certificate: {why}; the bound is HiGHS's word",)
    elif optimal:
        notes = ("no certificate was asked for; the bound is HiGHS's word",)
    return Optimum(
        value=float(program.objective @ won),
        bound=min(found.bound, relaxed.bound, _ceiling(bids, program.high)),
        status=Status.OPTIMAL if optimal else Status.FEASIBLE,
        allocation=won.astype(np.int64),
        method="HiGHS, branch and cut",
        seconds=time.perf_counter() - started,
        notes=notes,
    )


def _ceiling(bids: Bids, high: np.ndarray) -> float:
    """What the bidders could win if there were enough of every item."""
    best = np.zeros(bids.bidders)
    np.maximum.at(best, bids.bidder, bids.values * high)
    return float(best.sum())


def packages(values: Any) -> Optimum:
    """The best bundles for agents who value every bundle.

    values (..., agents, 2^items − 1): row b − 1 is the bundle whose item j is bit j of b; a set of
    items is worth the best bundle inside it, and at least 0. Up to 12 items. allocation (...,
    agents, items) 0/1: of equally good allocations one without items that add nothing.
    """
    started = time.perf_counter()
    v, items = tables_of(values)
    f, chosen = stages(v, items)
    agents = v.shape[-2]
    left = np.full(v.shape[:-2], 2**items - 1)
    held = np.zeros(v.shape[:-1], dtype=np.int64)
    for i in range(agents - 1, -1, -1):
        held[..., i] = np.take_along_axis(chosen[i], left[..., None], axis=-1)[..., 0]
        left = left ^ held[..., i]
    allocation = held[..., None] >> np.arange(items) & 1
    return certified(
        prices.Stages(values=v, allocation=allocation, tables=f),
        allocation=allocation,
        method="dynamic programming over sets of items",
        seconds=time.perf_counter() - started,
    )


def tables_of(values: Any) -> tuple[np.ndarray, int]:
    """Dense values, checked, and how many items they are about."""
    v = numbers(values, 2, "values")
    items = (v.shape[-1] + 1).bit_length() - 1
    if v.shape[-1] != 2**items - 1:
        raise ValueError(
            f"values of shape {v.shape}: expected 2^items − 1 bundles on the last axis, "
            "such as 1, 3, 7, 15"
        )
    if items > MOST_ITEMS:
        raise ValueError(
            f"{items} items: tables go up to {MOST_ITEMS}; give bids to solvers.winners"
        )
    return v, items


def stages(v: np.ndarray, items: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """(f (..., agents + 1, 2^items), for each agent the bundle that it has of every set of items).

    The bundle is one that the agent named, not one around it: what it would not use stays free.
    """
    *batch, agents, _ = v.shape
    f = np.zeros((*batch, agents + 1, 2**items), dtype=v.dtype)
    chosen = [np.zeros((*batch, 2**items), dtype=np.int64) for _ in range(agents)]
    for whole_set in range(1, 2**items):
        inside = subsets(whole_set)
        for i in range(agents):
            worth = f[..., i, whole_set ^ inside]
            worth[..., 1:] = worth[..., 1:] + v[..., i, inside[1:] - 1]
            best = np.argmax(worth, axis=-1)[..., None]
            f[..., i + 1, whole_set] = np.take_along_axis(worth, best, axis=-1)[..., 0]
            chosen[i][..., whole_set] = inside[best[..., 0]]
    return f, chosen


def subsets(of: int) -> np.ndarray:
    """All subsets of a bit set, the empty one first."""
    found = np.zeros(1, dtype=np.int64)
    for j in range(of.bit_length()):
        if of >> j & 1:
            found = np.concatenate([found, found | 1 << j])
    return found


def single_minded(values: Any, bundles: Any, *, nodes: int = 2_000) -> Optimum:
    """Agents who want one bundle each. values (..., agents); bundles 0/1 (..., agents, items), or
    (agents, items) for all instances.

    allocation (..., agents, items) 0/1: what winners want. Up to 8 items in batches, more for one
    instance at a time. Raises ValueError for an empty bundle.
    """
    v, wanted = wants_of(values, bundles)
    items = wanted.shape[-1]
    if items <= 8:
        return packages(wanted_table(v, wanted))
    if v.ndim > 1:
        raise ValueError(f"{items} items: batches go up to 8 items; give one instance at a time")
    found = winners(
        [(i, np.flatnonzero(w).tolist(), value) for i, (w, value) in enumerate(zip(wanted, v))],  # noqa: B905
        bidders=len(v), items=items, nodes=nodes,
    )  # fmt: skip
    from dataclasses import replace

    won = found.allocation
    return replace(found, allocation=None if won is None else wanted * won[:, None])


def wants_of(values: Any, bundles: Any) -> tuple[np.ndarray, np.ndarray]:
    v = numbers(values, 1, "values")
    wanted = np.asarray(bundles)
    fits = wanted.ndim >= 2 and wanted.shape[-2] == v.shape[-1]
    if not fits or wanted.shape[:-2] not in ((), v.shape[:-1]):
        raise ValueError(
            f"bundles of shape {wanted.shape} for values of shape {v.shape}: expected one 0/1 row "
            "of items for each agent"
        )
    wanted = np.broadcast_to(wanted, (*v.shape, wanted.shape[-1]))
    if not ((wanted == 0) | (wanted == 1)).all() or not (wanted == 1).any(axis=-1).all():
        raise ValueError("bundles: expected 0/1 with at least one item for each agent")
    return v, (wanted == 1).astype(np.int64)


def wanted_table(v: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Dense values in which each agent names one bundle."""
    items = wanted.shape[-1]
    mask = (wanted * (1 << np.arange(items))).sum(axis=-1)
    named = mask[..., None] == np.arange(1, 2**items)
    return np.where(named, v[..., None], 0 * v[..., None])


def model(
    bids: Sequence[tuple[int, Any, Any]], *, bidders: int | None = None, items: int | None = None
) -> Any:
    """The program above in Pyomo."""
    from solvers.modelling import pyomo

    pyo = pyomo()
    checked = bids_of(bids, bidders=bidders, items=items)
    inside = checked.bundles.toarray()
    m = pyo.ConcreteModel()
    m.bids = pyo.RangeSet(0, len(bids) - 1)
    m.x = pyo.Var(m.bids, domain=pyo.Binary)
    m.welfare = pyo.Objective(
        expr=pyo.quicksum(float(checked.values[k]) * m.x[k] for k in m.bids), sense=pyo.maximize
    )
    m.once = pyo.ConstraintList()
    holders = [np.flatnonzero(inside[:, j]) for j in range(inside.shape[1])]
    holders += [np.flatnonzero(checked.bidder == i) for i in range(checked.bidders)]
    for held in holders:
        if len(held):
            m.once.add(pyo.quicksum(m.x[int(k)] for k in held) <= 1)
    return m
