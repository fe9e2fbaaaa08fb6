"""Learned against optimal, for readers: a table for the terminal, a picture, a page.

A score is a share of the optimum where optima are positive, else a mean return. Where a one-line
rule beats every learner, that is the first thing said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learners.compare import AXES, LEARNER, ORACLE, RULE
from mechkit.audit.page import figure as drawn_curve
from mechkit.pages import document
from mechkit.pictures import keep, sheet

if TYPE_CHECKING:
    from rich.console import RenderableType

    from learners.compare import Comparison, Overall, Row, Table
    from learners.statistics import Curve, Interval
    from mechkit.learned import Audited

COLOURS = ("#2f5fb3", "#b3261e", "#1a7f4b", "#8a6100", "#6b21a8", "#0e7490", "#be185d", "#4d7c0f")
COLUMNS = ("", "score", "95 %", "gap", "P(> best rule)", "steps", "updates", "seconds")
WIDE = 120
"""Columns of a table that nothing cuts."""
FEW = 10
"""Seeds below which intervals are said to be rough."""


# Words --------------------------------------------------------------------------------------------


def headline(table: Table) -> str:
    """Who is best, in one sentence."""
    best, learner, rule = table.best, table.best_of(LEARNER), table.best_of(RULE)
    if best is None or learner is None:
        return "No learner is finished." if best is None else f"Best is the rule {best.name!r}."
    ours = f"{learner.name} with {_score(table, learner)}"
    if rule is None:
        return f"Best learner: {ours}; there is no rule to beat."
    theirs = f"the one-line rule {rule.name!r}"
    if table.beaten:
        return (
            f"{theirs[0].upper()}{theirs[1:]} beats every learner: {_number(table, rule)}, and the "
            f"best of them is {ours}."
        )
    told = f"Best: {ours}; {theirs} has {_number(table, rule)}"
    if learner.score.low <= rule.score.value:
        told += ", within its interval"
    return told + "."


def about(table: Table) -> str:
    """The environment, its sizes, and what stands for 100 %."""
    spec = table.environment
    sizes = ", ".join(f"{name} {size}" for name, size in spec["sizes"].items())
    return (
        f"{spec['name']}{f', {sizes}' if sizes else ''}; {table.instances:,} held-out instances; "
        f"optimum {table.optimum:.6g} and first best {table.first_best:.6g} {spec['unit']} on "
        "average"
    )


def notes(table: Table) -> list[str]:
    """What a reader must know beside the numbers."""
    told = [f"not counted: {line}" for line in table.unfinished]
    told += list(table.notes)
    few = [row.name for row in table.rows if row.kind == LEARNER and len(row.seeds) < FEW]
    if few:
        told.append(f"fewer than {FEW} seeds, so that intervals are rough: {', '.join(few)}")
    return told


def cells(table: Table, row: Row) -> tuple[str, ...]:
    """One line of the table, as `COLUMNS` has it."""
    trained = row.kind == LEARNER
    return (
        row.name if trained or row.kind == ORACLE else f"{row.name} ({row.kind})",
        _number(table, row),
        _span(row.score, table.share) if row.score.low < row.score.high else "",
        f"{_rounded(row.gap.value, table.optimum):.4g}",
        "" if row.improvement is None else _interval(row.improvement),
        f"{row.steps:,.0f}" if trained else "",
        f"{row.updates:,.0f}" if trained else "",
        f"{row.seconds:,.1f}" if trained else "",
    )


def _number(table: Table, row: Row) -> str:
    return f"{100 * row.score.value:.2f} %" if table.share else f"{row.score.value:.5g}"


def _span(found: Interval, share: bool) -> str:
    if share:
        return f"{100 * found.low:.2f}–{100 * found.high:.2f}"
    return f"{found.low:.5g} to {found.high:.5g}"


def _score(table: Table, row: Row) -> str:
    many = f"{len(row.seeds)} seeds" if len(row.seeds) > 1 else "1 seed"
    span = f" [{_span(row.score, table.share)}]" if row.score.low < row.score.high else ""
    return f"{_number(table, row)}{span} over {many}"


def _rounded(gap: float, scale: float) -> float:
    """0 for what rounding leaves of it."""
    return 0.0 if abs(gap) < 1e-12 * max(1.0, abs(scale)) else gap


def _interval(found: Interval) -> str:
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


# Terminal -----------------------------------------------------------------------------------------


def render(found: Comparison, audits: Sequence[Audited] = ()) -> RenderableType:
    """Everything, for the terminal."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for table in found.tables:
        style = "bold yellow" if table.beaten else "bold green"
        parts += [*([""] if parts else []), Text(headline(table), style=style), ""]
        parts += [_grid(table), "", Text(about(table), style="dim")]
        parts += [Text(line, style="yellow") for line in notes(table)]
    if found.overall:
        parts += ["", Text(f"Over {len(found.tables)} environments", style="bold")]
        parts += [Text(f"  {_of_all(row)}") for row in found.overall]
    for audit in audits:
        parts += ["", Text(audit.title, style="bold")]
        parts += [Text(f"  {line}") for line in audit.lines]
    return Group(*parts)


