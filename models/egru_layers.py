"""Layers and stacks of EGRU units in the form of EvNN, from weights as EvNN stores them, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.language.neuron import Neuron
from neuromorph.network import Dense, Network, Population, Projection, Sparse, build_projection

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


def read_egru_layer(net: Network, name: str) -> EGRUWeights:
    """Weights of a layer that :func:`egru_layer` added; where the two biases of a gate act as one, the second is zero.

    Raises
    ------
    NetworkError
        If the network has no such layer.
    """
    layer = net[name]
    into = {(p.pre is layer, p.port): p for p in net.projections if p.post is layer}
    missing = [port for own, port in _PROJECTIONS if (own, port) not in into]
    if missing or not isinstance(layer.neuron, Neuron):
        raise NetworkError(f"population {name}: no layer of EGRU units, nothing reaches {', '.join(missing) or 'it'}")
    values = dict(layer.neuron.values)
    theta, b_u, b_r, b_x, b_y = (
        np.broadcast_to(np.asarray(values[key], np.float32), layer.size)
        for key in ("theta", "b_u", "b_r", "b_x", "b_y")
    )
    matrices = [_matrix(into[key]) for key in _PROJECTIONS]
    kernel, recurrent = np.hstack(matrices[:3]), np.hstack(matrices[3:])
    zero = np.zeros_like(b_y)
    return EGRUWeights(kernel, recurrent, np.hstack([b_u, b_r, b_x]), np.hstack([zero, zero, b_y]), theta)


_PROJECTIONS = [(False, "a_u"), (False, "a_r"), (False, "a_x"), (True, "a_u"), (True, "a_r"), (True, "a_y")]


def _matrix(projection: Projection) -> _Array:
    """Weights (n_pre, n_post), zero where there is no synapse."""
    synapses = build_projection(projection, seed=0, dt=1e-3)
    shape = (synapses.n_pre, synapses.n_post)
    if synapses.row_ptr is None or synapses.targets is None:
        return synapses.weights.reshape(shape)
    matrix = np.zeros(shape, np.float32)
    matrix[np.repeat(np.arange(shape[0]), np.diff(synapses.row_ptr)), synapses.targets] = synapses.weights
    return matrix
