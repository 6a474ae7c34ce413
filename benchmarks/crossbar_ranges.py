"""What the choice of converters' ranges is worth: the trained MNIST network on crossbars, by bits, method and machine.

    python benchmarks/crossbar_ranges.py [bits] [machines] [--images N] [--out FOLDER]

The integer network classifies MNIST's 10,000 test images; in whole numbers it gets 95.32 % of them right. Ranges are
found from the first 300 images, without their labels. Writes ``crossbar_ranges.json`` and ``crossbar_ranges.md`` into
the folder; about three minutes. ISAAC is left out: its ranges make no difference, it gets 95.32 % with any.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from engine_report import machine as computer
from engine_report import markdown

from neuromorph import ms
from neuromorph.mapping.crossbar import Crossbar, CrossbarMachine, Effects, Ranges, calibrate, load_machine
from neuromorph.mapping.crossbar.machine.m1076 import m1076
from neuromorph.models import mnist

STEPS = mnist.STEPS + mnist.LATENCY
SEEN = 300
METHODS = ("full", "max", "percentile", "mse")
CONVERTERS = Effects(quantise=True, dac=True, adc=True)
"""Cells as they are meant to be: what is left are levels and converters."""


def run(images: int) -> Callable[[Any], Any]:
    """Drives so many images through a program."""

    def drive(program: Any) -> Any:
        given = {"pixels": {"pixel": mnist.images()[:images]}}
        return program.run_batch(given, STEPS, window=(mnist.LATENCY, STEPS), progress=False)

    return drive


def ranges(target: Crossbar, method: str, per: str) -> Ranges | None:
    """Ranges of a target; None are those that cover every sum that can be."""
    if method == "full":
        return None
    return calibrate(target, mnist.classifier(), 1 * ms, run(SEEN), method=method, per=per)  # type: ignore[arg-type]


def measure(target: Crossbar, images: int, method: str, per: str = "matrix") -> dict[str, Any]:
    """Accuracy and saturation of the network on a target."""
    found = ranges(target, method, per)
    program = replace(target, ranges=found).compile(mnist.classifier(), 1 * ms, progress=False)
    batch = run(images)(program)
    counts = program.counts
    return {
        "method": method,
        "per": per,
        "accuracy": 100.0 * float((batch.predictions("output") == mnist.labels()[:images]).mean()),
        "saturated": float(counts.saturated.sum() / counts.conversions.sum()),
        "csnr_db": None if found is None else [float(x) if np.isfinite(x) else None for x in found.csnr_db[:, 0]],
        "codes": None if found is None else [round(1.0 / x) for x in found.input_scale.tolist()],
        "gains": None if found is None else sorted({float(x) for x in found.step.ravel()}),
    }


def by_bits(images: int) -> Iterator[dict[str, Any]]:
    """Arrays of 128 x 128 pairs of exact 8-bit cells, with ADCs of 3 to 8 bits."""
    plain = load_machine("m1076", rows=128, columns=256)
    for bits in range(3, 9):
        machine = replace(plain, adc=replace(plain.adc, bits=bits))
        target = Crossbar(machine, effects=CONVERTERS)
        for method, per in (*((m, "matrix") for m in METHODS), ("mse", "block")):
            yield {"bits": bits, **measure(target, images, method, per)}


def machines() -> Iterator[tuple[str, str | CrossbarMachine, str]]:
    """Machines, and how weights are clipped on them."""
    yield "WTM2101", "wtm2101", "max"
    yield "WTM2101, cells up to 255", load_machine("wtm2101", weight_bits=9), "max"
    yield "M1076, INT4", m1076("int4"), "max"
    yield "M1076, INT4, clipped weights", m1076("int4"), "mse"
    yield "M1076, INT8", m1076("int8"), "max"
    yield "M1076, INT16", m1076("int16"), "max"
    yield "NOR flash, 4 bits", "nor_flash", "max"
    yield "NOR flash, 4 bits, clipped weights", "nor_flash", "mse"


def by_machine(images: int, only: str) -> Iterator[dict[str, Any]]:
    """Every machine with exact cells, and with all that its cells suffer right after programming."""
    for name, machine, clip in machines():
        if not name.startswith(only):
            continue
        target = Crossbar(machine, clip=clip)  # type: ignore[arg-type]
        built = target.built
        everything = built.effects.with_(programming=True, read_noise=True, drift=True)
        for cells, effects in (("exact", CONVERTERS), ("real", everything)):
            for method in METHODS:
                if built.arithmetic == "wtm2101" and method in ("max", "percentile"):
                    continue  # gains are chosen for the least error
                yield {
                    "machine": name,
                    "cells": cells,
                    **measure(replace(target, effects=effects), images, method),
                }


def report(bits: list[dict[str, Any]], chips: list[dict[str, Any]], images: int) -> str:
    """The tables."""
    lines = ["# Ranges of crossbar converters", ""]
    lines += [
        f"{images:,} images; 95.32 % is exact. Accuracy in per cent, and conversions out of range.",
        "",
        "ADC bits of arrays of 128 x 128 pairs of exact 8-bit cells, by how ranges are found:",
        "",
    ]
    columns = [*((m, "matrix") for m in METHODS), ("mse", "block")]
    head, table = ["bits", "every sum that can be", "max", "percentile 99.9", "least error", "the same by block"], []
    for each in sorted({row["bits"] for row in bits}):
        found = {(row["method"], row["per"]): row for row in bits if row["bits"] == each}
        table.append([str(each), *(_cell(found[c]) for c in columns)])
    lines += [
        markdown(head, table),
        "",
        "Machines, with cells as they are meant to be and as they are right after programming:",
        "",
    ]
    head, table = ["machine", "cells", "every sum that can be", "max", "percentile 99.9", "least error"], []
    keys = list(dict.fromkeys((row["machine"], row["cells"]) for row in chips))
    for machine, cells in keys:
        found = {row["method"]: row for row in chips if (row["machine"], row["cells"]) == (machine, cells)}
        table.append([machine, cells, *(_cell(found[m]) if m in found else "" for m in METHODS)])
    lines += [markdown(head, table), ""]
    return "\n".join(lines)


def _cell(row: dict[str, Any]) -> str:
    return f"{row['accuracy']:.2f} ({100 * row['saturated']:.2g} %)"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["bits", "machines"], help="bits, machines; default: both")
    parser.add_argument("--machine", default="", help="only those whose name begins so; the others' figures are kept")
    parser.add_argument("--images", type=int, default=10000, help="of the test set")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the results")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "crossbar_ranges.json"
    data = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    data |= {"computer": computer(), "images": options.images}
    if "bits" in options.parts:
        data["bits"] = list(by_bits(options.images))
    for row in by_machine(options.images, options.machine) if "machines" in options.parts else ():
        key = ("machine", "cells", "method")
        others = [r for r in data.get("machines", []) if [r[k] for k in key] != [row[k] for k in key]]
        data["machines"] = [*others, row]
        path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")  # it takes long: keep what there is
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    if "bits" in data and "machines" in data:
        text = report(data["bits"], data["machines"], data["images"])
        (options.out / "crossbar_ranges.md").write_text(text, encoding="utf-8")
        print(text)


if __name__ == "__main__":
    main()
