"""NIR files of other programs against what those recorded, on the CPU and on SpiNNaker2.

    python benchmarks/nir_recordings.py [--out FOLDER]

No times: the figures are counts of entries that differ, and do not depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuromorph import CPU, first_difference, from_nir, ms
from neuromorph.events import read_nmnist
from neuromorph.interchange import latency
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import braille

ROOT = Path(__file__).resolve().parents[1]
LIF, BRAILLE, CNN = (ROOT / "tests" / "data" / name for name in ("nir_lif", "nir_braille", "nir_cnn"))
SUBTRACT = "activity_noDelay_noBias_subtract.npy"


@dataclass(frozen=True)
class Case:
    """A file, how it is read, and the layer of which there is a recording."""

    file: Path
    layer: str
    recorded_in: str
    reset: str = "zero"
    dt: Any = 0.1 * ms
    time_unit: Any = None
    method: str = "euler"


@dataclass(frozen=True)
class Result:
    """What one file gives."""

    file: str
    layer: str
    recorded_in: str
    reset: str
    entries: int
    spikes: int
    differ: int | None
    chips: str
    note: str = ""


CASES = (
    Case(LIF / "lif_norse.nir", "1", "norse"),
    Case(LIF / "lif_rockpool.nir", "1_LIFNeuronTorch", "Rockpool", "multiple", method="rockpool"),
    Case(ROOT / "models" / "data" / "braille" / "braille_noDelay_bias_zero.nir", "lif1.lif", "snnTorch"),
    Case(BRAILLE / "braille_noDelay_bias_zero_subgraph.nir", "lif1.lif1", "snnTorch"),
    Case(BRAILLE / "braille_noDelay_noBias_subtract.nir", "lif1.lif", "snnTorch", "snntorch"),
    Case(BRAILLE / "braille_noDelay_noBias_subtract.nir", "lif1.lif", "norse"),
    Case(CNN / "cnn_sinabs.nir", "12", "none", dt=1 * ms, time_unit=1 * ms),
)


def recording(case: Case) -> tuple[np.ndarray, np.ndarray | None]:
    """Events of the input (steps, ...), and of the layer (steps, n) as recorded."""
    if case.file.parent == LIF:
        table = np.loadtxt(case.file.with_suffix(".csv"), delimiter=",")
        return table[:, :1], table[:, 2:]
    if case.file.parent == CNN:
        return read_nmnist(CNN / "sample_nmnist.bin").bin(1 * ms, 300), None
    if "bias_zero" in case.file.name:
        return braille.sample(), braille.recorded_activity()
    return braille.sample(), np.load(BRAILLE / f"{case.recorded_in.lower()}_{SUBTRACT}")


def measure(case: Case) -> Result:
    """Run one file on both targets."""
    events, recorded = recording(case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of edges that name no node
        options = {"reset": case.reset, "time_unit": case.time_unit, "method": case.method}
        net = from_nir(case.file, dt=case.dt, events=events, **options)
    late = latency(net[case.layer])
    cpu, chips = (
        target.compile(net, dt=case.dt).run(len(events) + late, progress=False) for target in (CPU(), SpiNNaker2())
    )
    found = cpu.events(case.layer)
    fired = np.zeros((len(events) + late, net[case.layer].size))
    fired[found.steps, found.ids] = 1 if found.values is None else found.values
    fired = fired[late:]
    note = "" if recorded is not None else f"digit {fired.sum(axis=0).argmax()}, {int(fired.sum(axis=0).max())} votes"
    return Result(
        case.file.name,
        case.layer,
        case.recorded_in,
        case.reset,
        fired.size,
        int(fired.sum()),
        None if recorded is None else int(np.count_nonzero(fired != recorded)),
        str(first_difference(cpu, chips) or "equal"),
        note,
    )


def table(results: list[Result]) -> str:
    """As Markdown."""
    lines = [
        "| file | layer | reset | recorded in | spikes | entries that differ | SpiNNaker2 and CPU |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in results:
        differ = r.note if r.differ is None else f"{r.differ} of {r.entries:,}"
        lines.append(f"| `{r.file}` | {r.layer} | {r.reset} | {r.recorded_in} | {r.spikes:,} | {differ} | {r.chips} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table, and store it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for nir_recordings.json and .md")
    options = parser.parse_args()
    results = [measure(case) for case in CASES]
    print(table(results), end="")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "nir_recordings.json").write_text(json.dumps([asdict(r) for r in results], indent=1) + "\n")
        (options.out / "nir_recordings.md").write_text(table(results))


if __name__ == "__main__":
    main()
