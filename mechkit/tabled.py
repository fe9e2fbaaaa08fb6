"""A setting and a mechanism as exact tables, where types and outcomes are finitely many.

Agent i has the types θ_i^1, …, θ_i^{T_i} with independent probabilities, and each of the listed
outcomes o is worth v_i(θ_i, o) to it. That is all that a linear program of mechanism design is told
(`solvers.design`), so what it leaves out must not be there: values that depend on the types of
others, or on what is public, are refused, seen on every profile and draw rather than believed.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit import settings as s
from mechkit.errors import InputError, MechkitError, require
from mechkit.mechanism import Mechanism, Outcome, play
from mechkit.priors import level_weights
from mechkit.settings import Array, Lottery, Setting
from mechkit.spaces import grid
from proofs import exact, stable_orders_only, values

MOST = 20_000
"""How many profiles times outcomes are put in a table at most."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """A setting in numbers, all of them Fractions.

    types: per agent (T_i, *coordinates); chances: per agent (T_i,). profiles: every profile,
    (P, agents, *coordinates), the last agent's type running fastest; joint: their chances, (P,).
    outcomes: (O, *allocation_shape), that of all zeros first, where it is listed; worth: per agent
    (T_i, O).
    """

    types: tuple[np.ndarray, ...]
    chances: tuple[np.ndarray, ...]
    profiles: np.ndarray
    joint: np.ndarray
    outcomes: np.ndarray
    worth: tuple[np.ndarray, ...]

    def by_type(self, array: np.ndarray, agent: int) -> np.ndarray:
        """(P, ...) as (T_i, profiles of the others, ...)."""
        counts = tuple(len(own) for own in self.types)
        moved = np.moveaxis(array.reshape(*counts, *array.shape[1:]), agent, 0)
        return moved.reshape(counts[agent], -1, *array.shape[1:])


@dataclass(frozen=True, kw_only=True, eq=False)
class Played:
    """What a mechanism does at every profile when all are truthful, in Fractions.

    worth: per agent (P, T_i), what the allocation of a profile is worth to each of its types, the
    one it has there and the others. payments: (P, agents), in expectation over lotteries.
    """

    worth: tuple[np.ndarray, ...]
    payments: np.ndarray


def tabulate(setting: Setting) -> Table:
    """The table of a setting; InputError, with a remedy, where it has none."""
    name = setting.name
    require(
        setting.types.finite,
        f"{name}: types are a continuum, and a program has finitely many: give levels=",
    )
    require(
        not setting.interdependent,
        f"{name}: values depend on the types of others, so outcomes have no value for a type",
    )
    require(
        set(setting.lotteries) == set(setting.public),
        f"{name}: {', '.join(setting.public)} would be a type of its own; only lotteries in "
        "expectation (every=False) are averaged out",
    )
    if setting.outcomes is None:
        raise InputError(
            f"{name} lists no outcomes: give Setting outcomes=, () -> (k, *allocation_shape)"
        )
    outcomes = np.asarray(setting.outcomes())
    require(
        outcomes.shape[1:] == setting.allocation_shape and len(outcomes) > 0,
        f"{name}: outcomes() returned shape {outcomes.shape}, expected (k, "
        f"*{setting.allocation_shape}) with k ≥ 1",
    )
    slack = rationals(setting.slack(exact(outcomes)), name).reshape(len(outcomes), -1)
    broken = np.flatnonzero((slack < 0).any(axis=-1))
    require(
        not len(broken),
        f"{name}: the listed outcome {outcomes[broken[:1]].tolist()} breaks a constraint; make "
        "outcomes() list what is feasible",
    )
    nothing = ~outcomes.astype(bool).reshape(len(outcomes), -1).any(axis=-1)
    outcomes = outcomes[np.argsort(~nothing, kind="stable")]
    types = tuple(grid(setting.types, i) for i in range(setting.agents))
    require(
        all(len(own) for own in types),
        f"{name}: an agent has no type that meets the constraints; relax them",
    )
    count = int(np.prod([len(own) for own in types], dtype=float)) * len(outcomes)
    require(
        count <= MOST,
        f"{name}: {count} profiles and outcomes, more than {MOST}; take fewer agents or levels",
    )
    profiles = np.empty((count // len(outcomes), *setting.types.shape), dtype=object)
    for row, profile in enumerate(itertools.product(*types)):
        profiles[row] = np.stack([np.asarray(own, dtype=object) for own in profile])
    chances = _chances(setting, types)
    joint = chances[0]
    for own in chances[1:]:
        joint = np.multiply.outer(joint, own)
    table = Table(
        types=types, chances=chances, profiles=profiles, joint=joint.reshape(-1),
        outcomes=outcomes, worth=(),
    )  # fmt: skip
    return replace(table, worth=_worth(setting, table))


def _chances(setting: Setting, types: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """The probabilities of each agent's types."""
    weights = level_weights(setting.types, setting.prior)
    if weights is not None:
        return (np.array(weights, dtype=object),) * setting.agents
    require(
        setting.prior is None,
        f"{setting.name}: prior = {setting.prior!r}: expected exact weights over the levels of "
        "types that are single numbers, or None for equally likely types",
    )
    return tuple(np.array([Fraction(1, len(own))] * len(own), dtype=object) for own in types)


