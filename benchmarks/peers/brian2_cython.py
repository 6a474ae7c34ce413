"""Brian 2, its Cython mode, float32."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import brian2 as b
import numpy as np

from . import Build, Built, Measured, Parameters, Setup, weight_results
from .brian2_networks import NETWORKS as DESCRIPTIONS
from .brian2_networks import Description


def version() -> str:
    """Of Brian 2."""
    return str(b.__version__)


def build(describe: Callable[[Parameters], Description], parameters: Parameters, setup: Setup) -> Built:
    """Build a network and run a step of it, which compiles it."""
    b.prefs.core.default_float_dtype = np.float32
    b.prefs.codegen.target = "cython"
    b.prefs.codegen.runtime.cython.cache_dir = str(setup.folder.parent / "cython")  # cases share some of their code
    b.defaultclock.dt = 0.1 * b.ms
    b.seed(setup.seed)
    description = describe(parameters)
    sizes = description.sizes
    network = b.Network(*description.objects)
    monitors = {name: network[name] for name in sizes}
    network.run(0.1 * b.ms, namespace={})

    def run(seconds: float) -> Measured:
        before = {name: monitors[name].num_spikes for name in sizes}
        began = time.perf_counter()
        network.run(seconds * b.second, namespace={})
        wall = time.perf_counter() - began
        found = {name: (monitors[name].num_spikes - before[name]) / size / seconds for name, size in sizes.items()}
        if description.plastic:
            found |= weight_results(1e3 * network["plastic"].w_[:])
        return Measured(wall, found)

    return Built(run)


NETWORKS: dict[str, Build] = {name: partial(build, describe) for name, describe in DESCRIPTIONS.items()}
