"""What the adapters share: spaces, and from an action of a space to the number a mechanism takes.

discrete    Discrete(len(levels)): the index of a level;
continuous  Box(−1, 1, (1,)): a ↦ low + (high − low)(a + 1)/2, as most learners prefer it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from learners.environment import Array, Spec

KINDS = ("discrete", "continuous")
LARGEST = float(np.finfo(np.float32).max)
"""Observations are of the order of 1, without a bound that an environment would state; an infinite
one is reported as a fault by the checkers of Gymnasium."""


def checked_kind(actions: str) -> str:
    if actions not in KINDS:
        raise ValueError(f"actions = {actions!r}: expected one of {', '.join(KINDS)}")
    return actions


def observation_space(spec: Spec) -> spaces.Box:
    return spaces.Box(-LARGEST, LARGEST, (spec.observation,), np.float32)


def action_space(spec: Spec, actions: str) -> spaces.Space[Any]:
    """actions: one of `KINDS`."""
    if checked_kind(actions) == "discrete":
        return spaces.Discrete(len(spec.levels))
    return spaces.Box(-1, 1, (1,), np.float32)


def numbers(chosen: Any, spec: Spec, actions: str) -> Array:
    """Actions of the space, (...) indices or (..., 1) floats, as numbers (...) in [low, high]."""
    given = np.asarray(chosen)
    if actions == "discrete":
        # Without this, −1 would be the last level.
        if (
            not np.issubdtype(given.dtype, np.integer)
            or not ((given >= 0) & (given < len(spec.levels))).all()
        ):
            raise ValueError(
                f"action {chosen!r}: expected whole numbers from 0 to {len(spec.levels) - 1}, "
                "places in spec.levels"
            )
        return np.asarray(spec.levels)[given]
    share = (given[..., 0].astype(float) + 1) / 2
    if not ((share >= 0) & (share <= 1)).all():  # NaN is not inside
        raise ValueError(f"action {chosen!r}: expected numbers from -1 to 1; clip them first")
    return np.clip(spec.low + (spec.high - spec.low) * share, spec.low, spec.high)
