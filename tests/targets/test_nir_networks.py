"""Networks that others trained, from their NIR files: as recorded, alike on CPU and SpiNNaker2, on the command line."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nir_graphs import primitives

from neuromorph import CPU, Reference, first_difference, ms, to_nir
from neuromorph.__main__ import main
from neuromorph.engine import Target
from neuromorph.events import read_nmnist
from neuromorph.interchange import from_nir, latency
from neuromorph.interchange.nir.firing import RESETS
from neuromorph.interchange.nir.neurons import STEPPING
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import braille
from neuromorph.network import Conv2D, Network, SumPool2D
from neuromorph.trace import Trace

DATA = Path(__file__).parents[1] / "data" / "nir_cnn"
STEPS = 300


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return read_nmnist(DATA / "sample_nmnist.bin").bin(1 * ms, STEPS)


@pytest.fixture(scope="module")
def network(frames: np.ndarray) -> Network:
    return from_nir(DATA / "cnn_sinabs.nir", dt=1 * ms, time_unit=1 * ms, events=frames)


def correlate(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """Two-dimensional cross-correlation with a padding of 1."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
    return np.tensordot(kernel, windows, axes=((1, 2, 3), (0, 3, 4)))


@pytest.mark.parametrize(("reset", "recorded_in"), [("snntorch", "snntorch"), ("zero", "norse")])
@pytest.mark.parametrize("nested", ["", "_subgraph"])
def test_resets_by_name_are_those_of_the_programs_that_recorded(reset: str, recorded_in: str, nested: str) -> None:
    folder = DATA.parent / "nir_braille"
    recorded = np.load(folder / f"{recorded_in}_activity_noDelay_noBias_subtract.npy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of edges that name no node
        path = folder / f"braille_noDelay_noBias_subtract{nested}.nir"
        net = from_nir(path, dt=braille.DT, reset=reset, events=braille.sample(), names={NESTED[nested]: "hidden"})
    cpu = CPU().compile(net, dt=braille.DT).run(len(recorded) + 1, progress=False)
    hidden, events = np.zeros((len(recorded) + 1, 40)), cpu.events("hidden")
    hidden[events.steps, events.ids] = 1
    assert np.count_nonzero(hidden[1:] != recorded) == 0
    if not nested:
        chips = SpiNNaker2().compile(net, dt=braille.DT).run(len(recorded) + 1, progress=False)
        assert first_difference(cpu, chips) is None


NESTED = {"": "lif1.lif", "_subgraph": "lif1.lif1"}


def test_lif_fires_as_norse_recorded_on_cpu_and_spinnaker2() -> None:
    table = np.loadtxt(DATA.parent / "nir_lif" / "lif_norse.csv", delimiter=",")
    net = from_nir(DATA.parent / "nir_lif" / "lif_norse.nir", dt=0.1 * ms, events=table[:, :1])
    net.record(net["1"], "v")
    cpu, chips = (t.compile(net, dt=0.1 * ms).run(1001, progress=False) for t in (CPU(), SpiNNaker2()))
    assert (np.asarray(cpu.events("1").steps) - 1).tolist() == np.flatnonzero(table[:, 2]).tolist()
    np.testing.assert_allclose(cpu.state("1", "v").data[1:, 0], table[:, 1], rtol=0, atol=1e-6)
    assert first_difference(cpu, chips) is None


def test_convolutions_share_their_weights(network: Network) -> None:
    kernels = {p.post.name: p.rule.kernel_size for p in network.projections if isinstance(p.rule, Conv2D)}
    assert kernels == {"1": 800, "3": 2304, "6": 4 * 1152}  # before layer 6, 2 x 2 pooling is in the kernel
    (before, after) = network.projections[3:5]  # after it, pooled spikes are counted before the matrix
    assert (before.name, before.post.name, type(before.rule)) == ("7", "8", SumPool2D)
    assert (after.name, after.post.name, after.count.mean) == ("9", "10", 256 * 128)


def test_cnn_fires_as_a_plain_loop_and_alike_on_cpu_and_spinnaker2(network: Network, frames: np.ndarray) -> None:
    import h5py

    with h5py.File(DATA / "cnn_sinabs.nir") as file:
        w = {name: file[f"node/nodes/{name}/weight"][()].astype(float) for name in ("0", "2", "5", "9", "11")}
    v: list[np.ndarray] = [np.zeros(())] * 5
    counts = np.zeros((5, STEPS), int)
    for t, x in enumerate(frames[:60].astype(float)):
        for layer, arriving in enumerate(
            (
                lambda z: correlate(z, w["0"], 2),
                lambda z: correlate(z, w["2"], 1),
                lambda z: correlate(z.reshape(16, 8, 2, 8, 2).sum((2, 4)), w["5"], 1),
                lambda z: w["9"] @ z.reshape(8, 4, 2, 4, 2).sum((2, 4)).ravel(),
                lambda z: w["11"] @ z,
            )
        ):
            v[layer] = v[layer] + arriving(x)
            x = (v[layer] > 1).astype(float)
            v[layer] = np.where(x > 0, 0.0, v[layer])
            counts[layer, t] = x.sum()

    late = latency(network["12"])
    assert late == 6
    cpu = CPU().compile(network, dt=1 * ms).run(STEPS + late, progress=False)
    for layer, name in enumerate(("1", "3", "6", "10", "12")):
        steps = np.asarray(cpu.events(name).steps) - latency(network[name])
        got = np.bincount(steps[(steps >= 0) & (steps < 60)], minlength=60)
        assert got.tolist() == counts[layer, :60].tolist(), name
    votes = np.bincount(cpu.events("12").ids, minlength=10)
    assert votes.argmax() == 4
    assert votes[4] > 100

    program = SpiNNaker2().compile(network, dt=1 * ms)
    assert first_difference(cpu, program.run(STEPS + late, progress=False)) is None
    report = program.report()
    stored = [line for line in str(report).splitlines() if "rows regenerated from kernels" in line]
    assert [line.split()[0] for line in stored] == ["0", "2", "4+5"]
    assert report.bytes.sum() < 4 * 989_216  # the weights of the convolutions' synapses, were they listed


def test_the_command_line_runs_and_maps_it(
    tmp_path: Path, frames: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    file, inputs, out = str(DATA / "cnn_sinabs.nir"), tmp_path / "events.npy", tmp_path / "trace.h5"
    np.save(inputs, frames[:40])
    times = ["--dt", "1ms", "--time-unit", "1ms"]
    assert main(["run", file, "--inputs", str(inputs), *times, "--out", str(out)]) == 0
    with Trace(out) as trace:
        assert trace.meta.steps == 46
        assert trace.count("1") > 0
    assert main(["map", file, *times]) == 0
    assert "PEs" in capsys.readouterr().out
    kept = tmp_path / "kept.nir"  # what to_nir writes holds the step and the unit of time
    to_nir(from_nir(file, dt=1 * ms, time_unit=1 * ms), kept, dt=1 * ms, time_unit=1 * ms)
    assert main(["run", str(kept), "--inputs", str(inputs), "--out", str(tmp_path / "again.h5")]) == 0
    with Trace(out) as one, Trace(tmp_path / "again.h5") as two:
        assert first_difference(one, two) is None
    for arguments, message in (
        (["run", file, "--inputs", str(inputs)], "give --dt"),
        (["run", file, *times], "give --inputs"),
        (["run", file, "--inputs", str(DATA / "README.md"), *times], "not an array of numbers that np.save wrote"),
        (["map", str(DATA / "README.md"), *times], "cannot read '.md'"),
        (["map", file, *times, "--reset", "soft"], f"give one of {', '.join(RESETS)}"),
        (["map", file, *times, "--method", "rk4"], f"give one of {', '.join(STEPPING)}"),
    ):
        assert main(arguments) == 2
        assert message in capsys.readouterr().err


def test_every_primitive_gives_the_same_events_on_every_target(others: Callable[..., dict[str, Target]]) -> None:
    nir = pytest.importorskip("nir")
    rng = np.random.default_rng(1)
    nodes: dict[str, Any] = {}
    edges, events = [], {}
    for name, (shape, node) in primitives().items():
        source = f"in {'x'.join(map(str, shape))}"
        if source not in nodes:
            nodes[source] = nir.Input(np.array(shape))
            events[source] = rng.integers(0, 30, (40, *shape)) * (rng.random((40, *shape)) < 0.3)
        nodes |= {name: node, f"out {name}": nir.Output(None)}
        edges += [(source, name), (name, f"out {name}")]
    network = from_nir(nir.NIRGraph(nodes, edges, type_check=False), dt=0.5 * ms, events=events)
    reference = Reference("float32").compile(network, dt=0.5 * ms).run(42, progress=False)
    assert all(reference.count(population.name) > 4 for population in network.populations)
    for name, target in others("float32", None).items():
        trace = target.compile(network, dt=0.5 * ms).run(42, progress=False)
        assert first_difference(reference, trace) is None, name
