"""A system of inequalities has a point or a contradiction, and the one that is given is right.

What is given is checked by plain sums of Fractions; which of the two it is, by Fourier-Motzkin
elimination, which shares no idea with the simplex method.
"""

from __future__ import annotations

from fractions import Fraction as F
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.farkas import Contradiction, Point, Row, System

UNIT = [(F(0), F(1))]


def box_rows(box: list[tuple[F, F]]) -> list[Row]:
    lower = [Row({k: 1}, -low) for k, (low, _) in enumerate(box)]
    return lower + [Row({k: -1}, high) for k, (_, high) in enumerate(box)]


def system_of(box: list[tuple[F, F]], rows: list[Row]) -> System:
    system = System(box)
    for row in rows:
        system.push(row)
    return system


def slack(row: Row, at: tuple[F, ...]) -> F:
    return sum((slope * at[k] for k, slope in row.slopes.items()), F(row.constant))


def assert_right(found: Point | Contradiction, rows: list[Row], unknowns: int) -> None:
    if isinstance(found, Point):
        assert len(found.at) == unknowns
        assert all(isinstance(value, F) for value in found.at)
        for row in rows:
            assert slack(row, found.at) > 0 if row.strict else slack(row, found.at) >= 0
        return
    assert all(type(weight) is int and weight > 0 for weight in found.multipliers.values())
    for k in range(unknowns):
        assert sum(w * rows[n].slopes.get(k, 0) for n, w in found.multipliers.items()) == 0
    rest = sum(w * rows[n].constant for n, w in found.multipliers.items())
    assert rest < 0 or (rest == 0 and any(rows[n].strict for n in found.multipliers))


def solvable(rows: list[Row], unknowns: int) -> bool:
    """Fourier-Motzkin: pair every lower bound of an unknown with every upper one."""
    system = {
        (tuple(F(r.slopes.get(k, 0)) for k in range(unknowns)), F(r.constant), r.strict)
        for r in rows
    }
    for k in range(unknowns):
        kept = {row for row in system if row[0][k] == 0}
        for (a, b, s), (c, d, t) in product(system, system):
            if a[k] > 0 > c[k]:
                slopes = tuple(x / a[k] - y / c[k] for x, y in zip(a, c, strict=True))
                kept.add((slopes, b / a[k] - d / c[k], s or t))
        system = kept
    return all(b > 0 or (b == 0 and not strict) for _, b, strict in system)


small = st.sampled_from([F(n, d) for n in range(-4, 5) for d in (1, 2, 3, 7)])


@st.composite
def systems(draw: st.DrawFn) -> tuple[list[tuple[F, F]], list[Row]]:
    unknowns = draw(st.integers(1, 3))
    box = [(low, low + abs(draw(small))) for low in (draw(small) for _ in range(unknowns))]
    rows = []
    for _ in range(draw(st.integers(0, 4))):
        slopes = {k: draw(small) for k in range(unknowns)}
        rows.append(Row({k: s for k, s in slopes.items() if s}, draw(small), draw(st.booleans())))
    return box, rows


@given(systems())
def test_the_answer_is_right_and_of_the_right_kind(
    drawn: tuple[list[tuple[F, F]], list[Row]],
) -> None:
    box, rows = drawn
    system, everything = system_of(box, rows), box_rows(box) + rows
    found = system.decide()
    assert_right(found, everything, len(box))
    assert isinstance(found, Point) == solvable(everything, len(box))
    exactly = system._decide_exactly([*range(len(box)), -1])
    assert_right(exactly, everything, len(box))
    assert type(exactly) is type(found)


@given(systems(), st.data())
def test_a_system_goes_on_from_the_basis_of_a_part_of_it(
    drawn: tuple[list[tuple[F, F]], list[Row]], data: st.DataObject
) -> None:
    box, rows = drawn
    first = data.draw(st.integers(0, len(rows)))
    system = system_of(box, rows[:first])
    found = system.decide()
    length = len(system)
    for row in rows[first:]:
        system.push(row)
    start = found.basis if isinstance(found, Point) else None
    again = system.decide(start)
    assert_right(again, box_rows(box) + rows, len(box))
    assert type(again) is type(system_of(box, rows).decide())
    system.cut(length)
    assert len(system) == length
    assert type(system.decide()) is type(found)


