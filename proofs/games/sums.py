"""Sums over the members of a family, kept symbolic.

Σ_j (α + β w_j) is written n α + β Σ_j w_j, so that sums which are the same look the same, the
number n of members stays a symbol, and a sum of nothing but what does not depend on j is n times
it. A decision x[i] given as a formula in i is put into Σ_j f(x[j]) member by member.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

# A dummy, so that no index of a family is mistaken for it.
_J = sp.Dummy("j", integer=True, positive=True)


def canonical(expression: sp.Expr) -> sp.Expr:
    """Every sum with the index j, distributed over its terms, and without constant factors."""
    sums = sorted(expression.atoms(sp.Sum), key=sp.default_sort_key)
    if not sums:
        return expression
    written = {}
    for one in sums:
        if len(one.limits) == 1:
            index, low, high = one.limits[0]
            if low == 1:
                written[one] = summed(one.function.subs(index, _J), high)
    return expression.xreplace(written)


def named(expression: sp.Expr, index: sp.Symbol) -> sp.Expr:
    """The index of sums under a name that people read."""
    return expression.xreplace({_J: index})


def summed(term: sp.Expr, size: sp.Expr) -> sp.Expr:
    """Σ of a term in j for j = 1 … size."""
    total = sp.S.Zero
    for part in sp.Add.make_args(sp.expand(term)):
        constant, rest = part.as_independent(_J, as_Add=False)
        total += constant * (size if rest == 1 else sp.Sum(rest, (_J, 1, size)))
    return total


def member(term: sp.Expr, index: sp.Basic) -> sp.Expr:
    """A formula for the member `index`, as the term of a sum over j."""
    return term.subs(index, _J)


def put(
    expression: sp.Expr, decisions: Mapping[sp.Basic, sp.Expr], indices: Mapping[sp.Basic, sp.Basic]
) -> sp.Expr:
    """Put decisions in, those of a family for every member.

    indices: the index symbol by the base of a family's decisions.
    """
    written: dict[sp.Basic, sp.Expr] = {}
    plain: dict[sp.Basic, sp.Expr] = {}
    for x, value in decisions.items():
        if isinstance(x, sp.Indexed) and x.indices == (indices.get(x.base),):
            for atom in expression.atoms(sp.Indexed):
                if atom.base == x.base:
                    written[atom] = value.subs(indices[x.base], atom.indices[0])
        else:
            plain[x] = value
    if written:
        expression = canonical(expression.xreplace(written))
    return expression.subs(plain) if plain else expression


def apart(
    expressions: Sequence[sp.Expr], variables: Sequence[sp.Basic], index: sp.Basic
) -> tuple[list[sp.Expr], dict[sp.Basic, sp.Sum]]:
    """Sums over a family's decisions split into the member's own term and the rest.

    Returns the expressions with a symbol R for the rest of each such sum, and the sums by R.
    """
    rests: dict[sp.Basic, sp.Sum] = {}
    written: dict[sp.Basic, sp.Expr] = {}
    for one in sums_over(expressions, variables):
        known = {"nonnegative": True} if one.function.is_nonnegative else {"real": True}
        # Named by its sum: the same sum leaves the same rest in every regime.
        rest = sp.Symbol(f"the rest of {one}", **known)
        rests[rest] = one
        written[one] = rest + term(one, index)
    return [expression.xreplace(written) for expression in expressions], rests


def sums_over(expressions: Sequence[sp.Expr], variables: Sequence[sp.Basic]) -> list[sp.Sum]:
    """The sums over decisions of the families whose members decide `variables`."""
    bases = {x.base for x in variables if isinstance(x, sp.Indexed)}
    found: set[sp.Sum] = set()
    for expression in expressions:
        for one in expression.atoms(sp.Sum):
            if bases & {atom.base for atom in one.atoms(sp.Indexed)}:
                found.add(one)
    return sorted(found, key=sp.default_sort_key)


def term(total: sp.Sum, index: sp.Basic) -> sp.Expr:
    """What the member `index` adds to a sum."""
    return total.function.subs(_J, index)


def without(expression: sp.Expr, size: sp.Basic, index: sp.Basic) -> sp.Expr:
    """A formula in the number of members and in sums over them, for all but the member `index`."""
    written = {
        one: one - term(one, index) for one in expression.atoms(sp.Sum) if one.limits[0][2] == size
    }
    marks = {one: sp.Dummy() for one in written}
    expression = expression.xreplace(marks).subs(size, size - 1)
    return expression.xreplace({mark: written[one] for one, mark in marks.items()})
