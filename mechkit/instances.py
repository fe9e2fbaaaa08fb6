"""From data to a question: what `mechkit optimum` solves, and how its answer reads.

A setting is named as its constructor is, with its options; the number of agents, and of items where
types have one number for each, comes from the data. Pairs that may trade and XOR bids have no
setting: they are lists, and go to `solvers.matched_trade` and `solvers.winners`.
"""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mechkit import constructors
from mechkit.data import Table, rational, read
from mechkit.errors import InputError, require
from mechkit.grouped import grouped, nested
from mechkit.optimum import optimum, rationals, vcg
from mechkit.settings import Setting
from mechkit.sources import load_setting

if TYPE_CHECKING:
    from solvers import Optimum

__all__ = ["Instance", "instance"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Instance:
    """What to solve, and whom the answer is about.

    ask(payments, seconds) -> Optimum. parties: who pays or is paid, in the order of payments; kind:
    what a party is. profiles: labels where there are many, None for one without a batch axis.
    types: of one profile, text by party. gets(allocation of one profile) -> text by party.
    """

    title: str
    ask: Callable[[bool, float | None], Optimum]
    parties: tuple[str, ...]
    kind: str = "agent"
    profiles: tuple[str, ...] | None = None
    types: tuple[str, ...] = ()
    gets: Callable[[np.ndarray], list[str]]


def instance(name: str, options: Mapping[str, str], path: Path, *, exact: bool) -> Instance:
    """The question that a setting's name, its options and a file of data put.

    Raises InputError for an unknown name or option, naming near misses, and for data that are not
    what the setting expects.
    """
    if ".py" in name:
        require(not options, f"options {list(options)}: {name} has its own; leave them out")
        setting = load_setting(name)
        return _of_types(
            name,
            Known(lambda agents: setting, thing="part", named=0),
            {},
            _data(path, exact),
            path,
            exact,
        )
    require(name in LISTS or name in KNOWN, _unknown(name, [*KNOWN, *LISTS], "setting"))
    if name in LISTS:
        require(not options, f"options {list(options)}: {name} takes none")
        table = _data(path, exact)
        if not isinstance(table, Table):
            raise InputError(f"{path}: {name} needs named columns: CSV, Parquet or JSON records")
        return LISTS[name](table, exact)
    return _of_types(name, KNOWN[name], options, _data(path, exact), path, exact)


def _data(path: Path, exact: bool) -> Table | list[Any]:
    return read(path, exact=exact)


def _unknown(name: str, known: list[str], what: str) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"{name!r} is no {what}; there are {', '.join(known)}{hint}"


# Settings -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Known:
    """A constructor, and what its data look like.

    sized: the option that the number of columns gives, and how (`of`); None: one column. thing:
    what an agent gets of several; named: the columns from this one on are their names.
    """

    make: Callable[..., Setting]
    sized: str | None = None
    of: Callable[[int], int] = field(default=lambda columns: columns)
    thing: str = "item"
    named: int | None = None


def _bundles(columns: int) -> int:
    items = (columns + 1).bit_length() - 1
    require(
        2**items - 1 == columns,
        f"{columns} values for each agent: expected 2^items − 1 (1, 3, 7, …), one for every bundle",
    )
    return items


def _wants(columns: int) -> int:
    require(
        columns >= 2,
        "single_minded: expected a value and then 0 or 1 for each item, or --option bundles=…",
    )
    return columns - 1


KNOWN = {
    "single_item": Known(constructors.single_item),
    "multi_unit": Known(constructors.multi_unit, "demand"),
    "positions": Known(constructors.positions, thing="position"),
    "double_auction": Known(constructors.double_auction),
    "additive": Known(constructors.additive, "items", named=0),
    "unit_demand": Known(constructors.unit_demand, "items", named=0),
    "single_minded": Known(constructors.single_minded, "items", _wants, named=1),
    "combinatorial": Known(constructors.combinatorial, "items", _bundles),
    "divisible": Known(constructors.divisible, "resources", thing="resource", named=0),
    "public_project": Known(constructors.public_project),
}
COUNTED = ("agents", "buyers", "sellers")
NOT_DATA = ("low", "high", "levels", "prior", "roles", "utility")


def _options(name: str, known: Known, given: Mapping[str, str]) -> dict[str, Any]:
    takes = inspect.signature(known.make).parameters
    allowed = [p for p in takes if p not in (*NOT_DATA, "agents", "sellers")]
    values = {}
    for option, text in given.items():
        if not allowed:
            raise InputError(f"option {option!r}: {name} takes none")
        require(option in allowed, _unknown(option, allowed, f"option of {name}"))
        values[option] = _literal(option, text)
        if option == "click_rates" and not isinstance(values[option], list | tuple):
            values[option] = [values[option]]
    for option, p in takes.items():
        needed = p.default is p.empty and option not in COUNTED and option != known.sized
        require(
            not needed or option in values,
            f"{name} needs an option: --option {EXAMPLES.get(option, option + '=…')}",
        )
    return values


NOTHING = "–"
"""What who gets nothing gets, on a page."""
SHOWN = 8
"""Numbers of one type on a page."""
EXAMPLES = {"units": "units=2", "click_rates": "click_rates=1,0.5", "cost": "cost=10"}


def _literal(option: str, text: str) -> Any:
    """2, 0.5, 1/3, 1,1/2 or a list of lists."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        parts = [rational(part) for part in text.split(",")]
    except (ValueError, ZeroDivisionError):
        raise InputError(
            f"--option {option}={text}: expected a number, numbers with commas, or a list"
        ) from None
    return parts if "," in text else parts[0]


def _of_types(
    name: str,
    known: Known,
    given: Mapping[str, str],
    data: Table | list[Any],
    path: Path,
    exact: bool,
) -> Instance:
    options = _options(name, known, given)
    own = known.make(agents=0) if ".py" in name else None
    if isinstance(data, Table):
        sided = name == "double_auction" or (own is not None and bool(own.sellers.any()))
        told = grouped(data, exact, sided=sided)
        if told.buyers is not None:
            options.setdefault("buyers", told.buyers)
    else:
        told = nested(data, lambda axes: _axes(known, own, options, axes), path, exact=exact)
    types, profiles = told.types, told.profiles
    setting = own or _made(name, known, options, types)
    require(
        types.shape[1:] == setting.types.shape,
        f"{path}: {setting.name} has types of shape {setting.types.shape} for a profile, and the "
        f"data {types.shape[1:]}: give a row for each agent, and a column for each number",
    )
    given_types = types if profiles is not None else types[0]

    def ask(payments: bool, seconds: float | None) -> Optimum:
        return (vcg if payments else optimum)(setting, given_types, seconds=seconds)

    return Instance(
        title=setting.name,
        ask=ask,
        parties=told.parties,
        profiles=profiles,
        types=() if profiles is not None else tuple(_row(t) for t in types[0]),
        gets=_reader(setting, known, told.names),
    )


def _axes(known: Known, own: Setting | None, options: Mapping[str, Any], axes: int) -> int:
    """How many axes one profile has, of lists that have so many."""
    if own is not None:
        return len(own.types.shape)
    if known.sized in ("demand", "resources"):
        # One number for each agent, unless the option or a third axis says that there are more.
        return 2 if options.get(known.sized, 1) != 1 or axes == 3 else 1
    return 1 if known.sized is None or "bundles" in options else 2


def _made(name: str, known: Known, options: dict[str, Any], types: np.ndarray) -> Setting:
    """The setting of so many agents and columns."""
    agents, columns = types.shape[1], types.shape[2] if types.ndim == 3 else 1
    counts = {"agents": agents}
    if "buyers" in inspect.signature(known.make).parameters:
        require(
            "buyers" in options,
            f"{name}: say who sells: a column role with buyer or seller, or --option buyers=2 for "
            "the first two to buy",
        )
        buyers = options["buyers"]
        require(
            isinstance(buyers, int) and 1 <= buyers < agents,
            f"buyers = {buyers} of {agents} agents: expected at least one buyer and one seller",
        )
        counts = {"sellers": agents - buyers}
    if known.sized is not None and "bundles" not in options:
        size = known.of(columns)
        said = options.setdefault(known.sized, size)
        require(
            said == size, f"{known.sized} = {said}, and the data have {columns} numbers per agent"
        )
    elif "bundles" in options:
        bundles = np.asarray(options["bundles"])
        require(bundles.ndim == 2, "bundles: expected a list of 0/1 for each agent, [[1,0],[1,1]]")
        options.setdefault("items", bundles.shape[1])
    return known.make(**counts, **options)


def _row(own: Any) -> str:
    numbers = [text(v) for v in np.ravel(own)]
    if len(numbers) > SHOWN:
        numbers[SHOWN - 1 :] = [f"… ({len(numbers)} numbers)"]
    return ", ".join(numbers)


def text(value: Any) -> str:
    """A number to be read; a rational as the quotient that it is."""
    return str(value) if isinstance(value, Fraction | int | np.integer) else f"{float(value):.6g}"


def _reader(
    setting: Setting, known: Known, columns: tuple[str, ...]
) -> Callable[[np.ndarray], list[str]]:
    """What each agent gets, in words; things are called as their columns are, where these are so
    many."""
    names = () if known.named is None else columns[known.named :]

    def one(own: np.ndarray) -> str:
        if own.size == 1:
            return text(own.item()) if own.item() != 0 else NOTHING
        own = own.ravel()
        labels = (
            names if len(names) == len(own) else [f"{known.thing} {j}" for j in range(len(own))]
        )
        return (
            ", ".join(
                label if share == 1 else f"{text(share)} of {label}"
                for label, share in zip(labels, own, strict=True)
                if share != 0
            )
            or NOTHING
        )

    def gets(allocation: np.ndarray) -> list[str]:
        x = np.asarray(allocation)
        rows = x if setting.personal else [x] * setting.agents
        return [one(np.asarray(row)) for row in rows]

    return gets


# Lists --------------------------------------------------------------------------------------------


def _columns(table: Table, wanted: tuple[str, ...], what: str) -> None:
    missing = [c for c in wanted if c not in table.columns]
    require(
        not missing,
        f"{table.path} has columns {list(table.columns)}, and {what} needs {', '.join(wanted)}",
    )


def _indices(labels: list[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    known = {label: k for k, label in enumerate(dict.fromkeys(labels))}
    return np.array([known[label] for label in labels], dtype=int), tuple(known)


def _pairs(table: Table, exact: bool) -> Instance:
    """Columns buyer, seller and gain; or value and cost, which prices are measured from."""
    with_gain = "gain" in table.columns
    _columns(
        table,
        ("buyer", "seller", "gain") if with_gain else ("buyer", "seller", "value", "cost"),
        "matched_trade",
    )
    worth = table.numbers("gain" if with_gain else "value", exact=exact)
    cost = [Fraction(0) if exact else 0.0] * len(worth)
    cost = cost if with_gain else table.numbers("cost", exact=exact)
    kind = object if exact else float
    values, costs = np.array(worth, dtype=kind), np.array(cost, dtype=kind)
    (b, buyers), (s, sellers) = _indices(table.text("buyer")), _indices(table.text("seller"))
    pairs = np.stack([b, s], axis=1)

    def ask(payments: bool, seconds: float | None) -> Optimum:
        import solvers

        found: Optimum = (solvers.vcg if payments else solvers).matched_trade(values, costs, pairs)
        return rationals(found) if exact else found

    def gets(chosen: np.ndarray) -> list[str]:
        met = [NOTHING] * (len(buyers) + len(sellers))
        for k in np.flatnonzero(chosen):
            met[b[k]] = sellers[s[k]]
            met[len(buyers) + s[k]] = buyers[b[k]]
        return met

    return Instance(
        title=f"trade of {len(buyers)} buyers and {len(sellers)} sellers in {len(pairs)} pairs",
        ask=ask,
        parties=(*buyers, *sellers),
        types=("buyer",) * len(buyers) + ("seller",) * len(sellers),
        gets=gets,
    )


def _bids(table: Table, exact: bool) -> Instance:
    """Columns bidder, items (with blanks or + between them) and value; one bid wins at most."""
    _columns(table, ("bidder", "items", "value"), "winners")
    require(not exact, "--exact: XOR bids are solved in floats; leave it out")
    who, bidders = _indices(table.text("bidder"))
    sets = [
        label.replace("+", " ").replace(",", " ").replace(";", " ").split()
        for label in table.text("items")
    ]
    _, items = _indices([item for own in sets for item in own])
    index = {item: j for j, item in enumerate(items)}
    values = table.numbers("value", exact=False)
    bids = [
        (int(i), [index[item] for item in own], v)
        for i, own, v in zip(who, sets, values, strict=True)
    ]

    def ask(payments: bool, seconds: float | None) -> Optimum:
        import solvers

        found: Optimum = (solvers.vcg if payments else solvers).winners(
            bids, bidders=len(bidders), items=len(items), seconds=seconds
        )
        return found

    def gets(chosen: np.ndarray) -> list[str]:
        won = [NOTHING] * len(bidders)
        for k in np.flatnonzero(chosen):
            won[who[k]] = ", ".join(sets[k])
        return won

    return Instance(
        title=f"{len(bids)} XOR bids of {len(bidders)} bidders for {len(items)} items",
        ask=ask,
        parties=bidders,
        kind="bidder",
        gets=gets,
    )


LISTS: dict[str, Callable[[Table, bool], Instance]] = {"matched_trade": _pairs, "winners": _bids}
