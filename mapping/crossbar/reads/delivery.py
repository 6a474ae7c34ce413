"""The work items of matrices: what kernels read and write, field by field, and the kernels that open them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.memory import Memory, address
from neuromorph.native import Kernel, compile_kernel

from .ledger import ACTIONS, Ledger
from .reader import Reader

if TYPE_CHECKING:
    from neuromorph.engine.layout import Layout

    from ..converters.histogram import Histograms

Array = npt.NDArray[Any]

NUMBERS = (
    "matrix",
    "matrices",
    "sources",
    "wide",  # 4-byte words of a float
    "rows",  # of the matrix
    "columns",
    "passes",
    "replicas",
    "listed",  # whether lines drive rows as entry_ptr tells
    "graded",
    "rounding",
    "least",
    "most",
    "computing",
    "readout",
    "rule",
    "slices",  # conversions of a weight
    "phases",
    "dac_bits",
    "split",
    "most_rows",  # of a group
    "adc_bits",
    "top",
    "noisy",
    "distorted",
    "observing",
    "bins",
    "value_histogram",  # that of its events' values, while observing
    "seed",
    "delay",
    "ring",
    "ring_kind",
    "ring_mask",
    "ring_row",
    "input_bits",
    "output_bits",
    "regular",  # whether every group has all columns
    "dense_reads",  # what a step takes if every array is read, for inputs of one sign
    "dense_phases",
    "dense_columns",
    "dense_outputs",
    "dense_distinct",
    "dense_pulses",
    "residue_pass",  # charges that comparators keep for a pass
    "words_at",
)
"""Plain numbers among the arguments of ``read_matrix``; all others are arrays."""

ARRAYS: Mapping[str, tuple[str, str]] = {
    "real": ("float64", "(4,)"),  # value of code 1, offset of the coding, span of a row's sums, worth of a code sum
    "table": ("int64", "(sources, 6)"),  # fired, values, counts, stride, first line, event mask
    "entry_ptr": ("int64", "MANY"),
    "entry_row": ("int32", "MANY"),
    "entry_pass": ("int32", "MANY"),
    "pass_post": ("int32", "MANY"),
    "pass_ptr": ("int64", "MANY"),  # row inputs of each pass, written
    "taken_row": ("int32", "MANY"),
    "taken_code": ("float64", "MANY"),
    "row_ptr": ("int64", "MANY"),  # groups of every row of every replica, and its place there
    "row_group": ("int32", "MANY"),
    "row_place": ("int32", "MANY"),
    "replica_ptr": ("int64", "MANY"),
    "group_rows": ("int64", "MANY"),
    "group_ptr": ("int64", "MANY"),  # blocks of each group
    "group_outputs": ("int64", "MANY"),
    "group_columns": ("int64", "MANY"),
    "kind_ptr": ("int64", "MANY"),  # conversions of a group by step of their converters
    "kind_step": ("float64", "MANY"),
    "kind_columns": ("int64", "MANY"),
    "conductance": ("float64", "MANY"),  # of each row of each group, S
    "driven": ("int64", "MANY"),  # row inputs of each group, written
    "driven_place": ("int32", "MANY"),
    "driven_code": ("float64", "MANY"),
    "digits": ("int64", "MANY"),  # lengths of the digit lists, written
    "digit_place": ("int32", "MANY"),
    "digit_value": ("float64", "MANY"),
    "active": ("int64", "MANY"),
    "replica_phases": ("int64", "MANY"),
    "block_at": ("int64", "MANY"),  # where a block begins in ``held``
    "block_width": ("int64", "MANY"),
    "block_columns": ("int64", "MANY"),  # weights side by side
    "block_first": ("int64", "MANY"),  # first of its converters
    "block_list": ("int64", "MANY"),  # where its columns begin in ``column_list``
    "block_noise": ("int64", "MANY"),
    "block_variance": ("float64", "MANY"),
    "block_factor": ("float64", "MANY"),  # digital compensation of drift
    "held": ("float32", "MANY"),  # (rows, conversions of a weight, weights) of each block
    "variance": ("float32", "MANY"),
    "combine": ("float64", "MANY"),
    "adc_lo": ("float64", "MANY"),
    "adc_step": ("float64", "MANY"),
    "adc_offset": ("float64", "MANY"),
    "adc_gain": ("float64", "MANY"),
    "slice_histogram": ("int64", "MANY"),
    "seen": ("int64", "MANY"),
    "seen_sums": ("float64", "MANY"),
    "seen_state": ("float64", "MANY"),
    "residue": ("float64", "MANY"),
    "sums": ("float64", "MANY"),
    "spread": ("float64", "MANY"),
    "words": ("uint32", "MANY"),
    "normal": ("float64", "MANY"),
    "charge": ("float64", "MANY"),
    "made": ("float64", "MANY"),
    "total": ("float64", "MANY"),
    "mark": ("int64", "MANY"),
    "column_list": ("int32", "MANY"),
    "place": ("int64", "MANY"),  # of each column's sum in a slot of the ring
    "sample": ("int64", "MANY"),
    "stepped": ("int64", f"({len(ACTIONS)},)"),
    "conversions": ("int64", "MANY"),
    "group_reads": ("int64", "MANY"),
    "group_driven": ("int64", "MANY"),
    "block_beyond": ("int64", "MANY"),
    "totals": ("int64", f"(matrices, {len(ACTIONS)})"),
    "code_sums": ("float64", "MANY"),
    "series": ("float64", f"(MANY, matrices, {len(ACTIONS) + 1})"),
    "cells": ("int64", "MANY"),
}
"""Element type and shape of every array that ``read_matrix`` reads or writes."""

FIELDS = (*NUMBERS, *ARRAYS)

RING_KINDS = ("float32", "float64", "int64")


@cache
def read_kernel() -> Kernel:
    """``read_matrix`` as a kernel of (step, offset, item): opens the item and calls the function."""
    from . import read_kernels

    wanted = list(inspect.signature(read_kernels.read_matrix.py_func).parameters)
    lines = [
        '"""Opens the item of a matrix for :func:`read_matrix`."""',
        "",
        "import numpy as np",
        "",
        "from neuromorph.engine.lowlevel import pointer",
        "from neuromorph.native.arrays import carray",
        "from neuromorph.mapping.crossbar.reads.read_kernels import read_matrix",
        "",
        "MANY = 1 << 62",
        "",
        "",
        "def kernel(step, offset, item):",
        f"    item = carray(pointer(item), {len(FIELDS)}, np.int64)",
        *(f"    {name} = item[{FIELDS.index(name)}]" for name in NUMBERS),
    ]
    for name, (dtype, shape) in ARRAYS.items():
        lines.append(f"    {name} = carray(pointer(item[{FIELDS.index(name)}]), {shape}, np.{dtype})")
    lines.append(f"    read_matrix({', '.join(wanted)})")
    return compile_kernel("\n".join(lines) + "\n", "Crossbar read_matrix")


def read_item(
    reader: Reader,
    ledger: Ledger,
    memories: tuple[Memory, ...],
    layout: Layout,
    sample: npt.NDArray[np.int64],
    seen: Histograms | None,
) -> tuple[npt.NDArray[np.int64], dict[str, Array]]:
    """The item of one matrix in one running copy of a network, and the arrays whose addresses are in it."""
    matrix = reader.matrix
    post = memories[matrix.post]
    ring = post.int_ring if matrix.whole else post.float_ring
    ports = layout.int_ports if matrix.whole else layout.float_ports
    written = {name: np.zeros(max(size, 1), ARRAYS[name][0]) for name, size in reader.sizes.items()}
    written["mark"][:] = -1
    written |= ledger.of(matrix.index)
    table = []
    for k, source in enumerate(matrix.sources):
        pre = memories[source]
        lists = address(pre.fired), address(pre.values), address(pre.counts)
        table.append((*lists, pre.stride, int(matrix.source_first[k]), pre.event_mask))
    given = reader.arrays | {
        "table": np.array(table, np.int64),
        "sample": sample,
        "seen": np.zeros(1, np.int64) if seen is None else seen.counts.ravel(),
        "seen_sums": np.zeros(1) if seen is None else seen.sums.ravel(),
        "seen_state": np.zeros(1) if seen is None else seen.state.ravel(),
    }
    arrays = {name: np.ascontiguousarray(array, ARRAYS[name][0]) for name, array in given.items()} | written
    floats = next((m.float_ring.dtype for m in memories if m.float_ring.size), np.dtype("float32"))
    numbers = reader.numbers | {
        "matrices": ledger.matrices,
        "wide": floats.itemsize // 4,
        "ring": address(ring),
        "ring_kind": RING_KINDS.index(str(ring.dtype)),
        "ring_mask": post.slots - 1,
        "ring_row": len(ports) * post.stride,
        "bins": 0 if seen is None else seen.bins,
        "words_at": address(arrays["words"]),
    }
    arrays["series"] = ledger.series
    item = np.array([numbers[n] for n in NUMBERS] + [address(arrays[name]) for name in ARRAYS], np.int64)
    ledger.serve(item, FIELDS.index("series"))
    return item, arrays
