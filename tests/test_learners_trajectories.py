"""Offline episodes: what is kept of them, who plays them, and that a seed determines them."""

import dataclasses

import numpy as np
import pytest
from descending import DEPTH, LEVELS, Descending, constant_return

from learners import trajectories
from learners.evaluate import Ruled
from learners.learner import Diverged
from learners.trajectories import KINDS, Behaviours


@pytest.fixture(scope="module")
def data():
    start = trajectories.empty(Descending.spec)
    first = trajectories.grown(start, Descending(), 500, np.random.default_rng(0))
    return trajectories.grown(first, Descending(), 5000, np.random.default_rng(1))


def of_kind(data, kind):
    return data.select(data.kinds == KINDS.index(kind))


def test_returns_to_go_are_sums_of_what_follows(data):
    for episode in range(0, len(data), 7):
        length = data.lengths[episode]
        for t in range(length):
            expected = sum(data.rewards[episode, t:length])
            assert data.returns_to_go[episode, t] == pytest.approx(expected, abs=1e-12)
    assert np.array_equal(data.returns, data.rewards.sum(axis=1))
    assert data.steps == data.lengths.sum()


def test_padding_holds_nothing(data):
    assert data.lengths.min() >= 1
    assert data.lengths.max() == data.actions.shape[1]
    for name in ("observations", "actions", "rewards", "returns_to_go"):
        assert not getattr(data, name)[~data.valid].any(), name


def test_constant_levels_earn_what_the_closed_form_says():
    class Constant(Behaviours):
        def begin(self, batch, rng):
            super().begin(batch, rng)
            self.epsilon = np.zeros(batch)
            self.below = self.above = np.arange(batch) % len(LEVELS)

    goals = Descending().draw(np.random.default_rng(3), 60)
    environment = Descending()
    kept = trajectories.collect(
        Constant(environment.spec), environment, goals, np.random.default_rng(0)
    )
    steps = np.array(LEVELS)[np.arange(60) % len(LEVELS)]
    assert kept.returns == pytest.approx(constant_return(goals, steps), abs=1e-9)
    assert np.array_equal(kept.lengths, np.ceil(goals / steps))
    assert (kept.actions == (np.arange(60) % len(LEVELS))[:, None])[kept.valid].all()
    # The clock that is seen is where the steps before have brought it.
    gone = np.arange(kept.actions.shape[1]) * steps[:, None] / DEPTH
    assert kept.observations[..., 0][kept.valid] == pytest.approx(gone[kept.valid], abs=1e-6)


def test_every_behaviour_plays_as_it_says(data):
    assert all(len(of_kind(data, kind)) > len(data) / 10 for kind in KINDS)
    constant = of_kind(data, "constant")
    assert (constant.actions == constant.actions[:, :1])[constant.valid].all()
    counts = np.bincount(constant.actions[:, 0], minlength=len(LEVELS))
    assert counts.max() - counts.min() <= 4  # each in turn
    random = of_kind(data, "random")
    shares = np.bincount(random.actions[random.valid]) / random.steps
    assert shares == pytest.approx([0.2] * 5, abs=0.07)
    split = of_kind(data, "split")
    both = 0
    for row in range(len(split)):
        seen = split.observations[row, : split.lengths[row]]
        played = split.actions[row, : split.lengths[row]]
        assert len(set(played)) <= 2
        if len(set(played)) == 2:  # both entries rise with time: one level, then the other
            both += 1
            assert (np.diff(played) != 0).sum() == 1
            assert (np.diff(seen[:, 0]) > 0).all()
    assert both > 5


def test_a_seed_determines_the_data():
    def play(seed):
        rng = np.random.default_rng(seed)
        grown = trajectories.empty(Descending.spec)
        for _ in range(2):
            grown = trajectories.grown(grown, Descending(), 700, rng)
        return trajectories.arrays(grown)

    first, again, other = play(5), play(5), play(6)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["rewards"], other["rewards"])


