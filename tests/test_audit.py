"""The audit: both sides of every cell, and witnesses that replay."""

import io
import itertools
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from rich.console import Console

import mechkit as mk
from mechkit import audit as audits
from mechkit.audit import Agreement, audit, compare, soak
from mechkit.audit.table import render
from mechkit.catalogue.entry import Entry
from mechkit.errors import InputError
from mechkit.verdict import Status
from tests.audited import FIRST, SECOND, audited, cell
from tests.rules import first_price, second_price

# One cell -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("expected", [True, False, None])
def test_what_agrees_and_what_does_not(status, expected):
    for estimated, replays in itertools.product([False, True], repeat=2):
        found = compare(expected, status, estimated=estimated, replays=replays)
        if status is Status.NOT_APPLICABLE:
            right = Agreement.NOT_APPLICABLE if expected is None else Agreement.DISAGREES
        elif expected is None:
            right = Agreement.UNDECLARED
        elif expected is False:
            right = Agreement.DISAGREES
            if status is Status.REFUTED and replays:
                right = Agreement.REFUTED
        else:
            right = {
                Status.REFUTED: Agreement.DISAGREES,
                Status.PROVED: Agreement.NOT_REFUTED,
                Status.UNREFUTED: Agreement.NOT_REFUTED,
                Status.UNKNOWN: Agreement.NOT_REFUTED if estimated else Agreement.DISAGREES,
            }[status]
        assert found is right


def test_a_right_table_agrees_in_every_cell():
    seen = []
    result = audited(SECOND, FIRST, progress=lambda share, key: seen.append((share, key)))
    assert [(row.key, c.property, c.evidence) for row, c in result.disagreements] == []
    assert result.ok
    assert seen == [(0.5, "second"), (1.0, "first")]
    assert cell(result, "first", "ic").agreement is Agreement.REFUTED
    assert cell(result, "second", "ic").agreement is Agreement.NOT_REFUTED
    assert cell(result, "second", "cyclic_monotone").agreement is Agreement.NOT_APPLICABLE
    assert cell(result, "second", "bic").agreement is Agreement.UNDECLARED
    assert cell(result, "second", "bic").ok
    assert result.counts["agrees: refuted"] == 4 + 7
    assert result.counts["agrees: not refuted"] == 15 + 12
    # Only the faulty entry is timed, on truthfulness.
    second, first = result.rows
    assert (second.headline, second.refuted_after) == (None, None)
    assert first.headline == "ic"
    assert result.refutation_seconds["entries"] == 1
    assert result.refutation_seconds["median"] == result.refutation_seconds["max"]
    assert first.refuted_after == result.refutation_seconds["max"] > 0


def test_a_refuted_cell_keeps_a_witness_in_exact_numbers():
    found = cell(audited(FIRST), "first", "ic").witness
    (types,), ((lie,),) = found["arrays"]["types"], found["arrays"]["lies"]
    assert Fraction(found["gain"]) == Fraction(types[found["who"][0]]) - Fraction(lie)


def test_the_same_seed_gives_the_same_cells():
    once, again = audited(FIRST, seed=3), audited(FIRST, seed=3)
    assert once.rows[0].cells == again.rows[0].cells


@pytest.mark.parametrize(
    ("change", "name", "status", "evidence"),
    [
        ({"holds": "ic", "fails": ""}, "ic", "refuted", "gain 1 (money, exact)"),
        ({"holds": "", "fails": "ir"}, "ir", "unrefuted", "smallest margin"),
        ({"holds": "", "fails": ""}, "feasible", "unrefuted", "smallest margin"),
        ({"holds": "cyclic_monotone", "fails": ""}, "cyclic_monotone", "not applicable", "monoton"),
        ({"holds": "truthful", "fails": ""}, "truthful", "error", "no property of this name"),
        ({"holds": "ir", "fails": "ir"}, "ir", "unrefuted", "declared to hold and to fail"),
    ],
)
def test_a_wrong_declaration_disagrees(change, name, status, evidence):
    result = audited(replace(FIRST, because={"ir": "a reason"}, **change))
    wrong = cell(result, "first", name)
    assert not wrong.ok
    assert not result.ok
    assert wrong.status == status
    assert evidence in wrong.evidence
    assert wrong.claim == ("a reason" if name == "ir" else FIRST.source)


def test_a_page_shows_both_sides_of_a_disagreement():
    lie = replace(FIRST, holds="ic", fails="ir", because={"ic": "a hasty proof"})
    page = io.StringIO()
    Console(file=page, width=120).print(render(audited(SECOND, lie)))
    text = " ".join(page.getvalue().replace("│", " ").split())
    assert "first: ic DISAGREES (seed 0)" in text
    assert "declared: holds (a hasty proof) found: refuted: gain 1 (money, exact)" in text
    assert "The lie gains 1." in text
    assert "first: ir DISAGREES (seed 0)" in text
    assert f"declared: fails ({FIRST.source}) found: unrefuted" in text
    assert "faulty and not refuted: first (ir)" in text
    assert "cells disagree" in text


