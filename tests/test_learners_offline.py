"""What holds of every learner from offline data: budgets, seeds, saving, refusing, diverging."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from descending import LEVELS, Descending

from learners.environment import seeds
from learners.evaluate import evaluate
from learners.learner import Diverged, learner

NAMES = ("gpt", "cloning", "percentile-cloning")
SMALL = {"every": 100, "batch": 16, "width": 16}
TEST = Descending().draw(np.random.default_rng(77), 50)


def small(name):
    return SMALL | ({"validation": 1, "context": 2} if name == "gpt" else {})


def started(name, seed=0, environment=None, **options):
    record = learner(name)
    config = record.config(**(small(name) | options))
    return record.start(environment or Descending(), config, seeds(seed, 1)[0])


def played(trainer):
    return evaluate(trainer.policy(), Descending(), TEST, np.random.default_rng(0)).returns


def same(first, second):
    """Whether two saved states are equal, number by number."""
    arrays = set(first[0]) == set(second[0]) and all(
        np.array_equal(first[0][name], second[0][name]) for name in first[0]
    )
    return arrays and first[1] == second[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_budget_is_steps_of_data_and_updates_follow(name):
    trainer = started(name)
    with pytest.raises(ValueError, match="nothing learnt yet"):
        trainer.policy()
    for budget in (700, 1, 900):
        before = trainer.steps
        numbers = trainer.advance(budget)
        assert before + budget <= trainer.steps == trainer.data.steps
        assert trainer.updates == trainer.steps // 100
    assert np.isfinite(list(numbers.values())).all()
    steps = trainer.steps
    played(trainer)
    assert trainer.steps == steps
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="expected a whole number of at least 1"):
            trainer.advance(wrong)


@pytest.mark.parametrize("name", NAMES)
def test_a_restored_run_goes_on_as_if_nothing_had_happened(name):
    trainer = started(name)
    trainer.advance(800)
    arrays, numbers = trainer.save()
    copies = {key: array.copy() for key, array in arrays.items()}
    text = json.dumps(numbers)
    trainer.advance(600)
    assert not same((copies, numbers), trainer.save())

    restored = started(name, seed=1)  # of another seed: all that matters is in what was saved
    restored.advance(300)
    restored.load(copies, json.loads(text))
    assert same((copies, numbers), restored.save())
    restored.advance(600)
    assert restored.steps == trainer.steps
    assert restored.updates == trainer.updates
    assert same(trainer.save(), restored.save())
    assert np.array_equal(played(trainer), played(restored))
    # A run that has not begun can be saved, too.
    fresh, begun = started(name), started(name)
    begun.advance(300)
    begun.load(*fresh.save())
    assert same(fresh.save(), begun.save())


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_determines_the_run(name):
    first = started(name, seed=3)
    first.advance(800)
    state = torch.random.get_rng_state()
    torch.manual_seed(1234)  # nobody draws from the global generator
    seed = seeds(3, 1)[0]
    seed.spawn(2)  # and what else a seed is used for has no effect
    record = learner(name)
    again = record.start(Descending(), record.config(**small(name)), seed)
    again.advance(800)
    assert torch.initial_seed() == 1234
    torch.random.set_rng_state(state)
    assert same(first.save(), again.save())
    other = started(name, seed=4)
    other.advance(800)
    assert not np.array_equal(other.data.returns[:10], first.data.returns[:10])


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_stays_as_it_was_when_training_goes_on(name):
    trainer = started(name, rate=0.05)
    trainer.advance(500)
    policy = trainer.policy()
    before = evaluate(policy, Descending(), TEST, np.random.default_rng(0)).returns
    weights = [weight.clone() for weight in policy.network.parameters()]
    trainer.advance(1500)
    after = evaluate(policy, Descending(), TEST, np.random.default_rng(0)).returns
    assert np.array_equal(before, after)
    now = list(trainer.mean.parameters())
    assert all(torch.equal(a, b) for a, b in zip(weights, policy.network.parameters(), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(weights, now, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_diverges_stops_and_says_where(name):
    trainer = started(name)
    trainer.advance(600)
    updates = trainer.updates
    with torch.no_grad():
        for network in (trainer.network, trainer.mean):
            next(iter(network.parameters())).fill_(torch.nan)
    with pytest.raises(Diverged, match="logits are not finite"):
        played(trainer)
    with pytest.raises(Diverged, match=f"loss nan, gradient nan at update {updates}"):
        trainer.advance(500)
    assert trainer.updates == updates


@pytest.mark.parametrize("name", NAMES)
def test_what_was_saved_elsewhere_is_refused(name):
    trainer = started(name)
    trainer.advance(500)
    arrays, numbers = trainer.save()

    class Other(Descending):
        spec = dataclasses.replace(Descending.spec, levels=LEVELS[:4])

    with pytest.raises(ValueError, match="expected"):
        started(name, environment=Other()).load(arrays, numbers)
    with pytest.raises(ValueError, match="expected"):
        started(name, width=32).load(arrays, numbers)
    if name == "gpt":
        with pytest.raises(ValueError, match="without 'sweep'"):
            started(name).load(arrays, {key: numbers[key] for key in numbers if key != "sweep"})
    with pytest.raises(ValueError, match="without 'measured'"):
        started(name).load(arrays, {key: numbers[key] for key in numbers if key != "measured"})
    fewer = {key: array for key, array in arrays.items() if not key.startswith("network/")}
    with pytest.raises(ValueError, match="another network"):
        started(name).load(fewer, numbers)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every = 0: expected a whole number of at least 1"),
        ({"width": 16.0}, "width = 16.0: expected a whole number"),
        ({"rate": float("nan")}, "rate = nan: expected a finite number above 0"),
        ({"clip": -1.0}, "clip = -1.0: expected a finite number above 0"),
        ({"average": 1.1}, "average = 1.1: expected a finite number above 0, at most 1"),
        ({"batch": True}, "batch = True: expected a whole number"),
    ],
)
def test_a_config_is_checked(name, options, message):
    with pytest.raises(ValueError, match=message):
        learner(name).config(**options)
