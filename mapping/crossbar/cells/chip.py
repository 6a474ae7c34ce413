"""A programmed chip: what every cell holds. Programmed once, it serves many runs, and can be looked at later."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TargetError

from ..machine.effects import Effects
from .clipping import Clip, check_clip, scale_of_matrix
from .levels import Coding, coding, encode
from .plan_difference import plan_difference
from .programming import Cells

if TYPE_CHECKING:
    from ..machine.machine import CrossbarMachine
    from ..plan.plan import Block, Matrix, Plan

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Chip:
    """The arrays of a plan with everything in their cells.

    Values are in level units: 1 is the difference of two neighbouring levels of a cell. Physical cells that belong to
    no block hold 0. Arrays are cut behind the last row and the last column in use.

    Attributes
    ----------
    plan : Plan
    effects : Effects
    seed : int
    scale : float64 (matrices,)
        What a code of each matrix is worth in its weights' own unit.
    top : float64 (matrices,)
        Level that stands for the highest conductance.
    programmed : tuple of float (rows, columns), one for each array
        What the cells held right after programming, without IR drop.
    held : tuple of float (rows, columns)
        What they hold now, IR drop folded in. float32; float64 where cells hold any value of weights that need it.
    sigma : tuple of float32 (rows, columns) or ()
        Standard deviation of one read; without read noise one zero of shape ().
    compensation : float64 (arrays,)
        Digital factor on what the cells of each array sum up to; 1 without global drift compensation.
    adc_offset : float32 (arrays, columns)
        Offset of the converter of each physical column, LSB.
    adc_gain : float32 (arrays, columns)
        Its gain, nominally 1.
    rounds : int64 (arrays, rounds + 1)
        Cells that were programmed so many times, up to the rounds of the verification.
    missed : int64 (arrays,)
        Cells that verification gave up.
    clipped : int64 (matrices,)
        Weights beyond the codes that cells can hold; of every copy of a matrix.
    """

    plan: Plan = field(repr=False)
    effects: Effects
    seed: int
    scale: Float64 = field(repr=False)
    top: Float64 = field(repr=False)
    programmed: tuple[npt.NDArray[Any], ...] = field(repr=False)
    held: tuple[npt.NDArray[Any], ...] = field(repr=False)
    sigma: tuple[Float32, ...] = field(repr=False)
    compensation: Float64 = field(repr=False)
    adc_offset: Float32 = field(repr=False)
    adc_gain: Float32 = field(repr=False)
    rounds: Int64 = field(repr=False)
    missed: Int64 = field(repr=False)
    clipped: Int64 = field(repr=False)

    @property
    def machine(self) -> CrossbarMachine:
        """The machine of the plan."""
        return self.plan.machine

    @cached_property
    def coding(self) -> Coding:
        """How weights stand in cells: ``combine``, ``offset``."""
        return coding(self.machine)

    @cached_property
    def cells(self) -> Cells:
        """How the cells behave."""
        return Cells(self.machine, self.effects, self.seed)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the cells' contents rest on that is not published."""
        return self.cells.remarks

    def at(self, time: float) -> Chip:
        """The same chip at another time, in seconds since programming: same cells, same faults, same drift of each.

        Raises
        ------
        TargetError
            For a time below 0.
        """
        return _settle(self, self.effects.with_(time=float(time)))

    def targets(self, array: int) -> npt.NDArray[Any]:
        """Levels that the cells of an array were given, float (rows, columns); 0 outside of blocks."""
        out = np.zeros_like(self.programmed[array])
        for block in _blocks(self.plan, array):
            matrix = self.plan.matrices[block.matrix]
            out[_window(self.plan, block)] = _levels(matrix, block, self.coding, self.scale, self.effects)[0]
        return out

    def used(self, array: int) -> npt.NDArray[np.bool_]:
        """Which cells of an array belong to a block, bool (rows, columns)."""
        out = np.zeros(self.programmed[array].shape, np.bool_)
        for block in _blocks(self.plan, array):
            out[_window(self.plan, block)] = True
        return out

    def conductance(self, array: int) -> Float64:
        """Conductances of the cells of an array, S, float64 (rows, columns); effective ones where wires are on."""
        machine, low = self.machine, self.cells.low
        out = np.full(self.held[array].shape, low * machine.g_max)
        for block in _blocks(self.plan, array):
            window = _window(self.plan, block)
            size = self.held[array][window].astype(np.float64) * _signs(self, block)
            share = low + size * self.cells.step(self.top[block.matrix])
            out[window] = np.maximum(share, 0.0) * machine.g_max  # float32 may have rounded below 0
        return out

    def statistics(self) -> Statistics:
        """How far what the cells hold is from what they were given, array by array."""
        arrays = range(self.plan.arrays)
        rows = np.array([self._deviation(array) for array in arrays]).reshape(len(arrays), 4).T
        turns = self.rounds @ np.arange(self.rounds.shape[1])
        return Statistics(rows[0].astype(np.int64), rows[1], rows[2], rows[3], turns, self.missed)

    def _deviation(self, array: int) -> tuple[float, float, float, float]:
        error = (self.held[array].astype(np.float64) - self.targets(array))[self.used(array)]
        return error.size, error.mean(), np.sqrt((error**2).mean()), np.abs(error).max()

    def require(self, plan: Plan) -> None:
        """Make sure that the chip was programmed with the very cells of a plan.

        Raises
        ------
        TargetError
            Naming what differs first.
        """
        found = None if plan is self.plan else plan_difference(self.plan, plan)
        if found is not None:
            raise TargetError(
                f"chip: it was programmed with network {self.plan.network}, and this plan of {plan.network} differs: "
                f"{found}; compile without chip=..., which programs one for it"
            )


