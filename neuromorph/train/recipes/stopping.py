"""Which epoch was best, and when to stop waiting for a better one."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Any

from neuromorph.errors import TrainingError


class EarlyStopping:
    """Remember the best value of a metric; stop when none has been better for a while.

    Parameters
    ----------
    monitor : str
        Name of the metric, one that the trainer records each epoch.
    patience : int, optional
        Stop after so many epochs in a row without a better value; None: never, only remember the best.
    largest : bool
        Larger is better, as for an accuracy.
    margin : float
        A value is better if it is so by more than this.
    """

    def __init__(
        self, monitor: str, patience: int | None = None, *, largest: bool = False, margin: float = 0.0
    ) -> None:
        if patience is not None and patience < 1:
            raise TrainingError(f"EarlyStopping: patience={patience}; at least 1, or None")
        self.monitor, self.patience, self.largest, self.margin = monitor, patience, largest, margin
        self.best: float | None = None
        self.waited = 0

    def better(self, metrics: Mapping[str, Any]) -> bool:
        """Take in the metrics of an epoch; True if they are the best so far. Not-a-number is never better."""
        if self.monitor not in metrics:
            raise TrainingError(
                f"EarlyStopping: there is no metric {self.monitor!r}; this epoch has {', '.join(sorted(metrics))}"
            )
        value = float(metrics[self.monitor])
        gain = 0.0 if self.best is None else (value - self.best if self.largest else self.best - value)
        improved = not isnan(value) and (self.best is None or gain > self.margin)
        self.best, self.waited = (value, 0) if improved else (self.best, self.waited + 1)
        return improved

    @property
    def stop(self) -> bool:
        """Whether patience is at its end."""
        return self.patience is not None and self.waited >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint kept."""
        self.best, self.waited = state["best"], state["waited"]
