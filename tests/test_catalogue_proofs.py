"""The catalogue at full size: what holds is proved, and what fails is refuted by solvers alone.

Every piecewise-linear entry, with at least three agents, three a side in double auctions. Time
limits are generous: none of these questions is open.
"""

import pytest

import mechkit.prove.piecewise as piecewise
from mechkit.catalogue import entries
from mechkit.properties import PROPERTIES
from mechkit.prove import GaveUp, Proved, prove
from mechkit.prove.attempt import Found
from mechkit.replay import margins, negative

ENTRIES = entries()
SECONDS = 120
NAMES = ("ic", "ir", "weak_budget_balance", "strong_budget_balance", "monotone")

# A bundle of size s is ranked by value over the root of s (Lehmann, O'Callaghan & Shoham 2002), and
# the roots multiply reports: these rules are not piecewise linear.
ROOTS = {
    "greedy-single-minded",
    "greedy-known-bundles",
    "greedy-by-value",
    "greedy-next-in-line",
    "greedy-forgets-size",
    "greedy-ties",
}


def large(key):
    """The entry's mechanism with three agents or more, if its declaration serves so many."""
    mechanism = ENTRIES[key].make()
    counts = mechanism.setting.role_counts()
    least = 3 if len(counts) == 1 else {role: max(3, n) for role, n in counts.items()}
    if mechanism.setting.agents < 3 or (len(counts) > 1 and min(counts.values()) < 3):
        return mechanism if mechanism.setting.resize is None else mechanism.resized(least)
    return mechanism


def cells(faulty, holds):
    return [
        (key, name)
        for key, entry in ENTRIES.items()
        for name in NAMES
        if entry.faulty == faulty and entry.truth.get(name) is holds and key not in ROOTS
    ]


@pytest.mark.parametrize(("key", "name"), cells(faulty=False, holds=True))
def test_what_holds_of_a_sound_entry_is_proved(key, name):
    assert isinstance(prove(large(key), PROPERTIES[name], seconds=SECONDS), Proved)


@pytest.mark.parametrize(("key", "name"), cells(faulty=True, holds=False))
def test_what_fails_of_a_faulty_entry_is_refuted_without_a_search(key, name, monkeypatch):
    monkeypatch.setattr(piecewise, "_by_paths", lambda *a: GaveUp("not asked"))
    mechanism, prop = ENTRIES[key].make(), PROPERTIES[name]
    attempt = prove(mechanism, prop, seconds=SECONDS)
    assert isinstance(attempt, Found)
    assert negative(margins(mechanism, prop, attempt.check, attempt.case)[0])


@pytest.mark.parametrize("key", sorted(ROOTS))
def test_what_is_not_piecewise_linear_stays_open_and_says_why(key):
    attempt = prove(ENTRIES[key].make(), PROPERTIES["ic"], seconds=SECONDS)
    assert isinstance(attempt, GaveUp)
    assert "linear" in attempt.reason or "sqrt" in attempt.reason, attempt.reason


def test_almost_all_of_the_catalogue_is_covered():
    assert len(cells(faulty=False, holds=True)) >= 200
    assert len(cells(faulty=True, holds=False)) >= 150
