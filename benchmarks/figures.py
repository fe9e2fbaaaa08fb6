"""The papers' figures with learners: each market along what the paper varies, everybody beside.

    python -m benchmarks.figures dmsb --runs DIR [--seeds 10] [--steps 500000] [--out docs/figures]

Every learner is trained at every setting under every seed, in worker processes; what was
interrupted goes on where it stopped when the command is given again. Then the rules of the market
play the same held-out instances, and so do its other mechanisms (the second price auction is one).
What is left is one Parquet file and one picture for each paper, with the paper's own numbers
beside ours.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from learners import compare, saved, store
from learners.held import held_out
from mechkit.environments import environment
from mechkit.training import Task, performed


@dataclass(frozen=True)
class Figure:
    """axes: what is varied, by name, and at which options of the environment, by label. learners:
    by default. shown: measures that the figures have beside the score. says: the paper's words."""

    axes: Mapping[str, Mapping[str, Mapping[str, Any]]]
    learners: tuple[str, ...]
    shown: tuple[str, ...]
    says: str


FIGURES: Mapping[str, Figure] = {
    "dmsb": Figure(
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
        learners=("ppo", "discrete-sac", "diffusion", "diffusion-printed"),
        shown=("latency, s",),
        says="surplus 13 % above PPO, 45 % above greedy, 63 % above random, 30 % above second "
        "price, 27 % above myopic and 23 % above optimal MSB; the lowest latency (section 6)",
    ),
    "madda": Figure(
        axes={
            "buyers and sellers": {
                str(n): {"buyers": n, "sellers": n} for n in (50, 100, 150, 200)
            },
        },
        learners=("gpt", "cloning", "percentile-cloning", "discrete-sac", "ppo"),
        shown=("trades", "information exchange cost", "trade success rate"),
        says="reward 42 % above SAC and 51 % above random; welfare 9.2 % above SAC and 22.8 % "
        "above random (section VI)",
    ),
}


