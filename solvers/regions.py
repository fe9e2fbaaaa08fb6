"""Commitment to a strategy against best replies: one linear program for each reply.

The leader picks a point x of a polytope X, and then the follower one of n replies. If it picks k,
the leader gets x·R_k and the follower x·C_k. Reply j is a best one on the region

    X(j) = {x ∈ X : x·(C_j − C_k) ≥ 0 for all k},

and the regions cover X. Where the follower is indifferent, ties may be broken

    for the leader        max_j max {x·R_j : x ∈ X(j)}, always attained (the strong Stackelberg
                          equilibrium);
    against the leader    sup_x min_{j best at x} x·R_j. Let E(j) be the replies k with C_k = C_j,
                          between which no x decides. The supremum is the largest of

                              max {v : x·R_k ≥ v for all k ∈ E(j), x ∈ X(j)}

                          over the regions with an interior, where E(j) are the only best replies.
                          It need not be attained: at the limit point itself a worse reply may be
                          just as good to the follower.

Bounds need no solver. For any multipliers λ ≥ 0, no x ∈ X(j) is worth more than

    max {x·(R_j + Σ_k λ_k (C_j − C_k)) : x ∈ X},

which is read off the vertices of X; and X(j) has no interior if that maximum with R_j = 0 is ≤ 0
for some λ that is not 0 outside E(j). Everything is decided in rationals, since ties are.

Sources: Conitzer & Sandholm, "Computing the optimal strategy to commit to" (2006), theorem 2;
von Stengel & Zamir, "Leadership games with convex strategy sets" (2010), theorem 11.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from solvers.certificate import Checked, check, verdict
from solvers.program import Program
from solvers.vertices import face_of, solved, towards

__all__ = ["Game", "Regions", "Simplex", "Space", "optimistic", "pessimistic"]

ZERO, ONE = Fraction(0), Fraction(1)
# No value or margin is beyond this, where payoffs lie in [−1, 1] (see `Game`).
WIDE = 4.0


class Space(Protocol):
    """What the leader may choose: x (m,) with l ≤ x ≤ u and a ≤ row·x ≤ b, and one·x = 1 on all of
    it. Its interior is that relative to its affine hull, on which only equal columns agree."""

    @property
    def sides(self) -> tuple[list[float], list[float], list[int], float, float]:
        """l, u, row, a, b."""

    @property
    def one(self) -> np.ndarray: ...

    def peak(self, slopes: np.ndarray) -> Fraction:
        """max slopes·x."""

    def holds(self, x: np.ndarray) -> bool: ...


@dataclass(frozen=True)
class Simplex:
    """Mixtures over `size` actions."""

    size: int

    @property
    def sides(self) -> tuple[list[float], list[float], list[int], float, float]:
        return [0.0] * self.size, [1.0] * self.size, [1] * self.size, 1.0, 1.0

    @property
    def one(self) -> np.ndarray:
        return np.full(self.size, ONE, dtype=object)

    def peak(self, slopes: np.ndarray) -> Fraction:
        return max(slopes.tolist())

    def holds(self, x: np.ndarray) -> bool:
        return len(x) == self.size and bool((x >= 0).all()) and x.sum() == 1


@dataclass(frozen=True, eq=False)
class Game:
    """Payoffs (m, n) of both, Fractions, column k for the reply k, over the leader's space."""

    leader: np.ndarray
    follower: np.ndarray
    space: Space
    middle: Fraction = field(init=False)
    unit: Fraction = field(init=False)

    def __post_init__(self) -> None:
        columns = self.leader.T
        most = max(self.space.peak(column) for column in columns)
        least = -max(self.space.peak(-column) for column in columns)
        object.__setattr__(self, "middle", (most + least) / 2)
        object.__setattr__(self, "unit", _unit((most - least) / 2))

    def equals(self, j: int) -> list[int]:
        """E(j): the replies whose column is the same to the follower, j among them."""
        column = self.follower[:, j : j + 1]
        return np.flatnonzero((self.follower == column).all(axis=0)).tolist()

    def lead(self, j: int, k: int) -> np.ndarray:
        """C_j − C_k, divided by `lead_unit`."""
        difference = self.follower[:, j] - self.follower[:, k]
        return np.asarray(difference / self.lead_unit(j, k), dtype=object)

    def lead_unit(self, j: int, k: int) -> Fraction:
        difference = self.follower[:, j] - self.follower[:, k]
        return _unit(max(abs(v) for v in difference.tolist()))

    def worth(self, k: int) -> np.ndarray:
        """R_k, with payoffs moved and scaled into [−1, 1]."""
        return np.asarray((self.leader[:, k] - self.middle * self.space.one) / self.unit)

    def priced(self, multipliers: np.ndarray) -> np.ndarray:
        """λ (n, n) of `worth` and `lead` as those of the payoffs."""
        return np.array(
            [
                [p and p * self.unit / self.lead_unit(j, k) for k, p in enumerate(row)]
                for j, row in enumerate(multipliers.tolist())
            ],
            dtype=object,
        )

    def best_replies(self, x: np.ndarray) -> list[int]:
        gains = x @ self.follower
        return np.flatnonzero(gains == gains.max()).tolist()


