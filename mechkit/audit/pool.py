"""Worker processes for tasks that may take a core for seconds, and may take their process down.

Each worker holds one end of a pipe. A parent that is killed closes the other end, so that no worker
outlives it by more than the task at hand; a worker that dies is noticed, reported as the result of
its task, and replaced. Workers leave Ctrl-C to the parent, which ends them.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any


def serve(run: Callable[[Any], Any], pipe: Connection) -> None:
    """What a worker does: tasks from the pipe, results into it, until the parent hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            pipe.send(run(pipe.recv()))


class Pool:
    """A few workers that run `run`, an importable function, on tasks that pickle."""

    def __init__(self, run: Callable[[Any], Any], workers: int) -> None:
        self.run, self.workers = run, workers
        # A fresh interpreter: threads of the parent would make a fork unsafe.
        self.context = multiprocessing.get_context("spawn")
        self.held: dict[Connection, BaseProcess] = {}

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *error: object) -> None:
        for pipe, process in self.held.items():
            pipe.close()
            if any(error):
                process.terminate()
        for process in self.held.values():
            process.join()

    def _hire(self) -> Connection:
        ours, theirs = self.context.Pipe()
        process = self.context.Process(target=serve, args=(self.run, theirs), daemon=True)
        process.start()
        theirs.close()
        self.held[ours] = process
        return ours

    def map(self, tasks: list[Any]) -> Iterator[tuple[Any, Any]]:
        """(task, result) as they finish; where a worker died, the result is a RuntimeError."""
        queue = list(reversed(tasks))
        busy: dict[Connection, Any] = {}
        idle = [self._hire() for _ in range(min(self.workers, len(tasks)))]
        while queue or busy:
            while queue and idle:
                pipe = idle.pop()
                busy[pipe] = queue.pop()
                with suppress(OSError):
                    pipe.send(busy[pipe])
            ready = set(wait(list(busy)))
            for pipe in [pipe for pipe in busy if pipe in ready]:
                task = busy.pop(pipe)
                try:
                    result = pipe.recv()
                    idle.append(pipe)
                except (EOFError, OSError):
                    process = self.held.pop(pipe)
                    process.join()
                    result = RuntimeError(
                        f"the worker process died with exit code {process.exitcode}; a rule took "
                        "it down, or memory ran out: run this entry alone to see"
                    )
                    pipe.close()
                    if queue:
                        idle.append(self._hire())
                yield task, result


def spread(run: Callable[[Any], Any], tasks: list[Any], workers: int) -> Iterator[tuple[Any, Any]]:
    """(task, run(task)) as they finish, by so many workers; with one or none in this process, where
    nothing stands between a crash and the caller."""
    if workers <= 1:
        yield from ((task, run(task)) for task in tasks)
        return
    with Pool(run, workers) as pool:
        yield from pool.map(tasks)
