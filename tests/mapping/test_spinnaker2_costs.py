"""Cycles of a PE: every operation counted once, at the machine's price."""

from __future__ import annotations

import numpy as np
import pytest
from strategies import DT, Delta

from neuromorph import EventSource, FixedProbability, Network, mV
from neuromorph.language.expr import Type
from neuromorph.lowering import Op, Slot, StepProgram, lower
from neuromorph.mapping.machine import spinnaker2
from neuromorph.mapping.spinnaker2.costs import neuron_cycles, op_cycles, update_schedule
from neuromorph.mapping.spinnaker2.formats import plan
from neuromorph.mapping.spinnaker2.options import LayoutOptions

F, B = Type.FLOAT, Type.BOOL


def leak() -> StepProgram:
    """v <- 0 if v * p + port > p else v * p + port, with an operation that nothing uses."""
    ops = (
        Op("state", (), F, 0),
        Op("param", (), F, 0),
        Op("port", (), F, 0),
        Op("mul", (0, 1), F),
        Op("add", (3, 2), F),
        Op("gt", (4, 1), B),
        Op("const", (), F, 0.0),
        Op("select", (5, 6, 4), F),
        Op("sqrt", (4,), F),
    )
    slot = Slot("v", F)
    return StepProgram("float32", ops, (slot,), (Slot("p", F, per_neuron=False),), (Slot("a", F),), (7,), 5, None)


def test_operations_are_counted_once_and_unused_ones_not_at_all() -> None:
    constants = spinnaker2().constants
    price = {name: constants.count(f"cycles.{name}") for name in ("load", "store", "neuron", "select")}
    cost = op_cycles(leak(), constants)
    assert cost == {
        "state": price["load"],
        "param": price["load"],
        "port": price["load"] + price["store"],
        "mul": constants.count("cycles.float_mul"),
        "add": constants.count("cycles.float_add"),
        "gt": constants.count("cycles.float_compare"),
        "select": price["select"],
        "store": price["store"],
        "loop": price["neuron"],
    }


def test_prices_come_from_the_machine() -> None:
    dear = spinnaker2().with_constants(cycles__float_mul=100)
    assert (
        sum(op_cycles(leak(), dear.constants).values()) - sum(op_cycles(leak(), spinnaker2().constants).values()) == 99
    )


def test_neurons_are_updated_one_after_another_in_the_order_of_their_populations() -> None:
    net = Network()
    source = net.population(EventSource(4), name="source")
    sink = net.population(Delta, 6, name="sink")
    net.project(source, sink.v_in, FixedProbability(0.5), weight=1 * mV)
    lowered = lower(net, DT)
    machine = spinnaker2()
    layout = plan(lowered, machine, LayoutOptions())
    part = np.array([0, 0, 1, 1, 0, 1, 0, 1, 0, 1], np.int32)
    before, update, record, dma = update_schedule(lowered, layout, part, 2, machine.constants)
    a, b = (neuron_cycles(population, machine.constants) for population in lowered.populations)
    start = machine.constants.count("cycles.step") + machine.constants.count("cycles.dma")  # of the replayed events
    assert before[part == 0].tolist() == [start + a, start + 2 * a, *(start + 2 * a + k * b for k in (1, 2, 3))]
    flush = -(-machine.constants.count("cycles.dma") // layout.options.flush)
    assert dma.tolist() == 2 * [machine.constants.count("cycles.dma") + flush]
    assert update.tolist() == [int(before[part == p].max()) + int(record[p]) + flush for p in (0, 1)]


@pytest.mark.parametrize("record", [True, False])
def test_recording_costs_cycles_only_where_something_is_recorded(record: bool) -> None:
    net = Network()
    net.population(EventSource(4), name="source", record=False)
    net.population(Delta, 6, name="sink", record=record)
    lowered = lower(net, DT)
    machine = spinnaker2()
    part = np.array([0] * 4 + [1] * 6, np.int32)
    cost = update_schedule(lowered, plan(lowered, machine, LayoutOptions()), part, 2, machine.constants)[2]
    assert cost[0] == 0
    assert (cost[1] > 0) == record
