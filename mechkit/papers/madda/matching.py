"""The resource-attributes matching Γ: who can serve whom, how well, and a matching of most weight.

Seller n can serve buyer m where O_n ≥ R_m in every resource, d_{e→n} ≤ q_m1 and D_n ≥ q_m2
(eq. 10), with weight Υ(m, n) = ω_m1 (d_c − d_{e→n}) + ω_m2 D_n + R_m · O_n (eq. 11). Pairs that
cannot trade get the weight −1 of a virtual edge; Γ is what a perfect matching of the largest total
weight keeps of real edges (Kuhn 1955, Munkres 1957; by SciPy's shortest augmenting paths). Where
several matchings have that weight, Γ is one of them.

No price, value or cost enters. The optimum does not know Γ: the largest gains v_m − c_n of any
matching of pairs that eq. 10 allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

import solvers

VIRTUAL = -1
CELLS = 4_000_000
"""Pairs that are looked at at once, to bound memory."""


@dataclass(frozen=True, eq=False)
class Attributes:
    """All that the matching sees: see `market.Instances`, which has the same names."""

    required: np.ndarray
    offered: np.ndarray
    leaves: np.ndarray
    sites: np.ndarray
    farthest: np.ndarray
    least_reputation: np.ndarray
    reputation: np.ndarray
    attribute_weights: np.ndarray
    coverage: np.ndarray


def attributes_of(instances: Any) -> Attributes:
    """What the matching sees of instances."""
    return Attributes(
        **{field.name: getattr(instances, field.name) for field in fields(Attributes)}
    )


def heeding(a: Attributes, heeded: np.ndarray) -> Attributes:
    """The same; where not heeded (B,), every reputation is enough and none is better."""
    kept = a.attribute_weights * np.stack([np.ones_like(heeded), heeded], axis=-1)[:, None]
    least = np.where(heeded[:, None], a.least_reputation, 0)
    return replace(a, least_reputation=least, attribute_weights=kept)


def distance(one: Any, other: Any) -> Any:
    """Eq. 1: between places (..., 2)."""
    x, y = (one[..., k] - other[..., k] for k in range(2))
    return np.sqrt(x * x + y * y)


def compatible(
    required: Any, offered: Any, away: Any, farthest: Any, reputation: Any, least: Any
) -> Any:
    """Eq. 10, of broadcast pairs: required, offered (..., 3), the others (...)."""
    fits = (away <= farthest) & (reputation >= least)
    for k in range(required.shape[-1]):  # one resource at a time: no array of pairs × resources
        fits = fits & (offered[..., k] >= required[..., k])
    return fits


def edge_weight(
    attribute_weights: Any, away: Any, reputation: Any, required: Any, offered: Any, coverage: Any
) -> Any:
    """Eq. 11, of broadcast pairs: attribute_weights (..., 2), required, offered (..., 3)."""
    return (
        attribute_weights[..., 0] * (coverage - away)
        + attribute_weights[..., 1] * reputation
        + sum(required[..., k] * offered[..., k] for k in range(required.shape[-1]))
    )


def all_pairs(a: Any) -> tuple[np.ndarray, np.ndarray]:
    """(whether m and n are compatible, their distance), each (B, M, N)."""
    away = distance(a.leaves[:, :, None], a.sites[:, None])
    return (
        compatible(
            a.required[:, :, None],
            a.offered[:, None],
            away,
            a.farthest[:, :, None],
            a.reputation[:, None],
            a.least_reputation[:, :, None],
        ),
        away,
    )


def can_serve(a: Any, seller: np.ndarray) -> np.ndarray:
    """Eq. 10 of each buyer with one seller: seller (B, M), an index; bool (B, M), False for −1."""
    at = np.maximum(seller, 0)
    place, offer = (np.take_along_axis(x, at[..., None], axis=1) for x in (a.sites, a.offered))
    known = np.take_along_axis(a.reputation, at, axis=1)
    fits = compatible(
        a.required, offer, distance(a.leaves, place), a.farthest, known, a.least_reputation
    )
    return np.asarray(fits & (seller >= 0))


def match(a: Attributes) -> np.ndarray:
    """Γ: (B, M), the seller of each buyer, −1 for none."""
    found = []
    for part in parts(a):
        edges, away = all_pairs(part)
        weights = edge_weight(
            part.attribute_weights[:, :, None],
            away,
            part.reputation[:, None],
            part.required[:, :, None],
            part.offered[:, None],
            part.coverage[:, None, None],
        )
        found.append(kuhn_munkres(np.where(edges, weights, VIRTUAL), edges))
    return np.concatenate(found)


def kuhn_munkres(weights: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """A matching of the largest weight, (B, M), and of it the real edges; −1 for none.

    SciPy leaves |M − N| vertices of the longer side alone; virtual vertices add the same −1 to
    every matching for them. Sellers are assigned to buyers: with weights that are nearly products
    R · O, this is up to twenty times as fast as the other way round.
    """
    from scipy.optimize import linear_sum_assignment

    held = np.full(weights.shape[:2], -1)
    for k, matrix in enumerate(weights):
        sellers, buyers = linear_sum_assignment(matrix.T, maximize=True)
        held[k, buyers] = sellers
    real = np.take_along_axis(edges, np.maximum(held, 0)[..., None], axis=-1)[..., 0]
    return np.where(real, held, -1)


def parts(instances: Any) -> Iterator[Any]:
    """The batch in pieces that fit into memory as (B, M, N)."""
    batch, pairs = len(instances.leaves), instances.leaves.shape[1] * instances.sites.shape[1]
    step = max(1, CELLS // pairs)
    for first in range(0, batch, step):
        rows = slice(first, first + step)
        held = {field.name: getattr(instances, field.name)[rows] for field in fields(instances)}
        yield type(instances)(**held)


# Optima -------------------------------------------------------------------------------------------


def optimum(instances: Any) -> np.ndarray:
    """(B,): the largest welfare of any matching of compatible pairs, whether in Γ or not."""
    found = []
    for part in parts(instances):
        gain = part.values[:, :, None] - part.costs[:, None]
        edges, _ = all_pairs(part)
        found.append(np.asarray(solvers.unit_demand(np.where(edges, gain, 0)).value))
    return np.concatenate(found)


def optimum_in_matching(instances: Any) -> np.ndarray:
    """(B,): the largest welfare of trades within Γ: every pair that gains trades."""
    values, costs, _ = pairs_of(instances)
    gains = np.where(sound(instances), np.maximum(values - costs, 0), 0)
    return np.asarray(gains.sum(axis=-1))


def optimum_without_attributes(instances: Any) -> np.ndarray:
    """(B,): the largest welfare if every seller could serve every buyer."""
    return np.asarray(solvers.double_auction(instances.values, instances.costs).value)


def sound(instances: Any) -> np.ndarray:
    """Which buyers' partners can serve them, (B, M): all in Γ, unless reputations went unheeded."""
    if instances.heeded.all():
        return np.asarray(instances.partner >= 0)
    return can_serve(instances, instances.partner)


def pairs_of(instances: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(each buyer's value, its partner's cost, whether it has one), each (B, M)."""
    at = np.maximum(instances.partner, 0)
    return (
        instances.values,
        np.take_along_axis(instances.costs, at, axis=1),
        instances.partner >= 0,
    )
