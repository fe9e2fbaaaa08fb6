"""Whole mechanisms on symbolic arrays: profiles put into the result give the exact outcome."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from symbolic_profiles import Run, assert_agree, reals
from test_exact_rules import MECHANISMS

from mechkit.catalogue import entries
from mechkit.mechanism import play
from mechkit.settings import Lottery
from mechkit.spaces import Space
from proofs import (
    Array,
    Symbolic,
    Unsupported,
    assignment,
    exact,
    symbols,
)

Rule = Callable[[Any], Any]


def unknown(*shape: int, **options: Any) -> Array:
    return symbols("x", shape, algebra=Symbolic(), **options)


# Agreement


def highest(bids: Any) -> Any:
    return np.arange(bids.shape[-1]) == np.argmax(bids, axis=-1)[..., None]


def order_price(k: int, reserve: float = 0) -> Rule:
    """The winner pays the k-th highest bid, or the reserve."""

    def rule(bids: Any) -> Any:
        wins = highest(bids) & (bids >= reserve)
        return wins, wins * np.maximum(np.sort(bids, axis=-1)[..., -k, None], reserve)

    return rule


def generalised_second_price(bids: Any) -> Any:
    clicks = np.array([1, 0.5, 0.2])
    rank = np.argsort(np.argsort(-bids, axis=-1, kind="stable"), axis=-1)
    following = np.concatenate([-np.sort(-bids, axis=-1)[:, 1:], 0 * bids[:, :1]], axis=-1)
    rate = np.take_along_axis(np.broadcast_to(clicks, bids.shape), rank, axis=-1)
    return rank, rate * np.take_along_axis(following, rank, axis=-1)


def uniform_price_by_places(bids: Any) -> Any:
    """Three bidders, two units at the third bid; places are inverted by writing."""
    order = np.argsort(-bids, axis=-1, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(3)[None, :], axis=-1)
    wins = place < 2
    return wins, wins * np.partition(bids, 0, axis=-1)[:, :1]


def trade_reduction(reports: Any) -> Any:
    """Two buyers, two sellers: the least valuable trade is dropped, and sets the prices."""
    values_, costs = np.sort(reports[:, :2], axis=-1)[:, ::-1], np.sort(reports[:, 2:], axis=-1)
    trades = np.sum(values_ >= costs, axis=-1, keepdims=True)
    last = np.maximum(trades - 1, 0)
    price, cost = (np.take_along_axis(side, last, axis=-1) for side in (values_, costs))
    beats = [np.arange(2)[None, :, None] > np.arange(2)[None, None, :]]
    ahead = [side[:, None, :] > side[:, :, None] for side in (reports[:, :2], -reports[:, 2:])]
    even = [side[:, None, :] == side[:, :, None] for side in (reports[:, :2], -reports[:, 2:])]
    rank = [(a | (e & beats[0])).sum(axis=-1) for a, e in zip(ahead, even, strict=True)]
    buys, sells = rank[0] < trades - 1, rank[1] < trades - 1
    return (
        np.concatenate([buys, sells], axis=-1),
        np.concatenate([buys * price, -(sells * cost)], axis=-1),
    )


def masked(bids: Any) -> Any:
    """The best bid of at least 1/2, by masks with infinities."""
    live = np.where(bids >= 0.5, bids, -np.inf)
    best = np.max(live, axis=-1, keepdims=True)
    return live, np.where(np.isfinite(best), best, 0), np.argmax(live, axis=-1)


def rounded(bids: Any) -> Any:
    """Prices in ticks of 1/4."""
    return np.ceil(bids * 4) / 4, np.floor(bids[:, :1] - bids[:, 1:2]), np.rint(bids), bids // 0.5


def shares(bids: Any) -> Any:
    total = bids.sum(axis=-1, keepdims=True)
    return np.divide(bids, total, out=np.zeros_like(bids), where=total > 0), bids / (1 + total)


PLAIN: list[tuple[Rule, int]] = [
    (order_price(2), 3),
    (order_price(2, reserve=0.5), 4),
    (order_price(1), 3),
    (order_price(3), 4),
    (order_price(4), 4),
    (generalised_second_price, 3),
    (uniform_price_by_places, 3),
    (trade_reduction, 4),
    (masked, 3),
    (rounded, 3),
    (shares, 3),
    *[(rule, agents) for rule, _, agents in MECHANISMS],
]
RUNS: dict[int, tuple[Run, Array]] = {}


def run_of(number: int) -> tuple[Run, Array]:
    """The symbolic run of a rule, made once."""
    if number not in RUNS:
        rule, agents = PLAIN[number]
        bids = unknown(1, agents)
        RUNS[number] = Run(rule(bids), bids.algebra), bids  # type: ignore[arg-type]
    return RUNS[number]


few = st.sampled_from([F(0), F(1, 3), F(1, 2), F(1), F(10, 7)])


@pytest.mark.parametrize("number", range(len(PLAIN)))
@given(data=st.data())
@settings(max_examples=150)
def test_mechanisms_agree_with_exact_arithmetic(number: int, data: st.DataObject) -> None:
    rule, agents = PLAIN[number]
    run, bids = run_of(number)
    row = data.draw(st.lists(few, min_size=agents, max_size=agents))
    assert_agree(run, assignment(bids, [row]), lambda: rule(exact([row])))


SQUARE_ROOTS = {
    "greedy-single-minded", "greedy-known-bundles", "greedy-by-value", "greedy-next-in-line",
    "greedy-forgets-size", "greedy-ties",
}  # fmt: skip


def unknown_public(
    source: Any, name: str, types: Array, algebra: Symbolic
) -> tuple[Any, Array | None]:
    """A public array: unknown, drawn once, or a function of the unknown types."""
    if isinstance(source, Space):
        array = symbols(f"public_{name}", (1, *source.shape), algebra=algebra)
        return array, array
    if isinstance(source, Lottery):
        draw = source.draws[0]
        return np.broadcast_to(draw, (1, *np.shape(draw))), None
    return source(types), None


def levels_of(space: Space) -> list[Any]:
    """Few numbers, so that ties are frequent, and outside of the box, too."""
    if space.levels and space.levels[0]:
        return list(space.levels[0])
    low, high = space.low.min(), space.high.max()
    return [low, (low + high) / 2, (low + high) / 3, high, low + 1, F(0)]


@pytest.mark.parametrize("key", [key for key in entries() if key not in SQUARE_ROOTS])
def test_catalogue_entries_agree_with_exact_arithmetic(key: str) -> None:
    mechanism, algebra = entries()[key].make(), Symbolic()
    setting, rng = mechanism.setting, np.random.default_rng(11)
    space = setting.report_space
    reports = symbols("report", (1, *space.shape), algebra=algebra)
    types = symbols("type", (1, *setting.types.shape), algebra=algebra)
    public: dict[str, Any] = {}
    free: dict[str, Array] = {}
    for name, source in setting.public.items():
        if not (isinstance(source, Lottery) and not source.every):
            public[name], own = unknown_public(source, name, types, algebra)
            free |= {} if own is None else {name: own}
    outcome = play(mechanism, reports, public)
    run = Run([outcome.allocation, outcome.payments, outcome.values(types)], algebra)
    for _ in range(15):
        numbers = reals(rng, reports.shape, levels_of(space))
        truth = reals(rng, types.shape, levels_of(setting.types))
        at = assignment(reports, numbers) | assignment(types, truth)
        shown = dict(public)
        for name, source in setting.public.items():
            if name in free:
                drawn = reals(rng, free[name].shape, levels_of(source))
                at, shown[name] = at | assignment(free[name], drawn), exact(drawn)
            elif name in public and not isinstance(source, Lottery):
                shown[name] = source(exact(truth))

        def concrete(numbers: Any = numbers, truth: Any = truth, shown: Any = shown) -> Any:
            played = play(mechanism, exact(numbers), shown)
            return [played.allocation, played.payments, played.values(exact(truth))]

        assert_agree(run, at, concrete)


@pytest.mark.parametrize("key", sorted(SQUARE_ROOTS))
def test_catalogue_entries_with_square_roots_of_reports_say_so(key: str) -> None:
    mechanism = entries()[key].make()
    reports = unknown(1, *mechanism.setting.report_space.shape)
    with pytest.raises(Unsupported, match=r"packages.py:\d+: np.sqrt"):
        play(mechanism, reports)
