"""Optimal revenue: seconds of Myerson's auction against bidders, of the design LP against types."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.table import Table

from solvers import design, myerson

__all__ = ["against_bidders", "against_types", "revenue_table"]


def timed(step: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    return step(), time.perf_counter() - started


def against_bidders(bidders: tuple[int, ...] = (1, 2, 5, 10, 20)) -> list[dict[str, Any]]:
    """Different irregular priors, each ironed anew."""
    from scipy import stats

    edges = np.array([0.0, 1, 2, 3, 4])
    rows = []
    for n in bidders:
        heights = [np.array([6.0, 1, 1, 4 + i / n]) for i in range(n)]
        priors = [stats.rv_histogram((h, edges))() for h in heights]
        found, seconds = timed(lambda priors=priors: myerson(priors))
        rows.append(
            {"problem": "Myerson, ironed", "size": f"{n} bidders", "value": found.revenue,
             "gap": found.error, "seconds": seconds}
        )  # fmt: skip
    return rows


def against_types(types: tuple[int, ...] = (5, 10, 20, 40, 80)) -> list[dict[str, Any]]:
    """Bilateral trade on a grid, BIC, interim IR, no expected deficit: gains from trade."""
    rows = []
    for k in types:
        middle = (np.arange(k) + 0.5) / k
        values = [np.column_stack([0 * middle, sign * middle]) for sign in (1, -1)]
        chances = [np.full(k, 1 / k)] * 2
        options = {"ic": "bic", "ir": "interim", "budget": "exante", "objective": "gains"}
        found, seconds = timed(
            lambda values=values, chances=chances, options=options: design(
                values, chances, **options
            )
        )
        rows.append(
            {"problem": found.method, "size": f"{k} × {k} types", "value": found.value,
             "gap": float(found.gap), "seconds": seconds}
        )  # fmt: skip
    return rows


def revenue_table(rows: list[dict[str, Any]]) -> Table:
    table = Table("problem", "size", "value", "gap", "seconds", title="Optimal mechanisms")
    for row in rows:
        table.add_row(
            row["problem"], row["size"], f"{row['value']:.6f}", f"{row['gap']:.1e}",
            f"{row['seconds']:.2f}",
        )  # fmt: skip
    return table


def measure(share: float) -> list[dict[str, Any]]:
    """All of it; share: of the full time."""
    return against_bidders() + against_types((5, 10, 20, 40, 80) if share >= 1 else (5, 10, 20))


def tables(rows: list[dict[str, Any]]) -> list[Table]:
    """What `measure` found, for the terminal."""
    return [revenue_table(rows)]
