"""The commands `mechkit learn` and `mechkit compare`: how far from the optimum training leads.

Exit codes: 0 done; 1 the best learner fell short of --require, or a run diverged; 2 the input was
wrong, a library is missing, or a file could not be written.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mechkit.errors import InputError
from mechkit.options import JSON, WORKERS, assignments, finite
from mechkit.terminal import aside, progress, put, put_json, save, waiting, write

if TYPE_CHECKING:
    from learners.compare import Comparison
    from learners.saved import Run


def pairs(ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """Assignments whose values are numbers, true, false, a,b for several, or text."""
    return {
        name: tuple(map(_value, value.split(","))) if "," in value else _value(value)
        for name, value in assignments(ctx, parameter, given).items()
    }


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.strip()


REQUIRE = click.option(
    "--require",
    type=click.FloatRange(min=0, max=1),
    metavar="SHARE",
    help="Exit with 1 unless the best learner reaches this share of the optimum, 0.98 say.",
)


@click.command(
    epilog="\b\nExamples:\n"
    "  mechkit learn dmsb --learner diffusion --steps 500000 --save runs\n"
    "  mechkit learn dmsb --learner ppo --learner gpt --seeds 5 --steps 50000 --save small\n"
    "  mechkit learn madda -o buyers=50 -o sellers=50 --learner gpt --steps 200000 --save runs50\n"
    "  mechkit learn dmsb --learner discrete-sac --config width=64 --steps 50000 --save narrow\n"
    "\b\nThen:\n"
    "  mechkit compare runs --plot runs.png"
)
@click.argument("environment", metavar="ENVIRONMENT")
@click.option(
    "--learner",
    "names",
    multiple=True,
    required=True,
    metavar="NAME",
    help="ppo, sac, ddpg, discrete-sac, diffusion, diffusion-printed, gpt, cloning or "
    "percentile-cloning; repeatable.",
)
@click.option(
    "--seeds", type=click.IntRange(min=1), metavar="N", default=10, show_default=True,
    help="How many runs of each, from --seed on.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), metavar="N", default=0, show_default=True)
@click.option(
    "--steps", type=click.IntRange(min=1), metavar="N", default=100_000, show_default=True,
    help="Environment steps of each run.",
)  # fmt: skip
@click.option(
    "--save", "folder", type=click.Path(path_type=Path), metavar="DIR", required=True,
    help="Where the runs are kept; what is there goes on where it stopped.",
)  # fmt: skip
@WORKERS
@click.option(
    "--option", "-o", "options", multiple=True, metavar="NAME=VALUE", callback=pairs,
    help="Of the environment: stations=3, buyers=50; repeatable.",
)  # fmt: skip
@click.option(
    "--config", multiple=True, metavar="NAME=VALUE", callback=pairs,
    help="Of every learner: width=64, or of one: discrete-sac.width=64; repeatable.",
)  # fmt: skip
@click.option(
    "--checkpoint", type=click.IntRange(min=1), metavar="STEPS",
    help="Save and test each so many steps; a twentieth of all if not said.",
)  # fmt: skip
@click.option(
    "--instances", type=click.IntRange(min=1), metavar="N", default=1000, show_default=True,
    help="Held out, the same for everybody.",
)  # fmt: skip
@click.option(
    "--evaluation-seed", type=click.IntRange(min=0), metavar="N", default=0, show_default=True,
    help="Of the held-out instances.",
)  # fmt: skip
@click.option("--tensorboard", is_flag=True, help="Log to DIR/LEARNER/seed-K/tensorboard, too.")
@REQUIRE
@JSON
def learn(
    environment: str,
    names: tuple[str, ...],
    seeds: int,
    seed: int,
    steps: int,
    folder: Path,
    workers: int | None,
    options: Mapping[str, Any],
    config: Mapping[str, Any],
    checkpoint: int | None,
    instances: int,
    evaluation_seed: int,
    tensorboard: bool,
    require: float | None,
    json_: bool,
) -> int:
    """Train learners on a paper's market, and compare them with its exact optimum.

    ENVIRONMENT is dmsb or madda, or a problem of known answer: arms, reserve or clock. Each learner
    is trained once per seed, in processes of one thread; then it plays instances that nobody has
    seen, and so do the one-line rules of the market. What was interrupted, by Ctrl-C or a kill,
    goes on where it stopped when the command is given again.

    Exits with 1 if the best learner falls short of --require, or a run diverged.
    """
    from learners import compare as comparing
    from learners import runs, saved
    from mechkit.training import Task, performed

    with told():
        make = made(environment, options)
        chosen = comparing.chosen_learners(names)
        strange = {key.rpartition(".")[0] for key in config} - {n.replace("-", "_") for n in names}
        if strange - {""}:
            raise InputError(f"--config of {', '.join(strange - {''})}: not a --learner given here")
        fitted = {one.name: fit(one, config) for one in chosen}
        for one in chosen:
            runs.enough(one, runs.config_of(one, fitted[one.name]), steps)
        given = tuple(range(seed, seed + seeds))
        with aside(), waiting(f"finding the optima of {instances:,} instances of {environment}"):
            writable(folder)
            comparing.common(folder, make(), evaluation_seed, instances, comparing.WATCH)
    shared: dict[str, Any] = {
        "environment": environment,
        "options": dict(options),
        "steps": steps,
        "checkpoint": checkpoint,
        "evaluation": evaluation_seed,
        "instances": instances,
        "watched": comparing.WATCH,
        "tensorboard": tensorboard,
    }
    # Seed by seed, so that what is interrupted compares everybody; the rules, the shortest, first.
    tasks = [Task(folder=folder, learner=None, config={}, seeds=given, **shared)] + [
        Task(
            folder=comparing.place(folder, one.name, each),
            learner=one.name,
            config=fitted[one.name],
            seeds=(each,),
            **shared,
        )
        for each in given
        for one in chosen
    ]
    with told():
        diverged = performed(tasks, workers or os.cpu_count() or 1, f"learning {environment}")
        found = comparing.compared(saved.find([folder]))
    missing = [*diverged, *short(found, require)]
    show(found, [], json_)
    click.echo(f"\nsaved {folder}; again: mechkit compare {folder}", err=json_)
    for line in missing:
        click.echo(line, err=True)
    return 1 if missing else 0


@click.command(
    epilog="\b\nExamples:\n"
    "  mechkit compare runs\n"
    "  mechkit compare runs narrow --plot runs.png --html runs.html\n"
    "  mechkit compare runs --audit --json > runs.json\n"
    "  mechkit compare runs --require 0.98"
)
@click.argument(
    "folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR..."
)
@click.option(
    "--audit", is_flag=True,
    help="Put each learner's best policy to the properties of its mechanism, too.",
)  # fmt: skip
@click.option(
    "--evaluations", type=click.IntRange(min=1), metavar="N", default=20_000, show_default=True,
    help="Runs of a policy's mechanism that the audit spends on each property.",
)  # fmt: skip
@click.option(
    "--seconds", type=float, metavar="S", callback=finite, default=8.0, show_default=True,
    help="The most that it searches for each; what lies gain is measured as long again.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), metavar="N", default=0, show_default=True)
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE.png", help="Learning curves, too."
)
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="A page, too.")
@REQUIRE
@JSON
def compare(
    folders: tuple[Path, ...],
    audit: bool,
    evaluations: int,
    seconds: float,
    seed: int,
    plot: Path | None,
    html: Path | None,
    require: float | None,
    json_: bool,
) -> int:
    """Compare saved runs: learners and one-line rules beside the exact optimum.

    Scores are interquartile means over seeds with 95 % stratified bootstrap intervals; gaps are
    paired per instance. Each DIR is a directory that `mechkit learn --save` made, or one inside it.

    With --audit the policy of each learner's best seed is taken as a mechanism and searched for
    violations of incentive compatibility, individual rationality and budget balance; a policy runs
    on floats, so that what is found is called float64 evidence and never exact.

    Exits with 1 if the best learner falls short of --require.
    """
    for file in (html, plot):
        if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
            raise InputError(f"{file}: give a file name in a directory that is there")
    if plot is not None and plot.suffix != ".png":
        raise InputError(f"{plot}: expected a name that ends in .png")
    from learners import compare as comparing
    from learners import saved
    from mechkit import pictures, standings

    if plot is not None:
        pictures.sheet(1, 1)  # a missing library is told before the work

    with told():
        known = saved.find(folders)
        found = comparing.compared(known, seed=seed)
    missing = short(found, require)
    audits: list[Any] = []
    if audit:
        from mechkit import learned

        with told(), aside(), progress("auditing") as bar:
            chosen = best_runs(known)
            for done, run in enumerate(chosen):

                def ahead(share: float, what: str, done: int = done, run: Run = run) -> None:
                    bar((done + share) / len(chosen), f"{run.about['name']}: {what}")

                audits.append(
                    learned.audit(
                        run, seed=seed, evaluations=evaluations, seconds=seconds, progress=ahead
                    )
                )
    show(found, audits, json_)
    if plot is not None:
        save(plot, lambda: standings.plot(found, plot), quiet=json_)
    if html is not None:
        save(html, lambda: write(html, standings.page(found, audits)), quiet=json_)
    for line in missing:
        click.echo(line, err=True)
    return 1 if missing else 0


# What both need -----------------------------------------------------------------------------------


@contextmanager
def told() -> Iterator[None]:
    """Errors of the learners' room, as the terminal reports them."""
    try:
        yield
    except ImportError as error:
        raise InputError(str(error)) from None
    except ValueError as error:
        raise error if isinstance(error, InputError) else InputError(str(error)) from None


