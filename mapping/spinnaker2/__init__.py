"""SpiNNaker2: memory layout, mapping, and the simulation of what the mapped network does and costs."""

from .decoder import Decoded, Decoder
from .energy import Energy, Totals
from .layout import REGIONS, Layout
from .map import Mapping, map_network
from .options import LayoutOptions
from .report import SpiNNaker2Report
from .target import SpiNNaker2
from .tokens import Tokens

__all__ = [
    "REGIONS",
    "Decoded",
    "Decoder",
    "Energy",
    "Layout",
    "LayoutOptions",
    "Mapping",
    "SpiNNaker2",
    "SpiNNaker2Report",
    "Tokens",
    "Totals",
    "map_network",
]
