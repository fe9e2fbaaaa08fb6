"""A transformer as the auctioneer: what it does to a profile depends on that profile alone."""

import numpy as np
import pytest
import torch

from learners.evaluate import play as played
from learners.gpt import CHUNK, Config, Prompted, Transformer
from learners.trajectories import Units
from mechkit import deployed
from mechkit.environments import environment
from mechkit.mechanism import play

BATCHES = (1, 2, 3, 17, 63, 64, 65, 200, 256, 257, 400)


@pytest.fixture(scope="module")
def market():
    return environment("madda", buyers=3, sellers=3, levels=(2, 5, 10, 20), pool=4, past=4)


@pytest.fixture(scope="module")
def policy(market):
    """Returns a new one at each call, of the same weights: larger than first weights are, so that
    what is most likely differs from state to state."""
    network = Transformer(market.spec, Config(), torch.Generator().manual_seed(3)).eval()
    with torch.no_grad():
        for name, weights in network.named_parameters():
            weights.mul_(50 if name.startswith("embed") else 10 if "norm" not in name else 1)
    units = Units(np.full(6, 0.5), np.full(6, 0.3), -40.0, 20.0)
    return lambda: Prompted(network, market.spec, 4, units, -20.0)


def outcomes(mechanism, reports):
    ((_, allocation, payments, _),) = play(mechanism, reports, {}).draws
    return np.concatenate([allocation, payments], axis=-1)


def test_the_same_reports_have_the_same_outcome_in_any_batch(market, policy):
    rng = np.random.default_rng(0)
    reports = rng.uniform(1, 100, size=(400, 6))
    reports[::3] = np.round(reports[::3])  # ties and whole ticks
    known = outcomes(deployed.auction(policy(), market).mechanism, reports)
    assert len(np.unique(known, axis=0)) > 50
    for size in BATCHES:
        rows = rng.permutation(400)[:size]
        # A policy of its own, which remembers nothing of what others were asked.
        fresh = deployed.auction(policy(), market).mechanism
        assert np.array_equal(outcomes(fresh, reports[rows]), known[rows]), size


def test_its_steps_are_those_of_a_network_asked_about_everything(market, policy):
    """Against one that asks about every row at every step, ended or not, all of them at once."""

    class Plain(Prompted):
        def observe(self, reward, ended):
            super().observe(reward, np.zeros_like(ended))

        def _answers(self, returns, states, actions):
            times = np.arange(self.time + 1 - returns.shape[1], self.time + 1)
            given = [torch.from_numpy(part) for part in (returns, states, actions)]
            with torch.inference_mode():
                logits = self.network(*given, torch.from_numpy(times).expand(len(returns), -1))
            return logits[:, -1].argmax(dim=1).numpy()

    pairs = np.tile(np.arange(3), (150, 1))
    instances = market.draw(np.random.default_rng(1), 150).matched(pairs)
    one = policy()
    plain = Plain(one.network, one.spec, one.context, one.units, one.target)
    ours = played(one, market, instances, np.random.default_rng(0))
    theirs = played(plain, market, instances, np.random.default_rng(0))
    assert np.array_equal(ours[0], theirs[0])
    assert np.array_equal(ours[1], theirs[1])
    assert len(np.unique(ours[1])) > 5  # episodes of several lengths


def test_nothing_is_asked_twice_nor_of_what_has_ended(market, policy):
    asked, one = [], policy()
    forward = one.network.forward
    handle = one.network.register_forward_pre_hook(lambda _, given: asked.append(len(given[0])))
    try:
        auction = deployed.auction(one, market)
        reports = np.repeat(np.random.default_rng(2).uniform(1, 100, size=(1, 6)), 300, axis=0)
        asked.clear()
        outcomes(auction.mechanism, reports)
        steps = len(asked)
        assert set(asked) == {CHUNK}  # always as many
        assert 2 < steps <= market.spec.horizon  # one pass a step, for all of 300 equal profiles
        outcomes(auction.mechanism, reports[:1])
        assert len(asked) == steps  # nothing is new
    finally:
        handle.remove()
    assert one.network.forward == forward


def test_what_is_remembered_is_bounded(market, policy, monkeypatch):
    monkeypatch.setattr("learners.gpt.REMEMBERED", 100)
    one = policy()
    reports = np.random.default_rng(4).uniform(1, 100, size=(300, 6))
    few = outcomes(deployed.auction(one, market).mechanism, reports)
    assert len(one.known) <= 100 + 300
    monkeypatch.undo()
    assert np.array_equal(few, outcomes(deployed.auction(policy(), market).mechanism, reports))


def test_more_buyers_than_sellers(market):
    """Those without a partner take no part: the auction is that of as many pairs as there are."""
    from test_learned import constant

    wide = environment("madda", buyers=4, sellers=2, pool=4, past=4)
    square = environment("madda", buyers=2, sellers=2, pool=4, past=4)
    auction, other = (deployed.auction(constant(2.0), of) for of in (wide, square))
    types, _ = auction.draw(np.random.default_rng(0), 50)
    assert types.shape == (50, 4)
    found = outcomes(auction.mechanism, types)
    assert found.any()
    assert np.array_equal(found, outcomes(other.mechanism, types))


def test_a_matching_can_be_given(market):
    drawn = market.draw(np.random.default_rng(0), 5)
    partner = np.full((5, 3), -1)
    given = drawn.matched(partner)
    assert given.partner is partner
    assert (drawn.partner >= 0).any()  # its own is still found
