"""One call of `verify`: rounds of search, exact decisions, proofs, verdicts.

A round is a fixed list of self-contained pieces (`search.Piece`) for the families whose properties
are still open, whatever the number of workers. Candidates are decided exactly in the order of the
pieces. With a budget in evaluations the same seed therefore gives the same verdict on one core, on
two, or on a cluster.
"""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mechkit import deviations as d
from mechkit import search
from mechkit.errors import MechkitError, RuleTimeout, require
from mechkit.interim import CASES, DRAWS, estimate, settled
from mechkit.mechanism import Mechanism, examine, refuse_contradictions
from mechkit.priors import level_weights
from mechkit.properties import Property
from mechkit.prove import Attempt, Found, Proved
from mechkit.prove import prove as prove_property
from mechkit.replay import confirm, counterexample, integrated, margins, negative
from mechkit.sampling import Sampler
from mechkit.shrink import shrink
from mechkit.verdict import Certificate, Counterexample, Effort, Status, Verdict, seconds_text
from mechkit.views import Case, View
from mechkit.workers import Threads
from proofs import Interval

DEFAULT_SECONDS = 2.0
PIECES = 2
"""Pieces per family and round: fixed, so that results do not depend on the number of workers."""
SHRINK_SECONDS = 5.0
PLAY, LONGEST_PLAY = 0.04, 0.25
"""The shares of a budget in seconds that one play of a piece may take, about."""

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Budget:
    """How much a call may spend: seconds of wall time, evaluations, or whichever ends first."""

    seconds: float | None
    evaluations: int | None

    @classmethod
    def of(cls, seconds: float | None, evaluations: int | None) -> Budget:
        if seconds is None and evaluations is None:
            seconds = DEFAULT_SECONDS
        given: tuple[tuple[str, Any], ...] = (("seconds", seconds), ("evaluations", evaluations))
        for name, value in given:
            number = isinstance(value, numbers.Real) and not isinstance(value, bool)
            require(
                value is None or (number and math.isfinite(value) and value > 0),
                f"{name} = {value!r}: expected a positive number",
            )
        require(
            evaluations is None or evaluations >= 1,
            f"evaluations = {evaluations!r}: expected a positive number, at least 1",
        )
        return cls(
            None if seconds is None else float(seconds),
            None if evaluations is None else int(evaluations),
        )


class _Hung(Exception):
    """The rule outlasted the budget."""


