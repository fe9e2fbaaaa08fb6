"""Time limits on SymPy calls: they end, in every thread, and leave nothing behind."""

import gc
import signal
import threading
import time

import pytest

from proofs.limits import Clock, TimeIsUp


def forever():
    while True:
        try:
            sum(range(1000))
        except Exception:
            pytest.fail("the limit must not be an Exception, which SymPy may swallow")


def test_a_call_is_ended_and_answers_none():
    assert Clock(5.0).limited(forever, seconds=0.05) is None
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_what_is_in_time_is_returned():
    assert Clock(5.0).limited(pow, 2, 10) == 1024
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_limits_are_nested_and_the_outer_one_still_rings():
    inner = []

    def both():
        inner.append(Clock(5.0).limited(forever, seconds=0.05))
        forever()

    assert Clock(5.0).limited(both, seconds=0.3) is None
    assert inner == [None]


def test_nothing_is_left_after_the_deadline():
    clock = Clock(0.01)
    time.sleep(0.02)
    with pytest.raises(TimeIsUp):
        clock.limited(pow, 2, 3)


def test_a_call_in_another_thread_is_ended():
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(Clock(5.0).limited(forever, seconds=0.05))
    )
    thread.start()
    thread.join(timeout=10)
    assert answers == [None]
    assert not any("watch" in other.name for other in threading.enumerate())


def test_seconds_must_be_positive():
    with pytest.raises(ValueError, match="seconds is 0"):
        Clock(0)


def test_a_limit_is_not_lost_where_python_drops_exceptions():
    passed = []

    def slow(phase, info):
        until = time.monotonic() + 0.15
        while time.monotonic() < until:
            passed.append(phase)

    def work():
        gc.collect()
        passed.append("left alone")
        forever()

    gc.callbacks.append(slow)
    try:
        assert Clock(5.0).limited(work, seconds=0.03) is None
    finally:
        gc.callbacks.remove(slow)
    assert passed[-1] == "left alone"
