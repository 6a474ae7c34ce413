"""Where a training is, and what its epoch has added up to."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from torch import Tensor

from neuromorph.errors import TrainingError


class Position:
    """Where a training is."""

    def __init__(
        self,
        epoch: int = 0,
        batch: int = 0,
        step: int = 0,
        lines: int = 0,
        seconds: float = 0.0,
        state: Any = None,
        begin: Any = None,
        sums: Mapping[str, float] | None = None,
        last: Mapping[str, Any] | None = None,
    ) -> None:
        self.epoch, self.batch, self.step, self.lines, self.seconds = epoch, batch, step, lines, seconds
        self.state, self.begin = state, begin
        self.sums, self.last = dict(sums or {}), dict(last or {})
        self.pending: list[dict[str, Tensor | float]] = []

    def content(self) -> dict[str, Any]:
        """For a checkpoint; nothing is pending."""
        return {name: value for name, value in vars(self).items() if name != "pending"}

    def look(self) -> dict[str, float]:
        """Add up the losses of the last batches, in their order, and see that they are numbers; the latest."""
        latest: dict[str, float] = {}
        for back, found in enumerate(reversed(self.pending)):
            for name, value in found.items():
                if not isfinite(float(value)):
                    where = f"batch {self.batch - back} of epoch {self.epoch + 1}"
                    raise TrainingError(
                        f"training: {name} is {float(value)} in {where}; the last checkpoint is kept. Use a smaller "
                        "learning rate, or clip gradients"
                    )
        for found in self.pending:
            latest = {name: float(value) for name, value in found.items()}
            for name, number in latest.items():
                self.sums[name] = self.sums.get(name, 0.0) + number
        self.pending = []
        return latest
