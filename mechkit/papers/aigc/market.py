"""The system model: vehicles on a map, roadside units, what is asked for and what serving it costs.

A vehicle v moves over a square map; in slot t it takes part in the market of the nearest roadside
unit n within range (g_{n,v}(t) = 1). It asks for content of size c_v once, worth u_v = log(1 +
c_v / 1000) to it, and bids again in the next slot until it is served. Each unit hosts the same
machines m = 1 … M; each serves one vehicle per slot (eq. 3c), with a transmit power p_{n,m}(t) ~
U[0, 10] drawn anew in every slot, and values its service at u_{n,m}(t) = p_{n,m}(t) / 10. Serving v
takes c_v / R (eq. 2). Sections II and IV; what they leave open is stated in `READINGS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mechkit import data
from mechkit.errors import InputError, require, whole

KMH = 1 / 3.6
"""Metres per second."""


@dataclass(frozen=True)
class Parameters:
    """The paper's parameters, and (from `speed_spread` on) choices for what it leaves open.

    map_side, coverage in metres; speed in km/h; power: the largest transmit power, in dBm.
    slot_seconds: of a slot. bandwidth in hertz; edge: the distance in metres at which 0 dBm has a
    signal-to-noise ratio of 1; path_loss: its exponent; nearest: no vehicle is closer, in metres.
    content_median, content_sigma: of the log-normal size of a request, in bytes.
    """

    map_side: float = 1000.0
    units_per_side: int = 2
    coverage: float = 500.0
    speed: float = 90.0
    power: float = 10.0
    speed_spread: float = 0.2
    slot_seconds: float = 1.0
    bandwidth: float = 10e6
    edge: float = 500.0
    path_loss: float = 3.0
    nearest: float = 1.0
    content_median: float = 500.0
    content_sigma: float = 0.75


PAPER = Parameters()

READINGS = (
    "Mobility is given by a mean speed and a map. Vehicles start anywhere on it, drive in one of "
    "the four directions of its streets at a constant speed of 90 km/h ± 20 %, uniform, and turn "
    "back at its border; a slot takes 1 s. The four units stand in the middles of the four "
    "quarters, so that every place is within 500 m of one.",
    "c_s carries the machine's index in eqs. 1-2 and is called the amount requested by the vehicle "
    "in section IV: it is the size of what the vehicle asks for, whichever machine serves it, and "
    "the logarithm is natural.",
    "The sizes behind section IV come from a simulation that is not published. Log-normal, median "
    "500 bytes, σ = 0.75, so that values (median 0.41) and costs (U[0, 1]) meet; or the user's "
    "own sizes, one column of a file (`read_sizes`).",
    "R^d is not given: Shannon's rate B log2(1 + 10^(p/10) (500 m / d)^3) with B = 10 MHz, p the "
    "machine's power in dBm, and no vehicle nearer than 1 m. (Uniform down to 0 watts, c / R would "
    "have no mean.) Latencies are in milliseconds, the unit of fig. 5, and eqs. 3 and 6 subtract "
    "them from money as printed.",
    "p_v^m is drawn per machine and slot, not per vehicle.",
    "The number of machines and of slots is not given: 10 machines at each unit, so that 20 "
    "vehicles find supply in excess and 80 find it short in a slot; 5 slots.",
    "Constraints 3c-3d keep a machine from serving twice and let a vehicle buy many services, and "
    "let supply be counted that nobody buys (x ≤ y). A vehicle asks once and is served once; what "
    "is sold is what is bought (x = y).",
    "Eq. 4 misses the sum over machines of what buyers pay; every trade is counted once.",
)


@dataclass(frozen=True, eq=False)
class Instances:
    """What was drawn, batch first: B instances, V vehicles, T slots, N units, M machines each.

    values (B, V): u_v. sizes (B, V): c_v in bytes. costs (B, T, N, M): u_m. unit (B, T, V): the
    unit in whose market a vehicle takes part, −1 for none. latency (B, T, V, M): in ms, of being
    served by each machine of that unit (infinite where there is none). asked (B, V): the machine
    whose service is asked for, at whichever unit. dice (B, T, V): uniform, for systems that draw.
    rates (B, T, V, M): in bit/s from each of these machines (0 where there is no unit).
    """

    values: np.ndarray
    sizes: np.ndarray
    costs: np.ndarray
    unit: np.ndarray
    latency: np.ndarray
    rates: np.ndarray
    asked: np.ndarray
    dice: np.ndarray


def draw(
    rng: np.random.Generator,
    batch: int,
    *,
    vehicles: int = 80,
    machines: int = 10,
    slots: int = 5,
    content: np.ndarray | None = None,
    parameters: Parameters = PAPER,
) -> Instances:
    """A batch of instances. content: sizes in bytes to draw from, such as `read_sizes` returns."""
    for name, count in (
        ("batch", batch),
        ("vehicles", vehicles),
        ("machines", machines),
        ("slots", slots),
    ):
        whole(count, 1, name)
    p, crowd = parameters, (batch, vehicles)
    if content is None:
        sizes = p.content_median * np.exp(p.content_sigma * rng.standard_normal(crowd))
    else:
        sizes = rng.choice(checked_sizes(content, "content"), crowd)
    start = rng.uniform(0, p.map_side, (*crowd, 2))
    heading = rng.integers(4, size=crowd)
    speed = p.speed * KMH * rng.uniform(1 - p.speed_spread, 1 + p.speed_spread, crowd)
    seconds = p.slot_seconds * np.arange(slots)
    units = unit_positions(p)
    powers = rng.uniform(0, p.power, (batch, slots, len(units), machines))
    away = distances(positions(start, heading, speed, seconds, p.map_side), units)
    unit = participation(away, p.coverage)
    theirs = np.take_along_axis(powers, np.maximum(unit, 0)[..., None], axis=2)
    rates = rate(theirs, away.min(axis=-1)[..., None], p)
    near = unit[..., None] >= 0
    delay = np.where(near, latency(sizes[:, None, :, None], rates), np.inf)
    return Instances(
        values=valuation(sizes),
        sizes=sizes,
        costs=service_value(powers, p.power),
        unit=unit,
        latency=delay,
        rates=np.where(near, rates, 0),
        asked=rng.integers(machines, size=crowd),
        dice=rng.random((batch, slots, vehicles)),
    )


# Formulas -----------------------------------------------------------------------------------------


def valuation(size: np.ndarray) -> np.ndarray:
    """Section IV: u_v = log(1 + c / 1000), c in bytes."""
    return np.log1p(size / 1000)


def service_value(power: np.ndarray, largest: float = PAPER.power) -> np.ndarray:
    """Section IV: u_m = p / 10, p ~ U[0, 10]."""
    return power / largest


def unit_positions(p: Parameters = PAPER) -> np.ndarray:
    """Section IV: roadside units in metres (N, 2), in the middles of equal squares of the map."""
    middles = (np.arange(p.units_per_side) + 0.5) * p.map_side / p.units_per_side
    return np.stack(np.meshgrid(middles, middles, indexing="ij"), axis=-1).reshape(-1, 2)


HEADINGS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])


def positions(
    start: np.ndarray, heading: np.ndarray, speed: np.ndarray, seconds: np.ndarray, side: float
) -> np.ndarray:
    """Section IV: where vehicles are at each of `seconds`, in metres (B, T, V, 2).

    start (B, V, 2); heading (B, V) 0 to 3, east, north, west, south; speed (B, V) in m/s. At the
    border of the map they turn back.
    """
    step = HEADINGS[heading] * speed[..., None]
    ahead = start[:, None] + step[:, None] * seconds[:, None, None]
    folded = ahead % (2 * side)
    return np.asarray(np.where(folded > side, 2 * side - folded, folded))


def distances(where: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Metres from each vehicle (B, T, V, 2) to each unit (N, 2): (B, T, V, N)."""
    return np.asarray(np.hypot(*np.moveaxis(where[..., None, :] - units, -1, 0)))


