"""A diffusion model as the actor: logits over actions by denoising Gaussian noise.

Kang et al., "Diffusion-based auction mechanism for efficient resource management in 6G-enabled
vehicular metaverses", eqs. 16–21 and Algorithm 1; of the family of Du et al. 2023 (generative
diffusion models for networks), on Ho et al. 2020. With noise rates η_k, α_k = 1 − η_k and
ᾱ_k = α_1 ⋯ α_k, noise is added as x_k = √α_k x_{k−1} + √η_k · noise (eq. 16), and taken away,
from x_K ~ N(0, I) down to x_0, by (eq. 17)

    x_{k−1} = Λ_θ(x_k, k, s) + σ_k z_k,    z_k ~ N(0, I),    σ_k² = η_k (1 − ᾱ_{k−1}) / (1 − ᾱ_k),
    Λ_θ     = (√ᾱ_{k−1} η_k / (1 − ᾱ_k)) · x̂_0 + (√α_k (1 − ᾱ_{k−1}) / (1 − ᾱ_k)) · x_k,

where x̂_0 is a network's guess of x_0. The policy is π_θ(s) = softmax(x_0) (eq. 18); gradients flow
through all K steps. Critics, buffer and loop are those of `discrete_sac`; with a target actor and
targets without entropy they are eqs. 19 and 20, with α = β̄ fixed its actor loss is eq. 21.

Two actors differ in x̂_0. As such code is written (`PRINTED`) the network predicts the noise,
ε_θ ∈ [−1, 1] by a final tanh, and x̂_0 = (x_k − √(1 − ᾱ_k) ε_θ) / √ᾱ_k is not clipped. Or the
network predicts x̂_0 = bound · tanh(…) itself (`BOUNDED`).

Theorem. Fix a state, n actions and which of them is best. An actor of the first kind, whatever its
network, gives the best action in expectation at most

    p*(n) = E[softmax(S g + 2 C e_1)_1],    g ~ N(0, I_n),    b_k = η_k / √(α_k (1 − ᾱ_k)),
    C = Σ_k b_k / √ᾱ_{k−1},    S² = 1 / ᾱ_K + Σ_{k≥2} σ_k² / ᾱ_{k−1}.

Proof. With the x̂_0 of such an actor, Λ_θ = x_k / √α_k − b_k ε_θ, so that x_0 is affine:

    x_0 = x_K / √ᾱ_K + Σ_{k≥2} σ_k z_k / √ᾱ_{k−1} − Σ_k (b_k / √ᾱ_{k−1}) ε_k.

softmax_1 rises in the first logit and falls in all others, so that for every draw of the noise it
is largest where each ε_k is −1 at the best action and +1 elsewhere, a constant that knows nothing
of the noise; then x_0 = S g + C (2 e_1 − 1) in law, and to add a constant to all logits changes
nothing. ∎  It is approached as tanh saturates. For the schedule below and K = 5, C = 17.5 and
S = 13.5: the noise of x_K, 12.5 times as large by the time it is a logit, is more than the network
can undo, and p* is 0.828, 0.746 and 0.532 of 10, 20 and 100 actions (`ceiling`). To take the
largest logit instead of a draw from π_θ helps little: by the same proof it is the best action's at
most P(S g_1 + 2 C > S max_(i>1) g_i) of the time, 0.831, 0.749 and 0.537. Of the second kind
x_0 = x̂_0, for Λ_θ is x̂_0 at k = 1 and σ_1 = 0: at most 1 / (1 + (n − 1) e^(−2 bound)), whatever
the noise.

What the paper leaves open, and what stands here. η_k: the schedule of the variance-preserving
process (Song et al. 2021; β from 0.1 to 10, as such code has it), and K = 5. The network: a
perceptron on (x_k, s) with a bias of its own for every k, and SiLU between its layers (such code
has Mish, which is of the same shape and four times as slow). Widths, learning rates, batch size:
those of discrete SAC. β̄: 0.05 of `Spec.scale` and fixed in `PRINTED`; `BOUNDED` lets it follow an
entropy target as discrete SAC does: a fixed one that is small commits to an action too early, and
under one that is large x_0 is nearly flat among actions of nearly equal worth. A deployed policy
draws x_K and z_k, and takes the largest entry of x_0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import silu

from learners import discrete_sac
from learners.discrete_sac import Actor, ActorCritic
from learners.environment import Array, Environment, Spec
from learners.fields import flags, positive, whole
from learners.learner import Learner
from learners.networks import MLP, generator, uniform


@dataclass(frozen=True, kw_only=True)
class Config(discrete_sac.Config):
    """Those of discrete SAC, and:

    denoising: K, the steps from noise to logits. Each costs as much as a whole MLP actor.
    bound: of the logits, where x_0 is predicted; 5 gives the best of 21 actions up to 0.999.
    predict_noise: whether the network predicts the noise (tanh, nothing clipped) and not x_0.
    """

    slow_actor: bool = True
    denoising: int = 5
    bound: float = 5.0
    predict_noise: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, "denoising")
        positive(self, "bound")
        flags(self, "predict_noise")


@dataclass(frozen=True, kw_only=True)
class PrintedConfig(Config):
    """As such code is written: the noise is predicted, and bounded by tanh; eq. 21's temperature
    is fixed."""

    predict_noise: bool = True
    automatic: bool = False
    temperature: float = 0.05


# The process -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Process:
    """Of every step k = 1…K, (K,) each: kept, α_k; product, ᾱ_k; before, ᾱ_{k−1}."""

    kept: Array
    product: Array
    before: Array

    @property
    def deviations(self) -> Array:
        """σ_k; σ_1 = 0."""
        return np.sqrt((1 - self.kept) * (1 - self.before) / (1 - self.product))

    @property
    def of_guess(self) -> Array:
        """What multiplies x̂_0 in Λ_θ."""
        return np.sqrt(self.before) * (1 - self.kept) / (1 - self.product)

    @property
    def of_noisy(self) -> Array:
        """What multiplies x_k in Λ_θ."""
        return np.sqrt(self.kept) * (1 - self.before) / (1 - self.product)


def variance_preserving(steps: int, *, least: float = 0.1, most: float = 10.0) -> Process:
    """α_k = exp(−∫ β) over the k-th of K equal parts of [0, 1], β(t) = least + t (most − least)."""
    k = np.arange(1, steps + 1)
    kept = np.exp(-least / steps - (most - least) * (2 * k - 1) / (2 * steps**2))
    product = np.cumprod(kept)
    return Process(kept, product, np.append(1.0, product[:-1]))


def affine(process: Process) -> tuple[float, float]:
    """S and 2 C of the theorem."""
    push = (1 - process.kept) / np.sqrt(process.kept * (1 - process.product))
    shift = 2 * (push / np.sqrt(process.before)).sum()
    spread = np.sqrt(1 / process.product[-1] + (process.deviations**2 / process.before)[1:].sum())
    return float(spread), float(shift)


def likeliest(actions: int, process: Process) -> float:
    """The most often that tanh-bounded noise prediction makes the best action's logit the largest:
    P(S g_1 + 2 C > S max_(i>1) g_i) = ∫ φ(g) Φ(g + 2 C/S)^(n − 1) dg."""
    spread, shift = affine(process)
    normal = np.linspace(-9, 9, 2001)
    weights = np.exp(-(normal**2) / 2)
    below = np.array([(1 + math.erf(at / math.sqrt(2))) / 2 for at in normal + shift / spread])
    return float((weights * below ** (actions - 1)).sum() / weights.sum())


def ceiling(actions: int, process: Process) -> float:
    """p*(n) of the theorem: the most that tanh-bounded noise prediction gives the best action.

    softmax(x)_1 is the chance that x_1 + G_1 is the largest of x_i + G_i, G_i standard Gumbel. So
    p* = ∫ f(y − 2 C) F(y)^(n − 1) dy with F, f the distribution and density of S g + G, and
    F(y) = E exp(−e^(S g − y)): two quadratures in one dimension, here on fine grids.
    """
    spread, shift = affine(process)
    normal = np.linspace(-9, 9, 721)
    weights = np.exp(-(normal**2) / 2)
    weights /= weights.sum()
    y = np.linspace(-9 * spread - 5, shift + 9 * spread + 40, 4001)

    def gumbel(at: Array) -> tuple[Array, Array]:
        """Distribution and density of S g + G, the mean over g."""
        tail = np.exp(np.minimum(spread * normal - at[:, None], 500.0))
        chance = np.exp(-tail)
        return chance @ weights, (tail * chance) @ weights

    below, _ = gumbel(y)
    _, density = gumbel(y - shift)
    return float((density * below ** (actions - 1)).sum() * (y[1] - y[0]))


# The actor ---------------------------------------------------------------------------------------


class DiffusionActor(Actor):
    """Logits x_0 by K steps of denoising, (batch, size) -> (batch, actions), of new noise."""

    def __init__(self, spec: Spec, config: Config, draw: torch.Generator) -> None:
        super().__init__()
        self.actions, self.config = len(spec.levels), config
        self.process = variance_preserving(config.denoising)
        inputs = spec.observation + self.actions + config.denoising
        hidden = [config.width] * config.depth
        self.of_state = uniform((spec.observation, config.width), inputs**-0.5, draw)
        self.of_noisy = uniform((self.actions, config.width), inputs**-0.5, draw)
        self.of_step = uniform((config.denoising, config.width), inputs**-0.5, draw)
        self.body = MLP([*hidden, self.actions], draw=draw, between=silu)

    def forward(self, observation: Tensor, draw: torch.Generator) -> Tensor:
        shape = (len(observation), self.actions)
        noise = torch.randn(self.config.denoising, *shape, generator=draw, dtype=observation.dtype)
        return self.denoised(observation, noise)

    def settled(self) -> Actor:
        return Settled(self)

    def denoised(self, observation: Tensor, noise: Tensor) -> Tensor:
        """x_0 of given noise (K, batch, actions): x_K, then z_K … z_2."""
        process, noisy = self.process, noise[0]
        seen = observation @ self.of_state
        for k in reversed(range(self.config.denoising)):
            guess = self.guess(seen, noisy, k)
            noisy = float(process.of_guess[k]) * guess + float(process.of_noisy[k]) * noisy
            if k:
                noisy = noisy + float(process.deviations[k]) * noise[-k]
        return noisy

    def guess(self, seen: Tensor, noisy: Tensor, k: int) -> Tensor:
        """x̂_0 at step k + 1; seen is what the first layer makes of the state."""
        hidden = silu(seen + torch.addmm(self.of_step[k], noisy, self.of_noisy))
        bounded = torch.tanh(self.body(hidden)[0])
        if not self.config.predict_noise:
            return self.config.bound * bounded
        product = float(self.process.product[k])
        return (noisy - math.sqrt(1 - product) * bounded) / math.sqrt(product)


class Settled(Actor):
    """A diffusion actor that denoises the same noise in every row."""

    def __init__(self, actor: DiffusionActor) -> None:
        super().__init__()
        self.actor = actor
        shape = (actor.config.denoising, 1, actor.actions)
        self.noise = torch.randn(shape, generator=generator(0))

    def forward(self, observation: Tensor, draw: torch.Generator) -> Tensor:
        return self.actor.denoised(observation, self.noise.expand(-1, len(observation), -1))


def start(environment: Environment, config: Config, seed: np.random.SeedSequence) -> ActorCritic:
    """A trainer of discrete SAC with a diffusion model as its actor."""
    return ActorCritic(environment, config, seed, DiffusionActor)


_record = partial(Learner, start=start)
BOUNDED = _record("diffusion", "diffusion actor that predicts bounded logits", Config)
PRINTED = _record("diffusion-printed", "diffusion actor as printed: bounded noise", PrintedConfig)
