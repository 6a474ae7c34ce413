"""Pictures of a mapped network: what lies where, which links are busy, how long steps take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TargetError

from .canvas import axes, save
from .machine import EAST, LINKS_PER_CELL, NORTH, SOUTH, WEST, Machine

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuromorph.trace import Trace

    from .spinnaker2.program import SpiNNaker2Program
    from .spinnaker2.report import SpiNNaker2Report

Quantity = Literal["memory", "load", "energy"]
_LABELS = {"memory": "kB of SRAM in use", "load": "cycles a step", "energy": "energy (uJ)"}
_GAP = 1.2
"""Space between chips, in NoC cells."""
_MOST_STEPS = 4000


def placement_map(report: SpiNNaker2Report, quantity: Quantity = "memory", ax: Axes | None = None) -> Axes:
    """Every PE of every chip as a small square, coloured by what it holds or does; grey PEs are off.

    Parameters
    ----------
    report : SpiNNaker2Report
        Load and energy need a run.
    quantity : {"memory", "load", "energy"}
    """
    values = _values(report, quantity)
    mapped = report.mapping
    machine = mapped.machine
    ax = axes(ax)
    corners = np.array([_pe_corner(machine, int(pe)) for pe in machine.usable_pes])
    drawn = np.full(machine.pes, np.nan)
    drawn[mapped.placement] = values
    _squares(ax, corners, drawn[machine.usable_pes], _LABELS[quantity])
    _chips(ax, machine)
    ax.set_title(f"{report.network}: {quantity} of {mapped.parts:,} PEs on {machine.chips} chip(s)")
    return ax


def _values(report: SpiNNaker2Report, quantity: Quantity) -> npt.NDArray[np.float64]:
    if quantity == "memory":
        return report.bytes / 1e3
    if report.totals is None or report.energy is None:
        raise TargetError(f"a map of {quantity} needs a run; {report.network} has only been mapped")
    if quantity == "load":
        return np.asarray(report.totals.cycles.sum((0, 1)) / max(report.totals.steps, 1))
    return np.asarray(report.energy.by_pe.sum(1) * 1e6)


def _chip_corner(machine: Machine, chip: int) -> npt.NDArray[np.float64]:
    """Lower left corner of a chip, in NoC cells."""
    return np.asarray(machine.chip_xy[chip] * (np.array(machine.mesh_shape) + _GAP), np.float64)


def _pe_corner(machine: Machine, pe: int) -> npt.NDArray[np.float64]:
    chip, local = divmod(pe, machine.pes_per_chip)
    tile, k = divmod(local, machine.pes_per_tile)
    return np.asarray(_chip_corner(machine, chip) + machine.tile_xy[tile] + np.array([0.5 * (k % 2), 0.5 * (k // 2)]))


def _squares(ax: Axes, corners: npt.NDArray[np.float64], values: npt.NDArray[np.float64], label: str) -> None:
    from matplotlib.collections import PolyCollection

    shape = np.array([[0.04, 0.04], [0.46, 0.04], [0.46, 0.46], [0.04, 0.46]])
    off = np.isnan(values)
    ax.add_collection(PolyCollection(list(corners[off, None, :] + shape), facecolors="0.9", edgecolors="none"))
    busy = PolyCollection(list(corners[~off, None, :] + shape), array=values[~off], cmap="viridis", edgecolors="none")
    busy.set_clim(0, max(float(values[~off].max(initial=0)), 1e-12))
    ax.add_collection(busy)
    ax.figure.colorbar(busy, ax=ax, label=label, shrink=0.8)


def _chips(ax: Axes, machine: Machine) -> None:
    """Outlines of chips and event routers, and the limits of the picture."""
    from matplotlib.patches import Rectangle

    columns, rows = machine.mesh_shape
    for chip in range(machine.chips):
        x, y = _chip_corner(machine, chip)
        ax.add_patch(Rectangle((x - 0.1, y - 0.1), columns + 0.2, rows + 0.2, fill=False, ec="0.4", lw=0.6))
        for cell in machine.router_cells:
            ax.add_patch(Rectangle((x + cell[0] + 0.05, y + cell[1] + 0.05), 0.9, 0.9, fc="0.75", ec="none"))
        ax.text(x, y + rows + 0.2, f"{chip}", fontsize=6, color="0.4")
    low = np.min([_chip_corner(machine, chip) for chip in range(machine.chips)], axis=0) - 0.6
    high = np.max([_chip_corner(machine, chip) for chip in range(machine.chips)], axis=0) + np.array([columns, rows])
    ax.set_xlim(low[0], high[0] + 0.6)
    ax.set_ylim(low[1], high[1] + 1.0)
    ax.set_aspect("equal")
    ax.set_axis_off()


def link_map(report: SpiNNaker2Report, when: Literal["all", "worst"] = "all", ax: Axes | None = None) -> Axes:
    """NoC links and chip links as lines, coloured and as thick as the packets that passed them.

    Parameters
    ----------
    report : SpiNNaker2Report
    when : {"all", "worst"}
        Packets a step on average, or of the step that took longest.
    """
    from matplotlib.collections import LineCollection

    load, title = _link_load(report, when)
    machine = report.mapping.machine
    lines, values = [], []
    for link, packets in zip(report.deployed.costs.links.tolist(), load.tolist(), strict=False):
        line = _line(machine, link)
        if line is not None and packets > 0:
            lines.append(line)
            values.append(packets)
    ax = axes(ax)
    _chips(ax, machine)
    top = max(values, default=1.0)
    widths = 0.5 + 4.0 * np.array(values) / top
    drawn = LineCollection(lines, array=np.array(values), cmap="plasma_r", linewidths=widths)
    drawn.set_clim(0, top)
    ax.add_collection(drawn)
    ax.figure.colorbar(drawn, ax=ax, label="packets a step", shrink=0.8)
    ax.set_title(f"{report.network}: {title}")
    return ax


def _link_load(report: SpiNNaker2Report, when: str) -> tuple[npt.NDArray[np.float64], str]:
    if report.totals is None or not report.ledgers:
        raise TargetError(f"a map of links needs a run; {report.network} has only been mapped")
    used = len(report.deployed.costs.links)
    if when == "all":
        total = np.sum([ledger["link_bins"].sum(0) for ledger in report.ledgers], axis=0)
        return total[:used] / max(report.totals.steps, 1), "packets on every link"
    ledger = max(report.ledgers, key=lambda one: one["worst_time"].max())
    slot = int(ledger["worst_time"].argmax())
    return (
        ledger["worst_links"][slot, :used].astype(np.float64),
        f"packets on every link in step {int(ledger['worst_step'][slot])}, the longest",
    )


def _line(machine: Machine, link: int) -> list[tuple[float, float]] | None:
    """Where a link is drawn; None for tile links and routers. The two directions stand a little apart."""
    chip, k = divmod(link, machine.links_per_chip)
    corner = _chip_corner(machine, chip)
    columns = machine.mesh_shape[0]
    if k < machine.noc_links_per_chip:
        cell, direction = divmod(k, LINKS_PER_CELL)
        steps = {
            EAST: (1, 0, 0.0, 0.12),
            WEST: (-1, 0, 0.0, -0.12),
            NORTH: (0, 1, -0.12, 0.0),
            SOUTH: (0, -1, 0.12, 0.0),
        }
        if direction not in steps:
            return None
        dx, dy, ox, oy = steps[direction]
        x, y = corner[0] + cell % columns + 0.5 + ox, corner[1] + cell // columns + 0.5 + oy
        return [(x, y), (x + dx, y + dy)]
    direction = k - machine.noc_links_per_chip
    if direction == 6:
        return None
    dx, dy = machine.constants["board.link_vectors"].value[direction]
    middle = corner + np.array(machine.mesh_shape) / 2
    side = np.array([-dy, dx]) * 0.25
    half = np.array([dx, dy]) * (np.array(machine.mesh_shape) / 2 + 0.1)
    start = middle + half + side
    end = start + np.array([dx, dy]) * (_GAP - 0.2)
    return [(float(start[0]), float(start[1])), (float(end[0]), float(end[1]))]


def link_history(report: SpiNNaker2Report, count: int = 40, ax: Axes | None = None) -> Axes:
    """The busiest links (rows) over time (columns): mean packets a step in each interval."""
    if report.totals is None or not report.ledgers:
        raise TargetError(f"the history of links needs a run; {report.network} has only been mapped")
    ledger = report.ledgers[0]
    used, width = len(report.deployed.costs.links), int(ledger["cells"][2])
    steps = int(ledger["cells"][1])
    bins = -(-steps // width)
    lengths = np.minimum(width, steps - width * np.arange(bins))
    loads = ledger["link_bins"][:bins, :used] / lengths[:, None]
    order = np.argsort(-loads.sum(0), kind="stable")[:count]
    ax = axes(ax)
    image = ax.imshow(
        loads[:, order].T, aspect="auto", interpolation="none", extent=(0, bins * width, max(len(order), 1), 0)
    )
    names = [report.mapping.machine.link_name(int(report.deployed.costs.links[k])) for k in order]
    ax.set_yticks(np.arange(len(order)) + 0.5, names, fontsize=5)
    ax.set_xlabel("step")
    ax.figure.colorbar(image, ax=ax, label="packets a step")
    ax.set_title(f"{report.network}: the {len(order)} busiest links")
    return ax


def step_times(report: SpiNNaker2Report, ax: Axes | None = None) -> Axes:
    """Time that each step took on the machine, against the tick; long runs show the longest step of each interval."""
    if report.totals is None:
        raise TargetError(f"step times need a run; {report.network} has only been mapped")
    time = report.series["time"]
    level = "low" if report.deployed.clock.level == "low" else "high"
    if report.deployed.clock.ticked:  # steps take the tick; what matters is the busiest PE
        clock = report.mapping.machine.constants.si(f"level.{level}.clock")
        time = report.series["busiest_cycles"] / clock
    group = max(1, -(-len(time) // _MOST_STEPS))
    padded = np.pad(time, (0, -len(time) % group), constant_values=0).reshape(-1, group).max(1)
    ax = axes(ax)
    ax.plot(np.arange(len(padded)) * group, padded * 1e6, lw=0.8, label="step")
    ax.axhline(report.deployed.clock.tick * 1e6, color="C3", lw=1, ls="--", label="tick")
    ax.set_yscale("log")
    ax.set_xlabel("step" if group == 1 else f"step (longest of {group})")
    ax.set_ylabel(
        "time of a step (us)" if not report.deployed.clock.ticked else f"work of the busiest PE ({level} level, us)"
    )
    ax.legend(loc="best", fontsize=8)
    ax.set_title(f"{report.network}: time of each step")
    return ax


def save_mapping_figures(program: SpiNNaker2Program, folder: str | Path) -> list[Path]:
    """Draw what is known before a run: the placement, coloured by memory. Gives the files."""
    report = program.report()
    return [save(lambda ax: placement_map(report, "memory", ax), Path(folder) / "placement_memory.png", _size(report))]


def save_figures(program: SpiNNaker2Program, trace: Trace | None, folder: str | Path) -> list[Path]:
    """Draw a run: placement by memory, load and energy, links, step times, and the raster of a trace. Gives the files.

    Parameters
    ----------
    program : SpiNNaker2Program
    trace : Trace or None
        What to draw the raster from.
    folder : path
        Made if it is not there.
    """
    report, folder = program.report(), Path(folder)
    saved = save_mapping_figures(program, folder)
    if report.totals is None:
        return saved
    shape = _size(report)
    for quantity in ("load", "energy"):
        name = folder / f"placement_{quantity}.png"
        saved.append(save(lambda ax, q=quantity: placement_map(report, q, ax), name, shape))
    for when in ("all", "worst"):
        saved.append(save(lambda ax, w=when: link_map(report, w, ax), folder / f"links_{when}.png", shape))
    saved.append(save(lambda ax: link_history(report, ax=ax), folder / "links_by_step.png", (9, 6)))
    saved.append(save(lambda ax: step_times(report, ax), folder / "step_times.png", (8, 4)))
    if trace is not None:
        from neuromorph.trace.plots import raster

        saved.append(save(lambda ax: raster(trace, ax=ax), folder / "raster.png", (9, 5)))
    return saved


def _size(report: SpiNNaker2Report) -> tuple[float, float]:
    """Inches for a picture of all chips."""
    extent = np.ptp(report.mapping.machine.chip_xy, axis=0) + 1
    return float(min(4.0 + 2.2 * extent[0], 24)), float(min(2.5 + 1.9 * extent[1], 20))
