"""The arrays that a report is about: weights of networks and modules, tensors of state dicts, plain arrays."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.units import Quantity


@dataclass(frozen=True)
class Layer:
    """One array of numbers.

    Attributes
    ----------
    name : str
    values : array
        Floats or ints, as they are kept.
    channels : int or None
        The axis that counts outputs, if there is one: the one that has a scale for each index where scales are asked
        for by channel.
    """

    name: str
    values: npt.NDArray[Any]
    channels: int | None = None


@dataclass(frozen=True)
class Skipped:
    """Something that a report leaves out, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


Found = Iterator[Layer | Skipped]

_INDICES = {("u", 2), ("u", 4), ("u", 8), ("i", 4), ("i", 8)}
"""Kinds and bytes of ints that are rather indices than numbers to store, where they stand beside other arrays."""


def layers_of(source: Any, dt: Quantity | None = None) -> Found:
    """The arrays of ``source``, one at a time, so that not all need to be in memory.

    Parameters
    ----------
    source : array, tensor, Network, torch.nn.Module, mapping, or an iterator of layers
        Of a network, the weights of each projection (of a convolution its kernel, of plastic synapses those that they
        start with). Of a module, its weights as :func:`neuromorph.train.weights_of` lists them, behind their
        parametrizations. Of a mapping such as a state dict, every array, those of inner mappings and lists with dotted
        names; the second name of one and the same tensor is left out, and so are wide ints, which are taken for
        indices: signed ones from 32 bits on, unsigned ones from 16.
    dt : Quantity, optional
        Step for delays of a network that are times; no weight depends on it. Default: 1 ms.
    """
    from neuromorph.network import Network

    if isinstance(source, Network):
        return _of_network(source, dt)
    if _is_torch(source, "nn.Module"):
        return _of_module(source)
    if isinstance(source, Mapping):
        return of_mapping(source)
    if isinstance(source, Iterator):
        return source
    return iter([layer("values", source, ints=True)])


def array(values: Any) -> npt.NDArray[Any]:
    """Numbers of a tensor, a quantity or what NumPy takes as an array; floats of unusual width as usual ones."""
    if _is_torch(values, "Tensor"):
        import torch

        tensor = values.detach().cpu()
        if tensor.is_quantized:
            tensor = tensor.dequantize()
        elif tensor.layout is not torch.strided:
            tensor = tensor.to_dense()
        if tensor.is_floating_point() and tensor.dtype not in (torch.float16, torch.float32, torch.float64):
            tensor = tensor.float()
        return np.asarray(tensor.resolve_conj().resolve_neg().numpy())
    numbers = np.asarray(values.value if isinstance(values, Quantity) else values)
    return numbers.astype(np.float64) if numbers.dtype == np.longdouble else numbers


def _of_network(network: Any, dt: Quantity | None) -> Found:
    from neuromorph.network.builders import build_each
    from neuromorph.units import ms

    step = float((1 * ms if dt is None else dt).value)
    for synapses in build_each(network, step, geometry=True):
        weights, name = synapses.weights, synapses.name
        if weights.ndim == 0:
            yield Skipped(name, "one weight for all synapses")
        elif synapses.geometry is not None:
            yield layer(name, weights.reshape(synapses.geometry.out_channels, -1), 0, ints=True)
        elif synapses.row_ptr is None:
            yield layer(name, weights.reshape(synapses.n_pre, synapses.n_post), 1, ints=True)
        else:
            yield layer(name, weights, ints=True)


def _of_module(module: Any) -> Found:
    from neuromorph.train import ProjectionWeights, weights_of

    for name, (part, parameter) in weights_of(module).items():
        axis = 1 if isinstance(part, ProjectionWeights) and part.dense else 0
        yield layer(name, getattr(part, parameter), axis)


def of_mapping(mapping: Mapping[Any, Any]) -> Found:
    """Every array of a mapping, those of inner mappings and lists with dotted names."""
    seen: dict[Any, str] = {}
    for name, value in _flat("", mapping):
        if _is_torch(value, "Tensor") and value.numel():
            place = (value.data_ptr(), tuple(value.shape), value.stride(), value.dtype)
            if (first := seen.setdefault(place, name)) != name:
                yield Skipped(name, f"is {first}")
                continue
        yield layer(name, value)


def _flat(prefix: str, tree: Any) -> Iterator[tuple[str, Any]]:
    """Leaves that are arrays, with the way to them."""
    items = tree.items() if isinstance(tree, Mapping) else enumerate(tree)
    for key, value in items:
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, Mapping) or (isinstance(value, list | tuple) and any(map(_holds_arrays, value))):
            yield from _flat(name, value)
        elif hasattr(value, "shape") and hasattr(value, "dtype"):
            yield name, value


def _holds_arrays(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple) or hasattr(value, "dtype")


def layer(name: str, values: Any, channels: int | None = 0, *, ints: bool = False) -> Layer | Skipped:
    """A layer, or why it is none.

    ``channels`` counts only where there are two axes or more. Without ``ints``, wide ones are taken for indices, which
    stand beside weights in many files.
    """
    numbers = array(values)
    if numbers.dtype.kind not in "iuf":
        return Skipped(name, f"{numbers.dtype}, not real numbers")
    if not numbers.size:
        return Skipped(name, f"empty, shape {numbers.shape}")
    if numbers.size == 1:
        return Skipped(name, "a single number")
    if not ints and (numbers.dtype.kind, numbers.dtype.itemsize) in _INDICES:
        return Skipped(name, f"{numbers.dtype}, taken for indices")
    if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
        return Skipped(name, "holds nan or infinity")
    return Layer(name, numbers, channels if numbers.ndim > 1 else None)


def _is_torch(value: Any, kind: str) -> bool:
    """Whether ``value`` is a ``torch.<kind>``, without importing torch for it."""
    found: Any = sys.modules.get("torch")
    for part in kind.split("."):
        found = getattr(found, part, None)
    return found is not None and isinstance(value, found)
