"""``Pipeline``: the target that users construct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from numbers import Real
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Literal

import numpy as np

from neuromorph.engine.target import check_choice, check_weights, step_seconds
from neuromorph.errors import CheckError, TargetError
from neuromorph.network.quantise import Weights
from neuromorph.progress import Progress, progress_for

from ..payloads.coded import SCALE
from ..payloads.values import VALUES, value_code
from .balance import Budget
from .board import Board, load_board
from .design import Parallel
from .network.design import NetworkDesign
from .network.plan import Aim, Depths, Plan, plan_network
from .network.schedules import Products

if TYPE_CHECKING:
    from neuromorph.lowering.program import LoweredNetwork, LoweredPopulation
    from neuromorph.network import Network
    from neuromorph.network.synapses import Synapses
    from neuromorph.units import Quantity

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
    depths : mapping of FIFO to int, or "smallest", optional
        Depths instead of the design's own, which are generous; "smallest": so that none can be lowered alone without
        making steps slower, found by simulation.
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
    depths: Depths = field(default=None, repr=False)
    dtype: Literal["float32", "float64"] = "float32"
    weights: Weights = None
    payload: str = "float32"
    threads: int = 1

    def __post_init__(self) -> None:
        check_choice(self, "products", "stream", "events")
        check_choice(self, "dtype", "float32", "float64")
        check_choice(self, "payload", *VALUES)
        check_weights(self)
        self._check_count("threads", self.threads)
        if self.interval is not None and self.rate is not None:
            raise TargetError("Pipeline: give interval or rate, not both")
        if self.interval is not None:
            self._check_count("interval", self.interval)
        if self.rate is not None and not (isinstance(self.rate, Real) and 0 < self.rate <= self.on.clock):
            raise TargetError(
                f"Pipeline: rate is {self.rate!r}; it must be a number of steps a second, above 0 and at most the "
                f"{self.on.clock:,.0f} cycles that {self.on.name} has"
            )
        if isinstance(self.depths, str):
            check_choice(self, "depths", "smallest")
        elif self.depths is not None:
            self._check_mapping("depths", "FIFO", "a depth in tokens")
            for fifo, depth in self.depths.items():
                self._check_count(f"depth of FIFO {fifo}", depth)
        if self.parallel is not None:
            self._check_mapping("parallel", "operator", "a Parallel")
        if self.budget is not None and not isinstance(self.budget, Budget):
            raise TargetError(f"Pipeline: budget is {self.budget!r}; give a Budget(luts=..., dsps=...)")
        _ = self.on

    def _check_count(self, name: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise TargetError(f"Pipeline: {name} is {value!r}; it must be a whole number of at least 1")

    def _check_mapping(self, name: str, key: str, value: str) -> None:
        if not isinstance(given := getattr(self, name), Mapping):
            raise TargetError(f"Pipeline: {name} is {given!r:.80}; give a mapping from each {key} to {value}")

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
            plan = self._plan(lowered, shown)
            laid = perf_counter()
            compiled = compile_network(lowered, shown)
            for name in ("advance", "drain", "look"):
                sequence_kernel(name, shown)
            done = perf_counter()
        seconds = {"build": built - began, "map": laid - built, "compile": done - laid}
        return PipelineProgram(self, network, lowered, compiled, plan, seconds)

    def map(
        self, network: Network, dt: Quantity, *, allow_memory: bool = False, progress: bool | Progress = True
    ) -> Plan:
        """Only lay out a network: parallelism of every operator, stages and FIFOs, and what they take of the board.

        Raises
        ------
        CheckError, MappingError
        """
        with progress_for(progress) as shown:
            return self._plan(self._lower(network, dt, allow_memory, shown), shown)

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

    def _plan(self, lowered: LoweredNetwork, progress: Progress) -> Plan:
        design = self._design(lowered)
        progress.stage("balancing")
        interval = int(self.on.clock / self.rate) if self.rate else self.interval
        return plan_network(design, self.on, Aim(self.parallel or {}, interval, self.budget, self.depths))

    def _design(self, lowered: LoweredNetwork) -> NetworkDesign:
        """The design, after a check of what events travel as.

        Raises
        ------
        CheckError
            With every population whose events have not the numbers of the payload.
        """
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

    def __repr__(self) -> str:
        """Only what differs from the defaults, and no mappings."""
        return f"Pipeline({', '.join([repr(self.on.name), *self._options()])})"

    def _options(self) -> Sequence[str]:
        shown = [f for f in fields(self) if f.repr and f.name != "board"]
        return [f"{f.name}={getattr(self, f.name)!r}" for f in shown if getattr(self, f.name) != f.default]
