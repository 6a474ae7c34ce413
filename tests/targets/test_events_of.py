"""Neurons with several kinds of events: every target against the reference, and synapses that follow each kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuromorph import (
    CPU,
    CheckError,
    Event,
    EventsOf,
    EventSource,
    FixedProbability,
    Network,
    NetworkError,
    OneToOne,
    Output,
    Pathway,
    Port,
    Reference,
    State,
    TargetError,
    first_difference,
    ms,
    neuron,
    synapse,
    where,
)
from neuromorph.engine import Target
from neuromorph.mapping.crossbar import Crossbar
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.network.copy import with_neurons
from neuromorph.trace import joined

STEPS = 50


@neuron
class TwoKinds:
    """Fires above 1, and says every step that it is above 0.5."""

    a = Port()
    v, low = State(0.0), State(0, dtype=int)
    v.jump = a
    v.next = v * 0.9
    low.next = where(v > 0.5, 1, 0)
    spike = Event(when=v > 1.0)
    v.reset = 0.0


@neuron
class Mute:
    """Has the ports of the others, and nothing to say."""

    a = Port()
    v = State(0.0)
    v.jump = a
    spike = Event(when=v > 1.0)


@synapse(late=True)
class EachKind:
    """Counts events of either kind at both ends, and adds what one of them says."""

    a, b, c, d = State(0.0), State(0.0), State(0.0), State(0.0)
    out = Output("a")
    far, back = Pathway("pre"), Pathway("post")
    a.on_pre = a + 1
    far[b] = 0.9 * b + a
    far[out] = 0.01 * a
    c.on_post = c + 1 + b
    back[d] = 0.5 * d + c


def driven() -> tuple[Network, Any, Any]:
    """Neurons driven by noise, and the population of their further events."""
    net = Network(seed=3)
    noise = np.random.default_rng(0).random((STEPS, 80)) < 0.1
    source = net.population(EventSource.from_dense(noise), name="source")
    cells = net.population(TwoKinds, 90, name="cells")
    low = net.population(EventsOf(cells, "low"), name="cells low")
    net.project(source, cells, FixedProbability(0.1), weight=0.35)
    return net, cells, low


def plain() -> Network:
    net, cells, low = driven()
    others = net.population(TwoKinds, 40, name="others")
    net.project(low, others, FixedProbability(0.1), weight=0.2)
    net.project(cells, others, FixedProbability(0.1), weight=0.1, delay=3)
    net.project(low, cells, FixedProbability(0.05), weight=-0.05, delay=2)
    net.record(cells, "v", "low")
    return net


TARGETS: list[Target] = [
    CPU(threads=1),
    CPU(threads=2),
    SpiNNaker2(),
    SpiNNaker2(chips=3, neurons_per_pe=7, partition="sequential", rows="packed"),
]


def test_every_target_sends_both_kinds_as_the_reference() -> None:
    trace = Reference("float32").compile(plain(), dt=1 * ms).run(STEPS, progress=False)
    for target in TARGETS:
        program = target.compile(plain(), dt=1 * ms, progress=False)
        assert first_difference(trace, program.run(STEPS, progress=False)) is None, target
    steps, ids = np.nonzero(trace.state("cells", "low").data)
    np.testing.assert_array_equal(trace.events("cells low").steps, steps)
    np.testing.assert_array_equal(trace.events("cells low").ids, ids)
    assert 0 < trace.count("cells") < trace.count("cells low")


@pytest.mark.parametrize("options", [{"neurons_per_pe": 11}, {"pes": 4}])
def test_on_chips_further_events_leave_from_their_neurons(options: dict[str, Any]) -> None:
    mapped = SpiNNaker2(**options).map(plain(), dt=1 * ms)
    _, cells, low, _ = mapped.held
    assert np.count_nonzero(cells) > 1
    np.testing.assert_array_equal(cells, low)
    assert mapped.regions.sum(1).max() <= mapped.layout.sram


def test_lanes_of_a_batch_send_both_kinds() -> None:
    events = np.random.default_rng(1).random((9, STEPS, 80)) < 0.1
    net, cells, low = driven()
    net.project(low, cells, FixedProbability(0.1), weight=0.05)
    counts = [
        target.compile(net, dt=1 * ms).run_batch({"source": events.astype(float)}, STEPS, progress=False).counts
        for target in (CPU(lanes=8), Reference("float32"))
    ]
    for name in ("cells", "cells low"):
        np.testing.assert_array_equal(counts[0][name], counts[1][name])
        assert counts[0][name].sum() > 100


def following() -> Network:
    net, cells, low = driven()
    net.project(
        cells,
        cells,
        FixedProbability(0.1),
        synapse=EachKind,
        name="each",
        delays={"far": 4, "back": 3},
        events={"far": low, "back": low},
    )
    net.record(net.projections[-1], *"abcd")
    return net


def test_paths_of_synapses_follow_the_kind_that_they_are_told() -> None:
    expected = Reference("float32").compile(following(), dt=1 * ms).run(STEPS, progress=False)
    for threads in (1, 2):
        program = CPU(threads=threads).compile(following(), dt=1 * ms)
        half = program.run(21, progress=False)
        later = Reference("float32").compile(following(), dt=1 * ms)
        later.restore(program.state())
        both = [joined(half, program.run(STEPS - 21)), joined(half, later.run(STEPS - 21, progress=False))]
        for trace in both:
            for name in "abcd":
                np.testing.assert_array_equal(trace.state("each", name).data, expected.state("each", name).data)
    net = following()
    synapses = Reference().compile(net, dt=1 * ms).synapses("each")
    low = np.zeros((STEPS, 90))
    low[expected.events("cells low").steps, expected.events("cells low").ids] = 1
    spikes = np.zeros((STEPS, 90))
    spikes[expected.events("cells").steps, expected.events("cells").ids] = 1
    last = {name: expected.state("each", name).data[-1] for name in "ac"}
    np.testing.assert_array_equal(last["a"], spikes.sum(0)[np.asarray(synapses.pre)])
    assert (last["c"] > spikes.sum(0)[np.asarray(synapses.post)]).any()  # events of the other kind have moved b
    assert low.sum() > spikes.sum()


def test_what_has_no_further_events_is_refused() -> None:
    net, cells, low = driven()
    other = net.population(TwoKinds, 90, name="other")
    with pytest.raises(NetworkError, match=r"TwoKinds has no such state; did you mean 'low'"):
        EventsOf(cells, "lo")
    with pytest.raises(NetworkError, match=r"the state is a float; .*State\(0, dtype=int\)"):
        EventsOf(cells, "v")
    with pytest.raises(NetworkError, match=r"EventsOf: 'cells' is no population"):
        EventsOf("cells", "low")
    with pytest.raises(NetworkError, match="no population 'cells'"):
        Network().population(low.neuron)
    late = {"rule": OneToOne(), "synapse": EachKind}
    with pytest.raises(NetworkError, match="no pathway 'fare'; did you mean 'far'"):
        net.project(cells, cells, **late, events={"fare": low})
    with pytest.raises(NetworkError, match=r"far follows <Population cells.*; give a population .* EventsOf cells"):
        net.project(cells, cells, **late, events={"far": cells})
    with pytest.raises(NetworkError, match="EventsOf other"):
        net.project(other, cells, **late, events={"far": low})
    with pytest.raises(NetworkError, match=r"events= is for synapses with @synapse\(late=True\)"):
        net.project(cells, cells, OneToOne(), events={"on_pre": low})
    with pytest.raises(CheckError, match="cells low: it has further events of cells, and neurons send one kind on"):
        Crossbar().compile(plain(), dt=1 * ms)
    with pytest.raises(CheckError, match="each: far, back of EachKind follow further events, and on SpiNNaker2"):
        SpiNNaker2().compile(following(), dt=1 * ms)
    with pytest.raises(TargetError, match="cells low: its events are further ones of cells"):
        Reference().compile(plain(), dt=1 * ms).run_batch({"cells low": np.zeros((2, 5, 90))}, 5)
    with pytest.raises(CheckError, match=r"cells low: EventsOf\(cells, 'low'\): Mute has no such state"):
        Reference().compile(with_neurons(net, {"cells": Mute}), dt=1 * ms)
    assert following().hash != plain().hash == plain().hash
