"""A policy as a mechanism: what theory refutes is refuted, what a constant keeps is not."""

import time
from functools import partial

import numpy as np
import pytest
from tabular import LEARNER, Market

from learners import runs, saved
from learners.held import WATCHED, held_out
from learners.learner import LEARNERS
from mechkit import deployed, learned
from mechkit.environments import ENVIRONMENTS, environment
from mechkit.errors import InputError
from mechkit.mechanism import play
from mechkit.papers.dmsb import rules
from mechkit.papers.madda import mechanism as clocks
from mechkit.report import evidence
from mechkit.sides import side
from mechkit.verdict import Status
from mechkit.verify import verify

EFFORT = {"evaluations": 6000, "workers": 1}


class Sees:
    """A policy that is a function of the observation."""

    def __init__(self, rule):
        self.rule = rule

    def begin(self, batch, rng):
        self.rng = rng

    def act(self, observation):
        return self.rule(np.asarray(observation, dtype=float))

    def observe(self, reward, ended):
        pass


def constant(action):
    return Sees(lambda seen: np.full(len(seen), action))


def linear_score(seen):
    """One layer over the bids: ρ = 10 where the UAV's bid is twice the stations' mean, else 1."""
    bids = np.exp(seen[:, :4] + 1)
    return np.where(2 * bids[:, 0] >= bids[:, 1:].sum(axis=-1), 1.0, 0.0)


@pytest.fixture(scope="module")
def dmsb():
    return environment("dmsb", stations=3)


def test_the_auction_is_the_papers(dmsb):
    auction = deployed.auction(constant(0.3), dmsb)
    types, public = auction.draw(np.random.default_rng(1), 300)  # more than a block of rows
    played = play(auction.mechanism, types, public)
    wins, pays = rules.modified_second_bid(types, rho=10**0.3)
    ((_, allocation, payments, _),) = played.draws
    assert np.array_equal(allocation, wins)
    assert np.allclose(payments, pays)
    assert 30 < allocation[:, 1:].sum() < 270


def test_what_the_policy_sees_is_the_environments(dmsb):
    drawn = dmsb.draw(np.random.default_rng(2), 20)
    seen = dmsb.start(drawn)
    asked = []
    auction = deployed.auction(Sees(lambda x: asked.append(x) or np.zeros(len(x))), dmsb)
    play(auction.mechanism, drawn.values, {"latency": drawn.latency})
    assert np.allclose(asked[-1][:20], seen)
    assert len(asked[-1]) == deployed.BLOCK


def test_a_linear_score_network_is_refuted(dmsb):
    auction = deployed.auction(Sees(linear_score), dmsb)
    stations = side(auction.mechanism, "performance")
    verdict = verify(stations, "ic", **EFFORT)["ic"]
    assert verdict.status is Status.REFUTED
    assert verdict.counterexample.arithmetic == "float64"
    assert verdict.counterexample.gain > 1e-6
    regret = learned.regret(auction, "performance")
    assert regret.largest > 0.1
    assert 0 < regret.mean < regret.largest
    # The curve is the agent's own utility, and the lie lies above the truth.
    gain = regret.curve["at_lie"] - regret.curve["at_truth"]
    assert gain == pytest.approx(regret.largest, rel=1e-6)
    assert verify(stations, "ir", **EFFORT)["ir"].status is Status.UNREFUTED


@pytest.mark.parametrize("exponent", [0.0, 0.35, 1.0])
def test_a_constant_is_not_refuted(dmsb, exponent):
    auction = deployed.auction(constant(exponent), dmsb)
    stations = side(auction.mechanism, "performance")
    for verdict in verify(stations, ["ic", "ir"], **EFFORT):
        assert verdict.status is Status.UNREFUTED, verdict
    regret = learned.regret(auction, "performance")
    assert regret.largest < 1e-9
    # A policy that sees latencies alone is a constant to every bid.
    sighted = Sees(lambda seen: 1 / (1 + np.exp(-seen[:, 4:].sum(axis=-1))))
    found = verify(side(deployed.auction(sighted, dmsb).mechanism, "performance"), "ic", **EFFORT)
    assert found["ic"].status is Status.UNREFUTED


