"""Every example of the README runs: Python blocks in order, in one namespace; commands as typed."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import mechkit as mk
from mechkit.catalogue import entries

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.S)


def test_python_examples_run_in_order():
    namespace = {}
    assert len(blocks("python")) >= 6
    for k, block in enumerate(blocks("python")):
        exec(compile(block, f"README.md, Python block {k + 1}", "exec"), namespace)
    assert namespace["report"].ok
    assert namespace["verdict"].status is mk.Status.PROVED
    namespace["test_second_price_is_truthful"]()
    namespace["test_ir"]()


def commands():
    lines = "".join(blocks("console")).splitlines()
    found = [line[2:].split("#")[0].strip() for line in lines if line.startswith("$ mechkit")]
    assert len(found) >= 6
    return found


# What refutes exits with 1, as the README says of exit codes.
EXPECTED = {"mechkit verify first-price --save found": 1}


def test_commands_run_as_typed(tmp_path):
    for shown in blocks("csv"):
        (tmp_path / "bids.csv").write_text(shown, encoding="utf-8")
    (game,) = (block for block in blocks("python") if "duopoly = Game(" in block)
    (tmp_path / "duopoly.py").write_text(game.partition("found =")[0], encoding="utf-8")
    for command in commands():
        words = shlex.split(command)
        run = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
        )
        assert run.returncode == EXPECTED.get(command, 0), (command, run.stdout, run.stderr)


def test_make_targets_that_are_named_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"make (\w+)", TEXT)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_numbers_of_the_catalogue_are_true():
    faulty = sum(e.faulty for e in entries().values())
    assert f"{len(entries())} mechanisms, {len(entries()) - faulty} sound and {faulty} faulty" in (
        " ".join(TEXT.split())
    )
    assert f"{len(entries())} known mechanisms" in TEXT


@pytest.mark.parametrize("name", sorted(mk.PROPERTIES))
def test_every_property_is_named(name):
    assert f"`{name}`" in TEXT


def test_every_constructor_is_named():
    for name in [
        "single_item",
        "multi_unit",
        "double_auction",
        "additive",
        "unit_demand",
        "single_minded",
        "combinatorial",
        "divisible",
        "public_project",
        "positions",
    ]:
        assert f"mk.{name}(" in TEXT
    assert "mk.Setting(" in TEXT


def test_pictures_are_there():
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", TEXT):
        assert (ROOT / path).is_file(), path
