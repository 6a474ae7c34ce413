"""Networks that do not fit: the error names what and where, and every change it proposes has the effect it states."""

from __future__ import annotations

import re

import numpy as np
import pytest
from strategies import DT, Current, Delta

from neuromorph import AllToAll, Dense, EventSource, FixedProbability, Network, OneToOne, Sparse, Uniform, mV, nA
from neuromorph.errors import MappingError
from neuromorph.lowering import lower
from neuromorph.mapping.machine import spinnaker2
from neuromorph.mapping.spinnaker2 import LayoutOptions, SpiNNaker2, map_network
from neuromorph.mapping.spinnaker2.advice import changes_that_help
from neuromorph.mapping.spinnaker2.formats import plan


def large(neurons: int = 4000) -> Network:
    """Too many synapses of their own weight for one chip."""
    net = Network(seed=2, name="large")
    source = net.population(EventSource(1000), name="source")
    sink = net.population(Current, neurons, name="sink")
    net.project(
        source, sink.i_in, FixedProbability(0.6), weight=Uniform(0 * nA, 1 * nA), delay=1 + np.arange(neurons) % 30
    )
    net.record(sink, "v")
    return net


def heavy(fan_in: int = 40_000) -> Network:
    """One neuron that has more synapses than a PE has bytes."""
    net = Network(name="heavy")
    source = net.population(EventSource(fan_in), name="source")
    sink = net.population(Delta, 2, name="sink")
    weights = np.linspace(1, 2, 2 * fan_in).reshape(fan_in, 2)
    net.project(source, sink.v_in, Dense(weights), weight=1 * mV)
    return net


def test_a_network_for_more_chips_says_how_many_and_that_is_true() -> None:
    network = large()
    with pytest.raises(MappingError) as caught:
        SpiNNaker2(chips=1, partition="sequential").map(network, DT, progress=False)
    error = caught.value
    assert "148" in str(error)
    assert "population sink" in str(error)
    assert error.parts > 148
    assert error.regions["synapses"] > 50_000
    assert sum(error.regions.values()) <= 131_072
    assert re.search(rf"more chips: chips={error.chips} has {error.chips * 148:,} PEs: fits", str(error))
    mapped = SpiNNaker2(chips=error.chips, partition="sequential").map(network, DT, progress=False)
    assert mapped.parts <= error.chips * 148
    with pytest.raises(MappingError):
        SpiNNaker2(chips=error.chips - 1, partition="sequential").map(network, DT, progress=False)


def test_every_proposed_change_has_its_stated_effect() -> None:
    lowered = lower(large(), DT)
    with pytest.raises(MappingError) as caught:
        map_network(lowered, chips=1, partition="sequential")
    changes = caught.value.changes
    names = " | ".join(change.what for change in changes)
    for proposal in ("narrower weights", "shorter delays", "record nothing", "smaller event FIFO", "sparser look-up"):
        assert proposal in names
    assert any(change.fits for change in changes)
    for change in changes:
        stated = f"{change.parts:,} PEs, the fullest with {change.bytes:,} bytes"
        assert f"{change.what}: {stated}" in str(caught.value)
        if change.fits:
            mapped = map_network(change.lowered, chips=1, partition="sequential", place="row_major",
                                 options=change.options)  # fmt: skip
            assert mapped.parts <= 148
            assert mapped.bytes.max() <= mapped.machine.pe_sram
        else:
            with pytest.raises(MappingError):
                map_network(change.lowered, chips=1, partition="sequential", place="row_major", options=change.options)


def test_the_option_that_an_error_names_works_as_typed() -> None:
    network = large()
    with pytest.raises(MappingError) as caught:
        SpiNNaker2(chips=1, partition="sequential").map(network, DT, progress=False)
    assert 'narrower weights: weights="int8"' in str(caught.value)
    assert re.search(r'weights="int8": [\d,]+ PEs, the fullest with [\d,]+ bytes: fits', str(caught.value))
    assert SpiNNaker2(chips=1, weights="int8", partition="sequential").map(network, DT, progress=False).parts <= 148


