"""The command `mechkit optimum`: how good could any mechanism be, at these values?

Exit codes: 0 optimal; 1 a limit came first, and value and bound stand with a gap between them, or a
certificate did not hold; 2 the input was wrong.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mechkit import terminal
from mechkit.errors import InputError
from mechkit.options import assignments, finite
from mechkit.terminal import aside, put, put_json, waiting, write

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mechkit.instances import Instance
    from solvers import Optimum

FORMAT = "mechkit-optimum/1"
SHOWN = 20
"""Profiles, or agents, on a page."""


@click.command(
    epilog="\b\nExamples:\n"
    "  mechkit optimum single_item bids.csv --vcg\n"
    "  mechkit optimum multi_unit bids.csv --option units=2\n"
    "  mechkit optimum positions bids.json --option click_rates=1,0.5 --json\n"
    "  mechkit optimum market.py:market types.parquet --save best.json\n"
    "  mechkit optimum matched_trade pairs.csv --vcg\n"
    "  mechkit optimum madda --seed 3 --draws 200\n"
    "\b\nA CSV file, bids.csv:\n"
    "  agent,value\n"
    "  ann,0.9\n"
    "  bob,0.4"
)
@click.argument("setting", metavar="SETTING")
@click.argument("values", type=click.Path(path_type=Path), metavar="[VALUES]", required=False)
@click.option(
    "--option",
    "-o",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    callback=assignments,
    help="Of the setting: units=2, click_rates=1,0.5, cost=10, buyers=2; repeatable.",
)
@click.option("--vcg", is_flag=True, help="Everybody's Clarke payment, too.")
@click.option("--exact", is_flag=True, help="Take 0.1 as 1/10, and solve in rationals.")
@click.option(
    "--seconds", type=float, metavar="S", callback=finite, help="A limit; none if not said."
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Of a paper's draws; 0.")
@click.option(
    "--draws", type=click.IntRange(min=2), metavar="N", help="Of a paper's market; 1,000."
)
@click.option("--json", "json_", is_flag=True, help="One JSON document on stdout instead.")
@click.option(
    "--save", type=click.Path(path_type=Path), metavar="FILE.json", help="Write it there, too."
)
def optimum(
    setting: str,
    values: Path | None,
    options: Mapping[str, str],
    vcg: bool,
    exact: bool,
    seconds: float | None,
    seed: int | None,
    draws: int | None,
    json_: bool,
    save: Path | None,
) -> int:
    """The best that any mechanism could do at given values.

    SETTING is single_item, multi_unit, positions, double_auction, additive, unit_demand,
    single_minded, combinatorial, divisible, public_project, or FILE.py:NAME; matched_trade for
    pairs that may trade (columns buyer, seller, gain, or value and cost), winners for XOR bids
    (columns bidder, items, value).

    VALUES is CSV or Parquet with a row for each agent and a column for each number of its type, or
    JSON, nested lists (agents, ...) or (profiles, agents, ...). A column profile makes many
    profiles, a column agent names the agents, a column role says who is buyer and who is seller.

    A paper's id alone draws instances of its market and puts each of its systems beside the
    optimum; --option changes the market's sizes.

    The bound is computed again from the certificate. Exits with 0 if the value is optimal, with 1
    if a limit came first, with 2 if the input is wrong.
    """
    from mechkit.papers import PAPERS

    if save is not None and (save.is_dir() or not save.absolute().parent.is_dir()):
        what = "is a directory" if save.is_dir() else "is in no directory that exists"
        raise InputError(f"{save} {what}: give a file name in a directory that is there")
    if setting in PAPERS and values is None:
        if vcg or exact or seconds is not None:
            raise InputError(
                "--vcg, --exact and --seconds are for values, not for a paper's market"
            )
        return compared(setting, options, seed or 0, draws or 1000, json_, save)
    if values is None:
        raise InputError(
            f"{setting} needs VALUES, a CSV, JSON or Parquet file; without one, give a paper: "
            f"{', '.join(PAPERS)}"
        )
    if seed is not None or draws is not None:
        raise InputError("--seed and --draws are for a paper's market: values are not drawn")
    from mechkit.instances import instance

    with aside(), waiting(f"solving {setting}"):
        asked = instance(setting, options, values, exact=exact)
        try:
            found = asked.ask(vcg, seconds)
        except ImportError as error:
            raise InputError(str(error)) from None
        except ValueError as error:
            raise InputError(f"{values}: {error}") from None
        found, holds = checked(found)
    data = as_json(asked, found, holds)
    if json_:
        put_json(data)
    else:
        put(page(asked, found, holds))
    sys.stdout.flush()
    keep(save, data, quiet=json_)
    return 0 if found.status == "optimal" else 1


def keep(file: Path | None, data: Mapping[str, Any], *, quiet: bool) -> None:
    """Write the document, where that was asked for."""
    if file is not None:
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        terminal.save(file, lambda: write(file, text), quiet=quiet)


def compared(
    paper: str, options: Mapping[str, str], seed: int, draws: int, json_: bool, save: Path | None
) -> int:
    """A paper's systems beside the optimum of its market."""
    from mechkit import markets

    sizes = {}
    for name, text in options.items():
        if not text.isdigit():
            raise InputError(
                f"{name} = {text}: expected a whole number, a size of {paper}'s market"
            )
        sizes[name] = int(text)
    with aside(), waiting(f"drawing {paper}"):
        try:
            found = markets.compare(paper, seed=seed, draws=draws, sizes=sizes)
        except ImportError as error:
            raise InputError(str(error)) from None
    data = markets.as_json(found)
    if json_:
        put_json(data)
    else:
        put(markets.page(found))
    sys.stdout.flush()
    keep(save, data, quiet=json_)
    return 0


