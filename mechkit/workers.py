"""Where pieces of work run: a small pool of daemon threads, or the caller's executor.

NumPy releases the interpreter's lock in its loops, so that threads use every core on vectorised rules
without pickling anything. Daemon threads let a program end although a rule hangs; `give_up` asks a
hanging rule to stop by raising RuleTimeout in its thread (which works between byte codes).
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
        while True:
            task = self._tasks.get()
            if task is None:
                return
            future, fn, args, kwargs = task
            del task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001  (handed to the caller)
                with contextlib.suppress(Exception):
                    future.set_exception(error)
            else:
                with contextlib.suppress(Exception):
                    future.set_result(result)
            del future, fn, args, kwargs

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the threads end when they are idle; never waits for a rule that hangs."""
        for _ in self._threads:
            self._tasks.put(None)

    def give_up(self) -> None:
        """Raise RuleTimeout inside every thread that is still at work."""
        for thread in self._threads:
            if thread.is_alive() and thread.ident is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident), ctypes.py_object(RuleTimeout)
                )
        self.shutdown(wait=False)
