"""Linear programs solved in rationals or not at all, and programs on their optimal faces.

Of an optimal vertex and its multipliers y, with d = c − Aᵀy, the optimal points are the feasible
ones that are complementary to them: x_j at the bound towards which d_j points, and (A x)_i at the
side on which y_i leans. So a second objective over all optima is a program with more equalities,
and no number in it is longer than those in the first.

Source: Goldman & Tucker, "Theory of linear programming" (1956).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from solvers.optimum import Status
from solvers.program import Program
from solvers.rational import exact

__all__ = ["Unfinished", "Vertex", "face_of", "solved", "towards"]


class Unfinished(Exception):
    """A linear program was not solved in rationals; the message says why."""


@dataclass(frozen=True, eq=False)
class Vertex:
    """An optimum in Fractions: x, its value, and the multipliers of all rows of the program."""

    x: np.ndarray
    value: Fraction
    y: np.ndarray


def solved(program: Program, end: float) -> Vertex:
    left = end - time.monotonic()
    if left <= 0:
        raise Unfinished("the time was over before every reply had been looked at")
    found = exact(program, seconds=left)
    if found.status is not Status.OPTIMAL or not isinstance(found.value, Fraction):
        raise Unfinished("; ".join(found.notes) or f"a linear program ended {found.status}")
    y = [Fraction(v) for v in found.certificate.y]
    x = np.asarray(found.allocation, dtype=object)
    return Vertex(x, found.value, np.array(y, dtype=object))


def face_of(program: Program, optimum: Vertex) -> Program:
    """The program on its optimal points alone: those that are complementary to the multipliers."""
    y = optimum.y
    slopes = np.array(program.exact["objective"], dtype=object)
    starts = program.matrix.indptr.tolist()
    for i, price in enumerate(y.tolist()):
        part = slice(starts[i], starts[i + 1])
        slopes[program.matrix.indices[part]] -= [a * price for a in program.exact["matrix"][part]]
    up, down = (y > 0).astype(bool), (y < 0).astype(bool)
    rise, fall = (slopes > 0).astype(bool), (slopes < 0).astype(bool)
    return replace(
        program,
        row_low=np.where(up, program.row_high, program.row_low),
        row_high=np.where(down, program.row_low, program.row_high),
        low=np.where(rise, program.high, program.low),
        high=np.where(fall, program.low, program.high),
    )


def towards(program: Program, objective: np.ndarray) -> Program:
    exact_data = {**program.exact, "objective": objective.tolist()}
    return replace(program, objective=objective.astype(float), exact=exact_data)