@pytest.mark.parametrize(
    ("rows", "feasible"),
    [
        ([], True),
        ([Row({0: 1}, -1)], True),
        ([Row({0: 1}, -1, strict=True)], False),
        ([Row({0: 1}, 0, strict=True), Row({0: -1}, F(1, 10**12), strict=True)], True),
        ([Row({0: 1}, F(-1, 3)), Row({0: -1}, F(1, 3))], True),
        ([Row({0: 1}, F(-1, 3)), Row({0: -1}, F(1, 3), strict=True)], False),
        ([Row({0: 1}, F(-1, 3)), Row({0: -1}, F(1, 3) - F(1, 10**30))], False),
        ([Row({0: 10**9}, F(-1, 7)), Row({0: -(10**9)}, F(1, 7))], True),
        ([Row({}, 0)], True),
        ([Row({}, 0, strict=True)], False),
        ([Row({}, -1)], False),
    ],
)
def test_thin_systems_are_decided_exactly(rows: list[Row], feasible: bool) -> None:
    found = system_of(UNIT, rows).decide()
    assert_right(found, box_rows(UNIT) + rows, 1)
    assert isinstance(found, Point) == feasible


def test_a_point_that_floats_cannot_hold_is_found_in_rationals() -> None:
    at = (F(123456789, 987654321), F(271828182, 314159265))
    rows = [row for k, value in enumerate(at) for row in (Row({k: 1}, -value), Row({k: -1}, value))]
    system = system_of(UNIT * 2, rows)
    assert system._guess([0, 1, -1]) is None
    found = system.decide()
    assert isinstance(found, Point)
    assert found.at == at


def test_a_chain_of_many_unknowns_and_rows() -> None:
    n = 24
    chain = [Row({k: -1, k + 1: 1}, F(-1, n), strict=True) for k in range(n - 1)]
    every_pair = [Row({i: -1, j: 1}, 0) for i in range(n) for j in range(i + 1, n)]
    system = system_of(UNIT * n, chain + every_pair)
    found = system.decide()
    assert isinstance(found, Point)
    assert_right(found, box_rows(UNIT * n) + chain + every_pair, n)
    closing = Row({0: 1, n - 1: -1}, F(n - 1, n))
    system.push(closing)
    contradiction = system.decide(found.basis)
    assert isinstance(contradiction, Contradiction)
    assert_right(contradiction, [*box_rows(UNIT * n), *chain, *every_pair, closing], n)


def test_an_empty_box_is_a_contradiction() -> None:
    box = [(F(1), F(0))]
    found = System(box).decide()
    assert isinstance(found, Contradiction)
    assert_right(found, box_rows(box), 1)


@given(systems(), st.lists(st.lists(st.integers(0, 7), max_size=5), min_size=1, max_size=6))
def test_what_is_looked_up_is_right_wherever_the_rows_stand(
    start: tuple[list[tuple[F, F]], list[Row]], orders: list[list[int]]
) -> None:
    """One system that is cut and refilled all the time, beside a new one for every question."""
    box, stock = start
    system, first = System(box), 2 * len(box)
    for order in orders:
        rows = [stock[k % len(stock)] for k in order] if stock else []
        system.cut(first)
        for row in rows:
            length = len(system)
            system.push(row)
            found = system.decide(fresh=length)
            present = box_rows(box) + rows[: len(system) - first]
            assert_right(found, present, len(box))
            assert isinstance(found, Point) == solvable(present, len(box))


def test_a_contradiction_is_looked_up_and_not_computed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    above, below = Row({0: 1}, F(-1, 2), strict=True), Row({0: -1}, F(1, 3))
    system = system_of(UNIT, [above, below])
    assert isinstance(system.decide(fresh=2), Contradiction)
    monkeypatch.setattr(system, "_guess", None)
    system.cut(2)
    rows = [below, Row({0: 1}, 0), above]
    for row in rows:
        system.push(row)
    found = system.decide(fresh=4)
    assert_right(found, box_rows(UNIT) + rows, 1)
    assert sorted(found.multipliers) == [2, 4]


def test_no_unknowns() -> None:
    assert System([]).decide() == Point((), 1, (-1,))
    assert isinstance(system_of([], [Row({}, -1)]).decide(), Contradiction)
