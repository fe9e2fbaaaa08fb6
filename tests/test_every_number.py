"""Rules declared for every number of agents: what one cut-off proves, and what must not pass it."""

import copy
import json
from dataclasses import replace
from fractions import Fraction as F
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mechkit as mk
import tests.rules as rules
from mechkit.properties import PROPERTIES
from mechkit.prove import GaveUp, Proved, every, prove
from mechkit.prove.attempt import Found
from mechkit.prove.certificate import check, explain, to_json
from mechkit.ranked import Ranked, memory
from mechkit.verdict import Certificate
from proofs import exact, values

SECONDS = 60


def second_price(own, top, rank):
    wins = rank < 1
    return wins, wins * top[:, 0]


def with_reserve(own, top, rank):
    wins = (rank < 1) & (own >= 0.5)
    return wins, wins * np.maximum(top[:, 0], 0.5)


def third_price_for_two(own, top, rank):
    wins = rank < 2
    return wins, wins * top[:, 1]


def posted(own, top, rank):
    wins = own >= 0.25
    return wins, wins * 0.25


def first_price(own, top, rank):
    wins = rank < 1
    return wins, wins * own


def all_pay(own, top, rank):
    return rank < 1, own


def free_at_ties(own, top, rank):
    """A fault at ties only: whoever ties for the first place and has it pays nothing."""
    wins = rank < 1
    return wins, wins * np.where(own == top[:, 0], 0, top[:, 0])


def loser_pays_at_ties(own, top, rank):
    return rank < 1, np.where(own == top[:, 0], own, (rank < 1) * top[:, 0])


ONE, TWO = mk.single_item, partial(mk.multi_unit, units=2)
SOUND = [
    (second_price, 1, ONE),
    (with_reserve, 1, ONE),
    (third_price_for_two, 2, TWO),
    (posted, 0, ONE),
]
FAULTY = [(first_price, 1, ONE), (all_pay, 1, ONE), (loser_pays_at_ties, 1, ONE)]
NAMES = ("ic", "ir", "monotone", "critical_payment", "no_positive_transfers", "ex_post_nash")


def of(rule, k, setting, agents=3):
    return mk.Mechanism.ranked(setting(agents), rule, k)


@pytest.mark.parametrize(("rule", "k", "setting"), SOUND)
def test_sound_rules_are_proved_for_every_number_of_agents(rule, k, setting):
    for name in NAMES:
        attempt = prove(of(rule, k, setting, 7), PROPERTIES[name], seconds=SECONDS)
        assert isinstance(attempt, Proved), (name, attempt)
        assert "every number of agents" in attempt.domain
        assert f"cut-off at {k + 1} agents" in attempt.method


@pytest.mark.parametrize(("rule", "k", "setting"), FAULTY)
def test_faulty_rules_are_refuted_at_the_number_declared(rule, k, setting):
    attempt = prove(of(rule, k, setting), PROPERTIES["ic"], seconds=SECONDS)
    assert isinstance(attempt, Found)
    assert attempt.case.arrays["types"].shape[1] == 3


@pytest.mark.parametrize(("rule", "k", "setting"), [*SOUND, *FAULTY, (free_at_ties, 1, ONE)])
@pytest.mark.parametrize("agents", [1, 2, 4])
def test_exhaustion_at_other_numbers_agrees(rule, k, setting, agents):
    """On the grid {0, 1/4, 1/2, 1} every case is played, with no cut-off."""
    for name in NAMES:
        everywhere = every.prove(of(rule, k, setting), PROPERTIES[name], seconds=SECONDS)
        grid = mk.Mechanism.ranked(setting(agents, levels=[0, F(1, 4), F(1, 2), 1]), rule, k)
        there = prove(grid, PROPERTIES[name], seconds=SECONDS)
        if isinstance(everywhere, Proved):
            assert isinstance(there, Proved), name
        if isinstance(there, Found):
            assert isinstance(everywhere, GaveUp), name


@pytest.mark.parametrize("agents", [2, 3, 5])
def test_the_rule_is_the_ordinary_one(agents):
    """Second price by ranks, and second price as NumPy has it: lowest index first at ties."""
    ordinary = rules.second_price(agents)
    ranked = of(second_price, 1, ONE, agents)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.sampled_from([0, F(1, 3), F(1, 2), 1]), min_size=agents, max_size=agents))
    def agree(bids):
        reports = exact([bids])
        x, p = ranked.outcome(reports)
        y = ordinary.allocate(reports)
        assert (values(x) == values(y * 1)).all()
        assert (values(p) == values(ordinary.pay(reports, y))).all()
        assert (ranked.outcome(np.array([bids], dtype=float))[0] == values(x)).all()

    agree()


def test_what_is_missing_is_the_lowest_type():
    setting = mk.single_item(1, low=F(1, 4), high=1)
    _, payments = mk.Mechanism.ranked(setting, second_price, 1).outcome(exact([[1]]))
    assert values(payments).tolist() == [[F(1, 4)]]


