"""Perceptrons side by side, the replay buffer, and their state as arrays."""

import collections

import numpy as np
import pytest
import torch

from learners.networks import (
    MLP,
    adam,
    adam_arrays,
    follow,
    generator,
    load_adam,
    load_module,
    module_arrays,
    prefixed,
    threads,
    under,
)
from learners.replay import Replay


@pytest.fixture(autouse=True)
def _one_thread():
    threads(1)


FIELDS = {"state": ((2,), "float32"), "action": ((), "int64")}


def rows(start, count):
    """Rows that say their own number."""
    number = np.arange(start, start + count)
    return {"state": np.stack([number, -number], axis=1).astype(np.float32), "action": number}


def test_every_copy_is_a_perceptron_of_its_own():
    both = MLP([3, 5, 4, 2], draw=generator(1), copies=2)
    inputs = np.random.default_rng(0).standard_normal((7, 3))
    outputs = both(torch.as_tensor(inputs, dtype=torch.float32)).detach().numpy()
    weights = module_arrays(both)
    for copy in range(2):
        hidden = inputs
        for layer in range(3):
            hidden = hidden @ weights[f"weights.{layer}"][copy] + weights[f"biases.{layer}"][copy]
            hidden = np.maximum(hidden, 0) if layer < 2 else hidden
        np.testing.assert_allclose(outputs[copy], hidden, atol=1e-5)
    assert np.abs(outputs[0] - outputs[1]).max() > 0.01


def test_weights_come_from_the_generator_and_leave_the_global_one_alone():
    before = torch.random.get_rng_state()
    first, same, other = (module_arrays(MLP([3, 8, 2], draw=generator(s))) for s in (4, 4, 5))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all((first[name] == same[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)
    assert all(np.abs(first[name]).max() <= 3**-0.5 for name in first)


def test_weights_and_moments_come_back():
    def steps(net, optimiser, count):
        for _ in range(count):
            optimiser.zero_grad()
            (net(torch.ones(4, 3)) ** 2).mean().backward()
            optimiser.step()

    net = MLP([3, 8, 2], draw=generator(0))
    optimiser = adam(net.parameters(), 0.01)
    assert adam_arrays(optimiser) == {}
    steps(net, optimiser, 3)
    weights, moments = module_arrays(net), adam_arrays(optimiser)
    steps(net, optimiser, 3)
    restored = MLP([3, 8, 2], draw=generator(9))
    moved = adam(restored.parameters(), 0.01)
    load_module(restored, weights, "net")
    load_adam(moved, moments, "adam")
    steps(restored, moved, 3)
    after = module_arrays(restored)
    assert all((after[name] == array).all() for name, array in module_arrays(net).items())
    load_adam(moved, {}, "adam")
    assert adam_arrays(moved) == {}


def test_state_of_another_network_is_refused():
    net, wider = MLP([3, 8, 2], draw=generator(0)), MLP([3, 9, 2], draw=generator(0))
    with pytest.raises(ValueError, match=r"net/weights.0 of shape \(1, 3, 9\): expected \(1, 3, 8"):
        load_module(net, module_arrays(wider), "net")
    with pytest.raises(ValueError, match=r"'biases\.0' is on one side only"):
        load_module(net, under("b", prefixed("a", module_arrays(net))), "net")
    with pytest.raises(ValueError, match="on one side only"):
        load_adam(adam(net.parameters(), 0.1), {"0/step": np.array(1.0)}, "adam")


def test_following_is_a_weighted_mean():
    slow, fast = (MLP([2, 2], draw=generator(s)) for s in (0, 1))
    before, ahead = module_arrays(slow), module_arrays(fast)
    follow(slow, fast, 0.25)
    for name, array in module_arrays(slow).items():
        np.testing.assert_allclose(array, 0.75 * before[name] + 0.25 * ahead[name], rtol=1e-6)


@pytest.mark.parametrize("count", [0, -1, 1.5, True])
def test_threads_are_a_whole_number(count):
    with pytest.raises(ValueError, match="threads"):
        threads(count)


def test_the_ring_keeps_the_last_rows():
    """Against a bounded queue, for batches smaller and larger than the buffer."""
    ring, queue = Replay(10, FIELDS, seed=0), collections.deque(maxlen=10)
    rng, start = np.random.default_rng(0), 0
    for count in [0, 3, 10, 4, 25, 1, *rng.integers(0, 14, size=40)]:
        ring.add(**rows(start, count))
        queue.extend(range(start, start + count))
        start += count
        stored = ring.rows["action"][: ring.size].numpy()
        assert sorted(stored) == list(queue)
        np.testing.assert_array_equal(ring.rows["state"][: ring.size, 1].numpy(), -stored)
        if ring.size == 10:
            np.testing.assert_array_equal(np.roll(stored, -ring.place), list(queue))


def test_samples_are_uniform_and_whole_rows():
    ring = Replay(8, FIELDS, seed=3)
    ring.add(**rows(100, 5))
    drawn = ring.sample(20_000)
    numbers, counts = np.unique(drawn["action"].numpy(), return_counts=True)
    assert list(numbers) == [100, 101, 102, 103, 104]
    assert np.abs(counts - 4_000).max() < 5 * np.sqrt(4_000)
    assert (drawn["state"][:, 0] == drawn["action"]).all()


def test_a_restored_buffer_goes_on_as_the_first():
    ring, other = Replay(6, FIELDS, seed=1), Replay(6, FIELDS, seed=2)
    ring.add(**rows(0, 8))
    ring.sample(3)
    other.load(ring.arrays())
    for buffer in (ring, other):
        buffer.add(**rows(50, 3))
    assert torch.equal(ring.sample(64)["state"], other.sample(64)["state"])


def test_what_does_not_fit_the_buffer_is_refused():
    ring = Replay(6, FIELDS, seed=1)
    with pytest.raises(ValueError, match="nothing to sample"):
        ring.sample(1)
    with pytest.raises(ValueError, match=r"fields \['action'\]: expected \['action', 'state'\]"):
        ring.add(action=np.arange(2))
    with pytest.raises(ValueError, match="rows of 'action' of shape"):
        ring.add(state=np.zeros((2, 2), np.float32), action=np.arange(3))
    ring.add(**rows(0, 6))
    with pytest.raises(ValueError, match="6 rows: expected at most 4"):
        Replay(4, FIELDS, seed=1).load(ring.arrays())
    with pytest.raises(ValueError, match="another buffer"):
        Replay(6, {"state": ((2,), "float32")}, seed=1).load(ring.arrays())
    with pytest.raises(ValueError, match="capacity = -3"):
        Replay(-3, FIELDS, seed=1)
