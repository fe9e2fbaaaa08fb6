"""SymPy formulas as NumPy functions, for many games and many candidate decisions at once.

Numbers live in arrays of three axes, (games, members, candidates), each of full length or 1. A
symbol is (games, 1, 1), `w[i]` of a family is (games, members, 1), and a sum over all members is a
sum along the second axis; so fifty followers cost one NumPy call and not fifty. Where a member's
own decision is a candidate and everybody else's stays, a sum is the others' share plus the own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from sympy.core.relational import Relational

Array = NDArray[Any]
Arrays = Mapping[sp.Basic, Array]
"""Numbers by symbol, and by `IndexedBase` for those with one value for each member."""

_SPECIAL = (sp.erf, sp.erfc, sp.erfinv, sp.gamma, sp.loggamma, sp.beta, sp.polygamma, sp.LambertW)


class Unaligned(ValueError):
    """A formula whose indices do not run over the members of one family at a time."""


class Formula:
    """An expression, and how to evaluate it on arrays; `index` is the member's own."""

    def __init__(self, expression: sp.Expr, index: sp.Symbol | None = None) -> None:
        self.expression = sp.sympify(expression)
        self.index = index
        self.sums: list[tuple[sp.Symbol, Formula, sp.Expr]] = []
        rest = self._without_sums(self.expression)
        if rest.has(sp.zoo, sp.nan):
            rest = sp.nan
        self.names: list[sp.Basic] = []
        places: dict[sp.Basic, sp.Symbol] = {}
        for atom in sorted(rest.atoms(sp.Indexed), key=str):
            (position,) = atom.indices if len(atom.indices) == 1 else (None,)
            if position is None or not (position == index or position.is_Integer):
                raise Unaligned(f"the index of {atom} is neither a member's own nor a number")
            places[atom] = sp.Dummy()
        rest = rest.xreplace(places)
        if index is not None and index in rest.free_symbols:
            raise Unaligned(f"{expression} has the number {index} of a member in it")
        own = {d for d, _, _ in self.sums} | set(places.values())
        for symbol in sorted(rest.free_symbols - own, key=str):
            places[symbol] = sp.Dummy()
        self.names = list(places)
        rest = rest.xreplace(places)
        order = [*places.values(), *(d for d, _, _ in self.sums)]
        # Loading the functions of SciPy takes its time, and few formulas have any.
        modules = ["scipy", "numpy"] if rest.has(*_SPECIAL) else "numpy"
        self._call = sp.lambdify(order, rest, modules, cse=True)

    def _without_sums(self, expression: sp.Basic) -> Any:
        """The expression with its outermost sums replaced by names."""
        if isinstance(expression, sp.Sum):
            if len(expression.limits) != 1 or expression.limits[0][1] != 1:
                raise Unaligned(f"{expression} does not run over the members from 1")
            j, _, last = expression.limits[0]
            if self.index is not None and self.index != j and expression.has(self.index):
                raise Unaligned(f"{expression} has the index {self.index} of another member in it")
            name = sp.Dummy()
            self.sums.append((name, Formula(expression.function, j), last))
            return name
        if not expression.has(sp.Sum):
            return expression  # built anew, a Min would compare its arguments again
        return expression.func(*(self._without_sums(a) for a in expression.args))

    def uses(self, symbol: sp.Basic) -> bool:
        base = symbol.base if isinstance(symbol, sp.Indexed) else symbol
        return bool(self.expression.has(base))

    def __call__(self, at: Arrays, own: Arrays | None = None) -> Array:
        """The value, (games, members, candidates); own: candidate decisions of each member.

        Where the candidates are the first member's alone, (games, 1, candidates), so is the value.
        """
        own = own or {}
        taken = [self._value(name, at, own) for name in self.names]
        for _, body, last in self.sums:
            taken.append(self._summed(body, last, at, own))
        with np.errstate(all="ignore"):
            found = np.asarray(self._call(*taken))
            if np.iscomplexobj(found):
                found = np.where(found.imag == 0, found.real, np.nan)
            return _three(found.astype(np.float64))

    def _value(self, name: sp.Basic, at: Arrays, own: Arrays) -> Array:
        if name in own:
            return own[name]
        if isinstance(name, sp.Indexed) and name not in at:
            position = name.indices[0]
            if name.base in own and position == self.index:
                return own[name.base]
            if position != self.index:
                return _member(at, name)
            return at[name.base][:, :1] if _first_only(own) else at[name.base]
        if name not in at:
            raise KeyError(f"{name} has no value")
        return at[name]

    def _summed(self, body: Formula, last: sp.Expr, at: Arrays, own: Arrays) -> Array:
        shared = [base for base in own if body.uses(base)]
        count = _count(last, at)
        # A member's term may be infinite, and the rest of the sum then is no number.
        with np.errstate(all="ignore"):
            before = body(at)
            old = _total(before, count)
            if not shared:
                return old
            if not all(isinstance(base, sp.IndexedBase) for base in shared):
                return _total(body(at, own), count)
            return old - (before[:, :1] if _first_only(own) else before) + body(at, own)


@lru_cache(maxsize=512)
def compiled(expression: sp.Expr, index: sp.Symbol | None = None) -> Formula:
    """A formula that may recur: the value of a regime is compared with that of every other one."""
    return Formula(expression, index)


