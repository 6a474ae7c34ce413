"""Report what number formats make of the weights in a file: how many bits they take and how large the errors are.

Takes a script that makes a network, arrays (.npy, .npz), a state dict (.pt, .safetensors), a NIR graph (.nir), a SONATA
configuration (.json), a trace, whose graded events and recorded states are meant, or any other HDF5 file (.h5).
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from neuromorph.cli.source import load, quantity
from neuromorph.errors import FormatError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``neuromorph bits``."""
    parser.add_argument("source", type=Path, metavar="FILE")
    parser.add_argument("--network", metavar="NAME", help="which variable or function of a script, if it has several")
    parser.add_argument("--dt", type=quantity, help="step of a network whose delays are times (default: the script's)")
    parser.add_argument("--only", metavar="PATTERN", help="only arrays whose names match, e.g. '*.weight'")
    parser.add_argument(
        "--formats",
        metavar="NAMES",
        default="spark,int8,int4,float32",
        help="the first is told in full (default: %(default)s); spark-nearest, spark-twos, spark-unsigned, ...",
    )
    parser.add_argument(
        "--per-channel",
        type=int,
        nargs="?",
        const=True,
        default=False,
        metavar="AXIS",
        help="one scale for each output instead of one for the array; AXIS: the axis of outputs, if it is another",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw it there, .png, .svg or .pdf")


def run(options: argparse.Namespace) -> int:
    """Report."""
    from neuromorph.formats.report import bits_report, read_formats

    formats = read_formats(options.formats)
    if options.figure and find_spec("matplotlib") is None:
        raise FormatError(f"--figure {options.figure}: needs matplotlib; pip install 'neuromorph[plot]'")
    source, dt = _source(options)
    report = bits_report(
        source,
        formats=list(formats.values()),
        per_channel=options.per_channel,
        only=options.only,
        dt=dt,
        name=str(options.source),
    )
    print(report.to_json() if options.json else report)
    if options.figure:
        report.plot(options.figure)
    return 0


def _source(options: argparse.Namespace) -> tuple[Any, Any]:
    """What the file describes or holds, and the step of a network."""
    if options.source.suffix in (".py", ".json"):
        others = dict.fromkeys(("duration", "inputs", "reset", "method", "forward", "time_unit", "ignore"))
        job = load(argparse.Namespace(**{**others, **vars(options)}))
        return job.network, job.dt
    from neuromorph.formats.report import read_layers

    return read_layers(options.source), None
