"""A linear optimum of the quantised program in rationals: value and bound without rounding.

A basic solution is fixed by few equations. Prices: where a bidder's best is reached by two bundles
b and b', λ·(b − b') = v(b) − v(b'); prices of resources that are not scarce are 0. Weights: those
of one bidder add to one, and scarce resources are used up. Both are solved in Fractions from the
columns that the float solution holds tight, and then checked in Fractions against everything: the
weights for feasibility, the prices by Λ(λ). Whatever was guessed, value and bound are true, and
where the guess was right they are equal. Where it was not, since values of very different size
leave the float solution astray, the bundles that its prices leave open make a small program that is
refined to a rational vertex (`rational`).

Source: Applegate, Cook, Dash & Espinoza, "Exact solutions to linear programming problems" (2007).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np
from scipy import sparse

from solvers.arrays import integers
from solvers.bundles import Bundles
from solvers.certificate import Linear
from solvers.columns import Columns, Relaxation, in_time, near_best
from solvers.program import Program
from solvers.rational import exact

__all__ = ["Rational", "exact_lagrangian", "rational_relaxation"]

TIGHT = 1e-9  # relative to the largest value: reduced gains this close count as equal at first


REFINED = 20_000  # bundles in a program that is refined


@dataclass(frozen=True, eq=False, kw_only=True)
class Rational:
    """Fractions: value ≤ optimum ≤ bound, prices (3,), columns with their gains and weights."""

    value: Fraction
    bound: Fraction
    prices: np.ndarray
    agents: np.ndarray
    bundles: np.ndarray
    gains: np.ndarray
    weights: np.ndarray


def rational_relaxation(
    columns: Columns, relaxed: Relaxation, without: int | None = None, *, deadline: float = np.inf
) -> Rational:
    """The float solution in Fractions. Raises TimeoutError at the deadline."""
    values = columns.values
    k = len(relaxed.weights)
    agents, bundles = columns.agents[:k], columns.bundles[:k]
    nothing = values.exact_nothing()
    gains = [
        values.exact(i, tuple(b)) - nothing[i]
        for i, b in zip(agents.tolist(), bundles.tolist(), strict=True)
    ]
    prices, bound = min(
        (
            (found, exact_lagrangian(values, found, without, deadline=deadline))
            for found in _prices(columns, relaxed, agents, bundles, gains, without)
        ),
        key=lambda pair: pair[1],
    )
    some, weights = _weights(columns, relaxed, agents, bundles)
    base = sum((v for i, v in enumerate(nothing) if i != without), Fraction(0))
    value = base + sum((gains[j] * w for j, w in zip(some, weights, strict=True)), Fraction(0))
    if value < bound:
        refined = _refined(columns, relaxed, without, float(bound - value), base, deadline)
        if refined is not None and refined.bound - refined.value < bound - value:
            return refined
    return Rational(
        value=value,
        bound=bound,
        prices=_objects(prices),
        agents=agents[some],
        bundles=bundles[some],
        gains=_objects([gains[j] for j in some]),
        weights=_objects(weights),
    )


def _refined(
    columns: Columns, relaxed: Relaxation, without: int | None, apart: float, base: Fraction,
    deadline: float,
) -> Rational | None:  # fmt: skip
    """The program over the bundles that the float prices leave open, by refinement of its basis
    (`rational`); None where these are too many or it finds no vertex."""
    values = columns.values
    best = columns.known(relaxed.prices, without)
    within = 2 * apart + TIGHT * columns.scale
    agents, bundles, floats = near_best(values, relaxed.prices, best, within, deadline=deadline)
    k = len(agents)
    if not 0 < k <= REFINED:
        return None
    nothing = values.exact_nothing()
    gains = [
        values.exact(i, tuple(b)) - nothing[i]
        for i, b in zip(agents.tolist(), bundles.tolist(), strict=True)
    ]
    one = sparse.csr_array((np.ones(k), (agents, np.arange(k))), shape=(values.agents, k))
    program = Program(
        objective=floats,
        matrix=sparse.vstack([one, sparse.csr_array(bundles.T.astype(float))]),
        row_low=np.full(values.agents + 3, -np.inf),
        row_high=np.r_[np.ones(values.agents), np.full(3, float(values.quanta))],
        low=np.zeros(k),
        high=np.ones(k),
        exact={"objective": gains},
    )
    seconds = min(60.0, deadline - time.monotonic())
    found = exact(program, seconds=max(seconds, 0.0)).certificate if seconds > 0 else None
    if not isinstance(found, Linear) or not isinstance(found.x[0], Fraction):
        return None
    prices = [max(Fraction(0), p) for p in found.y[-3:]]
    weights = _objects(list(found.x))
    used = np.flatnonzero(weights > 0)
    return Rational(
        value=base + sum((gains[j] * weights[j] for j in used.tolist()), Fraction(0)),
        bound=exact_lagrangian(values, prices, without, deadline=deadline),
        prices=_objects(prices),
        agents=agents[used],
        bundles=bundles[used],
        gains=_objects([gains[j] for j in used.tolist()]),
        weights=weights[used],
    )


def _objects(numbers: list[Fraction]) -> np.ndarray:
    array = np.empty(len(numbers), dtype=object)
    array[:] = numbers
    return array


def _prices(
    columns: Columns,
    relaxed: Relaxation,
    agents: np.ndarray,
    bundles: np.ndarray,
    gains: list[Fraction],
    without: int | None,
) -> list[list[Fraction]]:
    """Prices that make the tight columns tight. Where these leave a price open, it is the float's
    rational, or the simplest number beside it."""
    prices = relaxed.prices
    scale = columns.scale
    net = np.array([float(g) for g in gains]) - bundles @ prices
    best = columns.known(prices, without)
    near = (net >= best[agents] - TIGHT * scale) & np.isfinite(best[agents])
    order = np.lexsort((-relaxed.weights, agents))  # the support first
    rows: list[list[Fraction]] = [
        [Fraction(int(r == s)) for s in range(3)] + [Fraction(0)]
        for r in range(3)
        if prices[r] <= TIGHT * scale
    ]
    later: list[list[Fraction]] = []
    reference: dict[int, int] = {}
    for j in order[near[order]].tolist():
        i = int(agents[j])
        if i not in reference:
            reference[i] = j
            if best[i] <= TIGHT * scale:  # nothing is as good
                later.append([Fraction(int(b)) for b in bundles[j]] + [gains[j]])
            continue
        h = reference[i]
        row = [Fraction(int(b)) for b in bundles[j] - bundles[h]] + [gains[j] - gains[h]]
        (rows if relaxed.weights[j] > 0 and relaxed.weights[h] > 0 else later).append(row)
    plain = [Fraction(float(p)) for p in prices]
    simple = [p.limit_denominator(10**6) for p in plain]
    found = [_solve(rows + later, 3, otherwise) for otherwise in (simple, plain)]
    return [[max(Fraction(0), p) for p in some] for some in found]


def _solve(rows: list[list[Fraction]], unknowns: int, otherwise: list[Fraction]) -> list[Fraction]:
    """Solve the first independent of these equations; what they leave open is as in `otherwise`."""
    kept: list[tuple[int, list[Fraction]]] = []
    for row in rows:
        row = list(row)
        for pivot, done in kept:
            if row[pivot]:
                factor = row[pivot]
                row = [a - factor * b for a, b in zip(row, done, strict=True)]
        pivot = next((c for c in range(unknowns) if row[c]), -1)
        if pivot < 0:
            continue
        row = [a / row[pivot] for a in row]
        kept = [
            (p, [a - done[pivot] * b for a, b in zip(done, row, strict=True)]) for p, done in kept
        ]
        kept.append((pivot, row))
        if len(kept) == unknowns:
            break
    solution = list(otherwise)
    free = [c for c in range(unknowns) if c not in {p for p, _ in kept}]
    for pivot, row in kept:
        solution[pivot] = row[-1] - sum((row[c] * solution[c] for c in free), Fraction(0))
    return solution


def _weights(
    columns: Columns, relaxed: Relaxation, agents: np.ndarray, bundles: np.ndarray
) -> tuple[list[int], list[Fraction]]:
    """Feasible weights in Fractions, near the float ones: which columns, and how much of each."""
    quanta = columns.values.quanta
    some = np.flatnonzero(relaxed.weights > 1e-9).tolist()
    rough = relaxed.weights[some]
    rows = []
    filled = np.bincount(agents[some], weights=rough, minlength=columns.values.agents)
    for i in sorted(set(agents[some].tolist())):
        if filled[i] > 1 - 1e-8:
            rows.append([Fraction(int(agents[j] == i)) for j in some] + [Fraction(1)])
    used = bundles[some].T @ rough
    for r in range(3):
        if used[r] > quanta * (1 - 1e-8):
            rows.append([Fraction(int(bundles[j][r])) for j in some] + [Fraction(quanta)])
    found = _solve(rows, len(some), [Fraction(float(w)) for w in rough])
    found = [max(Fraction(0), w) for w in found]
    totals: dict[object, Fraction] = {}
    for j, w in zip(some, found, strict=True):
        totals[int(agents[j])] = totals.get(int(agents[j]), Fraction(0)) + w
        for r in range(3):
            key = ("resource", r)
            share = w * Fraction(int(bundles[j][r]), quanta)
            totals[key] = totals.get(key, Fraction(0)) + share
    over = max([Fraction(1), *totals.values()])
    return some, [w / over for w in found]


def exact_lagrangian(
    values: Bundles, prices: list[Fraction], without: int | None = None,
    *, deadline: float = np.inf,
) -> Fraction:  # fmt: skip
    """Λ(λ) = M Σ_r λ_r + Σ_i max_b (v_i(b) − λ·b) in Fractions, over every bundle.

    Floats say which bundles can be largest, with room for all their rounding; Fractions decide.
    """
    total = values.quanta * sum(prices, Fraction(0))
    floats = [float(p) * np.arange(values.quanta + 1) for p in prices]
    costs = (floats[0][:, None] + floats[1])[:, :, None] + floats[2]
    first = 1 if values.levels == "printed" else 0
    for i in range(values.agents):
        if i == without:
            continue
        in_time(deadline)
        cube = values.cube(i)
        net = cube - costs
        # Each of the at most seven roundings is within 2⁻⁵³ of numbers no larger than these two.
        room = 16 * 2.0**-53 * (float(np.abs(cube).max()) + float(costs.max()))
        largest = max(float(net[0, 0, 0]), float(net[first:, first:, first:].max()))
        at = np.argwhere(net >= largest - 2 * room)
        at = at[(at.min(axis=1) >= first) | (at.max(axis=1) == 0)]
        total += _largest(values.given(i, at), at, prices)
    return total


def _largest(worth: np.ndarray, at: np.ndarray, prices: list[Fraction]) -> Fraction:
    """max_b v(b) − λ·b over bundles (k, 3) with values (k,), in whole numbers."""
    whole, d = integers(worth)
    over = lcm(*(p.denominator for p in prices))
    each = np.array([int(p * over) for p in prices], dtype=object)
    net = whole.astype(object) * over - (at.astype(object) * each).sum(axis=1) * d
    return Fraction(int(net.max()), d * over)
