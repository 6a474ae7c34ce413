"""Crossbar machines as data: arrays, devices, effects, prices, and what is special about some chips.

:mod:`.machine` reads machine files; :mod:`.m1076` and :mod:`.wtm2101` hold what two commercial chips do in their own
way.
"""

from .devices import Device, load_device
from .effects import Effects, Verify
from .machine import Converter, CrossbarMachine, load_machine, machine_names

__all__ = [
    "Converter",
    "CrossbarMachine",
    "Device",
    "Effects",
    "Verify",
    "load_device",
    "load_machine",
    "machine_names",
]
