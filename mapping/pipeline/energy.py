"""Energy of a pipeline on a board: what an item does, counted, times the prices of ``machines/pipeline_energy.toml``.

There are three kinds of prices (:data:`.actions.KINDS`). One published power cannot tell them apart, so their shares
are assumptions, and :attr:`.actions.Energy.bounds` says what each would give alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from neuromorph.errors import MappingError

from ..constants import Constants, load_constants
from ..readable import joules
from .actions import KINDS, Action, Energy
from .board import Board, load_board
from .design import PRODUCTS, Design, Operator, Parallel
from .graph import StageGraph
from .placement import placed
from .resources import Resources, Styles, bill, capacity
from .storage import Cost
from .timing import Timing

TABLE = "pipeline_energy"
"""The machine file of the prices."""

_PLACES = {"lut": "LUTs", "block": "block RAM", "ultra": "UltraRAM"}
_HELD = {"fifo": "FIFOs", "weights": "weights", "table": "tables", "activations": "activations"}


def energy(
    design: Design,
    parallel: Mapping[str, Parallel],
    timing: Timing,
    board: str | Path | Board = "vck190",
    *,
    prices: str | Path | Constants = TABLE,
    styles: Styles | None = None,
    interval: float | None = None,
) -> Energy:
    """What an item of a simulated run takes.

    ``functools.partial(energy, design, parallel)`` is what :func:`.comparison.compare_schedules` asks for.

    Parameters
    ----------
    design : Design
    parallel : mapping of str to Parallel
        For every operator.
    timing : Timing
        A run of the design's graph, with any FIFO depths, or of a part of it.
    board : str, Path or Board
    prices : str, Path or Constants
        A machine file like ``pipeline_energy.toml``, or ``load_constants("pipeline_energy").replace(...)``.
    styles : Styles, optional
        Where memories are. Large ones go elsewhere if the board then holds everything.
    interval : float, optional
        Cycles an item that were measured, instead of the simulated ones.

    Raises
    ------
    MappingError
        There are no prices for the board, the run had one item, or there is no such board or file.
    """
    graph, board = timing.graph, load_board(board)
    parts = {stage.part_of for stage in graph.stages}
    spent = bill(design, parallel, graph, board, styles or Styles(), parts)
    moved = replace(spent, parts=placed(spent.parts, capacity(board)))
    return priced(
        design,
        parallel,
        graph,
        spent if moved.excess() else moved,
        float(timing.interval) if interval is None else interval,
        items=timing.items,
        cycles=int(timing.last_out[-1] - timing.first_in[0]) + 1,
        prices=prices,
    )


def priced(
    design: Design,
    parallel: Mapping[str, Parallel],
    graph: StageGraph,
    spent: Resources,
    interval: float,
    *,
    items: int,
    cycles: float,
    prices: str | Path | Constants = TABLE,
    activity: Mapping[str, float] | None = None,
) -> Energy:
    """The same without a simulated run.

    Parameters
    ----------
    spent : Resources
        What the design takes of its board with the FIFOs of ``graph``.
    interval, cycles : float
        Cycles from item to item, and of the run.
    items : int
        Of the run.
    activity : mapping of str to float, optional
        The share of its iterations that an operator makes, if events decide; 1 of those that are not named.

    Raises
    ------
    MappingError
        There are no prices for the board.
    """
    board, shares = spent.board, activity or {}
    table = prices if isinstance(prices, Constants) else load_constants(prices)
    scales = _scales(table, board)
    laid = {part.operator for part in spent.parts}
    counts = _worked(design, parallel, graph, spent, shares) | _clocked(spent, interval)
    counts["static", "static", "seconds", "static.power"] = interval / board.clock
    return Energy(
        name=design.name,
        board=board.name,
        actions=tuple(
            Action(name, part, unit, count, price, count * table.si(price) * scales[price.partition(".")[0]])
            for (name, part, unit, price), count in counts.items()
            if count
        ),
        operations=_operations((o for o in design.operators if o.name in laid), shares),
        interval=interval,
        clock=board.clock,
        items=items,
        cycles=cycles,
        prices=table,
        fits=not spent.excess(),
        notes=_notes(table, board, design),
    )


def has_prices(board: Board, prices: Constants | None = None) -> bool:
    """Whether there are prices for a board: its own, or scaled by an assumption."""
    table = load_constants(TABLE) if prices is None else prices
    return board.name == table["calibration.board"].value or f"scale.{board.name}.dynamic" in table


def calibrate(found: Energy, power: float) -> Constants:
    """Prices by which a design takes a power that was measured: each kind its share, ratios inside a kind as they are.

    Parameters
    ----------
    found : Energy
        Of the design that was measured, at the interval at which it was.
    power : float
        W.

    Raises
    ------
    MappingError
        A power that is not positive, or prices for another board.
    """
    table = found.prices
    if not power > 0:
        raise MappingError(f"power {power} W: expected more than 0")
    if table["calibration.board"].value != found.board:
        raise MappingError(
            f"prices of {table.machine} are for {table['calibration.board'].value!r}, and the design is on "
            f"{found.board!r}; calibrate with a file for that board",
            board=found.board,
        )
    entries = dict(table.entries)
    for kind in KINDS:
        factor = table.si(f"share.{kind}") * power / (found.by_kind[kind] * found.clock / found.interval)
        for name, old in table.items():
            if name.startswith(f"{kind}."):
                why = f"calibrated to {power:.4g} W of {found.name}"
                entries[name] = replace(old, value=old.value * factor, status="derived", why=why)
    entries["calibration.power"] = replace(table["calibration.power"], value=power, why=f"{found.name}, given")
    rate = found.clock / found.interval
    entries["calibration.rate"] = replace(table["calibration.rate"], value=rate, why=f"{found.name}, given")
    return Constants(table.machine, entries)


Counts = dict[tuple[str, str, str, str], float]
"""By name, part, unit and price."""


def _worked(
    design: Design,
    parallel: Mapping[str, Parallel],
    graph: StageGraph,
    spent: Resources,
    activity: Mapping[str, float],
) -> Counts:
    """Cycles of logic that works, and bits that are moved."""
    found: Counts = {}

    def add(name: str, part: str, unit: str, price: str, count: float) -> None:
        key = name, part, unit, price
        found[key] = found.get(key, 0.0) + count

    trips = {each.name: each.trips(parallel[each.name]) for each in design.operators}
    moved = {
        f"{stage.name}.{memory.name}": stage.trips * memory.banks * memory.bits
        for stage in graph.stages
        for memory in stage.memories
    }
    for fifo in graph.fifos:
        ends = (fifo.name in graph.writer) + (fifo.name in graph.reader)
        moved[fifo.name] = graph.tokens(fifo.name) * fifo.bits * ends
    for part in spent.parts:
        share = activity.get(part.operator, 1.0)
        if part.kind == "logic":
            cycles = trips[part.operator] * share
            add("arithmetic in LUTs", "arithmetic", "LUT-cycles", "work.lut", part.cost.luts * cycles)
            add("arithmetic in DSPs", "arithmetic", "DSP-cycles", "work.dsp", part.cost.dsps * cycles)
        elif part.kind == "control":
            cycles = graph.stage[part.name].trips * share
            add("control", "control", "LUT-cycles", "work.lut", part.cost.luts * cycles)
        else:
            place, held = _place(part.cost), _HELD[part.kind]
            add(f"{held} in {_PLACES[place]}", held, "bits", f"work.{place}_bit", moved[part.name] * share)
    return found


def _place(cost: Cost) -> str:
    if cost.ultra_rams:
        return "ultra"
    return "block" if cost.block_rams else "lut"


def _clocked(spent: Resources, interval: float) -> Counts:
    """Everything that is laid out, in every cycle."""
    total: Cost = spent.total
    return {
        (f"clock of {name}", "clock", f"{unit}-cycles", f"clock.{unit.lower()}"): count * interval
        for name, unit, count in (
            ("LUTs", "LUT", total.luts),
            ("DSPs", "DSP", total.dsps),
            ("block RAMs", "BRAM", total.block_rams),
            ("UltraRAMs", "URAM", total.ultra_rams),
        )
    }


def _operations(operators: Iterable[Operator], activity: Mapping[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for each in operators:
        share = activity.get(each.name, 1)
        if each.kind in PRODUCTS:
            name = f"products of {each.input_bits} x {each.weight_bits} bits"
            found[name] = found.get(name, 0) + each.products * share
            continue
        done = each.copies * each.tokens * each.inputs * share
        for what in ("additions", "multiplications", "divisions"):
            if count := getattr(each, what) * done:
                name = f"{what} of {each.input_bits} bits"
                found[name] = found.get(name, 0) + count
    return found


def _scales(table: Constants, board: Board) -> dict[str, float]:
    """By which prices of each kind are multiplied on a board."""
    if board.name == table["calibration.board"].value:
        return dict.fromkeys(KINDS, 1.0)
    if not has_prices(board, table):
        raise MappingError(
            f"there are no prices of energy for board {board.name!r}: {table.machine} is calibrated to "
            f"{table['calibration.board'].value!r}; give prices=, a file of the form of machines/{TABLE}.toml",
            board=board.name,
        )
    dynamic = table.si(f"scale.{board.name}.dynamic")
    return {"work": dynamic, "clock": dynamic, "static": table.si(f"scale.{board.name}.static")}


def _notes(table: Constants, board: Board, design: Design) -> tuple[str, ...]:
    """What the prices are calibrated to, and how far this is from it."""
    power, rate = table["calibration.power"], table["calibration.rate"]
    notes = [
        f"calibrated to {power.si:.3g} W at {rate.si:,.0f} items a second on {table['calibration.board'].value} "
        f"({joules(power.si / rate.si)} an item; {power.why}), so of that design it predicts nothing"
    ]
    if board.name != table["calibration.board"].value:
        dynamic, static = (table[f"scale.{board.name}.{name}"].value for name in ("dynamic", "static"))
        notes.append(
            f"{board.name}: work and clock x {dynamic:.3g}, static x {static:.3g}, an assumption: no power is published"
        )
    bits = max(
        (min(o.input_bits, o.weight_bits) if o.kind in PRODUCTS else o.input_bits * (o.kind == "neurons"))
        for o in design.operators
    )
    if bits > table.count("calibration.bits"):
        notes.append(
            f"extrapolated: arithmetic of {bits} bits, and prices are calibrated with products of "
            f"{table.count('calibration.bits')} bits and less"
        )
    return tuple(notes)
