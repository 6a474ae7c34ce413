"""What a mapped network takes, and what a run of it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.report import html_table, size, text_table
from neuromorph.lowering.program import LoweredNetwork

from .energy import CAUSES, Energy, Totals, account
from .instance import Deployed
from .layout import REGIONS
from .ledger import LEVELS, PHASES, Ledger
from .published import Comparison, compare

if TYPE_CHECKING:
    from .map import Mapping as Mapped
    from .target import SpiNNaker2

Table = tuple[str, tuple[str, ...], Sequence[tuple[str, ...]]]
EXACT, MODEL, ASSUMED = "exact count", "model", "model with assumed constants"


@dataclass(frozen=True, eq=False, repr=False)
class SpiNNaker2Report:
    """Numbers of a program on SpiNNaker2; printed in a terminal, tables in a notebook.

    Attributes
    ----------
    target, network : str
    mapping : map.Mapping
    deployed : Deployed
    totals : Totals or None
        Counts of the run; None before the first step.
    energy : Energy or None
    series : dict of str to float64 (steps,)
        Per step; see :attr:`SpiNNaker2Program.series`.
    ledgers : tuple of Ledger
        Load over time and the worst steps in detail.
    samples : int
        Samples of the batch, 0 if it was no batch.
    seconds : dict of str to float
        Wall time of each stage on this computer.
    """

    target: str
    network: str
    deployed: Deployed
    totals: Totals | None
    energy: Energy | None
    series: dict[str, npt.NDArray[np.float64]]
    ledgers: tuple[Ledger, ...]
    samples: int
    seconds: dict[str, float]

    @property
    def mapping(self) -> Mapped:
        """Partition, placement, routes, memory."""
        return self.deployed.mapping

    @property
    def lowered(self) -> LoweredNetwork:
        """The network that was mapped."""
        return self.mapping.lowered

    @property
    def neurons(self) -> int:
        """Neurons of the network."""
        return len(self.mapping.part)

    @property
    def synapses(self) -> int:
        """Synapses of the network."""
        return sum(s.count for s in self.lowered.projections)

    @property
    def pes(self) -> int:
        """PEs that hold neurons."""
        return self.mapping.parts

    @property
    def chips(self) -> int:
        """Chips of the machine."""
        return self.mapping.machine.chips

    @property
    def bytes(self) -> npt.NDArray[np.int64]:
        """Bytes of each PE in use, int64 (parts,)."""
        return self.mapping.bytes

    @property
    def table_entries(self) -> npt.NDArray[np.int64]:
        """Entries of each chip's multicast table after minimisation."""
        return self.mapping.routing.entries

    @property
    def sent(self) -> int:
        """Packet copies sent to PEs in the run: those delivered and those dropped."""
        t = self._run()
        return int((t.groups[: self.mapping.routing.keys.n_groups] * np.diff(self.mapping.routing.keys.ptr)).sum())

    @property
    def delivered(self) -> int:
        """Packet copies that PEs took from their FIFOs."""
        return int(self._run().received.sum())

    @property
    def dropped(self) -> int:
        """Packet copies that full FIFOs dropped."""
        return int(self._run().dropped.sum())

    @property
    def packets(self) -> int:
        """Packets that neurons sent."""
        return int(self._run().spikes.sum())

    @property
    def synaptic_events(self) -> int:
        """Synapses applied."""
        return int(self._run().synapses.sum())

    @property
    def time(self) -> float:
        """Seconds on the machine."""
        return self._run().seconds

    @property
    def power(self) -> float:
        """Mean power of the machine in watts."""
        assert self.energy is not None
        return self.energy.total / self.time if self.time else 0.0

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The run beside published figures of the chip."""
        return compare(self)

    def _run(self) -> Totals:
        if self.totals is None:
            from neuromorph.errors import TargetError

            raise TargetError(f"{self.network} has not run yet: the report holds the mapping only")
        return self.totals

    def hot_spots(self, count: int = 5) -> list[tuple[str, int, float]]:
        """The busiest PEs: where, neurons, and mean cycles a step."""
        t = self._run()
        cycles = t.cycles.sum((0, 1)) / max(t.steps, 1)
        held = self.mapping.held.sum(0)
        return [(self.mapping.pe_name(int(p)), int(held[p]), float(cycles[p])) for p in np.argsort(-cycles)[:count]]

    def busy_links(self, count: int = 5) -> list[tuple[str, int]]:
        """The places of the network that most packets passed: name and packets."""
        load = sum((ledger["link_bins"].sum(0) for ledger in self.ledgers), np.zeros(1, np.int64))
        links = self.deployed.costs.links
        order = np.argsort(-load[: len(links)], kind="stable")[:count]
        return [(self.mapping.machine.link_name(int(links[k])), int(load[k])) for k in order if load[k]]

    def arrays(self) -> dict[str, Any]:
        """The run's sums as arrays, as a trace keeps them below ``costs``."""
        if self.totals is None or self.energy is None or not self.ledgers:
            return {}
        t, ledger = self.totals, self.ledgers[0]
        kept = ledger["worst_time"] > 0
        return {
            "cycles": t.cycles,
            "spikes": t.spikes,
            "received": t.received,
            "dropped": t.dropped,
            "synapses": t.synapses,
            "energy_by_pe": self.energy.by_pe,
            "part_bins": ledger["part_bins"],
            "link_bins": ledger["link_bins"],
            "steps_per_bin": int(ledger["cells"][2]),
            "links": self.deployed.costs.links,
            "worst_step": ledger["worst_step"][kept],
            "worst_time": ledger["worst_time"][kept],
            "worst_work": ledger["worst_work"][kept],
            "worst_links": ledger["worst_links"][kept],
        }

    def _summary(self) -> str:
        m = self.mapping
        stages = ", ".join(f"{name} {value:.3g} s" for name, value in (self.seconds | m.seconds).items())
        return (
            f"{self.network} on {self.target}: {self.neurons:,} neurons and {self.synapses:,} synapses on {self.pes:,} "
            f"PEs of {self.chips} chip{'s' if self.chips > 1 else ''}; this computer: {stages}"
        )

    def _tables(self) -> list[Table]:
        tables = [self._mapping_table(), self._memory_table(), self._storage_table()]
        if self.totals is not None and self.totals.steps:
            tables += [self._run_table(), self._energy_table(), self._population_table(), self._hot_table()]
            tables.append(self._comparison_table())
        return tables

    def _mapping_table(self) -> Table:
        m = self.mapping
        keys = m.routing.keys
        share = keys.extra / keys.copies if keys.copies else 0.0
        rows = [
            ("partition", f"{m.method}: {m.copies_per_spike:.3g} other PEs reached by each event", EXACT),
            (
                "fullest PE",
                f"{int(m.bytes.max()):,} of {m.layout.sram:,} B ({m.pe_name(int(m.bytes.argmax()))})",
                EXACT,
            ),
            ("neurons a PE", f"{int(m.held.sum(0).max())} at most, limit {m.layout.neurons_per_pe}", EXACT),
            (
                "key groups",
                f"{keys.n_groups:,} of {m.routing.exact_groups:,} exact; {share:.2%} needless copies",
                EXACT,
            ),
            (
                "router tables",
                f"{int(self.table_entries.max(initial=0)):,} of {m.machine.router_entries:,} entries on the fullest "
                f"chip ({int(m.routing.raw_entries.max(initial=0)):,} before minimisation)",
                EXACT,
            ),
            ("routes", f"{m.check.packets:,} keys walked, {m.check.deliveries:,} deliveries, all as required", EXACT),
        ]
        return "Mapping", ("", "", "kind"), [*rows, *self._forecast_rows()]

    def _forecast_rows(self) -> list[tuple[str, str, str]]:
        costs, c = self.deployed.costs, self.mapping.machine.constants
        slowest = int(costs.update.max())
        high = c.si("level.high.clock")
        return [
            ("forecast: silent step", f"{slowest:,} cycles on the busiest PE, {slowest / high * 1e6:.3g} us", MODEL),
            (
                "forecast: every neuron fires",
                f"{self._full_step() / high * 1e3:.3g} ms on the busiest PE against a tick of "
                f"{self.deployed.clock.tick * 1e3:g} ms",
                MODEL,
            ),
        ]

    def _full_step(self) -> float:
        """Cycles of the busiest PE in a step in which every neuron sends."""
        costs, keys, c = self.deployed.costs, self.mapping.routing.keys, self.mapping.machine.constants
        parts = self.mapping.parts
        members = np.bincount(keys.group[keys.group >= 0], minlength=keys.n_groups)
        heard = np.bincount(keys.parts, weights=np.repeat(members, np.diff(keys.ptr)), minlength=parts)
        sends = np.bincount(keys.source, weights=members, minlength=parts) * c.count("cycles.packet_send")
        return float((costs.update + sends + heard * costs.service).max())

    def _memory_table(self) -> Table:
        regions = self.mapping.regions
        full = regions[int(regions.sum(1).argmax())]
        rows = [
            (name, f"{int(regions[:, k].mean()):,}", f"{int(regions[:, k].max()):,}", f"{int(full[k]):,}")
            for k, name in enumerate(REGIONS)
            if regions[:, k].any()
        ]
        rows.append(("sum", f"{int(self.bytes.mean()):,}", f"{int(self.bytes.max()):,}", f"{int(full.sum()):,}"))
        return "Memory of a PE by region (bytes)", ("region", "mean", "largest", "on the fullest PE"), rows

    def _storage_table(self) -> Table:
        m = self.mapping
        rows = []
        for s in self.lowered.projections:
            form, look = m.layout.projections[s.index], m.layout.sources[s.pre]
            weight = f"{form.weight_bytes} B weights" if form.weight_bytes else "one weight"
            kind = {"dense": "dense rows", "sparse": "sparse rows", "kernel": "rows regenerated from kernels"}[
                form.kind
            ]
            rows.append(
                (
                    s.name,
                    f"{s.count:,}",
                    f"{kind}, {weight}",
                    f"{form.word_bytes} B",
                    f"{look.mode}, {look.entry_bytes} B",
                )
            )
        return "Synapses", ("projection", "synapses", "storage", "each", "look-up of a source"), rows

    def _run_table(self) -> Table:
        t, clock = self._run(), self.deployed.clock
        longest = float(self.series["time"].max(initial=0))
        cycles = t.cycles.sum((0, 2))
        work = ", ".join(
            f"{name} {share:.0%}" for name, share in zip(PHASES, cycles / max(cycles.sum(), 1), strict=True)
        )
        used = t.cycles.sum((1, 2))
        levels = ", ".join(f"{name} {u / max(used.sum(), 1):.0%}" for name, u in zip(LEVELS, used, strict=True))
        late = int(t.late_steps.sum())
        rows = [
            ("steps", f"{t.steps:,}", EXACT),
            ("time on the machine", seconds(t.seconds), MODEL),
            ("a step", f"{seconds(t.seconds / t.steps)} on average, {seconds(longest)} at most", MODEL),
            (
                f"against the tick of {seconds(clock.tick)}",
                f"{late:,} PE-steps longer, on {int((t.late_steps > 0).sum())} PEs"
                + (" (steps start anyway: late PEs catch up)" if clock.ticked else " (the barrier waits)"),
                MODEL,
            ),
            ("cycles", f"{int(cycles.sum()):,}: {work}; level {levels}", MODEL),
            (
                "packets",
                f"{self.packets:,} sent, {self.sent:,} copies: {self.delivered:,} delivered, {self.dropped:,} dropped",
                EXACT,
            ),
            (
                "event FIFOs",
                f"{int(t.crowded.sum()):,} PE-steps brought more than {self.mapping.layout.options.fifo} packets: "
                + ("full FIFOs drop" if clock.dropping else "full FIFOs stall the network"),
                EXACT,
            ),
            ("synaptic events", f"{self.synaptic_events:,}", EXACT),
            ("energy", f"{joules(self.energy.total if self.energy else 0)}, {self.power:.3g} W", ASSUMED),
        ]  # fmt: skip
        if self.samples:
            rows.append((f"each of {self.samples:,} samples", ", ".join(self._per_sample().values()), MODEL))
        return "Run", ("", "", "kind"), rows

    def _per_sample(self) -> dict[str, str]:
        t, n = self._run(), max(self.samples, 1)
        assert self.energy is not None
        return {
            "time": seconds(t.seconds / n),
            "energy": joules(self.energy.total / n),
            "packets": f"{self.packets / n:.4g} packets",
            "events": f"{self.synaptic_events / n:.4g} synaptic events",
        }

    def per_sample_lines(self) -> tuple[str, ...]:
        """Processing elements and memory, and time and energy of one sample of the batch, one line each."""
        of = self._per_sample()
        used = int(self.bytes.max())
        return (
            f"PEs               {self.pes} of {self.chips} chip{'s' if self.chips > 1 else ''}",
            f"memory            {used:,} bytes on the fullest PE, {int(self.bytes.sum()):,} in all",
            f"time              {of['time']} on the machine for each sample",
            f"energy            {of['energy']} for each sample",
            f"traffic           {of['packets']} and {of['events']} for each sample",
        )

    def _energy_table(self) -> Table:
        energy = self.energy
        assert energy is not None
        total = energy.total or 1.0
        status = _status(self)
        rows = [(name, joules(value), f"{value / total:.1%}", status[name]) for name, value in energy.by_cause.items()]
        return "Energy by cause", ("cause", "energy", "share", "constants"), rows

    def _population_table(self) -> Table:
        energy, t = self.energy, self._run()
        assert energy is not None
        rows = [
            (p.name, f"{p.size:,}", f"{int((self.mapping.held[k] > 0).sum()):,}", f"{int(t.spikes[k].sum()):,}",
             joules(energy.by_population[p.name]))
            for k, p in enumerate(self.lowered.populations)
        ]  # fmt: skip
        rows += [
            (f"  {s.name}", f"{s.count:,} synapses", "", f"{int(t.synapses[s.index].sum()):,} events",
             f"({joules(energy.by_projection[s.name])})")
            for s in self.lowered.projections
        ]  # fmt: skip
        return (
            "Energy by population, and within it by incoming projection",
            ("name", "size", "PEs", "packets", "energy"),
            rows,
        )

    def _hot_table(self) -> Table:
        rows = [(name, f"{held:,} neurons", f"{cycles:,.0f} cycles a step") for name, held, cycles in self.hot_spots()]
        rows += [(name, "", f"{count:,} packets") for name, count in self.busy_links()]
        return "Hot spots", ("where", "", "load"), rows

    def _comparison_table(self) -> Table:
        rows = [(c.quantity, c.shown(c.value), c.published, c.verdict, c.source) for c in self.comparisons]
        return "Beside published figures", ("quantity", "here", "published", "difference", "source"), rows

    def __str__(self) -> str:
        parts = [self._summary()]
        for title, head, rows in self._tables():
            parts += ["", title, text_table(head, rows)]
        return "\n".join(parts)

    def __repr__(self) -> str:
        return f"<SpiNNaker2Report of {self.network}: {self._summary()}>"

    def _repr_html_(self) -> str:
        parts = [f"<p>{escape(self._summary())}</p>"]
        for title, head, rows in self._tables():
            more = f"<p>and {len(rows) - 50} more</p>" if len(rows) > 50 else ""
            parts.append(f"<b>{escape(title)}</b>{html_table(head, rows[:50])}{more}")
        return "".join(parts)


