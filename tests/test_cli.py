"""The command line: exit codes, JSON, and what is said about every bad input."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import mechkit as mk
from mechkit import terminal
from mechkit.cli import cli
from mechkit.properties import PROPERTIES
from tests.commands import AUCTION, QUICK, refused, run, saved, workplace

ROOT = Path(__file__).resolve().parent.parent
here = pytest.fixture(workplace)


def shell(*args, **options):
    """A real process, as a user starts it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", **options.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-m", "mechkit", *map(str, args)],
        env=environment,
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


# verify -------------------------------------------------------------------------------------------


def test_nothing_refuted_exits_with_0(here):
    result = run("verify", "auction.py", "--properties", "ir,feasible", *QUICK)
    assert "2 unrefuted." in result.stdout
    assert "does not say that it holds" in result.stdout


def test_something_refuted_exits_with_1(here):
    result = run("verify", "auction.py:first_price", "--properties", "ic", *QUICK, code=1)
    assert "The lie gains" in result.stdout
    assert result.stderr == ""


def test_properties_may_be_given_in_any_way(here):
    apart = run("verify", "auction.py", "--properties", "ir", "--properties", "feasible", *QUICK)
    assert "2 unrefuted." in apart.stdout
    spaced = run("verify", "auction.py", "--properties", "ir, feasible", *QUICK)
    assert "2 unrefuted." in spaced.stdout


def test_json_is_all_there_is_on_stdout(here):
    (here / "chatty.py").write_text(f"print('hello')\n{AUCTION}", encoding="utf-8")
    result = run("verify", "chatty.py", "--json", *QUICK, code=1)
    data = json.loads(result.stdout)
    assert "hello" in result.stderr
    assert data["format"] == "mechkit-report/1"
    assert data["mechanism"]["reference"] == "chatty.py:first_price"
    assert len(data["mechanism"]["sha256"]) == 64
    assert data["setting"] == {"name": "single item, 3 agents", "agents": 3, "roles": {"bidder": 3}}
    assert set(data["verdicts"]) == set(PROPERTIES)
    for verdict in data["verdicts"].values():
        assert set(verdict) == {
            "status",
            "evidence",
            "reason",
            "effort",
            "certificate",
            "witness",
        }
        assert verdict["status"] in list(mk.Status)
        assert verdict["evidence"]


def test_the_seed_alone_decides_with_a_budget_of_evaluations(here):
    def verdicts(*args):
        data = json.loads(run("verify", "auction.py", "--json", *QUICK, *args, code=1).stdout)
        for verdict in data["verdicts"].values():
            del verdict["effort"]["seconds"]
        return data["verdicts"]

    assert verdicts("--seed", 4) == verdicts("--seed", 4, "--workers", 1)


def test_larger_coalitions_are_said(here):
    args = ("verify", "auction.py", "--properties", "group_ic", "--coalition", 3)
    assert "coalitions of up to 3" in run(*args, *QUICK).stdout


def test_what_is_required_and_missing_is_named(here):
    base = ("verify", "auction.py", *QUICK, "--properties")
    result = run(*base, "ir", "--require", "proved", code=1)
    assert "short of --require proved: ir (unrefuted)" in result.stderr
    result = run(*base, "ir,ic", "--require", "all-decided", code=1)
    assert "short of --require all-decided: ir (unrefuted)" in result.stderr
    assert "ic" not in result.stderr.partition(":")[2].replace("all-decided", "")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nofile.py"], ["nofile.py: no such file", "mechkit list"]),
        (
            ["auction.py:first_prise"],
            ["has no first_prise", "did you mean auction.py:first_price?"],
        ),
        (["auction.py:np"], ["is a module", "expected a Mechanism"]),
        (["auction.py:highest"], ["highest() raised TypeError"]),
        (["first-prise"], ["'first-prise' is not in the catalogue", "first-price"]),
        (["auction.py", "--properties", "ic,truthful"], ["['truthful']", "false_name_proof"]),
        (["auction.py", "--properties", ","], ["properties", "expected some of"]),
        (["auction.py", "--seconds", "0"], ["--seconds", "positive"]),
        (["auction.py", "--seconds", "nan"], ["--seconds", "finite"]),
        (["auction.py", "--seconds", "inf"], ["--seconds", "finite"]),
        (["auction.py", "--seconds", "soon"], ["--seconds", "soon"]),
        (["auction.py", "--seed", "-1"], ["--seed", "-1"]),
        (["auction.py", "--evaluations", "0"], ["--evaluations"]),
        (["auction.py", "--workers", "0"], ["--workers"]),
        (["auction.py", "--coalition", "1"], ["--coalition"]),
        (["auction.py", "--require", "luck"], ["--require", "all-decided"]),
        (["auction.py", "--colour"], ["--colour", "mechkit verify --help"]),
        ([], ["Missing argument", "mechkit verify --help"]),
    ],
)
def test_bad_arguments_are_named(here, args, words):
    message = refused("verify", *args)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def (:\n", ["does not import", "SyntaxError", "line 1"]),
        ("import mechkit\n\n1 / 0\n", ["line 3", "ZeroDivisionError"]),
        ("raise SystemExit(3)\n", ["does not import", "SystemExit"]),
        ("import no_such_module\n", ["No module named 'no_such_module'"]),
        ("x = 1\n", ["declares no mechanism", "mk.Mechanism(setting, allocate, pay)"]),
        (
            f"{AUCTION}\nother = first_price\n",
            ["2 mechanisms", "first_price, other", "bad.py:NAME"],
        ),
        ("import mechkit as mk\nx = mk.Mechanism(3)\n", ["setting = 3", "expected a Setting"]),
        (
            AUCTION.replace("allocation * bids", "allocation[0] * bids"),
            ["first price", "each row must", "axis=-1"],
        ),
        (AUCTION.replace("allocation * bids", "bids[:, :2]"), ["shape", "expected"]),
        (AUCTION.replace("allocation * bids", "bids / 0"), ["expected finite numbers"]),
    ],
)
def test_bad_files_are_explained(here, text, words):
    (here / "bad.py").write_text(text, encoding="utf-8")
    message = refused("verify", "bad.py", *QUICK)
    assert all(word in message for word in words), message


