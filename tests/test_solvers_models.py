"""The programs as they are written, in Pyomo: additive items, dense tables, single-minded agents.

Each model against the algorithm beside it, and both against a list of all allocations; ties,
identical agents, empty sides, negative values, and values of every size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import solvers
from solvers import Optimum, assignment, combinatorial, units
from solvers.additive import model as additive_model
from solvers.modelling import pyomo, solved
from solvers.single_minded import model as minded_model
from solvers.tables import model as table_model
from tests.allocations import bundle_value, owners

CASES = {
    "small numbers, so ties": lambda rng, shape: rng.integers(-1, 4, shape).astype(float),
    "no ties": lambda rng, shape: rng.random(shape),
    "identical agents": lambda rng, shape: np.broadcast_to(rng.random(shape[1:]), shape),
    "all equal": lambda rng, shape: np.ones(shape),
    "nobody wants anything": lambda rng, shape: -rng.random(shape),
    "tiny": lambda rng, shape: 1e-9 * rng.random(shape),
    "huge": lambda rng, shape: 1e12 * rng.random(shape),
    "far apart": lambda rng, shape: 10.0 ** rng.integers(-3, 4, shape),
}
SIZES = [(1, 1), (1, 3), (3, 1), (4, 3)]


def agree(found: Optimum, model: Any, listed: float) -> None:
    """The algorithm, the model, and the list, to rounding of their size."""
    written = solved(model)
    close = pytest.approx(listed, rel=1e-9, abs=0)
    assert found.status == written.status == "optimal"
    assert float(found.value) == close
    assert written.value == close
    # HiGHS's word, and none the worse for the size of the numbers.
    assert written.bound == pytest.approx(listed, rel=1e-7, abs=0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", CASES)
def test_additive_items(case, size):
    v = CASES[case](np.random.default_rng(0), size)
    best = sum(max(0.0, column.max()) for column in v.T)
    model = additive_model(v)
    agree(solvers.additive(v), model, best)
    taken = [sum(round(model.x[i, j].value) for i in range(size[0])) for j in range(size[1])]
    assert max(taken) <= 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", CASES)
def test_a_table_of_all_bundles(case, size):
    agents, items = size
    v = CASES[case](np.random.default_rng(1), (agents, 2**items - 1))
    best = max(
        sum(bundle_value(v[i], sum(1 << j for j in range(items) if x[j] == i))
            for i in range(agents))
        for x in owners(agents, items)
    )  # fmt: skip
    model = table_model(v)
    agree(solvers.packages(v), model, best)
    for j in range(items):
        held = [(i, b) for i, b in model.x if b >> j & 1 and model.x[i, b].value > 0.5]
        assert len(held) <= 1


@pytest.mark.parametrize("items", [1, 4, 10])
@pytest.mark.parametrize("case", CASES)
def test_single_minded_agents(case, items):
    rng = np.random.default_rng(2)
    agents = 7
    v = CASES[case](rng, (agents,))
    wanted = (rng.random((agents, items)) < 0.3).astype(int)
    wanted[np.arange(agents), rng.integers(0, items, agents)] = 1
    packed = [
        [i for i in range(agents) if k >> i & 1]
        for k in range(2**agents)
        if all(sum(wanted[i, j] for i in range(agents) if k >> i & 1) <= 1 for j in range(items))
    ]
    best = max(sum(v[i] for i in some) for some in packed)
    model = minded_model(v, wanted)
    agree(solvers.single_minded(v, wanted), model, best)
    won = [i for i in range(agents) if model.x[i].value > 0.5]
    assert won in packed


def test_empty_sides_and_no_units():
    for found, model in (
        (solvers.multi_unit([[2.0], [1.0]], 0), units.model([[2.0], [1.0]], 0)),
        (solvers.multi_unit(np.zeros((0, 2)), 2), units.model(np.zeros((0, 2)), 2)),
        (solvers.unit_demand(np.zeros((0, 3))), assignment.model(np.zeros((0, 3)))),
        (solvers.unit_demand(np.zeros((3, 0))), assignment.model(np.zeros((3, 0)))),
        (solvers.winners([]), combinatorial.model([])),
        (
            solvers.winners([(2, [1], -1.0)], bidders=4, items=3),
            combinatorial.model([(2, [1], -1.0)], bidders=4, items=3),
        ),
        (solvers.additive(np.zeros((0, 3))), additive_model(np.zeros((0, 3)))),
        (solvers.additive(np.zeros((3, 0))), additive_model(np.zeros((3, 0)))),
        (solvers.packages(np.zeros((0, 3))), table_model(np.zeros((0, 3)))),
        (solvers.packages(np.zeros((2, 0))), table_model(np.zeros((2, 0)))),
        (
            solvers.single_minded([], np.zeros((0, 2))),
            minded_model([], np.zeros((0, 2))),
        ),
    ):
        assert found.value == solved(model).value == 0
        assert found.status == solved(model).status == "optimal"


def test_a_model_says_what_is_wrong_as_the_algorithm_does():
    for call in (additive_model, solvers.additive):
        with pytest.raises(ValueError, match=r"values\[0, 0\] = nan"):
            call([[np.nan]])
    for call in (table_model, solvers.packages):
        with pytest.raises(ValueError, match="expected 2\\^items − 1"):
            call(np.zeros((2, 4)))
    for call in (minded_model, solvers.single_minded):
        with pytest.raises(ValueError, match="at least one item"):
            call([1.0], [[0, 0]])


@pytest.mark.parametrize("scale", [1e-12, 1e-9, 1.0, 1e12])
def test_the_unit_of_money_is_immaterial_to_a_model(scale):
    """HiGHS's own tolerances are absolute: a model of tiny values solved as it is given would be
    called optimal wherever HiGHS stood."""
    pyo = pyomo()
    rng = np.random.default_rng(3)
    worth, weight = rng.integers(10, 99, 25), rng.integers(10, 60, 25)

    def knapsack(unit: float) -> Any:
        m = pyo.ConcreteModel()
        m.things = pyo.RangeSet(0, 24)
        m.x = pyo.Var(m.things, domain=pyo.Binary)
        m.worth = pyo.Objective(
            expr=sum(float(worth[j]) * unit * m.x[j] for j in m.things), sense=pyo.maximize
        )
        m.room = pyo.Constraint(expr=sum(int(weight[j]) * m.x[j] for j in m.things) <= 300)
        return m

    best = np.full(301, -1)
    best[0] = 0
    for value, size in zip(worth, weight, strict=True):
        best[size:] = np.where(
            best[:-size] >= 0, np.maximum(best[size:], best[:-size] + value), best[size:]
        )
    model = knapsack(scale)
    found = solved(model)
    assert found.value == pytest.approx(best.max() * scale, rel=1e-12)
    assert found.bound == pytest.approx(best.max() * scale, rel=1e-8)
    # The objective that was given is the one that is left.
    assert [o.name for o in model.component_data_objects(pyo.Objective, active=True)] == ["worth"]
