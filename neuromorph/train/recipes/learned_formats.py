"""Formats that learn their range or step: PACT, LSQ and TQT.

Each is a function of a tensor and of one parameter, rounded halves to even, with the gradient that its paper gives. All
have zero among their numbers. The parameter starts from the first numbers that the format is given, unless it is told
otherwise: for weights, those that were there when it was registered.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from neuromorph.errors import NetworkError
from neuromorph.train.recipes.formats import Codes, coded, straight_through


class PACT(nn.Module):
    """Parameterised clipping (Choi et al. 2018, arXiv 1805.06085): everything beyond ``alpha`` is ``alpha``, learned.

    ``y = round(clip(x, 0, alpha) / s) * s`` with ``s = alpha / (2**bits - 1)``; signed, ``clip(x, -alpha, alpha)`` and
    ``s = alpha / (2**(bits - 1) - 1)``. The gradient to x is 1 inside; that to ``alpha`` is 1 where ``x >= alpha`` (-1
    where ``x <= -alpha``) and 0 inside. The paper adds ``alpha**2`` to the loss: let ``alpha`` decay, see
    :func:`neuromorph.train.decay_groups`. Signed, for weights, is our extension: the paper quantises weights as DoReFa
    does, by a grid that has no zero.

    Parameters
    ----------
    bits : int
    signed : bool
        The paper's, for the output of rectifiers, is not.
    alpha : float, optional
        Where to start; default: the largest number of the first tensor.
    """

    def __init__(self, bits: int, *, signed: bool = False, alpha: float | None = None) -> None:
        super().__init__()
        if alpha is not None and not 0 < alpha < math.inf:
            raise NetworkError(f"PACT: alpha={alpha}; a clipping level is above 0", alpha=alpha)
        self.bits, self.signed = bits, signed
        top = limits("PACT", bits, signed)[1]
        self.low, self.high = -top if signed else 0, top
        self.alpha = nn.Parameter(torch.tensor(1.0 if alpha is None else float(alpha)))
        self.start = Start(alpha is not None)

    def forward(self, x: Tensor) -> Tensor:
        """The nearest numbers of the format."""
        self._begin(x)
        alpha = self.alpha.to(x.dtype)
        bottom = -alpha if self.signed else alpha.new_zeros(())
        inside = torch.where(x >= alpha, alpha, torch.where(x <= bottom, bottom, x))
        return straight_through(inside, self.codes(x).values())

    def codes(self, x: Tensor) -> Codes:
        """The same as codes."""
        self._begin(x)
        scale = positive(self.alpha.detach().to(x.dtype) / self.high)
        return coded(rounded(x.detach(), scale, self.low, self.high), scale, self.low, self.high)

    def _begin(self, x: Tensor) -> None:
        if not self.start.done and x.numel():
            self.start.take(self.alpha, x.detach().abs().max())

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"bits={self.bits}, signed={self.signed}"


class LSQ(nn.Module):
    """Learned step size (Esser et al. 2020, arXiv 1902.08153).

    ``y = round(clip(x / step, low, high)) * step``. The gradient to x is 1 inside; that to ``step`` is ``round(x /
    step) - x / step`` inside, ``low`` and ``high`` beyond, times ``1 / sqrt(N * high)`` (section 2.2). The step starts
    at ``2 * mean|x| / sqrt(high)``, the mean of what is not zero: pruned weights and silence do not count.

    Parameters
    ----------
    bits : int
        Signed: ``-2**(bits - 1)`` to ``2**(bits - 1) - 1``; otherwise 0 to ``2**bits - 1``.
    signed : bool
    channels : int, optional
        A step for each of so many channels along ``axis``; default, as in the paper, one for the tensor.
    axis : int
    size : int, optional
        N: default, as the paper has it for weights, the numbers that share a step; for events give the number of
        neurons.
    """

    def __init__(
        self, bits: int, *, signed: bool = True, channels: int | None = None, axis: int = -1, size: int | None = None
    ) -> None:
        super().__init__()
        self.bits, self.signed, self.channels, self.axis, self.size = bits, signed, channels, axis, size
        self.low, self.high = limits("LSQ", bits, signed)
        self.step = nn.Parameter(torch.ones(() if channels is None else (channels,)))
        self.start = Start()

    def forward(self, x: Tensor) -> Tensor:
        """The nearest numbers of the format."""
        self._begin(x)
        shared = self.size or x.numel() // (self.channels or 1)
        factor = 1 / math.sqrt(max(shared, 1) * self.high)
        step = along(self.step.to(x.dtype), x, self.channels, self.axis, "LSQ")
        return _Step.apply(x, step, self.low, self.high, factor)  # type: ignore[no-any-return, no-untyped-call]

    def codes(self, x: Tensor) -> Codes:
        """The same as codes."""
        self._begin(x)
        step = positive(along(self.step.detach().to(x.dtype), x, self.channels, self.axis, "LSQ"))
        return coded(rounded(x.detach(), step, self.low, self.high), step, self.low, self.high)

    def _begin(self, x: Tensor) -> None:
        if self.start.done or not x.numel():
            return
        rows = by_channel(x.detach().abs(), self.channels, self.axis)
        total, count = rows.sum(1), (rows != 0).sum(1)
        mean = torch.where(count > 0, total / count.clamp(min=1), total.sum() / count.sum().clamp(min=1))
        self.start.take(self.step, (2 * mean / math.sqrt(self.high)).view(self.step.shape))

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        each = "" if self.channels is None else f", channels={self.channels}"
        return f"bits={self.bits}, signed={self.signed}{each}"


class TQT(nn.Module):
    """Trained threshold (Jain et al. 2020, arXiv 1903.08066): the step is a power of two, its exponent learned.

    ``s = 2**ceil(log2_t) / 2**(bits - 1)`` (signed) or ``2**ceil(log2_t) / 2**bits``; ``y = clip(round(x / s), low,
    high) * s``. The gradient to x is 1 inside; that to ``log2_t`` is ``s ln2 (round(x / s) - x / s)`` inside, ``s ln2
    low`` and ``s ln2 high`` beyond (equations 7 and 8). Train ``log2_t`` with Adam, as the paper does. It starts at the
    power of two with the least squared error, in the middle of those that give it; the paper starts by three standard
    deviations or by a distance of distributions.

    Parameters
    ----------
    bits : int
    signed : bool
    log2_t : float, optional
        Where to start.
    """

    def __init__(self, bits: int, *, signed: bool = True, log2_t: float | None = None) -> None:
        super().__init__()
        self.bits, self.signed = bits, signed
        self.low, self.high = limits("TQT", bits, signed)
        self.log2_t = nn.Parameter(torch.tensor(0.0 if log2_t is None else float(log2_t)))
        self.start = Start(log2_t is not None)

    def forward(self, x: Tensor) -> Tensor:
        """The nearest numbers of the format."""
        self._begin(x)
        log2_t = self.log2_t.to(x.dtype)
        return _PowerOfTwo.apply(x, log2_t, self._fraction, self.low, self.high)  # type: ignore[no-any-return, no-untyped-call]

    def codes(self, x: Tensor) -> Codes:
        """The same as codes."""
        self._begin(x)
        step = torch.exp2(self.log2_t.detach().to(x.dtype).ceil() - self._fraction)
        return coded(rounded(x.detach(), step, self.low, self.high), step, self.low, self.high)

    @property
    def _fraction(self) -> int:
        return self.bits - 1 if self.signed else self.bits

    def _begin(self, x: Tensor) -> None:
        if self.start.done or not x.numel() or x.is_meta:
            return
        found = x.detach()
        largest = found.abs().max()
        exponents = largest.clamp(min=torch.finfo(x.dtype).tiny).log2().ceil() - torch.arange(
            self.bits, dtype=x.dtype, device=x.device
        )
        errors = []
        for exponent in exponents.unbind():
            step = torch.exp2(exponent - self._fraction)
            errors.append((rounded(found, step, self.low, self.high) * step - found).square().sum())
        self.start.take(self.log2_t, exponents[torch.stack(errors).argmin()] - 0.5, largest)

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"bits={self.bits}, signed={self.signed}"


class Start(nn.Module):
    """Whether a parameter has its first value; part of the state, so that a resumed training does not start anew."""

    def __init__(self, done: bool = False) -> None:
        super().__init__()
        self.done = done

    def take(self, parameter: nn.Parameter, value: Tensor, seen: Tensor | None = None) -> None:
        """Set the parameter, unless nothing was seen but zeros: then the next numbers will."""
        if parameter.is_meta or not bool((value if seen is None else seen).any()):
            return
        with torch.no_grad():
            parameter.copy_(value)
        self.done = True

    def get_extra_state(self) -> dict[str, bool]:
        """What a checkpoint keeps."""
        return {"done": self.done}

    def set_extra_state(self, state: Any) -> None:
        """Go on from what a checkpoint kept."""
        self.done = bool(state["done"])


class _Step(torch.autograd.Function):
    """Rounding by a learned step."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor, low: int, high: int, factor: float) -> Tensor:
        scale = positive(step)
        ctx.save_for_backward(x, scale)
        ctx.limits = low, high, factor
        return rounded(x, scale, low, high) * scale

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        x, step = ctx.saved_tensors
        low, high, factor = ctx.limits
        q = x / step
        inside = (q > low) & (q < high)
        each = torch.where(inside, q.round() - q, q.clamp(low, high))
        to_step = (gradient * each).sum_to_size(step.shape) * factor
        return gradient * inside, to_step, None, None, None


