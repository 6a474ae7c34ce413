"""A cosine schedule that begins late."""

from __future__ import annotations

from math import cos, pi

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from neuromorph.errors import TrainingError


def cosine_factor(step: float, start: float, end: float, floor: float = 0.0, warmup: float = 0.0) -> float:
    """Factor on the learning rate: up to 1 in ``warmup``, 1 until ``start``, half a cosine to ``floor`` at ``end``.

    ``floor + (1 - floor) * (1 + cos(pi * (step - start) / (end - start))) / 2`` in between (Loshchilov and Hutter 2017,
    without restarts). The warm-up is linear, ``(step + 1) / (warmup + 1)``, so the first step is not lost.
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if step <= start:
        return 1.0
    if step >= end:
        return floor
    return floor + (1 - floor) * (1 + cos(pi * (step - start) / (end - start))) / 2


class CosineFrom(LambdaLR):
    """Schedule of :func:`cosine_factor` for torch's optimisers; units are calls of ``step()``.

    Called once an epoch (``Trainer(each_epoch=[...])``), ``start`` and ``end`` are epochs; called after each batch
    (``each_step``), batches.

    Parameters
    ----------
    optimiser : torch.optim.Optimizer
        The rates of its groups are what the factor multiplies; a group of rate 0 stays frozen.
    start, end : int
        Where the cosine begins and where it has come to ``floor``.
    floor : float
        Last factor.
    warmup : int
        Calls over which the rate rises.
    """

    def __init__(self, optimiser: Optimizer, start: int, end: int, *, floor: float = 0.0, warmup: int = 0) -> None:
        if not 0 <= warmup <= start < end:
            raise TrainingError(
                f"CosineFrom: warmup={warmup}, start={start}, end={end}; they must be in this order, start before end"
            )
        super().__init__(optimiser, lambda step: cosine_factor(step, start, end, floor, warmup))
