"""`mechkit optimum`: what it reads, what it says, what it refuses, and its exit codes."""

from __future__ import annotations

import errno
import io
import itertools
import json
import sys
import time
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import mechkit as mk
from mechkit import terminal
from tests.commands import refused, run

MARKET = """
import numpy as np
import mechkit as mk
import solvers
from dataclasses import replace

market = mk.Setting(
    name="sites", types=mk.box(2, 3), allocation_shape=(3,), personal=False,
    value=lambda types, x: (types * x[:, None]).sum(axis=-1),
    slack=lambda x: np.concatenate([x, 1 - x.sum(axis=-1, keepdims=True)], axis=-1),
    outcomes=lambda: np.eye(3, dtype=int),
)
trade = mk.double_auction(1, 2)
auction = mk.Mechanism(
    mk.single_item(2),
    lambda bids: np.arange(bids.shape[-1]) == np.argmax(bids, axis=-1)[..., None],
    lambda bids, x: x * bids,
)
number = 3

def cut(types, *, payments, seconds):
    found = solvers.additive(types)
    return replace(
        found, status=solvers.Status.FEASIBLE, certificate=None, bound=found.value + seconds,
        notes=(f"stopped after {seconds} s",),
    )

limited = replace(mk.additive(2, 2), solve=cut)
lost = replace(
    mk.additive(2, 2),
    solve=lambda types, **_: solvers.Optimum(
        value=None, bound=np.inf, status=solvers.Status.UNSOLVED, notes=("no luck",)
    ),
)
false = replace(
    mk.additive(2, 2),
    solve=lambda types, **_: replace(
        solvers.additive(types), certificate=replace(
            solvers.additive(types).certificate, price=np.zeros(2)
        )
    ),
)
more, less = (
    replace(
        mk.additive(2, 2), solve=lambda types, v=v, **_: replace(solvers.additive(types), value=v)
    )
    for v in (8.0, 6.0)
)
own = replace(
    mk.additive(2, 2),
    solve=lambda types, **_: replace(solvers.additive(types), certificate="trust me"),
)
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "market.py").write_text(MARKET, encoding="utf-8")
    return tmp_path


def save(name: str, text: str) -> str:
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    return name


def asked(*args: Any, code: int = 0) -> dict[str, Any]:
    return json.loads(run("optimum", *args, "--json", code=code).stdout)


BIDS = "agent,value\nann,0.9\nbob,0.4\ncy,0.7\n"


# What is solved -----------------------------------------------------------------------------------

CASES: dict[str, tuple[mk.Setting, tuple[str, ...]]] = {
    "single_item": (mk.single_item(4), ()),
    "multi_unit": (mk.multi_unit(4, 2), ("units=2",)),
    "multi_unit falling": (mk.multi_unit(3, 3, 2), ("units=3",)),
    "positions": (mk.positions(3, [1, F(1, 3)]), ("click_rates=1,1/3",)),
    "double_auction": (mk.double_auction(2, 2), ("buyers=2",)),
    "additive": (mk.additive(3, 2), ()),
    "unit_demand": (mk.unit_demand(3, 2), ("items=2",)),
    "single_minded": (mk.single_minded(3, 2, [[1, 0], [1, 1], [0, 1]]), ("bundles=",)),
    "single_minded told": (mk.single_minded(3, 2), ()),
    "combinatorial": (mk.combinatorial(2, 2), ()),
    "divisible": (mk.divisible(3), ()),
    "divisible several": (mk.divisible(3, 2), ()),
    "public_project": (mk.public_project(3, F(3, 2)), ("cost=3/2",)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("many", [False, True])
def test_csv_json_and_parquet_of_every_setting_give_the_optimum(here, case, many):
    import pyarrow
    from pyarrow import parquet

    setting, options = CASES[case]
    types = np.round(setting.sample(np.random.default_rng(1), 3), 3)
    if case == "multi_unit falling":
        types = -np.sort(-types, axis=-1)
    batch = types if many else types[:1]
    rows = batch.reshape(len(batch), setting.agents, -1)
    names = [f"t{k}" for k in range(rows.shape[-1])]
    lines = [
        [*([p] if many else []), *own] for p, profile in enumerate(rows.tolist()) for own in profile
    ]
    head = [*(["profile"] if many else []), *names]
    save("data.csv", "\n".join(",".join(map(str, line)) for line in [head, *lines]))
    save("data.json", json.dumps(batch.tolist() if many else batch[0].tolist()))
    save("records.json", json.dumps([dict(zip(head, line, strict=True)) for line in lines]))
    columns = dict(zip(head, map(list, zip(*lines, strict=True)), strict=True))
    parquet.write_table(pyarrow.table(columns), "data.parquet")
    given = [("bundles=[[1,0],[1,1],[0,1]]" if o == "bundles=" else o) for o in options]
    args = [x for option in given for x in ("--option", option)]
    expected = mk.vcg(setting, batch if many else batch[0])
    for file in ("data.csv", "data.json", "records.json", "data.parquet"):
        extra = ["-o", "demand=2"] if case == "multi_unit falling" and file == "data.json" else []
        extra += ["-o", "resources=2"] if case.endswith("several") and file == "data.json" else []
        found = asked(case.split()[0], file, "--vcg", *args, *extra)
        assert found["setting"] == setting.name
        assert found["status"] == "optimal"
        assert found["value"] == np.asarray(expected.value).tolist()
        assert found["bound"] == np.asarray(expected.bound).tolist()
        assert found["allocation"] == expected.allocation.tolist()
        assert found["payments"] == expected.payments.tolist()
        assert found["certificate"]["holds"] is True
        assert found["profiles"] == (["0", "1", "2"] if many else None)


def test_a_page_for_people(here):
    said = run("optimum", "single_item", save("bids.csv", BIDS), "--vcg").stdout
    assert [line.split() for line in said.splitlines()[:7]] == [
        ["optimal", "single", "item,", "3", "agents"],
        [],
        ["agent", "type", "gets", "pays"],
        ["ann", "0.9", "1", "0.7"],
        ["bob", "0.4", "–", "0"],
        ["cy", "0.7", "–", "0"],
        [],
    ]
    assert "welfare 0.9  bound 0.9  revenue 0.7" in said
    assert "the certificate was checked" in said
    said = run("optimum", "single_item", "bids.csv").stdout
    assert "pays" not in said
    assert "revenue" not in said


def test_a_page_of_many_profiles_and_of_many_agents(here):
    lines = "".join(f"{k},{v}\n" for k in range(30) for v in (k, 2 * k))
    said = run("optimum", "single_item", save("m.csv", "profile,v\n" + lines), "--vcg").stdout
    assert "… and 10 more profiles; --json has all" in said
    assert "mean of 30 profiles  welfare 29 bound 29 revenue 14.5" in said
    said = run("optimum", "single_item", save("a.csv", "\n".join(map(str, range(25))))).stdout
    assert "… and 5 more agents; --json has all" in said
    assert said.splitlines()[3].split() == ["24", "24", "1"]  # who gets something comes first


def test_things_are_called_as_their_columns_are(here):
    said = run("optimum", "additive", save("a.csv", "agent,tea,jam\nann,3,1\nbob,2,4\n")).stdout
    assert [line.split()[-1] for line in said.splitlines()[3:5]] == ["tea", "jam"]
    said = run("optimum", "additive", save("a.json", "[[3, 1], [2, 4]]")).stdout
    assert "item 0" in said
    rates = ("-o", "click_rates=1,0.5")
    assert "position 1" in run("optimum", "positions", save("b.csv", BIDS), *rates).stdout
    said = run("optimum", "single_minded", save("w.csv", "v,tea,jam\n3,1,1\n2,0,1\n")).stdout
    assert "tea, jam" in said


def test_long_types_are_cut_short_on_a_page(here):
    file = save("c.json", json.dumps([list(range(15)), [1] * 15]))
    said = run("optimum", "combinatorial", file).stdout
    assert "0, 1, 2, 3, 4, 5, 6, … (15 numbers)" in said


def test_rationals(here):
    found = asked("multi_unit", save("b.csv", BIDS), "-o", "units=2", "--exact", "--vcg")
    assert (found["value"], found["bound"], found["gap"]) == ("8/5", "8/5", 0)
    assert found["payments"] == ["2/5", "0", "2/5"]
    found = asked("single_item", save("b.json", "[0.1, 0.3]"), "--exact", "--vcg")
    assert (found["value"], found["payments"]) == ("3/10", ["0", "1/10"])
    assert "3/10" in run("optimum", "single_item", "b.json", "--exact").stdout
    assert asked("single_item", save("q.csv", "1/3\n1/4\n"), "--exact")["value"] == "1/3"
    assert asked("single_item", "q.csv")["value"] == 1 / 3


@pytest.mark.parametrize(
    "text",
    [
        "0.9\n0.4\n0.7\n",
        "\n0.9\n\n0.4\n0.7\n\n",
        "value\n0.9\n0.4\n0.7",
        "\ufeffvalue\r\n0.9\r\n0.4\r\n0.7\r\n",
        'agent;value\n"a;b";0.9\nb;0.4\nc;0.7\n',
        "agent\tvalue\na\t 0.9 \nb\t4e-1\nc\t0.7\n",
    ],
)
def test_ways_to_write_csv(here, text):
    assert asked("single_item", save("b.csv", text))["allocation"] == [1, 0, 0]


def test_agents_are_matched_by_name_and_buyers_go_first(here):
    text = "profile,agent,role,v\nx,s,seller,1\nx,b,buyer,3\nx,c,buyer,2\n"
    text += "y,c,buyer,9\ny,b,buyer,0\ny,s,seller,5\n"
    found = asked("double_auction", save("t.csv", text), "--vcg")
    assert found["agents"] == ["b", "c", "s"]
    assert found["profiles"] == ["x", "y"]
    assert found["value"] == [2, 4]
    assert found["allocation"] == [[1, 0, 1], [0, 1, 1]]
    assert found["payments"] == [[2, 0, -3], [0, 5, -9]]
    unnamed = "role,v\nseller,1\nbuyer,3\nbuyer,2\n"
    assert asked("double_auction", save("u.csv", unnamed))["agents"][-1] == "seller 2"


def test_settings_of_a_file(here):
    types = save("t.json", "[[3, 2, 0], [0, 2, 3]]")
    found = asked("market.py:market", types, "--vcg", "--exact")
    assert (found["value"], found["payments"]) == ("4", ["1", "1"])
    assert found["certificate"] == {"kind": None, "holds": None}
    assert "no certificate to check" in run("optimum", "market.py:market", types).stdout
    assert asked("market.py:auction", save("a.csv", "1\n2\n"))["value"] == 2
    roles = save("r.csv", "role,v\nseller,1\nbuyer,3\nseller,2\n")
    assert asked("market.py:trade", roles)["value"] == 2


# Lists --------------------------------------------------------------------------------------------


def matchings(gains: dict[tuple[str, str], float], without: str = "") -> float:
    """The best set of pairs that share nobody, one set at a time."""
    pairs = [pair for pair in gains if without not in pair]
    sets = itertools.chain.from_iterable(
        itertools.combinations(pairs, k) for k in range(len(pairs) + 1)
    )
    apart = (own for own in sets if len({p for pair in own for p in pair}) == 2 * len(own))
    return max(sum(gains[pair] for pair in own) for own in apart)


def test_pairs_that_may_trade(here):
    gains = {("ann", "sue"): 3.0, ("ann", "tom"): 2.0, ("bob", "sue"): 2.5, ("cy", "tom"): 1.0}
    lines = [f"{b},{s},{g}" for (b, s), g in gains.items()]
    file = save("p.csv", "\n".join(["buyer,seller,gain", *lines]))
    found = asked("matched_trade", file, "--vcg")
    assert found["agents"] == ["ann", "bob", "cy", "sue", "tom"]
    assert found["value"] == found["bound"] == matchings(gains)
    share = {a: matchings(gains) - matchings(gains, a) for a in found["agents"]}
    won = [pair for pair, x in zip(gains, found["allocation"], strict=True) if x]
    paid = dict(zip(found["agents"], found["payments"], strict=True))
    for b, s in won:
        assert gains[b, s] - paid[b] == pytest.approx(share[b])
        assert -paid[s] == pytest.approx(share[s])
    said = run("optimum", "matched_trade", file, "--vcg").stdout
    assert [line.split()[2] for line in said.splitlines()[3:5]] == ["tom", "sue"]
    both = save("v.csv", "buyer,seller,value,cost\nann,sue,5,2\nbob,sue,9,7\n")
    found = asked("matched_trade", both, "--vcg", "--exact")
    assert (found["value"], found["payments"]) == ("3", ["4", "0", "-5"])


def test_xor_bids(here):
    text = "bidder,items,value\nann,tea+jam,5\nbob,tea,3\ncy,jam egg,4\nann,egg,2\n"
    found = asked("winners", save("x.csv", text), "--vcg")
    assert found["agents"] == ["ann", "bob", "cy"]
    assert (found["value"], found["allocation"]) == (7, [0, 1, 1, 0])
    assert found["payments"] == [0, 1, 2]
    said = run("optimum", "winners", "x.csv", "--vcg", "--seconds", "30").stdout
    assert [line.split() for line in said.splitlines()[3:6]] == [
        ["ann", "–", "0"],
        ["bob", "tea", "1"],
        ["cy", "jam,", "egg", "2"],
    ]


# Exit codes, files, waiting -----------------------------------------------------------------------


def test_short_of_the_optimum_exits_with_1(here):
    data = save("d.json", "[[3, 1], [2, 4]]")
    result = run("optimum", "market.py:limited", data, "--seconds", "0.5", code=1)
    assert result.stdout.startswith("feasible")
    assert "bound 7.5" in result.stdout
    assert "stopped after 0.5 s" in result.stdout
    assert "gap between value and bound 0.067" in result.stdout
    found = asked("market.py:lost", data, code=1)
    assert (found["status"], found["value"], found["bound"]) == ("unsolved", None, None)
    assert found["gap"] is None
    said = run("optimum", "market.py:lost", data, "--vcg", code=1).stdout
    assert "welfare none found" in said
    assert "no luck" in said


def test_a_certificate_that_does_not_hold_is_no_optimum(here):
    data = save("d.json", "[[3, 1], [2, 4]]")
    another = "it is of another value"
    for name, why in (("false", "value and bound differ by"), ("more", another), ("less", another)):
        found = asked(f"market.py:{name}", data, code=1)
        assert (found["status"], found["certificate"]["holds"]) == ("feasible", False)
        said = run("optimum", f"market.py:{name}", data, code=1).stdout
        assert said.startswith("feasible")
        assert f"the certificate does not prove it: {why}" in said
    assert asked("market.py:own", data)["certificate"]["holds"] is None


def test_what_is_saved_is_what_json_says(here):
    file = save("b.csv", BIDS)
    shown = run("optimum", "single_item", file, "--save", "best.json").stdout
    assert shown.endswith("saved best.json\n")
    result = run("optimum", "single_item", file, "--json", "--save", "again.json")
    assert "saved again.json" in result.stderr
    first, second = (json.loads((here / f).read_text()) for f in ("best.json", "again.json"))
    assert second == json.loads(result.stdout)
    assert first | {"seconds": 0} == second | {"seconds": 0}
    assert sorted(p.name for p in here.iterdir() if "best" in p.name) == ["best.json"]


def test_what_cannot_be_saved(here, monkeypatch):
    file = save("b.csv", BIDS)
    assert "is in no directory that exists" in refused(
        "optimum", "single_item", file, "--save", "no/best.json"
    )
    assert "is a directory" in refused("optimum", "single_item", file, "--save", ".")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(terminal.os, "fsync", full)
    (here / "old.json").write_text("old")
    result = run("optimum", "single_item", file, "--save", "old.json", code=2)
    assert "old.json could not be written (No space left on device)" in result.stderr
    assert (here / "old.json").read_text() == "old"
    assert not list(here.glob(".*part"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_spinner_after_a_while_and_none_before(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    with terminal.waiting("solving"):
        pass
    assert "solving" not in screen.getvalue()
    monkeypatch.setattr(terminal, "PATIENCE", 0.0)
    with terminal.waiting("solving"):
        for _ in range(200):
            if "solving" in screen.getvalue():
                break
            time.sleep(0.02)
    assert "solving" in screen.getvalue()
    monkeypatch.setattr(sys, "stderr", pipe := io.StringIO())
    with terminal.waiting("solving"):
        time.sleep(0.05)
    assert pipe.getvalue() == ""


def test_help_shows_an_example():
    said = run("optimum", "--help").stdout
    assert "mechkit optimum multi_unit bids.csv --option units=2" in said
    assert "optimum" in run("--help").stdout


# Bad input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("b.csv", "", "b.csv is empty: give one row for each agent"),
        ("b.csv", " \n\n", "b.csv is empty"),
        ("b.csv", "value\n", "b.csv holds no rows"),
        ("b.csv", "a,b\n1,2\n3\n", "b.csv, line 3 has 1 cells, expected 2"),
        ("b.csv", "a,b\n1,2\n3,4,5\n", "b.csv, line 3 has 3 cells, expected 2"),
        ("b.csv", "v\n1\nx\n", "b.csv, line 3, column 'v' is 'x': expected a finite number"),
        ("b.csv", "v\n1\nnan\n", "column 'v' is 'nan': expected a finite number"),
        ("b.csv", "v\n1\ninf\n", "column 'v' is 'inf': expected a finite number"),
        ("b.csv", "1\nnan\n", "b.csv, line 2, column '0' is 'nan'"),
        ("b.csv", "nan\n1\n", "b.csv, line 1, column '0' is 'nan'"),
        ("b.csv", "v\n1\n1/0\n", "is '1/0': expected a finite number"),
        ("b.csv", "agent,v\na,1\nb,\n", "b.csv, line 3, column 'v' is empty"),
        ("b.csv", "agent,v\na,1\n,2\n", "b.csv, line 3, column 'agent' is empty: give a name"),
        ("b.csv", "v,v\n1,2\n", "column ['v'] is there twice"),
        ("b.csv", "a,b\n1,2\n3,4\n", "has types of shape (2,) for a profile, and the data (2, 2)"),
        ("b.csv", "agent\nann\n", "b.csv has no column of values beside ['agent']"),
        ("b.csv", 'v\n"1\n', "unexpected end of data"),
        ("b.csv", "profile,v\na,1\na,2\nb,1\n", "profile b has 1 agents and profile a 2"),
        ("b.csv", "agent,v\na,1\na,2\n", "agent ['a'] has two rows in one profile"),
        (
            "b.csv",
            "profile,agent,v\nx,a,1\ny,b,2\n",
            "profile y has agent ['b'], the first has not",
        ),
        ("b.csv", "role,v\nseller,1\nbuyer,2\n", "a column role, and nobody sells"),
        ("b.json", "", "b.json is empty"),
        ("b.json", "{}", "b.json holds dict: expected nested lists"),
        ("b.json", "[]", "b.json holds an empty list"),
        ("b.json", "[[]]", "b.json[0] is an empty list"),
        ("b.json", "[1, 2", "b.json is not JSON"),
        ("b.json", "[1, NaN]", "b.json holds NaN: expected finite numbers"),
        ("b.json", "[1, -Infinity]", "b.json holds -Infinity"),
        ("b.json", "[1, 1e999]", "b.json[1] is inf: expected a finite number"),
        ("b.json", "[[1, 2], [3]]", "b.json[1] has shape (1,) and b.json[0] [(2,)]"),
        ("b.json", "[[1, 2], 3]", "b.json[1] has shape ()"),
        ("b.json", '[1, "x"]', "b.json[1] is 'x'"),
        ("b.json", "[1, true]", "b.json[1] is True"),
        ("b.json", "[1, null]", "b.json[1] is None"),
        ("b.json", "[[[1, 2]]]", "b.json holds lists of shape (1, 1, 2): expected (agents), or"),
        ("b.json", '[{"v": 1}, {"w": 1}]', "b.json, record 1: expected the names ['v']"),
        ("b.json", '[{"v": 1}, 3]', "b.json, record 1: expected the names ['v']"),
        ("b.json", '[{"v": {}}]', "b.json, record 0, column 'v' is {}"),
        ("b.json", '[{"v": 1, "v": 2}]', "b.json: the name ['v'] is there twice in a record"),
        ("b.json", f"[1{'0' * 5000}]", "b.json is not JSON: a number of 5001 digits"),
        ("b.json", f"[{'[' * 60}1{']' * 60}]", "lists within lists, more than 8 deep"),
        ("b.csv", "1e999,2\n3,4\n", "b.csv, line 1, column '0' is '1e999': expected a finite"),
        ("b.parquet", "nonsense", "b.parquet is not Parquet"),
        ("b.xlsx", "x", "b.xlsx: expected a name that ends in .csv, .tsv, .txt, .json, .parquet"),
    ],
)
def test_data_that_are_none(here, name, text, message):
    assert message in refused("optimum", "single_item", save(name, text))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("b.csv", "v\n1\n1e999\n", "b.csv, line 3, column 'v' is '1e999': expected a finite"),
        ("b.csv", "v\n1e999999999\n", "column 'v' is '1e999999999'"),
        ("b.csv", "v\n1e-999999999\n", "of a size that floats hold"),
        ("b.csv", f"v\n{'9' * 2000}\n", "of a size that floats hold"),
        ("b.json", "[1e999999999]", "'1e999999999' is of a size that floats do not hold"),
        ("b.json", f"[1{'0' * 400}]", "b.json[0] is of int: expected a finite number"),
    ],
)
def test_rationals_that_would_fill_the_memory(here, name, text, message):
    assert message in refused("optimum", "single_item", save(name, text), "--exact")


def test_one_click_rate_is_a_list_of_one(here):
    save("b.csv", BIDS)
    page = run("optimum", "positions", "b.csv", "-o", "click_rates=1/2", "--json").output
    assert len(json.loads(page)["allocation"][0]) == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["singel_item", "b.csv"], "'singel_item' is no setting; there are single_item, "),
        (["singel_item", "b.csv"], "did you mean single_item?"),
        (["nothing", "b.csv"], "'nothing' is no setting"),
        (["single_item", "no.csv"], "no.csv: no such file; give a path from here"),
        (["single_item", "dir.csv"], "dir.csv is no file"),
        (["single_item", "b.csv", "-o", "unit=2"], "option 'unit': single_item takes none"),
        (["multi_unit", "b.csv", "-o", "unit=2"], "did you mean units?"),
        (["multi_unit", "b.csv", "-o", "agents=2"], "'agents' is no option of multi_unit"),
        (["multi_unit", "b.csv"], "multi_unit needs an option: --option units=2"),
        (["multi_unit", "b.csv", "-o", "units=0"], "units = 0: expected an integer of at least 1"),
        (["multi_unit", "b.csv", "-o", "units=x"], "--option units=x: expected a number"),
        (["multi_unit", "b.csv", "-o", "units"], "'units' is not NAME=VALUE, units=2 say"),
        (["multi_unit", "b.csv", "-o", "units=1", "-o", "units=2"], "units is given twice"),
        (["multi_unit", "b.csv", "-o", "units=1", "-o", "demand=2"], "demand = 2, and the data"),
        (["positions", "b.csv", "-o", "click_rates=1,2"], "click_rates = (1, 2): expected"),
        (["positions", "b.csv", "-o", "click_rates=a,b"], "--option click_rates=a,b: expected"),
        (["double_auction", "b.csv"], "say who sells: a column role with buyer or seller"),
        (["double_auction", "b.csv", "-o", "buyers=3"], "buyers = 3 of 3 agents"),
        (["public_project", "b.csv", "-o", "cost=-1"], "cost = -1: expected a number of at least"),
        (["single_minded", "b.csv"], "expected a value and then 0 or 1 for each item"),
        (["single_minded", "b.csv", "-o", "bundles=3"], "bundles: expected a list of 0/1"),
        (["combinatorial", "two.csv"], "2 values for each agent: expected 2^items − 1"),
        (["multi_unit", "two.csv", "-o", "units=2"], "is worth 2.0, more than unit 1 at 1.0"),
        (["single_item", "b.csv", "--seconds", "0"], "0.0 is not a positive, finite number"),
        (["single_item", "b.csv", "--seconds", "nan"], "nan is not a positive, finite number"),
        (["matched_trade", "b.csv"], "and matched_trade needs buyer, seller, value, cost"),
        (["winners", "b.csv"], "and winners needs bidder, items, value"),
        (["winners", "x.csv"], "bid 0: bidder"),
        (["winners", "x.csv", "--exact"], "XOR bids are solved in floats"),
        (["winners", "n.json"], "winners needs named columns"),
        (["matched_trade", "b.csv", "-o", "a=1"], "matched_trade takes none"),
        (["market.py:market", "b.csv"], "sites has types of shape (2, 3) for a profile"),
        (["market.py:market", "b.csv", "-o", "a=1"], "market.py:market has its own; leave them"),
        (["market.py:markt", "b.csv"], "did you mean market.py:market?"),
        (["market.py:number", "b.csv"], "market.py:number is a int, expected a Setting"),
        (["nowhere.py:market", "b.csv"], "nowhere.py: no such file"),
        (["empty.py", "b.csv"], "empty.py declares no setting: give one a name in it, market = "),
        (["single_item"], "single_item needs VALUES"),
    ],
)
def test_usage_that_is_refused(here, args, message):
    save("b.csv", BIDS)
    save("two.csv", "1,2\n3,0\n")
    save("x.csv", "bidder,items,value\nann,+,3\n")
    save("n.json", "[1, 2]")
    save("empty.py", "x = 1\n")
    (here / "dir.csv").mkdir()
    if message == "bid 0: bidder":
        message = "bid 0: the bundle is empty"
    assert message in refused("optimum", *args)


def test_text_that_is_not_utf_8(here):
    (here / "b.csv").write_bytes("value\n1\nü\n".encode("utf-16"))
    assert "b.csv is not UTF-8 text" in refused("optimum", "single_item", "b.csv")


def test_missing_extras_are_named(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    save("b.parquet", "x")
    assert "Parquet needs pyarrow: pip install 'mechkit-econ[solve]'" in refused(
        "optimum", "single_item", "b.parquet"
    )
    monkeypatch.setitem(sys.modules, "highspy", None)
    save("x.csv", "bidder,items,value\nann,tea,3\n")
    assert "highspy is needed" in refused("optimum", "winners", "x.csv")
