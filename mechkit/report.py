"""A report for readers: as a page for the terminal, as plain text, as JSON values.

Pure functions from records to what is shown; whoever calls them prints. A verdict is always said
in a word, and a colour only repeats it. "Unrefuted" must never read as "holds", so that every page
says what the words in it mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mechkit import witness
from mechkit.properties import PROPERTIES
from mechkit.settings import Setting
from mechkit.story import Story, story, tell
from mechkit.story.scene import decimal
from mechkit.verdict import Certificate, Effort, Report, Status, Verdict

__all__ = ["as_json", "evidence", "numbers", "render", "story", "summary", "telling"]

FORMAT = "mechkit-report/1"

STYLES = {
    Status.REFUTED: "bold red",
    Status.PROVED: "bold green",
    Status.UNREFUTED: "yellow",
    Status.UNKNOWN: "magenta",
    Status.NOT_APPLICABLE: "dim",
}
"""In the order in which verdicts are shown."""

MEANINGS = {
    Status.REFUTED: "it fails on the case told above, which was replayed",
    Status.PROVED: "it holds, by the method and on the domain named",
    Status.UNREFUTED: "searched, and no violation found; this does not say that it holds",
    Status.UNKNOWN: "nothing can be said, for the reason given",
}

CASES = {
    "deviation": "deviations",
    "nash": "deviations",
    "interim": "deviations",
    "coalition": "joint deviations",
    "swap": "swaps",
    "scaling": "scalings",
    "split": "splits",
    "newcomer": "newcomers",
    "cycle 2": "cycles",
    "cycle 3": "cycles",
}


def numbers(count: int) -> str:
    """A count to be read: 512, 58 k, 1.2 M."""
    if count < 10_000:
        return str(count)
    return f"{count / 1e3:.0f} k" if count < 999_500 else f"{count / 1e6:.1f} M"


def evidence(verdict: Verdict, setting: Setting) -> str:
    """What a verdict rests on, in a line or two."""
    if verdict.counterexample is not None:
        return tell(verdict.counterexample, setting).headline
    if verdict.certificate is not None:
        return certified(verdict.certificate)
    if verdict.status is Status.UNREFUTED:
        return searched(verdict.property, verdict.effort, setting)
    return verdict.reason


def certified(certificate: Certificate) -> str:
    return ", ".join(filter(None, (certificate.method, certificate.domain, certificate.tool)))


def searched(name: str, effort: Effort, setting: Setting) -> str:
    prop = PROPERTIES.get(name)
    family = prop.checks(setting)[0].family if prop else "profile"
    told = [f"{numbers(effort.profiles)} profiles"]
    if family in CASES:
        told.insert(0, f"{numbers(effort.deviations)} {CASES[family]}")
    if effort.smallest is not None:
        # What rounding left of a zero is a zero to a reader; the JSON has the number itself.
        margin = 0.0 if abs(effort.smallest) < 1e-12 * setting.types.scale else effort.smallest
        told.append(f"smallest margin {decimal(margin)}")
    return "; ".join((", ".join(told), *effort.notes))


def summary(report: Report) -> str:
    """How many verdicts of each kind: 2 refuted, 17 unrefuted, 1 not applicable."""
    counts = {status: sum(v.status is status for v in report) for status in STYLES}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count)


def telling(report: Report, setting: Setting) -> list[tuple[list[str], Story]]:
    """The stories of what is refuted, told once where one case refutes several properties."""
    stories: dict[tuple[str, ...], tuple[list[str], Story]] = {}
    for verdict in report.refuted:
        assert verdict.counterexample is not None
        told = tell(verdict.counterexample, setting)
        stories.setdefault(told.lines, ([], told))[0].append(verdict.property)
    return list(stories.values())


def render(report: Report, setting: Setting, *, width: int | None = None) -> RenderableType:
    """The page: header, table of verdicts, the stories of what is refuted, what the words mean.

    width: columns; those of the console by default.
    """
    parts: list[RenderableType] = [header(report, setting), "", table(report, setting)]
    for names, told in telling(report, setting):
        parts += ["", panel(names, told)]
    parts += ["", footer(report)]
    return Constrain(Group(*parts), width)


def header(report: Report, setting: Setting) -> Text:
    roles = " and ".join(
        f"{count} {role}{'s' if count > 1 else ''}" for role, count in setting.role_counts().items()
    )
    where = report.setting if "agents" in report.setting else f"{report.setting} ({roles})"
    text = Text(report.mechanism, style="bold")
    if report.reference and report.reference != report.mechanism:
        text.append(f"  {report.reference}", style="not bold dim")
    text.append(f"\n{where}", style="not bold")
    text.append(f"\nseed {report.seed}, {report.seconds:.1f} s", style="not bold dim")
    return text


def table(report: Report, setting: Setting) -> Table:
    found = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    found.add_column("property", no_wrap=True)
    found.add_column("verdict", no_wrap=True)
    found.add_column("evidence", overflow="fold")
    for status, style in STYLES.items():
        for verdict in report:
            if verdict.status is status:
                found.add_row(
                    Text(verdict.property, style="dim" if style == "dim" else ""),
                    Text(str(status), style=style),
                    Text(evidence(verdict, setting), style="dim" if style == "dim" else ""),
                )
    return found


def panel(names: list[str], told: Story) -> Panel:
    """One story, under the properties that it refutes and what they claim."""
    claims = [
        Text(f"Claim: {PROPERTIES[name].statement}.", style="italic")
        for name in names
        if name in PROPERTIES
    ]
    return Panel(
        Group(*claims, Text(), *(paragraph(line) for line in told.lines)),
        title=Text.assemble((f"{', '.join(names)}", "bold"), " ", ("refuted", "bold red")),
        title_align="left",
        border_style="red",
    )


def paragraph(line: str) -> RenderableType:
    """A line whose indent is kept where it wraps."""
    text = line.lstrip(" ")
    indent = len(line) - len(text)
    return Padding(Text(text), (0, 0, 0, indent)) if indent else Text(text)


def footer(report: Report) -> RenderableType:
    lines: list[Text] = [Text(f"{summary(report)}.", style="bold")]
    seen = {verdict.status for verdict in report}
    for status, meaning in MEANINGS.items():
        if status in seen:
            style = STYLES[status]
            lines.append(Text.assemble((str(status), style), (f": {meaning}.", "dim")))
    return Group(*lines)


# JSON --------------------------------------------------------------------------------------------


def as_json(report: Report, setting: Setting, *, digest: str | None = None) -> dict[str, Any]:
    """The report as plain JSON values, witnesses included; digest: of the mechanism's source."""
    return {
        "format": FORMAT,
        "mechanism": {
            "name": report.mechanism,
            "reference": report.reference,
            "sha256": digest,
        },
        "setting": {
            "name": report.setting,
            "agents": setting.agents,
            "roles": setting.role_counts(),
        },
        "seed": report.seed,
        "seconds": report.seconds,
        "ok": report.ok,
        "verdicts": {
            v.property: _verdict(v, setting, report.reference, digest, report.seed) for v in report
        },
    }


