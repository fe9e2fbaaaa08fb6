"""One training run: a learner on an environment under a seed, saved in a directory of its own.

A run that is killed goes on from its last checkpoint as if nothing had happened; what it lost is at
most what came after. The run's seed feeds the learner. The evaluation seed draws the instances, by
keys that training never uses, so that everybody is tested on the same, and nobody has seen them:
`watched` instances draw the learning curve, `held` ones are looked at once, at the end. What the
directory holds is said in `saved`.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import math
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from learners import store
from learners.environment import Array, Environment, Instances, seeds
from learners.evaluate import Evaluation, Ruled, evaluate
from learners.fields import whole_number
from learners.held import PLAYED, HeldOut, spec_of, stream
from learners.learner import INSTALL, Diverged, Learner, Policy, Trainer
from learners.saved import DIVERGED, FINAL, FORMAT, METRICS, RUN, Run, about_of, read
from learners.statistics import exceeded

PIECES = 20
"""Checkpoints of a run, where it is not said how far apart they are."""
LIBRARIES = ("mechkit-econ", "numpy", "scipy", "torch", "stable-baselines3", "gymnasium")

Make = Callable[[], Environment]


def config_of(learner: Learner, given: Mapping[str, Any] | None = None) -> Any:
    """The learner's config with these fields changed. Raises ValueError for unknown ones."""
    known = {f.name for f in fields(learner.config)}
    unknown = sorted(set(given or {}) - known)
    if unknown:
        raise ValueError(
            f"config {', '.join(unknown)}: {learner.name} has {', '.join(sorted(known))}"
        )
    return learner.config(**(given or {}))


def enough(learner: Learner, config: Any, steps: int) -> None:
    """Raises ValueError for a budget of which the config says that nothing is learnt in it."""
    idle = getattr(config, "idle", 0)
    if steps <= idle:
        raise ValueError(
            f"steps = {steps}: {learner.name} learns nothing in its first {idle} steps (warmup); "
            f"give more steps, or a smaller warmup ({learner.name.replace('-', '_')}.warmup)"
        )


# Training -----------------------------------------------------------------------------------------


def train(
    folder: Path,
    learner: Learner,
    make: Make,
    *,
    seed: int,
    steps: int,
    held: HeldOut,
    watched: HeldOut,
    config: Any = None,
    checkpoint: int | None = None,
    made: Mapping[str, Any] | None = None,
    tensorboard: bool = False,
) -> Run:
    """Trains for at least so many environment steps and tests the policy; goes on where an earlier
    call was interrupted, and returns at once where there is nothing left to do.

    make: makes the environment, called once to train and once to test. checkpoint: steps between
    two, a twentieth of all if not said. made: what `make` does, JSON, for whoever reads the run.

    Raises ValueError for a budget below one batch or without an update, and where `folder` holds a
    run of another learner, config, environment or seed; `store.Damaged` for a damaged file;
    `store.Unsaved` where the disk is full; `Diverged`, naming the step and the last good
    checkpoint.
    """
    steps = whole_number("steps", steps)
    checkpoint = None if checkpoint is None else whole_number("checkpoint", checkpoint)
    environment, testing = make(), make()
    config = config_of(learner) if config is None else config
    enough(learner, config, steps)
    identity = {
        "kind": "learner",
        "name": learner.name,
        "config": asdict(config),
        "environment": spec_of(environment),
        "seed": whole_number("seed", seed, least=0),
        "evaluation": {"seed": held.seed, "instances": held.count, "watched": watched.count},
    }
    with store.alone(folder):
        about = _opened(folder, identity, made or {})
        apart = about.get("checkpoint") or max(1, steps // PIECES)
        if checkpoint not in (None, about.get("checkpoint", checkpoint)):
            raise ValueError(
                f"checkpoint = {checkpoint}: {folder} was begun with {apart}, and another spacing "
                "is another run; leave it out, or give another directory"
            )
        about |= {"checkpoint": checkpoint or apart, "steps": steps}
        found = store.last_checkpoint(folder)
        if found is not None and found.steps >= steps and (done := read(folder)).final is not None:
            return done
        trainer = learner.start(environment, config, seeds(seed, 1)[0])
        if found is not None:
            _loaded(trainer, found)
        start = {"from": trainer.steps, "command": sys.argv, "versions": versions()}
        about["history"] = [*about.get("history", ()), start]
        (folder / DIVERGED).unlink(missing_ok=True)
        log = _Log(folder, found, watched, tensorboard)
        with contextlib.closing(log):
            _go_on(
                trainer,
                learner.name,
                about,
                log,
                lambda: _tested(trainer.policy(), testing, watched.instances, seed)[0],
            )
        if trainer.updates == 0:
            raise ValueError(
                f"steps = {steps}: {learner.name} made no update in them, so that there is nothing "
                "to score; give more steps"
            )
        tested = _tested(trainer.policy(), testing, held.instances, seed)
        trained = {k: log.last[k] for k in ("steps", "updates", "seconds")}
        _finished(folder, tested, held, trained | {"selection_steps": _selection(trainer)})
        store.prune(folder, 1)
    return read(folder)


def _opened(folder: Path, identity: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, Any]:
    """run.json as it is to be: what is there, if it is the same run. Raises ValueError."""
    wanted = store.plain(identity)
    if not (folder / RUN).exists():
        return {"format": FORMAT, **wanted, "made": store.plain(dict(made))}
    there = about_of(folder)
    differing = list(_differences(wanted, {key: there.get(key) for key in wanted}))
    if differing:
        raise ValueError(
            f"{folder} holds another run: {'; '.join(differing[:3])}; give another directory, or "
            "remove it to start again"
        )
    return there


def _differences(wanted: Any, there: Any, name: str = "") -> Any:
    """What differs, in words, part by part."""
    if isinstance(wanted, dict) and isinstance(there, dict):
        for key in [*wanted, *(key for key in there if key not in wanted)]:
            yield from _differences(wanted.get(key), there.get(key), f"{name} {key}".strip())
    elif wanted != there:
        yield f"its {name} is {there!r}, and {wanted!r} was asked for"


def _loaded(trainer: Trainer, found: store.Checkpoint) -> None:
    try:
        trainer.load(found.arrays, found.numbers)
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"{found.file}: does not fit this learner ({error}); another version saved it: give "
            "another directory, or remove this one to start again"
        ) from None
    if trainer.steps != found.steps:
        raise ValueError(f"{found.file}: of step {found.steps}, the learner says {trainer.steps}")


