"""A multilayer perceptron that reads digits, and the one of 4 bits that comes with neuromorph.

An image is one step of graded events: the brightness of each pixel in 4 bits, ``brightness // 16`` sixteenths. Trained
by ``benchmarks/low_bits.py``; as in :mod:`digits`, 8,000 of MNIST's 10,000 test images train and 2,000 are held out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine import Program
from neuromorph.errors import NetworkError
from neuromorph.language import Neuron
from neuromorph.network import Dense, Live, Network, uniform_grid

from .classifier import Classified, parameters, with_parameters
from .multiply_accumulate import CodedRectifier, Rectifier
from .recurrent import Linear

_DATA = Path(__file__).parent / "data" / "digits"
_Array = npt.NDArray[Any]

#: Neurons of the hidden layers.
HIDDEN = (128, 64)


def code(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Events of 784 pixels: (samples, 1 step, 784), 0 to 15 sixteenths."""
    sixteenths: npt.NDArray[np.float32] = (images.reshape(-1, 1, 784) // 16).astype(np.float32)
    return sixteenths * np.float32(1 / 16)


def classify(program: Program, images: npt.NDArray[np.uint8], layers: int = 3) -> Classified:
    """Run images on a compiled network, one in each step, and take the digit with most evidence.

    The neurons keep nothing, so one image follows the other: the verdict on that of step t is sent in step
    ``t + layers``.

    Parameters
    ----------
    program : Program
        ``target.compile(network, dt=DT)``.
    images : uint8 (samples, 784)
    layers : int
        Of neurons: all populations but the pixels.
    """
    with TemporaryDirectory() as folder:
        stream = code(images).transpose(1, 0, 2)  # one sample of many steps
        batch = program.run_batch({"pixels": stream}, len(images) + layers, out=Path(folder) / "trace.h5")
        assert batch.trace is not None
        sent = batch.trace.events("digits")
    evidence = np.zeros((len(images), 10))
    assert sent.steps is not None
    assert sent.values is not None
    evidence[sent.steps - layers, sent.ids] = sent.values
    events = {name: int(counts.sum()) for name, counts in batch.counts.items()}
    activity = {name: float(counts.mean()) / len(images) for name, counts in batch.counts.items()}
    return Classified(evidence.argmax(1).astype(np.int64), evidence, events, activity, program, None)


def perceptron(hidden: Sequence[int] = HIDDEN, *, seed: int = 0) -> Network:
    """An untrained network of rectifiers: ``pixels``, ``hidden1``, ``hidden2``, ..., and linear ``digits``."""
    rng = np.random.default_rng(seed)
    net = Network(name="perceptron")
    layer = net.population(Live(784, graded=True), (28, 28), name="pixels")
    for k, size in enumerate((*hidden, 10), start=1):
        kind: Any  # each neuron is a type of its own
        name, kind = ("digits", Linear) if k > len(hidden) else (f"hidden{k}", Rectifier)
        following = net.population(kind(b=np.zeros(size, np.float32), start=k), size, name=name)
        spread = np.sqrt(2 / layer.size)
        net.project(layer, following.a, Dense(rng.normal(0, spread, (layer.size, size)).astype(np.float32)))
        layer = following
    return net


def coded(network: Network, quanta: Mapping[str, float], top: int) -> Network:
    """The same network with rectifiers that send few values, by :class:`~neuromorph.models.CodedRectifier`.

    Parameters
    ----------
    network : Network
        Of :func:`perceptron`.
    quanta : mapping of str to float
        By hidden population.
    top : int
        Largest code of an event.
    """
    made = Network(network.seed, network.name)
    for population in network.populations:
        model = population.neuron
        if population.name in quanta and isinstance(model, Neuron):
            values = {name: value for name, value in model.values if name in ("b", "start")}
            model = CodedRectifier(**values, quantum=quanta[population.name], top=float(top))
        made.population(model, population.shape, population.name)
    for projection in network.projections:
        post = made.populations[projection.post.index].port(projection.port)
        pre = made.populations[projection.pre.index]
        made.project(pre, post, projection.rule, projection.weight, projection.delay, projection.name)
    return made


def save(path: str | PathLike[str], network: Network, most: int, about: Mapping[str, Any]) -> None:
    """Write a network of few bits as what it is: whole numbers and their scales.

    Parameters
    ----------
    most : int
        Largest size of a whole number that stands for a weight or a bias.

    Raises
    ------
    NetworkError
        If weights or biases are not whole multiples of one number.
    """
    import h5py

    with h5py.File(path, "w") as file:
        for name, values in parameters(network).items():
            grid = uniform_grid(np.asarray(values, np.float32), most)
            if grid is None:
                raise NetworkError(f"network {network.name}: {name} is not of whole numbers up to {most} and a scale")
            file.create_dataset(name, data=grid.codes.astype(np.int8), compression="gzip", shuffle=True)
            file[name].attrs["scale"] = grid.scale
        file.attrs.update(about)
        for population in network.populations:
            if isinstance(population.neuron, Neuron) and population.neuron.name == "CodedRectifier":
                given = {name: float(getattr(v, "value", v)) for name, v in population.neuron.values if name != "b"}
                group = file.create_group(f"neurons/{population.name}")
                group.attrs.update({"quantum": given["quantum"], "top": given["top"]})


def load(path: str | PathLike[str]) -> Network:
    """The network of a file of :func:`save`."""
    import h5py

    with h5py.File(path) as file:
        values = {
            name: np.asarray(file[name], np.float32) * np.float32(file[name].attrs["scale"])
            for name in file
            if name != "neurons"
        }
        rectifiers = {name: dict(group.attrs) for name, group in file["neurons"].items()}
    network = perceptron([len(values[f"{name}.b"]) for name in sorted(rectifiers)])
    tops = {int(each["top"]) for each in rectifiers.values()}
    network = with_parameters(network, values)
    return coded(network, {name: float(each["quantum"]) for name, each in rectifiers.items()}, tops.pop())


def trained() -> Network:
    """The 784-128-64-10 network of 4-bit weights, biases and events that was trained on ``digits.split(0)``.

    Its weights are whole numbers from -15 to 15 times a scale for each layer: what pairs of cells of 4 bits hold.
    """
    return load(_DATA / "perceptron_4bit.h5")
