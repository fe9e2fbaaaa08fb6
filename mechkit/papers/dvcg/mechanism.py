"""The rules: currency, loans, noise, interest and tax (eqs. 12–18), on any allocations.

With estimated utilities u, allocation s* that maximises Σ_j u_j, U*_j = u_j(s*_j) and SW* = Σ U*_j:

    F = Σ_j U*_j                       the pool of currency (12)
    K_i = F x_i / Σ_j x_j              loans (13)
    Δ = max(Σ_j x_j − SW*, 0) / N      the spread of the noise (16)
    s̃ = norm(s* + Δ z), z ~ N(0, I)    what is allocated (15)
    |K_i − U*_i|                       interest
    I_i = max_s Σ_{j≠i} u_j(s_j) − Σ_{j≠i} u_j(s̃_j)    what i costs the others (17)
    Z_i = α_i (I_i + |K_i − U*_i|)     tax (18)

A bid x_i moves loans and noise, and nothing else. All of it is plain NumPy over a batch, last axis
VSPs (then resources), and runs on floats, rationals and symbols.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mechkit.settings import Array


def loans(bids: Array, pool: Array) -> Array:
    """Eq. 13, (..., N): K_i = F x_i / Σ_j x_j; equal loans where nobody bids.

    bids (..., N) ≥ 0; pool (..., 1).
    """
    total = bids.sum(axis=-1, keepdims=True)
    some = total > 0
    return np.where(some, pool * bids / np.where(some, total, 1), pool / bids.shape[-1])


def spread(bids: Array, most: Array) -> Array:
    """Eq. 16, (..., 1): Δ = max(Σ_j x_j − SW*, 0) / N; most (..., 1): SW*."""
    return np.maximum(bids.sum(axis=-1, keepdims=True) - most, 0) / bids.shape[-1]


def norm(shares: Array) -> Array:
    """Eq. 15, (..., N, R): negative shares become 0, and a resource of which more than one unit
    would be given is divided by its sum."""
    kept = np.maximum(shares, 0)
    total = kept.sum(axis=-2, keepdims=True)
    return kept / np.where(total > 1, total, 1)


def interest(lent: Array, values: Array) -> Array:
    """|K_i − U*_i|, (..., N)."""
    return np.abs(lent - values)


def harm(without: Array, utilities: Array) -> Array:
    """Eq. 17, (..., N): I_i; without (..., N): max_s Σ_{j≠i} u_j(s_j); utilities (..., N): u(s̃)."""
    return without - (utilities.sum(axis=-1, keepdims=True) - utilities)


def tax(alpha: Any, harms: Array, interests: Array) -> Array:
    """Eq. 18, (..., N): Z_i = α_i (I_i + interest)."""
    return alpha * (harms + interests)


class Levied(NamedTuple):
    """What the bank lends and levies, each (..., N): K, |K − U*|, I and Z."""

    lent: Array
    interests: Array
    harms: Array
    taxes: Array


def levy(
    bids: Array,
    values: Array,
    without: Array,
    utilities: Array,
    *,
    alpha: Any = 1,
    with_interest: bool = True,
) -> Levied:
    """Eqs. 12, 13, 17 and 18 from the bids and what is estimated, each (..., N).

    values: U*; without: max_s Σ_{j≠i} u_j(s_j); utilities: u_j(s̃_j). with_interest: False for the
    ablation, NVI-DVCG.
    """
    lent = loans(bids, values.sum(axis=-1, keepdims=True))
    due = interest(lent, values) if with_interest else 0 * lent
    harms = harm(without, utilities)
    return Levied(lent, due, harms, tax(alpha, harms, due))
