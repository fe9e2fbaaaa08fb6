"""Terms as SMT-LIB 2 text, which any solver reads.

The text asserts the assumptions, the axioms of order statistics, integer parts and inverses, and
that some claim fails. If it is unsatisfiable, every claim holds wherever the assumptions do. There
are such numbers at every profile (any number will do as the inverse of 0), so the axioms exclude
none.

A term that occurs twice, or is long, is defined once by ``define-fun``. Names with a $ are
ours, those without are the rule's unknowns. The logic is QF_LRA, or QF_NRA where unknowns are
multiplied, with an I where there are integer parts.

Source: Barrett, Fontaine & Tinelli, *The SMT-LIB Standard*, version 2.6 (2017).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from proofs.arrays import Array
from proofs.nodes import (
    NEGATIVE,
    POSITIVE,
    ZERO,
    And,
    Bool,
    Choice,
    Defined,
    Floor,
    Inverse,
    Linear,
    Node,
    Not,
    Product,
    Sign,
    Variable,
    constant_or,
    joined,
    reachable,
)
from proofs.partial import parts
from proofs.symbolic import Symbolic

__all__ = ["assumed", "gathered", "smtlib"]

_LONGEST = 160


def _conditions(claims: Array) -> list[Bool]:
    """What it takes for the entries of an Array to hold: true ones for bools, numbers that exist
    and are at least 0 for reals and integers."""
    algebra: Symbolic = claims.algebra  # type: ignore[assignment]
    found: list[Bool] = []
    for term in claims.terms.flat:
        if claims.kind == "bool":
            found.append(term)
            continue
        entry = parts(algebra.cast(term, claims.kind, "real"))
        s = algebra.store
        low = False if entry.value is None else s.sign(entry.value, ZERO | POSITIVE)
        found.append(
            s.both(s.negate(entry.undefined), s.negate(entry.minus), s.either(entry.plus, low))
        )
    return found


def gathered(terms: Any) -> list[Bool]:
    """The conditions of an Array of claims, and the obligations of its algebra; or those of a
    sequence of Arrays and conditions."""
    if isinstance(terms, Array):
        algebra: Symbolic = terms.algebra  # type: ignore[assignment]
        owed = [obligation.condition for obligation in algebra.obligations]
        return _conditions(terms) + owed
    if isinstance(terms, (bool, Node)):
        return [terms]
    return list(dict.fromkeys(condition for part in terms for condition in gathered(part)))


def smtlib(assumptions: Any, claims: Any) -> str:
    """The text whose unsatisfiability means that the claims hold wherever the assumptions do.

    Args:
        assumptions, claims: Arrays over one `Symbolic` algebra, or sequences of them. Boolean
            entries hold where they are true, numbers where they exist and are at least 0. An Array
            of claims brings the obligations of its algebra along; assumptions do not.

    Returns:
        A whole SMT-LIB 2 script: declarations, definitions, assertions, ``(check-sat)``.
    """
    given, wanted = assumed(assumptions), gathered(claims)
    nodes = reachable([*given, *wanted], axioms=True)
    axioms = [a for node in nodes if isinstance(node, Defined) for a in node.axioms]
    return "\n".join(_script(nodes, [*given, *axioms], wanted)) + "\n"


def assumed(assumptions: Any) -> list[Bool]:
    """Assumptions, without the obligations: that a rule is defined is never assumed."""
    if isinstance(assumptions, Array):
        return _conditions(assumptions)
    if isinstance(assumptions, (bool, Node)):
        return [assumptions]
    return [condition for part in assumptions for condition in assumed(part)]


def _script(nodes: Sequence[Node], asserted: list[Bool], wanted: list[Bool]) -> Iterable[str]:
    linear = not any(isinstance(node, (Product, Inverse)) for node in nodes)
    whole = any(isinstance(node, Floor) for node in nodes)
    yield f"(set-logic QF_{'L' if linear else 'N'}{'I' if whole else ''}RA)"
    for node in nodes:
        if isinstance(node, Variable):
            yield f"(declare-const {node.name} {'Bool' if node.boolean else 'Real'})"
        elif isinstance(node, Floor):
            yield f"(declare-const $floor{node.serial} Int)"
        elif isinstance(node, Defined):
            yield f"(declare-const {node!r} Real)"
    uses = Counter(part for node in nodes for part in _shown(node) if isinstance(part, Node))
    uses.update(a for a in (*asserted, *wanted) if isinstance(a, Node))
    texts: dict[Node, str] = {}

    def of(part: Any) -> str:
        return constant_or(part, texts)

    for node in sorted(nodes, key=lambda node: node.serial):
        text = _text(node, of)
        shared = uses[node] > 1 or (uses[node] and len(text) > _LONGEST)
        if shared and "(" in text and not isinstance(node, Floor):
            sort = "Real" if isinstance(node, (Linear, Choice, Product)) else "Bool"
            yield f"(define-fun $t{node.serial} () {sort} {text})"
            text = f"$t{node.serial}"
        texts[node] = text
    for a in asserted:
        yield f"(assert {of(a)})"
    failures = [_denied(a, of) for a in wanted if a is not True]
    yield f"(assert {joined('or', failures) or 'false'})"
    yield "(check-sat)"


def _shown(node: Node) -> Iterable[Any]:
    """The nodes whose texts stand in the node's own text or definition."""
    if isinstance(node, Sign):
        return node.form.parts()
    return node.axioms if isinstance(node, Defined) else node.parts()


def _text(node: Node, of: Callable[[Any], str]) -> str:
    """The node's text; a Not of an And of opposites reads better as an or."""
    if isinstance(node, Not) and isinstance(node.condition, And):
        conditions = node.condition.conditions
        if all(isinstance(a, (Not, Sign)) for a in conditions):
            return joined("or", [_denied(a, of) for a in conditions])
    return node.text(of)


def _denied(a: Bool, of: Callable[[Any], str]) -> str:
    if isinstance(a, Sign):
        return Sign(a.form, (NEGATIVE | ZERO | POSITIVE) - a.signs).text(of)
    return of(a.condition) if isinstance(a, Not) else f"(not {of(a)})"
