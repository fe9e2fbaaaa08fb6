"""VCG in markets by the Groves construction, where costs may be negative: the pivot of an absent
agent against lists of all trades, and what is proved of such rules."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mechkit as mk
from proofs import exact, values

F = Fraction


def run(mechanism: mk.Mechanism, profile: Any) -> tuple[Any, Any]:
    """The exact allocation and payments of one profile, as lists."""
    outcome = mk.play(mechanism, exact(np.array([profile], dtype=object)))
    return values(outcome.allocation * 1).tolist()[0], values(outcome.payments).tolist()[0]


MARKETS = {size: mk.double_auction(*size, low=-1) for size in ((1, 1), (2, 1), (1, 2), (2, 2))}
SIGNED = st.integers(-8, 8).map(lambda k: F(k, 8))


@settings(deadline=None)
@given(st.data())
def test_without_an_agent_nobody_trades_with_it(data: Any) -> None:
    """Values and costs may be negative: a seller pays to be rid of its unit. By a list of all sets
    of as many buyers as sellers, those with the agent left out."""
    buyers, sellers = data.draw(st.sampled_from(sorted(MARKETS)))
    agents = buyers + sellers
    profile = data.draw(st.lists(SIGNED, min_size=agents, max_size=agents))
    setting = MARKETS[buyers, sellers]
    x, payments = run(mk.Mechanism.groves(setting), profile)
    signed = [v if i < buyers else -v for i, v in enumerate(profile)]
    trades = [
        z for z in itertools.product((0, 1), repeat=agents) if sum(z[:buyers]) == sum(z[buyers:])
    ]

    def gains(z: Any) -> Fraction:
        return sum((v * q for v, q in zip(signed, z, strict=True)), F(0))

    assert tuple(x) in trades
    assert gains(x) == max(map(gains, trades))
    for i in range(agents):
        without = max(gains(z) for z in trades if not z[i])
        assert payments[i] == without - (gains(x) - signed[i] * x[i])
        assert signed[i] * x[i] >= payments[i], "who takes part does not lose by it"
    # The solver's own sort, whose allocation may be another of the same gains.
    solved = mk.vcg(setting, np.array(profile, dtype=object))
    utility = [
        v * q - p for v, q, p in zip(signed, solved.allocation, solved.payments, strict=True)
    ]
    assert utility == [v * q - p for v, q, p in zip(signed, x, payments, strict=True)]


def test_a_seller_who_pays_to_be_rid_of_its_unit() -> None:
    # Value 1/2, cost −1/2: gains of 1. Without the buyer there are none, so it is paid 1/2; had an
    # absent buyer taken the unit in the pivot, the buyer would pay 0, and at −1/4 lose by trading.
    mechanism = mk.Mechanism.groves(MARKETS[1, 1])
    assert run(mechanism, [F(1, 2), -F(1, 2)]) == ([1, 1], [-F(1, 2), -F(1, 2)])
    assert run(mechanism, [-F(1, 4), -F(1, 2)]) == ([1, 1], [-F(1, 2), F(1, 4)])


@pytest.mark.parametrize(
    ("low", "proved", "refuted"),
    [
        (0, {"ir", "ic", "critical_payment", "no_positive_transfers"}, {"weak_budget_balance"}),
        (-1, {"ir", "ic", "critical_payment"}, {"no_positive_transfers", "weak_budget_balance"}),
    ],
)
def test_what_a_market_with_and_without_negative_costs_has(low, proved, refuted) -> None:
    mechanism = mk.Mechanism.groves(mk.double_auction(2, 2, low=low))
    report = mk.verify(mechanism, [*proved, *refuted], seed=0, seconds=2, prove=True)
    assert {name for name in proved if report[name].status == "proved"} == proved
    assert {name for name in refuted if report[name].status == "refuted"} == refuted
