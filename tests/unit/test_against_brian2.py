"""The same neurons and synapses in Brian 2: same spikes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuromorph import CPU, FixedProbability, Mohm, Network, Uniform, ms, mV, nA
from neuromorph.models import LIF, VogelsAbbottCUBA
from neuromorph.network import build

brian2 = pytest.importorskip("brian2")

DT = 0.1 * ms


@pytest.fixture(autouse=True)
def numpy_code() -> None:
    brian2.prefs.codegen.target = "numpy"
    brian2.start_scope()
    brian2.defaultclock.dt = 0.1 * brian2.ms


def test_quantities_of_brian2_are_quantities() -> None:
    theirs = LIF(tau_m=12 * brian2.ms, r=5 * brian2.Mohm, theta=11 * brian2.mV)
    assert theirs == LIF(tau_m=12 * ms, r=5 * Mohm, theta=11 * mV)


def spikes(trace: Any, population: str) -> list[tuple[int, int]]:
    events = trace.events(population)
    return sorted(zip(np.asarray(events.steps).tolist(), np.asarray(events.ids).tolist(), strict=True))


def monitored(monitor: Any) -> list[tuple[int, int]]:
    steps = np.rint(monitor.t / brian2.ms * 10).astype(int)
    return sorted(zip(steps.tolist(), np.asarray(monitor.i).tolist(), strict=True))


def test_leaky_neurons_with_constant_current_fire_in_the_same_steps() -> None:
    n, duration = 40, 300
    currents = np.linspace(1.2, 4.0, n)
    net = Network()
    net.population(LIF(i_offset=currents * nA), n, name="cells")
    ours = CPU(dtype="float64").compile(net, dt=DT).run(duration * ms, progress=False)

    # Brian 2 counts the step of the spike into the refractory time
    group = brian2.NeuronGroup(
        n,
        "dv/dt = (10*Mohm*drive - v)/(20*ms) : volt (unless refractory)\ndrive : amp",
        threshold="v > 15*mV",
        reset="v = 0*mV",
        refractory=2.1 * brian2.ms,
        method="exact",
    )
    group.drive = currents * brian2.nA
    monitor = brian2.SpikeMonitor(group)
    brian2.Network(group, monitor).run(duration * brian2.ms)
    theirs = sorted(
        zip(np.rint(monitor.t / brian2.ms * 10).astype(int).tolist(), np.asarray(monitor.i).tolist(), strict=True)
    )
    assert len(theirs) > 100
    assert spikes(ours, "cells") == theirs


def test_a_balanced_network_fires_the_same_spikes() -> None:
    n, duration = 300, 40
    net = Network(seed=7)
    cells = net.population(VogelsAbbottCUBA(v=Uniform(-60 * mV, -50 * mV)), n, name="cells")
    net.project(cells, cells.exc, FixedProbability(0.1), weight=1.62 * mV)
    net.project(cells, cells.inh, FixedProbability(0.03), weight=-9 * mV)
    net.record(cells, "v")
    program = CPU(dtype="float64").compile(net, dt=DT)
    program.set("cells", v=np.linspace(-60, -50.01, n) * mV)
    ours = program.run(duration * ms, progress=False)

    group = brian2.NeuronGroup(
        n,
        """dv/dt = (ge + gi - (v + 49*mV))/(20*ms) : volt (unless refractory)
        dge/dt = -ge/(5*ms) : volt
        dgi/dt = -gi/(10*ms) : volt""",
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory=5.1 * brian2.ms,
        method="exact",
    )
    group.v = np.linspace(-60, -50.01, n) * brian2.mV
    objects = [group]
    for synapses, code in zip(build(net, DT), ("ge += 1.62*mV", "gi += -9*mV"), strict=True):
        theirs = brian2.Synapses(group, group, on_pre=code)
        pre = np.repeat(np.arange(n), np.diff(synapses.row_ptr))
        theirs.connect(i=pre, j=np.asarray(synapses.targets, int))
        objects.append(theirs)
    monitor = brian2.SpikeMonitor(group)
    brian2.Network(*objects, monitor).run(duration * brian2.ms)
    expected = sorted(
        zip(np.rint(monitor.t / brian2.ms * 10).astype(int).tolist(), np.asarray(monitor.i).tolist(), strict=True)
    )
    assert len(expected) > 50
    assert spikes(ours, "cells") == expected
