"""How fast the optima are, and what proves them: assignment, winner determination, batches."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np

import solvers
from benchmarks.cats import STYLES, bids

CP_SAT = """
import json, sys, time
from ortools.sat.python import cp_model
limit, problems = json.load(sys.stdin)
for offers, items in problems:
    started = time.perf_counter()
    model = cp_model.CpModel()
    x = [model.new_bool_var(str(k)) for k in range(len(offers))]
    for j in range(items):
        model.add_at_most_one(x[k] for k, (_, taken, _) in enumerate(offers) if j in taken)
    for i in {b for b, _, _ in offers}:
        model.add_at_most_one(x[k] for k, (b, _, _) in enumerate(offers) if b == i)
    model.maximize(sum(v * x[k] for k, (_, _, v) in enumerate(offers)))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = limit
    status = solver.solve(model)
    value = solver.objective_value if status in (cp_model.OPTIMAL, cp_model.FEASIBLE) else None
    print(json.dumps([value, status == cp_model.OPTIMAL, time.perf_counter() - started]))
"""


def assignment(sizes: tuple[int, ...] = (500, 2_000, 5_000)) -> list[dict[str, Any]]:
    """Dense assignment of uniform values: seconds, and the gap that the prices leave."""
    rows = []
    for n in sizes:
        values = np.random.default_rng(0).random((n, n))
        found = solvers.unit_demand(values)
        rows.append(
            {"size": f"{n:,} × {n:,}", "seconds": found.seconds, "status": str(found.status),
             "gap": float(found.gap)}
        )  # fmt: skip
    return rows


def batches(profiles: int = 1_000_000) -> list[dict[str, Any]]:
    """Seconds to score so many profiles of five agents by closed forms, certificates included."""
    v = np.random.default_rng(0).random((profiles, 6))
    rows = []
    for name, call in (
        ("2 units", lambda: solvers.multi_unit(v[:, :5, None], 2)),
        ("3 positions", lambda: solvers.positions(v[:, :5], [1.0, 0.5, 0.2])),
        ("public project", lambda: solvers.public_project(v[:, :5], 2.5)),
        ("double auction 3 × 3", lambda: solvers.double_auction(v[:, :3], v[:, 3:])),
    ):
        found = call()
        rows.append(
            {"setting": name, "profiles": profiles, "seconds": found.seconds,
             "status": str(found.status), "gap": float(found.gap)}
        )  # fmt: skip
    return rows


def cp_sat(problems: list[Any], seconds: float) -> list[tuple[Any, bool, float]]:
    """(best value found, whether it is optimal, seconds) of each (XOR bids, number of items), by
    CP-SAT on one thread in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", CP_SAT],
        input=json.dumps([seconds, problems]),
        capture_output=True,
        text=True,
        check=True,
    )
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def winner_determination(
    items: int = 40, count: int = 200, seconds: float = 10.0
) -> list[dict[str, Any]]:
    """One instance of each CATS style, HiGHS with a proof against CP-SAT on one thread.

    CP-SAT runs in a process of its own, since its library and highspy's cannot be loaded together;
    its seconds are those of building and solving the model.
    """
    offers = {style: bids(style, items, count, 0) for style in STYLES}
    second = cp_sat([(offer, items) for offer in offers.values()], seconds)
    rows = []
    for (style, offer), (value, optimal, taken) in zip(offers.items(), second, strict=True):
        plain = solvers.winners(offer, items=items, seconds=seconds, nodes=0)
        found = solvers.winners(offer, items=items, seconds=seconds)
        rows.append(
            {"style": style, "bids": len(offer), "value": found.value, "highs_s": plain.seconds,
             "proved_s": found.seconds, "certificate": type(found.certificate).__name__,
             "cp_sat_s": taken, "cp_sat_optimal": optimal, "cp_sat_value": value}
        )  # fmt: skip
    return rows


def rational(sizes: tuple[tuple[int, int], ...] = ((200, 1_000), (3_000, 10_000))) -> list[Any]:
    """Sparse linear programs with whole data, solved in rationals: rows, columns, seconds, gap."""
    from scipy import sparse

    rows = []
    for m, n in sizes:
        rng = np.random.default_rng(0)
        at = np.repeat(np.arange(m), 3 * n // m)
        matrix = sparse.csr_array(
            (rng.integers(1, 20, len(at)).astype(float), (at, rng.integers(0, n, len(at)))),
            shape=(m, n),
        )
        matrix.sum_duplicates()
        program = solvers.Program(
            objective=rng.integers(1, 100, n).astype(float), matrix=matrix,
            row_low=np.full(m, -np.inf), row_high=rng.integers(50, 500, m).astype(float),
            low=np.zeros(n), high=rng.choice([40.0, 3.0], n),
        )  # fmt: skip
        floats = solvers.solve(program)
        found = solvers.exact(program, floats)
        rows.append(
            {"rows": m, "columns": n, "highs_s": floats.seconds, "exact_s": found.seconds,
             "gap": float(found.gap), "status": str(found.status)}
        )  # fmt: skip
    return rows


def table(title: str, rows: list[dict[str, Any]]) -> Any:
    """The rows as a table for the terminal, one column for each key."""
    from rich.table import Table

    found = Table(*rows[0], title=title)
    for row in rows:
        found.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()))
    return found


def measure(share: float) -> dict[str, Any]:
    """All of it; share: of the full time."""
    quick = share < 1
    return {
        "assignment": assignment((500, 2_000) if quick else (500, 2_000, 5_000)),
        "profiles": batches(100_000 if quick else 1_000_000),
        "winner determination": winner_determination(),
        "rational linear programs": rational(),
    }


def tables(record: dict[str, Any]) -> list[Any]:
    """What `measure` found, for the terminal."""
    return [table(title, rows) for title, rows in record.items()]
