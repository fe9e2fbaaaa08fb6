"""The best step policies by dynamic programming, for who knows everybody's value.

Between moves who has accepted is a function of the clocks alone (see `clocks`): b buyers are worth
at least C_B, s sellers cost at most C_S; Ψ = 1 where b > s; min(b, s) have sold and Ψ more bought.
On whole ticks there are 100 · 101 / 2 pairs of prices that have not crossed, and each is looked at
once, from the last to the first.

Let D(C_B, C_S) be the regret of all who have accepted, had they accepted at the present prices. A
step a of the active side, on which n have accepted, raises the D of these n by a each; what D rises
beyond it is the regret of whoever newly accepts. So if V is the largest sum of rewards to come and
H = V − D,

    H = −cost + max( max_{a: not crossed} H(after a) + n a,   −D  if some step makes them cross ).

H at the opening is the largest return. Where accepting is told and costs, too, D counts that cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mechkit.errors import require
from mechkit.papers.madda.clocks import Auctions

BLOCK = 512
"""Instances that are planned at once, to bound memory: 40 kB each."""

Terms = tuple[np.ndarray, np.ndarray, np.ndarray]
"""At states (k, B) of one distance of the clocks: cost of a move, D, and n for each tick of it."""


@dataclass(frozen=True, eq=False)
class Plan:
    """value (B,): of the best policy, from the opening. choices: at distance g of the clocks and
    C_S = low + i, choices[g][i] (T − g, B) is which of the levels is best (the first of equals)."""

    value: np.ndarray
    low: int
    choices: tuple[np.ndarray, ...]

    def best(self, buy_clock: np.ndarray, sell_clock: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Which level, (k,), at whole ticks, in the instances `rows`."""
        low, gap = sell_clock.astype(int) - self.low, (buy_clock - sell_clock).astype(int)
        whole = (low + self.low == sell_clock) & (low + self.low + gap == buy_clock)
        require(bool(whole.all()), "clocks between ticks: the plan knows whole ticks only")
        found = np.empty(len(rows), dtype=int)
        for g in np.unique(gap):
            at = gap == g
            found[at] = self.choices[g][low[at], rows[at]]
        return found


def plan(
    opened: Auctions,
    levels: Sequence[float],
    *,
    reward: str = "reward (eq. 17)",
    fee: float,
    ends: np.ndarray | None = None,
) -> Plan:
    """The policy of the largest return, auctions being at their opening.

    levels: the steps to choose from, whole numbers of ticks. reward: a reading of `REWARDS`. ends
    (2, n + 1, B): what counts in place of rewards, by Ψ and how many sellers accepted in the end.
    """
    steps = [int(step) for step in levels]
    require(
        len(steps) > 0
        and min(steps) >= 1
        and all(a == b for a, b in zip(steps, levels, strict=True)),
        f"levels = {tuple(levels)}: expected whole numbers of ticks, at least 1",
    )
    low, high = -opened.clock[1].max(), opened.clock[0].max()
    require(low == int(low) and high == int(high), f"clocks from {low} to {high}: not whole ticks")
    ticks = np.arange(int(low), int(high) + 1)
    parts = []
    for first in range(0, opened.clock.shape[1], BLOCK):
        rows = slice(first, first + BLOCK)
        states = _States(ticks, opened.worth[..., rows], opened.crowd[:, rows])
        if ends is None:
            parts.append(_backward(len(ticks), states.terms(reward, fee), steps))
        else:
            parts.append(_backward(len(ticks), states.counts(ends[..., rows]), steps))
    choices = zip(*(choice for _, choice in parts), strict=True)
    return Plan(
        np.concatenate([value for value, _ in parts]),
        int(low),
        tuple(np.concatenate(of, axis=1) for of in choices),
    )


class _States:
    """Who has accepted at each pair of prices: by the distance g of the clocks, (T − g, B)."""

    def __init__(self, ticks: np.ndarray, worth: np.ndarray, crowd: np.ndarray) -> None:
        self.ticks, self.crowd = ticks, crowd
        self.willing = [
            np.stack([(worth[side] >= sign * tick).sum(axis=0) for tick in self.ticks])
            for side, sign in ((0, 1), (1, -1))
        ]
        known = np.where(np.isfinite(worth), worth, 0)
        self.total = np.concatenate([np.zeros_like(known[:, :1]), known.cumsum(axis=1)], axis=1)

    def at(self, g: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(whether Ψ = 1, bought, sold)."""
        willing_b, willing_s = self.willing[0][g:], self.willing[1][: len(self.ticks) - g]
        active = willing_b > willing_s
        sold = np.minimum(willing_b, willing_s)
        return active, sold + active, sold

    def terms(self, reward: str, fee: float) -> Callable[[int], tuple[np.ndarray, Terms]]:
        def of(g: int) -> tuple[np.ndarray, Terms]:
            active, bought, sold = self.at(g)
            buy = self.ticks[g:, None]
            sell = self.ticks[: len(self.ticks) - g, None]
            passed = (
                np.take_along_axis(self.total[0], bought, axis=0)
                - buy * bought
                + np.take_along_axis(self.total[1], sold, axis=0)
                + sell * sold
            )
            done = np.where(active, sold, bought)
            told = np.where(active, self.crowd[1], self.crowd[0])
            if reward == "reward, those left are told":
                told = told - done
            elif reward == "reward, cost in every round":
                passed = passed + fee * (self.crowd[0] * bought + self.crowd[1] * sold)
            else:
                require(reward == "reward (eq. 17)", f"reward = {reward!r}: not a reading of it")
            return active, (fee * told, passed, done)

        return of

    def counts(self, ends: np.ndarray) -> Callable[[int], tuple[np.ndarray, Terms]]:
        def of(g: int) -> tuple[np.ndarray, Terms]:
            active, _, sold = self.at(g)
            reached = np.where(active, *(np.take_along_axis(ends[k], sold, axis=0) for k in (1, 0)))
            nothing = np.zeros(reached.shape)
            return active, (nothing, -reached, nothing)

        return of


def _backward(
    ticks: int, terms: Callable[[int], tuple[np.ndarray, Terms]], steps: Sequence[int]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """H at the opening, (B,), and which step is best at every pair of prices."""
    known: list[np.ndarray] = []  # H, by distance
    chosen = []
    for g in range(ticks):
        active, (cost, passed, done) = terms(g)
        size = len(active)
        best, which = np.full(active.shape, -np.inf), np.zeros(active.shape, dtype=np.int8)
        for k, step in enumerate(steps):
            if step > g:
                follows = -passed
            else:
                after = known[g - step]
                follows = np.where(active, after[step:], after[:size]) + step * done
            better = follows > best
            best = np.where(better, follows, best)
            which = np.where(better, np.int8(k), which)
        known.append(best - cost)
        chosen.append(which)
    return known[-1][0], chosen
