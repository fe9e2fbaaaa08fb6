"""What learners from offline data share: where the data come from, when they learn, what is saved.

**Budget.** `advance(steps)` first plays whole episodes of `trajectories.Behaviours` until that many
steps are added to the data, then makes updates until there is one for every `Config.every` steps of
data. Training itself takes no steps, so that curves against steps, updates and seconds all rise.
The data never depend on what was learnt from them: a run in ten pieces sees the same kind of data
as a run in one, but later updates see more of them.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from learners import trajectories
from learners.environment import Environment
from learners.fields import whole_number
from learners.learner import Diverged
from learners.networks import (
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

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

Network = TypeVar("Network", bound="nn.Module")


class Offline(ABC, Generic[Network]):
    """A network trained on the data. A subclass says how (`loss`) and what for (`policy`).

    config: has `every`, `rate`, `warmup`, `clip`, `average` and `threads` (see the learners' own).
    build: the network, with first weights from the generator given. mean: the same, of averaged
    weights; it is what acts. data: all episodes so far. units: of the first `measured` of them;
    measured again when there are twice as many.
    """

    def __init__(
        self,
        environment: Environment,
        config: Any,
        seed: np.random.SeedSequence,
        build: Callable[[Generator], Network],
    ) -> None:
        threads(config.threads)
        self.environment, self.config = environment, config
        self.steps = self.updates = self.measured = 0
        # Words of the seed, and not its children: what it has spawned before has no effect.
        playing, sampling, weights, validating = (int(word) for word in seed.generate_state(4))
        self.playing = np.random.default_rng(playing)
        self.sampling = np.random.default_rng(sampling)
        self.validating = validating
        self.network = build(generator(weights))
        self.mean = copy.deepcopy(self.network)
        self.optimiser = adam(self.network.parameters(), config.rate)
        self.data = trajectories.empty(environment.spec)

    def prepare(self) -> None:
        """Called when the data have changed, before updates."""

    @abstractmethod
    def loss(self) -> Tensor:
        """Of a minibatch drawn from the data by `sampling`."""

    def advance(self, steps: int) -> Mapping[str, float]:
        steps = whole_number("steps", steps)
        self.data = trajectories.grown(self.data, self.environment, steps, self.playing)
        self.steps = self.data.steps
        if len(self.data) >= 2 * self.measured:
            self.measured = len(self.data)
            self.units = trajectories.units(self.data)
        self.prepare()
        losses = []
        while self.updates < self.steps // self.config.every:
            losses.append(self.update())
        numbers = {"episodes": len(self.data), "data_return": float(self.data.returns.mean())}
        return numbers | ({"loss": float(np.mean(losses))} if losses else {})

    def update(self) -> float:
        """One gradient step; nothing is changed where the loss or a gradient is not finite."""
        from torch.nn.utils import clip_grad_norm_

        loss = self.loss()
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.rate * min(1, (self.updates + 1) / self.config.warmup)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(clip_grad_norm_(self.network.parameters(), self.config.clip))
        if not np.isfinite([loss.item(), norm]).all():
            raise Diverged(
                f"loss {loss.item()}, gradient {norm} at update {self.updates}, step {self.steps}"
            )
        self.optimiser.step()
        self.updates += 1
        # The plain mean of all weights so far, until that is longer than the average asked for.
        follow(self.mean, self.network, max(self.config.average, 1 / self.updates))
        return loss.item()

    def trained(self) -> Network:
        """A copy of the averaged network as it is now; ValueError before the first `advance`."""
        if self.measured == 0:
            raise ValueError("nothing learnt yet: call advance(steps) first")
        return copy.deepcopy(self.mean).eval()

    def save(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays = {
            **prefixed("network", module_arrays(self.network)),
            **prefixed("mean", module_arrays(self.mean)),
            **prefixed("adam", adam_arrays(self.optimiser)),
            **prefixed("data", trajectories.arrays(self.data)),
        }
        return arrays, {
            "updates": self.updates,
            "measured": self.measured,
            "validating": self.validating,
            "playing": self.playing.bit_generator.state,
            "sampling": self.sampling.bit_generator.state,
        }

    def load(self, arrays: Mapping[str, np.ndarray], numbers: Mapping[str, Any]) -> None:
        missing = {"updates", "measured", "validating", "playing", "sampling"} - set(numbers)
        if missing:
            raise ValueError(f"numbers without {sorted(missing)[0]!r}: saved by another learner?")
        data = trajectories.from_arrays(under("data", arrays), self.environment.spec)
        if not 0 <= numbers["measured"] <= len(data):
            raise ValueError(f"measured = {numbers['measured']}: there are {len(data)} episodes")
        load_module(self.network, under("network", arrays), "network")
        load_module(self.mean, under("mean", arrays), "mean")
        load_adam(self.optimiser, under("adam", arrays), "adam")
        self.data, self.steps = data, data.steps
        self.updates, self.measured = int(numbers["updates"]), int(numbers["measured"])
        self.validating = int(numbers["validating"])
        self.playing.bit_generator.state = numbers["playing"]
        self.sampling.bit_generator.state = numbers["sampling"]
        if self.measured:
            self.units = trajectories.units(data.select(slice(self.measured)))
        self.prepare()