def _go_on(
    trainer: Trainer, name: str, about: Mapping[str, Any], log: _Log, test: Callable[[], Evaluation]
) -> None:
    """Checkpoint after checkpoint, to the last step."""
    apart, steps = about["checkpoint"], about["steps"]
    try:
        if trainer.steps > 0:
            store.write_json(log.folder / RUN, about)
        while trainer.steps < steps:
            started, until = time.perf_counter(), min((trainer.steps // apart + 1) * apart, steps)
            numbers: Mapping[str, float] = {}
            if trainer.steps == 0:
                numbers = _advanced(trainer, name, 1)  # the smallest piece there is
                if trainer.steps > steps:
                    raise ValueError(
                        f"steps = {steps}: below one batch of {name}, {trainer.steps} steps; give "
                        "at least that, or a smaller batch"
                    )
                store.write_json(log.folder / RUN, about)
            if trainer.steps < until:
                numbers = _advanced(trainer, name, until - trainer.steps)
            taken = time.perf_counter() - started
            log.add(trainer, numbers, test(), taken)
            arrays, state = trainer.save()
            log.write()
            store.save_checkpoint(log.folder, trainer.steps, arrays, state, log.last)
    except Diverged as error:
        good = store.last_checkpoint(log.folder)
        where = "before its first checkpoint"
        if good is not None:
            where = f"the last good checkpoint is {good.file.with_suffix('')}, step {good.steps}"
        told = f"{name} diverged at step {trainer.steps}: {error}; {where}"
        store.write_json(log.folder / RUN, about)
        store.write_json(log.folder / DIVERGED, {"step": trainer.steps, "told": told})
        raise Diverged(told) from None


def _selection(trainer: Trainer) -> int:
    """Steps outside the budget behind the choice of its last policy; most learners choose none."""
    return int(getattr(trainer, "selection_steps", 0))


def _advanced(trainer: Trainer, name: str, steps: int) -> Mapping[str, float]:
    """Trains; the learner's numbers. Raises Diverged where one is not finite."""
    before = trainer.steps
    numbers = trainer.advance(steps)
    bad = [key for key, value in numbers.items() if not math.isfinite(value)]
    if bad:
        raise Diverged(f"{', '.join(bad)} not finite")
    if trainer.steps < before + steps:
        raise RuntimeError(f"{name}: asked for {steps} steps, it made {trainer.steps - before}")
    return numbers


@dataclass
class _Levels:
    """A policy, and whether it kept to the levels of a discrete learner."""

    policy: Policy
    levels: Array
    kept: bool = True

    def begin(self, batch: int, rng: np.random.Generator) -> None:
        self.policy.begin(batch, rng)

    def act(self, observation: Array) -> Array:
        actions = self.policy.act(observation)
        self.kept = self.kept and bool(np.isin(actions, self.levels).all())
        return actions

    def observe(self, reward: Array, ended: Array) -> None:
        self.policy.observe(reward, ended)


def _tested(
    policy: Policy, environment: Environment, instances: Instances, seed: int
) -> tuple[Evaluation, bool]:
    """Each instance played to its end, and whether that was by levels alone; whatever lots are
    drawn are drawn anew from the seed."""
    watching = _Levels(policy, np.array(environment.spec.levels))
    found = evaluate(watching, environment, instances, stream(seed, PLAYED))
    if not np.isfinite(found.returns).all():
        raise Diverged("the policy's returns are not finite")
    return found, watching.kept


def _finished(
    folder: Path, tested: tuple[Evaluation, bool], held: HeldOut, trained: Mapping[str, float]
) -> None:
    """final.parquet: what the policy did on each held-out instance.

    Raises ValueError where it earned more than an optimum of which it had no more choices.
    """
    found, levels = tested
    over = exceeded(held.optimum - found.returns, held.optimum)
    if levels and over.any():
        k = int(np.argmax(over))
        raise ValueError(
            f"{folder.name} earned {found.returns[k]:.9g} on instance {k}, whose optimum is given "
            f"as {held.optimum[k]:.9g}: the environment's optimum is none, please report it"
        )
    columns = {
        "return": found.returns,
        "steps": found.steps,
        "optimum": held.optimum,
        "first_best": held.first_best,
        **{f"measure.{name}": np.asarray(values) for name, values in found.measures.items()},
    }
    store.write_table(folder / FINAL, columns, {**trained, "levels": levels})


class _Log:
    """The rows of metrics.parquet, and TensorBoard's where wanted."""

    def __init__(
        self,
        folder: Path,
        found: store.Checkpoint | None,
        watched: HeldOut,
        tensorboard: bool,
    ) -> None:
        self.folder, self.watched = folder, watched
        self.rows: list[dict[str, float]] = []
        if found is not None:
            columns, _ = store.read_table(folder / METRICS)
            known = [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ]
            # A row may have been written whose checkpoint was not.
            self.rows = [row for row in known if row["steps"] <= found.steps]
        self.board: Any = None
        if tensorboard:
            self.board = _board(folder / "tensorboard", 0 if found is None else found.steps + 1)

    @property
    def last(self) -> dict[str, float]:
        return self.rows[-1]

    def add(
        self, trainer: Trainer, numbers: Mapping[str, float], found: Evaluation, seconds: float
    ) -> None:
        """found: of the policy that was deployed last. seconds: of training, the evaluation and
        the choice of what is deployed apart."""
        earlier = self.last["seconds"] if self.rows else 0.0
        row = {
            "steps": trainer.steps,
            "updates": trainer.updates,
            "seconds": earlier + seconds,
            "return": float(found.returns.mean()),
            "gap": float((self.watched.optimum - found.returns).mean()),
            "selection_steps": _selection(trainer),
            **{name: float(value) for name, value in numbers.items()},
        }
        self.rows.append(row)
        if self.board is not None:
            for name, value in row.items():
                self.board.add_scalar(name, value, trainer.steps)
            self.board.flush()

    def write(self) -> None:
        names = dict.fromkeys(name for row in self.rows for name in row)
        columns = {name: np.array([row.get(name, math.nan) for row in self.rows]) for name in names}
        store.write_table(self.folder / METRICS, columns, {})

    def close(self) -> None:
        if self.board is not None:
            self.board.close()


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ImportError(f"TensorBoard is missing: {INSTALL}", name="tensorboard") from None
    return SummaryWriter(str(folder), purge_step=step)


# Rules --------------------------------------------------------------------------------------------


def play_rule(
    folder: Path,
    name: str,
    make: Make,
    *,
    seed: int,
    held: HeldOut,
    made: Mapping[str, Any] | None = None,
) -> Run:
    """A rule of the environment on the same instances, saved like a run without training; the seed
    is that of the lots it draws. Raises ValueError for a rule that the environment has not."""
    environment = make()
    if name not in environment.rules:
        raise ValueError(f"rule {name!r}: expected one of {', '.join(environment.rules)}")
    identity = {
        "kind": "rule",
        "name": name,
        "config": {},
        "environment": spec_of(environment),
        "seed": whole_number("seed", seed, least=0),
        "evaluation": {"seed": held.seed, "instances": held.count, "watched": 0},
    }
    with store.alone(folder):
        about = _opened(folder, identity, made or {})
        if not (folder / FINAL).exists():
            found = _tested(
                Ruled(environment, environment.rules[name]), environment, held.instances, seed
            )
            store.write_json(folder / RUN, about | {"steps": 0, "history": [versions()]})
            _finished(folder, found, held, {"steps": 0, "updates": 0, "seconds": 0.0})
    return read(folder)


def trained_policy(run: Run, learner: Learner, make: Make) -> Policy:
    """The policy of the last checkpoint. Raises ValueError where there is none that fits."""
    environment = make()
    differing = list(_differences(spec_of(environment), run.about["environment"], "environment"))
    if differing:
        raise ValueError(f"{run.folder}: {'; '.join(differing[:3])}")
    found = store.last_checkpoint(run.folder)
    if found is None:
        raise ValueError(f"{run.folder}: no checkpoint yet; train it first")
    config = config_of(learner, run.about["config"])
    trainer = learner.start(environment, config, seeds(run.about["seed"], 1)[0])
    _loaded(trainer, found)
    return trainer.policy()


@cache
def versions() -> dict[str, str]:
    """Of Python and of what a result may depend on, by distribution."""
    known = {"python": platform.python_version()}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            known[name] = importlib.metadata.version(name)
    return known
