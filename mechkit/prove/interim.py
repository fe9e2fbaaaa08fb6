"""Proofs in expectation over the others' uniform prior, for every real type of the agent's own.

Each agent's rule is run on its report r and the others' types as unknowns (`proofs.paths`), and the
others' types are integrated out exactly (`proofs.integrate`): what is left are the expected
quantity Q(r) and the expected payment T(r), piecewise polynomials. Myerson's lemma turns `bic` into
identities and signs of polynomials, which are decided in rationals (`prove.myerson`).

It takes types that are single numbers and enter the value linearly (which is read off the value,
run on symbols), and rules that are piecewise linear.

A certificate holds, for each agent, the cases into which the rule divides the profiles and the
polynomials. Its check goes through the cases with the checker's arithmetic, integrates by simplices
instead of by elimination, and decides the signs again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit.expectations import against
from mechkit.mechanism import Mechanism, play
from mechkit.priors import intervals
from mechkit.properties import Property
from mechkit.prove import myerson
from mechkit.prove.attempt import Attempt, Checked, Found, GaveUp, Proved
from mechkit.settings import Setting
from mechkit.views import Case
from proofs import Symbolic, checker, exact, paths, polytopes, symbols
from proofs.integrate import Curves, curves
from proofs.nodes import Choice, Linear, Node, Product, Variable, reachable
from proofs.polynomials import made

LEAVES = 400
METHOD, TOOL = "interim expectations, integrated exactly", "rational arithmetic"


def prove(mechanism: Mechanism, prop: Property, *, seconds: float) -> Attempt:
    """Prove `bic` or `interim_ir` under a uniform prior, or find a type that it fails for."""
    end = time.monotonic() + seconds
    if (why := outside(mechanism.setting)) is not None:
        return GaveUp(why)
    agents: list[dict[str, Any]] = []
    for agent in range(mechanism.setting.agents):
        try:
            tree, found = _curves(mechanism, agent, end)
        except _Stopped as stopped:
            return GaveUp(str(stopped))
        if (failure := _fails(prop, found)) is not None:
            return Found(0, _case(mechanism, agent, *failure))
        agents.append({"agent": agent, "tree": tree, **_written(found)})
    argument = {"kind": "interim", "coalition": 2, "agents": agents}
    proof = Proved(METHOD, domain(mechanism), TOOL, argument)
    stated = {"method": METHOD, "domain": proof.domain, "tool": TOOL, "argument": argument}
    checked = check(mechanism, prop, stated, seconds=seconds)
    if not checked.confirmed:
        return GaveUp(f"the checker rejects what the prover wrote: {checked.message}")
    return proof


def outside(setting: Setting) -> str | None:
    """Why such proofs do not reach a setting, or None."""
    if intervals(setting.types, setting.prior) is None:
        return "an expectation over a continuous prior that is not uniform over intervals"
    if setting.truthful is not None:
        return "the truthful report is not the type itself"
    try:
        linear = _linear(setting)
    except Exception as error:
        # A value that symbols cannot be put into: a table, an opaque function.
        return f"the value does not run on symbols: {type(error).__name__}: {error}"
    return None if linear else "an expectation of values that are not linear in the own type"


def _linear(setting: Setting) -> bool:
    """Whether each agent's value is affine in its own type, whatever the allocation."""
    algebra, n = Symbolic(), setting.agents
    types = symbols("type", (1, n), algebra=algebra)
    allocation = symbols("x", (1, *setting.allocation_shape), algebra=algebra)
    fixed = Mechanism.from_outcome(setting, lambda reports, **_: (allocation, np.zeros((1, n))))
    values = play(fixed, types, {}).values(types)
    worth = exact(values, algebra=algebra).terms[0]
    # The term of an unknown is a sum of one atom: the unknown itself.
    unknowns = [term.items[0][0] for term in types.terms[0]]
    return not algebra.obligations and all(map(_affine, worth, unknowns))


