"""Pathways of Brian 2 that see what pathways before them have done in the same step, or set variables alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuromorph import CheckError, from_brian2

b = pytest.importorskip("brian2")

from brian2_networks import compare, numpy_code  # noqa: E402, F401  numpy_code acts by itself


def test_a_value_that_all_synapses_of_a_neuron_set_alike() -> None:
    source = b.NeuronGroup(6, "dv/dt = 0.6/ms : 1", threshold="v > 1", reset="v = 0", method="euler", name="source")
    target = b.NeuronGroup(4, "x : 1\ndy/dt = (1 + 0.2*i - y)/(3*ms) : 1\non : boolean", method="euler", name="target")
    source.v = "0.15*i"
    synapses = b.Synapses(
        source,
        target,
        "w : 1",
        on_pre="v_pre += 0.01*w\nx_post = 2*y_post + c*t/second\non = y > 0.5",
        delay=0.3 * b.ms,
    )
    synapses.connect()
    synapses.w = "0.1*j"
    objects = [source, target, synapses, b.SpikeMonitor(source), b.StateMonitor(source, "v", record=True)]
    looks = [b.StateMonitor(target, ["x", "on"], record=True, when=when) for when in ("start", "after_synapses", "end")]
    assert compare([*objects, *looks], 8, {"c": 3.0}) > 20


def learning(neurons: Any, source: Any, target: Any, delay: float = 0.0) -> Any:
    """Synapses that learn by traces which are kept in the neurons."""
    synapses = b.Synapses(
        source,
        target,
        "w : 1\nc : 1",
        on_pre="A_pre += c\nw = clip(w + 0.1*A_post, 0, 10)\ng_post += 0.002*w",
        on_post="A_post += 0.5\nw = clip(w - 0.05*A_pre, 0, 10)\ng_post += 0.001*A_pre",
        delay=delay * b.ms,
    )
    synapses.connect(p=0.7)
    synapses.w, synapses.c = "1 + 0.1*i", "0.1 + 0.1*j"
    return synapses


@pytest.mark.parametrize("delay", [0.0, 0.4])
def test_traces_that_are_kept_in_neurons(delay: float) -> None:
    neurons = b.NeuronGroup(
        9,
        "dv/dt = rate + 5*g/second : 1\ndg/dt = -g/(2*ms) : 1\ndA/dt = -A/(3*ms) : 1\nrate : Hz (constant)",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        name="neurons",
    )
    neurons.rate, neurons.v = "(900 + 100*(i % 3))*Hz", "(i % 3)*0.2"
    halves = neurons[:5], neurons[5:]
    synapses = learning(neurons, *halves, delay)
    looks = [b.StateMonitor(neurons, ["A", "g", "v"], record=True)]
    assert compare([neurons, synapses, b.SpikeMonitor(neurons), *looks], 12) > 60


def test_what_depends_on_the_order_of_synapses_is_refused() -> None:
    neurons = b.NeuronGroup(
        4,
        "dv/dt = 1/ms : 1\ng : 1\ndA/dt = -A/(3*ms) : 1",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        name="neurons",
    )
    synapses = learning(neurons, neurons, neurons)
    drawn = b.Synapses(neurons, neurons, on_pre="v_post = rand()", name="drawn")
    own = b.Synapses(neurons, neurons, "w : 1", on_pre="v_post = w", name="own")
    for each in (drawn, own):
        each.connect()
    own.w = np.arange(16)
    with pytest.raises(CheckError) as caught:
        from_brian2([neurons, synapses, drawn, own])
    text = "\n".join(caught.value.problems)
    for expected in (
        f"{synapses.name}: on_pre",
        "it reads A of neurons, which it changes: where a neuron has several synapses",
        "drawn: on_pre 'v_post = rand()': it sets v_post, and some neuron of neurons has several synapses",
        "own: on_pre 'v_post = w': it sets v_post",
    ):
        assert expected in text, text


def test_pathways_that_add_constants_beside_others_that_do_not() -> None:
    neurons = b.NeuronGroup(
        4, "dv/dt = 0.8/ms : 1\ndA/dt = -A/(3*ms) : 1", threshold="v > 1", reset="v = 0", method="euler", name="neurons"
    )
    neurons.v = "0.2*i"
    synapses = b.Synapses(
        neurons[:2], neurons[2:], on_pre="v_post += 0.05", on_post="v_post -= 0.02*A_pre; A_post += 1"
    )
    synapses.connect(j="i")
    steady = b.Synapses(neurons, neurons, on_pre="v_post += 0.02", name="steady")
    steady.connect(j="i")
    network = from_brian2([neurons, synapses, steady])
    assert {p.name for p in network.projections} == {f"{synapses.name} pre", synapses.name, "steady"}
    looks = b.StateMonitor(neurons, ["v", "A"], record=True)
    assert compare([neurons, synapses, steady, b.SpikeMonitor(neurons), looks], 8) > 20
