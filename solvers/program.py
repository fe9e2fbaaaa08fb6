"""Linear and integer programs, and the bound that any row multipliers give.

    maximise c·x   subject to   a ≤ A x ≤ b,   l ≤ x ≤ u   (and x_j whole for some j)

Weak duality: for *every* vector y of row multipliers, with d = c − Aᵀy,

    c·x = y·(A x) + d·x ≤ Σ_i max(a_i y_i, b_i y_i) + Σ_j max(l_j d_j, u_j d_j)

at every feasible x. Nothing is assumed of y, so a solver's dual values certify a bound whatever the
solver did: computing the right-hand side is the check. In rationals it is exact. The bound is
infinite where a multiplier leans on a side that is not there.

Source: Dantzig, *Linear Programming and Extensions* (1963), chapter 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

__all__ = [
    "Program",
    "bound",
    "exact_bound",
    "exact_value",
    "leaning",
    "stray",
    "terms",
    "violation",
]

Infinite = float("inf")


@dataclass(frozen=True, eq=False, kw_only=True)
class Program:
    """max objective·x subject to row_low ≤ matrix x ≤ row_high, low ≤ x ≤ high, some x_j whole.

    objective (n,), matrix (m, n) sparse, row_low and row_high (m,), low and high (n,), whole: bool
    (n,). Infinite sides are ±inf. The data count as the rationals that the floats are; `exact`
    holds rationals that they stand for, where these differ: the objective, and the entries of the
    matrix in the order of its CSR data.

    Raises ValueError where shapes differ, a number is NaN, or a bound is crossed.
    """

    objective: np.ndarray
    matrix: Any
    row_low: np.ndarray
    row_high: np.ndarray
    low: np.ndarray
    high: np.ndarray
    whole: Any = False
    exact: dict[str, Sequence[Fraction]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from scipy import sparse

        matrix = sparse.csr_array(self.matrix, dtype=float)
        m, n = matrix.shape
        object.__setattr__(self, "matrix", matrix)
        for name, size in (
            ("objective", n), ("low", n), ("high", n), ("row_low", m), ("row_high", m)
        ):  # fmt: skip
            array = np.array(np.broadcast_to(getattr(self, name), (size,)), dtype=float)
            if np.isnan(array).any():
                raise ValueError(f"{name} holds NaN at {int(np.argmax(np.isnan(array)))}")
            object.__setattr__(self, name, array)
        if not (np.isfinite(self.objective).all() and np.isfinite(matrix.data).all()):
            raise ValueError("the objective or the matrix holds an infinity; give finite numbers")
        for low, high, what in ((self.low, self.high, "x"), (self.row_low, self.row_high, "row ")):
            if (low > high).any():
                k = int(np.argmax(low > high))
                raise ValueError(f"{what}{k} lies in [{low[k]}, {high[k]}]: low exceeds high")
        for name, size in (("objective", n), ("matrix", len(matrix.data))):
            given = self.exact.get(name)
            if given is not None and not (
                len(given) == size and all(isinstance(v, Fraction | int) for v in given)
            ):
                raise ValueError(f"exact[{name!r}]: expected {size} Fractions or ints")
        whole = np.array(np.broadcast_to(np.asarray(self.whole, dtype=bool), (n,)))
        object.__setattr__(self, "whole", whole)


def violation(program: Program, x: np.ndarray) -> float:
    """By how much x breaks a constraint at most, 0 if none: rows, bounds, whole numbers."""
    rows = program.matrix @ x
    gaps = [
        program.row_low - rows, rows - program.row_high, program.low - x, x - program.high,
        np.abs(x - np.round(x))[program.whole],
    ]  # fmt: skip
    return float(max(0.0, *(gap.max(initial=0.0) for gap in gaps)))


def bound(
    program: Program,
    y: np.ndarray,
    *,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
) -> float:
    """The value that row multipliers y (m,) show no feasible x to exceed, up to float rounding.
    low, high (n,): bounds on x other than the program's.

    Multipliers that lean on a missing side are first taken as 0, which is as good a choice as any.
    """
    y = leaning(program, np.array(y, dtype=float))
    d = program.objective - program.matrix.T @ y
    low, high = program.low if low is None else low, program.high if high is None else high
    return _support(y, program.row_low, program.row_high) + _support(d, low, high)


def leaning(program: Program, y: np.ndarray) -> np.ndarray:
    """Multipliers without those that lean on a missing side."""
    away = (y > 0) & np.isinf(program.row_high) | (y < 0) & np.isinf(program.row_low)
    return np.where(away, 0.0, y)


def terms(program: Program, y: np.ndarray) -> float:
    """Σ of the absolute values that `bound` adds up, before any of them cancel: its rounding is
    relative to this. Infinite where a column without an end has a reduced cost that only cancels.
    """
    y = leaning(program, y)
    pulled = np.abs(program.matrix).T @ np.abs(y) + np.abs(program.objective)
    d = program.objective - program.matrix.T @ y
    widest = np.maximum(np.abs(program.low), np.abs(program.high))
    ends = np.where(d > 0, np.abs(program.high), np.where(d < 0, np.abs(program.low), widest))
    sides = np.abs(np.where(y > 0, program.row_high, np.where(y < 0, program.row_low, 0.0)))
    columns = np.where(pulled > 0, pulled * np.where(pulled > 0, ends, 0.0), 0.0)
    return float(np.abs(y) @ sides + columns.sum())


# A side may be missed by this share of the largest number in x: what solvers leave instead of 0.
STRAY = 1e-4


def stray(program: Program, x: np.ndarray) -> float:
    """By how much x breaks a constraint at most, relative to the terms that meet there."""
    largest = STRAY * np.abs(x).max(initial=0.0)
    reach = np.abs(program.matrix) @ (np.abs(x) + largest)
    rows = program.matrix @ x
    worst = float(np.abs(x - np.round(x))[program.whole].max(initial=0.0))
    for at, scale, low, high in (
        (rows, reach, program.row_low, program.row_high),
        (x, largest, program.low, program.high),
    ):
        for gap, side in ((low - at, low), (at - high, high)):
            beyond = gap > 0
            sizes = np.broadcast_to(scale, gap.shape)[beyond] + np.abs(side[beyond])
            worst = max(worst, float((gap[beyond] / sizes).max(initial=0.0)))
    return worst


def _support(slopes: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    sides = np.where(slopes > 0, high, low)
    used = slopes != 0
    return float((slopes[used] * sides[used]).sum())


def exact_bound(program: Program, y: Sequence[Fraction]) -> Fraction | float:
    """`bound` in rationals, without rounding; inf where y leans on a missing side."""
    y = [Fraction(v) for v in y]
    d = list(_objective(program))
    for i, j, a in _entries(program):
        d[j] -= a * y[i]
    total: Fraction | float = Fraction(0)
    for slopes, low, high in (
        (y, program.row_low, program.row_high),
        (d, program.low, program.high),
    ):
        for slope, a, b in zip(slopes, low, high, strict=True):
            if slope:
                side = float(b if slope > 0 else a)
                if np.isinf(side):
                    return Infinite
                total += slope * Fraction(side)
    return total


def exact_value(program: Program, x: Sequence[Fraction]) -> Fraction | None:
    """c·x in rationals where x satisfies every constraint exactly, else None."""
    x = [Fraction(v) for v in x]
    rows = [Fraction(0)] * program.matrix.shape[0]
    for i, j, a in _entries(program):
        rows[i] += a * x[j]
    for numbers, low, high in (
        (rows, program.row_low, program.row_high),
        (x, program.low, program.high),
    ):
        if any(not a <= v <= b for v, a, b in zip(numbers, low, high, strict=True)):
            return None
    if any(v.denominator != 1 for v, whole in zip(x, program.whole, strict=True) if whole):
        return None
    return sum((c * v for c, v in zip(_objective(program), x, strict=True)), Fraction(0))


def _objective(program: Program) -> Sequence[Fraction]:
    given = program.exact.get("objective")
    return [Fraction(c) for c in program.objective.tolist()] if given is None else given


def _entries(program: Program) -> Any:
    """(row, column, entry) of the matrix, in rationals."""
    matrix = program.matrix
    given = program.exact.get("matrix")
    data = map(Fraction, matrix.data.tolist()) if given is None else given
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return zip(rows.tolist(), matrix.indices.tolist(), data, strict=True)
