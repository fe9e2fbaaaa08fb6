"""The optimal strategy to commit to in a finite two-player game.

The leader announces a mixture x over its m actions (or one action), the follower observes it and
picks a best reply among its n actions. Entry (i, k) of a table is what its owner gets where the
leader plays i and the follower k. See `regions` for the linear programs and their bounds.

Where the follower is indifferent at the leader's optimum, it matters how ties are broken. Both
answers are given: the value with ties for the leader (strong Stackelberg equilibrium, attained),
and the supremum with ties against it, with whether any strategy attains it. They differ only where
columns of the follower are equal, or a best-reply region has no interior. A follower that has
several types, each with a probability, is one follower of the game that `harsanyi` writes down.

Sources: von Stackelberg (1934); Conitzer & Sandholm, "Computing the optimal strategy to commit to"
(2006); von Stengel & Zamir, "Leadership games with convex strategy sets" (2010); Harsanyi, "Games
with incomplete information played by Bayesian players" (1967); Paruchuri et al., "Playing games for
security: an efficient exact algorithm for solving Bayesian Stackelberg games" (2008).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from solvers.arrays import is_exact, numbers
from solvers.certificate import Checked, check, verdict
from solvers.optimum import Optimum, Status
from solvers.regions import Game, Regions, Simplex, optimistic, pessimistic
from solvers.vertices import Unfinished

__all__ = ["Commitment", "Pure", "answer", "commitment", "harsanyi", "read_types"]

# Replies of all types together, each with linear programs of its own.
MOST_REPLIES = 512


@dataclass(frozen=True, eq=False, kw_only=True)
class Commitment(Optimum):
    """A commitment and what it is worth to the leader.

    allocation: the strategy, (m,) probabilities of the leader's actions (in a security game (n,)
    probabilities that a target is covered). Where the follower is indifferent at it, which rounding
    to floats may upset, the certificate holds the strategy in rationals. reply: the follower's.
    attained: the strategy is worth the value; if not, strategies are worth as much as one likes
    but for less than any ε, see `near`.
    pessimistic: the same with ties broken against the leader; None in that record itself.
    """

    reply: int | None = None
    attained: bool = True
    pessimistic: Commitment | None = None

    def near(self, epsilon: Any) -> np.ndarray:
        """A strategy that is worth at least value − ε, however ties are broken where this record
        has them broken against the leader. Fractions, of the shape of `allocation`.

        epsilon: > 0, in units of the leader's payoffs. Raises ValueError for another, or where
        there is no strategy at all.
        """
        epsilon = Fraction(epsilon)
        if epsilon <= 0:
            raise ValueError(f"epsilon = {epsilon}: expected a number above 0")
        if self.certificate is None:
            raise ValueError("nothing was found, see the notes: there is no strategy to be near to")
        point = self.certificate.x
        z = getattr(self.certificate, "interior", None)
        if z is not None:
            game, same = self.certificate.game, self.certificate.game.equals(self.reply)
            at, inside = (min((y @ game.leader)[same]) for y in (point, z))
            share = min(Fraction(1), epsilon / (at - inside)) if at > inside else Fraction(1)
            point = (1 - share) * point + share * z
        # In a security game a constant stands before the coverage.
        return np.asarray(point[-len(self.allocation) :], dtype=object)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pure:
    """Payoffs (m, n), Fractions; x (m,): the leader's action, as probabilities of 0 and 1."""

    leader: np.ndarray
    follower: np.ndarray
    x: np.ndarray
    against: bool


def _worths(leader: np.ndarray, follower: np.ndarray, against: bool) -> list[tuple[Any, int]]:
    """For each action of the leader what it is worth, and the reply."""
    found = []
    for mine, theirs in zip(leader, follower, strict=True):
        replies = np.flatnonzero(theirs == theirs.max()).tolist()
        worth = mine[replies]
        k = replies[int(worth.argmin() if against else worth.argmax())]
        found.append((mine[k], k))
    return found


@check.register
def _(certificate: Pure, *, tolerance: float = 1e-9) -> Checked:
    worths = [v for v, _ in _worths(certificate.leader, certificate.follower, certificate.against)]
    x = certificate.x
    pure = len(x) == len(worths) and sorted(x.tolist()) == [0] * (len(worths) - 1) + [1]
    value = worths[int(np.argmax(x))] if pure else None
    faults = [(pure, "x is no single action")]
    return verdict(value, max(worths), faults, exact=True, tolerance=tolerance)


def commitment(
    leader: Any, follower: Any, *, pure: bool = False, seconds: float = 60.0
) -> Commitment:
    """The leader's best commitment, with ties for it; `.pessimistic` has them against it.

    leader, follower: (m, n), what each gets where the leader plays the row and the follower the
    column. Objects (ints and Fractions) give answers in Fractions; floats count as the rationals
    that they are, and are answered in floats. pure: only single actions may be committed to.
    seconds: for both answers; where it is over first, the status is UNSOLVED.

    Raises ValueError for tables of different shapes, without entries, or with NaN or infinities.
    """
    started = time.monotonic()
    mine, theirs, exact = _tables(leader, follower)
    if not pure:
        game = Game(leader=mine, follower=theirs, space=Simplex(len(mine)))
        return answer(game, exact=exact, seconds=seconds)
    records = []
    for against in (True, False):
        worths = _worths(mine, theirs, against)
        i = int(np.argmax([v for v, _ in worths]))
        x = np.array([Fraction(k == i) for k in range(len(mine))], dtype=object)
        proof = Pure(leader=mine, follower=theirs, x=x, against=against)
        records.append(
            _record(
                proof, worths[i][1], exact=exact, method="every action of the leader",
                seconds=time.monotonic() - started,
            )
        )  # fmt: skip
    return _both(records[1], records[0])


