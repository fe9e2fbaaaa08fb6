"""The audit: both sides of every cell, witnesses that replay, runs that survive being killed."""

import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import mechkit as mk
from mechkit import audit as audits
from mechkit.audit import Agreement, audit, compare, soak
from mechkit.audit import run as running
from mechkit.audit.files import Folder
from mechkit.audit.pool import Pool
from mechkit.audit.table import render
from mechkit.catalogue.entry import Entry
from mechkit.errors import InputError
from mechkit.verdict import Status

ROOT = Path(__file__).resolve().parent.parent
BUDGET = 20_000
SECOND_HOLDS = (
    "feasible ir ic ex_post_nash weak_budget_balance no_positive_transfers monotone "
    "critical_payment anonymous envy_free group_ic false_name_proof revenue_monotone "
    "adverse_selection_free"
)
SECOND_FAILS = "strong_budget_balance non_bossy strong_group_ic collusion_proof"


def highest(bids):
    return np.arange(bids.shape[-1]) == np.argmax(bids, axis=-1)[..., None]


def second_price():
    return mk.Mechanism(
        mk.single_item(3), highest, lambda b, x: x * np.sort(b, axis=-1)[..., -2:-1], name="second"
    )


def first_price():
    return mk.Mechanism(mk.single_item(3), highest, lambda b, x: x * b, name="first")


SECOND = Entry("second", second_price, SECOND_HOLDS, SECOND_FAILS, "Vickrey 1961")
FIRST = Entry(
    "first",
    first_price,
    # Of a pair at most one wins, and the other gains nothing: group_ic holds, the strong one fails.
    "feasible ir weak_budget_balance no_positive_transfers monotone anonymous envy_free non_bossy "
    "revenue_monotone adverse_selection_free group_ic",
    "ic ex_post_nash strong_budget_balance critical_payment strong_group_ic collusion_proof "
    "false_name_proof",
    "planted in second: the winner pays its own bid",
    faulty=True,
)


def audited(*entries, **options):
    options = {"evaluations": BUDGET} | options
    return audit(entries={entry.key: entry for entry in entries}, **options)


def cell(result, key, name):
    (row,) = (row for row in result.rows if row.key == key)
    return next(cell for cell in row.cells if cell.property == name)


# One cell -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("expected", [True, False, None])
def test_what_agrees_and_what_does_not(status, expected):
    for estimated, replays in itertools.product([False, True], repeat=2):
        found = compare(expected, status, estimated=estimated, replays=replays)
        if status is Status.NOT_APPLICABLE:
            right = Agreement.NOT_APPLICABLE if expected is None else Agreement.DISAGREES
        elif expected is None:
            right = Agreement.UNDECLARED
        elif expected is False:
            right = Agreement.DISAGREES
            if status is Status.REFUTED and replays:
                right = Agreement.REFUTED
        else:
            right = {
                Status.REFUTED: Agreement.DISAGREES,
                Status.PROVED: Agreement.NOT_REFUTED,
                Status.UNREFUTED: Agreement.NOT_REFUTED,
                Status.UNKNOWN: Agreement.NOT_REFUTED if estimated else Agreement.DISAGREES,
            }[status]
        assert found is right


def test_a_right_table_agrees_in_every_cell():
    seen = []
    result = audited(SECOND, FIRST, progress=lambda share, key: seen.append((share, key)))
    assert [(row.key, c.property, c.evidence) for row, c in result.disagreements] == []
    assert result.ok
    assert seen == [(0.5, "second"), (1.0, "first")]
    assert cell(result, "first", "ic").agreement is Agreement.REFUTED
    assert cell(result, "second", "ic").agreement is Agreement.NOT_REFUTED
    assert cell(result, "second", "cyclic_monotone").agreement is Agreement.NOT_APPLICABLE
    assert cell(result, "second", "bic").agreement is Agreement.UNDECLARED
    assert cell(result, "second", "bic").ok
    assert result.counts["agrees: refuted"] == 4 + 7
    assert result.counts["agrees: not refuted"] == 14 + 11
    # Only the faulty entry is timed, on truthfulness.
    second, first = result.rows
    assert (second.headline, second.refuted_after) == (None, None)
    assert first.headline == "ic"
    assert result.refutation_seconds["entries"] == 1
    assert result.refutation_seconds["median"] == result.refutation_seconds["max"]
    assert first.refuted_after == result.refutation_seconds["max"] > 0


