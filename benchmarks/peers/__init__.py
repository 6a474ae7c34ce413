"""Simulators that run the same networks: one module each, loaded only in a process of its own.

A module has ``version()`` and ``NETWORKS``: for each network that it can run a function ``(parameters, setup) -> Run``
that builds and compiles it. Parameters are those of the case, in mV and ms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

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
        What must agree between simulators: rates in Hz by population.
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
    threaded : bool
        Whether it runs on several threads.
    environment : mapping
        Of its process.
    """

    name: str
    title: str
    package: str
    networks: tuple[str, ...]
    threaded: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)


SPIKING = ("cuba", "cobahh", "brunel")
PEERS = (
    Peer("ours", "neuromorph", "neuromorph", SPIKING),
    Peer("brian2_standalone", "Brian 2 C++ standalone", "brian2", SPIKING),
    Peer("brian2_cython", "Brian 2 Cython", "brian2", SPIKING, threaded=False),
    Peer("nest_simulator", "NEST", "nest", SPIKING),
    Peer("annarchy", "ANNarchy", "ANNarchy", SPIKING),
)
