"""The rules by which snnTorch resets its neurons, against snnTorch itself: the same graph, the same input, every spike.

    python benchmarks/nir_snntorch.py [--out FOLDER]        # pip install snntorch

No times: the figures are counts of entries that differ, and do not depend on the machine.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import nir
import numpy as np

from neuromorph import Reference, from_nir, ms

STEPS, SIZE, ALPHA, BETA = 400, 12, 0.7, 0.8
KINDS = ("Leaky", "RLeaky", "Synaptic", "RSynaptic")

#: By mechanism and whether the reset has a delay.
RULES = {
    ("subtract", True): "snntorch_delay",
    ("subtract", False): "snntorch",
    ("zero", True): "snntorch_delay_zero",
    ("zero", False): "zero",
}


@dataclass(frozen=True)
class Row:
    """One neuron of snnTorch."""

    neuron: str
    reset_mechanism: str
    reset_delay: bool
    reset: str
    spikes: int
    differ: int
    entries: int = STEPS * SIZE


def rule(neuron: str, mechanism: str, delay: bool) -> str:
    """The name of ``from_nir`` for what a neuron of snnTorch does."""
    if neuron == "Leaky" and mechanism == "zero":
        return "zero"  # it empties the membrane before the step, which is the same
    if neuron == "RSynaptic":
        delay = True  # in 1.0.0 the reset without delay is computed and not kept
    return RULES[mechanism, delay]


def recorded(neuron: str, mechanism: str, delay: bool, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Spikes (steps, neurons) of snnTorch."""
    import snntorch
    import torch

    options: dict[str, Any] = {"beta": BETA, "reset_mechanism": mechanism, "reset_delay": delay}
    options |= {"alpha": ALPHA} if "Synaptic" in neuron else {}
    options |= {"linear_features": SIZE} if neuron[0] == "R" else {}
    cells = getattr(snntorch, neuron)(**options)
    count = 1 + (neuron[0] == "R") + ("Synaptic" in neuron)  # spikes go in where they come back; currents; voltages
    state = [torch.zeros(SIZE)] * count
    if neuron[0] == "R":
        cells.recurrent.weight.data = torch.tensor(weights)
        cells.recurrent.bias.data.zero_()
    sent = []
    with torch.no_grad():
        for arriving in torch.tensor(x, dtype=torch.float32):
            spikes, *state = cells(arriving, *state)
            state = [spikes, *state] if neuron[0] == "R" else state
            sent.append(spikes.numpy().copy())
    return np.array(sent)


def found(neuron: str, reset: str, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Spikes (steps, neurons) of the graph that snnTorch would write."""
    one, dt = np.ones(SIZE), 1e-3
    values = {"r": one / (1 - BETA), "v_leak": 0 * one, "v_threshold": one, "v_reset": 0 * one}
    if "Synaptic" in neuron:
        syn = {"tau_syn": dt * one / (1 - ALPHA), "w_in": one / (1 - ALPHA)}
        cells = nir.CubaLIF(tau_mem=dt * one / (1 - BETA), **syn, **values)
    else:
        cells = nir.LIF(tau=dt * one / (1 - BETA), **values)
    nodes = {"input": nir.Input(np.array([SIZE])), "cells": cells, "output": nir.Output(np.array([SIZE]))}
    edges = [("input", "cells"), ("cells", "output")]
    if neuron[0] == "R":
        nodes["again"] = nir.Linear(weights)
        edges += [("cells", "again"), ("again", "cells")]
    net = from_nir(nir.NIRGraph(nodes, edges), dt=1 * ms, events=x, reset=reset)
    events = Reference("float64").compile(net, dt=1 * ms).run(STEPS + 1, progress=False).events("cells")
    sent = np.zeros((STEPS + 1, SIZE))
    sent[events.steps, events.ids] = 1
    return sent[1:]


def measure() -> list[Row]:
    """Every neuron with every rule."""
    rng, rows = np.random.default_rng(0), []
    weights = rng.normal(0, 0.3, (SIZE, SIZE)).astype(np.float32)
    for neuron, mechanism, delay in product(KINDS, ("subtract", "zero"), (True, False)):
        strength = 0.3 if "Synaptic" in neuron else 1.0
        x = strength * rng.choice([0, 0.3, 0.9, 1.6], (STEPS, SIZE))
        reset = rule(neuron, mechanism, delay)
        theirs = recorded(neuron, mechanism, delay, x, weights)
        differ = int(np.count_nonzero(theirs != found(neuron, reset, x, weights)))
        rows.append(Row(neuron, mechanism, delay, reset, int(theirs.sum()), differ))
    return rows


def table(rows: list[Row]) -> str:
    """As Markdown."""
    columns = (f"snnTorch {version('snntorch')}", "`reset_mechanism`", "`reset_delay`", "`reset=`", "spikes", "differ")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    lines += [
        f"| `{r.neuron}` | {r.reset_mechanism} | {r.reset_delay} | {r.reset} | {r.spikes:,} "
        f"| {r.differ} of {r.entries:,} |"
        for r in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table, and store it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for nir_snntorch.json and .md")
    options = parser.parse_args()
    rows = measure()
    print(table(rows), end="")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "nir_snntorch.json").write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n")
        (options.out / "nir_snntorch.md").write_text(table(rows))


if __name__ == "__main__":
    main()