def writable(folder: Path) -> None:
    """Makes the directory. Raises InputError where nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror or error}); give a directory that can be"
        ) from None


def made(name: str, options: Mapping[str, Any]) -> Any:
    """Makes the environment of that name. Raises InputError for one that is not, or its options."""
    from mechkit import environments

    make = partial(environments.environment, name, **options)
    try:
        make()
    except TypeError as error:
        raise InputError(f"{name}: {error}") from None
    return make


def fit(one: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """What of the config is for this learner: NAME, or LEARNER.NAME for it alone; whole numbers as
    floats where its field is one."""
    kinds, own = {f.name: f.type for f in fields(one.config)}, {}
    for key, value in config.items():
        whose, _, name = key.rpartition(".")
        if whose in ("", one.name.replace("-", "_")):
            floating = kinds.get(name) in (float, "float") and type(value) is int
            own[name] = float(value) if floating else value
    return own


def show(found: Comparison, audits: Sequence[Any], json_: bool) -> None:
    from mechkit import standings

    if json_:
        put_json(found.as_json() | {"audits": [audit.as_json() for audit in audits]})
    else:
        put(standings.render(found, audits), piped=standings.WIDE)
    sys.stdout.flush()


def short(found: Comparison, require: float | None) -> list[str]:
    """Why the best learner of some environment falls short of the share that is required.

    Raises InputError where there is no share, before anything is printed.
    """
    from learners.compare import LEARNER

    told = []
    for table in found.tables if require is not None else ():
        name, best = table.environment["name"], table.best_of(LEARNER)
        if not table.share:
            raise InputError(
                f"--require {require}: optima of {name} are not positive, so that there is no "
                "share of them"
            )
        if best is None or best.score.value < float(require or 0):
            reached = "no learner" if best is None else f"{best.name} with {best.score.value:.4f}"
            told.append(f"short of --require {require}: {name}, {reached}")
    return told


def best_runs(known: Sequence[Run]) -> list[Run]:
    """Of each learner, config and environment the finished run of the largest mean return."""
    best: dict[str, Run] = {}
    for run in known:
        about = run.about
        if about["kind"] == "learner" and run.final is not None:
            key = repr((about["name"], about["config"], about["environment"]))
            there = best.get(key)
            if (
                there is None
                or there.final is None
                or (run.final["return"].mean() > there.final["return"].mean())
            ):
                best[key] = run
    return list(best.values())
