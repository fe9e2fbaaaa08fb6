"""Claims of papers: what is found, how it compares with what was expected, files, page, replay."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import toy_paper
from commands import refused, run

from mechkit import papers
from mechkit.audit import check, with_claims
from mechkit.audit.claims import compare
from mechkit.audit.curve import curve
from mechkit.audit.page import page
from mechkit.papers import Effort
from mechkit.verify import verify

EFFORT = Effort(evaluations=20_000)


pytestmark = pytest.mark.usefixtures("toy_papers")


def found(name):
    return check(papers.claim_of(name), EFFORT)


@pytest.mark.parametrize(
    ("name", "status", "agreement"),
    [
        ("toy.ic", "proved", "agrees"),
        ("toy.ic/own-bid", "refuted", "agrees"),
        ("toy.ic/seller", "refuted", "agrees"),
        ("toy.sums", "refuted", "agrees"),
        ("toy.vacuous", "unknown", "undecided"),
        ("toy.breaks", "error", "DISAGREES"),
        ("toy.wrong", "refuted", "DISAGREES"),
    ],
)
def test_a_claim_is_put_to_the_toolkit(name, status, agreement):
    claim = found(name)
    assert (claim.status, claim.agreement) == (status, agreement)
    assert claim.ok is (agreement != "DISAGREES")


def test_what_nothing_exercised_is_not_said_to_hold():
    claim = found("toy.vacuous")
    assert claim.exercised == 0
    assert "vacuous" in claim.evidence


@pytest.mark.parametrize("status", ["refuted", "proved", "unrefuted", "unknown"])
@pytest.mark.parametrize("expected", [True, False, None])
def test_words_match_the_evidence(expected, status):
    agreement = compare(expected, status)
    if expected is False:
        assert agreement == ("agrees" if status == "refuted" else "DISAGREES")
    if expected is True and status == "refuted":
        assert agreement == "DISAGREES"
    if status == "unknown":
        assert agreement != "agrees"


def test_a_fact_whose_numbers_do_not_bear_it_out_disagrees(monkeypatch):
    honest = papers.claim_of("toy.sums")

    def idle(effort):
        return papers.Finding(honest_status, "arithmetic", "", numbers={"weights": ["1/2", "1/2"]})

    honest_status = honest.how.decide(EFFORT).status
    claim = replace(honest, how=replace(honest.how, decide=idle))
    result = check(claim, EFFORT)
    assert result.agreement == "DISAGREES"
    assert "sum to 1" in result.replays


def test_the_curve_is_the_mechanism_played_by_hand():
    mechanism = papers.mechanism_of("toy/first-price")
    verdict = verify(mechanism, "ic", evaluations=20_000)["ic"]
    drawn = curve(mechanism, verdict.counterexample, seed=0)
    value = float(verdict.counterexample.types[drawn["agent"]])
    (other,) = drawn["others"]
    for report, utility in zip(drawn["reports"], drawn["utilities"], strict=True):
        wins = report > other or (report == other and drawn["agent"] == 0)
        assert utility == pytest.approx((value - report) * wins, abs=1e-11)
    assert drawn["at_lie"] > drawn["at_truth"]


def test_nothing_lies_above_the_truth_of_a_truthful_auction():
    drawn = curve(papers.mechanism_of("toy/second-price"), None, seed=3)
    assert max(drawn["utilities"]) <= drawn["at_truth"] + 1e-12
    assert drawn["at_truth"] > 0


def test_everything_is_saved_and_replays(tmp_path):
    result = with_claims(None, save=tmp_path, workers=1, evaluations=20_000)
    data = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert [claim["claim"] for claim in data["claims"]] == [c.claim for c in result.claims]
    for claim in data["claims"]:
        assert {"paper", "claim", "where", "status", "method", "evidence", "seconds"} <= set(claim)
    kinds = {path.name.split(".")[-2] for path in tmp_path.glob("toy.*.json")}
    assert {"witness", "certificate", "fact"} <= kinds
    for path in tmp_path.glob("toy.*"):
        if not path.name.endswith(".claim.json"):
            assert "confirmed" in run("replay", path).stdout


def test_a_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    with_claims(None, ["toy.ic", "toy.sums"], save=tmp_path, workers=1, evaluations=20_000)
    asked = []
    monkeypatch.setattr(
        "mechkit.audit.claims.run_task",
        lambda task: asked.append(task.claim) or check(papers.claim_of(task.claim), task.effort),
    )
    with_claims(None, save=tmp_path, workers=1, evaluations=20_000)
    assert "toy.ic" not in asked
    assert "toy.ic/own-bid" in asked
    asked.clear()
    with_claims(None, save=tmp_path, workers=1, evaluations=20_001)
    assert "toy.ic" in asked  # another budget is another question


def test_an_edited_fact_is_not_confirmed(tmp_path):
    with_claims(None, ["toy.sums"], save=tmp_path, workers=1)
    path = tmp_path / "toy.sums.fact.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    data["numbers"]["weights"] = ["1/3", "2/3"]
    path.write_text(json.dumps(data), encoding="utf-8")
    assert "not confirmed" in run("replay", path, code=1).stdout
    del data["numbers"]
    path.write_text(json.dumps(data), encoding="utf-8")
    assert "numbers" in refused("replay", path)


def test_the_page_stands_alone_and_escapes_what_it_shows():
    html = page(with_claims(None, workers=1, evaluations=20_000))
    assert "<b>even so</b>" not in html
    assert "&lt;b&gt;even so&lt;/b&gt;" in html
    # Nothing is fetched: no address, no reference to a file.
    assert not re.search(r"(https?:)?//[a-z]", html)
    assert not re.search(r"<(link|img|iframe)|src=", html)
    for claim in papers.claims():
        assert f'id="{claim}"' in html
    assert "w_a = (1/a) / (3/2)" in html
    assert html.count('<figure class="utility">') == 5


def test_the_command_shows_claims_and_exits_by_agreement(tmp_path):
    chosen = ("--only", "toy.ic", "--only", "toy.sums", "--workers", "1")
    agreed = run("audit", *chosen, "--save", tmp_path)
    assert "toy.sums" in agreed.stdout
    assert (tmp_path / "audit.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    wrong = run("audit", "--only", "toy.wrong", "--workers", "1", code=1)
    assert "1 claim disagrees" in wrong.stdout
    data = json.loads(run("audit", *chosen, "--json").stdout)
    assert data["ok"] is True
    assert data["claims"][0]["file"]["format"].startswith("mechkit-certificate")


def test_unknown_names_are_refused():
    assert "toy.sums" in refused("audit", "--only", "toy.sum")
    assert "no paper" in refused("verify", "nowhere/first-price")
    assert "bilateral" in refused("verify", "toy/second")


def test_a_mechanism_of_a_paper_is_verified_like_any_other():
    assert "refuted" in run("verify", "toy/bilateral:seller", "--properties", "ic", code=1).stdout
    assert np.isfinite(papers.paper_of("toy").market.optimum(np.ones((2, 5)))).all()


def test_a_claim_less_its_reading_stands_for_all_of_them(monkeypatch):
    claims = [replace(c, id=c.id.replace("toy.ic/", "toy.lies/")) for c in toy_paper.PAPER.claims]
    monkeypatch.setattr(toy_paper, "PAPER", replace(toy_paper.PAPER, claims=tuple(claims)))
    papers.paper_of.cache_clear()
    assert papers.readings_of("toy.lies") == ["toy.lies/own-bid", "toy.lies/seller"]
    assert papers.readings_of("toy.ic") == ["toy.ic"]
    assert papers.readings_of("toy") == [claim.id for claim in claims]
    assert "toy.lies" in refused("audit", "--only", "toy.lie")
    shown = run("audit", "--only", "toy.lies", "--workers", "1").stdout
    assert "toy.lies/own-bid" in shown
    assert "toy.lies/seller" in shown
    assert "toy.sums" not in shown


def test_the_page_counts_what_was_put_to_a_claim_and_says_how_to_replay_it():
    claims = with_claims(None, ["toy.ic", "toy.sums"], workers=1, evaluations=20_000)
    asked, computed = claims.claims
    shown = page(replace(claims, claims=(asked, replace(computed, exercised=1))))
    assert f"by {asked.exercised:,} trades" in shown
    assert "by 1 case<" in shown
    assert "mechkit replay toy.ic.certificate.json" in shown
    assert "mechkit replay toy.sums.fact.json" in shown
