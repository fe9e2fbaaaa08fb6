"""A learned policy is a mechanism, too: from reports to what it sees, what it does, who gets what.

    dmsb     bids → (log bids, log latencies) → exponent e, ρ = 10^e → the modified second bid
    madda    values and costs → the clocks under the policy, step by step → who trades, p*

The rules are the paper's; only the number that they leave to an auctioneer comes from the policy.
So a policy that reads bids can break what a constant keeps: where the own bid moves ρ, the own
price moves with the own bid (Myerson 1981), and `verify` finds how much a lie gains.

A policy is a network or a table and runs on floats: evidence is float64, never exact. It is asked
about blocks of rows of one size, since what a network answers may depend, in its last bits, on how
many rows it is asked about. A policy that draws lots is asked with lots drawn once, for everybody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from learners import runs, saved
from learners.environment import Array, Environment
from learners.learner import Policy, learner
from learners.saved import Run
from mechkit import environments, witness
from mechkit.audit.curve import curve
from mechkit.book import Sides, market
from mechkit.constructors import double_auction, single_item
from mechkit.errors import InputError, require
from mechkit.mechanism import Mechanism
from mechkit.report import evidence
from mechkit.settings import Public
from mechkit.sides import side
from mechkit.spaces import box
from mechkit.story import tell
from mechkit.verdict import Status, Verdict
from mechkit.verify import verify

ROWS = 256
"""Reports that a policy is asked about at once."""
DRAWS = 4096
"""Instances whose least and largest bids bound the type space."""


@dataclass(frozen=True)
class Asked:
    """A property, and the role that acts; the whole mechanism where there is none."""

    property: str
    role: str | None = None

    def __str__(self) -> str:
        return self.property if self.role is None else f"{self.property}/{self.role}"


@dataclass(frozen=True)
class Found:
    """What was found of one property. regret: the largest gain of a lie that the search saw (the
    largest violation of other properties), 0 where it saw none. story: of the witness."""

    asked: str
    status: str
    arithmetic: str | None
    regret: float
    evidence: str
    story: tuple[str, ...]
    witness: Mapping[str, Any] | None
    curve: Mapping[str, Any] | None


@dataclass(frozen=True)
class Audited:
    """A run's policy as a mechanism. title: what was audited."""

    title: str
    learner: str
    seed: int
    environment: Mapping[str, Any]
    found: tuple[Found, ...]

    @property
    def lines(self) -> list[str]:
        """One line for each property."""
        told = []
        for one in self.found:
            how = f" ({one.arithmetic})" if one.arithmetic else ""
            size = f", regret at least {one.regret:.4g}" if one.status == Status.REFUTED else ""
            told.append(f"{one.asked}: {one.status}{how}{size}; {one.evidence}")
        return told

    @property
    def curves(self) -> list[Mapping[str, Any]]:
        """Utility against report, where incentives were asked about."""
        return [one.curve for one in self.found if one.curve is not None]

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "learner": self.learner,
            "seed": self.seed,
            "environment": dict(self.environment),
            "properties": {
                one.asked: {
                    "status": one.status,
                    "arithmetic": one.arithmetic,
                    "regret": one.regret,
                    "evidence": one.evidence,
                    "story": list(one.story),
                    "witness": one.witness,
                    "curve": one.curve,
                }
                for one in self.found
            },
        }


def load(folder: Path | str) -> Mechanism:
    """The mechanism of a saved run's policy: `mk.verify(learned.load("runs/ppo/seed-0"))`.

    Raises InputError where there is no such run, or its environment is not the present one.
    """
    return _of(saved.read(Path(folder)))


def audit(run: Run, *, seed: int = 0, evaluations: int = 20_000) -> Audited:
    """Puts a run's policy to the properties that its mechanism is to have, by search."""
    about = run.about
    whole = _of(run)
    found = tuple(
        _asked(whole, asked, seed, evaluations)
        for asked in PROPERTIES[about["environment"]["name"]]
    )
    return Audited(
        title=f"{about['name']}, seed {about['seed']}, as a mechanism: {whole.setting.name}",
        learner=about["name"],
        seed=about["seed"],
        environment=about["environment"],
        found=found,
    )