def checked(found: Optimum) -> tuple[Optimum, bool | None]:
    """(the record, not called optimal where its certificate does not prove that; whether all
    certificates hold, None where some part has none)."""
    import solvers

    several = isinstance(found.certificate, tuple)
    each = found.certificate if several else (found.certificate,)
    if not each or any(c is None for c in each):
        return found, None
    try:
        results = [solvers.check(c) for c in each]
    except TypeError as error:  # a record of somebody's own, that nothing here can check
        return replace(found, notes=(*found.notes, str(error))), None
    failed = [result.reason for result in results if not result.holds]
    value = [result.value for result in results] if several else results[0].value
    if not failed and not same(value, found.value):
        failed = ["it is of another value"]
    if failed and found.status is solvers.Status.OPTIMAL:
        note = f"the certificate does not prove it: {failed[0]}"
        found = replace(found, status=solvers.Status.FEASIBLE, notes=(*found.notes, note))
    return found, not failed


def same(value: Any, other: Any) -> bool:
    """Equal, but for what float sums in another order lose."""
    from solvers import relative_gap

    return other is not None and max(relative_gap(value, other), relative_gap(other, value)) <= 1e-9


# What is said -------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Numbers as JSON has them; rationals as text, "1/3"; endless bounds as none."""
    if value is None or isinstance(value, str):
        return value
    array = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(array, list):
        return [plain(part) for part in array]
    if isinstance(array, Fraction):
        return str(array)
    return array if math.isfinite(array) else None


def as_json(asked: Instance, found: Optimum, holds: bool | None) -> dict[str, Any]:
    """The record as JSON values; value, bound, allocation, payments with a profile axis in front
    where there are profiles."""
    kinds = found.certificate if isinstance(found.certificate, tuple) else (found.certificate,)
    return {
        "format": FORMAT,
        "setting": asked.title,
        "status": str(found.status),
        "agents": list(asked.parties),
        "profiles": None if asked.profiles is None else list(asked.profiles),
        "value": plain(found.value),
        "bound": plain(found.bound),
        "gap": plain(float(found.gap)),
        "allocation": plain(found.allocation),
        "payments": plain(found.payments),
        "method": found.method,
        "certificate": {
            "kind": None if holds is None else ", ".join({type(c).__name__ for c in kinds}),
            "holds": holds,
        },
        "seconds": found.seconds,
        "notes": list(found.notes),
    }


