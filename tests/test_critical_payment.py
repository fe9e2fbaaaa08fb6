"""Critical payments are those of 0/1 allocations: a rule that hands out parts has none, whatever it
asks for them, and is neither refuted nor proved."""

from __future__ import annotations

from fractions import Fraction as F

import hypothesis
import numpy as np
import pytest

import mechkit as mk
from mechkit.errors import InputError
from mechkit.properties import PROPERTIES
from mechkit.prove import Found, Proved, prove
from mechkit.testing import assert_property, given_property
from tests.margins import by, margin

CRITICAL = PROPERTIES["critical_payment"]


def allocate(bids):
    """Nothing below 1/3, the item from 2/3 on, and half of it in between."""
    return np.where(bids >= 2 / 3, 1, np.where(bids >= 1 / 3, 0.5, 0))


def pay(bids, allocation):
    """Between the losing and the winning bids for the item, and far too much for a half."""
    return np.where(bids >= 2 / 3, 0.5, np.where(bids >= 1 / 3, 7, 0))


HALVES = mk.Mechanism(mk.single_item(1), allocate, pay, name="halves")


@pytest.mark.parametrize("proving", [False, True])
@pytest.mark.parametrize("scale", [1e-9, 1, 1e12])
def test_a_rule_that_hands_out_parts_has_no_critical_payments(proving, scale):
    mechanism = mk.Mechanism(
        mk.single_item(1, high=scale),
        lambda bids: allocate(bids / scale),
        lambda bids, x: scale * pay(bids / scale, x),
    )
    verdict = mk.verify(
        mechanism, "critical_payment", seed=0, seconds=1.0, prove=proving
    )["critical_payment"]  # fmt: skip
    assert verdict.status == "not applicable"
    assert "an agent gets a part of what it wants, at the types" in verdict.reason
    assert verdict.counterexample is verdict.certificate is None


def test_the_prover_finds_the_part_and_does_not_prove_around_it():
    attempt = prove(HALVES, CRITICAL)
    assert isinstance(attempt, Found)
    assert CRITICAL.checks(HALVES.setting)[attempt.check].refuses
    # Without the refusal this would be a proof: only pairs of whole allocations are compared.
    assert margin(HALVES, "critical_payment", types=[F(3, 4)], **by(0, F(1, 2))) == 0
    assert margin(HALVES, "critical_payment", types=[F(1, 2)], check=1) == -F(1, 2)
    assert margin(HALVES, "critical_payment", types=[F(3, 4)], check=1) == 0


def test_a_winner_that_pays_too_much_is_refuted_beside_parts():
    """What is said of whole allocations stays refutable."""
    dear = mk.Mechanism(mk.single_item(1), allocate, lambda bids, x: pay(bids, x) * 2, name="dear")
    assert margin(dear, "critical_payment", types=[F(3, 4)], **by(0, F(2, 3))) == -F(1, 3)
    assert mk.verify(dear, "critical_payment", seed=0)["critical_payment"].status in (
        "refuted",
        "not applicable",
    )


def test_an_assertion_about_it_is_refused():
    few = hypothesis.settings(max_examples=200, deadline=None, phases=[hypothesis.Phase.generate])
    for call in (
        lambda: assert_property(HALVES, "critical_payment", evaluations=3000),
        given_property(HALVES, "critical_payment", settings=few),
    ):
        with pytest.raises(InputError, match="does not apply to halves: an agent gets a part"):
            call()


def test_whole_allocations_are_proved_as_before():
    whole = mk.Mechanism(
        mk.single_item(1), lambda bids: bids >= 1 / 3, lambda bids, x: x * (1 / 3), name="whole"
    )
    assert isinstance(prove(whole, CRITICAL), Proved)
    for mechanism in (
        mk.Mechanism.groves(mk.single_item(3)),
        mk.Mechanism.posted(mk.single_item(3), 0.5),
    ):
        assert isinstance(prove(mechanism, CRITICAL), Proved)


def test_chances_are_parts():
    """By a draw of the reserve the highest bidder has a share of the item in expectation."""
    from mechkit.catalogue import entries

    drawn = entries()["random-reserve"]
    assert "critical_payment" not in drawn.truth
    report = mk.verify(drawn.make(), ["critical_payment", "ic"], seed=0, evaluations=3000)
    assert report["critical_payment"].status == "not applicable"
    assert report["ic"].status == "unrefuted"
