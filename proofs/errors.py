"""The errors of exact and symbolic arithmetic, and the line of the rule that caused them.

A rule runs unchanged while this package and NumPy sit between its lines and the arithmetic. An
error is of use only if it names the line of the rule, so the stack is walked outwards to the first
frame that belongs to neither.
"""

from __future__ import annotations

import sys
import threading

_MACHINERY = frozenset({"proofs", "numpy"})


_raised = threading.local()


class Signal:
    """Mixed into the errors with which an arithmetic stops a rule; each is counted when it is made.

    A rule may catch it (``except Exception``) and go on with a fallback that it never takes on
    floats. What comes out is then not what the rule does, and whoever ran it can tell: `signals`
    says how many there were.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        _raised.count = signals() + 1


def signals() -> int:
    """How many signals this thread has raised and not handled inside the package."""
    return getattr(_raised, "count", 0)


def handled() -> None:
    """A signal was caught by the package itself, and its meaning kept."""
    _raised.count = signals() - 1


def unraised(*errors: BaseException) -> None:
    """Errors that were made to be raised if need be, and there was none."""
    for error in errors:
        if isinstance(error, Signal):
            handled()


class Unsupported(Signal, TypeError):
    """A NumPy operation that exact or symbolic arrays do not have, or that would round them."""


class Undecided(Signal, ArithmeticError):
    """An enclosure is too wide to decide a comparison, a sign or a rounding."""


class UndefinedNumber(Signal, ZeroDivisionError):
    """A number that does not exist (a quotient by zero, the log of a negative) was used."""


def user_line() -> str:
    """Where the rule is: ``file:line`` of the innermost frame outside this package and NumPy."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] not in _MACHINERY:
            break
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def unsupported(what: str, remedy: str) -> Unsupported:
    """The error for ``what``, with the rule's line and the remedy."""
    return Unsupported(f"{user_line()}: {what}; {remedy}")
