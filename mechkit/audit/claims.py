"""The claims of the papers, each put to the toolkit, and what came of it.

A claim about a mechanism goes through `verify`, search and provers, as anybody's would; any other
decides itself. What is recorded is the verdict with its evidence: a refutation with a witness that
has survived a round trip through JSON and an exact replay, a proof with its certificate, and for
incentive claims one agent's utility against its report. Beside it stands what was expected by an
argument by hand; where the two differ, one of them is wrong.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mechkit import papers, sources, witness
from mechkit.audit.curve import curve
from mechkit.audit.files import Folder, version
from mechkit.audit.pool import spread
from mechkit.audit.record import Audit, Checked, as_json
from mechkit.audit.run import gained, tried
from mechkit.errors import require
from mechkit.mechanism import Mechanism
from mechkit.papers import Asked, Claim, Effort, Fact
from mechkit.papers.claim import FORMAT
from mechkit.prove import certificate
from mechkit.story import story
from mechkit.verdict import Status, Verdict
from mechkit.verify import verify

COMPUTED = "a computation"
"""What is put to the toolkit where a claim is no property of a mechanism."""
CURVED = ("ic", "ex_post_nash")
"""The properties about one agent's own report: they are shown as utility against report."""


def compare(expected: bool | None, status: str) -> str:
    """A verdict beside what an argument by hand says."""
    if expected is None:
        return "undecided" if status == Status.UNKNOWN else "agrees"
    if not expected:
        return "agrees" if status == Status.REFUTED else "DISAGREES"
    if status == Status.REFUTED:
        return "DISAGREES"
    return "undecided" if status == Status.UNKNOWN else "agrees"


def check(claim: Claim, effort: Effort) -> Checked:
    """Put a claim to the toolkit. Whatever a rule raises becomes the record's `error`."""
    started = time.monotonic()
    try:
        how = claim.how
        found = _asked(claim, how, effort) if isinstance(how, Asked) else _fact(claim, how, effort)
    except Exception as bad:  # whatever a rule or a decision raises is this claim's result
        found = _broken(f"{type(bad).__name__}: {bad}")
    return _record(claim, found, time.monotonic() - started)


def _broken(error: str) -> dict[str, Any]:
    return {"status": "error", "method": "", "evidence": error, "error": error}


def _record(claim: Claim, found: dict[str, Any], seconds: float) -> Checked:
    """The claim with what was found of it; `rejected` there: a replay did not confirm it."""
    agreement = compare(claim.expected, found["status"])
    if found.get("error") or found.pop("rejected", False):
        agreement = "DISAGREES"
    return Checked(
        claim=claim.id,
        paper=claim.paper,
        where=claim.where,
        says=claim.says,
        reading=claim.reading,
        asked=asked(claim),
        expected=claim.expected,
        because=claim.because,
        seconds=seconds,
        agreement=agreement,
        formula=None if claim.formula is None else asdict(claim.formula),
        **({"exercised": None} | found),
    )


def asked(claim: Claim) -> str:
    """What was put to the toolkit, in a phrase."""
    how = claim.how
    return f"{how.property} of {reference(claim)}" if isinstance(how, Asked) else COMPUTED


def reference(claim: Claim) -> str:
    """`paper/mechanism[:role]` of a claim about a mechanism."""
    assert isinstance(claim.how, Asked)
    side = f":{claim.how.role}" if claim.how.role else ""
    return f"{claim.paper}/{claim.how.mechanism}{side}"


# A property of a mechanism ------------------------------------------------------------------------


def _asked(claim: Claim, how: Asked, effort: Effort) -> dict[str, Any]:
    where = reference(claim)
    mechanism, digest = papers.mechanism_of(where), sources.papers_digest(claim.paper)
    report = verify(
        mechanism,
        how.property,
        seed=effort.seed,
        evaluations=effort.evaluations,
        seconds=effort.seconds,
        workers=1,
        prove=True,
        prove_seconds=effort.prove_seconds,
        reference=where,
    )
    verdict = report[how.property]
    found: dict[str, Any] = {
        "status": str(verdict.status),
        "method": _method(verdict),
        "evidence": _evidence(verdict),
        "exercised": verdict.effort.trades,
    }
    if verdict.counterexample is not None:
        found |= _refuted(mechanism, where, digest, verdict, effort.seed)
    elif verdict.certificate is not None:
        data = certificate.to_json(
            verdict.certificate,
            how.property,
            mechanism,
            reference=where,
            digest=digest,
            version=version(),
        )
        found |= {"file": _plain(data), "told": verdict.certificate.domain}
    if how.property in CURVED:
        found["curve"] = curve(mechanism, verdict.counterexample, seed=effort.seed)
    return found


def _method(verdict: Verdict) -> str:
    if verdict.counterexample is not None:
        arithmetic = verdict.counterexample.arithmetic
        how = {"exact": "in exact rationals", "interval": "in enclosures"}
        return f"search, replayed {how.get(arithmetic, 'in floats')}"
    if verdict.certificate is not None:
        return f"{verdict.certificate.method} ({verdict.certificate.tool})"
    return "search and provers"


def _evidence(verdict: Verdict) -> str:
    """One line: the gain, the domain, or the effort and why there is no proof."""
    if verdict.counterexample is not None:
        return gained(verdict.counterexample)
    if verdict.certificate is not None:
        return verdict.certificate.domain
    effort = tried(verdict.effort)
    return f"{effort}; {verdict.reason}" if verdict.reason else effort


