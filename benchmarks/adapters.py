"""What the adapters cost: steps per second of the batched cores and of what learners see of them.

The usual way is a loop over single Gymnasium environments, here 16 of them behind
Stable-Baselines3's `DummyVecEnv`. Beside it the same market as a batch of 1,024: the core itself,
Gymnasium's `VectorEnv` and Stable-Baselines3's `VecEnv` over it. Steps are those of
`benchmarks.learners`, random levels and new episodes where they have ended.

Training: PPO of Stable-Baselines3 as the library has it by default, over the loop, and as
`learners.baselines` has it over the batch; updates are gradient steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.learners import fresh, rate, stepping
from mechkit.environments import environment

BATCH, LOOP = 1024, 16
OPTIONS: dict[str, dict[str, Any]] = {"dmsb": {}, "madda": {"pool": 64}}
"""A pool of its own for each of the 16: a smaller one, which is drawn sooner."""


def looped(name: str) -> Any:
    from stable_baselines3.common.vec_env import DummyVecEnv

    from learners.adapters.gym import One

    env = DummyVecEnv([lambda: One(environment(name, **OPTIONS[name])) for _ in range(LOOP)])
    env.seed(0)
    return env


def core(name: str) -> Callable[[], Any]:
    return stepping(fresh(name, BATCH, **OPTIONS[name]), BATCH)


def chosen(env: Any, batch: int, levels: int) -> Callable[[], Any]:
    """One step of an adapter under random levels."""
    env.reset()
    actions = np.random.default_rng(1).integers(levels, size=(64, batch))
    turn = iter(range(10**9))
    return lambda: env.step(actions[next(turn) % 64])


def gymnasium(name: str) -> Callable[[], Any]:
    from learners.adapters.gym import Many

    env = environment(name, **OPTIONS[name])
    return chosen(Many(BATCH, env, same_step=True), BATCH, len(env.spec.levels))


def stable(name: str) -> Callable[[], Any]:
    from learners.adapters.vec import Vec

    env = environment(name, **OPTIONS[name])
    return chosen(Vec(BATCH, env, seed=0), BATCH, len(env.spec.levels))


def loop(name: str) -> Callable[[], Any]:
    env = looped(name)
    return chosen(env, LOOP, env.action_space.n)


CASES: dict[str, tuple[int, Callable[[str], Callable[[], Any]]]] = {
    "16 environments, DummyVecEnv": (LOOP, loop),
    "batch, core": (BATCH, core),
    "batch, Gymnasium": (BATCH, gymnasium),
    "batch, Stable-Baselines3": (BATCH, stable),
}


def usual(name: str) -> Callable[[int], tuple[int, int]]:
    """PPO with the library's own numbers; steps -> steps and gradient steps that were done."""
    from stable_baselines3 import PPO

    model = PPO("MlpPolicy", looped(name), seed=0, device="cpu")

    def train(steps: int) -> tuple[int, int]:
        before, epochs = model.num_timesteps, model._n_updates
        model.learn(steps, log_interval=None, reset_num_timesteps=False)
        per = model.n_steps * LOOP // model.batch_size
        return model.num_timesteps - before, (model._n_updates - epochs) * per

    return train


def batched(name: str) -> Callable[[int], tuple[int, int]]:
    from learners.learner import learner

    found = learner("ppo")
    env = environment(name, **OPTIONS[name])
    trainer = found.start(env, found.config(), np.random.SeedSequence(0))

    def train(steps: int) -> tuple[int, int]:
        before, updates = trainer.steps, trainer.updates
        trainer.advance(steps)
        return trainer.steps - before, trainer.updates - updates

    return train


TRAINED = {"PPO as by default, 16 environments": usual, "PPO of baselines, batch": batched}


def measure(share: float) -> dict[str, list[dict[str, Any]]]:
    """share: of the full time, half a second for a rate, some seconds for a training."""
    from learners.networks import threads

    threads(1)
    steps = [
        {"environment": name, "case": case, "rate": rate(make(name), batch, share / 2)}
        for name in OPTIONS
        for case, (batch, make) in CASES.items()
    ]
    trained = []
    for name in OPTIONS:
        for case, start in TRAINED.items():
            train = start(name)
            # The library's default plays 2,048 steps of each environment between updates.
            began = time.perf_counter()
            done, updates = train(2048 * LOOP if start is usual else max(4096, int(65536 * share)))
            taken = time.perf_counter() - began
            trained.append(
                {
                    "environment": name,
                    "case": case,
                    "rate": done / taken,
                    "updates": updates / taken,
                }
            )
    return {"steps": steps, "training": trained}


def tables(found: dict[str, list[dict[str, Any]]]) -> list[Table]:
    stepped = Table("environment", "as", "steps/s", "of 16 environments", title="Adapters")
    for row in found["steps"]:
        loops = next(r for r in found["steps"] if r["environment"] == row["environment"])
        stepped.add_row(
            row["environment"],
            row["case"],
            f"{row['rate']:,.0f}",
            f"{row['rate'] / loops['rate']:.1f} ×",
        )
    trained = Table("environment", "learner", "steps/s", "updates/s", title="Training, one thread")
    for row in found["training"]:
        trained.add_row(
            row["environment"], row["case"], f"{row['rate']:,.0f}", f"{row['updates']:,.0f}"
        )
    return [stepped, trained]
