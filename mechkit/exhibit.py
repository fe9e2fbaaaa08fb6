"""What `mechkit list` and `mechkit show` have to show: mechanisms, their source, properties.

Pure functions from declarations to what is shown, as a page (rich) and as JSON values.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from mechkit.catalogue.entry import Entry
from mechkit.constructors import additive, single_item
from mechkit.mechanism import Mechanism
from mechkit.properties import PROPERTIES, Property
from mechkit.settings import Lottery, Setting
from mechkit.spaces import Space
from mechkit.story.scene import short

# Settings -----------------------------------------------------------------------------------------


def bounds(space: Space) -> str:
    """The shape of a profile and the values in it: (3,) in [0, 1]."""
    low, high = space.low.ravel(), space.high.ravel()
    same = len({*low}) == 1 == len({*high})
    inside = f"in [{short(low[0])}, {short(high[0])}]" if same else "each within bounds of its own"
    more = " on a finite grid" if space.finite else ""
    if space.constraints is not None:
        more += f" under {len(space.constraints[1])} linear constraints"
    return f"{space.shape} {inside}{more}"


def setting_json(setting: Setting) -> dict[str, Any]:
    return {
        "name": setting.name,
        "agents": setting.agents,
        "roles": setting.role_counts(),
        "types": bounds(setting.types),
        "reports": bounds(setting.report_space),
        "allocation_shape": list(setting.allocation_shape),
        "public": {name: public(source) for name, source in setting.public.items()},
    }


def public(source: Any) -> str:
    if isinstance(source, Space):
        return f"any value: {bounds(source)}"
    if isinstance(source, Lottery):
        how = "for each draw" if source.every else "in expectation"
        return f"one of {len(source.draws)} draws, {how}"
    return "a function of the types"


def setting_page(setting: Setting) -> Table:
    data = setting_json(setting)
    roles = ", ".join(f"{count} × {role}" for role, count in data["roles"].items())
    rows = [
        ("setting", data["name"]),
        ("agents", f"{data['agents']} ({roles})"),
        ("types", data["types"]),
    ]
    if setting.reports is not None:
        rows.append(("reports", data["reports"]))
    rows.append(("allocation", f"shape {setting.allocation_shape}"))
    rows += [(f"public {name}", text) for name, text in data["public"].items()]
    return grid(rows)


def grid(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(name, Text(text))
    return table


# Source -------------------------------------------------------------------------------------------


PACKAGE = Path(__file__).resolve().parent


def told(file: str, folder: Path) -> bool:
    """Whether what a file declares belongs to a rule from a folder: what lies there, and the parts
    that the rules of the catalogue and of the papers share."""
    path = Path(file).resolve()
    shared = path == PACKAGE / "book.py" or PACKAGE / "papers" in path.parents
    return path.parent == folder or shared


def parts(root: Any, folder: Path) -> Iterator[Any]:
    """The functions and classes that a rule from a folder is made of: the rule itself, its closure,
    and whatever they call."""
    seen: set[int] = set()
    todo = [root]
    while todo:
        found = todo.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, functools.partial):
            todo += [found.func, *found.args, *found.keywords.values()]
        elif isinstance(found, tuple | list):
            todo += found
        elif inspect.isfunction(found):
            cells = found.__closure__ or ()
            todo += [cell.cell_contents for cell in cells if _filled(cell)]
            todo += [found.__globals__[n] for n in names(found.__code__) if n in found.__globals__]
            if told(found.__code__.co_filename, folder):
                # A function made by another one reads best inside it.
                outer = found.__globals__.get(found.__qualname__.partition(".")[0])
                yield outer if inspect.isfunction(outer) else found
        elif inspect.isclass(found) and not issubclass(found, Mechanism | Setting):
            with contextlib.suppress(OSError, TypeError):
                if told(inspect.getfile(found), folder):
                    yield found


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  (an empty cell raises)
    except ValueError:
        return False
    return True


def names(code: CodeType) -> Iterator[str]:
    """The names that a function's code, and the code nested in it, looks up."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names(constant)


def source(mechanism: Mechanism, file: Path) -> str:
    """The code of a mechanism's rules, from its file and those beside it, in their order there."""
    folder = file.resolve().parent
    blocks: dict[tuple[str, int], list[str]] = {}
    for root in (mechanism.allocate, mechanism.pay, mechanism.outcome):
        for part in parts(root, folder):
            with contextlib.suppress(OSError):
                lines, start = inspect.getsourcelines(part)
                blocks[inspect.getfile(part), start] = lines
    text, last = [], ("", 0)
    for (path, start), lines in sorted(blocks.items()):
        if path == last[0] and start < last[1]:
            continue  # nested in what is shown already
        text.append(textwrap.dedent("".join(lines)).rstrip())
        last = (path, start + len(lines))
    return "\n\n".join(text)