def participation(away: np.ndarray, coverage: float) -> np.ndarray:
    """Eq. 3b: the one unit n with g_{v,n}(t) = 1, the nearest, if it is in range; −1 for none."""
    return np.where(away.min(axis=-1) <= coverage, away.argmin(axis=-1), -1)


def rate(power: np.ndarray, away: np.ndarray, p: Parameters = PAPER) -> np.ndarray:
    """R^d of eq. 2 in bit/s, by Shannon: B log2(1 + 10^(p/10) (edge / distance)^path_loss).

    power p in dBm, away in metres.
    """
    ratio = 10 ** (power / 10) * (p.edge / np.maximum(away, p.nearest)) ** p.path_loss
    return np.asarray(p.bandwidth * np.log2(1 + ratio))


def latency(size: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Eq. 2, of one pair: c / R in milliseconds; size in bytes, rates in bit/s."""
    return 1000 * 8 * size / rates


# Sizes from a file --------------------------------------------------------------------------------


def read_sizes(path: Path | str) -> np.ndarray:
    """Content sizes in bytes from a file with one column, for `draw(content=...)`.

    CSV, with or without a header, or what else `mechkit.data` reads as a table. Raises InputError
    for a missing or malformed file, more than one column, or a size that is not positive.
    """
    path = Path(path)
    table = data.read(path, exact=False)
    if not isinstance(table, data.Table):
        raise InputError(f"{path}: expected a table of one column, content sizes in bytes")
    names = list(table.columns)
    require(
        len(names) == 1,
        f"{path} has the columns {', '.join(names)}: expected one, content sizes in bytes",
    )
    sizes = table.numbers(names[0], exact=False)
    for row, size in enumerate(sizes):
        require(
            size > 0,
            f"{table.cell(names[0], row)} is {size}: expected a positive size in bytes",
        )
    return checked_sizes(np.array(sizes, dtype=float), str(path))


def checked_sizes(sizes: np.ndarray, what: str) -> np.ndarray:
    """Positive finite sizes (k,), k ≥ 1; InputError otherwise."""
    try:
        found = np.asarray(sizes, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{what} = {sizes!r}: expected content sizes in bytes") from None
    require(
        found.ndim == 1 and len(found) > 0,
        f"{what} has shape {found.shape}: expected one dimension, content sizes in bytes",
    )
    bad = ~(np.isfinite(found) & (found > 0))
    require(
        not bad.any(),
        f"{what} holds {found[bad][:1]}: expected positive finite content sizes in bytes",
    )
    return found
