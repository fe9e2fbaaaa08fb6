"""What settings share: sizes and roles, public information, lotteries, reports of their own.

What is declared by mistake is answered first. `test_constructors` has what allocations are worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy import stats

import mechkit as mk
from mechkit.errors import InputError
from mechkit.settings import Setting, truth
from mechkit.settings import values as worth
from mechkit.spaces import box
from proofs import exact, values

F = Fraction

# Mistakes -----------------------------------------------------------------------------------------

MISTAKES: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "agents": (lambda: mk.single_item(0), ("agents = 0", "integer of at least 1")),
    "whole agents": (lambda: mk.additive(2.0, 1), ("agents = 2.0", "integer")),  # type: ignore[arg-type]
    "true": (lambda: mk.single_item(True), ("agents = True", "integer")),
    "units": (lambda: mk.multi_unit(2, 0), ("units = 0", "at least 1")),
    "demand": (lambda: mk.multi_unit(2, 2, demand=0), ("demand = 0", "at least 1")),
    "sellers": (lambda: mk.double_auction(1, 0), ("sellers = 0", "at least 1")),
    "items": (lambda: mk.unit_demand(2, 0), ("items = 0", "at least 1")),
    "resources": (lambda: mk.divisible(2, 0), ("resources = 0", "at least 1")),
    "rates": (lambda: mk.positions(2, [1, 2]), ("[1, 2]", "do not increase")),
    "negative": (lambda: mk.positions(2, [1, -1]), ("[1, -1]", "non-negative")),
    "bundles": (lambda: mk.single_minded(2, 2, [[1, 0]]), ("(1, 2)", "(2, 2)", "at least one")),
    "empty bundle": (lambda: mk.single_minded(2, 1, [[1], [0]]), ("at least one item per agent",)),
    "too many": (lambda: mk.combinatorial(2, 9), ("items = 9", "2^9", "8 or fewer")),
    "cost": (lambda: mk.public_project(2, -1), ("cost = -1", "at least 0")),
    "cost in words": (lambda: mk.public_project(2, "dear"), ("cost = 'dear'", "number")),
    "roles": (lambda: mk.single_item(2, roles=("a",)), ("1 roles for 2 agents", "one role per")),
    "fixed": (
        lambda: mk.single_minded(3, 2, [[1, 0], [1, 1], [0, 1]]).resized(4),
        ("fixed number of agents", "resized"),
    ),
    "own bounds": (lambda: mk.single_item(2, low=[0, 1], high=2).resized(3), ("fixed number",)),
    "which role": (
        lambda: mk.double_auction(2, 2).resized(3),
        ("['buyer', 'seller']", "how many of each", "resized({'buyer': 3})"),
    ),
    "unknown role": (
        lambda: mk.double_auction(2, 2).resized({"broker": 3}),
        ("['broker']", "['buyer', 'seller']"),
    ),
    "resized to none": (lambda: mk.single_item(2).resized(0), ("agents = 0", "at least 1")),
    "too long a list": (
        lambda: mk.additive(9, 9).outcomes(),  # type: ignore[misc]
        ("200000 outcomes", "fewer agents or items"),
    ),
    "drawn shape": (
        lambda: one_type(np.zeros((4, 3))),
        ("(4, 3)", "expected (4, 2)"),
    ),
    "drawn outside": (lambda: one_type(np.full((4, 2), 3.0)), ("[3.0, 3.0]", "[0, 1]", "widen")),
    "no draws": (lambda: mk.Lottery(draws=[]), ("at least one draw",)),
    "no axis": (lambda: mk.Lottery(draws=3), ("at least one draw",)),
    "weights": (
        lambda: mk.Lottery(draws=[0, 1], weights=(F(1, 2), F(1, 3))),
        ("['1/2', '1/3']", "2 draws", "summing to one"),
    ),
    "zero weight": (lambda: mk.Lottery(draws=[0, 1], weights=(F(1), F(0))), ("positive weight",)),
    "no truth": (
        lambda: bare(reports=box(2)),
        ("truthful is missing", "truthful(types) -> reports"),
    ),
    "sizes": (
        lambda: bare(reports=box(3), truthful=lambda t: t),
        ("different numbers of agents", "same size"),
    ),
    "shared outcome": (
        lambda: bare(allocation_shape=()),
        ("allocation_shape = ()", "2 agents", "personal=False"),
    ),
    "value": (lambda: bare(value=3), ("value = 3", "function over a batch")),
    "slack": (lambda: bare(slack=None), ("slack = None", "function over a batch")),
}


def bare(**changes: Any) -> Setting:
    """A setting of two agents, filled in by hand."""
    given: dict[str, Any] = {
        "name": "bare",
        "types": box(2),
        "allocation_shape": (2,),
        "value": lambda types, x: types * x,
        "slack": lambda x: np.concatenate([x * 1, 1 - x], axis=-1),
    }
    return Setting(**{**given, **changes})


def one_type(draws: np.ndarray) -> np.ndarray:
    return mk.single_item(2, prior=lambda rng, batch: draws).sample(np.random.default_rng(0), 4)


@pytest.mark.parametrize(("attempt", "parts"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_answered_with_value_expectation_and_remedy(
    attempt: Callable[[], Any], parts: Sequence[str]
) -> None:
    with pytest.raises(InputError) as caught:
        attempt()
    for part in parts:
        assert part in str(caught.value)


# Sizes and roles ----------------------------------------------------------------------------------


def test_resized_by_a_number_or_by_roles() -> None:
    assert mk.single_item(2, high=5).resized(4).types.high.tolist() == [5] * 4
    market = mk.double_auction(2, 3, high=7).resized({"seller": 1})
    assert market.role_counts() == {"buyer": 2, "seller": 1}
    assert market.types.high.tolist() == [7] * 3


def test_a_larger_setting_keeps_roles_and_prior() -> None:
    assert mk.single_item(2, roles=("performance",) * 2).resized(3).roles == ("performance",) * 3
    prior = stats.uniform(0.5, 0.5)
    assert mk.single_item(2, prior=prior).resized(3).prior is prior
    assert mk.single_item(2, prior=[prior, prior]).resize is None, "whose would the third be?"


def test_agents_of_several_roles_are_fixed() -> None:
    mixed = mk.single_item(3, roles=("performance", "brand", "brand"))
    assert mixed.role_counts() == {"performance": 1, "brand": 2}
    assert mixed.resize is None
    assert mixed.joint_value is None


# Public information -------------------------------------------------------------------------------


def test_with_public_wraps_values_and_survives_resizing() -> None:
    plain = mk.single_item(2)
    coin = mk.Lottery(draws=[0, 1])
    setting = plain.with_public(coin=coin).with_public(scale=box(1, high=2))
    assert set(setting.public) == {"coin", "scale"}
    assert plain.public == {}
    assert set(setting.resized(3).public) == {"coin", "scale"}
    types, x = np.array([[0.5, 1.0]]), np.array([[0, 1]])
    assert worth(setting, types, x, {"coin": None, "scale": None}).tolist() == [[0, 1]]
    assert setting.lotteries == ("coin",)
    assert plain.with_public(coin=mk.Lottery(draws=[0, 1], every=True)).lotteries == ()


def test_values_may_use_what_is_public() -> None:
    def scaled(types: Any, x: Any, *, public: Mapping[str, Any]) -> Any:
        return types * x * public["scale"]

    setting = bare(value=scaled).with_public(scale=box(1, high=2))
    found = worth(setting, exact([[1, F(1, 2)]]), exact([[0, 1]]), {"scale": exact([[F(3, 2)]])})
    assert values(found).tolist() == [[0, F(3, 4)]]


def test_lottery_weights_are_exact_and_equal_by_default() -> None:
    assert mk.Lottery(draws=[0, 1, 2]).weights == (F(1, 3),) * 3
    assert mk.Lottery(draws=[[0, 1], [1, 0]], weights=(F(1, 4), F(3, 4))).weights == (
        F(1, 4),
        F(3, 4),
    )
    # A float means the simplest rational that rounds to it, as everywhere.
    weights: Any = (0.3, 0.7)
    assert mk.Lottery(draws=[0, 1], weights=weights).weights == (F(3, 10), F(7, 10))


def test_who_could_tell_reports_from_types() -> None:
    assert not bare().apart
    assert bare(interdependent=True).apart
    assert bare(truthful=lambda types: types / 2).apart
    assert bare(reports=box(2, 3), truthful=lambda types: types).apart
    assert bare().with_public(seen=lambda types: types[:, :1]).apart
    assert not bare().with_public(scale=box(1)).apart
    assert not bare().with_public(coin=mk.Lottery(draws=[0, 1])).apart


def test_truth_is_the_identity_unless_the_setting_says_otherwise() -> None:
    types = exact([[F(1, 3), F(1)]])
    assert truth(bare(), types, {}) is types
    halved = bare(truthful=lambda types: types / 2)
    assert values(truth(halved, types, {})).tolist() == [[F(1, 6), F(1, 2)]]

    def announced(types: Any, *, public: Mapping[str, Any]) -> Any:
        return types * public["scale"]

    scaled = bare(truthful=announced).with_public(scale=box(1))
    assert values(truth(scaled, types, {"scale": exact([[3]])})).tolist() == [[1, 3]]


def test_reports_live_in_their_own_space() -> None:
    setting = bare(reports=box(2, 2, high=9), truthful=lambda t: np.stack([t, t], axis=-1))
    assert setting.report_space.shape == (2, 2)
    plain = bare()
    assert plain.report_space is plain.types
    assert truth(setting, np.array([[1.0, 2.0]]), {}).tolist() == [[[1, 1], [2, 2]]]


def test_a_grid_lists_every_agents_types():
    columns = mk.single_item(2, low=[0, 1], high=[1, 3]).grid(3)
    assert [column.tolist() for column in columns] == [[0, F(1, 2), 1], [1, 2, 3]]
    falling = mk.multi_unit(1, 2, 2).grid(2)[0].tolist()
    assert falling == [[0, 0], [1, 0], [1, 1]]
