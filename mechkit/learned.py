"""Does a learned policy keep the promises of the mechanism that it drives?

A policy that reads bids can break what a constant keeps: where the own bid moves the price factor
ρ, the own price moves with the own bid (Myerson 1981), and a lie can gain. `verify` searches the
whole type space for a witness and shrinks it to a simple one. The regret is measured where the
market is: on rounds that it draws, what is the most that one agent gains by any report on a grid?

What is found is float64 evidence (see `deployed`). A search that finds nothing proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from learners import runs, saved
from learners.learner import learner
from learners.saved import Run
from mechkit import environments, witness
from mechkit.audit.curve import curve, through
from mechkit.deployed import Auction, auction
from mechkit.errors import InputError, require
from mechkit.mechanism import Mechanism, play
from mechkit.report import evidence
from mechkit.sides import side
from mechkit.story import tell
from mechkit.verify import verify

ROUNDS, ACTING, GRID = 24, 4, 41
"""Rounds on which regret is measured, agents tried in each at most, reports on the even grid."""
LIES = 6000
"""Reports tried in all, about: with many agents there are more reports to try, and fewer rounds."""


@dataclass(frozen=True)
class Asked:
    """A property, and the role that acts; the whole mechanism where there is none."""

    property: str
    role: str | None = None

    def __str__(self) -> str:
        return self.property if self.role is None else f"{self.property}/{self.role}"


@dataclass(frozen=True)
class Regret:
    """What lies gain on rounds that the market draws: for each round and agent the most that any
    report on a grid gains over the truth. mean, largest: over all of them; share: how many gain
    anything. curve: utility against report where it is largest (see `audit.curve`)."""

    mean: float
    largest: float
    share: float
    rounds: int
    agents: int
    curve: Mapping[str, Any] | None


@dataclass(frozen=True)
class Found:
    """What was found of one property. gain: by how much the witness violates it, in `arithmetic`.
    regret: where incentives were asked about. story: of the witness."""

    asked: str
    status: str
    arithmetic: str | None
    gain: float | None
    regret: Regret | None
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
            told.append(f"{one.asked}: {one.status}{how}; {one.evidence}")
            if one.regret is not None:
                r = one.regret
                told.append(
                    f"{one.asked}: regret {r.mean:.4g} on average, {r.largest:.4g} at most, over "
                    f"{r.rounds} rounds of the market; {r.share:.1%} of agents gain by a lie"
                )
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
                    "gain": one.gain,
                    "regret": None if one.regret is None else asdict(one.regret),
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
    return _of(saved.read(Path(folder))).mechanism


def audit(run: Run, *, seed: int = 0, evaluations: int = 20_000, seconds: float = 20.0) -> Audited:
    """Puts a run's policy to the properties that its mechanism is to have, by search: each by so
    many evaluations, and for so many seconds at most."""
    about = run.about
    whole = _of(run)
    agents = whole.mechanism.setting.agents
    found = tuple(
        _asked(whole, asked, seed, evaluations, seconds)
        for asked in PROPERTIES[about["environment"]["name"]]
    )
    return Audited(
        title=f"{about['name']}, seed {about['seed']}, as a mechanism of {agents} agents",
        learner=about["name"],
        seed=about["seed"],
        environment=about["environment"],
        found=found,
    )


def _of(run: Run) -> Auction:
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
    return auction(policy, make(), name=name)


def _asked(whole: Auction, asked: Asked, seed: int, evaluations: int, seconds: float) -> Found:
    one = whole.mechanism if asked.role is None else side(whole.mechanism, asked.role)
    report = verify(
        one, asked.property, seed=seed, evaluations=evaluations, seconds=seconds, workers=1
    )
    verdict = report[asked.property]
    counterexample = verdict.counterexample
    regretted, shown = None, None
    if asked.property == "ic":
        regretted = regret(whole, asked.role, seed=seed)
        shown = regretted.curve or curve(one, counterexample, seed=seed)
    return Found(
        asked=str(asked),
        status=str(verdict.status),
        arithmetic=None if counterexample is None else counterexample.arithmetic,
        gain=None if counterexample is None else float(counterexample.gain),
        regret=regretted,
        evidence=evidence(verdict, one.setting),
        story=() if counterexample is None else tell(counterexample, one.setting).lines,
        witness=None
        if counterexample is None
        else witness.to_json(counterexample, reference=None, digest=None, seed=seed),
        curve=shown,
    )


def regret(whole: Auction, role: str | None = None, *, seed: int = 0) -> Regret:
    """How much agents of that role gain by lying, on up to `ROUNDS` rounds of the market.

    Reports tried: an even grid, and both sides of everybody's report, where outcomes jump.
    """
    mechanism, setting = whole.mechanism, whole.mechanism.setting
    rng = np.random.default_rng(seed)
    acting = [i for i, own in enumerate(setting.roles) if role in (None, own)]
    each = min(len(acting), ACTING) * (GRID + 3 * setting.agents)
    rounds = max(4, min(ROUNDS, LIES // each))
    types, public = whole.draw(rng, rounds)
    low, high = setting.types.low_float, setting.types.high_float
    gains, best = np.zeros((rounds, min(len(acting), ACTING))), (0.0, 0, 0, 0.0)
    for k in range(rounds):
        chosen = rng.permutation(acting)[:ACTING]
        nudged = [types[k] * (1 + nudge) for nudge in (-1e-6, 0, 1e-6)]
        tried = np.concatenate([np.linspace(low.min(), high.max(), GRID), *nudged])
        reports = np.repeat(types[k : k + 1], len(chosen) * len(tried) + 1, axis=0)
        for place, i in enumerate(chosen):
            rows = slice(1 + place * len(tried), 1 + (place + 1) * len(tried))
            reports[rows, i] = np.clip(tried, low[i], high[i])
        shown = {
            key: np.repeat(array[k : k + 1], len(reports), axis=0) for key, array in public.items()
        }
        true = np.repeat(types[k : k + 1], len(reports), axis=0)
        utility = np.asarray(play(mechanism, reports, shown).utility(true), dtype=float)
        for place, i in enumerate(chosen):
            own = utility[1 + place * len(tried) :][: len(tried), i]
            at = int(np.argmax(own))
            gains[k, place] = max(0.0, float(own[at] - utility[0, i]))
            if gains[k, place] > best[0]:
                lie = float(reports[1 + place * len(tried) + at, i])
                best = (float(gains[k, place]), k, int(i), lie)
    _, k, agent, lie = best
    shown = {key: array[k : k + 1] for key, array in public.items()}
    truthful = types[k : k + 1]
    return Regret(
        mean=float(gains.mean()),
        largest=float(gains.max()),
        share=float((gains > 1e-9 * setting.types.scale).mean()),
        rounds=rounds,
        agents=gains.shape[1],
        curve=None if best[0] == 0 else through(mechanism, truthful, shown, truthful, agent, lie),
    )


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
