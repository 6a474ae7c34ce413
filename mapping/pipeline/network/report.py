"""What a network takes as a pipeline, and what both of its schedules need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neuromorph.engine.tables import Table, as_html, as_rich, as_text

from ...readable import joules, many, percent, seconds
from ..actions import Energy
from ..buffers import buffers
from .schedules import Figures, Schedule

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions


@dataclass(frozen=True, eq=False, repr=False)
class NetworkReport:
    """Numbers of a program on a pipeline; printed in a terminal, tables in a notebook.

    Attributes
    ----------
    target, network : str
    schedule : Schedule
        Both schedules.
    events : mapping of population to int
        Of the run; empty before one, and after a batch.
    samples : int
        Samples of the batch, 0 if it was no batch.
    overlapped : int
        Steps of later levels that were made while the first level made another one.
    seconds : mapping of str to float
        Wall time of each stage on this computer.
    """

    target: str
    network: str
    schedule: Schedule
    events: Mapping[str, int]
    samples: int
    overlapped: int
    seconds: Mapping[str, float]

    @property
    def pipelined(self) -> Figures:
        """The pipelined schedule."""
        return self.schedule.pipelined

    @property
    def step_by_step(self) -> Figures:
        """One layer after the other."""
        return self.schedule.step_by_step

    @property
    def energy(self) -> Energy | None:
        """What a step takes pipelined; None if there are no prices for the board."""
        return None if self.schedule.energies is None else self.schedule.energies[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "target": self.target,
            **self.schedule.to_dict(),
            "events": dict(self.events),
            "samples": self.samples,
            "weight_bits": {each.name: each.stored_bits for each in self.schedule.design.products},
            "resources": self.schedule.plan.resources.to_dict()["all"],
            "energy": None
            if self.schedule.energies is None
            else dict(zip(("pipelined", "step_by_step"), (e.to_dict() for e in self.schedule.energies), strict=True)),
        }

    def __str__(self) -> str:
        return as_text(self._summary(), self._tables())

    def __repr__(self) -> str:
        return f"<NetworkReport of {self.network}: a step every {self.pipelined.interval:,.10g} cycles>"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        """Tables that fit the width of the terminal."""
        return as_rich(self._summary(), self._tables())

    def _repr_html_(self) -> str:
        return as_html(self._summary(), self._tables())

    def _summary(self) -> str:
        found = self.schedule
        design, clock = found.design, found.plan.board.clock
        lines = [
            f"{self.network} on {self.target}: {many(len(found.graph.stages), 'stage')}, "
            f"{many(len(found.graph.fifos), 'FIFO')}, {many(design.order.depth, 'level')}"
        ]
        if found.steps:
            of = f" of {many(self.samples, 'sample')}" if self.samples else ""
            lines.append(
                f"  {many(found.steps, 'step')}{of}: {self.pipelined.cycles:,.10g} cycles pipelined, "
                f"{seconds(self.pipelined.cycles / clock)} at {clock / 1e6:g} MHz"
            )
        if self.events:
            lines.append(f"  {many(sum(self.events.values()), 'event')}; run in the pipeline's order")
        if found.products == "stream":
            known = found.bound
            loop = f"; the slowest loop needs {float(known.loop):,.10g}" if known.loop else ""
            lines.append(f"  closed form: {known.slowest} needs {known.stage:,} cycles a step{loop}")
        else:
            lines.append("  products take as long as the events ask for; steps are handed over whole")
        memory = buffers(found.graph)
        lines.append(f"  on chip: weights and parameters {memory.weights:,} bits, all else {memory.activations:,}")
        if self.energy is None:
            lines.append(f"  energy: there are no prices for board {found.plan.board.name}")
        else:
            lines += [f"  {line}" for line in self.energy.summary()]
            if found.steps:
                lines.append(f"    all {many(found.steps, 'step')}: {joules(self.energy.run)}")
        return "\n".join(lines)

    def _tables(self) -> list[Table]:
        spent = self.schedule.energies or (None, None)
        rows = [self._row(*each) for each in zip((self.pipelined, self.step_by_step), spent, strict=True)]
        head = ("schedule", "cycles a step", "steps a second", "first step", "time", "later step", "time", "buffers")
        return [("schedules", (*head, "energy a step", "power"), rows), self._operators(), self._resources()]

    def _row(self, each: Figures, spent: Energy | None) -> tuple[str, ...]:
        clock = self.schedule.plan.board.clock
        return (
            each.name,
            f"{each.interval:,.6g}",
            f"{each.rate:,.0f}",
            f"{each.first:,.6g} cycles",
            seconds(each.first / clock),
            f"{each.latency:,.6g} cycles",
            seconds(each.latency / clock),
            f"{each.buffers:,} bits",
            "-" if spent is None else joules(spent.item),
            "-" if spent is None else f"{spent.power:.3g} W",
        )

    def _operators(self) -> Table:
        found, rows = self.schedule, []
        stored = dict(zip(found.design.names[1], (p.stored_bits for p in found.design.products), strict=True))
        for operator in found.design.operators:
            chosen = found.plan.parallel[operator.name]
            trips = operator.trips(chosen)
            shape = f"{operator.inputs:,}"
            if operator.kind == "matmul":
                places = f"{operator.tokens:,} x " if operator.tokens > 1 else ""
                shape = f"{places}{operator.inputs:,} x {operator.outputs:,}"
            rows.append(
                (
                    operator.name,
                    operator.kind,
                    shape,
                    f"{chosen.tokens} x {chosen.inputs} x {chosen.outputs}",
                    f"{trips:,}",
                    percent(trips, self.pipelined.interval) if found.products == "stream" else "-",
                    f"{stored[operator.name]:,}" if operator.name in stored else "",
                )
            )
        return "operators", ("operator", "kind", "shape", "in a cycle", "cycles", "busy", "weight bits"), rows

    def _resources(self) -> Table:
        total, available = self.schedule.plan.resources.total, self.schedule.plan.resources.available
        rows = [
            (word, f"{pair[0]:,.{digits}f}", f"{pair[1]:,}", percent(*pair))
            for name, word, digits in (
                ("luts", "LUTs", 0),
                ("dsps", "DSPs", 0),
                ("block_rams", "block RAMs", 1),
                ("ultra_rams", "UltraRAMs", 0),
            )
            for pair in [(getattr(total, name), getattr(available, name))]
        ]
        return f"board {self.schedule.plan.board.name}", ("resource", "taken", "there", "share"), rows