class Run:
    """What is open, what was found, what is left to spend."""

    def __init__(
        self,
        mechanism: Mechanism,
        properties: list[Property],
        seed: int,
        budget: Budget,
        executor: Any,
        local: Threads,
        coalition: int,
        progress: Progress | None,
    ) -> None:
        self.mechanism, self.seed, self.budget = mechanism, seed, budget
        self.executor, self.local, self.coalition = executor, local, coalition
        self.report = progress or (lambda share, what: None)
        self.started = time.monotonic()
        self.hung = False
        self.row_seconds = 0.0
        setting = mechanism.setting
        self.excused = {p.name: why for p in properties if (why := p.excuse(setting))}
        self.wanted = properties
        # Expectations over a continuous prior are estimated, not searched.
        self.estimated = [
            p
            for p in properties
            if p.name not in self.excused
            and p.checks(setting)[0].family == "interim"
            and level_weights(setting.types, setting.prior) is None
        ]
        self.open: dict[str, Property] = {
            p.name: p for p in properties if p.name not in self.excused and p not in self.estimated
        }
        self.found: dict[str, Counterexample] = {}
        self.totals: dict[str, search.Found] = {}
        self.families: dict[str, list[tuple[str, int]]] = {}
        for p in self.open.values():
            for k, check in enumerate(p.sought(setting)):
                self.families.setdefault(check.family, []).append((p.name, k))
        # Expectations cost most per case: they come last in every round.
        self.families = dict(sorted(self.families.items(), key=lambda item: item[0] == "interim"))
        self.notes: dict[str, set[str]] = {}
        self.estimates: dict[str, Verdict] = {}
        self.prove_seconds: float | None = None
        self.certificates: dict[str, Certificate] = {}
        self.unproved: dict[str, str] = {}

    # Time ----------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        return None if self.budget.seconds is None else self.started + self.budget.seconds

    def late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def left(self) -> float | None:
        """Seconds until even a slow rule must have returned: the budget, and a grace period."""
        if self.deadline is None:
            return None
        grace = 0.5 + 0.25 * (self.budget.seconds or 0.0)
        return max(0.05, self.deadline + grace - time.monotonic())

    def wait(self, future: Future[Any], more: float = 0.0) -> Any:
        """The result of a future, or _Hung once the grace period (and some more) is over."""
        left = self.left()
        try:
            return future.result(timeout=None if left is None else left + more)
        except FutureTimeout:
            if future.done():
                return future.result()  # the rule itself raised a time-out
            self.hung = True
            raise _Hung from None

    def guarded(self, call: Callable[..., Any], *args: Any, more: float = 0.0) -> Any:
        """Run something that runs the rule, in a thread that can be given up."""
        return self.wait(self.local.submit(_quietly, call, *args), more)

    # Rounds --------------------------------------------------------------------------------------

    def verdicts(self) -> list[Verdict]:
        try:
            self.guarded(self.examine)
            self.guarded(self.try_larger)
            for p in self.estimated:
                self.estimates[p.name], case = self.guarded(
                    estimate, self.mechanism, p, self.seed, self.draws()
                )
                if case is not None:
                    case = self.guarded(integrated, self.mechanism, p, 0, case, more=SHRINK_SECONDS)
                    if case is not None:
                        self.refute(p, 0, case, "exact", "")
            self.rounds()
            self.prove()
        except (_Hung, RuleTimeout):
            self.hung = True
        seconds = time.monotonic() - self.started
        return [self.verdict(p, seconds) for p in self.wanted]

    def examine(self) -> None:
        rng = np.random.default_rng([self.seed, 7])
        sampler = Sampler(self.mechanism)
        for rows in (8, 48):
            types = sampler.profiles(rng, rows)
            began = time.monotonic()
            slots = d.FAMILIES["deviation"].slots(self.mechanism, (0,))
            shared = sampler.publics(slots, rng, rows)
            base = View(self.mechanism, Case("profile", (), {"types": types, **shared}))
            outcome = examine(self.mechanism, np.array(base.sincere), base.public)
            # `examine` plays the batch twice and three single rows.
            self.row_seconds = (time.monotonic() - began) / (2 * rows + 3)
            refuse_contradictions(outcome, types)

    def try_larger(self) -> None:
        """Leave out what asks for one more agent where the rules serve their own number only."""
        for family in [f for f in self.families if f in ("split", "newcomer")]:
            kind, roles = d.FAMILIES[family], self.mechanism.setting.roles
            # One of each role: which of them splits does not change how many take part.
            firsts = {roles[who[0]]: who for who in kind.targets(self.mechanism.setting)}
            try:
                for who in firsts.values():
                    rng = np.random.default_rng([self.seed, 13])
                    sampler = Sampler(self.mechanism)
                    types = sampler.profiles(rng, 8)
                    shared = sampler.publics(kind.slots(self.mechanism, who), rng, 8)
                    case = sampler.complete(kind, who, types, types, shared, rng, 0)
                    _ = d.view(self.mechanism, case).after.payments
            except RuleTimeout:
                raise
            except MechkitError as error:
                for name, _ in self.families.pop(family):
                    if family == "newcomer":
                        self.notes.setdefault(name, set()).add(
                            "adding a bidder was not tried: the rules serve their own number of "
                            "agents only"
                        )
                        continue
                    del self.open[name]
                    self.excused[name] = (
                        f"the rules do not serve one more agent ({error}); give Mechanism rebuild="
                    )

    def draws(self) -> int:
        """Draws per estimated expectation: a tenth of the budget at most."""
        most = DRAWS
        if self.budget.evaluations is not None:
            most = min(most, self.budget.evaluations // (10 * CASES))
        elif self.budget.seconds is not None:
            most = min(most, int(0.1 * self.budget.seconds / (CASES * self.row_seconds)))
        return max(most, 64)

    def rows(self, family: str, index: int) -> int:
        """Profiles in a piece: under a budget in seconds, few for a slow rule, so that it holds.

        Where evaluations are given, too, only a rule so slow that one play would overrun has fewer:
        otherwise the clock is to have no part in what is found.
        """
        rows = search.rows_for(self.mechanism, index) * (1 if d.FAMILIES[family].plays else 4)
        if self.budget.seconds is not None:
            share = PLAY if self.budget.evaluations is None else LONGEST_PLAY
            rows = min(rows, int(share * self.budget.seconds / self.row_seconds))
        if any(name == "envy_free" for name, _ in self.families[family]):
            # Everybody is compared with everybody.
            rows = min(rows, (1 << 22) // self.mechanism.setting.agents**2)
        return max(rows, 4)

    def rounds(self) -> None:
        spent, index = 0, 0
        while self.families:
            pieces = [
                search.Piece(
                    mechanism=self.mechanism,
                    family=family,
                    checks=tuple(checks),
                    seed=self.seed,
                    index=PIECES * index + k,
                    rows=self.rows(family, index),
                    coalition=self.coalition,
                    deadline=self.deadline,
                )
                for family, checks in self.families.items()
                for k in range(PIECES)
            ]
            if self.budget.evaluations is not None:
                left = self.budget.evaluations - spent
                pieces = _within(pieces, left, always=index == 0)
                if not pieces:
                    return
            spent += sum(sum(search.planned(p)) for p in pieces)
            futures = [self.executor.submit(search.run, piece) for piece in pieces]
            hung = False
            for piece, future in zip(pieces, futures, strict=True):
                try:
                    result = self.wait(future)
                except _Hung:
                    hung = True  # what other pieces found is kept
                    continue
                self.take(piece, result)
            if hung:
                raise _Hung
            self.families = {
                family: open_checks
                for family, checks in self.families.items()
                if (open_checks := [(n, k) for n, k in checks if n in self.open])
            }
            index += 1
            self.show(spent)
            if self.late():
                return

    def prove(self) -> None:
        """Try to prove what is still open; a case that a prover finds is decided like any other."""
        if self.prove_seconds is None:
            return
        left = [p for p in self.estimated if p.name not in self.found]
        todo = [*self.open.values(), *(p for p in left if self.estimates[p.name].effort.trades)]
        for k, prop in enumerate(todo):
            self.report(k / len(todo), f"proving {prop.name}")
            pending = self.local.submit(_quietly, self.attempt, prop, self.prove_seconds)
            try:
                attempt = pending.result(timeout=4 * self.prove_seconds + 60)
            except FutureTimeout:
                self.hung = True
                self.unproved[prop.name] = "the provers did not come back in time"
                return
            if isinstance(attempt, Proved):
                self.certificates[prop.name] = Certificate(
                    attempt.method, attempt.domain, attempt.tool, attempt.argument
                )
            elif isinstance(attempt, Found):
                margin = margins(self.mechanism, prop, attempt.check, attempt.case)[0]
                if not negative(margin):
                    raise MechkitError(
                        f"{self.mechanism.name}: a prover refutes {prop.name} where exact replay "
                        f"does not (margin {margin}); this is a fault in mechkit, please report it"
                    )
                arithmetic = "interval" if isinstance(margin, Interval) else "exact"
                self.refute(prop, attempt.check, attempt.case, arithmetic, "")
            else:
                self.unproved[prop.name] = attempt.reason

    def attempt(self, prop: Property, seconds: float) -> Attempt:
        return prove_property(self.mechanism, prop, seconds=seconds, coalition=self.coalition)

    def show(self, spent: int) -> None:
        shares = []
        if self.budget.evaluations is not None:
            shares.append(spent / self.budget.evaluations)
        if self.budget.seconds is not None:
            shares.append((time.monotonic() - self.started) / self.budget.seconds)
        self.report(min(1.0, max(shares)), f"{len(self.found)} refuted")

    def take(self, piece: search.Piece, result: search.Found) -> None:
        """Count a piece's effort and decide its candidates exactly."""
        for (name, check), tally in result.tallies.items():
            if name not in self.open:
                continue
            total = self.totals.setdefault(name, search.Found({}))
            total.profiles += result.profiles
            total.trades += result.trades
            total.evaluations += result.evaluations
            sum_of = total.tallies.setdefault(("all", 0), search.Tally())
            sum_of.cases += tally.cases
            sum_of.exercised += tally.exercised
            prop, best = self.open[name], None
            for _, case in tally.candidates:
                decided = self.guarded(
                    confirm, self.mechanism, prop, check, case, more=SHRINK_SECONDS
                )
                exact = decided is not None and decided[1] != "float64"
                best = decided if exact else best or decided
                if exact or (best is not None and self.late()):
                    break  # a slow rule has no time for a better one
            if best is not None:
                self.refute(prop, check, *best)
                continue
            sum_of.smallest = min(sum_of.smallest, 0.0 if tally.candidates else tally.smallest)
            if tally.candidates:
                self.notes.setdefault(name, set()).add(
                    "float violations that vanish in exact arithmetic or at a tie were dropped"
                )

    def refute(self, prop: Property, check: int, case: Case, arithmetic: str, note: str) -> None:
        """Record a confirmed witness, and then a smaller one: a slow rule must not lose it."""
        subject = (self.mechanism, prop, check)
        self.found[prop.name] = self.guarded(
            counterexample, *subject, case, arithmetic, note, more=SHRINK_SECONDS
        )
        self.open.pop(prop.name, None)
        small = self.guarded(
            shrink, *subject, case, arithmetic, self.limit(), more=2 * SHRINK_SECONDS
        )
        self.found[prop.name] = self.guarded(
            counterexample, *subject, small, arithmetic, note, more=SHRINK_SECONDS
        )

    def limit(self) -> float:
        """Until when a witness may be shrunk: a few seconds, less where the budget is short."""
        now = time.monotonic()
        if self.budget.evaluations is not None:
            # Long enough that the clock does not decide which witness is the smallest, unless the
            # budget in seconds is over.
            left = math.inf if self.deadline is None else self.deadline - now
            return now + min(4 * SHRINK_SECONDS, max(0.3, left))
        assert self.deadline is not None
        share = (self.deadline - now) / max(1, len(self.open))
        return now + min(SHRINK_SECONDS, max(0.3, share))

    # Verdicts ------------------------------------------------------------------------------------

    def verdict(self, prop: Property, seconds: float) -> Verdict:
        if (why := self.excused.get(prop.name)) is not None:
            return Verdict(prop.name, Status.NOT_APPLICABLE, reason=why)
        if prop.name in self.estimates:
            found, certificate = self.found.get(prop.name), self.certificates.get(prop.name)
            why = self.unproved.get(prop.name)
            return settled(self.estimates[prop.name], found, certificate, why)
        total = self.totals.get(prop.name)
        effort = self.effort(prop, total, seconds)
        if (witness := self.found.get(prop.name)) is not None:
            why = prop.checks(self.mechanism.setting)[witness.check].refuses
            if why is not None:
                where = [str(x) for x in np.ravel(witness.types)]
                reason = f"{why}, at the types {', '.join(where)}"
                return Verdict(prop.name, Status.NOT_APPLICABLE, reason=reason)
            return Verdict(prop.name, Status.REFUTED, counterexample=witness, effort=effort)
        if self.hung and prop.name not in self.certificates:
            allowed = self.budget.seconds
            given = "" if allowed is None else f" of {seconds_text(allowed)}"
            return Verdict(
                prop.name,
                Status.UNKNOWN,
                effort=effort,
                reason=f"the rule did not return within the budget{given}; "
                "look for an endless loop, or give more seconds to a slow rule",
            )
        if total is None or not total.tallies or not total.tallies["all", 0].cases:
            return Verdict(
                prop.name,
                Status.UNKNOWN,
                effort=effort,
                reason="the budget ended before anything was tried; give more",
            )
        tally = total.tallies["all", 0]
        if not tally.exercised:
            return Verdict(
                prop.name,
                Status.UNKNOWN,
                effort=effort,
                reason=f"vacuous: nothing was allocated in any of {total.profiles} profiles"
                if not total.trades
                else f"vacuous: nothing was at stake in any of {tally.cases} cases",
            )
        if (certificate := self.certificates.get(prop.name)) is not None:
            return Verdict(prop.name, Status.PROVED, certificate=certificate, effort=effort)
        why = self.unproved.get(prop.name)
        reason = "" if why is None else f"not proved: {why}"
        return Verdict(prop.name, Status.UNREFUTED, effort=effort, reason=reason)

    def effort(self, prop: Property, total: search.Found | None, seconds: float) -> Effort:
        if total is None or not total.tallies:
            return Effort(seconds=seconds)
        tally = total.tallies["all", 0]
        notes = set(self.notes.get(prop.name, ()))
        if any(check.family == "coalition" for check in prop.checks(self.mechanism.setting)):
            size = min(self.coalition, self.mechanism.setting.agents)
            notes.add(f"coalitions of up to {size}")
        if lotteries := self.mechanism.setting.lotteries:
            notes.add(f"in expectation over {', '.join(lotteries)}")
        if prop.name in self.unproved:
            notes.add(f"not proved: {self.unproved[prop.name]}")
        every = [
            name for name, source in self.mechanism.setting.public.items() if name not in lotteries
        ]
        if every:
            notes.add(f"for every draw of {', '.join(every)}")
        return Effort(
            profiles=total.profiles,
            deviations=tally.cases,
            evaluations=total.evaluations,
            trades=total.trades,
            smallest=None if not np.isfinite(tally.smallest) else tally.smallest,
            seconds=seconds,
            notes=tuple(sorted(notes)),
        )


def _within(pieces: list[search.Piece], left: int, *, always: bool) -> list[search.Piece]:
    """The pieces cut to a budget of evaluations: fewer rows each; something in the first round."""
    costs = [search.planned(p) for p in pieces]
    grows, fixed = sum(a for a, _ in costs), sum(b for _, b in costs)
    if grows + fixed <= left:
        return pieces
    share = max(0.0, (left - fixed) / grows)
    cut = [replace(p, rows=int(p.rows * share)) for p in pieces]
    if always:
        return [replace(p, rows=max(p.rows, 4)) for p in cut]
    return [p for p in cut if p.rows >= 4]


def _quietly(call: Callable[..., Any], *args: Any) -> Any:
    """Rules may divide by zero where they then discard the result; NaN is looked for by name."""
    with np.errstate(all="ignore"):
        return call(*args)
