"""The adapters: what Gymnasium, Stable-Baselines3 and PettingZoo check, and what they do not.

Their own checkers first; then seeding over many steps (theirs look at one), a batch against its
rows stepped alone, and restarts against Gymnasium's own loop over single environments.
"""

import subprocess
import sys
from functools import partial
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from pettingzoo.test import parallel_api_test
from stable_baselines3.common import env_checker as stable
from stable_baselines3.common.vec_env import VecMonitor

from learners.adapters.gym import Many, One
from learners.adapters.parallel import Parallel
from learners.adapters.spaces import numbers
from learners.adapters.vec import Vec
from learners.environment import Spec, Step
from learners.known import Arms, Clock, FirstPrice, Reserve
from mechkit.environments import ENVIRONMENTS, environment

ROOT = Path(__file__).resolve().parent.parent
SMALL = {
    "dmsb": partial(environment, "dmsb"),
    "madda": partial(environment, "madda", buyers=4, sellers=4, pool=16, past=4),
    "arms": Arms,
    "reserve": Reserve,
    "clock": Clock,
}
KINDS = ("discrete", "continuous")
everywhere = pytest.mark.parametrize("name", SMALL)
both = pytest.mark.parametrize("actions", KINDS)


class Countdown:
    """Row k of n ends after 1 + k % 3 steps, every second time by truncation; nothing is drawn.

    The observation is (row, steps so far), the reward the action, so that single environments of a
    loop and rows of a batch must agree in everything.
    """

    spec = Spec("countdown", 1, observation=2, levels=(0.5, 1.0, 2.0), low=0.5, high=2.0, horizon=3)
    rules = {}  # noqa: RUF012

    def __init__(self, first=0):
        self.first = first

    def reset(self, rng, batch):
        self.row = self.first + np.arange(batch)
        self.steps, self.episodes = np.zeros(batch, dtype=int), np.zeros(batch, dtype=int)
        self.ended = np.zeros(batch, dtype=bool)
        return self.seen()

    def restart(self, rows, rng):
        assert self.ended[rows].all()
        self.steps[rows], self.ended[rows] = 0, False
        self.episodes[rows] += 1
        return self.seen()

    def seen(self):
        return np.stack([self.row, self.steps], axis=-1).astype(np.float32)

    def step(self, actions):
        reward = np.where(self.ended, 0, actions)
        self.steps = self.steps + ~self.ended
        self.ended = self.steps > self.row % 3
        cut = self.episodes % 2 == 1
        return Step(self.seen(), reward, self.ended & ~cut, self.ended & cut)

    def measures(self):
        return {"welfare": 10.0 * self.row + self.steps}


# Their checkers -----------------------------------------------------------------------------------


@everywhere
@both
def test_gymnasium_and_stable_baselines_accept_one(name, actions):
    env = One(SMALL[name](), actions=actions, measured=True)
    check_env(env, skip_render_check=True)
    stable.check_env(env)


@everywhere
@both
def test_pettingzoo_accepts_a_market_of_one_agent(name, actions):
    parallel_api_test(Parallel(SMALL[name](), actions=actions), num_cycles=60)


@both
def test_pettingzoo_accepts_several_agents(actions):
    parallel_api_test(Parallel(FirstPrice(), actions=actions, measured=True), num_cycles=60)


@everywhere
@both
@pytest.mark.parametrize("same_step", [False, True])
def test_a_batch_keeps_to_its_spaces(name, actions, same_step):
    env = Many(5, SMALL[name](), actions=actions, same_step=same_step, measured=True)
    env.action_space.seed(3)
    seen, infos = env.reset(seed=3)
    assert seen in env.observation_space
    assert seen[0] in env.single_observation_space
    for _ in range(60):
        seen, reward, terminated, truncated, infos = env.step(env.action_space.sample())
        assert seen in env.observation_space
        assert reward.shape == terminated.shape == truncated.shape == (5,)
        assert (reward.dtype, terminated.dtype, truncated.dtype) == (float, bool, bool)
        assert not (terminated & truncated).any()
        assert set(infos) == set() or (terminated | truncated).any()


