"""Our CPU engine."""

from __future__ import annotations

import time

import neuromorph
from neuromorph import CPU, Network, ms, mV, second
from neuromorph.models import balanced

from . import Built, Measured, Parameters, Setup


def version() -> str:
    """Of the package."""
    return neuromorph.__version__


def compiled(network: Network, setup: Setup) -> Built:
    """Compile a spiking network; its results are rates."""
    program = CPU(threads=setup.threads or None).compile(network, dt=0.1 * ms, progress=False)

    def run(seconds: float) -> Measured:
        began = time.perf_counter()
        trace = program.run(seconds * second, progress=False)
        wall = time.perf_counter() - began
        return Measured(wall, {p.name: trace.count(p.name) / p.size / seconds for p in network.populations})

    return Built(run)


def cuba(parameters: Parameters, setup: Setup) -> Built:
    """See :func:`neuromorph.models.balanced.cuba`."""
    return compiled(balanced.cuba(int(parameters["n"]), probability=parameters["probability"], seed=setup.seed), setup)


def cobahh(parameters: Parameters, setup: Setup) -> Built:
    """See :func:`neuromorph.models.balanced.cobahh`."""
    return compiled(
        balanced.cobahh(int(parameters["n"]), probability=parameters["probability"], seed=setup.seed), setup
    )


def brunel_network(parameters: Parameters, seed: int) -> Network:
    """See :func:`neuromorph.models.balanced.brunel_driven`."""
    return balanced.brunel_driven(
        int(parameters["n"]),
        int(parameters["in_degree"]),
        g=parameters["g"],
        eta=parameters["eta"],
        weight=parameters["weight"] * mV,
        delay=parameters["delay"] * ms,
        v_reset=parameters["v_reset"] * mV,
        seed=seed,
    )


def brunel(parameters: Parameters, setup: Setup) -> Built:
    """Brunel's network with its drive in the neurons."""
    return compiled(brunel_network(parameters, setup.seed), setup)


NETWORKS = {"cuba": cuba, "cobahh": cobahh, "brunel": brunel}
