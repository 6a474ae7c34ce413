"""A projection's synapses as tensors, and as parameters that train."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from neuromorph.errors import NetworkError
from neuromorph.language.expr import Type
from neuromorph.network import forecast
from neuromorph.network.builders.convolution import Window, convolution
from neuromorph.network.projection import Projection
from neuromorph.network.rules.rule import Connections
from neuromorph.network.synapses import Synapses
from neuromorph.network.values import magnitude


class ProjectionWeights(nn.Module):
    """The weights of one projection.

    Attributes
    ----------
    weight : Parameter or Tensor
        In the unit of the port, in the layout of the rule: (n_pre, n_post) where every pair is connected, the kernel of
        a convolution, one value for each synapse (by source, then target) of other rules, or shape () for one value
        that all share. A parameter if it trains.
    name : str
    """

    weight: Tensor
    _places: Tensor
    _kernel_places: Tensor

    def __init__(self, projection: Projection, synapses: Synapses, dtype: torch.dtype, trained: bool) -> None:
        super().__init__()
        self.name = projection.name
        self.scale = float(projection.port_spec.unit.scale)
        self.whole = projection.port_spec.type is Type.INT
        self.pairs = (synapses.n_pre, synapses.n_post)
        self.window: Window | None = synapses.geometry
        self.dense = synapses.row_ptr is None and self.window is None
        if self.window is None:
            _require_memory(projection.name, self.pairs, dtype.itemsize)
        kind = torch.float64 if self.whole else dtype
        values = np.asarray(synapses.weights, np.float64) / self.scale
        if self.window is not None and values.ndim:
            values = values.reshape(np.shape(_kernel(projection)))
        elif self.dense and values.ndim:
            values = values.reshape(self.pairs)
        start = torch.tensor(values, dtype=kind)
        if trained:
            self.weight = nn.Parameter(start)
        else:
            self.register_buffer("weight", start)
        delays = np.asarray(synapses.delays, np.int64)
        self.delays = tuple(int(d) for d in np.unique(delays))
        self._index = synapses.weight_index is not None
        if synapses.row_ptr is not None:
            self._list(synapses)
        if len(self.delays) > 1:
            for delay in self.delays:
                at = delays == delay
                self._buffer(f"_of{delay}", at.reshape(self.pairs) if self.dense else np.flatnonzero(at))

    def unroll(self) -> None:
        """List the synapses of a convolution one by one, for where its events come step by step."""
        if self.window is not None:
            made = convolution(self.window, self.weight.ndim > 0, 1)
            self._index = self.weight.ndim > 0
            self._list(made)
            self.window = None

    def _list(self, synapses: Synapses | Connections) -> None:
        assert synapses.row_ptr is not None
        assert synapses.targets is not None
        sources = np.repeat(np.arange(self.pairs[0], dtype=np.int64), np.diff(synapses.row_ptr))
        self._buffer("_places", sources * self.pairs[1] + synapses.targets.astype(np.int64))
        if synapses.weight_index is not None:
            self._buffer("_kernel_places", synapses.weight_index.astype(np.int64))

    def _buffer(self, name: str, values: np.ndarray[Any, Any]) -> None:
        self.register_buffer(name, torch.from_numpy(values.copy()), persistent=False)

    def effective(self) -> Tensor:
        """``weight`` in SI units, as the module uses it."""
        weight = self.weight
        return weight if self.scale == 1.0 else weight * self.scale

    def matrix(self, delay: int) -> Tensor:
        """Weights (n_pre, n_post) of the synapses of one delay, in SI units."""
        weight, size = self.effective(), self.pairs[0] * self.pairs[1]
        if self.dense:
            full = weight.expand(self.pairs)
            if len(self.delays) == 1:
                return full
            return full * self.get_buffer(f"_of{delay}")
        places, each = self._places, weight
        if self._index:
            each = weight.reshape(-1)[self._kernel_places]
        each = each.expand(places.shape)
        if len(self.delays) > 1:
            kept = self.get_buffer(f"_of{delay}")
            places, each = places[kept], each[kept]
        flat = torch.zeros(size, dtype=weight.dtype, device=weight.device)
        return flat.index_add(0, places, each).view(self.pairs)

    def convolved(self, events: Tensor) -> Tensor:
        """Sums (steps, batch, n_post) that events (steps, batch, n_pre) bring through a convolution or pooling."""
        window = self.window
        assert window is not None
        kernel = self.effective()
        if kernel.ndim == 0:
            kernel = kernel.expand(window.out_channels, window.channels // window.groups, window.y.taps, window.x.taps)
        elif kernel.ndim == 3:
            kernel = kernel[:, :, None, :]
        images = events.reshape(-1, window.channels, window.y.size, window.x.size).to(kernel.dtype)
        around = (window.x.before, window.x.after, window.y.before, window.y.after)
        stride, dilation = (window.y.stride, window.x.stride), (window.y.dilation, window.x.dilation)
        sums = functional.conv2d(
            functional.pad(images, around), kernel, stride=stride, dilation=dilation, groups=window.groups
        )
        return sums.reshape(*events.shape[:2], -1)


def _require_memory(name: str, pairs: tuple[int, int], width: int) -> None:
    """Raise a NetworkError if a matrix of all pairs and its gradient will not fit."""
    needed, available = 2 * pairs[0] * pairs[1] * width, forecast.available_memory()
    if needed > available:
        raise NetworkError(
            f"projection {name}: training takes a matrix of {pairs[0]:,} x {pairs[1]:,} weights and its gradient, "
            f"{needed / 2**30:.1f} GiB, and {available / 2**30:.1f} GiB are there; train a smaller network",
            needed=needed,
            available=available,
        )


def _kernel(projection: Projection) -> Any:
    return magnitude(getattr(projection.rule, "weights", None))


def trains(projection: Projection, asked: Sequence[str]) -> bool:
    """Whether a projection's weights train: float weights that someone gave do, others where they are asked for.

    Raises
    ------
    NetworkError
        What is asked for are ints.
    """
    whole = projection.port_spec.type is Type.INT
    if whole and asked:
        raise NetworkError(
            f"trainable: the weights of projection {projection.name} are ints, which have no gradient; leave it out"
        )
    own = magnitude(getattr(projection.rule, "weights", None))
    return bool(asked) or (not whole and (projection.weight is not None or np.ndim(own) > 0))