def answer(game: Game, *, exact: bool, seconds: float) -> Commitment:
    """Both answers of a game; floats where not exact."""
    started = time.monotonic()
    records = []
    for solver in (optimistic, pessimistic):
        began = time.monotonic()
        try:
            proof = solver(game, seconds=seconds - (began - started))
        except Unfinished as error:
            records.append(
                Commitment(
                    value=None, bound=np.inf, status=Status.UNSOLVED, attained=False,
                    method=METHOD, seconds=time.monotonic() - began, notes=(str(error),),
                )
            )  # fmt: skip
            continue
        took = time.monotonic() - began
        records.append(_record(proof, proof.reply, exact=exact, method=METHOD, seconds=took))
    return _both(*records)


METHOD = "one linear program for each reply, HiGHS, and its basis in rationals"


def _record(
    proof: Regions | Pure, reply: int, *, exact: bool, method: str, seconds: float
) -> Commitment:
    """A record whose value and bound are what `check` finds."""
    found = check(proof)
    attained = getattr(proof, "interior", None) is None
    notes = () if attained else ("no strategy is worth the value, only as much as one likes below",)
    return Commitment(
        value=found.value if exact else float(found.value),
        bound=found.bound if exact else float(found.bound),
        status=Status.OPTIMAL if found.holds else Status.FEASIBLE,
        allocation=proof.x if exact else proof.x.astype(float),
        certificate=proof,
        method=method,
        seconds=seconds,
        notes=(*notes, found.reason) if found.reason else notes,
        reply=reply,
        attained=attained,
    )


def _both(strong: Commitment, weak: Commitment) -> Commitment:
    notes = strong.notes
    if None not in (strong.value, weak.value) and strong.value != weak.value:
        notes = (
            *notes,
            f"ties for the leader: {strong.value}; against it {weak.value}, see pessimistic",
        )
    return replace(strong, pessimistic=weak, notes=notes)


def harsanyi(
    leader: Sequence[Any], followers: Sequence[Any], probabilities: Any
) -> tuple[np.ndarray, np.ndarray]:
    """One follower that stands for its types, whose actions say what each type plays.

    leader: per type (m, n_t), what the leader gets against it; followers: per type (m, n_t);
    probabilities (types,). Returns both tables (m, Π n_t) for `commitment`, expected payoffs; the
    columns are ordered as `itertools.product` orders the types' actions. Types of probability 0
    are left out, so they add no column. The tables hold Fractions: rounding would upset ties.

    Raises ValueError for what is no probability, tables that do not fit, and more than 512 columns.
    """
    types = read_types(leader, followers, probabilities)
    met = [(mine, theirs, p) for mine, theirs, p in types if p]
    columns = int(np.prod([float(mine.shape[1]) for mine, *_ in met]))
    if columns > MOST_REPLIES:
        raise ValueError(
            f"the types together have {columns} replies: expected at most {MOST_REPLIES}; solve "
            "solvers.commitment_model.commitment_model, which grows with their sum, instead"
        )
    plans = list(product(*(range(mine.shape[1]) for mine, *_ in met)))
    both = []
    for side in (0, 1):
        table = np.full((len(met[0][0]), len(plans)), Fraction(0), dtype=object)
        for t, (mine, theirs, p) in enumerate(met):
            table += (theirs if side else mine)[:, [plan[t] for plan in plans]] * p
        both.append(table)
    return both[0], both[1]


def read_types(
    leader: Sequence[Any], followers: Sequence[Any], probabilities: Any
) -> list[tuple[np.ndarray, np.ndarray, Fraction]]:
    """Per type both tables and the probability, Fractions. Raises ValueError as `harsanyi` does."""
    chances = numbers(probabilities, 1, "probabilities")
    if chances.ndim != 1 or not len(chances):
        raise ValueError(
            f"probabilities of shape {chances.shape}: expected (types,), with at least one type"
        )
    if not len(leader) == len(followers) == len(chances):
        raise ValueError(
            f"{len(leader)} tables of the leader, {len(followers)} of the follower and "
            f"{len(chances)} probabilities: expected one of each per type"
        )
    if (chances < 0).any():
        raise ValueError(f"probabilities hold {chances[chances < 0][0]}: expected numbers ≥ 0")
    total = chances.sum()
    if total != 1 and (is_exact(chances) or abs(total - 1) > 1e-9):
        raise ValueError(f"probabilities sum to {total}: expected 1; divide by the sum")
    types = []
    for t, (mine, theirs, p) in enumerate(zip(leader, followers, chances, strict=True)):
        types.append((*_tables(mine, theirs, f" of type {t}")[:2], Fraction(p)))
    if len({len(mine) for mine, *_ in types}) > 1:
        raise ValueError(
            f"the types see {[len(mine) for mine, *_ in types]} actions of the leader: expected "
            "the same rows for every type"
        )
    return types


def _tables(leader: Any, follower: Any, of: str = "") -> tuple[np.ndarray, np.ndarray, bool]:
    """Both in Fractions, and whether they came so."""
    raw = numbers(leader, 2, f"leader{of}"), numbers(follower, 2, f"follower{of}")
    if raw[0].shape != raw[1].shape or raw[0].ndim != 2 or not raw[0].size:
        raise ValueError(
            f"leader{of} has shape {raw[0].shape} and follower{of} {raw[1].shape}: expected both "
            "(m, n), a row for each action of the leader, a column for each of the follower, "
            "at least one of each"
        )
    fractions = np.frompyfunc(Fraction, 1, 1)
    tables = [np.asarray(fractions(table), dtype=object) for table in raw]
    return tables[0], tables[1], is_exact(*raw)
