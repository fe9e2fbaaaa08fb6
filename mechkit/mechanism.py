"""A mechanism: a setting, an allocation rule and a payment rule, declared once in plain NumPy.

`play` runs the rules on a batch of reports, in whatever arithmetic the reports are in, and checks
the shape of what comes back; an `Outcome` then answers what each agent's allocation, payment, value
and utility are, in expectation where the setting's lotteries say so. `examine` puts a rule through
the paces that a search relies on: finite, deterministic, row by row, and leaving its input alone.
"""

from __future__ import annotations

import contextlib
import itertools
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from mechkit import first_best, groves, ranked
from mechkit import settings as s
from mechkit.errors import InputError, MechkitError, RuleError, require
from mechkit.lazy import lazy
from mechkit.settings import Array, Public, Setting
from proofs import Unsupported, exact, signals


@dataclass(frozen=True, eq=False)
class Mechanism:
    """An allocation rule and a payment rule on a setting.

    allocate(reports) -> (batch, *allocation_shape). pay(reports, allocation) -> (batch, agents):
    positive where the agent pays. reports: (batch, agents, ...). Where the setting has public
    arrays, both are called with `public=`. outcome(reports) -> (allocation, payments) stands for
    both (see `from_outcome`). structure: what the rules are known to be by construction, for
    provers. rebuild(setting) -> Mechanism: the mechanism at another number of agents, where the
    same rules do not serve.
    """

    setting: Setting
    allocate: Callable[..., Array] | None = None
    pay: Callable[..., Array] | None = None
    name: str = "mechanism"
    outcome: Callable[..., tuple[Array, Array]] | None = None
    structure: Mapping[str, Any] | None = None
    rebuild: Callable[[Setting], Mechanism] | None = None

    def __post_init__(self) -> None:
        require(
            isinstance(self.setting, Setting),
            f"setting = {self.setting!r}: expected a Setting, mk.single_item(agents=3) for one",
        )
        both = callable(self.allocate) and callable(self.pay)
        require(
            both != callable(self.outcome),
            f"{self.name}: give allocate(reports) and pay(reports, allocation), or "
            "Mechanism.from_outcome(setting, outcome)",
        )

    @classmethod
    def from_outcome(
        cls,
        setting: Setting,
        outcome: Callable[..., tuple[Array, Array]],
        name: str = "mechanism",
        **more: Any,
    ) -> Mechanism:
        """A mechanism whose allocation and payments come out together: a clock, a policy."""
        return cls(setting, name=name, outcome=outcome, **more)

    @classmethod
    def of(cls, setting: Setting, rules: groves.Rules) -> Mechanism:
        """A mechanism of rules that carry their structure."""
        again = rules.again
        return cls(
            setting,
            rules.allocate,
            rules.pay,
            rules.name,
            outcome=rules.outcome,
            structure=rules.structure,
            rebuild=_cannot_resize(rules.name)
            if again is None
            else lambda other: cls.of(other, again(other)),
        )

    @classmethod
    def groves(cls, setting: Setting, **options: Any) -> Mechanism:
        """Welfare maximiser with Groves payments, VCG by default: see `groves.groves`."""
        return cls.of(setting, groves.groves(setting, **options))

    @classmethod
    def affine_maximiser(cls, setting: Setting, **options: Any) -> Mechanism:
        """Weighted and boosted welfare maximiser: see `groves.affine_maximiser`."""
        return cls.of(setting, groves.affine_maximiser(setting, **options))

    @classmethod
    def posted(cls, setting: Setting, prices: Any, **options: Any) -> Mechanism:
        """Take it or leave it, one agent after the other: see `groves.posted`."""
        return cls.of(setting, groves.posted(setting, prices, **options))

    @classmethod
    def threshold(
        cls, setting: Setting, threshold: Callable[..., Array], **options: Any
    ) -> Mechanism:
        """Win at a price that the own report cannot move: see `groves.threshold`."""
        return cls.of(setting, groves.threshold(setting, threshold, **options))

    @classmethod
    def ranked(
        cls, setting: Setting, rule: Callable[..., Any], k: int, **options: Any
    ) -> Mechanism:
        """Each agent's outcome from its report, rank and k highest rivals: see `ranked.ranked`."""
        return cls.of(setting, ranked.ranked(setting, rule, k, **options))

    def resized(self, agents: int | Mapping[str, int]) -> Mechanism:
        """The mechanism on the setting with another number of agents."""
        return self.on(self.setting.resized(agents))

    def on(self, setting: Setting) -> Mechanism:
        """The mechanism on this setting: rebuilt, or the same rules if they serve any number."""
        return self.rebuild(setting) if self.rebuild else replace(self, setting=setting)


