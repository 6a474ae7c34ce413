"""Pipelines on boards: resources beside published ones, parallelism under budgets, the smallest FIFOs of an attention.

    python benchmarks/pipeline_balance.py [--parts resources,balance,small,words,zcu102,depths] [--out FOLDER]

Parts that are left out keep what the file in the folder has of them. Resources are estimates by the shapes of LUTs,
DSPs and memories, fitted to nothing; published are HG-PIPE's. Every balanced design runs in the simulator with its own
FIFO depths: interval and first image are those of the run, under the simulator's rules if nothing else is said, and
DeiT-tiny's interval also under those of the published design. DeiT-small runs with deeper FIFOs between its blocks,
too. The language model has the published shape and random weights. On ZCU102 a quarter of DeiT-tiny's layers is laid
out, and an image goes through it four times: a reading of "part of the network" that gives the published rate, not a
published design. FIFOs are made as shallow as the interval allows under the rules of an ideal pipeline without register
places. Times are CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import language_model_shape as shape
from engine_report import machine as computer
from engine_report import markdown

from neuromorph.errors import MappingError
from neuromorph.mapping.constants import load_constants
from neuromorph.mapping.pipeline.balance import Balanced, Budget, balance
from neuromorph.mapping.pipeline.board import load_board
from neuromorph.mapping.pipeline.depths import smallest_depths
from neuromorph.mapping.pipeline.resources import resources
from neuromorph.mapping.pipeline.simulate import simulate
from neuromorph.mapping.pipeline.target import Pipeline
from neuromorph.mapping.pipeline.timing import Rules
from neuromorph.mapping.pipeline.transformer import TransformerDesign, deit_small, published, published_rules
from neuromorph.units import ms

NAME = "deit-tiny-vck190"
KINDS = {"luts": "LUT", "dsps": "DSP", "block_rams": "BRAM", "ultra_rams": "URAM"}
PASSES = 4
"""Times that an image goes through the part of the network that ZCU102 holds."""

DEEPER = 4
"""Times that FIFOs between blocks are as deep in a second run of DeiT-small."""

WEIGHTS = ("float32", "int8")
"""How the language model's weights are kept."""

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


