"""The CPU engine on the Vogels-Abbott CUBA network, against Brian 2's C++ stand-alone mode, in alternation.

    python benchmarks/engine_cuba.py [--seconds 1] [--repeats 7] [--dtype float32] [--threads 1] [--no-brian]
                                     [--network cuba|coba|brunel]

4,000 neurons, about 320,000 exponential synapses, dt 0.1 ms. Both simulators record all spikes. A repetition is one run
of each, so that whatever else the machine does falls on both. Brian 2 states the processor time of its run, so the same
is compared; our wall time stands beside it. Medians and ranges, in seconds for a biological second, without building
and compiling, which are printed apart. Only cuba has a Brian 2 counterpart here; the others print our own times.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median

from neuromorph import CPU, ms, second
from neuromorph.engine.cpu import CPUProgram
from neuromorph.models.balanced import brunel, coba, cuba

NETWORKS = {"cuba": cuba, "coba": coba, "brunel": brunel}


def ours(name: str, dtype: str, threads: int | None) -> CPUProgram:
    """Build and compile, printing the time of each stage."""
    began = time.perf_counter()
    network = NETWORKS[name]()
    described = time.perf_counter()
    program = CPU(dtype=dtype, threads=threads).compile(network, dt=0.1 * ms, progress=False)
    report = program.report()
    print(
        f"neuromorph: describe {described - began:.3f} s, build {report.seconds['build']:.3f} s, "
        f"compile or load kernels {report.seconds['compile']:.3f} s; {report.synapses:,} synapses, "
        f"{report.nbytes / 1e6:.1f} MB, {report.threads} thread(s)"
    )
    return program


def run_ours(program: CPUProgram, seconds: float) -> tuple[float, float, int]:
    """Processor and wall seconds of a run from step 0, and its spikes."""
    program.reset()
    began, wall = time.process_time(), time.perf_counter()
    trace = program.run(seconds * second, progress=False)
    used, wall = time.process_time() - began, time.perf_counter() - wall
    return used, wall, sum(len(trace.events(population)) for population in trace.meta.event_populations)


def brian(seconds: float, folder: str) -> Callable[[], tuple[float, int]]:
    """Compile the same network with Brian 2; gives a function that runs the binary: (processor seconds, spikes)."""
    import brian2 as b

    began = time.perf_counter()
    b.set_device("cpp_standalone", directory=folder, build_on_run=False)
    b.defaultclock.dt = 0.1 * b.ms
    equations = """
    dv/dt = (ge + gi - (v + 49*mV)) / (20*ms) : volt (unless refractory)
    dge/dt = -ge / (5*ms) : volt
    dgi/dt = -gi / (10*ms) : volt
    """
    group = b.NeuronGroup(
        4000, equations, threshold="v > -50*mV", reset="v = -60*mV", refractory=5 * b.ms, method="exact"
    )
    group.v = "-60*mV + rand() * 10*mV"
    excitatory = b.Synapses(group[:3200], group, on_pre="ge += 1.62*mV")
    excitatory.connect(p=0.02)
    inhibitory = b.Synapses(group[3200:], group, on_pre="gi -= 9*mV")
    inhibitory.connect(p=0.02)
    monitor = b.SpikeMonitor(group)
    network = b.Network(group, excitatory, inhibitory, monitor)
    network.run(seconds * b.second)
    b.device.build(directory=folder, run=False)
    print(f"Brian 2 {b.__version__} C++ stand-alone: generate and compile {time.perf_counter() - began:.1f} s")

    def run() -> tuple[float, int]:
        b.device.run(directory=folder, with_output=False)
        return float(b.device._last_run_time), int(monitor.num_spikes)

    return run


def show(name: str, times: list[float], seconds: float, rest: str = "") -> None:
    """One line of results."""
    each = [time / seconds for time in times]
    print(f"{name:<20} {median(each):.4f} s/s ({min(each):.4f} to {max(each):.4f}){rest}")


def cold_start() -> None:
    """Time a process that compiles everything, and one that finds it in the cache."""
    script = (
        "import time; t = time.perf_counter()\n"
        "from neuromorph import CPU, ms\nfrom neuromorph.models.balanced import cuba\n"
        "CPU().compile(cuba(), dt=0.1 * ms).run(100, progress=False); print(time.perf_counter() - t)"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NEUROMORPH_CACHE": folder}
        times = [
            float(
                subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True).stdout
            )
            for _ in range(2)
        ]
    print(f"a new process, import to 100 steps: {times[0]:.2f} s with an empty cache, {times[1]:.2f} s with a full one")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=NETWORKS, default="cuba")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--no-brian", action="store_true")
    options = parser.parse_args()
    program = ours(options.network, options.dtype, options.threads)
    cold_start()
    with tempfile.TemporaryDirectory() as folder:
        compare = options.network == "cuba" and not options.no_brian
        peer = brian(options.seconds, folder) if compare else None
        mine: list[float] = []
        walls: list[float] = []
        theirs: list[float] = []
        spikes = [0, 0]
        for _ in range(options.repeats):
            used, wall, spikes[0] = run_ours(program, options.seconds)
            mine.append(used)
            walls.append(wall)
            if peer:
                used, spikes[1] = peer()
                theirs.append(used)
    show("neuromorph", mine, options.seconds, f", {spikes[0]:,} spikes")
    show("neuromorph, wall", walls, options.seconds)
    if theirs:
        show("Brian 2", theirs, options.seconds, f", {spikes[1]:,} spikes")
        ratios = [b / a for a, b in zip(mine, theirs, strict=True)]
        print(f"Brian 2 / neuromorph: {median(ratios):.2f} (pairs {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
