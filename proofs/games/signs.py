"""The sign of an expression wherever the assumptions hold: proved, refuted or undecided.

To prove a sign, every symbol is written as its bound plus a number of known sign (a > c becomes
a = c + t, t > 0; a relation that gives a symbol no bound is kept for Z3), the expression is
factored, and a factor whose monomials all have one sign has that sign. Where this fails, Z3 is
asked (`reals`). Both prove the claim on a larger set, so "proved" is sound. A refutation is a
point of the domain, drawn in rationals, at which the sign is otherwise (`points`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from proofs.games.domains import Domain, written
from proofs.games.factors import ANY, POSITIVE, Signs, signs_of
from proofs.games.points import TRIES, likely_sign, points, sign_at
from proofs.games.reals import unsatisfiable


@dataclass(frozen=True)
class Verdict:
    """holds: True, False or None (undecided); how: by what; at: a point where it fails."""

    holds: bool | None
    how: str
    at: Mapping[sp.Basic, Any] | None = None


def decide(expression: sp.Expr, wanted: Signs, domain: Domain, *, seed: int = 0) -> Verdict:
    """Does the expression have one of the wanted signs everywhere in the domain?"""
    expression = sp.sympify(expression)
    if signs(expression, domain) <= wanted:
        return Verdict(True, "the signs of its factors under the assumptions")
    for point in points(domain, [expression], seed=seed):
        if likely_sign(expression, point) not in wanted:
            found = sign_at(expression, point)
            if found is not None and found not in wanted:
                return Verdict(False, "a point of the domain", point)
    if unsatisfiable(expression, ANY - wanted, domain):
        return Verdict(True, "Z3, real arithmetic")
    return Verdict(None, "neither proved nor refuted at any point that was tried")


def proved(expression: sp.Expr, wanted: Signs, domain: Domain) -> bool:
    """As `decide`, where nothing is made of a refutation or where it is."""
    if signs(expression, domain) <= wanted:
        return True
    for point in points(domain, [expression], tries=12):
        if likely_sign(expression, point) not in wanted:
            return False
    return unsatisfiable(expression, ANY - wanted, domain)


def empty(domain: Domain, *, seed: int = 0, tries: int = TRIES) -> Verdict:
    """Is there no point in the domain (True), or which one is there (False)?"""
    for relation, allowed in domain.relations:
        if not signs(relation, replace(domain, relations=())) & allowed:
            return Verdict(True, f"{relation} is never as assumed")
    for point in points(domain, [], seed=seed, tries=tries):
        return Verdict(False, "a point of the domain", point)
    if unsatisfiable(sp.Integer(1), POSITIVE, domain):
        return Verdict(True, "Z3, real arithmetic")
    return Verdict(None, "no point was found, and none was ruled out")


def signs(expression: sp.Expr, domain: Domain) -> Signs:
    """The signs that an expression can be shown to be confined to."""
    substitution, _ = domain.shifts
    found = signs_of(written(expression, substitution))
    # A closed interval [l, h] is written l + (h - l) t/(1 + t), without h; so are integers.
    for symbol, span in domain.ranges.items():
        reached = (span.closed or span.integer) and span.low != span.high
        if reached and span.low.is_finite and span.high.is_finite and expression.has(symbol):
            found |= signs(expression.subs(symbol, span.high), _without(domain, symbol))
    return found


def _without(domain: Domain, symbol: sp.Basic) -> Domain:
    kept = {s: span for s, span in domain.ranges.items() if s != symbol}
    end = domain.ranges[symbol].high
    return Domain(kept, tuple((e.subs(symbol, end), allowed) for e, allowed in domain.relations))