@dataclass(frozen=True)
class Slack:
    """How far a relation holds: the larger side minus the smaller; for an equation, -|difference|.

    `scale` is the size of the terms of both sides, against which rounding is measured.
    """

    relation: Relational
    left: Formula
    right: Formula
    sizes: tuple[Formula, Formula]

    def __call__(self, at: Arrays, own: Arrays | None = None) -> tuple[Array, Array]:
        left, right = self.left(at, own), self.right(at, own)
        with np.errstate(all="ignore"):
            scale = 1e-300 + self.sizes[0](at, own) + self.sizes[1](at, own)
            if isinstance(self.relation, sp.Eq):
                return -np.abs(left - right), scale
            if isinstance(self.relation, sp.Ne):
                return np.abs(left - right), scale
            return left - right, scale


def slack(relation: Relational, index: sp.Symbol | None = None) -> Slack:
    """A relation in numbers. `<` and `≤` differ on the boundary alone and are one here."""
    if isinstance(relation, sp.Eq | sp.Ne):
        left, right = relation.lhs, relation.rhs
    else:
        left, right = relation.gts, relation.lts
    sides = (left, right)
    sizes = [
        sp.Add(*(sp.Abs(term, evaluate=False) for term in sp.Add.make_args(side))) for side in sides
    ]
    one, other, *both = (compiled(each, index) for each in (*sides, *sizes))
    return Slack(relation, one, other, (both[0], both[1]))


class Condition:
    """A Boolean formula as a margin: positive inside, negative outside, rounding near 0.

    The margin of a relation is its slack over the size of its sides; of a conjunction the least.
    """

    def __init__(self, when: Any, index: sp.Symbol | None = None) -> None:
        self.when = sp.sympify(when)
        self.leaves: dict[sp.Basic, Slack] = {}
        self.index = index
        self._collect(self.when)

    def _collect(self, when: Any) -> None:
        if when in (sp.true, sp.false):
            return
        if isinstance(when, Relational):
            self.leaves[when] = slack(when, self.index)
        elif isinstance(when, sp.And | sp.Or | sp.Not):
            for part in when.args:
                self._collect(part)
        else:
            raise ValueError(f"the condition {when} is made of something other than relations")

    def __call__(self, at: Arrays) -> Array:
        """(games,): the worst over members, where the condition is about each."""
        found = self._margin(self.when, at)
        return found.min(axis=(1, 2))

    def _margin(self, when: Any, at: Arrays) -> Array:
        if when in (sp.true, sp.false):
            size = max((len(v) for v in at.values()), default=1)
            return np.full((size, 1, 1), np.inf if when is sp.true else -np.inf)
        if isinstance(when, sp.And):
            return np.minimum.reduce(np.broadcast_arrays(*(self._margin(w, at) for w in when.args)))
        if isinstance(when, sp.Or):
            return np.maximum.reduce(np.broadcast_arrays(*(self._margin(w, at) for w in when.args)))
        if isinstance(when, sp.Not):
            return -self._margin(when.args[0], at)
        gap, scale = self.leaves[when](at)
        return np.where(np.isnan(gap), -np.inf, gap / scale)


def arrays(values: Sequence[Mapping[Any, Any]]) -> dict[sp.Basic, Array]:
    """Many draws as arrays; `w[1]`, `w[2]`, … together are the array of the base `w`."""
    found: dict[sp.Basic, Array] = {}
    indexed: dict[sp.Basic, int] = {}
    for symbol in values[0]:
        if isinstance(symbol, sp.Indexed):
            indexed[symbol.base] = max(indexed.get(symbol.base, 0), int(symbol.indices[0]))
        else:
            found[symbol] = np.array([float(v[symbol]) for v in values])[:, None, None]
    for base, size in indexed.items():
        rows = [[float(v[base[k]]) for k in range(1, size + 1)] for v in values]
        found[base] = np.array(rows)[:, :, None]
    return found


def rows(at: Arrays, chosen: Any) -> dict[sp.Basic, Array]:
    """The games that are chosen, by a mask or by numbers."""
    return {symbol: value[chosen] for symbol, value in at.items()}


def _member(at: Arrays, name: sp.Indexed) -> Array:
    k = int(name.indices[0])
    if name.base not in at or k > at[name.base].shape[1]:
        raise KeyError(f"{name} has no value")
    return at[name.base][:, k - 1 : k, :]


def _count(last: sp.Expr, at: Arrays) -> Any:
    return int(last) if last.is_Integer else Formula(last)(at)


def _first_only(own: Arrays) -> bool:
    return any(isinstance(s, sp.IndexedBase) and v.shape[1] == 1 for s, v in own.items())


def _total(body: Array, count: Any) -> Array:
    """The sum over members of what each contributes, or of what is the same for each."""
    if body.shape[1] == 1:
        return np.asarray(count * body)
    if np.any(body.shape[1] != np.asarray(count)):
        raise Unaligned(f"a sum to {count} of a family with {body.shape[1]} members")
    return body.sum(axis=1, keepdims=True)


def _three(value: Array) -> Array:
    return value if value.ndim == 3 else value.reshape((1, 1, 1))
