"""Column generation for the quantised VCG program: three prices, one pass over the values a round.

    maximise Σ_i Σ_b v_i(b) x_ib   subject to   Σ_b x_ib = 1,   Σ_i Σ_b b_r x_ib ≤ M,   x ≥ 0

N (M+1)³ variables, and only N + 3 rows. The restricted master (`Master`) knows some columns and
gives prices λ of the three resources; pricing looks for each bidder's best bundle at these prices;
bundles that beat what the master has are new columns. Every round bounds the optimum by weak
duality,

    Λ(λ) = M (λ_0 + λ_1 + λ_2) + Σ_i max_b (v_i(b) − λ·b) ≥ every feasible value,

so the proof of optimality is λ alone: the value meets Λ(λ).

A pass need not look at every cell. If v̄_i is the largest value of bidder i and it already has a
bundle worth m_i at prices λ, a better one has λ·b < v̄_i − m_i, hence b_r < (v̄_i − m_i)/λ_r in each
resource. Where bidders compete this leaves a small corner of the grid.

Sources: Dantzig & Wolfe (1960); Gilmore & Gomory, "A linear programming approach to the cutting
stock problem" (1961); Lasdon, *Optimization Theory for Large Systems* (1970), for the bound.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from solvers.bundles import Bundles, coarse, refuse_above
from solvers.master import Master

__all__ = ["Columns", "Relaxation", "best_bundles", "near_best"]

TOLERANCE = 1e-12  # relative: a column that gains less is not worth a round
WIDTH = 1.5  # the box of prices about where they start
ROUNDS = 1000


@dataclass(frozen=True, eq=False, kw_only=True)
class Relaxation:
    """A solution of the linear program without the closed bidders: value, bound, prices (3,), and
    weights (columns,) ≥ 0 of the columns; `done`: the rounds ended by themselves."""

    value: float
    bound: float
    prices: np.ndarray
    weights: np.ndarray
    done: bool
    note: str = ""


def best_bundles(
    values: Bundles, prices: np.ndarray, reach: np.ndarray, agents: np.ndarray,
    *, deadline: float = np.inf,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """For each of these agents the largest v_i(b) − v_i(0) − λ·b, and its b, over the bundles other
    than nothing that are within reach (N, 3): (k,) and (k, 3); −inf where there is none.

    Raises TimeoutError at the deadline, a time of `time.monotonic`, as all do that take one.
    """
    first = 1 if values.levels == "printed" else 0
    best, found = np.full(len(agents), -np.inf), np.zeros((len(agents), 3), dtype=int)
    costs = grid(prices, reach[agents].max(axis=0, initial=0))
    room = np.empty(costs.size)
    for k, i in enumerate(agents.tolist()):
        in_time(deadline)
        upto = tuple(reach[i].tolist())
        if min(upto) < first or not any(upto):
            continue
        cube = values.corner(i, upto)[first:, first:, first:]
        gains = room[: cube.size].reshape(cube.shape)
        np.subtract(cube, costs[tuple(slice(first, r + 1) for r in upto)], out=gains)
        if not first:
            room[0] = -np.inf
        at = int(gains.argmax())
        best[k] = room[at] - values.nothing[i]
        found[k] = np.unravel_index(at, cube.shape)
    return best, found + first


def in_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError("the time limit came first")


def reaches(values: Bundles, prices: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(N, 3): no bundle with more than this of a resource gains more than what is known."""
    room = np.maximum(values.ceilings - values.nothing - known, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.where(prices > 0, room[:, None] / prices, np.inf)
    steps[room <= 0] = 0.0
    return np.minimum(np.floor(steps * (1 + 1e-12)), values.quanta).astype(int)


def grid(prices: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """λ·b for 0 ≤ b ≤ reach."""
    a, b, c = (p * np.arange(r + 1) for p, r in zip(prices, reach, strict=True))
    return (a[:, None] + b)[:, :, None] + c


def near_best(
    values: Bundles, prices: np.ndarray, best: np.ndarray, within: float,
    *, deadline: float = np.inf,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Every bundle but nothing whose gain v_i(b) − v_i(0) − λ·b is at least best_i − within.

    Returns agents (k,), bundles (k, 3) and v_i(b) − v_i(0) (k,). best = inf leaves a bidder out.
    """
    first = 1 if values.levels == "printed" else 0
    floor = best - within * (1 + 1e-9)
    reach = reaches(values, prices, floor)
    agents, found, gains = [], [], []
    for i in np.flatnonzero((best < np.inf) & (reach.max(axis=1) > 0)).tolist():
        in_time(deadline)
        gross = values.corner(i, tuple(reach[i].tolist())) - values.nothing[i]
        net = gross - grid(prices, reach[i])
        at = np.argwhere(net >= floor[i])
        at = at[(at.min(axis=1) >= first) & (at.max(axis=1) > 0)]
        agents.append(np.full(len(at), i))
        found.append(at)
        gains.append(gross[tuple(at.T)])
    if not agents:
        return np.zeros(0, dtype=int), np.zeros((0, 3), dtype=int), np.zeros(0)
    return np.concatenate(agents), np.concatenate(found), np.concatenate(gains)


@dataclass(eq=False)
class Columns:
    """The columns generated so far for one set of values, and the master that weighs them.

    Money is divided by `scale` inside the master, where it is of the order of 1.
    """

    values: Bundles
    scale: float = field(init=False)
    master: Master = field(init=False)
    prices: np.ndarray = field(init=False)
    passes: int = 0
    deadline: float = np.inf
    # Where each bidder was last priced, and what its best bundle but nothing gained at most there.
    _seen: np.ndarray = field(init=False)
    _top: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.scale = float((self.values.ceilings - self.values.nothing).max()) or 1.0
        self.master = Master(np.full(3, float(self.values.quanta)))
        self.prices = first_prices(self.values, self.scale)
        self._seen = np.zeros((self.values.agents, 3))
        self._top = np.full(self.values.agents, np.inf)

    @property
    def gains(self) -> np.ndarray:
        return self.master.gain.array * self.scale

    @property
    def agents(self) -> np.ndarray:
        return self.master.group.array.astype(int)

    @property
    def bundles(self) -> np.ndarray:
        return self.master.bundle.array.astype(int)

    def known(self, prices: np.ndarray, without: int | None = None) -> np.ndarray:
        """The best gain among each bidder's columns at these prices, ≥ 0; inf: left out."""
        best = np.zeros(self.values.agents)
        np.maximum.at(best, self.agents, self.gains - self.bundles @ prices)
        if without is not None:
            best[without] = np.inf
        return best

    def price(self, prices: np.ndarray, without: int | None = None) -> tuple[float, int]:
        """One pass at these prices: (Λ(λ), number of new columns)."""
        known = self.known(prices, without)
        reach = reaches(self.values, prices, known)
        agents = np.flatnonzero(self._may_gain(prices, reach, known))
        best, found = best_bundles(self.values, prices, reach, agents, deadline=self.deadline)
        self.passes += 1
        worth = best + self.values.nothing[agents] + found @ prices
        refuse_above(self.values.ceilings, worth, agents)
        self._seen[agents] = prices
        self._top[agents] = np.maximum(best, self._beyond(prices, reach)[agents])
        new = 0
        for k in np.flatnonzero(best > known[agents] + TOLERANCE * self.scale).tolist():
            gain = best[k] + float(prices @ found[k])
            new += self.master.add(int(agents[k]), found[k], gain / self.scale)
        known[agents] = np.maximum(known[agents], best)
        inside = np.isfinite(known)
        bound = self.values.quanta * prices.sum() + (known + self.values.nothing)[inside].sum()
        return float(bound), new

    def _may_gain(self, prices: np.ndarray, reach: np.ndarray, known: np.ndarray) -> np.ndarray:
        """(N,) False: no bundle of this bidder beats what is known.

        Prices that fell by d since the bidder was last priced add at most d·reach to any gain. That
        settles most of those who had nothing and still get nothing.
        """
        risen = self._top + (np.maximum(self._seen - prices, 0.0) * reach).sum(axis=1)
        hopeful = (known > 0) | (risen > -TOLERANCE * self.scale)
        return (known < np.inf) & (reach.max(axis=1) > 0) & hopeful

    def _beyond(self, prices: np.ndarray, reach: np.ndarray) -> np.ndarray:
        """(N,) What a bundle out of reach gains at most; −inf where all is within reach."""
        least = np.where(reach < self.values.quanta, prices * (reach + 1), np.inf).min(axis=1)
        return self.values.ceilings - self.values.nothing - least

    def relax(self, *, without: int | None = None, seconds: float | None = None) -> Relaxation:
        """Solve the linear program, or that without one bidder, from what is known."""
        self.deadline = np.inf if seconds is None else time.monotonic() + seconds
        if without is not None:
            self.master.close(without)
        try:
            return self._rounds(without)
        finally:
            self.deadline = np.inf
            if without is not None:
                self.master.close(without, closed=False)

    def _rounds(self, without: int | None) -> Relaxation:
        base = self.values.nothing.sum() - (
            0.0 if without is None else self.values.nothing[without]
        )
        start = self.prices
        wide = np.where(start > 0, start, 0.1 * (start.max() or self.scale))
        low, high = np.where(start > 0, start / WIDTH, 0.0), WIDTH * wide
        stretch = np.full(3, 4.0)
        prices, done, note = start, False, ""
        value, weights = -np.inf, np.zeros(0)
        try:
            bound, _ = self.price(start, without)
        except TimeoutError:  # at prices of 0 everybody takes the best bundle there is
            inside = np.arange(self.values.agents) != (-1 if without is None else without)
            bound, prices = float(self.values.ceilings[inside].sum()), np.zeros(3)
        for _ in range(ROUNDS):
            left = None if self.deadline == np.inf else self.deadline - time.monotonic()
            if left is not None and left <= 0:
                note = "the time limit came first"
                break
            self.master.box(low / self.scale, high / self.scale)
            try:
                x, scaled, traded = self.master.solve(left)
            except RuntimeError as failed:
                note = str(failed)
                break
            # What is sold at price 0 is merely left over.
            outside = (np.abs(traded) > 1e-9 * self.values.quanta) & ((traded < 0) | (low > 0))
            if not outside.any():
                weights = self._feasible(x)
                value = base + float(self.gains @ weights)
                if bound - value <= 1e-13 * abs(bound):
                    done = True
                    break
            at = scaled * self.scale
            try:
                upper, new = self.price(at, without)
            except TimeoutError as late:
                note = str(late)
                break
            if upper < bound:
                bound, prices = upper, at
            if new:
                continue
            if not outside.any():
                done = True
                break
            # The best prices in the box are at its side: the box moves.
            sells, buys = outside & (traded > 0), outside & (traded < 0)
            low[sells] = np.where(low > 1e-6 * start.max(), low / stretch, 0.0)[sells]
            high[buys] *= stretch[buys]
            stretch[outside] **= 2
        else:
            note = f"{ROUNDS} rounds did not end"
        if without is None:
            self.prices = prices
        return Relaxation(
            value=value, bound=max(bound, value), prices=prices, weights=weights, done=done,
            note=note,
        )  # fmt: skip

    def _feasible(self, x: np.ndarray) -> np.ndarray:
        """x scaled so that rounding breaks no row."""
        per_agent = np.bincount(self.agents, weights=x, minlength=self.values.agents)
        used = self.bundles.T @ x
        over = max(1.0, per_agent.max(initial=0), float((used / self.values.quanta).max()))
        return x / over


def first_prices(values: Bundles, scale: float) -> np.ndarray:
    """Prices to start from: those of the program on few levels, 0, 1, 2, 4, …, M of each.

    All bidders together are one column here, so that a round is a small program whatever N.
    """
    bundles = coarse(values.quanta)
    gains = np.maximum(values.sample - values.nothing[:, None], 0.0) / scale
    if values.levels == "printed":
        gains[:, bundles.min(axis=1) == 0] = 0.0
    master = Master(np.full(3, float(values.quanta)))
    high = np.full(3, gains.max(initial=0.0) or 1.0)
    master.box(np.zeros(3), high)
    prices, bound, best = high / 4, np.inf, high / 4
    for _ in range(60):
        surplus = gains - bundles @ prices
        chosen = surplus.argmax(axis=1)
        worth = surplus[np.arange(len(gains)), chosen]
        buys = worth > 0
        upper = values.quanta * prices.sum() + worth[buys].sum()
        if upper < bound:
            bound, best = float(upper), prices
        total = bundles[chosen[buys]].sum(axis=0)
        if not master.add(0, total, float(gains[buys, chosen[buys]].sum())):
            break
        x, prices, traded = master.solve()
        value = float(master.gain.array @ x) - float(np.maximum(0.0, -traded) @ high)
        if bound - value <= 1e-3 * bound:
            break
    return best * scale
