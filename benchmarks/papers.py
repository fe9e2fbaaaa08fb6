"""Instances per second: each paper's market and systems, at its own size and ten times beyond."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from rich.table import Table

from mechkit import papers

MOST = 20_000
"""The largest batch, for memory's sake."""


def rate(
    prepare: Callable[[int], Any], step: Callable[[Any], Any], seconds: float
) -> tuple[int, float]:
    """(instances in a batch, instances per second) for the batch that takes about `seconds`; what
    `prepare` does for a batch is not timed."""
    step(prepare(1))  # the first run pays for what is loaded
    batch = 1
    while True:
        given = prepare(batch)
        started = time.perf_counter()
        step(given)
        taken = time.perf_counter() - started
        if taken >= seconds / 2 or batch >= MOST:
            return batch, batch / taken
        # No more than tenfold at once: a single short run says little.
        batch = min(MOST, 10 * batch, max(2 * batch, int(batch * seconds / max(taken, 1e-6))))


def measure(share: float) -> list[dict[str, Any]]:
    """All papers; share: of the full time, a second for each number."""
    rows = []
    for name in papers.PAPERS:
        market = papers.paper_of(name).market
        for sizes in [market.sizes, *([market.large] if market.large else [])]:
            full = {**market.sizes, **sizes}

            def draw(batch: int, full: Any = full, market: Any = market) -> Any:
                return market.draw(np.random.default_rng(0), batch, **full)

            steps = {"market": partial(rate, int, draw)}
            for what, run in {"optimum": market.optimum, **market.systems}.items():
                steps[what] = partial(rate, draw, run)
            for what, measured in steps.items():
                batch, found = measured(share)
                size = ", ".join(f"{key} {value}" for key, value in full.items())
                rows.append(
                    {"paper": name, "size": size, "what": what, "batch": batch, "rate": found}
                )
    return rows


def tables(rows: list[dict[str, Any]]) -> list[Table]:
    """What `measure` found, for the terminal."""
    table = Table("paper", "size", "what", "batch", "instances per second", title="Papers")
    for row in rows:
        many = f"{row['rate']:,.0f}" if row["rate"] >= 10 else f"{row['rate']:.2g}"
        table.add_row(row["paper"], row["size"], row["what"], f"{row['batch']:,}", many)
    return [table]
