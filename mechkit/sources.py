"""Loading mechanisms and settings: FILE.py:NAME, a catalogue key, PAPER/NAME; and the hash of one.

A witness or a result names its mechanism by a reference and the SHA-256 of what it was declared in,
so that replaying against something else is noticed.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mechkit import papers
from mechkit.catalogue import MODULES, entry_of, keys
from mechkit.catalogue.entry import Entry
from mechkit.errors import InputError
from mechkit.mechanism import Mechanism
from mechkit.settings import Setting


@dataclass(frozen=True)
class Source:
    """A mechanism with where it came from."""

    mechanism: Mechanism
    reference: str
    digest: str


def load(reference: str) -> Source:
    """The mechanism of FILE.py:NAME, of a catalogue key, or of PAPER/NAME[:ROLE].

    NAME is a Mechanism, or a function without arguments that returns one. Raises InputError for
    anything else, naming what is there instead.
    """
    if ".py" in reference:
        found, path, name = _from_file(reference, Mechanism)
        return Source(found, f"{path.as_posix()}:{name}", digest(path))
    if "/" in reference:
        name = reference.partition("/")[0]
        return Source(papers.mechanism_of(reference), reference, papers_digest(name))
    entry = entry_of(reference)
    return Source(entry.make(), reference, entry_digest(entry))


def papers_digest(name: str) -> str:
    """The SHA-256 of the files that declare a paper: its module, or the files of its package."""
    found = Path(inspect.getfile(importlib.import_module(f"mechkit.papers.{name}")))
    files = sorted(found.parent.glob("*.py")) if found.name == "__init__.py" else [found]
    return _digest_of(files)


def entry_digest(entry: Entry) -> str:
    """The SHA-256 of what declares an entry: its catalogue file, and the files of papers from which
    that takes rules. Raises InputError for an entry that no catalogue file lists."""
    file = file_of(entry)
    module = importlib.import_module(f"mechkit.catalogue.{file.stem}")
    homes = {getattr(part, "__module__", None) or "" for part in vars(module).values()}
    rules = [inspect.getfile(sys.modules[m]) for m in homes if m.startswith("mechkit.papers.")]
    return _digest_of([file, *map(Path, sorted(rules))]) if rules else digest(file)


def _digest_of(files: list[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
    return total.hexdigest()


def load_setting(reference: str) -> Setting:
    """The setting of FILE.py:NAME, which is a Setting, a Mechanism or a function without arguments
    that returns one. Raises InputError as `load` does."""
    found, _, _ = _from_file(reference, Setting, Mechanism)
    return found.setting if isinstance(found, Mechanism) else found


def load_game(reference: str) -> Any:
    """The game of FILE.py:NAME, a `proofs.games.Game` or a function that returns one. Raises
    InputError as `load` does."""
    from proofs.games import Game

    found, _, _ = _from_file(reference, Game)
    return found


def file_of(entry: Entry) -> Path:
    """The catalogue file that lists an entry (its `make` may come from a helper elsewhere)."""
    for name in MODULES:
        module = importlib.import_module(f"mechkit.catalogue.{name}")
        if entry in module.ENTRIES:
            return Path(inspect.getfile(module))
    raise InputError(f"no catalogue file lists {entry.key!r}: add it to the ENTRIES of one")


def digest(path: Path) -> str:
    """The SHA-256 of a file's text."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _from_file(reference: str, kind: type, *also: type) -> tuple[Any, Path, str]:
    """(what FILE.py:NAME names, the file, NAME); of that kind, or of one that will do as well."""
    kinds, noun = (kind, *also), kind.__name__.lower()
    text, colon, name = reference.rpartition(":")
    if not colon or not text.endswith(".py"):
        text, name = reference, ""
    path = Path(text)
    if not path.is_file():
        raise InputError(
            f"{text}: no such file; give FILE.py:NAME with a path from here, or a catalogue key "
            f"(`mechkit list` shows {len(keys())})"
        )
    module = _module(path)
    offered = [
        key
        for key, value in vars(module).items()
        if isinstance(value, kinds) and not key.startswith("_")
    ]
    if not name:
        if not offered:
            example = {
                Mechanism: "auction = mk.Mechanism(setting, allocate, pay)",
                Setting: "market = mk.single_item(3)",
            }
            shown = example.get(kind, f"{noun} = {kind.__name__}(...)")
            raise InputError(f"{path} declares no {noun}: give one a name in it, {shown}")
        if len(offered) > 1:
            raise InputError(
                f"{path} declares {len(offered)} {noun}s ({', '.join(offered)}): say "
                f"which, {path}:NAME"
            )
        name = offered[0]
    if not hasattr(module, name):
        made = [k for k, v in vars(module).items() if inspect.isfunction(v) and k[:1] != "_"]
        near = difflib.get_close_matches(name, [*offered, *made], n=1, cutoff=0.6)
        hint = f"; did you mean {path}:{near[0]}?" if near else ""
        raise InputError(
            f"{path} has no {name}; it declares {', '.join(offered) or f'no {kind.__name__}'}{hint}"
        )
    found = getattr(module, name)
    if not isinstance(found, kinds) and callable(found):
        try:
            found = found()
        except Exception as error:
            raise InputError(f"{path}:{name}() raised {type(error).__name__}: {error}") from error
    if not isinstance(found, kinds):
        raise InputError(
            f"{path}:{name} is a {type(found).__name__}, expected a {kind.__name__} or a function "
            "that returns one"
        )
    return found, path, name


def _module(path: Path) -> object:
    name = f"_mechkit_file_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        here = path.resolve()
        frames = [
            f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) in (path, here)
        ]
        line = f", line {frames[-1].lineno}" if frames else ""
        raise InputError(
            f"{path}{line} does not import: {type(error).__name__}: {error}; run it with Python to "
            "see the whole trace"
        ) from error
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
    return module
