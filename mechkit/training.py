"""Training runs in worker processes, and how far they are meanwhile.

Each process trains one run at a time, in one thread. A run that was interrupted is gone on with, so
that whatever ends the parent costs at most one interval between two checkpoints of each run.
"""

from __future__ import annotations

import multiprocessing.connection
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from mechkit.audit.pool import spread
from mechkit.errors import InputError
from mechkit.terminal import aside, progress

LOOK = 0.5
"""Seconds between two looks at how far the runs are."""


@dataclass(frozen=True)
class Task:
    """One run, or the rules where learner is None: what a worker process is told."""

    folder: Path
    environment: str
    options: Mapping[str, Any]
    learner: str | None
    config: Mapping[str, Any]
    seeds: tuple[int, ...]
    steps: int
    checkpoint: int | None
    evaluation: int
    instances: int
    watched: int
    tensorboard: bool


@cache
def leave_with_parent() -> None:
    """A worker whose parent is gone stops at once: its run would only be in the way of the next
    command, which goes on from the last checkpoint."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def perform(task: Task) -> tuple[str, str]:
    """In a worker process: ("", "") where the run is done, else ("diverged" or "error", why)."""
    from learners import compare as comparing
    from learners import runs
    from learners.learner import Diverged, learner
    from mechkit import environments

    leave_with_parent()
    make = partial(environments.environment, task.environment, **task.options)
    note = {"name": task.environment, "options": dict(task.options)}
    root = task.folder if task.learner is None else task.folder.parent.parent
    try:
        held, watched = comparing.common(
            root, make(), task.evaluation, task.instances, task.watched
        )
        if task.learner is None:
            comparing.play_rules(root, make, task.seeds, held, made=note)
            return "", ""
        one = learner(task.learner)
        runs.train(
            task.folder,
            one,
            make,
            seed=task.seeds[0],
            steps=task.steps,
            held=held,
            watched=watched,
            config=runs.config_of(one, task.config),
            checkpoint=task.checkpoint,
            made=note,
            tensorboard=task.tensorboard,
        )
    except Diverged as error:
        return "diverged", str(error)
    except (ValueError, OSError, ImportError) as error:
        return "error", str(error)
    return "", ""


def performed(tasks: Sequence[Task], workers: int, title: str) -> list[str]:
    """All tasks; why runs diverged. Raises InputError for the first that could not be done."""
    diverged = []
    with progress(title) as bar, aside(), watched(tasks, bar):
        for task, result in spread(perform, list(tasks), min(workers, len(tasks))):
            kind, why = ("error", str(result)) if isinstance(result, Exception) else result
            if kind == "error":
                raise InputError(f"{task.learner or 'rules'}: {why}")
            if kind == "diverged":
                diverged.append(why)
    return diverged


@contextmanager
def watched(tasks: Sequence[Task], bar: Any) -> Iterator[None]:
    """Looks at the runs' checkpoints now and then, and shows how far they are."""
    if not sys.stderr.isatty():
        yield
        return
    runs = [task for task in tasks if task.learner is not None]
    done = threading.Event()

    def look() -> None:
        while not done.wait(LOOK):
            bar(*so_far(runs))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def so_far(tasks: Sequence[Task]) -> tuple[float, str]:
    """(share of all steps, the mean gap of each learner's runs at their last checkpoints)."""
    from learners import store

    share, gaps = 0.0, dict[str, list[float]]()
    for task in tasks:
        found = store.glance(task.folder)
        if found is not None:
            share += min(1.0, found["steps"] / task.steps) / len(tasks)
            gaps.setdefault(str(task.learner), []).append(found["gap"])
    told = ", ".join(f"{name} {sum(own) / len(own):.3g}" for name, own in gaps.items())
    return share, f"gap: {told}" if gaps else "no checkpoint yet"
