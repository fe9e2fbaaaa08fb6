"""The audit's worker processes: one that dies costs one row, and none outlives its parent."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from mechkit.audit import audit
from mechkit.audit import run as running
from mechkit.audit.pool import Pool
from tests.audited import BUDGET, FIRST, cells

ROOT = Path(__file__).resolve().parent.parent


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
        "from test_audit_pool import Pool, sleepy\n"
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