def _unit(largest: Fraction) -> Fraction:
    """A power of two that is not below, 1 for 0."""
    power = largest.numerator.bit_length() - largest.denominator.bit_length() + 1
    return Fraction(2) ** power if largest else ONE


@dataclass(frozen=True, eq=False, kw_only=True)
class Regions:
    """What shows the leader's best commitment, in Fractions.

    x (m,): the strategy, or the limit of strategies. reply: the follower's. multipliers (n, n):
    the prices λ_jk of what j gives the follower beyond k. weights (n, n): the bound on X(j) is one
    on Σ_k w_jk x·R_k, a mixture over E(j) where ties are broken against the leader; a row of zeros:
    the multipliers show that the region has no interior. interior (m,): where only the replies in
    E(reply) are best; None: x itself is worth the value.
    """

    game: Game
    x: np.ndarray
    reply: int
    against: bool
    multipliers: np.ndarray
    weights: np.ndarray
    interior: np.ndarray | None = None


@check.register
def _(certificate: Regions, *, tolerance: float = 1e-9) -> Checked:
    game, against = certificate.game, certificate.against
    m, n = game.follower.shape
    given = [certificate.x, certificate.multipliers, certificate.weights]
    shapes = [array.shape for array in given]
    faults: list[tuple[Any, str]] = [
        (shapes == [(m,), (n, n), (n, n)], f"x, multipliers, weights have shapes {shapes}"),
        (0 <= certificate.reply < n, f"reply = {certificate.reply}: there are {n}"),
    ]
    if not all(ok for ok, _ in faults):
        return verdict(None, np.inf, faults, exact=True, tolerance=tolerance)
    faults = [(game.space.holds(certificate.x), "x is no strategy")]
    bounds: list[Any] = []
    for j in range(n):
        prices, weights = certificate.multipliers[j], certificate.weights[j]
        same = game.equals(j)
        others = [k for k in range(n) if k not in same]
        differences = game.follower[:, j : j + 1] - game.follower
        slopes = differences @ prices
        faults.append(((prices >= 0).all(), f"a multiplier of reply {j} is negative"))
        if against and not weights.any():
            thin = any(prices[others]) and game.space.peak(slopes) <= 0
            faults.append((thin, f"reply {j} may have an interior, and no weights bound it"))
            continue
        allowed = same if against else [j]
        fair = (weights >= 0).all() and weights[allowed].sum() == 1 == weights.sum()
        faults.append((fair, f"the weights of reply {j} are no mixture of equal replies"))
        bounds.append(game.space.peak(game.leader @ weights + slopes))
    value = _value(certificate)
    return verdict(value, max(bounds, default=-np.inf), faults, exact=True, tolerance=tolerance)


