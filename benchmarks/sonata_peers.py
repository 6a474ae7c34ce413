"""Networks that were exported to SONATA, run from the same files by NEST and NEURON: are the spikes the same?

    python benchmarks/sonata_peers.py --peers PYTHON

PYTHON is an interpreter with bmtk, NEST (nest-simulator) and NEURON; bmtk reads the files, and drives NEST. Each case
is a network of 100 neurons with weights of both signs and delays of 1 to 3 ms, driven by Poisson spikes. Results go to
benchmarks/results: sonata.json, sonata.md, and the peers' spikes, which the tests want to see again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph import CPU, EventSource, FixedProbability, Network, OneToOne, Uniform, ms
from neuromorph.interchange.sonata import TEMPLATES, from_sonata, to_sonata
from neuromorph.interchange.sonata.inputs import read_spikes
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.trace import first_difference
from neuromorph.units import mV, nS, pA, pF

RESULTS = Path(__file__).parent / "results"
DURATION = 500 * ms
NEURONS = 100

# Weights: of a driving spike, of excitatory and of inhibitory synapses; mean of the input in spikes for a step.
CASES: dict[str, tuple[Any, Any, Any, float]] = {
    "nrn:IntFire1": (0.3, 0.09, None, 0.012),
    "nest:iaf_psc_delta": (3 * mV, 0.9 * mV, -1.3 * mV, 0.05),
    "nest:iaf_psc_exp": (400 * pA, 130 * pA, -190 * pA, 0.05),
    "nest:iaf_psc_alpha": (400 * pA, 110 * pA, -170 * pA, 0.05),
    "nest:izhikevich": (9.0, 2.1, -3.3, 0.05),
    "nest:iaf_cond_exp": (6 * nS, 2 * nS, 9 * nS, 0.05),
    "nest:iaf_cond_alpha": (2.5 * nS, 0.8 * nS, 4 * nS, 0.05),
    "nest:glif_psc": (120 * pA, 40 * pA, -60 * pA, 0.05),
    "nest:glif_psc R": (160 * pA, 40 * pA, -60 * pA, 0.05),
    "nest:glif_psc ASC": (120 * pA, 40 * pA, -60 * pA, 0.05),
    "nest:glif_psc R ASC": (160 * pA, 40 * pA, -60 * pA, 0.05),
    "nest:glif_psc R ASC A": (160 * pA, 40 * pA, -60 * pA, 0.05),
}
"""By model template; behind it, the mechanisms of the GLIF model."""

# NEURON takes events of one time one by one. Where their signs differ the order decides who fires, so IntFire1 has
# excitation alone. Its step is one that sums exactly, so that events of one time are.
STEPS = {name: 0.125 * ms if name.startswith("nrn:") else 0.1 * ms for name in CASES}

NEST = """
from bmtk.simulator import pointnet
config = pointnet.Config.from_json("simulation_config.json")
config.build_env()
graph = pointnet.PointNetwork.from_config(config)
pointnet.PointSimulator.from_config(config, graph).run()
"""

# bmtk's way to NEURON needs compiled mechanisms for virtual nodes; PatternStim, which NEURON has, does without.
NEURON = """
import json
import h5py
import numpy as np
from bmtk.utils import sonata
from neuron import h

config = json.load(open("simulation_config.json"))
context, kept, cells = h.ParallelContext(), [], []
nodes = sonata.File(data_files="cells_nodes.h5", data_type_files="cells_node_types.csv").nodes["cells"]
for node in nodes:
    cell = h.IntFire1()
    values = json.load(open("components/" + node["dynamics_params"]))
    cell.tau, cell.refrac = 1000 * values["tau"], 1000 * values["refrac"]
    context.set_gid2node(node.node_id, context.id())
    context.cell(node.node_id, h.NetCon(cell, None))
    cells.append(cell)
for source in ("outside", "cells"):
    name = source + "_to_cells"
    edges = sonata.File(data_files=name + "_edges.h5", data_type_files=name + "_edge_types.csv").edges[name]
    for edge in edges:
        gid = edge.source_node_id + (len(cells) if source == "outside" else 0)
        connection = context.gid_connect(gid, cells[edge.target_node_id])
        connection.weight[0], connection.delay = float(edge["syn_weight"]), float(edge["delay"])
        kept.append(connection)
with h5py.File("outside_spikes.h5") as file:
    given = file["spikes/outside"]
    times, gids = h.Vector(given["timestamps"][:]), h.Vector(given["node_ids"][:].astype(float) + len(cells))
stimulus = h.PatternStim()
stimulus.play(times, gids)
spikes, fired = h.Vector(), h.Vector()
for gid in range(len(cells)):
    context.spike_record(gid, spikes, fired)
h.dt = config["run"]["dt"]
context.set_maxstep(10)
h.finitialize()
context.psolve(config["run"]["tstop"])
with h5py.File("output/spikes.h5", "w") as file:
    group = file.create_group("spikes/cells")
    group["timestamps"] = np.array(spikes)
    group["timestamps"].attrs["units"] = "ms"
    group["node_ids"] = np.array(fired).astype(np.uint64)
