"""The brute force agrees with loops in plain Python, and with definitions where more is seen.

The loops are in `plain`; where a rule or a value sees more than the reports, the definition stands
in the test. `test_oracle_by_hand` pins the brute force a second time, by numbers.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from mechkit.constructors import single_item
from mechkit.mechanism import Mechanism
from mechkit.settings import Lottery, Setting
from mechkit.spaces import box
from tests.oracle import CHECKS, excess, judge, table
from tests.plain import (
    BIDDERS,
    LOOPS,
    PLAIN,
    PRIOR,
    THREE,
    Plain,
    Played,
    Profile,
    Rule,
    lottery_of,
    mechanism_of,
    played,
    put,
    random_rule,
)

# The same definitions as loops --------------------------------------------------------------------


@pytest.mark.parametrize("name", PLAIN)
def test_agrees_with_plain_loops(name: str) -> None:
    plain = PLAIN[name]
    mechanism, seen = mechanism_of(plain), 0
    for prop, judgement in table(mechanism).items():
        if judgement.decided == "cannot":
            continue
        worst = max(LOOPS[prop](plain))
        assert judgement.decided != "vacuous"
        assert (judgement.decided == "violated") == (worst > 0), (prop, worst, judgement)
        if worst > 0:
            assert excess(judgement) == pytest.approx(float(worst)), prop
        seen += 1
    # Vectors over two levels are neither finite numbers nor free of ties; trade has sellers.
    assert seen == {"pair": 16, "trade": 20}.get(plain.key, 21)


RULES: list[Rule] = [random_rule(8, 1, 0.8), random_rule(9, 1, 0.8)]


def test_lottery_in_expectation_is_the_mean_rule() -> None:
    weights = (Fraction(1, 3), Fraction(2, 3))

    def mean(reports: Profile) -> Played:
        (x, p), (y, q) = (rule(reports) for rule in RULES)
        a, b = weights
        rows = tuple((a * k[0] + b * m[0],) for k, m in zip(x, y, strict=True))
        return rows, tuple(a * k + b * m for k, m in zip(p, q, strict=True))

    plain = Plain(BIDDERS, THREE, mean, PRIOR)
    found = table(lottery_of(plain, RULES, Lottery(draws=[0, 1], weights=weights)))
    compared = {k for k, judgement in found.items() if judgement.decided != "cannot"}
    assert compared == set(CHECKS) - {"cyclic_monotone"}
    for name in compared:
        worst = max(LOOPS[name](plain))
        assert (found[name].decided == "violated") == (worst > 0), name
        if worst > 0:
            assert excess(found[name]) == pytest.approx(float(worst)), name


def test_lottery_draw_by_draw_is_the_worse_of_the_rules() -> None:
    plain = [Plain(BIDDERS, THREE, rule, PRIOR) for rule in RULES]
    found = table(lottery_of(plain[0], RULES, Lottery(draws=[0, 1], every=True)))
    # Exact expectations over the others' types are not defined draw by draw.
    compared = {k for k, judgement in found.items() if judgement.decided != "cannot"}
    assert compared == set(CHECKS) - {"cyclic_monotone", "bic", "interim_ir"}
    for name in compared:
        worst = max(max(LOOPS[name](m)) for m in plain)
        assert (found[name].decided == "violated") == (worst > 0), name
        if worst > 0:
            assert excess(found[name]) == pytest.approx(float(worst)), name


# Where a rule or a value sees more than the reports -----------------------------------------------


def common(rule: Rule, **more: Any) -> Mechanism:
    """Two bidders with θ_i + θ_j / 2 for the item, reports in {0, 1, 2}."""
    setting = Setting(
        name="common value",
        types=box(2, low=0, high=2, levels=(0, 1, 2)),
        allocation_shape=(2,),
        value=lambda types, x: (types + types[:, ::-1] / 2) * x,
        slack=lambda x: 1 - x.sum(axis=1, keepdims=True),
        **more,
    )
    return Mechanism.from_outcome(setting, lambda reports: played(rule, reports))


def vickrey_of_common(reports: Profile) -> Played:
    """Generalised Vickrey: the winner pays its value at the least winning signal, the other's."""
    winner = int(reports[1] > reports[0])
    x = tuple((int(i == winner),) for i in (0, 1))
    return x, tuple(Fraction(3, 2) * reports[1 - i][0] * x[i][0] for i in (0, 1))


