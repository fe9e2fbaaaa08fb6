"""One call: every property that applies to a mechanism, searched, replayed, proved and reported."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from concurrent.futures import Executor

import numpy as np

from mechkit.errors import require
from mechkit.mechanism import Mechanism
from mechkit.properties import select
from mechkit.rounds import Budget, Progress, Run
from mechkit.verdict import Report
from mechkit.workers import Threads


def verify(
    mechanism: Mechanism,
    properties: Iterable[str] | str | None = None,
    *,
    seed: int = 0,
    seconds: float | None = None,
    evaluations: int | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    coalition: int = 2,
    prove: bool = False,
    prove_seconds: float = 10.0,
    progress: Progress | None = None,
    reference: str | None = None,
) -> Report:
    """Search for violations of properties, all that apply by default, and prove what is left.

    seconds, evaluations: the budget, 2 seconds by default; with evaluations alone the result
    depends on the seed only. workers: threads, one per core by default; executor: where pieces run
    instead (a process pool, a cluster's executor). coalition: the largest coalition tried. prove:
    try to prove each property that the search leaves open, for prove_seconds at most each.
    progress(share, what): called as the budget is spent. reference: where the mechanism was loaded
    from.

    Raises InputError for bad arguments, RuleError where a rule misbehaves. A rule that hangs leaves
    the undecided properties UNKNOWN.
    """
    require(
        isinstance(mechanism, Mechanism),
        f"verify was given {type(mechanism).__name__}: expected a Mechanism, "
        "mk.Mechanism(setting, allocate, pay)",
    )
    require(
        isinstance(seed, int | np.integer) and seed >= 0,
        f"seed = {seed!r}: expected a non-negative integer",
    )
    require(
        isinstance(coalition, int) and coalition >= 2,
        f"coalition = {coalition!r}: expected an integer of at least 2",
    )
    require(
        workers is None or (isinstance(workers, int) and workers >= 1),
        f"workers = {workers!r}: expected an integer of at least 1",
    )
    budget = Budget.of(seconds, evaluations)
    chosen = select(properties)
    own = Threads(workers or os.cpu_count() or 1) if executor is None else None
    local = Threads(1)
    run = Run(mechanism, chosen, int(seed), budget, executor or own, local, coalition, progress)
    run.prove_seconds = prove_seconds if prove else None
    try:
        verdicts = run.verdicts()
    except BaseException:
        # Ctrl-C, or a rule that misbehaves: whatever still runs is told to stop.
        run.hung = True
        raise
    finally:
        for pool in (own, local):
            if pool is not None:
                pool.give_up() if run.hung else pool.shutdown()
    taken = time.monotonic() - run.started
    return Report(
        mechanism.name,
        mechanism.setting.name,
        {v.property: v for v in verdicts},
        int(seed),
        taken,
        reference,
    )
