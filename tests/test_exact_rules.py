"""Whole mechanisms: unchanged NumPy rules on exact arrays against plain loops over Fractions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from arithmetics import every_algebra
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs import exact, values

few = st.sampled_from([F(0), F(1, 3), F(1, 2), F(1), F(10, 7)])


def profiles(agents: int) -> st.SearchStrategy[list[list[F]]]:
    return st.lists(st.lists(few, min_size=agents, max_size=agents), min_size=1, max_size=4)


# Mechanisms: a NumPy rule, and the same in loops


def second_price(bids: Any) -> tuple[Any, Any]:
    winner = np.argmax(bids, axis=-1)
    allocation = np.arange(bids.shape[-1]) == winner[..., None]
    return allocation, allocation * np.sort(bids, axis=-1)[..., -2:-1]


def second_price_by_loop(bids: list[F]) -> tuple[list[Any], list[F]]:
    winner = bids.index(max(bids))
    price = sorted(bids)[-2]
    return [i == winner for i in range(len(bids))], [
        price if i == winner else F(0) for i in range(len(bids))
    ]


CLICKS = [1.0, 0.3, 1 / 3]


def position_auction(bids: Any) -> tuple[Any, Any]:
    order = np.argsort(-bids, axis=-1, kind="stable")
    rank = np.argsort(order, axis=-1)
    clicks = np.array(CLICKS)[np.minimum(np.arange(3), 2)]
    allocation = np.zeros_like(bids)
    allocation[np.arange(len(bids))[:, None], order] = clicks
    following = np.pad(-np.sort(-bids, axis=-1)[:, 1:], ((0, 0), (0, 1)))
    return allocation, allocation * np.take_along_axis(following, rank, axis=-1)


def position_auction_by_loop(bids: list[F]) -> tuple[list[F], list[F]]:
    order = sorted(range(3), key=lambda i: -bids[i])
    clicks = [F(1), F(3, 10), F(1, 3)]
    allocation, payment = [F(0)] * 3, [F(0)] * 3
    for position, agent in enumerate(order):
        allocation[agent] = clicks[position]
        below = bids[order[position + 1]] if position < 2 else F(0)
        payment[agent] = clicks[position] * below
    return allocation, payment


def proportional(bids: Any) -> tuple[Any, Any]:
    total = bids.sum(axis=-1, keepdims=True)
    return np.where(total > 0, bids / total, 0), bids


def proportional_by_loop(bids: list[F]) -> tuple[list[F], list[F]]:
    total = sum(bids)
    return [b / total if total else F(0) for b in bids], bids


def mcafee(reports: Any) -> tuple[Any, Any]:
    n = reports.shape[-1] // 2
    values_, costs = reports[:, :n], reports[:, n:]
    buyers = np.argsort(-values_, axis=-1, kind="stable")
    sellers = np.argsort(costs, axis=-1, kind="stable")
    b = np.take_along_axis(values_, buyers, axis=-1)
    s = np.take_along_axis(costs, sellers, axis=-1)
    trades = (b >= s).sum(axis=-1, keepdims=True)
    last, following = np.maximum(trades - 1, 0), np.minimum(trades, n - 1)
    b_last, s_last = (np.take_along_axis(side, last, axis=-1) for side in (b, s))
    b_next, s_next = (np.take_along_axis(side, following, axis=-1) for side in (b, s))
    price = (b_next + s_next) / 2
    uniform = (trades < n) & (s_last <= price) & (price <= b_last)
    size = np.where(uniform, trades, np.maximum(trades - 1, 0))
    buys = np.argsort(buyers, axis=-1) < size
    sells = np.argsort(sellers, axis=-1) < size
    pays = np.where(buys, np.where(uniform, price, b_last), 0)
    receives = np.where(sells, np.where(uniform, price, s_last), 0)
    return np.concatenate([buys, sells], axis=-1), np.concatenate([pays, -receives], axis=-1)


def mcafee_by_loop(reports: list[F]) -> tuple[list[bool], list[F]]:
    n = len(reports) // 2
    buyers = sorted(range(n), key=lambda i: -reports[i])
    sellers = sorted(range(n), key=lambda j: reports[n + j])
    b, s = [reports[i] for i in buyers], [reports[n + j] for j in sellers]
    trades = sum(x >= y for x, y in zip(b, s, strict=True))
    allocation, payment = [False] * (2 * n), [F(0)] * (2 * n)
    if trades == 0:
        return allocation, payment
    buyer_price, seller_price, size = b[trades - 1], s[trades - 1], trades - 1
    if trades < n:
        price = (b[trades] + s[trades]) / 2
        if s[trades - 1] <= price <= b[trades - 1]:
            buyer_price, seller_price, size = price, price, trades
    for i, j in zip(buyers[:size], sellers[:size], strict=True):
        allocation[i] = allocation[n + j] = True
        payment[i], payment[n + j] = buyer_price, -seller_price
    return allocation, payment


PERMUTATIONS = list(itertools.permutations(range(3)))


def assignment(reports: Any) -> tuple[Any, Any]:
    v = reports.reshape(-1, 3, 3)
    agents = np.arange(3)
    welfare = np.stack([v[:, agents, list(p)].sum(axis=-1) for p in PERMUTATIONS], axis=-1)
    best = np.argmax(welfare, axis=-1)
    items = np.take_along_axis(np.array(PERMUTATIONS), best[:, None], axis=0)
    own = v[np.arange(len(v))[:, None], agents, items]
    without = []
    for i in agents:
        others = np.delete(v, i, axis=1)
        sums = [others[:, 0, p] + others[:, 1, q] for p, q, _ in PERMUTATIONS]
        without.append(np.max(np.stack(sums, axis=-1), axis=-1))
    payment = np.stack(without, axis=-1) - (np.max(welfare, axis=-1, keepdims=True) - own)
    return items, payment


def assignment_by_loop(reports: list[F]) -> tuple[list[int], list[F]]:
    v = [reports[3 * i : 3 * i + 3] for i in range(3)]
    welfare = {p: sum(v[i][p[i]] for i in range(3)) for p in PERMUTATIONS}
    best = max(PERMUTATIONS, key=welfare.__getitem__)
    payment = []
    for i in range(3):
        rest = [v[j] for j in range(3) if j != i]
        alone = max(rest[0][p] + rest[1][q] for p, q in itertools.permutations(range(3), 2))
        payment.append(alone - sum(v[j][best[j]] for j in range(3) if j != i))
    return list(best), payment


def serial_dictatorship(reports: Any) -> tuple[Any, Any]:
    v = reports.reshape(-1, 3, 3)
    rows = np.arange(len(v))
    taken = np.zeros_like(v[:, 0], dtype=bool)
    allocation = np.zeros_like(v)
    for agent in range(3):
        choice = np.argmax(np.where(taken, -np.inf, v[:, agent]), axis=-1)
        taken[rows, choice] = True
        allocation[rows, agent, choice] = 1
    return allocation.reshape(-1, 9), np.zeros_like(reports)


def serial_dictatorship_by_loop(reports: list[F]) -> tuple[list[int], list[int]]:
    left, allocation = [0, 1, 2], [0] * 9
    for agent in range(3):
        choice = max(left, key=lambda item: (reports[3 * agent + item], -item))
        left.remove(choice)
        allocation[3 * agent + choice] = 1
    return allocation, [0] * 9


def uniform_price(bids: Any) -> tuple[Any, Any]:
    """Two units; a bid below a reserve of 1/3 is out; the price is the best losing bid."""
    live = bids >= 1 / 3
    ahead = (bids[:, None, :] > bids[:, :, None]) | (
        (bids[:, None, :] == bids[:, :, None]) & np.tri(3, k=-1, dtype=bool)
    )
    wins = live & (ahead.sum(axis=-1) < 2)
    price = np.maximum(np.sort(bids, axis=-1)[:, :1], 1 / 3)
    return wins, wins * price


def uniform_price_by_loop(bids: list[F]) -> tuple[list[bool], list[F]]:
    order = sorted(range(3), key=lambda i: (-bids[i], i))
    price = max(bids[order[2]], F(1, 3))
    wins = [i in order[:2] and bids[i] >= F(1, 3) for i in range(3)]
    return wins, [price if won else F(0) for won in wins]


MECHANISMS = [
    (second_price, second_price_by_loop, 3),
    (second_price, second_price_by_loop, 5),
    (position_auction, position_auction_by_loop, 3),
    (proportional, proportional_by_loop, 3),
    (mcafee, mcafee_by_loop, 4),
    (mcafee, mcafee_by_loop, 6),
    (assignment, assignment_by_loop, 9),
    (serial_dictatorship, serial_dictatorship_by_loop, 9),
    (uniform_price, uniform_price_by_loop, 3),
]


@pytest.mark.parametrize(("rule", "loop", "agents"), MECHANISMS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_mechanisms_agree_with_loops_over_fractions(
    rule: Callable[..., Any], loop: Callable[..., Any], agents: int, data: st.DataObject
) -> None:
    batch = data.draw(profiles(agents))
    expected = [loop(row) for row in batch]
    for algebra in every_algebra():
        allocation, payment = rule(exact(batch, algebra=algebra))
        assert values(allocation).tolist() == [row[0] for row in expected]
        assert values(payment).tolist() == [row[1] for row in expected]


def test_mcafee_on_the_published_example() -> None:
    """McAfee 1992: buyers 9, 8, 7, 4 and sellers 2, 3, 4, 5 make three trades at 4.5."""
    allocation, payment = mcafee(exact([[9, 8, 7, 4, 2, 3, 4, 5]]))
    assert values(allocation).tolist() == [[True] * 3 + [False] + [True] * 3 + [False]]
    assert values(payment).tolist() == [[F(9, 2)] * 3 + [0] + [-F(9, 2)] * 3 + [0]]