def _affine(term: Any, unknown: Variable) -> bool:
    """Whether a real term is an affine function of an unknown for any values of the others."""
    if isinstance(term, Fraction | int):
        return True
    if not isinstance(term, Node):
        return False
    if unknown not in set(reachable([term])) or term is unknown:
        return True
    if isinstance(term, Linear):
        return all(_affine(atom, unknown) for atom, _ in term.items)
    if isinstance(term, Choice):
        free = not isinstance(term.condition, Node) or unknown not in set(
            reachable([term.condition])
        )
        return free and _affine(term.then, unknown) and _affine(term.otherwise, unknown)
    if isinstance(term, Product):
        return sum(unknown in set(reachable([factor])) for factor in term.factors) == 1 and all(
            _affine(factor, unknown) for factor in term.factors
        )
    return False


class _Stopped(Exception):
    """The proof has to give up, for the reason that it carries."""


def _box(setting: Setting, agent: int) -> list[tuple[Fraction, Fraction]]:
    """The own type's bounds, and the intervals that the others' are drawn from."""
    within = intervals(setting.types, setting.prior)
    assert within is not None
    own = (setting.types.low[agent], setting.types.high[agent])
    return [own, *within[:agent], *within[agent + 1 :]]


def _program(mechanism: Mechanism, agent: int) -> Any:
    """(r, others' types) -> quantity and transfer: the utility of type θ is θ · quantity −
    transfer."""
    low, high = _box(mechanism.setting, agent)[0]

    def program(unknowns: Any) -> Any:
        ends = against(mechanism, agent, (low, high), unknowns[:1], unknowns[1:])
        (least, payment), (most, _) = ends
        quantity = (most - least) * (1 / (high - low) if low < high else Fraction(0))
        return np.concatenate([quantity, payment - least + quantity * low])

    return program


def _curves(mechanism: Mechanism, agent: int, end: float) -> tuple[list[list[str]], Curves]:
    left = end - time.monotonic()
    if left <= 0:
        raise _Stopped("the time ran out")
    box = _box(mechanism.setting, agent)
    try:
        found = paths.pieces(_program(mechanism, agent), box, leaves=LEAVES, seconds=left)
        if isinstance(found, paths.GaveUp):
            raise _Stopped(found.reason)
        return found.tree, curves(found.parts, box, seconds=max(0.0, end - time.monotonic()))
    except _Stopped:
        raise
    except Exception as error:
        # The rule has no meaning on linear forms, or it takes too long.
        raise _Stopped(f"{type(error).__name__}: {error}") from error


def _fails(prop: Property, found: Curves) -> tuple[Fraction, Fraction] | None:
    """(own type, report) at which a property fails, if it does."""
    if prop.name == "interim_ir":
        own = myerson.loss(found)
        return None if own is None else (own, own)
    assert prop.name == "bic"
    return myerson.lie(found)


def _case(mechanism: Mechanism, agent: int, own: Fraction, report: Fraction) -> Case:
    """The case of one row; the others' types are integrated out, and stand at their lowest."""
    types = mechanism.setting.types.low[None].copy()
    types[0, agent] = own
    lies = np.empty((1, 1), dtype=object)
    lies[0, 0] = report
    return Case("interim", (agent,), {"types": types, "lies": lies})


def domain(mechanism: Mechanism) -> str:
    """The domain of such a proof in words."""
    setting = mechanism.setting
    within = intervals(setting.types, setting.prior)
    assert within is not None
    drawn = " × ".join(f"[{low}, {high}]" for low, high in dict.fromkeys(within))
    space = setting.types
    return (
        f"{setting.name}, types in [{space.low.min()}, {space.high.max()}], the others' "
        f"independent and uniform on {drawn}"
    )


# Writing, checking and explaining ---------------------------------------------------------------


