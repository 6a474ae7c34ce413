"""Reports of number formats: the figures, and every kind of thing and file that they are made of."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neuromorph import AllToAll, Conv2D, Dense, Network, ms, mV, train
from neuromorph.__main__ import main
from neuromorph.errors import FormatError
from neuromorph.formats import Int, Spark
from neuromorph.formats.report import bits_report, read_formats, read_layers
from neuromorph.models import LIFDelta, braille_letters
from neuromorph.network import Live
from neuromorph.trace import Trace

ROOT = Path(__file__).resolve().parents[2]
SPARK = Spark(sign="unsigned", scale=1.0)
EVERY = np.arange(256.0)


def network() -> Network:
    net = Network(seed=3, name="small")
    rng = np.random.default_rng(0)
    image = net.population(Live(16), (1, 4, 4), name="image")
    hidden = net.population(LIFDelta(), (2, 4, 4), name="hidden")
    out = net.population(LIFDelta(), 5, name="out")
    net.project(image, hidden.v_in, Conv2D(rng.normal(size=(2, 1, 3, 3)) * mV, padding=1), name="conv")
    net.project(hidden, out.v_in, Dense(rng.normal(size=(32, 5)) * mV), name="dense", delay=2 * ms)
    net.project(out, out.v_in, AllToAll(), weight=-1 * mV, name="inhibition")
    return net


def test_the_figures_of_the_facts() -> None:
    """All of 0..255, once each: shares, errors and bits as they follow from the published table."""
    layer = bits_report(EVERY, [SPARK]).layers[0]
    found = layer.formats["spark-unsigned"]
    assert (found.count, found.short_share, found.lossy_share) == (256, 8 / 256, 128 / 256)
    assert (found.mean_error, found.max_error) == (4.25, 16)
    assert found.rms_error == pytest.approx(6.837, abs=5e-4)
    assert found.sqnr_db == pytest.approx(10 * np.log10(np.mean(EVERY**2) / found.rms_error**2))
    assert found.bits_per_value == pytest.approx(7.875)
    assert found.payload_bytes == 252
    assert layer.sizes.tolist() == [1] * 256
    assert layer.errors["spark-unsigned"][16:32].tolist() == list(range(1, 17))
    assert layer.errors["spark-unsigned"][128:144].tolist() == list(range(16, 0, -1))
    assert not layer.errors["spark-unsigned"][32:48].any()


def test_errors_by_size_are_the_errors() -> None:
    values = np.random.default_rng(1).laplace(size=(40, 50)).astype(np.float32)
    layer = bits_report(values, ["spark", "int4"]).layers[0]
    for name, each in read_formats("spark,int4").items():
        errors = np.abs(values - each.encode(values).decode())
        assert layer.errors[name].sum() == pytest.approx(errors.sum(), rel=1e-5)
        assert layer.formats[name].max_error == pytest.approx(errors.max(), rel=1e-5)
    assert layer.sizes.sum() == 2000
    assert layer.sizes[255] >= 1


def test_totals_weigh_layers_by_their_numbers() -> None:
    report = bits_report({"small": np.full(10, 255.0), "large": np.arange(30.0)}, [SPARK, Int(8)])
    total = report.total()
    assert total.count == 40
    assert total.short_share == 8 / 40
    assert total.lossy_share == 14 / 40
    assert total.bits_per_value == (10 * 8 + 8 * 4 + 22 * 8) / 40
    assert total.payload_bytes == sum(layer.formats["spark-unsigned"].payload_bytes for layer in report.layers)
    assert total.max_error == 14 / 29  # 29 becomes 15, relative to the largest
    assert report.total("int8").bits_per_value == 8


def test_a_network_is_told_by_projection() -> None:
    report = bits_report(network())
    assert [(layer.name, layer.shape) for layer in report.layers] == [("conv", (2, 9)), ("dense", (32, 5))]
    assert [str(each) for each in report.skipped] == ["inhibition: one weight for all synapses"]
    assert report.subject == "small"
    # a scale for each neuron of the target
    channels = bits_report(network(), ["spark"], per_channel=True)
    weights = next(iter(report["dense"].formats.values())).count
    assert weights == channels["dense"].formats["spark"].count == 160
    assert channels["dense"].formats["spark"].rms_error < report["dense"].formats["spark"].rms_error


def test_a_module_is_told_by_its_projections_behind_what_is_parametrised() -> None:
    module = train.Module(network(), dt=1 * ms)
    plain = bits_report(module, ["int8"])
    assert [layer.name for layer in plain.layers] == ["conv", "dense"]
    train.parametrise(module, lambda: train.Quantised(train.Integers(4)))
    coarse = bits_report(module, ["int4"])
    assert coarse["dense"].formats["int4"].max_error < 1e-6 * coarse["dense"].largest
    layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2, dtype=torch.bfloat16))
    assert [(each.name, each.shape) for each in bits_report(layers).layers] == [("0", (4, 3)), ("2", (2, 4))]


def test_a_state_dict_is_told_tensor_by_tensor() -> None:
    tied = torch.randn(4, 3, requires_grad=True)
    state = {
        "embedding": tied,
        "decoder": tied,
        "deep": {
            "bias": torch.ones(3, dtype=torch.float64),
            "moments": [torch.zeros(2), torch.ones(2, dtype=torch.int8)],
        },
        "steps": torch.tensor(5),
        "positions": torch.arange(7),
        "mask": torch.ones(3, dtype=torch.bool),
        "causal": torch.tensor([0.0, -torch.inf]),
        "none": torch.empty(0),
        "lr": 0.1,
    }
    report = bits_report(state, name="state")
    assert [layer.name for layer in report.layers] == ["embedding", "deep.bias", "deep.moments.0", "deep.moments.1"]
    reasons = {each.name: each.reason for each in report.skipped}
    assert reasons["decoder"] == "is embedding"
    assert reasons["causal"] == "holds nan or infinity"
    assert set(reasons) == {"decoder", "steps", "positions", "mask", "causal", "none"}
    assert report["deep.moments.0"].formats["spark"].max_error == 0
    assert [each.name for each in bits_report(state, only="*.bias").layers] == ["deep.bias"]
    assert bits_report(torch.arange(7)).total().count == 7  # what is given alone is meant


def test_what_holds_nothing_is_one_error() -> None:
    with pytest.raises(FormatError, match=r"weights: holds no array .*nan or infinity"):
        bits_report(np.array([np.nan, 1.0]), name="weights")
    with pytest.raises(FormatError, match="holds no array"):
        bits_report({"a": 1.0})
    with pytest.raises(FormatError, match="none matches 'b'; there are a"):
        bits_report({"a": np.ones(3)}, only="b")
    with pytest.raises(FormatError, match="nonsense"):
        bits_report(np.ones(3), ["nonsense"])
    with pytest.raises(FormatError, match="axis"):
        bits_report(np.ones((3, 3)), per_channel=7)


def test_a_report_is_text_json_and_a_picture(tmp_path: Path) -> None:
    report = bits_report(network(), [Spark(), Spark(rounding="nearest"), "int4", "float32"])
    assert len(set(report.formats)) == 4
    text = str(report)
    for word in ("conv", "dense", "all", "bits/value", "left out:", *report.formats):
        assert word in text
    assert all(len(line) <= 160 for line in text.splitlines())
    known = json.loads(report.to_json())
    assert known["total"][report.formats[0]]["payload_bytes"] == report.total().payload_bytes
    assert [layer["name"] for layer in known["layers"]] == ["conv", "dense"]
    assert json.loads(bits_report(np.zeros(4)).to_json())["layers"][0]["formats"]["spark"]["sqnr_db"] is None
    figure = report.plot(tmp_path / "new" / "bits.png")
    assert (tmp_path / "new" / "bits.png").stat().st_size > 5000
    bars, sizes, errors = figure.axes
    ends: dict[float, float] = {}
    for bar in bars.patches:
        ends[bar.get_y()] = ends.get(bar.get_y(), 0) + bar.get_width()
    assert list(ends.values()) == pytest.approx([100, 100])
    assert sum(bar.get_height() for bar in sizes.patches if bar.get_height() > 0) == pytest.approx(100)
    assert {line.get_text() for line in errors.get_legend().get_texts()} >= set(report.formats[:3])


def safetensors(path: Path, arrays: dict[str, tuple[str, np.ndarray[Any, Any]]], cut: int = 0) -> Path:
    """Written by the format's description, not by the reader's code."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, (kind, values) in arrays.items():
        header[name] = {
            "dtype": kind,
            "shape": list(values.shape),
            "data_offsets": [len(body), len(body) + values.nbytes],
        }
        body += values.tobytes()
    text = json.dumps(header).encode()
    content = struct.pack("<Q", len(text)) + text + body
    path.write_bytes(content[: len(content) - cut])
    return path


