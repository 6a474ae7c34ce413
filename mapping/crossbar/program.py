"""A network compiled for crossbars: runs, batches, and what they are counted by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.cpu import CPUProgram
from neuromorph.engine.inputs import SampleInputs
from neuromorph.engine.instance import Instance
from neuromorph.engine.schedule import Compiled
from neuromorph.engine.target import Batch
from neuromorph.errors import CheckpointError, TargetError
from neuromorph.lowering.program import LoweredNetwork
from neuromorph.progress import Progress

from .converters.histogram import Histograms
from .reads.instance import CrossbarInstance, Deployed
from .reads.ledger import SERIES, Counts, Ledger, StepCounts, counts_of

if TYPE_CHECKING:
    from neuromorph.engine.live import LiveRun
    from neuromorph.network import Network, Population
    from neuromorph.trace import Sink
    from neuromorph.units import Quantity

    from .cells.chip import Chip
    from .plan.plan import Plan
    from .results.report import CrossbarReport
    from .target import Crossbar


@dataclass(frozen=True, eq=False)
class Observed:
    """What converters would have to tell apart, from runs of a program that was compiled to observe.

    Attributes
    ----------
    sums : Histograms
        Sums of columns, level units, of every read: histogram ``block * digits + digit`` of the plan's blocks.
    values : Histograms
        Values of the events that came to each of the plan's matrices.
    input_scale : float64 (matrices,)
        Value of code 1 in those runs.
    """

    sums: Histograms
    values: Histograms
    input_scale: npt.NDArray[np.float64]


class CrossbarProgram(CPUProgram):
    """A network on crossbars; see :class:`neuromorph.engine.target.Program`.

    Besides what the network records, a run's trace holds the counts of every step below ``costs``.

    Attributes
    ----------
    plan : Plan
        Matrices, their blocks in arrays, arrays on tiles.
    chip : Chip
        What the cells hold; it may serve other programs of the same network: ``Crossbar(chip=program.chip)``.
    deployed : Deployed
        What all running copies share.
    """

    target: Crossbar  # type: ignore[assignment]

    def __init__(
        self,
        target: Crossbar,
        network: Network,
        lowered: LoweredNetwork,
        compiled: Compiled,
        deployed: Deployed,
        seconds: Mapping[str, float],
    ) -> None:
        self.deployed = deployed
        self.chip: Chip = deployed.chip
        self.plan: Plan = deployed.chip.plan
        self._copies: list[CrossbarInstance] = []
        self._series: list[npt.NDArray[np.float64]] = []
        self._samples = self._written = 0
        super().__init__(target, network, lowered, compiled, seconds)  # type: ignore[arg-type]

    def instance(self, compiled: Compiled, threads: int | None) -> Instance:
        """A running copy of the network, with a ledger of its own."""
        made = CrossbarInstance(compiled, self.deployed)
        self._copies.append(made)
        return made

    @property
    def current(self) -> CrossbarInstance:
        """The running copy that :meth:`run` goes on with."""
        instance = self._instance
        assert isinstance(instance, CrossbarInstance)
        return instance

    @property
    def _ledgers(self) -> list[Ledger]:
        return [copy.ledger for copy in self._copies]

    @property
    def counts(self) -> Counts:
        """All actions since the last reset, or of the last batch."""
        return counts_of(self._ledgers, self.plan, self.lowered, self.target.readout, self._samples)

    @property
    def steps(self) -> StepCounts:
        """The same by step."""
        for copy in self._copies:
            self._series.append(copy.ledger.take())
        none = np.zeros((0, len(self.plan.matrices), len(SERIES)))
        return StepCounts(np.concatenate([none, *self._series]))

    @property
    def observed(self) -> Observed:
        """What columns brought so far; only of a program that was compiled with ``observe=True``.

        Raises
        ------
        TargetError
            It was not.
        """
        seen = [copy.seen for copy in self._copies if copy.seen is not None]
        if not seen:
            raise TargetError(f"{self.network.name}: nothing was observed; give compile(..., observe=True)")
        each = len(seen[0])
        joined = Histograms(*(np.concatenate([getattr(s, n) for s in seen]) for n in ("counts", "sums", "state")))
        scales = np.array([setting.input_scale for setting in self.deployed.settings])
        merged = joined.merged(np.tile(np.arange(each), len(seen)), each)
        sums = each - len(scales)
        return Observed(merged.part(slice(None, sums)), merged.part(slice(sums, None)), scales)

    def before_run(self) -> None:
        """Forget the costs of a batch: a run has its own."""
        if self._samples:
            self._forget()

    def reset(self) -> None:
        """Go back to step 0 and forget the counts so far."""
        super().reset()
        self._forget()

    def _forget(self) -> None:
        self._samples = self._written = 0
        self._series = []
        self._copies = [self.current]
        self.current.ledger.reset()

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

        Read noise differs from sample to sample, and is the same for a sample of the same number.
        :meth:`report` then tells the counts of the batch.
        """
        self._copies, self._series, self._written = [], [], 0
        batch = super().run_batch(inputs, duration, window=window, progress=progress, out=out)
        self._samples = batch.samples
        return batch

    def live(self, outputs: Sequence[str | Population] = ()) -> LiveRun:
        """Run step by step, with events given from outside; see :meth:`Program.live`."""
        if self._samples:
            self._forget()
        return super().live(outputs)

    def count(self, steps: int, seconds: float) -> None:
        """Add to what the report tells, and make room in series that fill up."""
        super().count(steps, seconds)
        for ledger in self._ledgers:
            if 2 * int(ledger.cells[0]) > ledger.room:
                self._series.append(ledger.take())

    def lanes_refused(self) -> str:
        """Arrays are read for one sample after another."""
        return "arrays are read for one sample after another"

    def batch_room(self, steps: int) -> int:
        """As many as the series hold beside what they may still hold; at least one."""
        for ledger in self._ledgers:
            if ledger.room < 4 * steps:
                ledger.rows(4 * steps)
        return min(ledger.room for ledger in self._ledgers) // 2 // max(steps, 1) - 1

    def extra_state(self) -> dict[str, npt.NDArray[Any]]:
        """Charge that comparators keep, matrix by matrix."""
        return {f"charge-{k}": residue.copy() for k, residue in enumerate(self.current.residues)}

    def load_extra(self, extra: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take back the charge that comparators kept.

        Raises
        ------
        CheckpointError
            The checkpoint is of another plan, or another way of reading out.
        """
        for k, residue in enumerate(self.current.residues):
            saved = extra.get(f"charge-{k}")
            if saved is None or saved.shape != residue.shape:
                raise CheckpointError(
                    f"{self.network.name}: comparators keep {len(residue)} charges from step to step, and the "
                    f"checkpoint has {0 if saved is None else len(saved)}; it must be of the same target with the same "
                    "options"
                )
            residue[:] = saved

    def write_costs(self, sink: Sink, *, done: bool) -> None:
        """The counts of every step that the trace does not hold yet, and at the end their sums."""
        for copy in self._copies:
            self._series.append(copy.ledger.take())
        matrices = [matrix.name for matrix in self.plan.matrices]
        about: dict[str, Any] = {"columns": list(SERIES), "axes": ["step", "matrix", "column"], "matrices": matrices}
        about["unit"] = "counts; S for code_sum"
        for rows in self._series[self._written :]:
            sink.extra("costs/steps", rows, about, append=True)
        self._written = len(self._series)
        if done:
            for name, (value, said) in self.report().arrays().items():
                sink.extra(f"costs/{name}", value, said)

    def provenance(self) -> dict[str, Any]:
        """What a trace says about where it comes from: machine, effects and plan besides network and target."""
        plan = self.plan
        return {
            **super().provenance(),
            "machine": {"name": plan.machine.name, "constants": plan.machine.constants.describe()},
            "crossbar": {
                "effects": str(self.chip.effects),
                "time": self.chip.effects.time,
                "seed": self.target.seed,
                "arrays": plan.arrays,
                "chips": plan.chips,
                "blocks": len(plan.blocks),
            },
        }

    def report(self) -> CrossbarReport:  # type: ignore[override]
        """Arrays, tiles and chips; after a run also counts, energy and time."""
        from .results.report import make_report

        return make_report(
            self.target, self.network.name, self.lowered, self.plan, self.chip, self.chip.effects, self.counts,
            self.steps, dict(self._seconds),
        )  # fmt: skip

    def source(self) -> str:
        """The generated code: a kernel for each population, and one for each kind of linear matrix."""
        kernels = {k.source: k.title for k in (*self.compiled.steps, *self.deployed.kernels)}
        return "\n\n".join(f"# --- {title}\n{source}" for source, title in kernels.items())

    def __repr__(self) -> str:
        return f"<CrossbarProgram {self.network.name}: {self.plan.arrays} arrays, at step {self.step}>"
