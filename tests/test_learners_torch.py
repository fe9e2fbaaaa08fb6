"""Discrete soft actor-critic, and the loop that it shares with the diffusion actor."""

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest
import torch
from armed import Arms, Corridor

from learners.discrete_sac import Config, actor_loss, critic_loss, entropies, soft_values
from learners.environment import seeds
from learners.evaluate import evaluate
from learners.learner import Diverged, learner

OURS = ("discrete-sac", "diffusion", "diffusion-printed")
SMALL = {"rows": 64, "batch": 64, "width": 32, "warmup": 128, "ratio": 1 / 32}
BRIEF = SMALL | {"width": 16, "depth": 1, "ratio": 1 / 8, "actor_rate": 5e-3, "critic_rate": 5e-3}
TEN = np.linspace(0, 1, 10)[None]


def trainer(name, environment, *, seed=0, **changes):
    found = learner(name)
    return found.start(environment, found.config(**changes), np.random.SeedSequence(seed))


def share(run, environment, count=2_000):
    """Of the optimum, in expectation of the rewards."""
    instances = environment.draw(np.random.default_rng(99), count)
    return mean_return(run, environment, instances) / environment.optimum(instances).mean()


def mean_return(run, environment, instances):
    return evaluate(run.policy(), environment, instances, np.random.default_rng(7)).returns.mean()


# What is learned ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["discrete-sac", "diffusion"])
def test_ten_arms(name):
    """98 % of the optimum, whichever arm is best, under noise."""
    shares = []
    for seed in range(2):
        arms = Arms(np.roll(TEN, 3 * seed, axis=1), noise=0.1)
        run = trainer(name, arms, seed=seed, **SMALL)
        run.advance(6_000)
        arms.noise = 0.0
        shares.append(share(run, arms))
    assert np.mean(shares) >= 0.98


@pytest.mark.parametrize("name", ["discrete-sac", "diffusion"])
def test_contexts_beat_the_best_constant_arm(name):
    """Four contexts, each with an arm of its own; every constant arm earns 0.4."""
    table = np.full((4, 4), 0.2)
    table[np.arange(4), [2, 0, 3, 1]] = 1.0
    arms = Arms(table)
    run = trainer(name, arms, **SMALL)
    run.advance(6_000)
    assert table.mean(axis=0).max() == pytest.approx(0.4)
    assert share(run, arms) == 1.0


def test_later_rewards_are_discounted_to_a_terminal_state():
    """Forward is worth discount^(steps to go), and 1 at the last cell, where the episode ends."""
    corridor = Corridor(length=3, horizon=6, discount=0.5)
    run = trainer(
        "discrete-sac", corridor, automatic=False, temperature=0.01, average=0.05, **BRIEF
    )  # fmt: skip
    run.advance(5_000)
    worth = run.critics(torch.eye(4)).detach().numpy().mean(axis=0)
    np.testing.assert_allclose(worth[:3, 1], [0.25, 0.5, 1.0], atol=0.05)
    np.testing.assert_allclose(worth[:3, 0], [0.125, 0.25, 0.5], atol=0.05)
    assert mean_return(run, corridor, corridor.draw(None, 8)) == 1.0


def test_a_truncated_episode_goes_on_for_the_critic():
    """Idling pays 1 for ever, worth 1 / (1 − 1/2) = 2; with horizon 2 as an end it were 4/3."""
    corridor = Corridor(length=30, horizon=2, discount=0.5, idle=1.0)
    run = trainer(
        "discrete-sac", corridor, automatic=False, temperature=0.01, average=0.05, **BRIEF
    )  # fmt: skip
    run.advance(4_000)
    worth = run.critics(torch.eye(31)).detach().numpy().mean(axis=0)
    assert worth[0, 0] == pytest.approx(2.0, abs=0.1)


def test_entropy_follows_its_target_and_0_98_blows_the_temperature_up():
    """On arms of clearly different worth the policy has the entropy that is asked for; what it
    costs in temperature rises without bound as the share comes near 1."""
    spread, temperature = {}, {}
    for target in (0.4, 0.98):
        run = trainer(
            "discrete-sac", Arms(TEN), entropy=target, temperature=0.5, **BRIEF
        )  # fmt: skip
        run.advance(4_000)
        spread[target] = run.advance(500)["entropy"] / math.log(10)
        temperature[target] = run.temperature
    assert spread == pytest.approx({target: target for target in spread}, abs=0.05)
    assert temperature[0.4] < temperature[0.98] / 10


# The losses, by brute force ----------------------------------------------------------------------

LOGITS = torch.tensor([[0.5, -1.0, 2.0], [0.0, 0.0, 3.0]], dtype=torch.float64)
WORTH = torch.tensor([[1.0, 4.0, -2.0], [0.5, 0.25, 1.0]], dtype=torch.float64)


def policies(logits):
    """softmax, written out."""
    for row in logits.tolist():
        weights = [math.exp(value) for value in row]
        yield [weight / sum(weights) for weight in weights]


