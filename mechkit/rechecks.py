"""What the terminal does with saved files: witnesses are replayed, certificates checked afresh."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mechkit import __version__
from mechkit.errors import InputError, require
from mechkit.terminal import aside, progress, put, put_json

if TYPE_CHECKING:
    from mechkit.sources import Source
    from mechkit.verdict import Report


def certificates(report: Report, source: Source) -> dict[str, Any]:
    """The certificate files of a report's proofs, by property."""
    from mechkit.prove.certificate import to_json

    return {
        v.property: to_json(
            v.certificate,
            v.property,
            source.mechanism,
            reference=source.reference,
            digest=source.digest,
            version=__version__,
        )
        for v in report
        if v.certificate is not None
    }


def is_certificate(path: Path) -> bool:
    """Whether a file says that it is a certificate."""
    from mechkit.prove.certificate import FORMAT

    return _says(path, FORMAT)


def is_fact(path: Path) -> bool:
    """Whether a file says that it is a decided claim of a paper."""
    from mechkit.papers.claim import FORMAT

    return _says(path, FORMAT)


def _says(path: Path, what: str) -> bool:
    """Whether a file begins with its format; what cannot be read is left to others."""
    try:
        return what in path.read_text(encoding="utf-8")[:400]
    except (OSError, UnicodeDecodeError):
        return False


def refound(path: Path, json_: bool) -> int:
    """Check a decided claim again from its numbers."""
    from mechkit import papers
    from mechkit.audit.claims import replay_fact
    from mechkit.papers import Fact
    from mechkit.saved import read_json
    from mechkit.sources import papers_digest
    from mechkit.verdict import Status

    data = read_json(path)
    kinds = {"claim": str, "status": str, "numbers": dict}
    for key, kind in kinds.items():
        require(
            isinstance(data, dict) and isinstance(data.get(key), kind),
            f"{path} lacks {key!r}, or it is no {kind.__name__}: it was cut or edited, audit again",
        )
    require(
        data["status"] in (Status.REFUTED, Status.PROVED),
        f"{path}: status {data['status']!r}, expected refuted or proved; audit again",
    )
    claim = papers.claim_of(data["claim"])
    require(
        isinstance(claim.how, Fact),
        f"{claim.id} is a property of a mechanism: its witness or certificate is another file",
    )
    with aside(), progress(f"checking {path.name}"):
        confirmed, message = replay_fact(claim, data)
    changed = data.get("sha256") != papers_digest(claim.paper)
    if json_:
        put_json(
            {
                "format": "mechkit-replay/1",
                "confirmed": confirmed,
                "message": message,
                "claim": claim.id,
                "status": data["status"],
                "source_changed": changed,
            }
        )
        return 0 if confirmed else 1
    if changed:
        click.echo(
            f"warning: {claim.paper} is not what the file was saved from (its SHA-256 differs)",
            err=True,
        )
    word = f"confirmed, {data['status']}: " if confirmed else ""
    click.echo(f"{claim.id}: {word}{message.removesuffix('.')}.")
    return 0 if confirmed else 1


def rechecked(path: Path, reference: str | None, json_: bool) -> int:
    """Check a certificate and say what that rests on."""
    from mechkit.prove import certificate
    from mechkit.prove.attempt import Checked
    from mechkit.sources import load

    data = certificate.read(path)
    stated = data["mechanism"].get("reference")
    if reference is None and not isinstance(stated, str):
        raise InputError(
            f"{path} does not say where its mechanism is: give --mechanism FILE.py:NAME"
        )
    with aside(), progress(f"checking {path.name}"):
        source = load(reference or stated)
        if data["mechanism"].get("sha256") != source.digest:
            result = Checked(
                False,
                f"{source.reference} has changed since (its SHA-256 differs): prove it again",
            )
        else:
            result = certificate.check(source.mechanism, data)
    if json_:
        put_json(
            {
                "format": "mechkit-replay/1",
                "confirmed": result.confirmed,
                "message": result.message,
                "property": data["property"],
                "mechanism": source.reference,
            }
        )
    else:
        word = "confirmed" if result.confirmed else "rejected"
        click.echo(f"{word}: {source.mechanism.name}, {data['property']}: {result.message}.")
    return 0 if result.confirmed else 1


def replayed(path: Path, reference: str | None, json_: bool, *, told: bool = False) -> int:
    """Replay and print; told: for the story's sake, so that only unreadable files are failures."""
    from mechkit import witness
    from mechkit.sources import load

    data = witness.read(path)
    stated = data["mechanism"].get("reference")
    if reference is None and not isinstance(stated, str):
        raise InputError(
            f"{path} does not say where its mechanism is: give --mechanism FILE.py:NAME"
        )
    with aside():
        source = load(reference or stated)
        result = witness.replay(source.mechanism, data)
    changed = data["mechanism"].get("sha256") != source.digest
    if json_:
        put_json(replay_json(data, source, result, changed))
    else:
        put_replayed(path, data, source, result, changed)
    return 0 if result.confirmed or told else 1


def replay_json(
    data: Mapping[str, Any], source: Source, result: Any, changed: bool
) -> dict[str, Any]:
    from mechkit.story import story
    from mechkit.verdict import fraction_text

    found = result.counterexample
    return {
        "format": "mechkit-replay/1",
        "confirmed": result.confirmed,
        "message": result.message,
        "property": data["property"],
        "mechanism": source.reference,
        "source_changed": changed,
        "arithmetic": result.arithmetic,
        "margin": None if result.margin is None else fraction_text(result.margin),
        "story": None if found is None else story(found, source.mechanism.setting),
    }


def put_replayed(
    path: Path, data: Mapping[str, Any], source: Source, result: Any, changed: bool
) -> None:
    from rich.text import Text

    from mechkit.report import panel
    from mechkit.story import tell

    if changed:
        click.echo(
            f"warning: {source.reference} is not what the witness was saved from (its SHA-256 "
            "differs): replayed against what is there now",
            err=True,
        )
    if (found := result.counterexample) is not None:
        put(panel([data["property"]], tell(found, source.mechanism.setting)))
    how = {"exact": "in exact arithmetic", "interval": "with enclosures"}
    if result.confirmed:
        text = Text.assemble(
            ("confirmed", "bold red"),
            f" {how.get(result.arithmetic, 'in floats')}: {source.mechanism.name} fails "
            f"{data['property']}.",
        )
    else:
        text = Text.assemble(("not confirmed", "bold yellow"), f": {result.message}.")
    put(text)
