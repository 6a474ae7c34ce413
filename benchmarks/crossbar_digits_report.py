"""What the examples of MNIST and Braille on crossbars found, as tables.

python examples/crossbar_digits.py --out benchmarks/results
python examples/crossbar_braille.py --out benchmarks/results
python benchmarks/crossbar_digits_report.py [FOLDER]    # put what FOLDER/crossbar_digits.json says into README
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine_report import markdown
from readme_blocks import RESULTS, put

Result = Mapping[str, Any]

SHOWN = {
    "digital": "digital",
    "ideal": "exact cells and converters",
    "levels and converters": "levels and converters",
    "all": "all errors",
    "all, after 1 second": "1 s later",
    "all, after 1 hour": "1 hour",
    "all, after 1 day": "1 day",
    "all, after 1 month": "1 month",
    "all, after 1 year": "1 year",
}
"""Lines of a study, and what the columns of the table are called."""
MACHINES = {
    "isaac": "ISAAC: 16 bits in 8 slices; RRAM as NeuRRAM's",
    "isaac_pairs": "ISAAC's arrays, pairs for 9 bits; the same RRAM",
    "isaac_flash": "ISAAC's arrays, pairs for 9 bits; flash",
    "m1076": "M1076",
    "wtm2101": "WTM2101, its integer rule",
    "nor_flash": "NOR flash, 4-bit pairs",
}

EGRU = (
    "64 EGRU units, trained in float32 without a thought of any machine, read 216 held-out touches; errors of cells "
    "right after programming where the machine has them:"
)


def summary(result: Result) -> str:
    """Accuracy of every machine, with and without errors, and later."""
    rows = []
    for machine in result["machines"]:
        found = {row["name"]: row for row in machine["rows"]}
        shown = (_percent(found[name]) for name in SHOWN)
        rows.append([MACHINES[machine["machine"]], f"{machine['images']:,}", *shown])
    return markdown(["accuracy, %", "images", *SHOWN.values()], rows)


def _percent(row: Mapping[str, Any]) -> str:
    spread = f" ± {100 * row['spread']:.1f}" if row["chips"] > 1 else ""
    return f"{100 * row['score']:.2f}{spread}"


def costs(result: Result) -> str:
    """Energy, time and area of an image on each machine."""
    chip = result["spinnaker2"]
    rows = [["SpiNNaker2, 62 PEs", *_energy(chip), "", ""]]
    for machine in result["machines"]:
        assumed = f"{machine['joules_assumed'] / machine['joules']:.0%}"
        area = f"{machine['area'] * 1e6:.3g} mm2 in {machine['arrays']} array{'s' if machine['arrays'] > 1 else ''}"
        rows.append([MACHINES[machine["machine"]], *_energy(machine), area, assumed])
    head = [
        "an image (models)",
        "energy",
        "time",
        "most of the energy",
        "area in use",
        "energy that rests on assumptions",
    ]
    return markdown(head, rows)


def _energy(row: Mapping[str, Any]) -> list[str]:
    joules, seconds = row["joules"] * 1e6, row["seconds"] * 1e6
    heaviest = sorted(row["joules_by_component"].items(), key=lambda item: -item[1])[:2]
    parts = ", ".join(f"{name} {share / row['joules']:.0%}" for name, share in heaviest)
    return [f"{joules:.3g} uJ", f"{seconds:,.4g} us", parts]


def braille(result: Result) -> str:
    """Accuracy, energy and time of the EGRU by target."""
    rows = []
    for row in result["braille"]:
        cost = ["", ""]
        if "chips" in row:
            cost = [
                f"{row['model_joules_per_sample'] * 1e6:.3g} uJ",
                f"{row['model_seconds_per_sample'] * 1e6:,.4g} us",
            ]
        title = {"ideal": "ideal crossbar"}.get(row["target"], row["target"])
        rows.append([title, f"{100 * row['accuracy']:.2f}", *cost, "none" if row["difference"] is None else "some"])
    return markdown(["EGRU, Braille letters", "accuracy, %", "energy of a touch", "time", "events that differ"], rows)


def about(result: Result) -> str:
    """What ran, and what is exact."""
    seeds = result["machines"][0]["seeds"]
    chips = f"; mean and standard deviation of {seeds} chips" if seeds > 1 else ""
    return (
        "The trained 784-128-64-10 integer network on the first of MNIST's test images; digital: the CPU and "
        f"SpiNNaker2; on exact cells and converters spikes are the same, bit for bit{chips}:"
    )


def readme(result: Result) -> str:
    """What README quotes."""
    return f"{about(result)}\n\n{summary(result)}\n\n{costs(result)}\n\n{EGRU}\n\n{braille(result)}"


def study(machine: Mapping[str, Any]) -> str:
    """Every line of one machine's study."""
    populations = list(machine["rows"][1]["differing"])
    rows = []
    for row in machine["rows"]:
        differing = [f"{row['differing'][name]:,}" if row["differing"] else "" for name in populations]
        saturated = f"{row['saturated']:,} of {row['conversions']:,}" if row["conversions"] else ""
        energy = "" if row["energy"] is None else f"{row['energy'] / machine['images'] * 1e6:.4g} uJ"
        rows.append([row["name"], _percent(row), *differing, saturated, energy])
    head = ["", "accuracy, %", *(f"{name} differs" for name in populations), "saturated conversions", "energy an image"]
    return markdown(head, rows)


def page(result: Result) -> str:
    """The whole report in Markdown."""
    parts = [
        "# MNIST on crossbar chips",
        about(result),
        summary(result),
        "Errors are those of programming, of reading and of drift that are published for a machine's cells, or for the "
        "closest that are: SONOS for flash, NeuRRAM's RRAM for ISAAC, whose paper has no measured cell. An error in "
        "the highest of eight slices weighs 16,384 times one in the lowest, so that such cells make 16-bit weights "
        "useless; pairs for the 9 bits that this network has bear them better, and flash cells well. This network was "
        "not trained for 4 bits; NOR flash cuts the largest 1 % of its weights, so that the others get finer levels.",
        costs(result),
        "Energies are exact counts times prices. M1076's and WTM2101's price of a read is fitted to the power of a "
        "full array's product, and this network fills a tenth of it; static and host power are not published. "
        "SpiNNaker2's figure holds the power that the chip draws whatever it does. So these are orders of magnitude.",
    ]
    parts += ["## An EGRU", EGRU, braille(result)]
    for machine in result["machines"]:
        parts += [f"## {MACHINES[machine['machine']]}", study(machine)]
    return "\n\n".join(parts) + "\n"


def read(path: Path) -> Result:
    """A result from its JSON, and that of the EGRU beside it."""
    rows: list[dict[str, Any]] = json.loads(path.with_name("crossbar_braille.json").read_text())
    return {**json.loads(path.read_text()), "braille": rows}


def main() -> None:
    """Write the page and README's part."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    result = read(folder / "crossbar_digits.json")
    (folder / "crossbar_digits.md").write_text(page(result))
    put("crossbar_digits_report.py", readme(result))


if __name__ == "__main__":
    main()
