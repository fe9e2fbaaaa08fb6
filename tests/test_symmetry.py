"""One agent stands for its role only where rule and setting treat the role alike, ties included."""

import copy
import json
import time
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest

import mechkit as mk
import mechkit.prove.piecewise as piecewise
import mechkit.prove.symmetry as symmetry
from mechkit.properties import PROPERTIES
from mechkit.prove import Proved, prove
from mechkit.prove.attempt import Found, GaveUp
from mechkit.prove.certificate import check, explain, to_json
from mechkit.prove.problem import problems
from mechkit.verdict import Certificate
from tests.rules import highest, order, pay_second, second_price

SECONDS = 60


def attempted(mechanism, name, **options):
    return prove(mechanism, PROPERTIES[name], seconds=SECONDS, **options)


def groups_of(attempt):
    return attempt.argument.get("alike")


def written(mechanism, name):
    attempt = attempted(mechanism, name)
    assert isinstance(attempt, Proved), attempt
    certificate = Certificate(attempt.method, attempt.domain, attempt.tool, attempt.argument)
    data = to_json(certificate, name, mechanism, reference="here", digest="0", version="0")
    return json.loads(json.dumps(data))


def free(reports, allocation):
    return np.zeros_like(reports)


def nothing_paid(agents, **options):
    """All get the same chance, whatever they say."""
    return mk.Mechanism(
        mk.single_item(agents, **options),
        lambda bids: np.ones_like(bids) / bids.shape[-1],
        free,
        name="equal chances",
    )


def majority(agents):
    def built(reports):
        return ((reports >= F(1, 2)) * 1).sum(axis=-1) * 2 > reports.shape[-1]

    return mk.Mechanism(mk.public_project(agents, agents / 2), built, free, name="majority")


def ends_at_half(agents, faulty=None):
    """Posted price 1/2 without a limit of supply; one agent, if any, is charged its bid."""

    def pay(bids, allocation):
        own = np.arange(bids.shape[-1]) == (agents if faulty is None else faulty)
        return allocation * np.where(own, bids, F(1, 2))

    setting = mk.multi_unit(agents, agents)
    return mk.Mechanism(setting, lambda bids: bids >= F(1, 2), pay, name="posted")


def shared_at_ties(agents):
    """Second price in which those who tie share the item."""

    def allocate(bids):
        best = bids == np.max(bids, axis=-1, keepdims=True)
        return best / (best * 1).sum(axis=-1, keepdims=True)

    return mk.Mechanism(mk.single_item(agents), allocate, pay_second, name="shared at ties")


def quoted(buyers, sellers):
    """Everybody trades with a desk that buys at 1/4 and sells at 3/4."""

    def allocate(reports):
        wants = reports[:, :buyers] >= F(3, 4)
        offers = reports[:, buyers:] <= F(1, 4)
        return np.concatenate([wants, offers], axis=1)

    def pay(reports, allocation):
        price = np.array([F(3, 4)] * buyers + [F(-1, 4)] * sellers)
        return allocation * price

    return mk.Mechanism(mk.double_auction(buyers, sellers), allocate, pay, name="desk")


# One stands for all ----------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [nothing_paid, majority, ends_at_half, shared_at_ties], ids=lambda make: make.__name__
)
def test_one_agent_stands_for_its_role(make):
    attempt = attempted(make(4), "ic")
    assert isinstance(attempt, Proved)
    assert groups_of(attempt) == [[0, 1, 2, 3]]
    assert "one agent for its role" in attempt.method
    named = [(p["family"], tuple(p["who"])) for p in attempt.argument["parts"]]
    assert named == [
        ("deviation", (0,)),
        ("relabelling", (1, 0, 2, 3)),
        ("relabelling", (1, 2, 3, 0)),
    ]


def test_two_roles_have_a_representative_each():
    attempt = attempted(quoted(4, 2), "ic")
    assert isinstance(attempt, Proved)
    assert groups_of(attempt) == [[0, 1, 2, 3], [4, 5]]
    deviating = [p["who"] for p in attempt.argument["parts"] if p["family"] == "deviation"]
    assert deviating == [[0], [4]]


