"""Soft actor-critic over finitely many actions, on batches of episodes.

With finitely many actions every expectation over the policy π(·|s) is a sum (Christodoulou 2019,
"Soft actor-critic for discrete action settings"), over critics that give Q(s, ·) for all actions at
once. Two critics, and of both the smaller one (Fujimoto et al. 2018), their targets' weights φ'
following slowly. With H(π) = − Σ_a π(a) log π(a), temperature α, discount γ:

    critics      minimise  Σ_i (Q_i(s, a) − y)²,    a the action that was taken,
                 y = r + γ · [s' not terminal] · (Σ_a' π(a'|s') min_i Q'_i(s', a') + β H(π(·|s'))),
    actor        minimise  − Σ_a π(a|s) min_i Q_i(s, a) − α H(π(·|s)),
    temperature  α ← where H is above its target, smaller; below, larger (if automatic).

where β is α, or 0, so that Q is the worth of what is earned and entropy counts in the actor alone.

An episode that is truncated goes on for the critic: y bootstraps from its last state. One that is
terminated does not; where all are, as in one-shot problems, no target is computed.

The entropy target is a share of log |A|, the largest entropy. The share 0.98, which is often taken
for games, leaves a policy that is nearly uniform: α grows until Q no longer counts.

The actor's weights are averaged as the critics' are. The average is what is deployed (Polyak &
Juditsky 1992), and if asked for also the policy in y.

The loop here serves any actor, a map from states to logits that may draw noise: `diffusion` brings
another one and nothing else. Episodes are stepped `rows` at a time, and `ratio` is the number of
gradient steps per environment step. `advance` plays whole episodes: once its steps are spent
nothing new begins and what is under way is finished, so that between two calls no episode is open
and a saved run needs nothing from inside the environment.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from learners.environment import Array, Environment, Spec
from learners.fields import flags, positive, whole, whole_number
from learners.learner import Diverged, Learner, Policy
from learners.networks import (
    MLP,
    Arrays,
    adam,
    adam_arrays,
    fits,
    follow,
    generator,
    load_adam,
    load_generator,
    load_module,
    module_arrays,
    prefixed,
    threads,
    under,
)
from learners.replay import Replay


@dataclass(frozen=True, kw_only=True)
class Config:
    """The defaults are those of a small search on a contextual ten-armed problem.

    rows: episodes stepped together. More are faster per step, and see an older policy.
    ratio: gradient steps per environment step.
    batch: transitions in a gradient step.
    capacity: transitions remembered. warmup: steps of uniform actions before the first update.
    width, depth: of the hidden layers of actor and critics.
    actor_rate, critic_rate, temperature_rate: of Adam.
    average: the share of the new weights in the target networks and in the deployed actor, per
        update.
    temperature: α, in units of `Spec.scale`; where automatic, its first value.
    automatic: whether α follows the entropy target. entropy: that target, as a share of log |A|.
    soft_targets: whether β is α, as Christodoulou has it. Off, because with a discount of 1 every
        later step would pay α H, and to draw an episode out would be worth something.
    slow_actor: whether y takes the policy of the averaged actor.
    threads: of torch. On two idle cores 2 gained a quarter at most, on busy ones they lost up to
        three quarters; a second seed makes more of the second core.
    """

    rows: int = 256
    ratio: float = 1 / 32
    batch: int = 256
    capacity: int = 200_000
    warmup: int = 2_000
    width: int = 128
    depth: int = 2
    actor_rate: float = 1e-3
    critic_rate: float = 1e-3
    temperature_rate: float = 1e-2
    average: float = 0.02
    temperature: float = 0.2
    automatic: bool = True
    entropy: float = 0.5
    soft_targets: bool = False
    slow_actor: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        whole(self, "rows", "batch", "capacity", "width", "depth", "threads")
        whole(self, "warmup", least=0)
        positive(self, "ratio", "actor_rate", "critic_rate", "temperature_rate")
        positive(self, "average", "entropy", most=1)
        if self.temperature != 0 or self.automatic:  # a fixed one may be 0
            positive(self, "temperature")
        flags(self, "automatic", "soft_targets", "slow_actor")

    @property
    def idle(self) -> int:
        """Steps before the first update."""
        return self.warmup


# Losses, on a batch of states --------------------------------------------------------------------


def entropies(logits: Tensor) -> Tensor:
    """H(π) of each state, (batch,), in nats."""
    logs = torch.log_softmax(logits, dim=-1)
    return -(logs.exp() * logs).sum(dim=-1)


def soft_values(logits: Tensor, worth: Tensor, temperature: float) -> Tensor:
    """Σ_a π(a) worth(a) + α H(π) of each state, (batch,); worth (batch, actions)."""
    return (torch.softmax(logits, dim=-1) * worth).sum(dim=-1) + temperature * entropies(logits)


def actor_loss(logits: Tensor, worth: Tensor, temperature: float) -> Tensor:
    """The mean of − Σ_a π(a) worth(a) − α H(π)."""
    return -soft_values(logits, worth, temperature).mean()


def critic_loss(values: Tensor, actions: Tensor, goals: Tensor) -> Tensor:
    """Σ_i mean (Q_i(s, a) − y)²; values (critics, batch, actions), actions and goals (batch,)."""
    taken = values.gather(-1, actions.expand(len(values), -1).unsqueeze(-1)).squeeze(-1)
    return ((taken - goals) ** 2).mean(dim=-1).sum()


# Actors ------------------------------------------------------------------------------------------


class Actor(nn.Module):
    """(observations (batch, size), generator of noise) -> logits (batch, actions)."""

    def settled(self) -> Actor:
        """The same with noise drawn once, for all rows alike; as it is, where it draws none."""
        return self


class MLPActor(Actor):
    """Logits straight from the observation; draws nothing."""

    def __init__(self, spec: Spec, config: Config, draw: torch.Generator) -> None:
        super().__init__()
        hidden = [config.width] * config.depth
        self.body = MLP([spec.observation, *hidden, len(spec.levels)], draw=draw)

    def forward(self, observation: Tensor, draw: torch.Generator) -> Tensor:
        """(batch, size) -> (batch, actions)."""
        return self.body(observation)[0]


ActorOf = Callable[[Spec, Any, torch.Generator], Actor]
"""actor(spec, config, generator of weights)."""


class Mode(Policy):
    """The most likely action of an actor, whose noise, if any, comes from the generator given to
    `begin`: the same generator and batch, the same actions."""

    def __init__(self, actor: Actor, levels: Sequence[float]) -> None:
        self.actor, self.levels = actor, np.array(levels)
        self.stream = generator(0)

    def begin(self, batch: int, rng: np.random.Generator) -> None:
        self.stream = generator(int(rng.integers(2**63)))

    def act(self, observation: Array) -> Array:
        with torch.no_grad():
            logits = self.actor(torch.as_tensor(observation, dtype=torch.float32), self.stream)
        if not torch.isfinite(logits).all():
            raise Diverged("the actor's logits are not finite")
        return self.levels[logits.argmax(dim=-1).numpy()]

    def settled(self) -> Mode:
        return Mode(self.actor.settled(), self.levels.tolist())


# The loop ----------------------------------------------------------------------------------------


class ActorCritic:
    """A `Trainer` of any actor: twin critics, a replay buffer, and the updates above."""

    def __init__(
        self,
        environment: Environment,
        config: Config,
        seed: np.random.SeedSequence,
        actor_of: ActorOf = MLPActor,
    ) -> None:
        spec = environment.spec
        if len(spec.agents) != 1:
            raise ValueError(f"{len(spec.agents)} agents: expected an environment of one")
        if len(spec.levels) < 2:
            raise ValueError(
                f"levels = {spec.levels}: expected at least two actions to choose from"
            )
        threads(config.threads)
        self.environment, self.config, self.spec = environment, config, spec
        self.levels = np.array(spec.levels, dtype=float)
        # generate_state, and not spawn, which would count children in the caller's sequence.
        weights, noise, memory, world = (int(s) for s in seed.generate_state(4, np.uint64) >> 1)
        draw = generator(weights)
        hidden = [config.width] * config.depth
        self.actor = actor_of(spec, config, draw)
        self.critics = MLP([spec.observation, *hidden, len(self.levels)], draw=draw, copies=2)
        self.slow_actor, self.slow_critics = copy.deepcopy((self.actor, self.critics))
        self.log_temperature = torch.tensor(math.log(config.temperature or 1.0), requires_grad=True)
        self.optimisers = {
            "actor": adam(self.actor.parameters(), config.actor_rate),
            "critics": adam(self.critics.parameters(), config.critic_rate),
            "temperature": adam([self.log_temperature], config.temperature_rate),
        }
        self.stream = generator(noise)
        state = ((spec.observation,), "float32")
        fields = {"state": state, "action": ((), "int64"), "reward": ((), "float32")}
        fields |= {"later": state, "terminated": ((), "bool")}
        self.replay = Replay(config.capacity, fields, seed=memory)
        self.rng = np.random.Generator(np.random.PCG64(world))
        self.steps = self.updates = 0

    @property
    def modules(self) -> dict[str, nn.Module]:
        return {
            "actor": self.actor,
            "critics": self.critics,
            "slow_actor": self.slow_actor,
            "slow_critics": self.slow_critics,
        }

    @property
    def temperature(self) -> float:
        if not self.config.automatic:
            return self.config.temperature
        return float(self.log_temperature.detach().exp())

    def advance(self, steps: int) -> Mapping[str, float]:
        """Episodes of at least that many steps, played to their ends, and the updates due.

        Returns means: "reward" per step, in the market's unit; per update "critic_loss",
        "actor_loss", "entropy" (nats), and the last "temperature".
        """
        steps = whole_number("steps", steps)
        until, before, earned = self.steps + steps, self.steps, 0.0
        metrics: list[tuple[float, float, float]] = []
        state = self.environment.reset(self.rng, self.config.rows)
        running = np.ones(self.config.rows, dtype=bool)
        while running.any():
            chosen = self.explore(state)
            step = self.environment.step(self.levels[chosen])
            self.check(np.isfinite(step.reward).all(), "a reward of the environment")
            self.replay.add(
                state=np.asarray(state[running], dtype=np.float32),
                action=chosen[running],
                reward=(step.reward[running] / self.spec.scale).astype(np.float32),
                later=np.asarray(step.observation[running], dtype=np.float32),
                terminated=step.terminated[running],
            )
            self.steps += int(running.sum())
            earned += float(step.reward[running].sum())
            while self.updates < (self.steps - self.config.warmup) * self.config.ratio:
                metrics.append(self.update())
            running &= ~step.ended
            state = step.observation
            if self.steps < until and not running.all():
                state = self.environment.restart(~running, self.rng)
                running[:] = True
        self.check(all(map(finite, self.modules.values())), "a weight")
        means = np.mean(metrics, axis=0) if metrics else []
        names = ("critic_loss", "actor_loss", "entropy")
        return {
            "reward": earned / (self.steps - before),
            **{name: float(mean) for name, mean in zip(names, means, strict=False)},
            "temperature": self.temperature,
        }

    def explore(self, state: Array) -> Array:
        """One action of the policy for each row, indices (rows,); uniform ones in the warm-up."""
        if self.steps < self.config.warmup:
            size = (len(state),)
            return torch.randint(len(self.levels), size, generator=self.stream).numpy()
        with torch.no_grad():
            logits = self.actor(torch.as_tensor(state, dtype=torch.float32), self.stream)
        self.check(bool(torch.isfinite(logits).all()), "the policy")
        chosen = torch.multinomial(torch.softmax(logits, dim=-1), 1, generator=self.stream)
        return chosen.squeeze(-1).numpy()

    def update(self) -> tuple[float, float, float]:
        """One gradient step of everything; returns critic loss, actor loss and mean entropy."""
        config, rows = self.config, self.replay.sample(self.config.batch)
        temperature = self.temperature
        values = self.critics(rows["state"])
        logits = self.actor(rows["state"], self.stream)
        losses = {
            "critics": critic_loss(values, rows["action"], self.goals(rows, temperature)),
            "actor": actor_loss(logits, values.detach().amin(dim=0), temperature),
        }
        spread = float(entropies(logits.detach()).mean())
        if config.automatic:
            excess = spread - config.entropy * math.log(len(self.levels))
            losses["temperature"] = self.log_temperature * excess
        for name, loss in losses.items():
            self.check(math.isfinite(loss.item()), f"the loss of the {name}")
            self.optimisers[name].zero_grad()
        torch.stack(list(losses.values())).sum().backward()  # no weight is in two losses
        for name in losses:
            self.optimisers[name].step()
        follow(self.slow_critics, self.critics, config.average)
        follow(self.slow_actor, self.actor, config.average)
        self.updates += 1
        return losses["critics"].item(), losses["actor"].item(), spread

    def goals(self, rows: Mapping[str, Tensor], temperature: float) -> Tensor:
        """y of each transition, (batch,)."""
        goes_on = ~rows["terminated"]
        if not goes_on.any():
            return rows["reward"]
        with torch.no_grad():
            actor = self.slow_actor if self.config.slow_actor else self.actor
            later = soft_values(
                actor(rows["later"], self.stream),
                self.slow_critics(rows["later"]).amin(dim=0),
                temperature if self.config.soft_targets else 0.0,
            )
            return rows["reward"] + self.spec.discount * goes_on * later

    def check(self, holds: bool | np.bool_, what: str) -> None:
        if not holds:
            raise Diverged(f"{what} is no longer finite at step {self.steps}")

    def policy(self) -> Mode:
        """Of the averaged weights, which do not move with every batch."""
        return Mode(copy.deepcopy(self.slow_actor), self.spec.levels)

    # Saved runs ----------------------------------------------------------------------------------

    def save(self) -> tuple[Arrays, dict[str, Any]]:
        arrays: Arrays = {
            "log_temperature": self.log_temperature.detach().numpy().copy(),
            "stream": self.stream.get_state().numpy().copy(),
            **prefixed("replay", self.replay.arrays()),
        }
        for name, module in self.modules.items():
            arrays |= prefixed(f"module/{name}", module_arrays(module))
        for name, optimiser in self.optimisers.items():
            arrays |= prefixed(f"adam/{name}", adam_arrays(optimiser))
        rng = self.rng.bit_generator.state
        return arrays, {"steps": self.steps, "updates": self.updates, "rng": rng}

    def load(self, arrays: Mapping[str, np.ndarray], numbers: Mapping[str, Any]) -> None:
        missing = {"steps", "updates", "rng"} - set(numbers)
        missing |= {"log_temperature", "stream"} - set(arrays)
        if missing:
            raise ValueError(
                f"no {sorted(missing)[0]!r} in the saved run: expected what save() gave"
            )
        for name, module in self.modules.items():
            load_module(module, under(f"module/{name}", arrays), f"module/{name}")
        for name, optimiser in self.optimisers.items():
            load_adam(optimiser, under(f"adam/{name}", arrays), f"adam/{name}")
        self.replay.load(under("replay", arrays))
        load_generator(self.stream, arrays["stream"], "stream")
        fits(arrays["log_temperature"], (), "log_temperature")
        with torch.no_grad():
            self.log_temperature.copy_(torch.tensor(float(arrays["log_temperature"])))
        self.rng.bit_generator.state = numbers["rng"]
        self.steps, self.updates = int(numbers["steps"]), int(numbers["updates"])


def finite(module: nn.Module) -> bool:
    """Whether every weight is."""
    return all(bool(torch.isfinite(weight).all()) for weight in module.parameters())


def start(environment: Environment, config: Config, seed: np.random.SeedSequence) -> ActorCritic:
    """A trainer of discrete SAC with an MLP as its actor."""
    return ActorCritic(environment, config, seed)


LEARNER = Learner("discrete-sac", "discrete soft actor-critic, an MLP as its actor", Config, start)
