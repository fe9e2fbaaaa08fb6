"""Declarations that lie: a structure that the rule, or the setting, does not have.

Each plant is judged by brute force on a grid (`oracle`, which knows nothing of structures): what is
violated there must not be proved. And what each plant breaks is named, so that no test can pass by
the oracle's missing it.
"""

import sys
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest

import mechkit as mk
from mechkit.properties import PROPERTIES
from mechkit.prove import Proved, prove, theorem
from mechkit.spaces import box
from tests.oracle import judge
from tests.rules import highest, pay_first

ITEM = mk.single_item(2)
PAIR = mk.multi_unit(2, 2)
NAMES = [*theorem.THEOREMS["posted"].consequences, "cyclic_monotone"]


def by_theorem(mechanism, name):
    return isinstance(theorem.prove(mechanism, PROPERTIES[name]), Proved)


def rival(others, i):
    return np.max(others, axis=-1)


# What a declared function sees --------------------------------------------------------------------


def h_sees_its_own_report():
    return mk.Mechanism.groves(ITEM, h=lambda reports, i: reports[:, i] / 2)


def h_sees_it_by_way_of_the_value():
    seen = {}

    def value(types, allocation):
        seen["types"] = types
        return types * allocation

    setting = replace(ITEM, value=value)
    return mk.Mechanism.groves(setting, h=lambda reports, i: seen["types"][:, i] / 2)


def h_sees_it_on_floats_only():
    def h(reports, i):
        own = reports[:, i] / 2
        return own if isinstance(reports, np.ndarray) else own * 0

    return mk.Mechanism.groves(ITEM, h=h)


def threshold_sees_its_own_report():
    seen = {}

    def threshold(others, i):
        # The reports of the rule that calls, from the frame in which it runs.
        frame = sys._getframe(1)
        while frame is not None and "reports" not in frame.f_locals:
            frame = frame.f_back
        if frame is not None:
            seen["reports"] = frame.f_locals["reports"]
        return seen["reports"][:, i] / 2

    return mk.Mechanism.threshold(PAIR, threshold)


def threshold_counts_its_calls():
    calls = []

    def threshold(others, i):
        calls.append(i)
        return np.zeros_like(others[:, 0]) + F(len(calls), 1000)

    return mk.Mechanism.threshold(PAIR, threshold)


def value_sees_the_others():
    setting = replace(
        ITEM, value=lambda types, x: (types + types.sum(axis=-1, keepdims=True)) * x / 3
    )
    return mk.Mechanism.groves(setting)


# A rule that is not the declared one --------------------------------------------------------------


def other_payments():
    honest = mk.Mechanism.posted(ITEM, 0.5)
    return replace(honest, pay=pay_first)


def other_allocation():
    honest = mk.Mechanism.posted(ITEM, 0.5)
    return replace(honest, allocate=lambda bids: bids < 0.5)


def other_outcome():
    honest = mk.Mechanism.groves(ITEM)

    def outcome(bids):
        x = highest(bids)
        return x, x * bids

    return replace(honest, outcome=outcome)


def borrowed_structure():
    structure = mk.Mechanism.threshold(ITEM, rival).structure
    return mk.Mechanism(ITEM, highest, pay_first, structure=structure)


def weights_that_depend_on_reports():
    honest = mk.Mechanism.affine_maximiser(ITEM, weights=[1, 1], outcomes=np.eye(2, dtype=int))

    def outcome(bids):
        boost = np.where(bids[:, :1] > 0.5, 1, 0) * np.array([1, 0])
        x = highest(bids + boost)
        return x, x * np.flip(bids, axis=-1)

    return replace(honest, outcome=outcome)


def negative_weight():
    """Maximises 1 · θ_0 − 1 · θ_1, with the payments of the formula for these weights."""
    outcomes, weights = np.eye(2, dtype=int), np.array([1, -1])
    structure = {
        "kind": "affine maximiser",
        "weights": weights,
        "boosts": np.zeros(2, dtype=int),
        "outcomes": outcomes,
        "h": "Clarke pivot",
    }

    def outcome(bids):
        weighted = bids[:, None] * outcomes * weights
        welfare = weighted.sum(axis=-1)
        others = welfare[..., None] - weighted
        chosen = (np.argmax(welfare, axis=-1)[:, None] == np.arange(2))[..., None]
        pivot = np.stack([np.max(others[..., i], axis=1) for i in range(2)], axis=-1)
        reached = (chosen * others).sum(axis=1)
        return (chosen * outcomes).sum(axis=1), (pivot - reached) / weights

    return mk.Mechanism(mk.single_item(2, low=-1), outcome=outcome, structure=structure)


