"""Learned against optimal: learners and one-line rules on the same instances of one environment.

Every learner is trained once per seed, then plays held-out instances that are common to all; the
environment's rules play them, too. Of a run r with returns R_rk on instances k of optimum O_k:

    share_r = Σ_k R_rk / Σ_k O_k        (where optima are positive; else the mean return)
    score   = the interquartile mean of share_r over seeds, with a stratified bootstrap interval
    gap     = the mean of O_k − R_rk, paired, for new seeds and new instances
    P(> rule) = the probability that a run earns more than the best rule does

An oracle (a rule whose name says so) sees what no policy sees: it is a bound and not a rival.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from learners import runs, saved, statistics
from learners.environment import Array
from learners.fields import whole_number
from learners.held import WATCHED, HeldOut, held_out
from learners.learner import Diverged, Learner, learner
from learners.runs import Make
from learners.saved import Run
from learners.statistics import Curve, Interval

FORMAT = "mechkit-comparison/1"
SEEDS, INSTANCES, WATCH = 10, 1000, 256
LEARNER, RULE, ORACLE = "learner", "rule", "oracle"
AXES = ("steps", "updates", "seconds")


@dataclass(frozen=True, eq=False)
class Row:
    """A learner or a rule. seeds: of the runs that finished; unfinished: what became of others.

    score: see the module. gap: in the environment's unit. improvement: over the best rule, None
    for a rule. welfare: from true values, as a share of the first best, None where the environment
    does not measure it. measures: whatever the environment measures, means over instances. steps,
    updates, seconds (training alone): means over seeds. selection_steps: the mean of those played
    outside the budget to choose what is deployed at the end, 0 for most. curves: the gap on watched
    instances, by axis.
    """

    name: str
    kind: str
    seeds: tuple[int, ...]
    score: Interval
    gap: Interval
    improvement: Interval | None
    welfare: Interval | None
    measures: Mapping[str, Interval]
    steps: float
    updates: float
    seconds: float
    selection_steps: float = 0.0
    curves: Mapping[str, Curve] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Table:
    """Everybody on one environment. environment: its spec. share: whether scores are shares of the
    optimum, and not mean returns. optimum, first_best: means over the held-out instances. rows: the
    best first. unfinished: runs that do not count, and why. notes: what else must be known."""

    environment: Mapping[str, Any]
    instances: int
    share: bool
    optimum: float
    first_best: float
    rows: tuple[Row, ...]
    unfinished: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> Row | None:
        """The learner or rule of the highest score; an oracle is none."""
        return next((row for row in self.rows if row.kind != ORACLE), None)

    def best_of(self, kind: str) -> Row | None:
        return next((row for row in self.rows if row.kind == kind), None)

    @property
    def beaten(self) -> bool:
        """A one-line rule scores higher than every learner."""
        return self.best is not None and self.best.kind == RULE


@dataclass(frozen=True)
class Overall:
    """A learner or rule over several environments: (seeds, environments) shares of the optimum."""

    name: str
    kind: str
    environments: int
    score: Interval


@dataclass(frozen=True, eq=False)
class Comparison:
    """One table for each environment; overall: what played in all of them, if there are several."""

    tables: tuple[Table, ...]
    overall: tuple[Overall, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        data = {
            "format": FORMAT,
            "tables": [
                asdict(table)
                | {
                    "best": table.best.name if table.best else None,
                    "rule_beats_every_learner": table.beaten,
                }
                for table in self.tables
            ],
            "overall": [asdict(row) for row in self.overall],
        }
        plain: dict[str, Any] = json.loads(json.dumps(data, default=_listed, allow_nan=False))
        return plain


def _listed(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{value!r} is no JSON")


# Training everybody -------------------------------------------------------------------------------


def compare(
    learners: Iterable[str | Learner],
    environment: Make,
    budget: int,
    seeds: Iterable[int] | int = SEEDS,
    *,
    configs: Mapping[str, Mapping[str, Any]] | None = None,
    evaluation_seed: int = 0,
    instances: int = INSTANCES,
    watched: int = WATCH,
    checkpoint: int | None = None,
    save: Path | None = None,
) -> Comparison:
    """Trains each learner for `budget` steps under each seed, plays all rules, and compares.

    environment: makes one; it is called for every run. seeds: the seeds, or how many, from 0.
    configs: fields to change, by the learner's name. save: where the runs are kept, and from where
    an interrupted comparison goes on. A run that diverges is reported in `unfinished`.

    Raises ValueError for no or duplicate seeds, no or unknown learners, configs of others, a budget
    below one batch or without an update.
    """
    chosen = chosen_learners(learners)
    given, budget = checked_seeds(seeds), whole_number("budget", budget)
    fitted = {one.name: runs.config_of(one, (configs or {}).get(one.name)) for one in chosen}
    if strange := sorted(set(configs or {}) - set(fitted)):
        raise ValueError(f"configs of {', '.join(strange)}: expected some of {', '.join(fitted)}")
    for one in chosen:
        runs.enough(one, fitted[one.name], budget)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) if save is None else save
        held, watch = common(folder, environment(), evaluation_seed, instances, watched)
        for seed in given:  # seed by seed, so that what is interrupted compares everybody
            for one in chosen:
                try:
                    runs.train(
                        place(folder, one.name, seed),
                        one,
                        environment,
                        seed=seed,
                        steps=budget,
                        held=held,
                        watched=watch,
                        config=fitted[one.name],
                        checkpoint=checkpoint,
                    )
                except Diverged:
                    continue  # the directory says so
        play_rules(folder, environment, given, held)
        return compared(saved.find([folder]))


def chosen_learners(learners: Iterable[str | Learner]) -> list[Learner]:
    """The learners of these names. Raises ValueError for none, duplicate or unknown ones."""
    chosen = [learner(given) if isinstance(given, str) else given for given in learners]
    if not chosen:
        raise ValueError("no learner: give at least one")
    if len({one.name for one in chosen}) < len(chosen):
        raise ValueError(f"learners {', '.join(one.name for one in chosen)}: one is given twice")
    return chosen


def checked_seeds(seeds: Iterable[int] | int) -> list[int]:
    """Seeds, from 0 where only their number is given. Raises ValueError for none and duplicates."""
    each = range(seeds) if isinstance(seeds, int) else seeds
    given = [whole_number("seed", k, least=0) for k in each]
    if not given:
        raise ValueError("no seeds: give at least one, ten for intervals that mean something")
    if len(set(given)) < len(given):
        raise ValueError(f"seeds {given}: one is given twice; runs of one seed are the same run")
    return given


def place(folder: Path, name: str, seed: int) -> Path:
    """Where the run of a learner under a seed is saved."""
    return folder / name / f"seed-{seed}"


def common(
    folder: Path, environment: Any, seed: int, instances: int, watched: int
) -> tuple[HeldOut, HeldOut]:
    """The instances that everybody is tested on, and those that learning curves are drawn from;
    their optima are found once."""
    return (
        held_out(environment, seed=seed, count=instances, file=folder / "held.parquet"),
        held_out(
            environment, seed=seed, count=watched, key=WATCHED, file=folder / "watched.parquet"
        ),
    )


def play_rules(
    folder: Path,
    environment: Make,
    seeds: Sequence[int],
    held: HeldOut,
    *,
    made: Mapping[str, Any] | None = None,
) -> None:
    """Every rule of the environment under each seed; one that draws no lots under the first two."""
    for name in environment().rules:
        first: Array | None = None
        for seed in seeds:
            at = folder / "rules" / name.replace("/", "-") / f"seed-{seed}"
            run = runs.play_rule(at, name, environment, seed=seed, held=held, made=made)
            assert run.final is not None
            if first is not None and np.array_equal(first, run.final["return"]):
                break
            first = run.final["return"]


# Comparing what was saved -------------------------------------------------------------------------


def compared(found: Iterable[Run], *, seed: int = 0) -> Comparison:
    """Saved runs side by side, one table per environment. seed: of the bootstrap.

    Raises ValueError where runs of one environment were tested on different instances, where two
    runs of one learner have the same seed, and where nothing is finished.
    """
    groups: dict[str, list[Run]] = {}
    for run in found:
        key = json.dumps([run.about["environment"], _tested_on(run)], sort_keys=True)
        groups.setdefault(key, []).append(run)
    names = [json.loads(key)[0] for key in groups]
    for spec in names:
        if names.count(spec) > 1:
            raise ValueError(
                f"runs on {spec['name']} were tested on different instances: compare those of one "
                "--evaluation-seed and one number of --instances"
            )
    tables = tuple(_table(own, seed) for own in groups.values())
    if not any(table.rows for table in tables):
        told = "; ".join(line for table in tables for line in table.unfinished)
        raise ValueError(f"no run is finished: {told or 'there is none'}")
    return Comparison(tables, _overall(groups.values(), tables, seed))


def _tested_on(run: Run) -> list[int]:
    evaluation = run.about["evaluation"]
    return [evaluation["seed"], evaluation["instances"]]


def _named(group: Sequence[Run]) -> dict[tuple[str, str], list[Run]]:
    """(kind, name) -> finished and unfinished runs, in the order of their seeds. Where one learner
    was trained with several configs, its names say in what they differ."""
    kinds: dict[tuple[str, str], list[Run]] = {}
    for run in group:
        kinds.setdefault((_kind(run), run.about["name"]), []).append(run)
    named: dict[tuple[str, str], list[Run]] = {}
    for (kind, name), own in kinds.items():
        configs = [run.about["config"] for run in own]
        varying = [key for key in configs[0] if len({repr(c.get(key)) for c in configs}) > 1]
        for run in sorted(own, key=lambda run: run.about["seed"]):
            told = ", ".join(f"{key}={run.about['config'][key]}" for key in varying)
            label = f"{name} ({told})" if told else name
            named.setdefault((kind, label), []).append(run)
    for (_, label), own in named.items():
        own_seeds = [run.about["seed"] for run in own]
        if len(set(own_seeds)) < len(own_seeds):
            raise ValueError(f"{label}: two runs have the same seed, {own_seeds}; leave one out")
    return named


def _kind(run: Run) -> str:
    if run.about["kind"] == LEARNER:
        return LEARNER
    return ORACLE if ORACLE in run.about["name"].split() else RULE


def _table(group: Sequence[Run], seed: int) -> Table:
    named = _named(group)
    finished = {
        key: [(run, run.final) for run in own if run.final is not None]
        for key, own in named.items()
    }
    finished = {key: own for key, own in finished.items() if own}
    lost = tuple(
        f"{label}, seed {run.about['seed']}: "
        + (run.diverged or f"at {run.trained['steps']:,} of {run.about['steps']:,} steps")
        for (_, label), own in named.items()
        for run in own
        if run.final is None
    )
    spec = group[0].about["environment"]
    if not finished:
        return Table(spec, group[0].about["evaluation"]["instances"], True, 0.0, 0.0, (), lost)
    every = [final for own in finished.values() for _, final in own]
    optimum, first_best = every[0]["optimum"], every[0]["first_best"]
    if any(not np.array_equal(final["optimum"], optimum) for final in every):
        raise ValueError(
            f"runs on {spec['name']}: optima differ, so that instances do; train again"
        )
    share = bool((optimum >= 0).all() and optimum.sum() > 0)
    scale = optimum.sum() if share else float(len(optimum))
    scores = {
        key: np.array([[final["return"].sum() / scale] for _, final in own])
        for key, own in finished.items()
    }
    rules = [found for (kind, _), found in scores.items() if kind == RULE]
    rival = max(rules, key=lambda found: float(statistics.iqm(found)), default=None)
    if rival is not None and (rival == rival[0]).all():
        rival = rival[:1]  # it draws no lots: however often it plays, it is one run
    rows = [
        _row(kind, label, own, scores[kind, label], rival, optimum, first_best, seed)
        for (kind, label), own in finished.items()
    ]
    rows.sort(key=lambda row: (-row.score.value, row.kind != RULE, row.name))
    return Table(
        environment=spec,
        instances=len(optimum),
        share=share,
        optimum=float(optimum.mean()),
        first_best=float(first_best.mean()),
        rows=tuple(rows),
        unfinished=lost,
        notes=(*_chosen(rows), *_above(finished, optimum)),
    )


def _chosen(rows: Iterable[Row]) -> Iterable[str]:
    """Who was given more steps than the budget."""
    for row in rows:
        if row.selection_steps > 0:
            yield (
                f"{row.name}: {row.selection_steps:,.0f} further steps choose its target return, "
                "outside the budget and the seconds"
            )


def _above(finished: Mapping[tuple[str, str], Sequence[Any]], optimum: Array) -> Iterable[str]:
    """Who earned more than the optimum, by actions between the levels over which that was taken."""
    for (_, label), own in finished.items():
        gaps = np.stack([optimum - final["return"] for _, final in own])
        over = statistics.exceeded(gaps, optimum)
        if over.any():
            yield (
                f"{label} acts between the levels of which the optimum is taken, and earns more "
                f"than it on {over.mean():.1%} of the instances, at most by {-gaps.min():.4g}"
            )


def _row(
    kind: str,
    label: str,
    own: Sequence[tuple[Run, Mapping[str, Array]]],
    scores: Array,
    rival: Array | None,
    optimum: Array,
    first_best: Array,
    seed: int,
) -> Row:
    finals = [final for _, final in own]
    gaps = statistics.paired_gaps(np.stack([final["return"] for final in finals]), optimum)
    measures = [key for key in finals[0] if key.startswith("measure.")]
    welfare = None
    if "measure.welfare" in measures and first_best.sum() > 0:
        shares = [[final["measure.welfare"].sum() / first_best.sum()] for final in finals]
        welfare = statistics.bootstrap(statistics.iqm, np.array(shares), seed=seed)
    trained = {axis: float(np.mean([run.trained[axis] for run, _ in own])) for axis in AXES}
    curves = {}
    if kind == LEARNER:
        for axis in AXES:
            at = [run.metrics[axis] for run, _ in own]
            reached = [run.metrics["gap"] for run, _ in own]
            # Of very short runs, one may have ended before another's first checkpoint, in seconds.
            if max(own_at[0] for own_at in at) <= min(own_at[-1] for own_at in at):
                curves[axis] = statistics.learning_curve(at, reached, seed=seed)
    beats = None
    if kind == LEARNER and rival is not None:
        beats = statistics.improvement_interval(scores, rival, seed=seed)
    return Row(
        name=label,
        kind=kind,
        seeds=tuple(int(run.about["seed"]) for run, _ in own),
        score=statistics.bootstrap(statistics.iqm, scores, seed=seed),
        gap=statistics.mean_gap(gaps, seed=seed),
        improvement=beats,
        welfare=welfare,
        measures={
            key.removeprefix("measure."): statistics.bootstrap(
                statistics.iqm, np.array([[final[key].mean()] for final in finals]), seed=seed
            )
            for key in measures
        },
        selection_steps=float(np.mean([run.trained.get("selection_steps", 0) for run, _ in own])),
        curves=curves,
        **trained,
    )


def _overall(
    groups: Iterable[Sequence[Run]], tables: Sequence[Table], seed: int
) -> tuple[Overall, ...]:
    """What finished equally often in every environment; nothing where there is but one, or where
    scores are no shares."""
    if len(tables) < 2 or not all(table.share for table in tables):
        return ()
    shares: dict[tuple[str, str], list[Array]] = {}
    for group in groups:
        for key, own in _named(group).items():
            finals = [run.final for run in own if run.final is not None]
            if finals:
                scores = [final["return"].sum() / final["optimum"].sum() for final in finals]
                shares.setdefault(key, []).append(np.array(scores))
    rows = []
    for (kind, name), columns in shares.items():
        if len(columns) == len(tables) and len({len(column) for column in columns}) == 1:
            score = statistics.bootstrap(statistics.iqm, np.stack(columns, axis=1), seed=seed)
            rows.append(Overall(name, kind, len(columns), score))
    return tuple(sorted(rows, key=lambda row: -row.score.value))
