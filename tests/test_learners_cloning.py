"""Cloning does what the data did; percentile cloning what paid in them."""

import numpy as np
import pytest
from armed import Arms
from descending import Descending

from learners import trajectories
from learners.cloning import LEARNER, PERCENTILE, Config, Percentile
from learners.environment import seeds
from learners.evaluate import Ruled, evaluate

# The best of five arms is another one in each of four contexts.
TABLE = np.zeros((4, 5))
TABLE[np.arange(4), [2, 0, 4, 1]] = 1.0


def earned(trainer, environment):
    instances = environment.draw(np.random.default_rng(50), 400)
    return evaluate(trainer.policy(), environment, instances, np.random.default_rng(0)).returns


def test_the_best_tenth_of_the_data_is_the_optimum_where_reward_says_so():
    environment = Arms(TABLE)
    percentile = PERCENTILE.start(environment, Percentile(every=20), seeds(0, 1)[0])
    percentile.advance(4000)
    # About a fifth of the episodes earn 1, so that the best tenth did nothing else.
    assert percentile.data.returns.mean() == pytest.approx(0.2, abs=0.05)
    assert percentile.data.returns[percentile.chosen].min() == 1
    assert earned(percentile, environment).mean() == 1
    plain = LEARNER.start(environment, Config(every=20), seeds(0, 1)[0])
    plain.advance(4000)
    assert len(plain.chosen) == len(plain.data)
    assert earned(plain, environment).mean() < 0.8


def test_one_who_does_the_same_every_time_is_imitated_exactly(monkeypatch):
    def expert(environment, rng):
        return np.select([environment.gone < 20, environment.gone < 40], [20.0, 5.0], 2.0)

    def shown(data, environment, steps, rng):
        goals = environment.draw(rng, 400)
        return trajectories.collect(Ruled(environment, expert), environment, goals, rng)

    monkeypatch.setattr(trajectories, "grown", shown)
    trainer = LEARNER.start(Descending(), Config(every=5, rate=3e-3), seeds(0, 1)[0])
    trainer.advance(1)
    environment = Descending()
    goals = environment.draw(np.random.default_rng(8), 200)
    theirs = evaluate(Ruled(environment, expert), environment, goals, np.random.default_rng(0))
    ours = evaluate(trainer.policy(), environment, goals, np.random.default_rng(0))
    assert np.array_equal(ours.returns, theirs.returns)
    assert len(set(trainer.data.actions[trainer.data.valid])) == 3


def test_the_share_that_is_imitated_is_the_best():
    trainer = PERCENTILE.start(Descending(), Percentile(best=0.25), seeds(0, 1)[0])
    trainer.advance(2000)
    returns = trainer.data.returns
    chosen = np.zeros(len(returns), dtype=bool)
    chosen[trainer.chosen] = True
    assert chosen.sum() == np.ceil(0.25 * len(returns))
    assert returns[chosen].min() >= returns[~chosen].max()
    with pytest.raises(
        ValueError, match=r"best = 1.5: expected a finite number above 0, at most 1"
    ):
        Percentile(best=1.5)