def _status(report: SpiNNaker2Report) -> dict[str, str]:
    """How sure the constants behind each cause of energy are."""
    c = report.mapping.machine.constants
    names = {
        "core": ("level.high.energy_per_cycle", "cycles.synaptic_event"),
        "sleep": ("level.low.pe_asleep",),
        "noc": ("energy.noc_bit_hop", "energy.router_bit"),
        "links": ("energy.board_link_bit", "power.long_link"),
        "dram": ("energy.dram_bit",),
        "chip base": ("power.chip_base",),
    }
    return {cause: ", ".join(sorted({c[name].status for name in names[cause]})) for cause in CAUSES}


def seconds(value: float) -> str:
    """A time for people."""
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if value >= scale:
            return f"{value / scale:.4g} {unit}"
    return f"{value * 1e9:.3g} ns"


def joules(value: float) -> str:
    """An energy for people."""
    for scale, unit in ((1.0, "J"), (1e-3, "mJ"), (1e-6, "uJ"), (1e-9, "nJ")):
        if value >= scale:
            return f"{value / scale:.4g} {unit}"
    return f"{value * 1e12:.3g} pJ"


def make_report(
    target: SpiNNaker2,
    network: str,
    deployed: Deployed,
    ledgers: Sequence[Ledger],
    series: dict[str, npt.NDArray[np.float64]],
    samples: int,
    stages: dict[str, float],
) -> SpiNNaker2Report:
    """The report of what the ledgers hold; of the mapping alone if nothing has run."""
    totals = Totals.of(ledgers) if ledgers else None
    if totals is not None and totals.steps == 0:
        totals = None
    energy = account(deployed, totals) if totals is not None else None
    return SpiNNaker2Report(
        target=repr(target),
        network=network,
        deployed=deployed,
        totals=totals,
        energy=energy,
        series=series,
        ledgers=tuple(ledgers),
        samples=samples,
        seconds=stages,
    )


__all__ = ["SpiNNaker2Report", "joules", "make_report", "seconds", "size"]
