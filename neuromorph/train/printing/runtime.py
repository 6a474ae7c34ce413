"""What printed programs call beside PyTorch's own operations."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = [
    "dphi1",
    "exp2i",
    "exponent",
    "mantissa",
    "phi1",
    "scalar",
    "sigmoid_backward",
    "spread",
    "tanh_backward",
    "to_float",
    "to_int",
    "truncdiv",
    "wrap",
]

sigmoid_backward = torch.ops.aten.sigmoid_backward.default
tanh_backward = torch.ops.aten.tanh_backward.default


def phi1(z: Tensor) -> Tensor:
    """(exp(z) - 1) / z, and 1 at 0."""
    safe = torch.where(z == 0, torch.ones_like(z), z)
    return torch.where(z == 0, torch.ones_like(z), torch.expm1(safe) / safe)


def dphi1(z: Tensor) -> Tensor:
    """Derivative of :func:`phi1`: (exp(z) (z - 1) + 1) / z**2, by its series near 0."""
    near = z.abs() < 0.1
    safe = torch.where(near, torch.ones_like(z), z)
    series = 1 / 2 + z * (1 / 3 + z * (1 / 8 + z * (1 / 30 + z * (1 / 144 + z * (1 / 840 + z / 5760)))))
    return torch.where(near, series, (torch.exp(safe) * (safe - 1) + 1) / (safe * safe))


def scalar(number: float | Tensor, zero: Tensor, dtype: torch.dtype) -> Tensor:
    """A number as a tensor of shape () where `zero` is."""
    return torch.as_tensor(number, dtype=dtype, device=zero.device)


def spread(value: float | Tensor, like: Tensor, dtype: torch.dtype) -> Tensor:
    """A shared value for every neuron and sample."""
    if isinstance(value, Tensor):
        return value.to(dtype).expand(like.shape)
    return torch.full(like.shape, value, dtype=dtype, device=like.device)


def wrap(x: Tensor) -> Tensor:
    """An int as it is stored: 32 bits, two's complement."""
    return x.to(torch.int32).to(torch.int64)


def to_float(x: float | Tensor, dtype: torch.dtype) -> float | Tensor:
    """An int as a float."""
    return x.to(dtype) if isinstance(x, Tensor) else float(x)


def to_int(x: Tensor) -> Tensor:
    """The whole part as an int."""
    return x.to(torch.int64)


def exp2i(k: Tensor, dtype: torch.dtype) -> Tensor:
    """2.0**k, by its bits: 0 one below the exponents of the type, inf one above."""
    digits, bias, word = (23, 127, torch.int32) if dtype == torch.float32 else (52, 1023, torch.int64)
    return ((k + bias) << digits).to(word).view(dtype)


def exponent(x: Tensor) -> Tensor:
    """Exponent e of ``x = m 2**e``, 1 <= m < 2."""
    return torch.frexp(x).exponent.to(torch.int64) - 1


def mantissa(x: Tensor) -> Tensor:
    """The m of :func:`exponent`."""
    return torch.frexp(x).mantissa * 2.0


def truncdiv(a: Tensor, b: Tensor) -> Tensor:
    """Quotient of ints, rounded toward zero."""
    return torch.div(a, b, rounding_mode="trunc")
