"""Values of bundles of quanta: arrays, or objects that compute them in blocks.

Three resources are cut into M quanta each. A bundle b = (b_0, b_1, b_2) holds 0…M of each, and
v_i(b) is what bidder i pays for it at most: (M+1)³ numbers a bidder, 8 MB at M = 100. So values may
come from an object that yields them in blocks; anything with

    agents: int      quanta: int      block(start, stop) -> (stop − start, M+1, M+1, M+1)

will do. Three further methods, where an object has them all, spare reading every block:

    ceilings() -> (N,)                    v_i(b) ≤ ceilings_i for every bundle b
    corner(agent, reach) -> array         v_i(b) for 0 ≤ b ≤ reach, of shape reach + 1
    sample(bundles) -> (N, k)             v_i(b) for each of the bundles (k, 3)

`levels` says which bundles there are: "full" 0…M of each; "printed" 1…M of each, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from typing import Any, Protocol, runtime_checkable

import numpy as np

from solvers.utilities import Saturating, numbers

__all__ = ["LEVELS", "Blocks", "Bundles", "Quantised", "bundles", "coarse", "refuse_above"]

LEVELS = ("full", "printed")
BLOCK_BYTES = 64 << 20


@runtime_checkable
class Blocks(Protocol):
    """Values that are computed or read in blocks of agents."""

    agents: int
    quanta: int

    def block(self, start: int, stop: int) -> np.ndarray:
        """(stop − start, M+1, M+1, M+1), money ≥ 0."""
        ...


@dataclass(frozen=True, eq=False)
class Quantised:
    """Saturating utilities of three resources on the grid: v_i(b) = u_i(b_r · capacity_r / M)."""

    utilities: Saturating
    quanta: int
    capacities: Any = 1.0

    def __post_init__(self) -> None:
        _whole("quanta", self.quanta)
        if self.utilities.shape[1] != 3:
            raise ValueError(f"{self.utilities.shape[1]} resources; bundles have three")
        limits = np.broadcast_to(numbers("capacities", self.capacities, (0, 1)), (3,)).copy()
        object.__setattr__(self, "capacities", limits)

    @property
    def agents(self) -> int:
        return self.utilities.shape[0]

    def block(self, start: int, stop: int) -> np.ndarray:
        reach = (self.quanta,) * 3
        return np.stack([self.corner(i, reach) for i in range(start, stop)])

    def ceilings(self) -> np.ndarray:
        return self.utilities.utilities(np.broadcast_to(self.capacities, self.utilities.shape))

    def corner(self, agent: int, reach: tuple[int, int, int]) -> np.ndarray:
        steps = self.utilities.rates[agent] * self.capacities / self.quanta
        a, b, c = (np.exp(-step * np.arange(r + 1)) for step, r in zip(steps, reach, strict=True))
        left = (a[:, None] * b)[:, :, None] * c
        beta = self.utilities.heights[agent]
        return beta - beta * left

    def sample(self, bundles: np.ndarray) -> np.ndarray:
        steps = self.utilities.rates * self.capacities / self.quanta
        return self.utilities.heights[:, None] * -np.expm1(-(steps @ bundles.T))


def _whole(name: str, given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 1:
        raise ValueError(f"{name} is {given!r}; give a whole number ≥ 1")
    return int(given)


def coarse(quanta: int) -> np.ndarray:
    """(k, 3) the bundles of 0, 1, 2, 4, …, M quanta of each resource: the first look at values."""
    levels = sorted({0, quanta, *(2**k for k in range(quanta.bit_length()))})
    return np.array(list(product(levels, repeat=3)))


@dataclass(frozen=True, eq=False)
class Bundles:
    """Values as the solvers read them: checked, with v_i(nothing) and a ceiling for each bidder.

    nothing (N,); ceilings (N,) ≥ every value of the bidder; sample (N, k): of the bundles
    `coarse(M)`; fractions: the values as they were given, where these were no floats.
    """

    source: Any
    agents: int
    quanta: int
    levels: str
    nothing: np.ndarray
    ceilings: np.ndarray
    sample: np.ndarray
    fractions: np.ndarray | None = None
    _kept: dict[str, Any] = field(default_factory=dict)

    def corner(self, agent: int, reach: tuple[int, int, int]) -> np.ndarray:
        """v_i(b) for 0 ≤ b ≤ reach, float64 of shape reach + 1; not to be written to."""
        if _computes(self.source):
            cube = self.source.corner(agent, reach)
        else:
            low, cubes = self._block_of(agent)
            a, b, c = reach
            cube = cubes[agent - low, : a + 1, : b + 1, : c + 1]
        return np.asarray(cube, dtype=float)

    def exact(self, agent: int, bundle: tuple[int, ...]) -> Fraction:
        """v_i(b) as a Fraction: the one given, or the rational that the float is."""
        if self.fractions is not None:
            return Fraction(self.fractions[(agent, *bundle)])
        a, b, c = bundle
        return Fraction(float(self.corner(agent, (a, b, c))[a, b, c]))

    def given(self, agent: int, bundles: np.ndarray) -> np.ndarray:
        """v_i(b) of bundles (k, 3), as Fractions where the values were no floats."""
        a, b, c = bundles.T
        if self.fractions is None:
            return self.cube(agent)[a, b, c]
        found = np.empty(len(bundles), dtype=object)
        found[:] = [Fraction(v) for v in self.fractions[agent, a, b, c].tolist()]
        return found

    def exact_nothing(self) -> np.ndarray:
        """v_i(nothing) (N,) as Fractions."""
        array = np.empty(self.agents, dtype=object)
        array[:] = [self.exact(i, (0, 0, 0)) for i in range(self.agents)]
        return array

    def cube(self, agent: int) -> np.ndarray:
        """Every value of one bidder, (M+1, M+1, M+1)."""
        return self.corner(agent, (self.quanta,) * 3)

    def _block_of(self, agent: int) -> tuple[int, np.ndarray]:
        if isinstance(self.source, np.ndarray):
            return 0, self.source
        size = max(1, BLOCK_BYTES // (8 * (self.quanta + 1) ** 3))
        low = agent - agent % size
        if self._kept.get("low") != low:
            self._kept.clear()
            cubes = _block(self.source, low, min(low + size, self.agents), self.quanta)
            self._kept.update(low=low, cubes=cubes)
        return low, self._kept["cubes"]

    def _blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        low = 0
        while low < self.agents:
            first, cubes = self._block_of(low)
            yield first, cubes
            low = first + len(cubes)


def bundles(values: Any, quanta: int | None, levels: str) -> Bundles:
    """Read and check values: an array (agents, M+1, M+1, M+1) or `Blocks`.

    Raises ValueError for NaN, infinities, negative values, a wrong shape, M = 0 or one that does
    not match, no bidder.
    """
    if levels not in LEVELS:
        raise ValueError(f"levels is {levels!r}; give 'full' or 'printed'")
    if not isinstance(values, Blocks):
        return _from_array(values, quanta, levels)
    own = _whole("values.quanta", values.quanta)
    if quanta is not None and _whole("quanta", quanta) != own:
        raise ValueError(f"quanta is {quanta}, and the values have {own}; leave quanta out")
    if _whole_or_none(values.agents) is None:
        raise ValueError(f"values.agents is {values.agents!r}; give at least one bidder")
    agents, none = int(values.agents), np.zeros(0)
    if _computes(values):
        whole: Any = values
        tops = numbers("values.ceilings()", whole.ceilings(), (1,))
        if len(tops) != agents:
            raise ValueError(f"{len(tops)} ceilings for {agents} bidders; give one of each")
        looks = numbers("values.sample(bundles)", whole.sample(coarse(own)), (2,))
        if looks.shape != (agents, len(coarse(own))):
            raise ValueError(
                f"values.sample(bundles) has shape {looks.shape}; it must be "
                f"{(agents, len(coarse(own)))}, a number for each bidder and bundle"
            )
        refuse_above(tops, looks.max(axis=1), np.arange(agents))
        return Bundles(values, agents, own, levels, looks[:, 0].copy(), tops, looks)
    blank = Bundles(values, agents, own, levels, none, none, none)
    parts = [_look(cubes, low) for low, cubes in blank._blocks()]
    nothing, tops, looks = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Bundles(values, agents, own, levels, nothing, tops, looks)


def refuse_above(ceilings: np.ndarray, worth: np.ndarray, agents: np.ndarray) -> None:
    """ValueError where a bundle of one of these agents (k,) is worth (k,) more than its ceiling:
    below it nobody looks, so that what was missed would be missed for good."""
    above = worth > ceilings[agents] * (1 + 1e-12)
    if above.any():
        k = int(np.argmax(above))
        raise ValueError(
            f"values.ceilings() of bidder {agents[k]} is {ceilings[agents[k]]}, and a bundle is "
            f"worth {worth[k]} to it; give the largest value, or more"
        )


def _computes(source: Any) -> bool:
    return all(hasattr(source, name) for name in ("ceilings", "corner", "sample"))


def _from_array(values: Any, quanta: int | None, levels: str) -> Bundles:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            array = array.astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "values are not numbers; give an array (agents, M+1, M+1, M+1) or an object with "
            "agents, quanta and block(start, stop)"
        ) from error
    if array.dtype.kind != "f":
        array = array.astype(float)
    if array.ndim != 4 or len(set(array.shape[1:])) != 1:
        raise ValueError(
            f"values have shape {array.shape}; give (agents, M+1, M+1, M+1), the value of every "
            "bundle of 0…M quanta of three resources"
        )
    own = array.shape[1] - 1
    if not len(array):
        raise ValueError(f"values have shape {array.shape}: no bidder; give at least one")
    if own < 1:
        raise ValueError(f"values have shape {array.shape}: M = 0; give at least one quantum")
    if quanta is not None and _whole("quanta", quanta) != own:
        raise ValueError(
            f"quanta is {quanta}, and values have shape {array.shape}; "
            f"give (agents, {quanta + 1}, {quanta + 1}, {quanta + 1}) or quanta={own}"
        )
    given = np.asarray(values)
    kept = given if given.dtype.kind in "Oiu" else None
    return Bundles(array, len(array), own, levels, *_look(array, 0), fractions=kept)


def _whole_or_none(given: Any) -> int | None:
    return int(given) if isinstance(given, int | np.integer) and given >= 1 else None


def _block(source: Any, start: int, stop: int, quanta: int) -> np.ndarray:
    cubes = np.asarray(source.block(start, stop))
    wanted = (stop - start, *(quanta + 1,) * 3)
    if cubes.shape != wanted:
        raise ValueError(
            f"values.block({start}, {stop}) has shape {cubes.shape}; it must be {wanted}"
        )
    return cubes


def _look(cubes: np.ndarray, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """v(nothing), the largest value and the coarse sample, after a check of every number."""
    tops = np.empty(len(cubes))
    for i, cube in enumerate(cubes):
        low, tops[i] = cube.min(), cube.max()
        if not (low >= 0 and np.isfinite(tops[i])):
            bad = ~(np.isfinite(cube) & (cube >= 0))
            at = tuple(int(k) for k in np.argwhere(bad)[0])
            raise ValueError(
                f"the value of bundle {at} to bidder {first + i} is {cube[at]}; "
                "give finite numbers ≥ 0"
            )
    a, b, c = coarse(cubes.shape[1] - 1).T
    return cubes[:, 0, 0, 0].astype(float), tops, cubes[:, a, b, c].astype(float)