def test_regret_by_hand(dmsb):
    # ρ = 1 where the highest station bids more than twice the UAV, else 10: at a profile of 4, 5,
    # 1, 1 the station at 5 has nothing, and bidding 8.01 it pays 1.
    def rule(seen):
        bids = np.exp(seen[:, :4] + 1)
        return np.where(bids[:, 1:].max(axis=-1) > 2 * bids[:, 0], 0.0, 1.0)

    auction = deployed.auction(Sees(rule), dmsb)
    types = np.array([[4.0, 5.0, 1.0, 1.0]])
    shown = {"latency": np.full((1, 4), 12.0)}
    one = deployed.Auction(
        auction.mechanism,
        lambda rng, count: (
            np.repeat(types, count, axis=0),
            {"latency": np.full((count, 4), 12.0)},
        ),
    )
    regret = learned.regret(one, "performance")
    assert regret.largest == pytest.approx(4.0)
    assert regret.mean == pytest.approx(4 / 3)  # one of three stations
    assert regret.share == pytest.approx(1 / 3)
    assert float(play(auction.mechanism, types, shown).utility(types)[0, 1]) == 0


def test_the_clock_of_a_constant_step_is_the_closed_form():
    market = environment("madda", buyers=3, sellers=3, pool=4, past=4)
    auction = deployed.auction(constant(2.0), market)
    types, public = auction.draw(np.random.default_rng(3), 40)
    assert public == {}
    ((_, allocation, payments, _),) = play(auction.mechanism, types, {}).draws
    buys, sells, price, _ = clocks.double_dutch(
        types[:, :3], types[:, 3:], winners=clocks.as_printed, step=2
    )
    assert np.array_equal(allocation, np.concatenate([buys, sells], axis=-1))
    assert np.allclose(payments[:, :3], np.where(buys, price, 0))
    assert allocation.any()


def test_the_clock_of_a_policy_that_reads_the_clock():
    # Large steps at first, then small ones: a seller's report moves what others see.
    market = environment("madda", buyers=2, sellers=2, pool=4, past=4)
    policy = Sees(lambda seen: np.where(seen[:, 2] > 0.6, 20.0, 1.0))
    auction = deployed.auction(policy, market)
    report = verify(auction.mechanism, ["strong_budget_balance", "ir"], **EFFORT)
    assert report["strong_budget_balance"].status is Status.UNREFUTED
    assert learned.regret(auction, "buyer").rounds == learned.ROUNDS


def test_a_policy_that_draws_lots_is_refused(dmsb):
    policy = Sees(None)
    policy.rule = lambda seen: policy.rng.random(len(seen))
    with pytest.raises(InputError, match="the policy draws lots"):
        deployed.auction(policy, dmsb)


def test_a_diffusion_policy_has_one_noise_for_all(dmsb):
    from learners.diffusion import BOUNDED

    config = BOUNDED.config(warmup=64, rows=64, batch=32, ratio=1 / 8)
    trainer = BOUNDED.start(dmsb, config, np.random.SeedSequence(0))
    trainer.advance(128)
    policy = deployed.settled(trainer.policy(), dmsb)
    seen = dmsb.reset(np.random.default_rng(0), 5)
    for k in range(5):
        assert policy.act(seen[[k]]) == policy.act(seen)[k]
    auction = deployed.auction(trainer.policy(), dmsb)
    verify(
        auction.mechanism, "ir", evaluations=1000, workers=1
    )  # which asks whether rows depend on one another


def test_an_unknown_environment_has_no_mechanism():
    with pytest.raises(
        InputError, match="tiny: no mechanism is known of it; there are dmsb, madda"
    ):
        deployed.auction(constant(0.0), Market())


def test_a_policy_that_takes_too_long_over_one_batch_is_given_up(dmsb):
    """Its verdict and its regret are not known, and the next question is asked all the same."""

    def slow(seen):
        for _ in range(2000):
            time.sleep(0.01)
        return np.zeros(len(seen))

    auction = deployed.auction(constant(0.3), dmsb)
    stuck = deployed.second_bid(Sees(slow), dmsb, "slow")
    call = partial(learned.regret, stuck, "performance", seconds=0.1)
    assert learned.in_time(call, 0.1) is None
    report = verify(stuck.mechanism, "weak_budget_balance", seconds=0.1, evaluations=100, workers=1)
    assert report["weak_budget_balance"].status is Status.UNKNOWN
    call = partial(learned.regret, auction, "performance")
    assert learned.in_time(call, 30) == learned.regret(auction, "performance")