def test_a_refuted_cell_keeps_a_witness_in_exact_numbers():
    found = cell(audited(FIRST), "first", "ic").witness
    (types,), ((lie,),) = found["arrays"]["types"], found["arrays"]["lies"]
    assert Fraction(found["gain"]) == Fraction(types[found["who"][0]]) - Fraction(lie)


def test_the_same_seed_gives_the_same_cells():
    once, again = audited(FIRST, seed=3), audited(FIRST, seed=3)
    assert once.rows[0].cells == again.rows[0].cells


@pytest.mark.parametrize(
    ("change", "name", "status", "evidence"),
    [
        ({"holds": "ic", "fails": ""}, "ic", "refuted", "gain 1 (money, exact)"),
        ({"holds": "", "fails": "ir"}, "ir", "unrefuted", "smallest margin"),
        ({"holds": "", "fails": ""}, "feasible", "unrefuted", "smallest margin"),
        ({"holds": "cyclic_monotone", "fails": ""}, "cyclic_monotone", "not applicable", "monoton"),
        ({"holds": "truthful", "fails": ""}, "truthful", "error", "no property of this name"),
        ({"holds": "ir", "fails": "ir"}, "ir", "unrefuted", "declared to hold and to fail"),
    ],
)
def test_a_wrong_declaration_disagrees(change, name, status, evidence):
    result = audited(replace(FIRST, because={"ir": "a reason"}, **change))
    wrong = cell(result, "first", name)
    assert not wrong.ok
    assert not result.ok
    assert wrong.status == status
    assert evidence in wrong.evidence
    assert wrong.claim == ("a reason" if name == "ir" else FIRST.source)


def test_a_page_shows_both_sides_of_a_disagreement():
    lie = replace(FIRST, holds="ic", fails="ir", because={"ic": "a hasty proof"})
    page = io.StringIO()
    Console(file=page, width=120).print(render(audited(SECOND, lie)))
    text = " ".join(page.getvalue().replace("│", " ").split())
    assert "first: ic DISAGREES (seed 0)" in text
    assert "declared: holds (a hasty proof) found: refuted: gain 1 (money, exact)" in text
    assert "The lie gains 1." in text
    assert "first: ir DISAGREES (seed 0)" in text
    assert f"declared: fails ({FIRST.source}) found: unrefuted" in text
    assert "faulty and not refuted: first (ir)" in text
    assert "cells disagree" in text


def test_a_page_without_disagreements_says_so():
    page = io.StringIO()
    Console(file=page, width=80).print(render(audited(FIRST)))
    assert "every cell agrees with the truth table" in page.getvalue()
    assert "1 entry, seed 0, 20,000 evaluations each" in page.getvalue()


def test_what_exercised_nothing_does_not_hold():
    never = Entry(
        "never",
        lambda: mk.Mechanism(
            mk.single_item(3), lambda b: b * 0, lambda b, x: np.zeros_like(b), name="never"
        ),
        "ic",
        "",
        "",
    )
    found = cell(audited(never), "never", "ic")
    assert (found.agreement, found.vacuous) == (Agreement.DISAGREES, True)


def test_a_witness_counts_only_if_another_build_of_the_entry_replays_it():
    made = []

    def make():
        made.append(None)
        # The third build is the first that a witness is replayed on.
        return first_price() if len(made) != 2 else second_price()

    result = audited(Entry("moody", make, "", "ic ex_post_nash", ""))
    first, second = cell(result, "moody", "ic"), cell(result, "moody", "ex_post_nash")
    assert {first.agreement, second.agreement} == {Agreement.DISAGREES, Agreement.REFUTED}
    wrong = first if first.agreement is Agreement.DISAGREES else second
    assert "it does not replay: the margin is" in wrong.evidence


