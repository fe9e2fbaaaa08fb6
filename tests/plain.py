"""The definitions of the properties once more, as loops in plain Python over Fractions.

They run on small worlds that are declared twice, as a rule over tuples and as a mechanism, many of
them random tables: what the oracle finds on the one must be the worst of the loops on the other.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit.mechanism import Mechanism
from mechkit.settings import Lottery, Setting
from mechkit.spaces import box

Kind = tuple[int, ...]
Profile = tuple[Kind, ...]
Played = tuple[tuple[tuple[Any, ...], ...], tuple[Fraction, ...]]
Rule = Callable[[Profile], Played]


@dataclass(frozen=True)
class Plain:
    """roles: buyers before sellers. kinds: what anybody may be and say. outcome(profile): a row of
    the allocation and a payment for each agent. weights: the prior over kinds."""

    roles: tuple[str, ...]
    kinds: tuple[Kind, ...]
    outcome: Rule
    weights: tuple[Fraction, ...] = ()

    @property
    def agents(self) -> range:
        return range(len(self.roles))

    @property
    def key(self) -> str:
        return "pair" if len(self.kinds[0]) > 1 else "trade" if "seller" in self.roles else ""

    def sign(self, i: int) -> int:
        return -1 if self.roles[i] == "seller" else 1

    def value(self, i: int, kind: Kind, row: tuple[int, ...]) -> int:
        return self.sign(i) * sum(k * x for k, x in zip(kind, row, strict=True))

    def u(self, i: int, kind: Kind, reports: Profile) -> Fraction:
        x, p = self.outcome(reports)
        return self.value(i, kind, x[i]) - p[i]

    def profiles(self) -> Iterator[Profile]:
        return itertools.product(self.kinds, repeat=len(self.roles))


def put(reports: Profile, **kinds: Kind) -> Profile:
    changed = {int(k[1:]): kind for k, kind in kinds.items()}
    return tuple(changed.get(i, kind) for i, kind in enumerate(reports))


def feasible(m: Plain) -> Iterator[Any]:
    for r in m.profiles():
        x, _ = m.outcome(r)
        yield from (-q for row in x for q in row)
        yield from (sum(column) - 1 for column in zip(*x, strict=True))


def ir(m: Plain) -> Iterator[Any]:
    return (-m.u(i, r[i], r) for r in m.profiles() for i in m.agents)


def ic(m: Plain) -> Iterator[Any]:
    for r, i in itertools.product(m.profiles(), m.agents):
        for lie in m.kinds:
            yield m.u(i, r[i], put(r, **{f"_{i}": lie})) - m.u(i, r[i], r)


def expected(m: Plain, i: int, kind: Kind, report: Kind) -> Fraction:
    total = Fraction(0)
    for r in m.profiles():
        if r[i] == kind:
            chance = Fraction(1)
            for j in m.agents:
                chance *= 1 if j == i else m.weights[m.kinds.index(r[j])]
            total += chance * m.u(i, kind, put(r, **{f"_{i}": report}))
    return total


def bic(m: Plain) -> Iterator[Any]:
    for i, kind, lie in itertools.product(m.agents, m.kinds, m.kinds):
        yield expected(m, i, kind, lie) - expected(m, i, kind, kind)


def interim_ir(m: Plain) -> Iterator[Any]:
    return (-expected(m, i, kind, kind) for i in m.agents for kind in m.kinds)


def weak_budget_balance(m: Plain) -> Iterator[Any]:
    return (-sum(m.outcome(r)[1]) for r in m.profiles())


def strong_budget_balance(m: Plain) -> Iterator[Any]:
    return (abs(sum(m.outcome(r)[1])) for r in m.profiles())


def no_positive_transfers(m: Plain) -> Iterator[Any]:
    return (-m.outcome(r)[1][i] for r in m.profiles() for i in m.agents if m.sign(i) > 0)


def monotone(m: Plain) -> Iterator[Any]:
    for r, i, other in itertools.product(m.profiles(), m.agents, m.kinds):
        if m.sign(i) * other[0] > m.sign(i) * r[i][0]:
            yield m.outcome(r)[0][i][0] - m.outcome(put(r, **{f"_{i}": other}))[0][i][0]


def critical_payment(m: Plain) -> Iterator[Any]:
    for r, i in itertools.product(m.profiles(), m.agents):
        x, p = m.outcome(r)
        if x[i][0] == 0:
            yield abs(p[i])
        for other in m.kinds if x[i][0] == 1 else ():
            then = m.outcome(put(r, **{f"_{i}": other}))[0][i][0]
            if then in (0, 1) and m.sign(i) > 0:
                yield p[i] - other[0] if then else other[0] - p[i]
            elif then in (0, 1):
                yield other[0] + p[i] if then else -p[i] - other[0]


def cyclic_monotone(m: Plain) -> Iterator[Any]:
    for r, i, length in itertools.product(m.profiles(), m.agents, (2, 3)):
        for cycle in itertools.product(m.kinds, repeat=length):
            rows = [m.outcome(put(r, **{f"_{i}": kind}))[0][i] for kind in cycle]
            yield -sum(
                m.value(i, kind, rows[k]) - m.value(i, kind, rows[(k + 1) % length])
                for k, kind in enumerate(cycle)
            )


def efficient(m: Plain) -> Iterator[Any]:
    for r in m.profiles():
        x, _ = m.outcome(r)
        owners = itertools.product((*m.agents, None), repeat=len(m.kinds[0]))
        rows = [[tuple(int(i == k) for k in owner) for i in m.agents] for owner in owners]
        best = max(sum(m.value(i, r[i], row[i]) for i in m.agents) for row in rows)
        yield best - sum(m.value(i, r[i], x[i]) for i in m.agents)


def anonymous(m: Plain) -> Iterator[Any]:
    for r in m.profiles():
        if len(set(r)) < len(r):
            continue
        for i, j in itertools.permutations(m.agents, 2):
            if m.roles[i] == m.roles[j]:
                x, p = m.outcome(r)
                y, q = m.outcome(put(r, **{f"_{i}": r[j], f"_{j}": r[i]}))
                order = [{i: j, j: i}.get(k, k) for k in m.agents]
                yield from (abs(p[k] - q[order[k]]) for k in m.agents)
                yield from (
                    abs(a - b) for k in m.agents for a, b in zip(x[k], y[order[k]], strict=True)
                )


def envy_free(m: Plain) -> Iterator[Any]:
    for r, i, j in itertools.product(m.profiles(), m.agents, m.agents):
        if i != j and m.roles[i] == m.roles[j]:
            x, p = m.outcome(r)
            yield m.value(i, r[i], x[j]) - p[j] - m.u(i, r[i], r)


def non_bossy(m: Plain) -> Iterator[Any]:
    for r, i, other in itertools.product(m.profiles(), m.agents, m.kinds):
        (x, p), (y, q) = m.outcome(r), m.outcome(put(r, **{f"_{i}": other}))
        if (x[i], p[i]) == (y[i], q[i]):
            yield int((x, p) != (y, q))


def joint_gains(m: Plain) -> Iterator[tuple[Fraction, Fraction]]:
    for r, (i, j) in itertools.product(m.profiles(), itertools.combinations(m.agents, 2)):
        for a, b in itertools.product(m.kinds, repeat=2):
            lied = put(r, **{f"_{i}": a, f"_{j}": b})
            yield m.u(i, r[i], lied) - m.u(i, r[i], r), m.u(j, r[j], lied) - m.u(j, r[j], r)


def group_ic(m: Plain) -> Iterator[Any]:
    return (min(gains) for gains in joint_gains(m))


def strong_group_ic(m: Plain) -> Iterator[Any]:
    return (max(gains) for gains in joint_gains(m) if min(gains) >= 0)


def collusion_proof(m: Plain) -> Iterator[Any]:
    return (sum(gains) for gains in joint_gains(m))


def with_newcomer(m: Plain, r: Profile, i: int, kind: Kind) -> tuple[Profile, int]:
    """One more agent of i's role, after the last of them."""
    at = max(k for k in m.agents if m.roles[k] == m.roles[i]) + 1
    return (*r[:at], kind, *r[at:]), at


