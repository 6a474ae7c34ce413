"""What a network takes on crossbars, what a run of it cost, and how far it is from a digital run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from neuromorph.engine.tables import as_html, as_rich, as_text
from neuromorph.errors import TargetError

from ..costs.area import Area, area
from ..costs.energy import COMPONENTS, Energy, energy
from ..costs.neuron_work import neuron_work
from ..costs.timing import Latency, latency
from ..reads.ledger import ACTIONS
from .changes import Change, changes_of
from .tables import summary, tables

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

    from neuromorph.engine.target import Batch
    from neuromorph.lowering.program import LoweredNetwork
    from neuromorph.trace import Trace

    from ..cells.chip import Chip
    from ..machine.effects import Effects
    from ..plan.plan import Plan
    from ..reads.ledger import Counts, StepCounts
    from ..target import Crossbar

T = TypeVar("T")


@dataclass(frozen=True, eq=False, repr=False)
class CrossbarReport:
    """Numbers of a program on crossbars; printed in a terminal, tables in a notebook.

    Attributes
    ----------
    target, network : str
    lowered : LoweredNetwork
        The network that was mapped.
    plan : Plan
        Matrices, their blocks in arrays, arrays on tiles.
    chip : Chip
        What the cells hold.
    effects : Effects
        Those that are on.
    counts : Counts or None
        Of the run, exact; None before the first step.
    steps : StepCounts or None
        The same by step.
    seconds : dict of str to float
        Wall time of each stage on this computer.
    latency : Latency or None
        Seconds on the chip; None before a run, and for machines without prices.
    energy : Energy or None
        Joules of the run, likewise.
    area : Area or None
        Silicon; None for machines without prices.
    changes : tuple of Change
        How each population differs from a digital run; empty unless :meth:`beside` gave one.
    scores : (float, float) or None
        Of the digital run and of this one.
    """

    target: str
    network: str
    lowered: LoweredNetwork
    plan: Plan
    chip: Chip
    effects: Effects
    counts: Counts | None
    steps: StepCounts | None
    seconds: dict[str, float]
    latency: Latency | None = None
    energy: Energy | None = None
    area: Area | None = None
    changes: tuple[Change, ...] = ()
    scores: tuple[float, float] | None = None

    @property
    def neurons(self) -> int:
        """Neurons of the network."""
        return sum(p.size for p in self.lowered.populations)

    @property
    def synapses(self) -> int:
        """Synapses of the network."""
        return sum(s.count for s in self.lowered.projections)

    @property
    def tiles(self) -> int:
        """Tiles with such arrays."""
        return len(np.unique(self.plan.tile_of_array))

    @property
    def chips(self) -> int:
        """Chips of the machine."""
        return self.plan.chips

    @property
    def utilisation(self) -> npt.NDArray[np.float64]:
        """Share of each array's cells that lie in a block, float64 (arrays,)."""
        return self.plan.utilisation

    @property
    def samples(self) -> int:
        """Samples of the batch, 0 if it was no batch."""
        return 0 if self.counts is None else self.counts.samples

    @property
    def conversions(self) -> int:
        """Conversions of ADCs in the run."""
        return int(self.run_counts().conversions.sum())

    @property
    def saturated(self) -> int:
        """Conversions of the run whose sum was out of range."""
        return int(self.run_counts().saturated.sum())

    @property
    def saturated_by_population(self) -> npt.NDArray[np.int64]:
        """The same by the population that the results went to, int64 (populations,)."""
        post = [m.post for m in self.plan.matrices]
        found = np.zeros(len(self.lowered.populations), np.int64)
        np.add.at(found, post, self.run_counts().saturated)
        return found

    @property
    def time(self) -> float:
        """Seconds that the run takes on the chip.

        Raises
        ------
        TargetError
            If nothing has run, or the machine has no prices.
        """
        return float(self._priced(self.latency).total)

    @property
    def power(self) -> float:
        """Mean power of the chips in watts."""
        return self._priced(self.energy).total / self.time if self.time else 0.0

    def energy_by_matrix(self) -> dict[str, dict[str, float]]:
        """Joules by component of each matrix; then those of each population's digital neurons, and static power."""
        energy = self._priced(self.energy)
        found = {
            name: {part: float(j) for part, j in zip(COMPONENTS, row, strict=True) if j}
            for name, row in zip(energy.matrices, energy.by_matrix, strict=True)
        }
        found |= {f"neurons: {name}": {"neurons": j} for name, j in energy.by_population.items() if j}
        static = energy.by_component["static"]
        return found | ({"static": {"static": static}} if static else {})

    def _priced(self, figures: T | None) -> T:
        if figures is None:
            self.run_counts()
            raise TargetError(
                f"{self.network}: crossbar machine {self.plan.machine.name} has no prices; energy, time and area are "
                "not told; take a real machine, such as isaac"
            )
        return figures

    def run_counts(self) -> Counts:
        """Counts of the run.

        Raises
        ------
        TargetError
            If nothing has run.
        """
        if self.counts is None:
            raise TargetError(f"{self.network} has not run yet: the report holds the mapping only")
        return self.counts

    def beside(
        self, digital: Trace | Batch, found: Trace | Batch, score: Callable[[Any], float] | None = None
    ) -> CrossbarReport:
        """This report with the run beside a digital one of the same data.

        Parameters
        ----------
        digital, found : Trace or Batch
            What the digital program returned, and this one. Batches with traces are compared event by event, others by
            the counts of each sample and neuron.
        score : callable, optional
            What counts, of either: accuracy, for instance.
        """
        scores = None if score is None else (float(score(digital)), float(score(found)))
        return replace(self, changes=changes_of(digital, found), scores=scores)

    def arrays(self) -> dict[str, tuple[Any, dict[str, Any]]]:
        """The run's sums as a trace keeps them below ``costs``: arrays with their unit, axes and column names."""
        if self.counts is None:
            return {}
        c, populations = self.counts, [p.name for p in self.lowered.populations]

        def about(unit: str, *axes: str, columns: Sequence[str] = ()) -> dict[str, Any]:
            return {"unit": unit, "axes": list(axes)} | ({"columns": list(columns)} if columns else {})

        actions = np.stack([getattr(c, name) for name in ACTIONS if name != "conversions"], 1)
        return {
            "saturated": (self.saturated_by_population, about("conversions", "population", columns=populations)),
            "matrices": (
                actions,
                about("counts", "matrix", "action", columns=[name for name in ACTIONS if name != "conversions"])
                | {"matrices": list(c.matrices)},
            ),
            "conversions": (c.conversions, about("conversions", "matrix", "bits") | {"matrices": list(c.matrices)}),
            "code_sum": (c.code_sum, about("S", "matrix", columns=c.matrices)),
            "block_reads": (c.block_reads, about("reads", "block")),
            "block_rows": (c.block_rows, about("row pulses", "block")),
            "block_saturated": (c.block_saturated, about("conversions", "block")),
            **self._cost_arrays(about),
            "neuron_updates": (c.neuron_updates, about("updates", "population", columns=populations)),
        }

    def _cost_arrays(self, about: Callable[..., dict[str, Any]]) -> dict[str, tuple[Any, dict[str, Any]]]:
        energy, latency = self.energy, self.latency
        if energy is None or latency is None:
            return {}
        names = list(energy.matrices)
        populations = energy.by_population
        whole = energy.by_component
        return {
            "energy_by_component": (np.array(list(whole.values())), about("J", "component", columns=list(whole))),
            "energy_by_matrix": (
                energy.by_matrix,
                about("J", "matrix", "component", columns=COMPONENTS) | {"matrices": names},
            ),
            "energy_by_population": (
                np.array(list(populations.values())),
                about("J", "population", columns=list(populations)),
            ),
            "time_by_matrix": (latency.matrices, about("s", "matrix", columns=names)),
            "time": (latency.total, about("s")),
        }

    def __str__(self) -> str:
        return as_text(summary(self), tables(self))

    def __repr__(self) -> str:
        return f"<CrossbarReport of {self.network}: {summary(self)}>"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        """Tables that fit the width of the terminal."""
        return as_rich(summary(self), tables(self))

    def _repr_html_(self) -> str:
        return as_html(summary(self), tables(self))


def make_report(
    target: Crossbar,
    network: str,
    lowered: LoweredNetwork,
    plan: Plan,
    chip: Chip,
    effects: Effects,
    counts: Counts | None,
    steps: StepCounts | None,
    stages: dict[str, float],
) -> CrossbarReport:
    """The report of what the ledgers hold; of the mapping alone if nothing has run (``counts`` None or of no step)."""
    ran = counts is not None and counts.steps > 0
    spent = time = None
    if ran and plan.machine.priced:
        assert counts is not None
        work = neuron_work(lowered)
        time = latency(counts, plan, steps=steps, work=work)
        spent = energy(counts, plan, work=work, seconds=time.total)
    return CrossbarReport(
        target=repr(target),
        network=network,
        lowered=lowered,
        plan=plan,
        chip=chip,
        effects=effects,
        counts=counts if ran else None,
        steps=steps if ran else None,
        seconds=stages,
        latency=time,
        energy=spent,
        area=area(plan) if plan.machine.priced else None,
    )
