"""Saturating utilities over shared resources: an interior point whose Newton step is in the prices.

    maximise Σ_i β_i (1 − exp(−ξ_i·s_i))   subject to   Σ_i s_i + y = 1,   s ≥ 0,   y ≥ 0

(s_i: what bidder i gets of R resources; y: what is left). With λ the prices of the resources and z
the multipliers of s ≥ 0, g_i = β_i exp(−ξ_i·s_i) ξ_i, a point is optimal iff

    g_i − λ + z_i = 0,   s z = 0,   y λ = 0   (all of it ≥ 0)

and the central path has s z = y λ = μ. The Hessian of bidder i is h ξ ξᵀ with h = β exp(−ξ·s): a
Newton step for given dλ is K_i ds_i = g_i − λ + μ/s_i − dλ with K_i = h ξ ξᵀ + diag(z/s), solved by
Sherman and Morrison's formula; the capacities then leave a system of R equations for dλ. So a step
costs O(N R) in array operations, whatever N. Many instances are solved at once; where they differ
in β alone, as for Clarke payments, ξ is there once.

Nothing here is believed: the caller computes the value from s and the bound from λ.

Sources: Wright, *Primal-Dual Interior-Point Methods* (1997); Low & Lapsley, "Optimization flow
control, I" (1999), for the dual in the prices.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

__all__ = ["Interior", "best_response_surplus", "path"]

ROUNDS = 200  # steps; 10 to 20 are usual
STALLED = 5  # steps in a row that bring no gap down: rounding has the last word


@dataclass(frozen=True, eq=False, kw_only=True)
class Interior:
    """The best feasible shares (batch, R, N), with their value (batch,), and the prices
    (batch, R) with the lowest bound (batch,); stopped: whether time ran out."""

    shares: np.ndarray
    prices: np.ndarray
    value: np.ndarray
    bound: np.ndarray
    steps: int
    stopped: bool


def best_response_surplus(beta: np.ndarray, xi: np.ndarray, prices: np.ndarray) -> np.ndarray:
    """max_{s ≥ 0} β (1 − exp(−ξ·s)) − λ·s of every bidder, (..., N); ≥ 0.

    beta (..., N), xi (..., R, N), prices (..., R) ≥ 0. Only t = ξ·s matters, and a unit of it costs
    c = min_r λ_r/ξ_r: the best t is log(β/c) where c < β, else 0, so that the surplus is
    β − c − c log(β/c).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = np.where(xi > 0, prices[..., None] / xi, np.inf).min(axis=-2)
        buys = cost < beta
        cost = np.where(buys, cost, 0.0)
        ratio = np.where(cost > 0, cost / beta, 1.0)
    return np.where(buys, beta - cost + cost * np.log(ratio), 0.0)


