"""Where a formula is asked about: symbols in intervals, and relations among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import sympy as sp
from sympy.core.relational import Relational

from proofs.games.factors import NEGATIVE, NONNEGATIVE, POSITIVE, ZERO, Signs, signs_of
from proofs.games.sums import member, summed


@dataclass(frozen=True)
class Range:
    """An interval; closed: its finite ends belong to it.

    members: for the index of a family, how many there are; a relation with the index in it holds
    for every one of them.
    """

    low: sp.Expr = -sp.oo
    high: sp.Expr = sp.oo
    closed: bool = False
    integer: bool = False
    members: sp.Expr | None = None


@dataclass(frozen=True)
class Domain:
    """Symbols (or the bases of indexed ones) in ranges, and relations among them.

    relations: pairs of an expression and the signs that it may have.
    """

    ranges: Mapping[sp.Basic, Range]
    relations: tuple[tuple[sp.Expr, Signs], ...] = ()

    def where(self, *relations: Relational | sp.Expr) -> Domain:
        """The part in which relations hold too; an expression e stands for e ≥ 0.

        What holds for every member of a family holds for the sum over all of them.
        """
        pairs: list[tuple[sp.Expr, Signs]] = []
        for relation in relations:
            pairs += _pairs(relation)
        for index, span in self.ranges.items():
            if span.members is not None:
                about = [(e, allowed) for e, allowed in pairs if e.has(index)]
                pairs += [(summed(member(e, index), span.members), allowed) for e, allowed in about]
        return replace(self, relations=(*self.relations, *pairs))

    def adding(self, ranges: Mapping[sp.Basic, Range]) -> Domain:
        return replace(self, ranges={**self.ranges, **ranges})

    def about(self, *expressions: sp.Basic) -> Domain:
        """A superset, by what is said of these symbols alone; of families, the domain itself."""
        if any(span.members is not None for span in self.ranges.values()):
            return self
        kept: set[sp.Basic] = set().union(*(e.free_symbols for e in expressions))
        ranges = {s: span for s, span in self.ranges.items() if s in kept}
        return Domain(ranges, tuple((e, a) for e, a in self.relations if e.free_symbols <= kept))

    @cached_property
    def shifts(self) -> tuple[dict[sp.Basic, sp.Expr], tuple[sp.Expr, ...]]:
        """Symbols as their bounds plus numbers of known sign, and relations not used for that.

        To be put in one after the other (`written`).
        """
        return _shifts(self)


def _pairs(relation: Relational | sp.Expr) -> list[tuple[sp.Expr, Signs]]:
    if relation in (True, sp.true):
        return []
    if relation in (False, sp.false):
        return [(sp.Integer(-1), POSITIVE)]
    if isinstance(relation, sp.Eq):
        return [(relation.lhs - relation.rhs, ZERO)]
    if isinstance(relation, sp.Ne):
        return []
    if isinstance(relation, Relational):
        strict = isinstance(relation, sp.Gt | sp.Lt)
        return [(relation.gts - relation.lts, POSITIVE if strict else NONNEGATIVE)]
    return [(relation, NONNEGATIVE)]


def written(expression: sp.Expr, substitution: Mapping[sp.Basic, sp.Expr]) -> sp.Expr:
    for old, new in substitution.items():
        expression = expression.subs(old, new)
    return expression


def _shifts(domain: Domain) -> tuple[dict[sp.Basic, sp.Expr], tuple[sp.Expr, ...]]:
    substitution: dict[sp.Basic, sp.Expr] = {}
    for symbol, span in domain.ranges.items():
        if isinstance(symbol, sp.Symbol):
            shifted = _ranged(symbol, span)
            if shifted is not None:
                substitution[symbol] = shifted
    kept = []
    for relation, allowed in domain.relations:
        if relation.has(sp.Indexed, sp.Sum):
            kept.append(relation)
            continue
        eliminated = _eliminated(written(relation, substitution), allowed)
        if eliminated is None:
            kept.append(relation)
            continue
        symbol, value = eliminated
        # Earlier right sides may contain the symbol; applied in order, this one comes last.
        substitution[symbol] = value
    return substitution, tuple(kept)


def _ranged(symbol: sp.Symbol, span: Range) -> sp.Expr | None:
    """The symbol in terms of one of known sign; None where the symbol itself is that already."""
    strict = not (span.closed or span.integer)
    known = {"positive": True} if strict else {"nonnegative": True}
    if span.low.is_finite and span.high.is_finite:
        t = sp.Dummy(f"t_{symbol}", **known)
        return (span.low + span.high * t) / (1 + t)
    if span.low.is_finite:
        t = sp.Dummy(f"t_{symbol}", **known)
        return span.low + t
    if span.high.is_finite:
        t = sp.Dummy(f"t_{symbol}", **known)
        return span.high - t
    return sp.Dummy(f"t_{symbol}", real=True)


def _eliminated(relation: sp.Expr, allowed: Signs) -> tuple[sp.Symbol, sp.Expr] | None:
    """Solve e = d, d > 0 (≥ 0, = 0), for a symbol that e is linear in and whose sign follows."""
    rest: sp.Expr = sp.S.Zero
    if allowed == POSITIVE:
        rest = sp.Dummy("d", positive=True)
    elif allowed == NONNEGATIVE:
        rest = sp.Dummy("d", nonnegative=True)
    for symbol in sorted(relation.free_symbols, key=lambda s: (s.is_nonnegative or False, str(s))):
        slope = sp.diff(relation, symbol)
        if slope.has(symbol) or not signs_of(slope) <= (
            POSITIVE if 1 in signs_of(slope) else NEGATIVE
        ):
            continue
        base = sp.expand(-relation.subs(symbol, 0) / slope)
        value = base + rest / slope
        if symbol.is_nonnegative is None and symbol.is_real:
            return symbol, value
        if symbol.is_nonnegative and signs_of(base) <= NONNEGATIVE and signs_of(slope) == POSITIVE:
            return symbol, value
    return None
