"""How fast the search is, against what it could be.

- throughput: mechanism evaluations per second inside `verify` (sampling, values, margins included)
  against a hand-written NumPy loop over the same rule on the same batches of profiles, in turns;
- one example at a time: the same property as a plain Hypothesis test;
- workers: the same search on 1 and on 2 threads;
- size: cost against n from 2 to 1,000 agents; memory of a 1,000-agent run in a fresh process.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.table import Table

import mechkit as mk
from mechkit import search
from mechkit.sampling import Sampler


def allocate(bids: np.ndarray) -> np.ndarray:
    winner = np.argmax(bids, axis=-1)
    return np.arange(bids.shape[-1]) == winner[..., None]


def pay(bids: np.ndarray, allocation: np.ndarray) -> np.ndarray:
    return allocation * np.sort(bids, axis=-1)[..., -2:-1]


def second_price(agents: int) -> mk.Mechanism:
    return mk.Mechanism(mk.single_item(agents=agents), allocate, pay, name="second price")


def rate(step: Callable[[int], int], seconds: float) -> float:
    """Evaluations per second of step(k) -> evaluations, run for some seconds."""
    started, done, k = time.perf_counter(), 0, 0
    while (taken := time.perf_counter() - started) < seconds:
        done += step(k)
        k += 1
    return done / taken


def piece(mechanism: mk.Mechanism, index: int) -> search.Piece:
    return search.Piece(
        mechanism=mechanism,
        family="deviation",
        checks=(("ic", 0),),
        seed=0,
        index=index,
        rows=search.rows_for(mechanism, 9),
    )


def throughput(seconds: float, repeats: int) -> dict[str, Any]:
    """The search against the raw loop, in turns on one core; medians of the paired ratios."""
    mechanism = second_price(5)
    rows = search.rows_for(mechanism, 9)
    sampler, rng = Sampler(mechanism), np.random.default_rng(0)
    batches = [sampler.profiles(rng, rows) for _ in range(32)]
    one = [batches[0]]

    def loop(over: list[np.ndarray]) -> Callable[[int], int]:
        def step(k: int) -> int:
            bids = over[k % len(over)]
            pay(bids, allocate(bids))
            return len(bids)

        return step

    def find(k: int) -> int:
        return search.run(piece(mechanism, k)).evaluations

    find(0)
    raw, cached, found = [], [], []
    for _ in range(repeats):
        raw.append(rate(loop(batches), seconds))
        found.append(rate(find, seconds))
        cached.append(rate(loop(one), seconds))
    return {
        "rows": rows,
        "raw_loop_per_s": statistics.median(raw),
        "raw_loop_one_batch_per_s": statistics.median(cached),
        "search_per_s": statistics.median(found),
        "ratio": statistics.median(f / r for f, r in zip(found, raw, strict=True)),
        "ratio_one_batch": statistics.median(f / r for f, r in zip(found, cached, strict=True)),
    }


def one_at_a_time(examples: int) -> float:
    """Examples per second of the same check as a plain Hypothesis test, two evaluations each."""
    value = st.floats(0, 1, allow_nan=False)
    count = 0

    @settings(max_examples=examples, database=None, deadline=None, derandomize=True)
    @given(st.lists(value, min_size=5, max_size=5), st.integers(0, 4), value)
    def check(types: list[float], agent: int, lie: float) -> None:
        nonlocal count
        count += 1
        bids = np.array([types])
        x = allocate(bids)
        truth = (bids * x - pay(bids, x))[0, agent]
        lied = bids.copy()
        lied[0, agent] = lie
        y = allocate(lied)
        assert (bids * y - pay(lied, y))[0, agent] <= truth + 1e-9

    started = time.perf_counter()
    check()
    return count / (time.perf_counter() - started)


def workers(evaluations: int) -> dict[int, float]:
    """Evaluations per second of a whole `verify` call on 1 and on 2 threads."""
    found = {}
    for count in (1, 2, 1, 2):
        started = time.perf_counter()
        report = mk.verify(second_price(5), "ic", evaluations=evaluations, workers=count)
        taken = time.perf_counter() - started
        found[count] = max(found.get(count, 0.0), report["ic"].effort.evaluations / taken)
    return found


def against_size(seconds: float) -> list[dict[str, float]]:
    table = []
    for n in (2, 3, 5, 10, 20, 50, 100, 200, 500, 1000):
        mechanism = second_price(n)
        rows = search.rows_for(mechanism, 9)
        batch = Sampler(mechanism).profiles(np.random.default_rng(0), rows)

        def loop(k: int, bids: np.ndarray = batch) -> int:
            pay(bids, allocate(bids))
            return len(bids)

        def find(k: int, mechanism: mk.Mechanism = mechanism) -> int:
            return search.run(piece(mechanism, k)).evaluations

        find(0)
        raw, found = rate(loop, seconds), rate(find, seconds)
        table.append({"agents": n, "raw_per_s": raw, "search_per_s": found, "ratio": found / raw})
    return table


BIG = """
import resource, time
import mechkit as mk
from benchmarks.searching import second_price
started = time.perf_counter()
report = mk.verify(second_price(1000), ["feasible", "ir", "ic", "monotone", "critical_payment"],
                   seconds=10)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
