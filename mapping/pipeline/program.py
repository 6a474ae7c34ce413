"""A network compiled as a pipeline: runs, batches, schedules, and what the report tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.cpu import CPUProgram
from neuromorph.engine.inputs import SampleInputs
from neuromorph.engine.instance import Instance
from neuromorph.engine.schedule import Compiled
from neuromorph.engine.target import Batch
from neuromorph.lowering.program import LoweredNetwork
from neuromorph.progress import Progress

from .network.schedules import Schedule
from .network.sequence import SequenceInstance, Watched, sequence_kernel
from .network.steps import event_work

if TYPE_CHECKING:
    from neuromorph.network import Network
    from neuromorph.trace import Sink
    from neuromorph.units import Quantity

    from .network.plan import Plan
    from .network.report import NetworkReport
    from .target import Pipeline


class PipelineProgram(CPUProgram):
    """A network as a pipeline; see :class:`neuromorph.engine.target.Program`.

    Populations are run in the order of the pipeline: while those without inputs make a step, each further level makes
    an earlier one. A run's trace holds its cycles below ``costs``.

    Attributes
    ----------
    plan : Plan
        Operators and their parallelism, stages and FIFOs, and what they take of the board.
    """

    target: Pipeline  # type: ignore[assignment]

    def __init__(
        self,
        target: Pipeline,
        network: Network,
        lowered: LoweredNetwork,
        compiled: Compiled,
        plan: Plan,
        seconds: Mapping[str, float],
    ) -> None:
        self.plan = plan
        design, parallel = plan.design, plan.parallel
        self._samples = 0
        self._batch_steps = 0
        series = target.products == "events"
        self._watched = Watched(
            tuple(
                tuple(event_work(design, parallel, k) for k, each in enumerate(design.products) if each.pre == pre)
                for pre in range(len(design.neurons))
            ),
            series,
        )
        super().__init__(target, network, lowered, compiled, seconds)  # type: ignore[arg-type]

    def instance(self, compiled: Compiled, threads: int | None) -> Instance:
        """A running copy of the network, whose levels make different steps at a time."""
        return SequenceInstance(compiled, self.plan.design.order, self._watched)

    @property
    def current(self) -> SequenceInstance:
        """The running copy that :meth:`run` goes on with."""
        instance = self._instance
        assert isinstance(instance, SequenceInstance)
        return instance

    def schedule(self) -> Schedule:
        """Stages, closed forms and simulated times: the pipelined schedule, and the step-by-step one.

        With ``products="events"`` times are those of the run since the last reset, and before one of silence.
        """
        counted = None
        steps = self.current.counted or self._batch_steps
        if self.target.products == "events":
            rows = self.current.series
            counted = self._by_product(np.concatenate(rows)) if rows else None
            steps = 0 if counted is None else len(counted)
        return Schedule(self.plan, self.target.products, steps, counted)

    def _by_product(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Columns of the products from rows of all that was counted."""
        after = [self._watched.first(k) + 1 for k in range(len(self.plan.design.neurons))]
        columns = []
        for each in self.plan.design.products:
            columns.append(after[each.pre])
            after[each.pre] += 1
        return rows[:, columns]

    @property
    def events(self) -> dict[str, int]:
        """Events of every population since the last reset; batches count their own."""
        totals = self.current.totals
        return {each.name: int(totals[self._watched.first(k)]) for k, each in enumerate(self.plan.design.neurons)}

    def before_run(self) -> None:
        """Forget a batch: a run has its own times."""
        self._batch_steps = self._samples = 0

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

        :meth:`report` then tells the time of the batch, where times do not depend on events (``products="stream"``):
        samples follow one another without a gap, as if what sets states back came with a sample's first step.
        """
        batch = super().run_batch(inputs, duration, window=window, progress=progress, out=out)
        self._samples, self._batch_steps = batch.samples, batch.samples * batch.steps
        return batch

    def lanes_refused(self) -> str:
        """Samples keep the order of the pipeline."""
        return "levels of the pipeline make different steps at a time"

    def write_costs(self, sink: Sink, *, done: bool) -> None:
        """At the end of a run its cycles under both schedules."""
        if not done or not self.current.counted:
            return
        found = self.schedule()
        for name, figures in (("pipelined", found.pipelined), ("step_by_step", found.step_by_step)):
            about = {"unit": "cycles", "of": "all steps since the last reset"}
            sink.extra(f"costs/{name}", np.float64(figures.cycles), about)

    def provenance(self) -> dict[str, Any]:
        """What a trace says about where it comes from: board and parallelism besides network and target."""
        board = self.target.on
        return {
            **super().provenance(),
            "machine": {"name": board.name, "constants": board.constants.describe()},
            "pipeline": {
                name: [each.tokens, each.inputs, each.outputs] for name, each in sorted(self.plan.parallel.items())
            },
        }

    def report(self) -> NetworkReport:  # type: ignore[override]
        """Operators, resources, and both schedules side by side; after a run also its events and cycles."""
        from .network.report import NetworkReport

        return NetworkReport(
            repr(self.target),
            self.network.name,
            self.schedule(),
            self.events if self.current.counted else {},
            self._samples,
            int(self.current.tally[0]),
            dict(self._seconds),
        )

    def source(self) -> str:
        """The generated code, and the kernels that keep the order of the pipeline."""
        own: Sequence[Any] = [sequence_kernel("advance")]
        kernels = {k.source: k.title for k in own}
        return "\n\n".join([super().source(), *(f"# --- {title}\n{source}" for source, title in kernels.items())])

    def __repr__(self) -> str:
        return f"<PipelineProgram {self.network.name}: {len(self.plan.graph.stages)} stages, at step {self.step}>"
