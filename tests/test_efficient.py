"""Efficiency as a property: proved where it holds, refuted with an exact loss where it does not.

The optimum itself is tested in `test_first_best`, the truth tables against brute force in
`test_catalogue`. The losses that are named here fit on a card.
"""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import mechkit as mk
from mechkit.catalogue import entries
from mechkit.deviations import Case
from mechkit.properties import PROPERTIES
from mechkit.prove import GaveUp, Proved, prove
from mechkit.prove.attempt import Found
from mechkit.prove.certificate import check, to_json
from mechkit.replay import counterexample, margins, negative
from mechkit.settings import Lottery
from mechkit.story import story
from mechkit.verdict import Certificate, Status
from tests.rules import highest, midpoint, pay_second, second_price

ENTRIES = entries()
EFFICIENT = PROPERTIES["efficient"]


def loss(mechanism: mk.Mechanism, *types: Any) -> Any:
    """The optimum less the welfare at one profile, exactly."""
    profile = np.empty((1, *mechanism.setting.types.shape), dtype=object)
    profile[0] = np.vectorize(F, otypes=[object])(np.array(types, dtype=object))
    return -margins(mechanism, EFFICIENT, 0, Case("profile", (), {"types": profile}))[0]


# By hand ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "types", "lost"),
    [
        ("second-price", (1, F(1, 2), F(1, 3)), 0),
        ("second-price-reserve", (F(1, 3), F(1, 4), 0), F(1, 3)),
        ("second-price-reserve", (F(1, 2), 0, 0), 0),
        ("second-price-strict", (1, 1, F(1, 2)), 1),
        ("posted-price", (F(1, 2), 1, 0), F(1, 2)),
        ("boosted-clarke", (F(7, 8), 1, 0), F(1, 8)),
        ("expected-externality", (2, 2, 1), 0),
        ("mean-of-others", (F(1, 4), 1, 0), F(1, 4)),
        ("vickrey-multi-unit", ((1, F(3, 4)), (F(1, 2), 0), (0, 0)), 0),
        ("position-vcg-reserve", (5, 2, 1), 199 * 2),
        ("equal-shares", (1, F(1, 2), 0), F(1, 2)),
        ("kelly-proportional", (1, F(1, 2), 0), 1 - F(2, 3) - F(1, 6)),
        ("majority-vote", (F(1, 2), F(1, 2), 0), F(1, 2)),
        ("unanimity", (1, 1, F(1, 4)), F(3, 4)),
        ("clarke-project", (F(1, 2), F(1, 2), F(1, 2)), 0),
        ("raffle", (1, 0, 0), F(2, 3)),
        ("random-reserve", (F(1, 2), 0, 0), F(1, 6)),
        ("mcafee", (F(1, 4), 0, 0, 1), F(1, 4)),
        ("trade-reduction", (1, F(3, 4), 0, F(1, 4)), F(1, 2)),
        ("vcg-market", (1, F(3, 4), 0, F(1, 4)), 0),
        ("reduction-one-sided", (1, 0, F(1, 2), 1), 1),
        ("serial-dictatorship", ((F(1, 4), 0), (1, 0), (0, 0)), F(3, 4)),
        ("greedy-assignment", ((1, F(3, 4)), (F(3, 4), 0), (0, 0)), F(1, 2)),
        ("greedy-by-value", (F(3, 4), F(3, 4), 1), F(1, 2)),
        ("vcg-adds-up", ((1, 1, 1), (F(3, 4), F(3, 4), F(3, 4))), F(3, 4)),
        ("wallet-game", (1, F(1, 3)), 0),
        ("reverse-vickrey", (1, F(1, 3), F(1, 2)), 0),
        ("madda-double-dutch", (F(101, 2), 1, F(251, 5), 100), F(3, 10)),
    ],
)
def test_losses_of_the_catalogue(key: str, types: Any, lost: Any) -> None:
    assert loss(ENTRIES[key].make(), *types) == lost


@pytest.mark.parametrize(
    ("key", "types", "more"),
    [
        ("all-tied-bidders-win", (1, 1, 0), 1),
        ("vcg-market-ties", (F(1, 2), F(1, 2), 0, 1), F(1, 2)),
        ("items-unit-demand", ((1, F(1, 2)), (0, 0), (0, 0)), F(1, 2)),
    ],
)
def test_an_infeasible_outcome_may_exceed_what_is_possible(key: str, types: Any, more: Any) -> None:
    """Giving away what is not there wastes nothing: it is `feasible` that fails."""
    assert loss(ENTRIES[key].make(), *types) == -more
    assert ENTRIES[key].truth["efficient"]
    assert not ENTRIES[key].truth["feasible"]


