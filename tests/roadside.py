"""Small instances of the markets at roadside units, for the tests of their paper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mechkit.papers.aigc import market


def drawn(seed=0, batch=40, *, vehicles=12, machines=2, slots=3, coarse=False, **more):
    """Instances; coarse: valuations are quarters, so that ties abound."""
    rng = np.random.default_rng(seed)
    found = market.draw(rng, batch, vehicles=vehicles, machines=machines, slots=slots, **more)
    if coarse:
        found = replace(
            found,
            values=np.round(found.values * 4) / 4,
            costs=np.round(found.costs * 4) / 4,
            dice=np.round(found.dice * 4) / 4,
        )
    return found
