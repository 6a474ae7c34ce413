"""Synapses that change on SpiNNaker2: the reference's bits whatever the mapping, every byte and packet counted."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plastic import Cell, Modulated, Own, Plain, result

from neuromorph import (
    AllToAll,
    CheckError,
    EventSource,
    FixedProbability,
    MappingError,
    Network,
    PostState,
    PostView,
    PreState,
    PreView,
    Reference,
    Sparse,
    State,
    Third,
    Uniform,
    Weight,
    event_value,
    ms,
    nA,
    normal,
    synapse,
    uniform,
)
from neuromorph.language import Output, Pathway
from neuromorph.lowering import lower
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.mapping.spinnaker2.image import Image, image_bytes
from neuromorph.mapping.spinnaker2.layout import REGIONS
from neuromorph.mapping.spinnaker2.map import map_network
from neuromorph.mapping.spinnaker2.options import LayoutOptions

STEPS = 40
DT = 1 * ms
QUICK = settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@synapse(late=True)
class Late:
    """Every kind of state, view, output and pathway, at the end of the step."""

    u, x, w, n = State(0.5), State(1.0), State(1.0), State(0.0)
    y, z = PostState(0.0), PreState(0.1)
    out, slow = Output("b"), Output("a")
    again, back = Pathway("pre"), Pathway("post")

    x.dot = (1 - x) / (20 * ms) + 0.001 * PreView("near") / ms
    slow.every = (0.01 * w * (PreView("v") - PostView("v")) + 0.001 * Third("v")) * nA
    out.on_pre = 0.3 * w * u * x * uniform() * event_value + 0.01 * PreView("v") + 0.02 * PostView("near")
    x.on_pre = x * (1 - u)
    z.on_pre = z + 1
    y.on_post = y + 1
    again[n] = n + 1 + normal()
    again[out] = 0.01 * n + 0.01 * y
    back[w] = w * 0.9 + 0.01 * PreView("v")
    back[slow] = (0.03 * w + 0.001 * z) * nA


def base() -> tuple[Network, Any, Any, Any]:
    """Two populations and a source that drives the first."""
    net = Network(seed=1, name="plastic")
    random = np.random.default_rng(0)
    steps, ids = np.nonzero(random.random((STEPS, 6)) < 0.25)
    source = net.population(EventSource(6, steps=steps, indices=ids), name="source")
    a, b = net.population(Cell, 8, name="a"), net.population(Plain, 7, name="b")
    net.project(source, a.b, AllToAll(), weight=0.5, delay=1 * ms)
    net.record(a, "v", every=3)
    return net, source, a, b


def plain() -> Network:
    """States of every place, own delays, views of all ends, a third that all share."""
    net, source, a, b = base()
    one = net.population(Cell, 1, name="one")
    net.project(source, one.b, AllToAll(), weight=0.1, delay=2)
    net.project(a, b.b, FixedProbability(0.6), weight=0.7, delay=Uniform(1 * ms, 4 * ms), synapse=Own, name="own")
    rule, given = FixedProbability(0.7), {"weight": 0.7, "delay": 2 * ms}
    made = net.project(b, a.b, rule, **given, synapse=Modulated, third=one, name="modulated")
    net.record(made, "x", every=2)
    net.record(made, "w", every=3)
    return net


def late() -> Network:
    """Late synapses with pathways of their own delays, and a third for each target."""
    net, source, a, b = base()
    third = net.population(Plain, 7, name="third")
    net.project(source, third.b, AllToAll(), weight=0.1, delay=1)
    random = np.random.default_rng(1)
    pre, post = random.integers(0, 8, 60), random.integers(0, 7, 60)
    net.project(
        a,
        b.b,
        Sparse((pre, post)),
        synapse=Late(w=random.uniform(0, 0.5, 60)),
        third=third,
        delay=2,
        delays={"again": random.integers(1, 4, 60), "back": random.integers(1, 5, 60)},
        name="late",
    )
    return net


@cache
def expected(make: Any) -> dict[str, Any]:
    program = Reference("float32").compile(make(), dt=DT, progress=False)
    found = result(program, program.run(STEPS, progress=False))
    assert all(len(found[name, "steps"]) > 8 * 10 for name in ("a", "b"))
    return found


def random_parts(net: Network, most: int, seed: int) -> np.ndarray:
    """The part of every neuron: parts of at most ``most``, filled at random."""
    n = sum(p.size for p in net.populations)
    return np.random.default_rng(seed).permutation(np.arange(n) // most).astype(np.int32)


@pytest.mark.parametrize("make", [plain, late])
@given(
    most=st.integers(1, 22),
    seed=st.integers(0, 1000),
    chips=st.sampled_from([None, 2, 48]),
    rows=st.sampled_from(["indexed", "packed"]),
    cut=st.integers(0, STEPS),
)
@QUICK
def test_bits_do_not_depend_on_partition_placement_or_chips(
    make: Any, most: int, seed: int, chips: int | None, rows: str, cut: int
) -> None:
    net = make()
    target = SpiNNaker2(chips=chips, partition=random_parts(net, most, seed), place="hilbert", rows=rows)
    program = target.compile(net, dt=DT, progress=False)
    traces = [program.run(b - a, progress=False) for a, b in pairwise([0, cut, STEPS])]
    assert result(program, *traces) == expected(make)
    mapped, image = program.mapping, program.deployed.image
    np.testing.assert_array_equal(image_bytes(image, mapped.lowered, mapped.layout), mapped.regions)
    report = program.report()
    assert report.sent == report.delivered
    assert report.energy is not None
    assert sum(report.energy.by_population.values()) == pytest.approx(report.energy.by_pe.sum())
    work = report.energy.by_phase
    assert sum(work.values()) == pytest.approx(report.energy.by_cause["core"])
    assert work["plasticity"] > 0


def test_values_set_batches_and_checkpoints_are_those_of_the_reference() -> None:
    net, found = plain(), []
    for target in (Reference("float32"), SpiNNaker2(partition=random_parts(net, 4, 3))):
        program = target.compile(net, dt=DT, progress=False)
        program.run(15, progress=False)
        program.set("modulated", x=np.linspace(0, 1, 7), c=0.5)
        saved = program.state()
        batch = program.run_batch({"source": np.eye(6, dtype=np.float32)[None].repeat(2, 0)}, 12, progress=False)
        counts = [np.asarray(batch.counts[name]).tolist() for name in ("a", "b")]
        found.append((counts, result(program, program.run(15, progress=False)), saved))
    assert found[0][:2] == found[1][:2]
    again = SpiNNaker2(partition=random_parts(net, 2, 5)).compile(net, dt=DT, progress=False)
    for _, _, saved in found:
        again.restore(saved)
        assert result(again, again.run(15, progress=False)) == found[0][1]


def test_a_restored_run_may_be_shorter_than_the_pipeline() -> None:
    program = SpiNNaker2().compile(late(), dt=DT, progress=False)
    program.run(10, progress=False)
    saved = program.state()
    program.restore(saved)
    program.run(1, progress=False)
    assert program.report().tokens is None
    program.run(9, progress=False)
    tokens = program.report().tokens
    assert tokens is not None
    assert len(tokens) == 10 - tokens.depth


@synapse
class Adding:
    """Adds 1 to the weight at every event of the source, and counts those of the target."""

    x, n = PreState(0.0), PostState(0.0)
    w = Weight()
    x.on_pre = x + 1
    n.on_post = n + 1
    w.on_pre = w + 1
    w.on_post = w + 0.5 * x


def crowd(**options: Any) -> Any:
    """100 sources that all fire in step 0, onto 3 targets that 150 weights make fire."""
    net = Network(name="crowd")
    source = net.population(EventSource(100, steps=np.zeros(100, int), indices=np.arange(100)), name="source")
    cells = net.population(Plain, 3, name="cells")
    net.project(source, cells.b, AllToAll(), weight=1.5, delay=1, synapse=Adding, name="adding")
    part = np.r_[np.zeros(100), 1, 1, 2].astype(np.int32)
    return SpiNNaker2(partition=part, **options).compile(net, dt=DT, progress=False)


def test_bytes_cycles_and_synaptic_events_are_those_counted_by_hand() -> None:
    program = crowd()
    program.run(3, progress=False)
    report = program.report()
    mapped, column = program.mapping, {name: k for k, name in enumerate(REGIONS)}
    head = mapped.layout.sources[0].head_bits // 8
    # weight, place in the target's list and row of its source; an entry has x and the events of 2 steps besides its key
    assert mapped.regions[:, column["synapses"]].tolist() == [0, 200 * (head + 4 + 4 + 2), 100 * (head + 4 + 4 + 2)]
    assert mapped.regions[:, column["rows"]].tolist() == [0, 100 * (4 + 4 + 1), 100 * (4 + 4 + 1)]
    assert report.synaptic_events == 300
    assert report.delivered == 200
    constants = mapped.machine.constants
    load, store, add, mul = (constants.count(f"cycles.{n}") for n in ("load", "store", "float_add", "float_mul"))
    adding = load + add + store
    by_target = load + load + 2 * load + mul + add + store + constants.count("cycles.synaptic_event")
    # on_pre: of each weight, and of each source on two PEs; on_post of 100 weights and a count, for each target
    work = 300 * adding + 200 * adding + 3 * (100 * by_target + adding)
    assert report.totals is not None
    assert report.totals.cycles[1, -1].sum() == work


def test_a_pe_that_loses_a_packet_learns_nothing_of_it() -> None:
    program = crowd(fifo=8, overflow="drop")
    program.run(3, progress=False)
    report = program.report()
    assert 0 < report.dropped < 200
    synapses = program.synapses("adding")
    weights = np.asarray(synapses.weights).reshape(100, 3)
    heard = weights > 1.5
    assert (heard[:, 0] == heard[:, 1]).all()  # on the same PE
    assert heard[:, 1].sum() + heard[:, 2].sum() == report.delivered
    assert (weights[heard] == 3.0).all()  # 1 more for the event, 0.5 for the target's own
    assert np.asarray(synapses["n"]).tolist() == [1, 1, 1]


def test_a_tick_that_suffices_changes_nothing_and_one_that_does_not_is_late() -> None:
    enough, short = crowd(clock="tick"), crowd(clock="tick", tick=2e-6 * 1000 * ms)
    weights = []
    for program in (enough, short):
        program.run(4, progress=False)
        weights.append(np.asarray(program.synapses("adding").weights))
    assert (weights[0] == 3.0).all()
    assert short.report().totals.late_steps.sum() > 0
    kept = short.state()
    other = crowd(clock="tick", tick=2e-6 * 1000 * ms)
    other.restore(kept)
    for program in (short, other):
        program.run(20, progress=False)
    np.testing.assert_array_equal(other.synapses("adding").weights, short.synapses("adding").weights)


def test_values_that_synapses_look_at_are_sent_in_every_step() -> None:
    net, _, a, b = base()
    one = net.population(Cell, 1, name="one")
    net.project(a, b.b, AllToAll(), weight=0.1, delay=1, synapse=Modulated, third=one)
    program = SpiNNaker2(partition=random_parts(net, 3, 0)).compile(net, dt=DT, progress=False)
    trace = program.run(STEPS, progress=False)
    events = sum(trace.count(name) for name in ("source", "a"))
    # Modulated reads near of its source, and v and near of the third
    assert int(program.series["packets"].sum()) == events + STEPS * (8 * 1 + 1 * 2)
    assert program.report().values == STEPS * (8 * 1 + 1 * 2)
    assert len(program.packet_flow(30).first) == program.series["packets"][30]


def test_values_that_synapses_look_at_may_not_be_lost() -> None:
    with pytest.raises(CheckError, match="modulated: its synapses \\(Modulated\\) look at states of neurons"):
        SpiNNaker2(overflow="drop").compile(plain(), dt=DT, progress=False)


def test_what_does_not_fit_is_told_without_narrower_weights() -> None:
    net = Network(name="wide")
    source, cells = net.population(EventSource(6000), name="source"), net.population(Plain, 2, name="cells")
    net.project(source, cells.b, AllToAll(), synapse=Adding)
    with pytest.raises(MappingError, match=r"fewer synapses: .*fits") as caught:
        SpiNNaker2().map(net, dt=DT, progress=False)
    assert "neuron 0 alone needs" in str(caught.value)
    assert "int8" not in str(caught.value)


def test_mapping_counts_the_same_bytes_before_anything_is_built() -> None:
    lowered = lower(late(), DT, dtype="float32")
    mapped = map_network(lowered, partition=random_parts(late(), 5, 2), options=LayoutOptions(rows="indexed"))
    image = Image.build(mapped.lowered, mapped.part, mapped.parts)
    np.testing.assert_array_equal(image_bytes(image, mapped.lowered, mapped.layout), mapped.regions)
    with_states = mapped.layout.projections[lowered.plastic[0].index]
    # four states, a place in the target's list with a source row, and two pathways with delays of their own
    assert with_states.weight_bits == 8 * (4 * 4 + 4 + 2 + 1 + 1)


def test_steps_that_are_taken_one_by_one_are_those_of_a_run() -> None:
    net = late()
    live = SpiNNaker2(partition=random_parts(net, 4, 1)).compile(net, dt=DT, progress=False)
    stepping = live.live(outputs=["b"])
    fired = [int(i) for _ in range(STEPS) for i in stepping.step()["b"].indices]
    assert np.array(fired, np.int64).tobytes() == expected(late)["b", "ids"]
    weights = np.asarray(live.synapses("late")["w"])
    assert weights.tobytes() == expected(late)["late", "w"]
