"""Networks laid out in space: a pipeline of stages that FIFOs join."""

from .target import Pipeline

__all__ = ["Pipeline"]