def test_exact_expectations_equal_sums_over_actions():
    for temperature in (0.0, 0.3):
        sums = [
            sum(p * (q - temperature * math.log(p)) for p, q in zip(policy, worth, strict=True))
            for policy, worth in zip(policies(LOGITS), WORTH.tolist(), strict=True)
        ]
        assert soft_values(LOGITS, WORTH, temperature).tolist() == pytest.approx(sums)
        assert float(actor_loss(LOGITS, WORTH, temperature)) == pytest.approx(-sum(sums) / 2)
    spread = [-sum(p * math.log(p) for p in policy) for policy in policies(LOGITS)]
    assert entropies(LOGITS).tolist() == pytest.approx(spread)


def test_the_actor_loss_is_least_at_the_softmax_of_worths():
    """argmax Σ π q + α H(π) is π ∝ exp(q / α), with the value α log Σ exp(q / α)."""
    best = float(actor_loss(WORTH / 0.7, WORTH, 0.7))
    exact = [0.7 * math.log(sum(math.exp(q / 0.7) for q in row)) for row in WORTH.tolist()]
    assert best == pytest.approx(-sum(exact) / 2)
    rng = np.random.default_rng(0)
    for _ in range(50):
        other = WORTH / 0.7 + torch.as_tensor(rng.normal(0, 0.3, WORTH.shape))
        assert float(actor_loss(other, WORTH, 0.7)) >= best


def test_the_critics_pay_for_the_action_that_was_taken():
    values = torch.stack([WORTH, WORTH + 1])
    actions, goals = torch.tensor([1, 2]), torch.tensor([3.0, 3.0], dtype=torch.float64)
    # Errors 1 and −2 of the first critic, 2 and −1 of the second.
    assert float(critic_loss(values, actions, goals)) == pytest.approx((1 + 4) / 2 + (4 + 1) / 2)


@pytest.mark.parametrize(
    ("soft", "slow"), list(itertools.product([False, True], [False, True])), ids=str
)
def test_targets_bootstrap_unless_the_state_is_terminal(soft, slow):
    run = trainer(
        "discrete-sac", Corridor(discount=0.9), soft_targets=soft, slow_actor=slow,
        automatic=False, temperature=0.2,
    )  # fmt: skip
    with torch.no_grad():
        for weight in run.slow_actor.parameters():
            weight.mul_(2)
    later = torch.eye(4)
    rows = {"reward": torch.tensor([1.0, 2.0, 3.0, 4.0]), "later": later}
    rows["terminated"] = torch.tensor([False, True, False, True])
    actor = run.slow_actor if slow else run.actor
    first, second = run.slow_critics(later).tolist()
    expected = [1.0, 2.0, 3.0, 4.0]
    for row, policy in enumerate(policies(actor(later, run.stream))):
        if row in (0, 2):
            expected[row] += 0.9 * sum(
                p * (min(q) - (0.2 * math.log(p) if soft else 0))
                for p, q in zip(policy, zip(first[row], second[row], strict=True), strict=True)
            )
    assert run.goals(rows, 0.2).tolist() == pytest.approx(expected, rel=1e-5)
    rows["terminated"] = torch.ones(4, dtype=torch.bool)
    assert run.goals(rows, 0.2).tolist() == [1.0, 2.0, 3.0, 4.0]


# The loop ----------------------------------------------------------------------------------------


def weights_of(run):
    arrays, _ = run.save()
    return arrays


def same(first, second):
    assert set(first) == set(second)
    return all(np.array_equal(first[name], second[name]) for name in first)


def test_steps_and_updates_are_counted():
    run = trainer("discrete-sac", Arms(TEN), **SMALL)
    metrics = run.advance(1_000)
    assert run.steps == 1_024  # whole batches of 64
    assert run.updates == (1_024 - 128) / 32
    assert set(metrics) == {"reward", "critic_loss", "actor_loss", "entropy", "temperature"}
    assert run.advance(1)["reward"] <= 1.0
    assert run.steps == 1_024 + 64


def test_episodes_are_played_to_their_ends():
    """Ended rows are neither counted nor stored again, and nothing is open between two calls."""
    corridor = Corridor(length=2, horizon=5)
    run = trainer("discrete-sac", corridor, **SMALL)
    run.advance(400)
    rows = run.replay.rows
    ends = rows["terminated"][: run.replay.size]
    assert run.replay.size == run.steps >= 400
    assert float(rows["reward"].sum()) == int(ends.sum())
    assert not (rows["state"][: run.replay.size, 2] == 1).any()  # the last cell is not left
    ended = (corridor.cell == 2) | (corridor.time == 5)
    assert ended.all()


@pytest.mark.parametrize("name", OURS)
def test_the_seed_decides(name):
    runs = [trainer(name, Arms(TEN, noise=0.1), seed=seed, **SMALL) for seed in (3, 3, 4)]
    metrics = [run.advance(1_000) for run in runs]
    first, again, other = (weights_of(run) for run in runs)
    assert metrics[0] == metrics[1]
    assert same(first, again)
    assert not same(first, other)


