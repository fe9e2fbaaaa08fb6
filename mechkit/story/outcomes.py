"""Wordings for what is wrong with an outcome, or between the outcomes of truthful profiles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from mechkit.first_best import best_outcome
from mechkit.settings import values
from mechkit.story.scene import (
    GROUPS,
    Scene,
    Story,
    capital,
    listed,
    number,
    pays,
    short,
    shown,
    zero,
)
from mechkit.verdict import Played
from proofs import exact


def worst(numbers: Iterable[Any]) -> int:
    floats = [float(x) for x in numbers]
    return floats.index(min(floats))


def loses(scene: Scene) -> Story:
    assert scene.truth.utilities is not None
    i = worst(scene.truth.utilities)
    utility = scene.truth.utilities[i]
    return Story(
        f"truthful agent {i} ends with utility {short(utility)}",
        (
            *scene.cast((i,)),
            scene.line("truth", scene.truth, i),
            f"Staying away would give it 0: taking part costs it {scene.gain}.",
        ),
    )


def owes(scene: Scene) -> list[str]:
    """Who pays and who receives, for budgets."""
    payments = scene.truth.payments
    moved = [i for i in range(len(payments)) if not zero(payments[i])]
    told = [f"{scene.agent(i)} {pays(payments[i])}" for i in moved[: GROUPS + 2]]
    if len(moved) > GROUPS + 2:
        told.append(f"{len(moved) - GROUPS - 2} more pay or receive")
    quiet = len(payments) - len(moved)
    if not moved:
        told.append("nobody pays anything")
    elif quiet:
        told.append(f"the other{'s pay' if quiet > 1 else ' pays'} nothing")
    return [f"{capital('; '.join(told))}."]


def deficit(scene: Scene) -> Story:
    total = sum(scene.truth.payments)
    return Story(
        f"a deficit: payments sum to {short(total)}",
        (*scene.cast(), *owes(scene), f"The payments sum to {number(total)}: a deficit."),
    )


def unbalanced(scene: Scene) -> Story:
    total = sum(scene.truth.payments)
    what = "surplus" if float(total) > 0 else "deficit"
    return Story(
        f"a {what}: payments sum to {short(total)}",
        (
            *scene.cast(),
            *owes(scene),
            f"The payments sum to {number(total)}, a {what}; they should sum to 0.",
        ),
    )


def paid(scene: Scene) -> Story:
    buyers = np.flatnonzero(~scene.setting.sellers)
    i = int(buyers[worst(scene.truth.payments[buyers])])
    return Story(
        f"agent {i} {pays(scene.truth.payments[i], short)}",
        (*scene.cast(), f"{capital(scene.agent(i))} {scene.gets(scene.truth, i)}."),
    )


def infeasible(scene: Scene) -> Story:
    allocation = np.asarray(scene.truth.allocation, dtype=float)
    slack = np.asarray(scene.setting.slack(allocation[None]), dtype=float)[0].ravel()
    k = worst(slack)
    broken = f"constraint {k + 1} of {len(slack)} of the setting is"
    if abs(slack[k] + float(scene.c.gain)) > 1e-9 * max(1.0, abs(slack[k])):
        broken = "in one of the draws a constraint of the setting is"
    return Story(
        f"a constraint is broken by {short(scene.c.gain)}",
        (
            *scene.cast(),
            f"The allocation is {shown(scene.truth.allocation)}: {broken} broken by {scene.gain}.",
        ),
    )


def envious(scene: Scene) -> tuple[int, int] | None:
    """The pair (i envies j) whose difference of utilities is the gain, if it can be recomputed."""
    setting, played = scene.setting, scene.truth
    if setting.lotteries:
        return None
    types = np.asarray(scene.c.types, dtype=float)[None]
    x, p = (np.asarray(a, dtype=float) for a in (played.allocation, played.payments))
    public = {k: np.asarray(v, dtype=float)[None] for k, v in scene.c.public.items()}
    assert played.utilities is not None
    found = None
    for i, j in np.ndindex(setting.agents, setting.agents):
        if i == j or setting.roles[i] != setting.roles[j]:
            continue
        bundles = x.copy()
        bundles[i] = x[j]
        other = float(values(setting, types, bundles[None], public)[0, i]) - p[j]
        excess = other - float(played.utilities[i])
        if abs(excess - float(scene.c.gain)) <= 1e-9 * setting.types.scale:
            found = found or (i, j)
    return found


def envies(scene: Scene) -> Story:
    pair = envious(scene)
    if pair is None:
        return Story(
            f"an agent prefers another's bundle and payment by {short(scene.c.gain)}",
            (*scene.cast(), f"Some agent prefers what a peer gets and pays by {scene.gain}."),
        )
    i, j = pair
    assert scene.truth.utilities is not None
    return Story(
        f"agent {i} envies agent {j} by {short(scene.c.gain)}",
        (
            *scene.cast((i,)),
            f"  own:    {scene.gets(scene.truth, i)}; utility {number(scene.truth.utilities[i])}",
            f"  envied: agent {j} {scene.gets(scene.truth, j)}; worth to agent {i} "
            f"{number(scene.truth.utilities[i] + scene.c.gain)}",
            f"In the place of agent {j}, agent {i} would be better off by {scene.gain}.",
        ),
    )


def wasteful(scene: Scene) -> Story:
    assert scene.truth.utilities is not None
    welfare = sum(scene.truth.utilities) + sum(scene.truth.payments)
    best, optimum = best_allocation(scene), number(welfare + scene.c.gain)
    costs = " (values less costs)" if scene.setting.sellers.any() else ""
    return Story(
        f"welfare {short(welfare)}, and {short(welfare + scene.c.gain)} is possible",
        (
            *scene.cast(),
            f"  truth: allocation {shown(scene.truth.allocation)}, welfare{costs} "
            f"{number(welfare)}",
            f"  best:  welfare {optimum}"
            if best is None
            else f"  best:  allocation {shown(best)}, welfare {optimum}",
            f"Of the welfare that is possible {scene.gain} is lost.",
        ),
    )


def best_allocation(scene: Scene) -> np.ndarray | None:
    """A listed outcome of the largest welfare; None if there is none, or if each draw of a lottery
    has its own."""
    if scene.setting.lotteries:
        return None
    floats = scene.c.arithmetic == "float64"

    def alone(array: Any) -> Any:
        one = np.asarray(array)[None]
        return one.astype(float) if floats else exact(one)

    public = {name: alone(x) for name, x in scene.c.public.items()}
    return best_outcome(scene.setting, alone(scene.c.types), public)


# Wordings: other comparisons ---------------------------------------------------------------------


def cycles(scene: Scene) -> Story:
    (i,), steps = scene.c.agents, list(scene.c.profiles.values())
    role, arrays = scene.setting.roles[i], scene.c.case.arrays
    types = [scene.c.types[i], *arrays["cycle"][0]]
    total: Any = 0
    lines = [*scene.cast((i,))[1:], f"{capital(scene.agent(i))} may be of {len(types)} types:"]
    for k, (own, played) in enumerate(zip(types, steps, strict=True), start=1):
        assert played.utilities is not None
        value = played.utilities[i] + played.payments[i]
        total = total + value
        lines.append(
            f"  type {k} is {shown(own)}: {scene.wins(played.allocation, i, role)}, worth "
            f"{number(value)} to it"
        )
    swapped = "the other's" if len(types) == 2 else "the next one's"
    return Story(
        f"{len(types)} types of agent {i} are worth {short(scene.c.gain)} more with "
        f"{swapped} allocation",
        (
            *lines,
            f"In sum {number(total)}; were each type given {swapped} allocation, "
            f"{number(total + scene.c.gain)}, more by {scene.gain}.",
            "No payments can make all of these types truthful.",
        ),
    )


def scaling(scene: Scene) -> Story:
    factor = scene.c.case.arrays["factor"][0][0]
    whose = "performance bids" if "performance" in scene.setting.roles else "bids"
    return Story(
        f"multiplying the {whose} by {shown(factor, short)} changes who wins",
        (
            *scene.cast(),
            f"All {whose} are multiplied by {shown(factor)}.",
            f"  before: {winners(scene, scene.truth)}",
            f"  after:  {winners(scene, scene.after)}",
        ),
    )


def winners(scene: Scene, played: Played) -> str:
    if not scene.setting.personal:
        return f"the outcome is {shown(played.allocation)}"
    told = [
        f"{scene.agent(i)} {scene.wins(played.allocation, i, scene.setting.roles[i])}"
        for i in range(scene.setting.agents)
        if not zero(played.allocation[i])
    ]
    return listed(told[:GROUPS]) if told else "nobody wins"
