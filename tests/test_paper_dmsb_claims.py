"""Every claim about the modified second bid auction: what is found agrees with what was argued."""

import json
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest

import mechkit as mk
from mechkit import witness
from mechkit.mechanism import play
from mechkit.papers import Asked, Effort, claim_of, claims, mechanism_of, paper_of
from mechkit.papers.dmsb import contract, rules
from mechkit.sides import side
from mechkit.spaces import box
from mechkit.verdict import Status

PAPER = paper_of("dmsb")
ASKED = {claim.id: claim for claim in PAPER.claims if isinstance(claim.how, Asked)}
LISTED = (
    "ic ir anonymous false_name_proof adverse_selection_free critical_payment ic/policy "
    "adverse_selection_free/policy ic/uav ir/uav myopic.ic optimal.ic spa.adverse_selection_free"
)


def mechanism(claim):
    role = f":{claim.how.role}" if claim.how.role else ""
    return mechanism_of(f"dmsb/{claim.how.mechanism}{role}")


def verdict(claim, of=None, **options):
    name = claim.how.property
    report = mk.verify(of or mechanism(claim), name, **{"evaluations": 20_000, **options})
    return report[name]


# What was argued and what is found ----------------------------------------------------------------


@pytest.mark.parametrize("name", LISTED.split())
def test_every_claim_is_there(name):
    assert any(key == f"dmsb.{name}" or key.startswith(f"dmsb.{name}/") for key in claims())


def test_claims_are_told_apart_and_explained():
    ids = [claim.id for claim in PAPER.claims]
    assert len(set(ids)) == len(ids)
    for claim in PAPER.claims:
        assert claim.where
        assert claim.says
        assert claim.because
        assert claim.reading or claim.id == "dmsb.spa.adverse_selection_free"
        assert claim.expected is not None


@pytest.mark.parametrize("name", ASKED)
def test_search_agrees_with_the_argument(name):
    claim = ASKED[name]
    found = verdict(claim)
    if claim.expected:
        assert found.status is Status.UNREFUTED, found.counterexample
        assert found.effort.trades > 10  # trades of the agents that are asked about
        return
    assert found.status is Status.REFUTED
    assert found.counterexample.arithmetic == "exact"
    made = mechanism(claim)
    saved = witness.to_json(found.counterexample, reference=None, digest=None, seed=0)
    again = witness.replay(made, json.loads(json.dumps(saved)))
    assert again.confirmed
    assert again.arithmetic == "exact"
    assert -again.margin == found.counterexample.gain > 0


@pytest.mark.parametrize(
    "name",
    [
        *(f"ir/{over}" for over in ("stations", "all")),
        *(f"ic/{over}" for over in ("stations", "all")),
        "critical_payment/stations",
        "anonymous/stations",
        "false_name_proof/stations",
        "adverse_selection_free/stations",
        "ir/uav/all",
    ],
)
def test_theorem_1_is_proved_for_every_constant(name):
    found = verdict(ASKED[f"dmsb.{name}"], evaluations=2_000, prove=True, prove_seconds=30)
    assert found.status is Status.PROVED
    assert found.certificate.tool


@pytest.mark.parametrize("name", PAPER.mechanisms)
def test_every_mechanism_is_feasible_and_keeps_what_is_paid(name):
    report = mk.verify(
        PAPER.mechanisms[name](), ["feasible", "weak_budget_balance"], evaluations=4_000
    )
    assert report.ok
    assert all(found.status is Status.UNREFUTED for found in report)


# The counterexamples of the arguments, played -----------------------------------------------------


def auction(bids, rho, everybody):
    """Eqs. 14 and 15 in scalars and rationals: who has the task, and what it pays."""
    for n in range(1, len(bids)):
        rivals = [b for k, b in enumerate(bids) if k not in (0, n) or (k == 0 and everybody)]
        if bids[n] > rho * max(rivals):
            return n, rho * max(rivals)
    return 0, bids[0]