def test_a_neuron_too_large_for_a_pe_is_named_with_its_bytes() -> None:
    with pytest.raises(MappingError) as caught:
        SpiNNaker2().map(heavy(), DT, progress=False)
    error = caught.value
    assert "population sink: neuron 0 alone needs" in str(error)
    assert error.population == "sink"
    assert error.bytes > error.limit == 131_072
    assert error.regions["synapses"] == 40_000 * 4
    assert sum(error.regions.values()) == error.bytes
    assert not any(change.fits for change in error.changes if change.what.startswith("record"))


def test_a_neuron_that_no_option_makes_fit_says_how_many_synapses_would() -> None:
    with pytest.raises(MappingError) as caught:
        SpiNNaker2().map(heavy(), DT, progress=False)
    assert not any(change.fits for change in caught.value.changes)
    found = re.search(r"fewer synapses: from ([\d,]+) of its 40,000 sources: fits", str(caught.value))
    assert found
    room = int(found.group(1).replace(",", ""))
    SpiNNaker2(partition="sequential", place="row_major").map(heavy(room), DT, progress=False)
    with pytest.raises(MappingError):
        SpiNNaker2(partition="sequential", place="row_major").map(heavy(room + 40), DT, progress=False)


def slow(chips: int | None) -> str:
    """The error of 1,000 neurons with delays of 30,000 steps."""
    net = Network(name="slow")
    source, sink = net.population(EventSource(1), name="source"), net.population(Delta, 1000, name="sink")
    net.project(source, sink.v_in, AllToAll(), weight=1 * mV, delay=30_000)
    with pytest.raises(MappingError) as caught:
        SpiNNaker2(chips=chips).map(net, DT, progress=False)
    return str(caught.value)


def test_a_change_is_judged_by_the_chips_that_may_be_taken() -> None:
    assert re.search(
        r"at most 15000 steps instead of 30000: 1,000 PEs, the fullest with [\d,]+ bytes: fits\n", slow(None)
    )
    assert re.search(r"at most 15000 steps instead of 30000: 1,000 PEs, .* bytes: fits chips=7\n", slow(1))


