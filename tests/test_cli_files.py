"""What the command line writes, and what it makes of files that were edited, cut or swapped."""

import errno
import json
from pathlib import Path

import pytest

from mechkit import terminal
from tests.commands import AUCTION, QUICK, refused, run, saved, workplace

here = pytest.fixture(workplace)


# Saving -------------------------------------------------------------------------------------------


def test_saving_writes_a_report_and_a_witness_for_each_refutation(here):
    witness = saved(here)
    assert sorted(p.name for p in (here / "out").iterdir()) == [
        "first_price.ic.witness.json",
        "first_price.report.json",
    ]
    report = json.loads((here / "out" / "first_price.report.json").read_text(encoding="utf-8"))
    assert report["verdicts"]["ic"]["witness"] == json.loads(witness.read_text(encoding="utf-8"))


def test_saving_says_where_and_keeps_json_alone_on_stdout(here):
    human = run("verify", "auction.py", "--properties", "ic", "--save", "a", *QUICK, code=1)
    assert f"saved {Path('a') / 'first_price.report.json'} and 1 witness beside it" in human.stdout
    machine = run(
        "verify", "auction.py", "--properties", "ic", "--save", "b", "--json", *QUICK, code=1
    )
    json.loads(machine.stdout)
    assert "saved" in machine.stderr


def test_where_saving_fails_the_report_is_still_printed(here):
    (here / "taken").write_text("a file, not a directory", encoding="utf-8")
    for target in ("taken", "taken/deeper"):
        result = run("verify", "auction.py", "--properties", "ic", "--save", target, *QUICK, code=2)
        assert "The lie gains" in result.stdout
        assert f"error: {target}: the report could not be saved" in result.stderr
    assert (here / "taken").read_text(encoding="utf-8") == "a file, not a directory"


