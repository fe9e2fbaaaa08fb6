"""What numbers and the fields of a config must be, said once; nothing is silently bent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def whole_number(name: str, value: Any, *, least: int = 1) -> int:
    """The value as an integer. ValueError for what is none, or is below `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} = {value!r}: expected a whole number of at least {least}")
    return int(value)


def whole(config: Any, *names: str, least: int = 1) -> None:
    """ValueError unless these fields are integers of at least `least`."""
    for name in names:
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} = {value!r}: expected a whole number of at least {least}")


def positive(config: Any, *names: str, most: float = math.inf) -> None:
    """ValueError unless these fields are finite numbers above 0, and at most `most`."""
    for name in names:
        value = getattr(config, name)
        if not _finite(value) or not 0 < value <= most:
            above = "a finite number above 0" + ("" if most == math.inf else f", at most {most:g}")
            raise ValueError(f"{name} = {value!r}: expected {above}")


def within(config: Any, *names: str, least: float = -math.inf, most: float = math.inf) -> None:
    """ValueError unless these fields are finite numbers from `least` to `most`."""
    for name in names:
        value = getattr(config, name)
        if not _finite(value) or not least <= value <= most:
            bounds = "" if least == -math.inf else f", at least {least:g}"
            bounds += "" if most == math.inf else f", at most {most:g}"
            raise ValueError(f"{name} = {value!r}: expected a finite number{bounds}")


def _finite(value: Any) -> bool:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return real and math.isfinite(value)


def flags(config: Any, *names: str) -> None:
    """ValueError unless these fields are true or false."""
    for name in names:
        value = getattr(config, name)
        if not isinstance(value, bool):
            raise ValueError(f"{name} = {value!r}: expected true or false")
