"""Number formats that a network trains for: which numbers there are, and how a gradient passes through rounding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from neuromorph.errors import NetworkError


class Format(Protocol):
    """A number format: a function from floats to those floats that the format has, with a gradient.

    The result has the argument's shape, type and device, and zero stays zero, so that silence and missing synapses do.
    :func:`straight_through` is the usual gradient. A format that learns (a step, a clipping level) is a
    ``torch.nn.Module``; its parameters are found by optimisers once :class:`neuromorph.train.Quantised` has it.
    """

    def __call__(self, x: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class Codes:
    """Numbers ``scale * (codes - zero)``: what a chip stores of them.

    Attributes
    ----------
    codes : int64 Tensor
        Of the numbers' shape, ``low`` to ``high``.
    scale : Tensor
        Step between two numbers, shape () or what broadcasts to the codes.
    zero : int64 Tensor
        The code that stands for 0, of the scale's shape; 0 where the format is symmetric.
    low, high : int
        First and last code of the format.
    """

    codes: Tensor
    scale: Tensor
    zero: Tensor
    low: int
    high: int

    @property
    def levels(self) -> Tensor:
        """``codes - zero``: signed, and 0 for 0. What a differential pair of cells holds."""
        return self.codes - self.zero

    def values(self) -> Tensor:
        """The numbers, in the type of the scale: bit for bit those that the format gives."""
        return self.levels.to(self.scale.dtype) * self.scale


@runtime_checkable
class Coded(Protocol):
    """A format whose numbers are whole multiples of a step."""

    def __call__(self, x: Tensor, /) -> Tensor: ...

    def codes(self, x: Tensor, /) -> Codes:
        """The numbers that the format has for ``x``, as codes."""


def straight_through(x: Tensor, rounded: Tensor) -> Tensor:
    """Exactly ``rounded``, with the gradient as if it were ``x`` (Bengio, Leonard and Courville 2013)."""
    return _StraightThrough.apply(x, rounded)  # type: ignore[no-any-return, no-untyped-call]


class _StraightThrough(torch.autograd.Function):
    """``x + (rounded - x).detach()`` would round once more."""

    @staticmethod
    def forward(x: Tensor, rounded: Tensor) -> Tensor:
        return rounded.clone()

    @staticmethod
    def setup_context(ctx: object, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        """Nothing to keep."""

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


@dataclass(frozen=True)
class Integers:
    """Ints of so many bits and one scale for the whole tensor, by the rule of :mod:`neuromorph.network.quantise`.

    ``q = rint(x / scale)``, ``scale = max|x| / (2**(bits - 1) - 1)``; the result is ``q * scale``. For 8 and 16 bits,
    ints and scale are bit for bit those that ``CPU(weights="int8")`` and ``"int16"`` store for the same floats (but
    weights that a module keeps in a port's unit are rounded once more on their way to SI units). The gradient passes
    straight through; the scale is taken as given.
    """

    bits: int

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 16:
            raise NetworkError(f"Integers: {self.bits} bits; choose 2 to 16", bits=self.bits)

    @property
    def top(self) -> int:
        """Largest int."""
        return (1 << self.bits - 1) - 1

    def __call__(self, x: Tensor) -> Tensor:
        """The nearest numbers of the format."""
        q, scale = self.parts(x.detach())
        return straight_through(x, q * scale)

    def codes(self, x: Tensor) -> Codes:
        """The same as codes."""
        q, scale = self.parts(x.detach())
        return coded(q, scale, -self.top, self.top)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The ints, in the type of ``x``, and the scale ``()``."""
        if not x.numel():
            return x.clone(), x.new_ones(())
        largest = x.abs().max()
        if not x.ndim:
            return x.sign(), torch.where(largest == 0, 1.0, largest)
        scale = absmax_scale(largest, self.top)
        return whole(x, scale, -self.top, self.top), scale


def absmax_scale(largest: Tensor, top: int) -> Tensor:
    """Value of code 1 if the largest magnitude gets code ``top``, by the rule of :mod:`neuromorph.network.quantise`."""
    kind = torch.finfo(largest.dtype)
    scale = (largest.double() / top).to(largest.dtype).clamp(min=kind.smallest_normal * kind.eps)
    # one step less where the largest number would be infinite
    scale = torch.where((scale * top).isinf(), scale.nextafter(torch.zeros_like(scale)), scale)
    return torch.where(largest == 0, 1.0, scale)


def whole(x: Tensor, scale: Tensor, low: int, high: int) -> Tensor:
    """Codes as floats of the type of ``x``: ``rint(x / scale)`` in float64, limited."""
    return (x.double() / scale.double()).round().clamp(low, high).to(x.dtype)


Int8 = partial(Integers, 8)
"""8 bits: what ``CPU(weights="int8")`` runs."""


@dataclass(frozen=True)
class FixedPoint:
    """Fixed point: multiples of ``2**-fraction`` from ``-2**(bits-1)`` to ``2**(bits-1) - 1`` of them.

    What is outside is limited and has no gradient. The step does not depend on the data, as a target needs it for the
    values of events.
    """

    bits: int
    fraction: int

    def __post_init__(self) -> None:
        if self.bits < 2:
            raise NetworkError(f"FixedPoint: {self.bits} bits; at least 2", bits=self.bits)

    def __call__(self, x: Tensor) -> Tensor:
        """The nearest numbers of the format, halves to even."""
        step = 2.0**-self.fraction
        limit = 2 ** (self.bits - 1)
        inside = x.clamp(-limit * step, (limit - 1) * step)
        return straight_through(inside, (inside.detach() / step).round() * step)

    def codes(self, x: Tensor) -> Codes:
        """The same as codes."""
        step, limit = x.new_tensor(2.0**-self.fraction), 2 ** (self.bits - 1)
        return coded((x.detach() / step).round().clamp(-limit, limit - 1), step, -limit, limit - 1)


def coded(q: Tensor, scale: Tensor, low: int, high: int, zero: Tensor | None = None) -> Codes:
    """:class:`Codes` of whole floats; ``zero`` is 0 unless given."""
    whole = torch.zeros_like(scale) if zero is None else zero
    return Codes(q.to(torch.int64), scale, whole.to(torch.int64), low, high)
