"""Handwritten digits as events, and two networks that tell them.

Two codings of an image, each for the network that it suits. Latency: every pixel that is bright enough sends one spike,
the brighter the sooner; a spiking network sees the whole image within a few steps. Scan: the image moves row by row
past a line of sensors, which send an event where ink begins and where it ends, as the pixels of an event camera do; a
layer of EGRU units has to remember what went by. Both networks are trained by ``examples/train_digits.py``.

Only MNIST's 10,000 test images are in this repository: 8,000 of them train, 2,000 are held out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neuromorph.network import Dense, Live, Network
from neuromorph.units import ms

from . import classifier, mnist
from .classifier import CubaLIF, Evidence
from .egru_layers import EGRUWeights, egru_layer

_DATA = Path(__file__).parent / "data" / "digits"
_Images = npt.NDArray[np.uint8]
_Events = npt.NDArray[np.float32]

#: Fraction of the 10,000 images that is held out, at random.
HELD_OUT = 0.2
_FAINT, _STEPS, _SILENT = 64, 8, 3  # latency: faintest pixel that fires, steps of spikes, steps without that follow
_INK = 100  # scan: brightness of ink

Kind = Literal["spiking", "egru"]


def latency(images: _Images) -> _Events:
    """Spikes of 784 pixels: (samples, 11 steps, 784), 1 where there is one.

    A pixel of brightness b >= 64 fires once, in step ``(255 - b) * 8 // 192``; three steps without spikes follow.
    """
    bright = images.reshape(-1, 784).astype(np.int64)
    steps = np.where(bright >= _FAINT, (255 - bright) * _STEPS // (256 - _FAINT), -1)
    events: _Events = (steps[:, None] == np.arange(_STEPS + _SILENT)[:, None]).astype(np.float32)
    return events


def scan(images: _Images) -> _Events:
    """Events of 28 sensors that an image passes: (samples, 29 steps, 56), 1 where there is one.

    In step t, channel k fires where ink begins in row t of column k, channel 28 + k where it has ended. Ink is at least
    100 bright.
    """
    ink = np.zeros((len(images), 30, 28), np.int8)
    ink[:, 1:-1] = images.reshape(-1, 28, 28) >= _INK
    change = np.diff(ink, axis=1)
    events: _Events = np.concatenate([change > 0, change < 0], axis=2).astype(np.float32)
    return events


def split(seed: int = 0) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Numbers of 8,000 images to train with and of 2,000 that are held out, at random."""
    return classifier.split(10_000, HELD_OUT, seed)


def spiking(hidden: int = 128, *, seed: int = 0) -> Network:
    """An untrained network of LIF neurons for :func:`latency`: ``pixels``, ``hidden``, ``digits``."""
    rng = np.random.default_rng(seed)
    net = Network(name="digits_spiking")
    pixels = net.population(Live(784), (28, 28), name="pixels")
    layer = net.population(CubaLIF(tau_m=4 * ms, tau_s=2 * ms), hidden, name="hidden")
    digits = net.population(Evidence(last=_STEPS + _SILENT + 1), 10, name="digits")
    net.project(pixels, layer.a, Dense(rng.normal(0, 0.2, (784, hidden)).astype(np.float32)))
    net.project(layer, digits.a, Dense(rng.normal(0, 0.3 / np.sqrt(hidden), (hidden, 10)).astype(np.float32)))
    return net


def egru(units: int = 64, *, seed: int = 0) -> Network:
    """An untrained network of EGRU units (EvNN form) for :func:`scan`: ``sensors``, recurrent ``egru``, ``digits``."""
    rng = np.random.default_rng(seed)
    net = Network(name="digits_egru")
    sensors = net.population(Live(56), name="sensors")
    weights = EGRUWeights.random(56, units, threshold=0.3, seed=seed)
    layer = egru_layer(net, sensors, weights, start=1, name="egru")
    digits = net.population(Evidence(last=30), 10, name="digits")
    net.project(layer, digits.a, Dense(rng.normal(0, 1 / np.sqrt(units), (units, 10)).astype(np.float32)))
    return net


@dataclass(frozen=True)
class Task:
    """A network and the coding that it reads.

    Attributes
    ----------
    code : callable
        Images to events, (samples, steps, n).
    untrained : callable
        Makes the network.
    steps : int
        From the first events of an image until the evidence was sent.
    """

    code: Callable[[_Images], _Events]
    untrained: Callable[..., Network]
    steps: int


TASKS: dict[Kind, Task] = {"spiking": Task(latency, spiking, _STEPS + _SILENT + 2), "egru": Task(scan, egru, 31)}


def trained(kind: Kind) -> Network:
    """The network with the parameters that were trained on ``split(0)``."""
    return classifier.load(_DATA / f"{kind}.h5", TASKS[kind].untrained())


def images() -> tuple[_Images, npt.NDArray[Any]]:
    """All 10,000 images (10000, 784) and what they show (10000,)."""
    return mnist.images(), mnist.labels()
