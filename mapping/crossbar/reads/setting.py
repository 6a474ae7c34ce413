"""What the reads of each matrix are like: codes and phases of its inputs, ranges and rules of its converters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TargetError
from neuromorph.lowering.program import LoweredNetwork

from ..converters.converters import adc_range
from ..machine.machine import INPUT_CODES
from ..machine.wtm2101 import Limits
from ..machine.wtm2101_gain import covering_gain
from ..target import READOUTS, Readout
from .readback import digit_of, paired, told_apart, whole_weights, window

if TYPE_CHECKING:
    from ..cells.chip import Chip
    from ..converters.ranges import Ranges
    from ..plan.plan import Matrix

Floats = npt.NDArray[np.float64]

LINEAR, CHARGE, WTM2101 = range(3)
SEED = 0x6E6F697365  # so that columns and neurons with the same seed and number do not draw the same


@dataclass(frozen=True, eq=False)
class Reading:
    """What a target asks of all reads.

    Attributes
    ----------
    readout : str
        One of :data:`.target.READOUTS`.
    seed : int
        Of read noise.
    ranges : Ranges or None
    inputs : mapping of population index to float
        Largest magnitude of its events' values, where it is known.
    observing : bool
        Converters of columns are ideal, and histograms are made of what they see. So are DACs if no ranges are given.
    """

    readout: Readout
    seed: int
    ranges: Ranges | None
    inputs: Mapping[int, float]
    observing: bool = False


@dataclass(frozen=True, eq=False)
class Setting:
    """What the reads of one matrix are like.

    Attributes
    ----------
    computing : bool
        Whether sums are taken read by read; else the way from events to sums is linear, and cells are read back.
    graded : bool
        Whether inputs have codes of several bits; spikes are code 1 in one phase, but on WTM2101, where any code may
        stand for them.
    rounding : int
        0: codes are not rounded; else they are, to whole numbers of at most ``most``, and the machine's ``input_code``
        says what becomes of them, as :data:`.converter_kernels.BINARY` and what follows it number it.
    most : int
        Largest magnitude of a code.
    input_scale : float
        Value of code 1.
    phases, dac_bits : int
        Digits of a code, and bits of each.
    split : bool
        Negative inputs take phases of their own.
    readout, rule : int
        As the kernels number them.
    adc_bits, top : int
        Bits of a conversion, 0 if ideal; largest code or count, 0 if nothing is converted.
    noisy : int
        Read noise: 0 none, 1 the same in all cells of a block, 2 by cell.
    distorted : bool
        Whether converters have offsets or errors of gain.
    observing : bool
    seed : int
    span : float
        Largest possible sum less the smallest for one row at code 1; 0 if cells hold any value.
    worth : float
        What a sum of codes is worth in the unit of the port.
    lo, step : float64 (blocks of the plan, digits) or None
    conductance : sequence of float64 (rows,)
        Of the rows of each block of the plan, S.
    input_bits : int
        Bits that an event's code takes in an input register.
    """

    computing: bool
    graded: bool
    rounding: int
    most: int
    input_scale: float
    phases: int
    dac_bits: int
    split: bool
    readout: int
    rule: int
    adc_bits: int
    top: int
    noisy: int
    distorted: bool
    observing: bool
    seed: int
    span: float
    worth: float
    lo: Floats | None
    step: Floats | None
    conductance: Sequence[Floats]
    input_bits: int

    @property
    def charge(self) -> bool:
        """Whether comparators keep charge from step to step."""
        return self.computing and self.rule == CHARGE

    def numbers(self) -> dict[str, int]:
        """What kernels take as numbers."""
        return {
            "computing": int(self.computing), "graded": int(self.graded), "rounding": self.rounding,
            "least": -self.most, "most": self.most, "phases": self.phases, "dac_bits": self.dac_bits,
            "split": int(self.split), "readout": self.readout, "rule": self.rule, "adc_bits": self.adc_bits,
            "top": self.top, "noisy": self.noisy, "distorted": int(self.distorted), "observing": int(self.observing),
            "seed": self.seed, "input_bits": self.input_bits,
        }  # fmt: skip


def make_settings(chip: Chip, lowered: LoweredNetwork, reading: Reading) -> tuple[Setting, ...]:
    """The settings of every matrix of a chip.

    Raises
    ------
    TargetError
        Values of graded events are not known and DACs need them, listed for all matrices.
    MappingError
        Ranges that are those of another network, machine or plan.
    """
    plan, effects, machine = chip.plan, chip.effects, chip.machine
    converting = effects.adc and machine.adc.bits is not None and not reading.observing
    conductance = _row_conductances(chip)
    given = _ranges(chip, reading) if converting else None
    graded = [any(lowered.populations[k].graded for k in matrix.sources) for matrix in plan.matrices]
    integer = machine.arithmetic == "wtm2101"
    scales = [_input_scale(chip, reading, matrix) if graded[matrix.index] else 1.0 for matrix in plan.matrices]
    _require_scales(chip, lowered, scales)
    settings = []
    for matrix in plan.matrices:
        many = graded[matrix.index] or integer
        bit_serial = machine.input_bits is not None and machine.dac.bits is not None
        noisy = _noisy(chip)
        phases = machine.phases if many else 1
        dac_bits = (machine.dac.bits or 1) if many else 1
        scale = scales[matrix.index]
        assert scale is not None
        lo, step = given or (None, None)
        if integer and not graded[matrix.index] and reading.ranges is not None:
            scale = float(reading.ranges.input_scale[matrix.index])
        if converting and given is None and integer:
            lo, step, code = _covering_gain(chip, matrix, spikes=not graded[matrix.index])
            scale = scale if graded[matrix.index] else 1.0 / code
        elif converting and given is None:
            most = float(2**dac_bits - 1) if bit_serial or not many else _largest(matrix, reading)
            lo, step = _full_ranges(chip, matrix, most, signed=many and machine.signed_inputs == "signed")
        rule = WTM2101 if integer else LINEAR
        comparing = reading.readout == "comparator" and converting
        rounding = many and effects.dac and bit_serial and not (reading.observing and reading.ranges is None)
        linear = not (converting or rounding or noisy or reading.observing)
        settings.append(
            Setting(
                computing=not linear or (matrix.whole and not whole_weights(chip, matrix)),
                graded=many,
                rounding=1 + INPUT_CODES.index(machine.input_code) if rounding else 0,
                most=2 ** (machine.input_bits or 1) - 1,
                input_scale=scale,
                phases=phases,
                dac_bits=dac_bits,
                split=many and machine.signed_inputs == "split",
                readout=READOUTS.index(reading.readout),
                rule=CHARGE if comparing else rule,
                adc_bits=machine.adc.bits or 0,
                top=2 ** (machine.adc.bits or 0) - 1 if converting else 0,
                noisy=noisy,
                distorted=converting and bool(effects.adc_offset or effects.adc_gain),
                observing=reading.observing,
                seed=(reading.seed ^ SEED) & (2**63 - 1),
                span=_span(chip, matrix, many),
                worth=float(chip.scale[matrix.index]) * (1.0 if matrix.scale is None else matrix.scale) * scale,
                lo=lo,
                step=step,
                conductance=conductance,
                input_bits=((machine.input_bits or 32) + 1) if many else 1,
            )
        )
    return tuple(settings)


def _ranges(chip: Chip, reading: Reading) -> tuple[Floats, Floats] | None:
    if reading.ranges is None:
        return None
    plan = chip.plan
    names = tuple(matrix.name for matrix in plan.matrices)
    lo, step = reading.ranges.of(plan.network, chip.machine.name, names, plan.blocks.matrix)
    return lo, np.maximum(np.rint(step), 1.0) if chip.machine.arithmetic == "wtm2101" else step


def _row_conductances(chip: Chip) -> list[Floats]:
    """Conductance of each row of every block, S."""
    ptr, order = chip.plan.array_blocks
    found = [np.zeros(0)] * len(order)
    for array in range(chip.plan.arrays):
        cells = chip.conductance(array)
        for b in order[ptr[array] : ptr[array + 1]]:
            found[b] = window(chip, cells, chip.plan.blocks[int(b)]).sum(axis=(1, 2))
    return found


def _input_scale(chip: Chip, reading: Reading, matrix: Matrix) -> float | None:
    """Value of code 1; None if it is not known and decides results."""
    machine, effects = chip.machine, chip.effects
    if machine.input_bits is None or machine.dac.bits is None or (reading.observing and reading.ranges is None):
        return 1.0
    if reading.ranges is not None:
        return float(reading.ranges.input_scale[matrix.index])
    most = float(2**machine.input_bits - 1)
    if all(k in reading.inputs for k in matrix.sources):
        return (_largest(matrix, reading) or 1.0) / most
    if effects.dac or (effects.adc and machine.adc.bits is not None):
        return None
    return 1.0 / most  # only counts depend on it


def _largest(matrix: Matrix, reading: Reading) -> float:
    return max(reading.inputs[k] for k in matrix.sources)


def _require_scales(chip: Chip, lowered: LoweredNetwork, scales: Sequence[float | None]) -> None:
    unknown = [matrix for matrix, scale in zip(chip.plan.matrices, scales, strict=True) if scale is None]
    if not unknown:
        return
    names = sorted({lowered.populations[k].name for m in unknown for k in m.sources if lowered.populations[k].graded})
    raise TargetError(
        f"Crossbar: inputs of {', '.join(m.name for m in unknown)} have {chip.machine.input_bits} bits, and nothing "
        f"says how large the events of {', '.join(names)} get. Give profile=1000, to look at so many steps on the CPU "
        "(more, if they are silent in those), or ranges=calibrate(...)",
        populations=tuple(names),
    )


def _noisy(chip: Chip) -> int:
    if not chip.effects.read_noise or not any(np.any(each) for each in chip.sigma):
        return 0
    return 1 if all(np.ndim(each) == 0 for each in chip.sigma) else 2


def _span(chip: Chip, matrix: Matrix, graded: bool) -> float:
    machine = chip.machine
    if machine.cell_levels is None:
        return 0.0
    both = paired(chip) or machine.encoding == "signed" or (graded and machine.signed_inputs == "signed")
    return float(chip.top[matrix.index]) * (2.0 if both else 1.0)


def _full_ranges(chip: Chip, matrix: Matrix, most: float, *, signed: bool) -> tuple[Floats, Floats]:
    """Ranges that cover the sums that a block can bring when all its rows are driven with ``most``.

    Steps are whole where sums of ideal cells are. Where half of the codes that would be needed for a step of 1 are
    there, the step is 1 and the rest is clipped: sums of half the rows at full level are rare, and codes of higher
    digits must be exact. (ISAAC saves that bit, too, by its encoding.)
    """
    plan, machine = chip.plan, chip.machine
    shape = (len(plan.blocks), machine.slices)
    lo, step = np.zeros(shape), np.ones(shape)
    bits = machine.adc.bits
    assert bits is not None
    whole = machine.cell_levels is not None and float(most).is_integer()
    for b in plan.blocks_of(matrix.index):
        block = plan.blocks[b]
        held = told_apart(chip, window(chip, chip.held[block.array], block))
        above = most * np.maximum(held, 0.0).sum(axis=0).max(axis=1, initial=0.0)
        below = most * np.minimum(held, 0.0).sum(axis=0).min(axis=1, initial=0.0)
        if signed:
            above = np.maximum(above, -below)
            below = -above
        for digit in range(machine.slices):
            mine = digit_of(chip) == digit
            low, high = float(below[mine].min()), float(above[mine].max())
            if whole:  # what ideal cells would bring, not what each cell's error adds
                low, high = float(np.rint(low)), float(np.rint(high))
            if low == high:
                continue
            if whole and 2**bits - 1 < high - low <= 2 * (2**bits - 1) and bits > 1:
                lo[b, digit] = -float(round((2**bits - 1) * -low / (high - low)))
            else:
                made = adc_range(low, high, bits, whole)
                lo[b, digit], step[b, digit] = made.lo, made.step
    return lo, step


def _covering_gain(chip: Chip, matrix: Matrix, *, spikes: bool) -> tuple[Floats, Floats, int]:
    """WTM2101's range of each block, -128 to 127 gains, and the code of a spike: all sums that can be are covered."""
    plan, limits = chip.plan, Limits.of(chip.machine.constants)
    largest = 0.0
    for b in plan.blocks_of(matrix.index):
        block = plan.blocks[b]
        held = told_apart(chip, window(chip, chip.held[block.array], block))
        sums = np.maximum(held, 0.0).sum(axis=0), np.maximum(-held, 0.0).sum(axis=0)
        largest = max(largest, *(float(each.max(initial=0.0)) for each in sums))
    gain, code = covering_gain(largest * (1 if spikes else limits.input), limits, spikes=spikes)
    step = np.full((len(plan.blocks), chip.machine.slices), float(gain))
    return -128.0 * step, step, code


def known_values(lowered: LoweredNetwork) -> dict[int, float]:
    """Largest magnitude of the events of populations that send spikes or replay values.

    Not of a source that has none yet: its events are given later, live or in a batch.
    """
    found = {}
    for k, population in enumerate(lowered.populations):
        replay: Any = population.replay
        if not population.graded:
            found[k] = 1.0
        elif replay is not None:
            values = replay.table if hasattr(replay, "table") else replay.values
            if np.size(values):
                found[k] = float(np.abs(values).max())
    return found
