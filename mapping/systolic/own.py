"""Networks of neuromorph as layers: one step of every projection is a product, with its real weights and events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import MappingError
from neuromorph.network.builders import build_each
from neuromorph.network.values import seconds

from .layers import Layer
from .measured import measured
from .values import Codes, Distribution

if TYPE_CHECKING:
    from neuromorph.network import Network
    from neuromorph.network.synapses import Synapses
    from neuromorph.trace import Trace
    from neuromorph.units import Quantity

MOST = 1 << 26
"""Weights of one layer, or values of one population over the steps taken, that are made dense at most."""


def read_network(
    network: Network, dt: Quantity | float, trace: Trace, steps: int = 256
) -> tuple[tuple[Layer, ...], Distribution]:
    """Layers of one step, and their operands: weights as built, activations as a trace has the source's events.

    An array computes dense products: pairs without a synapse have the weight 0, neurons that are silent the value 0,
    and both cost what zeros cost. Delays and what neurons do with the sums are no part of it. A convolution's windows
    read the image in its order.

    Parameters
    ----------
    network : Network
    dt : Quantity or float
    trace : Trace
        Of a run of the network, with the events of every population that has synapses.
    steps : int
        The first ones of the trace that are looked at.

    Raises
    ------
    MappingError
        If the trace lacks a population's events, or a layer has too many weights to be made dense.
    """
    if steps < 1:
        raise MappingError(f"network {network.name}: steps={steps}; it takes at least 1")
    layers: list[Layer] = []
    codes: dict[str, tuple[Codes, Codes]] = {}
    events: dict[int, Codes] = {}
    for synapses in build_each(network, seconds(dt), geometry=True):
        if synapses.count == 0:
            continue
        pre = network.populations[synapses.pre]
        if synapses.pre not in events:
            if pre.name not in trace.recorded_events:
                raise MappingError(
                    f"network {network.name}: the trace has no events of {pre.name}, which projection {synapses.name} "
                    "sends; record them",
                    population=pre.name,
                )
            events[synapses.pre] = _activity(trace, pre.name, pre.size, steps)
        layer, weights = _layer(synapses)
        layers.append(layer)
        codes[layer.name] = (events[synapses.pre], weights)
    if not layers:
        raise MappingError(f"network {network.name} has no synapses, so there are no layers")
    first = codes[layers[0].name]
    source = f"weights and events of network {network.name}, the first {steps:,} steps of a trace"
    return tuple(layers), Distribution(network.name, *first, source, codes)


def _layer(synapses: Synapses) -> tuple[Layer, Codes]:
    weights, window = synapses.weights, synapses.geometry
    if window is not None:
        y, x, groups = window.y, window.x, window.groups
        depth = window.channels // groups * y.taps * x.taps
        rows, columns = y.out * x.out, window.out_channels // groups
        layer = Layer(synapses.name, rows, depth, columns, window.channels * y.size * x.size, groups)
        kernel = weights.reshape(window.out_channels, depth) if weights.ndim else np.full((1, depth), weights)
        return layer, measured(kernel)
    shape = synapses.n_pre, synapses.n_post
    layer = Layer(synapses.name, 1, shape[0], shape[1], shape[0])
    if weights.ndim and synapses.row_ptr is None:
        return layer, measured(weights.reshape(shape), axis=0)
    if shape[0] * shape[1] > MOST:
        raise MappingError(
            f"projection {synapses.name}: {shape[0]:,} x {shape[1]:,} weights made dense; at most {MOST:,} are",
            layer=synapses.name,
        )
    dense = np.zeros(shape, weights.dtype)
    if synapses.row_ptr is None or synapses.targets is None:
        dense[:] = weights
    else:
        sources = np.repeat(np.arange(shape[0]), np.diff(synapses.row_ptr))
        values = weights if synapses.weight_index is None else weights[synapses.weight_index]
        np.add.at(dense, (sources, synapses.targets), values)
    return layer, measured(dense, axis=0)


def _activity(trace: Trace, population: str, size: int, steps: int) -> Codes:
    """(steps, neurons) values of events; a neuron without one is 0 there."""
    if steps * size > MOST:
        raise MappingError(
            f"population {population}: {steps:,} steps of {size:,} neurons; at most {MOST:,} are looked at, take "
            "fewer steps",
            population=population,
        )
    events = trace.events(population)
    if events.steps is None:
        raise MappingError(f"population {population}: the trace does not tell the steps of its events")
    seen = events.steps < steps
    sent = np.ones((), np.uint8) if events.values is None else events.values[seen]
    values: NDArray[Any] = np.zeros((steps, size), sent.dtype)
    np.add.at(values, (events.steps[seen], events.ids[seen]), sent)
    return measured(values)
