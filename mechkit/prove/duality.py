"""Incentives by duality: potentials stand for cycles of every length.

Fix an agent, the others' reports, and what is public. With finitely many types let

    g(t, r) = v(t, x(t)) − v(t, x(r)):

what t would lose in value by getting the allocation of r. Numbers π with

    g(t, r) ≥ π(t) − π(r)    for all types t, r                                            (1)

are payments that make every type truthful: v(t, x(t)) − π(t) ≥ v(t, x(r)) − π(r). Summed over a
cycle t_1, …, t_m, t_1 the right-hand sides cancel, so Σ_k g(t_k, t_{k+1}) ≥ 0: the rule is
cyclically monotone. Conversely, if no cycle is negative, the shortest distances π(t) along arcs of
length g, from a source at distance 0 of every type, are finite and satisfy (1): the linear program
"the most negative circulation" and the program "find π" are dual (Gallai 1958). Hence an allocation
rule can be made truthful by some payments if and only if it is cyclically monotone.

The proof that no cycle, of any length, is negative is therefore a table of numbers π, and its check
is (1), in rationals, against the rule played afresh: nothing of how π was found. Distances are
found by Bellman and Ford's method on whole numbers, the lengths brought to one denominator; where
they do not settle there is a negative cycle, and one of the fewest types is returned.

Source: Rochet, "A necessary and sufficient condition for rationalizability in a quasi-linear
context" (1987); Vohra, *Mechanism Design: A Linear Programming Approach* (2011), chapter 3.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from mechkit import deviations as d
from mechkit import settings as s
from mechkit.errors import RuleTimeout
from mechkit.mechanism import Mechanism
from mechkit.properties import PROPERTIES, Property
from mechkit.prove.attempt import Attempt, Checked, Found, GaveUp, Proved
from mechkit.prove.exhaustive import MOST, cases, finite_types
from mechkit.replay import values_of
from mechkit.spaces import grid
from mechkit.verdict import fraction_text
from mechkit.views import Case, Cycle
from proofs import Unsupported, exact

METHOD = "duality: potentials (Rochet 1987)"
TOOL = "rational arithmetic"
NUMBER = re.compile(r"-?\d{1,4000}(/\d{1,4000})?")


def applies(mechanism: Mechanism, prop: Property) -> bool:
    """Whether potentials are the question: cyclic monotonicity on finite type spaces."""
    return (
        PROPERTIES.get(prop.name) is prop
        and prop.name == "cyclic_monotone"
        and mechanism.setting.types.finite
        and prop.excuse(mechanism.setting) is None
    )


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is to be played for one agent: its types own (T, *coordinates), and for every column of
    a profile case the values it takes, the agent's own column its first type alone."""

    agent: int
    own: np.ndarray
    axes: list[list[np.ndarray]]

    @property
    def tables(self) -> int:
        """How many profiles of the others, draws of what is public included."""
        return int(np.prod([len(g) for columns in self.axes for g in columns], dtype=float))


def _plans(mechanism: Mechanism) -> list[_Plan] | GaveUp:
    """One plan for each agent, if there is not too much to compare."""
    setting, plans, total = mechanism.setting, [], 0
    slots = d.FAMILIES["profile"].slots(mechanism, ())
    if not all(slot.space.finite for slot in slots.values()):
        return GaveUp("what is public takes infinitely many values")
    for i in range(setting.agents):
        own = grid(setting.types, i)
        axes = [[grid(slot.space, owner) for owner in slot.owners] for slot in slots.values()]
        axes[list(slots).index("types")][i] = own[:1]
        plan = _Plan(i, own, axes)
        total += plan.tables * len(own) ** 2
        if total > MOST:
            return GaveUp(f"more than {MOST} pairs of types to compare")
        plans.append(plan)
    return plans


def _played(mechanism: Mechanism, plan: _Plan) -> Iterator[tuple[Case, np.ndarray]]:
    """(a one-row profile case, g (T, T) in Fractions) for every profile of the others.

    Raises Unsupported where a value is no rational, or the agent's own type moves the others'
    reports, so that there is no one table for all cycles.
    """
    i, count = plan.agent, len(plan.own)
    for chunk in cases(mechanism, "profile", (), plan.axes):
        batch = chunk.batch
        others = np.broadcast_to(plan.own[1:], (batch, count - 1, *plan.own.shape[1:]))
        arrays = {key: exact(a) for key, a in {**chunk.arrays, "cycle": others}.items()}
        view = Cycle(mechanism, Case("cycle", (i,), arrays))
        _refuse_moved(view)
        worth = np.empty((batch, count, count), dtype=object)
        for t, (types, _, _) in enumerate(view.steps):
            for r, (_, _, outcome) in enumerate(view.steps):
                worth[:, t, r] = [_rational(x) for x in values_of(outcome.values(types)[:, i])]
        gaps = np.einsum("btt->bt", worth)[:, :, None] - worth
        for row in range(batch):
            yield chunk.rows(slice(row, row + 1)), gaps[row]


