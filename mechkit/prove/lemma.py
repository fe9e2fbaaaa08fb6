"""Myerson's lemma: truthfulness of a 0/1 rule from its prices alone, for any rule that pays them.

Let an agent's value be ±θ q with q ∈ {0, 1} at every profile, and fix the others' reports. Write
reports so that more is better (a seller's with the sign changed), S and L for those that win and
lose, and p(r) for what a winner pays. `critical_payment` says, for every r ∈ S,

    l ≤ p(r) ≤ s for all l ∈ L, s ∈ S, and a loser pays 0.                                 (1)

- monotone follows: r ∈ S and r' ∈ L with r' > r would need r' ≤ p(r) ≤ r.
- ir follows: a winner has θ − p(θ) ≥ 0, with s = θ; a loser has 0.
- ic: who loses at the truth θ ∈ L has 0, and by winning gets θ − p(r) ≤ 0. Who wins has
  θ − p(θ) ≥ 0, no less than by losing, and by another report that wins gets θ − p(r): here (1) is
  *not* enough. It is, if and only if besides

    p(r) = p(θ) for all r, θ ∈ S.                                                          (2)

(1) implies (2) where the reports are an interval and both S and L are not empty, for then
sup L = p = inf S; that is the lemma as it is usually stated (Myerson 1981; Nisan, Roughgarden,
Tardos & Vazirani 2007, theorem 9.36). It does not where the agent wins with every report (any price
up to the lowest type will do, and may depend on the report), nor where types are discrete (any
price between the highest losing and the lowest winning one will do). So (2) is proved as well.

(1) and (2) are each proved symbolically, like any property; that q ∈ {0, 1} and that the value is
±θ q is seen on the terms of the rule.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from mechkit.mechanism import Mechanism
from mechkit.properties import PROPERTIES, Check, Property, always
from mechkit.prove import piecewise
from mechkit.prove.attempt import Checked, GaveUp, Proved
from mechkit.prove.reading import Unmet, need, read
from mechkit.settings import Array
from mechkit.verdict import seconds_text
from mechkit.views import Deviation

METHOD = "theorem: Myerson's lemma (Myerson 1981; Nisan et al. 2007, theorem 9.36)"


def _steady(view: Deviation) -> Array:
    """Minus the difference of an agent's prices at two reports that both win, (batch,)."""
    (i,) = view.who
    both = (view.before.quantity[:, i] >= 1) & (view.after.quantity[:, i] >= 1)
    gap = view.before.payments[:, i] - view.after.payments[:, i]
    return np.where(both, -np.abs(gap), 0)


STEADY = Property(
    "steady_price",
    "a winner pays the same for every report with which it wins",
    "Nisan et al. 2007, theorem 9.36",
    always(Check("deviation", _steady)),
)
_CRITICAL = PROPERTIES["critical_payment"]
PARTS = {
    "ir": (_CRITICAL,),
    "ic": (_CRITICAL, STEADY),
    "ex_post_nash": (_CRITICAL, STEADY),
}
"""By property: what is to be proved of the prices."""


def _conditions(mechanism: Mechanism) -> list[str]:
    """What is seen on terms; Unmet where it is not to be seen."""
    setting, reading = mechanism.setting, read(mechanism)
    need(setting.quantity is not None and setting.binary, "allocations are not 0 or 1")
    need(setting.types.coordinates == (), "types are not single numbers")
    quantity = reading.constant(setting.quantity(reading.allocation))  # type: ignore[misc]
    need(quantity.shape == reading.reports.shape, "quantities are not one per agent")
    for term in reading.reals(quantity):
        values = reading.algebra.store.values(term)
        need(values is not None and set(values) <= {0, 1}, "a quantity may be neither 0 nor 1")
    need(reading.proportional(quantity), "a value is not the type times the quantity")
    reading.complete()
    return [
        "every quantity is 0 or 1, at every profile",
        "every value is ± the type times the quantity, whatever the others' types are",
    ]


