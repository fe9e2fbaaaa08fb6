"""Forecasts of bids: the forward algorithm against all hidden paths, learning, and baselines."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from mechkit.errors import InputError
from mechkit.papers.pmsam import chain, hmm


def every_path(start, moves, shows, bids):
    """p(o_1..t, X_t = j) for t = 1 … T, (T, S), listing hidden paths."""
    states, found = len(start), np.zeros((len(bids), len(start)))
    for length in range(1, len(bids) + 1):
        for path in itertools.product(range(states), repeat=length):
            chance = start[path[0]] * shows[path[0], bids[0]]
            for t in range(1, length):
                chance *= moves[path[t - 1], path[t]] * shows[path[t], bids[t]]
            found[length - 1, path[-1]] += chance
    return found


@pytest.fixture
def models():
    return hmm.draw_model(np.random.default_rng(0), 20, states=3, levels=4)


def test_forward_sums_over_every_path(models):
    bids = np.random.default_rng(1).integers(0, 4, (20, 5))
    found = np.exp(hmm.forward(models, bids))
    for b in range(20):
        slow = every_path(models.start[b], models.moves[b], models.shows[b], bids[b])
        assert found[b] == pytest.approx(slow, rel=1e-10)
        assert hmm.likelihood(models, bids)[b] == pytest.approx(np.log(slow[-1].sum()))


def test_backward_meets_forward_at_every_moment(models):
    bids = np.random.default_rng(1).integers(0, 4, (20, 6))
    both = np.exp(hmm.forward(models, bids) + hmm.backward(models, bids)).sum(axis=-1)
    assert both == pytest.approx(np.exp(hmm.likelihood(models, bids))[:, None] * np.ones((1, 6)))


def test_forecasts_are_ratios_of_likelihoods(models):
    bids = np.random.default_rng(2).integers(0, 4, (20, 4))
    ahead = np.exp(hmm.forecast(models, bids))
    assert ahead.shape == (20, 5, 4)
    assert ahead.sum(axis=-1) == pytest.approx(np.ones((20, 5)))
    for b in range(20):
        for t in range(5):
            past = list(bids[b, :t])
            before = every_path(models.start[b], models.moves[b], models.shows[b], past)
            known = before[-1].sum() if t else 1.0
            for o in range(4):
                after = every_path(models.start[b], models.moves[b], models.shows[b], [*past, o])
                assert ahead[b, t, o] == pytest.approx(after[-1].sum() / known)


def test_forecasts_do_not_look_ahead(models):
    bids = np.random.default_rng(3).integers(0, 4, (20, 8))
    other = bids.copy()
    other[:, 5:] = 3 - other[:, 5:]
    assert np.array_equal(hmm.forecast(models, bids)[:, :6], hmm.forecast(models, other)[:, :6])
    assert not np.allclose(hmm.forecast(models, bids)[:, 6], hmm.forecast(models, other)[:, 6])


def test_a_thousand_rounds_do_not_underflow(models):
    bids = hmm.draw_bids(np.random.default_rng(4), models, 1000)
    assert (hmm.likelihood(models, bids) < -500).all()
    ahead = hmm.forecast(models, bids)
    assert np.isfinite(ahead).all()
    # Chain rule: the forecasts of what came add up to the likelihood.
    assert -hmm.log_loss(ahead, bids).sum(axis=1) == pytest.approx(hmm.likelihood(models, bids))


def test_the_corrected_recursion_is_the_forward_algorithm():
    start = [Fraction(1, 2), Fraction(1, 2)]
    moves = [[Fraction(3, 4), Fraction(1, 4)], [Fraction(1, 4), Fraction(3, 4)]]
    shows = [[Fraction(5, 8), Fraction(3, 8)], [Fraction(1, 4), Fraction(3, 4)]]
    model = hmm.Model(*(np.array(x, dtype=float) for x in (start, moves, shows)))
    for bids in itertools.product((0, 1), repeat=4):
        right = chain.recursion(start, moves, shows, list(bids), printed=False)
        assert right == chain.paths(start, moves, shows, list(bids))
        found = np.exp(hmm.forward(model, np.array([bids])))[0, -1]
        assert found == pytest.approx([float(x) for x in right])


def test_no_round_of_learning_lowers_the_likelihood():
    rng = np.random.default_rng(5)
    bids = hmm.draw_bids(rng, hmm.draw_model(rng, 10, states=3, levels=5), 120)
    model = hmm.draw_model(rng, 10, states=3, levels=5)
    last = hmm.likelihood(model, bids)
    first = last
    for _ in range(25):
        model = hmm.learned(model, bids, rounds=1, prior=0)
        now = hmm.likelihood(model, bids)
        assert (now >= last - 1e-9 * np.abs(last)).all()
        last = now
    assert (last > first + 5).all()


def test_learning_finds_the_frequencies_of_a_single_state():
    bids = np.array([[0, 1, 1, 2, 1, 0]])
    one = hmm.Model(np.ones((1, 1)), np.ones((1, 1, 1)), np.full((1, 1, 3), 1 / 3))
    assert hmm.learned(one, bids, rounds=1, prior=0).shows[0, 0] == pytest.approx(
        [1 / 3, 1 / 2, 1 / 6]
    )


def test_one_step_log_loss_against_baselines():
    """What is learned from 400 rounds forecasts the next 200 better than frequencies and than
    saying the last bid again, and no better than the truth."""
    rng = np.random.default_rng(6)
    truth = hmm.draw_model(rng, 60, states=3, levels=6)
    bids = hmm.draw_bids(rng, truth, 600)
    train, test = bids[:, :400], bids[:, 400:]
    guess = hmm.draw_model(rng, 60, states=3, levels=6)
    model = hmm.learned(guess, train, rounds=60)
    loss = {
        "learned": hmm.log_loss(hmm.after(model, train, test), test),
        "truth": hmm.log_loss(hmm.after(truth, train, test), test),
        "marginal": hmm.log_loss(hmm.marginal(train, 200, 6), test),
        "persistence": hmm.log_loss(hmm.persistence(train, test, 6), test),
    }
    mean = {name: each.mean() for name, each in loss.items()}
    assert mean["truth"] < mean["learned"]
    assert mean["learned"] < mean["marginal"] - 0.1
    assert mean["learned"] < mean["persistence"] - 0.1
    assert mean["learned"] < mean["truth"] + 0.1
    assert mean["marginal"] < np.log(6)


def test_baselines_by_hand():
    train, test = np.array([[0, 0, 1, 1]]), np.array([[1, 0]])
    assert np.exp(hmm.marginal(train, 2, 2, prior=1))[0].tolist() == [[0.5, 0.5]] * 2
    # Two of three bids were repeated: (2 + 1) / (3 + 2), the last one being 1, then 1.
    found = np.exp(hmm.persistence(train, test, 3, prior=1))[0]
    assert found[0] == pytest.approx([0.2, 0.6, 0.2])
    assert found[1] == pytest.approx([0.2, 0.6, 0.2])
    assert hmm.log_loss(np.log([[[0.25, 0.75], [0.5, 0.5]]]), test) == pytest.approx(
        -np.log([[0.75, 0.5]])
    )


def test_bids_are_drawn_by_the_model():
    model = hmm.Model(np.array([[1.0, 0.0]]), np.array([[[0.0, 1.0], [1.0, 0.0]]]), np.eye(2)[None])
    assert hmm.draw_bids(np.random.default_rng(0), model, 6).tolist() == [[0, 1, 0, 1, 0, 1]]
    half = hmm.Model(np.ones((1, 1)), np.ones((1, 1, 1)), np.array([[[0.25, 0.75]]]))
    many = hmm.draw_bids(np.random.default_rng(0), half, 20_000)
    assert many.mean() == pytest.approx(0.75, abs=0.012)


def test_bad_input_is_explained(models):
    with pytest.raises(InputError, match=r"expected levels from 0 to 3"):
        hmm.forward(models, np.full((20, 3), 4))
    with pytest.raises(InputError, match="expected integers"):
        hmm.forward(models, np.zeros((20, 3)))
    with pytest.raises(InputError, match="sum to 1 in every row"):
        hmm.Model(np.array([0.5, 0.4]), np.eye(2), np.eye(2))
    with pytest.raises(InputError, match=r"expected \(\.\.\., S\)"):
        hmm.Model(np.array([0.5, 0.5]), np.eye(3), np.eye(2))
    with pytest.raises(InputError, match="rounds = 0"):
        hmm.learned(models, np.zeros((20, 3), dtype=int), rounds=0)


def as_hmmlearn(model, k, **options):
    """The k-th model as hmmlearn's, an implementation of its own."""
    from hmmlearn.hmm import CategoricalHMM

    other = CategoricalHMM(n_components=model.start.shape[-1], init_params="", **options)
    other.n_features = model.shows.shape[-1]
    other.startprob_, other.transmat_ = model.start[k].copy(), model.moves[k].copy()
    other.emissionprob_ = model.shows[k].copy()
    return other


