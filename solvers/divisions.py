"""Many divisions of resources at once: the problem of `divisible` for batches of instances.

    maximise Σ_i β_i (1 − exp(−ξ_i·s_i))   subject to   Σ_i s_i ≤ 1,   s ≥ 0     in every instance

Instances walk the central path of `interior` together, β and ξ of their own each, and so do the N
problems without one bidder that Clarke's payments need. As there, a value is that of a feasible
allocation, and a bound that of prices, D(λ) = Σ_r λ_r + Σ_i max_{s ≥ 0} u_i(s) − λ·s, by weak
duality; nothing of the path is believed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers.interior import best_response_surplus, path
from solvers.optimum import Optimum, Status, relative_gap
from solvers.utilities import numbers

__all__ = ["BatchPrices", "divisions"]

CELLS = 1_000_000  # numbers in one array of a batch of problems
TOLERANCE = 1e-12
GAP = 1e-7


@dataclass(frozen=True, eq=False)
class BatchPrices:
    """A certificate: prices (batch, R) ≥ 0 at which no division of one unit of each resource beats
    `bound()`, (batch,)."""

    heights: np.ndarray
    rates: np.ndarray
    prices: np.ndarray

    def bound(self) -> np.ndarray:
        leaves = best_response_surplus(self.heights, self.rates.swapaxes(1, 2), self.prices)
        return np.asarray(self.prices.sum(axis=-1) + leaves.sum(axis=-1))


def divisions(heights: Any, rates: Any, *, payments: bool = False) -> Optimum:
    """The best divisions of R resources, one unit of each, among N bidders, in a batch.

    heights β (batch, N) ≥ 0 in money; rates ξ (batch, N, R) ≥ 0 per unit. payments: Clarke's, too.

    Returns value and bound (batch,), allocation (batch, N, R) of shares, payments (batch, N)
    (positive: the bidder pays) and the certificate `BatchPrices`; status OPTIMAL where every gap is
    at most 1e-7, relative. Payments are known to about 1e-9 of the welfare.

    Raises ValueError for numbers that are negative or not finite, shapes that do not match, and an
    instance in which nobody wants anything.
    """
    started = time.monotonic()
    beta, xi = numbers("heights", heights, (2,)), numbers("rates", rates, (3,))
    if xi.shape[:2] != beta.shape or not xi.size:
        raise ValueError(
            f"heights have shape {beta.shape} and rates {xi.shape}; give (batch, N) and "
            "(batch, N, R), none of them 0"
        )
    wants = (beta[..., None] * xi).any(axis=(1, 2))
    if not wants.all():
        raise ValueError(
            f"nobody wants anything in instance {int(np.argmin(wants))}; give each instance a "
            "bidder with a positive height and rate"
        )
    (batch, agents), resources = beta.shape, xi.shape[2]
    xi = np.ascontiguousarray(xi.swapaxes(1, 2))
    top = beta.max(axis=1)
    beta = beta / top[:, None]
    value, bound = np.empty(batch), np.empty(batch)
    shares, prices = np.empty((batch, agents, resources)), np.empty((batch, resources))
    for some in _parts(batch, agents * resources):
        found = path(beta[some], xi[some], tolerance=TOLERANCE)
        value[some], bound[some] = found.value * top[some], found.bound * top[some]
        shares[some] = found.shares.swapaxes(1, 2)
        prices[some] = found.prices * top[some][:, None]
    bound = np.maximum(value, bound)
    optimal = relative_gap(value, bound) <= GAP
    return Optimum(
        value=value,
        bound=bound,
        status=Status.OPTIMAL if optimal else Status.FEASIBLE,
        allocation=shares,
        payments=_clarke(beta, xi, shares) * top[:, None] if payments else None,
        certificate=BatchPrices(np.asarray(heights, float), np.asarray(rates, float), prices),
        method="interior point, Newton steps in the prices",
        seconds=time.monotonic() - started,
    )


def _parts(count: int, cells: int) -> list[np.ndarray]:
    return np.array_split(np.arange(count), -(-count // max(1, CELLS // cells)))


def _clarke(beta: np.ndarray, xi: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """W(without i) − Σ_{j≠i} u_j(s_j), (batch, N)."""
    batch, agents = beta.shape
    worth = beta * -np.expm1(-(xi * shares.swapaxes(1, 2)).sum(axis=1))
    without = np.zeros(batch * agents)
    row, gone = np.divmod(np.arange(batch * agents), agents)
    # Where nobody else wants anything, there is nothing to solve.
    wants = (beta[:, None] * xi).any(axis=1)
    left = wants.sum(axis=1)[row] > wants[row, gone]
    solved = np.flatnonzero(left)
    for part in _parts(len(solved), xi[0].size) if len(solved) else []:
        some = solved[part]
        rest = beta[row[some]]
        rest[np.arange(len(some)), gone[some]] = 0.0
        without[some] = path(rest, xi[row[some]], tolerance=TOLERANCE).value
    others = worth.sum(axis=1, keepdims=True) - worth
    return np.maximum(0.0, without.reshape(batch, agents) - others)