def test_a_coalition_stands_for_all_with_as_many_of_each_role():
    attempt = attempted(quoted(3, 2), "group_ic")
    assert isinstance(attempt, Proved)
    coalitions = [p["who"] for p in attempt.argument["parts"] if p["family"] == "coalition"]
    assert coalitions == [[0, 1], [0, 3], [3, 4]]


def test_it_is_tried_only_where_it_saves_work():
    assert groups_of(attempted(nothing_paid(3), "ic")) is None
    assert groups_of(attempted(second_price(5), "ic")) is None  # ties go to the lowest index


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (nothing_paid, "monotone"),
        (nothing_paid, "anonymous"),
        (nothing_paid, "non_bossy"),
        (majority, "ic"),
        (ends_at_half, "critical_payment"),
        (ends_at_half, "group_ic"),
        (ends_at_half, "revenue_monotone"),
    ],
)
def test_both_ways_come_to_the_same(make, name, monkeypatch):
    mechanism = make(4)
    quick = attempted(mechanism, name)
    monkeypatch.setattr(symmetry, "candidates", lambda *a: [])
    assert type(quick) is type(attempted(mechanism, name)) is Proved


def test_an_orbit_holds_all_that_is_not_asked():
    todo = problems(quoted(3, 2), PROPERTIES["group_ic"], coalition=3)
    kept = symmetry.representatives(todo, [(0, 1, 2), (3, 4)])
    kinds = {tuple(sorted(i < 3 for i in p.who)) for p in todo}
    assert {tuple(sorted(i < 3 for i in p.who)) for p in kept} == kinds
    assert len(kept) == len(kinds)
    assert symmetry.representatives(todo, []) == todo


# Nobody stands for those who are not alike ----------------------------------------------------


def test_anonymous_off_ties_is_no_reason_to_prove_one_agent_for_all():
    """The last agent pays nothing on a tie: right for the others, wrong for it alone."""

    def pay(bids, allocation):
        tie = order(bids, 1) == order(bids, 2)
        last = np.arange(bids.shape[-1]) == bids.shape[-1] - 1
        return allocation * np.where(tie & last, 0, order(bids, 2))

    def last_wins_ties(bids):
        n = bids.shape[-1]
        return np.arange(n) == (n - 1 - np.argmax(bids[..., ::-1], axis=-1))[..., None]

    four = mk.Mechanism(mk.single_item(4), last_wins_ties, pay, name="last pays 0 on a tie")
    ic = PROPERTIES["ic"]
    assert symmetry.candidates(four, ic, problems(four, ic)) == []
    # Were no profile sampled at all, the proof that they are alike would fail, and then all asked.
    three = replace(four, setting=mk.single_item(3))
    ground = symmetry.relabellings(three, ic, [(0, 1, 2)])
    assert isinstance(piecewise._solved(ground, time.monotonic() + SECONDS, SECONDS), Found)
    attempt = attempted(three, "ic")
    assert isinstance(attempt, Found)
    assert attempt.case.who == (2,)


@pytest.mark.parametrize("agent", range(4))
def test_a_fault_planted_in_one_agent_is_found(agent):
    attempt = attempted(ends_at_half(4, faulty=agent), "ic")
    assert isinstance(attempt, Found)
    assert attempt.case.who == (agent,)


def test_a_fault_at_one_point_only_is_found():
    """No sampled profile is there: the proof that all are alike must fail, and then all are
    asked."""

    def pay(bids, allocation):
        here = (bids[:, 0] == F(17, 23)) & (bids[:, 1] == F(5, 19))
        last = np.arange(bids.shape[-1]) == bids.shape[-1] - 1
        return allocation * np.where(here[:, None] & last, bids, F(1, 2))

    mechanism = replace(ends_at_half(4), pay=pay)
    assert symmetry.candidates(mechanism, PROPERTIES["ic"], problems(mechanism, PROPERTIES["ic"]))
    attempt = attempted(mechanism, "ic")
    assert isinstance(attempt, Found)
    assert attempt.case.who == (3,)


