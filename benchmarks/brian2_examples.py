"""Brian 2's own examples in Brian 2 and here, side by side: spikes, states, rates over seeds, time.

    python benchmarks/brian2_examples.py [NAME ...] [--codegen numpy|cython] [--out FOLDER]

The networks are those of ``examples/brian2``. Each runs from the same initial values and connections in Brian 2 and,
taken in by ``from_brian2``, on the CPU in float64, for several seeds in turn; where there are state monitors, on the
device ``neuromorph``, too. Then it runs in float32 on the CPU and on simulated SpiNNaker2. Where numbers are drawn at
random while a network runs, rates over seeds are compared, else every spike. Results of named examples take the place
of those in FOLDER, ``brian2_examples.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import brian2 as b2
import numpy as np
from brian2_examples_report import Measured, Row, merged, page, read
from engine_report import machine
from readme_blocks import RESULTS, ROOT

from neuromorph import CPU, CheckError, NeuromorphError, first_difference, from_brian2, ms
from neuromorph.engine import Target
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.network import Network
from neuromorph.trace import Trace

sys.path.insert(0, str(ROOT / "examples" / "brian2"))
from side_by_side import Observed, in_order, irregularity, observe, seen, spikes_apart, states_apart


@dataclass(frozen=True)
class Example:
    """How an example runs here.

    Attributes
    ----------
    duration : float
        In ms; for random networks of each seed.
    sizes : mapping of str to number
        Arguments of its ``network`` other than Brian 2's own.
    seeds : int
        How often it runs, each time from a draw of its own; those of networks that draw nothing are equal.
    chips : float
        How long it runs on SpiNNaker2, in ms.
    """

    duration: float
    sizes: Mapping[str, float] = field(default_factory=dict)
    seeds: int = 2
    chips: float = 100.0


EXAMPLES = {
    "cuba": Example(500),
    "cobahh": Example(50, chips=10),
    "if_curve_lif": Example(1000, seeds=1),
    "if_curve_hodgkin_huxley": Example(200, seeds=1),
    "phase_locking": Example(500),
    "adex_patterns": Example(600, seeds=1),
    "hindmarsh_rose": Example(2100, seeds=1),
    "morris_lecar": Example(220, seeds=1, chips=20),
    "wang_buzsaki": Example(100, seeds=1, chips=20),
    "gap_junctions": Example(500, seeds=1),
    "coupled_oscillators": Example(1000, {"oscillators": 50}),
    "decaying_synapses": Example(20, seeds=3),
    "short_term_plasticity": Example(1200, seeds=1),
    "nmda": Example(500, seeds=1),
    "inhibitory_plasticity": Example(200, {"neurons": 2000, "density": 0.1}),
    "adaptive_threshold": Example(300, seeds=5),
    "non_reliability": Example(200, {"neurons": 100}, seeds=5),
    "oscillations": Example(50, seeds=5),
    "brunel": Example(100, {"excitatory": 2000, "inputs": 200, "weight": 0.5}, seeds=5),
    "synfire": Example(100, seeds=5),
    "izhikevich": Example(300, seeds=5),
    "stdp": Example(1000, seeds=5),
}


def in_brian2(build: Callable[[], b2.Network], duration: float, seed: int) -> tuple[Observed, float]:
    """What Brian 2 finds, and the processor time of its loop, without making code."""
    marks: list[float] = []
    b2.seed(seed)
    network = build()
    network.run(duration * b2.ms, report=lambda *state: marks.append(time.process_time()), namespace={})
    return seen(network), marks[-1] - marks[0]


def taken(build: Callable[[], b2.Network], seed: int) -> tuple[Network, b2.Network]:
    """The network as from_brian2 takes it, and in Brian 2, not run."""
    b2.seed(seed)
    described = build()
    return from_brian2(described, namespace={}, seed=seed), described


def here(
    target: Target, network: Network, described: b2.Network, duration: float
) -> tuple[Trace, Mapping[str, Any], float]:
    """A run on a target: its trace, its spikes under the names of monitors, and the processor time of the run alone."""
    dt = min(float(thing.clock.dt) for thing in described.objects if hasattr(thing, "clock")) * 1e3 * ms
    program = target.compile(network, dt, progress=False)
    before = time.process_time()
    trace = program.run(duration * ms, progress=False)
    seconds = time.process_time() - before
    spikes = {}
    for monitor in described.objects:
        if isinstance(monitor, b2.SpikeMonitor):
            events = trace.events(monitor.source.name)
            spikes[monitor.name] = in_order(np.stack([events.steps, events.ids], axis=1))
    return trace, spikes, seconds


def compare(name: str, example: Example) -> Row:
    """Run an example everywhere."""
    module = import_module(name)
    random = bool(getattr(module, "random", False))

    def build() -> b2.Network:
        made: b2.Network = module.network(**example.sizes)
        return made

    b2.seed(1)
    about = Row(name, _published(module), random, *_sizes(build()), example.duration, example.seeds, example.chips)
    try:
        measured = [_seed(build, example.duration, seed + 1) for seed in range(example.seeds)]
    except CheckError as error:
        return about.but(refused="; ".join(error.problems))
    about = about.but(measured=tuple(measured))
    first = taken(build, 1)
    short = min(example.chips, example.duration)
    try:
        runs = [here(target, *first, short)[0] for target in (SpiNNaker2(), CPU(threads=1))]
    except NeuromorphError as error:
        return about.but(chips_refused=" ".join(str(error).split()))
    return about.but(
        chips_events=sum(runs[0].count(each) for each in runs[0].recorded_events),
        chips_difference=str(first_difference(*runs) or ""),
    )


def _seed(build: Callable[[], b2.Network], duration: float, seed: int) -> Measured:
    network = taken(build, seed)
    theirs, brian2_seconds = in_brian2(build, duration, seed)
    _, imported, own_seconds = here(CPU(dtype="float64", threads=1), *network, duration)
    device = Observed({}, {})
    if theirs.states:
        device = observe(build, duration * b2.ms, seed, "neuromorph", dtype="float64", threads=1)
    return Measured(
        spikes={key: len(value) for key, value in theirs.spikes.items()},
        irregularity={key: irregularity(value) for key, value in theirs.spikes.items()},
        own_spikes={key: len(value) for key, value in imported.items()},
        own_irregularity={key: irregularity(value) for key, value in imported.items()},
        apart={key: spikes_apart(value, imported[key]) for key, value in theirs.spikes.items()},
        device_apart={key: spikes_apart(theirs.spikes[key], value) for key, value in device.spikes.items()},
        states_apart={key: states_apart(value, device.states[key]) for key, value in theirs.states.items()},
        brian2_seconds=brian2_seconds,
        own_seconds=own_seconds,
    )


def _sizes(network: b2.Network) -> tuple[int, int]:
    neurons = sum(len(each) for each in network.objects if isinstance(each, b2.NeuronGroup))
    return neurons, sum(len(each) for each in network.objects if isinstance(each, b2.Synapses))


def _published(module: ModuleType) -> str:
    """What Brian 2 calls the example."""
    text = (module.__doc__ or "").split("Brian 2's example ", 1)[1]
    return text.split()[0].rstrip(".,:;")


def main() -> None:
    """Run what is asked for and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *EXAMPLES], metavar="NAME", help="default: all of them")
    parser.add_argument("--codegen", choices=("numpy", "cython"), default="numpy", help="what Brian 2 runs as")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    b2.prefs.codegen.target = options.codegen
    b2.BrianLogger.suppress_hierarchy("brian2")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "brian2_examples.json"
    for name in options.names or EXAMPLES:
        row = compare(name, EXAMPLES[name])
        about = {**machine(), "codegen": options.codegen, "brian2": b2.__version__}
        result = merged(read(path) if path.exists() else None, about, row, list(EXAMPLES))
        path.write_text(json.dumps(asdict(result), indent=1) + "\n")
        path.with_suffix(".md").write_text(page(result))
        print(row.line)


if __name__ == "__main__":
    main()
