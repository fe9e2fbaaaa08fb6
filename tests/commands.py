"""Running the command line in tests, on one small auction."""

from click.testing import CliRunner

from mechkit.cli import cli

QUICK = ("--evaluations", "10000")

AUCTION = """
import numpy as np
import mechkit as mk

def highest(bids):
    return np.arange(bids.shape[-1]) == np.argmax(bids, axis=-1)[..., None]

def own_bid(bids, allocation):
    return allocation * bids

first_price = mk.Mechanism(mk.single_item(agents=3), highest, own_bid, name="first price")
"""


def workplace(tmp_path, monkeypatch):
    """An empty directory to work in, with the auction in it; make a fixture `here` of this."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "auction.py").write_text(AUCTION, encoding="utf-8")
    return tmp_path


def run(*args, code=0):
    """Run a command in this process and insist on its exit code."""
    result = CliRunner().invoke(cli, [str(arg) for arg in args])
    assert result.exit_code == code, f"{result.exit_code}\n{result.stdout}\n{result.stderr}"
    assert "Traceback" not in result.stderr
    return result


def refused(*args):
    """What is said on stderr about input that is wrong: one line, and nothing on stdout."""
    result = run(*args, code=2)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def saved(here, *args):
    """Save what is found on the auction, and return its ic witness."""
    run("verify", "auction.py", "--properties", "ic,ir", "--save", "out", *QUICK, *args, code=1)
    return here / "out" / "first_price.ic.witness.json"
