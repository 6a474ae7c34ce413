"""Braille letters read by touch: recordings of a fingertip, and two networks that tell the 27 letters.

Pressure on each of four sensors is a graded event in every step in which something touches it. A spiking network turns
it into spikes, by a population of encoders whose thresholds cover the range of each sensor; a layer of EGRU units takes
it as it is. Both are trained by ``examples/train_braille.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neuromorph.network import Dense, Live, Network
from neuromorph.units import ms

from . import classifier
from .classifier import CubaLIF, Evidence
from .egru_layers import EGRUWeights, egru_layer

_DATA = Path(__file__).parent / "data" / "braille_letters"
_Array = npt.NDArray[Any]

#: Steps of a touch.
STEPS = 38
#: Fraction of the recordings that is held out, at random.
HELD_OUT = 0.2
#: Sensors that carry signal, and about the strongest pressure on each.
TAXELS, STRONGEST = (1, 2, 6, 10), (100, 15, 190, 12)

Kind = Literal["spiking", "egru", "egru_spark"]
"""The last one is the second, trained on so that its weights are numbers of SPARK's code, 47 the largest."""


@dataclass(frozen=True)
class Recordings:
    """All touches.

    Attributes
    ----------
    pressure : float32 (1080, STEPS, 4)
        0: no touch; about 1 at most. Values of events of the networks' input.
    letters : int64 (1080,)
        Index into ``names``.
    names : tuple of str
        The space and A to Z.
    """

    pressure: npt.NDArray[np.float32]
    letters: npt.NDArray[np.int64]
    names: tuple[str, ...]


@cache
def recordings() -> Recordings:
    """The 1,080 touches, 40 of each letter (CC BY 4.0, see the data's README); every second row is taken."""
    import h5py

    with h5py.File(_DATA / "readings.h5") as file:
        readings = file["taxel"][:, : 2 * STEPS : 2][:, :, list(TAXELS)]
        pressure = (255 - readings.astype(np.float32)) / np.array(STRONGEST, np.float32)
        return Recordings(pressure, file["letter"][:].astype(np.int64), tuple(file.attrs["letters"]))


def split(seed: int = 0) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Numbers of 864 touches to train with and of 216 that are held out, at random."""
    return classifier.split(len(recordings().letters), HELD_OUT, seed)


def spiking(encoders: int = 32, hidden: int = 64, *, seed: int = 0) -> Network:
    """An untrained network of LIF neurons: ``touch``, ``encoders``, recurrent ``hidden``, ``letters``."""
    rng = np.random.default_rng(seed)
    net = Network(name="braille_spiking")
    touch = net.population(Live(len(TAXELS), graded=True), name="touch")
    gains, biases = _tuning(encoders, rng)
    coded = net.population(CubaLIF(tau_m=3 * ms, tau_s=1 * ms, b=biases), encoders, name="encoders")
    layer = net.population(CubaLIF(tau_m=4 * ms, tau_s=4 * ms), hidden, name="hidden")
    letters = net.population(Evidence(last=STEPS + 2), len(recordings().names), name="letters")
    net.project(touch, coded.a, Dense(gains))
    net.project(coded, layer.a, Dense(_normal(rng, encoders, hidden, 1.5)))
    net.project(layer, layer.a, Dense(_normal(rng, hidden, hidden, 0.5)))
    net.project(layer, letters.a, Dense(_normal(rng, hidden, letters.size, 0.3)))
    return net


def egru(units: int = 64, *, seed: int = 0) -> Network:
    """An untrained network of EGRU units (EvNN form): ``touch``, recurrent ``egru``, ``letters``."""
    rng = np.random.default_rng(seed)
    net = Network(name="braille_egru")
    touch = net.population(Live(len(TAXELS), graded=True), name="touch")
    weights = EGRUWeights.random(len(TAXELS), units, threshold=0.3, seed=seed)
    layer = egru_layer(net, touch, weights, start=1, name="egru")
    letters = net.population(Evidence(last=STEPS + 1), len(recordings().names), name="letters")
    net.project(layer, letters.a, Dense(_normal(rng, units, letters.size, 1.0)))
    return net


#: Makers of the untrained networks, and steps from the beginning of a touch until the evidence was sent.
UNTRAINED: dict[Kind, Callable[..., Network]] = {"spiking": spiking, "egru": egru, "egru_spark": egru}
RUN: dict[Kind, int] = {"spiking": STEPS + 3, "egru": STEPS + 2, "egru_spark": STEPS + 2}


def trained(kind: Kind) -> Network:
    """The network with the parameters that were trained on ``split(0)``."""
    return classifier.load(_DATA / f"{kind}.h5", UNTRAINED[kind]())


def _tuning(encoders: int, rng: np.random.Generator) -> tuple[_Array, _Array]:
    """Gains (4, encoders) and biases: each encoder begins to fire at a pressure of its own on a sensor of its own."""
    at = rng.choice(len(TAXELS), encoders, p=[0.45, 0.05, 0.45, 0.05])
    low, high = np.array([0.0, 0.0, 0.74, 0.4])[at], np.array([0.6, 0.5, 1.0, 0.8])[at]  # where most readings lie
    gain = rng.choice([-4.0, 4.0], encoders) / (high - low)
    gains = np.zeros((len(TAXELS), encoders), np.float32)
    gains[at, np.arange(encoders)] = gain
    return gains, (1 - gain * rng.uniform(low, high)).astype(np.float32)


def _normal(rng: np.random.Generator, pre: int, post: int, gain: float) -> _Array:
    return rng.normal(0, gain / np.sqrt(pre), (pre, post)).astype(np.float32)
