"""What should hold, as signed margins.

A property is one value in one place: its statement, its source, the settings to which it applies,
and checks. A check pairs a family of cases (`deviations`) with a margin on its views: ≥ 0 where the
property holds, and how far it fails where not, in the unit of what is compared. The same margin
runs on floats in the search, on rationals in the exact replay, and on symbols in a proof.

θ: true types, r: reports, x(r): allocation, p_i(r): what agent i pays,
u_i(θ_i; r) = v_i(θ_i, x(r)) − p_i(r).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mechkit import first_best, margins
from mechkit.deviations import LONGEST_CYCLE
from mechkit.errors import InputError
from mechkit.expectations import MAX_OPPONENTS
from mechkit.priors import level_weights
from mechkit.settings import Array, Setting
from mechkit.spaces import Space

Margin = Callable[[Any], Array]


@dataclass(frozen=True)
class Check:
    """A margin on the views of a family: view -> (batch,) or (batch, k), every entry ≥ 0.

    exercised(view) -> bool (batch,): the rows in which anything was at stake; where something was
    allocated, by default.
    sought: False where its cases are too many to sample or to play, and are left to the provers
    that come upon one by other means; such checks come after all others.
    refuses: where the margin is negative the property is not defined, and this says why: a witness
    of it makes the property not applicable, and a proof of the property shows that there is none.
    """

    family: str
    margin: Margin
    exercised: Callable[[Any], Array] | None = None
    sought: bool = True
    refuses: str | None = None


@dataclass(frozen=True)
class Property:
    """Something a mechanism may claim.

    checks(setting): all of which must hold. excuse(setting): why the property does not apply, or
    None. tie_free: claimed only where the rule compares no equal report-dependent numbers.
    unit: of the margin. slug: one word for file names and the command line is `name` itself.
    """

    name: str
    statement: str
    source: str
    checks: Callable[[Setting], tuple[Check, ...]]
    excuse: Callable[[Setting], str | None] = lambda setting: None
    tie_free: bool = False
    unit: str = "money"

    def sought(self, setting: Setting) -> tuple[Check, ...]:
        """The checks whose cases are sampled and played, by the indices that they have in all."""
        return tuple(check for check in self.checks(setting) if check.sought)


def always(*checks: Check) -> Callable[[Setting], tuple[Check, ...]]:
    """The same checks whatever the setting."""
    return lambda setting: checks


def any_reports(margin: Margin) -> Callable[[Setting], tuple[Check, ...]]:
    """A check at every profile of reports, also at those that no types would truthfully send."""
    return lambda setting: (Check("reports" if setting.apart else "profile", margin),)


# Excuses -----------------------------------------------------------------------------------------


def _several_agents(setting: Setting) -> str | None:
    return None if setting.agents > 1 else "there is one agent only"


def _single_parameter(setting: Setting) -> str | None:
    if setting.quantity is None:
        return "types have several parameters: see cyclic_monotone"
    if setting.report_space.coordinates != ():
        return "reports are not single numbers"
    return None


def _zero_one(setting: Setting) -> str | None:
    if (why := _single_parameter(setting)) is not None:
        return why
    if setting.reports is not None:
        return "reports live in another space than values, so no report is a price"
    return None if setting.binary else "allocations are not 0 or 1"


def _multi_parameter(setting: Setting) -> str | None:
    if setting.types.coordinates == ():
        return "types are single numbers: see monotone"
    if any(callable(source) for source in setting.public.values()):
        return "what is revealed of a type would change along a cycle"
    return "values depend on the others' types" if setting.interdependent else None


def _nobody_buys(setting: Setting) -> str | None:
    return "everybody sells" if setting.sellers.all() else None


def _peers(setting: Setting) -> str | None:
    if len(set(setting.roles)) == setting.agents:
        return "no two agents have the same role"
    return None


def _has_bundles(setting: Setting) -> str | None:
    if not setting.personal:
        return "the outcome is common to all: there is no own bundle to compare"
    return _peers(setting)


def _alike(setting: Setting) -> str | None:
    if (why := _peers(setting)) is not None:
        return why
    low, high = setting.report_space.low, setting.report_space.high
    for role in dict.fromkeys(setting.roles):
        mine = [i for i, r in enumerate(setting.roles) if r == role]
        for bound in (low, high):
            if (bound[mine] != bound[mine[0]]).any():
                return f"agents of role {role} have different types to report"
    if any(
        callable(p) or (isinstance(p, Space) and setting.agents in p.shape)
        for p in setting.public.values()
    ):
        return "public information tells the agents apart"
    return None


def _can_split(setting: Setting) -> str | None:
    if (why := _nobody_buys(setting)) is not None:
        return why
    if setting.joint_value is None or setting.resize is None:
        return "identities are fixed in this setting"
    if setting.interdependent:
        return "values depend on the others' types"
    if setting.reports is not None or any(callable(p) for p in setting.public.values()):
        return "what a split identity would report or reveal is not defined"
    return None


def _scales(setting: Setting) -> str | None:
    if (why := _single_parameter(setting)) is not None:
        return why
    if setting.sellers.any():
        return "there are sellers"
    return None if not setting.report_space.low.any() else "bids cannot be scaled: 0 is not a bid"


def _finite_scalar(setting: Setting) -> str | None:
    if setting.interdependent:
        return "values depend on the others' types"
    if setting.public and set(setting.lotteries) != set(setting.public):
        return "public information would have to be averaged out"
    if setting.types.coordinates != () or setting.reports is not None:
        return "exact expectations need types that are single numbers, reported as such"
    if level_weights(setting.types, setting.prior) is None:
        return None  # estimated
    levels = setting.types.levels[0]  # type: ignore[index]
    count = len(levels or ()) ** (setting.agents - 1)
    return None if count <= MAX_OPPONENTS else f"{count} profiles of the others: too many to sum"


# The table ---------------------------------------------------------------------------------------


def _resizable(setting: Setting, *checks: Check) -> tuple[Check, ...]:
    fixed = setting.resize is None or any(callable(p) for p in setting.public.values())
    return checks[:1] if fixed else checks


_TABLE = (
    Property(
        "feasible",
        "every allocation keeps the setting's constraints",
        "the setting",
        any_reports(lambda view: view.before.slack),
        unit="allocation",
    ),
    Property(
        "ir",
        "no truthful agent is worse off than by staying away (ex post)",
        "Myerson 1981",
        always(Check("profile", lambda view: view.before_utility)),
    ),
    Property(
        "ic",
        "no agent gains by misreporting, whatever the others report (dominant strategies)",
        "Gibbard 1973; Green & Laffont 1977",
        always(Check("deviation", margins.own_gain)),
    ),
    Property(
        "ex_post_nash",
        "no agent gains by misreporting while the others report truthfully",
        "Bergemann & Morris 2005",
        lambda setting: (Check("nash" if setting.apart else "deviation", margins.own_gain),),
    ),
    Property(
        "bic",
        "no agent gains by misreporting in expectation over the others' prior",
        "d'Aspremont & Gérard-Varet 1979",
        always(Check("interim", lambda v: v.truth_value - v.lie_value, margins.interim_trades)),
        _finite_scalar,
    ),
    Property(
        "interim_ir",
        "no truthful agent expects to be worse off than by staying away",
        "d'Aspremont & Gérard-Varet 1979",
        always(Check("interim", lambda view: view.truth_value, margins.interim_trades)),
        _finite_scalar,
    ),
    Property(
        "weak_budget_balance",
        "the payments sum to no less than zero",
        "Myerson & Satterthwaite 1983",
        any_reports(margins.budget),
    ),
    Property(
        "strong_budget_balance",
        "the payments sum to zero",
        "Myerson & Satterthwaite 1983",
        any_reports(lambda view: -np.abs(margins.budget(view))),
    ),
    Property(
        "no_positive_transfers",
        "no buyer is paid",
        "Nisan et al. 2007, definition 9.18",
        any_reports(lambda view: view.before.payments[:, ~view.setting.sellers]),
        _nobody_buys,
    ),
    Property(
        "monotone",
        "a better report never lowers one's own allocation",
        "Myerson 1981",
        always(Check("deviation", margins.monotone)),
        _single_parameter,
        unit="allocation",
    ),
    Property(
        "critical_payment",
        "a winner pays the least report with which it wins, and a loser nothing",
        "Nisan et al. 2007, theorem 9.36",
        always(
            Check("deviation", margins.critical, margins.won_or_lost),
            Check("profile", margins.whole, refuses="an agent gets a part of what it wants"),
        ),
        _zero_one,
    ),
    Property(
        "cyclic_monotone",
        "over no cycle of one agent's types would swapping allocations raise their total value",
        "Rochet 1987",
        always(
            *(
                Check(f"cycle {length}", margins.cycle, sought=length <= 3)
                for length in range(2, LONGEST_CYCLE + 1)
            )
        ),
        _multi_parameter,
    ),
    Property(
        "efficient",
        "no feasible allocation has a higher welfare than the one that truth leads to",
        "Vickrey 1961; Green & Laffont 1979",
        always(Check("profile", margins.efficiency)),
        first_best.unknown,
    ),
    Property(
        "anonymous",
        "swapping two agents' reports swaps their outcomes, wherever the rule meets no tie",
        "Moulin 1988",
        always(Check("swap", margins.anonymous)),
        _alike,
        tie_free=True,
    ),
    Property(
        "envy_free",
        "no truthful agent prefers the bundle and payment of another in its role",
        "Foley 1967",
        always(Check("profile", margins.envy)),
        _has_bundles,
    ),
    Property(
        "non_bossy",
        "nobody changes another's outcome by a report that leaves its own outcome unchanged",
        "Satterthwaite & Sonnenschein 1981",
        always(Check("deviation", margins.non_bossy)),
        _several_agents,
    ),
    Property(
        "group_ic",
        "no coalition can misreport so that every member strictly gains",
        "Green & Laffont 1979",
        always(Check("coalition", margins.group)),
        _several_agents,
    ),
    Property(
        "strong_group_ic",
        "no coalition can misreport so that one member gains and none loses",
        "Moulin 1999",
        always(Check("coalition", margins.strong_group)),
        _several_agents,
    ),
    Property(
        "collusion_proof",
        "no coalition gains in sum by misreporting (with side payments)",
        "Green & Laffont 1979",
        always(Check("coalition", lambda view: -margins.coalition_gains(view).sum(axis=-1))),
        _several_agents,
    ),
    Property(
        "false_name_proof",
        "nobody gains by taking part as two identities",
        "Yokoo, Sakurai & Matsubara 2004",
        always(Check("split", lambda view: -view.gain)),
        _can_split,
    ),
    Property(
        "revenue_monotone",
        "raising a bid or adding a bidder never lowers the sum of the payments",
        "Rastegari, Condon & Leyton-Brown 2011",
        lambda setting: _resizable(
            setting, Check("deviation", margins.raised), Check("newcomer", margins.joined)
        ),
        _nobody_buys,
    ),
    Property(
        "adverse_selection_free",
        "scaling every performance bid by a common factor never changes who wins",
        "Arnosti, Beck & Milgrom 2016",
        always(Check("scaling", margins.scaled)),
        _scales,
        unit="allocation",
    ),
)

PROPERTIES: dict[str, Property] = {p.name: p for p in _TABLE}


def select(names: Iterable[str] | str | None) -> list[Property]:
    """The properties of these names, in the order of the table; all for None."""
    if names is None:
        return list(PROPERTIES.values())
    wanted = names.replace(",", " ").split() if isinstance(names, str) else list(names)
    unknown = [name for name in wanted if name not in PROPERTIES]
    if unknown or not wanted:
        raise InputError(
            f"properties {unknown or wanted}: expected some of {', '.join(PROPERTIES)}"
        )
    return [p for name, p in PROPERTIES.items() if name in wanted]
