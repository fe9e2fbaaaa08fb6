"""Does a learned policy keep the promises of the mechanism that it drives?

A policy that reads bids can break what a constant keeps: where the own bid moves the price factor
ρ, the own price moves with the own bid (Myerson 1981), and a lie can gain. `verify` searches the
whole type space for a witness and shrinks it to a simple one. The regret is measured where the
market is: on rounds that it draws, what is the most that one agent gains by any report on a grid?

What is found is float64 evidence (see `deployed`). A search that finds nothing proves nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from learners import runs, saved
from learners.learner import learner
from learners.saved import Run
from mechkit import environments, witness
from mechkit.audit.curve import curve, through
from mechkit.deployed import Auction, auction
from mechkit.errors import InputError, require
from mechkit.mechanism import Mechanism, play
from mechkit.replay import OPAQUE_GAIN
from mechkit.report import evidence
from mechkit.rounds import Progress
from mechkit.sides import side
from mechkit.story import tell
from mechkit.verify import verify
from mechkit.workers import Threads

Result = TypeVar("Result")

ROUNDS, ACTING, GRID = 24, 4, 41
"""Rounds on which regret is measured, agents tried in each at most, reports on the even grid."""
LIES = 6000
"""Reports tried in all, about: with many agents there are more reports to try, and fewer rounds."""
EVALUATIONS, SECONDS = 20_000, 8.0
"""What an audit spends on each property, if nothing else is said."""


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
    anything. rounds: those that there was time for. curve: utility against report where the gain
    is largest, and where nothing gains that of the agent whom the truth serves best (see
    `audit.curve`)."""

    mean: float
    largest: float
    share: float
    rounds: int
    agents: int
    curve: Mapping[str, Any] | None


@dataclass(frozen=True)
class Found:
    """What was found of one property. gain: by how much the witness violates it, in `arithmetic`.
    regret: where incentives were asked about and there was time. story: of the witness."""

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
            elif one.asked.partition("/")[0] == "ic":
                told.append(f"{one.asked}: regret not measured, a round of the market takes longer")
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


def audit(
    run: Run,
    *,
    seed: int = 0,
    evaluations: int = EVALUATIONS,
    seconds: float = SECONDS,
    progress: Progress | None = None,
) -> Audited:
    """Puts a run's policy to the properties that its mechanism is to have, by search: each by so
    many evaluations, and for so many seconds at most; what lies gain in the market is measured for
    as many seconds again. What there was no time for is missing from the counts in the result.

    progress(share, what): called before each property. Raises InputError as `load` does.
    """
    about = run.about
    whole = _of(run)
    agents = whole.mechanism.setting.agents
    wanted, found = PROPERTIES[about["environment"]["name"]], []
    for k, asked in enumerate(wanted):
        if progress is not None:
            progress(k / len(wanted), str(asked))
        found.append(_asked(whole, asked, seed, evaluations, seconds))
    return Audited(
        title=f"{about['name']}, seed {about['seed']}, as a mechanism of {agents} agents",
        learner=about["name"],
        seed=about["seed"],
        environment=about["environment"],
        found=tuple(found),
    )


def curves(run: Run, *, seed: int = 0, seconds: float = SECONDS) -> list[Mapping[str, Any]]:
    """Utility against report, one curve for each role that is asked about incentives: madda's Fig.
    6 for a buyer and a seller. Where a lie gains most on rounds of the market; where none does, of
    the agent whom the truth serves best. `audit.curve` says what is in them, and draws them."""
    whole = _of(run)
    asked = PROPERTIES[run.about["environment"]["name"]]
    found = [
        regret(whole, one.role, seed=seed, seconds=seconds).curve
        for one in asked
        if one.property == "ic"
    ]
    return [curve for curve in found if curve is not None]


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
        regretted = in_time(partial(regret, whole, asked.role, seed=seed, seconds=seconds), seconds)
        shown = None if regretted is None else regretted.curve
        if counterexample is not None and (regretted is None or regretted.share == 0):
            # The market's own rounds have nothing to show, the search has.
            shown = in_time(partial(curve, one, counterexample, seed=seed), seconds)
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