def _of_all(row: Overall) -> str:
    span = _span(row.score, True)
    return f"{row.name} ({row.kind}): {100 * row.score.value:.2f} % [{span}] of the optimum"


def _grid(table: Table) -> RenderableType:
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for k, name in enumerate(_columns(table)):
        grid.add_column(name, justify="left" if k == 0 else "right", overflow="fold")
    for row in table.rows:
        first, *rest = cells(table, row)
        style = "bold green" if row is table.best else "dim" if row.kind == ORACLE else "bold"
        mark = " ← best" if row is table.best else ""
        grid.add_row(Text(first + mark, style=style), *rest)
    return grid


def _columns(table: Table) -> tuple[str, ...]:
    return ("", "of the optimum" if table.share else "return", *COLUMNS[2:])


# Picture ------------------------------------------------------------------------------------------


def plot(found: Comparison, file: Path) -> None:
    """Scores and learning curves as a PNG, all or nothing. Raises InputError without matplotlib."""
    tables = found.tables
    most = max(len(table.rows) for table in tables)
    height = max(3.6, 0.3 * most + 1.2)
    figure = sheet(17, height * len(tables) + 0.4)
    axes = figure.subplots(len(tables), 1 + len(AXES), squeeze=False, width_ratios=(1.5, 1, 1, 1))
    for panels, table in zip(axes, tables, strict=True):
        colours = _colours(table)
        _scores(panels[0], table, colours)
        for axis, panel in zip(AXES, panels[1:], strict=True):
            _curves(panel, table, axis, colours)
    keep(figure, file, dpi=120)


def _colours(table: Table) -> dict[str, str]:
    names = sorted(row.name for row in table.rows if row.kind == LEARNER)
    return {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(names)}


def _scores(panel: Any, table: Table, colours: Mapping[str, str]) -> None:
    """Every score with its interval, the best on top."""
    scale = 100 if table.share else 1
    rows = table.rows[::-1]
    for place, row in enumerate(rows):
        colour = colours.get(row.name, "#5a6472")
        panel.plot(
            [scale * row.score.low, scale * row.score.high], [place, place],
            color=colour, linewidth=2.5, alpha=0.5,
        )  # fmt: skip
        panel.plot(
            [scale * row.score.value], [place], "o" if row.kind == LEARNER else "D",
            color=colour, markersize=6,
        )  # fmt: skip
    panel.set_yticks(range(len(rows)), [cells(table, row)[0] for row in rows])
    unit = "% of the optimum" if table.share else f"return, {table.environment['unit']}"
    panel.set_xlabel(f"{unit}; interquartile mean, 95 %")
    sizes = ", ".join(f"{name} {size}" for name, size in table.environment["sizes"].items())
    panel.set_title(f"{table.environment['name']}, {sizes}"[:60], fontsize=10, loc="left")
    panel.grid(alpha=0.25, axis="x")


def _curves(panel: Any, table: Table, axis: str, colours: Mapping[str, str]) -> None:
    """Gaps on watched instances against steps, updates or seconds; the best rule as a line."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    lowest = []
    for row in table.rows:
        curve = row.curves.get(axis)
        if curve is None:
            continue
        colour = colours[row.name]
        label = row.name if axis == AXES[0] else None
        panel.plot(curve.at, curve.value, color=colour, linewidth=1.8, label=label)
        panel.fill_between(curve.at, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
        lowest.append(float(curve.low.min()))
    rule = table.best_of(RULE)
    if rule is not None:
        label = f"rule {rule.name!r}" if axis == AXES[0] else None
        panel.axhline(rule.gap.value, color="#5a6472", linestyle="--", linewidth=1.2, label=label)
        lowest.append(rule.gap.value)
    if lowest and min(lowest) > 0:
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_formatter(NullFormatter())
    panel.xaxis.set_major_locator(MaxNLocator(4))
    panel.set_xlabel("seconds of training" if axis == "seconds" else axis)
    if axis == AXES[0]:
        panel.set_ylabel(f"gap to the optimum, {table.environment['unit']}")
        panel.legend(fontsize=8)
    panel.grid(alpha=0.25)


# Page ---------------------------------------------------------------------------------------------


def page(found: Comparison, audits: Sequence[Audited] = ()) -> str:
    """The same as one HTML page that needs nothing else."""
    body = "\n".join(["<h1>Learned against optimal</h1>", *_body(found, audits)])
    return document("Learned against optimal", body, css=CSS, scripted=True)


CSS = """th, td { padding: .35rem .4rem; } table { font-size: .9rem; }
tr.best td { font-weight: 600; color: var(--proved); }
tr.oracle td { color: var(--soft); }
svg .band { opacity: .15; } svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .rule { stroke: var(--soft); stroke-dasharray: 5 4; }
.key { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem;
  margin: 0 .3rem 0 .9rem; }
