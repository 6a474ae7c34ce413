"""What the examples beside this file do when they are run: a network in Brian 2 and here, side by side."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
import numpy.typing as npt

import neuromorph.brian2  # noqa: F401 - makes set_device("neuromorph") known
from neuromorph import CPU, CheckError, first_difference, from_brian2, ms
from neuromorph.mapping.spinnaker2 import SpiNNaker2

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Observed:
    """What the monitors of a run saw, by their names.

    Attributes
    ----------
    spikes : mapping of str to int array (n, 2)
        Step and neuron of each spike, in this order.
    states : mapping of str to float array (rows, n)
        In SI units; named ``monitor.variable``.
    """

    spikes: Mapping[str, Array]
    states: Mapping[str, Array]


def observe(
    build: Callable[[], b2.Network], duration: Any, seed: int, device: str = "runtime", **options: Any
) -> Observed:
    """Build a network and run it on a device of Brian 2; what it starts from depends on the seed alone."""
    b2.set_device(device, **options)
    try:
        b2.seed(seed)
        network = build()
        network.run(duration, namespace={})
        return seen(network)
    finally:
        b2.set_device("runtime")


def seen(network: b2.Network) -> Observed:
    """What the monitors of a network hold."""
    spikes, states = {}, {}
    for thing in network.objects:
        if isinstance(thing, b2.SpikeMonitor):
            steps = np.rint(np.asarray(thing.t_) / float(thing.clock.dt)).astype(int)
            pairs = np.stack([steps, np.asarray(thing.i[:], int)], axis=1)
            spikes[thing.name] = in_order(pairs)
        elif isinstance(thing, b2.StateMonitor):
            for variable in thing.record_variables:
                states[f"{thing.name}.{variable}"] = np.asarray(getattr(thing, f"{variable}_")).T
    return Observed(spikes, states)


def in_order(pairs: Array) -> Array:
    """Spikes (n, 2) by step, then by neuron."""
    return pairs[np.lexsort(pairs.T[::-1])]


def spikes_apart(a: Array, b: Array) -> int:
    """How many spikes are in one of two runs only."""
    return len({tuple(pair) for pair in a.tolist()} ^ {tuple(pair) for pair in b.tolist()})


def states_apart(a: Array, b: Array) -> float:
    """Largest difference of two recordings, as a part of the range of the first."""
    return float(np.max(np.abs(a - b), initial=0.0) / max(np.ptp(a), np.finfo(float).tiny)) if a.size else 0.0


def rate(spikes: Array, neurons: int, seconds: float) -> float:
    """Mean rate in Hz."""
    return len(spikes) / neurons / seconds


def irregularity(spikes: Array) -> float:
    """Mean coefficient of variation of the intervals of the neurons that fired at least three times."""
    order = np.lexsort((spikes[:, 0], spikes[:, 1]))
    steps, neurons = spikes[order].T
    found = [
        np.std(intervals) / np.mean(intervals)
        for train in np.split(steps, np.flatnonzero(np.diff(neurons)) + 1)
        if len(intervals := np.diff(train)) > 1
    ]
    return float(np.mean(found)) if found else float("nan")


def main(build: Callable[[], b2.Network], duration: Any, *, random: bool = False) -> None:
    """Run a network three times, in Brian 2, here, and on simulated chips, and print how far they agree.

    Parameters
    ----------
    build : function
        Makes the network.
    duration : brian2 quantity
        Unless ``--duration`` says otherwise.
    random : bool
        Whether the network draws random numbers while it runs. Those are not Brian 2's, so then rates are compared,
        not spikes.
    """
    parser = argparse.ArgumentParser(description=Path(sys.argv[0]).stem.replace("_", " "))
    parser.add_argument("--duration", type=float, default=float(duration) * 1e3, help="in ms (default: %(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="of initial values, connections and noise")
    options = parser.parse_args()
    length = options.duration * b2.ms
    b2.prefs.codegen.target = "numpy"  # starts at once; Brian 2's own compiled code would be a minute of compiling
    theirs = observe(build, length, options.seed)
    ours = observe(build, length, options.seed, "neuromorph", dtype="float64")
    for name, expected in theirs.spikes.items():
        found = ours.spikes[name]
        if random:
            both = [f"{len(spikes):,} (CV of intervals {irregularity(spikes):.2f})" for spikes in (expected, found)]
            print(f"{name}: {both[0]} in Brian 2, {both[1]} here".replace(" (CV of intervals nan)", ""))
        else:
            print(f"{name}: Brian 2 has {len(expected):,} spikes; not the same here: {spikes_apart(expected, found)}")
    for name, values in theirs.states.items():
        if not random:
            print(f"{name}: largest difference {states_apart(values, ours.states[name]):.1e} of the range")

    b2.BrianLogger.suppress_hierarchy("brian2.core.base")  # it would warn of objects that it never ran
    b2.seed(options.seed)
    network = from_brian2(described := build(), namespace={})
    dt = min(float(thing.clock.dt) for thing in described.objects if hasattr(thing, "clock")) * 1e3 * ms
    try:
        programs = [target.compile(network, dt, progress=False) for target in (CPU(), SpiNNaker2())]
    except CheckError as error:
        print("not on SpiNNaker2:", *error.problems, sep="\n  ")
        return
    on_cpu, on_chips = [program.run(options.duration * ms, progress=False) for program in programs]
    print("first difference between the CPU and SpiNNaker2, in float32:", first_difference(on_cpu, on_chips) or "none")
