"""Asking Z3 about signs: nonlinear real arithmetic.

Decided by cylindrical algebraic decomposition (Jovanović & de Moura 2012). Every term that is no
polynomial stands for an arbitrary number of its sign, so that "unsatisfiable" holds for the terms
themselves, and a model means nothing.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from proofs.games.domains import Domain, Range
from proofs.games.factors import Signs, factor_signs

_MILLISECONDS = 1000


def unsatisfiable(expression: sp.Expr, unwanted: Signs, domain: Domain) -> bool:
    """No point of (a superset of) the domain gives the expression an unwanted sign."""
    try:
        import z3
    except ImportError:
        return False
    names: dict[sp.Basic, Any] = {}
    sides: list[Any] = []

    def unknown(term: sp.Basic) -> Any:
        if term not in names:
            names[term] = z3.Real(f"v{len(names)}")
            span = domain.ranges.get(term.base if isinstance(term, sp.Indexed) else term)
            sides.extend(_z3_sides(names[term], factor_signs(term), span))
        return names[term]

    def number(value: sp.Expr) -> Any:
        return z3.Q(int(value.p), int(value.q))

    def term(e: sp.Expr) -> Any:
        if e.is_Rational:
            return number(e)
        if isinstance(e, sp.Add):
            return z3.Sum([term(x) for x in e.args])
        if isinstance(e, sp.Mul):
            return z3.Product([term(x) for x in e.args])
        if isinstance(e, sp.Pow) and e.exp.is_Integer and 0 < e.exp <= 8:
            return z3.Product([term(e.base)] * int(e.exp))
        if isinstance(e, sp.Pow) and e.exp == sp.Rational(1, 2):
            root = unknown(e)
            sides.extend([root >= 0, root * root == term(e.base)])
            return root
        return unknown(e)

    def compared(e: sp.Expr, allowed: Signs) -> Any:
        top, bottom = sp.fraction(sp.together(e))
        value, below = term(top), term(bottom)
        tests = {1: value * below > 0, 0: value == 0, -1: value * below < 0}
        sides.append(below != 0)
        return z3.Or(*(tests[s] for s in allowed))

    solver = z3.Solver()
    solver.set("timeout", _MILLISECONDS)
    for relation, allowed in domain.relations:
        solver.add(compared(relation, allowed))
    solver.add(compared(expression, unwanted))
    for symbol in domain.ranges:
        if isinstance(symbol, sp.Symbol) and symbol in names:
            unknown(symbol)
    solver.add(*sides)
    return bool(solver.check() == z3.unsat)


def _z3_sides(variable: Any, known: Signs, span: Range | None) -> list[Any]:
    import z3

    tests = {1: variable > 0, 0: variable == 0, -1: variable < 0}
    sides = [z3.Or(*(tests[sign] for sign in known))]
    for bound, below in ((span.low, True), (span.high, False)) if span else ():
        if not bound.is_Rational:
            continue
        value = z3.Q(int(bound.p), int(bound.q))
        if span is not None and (span.closed or span.integer):
            sides.append(variable >= value if below else variable <= value)
        else:
            sides.append(variable > value if below else variable < value)
    return sides
