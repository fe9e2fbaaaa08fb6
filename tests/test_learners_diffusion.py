"""The diffusion actor: its process, its gradients, and how sure of an action it can be."""

import math

import numpy as np
import pytest
import torch
from armed import Arms

from learners.diffusion import (
    Config,
    DiffusionActor,
    PrintedConfig,
    ceiling,
    likeliest,
    variance_preserving,
)
from learners.learner import learner
from learners.networks import generator, threads

KINDS = (Config, PrintedConfig)
STEPS = 5


@pytest.fixture(autouse=True)
def _one_thread():
    threads(1)


def actor_of(kind, *, arms=4, **changes):
    spec = Arms(np.zeros((3, arms))).spec
    return DiffusionActor(spec, kind(width=6, **changes), generator(0)).double()


def noises(count, actions, seed=0):
    return torch.randn(STEPS, count, actions, generator=generator(seed), dtype=torch.float64)


# The process -------------------------------------------------------------------------------------


def rates():
    """η_k and ᾱ_0…ᾱ_K of the schedule, by integrating β over each fifth numerically."""
    fine = (np.arange(100_000) + 0.5) / 100_000
    beta = (0.1 + 9.9 * fine).reshape(STEPS, -1).mean(axis=1) / STEPS
    eta = 1 - np.exp(-beta)
    return eta, np.concatenate([[1.0], np.exp(-np.cumsum(beta))])


def test_the_schedule_is_that_of_the_variance_preserving_process():
    eta, product = rates()
    process = variance_preserving(STEPS)
    np.testing.assert_allclose(1 - process.kept, eta, rtol=1e-6)
    np.testing.assert_allclose(process.product, product[1:], rtol=1e-6)
    np.testing.assert_allclose(process.before, product[:-1], rtol=1e-6)


def test_denoising_is_the_posterior_of_adding_noise():
    """Λ and σ_k are mean and deviation of x_{k−1} given x_k and x_0 (eq. 16 and Bayes' rule)."""
    process = variance_preserving(STEPS)
    eta, product = rates()
    for k in range(1, STEPS):
        # x_{k−1} ~ N(√ᾱ_{k−1} x_0, 1 − ᾱ_{k−1}), and x_k | x_{k−1} ~ N(√(1 − η) x_{k−1}, η).
        prior, noise = 1 - product[k], eta[k]
        gain = prior * math.sqrt(1 - noise) / ((1 - noise) * prior + noise)
        assert process.of_noisy[k] == pytest.approx(gain, rel=1e-5)
        left = math.sqrt(product[k]) * (1 - gain * math.sqrt(1 - noise))
        assert process.of_guess[k] == pytest.approx(left, rel=1e-5)
        variance = prior * (1 - gain * math.sqrt(1 - noise))
        assert process.deviations[k] ** 2 == pytest.approx(variance, rel=1e-5)
    assert (process.of_guess[0], process.of_noisy[0], process.deviations[0]) == (1.0, 0.0, 0.0)


def plain(actor, state, noise):
    """x_0 for one state and its noise (K, actions), step by step from eq. 17, in NumPy."""
    weights = {name: tensor.numpy() for name, tensor in actor.state_dict().items()}
    eta, product = rates()
    silu = lambda value: value / (1 + np.exp(-value))  # noqa: E731
    x = noise[0]
    for k in range(STEPS, 0, -1):
        hidden = silu(
            state @ weights["of_state"] + x @ weights["of_noisy"] + weights["of_step"][k - 1]
        )
        hidden = silu(hidden @ weights["body.weights.0"][0] + weights["body.biases.0"][0, 0])
        output = np.tanh(hidden @ weights["body.weights.1"][0] + weights["body.biases.1"][0, 0])
        guess = actor.config.bound * output
        if actor.config.predict_noise:
            guess = (x - math.sqrt(1 - product[k]) * output) / math.sqrt(product[k])
        mean = math.sqrt(product[k - 1]) * eta[k - 1] / (1 - product[k]) * guess
        mean += math.sqrt(1 - eta[k - 1]) * (1 - product[k - 1]) / (1 - product[k]) * x
        x = mean
        if k > 1:
            variance = eta[k - 1] * (1 - product[k - 1]) / (1 - product[k])
            x = x + math.sqrt(variance) * noise[STEPS - k + 1]
    return x


