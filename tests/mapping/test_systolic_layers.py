"""Layers as products: shapes against published totals, bits of peers, and our own networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import networks

from neuromorph import Conv2D, Dense, Event, EventSource, Network, OneToOne, Port, Reference, State, ms, neuron
from neuromorph.errors import MappingError
from neuromorph.mapping.systolic.layers import batched, conv, gemm
from neuromorph.mapping.systolic.machine import array_names, load_array
from neuromorph.mapping.systolic.own import read_network
from neuromorph.mapping.systolic.precision import with_precision
from neuromorph.mapping.systolic.shapes import load_layers, network_names
from neuromorph.network.builders import build

# weights in millions and products in thousand millions, as torchvision's and Hugging Face's model cards and the
# papers round them, biases and normalisation left out
PUBLISHED = {
    "vgg16": (138.34, 15.47),
    "resnet18": (11.68, 1.81),
    "resnet50": (25.50, 4.09),
    "resnet152": (60.04, 11.51),
    "vit_b": (86.29, 17.56),
    "bert_base": (85.53, 11.17),
}


@pytest.mark.parametrize("name", network_names())
def test_totals_are_the_published_ones(name: str) -> None:
    layers = load_layers(name)
    weights = sum(layer.seconds for layer in layers if layer.second == "weights")
    assert (round(weights / 1e6, 2), round(sum(layer.macs for layer in layers) / 1e9, 2)) == PUBLISHED[name]


@pytest.mark.parametrize("name", [name for name in network_names() if "resnet" in name or "vgg" in name])
def test_channels_follow_from_layer_to_layer(name: str) -> None:
    """What a convolution reads is what the layers before it make (a block's shortcut reads what its first one does)."""
    layers = load_layers(name)
    made = {layers[0].columns, 3}
    for layer in layers:
        channels = layer.window.channels if layer.window else layer.depth
        assert channels in made or channels == max(made) * 49, layer
        made.add(layer.columns)


@given(
    st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2),
    st.integers(1, 2), st.integers(1, 3),
)  # fmt: skip
def test_a_convolution_counts_what_its_windows_hold(
    channels: int, height: int, width: int, kernel: int, stride: int, padding: int, groups: int, filters: int
) -> None:
    shape = channels * groups, (height, width), filters * groups, kernel
    if min(height, width) + 2 * padding < kernel:
        with pytest.raises(MappingError, match="does not fit"):
            conv("c", *shape, stride=stride, padding=padding, groups=groups)
        return
    layer = conv("c", *shape, stride=stride, padding=padding, groups=groups)
    padded = np.zeros((channels, height + 2 * padding, width + 2 * padding))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]
    rows = windows.shape[1] * windows.shape[2]
    assert (layer.rows, layer.depth, layer.columns, layer.repeats) == (rows, channels * kernel**2, filters, groups)
    assert layer.macs == rows * channels * kernel**2 * filters * groups
    assert layer.inputs == channels * groups * height * width
    assert layer.batched(3).macs == 3 * layer.macs
    assert layer.batched(3).seconds == layer.seconds


