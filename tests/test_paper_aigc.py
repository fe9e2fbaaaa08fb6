"""Markets at roadside units: formulas by hand, laws of what is drawn, sizes from a file."""

from __future__ import annotations

import math

import numpy as np
import pytest
from roadside import drawn

from mechkit.errors import InputError
from mechkit.papers import paper_of
from mechkit.papers.aigc import market

# Formulas, from the paper's own numbers -----------------------------------------------------------


def test_valuations_are_those_of_section_iv():
    assert market.valuation(np.array([1000.0, 500.0, 0.0])) == pytest.approx(
        [math.log(2), math.log(3 / 2), 0]
    )
    assert market.service_value(np.array([4.0, 10.0])).tolist() == [0.4, 1.0]


def test_vehicles_drive_at_25_metres_a_second_and_turn_back():
    # 90 km/h = 90,000 m / 3,600 s = 25 m/s.
    assert pytest.approx(25) == market.PAPER.speed * market.KMH
    start = np.array([[[900.0, 500.0], [10.0, 30.0]]])
    where = market.positions(
        start, np.array([[0, 3]]), np.array([[25.0, 25.0]]), np.array([0.0, 4.0, 5.0]), 1000.0
    )
    assert where[0, :, 0].tolist() == [[900, 500], [1000, 500], [975, 500]]
    assert where[0, :, 1].tolist() == [[10, 30], [10, 70], [10, 95]]
    north_west = market.positions(
        start, np.array([[1, 2]]), np.array([[25.0, 2.0]]), np.array([1.0]), 1000.0
    )
    assert north_west[0, 0].tolist() == [[900, 525], [8, 30]]


def test_four_units_cover_the_map_and_the_nearest_is_joined():
    units = market.unit_positions()
    assert units.tolist() == [[250, 250], [250, 750], [750, 250], [750, 750]]
    where = np.array([[[[280.0, 790.0], [500.0, 499.0], [0.0, 0.0]]]])
    away = market.distances(where, units)
    # 3-4-5 triangles, and the corner 250 √2 away.
    assert away[0, 0, 0, 1] == 50
    assert away[0, 0, 2, 0] == pytest.approx(250 * math.sqrt(2))
    assert market.participation(away, 500.0)[0, 0].tolist() == [1, 0, 0]
    assert market.participation(away, 50.0)[0, 0].tolist() == [1, -1, -1]
    # Nobody is further than 250 √2 < 500 metres from a unit.
    assert (drawn(vehicles=200).unit >= 0).all()


def test_rates_and_latencies():
    # 0 dBm at 500 m: ratio 1, 10 MHz · log2(2). 10 dBm: ratio 10. Half the way: ratio 8.
    rates = market.rate(np.array([0.0, 10.0, 0.0, 0.0]), np.array([500.0, 500.0, 250.0, 0.0]))
    assert rates[0] == 10e6
    assert rates[1] == pytest.approx(10e6 * math.log2(11))
    assert rates[2] == pytest.approx(10e6 * math.log2(9))
    assert rates[3] == pytest.approx(10e6 * math.log2(1 + 500**3))
    # 500 bytes are 4,000 bits: 0.4 ms at 10 Mbit/s.
    assert market.latency(np.array(500.0), np.array(10e6)) == pytest.approx(0.4)


def test_what_is_drawn_fits_together():
    found = drawn(batch=50, vehicles=40, machines=5)
    assert found.values == pytest.approx(np.log(1 + found.sizes / 1000))
    assert found.costs.shape == (50, 3, 4, 5)
    assert found.costs.min() >= 0
    assert found.costs.max() <= 1
    assert found.latency == pytest.approx(8000 * found.sizes[:, None, :, None] / found.rates)
    # At one place rates rise with power: u_m orders them.
    costs = np.take_along_axis(found.costs, found.unit[..., None], axis=2)
    assert (np.argsort(costs, axis=-1) == np.argsort(found.rates, axis=-1)).all()
    # Power 10 u_m dBm, ratio 10^u_m, and a distance between 1 m and 250 √2 m.
    most = 10e6 * np.log2(1 + 10**costs * 500**3)
    least = 10e6 * np.log2(1 + 10**costs * math.sqrt(2) ** 3)
    assert (found.rates <= most * (1 + 1e-9)).all()
    assert (found.rates >= least * (1 - 1e-9)).all()


