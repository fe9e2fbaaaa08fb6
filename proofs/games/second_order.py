"""Second order conditions: is a utility concave in the player's own decisions?

A twice differentiable utility is concave on a convex set iff its Hessian H is negative
semidefinite there, and strictly concave if H is negative definite, which holds iff all leading
principal minors of -H are positive (Sylvester); all principal minors of -H nonnegative: negative
semidefinite. The minors' signs are decided under the assumptions and within the player's bounds,
so that a stationary point is a global and not only a local maximum. That needs a utility without
poles in there: -1/x² bends down on both sides of 0, and is not concave across it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import sympy as sp

from proofs.games.domains import Domain
from proofs.games.factors import NEGATIVE, NONNEGATIVE, NONPOSITIVE, POSITIVE
from proofs.games.signs import Verdict, decide, proved
from proofs.games.solution import Fact
from proofs.games.sums import named


def concave(
    name: str, utility: sp.Expr, variables: Sequence[sp.Basic], domain: Domain
) -> tuple[Fact, bool]:
    """Is the utility concave in the variables, and (second) strictly so?"""
    minus = -sp.hessian(utility, list(variables)) if len(variables) > 1 else None
    own = ", ".join(str(v) for v in variables)
    if minus is None:
        second = sp.factor(sp.together(-sp.diff(utility, variables[0], 2)))
        leading = all_minors = [second]
    else:
        minus = minus.applyfunc(lambda e: sp.factor(sp.together(e)))
        size = len(variables)
        leading = [sp.factor(minus[:k, :k].det()) for k in range(1, size + 1)]
        all_minors = [
            sp.factor(minus.extract(list(rows), list(rows)).det())
            for k in range(1, size + 1)
            for rows in combinations(range(size), k)
        ]
    strictly = f"the utility of {name} is strictly concave in {own}"
    statement = f"the utility of {name} is concave in {own}"
    pole = _pole(utility, variables, domain)
    found = [decide(minor, POSITIVE, domain) for minor in leading]
    if pole is None and all(verdict.holds for verdict in found):
        return Fact(strictly, True, _how(found, "positive", leading)), True
    weak = [decide(minor, NONNEGATIVE, domain) for minor in all_minors]
    if pole is None and all(verdict.holds for verdict in weak):
        return Fact(statement, True, _how(weak, "nonnegative", all_minors)), False
    refuted = next((v for v in weak if v.holds is False), None)
    if refuted is not None:
        minor = all_minors[weak.index(refuted)]
        return Fact(
            statement, False, f"a principal minor of -H, {minor}, is negative", refuted.at
        ), False
    if pole is not None:
        return Fact(statement, None, f"its denominator {pole} is not shown to keep one sign"), False
    return Fact(statement, None, "the sign of a principal minor of -H is undecided"), False


def _pole(utility: sp.Expr, variables: Sequence[sp.Basic], domain: Domain) -> sp.Expr | None:
    """A denominator that may be zero between feasible decisions; at their border it does no harm.

    What is affine and of one sign is zero at the border alone, or everywhere.
    """
    for power in sorted(utility.atoms(sp.Pow), key=sp.default_sort_key):
        if not (power.exp.is_Integer and power.exp < 0 and power.base.has(*variables)):
            continue
        for factor in sp.Mul.make_args(sp.factor(power.base)):
            base = factor.as_base_exp()[0]
            if not base.has(*variables):
                continue
            affine = all(sp.diff(base, x, y) == 0 for x in variables for y in variables)
            some = (NONNEGATIVE, NONPOSITIVE) if affine else (POSITIVE, NEGATIVE)
            if not any(proved(base, wanted, domain) for wanted in some):
                return base
    return None


def _how(found: Sequence[Verdict], sign: str, minors: Sequence[sp.Expr]) -> str:
    tools = " and ".join(sorted({verdict.how for verdict in found}))
    subject = "-d²U/dx²" if len(minors) == 1 else "principal minors of -H"
    return (
        f"{subject} {sign}: {', '.join(str(named(m, sp.Symbol('j'))) for m in minors)} (by {tools})"
    )
