"""How fast the learners of finitely many actions train, on one thread.

Environment steps and gradient steps per second on the price factor of `dmsb` (14 numbers seen, 21
actions), episodes stepped and sampled alone beside them, and the seconds that the paper's 500,000
steps take at this rate.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.learners import fresh, rate, stepping
from learners.learner import learner
from mechkit.environments import environment

NAMES = ("discrete-sac", "diffusion", "diffusion-printed")
PAPER = 500_000
BATCH = 256


def rates(steps: int) -> list[dict[str, Any]]:
    """Steps and updates per second once the first update is behind."""
    rows: list[dict[str, Any]] = []
    alone = rate(stepping(fresh("dmsb", BATCH), BATCH), BATCH, 0.5)
    rows.append({"learner": "the environment alone", "steps": alone})
    for name in NAMES:
        found = learner(name)
        config = found.config()
        run = found.start(environment("dmsb"), config, np.random.SeedSequence(0))
        run.advance(config.warmup + 2 * config.rows)
        before, updates = run.steps, run.updates
        started, worked = time.perf_counter(), time.process_time()
        run.advance(steps)
        seconds, worked = time.perf_counter() - started, time.process_time() - worked
        rows.append(
            {
                "learner": name,
                "steps": (run.steps - before) / seconds,
                "updates": (run.updates - updates) / seconds,
                "paper": PAPER * seconds / (run.steps - before),
                "processor": PAPER * worked / (run.steps - before),
            }
        )
    return rows


def measure(share: float) -> dict[str, Any]:
    return {"rates": rates(max(4_096, int(40_960 * share)))}


def tables(record: dict[str, Any]) -> Iterable[Table]:
    table = Table(title="training on dmsb, one thread", title_justify="left")
    heads = ("learner", "steps/s", "updates/s", f"{PAPER:,} steps, s", "of processor time, s")
    for head in heads:
        table.add_column(head, justify="left" if head == "learner" else "right")
    for row in record["rates"]:
        numbers = (row.get(key) for key in ("steps", "updates", "paper", "processor"))
        shown = ("" if number is None else f"{number:,.0f}" for number in numbers)
        table.add_row(row["learner"], *shown)
    yield table
