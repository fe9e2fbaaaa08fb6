"""What can go wrong, said once: every message gives the value, what was expected, and a remedy."""

from __future__ import annotations

from typing import Any

import numpy as np


class MechkitError(Exception):
    """Base of every error that mechkit raises on purpose (the command line exits with 2)."""


class InputError(MechkitError, ValueError):
    """An argument, a file or a declaration is not what it must be."""


class RuleError(MechkitError):
    """A rule misbehaved: it raised, returned NaN or a wrong shape, changed its input, …

    `profile` holds the reports of the one profile on which it did, shape (agents, ...), or None
    where no single profile is to blame.
    """

    def __init__(self, message: str, *, profile: Any = None) -> None:
        super().__init__(message)
        self.profile = profile


class RuleTimeout(MechkitError):
    """A rule did not return within the time that the caller gave."""


def require(condition: bool, message: str) -> None:
    """Raise InputError(message) unless the condition holds."""
    if not condition:
        raise InputError(message)


def whole(value: Any, least: int, what: str) -> int:
    """The value as an integer. Raises InputError for what is none, or is below `least`."""
    sound = isinstance(value, int | np.integer) and not isinstance(value, bool)
    require(
        sound and int(value) >= least,
        f"{what} = {value!r}: expected an integer of at least {least}",
    )
    return int(value)


def bounds(value: Any, what: str) -> tuple[Any, Any]:
    """The two finite numbers of a range. Raises InputError for anything else."""
    two = isinstance(value, tuple | list) and len(value) == 2
    require(
        two and all(isinstance(end, int | float | np.number) and np.isfinite(end) for end in value),
        f"{what} = {value!r}: expected two numbers, the least and the largest, such as 20,60",
    )
    return value[0], value[1]
