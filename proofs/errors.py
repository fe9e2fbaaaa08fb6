"""The errors of exact and symbolic arithmetic, and the line of the rule that caused them.

A rule runs unchanged while this package and NumPy sit between its lines and the arithmetic. An
error is of use only if it names the line of the rule, so the stack is walked outwards to the first
frame that belongs to neither.
"""

from __future__ import annotations

import sys

_MACHINERY = frozenset({"proofs", "numpy"})


class Unsupported(TypeError):
    """A NumPy operation that exact or symbolic arrays do not have, or that would round them."""


class Undecided(ArithmeticError):
    """An enclosure is too wide to decide a comparison, a sign or a rounding."""


class UndefinedNumber(ZeroDivisionError):
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
