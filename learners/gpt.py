"""The GPT auctioneer: a causal transformer that is told which return to reach.

madda, section V and Algorithm 2, after Chen et al. 2021, "Decision Transformer". Offline episodes
(`trajectories`) are read as sequences of three tokens a step,

    (R_1, s_1, a_1, R_2, s_2, a_2, …),      R_t = Σ_{t' ≥ t} r_t' the return-to-go (eq. 18).

Each is embedded linearly, the embedding of the step's number is added (the same for its three
tokens), and layer normalisation follows. Blocks of causal self-attention and a perceptron (Radford
et al. 2019: layer normalisation before each) turn the last K steps into hidden states; from that
of the *state* token s_t a linear layer gives logits over `Spec.levels`, trained by cross-entropy to
predict a_t. To act, R_1 is set to a target return, each reward is subtracted from it, and the
most likely level is played.

Where this departs from the page that it follows:

- Algorithm 2 (lines 11 and 26) reads the action from the *action* token. That token embeds a_t, so
  training would copy the label and nothing would be learnt of acting; the section's text and Chen
  et al. read it from the state token, as is done here. There is no option for the other.
- Line 13 takes the mean squared error; levels are finitely many, so cross-entropy, as in the text.
- Line 16 sets the target return to 1. Rewards of eq. 17 are at most 0 and have a unit: a target is
  swept over quantiles of the data's returns and beyond the best, and the one of the largest mean
  return on validation instances is deployed. Those are drawn from a seed of the learner's own.
- No dropout: the data grow with the updates, so that there is little to learn by heart.

What conditioning cannot do: where returns depend on the instance more than on the actions, a high
target selects lucky instances rather than good actions (Paster et al. 2022, "You can't count on
luck"). It is behaviour cloning with a choice among behaviours; what none of them did in the like of
a state, it will not do.

Choosing the target takes episodes of its own in `policy()`. They teach the network nothing and are
no part of the budget (`offline`), nor of the seconds of training. They are counted apart, in
`selection_steps`, which every table of results shows: where episodes are short there are more of
them than a small budget has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from learners import trajectories
from learners.environment import Array, Environment, Spec
from learners.evaluate import play
from learners.fields import positive, whole
from learners.learner import Diverged, Learner
from learners.offline import Offline
from learners.trajectories import Trajectories, Units

QUANTILES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0)
BEYOND = (0.25, 0.5, 1.0)
"""Target returns: quantiles of the data's, and the best plus these shares of (best − median)."""
FEWEST = 16
"""Instances on which a target is chosen, however long their episodes."""
CHUNK = 64
"""Windows that act in one pass, always so many: what the network answers, to the last bit, then
does not depend on how many others are asked about; and what their tokens take fits the cache."""
REMEMBERED = 1 << 16
"""Windows whose answers are kept, about."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The defaults are those of a small search on a clock auction of 20 × 20.

    context: K, the steps that the transformer looks back, the present one included.
    width, layers, heads: of the transformer; heads divide the width.
    batch: windows of K steps in an update.
    openings: the share of them that are an episode's first steps. Later on a behaviour gives itself
        away by what it did, and the return asked for matters where nothing has been done yet.
    every: steps of data for one update.
    rate: of Adam, reached linearly in `warmup` updates. clip: the gradient's largest norm.
    average: share of the newest weights in those that act: where levels are nearly equally likely,
        one minibatch would decide.
    validation: the most steps that a candidate for the target return takes on the instances on
        which it is chosen: as many episodes of the longest kind, and at least `FEWEST`.
    threads: of torch; one leaves the other cores to other seeds.
    """

    context: int = 4
    width: int = 32
    layers: int = 2
    heads: int = 2
    batch: int = 64
    openings: float = 0.5
    every: int = 50
    rate: float = 3e-3
    warmup: int = 100
    clip: float = 1.0
    average: float = 0.01
    validation: int = 6400
    threads: int = 1

    def __post_init__(self) -> None:
        whole(self, "context", "width", "layers", "heads", "batch", "every", "warmup")
        whole(self, "validation", "threads")
        positive(self, "rate", "clip")
        positive(self, "average", "openings", most=1)
        if self.width % self.heads:
            raise ValueError(f"heads = {self.heads}: expected a divisor of width = {self.width}")


