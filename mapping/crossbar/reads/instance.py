"""A running copy of a network on crossbars: the CPU engine's populations, and matrices that are read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.compile import traffic_of
from neuromorph.engine.delivery import Stored, store
from neuromorph.engine.instance import Instance
from neuromorph.engine.schedule import Compiled, Tables, base_tables
from neuromorph.native import Kernel, compile_kernel
from neuromorph.progress import Progress, Silent

from ..converters.histogram import Histograms
from .delivery import read_item, read_kernel
from .ledger import Ledger, settle_kernel
from .noise_kernels import GROUP
from .readback import read_back
from .reader import Reader, make_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from neuromorph.engine.instance import Work
    from neuromorph.lowering.program import LoweredNetwork
    from neuromorph.trace import Sink

    from ..cells.chip import Chip
    from .setting import Setting

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Deployed:
    """What all running copies of a mapped network share.

    Attributes
    ----------
    chip : Chip
        Its plan, and what the cells hold.
    settings : tuple of Setting
        What the reads of each matrix are like.
    readers : tuple of Reader
        One for each matrix.
    stored : tuple of Stored
        Synapses read back from matrices that are linear, in the order of the sums.
    kernels : tuple of Kernel
        That deliver those.
    """

    chip: Chip
    settings: tuple[Setting, ...]
    readers: tuple[Reader, ...]
    stored: tuple[Stored, ...]
    kernels: tuple[Kernel, ...]


def deploy(
    chip: Chip,
    settings: tuple[Setting, ...],
    lowered: LoweredNetwork,
    compiled: Compiled,
    progress: Progress | None = None,
) -> Deployed:
    """Readers of all matrices, and kernels for those that are linear."""
    shown = progress or Silent()
    readers, noise = [], 0
    stored: list[Stored] = []
    sizes = [population.size for population in lowered.populations]
    for index, (matrix, setting) in enumerate(zip(chip.plan.matrices, settings, strict=True)):
        layout = compiled.layouts[matrix.post]
        assert layout is not None  # a source gets no events
        reader = make_reader(chip, setting, index, layout, noise)
        noise += int((-(-reader.arrays["block_width"] // GROUP)).sum())
        readers.append(reader)
        if not setting.computing:
            made = read_back(chip, matrix, sizes, lowered.dtype, len(stored))
            stored += [store(each, traffic_of(lowered.populations, lowered.dtype, each), consume=True) for each in made]
    kernels = tuple(compile_kernel(s.form.source(s.traffic), f"delivery: {s.form}", shown) for s in stored)
    shown.stage("compiling reads of arrays")
    _ = read_kernel(), settle_kernel()
    return Deployed(chip, settings, tuple(readers), tuple(stored), kernels)


class CrossbarInstance(Instance):
    """One running copy of a network on crossbars.

    Populations are advanced by the CPU engine's kernels; matrices make sums of their events.

    Attributes
    ----------
    ledger : Ledger
        What was counted.
    seen : Histograms or None
        While a network is observed: what columns brought, (blocks, digits), then values of events, (matrices,).
    """

    def __init__(self, compiled: Compiled, deployed: Deployed) -> None:
        super().__init__(compiled, 1, window=1)
        self.deployed = deployed
        neurons = [0 if p.program is None else p.size for p in compiled.populations]
        self.ledger = Ledger(deployed.readers, self.memories, neurons, self.stop)
        plan = deployed.chip.plan
        observing = any(setting.observing for setting in deployed.settings)
        histograms = len(plan.blocks) * plan.machine.slices + len(plan.matrices)
        self.seen = Histograms.empty(histograms) if observing else None

    @cached_property
    def _items(self) -> list[tuple[npt.NDArray[np.int64], dict[str, Array]]]:
        made = []
        for reader in self.deployed.readers:
            layout = self.compiled.layouts[reader.matrix.post]
            assert layout is not None
            made.append(read_item(reader, self.ledger, self.memories, layout, self.sample, self.seen))
        return made

    def base(self, threads: int) -> list[Tables]:
        """The work of a step: update neurons; add what linear matrices bring; read the matrices; settle the counts."""
        shown = replace(self.compiled, projections=self.deployed.stored, deliveries=self.deployed.kernels)
        tables = base_tables(shown, self.memories, threads)
        reads = [(read_kernel().address, item) for item, _ in self._items]
        tables[0].deliveries.append([*reads, (settle_kernel().address, self.ledger.item)])
        tables[0].keep += [self.deployed, self.ledger, self._items]
        return tables

    def chunks(self, sink: Sink, first: int, last: int, offset: int, work: Work) -> Iterator[tuple[int, float]]:
        """Run steps in chunks, see :meth:`Instance.chunks`; here a chunk also ends where the series is full."""
        self.ledger.cells[3] = 1
        try:
            yield from super().chunks(sink, first, last, offset, work)
        finally:
            self.ledger.cells[3] = 0

    @property
    def residues(self) -> list[Array]:
        """Charge that comparators keep from step to step, of each matrix that has any."""
        readers = zip(self.deployed.readers, self._items, strict=True)
        return [arrays["residue"] for reader, (_, arrays) in readers if reader.sizes["residue"]]

    @property
    def cleared(self) -> Sequence[Array]:
        """What a new sample must find empty."""
        return self.residues

    def reset(self) -> None:
        """Back to the initial states, with nothing in flight and no charge on the columns."""
        super().reset()
        for residue in self.residues:
            residue[:] = 0.0

    def adopt(self, other: Instance) -> None:
        """Take over states, events in flight and charges of another copy."""
        super().adopt(other)
        assert isinstance(other, CrossbarInstance)
        for mine, theirs in zip(self.residues, other.residues, strict=True):
            mine[:] = theirs
