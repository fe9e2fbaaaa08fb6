"""The best division of resources as CVXPY writes it and Clarabel solves it.

    maximise Σ_i u_i(s_i)   subject to   Σ_i s_i ≤ C,   s ≥ 0

The multipliers of the capacities are the prices of the resources. Saturating utilities need the
exponential cone. A family of utilities writes its own u, as `expression`.

Sources: Diamond & Boyd, "CVXPY" (2016); Goulart & Chen, "Clarabel" (2024).
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Division", "best_responses", "divide"]


class Division(RuntimeError):
    """Clarabel did not solve a program; the message says what it said."""


def divide(
    utilities: Any, capacities: np.ndarray, *, seconds: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Shares (N, R), made feasible, and prices (R,) ≥ 0, as Clarabel sees them."""
    cp = _cvxpy()
    shares = cp.Variable(utilities.shape, nonneg=True)
    room = cp.sum(shares, axis=0) <= capacities
    welfare = cp.sum(utilities.expression(cp, shares))
    _solve(cp, cp.Problem(cp.Maximize(welfare), [room]), seconds)
    found = np.maximum(shares.value, 0.0)
    total = found.sum(axis=0)
    found *= np.where(total > capacities, capacities / np.where(total > 0, total, 1.0), 1.0)
    return found, np.maximum(np.atleast_1d(room.dual_value), 0.0)


def best_responses(utilities: Any, prices: np.ndarray, capacities: np.ndarray) -> np.ndarray:
    """max over 0 ≤ s_i ≤ C of u_i(s_i) − λ·s_i for every bidder, (N,)."""
    cp = _cvxpy()
    shares = cp.Variable(utilities.shape, nonneg=True)
    gains = utilities.expression(cp, shares) - shares @ prices
    # The bidders do not interact, so one program answers for all.
    _solve(cp, cp.Problem(cp.Maximize(cp.sum(gains)), [shares <= capacities[None]]), None)
    return np.asarray(gains.value)


def _solve(cp: Any, problem: Any, seconds: float | None) -> None:
    options = {} if seconds is None else {"time_limit": float(seconds)}
    try:
        problem.solve(solver=cp.CLARABEL, **options)
    except cp.error.SolverError as error:
        raise Division(f"Clarabel gave up: {error}") from error
    if problem.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
        raise Division(f"Clarabel says {problem.status}")


def _cvxpy() -> Any:
    try:
        import cvxpy
    except ImportError as error:
        raise ImportError(
            "cvxpy is needed for this solver and is not installed; "
            "install it: pip install 'mechkit-econ[solve]'",
            name=error.name,
        ) from error
    return cvxpy
