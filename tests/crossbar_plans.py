"""Crossbars for tests of chips: a simple machine, and plans by hand of one dense matrix, one block to an array."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.mapping.crossbar.cells.chip import Chip, program_chip
from neuromorph.mapping.crossbar.machine.devices import DAY
from neuromorph.mapping.crossbar.machine.effects import Effects
from neuromorph.mapping.crossbar.machine.machine import CrossbarMachine, load_machine
from neuromorph.mapping.crossbar.plan.plan import Activity, Blocks, Matrix, Part, Plan
from neuromorph.mapping.crossbar.plan.rules import Rules

PROGRAMMED = Effects(quantise=True, programming=True)
YEAR = 365 * DAY


def plan_of(weights: npt.ArrayLike, machine: CrossbarMachine, *, first: tuple[int, int] = (0, 0)) -> Plan:
    """A plan whose arrays hold pieces of one matrix, each with its first cell at the physical place ``first``."""
    given: npt.NDArray[Any] = np.ascontiguousarray(weights)
    rows, columns = given.shape
    height, width = machine.rows - first[0], (machine.columns - first[1]) // machine.cells_per_weight
    part = Part(0, 0, 0, rows, columns, None, None, given.ravel())
    matrix = Matrix(
        name="matrix",
        index=0,
        post=0,
        delay=1,
        scale=None,
        whole=given.dtype.kind in "iu",
        sources=(0,),
        source_first=np.array([0, rows], np.int32),
        rows=rows,
        columns=columns,
        column_port=np.zeros(columns, np.int32),
        column_post=np.arange(columns, dtype=np.int32),
        parts=(part,),
        passes=1,
        pass_post=np.zeros(1, np.int32),
    )
    row_lists = [np.arange(a, min(a + height, rows)) for a in range(0, rows, height)]
    column_lists = [np.arange(a, min(a + width, columns)) for a in range(0, columns, width)]
    lists = [*row_lists, *column_lists]
    pairs = [(i, len(row_lists) + j) for i in range(len(row_lists)) for j in range(len(column_lists))]
    count = len(pairs)
    blocks = Blocks(
        matrix=np.zeros(count, np.int32),
        array=np.arange(count, dtype=np.int32),
        row_first=np.full(count, first[0], np.int32),
        column_first=np.full(count, first[1], np.int32),
        replica=np.zeros(count, np.int32),
        turn=np.zeros(count, np.int32),
        row_list=np.array([i for i, _ in pairs], np.int32),
        column_list=np.array([j for _, j in pairs], np.int32),
        list_ptr=np.cumsum([0, *map(len, lists)]).astype(np.int64),
        listed=np.concatenate(lists).astype(np.int32),
    )
    return Plan(
        machine=machine,
        network="by hand",
        matrices=(matrix,),
        blocks=blocks,
        arrays=count,
        tile_of_array=np.zeros(count, np.int32),
        chips=1,
        cells_per_weight=machine.cells_per_weight,
        order="given",
        convolution="unrolled",
        rules=Rules(),
        seed=0,
        activity=Activity(0.0, 0.0, "none"),
        hops=(0.0, 0.0),
    )


def machine_of(device: Any = "sonos_40nm", **changes: Any) -> CrossbarMachine:
    """Signed cells of 101 levels: one cell to a weight, and levels are per cent of full scale."""
    given: dict[str, Any] = {
        "rows": 256,
        "columns": 512,
        "encoding": "signed",
        "weight_bits": None,
        "cell_bits": None,
        "cell_levels": 101,
        "g_min": 1e-6,
        "g_max": 25e-6,
    }
    return load_machine("isaac", device=device, **{**given, **changes})


def same_level(level: int, machine: CrossbarMachine, effects: Effects, seed: int = 1) -> Chip:
    return program_chip(plan_of(np.full((256, 512), level), machine), effects, seed)
