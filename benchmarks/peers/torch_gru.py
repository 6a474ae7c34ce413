"""``torch.nn.GRU``: another model without events, but of the same products, in one compiled operation."""

from __future__ import annotations

import torch
from torch import nn

from . import Build
from .sequences import Task, networks
from .torch_egru import version

__all__ = ["NETWORKS", "version"]


class GRU(nn.GRU):
    """A layer with PyTorch's own initial weights."""

    def __init__(self, task: Task, dtype: torch.dtype) -> None:
        super().__init__(task.x.shape[2], task.target.shape[2], dtype=dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Outputs of a sequence."""
        return super().forward(x)[0]

    def gradients(self) -> dict[str, torch.Tensor]:
        """None: another model."""
        return {}


NETWORKS: dict[str, Build] = networks("egru", GRU)
