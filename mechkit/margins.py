"""The margins of the properties, each a function of a view: ≥ 0 where the property holds.

The same function runs on floats, on exact rationals and on symbols. Shapes: (batch,), or (batch, k)
for k inequalities at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mechkit.expectations import Interim
from mechkit.first_best import first_best, welfare
from mechkit.settings import Array, Public, Setting, values
from mechkit.views import Cycle, Deviation, Newcomer, Scaling, Swap, View


def own_gain(view: Deviation) -> Array:
    return -view.gain(view.who[0])


def budget(view: View) -> Array:
    return view.before.payments.sum(axis=-1)


def efficiency(view: View) -> Array:
    """Welfare minus the largest that is possible, each draw of a lottery against its own."""
    setting, types = view.setting, view.types

    # Positive where an infeasible allocation does better than any feasible one: that this must not
    # be is what `feasible` says.
    def lost(x: Array, p: Array, public: Public) -> Array:
        return welfare(setting, types, x, public) - first_best(setting, types, public)

    return view.before.mean(lost)


def direction(setting: Setting, agent: int) -> int:
    return -1 if setting.sellers[agent] else 1


def monotone(view: Deviation) -> Array:
    (i,) = view.who
    sign = direction(view.setting, i)
    truth, lie = view.reports[:, i] * sign, view.lied[:, i] * sign
    rise = view.after.quantity[:, i] - view.before.quantity[:, i]
    return np.where(lie > truth, rise, np.where(lie < truth, -rise, 0))


def critical(view: Deviation) -> Array:
    """A winner pays between every losing and every winning report; a loser pays nothing.

    An agent that gets a part neither wins nor loses: such rows say nothing, and `whole` refuses the
    rule for which there are some."""
    (i,) = view.who
    sign = direction(view.setting, i)
    before, after = view.before.quantity[:, i], view.after.quantity[:, i]
    price = view.before.payments[:, i]
    gap = view.lied[:, i] * sign - price
    won = np.where(after >= 1, gap, np.where(after <= 0, -gap, 0))
    lost = np.where(before <= 0, -np.abs(price), 0)
    return np.where(before >= 1, won, lost)


def whole(view: View) -> Array:
    """Minus what the quantities are away from 0 and 1, priced at the largest type."""
    q = view.before.quantity
    part = np.where(q <= 0, 0, np.where(q >= 1, 0, np.minimum(q, 1 - q)))
    return -part * view.setting.types.scale


def won_or_lost(view: Deviation) -> Array:
    (i,) = view.who
    before = view.before.quantity[:, i]
    return ((before >= 1) | (before <= 0)) & view.before.trades


def envy(view: View) -> Array:
    """The least, over all peers, of one's own utility minus what the peer's part would give.

    Rotations within the roles compare everybody with one peer at a time; an agent's value must
    depend on its own row of the allocation alone.
    """
    setting, types = view.setting, view.types
    groups = [np.flatnonzero([r == role for r in setting.roles]) for role in set(setting.roles)]
    least: Any = None
    for shift in range(1, max(map(len, groups))):
        order = np.arange(setting.agents)
        for group in groups:
            order[group] = np.roll(group, -shift)

        def envied(x: Array, p: Array, public: Any, order: np.ndarray = order) -> Array:
            return values(setting, types, (x * 1)[:, order], public) - p[:, order]

        margin = np.min(view.before_utility - view.before.mean(envied), axis=-1)
        least = margin if least is None else np.minimum(least, margin)
    return least


def distance(a: Array, b: Array) -> Array:
    """The largest absolute difference within each row, (batch,)."""
    gap = np.abs(a * 1 - b * 1)
    return np.max(np.reshape(gap, (gap.shape[0], -1)), axis=-1)


def anonymous(view: Swap) -> Array:
    i, j = view.who
    order = np.arange(view.setting.agents)
    order[[i, j]] = order[[j, i]]
    x, y = view.before.allocation, view.after.allocation
    moved = x[:, order] if view.setting.personal else x
    return -np.maximum(
        distance(moved, y), distance(view.before.payments[:, order], view.after.payments)
    )


def rounding(view: View, numbers: Array) -> float:
    """What the search calls equal, so that rounding does not hide a violation; a view that decides
    (`strict`), in rationals or in floats, calls nothing equal that is not."""
    floats = isinstance(numbers, np.ndarray) and not view.strict
    return 1e-12 * view.setting.types.scale if floats else 0


def non_bossy(view: Deviation) -> Array:
    (i,) = view.who
    x, y = view.before.allocation * 1, view.after.allocation * 1
    p, q = view.before.payments, view.after.payments
    own = np.abs(p[:, i] - q[:, i])
    rows = (x[:, i : i + 1], y[:, i : i + 1]) if view.setting.personal else (x, y)
    own = np.maximum(own, distance(*rows))
    dust = rounding(view, p)
    return np.where(own <= dust, -np.maximum(distance(x, y), distance(p, q)), 0)


def coalition_gains(view: Deviation) -> Array:
    return np.stack([view.gain(i) for i in view.who], axis=-1)


def group(view: Deviation) -> Array:
    return -np.min(coalition_gains(view), axis=-1)


def strong_group(view: Deviation) -> Array:
    gains = coalition_gains(view)
    least, most = np.min(gains, axis=-1), np.max(gains, axis=-1)
    dust = rounding(view, gains)
    return np.where(least >= -dust, -most, -least)


def cycle(view: Cycle) -> Array:
    (i,) = view.who
    total: Any = 0
    for k, (types, _, outcome) in enumerate(view.steps):
        *_, following = view.steps[(k + 1) % len(view.steps)]
        total = total + outcome.values(types)[:, i] - following.values(types)[:, i]
    return total


def raised(view: Deviation) -> Array:
    (i,) = view.who
    flat = (view.lied[:, i] >= view.reports[:, i]) * 1
    up = np.min(np.reshape(flat, (flat.shape[0], -1)), axis=-1) > 0
    change = view.after.payments.sum(axis=-1) - budget(view)
    if view.setting.sellers[i]:
        return change * 0
    return np.where(up, change, 0)


def joined(view: Newcomer) -> Array:
    return view.after.payments.sum(axis=-1) - budget(view)


def scaled(view: Scaling) -> Array:
    return np.where(view.inside, -distance(view.before.allocation, view.after.allocation), 0)


def interim_trades(view: Interim) -> Array:
    return view.trades
