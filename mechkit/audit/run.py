"""The whole catalogue against its truth table.

Every entry declares, from the literature or by an argument, which properties hold and which fail.
An audit runs `verify` on each and compares: a property declared to fail must be refuted, by a
witness that survives a round trip through JSON and an exact replay; one declared to hold must be
searched with something at stake and not refuted. Anything else, on either side, is a disagreement,
and one of the two is wrong. The budget is in evaluations, so that a seed gives the same cells on
any machine. With `save`, each finished entry is written at once (see `files`), and a run that
was killed goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mechkit import catalogue, witness
from mechkit.audit.files import Folder, digest_of, version
from mechkit.audit.pool import spread
from mechkit.audit.record import Agreement, Audit, Cell, Row, as_json, row_from
from mechkit.catalogue.entry import Entry
from mechkit.errors import require
from mechkit.mechanism import Mechanism
from mechkit.priors import level_weights
from mechkit.properties import PROPERTIES
from mechkit.story import story
from mechkit.verdict import Counterexample, Effort, Status, Verdict, fraction_text
from mechkit.verify import verify

EVALUATIONS = 200_000
SECONDS = 60.0
"""A cap for each entry, so that nothing hangs; far above what the evaluations take."""
HEADLINES = ("ic", "bic", "ir", "interim_ir", "feasible", "weak_budget_balance", "monotone")
"""What a faulty entry is first suspected of; otherwise the first property that it fails."""

Progress = Callable[[float, str], None]


# One cell, one entry ------------------------------------------------------------------------------


def compare(
    expected: bool | None, status: Status, *, estimated: bool = False, replays: bool = True
) -> Agreement:
    """What a verdict says about a declaration. replays: whether a refuted cell's witness does.

    Nothing found, nothing exercised and nothing decided do not confirm a declared failure; nothing
    exercised does not confirm that a property holds, unless it can only be estimated.
    """
    if status is Status.NOT_APPLICABLE:
        return Agreement.NOT_APPLICABLE if expected is None else Agreement.DISAGREES
    if expected is None:
        return Agreement.UNDECLARED
    if not expected:
        caught = status is Status.REFUTED and replays
        return Agreement.REFUTED if caught else Agreement.DISAGREES
    if status in (Status.UNREFUTED, Status.PROVED) or (estimated and status is Status.UNKNOWN):
        return Agreement.NOT_REFUTED
    return Agreement.DISAGREES


def is_estimated(mechanism: Mechanism, name: str) -> bool:
    """Whether a property is an expectation over a continuous prior."""
    setting = mechanism.setting
    family = PROPERTIES[name].checks(setting)[0].family
    return family == "interim" and level_weights(setting.types, setting.prior) is None


def evidence(verdict: Verdict) -> str:
    """One line: the gain, the effort, or the reason."""
    if verdict.counterexample is not None:
        return gained(verdict.counterexample)
    if verdict.certificate is not None:
        return f"{verdict.certificate.method}: {verdict.certificate.domain}"
    if verdict.reason and verdict.status is not Status.UNREFUTED:
        return verdict.reason
    return tried(verdict.effort)


def gained(found: Counterexample) -> str:
    return f"gain {fraction_text(found.gain)} ({found.unit}, {found.arithmetic})"


def tried(effort: Effort) -> str:
    least = "none" if effort.smallest is None else f"{effort.smallest + 0.0:.3g}"  # never "-0"
    return f"{effort.deviations:,} cases, smallest margin {least}"


def audit_entry(
    entry: Entry,
    *,
    seed: int,
    evaluations: int,
    seconds: float = SECONDS,
    properties: tuple[str, ...] | None = None,
) -> Row:
    """One entry against its truth table; `properties` limits what is asked (all by default)."""
    started, setting = time.monotonic(), "?"
    headline, after = None, None
    try:
        mechanism = entry.make()
        setting = mechanism.setting.name
        if entry.faulty and properties is None and (headline := headline_of(entry)) is not None:
            alone = verify(
                mechanism,
                [headline],
                seed=seed,
                evaluations=evaluations,
                seconds=seconds,
                workers=1,
            )
            after = alone.seconds if alone[headline].status is Status.REFUTED else None
        report = verify(
            mechanism, properties, seed=seed, evaluations=evaluations, seconds=seconds, workers=1
        )
        verdicts = dict(report.verdicts)
        digest = digest_of(entry)
        names = properties or tuple(dict.fromkeys((*PROPERTIES, *entry.truth)))
        cells = tuple(
            _cell(entry, mechanism, name, verdicts.get(name), seed, digest) for name in names
        )
        error = None
    except Exception as bad:  # whatever a rule or a declaration raises is this row's result
        error = f"{type(bad).__name__}: {bad}"
        cells = _lost(entry, properties, error)
    return Row(
        entry.key,
        setting,
        entry.faulty,
        seed,
        time.monotonic() - started,
        cells,
        headline,
        after,
        error,
    )


def headline_of(entry: Entry) -> str | None:
    """The property that a faulty entry is first suspected of."""
    failing = [name for name in entry.fails.split() if name in PROPERTIES]
    return next((name for name in (*HEADLINES, *failing) if name in failing), None)


def _claim(entry: Entry, name: str) -> str:
    return entry.because.get(name, entry.source)


def _cell(
    entry: Entry, mechanism: Mechanism, name: str, verdict: Verdict | None, seed: int, digest: str
) -> Cell:
    expected, claim = entry.truth.get(name), _claim(entry, name)
    if verdict is None:
        text = f"no property of this name; there are {', '.join(PROPERTIES)}"
        return Cell(name, expected, "error", Agreement.DISAGREES, text, claim)
    if name in entry.holds.split() and name in entry.fails.split():
        text = "declared to hold and to fail"
        return Cell(name, None, str(verdict.status), Agreement.DISAGREES, text, claim)
    applies = verdict.status is not Status.NOT_APPLICABLE
    estimated = applies and is_estimated(mechanism, name)
    text, data, replays = evidence(verdict), None, True
    if verdict.counterexample is not None:
        data = witness.to_json(
            verdict.counterexample, reference=entry.key, digest=digest, seed=seed
        )
        # Nothing of the search is handed on: another mechanism, and the witness from its text.
        again = witness.replay(entry.make(), json.loads(json.dumps(data)))
        if not again.confirmed:
            replays, text = False, f"{text}; it does not replay: {again.message}"
    agreement = compare(expected, verdict.status, estimated=estimated, replays=replays)
    told = ""
    if verdict.counterexample is not None and agreement is Agreement.DISAGREES:
        told = story(verdict.counterexample, mechanism.setting)
    return Cell(
        name,
        expected,
        str(verdict.status),
        agreement,
        text,
        claim,
        vacuous=verdict.status is Status.UNKNOWN and verdict.reason.startswith("vacuous"),
        estimated=estimated,
        witness=data,
        told=told,
    )


def _lost(entry: Entry, properties: tuple[str, ...] | None, error: str) -> tuple[Cell, ...]:
    """The cells of an entry that raised: whatever was declared is not confirmed."""
    return tuple(
        Cell(name, expected, "error", Agreement.DISAGREES, error, _claim(entry, name))
        for name, expected in entry.truth.items()
        if properties is None or name in properties
    )


# The runs -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """One entry at one seed, in terms that another process understands."""

    key: str
    seed: int
    evaluations: int
    seconds: float
    properties: tuple[str, ...] | None

    @property
    def file(self) -> str:
        return f"{self.key}.json" if self.properties is None else f"{self.key}.{self.seed}.json"

    def run(self, entry: Entry) -> Row:
        return audit_entry(
            entry,
            seed=self.seed,
            evaluations=self.evaluations,
            seconds=self.seconds,
            properties=self.properties,
        )


def run_task(task: Task) -> Row:
    """A task on the catalogue's own entry of its key: what worker processes run."""
    return task.run(catalogue.entry_of(task.key))


