"""OR-Tools as a second opinion, in a process of its own: its library and highspy's both bring
HiGHS, and cannot be loaded together.

Problems go in and optima come out as JSON, several at once, since the start is what takes time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from benchmarks.solvers import cp_sat as packed

ASSIGNING = """
import json, sys
from ortools.graph.python import linear_sum_assignment
for values in json.load(sys.stdin):
    solver = linear_sum_assignment.SimpleLinearSumAssignment()
    for i, row in enumerate(values):
        for j, v in enumerate(row):
            solver.add_arc_with_cost(i, j, -v)
    assert solver.solve() == solver.OPTIMAL
    print(-solver.optimal_cost())
"""


def cp_sat(*problems: tuple[list[Any], int]) -> list[int]:
    """The optima of (XOR bids with whole values, number of items), by CP-SAT."""
    plain = [
        [[(int(b), [int(j) for j in taken], int(v)) for b, taken, v in offers], items]
        for offers, items in problems
    ]
    found = packed(plain, seconds=60)
    assert all(optimal for _, optimal, _ in found)
    return [round(value) for value, _, _ in found]


def assignments(*values: list[list[int]]) -> list[int]:
    """The values of the best perfect matchings of square tables of whole numbers."""
    return _ask(ASSIGNING, list(values))


def _ask(program: str, problems: Any) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(problems),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]
