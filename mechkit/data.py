"""Numbers from files: CSV, JSON and Parquet, read as columns of cells or as nested lists.

A cell keeps where it came from in its error: file, line and column. With `exact`, decimals and
quotients are the rationals that they say (0.1 is 1/10); otherwise floats.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from mechkit.errors import InputError, require

__all__ = ["Table", "number", "numbers", "rational", "read"]

Number = float | Fraction
DIGITS, EXPONENT, AXES = 1_000, 400, 8
"""The longest number, the largest power of ten, and the most nested lists that are read: beyond
these, data would fill the memory before anything could be said of them."""


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of cells by name, in order, all of one length; what a row is called in errors."""

    columns: dict[str, list[Any]]
    rows: tuple[str, ...]
    path: Path

    def cell(self, name: str, row: int) -> str:
        return f"{self.path}, {self.rows[row]}, column {name!r}"

    def text(self, name: str) -> list[str]:
        """A column as labels; none may be empty."""
        labels = ["" if cell is None else str(cell).strip() for cell in self.columns[name]]
        for row, label in enumerate(labels):
            require(label != "", f"{self.cell(name, row)} is empty: give a name")
        return labels

    def numbers(self, name: str, *, exact: bool) -> list[Number]:
        return [
            number(cell, self.cell(name, row), exact=exact)
            for row, cell in enumerate(self.columns[name])
        ]


def read(path: Path, *, exact: bool) -> Table | list[Any]:
    """A table of CSV (.csv, .tsv, .txt), Parquet or JSON records; nested lists of JSON.

    Raises InputError for a file that is missing, empty, of another kind, or not what it says.
    """
    kind = path.suffix.lower()
    require(kind in READERS, f"{path}: expected a name that ends in {', '.join(READERS)}")
    require(path.exists(), f"{path}: no such file; give a path from here")
    require(path.is_file(), f"{path} is no file: give one of {', '.join(READERS)}")
    try:
        found: Table | list[Any] = READERS[kind](path, exact)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    if isinstance(found, Table):
        require(bool(found.rows), f"{path} holds no rows: give one row for each agent")
    return found


def number(cell: Any, where: str, *, exact: bool) -> Number:
    """A cell as a finite number; InputError, naming where it is, for anything else."""
    expected = "expected a finite number, 0.25 or 1/4 say, of a size that floats hold"
    if isinstance(cell, str):
        text = cell.strip()
        require(text != "", f"{where} is empty: {expected}")
        try:
            found: Any = rational(text) if exact or "/" in text else float(text)
        except (ValueError, ZeroDivisionError):
            raise InputError(f"{where} is {text!r}: {expected}") from None
    else:
        known = isinstance(cell, int | float | Fraction) and not isinstance(cell, bool)
        try:  # Decimals of Parquet, too
            require(known or hasattr(cell, "as_tuple"), "")
            found = rational(str(cell)) if exact and not isinstance(cell, Fraction) else cell
            found = found if isinstance(found, Fraction) else float(found)
        except (ValueError, OverflowError):
            raise InputError(f"{where} is {cell!r}: {expected}") from None
    try:
        near = float(found)
    except OverflowError:
        near = math.inf
    require(math.isfinite(near), f"{where} is {_short(cell)}: {expected}")
    return found if exact else near


def rational(text: str) -> Fraction:
    """What `Fraction` reads; ValueError, before any work, where that would be endless."""
    power = re.search(r"e([+-]?\d+)", text, re.IGNORECASE)
    if len(text) > DIGITS or (power and abs(int(power[1])) > EXPONENT):
        raise ValueError(f"{_short(text)} is of a size that floats do not hold")
    return Fraction(text)


def _short(cell: Any) -> str:
    text = repr(cell) if isinstance(cell, str | float) else f"of {type(cell).__name__}"
    return text if len(text) < 40 else f"{text[:30]}…"


