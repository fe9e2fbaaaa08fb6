"""Processes that answer, so that a time limit holds whatever a solver does.

A solver is C++ that may look at the clock too seldom, or hold the interpreter while it does not. So
it works in a process of its own (`answering`), which is ended `GRACE` seconds after its limit. The
process is kept and asked again, since starting one costs more than most questions; each thread that
asks at the same time has another. They end with this process, by their pipes or by their own clock
where it was killed, and a fork of this process starts its own.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

__all__ = ["GRACE", "answered"]

GRACE = 2.0
"""Seconds after its time limit at which a solver is ended."""
SCRIPT = Path(__file__).with_name("answering.py")


class _Process:
    """One process that answers, and whether it was ended for being late."""

    def __init__(self) -> None:
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        # A session of its own: Ctrl-C is for the one who asks, who then ends it.
        self.popen = subprocess.Popen(
            [sys.executable, "-P", str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
        self.late = False

    def ask(self, line: bytes, seconds: float) -> bytes:
        """The line that it answers; an empty or a broken one where it ended before."""
        watch = threading.Timer(seconds, self._too_late)
        watch.daemon = True
        watch.start()
        try:
            return self._asked(line)
        finally:
            watch.cancel()
            watch.join()

    def _asked(self, line: bytes) -> bytes:
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self.popen.stdin.fileno(), rest) :]
        except BrokenPipeError:
            return b""
        said = b""
        while not said.endswith(b"\n"):
            more = os.read(self.popen.stdout.fileno(), 1 << 16)
            if not more:
                break
            said += more
        return said

    def _too_late(self) -> None:
        self.late = True
        self.popen.kill()

    def end(self) -> int:
        """Kill it, if it still runs, and leave nothing behind; returns its exit status."""
        self.popen.kill()
        self.close()
        return self.popen.wait()

    def close(self) -> None:
        """Close this side of its pipes."""
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None:
                pipe.close()


_lock = threading.Lock()
_living: set[_Process] = set()
_idle: list[_Process] = []


def answered(solver: str, text: str, seconds: float) -> dict[str, Any]:
    """What a solver says of a text within a time limit, as `answering` describes it; "unknown"
    where it overran or its process came to an end."""
    longest = seconds + GRACE
    question = {"solver": solver, "text": text, "seconds": seconds, "longest": longest + GRACE}
    process: _Process | None = None
    kept = False
    try:
        process = _taken()
        line = process.ask(json.dumps(question).encode() + b"\n", longest)
        kept = line.endswith(b"\n") and not process.late
    finally:
        if process is not None:
            status = _left(process, kept)
    if line.endswith(b"\n"):
        found: dict[str, Any] = json.loads(line)
        return found
    reason = "time-out" if process.late else f"its process ended (exit status {status})"
    return {
        "status": "unknown",
        "tool": solver,
        "reason": f"{solver}: {reason}",
        "model": None,
        "exact": True,
    }


def _taken() -> _Process:
    """An idle process that is alive, or a new one."""
    while True:
        with _lock:
            process = _idle.pop() if _idle else None
        if process is None:
            process = _Process()
            with _lock:
                _living.add(process)
            return process
        if process.popen.poll() is None:
            return process
        _left(process, False)


def _left(process: _Process, kept: bool) -> int | None:
    """Keep a process for the next question, or end it; returns its exit status if it ended."""
    with _lock:
        if kept:
            _idle.append(process)
            return None
        _living.discard(process)
    return process.end()


def _end_all() -> None:
    with _lock:
        idle, busy = list(_idle), [process for process in _living if process not in _idle]
        _living.clear()
        _idle.clear()
    for process in busy:
        # Another thread reads from it, sees its end and closes the pipes.
        process.popen.kill()
        process.popen.wait()
    for process in idle:
        process.end()


def _forked() -> None:
    """In a fork: the processes are the parent's, whose end they must be able to notice."""
    global _lock
    _lock = threading.Lock()
    for process in _living:
        process.popen.returncode = 0
        process.close()
    _living.clear()
    _idle.clear()


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
