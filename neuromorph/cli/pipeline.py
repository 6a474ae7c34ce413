"""Simulate a network laid out in space as a pipeline: interval, latency, bottleneck, stalls, FIFOs, memory.

Takes a published design, or a machine file of the same form (.toml), which is run by its own rules and shown beside
what was published of it; or, with --board, --interval or --rate, the same network laid out anew for a board, as
deit-small always is. Schedules: hybrid, as the design says; fine, with the smallest FIFOs that do not deadlock; coarse,
operator by operator; all compares them.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from neuromorph.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuromorph.mapping.constants import Constants
    from neuromorph.mapping.pipeline.actions import Energy
    from neuromorph.mapping.pipeline.balance import Balanced
    from neuromorph.mapping.pipeline.graph import StageGraph
    from neuromorph.mapping.pipeline.timing import Rules, Timing
    from neuromorph.mapping.pipeline.transformer import TransformerDesign

DESIGNS = {"deit-tiny": "deit-tiny-vck190"}
"""Names of networks, and the published design of each."""
SHAPES = ("deit-small",)
"""Networks of which no design is published."""
BOARD = "vck190"
SCHEDULES = ("hybrid", "fine", "coarse", "all")
DRAWN = (".png", ".svg", ".pdf")
"""What figures are written as."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``neuromorph pipeline``."""
    parser.add_argument("network", metavar="NETWORK", help=f"{', '.join((*DESIGNS, *SHAPES))}, or a design as .toml")
    parser.add_argument("--schedule", choices=SCHEDULES, default="hybrid", help="default: %(default)s")
    parser.add_argument(
        "--items",
        type=int,
        default=5,
        metavar="N",
        help="images to simulate (default: %(default)s); from 10 on, image 9 is shown beside what was published",
    )
    parser.add_argument("--board", metavar="BOARD", help=f"lay it out for this board (default of the others: {BOARD})")
    parser.add_argument("--interval", type=int, metavar="CYCLES", help="lay it out for this interval, at most")
    parser.add_argument("--rate", type=float, metavar="N", help="lay it out for so many images a second, at least")
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
    from neuromorph.mapping.pipeline.comparison import compare_schedules
    from neuromorph.mapping.pipeline.figures import save_comparison

    _check(options)
    laid = _laid(options)
    if laid.balanced is not None and not options.json:
        print(laid.balanced.text(), end="\n\n")
    if options.schedule == "all":
        found = compare_schedules(
            laid.graph, options.items, laid.rules, figures=laid.figures, energy=laid.energy, progress=True
        )
        _print(laid, found.to_dict(), found, options)
        _say([save_comparison(found, options.figure)] if options.figure else [], options)
        return 0
    _one(laid, options)
    return 0


@dataclass(frozen=True)
class _Laid:
    """A network laid out: as published, with its machine file, or balanced."""

    graph: StageGraph
    rules: Rules
    clock: float | None
    energy: Callable[[Timing], Energy]
    figures: Constants | None = None
    published: str | Path | None = None
    balanced: Balanced | None = None


def _laid(options: argparse.Namespace) -> _Laid:
    from functools import partial

    from neuromorph.mapping.pipeline.energy import energy
    from neuromorph.mapping.pipeline.transformer import published, published_figures, published_rules

    name = _design(options.network)
    if name is None or any(each is not None for each in (options.board, options.interval, options.rate)):
        return _balanced(_shape(options.network) if name is None else published(name)[0], options)
    design, parallel, depths = published(name)
    figures = published_figures(name)
    clock = figures.si("figures.clock") if "figures.clock" in figures else None
    priced = partial(energy, design, parallel, board=BOARD)
    return _Laid(design.graph(parallel, depths), published_rules(name), clock, priced, figures, name)


def _balanced(design: TransformerDesign, options: argparse.Namespace) -> _Laid:
    from functools import partial

    from neuromorph.mapping.pipeline.balance import balance
    from neuromorph.mapping.pipeline.board import load_board
    from neuromorph.mapping.pipeline.energy import energy
    from neuromorph.mapping.pipeline.timing import RULES
    from neuromorph.progress import progress_for

    board = load_board(options.board or BOARD)
    with progress_for(True) as shown:
        shown.stage(f"{design.name}: balancing for {board.name}")
        found = balance(design, board, options.interval, rate=options.rate)
    priced = partial(energy, design, found.parallel, board=board)
    return _Laid(found.graph(), RULES, board.clock, priced, balanced=found)


