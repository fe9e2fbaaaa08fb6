"""Pages and JSON: every verdict in a word, and never more than is known."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

import mechkit as mk
from mechkit import witness
from mechkit.report import MEANINGS, STYLES, as_json, numbers, render, short_of, summary
from mechkit.story import story
from mechkit.verdict import Certificate, Effort, Report, Status, Verdict, seconds_text
from tests.rules import first_price


def printed(page, width, **options):
    console = Console(file=io.StringIO(), width=width, **options)
    console.print(page)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def searched():
    auction = first_price(3)
    return auction, mk.verify(auction, evaluations=20_000)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_page_fits_and_says_every_verdict_in_a_word(searched, width):
    auction, report = searched
    text = printed(render(report, auction.setting), width)
    assert max(map(len, text.splitlines())) <= width
    for verdict in report:
        (line,) = [row for row in text.splitlines() if row.startswith(f"{verdict.property} ")]
        assert f" {verdict.status}" in line
    assert "\x1b" not in text


def test_unrefuted_never_reads_as_holds(searched):
    auction, report = searched
    text = " ".join(printed(render(report, auction.setting), 100).split())
    assert "unrefuted: searched, and no violation found; this does not say that it holds." in text
    assert "proved:" not in text
    assert "holds" not in text.replace("does not say that it holds", "")
    found = {verdict.status for verdict in report}
    assert all((f"{s}: {MEANINGS[s]}" in text) == (s in found) for s in MEANINGS)


def test_colour_repeats_the_word(searched):
    auction, report = searched
    coloured = printed(render(report, auction.setting), 100, force_terminal=True)
    assert "\x1b[1;31mrefuted" in coloured
    assert set(STYLES) == set(Status)


def test_width_narrows_the_page(searched):
    auction, report = searched
    text = printed(render(report, auction.setting, width=70), 200)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 70


def test_one_case_that_refutes_two_properties_is_told_once(searched):
    auction, report = searched
    assert report["ic"].counterexample.case.arrays["lies"].tolist() == (
        report["ex_post_nash"].counterexample.case.arrays["lies"].tolist()
    )
    text = printed(render(report, auction.setting), 100)
    assert text.count("The lie gains") == 1
    assert "ic, ex_post_nash refuted" in text


def of(status, **more):
    return Verdict("ic", status, **more)


def test_proofs_and_unknowns_show_what_they_rest_on():
    setting = mk.single_item(3)
    certificate = Certificate("smt", "3 agents, types in [0, 1]", "z3 5.4")
    verdicts = {
        "ic": of(Status.PROVED, certificate=certificate),
        "ir": replace(of(Status.UNKNOWN, reason="the rule branches in Python"), property="ir"),
    }
    report = Report("a", setting.name, verdicts, 0, 0.1)
    text = printed(render(report, setting), 100)
    assert "smt, 3 agents, types in [0, 1], z3 5.4" in text
    assert "the rule branches in Python" in text
    assert summary(report) == "1 proved, 1 unknown"


def test_rounding_dust_is_not_shown_as_a_margin():
    setting = mk.single_item(2)
    effort = Effort(profiles=5, deviations=20_000, smallest=-2e-16, notes=("a note",))
    report = Report("a", setting.name, {"ic": of(Status.UNREFUTED, effort=effort)}, 0, 0.1)
    text = printed(render(report, setting), 100)
    assert "20 k deviations, 5 profiles, smallest margin 0; a note" in text
    assert as_json(report, setting)["verdicts"]["ic"]["effort"]["smallest"] == -2e-16


@pytest.mark.parametrize(
    ("status", "proved", "decided"),
    [
        (Status.PROVED, True, True),
        (Status.REFUTED, False, True),
        (Status.UNREFUTED, False, False),
        (Status.UNKNOWN, False, False),
        (Status.NOT_APPLICABLE, True, True),
    ],
)
def test_what_is_required(status, proved, decided):
    report = Report("a", "s", {"ic": of(status)}, 0, 0.0)
    assert (not short_of(report, "proved")) == proved
    assert (not short_of(report, "all-decided")) == decided


def test_json_holds_witnesses_that_replay(searched):
    auction, report = searched
    data = json.loads(json.dumps(as_json(report, auction.setting, digest="d"), allow_nan=False))
    assert set(data["verdicts"]) == set(report.verdicts)
    assert data["ok"] is False
    for name, verdict in data["verdicts"].items():
        assert verdict["status"] == report[name].status
        assert (verdict["witness"] is not None) == (verdict["status"] == "refuted")
        if verdict["witness"] is not None:
            again = witness.replay(auction, verdict["witness"])
            assert again.confirmed
            assert story(again.counterexample, auction.setting) == story(
                report[name].counterexample, auction.setting
            )


def test_infinite_margins_become_null():
    effort = Effort(smallest=float("inf"))
    report = Report("a", "s", {"ic": of(Status.UNREFUTED, effort=effort)}, 0, 0.0)
    data = as_json(report, mk.single_item(2))
    assert data["verdicts"]["ic"]["effort"]["smallest"] is None
    json.dumps(data, allow_nan=False)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (9999, "9999"),
        (10_000, "10 k"),
        (999_499, "999 k"),
        (999_500, "1.0 M"),
        (1_234_567, "1.2 M"),
    ],
)
def test_counts_are_short(count, text):
    assert numbers(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3.99999, "4 s"),
        (4, "4 s"),
        (0.25, "0.25 s"),
        (0.1 + 0.2, "0.3 s"),
        (2.5, "2.5 s"),
        (9.9499, "9.9 s"),
        (9.96, "10 s"),
        (59.9997, "60 s"),
        (600, "600 s"),
        (0.0004, "less than 0.01 s"),
    ],
)
def test_durations_are_said_as_one_says_them(seconds, text):
    assert seconds_text(seconds) == text


def test_a_limit_that_was_reached_is_a_plain_number(monkeypatch):
    """What is left of a budget is 3.99999 s, and the reason says 4 s."""
    from mechkit.properties import PROPERTIES
    from mechkit.prove import piecewise

    clock = iter([100.0] + [200.0] * 50)
    monkeypatch.setattr(piecewise.time, "monotonic", lambda: next(clock))
    left = piecewise.prove(first_price(), PROPERTIES["ic"], seconds=3.9999912)
    assert "the time limit of 4 s is reached" in left.reason