def _value(c: Regions) -> Fraction | None:
    """What x is worth, or what is approached on the way to it; None where c does not show it."""
    game = c.game
    gains, replies = c.x @ game.leader, game.best_replies(c.x)
    if c.reply not in replies:
        return None
    if not c.against:
        return gains[c.reply]
    if c.interior is None:
        return min(gains[replies])
    if not game.space.holds(c.interior):
        return None
    # (1 − ε) x + ε z leaves the follower only E(reply), for every ε in (0, 1].
    same = game.equals(c.reply)
    return min(gains[same]) if game.best_replies(c.interior) == same else None


def optimistic(game: Game, *, seconds: float = 60.0) -> Regions:
    """The best commitment where ties are broken for the leader. Raises Unfinished."""
    end = time.monotonic() + seconds
    m, n = game.follower.shape
    multipliers, weights = _zeros(n, n), _zeros(n, n) + np.eye(n, dtype=int)
    best: tuple[Fraction, int, np.ndarray] | None = None
    empty: list[int] = []
    for j in range(n):
        others = [k for k in range(n) if k not in game.equals(j)]
        margin, _, prices = _margin(game, j, others, end)
        if margin < 0:
            empty.append(j)
            multipliers[j, others] = prices
            continue
        x, value, prices = _best(game, game.worth(j), [game.lead(j, k) for k in others], end)
        multipliers[j, others] = prices
        if best is None or value > best[0]:
            best = value, j, x
    assert best is not None, "the regions cover the space"
    value, reply, x = best
    for j in empty:
        # Prices that show the region empty also bound it by anything, if they are large enough.
        leads = [p * game.lead(j, k) for k, p in enumerate(multipliers[j].tolist()) if p]
        above = max(ZERO, game.space.peak(game.worth(j)) - value)
        multipliers[j] *= above / -game.space.peak(_sum(leads, m))
    return Regions(
        game=game, x=x, reply=reply, against=False,
        multipliers=game.priced(multipliers), weights=weights,
    )  # fmt: skip


def pessimistic(game: Game, *, seconds: float = 60.0) -> Regions:
    """The supremum where ties are broken against the leader. Raises Unfinished."""
    end = time.monotonic() + seconds
    m, n = game.follower.shape
    multipliers, weights = _zeros(n, n), _zeros(n, n)
    found: list[tuple[Fraction, int, np.ndarray, np.ndarray]] = []
    for j in range(n):
        same = game.equals(j)
        others = [k for k in range(n) if k not in same]
        margin, inside, prices = _margin(game, j, others, end)
        multipliers[j, others] = prices
        if margin <= 0:
            continue
        # max v, where x·R_k − v ≥ 0 for k ∈ E(j).
        rows = [_and(game.worth(k), -ONE) for k in same]
        rows += [_and(game.lead(j, k), ZERO) for k in others]
        x, value, prices = _best(game, _lift(m), rows, end)
        weights[j, same], multipliers[j, others] = prices[: len(same)], prices[len(same) :]
        found.append((value, j, x[:m], inside))
    value = max(v for v, *_ in found)
    best = [(j, x, z) for v, j, x, z in found if v == value]
    reply, x, z = best[0]
    interior: np.ndarray | None = z
    for j, _, _ in best:
        attaining = _attained(game, j, value, end)
        if attaining is not None:
            reply, x, interior = j, attaining, None
            break
    return Regions(
        game=game, x=x, reply=reply, against=True, interior=interior, weights=weights,
        multipliers=game.priced(multipliers),
    )  # fmt: skip


