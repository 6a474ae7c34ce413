"""A convolutional network that others trained, from its NIR file: on every target alike, and from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuromorph import CPU, first_difference, ms
from neuromorph.__main__ import main
from neuromorph.events import read_nmnist
from neuromorph.interchange import from_nir, latency
from neuromorph.mapping.spinnaker2 import SpiNNaker2
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
    from scipy.signal import correlate as full

    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    maps = [sum(full(plane, taps, "valid") for plane, taps in zip(padded, out, strict=True)) for out in kernel]
    return np.array(maps)[:, ::stride, ::stride]


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

    chips = SpiNNaker2().compile(network, dt=1 * ms).run(STEPS + late, progress=False)
    assert first_difference(cpu, chips) is None


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
    for arguments, message in (
        (["run", file, "--inputs", str(inputs)], "give --dt"),
        (["run", file, *times], "give --inputs"),
        (["run", file, "--inputs", str(DATA / "README.md"), *times], "not an array that np.save wrote"),
        (["map", str(DATA / "README.md"), *times], "cannot read '.md'"),
    ):
        assert main(arguments) == 2
        assert message in capsys.readouterr().err
