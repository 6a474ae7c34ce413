"""SpiNNaker2: memory layout, mapping, and the simulation of what the mapped network does and costs."""

from .energy import Energy, Totals
from .layout import REGIONS, Layout
from .map import Mapping, map_network
from .options import LayoutOptions
from .report import SpiNNaker2Report
from .target import SpiNNaker2

__all__ = [
    "REGIONS",
    "Energy",
    "Layout",
    "LayoutOptions",
    "Mapping",
    "SpiNNaker2",
    "SpiNNaker2Report",
    "Totals",
    "map_network",
]
