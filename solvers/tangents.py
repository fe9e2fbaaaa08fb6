"""Concave utilities without a closed form, and what prices leave of them at most: tangents.

A concave u lies below its tangents. With points p_k, slopes g_k of u there, and weights w_k ≥ 0
that add to one,

    u(s) ≤ Σ_k w_k (u(p_k) + g_k·(s − p_k)) = a + g·s,
    max over 0 ≤ s ≤ C of u(s) − λ·s  ≤  a + Σ_r C_r max(0, g_r − λ_r).

So points and weights prove a bound, and to check it one needs u and its slopes at these points.
They come from Kelley's cutting planes: the largest s of the least tangent is the next point, and
the multipliers of the tangents there are the weights. The first points lie about the shares of a
solution, where tangents on both sides average to a slope of λ and lose only what u bends between.

Source: Kelley, "The cutting-plane method for solving convex programs" (1960).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers.conic import cvxpy

__all__ = ["Tangents", "Utility", "leaves", "tangents"]

ROUNDS = 40
# Points about the start, as shares of the capacities.
ABOUT = (1e-3, 1e-5)
# A slope that does not exist at an edge (a root at 0) is taken so far inside.
INSIDE = 1e-9
# What rounding may lift a utility above its own tangents, relative to both.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Tangents:
    """For one bidder: points (k, R) between 0 and the capacities, and weights (k,) ≥ 0."""

    points: np.ndarray
    weights: np.ndarray


class Utility:
    """u and its slopes by CVXPY's arithmetic, which solves nothing."""

    def __init__(self, function: Callable[[Any], Any], resources: int) -> None:
        cp = cvxpy()
        self._shares = cp.Variable(resources)
        self._u = function(self._shares)
        self.concave = bool(isinstance(self._u, cp.Expression) and self._u.is_concave())

    def at(self, point: np.ndarray) -> tuple[float, np.ndarray] | None:
        """u and a slope (R,) at a point (R,), None where there is no finite one."""
        self._shares.value = np.asarray(point, dtype=float)
        with np.errstate(all="ignore"):
            try:
                steep = self._u.grad.get(self._shares, 0.0)
            except TypeError:  # CVXPY adds a slope to one that it does not have
                steep = None
            if steep is None:
                return None
            dense = steep.toarray() if hasattr(steep, "toarray") else np.asarray(steep)
            slope = np.broadcast_to(dense.ravel(), np.shape(point)).astype(float)
            value = float(np.asarray(self._u.value, dtype=float).reshape(()))
        return (value, slope) if np.isfinite(value) and np.isfinite(slope).all() else None


def leaves(utility: Utility, found: Tangents, prices: np.ndarray, capacities: np.ndarray) -> float:
    """The bound above, in money; inf where the tangents show none.

    A slope is CVXPY's word, so every tangent is compared with u at every other point: one that u
    exceeds is no tangent.
    """
    points, weights = np.asarray(found.points, float), np.asarray(found.weights, float)
    shaped = points.ndim == 2 and points.shape == (len(weights), len(capacities))
    if not (shaped and utility.concave and np.isfinite(points).all()):
        return np.inf
    if not ((weights >= 0).all() and 0 < weights.sum() < np.inf):
        return np.inf
    looked = [utility.at(p) for p in points]
    known = [k for k, look in enumerate(looked) if look is not None]
    if any(looked[k] is None for k in np.flatnonzero(weights)):
        return np.inf
    u = np.array([looked[k][0] for k in known])  # type: ignore[index]
    slopes = np.array([looked[k][1] for k in known])  # type: ignore[index]
    points, weights = points[known], weights[known] / weights.sum()
    lines = u[:, None] + slopes @ points.T - (slopes * points).sum(axis=1)[:, None]
    if (u > lines + ROUNDING * (np.abs(u) + np.abs(lines))).any():
        return np.inf
    net = slopes - prices
    constant = weights @ (u - (slopes * points).sum(axis=1))
    return float(constant + capacities @ np.maximum(0.0, weights @ net))


def tangents(
    utility: Utility, prices: np.ndarray, capacities: np.ndarray, share: np.ndarray,
    *, within: float, deadline: float | None = None,
) -> Tangents:  # fmt: skip
    """Tangents whose bound is within so much money of the best; fewer at the deadline."""
    points: list[np.ndarray] = []
    cuts: list[tuple[float, np.ndarray]] = []

    # Where there is no slope at an edge. A tangent from beyond a capacity bounds as well, so a
    # resource without any is looked at close to 0.
    inside = np.where(capacities > 0, INSIDE * capacities, INSIDE**2 * capacities.max(initial=1.0))
    outside = np.where(capacities > 0, capacities - inside, inside)

    def add(point: np.ndarray) -> bool:
        point = np.clip(point, 0.0, capacities)
        look = utility.at(point)
        if look is None:
            point = np.clip(point, inside, outside)
            look = utility.at(point)
        if look is None or any((point == p).all() for p in points):
            return False
        points.append(point)
        cuts.append(look)
        return True

    if not add(share) and not add(capacities / 2):
        return Tangents(np.zeros((0, len(capacities))), np.zeros(0))
    about = [
        step * capacities * (np.arange(len(capacities)) == r)
        for r in np.flatnonzero(capacities)
        for step in ABOUT
    ]
    best, weights = np.inf, np.zeros(len(points))
    for k in range(ROUNDS):
        at = np.array(points)
        u = np.array([look[0] for look in cuts])
        slopes = np.array([look[1] for look in cuts])
        constants = u - (slopes * at).sum(axis=1)
        reached = float((u - at @ prices).max())
        solved = _least(constants - reached, (slopes - prices) * capacities)
        if solved is None:
            break
        share_of, above, multipliers = solved
        if above < best:
            best, weights = above, multipliers
        late = deadline is not None and time.monotonic() > deadline
        if above <= within or late:
            break
        found = [add(share + sign * d) for d in about for sign in (1, -1)] if not k else []
        if not (add(share_of * capacities) or any(found)):
            break
    if not weights.any():
        weights[0] = 1.0
    used = weights > 0
    return Tangents(np.array(points)[: len(weights)][used], weights[used])


def _least(constants: np.ndarray, slopes: np.ndarray) -> tuple[np.ndarray, float, Any] | None:
    """max over 0 ≤ z ≤ 1 of min_k (constants_k + slopes_k·z): (z, the bound of the multipliers,
    the multipliers)."""
    from scipy.optimize import linprog

    resources = slopes.shape[1]
    # HiGHS's tolerances are absolute: every tangent is seen in units of its own, money in those of
    # the flattest.
    sizes = np.maximum(np.abs(slopes).max(axis=1, initial=0.0), np.abs(constants))
    sizes = np.where(sizes > 0, sizes, sizes.max(initial=0.0) or 1.0)
    unit = float(sizes.min())
    found = linprog(
        np.append(np.zeros(resources), -1.0),
        A_ub=np.hstack([-slopes / sizes[:, None], unit / sizes[:, None]]),
        b_ub=constants / sizes,
        bounds=[(0.0, 1.0)] * resources + [(None, None)],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if found.status != 0:
        return None
    weights = np.maximum(0.0, -found.ineqlin.marginals) * unit / sizes
    weights[weights < 1e-12] = 0.0
    weights /= weights.sum() or 1.0
    value = weights @ constants + np.maximum(0.0, weights @ slopes).sum()
    return found.x[:-1], float(value), weights
