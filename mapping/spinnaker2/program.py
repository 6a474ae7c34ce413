"""A network compiled for SpiNNaker2: runs, batches, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.cpu import CPUProgram
from neuromorph.engine.inputs import SampleInputs
from neuromorph.engine.instance import Instance
from neuromorph.engine.schedule import Compiled
from neuromorph.engine.target import Batch
from neuromorph.errors import CheckpointError, MappingError, TargetError
from neuromorph.lowering.program import LoweredNetwork
from neuromorph.progress import Progress

from .decoder import Decoded
from .instance import Deployed, MappedInstance
from .ledger import LATENESS, LAYERS, SERIES, Ledger, Rows
from .options import WORD
from .pipeline import lags

if TYPE_CHECKING:
    from neuromorph.network import Network
    from neuromorph.trace import Sink
    from neuromorph.units import Quantity

    from ..noc import Flow
    from .map import Mapping as Mapped
    from .report import SpiNNaker2Report
    from .target import SpiNNaker2


TIMES = ("time", "network", "busy", *(name for name in SERIES if name.startswith("last_") and name != "last_part"))
"""Columns of :data:`.ledger.SERIES` in ns."""


class SpiNNaker2Program(CPUProgram):
    """A mapped network; see :class:`neuromorph.engine.target.Program`.

    Besides what the network records, a run's trace holds the costs of every step below ``costs``.

    Attributes
    ----------
    mapping : map.Mapping
        Partition, placement, keys, routes, tables, memory.
    deployed : Deployed
        The PEs' memories and the static costs.
    """

    target: SpiNNaker2  # type: ignore[assignment]

    def __init__(
        self,
        target: SpiNNaker2,
        network: Network,
        lowered: LoweredNetwork,
        compiled: Compiled,
        deployed: Deployed,
        seconds: Mapping[str, float],
    ) -> None:
        self.deployed = deployed
        self.mapping: Mapped = deployed.mapping
        self._ledgers: list[Ledger] = []
        self._series: list[Rows] = []
        self._samples = self._written = 0
        super().__init__(target, network, lowered, compiled, seconds)  # type: ignore[arg-type]

    def instance(self, compiled: Compiled, threads: int | None) -> Instance:
        """A running copy of the network on the machine, with a ledger of its own.

        Raises
        ------
        MappingError
            If parameters that differ between neurons only now overfill a PE.
        """
        self._check_memory(compiled)
        made = MappedInstance(compiled, self.deployed)
        self._ledgers.append(made.ledger)
        return made

    def _check_memory(self, compiled: Compiled) -> None:
        mapped = self.mapping
        used = mapped.bytes.copy()
        for k, (now, then) in enumerate(zip(compiled.populations, mapped.lowered.populations, strict=True)):
            own = [sum(np.ndim(value) > 0 for value in each.param_values) for each in (now, then)]
            used += WORD * max(0, own[0] - own[1]) * mapped.held[k]
        worst = int(used.argmax()) if len(used) else 0
        if len(used) and used[worst] > mapped.layout.sram:
            raise MappingError(
                f"{mapped.pe_name(worst)}: parameters with a value for each neuron need {int(used[worst]):,} bytes of "
                f"{mapped.layout.sram:,}; the network was mapped with one value for all. Give the parameter an array "
                "before compiling, so that it is mapped with room for it",
                bytes=int(used[worst]),
                limit=mapped.layout.sram,
                pe=worst,
            )

    @property
    def series(self) -> dict[str, npt.NDArray[np.float64]]:
        """What is known of every step since the last reset, or of the last batch.

        Times in seconds: ``time``, ``busiest_part`` and its cycles, packets sent, copies of them that arrived or were
        dropped, synaptic events, loads of the busiest NoC or chip link and of the busiest router, PEs that were late,
        ``network``, which the busiest link needs for its packets, and more: see :data:`.ledger.SERIES`.
        """
        rows = np.concatenate([np.zeros((0, len(SERIES))), *(part.series for part in self._series)])
        return {name: rows[:, k] * (1e-9 if name in TIMES else 1.0) for k, name in enumerate(SERIES)}

    @property
    def layers(self) -> dict[str, npt.NDArray[np.int32]]:
        """What is known of every step and population, int32 (steps, populations) each; see :data:`.ledger.LAYERS`."""
        none = np.zeros((0, len(self.lowered.populations), len(LAYERS)), np.int32)
        rows = np.concatenate([none, *(part.layers for part in self._series)])
        return {name: rows[:, :, k] for k, name in enumerate(LAYERS)}

    def packet_flow(self, step: int) -> Flow:
        """Play the packets of one step of the last run through the packet-level model of the network.

        Every packet is injected when its PE sends it, and queues at every link of its tree; the result says when its
        first and last copies arrive, and how long packets waited where.

        Parameters
        ----------
        step : int
            A step of :attr:`last_trace`, which must hold the events of all populations.

        Raises
        ------
        TargetError
            If nothing has run, or events were not recorded.
        """
        from .flow import packet_flow

        if self.last_trace is None:
            raise TargetError(f"{self.network.name} has not run yet: there are no packets to follow")
        return packet_flow(self.deployed, self.last_trace, step)

    def before_run(self) -> None:
        """Forget the costs of a batch: a run has its own."""
        if self._samples:
            self._forget()

    def reset(self) -> None:
        """Go back to step 0 and forget the costs so far."""
        super().reset()
        instance = self._instance
        assert isinstance(instance, MappedInstance)
        instance.ledger.catch_up()
        self._forget()

    def _forget(self) -> None:
        self._samples = 0
        self._series, self._written = [], 0
        instance = self._instance
        assert isinstance(instance, MappedInstance)
        self._ledgers = [instance.ledger]
        instance.ledger.reset()

    def extra_state(self) -> dict[str, npt.NDArray[Any]]:
        """How late each PE is, which decides when its next packets arrive, and what PEs know that others do not."""
        instance = self._instance
        assert isinstance(instance, MappedInstance)
        late = {name: instance.ledger[name].copy() for name in LATENESS}
        late = late if any(array.any() for array in late.values()) else {}
        kept = late | {name: array.copy() for name, array in instance.differing().items()}
        return kept | {"part": self.mapping.part} if kept else {}

    def load_extra(self, extra: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take back what :meth:`extra_state` gave.

        Raises
        ------
        CheckpointError
            PEs were late, and here the network is partitioned in another way.
        """
        instance = self._instance
        assert isinstance(instance, MappedInstance)
        if not extra:
            return
        if "part" not in extra or not np.array_equal(extra["part"], self.mapping.part):
            raise CheckpointError(
                f"{self.network.name}: PEs were late when the checkpoint was written, or packets could be, and here "
                "the network is partitioned in another way, so what they owe cannot be placed; compile it for the same "
                "machine with the same options"
            )
        for name, array in ({name: instance.ledger[name] for name in LATENESS} | instance.differing()).items():
            if name in extra:
                array[...] = extra[name]

    def run_batch(
        self,
        inputs: Mapping[str, SampleInputs],
        duration: Quantity | int,
        *,
        window: tuple[int, int] | None = None,
        progress: bool | Progress = True,
        out: str | PathLike[str] | None = None,
    ) -> Batch:
        """Run every sample from the initial states; see :meth:`Program.run_batch`.

        :meth:`report` then tells the costs of the batch, also for each sample.
        """
        self._ledgers, self._series, self._written = [], [], 0
        batch = super().run_batch(inputs, duration, window=window, progress=progress, out=out)
        self._samples = batch.samples
        for ledger in self._ledgers:
            self._series.append(ledger.take())
        return batch

    def count(self, steps: int, seconds: float) -> None:
        """Add to what the report tells, and make room in series that fill up."""
        super().count(steps, seconds)
        for ledger in self._ledgers:
            if 2 * int(ledger["cells"][0]) > len(ledger["series"]):
                self._series.append(ledger.take())

    def lanes_refused(self) -> str:
        """Costs are those of one sample after another."""
        return "their costs are counted one by one"

    def batch_room(self, steps: int) -> int:
        """As many as the series hold beside what they may still hold; at least one."""
        for ledger in self._ledgers:
            if len(ledger["series"]) < 4 * steps:
                ledger.rows(4 * steps)
        return min(len(ledger["series"]) for ledger in self._ledgers) // 2 // max(steps, 1) - 1

    def write_costs(self, sink: Sink, *, done: bool) -> None:
        """The costs of every step that the trace does not hold yet; at the end sums, and the worst steps in detail."""
        for ledger in self._ledgers:
            self._series.append(ledger.take())
        unit = f"ns for {', '.join(sorted(TIMES))}; J for core and packet_energy; else counts"
        populations = [p.name for p in self.lowered.populations]
        for rows in self._series[self._written :]:
            about = {"columns": list(SERIES), "axes": ["step", "column"], "unit": unit}
            sink.extra("costs/steps", rows.series, about, append=True)
            about = {"columns": list(LAYERS), "axes": ["step", "population", "column"], "unit": "counts"}
            sink.extra("costs/layers", rows.layers, about | {"populations": populations}, append=True)
        self._written = len(self._series)
        if done:
            for name, (value, about) in self.report().arrays().items():
                sink.extra(f"costs/{name}", value, about)

    def provenance(self) -> dict[str, Any]:
        """What a trace says about where it comes from: machine and mapping besides network and target."""
        mapped = self.mapping
        return {
            **super().provenance(),
            "machine": {
                "name": mapped.machine.name,
                "chips": mapped.machine.chips,
                "chip_xy": mapped.machine.chip_xy,
                "constants": mapped.machine.constants.describe(),
            },
            "mapping": {
                "part": mapped.part,
                "placement": mapped.placement,
                "key": mapped.routing.keys.key,
                "bytes": mapped.bytes,
                "partition": mapped.method,
            },
        }

    def report(self) -> SpiNNaker2Report:  # type: ignore[override]
        """Memory, PEs, chips and tables; after a run also time, packets, energy and hot spots."""
        from .report import make_report

        return make_report(
            self.target, self.network.name, self.deployed, tuple(self._ledgers), self.series, self.layers,
            self._samples, dict(self._seconds),
        )  # fmt: skip

    def decoded(self, targets: npt.ArrayLike | None = None) -> Decoded:
        """What the target's decoder makes of the last run: one result for each step that has an output.

        Parameters
        ----------
        targets : int array, optional
            Rows whose probabilities are wanted, one for each result.

        Raises
        ------
        TargetError
            If the target has no decoder, nothing has run, or the population's events were not recorded.
        """
        decoder = self.target.decoder
        if decoder is None:
            raise TargetError(f"{self.network.name}: the target has no decoder; give SpiNNaker2(decoder=Decoder(...))")
        if self.last_trace is None or self._samples:
            raise TargetError(
                f"{self.network.name} has not run yet, or in a batch: give its outputs to decoder.decode()"
            )
        meta, events = self.last_trace.meta, self.last_trace.events(decoder.population)
        begin = max(meta.first_step, int(lags(self.lowered)[self.index_of(decoder.population)]))
        outputs = np.zeros((max(meta.first_step + meta.steps - begin, 0), decoder.width), np.float32)
        row = np.asarray(events.steps).astype(np.int64) - begin
        values = np.ones(len(row), np.float32) if events.values is None else events.values
        outputs[row[row >= 0], events.ids[row >= 0]] = values[row >= 0]
        return decoder.decode(outputs, targets)

    def source(self) -> str:
        """The generated code: a kernel for each population, and one for each kind of rows."""
        plastic = (kernel for each in self.compiled.plastic for kernel in each.kernels.values())
        rows = self.deployed.kernels.values()
        kernels = {kernel.source: kernel.title for kernel in (*self.compiled.steps, *rows, *plastic)}
        return "\n\n".join(f"# --- {title}\n{source}" for source, title in kernels.items())

    def __repr__(self) -> str:
        return f"<SpiNNaker2Program {self.network.name}: {self.mapping.parts} PEs, at step {self.step}>"
