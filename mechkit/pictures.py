"""Pictures as PNG files, drawn without a screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mechkit.errors import InputError
from mechkit.terminal import replacing


def sheet(width: float, height: float) -> Any:
    """An empty figure of matplotlib, in inches. Raises InputError where the library is missing."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("matplotlib is missing: pip install 'mechkit-econ[plot]'") from None
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def keep(figure: Any, file: Path, *, dpi: int) -> None:
    """As a PNG, all or nothing."""
    with replacing(file) as part:
        figure.savefig(part, format="png", dpi=dpi)
