"""The papers' figures with learners: each market along what the paper varies, everybody beside.

    python -m benchmarks.figures FIGURE --runs DIR [--seeds 10] [--steps N] [--out docs/figures]

dmsb       the price factor: weights ζ, stations, bandwidth, size of the task
dmsb-long  the same at one setting, as long as the paper trains
madda      the clock auction: market sizes, computing power, with and without reputations

Every learner is trained at every setting under every seed, in worker processes; what was
interrupted goes on where it stopped when the command is given again. Then the rules of the market
play the same held-out instances, and so do its other mechanisms (the second price auction is one).
What is left is one Parquet file, its tables in Markdown, with the paper's numbers beside ours, and
pictures: of everybody at every setting, and of how they learn at one.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks import shown
from benchmarks.shown import Said
from learners import compare, saved, store
from learners.held import held_out
from mechkit import standings
from mechkit.environments import environment
from mechkit.training import Task, performed

SYSTEMS = ("second price", "McAfee", "unit step, by rank", "no matching")
"""Mechanisms of a market that are no policies."""


@dataclass(frozen=True)
class Figure:
    """market: an environment. axes: what is varied, by name, and at which options of the
    environment, by label. learners, steps: by default. measures: that the figures have beside the
    score. said: the paper's numbers. curves: the setting at which learning is drawn."""

    market: str
    axes: Mapping[str, Mapping[str, Mapping[str, Any]]]
    learners: tuple[str, ...]
    steps: int
    measures: tuple[str, ...]
    curves: tuple[str, str]
    said: tuple[Said, ...] = field(default=())


def of_dmsb(ours: str) -> tuple[Said, ...]:
    """Section 6: by how much its learner's surplus is above that of others."""
    percents = {
        "ppo": 13,
        "greedy": 45,
        "random": 63,
        "second price": 30,
        "myopic": 27,
        "optimal MSB": 23,
    }
    return tuple(Said("score", ours, other, percent) for other, percent in percents.items())


HUNDRED = {"buyers": 100, "sellers": 100}

FIGURES: Mapping[str, Figure] = {
    "dmsb": Figure(
        market="dmsb",
        axes={
            "weight of the UAV": {f"ζ = {z:g}": {"zeta": z} for z in (1.0, 1.5, 2.0)},
            "stations": {str(n): {"stations": n} for n in (3, 5, 7, 9)},
            "bandwidth, MHz": {
                f"{low}-{low + 10}": {"bandwidth": (float(low), float(low + 10))}
                for low in (20, 30, 40, 50)
            },
            "task, MB": {
                f"{low}-{low + 5}": {"task": (float(low), float(low + 5))}
                for low in (20, 25, 30, 35)
            },
        },
        learners=("ppo", "sac", "ddpg", "discrete-sac", "diffusion", "diffusion-printed"),
        steps=30_000,
        measures=("latency, s",),
        curves=("weight of the UAV", "ζ = 1.5"),
        said=of_dmsb("diffusion-printed") + of_dmsb("diffusion"),
    ),
    "dmsb-long": Figure(
        market="dmsb",
        axes={"training": {"500,000 steps": {}}},
        learners=("ppo", "discrete-sac", "diffusion", "diffusion-printed"),
        steps=500_000,
        measures=("latency, s",),
        curves=("training", "500,000 steps"),
        said=of_dmsb("diffusion-printed") + of_dmsb("diffusion"),
    ),
    "madda": Figure(
        market="madda",
        axes={
            "buyers and sellers": {
                str(n): {"buyers": n, "sellers": n} for n in (50, 100, 150, 200)
            },
            "computing power": {
                f"{low}-{low + 10}": {**HUNDRED, "computing": (float(low), float(low + 10))}
                for low in (40, 55, 70)
            },
            "reputations": {"heeded": HUNDRED, "ignored": {**HUNDRED, "reputation": False}},
        },
        learners=("gpt", "cloning", "percentile-cloning", "discrete-sac", "sac", "ddpg", "ppo"),
        steps=30_000,
        measures=("welfare", "trades", "information exchange cost", "trade success rate"),
        curves=("buyers and sellers", "100"),
        said=(
            Said("score", "gpt", "sac", 42),
            Said("score", "gpt", "random", 51),
            Said("welfare", "gpt", "sac", 9.2),
            Said("welfare", "gpt", "random", 22.8),
        ),
    ),
}


