"""The pipeline simulator: its speed, and DeiT-tiny on HG-PIPE beside what is published of it.

``python benchmarks/pipeline_simulator.py --out benchmarks/results`` takes about two minutes. Times are of the
processor, not of the clock on the wall, on one core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from time import process_time
from typing import Any

from neuromorph.mapping.pipeline.beside import Beside, beside
from neuromorph.mapping.pipeline.deadlock import DeadlockError
from neuromorph.mapping.pipeline.graph import Fifo, Loop, Run, Stage, StageGraph
from neuromorph.mapping.pipeline.simulate import closed, restarts, rooms, simulate
from neuromorph.mapping.pipeline.stepwise import walk
from neuromorph.mapping.pipeline.timing import RULES, Rules, Timing
from neuromorph.mapping.pipeline.transformer import (
    published,
    published_figures,
    published_rules,
    with_published_starts,
)

DESIGN = "deit-tiny-vck190"
HEADS = (1, 2, 3)
ROWS, MATRICES = ("qk.head{}", "softmax.head{}"), ("k.head{}.regrouped", "v.head{}.regrouped")
EXPERIMENTS: tuple[tuple[str, Mapping[str, int], str], ...] = (
    ("Q 6,272 a head", {"q.head{}": 6272}, "57,624"),
    ("Q 6,000", {"q.head{}": 6000}, "stuck"),
    ("residual 9,408", {"residual": 9408}, "57,624"),
    ("residual 9,000", {"residual": 9000}, "60,091"),
    ("scores 2", {"qk.head{}": 2}, "77,720"),
    ("regrouped K 2", {"k.head{}.regrouped": 2}, "108,829"),
    ("transposed V 2", {"v.head{}.regrouped": 2}, "110,921"),
    ("softmax 2", {"softmax.head{}": 2}, "57,624"),
    ("weighted V 2", {"rv.head{}": 2}, "101,724"),
    ("scores, softmax, K, V: 2", dict.fromkeys((*ROWS, *MATRICES), 2), "130,709"),
    ("scores, softmax, K, V: 64", dict.fromkeys((*ROWS, *MATRICES), 64), "108,830"),
    ("scores, softmax 196, K, V 448", dict.fromkeys(ROWS, 196) | dict.fromkeys(MATRICES, 448), "57,624"),
)
"""Depths of FIFOs of one attention, and the interval in an independent simulator of ideal pipelines."""


def run(graph: StageGraph, items: int, rules: Rules = RULES) -> tuple[Timing, float]:
    """A run, and its seconds on one core."""
    began = process_time()
    timing = simulate(graph, items, rules)
    return timing, process_time() - began


def depths(changes: Mapping[str, int]) -> dict[str, int]:
    """Depths by name of FIFO in the first attention; ``{}`` stands for every head."""
    return {f"attn0.{name.format(head)}": depth for name, depth in changes.items() for head in HEADS}


def compare(graph: StageGraph, ten: Timing, limited: Timing) -> list[dict[str, Any]]:
    """Ours beside the published figures, blocks alone included."""
    figures = published_figures(DESIGN)
    rows = list(beside(ten, figures, limited).rows)
    for block, key in (("attn0", "attention"), ("mlp0", "perceptron"), ("patch_embed", "patches"), ("head", "head")):
        alone = simulate(graph.part(block), 6, published_rules(DESIGN))
        constant = figures[f"figures.interval_{key}_rtl"]
        rows.append(Beside(f"{block} alone, interval", alone.interval, constant.si, "cycles", constant.source))
    return [asdict(row) for row in rows]


def experiment(graph: StageGraph) -> list[dict[str, str]]:
    """One attention of ideal pipelines with FIFOs of other depths."""
    whole = simulate(graph.part("attn0"), 3, Rules(0, 0, 0, "ideal"))
    rows = []
    for name, changes, other in EXPERIMENTS:
        try:
            ours = f"{whole.retime(depths(changes)).interval:,}"
        except DeadlockError as error:
            ours = f"stuck, at {', '.join(fifo for fifo in error.full if 'q.head' in fifo)} among {len(error.cycle)}"
        rows.append({"depths": name, "ours": ours, "independent": other})
    return rows


def chain(stages: int, count: int) -> StageGraph:
    """A graph that the plain walk can follow: stages that pass on tokens."""
    told = tuple(
        Stage(f"s{k}", "pass", (Loop((Run(count, (0,), (0,)),), 1, 1 + k % 5),), (f"f{k}",), (f"f{k + 1}",))
        for k in range(stages)
    )
    return StageGraph("chain", told, tuple(Fifo(f"f{k}", 2, 8) for k in range(stages + 1)))


def speed(graph: StageGraph, ten: Timing, seconds: float, build: float) -> dict[str, float]:
    """Seconds and rates of the whole network, of retiming, and of the plain walk."""
    tokens = sum(graph.tokens(fifo.name) for fifo in graph.fifos)
    one, alone = run(graph, 1, Rules(restart=1))
    began = process_time()
    one.retime({"attn0.qk.head1": 300})
    again = process_time() - began
    began = process_time()
    one.retime({"attn0.residual": 10_000})
    same = process_time() - began
    small = chain(12, 200)
    timing, compiled = run(small, 2)
    whole = closed(small)
    began = process_time()
    walked = walk(whole, rooms(whole, timing.rules), 2, restart=restarts(whole, timing.rules))
    plain = process_time() - began
    if walked.end["s11"] != timing.end[11].tolist():
        raise AssertionError(f"the walk and the run disagree: {walked.end['s11']}, {timing.end[11].tolist()}")
    walked_tokens = 2 * sum(small.tokens(fifo.name) for fifo in small.fifos)
    return {
        "stages": len(graph.stages),
        "fifos": len(graph.fifos),
        "tokens_an_image": tokens,
        "iterations_an_image": ten.iterations / ten.items,
        "build_s": build,
        "one_image_s": alone,
        "ten_images_s": seconds,
        "tokens_a_second": ten.items * tokens / seconds,
        "retime_one_image_s": again,
        "retime_never_full_s": same,
        "walk_tokens_a_second": walked_tokens / plain,
        "chain_tokens_a_second": walked_tokens / compiled,
    }


def page(rows: list[dict[str, Any]], tried: list[dict[str, str]], fast: Mapping[str, float], ten: Timing) -> str:
    """All of it as Markdown."""
    peaks = ten.peaks
    lines = [
        "DeiT-tiny as HG-PIPE lays it out on a VCK190: ten images, by the rules of its machine file:",
        f"{ten.rules}.",
        "Cycles unless said otherwise. These rules were chosen knowing the",
        "figures of the RTL. An image behind others also depends on how far stages may be ahead. That transposing",
        "V is at most two images ahead of its cache is an assumption that the log supports and the RTL does not",
        "state (its FIFO of start tokens is 4 deep); with it, image 9 is fitted and no prediction.",
        "",
        "| | ours | published | difference | source |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['what']} | {row['here']:,.0f} | {row['published']:,.0f} | {row['here'] / row['published'] - 1:+.2%} "
        f"| {row['source']} |"
        for row in rows
    ]
    lines += [
        "",
        "Most tokens in a FIFO over the ten images: residual of a perceptron "
        f"{max(peaks[f'mlp{k}.residual'] for k in range(12))} (the sources say 300), residual of an attention "
        f"{max(peaks[f'attn{k}.residual'] for k in range(12)):,}, Q of a head "
        f"{max(peaks[f'attn{k}.q.head{h}'] for k in range(12) for h in HEADS):,}.",
        "",
        "## Too shallow FIFOs in one attention",
        "",
        "Ideal pipelines, no register places; the interval, beside that of an independent simulator.",
        "",
        "| depths | ours | independent |",
        "|---|---|---|",
        *(f"| {row['depths']} | {row['ours']} | {row['independent']} |" for row in tried),
        "",
        "## Speed, one core",
        "",
        "| | |",
        "|---|---|",
        f"| stages, FIFOs | {fast['stages']:,}, {fast['fifos']:,} |",
        f"| tokens, iterations an image | {fast['tokens_an_image']:,}, {fast['iterations_an_image']:,.0f} |",
        f"| the graph from its design | {fast['build_s']:.2f} s |",
        f"| one image | {fast['one_image_s']:.2f} s |",
        f"| ten images | {fast['ten_images_s']:.1f} s, {fast['tokens_a_second'] / 1e6:.1f} million tokens/s |",
        f"| one image again with another depth | {fast['retime_one_image_s']:.2f} s |",
        f"| the same of a FIFO that was never full | {fast['retime_never_full_s']:.2f} s |",
        f"| a chain of 12 stages, 200 tokens: compiled | {fast['chain_tokens_a_second'] / 1e6:.1f} million tokens/s |",
        f"| the same: cycle by cycle in Python | {fast['walk_tokens_a_second']:,.0f} tokens/s |",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Run, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, help="folder for pipeline_simulator.md and .json")
    chosen = parser.parse_args(arguments)
    simulate(chain(2, 2))  # compiles
    began = process_time()
    design, parallel, fifo_depths = published(DESIGN)
    graph = design.graph(parallel, fifo_depths)
    build = process_time() - began
    rules = published_rules(DESIGN)
    ten, seconds = run(graph, 10, rules)
    limited, _ = run(with_published_starts(DESIGN, graph), 10, rules)
    rows = compare(graph, ten, limited)
    tried = experiment(graph)
    fast = speed(graph, ten, seconds, build)
    told = page(rows, tried, fast, ten)
    print(told)
    if chosen.out:
        chosen.out.mkdir(parents=True, exist_ok=True)
        (chosen.out / "pipeline_simulator.md").write_text(told)
        found = {"published": rows, "depths": tried, "speed": fast}
        (chosen.out / "pipeline_simulator.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
