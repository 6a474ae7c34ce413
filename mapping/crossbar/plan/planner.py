"""``plan_network``: from a lowered network to blocks in arrays on tiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heapreplace
from typing import Literal

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.lowering.program import LoweredNetwork

from ..machine.machine import CrossbarMachine
from .activity import Events, Rates, block_activity, check_activity, line_rates, silent_share
from .columns import column_groups, stationary_tiles, unrolled_tiles
from .matrices import matrices_of, refuse
from .packing import Packing, alone, in_turns, side_by_side
from .place import place_arrays
from .plan import Activity, Blocks, Matrix, Plan
from .row_order import row_slots
from .rules import Rules
from .tiling import Tiles, cut

Order = Literal["activity", "given"]
Convolution = Literal["auto", "unrolled", "stationary"]


def plan_network(
    lowered: LoweredNetwork,
    machine: CrossbarMachine,
    *,
    rates: Rates | None = None,
    events: Events | None = None,
    order: Order = "activity",
    convolution: Convolution = "auto",
    replicate: int | Literal["auto"] = 1,
    share: bool | Literal["auto", "turns"] = "auto",
    rules: Rules | None = None,
    seed: int = 0,
) -> Plan:
    """Cut a network into blocks, put them into arrays and the arrays on tiles.

    Parameters
    ----------
    lowered : LoweredNetwork
        Convolutions as their geometry (``take`` of :func:`~neuromorph.lowering.lower` hands them out so); those that
        come listed are unrolled.
    machine : CrossbarMachine
        Its ``chips`` limit the plan; None: as many as it needs.
    rates : mapping of population name to events a step (scalar or by neuron), optional
        Expected activity. Rows of about equal rates share arrays, and busy arrays stand near each other.
    events : mapping of population name to (steps, neurons), optional
        Events of a run (int arrays of equal length) from which rows that are active in the same steps are brought
        together; populations that are missing count by their rates.
    order : {"activity", "given"}
        Whether rows are ordered by activity, or stay in the order of lines.
    convolution : {"auto", "unrolled", "stationary"}
        Every output position has cells of its own, or the kernel is stored once and read for one position after
        another. "auto": whatever takes fewer reads of arrays in a step, and stationary if the rest needs more chips
        than there are (than one, if the machine does not say).
    replicate : int or "auto"
        Copies of each stationary kernel, which share its passes; "auto": those with most passes for each copy are
        copied while the chips have room.
    share : {"auto", "turns", True, False}
        Blocks in one array. True: where one read serves all (no row and no column in common). "turns": packed tightly;
        those that share rows or columns are read one after another. "auto": in turns only if that needs fewer chips.
        False: an array for each block.
    rules : Rules, optional
        Where blocks may lie; default: :meth:`Rules.of` the machine.
    seed : int
        Of the order of rows and the placement.

    Raises
    ------
    MappingError
        A projection is plastic, or the network does not fit the chips, or an option, the rules or a rate are wrong.
    """
    refuse(lowered)
    _check_options(order=order, convolution=convolution, share=share, replicate=replicate)
    limits = Rules.of(machine) if rules is None else rules
    limits.check(machine)
    height, width = limits.height(machine), limits.width(machine)
    kept = _stationary(lowered, machine, convolution, height, width)
    matrices = matrices_of(lowered, multapses="rows" if machine.cell_levels is None else "add", kept=kept)
    names = [population.name for population in lowered.populations]
    sizes = [population.size for population in lowered.populations]
    steps = check_activity(rates, events, names, sizes)
    rate = [line_rates(matrix, names, rates, steps, events) for matrix in matrices]
    groups = [column_groups(matrix, height, width) for matrix in matrices]
    plain = [cut(matrix, groups[matrix.index], height) for matrix in matrices]
    tiles = plain
    if order == "activity" and (rates is not None or events is not None):
        slots = row_slots(matrices, names, rate, events, height, seed)
        tiles = [cut(matrix, groups[matrix.index], height, slots[matrix.index]) for matrix in matrices]
    copies = _copies(matrices, tiles, machine, replicate)
    blocks = blocks_of_tiles(matrices, tiles, copies)
    cells = machine.cells_per_weight
    packing = _pack(blocks, cells, machine, limits, share)
    if machine.chips is not None and packing.arrays > machine.chips * machine.arrays:
        raise _too_large(lowered, machine, matrices, blocks, packing.arrays)
    blocks = replace(
        blocks,
        array=_in_order(packing.array),
        row_first=packing.row_first,
        column_first=packing.column_first,
        turn=packing.turn,
    )
    activity = Activity(
        given=silent_share(blocks_of_tiles(matrices, plain, copies), matrices, names, rate, steps, events),
        planned=silent_share(blocks, matrices, names, rate, steps, events),
        basis="events" if events is not None else "rates" if rates is not None else "none",
    )
    reads = block_activity(blocks, matrices, rate)
    placed = place_arrays(blocks, matrices, rate, reads, machine, packing.arrays, seed)
    return Plan(
        machine=machine,
        network=lowered.name,
        matrices=matrices,
        blocks=blocks,
        arrays=packing.arrays,
        tile_of_array=placed.tile_of_array,
        chips=max(1, -(-packing.arrays // machine.arrays)),
        cells_per_weight=cells,
        rules=limits,
        order=order,
        convolution=convolution,
        seed=seed,
        activity=activity,
        hops=(placed.hops_before, placed.hops),
    )


OPTIONS: Mapping[str, tuple[object, ...]] = {
    "order": ("activity", "given"),
    "convolution": ("auto", "unrolled", "stationary"),
    "share": ("auto", "turns", True, False),
    "replicate": ("auto",),
}


def _check_options(**options: object) -> None:
    """Refuse values that no option has; copies may also be a number."""
    for name, value in options.items():
        number = isinstance(value, int) and not isinstance(value, bool)
        if name == "replicate" and number and value >= 1:  # type: ignore[operator]
            continue
        if number or value not in OPTIONS[name]:
            choices = ", ".join(map(repr, OPTIONS[name])) + (" or a whole number of at least 1" * (name == "replicate"))
            raise MappingError(f"crossbar plan: {name} is {value!r}; it can be {choices}", **{name: value})


@dataclass(frozen=True)
class _Choice:
    """A convolution both ways: tiles and passes."""

    projection: int
    unrolled: int
    stationary: int
    passes: int


def _stationary(
    lowered: LoweredNetwork, machine: CrossbarMachine, convolution: Convolution, height: int, width: int
) -> frozenset[int]:
    """Projections whose kernel is stored once."""
    choices = []
    for synapses in lowered.projections:
        window = synapses.geometry
        if window is None or synapses.count == 0:
            continue
        unrolled, kept = unrolled_tiles(window, height, width), stationary_tiles(window, height, width)
        choices.append(_Choice(synapses.index, unrolled, kept, window.y.out * window.x.out))
    if convolution != "auto":
        return frozenset(c.projection for c in choices if convolution == "stationary")
    flat = [c for c in choices if c.unrolled < c.stationary * c.passes]
    others = sum(c.stationary for c in choices if c not in flat)
    for synapses in lowered.projections:
        if synapses.geometry is None and synapses.row_ptr is None:
            others += -(-synapses.n_pre // height) * -(-synapses.n_post // width)
        elif synapses.geometry is None:  # at the best
            others += -(-synapses.count // (height * width))
    room = (machine.chips or 1) * machine.arrays - others
    flat.sort(key=lambda c: c.unrolled)
    while flat and sum(c.unrolled for c in flat) > room:
        room -= flat.pop().stationary
    return frozenset(c.projection for c in choices if c not in flat)


def _copies(
    matrices: Sequence[Matrix], tiles: Sequence[Tiles], machine: CrossbarMachine, replicate: int | Literal["auto"]
) -> list[int]:
    """Copies of each matrix: stationary kernels only, and never more than passes."""
    if replicate != "auto":
        return [max(1, min(int(replicate), matrix.passes)) for matrix in matrices]
    copies = [1] * len(matrices)
    used = sum(len(t) for t in tiles)
    room = (machine.chips or max(1, -(-used // machine.arrays))) * machine.arrays - used
    waiting = [(-float(m.passes), m.index) for m in matrices if m.passes > 1 and len(tiles[m.index])]
    heapify(waiting)
    while waiting:
        _, m = waiting[0]
        room -= len(tiles[m])
        if room < 0:
            break
        copies[m] += 1
        left = matrices[m].passes / copies[m]
        heapreplace(waiting, (-left if left > 1.0 else 0.0, m))
        if waiting[0][0] >= -1.0:
            break
    return copies


def blocks_of_tiles(matrices: Sequence[Matrix], tiles: Sequence[Tiles], copies: Sequence[int]) -> Blocks:
    """Every tile and its copies, still without places."""
    matrix, replica, rows, columns, sizes, listed = [], [], [], [], [], []
    lists = 0
    for m, (each, n) in enumerate(zip(tiles, copies, strict=True)):
        matrix.append(np.full(len(each) * n, m, np.int32))
        replica.append(np.repeat(np.arange(n, dtype=np.int32), len(each)))
        rows.append(np.tile(each.row_list + lists, n))
        columns.append(np.tile(each.column_list + lists, n))
        sizes.append(np.diff(each.list_ptr))
        listed.append(each.listed)
        lists += len(each.list_ptr) - 1

    def joined(arrays: list[npt.NDArray[np.int32]]) -> npt.NDArray[np.int32]:
        one: npt.NDArray[np.int32] = np.concatenate([np.zeros(0, np.int32), *arrays])
        return one

    of = joined(matrix)
    nowhere = np.zeros(len(of), np.int32)
    ptr = np.concatenate([[0], np.cumsum(np.concatenate([np.zeros(0, np.int64), *sizes]))]).astype(np.int64)
    return Blocks(
        matrix=of,
        array=nowhere,
        row_first=nowhere,
        column_first=nowhere,
        replica=joined(replica),
        turn=nowhere,
        row_list=joined(rows),
        column_list=joined(columns),
        list_ptr=ptr,
        listed=joined(listed),
    )


def _pack(
    blocks: Blocks, cells: int, machine: CrossbarMachine, rules: Rules, share: bool | Literal["auto", "turns"]
) -> Packing:
    """Places of the blocks, as ``share`` asks."""
    heights, widths = blocks.heights, blocks.widths * cells
    if not share or not len(heights):
        return alone(heights, widths, machine, rules)
    loose = side_by_side(heights, widths, machine, rules)
    least = -(-int((heights * widths).sum()) // (machine.rows * machine.columns))
    chips, needed = -(-loose.arrays // machine.arrays), -(-least // machine.arrays)
    if share is True or (share == "auto" and chips <= needed):
        return loose
    owner = blocks.matrix * (1 + int(blocks.replica.max(initial=0))) + blocks.replica
    tight = in_turns(heights, widths, owner.astype(np.int32), blocks.row_list, machine, rules)
    if share == "auto" and -(-tight.arrays // machine.arrays) >= chips:
        return loose
    return tight


def _in_order(array: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Arrays numbered in the order of their first blocks, so that those of a matrix stand together."""
    _, first, inverse = np.unique(array, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int32)
    number[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return number[inverse.ravel()]


def _too_large(
    lowered: LoweredNetwork, machine: CrossbarMachine, matrices: Sequence[Matrix], blocks: Blocks, arrays: int
) -> MappingError:
    """The error for a network that needs more arrays than there are."""
    assert machine.chips is not None
    count = np.bincount(blocks.matrix, minlength=len(matrices))
    most = sorted(matrices, key=lambda m: -int(count[m.index]))[:3]
    named = ", ".join(f"{m.name} ({m.rows:,} x {m.columns:,}) {count[m.index]:,}" for m in most)
    needed = -(-arrays // machine.arrays)
    return MappingError(
        f"network {lowered.name} needs {arrays:,} arrays of {machine.rows} x {machine.columns} cells, and "
        f"{machine.chips} chip(s) of {machine.name} have {machine.chips * machine.arrays:,}; most blocks: {named}; "
        f"give chips={needed}, or convolution='stationary', fewer copies or fewer weight bits",
        arrays=arrays,
        available=machine.chips * machine.arrays,
        chips=needed,
    )
