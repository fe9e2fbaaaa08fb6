"""Results that outlive the run that made them: a stamped, checksummed file for each finished task.

A file counts only if it is whole, its checksum fits, and its stamp says that it was made with what
this run would use: the same task, version, entry and engine. Anything else is made again.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mechkit import catalogue, sources
from mechkit.catalogue.entry import Entry
from mechkit.errors import InputError
from mechkit.lazy import lazy
from mechkit.terminal import write

FORMAT = "mechkit-audit/1"
SHARED = ("__init__.py", "claim.py", "paper.py")
"""The files of `papers` that belong to no paper (a paper's own `__init__.py` counts here, too)."""


def version() -> str:
    """The installed version, "source" where mechkit runs from a checkout."""
    try:
        return importlib.metadata.version("mechkit-econ")
    except importlib.metadata.PackageNotFoundError:
        return "source"


def digest_of(entry: Entry) -> str:
    """The SHA-256 of what declares an entry (see `sources`), or of the file where `make` is."""
    try:
        return sources.entry_digest(entry)
    except InputError:  # not the catalogue's
        with suppress(OSError, TypeError):
            return sources.digest(Path(inspect.getfile(inspect.unwrap(entry.make))))
        return _sha256(repr(entry.make).encode())


def engine_digest() -> str:
    """The SHA-256 of the sources that judge: the packages, less the catalogue's and the papers'
    own files."""
    root, total = Path(__file__).resolve().parents[1], hashlib.sha256()
    listed = {root / "catalogue" / f"{name}.py" for name in catalogue.MODULES}
    for package in (root, root.parent / "proofs", root.parent / "solvers"):
        for path in sorted(package.rglob("*.py")):
            of_a_paper = path.relative_to(package).parts[:1] == ("papers",) and package == root
            if path not in listed and not (of_a_paper and path.name not in SHARED):
                total.update(f"{path.relative_to(root.parent).as_posix()}\0".encode())
                total.update(path.read_bytes() + b"\0")
    return total.hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _canonical(data: Any) -> bytes:
    return json.dumps(data, sort_keys=True, ensure_ascii=False).encode()


class Folder:
    """A directory of results. trouble: why the last file could not be written, if so.

    Raises InputError where the directory cannot be written to begin with.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble: str | None = None
        try:
            path.mkdir(parents=True, exist_ok=True)
            write(self.path / ".writable", "")
            (path / ".writable").unlink()
        except OSError as error:
            raise InputError(
                f"{path}: cannot write there ({error}); give a directory that can be written"
            ) from None

    @lazy
    def engine(self) -> str:
        return engine_digest()

    def stamp(self, task: Mapping[str, Any], digest: str) -> dict[str, Any]:
        """What a file must have been made with for its contents to count; digest: of what declares
        the task's entry or claim."""
        made = {"format": FORMAT, "task": dict(task), "version": version()}
        return _plain(made | {"entry": digest, "engine": self.engine})

    def read(self, name: str, stamp: Mapping[str, Any]) -> dict[str, Any] | None:
        """What an earlier run wrote; None where there is nothing, or nothing to be trusted."""
        try:
            data = json.loads((self.path / name).read_bytes())
            body = {"stamp": data["stamp"], "row": data["row"]}
            if data["sha256"] == _sha256(_canonical(body)) and body["stamp"] == stamp:
                return body["row"]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return None
        return None

    def write(self, name: str, stamp: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        """Write a result under its stamp, with a checksum over both."""
        body = _plain({"stamp": stamp, "row": row})
        self.keep(name, body | {"sha256": _sha256(_canonical(body))})

    def keep(self, name: str, data: Mapping[str, Any]) -> None:
        """Write a file, or remember why not: a full disk must not cost the results."""
        try:
            write(self.path / name, json.dumps(data, indent=1, ensure_ascii=False))
        except OSError as error:
            self.trouble = f"{self.path / name}: {error}; free some space and run again to save"


def _plain(data: Any) -> Any:
    """The same values as a trip through JSON leaves them."""
    return json.loads(json.dumps(data))
