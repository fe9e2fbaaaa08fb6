"""The audit's files: what is saved is not run again, and a run that was killed goes on."""

import io
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from mechkit import audit as audits
from mechkit.audit import files
from mechkit.audit.files import Folder
from mechkit.audit.table import render
from mechkit.errors import InputError
from tests.audited import BUDGET, FIRST, SECOND, audited, cells, counting

ROOT = Path(__file__).resolve().parent.parent


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
    where = "run" if what == "digest_of" else "files"
    monkeypatch.setattr(f"mechkit.audit.{where}.{what}", lambda *of: "other")
    assert audited(entry, save=tmp_path).resumed == 0
    assert built


def test_a_directory_that_cannot_be_written_is_refused_at_once(tmp_path):
    entry, built = counting(FIRST)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="give a directory that can be written"):
        audited(entry, save=tmp_path / "file" / "below")
    assert not built


def test_a_disk_that_fills_up_does_not_cost_the_results(tmp_path, monkeypatch):
    write = files.write

    def full(path, text):
        if path.name == "second.json":
            raise OSError(28, "No space left on device")
        write(path, text)

    monkeypatch.setattr(files, "write", full)
    result = audited(FIRST, SECOND, save=tmp_path)
    assert len(result.rows) == 2
    assert "second.json" in result.unsaved
    assert "No space left" in result.unsaved
    assert not (tmp_path / "second.json").exists()
    page = io.StringIO()
    Console(file=page, width=200).print(render(result))
    assert "not saved: " in page.getvalue()


# The run that is killed: the third entry waits until a file tells it to go on. Where the tests run
# in the background, a shell may have told them to ignore Ctrl-C: the script listens again.
INTERRUPTED = """
import signal
import time
from dataclasses import replace
from pathlib import Path
from tests.audited import FIRST, SECOND, audited

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
    signal.signal(signal.SIGINT, signal.default_int_handler)
    result = audited(*entries, save="saved")
    print(result.resumed, result.ok)
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_a_run_that_was_stopped_goes_on_where_it_stopped(tmp_path, sign):
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
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


def test_an_entry_is_pinned_by_the_file_that_its_rule_comes_from(tmp_path, monkeypatch):
    from pathlib import Path

    from mechkit import sources
    from mechkit.catalogue import entry_of

    entry = entry_of("aigc-mcafee")
    before = sources.entry_digest(entry)
    read = Path.read_bytes

    def edited(self):
        return read(self) + (b"#" if self.parent.name == "aigc" else b"")

    monkeypatch.setattr(Path, "read_bytes", edited)
    assert sources.entry_digest(entry) != before
    assert sources.entry_digest(entry_of("first-price")) == sources.digest(
        sources.file_of(entry_of("first-price"))
    )


def test_a_disk_that_is_full_is_not_filled_with_half_a_file(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    folder = Folder(tmp_path)
    folder.keep("whole.json", {"kept": 1})
    monkeypatch.setattr("mechkit.terminal.os.fsync", full)
    folder.keep("half.json", {"lost": 2})
    folder.keep("whole.json", {"kept": 2})
    assert "No space left" in folder.trouble
    assert [path.name for path in tmp_path.iterdir()] == ["whole.json"]
    assert json.loads((tmp_path / "whole.json").read_bytes()) == {"kept": 1}
