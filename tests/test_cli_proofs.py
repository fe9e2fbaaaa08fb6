"""Proofs on the command line: proved, saved, checked again, explained, rejected when changed."""

import json

import pytest

from tests.commands import QUICK, refused, run, workplace


@pytest.fixture
def here(tmp_path, monkeypatch):
    return workplace(tmp_path, monkeypatch)


def certified(here):
    """The certificate of a proof that the first-price auction is individually rational."""
    options = ("--properties", "ir", "--prove", "--save", "out")
    result = run("verify", "auction.py", *options, *QUICK)
    assert "proved" in result.stdout
    assert "1 certificate beside it" in result.stdout
    return here / "out" / "first_price.ir.certificate.json"


def test_a_proof_is_saved_and_checked_again(here):
    path = certified(here)
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["format"] == "mechkit-certificate/1"
    assert data["mechanism"]["reference"] == "auction.py:first_price"
    assert data["domain"] == "single item, 3 agents, types in [0, 1]"
    assert "confirmed" in run("replay", path).stdout
    again = json.loads(run("replay", path, "--json").stdout)
    assert again["confirmed"] is True
    assert again["property"] == "ir"


def test_a_proof_is_told_in_words(here):
    text = run("show", certified(here)).stdout
    assert "no truthful agent is worse off" in text
    assert "Farkas" in text


def test_a_mechanism_that_has_changed_has_no_proof(here):
    path = certified(here)
    auction = here / "auction.py"
    auction.write_text(auction.read_text(encoding="utf-8") + "\n# a remark\n", encoding="utf-8")
    assert "rejected" in run("replay", path, code=1).stdout


def test_a_proof_that_was_edited_is_rejected(here):
    path = certified(here)
    data = json.loads(path.read_text(encoding="utf-8"))
    data["property"] = "ic"
    path.write_text(json.dumps(data), encoding="utf-8")
    assert "rejected" in run("replay", path, code=1).stdout
    del data["argument"]
    path.write_text(json.dumps(data), encoding="utf-8")
    assert "lacks ['argument']" in refused("replay", path)


def test_require_proved_is_met_by_proofs(here):
    options = ("--properties", "ir", "--require", "proved", *QUICK)
    run("verify", "auction.py", *options, code=1)
    run("verify", "auction.py", *options, "--prove")