def audit(
    keys: Iterable[str] | None = None,
    *,
    seed: int = 0,
    evaluations: int = EVALUATIONS,
    seconds: float = SECONDS,
    workers: int | None = None,
    save: Path | str | None = None,
    progress: Progress | None = None,
    entries: Mapping[str, Entry] | None = None,
) -> Audit:
    """Every entry of these keys (all by default) against its truth table.

    evaluations, seconds: the budget of each entry. workers: processes, one per core by default.
    save: a directory for one file per entry, written as it finishes, and audit.json at the end;
    what it already holds from the same seed, budget and sources is not run again. progress(share,
    key): called after each entry. entries: others than the catalogue's; they run in this process.

    Raises InputError for bad arguments, an unknown key, or a directory that cannot be written.
    """
    known = catalogue.entries() if entries is None else entries
    tasks = [Task(key, _seed(seed), evaluations, seconds, None) for key in _chosen(keys, known)]
    return _run(tasks, known, entries is None, workers, save, progress)


def soak(
    keys: Iterable[str] | None = None,
    *,
    seeds: Iterable[int] = range(5),
    factor: int = 10,
    evaluations: int = EVALUATIONS,
    seconds: float = SECONDS,
    workers: int | None = None,
    save: Path | str | None = None,
    progress: Progress | None = None,
    entries: Mapping[str, Entry] | None = None,
) -> Audit:
    """Whatever is declared to hold, searched `factor` times as long with each of several seeds.

    One row for each entry and seed, holding only the cells that are declared True; the cap of
    seconds grows with the factor. Otherwise as `audit`; files are called KEY.SEED.json.
    """
    require(
        isinstance(factor, int) and factor >= 1,
        f"factor = {factor!r}: expected an integer of at least 1",
    )
    drawn = list(dict.fromkeys(_seed(s) for s in seeds))
    require(bool(drawn), "seeds is empty: give at least one, range(5) for one")
    known = catalogue.entries() if entries is None else entries
    tasks = [
        Task(key, seed, evaluations * factor, seconds * factor, holding)
        for seed in drawn
        for key in _chosen(keys, known)
        if (holding := tuple(p for p in PROPERTIES if known[key].truth.get(p)))
    ]
    return _run(tasks, known, entries is None, workers, save, progress)


