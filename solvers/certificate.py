"""Certificates: from what is written down here alone, is the allocation as good as any?

A certificate holds the data of a problem, a feasible solution, and dual values. `check` computes
everything again from these, with no solver and none of the algorithms that found them: that the
solution is feasible, what it is worth, and a bound that no feasible solution exceeds. Whether value
and bound meet is then arithmetic. In rationals it is exact, and the gap of a linear program is 0.

Each kind of certificate is a record, and registers how it is checked with `check.register`.

    kind             data and dual values                                        in
    Linear           a program, a point, row multipliers                         certificate
    Tree             an integer program, a point, a tree of branches whose
                     leaves carry multipliers                                    tree
    Pivots           an optimum, and that without each winner; the payments      clarke
    Clearing         separate markets, a price for each                          prices
    Assignment       values of agents for items, a price for each item           prices
    Matching         gains of pairs, a price for each seller                     prices
    Project          values of a project and its cost                            prices
    Stages           a dynamic program's value function                          prices
    PriceProof       values of bundles of quanta, a lottery, three prices        price_proof
    Prices           divisible resources, a price for each, and tangents of
                     concave utilities that have no closed form                  divisible
    BatchPrices      many such problems at once                                  divisions
    MarginalRevenue  priors, and polygons below and above their revenue curves   marginal
    Regions          a game, a commitment, multipliers for each reply            regions
    Pure             a game, a single action to commit to                        commitment
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import singledispatch
from typing import Any

import numpy as np

from solvers.optimum import Optimum, Status, relative_gap
from solvers.program import Program, bound, exact_bound, exact_value, leaning, terms, violation

__all__ = ["Checked", "Linear", "certified", "check", "verdict"]

# What float additions lose, relative to the sum of the absolute values of the terms.
ROUNDING = 2.0**-48
# How far a point may lie beyond a side, relative to the terms that meet there.
FEASIBILITY = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True)
class Checked:
    """What a check found.

    holds: the solution is feasible, and value and bound meet within the tolerance. value, bound:
    numbers or (batch,). gap: relative, the largest of a batch. exact: nothing was rounded.
    reason: what failed, "" where nothing did.
    """

    holds: bool
    value: Any
    bound: Any
    gap: Any
    exact: bool
    reason: str = ""


@singledispatch
def check(certificate: Any, *, tolerance: float = 1e-9) -> Checked:
    """Recompute value, bound and feasibility from the certificate alone.

    tolerance: the relative gap up to which `holds` is said, whatever the size of the dual values;
    in exact arithmetic look at `gap`, which is 0 for a proof. Arrays that do not fit together give
    no value. Raises TypeError for an unknown record.
    """
    raise TypeError(
        f"{type(certificate).__name__} is no certificate that solvers.check knows; "
        "give the `certificate` of an Optimum"
    )


def verdict(
    value: Any,
    bound: Any,
    faults: Sequence[tuple[Any, str]],
    *,
    exact: bool,
    tolerance: float,
    apart: Any = None,
) -> Checked:
    """Compare value and bound, after the faults: (holds, what is wrong otherwise).

    apart: bound − value, where that is known without the cancellation of the two.
    """
    reasons = [what for ok, what in faults if not np.all(ok)]
    if value is None:
        reasons = reasons or ["the point is not feasible"]
        gap: Any = float("inf")
    else:
        gap = relative_gap(value, bound)
        v, b = np.asarray(value), np.asarray(bound)
        # A Fraction stays one: it may be beyond what floats hold.
        slack = (Fraction(tolerance) if exact else tolerance) * np.maximum(np.abs(v), np.abs(b))
        finite = np.all((b > -np.inf) & (b < np.inf))
        if not finite:
            reasons.append("the dual values give no bound")
        else:
            between = b - v if apart is None else np.asarray(apart)
            if not np.all(np.abs(between) <= slack):
                reasons.append(
                    f"value and bound differ by {float(gap):.3g} of their size"
                    if np.all(between >= -slack)
                    else "the value exceeds the bound: data and solution do not belong together"
                )
    return Checked(
        holds=not reasons, value=value, bound=bound, gap=gap, exact=exact, reason="; ".join(reasons)
    )


def certified(
    certificate: Any,
    *,
    allocation: np.ndarray | None,
    method: str,
    seconds: float = 0.0,
    notes: tuple[str, ...] = (),
) -> Optimum:
    """An Optimum whose value, bound and status are what `check` finds, not what a solver says."""
    found = check(certificate)
    value = found.value
    status = Status.OPTIMAL if found.holds else Status.FEASIBLE
    if value is None:
        status = Status.UNSOLVED
    return Optimum(
        value=value,
        bound=found.bound,
        status=status,
        allocation=allocation,
        certificate=certificate,
        method=method,
        seconds=seconds,
        notes=(*notes, found.reason) if found.reason else notes,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Linear:
    """A program, a point x (n,) and row multipliers y (m,); Fractions for an exact certificate.

    Where some variables are whole, the bound is that of the relaxation, which may lie above.
    """

    program: Program
    x: Any
    y: Any


@check.register
def _(certificate: Linear, *, tolerance: float = 1e-9) -> Checked:
    program, x, y = certificate.program, certificate.x, certificate.y
    m, n = program.matrix.shape
    shapes = [
        (np.shape(x) == (n,), f"x has shape {np.shape(x)} and the program {n} columns"),
        (np.shape(y) == (m,), f"y has shape {np.shape(y)} and the program {m} rows"),
    ]
    if not all(ok for ok, _ in shapes):
        return verdict(None, np.inf, shapes, exact=False, tolerance=tolerance)
    if all(isinstance(v, Fraction | int) for v in [*x, *y]):
        return verdict(
            exact_value(program, x), exact_bound(program, y), [], exact=True, tolerance=tolerance
        )
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        faults = [(False, "x or y holds NaN or an infinity")]
        return verdict(None, np.inf, faults, exact=False, tolerance=tolerance)
    value, most, apart = float((program.objective * x).sum()), bound(program, y), None
    lost = ROUNDING * (np.abs(program.objective * x).sum() + terms(program, y))
    if not lost <= tolerance / 2 * max(abs(value), abs(most)):
        # Multipliers so large that they cancel, or a value that does: Fractions decide.
        worth, limit = _rationally(program, x, y)
        value, most, apart = float(worth), float(limit), float(limit - worth)
    strays = violation(program, x)
    return verdict(
        value,
        most,
        [(strays <= FEASIBILITY, f"x breaks a constraint by {strays:.3g} of its size")],
        exact=False,
        tolerance=tolerance,
        apart=apart,
    )


def _rationally(program: Program, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
    """Value and bound of floats as the rationals that they are; x may stray by rounding."""
    floats = replace(program, exact={})
    worth = sum(
        (Fraction(c) * Fraction(v) for c, v in zip(program.objective.tolist(), x.tolist())),  # noqa: B905
        Fraction(0),
    )
    return worth, exact_bound(floats, leaning(program, y).tolist())
