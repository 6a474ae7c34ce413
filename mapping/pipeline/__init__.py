"""Networks laid out in space: a pipeline of stages that FIFOs join."""

from .balance import Budget
from .design import Parallel
from .network.traffic import traffic
from .target import Pipeline

__all__ = ["Budget", "Parallel", "Pipeline", "traffic"]