def _of(run: Run) -> Mechanism:
    made = run.about.get("made") or {}
    require(
        "name" in made,
        f"{run.folder}: does not say how its environment is made; train it with `mechkit learn`",
    )
    options = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in made["options"].items()
    }
    make = partial(environments.environment, made["name"], **options)
    try:
        policy = runs.trained_policy(run, learner(run.about["name"]), make)
    except ValueError as error:
        raise InputError(str(error)) from None
    name = f"{made['name']} by {run.about['name']}, seed {run.about['seed']}"
    return mechanism(policy, make(), name=name)


def mechanism(policy: Policy, environment: Environment, *, name: str = "learned") -> Mechanism:
    """The paper's auction with the policy as its auctioneer.

    Raises InputError for an environment without one, and for a policy that draws lots.
    """
    known = environment.spec.name
    require(
        known in MECHANISMS,
        f"{known}: no mechanism is known of it; there are {', '.join(MECHANISMS)}",
    )
    return MECHANISMS[known](settled(policy, environment), environment, name)


def _asked(whole: Mechanism, asked: Asked, seed: int, evaluations: int) -> Found:
    one = whole if asked.role is None else side(whole, asked.role)
    report = verify(one, asked.property, seed=seed, evaluations=evaluations, workers=1)
    verdict: Verdict = report[asked.property]
    counterexample, smallest = verdict.counterexample, verdict.effort.smallest
    seen = [0.0 if smallest is None else -smallest]
    seen += [] if counterexample is None else [float(counterexample.gain)]
    curved = asked.property == "ic" and verdict.status in (Status.REFUTED, Status.UNREFUTED)
    return Found(
        asked=str(asked),
        status=str(verdict.status),
        arithmetic=None if counterexample is None else counterexample.arithmetic,
        regret=max(0.0, *seen),
        evidence=evidence(verdict, one.setting),
        story=() if counterexample is None else tell(counterexample, one.setting).lines,
        witness=None
        if counterexample is None
        else witness.to_json(counterexample, reference=None, digest=None, seed=seed),
        curve=curve(one, counterexample, seed=seed) if curved else None,
    )


# Policies on reports ------------------------------------------------------------------------------


def settled(policy: Policy, environment: Environment) -> Policy:
    """The policy with its lots drawn once, so that equal observations mean equal actions.

    Raises InputError where that cannot be had.
    """
    # A diffusion actor denoises noise that is drawn for each row: here all rows have the same.
    if hasattr(getattr(policy, "actor", None), "denoised"):
        return _Denoised(policy)
    seen = environment.reset(np.random.default_rng(0), 1)
    seen = np.repeat(seen, 64, axis=0)
    policy.begin(len(seen), np.random.default_rng(0))
    actions = np.asarray(policy.act(seen))
    if np.ptp(actions) > 0:
        raise InputError(
            f"the policy draws lots: of one observation it made actions from {actions.min():g} to "
            f"{actions.max():g}; expected a policy as it is deployed, without exploration"
        )
    return policy


class _Denoised:
    def __init__(self, policy: Any) -> None:
        import torch

        self.actor, self.levels = policy.actor, policy.levels
        shape = (self.actor.config.denoising, 1, self.actor.actions)
        self.noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))

    def begin(self, batch: int, rng: np.random.Generator) -> None:
        pass

    def act(self, observation: Array) -> Array:
        import torch

        with torch.no_grad():
            seen = torch.as_tensor(observation, dtype=torch.float32)
            noise = self.noise.expand(-1, len(seen), -1)
            return np.asarray(self.levels[self.actor.denoised(seen, noise).argmax(-1).numpy()])

    def observe(self, reward: Array, ended: Array) -> None:
        pass