@pytest.mark.parametrize("where", ["make", "rule"])
def test_an_entry_that_raises_is_a_row_and_not_the_end(where):
    def broken(*args):
        raise ZeroDivisionError("on purpose")

    bad = mk.Mechanism(mk.single_item(3), broken, lambda b, x: x * b, name="bad")
    make = broken if where == "make" else lambda: bad
    result = audited(Entry("bad", make, "ir", "ic", "", faulty=True), SECOND)
    bad_row, good_row = result.rows
    assert "on purpose" in bad_row.error
    assert {(c.property, c.agreement) for c in bad_row.cells} == {
        ("ir", Agreement.DISAGREES),
        ("ic", Agreement.DISAGREES),
    }
    assert good_row.error is None
    assert len(good_row.cells) == len(mk.PROPERTIES)
    assert not result.ok


def test_the_summary_is_json():
    data = json.loads(json.dumps(audits.as_json(audited(FIRST))))
    assert data["ok"] is True
    assert data["disagreements"] == []
    assert [row["key"] for row in data["rows"]] == ["first"]
    assert sum(data["counts"].values()) == len(data["rows"][0]["cells"]) == len(mk.PROPERTIES)


# Soak ---------------------------------------------------------------------------------------------


def test_a_soak_asks_only_for_what_is_declared_to_hold():
    result = soak(entries={"first": FIRST}, seeds=(0, 4), factor=2, evaluations=5000)
    assert result.ok
    assert [(row.key, row.seed) for row in result.rows] == [("first", 0), ("first", 4)]
    assert result.evaluations == 10_000
    for row in result.rows:
        assert {c.property for c in row.cells} == set(FIRST.holds.split())
        assert {c.agreement for c in row.cells} == {Agreement.NOT_REFUTED}


def test_a_soak_finds_what_does_not_hold():
    wrong = replace(FIRST, holds="ir ic", fails="")
    result = soak(entries={"first": wrong}, seeds=[1], factor=1, evaluations=5000)
    assert [(row.seed, c.property) for row, c in result.disagreements] == [(1, "ic")]


# Arguments ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keys": ["third"]}, r"keys \['third'\]: expected some of first"),
        ({"keys": "first"}, "keys = 'first': expected several"),
        ({"keys": []}, "keys is empty"),
        ({"seed": -1}, "seed = -1: expected a non-negative integer"),
        ({"evaluations": 0}, "evaluations = 0: expected a positive number"),
        ({"seconds": -1.0}, r"seconds = -1\.0: expected a positive number"),
        ({"workers": 0}, "workers = 0: expected an integer of at least 1"),
    ],
)
def test_bad_arguments_say_what_was_expected(options, message):
    with pytest.raises(InputError, match=message):
        audit(entries={"first": FIRST}, **options)


def test_bad_arguments_of_a_soak():
    with pytest.raises(InputError, match="factor = 0"):
        soak(entries={"first": FIRST}, factor=0)
    with pytest.raises(InputError, match="seeds is empty"):
        soak(entries={"first": FIRST}, seeds=[])
    with pytest.raises(InputError, match="nothing to audit"):
        soak(entries={"first": replace(FIRST, holds="")})


def test_an_unknown_key_of_the_catalogue_gets_near_misses():
    with pytest.raises(InputError, match="did you mean first-price"):
        audit(["first-prise"])


# Files --------------------------------------------------------------------------------------------


def counting(entry):
    """The entry, and a list that grows whenever it is built."""
    built = []

    def make():
        built.append(entry.key)
        return entry.make()

    return replace(entry, make=make), built


def cells(result):
    return [(row.key, row.seed, row.cells) for row in result.rows]


