"""What training refuses before it costs anything, and what a damaged directory still gives."""

import shutil

import numpy as np
import pytest
from commands import refused
from tabular import LEARNER, Market, Tabular

from learners import runs, saved, store
from learners.compare import compare, compared
from learners.held import held_out
from learners.learner import Learner, learner
from mechkit.environments import environment
from mechkit.errors import InputError


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("ppo", "trace", 5.0),
        ("ppo", "value", -1.0),
        ("ppo", "entropy", -100.0),
        ("ppo", "entropy", float("nan")),
        ("ppo", "continuous", 3),
        ("ppo", "spread", float("nan")),
        ("sac", "average", 3.0),
        ("sac", "target", float("nan")),
        ("sac", "warmup", -1),
        ("discrete-sac", "automatic", "maybe"),
        ("diffusion", "predict_noise", 1),
    ],
)
def test_fields_of_a_config(name, field, value):
    with pytest.raises(ValueError, match=f"{field} = .*: expected "):
        runs.config_of(learner(name), {field: value})


@pytest.mark.parametrize("name", ["discrete-sac", "diffusion", "sac", "ddpg"])
def test_a_budget_within_the_warm_up_is_refused_before_training(name, tmp_path):
    with pytest.raises(
        ValueError, match=r"steps = 2000: .* learns nothing in its first 2000 steps"
    ):
        compare([name], Market, 2000, 1, save=tmp_path)
    assert not list(tmp_path.iterdir())
    told = refused("learn", "arms", "--learner", name, "--steps", "256", "--save", str(tmp_path))
    assert "give more steps, or a smaller warmup" in told
    assert not list(tmp_path.iterdir())


class Idle(Tabular):
    def advance(self, steps):
        found = super().advance(steps)
        self.updates = 0
        return found


def test_what_made_no_update_is_not_scored(tmp_path):
    idle = Learner("idle", "", LEARNER.config, Idle)
    with pytest.raises(ValueError, match="idle made no update"):
        compare([idle], Market, 80, 1, instances=9, watched=5, save=tmp_path)
    assert saved.read(tmp_path / "idle" / "seed-0").final is None


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("dmsb", {"bandwidth": 30}, "bandwidth = 30: expected two numbers"),
        ("dmsb", {"bandwidth": ("a", "b")}, "bandwidth = .*: expected two numbers"),
        ("dmsb", {"everybody": 3}, "everybody = 3: expected true or false"),
        ("dmsb", {"parameters": 3}, "parameters = 3: expected a record"),
        ("dmsb", {"zeta": "a"}, "zeta = 'a': expected a positive number"),
        ("madda", {"levels": 5}, "levels = 5: expected several steps"),
        ("madda", {"levels": ("a", "b")}, "levels = .*: expected several steps"),
        ("madda", {"computing": 5}, "computing = 5: expected two numbers"),
        ("madda", {"parameters": 3}, "parameters = 3: expected a record"),
    ],
)
def test_options_of_an_environment(name, options, told):
    with pytest.raises(InputError, match=told):
        environment(name, **options)


def test_what_was_drawn_from_a_pool_is_another_environment():
    assert "pool" not in environment("dmsb").spec.sizes
    assert environment("dmsb", pool=4).spec.sizes["pool"] == 4
    few = {"buyers": 3, "sellers": 3}
    assert {"pool", "past"}.isdisjoint(environment("madda", **few).spec.sizes)
    other = environment("madda", pool=4, past=5, **few).spec.sizes
    assert (other["pool"], other["past"]) == (4, 5)


@pytest.mark.parametrize("least", [1.0, 1.1, 0.3, 0.7, 3.3, 20.0])
def test_every_auction_ends_by_itself_within_the_horizon(least):
    market = environment("madda", buyers=4, sellers=4, levels=(least, 25.0), pool=4, past=4)
    market.start(market.draw(np.random.default_rng(0), 20))
    for _ in range(market.spec.horizon):
        step = market.step(np.full(20, least))
    assert step.terminated.all()
    assert not step.truncated.any()


def test_damaged_directories(tmp_path):
    options = {"instances": 9, "watched": 5, "save": tmp_path}
    compare([LEARNER], Market, 80, 1, **options)
    held = tmp_path / "held.parquet"
    sound = held.read_bytes()
    # Another evaluation is refused by the runs that are there, and leaves what they need.
    with pytest.raises(ValueError, match="holds another run"):
        compare([LEARNER], Market, 80, 1, evaluation_seed=5, **options)
    assert held.read_bytes() == sound
    # What was found can be found again.
    held.write_bytes(sound[:-9])
    assert list(held_out(Market(), seed=0, count=9, file=held).optimum) == [4.0] * 9
    assert store.read_table(held)[1]["count"] == 9
    (tmp_path / "tabular" / "seed-0" / "metrics.parquet").unlink()
    with pytest.raises(store.Damaged, match=r"metrics.parquet is missing.*train again"):
        compared(saved.find([tmp_path]))
    shutil.rmtree(tmp_path / "tabular")
    compare([LEARNER], Market, 80, 1, **options)


def test_missing_libraries_say_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"saved runs need safetensors: pip install"):
        compare([LEARNER], Market, 80, 1, instances=9, watched=5, save=tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    told = refused("compare", str(tmp_path), "--plot", str(tmp_path / "a.png"))
    assert "matplotlib is missing: pip install" in told
