"""A mechanism declared from nothing, setting and all: a facility on a street.

Moulin 1980: the median of the reported homes is truthful on single-peaked preferences, the mean is
not. Both are put to every lie on a grid, and the mean's gains are those of a plain loop.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

import mechkit as mk
from mechkit.deviations import Case
from mechkit.properties import PROPERTIES
from mechkit.replay import margins
from mechkit.settings import Setting
from mechkit.spaces import box
from proofs import exact, values

F = Fraction


def facility(voters: int) -> Setting:
    """A facility on a street: each voter's type is its home, and it walks |home − facility|."""
    return Setting(
        name=f"facility, {voters} voters",
        types=box(voters),
        allocation_shape=(),
        value=lambda homes, place: -np.abs(homes - place[..., None]),
        slack=lambda place: np.stack([place, 1 - place], axis=-1),
        roles=("voter",) * voters,
        personal=False,
        resize=lambda counts: facility(counts["voter"]),
    )


def nothing(reports: Any, allocation: Any) -> Any:
    return np.zeros_like(reports)


def median(reports: Any) -> Any:
    return np.sort(reports, axis=-1)[..., reports.shape[-1] // 2]


def mean(reports: Any) -> Any:
    return reports.sum(axis=-1) / reports.shape[-1]


QUARTERS = [F(k, 4) for k in range(5)]


def every_lie(agents: int) -> Iterator[tuple[list[F], int, F]]:
    for homes in itertools.product(QUARTERS, repeat=agents):
        for i, lie in itertools.product(range(agents), QUARTERS):
            yield list(homes), i, lie


def least_margin(mechanism: mk.Mechanism, name: str) -> tuple[Fraction, int]:
    """The least margin over every deviation of one voter on the grid of quarters, and how many."""
    found = []
    for i in range(mechanism.setting.agents):
        rows = [(h, lie) for h, who, lie in every_lie(mechanism.setting.agents) if who == i]
        case = Case(
            "deviation",
            (i,),
            {
                "types": np.array([h for h, _ in rows], dtype=object),
                "lies": np.array([[lie] for _, lie in rows], dtype=object),
            },
        )
        found += margins(mechanism, PROPERTIES[name], 0, case)
    return min(found), len(found)  # type: ignore[type-var, return-value]


def test_the_median_is_truthful_on_single_peaked_preferences() -> None:
    least, cases = least_margin(mk.Mechanism(facility(3), median, nothing, name="median"), "ic")
    assert cases == 3 * 5**4
    assert least == 0


def test_the_mean_is_not() -> None:
    # Of homes 1/2, 1, 1 the mean is 5/6; the first voter reports 0 and has it at 2/3, 1/6 nearer.
    gains = []
    for homes, i, lie in every_lie(3):
        told = [*homes[:i], lie, *homes[i + 1 :]]
        gains.append(abs(homes[i] - F(sum(homes), 3)) - abs(homes[i] - F(sum(told), 3)))
    least, _ = least_margin(mk.Mechanism(facility(3), mean, nothing, name="mean"), "ic")
    assert max(gains) >= F(1, 6)
    assert least == -max(gains)


def test_the_facility_serves_more_voters() -> None:
    larger = mk.Mechanism(facility(3), median, nothing).resized(5)
    homes = exact([[F(1, 5), F(1), F(0), F(3, 5), F(2, 5)]])
    outcome = mk.play(larger, homes)
    assert values(outcome.allocation).tolist() == [F(2, 5)]
    assert values(outcome.utility(homes)).tolist() == [
        [-F(1, 5), -F(3, 5), -F(2, 5), -F(1, 5), 0],
    ]
    assert facility(3).feasible(np.array([0.5, 2.0])).tolist() == [True, False]
