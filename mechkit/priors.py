"""Where types come from: uniform draws, priors of `scipy.stats`, weights over finite levels."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit.errors import InputError, require
from mechkit.spaces import Space, meets, rational

Prior = Any
"""What a setting draws its types from: None (uniform), a frozen `scipy.stats` distribution, one for
each agent, weights over the levels of a finite space, or `draw(rng, batch) -> types`."""


def uniform(space: Space, rng: np.random.Generator, batch: int) -> np.ndarray:
    """Types drawn uniformly, shape (batch, *space.shape): by rejection where constraints bind."""
    flat = _uniform_box(space, rng, batch)
    if space.constraints is None:
        return flat.reshape(batch, *space.shape)
    for _ in range(10_000):
        outside = ~meets(space, flat)
        if not outside.any():
            return flat.reshape(batch, *space.shape)
        flat[outside] = _uniform_box(space, rng, batch)[outside]
    raise InputError(
        "fewer than one in ten thousand uniform draws meets the constraints: give the setting "
        "a prior that draws types inside them"
    )


def _uniform_box(space: Space, rng: np.random.Generator, batch: int) -> np.ndarray:
    """Uniform over the box, and over each agent's levels, (batch, agents, size)."""
    draws = space.low_float + space.span * rng.random((batch, *space.shape))
    flat = draws.reshape(batch, space.agents, space.size)
    if space.levels is not None:
        for i, own in enumerate(space.choices):
            for c, values in enumerate(own):
                if values is not None:
                    flat[:, i, c] = rng.choice(values, size=batch)
    return flat


def sampler(space: Space, prior: Prior) -> Callable[[np.random.Generator, int], np.ndarray]:
    """The function that draws `batch` profiles of types from the prior; checks the prior first."""
    if prior is None:
        return lambda rng, batch: uniform(space, rng, batch)
    if callable(prior) and not hasattr(prior, "rvs"):
        return prior
    weights = level_weights(space, prior)
    if weights is not None:
        values = np.array(space.levels[0], dtype=float)  # type: ignore[index]
        chances = np.array(weights, dtype=float)
        return lambda rng, batch: rng.choice(values, size=(batch, *space.shape), p=chances)
    each = list(prior) if isinstance(prior, list | tuple) else [prior] * space.agents
    require(
        len(each) == space.agents and all(hasattr(d, "rvs") for d in each),
        f"prior = {prior!r}: expected a frozen scipy.stats distribution, or a list of "
        f"{space.agents} of them (one per agent), or weights over the levels, or a function "
        "draw(rng, batch)",
    )
    for i, distribution in enumerate(each):
        least, most = distribution.support()
        low, high = space.low_float[i].min(), space.high_float[i].max()
        require(
            least >= low and most <= high,
            f"the prior of agent {i} has support [{least}, {most}], outside the types "
            f"[{low}, {high}]: widen low and high, or truncate the distribution",
        )

    def draw(rng: np.random.Generator, batch: int) -> np.ndarray:
        columns = [
            np.asarray(d.rvs(size=(batch, *space.coordinates), random_state=rng)) for d in each
        ]
        return np.stack(columns, axis=1).astype(float)

    return draw


def intervals(space: Space, prior: Prior) -> tuple[tuple[Fraction, Fraction], ...] | None:
    """The interval from which each agent's type, a number, is drawn uniformly and independently; or
    None where the prior is another one.

    Where a frozen `scipy.stats.uniform` was given, its loc and scale are read as the simplest
    rationals that round to them.
    """
    if space.coordinates != () or space.levels is not None or space.constraints is not None:
        return None
    if prior is None:
        return tuple(zip(space.low.tolist(), space.high.tolist(), strict=True))
    each = list(prior) if isinstance(prior, list | tuple) else [prior] * space.agents
    found = [_interval(distribution) for distribution in each]
    return None if None in found else tuple(found)  # type: ignore[arg-type]


def _interval(distribution: Any) -> tuple[Fraction, Fraction] | None:
    # Told by name: scipy.stats is not loaded for the sake of a question.
    family = getattr(distribution, "dist", None)
    if type(family).__module__.split(".")[:2] != ["scipy", "stats"]:
        return None
    if type(family).__name__ != "uniform_gen":
        return None
    given = dict(zip(("loc", "scale"), distribution.args, strict=False)) | dict(distribution.kwds)
    low = rational(given.get("loc", 0), "loc")
    return low, low + rational(given.get("scale", 1), "scale")


def level_weights(space: Space, prior: Prior) -> tuple[Fraction, ...] | None:
    """The exact weights of a finite prior over scalar levels (uniform for None), or None.

    The weights are given in the order of the sorted levels, and must sum to one.
    """
    if not space.finite or space.size != 1 or space.levels is None or space.constraints:
        return None
    levels = space.levels[0]
    assert levels is not None
    if (space.low > levels[0]).any() or (space.high < levels[-1]).any():
        return None
    if prior is None:
        return tuple(Fraction(1, len(levels)) for _ in levels)
    if not isinstance(prior, list | tuple | np.ndarray) or any(hasattr(p, "rvs") for p in prior):
        return None
    weights = tuple(rational(w, "prior weight") for w in prior)
    require(
        len(weights) == len(levels) and sum(weights) == 1 and min(weights) >= 0,
        f"prior weights {[str(w) for w in weights]} over {len(levels)} levels: expected one "
        "non-negative weight per level, summing to one",
    )
    return weights
