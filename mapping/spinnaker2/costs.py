"""Cycles of the software on a PE, from exact operation counts and the machine's constants."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from neuromorph.language.expr import Type
from neuromorph.lowering.program import LoweredNetwork, LoweredPopulation, StepProgram
from neuromorph.network.synapses import Synapses

from ..constants import Constants
from .layout import BYTE, Layout, offsets
from .memory import Rates, neuron_rates
from .options import WORD
from .plastic.footprints import Footprint

_FLOAT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "add": ("float_add",),
        "sub": ("float_add",),
        "mul": ("float_mul",),
        "div": ("float_div",),
        "sqrt": ("float_sqrt",),
        "neg": ("float_add",),
        "abs": ("float_add",),
        "min": ("float_compare", "select"),
        "max": ("float_compare", "select"),
        "floor": ("float_convert", "float_convert", "float_compare", "select"),
        "rint": ("float_convert", "float_convert"),
        "trunc": ("float_convert", "float_convert"),
        "to_int": ("float_convert",),
        "to_float": ("float_convert",),
        "exp2i": ("int_add", "shift"),
        "exponent": ("shift", "int_add"),
        "mantissa": ("logic", "logic"),
    }
)
_INT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "add": ("int_add",),
        "sub": ("int_add",),
        "mul": ("int_mul",),
        "neg": ("int_add",),
        "abs": ("int_add", "select"),
        "min": ("int_add", "select"),
        "max": ("int_add", "select"),
        "shr": ("shift",),
        "shl": ("shift",),
        "truncdiv": ("int_div",),
        "bitand": ("logic",),
        "to_float": ("float_convert",),
    }
)
_COMPARE = ("lt", "le", "gt", "ge", "eq", "ne")
_PORT_BUFFER = ("load", "store")  # read a ring slot, clear it


def op_cycles(program: StepProgram, constants: Constants) -> dict[str, int]:
    """Cycles of one neuron's step by operation code: each operation of the program counted once.

    Constants stay in registers or cost a load; which of them the compiler would keep is not modelled. A Poisson draw
    counts as one exponential and one random number.
    """
    totals = cycles_of(program, program.used, constants)
    totals["store"] = len(program.new_states) * constants.count("cycles.store")
    totals["loop"] = constants.count("cycles.neuron")
    return totals


def cycles_of(
    program: StepProgram, used: Collection[int], constants: Constants, port: tuple[str, ...] = _PORT_BUFFER
) -> dict[str, int]:
    """Cycles of some operations of a program by operation code; reading a port costs the kinds given."""
    cost = {name.removeprefix("cycles."): int(c.si) for name, c in constants.items() if name.startswith("cycles.")}
    totals: dict[str, int] = {}
    for number in sorted(used):
        op = program.ops[number]
        if op.code in ("const", "step"):
            continue
        kinds: tuple[str, ...]
        if op.code in ("state", "param"):
            kinds = ("load",)
        elif op.code == "port":
            kinds = port
        elif op.code == "random":
            kinds = ("random",)
        elif op.code == "poisson":
            kinds = ("exp", "random", "float_mul")
        elif op.code in _COMPARE:
            kinds = ("float_compare",) if program.ops[op.args[0]].type == Type.FLOAT else ("int_add",)
        elif op.code in ("and", "or", "not"):
            kinds = ("logic",)
        elif op.code == "select":
            kinds = ("select",)
        else:
            source = program.ops[op.args[0]].type
            kinds = (_FLOAT if Type.FLOAT in (op.type, source) else _INT)[op.code]
        totals[op.code] = totals.get(op.code, 0) + sum(cost[kind] for kind in kinds)
    return totals


def neuron_cycles(population: LoweredPopulation, constants: Constants) -> int:
    """Cycles to update one neuron of a population once; a replayed source costs its loop control."""
    if population.program is None:
        return constants.count("cycles.neuron")
    return sum(op_cycles(population.program, constants).values())


def synapse_cycles(synapses: Synapses, layout: Layout, constants: Constants) -> int:
    """Cycles to apply one synapse: more where its fields are no whole bytes, and more where SPARK's code is read."""
    form = layout.projections[synapses.index]
    total = constants.count("cycles.synaptic_event")
    if form.weight_bits % BYTE or (form.kind != "kernel" and layout.sources[synapses.pre].bit_rows):
        total += constants.count("cycles.bit_field")
    if form.stored == "spark":
        total += constants.count("cycles.spark_code")
    return total


