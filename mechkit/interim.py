"""Bayesian properties under a continuous prior: estimates with their intervals.

An expectation over a continuous prior is not computed exactly here, so that nothing is refuted: for
some agents, types and reports, the expected margin is estimated from common draws of the others'
types, with a 99.9 % normal interval. (Finite priors are summed exactly: see `deviations.Interim`.)
"""

from __future__ import annotations

import time

import numpy as np

from mechkit import settings as s
from mechkit.mechanism import Mechanism, play
from mechkit.properties import Property
from mechkit.spaces import repair
from mechkit.verdict import Effort, Status, Verdict
from mechkit.views import replaced

DRAWS, AGENTS, TYPES, REPORTS, Z = 2048, 4, 8, 8, 3.29
CASES = AGENTS * TYPES * (1 + REPORTS)


def estimate(mechanism: Mechanism, prop: Property, seed: int, draws: int = DRAWS) -> Verdict:
    """The smallest expected margin seen, with its interval: UNREFUTED, or UNKNOWN where the whole
    interval lies below zero (an estimate does not refute). draws: of the others' types."""
    started, setting = time.monotonic(), mechanism.setting
    rng = np.random.default_rng([seed, 11])
    pool = setting.sample(rng, draws)
    worst: tuple[float, float, str] | None = None
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
                candidates = [(truth, f"agent {agent} of type {own:.4g}")]
            else:
                candidates = []
                drawn = rng.uniform(low, low + span, size=(REPORTS, 1))
                for lie in repair(setting.types, drawn, [agent])[:, 0]:
                    reports = replaced(sincere, (agent,), [np.full(draws, lie)])
                    other = play(mechanism, reports, {}).utility_of(agent, types)
                    evaluations += draws
                    where = f"agent {agent} of type {own:.4g} reporting {lie:.4g}"
                    candidates.append((truth - other, where))
            for margin, where in candidates:
                mean, half = float(margin.mean()), Z * float(margin.std()) / draws**0.5
                cases += 1
                if worst is None or mean + half < worst[0] + worst[1]:
                    worst = (mean, half, where)
    assert worst is not None
    mean, half, where = worst
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
        return Verdict(
            prop.name, Status.UNKNOWN, effort=effort, reason="vacuous: nothing was allocated"
        )
    if mean + half < -1e-9 * setting.types.scale:
        return Verdict(
            prop.name,
            Status.UNKNOWN,
            effort=effort,
            reason=f"it looks violated, {text}; an estimate over a continuous prior does not "
            "refute: declare the setting with levels= for an exact answer",
        )
    return Verdict(prop.name, Status.UNREFUTED, effort=effort)
