"""Events that sensors recorded: readers of their files, binning, pooling, and sources for networks.

Every reader gives an :class:`EventStream`, or several; an error of a file is one :class:`~neuromorph.TraceError`.
"""

from neuromorph.events.aedat import aedat_chunks, read_aedat
from neuromorph.events.dvs_gesture import GESTURES, Gesture, dvs_gestures, read_dvs_gesture
from neuromorph.events.nmnist import read_nmnist
from neuromorph.events.pooling import pool
from neuromorph.events.shd import SpokenDigits, read_shd
from neuromorph.events.stream import EventStream, joined

__all__ = [
    "GESTURES",
    "EventStream",
    "Gesture",
    "SpokenDigits",
    "aedat_chunks",
    "dvs_gestures",
    "joined",
    "pool",
    "read_aedat",
    "read_dvs_gesture",
    "read_nmnist",
    "read_shd",
]