def no_pivot_called_clarkes():
    honest = mk.Mechanism.groves(ITEM, h=lambda reports, i: reports[:, i] * 0)
    return replace(honest, structure={**honest.structure, "h": "Clarke pivot"})


def prices_changed_later():
    prices = np.array([0.5, 0.5])

    def allocate(bids):
        return (bids >= prices) & (np.arange(2) == 0)

    structure = {"kind": "posted", "prices": prices.copy(), "units": 1}
    made = mk.Mechanism(ITEM, allocate, lambda b, x: x * prices, structure=structure)
    prices[:] = 1.0
    return replace(made, pay=lambda b, x: x * structure["prices"])


def outcomes_changed_later():
    """Two winners of one item, by a rule that keeps hold of the array it was declared with."""
    outcomes = np.eye(2, dtype=int)
    structure = dict(mk.Mechanism.groves(ITEM, outcomes=outcomes).structure)
    structure["outcomes"] = outcomes

    def outcome(bids):
        welfare = (bids[:, None] * outcomes).sum(axis=-1)
        chosen = np.argmax(welfare, axis=-1)[:, None] == np.arange(2)
        return (chosen[..., None] * outcomes).sum(axis=1), bids * 0

    made = mk.Mechanism(ITEM, outcome=outcome, structure=structure)
    outcomes[:] = 1
    return made


# A setting that is not the declared one -----------------------------------------------------------


def worth_the_square():
    return replace(
        mk.Mechanism.posted(ITEM, 0.5), setting=replace(ITEM, value=lambda t, x: t * t * x)
    )


def worth_another_s_type():
    other = replace(ITEM, value=lambda t, x: np.flip(t, axis=-1) * x)
    return replace(mk.Mechanism.threshold(ITEM, rival), setting=other)


def worth_something_to_losers():
    other = replace(ITEM, value=lambda t, x: t * (1 - x * 1))
    return replace(mk.Mechanism.posted(ITEM, 0.5), setting=other)


def groves_on_another_value():
    other = replace(ITEM, value=lambda t, x: t * (1 - x * 1))
    return replace(mk.Mechanism.groves(ITEM), setting=other)


def types_below_zero():
    return replace(
        mk.Mechanism.groves(ITEM, outcomes=np.eye(2, dtype=int)),
        setting=mk.single_item(2, low=-1),
    )


def interdependent():
    other = replace(
        ITEM,
        interdependent=True,
        value=lambda t, x: (t + np.flip(t, axis=-1)) * x / 2,
    )
    return replace(mk.Mechanism.threshold(ITEM, rival), setting=other)


def no_room():
    """Nobody may have anything, which only the setting that is put under the rule says."""
    other = replace(ITEM, slack=lambda x: -(x * 1))
    return replace(mk.Mechanism.groves(ITEM), setting=other)


def not_these_two():
    """Two units for three, but not for the last two: winners that are first come are feasible."""
    base = mk.multi_unit(3, 2)

    def slack(x):
        last = 1 - (x * 1)[:, 1:].sum(axis=-1, keepdims=True)
        return np.concatenate([base.slack(x), last], axis=-1)

    return mk.Mechanism.posted(replace(base, slack=slack), 0.5)


def more_units_than_there_are():
    return replace(mk.Mechanism.posted(PAIR, 0.5), setting=ITEM)


def another_quantity():
    other = replace(ITEM, quantity=lambda x: 1 - x * 1)
    return replace(mk.Mechanism.posted(ITEM, 0.5), setting=other)


def sellers_after_all():
    other = replace(ITEM, roles=("seller", "seller"), value=lambda t, x: -t * x)
    return replace(mk.Mechanism.posted(ITEM, 0.5), setting=other)


def truth_is_another_report():
    other = replace(ITEM, truthful=lambda types: 1 - types)
    return replace(mk.Mechanism.posted(ITEM, 0.5), setting=other)


def negative_price():
    return mk.Mechanism.posted(PAIR, [0.5, -0.5])


def careless_boost():
    """An outcome that is worth less than nothing is kept alive by a boost: no harm to ir."""
    setting = replace(ITEM, value=lambda t, x: (t - F(1, 2)) * x, quantity=None)
    return mk.Mechanism.affine_maximiser(
        setting, outcomes=np.array([[0, 0], [1, 0], [0, 1]]), boosts=[0, 2, 0]
    )


