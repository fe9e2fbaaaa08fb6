"""An audit as one HTML page that needs nothing else: no network, no second file.

A summary, then every claim: what the paper says, the verdict and how strong it is, the
counterexample in words, for incentive claims the utility against the report with the truth marked,
and where a printed formula is wrong the corrected one beside it. Everything that comes from rules,
papers or errors is escaped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from mechkit import papers
from mechkit.audit.claims import COMPUTED, file_of
from mechkit.audit.curve import about, best, elsewhere
from mechkit.audit.record import Audit, Checked
from mechkit.pages import document

STATUSES = ("refuted", "proved", "unrefuted", "unknown", "error")
MEANINGS = {
    "refuted": "It fails on the witness given, which was replayed in the arithmetic named.",
    "proved": "It holds on the whole domain named, by the method and tool named.",
    "unrefuted": "A search of the size given found nothing against it. That is no proof.",
    "unknown": "Nothing can be said, and the reason is given.",
    "error": "The check itself broke down.",
}


def page(audit: Audit) -> str:
    """The whole page."""
    title = "Claims, checked" if audit.claims else "The catalogue, checked"
    return document(title, "\n".join([f"<h1>{title}</h1>", *_body(audit)]), scripted=True)


def _body(audit: Audit) -> Iterable[str]:
    counts = Counter(claim.status for claim in audit.claims)
    if audit.claims:
        yield (
            f"<p>{_many(len(audit.claims), 'claim')} of "
            f"{_many(len(_papers(audit.claims)), 'paper')}, put to mechkit "
            f"{escape(audit.version)}. Every refutation was replayed; every proof names its method."
            "</p>"
        )
        yield _summary(audit.claims)
        yield _meanings(counts)
        yield '<div class="chips" role="group" aria-label="Show one verdict alone">'
        for status in STATUSES:
            if counts[status]:
                yield (
                    f'<button type="button" data-status="{status}" aria-pressed="false">'
                    f"{status} {counts[status]}</button>"
                )
        yield "</div>"
        for name, claims in _papers(audit.claims).items():
            yield from _paper(name, claims)
    if audit.rows:
        yield from _catalogue(audit)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun if count == 1 else noun + 's'}"


def _papers(claims: Iterable[Checked]) -> dict[str, list[Checked]]:
    found: dict[str, list[Checked]] = {}
    for claim in claims:
        found.setdefault(claim.paper, []).append(claim)
    return found


def _summary(claims: Iterable[Checked]) -> str:
    grouped = _papers(claims)
    used = [s for s in STATUSES if any(c.status == s for own in grouped.values() for c in own)]
    head = "".join(f'<th class="{s}">{s}</th>' for s in used)
    rows = []
    for name, own in grouped.items():
        counts = Counter(claim.status for claim in own)
        cells = "".join(f"<td>{counts[s] or ''}</td>" for s in used)
        rows.append(
            f'<tr><td><a href="#{escape(name)}">{escape(name)}</a></td><td>{len(own)}</td>{cells}'
            "</tr>"
        )
    return (
        f'<div class="scroll"><table><thead><tr><th>paper</th><th>claims</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _meanings(counts: Mapping[str, int]) -> str:
    rows = "".join(
        f'<tr><td class="badge {s}">{s}</td><td>{text}</td></tr>'
        for s, text in MEANINGS.items()
        if counts[s]
    )
    return f'<table class="words"><tbody>{rows}</tbody></table>'


def _paper(name: str, claims: list[Checked]) -> Iterable[str]:
    paper = papers.paper_of(name)
    yield f'<section class="paper" id="{escape(name)}"><h2>{escape(name)}</h2>'
    yield f"<p>{escape(paper.about)}.</p>"
    for claim in claims:
        yield from _claim(claim)
    if paper.readings:
        yield "<h3>What the paper leaves open, and how it was read</h3><ul>"
        yield from (f"<li>{escape(reading)}</li>" for reading in paper.readings)
        yield "</ul>"
    yield "</section>"


def _claim(claim: Checked) -> Iterable[str]:
    kind = claim.status.split()[0]
    yield (
        f'<details class="claim" id="{escape(claim.claim)}" data-status="{escape(kind)}"><summary>'
        f'<span class="badge {escape(kind)}">{escape(claim.status)}</span>'
        f'<span><span class="id">{escape(claim.claim)}</span> '
        f'<span class="soft">{escape(claim.where)}</span></span>'
        f'<span class="says">{escape(claim.says)}{_reading(claim)}</span></summary>'
        '<div class="body">'
    )
    facts = {
        "asked": claim.asked,
        "method": claim.method,
        "evidence": claim.evidence,
        "put to the test": _exercised(claim),
        "replay": claim.replays,
        "again": f"mechkit replay {file_of(claim)}" if claim.file else "",
        "by hand": _expected(claim),
        "time": f"{claim.seconds:.1f} s",
    }
    rows = "".join(f"<dt>{k}</dt><dd>{escape(v)}</dd>" for k, v in facts.items() if v)
    yield f"<dl>{rows}</dl>"
    if not claim.ok:
        yield '<p class="error">This verdict is not what was expected: one of the two is wrong.</p>'
    if claim.told and claim.told != claim.evidence:
        yield f"<pre>{escape(claim.told)}</pre>"
    if claim.curve is not None:
        yield figure(claim.curve)
    if claim.formula is not None:
        yield "<h3>The formula</h3><dl>" + "".join(
            f"<dt>{name}</dt><dd><pre>{escape(claim.formula[key])}</pre></dd>"
            for name, key in (
                ("as printed", "printed"),
                ("why not", "derivation"),
                ("corrected", "corrected"),
            )
        )
        yield "</dl>"
    yield "</div></details>"


def _reading(claim: Checked) -> str:
    return f'<br><span class="soft">Read: {escape(claim.reading)}</span>' if claim.reading else ""


def _exercised(claim: Checked) -> str:
    """How much could have shown the claim to be wrong: profiles with trade, or cases computed."""
    if claim.exercised is None:
        return ""
    return f"by {_many(claim.exercised, 'case' if claim.asked == COMPUTED else 'trade')}"


def _expected(claim: Checked) -> str:
    word = {True: "it holds", False: "it fails", None: "not decided"}[claim.expected]
    return f"{word}: {claim.because}"


# Utility against report ---------------------------------------------------------------------------

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 624, 14, 222


def figure(curve: Mapping[str, Any]) -> str:
    reports, utilities = curve["reports"], curve["utilities"]
    low, high = reports[0], reports[-1]
    least, most = min(*utilities, 0.0), max(*utilities, 0.0)
    most += (most - least) * 0.05 or 1.0

    def x(report: float) -> float:
        return LEFT + (report - low) / ((high - low) or 1.0) * (RIGHT - LEFT)

    def y(utility: float) -> float:
        return BOTTOM - (utility - least) / (most - least) * (BOTTOM - TOP)

    path = " ".join(f"{x(r):.2f},{y(u):.2f}" for r, u in zip(reports, utilities, strict=True))
    box = {
        "left": LEFT,
        "right": RIGHT,
        "top": TOP,
        "bottom": BOTTOM,
        "width": WIDTH,
        "low": low,
        "high": high,
        "least": least,
        "most": most,
    }
    marks = [
        f'<line class="level" x1="{LEFT}" x2="{RIGHT}" y1="{y(curve["at_truth"]):.2f}" '
        f'y2="{y(curve["at_truth"]):.2f}"/>',
        f'<polyline class="curve" points="{path}"/>',
        _dot("truth", x(curve["truth"]), y(curve["at_truth"])),
    ]
    if curve["lie"] is not None:
        marks.append(_dot("lie", x(curve["lie"]), y(curve["at_lie"])))
    ticks = [
        f'<line class="axis" x1="{LEFT}" x2="{RIGHT}" y1="{y(0):.2f}" y2="{y(0):.2f}"/>',
        f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{BOTTOM}"/>',
        f'<text x="{LEFT}" y="{BOTTOM + 18}">{low:g}</text>',
        f'<text x="{RIGHT}" y="{BOTTOM + 18}" text-anchor="end">{high:g}</text>',
        f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 32}" text-anchor="middle">report</text>',
        f'<text x="{LEFT + 6}" y="{TOP + 4}">utility</text>',
        f'<text x="{LEFT - 6}" y="{y(0) + 4:.2f}" text-anchor="end">0</text>',
        f'<text x="{LEFT - 6}" y="{TOP + 8}" text-anchor="end">{max(utilities):.4g}</text>',
    ]
    if least < 0:
        ticks.append(f'<text x="{LEFT - 6}" y="{BOTTOM}" text-anchor="end">{least:.4g}</text>')
    told = escape(about(curve))
    lie = "; the lie red" if curve["lie"] is not None else ""
    data = json.dumps({k: curve[k] for k in ("reports", "utilities", "at_truth")})
    return (
        f'<figure class="utility"><figcaption>{told}{escape(elsewhere(curve))}. '
        f"The truth is green{lie}.{escape(best(curve))}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{told}" '
        f"data-box='{escape(json.dumps(box))}'>{''.join(ticks)}{''.join(marks)}"
        f'<line class="cross" y1="{TOP}" y2="{BOTTOM}"/><circle class="dot" r="4"/></svg>'
        '<div class="readout soft">Point at the curve to read it.</div>'
        f'<script type="application/json">{data}</script></figure>'
    )


def _dot(kind: str, x: float, y: float) -> str:
    return f'<circle class="{kind}" r="5" cx="{x:.2f}" cy="{y:.2f}"/>'


# The catalogue ------------------------------------------------------------------------------------


def _catalogue(audit: Audit) -> Iterable[str]:
    yield '<section><h2 id="catalogue">The catalogue</h2>'
    known = len({row.key for row in audit.rows})
    yield (
        f"<p>{known} known mechanisms, sound and faulty, each with a truth table from the "
        "literature. A fault must be refuted by a witness that replays, what holds must not be.</p>"
    )
    rows = "".join(
        f"<tr><td>{escape(kind)}</td><td>{count:,}</td></tr>"
        for kind, count in audit.counts.items()
        if count
    )
    yield (
        '<div class="scroll"><table><thead><tr><th>declaration against verdict</th><th>cells</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    for row, cell in audit.disagreements:
        yield (
            f'<details class="claim" data-status="error" open><summary><span class="badge error">'
            f'disagrees</span><span class="id">{escape(row.key)}: {escape(cell.property)}</span>'
            f'<span class="says">{escape(cell.claim)}</span></summary><div class="body">'
            f"<pre>{escape(cell.evidence)}\n\n{escape(cell.told)}</pre></div></details>"
        )
    yield "</section>"
