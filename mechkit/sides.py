"""A mechanism seen from one side: the agents of some roles act, the others' reports are public.

"The buyers have no reason to lie, whatever the sellers report" is a property of buyers alone. On
one side of a mechanism every per-agent property (`ic`, `ir`, `monotone`, …) says just that: the
other agents' reports are public information, drawn from their report space, so the property is
asked at each of them, and witnesses record them. Properties of the whole (budgets, efficiency) do
not mean the same on a side and belong to the whole mechanism.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from mechkit.errors import InputError, require
from mechkit.mechanism import Mechanism, play
from mechkit.settings import Array, Public, Setting, truth, values
from mechkit.spaces import Space

OTHERS = "others' reports"
"""The name under which the other sides' reports are public."""


def side(mechanism: Mechanism, roles: Iterable[str] | str) -> Mechanism:
    """The mechanism of the agents with these roles; the others report whatever they like.

    Agents keep their order. Raises InputError for an unknown role, where nobody or everybody would
    act, and for settings in which the others' types matter beyond their reports.
    """
    wanted = (roles,) if isinstance(roles, str) else tuple(roles)
    setting = mechanism.setting
    counts = setting.role_counts()
    unknown = [role for role in wanted if role not in counts]
    require(not unknown, f"roles {unknown}: {setting.name} has {', '.join(counts)}")
    acting = [i for i, role in enumerate(setting.roles) if role in wanted]
    rest = [i for i in range(setting.agents) if i not in acting]
    require(bool(acting) and bool(rest), f"roles {wanted}: some agents must act, and some not")
    require(
        not setting.interdependent and not setting.lotteries,
        f"{setting.name}: a side needs private values and no lottery in expectation",
    )
    order = np.argsort(acting + rest)

    def whole(mine: Array, theirs: Array) -> Array:
        return np.concatenate([mine, theirs], axis=1)[:, order]

    def outcome(reports: Array, *, public: Public) -> tuple[Array, Array]:
        played = play(mechanism, whole(reports, public[OTHERS]), _known(public))
        ((_, allocation, payments, _),) = played.draws
        return allocation, payments[:, acting]

    return Mechanism.from_outcome(
        _side_of(setting, acting, rest, whole), outcome, f"{mechanism.name}, {' and '.join(wanted)}"
    )


def _side_of(setting: Setting, acting: list[int], rest: list[int], whole: Any) -> Setting:
    types, reports = _part(setting.types, acting), setting.report_space
    # The values of those who act do not depend on the others' types, so any types will do.
    exact, floats = setting.types.low[rest][None], setting.types.low_float[rest][None]

    def full(mine: Array) -> Array:
        plain = isinstance(mine, np.ndarray) and mine.dtype != object
        return whole(mine, np.zeros_like(mine[:, :1]) + (floats if plain else exact))

    def value(mine: Array, allocation: Array, *, public: Public) -> Array:
        return values(setting, full(mine), allocation, _known(public))[:, acting]

    truthful = None
    if setting.truthful is not None:

        def truthful(mine: Array, *, public: Public) -> Array:
            return truth(setting, full(mine), _known(public))[:, acting]

    quantity = setting.quantity
    if any(callable(source) for source in setting.public.values()):
        raise InputError(f"{setting.name}: what is revealed of all types has no side")
    return replace(
        setting,
        name=f"{setting.name}, seen by {len(acting)} of {setting.agents}",
        types=types,
        value=value,
        roles=tuple(setting.roles[i] for i in acting),
        prior=None,
        reports=None if setting.reports is None else _part(reports, acting),
        truthful=truthful,
        quantity=None if quantity is None else lambda x: quantity(x)[:, acting],
        public={**setting.public, OTHERS: _part(reports, rest)},
        personal=False,
        joint_value=None,
        resize=None,
        outcomes=None,
        first_best=None,
        solve=None,
    )


def _known(public: Public) -> Public:
    """What is public in the whole mechanism, too."""
    return {name: array for name, array in public.items() if name != OTHERS}


def _part(space: Space, agents: list[int]) -> Space:
    """The box of some of its agents: levels and constraints are each agent's own."""
    shape = (len(agents), *space.coordinates)
    return replace(space, shape=shape, low=space.low[agents], high=space.high[agents])
