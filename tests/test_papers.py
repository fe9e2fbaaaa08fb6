"""All papers together: every claim that was listed is asked, every market draws what it says."""

import numpy as np
import pytest

from mechkit import markets, papers
from mechkit.errors import InputError
from mechkit.papers import Asked
from mechkit.properties import PROPERTIES

LISTED = {
    "madda": "strong_budget_balance monotone critical_payment ir ic ic/buyer ic/seller "
    "matching_ignores_prices matching_ignores_requirements matching_unique freshness_sums_to_one",
    "dmsb": "ic ir anonymous false_name_proof adverse_selection_free critical_payment ic/policy "
    "adverse_selection_free/policy myopic.ic optimal.ic spa.adverse_selection_free ic/uav ir/uav",
    "dvcg": "dsic ex_post_nash collusion_proof unique_collusive_bid ir ablation.collusion_proof "
    "qvcg.ic qvcg.ir qvcg.efficient_on_grid qvcg.collusion_proof vcg.ic",
    "aigc": "mcafee.ic mcafee.ir mcafee.weak_budget_balance mcafee.strong_budget_balance "
    "second_price.ic second_price.ir second_price.weak_budget_balance multi_slot.ic welfare_sign",
    "pmsam": "follower.concave follower.solution leader.concave leader.solution "
    "equilibrium.unique ir ic weak_budget_balance",
}
"""The claims by id; each must be asked as it stands, or in readings that begin with it."""


def test_the_papers_are_these():
    assert set(papers.PAPERS) == set(LISTED)
    assert [papers.paper_of(name).id for name in papers.PAPERS] == list(papers.PAPERS)


@pytest.mark.parametrize("name", LISTED)
def test_every_listed_claim_is_asked(name):
    asked = [claim.id.partition(".")[2] for claim in papers.paper_of(name).claims]
    assert len(set(asked)) == len(asked)
    for listed in LISTED[name].split():
        parts = listed.split("/")
        matching = [
            claim
            for claim in asked
            if claim.split("/")[0] == parts[0] and set(parts[1:]) <= set(claim.split("/")[1:])
        ]
        assert matching, f"{name}.{listed} is asked nowhere among {asked}"


@pytest.mark.parametrize("claim", papers.claims().values(), ids=lambda claim: claim.id)
def test_a_claim_is_whole(claim):
    paper = papers.paper_of(claim.paper)
    assert claim.says
    assert claim.where
    assert claim.because
    if isinstance(claim.how, Asked):
        assert claim.how.property in PROPERTIES
        mechanism = paper.mechanisms[claim.how.mechanism]()
        assert claim.how.role is None or claim.how.role in mechanism.setting.roles
    if claim.formula is not None:
        assert claim.formula.printed != claim.formula.corrected
        assert claim.formula.derivation


@pytest.mark.parametrize("name", LISTED)
def test_a_seed_gives_the_same_market_and_no_system_beats_the_optimum(name):
    first = markets.compare(name, seed=5, draws=20)
    assert markets.compare(name, seed=5, draws=20) == first
    assert markets.compare(name, seed=6, draws=20) != first
    assert first.optimum > 0
    for one in first.standings:
        assert one.share <= 1 + 1e-9
        assert np.isfinite([one.welfare, one.trades, one.budget]).all()
    # Something happens in the market: a claim about nothing would say nothing.
    assert any(one.trades > 0 for one in first.standings)


@pytest.mark.parametrize("name", LISTED)
def test_sizes_that_do_not_exist_are_refused(name):
    with pytest.raises(InputError, match="sizes"):
        markets.compare(name, draws=5, sizes={"moons": 3})
    assert papers.paper_of(name).readings
