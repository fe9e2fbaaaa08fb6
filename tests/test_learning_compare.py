"""Learners and rules side by side, on a market whose optimum is known by hand."""

import json

import numpy as np
import pytest
from tabular import BLIND, LEARNER, Greedy, Market, Tabular

from learners import runs, saved, store
from learners.compare import LEARNER as KIND
from learners.compare import compare, compared
from learners.learner import Learner


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("compared")


@pytest.fixture(scope="module")
def comparison(folder):
    return compare(
        [LEARNER, BLIND], Market, 80, range(4), instances=400, watched=40, checkpoint=40,
        save=folder,
    )  # fmt: skip


def rows(comparison):
    (table,) = comparison.tables
    return {row.name: row for row in table.rows}


def test_what_everybody_scores(comparison, folder):
    (table,) = comparison.tables
    found = rows(comparison)
    assert set(found) == {"tabular", "blind", "first", "middle", "random", "oracle"}
    assert found["oracle"].score.value == found["oracle"].score.low == 1
    # By hand: the first arm earns 4, 3, 2, 1 with the best arm; the second 3, 4, 3, 2.
    best = saved.find([folder / "tabular"])[0].final
    assert best is not None
    drawn = Market().draw(np.random.default_rng(np.random.SeedSequence(0, spawn_key=(101,))), 400)
    first, middle = (4 - drawn).mean() / 4, (4 - abs(1 - drawn)).mean() / 4
    assert found["first"].score.value == pytest.approx(first) == pytest.approx(0.625, abs=0.04)
    assert found["blind"].score.value == pytest.approx(first)
    assert found["middle"].score.value == pytest.approx(middle) == pytest.approx(0.75, abs=0.03)
    assert found["first"].gap.value == pytest.approx(4 * (1 - first))
    assert found["first"].gap.low < found["first"].gap.value < found["first"].gap.high
    assert found["tabular"].welfare.value == pytest.approx(found["tabular"].score.value)
    assert found["first"].measures["away"].value == pytest.approx(4 * (1 - first))
    assert table.optimum == table.first_best == 4
    assert table.share
    assert not table.unfinished


def test_who_is_better(comparison):
    (table,) = comparison.tables
    found = rows(comparison)
    assert [row.name for row in table.rows][:2] == ["oracle", "tabular"]
    assert table.best.name == "tabular"
    assert table.best_of("rule").name == "middle"
    assert not table.beaten
    assert found["tabular"].improvement.value == 1
    assert found["blind"].improvement.value == 0
    # Four seeds that agree: at least 0.025^(1/4) of all.
    assert found["tabular"].improvement.low == pytest.approx(0.025**0.25)
    assert found["middle"].improvement is None


def test_seeds_steps_and_curves(comparison):
    found = rows(comparison)
    assert found["tabular"].seeds == (0, 1, 2, 3)
    assert (found["tabular"].steps, found["tabular"].updates) == (80, 10)
    assert found["tabular"].seconds > 0
    # Rules that draw no lots are played twice, to see that they draw none.
    assert found["random"].seeds == (0, 1, 2, 3)
    assert found["middle"].seeds == (0, 1)
    assert found["random"].score.low < found["random"].score.high
    curve = found["tabular"].curves["steps"]
    assert list(curve.at) == [40, 80]
    assert curve.value[0] >= curve.value[-1]
    assert list(found["tabular"].curves["updates"].at) == [5, 10]


def test_as_json(comparison):
    data = comparison.as_json()
    assert json.loads(json.dumps(data)) == data
    assert data["format"] == "mechkit-comparison/1"
    (table,) = data["tables"]
    assert table["best"] == "tabular"
    assert table["rule_beats_every_learner"] is False
    assert table["rows"][1]["curves"]["steps"]["at"] == [40, 80]


def test_saved_runs_say_the_same(comparison, folder):
    assert compared(saved.find([folder])).as_json() == comparison.as_json()
    halves = [folder / "tabular", folder / "blind", folder / "rules"]
    assert compared(saved.find(halves)).as_json() == comparison.as_json()


