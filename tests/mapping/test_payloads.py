"""Encodings of events: what a plain receiver reads from their packets, and what they cost beside a run's own report."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph import EventSource, Network, ms, mV
from neuromorph.errors import MappingError, TargetError
from neuromorph.formats import Spark, spark_length, spark_table
from neuromorph.mapping.payloads import (
    LAYOUTS,
    VALUES,
    Encoding,
    PayloadComparison,
    Range,
    Sent,
    encodings,
    packets_of,
    replay,
    value_code,
)
from neuromorph.mapping.payloads._kernels import carry
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.mapping.spinnaker2.program import SpiNNaker2Program
from neuromorph.models import EGRUEvNN, LIFDelta
from neuromorph.network import Dense, FixedProbability
from neuromorph.trace import Trace

SIZES = np.array([0, 32, 64, 128])
MOST = 128


# --------------------------------------------------------------------------------------------------------- values
def test_spark_without_a_sign_is_its_table() -> None:
    code, whole = value_code("spark"), Range(255.0, False)
    assert code.numbers(np.arange(256), whole).tolist() == spark_table("paper").tolist()
    assert code.lengths(np.arange(256), whole).tolist() == spark_length().tolist()
    assert int(code.lossy(np.arange(256), whole).sum()) == 128
    nearest = value_code("spark-nearest").numbers(np.arange(256), whole)
    assert nearest.tolist() == spark_table("nearest").tolist()


def test_a_sign_costs_a_bit_of_spark_and_half_the_range_of_ints() -> None:
    signed, unsigned = Range(1.0, True), Range(1.0, False)
    assert set(value_code("spark").lengths([-1.0, 0.01], signed).tolist()) == {5, 9}
    assert value_code("spark").numbers([-1.0], signed).tolist() == [-1.0]
    assert [value_code("int8").top(each.signed) for each in (signed, unsigned)] == [127, 255]
    assert set(value_code("int8").lengths([-1.0, 0.01], signed).tolist()) == {8}
    assert value_code("int4").numbers([1.0, 0.6, -1.0], unsigned).tolist() == pytest.approx([1, 9 / 15, 0], rel=1e-6)


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=50), st.sampled_from(list(VALUES)))
def test_values_are_those_of_the_number_formats(numbers: list[float], name: str) -> None:
    values = np.array(numbers, np.float32)
    code, held = VALUES[name], Range.of(values)
    read = code.numbers(values, held)
    assert (code.numbers(read, held) == read).all()  # what was read is sent as it is
    assert (code.lengths(read, held) == code.lengths(values, held)).all()
    if name == "spark" and held.signed:
        assert (Spark().encode(values).decode() == read).all()
    if name.startswith("int"):
        assert (np.abs(read - values) <= code.scale(held) * (0.5 + 1e-5)).all()


def test_short_codes_pay_for_long_tails_alone() -> None:
    rng = np.random.default_rng(0)
    tailed, even = rng.standard_t(3, 100_000), rng.uniform(0.3, 1.0, 100_000)

    def told(name: str, values: Any) -> tuple[float, float]:
        code, held = value_code(name), Range.of(values)
        noise = ((code.numbers(values, held) - values) ** 2).mean()
        return float(code.lengths(values, held).mean()), float(10 * np.log10((values**2).mean() / noise))

    (short, close), (byte, closest), (_, far) = (told(name, tailed) for name in ("spark", "int8", "int4"))
    assert short < 5.5 < byte  # the sign is one of them
    assert far < close <= closest + 7
    (bits, ratio), (byte, better) = (told(name, even) for name in ("spark", "int8"))
    assert bits == byte == 8
    assert ratio < better - 15


# -------------------------------------------------------------------------------------------------------- packets
@st.composite
def sendings(draw: st.DrawFn) -> tuple[Any, Sent]:
    """Keys of some groups, of which all that matters here is given; and events of their neurons, sorted."""
    members = draw(st.lists(st.integers(1, 40), min_size=1, max_size=3))
    block = [1 << (n - 1).bit_length() for n in members]
    keys = SimpleNamespace(
        mask=np.array([2**32 - size for size in block], np.uint64).astype(np.uint32),
        group=np.repeat(np.arange(len(members)), members).astype(np.int32),
        n_groups=len(members),
    )
    rows = []
    for step in range(draw(st.integers(0, 3))):
        for group, count in enumerate(members):
            chosen = draw(st.sets(st.integers(0, count - 1), max_size=count))
            rows += [(step, group, number) for number in sorted(chosen)]
    step, group, number = np.array(rows, np.int64).reshape(-1, 3).T
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    population = (number % 3 == 0).astype(np.int64)  # a group may hold neurons of spikes and of values
    value = np.where(population == 0, rng.laplace(0, 0.2, len(step)), 1.0)
    return keys, Sent(step, group, number, population, value, ("graded", "spiking"), (True, False))


def to_bits(code: Any, value: float, held: Range) -> str:
    """A value as it stands in a payload: SPARK as its sign and one or two nibbles, else as many bits as there are."""
    width = int(code.lengths([value], held)[0])
    if code.exact:
        return f"{int(np.float32(value).view(np.uint32)):032b}"
    level = round(code.numbers([value], held)[0] / code.scale(held))
    if code.rounding is None:
        return f"{level & (1 << width) - 1:0{width}b}"
    size = abs(level)
    word = f"{size:04b}" if size < 8 else f"1{size >> 5 & 3:02b}{size >> 7}{size & 15:04b}"
    return (str(int(level < 0)) if held.signed else "") + word


def from_bits(code: Any, bits: str, held: Range) -> tuple[float, str]:
    """The value at the front of the bits, and what follows it."""
    if code.exact:
        return float(np.uint32(int(bits[:32], 2)).view(np.float32)), bits[32:]
    if code.rounding is None:
        level, rest = int(bits[: code.bits], 2), bits[code.bits :]
        level -= (level >> code.bits - 1 << code.bits) * held.signed
        return float(np.float32(level) * np.float32(code.scale(held))), rest
    sign, bits = (-1 if bits[0] == "1" else 1, bits[1:]) if held.signed else (1, bits)
    if bits[0] == "0":
        level, rest = int(bits[:4], 2), bits[4:]
    else:
        top = int(bits[3])
        level, rest = top << 7 | int(bits[1:3], 2) << 5 | top << 4 | int(bits[4:8], 2), bits[8:]
    return float(np.float32(sign * level) * np.float32(code.scale(held))), rest


def written(encoding: Encoding, keys: Any, sent: Sent, held: Range) -> list[tuple[int, int, int, str]]:
    """Step, group, low bits of the key and payload of every packet, by the words of the documentation."""
    packets: list[tuple[int, int, int, str]] = []
    members = np.bincount(keys.group)
    wide = [int(2**32 - int(mask)).bit_length() - 1 for mask in keys.mask]
    for s, g in sorted({*zip(sent.step.tolist(), sent.group.tolist(), strict=True)}):
        own = np.flatnonzero((sent.step == s) & (sent.group == g))
        coded = ["" if sent.population[e] else to_bits(encoding.values, sent.value[e], held) for e in own]
        number = sent.number[own].tolist()
        if encoding.layout in ("bitmap", "broadcast"):
            fired = "".join(str(int(k in number)) for k in range(members[g]))
            message = fired + "".join(coded)
            pieces = [message[k : k + MOST] for k in range(0, len(message), MOST)]
            packets += [(s, g, k, piece) for k, piece in enumerate(pieces)]
            continue
        fresh = True
        for k, bits in zip(number, coded, strict=True):
            more = f"{k:0{wide[g]}b}" * (wide[g] > 0) + bits
            if fresh or encoding.layout == "single" or len(packets[-1][3]) + len(more) > MOST:
                packets.append((s, g, k, bits))
            else:
                packets[-1] = (*packets[-1][:3], packets[-1][3] + more)
            fresh = False
    return packets


def read(encoding: Encoding, keys: Any, packets: list[tuple[int, int, int, str]], held: Range) -> list[tuple[Any, ...]]:
    """Events (step, group, number, value) that a receiver finds in payloads that end in zeros."""
    events: list[tuple[Any, ...]] = []
    members = np.bincount(keys.group)
    wide = [int(2**32 - int(mask)).bit_length() - 1 for mask in keys.mask]

    def value_of(number: int, bits: str) -> tuple[float, str]:
        return (1.0, bits) if number % 3 == 0 else from_bits(encoding.values, bits, held)

    messages: dict[tuple[int, int], str] = {}
    for s, g, low, payload in packets:
        bits = payload.ljust(next(int(size) for size in SIZES if size >= len(payload)), "0")
        if encoding.layout in ("bitmap", "broadcast"):
            assert low < 1 << wide[g], "the block of keys has no room for the number of the packet"
            messages[s, g] = messages.get((s, g), "") + bits
            continue
        value, bits = value_of(low, bits)
        events.append((s, g, low, value))
        last = low
        while encoding.layout == "packed" and wide[g] and len(bits) >= wide[g]:
            number = int(bits[: wide[g]], 2)
            if number <= last:
                break
            value, bits = value_of(number, bits[wide[g] :])
            events.append((s, g, number, value))
            last = number
    for (s, g), bits in messages.items():
        fired, bits = bits[: members[g]], bits[members[g] :]
        for number in np.flatnonzero([bit == "1" for bit in fired]).tolist():
            value, bits = value_of(number, bits)
            events.append((s, g, number, value))
    return events


@settings(max_examples=60, deadline=None)
@given(sendings(), st.sampled_from(sorted(VALUES)), st.sampled_from(LAYOUTS))
def test_a_receiver_reads_every_event_from_the_bits(made: tuple[Any, Sent], name: str, layout: Any) -> None:
    keys, sent = made
    ranges, encoding = sent.ranges(), Encoding(VALUES[name], layout)
    held = ranges.get("graded", Range(0.0, False))
    packets = written(encoding, keys, sent, held)
    found = packets_of(encoding, sent, ranges, keys, SIZES)
    assert found.step.tolist() == [packet[0] for packet in packets]
    assert found.group.tolist() == [packet[1] for packet in packets]
    assert found.used.tolist() == [len(packet[3]) for packet in packets]
    assert found.size.tolist() == [next(int(s) for s in SIZES if s >= len(packet[3])) for packet in packets]
    values = np.where(sent.population == 1, 1.0, VALUES[name].numbers(sent.value, held))
    want = list(zip(sent.step.tolist(), sent.group.tolist(), sent.number.tolist(), values.tolist(), strict=True))
    assert sorted(read(encoding, keys, packets, held)) == sorted(want)


def test_links_are_as_busy_as_their_packets_one_by_one() -> None:
    rng = np.random.default_rng(3)
    step, group, size = np.sort(rng.integers(0, 5, 60)), rng.integers(0, 3, 60), rng.integers(0, 2, 60)
    ptr, links = np.array([0, 2, 3, 6]), np.array([0, 1, 2, 1, 2, 2], np.int32)
    service, g_ptr, g_parts = (
        np.array([[1.0, 2, 3], [2, 4, 5]]),
        np.array([0, 1, 3, 4]),
        np.array([0, 0, 1, 1], np.int32),
    )
    busy, passed, got = np.zeros((5, 3)), np.zeros(3, np.int64), np.zeros((5, 2), np.int64)
    for s, g, k in zip(step, group, size, strict=True):
        for link in links[ptr[g] : ptr[g + 1]]:
            busy[s, link] += service[k, link]
            passed[link] += 1
        got[s, g_parts[g_ptr[g] : g_ptr[g + 1]]] += 1
    found = carry(step, group, size, ptr, links, service, g_ptr, g_parts)
    assert found[0].tolist() == passed.tolist()
    assert found[1:3] == (busy.max(1).sum(), busy.max())
    assert busy[found[4], found[3]] == busy.max()
    assert found[5] == got.max()


# ----------------------------------------------------------------------------------------------------- whole runs
@pytest.fixture(scope="module")
def program() -> SpiNNaker2Program:
    """Recurrent EGRU units and a readout over two chips, driven by graded events; it has run."""
    rng = np.random.default_rng(0)
    net = Network(name="gated")
    drive = net.population(EventSource.from_dense(rng.normal(0, 1, (20, 12)) * (rng.random((20, 12)) < 0.5)), name="in")
    units = net.population(EGRUEvNN(theta=0.05), 600, name="units")
    net.project(drive, units.a_x, Dense(rng.normal(0, 1, (12, 600)).astype(np.float32)))
    net.project(units, units.a_y, FixedProbability(0.1), weight=0.05)
    made = SpiNNaker2(chips=2, neurons_per_pe=4, partition="sequential", place="spread").compile(
        net, dt=1 * ms, progress=False
    )
    made.run(20, progress=False)
    return made


@pytest.fixture(scope="module")
def compared(program: SpiNNaker2Program) -> PayloadComparison:
    return replay(program)


def test_a_float_in_each_packet_costs_what_the_run_did(program: SpiNNaker2Program, compared: PayloadComparison) -> None:
    report, one = program.report(), compared["float32/single"]
    assert report.energy is not None
    cycles = report.run().cycles.sum((0, 2))
    assert (one.packets, one.copies) == (report.packets, report.sent)
    assert (one.send_cycles, one.receive_cycles) == (cycles[1], cycles[2])
    assert one.joules["noc"] == pytest.approx(report.energy.by_cause["noc"])
    assert one.joules["links"] == pytest.approx(report.energy.by_cause["links"])
    assert one.chip_link_bits == 96 * report.series["chip_link_packets"].sum() > 0
    assert one.link_time == pytest.approx(report.series["network"].max())
    assert one.network_time == pytest.approx(report.series["network"].sum())
    assert one.errors.sqnr_db == float("inf")


def test_what_shares_packets_and_what_is_short(compared: PayloadComparison) -> None:
    single, packed, bitmap, broadcast = (
        {c: compared[f"{c}/{layout}"] for c in ("float32", "int16", "int8", "spark")} for layout in LAYOUTS
    )
    assert len({(each.packets, each.sent_bits) for each in single.values()}) == 1  # a payload has 32 bits at least
    for layout in (packed, bitmap, broadcast):
        assert layout["float32"].sent_bits > layout["int16"].sent_bits > layout["int8"].sent_bits
        assert all(each.packets < single["float32"].packets for each in layout.values())
    errors = [packed[name].errors for name in ("float32", "int16", "int8", "spark")]
    assert [e.sqnr_db for e in errors] == sorted((e.sqnr_db for e in errors), reverse=True)
    assert [e.lossy_share > 0 for e in errors] == [False, False, False, True]
    assert all(packed[name].errors == bitmap[name].errors == broadcast[name].errors for name in packed)
    assert broadcast["int8"].packets < bitmap["int8"].packets  # neurons with other targets share messages, too
    assert 4 < packed["spark"].value_bits < 9


def test_a_comparison_is_told_as_text_and_as_plain_data(compared: PayloadComparison) -> None:
    import json

    text = str(compared)
    assert all(each.encoding.name in text for each in compared.outcomes)
    plain = json.loads(json.dumps(compared.to_dict(), allow_nan=False))
    assert [each["encoding"] for each in plain["outcomes"]] == [each.name for each in encodings()]
    assert plain["outcomes"][0]["errors"]["sqnr_db"] is None
    assert "spark/packed" in compared._repr_html_()


def test_a_network_that_sends_nothing_costs_nothing() -> None:
    net = Network(name="silent")
    drive = net.population(EventSource(3), name="in")
    net.project(drive, net.population(LIFDelta, 4, name="cells"), FixedProbability(1.0), weight=1 * mV)
    made = SpiNNaker2().compile(net, dt=1 * ms, progress=False)
    with pytest.raises(TargetError, match="silent has not run yet"):
        replay(made)
    made.run(3, progress=False)
    found = replay(made)
    assert {(each.packets, each.energy, each.errors.sqnr_db) for each in found.outcomes} == {(0, 0.0, float("inf"))}
    assert "0 events" in str(found)


# --------------------------------------------------------------------------------------------------------- errors
def test_what_does_not_fit_is_said(program: SpiNNaker2Program) -> None:
    with pytest.raises(MappingError, match=r"no code for values is called 'spork'; there is float32, int16"):
        replay(program, names=["spork/packed"])
    with pytest.raises(MappingError, match=r"'spark': expected a code for values and a layout \(single, packed"):
        encodings(["spark"])
    with pytest.raises(MappingError, match="no encodings are given"):
        encodings([])
    with pytest.raises(MappingError, match=r"range of cells: not a population .* those are in, units"):
        replay(program, ranges={"cells": Range(1.0, True)})
    with pytest.raises(MappingError, match="largest is nan"):
        Range(float("nan"), True)
    with pytest.raises(MappingError, match=r"'int8/packed' was not compared; there is spark/packed"):
        replay(program, names=["spark/packed"])["int8/packed"]
    assert program.last_trace is not None
    other = Trace.from_events(
        {"in": ([0], [0], [1.0]), "units": ([1], [600], [1.0])}, sizes={"in": 12, "units": 601}, dt=1e-3
    )
    with pytest.raises(TargetError, match="event of neuron 600, the network has 600 neurons there"):
        replay(program, other)


def test_populations_that_are_not_recorded_cannot_be_replayed(program: SpiNNaker2Program) -> None:
    lowered = program.mapping.lowered
    populations = (replace(lowered.populations[0], record_events=False), *lowered.populations[1:])
    mapped = replace(program.mapping, lowered=replace(lowered, populations=populations))
    hidden = SimpleNamespace(network=program.network, deployed=replace(program.deployed, mapping=mapped))
    with pytest.raises(TargetError, match="population in sends packets but its events are not recorded"):
        replay(hidden, program.last_trace)  # type: ignore[arg-type]