def made(make: Any) -> str:
    """The lines that declare what makes a mechanism, for rules that the library itself builds."""
    with contextlib.suppress(OSError, TypeError):
        inner = make.func if isinstance(make, functools.partial) else make
        return textwrap.dedent(inspect.getsource(inner)).rstrip()
    return ""


def code(text: str) -> RenderableType:
    return Padding(
        Syntax(text, "python", theme="ansi_dark", background_color="default", word_wrap=True),
        (0, 0, 0, 2),
    )


# Pages --------------------------------------------------------------------------------------------


def entry_json(entry: Entry, setting: Setting) -> dict[str, Any]:
    return {
        "key": entry.key,
        "faulty": entry.faulty,
        "setting": setting_json(setting),
        "holds": entry.holds.split(),
        "fails": entry.fails.split(),
        "because": dict(entry.because),
        "source": entry.source,
    }


def entries_page(entries: list[tuple[Entry, Setting]]) -> RenderableType:
    """One line each: key, setting, sound or faulty, and what fails."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("key", no_wrap=True)
    table.add_column("setting", overflow="fold")
    table.add_column("kind", no_wrap=True)
    table.add_column("declared", no_wrap=True)
    for entry, setting in entries:
        holds, fails = len(entry.holds.split()), len(entry.fails.split())
        kind = Text("faulty", style="red") if entry.faulty else Text("sound", style="green")
        table.add_row(
            Text(entry.key, style="bold"), setting.name, kind, f"{holds} hold, {fails} fail"
        )
    count = f"{len(entries)} mechanism{'' if len(entries) == 1 else 's'}."
    return Group(table, "", Text(f"{count} `mechkit show KEY` tells more of one.", style="dim"))


def mechanism_page(mechanism: Mechanism, text: str, reference: str) -> RenderableType:
    title = Text.assemble((mechanism.name, "bold"), (f"  {reference}", "dim"))
    page: list[RenderableType] = [title, "", setting_page(mechanism.setting)]
    if text:
        page += ["", Text("Rules", style="bold"), code(text)]
    return Group(*page)


def entry_page(entry: Entry, mechanism: Mechanism, text: str) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("property", no_wrap=True)
    table.add_column("declared", no_wrap=True)
    table.add_column("because", overflow="fold")
    for name, holds in entry.truth.items():
        word = Text("holds", style="green") if holds else Text("fails", style="red")
        table.add_row(name, word, Text(entry.because.get(name, ""), style="dim"))
    kind = "faulty" if entry.faulty else "sound"
    return Group(
        mechanism_page(mechanism, text, entry.key),
        "",
        Text(f"Declared truth ({kind}; {entry.source})", style="bold"),
        table,
    )


def property_json(prop: Property) -> dict[str, Any]:
    return {
        "name": prop.name,
        "statement": prop.statement,
        "source": prop.source,
        "unit": prop.unit,
        "tie_free": prop.tie_free,
        "families": [check.family for check in typical(prop)],
    }


def typical(prop: Property) -> Iterable[Any]:
    """The checks of a property that are sought, in the simplest setting that has it."""
    for setting in (single_item(3, levels=(0, 1)), additive(2, 2)):
        if prop.excuse(setting) is None:
            return prop.sought(setting)
    return prop.sought(single_item(3))


def property_page(prop: Property) -> RenderableType:
    checks = list(typical(prop))
    rows = [
        ("says", f"{prop.statement}"),
        ("source", prop.source),
        ("margin", f"at least 0 where it holds, in units of {prop.unit}"),
        ("over", ", ".join(f"every {check.family}" for check in checks)),
    ]
    if prop.tie_free:
        rows.append(("except", "at profiles where the rule compares equal numbers (ties)"))
    texts = []
    for check in checks:
        try:
            text = textwrap.dedent(inspect.getsource(check.margin)).strip("\n")
        except OSError:
            continue
        if text not in texts:
            texts.append(text)
    page: list[RenderableType] = [Text(prop.name, style="bold"), "", grid(rows)]
    if texts:
        page += ["", Text("Margin", style="bold"), *map(code, texts)]
    return Group(*page)


def near(name: str, keys: Iterable[str]) -> list[str]:
    """What somebody may have meant: keys and properties close to a name."""
    return difflib.get_close_matches(name, [*keys, *PROPERTIES], n=3, cutoff=0.5)