def false_name_proof(m: Plain) -> Iterator[Any]:
    for r, i in itertools.product(m.profiles(), m.agents):
        if m.sign(i) < 0:
            continue
        for a, b in itertools.product(m.kinds, repeat=2):
            reports, at = with_newcomer(m, put(r, **{f"_{i}": a}), i, b)
            x, p = m.outcome(reports)
            both = tuple(min(1, c + d) for c, d in zip(x[i], x[at], strict=True))
            yield m.value(i, r[i], both) - p[i] - p[at] - m.u(i, r[i], r)


def revenue_monotone(m: Plain) -> Iterator[Any]:
    for r, i, other in itertools.product(m.profiles(), m.agents, m.kinds):
        if m.sign(i) < 0:
            continue
        revenue = sum(m.outcome(r)[1])
        if all(b >= a for a, b in zip(r[i], other, strict=True)):
            yield revenue - sum(m.outcome(put(r, **{f"_{i}": other}))[1])
        yield revenue - sum(m.outcome(with_newcomer(m, r, i, other)[0])[1])


def adverse_selection_free(m: Plain) -> Iterator[Any]:
    for r, factor in itertools.product(m.profiles(), (Fraction(1, 2), Fraction(2))):
        scaled = tuple((factor * kind[0],) for kind in r)
        if all(kind[0] in {0, 1, 2} for kind in scaled):
            whole = tuple((int(kind[0]),) for kind in scaled)
            x, y = m.outcome(r)[0], m.outcome(whole)[0]
            yield from (abs(x[k][0] - y[k][0]) for k in m.agents)


