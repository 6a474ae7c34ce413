"""What a mapped network takes, and what a run of it cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.tables import as_html, as_rich, as_text
from neuromorph.lowering.program import LoweredNetwork

from .decoder import Decoder
from .decoder_costs import DecoderCost, decoder_cost
from .energy import CAUSES, Energy, Totals, account
from .instance import Deployed
from .ledger import PHASES, Ledger
from .pipeline import lags
from .plastic.footprints import synapse_count
from .published import Comparison, compare
from .tables import per_sample_lines, summary, tables
from .tokens import Tokens, decoder_joules, make_tokens, step_times

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

    from .map import Mapping as Mapped
    from .target import SpiNNaker2


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
    series, layers : dict of str to arrays (steps,) and (steps, populations)
        Per step; see :attr:`SpiNNaker2Program.series` and :attr:`SpiNNaker2Program.layers`.
    decoder : DecoderCost or None
        Of each step.
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
    layers: dict[str, npt.NDArray[np.int32]]
    decoder: DecoderCost | None
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
        return synapse_count(self.lowered)

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
        t = self.run()
        return int((t.groups[: self.mapping.routing.keys.n_groups] * np.diff(self.mapping.routing.keys.ptr)).sum())

    @property
    def delivered(self) -> int:
        """Packet copies that PEs took from their FIFOs."""
        return int(self.run().received.sum())

    @property
    def dropped(self) -> int:
        """Packet copies that full FIFOs dropped."""
        return int(self.run().dropped.sum())

    @property
    def packets(self) -> int:
        """Packets that neurons sent: events, and values for synapses that look at them."""
        return int(self.run().spikes.sum()) + self.values

    @property
    def values(self) -> int:
        """Packets with values of neurons that synapses look at: in every step."""
        return self.run().steps * int(self.deployed.costs.words.sum())

    @property
    def synaptic_events(self) -> int:
        """Synapses applied."""
        return int(self.run().synapses.sum())

    @property
    def time(self) -> float:
        """Seconds on the machine."""
        return self.run().seconds

    @property
    def power(self) -> float:
        """Mean power of the machine in watts."""
        assert self.energy is not None
        return self.energy.total / self.time if self.time else 0.0

    @property
    def step_times(self) -> npt.NDArray[np.float64]:
        """Seconds of each step, a decoder's part included."""
        placed = self.mapping.decoder
        return step_times(self.series["time"], self.decoder, "" if placed is None else placed.overlap)

    @cached_property
    def tokens(self) -> Tokens | None:
        """Costs of each token: of each step of a pipeline, once the last layer answers. None before there is one."""
        if self.totals is None:
            return None
        return make_tokens(self.deployed, self.totals, self.series, self.layers, self.decoder)

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The run beside published figures of the chip."""
        return compare(self)

    def run(self) -> Totals:
        """Counts of the run.

        Raises
        ------
        TargetError
            If nothing has run.
        """
        if self.totals is None:
            from neuromorph.errors import TargetError

            raise TargetError(f"{self.network} has not run yet: the report holds the mapping only")
        return self.totals

    def hot_spots(self, count: int = 5) -> list[tuple[str, int, float]]:
        """The busiest PEs: where, neurons, and mean cycles a step."""
        t = self.run()
        cycles = t.cycles.sum((0, 1)) / max(t.steps, 1)
        held = self.mapping.held.sum(0)
        return [(self.mapping.pe_name(int(p)), int(held[p]), float(cycles[p])) for p in np.argsort(-cycles)[:count]]

    def busy_links(self, count: int = 5) -> list[tuple[str, int]]:
        """The places of the network that most packets passed: name and packets."""
        load = sum((ledger["link_bins"].sum(0) for ledger in self.ledgers), np.zeros(1, np.int64))
        links = self.deployed.costs.links
        order = np.argsort(-load[: len(links)], kind="stable")[:count]
        return [(self.mapping.machine.link_name(int(links[k])), int(load[k])) for k in order if load[k]]

    def arrays(self) -> dict[str, tuple[Any, dict[str, Any]]]:
        """The run's sums as a trace keeps them below ``costs``: arrays with their unit, axes and column names."""
        if self.totals is None or self.energy is None or not self.ledgers:
            return {}
        t, ledger = self.totals, self.ledgers[0]
        kept = ledger["worst_time"] > 0
        energy, names = self.energy, [s.name for s in self.lowered.projections]
        populations = [p.name for p in self.lowered.populations]

        def about(unit: str, *axes: str, columns: Sequence[str] = ()) -> dict[str, Any]:
            return {"unit": unit, "axes": list(axes)} | ({"columns": list(columns)} if columns else {})

        def shared(joules: dict[str, float], axis: str) -> tuple[Any, dict[str, Any]]:
            return np.array(list(joules.values())), about("J", axis, columns=list(joules))

        return {
            "cycles": (t.cycles, about("cycles", "level", "phase", "part", columns=PHASES)),
            "spikes": (t.spikes, about("packets", "population", "part", columns=populations)),
            "received": (t.received, about("packets", "part")),
            "dropped": (t.dropped, about("packets", "part")),
            "synapses": (t.synapses, about("synaptic events", "projection", "part", columns=names)),
            "energy_by_pe": (energy.by_pe, about("J", "part", "cause", columns=CAUSES)),
            "energy_by_population": shared(energy.by_population, "population"),
            "energy_by_projection": shared(energy.by_projection, "projection"),
            "energy_by_phase": shared(energy.by_phase, "phase"),
            "part_bins": (ledger["part_bins"], about("cycles", "bin", "part")),
            "link_bins": (ledger["link_bins"], about("packets", "bin", "link")),
            "steps_per_bin": (int(ledger["cells"][2]), about("steps")),
            "links": (self.deployed.costs.links, about("link id", "link")),
            **self._token_arrays(about),
            "worst_step": (ledger["worst_step"][kept], about("step", "worst")),
            "worst_time": (ledger["worst_time"][kept], about("ns", "worst")),
            "worst_work": (ledger["worst_work"][kept], about("cycles", "worst", "phase", "part", columns=PHASES)),
            "worst_links": (ledger["worst_links"][kept], about("packets", "worst", "link")),
        }

    def _token_arrays(self, about: Callable[..., dict[str, Any]]) -> dict[str, tuple[Any, dict[str, Any]]]:
        tokens = self.tokens
        if tokens is None:
            return {}

        def joined(columns: Mapping[str, Any], unit: str, axis: str) -> tuple[Any, dict[str, Any]]:
            return np.stack(list(columns.values()), 1), about(unit, "token", axis, columns=list(columns))

        return {
            "token_time": (tokens.time, about("s", "token")),
            "token_latency": (tokens.latency, about("s", "token")),
            "token_energy": (tokens.energy, about("J", "token")),
            "token_spent": joined(tokens.spent, "s", "cause"),
            "token_cycles": joined(tokens.cycles, "cycles", "phase"),
            "token_copies": (tokens.copies, about("packets", "token")),
            "token_events": joined(tokens.events, "events", "population"),
            "token_packets": joined(tokens.packets, "packets", "population"),
            "token_input_events": joined(tokens.input_events, "synaptic events", "population"),
            "token_recurrent_events": joined(tokens.recurrent_events, "synaptic events", "population"),
        }

    def per_sample_lines(self) -> tuple[str, ...]:
        """Processing elements and memory, and time and energy of one sample of the batch, one line each."""
        return per_sample_lines(self)

    def __str__(self) -> str:
        return as_text(summary(self), tables(self))

    def __repr__(self) -> str:
        return f"<SpiNNaker2Report of {self.network}: {summary(self)}>"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        """Tables that fit the width of the terminal."""
        return as_rich(summary(self), tables(self))

    def _repr_html_(self) -> str:
        return as_html(summary(self), tables(self))


