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
    Prices           concave utilities, shares, a price for each resource        divisible
    MarginalRevenue  priors, and polygons below and above their revenue curves   marginal
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import singledispatch
from typing import Any

import numpy as np

from solvers.optimum import Optimum, Status, relative_gap
from solvers.program import Program, bound, exact_bound, exact_value, violation

__all__ = ["Checked", "Linear", "certified", "check", "verdict"]

# What float additions lose, relative to the sum of the absolute values of the terms.
ROUNDING = 2.0**-48
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

    tolerance: the relative gap up to which `holds` is said, beside what float additions lose; in
    exact arithmetic look at `gap`, which is 0 for a proof. Raises TypeError for an unknown record.
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
    magnitude: Any = 0,
) -> Checked:
    """Compare value and bound, after the faults: (holds, what is wrong otherwise).

    magnitude: Σ |terms| of value and bound, to which rounding is relative; unused where exact.
    """
    reasons = [what for ok, what in faults if not np.all(ok)]
    if value is None:
        reasons = reasons or ["the point is not feasible"]
        gap: Any = float("inf")
        met = False
    else:
        gap = relative_gap(value, bound)
        v, b = np.asarray(value), np.asarray(bound)
        slack = tolerance * np.maximum(np.abs(v), np.abs(b))
        if not exact:
            slack = slack + ROUNDING * np.asarray(magnitude, dtype=float)
        finite = np.all((b > -np.inf) & (b < np.inf))
        met = bool(finite and np.all(np.abs(b - v) <= slack))
        if not met:
            over = bool(np.all(v <= b + slack)) if finite else True
            reasons.append(
                f"value and bound differ by {float(gap):.3g} of their size"
                if over and finite
                else "the dual values give no bound"
                if not finite
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
        (len(x) == n, f"x has {len(x)} entries and the program {n} columns"),
        (len(y) == m, f"y has {len(y)} entries and the program {m} rows"),
    ]
    exact = all(isinstance(v, Fraction | int) for v in [*x, *y])
    if not all(ok for ok, _ in shapes):
        return verdict(None, np.inf, shapes, exact=exact, tolerance=tolerance)
    if exact:
        return verdict(
            exact_value(program, x), exact_bound(program, y), [], exact=True, tolerance=tolerance
        )
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    terms = program.objective * x
    reach = np.abs(program.matrix) @ np.abs(x)
    faults = [
        (np.isfinite(x).all() and np.isfinite(y).all(), "x or y holds NaN or an infinity"),
        (
            (broken := violation(program, x)) <= FEASIBILITY,
            f"x breaks a constraint by {broken:.3g} of its size",
        ),
    ]
    return verdict(
        float(terms.sum()),
        bound(program, y),
        faults,
        exact=False,
        tolerance=tolerance,
        magnitude=np.abs(terms).sum() + np.abs(y) @ reach,
    )
