"""The same plastic network in Brian 2: same spikes, same weights.

Brian 2 lets events arrive after the neurons' update of a step, and resets neurons after that. So what is delivered in
step s here arrives in step s - 1 there, after the events of the targets of that step; what changes traces and weights
arrives in step s in both, before the events of the targets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuromorph import (
    CPU,
    Dense,
    Event,
    EventSource,
    Network,
    Param,
    Port,
    Reference,
    State,
    ms,
    neuron,
)
from neuromorph.models.plasticity import PairSTDP, TripletSTDP

brian2 = pytest.importorskip("brian2")

INPUTS, CELLS, STEPS = 30, 12, 3000


@neuron
class Cell:
    """A current that decays into a leaky membrane."""

    a = Port()
    drive = Param(0.0)
    i, v = State(0.0), State(0.0)
    i.jump = a
    i.dot = -i / (5 * ms)
    v.dot = (i + drive - v) / (20 * ms)
    spike = Event(when=v > 1.0)
    v.reset = 0.0


def inputs() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return np.nonzero(np.random.default_rng(1).random((STEPS, INPUTS)) < 0.003)


def ours(target: Any, synapse: Any, weights: Any, recurrent: Any, drive: Any) -> tuple[Any, Any, Any]:
    net = Network()
    steps, ids = inputs()
    source = net.population(EventSource(INPUTS, steps=steps, indices=ids))
    cells = net.population(Cell(drive=drive), CELLS, name="cells")
    net.project(source, cells, Dense(weights), delay=1.5 * ms, synapse=synapse, name="in")
    net.project(cells, cells, Dense(recurrent), delay=0.4 * ms, synapse=synapse, name="across")
    program = target.compile(net, dt=0.1 * ms, progress=False)
    events = program.run(STEPS, progress=False).events("cells")
    spikes = sorted(zip(np.asarray(events.steps).tolist(), np.asarray(events.ids).tolist(), strict=True))
    return spikes, program.synapses("in").weights, program.synapses("across").weights


EQUATIONS = {
    "pairs": (
        PairSTDP(a_plus=0.01, a_minus=0.012, tau_minus=30 * ms, w_max=0.9),
        "w : 1\ndx/dt = -x/(20*ms) : 1 (clock-driven)\ndy/dt = -y/(30*ms) : 1 (clock-driven)",
        "w = clip(w - 0.012*y, 0, inf)\nx += 1",
        "w = clip(w + 0.01*x, -inf, 0.9)\ny += 1",
    ),
    "triplets": (
        TripletSTDP,
        "w : 1\n"
        + "\n".join(
            f"d{name}/dt = -{name}/({tau}*ms) : 1 (clock-driven)"
            for name, tau in (("r1", 16.8), ("r2", 101), ("o1", 33.7), ("o2", 125))
        ),
        "w = clip(w - o1*(7e-3 + 2.3e-4*r2), 0, inf)\nr1 += 1\nr2 += 1",
        "w = clip(w + r1*(5e-10 + 6.2e-3*o2), -inf, 1e6)\no1 += 1\no2 += 1",
    ),
}


def theirs(rule: tuple[Any, str, str, str], weights: Any, recurrent: Any, drive: Any) -> tuple[Any, Any, Any]:
    _, model, on_pre, on_post = rule
    brian2.prefs.codegen.target = "numpy"
    brian2.start_scope()
    brian2.defaultclock.dt = 0.1 * brian2.ms
    steps, ids = inputs()
    source = brian2.SpikeGeneratorGroup(INPUTS, ids, steps * 0.1 * brian2.ms)
    cells = brian2.NeuronGroup(
        CELLS,
        "dg/dt = -g/(5*ms) : 1\ndv/dt = (g + drive - v)/(20*ms) : 1\ndrive : 1",
        threshold="v > 1.0",
        reset="v = 0",
        method="exact",
    )
    cells.drive = drive
    made = []
    for pre, start, delay in ((source, weights, 15), (cells, recurrent, 4)):
        synapses = brian2.Synapses(
            pre,
            cells,
            model,
            on_pre={"plastic": on_pre, "transmit": "g_post += w"},
            on_post=on_post,
            method="exact",
        )
        synapses.connect()
        synapses.w = start.ravel()
        synapses.plastic.delay = delay * 0.1 * brian2.ms
        synapses.transmit.delay = (delay - 1) * 0.1 * brian2.ms
        synapses.transmit.order = 2  # after the events of the targets
        made.append(synapses)
    monitor = brian2.SpikeMonitor(cells)
    brian2.Network(source, cells, monitor, *made).run(STEPS * 0.1 * brian2.ms)
    found = np.rint(monitor.t / brian2.ms * 10).astype(int)
    spikes = sorted(zip(found.tolist(), np.asarray(monitor.i).tolist(), strict=True))
    return spikes, np.array(made[0].w), np.array(made[1].w)


@pytest.mark.parametrize("name", EQUATIONS)
def test_spikes_and_weights_are_those_of_brian2(name: str) -> None:
    rng = np.random.default_rng(2)
    weights, recurrent = rng.uniform(0, 0.6, (INPUTS, CELLS)), rng.uniform(0, 0.05, (CELLS, CELLS))
    drive = np.linspace(0.7, 1.3, CELLS)
    expected = theirs(EQUATIONS[name], weights, recurrent, drive)
    assert len(expected[0]) > 150
    for target in (Reference(dtype="float64"), CPU(dtype="float64")):
        found = ours(target, EQUATIONS[name][0], weights, recurrent, drive)
        assert found[0] == expected[0]
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(found[2], expected[2], rtol=1e-12, atol=1e-13)
    assert np.abs(expected[1] - weights.ravel()).max() > 0.05
