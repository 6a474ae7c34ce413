"""Send one run's events over simulated SpiNNaker2 under many encodings, and compare packets, bits, links and energy.

Runs the network, or takes the events of --trace, and replays every event as floats, ints and SPARK codes: one to a
packet, several to a packet, or behind a bitmap of the neurons that fired.
"""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path

from neuromorph.cli.source import add_source_arguments, load
from neuromorph.errors import TargetError

DRAWN = (".png", ".svg", ".pdf")
"""What figures are written as."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``neuromorph payloads``."""
    add_source_arguments(parser)
    parser.add_argument("--trace", type=Path, metavar="TRACE.h5", help="events of this network (default: run it)")
    parser.add_argument(
        "--encodings", metavar="NAMES", help="e.g. float32/single,spark/packed; others are compared with the first"
    )
    parser.add_argument("--rerun", action="store_true", help="run with each code's values, too, and compare events")
    parser.add_argument("--chips", type=int, help="how many (default: as many as needed)")
    parser.add_argument("--neurons-per-pe", type=int, metavar="N", help="at most (default: as many as memory holds)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there")
    parser.add_argument("--figure", type=Path, metavar="FILE.png", help="draw them there (needs matplotlib)")


def run(options: argparse.Namespace) -> int:
    """Run, replay, print."""
    from neuromorph.mapping.payloads import encodings, replay, reruns, save_figure
    from neuromorph.mapping.payloads.table import rerun_table
    from neuromorph.mapping.spinnaker2 import SpiNNaker2
    from neuromorph.trace import Trace

    names = None if options.encodings is None else [name.strip() for name in options.encodings.split(",")]
    encodings(names)  # rather than after what may be minutes of running
    _check_files(options.json, options.figure)
    target = SpiNNaker2(chips=options.chips, neurons_per_pe=options.neurons_per_pe)
    job = load(options)
    if job.note:
        print(job.note)
    program = target.compile(job.network, dt=job.dt)
    trace = program.run(job.duration) if options.trace is None else Trace(options.trace)
    with trace:
        found = replay(program, trace, names)
        again = reruns(job.network, job.dt, trace, found) if options.rerun else ()
    print(found)
    if options.rerun:
        print(rerun_table(again) if again else "\nevery code is exact: there is nothing to run again")
    if options.json:
        content = found.to_dict() | ({"reruns": [each.to_dict() for each in again]} if again else {})
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(options.json)
    if options.figure:
        print(save_figure(found, options.figure))
    return 0


def _check_files(numbers: Path | None, figure: Path | None) -> None:
    """That both can be written, rather than after what may be minutes of running."""
    for option, path in (("--json", numbers), ("--figure", figure)):
        if path is not None and path.is_dir():
            raise TargetError(f"{option} {path}: is a folder; give a file")
    if figure is not None and figure.suffix not in DRAWN:
        raise TargetError(f"--figure {figure}: expected a file that ends in {', '.join(DRAWN)}")
    if figure is not None and find_spec("matplotlib") is None:
        raise TargetError(f"--figure {figure}: needs matplotlib; pip install 'neuromorph[plot]'")
