"""Proofs as files, and their check by someone else.

A certificate names the property, the mechanism with the SHA-256 of its source, the method, the
domain and the tools, and carries the argument: a theorem with the conditions that were checked, the
trees of case splits, the SMT-LIB texts, or the number of cases played. Checking builds every
problem again from the mechanism as it is now, so that nothing is left out and nothing else is
proved: trees go through the solver-free checker, texts must be the very questions that the
mechanism raises and are put to the solvers again, exhaustion is played again, and the conditions of
a theorem are checked again.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mechkit.errors import require
from mechkit.mechanism import Mechanism
from mechkit.properties import PROPERTIES
from mechkit.prove import duality, every, exhaustive, interim, lemma, piecewise, theorem
from mechkit.prove.attempt import Checked
from mechkit.prove.grounds import shaken
from mechkit.prove.problem import inhabited
from mechkit.saved import read_json
from mechkit.verdict import Certificate
from proofs import stable_orders_only

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


KINDS = {
    "duality": duality,
    "every number": every,
    "exhaustive": exhaustive,
    "interim": interim,
    "lemma": lemma,
    "problems": piecewise,
    "theorem": theorem,
}
"""By what an argument says it is: the module that made it, checks it and explains it."""


def _kind(argument: Mapping[str, Any]) -> Any:
    """The module for an argument; None where it is of no known kind."""
    kind = argument.get("kind")
    return KINDS.get(kind) if isinstance(kind, str) else None


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
    if (why := shaken(mechanism)) is not None:
        return Checked(False, why)
    if (kind := _kind(argument)) is None:
        return Checked(False, "the argument is of no known kind")
    with stable_orders_only():
        return kind.check(mechanism, prop, data, seconds=seconds)


def explain(data: Mapping[str, Any]) -> str:
    """The argument of a certificate in words."""
    prop, argument = PROPERTIES[data["property"]], data["argument"]
    lines = [
        f"{data['mechanism'].get('name')}: {prop.name} is proved.",
        f"Claim: {prop.statement}.",
        f"Domain: {data['domain']}. Method: {data['method']}. Tool: {data['tool']}.",
    ]
    kind = _kind(argument)
    told = ["The argument is of no known kind."] if kind is None else kind.explain(argument)
    return "\n".join([*lines, *told])
