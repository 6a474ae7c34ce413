"""A mapped network with its own memory: the CPU engine's populations, the PEs' rows, and a ledger around each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from neuromorph.engine.compile import traffic_of
from neuromorph.engine.instance import Instance, Work
from neuromorph.engine.items import make_item
from neuromorph.engine.memory import Array, Memory, address, allocate
from neuromorph.engine.schedule import Compiled, Tables, base_tables
from neuromorph.native import Kernel, compile_kernel
from neuromorph.network.synapses import Synapses
from neuromorph.progress import Progress, Silent

from .delivery import ITEM, kind_of, print_rows
from .image import Image
from .layout import offsets
from .ledger import MAX_LATE, Ledger, open_ledger, step_kernel
from .map import Mapping as Mapped
from .network_costs import PacketCosts


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
    kernels : tuple of Kernel
        For the rows of each projection.
    """

    mapping: Mapped
    image: Image
    costs: PacketCosts
    clock: Clock
    kernels: tuple[Kernel, ...]


def compile_rows(compiled: Compiled, image: Image, progress: Progress | None = None) -> tuple[Kernel, ...]:
    """A kernel for the rows of each projection."""
    kernels = []
    for synapses, rows in zip(compiled.projections, image.rows, strict=True):
        assert isinstance(synapses, Synapses)
        traffic = traffic_of(compiled.populations, compiled.dtype, synapses)
        kind = kind_of(synapses, rows, traffic.value, traffic.sums)
        kernels.append(compile_kernel(print_rows(kind), f"rows: {kind}", progress or Silent()))
    return tuple(kernels)


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
        super().__init__(compiled, 1, window=1)
        self.deployed = deployed
        clock = deployed.clock
        if clock.ticked:  # packets of late PEs arrive up to MAX_LATE steps later
            self.memories: tuple[Memory, ...] = tuple(
                allocate(population, layout, compiled.dtype, compiled.reach(k) + MAX_LATE, 1, compiled.graded(k))
                for k, (population, layout) in enumerate(zip(compiled.populations, compiled.layouts, strict=True))
            )
        self.ledger: Ledger = open_ledger(
            deployed.mapping, deployed.costs, self.memories, self.stop,
            ticked=clock.ticked, dropping=clock.dropping, level=clock.level, tick=clock.tick,
        )  # fmt: skip

    def base(self, threads: int) -> list[Tables]:
        """The work of a step: update neurons; send packets; apply rows; settle the accounts."""
        updates = base_tables(replace(self.compiled, projections=(), deliveries=()), self.memories, threads)[0]
        deliveries = [(step_kernel("send_packets").address, self.ledger.item)]
        for k, kernel in enumerate(self.deployed.kernels):
            if self.compiled.projections[k].count:
                deliveries.append((kernel.address, self._rows_item(k)))
        deliveries.append((step_kernel("settle").address, self.ledger.item))
        keep = [*updates.keep, self.deployed, self.ledger]
        return [Tables(updates=updates.updates, deliveries=[deliveries], keep=keep)]

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

    def _rows_item(self, k: int) -> npt.NDArray[np.int64]:
        synapses, rows = self.compiled.projections[k], self.deployed.image.rows[k]
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
