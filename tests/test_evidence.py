"""Verdicts are never stronger than their evidence: sound rules in awkward places stay unrefuted,
plain faults there are found, and the reasons are true."""

from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest
from scipy import stats

import mechkit as mk
from mechkit.verdict import Status
from tests.rules import first_price, highest, order, pay_first, pay_second, second_price

BUDGET = {"evaluations": 60_000, "seconds": 60}


def status(mechanism, name, **options):
    return mk.verify(mechanism, name, **{**BUDGET, **options})[name].status


def opaque(array):
    """The same numbers, by a way that exact arithmetic does not follow."""
    return np.array([[float(x) for x in row] for row in array])


# Undefined at some rationalisations -----------------------------------------------------------


def test_division_by_zero_at_a_rounded_profile_does_not_make_a_rule_opaque():
    """limit_denominator rounds a profile of small reports to zeros, where the shares are 0/0."""
    mechanism = mk.Mechanism(
        mk.single_item(3, low=F(1, 1000), high=F(1, 20)),
        lambda b: highest(b / b.sum(axis=-1, keepdims=True)),
        pay_first,
    )
    witness = mk.verify(mechanism, "ic", **BUDGET)["ic"].counterexample
    assert witness.arithmetic == "exact"


# Scales ----------------------------------------------------------------


@pytest.mark.parametrize("high", [10**9, F(1, 10**9)])
def test_an_item_given_twice_is_found_at_any_scale_of_money(high):
    both = mk.Mechanism(mk.single_item(2, high=high), lambda b: b >= 0, lambda b, x: b * 0)
    assert status(both, "feasible") is Status.REFUTED


def test_a_fault_in_small_money_is_found():
    rates = mk.positions(3, [F(1, 10**10)])
    first = mk.Mechanism(
        rates,
        lambda b: highest(b)[..., None],
        lambda b, x: x[..., 0] * b / 10**10,
        name="first price for a rare click",
    )
    assert status(first, "ic") is Status.REFUTED


def test_rounding_in_large_money_is_not_a_fault():
    rates = mk.positions(3, [10**8])
    second = mk.Mechanism(
        rates,
        lambda b: highest(b)[..., None],
        lambda b, x: x[..., 0] * np.sort(opaque(b), axis=-1)[:, -2:-1] / 3 * 3e8,
        name="second price for many clicks, by floats",
    )
    assert mk.verify(second, ["ir", "ic", "envy_free"], **BUDGET).ok


def test_rounding_of_shares_is_not_a_fault():
    def share(bids):
        weights = np.exp(opaque(bids) * 1e9)
        return (weights / weights.sum(axis=-1, keepdims=True))[..., None]

    softmax = mk.Mechanism(mk.divisible(3, high=1e-9), share, lambda b, x: b * 0)
    assert status(softmax, "feasible") is Status.UNREFUTED


# Ties ----------------------------------------------------------------


def test_ties_on_levels_do_not_refute_anonymity_in_floats():
    levels = mk.single_item(3, high=3, levels=range(4))
    rule = mk.Mechanism(levels, highest, lambda b, x: x * order(opaque(b), 2))
    assert status(rule, "anonymous") is Status.UNREFUTED


def test_ties_of_the_second_order_do_not_refute_anonymity():
    nearest = mk.Mechanism(
        mk.single_item(3),
        lambda b: np.arange(3) == np.argmin((b - 0.5) ** 2, axis=-1)[..., None],
        lambda b, x: b * 0,
    )
    assert status(nearest, "anonymous", evaluations=200_000) is Status.UNREFUTED


# What a deviation is ----------------------------------------------------------------


def test_a_newcomer_reports_in_the_space_of_reports():
    def setting(agents):
        return mk.Setting(
            name="bids from 10 to 20",
            types=mk.box(agents),
            reports=mk.box(agents, low=10, high=20),
            truthful=lambda types: 10 + 10 * types,
            allocation_shape=(agents,),
            value=lambda types, allocation: types * allocation,
            slack=lambda allocation: 1 - allocation,
            resize=lambda counts: setting(counts["bidder"]),
        )

    flat = mk.Mechanism(setting(2), lambda b: b * 0 + 1, lambda b, x: b - 10, name="open fee")
    assert status(flat, "revenue_monotone") is Status.UNREFUTED


def test_scaled_bids_stay_on_their_levels():
    steps = mk.single_item(2, low=0, high=4, levels=range(5))

    def allocate(bids):
        if isinstance(bids, np.ndarray) and (bids != np.round(bids)).any():
            raise ValueError("no such bid")
        return highest(np.floor(bids))

    rule = mk.Mechanism(steps, allocate, pay_second)
    assert status(rule, "adverse_selection_free") is Status.UNREFUTED


