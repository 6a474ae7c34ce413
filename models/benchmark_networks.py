"""Networks that mappers are measured on: cortical microcircuit, convolutions, reservoirs, random nets, small worlds.

They are structure and rates; weights are placeholders. Rates are synthetic (nothing is simulated): log-normal around
5 Hz, alike for all populations, or the published means for the microcircuit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuromorph.network import (
    AllToAll,
    Conv2D,
    DistanceDependent,
    EventSource,
    FixedProbability,
    Gaussian,
    Network,
    Population,
    Sparse,
    SumPool2D,
)
from neuromorph.units import mV

from .integrate_and_fire import LIFDelta
from .recurrent import EGRUEvNN, Linear

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BenchmarkNetwork:
    """A network, how often its neurons fire, and how wide its stored weights are.

    Attributes
    ----------
    network : Network
    rates : tuple of float64 (size,)
        Events a second of every neuron, by population.
    weight_bytes : int
        Bytes of a stored synapse.
    """

    network: Network
    rates: tuple[Floats, ...]
    weight_bytes: int = 4


def _synthetic_rates(network: Network, seed: int) -> tuple[Floats, ...]:
    """Log-normal with a median of 5 Hz and a spread of 0.5 in the logarithm, for every population."""
    random = np.random.default_rng([seed, len(network.name)])  # not the stream that drew the connections
    return tuple(random.lognormal(np.log(5.0), 0.5, p.size) for p in network.populations)


# Potjans & Diesmann, Cereb. Cortex 24 (2014), 785: populations 2/3e 2/3i 4e 4i 5e 5i 6e 6i; connection probabilities
# by target (row) and source (column), table 5; mean rates (Hz) of the reference simulation.
_PD_NAMES = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
_PD_SIZES = (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948)
_PD_RATES = (0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829)
_PD_PROBABILITIES = (
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0),
    (0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0.0),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0.0),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443),
)


def potjans_diesmann(scale: float, seed: int = 1) -> BenchmarkNetwork:
    """The cortical microcircuit of Potjans and Diesmann with ``scale`` of its neurons at its probabilities.

    Parameters
    ----------
    scale : float
        Fraction of the 77,169 neurons; synapses shrink with its square.
    seed : int
    """
    net = Network(seed=seed, name=f"pd{100 * scale:g}p")
    populations = [
        net.population(LIFDelta, round(size * scale), name=name)
        for name, size in zip(_PD_NAMES, _PD_SIZES, strict=True)
    ]
    for post, row in zip(populations, _PD_PROBABILITIES, strict=True):
        for pre, probability in zip(populations, row, strict=True):
            if probability > 0:
                sign = -4.0 if pre.name.endswith("I") else 1.0
                net.project(pre, post, FixedProbability(probability), weight=sign * 0.15 * mV)
    return BenchmarkNetwork(net, tuple(np.full(p.size, r) for p, r in zip(populations, _PD_RATES, strict=True)))


def reservoir(side: int, seed: int = 1) -> BenchmarkNetwork:
    """Liquid state machine on a cubic grid, P(d) = 0.3 exp(-(d / 2.5)**2), with ids in random order.

    Parameters
    ----------
    side : int
        Neurons along an edge: 20 gives 8,000 neurons, 30 gives 27,000.
    seed : int
    """
    net = Network(seed=seed, name=f"lsm{side**3 // 1000}k")
    place = np.random.default_rng(seed).permutation(side**3)
    grid = np.stack(np.unravel_index(place, (side,) * 3), axis=1).astype(float)
    cells = net.population(LIFDelta, side**3, name="liquid", positions=grid)
    falloff = Gaussian(peak=0.3, sigma=2.5 / np.sqrt(2))
    net.project(cells, cells, DistanceDependent(falloff, cutoff=12.0, allow_self=False), weight=1 * mV)
    return BenchmarkNetwork(net, _synthetic_rates(net, seed))


def small_world(n: int = 20_000, k: int = 100, beta: float = 0.1, seed: int = 1) -> BenchmarkNetwork:
    """Watts-Strogatz ring of n neurons with k neighbours, links rewired with chance beta, ids in random order."""
    random = np.random.default_rng(seed)
    first = np.repeat(np.arange(n), k // 2)
    second = (first + np.tile(np.arange(1, k // 2 + 1), n)) % n
    rewired = random.random(len(second)) < beta
    second[rewired] = random.integers(0, n, int(rewired.sum()))
    shuffled = random.permutation(n)
    first, second = shuffled[first], shuffled[second]
    pairs = np.unique(np.concatenate((first * n + second, second * n + first)))
    return _from_pairs(f"sw{n // 1000}k", n, pairs, seed)


def gaussian_fan_out(n: int = 16_384, mean: float = 64, deviation: float = 16, seed: int = 1) -> BenchmarkNetwork:
    """Random network: every neuron reaches a Gaussian number of targets, drawn uniformly."""
    random = np.random.default_rng(seed)
    fan_out = np.maximum(np.rint(random.normal(mean, deviation, n)), 1).astype(np.int64)
    source = np.repeat(np.arange(n), fan_out)
    pairs = np.unique(source * n + random.integers(0, n, len(source)))
    return _from_pairs(f"rand{n // 1024}k", n, pairs, seed)


def _from_pairs(name: str, n: int, pairs: npt.NDArray[np.int64], seed: int) -> BenchmarkNetwork:
    pairs = pairs[pairs // n != pairs % n]
    net = Network(seed=seed, name=name)
    cells = net.population(LIFDelta, n, name="cells")
    net.project(cells, cells, Sparse((pairs // n, pairs % n, np.ones(len(pairs), np.float32) * mV)))
    return BenchmarkNetwork(net, _synthetic_rates(net, seed))


def egru(inputs: int = 700, hidden: int = 1024, outputs: int = 20, seed: int = 1) -> BenchmarkNetwork:
    """One EGRU layer, all to all, 1 byte for each of the three weights between two units."""
    net = Network(seed=seed, name=f"egru{hidden}")
    source = net.population(EventSource(inputs), name="input")
    units = net.population(EGRUEvNN, hidden, name="hidden")
    readout = net.population(Linear, outputs, name="output")
    for port in (units.a_u, units.a_r, units.a_x):
        net.project(source, port, AllToAll(), weight=0.01)
    for port in (units.a_u, units.a_r, units.a_y):
        net.project(units, port, AllToAll(), weight=0.01)
    net.project(units, readout, AllToAll(), weight=0.01)
    return BenchmarkNetwork(net, _synthetic_rates(net, seed), weight_bytes=1)


Layer = tuple[str, int, int]  # ("conv", channels, kernel), ("pool", size, 0) or ("dense", units, 0)


def convolutional(
    name: str, shape: tuple[int, int, int], layers: Sequence[Layer], padding: Sequence[int], seed: int = 1
) -> BenchmarkNetwork:
    """A feed-forward net of convolutions, poolings and dense layers; ids are channel-major.

    Parameters
    ----------
    name : str
    shape : (channels, height, width)
        Of the input.
    layers : sequence of (kind, size, kernel)
    padding : sequence of int
        Of every convolution, in order.
    seed : int
    """
    random = np.random.default_rng(seed)
    net = Network(seed=seed, name=name)
    below: Population = net.population(EventSource(int(np.prod(shape))), shape, name="input")
    paddings = iter(padding)
    for kind, size, kernel in layers:
        layer = f"{kind}{len(net.populations)}"
        channels, height, width = (*below.shape, 1, 1)[:3]
        if kind == "conv":
            pad = next(paddings)
            grown = 2 * pad - kernel + 1
            here = net.population(LIFDelta, (size, height + grown, width + grown), name=layer)
            weights = random.normal(0, 1, (size, channels, kernel, kernel)).astype(np.float32)
            net.project(below, here, Conv2D(weights * mV, padding=pad))
        elif kind == "pool":
            here = net.population(LIFDelta, (channels, height // size, width // size), name=layer)
            net.project(below, here, SumPool2D(size), weight=1 * mV)
        else:
            here = net.population(LIFDelta, size, name=layer)
            net.project(below, here, AllToAll(), weight=1 * mV)
        below = here
    return BenchmarkNetwork(net, _synthetic_rates(net, seed))


def lenet(seed: int = 1) -> BenchmarkNetwork:
    """LeNet-5 on 28 x 28 images: 8,878 neurons, 0.41 M synapses."""
    layers = [("conv", 6, 5), ("pool", 2, 0), ("conv", 16, 5), ("pool", 2, 0)]
    layers += [("dense", 120, 0), ("dense", 84, 0), ("dense", 10, 0)]
    return convolutional("lenet", (1, 28, 28), layers, (2, 0), seed)


def vgg9s(seed: int = 1) -> BenchmarkNetwork:
    """A small VGG on 32 x 32 x 3 images: 124,170 neurons, 27.4 M synapses."""
    layers = [("conv", 32, 3), ("conv", 32, 3), ("pool", 2, 0), ("conv", 64, 3), ("conv", 64, 3), ("pool", 2, 0)]
    layers += [("conv", 128, 3), ("pool", 2, 0), ("dense", 256, 0), ("dense", 10, 0)]
    return convolutional("vgg9s", (3, 32, 32), layers, (1,) * 5, seed)


BENCHMARKS: Mapping[str, Callable[[], BenchmarkNetwork]] = {
    "lsm8k": lambda: reservoir(20),
    "lsm27k": lambda: reservoir(30),
    "sw20k": small_world,
    "lenet": lenet,
    "vgg9s": vgg9s,
    "pd5p": lambda: potjans_diesmann(0.05),
    "pd10p": lambda: potjans_diesmann(0.10),
    "pd20p": lambda: potjans_diesmann(0.20),
    "rand16k": gaussian_fan_out,
    "egru1024": egru,
}
