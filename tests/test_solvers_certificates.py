"""Programs, trees and rational vertices: what proves them, what does not, and how failures read."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction as F
from math import comb, lcm
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog, milp

import solvers
from solvers import modelling
from solvers.program import bound, exact_bound, exact_value, rescaled, violation
from solvers.rational import exact_system
from solvers.tree import Branch, Leaf, Tree, grow


def program(c: Any, a: Any, b: Any, **more: Any) -> solvers.Program:
    sides = {"row_low": -np.inf, "row_high": np.asarray(b, dtype=float), "low": 0.0, "high": 50.0}
    return solvers.Program(
        objective=np.asarray(c, dtype=float), matrix=np.asarray(a, dtype=float), **(sides | more)
    )


def packing(seed: int, n: int = 14, m: int = 7, *, whole: bool = True) -> solvers.Program:
    rng = np.random.default_rng(seed)
    return program(
        rng.integers(5, 30, n), rng.integers(0, 9, (m, n)), rng.integers(15, 40, m),
        high=3.0, whole=whole,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_a_tree_proves_an_integer_optimum(seed):
    p = packing(seed)
    found = solvers.solve(p)
    tree, why = grow(p, np.round(found.x))
    assert tree is not None, why
    checked = solvers.check(tree)
    assert checked.holds
    assert checked.exact
    assert checked.gap == 0
    from scipy.optimize import Bounds, LinearConstraint

    second = milp(
        -p.objective, constraints=LinearConstraint(p.matrix, -np.inf, p.row_high),
        bounds=Bounds(p.low, p.high), integrality=np.ones(14), options={"mip_rel_gap": 0},
    )  # fmt: skip
    assert checked.value == round(-second.fun)


def test_a_system_whose_solution_is_a_float_is_solved():
    # Nothing is left over after two steps, and the denominator is longer than half of their bits.
    unit, a = 2**53, 7205759403792793
    found = exact_system(
        np.array([unit, a, unit], dtype=object), np.array([0, 1, 1]), np.array([0, 0, 1]),
        np.array([unit, 0], dtype=object),
    )  # fmt: skip
    assert found == [1, F(-a, unit)]


def leaves(node: Leaf | Branch) -> list[Leaf]:
    return [node] if isinstance(node, Leaf) else [*leaves(node.down), *leaves(node.up)]


def test_trees_that_were_changed_are_rejected():
    p = packing(0)
    tree, _ = grow(p, np.round(solvers.solve(p).x))
    assert tree is not None
    assert isinstance(tree.root, Branch)
    root = tree.root
    zero = np.zeros(7)
    # Another tree may prove the same optimum, since every leaf is computed again, but no other.
    optimum = solvers.check(tree).value
    for other in (
        root.down,
        root.up,
        Branch(root.column, root.at + 1, root.down, root.up),
        Branch(root.column, root.at, root.up, root.down),
    ):
        checked = solvers.check(replace(tree, root=other))
        assert not checked.holds or checked.value == optimum
        assert checked.bound >= optimum
    for changed in (
        replace(tree, root=Leaf(leaves(root)[0].y, empty=True)),
        replace(tree, root=Leaf(zero)),
        replace(tree, root=Leaf(zero[:3])),
        replace(tree, x=np.zeros(14)),
        replace(tree, x=tree.x + 0.5),
        replace(tree, x=np.full(14, 3.0)),
        replace(
            tree, program=replace(p, objective=p.objective + 40 * np.eye(14)[int(tree.x.argmin())])
        ),
        replace(tree, program=replace(p, row_high=p.row_high + 20)),
        replace(tree, program=replace(p, whole=False)),
    ):
        checked = solvers.check(changed)
        assert not checked.holds
        assert checked.reason


def test_a_tree_proves_the_optimum_and_nothing_less():
    p = packing(1)
    best = round(solvers.solve(p).value)
    tree, _ = grow(p, np.zeros(14))  # better points are met on the way, and taken
    assert tree is not None
    assert solvers.check(tree).value == best
    tree, why = grow(p, np.round(solvers.solve(p).x), nodes=1)
    assert tree is None
    assert "more than 1 nodes" in why


def test_branches_without_a_point_are_shown_empty():
    # 2x + 2y = 3 has no whole point; both branches of x are empty or branch again.
    p = program([1, 1, 1], [[2, 2, 0], [0, 0, 1]], [3, 5], row_low=[3, -np.inf], whole=[1, 0, 1])
    tree, _ = grow(p, np.array([0.0, 1.5, 5.0]))
    assert tree is not None
    assert solvers.check(tree).value == F(13, 2)
    odd = program([1], [[2]], [3], row_low=[3], whole=True)
    assert not solvers.check(Tree(program=odd, x=np.array([1.5]), root=Leaf(np.array([0.5])))).holds
    assert solvers.solve(odd).status == "infeasible"


@pytest.mark.parametrize("seed", range(5))
def test_linear_programs_in_rationals(seed):
    rng = np.random.default_rng(seed)
    m, n = 20, 40
    a = rng.integers(-3, 10, (m, n)) * (rng.random((m, n)) < 0.3)
    p = program(rng.integers(-5, 30, n) / 8, a, rng.integers(10, 99, m), row_low=-100.0)
    found = solvers.exact(p)
    assert found.status == "optimal"
    assert found.gap == 0
    assert isinstance(found.value, F)
    assert solvers.check(found.certificate).exact
    ab = sparse.vstack([p.matrix, -p.matrix])
    second = linprog(
        -p.objective, ab, np.concatenate([p.row_high, np.full(m, 100.0)]), bounds=(0, 50)
    )
    assert float(found.value) == pytest.approx(-second.fun, rel=1e-9)


def test_thirds_are_thirds():
    # max x + y with 3x + y ≤ 1, x + 3y ≤ 1: 1/4 each; with the exact cost 1/3 for 0.333…
    p = program([1, 1 / 3], [[3, 1], [1, 3]], [1, 1], exact={"objective": [F(1), F(1, 3)]})
    assert solvers.exact(p).value == F(1, 3)
    assert (
        solvers.exact(program([1, 1], [[3, 1], [1, 3]], [1, 1])).allocation.tolist()
        == [F(1, 4)] * 2
    )


def test_what_tolerances_hide_is_refined():
    # HiGHS takes the reduced costs of 1e-10 for 0; in rationals they decide the vertex.
    costs = [1.0, 1.0 + 2.0**-34, 1.0 - 2.0**-34]
    p = program(costs, [[1, 1, 1]], [1], high=1.0)
    found = solvers.exact(p)
    assert found.gap == 0
    assert found.value == F(costs[1])
    # Beside costs of 1e12 one of 1 is nothing to HiGHS, and a row's multiplier hides it, too.
    wide = program([1e12, 1.0, 2.0], [[1, 1, 1], [0, 1, 1]], [2, 1], high=1.0)
    assert solvers.exact(wide).value == 10**12 + 2
    # A row broken by less than HiGHS's tolerance is not broken in rationals.
    tight = program([1, 1], [[1, 1], [1, 0]], [1.0, 2.0**-30], row_low=[-np.inf, 2.0**-30])
    assert solvers.exact(tight).value == 1


def inverse_hilbert(n: int) -> np.ndarray:
    """The inverse of the matrix 1/(i + j − 1), in whole numbers (Choi 1983)."""
    return np.array(
        [
            [
                (-1) ** (i + j) * (i + j - 1) * comb(n + i - 1, n - j) * comb(n + j - 1, n - i)
                * comb(i + j - 2, i - 1) ** 2
                for j in range(1, n + 1)
            ]
            for i in range(1, n + 1)
        ],
        dtype=object,
    )  # fmt: skip


@pytest.mark.parametrize("n", [2, 8, 11])
def test_an_ill_conditioned_system(n):
    """Hilbert's matrix over a common denominator, of condition 10^10 at n = 8 and 10^15 at 11."""
    over = lcm(*range(1, 2 * n))
    hilbert = np.array([[over // (i + j + 1) for j in range(n)] for i in range(n)], dtype=object)
    i, j = np.nonzero(hilbert)
    right = np.arange(1, n + 1).astype(object)
    solution = [F(int(v), over) for v in inverse_hilbert(n) @ right]
    assert exact_system(hilbert[i, j], i, j, right) == solution


def test_a_singular_system_has_no_solution():
    one = np.array([1, 1, 1, 1], dtype=object)
    assert exact_system(one, np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), one[:2]) is None


@pytest.mark.parametrize("factor", [F(1), F(2**200), F(1, 2**200), F(1, 3**60), F(10**400, 7)])
def test_a_system_of_long_numbers(factor):
    """[[3a, a], [a, 3a]] x = (1, 2) has x = (1, 5) / 8a, whatever a is, longer than any float."""
    over, a = factor.denominator, factor.numerator
    entries = np.array([3 * a, a, a, 3 * a], dtype=object)
    at = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    found = exact_system(entries, *at, np.array([over, 2 * over], dtype=object))
    assert found == [F(1, 8) / factor, F(5, 8) / factor]


def test_linear_certificates_that_were_changed_are_rejected():
    p = packing(2, whole=False)
    honest = solvers.exact(p).certificate
    assert solvers.check(honest).holds
    x, y = list(honest.x), list(honest.y)
    k = int(np.argmax([v > 0 for v in x]))
    for changed in (
        replace(honest, x=[*x[:k], x[k] * F(999, 1000), *x[k + 1 :]]),
        replace(honest, x=[*x[:k], x[k] * F(1001, 1000), *x[k + 1 :]]),
        replace(honest, y=[v * F(9, 10) for v in y]),
        replace(honest, y=[-v for v in y]),
        replace(honest, x=x[1:]),
        replace(honest, y=y[1:]),
        replace(honest, x=np.full(14, np.nan)),
        replace(honest, program=replace(p, objective=p.objective * 1.01)),
    ):
        assert not solvers.check(changed).holds
    with pytest.raises(TypeError, match="no certificate that"):
        solvers.check("optimal")


@pytest.mark.parametrize("scale", [1e-9, 1e12])
def test_programs_of_every_scale(scale):
    p = packing(3)
    found = solvers.solve(replace(p, objective=p.objective * scale))
    assert found.status == "optimal"
    assert found.value / scale == pytest.approx(solvers.solve(p).value)
    line = solvers.solve(replace(p, objective=p.objective * scale, whole=False))
    assert line.value == pytest.approx(line.bound, rel=1e-9)


def test_infeasible_and_unbounded_are_said():
    impossible = program([1, 1], [[1, 1]], [-1])
    for found in (solvers.solve(impossible), solvers.exact(impossible)):
        assert found.status == "infeasible"
        assert found.value is None
    endless = program([1, 1], [[1, -1]], [1], high=np.inf)
    for found in (solvers.solve(endless), solvers.exact(endless)):
        assert found.status == "unbounded"
        assert found.value is None
    pyo = modelling.pyomo()
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(0, 1))
    m.o = pyo.Objective(expr=m.x, sense=pyo.maximize)
    m.c = pyo.Constraint(expr=m.x >= 2)
    assert modelling.solved(m).status == "infeasible"
    del m.c
    m.x.setub(None)
    assert modelling.solved(m).status == "unbounded"


def test_whole_variables_have_no_rational_vertex():
    with pytest.raises(ValueError, match="some variables are whole"):
        solvers.exact(packing(0))


@pytest.mark.parametrize("name", ["highspy", "pyomo"])
def test_a_missing_solver_names_the_extra(name):
    call = {
        "highspy": "solvers.winners([(0, [0], 1.0)])",
        "pyomo": "from solvers import assignment; assignment.model([[1.0]])",
    }[name]
    code = f"import sys; sys.modules[{name!r}] = None\nimport solvers\n{call}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode
    assert f"{name} is needed" in run.stderr
    assert "mechkit-econ[solve]" in run.stderr


def test_a_float_solution_is_optimal_only_if_its_multipliers_say_so(monkeypatch):
    p = packing(4, whole=False)
    found = solvers.solve(p)
    monkeypatch.setattr("solvers.rational.Data.vertex", lambda *_: None)
    honest = solvers.exact(p, found)
    assert (honest.status, honest.value) == ("optimal", found.value)
    assert any("no exact vertex" in note for note in honest.notes)
    for y in (0 * found.y, None):
        lied = solvers.exact(p, replace(found, y=y))
        assert lied.status == "feasible"
        assert lied.bound > found.bound


@pytest.mark.parametrize("seed", range(4))
def test_a_program_in_other_units_is_the_same_program(seed):
    rng = np.random.default_rng(seed)
    p = packing(seed, whole=False)
    p = replace(p, exact={"objective": [F(int(c), 3) for c in p.objective],
                          "matrix": [F(int(a), 7) for a in p.matrix.data]})  # fmt: skip
    rows, columns = (2.0 ** rng.integers(-40, 40, n) for n in p.matrix.shape)
    other = rescaled(p, rows, columns)
    x, y = rng.integers(0, 3, 14).astype(float), rng.random(7)
    # Powers of two: not only near.
    assert float(other.objective @ (x / columns)) == float(p.objective @ x)
    assert ((other.matrix @ (x / columns)) * rows == p.matrix @ x).all()
    assert bound(other, y * rows) == pytest.approx(bound(p, y), rel=1e-12)
    there, back = [F(v) for v in x / columns], [F(v) for v in x]
    assert exact_value(other, there) == exact_value(p, back)
    multipliers = [F(v) for v in y]
    scaled = [v * F(r) for v, r in zip(multipliers, rows, strict=True)]
    assert exact_bound(other, scaled) == exact_bound(p, multipliers)


def test_a_violation_is_relative_to_what_is_compared():
    tiny = program([1, 1], [[1e-9, 1e-9]], [1e-9], high=1.0)
    assert violation(tiny, np.array([0.5, 0.5])) == 0
    assert violation(tiny, np.array([1.0, 0.5])) == pytest.approx(0.5)
    huge = program([1, 1], [[1e12, 1e12]], [1e12], high=1.0)
    assert violation(huge, np.array([1.0, 1e-9])) == pytest.approx(1e-9)
    free = program([1], [[1.0]], [1e-9], low=-np.inf, high=np.inf)
    assert violation(free, np.array([2e-9])) == pytest.approx(0.5)
    below = program([1], [[1.0]], [5.0], low=2.0, high=np.inf)
    assert violation(below, np.array([1.0])) == pytest.approx(0.5)
    assert violation(program([1], [[1.0]], [1.0], whole=True), np.array([0.25])) == 0.25
    assert violation(free, np.array([np.nan])) == np.inf
    # A row that asks for something of variables at 0 that have no size of their own.
    asked = program([1], [[1.0]], [np.inf], row_low=1e-9, low=0.0, high=np.inf)
    assert violation(asked, np.zeros(1)) == 1
