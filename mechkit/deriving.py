"""The command `mechkit derive`: an equilibrium in closed form, with its derivation and its check.

Exit codes: 0 a closed form that the check could not improve upon; 1 none was found, or the check
rejected it; 2 the input was wrong.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import click

from mechkit.errors import InputError
from mechkit.options import JSON, SEED, finite
from mechkit.terminal import aside, put_json, save, waiting, write


@click.command(
    epilog="\b\nExamples:\n  mechkit derive duopoly.py:game\n"
    "  mechkit derive duopoly.py:game --latex > duopoly.tex\n"
    "  mechkit derive duopoly.py --html duopoly.html --plot duopoly.png --at a=10,b=1,c=1"
    "\n\b\nA game, duopoly.py:\n"
    "  import sympy as sp\n"
    "  from proofs.games import Decision, Game, Parameter, Player\n"
    "  a, b, c = sp.symbols('a b c', positive=True)\n"
    "  x, y = sp.symbols('x y', real=True)\n"
    "  margin = a - b * (x + y) - c\n"
    "  game = Game(\n"
    "      stages=(\n"
    "          (Player('leader', margin * x, (Decision(x, low=0),)),),\n"
    "          (Player('follower', margin * y, (Decision(y, low=0),)),),\n"
    "      ),\n"
    "      parameters=tuple(Parameter(p, low=0) for p in (a, b, c)),\n"
    "      assumptions=(a > c,),\n"
    "  )"
)
@click.argument("game", metavar="GAME.py:NAME")
@click.option("--draws", type=click.IntRange(min=1), default=500, show_default=True, metavar="N")
@SEED
@click.option(
    "--seconds", type=float, metavar="S", callback=finite, default=60.0, show_default=True,
    help="For the derivation; past them the equilibrium is left to numbers.",
)  # fmt: skip
@click.option("--latex", is_flag=True, help="A LaTeX fragment on stdout instead.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="A page, too.")
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE.png",
    help="Utilities and best replies around the equilibrium, too.",
)  # fmt: skip
@click.option(
    "--at", metavar="a=1,b=2", help="The equilibrium in numbers at these parameters, too."
)
@JSON
def derive(
    game: str,
    draws: int,
    seed: int,
    seconds: float,
    latex: bool,
    html: Path | None,
    plot: Path | None,
    at: str | None,
    json_: bool,
) -> int:
    """Derive the Stackelberg equilibrium of a game written in SymPy, and check it.

    NAME is a proofs.games.Game, or a function without arguments that returns one. What is printed
    is the derivation: replies from the last stage to the first, second order conditions, corners
    and their conditions. A closed form is only called so if independent numerical optimisation, at
    hundreds of draws of the parameters, finds nobody who could do better.
    """
    if latex and json_:
        raise InputError("--latex and --json both want stdout: give one of them")
    for file in (html, plot):
        if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
            raise InputError(f"{file}: give a file name in a directory that is there")
    if plot is not None and plot.suffix != ".png":
        raise InputError(f"{plot}: expected a name that ends in .png")
    try:
        import sympy  # noqa: F401
    except ImportError:
        raise InputError("SymPy is missing: pip install 'mechkit-econ[prove]'") from None
    from mechkit import derivation
    from mechkit.portrait import parameters, portrait
    from mechkit.sources import load_game
    from proofs import games

    with aside():
        loaded = load_game(game)
    with aside(), waiting(f"deriving {loaded.name}"):
        try:
            found = games.derive(loaded, draws=draws, seed=seed, seconds=seconds)
        except ValueError as error:
            raise InputError(str(error)) from None
    asked = at is not None or plot is not None or found.status is games.Status.NUMERICAL
    point: tuple[Any, Any] | None = None
    if asked and found.status is not games.Status.NONE:
        values = parameters(found, None if at is None else given(at), seed=seed)
        with aside(), waiting("solving in numbers"):
            point = values, games.numerical_equilibrium(found.game, values, seed=seed)
    if json_:
        put_json(derivation.as_json(found, point))
    elif latex:
        click.echo(derivation.latex(found, point), nl=False)
    else:
        width = shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100
        click.echo(derivation.text(found, point, width=min(width, 120)))
    sys.stdout.flush()
    if html is not None:
        save(html, lambda: write(html, derivation.html(found, point)), quiet=json_ or latex)
    if plot is not None:
        if point is None:
            raise InputError(f"there is no equilibrium to draw: {found.reason}")
        values, solved = point
        save(plot, lambda: portrait(found, plot, values, solved.decisions), quiet=json_ or latex)
    return 0 if found.status is games.Status.CHECKED else 1


def given(text: str) -> dict[str, float]:
    """The numbers of "a=1,b=2"."""
    values = {}
    for part in text.split(","):
        name, equals, number = part.partition("=")
        try:
            values[name.strip()] = float(number)
        except ValueError:
            equals = ""
        if not (name.strip() and equals):
            raise InputError(f"--at {text}: expected NAME=NUMBER,…, a=10,b=1 say")
    return values
