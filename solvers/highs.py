"""Programs handed to HiGHS as matrices, and what it says of them.

HiGHS's termination is read, never its objective alone: a time limit is no optimum. The status is
HiGHS's word, also that a program is infeasible or unbounded. Beside it stands a bound: a linear
program's is computed from the dual values (`program.bound`), and where it meets the value nothing
is left to believe (`certificate.check`); for an integer program the bound is HiGHS's own.

Source: Huangfu & Hall, "Parallelizing the dual revised simplex method" (2018).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers.arrays import limit
from solvers.optimum import Status
from solvers.program import Program, bound, violation

__all__ = ["Solution", "model_of", "solve"]

FEASIBILITY = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True)
class Solution:
    """x (n,), the value c·x, a bound on every feasible value, and row multipliers y (m,) that show
    the bound (None for integer programs). basis: HiGHS's, for a warm start."""

    status: Status
    x: np.ndarray | None
    value: float | None
    bound: float
    y: np.ndarray | None
    basis: Any = None
    seconds: float = 0.0
    note: str = ""


def solve(
    program: Program,
    *,
    seconds: float | None = None,
    basis: Any = None,
    gap: float = 1e-9,
    options: dict[str, Any] | None = None,
    start: np.ndarray | None = None,
) -> Solution:
    """Solve a program with HiGHS. seconds: a time limit. basis: where to start. gap: relative, for
    integer programs. options: further HiGHS options by name. start: a feasible x (n,) to begin
    with, for integer programs.

    HiGHS's tolerances are absolute, so it sees the objective divided by a power of two that brings
    the largest coefficient near 1: values of 1e-9 and of 1e12 are solved alike.

    Raises ImportError where highspy is missing, ValueError for an unknown option.
    """
    started = time.monotonic()
    limit(seconds)
    if not program.matrix.shape[1]:
        return _without_columns(program)
    highs, unit = model_of(program)
    chosen = {"mip_rel_gap": gap, "mip_abs_gap": 0.0, **(options or {})}
    if seconds is not None:
        chosen["time_limit"] = float(seconds)
    for name, value in chosen.items():
        _set(highs, name, value)
    if basis is not None:
        highs.setBasis(basis)
    if start is not None:
        import highspy

        known = highspy.HighsSolution()
        known.col_value = np.asarray(start, dtype=float)
        highs.setSolution(known)
    highs.run()
    return _read(highs, program, unit, time.monotonic() - started)


def library() -> Any:
    """The module highspy; ImportError, naming the extra, where it is missing."""
    try:
        import highspy
    except ImportError as error:
        raise ImportError(
            "highspy is needed for this solver and is not installed; "
            "install it: pip install 'mechkit-econ[solve]'",
            name=error.name,
        ) from error
    return highspy


def model_of(program: Program, *, relaxed: bool = False) -> tuple[Any, float]:
    """(HiGHS holding the program, the power of two by which its objective was divided).

    relaxed: without the whole numbers. Raises ImportError where highspy is missing.
    """
    highspy = library()
    highs = highspy.Highs()
    _set(highs, "output_flag", False)
    lp = highspy.HighsLp()
    matrix = program.matrix
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.sense_ = highspy.ObjSense.kMaximize
    largest = np.abs(program.objective).max(initial=0)
    unit = 2.0 ** min(int(np.frexp(largest)[1]), 1023)
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = program.objective / unit, program.low, program.high
    lp.row_lower_, lp.row_upper_ = program.row_low, program.row_high
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = (
        matrix.indptr, matrix.indices, matrix.data,
    )  # fmt: skip
    if program.whole.any() and not relaxed:
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[int(w)] for w in program.whole]
    highs.passModel(lp)
    return highs, unit


def _without_columns(program: Program) -> Solution:
    """HiGHS calls such a model empty, whatever its rows ask of 0."""
    empty = bool(((program.row_low > 0) | (program.row_high < 0)).any())
    return Solution(
        status=Status.INFEASIBLE if empty else Status.OPTIMAL,
        x=None if empty else np.zeros(0),
        value=None if empty else 0.0,
        bound=-np.inf if empty else 0.0,
        y=None if empty else np.zeros(program.matrix.shape[0]),
    )


def _set(highs: Any, name: str, value: Any) -> None:
    import highspy

    if highs.setOptionValue(name, value) != highspy.HighsStatus.kOk:
        raise ValueError(f"HiGHS takes no option {name} = {value!r}")


def _read(highs: Any, program: Program, unit: float, seconds: float) -> Solution:
    import highspy

    integer = bool(program.whole.any())

    said = highs.getModelStatus()
    note = "" if said == highspy.HighsModelStatus.kOptimal else highs.modelStatusToString(said)
    ended = {
        highspy.HighsModelStatus.kInfeasible: Status.INFEASIBLE,
        highspy.HighsModelStatus.kUnbounded: Status.UNBOUNDED,
    }.get(said)
    if ended is not None:
        nothing = -np.inf if ended is Status.INFEASIBLE else np.inf
        return Solution(
            status=ended, x=None, value=None, bound=nothing, y=None, seconds=seconds, note=note
        )
    solution, info = highs.getSolution(), highs.getInfo()
    x = np.array(solution.col_value) if solution.value_valid else None
    if x is not None and violation(program, x) > FEASIBILITY:
        x, note = None, note or "the solution breaks a constraint by more than rounding"
    value = None if x is None else float(program.objective @ x)
    y = np.array(solution.row_dual) * unit if solution.dual_valid and not integer else None
    relaxed = np.inf if y is None else bound(program, y)
    best = float(info.mip_dual_bound) * unit if integer else relaxed
    done = said == highspy.HighsModelStatus.kOptimal
    found = Status.OPTIMAL if done else Status.FEASIBLE
    return Solution(
        status=Status.UNSOLVED if value is None else found,
        x=x,
        value=value,
        bound=best,
        y=y,
        basis=None if integer else highs.getBasis(),
        seconds=seconds,
        note=note,
    )
