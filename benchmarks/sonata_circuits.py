"""Published SONATA circuits from their files: the spikes of NEST, and those that NEURON left beside the files.

    python benchmarks/sonata_circuits.py --sonata CHECKOUT --bmtk CHECKOUT --peers PYTHON

CHECKOUT are copies of github.com/AllenInstitute/sonata and .../bmtk, whose folders ``examples`` have the circuits;
PYTHON is an interpreter with bmtk and NEST. Spikes are compared by step and neuron, in float64. Results go to
benchmarks/results: sonata_circuits.json and sonata_circuits.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from neuromorph import CPU, ms
from neuromorph.interchange.sonata import from_sonata, read_circuit, save_spikes, sonata_nodes
from neuromorph.interchange.sonata.inputs import read_spikes
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.trace import first_difference

RESULTS = Path(__file__).parent / "results"

NEST = """
import os, sys
from bmtk.simulator import pointnet
path, duration, dt, folder = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
config = pointnet.Config.from_json(path)
config["run"].update(tstop=duration, dt=dt)
config["output"].update(output_dir=folder, spikes_file=os.path.join(folder, "spikes.h5"), spikes_file_csv=None)
config["output"]["log_file"] = os.path.join(folder, "log.txt")
config["reports"] = {}
config.build_env(force=True)
graph = pointnet.PointNetwork.from_config(config)
pointnet.PointSimulator.from_config(config, graph).run()
"""


@dataclass(frozen=True)
class Case:
    """A circuit: its file below a checkout, step and duration in ms, and a file of spikes; None: NEST is asked."""

    checkout: str
    config: str
    dt: float
    duration: float
    published: str | None = None

    @property
    def name(self) -> str:
        """Of the circuit's folder."""
        return Path(self.config).parent.name


CASES = (
    Case("sonata", "300_intfire/config.json", 0.1, 3000, "300_intfire/output/spikes.h5"),
    Case("sonata", "300_intfire/config.json", 0.001, 3000, "300_intfire/output/spikes.h5"),
    Case("sonata", "300_pointneurons/config.json", 0.01, 300),
    Case("bmtk", "point_120cells/config.simulation.json", 0.001, 300),
    Case("bmtk", "point_450cells/config.simulation.json", 0.001, 300),
    Case("bmtk", "point_450glifs/config.simulation.json", 0.001, 300),
)


def asked(case: Case, config: Path, python: str, folder: Path) -> Path:
    """The spikes that NEST gives for a circuit."""
    command = [python, "-c", NEST, str(config), str(case.duration), str(case.dt), str(folder)]
    done = subprocess.run(command, cwd=config.parent, capture_output=True, text=True, check=False)
    if done.returncode or not (folder / "spikes.h5").exists():
        raise SystemExit(f"{case.name}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return folder / "spikes.h5"


def spikes(path: Path, population: str, dt: float) -> set[tuple[int, int]]:
    """Steps and nodes."""
    times, nodes = read_spikes(path)[population]
    return set(zip(np.rint(times / dt).astype(int).tolist(), nodes.tolist(), strict=True))


def compare(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """One row of the table."""
    examples = Path(getattr(options, case.checkout)).resolve() / "examples"
    config = examples / case.config
    os.chdir(config.parent)  # where the configurations of these examples take their paths from
    circuit = read_circuit(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some spikes lie between the steps
        net = from_sonata(circuit, dt=case.dt * ms)
    trace = CPU(dtype="float64").compile(net, dt=case.dt * ms).run(case.duration * ms, progress=False)
    short = min(case.duration, 100.0) * ms
    cpu, chips = (t.compile(net, dt=case.dt * ms).run(short, progress=False) for t in (CPU(), SpiNNaker2()))
    cells = next(
        name for name, nodes in circuit.nodes.items() if "virtual" not in nodes.attributes.labels("model_type")[0]
    )
    with TemporaryDirectory() as name:
        there = examples / case.published if case.published else asked(case, config, options.peers, Path(name))
        save_spikes(trace, Path(name) / "ours.h5", sonata_nodes(circuit))
        theirs, ours = (spikes(path, cells, case.dt) for path in (there, Path(name) / "ours.h5"))
    return {
        "circuit": case.name,
        "dt": case.dt,
        "duration": case.duration,
        "peer": "NEURON, as published" if case.published else "NEST",
        "theirs": len(theirs),
        "ours": len(ours),
        "theirs_alone": len(theirs - ours),
        "ours_alone": len(ours - theirs),
        "chips_differ": first_difference(cpu, chips) is not None,
    }


def main() -> None:
    """Run every circuit; store and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sonata", required=True, metavar="CHECKOUT", help="of AllenInstitute/sonata")
    parser.add_argument("--bmtk", required=True, metavar="CHECKOUT", help="of AllenInstitute/bmtk")
    parser.add_argument("--peers", required=True, metavar="PYTHON", help="interpreter with bmtk and NEST")
    options = parser.parse_args()
    rows = [compare(case, options) for case in CASES]
    lines = [
        "| circuit | step | time | other simulator | spikes there | here | there alone | here alone | SpiNNaker2 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in rows:
        counts = f"{r['theirs']:,} | {r['ours']:,} | {r['theirs_alone']} | {r['ours_alone']}"
        chips = "differs" if r["chips_differ"] else "as the CPU"
        lines.append(f"| {r['circuit']} | {r['dt']:g} ms | {r['duration']:,} ms | {r['peer']} | {counts} | {chips} |")
    print("\n".join(lines))
    (RESULTS / "sonata_circuits.json").write_text(json.dumps(rows, indent=1) + "\n")
    (RESULTS / "sonata_circuits.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