LOOPS: dict[str, Callable[[Plain], Iterator[Any]]] = {
    loop.__name__: loop
    for loop in (
        feasible, ir, ic, bic, interim_ir, weak_budget_balance, strong_budget_balance,
        no_positive_transfers, monotone, critical_payment, cyclic_monotone, efficient, anonymous,
        envy_free, non_bossy, group_ic, strong_group_ic, collusion_proof, false_name_proof,
        revenue_monotone, adverse_selection_free,
    )
}  # fmt: skip
LOOPS["ex_post_nash"] = ic  # private values: the same set of inequalities


def setting_of(m: Plain) -> Setting:
    """The same world declared as a setting: additive values over whole items."""
    scalar, width = len(m.kinds[0]) == 1, len(m.kinds[0])
    signs = np.array([m.sign(i) for i in m.agents])
    top = max(max(kind) for kind in m.kinds)
    shape = () if scalar else (width,)

    def value(types: np.ndarray, x: np.ndarray) -> np.ndarray:
        return types * x * signs if scalar else (types * x).sum(axis=-1) * signs

    def slack(x: np.ndarray) -> np.ndarray:
        left = 1 - x.sum(axis=1)
        return np.concatenate([x.reshape(len(x), -1), left.reshape(len(x), -1)], axis=1)

    def joint(types: np.ndarray, parts: np.ndarray) -> np.ndarray:
        held = np.minimum(parts.sum(axis=1), 1)
        return types * held if scalar else (types * held).sum(axis=-1)

    def resize(counts: Any) -> Setting:
        roles = tuple(role for role, count in counts.items() for _ in range(count))
        return setting_of(Plain(roles, m.kinds, m.outcome, m.weights))

    return Setting(
        name="plain",
        types=box(len(m.roles), *shape, low=0, high=top, levels=range(top + 1)),
        allocation_shape=(len(m.roles), *shape),
        value=value,
        slack=slack,
        roles=m.roles,
        prior=m.weights or None,
        quantity=(lambda x: x) if scalar else None,
        binary=scalar,
        joint_value=joint,
        resize=resize,
    )


