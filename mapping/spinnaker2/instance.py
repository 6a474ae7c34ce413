"""A mapped network with its own memory: the CPU engine's populations, the PEs' rows, and a ledger around each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from neuromorph.engine.compile import traffic_of
from neuromorph.engine.instance import Instance, Work
from neuromorph.engine.items import make_item
from neuromorph.engine.memory import Array, Memory, address, allocate
from neuromorph.engine.plastic.tables import join
from neuromorph.engine.schedule import Compiled, Tables, base_tables
from neuromorph.lowering.plastic import PlasticProjection
from neuromorph.lowering.program import LoweredNetwork
from neuromorph.native import Kernel, compile_kernel
from neuromorph.progress import Progress, Silent

from .delivery import ITEM, kind_of, print_rows
from .image import Image
from .layout import offsets
from .ledger import MAX_LATE, Ledger, open_ledger, step_kernel
from .map import Mapping as Mapped
from .network_costs import PacketCosts
from .plastic.costs import PlasticWork
from .plastic.footprints import Footprint
from .plastic.rows import PlasticRows
from .plastic.spread import Spread


@dataclass(frozen=True)
class Clock:
    """How steps follow one another.

    Attributes
    ----------
    ticked : bool
        True: every ``tick``; False: when all PEs are done.
    dropping : bool
        What a full FIFO does: True: it drops; False: it stalls the network until there is room.
    tick : float
        Seconds.
    level : {"low", "high", "auto"}
        Performance level of the PEs.
    """

    ticked: bool
    dropping: bool
    tick: float
    level: str


@dataclass(frozen=True)
class Deployed:
    """What all instances of a mapped network share.

    Attributes
    ----------
    mapping : map.Mapping
    image : Image
    costs : PacketCosts
    clock : Clock
    spreads : tuple of Spread
        Of each projection whose synapses change.
    plastic : PlasticWork
    kernels : mapping of int to Kernel
        For the rows of each projection whose synapses do not change.
    """

    mapping: Mapped
    image: Image
    costs: PacketCosts
    clock: Clock
    spreads: tuple[Spread, ...]
    plastic: PlasticWork
    kernels: Mapping[int, Kernel]

    def taken_apart(self, compiled: Compiled) -> Compiled:
        """A compiled network whose plastic projections are spread over the PEs."""
        plastic = tuple(
            replace(each, lowered=spread.taken_apart(each.lowered))
            for each, spread in zip(compiled.plastic, self.spreads, strict=True)
        )
        return replace(compiled, plastic=plastic)


def compile_rows(lowered: LoweredNetwork, image: Image, progress: Progress | None = None) -> dict[int, Kernel]:
    """A kernel for the rows of each projection whose synapses do not change."""
    kernels = {}
    for synapses, rows in zip(lowered.projections, image.rows, strict=True):
        if not isinstance(synapses, Footprint):
            traffic = traffic_of(lowered.populations, lowered.dtype, synapses)
            kind = kind_of(synapses, rows, traffic.value, traffic.sums)
            kernels[synapses.index] = compile_kernel(print_rows(kind), f"rows: {kind}", progress or Silent())
    return kernels


class MappedInstance(Instance):
    """One running copy of a mapped network.

    Populations are advanced by the CPU engine's kernels, whose neurons do not depend on one another; events travel as
    packets to the PEs that hold their rows.

    Attributes
    ----------
    ledger : Ledger
        What was counted.
    """

    def __init__(self, compiled: Compiled, deployed: Deployed) -> None:
        super().__init__(deployed.taken_apart(compiled), 1, window=1)
        self.deployed = deployed
        clock = deployed.clock
        if clock.ticked:  # packets of late PEs arrive up to MAX_LATE steps later
            reach, rows = MAX_LATE, compiled.event_rows(1, 1)
            self.memories: tuple[Memory, ...] = tuple(
                allocate(population, layout, compiled.dtype, compiled.reach(k) + reach, 1, compiled.graded(k), rows)
                for k, (population, layout) in enumerate(zip(compiled.populations, compiled.layouts, strict=True))
            )
        self.ledger: Ledger = open_ledger(
            deployed.mapping, deployed.costs, self.memories, self.stop,
            ticked=clock.ticked, dropping=clock.dropping, level=clock.level, tick=clock.tick,
            plastic=deployed.plastic,
        )  # fmt: skip
        self.synapses = PlasticRows(self.compiled, deployed, self.memories, self.ledger)

    def base(self, threads: int) -> list[Tables]:
        """The work of a step: update neurons; send packets; apply rows; settle the accounts."""
        table = base_tables(replace(self.compiled, projections=(), deliveries=()), self.memories, threads)[0]
        join([table], self.compiled, self.memories, self.plastic, [inbox.lists for inbox in self.synapses.inboxes])
        network = [(step_kernel("send_packets").address, self.ledger.item)]
        for k, kernel in self.deployed.kernels.items():
            if self.deployed.mapping.lowered.projections[k].count:
                network.append((kernel.address, self._rows_item(k)))
        network += self.synapses.receive()
        settle = (step_kernel("settle").address, self.ledger.item)
        # Late synapses act once all packets are there.
        table.deliveries[:1] = [[*network, *calls] for calls in table.deliveries[:1]] or [network]
        table.deliveries.append([*self.synapses.tally(), settle])
        table.keep += [self.deployed, self.ledger, self.synapses]
        return [table]

    def tables(
        self,
        record: bool,
        totals: Mapping[int, Array] | None = None,
        window: tuple[int, int] = (0, 0),
        observe: Callable[[list[Tables]], None] | None = None,
    ) -> Work:
        """Tables of a run; see :meth:`Instance.tables`. Only a run that is cut in chunks stops at a full series."""
        self.ledger["cells"][5] = int(record or observe is not None)
        return super().tables(record, totals, window, observe)

    def reset(self) -> None:
        """Back to the initial states, with nothing in flight."""
        super().reset()
        for array in self.cleared:
            array[...] = 0

    @property
    def cleared(self) -> Sequence[Array]:
        """How many events wait for plastic synapses."""
        return [inbox.counts for inbox in self.synapses.inboxes]

    def set_synapses(self, number: int, lowered: PlasticProjection, names: Sequence[str]) -> None:
        """Take new parameters and initial states of a plastic projection; see :meth:`Instance.set_synapses`."""
        super().set_synapses(number, self.deployed.spreads[number].taken_apart(lowered), names)

    def synapse_states(self) -> dict[int, list[Array]]:
        """Present states of each plastic projection; of a source, what the first PE that hears it has."""
        return {
            each.lowered.index: [
                spread.first(values) if place == "pre" else values
                for place, values in zip(each.lowered.program.places, each.states(), strict=True)
            ]
            for each, spread in zip(self.plastic, self.deployed.spreads, strict=True)
        }

    def plastic_states(self, step: int) -> dict[str, dict[str, Array]]:
        """What a checkpoint keeps of each plastic projection, as any target does."""
        return self._sources(super().plastic_states(step), lambda spread, values: spread.first(values))

    def load_plastic(self, step: int, saved: Mapping[str, Mapping[str, Array]]) -> None:
        """Put back what a checkpoint keeps; every PE that hears a source has its states, and all events reached it."""
        super().load_plastic(step, self._sources(saved, lambda spread, values: values[spread.origin]))
        for plastic, inbox in zip(self.compiled.plastic, self.synapses.inboxes, strict=True):
            inbox.fill(self.memories[plastic.lowered.pre], step, plastic.lowered.max_delay)

    def _sources(
        self, saved: Mapping[str, Mapping[str, Array]], change: Callable[[Spread, Array], Array]
    ) -> dict[str, dict[str, Array]]:
        """The arrays of a checkpoint with other states of sources."""
        found = {}
        for each, spread in zip(self.compiled.plastic, self.deployed.spreads, strict=True):
            program, arrays = each.lowered.program, dict(saved[each.lowered.name])
            for k in program.of_place("pre"):
                name = f"state {program.states[k].name}"
                arrays[name] = change(spread, arrays[name])
            found[each.lowered.name] = arrays
        return found

    def differing(self) -> dict[str, Array]:
        """What PEs that hear a source may have in different ways, by name; empty if no packet may be late or lost."""
        if not (self.deployed.clock.ticked or self.deployed.clock.dropping):
            return {}
        found: dict[str, Array] = {}
        for number, (plastic, inbox) in enumerate(zip(self.plastic, self.synapses.inboxes, strict=True)):
            arrays = {"sources": plastic.pre, **inbox.changing}
            found |= {f"plastic {number} {name}": array for name, array in arrays.items() if array.size}
        return found

    def adopt(self, other: Instance) -> None:
        """Take over the states and the events in flight of another instance of the same network."""
        super().adopt(other)
        assert isinstance(other, MappedInstance)
        for mine, theirs in zip(self.synapses.inboxes, other.synapses.inboxes, strict=True):
            for name, array in mine.changing.items():
                array[...] = theirs.changing[name]

    def _rows_item(self, k: int) -> npt.NDArray[np.int64]:
        synapses, rows = self.deployed.mapping.lowered.projections[k], self.deployed.image.rows[k]
        slices, ledger = self.deployed.image.slices[synapses.post], self.ledger
        pre, post, layout = (
            self.memories[synapses.pre],
            self.memories[synapses.post],
            self.compiled.layouts[synapses.post],
        )
        assert layout is not None
        ints = synapses.port in layout.int_ports
        ports = layout.int_ports if ints else layout.float_ports
        first = offsets(self.deployed.mapping.lowered)
        return make_item(
            ITEM,
            fired=address(pre.fired),
            values=address(pre.values),
            counts=address(pre.counts),
            stride=pre.stride,
            event_mask=pre.event_mask,
            sub_ptr=address(rows.sub_ptr),
            sub_part=address(rows.part),
            sub_start=address(rows.start),
            sub_count=address(rows.count),
            local=address(rows.local),
            begin=address(slices.begin),
            order=address(slices.order),
            parts=self.deployed.mapping.parts,
            weights=address(rows.weights),
            index=address(rows.index),
            delays=address(rows.delays),
            ring=address(post.int_ring if ints else post.float_ring),
            ring_mask=post.slots - 1,
            row=len(ports) * post.stride,
            port=ports.index(synapses.port) * post.stride,
            n_post=synapses.n_post,
            source_part=address(ledger["part"]) + 4 * int(first[synapses.pre]),
            first=int(first[synapses.pre]),
            synapses=address(ledger["synapses"]) + 8 * k * self.deployed.mapping.parts,
            lag=address(ledger["lag"]),
            drops=address(ledger["drops"]),
            special=address(ledger["special"]),
            max_shift=MAX_LATE if self.deployed.clock.ticked else 0,
        )