def test_a_function_may_make_the_mechanism(here):
    (here / "made.py").write_text(
        f"{AUCTION}\ndef make():\n    return first_price\n", encoding="utf-8"
    )
    run("verify", "made.py:make", "--properties", "ir", *QUICK)


# list, show, init, audit --------------------------------------------------------------------------


def test_list_filters_by_setting_and_kind():
    everything = json.loads(run("list", "--json").stdout)
    faulty = json.loads(run("list", "--faulty", "--json").stdout)
    sound = json.loads(run("list", "--sound", "--json").stdout)
    keys = [entry["key"] for entry in everything]
    assert len(keys) == len(set(keys)) == len(faulty) + len(sound)
    assert all(entry["faulty"] for entry in faulty)
    assert not any(entry["faulty"] for entry in sound)
    trade = json.loads(run("list", "--setting", "Double Auction", "--json").stdout)
    assert {"mcafee", "midpoint"} <= {entry["key"] for entry in trade}
    assert all("double auction" in entry["setting"]["name"] for entry in trade)
    table = run("list", "--setting", "double auction").stdout
    assert all(entry["key"] in table for entry in trade)
    assert "there are: " in refused("list", "--setting", "nowhere")


def test_show_a_catalogue_entry_with_its_rules_and_truth():
    text = run("show", "first-price").stdout
    data = json.loads(run("show", "first-price", "--json").stdout)
    assert "single item, 3 agents" in text
    assert "def highest" in data["rules"]
    assert "ic" in data["fails"]
    assert data["source"] in " ".join(text.split())
    for name in (*data["holds"], *data["fails"]):
        assert name in text


def test_show_prints_every_part_of_a_rule_once():
    rules = json.loads(run("show", "mcafee", "--json").stdout)["rules"]
    for part in ("def mcafee(", "def market(", "class Book", "def order(", "def ranks("):
        assert rules.count(part) == 1
    assert "trade_reduction" not in rules


def test_show_prints_how_a_rule_of_the_library_is_made():
    for key, words in (("posted-price", "posted"), ("vcg-packages", "groves")):
        assert words in json.loads(run("show", key, "--json").stdout)["rules"]


def test_show_a_property_with_its_margin():
    text = run("show", "critical_payment").stdout
    assert PROPERTIES["critical_payment"].source in text
    assert "A winner pays between every losing and every winning report" in text
    for name, prop in PROPERTIES.items():
        data = json.loads(run("show", name, "--json").stdout)
        assert data["statement"] == prop.statement
        assert data["families"]


def test_show_a_mechanism_of_a_file_and_a_witness(here):
    text = run("show", "auction.py:first_price").stdout
    assert "def own_bid(bids, allocation):" in text
    assert "(3,) in [0, 1]" in text
    assert "The lie gains" in run("show", saved(here)).stdout


def test_show_suggests_what_may_be_meant():
    assert "first-price" in refused("show", "first-pric")
    assert "monotone" in refused("show", "monoton")
    assert "`mechkit list`" in refused("show", "qqqqqq")