def _written(found: Curves) -> dict[str, Any]:
    return {
        "knots": [str(x) for x in found.knots],
        "between": [[[str(c) for c in p] for p in polynomials] for polynomials in found.between],
        "at": [[str(x) for x in values] for values in found.at],
    }


def _read(part: Mapping[str, Any]) -> Curves:
    def pair(rows: Sequence[Any]) -> tuple[Any, Any]:
        quantity, transfer = rows
        return quantity, transfer

    return Curves(
        tuple(Fraction(x) for x in part["knots"]),
        tuple(
            tuple(made([Fraction(c) for c in p]) for p in pair(polynomials))
            for polynomials in part["between"]
        ),
        tuple(tuple(Fraction(x) for x in pair(values)) for values in part["at"]),
    )


def check(
    mechanism: Mechanism, prop: Property, data: Mapping[str, Any], *, seconds: float
) -> Checked:
    """Integrate again by another route, and decide again whether the property holds."""
    if (why := outside(mechanism.setting)) is not None:
        return Checked(False, why)
    if prop.name not in ("bic", "interim_ir"):
        return Checked(False, f"{prop.name} is no expectation")
    expected = (METHOD, domain(mechanism), TOOL)
    told = (data["method"], data["domain"], data["tool"])
    if told != expected:
        return Checked(False, f"it says {told} of itself, and would be {expected}")
    end = time.monotonic() + seconds
    parts = data["argument"].get("agents")
    if not isinstance(parts, list) or len(parts) != mechanism.setting.agents:
        return Checked(False, f"parts for {mechanism.setting.agents} agents are missing")
    for agent, part in enumerate(parts):
        try:
            if part["agent"] != agent:
                return Checked(False, f"a part for agent {part['agent']}, expected {agent}")
            box, found = _box(mechanism.setting, agent), _read(part)
            pieces = checker.pieces(_program(mechanism, agent), box, None, part["tree"])
            stated = (box, found.knots, found.between, found.at)
            left = end - time.monotonic()
            why = polytopes.contradicts(pieces, *stated, seconds=left)
            if why is not None:
                return Checked(False, f"agent {agent}: {why}")
            if (failure := _fails(prop, found)) is not None:
                own, report = map(str, failure)
                return Checked(False, f"agent {agent} of type {own}, reporting {report}: it fails")
        except (checker.Rejected, TimeoutError) as error:
            return Checked(False, f"agent {agent}: {error}")
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            return Checked(False, f"a part that cannot be read: {type(error).__name__}: {error}")
    return Checked(True, "every integral was taken again by simplices, and every sign decided")


def explain(argument: Mapping[str, Any]) -> list[str]:
    """The argument in words."""
    lines = [
        "Each agent's rule is run on its report r and the others' types as unknowns, and the "
        "others' types are integrated out. Of type θ, reporting r, it expects θ Q(r) − T(r):"
    ]
    for part in argument.get("agents", []):
        found = _read(part)
        lines.append(f"Agent {part['agent']}:")
        for k, polynomials in enumerate(found.between):
            quantity, transfer = map(_shown, polynomials)
            low, high = found.knots[k : k + 2]
            lines.append(f"  for {low} < r < {high}: Q = {quantity}, T = {transfer}")
        for knot, (q, t) in zip(found.knots, found.at, strict=True):
            lines.append(f"  at r = {knot}: Q = {q}, T = {t}")
    lines.append(
        "Truth is best if and only if Q never falls and U(θ) = θ Q(θ) − T(θ) is continuous with "
        "slope Q (Myerson 1981); nobody expects a loss if U is never negative. Both are identities "
        "and signs of polynomials, decided in rationals (Sturm 1829)."
    )
    return lines


def _shown(polynomial: Sequence[Fraction]) -> str:
    powers = ["", " r", *(f" r^{k}" for k in range(2, len(polynomial)))]
    terms = [f"{c}{power}" for c, power in zip(polynomial, powers, strict=False) if c]
    return " + ".join(terms) or "0"