@pytest.mark.parametrize("kind", KINDS)
def test_denoising_equals_the_printed_equations(kind):
    actor, noise = actor_of(kind), noises(8, 4)
    states = torch.randn(8, 3, generator=generator(1), dtype=torch.float64)
    logits = actor.denoised(states, noise).detach().numpy()
    for row in range(8):
        expected = plain(actor, states[row].numpy(), noise[:, row].numpy())
        np.testing.assert_allclose(logits[row], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_flow_through_all_steps(kind):
    """Of a loss of π through the denoising, against central differences, weight by weight."""
    actor, noise = actor_of(kind), noises(5, 4)
    states = torch.randn(5, 3, generator=generator(1), dtype=torch.float64)
    worth = torch.randn(5, 4, generator=generator(2), dtype=torch.float64)

    def loss():
        return (torch.softmax(actor.denoised(states, noise) / 5, dim=-1) * worth).sum()

    loss().backward()
    rng, size = np.random.default_rng(0), 1e-6
    for name, weight in actor.named_parameters():
        flat = weight.data.view(-1)
        for place in rng.integers(len(flat), size=4):
            kept, ends = float(flat[place]), []
            for move in (size, -size):
                flat[place] = kept + move
                ends.append(float(loss().detach()))
            flat[place] = kept
            slope = (ends[0] - ends[1]) / (2 * size)
            found = float(weight.grad.view(-1)[place])
            assert found == pytest.approx(slope, rel=1e-4, abs=1e-7), name
    assert all(weight.grad.abs().max() > 0 for weight in actor.parameters())


# How sure an actor can be ------------------------------------------------------------------------


def saturated(kind, arms):
    """An actor whose network says, whatever it sees, that arm 0 is as good as can be said."""
    actor = actor_of(kind, arms=arms)
    with torch.no_grad():
        for weight in actor.parameters():
            weight.zero_()
        favoured = -1.0 if kind is PrintedConfig else 1.0
        actor.body.biases[-1][0, 0] = -50 * favoured
        actor.body.biases[-1][0, 0, 0] = 50 * favoured
    return actor


def logits_of(actor, arms, count=10_000):
    """x_0 of as many draws of the noise."""
    with torch.no_grad():
        return actor.denoised(torch.zeros(count, 3, dtype=torch.float64), noises(count, arms))


def chance_of_first(logits):
    """Mean and standard error of π_0 over the noise."""
    chance = torch.softmax(logits, dim=-1)[:, 0]
    return float(chance.mean()), float(chance.std()) / math.sqrt(len(chance))


@pytest.mark.parametrize(
    ("arms", "most", "largest"), [(10, 0.828, 0.831), (20, 0.746, 0.749), (100, 0.532, 0.537)]
)
def test_bounded_noise_leaves_the_best_action_at_most_the_ceiling(arms, most, largest):
    """The theorem's integral, against the actor itself at its extreme."""
    logits = logits_of(saturated(PrintedConfig, arms), arms)
    found, error = chance_of_first(logits)
    taken = float((logits.argmax(dim=-1) == 0).double().mean())
    assert taken == pytest.approx(largest, abs=4 * error)
    assert likeliest(arms, variance_preserving(STEPS)) == pytest.approx(largest, abs=5e-4)
    exact = ceiling(arms, variance_preserving(STEPS))
    assert exact == pytest.approx(most, abs=5e-4)
    assert found == pytest.approx(exact, abs=4 * error)


def test_direct_optimisation_finds_the_ceiling_and_nothing_above_it():
    """Gradient ascent on E π_0 over all noise predictions that depend on what was drawn: the
    network's outputs themselves, one per step, draw and arm, each through tanh."""
    arms, count = 10, 500
    process, noise = variance_preserving(STEPS), noises(count, arms)
    eta, product = rates()
    free = torch.zeros(STEPS, count, arms, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([free], lr=0.3)

    def chances():
        x = noise[0]
        for k in range(STEPS, 0, -1):
            push = eta[k - 1] / math.sqrt((1 - eta[k - 1]) * (1 - product[k]))
            x = x / math.sqrt(1 - eta[k - 1]) - push * torch.tanh(free[k - 1])
            if k > 1:
                x = x + float(process.deviations[k - 1]) * noise[STEPS - k + 1]
        return torch.log_softmax(x, dim=-1)[:, 0]

    for _ in range(60):
        optimiser.zero_grad()
        (-chances().mean()).backward()
        optimiser.step()
    reached = chances().detach().exp()
    error = float(reached.std()) / math.sqrt(count)
    assert float(reached.mean()) == pytest.approx(ceiling(arms, process), abs=3 * error)
    # On the very same draws no prediction does better than the constant of the proof.
    with torch.no_grad():
        free[...] = 50.0
        free[..., 0] = -50.0
        assert (reached <= chances().exp() + 1e-12).all()


def test_the_ceiling_of_two_actions_is_one_integral():
    """softmax over two is a logistic function of a normal difference; by quadrature."""
    eta, product = rates()
    push = eta / np.sqrt((1 - eta) * (1 - product[1:])) / np.sqrt(product[:-1])
    noise = eta[1:] * (1 - product[1:-1]) / (1 - product[2:]) / product[1:-1]
    spread = math.sqrt(2 * (1 / product[-1] + noise.sum()))
    nodes = np.linspace(-9, 9, 100_001)
    weights = np.exp(-(nodes**2) / 2)
    chance = 1 / (1 + np.exp(-(2 * push.sum() + spread * nodes)))
    expected = chance @ weights / weights.sum()
    assert ceiling(2, variance_preserving(STEPS)) == pytest.approx(expected, abs=1e-6)
    assert ceiling(1, variance_preserving(STEPS)) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("arms", [10, 100])
def test_bounded_logits_are_as_sure_as_their_bound(arms):
    found, _ = chance_of_first(logits_of(saturated(Config, arms), arms, count=100))
    assert found == pytest.approx(1 / (1 + (arms - 1) * math.exp(-10)), rel=1e-9)


def test_a_trained_actor_that_predicts_noise_stays_below_the_ceiling():
    """Ten arms: it learns which one is best, and cannot say so; the bounded one can."""
    chances = {}
    for name in ("diffusion", "diffusion-printed"):
        arms = Arms(np.eye(10)[[4]])
        config = learner(name).config(
            rows=64, batch=64, width=32, warmup=128,
            automatic=False, temperature=0.05, actor_rate=3e-3,
        )  # fmt: skip
        run = learner(name).start(arms, config, np.random.SeedSequence(0))
        run.advance(6_000)
        with torch.no_grad():
            logits = run.actor(torch.ones(20_000, 1), generator(5))
        assert logits.mean(dim=0).argmax() == 4
        chances[name] = float(torch.softmax(logits, dim=-1)[:, 4].mean())
    assert 0.6 < chances["diffusion-printed"] < ceiling(10, variance_preserving(STEPS)) + 0.01
    assert chances["diffusion"] > 0.95


@pytest.mark.parametrize(
    ("field", "value"), [("denoising", 0), ("denoising", 2.0), ("bound", 0), ("bound", math.nan)]
)
def test_a_process_that_makes_no_sense_is_refused(field, value):
    with pytest.raises(ValueError, match=rf"^{field} = .*: expected a"):
        Config(**{field: value})
