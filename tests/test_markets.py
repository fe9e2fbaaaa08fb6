"""A paper's systems beside the optimum of its market, and the command that shows them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import toy_paper
from commands import refused, run

from mechkit import markets
from mechkit.errors import InputError

pytestmark = pytest.mark.usefixtures("toy_papers")


def test_shares_are_those_of_order_statistics():
    # Uniform values: the highest of five is worth 5/6 on average, any one bidder 1/2.
    found = markets.compare("toy", seed=1, draws=20_000)
    by_name = {one.system: one for one in found.standings}
    assert found.optimum == pytest.approx(5 / 6, abs=0.005)
    assert by_name["second price"].share == 1
    low, high = by_name["to the first"].interval
    assert low < 3 / 5 < high
    assert high - low < 0.02


def test_the_interval_covers_as_often_as_it_says():
    hits = 0
    for seed in range(60):
        found = markets.compare("toy", seed=seed, draws=200)
        low, high = found.standings[1].interval
        hits += low <= 3 / 5 <= high
    # 95 % of 60 is 57; fewer than 50 has a probability of about 2e-4.
    assert hits >= 50


def test_a_system_above_the_optimum_is_an_error(monkeypatch):
    wrong = replace(toy_paper.PAPER.market, optimum=lambda values: values.min(axis=1))
    monkeypatch.setattr(toy_paper, "PAPER", replace(toy_paper.PAPER, market=wrong))
    with pytest.raises(InputError, match="one of the two is wrong"):
        markets.compare("toy", draws=10)


def test_the_command_shows_and_saves(tmp_path):
    shown = run("optimum", "toy", "--seed", "1", "--draws", "100", "--save", tmp_path / "toy.json")
    assert "to the first" in shown.stdout
    again = json.loads(
        run("optimum", "toy", "--seed", "1", "--draws", "100", "-o", "agents=5", "--json").stdout
    )
    saved = json.loads((tmp_path / "toy.json").read_text(encoding="utf-8"))
    assert saved == again
    assert np.isclose(saved["systems"][0]["share"], 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("toy", "-o", "bidders=3"), "toy has agents"),
        (("toy", "-o", "agents=few"), "whole number"),
        (("toy", "-o", "agents=0"), "at least 1"),
        (("toy", "--vcg"), "not for a paper's market"),
        (("single_item",), "VALUES"),
        (("single_item", "bids.csv", "--seed", "2"), "not drawn"),
    ],
)
def test_bad_usage_is_explained(arguments, said):
    assert said in refused("optimum", *arguments)


def test_resamples_without_any_gain_do_not_count_as_the_whole_of_it():
    best, welfare = np.array([0.0, 0.0, 2.0]), np.array([0.0, 0.0, 1.0])
    again = np.array([[0, 1, 0], [0, 1, 2], [2, 2, 1]])
    assert markets._interval(welfare, best, again) == (0.5, 0.5)
    assert markets._interval(welfare * 0, best * 0, again) == (1, 1)
