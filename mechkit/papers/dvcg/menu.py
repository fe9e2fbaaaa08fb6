"""Small auctions with a menu of allocations, for search and proof.

The exponentials of eq. 39 leave no rational arithmetic, so here the provider can choose among
finitely many allocations, and a type is what each of them is worth to a VSP: any numbers in [0, 1],
those of eq. 39 among them up to scale. Reports are bids x_i of VoI currency; the truth is one's
value of information. Where Δ > 0 the noise of eq. 15 makes the allocation some other of the menu,
any one (`noise`). α_i = 1 and w_i = 0: both leave best replies as they are, and where a bid is
best for every member of a coalition it is so for any α.

Utility here is profit (eq. 6): value minus tax.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mechkit.mechanism import Mechanism
from mechkit.papers.dvcg.mechanism import levy, spread
from mechkit.settings import Array, Lottery, Public, Setting
from mechkit.spaces import box


def chosen(index: Array, menu: int) -> Array:
    """(batch,) -> (batch, menu): the allocation of that index, one-hot."""
    return np.arange(menu) == index[..., None]


def best(utilities: Array) -> Array:
    """Eq. 14, (batch, menu): the first allocation with the largest Σ_j u_j, one-hot.

    utilities (batch, N, menu)."""
    return chosen(np.argmax(utilities.sum(axis=1), axis=-1), utilities.shape[-1])


def worth(utilities: Array, allocation: Array) -> Array:
    """u_i of a one-hot allocation, (batch, N)."""
    return (utilities * allocation[:, None, :]).sum(axis=-1)


def without_each(utilities: Array) -> Array:
    """max_s Σ_{j≠i} u_j(s), (batch, N)."""
    others = utilities.sum(axis=1, keepdims=True) - utilities
    return np.max(others, axis=-1)


def auction(
    bids: Array, estimates: Array, noise: Array, *, with_interest: bool = True
) -> tuple[Array, Array]:
    """Eqs. 12–18 on a menu: (allocation (batch, menu), taxes (batch, N)).

    bids (batch, N); estimates (batch, N, menu); noise (batch,): the allocation that comes of it
    where Δ > 0.
    """
    star = best(estimates)
    values = worth(estimates, star)
    most = values.sum(axis=-1, keepdims=True)
    delta = spread(bids, most)
    shares = np.where(delta > 0, chosen(noise, star.shape[-1]), star) * 1
    levied = levy(
        bids,
        values,
        without_each(estimates),
        worth(estimates, shares),
        with_interest=with_interest,
    )
    return shares, levied.taxes


def one_of(menu: int) -> Callable[[Array], Array]:
    """The slack of an allocation of a menu: a share of each of at least 0, and one in all."""

    def slack(allocation: Array) -> Array:
        x = allocation * 1
        return np.concatenate([x, -np.abs(1 - x.sum(axis=-1, keepdims=True))], axis=-1)

    return slack


def menu_auction(
    vsps: int,
    menu: int,
    *,
    outsiders: int = 0,
    estimated: bool = False,
    with_interest: bool = True,
    name: str = "DVCG on a menu",
) -> Mechanism:
    """DVCG among `vsps` agents, with as many `outsiders` more, who bid their values of information.

    estimated: the provider's estimates of utilities are any numbers in [0, 1]; exact by default.
    """
    crowd = vsps + outsiders

    def known(types: Array, public: Public) -> Array:
        """Everybody's true utilities, (batch, crowd, menu)."""
        return np.concatenate([types, public["outsiders"]], axis=1) if outsiders else types

    def seen(public: Public) -> Array:
        estimates = public["estimates"]
        return np.concatenate([estimates, public["outsiders"]], axis=1) if outsiders else estimates

    def information(types: Array, public: Public) -> Array:
        """Eq. 11, (batch, crowd): true utilities of what is best by the estimates."""
        return worth(known(types, public), best(seen(public)))

    def truthful(types: Array, *, public: Public) -> Array:
        return information(types, public)[:, :vsps]

    def outcome(bids: Array, *, public: Public) -> tuple[Array, Array]:
        estimates = seen(public)
        if outsiders:
            honest = worth(estimates, best(estimates))[:, vsps:]
            bids = np.concatenate([bids, honest], axis=1)
        shares, taxes = auction(bids, estimates, public["noise"], with_interest=with_interest)
        return shares, taxes[:, :vsps]

    public: dict[str, object] = {
        "noise": Lottery(draws=range(menu), every=True),
        "estimates": box(vsps, menu) if estimated else lambda types: types,
    }
    if outsiders:
        public["outsiders"] = box(outsiders, menu)
    setting = Setting(
        name=f"{crowd} VSPs, a menu of {menu}",
        types=box(vsps, menu),
        allocation_shape=(menu,),
        value=lambda types, allocation, *, public: worth(types, allocation * 1),
        slack=one_of(menu),
        personal=False,
        reports=box(vsps, high=2),
        truthful=truthful,
        public=public,  # type: ignore[arg-type]
        outcomes=lambda: np.eye(menu, dtype=int),
    )
    return Mechanism.from_outcome(setting, outcome, name=name)


