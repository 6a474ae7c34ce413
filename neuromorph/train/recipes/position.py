"""Where a training is, and what its epoch has added up to."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any

from torch import Tensor

from neuromorph.errors import TrainingError


@dataclass
class Position:
    """Where a training is; it moves on with every batch.

    Attributes
    ----------
    epoch, batch, step : int
        Epochs that are complete, batches of the present one, and batches in all.
    lines : int
        Records in the metrics file.
    seconds : float
        Time spent.
    state : any
        What the next batch begins with.
    begin : any
        States of the random generators before the epoch's data were first asked for.
    sums : dict of str to float
        Losses of the epoch so far.
    last : dict of str to float
        Metrics of the last epoch.
    pending : list of dict
        Losses of the last batches, perhaps still being computed on their device.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    lines: int = 0
    seconds: float = 0.0
    state: Any = None
    begin: Any = None
    sums: dict[str, float] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)
    pending: list[dict[str, Tensor | float]] = field(default_factory=list)

    def content(self) -> dict[str, Any]:
        """For a checkpoint, when nothing is pending."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "pending"}

    def look(self) -> dict[str, float]:
        """Add up the losses of the last batches, in their order, and see that they are numbers; the latest."""
        latest: dict[str, float] = {}
        for back, found in zip(reversed(range(len(self.pending))), self.pending, strict=True):
            latest = {name: float(value) for name, value in found.items()}
            for name, number in latest.items():
                if not isfinite(number):
                    raise TrainingError(
                        f"training: {name} is {number} in batch {self.batch - back} of epoch {self.epoch + 1}; the "
                        "last checkpoint is kept. Use a smaller learning rate, or clip gradients"
                    )
                self.sums[name] = self.sums.get(name, 0.0) + number
        self.pending = []
        return latest
