"""One side of a mechanism: the other side's reports are public, and any reports."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import mechkit as mk
from mechkit.catalogue import entry_of
from mechkit.errors import InputError
from mechkit.sides import OTHERS, side


def split_the_difference(reports):  # one buyer, one seller
    value, cost = reports[:, :1], reports[:, 1:]
    trades = np.broadcast_to(value >= cost, reports.shape) * 1
    price = (value + cost) / 2
    return trades, np.concatenate([price, -price], axis=1) * trades


def buyer_pays_cost(reports):  # the buyer pays the seller's report: only the seller can gain
    value, cost = reports[:, :1], reports[:, 1:]
    trades = np.broadcast_to(value >= cost, reports.shape) * 1
    return trades, np.concatenate([cost, -cost], axis=1) * trades


def market(rule):
    return mk.Mechanism.from_outcome(mk.double_auction(1, 1), rule, "one pair")


def test_each_side_is_judged_alone():
    at_cost = market(buyer_pays_cost)
    buyer = mk.verify(side(at_cost, "buyer"), "ic", evaluations=50_000, prove=True)["ic"]
    seller = mk.verify(side(at_cost, "seller"), "ic", evaluations=50_000, prove=True)["ic"]
    assert buyer.status is mk.Status.PROVED
    assert seller.status is mk.Status.REFUTED
    assert seller.counterexample.arithmetic == "exact"


def test_the_witness_names_what_the_others_reported():
    found = mk.verify(side(market(split_the_difference), "buyer"), "ic", evaluations=50_000)["ic"]
    arrays = found.counterexample.case.arrays
    ask = arrays[f"public.{OTHERS}"][0, 0]
    value, lie = arrays["types"][0, 0], arrays["lies"][0, 0]
    # Independent of the engine: a lower bid still trades, at a lower price.
    assert value >= lie >= ask
    assert found.counterexample.gain == Fraction(value - lie) / 2 > 0


@pytest.mark.parametrize("key", ["mcafee", "aigc-mcafee", "trade-reduction"])
def test_both_sides_agree_with_the_whole(key):
    mechanism = entry_of(key).make()
    whole = mk.verify(mechanism, ["ic", "ir"], evaluations=100_000)
    for role in ("buyer", "seller"):
        part = mk.verify(side(mechanism, role), ["ic", "ir"], evaluations=100_000)
        assert part.ok
    assert whole.ok


def test_a_side_plays_as_the_whole_does():
    rng = np.random.default_rng(0)
    mechanism = entry_of("mcafee").make()
    setting = mechanism.setting
    reports = rng.integers(0, 5, (500, setting.agents)) / 4
    from mechkit.mechanism import play

    whole = play(mechanism, reports)
    for role in ("buyer", "seller"):
        mine = np.array([r == role for r in setting.roles])
        part = side(mechanism, role)
        played = play(part, reports[:, mine], {OTHERS: reports[:, ~mine]})
        assert np.array_equal(played.payments, whole.payments[:, mine])
        assert np.array_equal(played.utility(reports[:, mine]), whole.utility(reports)[:, mine])


def test_bad_roles_are_explained():
    mechanism = entry_of("mcafee").make()
    with pytest.raises(InputError, match="buyer, seller"):
        side(mechanism, "broker")
    with pytest.raises(InputError, match="some agents must act, and some not"):
        side(mechanism, ("buyer", "seller"))


def test_trades_on_a_side_are_those_of_its_agents():
    def to_the_seller_alone(reports):  # the item stays where it is, and the buyer gets nothing
        return np.broadcast_to(np.array([0, 1]), reports.shape) * 1, np.zeros_like(reports)

    setting = replace(mk.double_auction(1, 1), slack=lambda x: x[:, :0])
    mechanism = mk.Mechanism.from_outcome(setting, to_the_seller_alone, "nobody buys")
    assert mk.verify(mechanism, "ic", evaluations=5_000)["ic"].effort.trades > 0
    buyer = mk.verify(side(mechanism, "buyer"), "ic", evaluations=5_000)["ic"]
    assert buyer.effort.trades == 0
    assert buyer.status is mk.Status.UNKNOWN
    assert "vacuous" in buyer.reason


def test_a_proof_on_a_side_says_where_reports_and_what_is_public_lie():
    buyer = side(market(buyer_pays_cost), "buyer")
    domain = mk.verify(buyer, "ic", evaluations=5_000, prove=True)["ic"].certificate.domain
    assert domain.endswith("types in [0, 1], others' reports in [0, 1]")
