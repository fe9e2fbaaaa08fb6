"""An audit on a page: the counts, every disagreement with both sides, what was slow."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mechkit.audit.record import Agreement, Audit, Cell, Checked, Row

SLOWEST = 5
STYLES = {
    Agreement.REFUTED: "green",
    Agreement.NOT_REFUTED: "green",
    Agreement.DISAGREES: "bold red",
    Agreement.NOT_APPLICABLE: "dim",
    Agreement.UNDECLARED: "yellow",
}


def render(audit: Audit) -> RenderableType:
    """The whole page."""
    parts: list[RenderableType] = [header(audit)]
    if audit.claims:
        parts += ["", claims(audit), *(contradicted(c) for c in audit.claims if not c.ok)]
    if audit.rows:
        parts += ["", counts(audit)]
        parts += [disagreement(row, cell) for row, cell in audit.disagreements]
        parts += ["", timing(audit)]
    parts += ["", verdict(audit)]
    if audit.unsaved:
        parts.append(Text(f"not saved: {audit.unsaved}", style="bold red"))
    return Group(*parts)


def header(audit: Audit) -> Text:
    entries = len({row.key for row in audit.rows})
    named = [f"{entries} {'entry' if entries == 1 else 'entries'}"] if entries else []
    if audit.claims:
        papers = len({claim.paper for claim in audit.claims})
        named.append(
            f"{len(audit.claims)} {'claim' if len(audit.claims) == 1 else 'claims'} of "
            f"{papers} {'paper' if papers == 1 else 'papers'}"
        )
    seeds = ", ".join(str(seed) for seed in audit.seeds)
    again = f", {audit.resumed} read from an earlier run" if audit.resumed else ""
    return Text(
        f"{' and '.join(named)}, "
        f"{'seed' if len(audit.seeds) == 1 else 'seeds'} {seeds}, "
        f"{audit.evaluations:,} evaluations each, {audit.taken:.0f} s on "
        f"{audit.workers} {'core' if audit.workers == 1 else 'cores'}{again}"
    )


WORDS = {"refuted": "bold red", "proved": "green", "unrefuted": "blue", "unknown": "yellow"}


def claims(audit: Audit) -> Table:
    """Each claim, its verdict, and the evidence in a line."""
    table = Table("claim", "verdict", "evidence", box=None, pad_edge=False)
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for claim in audit.claims:
        table.add_row(
            Text(claim.claim),
            Text(claim.status, style=WORDS.get(claim.status, "magenta")),
            Text(claim.evidence),
        )
    return table


def contradicted(claim: Checked) -> Panel:
    """Both sides of a claim whose verdict is not what was expected."""
    expected = {True: "it holds", False: "it fails", None: "not known"}[claim.expected]
    lines = [f"expected: {expected} ({claim.because})", f"found: {claim.status}: {claim.evidence}"]
    lines += [line for line in (claim.replays, claim.told) if line]
    return Panel(
        Text("\n".join(lines)), title=Text(claim.claim), title_align="left", border_style="red"
    )


def counts(audit: Audit) -> Table:
    table = Table("declaration against verdict", "cells", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for kind, style in STYLES.items():
        table.add_row(Text(str(kind), style=style), str(audit.counts[str(kind)]))
    return table


def disagreement(row: Row, cell: Cell) -> Panel:
    """Both sides of a cell that does not agree."""
    declared = {True: "holds", False: "fails", None: "not declared"}[cell.expected]
    lines = [f"declared: {declared}" + (f" ({cell.claim})" if cell.claim else "")]
    lines.append(f"found: {cell.status}: {cell.evidence}")
    if cell.told:
        lines += ["", cell.told]
    title = f"{row.key}: {cell.property} {cell.agreement} (seed {row.seed})"
    return Panel(Text("\n".join(lines)), title=Text(title), title_align="left", border_style="red")


def timing(audit: Audit) -> Text:
    slowest = sorted(audit.rows, key=lambda row: -row.seconds)[:SLOWEST]
    lines = ["slowest: " + ", ".join(f"{row.key} {row.seconds:.1f} s" for row in slowest)]
    if (taken := audit.refutation_seconds) is not None:
        lines.append(
            f"{taken['entries']} faulty entries refuted after {taken['median']:.2f} s (median), "
            f"{taken['max']:.2f} s (largest)"
        )
    if audit.missed:
        missed = ", ".join(f"{row.key} ({row.headline})" for row in audit.missed)
        lines.append(f"faulty and not refuted: {missed}")
    return Text("\n".join(lines))


def verdict(audit: Audit) -> Text:
    if audit.ok:
        told = []
        if audit.claims:
            told.append("every claim's verdict is what an argument by hand expects")
        if audit.rows:
            told.append("every cell agrees with the truth table")
        return Text("; ".join(told), style="green")
    broken, failed = len(audit.disagreements), sum(1 for row in audit.rows if row.error)
    wrong = sum(1 for claim in audit.claims if not claim.ok)
    told = []
    if wrong:
        told.append(f"{wrong} {'claim disagrees' if wrong == 1 else 'claims disagree'}")
    if broken:
        told.append(f"{broken} {'cell disagrees' if broken == 1 else 'cells disagree'}")
    if failed:
        told.append(f"{failed} {'entry' if failed == 1 else 'entries'} raised an error")
    return Text("; ".join(told) or "nothing was audited", style="bold red")
