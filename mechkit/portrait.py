"""A picture of an equilibrium: utilities along own decisions, replies along others', as PNG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mechkit.errors import InputError
from mechkit.pictures import keep, sheet

if TYPE_CHECKING:
    from proofs.games import Equilibrium

COLUMNS = 3


def parameters(found: Equilibrium, given: Mapping[str, float] | None, *, seed: int) -> Any:
    """Values of all parameters: those given by name, or the first draw of the seed.

    Raises InputError for a name that is no parameter, or one that is missing.
    """
    import sympy as sp

    from proofs.games import draw

    drawn = draw(found.game, 1, seed=seed)[0]
    if given is None:
        return drawn
    known = {sp.sstr(symbol): symbol for symbol in drawn}
    unknown = sorted(set(given) - set(known))
    missing = sorted(set(known) - set(given))
    if unknown or missing:
        what = f"unknown {', '.join(unknown)}" if unknown else f"missing {', '.join(missing)}"
        raise InputError(f"--at: {what}; the parameters are {', '.join(known)}")
    return {known[name]: value for name, value in given.items()}


def portrait(found: Equilibrium, file: Path, values: Any, decisions: Mapping[Any, Any]) -> None:
    """Draw the curves around `decisions` at parameter `values` into a PNG file, all or nothing.

    Raises InputError where matplotlib is missing.
    """
    import sympy as sp

    from proofs.games.curves import curves

    drawn = curves(found.game, values, decisions)
    rows = -(-len(drawn) // COLUMNS)
    columns = min(COLUMNS, len(drawn))
    figure = sheet(4.4 * columns, 3.3 * rows + 0.5)
    told = ", ".join(f"{sp.sstr(k)} = {float(v):.4g}" for k, v in list(values.items())[:8])
    figure.suptitle(f"{found.game.name} at {told}", fontsize=11)
    for number, curve in enumerate(drawn, start=1):
        axes = figure.add_subplot(rows, columns, number)
        reply = curve.kind == "reply"
        colour, marker = "#2f5fb3" if reply else "#1a7f4b", "o" if len(curve.at) < 12 else ""
        axes.plot(curve.at, curve.value, color=colour, marker=marker, markersize=3, linewidth=1.8)
        axes.plot(*curve.here, "o", color="#b3261e", markersize=6)
        what = f"reply {curve.name}" if reply else f"utility of {curve.name}"
        axes.set_title(what, fontsize=10)
        axes.set_xlabel(sp.sstr(curve.along))
        axes.grid(alpha=0.25)
    keep(figure, file, dpi=130)
