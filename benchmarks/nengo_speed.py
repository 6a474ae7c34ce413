"""Nengo's own simulator beside ours: ``neuromorph.nengo.Simulator``, and ``from_nengo`` on the CPU engine.

python benchmarks/nengo_speed.py --out benchmarks/results [--cases channel lorenz] [--turns 5] [--steps 1000]

Everything runs in one process on one thread, in float64, and in turns: A B C, A B C. A turn is so many steps; what
counts is the smallest process time of all turns. Building and compiling are told apart. Spikes are counted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy loads its libraries

import nengo
import numpy as np

from neuromorph import CPU, from_nengo, second
from neuromorph.nengo import Simulator

DT = 0.001


def sine(t: float) -> float:
    """A slow input."""
    return float(np.sin(2 * np.pi * t))


def channel(neurons: int) -> Callable[[], Any]:
    """Two ensembles, the second of which decodes the first."""

    def build() -> Any:
        with nengo.Network(seed=1) as model:
            drive = nengo.Node(sine)
            a, b = nengo.Ensemble(neurons, 1, label="a"), nengo.Ensemble(neurons, 1, label="b")
            nengo.Connection(drive, a)
            nengo.Connection(a, b)
            nengo.Probe(b, synapse=0.01)
        return model

    return build


def oscillator() -> Any:
    """400 neurons that send to themselves."""
    with nengo.Network(seed=3) as model:
        kick = nengo.Node(nengo.processes.Piecewise({0: [1, 0], 0.1: [0, 0]}))
        a = nengo.Ensemble(400, 2, label="a")
        nengo.Connection(kick, a)
        nengo.Connection(a, a, transform=[[1, -1], [1, 1]], synapse=0.1)
        nengo.Probe(a, synapse=0.01)
    return model


def lorenz() -> Any:
    """2,000 neurons that send to themselves."""

    def feedback(x: Any) -> list[Any]:
        moved = 10 * (x[1] - x[0]), -x[0] * x[2] - x[1], x[0] * x[1] - 8 / 3 * (x[2] + 28) - 28
        return [0.1 * d + y for d, y in zip(moved, x, strict=True)]

    with nengo.Network(seed=4) as model:
        a = nengo.Ensemble(2000, 3, radius=60, label="a")
        nengo.Connection(a, a, function=feedback, synapse=0.1)
        nengo.Probe(a, synapse=0.01)
    return model


def chain() -> Any:
    """100 small ensembles, each of which holds what it hears and passes it on."""
    with nengo.Network(seed=2) as model:
        cells = [nengo.Ensemble(50, 1, label=f"cells {k}") for k in range(100)]
        nengo.Connection(nengo.Node(sine), cells[0])
        for before, behind in pairwise(cells):
            nengo.Connection(before, behind)
        for each in cells:
            nengo.Connection(each, each, transform=0.5, synapse=0.1)
        nengo.Probe(cells[-1], synapse=0.01)
    return model


def learner() -> Any:
    """Three ensembles of 200, one connection learned by PES."""
    with nengo.Network(seed=7) as model:
        drive = nengo.Node(sine)
        a, b, wrong = (nengo.Ensemble(200, 1, label=label) for label in ("a", "b", "wrong"))
        nengo.Connection(drive, a)
        learned = nengo.Connection(a, b, function=lambda x: 0.0, learning_rule_type=nengo.PES(3e-4))
        nengo.Connection(b, wrong)
        nengo.Connection(drive, wrong, transform=-1)
        nengo.Connection(wrong, learned.learning_rule)
        nengo.Probe(b, synapse=0.01)
    return model


def images() -> Any:
    """Two convolutions of spikes, 784 to 5,408 to 2,304 neurons."""
    shown = np.random.RandomState(5).uniform(0, 1, (4, 784))
    with nengo.Network(seed=5) as model:
        drive = nengo.Node(nengo.processes.PresentInput(shown, 0.1))
        first = nengo.Convolution(8, (28, 28, 1), init=nengo.dists.Uniform(-0.3, 0.3))
        then = nengo.Convolution(16, (26, 26, 8), strides=(2, 2), init=nengo.dists.Uniform(-0.002, 0.002))
        a = nengo.Ensemble(first.size_out, 1, gain=np.ones(first.size_out), bias=np.ones(first.size_out), label="a")
        b = nengo.Ensemble(then.size_out, 1, gain=np.ones(then.size_out), bias=np.ones(then.size_out), label="b")
        nengo.Connection(drive, a.neurons, transform=first, synapse=None)
        nengo.Connection(a.neurons, b.neurons, transform=then, synapse=0.005)
        nengo.Probe(b.neurons, synapse=0.01)
    return model


def product() -> Any:
    """A circular convolution of 16 dimensions: 36 ensembles behind passthrough nodes."""
    with nengo.Network(seed=6) as model:
        product = nengo.networks.CircularConvolution(50, 16)
        for end in (product.input_a, product.input_b):
            nengo.Connection(nengo.Node(np.linspace(-0.4, 0.4, 16)), end, synapse=None)
        nengo.Probe(product.output, synapse=0.01)
    return model


CASES: Mapping[str, tuple[Callable[[], Any], str]] = {
    "channel": (channel(100), "2 x 100 neurons, one decoded connection"),
    "wide channel": (channel(2000), "2 x 2,000 neurons, one decoded connection"),
    "oscillator": (oscillator, "400 neurons, recurrent"),
    "lorenz": (lorenz, "2,000 neurons, recurrent, three dimensions"),
    "chain": (chain, "100 x 50 neurons, 199 decoded connections"),
    "learner": (learner, "3 x 200 neurons, a connection learned by PES"),
    "images": (images, "7,712 neurons, two convolutions"),
    "product": (product, "circular convolution of 16 dimensions, 36 ensembles"),
}
NENGO, SIMULATOR, DENSE, RELAYS = "Nengo", "neuromorph.nengo.Simulator", "from_nengo", "from_nengo, relays"


class Contestant:
    """One simulator with one model."""

    def __init__(self, name: str, model: Any, steps: int) -> None:
        began = time.process_time()
        self.name, self._steps = name, steps
        if name in (NENGO, SIMULATOR):
            options = {} if name == NENGO else {"target": CPU(dtype="float64", threads=1)}
            kind = nengo.Simulator if name == NENGO else Simulator
            self._simulator: Any = kind(model, DT, progress_bar=False, **options)
        else:
            network = from_nengo(model, DT, duration=steps * DT, relays=name == RELAYS)
            self._simulator = None
            target = CPU(dtype="float64", threads=1)
            self._program = target.compile(network, DT * second, progress=False)
        self.turn(10)
        self.building = time.process_time() - began

    def turn(self, steps: int) -> float:
        """Process time of a number of steps from the start."""
        restart = self._simulator or self._program
        restart.reset()
        began = time.process_time()
        if self._simulator is None:
            self._trace = self._program.run(steps, progress=False)
        else:
            self._simulator.run_steps(steps, progress_bar=False)
        return time.process_time() - began

    def spikes(self) -> int:
        """Spikes of all ensembles in the last turn, which was none of Nengo's."""
        return sum(self._trace.count(name) for name in self._trace.recorded_events)


