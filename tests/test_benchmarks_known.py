"""The table of known answers: its shares against formulas and plain sampling, and its reasons."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from rich.console import Console

from benchmarks import known as table
from benchmarks.known import PROBLEMS, Case, expected, measured, played, ruled
from learners.known import Arms, Clock, Reserve
from learners.learner import LEARNERS, Policy, learner

SMALL = {
    "ppo": {"rows": 32, "length": 1, "minibatch": 32, "width": 8},
    "sac": {"rows": 32, "updates": 1, "warmup": 64, "width": 8},
    "ddpg": {"rows": 32, "updates": 1, "warmup": 64, "width": 8},
    "discrete-sac": {"rows": 32, "batch": 16, "warmup": 64, "width": 8},
    "diffusion": {"rows": 32, "batch": 16, "warmup": 64, "width": 8},
    "diffusion-printed": {"rows": 32, "batch": 16, "warmup": 64, "width": 8},
    "gpt": {"width": 8, "layers": 1, "heads": 1, "batch": 8, "validation": 40},
}


@dataclass
class Reacting(Policy):
    """Falls by 1/4 where the last announcement sold more than once, else by 1/10."""

    fall: np.ndarray | None = None

    def begin(self, batch, rng):
        self.fall = np.full(batch, 0.1)

    def act(self, observation):
        return self.fall

    def observe(self, reward, ended):
        self.fall = np.where(reward > 1, 0.25, 0.1)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_best_policy_has_the_share_1_whatever_is_drawn(problem):
    row = ruled(problem, "best constant", seeds=3)
    assert row["worst"] == pytest.approx(1, abs=1e-12)
    assert row["mean"] == pytest.approx(1, abs=1e-12)


def test_a_random_policy_has_its_known_share():
    """Arms of mean 0, 1/9 … 1 earn 1/2; r (1 − r) of the levels has the mean 0.16625 · 20/21."""
    every = np.arange(10)[None] / 9
    assert expected(Arms(contexts=1, table=3), every).mean() == pytest.approx(1 / 2)
    prices = np.arange(21)[None] / 20
    share = expected(Reserve(), prices).mean() / 0.25
    assert share == pytest.approx(4 * 0.16625 * 20 / 21)
    for problem, exact in (("arms", 1 / 2), ("reserve", share)):
        row = ruled(problem, "random", seeds=10)  # 10,000 draws, of deviation below 0.4
        assert row["mean"] == pytest.approx(exact, abs=4 * 0.4 / 100)
        assert row["worst"] <= row["mean"]


def test_the_expected_return_of_a_clock():
    market = Clock(horizon=6)
    for count in (1, 3, 5):
        falls = np.full((count, 2), 1 / count)
        assert expected(market, falls) == pytest.approx(market.value(count))
    # By hand: 10 · 0.7 · 0.3 − 0.2, then to 0, where nobody pays and the fee is due.
    assert expected(market, np.array([[0.7], [0.5], [0.5]]))[0] == pytest.approx(2.1 - 0.4)
    # Cut off after the sixth announcement, whatever would have come.
    assert expected(market, np.zeros((6, 1)))[0] == pytest.approx(-6 * 0.2)
    assert expected(market, np.vstack([np.zeros((6, 1)), [[1.0]]]))[0] == pytest.approx(-1.2)


def test_expected_and_sampled_returns_agree_even_where_a_policy_reacts():
    market, rng = Clock(), np.random.default_rng(0)
    instances = market.draw(rng, 40_000)
    policy, seen, taken = Reacting(), market.start(instances), []
    policy.begin(len(instances), rng)
    returns = np.zeros(len(instances))
    for _ in range(market.spec.horizon):
        taken.append(policy.act(seen))
        step = market.step(taken[-1])
        returns += step.reward
        policy.observe(step.reward, step.ended)
    found = expected(market, np.stack(taken))
    apart = returns - found
    assert abs(apart.mean()) <= 4 * apart.std() / 200
    assert 0 < found.std() < returns.std() / 2  # it reacts, and the noise of the values is gone


def test_a_policy_that_draws_lots_is_played_many_times():
    class Coin(Policy):
        def begin(self, batch, rng):
            self.rng = rng

        def act(self, observation):
            return self.rng.choice([0.0, 0.5], size=len(observation))

    share, first = played(Coin(), Reserve(), 0)
    assert len(first) == table.INSTANCES
    assert share == pytest.approx(np.mean(first == 0.5))
    assert 0.4 < share < 0.6


def test_every_case_is_there_and_its_config_fits():
    assert set(table.CASES) == set(LEARNERS)
    for name, by_problem in table.CASES.items():
        assert set(by_problem) == set(PROBLEMS)
        for case in by_problem.values():
            assert learner(name).config(**case.config)


def test_the_topic_from_end_to_end_in_small(monkeypatch):
    brief = {name: dict.fromkeys(PROBLEMS, Case(128, SMALL.get(name, {}))) for name in LEARNERS}
    monkeypatch.setattr(table, "CASES", brief)
    monkeypatch.setattr(table, "INSTANCES", 40)
    record = json.loads(json.dumps(table.measure(0.1)))
    assert record["seeds"] == 1
    assert record["problems"]["clock"]["optimum"] == pytest.approx(3)
    assert record["problems"]["arms"]["sizes"]["arms"] == 10
    rows = record["learners"]
    assert [(row["learner"], row["problem"]) for row in rows] == [
        (name, problem) for name in LEARNERS for problem in PROBLEMS
    ]
    for row in rows:
        assert row["steps"] >= 128
        assert row["worst"] == pytest.approx(row["mean"])  # of one seed
        assert float(row["shares"]) == pytest.approx(row["mean"], abs=5e-5)
        assert row["reaches"] == (row["mean"] >= 0.98) == (not row["why"])
    (shown,) = table.tables(record)
    assert shown.row_count == len(rows) + len(record["rules"])
    console = Console(width=200)
    with console.capture() as captured:
        console.print(shown)
    assert "best constant" in captured.get()


def test_who_falls_short_is_told_why_from_what_was_measured():
    row = measured("cloning", "arms", Case(1_000), 2)
    assert not row["reaches"]
    assert "an even share is 10.0%" in row["why"]
    row = measured("percentile-cloning", "reserve", Case(20_000), 1)
    # The price above which a tenth is sold: (1 − r)²/2 = 1/10 at 0.553, and 0.6 earns 0.96.
    assert row["mean"] == pytest.approx(0.96, abs=0.03)
    assert row["reaches"] or "near 1 − √(2 · 0.1) = 0.55" in row["why"]
    small = SMALL["diffusion-printed"]
    row = measured("diffusion-printed", "arms", Case(300, small), 1)
    assert row["mean"] < 0.98
    assert "more than 0.831 of the time" in row["why"]
    short = measured("ppo", "arms", Case(64, SMALL["ppo"]), 2)
    longer = measured("ppo", "arms", Case(192, SMALL["ppo"]), 2)
    assert not short["reaches"]
    assert short["why"] == f"after 3 times the steps it earns {longer['mean']:.3f}"
