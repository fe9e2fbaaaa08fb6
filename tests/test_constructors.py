"""Every constructor's setting: what allocations are worth, and which of them are feasible.

Each is compared with a definition written one agent and one item at a time, on all small
allocations, in floats and in exact rationals.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy import stats

import mechkit as mk
from mechkit.constructors import bundle_table
from mechkit.settings import Setting
from mechkit.spaces import contains, grid
from proofs import exact, values

F = Fraction
RATES = (F(1), F(1, 2))
BUNDLES = [[1, 0], [1, 1], [0, 1]]


@dataclass(frozen=True)
class Slow:
    """A setting by its definition, one agent at a time.

    value(i, own, x): what agent i with type `own` gets from the whole allocation x (nested lists).
    feasible(x). count: how many pure outcomes there are, by a formula. joint(own, parts): what one
    agent gets from the parts of two identities. entries: what allocations are tried.
    """

    make: Callable[[], Setting]
    value: Callable[[int, Any, Any], Any]
    feasible: Callable[[Any], bool]
    count: int | None
    joint: Callable[[Any, Any], Any] | None
    entries: tuple[Any, ...] = (-1, 0, F(1, 2), 1, 2)


def in_range(x: Any, most: int = 1) -> bool:
    return all(0 <= entry <= most for entry in np.ravel(np.array(x, dtype=object)))


def items_once(x: Any) -> bool:
    return in_range(x) and all(sum(column) <= 1 for column in zip(*x, strict=True))


def assignment(x: Any) -> bool:
    return items_once(x) and all(sum(row) <= 1 for row in x)


def whole(x: Any) -> bool:
    return items_once(x) and all(entry in (0, 1) for row in x for entry in row)


def dot(a: Any, b: Any) -> Any:
    return sum(p * q for p, q in zip(a, b, strict=True))


def covers(held: Any, wanted: Any) -> bool:
    return all(h >= 1 for h, w in zip(held, wanted, strict=True) if w)


def united(parts: Any) -> list[Any]:
    return [sum(column) for column in zip(*parts, strict=True)]


def falling_values(own: Any, held: Any) -> Any:
    """Marginal values own[0], own[1], … for `held` units, the last one perhaps in part."""
    total: Any = 0
    for marginal in own:
        part = min(max(held, 0), 1)
        total, held = total + marginal * part, held - part
    return total


def best_bundle(own: Any, held: Any) -> Any:
    """own[b − 1] is the value of the bundle whose items are the bits of b."""
    worths = [0]
    for b in range(1, 2 ** len(held)):
        bits = [b >> j & 1 for j in range(len(held))]
        if covers(held, bits):
            worths.append(own[b - 1])
    return max(worths)


def matchings(agents: int, items: int) -> int:
    most = min(agents, items)
    return sum(math.comb(agents, k) * math.perm(items, k) for k in range(most + 1))


def with_wants(own: Any, held: Any) -> Any:
    return own[0] if covers(held, own[1:]) else 0


SLOW: dict[str, Slow] = {
    "single item": Slow(
        lambda: mk.single_item(3),
        lambda i, own, x: own * x[i],
        lambda x: in_range(x) and sum(x) <= 1,
        3 + 1,
        lambda own, parts: own * min(sum(parts), 1),
    ),
    "two units": Slow(
        lambda: mk.multi_unit(3, 2),
        lambda i, own, x: own * x[i],
        lambda x: in_range(x) and sum(x) <= 2,
        1 + 3 + 3,
        lambda own, parts: own * min(sum(parts), 1),
    ),
    "two units, demand two": Slow(
        lambda: mk.multi_unit(3, 2, demand=2),
        lambda i, own, x: falling_values(own, x[i]),
        lambda x: in_range(x, 2) and sum(x) <= 2,
        1 + 3 + 6,
        lambda own, parts: falling_values(own, sum(parts)),
        (-1, 0, F(1, 2), 1, F(3, 2), 2, 3),
    ),
    "positions": Slow(
        lambda: mk.positions(2, [1, 0.5]),
        lambda i, own, x: own * dot(x[i], RATES),
        assignment,
        matchings(2, 2),
        lambda own, parts: own * max(dot(part, RATES) for part in parts),
    ),
    "double auction": Slow(
        lambda: mk.double_auction(2, 2),
        lambda i, own, x: own * x[i] if i < 2 else -own * x[i],
        lambda x: in_range(x) and x[0] + x[1] == x[2] + x[3],
        math.comb(4, 2),
        lambda own, parts: own * min(sum(parts), 1),
    ),
    "additive": Slow(
        lambda: mk.additive(2, 2),
        lambda i, own, x: dot(own, x[i]),
        items_once,
        3**2,
        lambda own, parts: dot(own, united(parts)),
    ),
    "unit demand": Slow(
        lambda: mk.unit_demand(2, 3),
        lambda i, own, x: dot(own, x[i]),
        assignment,
        matchings(2, 3),
        lambda own, parts: max(dot(own, part) for part in parts),
        (-1, 0, F(1, 2), 1),
    ),
    "known single-minded": Slow(
        lambda: mk.single_minded(3, 2, BUNDLES),
        lambda i, own, x: own if covers(x[i], BUNDLES[i]) else 0,
        whole,
        4**2,
        None,
        (-1, 0, F(1, 2), 1),
    ),
    "single-minded": Slow(
        lambda: mk.single_minded(2, 2),
        lambda i, own, x: with_wants(own, x[i]),
        whole,
        3**2,
        lambda own, parts: with_wants(own, united(parts)),
    ),
    "combinatorial": Slow(
        lambda: mk.combinatorial(2, 2),
        lambda i, own, x: best_bundle(own, x[i]),
        whole,
        3**2,
        lambda own, parts: best_bundle(own, united(parts)),
    ),
    "divisible": Slow(
        lambda: mk.divisible(3),
        lambda i, own, x: own * x[i][0],
        items_once,
        None,
        lambda own, parts: own * united(parts)[0],
    ),
    "two divisible": Slow(
        lambda: mk.divisible(2, 2),
        lambda i, own, x: dot(own, x[i]),
        items_once,
        None,
        lambda own, parts: dot(own, united(parts)),
    ),
    "public project": Slow(
        lambda: mk.public_project(3, 1),
        lambda i, own, x: (own - F(1, 3)) * x,
        in_range,
        2,
        None,
    ),
}
every_setting = pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW)


def allocations(slow: Slow, setting: Setting) -> np.ndarray:
    """Every allocation with the tried entries, Fractions (k, *allocation_shape)."""
    size = math.prod(setting.allocation_shape)
    rows = list(itertools.product([F(e) for e in slow.entries], repeat=size))
    return np.array(rows, dtype=object).reshape(len(rows), *setting.allocation_shape)


def some_types(setting: Setting, count: int) -> np.ndarray:
    """Corner and random types in eighths, Fractions (count, agents, …)."""
    rng = np.random.default_rng(0)
    each = [grid(setting.types, i, 9) for i in range(setting.agents)]
    rows = [[own[rng.integers(len(own))] for own in each] for _ in range(count - 2)]
    rows += [[own[0] for own in each], [own[-1] for own in each]]
    return np.array(rows, dtype=object).reshape(count, *setting.types.shape)


# Constructors -------------------------------------------------------------------------------------


@every_setting
def test_values_agree_with_the_definition_in_floats_and_rationals(slow: Slow) -> None:
    setting = slow.make()
    x = allocations(slow, setting)
    x = np.repeat(x[[slow.feasible(one) for one in x.tolist()]], 4, axis=0)
    types = some_types(setting, len(x))
    expected = [
        [slow.value(i, own, one) for i, own in enumerate(profile)]
        for profile, one in zip(types.tolist(), x.tolist(), strict=True)
    ]
    assert any(any(row) for row in expected)
    found = setting.value(types.astype(float), x.astype(float))
    assert found.shape == (len(x), setting.agents)
    np.testing.assert_allclose(found, np.array(expected, dtype=float), rtol=0, atol=1e-12)
    assert values(setting.value(exact(types), exact(x))).tolist() == expected


@every_setting
def test_booleans_will_do_for_an_allocation(slow: Slow) -> None:
    setting = slow.make()
    x = allocations(slow, setting)
    x = x[[slow.feasible(one) and all(e in (0, 1) for e in np.ravel(one)) for one in x.tolist()]]
    types = some_types(setting, len(x)).astype(float)
    np.testing.assert_array_equal(
        setting.value(types, x.astype(bool)), setting.value(types, x.astype(float))
    )
    assert setting.feasible(x.astype(bool)).all()


@every_setting
def test_feasible_agrees_with_the_definition_on_every_small_allocation(slow: Slow) -> None:
    setting = slow.make()
    x = allocations(slow, setting)
    expected = [slow.feasible(one) for one in x.tolist()]
    assert True in expected
    assert False in expected
    assert setting.feasible(x).tolist() == expected
    slack = values(setting.slack(exact(x))).reshape(len(x), -1)
    assert [min(row) >= 0 for row in slack] == expected


@every_setting
def test_outcomes_are_all_pure_feasible_allocations(slow: Slow) -> None:
    setting = slow.make()
    if slow.count is None:
        assert setting.outcomes is None
        return
    assert setting.outcomes is not None
    listed = setting.outcomes()
    found = {tuple(np.ravel(x)) for x in listed}
    expected = {
        tuple(int(e) for e in np.ravel(x))
        for x in allocations(slow, setting).tolist()
        if all(e.denominator == 1 for e in np.ravel(x)) and slow.feasible(x)
    }
    assert found == expected
    assert len(listed) == slow.count


@every_setting
def test_joint_values_agree_with_the_definition(slow: Slow) -> None:
    setting = slow.make()
    if slow.joint is None:
        assert setting.joint_value is None
        return
    assert setting.joint_value is not None
    x = allocations(slow, setting)
    x = x[[slow.feasible(one) and all(e in (0, 1) for e in np.ravel(one)) for one in x.tolist()]]
    each = grid(setting.types, 0, 3)
    own, parts = np.repeat(each, len(x), axis=0), np.concatenate([x[:, :2]] * len(each))
    expected = [slow.joint(*pair) for pair in zip(own.tolist(), parts.tolist(), strict=True)]
    assert any(expected)
    assert values(setting.joint_value(exact(own), exact(parts))).tolist() == expected
    np.testing.assert_allclose(
        setting.joint_value(own.astype(float), parts.astype(float)),
        np.array(expected, dtype=float),
        rtol=0,
        atol=1e-12,
    )


@every_setting
def test_values_are_types_times_quantity_in_single_parameter_settings(slow: Slow) -> None:
    setting = slow.make()
    if setting.quantity is None:
        assert setting.types.coordinates != ()
        return
    x = allocations(slow, setting)
    x = x[[slow.feasible(one) for one in x.tolist()]]
    low = np.broadcast_to(setting.types.low, (len(x), setting.agents))
    high = np.broadcast_to(setting.types.high, (len(x), setting.agents))
    most, least = (values(setting.value(exact(t), exact(x))) for t in (high, low))
    rise = most - least
    sign = np.where(setting.sellers, -1, 1)
    assert (rise == values(setting.quantity(exact(x))) * (high - low) * sign).all()


@every_setting
def test_samples_are_types(slow: Slow) -> None:
    setting = slow.make()
    first, again = (setting.sample(np.random.default_rng(3), 200) for _ in range(2))
    assert first.shape == (200, *setting.types.shape)
    assert contains(setting.types, first).all()
    assert first.tolist() == again.tolist()


@every_setting
def test_resizing_keeps_the_kind_of_setting(slow: Slow) -> None:
    setting = slow.make()
    if setting.resize is None:
        assert "known" in setting.name
        return
    role = setting.roles[-1]
    larger = setting.resized({role: setting.role_counts()[role] + 1})
    assert larger.agents == setting.agents + 1
    assert larger.roles == (*setting.roles, role)
    assert larger.types.coordinates == setting.types.coordinates
    same = larger.resized({role: setting.role_counts()[role]})
    assert same.name == setting.name
    x = allocations(slow, setting)
    assert same.feasible(x).tolist() == setting.feasible(x).tolist()


def test_shapes_and_roles_are_as_documented() -> None:
    assert mk.multi_unit(3, 5, demand=4).types.shape == (3, 4)
    assert mk.multi_unit(3, 5, demand=4).allocation_shape == (3,)
    assert mk.positions(4, [3, 2, 1]).allocation_shape == (4, 3)
    assert mk.double_auction(2, 1).roles == ("buyer", "buyer", "seller")
    assert mk.double_auction(2, 1).sellers.tolist() == [False, False, True]
    assert mk.single_minded(2, 3).types.shape == (2, 4)
    assert mk.combinatorial(2, 3).types.shape == (2, 7)
    assert mk.divisible(2, 3).types.shape == (2, 3)
    assert mk.public_project(4, 1).allocation_shape == ()
    assert not mk.public_project(4, 1).personal
    assert bundle_table(2).tolist() == [[1, 0], [0, 1], [1, 1]]
    assert mk.single_item(2, low=-1, high=[2, 3]).types.high.tolist() == [2, 3]


def test_marginal_values_do_not_increase() -> None:
    space = mk.multi_unit(1, 3, demand=3).types
    points = np.array([[[3, 2, 1]], [[1, 1, 1]], [[1, 2, 0]], [[2, 0, 1]]], dtype=object) * F(1, 3)
    assert contains(space, points).tolist() == [True, True, False, False]


def test_a_concave_utility_of_divisible_resources() -> None:
    def utility(types: Any, shares: Any) -> Any:
        return types * (2 * shares - shares**2)[..., 0]

    setting = mk.divisible(2, utility=utility)
    shares = exact([[[F(1, 4)], [F(3, 4)]]])
    assert values(setting.value(exact([[1, F(1, 2)]]), shares)).tolist() == [[F(7, 16), F(15, 32)]]
    assert setting.quantity is None
    assert setting.joint_value is not None
    assert values(setting.joint_value(exact([F(1, 2)]), shares)).tolist() == [F(1, 2)]


def test_nobody_wants_nothing_in_drawn_single_minded_types() -> None:
    draws = mk.single_minded(3, 2, prior=stats.uniform(0.5, 0.5)).sample(
        np.random.default_rng(0), 500
    )
    assert draws[..., 1:].any(axis=-1).all()
    assert draws[..., 0].min() >= 0.5


def test_a_function_draws_whole_single_minded_types() -> None:
    types = np.array([[[0.5, 1, 0], [0.25, 1, 1]]])
    setting = mk.single_minded(2, 2, prior=lambda rng, batch: np.repeat(types, batch, axis=0))
    assert setting.sample(np.random.default_rng(0), 3).tolist() == types.tolist() * 3
