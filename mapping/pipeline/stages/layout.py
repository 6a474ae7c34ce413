"""Stages and FIFOs while a graph is put together, and the numbers of HG-PIPE that they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from ...constants import Constants
from ..design import Operator
from ..graph import Fifo, Loop, Memory, Run, Stage, StageGraph


@dataclass(frozen=True, slots=True)
class Stream:
    """A tensor on its way through a FIFO, ``tile`` rows and ``width`` channels in a token, channels first.

    Attributes
    ----------
    name : str
        Of the FIFO.
    rows, channels : int
    tile, width : int
    bits : int
        Of a value.
    """

    name: str
    rows: int
    channels: int
    tile: int
    width: int
    bits: int

    @property
    def tiles(self) -> int:
        """Groups of ``tile`` rows."""
        return self.rows // self.tile

    @property
    def row_tokens(self) -> int:
        """Tokens of one group of rows."""
        return self.channels // self.width

    @property
    def tokens(self) -> int:
        """Tokens of an item."""
        return self.tiles * self.row_tokens


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of a machine file like ``hgpipe_stages``: pipelines, FIFO depths, tables.

    Attributes
    ----------
    constants : Constants
    """

    constants: Constants

    def pipeline(self, kind: str, of: str = "") -> int:
        """Cycles of the pipeline of a kind of stage, of its own for ``of`` where the file has one."""
        special = f"pipeline.{kind}_of_{of}"
        return self.constants.count(special if of and special in self.constants else f"pipeline.{kind}")

    def depth(self, kind: str) -> int:
        """Depth of a kind of FIFO whose depth does not grow with the network."""
        return self.constants.count(f"fifo.{kind}")

    def delay(self, depth: int, bits: int) -> int:
        """Cycles that a FIFO inside a block adds on the way: none of one made of shift registers."""
        memory = depth > self.depth("other") and depth * bits > self.constants.count("delay.shift_register_bits")
        return self.constants.count("delay.memory") if memory else 0

    def share(self, kind: str, tokens: int) -> int:
        """Depth of a kind of FIFO that holds a share of a tensor of so many tokens."""
        return max(self.depth("other"), ceil(self.constants[f"share.{kind}"].si * tokens))

    def margin(self, tokens: float) -> int:
        """Depth of a FIFO that has to hold so many tokens."""
        return ceil(self.constants["share.margin"].si * tokens)

    def table(self, name: str) -> int:
        """Entries or bits of a table."""
        return self.constants.count(f"table.{name}")


@dataclass(frozen=True, slots=True)
class Owner:
    """What a stage belongs to.

    Attributes
    ----------
    part_of, block : str
    """

    part_of: str
    block: str

    @classmethod
    def of(cls, operator: Operator) -> Owner:
        """The owner of an operator's stages."""
        return cls(operator.name, operator.block)


class Layout:
    """Collects stages and FIFOs.

    Parameters
    ----------
    numbers : Numbers
    """

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers
        self._delays: dict[str, int] = {}
        self._stages: list[Stage] = []
        self._fifos: list[Fifo] = []

    def fifo(self, name: str, bits: int, depth: int | None = None) -> str:
        """Add a FIFO; without a depth as deep as HLS makes it."""
        depth = self.numbers.depth("other") if depth is None else depth
        self._fifos.append(Fifo(name, depth, bits))
        self._delays[name] = self.numbers.delay(depth, bits)
        return name

    def between_blocks(self, stream: Stream) -> Stream:
        """Add the FIFO between two blocks."""
        self.stream(stream, self.numbers.depth("blocks"))
        self._delays[stream.name] = self.numbers.constants.count("delay.blocks")
        return stream

    def stream(self, stream: Stream, depth: int | None = None) -> Stream:
        """Add the FIFO of a stream."""
        self.fifo(stream.name, stream.tile * stream.width * stream.bits, depth)
        return stream

    def stage(
        self,
        name: str,
        kind: str,
        loops: Sequence[Loop],
        inputs: Sequence[str],
        outputs: Sequence[str],
        owner: Owner,
        *,
        multipliers: int = 0,
        products: int = 0,
        memories: Sequence[Memory] = (),
    ) -> None:
        """Add a stage; its pipelines are longer by what its FIFOs add on the way."""
        delay = max((self._delays[output] for output in outputs), default=0)
        self._stages.append(
            Stage(
                name,
                kind,
                tuple(replace(one, depth=one.depth + delay) for one in loops),
                tuple(inputs),
                tuple(outputs),
                owner.part_of,
                owner.block,
                multipliers,
                products,
                tuple(memories),
            )
        )

    def graph(self, name: str) -> StageGraph:
        """All of it."""
        return StageGraph(name, tuple(self._stages), tuple(self._fifos))


def loop(*runs: Run, repeats: int = 1, depth: int = 1) -> Loop:
    """A loop of those runs that have iterations."""
    return Loop(tuple(run for run in runs if run.count), repeats, depth)