def test_a_full_disk_leaves_the_old_files_whole(here, monkeypatch):
    witness = saved(here)
    before = witness.read_bytes()

    def full(fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(terminal.os, "fsync", full)
    result = run(
        "verify", "auction.py", "--properties", "ic", "--seed", 9, "--save", "out", *QUICK, code=2
    )
    assert "The lie gains" in result.stdout
    assert "No space left on device" in result.stderr
    assert witness.read_bytes() == before
    assert not list((here / "out").glob(".*"))


@pytest.mark.parametrize(
    ("reference", "name"),
    [("a/b.py:first_price", "first_price"), ("mcafee", "mcafee"), ("x.py:é ü/..", "é-ü")],
)
def test_file_names_come_from_the_reference(reference, name):
    assert terminal.file_name(reference) == name


# replay -------------------------------------------------------------------------------------------


def test_a_witness_is_confirmed_without_a_search(here, monkeypatch):
    witness = saved(here)

    def searching(*args, **kwargs):
        raise AssertionError("a replay must not search")

    monkeypatch.setattr("mechkit.search.run", searching)
    result = run("replay", witness)
    assert "confirmed in exact arithmetic: first price fails ic." in result.stdout
    assert "The lie gains" in result.stdout
    assert result.stderr == ""
    data = json.loads(run("replay", witness, "--json").stdout)
    assert data["confirmed"] is True
    assert data["source_changed"] is False
    assert data["margin"].startswith("-")


def test_a_changed_source_is_noticed_and_replayed(here):
    witness = saved(here)
    (here / "auction.py").write_text(f"{AUCTION}\n# a remark\n", encoding="utf-8")
    result = run("replay", witness)
    assert "warning: auction.py:first_price is not what the witness was saved from" in result.stderr
    assert "confirmed" in result.stdout
    assert json.loads(run("replay", witness, "--json").stdout)["source_changed"] is True


def test_a_mended_mechanism_is_not_refuted_any_more(here):
    witness = saved(here)
    mended = AUCTION.replace("allocation * bids", "allocation * np.sort(bids)[..., -2:-1]")
    (here / "mended.py").write_text(mended, encoding="utf-8")
    result = run("replay", witness, "--mechanism", "mended.py:first_price", code=1)
    assert "not confirmed: the margin is" in result.stdout


def test_a_mechanism_that_stopped_to_run_exactly_is_not_confirmed(here):
    witness = saved(here)
    opaque = AUCTION.replace("allocation * bids", "allocation * np.vectorize(float)(bids)")
    (here / "auction.py").write_text(opaque, encoding="utf-8")
    result = run("replay", witness, code=1)
    assert "not confirmed: the rule does not run on it in exact arithmetic" in result.stdout


def edited(path, **changes):
    data = json.loads(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        if value is None:
            del data[key]
        else:
            data[key] = value
    path.write_text(json.dumps(data), encoding="utf-8")
    return data


def test_a_witness_edited_to_the_truth_is_not_confirmed(here):
    witness = saved(here)
    arrays = edited(witness)["arrays"]
    who = edited(witness)["who"][0]
    edited(witness, arrays={**arrays, "lies": [[arrays["types"][0][who]]]})
    result = run("replay", witness, code=1)
    assert "not confirmed: the margin is 0, not < 0." in result.stdout
    assert json.loads(run("replay", witness, "--json", code=1).stdout)["confirmed"] is False


def test_a_witness_that_overstates_its_gain_is_not_confirmed(here):
    witness = saved(here)
    edited(witness, gain="7")
    result = run("replay", witness, code=1)
    assert "not confirmed: the violation stands, but the gain is" in result.stdout


def test_types_outside_the_setting_do_not_count(here):
    witness = saved(here)
    edited(witness, arrays={"types": [["5", "0", "0"]], "lies": [["0"]]}, who=[0])
    assert "its types lie outside the setting" in run("replay", witness, code=1).stdout


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "mechkit-witness/9"}, ["mechkit-witness/9", "expected 'mechkit-witness/1'"]),
        ({"arrays": None}, ["lacks 'arrays'"]),
        ({"arrays": {"types": [["1", "0"]], "lies": [["0"]]}}, ["(1, 2)", "another setting"]),
        ({"arrays": {"types": [["1", "0", "0"]]}}, ["'lies'", "another setting"]),
        ({"arrays": {"types": [[1, 0, 0]], "lies": [["0"]]}}, ["strings such as '1/3'"]),
        ({"arrays": {"types": [["1", "0", "1e999999999"]], "lies": [["0"]]}}, ["strings such as"]),
        ({"arrays": {"types": [["1/0", "0", "0"]], "lies": [["0"]]}}, ["does not fit"]),
        ({"arrays": {"types": [["1", ["0"], "0"]], "lies": [["0"]]}}, ["does not fit"]),
        ({"arrays": "none"}, ["arrays = 'none'", "expected dict"]),
        ({"property": "truthful"}, ["property 'truthful' is unknown", "false_name_proof"]),
        ({"property": ["ic"]}, ["property = ['ic']", "expected str"]),
        ({"property": "cyclic_monotone"}, ["does not apply", "single numbers"]),
        ({"family": "split"}, ["family 'split'", "0 (deviation)"]),
        ({"family": "magic"}, ["family 'magic' is unknown"]),
        ({"arithmetic": "vague"}, ["arithmetic 'vague' is unknown", "interval"]),
        ({"check": 3}, ["check 3 of ic"]),
        ({"check": "0"}, ["check = '0'", "expected int"]),
        ({"who": [7]}, ["agents [7]", "agents 0 to 2"]),
        ({"who": [-1]}, ["agents [-1]"]),
        ({"who": [0, 0]}, ["each of whom may act once"]),
        ({"who": [0, 1]}, ["2 acting agents", "expected 1"]),
        ({"who": ["0"]}, ["expected indices of agents"]),
        ({"mechanism": {}}, ["give --mechanism FILE.py:NAME"]),
        ({"mechanism": {"reference": "gone.py:x"}}, ["gone.py: no such file"]),
    ],
)
def test_edited_witnesses_are_refused_with_a_reason(here, changes, words):
    witness = saved(here)
    edited(witness, **changes)
    message = refused("replay", witness)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"\xff\xfe", b"NaN", b"[" * 100_000, b'"text"'], ids=repr
)
def test_files_that_are_no_witness_are_refused(here, content):
    (here / "w.json").write_bytes(content)
    assert "w.json" in refused("replay", "w.json")


def test_a_missing_witness_is_refused(here):
    assert "gone.json: no such file" in refused("replay", "gone.json")
    assert "not a JSON file" in refused("replay", here)