def test_a_slow_policy_is_asked_less_and_says_so(dmsb):
    """A third batch of 16,384 rows, as quick rules have it, would alone take longer than the limit,
    and leave nothing known."""

    def slow(seen):
        time.sleep(0.025)
        return np.zeros(len(seen))

    auction = deployed.second_bid(Sees(slow), dmsb, "slow")
    effort = {"seconds": 1.5, "evaluations": 1_000_000, "workers": 1}
    verdict = verify(auction.mechanism, "weak_budget_balance", **effort)["weak_budget_balance"]
    assert verdict.status is Status.UNREFUTED, verdict.reason
    assert 0 < verdict.effort.evaluations < 50_000
    told = evidence(verdict, auction.mechanism.setting)
    assert told.replace(",", "").startswith(f"{verdict.effort.profiles} profiles")


class Linear:
    """A trainer that has nothing to learn, so that a run of it can be audited."""

    steps = updates = 0

    def __init__(self, environment, config, seed):
        pass

    def advance(self, steps):
        self.steps += steps
        self.updates += 1
        return {}

    def policy(self):
        return Sees(linear_score)

    def save(self):
        return {"steps": np.array(self.steps)}, {}

    def load(self, arrays, numbers):
        self.steps = int(arrays["steps"])


SCORE = type(LEARNER)("score", "a linear score", LEARNER.config, Linear)


def test_the_audit_of_a_saved_run(tmp_path, dmsb, monkeypatch):
    monkeypatch.setitem(LEARNERS, "score", "test_learned:SCORE")

    def make():
        return environment("dmsb", stations=3)

    made = {"name": "dmsb", "options": {"stations": 3}}
    held = held_out(dmsb, seed=0, count=20)
    watched = held_out(dmsb, seed=0, count=5, key=WATCHED)
    run = runs.train(tmp_path, SCORE, make, seed=0, steps=10, held=held, watched=watched, made=made)
    steps = []
    audited = learned.audit(
        run, evaluations=3000, seconds=30, progress=lambda share, what: steps.append((share, what))
    )
    assert steps == [
        (0, "ic/performance"), (1 / 4, "ir/performance"), (2 / 4, "ir/brand"),
        (3 / 4, "weak_budget_balance"),
    ]  # fmt: skip
    assert [one.asked for one in audited.found] == [
        "ic/performance", "ir/performance", "ir/brand", "weak_budget_balance",
    ]  # fmt: skip
    ic, *others = audited.found
    assert ic.status == "refuted"
    assert ic.arithmetic == "float64"
    assert ic.witness["arithmetic"] == "float64"
    assert ic.regret.largest > 0
    assert all(one.status == "unrefuted" and one.witness is None for one in others)
    assert audited.lines[0].startswith("ic/performance: refuted (float64); agent")
    assert "exact" not in audited.lines[0]
    assert len(audited.curves) == 1
    assert learned.curves(run, seconds=30) == audited.curves
    data = audited.as_json()
    assert data["properties"]["ic/performance"]["regret"]["rounds"] == learned.ROUNDS
    report = verify(learned.load(tmp_path), ["weak_budget_balance"], **EFFORT)
    assert report.ok

    monkeypatch.setitem(ENVIRONMENTS, "dmsb", "test_learned:other")
    with pytest.raises(InputError, match="its environment version is 1, and 2"):
        learned.load(tmp_path)


def other(**options):
    from dataclasses import replace

    from mechkit.papers.dmsb.environment import Dmsb

    found = Dmsb(**options)
    found.spec = replace(found.spec, version=2)
    return found


def test_a_run_of_an_unnamed_environment_cannot_be_loaded(tmp_path):
    held = held_out(Market(), seed=0, count=5)
    runs.train(tmp_path, LEARNER, Market, seed=0, steps=8, held=held, watched=held)
    with pytest.raises(InputError, match="does not say how its environment is made"):
        learned.load(tmp_path)
    assert saved.read(tmp_path).final is not None
