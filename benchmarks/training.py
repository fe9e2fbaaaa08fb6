"""How fast the learners of finitely many actions train, on one thread, and ten arms over ten seeds.

- rates: environment steps and gradient steps per second on the price factor of `dmsb` (14 numbers
  seen, 21 actions), episodes stepped and sampled alone beside them, and the seconds that the
  paper's 500,000 steps take at this rate;
- ten arms: the share of the optimum that the deployed policy earns on one choice of ten, rewards
  0, 1/9 … 1 with noise, mean and worst of ten seeds.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.learners import fresh, rate, stepping
from learners.evaluate import evaluate
from learners.known import Arms
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


def ten_arms(steps: int, seeds: int = 10) -> list[dict[str, Any]]:
    """Shares of the optimum, 1, without the noise."""
    rows = []
    for name in NAMES:
        found, shares = learner(name), []
        for seed in range(seeds):
            arms = Arms(arms=10, contexts=1, table=seed)
            config = found.config(rows=64, batch=64, width=32, warmup=128)
            run = found.start(arms, config, np.random.SeedSequence(seed))
            run.advance(steps)
            quiet = np.zeros((2_000, 2))  # the one context, and no noise
            played = evaluate(run.policy(), arms, quiet, np.random.default_rng(seed))
            shares.append(float(played.returns.mean() / arms.best_policy_value))
        rows.append({"learner": name, "mean": float(np.mean(shares)), "worst": min(shares)})
    return rows


def measure(share: float) -> dict[str, Any]:
    return {
        "rates": rates(max(4_096, int(40_960 * share))),
        "ten arms": ten_arms(max(1_024, int(8_192 * share))),
    }


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
    table = Table(title="ten arms, ten seeds: share of the optimum", title_justify="left")
    for head in ("learner", "mean", "worst"):
        table.add_column(head, justify="left" if head == "learner" else "right")
    for row in record["ten arms"]:
        table.add_row(row["learner"], f"{row['mean']:.4f}", f"{row['worst']:.4f}")
    yield table