# The network -------------------------------------------------------------------------------------


class Block(nn.Module):
    """x + attention(norm(x)), then x + perceptron(norm(x))."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.norm_after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.mix = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor, wanted: slice) -> Tensor:
        """(batch, tokens, width) -> the hidden states of the wanted tokens, each having looked at
        itself and at those before it."""
        position = torch.arange(tokens.shape[1])
        earlier = position <= position[wanted, None]
        normal = self.norm(tokens)

        def split(x: Tensor) -> Tensor:
            return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        key, value = self.key_value(normal).chunk(2, dim=-1)
        query = self.query(normal[:, wanted])
        mixed = functional.scaled_dot_product_attention(
            split(query), split(key), split(value), attn_mask=earlier
        )
        tokens = tokens[:, wanted] + self.mix(mixed.transpose(1, 2).flatten(2))
        return tokens + self.down(functional.gelu(self.up(self.norm_after(tokens))))


class Transformer(nn.Module):
    """Windows of steps -> logits over the levels, from the state tokens."""

    def __init__(self, spec: Spec, config: Config, draw: torch.Generator) -> None:
        with torch.device("meta"):  # without torch's own first weights, of its global generator
            super().__init__()
            self.embed_return = nn.Linear(1, config.width)
            self.embed_state = nn.Linear(spec.observation, config.width)
            self.embed_action = nn.Embedding(len(spec.levels), config.width)
            self.embed_time = nn.Embedding(spec.horizon, config.width)
            self.norm, self.norm_after = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
            blocks = [Block(config.width, config.heads) for _ in range(config.layers)]
            self.blocks = nn.ModuleList(blocks)
            self.head = nn.Linear(config.width, len(spec.levels))
        self.to_empty(device="cpu")
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, nn.LayerNorm):
                    module.reset_parameters()
                elif isinstance(module, nn.Linear | nn.Embedding):
                    module.weight.normal_(0, 0.02, generator=draw)
                    if isinstance(module, nn.Linear):
                        module.bias.zero_()

    def forward(
        self,
        returns: Tensor,
        states: Tensor,
        actions: Tensor,
        times: Tensor,
        last: bool = False,
    ) -> Tensor:
        """Logits (batch, steps, levels), or with `last` of the last step only, (batch, 1, levels).

        returns (batch, steps), states (batch, steps, size), actions (batch, steps) of indices,
        times (batch, steps): the steps' numbers, from 0. What stands after a step, its own action
        included, has no effect on its logits; so windows are padded at their end. The last action
        is not even looked at.
        """
        three = (self.embed_return(returns[..., None]), self.embed_state(states))
        tokens = torch.stack([*three, self.embed_action(actions)], dim=2)
        tokens = (tokens + self.embed_time(times)[:, :, None]).flatten(1, 2)[:, :-1]
        hidden = self.norm(tokens)
        for block in self.blocks[:-1]:
            hidden = block(hidden, slice(None))
        hidden = self.blocks[-1](hidden, slice(-1, None) if last else slice(1, None, 3))
        return self.head(self.norm_after(hidden))


# Acting ------------------------------------------------------------------------------------------


@dataclass
class Prompted:
    """The network told to reach a return, on any number of episodes at once.

    All episodes of a batch are at the same step, so that the window is equally long for all; rows
    that have ended are carried along, and the network is not asked about them. Of equal windows it
    is asked once, and what it answered is remembered: episodes that differ in one report are equal
    up to the step at which that report first matters. Keys and values of earlier steps are not
    kept: what a token is in the second layer depends on where its window begins.
    """

    network: Transformer
    spec: Spec
    context: int
    units: Units
    target: float
    time: int = 0
    window: list[tuple[Array, Array, Array]] = field(default_factory=list)
    """Of the last steps: return-to-go (batch,), state (batch, size), action (batch,)."""
    known: dict[bytes, int] = field(default_factory=dict)
    """Windows, as the network is given them, and what it answered."""

    def begin(self, batch: int, rng: np.random.Generator) -> None:
        self.time, self.window = 0, []
        self.left = np.full(batch, float(self.target))
        self.running = np.ones(batch, dtype=bool)

    def act(self, observation: Array) -> Array:
        unknown = np.zeros(len(observation), dtype=np.int64)
        now = (self.units.returns(self.left), self.units.states(observation), unknown)
        window = [*self.window, now][-self.context :]
        running = np.flatnonzero(self.running)
        returns, states, actions = (
            np.stack([part[running] for part in parts], axis=1)
            for parts in zip(*window, strict=True)
        )
        chosen = unknown.copy()
        chosen[running] = self._answers(returns, states, actions)
        self.window = [*window[:-1], (*now[:2], chosen)]
        return np.asarray(self.spec.levels, dtype=float)[chosen]

    def observe(self, reward: Array, ended: Array) -> None:
        self.left = self.left - reward
        self.running = self.running & ~ended
        self.time += 1

    def _answers(self, returns: Array, states: Array, actions: Array) -> Array:
        """The most likely level after each window, (windows,) of indices; shapes as the network
        has them."""
        steps, last = returns.shape[1], min(self.time, self.spec.horizon - 1)
        times = np.arange(self.time + 1 - steps, self.time + 1).clip(max=last)
        given = np.concatenate([returns[..., None], states, actions[..., None]], axis=-1)
        when = np.int64(self.time).tobytes()
        keys = [when + row.tobytes() for row in given.astype(np.float32)]
        if len(self.known) > REMEMBERED:
            self.known.clear()
        fresh = {key: row for row, key in enumerate(keys) if key not in self.known}
        names, rows = list(fresh), np.fromiter(fresh.values(), dtype=int)
        for start in range(0, len(rows), CHUNK):
            some = rows[start : start + CHUNK]
            asked = np.resize(some, CHUNK)
            with torch.inference_mode():
                logits = self.network(
                    torch.from_numpy(returns[asked]),
                    torch.from_numpy(states[asked]),
                    torch.from_numpy(actions[asked]),
                    torch.from_numpy(times).expand(CHUNK, -1),
                    last=True,
                )[: len(some), 0].numpy()
            if not np.isfinite(logits).all():
                raise Diverged(f"logits are not finite at step {self.time} of an episode")
            chosen = logits.argmax(axis=1).tolist()
            self.known.update(zip(names[start : start + CHUNK], chosen, strict=True))
        return np.array([self.known[key] for key in keys], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Sweep:
    """Candidates for the target return, and the mean return that each earned on the validation
    instances; steps: how many were played."""

    targets: Array
    earned: Array
    steps: int

    @property
    def best(self) -> float:
        """The first of the largest, which is the most modest of equals."""
        return float(self.targets[np.argmax(self.earned)])


# Training ----------------------------------------------------------------------------------------


class Trainer(Offline[Transformer]):
    """context: K, or the horizon where that is shorter. sweep: of the last `policy`; sweep_steps:
    those of all sweeps so far, of checkpoints that only draw the learning curve, too."""

    def __init__(
        self, environment: Environment, config: Config, seed: np.random.SeedSequence
    ) -> None:
        spec = environment.spec
        self.context = min(config.context, spec.horizon)
        super().__init__(environment, config, seed, lambda draw: Transformer(spec, config, draw))
        self.sweep: Sweep | None = None
        self.sweep_steps = 0

    def prepare(self) -> None:
        # How many windows there are up to the end of each episode.
        self.ends = np.cumsum(self.data.lengths + self.context - 1)
        self.sweep = None

    def loss(self) -> Tensor:
        given, taken, inside = windows(
            self.data,
            drawn(self.ends, self.context, self.config, self.sampling),
            self.context,
            self.units,
        )
        return functional.cross_entropy(self.network(*given)[inside], taken[inside])

    @property
    def selection_steps(self) -> int:
        """Played to choose the target of the last `policy`."""
        return 0 if self.sweep is None else self.sweep.steps

    def prompted(self, target: float) -> Prompted:
        """The network as it is now, told to reach that return."""
        return Prompted(self.trained(), self.environment.spec, self.context, self.units, target)

    def policy(self) -> Prompted:
        """With the target that earns most on the validation instances, which are always the same.

        Plays them in the trainer's environment, whose episodes under way are lost.
        """
        self.trained()
        if self.sweep is None:
            self.sweep = self.swept(targets(self.data))
            self.sweep_steps += self.sweep.steps
        return self.prompted(self.sweep.best)

    def swept(self, candidates: Array) -> Sweep:
        """Each candidate on the same instances."""
        rng = np.random.default_rng(self.validating)
        episodes = max(self.config.validation // self.environment.spec.horizon, FEWEST)
        instances = self.environment.draw(rng, episodes)
        played = [
            play(self.prompted(target), self.environment, instances, rng) for target in candidates
        ]
        earned = np.array([returns.mean() for returns, _ in played])
        return Sweep(candidates, earned, int(sum(steps.sum() for _, steps in played)))

    def save(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays, numbers = super().save()
        found = self.sweep
        swept = found and [found.targets.tolist(), found.earned.tolist(), found.steps]
        return arrays, numbers | {"sweep": swept, "sweep_steps": self.sweep_steps}

    def load(self, arrays: Mapping[str, np.ndarray], numbers: Mapping[str, Any]) -> None:
        if not {"sweep", "sweep_steps"} <= set(numbers):
            raise ValueError("numbers without 'sweep': saved by another learner?")
        super().load(arrays, numbers)
        self.sweep_steps = int(numbers["sweep_steps"])
        if numbers["sweep"] is not None:
            candidates, earned, steps = numbers["sweep"]
            self.sweep = Sweep(np.array(candidates), np.array(earned), int(steps))


def drawn(
    ends: Array, context: int, config: Config, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Random windows: of which episode, and which of its windows, (batch,) each.

    An episode of T steps has T + K − 1 windows, those that overlap it, so that every step of every
    episode is seen equally often, the first and the last included, and the first as it is when
    acting: with nothing before it. Of all windows any is as likely as any other, but for `openings`
    those of the first K steps of an episode: more of the first steps of all episodes alike, so that
    what is most likely in a state, given the return and the step's number, is what it was.
    """
    some = rng.integers(ends[-1], size=config.batch)
    rows = np.searchsorted(ends, some, side="right")
    which = some - np.concatenate([[0], ends])[rows]
    first = np.arange(config.batch) < round(config.openings * config.batch)
    any_row = rng.integers(len(ends), size=config.batch)
    return np.where(first, any_row, rows), np.where(first, context - 1, which)