def test_a_change_that_saves_memory_needs_no_more_pes_than_the_partition_that_stands() -> None:
    """Neurons alternate between two halves of the sources, so filling PEs in order stores most rows twice."""
    sources, sinks, fan_in = 10_240, 560, 70
    rng = np.random.default_rng(3)
    post = np.repeat(np.arange(sinks), fan_in)
    pre = rng.integers(0, sources // 2, len(post)) + (post % 2) * (sources // 2)
    net = Network(name="halves")
    source, sink = net.population(EventSource(sources), name="source"), net.population(Delta, sinks, name="sink")
    net.project(source, sink.v_in, Sparse((pre, post, np.ones(len(post)))), weight=1 * mV)
    lowered, machine = lower(net, DT, weights="int8"), spinnaker2(1)
    layout = plan(lowered, machine, LayoutOptions(neurons_per_pe=512, rows="indexed"))
    known = np.r_[np.arange(sources) // 512, sources // 512 + np.arange(sinks) % 2].astype(np.int32)
    parts = int(known.max()) + 1
    alone, beside = (
        {c.what: c for c in changes_that_help(lowered, layout, machine, 148, standing)} for standing in (None, known)
    )
    saving = "smaller event FIFO: fifo=64"
    assert alone[saving].parts > parts, "the case must be one that filling in order does badly"
    assert beside[saving].parts == parts
    assert beside[saving].bytes <= machine.pe_sram


def test_narrower_weights_make_room_for_a_large_neuron_if_the_error_says_so() -> None:
    network = heavy(14_000)
    with pytest.raises(MappingError) as caught:
        SpiNNaker2(rows="indexed").map(network, DT, progress=False)
    fits = {change.what for change in caught.value.changes if change.fits}
    assert 'narrower weights: weights="int8"' in fits
    SpiNNaker2(rows="indexed", weights="int8").map(network, DT, progress=False)


def test_a_given_partition_that_breaks_a_limit_is_refused() -> None:
    net = Network()
    source, sink = net.population(EventSource(10), name="source"), net.population(Delta, 30, name="sink")
    net.project(source, sink.v_in, AllToAll(), weight=1 * mV)
    with pytest.raises(MappingError, match="part 0 has 40 neurons, a PE holds at most 20"):
        SpiNNaker2(partition=np.zeros(40, int), neurons_per_pe=20).map(net, DT, progress=False)
    with pytest.raises(MappingError, match="expected a part for each of 40 neurons"):
        SpiNNaker2(partition=np.zeros(39, int)).map(net, DT, progress=False)
    with pytest.raises(MappingError, match=r"parts are whole numbers from 0, but neuron 7 of population sink has -1"):
        SpiNNaker2(partition=np.where(np.arange(40) == 17, -1, 0)).map(net, DT, progress=False)
    with pytest.raises(MappingError, match=r"parts are whole numbers, got float64"):
        SpiNNaker2(partition=np.zeros(40)).map(net, DT, progress=False)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ([3, 4, 5], r"expected a PE for each of 2 parts, got an array of shape \(3,\)"),
        ([0, 0], "parts 0 and 1 are both on PE 0"),
        ([0, 148], "part 1 is on PE 148 of chip 0, which the system software keeps"),
        ([0, 152], r"part 1 is on PE 152; the 1 chip has PEs 0 to 151"),
        ([0, -1], "part 1 is on PE -1"),
        ([0.0, 1.0], "PEs are whole numbers, got float64"),
    ],
)
def test_a_given_placement_that_cannot_be_says_which_part_is_wrong(place: list[float], message: str) -> None:
    net = Network()
    source, sink = net.population(EventSource(10), name="source"), net.population(Delta, 30, name="sink")
    net.project(source, sink.v_in, AllToAll(), weight=1 * mV)
    with pytest.raises(MappingError, match=message):
        SpiNNaker2(chips=1, partition=np.arange(40) // 20, place=np.array(place)).map(net, DT, progress=False)


def test_a_given_partition_that_overfills_a_pe_is_refused() -> None:
    net = large(400)
    part = np.concatenate((np.arange(1000) // 250, 4 + np.arange(400) // 200))
    with pytest.raises(MappingError, match=r"puts \d+ bytes on one PE of 131072"):
        SpiNNaker2(partition=part, neurons_per_pe=250).map(net, DT, progress=False)


def test_a_table_that_overflows_names_chip_entries_and_changes() -> None:
    net = Network(name="many")
    source, sink = net.population(EventSource(400), name="source"), net.population(Delta, 400, name="sink")
    net.project(source, sink.v_in, OneToOne(), weight=1 * mV)
    with pytest.raises(MappingError, match="chip 0: its router needs") as caught:
        SpiNNaker2(neurons_per_pe=16, constants={"router__entries": 3}).map(net, DT, progress=False)
    error = caught.value
    assert error.entries > error.limit == 3
    assert "neurons_per_pe=None" in {change.what for change in error.changes}


def test_parameters_that_no_longer_fit_are_refused() -> None:
    net = Network(name="tight")
    source, sink = net.population(EventSource(227), name="source"), net.population(Delta, 100, name="sink")
    net.project(source, sink.v_in, Dense(np.linspace(0, 1, 227 * 100).reshape(227, 100)), weight=1 * mV)
    part = np.r_[np.zeros(227), np.ones(100)].astype(int)
    program = SpiNNaker2(partition=part, fifo=16).compile(net, DT)
    free = 131_072 - int(program.mapping.bytes.max())
    assert 0 <= free < 400, "the case must leave less than 4 bytes a neuron"
    program.set("sink", theta=12 * mV)
    with pytest.raises(MappingError, match="one value for all"):
        program.set("sink", theta=np.linspace(8, 12, 100) * mV)