def test_files_hold_what_was_written(tmp_path: Path) -> None:
    import h5py

    values = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    halves = (values.view(np.uint32) >> 16).astype(np.uint16)
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "b.npz", w=values, label=np.array("x"))
    torch.save({"model": {"w": torch.from_numpy(values)}, "optimiser": {"m": torch.ones(3)}}, tmp_path / "c.pt")
    torch.save({"w": torch.from_numpy(values)}, tmp_path / "d.pth", _use_new_zipfile_serialization=False)
    safetensors(tmp_path / "e.safetensors", {"w": ("F32", values), "b": ("BF16", halves), "x": ("F8_E4M3", halves)})
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["layers/w"] = values
        file["about"] = "text"
    found = {path.name: {each.name: each for each in read_layers(path)} for path in sorted(tmp_path.iterdir())}
    names = {"a.npy": "a", "f.h5": "layers.w"}
    for file, layers in found.items():
        kept: Any = layers[names.get(file, "w")]
        np.testing.assert_array_equal(kept.values, values)
    assert set(found["c.pt"]) == {"w"}
    assert set(found["b.npz"]) == {"w", "label"}
    rounded: Any = found["e.safetensors"]["b"]
    np.testing.assert_array_equal(rounded.values, (halves.astype(np.uint32) << 16).view(np.float32))
    assert "F8_E4M3" in str(found["e.safetensors"]["x"])