def _seed(seed: int) -> int:
    require(
        isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0,
        f"seed = {seed!r}: expected a non-negative integer",
    )
    return seed


def _chosen(keys: Iterable[str] | None, known: Mapping[str, Entry]) -> list[str]:
    if keys is None:
        return list(known)
    require(not isinstance(keys, str), f"keys = {keys!r}: expected several, [{keys!r}] for one")
    wanted = list(dict.fromkeys(keys))
    unknown = [key for key in wanted if key not in known]
    if unknown and known is catalogue.entries():
        catalogue.entry_of(unknown[0])  # raises, with near misses
    require(not unknown, f"keys {unknown}: expected some of {', '.join(known)}")
    require(bool(wanted), "keys is empty: give at least one, or None for the whole catalogue")
    return wanted


def _run(
    tasks: list[Task],
    known: Mapping[str, Entry],
    shipped: bool,
    workers: int | None,
    save: Path | str | None,
    progress: Progress | None,
) -> Audit:
    """Run what no file answers, in worker processes where the entries are the catalogue's own."""
    require(bool(tasks), "there is nothing to audit: no entry, or none with what was asked")
    for name, value in (("evaluations", tasks[0].evaluations), ("seconds", tasks[0].seconds)):
        require(
            isinstance(value, int | float) and not isinstance(value, bool) and value > 0,
            f"{name} = {value!r}: expected a positive number",
        )
    require(
        workers is None or (isinstance(workers, int) and workers >= 1),
        f"workers = {workers!r}: expected an integer of at least 1",
    )
    started, show = time.monotonic(), progress or (lambda share, key: None)
    folder = None if save is None else Folder(Path(save))
    rows: dict[Task, Row] = {}
    if folder is not None:
        for task in tasks:
            stamp = folder.stamp(asdict(task), digest_of(known[task.key]))
            if (saved := folder.read(task.file, stamp)) is not None:
                rows[task] = row_from(saved)
    resumed = len(rows)
    left = [task for task in tasks if task not in rows]
    count = min(workers or os.cpu_count() or 1, len(left))

    # Entries that are not the catalogue's are unknown to another process.
    run, most = (run_task, count) if shipped else (lambda task: task.run(known[task.key]), 1)
    for task, made in spread(run, left, most):
        row = made if isinstance(made, Row) else _crashed(task, known[task.key], str(made))
        rows[task] = row
        if folder is not None:
            folder.write(
                task.file, folder.stamp(asdict(task), digest_of(known[task.key])), asdict(row)
            )
        show(len(rows) / len(tasks), task.key)
    result = Audit(
        rows=tuple(rows[task] for task in tasks),
        seeds=tuple(dict.fromkeys(task.seed for task in tasks)),
        evaluations=tasks[0].evaluations,
        seconds=tasks[0].seconds,
        workers=max(1, count if shipped else 1),
        taken=time.monotonic() - started,
        version=version(),
        resumed=resumed,
    )
    if folder is not None:
        folder.keep("audit.json", as_json(result))
        result = replace(result, unsaved=folder.trouble)
    return result


def _crashed(task: Task, entry: Entry, why: str) -> Row:
    cells = _lost(entry, task.properties, why)
    return Row(entry.key, "?", entry.faulty, task.seed, 0.0, cells, error=why)