def test_a_setting_that_is_not_symmetric_while_the_rule_is():
    """The last agent wants none of it: at half the price it would rather pay than get nothing."""
    setting = mk.Setting(
        name="one of another mind",
        types=mk.box(4),
        allocation_shape=(4,),
        value=lambda types, x: np.where(np.arange(4) < 3, types, F(1, 4) - types) * x,
        slack=lambda x: x * 1,
    )
    mechanism = replace(ends_at_half(4), setting=setting)
    assert symmetry.roles_alike(setting) == [(0, 1, 2, 3)]
    assert symmetry.interchangeable(mechanism, PROPERTIES["ic"]) == []
    attempt = attempted(mechanism, "ic")
    assert isinstance(attempt, Found)
    assert attempt.case.who == (3,)


def test_a_value_that_is_another_for_truth_values_than_for_numbers():
    """Symmetric in numbers, and the rule returns truth values."""

    def value(types, x):
        if x.dtype == bool:
            return np.where(np.arange(4) < 3, types, F(1, 4) - types) * x
        return types * x

    setting = mk.Setting(
        name="two minds",
        types=mk.box(4),
        allocation_shape=(4,),
        value=value,
        slack=lambda x: x * 1,
    )
    attempt = attempted(replace(ends_at_half(4), setting=setting), "ic")
    assert isinstance(attempt, Found)
    assert attempt.case.who == (3,)


def test_a_truth_that_is_told_in_another_language():
    """The last agent's reports are read upside down, and its values are not."""

    def truthful(types):
        return np.where(np.arange(4) < 3, types, 1 - types)

    setting = replace(mk.multi_unit(4, 4), truthful=truthful, resize=None, joint_value=None)
    attempt = attempted(replace(ends_at_half(4), setting=setting), "ic")
    assert isinstance(attempt, Found)
    assert attempt.case.who == (3,)


def test_equal_roles_with_other_bounds_are_apart():
    """The last agent bids up to 2, where the price turns into its bid."""

    def pay(bids, allocation):
        return allocation * np.where(bids > 1, bids, F(1, 2))

    setting = mk.multi_unit(4, 4, high=[1, 1, 1, 2])
    mechanism = replace(ends_at_half(4), setting=setting, pay=pay)
    assert symmetry.roles_alike(setting) == [(0, 1, 2)]
    attempt = attempted(mechanism, "ic")
    assert isinstance(attempt, Found)
    assert attempt.case.who == (3,)


def test_public_information_may_tell_agents_apart():
    def pay(bids, allocation, *, public):
        own = np.arange(4) == public["named"][:, None]
        return allocation * np.where(own, bids, F(1, 2))

    def allocate(bids, *, public):
        return bids >= F(1, 2)

    for named in (mk.Lottery(draws=[0, 3]), mk.Lottery(draws=[0, 3], every=True)):
        setting = mk.multi_unit(4, 4).with_public(named=named)
        mechanism = mk.Mechanism(setting, allocate, pay)
        assert isinstance(attempted(mechanism, "ic"), Found)
    drawn = mk.multi_unit(4, 4).with_public(named=mk.Lottery(draws=[7, 8], every=True))
    attempt = attempted(mk.Mechanism(drawn, allocate, pay), "ic")
    assert isinstance(attempt, Proved)  # the draws name nobody
    assert groups_of(attempt) == [[0, 1, 2, 3]]


def test_a_property_of_ones_own_is_proved_agent_by_agent():
    prop = replace(PROPERTIES["ic"], name="own")
    todo = problems(nothing_paid(5), prop)
    assert symmetry.candidates(nothing_paid(5), prop, todo) == []
    impostor = replace(PROPERTIES["ic"], statement="something else")
    assert symmetry.candidates(nothing_paid(5), impostor, todo) == []


# Certificates ----------------------------------------------------------------


def test_a_certificate_carries_the_ground_and_says_so():
    mechanism = ends_at_half(4)
    data = written(mechanism, "ic")
    result = check(mechanism, data)
    assert result.confirmed, result.message
    text = explain(data)
    assert "Agents 0, 1, 2, 3: one of them stands for all" in text
    assert "ties included" in text


