"""Wordings for reports that change something: of one agent, a coalition, or a second identity."""

from __future__ import annotations

from typing import Any

from mechkit.settings import Setting
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


def lie_pays(scene: Scene) -> Story:
    (i,) = scene.c.agents
    lie, honest = shown(scene.after.reports[i], short), shown(scene.truth.reports[i], short)
    return Story(
        f"agent {i} gains {short(scene.c.gain)} by reporting {lie} instead of {honest}",
        (*scene.cast((i,)), *scene.sides(i), f"The lie gains {scene.gain}."),
    )


def expected_lie_pays(scene: Scene) -> Story:
    (i,) = scene.c.agents
    own = scene.c.types[i]
    lie = scene.c.case.arrays["lies"][0][0]
    return Story(
        f"agent {i} of type {shown(own, short)} expects {short(scene.c.gain)} more by reporting "
        f"{shown(lie, short)}",
        (
            scene.has(i),
            "It knows no more of the others than the prior, and expects them to be truthful.",
            f"Reporting {shown(lie)} instead raises its expected utility by {scene.gain}.",
        ),
    )


def expects_loss(scene: Scene) -> Story:
    (i,) = scene.c.agents
    own = scene.c.types[i]
    return Story(
        f"agent {i} of type {shown(own, short)} expects utility {short(-scene.c.gain)}",
        (
            scene.has(i),
            "Everybody is truthful, and it knows no more of the others than the prior.",
            f"Its expected utility is {number(-scene.c.gain)}; staying away would give 0.",
        ),
    )


def perverse(scene: Scene) -> Story:
    (i,) = scene.c.agents
    sells = bool(scene.setting.sellers[i])
    a, b = scene.truth, scene.after
    x, y = a.reports[i], b.reports[i]
    if (x > y) != sells:  # tell it from the worse report to the better one
        a, b, x, y = b, a, y, x
    verb = "lowers" if sells else "raises"
    role = scene.setting.roles[i]
    return Story(
        f"agent {i} gets {short(scene.c.gain)} less when it {verb} its report "
        f"from {shown(x, short)} to {shown(y, short)}",
        (
            *scene.cast((i,))[1:],
            f"  {capital(scene.actor(i))} reporting {shown(x)} {scene.wins(a.allocation, i, role)}",
            f"  and reporting {shown(y)} {scene.wins(b.allocation, i, role)}",
            f"The better report lowers its allocation by {scene.gain}.",
        ),
    )


def wrong_price(scene: Scene) -> Story:
    (i,) = scene.c.agents
    role = scene.setting.roles[i]
    mine = scene.actor(i)
    report, other = scene.truth.reports[i], scene.after.reports[i]
    price = scene.truth.payments[i]
    here = f"{capital(mine)} reports {shown(report)}, {scene.gets(scene.truth, i)}."
    if zero(scene.truth.allocation[i]):
        return Story(
            f"agent {i} gets nothing and {pays(price, short)}",
            (*scene.cast((i,))[1:], here, "A loser should pay nothing."),
        )
    still = not zero(scene.after.allocation[i])
    paid = "receives" if scene.setting.sellers[i] else "pays"
    side = "more" if still != bool(scene.setting.sellers[i]) else "less"
    there = (
        f"Reporting {shown(other)} it {scene.wins(scene.after.allocation, i, role)}"
        f"{' too' if still else ''}: it {paid} {scene.gain} {side} than the report that decides."
    )
    return Story(
        f"agent {i} {pays(price, short)}, yet {'wins' if still else 'loses'} at "
        f"{shown(other, short)}",
        (*scene.cast((i,))[1:], here, there),
    )


def bossy(scene: Scene) -> Story:
    (i,) = scene.c.agents
    a, b, n = scene.truth, scene.after, scene.setting.agents
    moved = [j for j in range(n) if j != i and scene.gets(a, j) != scene.gets(b, j)]
    mine = (
        f"{capital(scene.actor(i))} reports {shown(b.reports[i])} instead of {shown(a.reports[i])}"
    )
    lines = [
        *scene.cast((i,))[1:],
        f"{mine}. Its own outcome stays: {scene.gets(a, i)}.",
        *(
            f"  {scene.agent(j)} before: {scene.gets(a, j)}; after: {scene.gets(b, j)}"
            for j in moved[:GROUPS]
        ),
    ]
    if len(moved) > GROUPS:
        lines.append(f"  and {len(moved) - GROUPS} more agents are moved")
    whom = (
        f"agent{'s' * (len(moved) > 1)} {listed(map(str, moved[:GROUPS]))}" if moved else "others"
    )
    return Story(
        f"agent {i} changes the outcome of {whom} by {short(scene.c.gain)}, and not its own",
        tuple(lines),
    )


