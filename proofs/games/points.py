"""Points of a domain in rationals, and the sign of an expression at them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import exp, log, prod
from typing import Any

import sympy as sp

from proofs.games.domains import Domain, Range, written
from proofs.games.factors import Signs

TRIES = 60


def points(
    domain: Domain, about: Iterable[sp.Basic], *, seed: int = 0, tries: int = TRIES
) -> Iterator[dict[sp.Basic, Any]]:
    """Rational points of the domain, with values for every symbol of `about`."""
    rng = random.Random(seed)
    substitution, _ = domain.shifts
    about = list(about)
    mentioned: set[sp.Basic] = set()
    for expression in (*about, *(e for e, _ in domain.relations)):
        mentioned |= expression.free_symbols | expression.atoms(sp.Indexed, sp.IndexedBase)
    bases = sorted((b for b in mentioned if isinstance(b, sp.IndexedBase)), key=str)
    indices = {s: span.members for s, span in domain.ranges.items() if span.members is not None}
    symbols = {s for s in mentioned | set(domain.ranges) if isinstance(s, sp.Symbol)}
    symbols -= {b.label for b in bases} | set(indices)
    largest = 0
    for attempt in range(tries):
        if attempt >= 8 and largest > 8:
            return  # writing out large families takes its time
        point = _drawn(sorted(symbols, key=str), substitution, domain, rng)
        if point is None:
            continue
        sizes = _sizes(domain, point)
        largest = max(sizes.values(), default=0)
        for base in bases:
            span = domain.ranges.get(base, Range())
            for k in range(1, max(sizes.values(), default=6) + 1):
                point[base[k]] = _number(span, rng)
        if all(_everywhere(e, allowed, point, sizes) for e, allowed in domain.relations):
            point = {s: value for s, value in point.items() if not isinstance(s, sp.Sum)}
            yield point | {s: sp.Integer(rng.randint(1, size)) for s, size in sizes.items()}


def _sizes(domain: Domain, point: Mapping[sp.Basic, Any]) -> dict[sp.Basic, int]:
    """How many members there are, by the index of their family."""
    return {
        s: int(span.members.subs(point))
        for s, span in domain.ranges.items()
        if span.members is not None
    }


def holds_at(condition: sp.Expr, point: dict[sp.Basic, Any], domain: Domain) -> bool | None:
    """Is `condition` ≥ 0 at a point, for every member if it is about one? None: not known."""
    sizes = _sizes(domain, point)
    about = [s for s in sizes if condition.has(s)]
    found = [
        sign_at(condition, point | dict(zip(about, map(sp.Integer, members), strict=True)))
        for members in product(*(range(1, sizes[s] + 1) for s in about))
    ]
    if -1 in found:
        return False
    return None if None in found else True


def _everywhere(
    relation: sp.Expr, allowed: Signs, point: dict[sp.Basic, Any], sizes: Mapping[sp.Basic, int]
) -> bool:
    """The relation holds at a point, for every member if it is about one."""
    about = [s for s in sizes if relation.has(s)]
    for total in relation.atoms(sp.Sum) if about else ():
        if total not in point and not total.has(*about):
            with suppress(_Irrational, ZeroDivisionError):
                point[total] = sp.Rational(rational(total, point))  # once for all members
    return all(
        likely_sign(relation, point | dict(zip(about, map(sp.Integer, members), strict=True)))
        in allowed
        for members in product(*(range(1, sizes[s] + 1) for s in about))
    )


def _drawn(
    symbols: list[sp.Symbol],
    substitution: Mapping[sp.Basic, sp.Expr],
    domain: Domain,
    rng: random.Random,
) -> dict[sp.Basic, Any] | None:
    """Values of the symbols: drawn for the numbers of known sign, and put back."""
    formulas = {s: written(s, substitution) for s in symbols}
    free = sorted(set().union(*(e.free_symbols for e in formulas.values())), key=str)
    drawn = {t: _number(Range(sp.S.Zero if t.is_nonnegative else -sp.oo), rng) for t in free}
    point: dict[sp.Basic, Any] = {}
    for symbol, expression in formulas.items():
        span = domain.ranges.get(symbol, Range())
        value = expression.xreplace(drawn)
        if span.integer or symbol.is_integer:
            value = _number(replace(span, integer=True), rng)
        if not value.is_Rational or not _inside(value, span, symbol):
            return None
        point[symbol] = value
    return point


def _number(span: Range, rng: random.Random) -> sp.Rational:
    if span.integer:
        low = sp.ceiling(span.low) if span.low.is_finite else sp.Integer(-4)
        high = sp.floor(span.high) if span.high.is_finite else low + 5
        return low + rng.randint(0, int(min(high - low, 5)))
    part = sp.Rational(rng.randint(1, 63), 64)
    if span.low.is_finite and span.high.is_finite:
        return sp.nsimplify(span.low + (span.high - span.low) * part, rational=True)
    size = part * sp.Integer(2) ** rng.randint(-3, 4)
    if span.low.is_finite:
        return sp.nsimplify(span.low, rational=True) + size
    if span.high.is_finite:
        return sp.nsimplify(span.high, rational=True) - size
    return size * rng.choice((-1, 1))


def _inside(value: sp.Rational, span: Range, symbol: sp.Symbol) -> bool:
    if (symbol.is_positive and value <= 0) or (symbol.is_nonnegative and value < 0):
        return False
    if span.closed or span.integer:
        return bool(span.low <= value) and bool(value <= span.high)
    return bool(span.low < value) and bool(value < span.high)


def sign_at(expression: sp.Expr, point: Mapping[sp.Basic, Any]) -> int | None:
    """The sign at a point, exact or from 30 digits; None where it has none or they do not tell."""
    try:
        exact = rational(expression, point)
        return (exact > 0) - (exact < 0)
    except (_Irrational, ZeroDivisionError):
        pass
    numbers = {s: v for s, v in point.items() if isinstance(s, sp.Symbol)}
    value = expression.subs(numbers)
    if value.has(sp.Sum, sp.Indexed):
        value = value.doit().subs({s: v for s, v in point.items() if s not in numbers})
    if value is sp.oo or value is -sp.oo:
        return 1 if value is sp.oo else -1
    value = value.evalf(30)
    if not value.is_Float or abs(value) < sp.Float("1e-15"):
        return 0 if value.is_zero else None
    return 1 if value > 0 else -1


def likely_sign(expression: sp.Expr, point: Mapping[sp.Basic, Any]) -> int | None:
    """The sign at a point, in floats where they are far enough from zero to tell it."""
    try:
        value, scale = _rough(expression, point)
    except (_Irrational, ZeroDivisionError, ValueError, OverflowError):
        return sign_at(expression, point)
    if abs(value) <= 1e-9 * scale:
        return sign_at(expression, point)
    return 1 if value > 0 else -1


def _rough(expression: sp.Expr, point: Mapping[sp.Basic, Any]) -> tuple[float, float]:
    """A float and the size of what it is the sum of; raises _Irrational for unknown functions."""
    if isinstance(expression, sp.Add):
        terms = [_rough(e, point) for e in expression.args]
        return sum(v for v, _ in terms), sum(s for _, s in terms)
    if isinstance(expression, sp.Mul):
        factors = [_rough(e, point) for e in expression.args]
        return prod(v for v, _ in factors), prod(s for _, s in factors)
    if isinstance(expression, sp.Pow) and expression.exp.is_Rational:
        base, scale = _rough(expression.base, point)
        power = float(expression.exp)
        if base < 0 and not expression.exp.is_Integer:
            raise ValueError
        value = base ** (int(power) if expression.exp.is_Integer else power)
        return value, abs(value) * max(scale / abs(base), 1.0) ** abs(power) if base else 0.0
    if isinstance(expression, sp.log):
        value = log(_rough(expression.args[0], point)[0])
        return value, max(abs(value), 1.0)
    if isinstance(expression, sp.exp):
        value = exp(_rough(expression.args[0], point)[0])
        return value, value
    value = float(rational(expression, point))
    return value, abs(value)


class _Irrational(Exception):
    """An expression that is no rational function of rationals."""


def rational(expression: sp.Expr, point: Mapping[sp.Basic, Any]) -> Fraction:
    """The exact value of a rational function, sums over members written out."""
    if expression.is_Rational:
        return Fraction(int(expression.p), int(expression.q))
    if isinstance(expression, sp.Symbol | sp.Indexed | sp.Sum) and expression in point:
        value = point[expression]
        return Fraction(int(value.p), int(value.q))
    if isinstance(expression, sp.Add):
        return sum((rational(e, point) for e in expression.args), Fraction(0))
    if isinstance(expression, sp.Mul):
        return prod((rational(e, point) for e in expression.args), start=Fraction(1))
    if isinstance(expression, sp.Pow) and expression.exp.is_Integer:
        return rational(expression.base, point) ** int(expression.exp)
    if isinstance(expression, sp.Indexed):
        (index,) = expression.indices
        at = sp.Integer(int(rational(index, point)))
        if expression.base[at] in point:
            return rational(expression.base[at], point)
    if isinstance(expression, sp.Sum) and len(expression.limits) == 1:
        index, low, high = expression.limits[0]
        members = range(int(rational(low, point)), int(rational(high, point)) + 1)
        inside = dict(point)
        total = Fraction(0)
        for number in members:
            inside[index] = sp.Integer(number)
            total += rational(expression.function, inside)
        return total
    raise _Irrational
