"""Pictures of a network on crossbars: conductances, tiles in use, energy, and what the effects do to each layer.

Each function draws into ``ax`` (default: the current one) and returns the Axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.errors import TargetError

from ... import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..cells.chip import Chip
    from ..plan.plan import Plan
    from .report import CrossbarReport
    from .study_table import Study

_COLOURS = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#ccbb44",
    "#66ccee",
    "#aa3377",
    "#bbbbbb",
    "#222222",
    "#e69f00",
    "#999933",
)

_PLATE = {"facecolor": "0.2", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
_PREFIXES = ((1.0, "J"), (1e-3, "mJ"), (1e-6, "uJ"), (1e-9, "nJ"), (1e-12, "pJ"))


def conductance_map(chip: Chip, array: int = 0, ax: Axes | None = None) -> Axes:
    """What every cell of one array conducts, in uS, IR drop included; lines and names show the blocks.

    Parameters
    ----------
    chip : Chip
    array : int
    """
    from matplotlib.patches import Rectangle

    plan = chip.plan
    if not 0 <= array < plan.arrays:
        raise TargetError(f"array {array}: the plan of {plan.network} has arrays 0 to {plan.arrays - 1}", array=array)
    shown = np.where(chip.used(array), chip.conductance(array) * 1e6, np.nan)
    ax = canvas.axes(ax)
    drawn = ax.imshow(shown, cmap="viridis", interpolation="nearest", aspect="auto")
    ax.set_facecolor("0.92")
    ptr, order = plan.array_blocks
    for k in order[ptr[array] : ptr[array + 1]].tolist():
        block = plan.blocks[k]
        width, height = len(block.columns) * plan.cells_per_weight, len(block.rows)
        corner = (block.column_first - 0.5, block.row_first - 0.5)
        ax.add_patch(Rectangle(corner, width, height, fill=False, ec="w", lw=1.0))
        name = plan.matrices[block.matrix].name
        ax.text(
            corner[0] + 0.01 * shown.shape[1],
            corner[1] + 0.01 * shown.shape[0],
            name,
            color="w",
            fontsize=7,
            va="top",
            bbox=_PLATE,
            clip_on=True,
        )
    ax.figure.colorbar(drawn, ax=ax, label="conductance (uS)", shrink=0.8)
    ax.set_xlabel("column")
    ax.set_ylabel("row")
    ax.set_title(f"{plan.network} on {plan.machine.name}: array {array} of {plan.arrays:,}")
    return ax


def utilisation_map(plan: Plan, chip: int = 0, ax: Axes | None = None) -> Axes:
    """Tiles of a chip with their arrays as small squares, coloured by the share of cells in use; grey ones are empty.

    Only the part of the chip is shown where tiles are in use, and what lies around it.

    Parameters
    ----------
    plan : Plan
    chip : int
        Which of the plan's chips.
    """
    from matplotlib.patches import Rectangle

    machine = plan.machine
    if not 0 <= chip < plan.chips:
        raise TargetError(f"chip {chip}: the plan of {plan.network} has chips 0 to {plan.chips - 1}", chip=chip)
    tile = plan.tile_of_array - chip * machine.tiles
    here = np.flatnonzero((tile >= 0) & (tile < machine.tiles))
    order = here[np.argsort(tile[here], kind="stable")]
    place = np.arange(len(order)) - np.searchsorted(tile[order], tile[order])
    row, column = tile[order] // machine.mesh[0], tile[order] % machine.mesh[0]
    top, bottom = max(int(row.min()) - 1, 0), min(int(row.max()) + 2, machine.mesh[1])
    left, right = max(int(column.min()) - 1, 0), min(int(column.max()) + 2, machine.mesh[0])
    side = int(np.ceil(np.sqrt(machine.arrays_per_tile)))
    picture = np.full(((bottom - top) * side, (right - left) * side), np.nan)
    picture[(row - top) * side + place // side, (column - left) * side + place % side] = plan.utilisation[order] * 100
    ax = canvas.axes(ax)
    drawn = ax.imshow(picture, cmap="viridis_r", vmin=0, vmax=100, interpolation="nearest", aspect="equal")
    ax.set_facecolor("0.94")
    if picture.size <= 64:
        for (y, x), value in np.ndenumerate(picture):
            if value == value:
                ax.text(x, y, f"{value:.0f}%", ha="center", va="center", color="k" if value < 60 else "w", fontsize=8)
    for y in range(top, bottom):
        for x in range(left, right):
            corner = ((x - left) * side - 0.5, (y - top) * side - 0.5)
            if y * machine.mesh[0] + x < machine.tiles:
                ax.add_patch(Rectangle(corner, side, side, fill=False, ec="0.35", lw=1.0))
    ax.figure.colorbar(drawn, ax=ax, label="cells of an array in use (%)", shrink=0.8)
    ax.set_xticks([])
    ax.set_yticks([])
    used, which = len(np.unique(tile[here])), f"chip {chip}: " if plan.chips > 1 else ""
    ax.set_title(
        f"{plan.network} on {machine.name}, {which}{len(here):,} arrays on {used:,} of {machine.tiles:,} tiles"
    )
    return ax


def energy_bars(
    reports: CrossbarReport | Mapping[str, CrossbarReport | Mapping[str, float]],
    per: int = 1,
    unit: str = "run",
    ax: Axes | None = None,
) -> Axes:
    """Energy as bars, one for each layer, or one for each of several reports, in pieces by component.

    Parameters
    ----------
    reports : CrossbarReport or mapping of name to CrossbarReport
        Of runs. A mapping may hold J by component instead of a report, for another target.
    per : int
        Divide by so many: samples, for instance.
    unit : str
        What one of them is, for the label.
    """
    given: dict[str, Mapping[str, float]]
    if isinstance(reports, Mapping):
        given = {name: each if isinstance(each, Mapping) else _components(each) for name, each in reports.items()}
    else:
        given = {**reports.energy_by_matrix()}
    names = list(given)
    parts = list(dict.fromkeys(part for bars in given.values() for part, joules in bars.items() if joules > 0))
    most = max((sum(bars.values()) for bars in given.values()), default=0.0) / per
    scale, prefix = next(((s, p) for s, p in _PREFIXES if most >= s), _PREFIXES[-1])
    ax = canvas.axes(ax)
    places, left = np.arange(len(names)), np.zeros(len(names))
    for number, part in enumerate(parts):
        width = np.array([bars.get(part, 0.0) for bars in given.values()]) / per / scale
        ax.barh(places, width, left=left, color=_COLOURS[number % len(_COLOURS)], label=part, height=0.7)
        left += width
    for place, total in enumerate(left.tolist()):
        ax.text(total + 0.01 * float(left.max()), place, f"{total:.3g}", va="center", fontsize=8)
    ax.set_yticks(places, names)
    ax.set_xlim(0, 1.12 * max(float(left.max(initial=0)), 1e-30))
    ax.invert_yaxis()
    ax.set_xlabel(f"energy of one {unit} ({prefix})")
    ax.legend(fontsize=7, ncols=6, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return ax


def _components(report: CrossbarReport) -> dict[str, float]:
    if report.energy is None:
        raise TargetError(f"energy needs a run on a machine with prices; {report.network} has none")
    return report.energy.by_component


def error_by_layer(study: Study, ax: Axes | None = None) -> Axes:
    """Share of each population's events that differ from the digital run (columns), for each line of a study (rows)."""
    from matplotlib.colors import LogNorm

    rows = [row for row in study.rows if row.changes]
    if not rows:
        raise TargetError(f"the study of {study.network} holds nothing beside the digital run")
    names = [change.population for change in rows[0].changes if any(_share(row, change.population) for row in rows)]
    names = names or [change.population for change in rows[0].changes]
    share = np.array([[_share(row, name) for name in names] for row in rows])
    ax = canvas.axes(ax)
    low = max(share[share > 0].min(initial=1.0), 1e-6)
    norm = LogNorm(min(low, 0.1), max(share.max(), 0.2))
    drawn = ax.imshow(np.where(share > 0, share, np.nan), cmap="YlOrRd", norm=norm, aspect="auto")
    for (r, c), value in np.ndenumerate(share):
        dark = value > 0 and norm(value) > 0.65
        text = f"{value:.2g}" if value else "0"
        ax.text(c, r, text, ha="center", va="center", fontsize=7, color="w" if dark else "k")
    ax.set_xticks(range(len(names)), names, fontsize=8)
    ax.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=8)
    ax.figure.colorbar(drawn, ax=ax, label="events that differ / digital events", shrink=0.8)
    ax.set_title(f"{study.network}: error by layer")
    return ax


