"""The quantised VCG auction and its continuous benchmark: against full programs, and how they grow.

Equation 39's utilities, β ~ U(100, 200), ξ ~ U(0, 10), three resources. Each function returns rows.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
from rich.table import Table

import solvers
from solvers import highs
from solvers.qvcg_model import full_program


def eq39(agents: int, seed: int = 0) -> solvers.Saturating:
    rng = np.random.default_rng(seed)
    return solvers.Saturating(rng.uniform(100, 200, agents), rng.uniform(0, 10, (agents, 3)))


def against_full(seconds: float, quanta: int = 20) -> list[dict[str, Any]]:
    """Column generation and HiGHS on the whole linear program, on the same values, in turns.

    HiGHS has so many seconds an instance, and larger ones are not tried once it ran into that.
    """
    rows, late = [], False
    for agents in (10, 20, 30, 40, 50):
        values = solvers.Quantised(eq39(agents), quanta).block(0, agents)
        row: dict[str, Any] = {"agents": agents, "quanta": quanta, "highs_s": None, "differ": None}
        started = time.perf_counter()
        found = solvers.qvcg(values, payments=False)
        row["columns_s"] = time.perf_counter() - started
        if not late:
            started = time.perf_counter()
            whole = highs.solve(full_program(values), seconds=seconds)
            row["highs_s"] = time.perf_counter() - started
            late = whole.status != "optimal"
            row["highs"] = str(whole.status)
            if not late and whole.value is not None:
                row["differ"] = abs(whole.value - found.value) / found.value
        rows.append(row)
    return rows


ALONE = """
import json, resource, sys, time
import solvers
from benchmarks.qvcg import eq39
agents, quanta, array, payments = json.loads(sys.argv[1])
values = solvers.Quantised(eq39(agents), quanta)
if array:
    values = values.block(0, agents)
started = time.perf_counter()
found = solvers.qvcg(values, payments=payments)
print(json.dumps({
    "agents": agents, "quanta": quanta, "values": "array" if array else "computed",
    "payments": payments, "seconds": time.perf_counter() - started, "gap": float(found.gap),
    "status": str(found.status),
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def alone(agents: int, quanta: int, *, array: bool, payments: bool) -> dict[str, Any]:
    """One auction in a fresh process: seconds, gap, peak memory in MiB (the values included)."""
    given = json.dumps([agents, quanta, array, payments])
    run = subprocess.run(
        [sys.executable, "-c", ALONE, given], capture_output=True, text=True, check=True
    )
    return json.loads(run.stdout)


def growth(quick: bool = False) -> list[dict[str, Any]]:
    """QVCG-0.01 with payments first, from an array; then growth with N and with M."""
    sizes = [(50, 100, True, True)]
    sizes += [(n, 20, False, True) for n in (10, 100, 1000, *(() if quick else (10_000,)))]
    sizes += [(n, 100, False, False) for n in (100, 1000, *(() if quick else (10_000,)))]
    sizes += [(50, m, False, True) for m in (5, 10, 20, 50, 100)]
    return [alone(n, m, array=a, payments=p) for n, m, a, p in sizes]


def continuous(quick: bool = False) -> list[dict[str, Any]]:
    """The continuous optimum: seconds and gap by prices, and by Clarabel up to 10⁴ bidders."""
    rows = []
    for agents in (100, 1000, 10_000, 100_000, *(() if quick else (1_000_000,))):
        utilities = eq39(agents)
        row: dict[str, Any] = {"agents": agents, "clarabel_s": None, "clarabel_gap": None}
        started = time.perf_counter()
        found = solvers.divisible(utilities)
        row |= {"prices_s": time.perf_counter() - started, "gap": float(found.gap)}
        if agents <= 10_000:
            started = time.perf_counter()
            conic = solvers.divisible(utilities, method="clarabel")
            row |= {
                "clarabel_s": time.perf_counter() - started,
                "clarabel_gap": float(conic.gap),
            }
        rows.append(row)
    return rows


def _shown(given: Any, form: str) -> str:
    return "–" if given is None else format(given, form)


def qvcg_tables(
    full: list[dict[str, Any]], sizes: list[dict[str, Any]], smooth: list[dict[str, Any]]
) -> list[Table]:
    first = Table("N", "M", "columns, s", "HiGHS, s", "differ", title="QVCG against the full LP")
    for row in full:
        first.add_row(
            str(row["agents"]), str(row["quanta"]), f"{row['columns_s']:.3f}",
            _shown(row["highs_s"], ".1f"), _shown(row["differ"], ".1e"),
        )  # fmt: skip
    second = Table("N", "M", "values", "payments", "seconds", "gap", "MiB", title="QVCG, growth")
    for row in sizes:
        second.add_row(
            f"{row['agents']:,}", str(row["quanta"]), row["values"],
            "yes" if row["payments"] else "no", f"{row['seconds']:.2f}", f"{row['gap']:.1e}",
            f"{row['peak_mib']:.0f}",
        )  # fmt: skip
    third = Table("N", "prices, s", "gap", "Clarabel, s", "its gap", title="Continuous optimum")
    for row in smooth:
        third.add_row(
            f"{row['agents']:,}", f"{row['prices_s']:.3f}", f"{row['gap']:.1e}",
            _shown(row["clarabel_s"], ".2f"), _shown(row["clarabel_gap"], ".1e"),
        )  # fmt: skip
    return [first, second, third]


def measure(share: float) -> dict[str, Any]:
    """All of it; share: of the full time."""
    quick = share < 1
    return {
        "full": against_full(400.0 * share),
        "growth": growth(quick),
        "smooth": continuous(quick),
    }


def tables(record: dict[str, Any]) -> list[Table]:
    """What `measure` found, for the terminal."""
    return qvcg_tables(record["full"], record["growth"], record["smooth"])
