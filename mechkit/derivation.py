"""A derivation on paper: the game, every step, the equilibrium, what is proved, and the check.

`outline` puts an equilibrium into sections of sentences and formulas; `text`, `latex` and `html`
set the same outline for a terminal, for a paper and for a browser (MathML, no network).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape, unescape
from typing import TYPE_CHECKING, Any

from mechkit.pages import document

if TYPE_CHECKING:
    from proofs.games import Branch, Check, Equilibrium, Fact, Game, NumericalEquilibrium

FORMAT = "mechkit-equilibrium/1"


@dataclass(frozen=True)
class Line:
    """A sentence, formulas (SymPy), or both: the sentence first. mark: of a fact, "proved",
    "refuted" or "undecided"."""

    sentence: str = ""
    formulas: tuple[Any, ...] = ()
    mark: str = ""


@dataclass(frozen=True)
class Section:
    title: str
    lines: tuple[Line, ...]


Point = tuple[Mapping[Any, Any], "NumericalEquilibrium"]
"""Values of the parameters, and the equilibrium in numbers there."""


def outline(found: Equilibrium, point: Point | None = None) -> tuple[Section, ...]:
    """Everything that there is to say, in the order in which it is read."""
    parts = [Section("The game", tuple(_game(found.game)))]
    parts += [Section(step.title, (Line(step.text, tuple(step.formulas)),)) for step in found.steps]
    if found.branches:
        parts.append(Section("The equilibrium", tuple(_branches(found))))
    facts = [*(fact for reply in found.replies for fact in reply.facts), *found.facts]
    if facts:
        parts.append(Section("Conditions", tuple(_facts(facts))))
    parts.append(Section("The check", tuple(_check(found))))
    if point is not None:
        parts.append(Section("In numbers", tuple(_numbers(*point))))
    return tuple(parts)


def _numbers(values: Mapping[Any, Any], solved: NumericalEquilibrium) -> Iterator[Line]:
    yield Line(f"At {_values(values)}, searched and not taken from a formula:")
    yield Line(f"{_values(solved.decisions)}.")
    yield Line(f"Utilities: {_values(solved.utilities)}.")
    left = max(solved.gains.values(), default=0.0)
    if solved.holds:
        most = max(0.0, left)
        yield Line(f"No deviation that was searched gains more than {most:.1e} (relative).")
    else:
        yield Line(f"This is no equilibrium: {solved.reason}.")
    for other in solved.others:
        yield Line(f"Another equilibrium: {_values(other)}.")


def _game(game: Game) -> Iterator[Line]:
    import sympy as sp

    from proofs.games import Family

    for number, stage in enumerate(game.stages, start=1):
        for player in stage:
            many = ""
            if isinstance(player, Family):
                many = f" (each {player.index} of 1 to {player.size})"
            chosen = ", ".join(f"{d.symbol}{_range(d)}" for d in player.decisions)
            subject = "; ".join(str(relation) for relation in player.constraints)
            given = f", subject to {subject}" if subject else ""
            yield Line(
                f"Stage {number}: {player.name}{many} chooses {chosen}{given}, and maximises",
                (player.utility,),
            )
    symbols = [f"{p.symbol}{_range(p)}" for p in game.parameters]
    if symbols:
        yield Line(f"Parameters: {', '.join(symbols)}.")
    if game.assumptions:
        yield Line("Assumed:", tuple(sp.sympify(relation) for relation in game.assumptions))


def _range(of: Any) -> str:
    """ " in [0, oo), an integer"."""
    import sympy as sp

    kind = ", an integer" if of.integer else ""
    if of.low == -sp.oo and of.high == sp.oo:
        return kind
    return f" from {of.low} to {of.high}".replace("oo", "∞") + kind


def _branches(found: Equilibrium) -> Iterator[Line]:
    import sympy as sp

    several = len(found.branches) > 1
    names = _named(found)
    if found.names:
        known = [sp.Eq(name, value, evaluate=False) for name, value in found.names.items()]
        yield Line("With", tuple(known))
    for number, branch in enumerate(found.branches):
        when = branch.when.xreplace(names)
        equations = [
            sp.Eq(k, v.xreplace(names), evaluate=False) for k, v in branch.decisions.items()
        ]
        conditions = () if when is sp.true else sorted(sp.And.make_args(when), key=str)
        if conditions:
            yield Line(f"{branch.name}, where" if several else "Where", tuple(conditions))
            yield Line("the decisions are", tuple(equations))
        else:
            yield Line(f"{branch.name}:" if several else "", tuple(equations))
        worth = [_piece(u, number, len(found.branches)) for u in found.utilities.values()]
        for player, utility in zip(found.utilities, worth, strict=True):
            yield Line(f"and {player} gets", (utility.xreplace(names),))


def _named(found: Equilibrium) -> dict[Any, Any]:
    """The names of what recurs, by the formulas that they stand for."""
    full: dict[Any, Any] = {}
    for name, value in found.names.items():
        full[name] = value.xreplace(full)
    return {value: name for name, value in full.items()}


def _piece(utility: Any, number: int, count: int) -> Any:
    """The part of a utility that belongs to a branch."""
    import sympy as sp

    if isinstance(utility, sp.Piecewise) and len(utility.args) == count:
        return utility.args[number][0]
    return utility


def _facts(facts: list[Fact]) -> Iterator[Line]:
    seen = set()
    for fact in facts:
        if (fact.statement, fact.how) in seen:
            continue
        seen.add((fact.statement, fact.how))
        mark = {True: "proved", False: "refuted", None: "undecided"}[fact.holds]
        at = f" at {_values(fact.at)}" if fact.at else ""
        yield Line(f"{fact.statement} ({fact.how}{at})", mark=mark)


def _values(values: Mapping[Any, Any]) -> str:
    return ", ".join(f"{name} = {_number(value)}" for name, value in values.items())


def _number(value: Any) -> str:
    try:
        return f"{float(value):.6g}"
    except (TypeError, ValueError):
        return str(value)


def _check(found: Equilibrium) -> Iterator[Line]:
    check = found.check
    if check is None:
        yield Line(f"Nothing to check: {found.reason or found.status.value}.")
        return
    yield Line(_checked(check))
    for name, count in check.branches.items():
        if not count:
            yield Line(f"No draw fell into the branch “{name}”: it was not checked.")
    for failure in check.failures[:3]:
        yield Line(
            f"{failure.player} does better at {_values(failure.parameters)}: "
            f"{_values(failure.better)} instead of {_values(failure.decision)} gains "
            f"{failure.gain:.3g} (relative)."
        )
    if len(check.failures) > 3:
        yield Line(f"… and {len(check.failures) - 3} more failures.")


def _checked(check: Check) -> str:
    word = "held" if check.holds else f"failed {len(check.failures)} times"
    return (
        f"Independent numerical optimisation at {check.draws} draws of the parameters (seed "
        f"{check.seed}) {word}: the largest relative gain of a deviation is {check.gain:.1e}, the "
        f"largest relative difference of a decision {check.difference:.1e}."
    )


def headline(found: Equilibrium) -> str:
    """The status; a checked answer that leaves something out says so at once."""
    from proofs.games import Status

    part = ", in part" if found.status is Status.CHECKED and found.reason else ""
    return f"{found.status.value}{part}"


# A terminal ---------------------------------------------------------------------------------------


def text(found: Equilibrium, point: Point | None = None, *, width: int = 100) -> str:
    """The derivation in plain text, formulas in two dimensions."""
    from textwrap import indent, wrap

    lines = [f"{found.game.name}: {headline(found)}"]
    if found.reason:
        lines += wrap(found.reason, width)
    for section in outline(found, point):
        lines += ["", section.title, "-" * len(section.title)]
        for line in section.lines:
            mark = f"{line.mark}: " if line.mark else ""
            if line.sentence:
                lines += wrap(mark + line.sentence, width)
            lines += [indent(pretty(formula, width - 4), "    ") for formula in line.formulas]
    return "\n".join(line.rstrip() for part in lines for line in part.split("\n"))


def pretty(formula: Any, width: int) -> str:
    import sympy as sp

    # SymPy sets the arguments of a Min or Max in one line.
    flat = {
        m: sp.Function(type(m).__name__.lower())(*m.args) for m in formula.atoms(sp.Min, sp.Max)
    }
    return str(
        sp.pretty(
            formula.xreplace(flat), use_unicode=True, wrap_line=True, num_columns=max(40, width)
        )
    )


# A paper ------------------------------------------------------------------------------------------


def latex(found: Equilibrium, point: Point | None = None) -> str:
    """A fragment for a LaTeX document that loads amsmath."""
    import sympy as sp

    lines = [f"% {found.game.name}: {headline(found)}"]
    for section in outline(found, point):
        lines.append(f"\\paragraph{{{_tex(section.title)}.}}")
        for line in section.lines:
            mark = f"({line.mark}) " if line.mark else ""
            if line.sentence:
                lines.append(_tex(mark + line.sentence))
            if line.formulas:
                body = " \\\\\n".join(f"  & {sp.latex(formula)}" for formula in line.formulas)
                lines += ["\\begin{align*}", body, "\\end{align*}"]
    return "\n".join(lines) + "\n"


TEX = {
    "\\": r"\textbackslash{}",
    **{c: "\\" + c for c in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "²": "$^2$",
    "³": "$^3$",
    "·": r"$\cdot$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "≠": r"$\ne$",
    "∞": r"$\infty$",
    "∂": r"$\partial$",
    "Σ": r"$\Sigma$",
    "−": "$-$",
    "…": r"\ldots{}",
    "“": "``",
    "”": "''",
}


def _tex(sentence: str) -> str:
    return "".join(TEX.get(c, c) for c in sentence)


# A browser ----------------------------------------------------------------------------------------


def html(found: Equilibrium, point: Point | None = None) -> str:
    """One page with MathML that needs nothing else."""
    name, status = escape(found.game.name), escape(headline(found))
    body = [f"<h1>{name}</h1>", f"<p><strong>{status}</strong></p>"]
    if found.reason:
        body.append(f"<p>{escape(found.reason)}</p>")
    for section in outline(found, point):
        body.append(f"<h2>{escape(section.title)}</h2>")
        for line in section.lines:
            kind = {"refuted": "refuted", "proved": "proved", "undecided": "unknown"}
            mark = f'<span class="badge {kind[line.mark]}">{line.mark}</span> ' if line.mark else ""
            if line.sentence:
                body.append(f"<p>{mark}{escape(line.sentence)}</p>")
            body += [f'<div class="scroll">{mathml(formula)}</div>' for formula in line.formulas]
    return document(name, "\n".join(body), css="math { margin: .4rem 1.5rem; }\n")


def mathml(formula: Any) -> str:
    """A formula as presentation MathML, in display style."""
    from sympy.printing.mathml import mathml as printed

    inner = str(printed(formula, printer="presentation"))
    inner = re.sub(r"^<math[^>]*>|</math>$", "", inner)
    # Names of characters that XML does not know, &InvisibleTimes; say, become the characters.
    inner = re.sub(r"&(?!(?:lt|gt|amp|quot|apos|#\w+);)\w+;", lambda m: unescape(m[0]), inner)
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{inner}</math>'


# A machine ----------------------------------------------------------------------------------------


def as_json(found: Equilibrium, point: Point | None = None) -> dict[str, Any]:
    """The result as plain JSON values; formulas as SymPy reads them, and as LaTeX."""
    import sympy as sp

    def formula(value: Any) -> dict[str, str]:
        return {"sympy": sp.sstr(value), "latex": sp.latex(value)}

    def decisions(branch: Branch) -> dict[str, Any]:
        return {
            "name": branch.name,
            "when": sp.sstr(branch.when),
            "decisions": {sp.sstr(k): formula(v) for k, v in branch.decisions.items()},
        }

    def fact(one: Fact) -> dict[str, Any]:
        at = None if one.at is None else {sp.sstr(k): sp.sstr(v) for k, v in one.at.items()}
        return {"statement": one.statement, "holds": one.holds, "how": one.how, "at": at}

    def values(given: Mapping[Any, Any]) -> dict[str, float]:
        return {sp.sstr(k): float(v) for k, v in given.items()}

    check = found.check
    return {
        "format": FORMAT,
        "game": found.game.name,
        "status": found.status.value,
        "reason": found.reason,
        "names": {sp.sstr(name): formula(value) for name, value in found.names.items()},
        "branches": [decisions(branch) for branch in found.branches],
        "utilities": {name: formula(value) for name, value in found.utilities.items()},
        "replies": [
            {
                "stage": reply.stage,
                "players": list(reply.players),
                "branches": [decisions(branch) for branch in reply.branches],
                "facts": [fact(one) for one in reply.facts],
            }
            for reply in found.replies
        ],
        "facts": [fact(one) for one in found.facts],
        "steps": [
            {"title": s.title, "text": s.text, "formulas": [formula(f) for f in s.formulas]}
            for s in found.steps
        ],
        "check": None
        if check is None
        else {
            "holds": check.holds,
            "draws": check.draws,
            "seed": check.seed,
            "gain": check.gain,
            "difference": check.difference,
            "branches": dict(check.branches),
            "failures": [
                {
                    "player": one.player,
                    "parameters": values(one.parameters),
                    "decision": values(one.decision),
                    "better": values(one.better),
                    "utility": one.utility,
                    "gain": one.gain,
                }
                for one in check.failures
            ],
        },
        "numbers": None
        if point is None
        else {
            "parameters": values(point[0]),
            "decisions": values(point[1].decisions),
            "utilities": dict(point[1].utilities),
            "gains": dict(point[1].gains),
            "holds": point[1].holds,
            "reason": point[1].reason,
            "others": [values(other) for other in point[1].others],
        },
        "seconds": found.seconds,
    }
