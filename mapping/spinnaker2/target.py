"""``SpiNNaker2``: the target that users construct."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from neuromorph.engine.target import check_choice, check_weights, seconds_of, step_seconds
from neuromorph.errors import CheckError, TargetError
from neuromorph.lowering.program import LoweredNetwork
from neuromorph.network.quantise import Weights
from neuromorph.progress import Progress, progress_for

from .decoder import Decoder
from .map import Partitioner, Placer, map_network
from .memory import Rates
from .options import LayoutOptions
from .plastic.footprints import remote_views

if TYPE_CHECKING:
    from neuromorph.network import Network
    from neuromorph.units import Quantity

    from .instance import Clock
    from .map import Mapping as Mapped
    from .program import SpiNNaker2Program


@dataclass(frozen=True, eq=False, repr=False)
class SpiNNaker2:
    """Simulated SpiNNaker2 chips.

    Parameters
    ----------
    chips : int, optional
        1 to 48 chips of one board, or boards by threes (144, 288, ...); default: as many as the network needs.
    weights : {"int4", "int8", "int16", "spark", "spark-nearest"} or mapping of projection to one, optional
        Narrow float weights, with one scale for each projection: ints of so many bits, or numbers that have a SPARK
        code, found by the published rounding or as the nearest. With a mapping, of the projections named.
    dtype : {"float32"}
        The PEs' floating-point units have single precision.
    clock : {"barrier", "tick"}
        "barrier": a step ends when every PE has done its work, so results are those of the CPU engine. "tick": steps
        begin every ``tick`` whatever happens; a PE that is late goes on with what it has. Its packets arrive as many
        whole ticks later as it is behind the receiver (15 at most); packets from PEs that are ahead of the receiver
        wait in its FIFO for their step.
    tick : Quantity, optional
        Real time for one step; default: the network's dt.
    overflow : {"stall", "drop"}, optional
        What a full event FIFO does: stall the network on chip until there is room, or drop the packet and count it.
        Default: "stall" with a barrier, "drop" with a tick.
    dvfs : {"low", "high", "auto"}, optional
        Performance level of the PEs: 150 MHz at 0.5 V, 300 MHz at 0.8 V, or the lowest at which a PE's work, predicted
        from the packets it gets, ends within the tick. Default: "high" with a barrier, "auto" with a tick.
    partition : str, array (n,) or function
        Which neurons share a PE: a method of :func:`neuromorph.mapping.partition.partition`, the part of every neuron
        or an algorithm.
    place : str or array (parts,)
        Which PE each part gets: a method of :func:`neuromorph.mapping.place.place`, or global PE indices.
    seed : int
        Of partition and placement; results of a run do not depend on it.
    rates : mapping of population name to events a step, optional
        Expected activity, scalar or by neuron, that the traffic is weighted with; default: all alike.
    profile : int
        Measure the rates in a run of so many steps on the CPU before mapping.
    pes : int, optional
        Spread the neurons over so many PEs, in their order and with about equal work on each as the rates predict it;
        instead of ``partition``. Default: as few PEs as hold them.
    neurons_per_pe, fifo, flush, record, rows
        See :class:`.LayoutOptions`.
    decoder : Decoder, optional
        A softmax over a table in DRAM that reads a population in every step.
    constants : mapping, optional
        Other numbers for the machine, dots as double underscores: ``{"cycles__synaptic_event": 20}``.
    threads : int
        Threads that run the samples of a batch.
    """

    chips: int | None = None
    weights: Weights = None
    dtype: Literal["float32"] = "float32"
    clock: Literal["barrier", "tick"] = "barrier"
    tick: Any = None
    overflow: Literal["stall", "drop"] | None = None
    dvfs: Literal["low", "high", "auto"] | None = None
    partition: Partitioner = field(default="portfolio", repr=False)
    place: Placer = field(default="portfolio", repr=False)
    seed: int = 0
    rates: Rates | None = field(default=None, repr=False)
    profile: int = 0
    pes: int | None = None
    neurons_per_pe: int | None = None
    fifo: int = 512
    flush: int = 8
    record: bool = True
    rows: str = "auto"
    decoder: Decoder | None = None
    constants: Mapping[str, float] | None = field(default=None, repr=False)
    threads: int = 1

    def __post_init__(self) -> None:
        if self.dtype != "float32":
            raise TargetError(
                f"SpiNNaker2: dtype is {self.dtype!r}; the PEs' floating-point units compute in float32 only. "
                "Run the CPU target with dtype='float32' to compare",
                dtype=self.dtype,
            )

        def whole(name: str, least: int) -> None:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise TargetError(f"SpiNNaker2: {name} is {value!r}; it must be a whole number of at least {least}")

        check_weights(self)
        check_choice(self, "clock", "barrier", "tick")
        check_choice(self, "overflow", None, "stall", "drop")
        check_choice(self, "dvfs", None, "low", "high", "auto")
        if self.rates is not None and self.profile:
            raise TargetError("SpiNNaker2: give rates or profile, not both")
        if self.pes is not None and not (isinstance(self.partition, str) and self.partition == "portfolio"):
            raise TargetError("SpiNNaker2: give pes or partition, not both")
        if self.decoder is not None and not isinstance(self.decoder, Decoder):
            raise TargetError(f"SpiNNaker2: decoder is {self.decoder!r:.80}; give a Decoder(population, table, bias)")
        if self.decoder is not None and self.clock == "tick":
            raise TargetError('SpiNNaker2: a decoder ends each step when its softmax is done; give clock="barrier"')
        for name, least in (("chips", 1), ("pes", 1), ("neurons_per_pe", 1), ("fifo", 1), ("flush", 1), ("threads", 1)):
            if getattr(self, name) is not None:
                whole(name, least)
        whole("profile", 0)
        whole("seed", 0)
        self.options()

    def __repr__(self) -> str:
        """Only what differs from the defaults, and no arrays."""
        shown = [
            f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr and getattr(self, f.name) != f.default
        ]
        return f"SpiNNaker2({', '.join(shown)})"

    def options(self) -> LayoutOptions:
        """The choices about the memory of a PE."""
        return LayoutOptions(
            neurons_per_pe=self.neurons_per_pe, fifo=self.fifo, flush=self.flush, record=self.record, rows=self.rows
        )

    def compile(
        self, network: Network, dt: Quantity, *, allow_memory: bool = False, progress: bool | Progress = True
    ) -> SpiNNaker2Program:
        """Check, lower, build and map a network, and compile its simulation.

        ``allow_memory=True`` tries even if the forecast says that this computer's memory will not suffice.

        Raises
        ------
        CheckError
            Everything that keeps the network from running.
        MappingError
            If it does not fit the machine.
        """
        from neuromorph.engine.compile import compile_network

        from .image import Image
        from .instance import Deployed, compile_rows
        from .network_costs import packet_costs
        from .plastic.costs import plastic_work
        from .plastic.spread import Spread
        from .program import SpiNNaker2Program

        with progress_for(progress) as shown:
            clock = self._clock(step_seconds(dt))
            began = perf_counter()
            lowered = self._lower(network, dt, allow_memory, shown)
            require_lossless(lowered, clock)
            built = perf_counter()
            mapped = self._map(network, lowered, shown)
            placed = perf_counter()
            shown.stage("distributing synapses")
            image = Image.build(mapped.lowered, mapped.part, mapped.parts)
            spreads = tuple(Spread.of(p, image.slices[p.post].owner, mapped.parts) for p in lowered.plastic)
            work = plastic_work(mapped, image, spreads)
            costs = packet_costs(mapped, image, clock.level)
            loaded = perf_counter()
            # The populations' kernels are the CPU engine's; the rows of the projections have kernels of their own.
            apart = tuple(s.taken_apart(p) for s, p in zip(spreads, lowered.plastic, strict=True))
            compiled = compile_network(replace(lowered, projections=(), plastic=apart), shown)
            whole = tuple(replace(c, lowered=p) for c, p in zip(compiled.plastic, lowered.plastic, strict=True))
            compiled = replace(compiled, projections=lowered.projections, plastic=whole)
            kernels = compile_rows(mapped.lowered, image, shown)
            deployed = Deployed(mapped, image, costs, clock, spreads, work, kernels)
            done = perf_counter()
        seconds = {"build": built - began, "map": placed - built, "load": loaded - placed, "compile": done - loaded}
        return SpiNNaker2Program(self, network, lowered, compiled, deployed, seconds)

    def map(
        self, network: Network, dt: Quantity, *, allow_memory: bool = False, progress: bool | Progress = True
    ) -> Mapped:
        """Only map a network: what goes where, without building what a run needs.

        Raises
        ------
        CheckError, MappingError
        """
        with progress_for(progress) as shown:
            return self._map(network, self._lower(network, dt, allow_memory, shown), shown)

    def _clock(self, dt: float) -> Clock:
        from .instance import Clock

        tick = dt if self.tick is None else seconds_of(self.tick, "tick")
        if not tick > 0.0:
            raise TargetError(f"SpiNNaker2: tick is {tick} s; it must be positive", tick=tick)
        ticked = self.clock == "tick"
        level = self.dvfs or ("auto" if ticked else "high")
        return Clock(ticked, (self.overflow or ("drop" if ticked else "stall")) == "drop", tick, level)

    def _lower(self, network: Network, dt: Quantity, allow_memory: bool, progress: Progress) -> LoweredNetwork:
        from neuromorph.lowering import lower, refuse_paths, refuse_readings

        refuse_readings(network, "SpiNNaker2")
        refuse_paths(network, "SpiNNaker2")
        progress.stage(f"building {network.name}")
        return lower(network, step_seconds(dt), dtype=self.dtype, weights=self.weights, allow_memory=allow_memory)

    def _map(self, network: Network, lowered: LoweredNetwork, progress: Progress) -> Mapped:
        return map_network(
            lowered,
            chips=self.chips,
            seed=self.seed,
            partition=self.partition,
            place=self.place,
            options=self.options(),
            rates=profiled(lowered, self.profile) if self.profile else self.rates,
            positions=[positions_of(population) for population in network.populations],
            constants=dict(self.constants or {}),
            decoder=self.decoder,
            pes=self.pes,
            progress=progress,
        )


def require_lossless(lowered: LoweredNetwork, clock: Clock) -> None:
    """Values that synapses look at must come in every step.

    Raises
    ------
    CheckError
        With every projection whose synapses look at neurons of other PEs, if packets may be late or lost.
    """
    if not (clock.ticked or clock.dropping):
        return
    seen = {plastic.name: plastic for plastic, _ in remote_views(lowered)}
    problems = [
        f"projection {name}: its synapses ({plastic.model}) look at states of neurons on other PEs, whose values come "
        'in every step; packets that are late or dropped would leave them without. Give clock="barrier" and '
        'overflow="stall"'
        for name, plastic in seen.items()
    ]
    if problems:
        raise CheckError(f"network {lowered.name} cannot run on SpiNNaker2 where packets may be lost", problems)


def positions_of(population: Any) -> npt.NDArray[np.float64] | None:
    """Coordinates that help the partition: as given, or the place in the image for (channels, height, width)."""
    if population.coordinates is not None:
        return np.asarray(population.positions)
    if len(population.shape) < 2:
        return None
    return np.asarray(population.positions[:, -2:])


def profiled(lowered: LoweredNetwork, steps: int) -> dict[str, npt.NDArray[np.float64]]:
    """Events a step of every neuron, measured on the CPU engine, plus a small rate so that nothing counts as silent."""
    from neuromorph.engine.compile import compile_network
    from neuromorph.engine.instance import Instance

    instance = Instance(compile_network(lowered), 1)
    totals = {k: np.zeros(population.size, np.int64) for k, population in enumerate(lowered.populations)}
    work = instance.tables(record=False, totals=totals, window=(0, steps))
    instance.run(0, steps, 0, work)
    floor = 0.1 / max(steps, 1)
    return {lowered.populations[k].name: total / steps + floor for k, total in totals.items()}
