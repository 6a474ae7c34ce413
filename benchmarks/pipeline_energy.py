"""Energy of pipelines on boards: the calibration, schedules, own networks, and what the assumptions are worth.

    python benchmarks/pipeline_energy.py [--parts calibration,designs,...] [--out benchmarks/results]

One power of such a design is published, and all prices are calibrated to it, so nothing here is a check of the model.
"From, to" is what the energy would be if the calibrated power was all work, all clock or all static, whichever gives
least and most; ratios of prices and the factors of ZCU102 are assumptions beyond that. The last table recalibrates with
other ratios of prices, and with other shares. Own networks are the EGRU and the spiking network that read Braille, with
products that go through all weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any, Literal

from engine_report import machine as computer
from engine_report import markdown

from neuromorph.mapping.constants import Constants, load_constants
from neuromorph.mapping.pipeline import Pipeline
from neuromorph.mapping.pipeline.actions import KINDS, Energy
from neuromorph.mapping.pipeline.balance import Budget, balance
from neuromorph.mapping.pipeline.comparison import compare_schedules
from neuromorph.mapping.pipeline.energy import TABLE, calibrate, energy
from neuromorph.mapping.pipeline.network.schedules import Schedule
from neuromorph.mapping.pipeline.simulate import simulate
from neuromorph.mapping.pipeline.timing import Timing
from neuromorph.mapping.pipeline.transformer import TransformerDesign, deit_small, published
from neuromorph.mapping.readable import joules
from neuromorph.models import braille_letters, classifier

NAME = "deit-tiny-vck190"
PRICES = load_constants(TABLE)
PASSES = 4
"""Times that an image goes through the part of the network that ZCU102 holds."""

KINDS_OF_CELLS: tuple[Literal["egru"], Literal["spiking"]] = ("egru", "spiking")

Pricer = Callable[..., Energy]


@cache
def known() -> tuple[Timing, Pricer]:
    """The published design: a run, and what prices it."""
    design, parallel, depths = published(NAME)
    return simulate(design.graph(parallel, depths), 3), partial(energy, design, parallel, board="vck190")


@cache
def designs() -> dict[str, tuple[Timing, Pricer, int]]:
    """Runs of other designs, what prices them, and passes of an image."""
    whole, _, _ = published(NAME)
    quarter = replace(whole, shape=replace(whole.shape, blocks=whole.shape.blocks // PASSES))
    small = TransformerDesign(deit_small(196), tile=2)
    cases: dict[str, tuple[TransformerDesign, str, dict[str, Any], int]] = {
        "DeiT-tiny, half the LUTs": (whole, "vck190", {"budget": Budget(luts=310_000)}, 1),
        "DeiT-tiny, 4,000 images/s": (whole, "vck190", {"rate": 4000}, 1),
        "DeiT-tiny, as fast as VCK190 holds": (whole, "vck190", {}, 1),
        "DeiT-small, as fast as VCK190 holds": (small, "vck190", {}, 1),
        "a quarter of DeiT-tiny's layers, ZCU102": (quarter, "zcu102", {"interval": 57_624}, PASSES),
    }
    found = {}
    for name, (design, board, options, passes) in cases.items():
        made = balance(design, board, **options)
        found[name] = simulate(made.graph(), 3), partial(energy, design, made.parallel, board=made.board), passes
    return found


def told(found: Energy, passes: int = 1) -> dict[str, Any]:
    """Figures of an image, which goes through ``passes`` times."""
    bounds = None if found.bounds is None else [value * passes for value in found.bounds]
    return {
        "rate": found.clock / found.interval / passes,
        "power": found.power,
        "item": found.item * passes,
        "bounds": bounds,
        "efficiency": found.efficiency,
        "by_part": {name: value * passes for name, value in found.by_part.items()},
        "notes": list(found.notes),
    }


def calibration() -> dict[str, Any]:
    """The published design at the rate that was measured, and at the simulated one; prices that give its power."""
    timing, price = known()
    power, rate = PRICES.si("calibration.power"), PRICES.si("calibration.rate")
    at_measured = price(timing, interval=price(timing).clock / rate)
    exact = calibrate(at_measured, power)
    return {
        "published": {
            "rate": rate,
            "power": power,
            "item": power / rate,
            "efficiency": PRICES.si("calibration.efficiency"),
        },
        "measured rate": told(at_measured),
        "simulated rate": told(price(timing)),
        "actions": at_measured.to_dict()["actions"],
        "prices": {
            name: {"here": PRICES[name].value, "calibrated": exact[name].value, "unit": exact[name].unit}
            for name in exact
            if name.partition(".")[0] in KINDS
        },
    }


def schedules() -> list[dict[str, Any]]:
    """The published design, hybrid, fine and coarse."""
    timing, price = known()
    found = compare_schedules(timing.graph, 3, energy=price, progress=True)
    rows = []
    for each in found.schedules:
        assert each.energy is not None
        rows.append({"schedule": each.name, "fits": each.energy.fits, **told(each.energy)})
    return rows


def other_designs() -> list[dict[str, Any]]:
    """Designs of which nothing is published."""
    return [{"design": name, **told(price(run), passes)} for name, (run, price, passes) in designs().items()]


def networks() -> list[dict[str, Any]]:
    """Own networks: pipelined and step by step."""
    rows = []
    for name, weights in product(KINDS_OF_CELLS, (None, "int8", "int4")):
        target = Pipeline("vck190", weights=weights)  # type: ignore[arg-type]
        plan = target.map(braille_letters.trained(name), dt=classifier.DT)
        energies = Schedule(plan, "stream").energies
        assert energies is not None
        for schedule, found in zip(("pipelined", "step by step"), energies, strict=True):
            rows.append(
                {
                    "network": name,
                    "weights": weights or "float32",
                    "schedule": schedule,
                    **told(found),
                }
            )
    return rows


def ratios() -> list[dict[str, Any]]:
    """Other ratios of prices and other shares, each calibrated to the published power: what other designs then take."""
    timing, price = known()
    cases: dict[str, Constants] = {"as in the file": PRICES}
    for name, changed in {
        "DSPs": ("work.dsp", "clock.dsp"),
        "bits moved": ("work.lut_bit", "work.block_bit", "work.ultra_bit"),
        "bits of block RAM and UltraRAM": ("work.block_bit", "work.ultra_bit", "clock.bram", "clock.uram"),
    }.items():
        for factor in (0.25, 4.0):
            entries = {key: replace(PRICES[key], value=PRICES[key].value * factor) for key in changed}
            cases[f"{name} x {factor:g}"] = Constants(PRICES.machine, {**PRICES.entries, **entries})
    for shares in ((0.7, 0.2, 0.1), (0.2, 0.3, 0.5)):
        entries = {
            f"share.{kind}": replace(PRICES[f"share.{kind}"], value=share)
            for kind, share in zip(KINDS, shares, strict=True)
        }
        cases["shares " + ", ".join(f"{kind} {share:g}" for kind, share in zip(KINDS, shares, strict=True))] = (
            Constants(PRICES.machine, {**PRICES.entries, **entries})
        )
    rows = []
    for name, table in cases.items():
        at = price(timing, prices=table)
        cycles = at.clock / PRICES.si("calibration.rate")
        exact = calibrate(price(timing, prices=table, interval=cycles), PRICES.si("calibration.power"))
        rows.append(
            {"prices": name}
            | {design: one(run, prices=exact).item * passes for design, (run, one, passes) in designs().items()}
        )
    return rows


PARTS: dict[str, Callable[[], Any]] = {
    "calibration": calibration,
    "schedules": schedules,
    "designs": other_designs,
    "networks": networks,
    "ratios": ratios,
}

HEAD = ("images/s", "power", "an image", "from, to", "GOP/s/W")


def _cells(row: dict[str, Any]) -> list[str]:
    span = " to ".join(joules(value) for value in row["bounds"]) if row.get("bounds") else ""
    gops = f"{row['efficiency'] / 1e9:.3g}"
    return [f"{row['rate']:,.0f}", f"{row['power']:.3g} W", joules(row["item"]), span, gops]


def page(result: dict[str, Any]) -> str:
    """What was found, as Markdown."""
    where = result["machine"]
    parts = [
        "# Energy of pipelines on boards",
        f"{where['processor']}, {where['date']}.",
        (__doc__ or "").split("\n\n")[2],
    ]
    if "calibration" in result:
        found = result["calibration"]
        rows = [[name, *_cells(found[name])] for name in ("published", "measured rate", "simulated rate")]
        parts += ["## The calibration: HG-PIPE's DeiT-tiny on VCK190", markdown(["", *HEAD], rows)]
        whole = found["measured rate"]["item"]
        rows = [
            [name, f"{each['count']:,.4g}", each["unit"], joules(each["joules"]), f"{each['joules'] / whole:.1%}"]
            for name, each in found["actions"].items()
        ]
        parts += ["An image at the measured rate:", markdown(["action", "count", "", "energy", "share"], rows)]
        rows = [
            [name, f"{each['here']:.4g}", f"{each['calibrated']:.4g}", each["unit"]]
            for name, each in found["prices"].items()
        ]
        parts += [
            "Prices in the file, and those that give the power exactly:",
            markdown(["price", "file", "exact", ""], rows),
        ]
    if "schedules" in result:
        rows = [
            [row["schedule"], *_cells(row), "" if row["fits"] else "more than the board has"]
            for row in result["schedules"]
        ]
        parts += ["## Schedules of that design", markdown(["schedule", *HEAD, ""], rows)]
    if "designs" in result:
        rows = [[row["design"], *_cells(row)] for row in result["designs"]]
        parts += ["## Other designs", markdown(["design", *HEAD], rows)]
    if "networks" in result:
        head = ["network", "weights", "schedule", "steps/s", "power", "a step", *HEAD[3:]]
        rows = [[*(row[key] for key in ("network", "weights", "schedule")), *_cells(row)] for row in result["networks"]]
        parts += [
            "## Own networks on VCK190",
            "Their arithmetic is of 32 bits, far from the 3 and 8 bits of the calibration; a small network leaves most "
            "of the board idle, so the static power, an assumption, decides.",
            markdown(head, rows),
        ]
    if "ratios" in result:
        names = list(result["ratios"][0])
        rows = [[row["prices"], *(joules(row[name]) for name in names[1:])] for row in result["ratios"]]
        parts += ["## An image, with other ratios and shares", markdown(names, rows)]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks"))
    given = parser.parse_args()
    result = {"machine": computer()} | {part: PARTS[part]() for part in given.parts.split(",")}
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "pipeline_energy.json").write_text(json.dumps(result, indent=1) + "\n")
    (given.out / "pipeline_energy.md").write_text(page(result))
    print(page(result))


if __name__ == "__main__":
    main()
