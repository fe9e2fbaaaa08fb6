"""What the terminal does with saved files: witnesses are replayed, certificates checked afresh."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mechkit import __version__
from mechkit.errors import InputError
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
    """Whether a file says that it is a certificate; what cannot be read is left to others."""
    from mechkit.prove.certificate import FORMAT

    try:
        return FORMAT in path.read_text(encoding="utf-8")[:400]
    except (OSError, UnicodeDecodeError):
        return False


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
