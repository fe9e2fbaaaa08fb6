"""Claims that are not about one mechanism: Theorem 3, the matching, and eq. 4.

**Theorem 3.** Every number that decides Γ is written down as a term over all that agents submit;
no bid is among them. But Γ is not unique where matchings of equal weight exist.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit.papers.claim import Effort, Finding, Formula
from mechkit.papers.madda import matching
from mechkit.papers.madda.mechanism import as_printed, clear, setter_left_out
from mechkit.papers.madda.theorem import refuted
from mechkit.verdict import Status

# Theorem 3 ----------------------------------------------------------------------------------------


def _inputs_of_matching() -> tuple[set[str], set[str]]:
    """(the symbols in the terms of eqs. 10 and 11, the symbols of all that is submitted), for two
    buyers and two sellers with a symbol for every number."""
    import sympy

    def array(name: str, *shape: int) -> np.ndarray:
        found = np.empty(shape, dtype=object)
        for at in np.ndindex(*shape):
            found[at] = sympy.Symbol("_".join([name, *map(str, at)]), positive=True)
        return found

    everything = {
        "value": array("value", 2),
        "cost": array("cost", 2),
        "required": array("required", 2, 3),
        "offered": array("offered", 2, 3),
        "away": array("away", 2, 2),
        "farthest": array("farthest", 2),
        "reputation": array("reputation", 2),
        "least_reputation": array("least_reputation", 2),
        "attribute_weights": array("attribute_weights", 2, 2),
    }
    of = everything
    weights = matching.edge_weight(
        of["attribute_weights"][:, None],
        of["away"],
        of["reputation"][None],
        of["required"][:, None],
        of["offered"][None],
        sympy.Symbol("coverage"),
    )
    terms = list(weights.flat)
    terms += list((of["offered"][None] - of["required"][:, None]).flat)
    terms += list((of["farthest"][:, None] - of["away"]).flat)
    terms += list((of["reputation"][None] - of["least_reputation"][:, None]).flat)
    used = {str(symbol) for term in terms for symbol in term.free_symbols}
    given = {str(symbol) for array in everything.values() for symbol in array.flat}
    return used, given


def _bids(symbols: set[str]) -> set[str]:
    return {name for name in symbols if name.startswith(("value_", "cost_"))}


def decide_ignores_prices(effort: Effort) -> Finding:
    used, given = _inputs_of_matching()
    seen = {field.name for field in dataclasses.fields(matching.Attributes)}
    if seen & {"values", "costs"}:
        return Finding(Status.UNKNOWN, "derivation", "the matching is shown values or costs")
    entering = sorted(_bids(used))
    if entering:
        return Finding(Status.UNKNOWN, "derivation", f"bids enter the weights: {entering}")
    unused = sorted(given - used - _bids(given))
    if unused:
        return Finding(Status.UNKNOWN, "derivation", f"attributes that decide nothing: {unused}")
    return Finding(
        Status.PROVED,
        "derivation, SymPy",
        f"two buyers and two sellers: the {len(used)} symbols in the weights (eq. 11) and "
        "conditions (eq. 10) of all edges, and no bid among them; further agents add edges of the "
        "same form",
        numbers={"symbols": len(used)},
        told="Γ is a function of weights and conditions, and no bid enters these",
    )


def replay_ignores_prices(status: Status, numbers: Mapping[str, Any]) -> str:
    """Writes the terms down again."""
    if status is not Status.PROVED:
        raise ValueError(f"matching_ignores_prices was {status.value}: only a proof is replayed")
    used, _ = _inputs_of_matching()
    if _bids(used) or numbers.get("symbols") != len(used):
        raise ValueError("matching_ignores_prices: other symbols enter eqs. 10 and 11")
    return f"{len(used)} symbols enter eqs. 10 and 11 again, no bid among them"


# Uniqueness of Γ ----------------------------------------------------------------------------------

Market = Mapping[str, Any]
TWINS: Market = {
    "required": [["50", "50", "50"], ["50", "50", "50"]],
    "offered": [["60", "60", "60"], ["70", "60", "50"]],
    "away": [["3/5", "3/5"], ["3/5", "3/5"]],
    "farthest": ["4/5", "4/5"],
    "reputation": ["9/10", "4/5"],
    "least_reputation": ["7/10", "7/10"],
    "attribute_weights": [["1/2", "1/2"], ["1/2", "1/2"]],
    "coverage": "1",
    "values": ["80", "20"],
    "costs": ["30", "90"],
}
"""Two vehicles that leave the same unit and ask for the same, and two units at the same distance:
whoever is matched with whom, the weights have the same sum. In the printed ranges."""


def exact_matchings(given: Market) -> list[tuple[tuple[int, ...], Fraction]]:
    """Every perfect matching along real edges (the seller of each buyer) and its weight."""

    def fractions(name: str) -> np.ndarray:
        raw = np.array(given[name], dtype=object)
        return np.vectorize(Fraction, otypes=[object])(raw)

    required, offered = fractions("required")[:, None], fractions("offered")[None]
    away, reputation = fractions("away"), fractions("reputation")[None]
    edges = matching.compatible(
        required,
        offered,
        away,
        fractions("farthest")[:, None],
        reputation,
        fractions("least_reputation")[:, None],
    )
    weights = matching.edge_weight(
        fractions("attribute_weights")[:, None],
        away,
        reputation,
        required,
        offered,
        Fraction(given["coverage"]),
    )
    agents = range(len(away))
    return [
        (way, sum((weights[m, n] for m, n in enumerate(way)), Fraction(0)))
        for way in itertools.permutations(agents)
        if all(edges[m, n] for m, n in enumerate(way))
    ]


def trades_under(given: Market, way: Sequence[int]) -> tuple[int, int]:
    """How many pairs trade with unit steps under that Γ: as printed, and the setter left out."""
    values, costs = ([Fraction(x) for x in given[name]] for name in ("values", "costs"))
    mine = [costs[n] for n in way]
    clocks = clear(np.array([values], dtype=float), np.array([mine], dtype=float))
    return int(as_printed(clocks)[0].sum()), int(setter_left_out(clocks)[0].sum())


def decide_unique(effort: Effort) -> Finding:
    ways = exact_matchings(TWINS)
    most = max(weight for _, weight in ways)
    best = [way for way, weight in ways if weight == most]
    if len(best) < 2:
        return Finding(Status.UNREFUTED, "enumeration", "the twins' matching is unique", len(ways))
    numbers = {
        **TWINS,
        "matchings": [list(way) for way in best[:2]],
        "weight": str(most),
        "trades": [list(trades_under(TWINS, way)) for way in best[:2]],
    }
    return Finding(
        Status.REFUTED,
        "enumeration",
        f"{len(best)} of {len(ways)} perfect matchings have the largest weight, {most}",
        exercised=len(ways),
        numbers=numbers,
        told=replay_unique(Status.REFUTED, numbers),
    )


def replay_unique(status: Status, numbers: Mapping[str, Any]) -> str:
    """Lists every perfect matching again, in rationals."""
    refuted("matching_unique", status)
    try:
        ways = exact_matchings(numbers)
        one, other = (tuple(int(n) for n in way) for way in numbers["matchings"])
        stated = Fraction(numbers["weight"])
        trades = [trades_under(numbers, way) for way in (one, other)]
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError) as error:
        raise ValueError(f"matching_unique: malformed numbers ({error!r})") from None
    weight = dict(ways)
    most = max(weight.values(), default=None)
    if one == other or weight.get(one) != most or weight.get(other) != most or most != stated:
        raise ValueError(
            f"matching_unique: not two perfect matchings of the largest weight, {most}"
        )
    if [list(found) for found in trades] != [list(found) for found in numbers["trades"]]:
        raise ValueError(f"matching_unique: {trades} trades, not as stated")
    return (
        f"Both perfect matchings weigh {most}: buyers 0 and 1 with sellers {one[0]} and {one[1]}, "
        f"or {other[0]} and {other[1]}. With values {', '.join(numbers['values'])} and costs "
        f"{', '.join(numbers['costs'])}, {trades[0][0]} pairs trade under the one and "
        f"{trades[1][0]} under the other."
    )


# Eq. 4 --------------------------------------------------------------------------------------------


def enclosed(x: Fraction, terms: int = 4096) -> tuple[Fraction, Fraction]:
    """Rationals around exp(−x), x ≥ 0: (1 − x/n)^n ≤ exp(−x) ≤ (1 + x/n)^−n, for n ≥ x."""
    if x == 0:
        return Fraction(1), Fraction(1)
    n = max(terms, int(x) + 1)
    return (1 - x / n) ** n, (1 + x / n) ** -n


def freshness_sum(ages: Sequence[Fraction], decay: Fraction) -> tuple[Fraction, Fraction]:
    """Rationals around Σ_a exp(−ξ (t_μ − t(a))); ages are t_μ − t(a)."""
    parts = [enclosed(decay * age, 64) for age in ages]
    return (
        sum((low for low, _ in parts), Fraction(0)),
        sum((high for _, high in parts), Fraction(0)),
    )


def decide_freshness(effort: Effort) -> Finding:
    """Few transactions at whole ages, the fewest first."""
    tried = 0
    for count in (2, 3):
        for ages in itertools.combinations_with_replacement(range(3), count):
            tried += 1
            low, high = freshness_sum([Fraction(age) for age in ages], Fraction(1))
            if low > 1 or high < 1:
                numbers = {"ages": [str(age) for age in ages], "decay": "1"}
                return Finding(
                    Status.REFUTED,
                    "enumeration, rational bounds",
                    f"{tried} histories tried",
                    exercised=tried,
                    numbers=numbers,
                    told=replay_freshness(Status.REFUTED, numbers),
                )
    return Finding(Status.UNREFUTED, "enumeration", f"{tried} histories: no sum is away from 1")


def replay_freshness(status: Status, numbers: Mapping[str, Any]) -> str:
    """Encloses the sum in rationals again."""
    refuted("freshness_sums_to_one", status)
    try:
        ages, decay = [Fraction(x) for x in numbers["ages"]], Fraction(numbers["decay"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ValueError(f"freshness_sums_to_one: malformed numbers ({error!r})") from None
    if not 1 <= len(ages) <= 20 or decay <= 0 or not all(0 <= age * decay <= 20 for age in ages):
        raise ValueError(
            "freshness_sums_to_one: expected 1 to 20 ages of at least 0, ξ > 0, ξ · age up to 20"
        )
    low, high = freshness_sum(ages, decay)
    if low <= 1 <= high:
        raise ValueError(f"freshness_sums_to_one: between {float(low)} and {float(high)}: not away")
    what = str(low) if low == high else f"between {float(low):.4f} and {float(high):.4f}"
    return (
        f"Transactions {', '.join(map(str, ages))} units of time before the update, ξ = {decay}: "
        f"Σ λ is {what}, not 1."
    )


FRESHNESS = Formula(
    printed="λ_n(a) = exp(−ξ (t_μ − t_n(a))), with Σ_a λ_n(a) = 1",
    derivation="Every λ lies in (0, 1]. A transaction at t_μ has λ = 1, so any other one brings "
    "the sum above 1; and a single one before t_μ leaves it below. With equal feedback E the "
    "reputation of eq. 5 would be E Σ λ, which exceeds 1 after enough transactions, while D_n is "
    "to lie in [0, 1]. Dividing by Σ_b exp(−ξ (t_μ − t_n(b))) > 0 makes the weights sum to 1, D_n "
    "an average of feedback, and keeps their ratios; t_μ then cancels.",
    corrected="λ_n(a) = exp(−ξ (t_μ − t_n(a))) / Σ_b exp(−ξ (t_μ − t_n(b)))",
)
