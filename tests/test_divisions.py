"""Many divisions of resources at once: against one at a time, Clarabel, and hand computation."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

import solvers


def drawn(seed: int, batch: int, agents: int, resources: int = 3):
    rng = np.random.default_rng(seed)
    return rng.uniform(100, 200, (batch, agents)), rng.uniform(0, 10, (batch, agents, resources))


def test_one_resource_by_water_filling():
    # u_i = β_i (1 − e^(−ξ s_i)), ξ = 2: slopes 2 β_i e^(−2 s_i) are equal, so s_1 − s_2 = log(β_1 /
    # β_2) / 2. With β = (e, 1): s = (3/4, 1/4); with β = (e^3, 1) the first takes all.
    heights = np.array([[math.e, 1], [math.e**3, 1]])
    found = solvers.divisions(heights, np.full((2, 2, 1), 2.0), payments=True)
    assert found.allocation[..., 0] == pytest.approx(np.array([[0.75, 0.25], [1, 0]]), abs=1e-6)
    total = math.e * (1 - math.exp(-1.5)) + (1 - math.exp(-0.5))
    assert found.value == pytest.approx([total, math.e**3 * (1 - math.exp(-2))])
    # Without one the other has everything.
    alone = heights * (1 - math.exp(-2))
    own = heights * -np.expm1(-2 * np.array([[0.75, 0.25], [1, 0]]))
    paid = alone[:, ::-1] - own[:, ::-1]
    assert found.payments == pytest.approx(paid, abs=1e-6)


@pytest.mark.parametrize(("agents", "resources"), [(1, 3), (2, 1), (5, 3), (12, 4)])
def test_as_one_at_a_time(agents, resources):
    heights, rates = drawn(agents, 6, agents, resources)
    found = solvers.divisions(heights, rates, payments=True)
    assert found.status is solvers.Status.OPTIMAL
    for k in range(6):
        alone = solvers.divisible(solvers.Saturating(heights[k], rates[k]), payments=True)
        assert found.value[k] == pytest.approx(alone.value, rel=1e-9)
        assert found.payments[k] == pytest.approx(alone.payments, abs=1e-5)


def test_against_clarabel():
    heights, rates = drawn(7, 3, 4)
    found = solvers.divisions(heights, rates, payments=True)
    for k in range(3):
        utilities = solvers.Saturating(heights[k], rates[k])
        conic = solvers.divisible(utilities, payments=True, method="clarabel")
        assert found.value[k] == pytest.approx(conic.value, rel=1e-6)
        assert found.payments[k] == pytest.approx(conic.payments, abs=1e-3)


def test_feasible_and_bounded_by_its_certificate():
    heights, rates = drawn(3, 40, 10)
    heights *= 10.0 ** np.arange(-20, 20)[:, None]
    found = solvers.divisions(heights, rates)
    assert found.allocation.min() >= 0
    assert found.allocation.sum(axis=1).max() <= 1 + 1e-12
    value = (heights * -np.expm1(-(rates * found.allocation).sum(axis=-1))).sum(axis=-1)
    assert found.value == pytest.approx(value, rel=1e-12)
    assert (found.certificate.bound() <= found.value * (1 + 1e-9)).all()
    # Any prices bound what random divisions reach.
    rng = np.random.default_rng(0)
    for _ in range(20):
        shares = rng.dirichlet(np.ones(10), size=(40, 3)).swapaxes(1, 2)
        reached = (heights * -np.expm1(-(rates * shares).sum(axis=-1))).sum(axis=-1)
        assert (reached <= found.certificate.bound()).all()


def test_the_batch_does_not_matter(monkeypatch):
    heights, rates = drawn(5, 30, 6)
    whole = solvers.divisions(heights, rates, payments=True)
    monkeypatch.setattr(sys.modules["solvers.divisions"], "CELLS", 40)
    parts = solvers.divisions(heights, rates, payments=True)
    assert parts.value == pytest.approx(whole.value, rel=1e-10)
    assert parts.payments == pytest.approx(whole.payments, abs=1e-5)


def test_badly_scaled_instances_do_not_spoil_the_others():
    """Heights and rates over eight orders of magnitude: value, bound and payments stay honest."""
    rng = np.random.default_rng(6)
    heights, rates = 10 ** rng.uniform(-4, 4, (40, 4)), 10 ** rng.uniform(-4, 4, (40, 4, 3))
    rates[rng.random(rates.shape) < 0.3] = 0
    heights[:, 0], rates[:, 0, 0] = 1, 1
    heights[::2], rates[::2] = drawn(6, 20, 4)
    found = solvers.divisions(heights, rates, payments=True)
    gap = 1e-7 if found.status is solvers.Status.OPTIMAL else 1e-4
    for k in range(40):
        alone = solvers.divisible(solvers.Saturating(heights[k], rates[k]), payments=True)
        assert found.value[k] <= alone.bound * (1 + 1e-12)
        assert found.bound[k] >= alone.value * (1 - 1e-12)
        assert found.value[k] == pytest.approx(alone.value, rel=gap)
        near = (
            {"rel": 1e-6, "abs": 1e-8 * alone.value} if k % 2 == 0 else {"abs": alone.value * gap}
        )
        assert found.payments[k] == pytest.approx(alone.payments, **near)


def test_somebody_who_wants_nothing():
    # The second wants nothing, and the first pays nothing for having everything.
    found = solvers.divisions([[100.0, 0.0]], np.ones((1, 2, 3)), payments=True)
    assert found.value == pytest.approx([100 * (1 - math.exp(-3))])
    assert found.payments == pytest.approx(np.zeros((1, 2)), abs=1e-6)


@pytest.mark.parametrize(
    ("heights", "rates", "why"),
    [
        (np.ones((2, 3)), np.ones((2, 4, 3)), r"shape \(2, 3\) and rates \(2, 4, 3\)"),
        (np.ones(3), np.ones((1, 3, 3)), "2 dimensions"),
        (-np.ones((1, 3)), np.ones((1, 3, 3)), "finite numbers"),
        (np.ones((1, 3)), np.full((1, 3, 3), np.nan), "finite numbers"),
        (np.array([[1.0, 1], [0, 0]]), np.ones((2, 2, 3)), "nobody wants anything in instance 1"),
        (np.ones((1, 0)), np.ones((1, 0, 3)), "none of them 0"),
    ],
)
def test_bad_input_is_explained(heights, rates, why):
    with pytest.raises(ValueError, match=why):
        solvers.divisions(heights, rates)