def greedy(bids):
    return 1 if max(bids[1:]) > F(3, 2) * bids[0] else 10


def scored(bids):
    return 10 if 2 * bids[0] >= sum(bids[1:]) else 1


def highest(bids):
    top, second, *_ = sorted(bids, reverse=True)
    return F(top, second) if second else F(1)


def two(bids):
    return 2


def utility(values, reports, agent, rho, everybody):
    winner, paid = auction(reports, rho(reports), everybody)
    return values[agent] - paid if winner == agent else 0


def profile(*numbers):
    return [F(n) for n in numbers]


@pytest.mark.parametrize(
    ("rho", "everybody", "values", "agent", "lie", "gain"),
    [
        (two, True, profile(1, "1/2", 0, 0), 0, "1/2", "1/2"),
        (two, False, profile(1, "1/2", 0, "3/8"), 0, 0, 1),
        (greedy, False, profile("3/8", "1/2", "1/4", 0), 1, "5/8", "1/4"),
        (greedy, True, profile("3/8", "1/2", "1/4", 0), 1, "5/8", "1/8"),
        (scored, False, profile("1/4", "2/5", "1/20", 0), 1, "3/5", "7/20"),
        (scored, True, profile("1/4", "2/5", "1/20", 0), 1, "3/5", "3/20"),
        (highest, False, profile(1, "4/5", "1/5", 0), 1, 1, "1/20"),
    ],
)
def test_lies_of_the_arguments_gain_what_they_say(rho, everybody, values, agent, lie, gain):
    lies = [F(lie) if k == agent else v for k, v in enumerate(values)]
    truth = utility(values, values, agent, rho, everybody)
    assert utility(values, lies, agent, rho, everybody) - truth == F(gain)


@pytest.mark.parametrize(
    ("rho", "everybody", "bids", "factor"),
    [
        (two, True, profile("3/8", "1/2", "1/8", 0), 2),
        (greedy, False, profile("1/4", "3/10", "1/10", 0), 2),
        (greedy, True, profile("1/4", "3/10", "1/10", 0), 2),
        (scored, False, profile("1/4", "2/5", "1/20", 0), 2),
        (scored, True, profile("1/4", "2/5", "1/20", 0), 2),
        (lambda b: max(1, b[0] / sorted(b[1:])[-2]), False, profile("3/8", "1/4", "1/8", 0), 4),
        (lambda b: max(1, b[0] / sorted(b[1:])[-2]), True, profile("3/8", "1/4", "1/8", 0), 4),
    ],
)
def test_scaled_bids_of_the_arguments_move_the_task(rho, everybody, bids, factor):
    scaled = [bids[0], *(factor * b for b in bids[1:])]
    assert auction(bids, rho(bids), everybody)[0] == 0
    assert auction(scaled, rho(scaled), everybody)[0] == 1


@pytest.mark.parametrize("everybody", [False, True])
def test_a_bid_of_the_first_round_moves_the_second(everybody):
    values, shy = profile(0, 1, "1/4", 0), profile(0, "1/2", "1/4", 0)
    first = utility(values, values, 1, lambda _: 1, everybody)
    assert first == utility(values, shy, 1, lambda _: 1, everybody) == F(3, 4)
    assert auction(values, highest(values), everybody)[0] == 0
    assert auction(values, highest(shy), everybody) == (1, F(1, 2))


# Independent arguments ----------------------------------------------------------------------------


def grid(agents, points=5):
    return np.stack(np.meshgrid(*[np.arange(points) / (points - 1)] * agents), -1).reshape(
        -1, agents
    )


def test_the_myopic_factor_of_the_uav_is_the_second_price_auction():
    bids = grid(4, 7)
    ordered = np.sort(bids, axis=-1)
    stations = np.sort(bids[:, 1:], axis=-1)
    decided = (ordered[:, -1] > ordered[:, -2]) & (stations[:, -2] > 0)
    mine = rules.with_factor(rules.myopic_of_uav)(bids[decided])
    theirs = rules.second_price(bids[decided])
    won_by_station = theirs[0][:, 1:].any(axis=-1)
    assert np.array_equal(mine[0], theirs[0])
    assert won_by_station.any()
    assert not won_by_station.all()
    assert mine[1][won_by_station] == pytest.approx(theirs[1][won_by_station])


