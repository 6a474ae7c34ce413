"""Programming of crossbar chips: how long it takes, and what the devices make of their states over a year.

    python benchmarks/crossbar_program.py [--arrays N] [--out FOLDER]

A network of one dense projection is planned onto arrays of 1,024 x 1,024 cells and programmed with more and more
effects; CPU seconds, the best of three turns. Where AIHWKIT is installed (its model of phase change memory needs no
compiled part), pairs of cells for 1,024 x 1,024 weights are programmed and drifted by both, in turn. Then every device
that drifts holds some states of its range: mean and standard deviation of their error. Writes ``crossbar_program.json``
and ``crossbar_program.md`` into the folder.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from engine_report import machine as computer
from engine_report import markdown

from neuromorph import Dense, EventSource, Network, mV
from neuromorph.lowering import lower
from neuromorph.mapping.crossbar.cells.chip import program_chip
from neuromorph.mapping.crossbar.machine.devices import PRESETS, load_device
from neuromorph.mapping.crossbar.machine.effects import Effects, Verify
from neuromorph.mapping.crossbar.machine.machine import CrossbarMachine, load_machine
from neuromorph.mapping.crossbar.plan.plan import Plan
from neuromorph.mapping.crossbar.plan.planner import plan_network
from neuromorph.models import LIFDelta

SIDE, TURNS = 1024, 3
DAY = 86400.0
TIMES = {"programmed": 0.0, "1 s": 1.0, "1 hour": 3600.0, "1 day": DAY, "30 days": 30 * DAY, "1 year": 365 * DAY}
STATES = (0.1, 0.5, 1.0)
WRITTEN = Effects(quantise=True, programming=True)
AGED = WRITTEN.with_(read_noise=True, drift=True, time=365 * DAY)
STEPS: Mapping[str, Effects] = {
    "levels alone": Effects(quantise=True),
    "programming error": WRITTEN,
    "programming error, write-and-verify of up to 10 rounds": WRITTEN.with_(verify=Verify(0.5, 10)),
    "programming error, read noise, drift of a year": AGED,
}


def machine_of(device: str, cells: int = SIDE, **changes: Any) -> CrossbarMachine:
    """Square arrays of cells of 128 levels, pairs for weights, as many as are needed."""
    given = {"weight_bits": 8, "cell_bits": None, "cell_levels": 128, "encoding": "differential", "g_min": 0.0}
    return load_machine(
        "nor_flash", rows=cells, columns=cells, device=device, tiles=4096, mesh=(64, 64), **given | changes
    )


def plan_of(weights: Any, machine: CrossbarMachine) -> Plan:
    """A network of one dense projection, planned."""
    net = Network()
    pre = net.population(EventSource(len(weights)), name="pre")
    post = net.population(LIFDelta(), weights.shape[1], name="post")
    net.project(pre, post.v_in, Dense(weights * mV))
    return plan_network(lower(net, 1e-3), machine)


def least(*jobs: Callable[[], Any]) -> list[float]:
    """Fewest CPU seconds of each job, which take turns."""
    best = [float("inf")] * len(jobs)
    for _ in range(TURNS):
        for k, job in enumerate(jobs):
            began = process_time()
            job()
            best[k] = min(best[k], process_time() - began)
    return best


def programming(arrays: int) -> dict[str, float]:
    """CPU seconds of programming so many full arrays."""
    weights = np.random.default_rng(1).normal(size=(arrays * SIDE, SIDE // 2)).astype(np.float32)
    plan = plan_of(weights, machine_of("pcm_aihwkit"))
    small = plan_of(weights[:64, :64], plan.machine)
    for effects in STEPS.values():
        program_chip(small, effects)  # compiles
    times = least(*(lambda effects=effects: program_chip(plan, effects) for effects in STEPS.values()))
    return dict(zip(STEPS, times, strict=True))


def beside_aihwkit() -> dict[str, float] | None:
    """CPU seconds for pairs of cells of one matrix, errors of programming, drift and 1/f noise of a year included."""
    if importlib.util.find_spec("aihwkit") is None:
        return None
    import torch
    from aihwkit.inference.noise.pcm import PCMLikeNoiseModel

    torch.set_num_threads(1)
    weights = np.random.default_rng(1).normal(size=(SIDE, SIDE)).astype(np.float32)
    model, given = PCMLikeNoiseModel(g_max=25.0), torch.from_numpy(weights)

    def theirs() -> None:
        targets, _ = model.g_converter.convert_to_conductances(given)
        for target in targets:
            written = model.apply_programming_noise_to_conductance(target)
            nu = model.generate_drift_coefficients(target)
            model.apply_drift_noise_to_conductance(written, nu, AGED.time)

    plan = plan_of(weights, machine_of("pcm_aihwkit", 2 * SIDE))
    program_chip(plan, AGED)
    theirs()
    return dict(zip(("neuromorph", "AIHWKIT"), least(lambda: program_chip(plan, AGED), theirs), strict=True))


def states(device: str) -> dict[str, list[tuple[float, float]]]:
    """Mean and standard deviation of the error of each state at each time, per cent of full scale."""
    row = np.repeat(STATES, 128)
    plan = plan_of(np.tile(row, (384, 1)).astype(np.float32), machine_of(device))
    chip = program_chip(plan, WRITTEN.with_(drift=True))
    targets, top = chip.targets(0), float(chip.top[0])
    levels = np.unique(targets[targets > 0.0])
    found = {}
    for name, time in TIMES.items():
        error = (chip.at(time).held[0] - targets) / top * 100.0
        cells = [error[targets == level] for level in levels]
        found[name] = [(float(e.mean()), float(e.std())) for e in cells]
    return found


def page(result: dict[str, Any]) -> str:
    """What was found, as Markdown."""
    where, arrays = result["machine"], result["arrays"]
    cells = arrays * SIDE * SIDE
    times = [
        [name, f"{seconds:.2f} s", f"{seconds / cells * 1e9:.1f} ns"] for name, seconds in result["programming"].items()
    ]
    parts = [
        "# Programming of crossbar chips",
        f"{where['processor']}, {where['date']}; CPU time of all threads together; phase change memory, `pcm_aihwkit`.",
        markdown([f"{arrays} arrays of {SIDE:,} x {SIDE:,} cells", "CPU time", "a cell"], times),
    ]
    if result["aihwkit"]:
        ours, theirs = result["aihwkit"]["neuromorph"], result["aihwkit"]["AIHWKIT"]
        parts.append(
            f"Pairs of cells for {SIDE:,} x {SIDE:,} weights, errors of programming, drift and 1/f noise of a year: "
            f"{ours * 1e3:.0f} ms, AIHWKIT on one thread {theirs * 1e3:.0f} ms."
        )
    parts.append(
        "Error of states at shares of full scale: mean and standard deviation, per cent of it. Bracketed: later "
        "than was measured, extrapolated as the device's law says."
    )
    head = ["device", "state", *TIMES]
    rows = []
    for name, found in result["states"].items():
        until = load_device(name).known_until
        for k, share in enumerate(STATES):
            told = [f"{found[time][k][0]:+.2f}, {found[time][k][1]:.2f}" for time in TIMES]
            told = [f"({text})" if TIMES[time] > until else text for text, time in zip(told, TIMES, strict=True)]
            rows.append([f"`{name}`", f"{share:.0%}", *told])
    return "\n\n".join([*parts, markdown(head, rows)]) + "\n"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arrays", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks"))
    given = parser.parse_args()
    result = {
        "machine": computer(),
        "arrays": given.arrays,
        "programming": programming(given.arrays),
        "aihwkit": beside_aihwkit(),
        "states": {name: states(name) for name in PRESETS if load_device(name).drift is not None},
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "crossbar_program.json").write_text(json.dumps(result, indent=1) + "\n")
    (given.out / "crossbar_program.md").write_text(page(result))
    print(page(result))


if __name__ == "__main__":
    main()