def told(what: str, seconds: float, found: Balanced, rules: Rules | None = None) -> dict[str, Any]:
    """A balanced design and its run, and the interval under other rules."""
    timing = simulate(found.graph(), 3)
    other = {} if rules is None else {"ruled": simulate(found.graph(), 3, rules=rules).interval}
    return other | {
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
        rows.append(told(what, time.process_time() - began, found, published_rules(NAME)))
    timing = simulate(design.graph(parallel, depths), 3)
    whole = resources(design, parallel, "vck190", depths).to_dict()["all"]
    rows.append(
        {
            "case": "published parallelism and depths",
            "interval": max(stage.trips for stage in design.graph(parallel, depths).stages),
            "simulated": timing.interval,
            "ruled": simulate(design.graph(parallel, depths), 3, rules=published_rules(NAME)).interval,
            "first": int(timing.latency[0]),
            "resources": whole,
            "rate": load_board("vck190").clock / timing.interval,
        }
    )
    return rows


def small_rows() -> list[dict[str, Any]]:
    """DeiT-small, whose weights block RAM alone cannot hold, with all of the board and with a share of it."""
    rows = []
    for what, budget in (("VCK190", None), ("95 % of it", Budget.share("vck190", 0.95))):
        began = time.process_time()
        found = balance(TransformerDesign(deit_small(196), 2), "vck190", budget=budget, progress=True)
        row = told(what, time.process_time() - began, found)
        graph = found.graph()
        deeper = {name: DEEPER * graph.fifo[name].depth for name in graph.fifo if name.endswith(".input")}
        taken = resources(found.design, found.parallel, "vck190", deeper)
        row["deeper"] = {
            "simulated": simulate(graph.with_depths(deeper), 3).interval,
            "resources": taken.to_dict()["all"],
            "fits": not taken.excess(),
        }
        rows.append(row)
    return rows


def words_rows() -> list[dict[str, Any]]:
    """The language model of the published shape; an item is a word."""
    network = shape.model().network(shape.ids())
    rows = []
    for weights in WEIGHTS:
        began = time.process_time()
        try:
            target = Pipeline("vck190", weights=None if weights == "float32" else weights)  # type: ignore[arg-type]
            plan = target.map(network, dt=1 * ms, allow_memory=True)
        except MappingError as error:
            rows.append({"case": weights, "error": str(error)})
            continue
        rows.append(
            {
                "case": weights,
                "interval": plan.interval,
                "rate": plan.board.rate(1) / plan.interval,
                "first": int(plan.timing.latency[0]),
                "resources": plan.resources.to_dict()["all"],
                "seconds": time.process_time() - began,
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
    "small": small_rows,
    "words": words_rows,
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
            "published rules",
            "images/s",
            "first image",
            *KINDS.values(),
            "multipliers",
            "CPU time",
        ]
        parts += ["## Balanced for VCK190", markdown(head, [_balanced(row) for row in result["balance"]])]
    if "small" in result:
        head = [
            "DeiT-small on",
            "interval",
            "simulated",
            "images/s",
            "first image",
            *KINDS.values(),
            "multipliers",
            "CPU time",
        ]
        head.insert(3, f"FIFOs between blocks {DEEPER} times as deep")
        parts += [
            "## DeiT-small",
            "3 bits. Block RAM cannot hold its weights; memories are in block RAM, UltraRAM or LUTs, so that all fits.",
            markdown(head, [_small(row) for row in result["small"]]),
        ]
    if "words" in result:
        head = ["weights", "interval", "words/s", "first word", *KINDS.values(), "CPU time"]
        parts += [
            "## The language model of the published shape on VCK190",
            markdown(head, [_words(row) for row in result["words"]]),
        ]
        parts += [f"{row['case']}: {row['error']}." for row in result["words"] if "error" in row]
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
        f"{row['ruled']:,}",
        f"{row['rate']:,.0f}",
        f"{row['first']:,}",
        *(f"{taken[kind]:,.0f}" for kind in KINDS),
        f"{taken['multipliers']:,.0f}",
        f"{row['seconds']:.1f} s" if "seconds" in row else "",
    ]


def _small(row: dict[str, Any]) -> list[str]:
    taken, deeper = row["resources"], row["deeper"]
    return [
        row["case"],
        f"{row['interval']:,}",
        f"{row['simulated']:,}",
        f"{deeper['simulated']:,}" + ("" if deeper["fits"] else ", which does not fit"),
        f"{load_board('vck190').rate(row['simulated']):,.0f}",
        f"{row['first']:,}",
        *(f"{taken[kind]:,.0f}" for kind in KINDS),
        f"{taken['multipliers']:,.0f}",
        f"{row['seconds']:.1f} s",
    ]


def _words(row: dict[str, Any]) -> list[str]:
    if "error" in row:
        return [row["case"], "does not fit", "", "", *("" for _ in KINDS), ""]
    return [
        row["case"],
        f"{row['interval']:,.10g}",
        f"{row['rate']:,.0f}",
        f"{row['first']:,}",
        *(f"{row['resources'][kind]:,.0f}" for kind in KINDS),
        f"{row['seconds']:.1f} s",
    ]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    file = given.out / "pipeline_balance.json"
    kept = json.loads(file.read_text()) if file.exists() else {}
    result = kept | {"machine": computer()} | {part: PARTS[part]() for part in given.parts.split(",")}
    file.write_text(json.dumps(result, indent=1) + "\n")
    (given.out / "pipeline_balance.md").write_text(page(result))
    print(page(result))


if __name__ == "__main__":
    main()
