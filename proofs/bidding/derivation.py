"""The derivation of a symmetric equilibrium in SymPy, step by step, within a limit of time.

See `equilibrium` for the mathematics. What SymPy does not find in time is None, never a guess.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from proofs.bidding.question import Problem
from proofs.limits import TimeIsUp, forget, time_limit

__all__ = ["BidStep", "Limit", "derived", "lowest_type", "solves"]


@dataclass(frozen=True)
class BidStep:
    """One step of the derivation: a sentence and its formulas, for printing."""

    title: str
    text: str
    formulas: tuple[Any, ...] = ()


def derived(
    problem: Problem, limit: Limit
) -> tuple[Any | None, Any | None, tuple[BidStep, ...], tuple[str, ...]]:
    """(b or None, s or None, steps, notes). The work is done in x = v − low > 0 and k = n − 1."""
    import sympy as sp

    p, n, first = problem.prior, problem.bidders, problem.auction == "first-price"
    v, w = p.value, sp.Symbol("w")
    b, cdf, area = (sp.Function(name) for name in ("b", "F", "A"))
    chance = cdf(v) ** (n - 1)
    utility = (v - b(w)) * cdf(w) ** (n - 1) if first else v * cdf(w) ** (n - 1) - b(w)
    density = cdf(v).diff(v)
    equation = (
        sp.Eq(b(v).diff(v) * cdf(v) / ((n - 1) * density) + b(v), v)
        if first
        else sp.Eq(b(v).diff(v), v * (n - 1) * cdf(v) ** (n - 2) * density)
    )
    c = sp.Symbol("C")
    general = v - (area(v) + c) / chance if first else v * chance - area(v) - c
    s = problem.start()
    steps = [
        BidStep("prior", "values are drawn from F", (sp.Eq(cdf(v), p.cdf),)),
        BidStep("expected utility", "of a type v that bids like the type w", (utility,)),
        BidStep("first order condition", "at w = v",
                (sp.Eq(utility.diff(w).subs(w, v).doit(), 0),)),
        BidStep("differential equation", "the same, solved for the bids", (equation,)),
        BidStep("general solution", "A' = F^(n−1), C any constant", (sp.Eq(b(v), general),)),
    ]  # fmt: skip
    notes: list[str] = []
    if s is None:
        s = limit(lowest_type, problem)
        if s is None:
            notes.append("the lowest type that bids solves s G(s) = r, without a closed form")
    lowest = sp.Symbol("s") if s is None else s
    boundary = (
        sp.Eq(b(lowest), lowest if first else (problem.reserve or sp.S.Zero)),
        sp.Eq(c, -area(lowest)),
    )
    steps.append(BidStep("boundary condition", "the lowest type that bids, s, expects nothing",
                         boundary))  # fmt: skip
    found = None if s is None else limit(_solution, problem, s)
    if found is None:
        notes.append("SymPy found no closed form: the integral is evaluated numerically")
    else:
        steps.append(BidStep("bid function", f"for {v} ≥ {s}", (sp.Eq(b(v), found),)))
    slope = (v - w) * sp.Function("G")(w).diff(w)
    steps.append(
        BidStep("second order condition",
                "the slope of utility in w is (v − w) G'(w): it rises up to w = v and falls after, "
                "so the first order condition is sufficient where f > 0; and b increases",
                (slope,))
    )  # fmt: skip
    return found, s, tuple(steps), (*notes, *limit.notes)


def _shifted(problem: Problem) -> tuple[Any, Any, Any, Callable[[Any], Any], Callable[[Any], Any]]:
    """(x, k, F(low + x), there, back): an expression in v and n is taken there and back, and the
    length of the support is a symbol > 0 if its end is one."""
    import sympy as sp

    p = problem.prior
    x, k = sp.Dummy("x", positive=True), sp.Dummy("k", positive=True, integer=True)
    length = sp.Dummy("l", positive=True)
    counted = isinstance(problem.bidders, sp.Symbol)
    power = k if counted else problem.bidders - 1

    def there(expression: Any) -> Any:
        shifted = expression.subs(p.value, p.low + x)
        if isinstance(p.high, sp.Symbol):
            shifted = shifted.subs(p.high, p.low + length)
        return shifted.subs(problem.bidders, k + 1) if counted else shifted

    def back(expression: Any) -> Any:
        given = expression.subs(k, problem.bidders - 1).subs(x, p.value - p.low)
        return given.subs(length, p.high - p.low)

    return x, power, sp.simplify(there(p.cdf)), there, back


def _solution(problem: Problem, s: Any) -> Any | None:
    """b in closed form; None where the integral has none that SymPy finds."""
    import sympy as sp

    p = problem.prior
    x, k, cdf, _, back = _shifted(problem)
    chance = sp.powsimp(sp.expand_power_base(cdf**k))
    area = sp.integrate(chance, x)
    if area.has(sp.Integral):
        area = sp.integrate(sp.expand(chance), x)
    if area.has(sp.Integral, sp.nan, sp.zoo):
        return None
    if problem.reserve is None:
        lowest = area.subs(x, 0)
        if lowest.has(sp.nan, sp.zoo, sp.oo):
            lowest = sp.limit(area, x, 0, "+")
        from_start = area - lowest
        if problem.auction == "first-price":
            return sp.factor_terms(sp.simplify(back(sp.simplify(p.low + x - from_start / chance))))
        return sp.simplify(back(sp.simplify((p.low + x) * chance - from_start)))
    from_start = back(area) - back(area).subs(p.value, s)
    chance = back(chance)
    first = problem.auction == "first-price"
    found = p.value - from_start / chance if first else p.value * chance - from_start
    return sp.simplify(found)


def lowest_type(problem: Problem) -> Any | None:
    """s with s G(s) = r, where everybody pays."""
    import sympy as sp

    p = problem.prior
    x, k, cdf, _, back = _shifted(problem)
    roots = sp.solve(sp.Eq((p.low + x) * sp.powsimp(cdf**k), problem.reserve), x)
    if len(roots) != 1:
        return None
    found = back(roots[0]) + p.low
    return sp.simplify(found)


def solves(problem: Problem, claim: Any, start: Any | None, limit: Limit) -> bool:
    """Whether SymPy shows that the claim solves the equation and the boundary condition."""
    if claim is None:
        return False
    return bool(limit(_residual_is_zero, problem, claim, start))


def _residual_is_zero(problem: Problem, claim: Any, start: Any | None) -> bool:
    import sympy as sp

    p, first = problem.prior, problem.auction == "first-price"
    x, k, cdf, there, _ = _shifted(problem)
    b, f = there(claim), cdf.diff(x)
    if first:
        residual = b.diff(x) * cdf + k * f * (b - (p.low + x))
    else:
        residual = b.diff(x) - (p.low + x) * k * cdf ** (k - 1) * f
    if sp.simplify(sp.powsimp(sp.expand(sp.simplify(residual)), force=False)) != 0:
        return False
    if start is None:
        return False
    if problem.reserve is None:
        wanted, at = (p.low if first else sp.S.Zero), sp.limit(b, x, 0, "+")
    else:
        wanted, at = problem.reserve, claim.subs(p.value, start)
    return bool(sp.simplify(at - wanted) == 0)


@dataclass(eq=False)
class Limit:
    """Calls a function for at most the seconds that are left; None where it takes longer or SymPy
    raises; `notes` say why there was no answer."""

    seconds: float
    notes: list[str] = field(default_factory=list)

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any | None:
        started = time.monotonic()
        try:
            if not self.seconds > 0:
                raise TimeIsUp
            with time_limit(self.seconds):
                return function(*arguments)
        except TimeIsUp:
            forget()
            self.notes.append("the seconds for SymPy were over")
        except Exception as error:
            self.notes.append(f"SymPy raised {type(error).__name__}: {error}")
        finally:
            self.seconds -= time.monotonic() - started
        return None
