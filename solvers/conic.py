"""The best division of resources as CVXPY writes it and Clarabel solves it.

    maximise Σ_i u_i(s_i)   subject to   Σ_i s_i ≤ C,   s ≥ 0

The multipliers of the capacities are the prices of the resources. Saturating utilities need the
exponential cone. A family of utilities writes its own u, as `expression`.

Sources: Diamond & Boyd, "CVXPY" (2016); Goulart & Chen, "Clarabel" (2024).
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

__all__ = ["Division", "cvxpy", "divide"]


class Division(RuntimeError):
    """Clarabel did not solve a program; the message says what it said."""


def divide(
    utilities: Any, capacities: np.ndarray, *, seconds: float | None = None
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Shares (N, R), made feasible, prices (R,) ≥ 0, as Clarabel sees them, and whether it ended by
    itself rather than at a limit.

    Clarabel's tolerances are absolute, so it sees money in units of what all of the utilities rise
    by from an empty to an equal division, and shares in units of the capacities; where it fails on
    these, in units of 1.
    """
    started = time.monotonic()
    try:
        return _divide(utilities, capacities, np.where(capacities > 0, capacities, 1.0), seconds)
    except Division:
        left = None if seconds is None else seconds - (time.monotonic() - started)
        return _divide(utilities, capacities, np.ones(len(capacities)), left)


def _divide(
    utilities: Any, capacities: np.ndarray, scale: np.ndarray, seconds: float | None
) -> tuple[np.ndarray, np.ndarray, bool]:
    cp = cvxpy()
    limits = capacities / scale
    parts = cp.Variable(utilities.shape, nonneg=True)
    room = cp.sum(parts, axis=0) <= limits
    u = utilities.expression(cp, cp.multiply(parts, np.broadcast_to(scale, utilities.shape)))
    unit = _unit(parts, u, limits)
    status = _solve(cp, cp.Problem(cp.Maximize(cp.sum(u) / unit), [room]), seconds)
    if parts.value is None:
        raise Division(f"Clarabel says {status}")
    found = np.maximum(parts.value, 0.0)
    total = found.sum(axis=0)
    found *= np.where(total > limits, limits / np.where(total > 0, total, 1.0), 1.0) * scale
    # Rounding may leave a sum above a capacity by an ulp or two.
    found[:, found.sum(axis=0) > capacities] *= 1 - 2.0**-50
    prices = np.zeros(len(capacities))
    if room.dual_value is not None:
        prices = np.maximum(np.atleast_1d(room.dual_value), 0.0) * unit / scale
    return found, prices, status != cp.settings.USER_LIMIT


def _unit(parts: Any, u: Any, limits: np.ndarray) -> float:
    def worth(part: float) -> Any:
        parts.value = np.broadcast_to(part * limits / parts.shape[0], parts.shape)
        with np.errstate(all="ignore"):
            return np.asarray(u.value, dtype=float)

    rise = np.abs(worth(1.0) - worth(1e-3))
    total = float(rise[np.isfinite(rise)].sum())
    return 2.0 ** int(np.frexp(total)[1]) if 0 < total < np.inf else 1.0


def _solve(cp: Any, problem: Any, seconds: float | None) -> str:
    options = {} if seconds is None else {"time_limit": max(float(seconds), 0.0)}
    try:
        with warnings.catch_warnings():
            # What is inaccurate is measured by the gap.
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")
            problem.solve(solver=cp.CLARABEL, **options)
    except cp.error.SolverError as error:
        raise Division(f"Clarabel gave up: {error}") from error
    if problem.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE, cp.settings.USER_LIMIT):
        raise Division(f"Clarabel says {problem.status}")
    return str(problem.status)


def cvxpy() -> Any:
    """The module cvxpy; ImportError, naming the extra, where it is missing."""
    try:
        import cvxpy as found
    except ImportError as error:
        raise ImportError(
            "cvxpy is needed for this solver and is not installed; "
            "install it: pip install 'mechkit-econ[solve]'",
            name=error.name,
        ) from error
    return found
