"""Two rounds, the second of which learns its factor from the first.

The optimal factor takes its means from past rounds. Within a round it is a constant; over rounds,
today's bid is tomorrow's history. Here everybody has the same value in both rounds and bids twice.
The first round has no history, so ρ = 1, and the second takes ρ = max(1, u_0 / u_(2)) of the first,
the mean over one round.
"""

from __future__ import annotations

import numpy as np

from mechkit.mechanism import Mechanism
from mechkit.papers.dmsb import rules
from mechkit.settings import Array, Setting
from mechkit.spaces import box


def two_rounds(*, everybody: bool) -> Mechanism:
    """Types (batch, providers): values. Reports and allocations (batch, providers, 2): by round."""
    agents = 1 + rules.STATIONS

    def value(types: Array, allocation: Array) -> Array:
        return types * (allocation * 1).sum(axis=-1)

    def slack(allocation: Array) -> Array:
        x = allocation * 1
        return np.concatenate([x[..., 0], x[..., 1], 1 - x.sum(axis=-2)], axis=-1)

    def truthful(types: Array) -> Array:
        return np.stack([types, types], axis=-1)

    def rule(reports: Array) -> tuple[Array, Array]:
        first, second = reports[..., 0], reports[..., 1]
        rho, per = rules.myopic_of_highest(first)
        played = (
            rules.modified_second_bid(first, rho=1, everybody=everybody),
            rules.modified_second_bid(second, rho=rho, per=per, everybody=everybody),
        )
        wins = np.stack([wins for wins, _ in played], axis=-1)
        return wins, played[0][1] + played[1][1]

    setting = Setting(
        name="one task in each of two rounds",
        types=box(agents),
        allocation_shape=(agents, 2),
        value=value,
        slack=slack,
        roles=("brand", *("performance",) * rules.STATIONS),
        reports=box(agents, 2),
        truthful=truthful,
    )
    return Mechanism.from_outcome(setting, rule, name="second bid, factor from the round before")
