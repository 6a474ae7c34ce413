"""Pipelines on boards: resources beside published ones, parallelism under budgets, the smallest FIFOs of an attention.

    python benchmarks/pipeline_balance.py [--parts resources,balance,zcu102,depths] [--out benchmarks/results]

Resources are estimates by the shapes of LUTs, DSPs and memories, fitted to nothing; published are HG-PIPE's. Every
balanced design runs in the simulator with its own FIFO depths: interval and first image are those of the run. On ZCU102
a quarter of DeiT-tiny's layers is laid out, and an image goes through it four times: a reading of "part of the network"
that gives the published rate, not a published design. FIFOs are made as shallow as the interval allows under the rules
of an ideal pipeline without register places. Times are CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine_report import machine as computer
from engine_report import markdown

from neuromorph.mapping.constants import load_constants
from neuromorph.mapping.pipeline.balance import Balanced, Budget, balance
from neuromorph.mapping.pipeline.board import load_board
from neuromorph.mapping.pipeline.depths import smallest_depths
from neuromorph.mapping.pipeline.resources import resources
from neuromorph.mapping.pipeline.simulate import simulate
from neuromorph.mapping.pipeline.timing import Rules
from neuromorph.mapping.pipeline.transformer import TransformerDesign, published

NAME = "deit-tiny-vck190"
KINDS = {"luts": "LUT", "dsps": "DSP", "block_rams": "BRAM", "ultra_rams": "URAM"}
PASSES = 4
"""Times that an image goes through the part of the network that ZCU102 holds."""

RESOLUTION = 16
"""Tokens within which a FIFO's depth is the smallest."""


def resource_rows() -> list[dict[str, Any]]:
    """Blocks and the whole, ours beside what is published."""
    design, parallel, depths = published(NAME)
    ours = resources(design, parallel, "vck190", depths).to_dict()
    known = load_constants("pipeline_published")
    return [
        {
            "block": block,
            "ours": {kind: ours[block][kind] for kind in KINDS},
            "published": {kind: known[f"{block}.{kind}"].value for kind in KINDS if f"{block}.{kind}" in known},
        }
        for block in ("attn0", "mlp0", "patch_embed", "head", "all")
    ]


def told(what: str, seconds: float, found: Balanced) -> dict[str, Any]:
    """A balanced design and its run."""
    timing = simulate(found.graph(), 3)
    return {
        "case": what,
        **found.to_dict(),
        "simulated": timing.interval,
        "first": int(timing.latency[0]),
        "seconds": seconds,
    }


def balance_rows() -> list[dict[str, Any]]:
    """The published network under several budgets."""
    design, parallel, depths = published(NAME)
    same = resources(design, parallel, "vck190", depths).total
    cases: dict[str, dict[str, Any]] = {
        "all that the published design takes": {"budget": Budget.of(same)},
        "its multipliers and LUTs": {"budget": Budget(multipliers=same.multipliers, luts=same.luts)},
        "its multipliers": {"budget": Budget(multipliers=same.multipliers)},
        "half its LUTs": {"budget": Budget(luts=same.luts / 2)},
        "4,000 images/s": {"rate": 4000},
        "VCK190": {},
    }
    rows = []
    for what, options in cases.items():
        began = time.process_time()
        found = balance(design, "vck190", **options)
        rows.append(told(what, time.process_time() - began, found))
    timing = simulate(design.graph(parallel, depths), 3)
    whole = resources(design, parallel, "vck190", depths).to_dict()["all"]
    rows.append(
        {
            "case": "published parallelism and depths",
            "interval": max(stage.trips for stage in design.graph(parallel, depths).stages),
            "simulated": timing.interval,
            "first": int(timing.latency[0]),
            "resources": whole,
            "rate": load_board("vck190").clock / timing.interval,
        }
    )
    return rows


