"""Map a network onto SpiNNaker2 without running it, and report what it needs."""

from __future__ import annotations

import argparse
from pathlib import Path

from neuromorph.cli.source import add_chip_arguments, add_source_arguments, chip_options, load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``neuromorph map``."""
    add_source_arguments(parser)
    add_chip_arguments(parser)
    parser.add_argument("--figures", type=Path, metavar="FOLDER", help="draw the placement there (needs matplotlib)")


def run(options: argparse.Namespace) -> int:
    """Map and report."""

    from neuromorph.mapping.spinnaker2 import SpiNNaker2

    job = load(options)
    machine = SpiNNaker2(weights=options.weights, **chip_options(options))
    program = machine.compile(job.network, dt=job.dt)
    print(program.report())
    if options.figures:
        from neuromorph.mapping.figures import save_mapping_figures

        for path in save_mapping_figures(program, options.figures):
            print(path)
    return 0
