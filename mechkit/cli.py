"""The command line: verify, optimum, derive, learn, compare, list, show, replay, init, audit.

What was found goes to stdout, what went wrong and how far the work is to stderr; with `--json`
there is one JSON document on stdout and nothing else. What the exit codes mean is said in
`terminal`. What a command needs is imported when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mechkit import __version__
from mechkit.auditing import audit
from mechkit.best import optimum
from mechkit.deriving import derive
from mechkit.errors import InputError
from mechkit.learning import compare, learn
from mechkit.options import EVALUATIONS, JSON, SAVE, SECONDS, SEED, WORKERS
from mechkit.terminal import Commands, aside, file_name, progress, put, put_json, save_report


@click.group(
    "mechkit",
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nTo begin with:\n  mechkit init auction.py\n  mechkit verify auction.py",
)
@click.version_option(__version__, prog_name="mechkit")
def cli() -> None:
    """Declare a mechanism once, and ask whether it has the properties that it claims."""


cli.add_command(optimum)
cli.add_command(audit)
cli.add_command(derive)
cli.add_command(learn)
cli.add_command(compare)


def main() -> None:
    """The entry point of the `mechkit` command."""
    cli(prog_name="mechkit")


# verify -------------------------------------------------------------------------------------------


@cli.command(
    epilog="\b\nExamples:\n"
    "  mechkit verify auction.py:second_price\n"
    "  mechkit verify auction.py --properties ic,ir --seconds 10 --save out\n"
    "  mechkit verify first-price --json\n"
    "  mechkit verify second-price --prove --save out"
)
@click.argument("mechanism", metavar="FILE.py:NAME|KEY")
@click.option(
    "--properties", multiple=True, metavar="ic,ir,…", help="Only these; all that apply if not said."
)
@SEED
@SECONDS
@EVALUATIONS
@WORKERS
@click.option(
    "--coalition",
    type=click.IntRange(min=2),
    metavar="N",
    default=2,
    show_default=True,
    help="The largest coalition that is tried.",
)
@click.option("--prove", is_flag=True, help="Try to prove what the search leaves open.")
@click.option(
    "--prove-seconds",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    default=10.0,
    show_default=True,
    help="A limit for the proof of each property.",
)
@click.option(
    "--require",
    type=click.Choice(["proved", "all-decided"]),
    help="Exit with 1 unless all that applies is proved, or is proved or refuted.",
)
@JSON
@SAVE
def verify(
    mechanism: str,
    properties: tuple[str, ...],
    seed: int,
    seconds: float | None,
    evaluations: int | None,
    workers: int | None,
    coalition: int,
    prove: bool,
    prove_seconds: float,
    require: str | None,
    json_: bool,
    save: Path | None,
) -> int:
    """Search a mechanism for violations of its properties.

    With --prove, what the search leaves open is given to the provers: for every real type, or every
    case of a finite type space. With --save, proofs are written as certificates.

    Exits with 0 if nothing was refuted, with 1 if something was or falls short of --require, and
    with 2 if the input is wrong. "Unrefuted" says that a search found nothing, never that a
    property holds.
    """
    from mechkit import rechecks
    from mechkit.properties import select
    from mechkit.report import as_json, render, short_of
    from mechkit.sources import load
    from mechkit.verify import verify as search

    wanted = [name for given in properties for name in given.replace(",", " ").split()]
    if properties:
        select(wanted)  # before a file is run that may take its time
    with aside():
        source = load(mechanism)
    with aside(), progress(f"verifying {source.mechanism.name}") as show:
        report = search(
            source.mechanism,
            wanted or None,
            seed=seed,
            seconds=seconds,
            evaluations=evaluations,
            workers=workers,
            coalition=coalition,
            prove=prove,
            prove_seconds=prove_seconds,
            progress=show,
            reference=source.reference,
        )
    setting = source.mechanism.setting
    data = as_json(report, setting, digest=source.digest)
    if json_:
        put_json(data)
    else:
        put(render(report, setting))
    sys.stdout.flush()
    if save is not None:
        proofs = rechecks.certificates(report, source) if prove else {}
        files = save_report(save, file_name(source.reference), data, proofs)
        tell_saved(files, quiet=json_)
    if require is not None and (missing := short_of(report, require)):
        names = ", ".join(f"{v.property} ({v.status})" for v in missing)
        click.echo(f"short of --require {require}: {names}", err=True)
        return 1
    return 0 if report.ok else 1


def tell_saved(files: list[Path], *, quiet: bool) -> None:
    kinds = {
        ("witness", "witnesses"): sum(f.name.endswith(".witness.json") for f in files),
        ("certificate", "certificates"): sum(f.name.endswith(".certificate.json") for f in files),
    }
    beside = [
        f"{count} {one if count == 1 else many}" for (one, many), count in kinds.items() if count
    ]
    more = f" and {' and '.join(beside)} beside it" if beside else ""
    click.echo(f"\nsaved {files[0]}{more}", err=quiet)
    if beside:
        click.echo(f"to check one again: mechkit replay {files[1]}", err=quiet)


# list and show ------------------------------------------------------------------------------------


@cli.command(
    "list",
    epilog="\b\nExamples:\n  mechkit list --faulty\n"
    "  mechkit list --setting 'double auction' --json",
)
@click.option("--setting", metavar="TEXT", help="Only settings whose name contains this.")
@click.option("--faulty/--sound", default=None, help="Only one kind.")
@JSON
def list_(setting: str | None, faulty: bool | None, json_: bool) -> int:
    """List the mechanisms of the catalogue."""
    from mechkit.catalogue import entries
    from mechkit.exhibit import entries_page, entry_json

    known = [(entry, entry.make().setting) for entry in entries().values()]
    chosen = [
        (entry, its)
        for entry, its in known
        if (faulty is None or entry.faulty is faulty)
        and (setting is None or setting.lower() in its.name.lower())
    ]
    if not chosen:
        names = ", ".join(sorted({its.name for _, its in known}))
        raise InputError(f"no mechanism in a setting {setting!r}; there are: {names}")
    if json_:
        put_json([entry_json(entry, its) for entry, its in chosen])
    else:
        put(entries_page(chosen))
    return 0


@cli.command(
    epilog="\b\nExamples:\n  mechkit show first-price\n  mechkit show critical_payment\n"
    "  mechkit show auction.py:second_price\n  mechkit show out/first_price.ic.witness.json"
)
@click.argument("name", metavar="KEY|PROPERTY|FILE.py:NAME|WITNESS.json")
@JSON
def show(name: str, json_: bool) -> int:
    """Show a mechanism, a property, a witness or a certificate.

    A mechanism with its setting, rules and truth table; a property with its statement, source and
    margin; the story of a witness file; the argument of a certificate in words.
    """
    from mechkit import exhibit, rechecks
    from mechkit.catalogue import entries
    from mechkit.properties import PROPERTIES
    from mechkit.sources import file_of, load

    if name.endswith(".json") and rechecks.is_certificate(Path(name)):
        from mechkit.prove import certificate

        data = certificate.read(Path(name))
        if json_:
            put_json({k: v for k, v in data.items() if k != "argument"})
        else:
            click.echo(certificate.explain(data))
        return 0
    if name.endswith(".json"):
        return rechecks.replayed(Path(name), None, json_, told=True)
    if name in PROPERTIES:
        prop = PROPERTIES[name]
        if json_:
            put_json(exhibit.property_json(prop))
        else:
            put(exhibit.property_page(prop))
        return 0
    entry = entries().get(name)
    if entry is None and ".py" not in name:
        close = exhibit.near(name, entries())
        hint = f"did you mean {', '.join(close)}?" if close else "`mechkit list` shows the keys"
        raise InputError(f"{name!r} is neither a key, a property nor a file; {hint}")
    if entry is not None:
        mechanism = entry.make()
        text = exhibit.source(mechanism, file_of(entry)) or exhibit.made(entry.make)
        if json_:
            put_json(exhibit.entry_json(entry, mechanism.setting) | {"rules": text})
        else:
            put(exhibit.entry_page(entry, mechanism, text))
        return 0
    with aside():
        loaded = load(name)
    text = exhibit.source(loaded.mechanism, Path(loaded.reference.rpartition(":")[0]))
    if json_:
        setting = exhibit.setting_json(loaded.mechanism.setting)
        put_json({"reference": loaded.reference, "setting": setting, "rules": text})
    else:
        put(exhibit.mechanism_page(loaded.mechanism, text, loaded.reference))
    return 0


# replay -------------------------------------------------------------------------------------------


@cli.command(
    epilog="\b\nExamples:\n  mechkit replay out/first_price.ic.witness.json\n"
    "  mechkit replay out/second-price.ic.certificate.json\n"
    "  mechkit replay w.json --mechanism fixed.py:first_price"
)
@click.argument("witness", type=click.Path(path_type=Path), metavar="WITNESS.json")
@click.option("--mechanism", metavar="FILE.py:NAME|KEY", help="Replay against this one instead.")
@JSON
def replay(witness: Path, mechanism: str | None, json_: bool) -> int:
    """Check a saved witness, certificate or fact again, without a search.

    A witness is played once more, in exact arithmetic wherever the rule allows. A certificate is
    checked against the mechanism as it is now; one whose mechanism has changed is rejected. A fact
    is a claim of a paper that a computation decided: it is checked from the numbers in the file.

    Exits with 0 if the property still fails (or is proved) as stated, with 1 if not, with 2 if the
    file cannot be read or does not fit the mechanism.
    """
    from mechkit import rechecks

    if rechecks.is_fact(witness):
        return rechecks.refound(witness, json_)
    if rechecks.is_certificate(witness):
        return rechecks.rechecked(witness, mechanism, json_)
    return rechecks.replayed(witness, mechanism, json_)


# init ---------------------------------------------------------------------------------------------


@cli.command(epilog="\b\nExample:\n  mechkit init auction.py")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.py")
def init(file: Path) -> int:
    """Write a first mechanism to change.

    The file is commented, verifies as it is, and is never written over one that exists.
    """
    from mechkit.starter import starter

    if file.suffix != ".py":
        raise InputError(f"{file}: expected a name that ends in .py, {file.stem or 'auction'}.py")
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(starter(file.as_posix()))
    except FileExistsError:
        raise InputError(f"{file} exists and is left as it is: give another name") from None
    except OSError as error:
        raise InputError(
            f"{file}: cannot be written ({error.strerror or error}); make its directory first, or "
            "choose another"
        ) from None
    name = file.as_posix()
    click.echo(
        f"wrote {name}; next:\n  mechkit verify {name}:second_price --properties ic,ir\n"
        f"  mechkit verify {name}:second_price"
    )
    return 0