@pytest.mark.parametrize("rule", [vickrey_of_common, random_rule(10, 1, 1)])
@pytest.mark.parametrize("declared", [True, False])
def test_interdependent_values(rule: Rule, declared: bool) -> None:
    mechanism = common(rule, interdependent=declared)
    dominant, nash, pairs = [], [], []
    for t, r, lie in itertools.product(itertools.product(THREE, repeat=2), repeat=3):
        gains = []
        for i in (0, 1):
            worth = t[i][0] + Fraction(t[1 - i][0], 2)

            def u(said: Profile, i: int = i, worth: Fraction = worth) -> Fraction:
                x, p = rule(said)
                return worth * x[i][0] - p[i]

            others = put(r, **{f"_{i}": t[i]})
            dominant.append(u(put(others, **{f"_{i}": lie[i]})) - u(others))
            nash.append(u(put(t, **{f"_{i}": lie[i]})) - u(t))
            gains.append(u(lie) - u(t))
        pairs.append(min(gains))
    for name, gains in {"ic": dominant, "ex_post_nash": nash, "group_ic": pairs}.items():
        judgement = judge(mechanism, name)
        assert (judgement.decided == "violated") == (max(gains) > 0)
        if max(gains) > 0:
            assert excess(judgement) == pytest.approx(float(max(gains)))
    if rule is vickrey_of_common:
        assert max(dominant) > 0 >= max(nash)


def test_rule_that_sees_the_types() -> None:
    """Agent 0 faces the price θ_1, as long as agent 1 says it, and pays its own bid otherwise."""

    def outcome(reports: np.ndarray, public: Any) -> tuple[np.ndarray, np.ndarray]:
        known = public["estimate"]
        buys = reports[:, 0] >= known
        price = np.where(reports[:, 1] == known, known, reports[:, 0])
        x = np.stack([buys, np.zeros_like(buys)], axis=1)
        return x, x * price[:, None]

    setting = single_item(2).with_public(estimate=lambda types: types[:, 1])
    mechanism = Mechanism.from_outcome(setting, outcome)
    assert judge(mechanism, "ex_post_nash").decided == "no violation on the grid"
    # θ = (1, 0) and r_1 > 0: bidding 0 still wins, at 0 instead of 1.
    judgement = judge(mechanism, "ic")
    assert judgement.witness is not None
    assert judgement.witness["excess"] == 1
    assert judgement.witness["types"] == [1, 0]
    assert judge(mechanism, "anonymous").decided == "cannot"


@pytest.mark.parametrize(("scale", "decided"), [(2, "no violation on the grid"), (1, "violated")])
def test_reports_in_another_space(scale: int, decided: str) -> None:
    """Bids are in half units: a second price in bids is one in values only if truth is 2θ."""
    setting = Setting(
        name="half units",
        types=box(2),
        reports=box(2, high=2),
        truthful=lambda types: scale * types,
        allocation_shape=(2,),
        value=lambda types, x: types * x,
        slack=lambda x: 1 - x.sum(axis=1, keepdims=True),
    )

    def outcome(reports: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first = reports[:, 0] >= reports[:, 1]
        x = np.stack([first, ~first], axis=1)
        return x, x * reports[:, ::-1] / 2

    mechanism = Mechanism.from_outcome(setting, outcome)
    assert judge(mechanism, "ic").decided == decided
    assert judge(mechanism, "critical_payment").decided == "cannot"
    if scale == 1:
        # (1/2, 1) reports itself: agent 0 loses; with 1 or more it would win at 1/2 or less.
        assert excess(judge(mechanism, "ex_post_nash")) == 0.5


def test_public_space() -> None:
    """A price drawn publicly: IR fails only when buyers of less are made to buy."""
    setting = single_item(1).with_public(price=box(1))

    def outcome(reports: np.ndarray, public: Any, forced: bool) -> tuple[np.ndarray, np.ndarray]:
        x = (reports >= public["price"]) | forced
        return x, x * public["price"]

    for forced, worst in ((False, None), (True, 1.0)):
        mechanism = Mechanism.from_outcome(
            setting, lambda reports, public, forced=forced: outcome(reports, public, forced)
        )
        witness = judge(mechanism, "ir").witness
        assert (witness and witness["excess"]) == worst
        if witness is not None:
            assert (witness["types"], witness["public"]) == ([0], {"price": [1]})
