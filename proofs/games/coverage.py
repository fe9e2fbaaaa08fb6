"""Do the branches of a reply leave no parameters and no earlier decisions without an answer?

A concave problem on a compact set has a solution, and all its solutions meet the first order
conditions, so branches that are derived from every active set cover everything; where a
set is unbounded or a condition could not be solved, they may not. Refuted by a point in no branch;
proved if every way to violate one condition of each branch is contradictory.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

import sympy as sp
from sympy.logic.boolalg import Boolean

from proofs.games.domains import Domain
from proofs.games.points import TRIES, holds_at, points
from proofs.games.signs import Verdict, empty

_MOST_WAYS = 48


def covered(
    branches: Sequence[tuple[Sequence[sp.Expr], Boolean]], domain: Domain, *, seed: int = 0
) -> Verdict:
    """branches: for each the expressions that must be nonnegative, and a further condition."""
    if any(not conditions and when is sp.true for conditions, when in branches):
        return Verdict(True, "one branch has no condition")
    about = [c for conditions, _ in branches for c in conditions]
    simple = all(when is sp.true for _, when in branches)
    for point in points(domain, about, seed=seed, tries=TRIES if simple else 12):
        if all(_outside(conditions, when, point, domain) for conditions, when in branches):
            return Verdict(False, "a point in no branch", point)
    if simple and prod(len(conditions) for conditions, _ in branches) <= _MOST_WAYS:
        indexed = any(c.has(s) for c in about for s in _indices(domain))
        ways = product(*(conditions for conditions, _ in branches))
        if not indexed and all(empty(_below(domain, way), tries=12).holds for way in ways):
            return Verdict(True, "every other case is contradictory")
    return Verdict(None, "no point outside of the branches was found, and none was ruled out")


def _outside(
    conditions: Sequence[sp.Expr], when: Boolean, point: dict[sp.Basic, sp.Expr], domain: Domain
) -> bool:
    if any(holds_at(condition, point, domain) is False for condition in conditions):
        return True
    return bool(when is not sp.true and when.subs(point) == False)  # noqa: E712


def _below(domain: Domain, way: Sequence[sp.Expr]) -> Domain:
    return domain.where(*(sp.Lt(condition, 0) for condition in way))


def _indices(domain: Domain) -> list[sp.Basic]:
    return [s for s, span in domain.ranges.items() if span.members is not None]
