"""What a run on crossbars is counted by: every action that costs energy or time, as exact whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

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
