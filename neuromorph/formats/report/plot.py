"""The picture of a report: code lengths by layer, how large the values are, and the errors that each size meets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.errors import FormatError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neuromorph.formats.report.report import BitsReport, LayerBits

SHORT, EXACT, LOSSY = "#2e7d5b", "#8fb8de", "#c0392b"
_MOST = 30
"""Layers that are shown."""
_BAND = 8
"""Magnitudes that share a bar, a multiple of which starts every kind of code of SPARK."""


def draw(report: BitsReport, path: str | os.PathLike[str] | None = None) -> Figure:
    """Draw ``report``; see :meth:`BitsReport.plot`."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as NewFigure
    except ImportError as error:
        raise FormatError("a plot of bits needs matplotlib: pip install 'neuromorph[plot]'") from error
    shown = sorted(report.layers, key=lambda each: -each.count)[:_MOST]
    figure: Figure = NewFigure(figsize=(11, max(4.5, 1.6 + 0.26 * len(shown))), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, width_ratios=(1.15, 1))
    _lengths(figure.add_subplot(grid[:, 0]), report, [each for each in report.layers if each in shown])
    _sizes(figure.add_subplot(grid[0, 1]), report)
    _errors(figure.add_subplot(grid[1, 1]), report)
    for ax in figure.axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
    figure.suptitle(report.subject, x=0.01, ha="left", fontsize=10)
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130)
    return figure


def _lengths(ax: Any, report: BitsReport, layers: Sequence[LayerBits]) -> None:
    """A bar for each layer: its values by how they are kept."""
    first = report.formats[0]
    found = [layer.formats[first] for layer in layers]
    places = np.arange(len(layers))[::-1]
    left = np.zeros(len(layers))
    shares = {
        "short code": (SHORT, [each.short_share for each in found]),
        "long, exact": (EXACT, [1 - each.short_share - each.lossy_share for each in found]),
        "long, rounded by the code": (LOSSY, [each.lossy_share for each in found]),
    }
    for label, (colour, share) in shares.items():
        width = 100 * np.array(share)
        ax.barh(places, width, left=left, color=colour, label=label, height=0.8)
        left += width
    for place, each in zip(places, found, strict=True):
        ax.text(101, place, f"{each.bits_per_value:.2f} bits", va="center", fontsize=7)
    ax.set_yticks(places, [layer.name[-32:] for layer in layers])
    ax.set_xlim(0, 112)
    ax.set_xticks(range(0, 101, 20))
    more = "" if len(layers) == len(report.layers) else f" ({len(layers)} largest of {len(report.layers)} arrays)"
    ax.set_xlabel(f"values, %{more}", fontsize=9)
    ax.set_title(f"code lengths, {first}", fontsize=9, loc="left")
    figure = ax.get_figure()
    figure.legend(*ax.get_legend_handles_labels(), fontsize=8, frameon=False, ncols=3, loc="outside lower left")


def _sizes(ax: Any, report: BitsReport) -> None:
    sizes = np.sum([layer.sizes for layer in report.layers], axis=0)
    shown = np.where(sizes > 0, sizes, np.nan)
    ax.bar(np.arange(sizes.size), 100 * shown / sizes.sum(), width=1.0, color="#777777")
    ax.set_yscale("log")
    ax.set_ylabel("values, %", fontsize=9)
    ax.set_xlim(-0.5, sizes.size - 0.5)
    ax.set_xlabel("size, 255 = the largest of its array", fontsize=9)
    ax.set_title("how large the values are", fontsize=9, loc="left")


def _errors(ax: Any, report: BitsReport) -> None:
    """Mean error of the values of a band of sizes, in percent of their layer's largest."""
    counts = np.sum([layer.sizes for layer in report.layers], axis=0).reshape(-1, _BAND).sum(1)
    edges = np.arange(0, 256 + _BAND, _BAND)
    for k, name in enumerate(report.formats):
        sums = np.sum([layer.errors[name] / (layer.largest or 1.0) for layer in report.layers], axis=0)
        mean = np.divide(
            100 * sums.reshape(-1, _BAND).sum(1), counts, out=np.full(counts.shape, np.nan), where=counts > 0
        )
        if np.nanmax(mean) > 0:
            ax.stairs(mean, edges, baseline=None, color=f"C{k}", lw=1.4, label=name, zorder=2.5 - 0.1 * k)
    ax.set_xlim(0, 256)
    ax.set_ylim(bottom=0)
    ax.set_ylabel("mean error, %", fontsize=9)
    ax.set_xlabel("size, 255 = the largest of its array", fontsize=9)
    ax.set_title("errors by size, % of the largest", fontsize=9, loc="left")
    ax.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), borderpad=0)
