"""Matrices made of lists of synapses, kept between calls that need no gradient.

To make such a matrix takes longer than to read one word with it. It is made anew whenever a weight is another, which is
seen by comparing the weights themselves: they are few beside the entries of the matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from neuromorph.train.modules.layout import Group


class KeptMatrices:
    """The matrices of a module; not copied or saved with it."""

    def __init__(self) -> None:
        self._kept: dict[Group, tuple[list[Tensor], Tensor]] = {}

    def get(self, group: Group, weights: Sequence[Tensor], make: Callable[[], Tensor]) -> Tensor:
        """The matrix of a product.

        Parameters
        ----------
        weights : sequence of Tensor
            All that it is made of.
        make : callable
            Makes it.
        """
        if torch.is_grad_enabled() or any(w.device.type == "meta" for w in weights):
            self._kept.pop(group, None)
            return make()
        known = self._kept.get(group)
        if known is None or not all(_same(old, new) for old, new in zip(known[0], weights, strict=True)):
            known = self._kept[group] = [w.clone() for w in weights], make()
        return known[1]

    def __reduce__(self) -> tuple[Any, ...]:
        return KeptMatrices, ()


def _same(old: Tensor, new: Tensor) -> bool:
    return old.device == new.device and old.dtype == new.dtype and torch.equal(old, new)