def test_what_is_saved_is_not_run_again(tmp_path):
    (first, built), (second, built_too) = counting(FIRST), counting(SECOND)
    once = audited(first, save=tmp_path)
    assert once.resumed == 0
    built.clear()
    again = audited(first, second, save=tmp_path)
    assert built == []
    assert built_too
    assert again.resumed == 1
    assert cells(again)[:1] == cells(once)
    assert {p.name for p in tmp_path.iterdir()} == {"first.json", "second.json", "audit.json"}
    data = json.loads((tmp_path / "audit.json").read_text())
    assert [row["key"] for row in data["rows"]] == ["first", "second"]


def shorter(text):
    return text[: len(text) // 2]


def flipped(text):
    return text.replace('"agreement": "agrees: refuted"', '"agreement": "agrees: not refuted"')


def restamped(text):
    data = json.loads(text)
    data["stamp"]["task"]["seed"] = 1
    return json.dumps(data)


@pytest.mark.parametrize(
    "spoil",
    [shorter, flipped, restamped, lambda text: "", lambda text: "[]", lambda text: "{}"],
    ids=["truncated", "edited", "another seed's", "empty", "a list", "an empty object"],
)
def test_a_spoilt_file_is_made_again(tmp_path, spoil):
    entry, built = counting(FIRST)
    once = audited(entry, save=tmp_path)
    path = tmp_path / "first.json"
    good = path.read_text()
    assert spoil(good) != good
    path.write_text(spoil(good))
    built.clear()
    again = audited(entry, save=tmp_path)
    assert built
    assert again.resumed == 0
    assert cells(again) == cells(once)
    assert json.loads(path.read_text())["row"]["cells"] == json.loads(good)["row"]["cells"]


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"evaluations": BUDGET + 1}, {"seconds": 50.0}],
    ids=["seed", "evaluations", "seconds"],
)
def test_another_question_is_asked_again(tmp_path, change):
    entry, built = counting(FIRST)
    audited(entry, save=tmp_path)
    built.clear()
    assert audited(entry, save=tmp_path, **change).resumed == 0
    assert built


@pytest.mark.parametrize("what", ["engine_digest", "version", "digest_of"])
def test_other_sources_are_asked_again(tmp_path, monkeypatch, what):
    entry, built = counting(FIRST)
    audited(entry, save=tmp_path)
    built.clear()
    monkeypatch.setattr(f"mechkit.audit.files.{what}", lambda *of: "other")
    assert audited(entry, save=tmp_path).resumed == 0
    assert built


def test_a_directory_that_cannot_be_written_is_refused_at_once(tmp_path):
    entry, built = counting(FIRST)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="give a directory that can be written"):
        audited(entry, save=tmp_path / "file" / "below")
    assert not built


def test_a_disk_that_fills_up_does_not_cost_the_results(tmp_path, monkeypatch):
    write = Folder._write

    def full(self, name, data):
        if name == "second.json":
            raise OSError(28, "No space left on device")
        write(self, name, data)

    monkeypatch.setattr(Folder, "_write", full)
    result = audited(FIRST, SECOND, save=tmp_path)
    assert len(result.rows) == 2
    assert "second.json" in result.unsaved
    assert "No space left" in result.unsaved
    assert not (tmp_path / "second.json").exists()
    page = io.StringIO()
    Console(file=page, width=200).print(render(result))
    assert "not saved: " in page.getvalue()