# Registration -------------------------------------------------------------------------------------


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_made_by_gymnasium_with_nothing_imported_first():
    code = """
import sys
import gymnasium
small = dict(buyers=3, sellers=3, pool=4, past=4)
one = gymnasium.make("mechkit.gym:mechkit/Dmsb-v0", stations=3)
assert not {"torch", "scipy.stats", "stable_baselines3"} & set(sys.modules), sys.modules
one.reset(seed=0)
assert one.step(one.action_space.sample())[2]
many = gymnasium.make_vec("mechkit/Madda-v0", num_envs=7, actions="continuous", **small)
assert many.reset(seed=0)[0].shape == (7, 6)
many.step(many.action_space.sample())
loop = gymnasium.make_vec("mechkit/Madda-v0", num_envs=2, vectorization_mode="sync", **small)
loop.reset(seed=0)
loop.step(loop.action_space.sample())
again = gymnasium.make(gymnasium.spec("mechkit/Dmsb-v0").from_json(one.spec.to_json()))
assert again.unwrapped.environment.spec == one.unwrapped.environment.spec
print(many.metadata["autoreset_mode"].value)
"""
    assert run(code).strip() == "NextStep"


def test_every_environment_is_registered_and_importing_twice_changes_nothing():
    import importlib

    module = importlib.import_module("mechkit.gym")
    before = dict(gymnasium.registry)
    importlib.reload(module)
    assert dict(gymnasium.registry) == before
    ours = {key for key in before if key.startswith("mechkit/")}
    assert ours == {f"mechkit/{name.capitalize()}-v0" for name in ENVIRONMENTS}


def test_gymnasium_alone_loads_nothing_of_ours():
    code = "import sys, gymnasium; print({m.split('.')[0] for m in sys.modules})"
    assert not {"'mechkit'", "'learners'"} & set(run(code).strip(" {}\n").split(", "))


# Seeds --------------------------------------------------------------------------------------------


def played(env, seed, steps, choose):
    """Everything that happens in that many steps: a list of plain tuples."""
    seen, info = env.reset(seed=seed)
    happened = [(seen, info)]
    for _ in range(steps):
        out = env.step(choose())
        happened.append(out)
        if isinstance(env, gymnasium.Env) and (out[2] or out[3]):
            happened.append(env.reset())
    return happened


@everywhere
@both
def test_a_seed_says_what_happens_for_many_episodes(name, actions):
    def episodes(make, seed):
        env = make()
        env.action_space.seed(11)
        return played(env, seed, 120, env.action_space.sample)

    for make in (
        lambda: One(SMALL[name](), actions=actions),
        lambda: Many(3, SMALL[name](), actions=actions),
        lambda: Many(3, SMALL[name](), actions=actions, same_step=True),
    ):
        first = episodes(make, 5)
        assert data_equivalence(first, episodes(make, 5), exact=True)
        assert not data_equivalence(first, episodes(make, 6), exact=True)


@everywhere
def test_seeding_again_begins_again(name):
    env = One(SMALL[name]())
    env.action_space.seed(1)
    chosen = iter([env.action_space.sample() for _ in range(40)] * 2)
    first = played(env, 5, 40, lambda: next(chosen))
    assert data_equivalence(first, played(env, 5, 40, lambda: next(chosen)), exact=True)


@pytest.mark.parametrize("make", [*SMALL.values(), FirstPrice])
def test_agents_seeds_for_many_episodes(make):
    def episodes(seed):
        env = Parallel(make())
        rng = np.random.default_rng(2)
        happened = [env.reset(seed=seed)]
        for _ in range(120):
            if not env.agents:
                happened.append(env.reset())
            n = len(env.environment.spec.levels)
            happened.append(env.step({agent: int(rng.integers(n)) for agent in env.agents}))
        return happened

    first = episodes(5)
    assert data_equivalence(first, episodes(5), exact=True)
    assert not data_equivalence(first, episodes(6), exact=True)