def test_what_is_added_leaves_the_rest_alone(data):
    rng = np.random.default_rng(9)
    more = trajectories.grown(data, Descending(), 300, rng)
    assert more.steps >= data.steps + 300
    before = trajectories.arrays(more.select(slice(len(data))))
    for name, array in trajectories.arrays(data).items():
        assert np.array_equal(array, before[name]), name


def test_arrays_come_back(data):
    kept = trajectories.arrays(data)
    assert len(kept["rewards"]) == data.steps
    again = trajectories.from_arrays(kept, Descending.spec)
    for entry in dataclasses.fields(data):
        ours, theirs = getattr(data, entry.name), getattr(again, entry.name)
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs), entry.name
    nothing = trajectories.arrays(trajectories.empty(Descending.spec))
    assert len(trajectories.from_arrays(nothing, Descending.spec)) == 0


def test_arrays_of_others_are_refused(data):
    kept = trajectories.arrays(data)
    narrow = dataclasses.replace(Descending.spec, levels=LEVELS[:3])
    with pytest.raises(ValueError, match="expected 3 levels"):
        trajectories.from_arrays(kept, narrow)
    wide = dataclasses.replace(Descending.spec, observation=3)
    with pytest.raises(ValueError, match="observations of shape"):
        trajectories.from_arrays(kept, wide)
    with pytest.raises(ValueError, match="rewards of shape"):
        trajectories.from_arrays(kept | {"rewards": kept["rewards"][:-1]}, Descending.spec)
    with pytest.raises(ValueError, match="expected"):
        trajectories.from_arrays({"rewards": kept["rewards"]}, Descending.spec)


def test_units_are_those_of_the_data(data):
    units = trajectories.units(data)
    states = units.states(data.observations[data.valid])
    assert states.mean(axis=0) == pytest.approx([0, 0], abs=1e-4)
    assert states.std(axis=0) == pytest.approx([1, 1], abs=1e-4)
    asked = units.returns(data.returns)
    assert np.median(asked) == pytest.approx(0, abs=1e-6)
    assert asked[asked > 0].mean() == pytest.approx(1, abs=0.02)
    still = dataclasses.replace(data, observations=np.full_like(data.observations, 0.3))
    assert np.abs(trajectories.units(still).states(still.observations)).max() < 1e-6


def test_a_rule_is_recorded_and_other_actions_are_refused():
    def play(rule):
        environment = Descending()
        goals = environment.draw(np.random.default_rng(0), 40)
        ruled = Ruled(environment, lambda environment, rng: rule(environment))
        return goals, trajectories.collect(ruled, environment, goals, np.random.default_rng(0))

    # A rule that knows where the buyer is: it comes in the largest steps that stop short.
    def oracle(environment):
        left = (environment.goal - environment.gone)[:, None]
        fits = (np.array(LEVELS) <= left).sum(axis=1)
        return np.array(LEVELS)[np.maximum(fits - 1, 0)]

    goals, kept = play(oracle)
    assert (kept.kinds == -1).all()
    assert (kept.returns >= constant_return(goals, 1.0) - 1e-9).all()
    with pytest.raises(ValueError, match="action 3: expected one of the levels"):
        play(lambda environment: np.full(40, 3.0))
    with pytest.raises(ValueError, match="expected one of the levels"):
        play(lambda environment: np.full(40, np.nan))


def test_rewards_that_are_no_numbers_stop_at_once():
    class Broken(Descending):
        def step(self, actions):
            step = super().step(actions)
            return dataclasses.replace(step, reward=np.where(step.ended, step.reward, np.nan))

    with pytest.raises(Diverged, match="reward is not finite at step 0"):
        trajectories.grown(trajectories.empty(Broken.spec), Broken(), 100, np.random.default_rng(0))


def test_several_agents_are_refused():
    class Several(Descending):
        spec = dataclasses.replace(Descending.spec, agents=("one", "two"))

    with pytest.raises(ValueError, match="expected a single one"):
        trajectories.grown(
            trajectories.empty(Several.spec), Several(), 100, np.random.default_rng(0)
        )
