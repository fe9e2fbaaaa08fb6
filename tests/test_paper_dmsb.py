"""The market of vehicle twin tasks and what the systems attain in it.

Formulas are compared with arithmetic written out here; systems with a scalar auction written from
the equations, one round at a time; optima with enumeration over all factors and all providers.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from mechkit.errors import InputError
from mechkit.papers import paper_of
from mechkit.papers.dmsb import market, systems
from mechkit.papers.dmsb.market import Parameters

PAPER = paper_of("dmsb")
MARKET = PAPER.market


def instances(batch=400, seed=0, zeta=1.5, **sizes):
    return market.draw(
        np.random.default_rng(seed), batch, parameters=Parameters(zeta=zeta), **sizes
    )


# Formulas -----------------------------------------------------------------------------------------


def test_rates():  # eqs. 1 and 2: 20 MHz at power 3 over g = σ² = 1: 20 · log2(4)
    assert market.rate(20.0, 1.0, 3.0, 1.0) == pytest.approx(40.0)
    assert market.rate(60.0, 2.0, 7.0, 0.5) == pytest.approx(60 * math.log(29) / math.log(2))


def test_latency():
    # 20 MB are 160 Mbit: at 40 Mbit/s 4 s up; at 2 units of 100 Mbit/s each 0.4 + 0.8 s of work;
    # and the same size at 80 Mbit/s 2 s down.
    size = 20 * market.MEGABIT
    up, down = market.transmission(size, 40.0), market.transmission(size, 80.0)
    work = market.processing(size, 0.5, 200.0, 200.0)
    assert (up, work, down) == pytest.approx((4.0, 1.2, 2.0))
    assert market.latency(up, work, down) == pytest.approx(7.2)


def test_accuracy():  # 3 of 4 pixels, and 1 of 4
    original = np.array([[1, 2, 3, 4], [1, 2, 3, 4]])
    processed = np.array([[1, 2, 3, 9], [4, 2, 1, 3]])
    assert market.matches(processed, original).tolist() == [3, 1]
    assert market.accuracy(processed, original).tolist() == [0.75, 0.25]


def test_values():
    # ω_1 = 2 over latencies 4 and 8: (1/2 + 1/4) / 2. ω_2 = 1, R = 1/2 and 3/4: (4 + 16) / 2.
    common = market.common_value(np.array([4.0, 8.0]), 2.0)
    matching = market.matching_value(np.array([0.5, 0.75]), 1.0, 2.0)
    assert (common, matching) == pytest.approx((0.375, 10.0))
    assert market.valuation(common, matching) == pytest.approx(3.75)


def test_a_market_without_chance_is_arithmetic():
    # Every bound closed: 30 MB, 40 MHz, 2 units, power 7, R = 0.9.
    fixed = Parameters(
        task=(30, 30), bandwidth=(40, 40), compute=(2, 2), power=(7, 7), accuracy=(0.9, 0.9)
    )
    drawn = market.draw(np.random.default_rng(0), 3, stations=4, parameters=fixed)
    seconds = 240 / 120 + (240 * 0.5 / 200 + 240 / 200) + 240 / 120  # 40 · log2(8) = 120 Mbit/s
    assert drawn.latency == pytest.approx(np.full((3, 5), seconds))
    assert drawn.values == pytest.approx(np.full((3, 5), 100 / seconds))


def test_the_draw_follows_the_stated_laws():
    drawn = instances(20_000, periods=4)
    # E[1/(1-R)²] on (0.5, 0.95) is (1/0.05 - 1/0.5) / 0.45 = 40; c and m are independent, and
    # 1/T lies between the slowest and the fastest that the bounds allow.
    fastest = 160 / (60 * math.log2(11)) * 2 + 160 * 0.5 / 200 + 160 / 200
    assert drawn.values.max() < 400 / fastest
    assert (drawn.values > 0).all()
    assert (drawn.latency > fastest).all()
    one = market.draw(
        np.random.default_rng(1),
        20_000,
        parameters=replace(Parameters(), task=(30, 30), bandwidth=(40, 40), power=(7, 7)),
    )
    rng = np.random.default_rng(2)
    gpu, cpu = 100 * (2 - rng.uniform(0, 2, (2, 400_000)))
    mean = (1 / (4 + 120 / gpu + 240 / cpu)).mean() * 40
    assert one.values.mean() == pytest.approx(mean, rel=0.01)


@pytest.mark.parametrize("stations", [3, 9])
def test_sizes_and_seeds(stations):
    first, again = instances(5, stations=stations), instances(5, stations=stations)
    assert first.values.shape == (5, 1 + stations)
    assert np.array_equal(first.values, again.values)
    assert not np.array_equal(first.values, instances(5, seed=1, stations=stations).values)
    assert not np.isin(first.history, first.values).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: instances(0), "batch = 0: expected an integer of at least 1"),
        (lambda: instances(stations=1), "stations = 1: expected an integer of at least 2"),
        (lambda: Parameters(accuracy=(0.5, 1.0)), "expected bounds below 1"),
        (lambda: Parameters(task=(40, 20)), "task"),
        (lambda: Parameters(zeta=0), "zeta = 0: expected a positive number"),
    ],
)
def test_bad_input_is_explained(call, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        call()


# Systems ------------------------------------------------------------------------------------------


def by_hand(values, top, per, everybody):
    """Who has the task and what is paid: eqs. 14 and 15, one round, in scalars. ρ = top / per."""
    for n in range(1, len(values)):
        others = [v for k, v in enumerate(values) if k not in (0, n) or (k == 0 and everybody)]
        if values[n] * per > top * max(others):
            return n, top * max(others) / per
    return 0, values[0]


def factor_by_hand(name, values, seen, row, everybody):
    """The factor as the paper describes it, as a quotient."""
    falling, stations = sorted(values, reverse=True), sorted(values[1:], reverse=True)
    if name == "myopic":
        return falling[0], falling[1]
    if name == "myopic, UAV":
        return max(values[0], stations[1]), stations[1]
    if name == "optimal":
        means = [np.mean([sorted(past)[-k] for past in seen.history]) for k in (1, 2)]
        return max(means), means[1]
    if name == "optimal, UAV":
        second = np.mean([sorted(past[1:])[-2] for past in seen.history])
        return max(np.mean([past[0] for past in seen.history]), second), second
    if name == "random":
        return 10 ** (math.floor(seen.actions[row] * 21) / 20), 1
    raise AssertionError(name)


NAMES = ["myopic", "myopic, UAV", "optimal", "optimal, UAV", "random"]


@pytest.mark.parametrize("everybody", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_systems_agree_with_the_auction_by_hand(name, everybody):
    seen = instances(150, seed=3, stations=4, past=20)
    found = MARKET.systems[name + (", over everybody" if everybody else "")](seen)
    for row, values in enumerate(seen.values.tolist()):
        top, per = factor_by_hand(name, values, seen, row, everybody)
        winner, paid = by_hand(values, top, per, everybody)
        assert found.welfare[row] == pytest.approx(values[winner] * (1.5 if winner == 0 else 1))
        assert found.budget[row] == pytest.approx(paid)
        assert found.measured["latency, s"][row] == seen.latency[row, winner]


def test_second_price_by_hand():
    seen = instances(100, seed=4)
    found = MARKET.systems["second price"](seen)
    for row, values in enumerate(seen.values.tolist()):
        winner = values.index(max(values))
        assert found.welfare[row] == pytest.approx(values[winner] * (1.5 if winner == 0 else 1))
        assert found.budget[row] == sorted(values)[-2]


@pytest.mark.parametrize("stations", [3, 6, 9])
@pytest.mark.parametrize("zeta", systems.ZETAS)
def test_no_system_exceeds_the_optimum_and_all_conserve(zeta, stations):
    seen = instances(500, seed=5, zeta=zeta, stations=stations)
    best = MARKET.optimum(seen)
    counted = seen.values * np.array([zeta] + [1] * stations)
    assert np.array_equal(best, [max(row) for row in counted.tolist()])
    for name, system in MARKET.systems.items():
        found = system(seen)
        assert (found.welfare <= best + 1e-12).all(), name
        assert (found.trades == 1).all(), name
        # Whoever has the task pays, at most its value; the auctioneer keeps it all.
        parts = found.measured["surplus of the UAV"] + found.measured["surplus of the stations"]
        assert (found.budget <= parts + 1e-12).all(), name
        assert (found.budget > 0).all(), name
        assert np.array_equal(found.welfare, found.measured[f"surplus, zeta = {zeta:g}"]), name


@pytest.mark.parametrize("end", ["", ", over everybody"])
def test_the_factor_from_bids_attains_the_first_best(end):
    seen = instances(3_000, seed=6, zeta=2.0)
    best = MARKET.optimum(seen)
    found = MARKET.systems[f"best from bids{end}"](seen).welfare
    assert np.mean(found == best) > 0.999  # but where ζ·b_0 · b_n meets b_(2) · b_n as it rounds
    assert found == pytest.approx(best)


def test_a_cap_of_ten_is_felt_where_one_station_is_far_ahead():
    seen = replace(
        instances(2, stations=2), values=np.array([[6.0, 11.0, 1.0], [6.0, 9.0, 1.0]]), zeta=2.0
    )
    assert MARKET.optimum(seen).tolist() == [12.0, 12.0]
    assert MARKET.systems["best from bids"](seen).welfare.tolist() == [12.0, 12.0]
    # 11 > 10 · 1 whatever the factor, 9 is not.
    assert MARKET.systems["best from bids, rho <= 10"](seen).welfare.tolist() == [11.0, 12.0]
    on_grid = [systems.auction(seen, rho).welfare for rho in systems.GRID]
    assert np.max(on_grid, axis=0).tolist() == [11.0, 12.0]


@pytest.mark.parametrize("everybody", [False, True])
@pytest.mark.parametrize("zeta", systems.ZETAS)
def test_best_constant_against_every_constant(zeta, everybody):
    seen = instances(60, seed=7, zeta=zeta, stations=3)

    def total(rho):
        played = [by_hand(v, rho, 1, everybody)[0] for v in seen.values.tolist()]
        return sum(v[w] * (zeta if w == 0 else 1) for v, w in zip(seen.values, played, strict=True))

    best = systems.best_constant(seen.values, zeta, everybody=everybody)
    rivals = [sorted(v[1:])[-2] for v in seen.values]
    if everybody:
        rivals = [max(r, v[0]) for r, v in zip(rivals, seen.values, strict=True)]
    steps = [max(v[1:]) / r for v, r in zip(seen.values, rivals, strict=True)]
    fine = [1.0, 10.0, *np.linspace(1, 10, 50), *(s + 1e-9 for s in steps if 1 <= s < 10)]
    assert total(best) >= max(map(total, fine)) - 1e-9
    on_grid = systems.best_on_grid(seen.values, zeta, everybody=everybody)
    assert total(on_grid) == pytest.approx(max(map(total, systems.GRID)))


def test_second_price_has_at_least_one_part_in_zeta():
    for zeta in systems.ZETAS:
        seen = instances(2_000, seed=8, zeta=zeta)
        found = MARKET.systems["second price"](seen).welfare
        assert (found * zeta >= MARKET.optimum(seen) - 1e-12).all()


def test_equal_numbers_compare_as_equal():
    # Over everybody ρ times the rivals is the own bid of whoever is highest: no station ever wins.
    found = MARKET.systems["myopic, over everybody"](instances(5_000, seed=9))
    assert (found.measured["surplus of the stations"] == 0).all()


def test_what_is_not_given_is_swept():
    for name, levels in systems.SWEPT.items():
        shares = systems.sweep(name, batch=200)
        assert tuple(shares) == levels
        for level, row in shares.items():
            assert all(0 < share <= 1 + 1e-12 for share in row.values())
            assert row["best from bids"] == pytest.approx(1)
            zeta = level if name == "zeta" else 1.5
            assert row["second price"] >= 1 / zeta
    # Only g / σ² enters: ten times the one is a tenth of the other.
    gain, noise = systems.sweep("gain", batch=50), systems.sweep("noise", batch=50)
    for high, low in ((10.0, 0.1), (0.1, 10.0)):
        assert list(gain[high].values()) == pytest.approx(list(noise[low].values()))
    with pytest.raises(InputError, match="expected one of gain, noise, unit, zeta"):
        systems.sweep("beta")
