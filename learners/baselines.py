"""PPO, SAC and DDPG of Stable-Baselines3 (Raffin et al. 2021) on batched episodes: the yardsticks.

    PPO     clipped policy gradients on what was just played (Schulman et al. 2017), choosing among
            the levels, or, by an option, a number;
    SAC     soft actor-critic with a number as its action (Haarnoja et al. 2018), whose temperature
            follows an entropy target;
    DDPG    deterministic policy gradients with normal noise (Lillicrap et al. 2016).

The algorithms are the library's; `stable` feeds them and saves them. Rewards are divided by
`Spec.scale`; observations are of the order of 1 already. Defaults are not the library's, which suit
one environment stepped at a time, but the best of a small random search: 10 configs of PPO with
40,000 steps each, 8 of SAC and 12 of DDPG with 24,000, on the contextual arms of `known` and on
`dmsb`, one seed. What it found is said with each config, as shares of the optimum on instances that
were not trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import stable_baselines3 as sb3
import torch
from stable_baselines3.common.noise import VectorizedActionNoise

from learners.adapters.vec import Vec
from learners.environment import Array, Environment
from learners.fields import flags, positive, whole, within
from learners.learner import Learner, Trainer
from learners.stable import Algorithm, Baseline


@dataclass(frozen=True, kw_only=True)
class PPOConfig:
    """rows: episodes stepped together. length: steps of each between updates; their product is what
    is learned from at once. minibatch, epochs: how it is divided and how often it is gone through;
    few large ones are fast, and `rows × length` must be a multiple of `minibatch`.
    rate: of Adam. trace: λ of generalised advantages. entropy: its bonus. clip: ε of the ratio.
    value: the weight of the value's loss. gradient: the largest norm of a gradient.
    width, depth: of the hidden layers (tanh). continuous: a number in place of a level.
    spread: the first log standard deviation of a continuous policy. threads: of torch.

    The search: rate 3e-4 to 1e-2, entropy 0 to 0.03, epochs 4 or 8, minibatch 256 to 1,024, length
    1 to 8. These reached 1.000 on the arms and 0.989 on dmsb; the others 0.956 to 1.000 and 0.974
    to 0.988, the least at the library's rate of 3e-4.
    """

    rows: int = 256
    length: int = 8
    minibatch: int = 256
    epochs: int = 4
    rate: float = 3e-3
    trace: float = 0.95
    entropy: float = 0.01
    clip: float = 0.2
    value: float = 0.5
    gradient: float = 0.5
    width: int = 64
    depth: int = 2
    continuous: bool = False
    spread: float = 0.0
    threads: int = 1

    def __post_init__(self) -> None:
        whole(self, "rows", "length", "minibatch", "epochs", "width", "depth", "threads")
        positive(self, "rate", "clip", "gradient")
        within(self, "trace", least=0, most=1)
        within(self, "entropy", "value", least=0)
        within(self, "spread")
        flags(self, "continuous")
        if (self.rows * self.length) % self.minibatch or self.minibatch < 2:
            raise ValueError(
                f"minibatch = {self.minibatch}: expected a divisor of rows × length = "
                f"{self.rows * self.length}, at least 2"
            )


@dataclass(frozen=True, kw_only=True)
class OffPolicyConfig:
    """rows: episodes stepped together. updates: gradient steps after each step of all rows; 8/256
    is what the discrete learners do, too. minibatch: transitions in one.
    capacity: transitions remembered. warmup: steps of uniform actions at first.
    rate: of Adam. average: the share of new weights in the target networks, per update.
    width, depth: of the hidden layers (ReLU). threads: of torch.
    """

    rows: int = 256
    updates: int = 8
    minibatch: int = 256
    capacity: int = 200_000
    warmup: int = 2_000
    rate: float = 1e-3
    average: float = 0.01
    width: int = 128
    depth: int = 2
    threads: int = 1

    def __post_init__(self) -> None:
        whole(self, "rows", "updates", "minibatch", "capacity", "width", "depth", "threads")
        whole(self, "warmup", least=0)
        positive(self, "rate")
        positive(self, "average", most=1)
        if self.capacity < self.rows:
            raise ValueError(f"capacity = {self.capacity}: expected at least rows = {self.rows}")

    @property
    def idle(self) -> int:
        """Steps before the first update."""
        return self.warmup


@dataclass(frozen=True, kw_only=True)
class SACConfig(OffPolicyConfig):
    """Beside those: temperature: the first one. target: that of the entropy of an action in
    (−1, 1), in nats, whose largest is log 2.

    The search: rate 3e-4 to 3e-3, temperature 0.05 or 0.2, target −2 to −0.5, average 0.005 to
    0.03, width 64 or 128. These reached 0.988 on dmsb and 0.934 on the arms; the others 0.794 to
    0.978 and 0.778 to 0.923.
    """

    rate: float = 3e-3
    average: float = 0.03
    temperature: float = 0.05
    target: float = -2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "temperature")
        within(self, "target")


@dataclass(frozen=True, kw_only=True)
class DDPGConfig(OffPolicyConfig):
    """Beside those: noise: the standard deviation of exploration, of actions in [−1, 1].
    actor_rate: of Adam for the actor, `rate` being the critic's. Lillicrap et al. (section 7) have
    1e-4 and 1e-3; the actor's default is theirs, the critic's is what the search found.

    The search: rate 3e-4 to 3e-3, noise 0.1 to 0.6, average 0.005 to 0.03, width 64 or 128. As the
    library has it, most ended at a constant (0.866 on dmsb, 0.671 on the arms: their best ones),
    so that `AsPublished` was added, with actor_rate 1e-4 or 3e-4. These reached 0.984 on dmsb and
    0.901 on the arms; the others with it 0.866 to 0.994 and 0.671 to 0.870. Neighbouring arms are
    not alike, and a policy that moves by gradients stays on a hill: it is no problem for it.
    """

    rate: float = 3e-3
    noise: float = 0.4
    actor_rate: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "noise", "actor_rate")


# The library's models -----------------------------------------------------------------------------


def ppo(config: PPOConfig, episodes: Vec) -> Algorithm:
    shape: dict[str, Any] = {"net_arch": [config.width] * config.depth}
    return sb3.PPO(
        "MlpPolicy",
        episodes,
        learning_rate=config.rate,
        n_steps=config.length,
        batch_size=config.minibatch,
        n_epochs=config.epochs,
        gamma=episodes.environment.spec.discount,
        gae_lambda=config.trace,
        clip_range=config.clip,
        ent_coef=config.entropy,
        vf_coef=config.value,
        max_grad_norm=config.gradient,
        policy_kwargs=shape | ({"log_std_init": config.spread} if config.continuous else {}),
        device="cpu",
    )


def off_policy(config: OffPolicyConfig, episodes: Vec) -> dict[str, Any]:
    return {
        "policy": "MlpPolicy",
        "env": episodes,
        "learning_rate": config.rate,
        "buffer_size": config.capacity,
        "learning_starts": config.warmup,
        "batch_size": config.minibatch,
        "tau": config.average,
        "gamma": episodes.environment.spec.discount,
        "train_freq": 1,
        "gradient_steps": config.updates,
        "policy_kwargs": {"net_arch": [config.width] * config.depth},
        "device": "cpu",
    }


def sac(config: SACConfig, episodes: Vec) -> Algorithm:
    return sb3.SAC(
        **off_policy(config, episodes),
        ent_coef=f"auto_{config.temperature}",
        target_entropy=config.target,
    )


class AsPublished(sb3.DDPG):
    """With two things that the library leaves out and Lillicrap et al. (section 7) have: a smaller
    rate for the actor, and last weights so small that no action is at a bound at first, where the
    gradient of tanh vanishes and the actor stays, whatever it observes."""

    actor_rate: float

    def _update_learning_rate(self, optimizers: Any) -> None:
        super()._update_learning_rate(optimizers)
        for group in self.actor.optimizer.param_groups:
            group["lr"] = self.actor_rate


def ddpg(config: DDPGConfig, episodes: Vec) -> Algorithm:
    model = AsPublished(
        **off_policy(config, episodes), action_noise=Noise(config.noise, episodes.num_envs)
    )
    model.actor_rate = config.actor_rate
    last = model.actor.mu[-2]  # before tanh
    with torch.no_grad():
        for weight in last.parameters():
            weight.uniform_(-3e-3, 3e-3)
    model.actor_target.load_state_dict(model.actor.state_dict())
    return model


class Noise(VectorizedActionNoise):
    """Normal noise of all rows in one draw, without memory; the library's goes row by row."""

    def __init__(self, deviation: float, rows: int) -> None:
        self.deviation, self.rows = deviation, rows

    def __call__(self) -> Array:
        # From the global stream, as the library's own; the trainer puts its state in place.
        drawn = np.random.normal(0, self.deviation, (self.rows, 1))  # noqa: NPY002
        return drawn.astype(np.float32)

    def reset(self, indices: Any = None) -> None:
        pass


def start_ppo(environment: Environment, config: PPOConfig, seed: np.random.SeedSequence) -> Trainer:
    actions = "continuous" if config.continuous else "discrete"
    return Baseline(environment, config, seed, ppo, actions=actions)


def start_sac(environment: Environment, config: SACConfig, seed: np.random.SeedSequence) -> Trainer:
    return Baseline(environment, config, seed, sac, actions="continuous")


def start_ddpg(
    environment: Environment, config: DDPGConfig, seed: np.random.SeedSequence
) -> Trainer:
    return Baseline(environment, config, seed, ddpg, actions="continuous")


PPO = Learner("ppo", "proximal policy optimisation of Stable-Baselines3", PPOConfig, start_ppo)
SAC = Learner("sac", "soft actor-critic of Stable-Baselines3, a number", SACConfig, start_sac)
DDPG = Learner(
    "ddpg", "deterministic policy gradients of Stable-Baselines3", DDPGConfig, start_ddpg
)
