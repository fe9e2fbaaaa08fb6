"""Bayesian properties under a continuous prior: estimates with their intervals.

For some agents, types and reports, the expected margin is estimated from common draws of the
others' types, with a 99.9 % normal interval. An estimate refutes nothing: the worst case is handed
on, to be decided by exact integration where that is possible (`expectations.expectation`). (Finite
priors are summed exactly.)
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from mechkit import settings as s
from mechkit.mechanism import Mechanism, play
from mechkit.properties import Property
from mechkit.settings import Setting
from mechkit.spaces import repair
from mechkit.verdict import Certificate, Counterexample, Effort, Status, Verdict
from mechkit.views import Case, replaced

DRAWS, AGENTS, TYPES, REPORTS, Z = 2048, 4, 8, 8, 3.29
CASES = AGENTS * TYPES * (1 + REPORTS)


def estimate(
    mechanism: Mechanism, prop: Property, seed: int, draws: int = DRAWS
) -> tuple[Verdict, Case | None]:
    """The smallest expected margin seen, with its interval: UNREFUTED, or UNKNOWN where the whole
    interval lies below zero (an estimate does not refute), and then the case. draws: of the others'
    types."""
    started, setting = time.monotonic(), mechanism.setting
    rng = np.random.default_rng([seed, 11])
    pool = setting.sample(rng, draws)
    worst: tuple[float, float, str, tuple[int, float, float]] | None = None
    cases = evaluations = trades = 0
    for agent in range(min(setting.agents, AGENTS)):
        low, span = setting.types.low_float[agent], setting.types.span[agent]
        spread = (low + span * (np.arange(TYPES) + 0.5) / TYPES)[:, None]
        for own in np.unique(repair(setting.types, spread, [agent])):
            types = replaced(pool, (agent,), [np.full(draws, own)])
            sincere = s.truth(setting, types, {})
            outcome = play(mechanism, sincere, {})
            truth = outcome.utility_of(agent, types)
            trades += int(np.asarray(outcome.trades).sum())
            evaluations += draws
            if prop.name == "interim_ir":
                candidates = [(truth, f"agent {agent} of type {own:.4g}", own)]
            else:
                candidates = []
                drawn = rng.uniform(low, low + span, size=(REPORTS, 1))
                for lie in repair(setting.types, drawn, [agent])[:, 0]:
                    reports = replaced(sincere, (agent,), [np.full(draws, lie)])
                    other = play(mechanism, reports, {}).utility_of(agent, types)
                    evaluations += draws
                    where = f"agent {agent} of type {own:.4g} reporting {lie:.4g}"
                    candidates.append((truth - other, where, lie))
            for margin, where, lie in candidates:
                mean, half = float(margin.mean()), Z * float(margin.std()) / draws**0.5
                cases += 1
                if worst is None or mean + half < worst[0] + worst[1]:
                    worst = (mean, half, where, (agent, float(own), float(lie)))
    assert worst is not None
    mean, half, where, at = worst
    text = f"expected margin {mean:.4g} ± {half:.2g} (99.9 %) for {where}"
    effort = Effort(
        profiles=draws,
        deviations=cases,
        evaluations=evaluations,
        trades=trades,
        smallest=mean,
        seconds=time.monotonic() - started,
        notes=(f"estimated, types drawn independently: smallest {text}",),
    )
    if trades == 0:
        vacuous = "vacuous: nothing was allocated"
        return Verdict(prop.name, Status.UNKNOWN, effort=effort, reason=vacuous), None
    if mean + half < -1e-9 * setting.types.scale:
        reason = (
            f"it looks violated, {text}; an estimate over a continuous prior does not refute: "
            "declare the setting with levels= for an exact answer"
        )
        return Verdict(prop.name, Status.UNKNOWN, effort=effort, reason=reason), _case(setting, *at)
    return Verdict(prop.name, Status.UNREFUTED, effort=effort), None


def settled(
    estimated: Verdict,
    witness: Counterexample | None,
    certificate: Certificate | None,
    unproved: str | None,
) -> Verdict:
    """The estimate, unless exact integration decided the property."""
    name, effort = estimated.property, estimated.effort
    if witness is not None:
        return Verdict(name, Status.REFUTED, counterexample=witness, effort=effort)
    if certificate is not None:
        return Verdict(name, Status.PROVED, certificate=certificate, effort=effort)
    if unproved is None:
        return estimated
    why = f"not proved: {unproved}"
    effort = replace(effort, notes=(*effort.notes, why))
    return replace(estimated, effort=effort, reason=estimated.reason or why)


def _case(setting: Setting, agent: int, own: float, lie: float) -> Case:
    """The float case of one row; the others' types are averaged out, and stand at their lowest."""
    types = setting.types.low_float[None].copy()
    types[0, agent] = own
    return Case("interim", (agent,), {"types": types, "lies": np.array([[lie]])})
