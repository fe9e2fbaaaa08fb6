"""Linear programs solved in rationals: from a solver's basis to an exact vertex and its dual.

A basis says which rows and bounds hold with equality. Two square systems, one for the basic
variables and its transpose for the multipliers of the active rows, then give the vertex and the
dual exactly. They are solved by iterative refinement: a float factorisation gives some 30 bits, the
residual is computed in integers and solved for again, and continued fractions read the rational
solution off its binary digits, which an exact product confirms. Where the vertex is optimal,
value = bound in rationals, gap 0. Where it is not quite, since the solver's tolerances hid it, the
program is shifted to the vertex, what is violated magnified, and solved again from its basis.

Sources: Wan, "An algorithm to solve integer linear systems exactly using numerical methods" (2006);
Gleixner, Steffy & Wolter, "Iterative refinement for linear programming" (2016).
"""

from __future__ import annotations

import time
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from solvers.arrays import integers
from solvers.certificate import Linear, certified, check
from solvers.highs import Solution, solve
from solvers.optimum import Optimum, Status
from solvers.program import Program, exact_bound, exact_value, leaning

__all__ = ["exact", "exact_system"]

ROUNDS = 10
MOST_BITS = 20_000
# Reduced costs of the right sign need not be told apart beyond this.
COST = 1e4


def exact(program: Program, solution: Solution | None = None, *, seconds: float = 60.0) -> Optimum:
    """The optimum of a linear program in rationals.

    The data count as the rationals that they are (`Program.exact`, else the floats' own). solution:
    HiGHS's, with its basis; found first where None. allocation: x (n,), Fractions. seconds: when to
    stop; then, and where no exact vertex is found, the solution is the float one, optimal if its
    certificate holds, its multipliers give the bound in rationals, and the notes say so. Raises
    ValueError for a program with whole variables.
    """
    started = time.monotonic()
    if program.whole.any():
        raise ValueError(
            "some variables are whole: an exact vertex is one of the relaxation; give the program "
            "with whole=False, or certify the integer optimum by a tree (solvers.tree.grow)"
        )
    found = solve(program, seconds=seconds) if solution is None else solution
    if found.basis is None or found.x is None:
        return Optimum(
            value=found.value, bound=found.bound, status=found.status, allocation=found.x,
            method="HiGHS", seconds=time.monotonic() - started,
            notes=(found.note or "no basis to start from",),
        )  # fmt: skip
    data, basis = Data(program), found.basis
    why = f"no exact vertex after {ROUNDS} rounds of refinement"
    for _ in range(ROUNDS):
        left = seconds - (time.monotonic() - started)
        vertex = data.vertex(basis, left) if left > 0 else None
        if vertex is None:
            why = (
                "no exact vertex: the basis is singular, or its rationals are too long for the time"
            )
            break
        x, y = vertex
        value = exact_value(program, x)
        if value is not None and value == exact_bound(program, y):
            return certified(
                Linear(program=program, x=x, y=y),
                allocation=np.array(x, dtype=object),
                method="HiGHS, and its basis in rationals",
                seconds=time.monotonic() - started,
            )
        better = solve(data.magnified(x, y), basis=_lifted(basis), seconds=max(left, 0.01))
        if better.basis is None:
            why = "HiGHS did not solve the magnified program"
            break
        basis = _lowered(better.basis, len(x))
    bound: Any = np.inf
    floats, status = None, found.status
    if found.y is not None:
        y = [Fraction(v) for v in leaning(program, found.y).tolist()]
        bound = exact_bound(program, y)
        floats = Linear(program=program, x=found.x, y=found.y)
    if status is Status.OPTIMAL and not (floats is not None and check(floats).holds):
        status = Status.FEASIBLE
    return Optimum(
        value=found.value,
        bound=bound,
        status=status,
        allocation=found.x,
        certificate=floats,
        method="HiGHS",
        seconds=time.monotonic() - started,
        notes=(why,),
    )