def _margin(
    game: Game, j: int, others: list[int], end: float
) -> tuple[Fraction, np.ndarray, np.ndarray]:
    """max {t : x·(C_j − C_k) ≥ t for k ∉ E(j)}, its x, and multipliers that add to 1: t < 0 where
    the region is empty, t > 0 where it has an interior. They prove a t ≤ 0."""
    m = len(game.follower)
    rows = [_and(game.lead(j, k), -ONE) for k in others]
    x, margin, prices = _best(game, _lift(m), rows, end)
    return margin, x[:m], prices


def _attained(game: Game, j: int, value: Fraction, end: float) -> np.ndarray | None:
    """x ∈ X(j) at which every best reply is worth at least the value, None if there is none.

    A reply that is a best one at every candidate must be worth the value at each; demanding it
    may leave fewer candidates, at which more replies are always best. Once no more are, the mean
    of candidates that each leave one of the others behind leaves all of them behind.
    """
    m, n = game.follower.shape
    demanded = same = game.equals(j)
    while True:
        others = [k for k in range(n) if k not in demanded]
        rows = [_and(game.worth(k), -ONE) for k in demanded]
        rows += [_and(game.lead(j, k), ZERO) for k in range(n) if k not in same]
        program = _program(game, _lift(m), rows)
        vertex = solved(program, end)
        if vertex.value < value:
            return None
        # Of the candidates, what is positive at any of them.
        face = face_of(program, vertex)
        candidates, x = [vertex.x[:m]], vertex.x
        tied = [k for k in others if not x[:m] @ game.lead(j, k)]
        while tied:
            ahead = _and(_sum([game.lead(j, k) for k in tied], m), ZERO)
            vertex = solved(towards(face, ahead), end)
            if vertex.value == 0:
                break
            x = vertex.x[:m]
            candidates.append(x)
            tied = [k for k in tied if not x @ game.lead(j, k)]
        if not tied:
            return np.asarray(_sum(candidates, m) / len(candidates), dtype=object)
        demanded = sorted([*demanded, *tied])


def _best(
    game: Game, objective: np.ndarray, rows: Sequence[np.ndarray], end: float
) -> tuple[np.ndarray, Fraction, np.ndarray]:
    """The maximum of `_program`: x, the maximum, and λ ≥ 0 for each row."""
    found = solved(_program(game, objective, rows), end)
    return found.x, found.value, -found.y[: len(rows)]


def _program(game: Game, objective: np.ndarray, rows: Sequence[np.ndarray]) -> Program:
    """max objective·x over the x of the space with row·x ≥ 0 for each row. Vectors that are one
    longer have a last variable of their own, in ±WIDE."""
    from scipy import sparse

    low, high, coefficients, least, most = game.space.sides
    more = len(objective) - len(low)
    entries, columns, starts = [], [], [0]
    for row in [*(r.tolist() for r in rows), coefficients]:
        used = [i for i, v in enumerate(row) if v]
        entries += [Fraction(row[i]) for i in used]
        columns += used
        starts.append(len(columns))
    return Program(
        objective=objective.astype(float),
        matrix=sparse.csr_array(
            (np.array(entries, dtype=float), np.array(columns), np.array(starts)),
            shape=(len(rows) + 1, len(objective)),
        ),
        row_low=np.array([0.0] * len(rows) + [least]),
        row_high=np.array([np.inf] * len(rows) + [most]),
        low=np.array(low + [-WIDE] * more),
        high=np.array(high + [WIDE] * more),
        exact={"matrix": entries, "objective": objective.tolist()},
    )


def _and(row: np.ndarray, last: Fraction) -> np.ndarray:
    return np.array([*row, last], dtype=object)


def _sum(rows: Sequence[np.ndarray], m: int) -> np.ndarray:
    return np.asarray(sum(rows, _zeros(m)), dtype=object)


def _lift(m: int) -> np.ndarray:
    return np.array([ZERO] * m + [ONE], dtype=object)


def _zeros(*shape: int) -> np.ndarray:
    return np.full(shape, ZERO, dtype=object)
