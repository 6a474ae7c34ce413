"""One matrix on one crossbar machine, a vector of inputs in every step: what a step takes."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph import Dense, Event, EventSource, Network, Port, State, ms, neuron
from neuromorph.mapping.crossbar import Crossbar, Effects
from neuromorph.mapping.crossbar.converters.ranges import Ranges
from neuromorph.mapping.crossbar.costs.energy import energy
from neuromorph.mapping.crossbar.machine.machine import CrossbarMachine
from neuromorph.mapping.crossbar.plan.plan import Plan
from neuromorph.mapping.crossbar.reads.ledger import Counts
from neuromorph.mapping.crossbar.target import Readout

ARRAY = ("cells", "drivers", "arrays", "sensing", "ADCs", "comparators", "digital sums")
"""Components that lie in and around an array; buffers are told apart."""
PLAIN = Effects(quantise=True, on_off=True, dac=True, adc=True)
Floats = npt.NDArray[np.float64]


@neuron
class Sum:
    """Shows what arrives."""

    a = Port()
    v = State(0.0)
    v.next = a
    out = Event(when=v > 1e30)


@dataclass(frozen=True)
class Product:
    """What one step takes on average, J by component."""

    parts: dict[str, float]
    macs: int
    counts: Counts

    def of(self, *names: str) -> float:
        """Joules of some components together."""
        return sum(self.parts[name] for name in names)

    @property
    def array(self) -> float:
        """Joules of array and converters."""
        return self.of(*ARRAY)


def product(
    machine: CrossbarMachine,
    weights: Floats,
    inputs: Floats,
    readout: Readout = "dense",
    *,
    full_column: bool = False,
) -> Product:
    """Run a matrix with a vector of inputs in every step; the first step, in which nothing arrives, is taken off.

    Parameters
    ----------
    full_column : bool
        Whether a comparator's pulse stands for the largest sum that a column can have.
    """
    net = Network()
    steps, rows = np.nonzero(inputs)
    spikes = bool(np.all((inputs == 0) | (inputs == 1)))
    values = None if spikes else inputs[steps, rows]
    source = net.population(EventSource(len(weights), steps=steps, indices=rows, values=values), name="in")
    sums = net.population(Sum(), weights.shape[1], name="out")
    net.project(source, sums.a, Dense(weights))
    target = Crossbar(machine, effects=PLAIN, readout=readout, order="given")
    program = target.compile(net, dt=1 * ms)
    if full_column:
        program = replace(target, ranges=_full_columns(program.plan)).compile(net, dt=1 * ms)
    program.run(1)
    before = program.report().counts
    program.run(len(inputs))
    report = program.report()
    counts = _since(before, report.counts)
    found = energy(counts, report.plan).by_component
    return Product({name: joules / len(inputs) for name, joules in found.items()}, weights.size, counts)


def _full_columns(plan: Plan) -> Ranges:
    """Ranges whose step is what a spike on every row of an array gives at most."""
    most = plan.machine.rows * ((plan.machine.cell_levels or 2) - 1.0)
    blocks = np.zeros((len(plan.blocks), plan.machine.slices))
    return Ranges(
        network=plan.network, machine=plan.machine.name, method="full columns", per="block",
        matrices=tuple(matrix.name for matrix in plan.matrices), input_scale=np.ones(len(plan.matrices)),
        block_matrix=plan.blocks.matrix.astype(np.int64), lo=blocks, step=blocks + most, clipped=blocks, mse=blocks,
        variance=blocks,
    )  # fmt: skip


def _since(before: Counts, after: Counts) -> Counts:
    """What was counted between two reports."""
    changed: dict[str, Any] = {"steps": after.steps - before.steps}
    for field in fields(Counts):
        value = getattr(after, field.name)
        if isinstance(value, np.ndarray):
            changed[field.name] = value - getattr(before, field.name)
    return replace(after, **changed)


def random_weights(rows: int, columns: int, seed: int = 1) -> Floats:
    """Evenly over the range, the ends included so that the range is used."""
    weights = np.random.default_rng(seed).uniform(-1.0, 1.0, (rows, columns))
    weights[0, 0] = 1.0
    return weights


def random_codes(bits: int, rows: int, number: int = 4, *, signed: bool = False, seed: int = 2) -> Floats:
    """Evenly over all codes, without 0, the largest included."""
    most, rng = 2**bits - 1, np.random.default_rng(seed)
    codes = rng.integers(1, most + 1, (number, rows)).astype(np.float64)
    codes *= rng.choice([-1.0, 1.0], codes.shape) if signed else 1.0
    codes[:, 0] = most
    return codes