def by_blocks(rule: Callable[..., tuple[Array, ...]]) -> Callable[..., tuple[Array, ...]]:
    """The rule on arrays (batch, …), asked about `ROWS` rows at a time, one thread at a time."""
    lock = threading.Lock()

    def outcome(*arrays: Array) -> tuple[Array, ...]:
        # Exact numbers refuse this, and are then played as floats, which is what is said of them.
        floats = [np.asarray(array, dtype=float) for array in arrays]
        batch, parts = len(floats[0]), []
        for start in range(0, max(batch, 1), ROWS):
            rows = np.minimum(np.arange(start, start + ROWS), batch - 1)
            with lock:
                parts.append([part[: batch - start] for part in rule(*(f[rows] for f in floats))])
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    return outcome


# The papers' auctions -----------------------------------------------------------------------------


def second_bid(policy: Policy, environment: Any, name: str) -> Mechanism:
    """dmsb: bids of the UAV and of stations, (batch, 1 + stations); latencies are public.

    Bids and latencies are anything between the least and the largest that the market draws.
    """
    from mechkit.papers.dmsb import rules

    drawn = environment.draw(np.random.default_rng(0), DRAWS)
    agents = drawn.values.shape[1]
    low, high = _round_bounds(drawn.values)
    setting = single_item(
        agents, low=low, high=high, roles=("brand", *("performance",) * (agents - 1))
    )
    least, most = _round_bounds(drawn.latency)

    @by_blocks
    def rule(bids: Array, latency: Array) -> tuple[Array, ...]:
        seen = environment.start(replace(drawn, values=bids, latency=latency))
        policy.begin(len(seen), np.random.default_rng(0))
        rho = 10 ** np.asarray(policy.act(seen), dtype=float)[:, None]
        return rules.modified_second_bid(bids, rho=rho, everybody=environment.everybody)

    def outcome(reports: Array, *, public: Public) -> tuple[Array, Array]:
        wins, pays = rule(reports, public["latency"])
        return wins, pays

    public = {"latency": box(agents, low=least, high=most)}
    return Mechanism.from_outcome(setting.with_public(**public), outcome, name=name)


def clock(policy: Policy, environment: Any, name: str) -> Mechanism:
    """madda: buyer i and seller i are partners in Γ; values and costs anywhere on the clocks."""
    from mechkit.papers.madda.clocks import played
    from mechkit.papers.madda.environment import PAIRED, opened
    from mechkit.papers.madda.mechanism import HIGHEST, LOWEST, by_rank

    pairs = min(environment.buyers, environment.sellers)
    winners = {**PAIRED, "by rank": by_rank}[environment.winners]

    @by_blocks
    def sides(values: Array, costs: Array) -> tuple[Array, ...]:
        environment._opened = opened(values, costs)
        seen = environment._begin(np.arange(len(values)))
        policy.begin(len(seen), np.random.default_rng(0))
        running = ~environment._auctions.ended
        while running.any():
            step = environment.step(policy.act(seen))
            policy.observe(step.reward, step.ended)
            seen, running = step.observation, running & ~step.ended
        clocks, _ = played(
            environment._auctions, values, costs, weight=environment.parameters.weight
        )
        return *winners(clocks), clocks.price

    def rule(values: Array, costs: Array) -> Sides:
        buys, sells, price = sides(values, costs)
        return buys, sells, price, price

    return market(rule, double_auction(pairs, pairs, low=LOWEST, high=HIGHEST), name)


def _round_bounds(drawn: Array) -> tuple[float, float]:
    """The least and the largest, to three digits."""
    return float(f"{drawn.min():.3g}"), float(f"{drawn.max():.3g}")


MECHANISMS: Mapping[str, Callable[[Policy, Any, str], Mechanism]] = {
    "dmsb": second_bid,
    "madda": clock,
}
PROPERTIES: Mapping[str, tuple[Asked, ...]] = {
    "dmsb": (
        Asked("ic", "performance"),
        Asked("ir", "performance"),
        Asked("ir", "brand"),
        Asked("weak_budget_balance"),
    ),
    "madda": (
        Asked("ic", "buyer"),
        Asked("ic", "seller"),
        Asked("ir", "buyer"),
        Asked("ir", "seller"),
        Asked("strong_budget_balance"),
    ),
}
"""By the environment's name. dmsb's UAV pays what it bids, so that it is not asked for ic."""