def test_graphs_and_traces_are_read(tmp_path: Path) -> None:
    nodes = [each.name for each in read_layers(ROOT / "models/data/braille/braille_noDelay_bias_zero.nir")]
    assert any(name.endswith(".weight") for name in nodes)
    sent = {"egru": (np.arange(5), np.arange(5), np.linspace(0.5, 1, 5)), "lif": (np.arange(3), np.arange(3))}
    trace = Trace.from_events(sent, sizes={"egru": 5, "lif": 5}, dt=1e-3)
    trace.save(tmp_path / "trace.h5")
    report = bits_report(read_layers(tmp_path / "trace.h5"), name="trace")
    assert [(layer.name, layer.count) for layer in report.layers] == [("egru (events)", 5)]
    assert report.skipped[0].name == "lif (events)"


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.pt", "a.safetensors", "a.nir", "a.h5"])
def test_what_is_damaged_is_one_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(FormatError, match="no such file"):
        bits_report(read_layers(path))
    for content in (b"", b"\x93NUMPY\x01\x00garbage", b"PK\x03\x04 no archive at all", bytes(200), b"\x80\x02."):
        path.write_bytes(content)
        with pytest.raises((FormatError, ValueError), match=name) as failed:
            bits_report(read_layers(path))
        assert "Error" in type(failed.value).__name__


def test_damage_anywhere_is_one_error(tmp_path: Path) -> None:
    """Cut off, or with bytes changed: what is read is still numbers, or it is refused in one way."""
    import h5py

    values, rng = np.arange(30, dtype=np.float32), np.random.default_rng(5)
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", w=values)
    torch.save({"w": torch.from_numpy(values)}, tmp_path / "a.pt")
    safetensors(tmp_path / "a.safetensors", {"w": ("F32", values)})
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group/w"] = values
    refused = 0
    for path in sorted(tmp_path.iterdir()):
        whole = path.read_bytes()
        for case in range(40):
            content = bytearray(whole[: rng.integers(len(whole))] if case % 2 else whole)
            for place in rng.integers(0, max(len(content) // (1 + case % 4), 1), 3 if content and not case % 2 else 0):
                content[place] = rng.integers(256)
            path.write_bytes(content)
            try:
                assert bits_report(read_layers(path), ["int8"]).total().count
            except FormatError:
                refused += 1
    assert refused > 100


def test_safetensors_that_are_cut_off_or_lie(tmp_path: Path) -> None:
    path = safetensors(tmp_path / "cut.safetensors", {"w": ("F32", np.ones(10, np.float32))}, cut=4)
    with pytest.raises(FormatError, match=r"w: F32 .* takes 40 bytes.*cut off"):
        list(read_layers(path))
    safetensors(path, {"w": ("F64", np.ones(10, np.float32))})
    with pytest.raises(FormatError, match="takes 80 bytes"):
        list(read_layers(path))


def test_pickled_objects_are_not_run(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(FormatError, match=r"save its state_dict\(\)"):
        list(read_layers(tmp_path / "module.pt"))
    np.save(tmp_path / "objects.npy", np.array([{}, None], dtype=object), allow_pickle=True)
    with pytest.raises(FormatError, match="Python objects"):
        list(read_layers(tmp_path / "objects.npy"))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "net.py"
    script.write_text(
        "from neuromorph import *\nfrom neuromorph.models import LIFDelta\nnet = Network(name='tiny')\n"
        "a = net.population(LIFDelta(), 9)\n"
        "net.project(a, a.v_in, FixedProbability(0.5), weight=Normal(0 * mV, 1 * mV), delay=2 * ms, name='loop')\n"
    )
    figure = tmp_path / "bits.png"
    assert main(["bits", str(script), "--dt", "1ms", "--figure", str(figure)]) == 0
    assert "loop" in capsys.readouterr().out
    assert figure.exists()
    arrays = tmp_path / "arrays.npz"
    np.savez(arrays, w=np.random.default_rng(0).normal(size=(20, 30)), b=np.ones(3))
    options = ["--only", "w", "--formats", "spark-nearest-twos,fixed8.4", "--per-channel", "1"]
    assert main(["bits", str(arrays), "--json", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [layer["name"] for layer in found["layers"]] == ["w"]
    own = Spark(rounding="nearest", sign="twos_complement").encode(np.load(arrays)["w"], axis=1)
    assert found["layers"][0]["formats"]["spark-nearest-twos"]["bits_per_value"] == own.bits_per_value
    assert list(found["total"]) == ["spark-nearest-twos", "fixed8.4"]
    assert main(["bits", str(tmp_path / "none.npy")]) == 2
    assert "no such file" in capsys.readouterr().err
    assert main(["bits", str(tmp_path / "bits.png")]) == 2
    assert "cannot read '.png'" in capsys.readouterr().err


def test_the_page_prints_what_is_so() -> None:
    report = bits_report(braille_letters.trained("egru"), ["spark", "spark-nearest", "int8", "int4"])
    assert str(report) in (ROOT / "docs" / "formats.md").read_text()
