"""Files of a training run that survive a kill: whole or not there, checked when they are read.

Every file is written beside its place, flushed to the disk and renamed, so that a reader sees the
old one or the new one, whatever interrupts. A checkpoint is two files, arrays in safetensors and
numbers in JSON with the checksum of both; the second, renamed last, makes it count. Tables are
Parquet, with a checksum of their columns in the metadata. No pickle.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from learners.environment import Array
from learners.learner import INSTALL

KEPT = 2
"""Checkpoints that stay: should the last turn out to be damaged, the one before is still there."""


class Unsaved(OSError):
    """A file could not be written; the message says which, why, and what is still there."""


class Damaged(ValueError):
    """A file is not what was once written; the message says which, and what can be done."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a run needs to go on. about: what was known when it was saved, JSON."""

    steps: int
    arrays: Mapping[str, Array]
    numbers: Mapping[str, Any]
    about: Mapping[str, Any]
    file: Path


# Files --------------------------------------------------------------------------------------------


def write(path: Path, data: bytes) -> None:
    """All or nothing. Raises Unsaved."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        _settle(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise Unsaved(
            f"{path} could not be written ({error.strerror or error}); what was there is as it "
            "was: free some space, or give a directory that can be written, and run again"
        ) from None


def _settle(folder: Path) -> None:
    """The rename itself on the disk, where directories can be opened."""
    with contextlib.suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """JSON with a checksum over it. Raises ValueError for what JSON has not, Unsaved."""
    body = plain(data)
    text = json.dumps({"sha256": _digest(_canonical(body)), "body": body}, indent=1)
    write(path, text.encode() + b"\n")


def read_json(path: Path) -> dict[str, Any]:
    """What `write_json` wrote. Raises Damaged."""
    try:
        data = json.loads(path.read_bytes())
        body, sha256 = data["body"], data["sha256"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise Damaged(f"{path} cannot be read ({error!r}); {_REMEDY}") from None
    if not isinstance(body, dict) or _digest(_canonical(body)) != sha256:
        raise Damaged(f"{path}: its checksum does not fit its contents; {_REMEDY}")
    return body


def write_table(path: Path, columns: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Columns of one length, and JSON beside them, in Parquet. Raises Unsaved."""
    pa, parquet = _arrow()
    known = {name: np.asarray(column) for name, column in columns.items()}
    body = {"about": plain(about), "sha256": _columns_digest(known, plain(about))}
    table = pa.table(known).replace_schema_metadata({b"mechkit": _canonical(body)})
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd")
    write(path, sink.getvalue().to_pybytes())


def read_table(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """(columns, JSON). Raises Damaged."""
    pa, parquet = _arrow()
    try:
        table = parquet.read_table(path)
        body = json.loads((table.schema.metadata or {})[b"mechkit"])
        columns = {name: table[name].to_numpy() for name in table.column_names}
        if _columns_digest(columns, body["about"]) != body["sha256"]:
            raise ValueError("its checksum does not fit its contents")
    except (OSError, ValueError, LookupError, pa.ArrowException) as error:
        raise Damaged(f"{path} cannot be read ({error!r}); {_REMEDY}") from None
    return columns, body["about"]


def _columns_digest(columns: Mapping[str, Array], about: Any) -> str:
    total = hashlib.sha256(_canonical(about))
    for name, column in columns.items():
        if column.dtype.kind in "OU":  # bytes of objects are addresses
            kind, data = "text", _canonical(column.tolist())
        else:
            kind, data = column.dtype.str, column.tobytes()
        total.update(f"\0{name}\0{kind}\0".encode() + data)
    return total.hexdigest()


_REMEDY = "it is damaged or not mechkit's: remove its directory and run again"


# Checkpoints --------------------------------------------------------------------------------------


def save_checkpoint(
    folder: Path,
    steps: int,
    arrays: Mapping[str, Array],
    numbers: Mapping[str, Any],
    about: Mapping[str, Any],
) -> Path:
    """Saves, then removes all but the last `KEPT`; returns the file that makes it count.

    Raises Unsaved, and then whatever checkpoint was there is the last one still.
    """
    save = _safetensors().numpy.save
    name = f"checkpoint-{steps:012d}"
    data = save({key: np.asarray(array, order="C") for key, array in arrays.items()})
    write(folder / f"{name}.safetensors", data)
    state = {"steps": steps, "arrays": _digest(data), "numbers": numbers, "about": about}
    write_json(folder / f"{name}.json", state)
    prune(folder, KEPT)
    return folder / f"{name}.json"


def prune(folder: Path, kept: int) -> None:
    """Removes all checkpoints but the last `kept`, and arrays of any that never counted."""
    files = _saved(folder)
    for steps, file in list(files.items())[:-kept]:
        file.unlink()
        del files[steps]
    for arrays in folder.glob("checkpoint-*.safetensors"):
        if arrays.with_suffix(".json") not in files.values():
            arrays.unlink()


def last_checkpoint(folder: Path) -> Checkpoint | None:
    """The last one, None where there is none. Raises Damaged, naming the one before if any."""
    safetensors = _safetensors()
    files = list(_saved(folder).values())
    if not files:
        return None
    file = files[-1]
    try:
        state = read_json(file)
        data = file.with_suffix(".safetensors").read_bytes()
        if _digest(data) != state["arrays"]:
            raise Damaged(f"{file.with_suffix('.safetensors')}: its checksum does not fit")
        loaded = safetensors.numpy.load(data)
        return Checkpoint(state["steps"], loaded, state["numbers"], state["about"], file)
    except (OSError, LookupError, Damaged, safetensors.SafetensorError) as error:
        before = f"from {files[-2]}" if len(files) > 1 else "from the start"
        raise Damaged(
            f"the checkpoint {file.with_suffix('')} is damaged ({error}); remove its .json and "
            f".safetensors, and the run goes on {before}"
        ) from None


def glance(folder: Path) -> dict[str, Any] | None:
    """What was known at the last checkpoint, for whoever looks on while the run is under way; None
    where there is none to be read at this moment."""
    files = list(_saved(folder).values())
    try:
        found: dict[str, Any] = read_json(files[-1])["about"]
    except (Damaged, LookupError):
        return None
    return found


def _saved(folder: Path) -> dict[int, Path]:
    """steps -> the JSON of every checkpoint that counts, earliest first."""
    found = {}
    for file in folder.glob("checkpoint-*.json"):
        if match := re.fullmatch(r"checkpoint-(\d+)\.json", file.name):
            found[int(match[1])] = file
    return dict(sorted(found.items()))


# One writer ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else trains in that directory meanwhile; the system forgets a holder that dies.

    Raises ValueError where somebody does, Unsaved where the directory cannot be written.
    """
    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("wb")
    except OSError as error:
        raise Unsaved(
            f"{folder}: cannot be written ({error.strerror or error}); give a directory that can be"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(
                f"{folder}: another process is training there; wait for it, or give another "
                "directory"
            ) from None
        yield


# JSON ---------------------------------------------------------------------------------------------


def plain(data: Any) -> Any:
    """The same as a trip through JSON leaves it; NumPy's numbers as Python's. Raises ValueError for
    NaN, infinities and what JSON has not."""
    return json.loads(json.dumps(data, default=_number, allow_nan=False))


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise ValueError(f"{value!r} is no JSON: expected numbers, strings, lists and mappings")


def _canonical(data: Any) -> bytes:
    return json.dumps(data, sort_keys=True).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise ImportError(f"saved runs need pyarrow: {INSTALL}", name="pyarrow") from None
    return pa, parquet


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError(f"saved runs need safetensors: {INSTALL}", name="safetensors") from None
    return safetensors
