"""Proof by theorem: a declaration is checked on terms, and what follows from its form is proved.

A mechanism may carry the structure that its rules were built with (`groves`). It is a declaration
and no evidence: anyone can write one, or exchange the rule or the setting under it. So the prover
runs the mechanism's own rules once on unknown reports, writes down what the declared form gives, in
the same store of terms, and demands the very same terms; and every condition that the theorem has
is checked on them. Values are private where the term of v_i has no unknown of another agent's; a
price cannot be moved where the term of t_i has none of the agent's own. The theorems and their
proofs: `maximiser` (Groves 1973; Roberts 1979) and `offers` (posted prices and thresholds).

The cost is that of reading the rule once, so it grows with the rule and not with the cases that it
distinguishes. Like every proof here it speaks of the rules in exact arithmetic and takes them, and
the setting's functions, for functions: the same result for the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mechkit.errors import RuleTimeout
from mechkit.mechanism import Mechanism
from mechkit.properties import PROPERTIES, Property
from mechkit.prove import exhaustive, maximiser, offers, piecewise
from mechkit.prove.attempt import Checked, GaveUp, Proved
from mechkit.prove.reading import Unmet
from mechkit.views import enlarged

TOOL = "the declaration, checked on terms"


@dataclass(frozen=True)
class Theorem:
    """What follows from a form.

    form(mechanism, structure): the terms of its rules, seen to have the form; raises Unmet where
        they do not.
    consequences: by property the conditions beyond the form; each returns its text, or raises
    Unmet. because: by property why it follows.
    """

    name: str
    source: str
    statement: str
    form: Callable[..., Any]
    consequences: Mapping[str, tuple[Callable[[Any], str], ...]]
    because: Mapping[str, str]


THEOREMS = {
    "affine maximiser": Theorem(
        "affine maximiser",
        maximiser.SOURCE,
        maximiser.STATEMENT,
        maximiser.Maximiser,
        maximiser.CONSEQUENCES,
        maximiser.BECAUSE,
    ),
    "posted": Theorem(
        "posted prices",
        offers.SOURCE,
        offers.STATEMENT,
        offers.Posted,
        offers.POSTED_CONSEQUENCES,
        offers.BECAUSE,
    ),
    "threshold": Theorem(
        "thresholds",
        offers.SOURCE,
        offers.STATEMENT,
        offers.Thresholds,
        offers.THRESHOLD_CONSEQUENCES,
        offers.BECAUSE,
    ),
}
"""By the kind that a structure declares."""


def prove(mechanism: Mechanism, prop: Property, *, coalition: int = 2) -> Proved | GaveUp:
    """Prove a property from the declared structure, or say why it does not follow."""
    structure = mechanism.structure
    if structure is None:
        return GaveUp("no structure is declared")
    if PROPERTIES.get(prop.name) is not prop:
        return GaveUp(f"{prop.name} is no property of the table, about which theorems speak")
    if (why := prop.excuse(mechanism.setting)) is not None:
        return GaveUp(f"{prop.name} does not apply: {why}")
    try:
        if structure["kind"] not in THEOREMS:
            return GaveUp(f"there is no theorem on rules of the kind {structure['kind']!r}")
        theorem = THEOREMS[structure["kind"]]
        if prop.name not in theorem.consequences:
            return GaveUp(f"{prop.name} does not follow from the theorem on {theorem.name}")
        terms = theorem.form(mechanism, structure)
        conditions = [terms.form(), *(check(terms) for check in theorem.consequences[prop.name])]
        terms.reading.complete()
    except (RuleTimeout, MemoryError):
        raise
    except Unmet as error:
        return GaveUp(f"a condition of the theorem is not shown: {error}")
    except Exception as error:
        # A rule without terms, or a structure that is none: this prover has nothing to say.
        return GaveUp(f"{type(error).__name__}: {error}")
    return Proved(
        method=f"theorem: {theorem.name} ({theorem.source})",
        domain=_domain(mechanism, prop, coalition),
        tool=TOOL,
        argument={
            "kind": "theorem",
            "coalition": coalition,
            "theorem": structure["kind"],
            "property": prop.name,
            "agents": mechanism.setting.agents,
            "conditions": conditions,
            "rebuilds": _rebuilds(mechanism, structure["kind"]),
        },
    )


def _domain(mechanism: Mechanism, prop: Property, coalition: int) -> str:
    where = exhaustive if mechanism.setting.types.finite else piecewise
    return where.domain(mechanism, prop, coalition)


def _rebuilds(mechanism: Mechanism, kind: str) -> bool:
    """Whether the declaration makes a rule of the same kind for one agent more."""
    try:
        larger, _ = enlarged(mechanism, mechanism.setting.roles[0])
        return larger.structure is not None and larger.structure["kind"] == kind
    except (RuleTimeout, MemoryError):
        raise
    except Exception:
        return False


def check(
    mechanism: Mechanism, prop: Property, data: Mapping[str, Any], *, seconds: float
) -> Checked:
    """Derive everything again from the mechanism as it is now; it must come out the same."""
    again = prove(mechanism, prop, coalition=data["argument"]["coalition"])
    if not isinstance(again, Proved):
        return Checked(False, f"it does not follow now: {again.reason}")
    stated = (data["method"], data["domain"], data["tool"])
    if stated != (again.method, again.domain, again.tool):
        return Checked(
            False,
            f"it says {stated} of itself, and is {(again.method, again.domain, again.tool)}",
        )
    if dict(data["argument"]) != dict(again.argument):
        return Checked(False, "the theorem or its conditions are not those that hold here")
    return Checked(True, "the declaration and every condition were checked on terms again")


def explain(argument: Mapping[str, Any]) -> list[str]:
    """The argument in words."""
    theorem = THEOREMS.get(str(argument.get("theorem")))
    if theorem is None:
        return ["The argument names no theorem that is known here."]
    prop, agents = str(argument.get("property")), argument.get("agents")
    lines = [
        f"Theorem on {theorem.name} ({theorem.source}). {theorem.statement}",
        f"Why {prop} follows: {theorem.because.get(prop, 'it does not')}",
        "The structure of the rule was declared. It was not believed: the rule was run on unknown "
        "reports, and these were seen on the terms that came out:",
        *(f"- {text};" for text in argument.get("conditions", ())),
        f"All of this was checked at {agents} agents, and the certificate is for these only.",
    ]
    if argument.get("rebuilds"):
        lines.append(
            "The theorem is the same for every number of agents, and the declaration makes a rule "
            "of this form for other numbers, too; there the conditions have to be checked again."
        )
    return lines
