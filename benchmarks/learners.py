"""Environment steps per second of the batched cores.

A step is everything that a learner pays for: the checked action, the mechanism, the reward, the
next observation, and a new episode wherever one has ended. Each number is that of the best of many
windows of a hundredth of a second, a dozen calls or more where batches are small.

dmsb   every episode is one step, so that every step draws a round of its own ("fresh") or takes one
       of those that were drawn before ("pool"). Floor: the uniform numbers that a round takes, and
       nothing else. Draw only: what restarting takes, observations included.
madda  20 buyers and 20 sellers on the paper's market, steps at random among the levels; "all
       matched": 20 pairs in Γ in place of some 8.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from rich.table import Table

from learners.environment import Environment
from mechkit.environments import environment

BATCHES = (256, 1024, 4096)
WINDOW = 0.01
"""Seconds: short, so that some windows are free of whatever else the machine does."""


def rate(step: Callable[[], Any], batch: int, seconds: float) -> float:
    """Steps per second in the best window, a call being `batch` of them."""
    best, until = 0.0, time.perf_counter() + seconds
    while True:
        calls, started = 0, time.perf_counter()
        while (now := time.perf_counter()) < started + WINDOW or not calls:
            step()
            calls += 1
        best = max(best, calls * batch / (now - started))
        if now > until:
            return best


def stepping(env: Environment, batch: int) -> Callable[[], Any]:
    """One step of the whole batch under random levels, and new episodes where they have ended."""
    rng = np.random.default_rng(1)
    actions = rng.choice(env.spec.levels, (64, batch))
    turn = iter(range(10**9))

    def step() -> None:
        done = env.step(actions[next(turn) % 64])
        if done.ended.any():
            env.restart(done.ended, rng)

    return step


def fresh(name: str, batch: int, **options: Any) -> Environment:
    env = environment(name, **options)
    env.reset(np.random.default_rng(0), batch)
    return env


def all_matched(batch: int) -> Environment:
    """Clock auctions of 20 pairs: every seller suits every buyer."""
    env = environment("madda")
    drawn = env.draw(np.random.default_rng(0), batch)
    anybody = {"required": drawn.required / 4, "least_reputation": 0 * drawn.least_reputation}
    env.start(replace(drawn, **anybody, farthest=10 * drawn.farthest))
    return env


def numbers(batch: int, *, stations: int = 6, periods: int = 10) -> Callable[[], Any]:
    """As many uniform numbers as a batch of rounds takes: sizes and users by period, equipment by
    provider, accuracies by both."""
    rng, providers = np.random.default_rng(0), 1 + stations
    each = 2 * periods + 5 * providers + providers * periods
    return lambda: rng.random(each * batch)


def rounds(batch: int) -> Callable[[], Any]:
    """Values and latencies, as fresh episodes take them, without an auction."""
    env, rng, rows = fresh("dmsb", batch), np.random.default_rng(0), np.ones(batch, dtype=bool)
    return lambda: env.restart(rows, rng)


CASES: dict[tuple[str, str], Callable[[int], Callable[[], Any]]] = {
    ("dmsb", "floor: uniform numbers"): numbers,
    ("dmsb", "draw only"): rounds,
    ("dmsb", "fresh"): lambda batch: stepping(fresh("dmsb", batch), batch),
    ("dmsb", "pool of 65,536"): lambda batch: stepping(fresh("dmsb", batch, pool=2**16), batch),
    ("madda 20 x 20", "as drawn"): lambda batch: stepping(fresh("madda", batch), batch),
    ("madda 20 x 20", "all matched"): lambda batch: stepping(all_matched(batch), batch),
}


def measure(share: float) -> list[dict[str, Any]]:
    """Every case at every batch; share: of the full time, half a second for each number."""
    return [
        {"environment": name, "case": case, "batch": batch, "rate": rate(made, batch, share / 2)}
        for (name, case), make in CASES.items()
        for batch in BATCHES
        for made in [make(batch)]
    ]


def tables(rows: list[dict[str, Any]]) -> list[Table]:
    """What `measure` found, for the terminal: millions of steps per second."""
    columns = [f"batch {batch:,}" for batch in BATCHES]
    table = Table("environment", "case", *columns, title="Environment steps, millions per second")
    for name, case in CASES:
        found = [row["rate"] for row in rows if (row["environment"], row["case"]) == (name, case)]
        table.add_row(name, case, *(f"{number / 1e6:.2f}" for number in found))
    return [table]
