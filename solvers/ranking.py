"""Welfare of advertising positions.

    maximise Σ_i Σ_s v_i r_s x_is   subject to   Σ_s x_is ≤ 1 for each i,   Σ_i x_is ≤ 1 for each s,

with a value v_i for a click and click rates r_1 ≥ r_2 ≥ … ≥ 0. The rearrangement inequality puts
the highest value first. At the prices

    q_s = Σ_{t ≥ s} (r_t − r_{t+1}) v_(t+1),   r beyond the last position 0,

nobody prefers another position; they are the lowest such prices and the VCG payments. Who values a
click at less than 0 is not shown.

Source: Edelman, Ostrovsky & Schwarz, "Internet advertising and the generalized second-price
auction" (2007); Varian, "Position auctions" (2007).
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from solvers import prices
from solvers.arrays import numbers
from solvers.certificate import certified
from solvers.optimum import Optimum

__all__ = ["falling_rates", "model", "position_prices", "positions"]


def positions(values: Any, rates: Any) -> Optimum:
    """Who is best shown where. values (..., agents): value for a click; rates (positions,): clicks.

    allocation (..., agents, positions) 0/1; ties go to the lowest index. The certificate is a
    price for each position, in money for a round. Raises ValueError where rates rise or are < 0.
    """
    started = time.perf_counter()
    v, r = numbers(values, 1, "values"), falling_rates(rates)
    order = np.argsort(-v, axis=-1, kind="stable")[..., : len(r)]
    shown = np.take_along_axis(v, order, axis=-1) > 0
    allocation = np.zeros((*v.shape, len(r)), dtype=np.int64)
    placed = (order[..., None, :] == np.arange(v.shape[-1])[:, None]) & shown[..., None, :]
    allocation[..., : order.shape[-1]] = placed
    return certified(
        prices.Assignment(
            values=v[..., None] * r, allocation=allocation, prices=position_prices(v, r)
        ),
        allocation=allocation,
        method="the highest value first, with the prices of positions",
        seconds=time.perf_counter() - started,
    )


def falling_rates(rates: Any) -> np.ndarray:
    r = numbers(rates, 1, "rates")
    if r.ndim != 1 or (r < 0).any() or (r[1:] > r[:-1]).any():
        raise ValueError(
            f"rates = {r.tolist()}: expected numbers ≥ 0 that do not increase, one for each "
            "position; sort the positions by their clicks"
        )
    return r


def position_prices(v: np.ndarray, r: np.ndarray) -> np.ndarray:
    """q_s for each position, (..., positions)."""
    slots = len(r)
    ranked = -np.sort(-prices.positive(v), axis=-1)[..., 1 : slots + 1]
    short = slots - ranked.shape[-1]
    following = np.concatenate([ranked, np.zeros((*v.shape[:-1], short), dtype=v.dtype)], axis=-1)
    steps = following * np.concatenate([r[:-1] - r[1:], r[-1:]])
    return np.cumsum(steps[..., ::-1], axis=-1)[..., ::-1]


def model(values: Any, rates: Any) -> Any:
    """The program above in Pyomo, for one instance: values (agents,)."""
    from solvers.assignment import model as assignment_model

    v, r = numbers(values, 1, "values"), falling_rates(rates)
    return assignment_model(v[:, None] * r)