def _refuse_moved(view: Cycle) -> None:
    """Raise Unsupported where the others' truthful reports depend on the agent's own type."""
    (i,) = view.who
    if view.setting.truthful is None:
        return
    others = [j for j in range(view.setting.agents) if j != i]
    first = values_of(view.reports[:, others])
    for types, _, _ in view.steps:
        sincere = values_of(s.truth(view.setting, types, view.public)[:, others])
        if (sincere != first).any():
            raise Unsupported(f"what the others report depends on the type of agent {i}")


def _rational(x: Any) -> Fraction:
    if isinstance(x, Fraction):
        return x
    if isinstance(x, int | np.integer | np.bool_):
        return Fraction(int(x))
    raise Unsupported(f"a value is known as {type(x).__name__} only, and not as a rational")


def potentials(gaps: np.ndarray) -> np.ndarray | None:
    """Shortest distances π (T,) with π(t) ≤ π(r) + gaps[t, r], or None where a cycle is negative.

    gaps: (T, T) integers (or rationals) with a diagonal of 0. A shortest path has at most T − 1
    arcs, so that distances that still change in round T go round a negative cycle.
    """
    found = np.array([gaps[0, 0] * 0] * len(gaps), dtype=object)
    for _ in range(len(gaps)):
        nearer = np.min(found[None, :] + gaps, axis=1)
        if (nearer == found).all():
            return found
        found = nearer
    return None


def shortest_cycle(gaps: np.ndarray, deadline: float | None = None) -> list[int] | None:
    """A negative cycle of the fewest types, t_1, …, t_m with Σ gaps[t_k, t_{k+1}] < 0; None where
    there is none, or the time ran out.

    Shortest walks of at most m arcs for m = 2, 3, …: the first that comes back below 0 repeats no
    type, for else a part of it would have come back below 0 before.
    """
    count = len(gaps)
    walks, through = gaps.copy(), []
    for _ in range(count - 1):
        last, best = np.zeros((count, count), dtype=int), walks[:, :1] + gaps[:1, :]
        for middle in range(1, count):
            if deadline is not None and time.monotonic() > deadline:
                return None
            longer = walks[:, middle : middle + 1] + gaps[middle : middle + 1, :]
            less = (longer < best).astype(bool)
            last[less], best = middle, np.where(less, longer, best)
        walks = best
        through.append(last)
        below = np.flatnonzero((np.diagonal(walks) < 0).astype(bool))
        if len(below):
            start = end = int(below[0])
            back = []
            for last in reversed(through):
                end = int(last[start, end])
                back.append(end)
            return [start, *reversed(back)]
    return None


def prove(
    mechanism: Mechanism, prop: Property, *, deadline: float | None, coalition: int = 2
) -> Attempt:
    """Find potentials for every agent and profile of the others, or a negative cycle."""
    plans = _plans(mechanism)
    if isinstance(plans, GaveUp):
        return plans
    written: list[list[list[str]]] = []
    compared = 0
    try:
        for plan in plans:
            tables = []
            for case, gaps in _played(mechanism, plan):
                if deadline is not None and time.monotonic() > deadline:
                    return GaveUp("the time ran out")
                denominator = lcm(*(x.denominator for x in gaps.flat))
                whole = np.frompyfunc(int, 1, 1)(gaps * denominator)
                found = potentials(whole)
                if found is None:
                    cycle = shortest_cycle(whole, deadline)
                    return _refuted(mechanism, prop, plan, case, gaps, cycle)
                tables.append([str(Fraction(x, denominator)) for x in found])
                compared += gaps.size
            written.append(tables)
    except (RuleTimeout, MemoryError):
        raise
    except Exception as error:
        # The rule has no exact counterpart, or its values are not rational.
        return GaveUp(f"{type(error).__name__}: {error}")
    argument = {
        "kind": "duality",
        "coalition": coalition,
        "inequalities": compared,
        "potentials": written,
    }
    return Proved(METHOD, domain(mechanism), TOOL, argument)