@dataclass(frozen=True, eq=False)
class Statistics:
    """Deviations of cells from their targets, in levels, and the work of programming them; (arrays,) each.

    Attributes
    ----------
    cells : int64
        Cells that belong to a block.
    mean, rms, worst : float64
        Mean, root of the mean square and largest magnitude of held minus target.
    programmings : int64
        How many times a cell was programmed, all cells together.
    missed : int64
        Cells that verification gave up.
    """

    cells: Int64
    mean: Float64
    rms: Float64
    worst: Float64
    programmings: Int64
    missed: Int64


def program_chip(plan: Plan, effects: Effects | None = None, seed: int = 0, clip: Clip = "max") -> Chip:
    """Program every array of a plan.

    Parameters
    ----------
    plan : Plan
    effects : Effects, optional
        Default: those of the plan's machine.
    seed : int
        One seed is one chip: each draw depends on it and on the place of its cell, and on nothing else.
    clip : {"max", "mse"} or float
        See :data:`.clipping.Clip`.

    Returns
    -------
    Chip

    Raises
    ------
    MappingError
        If the machine's device lacks what an effect needs, or its cells cannot hold the weights.
    """
    on = plan.machine.effects if effects is None else effects
    cells, how = Cells(plan.machine, on, seed), coding(plan.machine)
    cells.prepare()
    check_clip(clip)
    found = [scale_of_matrix(matrix, how, clip if on.quantise else "max") for matrix in plan.matrices]
    scale = np.array([worth for worth, _ in found])
    top = np.array([(largest or 1.0) if how.top is None else how.top for _, largest in found])

    def one(array: int) -> tuple[npt.NDArray[Any], Int64, int, Int64]:
        rounds, missed, clipped = np.zeros(cells.rounds + 1, np.int64), 0, np.zeros(len(plan.matrices), np.int64)
        held = np.zeros((0, 0), np.float32)
        for block in _blocks(plan, array):
            levels, beyond = _levels(plan.matrices[block.matrix], block, how, scale, on)
            window = _window(plan, block)
            held = _room(held, window[0].stop, window[1].stop, levels.dtype)
            written = np.empty_like(levels)
            missed += cells.write(_place(block), levels, top[block.matrix], written, rounds)
            held[window] = written
            clipped[block.matrix] += beyond
        return held, rounds, missed, clipped

    arrays = _each(one, plan.arrays)
    programmed, rounds, missed, clipped = zip(*arrays, strict=True) if arrays else ((), (), (), ())
    nominal = np.broadcast_to(np.float32(1.0), (plan.arrays, plan.machine.columns))
    draft = Chip(
        plan=plan,
        effects=on,
        seed=seed,
        scale=scale,
        top=top,
        programmed=programmed,
        held=programmed,
        sigma=(),
        compensation=np.ones(plan.arrays),
        adc_offset=nominal - nominal,
        adc_gain=nominal,
        rounds=np.array(rounds, np.int64).reshape(plan.arrays, cells.rounds + 1),
        missed=np.array(missed, np.int64),
        clipped=sum(clipped, np.zeros(len(plan.matrices), np.int64)),
    )
    return _settle(draft, on)


