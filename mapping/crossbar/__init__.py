"""Crossbars: networks on arrays that multiply in memory."""

from .effects import Effects, Verify
from .ledger import Counts
from .machine import CrossbarMachine, load_machine, machine_names
from .target import Crossbar

__all__ = ["Counts", "Crossbar", "CrossbarMachine", "Effects", "Verify", "load_machine", "machine_names"]
