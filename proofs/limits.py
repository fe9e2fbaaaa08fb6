"""SymPy under a time limit.

`solve`, `simplify` and `limit` may run for ever, so every one of them is called through
`limited`, and a derivation as a whole has a deadline. The limit is an exception thrown into the
running call: by an interval timer's signal in the main thread, and elsewhere by a watching thread
(PyThreadState_SetAsyncExc). Not a child process: to start one and load SymPy costs more than most
calls do, and a fork of a process with threads may lock up. The price is that one long operation
of C code (the multiplication of two enormous integers) ends before the exception is seen.

The exception is no `Exception`, so that an `except Exception` inside SymPy cannot swallow it, and
it is thrown again every tenth of a second until it arrives. SymPy notes a question about an
expression as "unknown" while it is being answered; an interrupted one would stay so in its cache,
which is therefore cleared: knowledge may be lost to a time-out, never wrongly gained.
"""

from __future__ import annotations

import ctypes
import gc
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")
_AGAIN = 0.1


class TimeIsUp(BaseException):
    """The time for a call has passed."""


def forget() -> None:
    """Clear SymPy's cache, after an interruption."""
    from sympy.core.cache import clear_cache

    clear_cache()


class Clock:
    """What is left of the seconds that a derivation was given."""

    def __init__(self, seconds: float) -> None:
        if not seconds > 0:
            raise ValueError(f"seconds is {seconds}: give a positive number of seconds")
        self.started = time.monotonic()
        self.seconds = seconds

    @property
    def spent(self) -> float:
        return time.monotonic() - self.started

    @property
    def left(self) -> float:
        return max(self.seconds - self.spent, 0.0)

    def limited(
        self, function: Callable[..., T], *arguments: Any, seconds: float = 10.0, **options: Any
    ) -> T | None:
        """What the function returns, or None where it took longer than `seconds` or than is left.

        Raises TimeIsUp when nothing is left at all.
        """
        if not self.left:
            raise TimeIsUp(f"the {self.seconds:g} seconds for the derivation are over")
        try:
            with time_limit(min(seconds, self.left)):
                return function(*arguments, **options)
        except TimeIsUp:
            forget()
            return None


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeIsUp inside the block when it has run for `seconds`; limits may be nested."""
    if threading.current_thread() is threading.main_thread():
        with _by_signal(seconds):
            yield
    else:
        with _by_thread(seconds):
            yield


def _swallows(frame: FrameType | None) -> bool:
    """Whether an exception raised here would be lost: Python drops those of finalisers and of
    callbacks of the garbage collector. The timer rings again."""
    callbacks = {getattr(callback, "__code__", None) for callback in gc.callbacks}
    while frame is not None:
        if frame.f_code.co_name == "__del__" or frame.f_code in callbacks:
            return True
        frame = frame.f_back
    return False


@contextmanager
def _by_signal(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        if not _swallows(frame):
            raise TimeIsUp(f"more than {seconds:g} s")

    began = time.monotonic()
    handler = signal.signal(signal.SIGALRM, ring)
    outer, again = signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3), _AGAIN)
    try:
        yield
    finally:
        # Twice, as the timer may ring while it is being stopped.
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        except TimeIsUp:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            raise
        finally:
            signal.signal(signal.SIGALRM, handler)
            if outer:
                rest = max(outer - (time.monotonic() - began), 1e-3)
                signal.setitimer(signal.ITIMER_REAL, rest, again)


@contextmanager
def _by_thread(seconds: float) -> Iterator[None]:
    target = ctypes.c_ulong(threading.get_ident())
    throw = ctypes.pythonapi.PyThreadState_SetAsyncExc
    done = threading.Event()
    lock = threading.Lock()

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            with lock:
                if done.is_set():
                    return
                throw(target, ctypes.py_object(TimeIsUp))
            wait = _AGAIN

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        while not done.is_set():
            try:
                with lock:
                    done.set()
                    throw(target, None)  # one that was thrown and has not arrived yet
            except TimeIsUp:
                continue
        watcher.join()
