"""Simulators that run the same networks: one module each, loaded only in a process of its own.

A module has ``version()`` and ``NETWORKS``: for each network that it can run a function ``(parameters, setup) -> Run``
that builds and compiles it. Parameters are those of the case, in mV and ms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

Parameters = Mapping[str, float]


@dataclass(frozen=True)
class Setup:
    """How a network is built.

    Attributes
    ----------
    threads : int
        0 leaves the choice to the simulator.
    seed : int
    folder : Path
        For generated code; kept between processes, so that nothing is compiled twice.
    """

    threads: int
    seed: int
    folder: Path


@dataclass(frozen=True)
class Measured:
    """One run.

    Attributes
    ----------
    wall : float
        Seconds that the run took, building and compiling apart.
    results : mapping of str to float
        What must agree between simulators: rates in Hz by population, a mean weight in mV, a share of units.
    """

    wall: float
    results: Mapping[str, float]


class Run(Protocol):
    """A network that is built. Call it to run on for so many biological seconds."""

    def __call__(self, seconds: float) -> Measured:
        """Run on."""
        ...


@dataclass(frozen=True)
class Built:
    """A network ready to run.

    Attributes
    ----------
    run : Run
    pid : int or None
        The process that holds it; None for this one.
    note : str
        What was chosen, for the table.
    """

    run: Run
    pid: int | None = None
    note: str = ""


def weight_results(weights: npt.ArrayLike) -> dict[str, float]:
    """What must agree of plastic weights (mV)."""
    return {"weight": float(np.mean(weights)), "deviation": float(np.std(weights))}


def balanced_sizes(n: int) -> dict[str, int]:
    """Neurons of the populations of a balanced network."""
    return {"exc": n * 4 // 5, "inh": n - n * 4 // 5}


Build = Callable[[Parameters, Setup], Built]


@dataclass(frozen=True)
class Peer:
    """A simulator.

    Attributes
    ----------
    name, title : str
        Name of its module here; what tables call it.
    package : str
        What must be installed.
    networks : tuple of str
    own : bool
        Whether it is ours.
    threaded : bool
        Whether it runs on several threads.
    """

    name: str
    title: str
    package: str
    networks: tuple[str, ...]
    own: bool = False
    threaded: bool = True


SPIKING = ("cuba", "cobahh", "brunel", "stdp")
PEERS = (
    Peer("ours", "neuromorph", "neuromorph", (*SPIKING, "egru"), own=True),
    Peer("ours_float32", "neuromorph, float32 weights", "neuromorph", ("egru",), own=True),
    Peer("brian2_standalone", "Brian 2 C++ standalone", "brian2", SPIKING),
    Peer("brian2_cython", "Brian 2 Cython", "brian2", SPIKING, threaded=False),
    Peer("nest_simulator", "NEST", "nest", SPIKING),
    Peer("annarchy", "ANNarchy", "ANNarchy", SPIKING),
    Peer("torch_int8", "PyTorch int8", "torch", ("egru",)),
    Peer("torch_float32", "PyTorch float32", "torch", ("egru",)),
    Peer("numpy_dense", "NumPy float32", "numpy", ("egru",)),
)