def test_a_rule_that_beats_every_learner(tmp_path):
    found = compare([BLIND], Market, 8, [0, 1], instances=50, watched=5)
    (table,) = found.tables
    assert table.beaten
    assert table.best.name == "middle"
    assert found.as_json()["tables"][0]["rule_beats_every_learner"] is True


class Choosing(Tabular):
    """Plays ten steps of its own for each policy that it deploys, and gives the count."""

    selection_steps = 0

    def policy(self):
        self.selection_steps = 10
        return super().policy()


def test_steps_outside_the_budget_are_shown(tmp_path):
    choosing = Learner("choosing", "", LEARNER.config, Choosing)
    found = compare([choosing, LEARNER], Market, 80, 2, instances=20, watched=5, save=tmp_path)
    told = "choosing: 10 further steps choose its target return, outside the budget and the seconds"
    assert found.tables[0].notes == (told,)
    by_name = {row["name"]: row for row in found.as_json()["tables"][0]["rows"]}
    assert by_name["choosing"]["selection_steps"] == 10
    assert by_name["tabular"]["selection_steps"] == by_name["first"]["selection_steps"] == 0
    (run, _) = saved.find([tmp_path / "choosing"])
    assert run.trained["selection_steps"] == 10
    assert set(run.metrics["selection_steps"]) == {10}
    # Files of runs that were saved without the count are read as before.
    for file in tmp_path.rglob("*.parquet"):
        columns, about = store.read_table(file)
        columns.pop("selection_steps", None)
        about.pop("selection_steps", None)
        store.write_table(file, columns, about)
    again = compared(saved.find([tmp_path]))
    assert {row.selection_steps for row in again.tables[0].rows} == {0}
    assert again.tables[0].notes == ()
    rows_then, rows_now = found.as_json()["tables"][0]["rows"], again.as_json()["tables"][0]["rows"]
    assert [row["score"] for row in rows_now] == [row["score"] for row in rows_then]
    (tmp_path / "choosing" / "seed-0" / "final.parquet").unlink()
    compare([choosing, LEARNER], Market, 120, 2, instances=20, watched=5, save=tmp_path)
    counted = saved.read(tmp_path / "choosing" / "seed-0").metrics["selection_steps"]
    assert np.isnan(counted[:-2]).any()
    assert counted[-1] == 10


def test_negative_optima_have_no_shares():
    found = compare([LEARNER], lambda: Market(sign=-1), 80, [0, 1], instances=50, watched=5)
    (table,) = found.tables
    assert not table.share
    assert table.optimum == -1
    assert rows(found)["oracle"].score.value == -1
    assert rows(found)["first"].gap.value > 0
    assert table.best.name in ("tabular", "middle")


class Halves(Tabular):
    """Deploys half an arm."""

    def policy(self):
        return Half(self.sums)


class Half(Greedy):
    def act(self, observation):
        return np.full(len(observation), 0.5)


class Between(Market):
    """The optimum counts what two levels can earn; a rule that is not bound to them earns more."""

    def __init__(self):
        super().__init__(arms=2, claimed=1.4)
        self.rules = {"half": lambda e, rng: np.full(len(e.best), 0.5)}


def test_who_acts_between_the_levels_may_exceed_their_optimum():
    found = compare([Learner("blind", "", BLIND.config, Halves)], Between, 8, 2, instances=50)
    (table,) = found.tables
    assert table.notes[0].startswith("blind acts between the levels of which the optimum")
    assert "earns more than it on 100.0% of the instances, at most by" in table.notes[0]
    assert rows(found)["half"].gap.value < 0


def test_several_environments(tmp_path):
    for arms in (3, 4):
        compare(
            [LEARNER], lambda arms=arms: Market(arms=arms), 40, 3, instances=30, watched=5,
            save=tmp_path / str(arms),
        )  # fmt: skip
    found = compared(saved.find([tmp_path / "3", tmp_path / "4"]))
    assert [table.environment["sizes"]["arms"] for table in found.tables] == [3, 4]
    overall = {row.name: row for row in found.overall}
    assert overall["oracle"].score.value == 1
    assert overall["tabular"].environments == 2
    # Six scores: the lowest and the highest go.
    finals = [run.final for run in saved.find([tmp_path]) if run.about["kind"] == KIND]
    shares = sorted(final["return"].sum() / final["optimum"].sum() for final in finals)
    assert overall["tabular"].score.value == pytest.approx(np.mean(shares[1:5]))


