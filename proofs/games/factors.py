"""The sign of an expression from the assumptions on its symbols: factors, and terms of one sign.

A product has the product of its factors' signs; a polynomial all of whose monomials have one sign
has that sign. Sound and incomplete.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import sympy as sp

from proofs.games.forms import factored

Signs = frozenset[int]
"""The signs that an expression may have, out of -1, 0 and 1."""

ANY: Signs = frozenset({-1, 0, 1})
POSITIVE: Signs = frozenset({1})
NEGATIVE: Signs = frozenset({-1})
NONNEGATIVE: Signs = frozenset({0, 1})
NONPOSITIVE: Signs = frozenset({-1, 0})
ZERO: Signs = frozenset({0})


def signs_of(expression: sp.Expr) -> Signs:
    """The signs that an expression can be shown to be confined to."""
    quick = _assumed(expression)
    if quick != ANY:
        return quick
    with suppress(sp.PolynomialError):
        expression = factored(expression)
    found = POSITIVE
    for factor in sp.Mul.make_args(expression):
        found = _product(found, factor_signs(factor))
    return found


def factor_signs(factor: sp.Expr) -> Signs:
    quick = _assumed(factor)
    if quick != ANY:
        return quick
    if isinstance(factor, sp.Pow) and factor.exp.is_Rational:
        base = factor_signs(factor.base)
        if factor.exp.is_Integer and factor.exp % 2 == 0:
            return NONNEGATIVE if 0 in base and factor.exp > 0 else POSITIVE
        if factor.exp.is_Integer:
            return base if factor.exp > 0 else base - ZERO or base
        return base if base <= NONNEGATIVE and factor.exp > 0 else ANY
    if isinstance(factor, sp.log):
        return signs_of(factor.args[0] - 1)
    if isinstance(factor, sp.Sum):
        return signs_of(factor.function)
    if isinstance(factor, sp.Add):
        return _sum_signs(factor)
    if isinstance(factor, sp.Mul):
        return signs_of(factor)
    return ANY


def _sum_signs(total: sp.Add) -> Signs:
    try:
        poly = sp.Poly(total)
    except sp.PolynomialError:
        return _added(signs_of(term) if term != total else ANY for term in total.args)
    of = {generator: factor_signs(generator) for generator in poly.gens}
    terms = []
    for powers, coefficient in poly.terms():
        found = _assumed(coefficient)
        for generator, power in zip(poly.gens, powers, strict=True):
            if power:
                even = power % 2 == 0
                found = _product(found, _even(of[generator]) if even else of[generator])
        terms.append(found)
    return _added(terms)


def _even(base: Signs) -> Signs:
    return frozenset(sign * sign for sign in base)


def _added(terms: Iterable[Signs]) -> Signs:
    """Signs of a sum: of one sign if all terms are, strictly if one of them is."""
    terms = list(terms)
    if all(term <= NONNEGATIVE for term in terms):
        return POSITIVE if POSITIVE in terms else NONNEGATIVE
    if all(term <= NONPOSITIVE for term in terms):
        return NEGATIVE if NEGATIVE in terms else NONPOSITIVE
    return ANY


def _product(one: Signs, other: Signs) -> Signs:
    return frozenset(x * y for x in one for y in other)


def _assumed(expression: sp.Expr) -> Signs:
    """What SymPy's own assumptions say."""
    if expression.is_positive:
        return POSITIVE
    if expression.is_negative:
        return NEGATIVE
    if expression.is_zero:
        return ZERO
    if expression.is_nonnegative:
        return NONNEGATIVE
    if expression.is_nonpositive:
        return NONPOSITIVE
    return ANY
