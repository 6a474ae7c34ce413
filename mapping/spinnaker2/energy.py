"""Where the energy goes: by cause, by PE, by population and by projection, from the counts of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.program import EventTable

from ..machine import LONG_LINK
from .costs import neuron_cycles, synapse_cycles
from .instance import Deployed
from .layout import REPLAYED_EVENT, offsets
from .ledger import LEVELS, PHASES, Ledger

Floats = npt.NDArray[np.float64]

CAUSES = ("core", "sleep", "noc", "links", "dram", "chip base")
"""core: busy PEs; sleep: PEs that wait; noc: NoC hops and event routers; links: chip links; dram: recordings,
replayed events and tables; chip base: what a chip draws with all PEs off."""


@dataclass(frozen=True)
class Totals:
    """Counts of all ledgers of a run together; fields as in :data:`.ledger.ARRAYS`.

    Attributes
    ----------
    steps : int
    seconds : float
        Time on the machine until all PEs are done; samples of a batch follow one another.
    behind : float
        Seconds of it after the last tick, in which late PEs finish; 0 with a barrier.
    """

    steps: int
    seconds: float
    behind: float
    cycles: npt.NDArray[np.int64]
    spikes: npt.NDArray[np.int64]
    received: npt.NDArray[np.int64]
    dropped: npt.NDArray[np.int64]
    groups: npt.NDArray[np.int64]
    synapses: npt.NDArray[np.int64]
    late_steps: npt.NDArray[np.int64]
    crowded: npt.NDArray[np.int64]
    active_steps: npt.NDArray[np.int64]

    @classmethod
    def of(cls, ledgers: Sequence[Ledger], decoding: float = 0.0) -> Totals:
        """Add up the ledgers of one run, and the seconds that a decoder adds to it."""

        def total(name: str) -> npt.NDArray[np.int64]:
            return np.asarray(np.sum([ledger[name] for ledger in ledgers], axis=0), np.int64)

        behind = float(sum(ledger["late"].max(initial=0.0) for ledger in ledgers)) * 1e-9
        return cls(
            steps=sum(int(ledger["cells"][1]) for ledger in ledgers),
            seconds=float(sum(ledger["clock"][0] for ledger in ledgers)) * 1e-9 + behind + decoding,
            behind=behind,
            cycles=total("cycles"),
            spikes=total("spikes"),
            received=total("received"),
            dropped=total("dropped"),
            groups=total("g_total"),
            synapses=total("synapses"),
            late_steps=total("late_steps"),
            crowded=total("crowded"),
            active_steps=total("active_steps"),
        )


@dataclass(frozen=True)
class Energy:
    """Joules.

    Attributes
    ----------
    by_cause : dict of str to float
    by_pe : float64 (parts, causes)
    by_population : dict of str to float
        Every cause shared out: work to the population it is done for, packets to the population that sends them, the
        rest of a PE in proportion to the neurons it holds.
    by_projection : dict of str to float
        Receiving packets and applying synapses, which are part of the receiving populations' energy.
    by_phase : dict of str to float
        The core's part by what the PEs did.
    decoder : dict of str to float
        By cause: what a decoder takes of it; empty without one.
    """

    by_cause: dict[str, float]
    by_pe: Floats
    by_population: dict[str, float]
    by_projection: dict[str, float]
    by_phase: dict[str, float]
    decoder: dict[str, float]

    @property
    def total(self) -> float:
        """Joules of everything."""
        return sum(self.by_cause.values())


def account(deployed: Deployed, totals: Totals, decoder: dict[str, float] | None = None) -> Energy:
    """Share out the energy of a run.

    A busy PE draws its level's energy for each cycle, a waiting one its sleep power (at the low level if levels are
    chosen step by step); packets pay for hops, routers and chip links; DRAM for the bytes moved; chips their base power
    for the whole time. PEs without neurons are off, unless they decode.

    Parameters
    ----------
    decoder : dict of str to float, optional
        Joules by cause of a decoder, which is added to the causes, and to no PE, population or projection.
    """
    mapped, costs, extra = deployed.mapping, deployed.costs, decoder or {}
    c, parts = mapped.machine.constants, mapped.parts
    per_cycle = np.array([c.si(f"level.{name}.energy_per_cycle") for name in LEVELS])
    clock = np.array([c.si(f"level.{name}.clock") for name in LEVELS])
    phase = np.einsum("l,lkp->kp", per_cycle, totals.cycles.astype(np.float64))
    busy = np.einsum("l,lkp->p", 1.0 / clock, totals.cycles.astype(np.float64))
    asleep = c.si(f"level.{'high' if deployed.clock.level == 'high' else 'low'}.pe_asleep")
    sleep = asleep * np.maximum(totals.seconds - busy, 0.0)
    source = mapped.routing.keys.source
    packets = totals.groups[: len(source)]
    noc = np.asarray(np.bincount(source, weights=packets * costs.energy_noc, minlength=parts), np.float64)
    links = np.asarray(np.bincount(source, weights=packets * costs.energy_links, minlength=parts), np.float64)
    long = int((mapped.machine.link_kind == LONG_LINK).sum()) * c.si("power.long_link") * totals.seconds
    dram = dram_bytes(deployed, totals) * 8.0 * c.si("energy.dram_bit")
    base = c.si("power.chip_base") * mapped.machine.chips * totals.seconds
    by_pe = np.stack(
        [phase.sum(0), sleep, noc, links + long / max(parts, 1), dram, np.full(parts, base / max(parts, 1))], axis=1
    )
    shares = _Shares(deployed, totals, phase)
    by_population = shares.populations(by_pe, costs.energy_noc + costs.energy_links, noc + links)
    return Energy(
        by_cause={name: float(by_pe[:, k].sum()) + extra.get(name, 0.0) for k, name in enumerate(CAUSES)},
        by_pe=by_pe,
        by_population=by_population,
        by_projection=shares.projections(),
        by_phase={name: float(phase[k].sum()) for k, name in enumerate(PHASES)},
        decoder=extra,
    )


def dram_bytes(deployed: Deployed, totals: Totals) -> Floats:
    """Bytes that each PE moves to or from DRAM: recordings, replayed events, rows of tables."""
    mapped = deployed.mapping
    moved = np.zeros(mapped.parts)
    for k, population in enumerate(mapped.lowered.populations):
        form = mapped.layout.populations[k]
        moved += mapped.held[k] * form.recording * (totals.steps / mapped.layout.options.flush)
        if isinstance(population.replay, EventTable):
            moved += totals.active_steps[k] * mapped.dram.row_bytes[k]
        elif population.replay is not None:
            moved += totals.spikes[k] * REPLAYED_EVENT
    return moved


class _Shares:
    """Proportions in which a PE's energy belongs to populations and projections."""

    def __init__(self, deployed: Deployed, totals: Totals, phase: Floats) -> None:
        self.deployed, self.totals, self.phase = deployed, totals, phase
        mapped = deployed.mapping
        self.lowered = mapped.lowered
        held = mapped.held.astype(np.float64)
        cycles = np.array([neuron_cycles(p, mapped.machine.constants) for p in self.lowered.populations], np.float64)
        self.held = _normal(held, held)
        self.update = _normal(held * cycles[:, None], held)
        self.send = _normal(totals.spikes.astype(np.float64), held)
        layout, constants = mapped.layout, mapped.machine.constants
        each = [synapse_cycles(s, layout, constants) for s in self.lowered.projections]
        work = totals.synapses[: len(each)] * np.array(each, np.float64)[:, None]
        self.synapse = _normal(work, np.ones_like(work)) if len(work) else work

    def populations(self, by_pe: Floats, flow: Floats, moved: Floats) -> dict[str, float]:
        phase = dict(zip(PHASES, self.phase, strict=True))
        work = self._work(phase)
        own = self.update * (phase["update"] + phase["record"] + phase["dma"]) + self.send * phase["send"]
        own += self.held * (by_pe[:, 1:].sum(1) - moved)
        if len(self.synapse):
            for s in self.lowered.projections:
                own[s.post] += self.synapse[s.index] * work
        else:
            own += self.held * work
        total = own.sum(1) + self._packets(flow)
        return {p.name: float(total[k]) for k, p in enumerate(self.lowered.populations)}

    def _packets(self, flow: Floats) -> Floats:
        """Energy of packets by sending population; a group's is shared among its neurons alike."""
        keys, first = self.deployed.mapping.routing.keys, offsets(self.lowered)
        owner = np.repeat(np.arange(len(self.lowered.populations)), np.diff(first))
        sends = keys.group >= 0
        joules = self.totals.groups[: keys.n_groups] * flow
        members = np.bincount(keys.group[sends], minlength=keys.n_groups)
        each = joules / np.maximum(members, 1)
        count = len(self.lowered.populations)
        return np.asarray(np.bincount(owner[sends], weights=each[keys.group[sends]], minlength=count), np.float64)

    @staticmethod
    def _work(phase: dict[str, Floats]) -> Floats:
        """Joules of each PE for packets that arrive and their synapses, which may change."""
        return phase["receive"] + phase["input"] + phase["recurrent"] + phase["plasticity"]

    def projections(self) -> dict[str, float]:
        work = self._work(dict(zip(PHASES, self.phase, strict=True)))
        return {s.name: float((self.synapse[s.index] * work).sum()) for s in self.lowered.projections}


def _normal(weights: Floats, fallback: Floats) -> Floats:
    """Columns scaled to sum 1; a column of zeros takes the fallback's proportions."""
    total = weights.sum(0)
    chosen = np.where(total > 0, weights, fallback)
    return np.asarray(chosen / np.maximum(chosen.sum(0), 1e-300))