PLANTS = {
    h_sees_its_own_report: "ic",
    h_sees_it_by_way_of_the_value: "ic",
    h_sees_it_on_floats_only: None,
    threshold_sees_its_own_report: "ic",
    threshold_counts_its_calls: None,
    value_sees_the_others: "ic",
    other_payments: "ic",
    other_allocation: "ic",
    other_outcome: "ic",
    borrowed_structure: "ic",
    weights_that_depend_on_reports: "ic",
    negative_weight: "ic",
    no_pivot_called_clarkes: "no_positive_transfers",
    prices_changed_later: "critical_payment",
    outcomes_changed_later: "feasible",
    worth_the_square: "ic",
    worth_another_s_type: "ic",
    worth_something_to_losers: "ic",
    groves_on_another_value: "ic",
    types_below_zero: "ir",
    interdependent: "ic",
    no_room: "feasible",
    not_these_two: "feasible",
    more_units_than_there_are: "feasible",
    another_quantity: "monotone",
    sellers_after_all: "ic",
    truth_is_another_report: "ic",
    negative_price: "no_positive_transfers",
    careless_boost: "ir",
}


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_nothing_wrong_is_proved_of_a_dishonest_declaration(plant):
    mechanism, broken = plant(), PLANTS[plant]
    assert mechanism.structure is not None
    if broken is None:
        # The oracle runs on floats or counts calls itself: nothing at all may be proved.
        for name in ("ic", "ir"):
            assert not isinstance(prove(mechanism, PROPERTIES[name], seconds=2), Proved), name
        return
    applicable = [n for n in NAMES if PROPERTIES[n].excuse(mechanism.setting) is None]
    violated = {name for name in applicable if judge(mechanism, name).decided == "violated"}
    assert broken in violated
    assert not [name for name in violated if by_theorem(mechanism, name)]


def test_public_arrays_put_under_a_rule():
    shown = ITEM.with_public(scale=box(1))
    honest = mk.Mechanism.posted(ITEM, 0.5)

    def allocate(bids, *, public):
        return honest.allocate(bids)

    def pay(bids, allocation, *, public):
        return honest.pay(bids, allocation)

    mechanism = replace(honest, setting=shown, allocate=allocate, pay=pay)
    assert not any(by_theorem(mechanism, name) for name in NAMES)


NO_STRUCTURES = [
    {},
    {"kind": "posted"},
    {"kind": ["posted"]},
    {"kind": "unheard of"},
    {"kind": "posted", "prices": [0.5, 0.5], "units": True},
    {"kind": "posted", "prices": [0.5, np.inf], "units": 1},
    {"kind": "posted", "prices": [0.5], "units": 1},
    {"kind": "threshold", "threshold": 3, "strict": False},
    {"kind": "threshold", "threshold": rival, "strict": 0},
    {"kind": "affine maximiser", "weights": [1], "boosts": [0], "outcomes": [[1]], "h": None},
    {"kind": "affine maximiser", "weights": [1, 1], "boosts": [np.nan], "outcomes": [[0, 0]],
     "h": "Clarke pivot"},
    ["kind"],
]  # fmt: skip


@pytest.mark.parametrize("structure", NO_STRUCTURES)
def test_what_is_no_structure_is_answered_with_silence(structure):
    mechanism = replace(mk.Mechanism.posted(ITEM, 0.5), structure=structure)
    assert not any(by_theorem(mechanism, name) for name in NAMES)


def test_arrays_are_copied_when_they_are_declared():
    prices, outcomes, weights = np.array([0.5, 0.5]), np.eye(2, dtype=int), np.array([1, 2])
    posted = mk.Mechanism.posted(ITEM, prices)
    maximiser = mk.Mechanism.affine_maximiser(ITEM, weights=weights, outcomes=outcomes)
    prices[:], outcomes[:], weights[:] = -1, 1, -1
    bids = np.array([[0.25, 0.75]])
    assert posted.pay(bids, posted.allocate(bids)).tolist() == [[0, 0.5]]
    assert maximiser.outcome(bids)[0].tolist() == [[0, 1]]
    assert by_theorem(posted, "no_positive_transfers")
    assert by_theorem(maximiser, "feasible")
    for structure in (posted.structure, maximiser.structure):
        for array in structure.values():
            if isinstance(array, np.ndarray):
                with pytest.raises(ValueError, match="read-only"):
                    array[...] = 0


def test_why_a_declaration_was_not_believed_is_said():
    attempt = prove(h_sees_its_own_report(), PROPERTIES["ic"], seconds=5)
    assert not isinstance(attempt, Proved)
    reason = theorem.prove(h_sees_its_own_report(), PROPERTIES["ic"]).reason
    assert "Groves term of agent 0 depends on its own report" in reason