def _cannot_resize(name: str) -> Callable[[Setting], Mechanism]:
    def refuse(setting: Setting) -> Mechanism:
        raise InputError(
            f"{name} was declared with prices, weights or outcomes for its own number of agents: "
            "declare it with ones that serve any number, or give rebuild="
        )

    return refuse


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a mechanism did on a batch of reports.

    draws: (weight, allocation, payments, public) for each draw of the lottery over which the
    setting takes expectations; one draw of weight 1 where there is none.
    """

    setting: Setting
    draws: tuple[tuple[Any, Array, Array, Public], ...]

    def mean(self, of: Callable[[Array, Array, Public], Array]) -> Array:
        """The expectation over the lottery of a function of (allocation, payments, public)."""
        (weight, *first), *rest = self.draws
        total = of(*first)
        if rest:
            total = total * weight
            for weight, *draw in rest:
                total = total + of(*draw) * weight
        return total

    @lazy
    def allocation(self) -> Array:
        """(batch, *allocation_shape), in expectation."""
        return self.mean(lambda x, p, public: x)

    @lazy
    def payments(self) -> Array:
        """(batch, agents), positive where the agent pays, in expectation."""
        return self.mean(lambda x, p, public: p)

    @lazy
    def quantity(self) -> Array:
        """Single-parameter settings: (batch, agents)."""
        assert self.setting.quantity is not None
        return self.mean(lambda x, p, public: self.setting.quantity(x))  # type: ignore[misc]

    def values(self, types: Array) -> Array:
        """What the allocation is worth to each agent, (batch, agents)."""
        return self.mean(lambda x, p, public: s.values(self.setting, types, x, public))

    def utility(self, types: Array) -> Array:
        """Value minus payment, (batch, agents)."""
        return self.values(types) - self.payments

    def utility_of(self, agent: int, types: Array) -> Array:
        """Value minus payment of one agent, (batch,)."""
        return self.values(types)[:, agent] - self.payments[:, agent]

    @lazy
    def slack(self) -> Array:
        """The least slack of every constraint over all draws, (batch, k)."""
        slacks = [self.setting.slack(x) for _, x, _, _ in self.draws]
        least = slacks[0]
        for slack in slacks[1:]:
            least = np.minimum(least, slack)
        return least

    @lazy
    def trades(self) -> Array:
        """Whether anything was allocated to the agents at all, bool (batch,)."""
        batch = self.draws[0][1].shape[0]
        some: list[Array] = []
        for _, allocation, _, _ in self.draws:
            # On a side of a mechanism what the others get is allocated, too, but not to its agents.
            got = allocation if self.setting.quantity is None else self.setting.quantity(allocation)
            some.append(np.abs(np.reshape(got * 1, (batch, -1))).sum(axis=-1) > 0)
        x = some[0]
        for more in some[1:]:
            x = x | more
        return x


def play(mechanism: Mechanism, reports: Array, public: Public | None = None) -> Outcome:
    """Run the rules on reports (batch, agents, ...), checking the shape of what they return.

    Float reports are shown read-only. Lotteries over which properties are taken in expectation are
    run draw by draw.
    """
    setting, public = mechanism.setting, dict(public or {})
    lotteries = setting.lotteries
    if not lotteries:
        return Outcome(setting, ((1, *_rules(mechanism, reports, public), public),))
    sources = [setting.public[name] for name in lotteries]
    batch, draws = reports.shape[0], []
    for pick in itertools.product(*(range(len(source.draws)) for source in sources)):  # type: ignore[union-attr]
        weight: Any = 1
        shown = dict(public)
        for name, source, k in zip(lotteries, sources, pick, strict=True):
            weight = weight * source.weights[k]  # type: ignore[union-attr]
            draw = source.draws[k]  # type: ignore[union-attr]
            shown[name] = np.broadcast_to(draw, (batch, *np.shape(draw)))
        if isinstance(reports, np.ndarray):
            weight = float(weight)
        draws.append((weight, *_rules(mechanism, reports, shown), shown))
    return Outcome(setting, tuple(draws))


def _rules(mechanism: Mechanism, reports: Array, public: Public) -> tuple[Array, Array]:
    run = partial(_run, mechanism, reports, public)
    parts = (mechanism, reports, *public, *public.values())
    return run() if isinstance(reports, np.ndarray) else reports.algebra.recall(parts, run)


def _run(mechanism: Mechanism, reports: Array, public: Public) -> tuple[Array, Array]:
    reports = _shield(reports)
    more = {"public": public} if mechanism.setting.public else {}
    before = signals()
    try:
        if mechanism.outcome is not None:
            result = mechanism.outcome(reports, **more)
            if not (isinstance(result, tuple) and len(result) == 2):
                raise RuleError(
                    f"{mechanism.name}: outcome returned {type(result).__name__}, expected a pair "
                    "(allocation, payments)"
                )
            allocation, payments = result
        else:
            allocation = mechanism.allocate(reports, **more)  # type: ignore[misc]
            payments = mechanism.pay(reports, _shield(allocation), **more)  # type: ignore[misc]
    except (MechkitError, MemoryError):
        raise
    except Exception as error:
        if not isinstance(reports, np.ndarray):
            raise
        raise _blame(mechanism, reports, public, error) from error
    batch, setting = reports.shape[0], mechanism.setting
    allocation = _checked(mechanism, allocation, (batch, *setting.allocation_shape), "allocation")
    payments = _checked(mechanism, payments, (batch, setting.agents), "payments")
    if not isinstance(reports, np.ndarray):
        if signals() != before:
            caught = "the rule caught an error of the arithmetic that it was run in, and went on"
            remedy = "with what it does not do on floats; do not catch errors there"
            raise Unsupported(f"{mechanism.name}: {caught} {remedy}")
        # A rule may return a constant: it joins the arithmetic of the reports.
        allocation, payments = (exact(x, algebra=reports.algebra) for x in (allocation, payments))
    return allocation, payments


def _shield(result: Array) -> Array:
    """A float array as a rule may see it: read-only."""
    if isinstance(result, np.ndarray) and result.flags.writeable:
        result = result.view()
        result.flags.writeable = False
    return result


def _checked(mechanism: Mechanism, result: Array, shape: tuple[int, ...], what: str) -> Array:
    if not hasattr(result, "shape") or not hasattr(result, "dtype"):
        result = np.asarray(result)
    if result.shape != shape:
        raise RuleError(
            f"{mechanism.name}: {what} of shape {result.shape}, expected {shape} "
            f"(batch first); {_shape_hint(result.shape, shape)}"
        )
    if result.dtype.kind == "O" and isinstance(result, np.ndarray):
        # A Fraction among a rule's constants makes an object array of what are plain numbers.
        with contextlib.suppress(TypeError, ValueError):
            result = result.astype(float)
    if result.dtype.kind not in "bifu":
        raise RuleError(
            f"{mechanism.name}: {what} of dtype {result.dtype}, expected numbers or "
            "booleans; build them from the reports with NumPy operations"
        )
    return result


def _shape_hint(got: tuple[int, ...], want: tuple[int, ...]) -> str:
    if len(got) == len(want) - 1 and got == want[1:]:
        return "the batch axis is gone: reduce with axis=-1, and keep the first axis"
    if len(got) == len(want) and got[1:] == want[1:]:
        return "the batch has changed size: return one row for each row of reports"
    return "index the last axes, and keep the first axis, which is the batch"


def _blame(
    mechanism: Mechanism, reports: np.ndarray, public: Public, error: Exception
) -> RuleError:
    """Find one profile on which the rule raises, by bisection, and say so."""

    def raises(rows: slice) -> Exception | None:
        part = {k: v[rows] for k, v in public.items()}
        more = {"public": part} if mechanism.setting.public else {}
        try:
            if mechanism.outcome is not None:
                mechanism.outcome(reports[rows], **more)
            else:
                allocation = mechanism.allocate(reports[rows], **more)  # type: ignore[misc]
                mechanism.pay(reports[rows], _shield(allocation), **more)  # type: ignore[misc]
        except Exception as found:
            return found
        return None

    low, high = 0, len(reports)
    while high - low > 1:
        middle = (low + high) // 2
        if found := raises(slice(low, middle)):
            high, error = middle, found
        elif found := raises(slice(middle, high)):
            low, error = middle, found
        else:
            break
    alone = high - low == 1
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    text = f"{type(error).__name__}: {error}"
    if "read-only" in str(error):
        text += (
            " (a rule must not change its reports or its allocation: work on reports.copy(), "
            "allocation.copy())"
        )
    profile = reports[low].tolist() if alone else None
    on = f"the profile of reports {profile}" if alone else f"a batch of {len(reports)} profiles"
    return RuleError(f"{mechanism.name}: the rule raised on {on}{where}: {text}", profile=profile)


def refuse_non_finite(mechanism: Mechanism, reports: np.ndarray, outcome: Outcome) -> None:
    """Raise RuleError, with a profile, if any allocation or payment is NaN or infinite."""
    for _, allocation, payments, _ in outcome.draws:
        for result, what in ((allocation, "allocation"), (payments, "payments")):
            bad = ~np.isfinite(np.asarray(result, dtype=float)).reshape(len(reports), -1)
            bad_rows = bad.any(axis=-1)
            if bad_rows.any():
                row = int(np.argmax(bad_rows))
                raise RuleError(
                    f"{mechanism.name}: {what} {np.asarray(result)[row].tolist()} on the "
                    f"profile of reports {reports[row].tolist()}, expected finite numbers; guard "
                    "the division or the logarithm with np.where",
                    profile=reports[row].tolist(),
                )


def examine(mechanism: Mechanism, reports: np.ndarray, public: Public) -> Outcome:
    """Check that the rules behave on a small float batch; returns its outcome.

    Raises RuleError where a result is not finite, differs when the rule runs again (randomness
    belongs in the setting's public draws), or depends on the other profiles of the batch (a
    reduction without axis=-1, say).
    """
    before = reports.copy()
    outcome = play(mechanism, reports, public)
    refuse_non_finite(mechanism, reports, outcome)
    if not np.array_equal(before, reports):
        raise RuleError(f"{mechanism.name}: the rule changed its reports; work on reports.copy()")
    again = play(mechanism, reports, public)
    if (found := _difference(outcome, again)) is not None:
        draw, row = found
        raise RuleError(
            f"{mechanism.name}: run twice on the profile of reports {reports[row].tolist()}, the "
            f"rule returned {_shown(outcome, row, draw)} and then {_shown(again, row, draw)}; "
            "a rule must be deterministic: draw coins in the setting's public arrays",
            profile=reports[row].tolist(),
        )
    # The first rows are drawn from the prior: at a tie, another batch size may round differently.
    for row in sorted({0, 1, len(reports) // 6}):
        rows = slice(row, row + 1)
        single = play(mechanism, reports[rows], {k: v[rows] for k, v in public.items()})
        part = Outcome(
            outcome.setting, tuple((w, x[rows], p[rows], pub) for w, x, p, pub in outcome.draws)
        )
        if (found := _difference(part, single)) is not None:
            draw, _ = found
            raise RuleError(
                f"{mechanism.name}: on the profile of reports {reports[row].tolist()} alone the "
                f"rule returned {_shown(single, 0, draw)}, in a batch {_shown(part, 0, draw)}; "
                "each row must depend on its own profile only: reduce with axis=-1",
                profile=reports[row].tolist(),
            )
    return outcome


def refuse_contradictions(outcome: Outcome, types: np.ndarray) -> None:
    """Raise InputError where a setting's quantity, joint_value or optimum contradicts its value.

    A 0/1 quantity must make the value θ · quantity (−θ · quantity for sellers), an agent that
    splits must get its value when the second identity gets nothing, and no feasible allocation may
    be worth more than the first best.
    """
    setting = outcome.setting
    first_best.refuse_false_at_draws(setting, types, outcome.draws)
    for _, allocation, _, public in outcome.draws:
        x = np.asarray(allocation) * 1.0
        worth = np.asarray(s.values(setting, types, allocation, public), dtype=float)
        near = partial(np.allclose, rtol=1e-6, atol=1e-9 * setting.types.scale)
        if setting.quantity is not None and setting.binary and setting.types.coordinates == ():
            signs = np.where(setting.sellers, -1, 1)
            require(
                near(worth, types * np.asarray(setting.quantity(allocation)) * signs),
                f"{setting.name}: value is not θ · quantity, and quantity is declared; leave "
                "quantity out, or declare what the value is linear in",
            )
        buyers = np.flatnonzero(~setting.sellers)
        if setting.joint_value is not None and setting.personal and len(buyers):
            ok, i = setting.feasible(x), int(buyers[0])
            alone = np.stack([x[:, i], np.zeros_like(x[:, i])], axis=1)
            joint = np.asarray(setting.joint_value(types[:, i], alone), dtype=float)
            require(
                near(joint[ok], worth[ok, i]),
                f"{setting.name}: joint_value of an identity that holds everything differs from "
                "value; leave joint_value out, or make the two agree",
            )


def _difference(a: Outcome, b: Outcome) -> tuple[int, int] | None:
    """The first draw and row on which two outcomes differ by more than rounding."""
    for draw, ((_, xa, pa, _), (_, xb, pb, _)) in enumerate(zip(a.draws, b.draws, strict=True)):
        for left, right in ((xa, xb), (pa, pb)):
            near = np.isclose(
                np.asarray(left, dtype=float), np.asarray(right, dtype=float), rtol=1e-9, atol=1e-12
            ).reshape(len(left), -1)
            rows = ~near.all(axis=-1)
            if rows.any():
                return draw, int(np.argmax(rows))
    return None


def _shown(outcome: Outcome, row: int, draw: int) -> str:
    _, allocation, payments, _ = outcome.draws[draw]
    x = np.asarray(allocation)[row] * 1
    return f"allocation {np.asarray(x).tolist()}, payments {np.asarray(payments)[row].tolist()}"
