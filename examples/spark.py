"""What SPARK saves in a network: bytes of weights, packets of events, joules, and what it costs in accuracy.

An EGRU that tells Braille letters by touch runs on simulated SpiNNaker2 with its weights in float32, int8, int4 and
SPARK, and the events of the first run are replayed as payloads of several codes. Weights that were trained in float32
are evenly spread, so SPARK, which is made for few large numbers among many small ones, keeps no less of them than int8
and loses more. Trained on under the code for half a minute, most of them take 4 bits and a sign, and nothing is lost.

For a network of your own: ``neuromorph bits SCRIPT.py``, ``neuromorph payloads SCRIPT.py`` and
``neuromorph run SCRIPT.py --target spinnaker2 --weights spark``.

    python examples/spark.py [--touches N] [--weights ROW ...] [--out FOLDER]
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from neuromorph.formats.report import bits_report
from neuromorph.mapping.payloads import replay, save_figure
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.mapping.spinnaker2.layout import REGIONS
from neuromorph.models import braille_letters, classifier

if TYPE_CHECKING:
    from neuromorph.network.quantise import Narrow

ROWS: tuple[tuple[str, braille_letters.Kind, Narrow | None], ...] = (
    ("float32", "egru", None),
    ("int8", "egru", "int8"),
    ("int4", "egru", "int4"),
    ("spark", "egru", "spark"),
    ("spark-nearest", "egru", "spark-nearest"),
    ("spark, trained under it", "egru_spark", "spark"),
)
ENCODINGS = ("float32/single", "int8/packed", "int8/bitmap", "spark/packed", "spark/bitmap")


def main() -> None:
    """Two tables and three figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--touches", type=int, default=216, help="of the 216 that are held out")
    parser.add_argument("--weights", nargs="+", choices=[name for name, _, _ in ROWS], help="default: all, in turn")
    parser.add_argument("--out", type=Path, default=Path("out/spark"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(width=120)

    touches = braille_letters.recordings()
    held_out = braille_letters.split()[1][: options.touches]
    weights = Table("weights", "bytes of synapses", "PEs", "letters told", "time of a touch", "energy of a touch")
    weights.title = "Weights in the SRAM of PEs (bytes, PEs: exact; time, energy: model with assumed constants)"
    floats = None
    wanted = {ROWS[0][0], *(options.weights or [name for name, _, _ in ROWS])}  # float32's events are replayed
    for name, kind, how in ROWS:
        if name not in wanted:
            continue
        network = braille_letters.trained(kind)
        found = classifier.classify(
            SpiNNaker2(neurons_per_pe=16, weights=how), network, touches.pressure[held_out], braille_letters.RUN[kind],
            out=options.out / f"{name.replace(', ', '_').replace(' ', '_')}.h5",
        )  # fmt: skip
        floats = floats or found
        report = found.program.report()
        weights.add_row(
            name,
            f"{report.mapping.regions[:, REGIONS.index('synapses')].sum():,}",
            f"{report.pes}",
            f"{found.accuracy(touches.letters[held_out]):.2%}",
            f"{report.time / len(held_out) * 1e6:.1f} us",
            f"{report.energy.total / len(held_out) * 1e6:.2f} uJ",
        )
    console.print(weights)

    assert floats is not None
    compared = replay(floats.program, floats.trace, ENCODINGS)
    events = Table("events as", "packets", "bits sent", "energy", "values changed")
    events.title = "Events of the run in float32, as payloads (packets, bits: exact; energy: model)"
    for outcome in compared.outcomes:
        events.add_row(
            outcome.encoding.name, f"{outcome.packets:,}", f"{outcome.sent_bits:,}", f"{outcome.energy * 1e6:.2f} uJ",
            f"{outcome.errors.lossy_share:.1%}",
        )  # fmt: skip
    console.print(events)

    if find_spec("matplotlib") is not None:
        for kind in ("egru", "egru_spark"):
            bits_report(braille_letters.trained(kind), ["spark", "int8", "int4"]).plot(options.out / f"{kind}.png")
        print(
            options.out / "egru.png", options.out / "egru_spark.png", save_figure(compared, options.out / "events.png")
        )


if __name__ == "__main__":
    main()