def _share(row: Any, population: str) -> float:
    return next((change.share for change in row.changes if change.population == population), 0.0)


def score_bars(study: Study, label: str = "score", ax: Axes | None = None) -> Axes:
    """The score of every line of a study; whiskers are standard deviations over chips, the dashed line is digital."""
    ax = canvas.axes(ax)
    groups = list(dict.fromkeys(row.group for row in study.rows))
    places, scores = range(len(study)), [row.score for row in study.rows]
    colours = [_COLOURS[groups.index(row.group)] for row in study.rows]
    ax.barh(places, scores, xerr=[row.spread for row in study.rows], color=colours, height=0.7)
    for place, row in enumerate(study.rows):
        ax.text(row.score + row.spread, place, f" {row.score:.4g}", va="center", fontsize=8)
    ax.axvline(scores[0], color="0.4", ls="--", lw=0.8)
    ax.set_yticks(places, [row.name for row in study.rows], fontsize=8)
    ax.set_xlim(0, 1.15 * max(scores))
    ax.invert_yaxis()
    ax.set_xlabel(label)
    ax.set_title(study.network)
    return ax


def save_figures(report: CrossbarReport, folder: str | Path) -> list[Path]:
    """Draw a mapped network: tiles in use and the first array; after a run also its energy. Gives the files."""
    folder = Path(folder)
    plan, chip = report.plan, report.chip
    saved = [
        canvas.save(lambda ax: utilisation_map(plan, ax=ax), folder / "utilisation.png", (7, 5)),
        canvas.save(lambda ax: conductance_map(chip, ax=ax), folder / "conductances.png", (7, 5.5)),
    ]
    if report.energy is not None:
        height = 1.5 + 0.4 * len(plan.matrices)
        saved.append(canvas.save(lambda ax: energy_bars(report, ax=ax), folder / "energy.png", (8, height)))
    return saved
