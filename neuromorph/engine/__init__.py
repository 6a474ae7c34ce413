"""Engines: what every target can do, the reference that defines a step, and the compiled CPU engine."""

from neuromorph.engine.checkpoint import Checkpoint
from neuromorph.engine.cpu import CPU, CPUProgram
from neuromorph.engine.reference_program import Reference, ReferenceProgram
from neuromorph.engine.report import CPUReport
from neuromorph.engine.target import Batch, Program, Report, Target

__all__ = [
    "CPU",
    "Batch",
    "CPUProgram",
    "CPUReport",
    "Checkpoint",
    "Program",
    "Reference",
    "ReferenceProgram",
    "Report",
    "Target",
]
