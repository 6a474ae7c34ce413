"""An EGRU on crossbar chips: 64 event-based gated units read Braille letters, against the CPU and SpiNNaker2.

Events carry values, which DACs round to codes; the gates' matrices stand stacked in the arrays, and what gates multiply
stays digital. Ranges of DACs and ADCs are found from touches that the network was trained with; others are judged.

    python examples/crossbar_braille.py [--touches N] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from neuromorph import CPU
from neuromorph.mapping.crossbar import Crossbar, calibrate
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import braille_letters, classifier

MACHINES = ("isaac", "m1076", "hermes", "nor_flash")
STEPS = braille_letters.RUN["egru"]


def main() -> None:
    """Calibrate, run, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--touches", type=int, default=216, help="held-out touches (default: all %(default)s)")
    parser.add_argument(
        "--out", type=Path, default=Path("out/crossbar_braille"), help="folder for crossbar_braille.json"
    )
    options = parser.parse_args()

    network, recordings = braille_letters.trained("egru"), braille_letters.recordings()
    trained_with, held_out = braille_letters.split()
    held_out = held_out[: options.touches]

    def touch(program: Any) -> None:
        program.run_batch({"touch": recordings.pressure[trained_with[:100]]}, STEPS, progress=False)

    targets: dict[str, Any] = {"CPU": CPU(), "SpiNNaker2": SpiNNaker2(neurons_per_pe=16), "ideal": Crossbar("ideal")}
    for name in MACHINES:
        target = Crossbar(name)
        targets[name] = replace(target, ranges=calibrate(target, network, classifier.DT, touch, method="max"))
    pressure, letters = recordings.pressure[held_out], recordings.letters[held_out]
    rows = classifier.compare(targets, network, pressure, letters, STEPS)
    for row in rows:
        print(classifier.told(row))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "crossbar_braille.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
