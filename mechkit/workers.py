"""Where pieces of work run: a small pool of daemon threads, or the caller's executor.

NumPy releases the interpreter's lock in its loops, so that threads use every core on vectorised
rules without pickling anything. Daemon threads let a program end although a rule hangs; `give_up`
asks a hanging rule to stop by raising RuleTimeout in its thread (which works between byte codes).
"""

from __future__ import annotations

import contextlib
import ctypes
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from mechkit.errors import RuleTimeout


class Threads(Executor):
    """An executor of daemon threads that can be told to give up."""

    def __init__(self, workers: int) -> None:
        self._tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._busy: set[int] = set()
        self._threads = [
            threading.Thread(target=self._serve, daemon=True, name=f"mechkit-{k}")
            for k in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._tasks.put((future, fn, args, kwargs))
        return future

    def _serve(self) -> None:
        # A time-out may arrive at any byte code, between two tasks too: then the thread just ends.
        with contextlib.suppress(RuleTimeout):
            while (task := self._tasks.get()) is not None:
                self._work(*task)
                del task

    def _work(self, future: Future[Any], fn: Callable[..., Any], args: Any, kwargs: Any) -> None:
        if not future.set_running_or_notify_cancel():
            return
        own = threading.get_ident()
        self._busy.add(own)
        try:
            result = fn(*args, **kwargs)
        except BaseException as error:
            self._busy.discard(own)
            future.set_exception(error)
        else:
            self._busy.discard(own)
            future.set_result(result)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the threads end when they are idle; never waits for a rule that hangs."""
        for _ in self._threads:
            self._tasks.put(None)

    def give_up(self) -> None:
        """Cancel what waits, and raise RuleTimeout inside every thread that is still at work."""
        with contextlib.suppress(queue.Empty):
            while True:
                task = self._tasks.get_nowait()
                if task is not None:
                    task[0].cancel()
        for thread in self._threads:
            if thread.ident in self._busy:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident or 0), ctypes.py_object(RuleTimeout)
                )
        self.shutdown(wait=False)