def test_a_batch_shares_weights_and_not_activations() -> None:
    layers = gemm("w", 5, 7, 3), gemm("a", 5, 7, 3, repeats=2, second="activations")
    weights, activations = batched(layers, 4)
    assert (weights.rows, weights.repeats, weights.seconds) == (20, 1, 21)
    assert (activations.rows, activations.repeats, activations.seconds) == (5, 8, 2 * 4 * 21)
    assert (weights.inputs, activations.inputs) == (4 * 35, 8 * 35)
    with pytest.raises(MappingError, match="0 samples"):
        batched(layers, 0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("layers = []", "a source and a list"),
        ("source = 'me'\nlayers = [{ pool = 'p' }]", "must have a conv or a gemm"),
        ("source = 'me'\nlayers = [{ gemm = 'g', rows = 1, depth = 2 }]", "layer g of kind gemm lacks columns"),
        ("source = 'me'\nlayers = [{ gemm = 'g', rows = 1, depth = 2, columns = 3, stride = 1 }]", "has no stride"),
        ("source = 'me'\nlayers = [{ gemm = 'g', rows = 1, depth = 'x', columns = 3 }]", "depth is 'x'"),
        ("source = 'me'\nlayers = [{ gemm = 'g', rows = 1, depth = 2, columns = 0 }]", "columns is 0"),
        ("source = 'me'\nlayers = [{ gemm = 'g', rows = 1, depth = 2, columns = 3, second = 'x' }]", "second operand"),
        ("source = 'me'\nlayers = [" + "{ gemm = 'g', rows = 1, depth = 2, columns = 3 }," * 2 + "]", "is named g"),
        (
            "source = 'me'\nlayers = [{ conv = 'c', channels = 3, size = 4, filters = 2, kernel = [3] }]",
            "one number or",
        ),
        (
            "source = 'me'\nlayers = [{ conv = 'c', channels = 3, size = 4, filters = 2, kernel = 2, groups = 2 }]",
            "group",
        ),
        ("source = ", "no TOML"),
    ],
)
def test_files_that_say_something_else(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "net.toml"
    path.write_text(text)
    with pytest.raises(MappingError, match=says):
        load_layers(path)


def test_an_unknown_network_is_told_which_there_are() -> None:
    with pytest.raises(MappingError, match="bert_base, resnet152"):
        load_layers("alexnet")


# what is published of the peers: elements, their bits, and where the public simulator of ANT has 8 bits, the share
# of a network's products there
PEERS = {
    "eyeriss": (168, 16), "bitfusion": (4096, 4), "olaccel": (1152, 4), "biscaled": (2560, 6), "adafloat": (896, 8),
    "ant": (4096, 4), "olive": (4096, 4), "spark": (4096, 4),
}  # fmt: skip
WIDE = {
    "ant": {"vgg16": 0.0059, "resnet18": 0.0653, "resnet50": 0.0294, "bert_base": 0.0},
    "olaccel": {"vgg16": 0.0059, "resnet18": 0.0653, "resnet50": 0.0294, "vit_b": 0.0, "bert_base": 0.0},
    "bitfusion": {"vgg16": 0.9391, "resnet18": 0.8725, "resnet50": 0.5791, "vit_b": 0.9586, "bert_base": 0.6389},
}


def test_peers_have_the_elements_of_the_paper() -> None:
    arrays = {name: load_array(name) for name in array_names()}
    assert {name: (a.elements, a.element.bits) for name, a in arrays.items()} == PEERS
    assert {a.activations.bits for name, a in arrays.items() if name in ("ant", "olive", "olaccel", "bitfusion")} == {4}
    assert {(a.buffer, a.memory_width) for a in arrays.values()} == {(5 * 2**20, 1024.0)}, "the same for every design"


@pytest.mark.parametrize(("peer", "network"), [(p, n) for p, shares in WIDE.items() for n in shares])
def test_the_share_of_products_in_8_bits_is_the_published_one(peer: str, network: str) -> None:
    layers = [layer for layer in load_layers(network) if layer.second == "weights"]
    array = with_precision(load_array(peer), layers, network)
    wide = [layer.macs for layer in layers if layer.name in array.bits]
    assert round(sum(wide) / sum(layer.macs for layer in layers), 4) == WIDE[peer][network]
    assert all(bits == (8, 8) for bits in array.bits.values())


def test_every_name_in_a_peers_list_is_a_layer_with_weights() -> None:
    for peer in array_names():
        prices = load_array(peer).prices
        for network in network_names():
            if f"wide.{network}" in prices:
                weighted = {layer.name for layer in load_layers(network) if layer.second == "weights"}
                assert set(prices[f"wide.{network}"].value) <= weighted, (peer, network)


def test_other_networks_follow_the_peers_rule() -> None:
    layers = [gemm("a", 1, 2, 3), gemm("s", 1, 2, 3, second="activations"), gemm("b", 1, 2, 3), gemm("c", 1, 2, 3)]
    assert set(with_precision(load_array("ant"), layers).bits) == {"a", "c"}
    assert set(with_precision(load_array("ant"), layers, "mine").bits) == {"a", "c"}
    assert set(with_precision(load_array("bitfusion"), layers).bits) == {"a", "b", "c"}
    assert with_precision(load_array("eyeriss"), layers).bits == {}
    with pytest.raises(MappingError, match="are they those of vgg16"):
        with_precision(load_array("ant"), layers, "vgg16")


@neuron
class Sum:
    x = Port()
    v = State(0.0)
    v.next = 0.5 * v + x
    y = Event(when=v > 0.1, value=v)


def _network() -> Network:
    net = Network(seed=3, name="mine")
    steps = np.repeat(np.arange(5), 4)
    source = EventSource(16, steps=steps, indices=np.arange(20) % 16, values=np.linspace(-1, 2, 20))
    image = net.population(source, (4, 4), name="image")
    maps = net.population(Sum(), (2, 2, 2), name="maps")
    out = net.population(Sum(), 3, name="out")
    rng = np.random.default_rng(0)
    net.project(image, maps, Conv2D(rng.normal(size=(2, 1, 3, 3))), name="conv")
    net.project(maps, out, Dense(rng.normal(size=(8, 3))), name="dense")
    net.project(out, out, OneToOne(), weight=0.5, name="loop")
    return net


def test_our_network_as_layers() -> None:
    net = _network()
    trace = Reference().compile(net, dt=1 * ms).run(10, progress=False)
    layers, values = read_network(net, 1 * ms, trace, 10)
    assert [(x.name, x.rows, x.depth, x.columns, x.inputs) for x in layers] == [
        ("conv", 4, 9, 2, 16), ("dense", 1, 8, 3, 8), ("loop", 1, 3, 3, 3)
    ]  # fmt: skip
    activations, weights = values.of(layers[1])
    given = np.abs(build(net, 1e-3)[1].weights.reshape(8, 3))
    assert weights.lines is not None
    assert activations.lines is not None
    assert np.array_equal(weights.lines, np.rint(given.T.astype(float) / given.max() * 255).astype(np.uint8))
    events = trace.events("maps")
    assert activations.lines.shape == (10, 8)
    assert np.count_nonzero(activations.lines) == np.count_nonzero(np.rint(events.values / events.values.max() * 255))
    loop = values.of(layers[2])[1].lines
    assert loop is not None
    assert np.array_equal(loop, 255 * np.eye(3, dtype=np.uint8))
    with pytest.raises(MappingError, match="at least 1"):
        read_network(net, 1 * ms, trace, 0)


def test_a_trace_without_the_events_is_refused() -> None:
    net = _network()
    other = Network()
    other.population(EventSource(1), name="image")
    trace = Reference().compile(other, dt=1 * ms).run(3, progress=False)
    with pytest.raises(MappingError, match="no events of maps"):
        read_network(net, 1 * ms, trace)


@given(networks(max_neurons=20, max_populations=2, max_projections=3))
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_network_has_a_layer_for_each_projection_with_synapses(net: Network) -> None:
    trace = Reference().compile(net, dt=1 * ms).run(4, progress=False)
    built = [s for s in build(net, 1e-3) if s.count]
    if not built:
        with pytest.raises(MappingError, match="no synapses"):
            read_network(net, 1 * ms, trace, 4)
        return
    if {net.populations[s.pre].name for s in built} - set(trace.recorded_events):
        with pytest.raises(MappingError, match="has no events of"):
            read_network(net, 1 * ms, trace, 4)
        return
    layers, values = read_network(net, 1 * ms, trace, 4)
    assert [layer.name for layer in layers] == [s.name for s in built]
    for layer, synapses in zip(layers, built, strict=True):
        assert layer.macs >= np.unique(np.stack(_pairs(synapses)), axis=1).shape[1]
        assert values.of(layer)[0].share.sum() == pytest.approx(1.0)


def _pairs(synapses: object) -> tuple[np.ndarray, np.ndarray]:
    s = synapses
    if s.row_ptr is None:  # type: ignore[attr-defined]
        return tuple(np.indices((s.n_pre, s.n_post)).reshape(2, -1))  # type: ignore[attr-defined, return-value]
    return np.repeat(np.arange(s.n_pre), np.diff(s.row_ptr)), s.targets  # type: ignore[attr-defined]