def test_the_starter_verifies_as_it_is_and_after_its_remark_is_removed(here):
    assert "wrote new.py" in run("init", "new.py").stdout
    run("verify", "new.py", "--properties", "ic,ir,feasible,weak_budget_balance", *QUICK)
    lines = (here / "new.py").read_text(encoding="utf-8").splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("# def pay_own_bid"))
    opened = [line.removeprefix("#").removeprefix(" ") for line in lines[start:]]
    opened = ["    " + line.strip() if "return" in line else line for line in opened]
    (here / "open.py").write_text("\n".join(lines[:start] + opened), encoding="utf-8")
    run("verify", "open.py:first_price", "--properties", "ic", *QUICK, code=1)


def test_init_never_overwrites(here):
    before = (here / "auction.py").read_bytes()
    assert "auction.py exists" in refused("init", "auction.py")
    assert (here / "auction.py").read_bytes() == before
    assert "ends in .py" in refused("init", "auction.txt")
    assert "make its directory first" in refused("init", "no/such/auction.py")


def test_audit_compares_with_the_declared_truth(here):
    args = ("audit", "--only", "first-price", "--evaluations", "20000")
    assert "every cell agrees" in run(*args).stdout
    data = json.loads(run(*args, "--json", "--save", "out").stdout)
    assert data["ok"] is True
    assert [row["key"] for row in data["rows"]] == ["first-price"]
    assert (here / "out" / "audit.json").is_file()
    assert "first-price" in refused("audit", "--only", "first-pric")


def test_an_audit_that_disagrees_exits_with_1(here, monkeypatch):
    from dataclasses import replace

    from mechkit import catalogue

    entry = catalogue.entry_of("first-price")
    wrong = replace(entry, holds=f"{entry.holds} ic", fails=entry.fails.replace("ic ", "", 1))
    monkeypatch.setattr(catalogue, "entries", lambda: {"first-price": wrong})
    result = run("audit", "--only", "first-price", "--evaluations", "20000", code=1)
    assert "first-price" in result.stdout


# The terminal -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["verify", "list", "show", "replay", "init", "audit"])
def test_every_command_has_help_with_an_example(command):
    text = run(command, "--help").stdout
    assert "Example" in text
    assert f"  mechkit {command}" in text
    assert command == "init" or "--json" in text


def test_no_command_at_all_shows_the_help():
    result = CliRunner().invoke(cli, [])
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: mechkit ")
    assert "to begin with" in result.stderr.lower()
    assert "'shwo'" in refused("shwo")


def test_help_loads_neither_what_solves_nor_what_draws():
    program = (
        "import sys\nfrom mechkit.cli import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules} & {'scipy', 'rich', 'sympy'}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines()[-1] == "[]"


def test_a_real_process_fits_80_columns_and_has_no_colours_in_a_pipe(here):
    process = shell("verify", "auction.py", *QUICK)
    out, err = process.communicate()
    assert process.returncode == 1
    assert err == ""
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert all(line == line.rstrip() for line in out.splitlines())


def test_a_terminal_without_the_signs_does_not_end_the_run(here):
    process = shell("verify", "auction.py", *QUICK, env={"PYTHONIOENCODING": "ascii"})
    out, err = process.communicate()
    assert (process.returncode, err) == (1, "")
    assert "refuted" in out


def test_a_reader_that_goes_away_is_no_refutation(here):
    reading, writing = os.pipe()
    os.close(reading)
    process = shell("list", stdout=writing)
    os.close(writing)
    _, err = process.communicate()
    assert (process.returncode, err) == (terminal.GONE, "")


def test_an_interrupt_ends_with_130_and_no_trace(here):
    # Where the tests run in the background, a shell may have told them to ignore Ctrl-C.
    listen = "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    text = f"{listen}print('ready', file=sys.stderr, flush=True)\n{AUCTION}"
    (here / "auction.py").write_text(text, encoding="utf-8")
    process = shell("verify", "auction.py", "--seconds", "60")
    assert process.stderr.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (terminal.INTERRUPTED, "", "error: interrupted\n")


def test_a_fault_of_our_own_is_not_taken_for_a_refutation(here, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("wires crossed")

    # The name `mechkit.verify` is the function; the module of that name is found by import only.
    monkeypatch.setattr(sys.modules["mechkit.verify"], "verify", broken)
    result = CliRunner().invoke(cli, ["verify", "auction.py"])
    assert result.exit_code == terminal.INTERNAL
    assert "Traceback" in result.stderr
    assert "wires crossed" in result.stderr.splitlines()[-1]


class Terminal:
    """A stderr that says that it is a terminal."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text
        return len(text)

    def flush(self):
        """Nothing is held back."""

    def isatty(self):
        return True


@pytest.mark.parametrize(("taken", "drawn"), [(0.5, False), (1.5, True)])
def test_a_bar_is_drawn_on_stderr_once_the_work_takes_a_second(monkeypatch, taken, drawn):
    clock = iter([0.0, *[taken] * 10])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(clock))
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    with terminal.progress("searching") as show:
        show(0.5, "1 refuted")
    assert ("searching" in stderr.text) == drawn
