"""Witnesses as files: a counterexample in JSON, and its replay without any search.

A witness file holds the case in exact numbers (strings such as "1/3"), the property and which of
its checks fails, the margin, the arithmetic, and the mechanism's reference and hash. Replaying
plays the case again from nothing and compares the sign and the size of the margin.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mechkit.deviations import FAMILIES
from mechkit.errors import InputError, MechkitError, require
from mechkit.mechanism import Mechanism
from mechkit.properties import PROPERTIES
from mechkit.replay import counterexample, float_margin, margins, negative, valid
from mechkit.saved import read_json
from mechkit.verdict import Counterexample, fraction_text
from mechkit.views import Case

FORMAT = "mechkit-witness/1"
KINDS: dict[str, type] = {
    "mechanism": dict,
    "property": str,
    "family": str,
    "check": int,
    "who": list,
    "arrays": dict,
    "arithmetic": str,
}
NUMBER = re.compile(r"-?\d{1,4000}(/\d{1,4000})?")


def to_json(
    witness: Counterexample, *, reference: str | None, digest: str | None, seed: int
) -> dict[str, Any]:
    """A witness as plain JSON values."""
    return {
        "format": FORMAT,
        "mechanism": {"name": witness.mechanism, "reference": reference, "sha256": digest},
        "property": witness.property,
        "check": witness.check,
        "family": witness.case.family,
        "who": list(witness.agents),
        "arrays": {key: _nested(array) for key, array in witness.case.arrays.items()},
        "gain": fraction_text(witness.gain),
        "gain_decimal": float(witness.gain),
        "arithmetic": witness.arithmetic,
        "note": witness.note,
        "seed": seed,
    }


def _nested(array: np.ndarray) -> Any:
    if array.ndim == 0:
        return fraction_text(_exact(array.item()))
    return [_nested(np.asarray(row, dtype=object)) for row in array]


def _exact(x: Any) -> Fraction:
    return x if isinstance(x, Fraction) else Fraction(x)


@dataclass(frozen=True)
class Replayed:
    """What a replay found: whether the property fails on the witness, and the margin now."""

    confirmed: bool
    margin: Any
    arithmetic: str
    counterexample: Counterexample | None
    message: str


def read(path: Path) -> Mapping[str, Any]:
    """The contents of a witness file; InputError where it is not one."""
    data = read_json(path)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else type(data).__name__
        raise InputError(f"{path}: format {found!r}, expected {FORMAT!r}, as `--save` writes it")
    for key, kinds in KINDS.items():
        require(key in data, f"{path} lacks {key!r}: it was cut or edited; save it again")
        found = data[key]
        require(
            isinstance(found, kinds) and not isinstance(found, bool),
            f"{path}: {key} = {found!r}, expected {kinds.__name__}; it was edited, save it again",
        )
    require(
        all(isinstance(i, int) and not isinstance(i, bool) for i in data["who"]),
        f"{path}: who = {data['who']}, expected indices of agents; it was edited, save it again",
    )
    for key, known in (
        ("property", PROPERTIES),
        ("family", FAMILIES),
        ("arithmetic", ("exact", "interval", "float64")),
    ):
        require(
            data[key] in known,
            f"{path}: {key} {data[key]!r} is unknown; expected one of {', '.join(known)}",
        )
    return data


def replay(mechanism: Mechanism, data: Mapping[str, Any]) -> Replayed:
    """Play a witness again, exactly, with no search.

    Raises InputError where the witness does not fit the mechanism's setting at all. A rule that no
    longer runs on it, or that no longer fails, leaves it unconfirmed.
    """
    prop, check, family = PROPERTIES[data["property"]], data["check"], data["family"]
    if (why := prop.excuse(mechanism.setting)) is not None:
        raise InputError(f"{prop.name} does not apply to {mechanism.name}: {why}")
    checks = prop.checks(mechanism.setting)
    require(
        0 <= check < len(checks) and checks[check].family == family,
        f"check {check} of {prop.name} in family {family!r}: {mechanism.name} has the checks "
        f"{', '.join(f'{k} ({c.family})' for k, c in enumerate(checks))}",
    )
    who = tuple(data["who"])
    require(
        len(set(who)) == len(who) and all(0 <= i < mechanism.setting.agents for i in who),
        f"agents {list(who)}: {mechanism.name} has agents 0 to {mechanism.setting.agents - 1}, "
        "each of whom may act once",
    )
    size = len(next(iter(FAMILIES[family].targets(mechanism.setting))))
    require(
        len(who) == size or (family == "coalition" and len(who) >= size),
        f"{len(who)} acting agents in family {family!r}: expected {size}",
    )
    floats = data["arithmetic"] == "float64"
    try:
        slots = FAMILIES[family].slots(mechanism, who)
        arrays = {key: _array(rows) for key, rows in data["arrays"].items() if key in slots}
        case = Case(family, who, arrays)
        for key, slot in slots.items():
            expected = (1, len(slot.owners), *slot.space.coordinates)
            require(
                key in arrays and arrays[key].shape == expected,
                f"array {key!r} of shape {arrays[key].shape if key in arrays else None}, expected "
                f"{expected}: the witness is for another setting",
            )
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the witness does not fit {mechanism.name}: {error}") from None
    if not valid(case, mechanism).all():
        return Replayed(False, None, data["arithmetic"], None, "its types lie outside the setting")
    margin: Any
    try:
        if floats:
            case = Case(case.family, who, {k: a.astype(float) for k, a in arrays.items()})
            margin = float_margin(mechanism, prop, check, case)
            confirmed = margin < 0
        else:
            margin = margins(mechanism, prop, check, case)[0]
            confirmed = bool(negative(margin))
    except (MechkitError, MemoryError):
        raise
    except Exception as error:
        text = f"the rule does not run on it in {data['arithmetic']} arithmetic: {error}"
        return Replayed(False, None, data["arithmetic"], None, text)
    if not confirmed:
        text = "undecided" if margin is None else fraction_text(margin)
        return Replayed(False, margin, data["arithmetic"], None, f"the margin is {text}, not < 0")
    record = counterexample(
        mechanism, prop, check, case, data["arithmetic"], str(data.get("note", ""))
    )
    stated = data.get("gain")
    if stated is not None and not floats and stated != fraction_text(record.gain):
        message = (
            f"the violation stands, but the gain is {fraction_text(record.gain)}, not {stated}"
        )
        return Replayed(False, margin, data["arithmetic"], record, message)
    return Replayed(True, margin, data["arithmetic"], record, "confirmed")


def _array(rows: Any) -> np.ndarray:
    raw = np.array(rows, dtype=object)
    made = np.empty(raw.shape, dtype=object)
    for at, x in np.ndenumerate(raw):
        if not (isinstance(x, str) and NUMBER.fullmatch(x)):
            raise ValueError(f"{str(x)[:40]!r}: expected numbers as strings such as '1/3'")
        made[at] = Fraction(x)
    return made
