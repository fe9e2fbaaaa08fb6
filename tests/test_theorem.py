"""Proof by theorem: what must follow does, at any size, and no truth table and no exhaustion denies
what is proved."""

import copy
import json
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest

import mechkit as mk
from mechkit.catalogue import entries
from mechkit.properties import PROPERTIES
from mechkit.prove import GaveUp, Proved, lemma, piecewise, prove, theorem
from mechkit.prove.attempt import Found
from mechkit.prove.certificate import check, explain, to_json
from mechkit.prove.exhaustive import exhaust
from mechkit.verdict import Certificate
from tests.rules import first_price, second_price

ENTRIES = entries()
NAMES = sorted({name for t in theorem.THEOREMS.values() for name in t.consequences})


def rival(others, i):
    return np.max(others, axis=-1)


def follows(mechanism):
    """The properties that follow by theorem alone."""
    return {n for n in NAMES if isinstance(theorem.prove(mechanism, PROPERTIES[n]), Proved)}


def one_of(n):
    """One item for n agents, listed without going through all subsets."""
    outcomes = np.vstack([np.zeros((1, n), dtype=int), np.eye(n, dtype=int)])
    return mk.Mechanism.groves(mk.single_item(n), outcomes=outcomes)


# What must follow -----------------------------------------------------------------------------

SCALAR = "ic ex_post_nash bic ir interim_ir monotone critical_payment"
PAID = "no_positive_transfers weak_budget_balance"
MUST = {
    "one item, 50 agents": (lambda: one_of(50), f"{SCALAR} {PAID} feasible"),
    "assignment 3 × 3": (
        lambda: mk.Mechanism.groves(mk.unit_demand(3, 3)),
        f"ic ex_post_nash ir cyclic_monotone feasible {PAID}",
    ),
    "bundles": (
        lambda: mk.Mechanism.groves(mk.combinatorial(2, 2)),
        f"ic ex_post_nash ir cyclic_monotone feasible {PAID}",
    ),
    "market": (
        lambda: mk.Mechanism.groves(mk.double_auction(2, 1)),
        f"{SCALAR} feasible no_positive_transfers",
    ),
    "project": (
        lambda: mk.Mechanism.groves(mk.public_project(3, 1)),
        f"ic ex_post_nash bic monotone feasible {PAID}",
    ),
    "posted, 100 agents": (
        lambda: mk.Mechanism.posted(mk.multi_unit(100, 5), 0.5),
        f"{SCALAR} {PAID} feasible group_ic non_bossy",
    ),
    "threshold, 100 agents": (
        lambda: mk.Mechanism.threshold(mk.multi_unit(100, 100), rival),
        f"{SCALAR} {PAID}",
    ),
    "strict threshold": (
        lambda: mk.Mechanism.threshold(mk.single_item(3), rival, strict=True),
        f"{SCALAR} {PAID}",
    ),
}


@pytest.mark.parametrize("key", MUST)
def test_what_must_follow_follows_and_nothing_else(key):
    make, names = MUST[key]
    assert follows(make()) == set(names.split())


# No contradiction -----------------------------------------------------------------------------


def test_no_theorem_contradicts_a_truth_table():
    """Every entry × property; at least as many cells as the declared entries give."""
    cells = 0
    for key, entry in ENTRIES.items():
        mechanism = entry.make()
        for name, holds in entry.truth.items():
            if isinstance(theorem.prove(mechanism, PROPERTIES[name]), Proved):
                assert holds, (key, name)
                cells += 1
    assert cells >= 100


LEVELS = (F(-1, 2), 0, F(1, 2), 1)


def some_maximiser(rng):
    """Random weights, boosts and outcomes; some types below 0, so that ir is at stake."""
    setting = mk.single_item(2, low=F(-1, 2), levels=LEVELS[rng.integers(0, 2) :])
    every = np.array([[0, 0], [1, 0], [0, 1]])
    rows = rng.permutation(3)[: rng.integers(1, 4)]
    return mk.Mechanism.affine_maximiser(
        setting,
        weights=[F(int(w), 2) for w in rng.integers(1, 5, size=2)],
        boosts=[F(int(c), 4) for c in rng.integers(-4, 5, size=len(rows))],
        outcomes=every[rows],
        h=(None, lambda r, i: r[:, 1 - i] * 0, lambda r, i: r[:, 1 - i])[rng.integers(0, 3)],
    )


