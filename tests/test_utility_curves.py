"""Utility against report: of a lie where one gains, else of an agent whom the truth serves well."""

from dataclasses import replace

import numpy as np
import pytest
from test_learned import Sees, constant, linear_score

from mechkit import deployed, learned
from mechkit.audit.curve import best, elsewhere, plot
from mechkit.audit.page import figure
from mechkit.environments import environment
from mechkit.errors import InputError
from mechkit.mechanism import play


@pytest.fixture(scope="module")
def dmsb():
    return environment("dmsb", stations=3)


def test_a_truthful_mechanism_has_a_curve_with_nothing_above_the_truth(dmsb):
    auction = deployed.auction(constant(0.35), dmsb)
    found = learned.regret(auction, "performance")
    curve = found.curve
    assert found.share == 0
    assert curve["lie"] is None
    assert curve["role"] == "performance"
    assert curve["at_truth"] == pytest.approx(max(curve["utilities"]))
    assert curve["at_truth"] > 0.1
    assert min(curve["utilities"]) < curve["at_truth"]
    # It is the agent whom the truth serves best, on the rounds that were played.
    types, public = auction.draw(np.random.default_rng(0), found.rounds)
    utility = np.asarray(play(auction.mechanism, types, public).utility(types))
    assert curve["at_truth"] == pytest.approx(utility[:, 1:].max())
    assert curve["truth"] in types
    told = f"None of the {len(curve['reports'])} reports tried gains more."
    assert told in best(curve)
    assert told in figure(curve)
    assert "the lie red" not in figure(curve)


def test_a_curve_with_a_lie_does_not_say_that_none_gains(dmsb):
    curve = learned.regret(deployed.auction(Sees(linear_score), dmsb), "performance").curve
    assert curve["lie"] is not None
    assert best(curve) == ""
    assert "the lie red" in figure(curve)
    # Nor does one whose lie is not marked, where another report gains.
    assert best({**curve, "lie": None}) == ""


def test_a_gain_that_only_the_curve_finds_counts(dmsb, monkeypatch):
    """More reports are drawn than are tried before; what gains among them is regret, too."""
    tried = learned._tried

    def none_gains(*args):
        return [replace(one, gain=0.0, truthful=one.gain) for one in tried(*args)]

    auction = deployed.auction(Sees(linear_score), dmsb)
    known = learned.regret(auction, "performance").largest
    monkeypatch.setattr(learned, "_tried", none_gains)
    found = learned.regret(auction, "performance")
    curve = found.curve
    assert found.largest == pytest.approx(curve["at_lie"] - curve["at_truth"], abs=1e-9)
    assert found.largest >= 0.9 * known  # where most was gained, and on a finer grid
    assert curve["at_lie"] == pytest.approx(max(curve["utilities"]))
    assert found.share == pytest.approx(1 / (found.rounds * found.agents))


def test_a_buyer_and_a_seller_of_a_clock():
    market = environment("madda", buyers=3, sellers=3, pool=4, past=4)
    auction = deployed.auction(constant(5.0), market)
    for role in ("buyer", "seller"):
        curve = learned.regret(auction, role, seconds=30).curve
        assert curve["role"] == role
        assert len(set(curve["utilities"])) > 1
        assert np.abs(np.array(curve["reports"]) - curve["truth"]).min() < 1e-9


def test_time_that_is_up_ends_after_one_round(dmsb):
    found = learned.regret(deployed.auction(constant(0.3), dmsb), "performance", seconds=1e-9)
    assert found.rounds == 1
    assert found.curve is not None


def test_many_others_are_not_listed():
    assert elsewhere({"others": [1.0, 2.5]}) == ", the others reporting 1, 2.5"
    assert elsewhere({"others": [*range(3, 12)]}) == ", the 9 others reporting from 3 to 11"
    assert elsewhere({"others": []}) == ""


def test_a_picture(dmsb, tmp_path):
    curves = [
        learned.regret(deployed.auction(policy, dmsb), "performance").curve
        for policy in (constant(0.3), Sees(linear_score))
    ]
    file = tmp_path / "curves.png"
    plot(curves, file)
    from matplotlib.image import imread

    drawn = imread(file)
    assert drawn.shape[1] > 2 * drawn.shape[0]  # side by side
    # Lines and dots in the colours of the curve, the truth and the lie.
    for colour in ((0x2F, 0x5F, 0xB3), (0x1A, 0x7F, 0x4B), (0xB3, 0x26, 0x1E)):
        near = np.abs(drawn[..., :3] * 255 - colour).max(axis=-1) < 2
        assert near.sum() > 20
    with pytest.raises(InputError, match="no curves to draw"):
        plot([], file)