def test_starting_leaves_the_seed_as_it_was():
    """The same sequence object starts the same run twice; children of one seed differ."""
    one, other = seeds(5, 2)
    first, again, second = (
        learner("discrete-sac").start(Arms(TEN), Config(**SMALL), seed)
        for seed in (one, one, other)
    )
    assert same(weights_of(first), weights_of(again))
    assert not same(weights_of(first), weights_of(second))


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize(
    "market", [lambda: Arms(TEN, noise=0.1), Corridor], ids=["one-shot", "many"]
)
def test_a_restored_run_goes_on_as_the_first(name, market):
    run = trainer(name, market(), automatic=True, capacity=700, **SMALL)
    run.advance(500)
    arrays, numbers = run.save()
    numbers = json.loads(json.dumps(numbers))
    kept = {key: array.copy() for key, array in arrays.items()}
    metrics = run.advance(500)
    restored = trainer(name, market(), seed=8, automatic=True, capacity=700, **SMALL)
    restored.load(kept, numbers)
    assert restored.advance(500) == metrics
    assert same(weights_of(run), weights_of(restored))
    assert same(arrays, kept), "a save is a copy, which training does not change"
    assert (run.steps, run.updates) == (restored.steps, restored.updates)


def test_another_run_is_refused():
    run = trainer("discrete-sac", Arms(TEN), **SMALL)
    run.advance(300)
    arrays, numbers = run.save()
    with pytest.raises(ValueError, match="module/actor"):
        trainer("discrete-sac", Arms(TEN[:, :9]), **SMALL).load(arrays, numbers)
    with pytest.raises(ValueError, match="module/actor"):
        trainer("diffusion", Arms(TEN), **SMALL).load(arrays, numbers)
    with pytest.raises(ValueError, match="no 'rng'"):
        run.load(arrays, {"steps": 1, "updates": 1})
    with pytest.raises(ValueError, match="stream"):
        run.load({name: array for name, array in arrays.items() if name != "stream"}, numbers)


@pytest.mark.parametrize("name", OURS)
def test_a_policy_is_a_snapshot_and_repeats_itself(name):
    run = trainer(name, Arms(np.eye(4), seen=np.random.default_rng(0).random((4, 3))), **SMALL)
    run.advance(300)
    policy, observation = run.policy(), np.random.default_rng(1).random((50, 3))
    chosen = []
    for _ in range(2):
        policy.begin(50, np.random.default_rng(2))
        chosen.append([policy.act(observation) for _ in range(2)])
        run.advance(300)
    np.testing.assert_array_equal(chosen[0], chosen[1])
    assert set(chosen[0][0]) <= {0.0, 1.0, 2.0, 3.0}


# Bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rows", 0), ("rows", -4), ("batch", 2.5), ("capacity", True), ("width", None),
        ("warmup", -1), ("ratio", 0.0), ("ratio", math.nan), ("actor_rate", math.nan),
        ("critic_rate", -0.1), ("temperature_rate", math.inf), ("average", 1.5), ("average", 0),
        ("entropy", 0), ("entropy", "half"), ("temperature", -1), ("temperature", math.nan),
        ("threads", 0),
    ],
)  # fmt: skip
def test_a_config_that_makes_no_sense_is_refused(name, field, value):
    with pytest.raises(ValueError, match=rf"^{field} = .*: expected a"):
        learner(name).config(**{field: value})


def test_configs_are_flat_documented_and_changeable():
    for name in OURS:
        config = learner(name).config
        for field in dataclasses.fields(config):
            texts = [kind.__doc__ for kind in config.__mro__ if kind.__doc__]
            assert any(field.name in text for text in texts), (
                f"{name}: {field.name} is undocumented"
            )
            assert isinstance(getattr(config(), field.name), int | float)


def test_an_environment_that_does_not_fit_is_refused():
    arms = Arms(TEN)
    arms.spec = dataclasses.replace(arms.spec, agents=("buyer", "seller"))
    with pytest.raises(ValueError, match="2 agents: expected an environment of one"):
        trainer("discrete-sac", arms)
    with pytest.raises(ValueError, match="at least two actions"):
        trainer("discrete-sac", Arms(np.ones((1, 1))))
    with pytest.raises(ValueError, match="steps = 0"):
        trainer("discrete-sac", Arms(TEN)).advance(0)


@pytest.mark.parametrize("name", OURS)
def test_a_diverging_run_stops_with_the_step(name):
    run = trainer(name, Arms(TEN), **SMALL | {"ratio": 1.0}, actor_rate=1e30, critic_rate=1e30)
    with pytest.raises(Diverged, match=r"no longer finite at step \d+"):
        run.advance(2_000)
    assert run.steps > 0


def test_rewards_that_are_no_numbers_stop_the_run():
    run = trainer("discrete-sac", Arms(TEN * math.nan), **SMALL)
    with pytest.raises(Diverged, match="a reward of the environment is no longer finite at step 0"):
        run.advance(64)


def test_a_policy_of_no_numbers_stops():
    run = trainer("discrete-sac", Arms(TEN), **SMALL)
    with torch.no_grad():
        next(run.actor.parameters()).fill_(math.nan)
    with pytest.raises(Diverged, match="logits are not finite"):
        run.policy().act(np.ones((2, 1), np.float32))