def test_each_draw_is_held_against_its_own_optimum() -> None:
    """The item is worth θ on heads and −θ on tails: a sale to the highest bidder loses max θ on
    tails, θ/2 on average; one that sells on heads only loses nothing."""

    def value(types: Any, x: Any, *, public: Any) -> Any:
        return types * x * public["coin"][..., None]

    def best(types: Any, *, public: Any) -> Any:
        return np.maximum(np.max(types, axis=-1) * public["coin"], 0)

    plain = mk.single_item(2).with_public(coin=Lottery(draws=[1, -1]))
    setting = replace(plain, value=value, first_best=best, quantity=None, joint_value=None)

    def pay(bids: Any, x: Any, public: Any) -> Any:
        return np.zeros_like(bids)

    always = mk.Mechanism(setting, lambda bids, public: highest(bids), pay)
    heads = mk.Mechanism(
        setting, lambda bids, public: highest(bids) & (public["coin"] > 0)[..., None], pay
    )
    assert loss(always, F(1, 2), 1) == F(1, 2)
    assert loss(heads, F(1, 2), 1) == 0
    verdicts = [mk.verify(m, "efficient", evaluations=4000)["efficient"] for m in (always, heads)]
    assert [v.status for v in verdicts] == [Status.REFUTED, Status.UNREFUTED]


# Search -------------------------------------------------------------------------------------------


def test_the_smallest_loss_is_exact_and_told_with_a_best_allocation() -> None:
    report = mk.verify(ENTRIES["second-price-reserve"].make(), "efficient", evaluations=5000)
    found = report["efficient"].counterexample
    assert found is not None
    assert found.arithmetic == "exact"
    assert found.gain == max(found.types) < F(1, 2)


def test_a_tie_that_only_ties_show_is_found() -> None:
    verdict = mk.verify(ENTRIES["second-price-strict"].make(), "efficient", evaluations=20_000)[
        "efficient"
    ]
    assert verdict.status is Status.REFUTED
    first, second, *_ = sorted(verdict.counterexample.types, reverse=True)
    assert first == second == verdict.counterexample.gain


@pytest.mark.parametrize("kept", [1.0, 0.4])
def test_opaque_rules_are_judged_in_floats(kept: float) -> None:
    """float(…) hides the rule from every other arithmetic; rounding must not look like a loss."""

    def allocate(bids: Any) -> Any:
        rows = [[float(b) for b in row] for row in bids]
        return np.array(
            [[i == row.index(max(row)) and max(row) <= kept for i in range(3)] for row in rows]
        )

    opaque = mk.Mechanism(mk.single_item(3, low=-1), allocate, pay_second)
    verdict = mk.verify(opaque, "efficient", evaluations=5000)["efficient"]
    assert verdict.status is Status.REFUTED  # at kept = 1.0 where all values are negative
    assert verdict.counterexample.arithmetic == "float64"
    sound = mk.Mechanism(mk.single_item(3), allocate, pay_second)
    status = mk.verify(sound, "efficient", evaluations=5000)["efficient"].status
    assert status is (Status.UNREFUTED if kept == 1 else Status.REFUTED)


# Proofs -------------------------------------------------------------------------------------------

PROVED = """second-price vcg-single-item third-price all-tied-bidders-win uniform-price
cavallo-two-units vickrey-multi-unit position-vcg gsp clarke-project clarke-project-groves
expected-externality vcg-market vcg-bilateral clearing-midpoint mcafee-no-reduction vcg-assignment
vcg-known-bundles vcg-single-minded vcg-packages second-price-items generalised-vickrey wallet-game
scaled-second-price double-or-nothing reverse-vickrey"""
FOUND = """second-price-reserve second-price-strict posted-price boosted-clarke raffle
myerson-unlike-bidders random-sampling position-vcg-reserve equal-shares kelly-proportional
majority-vote mcafee trade-reduction posted-market muda serial-dictatorship weighted-assignment
greedy-assignment vcg-adds-up public-reserve madda-double-dutch"""


@pytest.mark.parametrize("key", PROVED.split())
def test_efficient_rules_are_proved_so_for_every_type(key: str) -> None:
    assert ENTRIES[key].truth["efficient"]
    assert isinstance(prove(ENTRIES[key].make(), EFFICIENT, seconds=60), Proved)


@pytest.mark.parametrize("key", FOUND.split())
def test_provers_find_what_is_lost(key: str) -> None:
    mechanism = ENTRIES[key].make()
    attempt = prove(mechanism, EFFICIENT, seconds=60)
    assert isinstance(attempt, Found)
    assert negative(margins(mechanism, EFFICIENT, attempt.check, attempt.case)[0])
    assert not ENTRIES[key].truth["efficient"]


@pytest.mark.parametrize("at", [F(999_999, 10**6), F(1, 2)])
def test_a_sliver_that_is_not_sold_is_never_proved(at: F) -> None:
    """A window of a millionth in which the item is kept."""

    def allocate(bids: Any) -> Any:
        top = np.max(bids, axis=-1, keepdims=True)
        return highest(bids) & ~((top > at) & (top < at + F(1, 10**6)))

    needle = mk.Mechanism(mk.single_item(2), allocate, pay_second)
    assert isinstance(prove(needle, EFFICIENT, seconds=60), Found)


