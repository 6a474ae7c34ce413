"""Looked-up rows, decoders, tokens and numbers of PEs on SpiNNaker2: results are the CPU's, and accounts add up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from strategies import DT, Graded

from neuromorph import CPU, AllToAll, Dense, EventSource, Lookup, Network, TargetError, first_difference, ms
from neuromorph.errors import MappingError
from neuromorph.lowering import lower
from neuromorph.mapping.spinnaker2 import Decoder, SpiNNaker2, SpiNNaker2Report
from neuromorph.mapping.spinnaker2.pipeline import lags, loops, recurrent
from neuromorph.mapping.spinnaker2.program import SpiNNaker2Program
from neuromorph.mapping.spinnaker2.tokens import SPENT, step_energy

WORDS, WIDTH, STEPS = 50, 12, 24
RNG = np.random.default_rng(3)
TABLE = RNG.normal(0, 0.8, (WORDS, WIDTH)).astype(np.float32)
IDS = RNG.integers(-1, WORDS, STEPS)


def model(ids: Any = IDS) -> Network:
    """Two recurrent layers behind a table, and a population that nothing reads but a decoder."""
    rng = np.random.default_rng(1)
    net = Network(seed=1, name="language")
    words = net.population(Lookup(TABLE, ids), name="words")
    one = net.population(Graded(theta=0.05), 30, name="one")
    two = net.population(Graded(theta=0.02), WIDTH, name="two")
    net.project(words, one.a, Dense(rng.normal(0, 0.5, (WIDTH, 30)).astype(np.float32)))
    net.project(one, one.g, Dense(rng.normal(0, 0.5, (30, 30)).astype(np.float32)))
    net.project(one, two.a, Dense(rng.normal(0.1, 0.5, (30, WIDTH)).astype(np.float32)))
    return net


def ran(**options: Any) -> tuple[SpiNNaker2Program, SpiNNaker2Report]:
    program = SpiNNaker2(**options).compile(model(), dt=DT)
    trace = program.run(STEPS, progress=False)
    assert first_difference(CPU().compile(model(), dt=DT).run(STEPS, progress=False), trace) is None
    return program, program.report()


def test_loops_and_lags_of_a_pipeline() -> None:
    net = Network()
    populations = [net.population(EventSource(2, steps=[0], indices=[0], values=[0.5]))]
    populations += [net.population(Graded, 2, name=f"p{k}") for k in range(5)]
    joined = ((0, 1, 1), (1, 2, 3), (2, 1, 1), (2, 3, 2), (1, 3, 9), (3, 3, 1))  # p4 is reached by nothing
    for pre, post, delay in joined:
        net.project(populations[pre], populations[post].a, AllToAll(), weight=0.1, delay=delay)
    net.project(populations[5], populations[5].g, AllToAll(), weight=0.1)
    lowered = lower(net, DT)
    member = loops(lowered)
    assert member[1] == member[2]
    assert len(set(member.tolist())) == 5
    assert recurrent(lowered).tolist() == [False, True, True, False, False, True, True]
    assert lags(lowered).tolist() == [0, 1, 4, 6, 0, 0]


def test_rows_are_read_from_dram_in_the_steps_that_look_one_up() -> None:
    program, report = ran(neurons_per_pe=7)
    mapped, totals = program.mapping, report.run()
    assert mapped.dram.row_bytes[0].sum() >= 4 * WIDTH
    assert not mapped.dram.row_bytes[1:].any()
    assert totals.active_steps[0] == (IDS >= 0).sum()
    waiting = program.deployed.costs.dma[mapped.dram.row_bytes[0] > 0]
    assert (waiting > mapped.machine.constants.si("memory.dram_latency") * 300e6).all()
    assert "words: 50 rows of 12" in str(report)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"neurons_per_pe": 5, "dvfs": "low"},
        {"clock": "tick", "tick": 5 * ms},
        {"pes": 9, "decoder": Decoder("two", TABLE)},
        {"pes": 9, "decoder": Decoder("two", TABLE, overlap="network"), "dvfs": "low"},
        {"chips": 2, "pes": 4, "decoder": Decoder("two", TABLE, fetch="columns", pes="all")},
        {"decoder": Decoder("two", TABLE, arithmetic="int8", overlap="none")},
    ],
    ids=str,
)
def test_time_and_energy_of_steps_and_tokens_add_up(options: dict[str, Any]) -> None:
    program, report = ran(**options)
    tokens, energy = report.tokens, report.energy
    assert tokens is not None
    assert energy is not None
    series = report.series
    assert report.run().behind == 0
    joules = step_energy(program.deployed, series, report.layers, report.decoder)
    assert joules.sum() == pytest.approx(energy.total, rel=1e-9)
    assert report.step_times.sum() == pytest.approx(report.time, rel=1e-12)
    assert tokens.depth == 2
    assert len(tokens) == STEPS - 2
    assert sum(tokens.spent.values()) == pytest.approx(tokens.time)
    assert set(tokens.spent) <= set(SPENT)
    assert min(values.min() for values in tokens.spent.values()) > -1e-15
    assert tokens.latency[0] == pytest.approx(report.step_times[:3].sum())
    assert energy.by_cause["core"] == pytest.approx(sum(energy.by_phase.values()) + energy.decoder.get("core", 0.0))
    for names, population in ((tokens.packets, "packets"), (tokens.events, "events")):
        for k, name in enumerate(names):
            assert names[name].tolist() == report.layers[population][2:, k].tolist()
    synaptic = report.layers["input_events"].sum() + report.layers["recurrent_events"].sum()
    assert synaptic == report.synaptic_events == series["synaptic_events"].sum()
    assert report.layers["recurrent_events"].sum() == report.run().synapses[1].sum() == series["recurrent_events"].sum()
    assert report.layers["packets"].sum() == report.packets == series["packets"].sum()
    cycles = report.run().cycles.sum((0, 2))
    every = {name: values.sum() for name, values in tokens.cycles.items()}
    assert cycles[4] == series["recurrent_events"].sum() * 25
    assert every["update"] <= cycles[0]
    arrays = report.arrays()
    assert arrays["token_spent"][0].shape == (len(tokens), len(tokens.spent))
    assert "which bounds it" in str(report)
    assert "which bounds it" in report._repr_html_()


def test_what_a_late_pe_spends_is_at_most_the_tick() -> None:
    _, report = ran(clock="tick", tick=0.02 * ms, partition=np.zeros(54, np.int32))
    assert report.series["late_parts"].sum() > 5
    assert report.tokens is not None
    np.testing.assert_allclose(report.tokens.time, 2e-5)
    assert sum(report.tokens.spent.values()) == pytest.approx(report.tokens.time)
    assert min(values.min() for values in report.tokens.spent.values()) > -1e-15
    assert "barrier" not in report.tokens.spent


def test_events_without_readers_are_counted_for_the_decoder() -> None:
    program, report = ran(decoder=Decoder("two", TABLE, fetch="columns"), pes=3)
    assert report.layers["packets"][:, 2].sum() == 0
    fired = report.layers["events"][:, 2]
    assert fired.sum() > 10
    decoder = report.decoder
    assert decoder is not None
    assert decoder.decoding.tolist() == [False, False] + [True] * (STEPS - 2)
    assert decoder.macs[2:].tolist() == (fired[2:] * WORDS).tolist()
    assert decoder.bytes[2:].tolist() == (fired[2:] * int(program.mapping.decoder.step_bytes.sum())).tolist()


def expected(y: Any, bias: Any, targets: Any) -> tuple[Any, Any, Any]:
    logits = y.astype(np.float64) @ TABLE.T.astype(np.float64) + bias
    logits -= np.log(np.exp(logits).sum(1, keepdims=True))
    return logits.argmax(1), logits.max(1), logits[np.arange(len(y)), targets]


def test_a_decoder_gives_the_softmax_over_its_table() -> None:
    bias, targets = RNG.normal(size=WORDS).astype(np.float32), RNG.integers(0, WORDS, STEPS - 2)
    program, _ = ran(decoder=Decoder("two", TABLE, bias))
    events = program.last_trace.events("two")
    y = np.zeros((STEPS, WIDTH), np.float32)
    y[events.steps, events.ids] = events.values
    got, (best, top, likelihood) = program.decoded(targets), expected(y[2:], bias, targets)
    assert np.array_equal(got.best, best)
    np.testing.assert_allclose(got.log_best, top, atol=1e-5)
    np.testing.assert_allclose(got.log_likelihood, likelihood, atol=1e-5)
    assert program.decoded().log_likelihood is None
    later = program.run(4, progress=False)
    assert later.meta.first_step == STEPS
    assert len(program.decoded().best) == 4


def test_int8_sums_are_those_of_the_mac_array() -> None:
    y = RNG.normal(size=(7, WIDTH)).astype(np.float32)
    ints = [np.rint(m / (np.abs(m).max(1, keepdims=True) / np.float32(127))) for m in (y, TABLE)]
    scale = [np.abs(m).max(1, keepdims=True) / 127.0 for m in (y, TABLE)]
    logits = (ints[0] @ ints[1].T) * scale[0] * scale[1].T
    logits -= np.log(np.exp(logits).sum(1, keepdims=True))
    got = Decoder("two", TABLE, arithmetic="int8").decode(y, np.arange(7))
    assert np.array_equal(got.best, logits.argmax(1))
    np.testing.assert_allclose(got.log_likelihood, logits[np.arange(7), np.arange(7)], rtol=1e-4)
    wide = np.ones((2, 800), np.float32)
    with pytest.raises(TargetError, match="exceeds the MAC array's 24 bits"):
        Decoder("x", wide, arithmetic="int8").decode(wide)


def test_a_decoder_costs_what_its_table_and_pes_say() -> None:
    options = {"pes": 6, "dvfs": "low"}
    costs = {}
    for name, decoder in {
        "table": Decoder("two", TABLE),
        "none": Decoder("two", TABLE, overlap="none"),
        "network": Decoder("two", TABLE, overlap="network"),
        "columns": Decoder("two", TABLE, fetch="columns"),
        "int8": Decoder("two", TABLE, arithmetic="int8"),
    }.items():
        program, report = ran(decoder=decoder, **options)
        costs[name] = report
        assert report.decoder is not None
        placed = program.mapping.decoder
        assert placed.rows.sum() == WORDS
        assert len(placed.pes) == 148 - 6
        assert not set(placed.pes) & set(program.mapping.placement)
    table, int8 = costs["table"].decoder, costs["int8"].decoder
    assert table.bytes.max() == WORDS * 48
    assert int8.bytes.max() == WORDS * 16
    assert table.macs.max() == int8.macs.max() == WORDS * WIDTH
    np.testing.assert_allclose(
        table.time - table.receive - table.softmax, np.maximum(table.transfer, table.compute), rtol=1e-12
    )
    none = costs["none"].decoder
    assert none.time == pytest.approx(table.time + np.minimum(table.transfer, table.compute))
    assert costs["network"].time < costs["table"].time < costs["none"].time
    silent, _ = ran(**options)
    assert costs["network"].time >= silent.report().time
    everywhere, _ = ran(decoder=Decoder("two", TABLE, pes="all"), **options)
    assert len(everywhere.mapping.decoder.pes) == 148
    assert everywhere.mapping.bytes.min() > silent.mapping.bytes.min()


@pytest.mark.parametrize("parts", [1, 2, 5, 17, 54])
def test_as_many_pes_as_asked_for(parts: int) -> None:
    program, report = ran(pes=parts)
    assert report.pes == parts
    assert len(set(program.mapping.part.tolist())) == parts
    assert (np.diff(program.mapping.part) >= 0).all(), "neurons keep their order"


def test_pes_share_the_work_that_rates_predict() -> None:
    net = model()
    even = SpiNNaker2(pes=8).compile(net, dt=DT)
    rated = SpiNNaker2(pes=8, rates={"words": 50.0, "one": 0.1, "two": 0.1}).compile(net, dt=DT)
    held = [program.mapping.held[1] for program in (even, rated)]
    assert (held[1] > 0).sum() > (held[0] > 0).sum(), "the layer that hears the words gets more PEs"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"table": np.ones(3)}, r"the table has shape \(3,\)"),
        ({"table": np.full((2, 2), np.nan)}, "give finite numbers"),
        ({"bias": np.ones(3)}, r"the bias has shape \(3,\); the table has 50 rows"),
        ({"arithmetic": "int4"}, "arithmetic is 'int4'; it may be float32 or int8"),
        ({"fetch": "rows"}, "fetch is 'rows'"),
        ({"fetch": "columns", "arithmetic": "int8"}, "MAC arrays multiply whole rows"),
        ({"overlap": "network", "pes": "all"}, "needs PEs of its own"),
        ({"buffer": 8}, "buffer is 8; give at least 16"),
    ],
)
def test_decoders_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TargetError, match=f"^Decoder: .*{message}"):
        Decoder(**{"population": "two", "table": TABLE} | arguments)


def test_what_cannot_decode_says_so() -> None:
    net = model()
    for decoder, message in (
        (Decoder("three", TABLE), "no population 'three'; there are words, one, two"),
        (Decoder("one", TABLE), "population one has 30 neurons"),
        (Decoder("two", TABLE, buffer=70_000), "give more chips, or a smaller buffer"),
    ):
        with pytest.raises(MappingError, match=message):
            SpiNNaker2(decoder=decoder).compile(net, dt=DT)
    full = Network()
    full.population(Graded(theta=0.1), 148, name="all")
    with pytest.raises(MappingError, match=r'all 148 PEs hold neurons; give pes="all".* or chips=2'):
        SpiNNaker2(decoder=Decoder("all", np.ones((3, 148))), pes=148).map(full, dt=DT)
    with pytest.raises(TargetError, match="ends each step when its softmax is done"):
        SpiNNaker2(decoder=Decoder("two", TABLE), clock="tick")
    with pytest.raises(TargetError, match="give a Decoder"):
        SpiNNaker2(decoder="two")  # type: ignore[arg-type]
    with pytest.raises(TargetError, match="pes or partition"):
        SpiNNaker2(pes=2, partition="greedy")
    with pytest.raises(MappingError, match="pes=55: 54 neurons cannot be spread over 55 parts"):
        SpiNNaker2(pes=55).compile(net, dt=DT)
    program = SpiNNaker2().compile(net, dt=DT)
    with pytest.raises(TargetError, match="the target has no decoder"):
        program.decoded()
    with pytest.raises(TargetError, match="has not run yet"):
        SpiNNaker2(decoder=Decoder("two", TABLE)).compile(net, dt=DT).decoded()


def test_batches_have_tokens_of_every_sample() -> None:
    program = SpiNNaker2(pes=4, decoder=Decoder("two", TABLE), threads=2).compile(model(), dt=DT)
    ids = RNG.integers(0, WORDS, (5, STEPS))
    batch = program.run_batch({"words": ids}, STEPS, progress=False)
    alone = CPU().compile(model(), dt=DT).run_batch({"words": ids}, STEPS, progress=False)
    assert np.array_equal(batch.counts["two"], alone.counts["two"])
    with pytest.raises(TargetError, match=r"in a batch: give its outputs to decoder.decode\(\)"):
        program.decoded()
    report = program.report()
    assert report.tokens is not None
    assert report.decoder is not None
    assert len(report.tokens) == 5 * (STEPS - 2) == report.decoder.decoding.sum()
    assert sum(values.sum() for values in report.tokens.spent.values()) == pytest.approx(report.tokens.time.sum())


def test_the_published_model_stands_beside_networks_that_look_words_up() -> None:
    _, report = ran(pes=6)
    named = {c.quantity: c for c in report.comparisons}
    one, many = (named[f"language model: time if {what} meant"] for what in ("one token is", "70 tokens are"))
    assert many.value == pytest.approx(70 * one.value)
    assert (one.published, one.low) == ("170.25 ms", 170.25)
    assert report.tokens is not None
    assert one.value == pytest.approx(report.tokens.time.mean() * 1e3)
    assert named["language model: PEs"].verdict == "0.04 of it"
    other = Network()
    other.population(EventSource(2, steps=[0], indices=[0]))
    program = SpiNNaker2().compile(other, dt=DT)
    program.run(3, progress=False)
    assert not any("language model" in c.quantity for c in program.report().comparisons)