def test_where_the_highest_bid_sets_the_factor_over_everybody_no_station_wins():
    bids = grid(4, 6)
    others = np.array([[max(np.delete(row, n)) for n in range(1, 4)] for row in bids])
    wins, _ = rules.with_factor(rules.myopic_of_highest, everybody=True)(bids)
    # But a station beside bids of 0 alone.
    assert np.array_equal(wins[:, 1:], (others == 0) & (bids[:, 1:] > 0))


def test_the_optimal_factors_by_hand():
    # Highest of the four rounds: 3/4, 7/8, 1, 5/8; second: 1/2, 1/2, 5/8, 1/2; the UAV's:
    # 3/4, 1/2, 1, 5/8; the stations' second: 3/8, 1/4, 1/2, 3/8.
    past = np.array(rules.HISTORY)
    top, per = rules.optimal_of_highest(past)
    assert F(top) / F(per) == F(26, 17)
    top, per = rules.optimal_of_uav(past)
    assert F(top) / F(per) == F(23, 12)


# Planted faults -----------------------------------------------------------------------------------


def first_price(reports, **public):
    wins, _ = rules.modified_second_bid(reports, **public)
    return wins, wins * reports


def unscaled(reports, **public):
    wins, pays = rules.modified_second_bid(reports, **public)
    return wins, np.concatenate([pays[:, :1], pays[:, 1:] / public["rho"]], axis=1)


def too_dear(reports, **public):
    wins, pays = rules.modified_second_bid(reports, **public)
    return wins, pays * 5 / 4


def third(reports, **public):
    """The best of the others is mistaken for the lowest bid."""
    wins, pays = rules.modified_second_bid(reports, **public)
    low = np.sort(reports[:, 1:], axis=-1)[:, :1]
    return wins, np.concatenate([pays[:, :1], wins[:, 1:] * public["rho"] * low], axis=1)


def a_favourite(reports, **public):
    raised = reports * np.array([1, 1.25, 1, 1])
    wins, pays = rules.modified_second_bid(raised, **public)
    return wins, pays


def reserve(reports, **public):
    wins, pays = rules.modified_second_bid(reports, **public)
    wins = wins & np.concatenate([wins[:, :1] | True, reports[:, 1:] > 0.5], axis=1)
    return wins, pays * wins


@pytest.mark.parametrize("over", ["stations", "all"])
@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (first_price, "ic"),
        (unscaled, "ic"),
        (third, "ic"),
        (unscaled, "critical_payment"),
        (first_price, "critical_payment"),
        (too_dear, "ir"),
        (too_dear, "ir/uav"),
        (a_favourite, "anonymous"),
        (reserve, "adverse_selection_free"),
    ],
)
def test_a_planted_fault_is_noticed(fault, name, over):
    claim = ASKED[f"dmsb.{name}/{over}"]
    sound = mechanism_of(f"dmsb/{claim.how.mechanism}")

    def rule(reports, *, public):
        return fault(reports, rho=public["rho"], everybody=over == "all")

    broken = replace(sound, outcome=rule)
    broken = side(broken, claim.how.role) if claim.how.role else broken
    found = verdict(claim, broken)
    assert found.status is Status.REFUTED
    assert found.counterexample.arithmetic == "exact"


def test_false_names_are_noticed():
    """Here the lowest of the others sets the price, which a second name can lower."""
    sound = rules.stations_only(everybody=False)

    def rule(reports, *, public):
        top = np.sort(reports, axis=-1)[:, -1:]
        wins = (np.argmax(reports, axis=-1)[:, None] == np.arange(reports.shape[1])) & (top > 0)
        return wins, wins * np.sort(reports, axis=-1)[:, :1]

    found = verdict(ASKED["dmsb.false_name_proof/stations"], replace(sound, outcome=rule))
    assert found.status is Status.REFUTED


