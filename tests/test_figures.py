"""The papers' figures: what is run, what is kept of it, and the paper's own numbers."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks import figures, reputation, shown
from benchmarks.figures import FIGURES, Figure
from benchmarks.shown import Said
from learners import store
from learners.held import held_out
from mechkit.environments import environment

TINY = Figure(
    market="dmsb",
    axes={"stations": {"2": {"stations": 2}, "3": {"stations": 3}}},
    learners=("discrete-sac",),
    steps=2_400,
    measures=("latency, s",),
    curves=("stations", "3"),
    said=(Said("score", "best from bids", "random", 63),),
)


@pytest.mark.parametrize("name", FIGURES)
def test_every_setting_is_a_market(name):
    figure = FIGURES[name]
    assert dict(figure.axes[figure.curves[0]]).keys() >= {figure.curves[1]}
    options = [options for _, _, options in figures.settings(figure)]
    if figure.market == "madda":  # small: what else is asked for must be an option of the market
        options = [{**one, "buyers": 3, "sellers": 3, "pool": 2, "past": 2} for one in options]
    for one in options:
        market = environment(figure.market, **one)
        market.reset(np.random.default_rng(0), 2)
        market.step(np.full(2, market.spec.low))
        assert set(figure.measures) <= set(market.measures())


def test_a_figure_from_runs_to_its_files(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(FIGURES, "dmsb", TINY)
    command = ["figures", "dmsb", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", [*command, "--seeds", "2", "--instances", "60"])
    figures.main()
    columns, about = store.read_table(tmp_path / "out" / "dmsb.parquet")
    assert about["seeds"] == 2
    assert about["steps"] == 2_400
    named = {}
    for k, name in enumerate(columns["name"]):
        named.setdefault(str(name), []).append(k)
    assert {len(rows) for rows in named.values()} == {2}
    assert {"discrete-sac", "second price", "best from bids", "random"} <= set(named)
    # Second price: the highest bid of all wins; the UAV's task is worth ζ times its value.
    market = environment("dmsb", stations=3)
    held = held_out(market, seed=0, count=60)
    values = held.instances.values
    earned = np.where(values.argmax(axis=1) == 0, 1.5 * values[:, 0], values.max(axis=1)).sum()
    (row,) = (k for k in named["second price"] if columns["setting"][k] == "3")
    assert columns["score"][row] == pytest.approx(earned / held.optimum.sum())
    (best,) = (k for k in named["best from bids"] if columns["setting"][k] == "3")
    assert columns["score"][best] == pytest.approx(1)
    learned = named["discrete-sac"][0]
    assert columns["score low"][learned] <= columns["score"][learned]
    assert columns["score"][learned] <= columns["score high"][learned]
    text = (tmp_path / "out" / "dmsb.md").read_text()
    assert "| share of the exact optimum | best from bids | random | +63 % |" in text
    for picture in ("dmsb.png", "dmsb-curves.png"):
        assert (tmp_path / "out" / picture).read_bytes().startswith(b"\x89PNG")
    assert "discrete-sac" in capsys.readouterr().out


def row(setting, name, kind, **numbers):
    return {"axis": "size", "setting": setting, "name": name, "kind": kind, **numbers}


ROWS = [
    row("1", "ours", "learner", **{"score": -2.0, "score low": -2.5, "score high": -1.5}, seeds=1),
    row("2", "ours", "learner", **{"score": -6.0, "score low": -6.0, "score high": -6.0}, seeds=1),
    row("1", "lots", "rule", **{"of the optimum": False}, score=-4.0),
    row("2", "lots", "rule", score=-4.0),
    row("2", "other", "mechanism", welfare=0.5),
]


def test_returns_differ_and_shares_are_in_percent():
    """A return below 0 has no percents: −2 is 2 above −4."""
    said = Said("score", "ours", "lots", 42)
    assert shown.compared(said, ROWS) == [2, -2]
    assert shown.compared(Said("welfare", "ours", "lots", 42), ROWS) == []
    (_, _, line, _) = shown.beside((said,), ROWS)
    assert line == "| mean return | ours | lots | +42 % | +0.0 | -2.0 | +2.0 |"
    shares = [row("1", "ours", "learner", score=0.6), row("1", "lots", "rule", score=0.4)]
    assert shown.compared(said, shares) == [pytest.approx(50)]
    (_, _, line, _) = shown.beside((said,), shares)
    assert line == (
        "| share of the exact optimum | ours | lots | +42 % | +50.0 % | +50.0 % | +50.0 % |"
    )
    assert list(shown.beside((), ROWS)) == []


def test_runs_that_are_not_counted_are_told():
    about = {"market": "dmsb", "seeds": 2, "steps": 9, "instances": 3, "unfinished": ["it: NaN"]}
    text = shown.markdown("dmsb", ROWS, about, ("score",), ())
    assert "- not counted: it: NaN" in text
    assert "1 of 2 seeds" in text


def test_tables_have_everybody_who_was_measured():
    assert list(shown.pivot(ROWS, "size", "score", 1)) == [
        "| | 1 | 2 |",
        "|---|---|---|",
        "| ours | -2 [-2.5, -1.5] | -6 |",
        "| lots (rule) | -4 | -4 |",
    ]
    assert list(shown.pivot(ROWS, "size", "welfare", 1))[2:] == ["| other (mechanism) |  | 0.5 |"]


def test_reputations_are_their_closed_forms_while_a_seller_is_honest():
    found = reputation.reputations(0, 5, honest=12, malicious=3)
    done, q = np.arange(13), np.exp(-0.5)
    assert found["equal"][:, :13] == pytest.approx(
        np.broadcast_to((done + 0.5) / (done + 1), (5, 13))
    )
    fresh = 1 - q**done * (1 - q) / (1 - q ** (done + 1)) / 2
    assert found["freshness"][:, :13] == pytest.approx(np.broadcast_to(fresh, (5, 13)))
    for curve in found.values():
        assert (curve[:, 0] == 0.5).all()
        assert (curve[:, 13:] < curve[:, 12:13]).all() or curve is found["random"]
    # Recent transactions count more: it falls faster.
    assert (found["freshness"][:, -1] < found["equal"][:, -1]).all()


def test_a_level_that_is_never_reached():
    curve = np.array([[0.5, 0.7, 0.9]])
    assert reputation.first_time(curve, 0.7, above=True) == 1
    assert reputation.first_time(curve, 0.4, above=False) == -1