def zcu102_row() -> dict[str, Any]:
    """A quarter of the layers on ZCU102, four times over for an image."""
    whole, _, _ = published(NAME)
    part = replace(whole, shape=replace(whole.shape, blocks=whole.shape.blocks // PASSES))
    assert isinstance(part, TransformerDesign)
    operations = 2 * sum(operator.products for operator in whole.operators)
    board = load_board("zcu102")
    slow = 57_624
    rows = []
    for what, options in (("published interval", {"interval": slow}), ("the board's all", {})):
        began = time.process_time()
        found = balance(part, board, **options)  # type: ignore[arg-type]
        row = told(what, time.process_time() - began, found)
        images = board.clock / (PASSES * row["simulated"])
        luts = row["resources"]["luts"]
        rows.append({**row, "images": images, "efficiency": images * operations / 1e9 / (luts / 1e3)})
    return {"rows": rows, "published": load_constants("pipeline_published")["zcu102.efficiency"].value}


def depth_rows() -> dict[str, Any]:
    """One attention block with FIFOs as shallow as they can be."""
    design, parallel, depths = published(NAME)
    graph = design.graph(parallel, depths).part("attn0")
    began = time.process_time()
    found = smallest_depths(graph, resolution=RESOLUTION, rules=Rules(0, 0, 0, "ideal"), progress=True)
    return {
        "interval": found.interval,
        "bits_before": found.bits_before,
        "bits": found.bits,
        "runs": found.runs,
        "seconds": time.process_time() - began,
        "fifos": [
            {"name": fifo.name, "published": fifo.depth, "smallest": found.depths[fifo.name]}
            for fifo in graph.fifos
            if fifo.name in found.depths and (fifo.depth > 2 or found.depths[fifo.name] > 2)
        ],
    }


PARTS: dict[str, Callable[[], Any]] = {
    "resources": resource_rows,
    "balance": balance_rows,
    "zcu102": zcu102_row,
    "depths": depth_rows,
}


def page(result: dict[str, Any]) -> str:
    """What was found, as Markdown."""
    where = result["machine"]
    parts = ["# Pipelines on boards", f"{where['processor']}, {where['date']}."]
    if "resources" in result:
        head = ["block", *(f"{kind}, {whose}" for kind in KINDS.values() for whose in ("ours", "published", "off"))]
        parts += ["## Resources of HG-PIPE's DeiT-tiny", markdown(head, [_beside(row) for row in result["resources"]])]
    if "balance" in result:
        head = [
            "budget",
            "interval",
            "simulated",
            "images/s",
            "first image",
            *KINDS.values(),
            "multipliers",
            "CPU time",
        ]
        parts += ["## Balanced for VCK190", markdown(head, [_balanced(row) for row in result["balance"]])]
    if "zcu102" in result:
        head = ["a quarter of the layers at", "interval", "images/s", "LUT", "GOP/s a thousand LUTs"]
        rows = [
            [
                row["case"],
                f"{row['simulated']:,}",
                f"{row['images']:,.0f}",
                f"{row['resources']['luts']:,.0f}",
                f"{row['efficiency']:.1f}",
            ]
            for row in result["zcu102"]["rows"]
        ]
        rows.append(["published", "", "", "", f"{result['zcu102']['published']}"])
        parts += ["## A part on ZCU102", markdown(head, rows)]
    if "depths" in result:
        found = result["depths"]
        rows = [[row["name"], f"{row['published']:,}", f"{row['smallest']:,}"] for row in found["fifos"]]
        parts += [
            "## The smallest FIFOs of an attention block",
            f"Interval {found['interval']:,} cycles; {found['bits_before']:,} bits before, {found['bits']:,} after; "
            f"{found['runs']} runs, {found['seconds']:.0f} s.",
            markdown(["FIFO", "published", "smallest"], rows),
        ]
    return "\n\n".join(parts) + "\n"


def _beside(row: dict[str, Any]) -> list[str]:
    cells = [row["block"]]
    for kind in KINDS:
        ours, known = row["ours"][kind], row["published"].get(kind)
        off = f"{ours / known - 1:+.1%}" if known else ""
        cells += [f"{ours:,.10g}", "" if known is None else f"{known:,.10g}", off]
    return cells


def _balanced(row: dict[str, Any]) -> list[str]:
    taken = row["resources"]
    return [
        row["case"],
        f"{row['interval']:,}",
        f"{row['simulated']:,}",
        f"{row['rate']:,.0f}",
        f"{row['first']:,}",
        *(f"{taken[kind]:,.0f}" for kind in KINDS),
        f"{taken['multipliers']:,.0f}",
        f"{row['seconds']:.1f} s" if "seconds" in row else "",
    ]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks"))
    given = parser.parse_args()
    result = {"machine": computer()} | {part: PARTS[part]() for part in given.parts.split(",")}
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "pipeline_balance.json").write_text(json.dumps(result, indent=1) + "\n")
    (given.out / "pipeline_balance.md").write_text(page(result))
    print(page(result))


if __name__ == "__main__":
    main()
