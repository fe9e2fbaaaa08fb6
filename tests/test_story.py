"""Stories of counterexamples: with the right numbers, in the right words.

Witnesses are played at chosen profiles whose outcomes are known from textbooks or by hand, so that
every number in a story is compared with one that was not computed here.
"""

from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest

import mechkit as mk
from mechkit.deviations import Case
from mechkit.properties import PROPERTIES
from mechkit.replay import counterexample
from mechkit.story import WORDINGS, number, shown, story, tell
from tests.rules import first_price, highest, midpoint, second_price


def exactly(rows):
    """Rows of numbers as an exact batch of one."""
    raw = np.array([rows], dtype=object)
    made = np.empty(raw.shape, dtype=object)
    for at, x in np.ndenumerate(raw):
        made[at] = F(x)
    return made


def played(mechanism, name, who=(), *, check=0, arithmetic="exact", note="", **arrays):
    """The counterexample of a property at a chosen case."""
    prop = PROPERTIES[name]
    family = prop.checks(mechanism.setting)[check].family
    case = Case(family, who, {key: exactly(rows) for key, rows in arrays.items()})
    if arithmetic == "float64":
        case = Case(family, who, {key: a.astype(float) for key, a in case.arrays.items()})
    return counterexample(mechanism, prop, check, case, arithmetic, note)


def told(mechanism, name, *args, **kwargs):
    return story(played(mechanism, name, *args, **kwargs), mechanism.setting)


# Numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (F(1, 3), "1/3 ≈ 0.333"),
        (F(1, 2), "1/2 = 0.5"),
        (F(-7, 6), "-7/6 ≈ -1.167"),
        (F(3), "3"),
        (0, "0"),
        (np.bool_(True), "1"),
        (F(1, 10**7), "1/10000000 = 1e-07"),
        (F(1, 3 * 10**25), "≈ 3.33333333333e-26"),
        (0.1, "≈ 0.1"),
        (-0.0, "≈ -0"),
    ],
)
def test_numbers_are_exact_and_decimal(x, text):
    assert number(x) == text


def test_an_equals_sign_is_never_put_before_a_rounded_number():
    for denominator in range(1, 60):
        for numerator in range(-denominator, 3 * denominator):
            x = F(numerator, denominator)
            text = number(x)
            exact, _, rounded = text.partition(" = ")
            assert F(exact.partition(" ≈ ")[0]) == x
            assert not rounded or F(rounded) == x


def test_long_vectors_show_what_is_not_zero():
    assert shown(exactly([F(1, 2), 0, 1])[0]) == "(1/2, 0, 1)"
    long = np.zeros((4, 5), dtype=int)
    long[2, 3] = 7
    assert shown(long) == "0 except [2, 3] 7"
    assert shown(long * 0) == "0 everywhere"
    assert shown(np.ones(20, dtype=int)).endswith("and 12 more")


# Stories with textbook numbers --------------------------------------------------------------------


def test_first_price_by_a_bidder_of_three():
    text = told(first_price(3), "ic", (1,), types=[0, 1, F(1, 4)], lies=[F(1, 3)])
    assert "Agent 1 (bidder) has type 1." in text
    assert "Agent 2 reports 1/4 = 0.25; agent 0 reports 0." in text
    assert "truth: reports 1, wins, pays 1; utility 0" in text
    assert "lie:   reports 1/3 ≈ 0.333, wins, pays 1/3 ≈ 0.333; utility 2/3 ≈ 0.667" in text
    assert text.endswith("The lie gains 2/3 ≈ 0.667.")
    assert text.splitlines()[1] == f"Claim: {PROPERTIES['ic'].statement}."


