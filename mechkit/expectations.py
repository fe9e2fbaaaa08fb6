"""What an agent expects that knows its own type, and of the others' types only the prior.

Finite priors are summed. Over a uniform prior the utility is integrated exactly wherever it is
piecewise linear in the others' types (`proofs.integrate`); on floats such an integral is estimated
by a mean over evenly spread profiles, which proposes and never decides.

Source: d'Aspremont & Gérard-Varet, "Incentives and incomplete information" (1979); for the spread,
Roberts, "The unreasonable effectiveness of quasirandom sequences" (2018).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from mechkit import settings as s
from mechkit.lazy import lazy
from mechkit.mechanism import Mechanism, Outcome, play
from mechkit.priors import intervals, level_weights
from mechkit.settings import Array, Setting
from mechkit.views import View, replaced
from proofs import GaveUp, Unsupported, exact, values
from proofs.integrate import mean
from proofs.paths import pieces

MAX_OPPONENTS = 20_000
SPREAD = 512
"""Profiles of the others in an estimate."""
LEAVES = 2000
"""Pieces of a rule over which an exact expectation is taken at most."""


@lru_cache(maxsize=256)
def opponents(setting: Setting, agent: int) -> tuple[np.ndarray, list[Fraction]]:
    """Every profile of the others' types with its probability, for a finite scalar prior.

    Returns types (k, agents) of Fractions, the agent's own column filled with its lowest type.
    """
    weights = level_weights(setting.types, setting.prior)
    assert weights is not None
    assert setting.types.levels is not None
    levels = setting.types.levels[0]
    assert levels is not None
    axes: list[list[tuple[Fraction, Fraction]]] = []
    for j in range(setting.agents):
        if j == agent:
            axes.append([(levels[0], Fraction(1))])
        else:
            axes.append([(v, w) for v, w in zip(levels, weights, strict=True) if w])
    rows = list(itertools.product(*axes))
    profiles = np.array([[v for v, _ in row] for row in rows], dtype=object)
    chances = [Fraction(1)] * len(rows)
    for k, row in enumerate(rows):
        for _, w in row:
            chances[k] *= w
    return profiles, chances


@lru_cache(maxsize=256)
def lattice(setting: Setting, agent: int) -> np.ndarray:
    """Profiles of the others' types spread evenly over their uniform prior, float64 (k, agents).

    Multiples of irrational steps, modulo 1: a mean over them is an estimate.
    """
    within = intervals(setting.types, setting.prior)
    if within is None:
        raise Unsupported("an expectation over a continuous prior that is not uniform")
    root = 2.0
    for _ in range(60):
        root = (1 + root) ** (1 / (setting.agents + 1))
    steps = root ** -(1.0 + np.arange(setting.agents))
    low, high = np.array(within, dtype=float).T
    return low + (high - low) * ((0.5 + np.outer(np.arange(1, SPREAD + 1), steps)) % 1)


def against(
    mechanism: Mechanism, agent: int, owns: Sequence[Any], report: Any, others: Any
) -> list[tuple[Array, Array]]:
    """(value, payment) of an agent for each of some own types, the others truthful; (1,) each.

    owns: numbers. report: (1,). others: (agents − 1,), in any arithmetic.
    """
    apart = [others[k : k + 1] for k in range(mechanism.setting.agents - 1)]
    rows = []
    for own in owns:
        types = np.stack([*apart[:agent], report * 0 + own, *apart[agent:]], axis=-1)
        reports = replaced(s.truth(mechanism.setting, types, {}), (agent,), [report])
        outcome = play(mechanism, reports, {})
        rows.append((outcome.values(types)[:, agent], outcome.payments[:, agent]))
    return rows


def expectation(mechanism: Mechanism, agent: int, own: Fraction, report: Fraction) -> Fraction:
    """The expected utility of an agent over the others' uniform prior, exactly.

    Raises Unsupported where the prior is not uniform, or the rule or the value is not piecewise
    linear in the others' types.
    """
    setting = mechanism.setting
    within = intervals(setting.types, setting.prior)
    if within is None:
        raise Unsupported("an expectation over a continuous prior that is not uniform")
    box = [*within[:agent], *within[agent + 1 :]]

    def utility(others: Array) -> Array:
        fixed = exact([report], algebra=others.algebra)
        ((value, payment),) = against(mechanism, agent, [own], fixed, others)
        return value - payment

    found = pieces(utility, box, leaves=LEAVES)
    if isinstance(found, GaveUp):
        raise Unsupported(f"no exact expectation: {found.reason}")
    return mean(found.parts, box)[0]


class Interim(View):
    """Agent `who[0]` knows its type and expects the others' from the prior: summed exactly where
    types are finite, integrated exactly for uniform priors and piecewise-linear rules. (On floats
    such an integral is estimated.)"""

    @lazy
    def weighted(self) -> tuple[np.ndarray, list[Fraction]] | None:
        """Profiles of the others' types and their chances; None where there is to integrate."""
        if level_weights(self.setting.types, self.setting.prior) is not None:
            return opponents(self.setting, self.who[0])
        if not isinstance(self.types, np.ndarray):
            return None
        if self.strict:
            raise Unsupported("an expectation over a continuous prior is no matter of floats")
        profiles = lattice(self.setting, self.who[0])
        return profiles, [Fraction(1, len(profiles))] * len(profiles)

    def expected(self, report: Array, *, truthful: bool = False) -> Array:
        """Its expected utility with this report (batch,), over the others' truthful reports."""
        if self.weighted is not None:
            return (self.truthful if truthful else self.summed(report))[0]
        (i,) = self.who
        pairs = zip(values(self.types[:, i]), values(report), strict=True)
        means = [expectation(self.mechanism, i, own, lie) for own, lie in pairs]
        return exact(means, algebra=self.types.algebra)

    def summed(self, report: Array) -> tuple[Array, Outcome]:
        """The expected utility, and the outcomes of all profiles, (batch · profiles, ...)."""
        (i,) = self.who
        assert self.weighted is not None
        profiles, chances = self.weighted
        count, batch = len(chances), self.types.shape[0]
        own, floats = self.types[:, i], isinstance(self.types, np.ndarray)
        types = np.repeat(np.stack([own] * self.setting.agents, axis=1)[:, None], count, axis=1)
        others = np.broadcast_to(profiles.astype(float), (batch, *profiles.shape))
        mine = np.arange(self.setting.agents) == i
        types = np.where(mine, types, others)
        flat = np.reshape(types, (batch * count, self.setting.agents))
        sincere = s.truth(self.setting, flat, {})
        lie = np.reshape(np.repeat(report[:, None], count, axis=1), (batch * count,))
        outcome = play(self.mechanism, replaced(sincere, (i,), [lie]), {})
        utility = np.reshape(outcome.utility_of(i, flat), (batch, count))
        weights = np.array([float(c) for c in chances]) if floats else np.array(chances)
        return (utility * weights).sum(axis=-1), outcome

    @lazy
    def truthful(self) -> tuple[Array, Outcome]:
        return self.summed(self.sincere[:, self.who[0]])

    @lazy
    def truth_value(self) -> Array:
        return self.expected(self.sincere[:, self.who[0]], truthful=True)

    @lazy
    def lie_value(self) -> Array:
        return self.expected(self.case.arrays["lies"][:, 0])

    @property
    def trades(self) -> Array:
        """Whether anything is allocated at some profile of the others, bool (batch,)."""
        traded = self.truthful[1].trades
        return np.any(np.reshape(traded, (self.case.batch, -1)), axis=-1)
