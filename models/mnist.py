"""MNIST digits and a trained integer network that classifies them."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neuromorph.network import Dense, Network

from .integer import IntegerCUBA, PixelEncoder

_DATA = Path(__file__).parent / "data"

#: Steps that an image is shown; what the pixels send in step t reaches the outputs at step t + LATENCY.
STEPS = 20
LATENCY = 3


@cache
def images() -> npt.NDArray[np.uint8]:
    """The 10,000 test images, shape (10000, 784), brightness 0 to 255 (CC BY-SA 3.0, see the data's README)."""
    with gzip.open(_DATA / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)


@cache
def labels() -> npt.NDArray[np.uint8]:
    """The digit that each test image shows, shape (10000,)."""
    with gzip.open(_DATA / "mnist" / "t10k-labels-idx1-ubyte.gz") as file:
        return np.frombuffer(file.read(), np.uint8, offset=8)


def classifier() -> Network:
    """The trained 784-128-64-10 network of integer CUBA neurons (BSD-3, see the data's README).

    Returns
    -------
    Network
        Populations ``pixels`` (parameter ``pixel``: the image), ``hidden1``, ``hidden2`` and ``output``. The class is
        the output neuron that fires most in steps ``[LATENCY, STEPS + LATENCY)``.
    """
    import h5py

    net = Network(name="mnist")
    # an image is a value for each pixel: mapped with room for it
    layer = net.population(PixelEncoder(pixel=np.zeros(784, np.int64)), (28, 28), name="pixels")
    with h5py.File(_DATA / "mnist_lava" / "trained_mnist_network.net") as file:
        for number, name in enumerate(("hidden1", "hidden2", "output")):
            group = file[f"layer/{number}"]
            weights = np.asarray(group["weight"], np.int32).T
            model = IntegerCUBA(
                decay_u=int(group["neuron/iDecay"][()]),
                decay_v=int(group["neuron/vDecay"][()]),
                threshold=int(group["neuron/vThMant"][()]),
            )
            following = net.population(model, weights.shape[1], name=name)
            net.project(layer, following.a, Dense(weights))
            layer = following
    return net
