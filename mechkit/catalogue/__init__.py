"""Known mechanisms by setting, sound and planted faulty, each with the truth about it."""

from __future__ import annotations

import difflib
import importlib
from functools import cache

from mechkit.catalogue.entry import Entry
from mechkit.errors import InputError

MODULES = (
    "single_item",
    "multi_unit",
    "positions",
    "shared",
    "finite",
    "trade",
    "assignment",
    "packages",
    "informed",
    "papers",
)


@cache
def entries() -> dict[str, Entry]:
    """Every entry by key, in the order of the files."""
    found: dict[str, Entry] = {}
    for name in MODULES:
        for entry in importlib.import_module(f"mechkit.catalogue.{name}").ENTRIES:
            if entry.key in found:
                raise InputError(f"two catalogue entries are called {entry.key!r}: rename one")
            found[entry.key] = entry
    return found


def keys() -> list[str]:
    """The keys of all entries."""
    return list(entries())


def entry_of(key: str) -> Entry:
    """The entry of a key; InputError with near misses for an unknown one."""
    try:
        return entries()[key]
    except KeyError:
        near = difflib.get_close_matches(key, keys(), n=3, cutoff=0.4)
        hint = f"did you mean {', '.join(near)}?" if near else "`mechkit list` shows all"
        raise InputError(
            f"{key!r} is not in the catalogue; {hint} (a file is given as FILE.py:NAME)"
        ) from None
