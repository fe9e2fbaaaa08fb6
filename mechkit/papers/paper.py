"""A paper as a user of mechkit: its market, its mechanisms, its claims.

A market draws whole batches of instances and knows their exact optimum; the systems that the paper
compares run on a batch at once, clocks included. The mechanisms are the same rules declared on a
setting of a few agents, where the search and the provers reach.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from mechkit.mechanism import Mechanism
from mechkit.papers.claim import Claim

Instances = Any
"""A frozen record of arrays, batch first, that a market draws and its systems read."""


@dataclass(frozen=True)
class Result:
    """What a system did on a batch of instances, each (batch,).

    welfare: from true values, in the market's unit. trades: how many. budget: what the auctioneer
    keeps (received minus paid). measured: the paper's own measures beside it, by name.
    """

    welfare: np.ndarray
    trades: np.ndarray
    budget: np.ndarray
    measured: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Market:
    """draw(rng, batch, **sizes) -> instances. sizes: by name, the paper's by default.

    optimum(instances) -> (batch,): the largest welfare of any feasible allocation, by `solvers`.
    systems: by name, instances -> Result; the paper's mechanism and what it is compared with.
    large: sizes ten times beyond the paper's, for benchmarks.
    """

    draw: Callable[..., Instances]
    sizes: Mapping[str, int]
    optimum: Callable[[Instances], np.ndarray]
    systems: Mapping[str, Callable[[Instances], Result]]
    large: Mapping[str, int] = field(default_factory=dict)
    unit: str = "money"


@dataclass(frozen=True)
class Paper:
    """id: a short word. about: the system in a line. readings: each open point, and the choice.

    mechanisms: by name, without arguments: a rule of the paper on a setting of a few agents.
    """

    id: str
    about: str
    market: Market
    mechanisms: Mapping[str, Callable[[], Mechanism]]
    claims: tuple[Claim, ...]
    readings: tuple[str, ...]


def changed(given: Any, printed: Any) -> dict[str, str]:
    """Where one record of parameters differs from another of its type: {name: what it is}."""
    values = {of.name: getattr(given, of.name) for of in fields(printed)}
    return {name: str(of) for name, of in values.items() if of != getattr(printed, name)}
