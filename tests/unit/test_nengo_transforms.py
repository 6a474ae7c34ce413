"""Nengo's transforms, synapses and processes here: what they do in its own simulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from nengo_models import error, run, spikes, spikes_of

from neuromorph import Reference, from_nengo, second
from neuromorph.interchange.nengo.processes import filter_of, in_series, series
from neuromorph.interchange.nengo.transforms import Shared, convolution, rule_of, times
from neuromorph.network import Dense, Lookup, Sparse

nengo = pytest.importorskip("nengo")


def product(transform: Any, x: Any) -> Any:
    """What Nengo makes of one vector."""
    with nengo.Network(seed=0) as model:
        a, b = nengo.Node(x), nengo.Node(size_in=transform.size_out)
        nengo.Connection(a, b, transform=transform, synapse=None)
        probe = nengo.Probe(b)
    with nengo.Simulator(model, progress_bar=False) as simulator:
        simulator.step()
    return simulator.data[probe][0]


def same_as_nengo(transform: Any) -> Shared:
    """The transform here, its product compared with Nengo's."""
    rng = np.random.RandomState(3)
    kernel = rng.uniform(-1, 1, transform.kernel_shape)
    kind = type(transform)
    given = {} if kind is nengo.transforms.ConvolutionTranspose else {"groups": transform.groups}
    with_kernel = kind(
        transform.n_filters,
        transform.input_shape,
        kernel_size=transform.kernel_size,
        strides=transform.strides,
        padding=transform.padding,
        channels_last=transform.channels_last,
        init=kernel,
        **given,
    )
    x = rng.uniform(-1, 1, transform.size_in)
    shared = convolution(with_kernel, kernel)
    assert shared.kernel_size == kernel.size
    assert error(shared.matrix() @ x, product(with_kernel, x)) < 1e-12
    return shared


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("shape", "channels", "filters", "size", "strides", "groups"),
    [
        ((7, 6), 2, 3, (3, 2), (1, 1), 1),
        ((8, 7), 4, 6, (3, 3), (2, 3), 2),
        ((11,), 3, 2, (4,), (2,), 1),
    ],
)
def test_convolutions(
    shape: Any, channels: int, filters: int, size: Any, strides: Any, groups: int, padding: str, channels_last: bool
) -> None:
    full = (*shape, channels) if channels_last else (channels, *shape)
    made = nengo.Convolution(
        filters, full, kernel_size=size, strides=strides, padding=padding, channels_last=channels_last, groups=groups
    )
    shared = same_as_nengo(made)
    assert len(shared.pre) < shared.shape[0] * shared.shape[1] or groups == 1


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("shape", "size", "strides"), [((4, 3), (3, 2), (2, 3)), ((5,), (4,), (2,)), ((5, 5), (3, 3), (1, 1))]
)
def test_transposed_convolutions(shape: Any, size: Any, strides: Any, padding: str, channels_last: bool) -> None:
    full = (*shape, 2) if channels_last else (2, *shape)
    same_as_nengo(
        nengo.transforms.ConvolutionTranspose(
            3, full, kernel_size=size, strides=strides, padding=padding, channels_last=channels_last
        )
    )


def test_a_convolution_of_spikes_shares_its_kernel_and_makes_the_spikes_of_nengo() -> None:
    image = np.random.RandomState(5).uniform(0, 1, 36)
    with nengo.Network(seed=4) as model:
        drive = nengo.Node(nengo.processes.PresentInput([image, -image], 0.05), label="images")
        fine = nengo.Convolution(2, (6, 6, 1), padding="same", init=nengo.dists.Uniform(0, 1))
        coarse = nengo.Convolution(
            3, (6, 6, 2), kernel_size=(2, 2), strides=(2, 2), init=nengo.dists.Uniform(-0.1, 0.1)
        )
        a = nengo.Ensemble(fine.size_out, 1, label="a", gain=nengo.dists.Uniform(1, 2), bias=nengo.dists.Choice([0.5]))
        b = nengo.Ensemble(coarse.size_out, 1, label="b", bias=nengo.dists.Choice([1.2]), gain=np.full(27, 0.3))
        nengo.Connection(drive, a.neurons, transform=fine, synapse=None)
        nengo.Connection(a.neurons, b.neurons, transform=coarse, synapse=0.005)
        fired = [nengo.Probe(x.neurons) for x in (a, b)]
    simulator, trace = run(model, 0.12)
    for name, probe in zip("ab", fired, strict=True):
        assert spikes(trace, name) == spikes_of(simulator, probe)
        assert len(spikes(trace, name)) > 80
    network = from_nengo(model, duration=0.12)
    assert [p.rule.kernel_size for p in network.projections] == [18, 24]
    synapses = Reference().compile(network, dt=0.001 * second).synapses(network.projections[1])
    assert len(synapses.pre) == 9 * 4 * 2 * 3


def test_a_sparse_transform_stays_sparse() -> None:
    connected = scipy.sparse.random(40, 50, 0.05, random_state=1, data_rvs=lambda n: np.full(n, 2e-3))
    with nengo.Network(seed=4) as model:
        a = nengo.Ensemble(50, 1, label="a", bias=nengo.dists.Uniform(1, 4), gain=np.ones(50))
        b = nengo.Ensemble(40, 1, label="b", bias=nengo.dists.Choice([0.5]), gain=nengo.dists.Uniform(1, 3))
        nengo.Connection(a.neurons, b.neurons, transform=nengo.Sparse((40, 50), init=connected), synapse=0.01)
        nengo.Connection(a.neurons[10:], b.neurons, transform=1e-4, synapse=nengo.Alpha(0.01))
        fired = nengo.Probe(b.neurons)
    simulator, trace = run(model, 0.15)
    assert spikes(trace, "b") == spikes_of(simulator, fired) != set()
    rules = [p.rule for p in from_nengo(model).projections]
    assert [type(rule) for rule in rules] == [Sparse, Sparse]
    assert [rule.count(None, None).mean for rule in rules] == [100, 40]