def test_midpoint_auction_of_value_50_and_cost_30():
    """Truth gives the buyer 10, reporting 30 gives it 20, in hundredths."""
    market = midpoint()
    found = played(market, "ic", (0,), types=[F(50, 100), F(30, 100)], lies=[F(30, 100)])
    text = story(found, market.setting)
    assert "Agent 0 (buyer) has type 1/2 = 0.5." in text
    assert "Agent 1 (seller) reports 3/10 = 0.3." in text
    assert "reports 1/2 = 0.5, buys, pays 2/5 = 0.4; utility 1/10 = 0.1" in text
    assert "reports 3/10 = 0.3, buys, pays 3/10 = 0.3; utility 1/5 = 0.2" in text
    assert "The lie gains 1/10 = 0.1." in text
    assert (
        tell(found, market.setting).headline
        == "agent 0 gains 1/10 by reporting 3/10 instead of 1/2"
    )


def test_midpoint_auction_told_by_the_seller():
    text = told(midpoint(), "ic", (1,), types=[F(1, 2), F(3, 10)], lies=[F(1, 2)])
    assert "Agent 1 (seller) has type 3/10 = 0.3." in text
    assert "sells, receives 2/5 = 0.4; utility 1/10 = 0.1" in text
    assert "sells, receives 1/2 = 0.5; utility 1/5 = 0.2" in text


def test_vcg_is_not_false_name_proof():
    """AB at 9 loses to AB at 10; as A at 9 and B at 9 it wins both for 2 (Yokoo et al. 2004)."""
    vcg = mk.Mechanism.groves(mk.combinatorial(2, 2, high=10))
    text = told(
        vcg,
        "false_name_proof",
        (0,),
        types=[[0, 0, 9], [0, 0, 10]],
        lies=[[9, 0, 0], [0, 9, 0]],
    )
    assert "alone: reports (0, 0, 9), wins nothing, pays nothing; utility 0" in text
    assert "one reports (9, 0, 0), gets (1, 0), pays 1" in text
    assert "the other reports (0, 9, 0), gets (0, 1), pays 1" in text
    assert "together: pays 2; utility 7" in text
    assert "The second identity gains 7." in text


def test_generalised_second_price_of_edelman_ostrovsky_and_schwarz():
    """Values 10, 4, 2 and 200, 199 clicks: truth gives 1200, bidding 3 gives 1592."""
    rates = np.array([200, 199])

    def rank(bids):
        place = np.argsort(np.argsort(-bids, axis=-1, kind="stable"), axis=-1, kind="stable")
        return place[..., None] == np.arange(2)

    def pay(bids, allocation):
        prices = -np.sort(-bids, axis=-1)[..., 1:] * rates
        return (allocation * prices[..., None, :]).sum(axis=-1)

    gsp = mk.Mechanism(mk.positions(3, [200, 199], high=10), rank, pay, name="gsp")
    text = told(gsp, "ic", (0,), types=[10, 4, 2], lies=[3])
    assert "gets (1, 0), pays 800; utility 1200" in text
    assert "gets (0, 1), pays 398; utility 1592" in text
    assert "The lie gains 392." in text


def test_second_price_is_bossy_and_its_losers_can_collude():
    auction = second_price(3)
    text = told(auction, "non_bossy", (1,), types=[1, F(1, 2), 0], lies=[0])
    assert "Agent 1 (bidder) reports 0 instead of 1/2 = 0.5." in text
    assert "agent 0 before: wins, pays 1/2 = 0.5; after: wins, pays nothing" in text
    text = told(auction, "strong_group_ic", (0, 1), types=[1, F(1, 2), 0], lies=[1, 0])
    assert "agent 0 by 1/2 = 0.5 and agent 1 by 0" in text
    text = told(auction, "collusion_proof", (0, 1), types=[1, F(1, 2), 0], lies=[1, 0])
    assert "Together they gain 1/2 = 0.5" in text


def test_everybody_gains_in_a_coalition_of_equal_bidders():
    found = played(first_price(3), "group_ic", (0, 1), types=[1, 1, 0], lies=[0, 0])
    # Only the first of two equals wins: nobody can make both gain, and the margin says so.
    assert found.gain == 0
    shares = mk.Mechanism(
        mk.multi_unit(3, 2),
        lambda bids: np.argsort(np.argsort(-bids, kind="stable"), kind="stable") < 2,
        lambda bids, allocation: allocation * bids,
        name="pay as bid",
    )
    text = told(shares, "group_ic", (0, 1), types=[1, F(1, 2), 0], lies=[0, 0])
    assert "Every member gains: agent 0 by 1 and agent 1 by 1/2 = 0.5." in text


