"""Brian 2, C++ standalone mode, float32, its own compiler flags, with OpenMP from two threads on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import partial

import brian2 as b
import numpy as np

from . import Build, Built, Measured, Parameters, Setup
from .brian2_networks import NETWORKS as DESCRIPTIONS
from .brian2_networks import Description

# The binary runs on whenever it is told to for how long, and answers with wall seconds and all spikes so far.
LOOP = """
double seconds;
while (std::cin >> seconds) {{
    const auto began = std::chrono::steady_clock::now();
    {network}.run(seconds, NULL, 10.0);
    std::cout << std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    {results}
    std::cout << std::endl;
}}
"""


WEIGHTS = """
double sum = 0, squares = 0;
for (auto w : _dynamic_array_plastic_w) { sum += 1e3 * w; squares += 1e6 * w * w; }
const double mean = sum / _dynamic_array_plastic_w.size();
std::cout << ' ' << mean << ' ' << std::sqrt(squares / _dynamic_array_plastic_w.size() - mean * mean);
"""


def version() -> str:
    """Of Brian 2."""
    return str(b.__version__)


def build(describe: Callable[[Parameters], Description], parameters: Parameters, setup: Setup) -> Built:
    """Generate and compile a network, and start its process."""
    b.prefs.core.default_float_dtype = np.float32
    b.prefs.devices.cpp_standalone.openmp_threads = setup.threads if setup.threads > 1 else 0
    b.prefs.codegen.cpp.headers += ["<chrono>", "<cmath>", "<iostream>"]
    folder = str(setup.folder)
    b.set_device("cpp_standalone", directory=folder, build_on_run=False)
    b.defaultclock.dt = 0.1 * b.ms
    b.seed(setup.seed)
    description = describe(parameters)
    network = b.Network(*description.objects, name="net")
    results = "".join(f"std::cout << ' ' << _array_{name}_N[0];" for name in description.sizes)
    results += WEIGHTS if description.plastic else ""
    b.device.insert_code("before_network_run", LOOP.format(network=network.name, results=results))
    network.run(0 * b.ms)
    b.device.build(directory=folder, run=False, clean=False)
    process = subprocess.Popen(["./main"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    to, back = process.stdin, process.stdout
    before = dict.fromkeys(description.sizes, 0)

    def run(seconds: float) -> Measured:
        print(seconds, file=to, flush=True)
        wall, *found = map(float, back.readline().split())
        measured = {}
        for (name, size), total in zip(description.sizes.items(), found, strict=False):
            measured[name] = (total - before[name]) / size / seconds
            before[name] = int(total)
        if description.plastic:
            measured["weight"], measured["deviation"] = found[-2:]
        return Measured(wall, measured)

    run(0.0001)  # also waits until the network is built
    return Built(run, process.pid)


NETWORKS: dict[str, Build] = {name: partial(build, describe) for name, describe in DESCRIPTIONS.items()}