def numbers(
    nested: Any, where: str, *, exact: bool, depth: int = AXES
) -> tuple[list[Number], tuple[int, ...]]:
    """(all numbers of nested lists, their shape); InputError where the lists are ragged."""
    if not isinstance(nested, list):
        return [number(nested, where, exact=exact)], ()
    require(depth > 0, f"{where}: lists within lists, more than {AXES} deep: give a row an agent")
    require(bool(nested), f"{where} is an empty list: give a number for each agent")
    flat: list[Number] = []
    shapes: list[tuple[int, ...]] = []
    for k, part in enumerate(nested):
        inner, shape = numbers(part, f"{where}[{k}]", exact=exact, depth=depth - 1)
        require(
            not shapes or shape == shapes[0],
            f"{where}[{k}] has shape {shape} and {where}[0] {shapes[:1]}: give every agent, and "
            "every profile, as many numbers",
        )
        flat += inner
        shapes.append(shape)
    return flat, (len(nested), *shapes[0])


# The formats --------------------------------------------------------------------------------------


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}): save it as UTF-8"
        ) from None
    require(text.strip() != "", f"{path} is empty: give one row for each agent")
    return text


def _csv(path: Path, exact: bool) -> Table:
    """A row for each agent; the first is a header if it is not all numbers."""
    text = _text(path)
    first = text.strip().splitlines()[0]
    mark = next((m for m in ("\t", ",", ";") if m in first), ",")
    try:
        reader = csv.reader(io.StringIO(text), delimiter=mark, strict=True)
        lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num}: {error}; quote what holds quotes"
        ) from None
    head = [cell.strip() for cell in lines[0][1]]
    if all(_numeric(cell) for cell in head):
        head = [str(k) for k in range(len(head))]
    else:
        lines = lines[1:]
    twice = [name for name in head if head.count(name) > 1]
    require(not twice, f"{path}: column {twice[:1]} is there twice; give every column its own name")
    for line, row in lines:
        require(
            len(row) == len(head),
            f"{path}, line {line} has {len(row)} cells, expected {len(head)} as in the first line",
        )
    columns = {name: [row[k] for _, row in lines] for k, name in enumerate(head)}
    return Table(columns, tuple(f"line {line}" for line, _ in lines), path)


def _numeric(cell: str) -> bool:
    try:
        float(cell)  # inf, nan and 1e999, too: they are no names
    except ValueError:
        return bool(re.fullmatch(r"[+-]?\d+\s*/\s*\d+", cell))
    return True


def _json(path: Path, exact: bool) -> Table | list[Any]:
    def endless(text: str) -> Any:
        raise InputError(f"{path} holds {text}: expected finite numbers")

    def whole(text: str) -> int:
        if len(text) > DIGITS:
            raise ValueError(f"a number of {len(text)} digits; at most {DIGITS} are read")
        return int(text)

    def named(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = [name for name in names if names.count(name) > 1]
        require(not twice, f"{path}: the name {twice[:1]} is there twice in a record")
        return dict(pairs)

    try:
        data: Any = json.loads(
            _text(path),
            parse_float=rational if exact else float,
            parse_int=whole,
            parse_constant=endless,
            object_pairs_hook=named,
        )
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}") from None
    require(
        isinstance(data, list) and bool(data),
        f"{path} holds {type(data).__name__ if data != [] else 'an empty list'}: expected nested "
        "lists of numbers, (agents, ...) or (profiles, agents, ...), or a list of records",
    )
    if not isinstance(data[0], dict):
        return list(data)
    for k, record in enumerate(data):
        require(
            isinstance(record, dict) and list(record) == list(data[0]),
            f"{path}, record {k}: expected the names {list(data[0])} as in record 0",
        )
    columns = {name: [record[name] for record in data] for name in data[0]}
    return Table(columns, tuple(f"record {k}" for k in range(len(data))), path)


def _parquet(path: Path, exact: bool) -> Table:
    try:
        from pyarrow import lib, parquet
    except ImportError:
        raise InputError(
            f"{path}: Parquet needs pyarrow: pip install 'mechkit-econ[solve]', or give CSV or JSON"
        ) from None
    try:
        columns = parquet.read_table(path).to_pydict()
    except lib.ArrowException as error:
        raise InputError(f"{path} is not Parquet: {str(error).splitlines()[0]}") from None
    rows = len(next(iter(columns.values()), []))
    return Table(columns, tuple(f"row {k}" for k in range(rows)), path)


READERS: dict[str, Any] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".txt": _csv,
    ".json": _json,
    ".parquet": _parquet,
}
