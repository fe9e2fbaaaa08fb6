"""Eq. 13, the UAV's contract bid: a maximum where a maximiser is meant.

A UAV of value v_0 that has the task whenever the highest other value v_max is at most its bid b,
and then pays v_max, has the expected profit

    profit(b) = E[(v_0 − v_max) 1(v_max ≤ b)] ≤ E[max(v_0 − v_max, 0)] = profit(v_0).

The printed b_0 is that maximum. It maximises the profit only if nothing lies between it and v_0.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from mechkit.papers.claim import Effort, Finding
from mechkit.verdict import Status

EIGHTHS = tuple(Fraction(k, 8) for k in range(9))


def profit(value: Fraction, rivals: tuple[Fraction, ...], bid: Fraction) -> Fraction:
    """The mean over equally likely highest rival values of what the UAV gains with this bid."""
    gains = (value - rival for rival in rivals if rival <= bid)
    return sum(gains, Fraction(0)) / len(rivals)


def printed(value: Fraction, rivals: tuple[Fraction, ...]) -> Fraction:
    """The maximum of the profit over all bids; it steps up and down at rival values only."""
    return max(profit(value, rivals, bid) for bid in (Fraction(0), value, *rivals))


def decide(effort: Effort) -> Finding:
    """Enumerates values and pairs of equally likely rival values in eighths; the first failure in
    which the maximiser v_0 is strictly better than the printed bid refutes."""
    tried = 0
    for value in reversed(EIGHTHS[1:]):
        for rivals in itertools.combinations(EIGHTHS, 2):
            tried += 1
            bid = printed(value, rivals)
            if profit(value, rivals, bid) < profit(value, rivals, value):
                numbers = {"value": str(value), "rivals": [str(rival) for rival in rivals]}
                return Finding(
                    Status.REFUTED,
                    "enumeration, exact",
                    _told(value, rivals),
                    exercised=tried,
                    numbers=numbers,
                    told=_told(value, rivals),
                )
    return Finding(
        Status.UNREFUTED, "enumeration, exact", f"{tried} distributions in eighths", exercised=tried
    )


def replay(status: Status, numbers: Mapping[str, Any]) -> str:
    """Confirms a refutation from its numbers; raises ValueError where it does not hold."""
    if status is not Status.REFUTED:
        raise ValueError(f"status {status}: only a refutation of this claim can be replayed")
    try:
        value = Fraction(numbers["value"])
        rivals = tuple(Fraction(rival) for rival in numbers["rivals"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ValueError(
            f"numbers {dict(numbers)!r}: expected 'value' and 'rivals', exact as in '7/8' ({error})"
        ) from error
    if not rivals or min(value, *rivals) < 0:
        raise ValueError(f"value {value}, rivals {rivals}: expected values of at least 0")
    bid = printed(value, rivals)
    if not profit(value, rivals, bid) < profit(value, rivals, value):
        raise ValueError(f"the printed bid {bid} is as good as {value}: this refutes nothing")
    return _told(value, rivals)


def _told(value: Fraction, rivals: tuple[Fraction, ...]) -> str:
    bid = printed(value, rivals)
    return (
        f"value {value}, highest other value one of {', '.join(map(str, rivals))}, equally likely: "
        f"the printed b_0 = {bid} has an expected profit of {profit(value, rivals, bid)}; "
        f"bidding {value}, it is {profit(value, rivals, value)}"
    )
