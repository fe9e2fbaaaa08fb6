"""What the runs of a paper's figures come to: a grid of pictures, tables, the paper's own numbers.

Rows are those of `figures.gathered`: one for each setting and learner, rule or mechanism, with each
measure's value and, where there are seeds, its interval ("… low", "… high").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from learners.compare import LEARNER
from mechkit.pictures import keep, sheet
from mechkit.standings import COLOURS

Rows = Sequence[Mapping[str, Any]]
KINDS = {LEARNER: "", "rule": " (rule)", "mechanism": " (mechanism)"}


@dataclass(frozen=True)
class Said:
    """The paper: `ours` is that many percent above `other` in a measure."""

    measure: str
    ours: str
    other: str
    percent: float


def settings_of(rows: Rows, axis: str) -> list[str]:
    return list(dict.fromkeys(row["setting"] for row in rows if row["axis"] == axis))


def everybody(rows: Rows) -> list[tuple[str, str]]:
    """(name, kind), the best on average first."""
    scores: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        scores.setdefault((row["name"], row["kind"]), []).append(row.get("score", -np.inf))
    return sorted(scores, key=lambda who: -float(np.mean(scores[who])))


def shares_in(rows: Rows) -> bool:
    """Whether scores are shares of the optimum."""
    return all(row.get("of the optimum", True) for row in rows)


def named(name: str, kind: str) -> str:
    return name + KINDS.get(kind, "")


def label_of(measure: str, rows: Rows) -> str:
    return {
        "score": "share of the exact optimum" if shares_in(rows) else "mean return",
        "welfare": "welfare, share of the first best",
    }.get(measure, measure)


# The paper's numbers beside ours ------------------------------------------------------------------


def compared(said: Said, rows: Rows) -> list[float]:
    """How far ours is above the other, at every setting where both are: in percent, or as a
    difference where returns are no shares, which may be below 0 and then have no percents."""
    shares = said.measure != "score" or shares_in(rows)
    of: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        if said.measure in row:
            at = (row["axis"], row["setting"])
            of.setdefault(at, {})[row["name"]] = row[said.measure]
    return [
        (own[said.ours] - own[said.other]) * (100 / own[said.other] if shares else 1)
        for own in of.values()
        if said.ours in own and said.other in own
    ]


def beside(said: Sequence[Said], rows: Rows) -> Iterator[str]:
    """A table of Markdown."""
    if not said:
        return
    yield "| measure | | above | the paper | here, on average | from | to |"
    yield "|---|---|---|---|---|---|---|"
    for one in said:
        found = compared(one, rows)
        if found:
            numbers = (np.mean(found), min(found), max(found))
            unit = " %" if one.measure != "score" or shares_in(rows) else ""
            cells = " | ".join(f"{number:+.1f}{unit}" for number in numbers)
            words = f"{label_of(one.measure, rows)} | {one.ours} | {one.other}"
            yield f"| {words} | {one.percent:+g} % | {cells} |"
    yield ""


# Tables -------------------------------------------------------------------------------------------


def markdown(
    name: str,
    rows: Rows,
    about: Mapping[str, Any],
    measures: Sequence[str],
    said: Sequence[Said],
) -> str:
    """Everything as text: each measure along each axis, means over seeds with 95 % intervals, and
    which runs are not in them. about: steps, seeds and instances of each, market, unfinished."""
    lines = [
        f"# {about['market']}: learned against optimal",
        "",
        f"`python -m benchmarks.figures {name} --runs DIR --seeds {about['seeds']} --steps "
        f"{about['steps']}`: {about['steps']:,} steps, {about['seeds']} seeds, "
        f"{about['instances']:,} held-out instances at each setting. "
        "Interquartile means over seeds, with 95 % stratified bootstrap intervals in brackets; "
        "rules that draw no lots have none.",
        "",
        *beside(said, rows),
        *(f"- not counted: {line}" for line in about["unfinished"]),
        *([""] if about["unfinished"] else []),
    ]
    for axis in dict.fromkeys(row["axis"] for row in rows):
        for measure in measures:
            lines += [f"## {label_of(measure, rows)}, by {axis}", ""]
            lines += [*pivot(rows, axis, measure, about["seeds"]), ""]
    return "\n".join(lines)


def pivot(rows: Rows, axis: str, measure: str, seeds: int) -> Iterator[str]:
    """seeds: how many there should be; where a learner has fewer, its cell says so."""
    labels = settings_of(rows, axis)
    yield f"| | {' | '.join(labels)} |"
    yield "|---|" + "---|" * len(labels)
    for name, kind in everybody(rows):
        own = {
            row["setting"]: row
            for row in rows
            if (row["axis"], row["name"], row["kind"]) == (axis, name, kind) and measure in row
        }
        if own:
            cells = " | ".join(cell(own.get(label), measure, seeds) for label in labels)
            yield f"| {named(name, kind)} | {cells} |"


def cell(row: Mapping[str, Any] | None, measure: str, seeds: int) -> str:
    if row is None:
        return ""
    value, low, high = row[measure], row.get(f"{measure} low"), row.get(f"{measure} high")
    few = row["kind"] == LEARNER and row["seeds"] < seeds
    of = f" ({row['seeds']} of {seeds} seeds)" if few else ""
    if low is None or high is None or low == high:
        return f"{value:.5g}{of}"
    return f"{value:.5g} [{low:.5g}, {high:.5g}]{of}"


def averages(rows: Rows) -> Table:
    """Everybody's score and welfare, averaged over the settings; for the terminal."""
    table = Table("", "settings", label_of("score", rows), "worst", label_of("welfare", rows))
    for name, kind in everybody(rows):
        own = [row for row in rows if (row["name"], row["kind"]) == (name, kind)]
        scores = [row["score"] for row in own if "score" in row]
        told = (f"{np.mean(scores):.5g}", f"{min(scores):.5g}") if scores else ("", "")
        welfare = np.mean([row["welfare"] for row in own])
        table.add_row(named(name, kind), str(len(own)), *told, f"{welfare:.4f}")
    return table


