"""A batch of episodes as Stable-Baselines3 wants it: its `VecEnv`, which restarts rows at once.

The last observation of a row that ended is infos[row]["terminal_observation"], and
infos[row]["TimeLimit.truncated"] says whether it was cut off, so that learners bootstrap there.
Dictionaries are the slow part of a step, so that only rows that ended get entries.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from learners.adapters.gym import alone
from learners.adapters.spaces import action_space, numbers, observation_space
from learners.environment import Array, Environment


class Vec(VecEnv):
    """num_envs episodes under way.

    actions: "discrete" or "continuous", see `spaces`. seed: of all episodes; `seed(s)` followed by
    `reset()` begins as a new `Vec` of that seed does, where s is all that counts and not the number
    of the row. scale: rewards are divided by it.
    """

    def __init__(
        self,
        num_envs: int,
        environment: Environment,
        *,
        seed: int | np.random.SeedSequence | None = None,
        actions: str = "discrete",
        scale: float = 1.0,
    ) -> None:
        alone(environment)
        self.environment, self.actions, self.scale = environment, actions, scale
        self.rng = np.random.default_rng(seed)
        self._chosen = np.zeros(num_envs)
        self.render_mode = None
        super().__init__(
            num_envs, observation_space(environment.spec), action_space(environment.spec, actions)
        )

    def reset(self) -> Array:
        if self._seeds[0] is not None:
            self.rng = np.random.default_rng(self._seeds[0])
        self._reset_seeds()
        self._reset_options()
        return self.environment.reset(self.rng, self.num_envs).copy()

    def step_async(self, actions: Array) -> None:
        self._chosen = numbers(actions, self.environment.spec, self.actions)

    def step_wait(self) -> tuple[Array, Array, Array, list[dict[str, Any]]]:
        step = self.environment.step(self._chosen)
        ended = step.ended
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        seen = step.observation
        if ended.any():
            last = seen.copy()
            cut = (step.truncated & ~step.terminated).tolist()
            for row in np.flatnonzero(ended).tolist():
                infos[row] = {"terminal_observation": last[row], "TimeLimit.truncated": cut[row]}
            seen = self.environment.restart(ended, self.rng)
        # Stable-Baselines3 adds to rewards in place.
        return seen.copy(), np.asarray(step.reward / self.scale, dtype=np.float32), ended, infos

    def close(self) -> None:
        pass

    # All rows are one environment, so that attributes and methods are the same of every row.

    def _rows(self, indices: int | Iterable[int] | None) -> list[int]:
        return list(self._get_indices(indices))

    def get_attr(self, attr_name: str, indices: int | Iterable[int] | None = None) -> list[Any]:
        of = self if hasattr(self, attr_name) else self.environment
        return [getattr(of, attr_name) for _ in self._rows(indices)]

    def set_attr(
        self, attr_name: str, value: Any, indices: int | Iterable[int] | None = None
    ) -> None:
        if len(self._rows(indices)) != self.num_envs:
            raise ValueError(f"set_attr({attr_name!r}) of some rows: expected all, they are one")
        setattr(self.environment, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *arguments: Any,
        indices: int | Iterable[int] | None = None,
        **options: Any,
    ) -> list[Any]:
        found = getattr(self.environment, method_name)(*arguments, **options)
        return [found for _ in self._rows(indices)]

    def env_is_wrapped(
        self,
        wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]],
        indices: int | Iterable[int] | None = None,
    ) -> list[bool]:
        return [False for _ in self._rows(indices)]