@everywhere
def test_stable_baselines_seeds_for_many_steps(name):
    def episodes(env):
        rng = np.random.default_rng(2)
        happened = [env.reset()]
        for _ in range(120):
            happened.append(env.step(rng.integers(env.action_space.n, size=4)))
        return happened

    first = episodes(Vec(4, SMALL[name](), seed=5))
    assert data_equivalence(first, episodes(Vec(4, SMALL[name](), seed=5)), exact=True)
    seeded = Vec(4, SMALL[name](), seed=1)
    seeded.seed(5)
    assert data_equivalence(first, episodes(seeded), exact=True)
    assert not data_equivalence(first, episodes(Vec(4, SMALL[name](), seed=6)), exact=True)


# A batch and its rows -----------------------------------------------------------------------------


def rows_of(name, market, instances, row):
    """Instances with that row alone."""
    if isinstance(instances, np.ndarray):
        return instances[row : row + 1]
    if name == "madda":
        from mechkit.papers.madda.environment import selected

        return selected(instances, np.array([row]))
    from dataclasses import replace

    return replace(instances, values=instances.values[[row]], latency=instances.latency[[row]])


@everywhere
@both
def test_a_row_of_a_batch_is_the_environment_alone(name, actions):
    batch = 6
    market = SMALL[name]()
    instances = market.draw(np.random.default_rng(4), batch)
    many = Many(batch, market, actions=actions, measured=True)
    rng = np.random.default_rng(9)
    if actions == "discrete":
        chosen = rng.integers(many.single_action_space.n, size=(50, batch))
    else:
        chosen = rng.uniform(-1, 1, size=(50, batch, 1)).astype(np.float32)
    seen, _ = many.reset(options={"instances": instances})
    alone = []
    for row in range(batch):
        one = One(SMALL[name](), actions=actions, measured=True)
        first, _ = one.reset(options={"instances": rows_of(name, market, instances, row)})
        np.testing.assert_array_equal(seen[row], first)
        alone.append(one)
    running = np.ones(batch, dtype=bool)
    for taken in chosen:
        seen, reward, terminated, truncated, infos = many.step(taken)
        for row in np.flatnonzero(running):
            expected = alone[row].step(taken[row])
            np.testing.assert_allclose(seen[row], expected[0], rtol=1e-6)
            assert reward[row] == pytest.approx(expected[1], rel=1e-12)
            assert (terminated[row], truncated[row]) == expected[2:4]
            for measure, of in expected[4].items():
                assert infos[f"_{measure}"][row]
                assert infos[measure][row] == pytest.approx(of, rel=1e-12)
        running &= ~(terminated | truncated)
        if not running.any():
            break
    assert not running.any()


@pytest.mark.parametrize("same_step", [False, True])
def test_restarts_are_those_of_gymnasiums_own_loop(same_step):
    mode = AutoresetMode.SAME_STEP if same_step else AutoresetMode.NEXT_STEP
    loop = SyncVectorEnv(
        [partial(One, Countdown(row), measured=True) for row in range(6)], autoreset_mode=mode
    )
    many = Many(6, Countdown(), measured=True, same_step=same_step)
    assert many.metadata["autoreset_mode"] is mode
    assert data_equivalence(loop.reset(seed=1), many.reset(seed=1), exact=True)
    rng = np.random.default_rng(0)
    ends = np.zeros(2, dtype=int)
    for _ in range(40):
        chosen = rng.integers(3, size=6)
        theirs, ours = loop.step(chosen), many.step(chosen)
        for one, other in zip(theirs[:4], ours[:4], strict=True):
            np.testing.assert_array_equal(one, other)
        assert set(theirs[4]) == set(ours[4])
        for key, value in theirs[4].items():
            assert data_equivalence(value, ours[4][key]), (key, value, ours[4][key])
        ends += ours[2].sum(), ours[3].sum()
    assert (ends > 10).all()


def test_the_action_of_a_restart_is_not_looked_at():
    env = Many(2, Countdown(), actions="continuous")
    env.reset(seed=0)
    assert env.step(np.zeros((2, 1)))[2].tolist() == [True, False]
    seen, reward, terminated, _, _ = env.step(np.array([[np.nan], [0.0]]))
    assert (seen[0].tolist(), reward[0], terminated[0]) == ([0, 0], 0, False)
    with pytest.raises(ValueError, match="from -1 to 1"):
        env.step(np.array([[np.nan], [0.0]]))


