"""The claims about the double Dutch auction: as expected, replayed, and able to notice a fault."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from paper_claims import assert_arithmetics_agree, assert_replays, assert_whole

import mechkit as mk
from mechkit.book import market
from mechkit.mechanism import Mechanism, play
from mechkit.papers import claim_of, paper_of
from mechkit.papers.claim import Asked, Effort, Fact
from mechkit.papers.madda import facts, matching, mechanism, small, theorem
from mechkit.sides import side

PAPER = paper_of("madda")
IDS = (
    "strong_budget_balance monotone critical_payment ir ic theorem2 matching_ignores_prices "
    "matching_ignores_requirements matching_unique freshness_sums_to_one"
)
EVALUATIONS = 20_000


def asked(claim_id: str, made: Mechanism | None = None, **more) -> mk.Verdict:
    """The verdict on the property of a claim, of its own mechanism or of another."""
    how = claim_of(claim_id).how
    assert isinstance(how, Asked)
    made = made or PAPER.mechanisms[how.mechanism]()
    made = side(made, how.role) if how.role else made
    found = mk.verify(made, [how.property], evaluations=EVALUATIONS, workers=1, **more)
    return found[how.property]


ASKED = [c for c in PAPER.claims if isinstance(c.how, Asked)]
FACTS = [c for c in PAPER.claims if isinstance(c.how, Fact)]


def test_every_claim_is_there_once():
    assert_whole(PAPER, IDS)
    found = [c.id for c in PAPER.claims]
    for name in ("ir", "ic", "monotone", "critical_payment"):
        for role in ("buyer", "seller"):
            for reading in ("", "-step-2", "-setter-out", "-setter-out-step-2"):
                assert f"madda.{name}/{role}{reading}" in found


@pytest.mark.parametrize("claim", ASKED, ids=lambda c: c.id)
def test_search_finds_what_is_expected(claim):
    verdict = asked(claim.id)
    if claim.expected:
        assert verdict.status is mk.Status.UNREFUTED
        assert verdict.effort.trades > 100
        return
    assert_replays(claim, verdict)


@pytest.mark.parametrize(
    "claim_id",
    [
        "madda.strong_budget_balance",
        "madda.ir/seller",
        "madda.ic/buyer-setter-out",
        "madda.critical_payment/buyer-setter-out",
        "madda.monotone/seller-setter-out",
        "madda.ir/buyer-between",
    ],
)
def test_what_is_expected_to_hold_is_proved(claim_id):
    verdict = asked(claim_id, prove=True, prove_seconds=60)
    assert verdict.status is mk.Status.PROVED
    assert "types in" in verdict.certificate.domain


# The arguments by hand ----------------------------------------------------------------------------


def trades(name: str, reports) -> tuple[list, list]:
    """Who trades, and payments, at these reports."""
    outcome = play(PAPER.mechanisms[name](), np.array([reports], dtype=float))
    return (outcome.allocation * 1)[0].tolist(), outcome.payments[0].tolist()


@pytest.mark.parametrize(
    ("name", "reports", "pairs", "price"),
    [
        ("unit-step", [3, 2, 1, 3, 5, 5], [1, 0, 0], 3),
        ("unit-step", [3, 2, 1, 1, 5, 5], [0, 0, 0], 0),
        ("unit-step", [4, 5, 3, 1, 1, 5], [0, 1, 0], 3),
        ("unit-step", [4, 4, 3, 1, 1, 5], [1, 0, 0], 3),
        ("unit-step", [5, 1, 1, 2, 5, 5], [1, 0, 0], 2),
        ("unit-step", [5, 1, 1, 4, 5, 5], [1, 0, 0], 4),
        ("step-2", [4, 2, 1, 3, 5, 5], [1, 0, 0], 3.5),
        ("step-2", [4, 2, 1, 1, 5, 5], [0, 0, 0], 0),
        ("step-2", [5, 5, 2, 1, 1, 5], [1, 0, 0], 1.5),
        ("step-2", [4, 5, 2, 1, 1, 5], [0, 1, 0], 1.5),
        ("step-2", [4, 4, 2, 1, 1, 5], [1, 0, 0], 1.5),
        ("step-2", [5, 1, 1, 1, 5, 5], [1, 0, 0], 1.5),
        ("step-2", [5, 1, 1, 3, 5, 5], [1, 0, 0], 3.5),
        ("setter-out", [4, 1, 1, 2, 5, 5], [1, 0, 0], 2),
        ("setter-out", [4, 1, 1, 4, 5, 5], [1, 0, 0], 4),
        ("setter-out-step-2", [2, 3, 1, 5, 1, 5], [0, 1, 0], 1.5),
        ("setter-out-step-2", [2, 2, 1, 5, 1, 5], [0, 0, 0], 0),
        ("setter-out-step-2", [3, 3, 1, 5, 1, 5], [0, 0, 0], 0),
        ("setter-out-step-2", [3, 4, 1, 5, 1, 5], [0, 1, 0], 1.5),
        ("setter-out-between", [50.9, 50.5, 10, 90], [1, 0], 50),
        ("setter-out-between", [50.2, 50.5, 10, 90], [0, 0], 0),
        ("setter-out-between", [50.5, 50.9, 10, 90], [0, 0], 0),
        ("setter-out-between", [51, 50.9, 10, 90], [1, 0], 50),
    ],
)
def test_the_profiles_of_the_claims(name, reports, pairs, price):
    who, paid = trades(name, reports)
    assert who == [*pairs, *pairs]
    assert paid == [price * x for x in pairs] + [-price * x for x in pairs]


def test_a_false_requirement_by_hand():
    made = PAPER.mechanisms["requirements"]()
    types = np.array([[[3.0, 1], [1, 2]]])
    lie = np.array([[[3.0, 3], [1, 2]]])
    assert play(made, types).utility(types).tolist() == [[0, 0]]
    assert play(made, lie).utility(types).tolist() == [[1, 0]]
    # Who truly requires more than the seller has gains nothing by hiding it.
    large = np.array([[[3.0, 4], [1, 2]]])
    assert play(made, lie).utility(large).tolist() == [[-2, 0]]


@pytest.mark.parametrize("name", PAPER.mechanisms)
def test_mechanisms_are_feasible(name):
    found = mk.verify(PAPER.mechanisms[name](), ["feasible"], evaluations=EVALUATIONS, workers=1)
    assert found["feasible"].status is mk.Status.UNREFUTED


# Planted faults -----------------------------------------------------------------------------------


def clocks_of(v, c, step):
    return mechanism.clear(v, c, step=step, high=small.TICKS + step - 1)


def planted(mechanism_name, change):
    """The setting of a mechanism with the rule change(clocks, values, costs) -> Sides."""
    made = PAPER.mechanisms[mechanism_name]()
    step = 2 if "step-2" in mechanism_name else 1
    return market(lambda v, c: change(clocks_of(v, c, step), v, c), made.setting, "planted")


def kept(clocks, v, c):
    """Buyers pay a tick more than sellers receive."""
    wins, _ = mechanism.as_printed(clocks)
    return wins, wins, clocks.price + 1, clocks.price


def first_dropped(clocks, v, c):
    """Everybody among the first K but the first buyer."""
    wins = (clocks.buy_rank < clocks.k) & (clocks.sell_rank < clocks.k) & (clocks.buy_rank > 0)
    return wins, wins, clocks.price, clocks.price


def cheapest_dropped(clocks, v, c):
    wins = (clocks.buy_rank < clocks.k) & (clocks.sell_rank < clocks.k) & (clocks.sell_rank > 0)
    return wins, wins, clocks.price, clocks.price


def dear(clocks, v, c):
    wins, _ = mechanism.setter_left_out(clocks)
    return wins, wins, clocks.price + 1, clocks.price + 1


def cheap(clocks, v, c):
    wins, _ = mechanism.setter_left_out(clocks)
    return wins, wins, clocks.price - 1, clocks.price - 1


def own_bid(clocks, v, c):
    wins, _ = mechanism.setter_left_out(clocks)
    return wins, wins, v, v


FAULTS = {
    "strong_budget_balance": kept,
    "monotone/buyer": first_dropped,
    "monotone/seller": cheapest_dropped,
    "critical_payment/buyer": own_bid,
    "ir/buyer": dear,
    "ir/seller": cheap,
    "ic/buyer": own_bid,
}
HOLD = [c.id for c in ASKED if c.expected and "between" not in c.id]


@pytest.mark.parametrize("claim_id", HOLD)
def test_a_fault_is_noticed(claim_id):
    how = claim_of(claim_id).how
    name = how.property + (f"/{how.role}" if how.role else "")
    verdict = asked(claim_id, planted(how.mechanism, FAULTS[name]))
    assert verdict.status is mk.Status.REFUTED


def posted(clocks, v, c):
    """Partners trade at 3 if both like it."""
    wins = (v >= 3) & (c <= 3)
    return wins, wins, 3 + 0 * clocks.price, 3 + 0 * clocks.price


FAIL = [c.id for c in ASKED if not c.expected and c.how.mechanism != "requirements"]


@pytest.mark.parametrize("claim_id", FAIL)
def test_refuted_claims_hold_of_a_sound_rule(claim_id):
    verdict = asked(claim_id, planted(claim_of(claim_id).how.mechanism, posted))
    assert verdict.status is mk.Status.UNREFUTED
    assert verdict.effort.trades > 100


def test_requirements_do_not_pay_where_the_matching_does_not_rank_them():
    def first(required):
        return (required <= small.OFFERED) & (np.arange(required.shape[-1]) == 0)

    claim = "madda.matching_ignores_requirements"
    verdict = asked(claim, small.with_requirements(first))
    assert verdict.status is mk.Status.UNREFUTED
    assert verdict.effort.trades > 100


# Facts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", FACTS, ids=lambda c: c.id)
def test_facts_are_decided_and_replayed(claim):
    found = claim.how.decide(Effort())
    assert found.status is (mk.Status.PROVED if claim.expected else mk.Status.REFUTED)
    numbers = json.loads(json.dumps(found.numbers))
    said = claim.how.replay(found.status, numbers)
    assert said
    if not claim.expected:
        assert said == found.told
        assert found.exercised
    other = mk.Status.REFUTED if claim.expected else mk.Status.PROVED
    with pytest.raises(ValueError, match="only a"):
        claim.how.replay(other, numbers)


def test_theorem_2_needs_a_bid_between_any_two():
    assert all(holds for _, holds in theorem.denials())
    without = dict(theorem.denials(between=False))
    for role in ("buyer", "seller"):
        assert not without[f"{role}: critical charges make the truth best"]
        assert without[f"{role}: critical charges leave nobody at a loss"]
        assert without[f"{role}: IC and IR make charges critical"]


def test_theorem_2_on_ticks_by_hand(monkeypatch):
    bids = [Fraction(1), Fraction(2)]
    half, one = Fraction(1, 2), Fraction(1)
    assert theorem.is_critical(bids, [half, one])
    assert not theorem.is_critical(bids, [None, half])  # 1 > 1/2 loses
    assert not theorem.is_critical(bids, [one, 2 * one])  # 1 < 2 wins
    assert theorem.is_critical(bids, [None, 2 * one])
    assert not theorem.is_monotone([one, None])
    assert theorem.best_lie(bids, [half, one]) == (half, 2, 1)
    # Where every winner is charged the same the fault is gone.
    right = theorem.is_critical
    monkeypatch.setattr(
        theorem,
        "is_critical",
        lambda b, rule: right(b, rule) and len({x for x in rule if x is not None}) <= 1,
    )
    assert theorem.decide_theorem2_ticks(Effort()).status is mk.Status.UNREFUTED


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"charges": ["1", "1"]}, "not a positive"),
        ({"charges": [None, "1/2"]}, "not monotone with critical"),
        ({"charges": ["1/2", None]}, "not monotone with critical"),
        ({"gain": "1"}, "not a positive 1"),
        ({"bid": "3"}, "malformed"),
        ({"bids": ["2", "1"]}, "rising bids"),
    ],
)
def test_numbers_that_do_not_refute_theorem_2_are_rejected(change, why):
    numbers = theorem.decide_theorem2_ticks(Effort()).numbers
    with pytest.raises(ValueError, match=why):
        theorem.replay_theorem2_ticks(mk.Status.REFUTED, {**numbers, **change})


def test_a_price_in_the_weights_is_noticed(monkeypatch):
    import sympy

    right = matching.edge_weight
    monkeypatch.setattr(
        matching, "edge_weight", lambda *given: right(*given) + sympy.Symbol("value_0")
    )
    found = facts.decide_ignores_prices(Effort())
    assert found.status is mk.Status.UNKNOWN
    assert "value_0" in found.evidence
    with pytest.raises(ValueError, match="other symbols"):
        facts.replay_ignores_prices(mk.Status.PROVED, {"symbols": 27})


def test_twins_are_what_makes_the_matching_ambiguous(monkeypatch):
    apart = {**facts.TWINS, "required": [["50", "50", "50"], ["55", "50", "45"]]}
    ways = facts.exact_matchings(apart)
    # Weights by hand: Σ_m R_m · O_n over both, and 2 (0.5 · 0.4) + 0.5 (0.9 + 0.8).
    same = Fraction(2, 5) + Fraction(17, 20)
    straight = 50 * 180 + (55 * 70 + 50 * 60 + 45 * 50)
    crossed = 50 * 180 + (55 + 50 + 45) * 60
    assert dict(ways) == {(0, 1): straight + same, (1, 0): crossed + same}
    assert straight != crossed
    numbers = facts.decide_unique(Effort()).numbers
    with pytest.raises(ValueError, match="not two perfect matchings"):
        facts.replay_unique(mk.Status.REFUTED, {**numbers, "required": apart["required"]})
    monkeypatch.setattr(facts, "TWINS", apart)
    assert facts.decide_unique(Effort()).status is mk.Status.UNREFUTED


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"weight": "1"}, "not two perfect matchings"),
        ({"matchings": [[0, 1], [0, 1]]}, "not two perfect matchings"),
        ({"farthest": ["1/2", "4/5"]}, "not two perfect matchings"),
        ({"trades": [[1, 1], [1, 1]]}, "not as stated"),
        ({"away": "x"}, "malformed"),
    ],
)
def test_numbers_that_show_no_tie_are_rejected(change, why):
    numbers = facts.decide_unique(Effort()).numbers
    with pytest.raises(ValueError, match=why):
        facts.replay_unique(mk.Status.REFUTED, {**numbers, **change})


def test_rational_bounds_of_exp_enclose_it():
    for x in (Fraction(0), Fraction(1, 3), Fraction(1), Fraction(7)):
        low, high = facts.enclosed(x)
        assert float(low) <= np.exp(-float(x)) <= float(high)
        assert high - low < Fraction(1, 100)


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        ({"ages": ["0"], "decay": "1"}, "not away"),
        ({"ages": ["6931/10000"] * 2, "decay": "1"}, "not away"),  # about ln 2
        ({"ages": [], "decay": "1"}, "expected 1 to 20"),
        ({"ages": ["-1", "0"], "decay": "1"}, "expected 1 to 20"),
        ({"ages": ["1"], "decay": "0"}, "ξ > 0"),
        ({"ages": ["1"]}, "malformed"),
    ],
)
def test_freshness_that_may_sum_to_one_is_rejected(numbers, why):
    with pytest.raises(ValueError, match=why):
        facts.replay_freshness(mk.Status.REFUTED, numbers)


def test_the_corrected_freshness_is_not_refuted(monkeypatch):
    right = facts.freshness_sum

    def divided(ages, decay):
        low, high = right(ages, decay)
        return low / high, high / low

    monkeypatch.setattr(facts, "freshness_sum", divided)
    assert facts.decide_freshness(Effort()).status is mk.Status.UNREFUTED
    assert claim_of("madda.freshness_sums_to_one").formula is not None


# Three arithmetics --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAPER.mechanisms)
def test_floats_rationals_and_symbols_agree_at_ties(name):
    """On halves float arithmetic is exact, and most profiles have ties."""
    made = PAPER.mechanisms[name]()
    rng = np.random.default_rng(0)
    parts = 2 if "between" in name else 1
    shape = made.setting.report_space.shape
    reports = rng.integers(parts, 4 * parts + 1, (60, *shape)) / parts
    assert_arithmetics_agree(made, reports, in_symbols=15)


def test_the_small_rule_is_the_rule_of_the_market():
    """A mechanism's outcome on a batch is that of the system's winners on the same clocks."""
    rng = np.random.default_rng(1)
    reports = rng.integers(1, 6, (300, 6)).astype(float)
    outcome = play(PAPER.mechanisms["unit-step"](), reports)
    clocks = mechanism.clear(reports[:, :3], reports[:, 3:], high=small.TICKS)
    wins, _ = mechanism.as_printed(clocks)
    assert np.array_equal(outcome.allocation[:, :3], wins)
    assert clocks.k.max() == 3
