"""Map a network onto SpiNNaker2, crossbars or a pipeline without running it, and report what it needs."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from neuromorph.cli.source import CHIP_OPTIONS, add_chip_arguments, add_source_arguments, chip_target, load
from neuromorph.errors import TargetError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``neuromorph map``."""
    add_source_arguments(parser)
    parser.add_argument("--target", choices=tuple(CHIP_OPTIONS), default="spinnaker2")
    add_chip_arguments(parser)
    parser.add_argument("--figures", type=Path, metavar="FOLDER", help="draw the mapping there (needs matplotlib)")


def run(options: argparse.Namespace) -> int:
    """Map and report."""
    if options.figures:
        _check_figures(options.figures)
    machine = chip_target(options)
    job = load(options)
    if job.note:
        print(job.note)
    program = machine.compile(job.network, dt=job.dt)
    print(program.report())
    if options.figures:
        for path in _figures(options.target, program, options.figures):
            print(path)
    return 0


def _check_figures(folder: Path) -> None:
    """That figures can be drawn into a folder, rather than after what may be minutes of mapping."""
    if folder.exists() and not folder.is_dir():
        raise TargetError(f"--figures {folder}: is a file; give a folder")
    if find_spec("matplotlib") is None:
        raise TargetError(f"--figures {folder}: needs matplotlib; pip install 'neuromorph[plot]'")


def _figures(target: str, program: Any, folder: Path) -> list[Path]:
    if target == "spinnaker2":
        from neuromorph.mapping.figures import save_mapping_figures

        return save_mapping_figures(program, folder)
    if target == "pipeline":
        from neuromorph.mapping.pipeline.figures import save_figure
        from neuromorph.mapping.pipeline.report import report

        folder.mkdir(parents=True, exist_ok=True)
        found = program.schedule()
        return [save_figure(found.timing, report(found.timing, found.plan.board.clock), folder / "pipeline.png")]
    from neuromorph.mapping.crossbar.results.figures import save_figures

    return save_figures(program.report(), folder)
