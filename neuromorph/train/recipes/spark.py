"""Training under SPARK: weights and events are the numbers that its code keeps, with a gradient."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from neuromorph.errors import NetworkError
from neuromorph.formats import spark_table
from neuromorph.train.recipes.formats import Codes, absmax_scale, coded, straight_through, whole
from neuromorph.train.recipes.learned_formats import Start, along, by_channel, positive

SIGNS = ("plane", "twos_complement", "unsigned")


class Spark(nn.Module):
    """The numbers that SPARK keeps: short codes of 0 to 7 exactly, long ones of eight bits by its rule.

    ``y = sign(x) * D(rint(|x| / scale)) * scale``, halves to even, where D is :func:`neuromorph.formats.spark_table`;
    magnitudes beyond the largest become the largest. By ``scale="absmax"``, scale and codes are those of
    :class:`neuromorph.formats.Spark` for the same numbers. What is trained under the code is stored without a further
    loss.

    The gradient to x is 1 inside the range, through D as through rounding, and 0 beyond. A learned scale has the
    gradient of LSQ (Esser et al. 2020): ``D(q) - x / scale`` inside, the last code beyond, times ``1 / sqrt(N * top)``.

    Parameters
    ----------
    rounding : {"paper", "nearest"}
        Of lossy codes.
    sign : {"plane", "twos_complement", "unsigned"}
        A sign beside each magnitude of 0 to 255, the code of the two's complement of -128 to 127, or none.
    scale : {"absmax", "learned"} or float
        The largest magnitude of each tensor gets the largest code; a parameter that starts there; or a number.
    largest : int, optional
        Code that the largest magnitude gets, or begins with; default: 255, or 127 for the two's complement. With fewer,
        more codes are short. 15, 47, 79 and 111 are codes that SPARK keeps, 31, 63 and 127 are not.
    channels : int, optional
        A scale for each of so many channels along ``axis``; default: one for the tensor.
    axis : int

    Raises
    ------
    NetworkError
        For a rounding, sign, scale or largest code that is none, or, when called, a tensor without the channels.
    """

    table: Tensor

    def __init__(
        self,
        rounding: Literal["paper", "nearest"] = "paper",
        *,
        sign: Literal["plane", "twos_complement", "unsigned"] = "plane",
        scale: Literal["absmax", "learned"] | float = "absmax",
        largest: int | None = None,
        channels: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__()
        if sign not in SIGNS:
            raise NetworkError(f"Spark: sign is {sign!r}; choose {', '.join(SIGNS)}")
        if isinstance(scale, str):
            if scale not in ("absmax", "learned"):
                raise NetworkError(f'Spark: scale is {scale!r}; choose "absmax", "learned" or a number')
        elif not 0 < scale < math.inf:
            raise NetworkError(f"Spark: scale is {scale}; it must be above 0 and finite", scale=scale)
        self.rounding, self.sign, self.rule, self.channels, self.axis = rounding, sign, scale, channels, axis
        self.top = 127 if sign == "twos_complement" else 255
        self.largest = self.top if largest is None else largest
        if not 1 <= self.largest <= self.top:
            raise NetworkError(f"Spark: largest code {largest}; choose 1 to {self.top}", largest=largest)
        self.low = {"plane": -255, "twos_complement": -128, "unsigned": 0}[sign]
        table = torch.from_numpy(spark_table(rounding).astype("int64"))
        if sign == "twos_complement":  # indexed by the code from 0 to 255; those above 127 stand for negative numbers
            table = (table + 128) % 256 - 128
        self.register_buffer("table", table, persistent=False)
        self.step: nn.Parameter | None = None
        if scale == "learned":
            self.step = nn.Parameter(torch.ones(() if channels is None else (channels,)))
            self.start = Start()

    def forward(self, x: Tensor) -> Tensor:
        """The numbers of the format."""
        if self.step is None:
            scale = self._scale(x.detach())
            inside = x if self.rule == "absmax" and self.low < 0 else x.clamp(scale * self.low, scale * self.top)
            return straight_through(inside, self._decoded(x.detach(), scale) * scale)
        self._begin(x)
        step = along(self.step.to(x.dtype), x, self.channels, self.axis, "Spark")
        shared = max(x.numel() // (self.channels or 1), 1)
        decoded = self._decoded(x.detach(), positive(step.detach()))
        return _Learned.apply(x, step, decoded, self.low, self.top, 1 / math.sqrt(shared * self.top))  # type: ignore[no-any-return, no-untyped-call]

    def codes(self, x: Tensor) -> Codes:
        """The same as codes: signed magnitudes as SPARK gives them back, not its bits."""
        scale = self._scale(x.detach())
        return coded(self._decoded(x.detach(), scale), scale, self.low, self.top)

    def _scale(self, x: Tensor) -> Tensor:
        """Value of code 1, of a shape that broadcasts to ``x``."""
        if self.step is not None:
            self._begin(x)
            return positive(along(self.step.detach().to(x.dtype), x, self.channels, self.axis, "Spark"))
        if self.rule != "absmax":
            return x.new_tensor(self.rule)
        largest = self._largest(x)
        if not x.ndim:
            return torch.where(largest == 0, torch.ones_like(largest), largest)
        return along(absmax_scale(largest, self.largest), x, self.channels, self.axis, "Spark")

    def _largest(self, x: Tensor) -> Tensor:
        """Largest magnitude, () or (channels,)."""
        if self.channels is not None:
            along(x.new_empty(self.channels), x, self.channels, self.axis, "Spark")
        sizes = x.abs() if self.low < 0 else x.clamp(min=0)
        found = by_channel(sizes, self.channels, self.axis)
        largest = found.amax(1) if found.shape[1] else found.new_zeros(found.shape[0])
        return largest if self.channels is not None else largest.view(())

    def _decoded(self, x: Tensor, scale: Tensor) -> Tensor:
        """Codes as SPARK gives them back, floats."""
        q = whole(x, scale, self.low, self.top)
        if self.sign == "twos_complement":
            return self.table[q.long() % 256].to(x.dtype)
        return self.table[q.abs().long()].to(x.dtype) * q.sign()

    def _begin(self, x: Tensor) -> None:
        """A learned scale starts at the largest magnitude."""
        if self.step is None or self.start.done or not x.numel():
            return
        largest = self._largest(x.detach())
        self.start.take(self.step, absmax_scale(largest, self.largest), largest)

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        each = "" if self.channels is None else f", channels={self.channels}"
        most = "" if self.largest == self.top else f", largest={self.largest}"
        return f"rounding={self.rounding!r}, sign={self.sign!r}, scale={self.rule!r}{most}{each}"


class _Learned(torch.autograd.Function):
    """Codes times a learned scale."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor, decoded: Tensor, low: int, top: int, factor: float) -> Tensor:
        scale = positive(step)
        ctx.save_for_backward(x, scale, decoded)
        ctx.limits = low, top, factor
        return decoded * scale

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        x, step, decoded = ctx.saved_tensors
        low, top, factor = ctx.limits
        q = x / step
        inside = (q > low) & (q < top)
        each = torch.where(inside, decoded - q, q.clamp(low, top))
        return gradient * inside, (gradient * each).sum_to_size(step.shape) * factor, None, None, None, None
