"""Populations that read states of others: what they see, the same on both engines, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuromorph import (
    CPU,
    CheckError,
    Event,
    EventSource,
    Network,
    NetworkError,
    Neuron,
    OneToOne,
    Param,
    Port,
    Reference,
    State,
    first_difference,
    ms,
    mV,
    neuron,
    to_sonata,
    white_noise,
)


@neuron(method="euler")
class Walk:
    """Noise that others look at."""

    kick = Port(unit=mV)
    tau = Param(5 * ms)
    x = State(1 * mV)
    n = State(0, dtype=int)
    x.jump = kick
    x.dot = -x / tau + 0.2 * mV * white_noise() / (1 * ms) ** 0.5
    n.next = n + 1


@neuron
class Follower:
    """Keeps what it sees, and fires."""

    x_in = Port(unit=mV)
    seen = State(0 * mV)
    total = State(0 * mV)
    seen.next = x_in
    total.next = total + x_in
    spike = Event(when=total > 3 * mV)
    total.reset = 0 * mV


def network(delay: int = 0, size: int = 5, sources: int = 3) -> Network:
    net = Network(seed=3)
    given = net.population(EventSource(sources, steps=[2, 4, 4], indices=[0, 1, 2]), name="given")
    walk = net.population(Walk(x=np.arange(sources) * mV), sources, name="walk")
    cells = net.population(Follower, size, name="cells")
    net.project(given, walk.kick, OneToOne(), weight=0.5 * mV)
    net.read(walk, "x", cells.x_in, index=np.arange(size) % sources, delay=delay)
    net.record(walk, "x")
    net.record(cells, "seen", "total")
    return net


def test_a_reader_sees_this_step_or_the_one_before() -> None:
    for delay in (0, 1):
        trace = Reference().compile(network(delay), dt=1 * ms).run(12, progress=False)
        x, seen = trace.state("walk", "x").data, trace.state("cells", "seen").data
        before = np.concatenate([[[0.0, 1.0, 2.0]], x])[1 - delay : len(x) + 1 - delay]
        np.testing.assert_array_equal(seen, before[:, np.arange(5) % 3])
        assert np.ptp(x) > 1
        assert trace.count("cells") > 5


def test_what_is_read_is_added_to_what_arrives() -> None:
    net = network(size=3)
    net.project(net["given"], net["cells"].x_in, OneToOne(), weight=7 * mV, delay=2)
    net.read(net["walk"], "x", net["cells"].x_in, delay=1)
    trace = Reference().compile(net, dt=1 * ms).run(8, progress=False)
    x, seen = trace.state("walk", "x").data, trace.state("cells", "seen").data
    arrived = np.zeros_like(x)
    arrived[[4, 6, 6], [0, 1, 2]] = 7
    before = np.concatenate([[[0.0, 1.0, 2.0]], x[:-1]])
    np.testing.assert_allclose(seen, arrived + before + x, rtol=1e-12)


@pytest.mark.parametrize("delay", [0, 1])
def test_the_engines_agree_bit_for_bit_with_any_number_of_threads(delay: int) -> None:
    net = network(delay, size=200, sources=20)
    expected = Reference("float32").compile(net, dt=1 * ms).run(60, progress=False)
    program = CPU(threads=3).compile(net, dt=1 * ms, progress=False)
    assert program.threads == 1
    assert first_difference(expected, program.run(60, progress=False)) is None
    assert expected.count("cells") > 100
    np.testing.assert_array_equal(
        expected.state("cells", "total").data, program.last_trace.state("cells", "total").data
    )


def test_checkpoints_live_steps_and_batches() -> None:
    net = network(1)
    programs: list[Any] = [target.compile(net, dt=1 * ms, progress=False) for target in (Reference("float32"), CPU())]
    rows = []
    for program in programs:
        program.run(10, progress=False)
        state = program.state()
        going_on = program.run(10, progress=False).state("cells", "total").data
        program.restore(state)
        live = program.live(outputs=["cells"])
        view = live.state("cells", "total")
        lived = []
        for _ in range(10):
            live.step({})
            lived.append(np.array(live.state("cells", "total")))
        np.testing.assert_array_equal(going_on, np.array(lived, np.float32) * np.float32(1e3))
        assert view.shape == (5,)
        totals = np.array([[0.0] * 5, [1.0] * 5, [2.5] * 5])
        batch = program.run_batch({"cells": {"total": totals * mV}}, 20, progress=False)
        rows.append(batch.counts["cells"])
    np.testing.assert_array_equal(rows[0], rows[1])
    assert (rows[0].sum(axis=1)[1:] >= rows[0].sum(axis=1)[0]).all()


def test_what_cannot_be_read_is_refused() -> None:
    net = network()
    given, walk, cells = net["given"], net["walk"], net["cells"]
    for arguments, message in (
        ((given, "x", cells.x_in), "source of events"),
        ((walk, "y", cells.x_in), "no state 'y'; its states are x, n"),
        ((walk, "n", cells.x_in), "to_float"),
        ((cells, "seen", walk.kick), "add cells earlier, or read with delay=1"),
        ((walk, "x", cells.x_in), "5 neurons read 3; give index="),
        ((walk, "x", cells.x_in, [0, 1]), "an int for each of 5 neurons"),
        ((walk, "x", cells.x_in, [0, 1, 2, 3, 0]), "index has 3, and there are neurons 0 to 2"),
        ((walk, "x", cells.x_in, [0] * 5, 2), "delay 2"),
        ((walk, "x", cells), "a port"),
        ((network()["walk"], "x", cells.x_in, [0] * 5), "another network"),
    ):
        with pytest.raises(NetworkError, match=message):
            net.read(*arguments)

    @neuron
    class Plain:
        a = Port()
        v = State(0.0)
        v.jump = a

    with pytest.raises(NetworkError, match="give the port unit=mV"):
        net.read(walk, "x", net.population(Plain, 3).a)


def test_targets_without_readings_say_so() -> None:
    from neuromorph.mapping.crossbar import Crossbar
    from neuromorph.mapping.spinnaker2 import SpiNNaker2

    for target in (SpiNNaker2(), Crossbar()):
        with pytest.raises(CheckError, match=r"reading walk.x -> cells.x_in: .* CPU\(\)"):
            target.compile(network(), dt=1 * ms)


def test_files_without_readings_say_so(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    with pytest.raises(CheckError, match=r"reading walk.x -> cells.x_in: SONATA's nodes see"):
        to_sonata(network(), tmp_path, dt=1 * ms, duration=5 * ms)
    assert not list(tmp_path.iterdir())


def test_readings_are_part_of_what_a_network_is() -> None:
    assert network().hash == network().hash
    other = network()
    other.read(other["walk"], "x", other["cells"].x_in, index=[0] * 5)
    assert len({network().hash, network(delay=1).hash, other.hash}) == 3
    assert isinstance(network()["cells"].neuron, Neuron)
    assert "reads x" in network()._repr_html_()
