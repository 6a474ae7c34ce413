"""Quantisation-aware training: forward with the numbers of a format, gradients to the floats behind them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from neuromorph.train.recipes.formats import Format


class Quantised(nn.Module):
    """Numbers of a format, in training and in ``eval`` mode.

    As a parametrization, ``register_parametrization(layer, "weight", Quantised(Int8()))``, it quantises weights;
    register it after pruning and DropConnect, so that what was dropped is zero in the format. Given to
    ``module.after(population, Quantised(FixedPoint(16, 8)))``, it quantises the values of the events that a population
    sends to others; within a recurrence they stay floats.

    Parameters
    ----------
    format : Format
        If it is a ``torch.nn.Module``, its parameters train, too.
    enabled : bool
        False: let everything through unchanged, until the attribute of that name is set. Training often begins so.
    """

    def __init__(self, format: Format, *, enabled: bool = True) -> None:
        super().__init__()
        self.format, self.enabled = format, enabled

    def forward(self, x: Tensor) -> Tensor:
        """``x`` in the format."""
        return self.format(x) if self.enabled else x

    def right_inverse(self, x: Tensor) -> Tensor:
        """What to store so that ``x`` is meant: itself."""
        return x

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        text = "" if isinstance(self.format, nn.Module) else repr(self.format)
        return text if self.enabled else f"{text}, enabled=False".removeprefix(", ")


@contextmanager
def unquantised(module: nn.Module) -> Iterator[None]:
    """Within the block, what is :class:`Quantised` in ``module`` gives the floats behind the numbers.

    ``with unquantised(module): network = module.network()`` is the network to run on a target that quantises by the
    same rule itself, such as ``CPU(weights="int8")``: quantising twice could change the last bit of a scale.
    """
    found = [each for each in module.modules() if isinstance(each, Quantised)]
    before = [each.enabled for each in found]
    for each in found:
        each.enabled = False
    try:
        yield
    finally:
        for each, enabled in zip(found, before, strict=True):
            each.enabled = enabled