def settings(paper: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(axis, label, options of the environment)."""
    for axis, levels in FIGURES[paper].axes.items():
        for label, options in levels.items():
            yield axis, label, options


def place(folder: Path, axis: str, label: str) -> Path:
    """Where the runs of a setting are."""
    return folder / re.sub(r"\W+", "-", f"{axis} {label}").strip("-")


def train(
    paper: str, folder: Path, names: Sequence[str], seeds: int, steps: int, instances: int
) -> None:
    """Everybody at every setting; what is there goes on. Diverged runs are told by the table."""
    every, rules, runs = tuple(range(seeds)), [], []
    for axis, label, options in settings(paper):
        at = place(folder, axis, label)
        shared: dict[str, Any] = {
            "environment": paper,
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
    performed(tasks, os.cpu_count() or 1, f"figures of {paper}")


def gathered(paper: str, folder: Path, instances: int) -> list[dict[str, Any]]:
    """One row for each setting and learner, rule or mechanism, from the saved runs."""
    rows = []
    for axis, label, options in settings(paper):
        at = place(folder, axis, label)
        (table,) = compare.compared(saved.find([at])).tables
        for row in table.rows:
            score, welfare = row.score, row.welfare
            rows.append(
                {
                    "axis": axis,
                    "setting": label,
                    "name": row.name,
                    "kind": row.kind,
                    "seeds": len(row.seeds),
                    "score": score.value,
                    "score low": score.low,
                    "score high": score.high,
                    "of the optimum": table.share,
                    "gap": row.gap.value,
                    "gap low": row.gap.low,
                    "gap high": row.gap.high,
                    "welfare": np.nan if welfare is None else welfare.value,
                    "welfare low": np.nan if welfare is None else welfare.low,
                    "welfare high": np.nan if welfare is None else welfare.high,
                    "steps": row.steps,
                    "updates": row.updates,
                    "seconds": row.seconds,
                    **{name: row.measures.get(name, np.nan) for name in FIGURES[paper].shown},
                }
            )
        rows += others(paper, axis, label, options, instances)
    return rows


def others(
    paper: str, axis: str, label: str, options: Mapping[str, Any], instances: int
) -> list[dict[str, Any]]:
    """The market's mechanisms that are no policies, on the same instances: their welfare.

    Where the return is the welfare (dmsb's surplus), it is their score, too.
    """
    market: Any = environment(paper, **options)
    held = held_out(market, seed=0, count=instances)
    alike = np.allclose(held.optimum, held.first_best, rtol=1e-2)
    rows = []
    for name in ("second price", "McAfee", "no matching"):
        if name in market.systems:
            found = market.systems[name](held.instances).welfare.sum()
            row = {"axis": axis, "setting": label, "name": name, "kind": "mechanism"}
            row["welfare"] = float(found / held.first_best.sum())
            rows.append(row | ({"score": float(found / held.optimum.sum())} if alike else {}))
    return rows


# What is left -------------------------------------------------------------------------------------


def write(
    paper: str, rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any], to: Path
) -> None:
    """The rows in Parquet, and a picture of the scores."""
    to.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    texts = ("axis", "setting", "name", "kind")
    columns = {
        name: np.array(
            [row.get(name, "" if name in texts else np.nan) for row in rows],
            dtype=None if name in texts else float,
        )
        for name in names
    }
    texts_as_objects = {name: columns[name].astype(object) for name in texts}
    store.write_table(to / f"{paper}.parquet", columns | texts_as_objects, about)
    draw(paper, rows, to / f"{paper}.png")


def draw(paper: str, rows: Sequence[Mapping[str, Any]], file: Path) -> None:
    """A panel for each axis: scores with their intervals against the setting."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    axes = list(dict.fromkeys(row["axis"] for row in rows))
    scored = [row for row in rows if np.isfinite(row.get("score", np.nan))]
    everybody = list(dict.fromkeys((row["kind"], row["name"]) for row in scored))
    share = all(row.get("of the optimum", True) for row in scored)
    figure, panels = plt.subplots(
        1, len(axes), figsize=(4.2 * len(axes) + 2.2, 4.4), sharey=True, squeeze=False
    )
    colours = plt.get_cmap("tab20")
    for panel, axis in zip(panels[0], axes, strict=True):
        labels = list(dict.fromkeys(row["setting"] for row in scored if row["axis"] == axis))
        for k, (kind, name) in enumerate(everybody):
            own = {
                row["setting"]: row
                for row in scored
                if row["axis"] == axis and row["name"] == name and row["kind"] == kind
            }
            at = [x for x, label in enumerate(labels) if label in own]
            found = [own[labels[x]] for x in at]
            middle = [row["score"] for row in found]
            panel.plot(
                at,
                middle,
                color=colours(k % 20),
                label=name,
                linestyle="-" if kind == compare.LEARNER else ":",
                marker="o" if kind == compare.LEARNER else None,
                markersize=3,
            )
            if kind == compare.LEARNER:
                low, high = ([row[f"score {end}"] for row in found] for end in ("low", "high"))
                panel.fill_between(at, low, high, color=colours(k % 20), alpha=0.2, linewidth=0)
        panel.set_xticks(range(len(labels)), labels)
        panel.set_xlabel(axis)
    panels[0][0].set_ylabel("share of the exact optimum" if share else "mean return")
    panels[0][-1].legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1.02, 0.5))
    figure.suptitle(f"{paper}: learners (solid, 95 % intervals) beside rules (dotted)")
    figure.savefig(file, dpi=110, bbox_inches="tight")
    plt.close(figure)


def told(paper: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Everybody's score, averaged over the settings at which it was measured."""
    table = Table("name", "kind", "settings", "score", "worst", "welfare, of the first best")
    names = dict.fromkeys((row["name"], row["kind"]) for row in rows)
    means = []
    for name, kind in names:
        own = [row for row in rows if (row["name"], row["kind"]) == (name, kind)]
        scores = [row["score"] for row in own if "score" in row]
        welfare = np.mean([row["welfare"] for row in own])
        means.append((np.mean(scores) if scores else -np.inf, name, kind, own, scores, welfare))
    for mean, name, kind, own, scores, welfare in sorted(means, reverse=True, key=lambda m: m[0]):
        told_scores = (f"{mean:.4f}", f"{min(scores):.4f}") if scores else ("", "")
        table.add_row(name, kind, str(len(own)), *told_scores, f"{welfare:.4f}")
    table.caption = f"The paper: {FIGURES[paper].says}"
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.figures",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paper", choices=sorted(FIGURES))
    parser.add_argument("--runs", type=Path, required=True, help="where the runs are kept")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=500_000, help="environment steps of each run")
    parser.add_argument("--instances", type=int, default=1000, help="held out, at each setting")
    parser.add_argument("--learner", action="append", help="these learners only; repeatable")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    options = parser.parse_args()
    names = options.learner or list(FIGURES[options.paper].learners)
    train(options.paper, options.runs, names, options.seeds, options.steps, options.instances)
    rows = gathered(options.paper, options.runs, options.instances)
    about = {
        "paper": options.paper,
        "seeds": options.seeds,
        "steps": options.steps,
        "instances": options.instances,
        "learners": names,
        "says": FIGURES[options.paper].says,
    }
    write(options.paper, rows, about, options.out)
    Console().print(told(options.paper, rows))


if __name__ == "__main__":
    main()