# Pictures -----------------------------------------------------------------------------------------


def draw(title: str, rows: Rows, measures: Sequence[str], file: Path) -> None:
    """A panel for each measure and axis: values with their intervals against the setting."""
    axes = list(dict.fromkeys(row["axis"] for row in rows))
    figure = sheet(3.6 * len(axes) + 2.6, 2.9 * len(measures) + 0.5)
    panels = figure.subplots(len(measures), len(axes), squeeze=False, sharey="row", sharex="col")
    who = everybody(rows)
    for panel_row, measure in zip(panels, measures, strict=True):
        for panel, axis in zip(panel_row, axes, strict=True):
            lines(panel, rows, axis, measure, who)
        panel_row[0].set_ylabel(label_of(measure, rows), fontsize=9)
    for panel, axis in zip(panels[-1], axes, strict=True):
        panel.set_xlabel(axis)
    handles = {line.get_label(): line for panel in panels.flat for line in panel.get_lines()}
    wanted = [named(*one) for one in who if named(*one) in handles]
    figure.legend(
        [handles[label] for label in wanted], wanted, loc="outside right upper", fontsize="small"
    )
    figure.suptitle(f"{title}: learners solid with 95 % intervals, rules and mechanisms dotted")
    keep(figure, file, dpi=100)


def lines(panel: Any, rows: Rows, axis: str, measure: str, who: Sequence[tuple[str, str]]) -> None:
    from matplotlib import colormaps

    labels = settings_of(rows, axis)
    for k, (name, kind) in enumerate(who):
        learns = kind == LEARNER
        place = sum(other == kind for _, other in who[:k])
        colour = COLOURS[place % len(COLOURS)] if learns else colormaps["tab20"](k % 20)
        own = {
            row["setting"]: row
            for row in rows
            if (row["axis"], row["name"], row["kind"]) == (axis, name, kind) and measure in row
        }
        at = [x for x, label in enumerate(labels) if label in own]
        found = [own[labels[x]] for x in at]
        if not found:
            continue
        panel.plot(
            at,
            [row[measure] for row in found],
            color=colour,
            label=named(name, kind),
            linestyle="-" if learns else ":",
            marker="o" if learns or len(at) == 1 else None,
            markersize=3,
        )
        if learns:
            low, high = ([row[f"{measure} {end}"] for row in found] for end in ("low", "high"))
            panel.fill_between(at, low, high, color=colour, alpha=0.2, linewidth=0)
    panel.set_xticks(range(len(labels)), labels)
    panel.grid(alpha=0.25)
