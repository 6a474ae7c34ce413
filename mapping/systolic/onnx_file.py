"""Layers of an ONNX file, and the weights in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from neuromorph.errors import MappingError

from .layers import Layer, SecondOperand
from .measured import measured
from .values import Codes, Distribution

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

_OPERANDS = {
    "Conv": (0, 1),
    "ConvInteger": (0, 1),
    "QLinearConv": (0, 3),
    "Gemm": (0, 1),
    "MatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "QLinearMatMul": (0, 3),
}
"""Operations that become layers, and which of their inputs are multiplied."""
_REFUSED = ("Attention", "ConvTranspose", "DeformConv", "Einsum", "GRU", "LSTM", "RNN", "If", "Loop", "Scan")
"""Operations that multiply matrices or hold others that do, and are not taken apart here."""


@dataclass(frozen=True, eq=False)
class OnnxNetwork:
    """What a file says.

    Attributes
    ----------
    layers : tuple of Layer
        In the order of the file, under the names of its nodes.
    weights : mapping of str to Codes
        Measured codes of the layers whose weights stand in the file as numbers.
    others : mapping of str to int
        How many operations of other kinds there are; an array does not compute them.
    """

    layers: tuple[Layer, ...]
    weights: Mapping[str, Codes]
    others: Mapping[str, int]

    def distribution(self, other: Distribution) -> Distribution:
        """Measured weights where there are some; activations and the rest as in `other`."""
        layers = {name: (other.activations, codes) for name, codes in self.weights.items()}
        source = f"weights of {len(layers)} layers measured; the rest: {other.source}"
        return Distribution(f"weights of the file, {other.name}", other.activations, other.weights, source, layers)


def read_onnx(path: str | PathLike[str], sizes: Mapping[str, int] | None = None) -> OnnxNetwork:
    """Read a network; needs ``onnx`` (``pip install 'neuromorph[onnx]'``).

    Parameters
    ----------
    path : str or path
    sizes : mapping of str to int, optional
        Sizes of axes that the file leaves open, by their names. The first axis of an input is 1 unless given: a batch
        of one sample.

    Raises
    ------
    MappingError
        If onnx is missing, the file cannot be read, a size stays open, or operations multiply matrices in a way that is
        not taken apart here: all of them are named.
    """
    try:
        import onnx
    except ImportError:
        raise MappingError("reading ONNX needs the package onnx: pip install 'neuromorph[onnx]'") from None
    try:
        model = onnx.load(fspath(path))
    except Exception as error:
        raise MappingError(f"{fspath(path)} cannot be read as ONNX: {error}", path=fspath(path)) from error
    return _read(model, fspath(path), sizes or {})


def _read(model: ModelProto, file: str, sizes: Mapping[str, int]) -> OnnxNetwork:
    import onnx

    refused = sorted({node.op_type for node in model.graph.node if node.op_type in _REFUSED})
    if refused:
        raise MappingError(f"{file}: {', '.join(refused)} are not taken apart into layers; export without them")
    _set_sizes(model.graph, file, sizes)
    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception as error:
        raise MappingError(f"{file}: shapes cannot be told: {error}", path=file) from error
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes[value.name] = tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
    numbers, fixed = _constants(graph)
    layers: dict[str, Layer] = {}
    weights: dict[str, Codes] = {}
    others: dict[str, int] = {}
    for node in graph.node:
        if node.op_type not in _OPERANDS:
            others[node.op_type] = others.get(node.op_type, 0) + 1
            continue
        name = node.name or node.output[0]
        while name in layers:
            name += "'"
        operands = [node.input[k] for k in _OPERANDS[node.op_type]]
        known = [shapes.get(key, ()) for key in (*operands, node.output[0])]
        if any(not shape or 0 in shape for shape in known):
            raise MappingError(
                f"{file}: layer {name}: its operands and output have the shapes {', '.join(map(str, known))}, where 0 "
                f"or nothing means unknown; give sizes={{...}} for the axes that the file leaves open: {_open(graph)}",
                layer=name,
            )
        stored = 1 if operands[1] in fixed else 0 if operands[0] in fixed else None
        layers[name], axis = (_convolution if "Conv" in node.op_type else _product)(node, name, known, stored)
        if stored is not None and operands[stored] in numbers:
            array = numbers[operands[stored]]
            weights[name] = measured(array.reshape(len(array), -1) if "Conv" in node.op_type else array, axis=axis)
    if not layers:
        raise MappingError(f"{file}: no {', '.join(_OPERANDS)} in it, so there are no layers", path=file)
    return OnnxNetwork(tuple(layers.values()), weights, others)


def _convolution(node: NodeProto, name: str, shapes: list[tuple[int, ...]], stored: int | None) -> tuple[Layer, int]:
    image, kernel, out = shapes
    groups = {a.name: a.i for a in node.attribute}.get("group", 1)
    rows, columns = out[0] * prod(out[2:]), kernel[0] // groups
    second: SecondOperand = "activations" if stored is None else "weights"
    return Layer(name, rows, prod(kernel[1:]), columns, prod(image), groups, second), -1


def _product(node: NodeProto, name: str, shapes: list[tuple[int, ...]], stored: int | None) -> tuple[Layer, int]:
    """A layer, and the axis of the stored operand along which products are summed."""
    turned = {a.name: a.i for a in node.attribute}
    a, b, out = shapes
    a, b = ((1, *a) if len(a) == 1 else a), ((*b, 1) if len(b) == 1 else b)
    turn_a, turn_b = bool(turned.get("transA")), bool(turned.get("transB"))
    high, depth = (a[-1], a[-2]) if turn_a else (a[-2], a[-1])
    wide = b[-2] if turn_b else b[-1]
    total = max(prod(out), 1)
    if stored == 0:  # weights at the left: the same products with both operands transposed
        repeats = prod(a[:-2])
        return Layer(name, total // (high * repeats), depth, high, prod(b), repeats), -2 if turn_a else -1
    if stored == 1:
        repeats = prod(b[:-2])
        return Layer(name, total // (wide * repeats), depth, wide, prod(a), repeats), -1 if turn_b else -2
    return Layer(name, high, depth, wide, prod(a), total // (high * wide), "activations"), 0


def _set_sizes(graph: GraphProto, file: str, sizes: Mapping[str, int]) -> None:
    stored = {tensor.name for tensor in graph.initializer}
    found = set()
    for value in graph.input:
        if value.name in stored:
            continue
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            name = dim.dim_param
            if name in sizes:
                found.add(name)
                dim.dim_value = sizes[name]
            elif axis == 0 and not dim.dim_value:
                dim.dim_value = 1
    unknown = sorted(set(sizes) - found)
    if unknown:
        raise MappingError(f"{file}: no input has an open axis named {', '.join(unknown)}", path=file)
    del graph.value_info[:]  # told again for the sizes above
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")


def _open(graph: GraphProto) -> str:
    """Names of the inputs' axes without a size."""
    dims = (dim for value in graph.input for dim in value.type.tensor_type.shape.dim if not dim.dim_value)
    return ", ".join(sorted({dim.dim_param or "one without a name" for dim in dims})) or "none by name"


def _constants(graph: GraphProto) -> tuple[dict[str, NDArray[Any]], set[str]]:
    """Numbers that the file holds by name, and all names that depend on no input."""
    from onnx import numpy_helper

    numbers = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    fixed = set(numbers)
    for node in graph.node:
        if all(not key or key in fixed for key in node.input):
            fixed.update(node.output)
            value = next((a.t for a in node.attribute if a.name == "value"), None)
            if node.op_type == "Constant" and value is not None:
                numbers[node.output[0]] = numpy_helper.to_array(value)
    return numbers, fixed