# Any utilities ------------------------------------------------------------------------------------


def any_auction(
    vsps: int, *, outsiders: int = 0, with_interest: bool = True, name: str = "DVCG"
) -> Mechanism:
    """DVCG for any utilities whatever, known exactly, by the few numbers that its rules see.

    A type is a value of information U*_j in [0, 1]. Public are `change` (1, N), what noise does to
    the utilities, u_j(s̃_j) = U*_j + change_j where Δ > 0, with Σ_j change_j ≤ 0 since s* is best;
    and `room` (N,): max_s Σ_{j≠i} u_j(s_j) is Σ_{j≠i} U*_j + min(room_i, U*_i), since it is no
    less than the others have at s*, and no more than SW*. Utilities of any form, those of eq. 39
    too, give such numbers, and what holds for all of these holds for them. An allocation is 0 for
    s* and 1 for s̃. `outsiders` bid their values of information.
    """
    crowd = vsps + outsiders

    def everybody(types: Array, public: Public) -> Array:
        return np.concatenate([types, public["outsiders"]], axis=1) if outsiders else types

    def after(values: Array, noisy: Array, public: Public) -> Array:
        return values + np.where(noisy > 0, public["change"][:, 0], 0)

    def outcome(bids: Array, *, public: Public) -> tuple[Array, Array]:
        values = everybody(public["estimates"], public)
        if outsiders:
            bids = np.concatenate([bids, public["outsiders"]], axis=1)
        most = values.sum(axis=-1, keepdims=True)
        noisy = (spread(bids, most) > 0) * 1
        without = most - values + np.minimum(public["room"], values)
        levied = levy(
            bids, values, without, after(values, noisy, public), with_interest=with_interest
        )
        return noisy, levied.taxes[:, :vsps]

    def value(types: Array, allocation: Array, *, public: Public) -> Array:
        return after(everybody(types, public), allocation, public)[:, :vsps]

    public: dict[str, Any] = {
        "estimates": lambda types: types,
        "change": box(1, crowd, low=-1, constraints=([[1] * crowd], [0])),
        "room": box(crowd),
    }
    if outsiders:
        public["outsiders"] = box(outsiders)
    setting = Setting(
        name=f"{crowd} VSPs of any utilities",
        types=box(vsps),
        allocation_shape=(1,),
        value=value,
        slack=lambda allocation: np.concatenate([allocation * 1, 1 - allocation * 1], axis=-1),
        personal=False,
        reports=box(vsps, high=2),
        truthful=lambda types, *, public: types * 1,
        public=public,
    )
    return Mechanism.from_outcome(setting, outcome, name=name)


MECHANISMS: dict[str, Callable[[], Mechanism]] = {
    "dvcg": lambda: any_auction(3),
    "dvcg-colluders": lambda: any_auction(2, outsiders=1),
    "dvcg-everybody": lambda: any_auction(2),
    "nvi-colluders": lambda: any_auction(2, outsiders=1, with_interest=False),
    "dvcg-menu": lambda: menu_auction(3, 2),
    "dvcg-estimates": lambda: menu_auction(2, 2, estimated=True),
}
