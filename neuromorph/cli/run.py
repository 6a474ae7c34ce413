"""Run a network from a script or a file on a target and keep its trace.

A script leaves a network of neuromorph, Brian 2 or Nengo in a global variable, or has a function ``network()`` that
makes one; what it guards with ``if __name__ == "__main__"`` is not run. Global variables ``dt`` and ``duration`` are
taken where the options are not given. A script that calls Brian 2's ``run()``, or runs a simulator of Nengo, ends
there: what it would run is run here.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from neuromorph.cli.source import (
    CHIP_OPTIONS,
    add_chip_arguments,
    add_source_arguments,
    chip_options,
    chip_target,
    load,
)

if TYPE_CHECKING:
    from neuromorph.engine import Target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``neuromorph run``."""
    add_source_arguments(parser)
    parser.add_argument("--target", choices=("cpu", "reference", *CHIP_OPTIONS), default="cpu")
    parser.add_argument(
        "--out", type=Path, default=Path("trace.h5"), help="where the trace goes (default: %(default)s)"
    )
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--threads", type=int, help="threads of the CPU target (default: chosen)")
    add_chip_arguments(parser)


def target(options: argparse.Namespace) -> Target:
    """The target that the options name."""
    if options.target in CHIP_OPTIONS:
        made: Target = chip_target(options, dtype=options.dtype)
        return made
    chip_options(options)  # says which options belong to another target
    if options.target == "reference":
        from neuromorph.engine import Reference

        return Reference(dtype=options.dtype, weights=options.weights)
    from neuromorph.engine import CPU

    return CPU(dtype=options.dtype, threads=options.threads, weights=options.weights)


def run(options: argparse.Namespace) -> int:
    """Compile, run, save, report."""
    from rich.console import Console

    from neuromorph.trace.file import refuse_foreign

    console = Console()
    refuse_foreign(str(options.out))  # rather than after what may be minutes of building
    chosen = target(options)
    job = load(options)
    if job.note:
        print(job.note)
    program = chosen.compile(job.network, dt=job.dt)
    trace = program.run(job.duration, out=options.out)
    print(program.report())
    console.print(f"{options.out}: {sum(trace.count(name) for name in trace.recorded_events)} events")
    return 0
