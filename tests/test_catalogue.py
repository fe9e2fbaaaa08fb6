"""The truth tables: every cell that a small grid can decide is decided by brute force.

`oracle` shares no code with the search that the catalogue judges. A cell that holds must show no
violation on its grids; a cell that fails must show one. The few failures that a coarse grid steps
over are listed here, each with the grid that shows it.
"""

from fractions import Fraction as F

import pytest

from mechkit.catalogue import entries
from mechkit.properties import PROPERTIES
from tests.oracle import judge

ENTRIES = entries()
TRIVIAL = {"feasible"}

# Where five equally spaced numbers miss a violation: how many, or which, do not.
FINER = {
    "incumbent-discount": {"points": 9},
    "outlier-struck-out": {"points": 9},
}
# Or for one property only: who is apart by less than a tick.
CLOSE = {("madda-double-dutch", "efficient"): {"axis": (1, F(201, 4), F(101, 2), 75, 100)}}
LIMIT = 1_000_000


@pytest.mark.parametrize("key", ENTRIES)
def test_brute_force_confirms_the_truth_table(key):
    entry = ENTRIES[key]
    mechanism = entry.make()
    disagree, undecided = {}, []
    for name, holds in entry.truth.items():
        options = FINER.get(key, {}) | CLOSE.get((key, name), {})
        found = judge(mechanism, name, limit=LIMIT, **options)
        if found.decided == "cannot":
            undecided.append((name, found.reason))
        elif (found.decided == "violated") == holds:
            disagree[name] = (holds, found.decided, found.witness)
    assert disagree == {}
    assert undecided == []


def test_there_are_enough_sound_and_faulty_entries():
    faulty = sum(entry.faulty for entry in ENTRIES.values())
    assert faulty >= 40
    assert len(ENTRIES) - faulty >= 40


def test_every_fault_breaks_something_that_matters():
    headline = {
        "feasible", "ir", "ic", "ex_post_nash", "interim_ir", "weak_budget_balance",
        "no_positive_transfers", "false_name_proof", "revenue_monotone", "anonymous",
        "critical_payment", "adverse_selection_free", "envy_free",
    }  # fmt: skip
    for key, entry in ENTRIES.items():
        if entry.faulty:
            assert any(not entry.truth.get(name, True) for name in headline), key


@pytest.mark.parametrize("name", sorted(set(PROPERTIES) - TRIVIAL))
def test_each_property_holds_and_fails_at_least_twice(name):
    cells = [entry.truth[name] for entry in ENTRIES.values() if name in entry.truth]
    assert cells.count(True) >= 2
    assert cells.count(False) >= 2


def test_infeasible_allocations_are_among_the_faults():
    assert sum(not entry.truth["feasible"] for entry in ENTRIES.values()) >= 2


def test_every_entry_has_a_source_and_a_line_of_its_own():
    for key, entry in ENTRIES.items():
        assert key == key.lower()
        assert " " not in key
        assert len(entry.source) >= 8, key
        assert set(entry.because) <= set(entry.truth), key
    assert len({entry.make().name for entry in ENTRIES.values()}) >= 0.9 * len(ENTRIES)


def test_myersons_reserve_for_uniform_values_is_one_half():
    """ψ(v) = 2v − 1 on U[0, 1]: the optimal auction sells above 1/2 (Myerson 1981)."""
    import numpy as np

    mechanism = ENTRIES["second-price-reserve"].make()
    low = np.array([[0.49, 0.2, 0.1], [0.51, 0.2, 0.1]])
    sold = np.asarray(mechanism.allocate(low)).any(axis=-1).tolist()
    assert sold == [False, True]
    assert F(1, 2) == F(str(mechanism.pay(low, mechanism.allocate(low))[1, 0]))
