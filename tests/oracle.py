"""The independent brute force: every property judged by exhausting a small grid.

The rules run once on every profile of a grid of reports, as one float batch, and each property of
a mechanism is then a statement about that table, written here afresh from its definition: a
deviation is another row of the table. Nothing of the engine that this judges is used, only what a
setting declares (spaces, roles, value, slack, quantity, joint value, other sizes) and the rules.
Grid values are dyadic fractions of the range, so float sums are exact and ties are ties, unless a
rule or setting has constants that are not (a cost shared by three): rounding may break these ties.
A violation is conclusive up to the tolerance; no violation says so of the grid only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from mechkit.mechanism import Mechanism
from mechkit.spaces import Space
from tests.oracle_frames import (
    TOLERANCE,
    CannotJudgeError,
    Frame,
    Mesh,
    fractions,
    frames,
    interdependent,
    revealing,
    run,
)
from tests.oracle_properties import (
    Findings,
    adverse_selection_free,
    anonymous,
    bic,
    critical_payment,
    cyclic_monotone,
    deviations,
    efficient,
    envy_free,
    ex_post_nash,
    false_name_proof,
    feasible,
    interim_ir,
    ir,
    monotone,
    no_positive_transfers,
    non_bossy,
    possible,
    revenue_monotone,
    strong_budget_balance,
    strongly,
    weak_budget_balance,
)

__all__ = ["CHECKS", "Judgement", "excess", "fractions", "judge", "run", "table"]

VARIANTS = 4

CHECKS: dict[str, Callable[[Frame], Findings]] = {
    "feasible": feasible,
    "ir": ir,
    "ic": partial(deviations, 1, lambda gains: gains[0]),
    "ex_post_nash": ex_post_nash,
    "bic": bic,
    "interim_ir": interim_ir,
    "weak_budget_balance": weak_budget_balance,
    "strong_budget_balance": strong_budget_balance,
    "no_positive_transfers": no_positive_transfers,
    "monotone": monotone,
    "critical_payment": critical_payment,
    "cyclic_monotone": cyclic_monotone,
    "efficient": efficient,
    "anonymous": anonymous,
    "envy_free": envy_free,
    "non_bossy": non_bossy,
    "group_ic": partial(deviations, 2, lambda gains: gains.min(axis=0)),
    "strong_group_ic": partial(deviations, 2, strongly),
    "collusion_proof": partial(deviations, 2, lambda gains: gains.sum(axis=0)),
    "false_name_proof": false_name_proof,
    "revenue_monotone": revenue_monotone,
    "adverse_selection_free": adverse_selection_free,
}


@dataclass(frozen=True)
class Judgement:
    """decided: "violated", "no violation on the grid", "vacuous" (nothing was ever allocated) or
    "cannot" (not applicable, or too large). cases: how many inequalities were evaluated."""

    decided: str
    witness: dict[str, Any] | None = None
    cases: int = 0
    reason: str = ""


def inapplicable(mechanism: Mechanism, name: str) -> str:
    """Why the property does not apply; empty if it does."""
    s = mechanism.setting
    elsewhere = s.reports is not None or s.truthful is not None
    scalar, single = not s.types.coordinates, s.quantity is not None
    finite = s.types.levels is not None and all(v is not None for v in s.types.levels)
    joint, only_sellers = interdependent(mechanism), bool(s.sellers.all())
    averaged = not joint and set(s.public) == set(s.lotteries) and s.reports is None
    few = not (scalar and finite and averaged), "no exact expectation over finitely many numbers"
    reasons = {
        "bic": few,
        "interim_ir": few,
        "no_positive_transfers": (only_sellers, "everybody sells"),
        "revenue_monotone": (only_sellers, "everybody sells"),
        "monotone": (not single or bool(s.report_space.coordinates), "not single-parameter"),
        "critical_payment": (not (single and s.binary and not elsewhere), "not a 0/1 quantity"),
        "cyclic_monotone": (scalar or joint, "types are numbers, or values interdependent"),
        "envy_free": (not s.personal, "one outcome for all"),
        "anonymous": (
            any(isinstance(v, Space) and v.agents == s.agents for v in s.public.values())
            or bool(revealing(s)),
            "what is public tells the agents apart",
        ),
        "false_name_proof": (
            s.joint_value is None or s.resize is None or joint or s.reports is not None,
            "identities are fixed",
        ),
        "adverse_selection_free": (
            not single or elsewhere or bool(s.sellers.any()) or bool((s.types.low != 0).any()),
            "not a single-parameter setting of bids from 0",
        ),
    }
    applies_not, reason = reasons.get(name, (False, ""))
    return reason if applies_not else ""


def cost(t: Frame, name: str) -> float:
    """About how many numbers a check runs through, per agent or coalition."""
    rows, most = float(np.prod(t.sizes, dtype=float)), max(t.sizes)
    kinds = max(len(k) for k in t.types)
    each = len(t.theta) if t.joint else kinds
    if name in ("group_ic", "strong_group_ic", "collusion_proof"):
        return rows * (len(t.theta) if t.joint else kinds**2)
    if name == "false_name_proof":
        return rows * kinds * most
    if name == "efficient":
        return max(rows, float(len(t.theta) * len(possible(t.setting))))
    if name in ("ex_post_nash", "bic", "interim_ir"):
        return max(rows * each, len(t.theta) * most)
    if name in ("ic", "ir", "cyclic_monotone"):
        return rows * each
    if name in ("monotone", "critical_payment", "non_bossy"):
        return rows * most
    if name == "revenue_monotone":
        return rows * most * 8  # the rules run again on all of these, with a newcomer
    return rows


def grids(
    mechanism: Mechanism, name: str, points: int, limit: int, axis: tuple[Fraction, ...]
) -> list[tuple[Frame, ...]]:
    """The finest grid on which the check stays within the limit; several where it is thinned."""
    keeps = [0] if name in ("bic", "interim_ir") else [0, *range(len(axis) or points, 1, -1)]
    spaces = (mechanism.setting.types, mechanism.setting.report_space)
    for keep in keeps:
        mesh = Mesh(points, axis, keep)
        counts = [np.prod([mesh.count(s, i) for i in range(s.agents)]) for s in spaces]
        if max(counts) <= limit:
            found = frames(mechanism, mesh)
            largest = max(cost(t, name) for t in found)
            if largest <= limit and largest * len(found) <= 20 * limit:
                more = range(1, VARIANTS) if keep else ()
                return [found, *(frames(mechanism, replace(mesh, variant=v)) for v in more)]
    raise CannotJudgeError(f"even the coarsest grid needs more than {limit} numbers")


def judge(
    mechanism: Mechanism,
    name: str,
    *,
    points: int = 5,
    limit: int = 3_000_000,
    axis: Sequence[Fraction | int] = (),
) -> Judgement:
    """Judge one property on a grid of `points` values per continuous coordinate, and all levels.

    Where a check would run through more than `limit` numbers per agent or coalition, some of the
    values are kept only (never for bic and interim_ir), in VARIANTS different ways. axis: values to
    take instead of equally spaced ones, those that lie in the box. A rule that raises is not
    caught.
    """
    tolerance = TOLERANCE * max(1.0, mechanism.setting.types.scale)
    worst, witness, cases, trades = tolerance, None, 0, False
    try:
        if reason := inapplicable(mechanism, name):
            raise CannotJudgeError(reason)
        for grid in grids(mechanism, name, points, limit, tuple(Fraction(v) for v in axis)):
            for t, finding in ((frame, f) for frame in grid for f in CHECKS[name](frame)):
                cases += int(np.count_nonzero(finding.excess > -np.inf))
                if finding.excess.size and finding.excess.max() > worst:
                    at = np.unravel_index(np.argmax(finding.excess), finding.excess.shape)
                    worst = float(finding.excess[at])
                    witness = finding.tell(t, tuple(int(k) for k in at))
            trades = trades or any(t.trades for t in grid)
            if witness is not None:
                break
    except CannotJudgeError as error:
        if witness is None:
            return Judgement("cannot", reason=str(error))
    if witness is not None:
        return Judgement("violated", witness, cases)
    return Judgement("no violation on the grid" if trades and cases else "vacuous", None, cases)


def table(mechanism: Mechanism, points: int = 5) -> dict[str, Judgement]:
    """Every property judged, by name."""
    return {name: judge(mechanism, name, points=points) for name in CHECKS}


def excess(judgement: Judgement) -> float:
    """By how much a property that must have been found violated fails."""
    assert judgement.decided == "violated"
    assert judgement.witness is not None
    return judgement.witness["excess"]
