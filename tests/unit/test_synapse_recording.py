"""States of plastic synapses over time: what is recorded, by every engine, in memory and in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plastic import Cell, Drift, Own, Pairs

from neuromorph import (
    CPU,
    AllToAll,
    EventSource,
    Live,
    Network,
    NetworkError,
    Reference,
    Sparse,
    Trace,
    TraceError,
    Uniform,
    ms,
    nA,
)
from neuromorph.models.plasticity import PairSTDP
from neuromorph.network import Projection
from neuromorph.trace import compare, first_difference, joined

TARGETS: list[Any] = [Reference("float32"), CPU(threads=1), CPU(threads=2), CPU(threads=3), CPU()]
STEPS = 60


def network(seed: int = 1) -> tuple[Network, Projection]:
    """Twelve sources onto seven cells; synapses of several delays."""
    net = Network(seed=seed)
    rng = np.random.default_rng(3)
    pre = net.population(EventSource.from_dense(rng.random((STEPS, 12)) < 0.04), name="pre")
    post = net.population(Cell, 7, name="post")
    weights = rng.uniform(0.2, 1.0, (12, 7))
    made = net.project(pre, post.b, AllToAll(), weight=weights, delay=1 + np.arange(7) % 3, synapse=Own, name="own")
    net.project(pre, post.b, AllToAll(), weight=weights[:, ::-1], delay=2, synapse=Pairs, name="pairs")
    return net, made


def everything() -> Network:
    net, own = network()
    net.record(own, "w", every=7)
    net.record(own, "x", every=1)
    net.record(own, "z", every=3, indices=[80, 2, 41])
    pairs = net.projections[1]
    net.record(pairs, "w", "x", "y", every=4)
    return net


def content(trace: Trace) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for owner, variable in trace.recorded_states:
        states = trace.state(owner, variable)
        assert states.steps is not None
        found[owner, variable] = (states.ids.tolist(), states.steps.tolist(), states.data.tobytes())
    return found


def test_values_are_those_at_the_end_of_each_nth_step() -> None:
    for target in (Reference("float64"), CPU("float64", threads=2)):
        net, own = network()
        net.record(own, "w", every=10)
        net.record(own, "z", every=15, indices=[5, 83])
        program = target.compile(net, dt=1 * ms)
        trace = program.run(STEPS, progress=False)
        again = target.compile(net, dt=1 * ms)
        for step in range(STEPS):
            again.run(1, progress=False)
            now = again.synapses(own)
            if step % 10 == 0:
                found = trace.state("own", "w")
                assert found.data[step // 10].tobytes() == now.weights.tobytes()
            if step % 15 == 0:
                assert trace.state(own, "z").data[step // 15].tobytes() == now["z"][[5, 83]].tobytes()
        assert np.asarray(trace.state("own", "w").steps).tolist() == [0, 10, 20, 30, 40, 50]
        assert trace.state("own", "z").ids.tolist() == [5, 83]
        assert len({row.tobytes() for row in trace.state("own", "w").data}) > 3


def test_every_engine_records_the_same_bits() -> None:
    expected = content(TARGETS[0].compile(everything(), dt=1 * ms).run(STEPS, progress=False))
    assert len(expected) == 6
    for target in TARGETS[1:]:
        assert content(target.compile(everything(), dt=1 * ms).run(STEPS, progress=False)) == expected, target


@pytest.mark.parametrize("target", TARGETS[:3], ids=repr)
def test_a_file_holds_the_same_in_a_report_for_each_variable(target: Any, tmp_path: Path) -> None:
    import h5py

    program = target.compile(everything(), dt=1 * ms)
    expected = program.run(STEPS, progress=False)
    program.run(STEPS, progress=False, reset=True, out=tmp_path / "run.h5").close()
    with Trace(tmp_path / "run.h5") as trace:
        assert content(trace) == content(expected)
        assert set(trace.populations) == {"pre", "post"}
        assert compare(expected, trace).equal
        trace.save(tmp_path / "copy.h5")
        trace.save(tmp_path / "small.h5", compress=True)
    expected.save(tmp_path / "saved.h5")
    for name in ("copy", "small", "saved"):
        with Trace(tmp_path / f"{name}.h5") as trace:
            assert content(trace) == content(expected)
    with h5py.File(tmp_path / "run.h5") as file:
        assert set(file["report"]) == {"own", "own.x", "own.z", "pairs", "pairs.x", "pairs.y"}
        assert file["report/own.z/mapping/node_ids"][:].tolist() == [2, 41, 80]


@pytest.mark.parametrize("target", TARGETS[:3], ids=repr)
def test_runs_that_go_on_and_that_are_restored_continue_it(target: Any, tmp_path: Path) -> None:
    whole = target.compile(everything(), dt=1 * ms).run(STEPS, progress=False)
    program = target.compile(everything(), dt=1 * ms)
    first = program.run(23, progress=False, checkpoint=tmp_path / "state.h5")
    other = target.compile(everything(), dt=1 * ms)
    other.restore(tmp_path / "state.h5")
    assert content(joined(first, program.run(STEPS - 23, progress=False))) == content(whole)
    assert content(joined(first, other.run(STEPS - 23, progress=False))) == content(whole)
    bare = target.compile(network()[0], dt=1 * ms)
    bare.restore(tmp_path / "state.h5")  # what is recorded may differ


def test_differences_are_found() -> None:
    trace = Reference().compile(everything(), dt=1 * ms).run(STEPS, progress=False)
    net, own = network(seed=1)
    net.record(own, "w", every=7)
    other = Reference().compile(net, dt=1 * ms)
    assert not compare(trace, other.run(STEPS, progress=False)).equal
    found = first_difference(trace, other.run(STEPS, progress=False, reset=True))
    assert found is not None
    assert found.kind == "recording"
    assert "own" in {name for name, *_ in trace.summary()}


@pytest.mark.parametrize("target", TARGETS[:3], ids=repr)
def test_samples_of_a_batch_follow_one_another(target: Any, tmp_path: Path) -> None:
    program = target.compile(everything(), dt=1 * ms)
    samples = np.random.default_rng(1).random((3, 20, 12)) < 0.1
    batch = program.run_batch({"pre": samples}, 20, out=tmp_path / "batch.h5", progress=False)
    states = batch.trace.state("own", "x")
    assert states.shape == (60, 84)
    for k, sample in enumerate(samples):
        alone = program.run_batch({"pre": sample[None]}, 20, out=tmp_path / "one.h5", progress=False)
        assert alone.trace.state("own", "x").data.tobytes() == states[20 * k : 20 * k + 20].tobytes()
        alone.trace.close()


@pytest.mark.parametrize("target", TARGETS[:3], ids=repr)
def test_live_steps_go_on_beside_it(target: Any) -> None:
    net = Network()
    pre, post = net.population(Live(2), name="pre"), net.population(Cell, 3, name="post")
    learning = net.project(pre, post.b, AllToAll(), synapse=Pairs, name="learning")
    net.record(learning, "w")
    program = target.compile(net, dt=1 * ms)
    live = program.live(outputs=["post"])
    for _ in range(5):
        live.step({"pre": np.array([1, 0])})
    trace = program.run(4, progress=False)
    assert np.asarray(trace.state(learning, "w").steps).tolist() == [5, 6, 7, 8]
    assert trace.state(learning, "w").data[-1].tolist() == program.synapses(learning).weights.tolist()


def test_units_are_those_of_the_port_and_of_the_state() -> None:
    for model in (PairSTDP, Drift):
        net = Network()
        pre, post = net.population(EventSource(2, steps=[1], indices=[0])), net.population(Cell, 3)
        made = net.project(pre, post.a, AllToAll(), weight=Uniform(0.1 * nA, 0.6 * nA), synapse=model, name="currents")
        net.record(made, "w")
        found = []
        for target in (Reference("float64"), CPU("float64")):
            program = target.compile(net, dt=1 * ms)
            states = program.run(5, progress=False).state("currents", "w")
            assert states.unit == "nA"
            np.testing.assert_allclose(states.data[-1], program.synapses(made).weights / nA, rtol=1e-15)
            found.append(states.data.tobytes())
        assert found[0] == found[1]


def test_a_projection_without_synapses_records_rows_of_nothing() -> None:
    for target in TARGETS:
        net = Network()
        pre, post = net.population(EventSource(2, steps=[1], indices=[0])), net.population(Cell, 3)
        nothing = np.zeros(0, int)
        made = net.project(pre, post.b, Sparse((nothing, nothing)), synapse=Pairs, name="none")
        net.record(made, "w", every=2)
        assert target.compile(net, dt=1 * ms).run(5, progress=False).state("none", "w").shape == (3, 0)


def test_what_cannot_be_recorded_is_refused() -> None:
    net, own = network()
    static = net.project(net["pre"], net["post"].b, AllToAll(), name="static")
    with pytest.raises(NetworkError, match=r"static: its synapses do not change.*give it synapse="):
        net.record(static, "w")
    with pytest.raises(NetworkError, match=r"Own has no state or value .v.; it has x, y, z, w"):
        net.record(own, "v")
    with pytest.raises(NetworkError, match="every=0"):
        net.record(own, "w", every=0)
    with pytest.raises(NetworkError, match="another network"):
        network()[0].record(own, "w")
    for wrong in ([-1], [0.5], [[1]], [True], "w"):
        with pytest.raises(NetworkError, match="indices"):
            net.record(own, "w", indices=wrong)
    with pytest.raises(NetworkError, match="indices= is for synapses"):
        net.record(net["post"], "v", indices=[0])
    net.record(own, "w", indices=[84])
    for target in (Reference(), CPU()):
        with pytest.raises(NetworkError, match=r"recording of own\.w: index 84; there are 84, from 0"):
            target.compile(net, dt=1 * ms)
    net.record(own, "w", indices=[83])
    trace = Reference().compile(net, dt=1 * ms).run(2, progress=False)
    with pytest.raises(TraceError, match="no synapse 82 among the 1 recorded"):
        trace.state("own", "w", ids=[82])


def test_one_name_for_two_recordings_is_refused() -> None:
    net, _ = network()
    named = net.project(net["pre"], net["post"].b, AllToAll(), synapse=Pairs, name="post")
    with pytest.raises(NetworkError, match="population of this name"):
        net.record(named, "w")
    later, own = network()
    later.record(own, "w")
    with pytest.raises(NetworkError, match="own"):
        later.population(Cell, 2, name="own")


def test_libsonata_and_bmtk_read_the_reports(tmp_path: Path) -> None:
    import libsonata
    from bmtk.utils.reports import CompartmentReport

    net, own = network()
    net.record(own, "w", every=7)
    net.record(own, "z", every=3, indices=[80, 2, 41])
    with CPU(threads=2).compile(net, dt=1 * ms).run(STEPS, progress=False, out=tmp_path / "run.h5") as trace:
        reader = libsonata.ElementReportReader(str(tmp_path / "run.h5"))
        assert set(reader.get_population_names()) == {"own", "own.z"}
        for variable, name in (("w", "own"), ("z", "own.z")):
            frame, ours = reader[name].get(), trace.state("own", variable)
            assert frame.data.tobytes() == ours.data.tobytes()
            assert [node for node, _ in frame.ids] == ours.ids.tolist()
            theirs = CompartmentReport(str(tmp_path / "run.h5"), mode="r")
            one = np.ravel(theirs.data(node_id=41, population=name))
            np.testing.assert_array_equal(one, ours.data[:, ours.ids == 41][:, 0])


def test_a_file_of_few_rows_is_about_as_large_as_they_are(tmp_path: Path) -> None:
    net = Network()
    pre, post = net.population(EventSource(300), name="pre"), net.population(Cell, 100, name="post")
    made = net.project(pre, post.b, AllToAll(), synapse=Pairs, name="many")
    net.record(made, "w", every=100)
    CPU().compile(net, dt=1 * ms).run(200, progress=False, out=tmp_path / "run.h5").close()
    assert (tmp_path / "run.h5").stat().st_size < 2 * 30_000 * 4 + 30_000 * 40 + 100_000  # data, mapping, the rest


def test_what_is_recorded_is_in_the_text() -> None:
    net, own = network()
    before = net.hash
    net.record(own, "w", every=3)
    once = net.hash
    net.record(own, "w", every=3, indices=[1, 2])
    assert len({before, once, net.hash}) == 3
    assert "record own.w every 3" in net.text()