"""


def _body(found: Comparison, audits: Sequence[Audited]) -> Iterable[str]:
    for table in found.tables:
        sign = "unknown" if table.beaten else "proved"
        yield f"<section><h2>{escape(str(table.environment['name']))}</h2>"
        yield f'<p class="{sign}"><strong>{escape(headline(table))}</strong></p>'
        yield f'<p class="soft">{escape(about(table))}.</p>'
        yield from (f'<p class="unknown">{escape(line)}</p>' for line in notes(table))
        yield _rows(table)
        yield from _drawn(table)
        yield _measured(table)
        yield "</section>"
    if found.overall:
        yield f"<section><h2>Over {len(found.tables)} environments</h2><ul>"
        yield from (f"<li>{escape(_of_all(row))}</li>" for row in found.overall)
        yield "</ul></section>"
    if audits:
        yield "<section><h2>Learned policies as mechanisms</h2>"
        yield (
            "<p>A policy runs on floats: what is found is float64 evidence, and never exact. "
            "“Unrefuted” says that a search found nothing, and not that a property holds.</p>"
        )
        for audit in audits:
            yield f"<h3>{escape(audit.title)}</h3><ul>"
            yield from (f"<li>{escape(line)}</li>" for line in audit.lines)
            yield "</ul>"
            yield from (drawn_curve(curve) for curve in audit.curves)
        yield "</section>"
    yield (
        '<p class="soft">Scores: interquartile means over seeds of the return on all held-out '
        "instances, with stratified bootstrap intervals (Agarwal et al. 2021). Gaps: optimum less "
        "return, paired on every instance. An oracle sees what no policy sees. Seconds are of "
        "training alone.</p>"
    )


def _rows(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in _columns(table))
    rows = "".join(
        f'<tr class="{"best" if row is table.best else row.kind}">'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells(table, row))
        + "</tr>"
        for row in table.rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        "</div>"
    )


def _measured(table: Table) -> str:
    """What the environment measures of everybody."""
    names = list(dict.fromkeys(name for row in table.rows for name in row.measures))
    if not names:
        return ""
    head = "<th></th><th>welfare, of the first best</th>"
    head += "".join(f"<th>{escape(name)}</th>" for name in names)
    rows = []
    for row in table.rows:
        share = "" if row.welfare is None else f"{100 * row.welfare.value:.2f} %"
        own = "".join(
            f"<td>{row.measures[name].value:.5g}</td>" if name in row.measures else "<td></td>"
            for name in names
        )
        rows.append(f"<tr><td>{escape(cells(table, row)[0])}</td><td>{share}</td>{own}</tr>")
    return (
        "<details><summary>What the market measures, means over instances and seeds</summary>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody>'
        "</table></div></details>"
    )


WIDTH, HEIGHT, LEFT, BASE = 640, 260, 60, 222


def _drawn(table: Table) -> Iterable[str]:
    """The gap against steps."""
    curves = {row.name: row.curves["steps"] for row in table.rows if "steps" in row.curves}
    rule, colours = table.best_of(RULE), _colours(table)
    if not curves:
        return
    last = max(float(curve.at[-1]) for curve in curves.values()) or 1.0
    level = 0.0 if rule is None else rule.gap.value
    top = 1.05 * max(level, *(float(curve.high.max()) for curve in curves.values())) or 1.0

    def x(steps: float) -> float:
        return LEFT + steps / last * (WIDTH - 16 - LEFT)

    def y(gap: float) -> float:
        return BASE - gap / top * (BASE - 14)

    dashed = "" if rule is None else f"; dashed: the rule {escape(repr(rule.name))}"
    yield (
        "<figure><figcaption>The gap to the optimum on watched instances, against steps"
        f"{dashed}.<br>"
    )
    yield from (
        f'<span class="key" style="background:{colours[name]}"></span>{escape(name)}'
        for name in sorted(curves)
    )
    yield (
        f'</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="learning curves">'
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - 16}" y1="{BASE}" y2="{BASE}"/>'
        f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="14" y2="{BASE}"/>'
        f'<text x="{LEFT - 6}" y="{BASE + 4}" text-anchor="end">0</text>'
        f'<text x="{LEFT - 6}" y="22" text-anchor="end">{top:.3g}</text>'
        f'<text x="{LEFT}" y="{BASE + 18}">0</text>'
        f'<text x="{WIDTH - 16}" y="{BASE + 18}" text-anchor="end">{last:,.0f} steps</text>'
    )
    for name, curve in curves.items():
        yield _band(curve, colours[name], x, y)
    if rule is not None:
        yield (
            f'<line class="rule" x1="{LEFT}" x2="{WIDTH - 16}" y1="{y(level):.2f}" '
            f'y2="{y(level):.2f}"/>'
        )
    yield "</svg></figure>"


def _band(curve: Curve, colour: str, x: Any, y: Any) -> str:
    def path(values: Any, at: Any) -> str:
        return " ".join(f"{x(s):.2f},{y(max(v, 0.0)):.2f}" for s, v in zip(at, values, strict=True))

    around = f"{path(curve.high, curve.at)} {path(curve.low[::-1], curve.at[::-1])}"
    return (
        f'<polygon class="band" points="{around}" fill="{colour}"/>'
        f'<polyline class="line" points="{path(curve.value, curve.at)}" stroke="{colour}"/>'
    )