def test_larger_markets_are_proved_too() -> None:
    for mechanism in (second_price(7), mk.Mechanism.groves(mk.double_auction(2, 2)), midpoint()):
        assert isinstance(prove(mechanism, EFFICIENT, seconds=60), Proved)


def test_a_certificate_is_checked_against_the_setting_that_it_is_for() -> None:
    mechanism = second_price(3)
    attempt = prove(mechanism, EFFICIENT, seconds=60)
    assert isinstance(attempt, Proved)
    certificate = Certificate(attempt.method, attempt.domain, attempt.tool, attempt.argument)
    options = {"reference": "here", "digest": "0", "version": mk.__version__}
    data = json.loads(json.dumps(to_json(certificate, "efficient", mechanism, **options)))
    assert check(mechanism, data, seconds=60).confirmed
    # Two units: whoever is second loses now.
    two = mk.Mechanism(mk.multi_unit(3, 2), highest, pay_second, name=mechanism.name)
    assert not check(two, data, seconds=60).confirmed


# Stories ------------------------------------------------------------------------------------------


def told(mechanism: mk.Mechanism, *types: Any) -> str:
    profile = np.empty((1, *mechanism.setting.types.shape), dtype=object)
    profile[0] = np.vectorize(F, otypes=[object])(np.array(types, dtype=object))
    case = Case("profile", (), {"types": profile})
    found = counterexample(mechanism, EFFICIENT, 0, case, "exact")
    return story(found, mechanism.setting)


def test_the_story_shows_what_is_done_and_what_could_be() -> None:
    text = told(ENTRIES["second-price-reserve"].make(), F(1, 4), F(1, 3), 0)
    assert "truth: allocation (0, 0, 0), welfare 0\n" in text
    assert "best:  allocation (0, 1, 0), welfare 1/3 ≈ 0.333\n" in text
    assert "1/3 ≈ 0.333 is lost." in text
    text = told(ENTRIES["trade-reduction"].make(), 1, F(3, 4), 0, F(1, 4))
    assert "truth: allocation (1, 0, 1, 0), welfare (values less costs) 1\n" in text
    assert "best:  allocation (1, 1, 1, 1), welfare 3/2 = 1.5\n" in text
    text = told(ENTRIES["equal-shares"].make(), 1, F(1, 2), 0)
    assert "best:  welfare 1\n" in text  # what can be shared in any way is not listed
    text = told(ENTRIES["random-reserve"].make(), F(1, 2), 0, 0)
    assert "best:  welfare 1/2 = 0.5\n" in text  # each draw has its own


# Optima that are none -----------------------------------------------------------------------------


def _declared(best):
    return replace(mk.single_item(2), first_best=best)


def _to_the_first(bids):
    return (bids >= 0) & (np.arange(2) == 0), bids * 0


def test_an_optimum_of_nothing_proves_nothing_and_confirms_nothing():
    free = mk.Mechanism.from_outcome(_declared(lambda t: 0 * np.max(t, axis=-1)), _to_the_first)
    attempt = prove(free, EFFICIENT)
    assert isinstance(attempt, GaveUp)
    assert "first_best" in attempt.reason
    with pytest.raises(mk.InputError, match="first_best"):
        mk.verify(free, ["efficient"], evaluations=1000, workers=1)


def test_an_optimum_beyond_reach_on_a_thin_set_refutes_nothing():
    """Only a prover finds the set; the witness would name a loss that nobody could avoid."""

    def best(types):
        thin = (types[:, 0] > 0.3111) & (types[:, 0] < 0.3112)
        return np.max(types, axis=-1) + thin * 1

    sound = mk.Mechanism(_declared(best), highest, pay_second)
    assert isinstance(prove(sound, EFFICIENT), Found)
    with pytest.raises(mk.InputError, match="reaches only"):
        mk.verify(sound, ["efficient"], evaluations=1000, workers=1, prove=True)


def test_a_proof_says_whose_word_the_optimum_is():
    assert "what the setting declares" in prove(second_price(2), EFFICIENT).domain
    listed = replace(mk.single_item(2), first_best=None)
    attempt = prove(mk.Mechanism(listed, highest, pay_second), EFFICIENT)
    assert "the outcomes that it lists" in attempt.domain


def test_a_constant_optimum_keeps_all_its_digits():
    """As a float, and then as the simplest number that it stands for, this one would be 1/3."""
    worth = F(333333333333333333, 10**18)
    setting = mk.Setting(
        name="one prize",
        types=mk.box(1),
        allocation_shape=(1,),
        value=lambda types, x: x * 1 * worth + types * 0,
        slack=lambda x: np.concatenate([x * 1, 1 - x * 1], axis=-1),
        first_best=lambda types: np.full(len(types), worth, dtype=object),
    )
    given = mk.Mechanism.from_outcome(setting, lambda bids: (bids >= 0, bids * 0))
    assert isinstance(prove(given, EFFICIENT), Proved)
    assert mk.verify(given, ["efficient"], evaluations=1000, workers=1).ok
