"""Reports: what number formats make of the weights of a network, of a module, or of what a file holds."""

from neuromorph.formats.report.choose import read_formats
from neuromorph.formats.report.files import read_layers
from neuromorph.formats.report.layers import Layer, Skipped, layers_of
from neuromorph.formats.report.report import BitsReport, LayerBits, Total, bits_report

__all__ = [
    "BitsReport",
    "Layer",
    "LayerBits",
    "Skipped",
    "Total",
    "bits_report",
    "layers_of",
    "read_formats",
    "read_layers",
]
