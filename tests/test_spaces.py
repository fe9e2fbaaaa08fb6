"""Type spaces: membership is exact, repair moves as little as needed, draws have the stated law.

Everything is compared with plain Python loops over Fractions, with geometry worked out by hand, or
with probabilities known in closed form; a frequency from n draws is held to Hoeffding's bound,
P(|f − p| ≥ ε) ≤ 2 exp(−2nε²), which at the n and ε below is under one in a million.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mechkit.errors import InputError
from mechkit.priors import level_weights, sampler, uniform
from mechkit.spaces import Space, box, contains, grid, repair

F = Fraction
DRAWS, NEAR = 20_000, 0.02
FALLING = ([[-1, 1]], [0])  # t_1 ≤ t_0
TRIANGLE = box(2, 2, constraints=FALLING)


def exactly(rows: Any) -> np.ndarray:
    """Nested lists of numbers as an object array of Fractions."""
    raw = np.array(rows, dtype=object)
    return np.array([F(x) for x in raw.ravel()], dtype=object).reshape(raw.shape)


def inside(space: Space, profile: Any) -> bool:
    """Membership of one profile of Fractions, from the definition."""
    for i, own in enumerate(np.reshape(profile, (space.agents, -1)).tolist()):
        low, high = (b.reshape(space.agents, -1)[i] for b in (space.low, space.high))
        for c, x in enumerate(own):
            levels = None if space.levels is None else space.levels[c]
            if not low[c] <= x <= high[c] or (levels is not None and x not in levels):
                return False
        if space.constraints is not None:
            for row, bound in zip(*space.constraints, strict=True):
                if sum(a * x for a, x in zip(row, own, strict=True)) > bound:
                    return False
    return True


SPACES = {
    "unit box": box(3),
    "own bounds": box(2, low=[0, F(1, 3)], high=[F(1, 2), 5]),
    "bounds by coordinate": box(2, 2, low=[0, -1], high=[[1, 2], [3, 4]]),
    "shared levels": box(2, levels=(0, F(1, 3), 1)),
    "levels by coordinate": box(2, 2, high=[1, 4], levels=[(0, F(1, 3)), None]),
    "falling": TRIANGLE,
    "budget": box(2, 3, constraints=([[1, 1, 1], [1, -1, 0]], [F(3, 2), F(1, 2)])),
    "levels, falling": box(2, 2, levels=(0, F(1, 2), 1), constraints=FALLING),
    "levels, own bounds": box(2, low=[0, 5], high=[4, 10], levels=(0, 3, 6, 10)),
}
every_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)


# Declaring ----------------------------------------------------------------------------------------


def test_bounds_are_the_simplest_rationals_and_broadcast() -> None:
    space = box(2, 3, low=[[0.1], [1 / 3]], high=["3/4", 1, 2.5])
    assert space.shape == (2, 3)
    assert (space.agents, space.coordinates, space.size) == (2, (3,), 3)
    assert space.low.tolist() == [[F(1, 10)] * 3, [F(1, 3)] * 3]
    assert space.high.tolist() == [[F(3, 4), F(1), F(5, 2)]] * 2
    assert space.scale == 2.5
    assert box(2).coordinates == ()
    assert box(2).size == 1


def test_scale_is_the_largest_absolute_bound() -> None:
    assert box(2, low=[-7, 0], high=[1, 3]).scale == 7
    assert box(1, low=0, high=0).scale == 1, "a scale of zero would make every margin large"


def test_levels_are_sorted_without_repeats_and_finite_only_if_all_are() -> None:
    space = box(1, levels=(1, 0.5, 0, F(1, 2)))
    assert space.levels == ((F(0), F(1, 2), F(1)),)
    assert space.finite
    assert not SPACES["levels by coordinate"].finite
    assert not SPACES["unit box"].finite


MISTAKES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "no agents": ({"agents": 0}, ("agents = 0", "at least 1")),
    "half an agent": ({"agents": 1.5}, ("agents = 1.5", "integer")),
    "not a number": ({"high": float("nan")}, ("high = nan", "finite number")),
    "infinite": ({"low": float("-inf")}, ("low = -inf", "finite number")),
    "a word": ({"high": "dear"}, ("high = 'dear'", "finite number")),
    "nothing": ({"low": None}, ("low = None", "finite number")),
    "division by zero": ({"high": "1/0"}, ("high = '1/0'", "finite number")),
    "crossed": ({"low": [0, 2]}, ("low = 2", "high = 1", "(1,)", "swap")),
    "not one per agent": ({"low": [0, 0, 0]}, ("low", "(3,)", "(2,)", "broadcast", "give")),
    "level outside": ({"levels": (0, 3)}, ("['0', '3']", "[0, 1]", "widen")),
    "no level": ({"levels": ()}, ("empty set of levels", "at least one")),
    "levels for two": ({"levels": [(0,), (1,)]}, ("2 entries", "1 coordinates", "one each")),
    "level is a word": ({"levels": ("x",)}, ("level = 'x'", "finite number")),
    "constraint shapes": (
        {"constraints": ([[1, 1]], [1])},
        ("(1, 2)", "(1,)", "expected (k, 1) and (k,)"),
    ),
}


@pytest.mark.parametrize(("given_", "parts"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_answered_with_value_expectation_and_remedy(
    given_: dict[str, Any], parts: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as caught:
        box(**{"agents": 2, **given_})
    for part in parts:
        assert part in str(caught.value)


def test_an_empty_coordinate_is_refused() -> None:
    with pytest.raises(InputError, match=r"coordinates = 0.*at least 1"):
        box(2, 0)


def test_the_message_about_levels_names_the_bounds_that_were_crossed() -> None:
    with pytest.raises(InputError) as caught:
        box(2, low=[0, 5], high=[1, 10], levels=(0, 20))
    assert "[0, 10]" in str(caught.value)


def test_an_empty_space_is_noticed_when_something_is_drawn_from_it() -> None:
    empty = box(1, 2, constraints=([[1, 1]], [-1]))
    with pytest.raises(InputError, match=r"empty.*relax them or widen"):
        _ = empty.centre
    with pytest.raises(InputError, match=r"ten thousand.*give the setting a prior"):
        uniform(empty, np.random.default_rng(0), 2)


# Membership ---------------------------------------------------------------------------------------


@every_space
def test_contains_agrees_with_the_definition_on_fractions_and_floats(space: Space) -> None:
    rng = np.random.default_rng(1)
    pool = [F(0), F(1, 3), F(1, 2), F(1), F(-1), F(5), F(3), F(6), F(7, 4)]
    profiles = np.array(pool, dtype=object)[rng.integers(0, len(pool), (600, *space.shape))]
    expected = [inside(space, profile) for profile in profiles]
    assert any(expected)
    assert not all(expected)
    assert contains(space, profiles).tolist() == expected
    assert contains(space, profiles.astype(float)).tolist() == expected


def test_contains_decides_a_hair_off_the_boundary_in_fractions() -> None:
    hair = F(1, 10**40)
    third = box(1, low=F(1, 3), high=F(2, 3))
    points = exactly([[F(1, 3)], [F(1, 3) - hair], [F(2, 3)], [F(2, 3) + hair]])
    assert contains(third, points).tolist() == [True, False, True, False]
    diagonal = exactly([[[F(1, 3), F(1, 3) + d]] for d in (0, hair, -hair)])
    assert contains(box(1, 2, constraints=FALLING), diagonal).tolist() == [True, False, True]
    levels = exactly([[F(1, 3)], [F(1, 3) + hair]])
    assert contains(box(1, levels=(F(1, 3),)), levels).tolist() == [True, False]


def test_slack_widens_bounds_levels_and_constraints_for_floats() -> None:
    off = 1e-10
    for space, point in (
        (box(1), [[1 + off]]),
        (box(1, levels=(0, 1)), [[off]]),
        (box(1, 2, constraints=FALLING), [[[0.5, 0.5 + off]]]),
    ):
        assert not contains(space, np.array(point))[0]
        assert contains(space, np.array(point), slack=1e-9)[0]


def test_contains_checks_each_column_against_its_owner() -> None:
    space = SPACES["own bounds"]  # [0, 1/2] and [1/3, 5]
    columns = exactly([[4, F(1, 3), F(1, 2)], [4, F(1, 3), F(3, 4)], [F(1, 4), 1, 0]])
    assert contains(space, columns, agents=(1, 1, 0)).tolist() == [True, False, False]


# Repair -------------------------------------------------------------------------------------------


@every_space
def test_repair_ends_inside_and_leaves_what_is_inside(space: Space) -> None:
    rng = np.random.default_rng(2)
    scale = space.scale
    points = rng.uniform(-scale / 2, 3 * scale / 2, (400, *space.shape))
    points[:200] = uniform(space, rng, 200)
    points[0] = space.high_float
    before = points.copy()
    kept = contains(space, before)
    assert kept[1:200].all()
    assert repair(space, points) is points
    assert contains(space, points).all()
    np.testing.assert_allclose(points[kept], before[kept], rtol=0, atol=1e-11)


@settings(deadline=None)
@given(st.lists(st.floats(-2, 3), min_size=2, max_size=2))
def test_repair_of_a_box_and_of_levels_goes_to_the_nearest_point(row: list[float]) -> None:
    clipped = repair(box(2, high=[1, 0.5]), np.array([row]))[0]
    assert clipped.tolist() == [min(max(x, 0), high) for x, high in zip(row, (1, 0.5), strict=True)]
    levels = (0.0, 0.25, 1.0)
    snapped = repair(box(2, levels=levels), np.array([row]))[0]
    for x, found in zip(row, snapped, strict=True):
        clip = min(max(x, 0), 1)
        assert abs(found - clip) == min(abs(level - clip) for level in levels)


def test_repair_pulls_towards_the_centre_no_further_than_the_boundary() -> None:
    # From (0, 1) towards the centre (c, 1 − c) the diagonal t_0 = t_1 is met at (1/2, 1/2).
    space = box(1, 2, constraints=FALLING)
    np.testing.assert_allclose(
        repair(space, np.array([[[0.0, 1.0]]])), [[[0.5, 0.5]]], rtol=0, atol=1e-9
    )
    rng = np.random.default_rng(3)
    outside = rng.random((200, 1, 2))
    outside = outside[outside[:, 0, 1] > outside[:, 0, 0] + 1e-6]
    moved = repair(space, outside.copy())
    np.testing.assert_allclose(moved[..., 0], moved[..., 1], rtol=0, atol=1e-9)
    path, step = space.centre - outside, moved - outside
    np.testing.assert_allclose(path[..., 0] * step[..., 1], path[..., 1] * step[..., 0], atol=1e-9)


def test_the_centre_is_the_incentre_of_the_triangle() -> None:
    radius = 1 - 1 / 2**0.5  # of the circle in a right triangle with legs 1
    np.testing.assert_allclose(TRIANGLE.centre, [[1 - radius, radius]] * 2, atol=1e-9)
    assert box(2, low=[0, 1], high=3).centre.tolist() == [[1.5], [2.0]]


def test_repair_uses_the_bounds_of_each_column_s_owner() -> None:
    space = SPACES["own bounds"]
    found = repair(space, np.array([[9.0, -1.0, 9.0]]), agents=(0, 1, 1))
    assert found.tolist() == [[0.5, 1 / 3, 5.0]]


# Grids --------------------------------------------------------------------------------------------


@every_space
@pytest.mark.parametrize("points", [1, 2, 4])
def test_the_grid_is_every_combination_that_lies_inside(space: Space, points: int) -> None:
    for agent in range(space.agents):
        low, high = (b.reshape(space.agents, -1)[agent] for b in (space.low, space.high))
        axes = []
        for c in range(space.size):
            level = None if space.levels is None else space.levels[c]
            steps = [F(k, max(points - 1, 1)) for k in range(points)]
            even = [low[c] + s * (high[c] - low[c]) for s in steps]
            axes.append([v for v in (level or even) if low[c] <= v <= high[c]])
        a, b = space.constraints or (np.zeros((0, space.size)), [])
        expected = [
            t
            for t in itertools.product(*axes)
            if all(
                sum(x * y for x, y in zip(row, t, strict=True)) <= most
                for row, most in zip(a, b, strict=True)
            )
        ]
        found = grid(space, agent, points)
        assert found.shape == (len(expected), *space.coordinates)
        assert all(isinstance(x, F) for x in found.ravel())
        assert [tuple(row) for row in found.reshape(len(expected), -1)] == expected


def test_a_degenerate_coordinate_has_one_grid_point() -> None:
    assert grid(box(1, low=2, high=2), 0, 5).tolist() == [F(2)]


def test_grid_errors() -> None:
    with pytest.raises(InputError, match=r"points = 0.*at least one"):
        grid(box(1), 0, 0)
    with pytest.raises(InputError, match=r"10000000000 types.*fewer points"):
        grid(box(1, 10), 0, 10)


# Priors -------------------------------------------------------------------------------------------


def share(draws: np.ndarray) -> float:
    return float(np.mean(draws))


def test_uniform_fills_the_box_of_each_agent() -> None:
    space = SPACES["own bounds"]
    draws = uniform(space, np.random.default_rng(4), DRAWS)
    assert draws.shape == (DRAWS, 2)
    assert contains(space, draws).all()
    for column, cut in ((0, 0.125), (1, 1 / 3 + (5 - 1 / 3) / 4)):
        assert share(draws[:, column] <= cut) == pytest.approx(1 / 4, abs=NEAR)


def test_uniform_under_constraints_is_uniform_on_the_triangle() -> None:
    draws = uniform(TRIANGLE, np.random.default_rng(5), DRAWS)
    assert contains(TRIANGLE, draws).all()
    for agent in (0, 1):
        first, second = draws[:, agent].T
        assert share(first <= 0.5) == pytest.approx(1 / 4, abs=NEAR)
        assert share(second <= 0.5) == pytest.approx(3 / 4, abs=NEAR)
    assert share((draws[:, 0, 0] <= 0.5) & (draws[:, 1, 0] <= 0.5)) == pytest.approx(
        1 / 16, abs=NEAR
    ), "agents are independent"


@pytest.mark.parametrize(
    "space",
    [
        box(1, levels=(0, F(1, 3), 1)),
        box(1, 2, levels=(0, 1)),
        box(1, high=10, levels=(0, 1, 10)),
        box(1, 2, levels=(0, F(1, 2), 1), constraints=FALLING),
        box(1, low=3, high=10, levels=[(3, 4, 10)]),
    ],
    ids=["uneven", "two coordinates", "skewed", "constrained", "shifted"],
)
def test_uniform_over_finite_types_gives_each_the_same_chance(space: Space) -> None:
    types = grid(space, 0).reshape(-1, space.size).astype(float)
    draws = uniform(space, np.random.default_rng(6), DRAWS).reshape(DRAWS, -1)
    for one in types:
        assert share((draws == one).all(axis=1)) == pytest.approx(1 / len(types), abs=NEAR)


def test_uniform_with_some_levels_gives_each_level_the_same_chance() -> None:
    space = box(1, 2, high=[1, 10], levels=[None, (0, 1, 10)])
    draws = uniform(space, np.random.default_rng(7), DRAWS)[:, 0]
    assert share(draws[:, 0] <= 0.25) == pytest.approx(1 / 4, abs=NEAR)
    for level in (0, 1, 10):
        assert share(draws[:, 1] == level) == pytest.approx(1 / 3, abs=NEAR)


def test_uniform_levels_respect_the_bounds_of_each_agent() -> None:
    space = SPACES["levels, own bounds"]
    draws = uniform(space, np.random.default_rng(8), DRAWS)
    for column, levels in ((0, (0, 3)), (1, (6, 10))):
        for level in levels:
            assert share(draws[:, column] == level) == pytest.approx(1 / 2, abs=NEAR)


def test_a_frozen_distribution_serves_every_agent() -> None:
    draw = sampler(box(2, 2), stats.beta(2, 1))  # P(t ≤ x) = x²
    draws = draw(np.random.default_rng(9), DRAWS)
    assert draws.shape == (DRAWS, 2, 2)
    for column in draws.reshape(DRAWS, -1).T:
        assert share(column <= 0.5) == pytest.approx(1 / 4, abs=NEAR)


def test_one_distribution_per_agent() -> None:
    draw = sampler(box(2), [stats.uniform(0, 0.5), stats.uniform(0.5, 0.5)])
    draws = draw(np.random.default_rng(10), DRAWS)
    assert draws[:, 0].max() <= 0.5 <= draws[:, 1].min()
    for column, cut in ((0, 0.125), (1, 0.625)):
        assert share(draws[:, column] <= cut) == pytest.approx(1 / 4, abs=NEAR)


def test_weights_over_levels() -> None:
    space = box(2, levels=(1, 0, F(1, 2)))
    weights = (0.2, 0.3, 0.5)  # in the order of the sorted levels 0, 1/2, 1
    assert level_weights(space, weights) == (F(1, 5), F(3, 10), F(1, 2))
    assert level_weights(space, None) == (F(1, 3),) * 3
    assert level_weights(box(2), None) is None
    draws = sampler(space, weights)(np.random.default_rng(11), DRAWS)
    for column in draws.T:
        for level, weight in zip((0, 0.5, 1), weights, strict=True):
            assert share(column == level) == pytest.approx(weight, abs=NEAR)


def test_a_function_is_used_as_it_is() -> None:
    def draw(rng: np.random.Generator, batch: int) -> np.ndarray:
        return np.full((batch, 2), rng.random())

    expected = np.random.default_rng(12).random()
    assert sampler(box(2), draw)(np.random.default_rng(12), 3).tolist() == [[expected] * 2] * 3


BAD_PRIORS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "a number": (3, ("prior = 3", "frozen scipy.stats", "one per agent", "weights")),
    "too few": ([stats.uniform()], ("expected", "2 of them")),
    "support": (stats.uniform(0, 2), ("agent 0", "[0.0, 2.0]", "[0.0, 1.0]", "widen", "truncate")),
    "second support": ([stats.uniform(), stats.norm()], ("agent 1", "-inf", "truncate")),
}


@pytest.mark.parametrize(("prior", "parts"), BAD_PRIORS.values(), ids=BAD_PRIORS)
def test_a_bad_prior_is_refused(prior: Any, parts: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        sampler(box(2), prior)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("weights", [(0.5, 0.6), (1,), (1.5, -0.5)])
def test_bad_weights_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match=r"over 2 levels: expected one non-negative .* to one"):
        sampler(box(2, levels=(0, 1)), weights)


@every_space
def test_draws_are_reproduced_by_the_seed(space: Space) -> None:
    first, again, other = (uniform(space, np.random.default_rng(s), 50) for s in (13, 13, 14))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
    assert contains(space, first).all()
