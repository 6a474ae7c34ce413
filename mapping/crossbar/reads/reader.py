"""One matrix made ready to be read: its blocks' cells as the kernels want them, and everything that decides a read.

A reader is shared by all running copies of a network; what a run writes is in :mod:`.delivery`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, log2
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.layout import Layout
from neuromorph.errors import MappingError

from .noise_kernels import GROUP
from .readback import digit_of, paired, told_apart, window
from .setting import Setting

if TYPE_CHECKING:
    from ..cells.chip import Chip
    from ..plan.plan import Block, Matrix

Array = npt.NDArray[Any]

WIDE = 16
"""Columns of a block are filled up to a multiple of this many."""


@dataclass(frozen=True, eq=False)
class Reader:
    """A matrix ready to be read.

    Attributes
    ----------
    matrix : Matrix
    numbers : dict of str to int
    arrays : dict of str to array
        Fields of :data:`.delivery.NUMBERS` and :data:`.delivery.ARRAYS` that no run changes.
    sizes : dict of str to int
        Lengths of the arrays that a run writes.
    blocks : int32 (blocks,)
        Plan's block of each block here: by replica, then group.
    block_group : int32 (blocks,)
    """

    matrix: Matrix
    numbers: dict[str, int]
    arrays: dict[str, Array]
    sizes: dict[str, int]
    blocks: npt.NDArray[np.int32]
    block_group: npt.NDArray[np.int32]

    @property
    def computing(self) -> bool:
        """Whether kernels take the sums; else only count, and the events go to synapses that were read back."""
        return bool(self.numbers["computing"])


def make_reader(chip: Chip, setting: Setting, index: int, layout: Layout, noise_first: int) -> Reader:
    """A reader of one matrix.

    Parameters
    ----------
    chip : Chip
    setting : Setting
        Of the matrix: what its reads are like.
    index : int
        Of the matrix.
    layout : Layout
        Of the population that it drives.
    noise_first : int
        Group of random numbers that its first block takes.
    """
    plan = chip.plan
    matrix, machine = plan.matrices[index], plan.machine
    groups = _groups(chip, index)
    blocks = [block for members in groups for block in members]
    which = np.repeat(np.arange(len(groups), dtype=np.int32), [len(members) for members in groups])
    replicas = int(plan.replicas[index])
    slices = machine.conversions_per_weight
    outputs = np.array([len(block.columns) for block in blocks], np.int64)
    width = -(-outputs * slices // WIDE) * WIDE
    arrays: dict[str, Array] = {
        "block_columns": outputs,
        "block_width": width,
        "block_first": _starts(outputs * slices)[:-1],
        "block_noise": noise_first + _starts(-(-width // GROUP))[:-1],
        "block_factor": chip.compensation[[block.array for block in blocks]],
        "combine": _combine(chip),
        "real": np.array([setting.input_scale, chip.coding.offset, setting.span, setting.worth]),
    }
    arrays |= _rows(matrix, groups, replicas) | _columns(matrix, blocks, layout) | _entries(matrix)
    arrays |= _costs(chip, setting, groups, slices)
    arrays |= _cells(chip, setting, blocks, arrays) | _converters(chip, setting, blocks, slices)
    arrays["slice_histogram"] = (
        np.array([block.index for block in blocks], np.int32)[:, None] * machine.slices + digit_of(chip)
    ).ravel()
    passes = np.bincount(np.arange(matrix.passes) % replicas, minlength=replicas)[
        [members[0].replica for members in groups]
    ]
    members = np.array([len(each) for each in groups])
    high, phases = np.diff(arrays["group_rows"]), setting.phases
    numbers = setting.numbers() | {
        "matrix": index,
        "value_histogram": len(plan.blocks) * machine.slices + index,
        "sources": len(matrix.sources),
        "rows": matrix.rows,
        "columns": matrix.columns,
        "passes": matrix.passes,
        "replicas": replicas,
        "listed": int(matrix.entry_ptr is not None),
        "slices": slices,
        "most_rows": int(high.max(initial=1)),
        "delay": matrix.delay,
        "residue_pass": int((outputs * slices).sum()),
        "output_bits": _output_bits(chip, setting, len(groups)),
        "regular": int(all(sum(len(b.columns) for b in each) == matrix.columns for each in groups)),
        "dense_reads": int((passes * members).sum()) * phases,
        "dense_phases": -(-matrix.passes // replicas) * phases,
        "dense_columns": int((passes * arrays["group_columns"]).sum()) * phases,
        "dense_outputs": int((passes * arrays["group_outputs"]).sum()),
        "dense_distinct": len(np.unique(arrays["column_list"])) * matrix.passes,
        "dense_pulses": int((passes * members * high).sum()) * phases,
    }
    taken = matrix.lines if matrix.entry_row is None else len(matrix.entry_row)
    most = int(width.max(initial=WIDE))
    sizes = {
        "pass_ptr": matrix.passes + 2, "taken_row": taken, "taken_code": taken, "driven": len(groups),
        "driven_place": int(high.sum()), "driven_code": int(high.sum()), "digits": 2 * phases,
        "digit_place": 2 * phases * numbers["most_rows"], "digit_value": 2 * phases * numbers["most_rows"],
        "active": 2 * phases, "replica_phases": replicas, "sums": most, "spread": most, "charge": most,
        "words": -(-most // GROUP) * GROUP, "normal": -(-most // GROUP) * GROUP, "made": most, "total": matrix.columns,
        "mark": matrix.columns, "group_reads": len(groups), "group_driven": len(groups), "block_beyond": len(blocks),
        "residue": matrix.passes * numbers["residue_pass"] if setting.charge else 0,
    }  # fmt: skip
    return Reader(matrix, numbers, arrays, sizes, np.array([b.index for b in blocks], np.int32), which)


def _groups(chip: Chip, index: int) -> list[list[Block]]:
    """Blocks of a matrix that have their rows in common, by replica, in the plan's order."""
    found: dict[tuple[int, int], list[Block]] = {}
    blocks = chip.plan.blocks
    for b in chip.plan.blocks_of(index):
        found.setdefault((int(blocks.replica[b]), int(blocks.row_list[b])), []).append(blocks[b])
    order = sorted(range(len(found)), key=lambda k: list(found)[k][0])
    members = list(found.values())
    return [members[k] for k in order]


