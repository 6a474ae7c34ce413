"""What a run on crossbars is counted by: every action that costs energy or time, as exact whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.memory import Memory, address
from neuromorph.native import Kernel, compile_kernel

if TYPE_CHECKING:
    from neuromorph.lowering.program import LoweredNetwork

    from ..plan.plan import Plan
    from .reader import Reader

Array = npt.NDArray[Any]

MOST_BITS = 32
"""Bits that a conversion can resolve at most."""

ACTIONS = (
    "events",
    "rows",
    "phases",
    "reads",
    "skipped",
    "row_pulses",
    "conversions",
    "comparisons",
    "pulses",
    "shift_adds",
    "partial_adds",
    "input_bits",
    "output_bits",
    "saturated",
)
"""What is counted for every matrix, in whole numbers; see :class:`Counts`."""

CODE_SUM = len(ACTIONS)
SERIES = (*ACTIONS, "code_sum")
"""Columns of what is known of every step and matrix."""


@dataclass(frozen=True, eq=False)
class Counts:
    """Actions of a run, by matrix and by population.

    A *phase* is one pulse of the row drivers: inputs of several bits take one phase for each digit of their DAC, signed
    inputs that are split as many again, stationary convolutions those of every pass. A *read* is one array in one
    phase, for the block of one matrix in it. All are sums over the run, int64 unless said otherwise.

    Attributes
    ----------
    readout : str
        The mode that they were counted in.
    steps, samples : int
        Steps counted, of all samples together; samples of the batch, 0 if it was no batch.
    matrices : tuple of str
        Names of the plan's matrices.
    events : (matrices,)
        Events that arrived at a matrix.
    rows : (matrices,)
        Row inputs that they were: of every event its rows in every row group and pass.
    phases : (matrices,)
        Phases that the matrix took, one after another, those of all its arrays at a time.
    reads, skipped : (matrices,)
        Reads, and reads that were left out because no row was driven.
    row_pulses : (matrices,)
        Pulses of row drivers: rows times phases, of every array.
    code_sum : float64 (matrices,)
        Sum over row pulses of the driven code times the conductances of the row's cells, S.
    conversions : (matrices, 33)
        Conversions of ADCs by the bits that they resolved.
    comparisons, pulses : (matrices,)
        Comparisons and pulses of integrate-and-fire comparators.
    shift_adds : (matrices,)
        Digital additions of slices and phases of a column: one for each conversion but the first of an output.
    partial_adds : (matrices,)
        Digital additions of partial sums of row groups.
    input_bits, output_bits : (matrices,)
        Bits of codes that reached input registers, and of results that left to populations.
    saturated : (matrices,)
        Conversions whose sum was out of range.
    block_reads, block_rows, block_saturated : (blocks,)
        Reads, row pulses and saturated conversions of each block of the plan.
    populations : tuple of str
    neuron_updates, spikes : (populations,)
        Neurons times steps, and events that they sent.
    """

    readout: str
    steps: int
    samples: int
    matrices: tuple[str, ...]
    events: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    phases: npt.NDArray[np.int64]
    reads: npt.NDArray[np.int64]
    skipped: npt.NDArray[np.int64]
    row_pulses: npt.NDArray[np.int64]
    code_sum: npt.NDArray[np.float64]
    conversions: npt.NDArray[np.int64]
    comparisons: npt.NDArray[np.int64]
    pulses: npt.NDArray[np.int64]
    shift_adds: npt.NDArray[np.int64]
    partial_adds: npt.NDArray[np.int64]
    input_bits: npt.NDArray[np.int64]
    output_bits: npt.NDArray[np.int64]
    saturated: npt.NDArray[np.int64]
    block_reads: npt.NDArray[np.int64]
    block_rows: npt.NDArray[np.int64]
    block_saturated: npt.NDArray[np.int64]
    populations: tuple[str, ...]
    neuron_updates: npt.NDArray[np.int64]
    spikes: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class StepCounts:
    """What is known of every step since the last reset, or of the last batch.

    Attributes
    ----------
    values : float64 (steps, matrices, columns)
        Columns :data:`SERIES`; whole numbers but for ``code_sum``; ``conversions`` of any number of bits.
    """

    values: npt.NDArray[np.float64]

    def __getitem__(self, name: str) -> npt.NDArray[np.float64]:
        """One column, (steps, matrices)."""
        return self.values[:, :, SERIES.index(name)]

    def __len__(self) -> int:
        return len(self.values)


@cache
def settle_kernel() -> Kernel:
    """``settle`` as a kernel of (step, offset, item)."""
    source = [
        '"""Opens the ledger for :func:`settle`."""',
        "",
        "import numpy as np",
        "",
        "from neuromorph.engine.lowlevel import pointer",
        "from neuromorph.native.arrays import carray",
        "from neuromorph.mapping.crossbar.reads.read_kernels import settle",
        "",
        "MANY = 1 << 62",
        "",
        "",
        "def kernel(step, offset, item):",
        "    item = carray(pointer(item), 7, np.int64)",
        "    table = carray(pointer(item[2]), (item[0], 3), np.int64)",
        "    updates = carray(pointer(item[3]), MANY, np.int64)",
        "    spikes = carray(pointer(item[4]), MANY, np.int64)",
        "    cells = carray(pointer(item[5]), MANY, np.int64)",
        "    stop = carray(pointer(item[6]), MANY, np.int64)",
        "    settle(step, item[0], item[1], table, updates, spikes, cells, stop)",
    ]
    return compile_kernel("\n".join(source) + "\n", "Crossbar settle")


SERIES_ROWS = 4096
"""Steps that a ledger holds until somebody takes them."""


class Ledger:
    """The counters of one running copy of a network.

    Parameters
    ----------
    readers : sequence of Reader
    memories : tuple of Memory
    neurons : sequence of int
        Neurons that are updated in a step, of each population; 0 for sources of events.
    stop : int64 (1,)
        Where the last step of a chunk is named.

    Attributes
    ----------
    matrices : int
    cells : int64 (4,)
        Rows of the series in use, passes so far, steps since the last reset, whether a full series ends a chunk.
    """

    def __init__(
        self, readers: Sequence[Reader], memories: Sequence[Memory], neurons: Sequence[int], stop: Array
    ) -> None:
        self.readers, self.matrices = readers, len(readers)
        self.cells = np.zeros(4, np.int64)
        self._shared: dict[str, Array] = {
            "totals": np.zeros((max(self.matrices, 1), len(ACTIONS)), np.int64),
            "code_sums": np.zeros(max(self.matrices, 1)),
            "cells": self.cells,
        }
        self._own: list[dict[str, Array]] = [
            {
                "conversions": np.zeros(MOST_BITS + 1, np.int64),
                "group_reads": np.zeros(max(reader.sizes["group_reads"], 1), np.int64),
                "group_driven": np.zeros(max(reader.sizes["group_driven"], 1), np.int64),
                "block_beyond": np.zeros(max(reader.sizes["block_beyond"], 1), np.int64),
                "stepped": np.zeros(len(ACTIONS), np.int64),
            }
            for reader in readers
        ]
        self.updates, self.spikes = (np.zeros(max(len(memories), 1), np.int64) for _ in range(2))
        self._table = np.array(
            [(address(m.counts), m.event_mask, n) for m, n in zip(memories, neurons, strict=True)], np.int64
        ).reshape(-1, 3)
        self._stop = stop
        self._items: list[npt.NDArray[np.int64]] = []
        self.item = np.array(
            [
                len(memories), 0, address(self._table), address(self.updates), address(self.spikes),
                address(self.cells), address(stop),
            ],
            np.int64,
        )  # fmt: skip
        self.rows(SERIES_ROWS)

    def of(self, matrix: int) -> dict[str, Array]:
        """The arrays that the kernel of a matrix counts in."""
        return self._shared | self._own[matrix]

    def serve(self, item: npt.NDArray[np.int64], place: int) -> None:
        """Keep the address of the series up to date in an item."""
        self._items.append(item[place : place + 1])
        item[place] = address(self.series)

    def rows(self, at_least: int) -> None:
        """Make room in the series for that many steps, and for two that a full one still takes."""
        length = at_least + 4
        self.series = np.zeros((length, max(self.matrices, 1), len(SERIES)))
        self.item[1] = length
        for place in self._items:
            place[0] = address(self.series)

    @property
    def room(self) -> int:
        """Steps that the series holds."""
        return len(self.series) - 4

    def take(self) -> Array:
        """The series of the steps since the last call, float64 (steps, matrices, columns)."""
        n = int(self.cells[0])
        self.cells[0] = 0
        return np.array(self.series[:n, : self.matrices])

    def reset(self) -> None:
        """Forget everything counted."""
        recording = self.cells[3]
        self.cells[[0, 2]] = 0
        self.cells[3] = recording
        for name in ("totals", "code_sums"):
            self._shared[name][...] = 0
        for own in self._own:
            for array in own.values():
                array[...] = 0
        self.updates[:], self.spikes[:] = 0, 0


def counts_of(ledgers: Sequence[Ledger], plan: Plan, lowered: LoweredNetwork, readout: str, samples: int) -> Counts:
    """What all running copies counted, together."""
    matrices, blocks = len(plan.matrices), len(plan.blocks)
    totals = sum((each._shared["totals"][:matrices] for each in ledgers), np.zeros((matrices, len(ACTIONS)), np.int64))
    codes = sum((each._shared["code_sums"][:matrices] for each in ledgers), np.zeros(matrices))
    conversions = np.zeros((matrices, MOST_BITS + 1), np.int64)
    by_block = {name: np.zeros(blocks, np.int64) for name in ("reads", "rows", "saturated")}
    for ledger in ledgers:
        for m, (own, reader) in enumerate(zip(ledger._own, ledger.readers, strict=True)):
            conversions[m] += own["conversions"]
            by_block["reads"][reader.blocks] += own["group_reads"][reader.block_group]
            by_block["rows"][reader.blocks] += own["group_driven"][reader.block_group]
            by_block["saturated"][reader.blocks] += own["block_beyond"][: len(reader.blocks)]
    named = {name: totals[:, k] for k, name in enumerate(ACTIONS) if name != "conversions"}
    populations = len(lowered.populations)
    none = np.zeros(max(populations, 1), np.int64)
    return Counts(
        readout=readout,
        steps=sum(int(each.cells[2]) for each in ledgers),
        samples=samples,
        matrices=tuple(matrix.name for matrix in plan.matrices),
        **named,
        code_sum=codes,
        conversions=conversions,
        block_reads=by_block["reads"],
        block_rows=by_block["rows"],
        block_saturated=by_block["saturated"],
        populations=tuple(population.name for population in lowered.populations),
        neuron_updates=sum((each.updates for each in ledgers), none)[:populations],
        spikes=sum((each.spikes for each in ledgers), none)[:populations],
    )
