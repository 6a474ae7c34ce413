"""A pipeline as data: stages that read from and write to FIFOs in a pattern that is known before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from neuromorph.errors import MappingError


@dataclass(frozen=True, slots=True)
class Run:
    """``count`` iterations in a row that each read a token from all of ``reads`` and write one to all of ``writes``.

    Attributes
    ----------
    count : int
        At least 1.
    reads, writes : tuple of int
        Positions in the stage's ``inputs`` and ``outputs``, each at most once.
    """

    count: int
    reads: tuple[int, ...] = ()
    writes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Loop:
    """A pipelined loop: ``runs`` one after the other, ``repeats`` times.

    Attributes
    ----------
    runs : tuple of Run
    repeats : int
    depth : int
        Cycles of the pipeline, at least 1: what an iteration writes leaves ``depth - 1`` cycles of progress after what
        it reads has come in. A pipeline that waits, for an input or for room behind an output, holds what is in it.
    interval : int
        Cycles from one iteration to the next.
    """

    runs: tuple[Run, ...]
    repeats: int = 1
    depth: int = 1
    interval: int = 1

    @property
    def trips(self) -> int:
        """Iterations."""
        return self.repeats * sum(run.count for run in self.runs)


@dataclass(frozen=True, slots=True)
class Memory:
    """Words that a stage keeps: weights, tables, a window, a whole tensor.

    Attributes
    ----------
    name : str
        "weights", "window", "table", ...
    words : int
    bits : int
        Of a word.
    banks : int
        Words that are read or written in one cycle: the memory is cut into so many.
    kind : {"weights", "table", "activations"}
    """

    name: str
    words: int
    bits: int
    banks: int = 1
    kind: str = "activations"


@dataclass(frozen=True, slots=True)
class Stage:
    """One process of the pipeline: ``loops`` after one another for every item (an image, or a step of time).

    Attributes
    ----------
    name : str
        Unique; dots say what it is part of, as "attn0.softmax.head1".
    operator : str
        What it does: "softmax", "multiply", "window", "pack", ...
    loops : tuple of Loop
    inputs, outputs : tuple of str
        Names of FIFOs.
    part_of : str
        The operator of the design that it belongs to, as "attn0.q", the same for all stages of an operator.
    block : str
        The larger unit, as "attn0".
    multipliers : int
        Products in one cycle.
    products : int
        Products an item.
    memories : tuple of Memory
    """

    name: str
    operator: str
    loops: tuple[Loop, ...]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    part_of: str = ""
    block: str = ""
    multipliers: int = 0
    products: int = 0
    memories: tuple[Memory, ...] = ()

    @property
    def trips(self) -> int:
        """Cycles an item if it never waits: iterations times their intervals."""
        return sum(loop.trips * loop.interval for loop in self.loops)

    def tokens(self, position: int, *, output: bool) -> int:
        """Tokens an item of one input or output."""
        return sum(
            loop.repeats * sum(run.count for run in loop.runs if position in (run.writes if output else run.reads))
            for loop in self.loops
        )


@dataclass(frozen=True, slots=True)
class Fifo:
    """A queue between two stages; without a writer an input of the graph, without a reader an output.

    Attributes
    ----------
    name : str
    depth : int
        Tokens that it holds.
    bits : int
        Of a token.
    initial : int
        Tokens that are in it before the first item: the delay of a loop.
    grain : int
        Tokens that are handed over together: a reader may begin with them when all are written, and their room is free
        when all are read. 1 is a stream; all tokens of an item, with twice that depth, a ping-pong buffer.
    """

    name: str
    depth: int
    bits: int
    initial: int = 0
    grain: int = 1


@dataclass(frozen=True)
class StageGraph:
    """Stages and the FIFOs between them.

    Attributes
    ----------
    name : str
    stages : tuple of Stage
    fifos : tuple of Fifo

    Raises
    ------
    MappingError
        A FIFO that nobody uses, that several stages write or read, or whose writer and reader disagree on the tokens of
        an item; a pattern that is empty; a depth that can never work.
    """

    name: str
    stages: tuple[Stage, ...]
    fifos: tuple[Fifo, ...]

    def __post_init__(self) -> None:
        _unique("stage", (stage.name for stage in self.stages))
        _unique("FIFO", (fifo.name for fifo in self.fifos))
        for stage in self.stages:
            _check_stage(stage, self.fifo)
        for fifo in self.fifos:
            self._check_fifo(fifo)

    @cached_property
    def fifo(self) -> Mapping[str, Fifo]:
        """FIFOs by name."""
        return {fifo.name: fifo for fifo in self.fifos}

    @cached_property
    def stage(self) -> Mapping[str, Stage]:
        """Stages by name."""
        return {stage.name: stage for stage in self.stages}

    @cached_property
    def writer(self) -> Mapping[str, Stage]:
        """The stage that writes to each FIFO that has one."""
        return self._ends(output=True)

    @cached_property
    def reader(self) -> Mapping[str, Stage]:
        """The stage that reads from each FIFO that has one."""
        return self._ends(output=False)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """FIFOs without a writer: filled from outside, as fast as there is room."""
        return tuple(fifo.name for fifo in self.fifos if fifo.name not in self.writer)

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """FIFOs without a reader: emptied from outside at once."""
        return tuple(fifo.name for fifo in self.fifos if fifo.name not in self.reader)

    def tokens(self, fifo: str) -> int:
        """Tokens an item that pass through a FIFO."""
        writing = fifo in self.writer
        stage = self.writer[fifo] if writing else self.reader[fifo]
        names = stage.outputs if writing else stage.inputs
        return stage.tokens(names.index(fifo), output=writing)

    def with_depths(self, depths: Mapping[str, int]) -> StageGraph:
        """The same stages with other depths of the FIFOs that are named."""
        for name in depths:
            if name not in self.fifo:
                raise MappingError(f"pipeline {self.name!r}: there is no FIFO {name!r}", name=name)
        changed = tuple(replace(fifo, depth=depths.get(fifo.name, fifo.depth)) for fifo in self.fifos)
        return replace(self, fifos=changed)

    def part(self, *blocks: str) -> StageGraph:
        """Some of the blocks alone; FIFOs from and to the others become inputs and outputs.

        Raises
        ------
        MappingError
            If no stage belongs to one of them.
        """
        known = {stage.block for stage in self.stages}
        for block in blocks:
            if block not in known:
                raise MappingError(f"pipeline {self.name!r}: there is no block {block!r}", name=block)
        stages = tuple(stage for stage in self.stages if stage.block in blocks)
        used = {name for stage in stages for name in (*stage.inputs, *stage.outputs)}
        return StageGraph(", ".join(blocks), stages, tuple(fifo for fifo in self.fifos if fifo.name in used))

    def _ends(self, *, output: bool) -> dict[str, Stage]:
        found: dict[str, Stage] = {}
        for stage in self.stages:
            for name in stage.outputs if output else stage.inputs:
                if name in found:
                    raise MappingError(
                        f"FIFO {name!r}: {found[name].name!r} and {stage.name!r} both "
                        f"{'write to' if output else 'read from'} it; give each a FIFO of its own",
                        name=name,
                    )
                found[name] = stage
        return found

    def _check_fifo(self, fifo: Fifo) -> None:
        name = fifo.name
        if name not in self.writer and name not in self.reader:
            raise MappingError(f"FIFO {name!r}: no stage of pipeline {self.name!r} uses it", name=name)
        if fifo.depth < 1 or fifo.bits < 1 or fifo.grain < 1 or not 0 <= fifo.initial <= fifo.depth:
            raise MappingError(
                f"FIFO {name!r}: depth {fifo.depth}, {fifo.bits} bits, grain {fifo.grain}, {fifo.initial} initial "
                "tokens; depth, bits and grain are at least 1, and initial tokens fit into the depth",
                name=name,
            )
        if fifo.depth < fifo.grain:
            raise MappingError(
                f"FIFO {name!r}: depth {fifo.depth} cannot hold the {fifo.grain} tokens that are handed over together",
                name=name,
            )
        if name in self.writer and name in self.reader:
            written = self.writer[name].tokens(self.writer[name].outputs.index(name), output=True)
            read = self.reader[name].tokens(self.reader[name].inputs.index(name), output=False)
            if written != read:
                raise MappingError(
                    f"FIFO {name!r}: {self.writer[name].name!r} writes {written} tokens an item and "
                    f"{self.reader[name].name!r} reads {read}; they must agree",
                    name=name,
                )


def _unique(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise MappingError(f"{what} {name!r} is there twice; give each a name of its own", name=name)
        seen.add(name)


def _check_stage(stage: Stage, fifos: Mapping[str, Fifo]) -> None:
    for name in (*stage.inputs, *stage.outputs):
        if name not in fifos:
            raise MappingError(f"stage {stage.name!r}: there is no FIFO {name!r}", name=name)
    if not stage.loops:
        raise MappingError(f"stage {stage.name!r} has no loop", name=stage.name)
    for loop in stage.loops:
        if loop.repeats < 1 or loop.depth < 1 or loop.interval < 1 or not loop.runs:
            raise MappingError(
                f"stage {stage.name!r}: a loop of {len(loop.runs)} runs, {loop.repeats} repeats, depth {loop.depth}, "
                f"interval {loop.interval}; each is at least 1",
                name=stage.name,
            )
        for run in loop.runs:
            for positions, names in ((run.reads, stage.inputs), (run.writes, stage.outputs)):
                if len(set(positions)) != len(positions) or any(not 0 <= p < len(names) for p in positions):
                    raise MappingError(
                        f"stage {stage.name!r}: a run uses positions {positions} of {len(names)} FIFOs", name=stage.name
                    )
            if run.count < 1:
                raise MappingError(f"stage {stage.name!r}: a run of {run.count} iterations", name=stage.name)
    for output, names in ((False, stage.inputs), (True, stage.outputs)):
        for position, name in enumerate(names):
            if stage.tokens(position, output=output) == 0:
                raise MappingError(
                    f"stage {stage.name!r} never {'writes to' if output else 'reads from'} FIFO {name!r}",
                    name=stage.name,
                )