def test_a_value_that_the_declaration_contradicts_is_refused():
    scaled = replace(
        mk.single_item(2).with_public(scale=mk.box(1, low=F(1, 2), high=2)),
        value=lambda types, allocation, *, public: types * allocation * public["scale"],
    )
    rule = mk.Mechanism(
        scaled,
        lambda b, *, public: highest(b),
        lambda b, x, *, public: pay_second(b, x) * public["scale"],
    )
    with pytest.raises(mk.InputError, match="value is not θ · quantity"):
        mk.verify(rule, "ic", **BUDGET)
    with pytest.raises(mk.InputError, match="joint_value"):
        mk.verify(replace(rule, setting=replace(scaled, quantity=None)), "ic", **BUDGET)
    bare = replace(scaled, quantity=None, joint_value=None)
    assert status(replace(rule, setting=bare), "ic") is Status.UNREFUTED


def test_split_identities_are_left_alone_where_values_depend_on_others():
    common = replace(
        mk.single_item(3),
        value=lambda types, allocation: allocation * types.mean(axis=-1, keepdims=True),
        interdependent=True,
        quantity=None,
        joint_value=lambda types, parts: types * (parts * 1).sum(axis=-1),
    )
    verdict = mk.verify(
        mk.Mechanism(replace(common, joint_value=None), highest, pay_second),
        "false_name_proof",
        **BUDGET,
    )["false_name_proof"]
    assert verdict.status is Status.NOT_APPLICABLE
    shared = mk.PROPERTIES["false_name_proof"].excuse(common)
    assert shared == "values depend on the others' types"


def test_what_is_revealed_does_not_change_along_a_cycle():
    revealed = mk.additive(2, 2).with_public(estimate=lambda types: types)
    assert "revealed" in mk.PROPERTIES["cyclic_monotone"].excuse(revealed)


def test_an_own_payment_that_changes_by_little_does_change():
    """A fourth power of a small report moves the own payment by 1e-12: that is no bossiness."""

    def pay(bids, allocation):
        return np.stack([opaque(bids)[:, 0] ** 4, bids[:, 0]], axis=-1)

    rule = mk.Mechanism(mk.single_item(2), lambda b: b * 0, pay)
    assert status(rule, "non_bossy") is not Status.REFUTED


# Exact means exact ----------------------------------------------------------------


def test_constants_that_a_rule_returns_are_averaged_in_rationals():
    third = mk.Lottery(draws=[0, 1, 2])
    raffle = mk.Mechanism(
        mk.single_item(3).with_public(pick=third),
        lambda b, *, public: (np.arange(3) == np.asarray(public["pick"])[..., None]) * 1.0,
        lambda b, x, *, public: np.full((len(b), 3), 1 / 3),
    )
    witness = mk.verify(raffle, "ir", **BUDGET)["ir"].counterexample
    assert witness.arithmetic == "exact"
    assert witness.gain == F(1, 3)


def test_the_payment_rule_cannot_change_the_allocation():
    def pay(bids, allocation):
        allocation *= 0
        return allocation

    rule = mk.Mechanism(mk.single_item(2), lambda b: highest(b) * 1.0, pay)
    with pytest.raises(mk.RuleError, match=r"allocation\.copy\(\)"):
        mk.verify(rule, "ic", **BUDGET)


# Crowds, many levels, little time ----------------------------------------------------------------


def test_a_crowd_is_decided_in_seconds():
    """The default of two seconds is enough on an idle core; a busy one gets more."""
    report = mk.verify(second_price(300), seconds=12)
    undecided = [v.property for v in report if v.status is Status.UNKNOWN]
    assert undecided == []


def test_a_fault_in_a_crowd_is_found():
    assert status(first_price(1000), "ic", evaluations=300_000) is Status.REFUTED


def test_expectations_do_not_starve_the_rest():
    many = mk.Mechanism(mk.single_item(6, high=3, levels=range(4)), highest, pay_first)
    report = mk.verify(many, seconds=3)
    assert report["bic"].status is Status.REFUTED
    assert report["group_ic"].status is not Status.UNKNOWN
    # The others' types are summed over; they do not clutter the witness.
    witness = report["bic"].counterexample
    (agent,) = witness.agents
    assert not np.delete(witness.types, agent).any()


def test_too_little_time_is_not_called_vacuous():
    for verdict in mk.verify(second_price(50), seconds=1e-6):
        assert "nothing was allocated" not in verdict.reason


def test_estimates_use_types_that_exist():
    def allocate(bids):
        if isinstance(bids, np.ndarray) and (bids != np.round(bids)).any():
            raise ValueError("no such bid")
        return highest(bids)

    dice = mk.single_item(2, high=3, levels=range(4), prior=stats.randint(0, 4))
    assert status(mk.Mechanism(dice, allocate, pay_second), "bic") is not Status.REFUTED


def test_coalitions_are_no_larger_than_the_crowd():
    verdict = mk.verify(second_price(3), "group_ic", coalition=10, **BUDGET)["group_ic"]
    assert "coalitions of up to 3" in verdict.effort.notes


@pytest.mark.parametrize("budget", [{"evaluations": np.int64(5000)}, {"seconds": F(1, 4)}])
def test_any_positive_number_is_a_budget(budget):
    assert mk.verify(second_price(), "ic", **budget).ok


@pytest.mark.parametrize("budget", [{"evaluations": 0.5}, {"seconds": float("inf")}])
def test_what_is_no_budget(budget):
    with pytest.raises(mk.InputError, match="expected a positive number"):
        mk.verify(second_price(), "ic", **budget)
