"""The claims about models trained together: as expected, replayed, and able to notice a fault."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from paper_claims import assert_arithmetics_agree, assert_whole

import mechkit as mk
from mechkit.audit.claims import check
from mechkit.book import market, order
from mechkit.mechanism import Mechanism, play
from mechkit.papers import claim_of, paper_of
from mechkit.papers.claim import Asked, Effort, Fact
from mechkit.papers.pmsam import chain, game, mechanism, providers, users
from mechkit.sides import side

PAPER = paper_of("pmsam")
IDS = (
    "follower.concave follower.solution leader.concave leader.solution equilibrium.unique "
    "ir ic weak_budget_balance"
)
EFFORT = Effort(evaluations=40_000, seconds=20.0, prove_seconds=60.0)


def test_every_claim_is_there_once():
    assert_whole(PAPER, f"{IDS} forecast")


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda c: c.id)
def test_claims_come_out_as_expected(claim):
    """The audit's own check sends every witness through JSON and an exact replay."""
    found = check(claim, EFFORT)
    assert found.agreement == "agrees", found.evidence
    assert found.status == ("proved" if claim.expected else "refuted")
    if isinstance(claim.how, Fact) or not claim.expected:
        assert found.replays
    if isinstance(claim.how, Asked):
        assert found.exercised > 10
        if not claim.expected:
            assert "in exact rationals" in found.method


# The arguments by hand ----------------------------------------------------------------------------


def utilities(name, types, reports) -> list[float]:
    made = PAPER.mechanisms[name]()
    outcome = play(made, np.array([reports], dtype=float))
    return outcome.utility(np.array([types], dtype=float))[0].tolist()


def test_the_counterexamples_of_the_claims():
    types = [1, 0.75, 0.5, 0, 0]
    assert utilities("own-next", types, types)[0] == 0.25
    assert utilities("own-next", types, [0.625, 0.75, 0.5, 0, 0])[0] == 0.5

    for name in ("own-next", "first-losing"):
        types = [0.25, 0, 0, 0.5, 0.75]
        assert not any(utilities(name, types, types))
        assert utilities(name, types, [0.25, 0, 0, 0, 0.75])[3] == 0.25
        outcome = play(PAPER.mechanisms[name](), np.array([[1, 0, 0, 0, 0.5]]))
        assert outcome.payments.tolist() == [[0, 0, 0, -0.5, 0]]

    types = [1, 0.25, 0, 0, 0.5]
    assert utilities("first-losing", types, types)[1] == 0
    assert utilities("first-losing", types, [1, 1, 0, 0, 0.5])[1] == 0.25
    two = play(PAPER.mechanisms["first-losing"](), np.array([[1, 1, 0, 0, 0.5]]))
    assert two.payments.sum() == -0.5


def with_votes(support, costs, reports, rival=2.0, bids=(3.0, 0.0)):
    made = PAPER.mechanisms["vote"]()
    public = {
        "support": np.array([support]),
        "bids": np.array([bids]),
        "rival": np.array([[rival]]),
    }
    outcome = play(made, np.array([reports], dtype=float), public)
    return outcome.utility(np.array([costs], dtype=float))[0].tolist()


def test_users_who_vote_share_and_are_voted_down():
    quarter, everybody = [0.25] * 3, np.ones((3, 3), dtype=int)
    share = 2 / 3 - 0.25
    assert with_votes(everybody, quarter, quarter) == pytest.approx([share] * 3)
    lie = with_votes(everybody, quarter, [0.5, 0.25, 0.25])
    assert lie[0] == 0.75
    # Nobody but itself supports the first: the others share everything.
    down = everybody.copy()
    down[1:, 0] = 0
    assert with_votes(down, quarter, quarter) == [-0.25, 0.75, 0.75]
    # One of two others is not enough of three users' half: 1 < 3/2.
    down[1, 0] = 1
    assert with_votes(down, quarter, quarter)[0] == -0.25
    # The rival is cheaper: nobody bears anything.
    assert with_votes(everybody, quarter, quarter, rival=0.5) == [0, 0, 0]