@pytest.mark.parametrize("over", ["stations", "all"])
def test_an_optimal_factor_that_learns_from_this_round_is_noticed(over):
    def rule(reports):
        # The mean of the history's four rounds and of this one.
        past = np.array(rules.HISTORY)
        top, second = rules.two_highest(reports)
        before, after = rules.two_highest(past)
        rho, per = rules.at_least_one(top + before.sum(), second + after.sum())
        return rules.modified_second_bid(reports, rho=rho, per=per, everybody=over == "all")

    made = rules.task(rule, "optimal with this round")()
    claim = ASKED[f"dmsb.optimal.ic/highest/{over}"]
    assert verdict(claim, side(made, "performance")).status is Status.REFUTED


def test_a_factor_below_one_sells_to_two_stations():
    """Why ρ ≥ 1 is asked: at 1/2 both of 1 and 3/4 would win."""
    sound = mechanism_of("dmsb/second-bid")
    low = replace(sound.setting, public={"rho": box(1, low=0, high=10)})
    broken = replace(sound, setting=low)
    assert mk.verify(broken, "feasible", evaluations=20_000)["feasible"].status is Status.REFUTED
    found = mk.verify(sound, "feasible", evaluations=20_000)["feasible"]
    assert found.status is Status.UNREFUTED


# The contract bid ---------------------------------------------------------------------------------


def test_the_printed_contract_bid_is_refuted_and_replays():
    claim = claim_of("dmsb.contract")
    found = claim.how.decide(Effort())
    assert found.status is Status.REFUTED
    assert claim.expected is False
    numbers = json.loads(json.dumps(dict(found.numbers)))
    assert claim.how.replay(Status.REFUTED, numbers) == found.told
    # By hand: v_0 = 1, v_max 0 or 7/8; the maximum is (1 + 1/8) / 2, and as a bid it meets 0 only.
    assert contract.printed(F(1), (F(0), F(7, 8))) == F(9, 16)
    assert contract.profit(F(1), (F(0), F(7, 8)), F(9, 16)) == F(1, 2)
    assert claim.how.replay(Status.REFUTED, {"value": "1", "rivals": ["0", "7/8"]})


@pytest.mark.parametrize(
    ("status", "numbers", "message"),
    [
        (Status.PROVED, {}, "only a refutation"),
        (Status.REFUTED, {}, "expected 'value' and 'rivals'"),
        (Status.REFUTED, {"value": "1", "rivals": []}, "expected values"),
        (Status.REFUTED, {"value": "1", "rivals": ["x"]}, "exact as in"),
        (Status.REFUTED, {"value": "1", "rivals": ["0", "0"]}, "refutes nothing"),
    ],
)
def test_other_numbers_refute_nothing(status, numbers, message):
    with pytest.raises(ValueError, match=message):
        contract.replay(status, numbers)


def test_the_value_is_a_best_contract_bid():
    """The corrected formula: no bid in eighths has a higher profit than the value."""
    for value in contract.EIGHTHS:
        for rivals in [
            (a, b, c) for a in contract.EIGHTHS for b in (F(1, 4), F(1)) for c in (F(0),)
        ]:
            profits = [contract.profit(value, rivals, bid) for bid in contract.EIGHTHS]
            assert max(profits) == contract.profit(value, rivals, value)


def test_small_and_large_auctions_are_one_rule():
    """The mechanism of the claims plays what the market's systems play."""
    rng = np.random.default_rng(0)
    bids, rho = rng.random((200, 4)), 1 + 9 * rng.random((200, 1))
    for end, everybody in (("", False), ("-all", True)):
        played = play(mechanism_of(f"dmsb/second-bid{end}"), bids, {"rho": rho})
        wins, pays = rules.modified_second_bid(bids, rho=rho, everybody=everybody)
        assert np.array_equal(played.allocation, wins)
        assert np.array_equal(played.payments, pays)