# The run that is killed: the third entry waits until a file tells it to go on.
INTERRUPTED = """
import sys, time
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_audit import BUDGET, FIRST, SECOND, audited

def slow(entry):
    def make():
        with open("built.txt", "a") as file:
            print(entry.key, file=file)
        while entry.key == "third" and not Path("go").exists():
            time.sleep(0.05)
        return entry.make()
    return replace(entry, make=make)

entries = [slow(e) for e in (FIRST, SECOND, replace(FIRST, key="third"))]
if __name__ == "__main__":
    result = audited(*entries, save="saved")
    print(result.resumed, result.ok)
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_a_run_that_was_stopped_goes_on_where_it_stopped(tmp_path, sign):
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED.format(tests=str(ROOT / "tests")))
    command = [sys.executable, str(script)]
    settings = {"cwd": tmp_path, "env": {"PYTHONPATH": str(ROOT)}, "text": True}
    process = subprocess.Popen(command, **settings, stderr=subprocess.PIPE)
    built, deadline = tmp_path / "built.txt", time.monotonic() + 60
    while not (built.exists() and "third" in built.read_text()):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(sign)
    _, error = process.communicate(timeout=30)
    assert process.returncode == -sign
    assert ("KeyboardInterrupt" in error) == (sign is signal.SIGINT)
    kept = {path.name for path in (tmp_path / "saved").iterdir()}
    assert kept == {"first.json", "second.json"}
    built.unlink()
    (tmp_path / "go").touch()
    done = subprocess.run(command, **settings, capture_output=True, timeout=60, check=True)
    assert done.stdout.split() == ["2", "True"]
    assert set(built.read_text().split()) == {"third"}
    saved = json.loads((tmp_path / "saved" / "audit.json").read_text())
    whole = audited(FIRST, SECOND, replace(FIRST, key="third"))
    assert json.loads(json.dumps(audits.as_json(whole)))["counts"] == saved["counts"]
    assert [row["key"] for row in saved["rows"]] == ["first", "second", "third"]


# Worker processes ---------------------------------------------------------------------------------


def double_or_die(task):
    if task == "die":
        os._exit(3)
    return task * 2


def test_a_worker_that_dies_costs_its_own_task_only():
    with Pool(double_or_die, 2) as pool:
        found = dict(pool.map([1, "die", 2, 3, 4]))
    died = found.pop("die")
    assert found == {1: 2, 2: 4, 3: 6, 4: 8}
    assert isinstance(died, RuntimeError)
    assert "exit code 3" in str(died)


def test_a_crashed_entry_is_a_row(monkeypatch):
    task = running.Task("first", 0, 10, 1.0, None)
    row = running._crashed(task, FIRST, "the worker process died")
    assert row.error == "the worker process died"
    assert {c.property for c in row.cells} == set(FIRST.truth)
    assert not any(c.ok for c in row.cells)


def sleepy(task):
    Path(task).with_suffix(".started").write_text(str(os.getpid()))
    time.sleep(1)
    return task


def alive(pid):
    """Whether a process runs (one that is dead and not yet reaped does not)."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc to see whether a process runs")
def test_workers_do_not_outlive_a_parent_that_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT / 'tests')!r})\n"
        "from test_audit import Pool, sleepy\n"
        "if __name__ == '__main__':\n"
        "    with Pool(sleepy, 2) as pool:\n"
        "        list(pool.map([f'{k}.task' for k in range(40)]))\n"
    )
    parent = subprocess.Popen(
        [sys.executable, str(script)], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}
    )
    deadline = time.monotonic() + 60
    while len(started := list(tmp_path.glob("*.started"))) < 2:
        assert parent.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    pids = {int(path.read_text()) for path in started if path.read_text()}
    parent.kill()
    parent.wait()
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "a worker is still running"
        time.sleep(0.05)
    assert pids
    assert len(list(tmp_path.glob("*.started"))) < 10


def test_an_error_in_the_parent_ends_the_workers(tmp_path):
    pool = Pool(sleepy, 2)

    def interrupted():
        with pool:
            next(pool.map([str(tmp_path / f"{k}.task") for k in range(40)]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(pool.held) == 2
    assert not any(process.is_alive() for process in pool.held.values())


def test_the_catalogue_gives_the_same_cells_on_any_number_of_workers(tmp_path):
    keys = ["second-price", "first-price", "all-pay"]
    options = {"evaluations": BUDGET, "seconds": 60}
    one, two = audit(keys, workers=1, **options), audit(keys, workers=2, **options)
    assert cells(one) == cells(two)
    assert (one.workers, two.workers) == (1, 2)
    assert one.ok, one.disagreements