class Data:
    """A program in integers over common denominators."""

    def __init__(self, program: Program) -> None:
        self.program = program
        matrix = program.matrix
        entries = program.exact.get("matrix")
        objective = program.exact.get("objective")
        self.entries, self.entries_over = _whole(matrix.data if entries is None else entries)
        self.costs, self.costs_over = _whole(program.objective if objective is None else objective)
        self.rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        self.columns = np.asarray(matrix.indices)

    def vertex(self, basis: Any, seconds: float) -> tuple[list[Fraction], list[Fraction]] | None:
        """x (n,) and y (m,) of a basis of HiGHS's, or None where it is singular."""
        program = self.program
        fixed, x_over = self._sides(basis.col_status, program.low, program.high)
        sides, side_over = self._sides(basis.row_status, program.row_low, program.row_high)
        free = np.array([str(s).endswith("kBasic") for s in basis.col_status], dtype=bool)
        tight = np.array([not str(s).endswith("kBasic") for s in basis.row_status], dtype=bool)
        if free.sum() != tight.sum():
            return None
        m = program.matrix.shape[0]
        over = lcm(x_over, side_over)
        inner = tight[self.rows] & free[self.columns]
        outer = tight[self.rows] & ~free[self.columns] & (fixed[self.columns] != 0)
        right = sides * (self.entries_over * (over // side_over))
        moved = self.entries[outer] * (fixed[self.columns[outer]] * (over // x_over))
        np.subtract.at(right, self.rows[outer], moved)
        at_row, at_column = np.cumsum(tight) - 1, np.cumsum(free) - 1
        system = (
            self.entries[inner], at_row[self.rows[inner]], at_column[self.columns[inner]]
        )  # fmt: skip
        started = time.monotonic()
        basic = exact_system(*system, right[tight], seconds=seconds)
        if basic is None:
            return None
        multipliers = exact_system(
            system[0], system[2], system[1], self.costs[free] * self.entries_over,
            seconds=seconds - (time.monotonic() - started),
        )  # fmt: skip
        if multipliers is None:
            return None
        x = [Fraction(v, x_over) for v in fixed.tolist()]
        for j, v in zip(np.flatnonzero(free).tolist(), basic, strict=True):
            x[j] = v / over
        y = [Fraction(0)] * m
        for i, v in zip(np.flatnonzero(tight).tolist(), multipliers, strict=True):
            y[i] = v / self.costs_over
        return x, y

    def _sides(self, status: Any, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, int]:
        """The bound at which each nonbasic one lies, 0 for the others, over a denominator."""
        names = [str(s).rsplit(".", 1)[-1] for s in status]
        at_low = np.array([name in ("kLower", "kNonbasic") for name in names], dtype=bool)
        at_high = np.array([name == "kUpper" for name in names], dtype=bool)
        at = np.where(at_high & np.isfinite(high), high, np.where(at_low, low, 0.0))
        return _whole(np.where(np.isfinite(at), at, 0.0))

    def magnified(self, x: list[Fraction], y: list[Fraction]) -> Program:
        """The program in (z, r) with z = (x' − x) · scale and r = A z, whose objective is the
        reduced costs, c − Aᵀy of z and y of r, in units of the largest that has the wrong sign."""
        from scipy import sparse

        program = self.program
        over = [Fraction(v, self.entries_over) for v in self.entries.tolist()]
        reached = [Fraction(0)] * len(y)
        d = [Fraction(v, self.costs_over) for v in self.costs.tolist()]
        for i, j, a in zip(self.rows.tolist(), self.columns.tolist(), over, strict=True):
            reached[i] += a * x[j]
            d[j] -= a * y[i]

        def broken(at: list[Fraction], low: np.ndarray, high: np.ndarray) -> Fraction:
            gaps = [Fraction(0)]
            for v, a, b in zip(at, low.tolist(), high.tolist(), strict=True):
                gaps += [Fraction(a) - v] if a > -np.inf and v < a else []
                gaps += [v - Fraction(b)] if b < np.inf and v > b else []
            return max(gaps)

        most = max(
            broken(x, program.low, program.high),
            broken(reached, program.row_low, program.row_high),
        )
        scale = Fraction(2) ** (max(0, most.denominator.bit_length() - most.numerator.bit_length())
                                if most else 30)  # fmt: skip

        def wrong(at: list[Fraction], costs: Any, low: np.ndarray, high: np.ndarray) -> Fraction:
            """The largest cost that a move would earn."""
            each = zip(at, costs, low.tolist(), high.tolist(), strict=True)
            return max((abs(c) for v, c, a, b in each if (c > 0 and v < b) or (c < 0 and v > a)),
                       default=Fraction(0))  # fmt: skip

        earns = max(
            wrong(x, d, program.low, program.high),
            wrong(reached, y, program.row_low, program.row_high),
        )
        largest = earns or max((abs(v) for v in [*d, *y]), default=Fraction(0))
        cost_scale = 1 / largest if largest else Fraction(1)

        def shifted(at: list[Fraction], ends: np.ndarray) -> np.ndarray:
            return np.array(
                [
                    e if np.isinf(e) else _float((Fraction(e) - v) * scale)
                    for v, e in zip(at, ends.tolist(), strict=True)
                ],
                dtype=float,
            )

        m = len(y)
        return Program(
            objective=np.array([_float(v * cost_scale, COST) for v in [*d, *y]], dtype=float),
            matrix=sparse.hstack([program.matrix, -sparse.eye_array(m)]),
            row_low=np.zeros(m),
            row_high=np.zeros(m),
            low=np.r_[shifted(x, program.low), shifted(reached, program.row_low)],
            high=np.r_[shifted(x, program.high), shifted(reached, program.row_high)],
        )


def _lifted(basis: Any) -> Any:
    """The basis of a program with a column for each row."""
    import highspy

    found = highspy.HighsBasis()
    found.col_status = [*basis.col_status, *basis.row_status]
    found.row_status = [highspy.HighsBasisStatus.kLower] * len(basis.row_status)
    found.valid = True
    return found


def _lowered(basis: Any, columns: int) -> Any:
    """The basis without the columns of rows; a row whose equation is basic is not tight."""
    import highspy

    basic = highspy.HighsBasisStatus.kBasic
    rows = zip(basis.col_status[columns:], basis.row_status, strict=True)
    found = highspy.HighsBasis()
    found.col_status = list(basis.col_status[:columns])
    found.row_status = [basic if slack == basic else status for status, slack in rows]
    found.valid = True
    return found


def _float(value: Fraction, most: float = 1e30) -> float:
    limit = Fraction(most)
    return float(min(max(value, -limit), limit))


def _whole(values: Any) -> tuple[np.ndarray, int]:
    array = values if isinstance(values, np.ndarray) else np.array(values, dtype=object)
    found, d = integers(array)
    return found.astype(object), d


def exact_system(
    entries: np.ndarray, rows: np.ndarray, columns: np.ndarray, right: np.ndarray,
    *, seconds: float = 60.0,
) -> list[Fraction] | None:  # fmt: skip
    """The solution of a square system of integers, entries at (rows, columns), each at most once.

    None where the matrix is singular in floats, or seconds or MOST_BITS come first.
    """
    from scipy import sparse
    from scipy.sparse.linalg import splu

    size = len(right)
    if not size:
        return []
    started = time.monotonic()
    # Entries over a common denominator may be longer than any float.
    lift = max(0, max((abs(v) for v in entries.tolist()), default=0).bit_length() - 900)
    floats = np.array([v / (1 << lift) for v in entries.tolist()])
    matrix = sparse.csc_array((floats, (rows, columns)), shape=(size, size))
    try:
        factors = splu(matrix.tocsc())
    except RuntimeError:
        return None
    digits = np.zeros(size, dtype=object)
    rest, bits, attempt = right.astype(object), 0, 30
    while bits < MOST_BITS and time.monotonic() - started < seconds:
        largest = max(abs(v) for v in rest.tolist())
        if largest:
            shift = max(0, largest.bit_length() - 900)
            near = factors.solve(np.array([float(v >> shift) for v in rest.tolist()]))
            size_of = float(np.abs(near).max())
            if not np.isfinite(size_of):
                return None
            # What was solved for is the next digits' value times 2^(lift − shift). Some 45 of a
            # float's bits are right, of which the leading ones are this step's.
            up = shift - lift
            step = max(1, 40 - max(0, int(np.frexp(size_of)[1]) + up))
            new = _rounded(near, step + up)
            digits = (digits << step) + new
            rest = rest << step
            np.subtract.at(rest, rows, entries * new[columns])
            bits += step
        if not any(rest.tolist()):
            # Nothing is left over: the digits are the solution, however long it is.
            return [Fraction(v, 1 << bits) for v in digits.tolist()]
        if bits >= attempt:
            found = _fractions(digits, bits)
            if found is not None and _solves(entries, rows, columns, right, *found):
                over = found[1]
                return [Fraction(v, over) for v in found[0].tolist()]
            attempt = max(2 * attempt, bits)
    return None


def _rounded(floats: np.ndarray, power: int) -> np.ndarray:
    """floats · 2^power to whole numbers of any size, of which a float's bits are known."""
    mantissa, exponent = np.frexp(floats)
    whole = (mantissa * 2.0**53).astype(np.int64).tolist()
    moves = (exponent.astype(np.int64) - 53 + power).tolist()
    return np.array(
        [
            v << move if move >= 0 else (v + (1 << -move - 1)) >> -move
            for v, move in zip(whole, moves, strict=True)
        ],
        dtype=object,
    )


def _fractions(digits: np.ndarray, bits: int) -> tuple[np.ndarray, int] | None:
    """(numerators, one denominator) near digits / 2^bits, None where the digits do not settle it.

    A denominator found for one entry is tried for the next: they divide one determinant.
    """
    over, unit = 1, 1 << bits
    most = 1 << max(1, bits // 2 - 2)
    # What is rational with the denominator at hand lies this close to a whole number.
    near = unit >> max(1, bits // 3)
    found: list[Fraction] = []
    for v in digits.tolist():
        scaled = v * over
        nearest = (scaled + (unit >> 1)) >> bits
        if abs(scaled - (nearest << bits)) > near:
            entry = Fraction(v, unit).limit_denominator(most)
            over = lcm(over, entry.denominator)
            if over > most:
                return None
            nearest = entry.numerator * (over // entry.denominator)
        found.append(Fraction(nearest, over))
    return np.array([v.numerator * (over // v.denominator) for v in found], dtype=object), over


def _solves(
    entries: np.ndarray, rows: np.ndarray, columns: np.ndarray, right: np.ndarray,
    numerators: np.ndarray, over: int,
) -> bool:  # fmt: skip
    reached = np.zeros(len(right), dtype=object)
    np.add.at(reached, rows, entries * numerators[columns])
    return bool((reached == right * over).all())
