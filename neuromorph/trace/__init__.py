"""Traces: what a run recorded, in memory or as one SONATA file, and what can be read out of it."""

from .memory import MemorySink
from .sink import Recording, RunMeta, Sink

__all__ = ["MemorySink", "Recording", "RunMeta", "Sink"]
