"""A saved training run: what is in it, how it goes on, what it refuses, what a failure costs."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tabular import LEARNER, Market, Tabular

from learners import runs, saved, store
from learners.held import WATCHED, held_out
from learners.learner import Diverged

HERE = Path(__file__).resolve().parent
STEPS, APART = 200, 40


def train(folder, make=Market, learner=LEARNER, *, steps=STEPS, seed=3, evaluation=0, **more):
    environment = make()
    return runs.train(
        folder,
        learner,
        make,
        seed=seed,
        steps=steps,
        held=held_out(environment, seed=evaluation, count=50),
        watched=held_out(environment, seed=evaluation, count=20, key=WATCHED),
        **{"checkpoint": APART, **more},
    )


def weights(folder):
    found = store.last_checkpoint(folder)
    return found.arrays["sums"], found.arrays["counts"], found.numbers


def same(one, other):
    for x, y in zip(weights(one), weights(other), strict=True):
        assert x == y if isinstance(x, dict) else np.array_equal(x, y)
    x, y = saved.read(one), saved.read(other)
    for k in x.final:
        assert np.array_equal(x.final[k], y.final[k])
    for k in x.metrics.keys() - {"seconds"}:
        assert np.array_equal(x.metrics[k], y.metrics[k], equal_nan=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(folder)
    return folder


def test_what_a_run_holds(whole):
    run = saved.read(whole)
    assert run.about["name"] == "tabular"
    assert run.about["config"] == {"batch": 8, "explore": 0.5, "diverge": 0, "die": 0}
    assert run.about["environment"]["sizes"] == {"arms": 4, "sign": 1}
    assert run.about["seed"] == 3
    assert run.about["evaluation"] == {"seed": 0, "instances": 50, "watched": 20}
    assert run.about["history"][0]["versions"]["numpy"] == np.__version__
    assert list(run.metrics["steps"]) == list(range(APART, STEPS + 1, APART))
    assert list(run.metrics["updates"]) == [k / 8 for k in range(APART, STEPS + 1, APART)]
    assert np.isfinite(run.metrics["loss"]).all()
    assert np.allclose(run.metrics["gap"], 4 - run.metrics["return"])
    assert run.metrics["gap"][0] > run.metrics["gap"][-1] == 0
    # Fifty instances on which a trained table makes no mistake.
    assert list(run.final["return"]) == list(run.final["optimum"]) == [4.0] * 50
    assert list(run.final["measure.away"]) == [0.0] * 50
    assert run.trained["steps"] == STEPS
    names = sorted(file.name for file in whole.iterdir())
    assert names == [
        ".lock", "checkpoint-000000000200.json", "checkpoint-000000000200.safetensors",
        "final.parquet", "metrics.parquet", "run.json",
    ]  # fmt: skip
    policy = runs.trained_policy(run, LEARNER, Market)
    assert list(policy.act(np.eye(4))) == [0, 1, 2, 3]


def test_the_same_seed_is_the_same_run_and_another_is_another(whole, tmp_path):
    train(tmp_path / "again")
    same(whole, tmp_path / "again")
    train(tmp_path / "other", seed=4)
    assert not np.array_equal(weights(tmp_path / "other")[0], weights(whole)[0])


def test_testing_changes_nothing_in_training(whole, tmp_path):
    # One checkpoint at the end, and instances of another evaluation seed.
    train(tmp_path / "run", checkpoint=STEPS, evaluation=9)
    assert np.array_equal(weights(tmp_path / "run")[0], weights(whole)[0])


CHILD = """
import sys
from pathlib import Path
from test_learning_runs import train
train(Path(sys.argv[1]), config=__import__("tabular").Config(die=int(sys.argv[2])))
"""


@pytest.mark.parametrize("die", [8, 136, 200])
def test_killed_and_taken_up_again_is_as_if_it_had_not_been(tmp_path, die):
    from tabular import Config

    train(tmp_path / "whole", config=Config(die=die))
    environment = {**os.environ, "PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE}"}
    killed = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "run"), str(die)],
        env={**environment, "MECHKIT_TEST_DIE": "1"},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr
    found = store.last_checkpoint(tmp_path / "run")
    # At most one interval is lost: it died in the piece after the checkpoint.
    reached = 0 if found is None else found.steps
    assert reached == (die - 1) // APART * APART
    run = train(tmp_path / "run", config=Config(die=die))
    assert run.about["history"][-1]["from"] == reached
    same(tmp_path / "whole", tmp_path / "run")


def test_a_longer_budget_goes_on(whole, tmp_path):
    train(tmp_path / "run", steps=120)
    assert saved.read(tmp_path / "run").trained["steps"] == 120
    train(tmp_path / "run", steps=STEPS)
    same(whole, tmp_path / "run")
    assert train(tmp_path / "run", steps=120).trained["steps"] == STEPS  # nothing left to do


class Full:
    """A disk that is full from the k-th write on."""

    def __init__(self, monkeypatch, k):
        self.left, real = k, os.fsync

        def fsync(handle):
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(handle)

        monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("k", [0, 1, 2, 4, 5, 6, 8, 10, 20, 33])
def test_a_full_disk_is_told_and_loses_nothing(whole, tmp_path, monkeypatch, k):
    with monkeypatch.context() as patch:
        Full(patch, k)
        with pytest.raises(store.Unsaved, match=r"could not be written \(No space left") as told:
            train(tmp_path / "run")
    assert "run again" in str(told.value)
    assert not list((tmp_path / "run").glob(".*.part"))
    train(tmp_path / "run")
    same(whole, tmp_path / "run")


def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(store.Unsaved, match="give a directory that can be"):
        train(tmp_path / "file" / "run")


@pytest.mark.parametrize(
    ("sort", "harm"),
    # Without its JSON a checkpoint never counted.
    [("json", "cut"), ("json", "flipped")]
    + [("safetensors", harm) for harm in ("cut", "flipped", "gone")],
)
def test_a_damaged_checkpoint_is_refused_and_the_one_before_named(tmp_path, sort, harm):
    folder = tmp_path / "run"
    with pytest.raises(Diverged):
        train(folder, config=LEARNER.config(diverge=200))
    last = folder / f"checkpoint-000000000160.{sort}"
    data = bytearray(last.read_bytes())
    data[len(data) // 2] ^= 1
    if harm == "gone":
        last.unlink()
    else:
        last.write_bytes(data if harm == "flipped" else data[:-7])
    with pytest.raises(store.Damaged, match=r"goes on from .*000120\.json"):
        train(folder, config=LEARNER.config(diverge=200))


@pytest.mark.parametrize("name", ["run.json", "metrics.parquet", "final.parquet"])
def test_no_flipped_bit_is_believed(whole, tmp_path, name):
    shutil.copytree(whole, tmp_path / "run")
    sound, refused = saved.read(whole), 0
    data = (whole / name).read_bytes()
    for at in range(0, len(data), max(1, len(data) // 60)):
        harmed = bytearray(data)
        harmed[at] ^= 4
        (tmp_path / "run" / name).write_bytes(harmed)
        try:
            found = saved.read(tmp_path / "run")
        except store.Damaged as error:
            refused += name in str(error)
        else:  # a bit that says nothing about the contents
            assert found.about == sound.about
            np.testing.assert_equal(dict(found.metrics), dict(sound.metrics))
            np.testing.assert_equal(dict(found.final), dict(sound.final))
    assert refused > 20  # where it is refused, the file is named


def test_another_run_is_refused(tmp_path):
    folder = tmp_path / "run"
    train(folder, steps=80)
    for told, more in {
        "environment version is 1, and 2": {"make": lambda: Market(version=2)},
        "environment sizes arms is 4, and 5": {"make": lambda: Market(arms=5)},
        "config explore is 0.5, and 0.25": {"config": LEARNER.config(explore=0.25)},
        "seed is 3, and 5": {"seed": 5},
        "evaluation seed is 0, and 1": {"evaluation": 1},
        "checkpoint = 10": {"checkpoint": 10},
    }.items():
        with pytest.raises(ValueError, match=told) as error:
            train(folder, **{"steps": 80, **more})
        assert "another directory" in str(error.value)
    other = type(LEARNER)("other", "", LEARNER.config, Tabular)
    with pytest.raises(ValueError, match="its name is 'tabular', and 'other'"):
        train(folder, learner=other)


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path):
    train(tmp_path, steps=80)
    found = store.last_checkpoint(tmp_path)
    store.save_checkpoint(tmp_path, 80, {"sums": np.zeros(3)}, found.numbers, {})
    with pytest.raises(ValueError, match=r"does not fit this learner \(arrays {'sums': \(3,\)}"):
        train(tmp_path, steps=160)
    wrong = {**found.numbers, "steps": 72}
    store.save_checkpoint(tmp_path, 80, found.arrays, wrong, {})
    with pytest.raises(ValueError, match="of step 80, the learner says 72"):
        train(tmp_path, steps=160)


def test_a_format_of_the_future_is_refused(tmp_path):
    train(tmp_path, steps=80)
    about = store.read_json(tmp_path / "run.json")
    store.write_json(tmp_path / "run.json", about | {"format": "mechkit-run/9"})
    with pytest.raises(ValueError, match="format 'mechkit-run/9', expected 'mechkit-run/1'"):
        train(tmp_path, steps=80)


def test_a_diverging_learner_names_the_step_and_the_last_good_checkpoint(tmp_path):
    config = LEARNER.config(diverge=136)
    with pytest.raises(Diverged, match="tabular diverged at step 136: loss not finite") as told:
        train(tmp_path, config=config)
    assert f"{tmp_path / 'checkpoint-000000000120'}, step 120" in str(told.value)
    run = saved.read(tmp_path)
    assert run.diverged == str(told.value)
    assert run.final is None
    assert store.last_checkpoint(tmp_path).steps == 120
    with pytest.raises(Diverged, match="before its first checkpoint"):
        train(tmp_path / "early", config=LEARNER.config(diverge=8))


def test_a_budget_below_one_batch(tmp_path):
    with pytest.raises(ValueError, match="steps = 7: below one batch of tabular, 8 steps"):
        train(tmp_path, steps=7)
    with pytest.raises(ValueError, match="holds no run"):
        saved.read(tmp_path)
    assert train(tmp_path / "one", steps=8, checkpoint=None).trained["steps"] == 8
    for steps in (0, -3):
        with pytest.raises(ValueError, match="expected a whole number of at least 1"):
            train(tmp_path, steps=steps)


def test_an_optimum_that_is_exceeded_is_none(tmp_path):
    with pytest.raises(ValueError, match=r"earned 4 on instance \d+, whose optimum is given as 3"):
        train(tmp_path, lambda: Market(claimed=3))


def test_one_process_at_a_time(tmp_path):
    with store.alone(tmp_path), pytest.raises(ValueError, match="another process is training"):
        train(tmp_path)


def test_the_held_out_instances_are_nobodys_training():
    # Seed 0 of everything: the three streams differ.
    drawn = [held_out(Market(), seed=0, count=40, key=key).instances for key in (101, 102)]
    agent = np.random.default_rng(np.random.SeedSequence(0).spawn(1)[0])
    drawn.append(Market().draw(agent, 40))
    assert len({tuple(x) for x in drawn}) == 3


def test_what_json_has_not_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is no JSON"):
        store.write_json(tmp_path / "x.json", {"a": {1, 2}})
    with pytest.raises(ValueError, match="JSON compliant"):
        store.write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())
    store.write_json(tmp_path / "x.json", {"a": np.float64(0.1), "b": np.arange(2)})
    assert json.loads((tmp_path / "x.json").read_text())["body"] == {"a": 0.1, "b": [0, 1]}


def test_tensorboard_on_request(tmp_path):
    train(tmp_path, steps=80, tensorboard=True)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [event.step for event in found.Scalars("gap")] == [40, 80]
