"""Proofs as files, and their check by someone else.

A certificate names the property, the mechanism with the SHA-256 of its source, the method, the
domain and the tools, and carries the argument: the trees of case splits, the SMT-LIB texts, or the
number of cases played. Checking builds every problem again from the mechanism as it is now, so that
nothing is left out and nothing else is proved: trees go through the solver-free checker, texts must
be the very questions that the mechanism raises and are put to the solvers again, exhaustion is
played again.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mechkit.errors import require
from mechkit.mechanism import Mechanism
from mechkit.properties import PROPERTIES
from mechkit.prove.attempt import Proved
from mechkit.prove.exhaustive import exhaust
from mechkit.prove.piecewise import CHOICES, domain, leaves, method, question
from mechkit.prove.problem import Problem, inhabited, problems
from mechkit.saved import read_json
from mechkit.verdict import Certificate
from proofs import checker, smt
from proofs.smtlib import smtlib

FORMAT = "mechkit-certificate/1"


def to_json(
    certificate: Certificate,
    prop: str,
    mechanism: Mechanism,
    *,
    reference: str | None,
    digest: str | None,
    version: str,
) -> dict[str, Any]:
    """A certificate as plain JSON values."""
    return {
        "format": FORMAT,
        "mechanism": {"name": mechanism.name, "reference": reference, "sha256": digest},
        "property": prop,
        "method": certificate.method,
        "domain": certificate.domain,
        "tool": certificate.tool,
        "versions": {
            "mechkit": version,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "argument": dict(certificate.argument),
    }


def read(path: Path) -> Mapping[str, Any]:
    """The contents of a certificate file; InputError where it is not one."""
    data = read_json(path)
    require(
        isinstance(data, dict) and data.get("format") == FORMAT,
        f"{path}: expected format {FORMAT!r}, as `mechkit verify --prove --save` writes it",
    )
    missing = {"property", "method", "domain", "tool", "argument", "mechanism"} - set(data)
    require(not missing, f"{path} lacks {sorted(missing)}: it was cut or edited; prove it again")
    require(
        data["property"] in PROPERTIES and isinstance(data["argument"], dict),
        f"{path}: unknown property {data['property']!r}, or no argument",
    )
    return data


@dataclass(frozen=True)
class Checked:
    """Whether a certificate stands, and on what that rests now."""

    confirmed: bool
    message: str


def check(mechanism: Mechanism, data: Mapping[str, Any], *, seconds: float = 60.0) -> Checked:
    """Check a certificate afresh against a mechanism. seconds: per question to a solver."""
    prop, argument = PROPERTIES[data["property"]], data["argument"]
    if (why := prop.excuse(mechanism.setting)) is not None:
        return Checked(False, f"{prop.name} does not apply: {why}")
    coalition = argument.get("coalition")
    if not isinstance(coalition, int) or isinstance(coalition, bool) or coalition < 2:
        return Checked(False, "the argument does not say how large coalitions are")
    if not inhabited(mechanism):
        return Checked(False, "no type meets the constraints: everything would hold")
    stated = (data["method"], data["domain"], data["tool"])
    if argument.get("kind") == "exhaustive":
        again = exhaust(mechanism, prop, deadline=None, coalition=coalition)
        same = isinstance(again, Proved) and again.argument == argument
        if (
            isinstance(again, Proved)
            and same
            and stated == (again.method, again.domain, again.tool)
        ):
            return Checked(True, f"all {argument['cases']} cases were played again")
        return Checked(False, f"playing all cases again gives {type(again).__name__}")
    if argument.get("kind") != "problems" or not isinstance(argument.get("parts"), list):
        return Checked(False, "the argument is of no known kind")
    todo, parts = problems(mechanism, prop, coalition), argument["parts"]
    expected = domain(mechanism, prop, coalition)
    if data["domain"] != expected:
        return Checked(False, f"the domain is {expected!r}, not {data['domain']!r}")
    if len(todo) != len(parts):
        return Checked(False, f"{len(parts)} parts for {len(todo)} problems: some are left out")
    solvers: set[str] = set()
    for problem, part in zip(todo, parts, strict=True):
        try:
            named = (part["check"], part["family"], tuple(part["who"]))
            if named != (problem.check, problem.family, problem.who):
                return Checked(False, f"a part for {named}, expected one for {problem.who}")
            if part["kind"] == "tree":
                _check_trees(problem, part["trees"])
            elif part["kind"] == "smt":
                solvers |= _check_texts(problem, part["texts"], seconds)
            else:
                return Checked(False, f"a part of unknown kind {part['kind']!r}")
        except checker.Rejected as error:
            return Checked(False, f"{problem.family} {problem.who}: {error}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return Checked(False, f"a part that cannot be read: {type(error).__name__}: {error}")
    if data["method"] != method(parts):
        return Checked(False, f"the method is {method(parts)!r}, not {data['method']!r}")
    tool = r"(z3|cvc5) [\w.]+(, (z3|cvc5) [\w.]+)*" if solvers else "rational arithmetic"
    if not re.fullmatch(tool, str(data["tool"])):
        return Checked(False, f"the tool is not {data['tool']!r}")
    if solvers:
        return Checked(True, f"asked again: {', '.join(sorted(solvers))}")
    return Checked(True, "every case was checked in rationals, without a solver")


def _check_trees(problem: Problem, trees: Any) -> None:
    rows, bounds = problem.constraints()
    boxes = list(problem.boxes(CHOICES))
    if not isinstance(trees, list) or len(trees) != len(boxes):
        raise checker.Rejected(f"trees for {len(boxes)} choices of the discrete types are missing")
    if not leaves(trees):
        raise checker.Rejected("no type meets the constraints")
    for box, tree in zip(boxes, trees, strict=True):
        checker.check(problem.margins, box, (rows, bounds) if rows else None, tree)


def _check_texts(problem: Problem, texts: Any, seconds: float) -> set[str]:
    draws = list(problem.draws())
    if not isinstance(texts, list) or len(texts) != len(draws) or not texts:
        raise checker.Rejected(f"texts for {len(draws)} draws are missing")
    return {
        tool
        for text, draw in zip(texts, draws, strict=True)
        for tool in _check_text(problem, draw, text, seconds)
    }


def _check_text(
    problem: Problem, draws: dict[int, Fraction], text: Any, seconds: float
) -> set[str]:
    _, assumptions, claims = question(problem, draws)
    if text != smtlib(assumptions, claims):
        raise checker.Rejected("the text is not the question that this mechanism raises")
    tools = set()
    for solver in ("cvc5", "z3"):
        answer = smt.ask(text, solver=solver, seconds=seconds)
        if answer.status == "sat":
            raise checker.Rejected(f"{answer.tool} finds a counterexample")
        if answer.status == "unsat":
            tools.add(answer.tool)
    if not tools:
        raise checker.Rejected("neither solver could confirm the text in time")
    return tools


def explain(data: Mapping[str, Any]) -> str:
    """The argument of a certificate in words."""
    prop, argument = PROPERTIES[data["property"]], data["argument"]
    lines = [
        f"{data['mechanism'].get('name')}: {prop.name} is proved.",
        f"Claim: {prop.statement}.",
        f"Domain: {data['domain']}. Method: {data['method']}. Tool: {data['tool']}.",
    ]
    if argument.get("kind") == "exhaustive":
        lines.append(
            f"All {argument.get('cases')} cases of the finite type space were played in rationals, "
            "and the margin was negative in none."
        )
        return "\n".join(lines)
    parts = argument.get("parts", [])
    trees = [part for part in parts if part.get("kind") == "tree"]
    lines.append(
        f"Problems: {len(parts)}, one for each choice of who acts (and each part of the claim). In "
        "each the rule is run on unknown reports."
    )
    if trees:
        cases = sum(leaves(part["trees"]) for part in trees)
        lines.append(
            f"Written out: {len(trees)}. The rule is followed through every answer to its own "
            f"comparisons, {cases} cases in all. In each it is linear, and positive multiples of "
            "the inequalities of that case, added up, contradict a negative margin (Farkas 1902). "
            "The multipliers are in the file; checking them takes additions of fractions only."
        )
    if len(trees) < len(parts):
        lines.append(
            f"By solvers: {len(parts) - len(trees)}. The cases are too many to write out, or the "
            "rule multiplies reports; the negated claim is an SMT-LIB text that the solvers named "
            "above find unsatisfiable. These parts rest on the solvers' word."
        )
    return "\n".join(lines)