# Budgets, constraints, envy: one profile ----------------------------------------------------------


def test_budgets_name_who_pays():
    text = told(midpoint(), "strong_budget_balance", types=[1, 0])
    assert "Agent 0 (buyer) pays 1/2 = 0.5; agent 1 (seller) receives 1/2 = 0.5." in text
    text = told(second_price(3), "strong_budget_balance", types=[1, F(1, 3), 0])
    assert "Agent 0 pays 1/3 ≈ 0.333; the others pay nothing." in text
    assert "The payments sum to 1/3 ≈ 0.333, a surplus; they should sum to 0." in text
    gives = mk.Mechanism(mk.single_item(2), highest, lambda b, x: x * -b, name="gift")
    text = told(gives, "weak_budget_balance", types=[0, F(3, 4)])
    assert "The payments sum to -3/4 = -0.75: a deficit." in text
    found = played(gives, "no_positive_transfers", types=[0, F(3, 4)])
    assert tell(found, gives.setting).headline == "agent 1 receives 3/4"


def test_individual_rationality_names_the_agent_that_loses():
    fee = mk.Mechanism(mk.single_item(3), highest, lambda b, x: (1 - x * 1) * 0.1, name="fee")
    text = told(fee, "ir", types=[1, 0, F(1, 2)])
    assert "Agent 1 (bidder) has type 0." in text
    assert "wins nothing, pays 1/10 = 0.1; utility -1/10 = -0.1" in text


def test_a_broken_constraint_is_counted():
    twice = mk.Mechanism(mk.single_item(3), lambda b: b >= 0, nothing_paid, name="all win")
    text = told(twice, "feasible", types=[0, 0, 0])
    assert "All 3 agents have type 0." in text
    assert "The allocation is (1, 1, 1): constraint 7 of 7 of the setting is broken by 2." in text


def nothing_paid(bids, allocation):
    return np.zeros_like(bids)


def test_the_envious_and_the_envied_are_found_again():
    last = mk.Mechanism(
        mk.single_item(3),
        lambda bids: np.arange(3) == np.argmin(bids, axis=-1)[..., None],
        lambda bids, allocation: allocation * 0.125,
        name="lowest wins",
    )
    text = told(last, "envy_free", types=[F(1, 2), 0, 1])
    assert "In the place of agent 1, agent 2 would be better off by 7/8 = 0.875." in text
    assert "own:    wins nothing, pays nothing; utility 0" in text


def test_monotone_stories_go_from_the_worse_report_to_the_better():
    reverse = mk.Mechanism(
        mk.single_item(2),
        lambda bids: np.arange(2) == np.argmin(bids, axis=-1)[..., None],
        nothing_paid,
        name="lowest wins",
    )
    for truth, lie in ((F(1, 4), F(3, 4)), (F(3, 4), F(1, 4))):
        found = played(reverse, "monotone", (0,), types=[truth, F(1, 2)], lies=[lie])
        headline = tell(found, reverse.setting).headline
        assert headline == "agent 0 gets 1 less when it raises its report from 1/4 to 3/4"


def test_a_price_that_is_not_critical():
    text = told(first_price(2), "critical_payment", (0,), types=[1, F(1, 4)], lies=[F(1, 2)])
    assert "Agent 0 (bidder) reports 1, wins, pays 1." in text
    assert "Reporting 1/2 = 0.5 it wins too: it pays 1/2 = 0.5 more" in text
    free = mk.Mechanism(mk.single_item(2), highest, nothing_paid, name="free")
    text = told(free, "critical_payment", (0,), types=[1, F(1, 2)], lies=[F(1, 4)])
    assert "Reporting 1/4 = 0.25 it wins nothing: it pays 1/4 = 0.25 less" in text


# Other families -----------------------------------------------------------------------------------