# What must not be proved ----------------------------------------------------------------

COUNTER = [0]


def counts_its_calls(own, top, rank):
    COUNTER.append(1)
    return second_price(own, top, rank)


def looks_at_a_list(own, top, rank):
    return rank < 1, (rank < 1) * top[:, 0] * len(COUNTER)


def looks_behind_the_slice(own, top, rank):
    return rank < 1, (rank < 1) * (top[:, 0] if own.base is None else own)


def tosses(own, top, rank):
    return rank < np.random.default_rng().integers(2), 0 * own


def asks_the_stack(own, top, rank):
    import sys

    return second_price(own, top, rank * len(str(sys._getframe(1).f_locals.get("n", ""))))


def calls_one_that_counts(own, top, rank):
    return counts_its_calls(own, top, rank)


def plain(value):
    return value + 1


def hides_behind_a_plain_one(own, top, rank):
    """The helper that is clean is looked at first."""
    return second_price(own, top, rank * plain(0) + hidden_list(0))


def hidden_list(value):
    return COUNTER[0]


def says_that_it_is_numpys(value):
    return COUNTER[0]


says_that_it_is_numpys.__module__ = "numpy"
says_that_it_is_numpys.__name__ = "sort"


def carries_a_list(value):
    return value


carries_a_list.kept = []


class Whole(int):
    def __add__(self, other):
        return other + COUNTER[0]


def of_state(state):
    """A rule that asks something of `state` at each call."""
    return lambda own, top, rank: second_price(own, top, rank + state(0))


def unset():
    def rule(own, top, rank):
        return second_price(own, top, rank + later)

    return rule
    later = 0


def with_default(value):
    return lambda own, top, rank, more=value: second_price(own, top, more + rank)


def keeps_it_in_numpys_print_options(own, top, rank):
    np.set_printoptions(precision=np.get_printoptions()["precision"] + 1)
    return second_price(own, top, rank)


def reads_a_module_inside_numpy(own, top, rank):
    return second_price(own, top, rank * len(np.ma.core.inspect.currentframe().f_back.f_locals))


def reads_its_frame(own, top, rank):
    return second_price(own, top, rank * (x for x in (1,)).gi_frame.f_lineno)


def matches_a_class(own, top, rank):
    match own:
        case np.ndarray(base=None):
            return second_price(own, top, rank)
    return first_price(own, top, rank)


class Remembers:
    def __call__(self, own, top, rank):
        return second_price(own, top, rank)


@pytest.mark.parametrize(
    "rule",
    [
        counts_its_calls,
        looks_at_a_list,
        looks_behind_the_slice,
        tosses,
        asks_the_stack,
        calls_one_that_counts,
        Remembers(),
        lambda own, top, rank, cache=[]: second_price(own, top, rank),
        hides_behind_a_plain_one,
        of_state(says_that_it_is_numpys),
        of_state(np.vectorize(lambda x: COUNTER[0])),
        of_state(np.frompyfunc(lambda x: COUNTER[0], 1, 1)),
        of_state(np.poly1d([0])),
        of_state(np.load),
        of_state(np.errstate),
        lambda own, top, rank: second_price(own, top, rank * len(carries_a_list.kept)),
        with_default(Whole(0)),
        unset(),
        keeps_it_in_numpys_print_options,
        reads_a_module_inside_numpy,
        reads_its_frame,
        matches_a_class,
    ],
)
def test_rules_that_can_know_more_than_their_arguments_are_refused(rule):
    assert memory(rule) is not None
    attempt = every.prove(of(rule, 1, ONE), PROPERTIES["ic"], seconds=SECONDS)
    assert isinstance(attempt, GaveUp)
    assert "may know more" in attempt.reason


def test_a_rule_with_numbers_and_helpers_may_use_them():
    share, helper = F(1, 2), second_price
    assert memory(lambda own, top, rank: helper(own * share, top, rank)) is None


def test_a_structure_pasted_onto_another_rule_proves_nothing():
    real = of(second_price, 1, ONE)

    def changes_at_five(reports):
        x, p = real.outcome(reports)
        return x, p * (2 if reports.shape[1] == 5 else 1)

    pasted = replace(real, outcome=changes_at_five)
    assert isinstance(every.prove(pasted, PROPERTIES["ic"], seconds=SECONDS), GaveUp)

    class Other(Ranked):
        def __call__(self, reports):
            return changes_at_five(reports)

    pasted = replace(real, outcome=Other(second_price, 1, F(0)))
    assert isinstance(every.prove(pasted, PROPERTIES["ic"], seconds=SECONDS), GaveUp)