@pytest.mark.parametrize("name", PAPER.mechanisms)
def test_mechanisms_are_feasible(name):
    found = mk.verify(PAPER.mechanisms[name](), ["feasible"], evaluations=20_000, workers=1)
    assert found["feasible"].status is mk.Status.UNREFUTED


def test_the_first_best_of_access_is_that_of_every_allocation():
    setting = mechanism.access(2, 2)
    rng = np.random.default_rng(0)
    types = rng.integers(0, 9, (200, 4)) / 8
    every = np.array(list(np.ndindex(2, 2, 2, 2)))
    allowed = every[setting.feasible(every)]
    assert len(allowed) == 1 + 2 * 4  # nobody sells and nobody is served, or one of two sells
    worth = (types[:, None] * allowed * [1, 1, -1, -1]).sum(axis=-1).max(axis=1)
    assert setting.first_best(types) == pytest.approx(worth)


# Planted faults -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("buyers", "sellers"), [(1, 1), (2, 2), (2, 3), (3, 1)])
@pytest.mark.parametrize("own_next", [True, False])
def test_rationality_where_the_next_bid_or_ask_is_missing(buyers, sellers, own_next):
    made = mechanism.auction(own_next=own_next, buyers=buyers, sellers=sellers)
    found = mk.verify(made, ["ir"], evaluations=5_000, workers=1, prove=True, prove_seconds=60)
    assert found["ir"].status is mk.Status.PROVED


def verdict_of(claim_id, made: Mechanism):
    how = claim_of(claim_id).how
    seen = side(made, how.role) if how.role else made
    return mk.verify(seen, [how.property], evaluations=40_000, workers=1)[how.property]


def dear(values, costs):
    """Everybody pays the highest bid."""
    buys, sells, _, gets = mechanism.multi_winner(values, costs, own_next=True)
    book = order(values, costs)
    return buys, sells, book.bid(np.ones_like(book.k)), gets


def stingy(values, costs):
    """The seller gets half of its own ask."""
    buys, sells, pays, _ = mechanism.multi_winner(values, costs, own_next=False)
    book = order(values, costs)
    return buys, sells, pays, book.ask(np.ones_like(book.k)) / 2


@pytest.mark.parametrize("claim_id", ["pmsam.ir/own-next", "pmsam.ir/first-losing"])
@pytest.mark.parametrize("rule", [dear, stingy])
def test_a_fault_is_noticed(claim_id, rule):
    made = market(rule, mechanism.access(3, 2), "planted")
    assert verdict_of(claim_id, made).status is mk.Status.REFUTED


def posted(values, costs):
    """Access at 1/2; the cheapest seller serves for the next ask or 1/2, whichever is less."""
    half = Fraction(1, 2)
    book = order(values, costs)
    one = np.ones_like(book.k)
    willing = values >= half
    open_ = willing.any(axis=-1)[..., None] & (book.ask(one) <= half)
    return (
        willing & open_,
        (book.sell_rank == 0) & open_,
        half + 0 * book.ask(one),
        np.minimum(book.ask(2 * one), half),
    )


@pytest.mark.parametrize(
    "claim_id",
    [
        c.id
        for c in PAPER.claims
        if isinstance(c.how, Asked) and not c.expected and c.how.mechanism != "vote"
    ],
)
def test_refuted_claims_hold_of_a_sound_rule(claim_id):
    made = market(posted, mechanism.access(3, 2), "posted price")
    verdict = verdict_of(claim_id, made)
    assert verdict.status is mk.Status.UNREFUTED
    assert verdict.effort.trades > 100


def pivotal(reports, *, public):
    """Every proposal counts, and each user gets what the organisation could have asked for less
    what the others ask for."""
    asks = np.concatenate([reports.sum(axis=-1, keepdims=True), public["rival"]], axis=-1)
    _, sells, _, _ = mechanism.multi_winner(public["bids"], asks, own_next=False)
    most = np.minimum(np.max(public["bids"], axis=-1), public["rival"][..., 0])[..., None]
    others = reports.sum(axis=-1, keepdims=True) - reports
    sold = sells[..., :1]
    return np.where(sold, np.ones(3, dtype=int), 0), np.where(sold, others - most, 0)


