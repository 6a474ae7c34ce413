"""Brian 2, its Cython mode, float32."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import brian2 as b
import numpy as np

from . import Build, Built, Measured, Parameters, Setup
from .brian2_networks import NETWORKS as DESCRIPTIONS
from .brian2_networks import sizes


def version() -> str:
    """Of Brian 2."""
    return str(b.__version__)


def build(describe: Callable[[Parameters], list[Any]], parameters: Parameters, setup: Setup) -> Built:
    """Build a network and run a step of it, which compiles it."""
    b.prefs.core.default_float_dtype = np.float32
    b.prefs.codegen.target = "cython"
    b.prefs.codegen.runtime.cython.cache_dir = str(setup.folder)
    b.defaultclock.dt = 0.1 * b.ms
    b.seed(setup.seed)
    objects = describe(parameters)
    network = b.Network(*objects)
    populations = sizes(int(parameters["n"]))
    monitors = {each.name: each for each in objects if isinstance(each, b.SpikeMonitor)}
    network.run(0.1 * b.ms, namespace={})

    def run(seconds: float) -> Measured:
        before = {name: monitors[name].num_spikes for name in populations}
        began = time.perf_counter()
        network.run(seconds * b.second, namespace={})
        wall = time.perf_counter() - began
        fired = {name: monitors[name].num_spikes - before[name] for name in populations}
        return Measured(wall, {name: fired[name] / size / seconds for name, size in populations.items()})

    return Built(run)


NETWORKS: dict[str, Build] = {name: partial(build, describe) for name, describe in DESCRIPTIONS.items()}
