"""Welfare of XOR bids: winner determination.

Bids k, each of a bidder i(k) for a bundle S_k at value w_k, of which a bidder wins one at most
(XOR), with free disposal:

    maximise Σ_k w_k x_k   subject to   Σ_{k: j ∈ S_k} x_k ≤ 1 for each item j,
                                        Σ_{k: i(k) = i} x_k ≤ 1 for each bidder i,   x_k ∈ {0, 1}.

`winners` gives it to HiGHS, and certifies the answer: by the multipliers of the relaxation where
that is whole, else by a tree of branches (`tree`) while one of moderate size does it; where not,
the notes say that the bound is HiGHS's word.

Sources: Rothkopf, Pekeč & Harstad, "Computationally manageable combinational auctions" (1998);
Sandholm, "Algorithm for optimal winner determination in combinatorial auctions" (2002).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers.arrays import numbers, whole
from solvers.certificate import Linear, certified
from solvers.optimum import Optimum, Status
from solvers.program import Program
from solvers.tree import grow

__all__ = ["Bids", "bids_of", "model", "program_of", "solve_bids", "winners"]

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


def model(
    bids: Sequence[tuple[int, Any, Any]], *, bidders: int | None = None, items: int | None = None
) -> Any:
    """The program above in Pyomo."""
    from solvers.modelling import at_most, pyomo

    pyo = pyomo()
    checked = bids_of(bids, bidders=bidders, items=items)
    inside = checked.bundles.toarray()
    m = pyo.ConcreteModel()
    m.bids = pyo.RangeSet(0, len(bids) - 1)
    m.x = pyo.Var(m.bids, domain=pyo.Binary)
    m.welfare = pyo.Objective(
        expr=pyo.quicksum(float(checked.values[k]) * m.x[k] for k in m.bids), sense=pyo.maximize
    )
    m.goods, m.bidders = pyo.RangeSet(0, inside.shape[1] - 1), pyo.RangeSet(0, checked.bidders - 1)
    m.once = pyo.Constraint(
        m.goods, rule=lambda m, j: at_most(m.x[k] for k in m.bids if inside[k, j])
    )
    m.one_bid = pyo.Constraint(
        m.bidders, rule=lambda m, i: at_most(m.x[k] for k in m.bids if checked.bidder[k] == i)
    )
    return m
