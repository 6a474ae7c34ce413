"""A published, trained EGRU that decodes movement from neural activity."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.network import Dense, EventSource, Live, Network

from .egru_layers import EGRUWeights, egru_layer
from .recurrent import Linear

_DATA = Path(__file__).parent / "data" / "egru_decoder"
_Array = npt.NDArray[Any]

#: Steps from an input to the velocity that it moves.
LATENCY = 3


@dataclass(frozen=True)
class Recording:
    """What the decoder did in closed loop; float32, one row a step.

    Attributes
    ----------
    x : (890, 96)
        Input spikes, 0 or 1.
    y, h : (890, 2)
        Outputs and states of the EGRU after each step.
    events : (890, 2)
        1 where a unit fired.
    out : (890, 2)
        The decoder's output.
    """

    x: _Array
    y: _Array
    h: _Array
    events: _Array
    out: _Array


def recording() -> Recording:
    """The published network's own trace: 10 episodes, 890 steps of 10 ms."""
    with np.load(_DATA / "track1_neuron1_trace.npz") as file:
        x = np.unpackbits(file["x"], axis=1)[:, :96]
        return Recording(x, file["y"], file["h"], file["events"], file["out"])


def decoder(events: _Array | None = None) -> Network:
    """The trained network: 96 inputs, 4 linear units, 2 EGRU units (EvNN form), 2 linear outputs.

    Parameters
    ----------
    events : array, shape (steps, 96), optional
        Input spikes; None: they are given live.

    Returns
    -------
    Network
        Populations ``spikes``, ``features``, ``egru`` and ``velocity``. Step t of the input is step t + 1 of
        ``features``, t + 2 of ``egru`` and t + 3 of ``velocity`` (state ``y``).
    """
    with np.load(_DATA / "track1_neuron1_weights.npz") as file:
        w = {name: np.asarray(file[name]) for name in file}
    net = Network(name="decoder")
    inputs = len(w["egru.0.weight"].T)
    spikes = net.population(Live(inputs) if events is None else EventSource.from_dense(events), name="spikes")
    features = net.population(Linear(b=w["egru.0.bias"], start=1), 4, name="features")
    velocity_bias = w["head.bias"]
    net.project(spikes, features.a, Dense(w["egru.0.weight"].T))
    weights = EGRUWeights(
        w["egru.1.kernel"], w["egru.1.recurrent_kernel"], w["egru.1.bias"], w["egru.1.recurrent_bias"], w["egru.1.thr"]
    )
    egru = egru_layer(net, features, weights, start=2, name="egru")
    velocity = net.population(Linear(b=velocity_bias, start=3), 2, name="velocity")
    net.project(egru, velocity.a, Dense(w["head.weight"].T))
    return net
