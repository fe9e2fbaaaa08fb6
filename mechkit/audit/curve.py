"""One agent's utility against its own report, everybody else's fixed: incentives at a glance.

At a counterexample the profile is the witness's; elsewhere one at which the agent trades is drawn,
so that the curve has something to say. The truth is a point on the curve: where the mechanism is
truthful, nothing lies above it. `mechkit.audit.page` draws a curve for a page, `plot` as a PNG.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mechkit.deviations import FAMILIES
from mechkit.errors import require
from mechkit.mechanism import Mechanism, play
from mechkit.pictures import keep, sheet
from mechkit.sampling import Sampler
from mechkit.settings import truth
from mechkit.sides import OTHERS
from mechkit.verdict import Counterexample
from mechkit.views import Case, View

POINTS = 241
TRIES = 400
LISTED = 8
"""Others whose reports are listed; of more the least and the largest."""
DUST = 1e-9
"""What share of a curve's height is rounding, and no gain."""


def curve(
    mechanism: Mechanism, found: Counterexample | None, *, seed: int
) -> dict[str, Any] | None:
    """Reports and utilities of one agent, {agent, role, reports, utilities, truth, at_truth, lie,
    at_lie, others}; None where a report is not a single number or outcomes are drawn by lot."""
    setting = mechanism.setting
    if setting.report_space.coordinates != () or setting.lotteries or setting.interdependent:
        return None
    profile = _profile(mechanism, found, seed)
    return None if profile is None else through(mechanism, *profile)


def through(
    mechanism: Mechanism,
    types: np.ndarray,
    public: dict[str, np.ndarray],
    sincere: np.ndarray,
    agent: int,
    lie: float | None,
) -> dict[str, Any] | None:
    """The same at a profile of floats: types and truthful reports (1, agents), public (1, ...)."""
    setting = mechanism.setting
    low = float(setting.report_space.low[agent])
    high = float(setting.report_space.high[agent])
    honest = float(sincere[0, agent])
    # Utilities jump at the others' reports: both sides of each are drawn.
    marks = [honest, *map(float, sincere[0]), *map(float, np.ravel(public.get(OTHERS, ())))]
    marks += [lie] if lie is not None else []
    nudge = 1e-9 * max(abs(low), abs(high), 1.0)
    near = [m + d for m in marks for d in (-nudge, 0.0, nudge)]
    grid = np.unique(np.clip(np.r_[np.linspace(low, high, POINTS), near], low, high))
    reports = np.repeat(sincere, len(grid), axis=0)
    reports[:, agent] = grid
    many = {name: np.repeat(array, len(grid), axis=0) for name, array in public.items()}
    played = play(mechanism, reports, many)
    utilities = played.utility(np.repeat(types, len(grid), axis=0))[:, agent]
    if not np.isfinite(utilities).all():
        return None

    def at(report: float) -> float:
        return float(utilities[np.argmin(np.abs(grid - report))])

    return {
        "agent": agent,
        "role": setting.roles[agent],
        "reports": [round(float(x), 12) for x in grid],
        "utilities": [round(float(u), 12) for u in utilities],
        "truth": honest,
        "at_truth": at(honest),
        "lie": lie,
        "at_lie": None if lie is None else at(lie),
        "others": [
            *(float(r) for i, r in enumerate(sincere[0]) if i != agent),
            *(float(r) for r in np.ravel(public.get(OTHERS, ()))),
        ],
    }


def _profile(mechanism: Mechanism, found: Counterexample | None, seed: int) -> Any:
    """(types, public, truthful reports, agent, lie), one row of floats each."""
    setting = mechanism.setting
    if found is not None:
        (agent,) = found.agents
        types = found.types[None].astype(float)
        public = {name: np.asarray(array)[None] for name, array in found.public.items()}
        public = {name: _floats(array) for name, array in public.items()}
        reports = np.asarray(next(iter(found.profiles.values())).reports)[None].astype(float)
        lie = float(np.asarray(found.reports[agent]))
        return types, public, reports, agent, lie
    rng = np.random.default_rng(seed)
    sampler = Sampler(mechanism)
    types = setting.sample(rng, TRIES)
    shared = sampler.publics(FAMILIES["profile"].slots(mechanism, ()), rng, TRIES)
    view = View(mechanism, Case("profile", (), {"types": types, **shared}))
    public = view.public
    sincere = np.asarray(truth(setting, types, public))
    utility = np.asarray(play(mechanism, sincere, public).utility(types), dtype=float)
    if not np.isfinite(utility).all():
        return None
    # The profile and the agent with the most at stake.
    row, most = (int(k) for k in np.unravel_index(np.argmax(utility), utility.shape))
    one = slice(row, row + 1)
    return (
        types[one].astype(float),
        {name: np.asarray(array)[one] for name, array in public.items()},
        sincere[one].astype(float),
        most,
        None,
    )


def _floats(array: np.ndarray) -> np.ndarray:
    return array.astype(float) if array.dtype == object else array


# Words and a picture ------------------------------------------------------------------------------


def about(curve: Mapping[str, Any]) -> str:
    """What is drawn."""
    return f"The utility of the {curve['role']} (agent {curve['agent']}) against its report"


def elsewhere(curve: Mapping[str, Any]) -> str:
    """What the others report, as the end of a sentence."""
    others = curve["others"]
    if len(others) > LISTED:
        return f", the {len(others)} others reporting from {min(others):g} to {max(others):g}"
    return ", the others reporting " + ", ".join(f"{r:g}" for r in others) if others else ""


def best(curve: Mapping[str, Any]) -> str:
    """That nothing lies above the truth, where no lie is marked and nothing does; else nothing."""
    utilities = curve["utilities"]
    height = max(utilities) - min(utilities)
    if curve["lie"] is not None or max(utilities) > curve["at_truth"] + DUST * max(height, 1.0):
        return ""
    return f" None of the {len(utilities)} reports tried gains more."


def plot(curves: Sequence[Mapping[str, Any]], file: Path) -> None:
    """The curves side by side as a PNG, all or nothing. Raises InputError without matplotlib, and
    where there are none."""
    require(len(curves) > 0, "no curves to draw: give at least one")
    figure = sheet(5.2 * len(curves), 3.8)
    for panel, curve in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves, strict=True):
        panel.axhline(curve["at_truth"], color="#1a7f4b", linestyle=":", linewidth=1)
        panel.plot(curve["reports"], curve["utilities"], color="#2f5fb3", linewidth=1.8)
        panel.plot([curve["truth"]], [curve["at_truth"]], "o", color="#1a7f4b", label="the truth")
        if curve["lie"] is not None:
            panel.plot([curve["lie"]], [curve["at_lie"]], "o", color="#b3261e", label="the lie")
        title = f"{curve['role']} (agent {curve['agent']}), truth {curve['truth']:.4g}"
        panel.set_title(title, fontsize=10, loc="left")
        told = best(curve).strip()
        panel.set_xlabel("report" + (f"\n{told}" if told else ""))
        panel.set_ylabel("utility")
        panel.grid(alpha=0.25)
        panel.legend(fontsize=8)
    keep(figure, file, dpi=120)