def make_report(
    target: SpiNNaker2,
    network: str,
    deployed: Deployed,
    ledgers: Sequence[Ledger],
    series: dict[str, npt.NDArray[np.float64]],
    layers: dict[str, npt.NDArray[np.int32]],
    samples: int,
    stages: dict[str, float],
) -> SpiNNaker2Report:
    """The report of what the ledgers hold; of the mapping alone if nothing has run."""
    totals = Totals.of(ledgers) if ledgers else None
    if totals is not None and totals.steps == 0:
        totals = None
    decoder, joules = None, None
    if totals is not None and target.decoder is not None:
        decoder = _decoder_cost(target.decoder, deployed, series, layers)
        time = step_times(series["time"], decoder, target.decoder.overlap)
        totals = Totals.of(ledgers, float((time - series["time"]).sum()))
        joules = {cause: float(each.sum()) for cause, each in decoder_joules(deployed, decoder, time).items()}
    energy = account(deployed, totals, joules) if totals is not None else None
    return SpiNNaker2Report(
        target=repr(target),
        network=network,
        deployed=deployed,
        totals=totals,
        energy=energy,
        series=series,
        layers=layers,
        decoder=decoder,
        ledgers=tuple(ledgers),
        samples=samples,
        seconds=stages,
    )


def _decoder_cost(
    decoder: Decoder,
    deployed: Deployed,
    series: Mapping[str, npt.NDArray[np.float64]],
    layers: Mapping[str, npt.NDArray[np.int32]],
) -> DecoderCost:
    mapped = deployed.mapping
    assert mapped.decoder is not None
    names = [p.name for p in mapped.lowered.populations]
    k = names.index(decoder.population)
    answers = series["step"] >= lags(mapped.lowered)[k]
    fired = layers["events"][:, k].astype(np.int64)
    return decoder_cost(decoder, mapped.decoder, mapped.machine, mapped.dram, deployed.clock.level, fired, answers)
