"""The claims about the dual-currency auction: as expected, replayed, and able to notice a fault."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from paper_claims import assert_replays, assert_whole
from symbolic_profiles import Run, assert_agree, unknowns

import mechkit as mk
from mechkit.mechanism import Mechanism, play
from mechkit.papers import claim_of, paper_of
from mechkit.papers.claim import Asked, Effort, Fact
from mechkit.papers.dvcg import collusion, mechanism, menu, quantised
from proofs import Symbolic, exact, symbols, values

PAPER = paper_of("dvcg")
IDS = (
    "dsic ex_post_nash collusion_proof unique_collusive_bid ir ablation.collusion_proof qvcg.ic "
    "qvcg.ir qvcg.efficient_on_grid qvcg.collusion_proof vcg.ic"
)
EVALUATIONS = 20_000
ASKED = [c for c in PAPER.claims if isinstance(c.how, Asked)]


def asked(claim_id: str, made: Mechanism | None = None, **more) -> mk.Verdict:
    """The verdict on the property of a claim, of its own mechanism or of another."""
    how = claim_of(claim_id).how
    assert isinstance(how, Asked)
    made = made or PAPER.mechanisms[how.mechanism]()
    found = mk.verify(made, [how.property], evaluations=EVALUATIONS, workers=1, **more)
    return found[how.property]


def test_every_claim_is_there_once():
    assert_whole(PAPER, IDS)


@pytest.mark.parametrize("claim", ASKED, ids=lambda c: c.id)
def test_claims_are_decided_as_expected(claim):
    verdict = asked(claim.id, prove=claim.expected, prove_seconds=60)
    assert verdict.effort.trades > 50
    if claim.expected:
        assert verdict.status is mk.Status.PROVED
        return
    assert_replays(claim, verdict)


# The arguments by hand ----------------------------------------------------------------------------


def profits(made: Mechanism, types, reports, **public) -> list[Fraction]:
    """Of everybody, in rationals."""

    def rational(rows):
        return exact(np.vectorize(Fraction, otypes=[object])(np.array([rows], dtype=object)))

    shown = {k: rational(v) for k, v in public.items()}
    if "noise" in made.setting.public:
        shown["noise"] = np.array([0])
    outcome = play(made, rational(reports), shown)
    return [Fraction(x) for x in values(outcome.utility(rational(types)))[0]]


Q, H, E = Fraction(1, 4), Fraction(1, 2), Fraction(1, 8)


def test_the_counterexamples_of_scaled_bids():
    made, types = PAPER.mechanisms["dvcg-menu"](), [[Q, Q]] * 3
    # Worth 1/4 each; taxes are interest alone.
    assert profits(made, types, [Q, E, E], estimates=types)[0] == Q - E
    assert profits(made, types, [E, E, E], estimates=types)[0] == Q
    assert profits(made, types, [Q, Q, E], estimates=types)[:2] == [Q - Fraction(1, 20)] * 2
    assert profits(made, types, [E, E, E], estimates=types)[:2] == [Q, Q]


def test_the_counterexamples_of_estimates():
    made, types = PAPER.mechanisms["dvcg-estimates"](), [[Q, Q]] * 2
    believed = [[H, H], [Q, Q]]
    assert profits(made, types, [Q, Q], estimates=believed)[1] == Q - E
    assert profits(made, types, [Q, E], estimates=believed)[1] == Q
    assert profits(made, types, [Q, Q], estimates=[[1, 1], [Q, Q]])[0] == Q - Fraction(3, 8)


@pytest.mark.parametrize("name", ["dvcg-taught", "nvi-taught"])
def test_the_counterexample_where_bids_teach(name):
    made, types = PAPER.mechanisms[name](), [[1, H], [Q, 1]]
    more = {"bills": types, "outsiders": [[H, Q]]}
    # A is worth 7/4 and B too; the first costs the others 5/4 − 3/4.
    assert profits(made, types, types, **more) == [H, Q]
    assert profits(made, types, [[1, H], [Q, Q]], **more) == [1, Q]


def test_the_printed_bundles_lose_half():
    made = PAPER.mechanisms["qvcg-among-all"]()
    assert made.setting.types.coordinates == (7,)
    table = quantised.bundles("full", 1)
    first, second = ((table[:, r] == 1) * 1 for r in (0, 1))
    types = np.array([[first, second]], dtype=float)
    assert made.setting.slack(play(made, types).allocation).min() >= 0
    assert play(made, types).values(types).sum() == 1
    assert play(PAPER.mechanisms["qvcg-full"](), types).values(types).sum() == 2


def test_the_divisions_of_the_quantised_auction():
    # M = 1: each of three quanta to the first, the second or nobody.
    assert len(quantised.divisions(quantised.bundles("full", 1), 1)) == 27
    # M = 2: both (1, 1, 1); one of 8 bundles for one of two; nothing.
    assert len(quantised.divisions(quantised.bundles("printed", 2), 2)) == 1 + 16 + 1
    below, none = quantised.growing(quantised.bundles("full", 1))
    assert len(below) == 9  # the cube less the three edges at nothing
    assert not none.any()


def test_menus_are_auctions_of_any_utilities():
    """What a menu gives in U*, W(−i) and u(s̃) leads the other mechanism to the same taxes."""
    rng = np.random.default_rng(0)
    named, free = menu.menu_auction(3, 4), menu.any_auction(3)
    types = rng.integers(4, 17, (200, 3, 4)) / 16
    bids, noise = rng.integers(1, 17, (200, 3)) / 8, rng.integers(0, 4, 200)
    one = play(named, bids, {"noise": noise, "estimates": types})
    star = menu.best(types)
    worth = menu.worth(types, star)
    after = menu.worth(types, menu.chosen(noise, 4))
    room = menu.without_each(types) - (worth.sum(axis=-1, keepdims=True) - worth)
    assert (room >= 0).all()
    assert (room <= worth).all()
    change = (after - worth)[:, None]
    assert (change.sum(axis=-1) <= 0).all()
    public = {"estimates": worth, "change": change, "room": room}
    two = play(free, bids, public)
    assert one.payments == pytest.approx(two.payments)
    assert one.utility(types) == pytest.approx(two.utility(worth))
    assert 20 < two.allocation[:, 1].sum() < 180


@pytest.mark.parametrize("name", PAPER.mechanisms)
def test_mechanisms_are_feasible(name):
    found = mk.verify(PAPER.mechanisms[name](), ["feasible"], evaluations=2_000, workers=1)
    assert found["feasible"].status is mk.Status.UNREFUTED


# Planted faults -----------------------------------------------------------------------------------


def signed(lent, worth):
    """Interest that is paid out where the loan is too small."""
    return lent - worth


def equal_loans(bids, pool):
    return pool / bids.shape[-1] + 0 * bids


def never(bids, most):
    """No noise: bids above the truth do no harm."""
    return 0 * most


def generous(alpha, harms, due):
    """A rebate on what was lent too much."""
    return alpha * (harms - due)


def own_share(without, utilities):
    """What the others have is taken for what all have."""
    return without - utilities.sum(axis=-1, keepdims=True) + 2 * utilities


@pytest.mark.parametrize(
    ("claim_id", "rule", "fault"),
    [
        ("dvcg.ex_post_nash", "interest", signed),
        ("dvcg.ex_post_nash", "tax", generous),
        ("dvcg.collusion_proof", "interest", signed),
        ("dvcg.collusion_proof/everybody", "tax", generous),
        ("dvcg.ir", "loans", equal_loans),
        ("dvcg.ir", "harm", own_share),
    ],
)
def test_a_fault_is_noticed(claim_id, rule, fault, monkeypatch):
    monkeypatch.setattr(mechanism, rule, fault)
    assert asked(claim_id).status is mk.Status.REFUTED


def test_a_rebate_on_bids_is_noticed_without_interest(monkeypatch):
    right = mechanism.levy

    def rebated(bids, *rest, **more):
        found = right(bids, *rest, **more)
        return found._replace(taxes=found.taxes - bids / 8)

    monkeypatch.setattr(menu, "levy", rebated)
    assert asked("dvcg.ablation.collusion_proof").status is mk.Status.REFUTED


@pytest.mark.parametrize(
    ("claim_id", "untaxed"),
    [
        ("dvcg.dsic", False),
        ("dvcg.collusion_proof/any-bids", False),
        ("dvcg.ex_post_nash/estimates", False),
        ("dvcg.ir/estimates", True),
    ],
)
def test_where_bids_and_estimates_do_nothing_nothing_is_refuted(claim_id, untaxed, monkeypatch):
    """No interest and no noise: bids are idle, and any is as good as the truth."""
    monkeypatch.setattr(mechanism, "interest", lambda lent, worth: 0 * lent)
    monkeypatch.setattr(menu, "spread", never)
    if untaxed:
        monkeypatch.setattr(mechanism, "tax", lambda alpha, harms, due: 0 * harms)
    verdict = asked(claim_id)
    assert verdict.status is mk.Status.UNREFUTED
    assert verdict.effort.trades > 50


def first_price(name: str) -> Mechanism:
    right = PAPER.mechanisms[name]()

    def outcome(reports):
        allocation = play(right, reports).allocation
        return allocation, (reports * allocation).sum(axis=-1)

    return Mechanism.from_outcome(right.setting, outcome, name="pay your bid")


def doubled(name: str) -> Mechanism:
    right = PAPER.mechanisms[name]()

    def outcome(reports):
        found = play(right, reports)
        return found.allocation, 2 * found.payments

    return Mechanism.from_outcome(right.setting, outcome, name="twice the payment")


def lazy(name: str) -> Mechanism:
    """Sells to the first only."""
    right = PAPER.mechanisms[name]()

    def outcome(reports):
        found = play(right, reports * np.array([[1], [0]]))
        return found.allocation, found.payments

    return Mechanism.from_outcome(right.setting, outcome, name="to the first")


@pytest.mark.parametrize("reading", ["", "/full"])
def test_faults_of_the_quantised_auction_are_noticed(reading):
    name = "qvcg" + reading.replace("/", "-")
    for claim_id, made in (
        (f"dvcg.qvcg.ic{reading}", first_price(name)),
        (f"dvcg.qvcg.ir{reading}", doubled(name)),
        (f"dvcg.qvcg.efficient_on_grid{reading}", lazy(name)),
    ):
        assert asked(claim_id, made).status is mk.Status.REFUTED
    # Selling to the first alone for nothing leaves nothing to collude about.
    honest = asked(f"dvcg.qvcg.collusion_proof{reading}", lazy(f"{name}-grows"))
    assert honest.status is mk.Status.UNREFUTED


def test_half_of_the_payment_of_vcg_is_noticed():
    right = PAPER.mechanisms["vcg"]()

    def outcome(reports):
        found = play(right, reports)
        return found.allocation, found.payments / 2

    made = Mechanism.from_outcome(right.setting, outcome, name="half of VCG")
    assert asked("dvcg.vcg.ic", made).status is mk.Status.REFUTED


# Eq. 26 -------------------------------------------------------------------------------------------

UNIQUE = claim_of("dvcg.unique_collusive_bid")
PROPER = claim_of("dvcg.unique_collusive_bid/proper")


def test_uniqueness_is_refuted_by_everybody_and_replayed():
    assert isinstance(UNIQUE.how, Fact)
    found = UNIQUE.how.decide(Effort())
    assert found.status is mk.Status.REFUTED
    assert found.exercised == 3 + 7 + 15 + 31 + 63
    numbers = json.loads(json.dumps(found.numbers))
    assert numbers["coalition"] == [0, 1]
    assert UNIQUE.how.replay(found.status, numbers) == found.told
    assert UNIQUE.formula is PROPER.formula is collusion.UNIQUE


NUMBERS = {
    "information": ["1", "2", "3"],
    "coalition": [0, 1, 2],
    "rank": 2,
    "bids": [["1", "2", "3"], ["1/3", "2/3", "1"]],
}


def test_a_larger_coalition_refutes_it_too():
    assert "everybody colluding" in UNIQUE.how.replay(mk.Status.REFUTED, NUMBERS)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"rank": 3}, "rank 2, stated 3"),
        ({"coalition": [0, 1], "bids": [["1", "2"], ["1/2", "1"]]}, "rank 2, stated 2"),
        ({"bids": [["1", "2", "3"], ["1", "2", "3"]]}, "two different"),
        ({"bids": [["1", "2", "3"], ["0", "0", "0"]]}, "two different positive"),
        ({"bids": [["1", "2", "3"], ["1", "1", "1"]]}, "does not solve"),
        ({"bids": [["1", "2", "3"], ["2", "4", "6"]]}, "there is noise"),
        ({"information": ["1", "2", "-3"]}, "must be positive"),
        ({"coalition": [0, 1, 1]}, "different members"),
        ({"coalition": [0, 1, 3]}, "different members"),
        ({"rank": None}, "malformed"),
        ({"bids": [["1", "2", "x"]]}, "malformed"),
    ],
)
def test_numbers_that_refute_nothing_are_rejected(change, why):
    with pytest.raises(ValueError, match=why):
        UNIQUE.how.replay(mk.Status.REFUTED, {**NUMBERS, **change})


def test_other_statuses_are_not_replayed():
    with pytest.raises(ValueError, match="only a refutation"):
        UNIQUE.how.replay(mk.Status.PROVED, NUMBERS)
    with pytest.raises(ValueError, match="only a proof"):
        PROPER.how.replay(mk.Status.REFUTED, {"largest": 3})


def test_whoever_leaves_somebody_out_bids_the_truth():
    found = PROPER.how.decide(Effort())
    assert found.status is mk.Status.PROVED
    assert found.exercised == 1 + 2 + 3 + 4 + 5
    numbers = json.loads(json.dumps(found.numbers))
    assert "15 identities again" in PROPER.how.replay(found.status, numbers)
    for wrong in (1, 7, "6", None, True):
        with pytest.raises(ValueError, match="expected 2 to 6"):
            PROPER.how.replay(found.status, {"largest": wrong})


def test_the_determinant_in_numbers():
    """By NumPy, for more VSPs than are expanded, and any members."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        n = int(rng.integers(2, 12))
        m = int(rng.integers(1, n + 1))
        members = sorted(rng.choice(n, m, replace=False).tolist())
        u = rng.uniform(0.1, 1, n)
        matrix, right = (np.array(part) for part in collusion.system(u.tolist(), members))
        rest = u.sum() - u[members].sum()
        by_hand = u.sum() ** (m - 1) * rest
        assert np.linalg.det(matrix) == pytest.approx(by_hand, abs=1e-9 * u.sum() ** m)
        if m < n:
            assert np.linalg.solve(matrix, right) == pytest.approx(u[members])
        else:
            assert np.linalg.matrix_rank(matrix) == n - 1