def test_products_of_weights_keep_a_shared_kernel_where_they_can() -> None:
    shared = convolution(nengo.Convolution(1, (4, 4, 1)), np.ones((3, 3, 1, 1)))
    identity = scipy.sparse.csr_array(scipy.sparse.eye_array(16))
    assert times(shared, identity) is shared
    assert isinstance(rule_of(times(np.ones((2, 4)), shared)), Dense)


SYNAPSES = {
    "lowpass": nengo.Lowpass(0.01),
    "alpha": nengo.Alpha(0.01),
    "triangle": nengo.synapses.Triangle(0.012),
    "third order": nengo.LinearFilter([0.2, 1], [1e-6, 3e-4, 3e-2, 1]),
    "with a way past its state": nengo.LinearFilter([0.005, 1], [0.02, 1]),
    "without states": nengo.LinearFilter([0.7], [1], analog=False),
    "discrete": nengo.LinearFilter([1, 0.1], [1, -0.7, 0.1], analog=False),
}


@pytest.mark.parametrize("name", SYNAPSES)
def test_synapses(name: str) -> None:
    with nengo.Network(seed=6) as model:
        drive, constant = nengo.Node(lambda t: np.sin(30 * t)), nengo.Node([0.3])
        a, b = nengo.Ensemble(30, 1, label="a"), nengo.Ensemble(30, 1, label="b")
        through = nengo.Node(size_in=1, label="through")
        nengo.Connection(drive, a, synapse=SYNAPSES[name])
        nengo.Connection(constant, a, synapse=SYNAPSES[name])
        nengo.Connection(a, through, synapse=SYNAPSES[name])
        nengo.Connection(through, b, synapse=0.003)
        fired = [nengo.Probe(x.neurons) for x in (a, b)]
        value = nengo.Probe(through, synapse=SYNAPSES[name], label="value")
    simulator, trace = run(model, 0.1)
    for population, probe in zip("ab", fired, strict=True):
        assert spikes(trace, population) == spikes_of(simulator, probe) != set()
    assert error(trace.state("value", "value").data, simulator.data[value]) < 1e-6


def test_two_filters_in_series_are_one() -> None:
    one, two = filter_of(nengo.Alpha(0.004), 0.001), filter_of(nengo.Lowpass(0.01), 0.001)
    assert one is not None
    assert two is not None
    both = in_series(one, two)
    assert (len(both.a), both.c[:2], both.c[2]) == (3, (0.0, 0.0), two.c[0])
    assert filter_of(nengo.synapses.Synapse(), 0.001) is None


def test_noise_is_what_nengo_draws() -> None:
    with nengo.Network(seed=8) as model:
        noise = nengo.processes.FilteredNoise(nengo.Lowpass(0.01), nengo.dists.Gaussian(0, 5), seed=3)
        cells = nengo.Ensemble(40, 1, noise=noise, label="cells")
        fired = nengo.Probe(cells.neurons)
    simulator, trace = run(model, 0.2)
    quiet = nengo.Network(seed=8)
    with quiet:
        nengo.Ensemble(40, 1, label="cells")
    assert spikes(trace, "cells") == spikes_of(simulator, fired)
    assert spikes(trace, "cells") != spikes(run_alone(quiet), "cells")


def run_alone(model: Any) -> Any:
    return Reference(dtype="float64").compile(from_nengo(model), dt=0.001 * second).run(200, progress=False)


def test_processes_of_nodes() -> None:
    rows = np.array([[0.5, -0.5], [0.1, 0.9], [-0.8, 0.3]])
    outputs = {
        "rows": nengo.processes.PresentInput(rows, 0.0125),
        "pieces": nengo.processes.Piecewise({0.02: [0.5, 0.2], 0.05: lambda t: [np.sin(90 * t), -1]}),
        "signal": nengo.processes.WhiteSignal(0.2, high=40, seed=4),
        "noise": nengo.processes.WhiteNoise(nengo.dists.Gaussian(0, 0.02), seed=5),
        "brown": nengo.processes.BrownNoise(seed=6),
    }
    with nengo.Network(seed=2) as model:
        probes = {}
        for label, output in outputs.items():
            node = nengo.Node(output, size_out=2, label=label)
            probes[f"{label} now"] = nengo.Probe(node, label=f"{label} now")
            probes[f"{label} late"] = nengo.Probe(node, synapse=0.01, label=f"{label} late")
    simulator, trace = run(model, 0.1)
    for label, probe in probes.items():
        expected = simulator.data[probe]
        assert error(trace.state(label, "value").data, expected) < 1e-6 * np.abs(expected).max(), label
    node = model.nodes[0]
    made = series(node, "rows", 100, 0.001, 0)
    assert isinstance(made.source(False), Lookup)
    assert made.values.shape == (3, 2)
    assert np.array_equal(made.values[made.rows], simulator.data[probes["rows now"]])


def test_processes_without_a_seed_differ_between_nodes() -> None:
    with nengo.Network(seed=2) as model:
        nodes = [nengo.Node(nengo.processes.WhiteSignal(1.0, high=10)) for _ in range(2)]
        for k, node in enumerate(nodes):
            nengo.Probe(node, label=f"node {k}")
    network = from_nengo(model, duration=0.05)
    trace = Reference(dtype="float64").compile(network, dt=0.001 * second).run(50, progress=False)
    assert error(trace.state("node 0", "value").data, trace.state("node 1", "value").data) > 0.01