def played(rule: Rule, reports: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rule on a batch."""
    outcomes = [
        rule(tuple(tuple(int(k) for k in np.atleast_1d(kind)) for kind in row)) for row in reports
    ]
    x = np.array([allocation for allocation, _ in outcomes], dtype=float)
    x = x if reports.ndim == 3 else x[..., 0]
    return x, np.array([[float(p) for p in payments] for _, payments in outcomes])


def mechanism_of(m: Plain) -> Mechanism:
    return Mechanism.from_outcome(
        setting_of(m), lambda reports: played(m.outcome, reports), name="plain"
    )


def lottery_of(m: Plain, rules: list[Rule], lottery: Lottery) -> Mechanism:
    """One of the rules, by a public coin."""

    def outcome(reports: np.ndarray, public: Any) -> tuple[np.ndarray, np.ndarray]:
        both = [played(rule, reports) for rule in rules]
        coin, rows = public["coin"], np.arange(len(reports))
        return np.stack([x for x, _ in both])[coin, rows], np.stack([p for _, p in both])[
            coin, rows
        ]

    return Mechanism.from_outcome(setting_of(m).with_public(coin=lottery), outcome, name="lottery")


def random_rule(seed: int, width: int, sold: float) -> Rule:
    """Independent draws at every profile of any number of agents, remembered."""
    draws = random.Random(seed)
    memory: dict[Profile, Played] = {}

    def outcome(reports: Profile) -> Played:
        if reports not in memory:
            n = len(reports)
            rows = [[0] * width for _ in range(n)]
            for item in range(width):
                if draws.random() < sold:
                    rows[draws.randrange(n)][item] = 1
            payments = tuple(Fraction(draws.randint(-2, 4), 4) for _ in range(n))
            memory[reports] = tuple(tuple(row) for row in rows), payments
        return memory[reports]

    return outcome


def kth_price(k: int) -> Rule:
    """The highest report wins, the lowest index among equals, and pays the k-th highest."""

    def outcome(reports: Profile) -> Played:
        said = [kind[0] for kind in reports]
        winner = said.index(max(said))
        price = Fraction(sorted(said, reverse=True)[k - 1])
        x = tuple((int(i == winner),) for i in range(len(said)))
        return x, tuple(price * row[0] for row in x)

    return outcome


def all_of_the_best(reports: Profile) -> Played:
    """Everybody who reports the most gets an item, and pays the second highest report."""
    said = [kind[0] for kind in reports]
    x = tuple((int(k == max(said)),) for k in said)
    return x, tuple(Fraction(sorted(said)[-2]) * row[0] for row in x)


def fixed_price(reports: Profile) -> Played:
    """The first buyer at 1 or more, and the first seller at 1 or less, trade at 1."""
    *buyers, seller = (kind[0] for kind in reports)
    trade = max(buyers) >= 1 >= seller
    buyer = next((i for i, v in enumerate(buyers) if v >= 1), None) if trade else None
    won = [int(i == buyer) for i in range(len(buyers))]
    payments = (*(Fraction(k) for k in won), Fraction(-int(trade)))
    return (*((k,) for k in won), (int(trade),)), payments


THREE, PAIR = ((0,), (1,), (2,)), ((0, 0), (0, 1), (1, 0), (1, 1))
PRIOR = (Fraction(1, 2), Fraction(1, 3), Fraction(1, 6))
BIDDERS, TRADERS = ("bidder",) * 3, ("buyer", "buyer", "seller")

PLAIN = {
    "second price": Plain(BIDDERS, THREE, kth_price(2), PRIOR),
    "first price": Plain(BIDDERS, THREE, kth_price(1), PRIOR),
    "third price": Plain(BIDDERS, THREE, kth_price(3), PRIOR),
    "tied bidders all win": Plain(BIDDERS, THREE, all_of_the_best, PRIOR),
    "fixed-price trade": Plain(TRADERS, THREE, fixed_price, PRIOR),
    **{f"random {k}": Plain(BIDDERS, THREE, random_rule(k, 1, 0.8), PRIOR) for k in range(3)},
    **{f"random trade {k}": Plain(TRADERS, THREE, random_rule(k, 1, 1), PRIOR) for k in (3, 4)},
    **{f"random pair {k}": Plain(BIDDERS[:2], PAIR, random_rule(k, 2, 0.9)) for k in (5, 6, 7)},
}