def test_a_page_without_disagreements_says_so():
    page = io.StringIO()
    Console(file=page, width=80).print(render(audited(FIRST)))
    assert "every cell agrees with the truth table" in page.getvalue()
    assert "1 entry, seed 0, 20,000 evaluations each" in page.getvalue()


def test_what_exercised_nothing_does_not_hold():
    never = Entry(
        "never",
        lambda: mk.Mechanism(
            mk.single_item(3), lambda b: b * 0, lambda b, x: np.zeros_like(b), name="never"
        ),
        "ic",
        "",
        "",
    )
    found = cell(audited(never), "never", "ic")
    assert (found.agreement, found.vacuous) == (Agreement.DISAGREES, True)


def test_a_witness_counts_only_if_another_build_of_the_entry_replays_it():
    made = []

    def make():
        made.append(None)
        # The third build is the first that a witness is replayed on.
        return first_price() if len(made) != 2 else second_price()

    result = audited(Entry("moody", make, "", "ic ex_post_nash", ""))
    first, second = cell(result, "moody", "ic"), cell(result, "moody", "ex_post_nash")
    assert {first.agreement, second.agreement} == {Agreement.DISAGREES, Agreement.REFUTED}
    wrong = first if first.agreement is Agreement.DISAGREES else second
    assert "it does not replay: the margin is" in wrong.evidence


@pytest.mark.parametrize("where", ["make", "rule"])
def test_an_entry_that_raises_is_a_row_and_not_the_end(where):
    def broken(*args):
        raise ZeroDivisionError("on purpose")

    bad = mk.Mechanism(mk.single_item(3), broken, lambda b, x: x * b, name="bad")
    make = broken if where == "make" else lambda: bad
    result = audited(Entry("bad", make, "ir", "ic", "", faulty=True), SECOND)
    bad_row, good_row = result.rows
    assert "on purpose" in bad_row.error
    assert {(c.property, c.agreement) for c in bad_row.cells} == {
        ("ir", Agreement.DISAGREES),
        ("ic", Agreement.DISAGREES),
    }
    assert good_row.error is None
    assert len(good_row.cells) == len(mk.PROPERTIES)
    assert not result.ok


def test_the_summary_is_json():
    data = json.loads(json.dumps(audits.as_json(audited(FIRST))))
    assert data["ok"] is True
    assert data["disagreements"] == []
    assert [row["key"] for row in data["rows"]] == ["first"]
    assert sum(data["counts"].values()) == len(data["rows"][0]["cells"]) == len(mk.PROPERTIES)


# Soak ---------------------------------------------------------------------------------------------


def test_a_soak_asks_only_for_what_is_declared_to_hold():
    result = soak(entries={"first": FIRST}, seeds=(0, 4), factor=2, evaluations=5000)
    assert result.ok
    assert [(row.key, row.seed) for row in result.rows] == [("first", 0), ("first", 4)]
    assert result.evaluations == 10_000
    for row in result.rows:
        assert {c.property for c in row.cells} == set(FIRST.holds.split())
        assert {c.agreement for c in row.cells} == {Agreement.NOT_REFUTED}


def test_a_soak_finds_what_does_not_hold():
    wrong = replace(FIRST, holds="ir ic", fails="")
    result = soak(entries={"first": wrong}, seeds=[1], factor=1, evaluations=5000)
    assert [(row.seed, c.property) for row, c in result.disagreements] == [(1, "ic")]


# Arguments ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keys": ["third"]}, r"keys \['third'\]: expected some of first"),
        ({"keys": "first"}, "keys = 'first': expected several"),
        ({"keys": []}, "keys is empty"),
        ({"seed": -1}, "seed = -1: expected a non-negative integer"),
        ({"evaluations": 0}, "evaluations = 0: expected a positive number"),
        ({"seconds": -1.0}, r"seconds = -1\.0: expected a positive number"),
        ({"workers": 0}, "workers = 0: expected an integer of at least 1"),
    ],
)
def test_bad_arguments_say_what_was_expected(options, message):
    with pytest.raises(InputError, match=message):
        audit(entries={"first": FIRST}, **options)


def test_bad_arguments_of_a_soak():
    with pytest.raises(InputError, match="factor = 0"):
        soak(entries={"first": FIRST}, factor=0)
    with pytest.raises(InputError, match="seeds is empty"):
        soak(entries={"first": FIRST}, seeds=[])
    with pytest.raises(InputError, match="nothing to audit"):
        soak(entries={"first": replace(FIRST, holds="")})


def test_an_unknown_key_of_the_catalogue_gets_near_misses():
    with pytest.raises(InputError, match="did you mean first-price"):
        audit(["first-prise"])