def _starts(counts: npt.ArrayLike) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _combine(chip: Chip) -> npt.NDArray[np.float64]:
    """What each conversion of a weight is worth in codes: pairs that are subtracted before it count once."""
    worth = chip.coding.combine.astype(np.float64)
    return worth[::2] if paired(chip) else worth


def _rows(matrix: Matrix, groups: list[list[Block]], replicas: int) -> dict[str, Array]:
    """Where each row of each replica stands: the groups that hold it, and its place there."""
    lists = [members[0].rows for members in groups]
    lengths = np.array([len(rows) for rows in lists], np.int64)
    replica = np.array([members[0].replica for members in groups], np.int64)
    row = np.concatenate([members + r * matrix.rows for members, r in zip(lists, replica, strict=True)] or [_NONE])
    order = np.argsort(row, kind="stable")
    place = np.concatenate([np.arange(n) for n in lengths] or [_NONE])
    return {
        "row_ptr": np.searchsorted(row[order], np.arange(replicas * matrix.rows + 1)),
        "row_group": np.repeat(np.arange(len(groups)), lengths)[order],
        "row_place": place[order],
        "replica_ptr": np.searchsorted(replica, np.arange(replicas + 1)),
        "group_rows": _starts(lengths),
        "group_ptr": _starts([len(members) for members in groups]),
    }


_NONE = np.zeros(0, np.int64)


def _columns(matrix: Matrix, blocks: list[Block], layout: Layout) -> dict[str, Array]:
    """Columns of each block, and where the sum of each column goes in a slot of the ring."""
    ports = layout.int_ports if matrix.whole else layout.float_ports
    position = {port: k for k, port in enumerate(ports)}
    ring = np.array([position[int(port)] for port in matrix.column_port], np.int64)
    return {
        "column_list": np.concatenate([_NONE, *(block.columns for block in blocks)]),
        "block_list": _starts([len(block.columns) for block in blocks])[:-1],
        "place": ring * layout.stride + matrix.column_post,
        "pass_post": matrix.pass_post,
    }


def _entries(matrix: Matrix) -> dict[str, Array]:
    none = np.zeros(1, np.int32)
    if matrix.entry_ptr is None or matrix.entry_row is None or matrix.entry_pass is None:
        return {"entry_ptr": none, "entry_row": none, "entry_pass": none}
    driven = matrix.entry_pass.astype(np.int64) * matrix.rows + matrix.entry_row
    if len(np.unique(driven)) < len(driven):
        raise MappingError(f"matrix {matrix.name}: two neurons drive the same row in the same pass; each needs its own")
    return {"entry_ptr": matrix.entry_ptr, "entry_row": matrix.entry_row, "entry_pass": matrix.entry_pass}


