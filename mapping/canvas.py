"""Where pictures are drawn: into given axes, or on a figure of its own that goes to a file. Matplotlib comes late."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def axes(ax: Axes | None) -> Axes:
    """``ax``, or the current ones of pyplot."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.gca()


def save(draw: Any, path: Path, inches: tuple[float, float]) -> Path:
    """Draw on a figure of its own, that no interactive session sees, and write it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as NewFigure

    figure: Figure = NewFigure(figsize=inches, layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.subplots())
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return path