def path(
    beta: np.ndarray, xi: np.ndarray, *, tolerance: float, seconds: float | None = None
) -> Interior:
    """Follow the central path until the gap is at most the tolerance (relative) in every instance.

    beta: (batch, N) ≥ 0, at most about 1, some of it > 0 in each instance; xi: (R, N) or
    (batch, R, N) ≥ 0; capacities are 1. Shares are scaled down to the capacities where rounding
    left them above.
    """
    started = time.monotonic()
    batch, agents = beta.shape
    resources = xi.shape[-2]
    s = np.full((batch, resources, agents), 1 / (agents + 1))
    y = np.full((batch, resources), 1 / (agents + 1))
    slopes = beta[:, None] * np.exp(-(xi * s).sum(axis=1, keepdims=True)) * xi
    lam = slopes.max(axis=-1)
    lam = 1.1 * lam + 1e-3 * lam.max(axis=-1, keepdims=True) + np.finfo(float).tiny
    z = lam[..., None] - slopes
    best = _Best(s, lam)
    sigma = np.full(batch, 0.3)
    diagonal = np.arange(resources)
    steps = stalled = 0
    while True:
        h = beta * np.exp(-(xi * s).sum(axis=1))
        moved = best.offer(beta, xi, s, lam)
        small = (best.bound - best.value <= 1e-9 * best.bound).all()
        stalled = stalled + 1 if small and not moved else 0
        late = seconds is not None and time.monotonic() - started > seconds
        close = (best.bound - best.value <= tolerance * best.bound).all()
        if close or late or stalled == STALLED or steps == ROUNDS:
            break
        steps += 1
        mu = sigma * ((s * z).sum(axis=(1, 2)) + (y * lam).sum(axis=1))
        mu /= resources * (agents + 1)
        d = z / s
        p = xi / d
        e = xi * p
        q = e.sum(axis=1, keepdims=True)
        dense = h[:, None] / (1 + h[:, None] * q)
        matrix = -(p * dense) @ p.transpose(0, 2, 1)
        # 1/d − h ξ²/d²/(1 + h q), written without the cancellation.
        inverse = (1 + h[:, None] * (q - e)) / (1 + h[:, None] * q) / d
        matrix[:, diagonal, diagonal] = inverse.sum(axis=-1) + y / lam
        push = h[:, None] * xi - lam[..., None] + mu[:, None, None] / s
        shift = (push - xi * (dense * (p * push).sum(axis=1, keepdims=True))) / d
        missing = 1 - s.sum(axis=-1) - y
        right = shift.sum(axis=-1) + mu[:, None] / lam - y - missing
        scale = np.sqrt(matrix[:, diagonal, diagonal])
        matrix /= scale[:, :, None] * scale[:, None, :]
        try:
            dlam = np.linalg.solve(matrix, (right / scale)[..., None])[..., 0] / scale
        except np.linalg.LinAlgError:
            break  # what was best stands, with its gap
        push -= dlam[..., None]
        ds = (push - xi * (dense * (p * push).sum(axis=1, keepdims=True))) / d
        dz = (mu[:, None, None] - s * z - z * ds) / s
        dy = (mu[:, None] - y * lam - y * dlam) / lam
        primal = np.minimum(_step(s, ds, (1, 2)), _step(y, dy, (1,)))
        dual = np.minimum(_step(z, dz, (1, 2)), _step(lam, dlam, (1,)))
        s += primal[:, None, None] * ds
        y += primal[:, None] * dy
        z += dual[:, None, None] * dz
        lam += dual[:, None] * dlam
        if not (np.isfinite(lam).all() and np.isfinite(s).all()):
            break
        sigma = np.clip((1 - np.minimum(primal, dual)) ** 2, 0.02, 0.5)
    return Interior(
        shares=best.s,
        prices=best.lam,
        value=best.value,
        bound=best.bound,
        steps=steps,
        stopped=late,
    )


def _step(x: np.ndarray, dx: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """The longest step, up to 1, that keeps x positive, a little short of its end."""
    worst = (-dx / x).max(axis=axes)
    return np.where(worst > 0.995, 0.995 / np.maximum(worst, 0.995), 1.0)


class _Best:
    """The best value and the lowest bound on the way, each with where it was found."""

    def __init__(self, s: np.ndarray, lam: np.ndarray) -> None:
        self.s, self.lam = np.zeros_like(s), lam.copy()
        self.value = np.zeros(len(s))
        self.bound = np.full(len(s), np.inf)

    def offer(self, beta: np.ndarray, xi: np.ndarray, s: np.ndarray, lam: np.ndarray) -> bool:
        """Keep what is better; whether some gap fell by a tenth."""
        before = self.bound - self.value
        feasible = s / np.maximum(1.0, s.sum(axis=-1, keepdims=True))
        value = (beta * -np.expm1(-(xi * feasible).sum(axis=1))).sum(axis=-1)
        bound = lam.sum(axis=-1) + best_response_surplus(beta, xi, lam).sum(axis=-1)
        better, lower = value > self.value, bound < self.bound
        self.s[better], self.value[better] = feasible[better], value[better]
        self.lam[lower], self.bound[lower] = lam[lower], bound[lower]
        return bool((self.bound - self.value < 0.9 * before).any())