def test_faults_in_the_system_are_noticed(monkeypatch):
    right = collusion.system

    def without_the_rest(information, members):
        matrix, vector = right(information, members)
        return matrix, [0 * b for b in vector]

    def regular(information, members):
        matrix, vector = right(information, members)
        return [
            [a + int(i == j) for j, a in enumerate(row)] for i, row in enumerate(matrix)
        ], vector

    monkeypatch.setattr(collusion, "system", without_the_rest)
    assert PROPER.how.decide(Effort()).status is mk.Status.UNKNOWN
    with pytest.raises(ValueError, match="the truth is no solution"):
        PROPER.how.replay(mk.Status.PROVED, {"largest": 3})
    monkeypatch.setattr(collusion, "system", regular)
    assert UNIQUE.how.decide(Effort()).status is mk.Status.UNREFUTED
    with pytest.raises(ValueError, match="the determinant is another"):
        PROPER.how.replay(mk.Status.PROVED, {"largest": 2})


def test_rank_by_elimination():
    one, zero = Fraction(1), Fraction(0)
    assert collusion.rank([[zero, one], [zero, zero]]) == 1
    assert collusion.rank([[zero, one], [one, zero]]) == 2
    assert collusion.rank([[one, 2 * one], [2 * one, 4 * one]]) == 1
    assert collusion.rank([[zero]]) == 0


