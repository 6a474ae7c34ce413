"""Crossbars: networks on arrays that multiply in memory.

Beside what is listed here: ``devices`` (measured cells), ``chip`` (what cells hold), ``wires`` (IR drop), ``array``
(products of whole batches), ``check`` (an independent check of plans), ``figures`` (pictures).
"""

from .calibrate import calibrate
from .effects import Effects, Verify
from .ledger import Counts
from .machine import CrossbarMachine, load_machine, machine_names
from .ranges import Ranges
from .report import CrossbarReport
from .study import study
from .study_table import Study
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
]