def page(asked: Instance, found: Optimum, holds: bool | None) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    style = "bold green" if found.status == "optimal" else "bold yellow"
    title = Text.assemble((str(found.status), style), "  ", (asked.title, "bold"))
    parts: list[RenderableType] = [title, ""]
    parts.append(_agents(asked, found) if asked.profiles is None else _profiles(asked, found))
    parts += ["", *(Text(line, style="dim") for line in evidence(found, holds))]
    return Group(*parts)


def evidence(found: Optimum, holds: bool | None) -> list[str]:
    gap = float(found.gap)
    told = {
        None: "no certificate to check",
        True: "the certificate was checked: nothing feasible is worth more than the bound",
        False: "the certificate proves no optimum",
    }[holds]
    lines = [f"{found.method}; {told}", *found.notes]
    return lines if gap <= 1e-9 else [*lines, f"gap between value and bound {gap:.2g}"]


def _table(*names: str) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for k, name in enumerate(names):
        table.add_column(name, overflow="fold", justify="left" if k == 0 else "right")
    return table


def _agents(asked: Instance, found: Optimum) -> RenderableType:
    """One profile: a row for each agent."""
    from rich.console import Group
    from rich.text import Text

    from mechkit.instances import NOTHING, text

    told = [("type", asked.types)] if asked.types else []
    if found.allocation is not None:
        told.append(("gets", tuple(asked.gets(found.allocation))))
    if found.payments is not None:
        told.append(("pays", tuple(text(p) for p in found.payments)))
    table = _table(asked.kind, *(name for name, _ in told))
    order = list(range(len(asked.parties)))
    if len(order) > SHOWN and found.allocation is not None:
        got = asked.gets(found.allocation)
        order.sort(key=lambda k: got[k] == NOTHING)
    for k in order[:SHOWN]:
        table.add_row(Text(asked.parties[k], style="bold"), *(Text(part[k]) for _, part in told))
    value = "none found" if found.value is None else text(found.value)
    sums = Text.assemble(("welfare ", "dim"), value, ("  bound ", "dim"), text(found.bound))
    if found.payments is not None:
        sums.append_text(Text.assemble(("  revenue ", "dim"), text(found.payments.sum())))
    return Group(table, *_rest(len(asked.parties), f"{asked.kind}s"), "", sums)


def _profiles(asked: Instance, found: Optimum) -> RenderableType:
    """Many profiles: a row for each, and the mean."""
    from rich.console import Group
    from rich.text import Text

    from mechkit.instances import text

    assert asked.profiles is not None
    count = len(asked.profiles)
    columns = {"welfare": found.value, "bound": found.bound}
    if found.payments is not None:
        columns["revenue"] = found.payments.sum(axis=-1)
    known = {name: column for name, column in columns.items() if column is not None}
    table = _table("profile", *known)
    for k, label in enumerate(asked.profiles[:SHOWN]):
        table.add_row(Text(label, style="bold"), *(text(column[k]) for column in known.values()))
    means = Text(f"mean of {count} profiles ", style="dim")
    for name, column in known.items():
        means.append_text(
            Text.assemble((f" {name} ", "dim"), (text(column.sum() / count), "not dim"))
        )
    return Group(table, *_rest(count, "profiles"), "", means)


def _rest(count: int, what: str) -> list[RenderableType]:
    from rich.text import Text

    if count <= SHOWN:
        return []
    return [Text(f"… and {count - SHOWN} more {what}; --json has all", style="dim")]
