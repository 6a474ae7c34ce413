"""Systolic arrays: accelerators that multiply matrices, with SPARK's variable-length operands or without.

:func:`load_array` reads a machine file; :mod:`.shapes`, :mod:`.onnx_file` and :mod:`.own` give layers; :mod:`.tails`
and :mod:`.measured` give their operands; :func:`simulate` puts them together.
"""

from .layers import Layer, batched, conv, gemm
from .machine import Array, Element, Operand, array_names, load_array
from .report import LayerReport, Report
from .simulate import simulate, time_product
from .timing import PassTimes, mean_cycles, time_passes
from .values import Codes, Distribution

__all__ = [
    "Array",
    "Codes",
    "Distribution",
    "Element",
    "Layer",
    "LayerReport",
    "Operand",
    "PassTimes",
    "Report",
    "array_names",
    "batched",
    "conv",
    "gemm",
    "load_array",
    "mean_cycles",
    "simulate",
    "time_passes",
    "time_product",
]