evaluations = report["ic"].effort.evaluations
print(report.ok, peak, evaluations, time.perf_counter() - started)
"""


def thousand_agents() -> dict[str, Any]:
    """A 1,000-agent second price verified in a fresh process: peak memory in MiB."""
    run = subprocess.run([sys.executable, "-c", BIG], capture_output=True, text=True, check=True)
    ok, peak, evaluations, seconds = run.stdout.split()
    return {
        "nothing_refuted": ok == "True",
        "peak_mib": float(peak),
        "evaluations": int(evaluations),
        "seconds": float(seconds),
    }


def measure(share: float) -> dict[str, Any]:
    """All of it; share: of the full time."""
    return {
        "throughput": throughput(1.0 * share, 5),
        "hypothesis_per_s": one_at_a_time(int(2000 * share)),
        "workers": workers(int(30e6 * share)),
        "sizes": against_size(0.5 * share),
        "thousand_agents": thousand_agents(),
    }


def tables(record: dict[str, Any]) -> list[Any]:
    """What `measure` found, for the terminal."""
    speed, hypothesis_rate = record["throughput"], record["hypothesis_per_s"]
    by_workers, sizes, big = record["workers"], record["sizes"], record["thousand_agents"]
    table = Table("second price, n = 5, ic", "evaluations/s", title="Search throughput, one core")
    table.add_row(
        "hand-written NumPy loop, verify's own batches", f"{speed['raw_loop_per_s']:,.0f}"
    )
    table.add_row(
        "the same loop, one batch over and over", f"{speed['raw_loop_one_batch_per_s']:,.0f}"
    )
    table.add_row("search inside verify", f"{speed['search_per_s']:,.0f}")
    table.add_row("ratio to the loop (target ≥ 0.7)", f"{speed['ratio']:.2f}")
    table.add_row("ratio to the loop on one batch", f"{speed['ratio_one_batch']:.2f}")
    table.add_row("Hypothesis, one example at a time", f"{hypothesis_rate:,.0f}")
    table.add_row(
        "search against Hypothesis (target ≥ 1,000)",
        f"{speed['search_per_s'] / hypothesis_rate:,.0f}",
    )
    for count, found in by_workers.items():
        table.add_row(f"verify, {count} worker{'s' if count > 1 else ''}", f"{found:,.0f}")
    table.add_row("what 2 workers add", f"× {by_workers[2] / by_workers[1]:.2f}")

    growth = Table("agents", "raw loop/s", "search/s", "ratio", title="Cost against n")
    for row in sizes:
        growth.add_row(
            f"{row['agents']:,}",
            f"{row['raw_per_s']:,.0f}",
            f"{row['search_per_s']:,.0f}",
            f"{row['ratio']:.2f}",
        )
    note = (
        f"1,000 agents: {'nothing refuted' if big['nothing_refuted'] else 'REFUTED'}, "
        f"{big['evaluations']:,} evaluations in {big['seconds']:.1f} s, "
        f"peak {big['peak_mib']:.0f} MiB (target < 1,024)"
    )
    return [table, growth, note]