def windows(
    data: Trajectories, picked: tuple[Array, Array], context: int, units: Units
) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor], Tensor, Tensor]:
    """Windows of up to `context` steps: (what the network is given), actions, inside.

    picked: episodes and the number of each one's last step in the window, 0 to T + K − 2, where
    those from T on are padding. All are (batch, context, ...), padded at the end; inside: where
    there was a step.
    """
    rows, last = picked
    length = data.lengths[rows]
    first = np.maximum(last - context + 1, 0)
    times = first[:, None] + np.arange(context)
    inside = times <= np.minimum(last, length - 1)[:, None]
    at = (rows[:, None], np.where(inside, times, 0))
    later = trajectories.to_go(data.rewards[rows])
    returns = units.returns(np.take_along_axis(later, at[1], axis=1))
    taken = torch.from_numpy(data.actions[at].astype(np.int64))
    given = (
        torch.from_numpy(returns),
        torch.from_numpy(units.states(data.observations[at])),
        taken,
        torch.from_numpy(at[1]),
    )
    return given, taken, torch.from_numpy(inside)


def targets(data: Trajectories) -> Array:
    """Candidates for the target return, rising, without duplicates."""
    low = np.quantile(data.returns, QUANTILES)
    beyond = low[-1] + np.array(BEYOND) * (low[-1] - low[0])
    return np.unique(np.concatenate([low, beyond]))


LEARNER = Learner("gpt", "a transformer told the return to reach (madda)", Config, Trainer)
