"""The profiles on which every proof's rule is tried: ties that rounding makes accuse no rule, and a
rule that does something else in a batch or on floats is seen on any kind of type space."""

from fractions import Fraction as F

import numpy as np
import pytest

import mechkit as mk
from mechkit.prove.grounds import shaken, tied
from mechkit.spaces import box, contains
from tests.rules import second_price

FALLING = (3, 4, 2)
"""Agents, units and demand: at these, points pulled inside the constraints made ties in floats
that were none in rationals."""


@pytest.mark.parametrize(
    ("agents", "units", "demand", "bounds"),
    [(*FALLING, {}), (3, 5, 3, {}), (*FALLING, {"low": 0.1, "high": 0.7})],
)
def test_a_sound_rule_is_not_accused_of_ties_that_rounding_makes(agents, units, demand, bounds):
    setting = mk.multi_unit(agents, units, demand, **bounds)
    assert shaken(mk.Mechanism.groves(setting)) is None


def test_nor_where_the_bounds_have_no_binary_places():
    assert shaken(mk.Mechanism.groves(mk.multi_unit(5, 3, low=0.1, high=0.7))) is None


def test_a_groves_rule_on_falling_values_is_proved():
    mechanism = mk.Mechanism.groves(mk.multi_unit(*FALLING))
    verdict = mk.verify(mechanism, "ic", evaluations=2_000, prove=True)["ic"]
    assert verdict.status is mk.Status.PROVED


def altered(payments):
    """VCG on falling values, but for what it asks: payments(reports, payments)."""
    honest = mk.Mechanism.groves(mk.multi_unit(*FALLING))

    def outcome(reports):
        allocation, paid = honest.outcome(reports)
        return allocation, payments(reports, paid)

    return mk.Mechanism.from_outcome(honest.setting, outcome)


def in_a_batch(reports, paid):
    return paid * 0 if reports.shape[0] > 1 else paid


def in_a_batch_at_the_top(reports, paid):
    top = (reports[:, :, 0] >= 0.75).all(axis=-1, keepdims=True)
    return paid + (top & (reports.shape[0] > 1))


def in_a_batch_at_ties(reports, paid):
    equal = (reports[:, :1, 0] == reports[:, 1:2, 0]) & (reports[:, :1, 1] == reports[:, :1, 0])
    return paid + (equal & (reports.shape[0] > 1))


def on_floats(reports, paid):
    return paid + 1 if isinstance(reports, np.ndarray) and reports.dtype == float else paid


def on_floats_at_ties(reports, paid):
    floats = isinstance(reports, np.ndarray) and reports.dtype == float
    return paid + ((reports[:, :1, 0] == reports[:, 1:2, 0]) & floats)


@pytest.mark.parametrize(
    ("payments", "why"),
    [
        (in_a_batch, "in a batch"),
        (in_a_batch_at_the_top, "in a batch"),
        (in_a_batch_at_ties, "in a batch"),
        (on_floats, "on floats"),
        (on_floats_at_ties, "on floats"),
    ],
)
def test_another_rule_in_a_batch_or_on_floats_is_seen_within_constraints(payments, why):
    found = shaken(altered(payments))
    assert found is not None
    assert why in found


def test_the_verdict_says_why_such_a_rule_is_not_proved():
    honest = second_price(2)

    def outcome(reports):
        allocation = honest.allocate(reports)
        return allocation, on_floats(reports[..., None], honest.pay(reports, allocation))

    rule = mk.Mechanism.from_outcome(honest.setting, outcome)
    verdict = mk.verify(rule, "ic", evaluations=500, prove=True)["ic"]
    assert verdict.status is mk.Status.UNREFUTED
    assert verdict.reason.startswith("not proved: the rule does something else on floats")


SPACES = {
    "a box": box(2, 2),
    "tenths": box(2, 2, low=0.1, high=0.7),
    "falling": box(2, 2, constraints=([[-1, 1]], [0])),
    "small": box(2, 2, constraints=([[1, 1]], [F(1, 5)])),
    "a line": box(2, 2, constraints=([[1, 1], [-1, -1]], [1, -1])),
    "levels": box(2, 3, levels=[[0, 1], None, None], constraints=([[1, 1, 1]], [F(7, 5)])),
    "a point": box(2, low=0.1, high=0.1),
}


@pytest.mark.parametrize("name", list(SPACES))
def test_the_profiles_are_types_with_ties_and_few_binary_places(name):
    space = SPACES[name]
    profiles = tied(space, np.random.default_rng(1), 64)
    assert profiles.shape == (64, *space.shape)
    assert contains(space, profiles).all()
    flat = profiles.reshape(64, 2, -1)
    assert (flat[:, 0] == flat[:, 1]).all(axis=-1).any()
    if name != "a point":
        assert (profiles * 2**20 == np.round(profiles * 2**20)).all()
        assert len(np.unique(flat[:, 0], axis=0)) > 3
