"""The hypergraph of built projections, against a count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from neuromorph.errors import MappingError
from neuromorph.mapping.graph import Block, CostModel, hypergraph, kernel_blocks, population_positions
from neuromorph.mapping.hypergraph import Limits
from neuromorph.mapping.partition import check_partition, part_bytes, partition
from neuromorph.models import LIFDelta
from neuromorph.models.benchmark_networks import BENCHMARKS, convolutional, egru, potjans_diesmann, reservoir
from neuromorph.network import AllToAll, Conv2D, FixedProbability, FixedTotal, Network, build
from neuromorph.units import ms, mV


def three_populations():
    net = Network(seed=2)
    a, b, c = (net.population(LIFDelta, size, name=name) for size, name in ((7, "a"), (9, "b"), (5, "c")))
    net.project(a, b, FixedTotal(40), weight=1 * mV)  # with multapses
    net.project(a, c, AllToAll(), weight=1 * mV)
    net.project(a, b, FixedProbability(0.5), weight=1 * mV, name="again")
    net.project(c, a, FixedProbability(0.4), weight=1 * mV)
    return net, build(net, 1 * ms)


def by_hand(projections, sizes, costs, part, p):
    """Bytes of part p from the meaning of the cost model, synapse by synapse."""
    first = np.concatenate(([0], np.cumsum(sizes)))
    population = np.repeat(np.arange(len(sizes)), sizes)
    total = sum(int(costs.neuron[population[v]]) for v in np.flatnonzero(part == p))
    sources, rows = set(), set()
    for i, synapses in enumerate(projections):
        for s in range(synapses.n_pre):
            if synapses.row_ptr is None:
                row = np.arange(synapses.n_post)
            else:
                row = synapses.targets[synapses.row_ptr[s] : synapses.row_ptr[s + 1]]
            for t in row:
                if part[first[synapses.post] + int(t)] == p:
                    total += costs.synapse[i]
                    sources.add(first[synapses.pre] + s)
                    rows.add((i, s))
    total += costs.source * len(sources) + sum(costs.row[i] for i, _ in rows)
    for block in costs.blocks:
        inside = part[first[block.population] : first[block.population + 1]] == p
        total += sum(int(block.bytes[g]) for g in set(block.group[inside].tolist()) - {-1})
    return total


def test_bytes_are_those_of_the_cost_model():
    net, projections = three_populations()
    sizes = [p.size for p in net.populations]
    blocks = (Block(1, np.arange(9, dtype=np.int32) % 3 - 1, np.array([100, 1000])),)
    costs = CostModel(neuron=(10, 20, 30), synapse=(1, 2, 3, 4), source=5, row=(6, 7, 0, 8), blocks=blocks)
    graph = hypergraph(projections, sizes, costs, rates=(1.0, 2.0, np.arange(5.0)))
    for seed in range(5):
        part = np.random.default_rng(seed).integers(0, 3, sum(sizes)).astype(np.int32)
        assert part_bytes(graph, part, 3).tolist() == [by_hand(projections, sizes, costs, part, p) for p in range(3)]
    assert graph.net_weight[:21].tolist() == [1.0] * 7 + [2.0] * 9 + [0, 1, 2, 3, 4]
    assert (graph.net_weight[21:] == 0).all()  # row headers of a: memory only


def test_nets_are_the_union_of_targets():
    _, projections = three_populations()
    graph = hypergraph(projections, [7, 9, 5], CostModel((1,) * 3, (1,) * 4))
    for s in range(7):
        rows = [projections[i].targets[projections[i].row_ptr[s] : projections[i].row_ptr[s + 1]] + 7 for i in (0, 2)]
        expected = sorted({*np.concatenate(rows).tolist(), *range(16, 21)})
        assert graph.net_pins[graph.net_ptr[s] : graph.net_ptr[s + 1]].tolist() == expected
    assert graph.net_ptr[7] == graph.net_ptr[16]  # b sends nothing


def test_a_cost_model_of_another_network_is_refused():
    _, projections = three_populations()
    with pytest.raises(MappingError, match="4 projections"):
        hypergraph(projections, [7, 9, 5], CostModel((1,) * 3, (1,) * 3))


def test_kernels_are_blocks_by_output_channel():
    net = Network()
    image = net.population(LIFDelta, (2, 6, 6), name="image")
    maps = net.population(LIFDelta, (3, 6, 6), name="maps")
    net.project(image, maps, Conv2D(np.ones((3, 2, 3, 3), np.float32) * mV, padding=1))
    (synapses,) = build(net, 1 * ms)
    block = kernel_blocks(synapses, 2)
    assert block is not None
    assert block.group.tolist() == np.repeat(np.arange(3), 36).tolist()
    assert block.bytes.tolist() == [2 * 2 * 9] * 3
    at = population_positions(maps)
    assert at is not None
    assert at[0].tolist() == [1 / 12, 1 / 12]
    assert np.array_equal(at[:36], at[36:72])


def test_published_sizes_of_the_benchmark_networks():
    sizes = {}
    for name in ("lenet", "vgg9s", "pd5p", "egru1024"):
        sizes[name] = sum(p.size for p in BENCHMARKS[name]().network.populations)
    assert sizes == {"lenet": 8878, "vgg9s": 124_170, "pd5p": 3858, "egru1024": 1744}
    lenet = build(BENCHMARKS["lenet"]().network, 1 * ms)
    assert sum(synapses.count for synapses in lenet) == 412_960


SMALL = {
    "conv": lambda: convolutional("small", (1, 16, 16), [("conv", 4, 3), ("pool", 2, 0), ("dense", 20, 0)], (1,)),
    "microcircuit": lambda: potjans_diesmann(0.01),
    "reservoir": lambda: reservoir(8),
    "egru": lambda: egru(40, 96, 5),
}

MOST = {"conv": 0.8, "microcircuit": 1.0, "reservoir": 0.5, "egru": 1.0}  # copies against those of a filling by id


@pytest.mark.parametrize("name", SMALL)
def test_small_benchmark_networks_never_do_worse_than_sequential(name):
    benchmark = SMALL[name]()
    projections = build(benchmark.network, 1 * ms)
    populations = benchmark.network.populations
    blocks = tuple(block for synapses in projections if (block := kernel_blocks(synapses, 1)))
    costs = CostModel(
        neuron=(64,) * len(populations), synapse=(benchmark.weight_bytes,) * len(projections), source=4, blocks=blocks
    )
    positions = [population_positions(p) for p in populations]
    graph = hypergraph(projections, [p.size for p in populations], costs, benchmark.rates, positions)
    limits = Limits(bytes=12_000, vertices=60)
    ours = partition(graph, limits)
    check_partition(graph, limits, ours.part)
    by_id = partition(graph, limits, method="sequential")
    assert ours.copies_per_spike <= MOST[name] * by_id.copies_per_spike