def test_a_cycle_of_two_types():
    """Items go to who values the first one less: types (1, 0) and (0, 1) would swap, for 2 more."""
    wrong = mk.Mechanism(
        mk.additive(1, 2),
        lambda bids: np.stack([bids[..., 1] > 0, bids[..., 0] > 0], axis=-1),
        lambda bids, allocation: np.zeros_like(bids[..., 0]),
        name="crossed",
    )
    text = told(wrong, "cyclic_monotone", (0,), types=[[1, 0]], cycle=[[0, 1]])
    assert "type 1 is (1, 0): gets (0, 1), worth 0 to it" in text
    assert "type 2 is (0, 1): gets (1, 0), worth 0 to it" in text
    assert "were each type given the other's allocation, 2, more by 2." in text


def test_expected_gains_are_exact_for_finite_types():
    """Value 2 against uniform {0, 1, 2}: bidding 1 wins against 0 and 1 (a tie), for 1 each."""
    auction = mk.Mechanism(
        mk.single_item(2, high=2, levels=(0, 1, 2)), highest, lambda b, x: b * x, name="first price"
    )
    text = told(auction, "bic", (0,), types=[2, 0], lies=[1])
    assert "Reporting 1 instead raises its expected utility by 2/3 ≈ 0.667." in text
    fee = replace(auction, pay=lambda b, x: b * 0 + 0.25)
    text = told(fee, "interim_ir", (0,), types=[0, 0], lies=[0])
    assert "Its expected utility is -1/4 = -0.25; staying away would give 0." in text


def test_a_newcomer_lowers_revenue():
    crowded = mk.Mechanism(
        mk.single_item(2),
        highest,
        lambda bids, allocation: allocation * bids / (bids.shape[-1] - 1),
        name="split",
    )
    text = told(crowded, "revenue_monotone", (0,), check=1, types=[1, 0], newcomer=[0])
    assert "Agent 2 (bidder) joins, of type 0: they sum to 1/2 = 0.5." in text
    assert "More competition lowers revenue by 1/2 = 0.5." in text


def test_swapped_reports_and_scaled_bids():
    favours = mk.Mechanism(
        mk.single_item(2),
        lambda bids: np.stack([bids[..., 0] >= 0.5, bids[..., 0] < 0.5], axis=-1),
        nothing_paid,
        name="posted to the first",
    )
    text = told(favours, "anonymous", (0, 1), types=[1, F(3, 4)])
    assert "it is off by 1" in text
    found = played(favours, "adverse_selection_free", types=[1, 0], factor=[F(1, 4)])
    text = story(found, favours.setting)
    assert "All bids are multiplied by 1/4 = 0.25." in text
    assert "before: agent 0 wins" in text
    assert "after:  agent 1 wins" in text


# Crowds, draws, arithmetics -----------------------------------------------------------------------


def test_a_crowd_is_told_in_a_few_words():
    text = told(first_price(1000), "ic", (3,), types=[0] * 3 + [1] + [0] * 996, lies=[F(1, 2)])
    assert "The other 999 agents report 0." in text
    types = [0] * 3 + [1] + [F(1, 4)] * 2 + [0] * 994
    text = told(first_price(1000), "ic", (3,), types=types, lies=[F(1, 2)])
    assert "Agents 4 and 5 report 1/4 = 0.25 each; the other 997 agents report 0." in text
    assert len(text) < 600


def test_a_crowd_of_different_types_is_cut_and_counted():
    types = [1] + [F(k, 100) for k in range(1, 31)]
    text = told(first_price(31), "ic", (0,), types=types, lies=[F(1, 2)])
    assert "for 24 more see the witness" in text


def test_public_draws_are_shown():
    setting = mk.single_item(2).with_public(reserve=mk.box(1))
    auction = mk.Mechanism(
        setting,
        lambda bids, public: highest(bids) & (bids >= public["reserve"]),
        lambda bids, allocation, public: allocation * bids,
        name="reserve",
    )
    found = played(
        auction, "ic", (0,), types=[1, 0], lies=[F(1, 2)], **{"public.reserve": [F(1, 4)]}
    )
    assert "Public: reserve = 1/4 = 0.25." in story(found, setting)


