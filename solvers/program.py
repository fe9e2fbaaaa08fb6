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
    "rescaled",
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
    """By how much x breaks a constraint at most, 0 if none: rows, bounds, whole numbers.

    Relative to the size of what is compared, so that no unit is too small to be looked at: of a
    variable the largest of itself and its bounds, where these are finite and not all 0, else of
    itself and the others without such bounds; of a row its largest term, at these sizes, or side.
    """
    x = np.asarray(x, dtype=float)
    if not np.isfinite(x).all():
        return float("inf")
    rows = program.matrix @ x
    reach = _largest_side(program.low, program.high)
    loose = reach == 0
    reach = np.maximum(reach, np.abs(x))
    reach[loose] = np.abs(x[loose]).max(initial=0)
    size = _largest_side(program.row_low, program.row_high)
    at = np.repeat(np.arange(len(size)), np.diff(program.matrix.indptr))
    np.maximum.at(size, at, np.abs(program.matrix.data) * reach[program.matrix.indices])
    return max(
        0.0,
        _over(np.maximum(program.row_low - rows, rows - program.row_high), size),
        _over(np.maximum(program.low - x, x - program.high), reach),
        float(np.abs(x - np.round(x))[program.whole].max(initial=0)),
    )


def _largest_side(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The larger of |low| and |high|, an infinity counting as 0."""
    a, b = (np.where(np.isinf(side), 0.0, np.abs(side)) for side in (low, high))
    return np.asarray(np.maximum(a, b))


def _over(gap: np.ndarray, size: np.ndarray) -> float:
    """The largest gap relative to its size."""
    broken = gap > 0
    with np.errstate(divide="ignore"):
        return float((gap[broken] / size[broken]).max(initial=0))


def rescaled(program: Program, rows: np.ndarray, columns: np.ndarray) -> Program:
    """The program in x' = x / columns, each row divided by its entry of rows.

    rows (m,), columns (n,): powers of two, so that nothing is rounded. x = columns · x' solves the
    program where x' solves this one, with the same value; y = y' / rows are its row multipliers.
    """
    matrix = program.matrix.copy()
    at = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    matrix.data = matrix.data / rows[at] * columns[matrix.indices]
    exact: dict[str, Sequence[Fraction]] = {}
    if program.exact:
        over, by = [Fraction(r) for r in rows.tolist()], [Fraction(c) for c in columns.tolist()]
        exact = {
            "objective": [c * b for c, b in zip(_objective(program), by, strict=True)],
            "matrix": [a * by[j] / over[i] for i, j, a in _entries(program)],
        }
    return Program(
        objective=program.objective * columns,
        matrix=matrix,
        row_low=program.row_low / rows,
        row_high=program.row_high / rows,
        low=program.low / columns,
        high=program.high / columns,
        whole=program.whole,
        exact=exact,
    )


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
