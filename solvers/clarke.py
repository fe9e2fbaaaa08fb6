"""Clarke payments of an integer program, with a certificate for each of the optima behind them.

    p_i = W_−i − Σ_{j≠i} v_j(x)

is what bidder i's presence costs the others. It takes the optimum x, so that W is reached, and the
optimum W_−i of the program in which i's bids are held at 0: each has a certificate of its own that
shows its value w and a bound b, w ≤ W ≤ b. So, for the allocation x that is given,

    w_−i − Σ_{j≠i} v_j(x)  ≤  p_i  ≤  b_−i − Σ_{j≠i} v_j(x),

an interval that is a point where the bound is met. Bidders who win nothing pay nothing.

Sources: Clarke, "Multipart pricing of public goods" (1971); see `certificate` and `tree`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from solvers.certificate import ROUNDING, Checked, check
from solvers.program import Program

__all__ = ["Pivots", "intervals"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pivots:
    """optimum: the certificate of the allocation, `Linear` or `Tree` over bids; without: bidder ->
    that of the program without its bids, for whoever wins; bidder (bids,): whose bid it is;
    payments (bidders,)."""

    optimum: Any
    without: Mapping[int, Any]
    bidder: np.ndarray
    payments: np.ndarray


def intervals(certificate: Pivots) -> tuple[np.ndarray, np.ndarray]:
    """(low, high), each (bidders,): between which the payments lie, by the certificates alone.

    −inf and inf for a winner whose optimum nothing certifies.
    """
    low, high = (np.zeros(len(certificate.payments)) for _ in range(2))
    program, x = certificate.optimum.program, _point(certificate.optimum)
    for i in _winners(certificate):
        shown = check(certificate.without[i]) if i in certificate.without else None
        if shown is None or not shown.holds or not _is_without(certificate, i):
            low[i], high[i] = -np.inf, np.inf
            continue
        kept = (certificate.bidder != i) & (x > 0)
        others = sum((Fraction(v) for v in program.objective[kept].tolist()), Fraction(0))
        low[i], high[i] = (float(Fraction(end) - others) for end in (shown.value, shown.bound))
    return low, high


@check.register
def _(certificate: Pivots, *, tolerance: float = 1e-9) -> Checked:
    found = check(certificate.optimum, tolerance=tolerance)
    reasons = [found.reason] if found.reason else []
    exact = found.exact
    if len(certificate.bidder) != len(certificate.optimum.program.objective):
        named, bids = len(certificate.bidder), len(certificate.optimum.program.objective)
        return replace(found, holds=False, reason=f"{named} bidders are named for {bids} bids")
    for i in _winners(certificate):
        if i not in certificate.without:
            reasons.append(f"nothing shows the optimum without bidder {i}")
            continue
        shown = check(certificate.without[i], tolerance=tolerance)
        exact = exact and shown.exact
        if not shown.holds:
            reasons.append(f"without bidder {i}, {shown.reason}")
        elif not _is_without(certificate, i):
            reasons.append(f"the program without bidder {i} is another one")
    if not reasons:
        low, high = intervals(certificate)
        paid = np.asarray(certificate.payments, dtype=float)
        size = float(np.abs(certificate.optimum.program.objective) @ _point(certificate.optimum))
        room = (tolerance + ROUNDING) * size
        # NaN is outside.
        outside = ~((paid >= low - room) & (paid <= high + room))
        reasons += [
            f"bidder {i} pays {paid[i]:.6g} and not {low[i]:.6g} to {high[i]:.6g}"
            for i in np.flatnonzero(outside)
        ]
    return replace(found, holds=not reasons, exact=exact, reason="; ".join(reasons))


def _point(certificate: Any) -> np.ndarray:
    return np.asarray(certificate.x, dtype=float)


def _winners(certificate: Pivots) -> list[int]:
    won = _point(certificate.optimum) > 0
    return sorted({int(i) for i in certificate.bidder[won]})


def _is_without(certificate: Pivots, i: int) -> bool:
    """Whether the program without i is that of all, but that i's bids are held at 0."""
    whole: Program = certificate.optimum.program
    rest: Program = certificate.without[i].program
    same = all(
        np.array_equal(getattr(whole, name), getattr(rest, name))
        for name in ("objective", "row_low", "row_high", "low", "whole")
    )
    held = np.where(certificate.bidder == i, 0.0, whole.high)
    return bool(
        same
        and whole.exact == rest.exact
        and whole.matrix.shape == rest.matrix.shape
        and (whole.matrix != rest.matrix).nnz == 0
        and np.array_equal(held, rest.high)
    )
