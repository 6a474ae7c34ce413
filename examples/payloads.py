"""How the events of a trained EGRU travel between PEs: floats, ints or SPARK, one or several to a packet.

An EGRU that tells Braille letters by touch runs on simulated SpiNNaker2. The events of that run are replayed under
every encoding (packets, bits, link load, energy), and the network is run again with the values that each code sends, so
that what rounding costs is seen in letters. Values are written in the ranges that other touches had.

    python examples/payloads.py [--touches N] [--neurons-per-pe N] [--out FOLDER]
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from neuromorph import CPU
from neuromorph.mapping.payloads import Range, coded, replay, save_figure
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import braille_letters, classifier


def main() -> None:
    """Replay, run again, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--touches", type=int, default=216, help="of the 216 that are held out")
    parser.add_argument("--neurons-per-pe", type=int, default=16)
    parser.add_argument("--out", type=Path, default=Path("out/payloads"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    touches = braille_letters.recordings()
    training, held_out = braille_letters.split()
    held_out = held_out[: options.touches]
    network, steps = braille_letters.trained("egru"), braille_letters.RUN["egru"]
    pressure, letters = touches.pressure[held_out], touches.letters[held_out]

    known = classifier.classify(CPU(), network, touches.pressure[training[::8]], steps, out=options.out / "known.h5")
    assert known.trace is not None
    ranges = {name: Range.of(known.trace.events(name).values) for name in ("touch", "egru")}

    target = SpiNNaker2(neurons_per_pe=options.neurons_per_pe)
    floats = classifier.classify(target, network, pressure, steps, out=options.out / "trace.h5")
    compared = replay(floats.program, floats.trace, ranges=ranges)
    print(compared)

    print(f"\nletters of {len(letters)} touches, all events as the code sends them")
    for code in dict.fromkeys(outcome.encoding.values for outcome in compared.outcomes):
        changed = coded(network, code, {"egru": ranges["egru"]})
        given = code.numbers(pressure, ranges["touch"]).reshape(pressure.shape)
        found = classifier.classify(CPU(), changed, given, steps)
        print(f"{code.name:8} {found.accuracy(letters):.2%}, {found.events['egru'] / len(letters):.1f} events a touch")
    if find_spec("matplotlib") is not None:
        print(save_figure(compared, options.out / "payloads.png"))


if __name__ == "__main__":
    main()