def test_laws_of_what_is_drawn():
    found = drawn(batch=400, vehicles=50, machines=10)
    # Standard errors: 0.289 / √48,000 and, of the log of the median, 0.75 · 1.25 / √20,000.
    assert found.costs.mean() == pytest.approx(0.5, abs=0.006)
    assert np.log(np.median(found.sizes)) == pytest.approx(math.log(500), abs=0.03)
    assert np.log(found.sizes).std() == pytest.approx(0.75, abs=0.02)
    # A second moves a vehicle by 25 m of 1,000 in one direction, across its middle in 1 of 40.
    moved = (found.unit[:, 1:] != found.unit[:, :-1]).mean()
    assert moved == pytest.approx(1 / 40, abs=0.004)
    assert np.bincount(found.unit.ravel()) / found.unit.size == pytest.approx([0.25] * 4, abs=0.01)


def test_a_seed_says_what_is_drawn():
    one, two, other = drawn(1), drawn(1), drawn(2)
    for name, array in vars(one).items():
        assert np.array_equal(array, getattr(two, name))
        assert not np.array_equal(array, getattr(other, name))


@pytest.mark.parametrize("name", ["vehicles", "machines", "slots", "batch"])
@pytest.mark.parametrize("wrong", [0, 2.5, True, "3"])
def test_bad_counts_are_explained(name, wrong):
    counts = {"batch": 2, "vehicles": 2, "machines": 2, "slots": 2, name: wrong}
    with pytest.raises(InputError, match=f"{name} = {wrong!r}: expected an integer"):
        market.draw(np.random.default_rng(0), **counts)


# Sizes from a file --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["120\n80\n3000\n", "bytes\n120\n80\n3000\n", "\n120\n\n80\n3000"])
def test_sizes_of_a_file_are_drawn(tmp_path, text):
    path = tmp_path / "sizes.csv"
    path.write_text(text, encoding="utf-8")
    sizes = market.read_sizes(path)
    assert sizes.tolist() == [120, 80, 3000]
    found = drawn(content=sizes)
    assert set(np.unique(found.sizes)) == {80, 120, 3000}
    assert found.values.max() == pytest.approx(math.log(4))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("size\n120\n-3\n", r"line 3, column 'size' is -3.0: expected a positive size"),
        ("size\n0\n", r"line 2, column 'size' is 0.0: expected a positive size"),
        ("size\nabc\n", r"line 2, column 'size' is 'abc'"),
        ("size\nnan\n", r"expected a finite number"),
        ("a,b\n1,2\n", r"has the columns a, b: expected one"),
        ("size\n", r"holds no rows"),
        ("", r"is empty"),
    ],
)
def test_bad_files_are_explained(tmp_path, text, why):
    path = tmp_path / "sizes.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=why):
        market.read_sizes(path)


def test_bad_sizes_are_explained(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        market.read_sizes(tmp_path / "none.csv")
    nested = tmp_path / "sizes.json"
    nested.write_text("[[1, 2], [3, 4]]", encoding="utf-8")
    with pytest.raises(InputError, match="expected a table of one column"):
        market.read_sizes(nested)
    for wrong, why in (
        ([], "has shape"),
        ([[1.0]], "has shape"),
        ([1.0, math.inf], "holds"),
        (["a"], "expected content sizes"),
    ):
        with pytest.raises(InputError, match=why):
            drawn(content=wrong)


# The record ---------------------------------------------------------------------------------------


def test_the_paper_describes_itself():
    paper = paper_of("aigc")
    assert paper.id == "aigc"
    drawn_default = paper.market.draw(np.random.default_rng(0), 2)
    named = paper.market.draw(np.random.default_rng(0), 2, **paper.market.sizes)
    for name, array in vars(drawn_default).items():
        assert np.array_equal(array, getattr(named, name))
    assert paper.market.large["vehicles"] == 10 * paper.market.sizes["vehicles"]