@pytest.mark.parametrize(
    "change",
    [
        {"value": lambda types, allocation: types * allocation * types.shape[-1]},
        {"resize": None},
        {"interdependent": True},
        {"types": mk.box(3, low=F(1, 4))},
        {"types": mk.box(3, high=[1, 1, 2])},
        {"types": mk.box(3, high=2)},
        {"types": mk.box(3, levels=[0, 1])},
        {"resize": lambda counts: mk.single_item(counts["bidder"], high=2)},
        {"resize": lambda counts: mk.single_item(3)},
        {"resize": lambda counts: replace(ONE(counts["bidder"]), value=lambda t, x: 2 * t * x)},
        {"quantity": lambda allocation: -allocation * 1},
        {"roles": ("seller",) * 3},
    ],
)
def test_a_setting_that_is_another_at_another_number_proves_nothing(change):
    mechanism = of(second_price, 1, ONE)
    changed = replace(mechanism, setting=replace(mechanism.setting, **change))
    assert isinstance(every.prove(changed, PROPERTIES["ic"], seconds=SECONDS), GaveUp)


def own_price_above_one(own, top, rank):
    return rank < 1, (rank < 1) * np.where(own > 1, own, top[:, 0])


def test_a_proof_on_narrower_types_is_none_on_wider_ones():
    """Resizing a setting whose types were replaced makes the setting that it was before."""
    wider = replace(ONE(3), types=mk.box(3, high=10))
    attempt = prove(mk.Mechanism.ranked(wider, own_price_above_one, 1), PROPERTIES["ic"])
    assert isinstance(attempt, Found)


def own_price_without_rivals(own, top, rank):
    return rank < 1, (rank < 1) * np.where(top[:, 0] == 0, own, top[:, 0])


def test_what_stands_for_missing_reports_must_be_a_type():
    """With rivals, 0 is never seen: it is no type; alone, an agent wins at its own price."""
    levels = [F(1, 4), F(1, 2), 1]
    mechanism = mk.Mechanism.ranked(mk.single_item(3, levels=levels), own_price_without_rivals, 1)
    assert isinstance(prove(mechanism.resized(1), PROPERTIES["ic"]), Found)
    attempt = every.prove(mechanism, PROPERTIES["ic"], seconds=SECONDS)
    assert isinstance(attempt, GaveUp)
    assert "1/4 is the lowest" in attempt.reason


def test_the_lowest_type_must_be_what_its_float_stands_for():
    """A rule is run on floats: missing reports are 1/3 here, and the lowest type is a bit less."""
    low = F(333333333333333333, 10**18)
    mechanism = mk.Mechanism.ranked(mk.single_item(1, low=low), second_price, 1)
    assert isinstance(prove(mechanism, PROPERTIES["ir"]), Found)


@pytest.mark.parametrize("name", ["weak_budget_balance", "feasible", "group_ic", "envy_free"])
def test_statements_about_several_agents_are_not_cut_off(name):
    attempt = every.prove(of(second_price, 1, ONE), PROPERTIES[name], seconds=SECONDS)
    assert isinstance(attempt, GaveUp)


@pytest.mark.parametrize(
    ("setting", "k", "match"),
    [
        (mk.single_item(2), -1, "k = -1"),
        (mk.single_item(2), True, "k = True"),
        (mk.double_auction(1, 1), 1, "one number each"),
        (mk.single_item(2, low=[0, F(1, 2)]), 1, "equal lowest types"),
    ],
)
def test_what_cannot_be_declared(setting, k, match):
    with pytest.raises(mk.InputError, match=match):
        mk.Mechanism.ranked(setting, second_price, k)


# Certificates ----------------------------------------------------------------


def certificate(rule, k, setting, name="ic"):
    mechanism = of(rule, k, setting)
    found = prove(mechanism, PROPERTIES[name], seconds=SECONDS)
    given = Certificate(found.method, found.domain, found.tool, found.argument)
    data = to_json(given, name, mechanism, reference="here", digest="0", version=mk.__version__)
    return json.loads(json.dumps(data))


def test_a_certificate_stands_explains_itself_and_serves_other_numbers():
    data = certificate(second_price, 1, ONE)
    assert check(of(second_price, 1, ONE), data).confirmed
    assert check(of(second_price, 1, ONE, 9), data).confirmed
    assert "any number of agents" in explain(data)
    assert not check(of(first_price, 1, ONE), data).confirmed
    assert not check(rules.second_price(3), data).confirmed


@pytest.mark.parametrize(
    "path",
    [
        ("argument", "agents"),
        ("argument", "inner"),
        ("argument", "inner", "argument", "parts"),
        ("argument", "inner", "argument", "kind"),
        ("argument", "inner", "domain"),
        ("argument", "inner", "method"),
        ("method",),
        ("domain",),
        ("tool",),
    ],
)
def test_a_certificate_that_was_tampered_with_is_rejected(path):
    data = copy.deepcopy(certificate(second_price, 1, ONE))
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = "something else"
    assert not check(of(second_price, 1, ONE), data).confirmed
