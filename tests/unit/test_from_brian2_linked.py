"""Linked variables of Brian 2 that change while the network runs: the same values at every place of a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuromorph import CPU, CheckError, Reference, from_brian2, ms

b = pytest.importorskip("brian2")

from brian2_networks import compare, numpy_code  # noqa: E402, F401  numpy_code acts by itself

PLACES = ("start", "before_groups", "after_groups", "thresholds", "before_resets", "end")


def looks(group: Any, *variables: str) -> list[Any]:
    return [b.StateMonitor(group, variables, record=True, when=when) for when in PLACES]


@pytest.mark.parametrize("names", [("aa", "bb"), ("yy", "xx")], ids=["updated first", "updated last"])
def test_variables_of_every_type_at_every_place_of_a_step(names: tuple[str, str]) -> None:
    seen = b.NeuronGroup(
        4,
        "dv/dt = (1.5 - v)/(5*ms) : 1\nI = clip(v, 0.2, inf)*(2 + t/second) : 1\nc : integer\nq : boolean",
        threshold="v > 1",
        reset="v = 0; c += 1; q = not q",
        method="euler",
        name=names[0],
    )
    seen.v = [0, 0.3, 0.5, 0.9]
    sees = b.NeuronGroup(
        8,
        """dw/dt = (x + 0.1*I + 0.1*c + int(q) - w)/(10*ms) : 1
        z = 2*x : 1
        x : 1 (linked)
        I : 1 (linked)
        c : integer (linked)
        q : boolean (linked)""",
        threshold="w > 0.6 + 0.1*x",
        reset="w = 0.1*x",
        method="euler",
        name=names[1],
    )
    sees.x = b.linked_var(seen.v, index=np.array([0, 1, 2, 3, 3, 2, 1, 0]))
    sees.I = b.linked_var(seen.I, index=np.arange(8) // 2)
    sees.c, sees.q = (b.linked_var(seen, name, index=np.arange(8) % 4) for name in "cq")
    back = b.Synapses(sees, seen, on_pre="v += 0.05", delay=0.3 * b.ms)
    back.connect(p=0.5)
    objects = [seen, sees, back, b.SpikeMonitor(seen), b.SpikeMonitor(sees), *looks(sees, "x", "I", "c", "q", "z", "w")]
    assert compare(objects, 20) > 20


def test_two_groups_that_see_one_another() -> None:
    soma = b.NeuronGroup(
        3,
        "dv/dt = (1.6 - v + d)/(9*ms) : 1\nd : 1 (linked)",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        name="b",
    )
    dendrite = b.NeuronGroup(3, "du/dt = (v - u)/(3*ms) : 1\nv : 1 (linked)", method="euler", name="dendrite")
    soma.d, dendrite.v = b.linked_var(dendrite.u), b.linked_var(soma.v, index=np.array([2, 0, 1]))
    soma.v = [0, 0.2, 0.7]
    spikes = b.SpikeMonitor(soma)
    assert (
        compare([soma, dendrite, spikes, b.StateMonitor(soma, ["v", "d"], record=True), *looks(dendrite, "u", "v")], 25)
        > 5
    )


def test_a_chain_a_part_and_a_slower_clock() -> None:
    first = b.NeuronGroup(4, "dx/dt = (1 - x)/(4*ms) : 1", method="rk4", dt=0.3 * b.ms, name="first")
    second = b.NeuronGroup(2, "y : 1\nx : 1 (linked)", name="second")
    part = first[2:]
    second.x = b.linked_var(part, "x")
    second.run_regularly("y += x", dt=0.2 * b.ms)
    third = b.NeuronGroup(3, "dz/dt = (y - z + s)/(2*ms) : 1\ny : 1 (linked)\ns : 1 (linked)", method="euler", name="a")
    third.y, third.s = (
        b.linked_var(second.y, index=np.array([1, 0, 1])),
        b.linked_var(second.x, index=np.array([0, 1, 1])),
    )
    first.x = [0.1, 0.2, 0.3, 0.4]
    assert compare([first, second, third, *looks(third, "z", "s")], 6) == 0


def test_neurons_of_one_group_that_see_their_neighbours() -> None:
    ring = b.NeuronGroup(
        5, "dv/dt = (1.3*w - v)/(3*ms) : 1\nw : 1 (linked)\nu : 1 (linked)", method="euler", name="ring"
    )
    ring.v, ring.w, ring.u = "0.1*i", b.linked_var(ring.v, index=np.roll(np.arange(5), 1)), b.linked_var(ring, "v")
    assert compare([ring, *looks(ring, "v", "u")[:2], b.StateMonitor(ring, "w", record=True)], 5) == 0


def test_one_noise_that_all_neurons_share() -> None:
    noise = b.NeuronGroup(1, "dx/dt = -x/(5*ms) + xi*(2/(5*ms))**0.5 : 1", method="euler", name="noise")
    cells = b.NeuronGroup(
        50, "dv/dt = (x + 0.5 - v)/(2*ms) : 1\nx : 1 (linked)", threshold="v > 1", reset="v = 0", name="cells"
    )
    cells.x = b.linked_var(noise, "x")
    objects = [noise, cells, b.StateMonitor(noise, "x", record=True), b.StateMonitor(cells, "v", record=True)]
    trace = (
        CPU(dtype="float64")
        .compile(from_brian2([*objects, b.SpikeMonitor(cells)], seed=4), dt=0.1 * ms)
        .run(400 * ms, progress=False)
    )
    x = trace.state("noise", "x_start").data[:, 0]
    assert 0.6 < x[500:].std() < 1.4
    np.testing.assert_array_equal(np.ptp(trace.state("cells", "v_start").data, axis=1), 0)
    steps, fired = np.unique(np.asarray(trace.events("cells").steps), return_counts=True)
    assert len(steps) > 20
    assert set(fired) == {50}


def several_runs() -> list[Any]:
    b.start_scope()
    stimulus = b.NeuronGroup(
        2,
        "dx/dt = (1.5 - x)/(5*ms) : 1\nk : integer",
        threshold="x > 1.2",
        reset="x = 0.1; k += 1",
        method="euler",
        name="stimulus",
    )
    cells = b.NeuronGroup(
        6,
        "dv/dt = (x + 0.1*k - v)/(3*ms) : 1\nx : 1 (linked)\nk : integer (linked)",
        threshold="v > 0.6",
        reset="v = 0.1*x",
        method="euler",
        name="cells",
    )
    cells.x, cells.k = (b.linked_var(stimulus, name, index=np.arange(6) % 2) for name in "xk")
    back = b.Synapses(cells, stimulus, on_pre="x += 0.02", delay=0.5 * b.ms)
    back.connect()
    stimulus.x = [0, 0.5]
    samples, spikes = b.StateMonitor(cells, ["x", "v", "k"], record=True), b.SpikeMonitor(cells)
    network = b.Network(stimulus, cells, back, samples, spikes)
    for duration in (4.3, 0.1, 3.0):
        network.run(duration * b.ms)
        stimulus.x = stimulus.x[:] * 0.9
    return [samples.x[:], samples.v[:], samples.k[:], spikes.t_[:], spikes.i[:], cells.x[:], stimulus.x[:]]


def test_several_runs_on_the_device_are_those_of_brian2() -> None:
    import neuromorph.brian2  # noqa: F401  makes the device known

    expected = several_runs()
    b.set_device("neuromorph", target=Reference())
    try:
        found = several_runs()
    finally:
        b.set_device("runtime")
    assert len(expected[3]) > 5
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_what_cannot_be_linked() -> None:
    one = b.NeuronGroup(2, "dx/dt = (y - x)/ms : 1\ny : 1 (linked)", threshold="x > 1", reset="x = 0", method="euler")
    two = b.NeuronGroup(2, "dy/dt = (x - y)/ms : 1\nx : 1 (linked)", threshold="y > 1", reset="y = 0", method="euler")
    one.y, two.x = b.linked_var(two, "y"), b.linked_var(one, "x")
    counts = b.NeuronGroup(2, "n : 1 (linked)\nz : 1", threshold="z > 1", reset="n += 1", name="counts")
    counts.n = b.linked_var(one, "x")
    reading = b.Synapses(two, two, on_pre="y += x_pre", name="reading")
    reading.connect(j="i")
    with pytest.raises(CheckError) as caught:
        from_brian2([one, two, counts, reading])
    text = "\n".join(caught.value.problems)
    for expected in (
        "counts: reset: n is linked to x of neurongroup; a group changes its own variables alone",
        "reading: on_pre 'y += x_pre': x is linked to x of neurongroup, which changes while the network runs",
    ):
        assert expected in text, text
    with pytest.raises(CheckError, match="each is linked to what another becomes in the same step"):
        from_brian2([one, two])
