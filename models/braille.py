"""A trained recurrent network that reads Braille letters by touch, from its NIR graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.language import Neuron
from neuromorph.network import Dense, EventSource, Network
from neuromorph.units import second

from .cuba_lif import CubaLIF

_DATA = Path(__file__).parent / "data" / "braille"

#: Time step that the network was trained with.
DT = 1e-4 * second


def sample() -> npt.NDArray[np.uint8]:
    """Events of one touch of the letter A, shape (256 steps, 12 channels)."""
    return np.asarray(np.load(_DATA / "ds_test_sample0_input.npy"))


def recorded_activity() -> npt.NDArray[np.float32]:
    """Events of the hidden layer that snnTorch recorded for :func:`sample`, shape (256, 38)."""
    return np.asarray(np.load(_DATA / "snntorch_activity_noDelay_bias_zero.npy"))


def reader(events: npt.NDArray[Any]) -> Network:
    """The network (12 inputs, 38 recurrent neurons, 7 letters) with ``events`` as its input.

    Parameters
    ----------
    events : array, shape (steps, 12)
        Non-zero where a channel has an event.

    Returns
    -------
    Network
        Populations ``touch``, ``hidden`` and ``letters``. Step t of the sample is step t + 1 of ``hidden`` and t + 2 of
        ``letters``.
    """
    import h5py

    net = Network(name="braille")
    with h5py.File(_DATA / "braille_noDelay_bias_zero.nir") as file:
        nodes = {
            name: {key: np.asarray(value) for key, value in node.items() if key not in ("type", "shape")}
            for name, node in file["node/nodes"].items()
        }
    recurrent = nodes["lif1.w_rec"]
    touch = net.population(EventSource.from_dense(events), events.shape[1], name="touch")
    hidden_bias = nodes["fc1"]["bias"] + recurrent["bias"]
    hidden = net.population(_neuron(nodes["lif1.lif"], hidden_bias, start=1), len(hidden_bias), name="hidden")
    letters_bias = nodes["fc2"]["bias"]
    letters = net.population(_neuron(nodes["lif2"], letters_bias, start=2), len(letters_bias), name="letters")
    net.project(touch, hidden.s, Dense(nodes["fc1"]["weight"].T))
    net.project(hidden, hidden.s, Dense(recurrent["weight"].T))
    net.project(hidden, letters.s, Dense(nodes["fc2"]["weight"].T))
    return net


def _neuron(node: dict[str, npt.NDArray[Any]], bias: npt.NDArray[Any], start: int) -> Neuron:
    times = {name: node[name] * second for name in ("tau_syn", "tau_mem")}
    numbers = {name: node[name] for name in ("r", "w_in", "v_leak", "v_threshold")}
    return CubaLIF(**times, **numbers, bias=bias, start=start)
