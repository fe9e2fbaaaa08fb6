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

from solvers.certificate import Checked, check, verdict
from solvers.interior import best_response_surplus, path
from solvers.optimum import Optimum, Status, relative_gap
from solvers.utilities import numbers

__all__ = ["BatchPrices", "divisions"]

CELLS = 1_000_000  # numbers in one array of a batch of problems
TOLERANCE = 1e-12
GAP, AGAIN = 1e-7, 1e-9
FEASIBLE = 1e-12  # by how much sums of shares may exceed one unit: rounding


@dataclass(frozen=True, eq=False)
class BatchPrices:
    """A certificate: shares (batch, N, R), and prices (batch, R) ≥ 0 at which no division of one
    unit of each resource beats `bound()`, (batch,). heights (batch, N), rates (batch, N, R)."""

    heights: np.ndarray
    rates: np.ndarray
    prices: np.ndarray
    shares: np.ndarray

    def bound(self) -> np.ndarray:
        leaves = best_response_surplus(self.heights, self.rates.swapaxes(1, 2), self.prices)
        return np.asarray(self.prices.sum(axis=-1) + leaves.sum(axis=-1))


@check.register
def _(certificate: BatchPrices, *, tolerance: float = GAP) -> Checked:
    """Value from the shares and bound from the prices, of every instance, to 1e-7 of its size."""
    heights, rates = certificate.heights, certificate.rates
    prices, shares = certificate.prices, certificate.shares
    fit = rates.ndim == 3 and heights.shape == rates.shape[:2] and shares.shape == rates.shape
    if not (fit and prices.shape == (rates.shape[0], rates.shape[2])):
        unfit = [(False, "heights, rates, prices and shares do not fit together")]
        return verdict(None, np.inf, unfit, exact=False, tolerance=tolerance)
    faults = [
        (np.isfinite(array).all() and (array >= 0).all(), f"{name}: negative, or no number")
        for name, array in (("rates", rates), ("prices", prices), ("shares", shares))
    ]
    faults.append((bool((shares.sum(axis=1) <= 1 + FEASIBLE).all()), "a resource is exceeded"))
    if not all(ok for ok, _ in faults):
        return verdict(None, np.inf, faults, exact=False, tolerance=tolerance)
    value = (heights * -np.expm1(-(rates * shares).sum(axis=2))).sum(axis=1)
    return verdict(value, certificate.bound(), faults, exact=False, tolerance=tolerance)


def divisions(heights: Any, rates: Any, *, payments: bool = False) -> Optimum:
    """The best divisions of R resources, one unit of each, among N bidders, in a batch.

    heights β (batch, N) ≥ 0 in money; rates ξ (batch, N, R) ≥ 0 per unit. payments: Clarke's, too.

    Returns value and bound (batch,), allocation (batch, N, R) of shares, payments (batch, N)
    (positive: the bidder pays) and the certificate `BatchPrices`; status OPTIMAL where every gap,
    those of the problems without one bidder too, is at most 1e-7 of the welfare.

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
    xi = np.ascontiguousarray(xi.swapaxes(1, 2))
    top = beta.max(axis=1)
    beta = beta / top[:, None]
    found = _solved(beta, xi, np.arange(len(beta)))
    shares = found.shares.swapaxes(1, 2)
    value, bound = found.value * top, np.maximum(found.value, found.bound) * top
    paid, gap = _clarke(beta, xi, shares) if payments else (None, 0.0)
    gap = max(gap, relative_gap(value, bound))
    notes = [f"a value, or a welfare without one bidder, has a gap of {gap:.2g}"]
    return Optimum(
        value=value,
        bound=bound,
        status=Status.OPTIMAL if gap <= GAP else Status.FEASIBLE,
        allocation=shares,
        payments=None if paid is None else paid * top[:, None],
        certificate=BatchPrices(
            np.asarray(heights, float),
            np.asarray(rates, float),
            found.prices * top[:, None],
            shares,
        ),
        method="interior point, Newton steps in the prices",
        seconds=time.monotonic() - started,
        notes=tuple(notes if gap > GAP else ()),
    )


@dataclass(frozen=True, eq=False)
class _Solved:
    """Shares (k, R, N), prices (k, R), value and bound (k,) of some problems."""

    shares: np.ndarray
    prices: np.ndarray
    value: np.ndarray
    bound: np.ndarray


def _solved(beta: np.ndarray, xi: np.ndarray, row: np.ndarray) -> _Solved:
    """Problems k with heights beta[k] and rates xi[row[k]]. In a batch one that is badly scaled
    ends the path for all: what is left open there is solved again, one at a time."""
    count, (resources, agents) = len(row), xi.shape[1:]
    shares, prices = np.empty((count, resources, agents)), np.empty((count, resources))
    value, bound = np.empty(count), np.empty(count)
    parts = -(-count * resources * agents // CELLS)
    with np.errstate(all="ignore"):  # what is not finite ends a path
        for some in np.array_split(np.arange(count), parts):
            found = path(beta[some], xi[row[some]], tolerance=TOLERANCE)
            shares[some], prices[some] = found.shares, found.prices
            value[some], bound[some] = found.value, found.bound
        for k in np.flatnonzero(bound - value > AGAIN * bound):
            found = path(beta[k : k + 1], xi[row[k : k + 1]], tolerance=TOLERANCE)
            if found.value[0] > value[k]:
                shares[k], value[k] = found.shares[0], found.value[0]
            if found.bound[0] < bound[k]:
                prices[k], bound[k] = found.prices[0], found.bound[0]
    return _Solved(shares, prices, value, bound)


def _clarke(beta: np.ndarray, xi: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, float]:
    """W(without i) − Σ_{j≠i} u_j(s_j), (batch, N), and the largest gap of a W, relative to the
    welfare of all."""
    batch, agents = beta.shape
    worth = beta * -np.expm1(-(xi * shares.swapaxes(1, 2)).sum(axis=1))
    row, gone = np.divmod(np.arange(batch * agents), agents)
    # Where nobody else wants anything, there is nothing to solve.
    wants = (beta[:, None] * xi).any(axis=1)
    left = np.flatnonzero(wants.sum(axis=1)[row] > wants[row, gone])
    without, gap = np.zeros(batch * agents), 0.0
    if len(left):
        rest = beta[row[left]]
        rest[np.arange(len(left)), gone[left]] = 0.0
        # Heights are at most about 1 for the path, whoever is gone.
        scale = rest.max(axis=1)
        found = _solved(rest / scale[:, None], xi, row[left])
        without[left] = found.value * scale
        gap = float(((found.bound - found.value) * scale / worth.sum(axis=1)[row[left]]).max())
    others = worth.sum(axis=1, keepdims=True) - worth
    return np.maximum(0.0, without.reshape(batch, agents) - others), gap
