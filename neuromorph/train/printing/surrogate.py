"""Surrogate gradients: what stands for the derivative of an event's condition.

An event happens where ``v > 0``, v the difference of the two sides of the comparison in the unit that they were
written in. The derivative of that step is zero or infinite, so back-propagation uses a bump around v = 0 instead.
Forward passes do not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from neuromorph.errors import NetworkError


@runtime_checkable
class Surrogate(Protocol):
    """Any object with this method can stand in for those below."""

    def derivative(self, v: Tensor) -> Tensor:
        """dH/dv for a tensor of any shape, as a new tensor of the same shape and type."""


@dataclass(frozen=True)
class Triangle:
    """``dampening * max(0, 1 - support * |v|)`` (Bellec et al. 2018; EvNN's pseudo-derivative).

    Attributes
    ----------
    dampening : float
        Height.
    support : float
        One over the half width.
    """

    dampening: float = 0.7
    support: float = 1.0

    def __post_init__(self) -> None:
        _positive(self, "dampening", "support")

    def derivative(self, v: Tensor) -> Tensor:
        """dH/dv."""
        return v.abs().mul_(-self.dampening * self.support).add_(self.dampening).relu_()


@dataclass(frozen=True)
class SuperSpike:
    """``1 / (1 + slope * |v|)**2`` (Zenke and Ganguli 2018)."""

    slope: float = 10.0

    def __post_init__(self) -> None:
        _positive(self, "slope")

    def derivative(self, v: Tensor) -> Tensor:
        """dH/dv."""
        return v.abs().mul_(self.slope).add_(1.0).square_().reciprocal_()


@dataclass(frozen=True)
class Sigmoid:
    """``slope * s * (1 - s)`` with ``s = sigmoid(slope * v)``: the derivative of a soft step."""

    slope: float = 4.0

    def __post_init__(self) -> None:
        _positive(self, "slope")

    def derivative(self, v: Tensor) -> Tensor:
        """dH/dv."""
        s = torch.sigmoid(v * self.slope)
        return (1.0 - s).mul_(s).mul_(self.slope)


@dataclass(frozen=True)
class ArcTan:
    """``alpha / 2 / (1 + (pi / 2 * alpha * v)**2)``: the derivative of an arc tangent (Fang et al. 2021)."""

    alpha: float = 2.0

    def __post_init__(self) -> None:
        _positive(self, "alpha")

    def derivative(self, v: Tensor) -> Tensor:
        """dH/dv."""
        return (v * (torch.pi / 2 * self.alpha)).square_().add_(1.0).reciprocal_().mul_(self.alpha / 2)


@dataclass(frozen=True)
class Rectangle:
    """``1 / width`` where ``|v| < width / 2``, else 0 (Wu et al. 2018)."""

    width: float = 1.0

    def __post_init__(self) -> None:
        _positive(self, "width")

    def derivative(self, v: Tensor) -> Tensor:
        """dH/dv."""
        return (v.abs() < self.width / 2).to(v.dtype).div_(self.width)


@dataclass(frozen=True)
class Gaussian:
    """``height * exp(-(v / width)**2 / 2)``."""

    height: float = 1.0
    width: float = 0.5

    def __post_init__(self) -> None:
        _positive(self, "height", "width")

    def derivative(self, v: Tensor) -> Tensor:
        """dH/dv."""
        return (v / self.width).square_().mul_(-0.5).exp_().mul_(self.height)


@dataclass(frozen=True)
class StraightThrough:
    """1 everywhere: the gradient passes as if the step were the identity (Bengio et al. 2013)."""

    def derivative(self, v: Tensor) -> Tensor:
        """dH/dv."""
        return torch.ones_like(v)


def _positive(surrogate: Surrogate, *names: str) -> None:
    for name in names:
        value = getattr(surrogate, name)
        if not (isinstance(value, int | float) and 0.0 < value < float("inf")):
            raise NetworkError(f"{type(surrogate).__name__}: {name}={value!r}; give a number above 0", name=name)
