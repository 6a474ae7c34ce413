"""What a pipeline takes of a board: logic of its operators, memories, FIFOs and control, part by part."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path

from neuromorph.errors import MappingError

from .arithmetic import logic
from .board import Board, load_board
from .design import Design, Parallel
from .graph import Memory, Stage, StageGraph
from .placement import Part as Part
from .placement import exceeded, placed
from .storage import (
    Cost,
    Place,
    bits_of,
    control_cost,
    fifo_cost,
    fifo_places,
    memory_cost,
    memory_places,
    total_cost,
)


@dataclass(frozen=True, slots=True)
class Styles:
    """In which memory a stage keeps what: in LUTs, or in block RAM or UltraRAM if it is large enough.

    HG-PIPE keeps weights in block RAM and windows, caches and tables in LUTs, so that is the default, and a FIFO is in
    the largest kind of memory of which it fills one.

    Attributes
    ----------
    weights, table, activations : {"lut", "block", "ultra"}
    move : bool
        Where a design does not fit like that, whether weights, activations and FIFOs that are large may be elsewhere.
        Weights can be in UltraRAM only where it can have contents from the start.
    """

    weights: Place = "block"
    table: Place = "lut"
    activations: Place = "lut"
    move: bool = True

    def place(self, memory: Memory) -> Place:
        """Where a memory goes."""
        place: Place = getattr(self, memory.kind)
        return place

    def moves(self, memory: Memory) -> bool:
        """Whether it may go elsewhere: a table is there for every lane that looks something up, and stays."""
        return self.move and memory.kind != "table"


@dataclass(frozen=True)
class Resources:
    """What a design with one choice of parallelism takes of a board.

    Attributes
    ----------
    design : str
    board : Board
    parts : tuple of Part
    """

    design: str
    board: Board
    parts: tuple[Part, ...] = field(repr=False)

    @cached_property
    def total(self) -> Cost:
        """Everything."""
        return total_cost(part.cost for part in self.parts)

    def by(self, key: Callable[[Part], str]) -> dict[str, Cost]:
        """Sums of parts with the same key, as ``by(lambda part: part.block)``, in the order of the parts."""
        found: dict[str, Cost] = {}
        for part in self.parts:
            found[key(part)] = found.get(key(part), Cost()) + part.cost
        return found

    @cached_property
    def available(self) -> Cost:
        """What the board has; of multipliers as many as anyone likes, since LUTs and DSPs bound them."""
        return capacity(self.board)

    def excess(self) -> dict[str, float]:
        """Resources of which more is taken than the board has, and by how much."""
        return exceeded(self.total, self.available)

    def check(self) -> None:
        """Raise if the board does not hold it.

        Raises
        ------
        MappingError
            Naming every resource that is short.
        """
        if over := self.excess():
            raise MappingError(
                f"{self.design} on {self.board.name}: {describe_excess(self.total, self.available, over)}; "
                "balance() it for this board, or lay out a part of it",
                **over,
            )

    def text(self) -> str:
        """A table by block, with the share of the board."""
        blocks = self.by(lambda part: part.block or "-")
        rows: list[tuple[str, ...]] = [("block", "LUT", "DSP", "BRAM", "URAM", "multipliers")]
        rows += [_row(name, cost) for name, cost in blocks.items()]
        rows += [_row("all", self.total), _row(self.board.name, self.available)]
        widths = [max(len(row[k]) for row in rows) for k in range(6)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(row[k].rjust(widths[k]) for k in range(1, 6))]).rstrip()
            for row in rows
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(lines)

    def to_dict(self) -> dict[str, dict[str, float]]:
        """Sums by block and ``"all"``, for JSON."""
        sums = {**self.by(lambda part: part.block or "-"), "all": self.total}
        return {name: {item.name: getattr(cost, item.name) for item in fields(Cost)} for name, cost in sums.items()}


def resources(
    design: Design,
    parallel: Mapping[str, Parallel],
    board: str | Path | Board,
    depths: Mapping[str, int] | None = None,
    *,
    styles: Styles | None = None,
) -> Resources:
    """Bill of a design: arithmetic from its operators, the rest from its stage graph.

    Estimates from the shapes of LUTs, DSPs and memories (``machines/fpga_logic.toml``, ``machines/board_*.toml``), not
    from a synthesis; flip-flops, routing and the board's shell (DMA, processor) are not counted.

    Parameters
    ----------
    design : Design
    parallel : mapping of str to Parallel
        For every operator.
    board : str, Path or Board
    depths : mapping of str to int, optional
        FIFO depths instead of the design's own.
    styles : Styles, optional

    Raises
    ------
    MappingError
        An operator without parallelism, or no such board.
    """
    for operator in design.operators:
        if operator.name not in parallel:
            raise MappingError(f"{design.name}: no parallelism of {operator.name!r}", name=operator.name)
    board = load_board(board)
    made = bill(design, parallel, design.graph(parallel, depths), board, styles or Styles())
    return replace(made, parts=placed(made.parts, capacity(board)))


def bill(
    design: Design,
    parallel: Mapping[str, Parallel],
    graph: StageGraph,
    board: Board,
    styles: Styles,
    only: Container[str] | None = None,
) -> Resources:
    """The same of a design whose graph is there already, or only what belongs to some operators; nothing is moved."""
    parts = [
        Part(operator.name, "logic", operator.name, operator.block, logic(operator, parallel[operator.name]))
        for operator in design.operators
        if only is None or operator.name in only
    ]
    for stage in graph.stages:
        if only is not None and stage.part_of not in only:
            continue
        where = stage.part_of, stage.block
        parts += [
            Part(f"{stage.name}.{memory.name}", memory.kind, *where, *_memory(memory, board, styles))
            for memory in stage.memories
        ]
        parts.append(Part(stage.name, "control", *where, _control(stage, graph)))
    for fifo in graph.fifos:
        stage = graph.reader.get(fifo.name) or graph.writer[fifo.name]
        if only is None or stage.part_of in only:
            cost = fifo_cost(fifo.depth, fifo.bits, board)
            elsewhere = fifo_places(fifo.depth, fifo.bits, board) if styles.move else ()
            parts.append(Part(fifo.name, "fifo", stage.part_of, stage.block, cost, elsewhere))
    return Resources(design.name, board, tuple(parts))


def capacity(board: Board) -> Cost:
    """Everything that a board has."""
    return Cost(board.luts, board.dsps, board.block_rams, board.ultra_rams, 2**62)


def describe_excess(cost: Cost, limit: Cost, over: Mapping[str, float]) -> str:
    """What is short, in words: "it takes 300,000 LUTs of 274,080"."""
    return "; ".join(
        f"it takes {getattr(cost, name):,.0f} {WORDS[name]} of {getattr(limit, name):,.0f}" for name in over
    )


WORDS = {
    "luts": "LUTs",
    "dsps": "DSPs",
    "block_rams": "block RAMs",
    "ultra_rams": "UltraRAMs",
    "multipliers": "multipliers",
}


def _memory(memory: Memory, board: Board, styles: Styles) -> tuple[Cost, tuple[tuple[Place, Cost], ...]]:
    """What it takes where it is, and in all places where it can be.

    A table is there once for each bank, since every lane looks up an entry of its own; others are cut into banks.
    """
    place, written = styles.place(memory), memory.kind == "activations"
    if memory.kind == "table":
        return memory_cost(memory.words, memory.bits, board, place, written=False).times(memory.banks), ()
    rows, width = -(-memory.words // memory.banks), memory.bits * memory.banks
    elsewhere = memory_places(rows, width, board, written=written) if styles.moves(memory) else ()
    return memory_cost(rows, width, board, place, written=written), elsewhere


def _control(stage: Stage, graph: StageGraph) -> Cost:
    """Counters of the loops, start and stall; where nothing is multiplied, a choice for every bit that is written."""
    counts = [count for loop in set(stage.loops) for count in (loop.repeats, *(run.count for run in loop.runs))]
    moved = 0 if stage.multipliers else sum(graph.fifo[name].bits for name in stage.outputs)
    return control_cost(sum(bits_of(count) for count in counts if count > 1), moved)


def _row(name: str, cost: Cost) -> tuple[str, ...]:
    return (
        name,
        f"{cost.luts:,.0f}",
        f"{cost.dsps:,.0f}",
        f"{cost.block_rams:,.1f}",
        f"{cost.ultra_rams:,.0f}",
        f"{cost.multipliers:,}" if cost.multipliers < 2**61 else "",
    )
