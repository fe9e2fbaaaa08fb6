"""What is shared: divisible resources, and a public project that all pay for."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mechkit.constructors.common import (
    each_item_once,
    resizable_prior,
    resizer,
)
from mechkit.constructors.optima import of_project, of_shares
from mechkit.errors import require, whole
from mechkit.priors import Prior
from mechkit.settings import Array, Setting
from mechkit.spaces import box, rational


def divisible(
    agents: int,
    resources: int = 1,
    *,
    utility: Any = None,
    low: Any = 0,
    high: Any = 1,
    levels: Any = None,
    prior: Prior = None,
) -> Setting:
    """Resources of one unit each, shared in any proportion.

    Types (batch, agents), or (batch, agents, resources) for several. Allocation (batch, agents,
    resources): shares. utility(types, shares) -> (batch, agents), linear by default: Σ_k θ_k x_k.

    First best where values are linear: each resource, whole, to whoever values it most, unless all
    values are negative. With a utility of your own give it, by `replace(setting, first_best=…)`,
    and a solver likewise.
    """
    agents, resources = whole(agents, 1, "agents"), whole(resources, 1, "resources")
    several = resources > 1

    def linear(types: Array, allocation: Array) -> Array:
        return ((types if several else types[..., None]) * allocation).sum(axis=-1)

    worth = linear if utility is None else utility

    def first_best(types: Array) -> Array:
        highest = np.max(np.reshape(types, (types.shape[0], agents, resources)), axis=1)
        return np.maximum(highest, 0).sum(axis=-1)

    def joint(types: Array, parts: Array) -> Array:
        return worth(types[:, None], (parts * 1).sum(axis=1)[:, None])[:, 0]

    again = partial(
        divisible,
        resources=resources,
        utility=utility,
        low=low,
        high=high,
        levels=levels,
        prior=prior,
    )
    return Setting(
        name=f"{resources} divisible resources, {agents} agents",
        types=box(agents, *((resources,) if several else ()), low=low, high=high, levels=levels),
        allocation_shape=(agents, resources),
        value=worth,
        slack=each_item_once,
        prior=prior,
        quantity=(lambda allocation: (allocation * 1)[..., 0])
        if utility is None and not several
        else None,
        joint_value=joint,
        resize=resizer(again, "bidder", low, high) if resizable_prior(prior) else None,
        first_best=first_best if utility is None else None,
        solve=of_shares(agents, resources) if utility is None else None,
    )


def public_project(
    agents: int,
    cost: Any,
    *,
    low: Any = 0,
    high: Any = 1,
    levels: Any = None,
    prior: Prior = None,
) -> Setting:
    """Build or not, at a cost that is shared equally.

    Types (batch, agents): gross values. Allocation (batch,): 1 if built. A built project is worth
    θ_i − cost/n to agent i (net of its share), so payments are transfers on top of the shares.

    First best: max(0, Σ θ_i − cost); a project built by chance is worth no more than the better of
    building and not, since values are linear.
    """
    agents = whole(agents, 1, "agents")
    amount = rational(cost, "cost")
    require(amount >= 0, f"cost = {cost!r}: expected a number of at least 0")
    share = float(amount / agents)

    return Setting(
        name=f"public project at cost {cost}, {agents} agents",
        types=box(agents, low=low, high=high, levels=levels),
        allocation_shape=(),
        value=lambda types, allocation: (types - share) * allocation[..., None],
        slack=lambda allocation: np.stack([allocation * 1, 1 - allocation * 1], axis=-1),
        prior=prior,
        quantity=lambda allocation: (allocation * 1)[..., None] * np.ones(agents, dtype=int),
        personal=False,
        resize=resizer(
            partial(public_project, cost=cost, low=low, high=high, levels=levels, prior=prior),
            "bidder",
            low,
            high,
        )
        if resizable_prior(prior)
        else None,
        outcomes=lambda: np.array([0, 1]),
        # As in `value`, share by share, so that floats and rationals round alike.
        first_best=lambda types: np.maximum((types - share).sum(axis=-1), 0),
        solve=of_project(amount),
        constants=(float(amount), share),
    )
