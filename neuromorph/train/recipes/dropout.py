"""Dropout for sequences: whole words, one mask for a whole sequence, and connections."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from neuromorph.errors import NetworkError


class WordDropout(nn.Module):
    """Look words up in an embedding and drop whole words: one that is dropped is zero wherever it occurs.

    While training, each word of the vocabulary is dropped with probability ``p``, anew in every call, and the others
    are scaled by ``1 / (1 - p)`` (Gal and Ghahramani 2016, section 4.2; Merity et al. 2018). In ``eval`` mode this is a
    plain look-up. The table is handed in, so it can be tied to a softmax.

    Parameters
    ----------
    p : float
        In [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = probability("WordDropout", p)

    def forward(self, ids: Tensor, table: Tensor) -> Tensor:
        """Rows of ``table`` (words, n) for integer ``ids`` of any shape: ``(*ids.shape, n)``."""
        rows = functional.embedding(ids, table)
        if not self.training or self.p == 0:
            return rows
        kept = torch.empty(len(table), device=table.device, dtype=table.dtype).bernoulli_(1 - self.p) / (1 - self.p)
        return rows * kept[ids].unsqueeze(-1)

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"p={self.p}"


class LockedDropout(nn.Module):
    """Dropout with one mask for all steps of a sequence, another for each sample (Gal and Ghahramani 2016).

    Parameters
    ----------
    p : float
        In [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = probability("LockedDropout", p)

    def forward(self, x: Tensor) -> Tensor:
        """Mask ``x`` (steps, batch, ...) and scale what stays by ``1 / (1 - p)``; nothing in ``eval`` mode."""
        if not self.training or self.p == 0:
            return x
        return x * torch.empty_like(x[:1]).bernoulli_(1 - self.p).div_(1 - self.p)

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"p={self.p}"


class DropConnect(nn.Module):
    """Drop single weights while training; a parametrization (Wan et al. 2013; Merity et al. 2018 for recurrence).

    ``torch.nn.utils.parametrize.register_parametrization(layer, "weight", DropConnect(0.5))`` puts it on any module.
    One mask holds for all steps of a sequence as long as the weight is asked for once, which
    ``torch.nn.utils.parametrize.cached()`` sees to.

    Parameters
    ----------
    p : float
        In [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = probability("DropConnect", p)

    def forward(self, weight: Tensor) -> Tensor:
        """Weights with some set to zero and the others scaled by ``1 / (1 - p)``; all of them in ``eval`` mode."""
        return functional.dropout(weight, self.p, self.training)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """What to store so that ``weight`` is meant: itself."""
        return weight

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"p={self.p}"


def probability(owner: str, p: float) -> float:
    """``p`` if something can be dropped with it."""
    if not 0 <= p < 1:
        raise NetworkError(f"{owner}: probability {p} of dropping; it must be at least 0 and below 1", p=p)
    return float(p)