def _worth(setting: Setting, table: Table) -> tuple[np.ndarray, ...]:
    """v_i(θ_i, o), (T_i, O) for each agent, the same at every profile and draw."""
    types, count = exact(table.profiles), len(table.profiles)
    columns = []
    for outcome in table.outcomes:
        same = exact(np.broadcast_to(outcome, (count, *outcome.shape)))
        draws = [rationals(v, setting.name) for v in _drawn_values(setting, types, same)]
        require(
            all((other == draws[0]).all() for other in draws[1:]),
            f"{setting.name}: the value of an outcome depends on {', '.join(setting.public)}; "
            "put it into the types or leave it out",
        )
        columns.append(draws[0])
    each = np.stack(columns, axis=1)
    found = []
    for i in range(setting.agents):
        own = table.by_type(each[..., i], i)
        require(
            bool((own == own[:, :1]).all()),
            f"{setting.name}: the value of agent {i} depends on the types of others: declare it "
            "interdependent=True",
        )
        found.append(own[:, 0])
    return tuple(found)


def _drawn_values(setting: Setting, types: Array, allocation: Array) -> list[Array]:
    sources = [source for source in setting.public.values() if isinstance(source, Lottery)]
    batch, found = types.shape[0], []
    for draw in itertools.product(*(source.draws for source in sources)):
        shown = {
            name: np.broadcast_to(one, (batch, *np.shape(one)))
            for name, one in zip(setting.public, draw, strict=True)
        }
        found.append(s.values(setting, types, allocation, shown))
    return found


def rationals(array: Any, name: str) -> np.ndarray:
    """The numbers of an array of any arithmetic as Fractions; InputError where they are none."""
    raw = np.asarray(values(exact(array)), dtype=object)
    found = np.empty(raw.shape, dtype=object)
    for at, x in np.ndenumerate(raw):
        require(
            isinstance(x, Fraction | int | np.integer | np.bool_),
            f"{name}: a number is known as {type(x).__name__} only; roots, exp and log are no "
            "rationals",
        )
        found[at] = x if isinstance(x, Fraction) else Fraction(int(x))
    return found


def play_all(mechanism: Mechanism, table: Table) -> Played:
    """Play a mechanism at every profile of a table, truthfully and in rationals.

    Raises InputError where the rules do not run in rationals.
    """
    setting, types = mechanism.setting, exact(table.profiles)
    try:
        with stable_orders_only():
            outcome: Outcome = play(mechanism, s.truth(setting, types, {}))
            worth = []
            for i, own in enumerate(table.types):
                columns = []
                for one in own:
                    changed = table.profiles.copy()
                    changed[:, i] = one
                    columns.append(outcome.values(exact(changed))[:, i])
                each = [rationals(column, mechanism.name) for column in columns]
                worth.append(np.stack(each, axis=-1))
            payments = rationals(outcome.payments, mechanism.name)
    except (MechkitError, MemoryError):
        raise
    except Exception as error:
        raise InputError(
            f"{mechanism.name}: the rule does not run in rationals: {type(error).__name__}: "
            f"{error}; use arithmetic, comparisons and sorting"
        ) from error
    return Played(worth=tuple(worth), payments=payments)
