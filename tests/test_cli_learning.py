"""`mechkit learn` and `mechkit compare`: what they print, save, refuse, and exit with."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import refused, run

from learners import saved, store
from learners.learner import LEARNERS
from mechkit import training
from mechkit.environments import ENVIRONMENTS

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def tiny(tmp_path, monkeypatch):
    """A directory to work in, and names for the tiny market and its learners."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(ENVIRONMENTS, "tiny", "tabular:Market")
    monkeypatch.setitem(LEARNERS, "tabular", "tabular:LEARNER")
    monkeypatch.setitem(LEARNERS, "blind", "tabular:BLIND")
    return tmp_path


BASE = ("learn", "tiny", "--workers", "1", "--instances", "60", "--steps", "80", "--seeds", "2")


def learn(*more, code=0):
    return run(*BASE, "--save", "runs", *more, code=code)


def test_learn_then_compare(tiny):
    result = learn("--learner", "tabular", "--learner", "blind", "--checkpoint", "40")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Best: tabular with ")
    assert "the one-line rule 'middle' has" in " ".join(lines[:2])
    table = {line.split()[0]: line for line in lines if "%" in line}
    assert "100.00 %" in table["oracle"]
    assert "← best" in table["tabular"]
    assert " 80 " in table["tabular"]
    assert "saved runs" in lines[-1]
    assert "fewer than 10 seeds" in result.stdout
    assert (tiny / "runs" / "tabular" / "seed-1" / "final.parquet").exists()
    again = run("compare", "runs")
    assert again.stdout.splitlines()[0] == lines[0]
    # Nothing is left to do, and nothing is done twice.
    before = {f: f.stat().st_mtime_ns for f in (tiny / "runs").rglob("*.parquet")}
    learn("--learner", "tabular", "--learner", "blind")
    assert before == {f: f.stat().st_mtime_ns for f in (tiny / "runs").rglob("*.parquet")}


def test_a_rule_that_beats_every_learner_is_named_first():
    result = learn("--learner", "blind")
    first = " ".join(result.stdout.split())
    assert first.startswith("The one-line rule 'middle' beats every learner: ")
    assert "and the best of them is blind with" in first


def test_json_is_all_there_is_on_stdout():
    result = learn("--learner", "tabular", "--json")
    data = json.loads(result.stdout)
    assert data["format"] == "mechkit-comparison/1"
    assert data["tables"][0]["best"] == "tabular"
    assert data["audits"] == []
    assert json.loads(run("compare", "runs", "--json").stdout) == data


def test_plot_and_page(tiny):
    learn("--learner", "tabular", "--checkpoint", "20")
    result = run("compare", "runs", "--plot", "a.png", "--html", "a.html")
    assert "saved a.png" in result.stdout
    assert (tiny / "a.png").read_bytes().startswith(b"\x89PNG")
    page = (tiny / "a.html").read_text(encoding="utf-8")
    assert "<strong>Best: tabular with" in page
    assert page.count('<polyline class="line"') == 1
    assert "http" not in page.replace("http-equiv", "")
    for bad in ("nowhere/a.png", "a.pdf"):
        assert "a.p" in refused("compare", "runs", "--plot", bad)
    assert "directory that is there" in refused("compare", "runs", "--html", ".")


def test_a_narrow_terminal_wraps_and_cuts_nothing():
    from rich.console import Console

    from learners.compare import compared
    from mechkit import standings

    learn("--learner", "tabular", "--learner", "blind")
    page = standings.render(compared(saved.find([Path("runs")])))
    for width in (60, 80, standings.WIDE):
        console = Console(width=width)
        with console.capture() as captured:
            console.print(page)
        assert "…" not in captured.get()


def test_require():
    learn("--learner", "tabular", "--require", "0.5")
    result = run("compare", "runs", "--require", "1", code=1)
    assert "short of --require 1" in result.stderr
    assert "tiny, tabular with 0.9" in result.stderr or "tiny, tabular with 0.8" in result.stderr


def test_options_and_config(tiny):
    learn("--learner", "tabular", "-o", "arms=3", "--config", "explore=1", "--config", "batch=4")
    found = saved.read(tiny / "runs" / "tabular" / "seed-0").about
    assert found["environment"]["sizes"] == {"arms": 3, "sign": 1}
    assert found["made"] == {"name": "tiny", "options": {"arms": 3}}
    assert found["config"]["explore"] == 1.0
    assert found["config"]["batch"] == 4
    assert "is another" not in run("compare", "runs").stdout
    # Another market in the same directory is another run.
    told = refused(*BASE, "--save", "runs", "--learner", "tabular", "-o", "arms=4")
    assert "holds another run" in told
    assert "another directory" in told


def test_config_of_one_learner_alone(tiny):
    learn("--learner", "tabular", "--learner", "blind", "--config", "blind.batch=4")
    sizes = {
        name: saved.read(tiny / "runs" / name / "seed-0").about["config"]["batch"]
        for name in ("tabular", "blind")
    }
    assert sizes == {"tabular": 8, "blind": 4}
    told = refused(*BASE, "--save", "d", "--learner", "blind", "--config", "tabular.batch=4")
    assert "--config of tabular: not a --learner given here" in told