# Three arithmetics --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dvcg", "colluders", "nvi-colluders", "dvcg-menu", "dvcg-taught"])
def test_rationals_and_symbols_agree(name):
    """Ties and bids of nothing included."""
    made = PAPER.mechanisms[name]()
    rng = np.random.default_rng(0)
    shape = made.setting.report_space.shape

    def rational(size):
        drawn = rng.integers(0, 5, size) * Fraction(1, 4)
        return np.vectorize(Fraction, otypes=[object])(drawn)

    for _ in range(8):
        public, size = {"noise": np.array([1])}, (1, made.setting.agents)
        for key, source in made.setting.public.items():
            if key == "noise":
                continue
            if callable(source):
                of = made.setting.types.coordinates
                public[key] = exact(rational((*size, *of)))
            else:
                public[key] = exact(rational((1, *source.shape)))
        names = symbols("r", (1, *shape), algebra=Symbolic())
        mixed = {
            k: v if isinstance(v, np.ndarray) else exact(values(v), algebra=names.algebra)
            for k, v in public.items()
        }
        run = Run(made.outcome(names, public=mixed), names.algebra)
        for k in range(6):
            point = rational((1, *shape)) * (k > 0)
            assert_agree(
                run,
                unknowns(names, point),
                lambda point=point, public=public: made.outcome(exact(point), public=public),
            )
