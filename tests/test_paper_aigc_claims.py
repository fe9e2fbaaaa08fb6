"""The claims about markets at roadside units: as expected, replayed, and able to notice a fault."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from paper_claims import assert_arithmetics_agree, assert_replays, assert_whole

import mechkit as mk
from mechkit.book import market, order
from mechkit.constructors import double_auction
from mechkit.mechanism import Mechanism, play
from mechkit.papers import claim_of, paper_of
from mechkit.papers.aigc import claims, mechanism
from mechkit.papers.claim import Asked, Effort, Fact
from mechkit.sides import side

PAPER = paper_of("aigc")
IDS = (
    "mcafee.ic mcafee.ir mcafee.weak_budget_balance mcafee.strong_budget_balance "
    "second_price.ic second_price.ir second_price.weak_budget_balance multi_slot.ic welfare_sign"
)
EVALUATIONS = 40_000


def seen(made: Mechanism, role: str | None) -> Mechanism:
    return side(made, role) if role else made


def asked(claim_id: str, made: Mechanism | None = None, **more) -> mk.Verdict:
    """The verdict on the property of a claim, of its own mechanism or of another."""
    how = claim_of(claim_id).how
    assert isinstance(how, Asked)
    made = made or PAPER.mechanisms[how.mechanism]()
    found = mk.verify(
        seen(made, how.role), [how.property], evaluations=EVALUATIONS, workers=1, **more
    )
    return found[how.property]


ASKED = [c for c in PAPER.claims if isinstance(c.how, Asked)]


def test_every_claim_is_there_once():
    assert_whole(PAPER, IDS)


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
        "aigc.mcafee.ic",
        "aigc.mcafee.ir",
        "aigc.mcafee.weak_budget_balance",
        "aigc.second_price.ic/buyer",
        "aigc.second_price.ir",
        "aigc.second_price.weak_budget_balance",
        "aigc.second_price.weak_budget_balance/kept",
    ],
)
def test_what_is_expected_to_hold_is_proved(claim_id):
    verdict = asked(claim_id, prove=True, prove_seconds=60)
    assert verdict.status is mk.Status.PROVED
    assert "types in [0, 1]" in verdict.certificate.domain


# The arguments by hand ----------------------------------------------------------------------------


def utilities(name: str, types, reports) -> np.ndarray:
    """Of everybody, at these reports; exact for binary fractions."""
    made = PAPER.mechanisms[name]()
    outcome = play(made, np.array([reports], dtype=float))
    return outcome.utility(np.array([types], dtype=float))[0]


def test_the_counterexamples_of_the_claims():
    one, half, quarter = 1, 0.5, 0.25
    paid = play(PAPER.mechanisms["mcafee"](), np.array([[1, 1, 0.75, 0, 0, 0.5]])).payments
    assert paid.tolist() == [[0.75, 0.75, 0, -0.5, -0.5, 0]]
    third = play(
        PAPER.mechanisms["mcafee-next-pair"](), np.array([[1, 0.75, 0, 0, 0.5, 0.75]])
    ).payments
    assert third.tolist() == [[0.75, 0, 0, -0.5, 0, 0]]

    bids = [one, half, 0, quarter]
    assert utilities("second-price", bids, bids)[3] == 0.25
    assert utilities("second-price", bids, [one, half, 0, 1])[3] == 0.75

    types = [one, half, 0, 0]
    assert utilities("second-price-in-turn", types, types)[0] == 0.5
    assert utilities("second-price-in-turn", types, [quarter, half, 0, 0])[0] == 1

    types = [one, half, quarter, 0, 0]
    assert utilities("two-slots-one-bid", types, types)[0] == 0.5
    assert utilities("two-slots-one-bid", types, [0.375, half, quarter, 0, 0])[0] == 0.75

    twice = np.stack([types, types], axis=-1)
    lie = twice.copy()
    lie[0] = [0, 1]
    assert utilities("two-slots-two-bids", types, twice)[0] == 0.5
    assert utilities("two-slots-two-bids", types, lie)[0] == 0.75


def test_the_slots_agree_where_both_bids_are_the_same():
    rng = np.random.default_rng(0)
    reports = rng.integers(0, 5, (500, 5)) / 4
    one = play(PAPER.mechanisms["two-slots-one-bid"](), reports)
    two = play(PAPER.mechanisms["two-slots-two-bids"](), np.stack([reports, reports], axis=-1))
    assert np.array_equal(one.allocation, two.allocation)
    assert np.array_equal(one.payments, two.payments)
    assert one.allocation[..., 1].any()
    # Slot 2 is McAfee among those who are left: a loser that never was there changes nothing.
    bought = one.allocation[:, :3, 0]
    for k in range(0, 500, 25):
        left = reports[k, :3][~bought[k]]
        buys, *_ = mechanism.mcafee_as_printed(left[None], reports[k : k + 1, 3:])
        assert one.allocation[k, :3, 1][~bought[k]].tolist() == buys[0].tolist()


@pytest.mark.parametrize("name", PAPER.mechanisms)
def test_mechanisms_are_feasible(name):
    found = mk.verify(PAPER.mechanisms[name](), ["feasible"], evaluations=EVALUATIONS, workers=1)
    assert found["feasible"].status is mk.Status.UNREFUTED


# Planted faults -----------------------------------------------------------------------------------


def late_price(values, costs):
    """The reduction, at the prices of the last pair that trades."""
    book = order(values, costs)
    last = np.maximum(book.k - 1, 0)
    return *book.first(book.k - 1), book.bid(last), book.ask(last)


def always_between(values, costs):
    """All K pairs trade at the price between the next pair, whoever accepts it."""
    book = order(values, costs)
    price = (book.bid(book.k + 1) + book.ask(book.k + 1)) / 2
    return *book.first(book.k), price, price


def swapped(values, costs):
    """The reduction, buyers paying the last ask and sellers receiving the last bid."""
    book = order(values, costs)
    return *book.first(book.k - 1), book.ask(book.k), book.bid(book.k)


def _first(values, costs):
    book = order(values, costs)
    return book.bid(np.ones_like(book.k))


def first_price(values, costs):
    book = order(values, costs)
    return *book.first(book.k), _first(values, costs), costs


def no_reserve(values, costs):
    book = order(values, costs)
    second = book.bid(np.full_like(book.k, 2))
    return *book.first(np.ones_like(book.k)), second, second


def generous(values, costs):
    """The buyer pays the second price and the seller receives the first."""
    buys, sells, pays, _ = mechanism.cost_as_reserve(values, costs)
    return buys, sells, pays, _first(values, costs)


@pytest.mark.parametrize(
    ("claim_id", "rule"),
    [
        ("aigc.mcafee.ic", late_price),
        ("aigc.mcafee.ir", always_between),
        ("aigc.mcafee.weak_budget_balance", swapped),
        ("aigc.second_price.ic/buyer", first_price),
        ("aigc.second_price.ir", no_reserve),
        ("aigc.second_price.weak_budget_balance", generous),
        ("aigc.second_price.weak_budget_balance/kept", generous),
    ],
)
def test_a_fault_is_noticed(claim_id, rule):
    how = claim_of(claim_id).how
    setting = PAPER.mechanisms[how.mechanism]().setting
    verdict = asked(claim_id, market(rule, setting, "planted"))
    assert verdict.status is mk.Status.REFUTED


def only_accepted(values, costs):
    """K pairs trade at p or nobody does."""
    book = order(values, costs)
    k = book.k
    price = (book.bid(k + 1) + book.ask(k + 1)) / 2
    fits = (book.ask(k) <= price) & (price <= book.bid(k)) & (k < min(values.shape[-1], 3))
    return *book.first(np.where(fits, k, 0)), price, price


def posted(values, costs):
    """The seller sells at the second bid if that meets its cost."""
    book = order(values, costs)
    second = book.bid(np.full_like(book.k, 2))
    return *book.first((second >= costs) * 1), second, second


def where_asked(values, costs):
    """The first buyer bids at the first machine only, the second at the second."""
    machine = np.broadcast_to(np.arange(2), np.shape(values))
    wins, pays, gets = mechanism.each_machine(values, costs, asked=machine)
    return wins.any(axis=-1), wins.any(axis=-2), pays.sum(axis=-1), gets


@pytest.mark.parametrize(
    ("claim_id", "made"),
    [
        (
            "aigc.mcafee.strong_budget_balance/next-pair",
            market(only_accepted, double_auction(3, 3), "no reduction"),
        ),
        ("aigc.second_price.ic/seller", market(posted, double_auction(3, 1), "second bid")),
        ("aigc.second_price.ic/in-turn", market(where_asked, double_auction(2, 2), "one each")),
    ],
)
def test_refuted_claims_hold_of_a_sound_rule(claim_id, made):
    verdict = asked(claim_id, made)
    assert verdict.status is mk.Status.UNREFUTED
    assert verdict.effort.trades > 100


@pytest.mark.parametrize(("reading", "bids"), [("one-bid", 1), ("two-bids", 2)])
def test_one_slot_alone_is_truthful(reading, bids):
    """Where nothing is sold in the second slot, waiting does not pay."""

    def once(reports):
        first = reports if bids == 1 else reports[..., 0]
        buys, sells, pays, gets = mechanism.mcafee_as_printed(first[:, :3], first[:, 3:])
        trades = np.concatenate([buys, sells], axis=-1) * 1
        paid = np.concatenate([np.where(buys, pays, 0), np.where(sells, -gets, 0)], axis=-1)
        return np.stack([trades, trades * 0], axis=-1), paid

    made = Mechanism.from_outcome(mechanism.two_slot_setting(3, 2, bids=bids), once, "one slot")
    verdict = asked(f"aigc.multi_slot.ic/{reading}", made)
    assert verdict.status is mk.Status.UNREFUTED
    assert verdict.effort.trades > 100


# Eq. 1 --------------------------------------------------------------------------------------------

SIGN = claim_of("aigc.welfare_sign")


def test_eq_1_is_refuted_and_replayed():
    assert isinstance(SIGN.how, Fact)
    found = SIGN.how.decide(Effort())
    assert found.status is mk.Status.REFUTED
    assert found.exercised == 25 + 125 + 625
    numbers = json.loads(json.dumps(found.numbers))
    # One pair: the buyer's 0 and the seller's 1 are the costliest.
    assert (numbers["values"], numbers["costs"], numbers["gains"]) == (["0"], ["1"], "-1")
    assert SIGN.how.replay(found.status, numbers) == found.told
    assert SIGN.formula is not None


def test_a_market_with_gains_refutes_it_too():
    # Worth 3/4, sellers 0 and 1/2: both trades are efficient alone; eq. 1 takes the costlier.
    numbers = {
        "values": ["3/4"],
        "costs": ["0", "1/2"],
        "trades": [[0, 1]],
        "printed": "5/4",
        "gains": "1/4",
        "best": "3/4",
    }
    assert "buyer 0 and seller 1" in SIGN.how.replay(mk.Status.REFUTED, numbers)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"best": "7/8"}, "not as stated"),
        ({"printed": "1"}, "not as stated"),
        ({"gains": "0"}, "not as stated"),
        ({"trades": [[0, 0]]}, "not as stated"),
        ({"trades": [[0, 2]]}, "is no matching"),
        ({"costs": ["0"], "trades": [[0, 0]]}, "has the largest gains there"),
        ({"costs": ["0", "-1/2"]}, "valuations of 0 or more"),
        ({"costs": ["0", "x"]}, "malformed"),
        ({"values": None}, "malformed"),
    ],
)
def test_numbers_that_refute_nothing_are_rejected(change, why):
    numbers = {
        "values": ["3/4"],
        "costs": ["0", "1/2"],
        "trades": [[0, 1]],
        "printed": "5/4",
        "gains": "1/4",
        "best": "3/4",
    }
    with pytest.raises(ValueError, match=why):
        SIGN.how.replay(mk.Status.REFUTED, {**numbers, **change})
    with pytest.raises(ValueError, match="only a refutation"):
        SIGN.how.replay(mk.Status.PROVED, numbers)


def test_the_corrected_sign_is_not_refuted(monkeypatch):
    right = claims.welfare
    monkeypatch.setattr(claims, "welfare", lambda v, c, pairs, sign: right(v, c, pairs, -1))
    found = SIGN.how.decide(Effort())
    assert found.status is mk.Status.UNREFUTED
    assert found.exercised == 775


def test_gains_over_matchings_are_those_of_the_double_auction():
    """Independent of the listing: sorting solves the same market."""
    import solvers

    rng = np.random.default_rng(0)
    for _ in range(50):
        values, costs = ([Fraction(int(x), 8) for x in rng.integers(0, 9, 3)] for _ in range(2))
        ways = list(claims.matchings(3, 3))
        assert len(ways) == 34  # Σ_k C(3, k)² k!
        best = max(claims.welfare(values, costs, way, -1) for way in ways)
        assert best == solvers.double_auction(np.array(values), np.array(costs)).value


# Three arithmetics --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAPER.mechanisms)
def test_floats_rationals_and_symbols_agree_at_ties(name):
    """On quarters float arithmetic is exact, and most profiles have ties."""
    made = PAPER.mechanisms[name]()
    shape = made.setting.report_space.shape
    rng = np.random.default_rng(0)
    reports = rng.integers(0, 5, (60, *shape)) / 4
    assert_arithmetics_agree(made, reports, in_symbols=20)
