"""How long a crossbar chip takes for a run: phases of arrays and converters, the network on chip, digital neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..reads.ledger import Counts, StepCounts
from .energy import digit_means, input_digits, require_prices
from .neuron_work import NeuronWork
from .travel import travel

if TYPE_CHECKING:
    from ..machine.machine import CrossbarMachine
    from ..plan.plan import Plan

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Latency:
    """Seconds of a run on the chip.

    A step is the slowest matrix (arrays work side by side; those that share arrays take turns), then the longest way
    over the mesh, then the slowest population.

    Attributes
    ----------
    phase : float64 (matrices,)
        Of one phase.
    matrices : float64 (matrices,)
        All phases of each matrix.
    arrays, network, neurons : float
        Of the run's steps, by what they wait for.
    steps : float64 (steps,)
        Of each step; empty if only sums are known, and ``arrays`` is then a lower bound.
    """

    phase: Float64
    matrices: Float64
    arrays: float
    network: float
    neurons: float
    steps: Float64

    @property
    def total(self) -> float:
        """Seconds of the run."""
        return self.arrays + self.network + self.neurons


def latency(
    counts: Counts, plan: Plan, *, steps: StepCounts | None = None, work: Sequence[NeuronWork] | None = None
) -> Latency:
    """Time that a run takes on the chip.

    Parameters
    ----------
    counts : Counts
    plan : Plan
    steps : StepCounts, optional
        The same run by step; without it, every matrix is taken to be as busy in each step as on average.
    work : sequence of NeuronWork, optional
        Of each population; without it, neurons take no time.

    Raises
    ------
    MappingError
        If the machine has no prices.
    """
    machine = plan.machine
    require_prices(machine)
    c = machine.constants
    phase, longest = phase_seconds(counts, plan), travel(plan).longest * c.si("time.hop")
    busy, turns = counts.phases * phase, _turns(plan)
    known = steps is not None and len(steps) > 0
    if steps is not None and known:
        each = steps["phases"] * phase
        together = [each[:, list(group)].sum(axis=1) for group in turns]
        arrays = np.max(np.reshape(together, (len(turns), len(steps))), axis=0, initial=0.0)
        waited = ((steps["phases"] > 0) * longest).max(axis=1, initial=0.0)
    else:
        arrays = np.array([max((busy[list(group)].sum() for group in turns), default=0.0)])
        waited = np.array([counts.steps * longest.max(initial=0.0)])
    updated = _neuron_seconds(counts, plan, work)
    return Latency(
        phase=phase,
        matrices=busy,
        arrays=float(arrays.sum()),
        network=float(waited.sum()),
        neurons=updated * (len(arrays) if known else counts.steps),
        steps=arrays + waited + updated if known else np.zeros(0),
    )


def phase_seconds(counts: Counts, plan: Plan) -> Float64:
    """Seconds of one phase of each matrix: driving its rows, and converting the fullest of its arrays.

    Where columns are held (``time.overlap``), arrays settle for the next phase while converters work. Comparators work
    while the array conducts.
    """
    _, units = digit_means(counts, plan.machine)
    return _phase(plan.machine, units, conversion_rounds(plan) * (counts.readout != "comparator"))


def _phase(machine: CrossbarMachine, units: Float64, rounds: npt.NDArray[np.int64]) -> Float64:
    """Seconds of phases with these largest codes and conversions of one converter."""
    c = machine.constants
    driven = c.si("time.phase") + machine.dac.seconds + units * c.si("time.code")
    converted = rounds * machine.adc.seconds
    return np.asarray(np.maximum(driven, converted) if c.count("time.overlap") else driven + converted, np.float64)


def conversion_rounds(plan: Plan) -> npt.NDArray[np.int64]:
    """Conversions that one converter makes in a phase, the most in any array, int64 (matrices,)."""
    machine, blocks = plan.machine, plan.blocks
    if not len(blocks):
        return np.zeros(len(plan.matrices), np.int64)
    turns = int(blocks.turn.max()) + 1
    place = blocks.array.astype(np.int64) * turns + blocks.turn
    columns = np.bincount(place, blocks.widths * machine.conversions_per_weight)[place].astype(np.int64)
    rounds = -(-columns // machine.converters)
    found = np.zeros(len(plan.matrices), np.int64)
    np.maximum.at(found, blocks.matrix, rounds)
    return found


def _turns(plan: Plan) -> list[tuple[int, ...]]:
    """Groups of matrices that take turns in some array, once for each turn; every matrix is in one at least."""
    groups: set[tuple[int, ...]] = {(m,) for m in range(len(plan.matrices))}
    ptr, order = plan.array_blocks
    for array in np.flatnonzero(plan.turns > 1):
        there = order[ptr[array] : ptr[array + 1]]
        read = set(zip(plan.blocks.matrix[there].tolist(), plan.blocks.turn[there].tolist(), strict=True))
        groups.add(tuple(sorted(m for m, _ in read)))
    return sorted(groups)


def _neuron_seconds(counts: Counts, plan: Plan, work: Sequence[NeuronWork] | None) -> float:
    """Seconds of a step in which the slowest population is updated, by the lanes of the tiles that feed it."""
    if work is None or not counts.steps:
        return 0.0
    c = plan.machine.constants
    post = np.array([m.post for m in plan.matrices], np.int64)[plan.blocks.matrix]
    slowest = 0.0
    for k, each in enumerate(work):
        tiles = len(np.unique(plan.tile_of_array[plan.blocks.array[post == k]]))
        operations = counts.neuron_updates[k] / counts.steps * each.operations
        slowest = max(slowest, operations * c.si("time.operation") / (max(tiles, 1) * c.count("chip.lanes")))
    return slowest


def product_seconds(machine: CrossbarMachine, *, bits: int | None = None, negative: bool = False) -> float:
    """Seconds of a full array's product: all phases of an input of so many bits.

    Parameters
    ----------
    machine : CrossbarMachine
    bits : int, optional
        Default: the machine's ``input_bits``; 1 for spikes.
    negative : bool
        Whether inputs of both signs come, which take twice the phases where they are split.

    Raises
    ------
    MappingError
        If the machine has no prices.
    """
    require_prices(machine)
    whole = machine.input_bits if bits is None else bits
    digits = np.array(input_digits(1 if whole is None else whole, machine.dac.bits))
    rounds = -(-machine.weight_columns * machine.conversions_per_weight // machine.converters)
    times = 2 if negative and machine.signed_inputs == "split" else 1
    return times * float(_phase(machine, 2.0**digits - 1.0, np.full(len(digits), rounds)).sum())