def some_threshold(rng):
    a, b = (F(int(k), 4) for k in rng.integers(-4, 5, size=2))
    setting = mk.multi_unit(2, int(rng.integers(1, 3)), low=F(-1, 2), levels=LEVELS)
    return mk.Mechanism.threshold(
        setting, lambda others, i: others[:, 0] * a + b, strict=bool(rng.integers(0, 2))
    )


def some_prices(rng):
    setting = mk.multi_unit(3, int(rng.integers(1, 4)), levels=(0, F(1, 2), 1))
    return mk.Mechanism.posted(setting, [F(int(k), 4) for k in rng.integers(-2, 5, size=3)])


@pytest.mark.parametrize("make", [some_maximiser, some_threshold, some_prices])
def test_exhaustion_agrees_on_finite_types(make):
    seen = dict.fromkeys(("proved", "refuted"), 0)
    for seed in range(12):
        mechanism = make(np.random.default_rng(seed))
        for name in NAMES:
            prop = PROPERTIES[name]
            if prop.excuse(mechanism.setting) is not None:
                continue
            played = exhaust(mechanism, prop, deadline=None)
            by_theorem = isinstance(theorem.prove(mechanism, prop), Proved)
            assert isinstance(played, Proved | Found), (seed, name, played)
            assert not (by_theorem and isinstance(played, Found)), (seed, name)
            seen["proved"] += by_theorem
            seen["refuted"] += isinstance(played, Found)
    assert seen["proved"] >= 60
    assert seen["refuted"] >= 10


# Certificates ---------------------------------------------------------------------------------


def written(mechanism, name, attempt=None):
    attempt = attempt or prove(mechanism, PROPERTIES[name], seconds=30)
    assert isinstance(attempt, Proved), attempt
    certificate = Certificate(attempt.method, attempt.domain, attempt.tool, attempt.argument)
    data = to_json(certificate, name, mechanism, reference="x", digest="0", version="1")
    return json.loads(json.dumps(data))


def test_a_certificate_says_what_was_checked_and_for_how_many():
    mechanism = mk.Mechanism.groves(mk.single_item(3))
    data = written(mechanism, "ir")
    assert data["method"] == "theorem: affine maximiser (Groves 1973; Roberts 1979)"
    assert data["domain"] == "single item, 3 agents, types in [0, 1]"
    assert check(mechanism, data).confirmed
    text = explain(data)
    for part in ("4 declared outcomes", "Clarke's pivot", "worth less than 0", "at 3 agents"):
        assert part in text
    assert "other numbers" in text
    fixed = mk.Mechanism.posted(mk.single_item(2), [0.25, 0.5])
    assert "other numbers" not in explain(written(fixed, "ic"))