def _costs(chip: Chip, setting: Setting, groups: list[list[Block]], slices: int) -> dict[str, Array]:
    """Of each group: outputs, conversions of a read, how many of them have which step, conductance of each row."""
    step = setting.step[:, digit_of(chip)] if setting.step is not None else None
    kinds: list[tuple[float, int]] = []
    ends, conductance = [0], []
    for members in groups:
        counted: dict[float, int] = {}
        for block in members:
            for each in [0.0] * slices if step is None else step[block.index].tolist():
                counted[each] = counted.get(each, 0) + len(block.columns)
        kinds += counted.items()
        ends.append(len(kinds))
        rows = np.zeros(len(members[0].rows))
        for block in members:
            rows += setting.conductance[block.index]
        conductance.append(rows)
    return {
        "group_outputs": np.array([sum(len(b.columns) for b in members) for members in groups]),
        "group_columns": np.array([slices * sum(len(b.columns) for b in members) for members in groups]),
        "kind_ptr": np.array(ends),
        "kind_step": np.array([each for each, _ in kinds]),
        "kind_columns": np.array([count for _, count in kinds]),
        "conductance": np.concatenate(conductance or [np.zeros(0)]),
    }


def _cells(chip: Chip, setting: Setting, blocks: list[Block], arrays: dict[str, Array]) -> dict[str, Array]:
    """What the cells hold, block by block (rows, conversions of a weight, weights), and the variance of a read."""
    width = arrays["block_width"]
    sizes = np.array([len(block.rows) for block in blocks], np.int64) * width
    starts = _starts(sizes)
    none = np.zeros(1, np.float32)
    made: dict[str, Array] = {"block_at": starts[:-1], "block_variance": np.zeros(max(len(blocks), 1))}
    if not setting.computing:
        return made | {"held": none, "variance": none}
    held = np.zeros(starts[-1], np.float32)
    variance = np.zeros(starts[-1] if setting.noisy == 2 else 1, np.float32)
    for b, block in enumerate(blocks):
        _put(held, starts[b], width[b], told_apart(chip, window(chip, chip.held[block.array], block)))
        if setting.noisy == 1:
            made["block_variance"][b] = float(chip.sigma[block.array]) ** 2 * (2.0 if paired(chip) else 1.0)
        elif setting.noisy == 2:
            sigma = np.broadcast_to(chip.sigma[block.array], chip.held[block.array].shape)
            squares = window(chip, sigma, block).astype(np.float64) ** 2
            _put(variance, starts[b], width[b], told_apart(chip, squares, 1.0))
    return made | {"held": held, "variance": variance}


def _put(out: Array, start: int, width: int, values: Array) -> None:
    rows = len(values)
    out[start : start + rows * width].reshape(rows, width)[:, : values.shape[1] * values.shape[2]] = values.reshape(
        rows, -1
    )


def _converters(chip: Chip, setting: Setting, blocks: list[Block], slices: int) -> dict[str, Array]:
    """Range and errors of the converter of every conversion of a block, in the order of its cells."""
    names = ("adc_lo", "adc_step", "adc_offset", "adc_gain")
    found: dict[str, list[Array]] = {name: [np.zeros(0)] for name in names}
    each = chip.coding.cells_per_weight
    for block in blocks:
        wide = len(block.columns)
        if setting.lo is not None and setting.step is not None:
            found["adc_lo"].append(np.repeat(setting.lo[block.index, digit_of(chip)], wide))
            found["adc_step"].append(np.repeat(setting.step[block.index, digit_of(chip)], wide))
        physical = block.column_first + np.arange(wide)[:, None] * each + np.arange(slices) * (each // slices)
        columns = physical.T.ravel()
        found["adc_offset"].append(chip.adc_offset[block.array, columns].astype(np.float64))
        found["adc_gain"].append(chip.adc_gain[block.array, columns].astype(np.float64) - 1.0)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _output_bits(chip: Chip, setting: Setting, groups: int) -> int:
    """Bits of the digital sum of an output: of all its row groups, digits and phases."""
    bits, machine = setting.adc_bits, chip.machine
    if not bits or chip.coding.highest == inf or machine.dac.bits is None:
        return 32
    worth = float(np.abs(_combine(chip)).sum()) * 2.0 ** (setting.phases * machine.dac.bits) * max(groups, 1)
    return min(64, 1 + bits + ceil(log2(worth)))
