"""What a saved run holds, finished or under way; see `runs`, which makes them.

run.json               what it is: learner, config, environment, seeds; versions and commands
metrics.parquet        at each checkpoint: steps, updates, seconds, return, gap, losses, and
                       selection_steps, played outside the budget to choose what is deployed
checkpoint-STEPS.*     the last two (see `store`)
final.parquet          each held-out instance: return, optimum, first best, measures
diverged.json          where it stopped, if it did
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from learners import store
from learners.environment import Array

FORMAT = "mechkit-run/1"
FINAL, METRICS, RUN, DIVERGED = "final.parquet", "metrics.parquet", "run.json", "diverged.json"


@dataclass(frozen=True, eq=False)
class Run:
    """What a directory holds. about: run.json. metrics: columns, (checkpoints,) each. final:
    columns, (instances,) each, None while it is under way. trained: steps, and once it is finished
    updates, seconds and selection_steps (older runs have none of the last). diverged: what stopped
    it, if anything did.
    """

    folder: Path
    about: Mapping[str, Any]
    metrics: Mapping[str, Array]
    final: Mapping[str, Array] | None
    trained: Mapping[str, float]
    diverged: str | None = None


def read(folder: Path) -> Run:
    """What a directory holds, finished or under way. Raises ValueError, `store.Damaged`."""
    if not (folder / RUN).exists():
        raise ValueError(f"{folder}: holds no run (no {RUN}); give a directory that was trained in")
    about = about_of(folder)
    if about["kind"] == "learner" and (folder / FINAL).exists() and not (folder / METRICS).exists():
        raise store.Damaged(
            f"{folder / METRICS} is missing, though the run is finished; put it back, or remove "
            f"{folder} and train again"
        )
    metrics: Mapping[str, Array] = {}
    if (folder / METRICS).exists():
        metrics, _ = store.read_table(folder / METRICS)
    final, trained = None, {"steps": int(metrics["steps"][-1]) if metrics else 0}
    if (folder / FINAL).exists():
        columns, known = store.read_table(folder / FINAL)
        if known["steps"] >= about["steps"]:  # else the run is being taken further
            final, trained = columns, known
    diverged = None
    if (folder / DIVERGED).exists():
        diverged = store.read_json(folder / DIVERGED)["told"]
    return Run(folder, about, metrics, final, trained, diverged)


def find(folders: Iterable[Path]) -> list[Run]:
    """All runs in and under these directories. Raises ValueError where there is none."""
    runs = []
    for folder in folders:
        found = sorted({file.parent for file in folder.rglob(RUN)})
        if not found:
            raise ValueError(f"{folder}: no saved run there; `mechkit learn … --save` makes them")
        runs += [read(path) for path in found]
    return runs


def about_of(folder: Path) -> dict[str, Any]:
    """run.json. Raises Damaged, ValueError for another format."""
    there = store.read_json(folder / RUN)
    if there.get("format") != FORMAT:
        raise ValueError(
            f"{folder / RUN}: format {there.get('format')!r}, expected {FORMAT!r}; it was saved by "
            "another version of mechkit"
        )
    return there
