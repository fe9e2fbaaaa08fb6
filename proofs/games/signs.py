"""The sign of an expression wherever the assumptions hold: proved, refuted or undecided.

A `Domain` is a set of reals: symbols in intervals, and relations among them. To prove a sign,
every symbol is written as its bound plus a number of known sign (a > c becomes a = c + t, t > 0;
a relation that gives a symbol no bound is kept for Z3), the expression is factored, and a factor
whose monomials all have one sign has that sign. Where this fails, Z3 is asked about the factor
over the reals (nonlinear real arithmetic, decided by cylindrical algebraic decomposition: Jovanović
& de Moura 2012), with every non-polynomial term taken for an arbitrary number of its sign. Both
prove the claim on a larger set, so "proved" is sound. A refutation is a point of the domain, drawn
in rationals, at which the sign is otherwise.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import exp, log, prod
from typing import Any

import sympy as sp
from sympy.core.relational import Relational

from proofs.games.forms import factored

Signs = frozenset[int]
"""The signs that an expression may have, out of -1, 0 and 1."""

ANY: Signs = frozenset({-1, 0, 1})
POSITIVE: Signs = frozenset({1})
NEGATIVE: Signs = frozenset({-1})
NONNEGATIVE: Signs = frozenset({0, 1})
NONPOSITIVE: Signs = frozenset({-1, 0})
_ZERO: Signs = frozenset({0})
_TRIES = 60
_MILLISECONDS = 1000


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
        """The part in which relations hold too; an expression e stands for e ≥ 0."""
        pairs: list[tuple[sp.Expr, Signs]] = []
        for relation in relations:
            pairs += _pairs(relation)
        return replace(self, relations=(*self.relations, *pairs))

    def adding(self, ranges: Mapping[sp.Basic, Range]) -> Domain:
        return replace(self, ranges={**self.ranges, **ranges})

    @cached_property
    def shifts(self) -> tuple[dict[sp.Basic, sp.Expr], tuple[sp.Expr, ...]]:
        """Symbols in terms of numbers of known sign, and the relations that are not used up."""
        return _shifts(self)


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
    if _unsatisfiable(expression, ANY - wanted, domain):
        return Verdict(True, "Z3, real arithmetic")
    return Verdict(None, "neither proved nor refuted at any point that was tried")


def proved(expression: sp.Expr, wanted: Signs, domain: Domain) -> bool:
    """As `decide`, where nothing is made of a refutation or where it is."""
    if signs(expression, domain) <= wanted:
        return True
    for point in points(domain, [expression], tries=12):
        if likely_sign(expression, point) not in wanted:
            return False
    return _unsatisfiable(expression, ANY - wanted, domain)


def empty(domain: Domain, *, seed: int = 0) -> Verdict:
    """Is there no point in the domain (True), or which one is there (False)?"""
    for relation, allowed in domain.relations:
        if not signs(relation, replace(domain, relations=())) & allowed:
            return Verdict(True, f"{relation} is never as assumed")
    for point in points(domain, [], seed=seed):
        return Verdict(False, "a point of the domain", point)
    if _unsatisfiable(sp.Integer(1), POSITIVE, domain):
        return Verdict(True, "Z3, real arithmetic")
    return Verdict(None, "no point was found, and none was ruled out")


# --- Proof by signs ------------------------------------------------------------------------------


def signs(expression: sp.Expr, domain: Domain) -> Signs:
    """The signs that an expression can be shown to be confined to."""
    substitution, _ = domain.shifts
    found = _signs(_written(expression, substitution))
    # A closed interval [l, h] is written l + (h - l) t/(1 + t), which leaves h out.
    for symbol, span in domain.ranges.items():
        if span.closed and span.low.is_finite and span.high.is_finite and expression.has(symbol):
            found |= signs(expression.subs(symbol, span.high), _without(domain, symbol))
    return found


def _without(domain: Domain, symbol: sp.Basic) -> Domain:
    kept = {s: span for s, span in domain.ranges.items() if s != symbol}
    end = domain.ranges[symbol].high
    return Domain(kept, tuple((e.subs(symbol, end), allowed) for e, allowed in domain.relations))


def _written(expression: sp.Expr, substitution: Mapping[sp.Basic, sp.Expr]) -> sp.Expr:
    for old, new in substitution.items():
        expression = expression.subs(old, new)
    return expression


def _signs(expression: sp.Expr) -> Signs:
    quick = _assumed(expression)
    if quick != ANY:
        return quick
    with suppress(sp.PolynomialError):
        expression = factored(expression)
    found = POSITIVE
    for factor in sp.Mul.make_args(expression):
        found = _product(found, _factor_signs(factor))
    return found


def _factor_signs(factor: sp.Expr) -> Signs:
    quick = _assumed(factor)
    if quick != ANY:
        return quick
    if isinstance(factor, sp.Pow) and factor.exp.is_Rational:
        base = _factor_signs(factor.base)
        if factor.exp.is_Integer and factor.exp % 2 == 0:
            return NONNEGATIVE if 0 in base and factor.exp > 0 else POSITIVE
        if factor.exp.is_Integer:
            return base if factor.exp > 0 else base - _ZERO or base
        return base if base <= NONNEGATIVE and factor.exp > 0 else ANY
    if isinstance(factor, sp.log):
        return _signs(factor.args[0] - 1)
    if isinstance(factor, sp.Sum):
        return _signs(factor.function)
    if isinstance(factor, sp.Add):
        return _sum_signs(factor)
    if isinstance(factor, sp.Mul):
        return _signs(factor)
    return ANY


def _sum_signs(total: sp.Add) -> Signs:
    try:
        poly = sp.Poly(total)
    except sp.PolynomialError:
        return _added(_signs(term) if term != total else ANY for term in total.args)
    of = {generator: _factor_signs(generator) for generator in poly.gens}
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
        return _ZERO
    if expression.is_nonnegative:
        return NONNEGATIVE
    if expression.is_nonpositive:
        return NONPOSITIVE
    return ANY


# --- Symbols as bounds plus numbers of known sign ------------------------------------------------


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
        eliminated = _eliminated(_written(relation, substitution), allowed)
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
        if slope.has(symbol) or not _signs(slope) <= (POSITIVE if 1 in _signs(slope) else NEGATIVE):
            continue
        base = sp.expand(-relation.subs(symbol, 0) / slope)
        value = base + rest / slope
        if symbol.is_nonnegative is None and symbol.is_real:
            return symbol, value
        if symbol.is_nonnegative and _signs(base) <= NONNEGATIVE and _signs(slope) == POSITIVE:
            return symbol, value
    return None


# --- Points of the domain ------------------------------------------------------------------------


def points(
    domain: Domain, about: Iterable[sp.Basic], *, seed: int = 0, tries: int = _TRIES
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
    for _ in range(tries):
        point = _drawn(sorted(symbols, key=str), substitution, domain, rng)
        if point is None:
            continue
        sizes = {s: int(members.subs(point)) for s, members in indices.items()}
        for base in bases:
            span = domain.ranges.get(base, Range())
            for k in range(1, max(sizes.values(), default=6) + 1):
                point[base[k]] = _number(span, rng)
        if all(_everywhere(e, allowed, point, sizes) for e, allowed in domain.relations):
            yield point | {s: sp.Integer(rng.randint(1, size)) for s, size in sizes.items()}


def _everywhere(
    relation: sp.Expr, allowed: Signs, point: dict[sp.Basic, Any], sizes: Mapping[sp.Basic, int]
) -> bool:
    """The relation holds at a point, for every member if it is about one."""
    about = [s for s in sizes if relation.has(s)]
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
    written = {s: _written(s, substitution) for s in symbols}
    free = sorted(set().union(*(e.free_symbols for e in written.values())), key=str)
    drawn = {t: _number(Range(sp.S.Zero if t.is_nonnegative else -sp.oo), rng) for t in free}
    point: dict[sp.Basic, Any] = {}
    for symbol, expression in written.items():
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
    if isinstance(expression, sp.Symbol | sp.Indexed) and expression in point:
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


def _pairs(relation: Relational | sp.Expr) -> list[tuple[sp.Expr, Signs]]:
    if relation in (True, sp.true):
        return []
    if relation in (False, sp.false):
        return [(sp.Integer(-1), POSITIVE)]
    if isinstance(relation, sp.Eq):
        return [(relation.lhs - relation.rhs, _ZERO)]
    if isinstance(relation, sp.Ne):
        return []
    if isinstance(relation, Relational):
        strict = isinstance(relation, sp.Gt | sp.Lt)
        return [(relation.gts - relation.lts, POSITIVE if strict else NONNEGATIVE)]
    return [(relation, NONNEGATIVE)]


# --- Z3 ------------------------------------------------------------------------------------------


def _unsatisfiable(expression: sp.Expr, unwanted: Signs, domain: Domain) -> bool:
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
            sides.extend(_z3_sides(names[term], _factor_signs(term), span))
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
