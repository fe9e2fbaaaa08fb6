"""The margins of properties on random mechanisms, and what must follow.

They are compared with their definitions in plain loops over Fractions, and with the implications
between properties that theorems state.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import mechkit as mk
from tests.margins import by, margin, pair
from tests.rules import highest

F = Fraction

SCORES = st.lists(st.integers(-2, 2), min_size=9, max_size=9)
REPORTS = st.lists(st.integers(0, 8).map(lambda k: F(k, 8)), min_size=3, max_size=3)
loose = settings(deadline=None, max_examples=80)


@dataclass(frozen=True)
class Linear:
    """The best score wins if it is not negative; the winner's price and everybody's fee are linear.

    scores, prices, fees: 3 × 3 integers, row by row; agent i's is Σ_j m[3 i + j] r_j.
    """

    scores: list[int]
    prices: list[int]
    fees: list[int]

    def ties(self, r: list[Fraction]) -> bool:
        """Whether two scores are equal, or one is equal to the 0 that it is compared with."""
        score = [sum((self.scores[3 * i + j] * r[j] for j in range(3)), F(0)) for i in range(3)]
        return len({*score, 0}) < 4

    def plain(self, r: list[Fraction]) -> tuple[list[int], list[Any]]:
        """Allocation and payments, one number at a time."""
        score, price, fee = (
            [sum((m[3 * i + j] * r[j] for j in range(3)), F(0)) for i in range(3)]
            for m in (self.scores, self.prices, self.fees)
        )
        best = score.index(max(score))
        x = [int(i == best and score[i] >= 0) for i in range(3)]
        return x, [x[i] * price[i] + fee[i] for i in range(3)]

    def utility(self, i: int, own: Fraction, r: list[Fraction]) -> Fraction:
        x, p = self.plain(r)
        return own * x[i] - p[i]

    @property
    def mechanism(self) -> mk.Mechanism:
        scores, prices, fees = (
            np.reshape(m, (3, 3)) for m in (self.scores, self.prices, self.fees)
        )

        def outcome(r: Any) -> tuple[Any, Any]:
            score, price, fee = ((r[:, None, :] * m).sum(axis=-1) for m in (scores, prices, fees))
            x = highest(score) & (score >= 0)
            return x, x * price + fee

        return mk.Mechanism.from_outcome(mk.single_item(3), outcome, name="linear")


linear = st.builds(Linear, SCORES, SCORES, SCORES)


@loose
@given(linear, REPORTS, REPORTS)
def test_margins_agree_with_their_definitions(m: Linear, t: Any, told: Any) -> None:
    i, j, lie = 0, 2, told[0]
    alone, together = [lie, *t[1:]], [lie, t[1], told[2]]
    x, p = m.plain(t)
    y, q = m.plain(alone)
    gain = m.utility(i, t[i], alone) - m.utility(i, t[i], t)
    gains = [m.utility(k, t[k], together) - m.utility(k, t[k], t) for k in (i, j)]
    rise = (y[i] - x[i]) * ((lie > t[i]) - (lie < t[i]))
    revenue = sum(q) - sum(p)
    moved = max(abs(a - b) for a, b in zip([*x, *p], [*y, *q], strict=True))
    own_moved = (x[i], p[i]) != (y[i], q[i])
    won = lie - p[i] if y[i] else p[i] - lie
    swapped = [t[k] * (x[k] - x[n]) - p[k] + p[n] for k in range(3) for n in range(3) if k != n]
    one, two = by(i, lie), pair(i, j, lie, told[2])
    table: tuple[tuple[str, Any, dict[str, Any]], ...] = (
        ("feasible", min(0, 1 - sum(x)), {}),
        ("ir", min(m.utility(k, t[k], t) for k in range(3)), {}),
        ("weak_budget_balance", sum(p), {}),
        ("strong_budget_balance", -abs(sum(p)), {}),
        ("no_positive_transfers", min(p), {}),
        ("envy_free", min(swapped), {}),
        ("ic", -gain, one),
        ("ex_post_nash", -gain, one),
        ("monotone", rise, one),
        ("critical_payment", won if x[i] else -abs(p[i]), one),
        ("non_bossy", 0 if own_moved else -moved, one),
        ("revenue_monotone", revenue if lie >= t[i] else 0, one),
        ("group_ic", -min(gains), two),
        ("strong_group_ic", -max(gains) if min(gains) >= 0 else -min(gains), two),
        ("collusion_proof", -sum(gains), two),
    )
    for name, expected, case in table:
        assert margin(m.mechanism, name, types=t, **case) == expected, name


@loose
@given(linear, REPORTS)
def test_anonymity_is_measured_wherever_the_rule_meets_no_tie(m: Linear, t: Any) -> None:
    mirrored = [t[2], t[1], t[0]]
    assume(not m.ties(t) and not m.ties(mirrored))
    (x, p), (y, q) = m.plain(t), m.plain(mirrored)
    apart = max(abs(a - b) for a, b in zip([*x, *p], [*y[::-1], *q[::-1]], strict=True))
    assert margin(m.mechanism, "anonymous", types=t, who=[0, 2]) == -apart


@loose
@given(linear, REPORTS, REPORTS)
def test_stronger_properties_imply_weaker_ones(m: Linear, t: Any, told: Any) -> None:
    def of(name: str, **case: Any) -> Fraction:
        return margin(m.mechanism, name, types=t, **case)

    both = pair(0, 2, told[0], told[2])
    group, strong, sum_ = (
        of(n, **both) for n in ("group_ic", "strong_group_ic", "collusion_proof")
    )
    assert strong <= group
    assert strong >= 0 or sum_ < 0, "side payments let a pair do what it can do without them"
    assert of("strong_budget_balance") <= of("weak_budget_balance")
    # A pair in which one member is truthful gains no more than the liar does alone.
    half = of("group_ic", **pair(0, 2, told[0], t[2]))
    alone = of("ic", who=[0], lies=[told[0]])
    assert half >= alone
    # Swapping allocations there and back: Myerson's monotonicity is the sum of two ic margins.
    back = margin(m.mechanism, "ic", types=[told[0], *t[1:]], who=[0], lies=[t[0]])
    rise = of("monotone", who=[0], lies=[told[0]])
    assert alone + back == rise * abs(told[0] - t[0])


@loose
@given(st.lists(st.integers(-2, 2), min_size=18, max_size=18), st.tuples(REPORTS, REPORTS, REPORTS))
def test_a_cycle_s_margin_is_the_sum_of_its_ic_margins(weights: list[int], types: Any) -> None:
    """Rochet 1987: payments cancel over a cycle of one agent's types."""
    scores, prices = np.reshape(weights, (2, 3, 3))

    def outcome(r: Any) -> tuple[Any, Any]:
        score, price = ((r[:, 0, None, :] * m).sum(axis=-1) for m in (scores, prices))
        x = highest(score)
        return x[:, None, :], (x * price).sum(axis=-1, keepdims=True)

    mechanism = mk.Mechanism.from_outcome(mk.additive(1, 3), outcome)
    for check, length in ((0, 2), (1, 3)):
        cycle: Any = types[:length]
        total = sum(
            margin(mechanism, "ic", types=[own], who=[0], lies=[cycle[(k + 1) % length]])
            for k, own in enumerate(cycle)
        )
        found = margin(
            mechanism, "cyclic_monotone", check=check, types=[cycle[0]], who=[0], cycle=cycle[1:]
        )
        assert found == total


@loose
@given(
    st.lists(st.integers(-2, 2), min_size=9, max_size=9), st.lists(st.integers(0, 3), min_size=3)
)
def test_bic_is_the_weighted_sum_of_ic(scores: list[int], told: list[int]) -> None:
    levels, weights = [F(k, 4) for k in range(4)], (F(1, 2), F(1, 4), F(1, 8), F(1, 8))
    m = Linear(scores, scores[::-1], [0] * 9)
    setting = mk.single_item(3, levels=levels, prior=weights)
    mechanism = m.mechanism.on(setting)
    own, lie = levels[told[0]], levels[told[1]]
    margins_, value = F(0), F(0)
    for a, p in zip(levels, weights, strict=True):
        for b, q in zip(levels, weights, strict=True):
            here = m.utility(1, own, [a, own, b])
            margins_ += p * q * (here - m.utility(1, own, [a, lie, b]))
            value += p * q * here
    case: dict[str, Any] = {"types": [0, own, 0], "who": [1], "lies": [lie]}
    assert margin(mechanism, "bic", **case) == margins_
    assert margin(mechanism, "interim_ir", **case) == value