def neuron_work(
    lowered: LoweredNetwork, layout: Layout, constants: Constants, rates: Rates | None
) -> npt.NDArray[np.float64]:
    """Cycles that each neuron is expected to need in a step: its update, its synapses, its packets; float64 (n,)."""
    each = neuron_rates(lowered, rates)
    send = constants.count("cycles.packet_send")
    work = [
        np.full(p.size, float(neuron_cycles(p, constants))) + rate * send
        for p, rate in zip(lowered.populations, each, strict=True)
    ]
    for s in lowered.projections:
        if isinstance(s, Footprint) and s.seen:
            continue
        rate, synapse = each[s.pre], synapse_cycles(s, layout, constants)
        if s.targets is None or s.row_ptr is None:
            work[s.post] += synapse * float(rate.sum())
        else:
            sources = np.repeat(rate, np.diff(s.row_ptr))
            work[s.post] += synapse * np.bincount(s.targets, weights=sources, minlength=s.n_post)
    return np.concatenate([np.zeros(0), *work])


def record_words(population: LoweredPopulation, layout: Layout, index: int) -> float:
    """Words that one neuron writes to the recording buffer in a step, on average."""
    return layout.populations[index].recording / layout.options.flush / WORD


class Schedule(NamedTuple):
    """Cycles of each PE's own work, sending excepted.

    Attributes
    ----------
    before : int64 (n,)
        From the start of the step until a neuron's update is done.
    update : int64 (parts,)
        Until all are done, everything below included.
    record : int64 (parts,)
        Of them: copying to the recording buffer.
    dma : int64 (parts,)
        Of them: setting transfers up (that of a full recording buffer spread over the flush interval), and waiting for
        the rows of tables.
    """

    before: npt.NDArray[np.int64]
    update: npt.NDArray[np.int64]
    record: npt.NDArray[np.int64]
    dma: npt.NDArray[np.int64]


def update_schedule(
    lowered: LoweredNetwork,
    layout: Layout,
    part: npt.NDArray[np.int32],
    parts: int,
    constants: Constants,
    waits: npt.NDArray[np.int64] | None = None,
) -> Schedule:
    """When each neuron is updated on its PE.

    A PE wakes, fetches the next events of replayed sources by DMA, updates its neurons population by population in
    ascending order, writes the recording buffer, and sends as it goes.

    Parameters
    ----------
    waits : int64 (parts,), optional
        Cycles until the rows that sources look up have arrived.
    """
    first = offsets(lowered)
    n = int(first[-1])
    each = np.empty(n, np.int64)
    words = np.zeros(parts)
    fetch = np.zeros(parts, np.int64) if waits is None else waits.astype(np.int64)
    for k, population in enumerate(lowered.populations):
        here = slice(first[k], first[k + 1])
        each[here] = neuron_cycles(population, constants)
        held = np.bincount(part[here], minlength=parts)
        words += held * record_words(population, layout, k)
        if population.replay is not None:
            fetch += np.where(held > 0, constants.count("cycles.dma"), 0)
    record = np.ceil(words * constants.count("cycles.recorded_word")).astype(np.int64)
    flush = np.ceil((words > 0) * constants.count("cycles.dma") / layout.options.flush).astype(np.int64)
    order = np.argsort(part, kind="stable")
    running = np.cumsum(each[order])
    begins = np.searchsorted(part[order], np.arange(parts))
    base = running[begins] - each[order][begins]
    start = fetch + constants.count("cycles.step")
    before = np.empty(n, np.int64)
    before[order] = running - base[part[order]] + start[part[order]]
    total = np.bincount(part, weights=each, minlength=parts).astype(np.int64)
    return Schedule(before, start + total + record + flush, record, fetch + flush)
