"""The same neurons and synapses in Brian 2: same spikes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuromorph import CPU, FixedProbability, Mohm, Network, Uniform, ms, mV, nA, nS
from neuromorph.models import LIF, TraubMilesCOBA, VogelsAbbottCUBA, balanced
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


TRAUB_MILES = """
dv/dt = (10*nS*(-65*mV - v) + ge*(0*mV - v) + gi*(-80*mV - v) + 20*uS*m**3*h*(50*mV - v)
         + 6*uS*n**4*(-90*mV - v))/(200*pF) : volt
u = v + 63*mV : volt
dm/dt = 1.28/exprel((13*mV - u)/(4*mV))/ms*(1 - m) - 1.4/exprel((u - 40*mV)/(5*mV))/ms*m : 1
dn/dt = 0.16/exprel((15*mV - u)/(5*mV))/ms*(1 - n) - 0.5*exp((10*mV - u)/(40*mV))/ms*n : 1
dh/dt = 0.128*exp((17*mV - u)/(18*mV))/ms*(1 - h) - 4/(1 + exp((40*mV - u)/(5*mV)))/ms*h : 1
dge/dt = -ge/(5*ms) : siemens
dgi/dt = -gi/(10*ms) : siemens
"""


def test_hodgkin_huxley_neurons_follow_the_same_voltages() -> None:
    n, duration = 30, 40
    v, g_exc, g_inh = np.linspace(-80, -30, n), np.linspace(0, 90, n), np.linspace(120, 0, n)
    net = Network()
    cells = net.population(TraubMilesCOBA(v=v * mV, g_exc=g_exc * nS, g_inh=g_inh * nS), n, name="cells")
    net.record(cells, "v")
    ours = CPU(dtype="float64").compile(net, dt=DT).run(duration * ms, progress=False)

    group = brian2.NeuronGroup(
        n, TRAUB_MILES, threshold="v > -20*mV", refractory=3.1 * brian2.ms, method="exponential_euler"
    )
    group.v, group.ge, group.gi = v * brian2.mV, g_exc * brian2.nS, g_inh * brian2.nS
    voltages = brian2.StateMonitor(group, "v", record=True, when="end")
    monitor = brian2.SpikeMonitor(group)
    brian2.Network(group, voltages, monitor).run(duration * brian2.ms)
    assert len(monitor.i) > 15
    assert spikes(ours, "cells") == monitored(monitor)
    np.testing.assert_allclose(ours.state("cells", "v").data, np.asarray(voltages.v).T * 1e3, rtol=0, atol=1e-4)


def test_a_network_of_hodgkin_huxley_neurons_fires_the_same_spikes() -> None:
    n, duration = 200, 25
    net = balanced.cobahh(n, probability=0.3, seed=3)
    program = CPU(dtype="float64").compile(net, dt=DT)
    excitatory, v, g_exc, g_inh = n * 4 // 5, np.linspace(-80, -60, n), np.linspace(70, 10, n), np.linspace(50, 350, n)
    for name, part in (("exc", slice(0, excitatory)), ("inh", slice(excitatory, n))):
        program.set(name, v=v[part] * mV, g_exc=g_exc[part] * nS, g_inh=g_inh[part] * nS)
    trace = program.run(duration * ms, progress=False)
    ours = sorted(spikes(trace, "exc") + [(step, i + excitatory) for step, i in spikes(trace, "inh")])

    group = brian2.NeuronGroup(
        n, TRAUB_MILES, threshold="v > -20*mV", refractory=3.1 * brian2.ms, method="exponential_euler"
    )
    group.v, group.ge, group.gi = v * brian2.mV, g_exc * brian2.nS, g_inh * brian2.nS
    objects = [group]
    first = {0: 0, 1: excitatory}
    for synapses in build(net, DT):
        theirs = brian2.Synapses(group, group, on_pre="ge += 6*nS" if synapses.pre == 0 else "gi += 67*nS")
        pre = np.repeat(np.arange(synapses.n_pre), np.diff(synapses.row_ptr)) + first[synapses.pre]
        theirs.connect(i=pre, j=np.asarray(synapses.targets, int) + first[synapses.post])
        objects.append(theirs)
    monitor = brian2.SpikeMonitor(group)
    brian2.Network(*objects, monitor).run(duration * brian2.ms)
    assert len(monitor.i) > 100
    assert ours == monitored(monitor)


def test_driven_network_of_brunel_fires_at_the_same_rate() -> None:
    n, in_degree, duration = 1000, 100, 200
    trace = (
        CPU()
        .compile(balanced.brunel_driven(n, in_degree, weight=0.5 * mV, eta=1.5), dt=DT)
        .run(duration * ms, progress=False)
    )
    ours = (trace.count("exc") + trace.count("inh")) / n / duration * 1000

    brian2.seed(2)
    group = brian2.NeuronGroup(
        n,
        "dv/dt = -v/(20*ms) : volt (unless refractory)",
        threshold="v > 20*mV",
        reset="v = 0*mV",
        refractory=2.1 * brian2.ms,
        method="exact",
    )
    group.v = "20*mV*rand()"
    drive = group.run_regularly("v += 0.5*mV*poisson(0.3)", when="synapses")
    excite = brian2.Synapses(group[: n * 4 // 5], group, on_pre="v += 0.5*mV", delay=1.5 * brian2.ms)
    inhibit = brian2.Synapses(group[n * 4 // 5 :], group, on_pre="v -= 2.5*mV", delay=1.5 * brian2.ms)
    for each in (excite, inhibit):
        each.connect(p=in_degree / n)
    monitor = brian2.SpikeMonitor(group)
    brian2.Network(group, drive, excite, inhibit, monitor).run(duration * brian2.ms)
    theirs = monitor.num_spikes / n / duration * 1000
    assert theirs == pytest.approx(ours, rel=0.05)