def test_equal_terms_need_no_solver_and_are_compared_again():
    """Ten agents have too many cases to write out, and both sides are the same terms."""
    mechanism = ends_at_half(10)
    data = written(mechanism, "ic")
    kinds = [part["kind"] for part in data["argument"]["parts"]]
    assert kinds == ["tree", "terms", "terms"]
    assert data["tool"] == "rational arithmetic"
    assert "By equal terms: 2" in explain(data)
    result = check(mechanism, data)
    assert result.confirmed, result.message
    assert not check(ends_at_half(10, faulty=9), data).confirmed
    data["argument"]["parts"][0] = {**data["argument"]["parts"][0], "kind": "terms"}
    assert not check(mechanism, data).confirmed


def tampered(data, how):
    changed = copy.deepcopy(data)
    argument = changed["argument"]
    if how == "no ground":
        argument["parts"] = argument["parts"][:1]
    elif how == "one generator":
        argument["parts"].pop()
    elif how == "no groups":
        del argument["alike"]
        changed["method"] = changed["method"].split(";")[0]
    elif how == "other groups":
        argument["alike"] = [[0, 1]]
    elif how == "groups that are none":
        argument["alike"] = "all"
    elif how == "a group twice":
        argument["alike"] = argument["alike"] * 2
    elif how == "the ground of another permutation":
        argument["parts"][2] = {**argument["parts"][1], "who": argument["parts"][2]["who"]}
        argument["parts"][2]["trees"] = argument["parts"][0]["trees"]
    elif how == "method":
        changed["method"] = changed["method"].split(";")[0]
    return changed


@pytest.mark.parametrize(
    "how",
    [
        "no ground",
        "one generator",
        "no groups",
        "other groups",
        "groups that are none",
        "a group twice",
        "the ground of another permutation",
        "method",
    ],
)
def test_a_certificate_without_its_ground_is_rejected(how):
    mechanism = ends_at_half(4)
    data = written(mechanism, "ic")
    assert not check(mechanism, tampered(data, how)).confirmed


@pytest.mark.parametrize("agent", [1, 3])
def test_a_certificate_does_not_stand_for_a_mechanism_with_one_faulty_agent(agent):
    data = written(ends_at_half(4), "ic")
    assert not check(ends_at_half(4, faulty=agent), data).confirmed


def test_random_rules_agree_with_the_proof_of_everybody(monkeypatch):
    """Rules drawn at random, symmetric or with one agent treated otherwise."""
    rng = np.random.default_rng(3)
    seen = set()
    for _ in range(8):
        price, fee = (F(int(k), 4) for k in rng.integers(0, 4, 2))
        odd, by_bid = int(rng.integers(0, 7)), bool(rng.integers(0, 2))

        def pay(bids, allocation, price=price, fee=fee, odd=odd, by_bid=by_bid):
            own = np.arange(bids.shape[-1]) == odd
            other = bids if by_bid else fee
            return allocation * np.where(own, other, price)

        def allocate(bids, price=price):
            return bids >= price

        mechanism = mk.Mechanism(mk.multi_unit(4, 4), allocate, pay)
        for name in ("ic",):
            quick = attempted(mechanism, name)
            with monkeypatch.context() as patch:
                patch.setattr(symmetry, "candidates", lambda *a: [])
                slow = attempted(mechanism, name)
            assert type(quick) is type(slow)
            assert not isinstance(quick, GaveUp)
            seen.add(
                (name, type(quick).__name__, isinstance(quick, Proved) and bool(groups_of(quick)))
            )
    assert {("ic", "Found", False), ("ic", "Proved", True)} <= seen


def test_highest_is_alike_for_nobody_at_ties():
    mechanism = mk.Mechanism(mk.single_item(4), highest, pay_second)
    todo = problems(mechanism, PROPERTIES["ic"])
    assert symmetry.roles_alike(mechanism.setting) == [(0, 1, 2, 3)]
    assert symmetry.interchangeable(mechanism, PROPERTIES["ic"]) == [(0, 1, 2, 3)]
    assert symmetry.candidates(mechanism, PROPERTIES["ic"], todo) == []
