"""Simulate a network laid out in space as a pipeline: interval, latency, bottleneck, stalls, FIFOs, memory.

Takes a published design, or a machine file of the same form (.toml). Schedules: hybrid, as the design says; fine, with
the smallest FIFOs that do not deadlock; coarse, operator by operator; all compares them, beside what was published.
"""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from neuromorph.errors import TargetError

if TYPE_CHECKING:
    from neuromorph.mapping.pipeline.graph import StageGraph

DESIGNS = {"deit-tiny": "deit-tiny-vck190"}
"""Names of networks, and the published design of each."""
SCHEDULES = ("hybrid", "fine", "coarse", "all")
DRAWN = (".png", ".svg", ".pdf")
"""What figures are written as."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``neuromorph pipeline``."""
    parser.add_argument("network", metavar="NETWORK", help=f"{', '.join(DESIGNS)}, or a design as .toml")
    parser.add_argument("--schedule", choices=SCHEDULES, default="hybrid", help="default: %(default)s")
    parser.add_argument("--items", type=int, default=3, metavar="N", help="images to simulate (default: %(default)s)")
    parser.add_argument("--trace", type=Path, metavar="FILE.json", help="for Perfetto or chrome://tracing")
    parser.add_argument("--csv", type=Path, metavar="FILE.csv", help="when each stage works on which item")
    parser.add_argument(
        "--level",
        choices=("stage", "operator", "block"),
        default="operator",
        help="what a track of --trace and a row of --csv is (default: %(default)s)",
    )
    parser.add_argument("--figure", type=Path, metavar="FILE.png", help="draw it there (needs matplotlib)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")


def run(options: argparse.Namespace) -> int:
    """Simulate, print, write."""
    from neuromorph.mapping.constants import load_constants
    from neuromorph.mapping.pipeline.comparison import compare_schedules
    from neuromorph.mapping.pipeline.figures import save_comparison
    from neuromorph.mapping.pipeline.transformer import published

    _check(options)
    name = _design(options.network)
    design, parallel, depths = published(name)
    figures = load_constants(name if isinstance(name, Path) else f"hgpipe_{name.replace('-', '_')}")
    graph = design.graph(parallel, depths)
    if options.schedule == "all":
        found = compare_schedules(graph, options.items, figures=figures, progress=True)
        print(json.dumps(found.to_dict(), indent=1) if options.json else found)
        _say([save_comparison(found, options.figure)] if options.figure else [], options)
        return 0
    clock = figures.si("figures.clock") if "figures.clock" in figures else None
    _one(_scheduled(graph, options.schedule), clock, options)
    return 0


def _one(graph: StageGraph, clock: float | None, options: argparse.Namespace) -> None:
    """One schedule: its report, and the files that are wanted of it."""
    from neuromorph.mapping.pipeline.figures import save_figure
    from neuromorph.mapping.pipeline.report import report
    from neuromorph.mapping.pipeline.simulate import simulate
    from neuromorph.mapping.pipeline.timeline import largest, occupancy, trace_events, write_csv, write_trace

    shown = largest(graph) if options.trace or options.figure else ()
    timing = simulate(graph, options.items, record=shown, progress=True)
    found = report(timing, clock)
    print(json.dumps(found.to_dict(), indent=1) if options.json else found)
    filled = occupancy(timing) if shown else None
    written = []
    if options.trace:
        written.append(write_trace(trace_events(timing, options.level, clock=clock, filled=filled), options.trace))
    if options.csv:
        written.append(write_csv(timing, options.csv, options.level))
    if options.figure:
        written.append(save_figure(timing, found, options.figure, filled))
    _say(written, options)


def _say(written: list[Path], options: argparse.Namespace) -> None:
    """Name the files, but not where JSON is read."""
    if written and not options.json:
        print(*written, sep="\n")


def _scheduled(graph: StageGraph, schedule: str) -> StageGraph:
    from neuromorph.mapping.pipeline.schedule import coarse, fine

    if schedule == "fine":
        return fine(graph, progress=True)
    return coarse(graph) if schedule == "coarse" else graph


def _design(network: str) -> str | Path:
    if network.endswith(".toml"):
        return Path(network)
    if network not in DESIGNS:
        raise TargetError(
            f"{network!r} is no design that was published; there is {', '.join(DESIGNS)}, or give a machine file "
            "(.toml) of the form of mapping/machines/hgpipe_deit_tiny_vck190.toml"
        )
    return DESIGNS[network]


def _check(options: argparse.Namespace) -> None:
    """What cannot be done, rather than after what may be a minute of simulating."""
    if options.items < 2:
        raise TargetError(f"--items {options.items}: at least 2, as an interval lies between two")
    files = {"--trace": options.trace, "--csv": options.csv, "--figure": options.figure}
    for option, path in files.items():
        if path is not None and path.is_dir():
            raise TargetError(f"{option} {path}: is a folder; give a file")
        if path is not None and options.schedule == "all" and option != "--figure":
            raise TargetError(f"{option} shows one schedule; choose one with --schedule")
    if options.figure is not None and options.figure.suffix not in DRAWN:
        raise TargetError(f"--figure {options.figure}: expected a file that ends in {', '.join(DRAWN)}")
    if options.figure is not None and find_spec("matplotlib") is None:
        raise TargetError(f"--figure {options.figure}: needs matplotlib; pip install 'neuromorph[plot]'")
