"""A trainer of a model of Stable-Baselines3: fed from batched episodes, saved without pickle.

The library draws from NumPy's and torch's global streams. A trainer keeps states of its own of both
and puts them in place while it works, so that runs in one process do not touch one another.

Episodes go on from one `advance` to the next, on a copy of the environment. What is inside it
cannot be saved; but it follows from the generator's state when the episodes began and from the
actions since, which are saved and played again.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import stable_baselines3 as sb3
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger

from learners.adapters.spaces import numbers
from learners.adapters.vec import Vec
from learners.environment import Array, Environment, Spec
from learners.fields import whole_number
from learners.learner import Diverged, Policy
from learners.networks import (
    Arrays,
    adam_arrays,
    fits,
    load_adam,
    load_module,
    module_arrays,
    prefixed,
    threads,
    under,
)

Algorithm = Any
"""A model of Stable-Baselines3."""

FRESH = 8
"""After this many times the horizon, in steps of each row, all episodes begin anew, so that what is
saved stays small and pools of instances are drawn again. Few are cut off by it."""


class Recorded(Vec):
    """Episodes that can be saved. origin: the generator's state when they began; played: the
    actions of all rows since, each (rows,); last: observations and ends, after the last of them."""

    origin: Mapping[str, Any] | None = None
    last: tuple[Array, Array]

    def reset(self) -> Array:
        self.origin, self.played = copy.deepcopy(self.rng.bit_generator.state), list[Array]()
        seen = super().reset()
        self.last = seen, np.ones(self.num_envs, dtype=bool)
        return seen

    def step_wait(self) -> tuple[Array, Array, Array, list[dict[str, Any]]]:
        self.played.append(self._chosen)
        seen, reward, ended, infos = super().step_wait()
        self.last = seen, ended
        return seen, reward, ended, infos

    def again(self, origin: Mapping[str, Any], played: Array) -> None:
        """Plays (steps, rows) actions from that state of the generator."""
        self.rng.bit_generator.state = origin
        self.reset()
        for chosen in played:
            self._chosen = chosen
            self.step_wait()


class Watch(BaseCallback):
    """Sums rewards, and stops training where a loss of the last update is not finite."""

    earned = 0.0

    def _on_step(self) -> bool:
        self.earned += float(self.locals["rewards"].sum())
        return True

    def _on_rollout_start(self) -> None:
        check_losses(self.model)


def losses(model: Algorithm) -> dict[str, float]:
    """Of the last update, by name."""
    found = model.logger.name_to_value.items()
    names = ("loss", "entropy", "ent_coef", "approx_kl", "std")
    return {
        key.removeprefix("train/"): float(value)
        for key, value in found
        if any(name in key for name in names)
    }


def check_losses(model: Algorithm) -> None:
    for name, value in losses(model).items():
        if not math.isfinite(value):
            raise Diverged(f"{name} is {value} at step {model.num_timesteps}")


def check_weights(model: Algorithm) -> None:
    for name, weight in model.policy.state_dict().items():
        if not bool(torch.isfinite(weight).all()):
            raise Diverged(f"the weight {name} is not finite at step {model.num_timesteps}")


class Baseline:
    """A `Trainer` of a model of Stable-Baselines3."""

    def __init__(
        self,
        environment: Environment,
        config: Any,
        seed: np.random.SeedSequence,
        make: Callable[[Any, Vec], Algorithm],
        *,
        actions: str,
    ) -> None:
        threads(config.threads)
        self.spec, self.config, self.actions = environment.spec, config, actions
        # Spawned from a copy: nothing is counted in the caller's sequence.
        own = np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key)
        world, agent = own.spawn(2)
        first, second, third = (int(word) for word in agent.generate_state(3))
        self._numpy: Any = np.random.RandomState(first).get_state()
        self._torch = torch.Generator().manual_seed(second).get_state()
        self.episodes = Recorded(
            config.rows,
            copy.deepcopy(environment),
            seed=world,
            actions=actions,
            scale=self.spec.scale,
        )
        with self._streams():
            self.model = make(config, self.episodes)
        self.model.action_space.seed(third)
        # Without one, each `learn` makes a folder for logs.
        self.model.set_logger(Logger(folder=None, output_formats=[]))
        self.steps = self.updates = 0

    def _count(self) -> None:
        """steps and updates; the library counts epochs of PPO where we count gradient steps."""
        per = 1
        if isinstance(self.model, sb3.PPO):
            per = self.model.n_steps * self.model.n_envs // self.model.batch_size
        self.steps, self.updates = int(self.model.num_timesteps), int(self.model._n_updates) * per

    @contextmanager
    def _streams(self) -> Iterator[None]:
        """The trainer's own states in the place of NumPy's and torch's global ones."""
        outside = np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
        np.random.set_state(self._numpy)  # noqa: NPY002
        torch.set_rng_state(self._torch)
        try:
            yield
        finally:
            self._numpy, self._torch = np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
            np.random.set_state(outside[0])  # noqa: NPY002
            torch.set_rng_state(outside[1])

    def advance(self, steps: int) -> Mapping[str, float]:
        """At least that many environment steps, a multiple of what is played between updates.

        Returns "reward", the mean per step in the market's unit, and the last update's losses.
        """
        steps = whole_number("steps", steps)
        before, watch = self.steps, Watch()
        if self.episodes.origin and len(self.episodes.played) >= FRESH * self.spec.horizon:
            self.model._last_obs = None  # the library then begins new episodes
        with self._streams():
            try:
                self.model.learn(steps, watch, log_interval=None, reset_num_timesteps=False)
            except ValueError:
                # The library's distributions and our spaces refuse numbers that are none.
                check_weights(self.model)
                raise
            finally:
                self._count()
        check_losses(self.model)
        check_weights(self.model)
        mean = watch.earned * self.spec.scale / (self.steps - before)
        return {"reward": mean, **losses(self.model)}

    def policy(self) -> Deterministic:
        """A copy, built anew: what the library's networks have computed last cannot be copied."""
        trained = self.model.policy
        with torch.random.fork_rng(devices=[]):  # first weights are drawn, and overwritten
            network = type(trained)(**trained._get_constructor_parameters())
        network.load_state_dict(trained.state_dict())
        network.set_training_mode(False)
        return Deterministic(network, self.spec, self.actions)

    # Saved runs -----------------------------------------------------------------------------------

    @property
    def _optimisers(self) -> dict[str, Any]:
        model = self.model
        if isinstance(model, sb3.PPO):
            return {"policy": model.policy.optimizer}
        found = {"actor": model.actor.optimizer, "critic": model.critic.optimizer}
        if isinstance(model, sb3.SAC):
            found["temperature"] = model.ent_coef_optimizer
        return found

    @property
    def _tensors(self) -> dict[str, torch.Tensor]:
        """Weights outside the policy."""
        if isinstance(self.model, sb3.SAC):
            assert self.model.log_ent_coef is not None
            return {"log_temperature": self.model.log_ent_coef}
        return {}

    def save(self) -> tuple[Arrays, dict[str, Any]]:
        kind, keys, place, has, cached = self._numpy
        assert kind == "MT19937"
        played = self.episodes.played if self.episodes.origin else []
        arrays: Arrays = {
            "numpy": np.array(keys),
            "played": np.array(played).reshape(-1, self.config.rows),
            "torch": self._torch.numpy().copy(),
            **prefixed("policy", module_arrays(self.model.policy)),
            **prefixed("tensor", {k: t.detach().numpy().copy() for k, t in self._tensors.items()}),
        }
        for name, optimiser in self._optimisers.items():
            arrays |= prefixed(f"adam/{name}", adam_arrays(optimiser))
        numbers: dict[str, Any] = {
            "steps": self.steps,
            "updates": int(self.model._n_updates),
            "episodes": int(self.model._episode_num),
            "numpy": [int(place), int(has), float(cached)],
            "world": self.episodes.rng.bit_generator.state,
            "origin": self.episodes.origin,
            "space": self.model.action_space.np_random.bit_generator.state,
        }
        if not isinstance(self.model, sb3.PPO):
            buffer = self.model.replay_buffer
            filled = buffer.buffer_size if buffer.full else buffer.pos
            stored = {name: getattr(buffer, name)[:filled].copy() for name in BUFFER}
            arrays |= prefixed("replay", stored)
            numbers["replay"] = [int(buffer.pos), bool(buffer.full)]
        return arrays, numbers

    def load(self, arrays: Mapping[str, np.ndarray], numbers: Mapping[str, Any]) -> None:
        memory = not isinstance(self.model, sb3.PPO)
        wanted = {"steps", "updates", "episodes", "numpy", "world", "origin", "space"}
        missing = (wanted | ({"replay"} if memory else set())) - set(numbers)
        needed = {"numpy", "torch", "played", *(f"tensor/{name}" for name in self._tensors)}
        missing |= (needed | ({f"replay/{k}" for k in BUFFER} if memory else set())) - set(arrays)
        if missing:
            raise ValueError(f"no {min(missing)!r} in the saved run: expected what save() gave")
        fits(arrays["numpy"], (624,), "numpy")
        fits(arrays["torch"], tuple(self._torch.shape), "torch")
        fits(arrays["played"], (len(arrays["played"]), self.config.rows), "played")
        for name, tensor in self._tensors.items():
            fits(arrays[f"tensor/{name}"], tuple(tensor.shape), name)
        load_module(self.model.policy, under("policy", arrays), "policy")
        for name, optimiser in self._optimisers.items():
            load_adam(optimiser, under(f"adam/{name}", arrays), f"adam/{name}")
        with torch.no_grad():
            for name, tensor in self._tensors.items():
                tensor.copy_(torch.from_numpy(np.array(arrays[f"tensor/{name}"])))
        if memory:
            buffer = self.model.replay_buffer
            buffer.pos, buffer.full = int(numbers["replay"][0]), bool(numbers["replay"][1])
            filled = buffer.buffer_size if buffer.full else buffer.pos
            for name in BUFFER:
                own, found = getattr(buffer, name), arrays[f"replay/{name}"]
                fits(found, (filled, *own.shape[1:]), f"replay/{name}")
                own[:filled] = found
        place, has, cached = numbers["numpy"]
        self._numpy = ("MT19937", np.array(arrays["numpy"]), int(place), int(has), float(cached))
        self._torch = torch.from_numpy(np.array(arrays["torch"], dtype=np.uint8))
        self.model._last_obs, self.episodes.origin = None, None
        if numbers["origin"]:
            self.episodes.again(numbers["origin"], arrays["played"])
            self.model._last_obs, self.model._last_episode_starts = self.episodes.last
        if self.episodes.rng.bit_generator.state != numbers["world"] and numbers["origin"]:
            raise ValueError("the saved actions lead elsewhere: expected the same environment")
        self.episodes.rng.bit_generator.state = numbers["world"]
        self.model.action_space.np_random.bit_generator.state = numbers["space"]
        self.model.num_timesteps = int(numbers["steps"])
        self.model._n_updates = int(numbers["updates"])
        self.model._episode_num = int(numbers["episodes"])
        self._count()


BUFFER = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
"""The arrays of the library's replay buffer, time first."""


class Deterministic(Policy):
    """A network of the library as a policy: its mode or its mean, without exploration."""

    def __init__(self, network: Any, spec: Spec, actions: str) -> None:
        self.network, self.spec, self.actions = network, spec, actions

    def act(self, observation: Array) -> Array:
        chosen, _ = self.network.predict(np.asarray(observation, np.float32), deterministic=True)
        if not np.isfinite(chosen).all():
            raise Diverged("the policy's actions are not finite")
        return numbers(chosen, self.spec, self.actions)
