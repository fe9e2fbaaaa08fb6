"""A proof for every number of agents, of a rule that sees the others through order statistics.

Let a rule be ranked (`mechkit.ranked`): whatever n is, agent i gets and pays F(own, top, rank).
Here top are the k highest reports of the others, the lowest type in place of missing ones, and rank
is the number of agents before i in the order (report falling, index rising), at most k. Let values
be θ_i x_i, and a property be *local*: for each agent, a statement about its outcomes at profiles
that differ in its own report alone.

**Theorem (cut-off).** A local property holds for every number of agents iff it holds for k + 1.

*Proof.* k + 1 is a number of agents. For the other direction take n agents, one of them i, and two
profiles r and r' that differ in i's report alone. If n > k + 1, keep i and the k others that stand
first in the order of the others, with their reports and in the order of their indices. Others that
stand before i form a beginning of that order, so among those kept there are min(k, number before
i): top and rank are what they were, at r and at r', for the others are the same in both. If
n < k + 1, let further agents with the highest indices report the lowest type. They fill top where
it was filled with that before, and none of them stands before i, at equal reports neither, since
its index is lower. In both cases i's outcomes at r and r' are its outcomes at two profiles of k + 1
agents that differ in its report alone: one statement, about the same numbers. ∎

So the ordinary provers, at k + 1 agents, prove it for all. What must be so, and is checked: the
outcome function is a `Ranked` and nothing else; its rule can know nothing but its arguments
(`ranked.memory`); values and quantities are those of identical units, nobody sells, all agents have
the same types, of which what stands for missing reports is the lowest; and the setting at k + 1
agents, on which the proof is done, is one of the same kind with the same types.

Source: Emerson & Namjoshi, "Reasoning about rings" (1995), for cut-offs.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from mechkit.constructors.units import number_of_units, worth_of_units
from mechkit.mechanism import Mechanism
from mechkit.properties import PROPERTIES, Property
from mechkit.prove import piecewise
from mechkit.prove.attempt import Checked, GaveUp, Proved
from mechkit.ranked import Ranked, memory
from mechkit.settings import Setting
from mechkit.spaces import Space
from proofs import simplest

LOCAL = frozenset(
    {"ic", "ir", "ex_post_nash", "monotone", "critical_payment", "no_positive_transfers"}
)
"""The properties that are statements about one agent and its own report."""


def obstacle(mechanism: Mechanism, prop: Property) -> str | None:
    """Why the cut-off does not apply; None where it does."""
    setting, outcome = mechanism.setting, mechanism.outcome
    if type(outcome) is not Ranked:
        return "the rule is not declared by Mechanism.ranked"
    if prop.name not in LOCAL or PROPERTIES.get(prop.name) is not prop:
        return f"{prop.name} is no statement about one agent and its own report"
    if (why := _other(setting)) is not None:
        return why
    lowest = _lowest(setting.types)
    if simplest(float(outcome.low)) != lowest:
        return f"the rule puts {float(outcome.low)} for missing reports, and {lowest} is the lowest"
    if (why := memory(outcome.rule)) is not None:
        return f"the rule may know more than its arguments: {why}"
    try:
        small = setting.resized(outcome.k + 1)
    except Exception as error:
        return f"there is no setting of {outcome.k + 1} agents: {type(error).__name__}: {error}"
    if (why := _other(small)) is not None:
        return f"at {small.agents} agents {why}"
    if small.agents != outcome.k + 1 or _kinds(small.types) != _kinds(setting.types):
        return f"resized to {outcome.k + 1} agents, the setting has other agents or types"
    return None


def _other(setting: Setting) -> str | None:
    """Why a setting is not one of bidders for a unit each, all alike; None where it is."""
    if setting.value is not worth_of_units or setting.resize is None or setting.interdependent:
        return "values are not those of a unit each, whatever the number of agents"
    if setting.quantity is not number_of_units or not setting.binary or setting.sellers.any():
        return "quantities are not those of buyers of a unit each"
    if setting.truthful is not None or setting.reports is not None or setting.public:
        return "reports are not the types alone"
    space = setting.types
    if space.coordinates or space.constraints is not None:
        return "types are not numbers in an interval"
    if len(_kinds(space)) > 1:
        return "agents have different types"
    return None


def _levels(space: Space) -> tuple[Fraction, ...] | None:
    """The values that a type can take, where they are finitely many."""
    return None if space.levels is None else space.levels[0]


def _kinds(space: Space) -> set[Any]:
    """The different sets of types that agents have: bounds and levels."""
    ends = zip(space.low.tolist(), space.high.tolist(), strict=True)
    return {(low, high, _levels(space)) for low, high in ends}


def _lowest(space: Space) -> Fraction:
    """The lowest type of an agent, of agents who are all alike."""
    low: Fraction = space.low[0]
    levels = _levels(space)
    return low if levels is None else min(level for level in levels if level >= low)


def _cut(mechanism: Mechanism) -> Mechanism:
    """The mechanism at the cut-off."""
    rule = mechanism.outcome
    assert isinstance(rule, Ranked)
    return Mechanism.ranked(mechanism.setting.resized(rule.k + 1), rule.rule, rule.k)


def prove(
    mechanism: Mechanism, prop: Property, *, seconds: float, coalition: int = 2
) -> Proved | GaveUp:
    """Prove a local property of a ranked rule for every number of agents."""
    if (why := obstacle(mechanism, prop)) is not None:
        return GaveUp(why)
    small = _cut(mechanism)
    inner = piecewise.prove(small, prop, seconds=seconds, coalition=coalition)
    if not isinstance(inner, Proved):
        why = inner.reason if isinstance(inner, GaveUp) else "it fails there"
        return GaveUp(f"at the cut-off of {small.setting.agents} agents: {why}")
    return Proved(
        method=_method(small, inner.method),
        domain=_domain(mechanism),
        tool=inner.tool,
        argument={
            "kind": "every number",
            "coalition": coalition,
            "agents": small.setting.agents,
            "inner": {"method": inner.method, "domain": inner.domain, "argument": inner.argument},
        },
    )


def _method(small: Mechanism, inner: str) -> str:
    return f"cut-off at {small.setting.agents} agents, there by {inner}"


def _domain(mechanism: Mechanism) -> str:
    space = mechanism.setting.types
    where = f"[{space.low[0]}, {space.high[0]}]"
    if (levels := _levels(space)) is not None:
        where = f"{{{', '.join(str(v) for v in levels)}}}"
    return f"every number of agents with a unit each, types in {where}"


def check(
    mechanism: Mechanism, prop: Property, data: Mapping[str, Any], *, seconds: float
) -> Checked:
    """Check the conditions of the cut-off, and the proof at it."""
    if (why := obstacle(mechanism, prop)) is not None:
        return Checked(False, why)
    argument, small = data["argument"], _cut(mechanism)
    inner = argument.get("inner")
    if not isinstance(inner, dict) or not isinstance(inner.get("argument"), dict):
        return Checked(False, "there is no proof at the cut-off")
    if argument.get("agents") != small.setting.agents:
        return Checked(False, f"the cut-off is {small.setting.agents} agents")
    if inner["argument"].get("coalition") != argument["coalition"]:
        return Checked(False, "the proof at the cut-off speaks of other coalitions")
    if data["method"] != _method(small, str(inner.get("method"))):
        return Checked(False, f"the method is not {data['method']!r}")
    if data["domain"] != _domain(mechanism):
        return Checked(False, f"the domain is {_domain(mechanism)!r}, not {data['domain']!r}")
    if inner["argument"].get("kind") != "problems" or "domain" not in inner:
        return Checked(False, "the proof at the cut-off is of no known kind")
    return piecewise.check(small, prop, {**inner, "tool": data["tool"]}, seconds=seconds)


def explain(argument: Mapping[str, Any]) -> list[str]:
    """The argument in words."""
    return [
        "An agent's outcome depends on its report, its rank and a fixed number of the highest "
        "other reports, by one function that cannot see how many agents there are. What an agent "
        f"meets among any number of agents it therefore meets among {argument.get('agents')} "
        "(Emerson & Namjoshi 1995), and the property was proved there:",
        *piecewise.explain(argument["inner"]["argument"]),
    ]