def test_stable_baselines_restarts_at_once_and_tells_of_the_end():
    env = VecMonitor(Vec(6, Countdown(), scale=0.5))
    first = env.reset()
    steps, ends = np.zeros(6), np.zeros(6, dtype=int)
    rng = np.random.default_rng(0)
    for _ in range(30):
        chosen = rng.integers(3, size=6)
        seen, reward, done, infos = env.step(chosen)
        steps += 1
        np.testing.assert_array_equal(done, steps > np.arange(6) % 3)
        np.testing.assert_array_equal(reward, np.array([0.5, 1, 2])[chosen] / 0.5)
        for row in range(6):
            if done[row]:
                np.testing.assert_array_equal(infos[row]["terminal_observation"], [row, steps[row]])
                assert infos[row]["TimeLimit.truncated"] == (ends[row] % 2 == 1)
                assert infos[row]["episode"]["l"] == steps[row]
                np.testing.assert_array_equal(seen[row], first[row])
            else:
                assert infos[row] == {}
        ends += done
        steps[done] = 0
    assert (ends >= 10).all()


@pytest.mark.parametrize("actions", KINDS)
def test_agents_earn_what_the_market_says(actions):
    market = FirstPrice(bidders=2)
    env = Parallel(market, actions=actions, measured=True)
    seen, _ = env.reset(options={"instances": np.array([[0.9, 0.4]])})
    assert {agent: of.tolist() for agent, of in seen.items()} == {
        "bidder_0": [np.float32(0.9)],
        "bidder_1": [np.float32(0.4)],
    }
    bids = {"bidder_0": 9, "bidder_1": 4}  # 0.45 and 0.2: the equilibrium
    if actions == "continuous":
        bids = {agent: np.array([2 * k / 20 - 1]) for agent, k in bids.items()}
    _, reward, terminated, truncated, infos = env.step(bids)
    assert reward == {"bidder_0": pytest.approx(0.45), "bidder_1": 0}
    assert terminated == {"bidder_0": True, "bidder_1": True}
    assert truncated == {"bidder_0": False, "bidder_1": False}
    assert infos["bidder_1"] == {"welfare": pytest.approx(0.9), "revenue": pytest.approx(0.45)}
    assert env.agents == []


# Bad input ----------------------------------------------------------------------------------------


def test_actions_of_a_space_are_numbers_of_the_mechanism():
    spec = Clock().spec
    np.testing.assert_array_equal(numbers([0, 3], spec, "discrete"), np.take(spec.levels, [0, 3]))
    ends = numbers(np.array([[-1], [0], [1]], dtype=np.float32), spec, "continuous")
    np.testing.assert_array_equal(ends, [0, 0.5, 1])
    for wrong in ([-1], [len(spec.levels)], [0.5], [True]):
        with pytest.raises(ValueError, match=r"places in spec\.levels"):
            numbers(wrong, spec, "discrete")
    for wrong in ([[np.nan]], [[1.001]], [[-np.inf]]):
        with pytest.raises(ValueError, match="expected numbers from -1 to 1"):
            numbers(wrong, spec, "continuous")


def test_bad_input_is_refused_with_a_remedy():
    with pytest.raises(ValueError, match="'integer': expected one of discrete, continuous"):
        One(Reserve(), actions="integer")
    for dress in (One, partial(Many, 2), partial(Vec, 2)):
        with pytest.raises(ValueError, match=r"3 agents: expected 1; use learners\.adapters\.par"):
            dress(FirstPrice())
    with pytest.raises(ValueError, match="3 instances: expected 2"):
        Many(2, Reserve()).reset(options={"instances": np.zeros((3, 1))})
    env = Parallel(FirstPrice())
    env.reset(seed=0)
    with pytest.raises(ValueError, match="expected one of each of"):
        env.step({"bidder_0": 1})
    with pytest.raises(ValueError, match="of some rows"):
        Vec(2, Reserve()).set_attr("bidders", 3, indices=[0])
