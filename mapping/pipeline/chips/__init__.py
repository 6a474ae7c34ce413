"""Layers that overlap in time on SpiNNaker2: a pipelined schedule across PEs and chips beside the step-by-step one."""

from .handshake import Handshake, Ways, handshake
from .partition import layer_partition
from .result import CAUSES, NAMES, Loop, Schedule, Schedules
from .schedules import schedules
from .work import Work, count_work

__all__ = [
    "CAUSES",
    "NAMES",
    "Handshake",
    "Loop",
    "Schedule",
    "Schedules",
    "Ways",
    "Work",
    "count_work",
    "handshake",
    "layer_partition",
    "schedules",
]