def _shape(network: str) -> TransformerDesign:
    """A network without a published design, laid out as those are: the class token in place of the first patch."""
    from neuromorph.mapping.pipeline.transformer import TransformerDesign, deit_small

    assert network == "deit-small"
    return TransformerDesign(deit_small(196), tile=2)


def _one(laid: _Laid, options: argparse.Namespace) -> None:
    """One schedule: its report, and the files that are wanted of it."""
    from neuromorph.mapping.pipeline.figures import save_figure
    from neuromorph.mapping.pipeline.report import report
    from neuromorph.mapping.pipeline.simulate import simulate
    from neuromorph.mapping.pipeline.timeline import largest, occupancy, trace_events, write_csv, write_trace

    as_designed = options.schedule == "hybrid"
    graph = laid.graph if as_designed else _scheduled(laid, options.schedule)
    shown = largest(graph) if options.trace or options.figure else ()
    rules = laid.rules if as_designed else laid.rules.emptied()
    timing = simulate(graph, options.items, rules, record=shown, progress=True)
    if as_designed and laid.figures is not None:
        limited = _limited(laid, options.items)
        found = report(timing, laid.clock, figures=laid.figures, limited=limited, energy=laid.energy)
    else:
        found = report(timing, laid.clock, energy=laid.energy)
    _print(laid, found.to_dict(), found, options)
    filled = occupancy(timing) if shown else None
    written = []
    if options.trace:
        events = trace_events(timing, options.level, clock=laid.clock, filled=filled)
        written.append(write_trace(events, options.trace))
    if options.csv:
        written.append(write_csv(timing, options.csv, options.level))
    if options.figure:
        written.append(save_figure(timing, found, options.figure, filled))
    _say(written, options)


def _limited(laid: _Laid, items: int) -> Timing | None:
    """A run in which stages are no further ahead than the published design's file assumes, where that is shown."""
    from neuromorph.mapping.pipeline.beside import LATER
    from neuromorph.mapping.pipeline.simulate import simulate
    from neuromorph.mapping.pipeline.transformer import with_published_starts

    if laid.published is None or laid.figures is None or items <= LATER or "starts.ahead" not in laid.figures:
        return None
    return simulate(with_published_starts(laid.published, laid.graph), items, laid.rules, progress=True)


def _print(laid: _Laid, content: dict[str, object], found: object, options: argparse.Namespace) -> None:
    if options.json:
        chosen = {} if laid.balanced is None else {"balanced": laid.balanced.to_dict()}
        print(json.dumps({**content, **chosen}, indent=1))
    else:
        print(found)


def _say(written: list[Path], options: argparse.Namespace) -> None:
    """Name the files, but not where JSON is read."""
    if written and not options.json:
        print(*written, sep="\n")


def _scheduled(laid: _Laid, schedule: str) -> StageGraph:
    from neuromorph.mapping.pipeline.schedule import coarse, fine

    return fine(laid.graph, rules=laid.rules.emptied(), progress=True) if schedule == "fine" else coarse(laid.graph)


def _design(network: str) -> str | Path | None:
    """What :func:`published` takes; None of a network that has no published design."""
    if network.endswith(".toml"):
        return Path(network)
    if network not in (*DESIGNS, *SHAPES):
        raise TargetError(
            f"{network!r} is no network that is known here; there is {', '.join((*DESIGNS, *SHAPES))}, or give a "
            "machine file (.toml) of the form of mapping/machines/hgpipe_deit_tiny_vck190.toml"
        )
    return DESIGNS.get(network)


def _check(options: argparse.Namespace) -> None:
    """What cannot be done, rather than after what may be a minute of simulating."""
    if options.items < 2:
        raise TargetError(f"--items {options.items}: at least 2, as an interval lies between two")
    if options.interval is not None and options.rate is not None:
        raise TargetError("give --interval or --rate, not both")
    for option, number in (("--interval", options.interval), ("--rate", options.rate)):
        if number is not None and not number > 0:
            raise TargetError(f"{option} {number}: expected more than 0")
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