def prove(
    mechanism: Mechanism, prop: Property, *, seconds: float, coalition: int = 2
) -> Proved | GaveUp:
    """Prove ic, ex_post_nash or ir from proofs about the prices, or say why not."""
    if prop.name not in PARTS or PROPERTIES.get(prop.name) is not prop:
        return GaveUp(f"{prop.name} does not follow from prices alone")
    if (why := _CRITICAL.excuse(mechanism.setting)) is not None:
        return GaveUp(f"there are no critical payments: {why}")
    deadline = time.monotonic() + seconds
    try:
        conditions = _conditions(mechanism)
    except Unmet as error:
        return GaveUp(f"a condition of the lemma is not shown: {error}")
    except MemoryError:
        raise
    except Exception as error:
        return GaveUp(f"{type(error).__name__}: {error}")
    parts: list[dict[str, Any]] = []
    for part in PARTS[prop.name]:
        left = deadline - time.monotonic()
        if left <= 0:
            return GaveUp(f"the time limit of {seconds_text(seconds)} is reached")
        attempt = piecewise.prove(mechanism, part, seconds=left, coalition=coalition)
        if not isinstance(attempt, Proved):
            return GaveUp(f"{part.name} is not proved")
        parts.append(
            {
                "property": part.name,
                "method": attempt.method,
                "domain": attempt.domain,
                "tool": attempt.tool,
                "argument": dict(attempt.argument),
            }
        )
    return Proved(
        METHOD,
        piecewise.domain(mechanism, prop, coalition),
        _tool(parts),
        {
            "kind": "lemma",
            "coalition": coalition,
            "property": prop.name,
            "conditions": conditions,
            "parts": parts,
        },
    )


def _tool(parts: list[dict[str, Any]]) -> str:
    return "; ".join(dict.fromkeys(str(part["tool"]) for part in parts))


def check(
    mechanism: Mechanism, prop: Property, data: Mapping[str, Any], *, seconds: float
) -> Checked:
    """See the conditions on the terms again, and check the proof of each part."""
    argument = data["argument"]
    parts, wanted = argument.get("parts"), PARTS.get(prop.name)
    if wanted is None or argument.get("property") != prop.name:
        return Checked(False, f"{prop.name} does not follow from this argument")
    if (why := _CRITICAL.excuse(mechanism.setting)) is not None:
        return Checked(False, f"there are no critical payments: {why}")
    try:
        conditions = _conditions(mechanism)
    except MemoryError:
        raise
    except Exception as error:
        return Checked(False, f"the conditions do not hold here: {error}")
    if argument.get("conditions") != conditions:
        return Checked(False, "the conditions are not those that hold here")
    keys = {"property", "method", "domain", "tool", "argument"}
    if not (isinstance(parts, list) and all(isinstance(p, dict) and keys <= set(p) for p in parts)):
        return Checked(False, "a part cannot be read")
    if [part["property"] for part in parts] != [part.name for part in wanted]:
        return Checked(False, "the parts are not those that the lemma asks for")
    expected = (METHOD, piecewise.domain(mechanism, prop, argument["coalition"]), _tool(parts))
    if (data["method"], data["domain"], data["tool"]) != expected:
        return Checked(False, f"it says something else of itself than {expected}")
    messages = []
    for part, of in zip(parts, wanted, strict=True):
        inner = part["argument"]
        if not isinstance(inner, dict) or inner.get("kind") != "problems":
            return Checked(False, f"{of.name}: the argument is of no known kind")
        if inner.get("coalition") != argument["coalition"]:
            return Checked(False, f"{of.name}: for another size of coalitions")
        result = piecewise.check(mechanism, of, part, seconds=seconds)
        if not result.confirmed:
            return Checked(False, f"{of.name}: {result.message}")
        messages.append(f"{of.name}: {result.message}")
    return Checked(True, "; ".join(messages))


def explain(argument: Mapping[str, Any]) -> list[str]:
    """The argument in words."""
    prop = argument.get("property")
    lines = [
        "Myerson's lemma. On the terms of the rule it was seen that:",
        *(f"- {text};" for text in argument.get("conditions", ())),
        "Proved of the prices: a winner pays no more than any report that wins and no less than "
        "any that loses, and a loser pays nothing. So nobody whose report loses would gain by "
        "winning, and no truthful winner pays more than its type.",
    ]
    if prop != "ir":
        lines.append(
            "Proved besides: a winner pays the same for every report that wins, so that it has no "
            "report to prefer to another. (This does not follow from the first where an agent "
            "always wins, or where types are discrete.)"
        )
    for part in argument.get("parts", ()):
        lines += [f"Part {part.get('property')}:", *piecewise.explain(part.get("argument", {}))]
    return lines
