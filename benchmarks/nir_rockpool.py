"""``method="rockpool"`` and ``reset="multiple"`` against Rockpool itself: the same graph, the same input, every value.

    python benchmarks/nir_rockpool.py [--out FOLDER]        # pip install rockpool

No times: the figures are counts of entries that differ, and do not depend on the machine.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nir
import numpy as np

from neuromorph import Reference, from_nir, ms

STEPS, SIZE, DT, TAU, TAU_SYN = 400, 12, 1e-3, 5e-3, 3e-3
NEURONS = {"ExpSynTorch": "LI", "LIFNeuronTorch": "LIF", "LIFTorch": "CubaLIF", "LIFTorch, recurrent": "CubaLIF"}


@dataclass(frozen=True)
class Row:
    """One neuron of Rockpool."""

    neuron: str
    node: str
    sent: float
    most: float
    differ: int
    entries: int = STEPS * SIZE


def recorded(neuron: str, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What Rockpool's neurons send, (steps, neurons)."""
    import torch
    from rockpool.nn.modules.torch.exp_syn_torch import ExpSynTorch
    from rockpool.nn.modules.torch.lif_neuron_torch import LIFNeuronTorch
    from rockpool.nn.modules.torch.lif_torch import LIFTorch

    one = torch.ones(SIZE)
    made: Any
    if neuron == "ExpSynTorch":
        made = ExpSynTorch(SIZE, tau=TAU * one, dt=DT)
    elif neuron == "LIFNeuronTorch":
        made = LIFNeuronTorch(SIZE, tau_mem=TAU * one, threshold=one, dt=DT)
    else:
        back = {"has_rec": True, "w_rec": torch.tensor(weights.T.copy())} if "recurrent" in neuron else {}
        times = {"tau_mem": TAU * one, "tau_syn": TAU_SYN * one[:, None], "dt": DT}
        made = LIFTorch((SIZE,), threshold=one, bias=0 * one, **times, **back)
    with torch.no_grad():
        sent, _, _ = made(torch.tensor(x, dtype=torch.float32)[None])
    return np.asarray(sent[0].numpy())


def found(neuron: str, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What the graph sends that Rockpool writes of them, (steps, neurons)."""
    one = np.ones(SIZE)
    values = {"r": one * TAU * np.exp(-DT / TAU) / DT, "v_leak": 0 * one}
    values |= {} if neuron == "ExpSynTorch" else {"v_threshold": one, "v_reset": 0 * one}
    times = {"tau": TAU * one} if NEURONS[neuron] != "CubaLIF" else {"tau_mem": TAU * one, "tau_syn": TAU_SYN * one}
    cells = getattr(nir, NEURONS[neuron])(**values, **times)
    nodes = {"input": nir.Input(np.array([SIZE])), "cells": cells, "output": nir.Output(np.array([SIZE]))}
    edges = [("input", "cells"), ("cells", "output")]
    if "recurrent" in neuron:
        nodes["again"] = nir.Linear(weights)
        edges += [("cells", "again"), ("again", "cells")]
    net = from_nir(nir.NIRGraph(nodes, edges), dt=1 * ms, events=x, reset="multiple", method="rockpool")
    events = Reference("float64").compile(net, dt=1 * ms).run(STEPS + 1, progress=False).events("cells")
    sent = np.zeros((STEPS + 1, SIZE))
    sent[events.steps, events.ids] = events.values
    return sent[1:]


def measure() -> list[Row]:
    """Every neuron; voltages differ if by more than 1e-5 of the largest, which is Rockpool's float32."""
    rng, rows = np.random.default_rng(0), []
    weights = rng.normal(-0.1, 0.1, (SIZE, SIZE)).astype(np.float32)
    x = rng.choice([0, 0.1, 0.3, 0.9], (STEPS, SIZE))
    for neuron, node in NEURONS.items():
        theirs = recorded(neuron, x, weights)
        apart = np.abs(theirs - found(neuron, x, weights)) > 1e-5 * theirs.max()
        rows.append(Row(neuron, node, round(float(theirs.sum()), 1), round(float(theirs.max()), 1), int(apart.sum())))
    return rows


def table(rows: list[Row]) -> str:
    """As Markdown."""
    columns = (f"Rockpool {version('rockpool')}", "node", "sum of what is sent", "most in a step", "differ")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    lines += [f"| {r.neuron} | `{r.node}` | {r.sent:,} | {r.most} | {r.differ} of {r.entries:,} |" for r in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table, and store it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for nir_rockpool.json and .md")
    options = parser.parse_args()
    rows = measure()
    print(table(rows), end="")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "nir_rockpool.json").write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n")
        (options.out / "nir_rockpool.md").write_text(table(rows))


if __name__ == "__main__":
    main()