def test_configs_are_told_apart(tmp_path):
    for explore in (0.25, 0.75):
        compare(
            [LEARNER], Market, 40, 2, instances=20, watched=5, save=tmp_path / str(explore),
            configs={"tabular": {"explore": explore}},
        )  # fmt: skip
    own = [tmp_path / str(explore) / "tabular" for explore in (0.25, 0.75)]
    found = rows(compared(saved.find(own)))
    assert set(found) == {"tabular (explore=0.25)", "tabular (explore=0.75)"}
    with pytest.raises(ValueError, match="two runs have the same seed"):
        compared(saved.find([own[0], own[0]]))


def test_a_run_that_diverged_or_is_under_way_is_named(tmp_path):
    diverging = LEARNER.config(diverge=48)
    found = compare(
        [LEARNER, BLIND], Market, 80, 2, instances=20, watched=5, checkpoint=40, save=tmp_path,
        configs={"tabular": {"diverge": diverging.diverge}},
    )  # fmt: skip
    (table,) = found.tables
    assert len(table.unfinished) == 2
    assert "tabular, seed 0: tabular diverged at step 48" in table.unfinished[0]
    assert "tabular" not in rows(found)
    (tmp_path / "blind" / "seed-1" / "final.parquet").unlink()
    (table,) = compared(saved.find([tmp_path])).tables
    assert "blind, seed 1: at 80 of 80 steps" in table.unfinished
    with pytest.raises(ValueError, match="no run is finished"):
        compared(saved.find([tmp_path / "tabular"]))


def test_other_instances_are_refused(tmp_path):
    for seed in (0, 1):
        compare(
            [LEARNER], Market, 8, 1, evaluation_seed=seed, instances=9, watched=5,
            save=tmp_path / str(seed),
        )  # fmt: skip
    with pytest.raises(ValueError, match="tested on different instances"):
        compared(saved.find([tmp_path]))
    file = tmp_path / "0" / "tabular" / "seed-0" / "final.parquet"
    columns, about = store.read_table(file)
    store.write_table(file, {**columns, "optimum": columns["optimum"] + 1}, about)
    with pytest.raises(ValueError, match="optima differ"):
        compared(saved.find([tmp_path / "0"]))


@pytest.mark.parametrize(
    ("told", "learners", "budget", "seeds"),
    [
        ("no seeds", [LEARNER], 80, []),
        ("no seeds", [LEARNER], 80, 0),
        ("one is given twice; runs of one seed", [LEARNER], 80, [1, 2, 1]),
        ("seed = -1", [LEARNER], 80, [-1]),
        ("seed = True", [LEARNER], 80, [True]),
        ("below one batch", [LEARNER], 7, [0]),
        ("budget = 0: expected a whole number of at least 1", [LEARNER], 0, [0]),
        ("budget = nan: expected a whole number", [LEARNER], float("nan"), [0]),
        ("budget = 2.5: expected a whole number", [LEARNER], 2.5, [0]),
        ("no learner", [], 80, [0]),
        ("one is given twice", [LEARNER, LEARNER], 80, [0]),
        ("learner 'genius': expected one of ppo", ["genius"], 80, [0]),
    ],
)
def test_bad_input(told, learners, budget, seeds):
    with pytest.raises(ValueError, match=told):
        compare(learners, Market, budget, seeds, instances=5, watched=5)


def test_unknown_config_fields_and_rules(tmp_path):
    with pytest.raises(ValueError, match="config warmth: tabular has batch, die, diverge, explore"):
        compare([LEARNER], Market, 8, 1, configs={"tabular": {"warmth": 3}})
    with pytest.raises(ValueError, match="configs of nope: expected some of tabular"):
        compare([LEARNER], Market, 8, 1, configs={"nope": {}})
    with pytest.raises(ValueError, match="rule 'last': expected one of first, random"):
        runs.play_rule(tmp_path, "last", Market, seed=0, held=None)
    with pytest.raises(ValueError, match="no saved run there"):
        saved.find([tmp_path])
