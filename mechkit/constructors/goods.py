"""Several goods: additive, unit-demand, single-minded and arbitrary values of bundles."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mechkit.constructors.common import (
    assignment_slack,
    assignments,
    each_item_once,
    matchings,
    pure_slack,
    resizable_prior,
    resizer,
)
from mechkit.constructors.optima import of_items, of_matching, of_packages, of_wants
from mechkit.errors import InputError, require, whole
from mechkit.priors import Prior
from mechkit.settings import Array, Setting
from mechkit.spaces import box


def additive(
    agents: int, items: int, *, low: Any = 0, high: Any = 1, levels: Any = None, prior: Prior = None
) -> Setting:
    """Items whose values add up. Types and allocation (batch, agents, items).

    First best: each item to whoever values it most, unless all values are negative; values are
    linear, so that chances of an item add nothing.
    """
    agents, items = whole(agents, 1, "agents"), whole(items, 1, "items")
    again = partial(additive, items=items, low=low, high=high, levels=levels, prior=prior)
    return Setting(
        name=f"{items} items, additive values, {agents} agents",
        types=box(agents, items, low=low, high=high, levels=levels),
        allocation_shape=(agents, items),
        value=lambda types, allocation: (types * allocation).sum(axis=-1),
        slack=each_item_once,
        prior=prior,
        joint_value=lambda types, parts: (types * (parts * 1).sum(axis=1)).sum(axis=-1),
        resize=resizer(again, "bidder", low, high) if resizable_prior(prior) else None,
        outcomes=lambda: assignments(agents, items),
        first_best=lambda types: np.maximum(np.max(types, axis=1), 0).sum(axis=-1),
        solve=of_items,
    )


def unit_demand(
    agents: int, items: int, *, low: Any = 0, high: Any = 1, levels: Any = None, prior: Prior = None
) -> Setting:
    """Each agent wants one item at most. Types and allocation (batch, agents, items).

    First best: the best of all matchings; values are linear in chances, and chances are mixtures of
    matchings (Birkhoff 1946; von Neumann 1953).
    """
    agents, items = whole(agents, 1, "agents"), whole(items, 1, "items")
    again = partial(unit_demand, items=items, low=low, high=high, levels=levels, prior=prior)
    return Setting(
        name=f"{items} items, unit demand, {agents} agents",
        types=box(agents, items, low=low, high=high, levels=levels),
        allocation_shape=(agents, items),
        value=lambda types, allocation: (types * allocation).sum(axis=-1),
        slack=assignment_slack,
        prior=prior,
        joint_value=lambda types, parts: np.max((types[:, None] * parts).sum(axis=-1), axis=-1),
        resize=resizer(again, "bidder", low, high) if resizable_prior(prior) else None,
        outcomes=lambda: matchings(agents, items),
        solve=of_matching,
    )


def single_minded(
    agents: int,
    items: int,
    bundles: Any = None,
    *,
    low: Any = 0,
    high: Any = 1,
    prior: Prior = None,
) -> Setting:
    """Each agent wants one bundle. Allocation (batch, agents, items), whole items only.

    bundles given, 0/1 (agents, items): the bundles are known; types (batch, agents): values.
    bundles None: a type is (value, wants item 0, …, wants item m−1), (batch, agents, 1 + items),
    and the bundle can be misreported. Everybody wants at least one item.

    First best: the best of all assignments of whole items; there are no others.
    """
    agents, items = whole(agents, 1, "agents"), whole(items, 1, "items")

    def covered(wanted: Array, allocation: Array) -> Array:
        """Whether each agent holds all it wants: nothing wanted is missing."""
        return np.max(wanted * (1 - allocation * 1), axis=-1) <= 0

    def outcomes() -> np.ndarray:
        return assignments(agents, items)

    if bundles is not None:
        known = np.asarray(bundles)
        require(
            known.shape == (agents, items)
            and bool(np.isin(known, (0, 1)).all())
            and bool(known.any(axis=1).all()),
            f"bundles of shape {known.shape}: expected 0/1 of shape {(agents, items)}, "
            "with at least one item per agent",
        )
        return Setting(
            name=f"{items} items, known single-minded, {agents} agents",
            types=box(agents, low=low, high=high),
            allocation_shape=(agents, items),
            value=lambda types, allocation: types * covered(known, allocation),
            slack=pure_slack,
            prior=prior,
            quantity=lambda allocation: covered(known, allocation) * 1,
            binary=True,
            outcomes=outcomes,
            solve=of_wants(known),
        )

    bits = [None] + [(0, 1)] * items
    bounds = [np.concatenate([[b], np.full(items, k)]) for b, k in ((low, 0), (high, 1))]

    def draw(rng: np.random.Generator, batch: int) -> np.ndarray:
        wants = rng.integers(0, 2, size=(batch, agents, items))
        # Nobody wants nothing: an empty draw asks for one item at random.
        pick = rng.integers(0, items, size=(batch, agents))[..., None] == np.arange(items)
        wants = np.where(wants.any(axis=-1, keepdims=True), wants, pick)
        worth = (
            low + (high - low) * rng.random((batch, agents, 1))
            if prior is None
            else np.asarray(prior.rvs(size=(batch, agents, 1), random_state=rng))
        )
        return np.concatenate([worth, wants], axis=-1)

    def worth(types: Array, held: Array) -> Array:
        wants = types[..., 1:]
        return types[..., 0] * covered(wants, held)

    again = partial(single_minded, items=items, low=low, high=high, prior=prior)
    return Setting(
        name=f"{items} items, single-minded, {agents} agents",
        types=box(
            agents,
            1 + items,
            low=bounds[0],
            high=bounds[1],
            levels=bits,
            # Everybody wants something.
            constraints=([[0] + [-1] * items], [-1]),
        ),
        allocation_shape=(agents, items),
        value=worth,
        slack=pure_slack,
        prior=draw if prior is None or hasattr(prior, "rvs") else prior,
        joint_value=lambda types, parts: (
            types[..., 0] * covered(types[..., 1:], (parts * 1).sum(axis=1))
        ),
        resize=resizer(again, "bidder", low, high),
        outcomes=outcomes,
        solve=of_wants(None),
    )


def bundle_table(items: int) -> np.ndarray:
    """0/1 (2^items − 1, items): row b − 1 is the bundle whose item j is bit j of b."""
    return np.array([[b >> j & 1 for j in range(items)] for b in range(1, 2**items)])


def combinatorial(
    agents: int, items: int, *, low: Any = 0, high: Any = 1, levels: Any = None, prior: Prior = None
) -> Setting:
    """Any value for any bundle, with free disposal (XOR bids).

    Types (batch, agents, 2^items − 1): the value of each non-empty bundle, in the order of
    `bundle_table`; a set of items is worth the best bundle inside it. Allocation (batch, agents,
    items), whole items only. First best: the best of all assignments.
    """
    agents, items = whole(agents, 1, "agents"), whole(items, 1, "items")
    if items > 8:
        raise InputError(
            f"items = {items}: a type would hold 2^{items} − 1 values; take 8 or fewer"
        )
    table = bundle_table(items)

    def worth(types: Array, held: Array) -> Array:
        """types (..., bundles) and held (..., items) -> (...)."""
        missing = np.max(table * (1 - held[..., None, :] * 1), axis=-1)
        return np.maximum(np.max(types * (missing <= 0), axis=-1), 0)

    again = partial(combinatorial, items=items, low=low, high=high, levels=levels, prior=prior)
    return Setting(
        name=f"{items} items, any bundles, {agents} agents",
        types=box(agents, len(table), low=low, high=high, levels=levels),
        allocation_shape=(agents, items),
        value=worth,
        slack=pure_slack,
        prior=prior,
        joint_value=lambda types, parts: worth(types, (parts * 1).sum(axis=1)),
        resize=resizer(again, "bidder", low, high) if resizable_prior(prior) else None,
        outcomes=lambda: assignments(agents, items),
        solve=of_packages,
    )