def in_time(call: Callable[[], Result], seconds: float) -> Result | None:
    """What the call returns, None where that takes twice as long as it should: a policy may take
    longer over one batch than it has for all."""
    own = Threads(1)
    try:
        return own.submit(call).result(timeout=2 * seconds + 1)
    except TimeoutError:
        return None
    finally:
        own.give_up()


def regret(
    whole: Auction, role: str | None = None, *, seed: int = 0, seconds: float | None = None
) -> Regret:
    """How much agents of that role gain by lying, on up to `ROUNDS` rounds of the market, one at
    least and as many as there are seconds for.

    Reports tried: an even grid, and both sides of everybody's report, where outcomes jump.
    """
    mechanism, setting = whole.mechanism, whole.mechanism.setting
    began = time.monotonic()
    rng = np.random.default_rng(seed)
    acting = [i for i, own in enumerate(setting.roles) if role in (None, own)]
    many = min(len(acting), ACTING)
    rounds = max(4, min(ROUNDS, LIES // (many * (GRID + 3 * setting.agents))))
    types, public = whole.draw(rng, rounds)
    seen: list[_Best] = []
    for k in range(rounds):
        if k and seconds is not None and time.monotonic() > began + seconds:
            break
        seen += _tried(mechanism, types, public, k, rng.permutation(acting)[:many])
    gains = np.array([one.gain for one in seen])
    dust = OPAQUE_GAIN * setting.types.scale
    place = int(np.argmax(gains))
    lie: float | None = seen[place].lie
    if gains[place] <= dust:
        place, lie = int(np.argmax([one.truthful for one in seen])), None
    k, agent = seen[place].round, seen[place].agent

    def drawn(lie: float | None) -> Mapping[str, Any] | None:
        known = {key: array[k : k + 1] for key, array in public.items()}
        return through(mechanism, types[k : k + 1], known, types[k : k + 1], agent, lie)

    found = drawn(lie)
    if lie is None and found is not None:
        # More reports are drawn than were tried: what gains among them is a gain like any other.
        best = int(np.argmax(found["utilities"]))
        if (gain := found["utilities"][best] - found["at_truth"]) > dust:
            gains[place], found = gain, drawn(found["reports"][best])
    return Regret(
        mean=float(gains.mean()),
        largest=float(gains.max()),
        share=float((gains > dust).mean()),
        rounds=len(seen) // many,
        agents=many,
        curve=found,
    )


@dataclass(frozen=True)
class _Best:
    """The best of an agent's reports in a round: what it gains over the truth, 0 at least."""

    round: int
    agent: int
    gain: float
    lie: float
    truthful: float


def _tried(
    mechanism: Mechanism,
    types: np.ndarray,
    public: Mapping[str, np.ndarray],
    k: int,
    chosen: np.ndarray,
) -> list[_Best]:
    """Round k of these, in which each of the chosen agents tries its reports, one batch for all."""
    space = mechanism.setting.types
    low, high = space.low_float, space.high_float
    nudged = [types[k] * (1 + nudge) for nudge in (-1e-6, 0, 1e-6)]
    tried = np.concatenate([np.linspace(low.min(), high.max(), GRID), *nudged])
    true = np.repeat(types[k : k + 1], len(chosen) * len(tried) + 1, axis=0)
    reports = true.copy()
    for place, i in enumerate(chosen):
        rows = slice(1 + place * len(tried), 1 + (place + 1) * len(tried))
        reports[rows, i] = np.clip(tried, low[i], high[i])
    shown = {
        key: np.repeat(array[k : k + 1], len(reports), axis=0) for key, array in public.items()
    }
    utility = np.asarray(play(mechanism, reports, shown).utility(true), dtype=float)
    found = []
    for place, i in enumerate(chosen):
        own = utility[1 + place * len(tried) :][: len(tried), i]
        at = int(np.argmax(own))
        lie = float(reports[1 + place * len(tried) + at, i])
        truthful = float(utility[0, i])
        found.append(_Best(k, int(i), max(0.0, float(own[at]) - truthful), lie, truthful))
    return found


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