def spikes_of_nengo(model: Any, steps: int) -> int:
    """The same, from Nengo with more probes."""
    with model:
        probes = [nengo.Probe(cells.neurons) for cells in model.all_ensembles]
    with nengo.Simulator(model, DT, progress_bar=False) as simulator:
        simulator.run_steps(steps)
    return sum(int(np.count_nonzero(simulator.data[probe])) for probe in probes)


def measure(name: str, turns: int, steps: int) -> dict[str, Any]:
    """All contestants on one case, in turns."""
    build, about = CASES[name]
    model = build()
    contestants = [Contestant(each, model, steps) for each in (NENGO, SIMULATOR, DENSE, RELAYS)]
    times: dict[str, list[float]] = {c.name: [] for c in contestants}
    for _ in range(turns):
        for contestant in contestants:
            times[contestant.name].append(contestant.turn(steps))
    return {
        "case": name,
        "about": about,
        "measured": f"{turns} turns of {steps} steps, {platform.machine()}, {os.cpu_count()} cores",
        "neurons": sum(cells.n_neurons for cells in model.all_ensembles),
        "ms_a_step": {n: 1e3 * min(t) / steps for n, t in times.items()},
        "slowest_ms_a_step": {n: 1e3 * max(t) / steps for n, t in times.items()},
        "building_s": {c.name: c.building for c in contestants},
        "spikes": {NENGO: spikes_of_nengo(build(), steps), DENSE: contestants[2].spikes()},
    }


def report(rows: Sequence[Mapping[str, Any]]) -> str:
    """The results as a table."""
    names = [NENGO, SIMULATOR, DENSE, RELAYS]
    lines = [
        "# Nengo's simulator and ours",
        "",
        "`python benchmarks/nengo_speed.py --out benchmarks/results`: process time of a step, smallest of all turns, "
        "float64, one thread; in brackets seconds of building and compiling. Times as fast: the `Simulator`, and the "
        "fastest of ours. Spikes of from_nengo without relays are compared with Nengo's.",
        "",
        f"| model | neurons | {' | '.join(names)} | times as fast | spikes | measured |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        times = [f"{row['ms_a_step'][n]:.3f} ms ({row['building_s'][n]:.1f})" for n in names]
        ours = min(row["ms_a_step"][n] for n in names[1:])
        theirs, found = row["spikes"][NENGO], row["spikes"][DENSE]
        spikes = f"{theirs:,}, equal" if theirs == found else f"{theirs:,}, here {found:,}"
        faster = f"{row['ms_a_step'][NENGO] / row['ms_a_step'][SIMULATOR]:.1f} to {row['ms_a_step'][NENGO] / ours:.1f}"
        lines.append(
            f"| {row['about']} | {row['neurons']:,} | {' | '.join(times)} | {faster} | {spikes} | {row['measured']} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    stored = options.out / "nengo_speed.json" if options.out else None
    rows = {row["case"]: row for row in (json.loads(stored.read_text()) if stored and stored.exists() else [])}
    for name in options.cases:
        rows[name] = measure(name, options.turns, options.steps)
        ordered = [rows[case] for case in CASES if case in rows]
        if stored:
            stored.parent.mkdir(parents=True, exist_ok=True)
            stored.write_text(json.dumps(ordered, indent=1) + "\n")
            stored.with_suffix(".md").write_text(report(ordered))
    print(report([rows[name] for name in options.cases]))


if __name__ == "__main__":
    main()
