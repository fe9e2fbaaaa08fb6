"""Who takes part and what they want: the setting of a mechanism.

A setting has n agents with roles, a space of types θ (and of reports, where the two differ), the
value v_i(θ_i, x) of an allocation x, the constraints that make an allocation feasible, and a prior.
Whatever is public (a price scale, coins, estimates) is drawn beside the types and shown to rules.
Every function here is plain NumPy over a batch, so that it runs on floats, on exact rationals and
on symbols alike.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from mechkit.errors import InputError, require
from mechkit.lazy import lazy
from mechkit.priors import Prior, sampler
from mechkit.spaces import Space, contains, grid
from proofs import simplest

if TYPE_CHECKING:
    from solvers import Optimum

Array = Any
"""A NumPy array, or an array of `proofs` over exact or symbolic terms: rules cannot tell."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Lottery:
    """Finitely many weighted draws of a public array (coins, priority orders).

    draws: (k, ...). weights: k rationals that sum to one, equal by default.
    every: True: a property must hold at each draw (universally truthful); False: in expectation.
    """

    draws: Any
    weights: tuple[Any, ...] = ()
    every: bool = False

    def __post_init__(self) -> None:
        draws = np.asarray(self.draws)
        require(draws.ndim >= 1 and len(draws) >= 1, "a lottery needs at least one draw")
        weights = tuple(
            simplest(w) if isinstance(w, float) else Fraction(w) for w in self.weights
        ) or (Fraction(1, len(draws)),) * len(draws)
        require(
            len(weights) == len(draws) and sum(weights) == 1 and min(weights) > 0,
            f"lottery weights {[str(w) for w in weights]} for {len(draws)} draws: expected one "
            "positive weight per draw, summing to one",
        )
        object.__setattr__(self, "draws", draws)
        object.__setattr__(self, "weights", weights)