class _PowerOfTwo(torch.autograd.Function):
    """Rounding by a power of two with a learned exponent."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, log2_t: Tensor, fraction: int, low: int, high: int) -> Tensor:
        step = torch.exp2(log2_t.ceil() - fraction)
        ctx.save_for_backward(x, step)
        ctx.limits = low, high
        return rounded(x, step, low, high) * step

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        x, step = ctx.saved_tensors
        low, high = ctx.limits
        q = x / step
        whole = q.round()
        inside = (whole >= low) & (whole <= high)
        each = torch.where(inside, whole - q, whole.clamp(low, high))
        return gradient * inside, (gradient * each).sum() * step * math.log(2), None, None, None


def limits(owner: str, bits: int, signed: bool) -> tuple[int, int]:
    """First and last code of two's complement or of no sign."""
    least = 2 if signed else 1
    if not least <= bits <= 16:
        raise NetworkError(f"{owner}: {bits} bits; choose {least} to 16", bits=bits)
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


def rounded(x: Tensor, scale: Tensor, low: int, high: int) -> Tensor:
    """Codes as floats: ``x / scale`` to the nearest whole number, halves to even, limited."""
    return (x / scale).round_().clamp_(low, high)


def positive(scale: Tensor) -> Tensor:
    """A step that a large stride of an optimiser took below zero is the smallest normal number."""
    return scale.clamp(min=torch.finfo(scale.dtype).tiny)


def along(value: Tensor, x: Tensor, channels: int | None, axis: int, owner: str) -> Tensor:
    """A value for each channel, in the shape that broadcasts along an axis of ``x``."""
    if channels is None:
        return value
    if not -x.ndim <= axis < x.ndim or x.shape[axis] != channels:
        raise NetworkError(
            f"{owner}: made for {channels} channels along axis {axis}, given a tensor of shape {tuple(x.shape)}",
            channels=channels,
        )
    shape = [1] * x.ndim
    shape[axis] = channels
    return value.view(shape)


def by_channel(x: Tensor, channels: int | None, axis: int) -> Tensor:
    """What shares a channel, in rows: (channels, numbers), or (1, numbers)."""
    return x.reshape(1, -1) if channels is None else x.movedim(axis, 0).reshape(channels, -1)
