"""An integer optimum certified by linear arithmetic: a tree of branches, a bound at each leaf.

A branch splits on one whole variable, x_j ≤ k or x_j ≥ k + 1, so the leaves together hold every
whole point whatever was branched on. At a leaf, row multipliers y bound the program's relaxation
under the leaf's bounds on x by weak duality (`program`), or show with the objective 0 a bound below
0: then nothing is feasible there. The largest bound of a leaf bounds the integer program. Where
every objective coefficient is a multiple of g and its variable whole, so is every value, and a
leaf's bound is rounded down to a multiple of g.

Nothing is believed of whoever built the tree: the check walks it in exact integers. The builder is
a plain branch and bound over HiGHS's relaxations, for programs of moderate size; it is told an
optimum to compare with, so its work is the proof.

Source: Land & Doig, "An automatic method of solving discrete programming problems" (1960); Cheung,
Gleixner & Steffy, "Verifying integer programming results" (2017).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np

from solvers.arrays import integers
from solvers.certificate import Checked, check, verdict
from solvers.program import Program, bound, exact_value, leaning

__all__ = ["Branch", "Leaf", "Tree", "grow"]

# Multipliers keep so many bits: any multipliers give a bound, and short ones are summed quickly.
BITS = 40
FRACTIONAL = 1e-6


@dataclass(frozen=True, eq=False)
class Leaf:
    """Row multipliers y (m,) that bound the leaf; empty: they show that it holds no point."""

    y: np.ndarray
    empty: bool = False


@dataclass(frozen=True, eq=False)
class Branch:
    """x_column ≤ at in `down`, x_column ≥ at + 1 in `up`."""

    column: int
    at: int
    down: Leaf | Branch
    up: Leaf | Branch


@dataclass(frozen=True, eq=False, kw_only=True)
class Tree:
    """A program, a feasible point x (n,), and the tree that no point is worth more."""

    program: Program
    x: np.ndarray
    root: Leaf | Branch


@check.register
def _(certificate: Tree, *, tolerance: float = 1e-9) -> Checked:
    program = certificate.program
    arithmetic = Exact(program)
    best: Any = -np.inf
    faults: list[tuple[Any, str]] = []
    x = np.asarray(certificate.x)
    if x.shape != program.low.shape or not all(abs(v) < np.inf for v in x.tolist()):
        faults = [(False, f"x: expected {len(program.low)} finite numbers")]
        return verdict(None, np.inf, faults, exact=True, tolerance=tolerance)
    for leaf, low, high in _leaves(certificate.root, program):
        if leaf is None or not _finite(leaf.y, program.matrix.shape[0]):
            faults.append((False, "the tree branches on what is not whole, or a leaf lacks y"))
            return verdict(None, np.inf, faults, exact=True, tolerance=tolerance)
        if any(low[j] > high[j] for j in low.keys() | high.keys()):
            continue
        shown = arithmetic.bound(leaf, low, high)
        if leaf.empty:
            faults.append((shown < 0, "a leaf that is said to be empty may hold a point"))
        else:
            best = max(best, arithmetic.rounded(shown))
    value = exact_value(program, [Fraction(v) for v in x.tolist()])
    return verdict(value, best, faults, exact=True, tolerance=tolerance)


def _finite(y: Any, rows: int) -> bool:
    array = np.asarray(y)
    return array.shape == (rows,) and all(abs(v) < np.inf for v in array.tolist())


def _leaves(root: Leaf | Branch, program: Program) -> Iterator[tuple[Leaf | None, Any, Any]]:
    """(leaf, its lower bounds, its upper bounds), column -> bound where it differs or may do so."""
    stack: list[tuple[Leaf | Branch, dict[int, float], dict[int, float]]] = [(root, {}, {})]
    while stack:
        node, low, high = stack.pop()
        if isinstance(node, Leaf):
            yield node, low, high
            continue
        j = node.column
        # Beyond 2^53 floats no longer hold at + 1, and a point might fall between the branches.
        whole = isinstance(node.at, int) and abs(node.at) < 2**53
        whole = whole and 0 <= j < len(program.whole) and program.whole[j]
        if not whole:
            yield None, low, high
            return
        ends = low.get(j, float(program.low[j])), high.get(j, float(program.high[j]))
        for child, a, b in (
            (node.up, max(ends[0], node.at + 1), ends[1]),
            (node.down, ends[0], min(ends[1], node.at)),
        ):
            stack.append((child, {**low, j: a}, {**high, j: b}))


class Exact:
    """A program's weak-duality bounds in integers: the data over common denominators."""

    def __init__(self, program: Program) -> None:
        matrix = program.matrix
        entries = program.exact.get("matrix")
        objective = program.exact.get("objective")
        self.entries, self.entries_over = _over(matrix.data if entries is None else entries)
        self.costs, self.costs_over = _over(program.objective if objective is None else objective)
        self.rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        self.columns = matrix.indices
        self.program = program
        step = [Fraction(c, self.costs_over) for c in self.costs.tolist() if c]
        whole = bool(program.whole[self.costs != 0].all()) and step
        over = lcm(*(c.denominator for c in step)) if whole else 1
        self.step = Fraction(gcd(*(int(c * over) for c in step)), over) if whole else None

    def rounded(self, shown: Any) -> Any:
        """The largest value that the program can have up to `shown`."""
        if self.step is None or shown in (np.inf, -np.inf):
            return shown
        return (shown // self.step) * self.step

    def bound(self, leaf: Leaf, low: dict[int, float], high: dict[int, float]) -> Any:
        """Σ max(a y, b y) + Σ max(l d, u d) with d = c − Aᵀy, where c = 0 for an empty leaf."""
        y, y_over = _over(leaf.y)
        used = y[self.rows] != 0
        pulled = np.zeros(len(self.costs), dtype=object)
        np.add.at(pulled, self.columns[used], self.entries[used] * y[self.rows[used]])
        over = self.costs_over * self.entries_over * y_over
        costs = 0 if leaf.empty else self.costs * (self.entries_over * y_over)
        d = costs - pulled * self.costs_over
        lows, highs = self.program.low.copy(), self.program.high.copy()
        for ends, changed in ((lows, low), (highs, high)):
            for j, end in changed.items():
                ends[j] = end
        by_rows = _support(y, self.program.row_low, self.program.row_high)
        by_columns = _support(d, lows, highs)
        if np.inf in (by_rows, by_columns):
            return np.inf
        return by_rows / y_over + by_columns / over


def _over(values: Any) -> tuple[np.ndarray, int]:
    array = values if isinstance(values, np.ndarray) else np.array(values, dtype=object)
    whole, d = integers(array)
    return whole.astype(object), d


def _support(slopes: np.ndarray, low: np.ndarray, high: np.ndarray) -> Any:
    """Σ max(low s, high s) as a Fraction, inf where a slope leans on a missing side."""
    used = np.flatnonzero(slopes != 0)
    sides = np.where((slopes[used] > 0).astype(bool), high[used], low[used])
    if np.isinf(sides).any():
        return np.inf
    whole, d = _over(sides)
    return Fraction(int((slopes[used] * whole).sum()), d) if len(used) else Fraction(0)


def grow(
    program: Program, x: np.ndarray, *, nodes: int = 2_000, seconds: float | None = None
) -> tuple[Tree | None, str]:
    """(a tree that certifies x as optimal, "") or (None, why there is none).

    x: the optimum, whole where it must be; where the search meets a better point, which a solver's
    tolerances hid, it starts again with that one (`Tree.x`). nodes, seconds: where to stop. The
    search goes depth first, branches on the variable that is worth most among the fractional ones,
    and cuts a node when its bound falls to the value of x.
    """
    import highspy

    started = time.monotonic()
    target = float(program.objective @ x)
    arithmetic = Exact(program)
    step = float(arithmetic.step or 0)
    enough = target + max(1e-10 * abs(target), 0.999 * step)
    relaxation = Relaxation(program, highspy)
    # Children are written after their parent is left: a node is a list that ends up as a record.
    root: list[Any] = []
    stack: list[tuple[list[Any], dict[int, float], dict[int, float]]] = [(root, {}, {})]
    order: list[list[Any]] = []
    while stack:
        node, low, high = stack.pop()
        order.append(node)
        if len(order) > nodes or (seconds is not None and time.monotonic() - started > seconds):
            return None, f"the tree has more than {len(order) - 1} nodes"
        y, at, empty = relaxation.solve(low, high)
        if y is None:
            return None, "HiGHS gave no multipliers at a node"
        lows, highs = relaxation.bounds(low, high)
        if empty or bound(program, y, low=lows, high=highs) <= enough:
            node.append(Leaf(y, empty))
            continue
        rest = np.abs(at - np.round(at)) * program.whole
        if rest.max(initial=0) <= FRACTIONAL:
            better = _better(program, at, x)
            if better is None:
                return None, "HiGHS's multipliers bound a whole point by more than its worth"
            left = None if seconds is None else seconds - (time.monotonic() - started)
            return grow(program, better, nodes=nodes - len(order), seconds=left)
        j = int(np.argmax(rest * (np.abs(program.objective) + 1e-12)))
        k = int(np.floor(at[j]))
        down: list[Any] = []
        up: list[Any] = []
        node.extend((j, k, down, up))
        stack.append((down, low, {**high, j: min(highs[j], k)}))
        stack.append((up, {**low, j: max(lows[j], k + 1)}, high))
    for node in reversed(order):
        if len(node) == 4:
            j, k, down, up = node
            node[:] = [Branch(j, k, down[0], up[0])]
    return Tree(program=program, x=x, root=root[0]), ""


def _better(program: Program, at: np.ndarray, x: np.ndarray) -> np.ndarray | None:
    """The point of the relaxation, rounded where it must be whole, if it is worth more than x."""
    point = np.where(program.whole, np.round(at), at)
    worth, known = (exact_value(program, [Fraction(v) for v in p.tolist()]) for p in (point, x))
    return point if worth is not None and (known is None or worth > known) else None


class Relaxation:
    """HiGHS on the relaxation, warm from node to node."""

    def __init__(self, program: Program, highspy: Any) -> None:
        from solvers.highs import model_of

        self.program, self.highspy = program, highspy
        self.highs, self.unit = model_of(program, relaxed=True)
        self.highs.setOptionValue("presolve", "off")
        self.changed: set[int] = set()

    def bounds(self, low: dict[int, float], high: dict[int, float]) -> tuple[Any, Any]:
        lows, highs = self.program.low.copy(), self.program.high.copy()
        for ends, changes in ((lows, low), (highs, high)):
            for j, end in changes.items():
                ends[j] = end
        return lows, highs

    def solve(self, low: dict[int, float], high: dict[int, float]) -> tuple[Any, Any, bool]:
        """(row multipliers or None, the point, whether the multipliers show it empty)."""
        lows, highs = self.bounds(low, high)
        now = low.keys() | high.keys()
        for j in sorted(now | self.changed):
            self.highs.changeColBounds(j, lows[j], highs[j])
        self.changed = set(now)
        self.highs.run()
        said = self.highs.getModelStatus()
        if said == self.highspy.HighsModelStatus.kOptimal:
            solution = self.highs.getSolution()
            y = _short(np.array(solution.row_dual) * self.unit, self.program)
            return y, np.array(solution.col_value), False
        if said == self.highspy.HighsModelStatus.kInfeasible:
            found = self.highs.getDualRay()
            if found[1]:
                for sign in (1, -1):
                    y = _short(sign * np.array(found[2]), self.program)
                    if Exact(self.program).bound(Leaf(y, True), low, high) < 0:
                        return y, None, True
        return None, None, False


def _short(y: np.ndarray, program: Program) -> np.ndarray:
    """y in BITS bits below its largest entry, without what leans on a missing side."""
    y = leaning(program, y)
    unit = 2.0 ** (np.frexp(np.abs(y).max(initial=0))[1] - BITS)
    return np.round(y / unit) * unit
