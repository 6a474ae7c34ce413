"""Crossbars: networks on arrays that multiply in memory.

Data flows from :mod:`.machine` (arrays, devices, effects) through :mod:`.plan` (weights into arrays), :mod:`.cells`
(what they hold) and :mod:`.converters` (ranges) to :mod:`.reads` (a run), :mod:`.costs` and :mod:`.results` (what users
see).
"""

from .converters.calibrate import calibrate
from .converters.ranges import Ranges
from .machine.effects import Effects, Verify
from .machine.machine import CrossbarMachine, load_machine, machine_names
from .machine.number_formats import with_formats
from .reads.ledger import Counts
from .results.report import CrossbarReport
from .results.study import study
from .results.study_table import Study
from .target import Crossbar

__all__ = [
    "Counts",
    "Crossbar",
    "CrossbarMachine",
    "CrossbarReport",
    "Effects",
    "Ranges",
    "Study",
    "Verify",
    "calibrate",
    "load_machine",
    "machine_names",
    "study",
    "with_formats",
]
