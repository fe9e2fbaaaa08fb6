"""The transformer that is told a return: what it may see, how it is prompted, what it learns."""

import json

import numpy as np
import pytest
import torch
from armed import Arms
from descending import LEVELS, Descending, best_mean, constant_return

from learners import trajectories
from learners.environment import seeds
from learners.evaluate import evaluate
from learners.gpt import LEARNER, Config, Prompted, Transformer, drawn, targets, windows

NETWORK = Config(context=6, width=16, layers=3, heads=4)


@pytest.fixture(scope="module")
def trainer():
    """About 300 updates on 12,000 steps."""
    trainer = LEARNER.start(Descending(), Config(every=40, batch=96), seeds(0, 1)[0])
    trainer.advance(12_000)
    return trainer


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return trajectories.grown(trajectories.empty(Descending.spec), Descending(), 3000, rng)


@pytest.fixture
def network():
    """First weights, made large so that every path matters."""
    network = Transformer(Descending.spec, NETWORK, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(20 if weight.dim() > 1 else 1)
    return network


def given(batch=3, steps=6):
    draw = torch.Generator().manual_seed(1)
    return (
        torch.randn(batch, steps, generator=draw),
        torch.randn(batch, steps, 2, generator=draw),
        torch.randint(len(LEVELS), (batch, steps), generator=draw),
        torch.arange(steps).expand(batch, -1),
    )


def changed(inputs, which, step):
    """The same, another number at that step of that input."""
    others = [part.clone() for part in inputs]
    others[which][:, step] = (others[which][:, step] + 1) % len(LEVELS)
    return others


# What it may see ---------------------------------------------------------------------------------


@pytest.mark.parametrize("which", range(4), ids=["return", "state", "action", "time"])
@pytest.mark.parametrize("step", [0, 2, 5])
def test_only_what_came_before_the_action_is_seen(network, which, step):
    with torch.inference_mode():
        before, after = network(*given()), network(*changed(given(), which, step))
    moved = (before - after).abs().amax(dim=(0, 2)) > 1e-4
    first = step + (
        which == 2
    )  # an action is seen by the next step only: it is the label of its own
    assert not moved[:first].any()
    assert torch.equal(before[:, :first], after[:, :first])
    assert moved[first:].all()


def test_the_last_step_alone_is_the_last_of_all(network):
    with torch.inference_mode():
        everything, last = network(*given()), network(*given(), last=True)
    assert last.shape == (3, 1, len(LEVELS))
    assert torch.allclose(everything[:, -1:], last, atol=1e-4)


def test_gradients_of_a_prediction_reach_no_later_token(network):
    returns, states, actions, times = given()
    returns.requires_grad_()
    states.requires_grad_()
    network(returns, states, actions, times)[:, 3].sum().backward()
    for part in (returns, states):
        assert part.grad[:, :4].abs().sum() > 0
        assert part.grad[:, 4:].abs().sum() == 0


# Windows of the data -----------------------------------------------------------------------------


def every_window(data, context):
    """All of them, once: episodes, and the number of the last step of each."""
    each = data.lengths + context - 1
    rows = np.repeat(np.arange(len(data)), each)
    return rows, np.concatenate([np.arange(count) for count in each])


def test_every_step_is_in_as_many_windows(data):
    context, units = 6, trajectories.units(data)
    picked = every_window(data, context)
    (returns, states, actions, times), taken, inside = windows(data, picked, context, units)
    rows = picked[0][:, None]
    here = inside.numpy()
    count = np.zeros(data.actions.shape, dtype=int)
    np.add.at(count, (np.broadcast_to(rows, here.shape)[here], times.numpy()[here]), 1)
    assert (count[data.valid] == context).all()
    assert not count[~data.valid].any()
    # Steps follow one another from the first column on, with the data's own numbers.
    assert here[:, 0].all()
    assert (here[:, 1:] <= here[:, :-1]).all()
    assert (np.diff(times.numpy(), axis=1) == 1)[here[:, 1:]].all()
    at = (np.broadcast_to(rows, here.shape)[here], times.numpy()[here])
    assert np.array_equal(taken[inside], data.actions[at])
    assert np.array_equal(actions, taken)
    assert np.array_equal(states[inside], units.states(data.observations[at]))
    assert np.array_equal(returns[inside], units.returns(data.returns_to_go[at]))


def test_windows_are_drawn_evenly_but_for_the_openings(data):
    few = data.select(slice(6))
    context, config = 4, Config(batch=20_000, openings=0.3)
    ends = np.cumsum(few.lengths + context - 1)
    rows, last = drawn(ends, context, config, np.random.default_rng(0))
    opening, rest = slice(6000), slice(6000, None)
    assert (last[opening] == context - 1).all()
    shares = np.bincount(rows[opening], minlength=6) / 6000
    assert shares == pytest.approx([1 / 6] * 6, abs=0.025)
    assert (last >= 0).all()
    assert (last < (few.lengths + context - 1)[rows]).all()
    counts: dict = {}
    for pair in zip(rows[rest], last[rest], strict=True):
        counts[pair] = counts.get(pair, 0) + 1
    assert set(counts) == set(zip(*every_window(few, context), strict=True))
    mean = 14_000 / len(counts)
    assert max(abs(count - mean) for count in counts.values()) < 5 * mean**0.5


def test_padding_has_no_effect(data, network):
    rows, last = (part[::37][:40] for part in every_window(data, 6))
    inputs, _, inside = windows(data, (rows, last), 6, trajectories.units(data))
    assert not inside.all()
    with torch.inference_mode():
        padded = network(*inputs)
        for row in range(40):
            kept = int(inside[row].sum())
            cropped = network(*(part[row : row + 1, :kept] for part in inputs))
            assert torch.allclose(padded[row, :kept], cropped[0], atol=1e-4)


# Acting ------------------------------------------------------------------------------------------


class Recorded:
    """A policy, with what it saw and did."""

    def __init__(self, policy):
        self.policy, self.seen, self.done, self.paid = policy, [], [], []
        self.ended = []

    def begin(self, batch, rng):
        self.policy.begin(batch, rng)

    def act(self, observation):
        self.seen.append(observation.copy())
        self.done.append(self.policy.act(observation))
        return self.done[-1]

    def observe(self, reward, ended):
        self.paid.append(reward.copy())
        self.ended.append(ended.copy())
        self.policy.observe(reward, ended)


def test_a_batch_acts_as_its_episodes_would_alone(network, data):
    goals = np.random.default_rng(5).uniform(0, 400, size=24)
    units = trajectories.units(data)

    def actions(instances):
        policy = Prompted(network, Descending.spec, NETWORK.context, units, -12.0)
        recorded = Recorded(policy)
        played = evaluate(recorded, Descending(), instances, np.random.default_rng(0))
        return np.array(recorded.done), played

    together, played = actions(goals)
    assert len(set(played.steps)) > 6  # episodes of several lengths
    assert len(np.unique(together)) > 1
    for row in range(len(goals)):
        alone, single = actions(goals[row : row + 1])
        assert np.array_equal(alone[:, 0], together[: single.steps[0], row])
        assert single.returns[0] == played.returns[row]


def test_the_rolling_window_is_the_last_steps_of_the_episode(network, data, monkeypatch):
    """What it plays is what the network says of the last K steps, put together anew."""
    monkeypatch.setattr("learners.gpt.CHUNK", 7)
    target, context, units = -12.0, NETWORK.context, trajectories.units(data)
    recorded = Recorded(Prompted(network, Descending.spec, context, units, target))
    goals = np.linspace(200, 400, 40)  # deeper than the market ever is, for longer episodes
    evaluate(recorded, Descending(), goals, np.random.default_rng(0))
    seen, done, paid = (np.array(part) for part in (recorded.seen, recorded.done, recorded.paid))
    assert len(seen) > context + 1
    assert len(np.unique(done)) > 1
    for t in range(len(seen)):
        times = np.arange(max(0, t - context + 1), t + 1)
        left = np.array([target - paid[:each].sum(axis=0) for each in times]).T
        indices = np.searchsorted(LEVELS, done[times]).T
        indices[:, -1] = (indices[:, -1] + 1) % len(LEVELS)  # its own action is not to matter
        with torch.inference_mode():
            logits = network(
                torch.from_numpy(units.returns(left)),
                torch.from_numpy(units.states(seen[times].swapaxes(0, 1))),
                torch.from_numpy(indices),
                torch.from_numpy(times).expand(len(goals), -1),
            )[:, -1]
        running = ~recorded.ended[t - 1] if t else np.ones(len(goals), dtype=bool)
        chosen = np.array(LEVELS)[logits.argmax(dim=1)]
        assert np.array_equal(chosen[running], done[t][running])


def test_beginning_again_forgets(trainer):
    policy, goals = trainer.prompted(-6.0), Descending().draw(np.random.default_rng(6), 40)
    first = evaluate(policy, Descending(), goals, np.random.default_rng(0)).returns
    evaluate(policy, Descending(), goals[:7], np.random.default_rng(0))
    assert np.array_equal(
        evaluate(policy, Descending(), goals, np.random.default_rng(0)).returns, first
    )


# Learning ----------------------------------------------------------------------------------------


def test_it_beats_its_data_and_comes_near_the_best_constant(trainer):
    goals = Descending().draw(np.random.default_rng(123), 2000)
    policy = trainer.policy()
    earned = evaluate(policy, Descending(), goals, np.random.default_rng(0)).returns.mean()
    constants = [constant_return(goals, level).mean() for level in LEVELS]
    assert earned > trainer.data.returns.mean() + 3  # of about −9.5
    assert earned > sorted(constants)[-2] + 0.3  # better than all constants but the best
    assert earned > max(constants) - 0.3
    assert earned < best_mean() + 0.3  # the sample's luck aside, nobody does better
    assert policy.target >= np.median(trainer.data.returns)


def test_the_target_return_matters(trainer):
    goals = Descending().draw(np.random.default_rng(124), 500)

    def earned(target):
        policy = trainer.prompted(target)
        return evaluate(policy, Descending(), goals, np.random.default_rng(0)).returns.mean()

    low, high = np.quantile(trainer.data.returns, [0.02, 0.9])
    assert earned(high) > earned(low) + 3


def test_the_target_is_swept_on_instances_of_its_own(trainer):
    before = trainer.sweep_steps
    trainer.prepare()
    policy, sweep = trainer.policy(), trainer.sweep
    assert trainer.sweep_steps == before + sweep.steps
    assert trainer.policy().target == policy.target == sweep.best
    assert trainer.sweep_steps == before + sweep.steps  # once is enough
    assert trainer.selection_steps == sweep.steps > 0
    assert (np.diff(sweep.targets) > 0).all()
    assert sweep.earned[np.flatnonzero(sweep.targets == sweep.best)[0]] == sweep.earned.max()
    returns = trainer.data.returns
    assert sweep.targets.min() == np.median(returns)
    assert sweep.targets.max() > returns.max()
    # Played on the same instances by all: one of the candidates, on those.
    rng = np.random.default_rng(trainer.validating)
    goals = Descending().draw(rng, trainer.config.validation // Descending.spec.horizon)
    again = evaluate(trainer.prompted(sweep.targets[0]), Descending(), goals, rng)
    assert again.returns.mean() == sweep.earned[0]


def test_a_restored_run_has_chosen_already(trainer):
    policy = trainer.policy()
    restored = LEARNER.start(Descending(), trainer.config, seeds(1, 1)[0])
    arrays, numbers = trainer.save()
    restored.load(arrays, json.loads(json.dumps(numbers)))
    restored.swept = None  # nothing is played
    assert restored.policy().target == policy.target
    assert restored.sweep_steps == trainer.sweep_steps
    assert restored.selection_steps == trainer.selection_steps == trainer.sweep.steps
    assert np.array_equal(restored.sweep.earned, trainer.sweep.earned)


def test_equal_returns_leave_one_candidate(data):
    still = data.select(data.lengths == 1)
    still.rewards[:] = 2.0
    assert targets(still.select(slice(5))).tolist() == [2.0 * data.actions.shape[1]]


def test_a_single_step_is_an_episode():
    table = np.zeros((3, 4))
    table[[0, 1, 2], [3, 1, 2]] = 1.0
    environment = Arms(table)
    trainer = LEARNER.start(environment, Config(every=10, rate=1e-2, warmup=10), seeds(0, 1)[0])
    trainer.advance(1500)
    instances = environment.draw(np.random.default_rng(1), 300)
    earned = evaluate(trainer.policy(), environment, instances, np.random.default_rng(0)).returns
    assert trainer.data.returns.mean() < 0.4
    assert earned.mean() == 1


def test_heads_divide_the_width():
    with pytest.raises(ValueError, match="heads = 3: expected a divisor of width = 32"):
        Config(heads=3)