@pytest.mark.parametrize("claim_id", ["pmsam.ir/vote", "pmsam.ic/vote"])
def test_the_vote_could_be_sound(claim_id):
    made = Mechanism.from_outcome(mechanism.organisation(), pivotal, "pivotal")
    verdict = verdict_of(claim_id, made)
    assert verdict.status is mk.Status.UNREFUTED
    assert verdict.effort.trades > 100


# Facts notice what is right, and what is tampered with --------------------------------------------

PATCHES = {
    "follower.concave/entries": (users, "second_derivative", lambda sigma, delta: -delta),
    "follower.concave/stale": (users, "bends_up", lambda sign, points: False),
    "follower.solution": (users, "printed_training", lambda delta, cost: (delta / cost) ** 2),
    "follower.solution/integers": (
        users,
        "rounded",
        lambda best: next(
            k
            for k in map(Fraction, range(200))
            if 2 * float(best) ** 0.5 * ((k + 1) ** 0.5 - k**0.5) <= 1 + 1e-12
        ),
    ),
    "leader.concave": (providers, "term", lambda q, rivals, charge: q / (q + rivals) - charge * q),
    "equilibrium.unique/q_j": (
        providers,
        "_charges_of",
        lambda reading, quality, freshness: [Fraction(2), Fraction(2)],
    ),
    "forecast": (
        chain,
        "recursion",
        lambda start, moves, shows, seen, *, printed: chain.paths(start, moves, shows, seen),
    ),
}


@pytest.mark.parametrize("name", PATCHES)
def test_a_right_formula_is_not_refuted(name, monkeypatch):
    monkeypatch.setattr(*PATCHES[name])
    found = claim_of(f"pmsam.{name}").how.decide(Effort())
    assert found.status is mk.Status.UNREFUTED


def test_eq_29_is_not_refuted_in_the_game_that_it_solves(monkeypatch):
    """(1 − q) w − A q, with the root in both components."""
    right = providers.printed_bids

    def both(rivals, total):
        found = right(rivals, total)
        return found and (found[1], found[1])

    def prize(q, rivals, charge):
        return (1 - q) * q / (q + rivals) - charge * q

    monkeypatch.setattr(providers, "printed_bids", both)
    monkeypatch.setattr(providers, "term", prize)
    found = claim_of("pmsam.leader.solution/q_j").how.decide(Effort())
    assert found.status is mk.Status.UNREFUTED


def test_a_wrong_hessian_is_noticed(monkeypatch):
    found = users.decide_concave(Effort())
    with pytest.raises(ValueError, match="not as stated"):
        users.replay_concave(mk.Status.PROVED, {"hessian": [["0"]]})
    with pytest.raises(ValueError, match="only the proof"):
        users.replay_concave(mk.Status.REFUTED, found.numbers)
    import sympy as sp

    monkeypatch.setattr(sp, "hessian", lambda phi, over: -sp.Matrix.eye(4))
    with pytest.raises(ValueError, match="entry 0"):
        users.hessian()


def plain(numbers):
    return json.loads(json.dumps(dict(numbers)))


