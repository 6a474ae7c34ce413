"""Layers and stacks of EGRU units in the form of EvNN, from weights as EvNN stores them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.network import Dense, Network, Population, Sparse

from .recurrent import EGRUEvNN, EGRUEvNNWindowed

_Array = npt.NDArray[Any]


@dataclass(frozen=True)
class EGRUWeights:
    """Parameters of one layer of H units with C inputs; columns are update gate, reset gate, candidate.

    Attributes
    ----------
    kernel : (C, 3H)
    recurrent_kernel : (H, 3H)
    bias, recurrent_bias : (3H,)
    threshold : (H,)
        Clamped to [0, 1], as EvNN does.
    """

    kernel: _Array
    recurrent_kernel: _Array
    bias: _Array
    recurrent_bias: _Array
    threshold: _Array

    @property
    def units(self) -> int:
        """Number of units H."""
        return len(self.threshold)

    @classmethod
    def random(
        cls, inputs: int, units: int, *, threshold: float = 0.3, gain: float = 1.0, seed: int = 0
    ) -> EGRUWeights:
        """Untrained weights: Xavier normal, biases zero (EvNN's initialisation)."""
        rng = np.random.default_rng(seed)

        def xavier(rows: int) -> _Array:
            return rng.normal(0, gain * np.sqrt(2 / (rows + units)), (rows, 3 * units)).astype(np.float32)

        zeros = np.zeros(3 * units, np.float32)
        return cls(xavier(inputs), xavier(units), zeros, zeros, np.full(units, threshold, np.float32))


def egru_layer(
    net: Network, pre: Population, weights: EGRUWeights, *, start: int, name: str, window: int | None = None
) -> Population:
    """Add one layer that reads ``pre`` and itself.

    Matrices of which at most half is not zero become lists of synapses.

    Parameters
    ----------
    start : int
        First step at which the layer has input.
    window : int, optional
        Set the state to zero before every so many steps (:class:`~neuromorph.models.EGRUEvNNWindowed`).
    """
    h = weights.units
    gates = [slice(0, h), slice(h, 2 * h), slice(2 * h, 3 * h)]
    w, r = ([k[:, gate] for gate in gates] for k in (weights.kernel, weights.recurrent_kernel))
    b, c = ([k[gate] for gate in gates] for k in (weights.bias, weights.recurrent_bias))
    parameters = {"b_u": b[0] + c[0], "b_r": b[1] + c[1], "b_x": b[2], "b_y": c[2], "start": start}
    parameters["theta"] = np.clip(weights.threshold, 0, 1)
    model = EGRUEvNN(**parameters) if window is None else EGRUEvNNWindowed(**parameters, window=window)
    layer = net.population(model, h, name=name)
    for post, matrix in zip((layer.a_u, layer.a_r, layer.a_x), w, strict=True):
        net.project(pre, post, _rule(matrix))
    for post, matrix in zip((layer.a_u, layer.a_r, layer.a_y), r, strict=True):
        net.project(layer, post, _rule(matrix))
    return layer


def _rule(matrix: _Array) -> Dense | Sparse:
    if 2 * np.count_nonzero(matrix) > matrix.size:
        return Dense(matrix)
    pre, post = np.nonzero(matrix)
    return Sparse((pre, post, matrix[pre, post]))


def egru_stack(
    net: Network, pre: Population, layers: Sequence[EGRUWeights], *, start: int = 1, window: int | None = None
) -> tuple[Population, ...]:
    """Add layers ``egru1``, ``egru2``, ... on top of each other; each starts one step after the one below."""
    populations = []
    for number, weights in enumerate(layers):
        name = f"egru{number + 1}"
        pre = egru_layer(net, pre, weights, start=start + number, name=name, window=window)
        populations.append(pre)
    return tuple(populations)
