"""A counterexample as a story: who has which type, what truth gives, what the deviation gives.

Every property has a wording of its own, since a lie that pays, a budget that does not balance and
an agent who envies another are different stories. A wording is a function from a `Scene` to a
`Story`; `WORDINGS` holds one for each property, and what has none is told plainly.
"""

from __future__ import annotations

from collections.abc import Callable

from mechkit.properties import PROPERTIES
from mechkit.settings import Setting
from mechkit.story import lies, outcomes
from mechkit.story.scene import Scene, Story, number, short, shown
from mechkit.verdict import Counterexample

__all__ = ["WORDINGS", "Scene", "Story", "number", "short", "shown", "story", "tell"]


def plain(scene: Scene) -> Story:
    """Any other property: what happened at every profile that it compares."""
    lines = [*scene.cast(scene.c.agents)]
    for label, played in scene.c.profiles.items():
        lines.append(
            f"  {label}: reports {shown(played.reports)}, allocation {shown(played.allocation)}, "
            f"payments {shown(played.payments)}"
        )
    unit = "" if scene.c.unit == "money" else f" ({scene.c.unit})"
    return Story(
        f"fails by {short(scene.c.gain)}{unit}", (*lines, f"It fails by {scene.gain}{unit}.")
    )


WORDINGS: dict[str, Callable[[Scene], Story]] = {
    "feasible": outcomes.infeasible,
    "ir": outcomes.loses,
    "ic": lies.lie_pays,
    "ex_post_nash": lies.lie_pays,
    "bic": lies.expected_lie_pays,
    "interim_ir": lies.expects_loss,
    "weak_budget_balance": outcomes.deficit,
    "strong_budget_balance": outcomes.unbalanced,
    "no_positive_transfers": outcomes.paid,
    "monotone": lies.perverse,
    "critical_payment": lies.wrong_price,
    "cyclic_monotone": outcomes.cycles,
    "efficient": outcomes.wasteful,
    "anonymous": lies.partial_agent,
    "envy_free": outcomes.envies,
    "non_bossy": lies.bossy,
    "group_ic": lies.everyone_gains,
    "strong_group_ic": lies.one_gains_none_loses,
    "collusion_proof": lies.sum_gains,
    "false_name_proof": lies.false_names,
    "revenue_monotone": lies.revenue_falls,
    "adverse_selection_free": outcomes.scaling,
}


def tell(counterexample: Counterexample, setting: Setting) -> Story:
    """The story of a counterexample in the setting of its mechanism."""
    scene = Scene(counterexample, setting)
    told = WORDINGS.get(counterexample.property, plain)(scene)
    return Story(told.headline, (*told.lines, *scene.aside()))


def story(counterexample: Counterexample, setting: Setting) -> str:
    """The story as plain text, for messages and files, with what was claimed."""
    told, name = tell(counterexample, setting), counterexample.property
    claim = f"Claim: {PROPERTIES[name].statement}." if name in PROPERTIES else f"Claim: {name}."
    return "\n".join((f"{counterexample.mechanism}: {name} is refuted", claim, *told.lines))