"""

PEERS = {"nest": ("NEST", NEST), "nrn": ("NEURON", NEURON)}


def network(template: str, seed: int = 1) -> Network:
    """The network of one case."""
    drive, excitation, inhibition, mean = CASES[template]
    generator = np.random.default_rng(seed)
    name, *mechanisms = template.split()
    model = TEMPLATES[name]
    if model.shaped is not None:
        marks = {"spike_dependent_threshold": "R", "after_spike_currents": "ASC", "adapting_threshold": "A"}
        asked = {flag: mark in mechanisms for flag, mark in marks.items()}
        model = model.shaped({"tau_syn": [5.5, 8.5, 2.8], **asked})
    neuron = model.neuron
    if model.shaped is not None:
        times = {"tau_syn_1": 2 * ms, "tau_syn_2": 8.5 * ms, "tau_syn_3": 2.8 * ms}
        neuron = neuron(C_m=generator.choice([58.72, 80.0], NEURONS) * pF, **times)
    elif model.magnitudes:
        start = generator.uniform(-70, -56, NEURONS)
        neuron = neuron(g_l=generator.choice([16.7, 12.0], NEURONS) * nS, tau_syn_ex=2 * ms, V_m=start * mV)
    elif template == "nest:izhikevich":
        neuron = neuron(a=generator.choice([0.02, 0.1], NEURONS), d=generator.uniform(2, 8, NEURONS))
    elif template != "nrn:IntFire1":
        start = generator.uniform(-70, -56, NEURONS)
        neuron = neuron(tau_m=generator.choice([10.0, 15.0, 2.0], NEURONS) * ms, V_m=start * mV)
    else:
        neuron = neuron(tau=generator.choice([10.0, 20.0], NEURONS) * ms, refrac=3.45 * ms)
    net = Network(seed=seed, name=template.replace(":", "_").replace(" ", "_"))
    spikes = generator.random((4900, NEURONS)) < mean
    spikes[0] = False  # NEST wants times above 0
    outside = net.population(EventSource.from_dense(spikes), name="outside")
    cells = net.population(neuron, NEURONS, name="cells")
    ex, inh = cells.port(model.excitatory), cells.port(model.inhibitory)
    net.project(outside, ex, OneToOne(), weight=drive, delay=1 * ms)
    net.project(
        cells,
        ex,
        FixedProbability(0.1),
        weight=Uniform(0.5 * excitation, 1.5 * excitation),
        delay=Uniform(1 * ms, 3 * ms),
    )
    if inhibition is not None:
        net.project(cells, inh, FixedProbability(0.1), weight=inhibition, delay=1.5 * ms)
    return net


def peer_spikes(folder: Path, python: str, simulator: str, dt: Any) -> tuple[np.ndarray, np.ndarray]:
    """Steps and ids of the spikes of another simulator that runs the files of a folder."""
    done = subprocess.run([python, "-c", PEERS[simulator][1]], cwd=folder, capture_output=True, text=True, check=False)
    written = list(folder.rglob("spikes.h5"))
    if done.returncode or not written:
        raise SystemExit(f"{simulator}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    times, ids = read_spikes(written[0])["cells"]
    return np.rint(times / float(dt / ms)).astype(np.int64), ids


def compare(template: str, python: str) -> tuple[dict[str, Any], npt.NDArray[np.int64]]:
    """One case: spikes of ours and of the peer, and how many stand on one side alone; steps and ids of the peer's."""
    dt = STEPS[template]
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = to_sonata(network(template), folder, dt=dt, duration=DURATION)
        taken = from_sonata(path)
        trace = CPU(dtype="float64").compile(taken, dt=dt).run(DURATION, progress=False)
        single, chips = (t.compile(taken, dt=dt).run(DURATION, progress=False) for t in (CPU(), SpiNNaker2()))
        events = trace.events("cells")
        steps, ids = peer_spikes(folder, python, template.partition(":")[0], dt)
    ours = set(zip(events.steps.tolist(), events.ids.tolist(), strict=True))
    theirs = set(zip(steps.tolist(), ids.tolist(), strict=True))
    row = {
        "template": template,
        "peer": PEERS[template.partition(":")[0]][0],
        "ours": len(ours),
        "theirs": len(theirs),
        "ours_alone": len(ours - theirs),
        "theirs_alone": len(theirs - ours),
        "first": min((ours ^ theirs), default=None),
        "chips_differ": first_difference(single, chips) is not None,
    }
    return row, np.array(sorted(theirs)).T


def main() -> None:
    """Run every case; store and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", required=True, metavar="PYTHON", help="interpreter with bmtk, NEST and NEURON")
    parser.add_argument("--only", choices=CASES, help="one case; nothing is stored")
    options = parser.parse_args()
    found = {name: compare(name, options.peers) for name in ([options.only] if options.only else CASES)}
    rows = [row for row, _ in found.values()]
    lines = [
        "| model | other simulator | spikes there | spikes here | there alone | here alone | SpiNNaker2 against CPU |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in rows:
        counts = f"{r['theirs']:,} | {r['ours']:,} | {r['theirs_alone']} | {r['ours_alone']}"
        chips = "differs" if r["chips_differ"] else "the same"
        lines.append(f"| {r['template']} | {r['peer']} | {counts} | {chips} |")
    print("\n".join(lines))
    if options.only is None:
        (RESULTS / "sonata.json").write_text(json.dumps(rows, indent=1) + "\n")
        (RESULTS / "sonata.md").write_text("\n".join(lines) + "\n")
        np.savez_compressed(RESULTS / "sonata_spikes.npz", **{name: spikes for name, (_, spikes) in found.items()})


if __name__ == "__main__":
    main()
