"""Layers of ONNX files: shapes, batches, which operand is stored, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuromorph.errors import MappingError
from neuromorph.mapping.systolic.layers import conv, gemm
from neuromorph.mapping.systolic.onnx_file import read_onnx
from neuromorph.mapping.systolic.tails import paper_like

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

RNG = np.random.default_rng(5)


def _saved(
    path: Path, nodes: list[Any], inputs: dict[str, list[Any]], output: str, stored: dict[str, np.ndarray]
) -> str:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    result = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
    held = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in stored.items()]
    model = helper.make_model(helper.make_graph(nodes, "net", values, result, held))
    file = path / "net.onnx"
    onnx.save(model, file)
    return str(file)


def _image_net(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    stored = {
        "k": RNG.normal(size=(8, 3, 3, 3)), "d": RNG.normal(size=(8, 1, 3, 3)), "f": RNG.normal(size=(10, 128))
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"], name="first", pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Conv", ["r", "d"], ["e"], name="depthwise", pads=[1, 1, 1, 1], group=8),
        helper.make_node("Flatten", ["e"], ["g"]),
        helper.make_node("Gemm", ["g", "f"], ["y"], name="last", transB=1),
    ]
    return _saved(path, nodes, {"x": ["N", 3, 8, 8]}, "y", stored), stored


def test_an_image_network(tmp_path: Path) -> None:
    file, stored = _image_net(tmp_path)
    read = read_onnx(file)
    expected = (
        conv("first", 3, 8, 8, 3, stride=2, padding=1),
        conv("depthwise", 8, 4, 8, 3, padding=1, groups=8),
        gemm("last", 1, 128, 10),
    )
    for layer, same in zip(read.layers, expected, strict=True):
        for field in ("name", "rows", "depth", "columns", "inputs", "repeats", "second"):
            assert getattr(layer, field) == getattr(same, field), (layer.name, field)
    assert read.others == {"Relu": 1, "Flatten": 1}
    largest = np.abs(stored["f"].astype(np.float32)).max()
    lines = read.weights["last"].lines
    assert lines is not None
    assert np.array_equal(lines, np.rint(np.abs(stored["f"].astype(np.float32)) / (largest / 255)))
    assert read.weights["depthwise"].lines.shape == (8, 9)  # type: ignore[union-attr]
    values = read.distribution(paper_like(0.3, "assumed"))
    assert values.of(read.layers[2])[1] is read.weights["last"]
    assert [layer.rows for layer in read_onnx(file, {"N": 4}).layers] == [64, 64, 4]
    with pytest.raises(MappingError, match="no input has an open axis named M"):
        read_onnx(file, {"M": 4})


def test_attention_multiplies_activations(tmp_path: Path) -> None:
    stored = {"w": RNG.normal(size=(16, 16)), "left": RNG.normal(size=(5, 12))}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["q"], name="q"),
        helper.make_node("Transpose", ["q"], ["t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "t"], ["s"], name="scores"),
        helper.make_node("MatMul", ["left", "q"], ["m"], name="mixed"),
        helper.make_node("MatMul", ["s", "q"], ["y"], name="context"),
    ]
    file = _saved(tmp_path, nodes, {"x": ["N", 12, 16]}, "y", stored)
    layers = {layer.name: layer for layer in read_onnx(file, {"N": 2}).layers}
    q, scores, mixed, context = (layers[name] for name in ("q", "scores", "mixed", "context"))
    assert (q.rows, q.depth, q.columns, q.repeats, q.second) == (24, 16, 16, 1, "weights")
    assert (scores.rows, scores.depth, scores.columns, scores.repeats) == (12, 16, 12, 2)
    assert scores.second == context.second == "activations"
    assert (context.rows, context.depth, context.columns, context.repeats) == (12, 12, 16, 2)
    assert (mixed.rows, mixed.depth, mixed.columns, mixed.repeats, mixed.second) == (32, 12, 5, 1, "weights")
    assert mixed.inputs == 2 * 12 * 16


def test_weights_behind_other_operations_are_weights_without_numbers(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Transpose", ["w"], ["t"]),
        helper.make_node("MatMul", ["x", "t"], ["y"], name="turned"),
    ]
    read = read_onnx(_saved(tmp_path, nodes, {"x": [3, 6]}, "y", {"w": RNG.normal(size=(4, 6))}))
    assert [(x.rows, x.depth, x.columns, x.second) for x in read.layers] == [(3, 6, 4, "weights")]
    assert not read.weights


@pytest.mark.parametrize("turned", [False, True])
def test_gemm_with_transposed_operands(tmp_path: Path, turned: bool) -> None:
    weights = RNG.normal(size=(4, 6) if turned else (6, 4))
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transA=int(turned), transB=int(turned))
    read = read_onnx(_saved(tmp_path, [node], {"x": [6, 3] if turned else [3, 6]}, "y", {"w": weights}))
    layer = read.layers[0]
    assert (layer.name, layer.rows, layer.depth, layer.columns) == ("y", 3, 6, 4)
    assert read.weights["y"].lines.shape == (4, 6)  # type: ignore[union-attr]


def test_what_cannot_be_read(tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"\xff\xfe nonsense")
    with pytest.raises(MappingError, match="cannot be read as ONNX"):
        read_onnx(bad)
    with pytest.raises(MappingError, match="cannot be read as ONNX"):
        read_onnx(tmp_path / "missing.onnx")
    relu = [helper.make_node("Relu", ["x"], ["y"])]
    with pytest.raises(MappingError, match="there are no layers"):
        read_onnx(_saved(tmp_path, relu, {"x": [1, 2]}, "y", {}))
    einsum = [helper.make_node("Einsum", ["x", "x"], ["y"], equation="ij,kj->ik")]
    with pytest.raises(MappingError, match="Einsum are not taken apart"):
        read_onnx(_saved(tmp_path, einsum, {"x": [1, 2]}, "y", {}))
    matmul = [helper.make_node("MatMul", ["x", "w"], ["y"], name="open")]
    with pytest.raises(MappingError, match=r"layer open: .*sizes=.*: T$"):
        read_onnx(_saved(tmp_path, matmul, {"x": ["N", "T", 4]}, "y", {"w": RNG.normal(size=(4, 2))}))
