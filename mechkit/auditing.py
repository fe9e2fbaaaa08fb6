"""The command `mechkit audit`: the papers' claims and the catalogue, checked.

Exit codes: 0 every verdict agrees with what is declared; 1 one does not; 2 the input was wrong or
results could not be saved.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mechkit.errors import InputError
from mechkit.options import EVALUATIONS, JSON, SAVE, SECONDS, SEED, WORKERS
from mechkit.terminal import progress, put, put_json, write

if TYPE_CHECKING:
    from mechkit.audit import Audit


@click.command(
    epilog="\b\nExamples:\n  mechkit audit --save audit\n  mechkit audit --papers\n"
    "  mechkit audit --only madda --only dmsb.ic\n  mechkit audit --only first-price --seed 3"
)
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="Only this entry, paper or claim, in all of its readings; repeatable.",
)
@click.option("--papers/--catalogue", "papers_", default=None, help="Only one of the two.")
@SEED
@SECONDS
@EVALUATIONS
@WORKERS
@click.option("--soak", is_flag=True, help="Search what holds ten times as long, with five seeds.")
@JSON
@SAVE
def audit(
    only: tuple[str, ...],
    papers_: bool | None,
    seed: int,
    seconds: float | None,
    evaluations: int | None,
    workers: int | None,
    soak: bool,
    json_: bool,
    save: Path | None,
) -> int:
    """Check every claim of the papers, and the catalogue against its declared truth.

    With --save DIR there are audit.json, with a record for each claim and each entry, and
    audit.html, a page for people; every witness and certificate is beside them. A run that was
    interrupted goes on where it stopped.

    Exits with 1 if any verdict disagrees with what is declared (a claim that is refuted and was
    expected to be is no disagreement).
    """
    from mechkit import audit as audits

    entries, claims = named(only)
    with_papers = papers_ is not False and not soak and (not only or bool(claims))
    with_catalogue = papers_ is not True and (not only or bool(entries))
    if not (with_papers or with_catalogue):
        raise InputError("nothing to audit: what --only names was left out by the other options")
    result: Audit | None = None
    with progress("auditing") as show:
        if with_catalogue:
            options: dict[str, Any] = {"workers": workers, "save": save, "progress": show}
            options |= {"seconds": seconds} if seconds is not None else {}
            options |= {"evaluations": evaluations} if evaluations is not None else {}
            if soak:
                result = audits.soak(entries or None, seeds=range(seed, seed + 5), **options)
            else:
                result = audits.audit(entries or None, seed=seed, **options)
        if with_papers:
            result = audits.with_claims(
                result,
                claims or None,
                seed=seed,
                seconds=seconds,
                evaluations=evaluations,
                workers=workers,
                save=save,
                progress=show,
            )
    assert result is not None
    if json_:
        put_json(audits.as_json(result))
    else:
        from mechkit.audit.table import render

        put(render(result))
    sys.stdout.flush()
    if save is not None and result.unsaved is None:
        from mechkit.audit.page import page

        write(save / "audit.html", page(result))
    if result.unsaved is not None:
        raise InputError(f"not all results could be saved: {result.unsaved}")
    if save is not None:
        beside = "audit.json, audit.html and what can be replayed beside them"
        click.echo(f"\nsaved {save.as_posix()}/{beside}", err=json_)
    return 0 if result.ok else 1


def named(only: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """(keys of the catalogue, papers and claims) among the names."""
    from mechkit import papers
    from mechkit.catalogue import entry_of

    claims = [name for name in only if name in papers.PAPERS or "." in name]
    for name in claims:
        papers.readings_of(name)  # raises, with near misses
    entries = [name for name in only if name not in claims]
    for name in entries:
        entry_of(name)
    return entries, claims
