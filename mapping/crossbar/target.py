"""``Crossbar``: the target that users construct."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neuromorph.engine.target import check_choice, seconds_of, step_seconds
from neuromorph.errors import TargetError
from neuromorph.network.quantise import NARROW, Narrow
from neuromorph.progress import Progress, progress_for

from .cells.clipping import Clip, check_clip
from .machine.effects import Effects
from .machine.machine import CrossbarMachine, load_machine
from .plan.rules import Rules
from .reads.profile import Profile, look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuromorph.lowering.program import LoweredNetwork, LoweredPopulation
    from neuromorph.network import Network
    from neuromorph.network.synapses import Synapses
    from neuromorph.units import Quantity

    from .cells.chip import Chip
    from .converters.ranges import Ranges
    from .plan.plan import Plan
    from .program import CrossbarProgram

DEFAULT = "isaac"
"""The machine of a target that names none."""

Readout = Literal["dense", "row-gated", "tile-skip", "comparator"]
READOUTS: tuple[Readout, ...] = ("dense", "row-gated", "tile-skip", "comparator")
"""What is read in a step; see :class:`Crossbar`."""


@dataclass(frozen=True, eq=False, repr=False)
class Crossbar:
    """Simulated in-memory computing: arrays of cells hold the weights, events drive their rows, columns are summed.

    Neurons stay digital, with the very arithmetic of the CPU engine. Where cells and converters are ideal, events are
    those of the CPU engine bit for bit.

    Parameters
    ----------
    machine : str, path or CrossbarMachine
        A name of :func:`~.machine.machine_names` ("ideal", "isaac", ...), a machine file, or a machine.
    effects : Effects, optional
        What keeps it from being exact; default: the machine's.
    readout : {"tile-skip", "row-gated", "dense", "comparator"}
        "dense": every array is read in every step, in all phases, with all rows driven. "row-gated": rows without an
        event are not driven. "tile-skip": arrays without a driven row are not read, and ADCs resolve only the bits
        that the read can bring. Those three give the same results: a read without a driven row is known to be 0, so
        its codes are thrown away. "comparator": instead of ADCs, charge stays on the columns from step to step and a
        comparator gives a pulse for each quantum (the ADC's step).
    seed : int
        Of what programming draws and of read noise. One seed is one chip.
    time : Quantity or float, optional
        Since programming, s if a plain number; default: the effects' time.
    chips : int, optional
        Default: the machine's, or as many as the network needs.
    ranges : Ranges, optional
        Of the converters, from :func:`~.calibrate.calibrate`; default: ADCs cover all sums that can be, and inputs all
        values that are known (see ``profile``).
    clip : {"max", "mse"} or float
        How weights are clipped where they are cut into codes: not at all, with the least squared error for each
        matrix, or so that this share of them, as 0.999, is kept.
    chip : Chip, optional
        Cells that were programmed before, with the same network: ``program.chip`` of another program. It brings its
        machine, unless another is named, and its effects.
    rates : mapping of population name to events a step, optional
        Expected activity, scalar or by neuron, that rows are ordered and tiles placed by; default: all alike.
    profile : int
        Measure the rates, and the values of graded events, in a run of so many steps on the CPU before mapping.
    order : {"activity", "given"}
        Rows that are active together share arrays, or stay in the order of their neurons.
    convolution : {"auto", "unrolled", "stationary"}
        Every place of a convolution has cells of its own, or all places use the kernel's cells one after another.
    replicate : int or "auto"
        Copies of stationary kernels that work side by side.
    share : {"auto", "turns", True, False}
        Small matrices in one array: where one read serves all (True), tightly packed and read in turns ("turns"), in
        turns only where that needs fewer chips ("auto"), or an array for each (False).
    rules : Rules, optional
        Where blocks may lie in an array, for example beside columns that are bad; default: the machine's.
    dtype : {"float32", "float64"}
        Of the digital neurons.
    weights : {"int4", "int8", "int16", "spark", "spark-nearest"}, optional
        Narrow float weights, with one scale for each projection, before they are mapped: ints of so many bits, or the
        numbers of SPARK codes. :func:`~.machine.number_formats.with_formats` gives a machine whose cells hold them.
    constants : mapping, optional
        Other numbers for the machine's prices, dots as double underscores: ``{"energy__row_pulse": 1.0}``.
    threads : int
        Threads that run the samples of a batch.
    """

    machine: str | Path | CrossbarMachine = DEFAULT
    effects: Effects | None = None
    readout: Readout = "tile-skip"
    seed: int = 0
    time: Any = None
    chips: int | None = None
    ranges: Ranges | None = field(default=None, repr=False)
    clip: Clip = "max"
    chip: Chip | None = field(default=None, repr=False)
    rates: Mapping[str, Any] | None = field(default=None, repr=False)
    profile: int = 0
    order: Literal["activity", "given"] = "activity"
    convolution: Literal["auto", "unrolled", "stationary"] = "auto"
    replicate: int | Literal["auto"] = 1
    share: bool | Literal["auto", "turns"] = "auto"
    rules: Rules | None = None
    dtype: Literal["float32", "float64"] = "float32"
    weights: Narrow | None = None
    constants: Mapping[str, float] | None = field(default=None, repr=False)
    threads: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.machine, str | Path | CrossbarMachine):
            raise TargetError(f"Crossbar: machine is {self.machine!r:.80}; give a name, a path or a CrossbarMachine")
        if not isinstance(self.rules, Rules | None):
            raise TargetError(f"Crossbar: rules is {self.rules!r:.80}; give Rules(...)")
        if not isinstance(self.effects, Effects | None):
            raise TargetError(f"Crossbar: effects is {self.effects!r:.80}; give Effects(...)")
        check_choice(self, "readout", *READOUTS)
        check_choice(self, "order", "activity", "given")
        check_choice(self, "share", "auto", "turns", True, False)
        check_choice(self, "convolution", "auto", "unrolled", "stationary")
        check_choice(self, "dtype", "float32", "float64")
        check_choice(self, "weights", None, *NARROW)
        for name, least in (("seed", 0), ("profile", 0), ("threads", 1), ("chips", 1), ("replicate", 1)):
            value = getattr(self, name)
            if value is None or (name == "replicate" and value == "auto"):
                continue
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise TargetError(f"Crossbar: {name} is {value!r}; it must be a whole number of at least {least}")
        if self.rates is not None and self.profile:
            raise TargetError("Crossbar: give rates or profile, not both")
        if self.chip is not None and self.effects is not None:
            raise TargetError("Crossbar: give chip or effects, not both: a chip was programmed with its effects")
        check_clip(self.clip)
        _ = self.built, self.on

    @cached_property
    def built(self) -> CrossbarMachine:
        """The machine itself, with the constants and the number of chips that were given.

        Raises
        ------
        MappingError
            There is no such machine or constant.
        """
        if self.chip is not None and self.machine == DEFAULT:
            machine = self.chip.machine
        else:
            machine = self.machine if isinstance(self.machine, CrossbarMachine) else load_machine(self.machine)
        if self.constants:
            machine = machine.repriced(**self.constants)
        return machine if self.chips is None else replace(machine, chips=self.chips)

    @property
    def on(self) -> Effects:
        """The effects that a run has, at the time since programming that was given.

        Raises
        ------
        TargetError
            A time below 0.
        """
        effects = self.effects
        if effects is None:
            effects = self.built.effects if self.chip is None else self.chip.effects
        if self.time is None:
            return effects
        plain = isinstance(self.time, int | float | np.number)
        return effects.with_(time=float(self.time) if plain else seconds_of(self.time, "time"))

    def compile(
        self,
        network: Network,
        dt: Quantity,
        *,
        allow_memory: bool = False,
        observe: bool = False,
        progress: bool | Progress = True,
    ) -> CrossbarProgram:
        """Check, lower, map and program, and compile its simulation.

        Parameters
        ----------
        network : Network
        dt : Quantity
            Length of a step.
        allow_memory : bool
            Try even if the forecast says that this computer's memory will not suffice.
        observe : bool
            Make histograms of what columns bring, with ideal converters behind them; see
            :attr:`CrossbarProgram.observed`.
        progress : bool or Progress

        Raises
        ------
        CheckError
            Everything that keeps the network from running.
        MappingError
            It does not fit the machine, or the ranges are those of something else.
        TargetError
            The chip was programmed with another network, or DACs do not know how large graded events get.
        """
        from neuromorph.engine.compile import compile_network

        from .cells.chip import program_chip
        from .program import CrossbarProgram
        from .reads.instance import deploy
        from .reads.setting import Reading, known_values, make_settings

        with progress_for(progress) as shown:
            began = perf_counter()
            lowered = self._lower(network, dt, allow_memory, shown)
            built = perf_counter()
            # The populations' kernels are the CPU engine's; what comes between them is this target's.
            compiled = compile_network(replace(lowered, projections=()), shown)
            compiled = replace(compiled, projections=lowered.projections)
            known = known_values(lowered)
            profile = None
            if self.profile:
                shown.stage("looking at events on the CPU")
                profile = look(lowered, self.profile)
                known |= profile.largest
            done = perf_counter()
            plan = self._plan(lowered, profile, shown)
            planned = perf_counter()
            shown.stage("programming cells")
            if self.chip is not None:
                self.chip.require(plan)
            chip = program_chip(plan, self.on, self.seed, self.clip) if self.chip is None else self.chip
            if self.time is not None and self.chip is not None:
                chip = chip.at(self.on.time)
            reading = Reading(self.readout, self.seed, self.ranges, known, observe)
            settings = make_settings(chip, lowered, reading)
            deployed = deploy(chip, settings, lowered, compiled, shown)
            seconds = {"build": built - began, "compile": done - built, "map": planned - done}
            seconds["program"] = perf_counter() - planned
        return CrossbarProgram(self, network, lowered, compiled, deployed, seconds)

    def map(
        self, network: Network, dt: Quantity, *, allow_memory: bool = False, progress: bool | Progress = True
    ) -> Plan:
        """Only map a network: what goes into which array, without programming or running anything.

        Raises
        ------
        CheckError, MappingError
        """
        with progress_for(progress) as shown:
            lowered = self._lower(network, dt, allow_memory, shown)
            return self._plan(lowered, look(lowered, self.profile) if self.profile else None, shown)

    def _lower(self, network: Network, dt: Quantity, allow_memory: bool, progress: Progress) -> LoweredNetwork:
        """The network, convolutions as their geometry."""
        from neuromorph.lowering import lower, refuse_further, refuse_plastic, refuse_readings
        from neuromorph.network import on_grid

        from .cells.levels import coding
        from .machine.wtm2101_gain import kept_whole

        refuse_plastic(network, "Crossbar")
        refuse_further(network, "Crossbar")
        refuse_readings(network, "Crossbar")
        progress.stage(f"building {network.name}")
        built: list[Synapses] = []
        most, integer = coding(self.built).highest, self.built.arithmetic == "wtm2101"

        def take(synapses: Synapses, populations: tuple[LoweredPopulation, ...]) -> None:
            # weights that training made of few levels are not rounded again, to a scale of the cells' own
            synapses = kept_whole(synapses, int(most)) if integer else synapses
            built.append(on_grid(synapses, int(most)) if isfinite(most) else synapses)

        made = lower(
            network, step_seconds(dt), dtype=self.dtype, weights=self.weights, allow_memory=allow_memory,
            progress=progress, take=take,
        )  # fmt: skip
        return replace(made, projections=tuple(built))

    def _plan(self, lowered: LoweredNetwork, profile: Profile | None, progress: Progress) -> Plan:
        from .plan.planner import plan_network

        progress.stage("mapping")
        return plan_network(
            lowered,
            self.built,
            rates=self.rates,
            events=None if profile is None else profile.events,
            order=self.order,
            convolution=self.convolution,
            replicate=self.replicate,
            share=self.share,
            rules=self.rules,
            seed=self.seed,
        )

    def __repr__(self) -> str:
        """Only what differs from the defaults, and no arrays."""
        given = [self.built.name, *self._options()]
        return f"Crossbar({', '.join([repr(given[0]), *given[1:]])})"

    def _options(self) -> Sequence[str]:
        shown = [f for f in fields(self) if f.repr and f.name not in ("machine", "effects")]
        options = [f"{f.name}={getattr(self, f.name)!r}" for f in shown if getattr(self, f.name) != f.default]
        return options if self.effects is None else [f"effects=[{self.effects}]", *options]
