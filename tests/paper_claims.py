"""What every paper's claims are put to: listed once and whole, replayed, in three arithmetics."""

import json
from fractions import Fraction

import numpy as np
from symbolic_profiles import Run, assert_agree, unknowns

import mechkit as mk
from mechkit import witness
from mechkit.audit.claims import reference
from mechkit.mechanism import play
from mechkit.papers import mechanism_of
from proofs import Symbolic, exact, symbols, values


def assert_whole(paper, ids):
    """Every id that is listed is asked, nothing else is, and each claim says what is expected."""
    found = [c.id for c in paper.claims]
    assert len(set(found)) == len(found)
    assert {i.removeprefix(f"{paper.id}.").partition("/")[0] for i in found} == set(ids.split())
    for claim in paper.claims:
        assert claim.paper == paper.id
        assert claim.expected is not None
        assert claim.where
        assert claim.because


def assert_replays(claim, verdict):
    """The claim is refuted exactly, and its witness stands after a trip through JSON."""
    assert verdict.status is mk.Status.REFUTED
    assert verdict.counterexample.arithmetic == "exact"
    where = reference(claim)
    saved = witness.to_json(verdict.counterexample, reference=where, digest=None, seed=0)
    replayed = witness.replay(mechanism_of(where), json.loads(json.dumps(saved)))
    assert replayed.confirmed
    assert replayed.arithmetic == "exact"
    assert str(-replayed.margin) == saved["gain"]


def assert_arithmetics_agree(made, reports, *, in_symbols):
    """Floats, rationals and, on the first `in_symbols` profiles, symbols give one outcome.

    reports: floats that are exact, so that ties are ties in all three.
    """
    floats = play(made, reports)
    rationals = play(made, exact(np.vectorize(Fraction, otypes=[object])(reports)))
    for one, other in (
        (floats.allocation * 1, rationals.allocation * 1),
        (floats.payments, rationals.payments),
    ):
        assert [Fraction(x) for x in np.ravel(one)] == [Fraction(x) for x in values(other).flat]
    assert floats.trades.any()

    names = symbols("r", (1, *reports.shape[1:]), algebra=Symbolic())
    run = Run(made.outcome(names), names.algebra)
    for row in reports[:in_symbols]:
        point = np.vectorize(Fraction, otypes=[object])(row[None])
        assert_agree(run, unknowns(names, point), lambda point=point: made.outcome(exact(point)))