Public = Mapping[str, Array]
"""What is public, by name; each array is batch-first."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """An optimum and what it is the optimum of, so that it is dropped when these are replaced."""

    best: Callable[..., Any]
    of: tuple[Any, ...]

    def __call__(self, types: Array, **more: Any) -> Any:
        return self.best(types, **more)


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """Who takes part and what they want. Use a constructor (`single_item`, …) or fill this in.

    name: for reports. types: the `Space` of types, from `box(agents, *coordinates, ...)`.
    allocation_shape: of one allocation: (agents, ...) where `personal`, anything else otherwise.
    value(types, allocation) -> (batch, agents), in money: what the allocation is worth to each.
    slack(allocation) -> (batch, k): every constraint's slack, ≥ 0 where it holds.
    roles: one name per agent ("bidder" for all by default); "seller" turns directions around: a
        better report is a lower one, and a seller is paid.
    prior: see `spaces.Prior`. reports, truthful(types) -> reports: where reports live elsewhere.
    public: by name, a `Space` (its shape is that of one draw; any value in it), a `Lottery`, or a
        function of the types, types -> (batch, ...), for what is revealed about them. With public
        arrays, `value`, `truthful` and the rules are called with `public=`, a mapping.
    interdependent: an agent's value depends on the others' types, not on its own alone.
    quantity(allocation) -> (batch, agents): single-parameter settings: value = θ · quantity
        (−θ · quantity for sellers). binary: the quantity of a pure allocation is 0 or 1.
    personal: row i of the allocation is what agent i gets (False: one outcome for all).
    joint_value(types, parts) -> (batch,): what one agent with types (batch, ...) gets from the
        parts (batch, identities, ...) of several identities; None: identities are fixed.
    resize(agents by role) -> Setting; None: the setting has no other size.
    outcomes() -> (k, *allocation_shape): all pure feasible allocations, where they can be listed.
    first_best(types) -> (batch,): the largest welfare Σ_i v_i(θ_i, x) of all feasible allocations,
        fractions included where `slack` lets them in, in plain NumPy (sorts and maxima, no Python
        branches). Where it is left out, the best of `outcomes` is taken. It goes with the value,
        slack and types that it was given with: `dataclasses.replace` of one of these drops it.
    solve(types, *, payments, seconds) -> solvers.Optimum: such an allocation, with the bound that
        proves it; payments: True asks for Clarke's, too; seconds: a limit, or None. types are plain
        arrays (..., agents, *coordinates), a profile or batches of them, floats or Fractions. It
        may take public=, too, and goes with value, slack and types as `first_best` does.
    """

    name: str
    types: Space
    allocation_shape: tuple[int, ...]
    value: Callable[..., Array]
    slack: Callable[..., Array]
    roles: tuple[str, ...] = ()
    prior: Prior = None
    reports: Space | None = None
    truthful: Callable[..., Array] | None = None
    public: Mapping[str, Space | Lottery | Callable[[Array], Array]] = field(default_factory=dict)
    interdependent: bool = False
    quantity: Callable[..., Array] | None = None
    binary: bool = False
    personal: bool = True
    joint_value: Callable[..., Array] | None = None
    resize: Callable[[Mapping[str, int]], Setting] | None = None
    outcomes: Callable[[], np.ndarray] | None = None
    first_best: Callable[..., Array] | None = None
    solve: Callable[..., Optimum] | None = None
    constants: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        roles = tuple(self.roles) or ("bidder",) * self.agents
        require(
            len(roles) == self.agents,
            f"{len(roles)} roles for {self.agents} agents: give one role per agent",
        )
        object.__setattr__(self, "roles", roles)
        require(
            self.reports is None or self.truthful is not None,
            "reports live in a space of their own, and truthful is missing: give "
            "truthful(types) -> reports, so that it is known which report is the truth",
        )
        require(
            self.reports is None or self.reports.agents == self.agents,
            "types and reports are for different numbers of agents: make both boxes the same size",
        )
        require(
            not self.personal or self.allocation_shape[:1] == (self.agents,),
            f"allocation_shape = {self.allocation_shape} for {self.agents} agents: the first axis "
            "is the agent; for one outcome shared by all say personal=False",
        )
        for name in ("value", "slack"):
            require(
                callable(getattr(self, name)),
                f"{name} = {getattr(self, name)!r}: expected a function over a batch",
            )
        require(
            self.first_best is None or callable(self.first_best),
            f"first_best = {self.first_best!r}: expected a function types -> (batch,)",
        )
        require(
            self.solve is None or callable(self.solve),
            f"solve = {self.solve!r}: expected a function (types, payments=, seconds=) -> Optimum",
        )
        fits = (self.value, self.slack, self.types)
        for name in ("first_best", "solve"):
            best = getattr(self, name)
            if isinstance(best, Fitted):
                same = all(a is b for a, b in zip(best.of, fits, strict=True))
                best = best if same else None
            elif best is not None:
                best = Fitted(best, fits)
            object.__setattr__(self, name, best)
        object.__setattr__(self, "_draw", sampler(self.types, self.prior))

    @property
    def agents(self) -> int:
        return self.types.agents

    @property
    def report_space(self) -> Space:
        """Where reports live: the types' space unless the setting says otherwise."""
        return self.types if self.reports is None else self.reports

    @lazy
    def sellers(self) -> np.ndarray:
        """Which agents sell, bool (agents,)."""
        return np.array([role == "seller" for role in self.roles])

    @lazy
    def lotteries(self) -> tuple[str, ...]:
        """The public draws over which properties are taken in expectation."""
        return tuple(k for k, v in self.public.items() if isinstance(v, Lottery) and not v.every)

    @lazy
    def apart(self) -> bool:
        """Whether what the others report can differ from what a rule or a value knows of them."""
        return (
            self.reports is not None
            or self.truthful is not None
            or self.interdependent
            or any(callable(source) for source in self.public.values())
        )

    def role_counts(self) -> dict[str, int]:
        """How many agents have each role, in order of appearance."""
        return {role: self.roles.count(role) for role in dict.fromkeys(self.roles)}

    def sample(self, rng: np.random.Generator, batch: int) -> np.ndarray:
        """Types drawn from the prior, float64 (batch, agents, *coordinates)."""
        drawn = self._draw(rng, batch)  # type: ignore[attr-defined]
        types: np.ndarray = np.array(drawn, dtype=np.float64)
        expected = (batch, *self.types.shape)
        require(
            types.shape == expected,
            f"the prior of {self.name} drew types of shape {types.shape}, expected {expected}",
        )
        outside = ~contains(self.types, types, slack=1e-9 * self.types.scale)
        if outside.any():
            raise InputError(
                f"the prior of {self.name} drew types {types[outside][0].tolist()}, outside the "
                f"type space [{self.types.low.min()}, {self.types.high.max()}]: widen low and "
                "high, or truncate the prior"
            )
        return types

    def grid(self, points: int = 5) -> list[np.ndarray]:
        """For each agent all of its types on a grid, as Fractions (k, *coordinates): every level,
        and `points` equally spaced values of a continuous coordinate, the bounds included."""
        return [grid(self.types, agent, points) for agent in range(self.agents)]

    def feasible(self, allocation: Array, *, tolerance: float = 1e-9) -> np.ndarray:
        """Which allocations of a batch are feasible, bool (batch,)."""
        slack = np.array(self.slack(np.array(allocation, dtype=float)), dtype=float)
        return np.asarray((slack >= -tolerance).reshape(len(slack), -1).all(axis=-1))

    def resized(self, agents: int | Mapping[str, int]) -> Setting:
        """The same setting with another number of agents (by role, where there are several)."""
        if self.resize is None:
            raise InputError(f"{self.name} has a fixed number of agents: it cannot be resized")
        counts = self.role_counts()
        if isinstance(agents, Mapping):
            unknown = set(agents) - set(counts)
            require(not unknown, f"roles {sorted(unknown)}: {self.name} has roles {list(counts)}")
            counts |= {role: int(k) for role, k in agents.items()}
        else:
            require(
                len(counts) == 1,
                f"{self.name} has roles {list(counts)}: say how many of each, "
                f"resized({{{next(iter(counts))!r}: {agents}}})",
            )
            counts = {next(iter(counts)): int(agents)}
        return self.resize(counts)

    def with_public(self, **public: Space | Lottery | Callable[[Array], Array]) -> Setting:
        """The same setting with public information of these names; rules then take `public=`.

        Its `value`, `truthful` and `first_best` are wrapped where they do not take `public`.
        """
        value = self.value
        if not takes_public(value):
            plain = value

            def value(types: Array, allocation: Array, *, public: Public) -> Array:
                return plain(types, allocation)

        truthful = self.truthful
        if truthful is not None and not takes_public(truthful):
            sincere = truthful

            def truthful(types: Array, *, public: Public) -> Array:
                return sincere(types)

        best = self.first_best.best if isinstance(self.first_best, Fitted) else None
        if best is not None and not takes_public(best):
            optimum = best

            def best(types: Array, *, public: Public) -> Array:
                return optimum(types)

        resize = self.resize
        grown = None if resize is None else lambda n: resize(n).with_public(**public)
        return replace(
            self,
            public={**self.public, **public},
            value=value,
            truthful=truthful,
            first_best=best,
            solve=self.solve.best if isinstance(self.solve, Fitted) else None,
            resize=grown,
        )


def takes_public(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(p.name == "public" or p.kind is p.VAR_KEYWORD for p in parameters)


def values(setting: Setting, types: Array, allocation: Array, public: Public) -> Array:
    """v_i(θ_i, x), (batch, agents)."""
    if setting.public:
        return setting.value(types, allocation, public=public)
    return setting.value(types, allocation)


def truth(setting: Setting, types: Array, public: Public) -> Array:
    """The truthful reports of these types, (batch, *report_space.shape)."""
    if setting.truthful is None:
        return types
    if setting.public:
        return setting.truthful(types, public=public)
    return setting.truthful(types)
