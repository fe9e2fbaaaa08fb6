"""What a utility does that still rises at the farthest decision which a search tries.

Either it has no upper bound, or its maximum is farther away, or it comes closer and closer to a
number that no decision attains. Values do not tell these apart; the limit of the formula does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from proofs.games.lowered import Lowered
from proofs.limits import Clock

RISING = "the utility still rises at the farthest decision that search tries (1e13 or more)"
_SECONDS = 3.0


def growth(mover: Lowered, values: Mapping[Any, Any], *, last: bool) -> str:
    """In words, for a mover whose utility still rises; values: of parameters and decisions.

    last: nobody replies later, so that the utility is a formula in the mover's decisions.
    """
    neither = (
        f"the utility of {mover.name} still rises at 1e13, the farthest that search goes: it has "
        "no upper bound, or its maximum is farther away"
    )
    if not last:
        return neither
    for x, direction, limit in _limits(mover, values):
        way = "grows" if direction == sp.oo else "falls"
        if limit == sp.oo:
            return f"the utility of {mover.name} has no upper bound: it tends to ∞ as {x} {way}"
        if limit == -sp.oo:
            return (
                f"the utility of {mover.name} has its maximum where {x} is beyond 1e13, farther "
                "than search goes; choose other units"
            )
        return (
            f"the utility of {mover.name} still rises at 1e13, towards {sp.N(limit, 6)} as {x} "
            f"{way}: no decision is the best"
        )
    return neither


def _limits(mover: Lowered, values: Mapping[Any, Any]) -> list[tuple[Any, Any, Any]]:
    """(decision, direction, limit) where a decision has gone far, for the first such member."""
    clock = Clock(_SECONDS)
    numbers = {s: v if isinstance(v, sp.Basic) else sp.Rational(v) for s, v in values.items()}
    player = mover.mover
    member = getattr(player, "member", None)
    size = int(mover.size.subs(numbers))
    found = []
    for one in [member(k) for k in range(1, size + 1)] if member else [player]:
        for decision in one.decisions:
            x = decision.symbol
            if not abs(numbers[x]) >= 1e9:
                continue
            t = sp.Dummy("t", positive=True)
            direction = sp.oo if numbers[x] > 0 else -sp.oo
            others = {s: v for s, v in numbers.items() if s != x}
            # Sizes of families first, so that sums can be written out.
            plain = {s: v for s, v in others.items() if s.is_Symbol}
            along = one.utility.subs(plain).doit().subs(others)
            along = along.subs(x, t if direction == sp.oo else -t)
            limit = clock.limited(sp.limit, along, t, sp.oo, seconds=_SECONDS)
            if limit is not None and limit.is_extended_real:
                found.append((x, direction, limit))
    # What tends to infinity says most.
    return sorted(found, key=lambda one: one[2] != sp.oo)