def revenue_falls(scene: Scene) -> Story:
    (i,) = scene.c.agents
    before, after = sum(scene.truth.payments), sum(scene.after.payments)
    if scene.c.case.family == "newcomer":
        role, j = scene.setting.roles[i], newcomer(scene.setting, i)
        return Story(
            f"revenue falls by {short(scene.c.gain)} when one more {role} joins",
            (
                *scene.cast(),
                f"The payments sum to {number(before)}.",
                f"{capital(scene.actor(j, role))} joins, of type "
                f"{shown(scene.c.case.arrays['newcomer'][0][0])}: they sum to {number(after)}.",
                f"More competition lowers revenue by {scene.gain}.",
            ),
        )
    x, y = scene.truth.reports[i], scene.after.reports[i]
    return Story(
        f"revenue falls by {short(scene.c.gain)} when agent {i} reports {shown(y, short)} "
        f"instead of {shown(x, short)}",
        (
            *scene.cast((i,))[1:],
            f"  {scene.agent(i)} reporting {shown(x)}: the payments sum to {number(before)}",
            f"  reporting {shown(y)}: they sum to {number(after)}",
            f"A higher bid lowers revenue by {scene.gain}.",
        ),
    )


# Wordings: several identities, several agents ----------------------------------------------------


def newcomer(setting: Setting, i: int) -> int:
    """The index of an agent that joins in the role of agent i: after the last of that role."""
    return max(j for j, role in enumerate(setting.roles) if role == setting.roles[i]) + 1


def false_names(scene: Scene) -> Story:
    (i,) = scene.c.agents
    j, role, after = newcomer(scene.setting, i), scene.setting.roles[i], scene.after
    assert scene.truth.utilities is not None
    price = after.payments[i] + after.payments[j]
    utility = scene.truth.utilities[i] + scene.c.gain
    return Story(
        f"agent {i} gains {short(scene.c.gain)} by taking part as two",
        (
            *scene.cast((i,)),
            scene.line("alone", scene.truth, i),
            "  as two:",
            *(
                f"    {who} reports {shown(after.reports[k])}, {scene.gets(after, k, role)}"
                for who, k in (("one", i), ("the other", j))
            ),
            f"    together: {pays(price)}; utility {number(utility)}",
            f"The second identity gains {scene.gain}.",
        ),
    )


def coalition(scene: Scene) -> tuple[list[str], list[Any]]:
    who = scene.c.agents
    lines, gains = [*scene.cast(who)], []
    assert scene.truth.utilities is not None
    assert scene.after.utilities is not None
    for i in who:
        before, after = scene.truth.utilities[i], scene.after.utilities[i]
        gains.append(after - before)
        lines += [
            f"  {scene.agent(i)}",
            f"  {scene.line('truth', scene.truth, i)}",
            f"  {scene.line('lie', scene.after, i, 6)}",
        ]
    return lines, gains


def everyone_gains(scene: Scene) -> Story:
    lines, gains = coalition(scene)
    told = listed(f"agent {i} by {number(g)}" for i, g in zip(scene.c.agents, gains, strict=True))
    return Story(
        f"{scene.group(scene.c.agents)} gain {listed(map(short, gains))}",
        (*lines, f"Every member gains: {told}."),
    )


def one_gains_none_loses(scene: Scene) -> Story:
    lines, gains = coalition(scene)
    told = listed(f"agent {i} by {number(g)}" for i, g in zip(scene.c.agents, gains, strict=True))
    return Story(
        f"{scene.group(scene.c.agents)} gain {listed(map(short, gains))}",
        (*lines, f"Nobody loses, and somebody gains: {told}."),
    )


def sum_gains(scene: Scene) -> Story:
    lines, _ = coalition(scene)
    return Story(
        f"{scene.group(scene.c.agents)} gain {short(scene.c.gain)} in sum",
        (*lines, f"Together they gain {scene.gain}, to be shared by side payments."),
    )


def partial_agent(scene: Scene) -> Story:
    i, j = scene.c.agents
    lines = list(scene.cast((i, j)))
    for label, played in (("before", scene.truth), ("after", scene.after)):
        lines.append(f"  {label} the exchange of their reports")
        lines += [f"    {scene.agent(k)} {scene.gets(played, k)}" for k in (i, j)]
    return Story(
        f"agents {i} and {j} exchange reports, not outcomes (off by {short(scene.c.gain)})",
        (
            *lines,
            "What they get and pay should be exchanged, too, and everybody else left alone: it is "
            f"off by {scene.gain}, and no tie excuses it.",
        ),
    )
