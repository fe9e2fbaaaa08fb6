"""Small instances of the market for twins migration, and its auction as a slow simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mechkit.papers.madda import market


def drawn(seed=0, batch=30, *, buyers=12, sellers=12, coarse=False, **more):
    """Instances; coarse: values and costs are multiples of 5, so that ties abound."""
    rng = np.random.default_rng(seed)
    found = market.draw(rng, batch, buyers=buyers, sellers=sellers, **more)
    if coarse:
        found = replace(
            found,
            values=np.maximum(5 * np.round(found.values / 5), 1),
            costs=np.maximum(5 * np.round(found.costs / 5), 1),
        )
    return found


def slow_auction(values, costs, steps, *, alpha=0.5, low=1, high=100):
    """One double Dutch auction from the paper's five phases.

    values, costs: {index: number}; steps(moves so far) -> step. Returns a dict: `buyers` and
    `sellers` that accepted, [(index, clock)], in order; `psi` and `price` at the end; `regret`,
    `idle` [participants on the active side in each round without acceptance], `told` the same for
    all rounds, `left` those of `idle` who had not accepted.
    """
    queue = {
        0: sorted(values, key=lambda i: (-values[i], i)),
        1: sorted(costs, key=lambda j: (costs[j], j)),
    }
    crowd = {0: len(values), 1: len(costs)}
    clock, accepted = {0: high, 1: low}, {0: [], 1: []}
    psi, moves, regret, idle, told, left = 0, 0, 0, [], [], []
    while True:
        told.append(crowd[psi])
        if queue[psi]:
            first = queue[psi][0]
            worth = (values, costs)[psi][first]
            if clock[0] <= worth if psi == 0 else clock[1] >= worth:
                regret += abs(worth - clock[psi])
                accepted[psi].append((queue[psi].pop(0), clock[psi]))
                psi = 1 - psi
                continue
        idle.append(crowd[psi])
        left.append(crowd[psi] - len(accepted[psi]))
        before = dict(clock)
        clock[psi] += steps(moves) * (-1 if psi == 0 else 1)
        moves += 1
        if clock[0] < clock[1]:
            price = alpha * before[0] + (1 - alpha) * before[1]
            return {
                "buyers": accepted[0],
                "sellers": accepted[1],
                "psi": psi,
                "price": price,
                "regret": regret,
                "idle": idle,
                "told": told,
                "left": left,
            }