def _verdict(
    verdict: Verdict, setting: Setting, reference: str | None, digest: str | None, seed: int
) -> dict[str, Any]:
    effort, found = verdict.effort, verdict.counterexample
    certificate = verdict.certificate
    return {
        "status": str(verdict.status),
        "evidence": evidence(verdict, setting),
        "reason": verdict.reason,
        "effort": {
            "profiles": effort.profiles,
            "deviations": effort.deviations,
            "evaluations": effort.evaluations,
            "trades": effort.trades,
            "smallest": finite(effort.smallest),
            "seconds": effort.seconds,
            "notes": list(effort.notes),
        },
        "certificate": certificate
        and {
            "method": certificate.method,
            "domain": certificate.domain,
            "tool": certificate.tool,
        },
        "witness": found and witness.to_json(found, reference=reference, digest=digest, seed=seed),
    }


def finite(x: float | None) -> float | None:
    """JSON has no infinity and no NaN."""
    return float(x) if x is not None and math.isfinite(x) else None


def short_of(report: Report, wanted: str) -> list[Verdict]:
    """The verdicts that fall short of a requirement, "proved" or "all-decided".

    What does not apply cannot fall short.
    """
    enough: Iterable[Status] = (Status.PROVED, Status.NOT_APPLICABLE)
    if wanted == "all-decided":
        enough = (*enough, Status.REFUTED)
    return [verdict for verdict in report if verdict.status not in enough]
