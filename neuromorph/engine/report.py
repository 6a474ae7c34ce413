"""What a compiled CPU program takes: memory by array, storage of each projection, compile times and speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neuromorph.network.synapses import Synapses

from .tables import as_html, as_text

if TYPE_CHECKING:
    from .instance import Instance


@dataclass(frozen=True)
class PopulationCost:
    """One population: its neurons, the bytes of its states and rings, and its kernel."""

    name: str
    neuron: str
    neurons: int
    state_bytes: int
    ring_bytes: int
    operations: int
    compile_seconds: float
    from_cache: bool


@dataclass(frozen=True)
class ProjectionCost:
    """One projection: how it is stored, in bytes by array."""

    name: str
    storage: str
    synapses: int
    arrays: dict[str, int]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(self.arrays.values())


@dataclass(frozen=True)
class CPUReport:
    """Costs of a program on the CPU.

    Attributes
    ----------
    seconds : dict of str to float
        Wall time of each stage: lower (with building), compile, and run, once it ran.
    steps : int
        Steps run so far, in runs and batches.
    threads : int
        Threads that share a step now.
    measured : dict of int to float
        Seconds a step for each number of threads that was tried, where it is the engine that chooses.
    batches : str
        How batches were run; empty before the first.
    """

    target: str
    network: str
    populations: tuple[PopulationCost, ...]
    projections: tuple[ProjectionCost, ...]
    seconds: dict[str, float]
    steps: int
    threads: int
    batches: str = ""
    measured: dict[int, float] = field(default_factory=dict)

    @property
    def neurons(self) -> int:
        """Neurons of the network."""
        return sum(population.neurons for population in self.populations)

    @property
    def synapses(self) -> int:
        """Synapses of the network."""
        return sum(projection.synapses for projection in self.projections)

    @property
    def nbytes(self) -> int:
        """Bytes of synapses, states and rings."""
        own = sum(population.state_bytes + population.ring_bytes for population in self.populations)
        return own + sum(projection.nbytes for projection in self.projections)

    @property
    def steps_per_second(self) -> float | None:
        """Speed of the runs so far; None before the first."""
        run = self.seconds.get("run", 0.0)
        return self.steps / run if run > 0 else None

    def _tables(self) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
        populations: list[tuple[str, ...]] = [
            (
                p.name,
                p.neuron,
                f"{p.neurons:,}",
                size(p.state_bytes),
                size(p.ring_bytes),
                str(p.operations) if p.operations else "replay",
                f"{p.compile_seconds * 1e3:.0f} ms{' (cached)' if p.from_cache else ''}",
            )
            for p in self.populations
        ]
        projections: list[tuple[str, ...]] = [
            (
                p.name,
                f"{p.synapses:,}",
                p.storage,
                size(p.nbytes),
                f"{p.nbytes / p.synapses:.2f}" if p.synapses else "",
                ", ".join(f"{name} {size(n)}" for name, n in p.arrays.items() if n),
            )
            for p in self.projections
        ]
        return [
            ("Populations", ("name", "neuron", "neurons", "states", "rings", "operations", "kernel"), populations),
            ("Projections", ("name", "synapses", "storage", "memory", "bytes/synapse", "arrays"), projections),
        ]

    def _summary(self) -> str:
        stages = ", ".join(f"{stage} {seconds:.3g} s" for stage, seconds in self.seconds.items())
        speed = self.steps_per_second
        rate = f"; {self.steps:,} steps at {speed:,.0f} steps/s" if speed else ""
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        if len(self.measured) > 1:
            tried = ", ".join(f"{seconds * 1e6:.3g} with {n}" for n, seconds in self.measured.items())
            threads += f" (us/step: {tried})"
        batches = f"; {self.batches}" if self.batches else ""
        return (
            f"{self.network} on {self.target}: {self.neurons:,} neurons, {self.synapses:,} synapses, "
            f"{size(self.nbytes)}, {threads}; {stages}{rate}{batches}"
        )

    def __str__(self) -> str:
        return as_text(self._summary(), self._tables())

    def _repr_html_(self) -> str:
        return as_html(self._summary(), self._tables())


def population_costs(instance: Instance, neurons: Mapping[str, str]) -> tuple[PopulationCost, ...]:
    """What each population takes; ``neurons`` are the names of their neurons by those of populations."""
    compiled = instance.compiled
    return tuple(
        PopulationCost(
            name=population.name,
            neuron=neurons[population.name],
            neurons=population.size,
            state_bytes=memory.nbytes - memory.ring_bytes,
            ring_bytes=memory.ring_bytes,
            operations=len(population.program.ops) if population.program else 0,
            compile_seconds=kernel.seconds,
            from_cache=kernel.loaded,
        )
        for population, memory, kernel in zip(compiled.populations, instance.memories, compiled.steps, strict=True)
    )


def projection_costs(instance: Instance) -> tuple[ProjectionCost, ...]:
    """What each projection takes, as it is stored; those that are plastic come last."""
    from .delivery import Stored

    stored = (each for each in instance.compiled.projections if isinstance(each, Stored))
    return (
        *(ProjectionCost(each.name, f"{each.form} ({each.reason})", each.count, each.form.arrays()) for each in stored),
        *(
            ProjectionCost(each.lowered.name, each.storage(), each.lowered.count, each.array_bytes())
            for each in instance.plastic
        ),
    )


def array_bytes(synapses: Synapses) -> dict[str, int]:
    """Bytes of each array of a projection."""
    names = ("row_ptr", "targets", "weights", "weight_index", "delays")
    arrays = {name: getattr(synapses, name) for name in names}
    return {name: array.nbytes for name, array in arrays.items() if array is not None}


def size(nbytes: float) -> str:
    """Bytes for people: ``1.5 MB`` (decimal units)."""
    for unit in ("B", "kB", "MB", "GB"):
        if nbytes < 1000 or unit == "GB":
            return f"{nbytes:.0f} {unit}" if unit == "B" or nbytes >= 100 else f"{nbytes:.3g} {unit}"
        nbytes /= 1000
    raise AssertionError