def _refuted(
    mechanism: Mechanism,
    prop: Property,
    plan: _Plan,
    case: Case,
    gaps: np.ndarray,
    cycle: list[int] | None,
) -> Found | GaveUp:
    """The negative cycle as a case of the property, where cycles of its length are among them."""
    if cycle is None:
        return GaveUp("a cycle is negative; the time ran out before a short one was found", True)
    types = case.arrays["types"].copy()
    types[:, plan.agent] = plan.own[cycle[0]]
    for k, check in enumerate(prop.checks(mechanism.setting)):
        if check.family == f"cycle {len(cycle)}":
            arrays = {**case.arrays, "types": types, "cycle": plan.own[cycle[1:]][None]}
            return Found(k, Case(check.family, (plan.agent,), arrays))
    around = [*cycle[1:], cycle[0]]
    total = sum(gaps[t, r] for t, r in zip(cycle, around, strict=True))
    told = ", ".join(_shown(plan.own[t]) for t in cycle)
    others = "; ".join(
        f"agent {j} {_shown(types[0, j])}" for j in range(len(types[0])) if j != plan.agent
    )
    return GaveUp(
        f"it fails over a cycle of {len(cycle)} types, longer than those that are replayed: agent "
        f"{plan.agent} with {told} in turn, {others or 'alone'}: {fraction_text(total)} in sum",
        final=True,
    )


def _shown(own: Any) -> str:
    numbers = [fraction_text(x) for x in np.ravel(own)]
    return numbers[0] if len(numbers) == 1 else f"({', '.join(numbers)})"


def domain(mechanism: Mechanism) -> str:
    """The domain of a proof by potentials in words."""
    return f"{finite_types(mechanism)}, cycles of every length"


def check(
    mechanism: Mechanism, prop: Property, data: Mapping[str, Any], *, seconds: float
) -> Checked:
    """Play the rule afresh and compare every pair of types with the potentials as they are."""
    argument = data["argument"]
    if not applies(mechanism, prop):
        return Checked(False, f"{prop.name} on this type space does not follow from potentials")
    stated, known = (data["method"], data["domain"], data["tool"]), domain(mechanism)
    if stated != (METHOD, known, TOOL):
        return Checked(False, f"it says {stated} of itself, and is {known!r}")
    plans = _plans(mechanism)
    if isinstance(plans, GaveUp):
        return Checked(False, plans.reason)
    given = argument.get("potentials")
    if not (isinstance(given, list) and len(given) == len(plans)):
        return Checked(False, f"potentials are not given for each of the {len(plans)} agents")
    compared = 0
    try:
        for plan, tables in zip(plans, given, strict=True):
            if not (isinstance(tables, list) and len(tables) == plan.tables):
                return Checked(
                    False,
                    f"agent {plan.agent} has no potentials for each of the {plan.tables} "
                    "profiles of the others",
                )
            for (_, gaps), row in zip(_played(mechanism, plan), tables, strict=True):
                numbers = _read(row, len(plan.own))
                if numbers is None:
                    return Checked(False, f"agent {plan.agent}: {row!r:.80} are no potentials")
                if (gaps < numbers[:, None] - numbers[None, :]).any():
                    return Checked(
                        False,
                        f"agent {plan.agent}: with these payments some type would rather have "
                        "the allocation of another",
                    )
                compared += gaps.size
    except (RuleTimeout, MemoryError):
        raise
    except Exception as error:
        return Checked(False, f"the rule cannot be played: {type(error).__name__}: {error}")
    if argument.get("inequalities") != compared:
        return Checked(False, f"there are {compared} pairs of types to compare")
    return Checked(True, f"all {compared} pairs of types were compared again")


def _read(row: Any, count: int) -> np.ndarray | None:
    """Potentials (count,) from their texts; None where these are not `count` rationals."""
    if not (isinstance(row, list) and len(row) == count):
        return None
    if not all(isinstance(x, str) and NUMBER.fullmatch(x) for x in row):
        return None
    try:
        return np.array([Fraction(x) for x in row], dtype=object)
    except ZeroDivisionError:
        return None


def explain(argument: Mapping[str, Any]) -> list[str]:
    """The argument in words."""
    return [
        "For each agent and each profile of the others (and draw of what is public) there are "
        "payments, one for each of its types, with which no type would rather have the allocation "
        "and payment of another.",
        f"That is {argument.get('inequalities')} inequalities between rationals. Summed over any "
        "cycle of types the payments cancel, so that no cycle, of whatever length, is negative; "
        "and with these payments the allocation rule is truthful.",
    ]
