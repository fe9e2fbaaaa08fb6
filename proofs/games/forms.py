"""Forms of expressions: factored, for signs, and neat, for people."""

from __future__ import annotations

import sympy as sp


def factored(expression: sp.Expr) -> sp.Expr:
    """Factored over a common denominator, with roots of positive symbols as generators."""
    powers: dict[sp.Basic, int] = {}
    for power in expression.atoms(sp.Pow):
        if power.base.is_positive and power.exp.is_Rational and not power.base.is_number:
            powers[power.base] = int(sp.ilcm(powers.get(power.base, 1), power.exp.q))
    roots = {x: sp.Dummy(positive=True) for x, degree in powers.items() if degree > 1}
    if not roots:
        return sp.factor(sp.together(expression))
    inside = expression.subs({x: root ** powers[x] for x, root in roots.items()})
    found = sp.factor(sp.together(sp.powdenest(inside)))
    return found.subs({root: x ** sp.Rational(1, powers[x]) for x, root in roots.items()})


def neat(value: sp.Expr) -> sp.Expr:
    """Factored, without a needless leading minus."""
    found = factored(value)
    coefficient, rest = found.as_coeff_Mul()
    factors = list(sp.Mul.make_args(rest))
    for k, factor in enumerate(factors):
        if coefficient.is_negative and isinstance(factor, sp.Add):
            return sp.Mul(-coefficient, *factors[:k], -factor, *factors[k + 1 :])
    return found
