"""Traces: what a run recorded, in memory or as one SONATA file, and what can be read out of it.

Beside what is listed here: ``analysis`` (statistics), ``plots`` (pictures), ``export`` (Neo, pandas, npz).
"""

from . import analysis, export, plots
from .compare import Comparison, Difference, compare, first_difference
from .events import Events, States
from .file import FileSink
from .joined import joined
from .memory import MemorySink
from .sink import Recording, RunMeta, Sink
from .trace import Trace, open_trace

__all__ = [
    "Comparison",
    "Difference",
    "Events",
    "FileSink",
    "MemorySink",
    "Recording",
    "RunMeta",
    "Sink",
    "States",
    "Trace",
    "analysis",
    "compare",
    "export",
    "first_difference",
    "joined",
    "open_trace",
    "plots",
]
