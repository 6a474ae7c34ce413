"""``calibrate``: run data through a network on ideal converters, look at what they see, and choose their ranges by it.

Graded inputs first: what their values are decides what a code is worth. Then, with those codes, the sums of columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..machine.wtm2101 import Limits
from ..machine.wtm2101_gain import choose_gains
from .choose import Chosen, Method, Quality, check_method, choose_ranges, judge, share_steps
from .ranges import Ranges

if TYPE_CHECKING:
    from neuromorph.network import Network
    from neuromorph.units import Quantity

    from ..machine.machine import CrossbarMachine
    from ..plan.plan import Plan
    from ..program import CrossbarProgram
    from ..target import Crossbar

_Floats = npt.NDArray[np.float64]


def calibrate(
    target: Crossbar,
    network: Network,
    dt: Quantity,
    run: Callable[[CrossbarProgram], Any],
    *,
    method: Method = "mse",
    per: Literal["matrix", "block"] = "matrix",
    share: float = 0.001,
    shifts: bool = False,
) -> Ranges:
    """Ranges of the converters of a network on a crossbar, from data.

    Parameters
    ----------
    target : Crossbar
        Its machine, effects and seed are those of the chip that is calibrated: errors of its cells are seen as well.
    network : Network
    dt : Quantity
        Length of a step.
    run : function of a CrossbarProgram
        Drives data through the network with the program's ``run``, ``run_batch`` or ``live``. It is called once, and
        once more if graded events drive the arrays.
    method : {"max", "percentile", "mse"}
        See :func:`.choose_ranges`. On WTM2101 gains are chosen instead, always for the smallest error.
    per : {"matrix", "block"}
        Whether all blocks of a matrix share a range, or each converter serves its own block. Every digit of sliced
        weights has its own either way.
    share : float
        What "percentile" leaves out.
    shifts : bool
        The steps of a weight's digits are powers of two of one another, so that shifts and additions combine codes.

    Returns
    -------
    Ranges
        For ``Crossbar(ranges=...)``; saved with :meth:`.Ranges.save`.

    Raises
    ------
    MappingError
        Nothing is to be calibrated, or an option is unknown; before anything runs.
    """
    machine = target.built
    _check(target, machine, method, per)
    program = replace(target, ranges=None).compile(network, dt, observe=True)
    run(program)
    plan, observed = program.plan, program.observed
    scale = _input_scales(program, machine, method, share)
    if np.any(scale != observed.input_scale):
        program = replace(target, ranges=_inputs_only(plan, scale)).compile(network, dt, observe=True)
        run(program)
        observed = program.observed
    owner = np.arange(len(plan.blocks)) if per == "block" else plan.blocks.matrix.astype(np.int64)
    owners = len(plan.blocks) if per == "block" else len(plan.matrices)
    digits = machine.slices
    group = (owner[:, None] * digits + np.arange(digits)).ravel()
    seen = observed.sums.merged(group, owners * digits)
    said = f"percentile {100.0 * (1.0 - share):g}" if method == "percentile" else method
    none = np.zeros(len(seen))
    if machine.adc.bits is None or not target.on.adc:
        chosen, quality = Chosen(none, none + 1.0, 0), Quality(seen.number, none.astype(np.int64), none, none)
    elif machine.arithmetic == "wtm2101":
        gains = choose_gains(seen, Limits.of(machine.constants), spikes=~_graded(program))
        step = gains.gain / gains.code
        quality = replace(judge(seen, Chosen(-128.0 * step, step, 255)), mse=gains.mse)
        scale, said = scale / gains.code, "gains of least error"
        gain = gains.gain.astype(np.float64)
        chosen = Chosen(-128.0 * gain, gain, 255)
    else:
        chosen = choose_ranges(seen, machine.adc.bits, method, share=share)
        if shifts and digits > 1:
            combine = 2.0 ** ((machine.cell_bits or 0) * np.arange(digits))
            each = np.arange(len(seen))
            chosen = share_steps(seen, chosen, each % digits, each // digits, combine)
        quality = judge(seen, chosen)
    clipped = quality.saturated / np.maximum(quality.number, 1)
    found = (chosen.lo, chosen.step, clipped, quality.mse, quality.variance)
    names = tuple(matrix.name for matrix in plan.matrices)
    return Ranges(
        plan.network, machine.name, said, per, names, scale, plan.blocks.matrix.astype(np.int64),
        *(np.reshape(each, (owners, digits))[owner].astype(np.float64) for each in found),
    )  # fmt: skip


def _check(target: Crossbar, machine: CrossbarMachine, method: str, per: str) -> None:
    check_method(method)
    if per not in ("matrix", "block"):
        raise MappingError(f"calibration: per is {per!r}; it must be 'matrix' or 'block'")
    on = target.on
    if not (on.adc and machine.adc.bits is not None) and not (on.dac and machine.dac.bits is not None):
        raise MappingError(
            f"calibration of {machine.name}: its converters are ideal, so there are no ranges to choose. Switch on the "
            "effects dac and adc, or take another machine",
            machine=machine.name,
        )
    if machine.arithmetic == "wtm2101" and per == "block":
        raise MappingError(f"calibration of {machine.name}: a layer has one gain; give per='matrix'")


def _inputs_only(plan: Plan, scale: _Floats) -> Ranges:
    """Ranges that only say what codes of inputs are worth."""
    none = np.zeros((len(plan.blocks), plan.machine.slices))
    names = tuple(matrix.name for matrix in plan.matrices)
    return Ranges(
        plan.network, plan.machine.name, "inputs", "matrix", names, scale, plan.blocks.matrix.astype(np.int64),
        none, none + 1.0, none, none, none,
    )  # fmt: skip


def _graded(program: CrossbarProgram) -> npt.NDArray[np.bool_]:
    """Which matrices any graded events drive."""
    populations = program.lowered.populations
    return np.array([any(populations[k].graded for k in matrix.sources) for matrix in program.plan.matrices], np.bool_)


def _input_scales(program: CrossbarProgram, machine: CrossbarMachine, method: Method, share: float) -> _Floats:
    """What a code of each matrix is worth, from the values of the events that came."""
    scale = np.ones(len(program.plan.matrices))
    where = np.flatnonzero(_graded(program))
    if machine.input_bits is None or machine.dac.bits is None or not len(where):
        return scale
    values = program.observed.values
    for k in where:
        one = values.part(slice(k, k + 1))
        signed = bool(one.low[0] < 0.0)
        chosen = choose_ranges(one, machine.input_bits + signed, method, share=share, symmetric=signed)
        scale[k] = float(chosen.step[0])
    return scale
