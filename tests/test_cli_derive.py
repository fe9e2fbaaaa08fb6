"""`mechkit derive`: text, LaTeX, a page, JSON, a picture, numbers, and what goes wrong."""

import json
import struct
from xml.etree import ElementTree

import pytest
import sympy as sp
from commands import refused, run

from mechkit import derivation
from proofs import games

GAMES = """
import sympy as sp
from proofs.games import Decision, Game, Parameter, Player

a, b, c = sp.symbols("a b c", positive=True)
x, y = sp.symbols("x y", real=True)
margin = a - b * (x + y) - c
KNOWN = tuple(Parameter(p, low=0) for p in (a, b, c))

def pair(name, leader, follower):
    return Game(
        name=name,
        stages=(
            (Player("leader", leader, (Decision(x, low=0),)),),
            (Player("follower", follower, (Decision(y, low=0),)),),
        ),
        parameters=KNOWN,
        assumptions=(a > c,),
    )

def duopoly():
    return pair("duopoly", margin * x, margin * y)

def endless():
    return pair("endless", x * y, y * a - y**2)

def hard():
    return pair("hard", x * sp.exp(-x) + y / 10, sp.sin(y) * sp.exp(-y * x) + a * y - y**4)

def torn():
    raise RuntimeError("no game today")

NUMBER = 3
"""
QUICK = ("--draws", "20")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "play.py").write_text(GAMES, encoding="utf-8")
    return tmp_path


def test_the_derivation_is_printed(here):
    text = run("derive", "play.py:duopoly", *QUICK).stdout
    assert text.startswith("duopoly: closed form, checked")
    for part in ("The game", "The equilibrium", "Conditions", "The check", "20 draws"):
        assert part in text
    assert "proved: the utility of follower is strictly concave" in text


def test_json_gives_formulas_that_sympy_reads(here):
    data = json.loads(run("derive", "play.py:duopoly", "--json", *QUICK, "--seed", "3").stdout)
    a, b, c = sp.symbols("a b c", positive=True)
    (branch,) = data["branches"]
    names = {"a": a, "b": b, "c": c}
    found = {k: sp.sympify(v["sympy"], locals=names) for k, v in branch["decisions"].items()}
    assert sp.simplify(found["x"] - (a - c) / (2 * b)) == 0
    assert sp.simplify(found["y"] - (a - c) / (4 * b)) == 0
    profit = sp.sympify(data["utilities"]["follower"]["sympy"], locals=names)
    assert sp.simplify(profit - (a - c) ** 2 / (16 * b)) == 0
    assert data["check"]["seed"] == 3
    assert data["check"]["holds"] is True


def test_numbers_at_given_parameters(here):
    data = json.loads(
        run("derive", "play.py:duopoly", "--json", *QUICK, "--at", "a=10,b=1,c=1").stdout
    )
    numbers = data["numbers"]
    assert numbers["decisions"] == pytest.approx({"x": 4.5, "y": 2.25}, rel=1e-5)
    assert numbers["utilities"] == pytest.approx({"leader": 10.125, "follower": 5.0625}, rel=1e-6)


def test_latex_is_a_fragment_that_balances(here):
    text = run("derive", "play.py:duopoly", "--latex", *QUICK).stdout
    assert text.count(r"\begin{align*}") == text.count(r"\end{align*}") > 3
    assert r"\frac{a - c}{4 b}" in text
    assert text.count("{") == text.count("}")
    assert not set("≤≥∞²∂Σ") & set(text)


def test_the_page_needs_nothing_else_and_is_well_formed(here):
    run("derive", "play.py:duopoly", "--html", "duo.html", *QUICK)
    page = (here / "duo.html").read_text(encoding="utf-8")
    assert "src=" not in page
    assert "<link" not in page
    for formula in page.split("<math")[1:]:
        ElementTree.fromstring("<math" + formula.split("</math>")[0] + "</math>")


def test_the_picture_is_a_png(here):
    run("derive", "play.py:duopoly", "--plot", "duo.png", "--at", "a=10,b=1,c=1", *QUICK)
    data = (here / "duo.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    assert width > 800
    assert height > 300
    assert not list(here.glob(".*part"))


def test_curves_are_those_of_the_textbook():
    from proofs.games.curves import curves

    scope: dict = {}
    exec(GAMES, scope)
    a, b, c, x, y = (scope[name] for name in "abcxy")
    drawn = curves(scope["duopoly"](), {a: 10, b: 1, c: 1}, {x: 4.5, y: 2.25}, points=21)
    leader, follower, reply = drawn
    # The leader's profit when the follower replies (9 - x) / 2.
    assert leader.value == pytest.approx(leader.at * (9 - leader.at) / 2, abs=1e-6)
    assert follower.value == pytest.approx(follower.at * (4.5 - follower.at), abs=1e-9)
    assert reply.value == pytest.approx((9 - reply.at) / 2, abs=1e-5)
    assert (reply.name, reply.along) == ("y", x)


def test_no_equilibrium_is_said_with_the_reason(here):
    text = run("derive", "play.py:endless", *QUICK, code=1).stdout
    assert "no equilibrium" in text.splitlines()[0]


def test_what_has_no_closed_form_is_left_to_numbers(here):
    text = run("derive", "play.py:hard", "--seconds", "10", *QUICK, code=1).stdout
    assert text.startswith("hard: numerical")
    assert "searched and not taken from a formula" in text


def test_a_failed_check_is_shown_with_the_better_decision():
    x = sp.Symbol("x", real=True)
    a = sp.Symbol("a", positive=True)
    game = games.Game(
        ((games.Player("one", a * x - x**2, (games.Decision(x, low=0),)),),),
        (games.Parameter(a, low=0),),
    )
    found = games.derive(game, draws=20)
    from dataclasses import replace

    wrong = replace(found.branches[0], decisions={x: a / 3})
    lied = replace(found, branches=(wrong,))
    check = games.check(game, lied, draws=20)
    assert not check.holds
    text = derivation.text(replace(lied, status=games.Status.REJECTED, check=check))
    assert text.splitlines()[0].endswith("rejected by the check")
    assert "does better at a =" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing.py:game",), "no such file"),
        (("play.py:NUMBER",), "expected a Game"),
        (("play.py:torn",), "no game today"),
        (("play.py:dupoly",), "did you mean play.py:duopoly"),
        (("play.py:duopoly", "--latex", "--json"), "both want stdout"),
        (("play.py:duopoly", "--plot", "duo.gif"), ".png"),
        (("play.py:duopoly", "--html", "nowhere/duo.html"), "a directory that is there"),
        (("play.py:duopoly", "--at", "a=1,b"), "NAME=NUMBER"),
        (("play.py:duopoly", "--draws", "5", "--at", "a=10,b=1"), "missing c"),
        (("play.py:duopoly", "--draws", "5", "--at", "a=10,b=1,c=1,d=2"), "unknown d"),
        (("play.py:duopoly", "--seconds", "-1"), "positive"),
    ],
)
def test_bad_usage_is_explained(here, arguments, said):
    assert said in refused("derive", *arguments)
