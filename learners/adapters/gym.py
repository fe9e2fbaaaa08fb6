"""Environments for Gymnasium: one episode, or a batch stepped together.

Seeds. `reset(seed=s)` draws afresh, and all that follows is a function of s and of the actions; row
k of a batch is not the environment that s + k would seed. `reset()` without one goes on with the
same generator. `reset(options={"instances": ...})` begins on given instances, of `draw`.

Ends. A batch restarts rows by itself, as `metadata["autoreset_mode"]` says: by default on the step
that follows an end (NEXT_STEP, Gymnasium's own default), whose action is then ignored, its reward 0
and its observation the first of the new episode, so that where episodes are single steps every
other one is a restart; or at once (SAME_STEP), where the last observation is infos["final_obs"] and
what `measured` tells of the episode is in infos["final_info"].
"""

from __future__ import annotations

import importlib
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from learners.adapters.spaces import action_space, numbers, observation_space
from learners.environment import Array, Environment


class One(gymnasium.Env[Array, Any]):
    """One episode at a time: a batch of one.

    actions: "discrete" or "continuous", see `spaces`. measured: the info of a last step carries the
    environment's measures of the episode, by name.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  (Gymnasium's own declaration)

    def __init__(
        self, environment: Environment, *, actions: str = "discrete", measured: bool = False
    ) -> None:
        alone(environment)
        self.environment, self.actions, self.measured = environment, actions, measured
        self.observation_space = observation_space(environment.spec)
        self.action_space = action_space(environment.spec, actions)
        self._begun = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        fresh = seed is not None or not self._begun
        seen = begun(self.environment, self.np_random, 1, options, fresh=fresh)
        self._begun = True
        return seen[0].copy(), {}

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        step = self.environment.step(
            numbers(np.asarray(action)[None], self.environment.spec, self.actions)
        )
        info = {}
        if self.measured and step.ended[0]:
            info = {name: float(of[0]) for name, of in self.environment.measures().items()}
        return (
            step.observation[0].copy(),
            float(step.reward[0]),
            bool(step.terminated[0]),
            bool(step.truncated[0]),
            info,
        )


class Many(gymnasium.vector.VectorEnv[Array, Any, Array]):
    """num_envs episodes under way. same_step: restart rows at once, see the module; the others as
    for `One`."""

    def __init__(
        self,
        num_envs: int,
        environment: Environment,
        *,
        actions: str = "discrete",
        measured: bool = False,
        same_step: bool = False,
    ) -> None:
        alone(environment)
        self.num_envs, self.environment = num_envs, environment
        self.actions, self.measured = actions, measured
        mode = AutoresetMode.SAME_STEP if same_step else AutoresetMode.NEXT_STEP
        self.metadata = {"autoreset_mode": mode, "render_modes": []}
        self.single_observation_space = observation_space(environment.spec)
        self.single_action_space = action_space(environment.spec, actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._ended = np.zeros(num_envs, dtype=bool)
        self._begun = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        fresh = seed is not None or not self._begun
        seen = begun(self.environment, self.np_random, self.num_envs, options, fresh=fresh)
        self._begun, self._ended = True, np.zeros(self.num_envs, dtype=bool)
        return seen.copy(), {}

    def step(self, actions: Any) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        before = self._ended
        spec, given, chosen = self.environment.spec, np.asarray(actions), np.zeros(self.num_envs)
        chosen[before] = spec.low  # what was given there is not looked at
        chosen[~before] = numbers(given[~before], spec, self.actions)
        step = self.environment.step(chosen)
        # Rows that ended before stood still in this step; in NEXT_STEP it is their restart.
        terminated, truncated = step.terminated & ~before, step.truncated & ~before
        ended = terminated | truncated
        infos: dict[str, Any] = {}
        found = self._measures(ended) if self.measured and ended.any() else {}
        if self.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP:
            restarting, self._ended, infos = before, ended, found
        else:
            restarting = ended
            if ended.any():
                last, kept = np.full(self.num_envs, None, dtype=object), step.observation.copy()
                for row in np.flatnonzero(ended):
                    last[row] = kept[row]
                infos = {"final_obs": last, "_final_obs": ended.copy()}
                infos |= {"final_info": found, "_final_info": ended.copy()}
        seen = step.observation
        if restarting.any():
            seen = self.environment.restart(restarting, self.np_random)
        return seen.copy(), np.array(step.reward, dtype=float), terminated, truncated, infos

    def _measures(self, rows: Array) -> dict[str, Array]:
        """By name, 0 in other rows; each with its mask, as Gymnasium keeps infos of batches."""
        infos = {}
        for name, of in self.environment.measures().items():
            infos[name], infos[f"_{name}"] = np.where(rows, of, 0.0), rows.copy()
        return infos


def one(*, make: str, render_mode: None = None, **options: Any) -> One:
    """make: "module:function" of environments, which takes the options that `One` does not."""
    dress, market = split(options, ("actions", "measured"))
    return One(made(make, market), **dress)


def many(num_envs: int, *, make: str, render_mode: None = None, **options: Any) -> Many:
    """The same of a batch, see `Many`."""
    dress, market = split(options, ("actions", "measured", "same_step"))
    return Many(num_envs, made(make, market), **dress)


def made(make: str, options: dict[str, Any]) -> Environment:
    module, function = make.split(":")
    environment: Environment = getattr(importlib.import_module(module), function)(**options)
    return environment


def split(options: dict[str, Any], names: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of those names, and the others."""
    ours = {name: value for name, value in options.items() if name in names}
    return ours, {name: value for name, value in options.items() if name not in ours}


def begun(
    environment: Environment,
    rng: np.random.Generator,
    batch: int,
    options: dict[str, Any] | None,
    *,
    fresh: bool,
) -> Array:
    """First observations. Unless fresh, episodes restart where the environment keeps a pool."""
    if options and "instances" in options:
        seen = environment.start(options["instances"])
        if len(seen) != batch:
            raise ValueError(f"{len(seen)} instances: expected {batch}, one for each episode")
        return seen
    if fresh:
        return environment.reset(rng, batch)
    return environment.restart(np.ones(batch, dtype=bool), rng)


def alone(environment: Environment) -> None:
    agents = environment.spec.agents
    if len(agents) != 1:
        raise ValueError(
            f"{environment.spec.name} has {len(agents)} agents: expected 1; "
            "use learners.adapters.parallel"
        )