def settings(figure: Figure) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(axis, label, options of the environment)."""
    for axis, levels in figure.axes.items():
        for label, options in levels.items():
            yield axis, label, options


def place(folder: Path, options: Mapping[str, Any]) -> Path:
    """Where the runs of a setting are; the same for equal ones of two axes."""
    told = " ".join(f"{name} {value}" for name, value in options.items())
    return folder / (re.sub(r"[^\w.]+", "-", told).strip("-") or "as-it-is")


def train(
    figure: Figure, folder: Path, names: Sequence[str], seeds: int, steps: int, instances: int
) -> None:
    """Everybody at every setting; what is there goes on. Diverged runs are told by `gathered`."""
    every, rules, runs = tuple(range(seeds)), [], []
    places = {place(folder, options): options for _, _, options in settings(figure)}
    for at, options in places.items():
        shared: dict[str, Any] = {
            "environment": figure.market,
            "options": dict(options),
            "steps": steps,
            "checkpoint": max(1, steps // 5),
            "evaluation": 0,
            "instances": instances,
            "watched": compare.WATCH,
            "tensorboard": False,
            "config": {},
        }
        rules.append(Task(folder=at, learner=None, seeds=every, **shared))
        runs += [
            Task(folder=compare.place(at, name, seed), learner=name, seeds=(seed,), **shared)
            for name in names
            for seed in every
        ]
    # Seed by seed, so that what is interrupted has everybody at every setting.
    tasks = rules + sorted(runs, key=lambda task: task.seeds[0])
    performed(tasks, os.cpu_count() or 1, f"figures of {figure.market}")


def found_in(figure: Figure, folder: Path) -> dict[Path, compare.Comparison]:
    """What the saved runs came to, by their place."""
    places = {place(folder, options) for _, _, options in settings(figure)}
    return {at: compare.compared(saved.find([at])) for at in places}


def gathered(
    figure: Figure,
    folder: Path,
    known: Mapping[Path, compare.Comparison],
    instances: int,
) -> tuple[list[dict[str, Any]], list[str]]:
    """One row for each setting and learner, rule or mechanism, from the saved runs; and which runs
    are in none of them, and why."""
    rows, unfinished = [], []
    for axis, label, options in settings(figure):
        (table,) = known[place(folder, options)].tables
        unfinished += [f"{axis} {label}: {line}" for line in table.unfinished]
        for row in table.rows:
            found = {"score": row.score, "gap": row.gap, **row.measures}
            if row.welfare is not None:
                found["welfare"] = row.welfare  # as a share of the first best
            wanted = ("score", "gap", "welfare", *figure.measures)
            one = {
                "axis": axis,
                "setting": label,
                "name": row.name,
                "kind": row.kind,
                "seeds": len(row.seeds),
                "of the optimum": table.share,
                "steps": row.steps,
                "updates": row.updates,
                "seconds": row.seconds,
            }
            for name, interval in ((key, found[key]) for key in wanted if key in found):
                one[name] = interval.value
                one[f"{name} low"], one[f"{name} high"] = interval.low, interval.high
            rows.append(one)
        rows += others(figure, axis, label, options, instances, alike=earns_welfare(table))
    return rows, unfinished


def earns_welfare(table: compare.Table) -> bool:
    """Whether everybody's return is their welfare."""
    return all(
        row.welfare is not None
        and np.isclose(row.score.value * table.optimum, row.welfare.value * table.first_best)
        for row in table.rows
    )


def others(
    figure: Figure,
    axis: str,
    label: str,
    options: Mapping[str, Any],
    instances: int,
    *,
    alike: bool,
) -> list[dict[str, Any]]:
    """The market's mechanisms that are no policies, on the same instances: their welfare.

    Where returns are welfare (dmsb's surplus), it is their score, too.
    """
    market: Any = environment(figure.market, **options)
    held = held_out(market, seed=0, count=instances)
    rows = []
    for name in SYSTEMS:
        if name in market.systems:
            found = market.systems[name](held.instances)
            of = {"trades": found.trades, **found.measured}
            row = {"axis": axis, "setting": label, "name": name, "kind": "mechanism"}
            row |= {key: float(of[key].mean()) for key in figure.measures if key in of}
            row["welfare"] = float(found.welfare.sum() / held.first_best.sum())
            if alike:
                row["score"] = float(found.welfare.sum() / held.optimum.sum())
            rows.append(row)
    return rows


def write(name: str, rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any], to: Path) -> None:
    """The rows in Parquet, their tables in Markdown, and a picture of them."""
    figure = FIGURES[name]
    to.mkdir(parents=True, exist_ok=True)
    texts = ("axis", "setting", "name", "kind")
    columns = {
        column: np.array(
            [row.get(column, "" if column in texts else np.nan) for row in rows],
            dtype=object if column in texts else float,
        )
        for column in dict.fromkeys(column for row in rows for column in row)
    }
    store.write_table(to / f"{name}.parquet", columns, about)
    measures = ("score", *figure.measures)
    shown.draw(name, rows, measures, to / f"{name}.png")
    text = shown.markdown(name, rows, about, measures, figure.said)
    store.write(to / f"{name}.md", text.encode())


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.figures",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("figure", choices=sorted(FIGURES))
    parser.add_argument("--runs", type=Path, required=True, help="where the runs are kept")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, help="environment steps of each run")
    parser.add_argument("--instances", type=int, default=1000, help="held out, at each setting")
    parser.add_argument("--learner", action="append", help="these learners only; repeatable")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    options = parser.parse_args()
    figure = FIGURES[options.figure]
    names = options.learner or list(figure.learners)
    steps = options.steps or figure.steps
    train(figure, options.runs, names, options.seeds, steps, options.instances)
    known = found_in(figure, options.runs)
    rows, unfinished = gathered(figure, options.runs, known, options.instances)
    about = {
        "market": figure.market,
        "seeds": options.seeds,
        "steps": steps,
        "instances": options.instances,
        "learners": names,
        "unfinished": unfinished,
    }
    write(options.figure, rows, about, options.out)
    axis, label = figure.curves
    learning = known[place(options.runs, figure.axes[axis][label])]
    standings.plot(learning, options.out / f"{options.figure}-curves.png")
    Console().print(shown.averages(rows))


if __name__ == "__main__":
    main()
