"""``Pipeline``: the target that users construct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Literal

import numpy as np

from neuromorph.engine.target import check_choice, check_weights, step_seconds
from neuromorph.errors import CheckError, MappingError, TargetError
from neuromorph.network.quantise import Weights
from neuromorph.progress import Progress, progress_for

from ..payloads.coded import SCALE
from ..payloads.values import VALUES, value_code
from .balance import Budget, balance
from .board import Board, load_board
from .design import Parallel
from .network.schedules import Products
from .resources import Resources, resources

if TYPE_CHECKING:
    from neuromorph.lowering.program import LoweredNetwork, LoweredPopulation
    from neuromorph.network import Network
    from neuromorph.network.synapses import Synapses
    from neuromorph.units import Quantity

    from .network.design import NetworkDesign
    from .program import PipelineProgram


@dataclass(frozen=True, eq=False, repr=False)
class Pipeline:
    """A network laid out in space on an FPGA: a stage for every population and projection, joined by FIFOs.

    Layers overlap in time: while one works on a step, or token, the next works on the step before. Projections that
    lead back are loops, and a loop's latency over its delay bounds how fast steps can follow one another. Weights and
    states stay on the chip.

    Neurons and sums have the arithmetic of the CPU engine, and populations are run in the order of the pipeline, so
    events and states are those of ``CPU(dtype, weights=weights)`` bit for bit. Cycles are of the stages and FIFOs, not
    of a synthesis; sums of floats are taken to be made in the engine's order, one round a cycle.

    Parameters
    ----------
    board : str, path or Board
        "vck190", "zcu102", a machine file or a board.
    parallel : mapping of operator to Parallel, optional
        How much each operator does in a cycle: operators have the names of populations and projections. Those that are
        not named, by default all, are balanced for the board.
    interval : int, optional
        Cycles from step to step to balance for, at most; default: as few as fit.
    rate : float, optional
        The same as steps a second.
    budget : Budget, optional
        What it may take of the board; default: all of it.
    products : {"stream", "events"}
        "stream": a projection goes through all its weights in every step. "events": through those of the neurons that
        sent an event, so steps take as long as the run's events ask for.
    depths : mapping of FIFO to int, optional
        Depths instead of the design's own.
    dtype : {"float32", "float64"}
        Of neurons, weights and sums.
    weights : {"int4", "int8", "int16", "spark", "spark-nearest"} or mapping of projection to one, optional
        Narrow float weights, with one scale for each projection: ints of so many bits, or numbers that have a SPARK
        code, found by the published rounding or as the nearest. With a mapping, of the projections named. Memory is
        counted in the bits of the codes.
    payload : str
        What graded events travel as: "float32" (any floats), "int16", "int8", "int4", "spark" or "spark-nearest". FIFOs
        and multipliers get the width of the code's longest word. The network's events must have the code's numbers:
        :func:`neuromorph.mapping.payloads.coded.coded` makes them so.
    threads : int
        Threads that run the samples of a batch.
    """

    board: str | Path | Board = "vck190"
    parallel: Mapping[str, Parallel] | None = field(default=None, repr=False)
    interval: int | None = None
    rate: float | None = None
    budget: Budget | None = None
    products: Products = "stream"
    depths: Mapping[str, int] | None = field(default=None, repr=False)
    dtype: Literal["float32", "float64"] = "float32"
    weights: Weights = None
    payload: str = "float32"
    threads: int = 1

    def __post_init__(self) -> None:
        check_choice(self, "products", "stream", "events")
        check_choice(self, "dtype", "float32", "float64")
        check_choice(self, "payload", *VALUES)
        check_weights(self)
        if isinstance(self.threads, bool) or not isinstance(self.threads, int | np.integer) or self.threads < 1:
            raise TargetError(f"Pipeline: threads is {self.threads!r}; it must be a whole number of at least 1")
        if self.interval is not None and self.rate is not None:
            raise TargetError("Pipeline: give interval or rate, not both")
        _ = self.on

    @cached_property
    def on(self) -> Board:
        """The board itself.

        Raises
        ------
        MappingError
            There is no such board.
        """
        return load_board(self.board)

    def compile(
        self, network: Network, dt: Quantity, *, allow_memory: bool = False, progress: bool | Progress = True
    ) -> PipelineProgram:
        """Check, lower and lay out a network, and compile its run.

        Raises
        ------
        CheckError
            Everything that keeps the network from running.
        MappingError
            If it does not fit the board, naming what is short.
        """
        from neuromorph.engine.compile import compile_network

        from .network.sequence import sequence_kernel
        from .program import PipelineProgram

        with progress_for(progress) as shown:
            began = perf_counter()
            lowered = self._lower(network, dt, allow_memory, shown)
            built = perf_counter()
            design = self._design(lowered)
            shown.stage("balancing")
            design, parallel, taken = self._balanced(design)
            laid = perf_counter()
            compiled = compile_network(lowered, shown)
            for name in ("advance", "drain", "look"):
                sequence_kernel(name, shown)
            done = perf_counter()
        seconds = {"build": built - began, "map": laid - built, "compile": done - laid}
        return PipelineProgram(self, network, lowered, compiled, design, parallel, taken, seconds)

    def map(
        self, network: Network, dt: Quantity, *, allow_memory: bool = False, progress: bool | Progress = True
    ) -> tuple[NetworkDesign, Mapping[str, Parallel], Resources]:
        """Only lay out a network: its design, the parallelism of every operator, and what that takes of the board.

        Raises
        ------
        CheckError, MappingError
        """
        with progress_for(progress) as shown:
            design = self._design(self._lower(network, dt, allow_memory, shown))
            shown.stage("balancing")
            return self._balanced(design)

    def _lower(self, network: Network, dt: Quantity, allow_memory: bool, progress: Progress) -> LoweredNetwork:
        """The network, convolutions as their geometry."""
        from neuromorph.lowering import lower, refuse_further, refuse_plastic, refuse_readings

        refuse_plastic(network, "Pipeline")
        refuse_further(network, "Pipeline")
        refuse_readings(network, "Pipeline")
        progress.stage(f"building {network.name}")
        built: list[Synapses] = []

        def take(synapses: Synapses, populations: tuple[LoweredPopulation, ...]) -> None:
            built.append(synapses)

        made = lower(
            network, step_seconds(dt), dtype=self.dtype, weights=self.weights, allow_memory=allow_memory,
            progress=progress, take=take,
        )  # fmt: skip
        return replace(made, projections=tuple(built))

    def _design(self, lowered: LoweredNetwork) -> NetworkDesign:
        """The design, after a check of what events travel as.

        Raises
        ------
        CheckError
            With every population whose events have not the numbers of the payload.
        """
        from .network.design import NetworkDesign

        code = value_code(self.payload)
        if code.exact:
            return NetworkDesign.of(lowered)
        problems = [
            f"population {p.name}: its events have any values, and they travel as {code.name}; compile "
            f'coded(network, "{code.name}", ranges) instead, whose events have the numbers of that code'
            for p in lowered.populations
            if p.graded and p.program is not None and SCALE not in {slot.name for slot in p.program.params}
        ]
        if problems:
            raise CheckError(f"network {lowered.name} cannot run on Pipeline", problems)
        return NetworkDesign.of(lowered, code.bits + (code.rounding is not None))

    def _balanced(self, design: NetworkDesign) -> tuple[NetworkDesign, Mapping[str, Parallel], Resources]:
        """The design, the parallelism of every operator, and what it takes."""
        given = dict(self.parallel or {})
        if not set(given) >= set(design.operator):
            design, given = self._chosen(design.fixed(given), given)
        taken = resources(design, given, self.on, self.depths)
        taken.check()
        return design, given, taken

    def _chosen(
        self, design: NetworkDesign, given: Mapping[str, Parallel]
    ) -> tuple[NetworkDesign, dict[str, Parallel]]:
        """Balanced operators; where a loop is slower than every stage, the others are as slow as the loop allows.

        Raises
        ------
        MappingError
            Nothing fits, or a loop cannot be made as fast as was asked for.
        """
        from .network.bound import bound

        wanted = int(self.on.clock / self.rate) if self.rate else self.interval
        aim, found = wanted, balance(design, self.on, self.interval, self.budget, rate=self.rate)
        known = bound(design.graph(found.parallel))
        while wanted is not None and aim is not None and known.loop > wanted:
            aim = min(aim - 1, int(aim * wanted / known.loop))
            try:
                found = balance(design, self.on, aim, self.budget)
            except MappingError as error:
                raise MappingError(
                    f"{design.name} on {self.on.name}: a step every {wanted:,} cycles is asked for, and the loop "
                    f"{' -> '.join(known.around)} needs {float(known.loop):,.10g}; ask for that, or make operators of "
                    "the loop more parallel",
                    interval=wanted,
                ) from error
            known = bound(design.graph(found.parallel))
        pace = wanted or int(known.loop)
        if known.loop and pace > found.interval:
            design = replace(design.fixed({n: found.parallel[n] for n in design.looped} | dict(given)), pace=pace)
            found = balance(design, self.on, pace, self.budget)
        return design, dict(found.parallel)

    def __repr__(self) -> str:
        """Only what differs from the defaults, and no mappings."""
        return f"Pipeline({', '.join([repr(self.on.name), *self._options()])})"

    def _options(self) -> Sequence[str]:
        shown = [f for f in fields(self) if f.repr and f.name != "board"]
        return [f"{f.name}={getattr(self, f.name)!r}" for f in shown if getattr(self, f.name) != f.default]
