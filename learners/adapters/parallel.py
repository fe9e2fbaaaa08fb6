"""The agents of one episode for PettingZoo's parallel interface; a market of one agent has one.

Every agent has the same spaces. An agent whose row has ended leaves `agents`; when the last has,
the episode is over and waits for `reset`. Seeds and options are those of `gym.One`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.utils import seeding
from pettingzoo import ParallelEnv

from learners.adapters.gym import begun
from learners.adapters.spaces import action_space, numbers, observation_space
from learners.environment import Array, Environment


class Parallel(ParallelEnv[str, Array, Any]):
    """actions: "discrete" or "continuous", see `spaces`. measured: the infos of the last step carry
    the environment's measures of the episode, by name, the same for every agent where they are of
    the market."""

    def __init__(
        self, environment: Environment, *, actions: str = "discrete", measured: bool = False
    ) -> None:
        spec = environment.spec
        self.environment, self.actions, self.measured = environment, actions, measured
        self.metadata = {"name": f"{spec.name}_v{spec.version}", "render_modes": []}
        self.render_mode = None
        self.possible_agents = list(spec.agents)
        self.agents: list[str] = []
        # Every agent its own: PettingZoo seeds them apart.
        self.observation_spaces = {agent: observation_space(spec) for agent in spec.agents}
        self.action_spaces = {agent: action_space(spec, actions) for agent in spec.agents}
        self._rng: np.random.Generator | None = None

    def observation_space(self, agent: str) -> Any:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Any:
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, dict[str, Any]]]:
        fresh = seed is not None or self._rng is None
        if self._rng is None or seed is not None:
            self._rng, _ = seeding.np_random(seed)
        seen = self._by_agent(begun(self.environment, self._rng, 1, options, fresh=fresh))
        self.agents = list(self.possible_agents)
        return {agent: of.copy() for agent, of in seen.items()}, {a: {} for a in self.agents}

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Array],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        spec, live = self.environment.spec, self.agents
        unknown = set(live) ^ set(actions)
        if unknown:
            raise ValueError(f"actions of {sorted(actions)}: expected one of each of {live}")
        # Agents that have left stand still, whatever they would do.
        chosen = [
            numbers(np.asarray(actions[agent]), spec, self.actions)
            if agent in actions
            else spec.low
            for agent in self.possible_agents
        ]
        several = len(self.possible_agents) > 1
        step = self.environment.step(np.array([chosen] if several else chosen, dtype=float))
        seen, reward = self._by_agent(step.observation), self._by_agent(step.reward)
        terminated, truncated = self._by_agent(step.terminated), self._by_agent(step.truncated)
        self.agents = [agent for agent in live if not (terminated[agent] or truncated[agent])]
        infos: dict[str, dict[str, Any]] = {agent: {} for agent in live}
        if self.measured and not self.agents:
            for name, of in self.environment.measures().items():
                shared = of.ndim == 1
                for place, agent in enumerate(self.possible_agents):
                    if agent in infos:
                        infos[agent][name] = float(of[0] if shared else of[0, place])
        return (
            {agent: seen[agent].copy() for agent in live},
            {agent: float(reward[agent]) for agent in live},
            {agent: bool(terminated[agent]) for agent in live},
            {agent: bool(truncated[agent]) for agent in live},
            infos,
        )

    def _by_agent(self, rows: Array) -> dict[str, Any]:
        """Of the first and only episode."""
        of = rows[0] if len(self.possible_agents) > 1 else rows
        return dict(zip(self.possible_agents, of, strict=True))
