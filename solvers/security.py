"""Security games: which targets to guard, and how often, when an attacker watches first.

A defender has k identical resources, each of which covers one of n targets, and commits to cover
target i with probability c_i. The attacker sees c and attacks one target. Attacking i gives

    defender   c_i · covered_i + (1 − c_i) · uncovered_i,
    attacker   c_i · covered_i + (1 − c_i) · uncovered_i, with payoffs of its own.

Only coverage matters, and c is the coverage of some lottery over sets of at most k targets exactly
if 0 ≤ c ≤ 1 and Σ c ≤ k. So the game is one of commitment to a point of this polytope, n numbers
instead of the C(n, k) sets, and `regions` solves one linear program for each target attacked, with
ties for the defender and against it. Systematic sampling turns c into such a lottery: lay the c_i
end to end, and cover the targets in whose stretches u, u + 1, u + 2, … fall, u uniform on [0, 1).
No stretch is longer than 1, so no target is met twice.

Sources: Kiekintveld et al., "Computing optimal randomized resource allocations for massive security
games" (2009); Korzhyk, Conitzer & Parr, "Complexity of computing optimal Stackelberg strategies in
security resource allocation games" (2010); Madow, "On the theory of systematic sampling" (1949).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from solvers.arrays import is_exact, numbers, whole
from solvers.commitment import Commitment, answer
from solvers.regions import Game

__all__ = ["Covers", "Schedule", "schedules", "security"]


@dataclass(frozen=True)
class Covers:
    """(1, c_1, …, c_n) with 0 ≤ c ≤ 1 and Σ c ≤ k: the constant makes payoffs linear."""

    targets: int
    resources: int

    @property
    def sides(self) -> tuple[list[float], list[float], list[int], float, float]:
        n = self.targets
        most = float(min(n, self.resources))
        return [1.0] + [0.0] * n, [1.0] * (n + 1), [0] + [1] * n, 0.0, most

    @property
    def one(self) -> np.ndarray:
        return np.array([Fraction(1)] + [Fraction(0)] * self.targets, dtype=object)

    def peak(self, slopes: np.ndarray) -> Fraction:
        best = sorted((s for s in slopes[1:].tolist() if s > 0), reverse=True)
        return sum(best[: self.resources], slopes[0])

    def holds(self, x: np.ndarray) -> bool:
        c = x[1:]
        inside = len(c) == self.targets and x[0] == 1 and ((c >= 0) & (c <= 1)).all()
        return bool(inside) and c.sum() <= self.resources


@dataclass(frozen=True, eq=False)
class Schedule:
    """Targets that are covered together, with what probability."""

    probability: Any
    targets: tuple[int, ...]


def security(
    *,
    resources: int,
    defender_covered: Any,
    defender_uncovered: Any,
    attacker_covered: Any,
    attacker_uncovered: Any,
    seconds: float = 60.0,
) -> Commitment:
    """The defender's best coverage; `.pessimistic` has the attacker's ties against the defender.

    resources: k ≥ 1. The payoffs: (n,) each, by the target attacked; covering never hurts the
    defender and never helps the attacker. Fractions give answers in Fractions. allocation: c (n,),
    of which `schedules` makes a lottery. reply: the target attacked; where the attacker may also
    not attack at all, let that be a target.

    Raises ValueError for lengths that differ, no targets, NaN, and payoffs in the wrong order.
    """
    k = whole(resources, 1, "resources")
    given = {
        "defender_covered": defender_covered,
        "defender_uncovered": defender_uncovered,
        "attacker_covered": attacker_covered,
        "attacker_uncovered": attacker_uncovered,
    }
    read = {name: numbers(values, 1, name) for name, values in given.items()}
    shapes = {name: values.shape for name, values in read.items()}
    n = len(read["defender_covered"])
    if set(shapes.values()) != {(n,)} or not n:
        raise ValueError(f"payoffs have shapes {shapes}: expected (n,) for all, n ≥ 1 targets")
    fractions = {name: [Fraction(v) for v in values.tolist()] for name, values in read.items()}
    sides = []
    for who, sign in (("defender", 1), ("attacker", -1)):
        covered, uncovered = fractions[f"{who}_covered"], fractions[f"{who}_uncovered"]
        table = np.full((n + 1, n), Fraction(0), dtype=object)
        for i, (c, u) in enumerate(zip(covered, uncovered, strict=True)):
            if sign * (c - u) < 0:
                raise ValueError(
                    f"{who}_covered[{i}] = {c} and {who}_uncovered[{i}] = {u}: expected that "
                    "covering a target never hurts the defender and never helps the attacker"
                )
            table[0, i], table[i + 1, i] = u, c - u
        sides.append(table)
    game = Game(leader=sides[0], follower=sides[1], space=Covers(n, k))
    found = answer(game, exact=is_exact(*read.values()), seconds=seconds)
    return _coverage(found)


def schedules(coverage: Any, resources: int) -> tuple[Schedule, ...]:
    """A lottery over sets of at most `resources` targets that covers target i with probability c_i.

    coverage: c (n,), floats or Fractions, from 0 to 1, with Σ c ≤ resources. At most n + 1 sets;
    probabilities add to 1, Fractions where c holds objects. Raises ValueError for another c.
    """
    k = whole(resources, 1, "resources")
    c = numbers(coverage, 1, "coverage")
    if c.ndim != 1:
        raise ValueError(f"coverage has shape {c.shape}: expected (n,)")
    if ((c < 0) | (c > 1)).any():
        raise ValueError(f"coverage holds {c[(c < 0) | (c > 1)][0]}: expected numbers in [0, 1]")
    slack = 0 if is_exact(c) else 1e-9
    if c.sum() > k + slack:
        raise ValueError(f"coverage sums to {c.sum()}: expected at most resources = {k}")
    ends = np.cumsum([Fraction(0), *(Fraction(v) for v in c.tolist())])
    if ends[-1] > k:  # by rounding
        ends = ends * (k / ends[-1])
    turns = sorted({Fraction(0), Fraction(1), *(e % 1 for e in ends.tolist())})
    found = []
    for low, high in pairwise(turns):
        # The first of low, low ± 1, … that is at least a; no turn lies inside the stretch of u.
        met = tuple(i for i, (a, b) in enumerate(pairwise(ends)) if low - (low - a) // 1 < b)
        chance = high - low
        found.append(Schedule(chance if is_exact(c) else float(chance), met))
    return tuple(found)


def _coverage(found: Commitment) -> Commitment:
    """The record with the constant left out of its strategies."""
    inner = None if found.pessimistic is None else _coverage(found.pessimistic)
    c = None if found.allocation is None else found.allocation[1:]
    return replace(found, allocation=c, pessimistic=inner)