TAMPERED = [
    ("follower.concave/entries", {"sigma": "1"}, "other than 1"),
    ("follower.concave/entries", {"printed": "-2"}, "eq. 20"),
    ("follower.concave/entries", {"second derivative": "-1"}, "not the second derivative"),
    ("follower.concave/entries", {"sigma": "x"}, "malformed"),
    ("follower.concave/stale", {"T": "1"}, "expected T > 1"),
    ("follower.concave/stale", {"points": ["0", "2", "4"]}, "no square"),
    ("follower.concave/stale", {"points": ["4", "1", "0"]}, "three points"),
    ("follower.solution", {"printed": "1/4"}, "not eq. 22"),
    ("follower.solution", {"utility": "5"}, "not the utility"),
    ("follower.solution", {"better": "1/4", "utility": "7/4"}, "nothing is gained"),
    ("follower.solution", {"better": "2"}, "no square"),
    ("follower.solution", {"C": "0"}, "C > 0"),
    ("follower.solution/integers", {"floor": "2"}, "the floor of"),
    ("follower.solution/integers", {"floor": "0"}, "at least 1"),
    ("follower.solution/integers", {"delta": "3"}, "no worse"),
    ("leader.concave", {"bids": ["0", "1", "3"]}, "a middle"),
    ("leader.concave", {"won": ["0", "1", "4/3"]}, "not q²"),
    ("leader.concave", {"rivals": "0"}, "rivals"),
    ("leader.solution/q_j", {"utility": "2"}, "not the utility of the better"),
    ("leader.solution/q_j", {"printed utility": "0"}, "not the utility of eq. 29"),
    ("leader.solution/q_j", {"better": ["3", "0"]}, "outside C1"),
    ("leader.solution/q_j", {"better": ["1", "-1"]}, "outside C1"),
    ("leader.solution/q_j", {"better": ["0", "0"], "utility": "0"}, "no worse"),
    ("leader.solution/q_j", {"printed": ["0", "0"]}, "not eq. 29"),
    ("leader.solution/q_j", {"rivals": "5/7"}, "not rational"),
    ("leader.solution/q_ij", {"reading": "q_j"}, "not eq. 29"),
    ("leader.solution/q_ij", {"users": 0}, "1 to 50 users"),
    ("equilibrium.unique/q_j", {"other": [["1", "0"], ["0", "1"]]}, "the same"),
    ("equilibrium.unique/q_j", {"other": [["1", "0"], ["1", "0"]]}, "no equilibrium"),
    ("equilibrium.unique/q_j", {"other": [["2", "0"], ["0", "1"]]}, "outside C1"),
    ("equilibrium.unique/q_j", {"freshness": "9"}, "no equilibrium"),
    ("equilibrium.unique/q_j", {"other": [["1", "0"]]}, "two providers"),
    ("equilibrium.unique/q_ij", {"reading": "q_j"}, "expected 2 bids"),
    ("forecast", {"printed": ["0", "0"]}, "not eq. 33"),
    ("forecast", {"right": ["0", "0"]}, "not the sum over paths"),
    ("forecast", {"start": ["1", "1"]}, "sum to 1"),
    ("forecast", {"bids": [0, 5]}, "bids by level"),
    ("forecast", {"bids": [0]}, "2 to 8 bids"),
]


@pytest.mark.parametrize(("name", "change", "why"), TAMPERED)
def test_numbers_that_refute_nothing_are_rejected(name, change, why):
    how = claim_of(f"pmsam.{name}").how
    found = how.decide(Effort())
    numbers = plain(found.numbers)
    assert how.replay(found.status, numbers) == found.told
    with pytest.raises(ValueError, match=why):
        how.replay(mk.Status.REFUTED, {**numbers, **change})
    with pytest.raises(ValueError, match="only a refutation"):
        how.replay(mk.Status.PROVED, numbers)


def test_the_hand_made_example_of_eq_29():
    """Q^λ = F = 7/25, Δ = 1, B = 1: 2 / (32/25) − 1 = 9/16 and 5/4 − 1 = 1/4."""
    numbers = {
        "reading": "q_j",
        "users": 1,
        "rivals": "1",
        "satisfaction": "7/25",
        "budget": "1",
        "printed": ["9/16", "1/4"],
        "printed utility": "1/40",
        "with both roots": "-1/25",
        "better": ["1", "0"],
        "utility": "11/50",
    }
    for reading in game.READINGS:  # one user: the readings are the same
        told = providers.BIDS["q_j"].replay(mk.Status.REFUTED, {**numbers, "reading": reading})
        assert "9/16, 1/4 for a utility of 1/40" in told


# Three arithmetics --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["own-next", "first-losing"])
def test_floats_rationals_and_symbols_agree_at_ties(name):
    """On quarters float arithmetic is exact, and most profiles have ties."""
    made = PAPER.mechanisms[name]()
    shape = made.setting.report_space.shape
    rng = np.random.default_rng(0)
    reports = rng.integers(0, 5, (60, *shape)) / 4
    assert_arithmetics_agree(made, reports, in_symbols=20)
