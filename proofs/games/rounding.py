"""How much of a value in floats is rounding: running error analysis, on the formula itself.

With every operation rounded to a relative ε, the error of a value is at most ε E to first order,

    E(x) = |x|,   E(u + v) = E(u) + E(v),   E(u v) = |u| E(v) + |v| E(u),
    E(f(u)) = |f'(u)| E(u) + |f(u)|

(Wilkinson 1963; Higham 2002, §3.3). So E is the size of the terms that meet in a value, and not of
the value: for w log(1 + x) − p x it is at least w where the value is 0. E has the units of the
value, so that a game whose utilities are all a billionth of another's is judged as that one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from proofs.games.formulas import Array, Arrays, Formula

UNIT = 2.0**-53


class Rounding:
    """E of an expression, as a function of the same arrays; its formula is built when needed."""

    def __init__(self, expression: sp.Expr, index: sp.Symbol | None = None) -> None:
        self._expression, self._index = expression, index
        self._formula: Formula | None = None

    def __call__(self, at: Arrays, own: Arrays | None = None) -> Array:
        """An absolute error, ε E; 0 where E is not a number (the square root's at 0)."""
        if self._formula is None:
            self._formula = Formula(error(self._expression), self._index)
        with np.errstate(all="ignore"):
            found = self._formula(at, own)
            return np.nan_to_num(UNIT * found, nan=0.0, posinf=0.0, neginf=0.0)


def error(node: Any) -> sp.Expr:
    """E of an expression, symbolically."""
    if node.is_number or node.is_Symbol or isinstance(node, sp.Indexed):
        return _size(node)
    if isinstance(node, sp.Add | sp.Max | sp.Min):
        return sp.Add(*map(error, node.args))
    if isinstance(node, sp.Sum):
        return sp.Sum(error(node.function), *node.limits)
    if isinstance(node, sp.Mul):
        return sp.Add(
            *(
                sp.Mul(*map(_size, node.args[:k]), error(factor), *map(_size, node.args[k + 1 :]))
                for k, factor in enumerate(node.args)
                if not factor.is_number or len(node.args) == 1
            )
        )
    if isinstance(node, sp.Piecewise):
        return sp.Piecewise(*((error(value), when) for value, when in node.args))
    if isinstance(node, sp.Pow):
        base, power = node.args
        found = _size(node) + _size(power * base ** (power - 1)) * error(base)
        if not power.is_number:
            found += _size(node * sp.log(base)) * error(power)
        return found
    if isinstance(node, sp.Function):
        names = [sp.Dummy() for _ in node.args]
        outer = node.func(*names)
        found = _size(node)
        for name, inner in zip(names, node.args, strict=True):
            slope = sp.diff(outer, name)
            if not slope.has(sp.Derivative, sp.DiracDelta, sp.Subs):
                found += _size(slope.xreplace(dict(zip(names, node.args, strict=True)))) * error(
                    inner
                )
        return found
    return _size(node)


def _size(expression: sp.Expr) -> sp.Expr:
    return expression if expression.is_nonnegative else sp.Abs(expression, evaluate=False)