def _refuted(
    mechanism: Mechanism, where: str, digest: str, verdict: Verdict, seed: int
) -> dict[str, Any]:
    example = verdict.counterexample
    assert example is not None
    data = _plain(witness.to_json(example, reference=where, digest=digest, seed=seed))
    # Nothing of the search is handed on: another mechanism, and the witness from its text.
    again = witness.replay(papers.mechanism_of(where), data)
    return {
        "told": story(example, mechanism.setting),
        "file": data,
        "replays": again.message,
        "rejected": not again.confirmed,
    }


# Anything else ------------------------------------------------------------------------------------


def _fact(claim: Claim, how: Fact, effort: Effort) -> dict[str, Any]:
    finding = how.decide(effort)
    found: dict[str, Any] = {
        "status": str(finding.status),
        "method": finding.method,
        "evidence": finding.evidence,
        "exercised": finding.exercised,
        "told": finding.told,
    }
    if finding.status in (Status.REFUTED, Status.PROVED):
        data = {
            "format": FORMAT,
            "claim": claim.id,
            "sha256": sources.papers_digest(claim.paper),
            "status": str(finding.status),
            "method": finding.method,
            "numbers": dict(finding.numbers),
        }
        found["file"] = _plain(data)
        confirmed, message = replay_fact(claim, found["file"])
        found |= {"replays": message, "rejected": not confirmed}
    return found


def replay_fact(claim: Claim, data: Mapping[str, Any]) -> tuple[bool, str]:
    """Check a decided fact again from its numbers: whether it is confirmed, and what is to say."""
    assert isinstance(claim.how, Fact)
    try:
        return True, claim.how.replay(Status(data["status"]), data["numbers"])
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        return False, f"not confirmed: {error}"


def _plain(data: Any) -> Any:
    """The same values as a trip through JSON leaves them."""
    return json.loads(json.dumps(data))


# All of them --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """One claim, in terms that another process understands."""

    claim: str
    effort: Effort

    @property
    def file(self) -> str:
        return f"{self.claim.replace('/', '-')}.claim.json"


def run_task(task: Task) -> Checked:
    """What worker processes run."""
    return check(papers.claim_of(task.claim), task.effort)


def audit_claims(
    only: Iterable[str] | None = None,
    *,
    effort: Effort | None = None,
    workers: int | None = None,
    folder: Folder | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> tuple[Checked, ...]:
    """Every claim of every paper, or of those named: ids of papers, of claims, or of claims less
    their readings, which stand for all of these.

    workers: processes, one per core by default. folder: where each finished claim is written at
    once; what it already holds from the same effort and sources is not run again.
    progress(share, claim): called after each. Raises InputError for an unknown id.
    """
    show, wanted = progress or (lambda share, claim: None), chosen(only)
    require(
        workers is None or (isinstance(workers, int) and workers >= 1),
        f"workers = {workers!r}: expected an integer of at least 1",
    )
    tasks = [Task(claim, effort or Effort()) for claim in wanted]
    done: dict[Task, Checked] = {}
    stamps: dict[Task, Any] = {}
    if folder is not None:
        for task in tasks:
            digest = sources.papers_digest(task.claim.partition(".")[0])
            stamps[task] = folder.stamp(asdict(task), digest)
            if (saved := folder.read(task.file, stamps[task])) is not None:
                done[task] = Checked(**saved)
    left = [task for task in tasks if task not in done]
    count = min(workers or os.cpu_count() or 1, len(left))

    for task, made in spread(run_task, left, count):
        claim = papers.claim_of(task.claim)
        found = made if isinstance(made, Checked) else _record(claim, _broken(str(made)), 0.0)
        done[task] = found
        if folder is not None:
            folder.write(task.file, stamps[task], asdict(found))
        show(len(done) / len(tasks), task.claim)
    return tuple(done[task] for task in tasks)


def chosen(only: Iterable[str] | None) -> list[str]:
    """The ids of the claims meant by names as of `papers.readings_of`, in the papers' order."""
    known = papers.claims()
    if only is None:
        return list(known)
    wanted = {claim for name in only for claim in papers.readings_of(name)}
    return [claim for claim in known if claim in wanted]


def with_claims(
    result: Audit | None,
    only: Iterable[str] | None = None,
    *,
    seed: int = 0,
    seconds: float | None = None,
    evaluations: int | None = None,
    workers: int | None = None,
    save: Path | str | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Audit:
    """An audit of the catalogue (None: an empty one) with that of the papers' claims added.

    Options as of `audit`; seconds, evaluations: for each claim. With `save`, audit.json holds both,
    and every witness, certificate and fact lies beside it in a file for `mechkit replay`.
    """
    started = time.monotonic()
    effort = Effort(seed=seed)
    if seconds is not None:
        effort = replace(effort, seconds=seconds, prove_seconds=seconds)
    if evaluations is not None:
        effort = replace(effort, evaluations=evaluations)
    folder = None if save is None else Folder(Path(save))
    found = audit_claims(only, effort=effort, workers=workers, folder=folder, progress=progress)
    if result is None:
        result = Audit(
            rows=(),
            seeds=(seed,),
            evaluations=effort.evaluations,
            seconds=effort.seconds,
            workers=workers or os.cpu_count() or 1,
            taken=0.0,
            version=version(),
        )
    taken = result.taken + time.monotonic() - started
    result = replace(result, claims=found, taken=taken)
    if folder is not None:
        for claim in found:
            if claim.file is not None:
                folder.keep(file_of(claim), claim.file)
        folder.keep("audit.json", as_json(result))
        result = replace(result, unsaved=folder.trouble or result.unsaved)
    return result


def file_of(claim: Checked) -> str:
    """The name of the file that `mechkit replay` reads for a claim."""
    assert claim.file is not None
    kind = claim.file["format"].removeprefix("mechkit-").partition("/")[0]
    return f"{claim.claim.replace('/', '-')}.{kind}.json"
