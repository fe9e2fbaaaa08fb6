"""Theorem 2: a bid-monotonic auction is IR and IC if and only if its charges are critical.

Let the others' bids be fixed. A rule for one buyer is the set W of bids with which it wins and what
it is charged, P(b), when it wins with b; losers pay nothing. Definition 5 calls P critical if for
all b ∈ W: every g > P(b) wins and every g < P(b) loses.

- Critical → IC and IR, if bids are reals. Let v be the value. If v wins and h ∈ W has P(h) < P(v),
  x = (P(v) + P(h)) / 2 would win (x > P(h)) and lose (x < P(v)). If v loses and h wins with
  P(h) < v, v would win. If v wins with P(v) > v, v would lose.
- IC and IR → critical, whatever bids there are. Let b ∈ W. If h > P(b) loses, value h gains by
  bidding b. If h < P(b) wins, IC between b and h asks P(h) = P(b) > h, against IR.

Each step uses finitely many bids, so its denial is a formula without quantifiers, which an SMT
solver finds unsatisfiable. Where bids are ticks there may be no x: two charges between the same
two ticks are both critical, and a winner can choose the lower one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mechkit.papers.claim import Effort, Finding
from mechkit.verdict import Status


def refuted(claim: str, status: Status) -> None:
    """ValueError unless the status is that of a refutation."""
    if status is not Status.REFUTED:
        raise ValueError(f"{claim} was {status.value}: only a refutation can be replayed")


# Theorem 2, bids are reals ------------------------------------------------------------------------


@dataclass(frozen=True)
class Agent:
    """An unknown rule for one agent, in z3's terms. sign: 1 for a buyer; −1 for a seller, who is a
    buyer with values, bids and charges of the opposite sign."""

    wins: Any
    charge: Any
    sign: int

    def utility(self, value: Any, bid: Any) -> Any:
        import z3

        return z3.If(self.wins(bid), self.sign * (value - self.charge(bid)), 0)

    def critical(self, at: Any, bids: Sequence[Any]) -> Any:
        """Definition 5 for the charge at one bid, asked of some others."""
        import z3

        asked = []
        for g in bids:
            above, wins = self.sign * (g - self.charge(at)), self.wins(g)
            asked += [z3.Implies(above > 0, wins), z3.Implies(above < 0, z3.Not(wins))]
        return z3.Implies(self.wins(at), z3.And(*asked))


def denials(*, between: bool = True) -> list[tuple[str, bool]]:
    """Each step of the proof, and whether its denial is unsatisfiable; buyers, then sellers.

    between: there is a bid between any two charges.
    """
    import z3

    v, h, b = z3.Reals("v h b")
    real, truth = z3.RealSort(), z3.BoolSort()
    found = []
    for side, sign in (("buyer", 1), ("seller", -1)):
        wins, charge = z3.Function(f"W_{side}", real, truth), z3.Function(f"P_{side}", real, real)
        agent = Agent(wins, charge, sign)
        bids = [v, h, *([(charge(v) + charge(h)) / 2] if between else [])]
        given = z3.And(agent.critical(v, bids), agent.critical(h, bids))
        honest, u = agent.utility(v, v), agent.utility
        ic = [u(x, x) >= u(x, y) for x, y in ((b, h), (h, b))]
        ir = [u(x, x) >= 0 for x in (b, h)]
        for says, denied in (
            ("critical charges make the truth best", [given, honest < u(v, h)]),
            ("critical charges leave nobody at a loss", [given, honest < 0]),
            ("IC and IR make charges critical", [*ic, *ir, z3.Not(agent.critical(b, [h]))]),
        ):
            solver = z3.Solver()
            solver.add(*denied)
            found.append((f"{side}: {says}", solver.check() == z3.unsat))
    return found


def decide_theorem2(effort: Effort) -> Finding:
    import z3

    steps = denials()
    failed = [says for says, holds in steps if not holds]
    if failed:
        return Finding(Status.UNKNOWN, "smt", f"z3 does not decide: {'; '.join(failed)}")
    version = ".".join(str(part) for part in z3.get_version()[:3])
    return Finding(
        Status.PROVED,
        f"smt, z3 {version}",
        "bids any reals, one agent of either side with the others' bids fixed, no lotteries, "
        f"losers pay nothing: {len(steps)} denials, each unsatisfiable",
        numbers={"steps": [says for says, _ in steps]},
        told="; ".join(says for says, _ in steps),
    )


def replay_theorem2(status: Status, numbers: Mapping[str, Any]) -> str:
    """Decides every step again."""
    if status is not Status.PROVED:
        raise ValueError(f"theorem2 was {status.value}: only a proof can be replayed")
    steps = denials()
    failed = [says for says, holds in steps if not holds]
    if failed or list(numbers.get("steps", ())) != [says for says, _ in steps]:
        raise ValueError(f"theorem2: not decided again: {failed or 'other steps than stated'}")
    return f"{len(steps)} denials are unsatisfiable again"


# Theorem 2, bids are ticks ------------------------------------------------------------------------

Rule = Sequence[Fraction | None]
"""What a buyer is charged who wins with each bid, lowest bid first; None where it loses."""


def is_monotone(rule: Rule) -> bool:
    won = [charge is not None for charge in rule]
    return won == sorted(won)


def is_critical(bids: Sequence[Fraction], rule: Rule) -> bool:
    """Definition 5, at every winning bid."""
    return all(
        (g <= charge or other is not None) and (g >= charge or other is None)
        for charge in rule
        if charge is not None
        for g, other in zip(bids, rule, strict=True)
    )


def best_lie(bids: Sequence[Fraction], rule: Rule) -> tuple[Fraction, Fraction, Fraction]:
    """(gain, value, bid): the largest gain over the truth, values being ticks too."""

    def utility(value: Fraction, k: int) -> Fraction:
        charge = rule[k]
        return Fraction(0) if charge is None else value - charge

    ways = itertools.product(range(len(bids)), repeat=2)
    return max((utility(bids[i], k) - utility(bids[i], i), bids[i], bids[k]) for i, k in ways)


def decide_theorem2_ticks(effort: Effort) -> Finding:
    """Every rule on few ticks with charges on half ticks, the fewest ticks first."""
    tried = 0
    for count in (1, 2, 3):
        bids = [Fraction(k) for k in range(1, count + 1)]
        charges = [None, *(Fraction(k, 2) for k in range(1, 2 * count + 1))]
        for rule in itertools.product(charges, repeat=count):
            if not (is_monotone(rule) and is_critical(bids, rule)):
                continue
            tried += 1
            gain, value, bid = best_lie(bids, rule)
            if gain > 0:
                numbers = {
                    "bids": [str(x) for x in bids],
                    "charges": [None if x is None else str(x) for x in rule],
                    "value": str(value),
                    "bid": str(bid),
                    "gain": str(gain),
                }
                return Finding(
                    Status.REFUTED,
                    "enumeration",
                    f"rule {tried} of those that are monotone and critical is not truthful",
                    exercised=tried,
                    numbers=numbers,
                    told=replay_theorem2_ticks(Status.REFUTED, numbers),
                )
    return Finding(
        Status.UNREFUTED, "enumeration", f"{tried} rules on up to 3 ticks: all are truthful", tried
    )


def replay_theorem2_ticks(status: Status, numbers: Mapping[str, Any]) -> str:
    """Checks monotone, critical and the gain in rationals."""
    refuted("theorem2/ticks", status)
    try:
        bids = [Fraction(x) for x in numbers["bids"]]
        rule = [None if x is None else Fraction(x) for x in numbers["charges"]]
        value, bid, stated = (Fraction(numbers[name]) for name in ("value", "bid", "gain"))
        truth, lie = rule[bids.index(value)], rule[bids.index(bid)]
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError) as error:
        raise ValueError(f"theorem2/ticks: malformed numbers ({error!r})") from None
    if len(rule) != len(bids) or bids != sorted(set(bids)):
        raise ValueError("theorem2/ticks: expected rising bids and a charge or None for each")
    if not is_monotone(rule) or not is_critical(bids, rule):
        raise ValueError("theorem2/ticks: that rule is not monotone with critical charges")
    gain = (0 if lie is None else value - lie) - (0 if truth is None else value - truth)
    if gain != stated or gain <= 0:
        raise ValueError(f"theorem2/ticks: bidding {bid} gains {gain}, not a positive {stated}")
    table = ", ".join(
        f"{b} {'loses' if charge is None else f'wins and is charged {charge}'}"
        for b, charge in zip(bids, rule, strict=True)
    )
    return (
        f"Bids: {table}. More than each charge wins and less loses; yet a buyer worth {value} "
        f"gains {gain} by bidding {bid}."
    )