CHANGES = {
    "another property": lambda d: d.update(property="monotone"),
    "a property that does not follow": lambda d: d.update(property="envy_free"),
    "another theorem": lambda d: d["argument"].update(theorem="affine maximiser"),
    "a condition left out": lambda d: d["argument"]["conditions"].pop(),
    "more agents": lambda d: d["argument"].update(agents=5),
    "a larger domain": lambda d: d.update(domain="single item, 3 agents, types in [-9, 9]"),
    "another method": lambda d: d.update(method="theorem"),
    "another tool": lambda d: d.update(tool="a friend"),
    "another kind": lambda d: d["argument"].update(kind="lemma"),
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_certificate_that_was_tampered_with_is_rejected(how):
    mechanism = mk.Mechanism.posted(mk.single_item(3), 0.5)
    data = written(mechanism, "ic")
    changed = copy.deepcopy(data)
    CHANGES[how](changed)
    assert check(mechanism, data).confirmed
    assert not check(mechanism, changed).confirmed


def test_a_certificate_of_another_mechanism_is_rejected():
    mechanism = mk.Mechanism.posted(mk.single_item(3), 0.5)
    data = written(mechanism, "ic")
    pays = replace(mechanism, pay=lambda bids, x: x * bids)
    square = replace(mechanism.setting, value=lambda t, x: t * t * x)
    others = (pays, replace(mechanism, setting=square), mechanism.resized(4), first_price(3))
    for other in others:
        assert not check(other, data).confirmed


# Myerson's lemma ------------------------------------------------------------------------------


def always_wins():
    """The winner wins with every report and pays half of it: at most the lowest type, 1."""
    return mk.Mechanism(
        mk.single_item(2, low=1, high=2),
        lambda bids: np.zeros_like(bids) >= np.arange(2),
        lambda bids, x: x * bids / 2,
    )


def in_the_gap():
    """Types 0, 1, 2; wins from 1 on, and pays 1, but 1/2 for a report of 2."""
    return mk.Mechanism(
        mk.single_item(1, high=2, levels=[0, 1, 2]),
        lambda bids: bids >= 1,
        lambda bids, x: x * np.where(bids >= 2, F(1, 2), 1),
    )


@pytest.mark.parametrize("make", [always_wins, in_the_gap])
def test_critical_payments_alone_do_not_make_truth_dominant(make):
    """Both parts of the lemma as it is usually stated hold, and ic fails."""
    mechanism = make()
    for name in ("critical_payment", "monotone"):
        assert isinstance(piecewise.prove(mechanism, PROPERTIES[name], seconds=30), Proved)
    assert isinstance(piecewise.prove(mechanism, PROPERTIES["ic"], seconds=30), Found)
    assert isinstance(lemma.prove(mechanism, PROPERTIES["ic"], seconds=30), GaveUp)
    assert isinstance(piecewise.prove(mechanism, lemma.STEADY, seconds=30), Found)
    assert isinstance(lemma.prove(mechanism, PROPERTIES["ir"], seconds=30), Proved)


LEMMA = ["second-price", "second-price-reserve", "posted-trade", "first-price", "half-price"]


@pytest.mark.parametrize("key", LEMMA)
def test_the_lemma_is_a_second_proof(key):
    mechanism, truth = ENTRIES[key].make(), ENTRIES[key].truth
    attempt = lemma.prove(mechanism, PROPERTIES["ic"], seconds=60)
    assert isinstance(attempt, Proved) == truth["ic"]


def test_the_lemma_serves_where_the_direct_proof_gives_up(monkeypatch):
    direct = piecewise.prove

    def no_ic(mechanism, prop, **options):
        return GaveUp("not asked") if prop.name == "ic" else direct(mechanism, prop, **options)

    monkeypatch.setattr("mechkit.prove.prove_piecewise", no_ic)
    mechanism = second_price()
    data = written(mechanism, "ic")
    assert "Myerson's lemma" in data["method"]
    assert check(mechanism, data).confirmed
    assert "pays the same for every report that wins" in explain(data)
    assert not check(first_price(3), data).confirmed
    for change in (
        lambda d: d["argument"]["parts"].pop(),
        lambda d: d["argument"]["parts"].reverse(),
        lambda d: d["argument"]["parts"][1].update(argument=d["argument"]["parts"][0]["argument"]),
        lambda d: d["argument"].update(conditions=[]),
        lambda d: d.update(property="monotone"),
        lambda d: d.update(tool="a friend"),
    ):
        changed = copy.deepcopy(data)
        change(changed)
        assert not check(mechanism, changed).confirmed


def test_the_lemma_needs_whole_units_and_plain_values():
    halves = mk.Mechanism(mk.single_item(2), lambda b: b * 0 + F(1, 2), lambda b, x: b * 0)
    square = replace(
        second_price(2), setting=replace(mk.single_item(2), value=lambda t, x: t * t * x)
    )
    for mechanism, why in ((halves, "neither 0 nor 1"), (square, "type times the quantity")):
        attempt = lemma.prove(mechanism, PROPERTIES["ic"], seconds=5)
        assert isinstance(attempt, GaveUp)
        assert why in attempt.reason