def _settle(chip: Chip, effects: Effects) -> Chip:
    """The chip with other effects of time, temperature, wires and converters, from what was programmed."""
    plan, cells = chip.plan, Cells(chip.machine, effects, chip.seed)
    cells.prepare()

    def one(array: int) -> tuple[npt.NDArray[Any], Float32, float]:
        held = chip.programmed[array].copy() if cells.ages else chip.programmed[array]
        sigma = np.zeros(held.shape if effects.read_noise else (), np.float32)
        before = now = 0.0
        for block in _blocks(plan, array) if cells.ages or effects.read_noise else ():
            window, top = _window(plan, block), float(chip.top[block.matrix])
            before += cells.readout(held[window], top, chip.coding.combine) if effects.compensate else 0.0
            if cells.ages:
                levels, _ = _levels(plan.matrices[block.matrix], block, chip.coding, chip.scale, effects)
                cells.age(_place(block), levels, top, held[window])
            now += cells.readout(held[window], top, chip.coding.combine) if effects.compensate else 0.0
            if effects.read_noise:
                cells.noise(held[window] * _signs(chip, block), top, sigma[window])
        return held, sigma, before / now if effects.compensate and now > 0.0 else 1.0

    arrays = _each(one, plan.arrays)
    if not arrays:
        return replace(chip, effects=effects)
    held, sigma, factor = zip(*arrays, strict=True)
    settled = replace(chip, effects=effects, held=held, sigma=sigma, compensation=np.array(factor))
    if effects.adc_offset or effects.adc_gain:
        owner = np.arange(chip.machine.columns) // chip.machine.adc.columns_per_converter
        drawn = np.array([cells.converters(array) for array in range(plan.arrays)])[:, :, owner].astype(np.float32)
        settled = replace(settled, adc_offset=drawn[:, 0], adc_gain=drawn[:, 1])
    return _wired(settled) if effects.wires else settled


def _wired(chip: Chip) -> Chip:
    """The chip with IR drop folded into what its cells hold.

    Rows and columns that no block uses are taken to float. The noise of a cell reaches the output as its signal does,
    to first order.
    """
    from .wires import effective

    machine = chip.machine
    rest = (machine.rows, machine.r_column) if machine.drive == "rows" else (machine.columns, machine.r_row)
    axis = 0 if machine.drive == "rows" else 1

    def one(array: int) -> tuple[npt.NDArray[Any], Float32]:
        held, sigma = chip.held[array].copy(), chip.sigma[array]
        plain = chip.conductance(array)
        behind = (rest[0] - held.shape[axis]) * rest[1]
        seen = effective(plain, machine.r_row, machine.r_column, machine.drive, r_sense=behind)
        passed = np.divide(seen, plain, out=np.ones_like(plain), where=plain > 0.0)
        for block in _blocks(chip.plan, array):
            window = _window(chip.plan, block)
            step = chip.cells.step(float(chip.top[block.matrix])) * machine.g_max
            held[window] = (seen[window] - chip.cells.low * machine.g_max) / step * _signs(chip, block)
        return held, sigma if sigma.ndim == 0 else (sigma * passed).astype(np.float32)

    held, sigma = zip(*_each(one, chip.plan.arrays), strict=True)
    return replace(chip, held=held, sigma=sigma)


def _each(work: Callable[[int], Any], arrays: int) -> list[Any]:
    """Results of some work for every array, on all processors: compiled loops leave Python alone."""
    with ThreadPoolExecutor(max(1, min(arrays, os.cpu_count() or 1))) as pool:
        return list(pool.map(work, range(arrays)))


def _blocks(plan: Plan, array: int) -> Iterator[Block]:
    ptr, order = plan.array_blocks
    return (plan.blocks[int(k)] for k in order[ptr[array] : ptr[array + 1]])


def _window(plan: Plan, block: Block) -> tuple[slice, slice]:
    """Physical rows and columns of a block."""
    width = len(block.columns) * plan.cells_per_weight
    rows = slice(block.row_first, block.row_first + len(block.rows))
    return rows, slice(block.column_first, block.column_first + width)


def _place(block: Block) -> tuple[int, int, int]:
    return block.array, block.row_first, block.column_first


def _room(held: npt.NDArray[Any], rows: int, columns: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The array, large and wide enough for one more block."""
    shape = max(rows, held.shape[0]), max(columns, held.shape[1])
    dtype = np.result_type(held, dtype)
    if shape == held.shape and dtype == held.dtype:
        return held
    larger = np.zeros(shape, dtype)
    larger[: held.shape[0], : held.shape[1]] = held
    return larger


def _levels(
    matrix: Matrix, block: Block, how: Coding, scale: Float64, effects: Effects
) -> tuple[npt.NDArray[Any], int]:
    """What the cells of a block are given, and how many weights were clipped."""
    weights = matrix.dense(block.rows, block.columns)
    encoded = encode(weights, how, float(scale[block.matrix]), quantise=effects.quantise)
    return encoded.levels, encoded.clipped


def _signs(chip: Chip, block: Block) -> npt.NDArray[Any] | np.float32:
    """What turns levels of the cells of a block into those of their conductances: -1 where a signed cell is negative.

    (What a cell holds does not tell: a little below level 0 it has the other sign.)
    """
    if chip.machine.encoding != "signed":
        return np.float32(1.0)
    levels, _ = _levels(chip.plan.matrices[block.matrix], block, chip.coding, chip.scale, chip.effects)
    return np.where(levels < 0.0, np.float32(-1.0), np.float32(1.0))
