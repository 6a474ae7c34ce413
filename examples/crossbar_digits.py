"""MNIST on crossbar chips: the trained integer network on several machines, against the exact result and SpiNNaker2.

Each machine runs the same test images: with exact cells and converters, which gives the CPU's spikes; with the levels
of its cells and the bits of its converters; then with everything that is known of its cells, right after programming
and up to a year later. Energy and time are models, see the reports.

    python examples/crossbar_digits.py [MACHINE ...] [--images N] [--seeds N] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from neuromorph import ms
from neuromorph.engine.target import Batch
from neuromorph.mapping.crossbar import Crossbar, calibrate, load_machine, study
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import mnist

STEPS = mnist.STEPS + mnist.LATENCY
WINDOW = (mnist.LATENCY, STEPS)
RANGES_FROM = 200  # images at the end of the test set that ranges are found from
#: What has levels and bits; the rest of what can be switched on are errors of cells.
PAPER = ("quantise", "on_off", "dac", "adc")


def machines() -> dict[str, Crossbar]:
    """Each with what is known of its cells, or of the closest that are published: programming, reading, and drift.

    ISAAC's paper has no measured cell, so ``isaac`` gets NeuRRAM's, whose errors are what its verification left. An
    error in the highest of the eight slices of a 16-bit weight weighs 16,384 times one in the lowest. ``isaac_pairs``
    has the same arrays and cells, with pairs of them for weights of 9 bits; ``isaac_flash`` also has cells of flash.
    """
    errors: dict[str, Any] = {"programming": True, "read_noise": True, "drift": True}
    isaac = replace(load_machine("isaac"), device="rram_neurram")
    pairs = replace(isaac, name="isaac_pairs", encoding="differential", weight_bits=9)
    flash = replace(pairs, name="isaac_flash", device="sonos_40nm")
    wrong = isaac.effects.with_(**errors)
    return {
        "isaac": Crossbar(isaac, wrong),
        "isaac_pairs": Crossbar(pairs, wrong),
        "isaac_flash": Crossbar(flash, wrong),
        "m1076": Crossbar("m1076"),
        "wtm2101": Crossbar("wtm2101", load_machine("wtm2101").effects.with_(**errors)),
        # 4 bits hold this network, which was not trained for them, if the largest 1 % of its weights are cut
        "nor_flash": Crossbar("nor_flash", clip=0.99),
    }


def calibrated(name: str, target: Crossbar) -> Crossbar:
    """Ranges of its ADCs from other images, where they do not tell every sum anyway, as ISAAC's do."""
    if name.startswith("isaac"):
        return target
    data = classify(len(mnist.images()) - RANGES_FROM, RANGES_FROM)
    return replace(target, ranges=calibrate(target, mnist.classifier(), 1 * ms, data, method="max"))


def classify(first: int, count: int) -> Callable[[Any], Batch]:
    """Runs a program on some of the test images."""
    inputs = {"pixels": {"pixel": mnist.images()[first : first + count]}}
    return lambda program: program.run_batch(inputs, STEPS, window=WINDOW)


def accuracy(batch: Batch) -> float:
    """Share of the first images whose digit was told."""
    return float((batch.predictions("output") == mnist.labels()[: batch.samples]).mean())


def on_crossbar(name: str, target: Crossbar, images: int, seeds: int) -> dict[str, Any]:
    """Run one machine in every way; print, and return what the benchmark's report reads."""
    network = mnist.classifier()
    target = calibrated(name, target)
    paper = {"levels and converters": [effect for effect in PAPER if effect in target.on.on()]}
    found = study(target, network, 1 * ms, classify(0, images), accuracy, effects=paper, seeds=seeds)
    print(found, end="\n\n")
    program = target.compile(network, dt=1 * ms)
    batch = classify(0, images)(program)
    report = program.report()
    print(report, end="\n\n")
    assert report.energy is not None
    assert report.area is not None
    return {
        "machine": name,
        "images": images,
        "seeds": seeds,
        "rows": found.data(),
        "accuracy": accuracy(batch),
        "arrays": report.plan.arrays,
        "joules": report.energy.total / images,
        "joules_by_component": {part: joules / images for part, joules in report.energy.by_component.items() if joules},
        "joules_assumed": report.energy.by_status["assumption"] / images,
        "seconds": report.time / images,
        "area": report.area.total,
    }


def on_spinnaker2(images: int) -> dict[str, Any]:
    """The same images on simulated SpiNNaker2, spread as in ``neuromorph demo``."""
    program = SpiNNaker2(neurons_per_pe=16).compile(mnist.classifier(), dt=1 * ms)
    batch = classify(0, images)(program)
    report = program.report()
    assert report.energy is not None
    return {
        "accuracy": accuracy(batch),
        "joules": report.energy.total / images,
        "joules_by_component": {part: joules / images for part, joules in report.energy.by_cause.items() if joules},
        "seconds": report.time / images,
    }


def main() -> None:
    """Run, print, keep."""
    known = machines()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("machines", nargs="*", metavar="MACHINE", help=f"of {', '.join(known)} (default: all)")
    parser.add_argument("--images", type=int, default=10_000, help="test images (default: all %(default)s)")
    parser.add_argument("--seeds", type=int, default=1, help="chips that are programmed (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out/crossbar_digits"), help="folder for crossbar_digits.json")
    options = parser.parse_args()
    if unknown := set(options.machines) - set(known):
        parser.error(f"no machine {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if not 0 < options.images <= len(mnist.images()):
        parser.error(f"--images {options.images}: expected 1 to {len(mnist.images())}")

    options.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"spinnaker2": on_spinnaker2(options.images), "machines": []}
    for name in options.machines or known:
        found["machines"].append(on_crossbar(name, known[name], options.images, options.seeds))
        (options.out / "crossbar_digits.json").write_text(json.dumps(found, indent=1) + "\n")
    for row in ({"machine": "SpiNNaker2", **found["spinnaker2"]}, *found["machines"]):
        energy, time = row["joules"] * 1e6, row["seconds"] * 1e6
        print(f"{row['machine']}: {row['accuracy']:.2%}, {energy:.3g} uJ and {time:,.4g} us an image (model)")


if __name__ == "__main__":
    main()
