"""Small edits of a formula, as a misprint or a slip would make them, each in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sympy as sp


@dataclass(frozen=True)
class Edit:
    """What was changed, and the formula after the change."""

    words: str
    result: sp.Expr


def edits(expression: sp.Expr, symbols: Sequence[sp.Symbol] = ()) -> Iterator[Edit]:
    """All single edits: of the whole first, then of its parts; no result comes twice.

    symbols: those that may be missing as a factor or be in another's place.
    """
    seen = {expression}
    for edit in _all(expression, symbols):
        if edit.result in seen or edit.result.has(sp.nan, sp.zoo, sp.oo):
            continue
        seen.add(edit.result)
        yield edit


def twice(expression: sp.Expr, symbols: Sequence[sp.Symbol] = ()) -> Iterator[Edit]:
    """All pairs of edits one after the other."""
    for first in edits(expression, symbols):
        for second in edits(first.result, symbols):
            yield Edit(f"{first.words}; {second.words}", second.result)


def _all(expression: sp.Expr, symbols: Sequence[sp.Symbol]) -> Iterator[Edit]:
    yield from _local(expression, "the whole", symbols)
    for node in dict.fromkeys(_parts(expression)):
        for edit in _local(node, str(node), ()):
            yield Edit(edit.words, expression.xreplace({node: edit.result}))
    for one in symbols:
        for other in symbols:
            if one != other and expression.has(one):
                swapped = expression.xreplace({one: other})
                yield Edit(f"{one} replaced by {other}", swapped)


def _parts(expression: sp.Basic) -> Iterator[sp.Expr]:
    """Proper parts; `w[3]` is one and has none."""
    for part in () if isinstance(expression, sp.Indexed) else expression.args:
        if isinstance(part, sp.Expr):
            yield part
        yield from _parts(part)


def _local(node: sp.Expr, name: str, symbols: Sequence[sp.Symbol]) -> Iterator[Edit]:
    """Edits at the top of an expression."""
    if node.is_number and not node.is_Integer:
        return
    if not node.is_number:
        yield Edit(f"the sign of {name} changed", -node)
        yield Edit(f"{name} inverted", 1 / node)
        yield Edit(f"a root drawn of {name}", sp.sqrt(node))
        yield Edit(f"{name} squared", node**2)
        yield Edit(f"1 minus {name} in its place", 1 - node)
        yield Edit(f"{name} doubled", 2 * node)
        yield Edit(f"{name} halved", node / 2)
    if name != "the whole" or not node.is_number:
        yield Edit(f"1 added to {name}", node + 1)
        yield Edit(f"1 subtracted from {name}", node - 1)
    if isinstance(node, sp.Pow):
        yield Edit(f"the power {name} replaced by its base", node.base)
        if node.exp.is_Integer and node.exp > 1:
            swapped = node.base ** (node.exp - 1) * (1 - node.base)
            yield Edit(f"1 minus {node.base} in place of one factor {node.base}", swapped)
        if not node.exp.is_number or node.exp > 0:
            yield Edit(f"the exponent of {name} raised by 1", node.base ** (node.exp + 1))
            yield Edit(f"the exponent of {name} lowered by 1", node.base ** (node.exp - 1))
            yield Edit(f"the sign of the exponent of {name} changed", node.base**-node.exp)
    if isinstance(node, sp.Add):
        for term in node.args:
            yield Edit(f"the term {term} dropped", node - term)
            yield Edit(f"the sign of the term {term} changed", node - 2 * term)
    if isinstance(node, sp.Mul):
        for factor in node.args:
            rest = node / factor
            yield Edit(f"the factor {factor} dropped", rest)
            yield Edit(f"1 minus {factor} in place of the factor {factor}", rest * (1 - factor))
    for symbol in symbols:
        yield Edit(f"a factor {symbol} put in", node * symbol)
        yield Edit(f"divided by {symbol}", node / symbol)