def test_expectations_over_a_lottery_are_named():
    setting = mk.single_item(2).with_public(coin=mk.Lottery(draws=[0, 2]))
    auction = mk.Mechanism(
        setting,
        lambda bids, public: highest(bids),
        lambda bids, allocation, public: allocation * bids * public["coin"][..., None],
        name="double or nothing",
    )
    text = told(auction, "ic", (0,), types=[1, 0], lies=[F(1, 2)])
    assert "pays 1; utility 0" in text
    assert "Outcomes and payments are expectations over coin." in text


def test_enclosures_and_floats_are_never_told_as_exact():
    root = mk.Mechanism(mk.single_item(2), highest, lambda b, x: x * np.sqrt(b), name="root")
    text = told(root, "ir", arithmetic="interval", types=[F(1, 2), 0])
    assert "pays ≈ 0.707107; utility ≈ -0.207107" in text
    assert "enclosures" in text
    opaque = mk.Mechanism(
        mk.single_item(2), highest, lambda b, x: x * np.asarray(b.tolist()), name="opaque"
    )
    text = told(
        opaque, "ic", (0,), arithmetic="float64", note="TypeError: x", types=[1, 0], lies=[0.5]
    )
    assert "lie:   reports ≈ 0.5, wins, pays ≈ 0.5; utility ≈ 0.5" in text
    assert "The rule runs in floats only, because of TypeError: x: this is a float point" in text
    assert " = 0.5" not in text


def test_reports_that_are_not_types_are_told_apart():
    setting = mk.Setting(
        name="doubled",
        types=mk.box(2),
        allocation_shape=(2,),
        value=lambda types, allocation: types * allocation,
        slack=lambda allocation: 1 - (allocation * 1).sum(axis=-1, keepdims=True),
        reports=mk.box(2, high=2),
        truthful=lambda types: 2 * types,
    )
    auction = mk.Mechanism(setting, highest, lambda b, x: x * b / 2, name="halved")
    text = told(auction, "ic", (0,), types=[1, 0], lies=[1], others=[0, F(1, 2)])
    assert "Agent 0 (bidder) has type 1." in text
    assert "Agent 1 reports 1/2 = 0.5." in text
    assert "truth: reports 2, gets 1, pays 1; utility 0" in text
    assert "lie:   reports 1, gets 1, pays 1/2 = 0.5; utility 1/2 = 0.5" in text


def test_every_property_has_a_wording_and_an_unknown_one_is_told_plainly():
    assert set(PROPERTIES) <= set(WORDINGS)
    found = replace(played(first_price(2), "ic", (0,), types=[1, 0], lies=[0]), property="new")
    text = story(found, first_price(2).setting)
    assert "truth: reports (1, 0), allocation (1, 0), payments (1, 0)" in text
    assert "deviation: reports (0, 0), allocation (1, 0), payments (0, 0)" in text


# The catalogue ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["gsp", "vcg-packages", "mcafee", "double-or-nothing", "clarke-project", "wallet-game"]
)
def test_whatever_is_refuted_in_the_catalogue_has_a_story_with_its_gain(key):
    from mechkit.catalogue import entry_of

    mechanism = entry_of(key).make()
    report = mk.verify(mechanism, evaluations=30_000)
    assert report.refuted
    for verdict in report.refuted:
        found = verdict.counterexample
        lines = tell(found, mechanism.setting).lines
        assert len(lines) >= 2
        text = "\n".join(lines)
        if verdict.property not in {"strong_group_ic", "group_ic"} | BY_OUTCOME:
            assert number(found.gain) in text or number(-found.gain) in text
        for i in found.agents:
            assert f"gent {i}" in text or f"{i}" in text


# Stories that show the outcome, whose difference to what should be is the gain.
BY_OUTCOME = {
    "non_bossy",
    "strong_budget_balance",
    "weak_budget_balance",
    "no_positive_transfers",
    "critical_payment",
    "adverse_selection_free",
}