def test_seeds_go_on_from_the_first(tiny):
    learn("--learner", "tabular", "--seed", "5")
    assert sorted(f.name for f in (tiny / "runs" / "tabular").iterdir()) == ["seed-5", "seed-6"]


def test_a_diverging_learner_ends_with_1():
    learn("--learner", "tabular", "--seeds", "1")
    result = learn("--learner", "blind", "--config", "diverge=48", "--checkpoint", "40", code=1)
    told = "blind diverged at step 48: loss not finite; the last good checkpoint is "
    assert result.stderr.count(told) == 2
    said = " ".join(result.stdout.split())
    assert f"not counted: blind, seed 0: {told}" in said
    assert said.startswith("Best: tabular with")


def test_bad_input(tiny):
    assert "expected one of dmsb, madda" in refused(
        *BASE[:1], "x", "--learner", "ppo", "--save", "d"
    )
    assert "learner 'x': expected one of ppo" in refused(*BASE, "--learner", "x", "--save", "d")
    twice = ("--learner", "tabular", "--learner", "tabular")
    assert "given twice" in refused(*BASE, *twice, "--save", "d")
    one = (*BASE, "--learner", "tabular")
    assert "Missing option '--save'" in refused(*one)
    assert "unexpected keyword argument 'x'" in refused(*one, "--save", "d", "-o", "x=3")
    assert "is not NAME=VALUE" in refused(*one, "--save", "d", "-o", "x")
    assert "config warmth: tabular has batch" in refused(
        *one, "--save", "d", "--config", "warmth=3"
    )
    (tiny / "file").write_text("")
    assert "file: cannot be written (File exists)" in refused(*one, "--save", "file")
    assert "no saved run there" in refused("compare", str(tiny))
    told = refused(*one, "--save", "e", "--steps", "7")
    assert "steps = 7: below one batch of tabular, 8 steps" in told


def test_negative_optima_have_no_share_to_require():
    result = learn("--learner", "tabular", "-o", "sign=-1")
    assert result.stdout.splitlines()[0].startswith(("Best: ", "The one-line rule"))
    assert "return" in result.stdout
    assert "there is no share of them" in refused("compare", "runs", "--require", "0.5")


MISSING = """
import sys
sys.modules["torch"] = None
from mechkit.cli import main
sys.argv = ["mechkit", "learn", "dmsb", "--learner", "discrete-sac", "--save", "runs"]
main()
"""


def test_missing_torch_says_what_to_install():
    result = subprocess.run(
        [sys.executable, "-c", MISSING],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert result.returncode == 2
    assert "pip install 'mechkit-econ[learn]'" in result.stderr
    assert result.stderr.count("\n") == 1


def test_how_far_the_runs_are(tiny):
    learn("--learner", "tabular")
    tasks = [
        training.Task(
            folder=tiny / "runs" / "tabular" / f"seed-{seed}", environment="tiny", options={},
            learner="tabular", config={}, seeds=(seed,), steps=160, checkpoint=None, evaluation=0,
            instances=60, watched=9, tensorboard=False,
        )
        for seed in (0, 1, 2, 3)
    ]  # fmt: skip
    share, told = training.so_far(tasks)
    # Two of four runs are half-way, as their last checkpoints say.
    assert share == pytest.approx(0.25)
    assert told.startswith("gap: tabular ")
    assert training.so_far(tasks[2:]) == (0.0, "no checkpoint yet")


def test_worker_processes_end_with_a_killed_parent_and_their_runs_go_on(tiny):
    # Names of the tiny market are not known in a fresh interpreter: a real one.
    command = (
        "learn", "dmsb", "--learner", "discrete-sac", "--seeds", "1", "--config", "warmup=300",
        "--checkpoint", "512", "--instances", "50", "--save", "runs",
    )  # fmt: skip
    parent = subprocess.Popen(
        [sys.executable, "-m", "mechkit", *command, "--steps", "10000000", "--workers", "2"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    folder = tiny / "runs" / "discrete-sac" / "seed-0"
    try:
        wait_for(lambda: list(folder.glob("checkpoint-*.json")))
    finally:
        parent.kill()
        parent.wait()
    wait_for(lambda: free(folder))
    steps = int(saved.read(folder).trained["steps"]) + 512
    run(*command, "--steps", steps, "--workers", "1")
    found = saved.read(folder)
    assert found.final is not None
    assert found.trained["steps"] >= steps
    assert found.about["history"][-1]["from"] >= 512


def wait_for(condition):
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def free(folder):
    """Nobody trains there."""
    try:
        with store.alone(folder):
            return True
    except ValueError:
        return False


@pytest.mark.parametrize("command", ["learn", "compare"])
def test_help_has_examples(command):
    text = run(command, "--help").stdout
    assert f"mechkit {command} " in text.split("Examples:")[1]
