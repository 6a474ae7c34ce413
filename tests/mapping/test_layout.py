"""The memory of a PE: what the compiler counts is what the simulated memories hold, to the byte."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import DT, Delta, Whole, networks

from neuromorph import AllToAll, Conv2D, Dense, EventSource, FixedProbability, Network, OneToOne, Uniform, mV
from neuromorph.errors import TargetError
from neuromorph.lowering import LoweredNetwork, lower
from neuromorph.mapping.machine import spinnaker2
from neuromorph.mapping.partition import part_bytes
from neuromorph.mapping.spinnaker2.formats import plan
from neuromorph.mapping.spinnaker2.image import Image, image_bytes
from neuromorph.mapping.spinnaker2.layout import REGIONS, ring_slots
from neuromorph.mapping.spinnaker2.map import Mapping, map_network
from neuromorph.mapping.spinnaker2.memory import hypergraph
from neuromorph.mapping.spinnaker2.options import LayoutOptions

QUICK = settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
COLUMN = {name: k for k, name in enumerate(REGIONS)}


def random_part(n: int, most: int, seed: int) -> np.ndarray:
    """A partition into random parts of at most ``most`` neurons."""
    rng = np.random.default_rng(seed)
    return rng.permutation(np.arange(n) // most).astype(np.int32)


@given(
    net=networks(),
    seed=st.integers(0, 1000),
    most=st.integers(1, 12),
    rows=st.sampled_from(["auto", "indexed", "packed"]),
    weights=st.sampled_from([None, "int8", "spark"]),
)
@QUICK
def test_compiler_hypergraph_and_memory_images_count_the_same_bytes(
    net: Network, seed: int, most: int, rows: str, weights: str | None
) -> None:
    lowered = lower(net, DT, weights=weights)
    n = sum(p.size for p in lowered.populations)
    mapped = map_network(
        lowered, partition=random_part(n, most, seed), place="row_major", options=LayoutOptions(rows=rows), seed=seed
    )
    image = Image.build(lowered, mapped.part, mapped.parts)
    np.testing.assert_array_equal(image_bytes(image, lowered, mapped.layout), mapped.regions)
    graph = hypergraph(lowered, mapped.layout)
    own = -(-part_bytes(graph, mapped.part, mapped.parts) // mapped.layout.grain) + mapped.layout.fixed_bytes
    np.testing.assert_array_equal(own, mapped.regions.sum(1))
    assert mapped.regions.sum(1).max() <= mapped.machine.pe_sram


@given(net=networks(), seed=st.integers(0, 100))
@QUICK
def test_every_synapse_lies_in_one_memory_in_the_order_of_its_row(net: Network, seed: int) -> None:
    lowered = lower(net, DT)
    n = sum(p.size for p in lowered.populations)
    part = random_part(n, 7, seed)
    image = Image.build(lowered, part, int(part.max()) + 1)
    for synapses, rows in zip(lowered.projections, image.rows, strict=True):
        if synapses.row_ptr is None or synapses.targets is None:
            assert rows.dense
            continue
        slices = image.slices[synapses.post]
        for source in range(synapses.n_pre):
            row = slice(synapses.row_ptr[source], synapses.row_ptr[source + 1])
            found: list[int] = []
            for k in range(rows.sub_ptr[source], rows.sub_ptr[source + 1]):
                words = slice(rows.start[k], rows.start[k] + rows.count[k])
                p = rows.part[k]
                assert rows.image_begin[p] <= words.start <= words.stop <= rows.image_begin[p + 1]
                found += slices.order[slices.begin[p] + rows.local[words].astype(int)].tolist()
            assert sorted(found) == synapses.targets[row].tolist()


def lowered_pair(projections: list[tuple[object, object, object]], sizes: tuple[int, int] = (20, 30)) -> LoweredNetwork:
    net = Network(seed=1, name="pair")
    a = net.population(EventSource(sizes[0]), name="a")
    b = net.population(Delta, sizes[1], name="b")
    for rule, weight, delay in projections:
        net.project(a, b.v_in, rule, weight=weight, delay=delay)
    return lower(net, DT)


def whole(lowered: LoweredNetwork, **options: object) -> Mapping:
    """Everything on one PE."""
    n = sum(p.size for p in lowered.populations)
    return map_network(
        lowered, partition=np.zeros(n, np.int32), place="row_major", options=LayoutOptions(neurons_per_pe=n, **options)
    )


def test_dense_rows_take_their_weights_and_one_entry_a_source() -> None:
    regions = whole(lowered_pair([(Dense(np.ones((20, 30)) + np.eye(20, 30)), 1 * mV, 1)])).regions[0]
    assert regions[COLUMN["synapses"]] == 20 * 30 * 4
    assert regions[COLUMN["rows"]] == 20 * 4


def test_one_weight_for_all_needs_no_weight_field() -> None:
    lowered = lowered_pair([(FixedProbability(0.5), 2 * mV, 1)])
    regions = whole(lowered, rows="indexed").regions[0]
    assert regions[COLUMN["synapses"]] == lowered.projections[0].count  # a target of 50 neurons: 1 B


def test_delays_of_their_own_and_float_weights_widen_a_synapse() -> None:
    lowered = lowered_pair([(FixedProbability(0.5), Uniform(1 * mV, 2 * mV), 1 + np.arange(30) % 9)])
    regions = whole(lowered, rows="indexed").regions[0]
    # 6 bits of target and 4 of delay: 2 B; float32 weight: 4 B
    assert regions[COLUMN["synapses"]] == lowered.projections[0].count * 6
    assert ring_slots(lowered)[1] == (10,)
    assert regions[COLUMN["ring"]] == 30 * 10 * 4


def test_packed_rows_trade_entries_for_flags() -> None:
    lowered = lowered_pair([(FixedProbability(0.1), 2 * mV, 1)])
    indexed, packed = whole(lowered, rows="indexed"), whole(lowered, rows="packed")
    heard = np.count_nonzero(np.diff(lowered.projections[0].row_ptr))
    assert indexed.regions[0, COLUMN["rows"]] == 4 * heard
    assert packed.regions[0, COLUMN["rows"]] == heard
    assert packed.regions[0, COLUMN["synapses"]] == lowered.projections[0].count  # 6 bits and a flag


def test_integer_weights_are_stored_as_narrow_as_they_are() -> None:
    for top, width in ((100, 1), (1000, 2), (100_000, 4)):
        net = Network()
        a, b = net.population(EventSource(4), name="a"), net.population(Whole, 6, name="b")
        net.project(a, b.a, Dense(np.arange(24, dtype=np.int32).reshape(4, 6) % 7 * (top // 6)))
        assert whole(lower(net, DT)).layout.projections[0].weight_bits == 8 * width


def test_a_convolution_stores_each_kernel_once_on_each_pe_that_uses_it() -> None:
    net = Network()
    image = net.population(EventSource(64), (1, 8, 8), name="image")
    maps = net.population(Delta, (4, 6, 6), name="maps")
    net.project(image, maps.v_in, Conv2D(np.random.default_rng(0).normal(size=(4, 1, 3, 3)) * mV))
    lowered = lower(net, DT)
    part = np.concatenate((np.zeros(64), 1 + np.repeat(np.arange(4), 36) // 2)).astype(np.int32)
    mapped = map_network(lowered, partition=part, place="row_major")
    assert mapped.layout.projections[0].kind == "kernel"
    assert mapped.regions[1:, COLUMN["kernels"]].tolist() == [2 * 9 * 4, 2 * 9 * 4]
    assert mapped.regions[1:, COLUMN["synapses"]].tolist() == [72 * 4, 72 * 4]
    assert mapped.regions[0, COLUMN["kernels"]] == 0


def test_high_fan_in_random_networks_are_packed_and_quiet_ones_indexed() -> None:
    machine = spinnaker2()
    high = lowered_pair([(FixedProbability(0.1), 1 * mV, 1)], (4000, 400))
    low = lowered_pair([(AllToAll(), 1 * mV, 1)], (40, 400))
    assert plan(high, machine, LayoutOptions()).sources[0].mode == "packed"
    assert plan(low, machine, LayoutOptions()).sources[0].mode == "indexed"


def test_the_directory_grows_until_the_mapping_fits() -> None:
    lowered = lowered_pair([(AllToAll(), Uniform(1 * mV, 2 * mV), 1)], (60, 60))
    mapped = map_network(lowered, options=LayoutOptions(neurons_per_pe=2, directory=1), place="row_major")
    assert mapped.layout.options.directory >= 30
    assert mapped.layout.options.directory_entry == 4
    assert (mapped.regions[:, COLUMN["directory"]] == 4 * mapped.layout.options.directory).all()


def test_keys_that_are_too_spread_take_wider_directory_entries() -> None:
    lowered = lowered_pair([(OneToOne(), 1 * mV, 1)], (40_000, 40_000))
    part = np.concatenate((np.arange(40_000) // 1000, 40 + np.arange(40_000) // 1000)).astype(np.int32)
    part[39_999] = 80  # a part of one neuron: no bit of a key can be left out
    mapped = map_network(lowered, partition=part, place="row_major", options=LayoutOptions(neurons_per_pe=1000))
    assert mapped.layout.options.directory_entry == 8
    assert (mapped.regions[:, COLUMN["directory"]] == 8 * mapped.layout.options.directory).all()


@pytest.mark.parametrize("wrong", [{"fifo": 0}, {"flush": 0}, {"neurons_per_pe": 0}, {"rows": "fast"}])
def test_options_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(TargetError, match=next(iter(wrong))):
        LayoutOptions(**wrong)
