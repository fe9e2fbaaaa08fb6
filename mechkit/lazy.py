"""Values computed at first use, without a lock.

Until Python 3.12 `functools.cached_property` holds one lock per attribute and class while it
computes, whatever the instance: threads that play different cases would wait for one another, and a
rule that hangs in one thread would stop them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from functools import cached_property as lazy
else:

    class lazy:
        """A property that is computed once and then kept in the instance's __dict__."""

        def __init__(self, compute: Callable[[Any], Any]) -> None:
            self.compute = compute
            self.__doc__ = compute.__doc__

        def __set_name__(self, owner: type, name: str) -> None:
            self.name = name

        def __get__(self, instance: Any, owner: type | None = None) -> Any:
            if instance is None:
                return self
            value = self.compute(instance)
            instance.__dict__[self.name] = value
            return value


__all__ = ["lazy"]