def test_likelihoods_are_those_of_hmmlearn(models):
    bids = hmm.draw_bids(np.random.default_rng(6), models, 40)
    theirs = [as_hmmlearn(models, k).score(bids[k][:, None]) for k in range(len(bids))]
    assert hmm.likelihood(models, bids) == pytest.approx(theirs, rel=1e-10)


def test_filtered_states_are_those_of_hmmlearn(models):
    """The posterior of the last state given all bids is the filtered one."""
    bids = hmm.draw_bids(np.random.default_rng(7), models, 12)
    ahead = hmm.forward(models, bids)[:, -1]
    mine = np.exp(ahead - hmm.likelihood(models, bids)[:, None])
    for k in range(len(bids)):
        assert mine[k] == pytest.approx(
            as_hmmlearn(models, k).predict_proba(bids[k][:, None])[-1], rel=1e-9
        )


@pytest.mark.parametrize("rounds", [1, 10])
def test_baum_welch_is_that_of_hmmlearn(models, rounds):
    """The same rounds from the same first guess; hmmlearn's tolerance is put out of reach."""
    bids = hmm.draw_bids(np.random.default_rng(8), models, 60)
    found = hmm.learned(models, bids, rounds=rounds, prior=0)
    for k in range(5):
        other = as_hmmlearn(models, k, n_iter=rounds, tol=-np.inf, implementation="log")
        other.fit(bids[k][:, None])
        assert found.start[k] == pytest.approx(other.startprob_, abs=1e-9)
        assert found.moves[k] == pytest.approx(other.transmat_, abs=1e-9)
        assert found.shows[k] == pytest.approx(other.emissionprob_, abs=1e-9)
