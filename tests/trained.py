"""Small instances of the market of trained models, for the tests of its paper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mechkit.papers.pmsam import market


def drawn(seed=0, batch=40, *, users=4, providers=5, organisations=4, coarse=False, **more):
    """Instances; coarse: values and costs in hundreds, so that ties abound."""
    found = market.draw(
        np.random.default_rng(seed),
        batch,
        users=users,
        providers=providers,
        organisations=organisations,
        **more,
    )
    if not coarse:
        return found
    costs = np.round(found.costs / 50) * 50
    same = np.round(found.values.mean(axis=-1, keepdims=True) / 200) * 200
    return replace(
        found,
        costs=costs,
        support=market.supporters(costs, found.parameters.tolerance),
        values=np.broadcast_to(same, found.values.shape).copy(),
    )
